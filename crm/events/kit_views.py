"""The door kit's routes: staff set devices up and see to what was kept aside; devices bring what they have."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, g, jsonify, make_response, request, url_for

from crm import policy
from crm.access import sign_in
from crm.access.envelopes import LATEST_MS, milliseconds
from crm.access.guards import current_actor, public_page, requires, requires_own_key, take_cookie
from crm.access.models import SessionKind
from crm.audit import record
from crm.clock import now_utc, today_in_london
from crm.db import transaction
from crm.events import attendance, kit, kit_queries, queries
from crm.events.kit_entries import (
    FAULT_OF_OURS,
    FileNotRead,
    Moment,
    NotTaken,
    Receipt,
    keep_aside,
    read_file,
    settle_with_guest,
    take_entry,
    try_again,
)
from crm.events.kit_forms import KitFileForm, KitStepForm, SetUpDeviceForm, WhoItIsForm
from crm.events.kit_models import AsideReason, KitAside, KitDevice, KitKey
from crm.events.models import RecruitmentEvent
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web import limits
from crm.web.filters import many
from crm.web.forgery import without_form_token
from crm.web.headers import POLICY
from crm.web.keyed import digest
from crm.web.logs import get as log
from crm.web.notices import tell
from crm.web.pages import render, see_other, service
from crm.web.uploads import accepts_upload
from crm.web.writes import writes, writes_by_itself

bp = Blueprint("kit", __name__)

ENTRIES_AT_ONCE = 50
CALLS_A_MINUTE = 120
LONGEST_WAITING = 100_000
KEEPS_BY_ITSELF = "each entry has a transaction of its own: one that can’t be taken holds up no other"


# --- Staff: the door of one event -------------------------------------------------------------------------------------


@bp.get("/events/<int:event_id>/kit")
@requires(Permission.MANAGE_EVENTS)
def door(event_id: int) -> str:
    now = now_utc()
    event = queries.event_by_id(event_id)
    key = kit.key_of(event)
    return render(
        "door/door.html",
        here="events",
        event=event,
        key=key,
        door=kit_queries.door_of(event),
        closes_at=kit.closes_at(event, key),
        is_closed=kit.closes_at(event, key) <= now,
        can_open_again=key is not None and key.closed_at is not None and event.ends_at + kit.CLOSES_AFTER > now,
        key_until=event.ends_at + kit.KEPT_AFTER,
        quiet_before=now - kit_queries.QUIET_AFTER,
        reason_words=kit_queries.REASON_SHORT,
    )


@bp.route("/events/<int:event_id>/kit/device", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS, Permission.LOG_ENQUIRY)
@writes
def set_up(event_id: int) -> Response | tuple[str, int]:
    """Make the phone or tablet in hand a device of this event. Staff are signed out on it by that: from then on it can
    add to this event, and Back leads nowhere."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    event = queries.event_by_id(event_id)
    form = SetUpDeviceForm()
    if form.is_sent_and_right():
        try:
            device, key, token = kit.set_up_device(
                event,
                name=form.name.data,
                signing_key=form.signing_key.data,
                proof_digest=digest("kit proof", form.proof.data),
                skew_ms=form.clock_ms - milliseconds(now),
                actor=actor,
                now=now,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            given = kit_queries.what_a_device_gets(
                event, key, device, service=service().name, rulebook=policy.rulebook_on(today), now=now
            )
            given["names"] = kit_queries.names_for_the_door(event)
            sign_in.sign_out(signed_in=g.signed_in, now=now)
            g.session_ended = True
            response = make_response(jsonify({**given, "token": token}), 201)
            take_cookie(response, SessionKind.STAFF)
            return response
    if request.accept_mimetypes.best == "application/json":
        return make_response(jsonify(problems=[words for field in form for words in field.errors]), form.status)
    closed = kit.closes_at(event, kit.key_of(event)) <= now
    return render("door/set_up.html", here="events", event=event, form=form, is_closed=closed), form.status


@bp.post("/events/<int:event_id>/kit/devices/<int:device_id>/withdraw")
@requires(Permission.MANAGE_EVENTS)
@writes
def withdraw(event_id: int, device_id: int) -> Response:
    actor, now = current_actor(), now_utc()
    event = queries.event_by_id(event_id)
    device = kit_queries.device_of(event, device_id)
    kit.withdraw_device(device, actor=actor, now=now)
    tell(f"{device.name} can send nothing more. What it had not sent stays on it, to be saved as a file.")
    return see_other(url_for("kit.door", event_id=event.id))


@bp.post("/events/<int:event_id>/kit/close")
@requires(Permission.MANAGE_EVENTS)
@writes
def close(event_id: int) -> Response:
    event = queries.event_by_id(event_id)
    kit.close_door(event, actor=current_actor(), now=now_utc())
    tell("The door is closed. No device can send any more; files can still be loaded here.")
    return see_other(url_for("kit.door", event_id=event.id))


@bp.post("/events/<int:event_id>/kit/open")
@requires(Permission.MANAGE_EVENTS)
@writes
def open_again(event_id: int) -> Response:
    event = queries.event_by_id(event_id)
    kit.open_door_again(event, actor=current_actor(), now=now_utc())
    tell("The door is open again. Set each device up anew.")
    return see_other(url_for("kit.door", event_id=event.id))


# --- Staff: a file carried by hand, and what was kept aside -----------------------------------------------------------


@bp.route("/events/<int:event_id>/kit/file", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS, Permission.LOG_ENQUIRY)
@accepts_upload(megabytes=8)
@writes_by_itself(KEEPS_BY_ITSELF)
def load_file(event_id: int) -> Response | tuple[str, int]:
    """What a device could not send, carried here. Loading it again changes nothing."""
    actor, now = current_actor(), now_utc()
    event = queries.event_by_id(event_id)
    key = kit.key_of(event)
    form = KitFileForm()
    if form.is_sent_and_right():
        try:
            entries = read_file(form.file.data.read(), event=event, key=key)
        except FileNotRead as refusal:
            form.take_refusal(refusal)
        else:
            assert key is not None
            taken = _take_in(entries, event=event, key=key, device=None, skew=None, now=now)
            count = Counter(receipt.state for receipt in taken)
            with transaction():
                record(
                    "kit.file_loaded",
                    actor=actor,
                    at=now,
                    subject=f"event:{event.id}",
                    detail={"in_all": len(taken), **count},
                )
            tell(_what_the_file_held(count, missing=len(entries) - len(taken)))
            return see_other(url_for("kit.door", event_id=event.id))
    return render("door/load_file.html", here="events", event=event, form=form), form.status


def _what_the_file_held(count: Counter[str], *, missing: int) -> str:
    said = (
        f"{many(count['stored'], 'entry', 'entries')} stored, {count['known']} we had already, "
        f"{count['aside']} kept aside."
    )
    return said + (f" We were too busy for the last {missing}: load the file again." if missing else "")


@bp.route("/events/<int:event_id>/kit/aside/<int:aside_id>", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS, Permission.LOG_ENQUIRY)
@writes
def look_at_aside(event_id: int, aside_id: int) -> Response | tuple[str, int]:
    """An entry that was kept aside: what it says, why, and that somebody has seen to it."""
    event, aside = _aside(event_id, aside_id)
    form = KitStepForm()
    if form.is_sent_and_right():
        kit.hold_aside(aside)
        kit.settle_aside(aside, actor=current_actor(), now=now_utc())
        tell("That entry is dealt with, and what it said has been dropped.")
        return see_other(url_for("kit.door", event_id=event.id))
    return _aside_page(event, aside), form.status


@bp.post("/events/<int:event_id>/kit/aside/<int:aside_id>/again")
@requires(Permission.MANAGE_EVENTS, Permission.LOG_ENQUIRY)
@writes
def try_aside_again(event_id: int, aside_id: int) -> Response:
    """What was in its way has been put right, or so somebody hopes."""
    event, aside = _aside(event_id, aside_id)
    refused = try_again(aside, moment=_moment(now_utc()), actor=current_actor())
    if refused is None:
        tell("That entry is stored now.")
        return see_other(url_for("kit.door", event_id=event.id))
    _log_fault(refused)
    tell("It still can’t be stored. Nothing of it is lost: why it can’t stands here.")
    return see_other(url_for("kit.look_at_aside", event_id=event.id, aside_id=aside.id))


@bp.post("/events/<int:event_id>/kit/aside/<int:aside_id>/guest")
@requires(Permission.MANAGE_EVENTS, Permission.LOG_ENQUIRY)
@writes
def settle_aside_with_guest(event_id: int, aside_id: int) -> Response | tuple[str, int]:
    """Somebody knows whom the entry is about."""
    event, aside = _aside(event_id, aside_id)
    form = _who_it_is(event)
    if form.is_sent_and_right():
        try:
            guest = settle_with_guest(aside, form.guest.data, event=event, actor=current_actor(), now=now_utc())
        except attendance.NotOnTheList as refusal:
            form.take_refusal(refusal)
        else:
            here = "here" if guest.attended_at is not None else "not checked in any more"
            tell(f"{guest.full_name} is {here}, as that entry said.")
            return see_other(url_for("kit.door", event_id=event.id))
    return _aside_page(event, aside, who=form), form.status


def _aside(event_id: int, aside_id: int) -> tuple[RecruitmentEvent, KitAside]:
    event = queries.event_by_id(event_id)
    return event, kit_queries.aside_of(event, aside_id)


def _who_it_is(event: RecruitmentEvent) -> WhoItIsForm:
    form = WhoItIsForm()
    form.guest.choices = kit_queries.choices_of_guests(event)
    return form


def _aside_page(event: RecruitmentEvent, aside: KitAside, *, who: WhoItIsForm | None = None) -> str:
    return render(
        "door/look_at_aside.html",
        here="events",
        event=event,
        aside=aside,
        story=kit_queries.story_of(aside),
        reason=kit_queries.REASON_SHORT[aside.reason],
        settled=kit_queries.SETTLED_WORDS.get(aside.settled_how or ""),
        form=KitStepForm(takes_answers=False),
        who=who or _who_it_is(event),
    )


# --- The page that is installed ---------------------------------------------------------------------------------------

KIT_POLICY = POLICY + "; manifest-src 'self'; worker-src 'self'"
NOT_KEPT = ("worker.js", "set_up.js")
ADDRESSES_OF_FILES = re.compile(r'<(?:link|script)[^>]* (?:href|src)="(/(?:static/|brand\.css)[^"]*)"')


@bp.get("/kit/")
@public_page
def at_the_door() -> Response:
    """What staff work the door with: the same for everybody, with nothing in it of any event. The rest is on the
    device."""
    return _kept_page("door/at_the_door.html")


@bp.get("/kit/kiosk")
@public_page
def kiosk() -> Response:
    """Where visitors sign themselves in. A page of its own, so that nothing of the other can be in its memory."""
    return _kept_page("door/kiosk.html")


def _kept_page(template: str) -> Response:
    response = make_response(render(template))
    response.headers["Content-Security-Policy"] = KIT_POLICY
    return response


@bp.get("/kit/manifest.webmanifest")
@public_page
def manifest() -> Response:
    words = {
        "name": f"The door, {service().name}",
        "short_name": "The door",
        "start_url": "/kit/",
        "scope": "/kit/",
        "id": "/kit/",
        "display": "standalone",
        "background_color": "#f5f2ec",
        "theme_color": "#1d2a35",
        "icons": [{"src": "/static/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
    }
    response = make_response(json.dumps(words, ensure_ascii=False))
    response.headers["Content-Type"] = "application/manifest+json; charset=utf-8"
    return response


@bp.get("/kit/worker.js")
@public_page
def worker() -> Response:
    """The service worker, with the list of what it keeps and a version that changes when any of it does."""
    static = Path(current_app.static_folder or "")
    pages = render("door/at_the_door.html") + render("door/kiosk.html")
    all_of_them = [*(static / "door").glob("*.js"), *(static / "kept").glob("*.js")]
    scripts = sorted(path for path in all_of_them if path.name not in NOT_KEPT)
    itself = static / "kept" / "worker.js"
    version = hashlib.sha256(pages.encode())
    for path in (*scripts, itself):
        version.update(path.read_bytes())
    files = [
        "/kit/",
        "/kit/kiosk",
        "/kit/manifest.webmanifest",
        *ADDRESSES_OF_FILES.findall(pages),
        *(url_for("static", filename=path.relative_to(static).as_posix()) for path in scripts),
    ]
    kept = json.dumps({"name": "door", "version": version.hexdigest()[:16], "files": list(dict.fromkeys(files))})
    response = make_response(f"self.KEPT = {kept}\n{itself.read_text(encoding='utf-8')}")
    response.headers["Content-Type"] = "text/javascript; charset=utf-8"
    return response


# --- Devices ----------------------------------------------------------------------------------------------------------


@bp.post("/kit/entries")
@requires_own_key("the device’s token, which can only add to one event; only its digest is kept")
@without_form_token("it takes no cookie: the token comes in a header that no other site can send")
@writes_by_itself(KEEPS_BY_ITSELF)
def take_entries() -> Response:
    """What a device kept, oldest first. An entry is named in the answer once it is stored or aside, and only then."""
    now = now_utc()
    device, event, key = kit.device_with(_token(), now=now)
    wait = limits.count_try("kit", device.public_id, at_most=CALLS_A_MINUTE, seconds=60)
    if wait is not None:
        raise limits.TooOften("This device has sent a great deal in a short time.", retry_after=wait)
    sent = _sent()
    if not isinstance(sent, dict) or not isinstance(sent.get("entries"), list):
        raise Refusal("That is not what a device sends.", status=400)
    skew_ms = _number(sent.get("clock"), most=LATEST_MS) - milliseconds(now)
    entries = sent["entries"][:ENTRIES_AT_ONCE]
    taken = _take_in(entries, event=event, key=key, device=device, skew=timedelta(milliseconds=skew_ms), now=now)
    with transaction():
        waiting = _number(sent.get("waiting"), most=LONGEST_WAITING)
        kit.note_heard(device, waiting=max(0, waiting - len(taken)), skew_ms=skew_ms, now=now)
        closes = kit.closes_at(event, key)
    return jsonify(
        now=milliseconds(now),
        closesAt=milliseconds(closes),
        taken=[{"id": one.client_id, "state": one.state, "reason": one.reason} for one in taken],
    )


@bp.post("/kit/names")
@requires_own_key("the device’s token, and what only somebody with its PIN can show")
@without_form_token("it takes no cookie: the token comes in a header that no other site can send")
@writes_by_itself("a wrong PIN is counted, and the counting outlives the refusal")
def names() -> Response:
    """The list of names as it is now, for somebody who has the PIN: the token alone can only add."""
    now = now_utc()
    device, event, _key = kit.device_with(_token(), now=now)
    sent = _sent()
    shown = sent.get("proof") if isinstance(sent, dict) else None
    with transaction():
        right = kit.check_proof(device, digest("kit proof", shown if isinstance(shown, str) else ""))
    if not right:
        raise kit.NoNamesForIt("That is not this device’s PIN, so it gets no list of names.")
    return jsonify(now=milliseconds(now), names=kit_queries.names_for_the_door(event))


def _token() -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if kind == "Kit" else ""


def _sent() -> Any:
    """What came as JSON; None where it can't be read, or goes deeper than anybody could."""
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


def _number(value: Any, *, most: int) -> int:
    return value if type(value) is int and 0 <= value <= most else 0


def _take_in(
    entries: Sequence[Any],
    *,
    event: RecruitmentEvent,
    key: KitKey,
    device: KitDevice | None,
    skew: timedelta | None,
    now: datetime,
) -> list[Receipt]:
    """Each in a transaction of its own, in order. Where the database is too busy, those before it are acknowledged."""
    moment = _moment(now)
    taken: list[Receipt] = []
    for raw in entries:
        try:
            taken.append(_take_one(raw, event=event, key=key, device=device, skew=skew, moment=moment))
        except sa.exc.OperationalError:
            if not taken:
                raise
            break
    return taken


def _moment(now: datetime) -> Moment:
    today = today_in_london()
    return Moment(now=now, today=today, rulebook=policy.rulebook_on(today))


def _log_fault(refused: NotTaken) -> None:
    """A fault of ours is for us to mend, whatever becomes of the entry."""
    if refused.fault is not None:
        log().error("fault", endpoint=request.endpoint, method=request.method, exc_info=refused.fault)


def _take_one(
    raw: Any,
    *,
    event: RecruitmentEvent,
    key: KitKey,
    device: KitDevice | None,
    skew: timedelta | None,
    moment: Moment,
) -> Receipt:
    for _attempt in range(2):
        try:
            with transaction():
                return take_entry(raw, event=event, key=key, moment=moment, skew=skew, by_file=device is None)
        except NotTaken as fault:
            refused = fault
            break
        except sa.exc.IntegrityError as fault:
            # Its twin came at the same moment, and has been stored by now: the second look finds it.
            refused = NotTaken(AsideReason.REFUSED, why=FAULT_OF_OURS, fault=fault)
    _log_fault(refused)
    with transaction():
        return keep_aside(raw, refused, event=event, device=device, now=moment.now)

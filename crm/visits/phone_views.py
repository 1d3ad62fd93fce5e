"""Routes of phones on a visit: making one ready, taking in what it kept, and the page that opens without signal."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, jsonify, make_response, request, url_for
from wtforms.validators import InputRequired

from crm import policy
from crm.access.envelopes import LATEST_MS, milliseconds
from crm.access.guards import current_actor, public_page, requires, requires_own_key
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.visits import attendance, day_forms, phones, photos, queries
from crm.visits.models import VisitReport
from crm.visits.phone_models import VisitPhone
from crm.visits.questions import PARTS, SAFETY_WORDS
from crm.visits.staff_views import Page, Present
from crm.web import limits
from crm.web.forgery import without_form_token
from crm.web.forms import BaseForm, TextField
from crm.web.headers import POLICY
from crm.web.logs import get as log
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.uploads import accepts_upload
from crm.web.writes import writes, writes_by_itself

bp = Blueprint("visit_phone", __name__)

ENTRIES_AT_ONCE = 25
CALLS_A_MINUTE = 120
KIT_POLICY = POLICY + "; worker-src 'self'"
STANDS_IN_FOR = "/visits/"
"""Pages whose place the kept page takes while there is no signal."""
ADDRESSES_OF_FILES = re.compile(r'<(?:link|script)[^>]* (?:href|src)="(/(?:static/|brand\.css)[^"]*)"')


def _here() -> Present:
    return Present(current_actor(), now_utc(), today_in_london())


class PhoneForm(BaseForm):
    """What a script brings to make a phone ready: nobody types it."""

    signing_key = TextField("Key", [InputRequired()], longest=100)
    clock = TextField("Clock", [InputRequired()], longest=16)


@bp.post("/visits/<int:visit_id>/phone")
@requires(Permission.RECORD_VISIT)
@writes
def make_ready(visit_id: int) -> Response | tuple[Response, int]:
    """Make the phone in hand ready to say things of this visit without signal, and after the session has gone idle."""
    here = _here()
    visit, _case = queries.visit_for(here.actor, visit_id, today=here.today)
    attendance.check_may_record(visit, here.actor)
    form = PhoneForm()
    if not form.is_sent_and_right():
        return jsonify(problems=[words for field in form for words in field.errors]), 422
    clock = int(form.clock.data) if form.clock.data.isdigit() else 0
    phone, token = phones.set_up_phone(
        visit,
        signing_key=form.signing_key.data,
        skew_ms=min(clock, LATEST_MS) - milliseconds(here.now),
        actor=here.actor,
        now=here.now,
    )
    return (
        jsonify(
            visit=visit.id,
            device=phone.public_id,
            token=token,
            publicKey=phone.public_key,
            now=milliseconds(here.now),
            starts=milliseconds(visit.starts_at),
            ends=milliseconds(visit.ends_at),
            closesAt=milliseconds(phone.ends_at),
        ),
        201,
    )


@bp.post("/visit-kit/entries")
@accepts_upload(megabytes=2)
@requires_own_key("the phone’s token, which can only add to one visit; only its digest is kept")
@without_form_token("it takes no cookie: the token comes in a header that no other site can send")
@writes_by_itself("each entry has a transaction of its own: one that can’t be done holds up no other")
def take_entries() -> Response:
    """What a phone kept, oldest first. An entry is named in the answer once it is done or aside, and only then."""
    now = now_utc()
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    phone, visit, _case = phones.phone_with(token if kind == "Visit" else "", now=now)
    wait = limits.count_try("visit phone", phone.public_id, at_most=CALLS_A_MINUTE, seconds=60)
    if wait is not None:
        raise limits.TooOften("This phone has sent a great deal in a short time.", retry_after=wait)
    try:
        sent = request.get_json(silent=True)
    except RecursionError:
        sent = None
    if not isinstance(sent, dict) or not isinstance(sent.get("entries"), list):
        raise Refusal("That is not what a phone sends.", status=400)
    clock = sent.get("clock")
    skew_ms = (clock if type(clock) is int and 0 <= clock <= LATEST_MS else 0) - milliseconds(now)
    phone_id, visit_id, closes_at = phone.id, visit.id, phone.ends_at
    entries = sent["entries"][:ENTRIES_AT_ONCE]
    taken = _take_in(entries, phone_id=phone_id, skew=timedelta(milliseconds=skew_ms), now=now)
    with transaction():
        row = db.session.get_one(VisitPhone, phone_id)
        row.last_heard_at, row.skew_ms = now, skew_ms
        version = db.session.scalar(sa.select(VisitReport.version).where(VisitReport.visit_id == visit_id))
    return jsonify(
        now=milliseconds(now),
        closesAt=milliseconds(closes_at),
        report=version,
        taken=[{"id": client_id, "state": state} for client_id, state in taken],
    )


def _take_in(entries: list[Any], *, phone_id: int, skew: timedelta, now: datetime) -> list[tuple[str, str]]:
    """Each in a transaction of its own, in order. Where the database is too busy, those before it are acknowledged."""
    today = today_in_london()
    moment = phones.Moment(now=now, today=today, rulebook=policy.rulebook_on(today))
    taken: list[tuple[str, str]] = []
    for raw in entries:
        try:
            taken.append(_take_one(raw, phone_id=phone_id, skew=skew, moment=moment))
        except sa.exc.OperationalError:
            if not taken:
                raise
            break
    return taken


def _take_one(raw: Any, *, phone_id: int, skew: timedelta, moment: phones.Moment) -> tuple[str, str]:
    with transaction(write=False):
        picture = phones.picture_in(raw, phone_id=phone_id)
    taken = photos.take(picture) if picture is not None else None  # slow: between two transactions
    for _attempt in range(2):
        try:
            with transaction():
                return phones.take_entry(raw, phone_id=phone_id, skew=skew, moment=moment, taken=taken)
        except phones.NotDone as fault:
            refused = fault
            break
        except sa.exc.IntegrityError as fault:
            # Its twin came at the same moment, and is done by now: the second look finds it.
            refused = phones.NotDone("It could not be stored. It is our fault, and has been noted.", fault=fault)
    if refused.fault is not None:
        log().error("fault", endpoint=request.endpoint, method=request.method, exc_info=refused.fault)
    with transaction():
        return phones.keep_aside(raw, refused, phone_id=phone_id, skew=skew, now=moment.now)


@bp.post("/visits/<int:visit_id>/aside/<int:entry_id>")
@requires(Permission.RECORD_VISIT)
@writes
def settle_aside(visit_id: int, entry_id: int) -> Page:
    """Somebody has seen to what a phone brought and could not be done."""
    here = _here()
    visit, _case = queries.visit_for(here.actor, visit_id, today=here.today)
    phones.settle_aside(visit, entry_id, actor=here.actor, now=here.now)
    tell("Dealt with. What it said has been dropped.")
    return see_other(url_for("visits.show", visit_id=visit.id))


# --- The page that opens without signal -------------------------------------------------------------------------------


@bp.get("/visit-kit/")
@public_page
def without_signal() -> Response:
    """What an officer works with when there is no signal: the same for everybody, with nothing in it of any visit."""
    response = make_response(_shell())
    response.headers["Content-Security-Policy"] = KIT_POLICY
    return response


def _shell() -> str:
    return render(
        "visits/without_signal.html",
        parts=[part for part in PARTS if part.key != "recommendation"],
        safety_words=SAFETY_WORDS,
        more_minutes=day_forms.MORE_MINUTES,
    )


@bp.get("/visit-kit/worker.js")
@public_page
def worker() -> Response:
    """The service worker, with the list of what it keeps and a version that changes when any of it does."""
    static = Path(current_app.static_folder or "")
    page = _shell()
    itself = static / "kept" / "worker.js"
    all_of_them = {*(static / "visit").glob("*.js"), *(static / "kept").glob("*.js")}
    scripts = sorted(all_of_them - {itself, static / "visit" / "visit.js"})
    version = hashlib.sha256(page.encode())
    for path in (*scripts, itself):
        version.update(path.read_bytes())
    files = [
        "/visit-kit/",
        *ADDRESSES_OF_FILES.findall(page),
        *(url_for("static", filename=path.relative_to(static).as_posix()) for path in scripts),
    ]
    kept = json.dumps(
        {
            "name": "visit",
            "version": version.hexdigest()[:16],
            "files": list(dict.fromkeys(files)),
            "standsInFor": STANDS_IN_FOR,
        }
    )
    response = make_response(f"self.KEPT = {kept}\n{itself.read_text(encoding='utf-8')}")
    response.headers["Content-Type"] = "text/javascript; charset=utf-8"
    response.headers["Service-Worker-Allowed"] = "/visit"  # the beginning of both its scopes
    return response

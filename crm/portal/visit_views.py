"""A household's own link to its visit: times to choose from, the visit, another time, calling it off. Nobody signs in.

A GET only looks: programs that follow the links in mail change nothing. A page says nothing about the household and
nothing about an officer's diary but the times on offer: a link may be forwarded, and a mailbox shared. Which times were
on offer to a link is signed into them, so that no other time can be asked about.
"""

from __future__ import annotations

import hmac
from datetime import date, datetime
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, request, url_for

from crm import policy
from crm.access.guards import public_page
from crm.access.queries import user_with
from crm.clock import london_date, now_utc, today_in_london
from crm.db import db
from crm.delivery.wording import length
from crm.portal.visit_forms import ConfirmTimeForm, NotComingForm, OtherTimesForm
from crm.rules.refusal import Refusal
from crm.visits import choosing, offers
from crm.visits.choosing import CantChange, TimeGone, first_name
from crm.visits.models import Place
from crm.visits.offers import LinkEnded, Opened
from crm.visits.staff_forms import read_slot, slot_value
from crm.web.keyed import digest
from crm.web.limits import TooOften, count_try, limited, sender_address
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import SAFE_METHODS, writes

bp = Blueprint("our_visit", __name__)

ACTS = "visit link"
ACTS_A_WINDOW = 200
MISSES_A_WINDOW = 300
WINDOW_SECONDS = 300
NONE_SUITS = "none"
MARK_LENGTH = 20

Page = Response | str | tuple[str, int]
acts = limited(ACTS, at_most=ACTS_A_WINDOW, seconds=WINDOW_SECONDS)


@bp.get("/visit/<token>")
@public_page
def show(token: str) -> Page:
    """The visit that is booked; otherwise the times that are on offer."""
    found = _open(token)
    if found.visit is not None:
        return render("portal/visit_booked.html", **_about(found, token), **_changes(found))
    return _times_page(found, token)


@bp.get("/visit/<token>/times")
@public_page
def times(token: str) -> Page:
    """The times on offer: for a visit that is booked, those it could move to."""
    found = _open(token)
    if found.visit is not None and not choosing.may_change(found.visit, now=now_utc()):
        return see_other(url_for("our_visit.show", token=token))
    return _times_page(found, token)


@bp.route("/visit/<token>/confirm", methods=["GET", "POST"])
@public_page
@acts
@writes
def confirm(token: str) -> Page:
    """One time, looked at once more, and taken by the button."""
    found = _open(token)
    now, today = now_utc(), today_in_london()
    form = ConfirmTimeForm(at=request.args.get("at"), seen=_seen(found))
    if request.method in SAFE_METHODS and form.at.data == NONE_SUITS:
        return see_other(url_for("our_visit.other_times", token=token))
    starts_at = _read(found, form.at.data)
    if starts_at is None:
        return _times_page(found, token, complaint="Choose one of the times"), 422
    if form.is_sent_and_right():
        if form.seen.data != _seen(found):
            return _as_it_is(token)
        try:
            choosing.choose(found, starts_at=starts_at, now=now, today=today, rulebook=policy.rulebook_on(today))
        except TimeGone as gone:
            db.session.rollback()
            return _times_page(_open(token), token, gone=gone), gone.status
        except Refusal as refusal:
            raise _in_their_words(refusal) from refusal
        return see_other(url_for("our_visit.show", token=token))
    return render(
        "portal/visit_confirm.html",
        form=form,
        starts_at=starts_at,
        **{**_about(found, token), "on": london_date(starts_at)},
        **_changes(found),
    ), form.status


@bp.route("/visit/<token>/cancel", methods=["GET", "POST"])
@public_page
@acts
@writes
def cancel(token: str) -> Page:
    """Call the visit off; or, where none is booked, say that none is wanted."""
    found = _open(token)
    now, today = now_utc(), today_in_london()
    form = NotComingForm(seen=_seen(found))
    if found.visit is not None and not choosing.may_change(found.visit, now=now):
        return see_other(url_for("our_visit.show", token=token))
    if form.is_sent_and_right():
        if form.seen.data != _seen(found):
            return _as_it_is(token)
        act = choosing.call_off if found.visit is not None else choosing.say_no
        try:
            act(found, reason=form.reason.data or "", now=now, today=today, rulebook=policy.rulebook_on(today))
        except Refusal as refusal:
            raise _in_their_words(refusal) from refusal
        if found.visit is not None:
            tell("The visit is off. Everybody who would have come is told.")
        return see_other(url_for("our_visit.show", token=token))
    return render("portal/visit_cancel.html", form=form, **_about(found, token), **_changes(found)), form.status


@bp.route("/visit/<token>/other-times", methods=["GET", "POST"])
@public_page
@acts
@writes
def other_times(token: str) -> Page:
    """None of our times suits: say what would."""
    found = _open(token)
    now, today = now_utc(), today_in_london()
    form = OtherTimesForm()
    if form.is_sent_and_right():
        if form.says_nothing:
            form.days.errors = ["Choose a day or a time of day, or write what would suit you"]
        else:
            try:
                choosing.ask_for_others(
                    found, days=form.days.data or (), parts=form.parts.data or (), words=form.words.data or "",
                    now=now, today=today, rulebook=policy.rulebook_on(today),
                )  # fmt: skip
            except Refusal as refusal:
                raise _in_their_words(refusal) from refusal
            return see_other(url_for("our_visit.asked", token=token))
    return render(
        "portal/visit_other_times.html", form=form, **_about(found, token)
    ), 422 if form.days.errors else form.status


@bp.get("/visit/<token>/asked")
@public_page
def asked(token: str) -> Page:
    """We have what would suit them."""
    found, today = _open(token), today_in_london()
    if found.offer.asked_at is None:
        return see_other(url_for("our_visit.show", token=token))
    return render(
        "portal/visit_asked.html",
        ring_by=policy.rulebook_on(today).calendar.next_working_day(today),
        **_about(found, token),
    )


def _open(token: str) -> Opened:
    """What stands behind the link. Raises LinkEnded, the same for every link that opens nothing."""
    try:
        return offers.opened(token, now=now_utc())
    except LinkEnded:
        if request.method in SAFE_METHODS:
            _count_miss()
        raise


def _count_miss() -> None:
    """Whoever tries one dead link after another is slowed down. A post is counted already."""
    db.session.rollback()
    wait = count_try("visit link miss", sender_address(), at_most=MISSES_A_WINDOW, seconds=WINDOW_SECONDS)
    if wait is not None:
        raise TooOften("A lot has been tried from your connection. Wait a few minutes, or ring us.", retry_after=wait)


def _seen(found: Opened) -> str:
    """How the visit stood when a page was drawn: a button pressed on an old page must not undo what is newer."""
    visit = found.visit
    return f"{visit.id}-{visit.version}" if visit is not None else "none"


def _as_it_is(token: str) -> Response:
    tell(
        "The visit was changed while this page was open, so nothing was done. This is how it stands now.", "information"
    )
    return see_other(url_for("our_visit.show", token=token))


def _in_their_words(refusal: Refusal) -> Refusal:
    """What a household reads of a refusal: ours say who has what in their diary, and where a case stands."""
    if isinstance(refusal, CantChange | LinkEnded | TooOften):
        return refusal
    return CantChange(
        "Something about the visit changed a moment ago, so nothing was done. Open the link again to see how it stands."
    )


def _times_page(found: Opened, token: str, *, gone: TimeGone | None = None, complaint: str = "") -> str:
    now, today = now_utc(), today_in_london()
    on_offer = choosing.times_on_offer(found, from_day=_day(request.args.get("from")), now=now, today=today)
    slots = sorted({*gone.slots}) if gone is not None and gone.slots else list(on_offer.slots)
    form = ConfirmTimeForm(takes_answers=False)
    if complaint:
        form.at.errors = [complaint]
    return render(
        "portal/visit_times.html",
        form=form,
        days=[(on, list(ones)) for on, ones in groupby(slots, key=lambda slot: slot.on)],
        value_of=lambda slot: time_value(found.offer.id, slot.starts_at),
        chosen=request.values.get("at"),
        earlier=on_offer.earlier if gone is None else None,
        later=on_offer.later if gone is None else None,
        gone=gone,
        **_about(found, token),
        **_changes(found),
    )


def _about(found: Opened, token: str) -> dict[str, Any]:
    """What a page says of the visit: no name of the household, no address, no more of a name of ours than the first."""
    visit, offer = found.visit, found.offer
    officer_ids = visit.officer_ids if visit is not None else offer.officer_ids
    applicants = [p for p in found.case.household.people if p.is_applicant and p.left_household_on is None]
    return {
        "token": token,
        "offer": offer,
        "visit": visit,
        "officers": [first_name(user_with(one).name) for one in officer_ids],
        "how_long": length(visit.length_minutes if visit is not None else offer.length_minutes),
        "place": Place(visit.place if visit is not None else offer.place),
        "are_two": len(applicants) > 1,
        "on": london_date(visit.starts_at) if visit is not None else None,
    }


def _changes(found: Opened) -> dict[str, Any]:
    """Until when the visit can be changed here, and whether it still can."""
    if found.visit is None:
        return {"may_change": False, "until": None}
    return {
        "may_change": choosing.may_change(found.visit, now=now_utc()),
        "until": choosing.changes_until(found.visit),
    }


def time_value(offer_id: int, starts_at: datetime) -> str:
    """How a time travels in a form of this offer: signed, so that only what was on offer can come back."""
    value = slot_value(starts_at)
    return f"{value}.{_mark(offer_id, value)}"


def _mark(offer_id: int, value: str) -> str:
    return digest("time on offer", f"{offer_id}|{value}")[:MARK_LENGTH]


def _read(found: Opened, text: str | None) -> datetime | None:
    """The time of a choice; None where it was never on offer to this household."""
    value, _, mark = (text or "").partition(".")
    if not hmac.compare_digest(mark.encode("utf-8", "replace"), _mark(found.offer.id, value).encode()):
        return None
    return read_slot(value)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None

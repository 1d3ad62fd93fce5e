"""Who comes to an event, as staff see it: the list, checking in with one tap, and places given and taken back."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from crm.access.guards import current_actor, requires
from crm.cases.models import PersonRole
from crm.cases.open_case import NewPerson
from crm.clock import now_utc, today_in_london
from crm.events import attendance, places, queries
from crm.events.event_forms import AddGuestForm, AskedForm
from crm.events.models import SignUpSource, SignUpStatus
from crm.events.places import NewSignUp
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web import once
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("guests", __name__)


@bp.get("/events/<int:event_id>/guests")
@requires(Permission.MANAGE_EVENTS)
def index(event_id: int) -> str:
    """Everybody on the list, with one button each."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    event = queries.event_by_id(event_id)
    show = request.args.get("show", "coming")
    show = show if show in queries.GUEST_LISTS else "coming"
    find = request.args.get("find", "")[:60]
    lines, more = queries.guest_lines(event, actor, today=today, show=show, find=find, after=_after())
    return render(
        "events/guests.html",
        here="events",
        event=event,
        frame=queries.event_frame(event, now=now),
        counts_of=queries.guest_counts(event),
        lines=lines,
        show=show,
        find=find,
        is_open=places.why_no_sign_ups(event, now=now) is None,
        next_address=url_for(
            "guests.index", event_id=event.id, show=show, find=find or None, after=f"{more[1]}.{more[0]}"
        )
        if more
        else "",
        first_address=url_for("guests.index", event_id=event.id, show=show) if request.args.get("after") else "",
    )


def _after() -> tuple[str, int] | None:
    number, _, name = request.args.get("after", "").partition(".")
    return (name[:120], int(number)) if number.isascii() and number.isdigit() and len(number) < 19 else None


@bp.post("/events/<int:event_id>/guests/<int:guest_id>/check-in")
@requires(Permission.MANAGE_EVENTS)
@writes
def check_in(event_id: int, guest_id: int) -> Response:
    """They are here."""
    actor, now = current_actor(), now_utc()
    event = queries.event_by_id(event_id)
    came = attendance.check_in(event, guest_id, entry_id=_entry_id(), happened_at=now, actor=actor, now=now)
    tell(f"{came.guest.full_name} is here.")
    return _back(event_id)


@bp.post("/events/<int:event_id>/guests/<int:guest_id>/undo")
@requires(Permission.MANAGE_EVENTS)
@writes
def undo(event_id: int, guest_id: int) -> Response:
    """They are not here after all."""
    actor, now = current_actor(), now_utc()
    event = queries.event_by_id(event_id)
    came = attendance.undo(event, guest_id, entry_id=_entry_id(), happened_at=now, actor=actor, now=now)
    tell(f"{came.guest.full_name} is not checked in any more.")
    return _back(event_id)


@bp.route("/events/<int:event_id>/guests/new", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS)
@writes
def add(event_id: int) -> Response | tuple[str, int]:
    """Somebody rang and asked for a place."""
    actor, now = current_actor(), now_utc()
    event = queries.event_by_id(event_id)
    form = AddGuestForm()
    if form.is_sent_and_right():
        people = [
            NewPerson(
                given_name=form.given_name.data or "",
                family_name=form.family_name.data or None,
                email=form.email.data,
                phone=form.phone.data or None,
            )
        ]
        if form.second_given_name.data:
            people.append(
                NewPerson(
                    given_name=form.second_given_name.data,
                    family_name=form.second_family_name.data or None,
                    role=PersonRole.APPLICANT_2,
                )
            )
        try:
            row = places.sign_up(
                event,
                NewSignUp(people=people, needs=form.needs.data or None),
                actor=actor,
                now=now,
                source=SignUpSource.STAFF,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            stands = "has a place" if row.status == SignUpStatus.CONFIRMED else "is on the waiting list"
            tell(f"{form.given_name.data} {stands}. The confirmation is on its way by email.")
            return see_other(url_for("guests.index", event_id=event.id))
    return render(
        "events/add_guest.html",
        here="events",
        event=event,
        frame=queries.event_frame(event, now=now),
        form=form,
        closed=places.why_no_sign_ups(event, now=now),
    ), form.status


@bp.post("/events/<int:event_id>/sign-ups/<int:sign_up_id>/cancel")
@requires(Permission.MANAGE_EVENTS)
@writes
def cancel(event_id: int, sign_up_id: int) -> Response:
    """Somebody rang to say that they can't come."""
    actor, now = current_actor(), now_utc()
    event = queries.event_by_id(event_id)
    row = queries.sign_up_of(event, sign_up_id)
    places.cancel_sign_up(row, actor=actor, now=now)
    tell(f"{row.guests[0].full_name} is off the list and has been told. Whoever waited longest has moved up.")
    return _back(event_id)


@bp.post("/events/<int:event_id>/sign-ups/<int:sign_up_id>/link")
@requires(Permission.MANAGE_EVENTS)
@writes
def renew_link(event_id: int, sign_up_id: int) -> Response:
    """A new link for somebody whose old one is lost, or got into wrong hands."""
    actor, now = current_actor(), now_utc()
    event = queries.event_by_id(event_id)
    row = queries.sign_up_of(event, sign_up_id)
    places.renew_link(row, actor=actor, now=now)
    tell(f"{row.guests[0].full_name} has been sent a new link. The old one no longer works.")
    return _back(event_id)


@bp.route("/events/<int:event_id>/sign-ups/<int:sign_up_id>", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS)
@writes
def asked(event_id: int, sign_up_id: int) -> Response | tuple[str, int]:
    """What somebody on the list asked, heard at the door."""
    actor, now = current_actor(), now_utc()
    event = queries.event_by_id(event_id)
    row = queries.sign_up_of(event, sign_up_id)
    form = AskedForm(interest=row.interest, wants_call=row.wants_call, question=row.question)
    if form.is_sent_and_right():
        try:
            attendance.note_asked(
                row,
                interest=form.interest.data or None,
                wants_call=form.wants_call.data,
                question=form.question.data or None,
                actor=actor,
                now=now,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"Kept for {row.guests[0].full_name}.")
            return see_other(url_for("guests.index", event_id=event.id))
    return render(
        "events/asked.html",
        here="events",
        event=event,
        frame=queries.event_frame(event, now=now),
        row=row,
        form=form,
    ), form.status


def _entry_id() -> str:
    return f"web:{once.sent_id() or once.new_id()}"[:64]


def _back(event_id: int) -> Response:
    show = request.form.get("show", "")
    find = request.form.get("find", "")[:60]
    return see_other(
        url_for(
            "guests.index",
            event_id=event_id,
            show=show if show in queries.GUEST_LISTS else None,
            find=find or None,
        )
    )

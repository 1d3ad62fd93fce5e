"""Publishing an event, calling it off, copying it, and what is printed for it."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from crm import policy
from crm.access.guards import current_actor, requires
from crm.clock import london_date, now_utc, today_in_london
from crm.delivery.post_room import post_room
from crm.events import publishing, queries, telling
from crm.events.event_forms import CancelForm, CopyForm
from crm.events.models import RecruitmentEvent
from crm.events.posters import qr_path
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web.filters import day, many
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("publishing", __name__)


@bp.post("/events/<int:event_id>/publish")
@requires(Permission.MANAGE_EVENTS)
@writes
def publish(event_id: int) -> Response:
    """Show it to the public."""
    event = queries.event_by_id(event_id)
    publishing.publish(event, actor=current_actor(), now=now_utc())
    tell(f"{event.name} is published. Print the poster, or pass on its address.")
    return see_other(url_for("events.show", event_id=event.id))


@bp.route("/events/<int:event_id>/cancel", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS)
@writes
def cancel(event_id: int) -> Response | tuple[str, int]:
    """Call it off, once it is clear whom that reaches."""
    now = now_utc()
    event = queries.event_by_id(event_id)
    form = CancelForm()
    if form.is_sent_and_right():
        try:
            told = publishing.cancel(event, why=form.why.data or None, actor=current_actor(), now=now)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(
                f"{event.name} is off. {many(told, 'person has', 'people have')} been told, and whoever was on duty."
                if told
                else f"{event.name} is off. Nobody had signed up."
            )
            return see_other(url_for("events.show", event_id=event.id))
    return render(
        "events/cancel.html", here="events", event=event, frame=queries.event_frame(event, now=now), form=form
    ), form.status


@bp.route("/events/<int:event_id>/copy", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS)
@writes
def copy(event_id: int) -> Response | tuple[str, int]:
    """The same again on another date."""
    now = now_utc()
    event = queries.event_by_id(event_id)
    form = CopyForm()
    if form.is_sent_and_right():
        try:
            made = publishing.copy_event(event, on=form.on.data, actor=current_actor(), now=now)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{made.name} on {day(made.starts_at)} is a draft. Look it over, then publish it.")
            return see_other(url_for("events.show", event_id=made.id))
    return render(
        "events/copy.html", here="events", event=event, frame=queries.event_frame(event, now=now), form=form
    ), form.status


@bp.get("/events/<int:event_id>/poster")
@requires(Permission.MANAGE_EVENTS)
def poster(event_id: int) -> str:
    """A poster to print, A4 or A3, with the short address as a code to scan."""
    event = queries.event_by_id(event_id)
    address = short_address(event)
    return render(
        "events/poster.html",
        event=event,
        where=telling.where(event),
        address=address.partition("://")[2],
        code=qr_path(address),
        is_a3=request.args.get("size") == "a3",
    )


@bp.get("/events/<int:event_id>/sign-in-sheet")
@requires(Permission.MANAGE_EVENTS)
def sign_in_sheet(event_id: int) -> str:
    """The paper for when every battery is flat: names to tick off, lines to write on, and when to destroy it."""
    event = queries.event_by_id(event_id)
    rulebook = policy.rulebook_on(today_in_london())
    address = short_address(event)
    return render(
        "events/sign_in_sheet.html",
        event=event,
        where=telling.where(event),
        names=queries.names_for_sheet(event),
        code=qr_path(address),
        ring_by=rulebook.respond_by("event", event.starts_at),
        # Paper from an event is typed up and destroyed within one working day (domain: recruitment events).
        destroy_by=rulebook.calendar.next_working_day(london_date(event.starts_at)),
    )


def short_address(event: RecruitmentEvent) -> str:
    """The address on a poster, whole."""
    return f"{post_room().base_url.rstrip('/')}/e/{event.code}"

"""Events: the list, one event, the stall."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request, url_for

from crm import policy
from crm.access.guards import current_actor, requires
from crm.cases.brought import OUTCOME_WORDS, TOUCH_WORDS
from crm.cases.models import PersonRole
from crm.cases.open_case import NewConsent, NewPerson
from crm.clock import LONDON, london, now_utc, today_in_london
from crm.events import after, brought, costing, planning, queries, sheet_queries
from crm.events.attendance import walk_in
from crm.events.door import received_at
from crm.events.event_forms import EnquirerForm, EventForm
from crm.events.models import KIND_WORDS, EventKind, RecruitmentEvent
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.rules.stages import PLACE
from crm.web.filters import day, many
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("events", __name__)

NEWS_CHANNELS = ("email", "text", "phone")


# --- The list and one event -------------------------------------------------------------------------------------------


@bp.get("/events/all")
@requires(Permission.MANAGE_EVENTS)
def index() -> str:
    now = now_utc()
    past = request.args.get("show") == "past"
    lines, more = queries.event_lines(now=now, upcoming=not past, after=_after_moment())
    after = f"{more[0].isoformat()}~{more[1]}" if more else None
    return render(
        "events/index.html",
        here="events",
        lines=lines,
        past=past,
        kind_words=KIND_WORDS,
        next_address=url_for("events.index", after=after, show="past" if past else None) if after else "",
        first_address=url_for("events.index", show="past" if past else None) if request.args.get("after") else "",
    )


def _after_moment() -> tuple[datetime, int] | None:
    moment, _, number = request.args.get("after", "").partition("~")
    try:
        at = datetime.fromisoformat(moment)
        return (at, int(number)) if at.tzinfo is not None and len(number) < 19 else None
    except ValueError:
        return None


@bp.route("/events/new", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS)
@writes
def new() -> Response | tuple[str, int]:
    actor, now = current_actor(), now_utc()
    form = EventForm(staff=[actor.user_id])
    form.staff.choices = queries.staff_to_choose()
    form.part_of.choices = queries.campaigns_to_choose()
    if form.is_sent_and_right():
        try:
            event = planning.create_event(**_answers(form), cost_pence=form.cost_pence, actor=actor, now=now)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(
                f"{event.name} is kept. It is over: load its sign-up sheet, or log whoever came."
                if event.ends_at <= now
                else f"{event.name} is a draft. Publish it when it is ready to be seen."
            )
            return see_other(url_for("events.show", event_id=event.id))
    return render("events/edit.html", here="events", form=form, event=None), form.status


@bp.route("/events/<int:event_id>/edit", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS)
@writes
def edit(event_id: int) -> Response | tuple[str, int]:
    actor, now = current_actor(), now_utc()
    event = queries.event_by_id(event_id)
    starts, ends = london(event.starts_at), london(event.ends_at)
    form = EventForm(
        name=event.name,
        kind=event.kind,
        on=starts.date(),
        starts=starts.time(),
        ends=ends.time(),
        summary=event.summary,
        place=event.place,
        town=event.town,
        postcode=event.postcode,
        link=event.link,
        meet=event.meet,
        getting_in=event.getting_in,
        takes_sign_ups="yes" if event.takes_sign_ups else "no",
        capacity=event.capacity,
        part_of=event.part_of_id or 0,
        staff=[row.user_id for row in event.staff],
        materials=event.materials,
        notes=event.notes,
    )
    form.staff.choices = queries.staff_to_choose(row.user_id for row in event.staff)
    form.part_of.choices = queries.campaigns_to_choose()
    if form.is_sent_and_right():
        try:
            changed = planning.change_event(event, **_answers(form), actor=actor, now=now)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(_what_changed(event, changed))
            return see_other(url_for("events.show", event_id=event.id))
    return render("events/edit.html", here="events", form=form, event=event), form.status


def _what_changed(event: RecruitmentEvent, changed: planning.Changed) -> str:
    said = f"{event.name} is changed."
    if changed.told:
        said += f" {many(changed.told, 'person has', 'people have')} been sent the change."
    if changed.moved_up:
        said += f" {many(changed.moved_up, 'sign-up')} moved up from the waiting list."
    return said


def _answers(form: Any) -> dict[str, Any]:
    on = form.on.data
    return {
        "name": form.name.data,
        "kind": EventKind(form.kind.data),
        "starts_at": datetime.combine(on, form.starts.data, LONDON),
        "ends_at": datetime.combine(on, form.ends.data, LONDON),
        "summary": form.summary.data or None,
        "place": form.place.data or None,
        "town": form.town.data or None,
        "postcode": form.postcode.data or None,
        "link": form.link.data or None,
        "meet": form.meet.data or None,
        "getting_in": form.getting_in.data or None,
        "takes_sign_ups": {"yes": True, "no": False}.get(form.takes_sign_ups.data or ""),
        "capacity": form.capacity.data,
        "part_of_id": form.part_of.data or None,
        "staff_ids": form.staff.data or (),
        "materials": form.materials.data or None,
        "notes": form.notes.data or None,
    }


@bp.get("/events/<int:event_id>")
@requires(Permission.MANAGE_EVENTS)
def show(event_id: int) -> str:
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    event = queries.event_by_id(event_id)
    chosen = request.args.get("show", "all")
    chosen = chosen if chosen in queries.FOLLOW_UPS else "all"
    figures = queries.event_figures(event)
    lines, more = queries.follow_up(event, actor, today=today, show=chosen, after=_after_line())
    called_by = rulebook.respond_by("event", event.starts_at)
    next_page = f"{more[0]}.{more[1]}" if more else None
    return render(
        "events/show.html",
        here="events",
        event=event,
        frame=queries.event_frame(event, now=now),
        figures=figures,
        lines=lines,
        readings={
            line.case_id: rulebook.say_due("first_contact", line.due_on, today=today) for line in lines if line.due_on
        },
        called_by=called_by,
        call_reading=rulebook.say_due("first_contact", called_by, today=today),
        call_rule=rulebook.response_promise("event"),
        place_words={name: place.label for name, place in PLACE.items()},
        show=chosen,
        next_address=url_for("events.show", event_id=event.id, show=chosen, after=next_page) if next_page else "",
        first_address=url_for("events.show", event_id=event.id, show=chosen) if request.args.get("after") else "",
        has_begun=event.starts_at <= now,
        brought=brought.brought_by_event(event),
        touch_words=TOUCH_WORDS,
        outcome_words=OUTCOME_WORDS,
        costed=brought.COSTED,
        staff_pounds=costing.staff_pence(event) / 100,
        staff_minutes=costing.staff_minutes(event),
        checklist=after.checklist(event),
        follow_up_due=after.follow_up_due(event, rulebook),
        sheet=sheet_queries.latest_upload(event),
    )


def _after_line() -> tuple[int, int] | None:
    rank, _, number = request.args.get("after", "").partition(".")
    if rank in ("0", "1") and number.isascii() and number.isdigit() and len(number) < 19:
        return int(rank), int(number)
    return None


# --- At the stall -----------------------------------------------------------------------------------------------------


@bp.route("/events/<int:event_id>/log", methods=["GET", "POST"], endpoint="log_enquirer")
@requires(Permission.MANAGE_EVENTS, Permission.LOG_ENQUIRY)
@writes
def log_somebody(event_id: int) -> Response | tuple[str, int]:
    """One person after another, on a phone, with a queue waiting."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    event = queries.event_by_id(event_id)
    form = EnquirerForm()
    form.news.choices = [(channel, policy.wording(f"consent.{channel}", today).text) for channel in NEWS_CHANNELS]
    if form.is_sent_and_right():
        try:
            came = walk_in(
                event,
                entry_id=f"web:{form.one_time_id.data}"[:64],
                people=_people(form, today=today),
                happened_at=received_at(event, now=now),
                actor=actor,
                now=now,
                today=today,
                rulebook=rulebook,
                postcode=form.postcode.data or None,
                interest=form.interest.data or None,
                said=form.note.data or None,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(_what_happened(form, came.logged, event))
            if request.form.get("done"):
                return see_other(url_for("events.show", event_id=event.id))
            return see_other(url_for("events.log_enquirer", event_id=event.id))
    ring_by = rulebook.respond_by("event", received_at(event, now=now))
    return render(
        "events/log_enquirer.html",
        here="events",
        event=event,
        form=form,
        ring_by=ring_by,
        named=queries.event_figures(event).names_left,
    ), form.status


def _people(form: Any, *, today: Any) -> list[NewPerson]:
    times = dict(form.contact_times.choices).get(form.contact_times.data or "")
    consents = tuple(
        NewConsent(channel, True, policy.wording(f"consent.{channel}", today).version)
        for channel in form.news.data or ()
    )
    people = [
        NewPerson(
            given_name=form.given_name.data,
            family_name=form.family_name.data or None,
            phone=form.phone,
            email=form.email,
            contact_times=times,
            no_voicemail=form.no_voicemail.data,
            consents=consents,
            facts={"privacy_notice": f"Version {policy.wording('privacy_notice', today).version}, said aloud"},
        )
    ]
    if form.who.data == "couple" and form.partner.data:
        given, _, family = form.partner.data.partition(" ")
        people.append(
            NewPerson(
                given_name=given,
                family_name=family or form.family_name.data or None,
                role=PersonRole.APPLICANT_2,
                no_voicemail=form.no_voicemail.data,
            )
        )
    return people


def _what_happened(form: Any, logged: Any, event: RecruitmentEvent) -> str:
    name = form.given_name.data
    if not logged.joined:
        due = logged.case.next_action_due_on
        return f"{name} is saved as {logged.case.reference}." + (f" Ring by {day(due)}." if due else "")
    if logged.may_be_opened:
        return f"{name} is saved with {logged.case.household.name}, {logged.case.reference}: the same phone or email."
    return f"{name} is saved. We know that phone or email already, and whoever has their case will see this."

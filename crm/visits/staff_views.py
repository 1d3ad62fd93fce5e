"""Screens of visits for staff: the week, booking, the visit itself, writing it up, signing it off, one's own hours."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, current_app, g, make_response, request, url_for

from crm import policy
from crm.access.guards import current_actor, requires
from crm.access.leave import note_leave
from crm.access.models import User
from crm.access.queries import names_of, user_with
from crm.calendars import feeds
from crm.cases.models import Case
from crm.cases.queries import CaseHead, case_for, case_head, is_on_case
from crm.clock import LONDON, london, now_utc, today_in_london
from crm.db import db, end_read
from crm.policy.profile import VisitType
from crm.rules.permissions import Actor, Permission, Role
from crm.rules.quiet_times import say_quiet
from crm.rules.refusal import Refusal
from crm.rules.stages import TrackName
from crm.rules.travel import TravelBy
from crm.visits import (
    afterwards,
    answers,
    attendance,
    booking,
    choosing,
    from_calendar,
    holds,
    hours,
    offers,
    phones,
    photos,
    queries,
    report,
    sign_off,
)
from crm.visits import staff_forms as forms
from crm.visits.availability import LENGTHS, Slot, Wanted, read_diaries, wanted_by
from crm.visits.calendar_views import calendar_page
from crm.visits.models import (
    PLACE_WORDS,
    PURPOSE_WORDS,
    STATUS_WORDS,
    BusyKind,
    Outcome,
    Place,
    Purpose,
    Visit,
    VisitStatus,
)
from crm.visits.questions import LAST_PART, PART, PARTS, SAFETY_WORDS, Part, SafetyState
from crm.web.filters import clock_time, day, day_short, length, names
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.uploads import accepts_upload
from crm.web.writes import writes

bp = Blueprint("visits", __name__)

VISITS = (Permission.BOOK_VISIT, Permission.RECORD_VISIT)
CHECKS_OUT_WITHIN = timedelta(hours=1)
"""After the end of a visit: until then its page leads to checking out, and later to what happened."""
STILL_STANDS = "none"
WEEK_DAYS = 6
HOURS_SHOWN = range(8, 21)
"""Of a day, in the week of one officer; what is outside of them stands at the edge."""
SLOT_DAYS = 7
OFFERS_SHOWN = 3
STATE_OF = {
    VisitStatus.BOOKED: "waiting",
    VisitStatus.DONE: "ok",
    VisitStatus.NO_ACCESS: "closed",
    VisitStatus.CANCELLED: "closed",
    VisitStatus.ABANDONED_SAFETY: "over",
}
Page = Response | str | tuple[str, int]


@dataclass(frozen=True)
class Present:
    """Who asks, and when: what every operation is given."""

    actor: Actor
    now: datetime
    today: date

    @property
    def given(self) -> dict[str, Any]:
        return {
            "actor": self.actor,
            "now": self.now,
            "today": self.today,
            "rulebook": policy.rulebook_on(self.today),
        }

    def head(self, case: Case) -> CaseHead:
        return case_head(case, today=self.today, rulebook=policy.rulebook_on(self.today))


def _present() -> Present:
    return Present(current_actor(), now_utc(), today_in_london())


# --- The week ---------------------------------------------------------------------------------------------------------


@bp.get("/visits")
@requires(any_of=VISITS)
def week() -> Page:
    """Officers as rows, days as columns. ``?case=`` keeps a household in hand, so that a free time books for it."""
    here = _present()
    asked = _day_of(request.args.get("day")) or _day_of(request.args.get("week"))
    # On a Sunday the week that matters is the one that begins tomorrow.
    chosen = asked or here.today + timedelta(days=here.today.weekday() == WEEK_DAYS)
    first_day = chosen - timedelta(days=chosen.weekday())
    if "day" not in request.args and first_day <= here.today < first_day + timedelta(days=WEEK_DAYS):
        chosen = here.today
    last_day = first_day + timedelta(days=WEEK_DAYS - 1)
    if chosen > last_day:
        chosen = last_day
    officers = queries.visiting_officers()
    only_mine = request.args.get("who") == "me" and any(user.id == here.actor.user_id for user in officers)
    by_hour = _officer_by_hour(officers, here) if request.args.get("view") == "hours" else None
    household = _household_in_hand(here)
    minutes = _length_of(request.args.get("length"))
    rows = queries.week_of(
        here.actor,
        officers=[by_hour] if by_hour else [one for one in officers if not only_mine or one.id == here.actor.user_id],
        first_day=first_day,
        days=WEEK_DAYS,
        wanted=wanted_by(household, length_minutes=minutes) if household else Wanted(length_minutes=minutes),
        now=here.now,
        today=here.today,
    )
    kept = {
        name: value
        for name, value in (
            ("case", household.reference if household else None),
            ("who", "me" if only_mine else None),
            ("length", request.args.get("length")),
            ("view", "hours" if by_hour else None),
            ("officer", by_hour.id if by_hour else None),
        )
        if value
    }
    return render(
        "visits/week.html",
        here="visits",
        rows=rows,
        days=[first_day + timedelta(days=n) for n in range(WEEK_DAYS)],
        chosen=chosen,
        today=here.today,
        title=_week_words(first_day, last_day),
        earlier=url_for("visits.week", week=first_day - timedelta(days=7), **kept),
        later=url_for("visits.week", week=first_day + timedelta(days=7), **kept),
        this_week=url_for("visits.week", **kept),
        kept=kept,
        household=household,
        only_mine=only_mine,
        makes_visits=any(user.id == here.actor.user_id for user in officers),
        visits=sum(row.visits for row in rows),
        clashes=[(row.name, one.on) for row in rows for one in row.days for block in one.blocks if block.is_clash],
        to_settle=from_calendar.to_settle(here.actor, today=here.today),
        to_record=queries.visits_to_record(here.actor.user_id or 0, now=here.now),
        to_write=queries.reports_to_write(here.actor.user_id or 0),
        to_sign=queries.reports_to_sign_off(here.actor),
        missed_twice=queries.close_list(here.actor, today=here.today)
        if here.actor.has(Permission.SIGN_OFF_VISIT)
        else [],
        statuses=STATUS_WORDS,
        state_of=STATE_OF,
        slot_value=forms.slot_value,
        officers=officers,
        by_hour=by_hour,
        hours=HOURS_SHOWN,
        quarters=_quarters,
    )


def _officer_by_hour(officers: list[User], here: Present) -> User | None:
    """Whose week is shown by the hour: whom the address names, else one's own, else the first there is."""
    able = {user.id: user for user in officers}
    asked = able.get(request.args.get("officer", type=int) or 0)
    return asked or able.get(here.actor.user_id or 0) or next(iter(officers), None)


def _quarters(block: queries.Block) -> tuple[int, int]:
    """On which quarter of an hour of the hours shown a block begins, and how many it takes."""
    begin, end = (london(at) for at in (block.starts_at, block.ends_at))
    whole = (HOURS_SHOWN[-1] + 1 - HOURS_SHOWN[0]) * 4
    first = (begin.hour - HOURS_SHOWN[0]) * 4 + begin.minute // 15
    last = (end.hour - HOURS_SHOWN[0]) * 4 + -(-end.minute // 15) if end.date() == begin.date() else whole
    first = min(max(first, 0), whole - 1)
    return first, min(max(last, first + 1), whole) - first


@bp.get("/visits/new")
@requires(Permission.BOOK_VISIT)
def choose_household() -> Page:
    """A free time was chosen in the week: for whom?"""
    here = _present()
    at = forms.read_slot(request.args.get("at"))
    officer_id = request.args.get("officer", type=int)
    known = names_of([officer_id]) if officer_id else {}
    carried = {"at": request.args.get("at"), "officer": officer_id} if at and known else {}
    return render(
        "visits/choose_household.html",
        here="visits",
        at=at if carried else None,
        officer=known.get(officer_id or 0),
        carried=carried,
        waiting=queries.households_waiting(here.actor, today=here.today),
    )


# --- Booking ----------------------------------------------------------------------------------------------------------


@bp.route("/cases/<reference>/visits/new", methods=["GET", "POST"])
@requires(Permission.BOOK_VISIT)
@writes
def book(reference: str) -> Page:
    here = _present()
    case = case_for(here.actor, reference, today=here.today)
    kinds = fitting_kinds(case)
    number = request.args.get("kind", type=int) or 0
    kind = kinds[number - 1] if 0 < number <= len(kinds) else None
    form = forms.BookVisitForm(seen=str(case.version))
    _offerlengths(form)
    form.officers.choices = [(user.id, user.name) for user in queries.visiting_officers()]
    if not form.is_sent:
        form.purpose.choices = fitting_purposes(case)
        _prefill(form, here, usual=[here.actor.user_id, case.owner_id], kind=kind)
        form.purpose.data = kind.purpose if kind else likely_purpose(case)
        form.place.data = kind.place if kind else Place.HOME
    status = None
    if form.is_sent_and_right():
        try:
            if request.form.get("do") == "hold":
                return _hold(form, case, here)
            visit = booking.book_visit(
                case,
                purpose=Purpose(form.purpose.data),
                place=Place(form.place.data),
                starts_at=form.chosen_start,
                length_minutes=form.length.data,
                officer_ids=form.officers.data,
                seen=_seen(form),
                note=form.note.data,
                **here.given,
            )
        except Refusal as refusal:
            case = _start_again(form, refusal, here, reference)
            status = refusal.status
        else:
            tell(f"Visit booked for {day(visit.starts_at)}, {clock_time(visit.starts_at)}. {_who_hears(case)}")
            return see_other(url_for("visits.show", visit_id=visit.id))
    return (
        render(
            "visits/book.html",
            here="visits",
            head=here.head(case),
            case=case,
            form=form,
            types=kinds,
            chosen_type=number if kind else None,
            hold_hours=policy.service().hold_hours,
            **_times(form, here, case, place=form.place.data),
        ),
        status or form.status,
    )


def _hold(form: forms.BookVisitForm, case: Case, here: Present) -> Page:
    held = holds.hold_slot(
        case,
        purpose=Purpose(form.purpose.data),
        place=Place(form.place.data),
        starts_at=form.chosen_start,
        length_minutes=form.length.data,
        officer_ids=form.officers.data,
        seen=_seen(form),
        **here.given,
    )
    tell(f"{day(held.starts_at)}, {clock_time(held.starts_at)} is held for them until {holds.say_end(held)}.")
    return see_other(url_for("visits.case_visits", reference=case.reference))


@bp.route("/visits/<int:visit_id>/move", methods=["GET", "POST"])
@requires(Permission.BOOK_VISIT)
@writes
def move_visit(visit_id: int) -> Page:
    here = _present()
    visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
    _refuse_when_over(visit)
    form = forms.MoveVisitForm(seen=str(visit.version))
    _offerlengths(form, visit.length_minutes)
    form.officers.choices = [(user.id, user.name) for user in queries.visiting_officers()]
    if not form.is_sent:
        form.length.data = visit.length_minutes
        _prefill(form, here, usual=list(visit.officer_ids), many=True)
    status = None
    if form.is_sent_and_right():
        try:
            booking.move_visit(
                visit,
                case,
                starts_at=form.chosen_start,
                length_minutes=form.length.data,
                officer_ids=form.officers.data,
                seen=_seen(form),
                reason=form.reason.data or None,
                **here.given,
            )
        except Refusal as refusal:
            case = _start_again(form, refusal, here, case.reference)
            status = refusal.status
            visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
        else:
            tell(
                f"Visit moved to {day(visit.starts_at)}, {clock_time(visit.starts_at)}. "
                f"{_given_names(case)} will be sent the change."
            )
            return see_other(url_for("visits.show", visit_id=visit.id))
    return (
        render(
            "visits/move_visit.html",
            here="visits",
            head=here.head(case),
            visit=visit,
            form=form,
            officers=booking.officer_names(visit.officer_ids),
            **_times(form, here, case, place=visit.place, but_for_visit=visit.id),
        ),
        status or form.status,
    )


@bp.route("/visits/<int:visit_id>/cancel", methods=["GET", "POST"])
@requires(Permission.BOOK_VISIT)
@writes
def cancel(visit_id: int) -> Page:
    here = _present()
    visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
    _refuse_when_over(visit)
    form = forms.CancelVisitForm(seen=str(visit.version))
    status = None
    if form.is_sent_and_right():
        try:
            booking.cancel_visit(
                visit,
                case,
                reason=form.reason.data,
                reason_for_household=form.reason_for_household.data or None,
                seen=_seen(form),
                **here.given,
            )
        except Refusal as refusal:
            _start_again(form, refusal, here, case.reference)
            status = refusal.status
            visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
            _refuse_when_over(visit)
        else:
            tell(
                f"The visit of {day(visit.starts_at)} is off. {_given_names(case)} will be told. "
                f"{case.next_action or ''}".strip()
            )
            return see_other(url_for("visits.case_visits", reference=case.reference))
    return (
        render(
            "visits/cancel.html",
            here="visits",
            head=here.head(case),
            visit=visit,
            form=form,
            people=_given_names(case),
            officers=booking.officer_names(visit.officer_ids),
        ),
        status or form.status,
    )


@bp.route("/cases/<reference>/visits/made", methods=["GET", "POST"])
@requires(Permission.RECORD_VISIT)
@writes
def record_past_visit(reference: str) -> Page:
    """Write down a visit that was made without being booked, then go straight on to its report."""
    here = _present()
    case = case_for(here.actor, reference, today=here.today)
    form = forms.PastVisitForm(seen=str(case.version))
    form.officers.choices = [(user.id, user.name) for user in queries.visiting_officers()]
    booked = {str(visit.id): visit for visit in queries.booked_visits(case)}
    form.instead_of.choices = [
        (STILL_STANDS, "It still stands" if len(booked) == 1 else "They still stand"),
        *(
            (number, f"This was instead of {booking.say_slot(visit)}: call that off")
            for number, visit in booked.items()
        ),
    ]
    if not booked:
        del form.instead_of
    if not form.is_sent:
        # An officer records their own visits alone; for a manager, who writes down anybody's, nobody is chosen.
        goes = Role.OFFICER in here.actor.roles and Role.MANAGER not in here.actor.roles
        form.officers.data = [here.actor.user_id] if goes else []
        form.purpose.data = likely_purpose(case)
    status = None
    if form.is_sent_and_right():
        try:
            visit = afterwards.record_past_visit(
                case,
                purpose=Purpose(form.purpose.data),
                place=Place(form.place.data),
                starts_at=datetime.combine(form.held_on.data, form.held_from.data, tzinfo=LONDON),
                ends_at=datetime.combine(form.held_on.data, form.held_until.data, tzinfo=LONDON),
                officer_ids=form.officers.data,
                who_was_there=form.present.data,
                instead_of=booked.get(form.instead_of.data) if booked else None,
                seen=_seen(form),
                **here.given,
            )
        except Refusal as refusal:
            case = _start_again(form, refusal, here, reference)
            status = refusal.status
        else:
            if attendance.may_record(visit, here.actor) and here.actor.user_id in visit.officer_ids:
                tell("The visit is kept. Write it up now, or come back to it.")
                return see_other(url_for("visits.record_report", visit_id=visit.id, part=1))
            tell(f"The visit is kept. {names(booking.officer_names(visit.officer_ids))} will write it up.")
            return see_other(url_for("visits.show", visit_id=visit.id))
    form.purpose.choices = fitting_purposes(case)
    return (
        render(
            "visits/record_past_visit.html",
            here="visits",
            head=here.head(case),
            case=case,
            form=form,
            people=[person.full_name for person in case.household.people if person.left_household_on is None],
        ),
        status or form.status,
    )


# --- One visit --------------------------------------------------------------------------------------------------------


@bp.get("/visits/<int:visit_id>")
@requires(any_of=VISITS)
@records_view("visit")
@writes
def show(visit_id: int) -> Page:
    here = _present()
    visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
    saw(case_id=case.id, subject=f"visit:{visit.id}")
    written = visit.report
    return render(
        "visits/show.html",
        here="visits",
        head=here.head(case),
        case=case,
        visit=visit,
        officers=booking.officer_names(visit.officer_ids),
        people=[person for person in case.household.people if person.left_household_on is None],
        letters=queries.letters_about(visit),
        guests=answers.guests_of(visit),
        now=here.now,
        booked_by=names_of([visit.booked_by_id]).get(visit.booked_by_id or 0),
        may_record=attendance.may_record(visit, here.actor),
        has_begun=here.now >= visit.starts_at - attendance.EARLY,
        is_past=here.now >= visit.ends_at + CHECKS_OUT_WITHIN,
        report=written,
        reads_report=_reads_report(here, case, visit),
        may_sign=written is not None
        and written.submitted_at is not None
        and written.signed_off_at is None
        and here.actor.has(Permission.SIGN_OFF_VISIT)
        and written.written_by_id != here.actor.user_id,
        signed_by=names_of([written.signed_off_by_id]).get(written.signed_off_by_id or 0) if written else None,
        parts_done=sum(report.is_part_done(written, part.number) for part in PARTS),
        parts=len(PARTS),
        own_link=offers.offer_shown_of(visit, now=here.now),
        changes_until=choosing.changes_until(visit),
        may_change=choosing.may_change(visit, now=here.now),
        aside=phones.aside_of(visit) if attendance.may_record(visit, here.actor) else [],
        **_words(),
    )


@bp.get("/cases/<reference>/visits")
@requires(any_of=VISITS)
def case_visits(reference: str) -> Page:
    here = _present()
    case = case_for(here.actor, reference, today=here.today)
    visits = queries.visits_of(case)
    held = holds.holds_of(case, now=here.now)
    officers = names_of({one for visit in [*visits, *held] for one in visit.officer_ids})
    return render(
        "visits/case_visits.html",
        here="visits",
        head=here.head(case),
        case=case,
        coming=[visit for visit in reversed(visits) if visit.is_booked],
        past=[visit for visit in visits if not visit.is_booked],
        held=held,
        officers=officers,
        now=here.now,
        may_book=here.actor.has(Permission.BOOK_VISIT) and case.is_open,
        may_record_past=here.actor.has(Permission.RECORD_VISIT) and case.is_open,
        missed=queries.missed_visits(case),
        asked=offers.offers_of(case, now=here.now)[:OFFERS_SHOWN],
        **_words(),
    )


@bp.route("/visits/<int:visit_id>/no-access", methods=["GET", "POST"])
@requires(Permission.RECORD_VISIT)
@writes
def no_access(visit_id: int) -> Page:
    here = _present()
    visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
    attendance.check_may_record(visit, here.actor)
    _refuse_when_over(visit)
    form = forms.NoAccessForm(seen=str(visit.version))
    status = None
    if form.is_sent_and_right():
        try:
            if form.what.data == "unsafe":
                attendance.record_abandoned(visit, case, note=form.note.data, seen=_seen(form), **here.given)
                said = (
                    "Kept. The owner of the case has been told. If you need help now, ring 999 and then your manager."
                )
            else:
                attendance.record_no_access(
                    visit,
                    case,
                    note=form.note.data,
                    seen=_seen(form),
                    write_to_household=form.write.data,
                    was_refused=form.what.data == "refused",
                    **here.given,
                )
                what = "you were not let in" if form.what.data == "refused" else "nobody was in"
                said = f"Kept that {what}. {_next_words(case)}"
        except Refusal as refusal:
            _start_again(form, refusal, here, case.reference)
            status = refusal.status
            visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
        else:
            tell(said)
            return see_other(url_for("visits.case_visits", reference=case.reference))
    return (
        render(
            "visits/no_access.html",
            here="visits",
            head=here.head(case),
            visit=visit,
            form=form,
            missed=queries.missed_visits(case),
        ),
        status or form.status,
    )


# --- The report -------------------------------------------------------------------------------------------------------


def takes_photos(view: Callable[..., Any]) -> Callable[..., Any]:
    """Draw the photos of a form anew before its transaction begins: that is slow, and would keep all others waiting."""

    @functools.wraps(view)
    def inside(**given: Any) -> Any:
        g.photos_taken = {}
        if request.method == "POST":
            end_read()
            boxes = (request.files.get(f"{item.key}_photo") for part in PARTS for item in part.items)
            handed_in = {str(box.name): box.read() for box in boxes if box is not None and box.filename}
            g.photos_taken = photos.take_each(handed_in)
        return view(**given)

    return inside


@bp.route("/visits/<int:visit_id>/report", methods=["GET", "POST"])
@requires(Permission.RECORD_VISIT)
@accepts_upload(megabytes=25)
@records_view("visit_report")
@takes_photos
@writes
def record_report(visit_id: int) -> Page:
    """Write a visit up, a part a page. The first page, while the visit is still booked, says that it went ahead."""
    here = _present()
    visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
    saw(case_id=case.id, subject=f"visit:{visit.id}", kinds=("health", "offence"))
    attendance.check_may_record(visit, here.actor)
    if not report.can_be_written(visit) and visit.is_booked:
        return _went_ahead(here, visit, case)
    if not report.can_be_written(visit):
        raise report.ReportNotWritable(f"There is nothing to write up. {booking.say_visit(visit)}")
    written = visit.report
    if written is not None and written.submitted_at is not None:
        return _read_report(here, visit, case)
    number = request.args.get("part", type=int) or _first_part_to_do(visit)
    part = PART.get(number) or PARTS[0]
    form = forms.part_form(part, visit.outcome_words)(seen=str(written.version) if written else "0")
    if not form.is_sent:
        _fill_part(form, part, visit)
    status = None
    if form.is_sent_and_right():
        try:
            if part.number == LAST_PART and request.form.get("do") == "send":
                report.submit_report(
                    visit,
                    case,
                    recommendation=Outcome(form["recommendation"].data) if form["recommendation"].data else None,
                    reasons=form["reasons"].data,
                    assessment=form["assessment"].data,
                    seen=_seen(form),
                    **here.given,
                )
                tell("Report sent. A manager reads it and decides what comes next.")
                return see_other(url_for("visits.show", visit_id=visit.id))
            report.save_part(
                visit,
                number=part.number,
                answers={question.key: form[question.key].data for question in part.questions},
                items={
                    item.key: {
                        "state": form[f"{item.key}_state"].data,
                        "todo": form[f"{item.key}_todo"].data,
                        "by": form[f"{item.key}_by"].data,
                    }
                    for item in part.items
                },
                actor=here.actor,
                now=here.now,
                seen=_seen(form),
            )
            removed = request.form.get("remove", type=int)
            if removed is not None:
                photos.remove_photo(visit, removed, actor=here.actor, now=here.now)
            for item in part.items:
                taken = g.photos_taken.get(f"{item.key}_photo")
                if taken is not None:
                    photos.add_photo(visit, item.key, taken, actor=here.actor, now=here.now)
        except Refusal as refusal:
            _start_again(form, refusal, here, case.reference)
            status = refusal.status
            visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
        else:
            if removed is not None or request.form.get("do") == "stay":
                return see_other(url_for("visits.record_report", visit_id=visit.id, part=part.number))
            if part.number == LAST_PART:
                tell("Kept. Send it when you are ready.")
                return see_other(url_for("visits.show", visit_id=visit.id))
            return see_other(url_for("visits.record_report", visit_id=visit.id, part=part.number + 1))
    following = PART.get(part.number + 1)
    return (
        render(
            "visits/record_report.html",
            here="visits",
            visit=visit,
            case=case,
            part=part,
            parts=PARTS,
            form=form,
            following=following.title if following else None,
            done=[one.number for one in PARTS if report.is_part_done(visit.report, one.number)],
            people=_given_names(case),
            to_do=SafetyState.TO_DO,
            photos=photos.photos_of(visit) if part.items else {},
        ),
        status or form.status,
    )


def _went_ahead(here: Present, visit: Visit, case: Case) -> Page:
    form = forms.HeldForm(seen=str(visit.version))
    if not form.is_sent:
        form.held_from.data, form.held_until.data = london(visit.starts_at).time(), london(visit.ends_at).time()
    status = None
    if form.is_sent_and_right():
        on = london(visit.starts_at).date()
        held_from = datetime.combine(on, form.held_from.data, tzinfo=LONDON)
        held_until = datetime.combine(on, form.held_until.data, tzinfo=LONDON)
        try:
            attendance.record_visit(
                visit, case, held_from_at=held_from, held_until_at=held_until, seen=_seen(form), **here.given
            )
        except Refusal as refusal:
            _start_again(form, refusal, here, case.reference)
            status = refusal.status
            visit, case = queries.visit_for(here.actor, visit.id, today=here.today)
        else:
            tell("Kept that the visit went ahead. Write it up now, or come back to it.")
            return see_other(url_for("visits.record_report", visit_id=visit.id, part=1))
    return (
        render("visits/went_ahead.html", here="visits", head=here.head(case), visit=visit, form=form),
        status or form.status,
    )


def _read_report(here: Present, visit: Visit, case: Case) -> Page:
    return render(
        "visits/read_report.html",
        here="visits",
        head=here.head(case),
        visit=visit,
        **_report_shown(visit),
        **_words(),
    )


@bp.get("/visits/<int:visit_id>/photos/<int:photo_id>")
@requires(any_of=(*VISITS, Permission.WRITE_ASSESSMENT, Permission.SIGN_OFF_VISIT))
@records_view("visit_photo")
@writes
def photo(visit_id: int, photo_id: int) -> Page:
    """One picture, for whoever may read the report."""
    here = _present()
    visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
    if not (_reads_report(here, case, visit) or attendance.may_record(visit, here.actor)):
        raise queries.VisitNotFound  # whoever may not read the report is not told whether there is a photo
    _photo, stored = photos.photo_of(visit, photo_id)
    saw(case_id=case.id, subject=f"visit:{visit.id}")
    response = make_response(stored.content or b"")
    response.headers["Content-Type"] = stored.media
    response.headers["Content-Disposition"] = "inline; filename=photo"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


@bp.route("/visits/<int:visit_id>/sign-off", methods=["GET", "POST"], endpoint="sign_off")
@requires(Permission.SIGN_OFF_VISIT)
@records_view("visit_report")
@writes
def sign_off_page(visit_id: int) -> Page:
    here = _present()
    visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
    saw(case_id=case.id, subject=f"visit:{visit.id}", kinds=("health", "offence"))
    written = visit.report
    seen = str(written.version) if written else ""
    sends_back = request.form.get("do") == "send_back"
    form = forms.SignOffForm(seen=seen)
    back = forms.SendBackForm(seen=seen, prefix="")
    chosen: BaseForm = back if sends_back else form
    form.outcome.choices = list(visit.outcome_words.items())
    if not form.is_sent and written is not None:
        form.reasons.data = written.reasons or ""
    status = None
    if chosen.is_sent_and_right():
        try:
            if sends_back:
                sign_off.send_back(visit, case, why=back.decision.data, seen=_seen(back), **here.given)
                tell("Sent back. Its writer sees your note on the timeline.")
            else:
                sign_off.sign_off_visit(
                    visit,
                    case,
                    outcome=Outcome(form.outcome.data),
                    decision=form.decision.data,
                    reasons=form.reasons.data,
                    recontact_on=form.recontact_on.data,
                    reason_code=form.reason_code.data,
                    seen=_seen(form),
                    **here.given,
                )
                tell(f"Signed off: {visit.outcome_words[Outcome(form.outcome.data)].lower()}. {_next_words(case)}")
        except Refusal as refusal:
            _start_again(chosen, refusal, here, case.reference)
            status = refusal.status
            visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
        else:
            return see_other(f"/cases/{case.reference}")
    if written is None or written.submitted_at is None or written.signed_off_at is not None:
        return _read_report(here, visit, case) if written and written.submitted_at else _nothing_to_sign(visit)
    return (
        render(
            "visits/sign_off.html",
            here="visits",
            head=here.head(case),
            visit=visit,
            form=form,
            chosen=chosen,
            is_own=written.written_by_id == here.actor.user_id,
            people=_given_names(case),
            moves=visit.moves_enquiry and case.stages.get(TrackName.ENQUIRY) == "visited",
            **_report_shown(visit),
            **_words(),
        ),
        status or chosen.status,
    )


def _nothing_to_sign(visit: Visit) -> Response:
    tell("The report of this visit has not been sent yet, so there is nothing to sign off.", "information")
    return see_other(url_for("visits.show", visit_id=visit.id))


# --- One's own calendar and hours -------------------------------------------------------------------------------------


@bp.route("/account/calendar", methods=["GET", "POST"])
@requires(Permission.RECORD_VISIT)
@writes
def my_calendar() -> Page:
    """The officer's own calendar: the account for its program, and the feed. The feed's address is shown once, on the
    answer to the form that made it."""
    here = _present()
    form = BaseForm()
    address = None
    if form.is_sent_and_right():
        token = feeds.make_address(user_id=here.actor.user_id or 0, actor=here.actor, now=here.now)
        base = current_app.extensions["crm_settings"].base_url
        address = f"{base}{url_for('calendars.feed', token=token)}"
    return calendar_page(form, address=address)


@bp.post("/account/calendar/end")
@requires(Permission.RECORD_VISIT)
@writes
def end_calendar() -> Page:
    here = _present()
    feeds.end_address(user_id=here.actor.user_id or 0, actor=here.actor, now=here.now)
    tell("Your calendar address is switched off. Programs that used it get nothing from now on.")
    return see_other(url_for("visits.my_calendar"))


@bp.route("/account/hours", methods=["GET", "POST"], endpoint="hours")
@requires(Permission.RECORD_VISIT)
@writes
def my_hours() -> Page:
    here = _present()
    user_id = here.actor.user_id or 0
    form = forms.HoursForm()
    if not form.is_sent:
        _fill_hours(form, user_id, here.today)
    if form.is_sent_and_right():
        try:
            hours.set_hours(
                user_id, spans=form.spans(), visits_a_day=form.visits_a_day.data, actor=here.actor, now=here.now
            )
            hours.set_travel(
                user_id,
                base_postcode=form.base_postcode.data or "",
                travels_by=TravelBy(form.travels_by.data),
                actor=here.actor,
                now=here.now,
            )
            hours.set_found_by(
                user_id,
                mobile=form.mobile.data or "",
                car=form.car.data or "",
                actor=here.actor,
                now=here.now,
            )
        except Refusal as refusal:
            db.session.rollback()
            form.take_refusal(refusal)
        else:
            tell("Your hours are kept. Free times are worked out from them from now on.")
            return see_other(url_for("visits.hours"))
    away = forms.TimeAwayForm(formdata=None)
    return _hours_page(here, form, away), form.status


@bp.post("/account/hours/away")
@requires(Permission.RECORD_VISIT)
@writes
def add_time_away() -> Page:
    here = _present()
    user_id = here.actor.user_id or 0
    away = forms.TimeAwayForm()
    if away.is_sent_and_right():
        first = away.first_day.data
        is_leave = away.kind.data == BusyKind.LEAVE
        starts, ends = away.from_time.data, away.until_time.data
        try:
            if not is_leave and (starts is None or ends is None):
                raise hours.HoursNotClear("Give the times from and until.", field="from_time")
            if is_leave:
                note_leave(
                    user_with(user_id),
                    first_on=first,
                    last_on=away.last_day.data or first,
                    cover=None,
                    actor=here.actor,
                    now=here.now,
                    today=here.today,
                )
            else:
                hours.add_time_away(
                    user_id,
                    first_day=first,
                    last_day=first,
                    kind=BusyKind.BUSY,
                    from_minutes=starts.hour * 60 + starts.minute,
                    until_minutes=ends.hour * 60 + ends.minute,
                    actor=here.actor,
                    now=here.now,
                )
        except Refusal as refusal:
            db.session.rollback()
            away.take_refusal(refusal)
        else:
            tell("Kept. Nobody can book you then. Visits booked already stay, and show as a clash.")
            return see_other(url_for("visits.hours"))
    form = forms.HoursForm(formdata=None)
    _fill_hours(form, user_id, here.today)
    return _hours_page(here, form, away), away.status


@bp.post("/account/hours/away/<int:busy_id>/remove")
@requires(Permission.RECORD_VISIT)
@writes
def remove_time_away(busy_id: int) -> Page:
    here = _present()
    hours.remove_time_away(here.actor.user_id or 0, busy_id, actor=here.actor, now=here.now)
    tell("That time can be booked again.")
    return see_other(url_for("visits.hours"))


def _hours_page(here: Present, form: forms.HoursForm, away: forms.TimeAwayForm) -> str:
    return render(
        "visits/hours.html",
        here="visits",
        form=form,
        away=away,
        weekdays=forms.WEEKDAYS,
        times_away=queries.times_away(here.actor.user_id or 0, now=here.now),
    )


def _fill_hours(form: forms.HoursForm, user_id: int, today: date) -> None:
    diaries = read_diaries(
        [user_id], first_day=today, last_day=today, wanted=Wanted(length_minutes=LENGTHS[0]), now=now_utc()
    )
    form.visits_a_day.data = diaries.visits_a_day[user_id]
    form.base_postcode.data = user_with(user_id).base_postcode or ""
    form.mobile.data = user_with(user_id).mobile or ""
    form.travels_by.data = diaries.travels_by[user_id]
    form.car.data = queries.cars_of([user_id]).get(user_id, "")
    for weekday in range(7):
        spans = diaries.hours[user_id].get(weekday, ())
        if spans:
            form[f"from_{weekday}"].data = _time_of(spans[0][0])
            form[f"until_{weekday}"].data = _time_of(spans[-1][1])


def _time_of(minutes: int) -> time:
    whole = min(minutes, 24 * 60 - 1)
    return time(whole // 60, whole % 60)


# --- What the pages share ---------------------------------------------------------------------------------------------


def _words() -> dict[str, Any]:
    return {
        "purposes": PURPOSE_WORDS,
        "place_words": PLACE_WORDS,
        "statuses": STATUS_WORDS,
        "state_of": STATE_OF,
    }


def _day_of(text: str | None) -> date | None:
    try:
        found = date.fromisoformat(text or "")
    except ValueError:
        return None
    return found if 2020 <= found.year <= 2100 else None


def _length_of(text: str | None) -> int:
    usual = policy.service().visit_minutes
    return int(text) if text and text.isdigit() and int(text) in lengths() else usual


def lengths(*more: int) -> list[int]:
    """The lengths on offer: the usual ones, those of the service's kinds of visit, and any that is there already."""
    kinds = (one.minutes for one in policy.service().visit_types)
    return sorted({*LENGTHS, policy.service().visit_minutes, *kinds, *more})


def _offerlengths(form: forms.SlotForm, *more: int) -> None:
    form.length.choices = [(one, length(one)) for one in lengths(*more)]


def _week_words(first_day: date, last_day: date) -> str:
    """13 to 18 July, 29 June to 4 July."""
    if first_day.month == last_day.month:
        return f"{first_day.day} to {last_day.day} {last_day:%B}"
    return f"{first_day.day} {first_day:%B} to {last_day.day} {last_day:%B}"


def _household_in_hand(here: Present) -> Case | None:
    reference = request.args.get("case")
    if not reference or not here.actor.has(Permission.BOOK_VISIT):
        return None
    return case_for(here.actor, reference, today=here.today)


def _seen(form: BaseForm) -> int | None:
    return int(form.seen.data) if form.seen.data and str(form.seen.data).isdigit() else None


def _start_again(form: BaseForm, refusal: Refusal, here: Present, reference: str) -> Case:
    """After a refusal: nothing of what was tried stays in the session, and the page shows how things stand now."""
    db.session.rollback()
    form.take_refusal(refusal)
    return case_for(here.actor, reference, today=here.today)


def _refuse_when_over(visit: Visit) -> None:
    if not visit.is_booked:
        raise booking.VisitIsOver(f"This visit can’t be changed any more. {booking.say_visit(visit)}")


def fitting_purposes(case: Case) -> list[tuple[str, str]]:
    """The purposes a visit to this household can have now. One sent all the same is refused in words."""
    left_out = Purpose.FIRST_VISIT if case.stages.get(TrackName.APPLICATION) is not None else Purpose.STAGE_TWO_SESSION
    return [(one, PURPOSE_WORDS[one]) for one in Purpose if one is not left_out]


def likely_purpose(case: Case) -> Purpose:
    if case.stages.get(TrackName.APPLICATION) is not None:
        return Purpose.STAGE_TWO_SESSION
    return Purpose.RE_VISIT if case.stages.get(TrackName.ENQUIRY) == "visited" else Purpose.FIRST_VISIT


def fitting_kinds(case: Case) -> list[VisitType]:
    """The kinds of visit that the service makes and that fit where this household stands."""
    purposes = {purpose for purpose, _ in fitting_purposes(case)}
    return [one for one in policy.service().visit_types if one.purpose in purposes]


def _prefill(
    form: forms.SlotForm,
    here: Present,
    *,
    usual: list[int | None],
    many: bool = False,
    kind: VisitType | None = None,
) -> None:
    """Take up what the link carried: officers, length and a time; otherwise whoever usually goes."""
    able = {officer_id for officer_id, _ in form.officers.choices}
    asked = [one for one in request.args.getlist("officer", type=int) if one in able]
    likely = [one for one in usual if one in able]
    form.officers.data = asked or (likely if many else likely[:1])
    if kind is not None and "length" not in request.args:
        form.length.data = kind.minutes
    if "length" in request.args or not form.length.data:
        form.length.data = _length_of(request.args.get("length"))
    form.starts_at.data = request.args.get("at")


def _times(
    form: forms.SlotForm, here: Present, case: Case, *, place: str | None = None, but_for_visit: int | None = None
) -> dict[str, Any]:
    """Free times of the chosen officers for a week, by day, and the links to the weeks around it."""
    first_day = max(_day_of(request.args.get("from")) or _first_day(form, here), here.today)
    officers = [one for one in form.officers.data or [] if one in {value for value, _ in form.officers.choices}]
    minds_quiet = request.args.get("times") != "all"
    wanted = wanted_by(
        case, length_minutes=form.length.data or LENGTHS[0], place=place or Place.HOME, minds_quiet=minds_quiet
    )
    slots: list[Slot] = []
    if officers and form.length.data:
        slots = queries.slots_to_choose(
            officers,
            first_day=first_day,
            days=SLOT_DAYS,
            wanted=wanted,
            now=here.now,
            today=here.today,
            but_for_visit=but_for_visit,
        )
        chosen = form.chosen_start
        if chosen is not None and not form.starts_at.errors and all(slot.starts_at != chosen for slot in slots):
            exact = queries.is_free(officers, at=chosen, wanted=wanted, now=here.now, but_for_visit=but_for_visit)
            slots = sorted([*slots, *exact])
    kept = {
        "officer": officers,
        "length": form.length.data,
        "kind": request.args.get("kind"),
        "times": None if minds_quiet else "all",
    }
    asked = wanted_by(case, length_minutes=LENGTHS[0]).quiet
    return {
        "days_of_slots": [(on, list(ones)) for on, ones in groupby(slots, key=lambda slot: slot.on)],
        "first_day": first_day,
        "last_day": first_day + timedelta(days=SLOT_DAYS - 1),
        "chosen_officers": names([words for value, words in form.officers.choices if value in officers]),
        "earlier_times": {**kept, "from": max(first_day - timedelta(days=SLOT_DAYS), here.today).isoformat()}
        if first_day > here.today
        else None,
        "later_times": {**kept, "from": (first_day + timedelta(days=SLOT_DAYS)).isoformat()},
        "all_times": {**kept, "from": first_day.isoformat(), "times": "all" if minds_quiet else None},
        "minds_quiet": minds_quiet,
        "quiet_words": [words for words in map(say_quiet, asked) if words],
        "slot_value": forms.slot_value,
        "day_words": day_short,
    }


def _first_day(form: forms.SlotForm, here: Present) -> date:
    chosen = form.chosen_start
    if chosen is None:
        return here.today
    on = london(chosen).date()
    return on - timedelta(days=on.weekday())


def _given_names(case: Case) -> str:
    return names([p.given_name for p in case.household.people if p.is_applicant and p.left_household_on is None])


def _who_hears(case: Case) -> str:
    return f"{_given_names(case)} and the officers are sent an invitation."


def _next_words(case: Case) -> str:
    return f"Next: {case.next_action[0].lower()}{case.next_action[1:]}." if case.next_action else ""


def _reads_report(here: Present, case: Case, visit: Visit) -> bool:
    """The report is for those whose work the household is, not for everybody who may open it."""
    return is_on_case(here.actor, case, today=here.today) and (
        here.actor.user_id in visit.officer_ids
        or Role.MANAGER in here.actor.roles
        or here.actor.has(Permission.WRITE_ASSESSMENT)
    )


def _first_part_to_do(visit: Visit) -> int:
    return next((part.number for part in PARTS if not report.is_part_done(visit.report, part.number)), LAST_PART)


def _fill_part(form: BaseForm, part: Part, visit: Visit) -> None:
    sections, safety = report.sections_of(visit.report), report.safety_of(visit.report)
    if visit.report is None and not visit.was_booked:
        # Whoever wrote down a visit that was not booked has said who was there.
        sections = {"present": visit.settled_note or ""}
    for question in part.questions:
        form[question.key].data = sections.get(question.key, "")
    for item in part.items:
        found = safety.get(item.key, {})
        form[f"{item.key}_state"].data = found.get("state")
        form[f"{item.key}_todo"].data = found.get("todo", "")
        by = date.fromisoformat(found["by"]) if found.get("by") else None
        form[f"{item.key}_by"].process(None, by)
    if part.key == "recommendation" and visit.report is not None:
        form["recommendation"].data = visit.report.recommendation
        form["reasons"].data = visit.report.reasons or ""


def _report_shown(visit: Visit) -> dict[str, Any]:
    written = visit.report
    safety = report.safety_of(written)
    who = names_of([written.written_by_id, written.signed_off_by_id]) if written else {}
    return {
        "report": written,
        "parts": PARTS,
        "sections": report.sections_of(written),
        "safety": safety,
        "safety_words": SAFETY_WORDS,
        "photos": photos.photos_of(visit),
        "safety_by": {key: date.fromisoformat(found["by"]) for key, found in safety.items() if found.get("by")},
        "written_by": who.get(written.written_by_id) if written else None,
        "signed_by": who.get(written.signed_off_by_id or 0) if written else None,
    }

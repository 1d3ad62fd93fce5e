"""Screens of the day of a visit: at the door, inside, the sheet to print, and for those who look out for officers."""

from __future__ import annotations

from flask import Blueprint, request, url_for

from crm.access.guards import current_actor, requires
from crm.access.queries import managers_here, staff_who_may, user_with
from crm.cases.models import Case
from crm.cases.queries import case_for
from crm.clock import london_date, now_utc, today_in_london
from crm.db import db
from crm.rules.eligibility import age_on
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.visits import attendance, booking, day_forms, home_notes, lone_working, queries, report, watching
from crm.visits.day_models import NoteKind, VisitWatch
from crm.visits.models import BRING, PLACE_WORDS, PURPOSE_WORDS, STATUS_WORDS, Purpose, Visit
from crm.visits.questions import PARTS
from crm.visits.staff_views import Page, Present
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

bp = Blueprint("visit_day", __name__)

VISITS = (Permission.BOOK_VISIT, Permission.RECORD_VISIT)


def _here() -> Present:
    return Present(current_actor(), now_utc(), today_in_london())


@bp.route("/visits/<int:visit_id>/day", methods=["GET", "POST"])
@requires(Permission.RECORD_VISIT)
@records_view("visit")
@writes
def day(visit_id: int) -> Page:
    """The visit in one hand: who, where and what to mind; in, more time, help, out. ``do`` says which button it was."""
    here = _here()
    visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
    attendance.check_may_record(visit, here.actor)
    saw(case_id=case.id, subject=f"visit:{visit.id}")
    watch = watching.watch_of(visit)
    doing = request.form.get("do", "")
    check_in = day_forms.CheckInForm(takes_answers=doing == "in")
    longer = day_forms.LongerForm(takes_answers=doing == "longer")
    buddy = day_forms.BuddyForm(takes_answers=doing == "buddy")
    plain = BaseForm(takes_answers=doing in ("out", "help"))
    colleagues = lone_working.possible_buddies(visit, staff_who_may(Permission.BOOK_VISIT))
    buddy.buddy.choices = [(day_forms.NOBODY, "Nobody yet"), *((one.id, one.name) for one in colleagues)]
    if not buddy.is_sent:
        chosen = watch.buddy_id if watch is not None else None
        buddy.buddy.data = chosen or lone_working.usual_buddy(visit.officer_ids) or day_forms.NOBODY
    if not check_in.is_sent:
        check_in.minutes.data = min(day_forms.STAYS, key=lambda one: abs(one - visit.length_minutes))
    forms: dict[str, BaseForm] = {"in": check_in, "longer": longer, "buddy": buddy, "out": plain, "help": plain}
    form = forms.get(doing, plain)
    status = None
    if request.method == "POST" and doing not in forms:
        form.refused.append("Press one of the buttons.")
    elif form.is_sent_and_right():
        try:
            tell(_do(doing, form, visit, case, here))
        except Refusal as refusal:
            db.session.rollback()
            form.take_refusal(refusal)
            status = refusal.status
            visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
            watch = watching.watch_of(visit)
        else:
            return see_other(url_for("visit_day.day", visit_id=visit.id))
    return (
        render(
            "visits/day.html",
            form=form,
            check_in=check_in,
            longer=longer,
            buddy_form=buddy,
            plain=plain,
            more_minutes=day_forms.MORE_MINUTES,
            alarms_run=watching.is_kept(here.now),
            is_inside=watch is not None and watch.checked_in_at is not None and not watch.is_over,
            is_known_safe=watch is not None and watch.is_over,
            is_past=here.now >= watching.expected_out_at(visit, watch),
            may_check_in=visit.is_booked and here.now >= visit.starts_at - attendance.EARLY,
            parts_done=sum(report.is_part_done(visit.report, part.number) for part in PARTS),
            parts=len(PARTS),
            **_sheet(visit, case, watch, here),
        ),
        status or form.status,
    )


def _do(doing: str, form: BaseForm, visit: Visit, case: Case, here: Present) -> str:
    """Do what a button says; what there is to say of it."""
    at, given = here.now, {"actor": here.actor, "now": here.now}
    if doing == "in":
        minutes = form["minutes"].data
        is_usual = minutes == min(day_forms.STAYS, key=lambda one: abs(one - visit.length_minutes))
        lone_working.check_in(visit, at=at, minutes=None if is_usual else minutes, **given)
        return "You are checked in."
    if doing == "longer":
        lone_working.need_longer(visit, minutes=form["longer"].data, at=at, **given)
        return "You have more time."
    if doing == "help":
        lone_working.ask_for_help(visit, at=at, **given)
        return "Your buddy and the managers have been sent word. If you are in danger, ring 999."
    if doing == "buddy":
        chosen = form["buddy"].data
        lone_working.choose_buddy(visit, user_with(chosen) if chosen else None, **given)
        return "Your buddy is noted."
    watch = lone_working.check_out(visit, case, at=at, **here.given)
    if watch.checked_out_at is None:
        return "Good. Whoever was alarmed is told that you are safe. Now write down what happened at the visit."
    return "You are checked out. The visit is kept with its times: write it up now, or come back to it."


def _sheet(visit: Visit, case: Case, watch: VisitWatch | None, here: Present) -> dict[str, object]:
    """What the visit is about, as every page of its day shows it."""
    known = home_notes.known_of(case)
    buddy = user_with(watch.buddy_id) if watch is not None and watch.buddy_id else None
    return {
        "visit": visit,
        "case": case,
        "head": here.head(case),
        "watch": watch,
        "officers": booking.officer_names(visit.officer_ids),
        "cars": queries.cars_of(visit.officer_ids),
        "people": [one for one in case.household.people if one.left_household_on is None],
        "ages": {
            one.id: age_on(one.born_on, here.today)
            for one in case.household.people
            if one.born_on is not None and not one.is_applicant
        },
        "cares": [one for one in known if one.kind in (NoteKind.NOT_ALONE, NoteKind.RISK)],
        "notes": [one for one in known if one.kind not in (NoteKind.NOT_ALONE, NoteKind.RISK)],
        "goes_alone": len(visit.officer_ids) < 2 and visit.is_booked,
        "buddy": buddy,
        "managers": managers_here(london_date(visit.starts_at)),
        "expected_out_at": watching.expected_out_at(visit, watch),
        "buddy_at": watching.buddy_at(visit, watch),
        "manager_at": watching.manager_at(visit, watch),
        "is_looked_after": watching.is_looked_after(visit, watch),
        "is_alarmed": watching.is_alarmed(visit, watch, now=here.now),
        "bring": BRING[Purpose(visit.purpose)],
        "purposes": PURPOSE_WORDS,
        "place_words": PLACE_WORDS,
        "statuses": STATUS_WORDS,
    }


@bp.get("/visits/<int:visit_id>/sheet")
@requires(Permission.RECORD_VISIT)
@records_view("visit")
@writes
def sheet(visit_id: int) -> Page:
    """All of it on one page, to print."""
    here = _here()
    visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
    attendance.check_may_record(visit, here.actor)
    saw(case_id=case.id, subject=f"visit:{visit.id}")
    return render("visits/sheet.html", **_sheet(visit, case, watching.watch_of(visit), here))


@bp.route("/visits/<int:visit_id>/watch", methods=["GET", "POST"])
@requires(any_of=VISITS)
@records_view("visit")
@writes
def watch(visit_id: int) -> Page:
    """For the buddy and the managers: where the officers are, whom to ring, and that they have been heard from.

    A buddy need not have to do with the household: its address shows once there is an alarm, and then only that.
    """
    here = _here()
    visit, case = queries.watched_visit(here.actor, visit_id)
    seen_watch = watching.watch_of(visit)
    may_say = watching.may_look_after(visit, seen_watch, here.actor)
    doing = request.form.get("do", "")
    heard = day_forms.HeardForm(takes_answers=doing != "longer")
    longer = day_forms.LongerForm(takes_answers=doing == "longer")
    form: BaseForm = longer if doing == "longer" else heard
    status = None
    if request.method == "POST" and not may_say:
        raise lone_working.NotLookedAfter("The buddy of this visit or a manager says that they have been heard from.")
    if form.is_sent_and_right():
        try:
            if doing == "longer":
                lone_working.need_longer(visit, minutes=longer.longer.data, at=here.now, actor=here.actor, now=here.now)
                tell("They have more time. The alarm starts again from there.")
            else:
                lone_working.hear_from(visit, case, note=heard.note.data, actor=here.actor, now=here.now)
                tell("Kept. Whoever was alarmed is told that all is well.")
        except Refusal as refusal:
            db.session.rollback()
            form.take_refusal(refusal)
            status = refusal.status
            visit, case = queries.watched_visit(here.actor, visit_id)
            seen_watch = watching.watch_of(visit)
        else:
            return see_other(url_for("visit_day.watch", visit_id=visit.id))
    is_alarmed = watching.is_alarmed(visit, seen_watch, now=here.now)
    saw(case_id=case.id, subject=f"visit:{visit.id}")
    return (
        render(
            "visits/watch.html",
            here="visits",
            form=form,
            heard=heard,
            longer=longer,
            may_say=may_say,
            visit=visit,
            case=case,
            watch=seen_watch,
            area=queries.area_of(case.household),
            goers=[user_with(officer_id) for officer_id in visit.officer_ids],
            cars=queries.cars_of(visit.officer_ids),
            is_alarmed=is_alarmed,
            is_looked_after=watching.is_looked_after(visit, seen_watch),
            expected_out_at=watching.expected_out_at(visit, seen_watch),
            stood_down_by=user_with(seen_watch.stood_down_by_id).name
            if seen_watch is not None and seen_watch.stood_down_by_id
            else None,
            statuses=STATUS_WORDS,
        ),
        status or form.status,
    )


@bp.route("/cases/<reference>/home-notes", methods=["GET", "POST"])
@requires(Permission.BOOK_VISIT)
@records_view("home_notes")
@writes
def notes(reference: str) -> Page:
    """What to know before going to a home."""
    here = _here()
    case = case_for(here.actor, reference, today=here.today)
    saw(case_id=case.id)
    known = home_notes.known_of(case)
    form = day_forms.HomeNotesForm()
    if not form.is_sent:
        for kind, words in home_notes.words_by_kind(known).items():
            form[kind].data = words
    if form.is_sent_and_right():
        words = {kind: form[kind].data or "" for kind in NoteKind}
        home_notes.set_notes(case, words, actor=here.actor, now=here.now, today=here.today)
        tell("Kept. It shows on every visit sheet of theirs.")
        return see_other(url_for("visits.case_visits", reference=case.reference))
    return (
        render("visits/home_notes.html", here="visits", head=here.head(case), case=case, form=form, known=known),
        form.status,
    )

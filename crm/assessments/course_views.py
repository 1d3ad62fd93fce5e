"""Preparation courses: the list, one course, who came, notes and certificates; and what one household has done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, make_response, request, url_for

from crm import policy
from crm.access.guards import current_actor, requires
from crm.access.queries import names_of
from crm.assessments import course_places, course_planning, course_queries, course_register
from crm.assessments.course_forms import (
    CancelForm,
    CopyForm,
    CourseForm,
    GivePlaceForm,
    TakeOffForm,
    course_form,
    notes_form,
    of_course,
    register_form,
)
from crm.assessments.course_models import PLACE_STATUS_WORDS, PlaceStatus, PrepCourse
from crm.assessments.course_telling import first_names, say_times, where
from crm.assessments.overview_views import MAY_LOOK, case_page, look, reads_report, seen_of
from crm.assessments.queries import NothingThere, live_people
from crm.assessments.views import assessments
from crm.clock import now_utc, today_in_london
from crm.rules.permissions import Permission, require
from crm.rules.preparation import HOW_STATES, HOW_WORDS, why_no_place
from crm.rules.refusal import Refusal
from crm.web.filters import day, many
from crm.web.filters import names as and_names
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission


# --- The list and the plan --------------------------------------------------------------------------------------------


@assessments.get("/courses")
@requires(P.BOOK_COURSE)
def courses() -> str:
    """Courses to come with the places left, or past ones."""
    past = request.args.get("show") == "past"
    lines, more = course_queries.course_lines(now=now_utc(), past=past, after=_after())
    after = f"{more[0].isoformat()}~{more[1]}" if more else None
    show = "past" if past else None
    return render(
        "assessments/courses.html",
        here="courses",
        lines=lines,
        past=past,
        next_address=url_for("assessments.courses", after=after, show=show) if after else "",
        first_address=url_for("assessments.courses", show=show) if request.args.get("after") else "",
    )


def _after() -> tuple[datetime, int] | None:
    moment, _, number = request.args.get("after", "").partition("~")
    try:
        at = datetime.fromisoformat(moment)
        return (at, int(number)) if at.tzinfo is not None and len(number) < 19 else None
    except ValueError:
        return None


@assessments.route("/courses/new", methods=["GET", "POST"])
@requires(P.MANAGE_COURSES)
@writes
def new_course() -> Response:
    """Plan a course with its sessions."""
    actor = current_actor()
    form = course_form(facilitators=[actor.user_id])
    form.facilitators.choices = course_queries.facilitators_to_choose()
    if form.is_sent_and_right():
        try:
            course = course_planning.plan_course(form.plan(), actor=actor, now=now_utc())
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{course.name} is planned. Next: take households on it from their assessment.")
            return see_other(url_for("assessments.course", course_id=course.id))
    return _plan_page(form, None)


@assessments.route("/courses/<int:course_id>/edit", methods=["GET", "POST"])
@requires(P.MANAGE_COURSES)
@writes
def edit_course(course_id: int) -> Response:
    """Change a course, or move one of its sessions: whoever is on it is told."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    course = course_queries.course_with(course_id)
    form = course_form(course.sessions, **of_course(course))
    form.facilitators.choices = course_queries.facilitators_to_choose(course.facilitator_ids)
    if form.is_sent_and_right():
        try:
            changed = course_planning.change_course(
                course,
                form.plan(),
                actor=actor,
                now=now,
                today=today,
                rulebook=policy.rulebook_on(today),
                seen=seen_of(form),
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            said = f"{course.name} is changed."
            if changed.told:
                said += f" {many(changed.told, 'letter says', 'letters say')} what has moved."
            if changed.moved_up:
                said += f" {many(changed.moved_up, 'adult')} moved up from the waiting list."
            tell(said)
            return see_other(url_for("assessments.course", course_id=course.id))
    return _plan_page(form, course)


def _plan_page(form: CourseForm, course: PrepCourse | None) -> Response:
    body = render("assessments/edit_course.html", here="courses", form=form, course=course)
    return make_response(body, form.status)


@assessments.route("/courses/<int:course_id>/copy", methods=["GET", "POST"])
@requires(P.MANAGE_COURSES)
@writes
def copy_course(course_id: int) -> Response:
    """Plan a course like this one on other days."""
    course = course_queries.course_with(course_id)
    form = CopyForm()
    if form.is_sent_and_right():
        try:
            made = course_planning.copy_course(course, first_on=form.on.data, actor=current_actor(), now=now_utc())
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Here is the new course. Look over its dates and its name; nobody is on it yet.")
            return see_other(url_for("assessments.edit_course", course_id=made.id))
    return _course_page("assessments/copy_course.html", course, form)


@assessments.route("/courses/<int:course_id>/cancel", methods=["GET", "POST"])
@requires(P.MANAGE_COURSES)
@writes
def cancel_course(course_id: int) -> Response:
    """Call a course off: everybody on it is told."""
    today = today_in_london()
    course = course_queries.course_with(course_id)
    form = CancelForm()
    if form.is_sent_and_right():
        try:
            told = course_planning.cancel_course(
                course,
                why=form.why.data or None,
                actor=current_actor(),
                now=now_utc(),
                today=today,
                rulebook=policy.rulebook_on(today),
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            told_words = f" {many(told, 'letter says', 'letters say')} so." if told else ""
            tell(f"{course.name} is off.{told_words}")
            return see_other(url_for("assessments.course", course_id=course.id))
    return _course_page("assessments/cancel_course.html", course, form)


# --- One course -------------------------------------------------------------------------------------------------------


def _course_page(template: str, course: PrepCourse, form: BaseForm | None = None, **context: Any) -> Response:
    now = now_utc()
    body = render(
        template,
        here="courses",
        course=course,
        now=now,
        is_over=course.is_over(now),
        where=where(course),
        facilitators=course_queries.facilitator_words(course, names_of(course.facilitator_ids)),
        form=form,
        how_words=HOW_WORDS,
        how_states=HOW_STATES,
        **context,
    )
    return make_response(body, form.status if form is not None else 200)


@assessments.get("/courses/<int:course_id>")
@requires(P.BOOK_COURSE)
@records_view("course")
def course(course_id: int) -> Response:
    """Sessions, who is on it, who waits, who came, and the certificates."""
    actor, today = current_actor(), today_in_london()
    found = course_queries.course_with(course_id)
    everybody = course_queries.parties(found, actor, today=today)
    saw(case_id=None, subject=f"course:{found.id}")
    for party in everybody:
        if party.household is not None:
            saw(case_id=party.case_id, subject=f"course:{found.id}")
    on = [party for party in everybody if party.is_on]
    adults = [adult for party in on for adult in party.adults if adult.is_on]
    return _course_page(
        "assessments/course.html",
        found,
        on=on,
        waiting=[party for party in everybody if party.is_waiting],
        off=[party for party in everybody if not party.is_on and not party.is_waiting],
        taken=len(adults),
        waiting_count=sum(
            1 for party in everybody for adult in party.adults if adult.place.status == PlaceStatus.WAITING
        ),
        to_certify=sum(1 for adult in adults if adult.progress.is_complete and adult.certificate is None),
        runs=course_queries.runs(found, actor),
    )


@assessments.route("/courses/<int:course_id>/sessions/<int:session_id>", methods=["GET", "POST"])
@requires(P.BOOK_COURSE)
@records_view("course")
@writes
def mark_session(course_id: int, session_id: int) -> Response:
    """Who came to one session: each person a few taps, on a phone in the room."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    found = course_queries.course_run_by(actor, course_id)
    number, session = course_queries.numbered_session(found, session_id)
    on = [party for party in course_queries.parties(found, actor, today=today) if party.is_on]
    form = register_form([adult for party in on for adult in party.adults if adult.is_on], number)
    if form.is_sent_and_right():
        try:
            changed = course_register.mark_session(found, session.id, form.marks(), actor=actor, now=now, today=today)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"Session {number} is kept: {many(changed, 'mark')} changed." if changed else "Nothing was changed.")
            return see_other(url_for("assessments.course", course_id=found.id))
    for party in on:
        saw(case_id=party.case_id, subject=f"course:{found.id}")
    saw(case_id=None, subject=f"course:{found.id}")
    return _course_page(
        "assessments/mark_session.html",
        found,
        form,
        session=session,
        number=number,
        times=say_times(session),
        place=where(found, session),
        on=on,
        has_begun=session.starts_at <= now,
    )


@assessments.route("/courses/<int:course_id>/notes/<reference>", methods=["GET", "POST"])
@requires(P.BOOK_COURSE)
@records_view("course_notes")
@writes
def course_notes(course_id: int, reference: str) -> Response:
    """A facilitator's notes about one household, for its assessment."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    found = course_queries.course_run_by(actor, course_id)
    case, party = course_queries.party_of(found, actor, reference, today=today)
    subjects: list[tuple[int | None, str]] = [(one.person.id, one.person.given_name) for one in party.adults]
    subjects.append((None, "the household"))
    own = course_queries.notes_by(actor, found, case.id)
    known = {}
    for person_id, kept in own.items():
        key = str(person_id or "home")
        known |= {f"strengths_{key}": kept.strengths, f"to_explore_{key}": kept.to_explore}
    form = notes_form(subjects, **known)
    if form.is_sent_and_right():
        try:
            course_register.write_notes(found, case, form.seen_of_each(), actor=actor, now=now)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"Kept. Whoever assesses {case.household.name} reads it with their preparation.")
            return see_other(url_for("assessments.course", course_id=found.id))
    saw(case_id=case.id, subject=f"course:{found.id}")
    return _course_page("assessments/course_notes.html", found, form, party=party)


@assessments.post("/courses/<int:course_id>/certificates")
@requires(P.BOOK_COURSE)
@writes
def issue_certificates(course_id: int) -> Response:
    """A certificate for everybody who has done every session and has none."""
    actor = current_actor()
    found = course_queries.course_run_by(actor, course_id)
    issued = course_register.issue_certificates(found, actor=actor, now=now_utc(), today=today_in_london())
    tell(f"{many(len(issued), 'certificate')} issued: {and_names([one.name for one in issued])}.")
    return see_other(url_for("assessments.course", course_id=found.id))


@assessments.get("/courses/<int:course_id>/certificates/<int:certificate_id>")
@requires(any_of=(*MAY_LOOK, P.BOOK_COURSE))
@records_view("certificate")
def certificate(course_id: int, certificate_id: int) -> Response:
    """A certificate, to print."""
    found = course_queries.course_with(course_id)
    one = course_queries.certificate_of(current_actor(), found, certificate_id, today=today_in_london())
    course_register.check_stands(one)
    saw(case_id=one.case_id, subject=f"person:{one.person_id}")
    first_on, last_on = course_register.days_of(found)
    return _course_page(
        "assessments/certificate.html",
        found,
        certificate=one,
        first_on=first_on,
        last_on=last_on,
        issued_by=names_of([one.issued_by_id]).get(one.issued_by_id, ""),
    )


@assessments.post("/courses/<int:course_id>/certificates/<int:certificate_id>/take-back")
@requires(P.BOOK_COURSE)
@writes
def take_certificate_back(course_id: int, certificate_id: int) -> Response:
    """Take back a certificate that was issued by mistake."""
    actor = current_actor()
    found = course_queries.course_run_by(actor, course_id)
    one = course_queries.certificate_of(actor, found, certificate_id, today=today_in_london())
    course_register.take_certificate_back(found, one, actor=actor, now=now_utc())
    tell(f"The certificate of {one.name} is taken back. Whoever has the paper should give it back.")
    return see_other(url_for("assessments.course", course_id=found.id))


# --- One household ----------------------------------------------------------------------------------------------------


@assessments.route("/cases/<reference>/assessment/preparation", methods=["GET", "POST"])
@requires(any_of=(*MAY_LOOK, P.BOOK_COURSE))
@records_view("preparation")
@writes
def preparation(reference: str) -> Response:
    """Courses of one household, session by session and adult by adult; and taking them on one."""
    looking = look(reference)
    if request.method == "POST":
        require(looking.actor, P.BOOK_COURSE)
    case, now = looking.case, looking.now
    applicants = [person for person in live_people(case) if person.is_applicant]
    to_choose = course_queries.courses_to_choose(case, now=now)
    form = GivePlaceForm(who=[person.id for person in applicants])
    form.who.choices = [(person.id, person.full_name) for person in applicants]
    form.course.choices = [
        ("", "Choose"),
        *((str(one.id), f"{one.name}, from {day(one.first_starts_at)}: {_left(left)}") for one, left in to_choose),
    ]
    if form.is_sent_and_right():
        try:
            chosen = course_queries.course_with(int(form.course.data))
            made = course_places.give_place(
                chosen, case, person_ids=form.who.data, needs=form.needs.data or None, **looking.doing
            )
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            have = "have a place on" if len(made) > 1 else "has a place on"
            wait = "wait for" if len(made) > 1 else "waits for"
            is_on = made[0].status == PlaceStatus.CONFIRMED
            tell(
                f"{first_names(made)} {have if is_on else wait} {chosen.name}. "
                "Each of them is sent the dates." + ("" if is_on else " It is full; they move up by themselves.")
            )
            return see_other(f"{looking.base}/assessment/preparation")
    saw(case_id=case.id, subject=f"case:{case.reference}")
    done = course_queries.preparation_of(case)
    notes_shown = reads_report(looking)
    early = looking.actor.has(P.DECIDE_TO_ASSESS)
    return case_page(
        "assessments/preparation.html",
        looking,
        form,
        done=done,
        prepared=course_queries.prepared(case, done, now=now),
        writers=names_of(note.written_by_id for one in done for note in one.notes) if notes_shown else {},
        reads_notes=notes_shown,
        why_not=why_no_place(case.stages, may_choose_early=early),
        is_early=early and why_no_place(case.stages, may_choose_early=False) is not None,
        can_book=looking.actor.has(P.BOOK_COURSE),
        now=now,
        how_words=HOW_WORDS,
        how_states=HOW_STATES,
        status_words=PLACE_STATUS_WORDS,
    )


def _left(left: int) -> str:
    return f"{many(left, 'place')} left" if left else "full, with a waiting list"


@assessments.route("/cases/<reference>/assessment/preparation/<int:course_id>/off", methods=["GET", "POST"])
@requires(P.BOOK_COURSE)
@writes
def take_off_course(reference: str, course_id: int) -> Response:
    """Take adults of a household off a course."""
    looking = look(reference)
    one = next((one for one in course_queries.preparation_of(looking.case) if one.course.id == course_id), None)
    theirs = [adult for adult in one.adults if adult.place.status != PlaceStatus.GIVEN_UP] if one else []
    if one is None or not theirs:
        raise NothingThere("They are not on that course.")
    form = TakeOffForm(who=[adult.person.id for adult in theirs])
    form.who.choices = [(adult.person.id, adult.person.full_name) for adult in theirs]
    if form.is_sent_and_right():
        try:
            gone = course_places.give_up(
                one.course, looking.case, person_ids=form.who.data, why=form.why.data, **looking.doing
            )
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            told = "Each of them is told." if len(gone) > 1 else "They are told."
            tell(f"{first_names(gone)} off {one.course.name}. {told}")
            return see_other(f"{looking.base}/assessment/preparation")
    return case_page("assessments/take_off_course.html", looking, form, course=one.course)

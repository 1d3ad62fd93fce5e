"""Sessions of Stage 2: the plan, what each covered, and what is not covered yet."""

from __future__ import annotations

from typing import Any

from flask import Response

from crm.access.guards import requires
from crm.access.queries import names_of
from crm.assessments import queries, sessions, stage_two
from crm.assessments.evidence_views import is_open_to
from crm.assessments.models import REPORT_SECTIONS
from crm.assessments.overview_views import Looking, case_page, look, reads_report, seen_of
from crm.assessments.session_forms import SessionHeldForm, SessionPlanForm, months_around, people_choices
from crm.assessments.stage_forms import ConfirmForm
from crm.assessments.stage_two_models import AssessmentSession
from crm.assessments.views import assessments
from crm.cases import home_visits
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web.filters import day
from crm.web.notices import tell
from crm.web.pages import see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission


@assessments.get("/cases/<reference>/assessment/sessions")
@requires(P.WRITE_ASSESSMENT)
@records_view("sessions")
def assessment_sessions(reference: str) -> Response:
    """Every session, planned and held, against the headings of the report."""
    looking = look(reference)
    application = queries.the_application(looking.case)
    report = queries.report_of(application)
    counts = stage_two.evidence_counts(report)
    found = sessions.sessions_of(application)
    coverage = sessions.coverage_of(found, counts)
    people = {person.id: person.given_name for person in looking.case.household.people}
    saw(case_id=looking.case.id, subject=f"case:{looking.case.reference}")
    return case_page(
        "assessments/assessment_sessions.html",
        looking,
        found=found,
        coverage=coverage,
        open_headings=[one for one in coverage if not one.is_covered],
        bare_headings=[one for one in coverage if not one.evidence],
        people=people,
        names=names_of([one.led_by_id for one in found]),
        booked=[
            one
            for one in home_visits.visits_known(looking.case)
            if one.is_booked and one.purpose in home_visits.MOVED_ON
        ],
        writes_it=is_open_to(looking),
        has_begun="stage_two" in looking.case.stages,
    )


@assessments.post("/cases/<reference>/assessment/sessions/usual")
@requires(P.WRITE_ASSESSMENT)
@writes
def plan_usual_sessions(reference: str) -> Response:
    """Plan the usual seven."""
    looking = look(reference)
    queries.the_application(looking.case)
    made = sessions.plan_usual(looking.case, seen=seen_of(ConfirmForm()), **looking.doing)
    tell(f"{len(made)} sessions are planned. Change any of them as you like.")
    return see_other(f"{looking.base}/assessment/sessions")


@assessments.route("/cases/<reference>/assessment/sessions/new", methods=["GET", "POST"])
@requires(P.WRITE_ASSESSMENT)
@records_view("sessions")
@writes
def plan_session(reference: str) -> Response:
    """Plan one more."""
    looking = look(reference)
    queries.the_application(looking.case)
    applicants = [str(one.id) for one in queries.live_people(looking.case) if one.is_applicant]
    form = SessionPlanForm(seen=str(looking.case.version), month=f"{looking.today:%Y-%m}", people=applicants)
    return _plan_page(looking, form, None)


@assessments.route("/cases/<reference>/assessment/sessions/<int:session_id>/plan", methods=["GET", "POST"])
@requires(P.WRITE_ASSESSMENT)
@records_view("sessions")
@writes
def change_session(reference: str, session_id: int) -> Response:
    """Plan one otherwise, or take it out of the plan."""
    looking = look(reference)
    session = sessions.session_of(looking.case, session_id)
    form = SessionPlanForm(
        seen=str(looking.case.version),
        month=f"{session.planned_month:%Y-%m}",
        on=session.planned_on,
        people=[str(row.person_id) for row in session.people],
        headings=session.planned_headings,
    )
    return _plan_page(looking, form, session)


def _plan_page(looking: Looking, form: SessionPlanForm, session: AssessmentSession | None) -> Response:
    form.month.choices = months_around(looking.today, *([session.planned_month] if session else []))
    form.people.choices = people_choices(queries.live_people(looking.case))
    if form.is_sent_and_right():
        given: dict[str, Any] = {"seen": seen_of(form), **looking.doing}
        try:
            if session is None:
                session = sessions.plan_session(looking.case, form.plan(), **given)
            else:
                sessions.change_plan(looking.case, session, form.plan(), **given)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"Session {session.number} is planned.")
            return see_other(f"{looking.base}/assessment/sessions")
    saw(case_id=looking.case.id, subject=f"case:{looking.case.reference}")
    return case_page("assessments/plan_session.html", looking, form, session=session, writes_it=is_open_to(looking))


@assessments.post("/cases/<reference>/assessment/sessions/<int:session_id>/drop")
@requires(P.WRITE_ASSESSMENT)
@writes
def drop_session(reference: str, session_id: int) -> Response:
    """Take a session out of the plan."""
    looking = look(reference)
    session = sessions.session_of(looking.case, session_id)
    number = session.number
    sessions.drop_session(looking.case, session, seen=seen_of(ConfirmForm()), **looking.doing)
    tell(f"Session {number} is out of the plan.")
    return see_other(f"{looking.base}/assessment/sessions")


@assessments.route("/cases/<reference>/assessment/sessions/<int:session_id>", methods=["GET", "POST"])
@requires(P.WRITE_ASSESSMENT)
@records_view("session")
@writes
def assessment_session(reference: str, session_id: int) -> Response:
    """One session: what was said, and the form in which it is written up."""
    looking = look(reference)
    session = sessions.session_of(looking.case, session_id)
    shows = reads_report(looking)
    writes_it = is_open_to(looking)
    form = SessionHeldForm(
        seen=str(looking.case.version),
        held_on=session.held_on or session.planned_on,
        minutes=session.minutes,
        people=[str(row.person_id) for row in session.people],
        also_there=session.also_there if shows else None,
        headings=session.covered_headings or session.planned_headings,
        notes=session.notes if shows else None,
    )
    present = {row.person_id for row in session.people}
    form.people.choices = people_choices(
        one for one in looking.case.household.people if one.left_household_on is None or one.id in present
    )
    if form.is_sent_and_right():
        try:
            sessions.record_session(looking.case, session, form.held(), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            assert session.held_on is not None
            tell(f"Session {session.number} of {day(session.held_on)} is written up.")
            return see_other(f"{looking.base}/assessment/sessions")
    saw(case_id=looking.case.id, subject=sessions.subject_of(session))
    people = {person.id: person.given_name for person in looking.case.household.people}
    return case_page(
        "assessments/assessment_session.html",
        looking,
        form,
        session=session,
        shows=shows,
        writes_it=writes_it,
        there=[people[row.person_id] for row in session.people if row.person_id in people],
        headings=[REPORT_SECTIONS[name][0] for name in session.covered_headings or session.planned_headings],
        led_by=names_of([session.led_by_id]).get(session.led_by_id or 0, ""),
        is_visit=session.visit_id is not None,
    )

"""Sessions of Stage 2: planned, held, written up, and which headings of the report they have covered.

A session that is made as a visit comes from the visits by name (``crm/app.py``); any other is entered by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select

from crm.assessments import queries
from crm.assessments.models import REPORT_SECTIONS, Application
from crm.assessments.queries import NothingThere, live_people, the_application
from crm.assessments.stage_two import NotAnAssessor, ReportNotOpen
from crm.assessments.stage_two_models import AssessmentSession, ReportEvidence, SessionHeading, SessionPerson
from crm.assessments.steps import begin_step, end_step, not_after_today, note
from crm.cases import timeline
from crm.cases.assignment import assigned_user_ids
from crm.cases.home_visits import HeldVisit
from crm.cases.models import AssignmentRole, Case
from crm.db import db
from crm.delivery.wording import day
from crm.rules.permissions import Actor, Permission
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName

MOST_SESSIONS = 40
USUAL_PLAN: tuple[tuple[str, ...], ...] = (
    ("personality",),
    ("personality", "origins"),
    ("religion", "origins"),
    ("work_and_living",),
    ("caring",),
    ("caring", "skills"),
    ("skills", "suitability"),
)
"""Seven sessions, two a month: what services plan as a rule (six to eight, common practice). Any of it is changed."""


class SessionNotPossible(Refusal):
    """A session that can't be planned or recorded like this."""

    default_status = 422


@dataclass(frozen=True)
class SessionPlan:
    """What is planned for one session. ``month``: the first of it."""

    month: date
    on: date | None
    person_ids: tuple[int, ...]
    headings: tuple[str, ...]


@dataclass(frozen=True)
class SessionHeld:
    """What became of one."""

    held_on: date
    minutes: int
    person_ids: tuple[int, ...]
    also_there: str
    headings: tuple[str, ...]
    notes: str


# --- Planning ---------------------------------------------------------------------------------------------------------


def plan_session(
    case: Case,
    plan: SessionPlan,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> AssessmentSession:
    """Plan one more session, the next number."""
    application = _begin(case, actor=actor, today=today, seen=seen)
    _check_plan(case, plan)
    session = _next_session(case, application, month=plan.month)
    _put_plan(session, plan)
    _note("session.planned", case, session, actor=actor, now=now)
    end_step(case, today=today, rulebook=rulebook)
    return session


def plan_usual(
    case: Case, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook, seen: int | None = None
) -> list[AssessmentSession]:
    """Plan the usual seven sessions, two a month from this one on, with every heading in at least one of them."""
    application = _begin(case, actor=actor, today=today, seen=seen)
    if sessions_of(application):
        raise SessionNotPossible("Some sessions are planned already. Add to those.", status=409)
    who = tuple(person.id for person in live_people(case) if person.is_applicant)
    made = []
    for number, headings in enumerate(USUAL_PLAN):
        month = _months_on(today, number // 2)
        session = _next_session(case, application, month=month)
        _put_plan(session, SessionPlan(month=month, on=None, person_ids=who, headings=headings))
        made.append(session)
    _note("session.planned", case, made[0], actor=actor, now=now, sessions=len(made))
    end_step(case, today=today, rulebook=rulebook)
    return made


def change_plan(
    case: Case,
    session: AssessmentSession,
    plan: SessionPlan,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Plan a session otherwise, while it has not been held."""
    _begin(case, actor=actor, today=today, seen=seen)
    _refuse_held(session)
    _check_plan(case, plan)
    session.planned_month = plan.month
    _put_plan(session, plan)
    _note("session.planned", case, session, actor=actor, now=now)
    end_step(case, today=today, rulebook=rulebook)


def drop_session(
    case: Case,
    session: AssessmentSession,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Take a session that was not held out of the plan."""
    _begin(case, actor=actor, today=today, seen=seen)
    _refuse_held(session)
    _note("session.dropped", case, session, actor=actor, now=now)
    db.session.delete(session)
    db.session.flush()
    end_step(case, today=today, rulebook=rulebook)


def _begin(case: Case, *, actor: Actor, today: date, seen: int | None) -> Application:
    begin_step(case, Permission.WRITE_ASSESSMENT, actor=actor, seen=seen)
    if case.stages.get(TrackName.STAGE_TWO) != "assessing":
        raise ReportNotOpen("Sessions are planned and recorded while Stage 2 goes on: before the report is shared.")
    if actor.user_id not in assigned_user_ids(case, AssignmentRole.ASSESSOR, on=today):
        raise NotAnAssessor("Only whoever assesses this household plans and records its sessions.", status=403)
    return the_application(case)


def _refuse_held(session: AssessmentSession) -> None:
    if session.is_held:
        raise SessionNotPossible(f"Session {session.number} was held, so it stays in the record.", status=409)


def _check_plan(case: Case, plan: SessionPlan) -> None:
    if plan.on is not None and plan.on.replace(day=1) != plan.month:
        raise SessionNotPossible("The day is not in that month. Change one of them.", field="on")
    _check_who(case, plan.person_ids)


def _check_who(case: Case, person_ids: Iterable[int]) -> None:
    ours = {person.id for person in case.household.people}
    if not set(person_ids) <= ours:
        raise SessionNotPossible("Choose people of this household.", field="people")


def _next_session(case: Case, application: Application, *, month: date) -> AssessmentSession:
    last = db.session.scalar(
        select(func.max(AssessmentSession.number)).where(AssessmentSession.application_id == application.id)
    )
    if (last or 0) >= MOST_SESSIONS:
        raise SessionNotPossible(f"{MOST_SESSIONS} sessions are enough. Talk to your manager.", status=409)
    session = AssessmentSession(
        case_id=case.id, application_id=application.id, number=(last or 0) + 1, planned_month=month
    )
    db.session.add(session)
    db.session.flush()
    return session


def _put_plan(session: AssessmentSession, plan: SessionPlan) -> None:
    session.planned_on = plan.on
    _put_people(session, plan.person_ids)
    _put_headings(session, planned=plan.headings, covered=session.covered_headings)


def _put_people(session: AssessmentSession, person_ids: Iterable[int]) -> None:
    wanted = set(person_ids)
    for row in [row for row in session.people if row.person_id not in wanted]:
        session.people.remove(row)
    there = {row.person_id for row in session.people}
    session.people += [SessionPerson(session_id=session.id, person_id=one) for one in sorted(wanted - there)]
    db.session.flush()


def _put_headings(session: AssessmentSession, *, planned: Iterable[str], covered: Iterable[str]) -> None:
    planned, covered = set(planned) & REPORT_SECTIONS.keys(), set(covered) & REPORT_SECTIONS.keys()
    known = {row.name: row for row in session.headings}
    for name, row in known.items():
        if name not in planned | covered:
            session.headings.remove(row)
    for name in REPORT_SECTIONS:
        if name in planned | covered:
            heading = known.get(name)
            if heading is None:
                heading = SessionHeading(session_id=session.id, name=name)
                session.headings.append(heading)
            heading.is_planned, heading.is_covered = name in planned, name in covered
    db.session.flush()


def _months_on(today: date, months: int) -> date:
    years, month = divmod(today.month - 1 + months, 12)
    return date(today.year + years, month + 1, 1)


def _note(event: str, case: Case, session: AssessmentSession, *, actor: Actor, now: datetime, **detail: object) -> None:
    note(event, case, actor=actor, now=now, subject=subject_of(session), number=session.number, **detail)


def subject_of(session: AssessmentSession) -> str:
    """What the audit trail calls it."""
    return f"session:{session.id}"


# --- Held -------------------------------------------------------------------------------------------------------------


def record_session(
    case: Case,
    session: AssessmentSession,
    held: SessionHeld,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Write a session up: when it was, who was there, what it covered and what was said. Until the report is shared it
    can be put right. The day and the length of one that was a visit are the visit's."""
    _begin(case, actor=actor, today=today, seen=seen)
    application = the_application(case)
    not_after_today(held.held_on, today=today, field="held_on", what="The day of the session")
    if held.held_on < application.received_on:
        raise SessionNotPossible(
            f"They applied on {day(application.received_on)}: no session was before that.", field="held_on"
        )
    _check_who(case, held.person_ids)
    if not held.person_ids and not held.also_there.strip():
        raise SessionNotPossible("Say who was there.", field="people")
    if not held.headings:
        raise SessionNotPossible("Tick what you talked about.", field="headings")
    if not held.notes.strip():
        raise SessionNotPossible("Write down what was said and seen.", field="notes")
    was_held = session.is_held
    if session.visit_id is None:
        session.held_on, session.minutes, session.led_by_id = held.held_on, held.minutes, actor.user_id
    session.also_there = held.also_there.strip() or None
    session.notes, session.written_up_at = held.notes, now
    _put_people(session, held.person_ids)
    _put_headings(session, planned=session.planned_headings, covered=held.headings)
    if not was_held:
        _tell_timeline(case, session, actor=actor, now=now)
    _note("session.recorded", case, session, actor=actor, now=now)
    end_step(case, today=today, rulebook=rulebook)


def note_visit_held(
    case: Case, visit: HeldVisit, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> None:
    """A visit for a session was made: the session that was planned for it is held, and waits to be written up.

    It is the one planned for that day, else the first of that month, else the first that is still to come; where none
    is planned, one more. Outside Stage 2, or once the report is shared, it stays a visit and no more.
    """
    if case.stages.get(TrackName.STAGE_TWO) != "assessing":
        return
    application = queries.the_application(case)
    waiting = [one for one in sessions_of(application) if not one.is_held]
    of_the_day = [one for one in waiting if one.planned_on == visit.held_on]
    of_the_month = [one for one in waiting if one.planned_month == visit.held_on.replace(day=1) and not one.planned_on]
    session = next(iter([*of_the_day, *of_the_month, *waiting]), None)
    if session is None:
        session = _next_session(case, application, month=visit.held_on.replace(day=1))
    assessing = assigned_user_ids(case, AssignmentRole.ASSESSOR, on=today)
    session.visit_id, session.held_on, session.minutes = visit.visit_id, visit.held_on, visit.minutes
    session.led_by_id = next((one for one in visit.officer_ids if one in assessing), visit.officer_ids[0])
    db.session.flush()
    _note("session.held", case, session, actor=actor, now=now, visit=visit.visit_id)


def _tell_timeline(case: Case, session: AssessmentSession, *, actor: Actor, now: datetime) -> None:
    assert session.held_on is not None
    timeline.add(
        case,
        kind="visit",
        title=f"Session {session.number} of the assessment held on {day(session.held_on)}",
        actor=actor,
        occurred_at=now,
    )


# --- Reads ------------------------------------------------------------------------------------------------------------


def sessions_of(application: Application) -> list[AssessmentSession]:
    """Every session of an application in its order, with headings and people: three queries."""
    return list(
        db.session.scalars(
            select(AssessmentSession)
            .where(AssessmentSession.application_id == application.id)
            .order_by(AssessmentSession.number)
        )
    )


def session_of(case: Case, session_id: int) -> AssessmentSession:
    """One session of this household. Raises NothingThere."""
    session = db.session.get(AssessmentSession, session_id)
    if session is None or session.case_id != case.id:
        raise NothingThere("We can’t find that session for this household.")
    return session


@dataclass(frozen=True)
class Coverage:
    """One heading over the sessions. ``cells``: for each session covered, planned or nothing."""

    name: str
    title: str
    cells: tuple[str, ...]
    evidence: int

    @property
    def is_covered(self) -> bool:
        return "covered" in self.cells

    @property
    def is_planned(self) -> bool:
        return "planned" in self.cells


def coverage_of(sessions: Iterable[AssessmentSession], evidence: dict[str, int]) -> list[Coverage]:
    """Each heading of Schedule 3 Part 2: in which sessions it came up or is to, and how much evidence it has."""
    sessions = list(sessions)
    found = []
    for name, (title, _hint) in REPORT_SECTIONS.items():
        cells = []
        for session in sessions:
            is_covered = name in session.covered_headings
            is_planned = name in session.planned_headings and not session.is_written_up
            cells.append("covered" if is_covered else "planned" if is_planned else "")
        found.append(Coverage(name, title, tuple(cells), evidence.get(name, 0)))
    return found


def has_evidence(session: AssessmentSession) -> bool:
    """Whether a report rests on it."""
    return (
        db.session.scalars(select(ReportEvidence.id).where(ReportEvidence.session_id == session.id)).first() is not None
    )

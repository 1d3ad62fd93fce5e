"""Two preparation courses: one that was held, with who came, notes and certificates; one to come that is waited for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from crm import policy
from crm.access.models import User
from crm.assessments import course_places, course_planning, course_register
from crm.assessments.course_models import PrepCourse
from crm.assessments.course_planning import CoursePlan, SessionPlan
from crm.assessments.course_register import Mark, Seen
from crm.cases.models import Case, Household, Person
from crm.clock import LONDON, london
from crm.db import db
from crm.rules.preparation import How

TOPICS = (
    "What fostering is, and the child’s story",
    "How children grow, and what gets in the way",
    "Loss, and what behaviour says",
    "Working with birth families and with us",
    "Keeping children safe, and yourselves",
    "Moving on",
)
HELD_AT_MOST, AHEAD_AT_MOST, WAITING = 5, 5, 2
"""How many households are on each."""
SAID = (
    (
        "Listened more than they spoke, and remembered what others had said.",
        "What saying goodbye to a child would ask.",
    ),
    ("Warm and funny with the group. Spoke up for the child in every story.", "How they were disciplined themselves."),
    ("Asked what few ask: how it is for the birth parents.", "Who would hold them up in a hard week."),
)


def lay_courses(users: dict[str, User], *, now: datetime, today: date) -> None:
    """Plan both, put households that are being assessed on them, and mark the one that is over."""
    first_on = today - timedelta(days=today.weekday() + 16)  # a Saturday, two to three weeks ago
    planned_at = _at(first_on - timedelta(days=45), 9)
    held = course_planning.plan_course(
        CoursePlan(
            name=f"Skills to Foster, {first_on:%B}",
            capacity=14,
            place="Kestrel House, Bromley",
            getting_in="No steps. Lunch is ours; tell us what you can’t eat.",
            facilitator_ids=(users["officer"].id, users["imani"].id),
            outside_facilitators="June Harker, foster carer",
            sessions=[
                SessionPlan(
                    starts_at=_at(first_on + timedelta(days=7 * (number // 2)), 13 if number % 2 else 9, 30),
                    ends_at=_at(first_on + timedelta(days=7 * (number // 2)), 16 if number % 2 else 12, 30),
                    topics=topic,
                )
                for number, topic in enumerate(TOPICS)
                if first_on + timedelta(days=7 * (number // 2)) < today - timedelta(days=1)
            ],
        ),
        actor=users["recruiter"].as_actor(),
        now=planned_at,
    )
    homes = _being_assessed()
    been = [case for case in homes if case.application_received_on and case.application_received_on < first_on]
    on = been[-HELD_AT_MOST:]
    for number, case in enumerate(on):
        _put_on(held, case, users, at=_at(first_on - timedelta(days=20 - number), 11))
    _mark(held, on, users)
    _plan_next(users, [case for case in homes if case not in on], now=now, today=today)


def _plan_next(users: dict[str, User], homes: Sequence[Case], *, now: datetime, today: date) -> None:
    """An evening course to come: room for all but the last few."""
    first_on = today + timedelta(days=24 - today.weekday())
    days = [first_on + timedelta(days=7 * week) for week in range(len(TOPICS))]
    on, waiting = homes[:AHEAD_AT_MOST], homes[AHEAD_AT_MOST : AHEAD_AT_MOST + WAITING]
    if not waiting:
        on, waiting = homes[:-1], homes[-1:]
    ahead = course_planning.plan_course(
        CoursePlan(
            name=f"Skills to Foster, evenings from {first_on.day} {first_on:%B}",
            capacity=max(1, sum(len(_applicants(case)) for case in on)),
            place="St Aldwyn’s Hall, 2 Canopy Road, Catford",
            getting_in="Ramp at the side door. Parking behind the hall.",
            facilitator_ids=(users["imani"].id, users["officer"].id),
            sessions=[
                SessionPlan(starts_at=_at(day, 18, 30), ends_at=_at(day, 21), topics=topic)
                for day, topic in zip(days, TOPICS, strict=True)
            ],
        ),
        actor=users["recruiter"].as_actor(),
        now=now - timedelta(days=12),
    )
    for number, case in enumerate((*on, *waiting)):
        _put_on(ahead, case, users, at=now - timedelta(days=9) + timedelta(hours=number))


def _being_assessed() -> list[Case]:
    """Households with an open application, the earliest first."""
    return list(
        db.session.scalars(
            select(Case)
            .where(Case.is_open, Case.place.in_(("received", "in_assessment", "with_panel", "with_decision_maker")))
            .options(joinedload(Case.household).selectinload(Household.people), selectinload(Case.tracks))
            .order_by(Case.application_received_on, Case.id)
        )
    )


def _applicants(case: Case) -> list[Person]:
    return [person for person in case.household.people if person.is_applicant and person.left_household_on is None]


def _put_on(course: PrepCourse, case: Case, users: dict[str, User], *, at: datetime) -> None:
    today = london(at).date()
    course_places.give_place(
        course,
        case,
        person_ids=[person.id for person in _applicants(case)],
        needs=None,
        actor=users["manager"].as_actor(),
        now=at,
        today=today,
        rulebook=policy.rulebook_on(today),
    )


def _mark(course: PrepCourse, on: Sequence[Case], users: dict[str, User]) -> None:
    """Nearly everybody came to all of it: of the last couple one missed a session, and somebody made one up."""
    officer = users["officer"].as_actor()
    people = [person for case in on for person in _applicants(case)]
    if not people:
        return
    last, at = len(course.sessions), course.last_ends_at + timedelta(days=1)
    for number, session in enumerate(course.sessions, start=1):
        marks = {person.id: Mark(How.CAME) for person in people}
        if number == last:
            marks[people[-1].id] = Mark(How.MISSED)
        if number == 2 and len(people) > 2:
            when = london(session.starts_at).date() + timedelta(days=3)
            marks[people[0].id] = Mark(How.PART)
            marks[people[1].id] = Mark(How.MADE_UP, when, "At home with Marcus, from the book")
        course_register.mark_session(course, session.id, marks, actor=officer, now=at, today=london(at).date())
    for number, case in enumerate(on[:-1]):
        strengths, to_explore = SAID[number % len(SAID)]
        course_register.write_notes(course, case, {None: Seen(strengths, to_explore)}, actor=officer, now=at)
    if len(people) > 1:
        course_register.issue_certificates(course, actor=officer, now=at, today=london(at).date())
    course.register_asked_at = at


def _at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), LONDON).astimezone(UTC)

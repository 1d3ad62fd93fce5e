"""What courses do by themselves: a reminder the day before, and asking who came once a course is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from crm import policy
from crm.access.models import User
from crm.access.queries import staff_with_role
from crm.assessments import course_telling
from crm.assessments.course_models import CoursePlace, CourseSession, CourseStatus, PlaceStatus, PrepCourse
from crm.assessments.course_places import hold
from crm.assessments.course_queries import course_with
from crm.assessments.course_register import is_marked
from crm.assessments.course_telling import Telling
from crm.cases.models import Case
from crm.cases.tasks import add_task
from crm.clock import LONDON, london_date
from crm.db import db
from crm.rules.permissions import SYSTEM, Role
from crm.rules.preparation import needs_reminder

BATCH = 20
REMIND_FROM = time(9)
JUST_TOLD = timedelta(hours=12)


def remind_for_tomorrow(now: datetime) -> int:
    """Remind those who have a place on a course with a session tomorrow; how many sessions were dealt with.

    Whoever got their place in the last hours knows already. For the timetable.
    """
    today = london_date(now)
    if now < datetime.combine(today, REMIND_FROM, LONDON):
        return 0
    sessions = db.session.scalars(
        select(CourseSession)
        .join(PrepCourse, PrepCourse.id == CourseSession.course_id)
        .where(
            CourseSession.reminded_at.is_(None),
            CourseSession.starts_at >= datetime.combine(today + timedelta(days=1), time(0), LONDON),
            CourseSession.starts_at < datetime.combine(today + timedelta(days=2), time(0), LONDON),
            PrepCourse.status == CourseStatus.PLANNED,
        )
        .order_by(CourseSession.id)
        .limit(BATCH)
    ).all()
    telling = Telling(actor=SYSTEM, now=now, today=today, rulebook=policy.rulebook_on(today))
    for session in sessions:
        session.reminded_at = now
        course = course_with(session.course_id)
        number = course.sessions.index(session) + 1
        if needs_reminder([one.starts_at for one in course.sessions], number):
            course_telling.remind(course, session, number, _to_remind(course, now=now), telling)
    db.session.flush()
    return len(sessions)


def _to_remind(course: PrepCourse, *, now: datetime) -> Sequence[CoursePlace]:
    return db.session.scalars(
        select(CoursePlace)
        .where(
            CoursePlace.course_id == course.id,
            CoursePlace.status == PlaceStatus.CONFIRMED,
            CoursePlace.asked_at <= now - JUST_TOLD,
        )
        .options(joinedload(CoursePlace.person), joinedload(CoursePlace.case).joinedload(Case.household))
        .order_by(CoursePlace.asked_at, CoursePlace.id)
    ).all()


def ask_who_came(now: datetime) -> int:
    """Of courses that are over and not marked, ask whoever runs them; how many courses were looked at.

    For the timetable.
    """
    today = london_date(now)
    rulebook = policy.rulebook_on(today)
    courses = db.session.scalars(
        select(PrepCourse.id)
        .where(
            PrepCourse.register_asked_at.is_(None),
            PrepCourse.last_ends_at <= now,
            PrepCourse.status == CourseStatus.PLANNED,
        )
        .order_by(PrepCourse.last_ends_at)
        .limit(BATCH)
    ).all()
    for course_id in courses:
        course = course_with(course_id)
        hold(course)
        if course.register_asked_at is not None:
            continue
        course.register_asked_at = now
        if not is_marked(course):
            _ask(course, now=now, due_on=rulebook.calendar.next_working_day(today))
    db.session.flush()
    return len(courses)


def _ask(course: PrepCourse, *, now: datetime, due_on: date) -> None:
    user_id = _who_answers(course)
    if user_id is not None:
        title = f"Mark who came to {course.name}"
        task = add_task(title=title, assigned_to_id=user_id, due_on=due_on, actor=SYSTEM, now=now)
        course.register_task_id = task.id


def _who_answers(course: PrepCourse) -> int | None:
    """Whoever leads the course; where none of those who run it works here, whoever planned it, or a manager."""
    ids = [*course.facilitator_ids, *([course.created_by_id] if course.created_by_id else [])]
    here = set(db.session.scalars(select(User.id).where(User.id.in_(ids), User.active))) if ids else set()
    managers = [] if here else [user.id for user in staff_with_role(Role.MANAGER)]
    return next((one for one in (*ids, *managers) if one in here or one in managers), None)

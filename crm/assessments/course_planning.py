"""Planning a preparation course with its sessions, changing it, and calling it off. Everybody who is on it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import joinedload

from crm import policy
from crm.assessments import course_places, course_telling
from crm.assessments.course_models import (
    CourseFacilitator,
    CoursePlace,
    CourseSession,
    CourseStatus,
    PlaceStatus,
    PrepCourse,
)
from crm.assessments.course_queries import certificates_of, course_with
from crm.assessments.course_telling import Gone, Telling, say_session, say_times, where
from crm.audit import record
from crm.calendars import invitations
from crm.calendars.ical import Mailbox
from crm.cases import timeline
from crm.cases.models import Case, Task
from crm.clock import LONDON, london
from crm.db import db
from crm.delivery.post_room import post_room
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

LONGEST_SESSION = timedelta(hours=12)


class CourseNotRight(Refusal):
    """The course can't be kept as it was written."""

    default_status = 422


class CourseChangedMeanwhile(Refusal):
    """Somebody else changed the plan since this person opened it."""


@dataclass(frozen=True, kw_only=True)
class SessionPlan:
    """What one session is to be. ``session_id``: the session that it changes, None for a new one. ``field`` is the box
    of the form that a refusal about it belongs to."""

    starts_at: datetime
    ends_at: datetime
    topics: str | None = None
    place: str | None = None
    session_id: int | None = None
    field: str | None = None


@dataclass(frozen=True, kw_only=True)
class CoursePlan:
    """What a course is to be, as whoever plans it writes it down."""

    name: str
    capacity: int
    sessions: Sequence[SessionPlan]
    place: str | None = None
    link: str | None = None
    getting_in: str | None = None
    facilitator_ids: Sequence[int] = ()
    outside_facilitators: str | None = None


def plan_course(plan: CoursePlan, *, actor: Actor, now: datetime) -> PrepCourse:
    """Make a course. Raises CourseNotRight."""
    require(actor, Permission.MANAGE_COURSES)
    sessions = _in_order(plan)
    if sessions[-1].ends_at <= now:
        raise CourseNotRight("All of its sessions are over. Check the dates.", field=sessions[-1].field)
    course = PrepCourse(
        status=CourseStatus.PLANNED,
        version=1,
        created_at=now,
        created_by_id=actor.user_id,
        sessions=[],
        facilitators=[],
    )
    _write_down(course, plan, sessions)
    db.session.add(course)
    db.session.flush()
    record(
        "course.planned",
        actor=actor,
        at=now,
        subject=f"course:{course.id}",
        detail={"sessions": len(sessions), "capacity": plan.capacity},
    )
    course_telling.tell_staff(course, course.facilitator_ids, now=now)
    return course


@dataclass(frozen=True)
class Changed:
    """What became of a change: how many letters say so, and how many adults got a place that came free."""

    told: int = 0
    moved_up: int = 0


def change_course(
    course: PrepCourse,
    plan: CoursePlan,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Changed:
    """Change a course and its sessions. Where a time or a place moves, or a session comes or goes, whoever is on it is
    told what; with more room, those who wait move up. Raises CourseNotRight, CourseChangedMeanwhile.
    """
    require(actor, Permission.MANAGE_COURSES)
    sessions = _in_order(plan)
    course_places.hold(course)
    if course.is_cancelled:
        raise CourseNotRight("This course is off. Copy it to other dates instead.")
    if seen is not None and seen != course.version:
        raise CourseChangedMeanwhile(
            "Somebody changed this course since you opened this page. Open it again, and make your change there."
        )
    taken = len(course_places.taken_seats(course))
    if plan.capacity < taken:
        raise CourseNotRight(
            f"{taken} places are taken already, so there must be room for {taken} at least.", field="capacity"
        )
    _check_certified(course, sessions)
    kept = {one.session_id for one in sessions}
    for session in course.sessions:
        if session.id not in kept and course_places.has_marks(session):
            raise CourseNotRight(
                f"It is written down who came on {say_times(session)}, so that session stays.",
                field=f"on_{session.id}",
            )
    before, ran_it = _as_it_was(course), set(course.facilitator_ids)
    _write_down(course, plan, sessions)
    course.version += 1
    db.session.flush()
    db.session.refresh(course, ["sessions"])
    course_places.close_ranks(course)
    record("course.changed", actor=actor, at=now, subject=f"course:{course.id}")
    telling = Telling(actor=actor, now=now, today=today, rulebook=rulebook)
    told = 0
    changes, gone = _what_changed(course, before, now=now)
    if changes:
        told = course_telling.tell_changed(course, _live_places(course), telling, changes=changes, gone=gone)
    if not course.is_over(now):
        run_it = set(course.facilitator_ids)
        course_telling.tell_staff(course, run_it if changes else run_it - ran_it, now=now, gone=gone)
        course_telling.tell_staff(course, ran_it - run_it, now=now, is_off=True)
    return Changed(told, len(course_places.move_up(course, telling)))


def cancel_course(
    course: PrepCourse, *, why: str | None, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> int:
    """Call a course off, and tell everybody who is on it or waits, once. Returns how many letters that were.

    ``why`` stands in their letter. Called off already, nobody is told again.
    """
    require(actor, Permission.MANAGE_COURSES)
    course_places.hold(course)
    if course.is_cancelled:
        return 0
    if course.is_over(now):
        raise CourseNotRight("This course is over, so it can’t be called off.", status=409)
    course.status, course.cancelled_at = CourseStatus.CANCELLED, now
    course.cancelled_why = (why or "")[:200] or None
    course.version += 1
    places = _live_places(course)
    told = course_telling.tell_cancelled(
        course, places, Telling(actor=actor, now=now, today=today, rulebook=rulebook), reason=why
    )
    course_telling.tell_staff(course, course.facilitator_ids, now=now, is_off=True)
    for case in {place.case_id: place.case for place in places}.values():
        timeline.add(case, kind="move", title=f"{course.name} was called off"[:200], actor=actor, occurred_at=now)
    record("course.cancelled", actor=actor, at=now, subject=f"course:{course.id}", detail={"told": told})
    return told


def copy_course(course: PrepCourse, *, first_on: date, actor: Actor, now: datetime) -> PrepCourse:
    """A course like this one that begins on another day: its sessions as far apart, at the same hours. Nobody is on it.

    Raises CourseNotRight.
    """
    moved = first_on - london(course.first_starts_at).date()
    plan = CoursePlan(
        name=course.name,
        capacity=course.capacity,
        place=course.place,
        link=course.link,
        getting_in=course.getting_in,
        facilitator_ids=course.facilitator_ids,
        outside_facilitators=course.outside_facilitators,
        sessions=[
            SessionPlan(
                starts_at=_on_another_day(session.starts_at, moved),
                ends_at=_on_another_day(session.ends_at, moved),
                topics=session.topics,
                place=session.place,
            )
            for session in course.sessions
        ],
    )
    return plan_course(plan, actor=actor, now=now)


def _on_another_day(moment: datetime, moved: timedelta) -> datetime:
    """The same time of day in London, so many days on: 10am stays 10am over a clock change."""
    at = london(moment)
    return datetime.combine(at.date() + moved, at.time(), LONDON)


def hand_over_courses(*, from_user_id: int, to_user_id: int, actor: Actor, now: datetime, **_rest: object) -> int:
    """Have whoever takes over run the courses of a leaver that are not over, or not marked yet. Returns how many."""
    rows = db.session.scalars(
        select(CourseFacilitator)
        .join(PrepCourse, PrepCourse.id == CourseFacilitator.course_id)
        .outerjoin(Task, Task.id == PrepCourse.register_task_id)
        .where(
            CourseFacilitator.user_id == from_user_id,
            PrepCourse.status == CourseStatus.PLANNED,
            or_(PrepCourse.last_ends_at > now, and_(Task.id.is_not(None), Task.done_at.is_(None))),
        )
        .order_by(CourseFacilitator.id)
    ).all()
    for row in rows:
        course = course_with(row.course_id)
        if to_user_id in course.facilitator_ids:
            course.facilitators.remove(row)
        else:
            row.user_id = to_user_id
            if not course.is_over(now):
                course_telling.tell_staff(course, [to_user_id], now=now)
        db.session.flush()
        record("course.changed", actor=actor, at=now, subject=f"course:{course.id}")
    return len(rows)


def drift() -> list[str]:
    """Courses whose stored beginning or end is not that of their sessions, or with more people than there is room for.
    For ``crm check``; mends nothing."""
    first, last = func.min(CourseSession.starts_at), func.max(CourseSession.ends_at)
    times = select(CourseSession.course_id, first.label("first"), last.label("last")).group_by(CourseSession.course_id)
    sessions = times.subquery()
    seated = select(func.count(CoursePlace.seat)).where(CoursePlace.course_id == PrepCourse.id).scalar_subquery()
    rows = db.session.execute(
        select(
            PrepCourse.id,
            PrepCourse.first_starts_at,
            PrepCourse.last_ends_at,
            PrepCourse.capacity,
            sessions.c.first,
            sessions.c.last,
            seated.label("seated"),
        ).outerjoin(sessions, sessions.c.course_id == PrepCourse.id)
    ).all()
    faults = [
        f"course {row.id}: its stored times are not those of its sessions"
        for row in rows
        if (row.first_starts_at, row.last_ends_at) != (row.first, row.last)
    ]
    faults += [
        f"course {row.id}: {row.seated} people have a place, and there is room for {row.capacity}"
        for row in rows
        if row.seated > row.capacity
    ]
    return faults


# --- Checking and writing down ----------------------------------------------------------------------------------------


def _in_order(plan: CoursePlan) -> list[SessionPlan]:
    """The sessions in the order of their times. Raises CourseNotRight where two overlap, or one can't be."""
    if not plan.sessions:
        raise CourseNotRight("Give the date and times of at least one session.")
    if not plan.place and not plan.link:
        raise CourseNotRight("Say where it is: a place, or a link where it is held online.", field="place")
    sessions = sorted(plan.sessions, key=lambda one: (one.starts_at, one.ends_at))
    for one in sessions:
        if one.ends_at <= one.starts_at:
            raise CourseNotRight("A session ends after it starts. Check the two times.", field=one.field)
        if one.ends_at - one.starts_at > LONGEST_SESSION:
            raise CourseNotRight("A session is at most 12 hours long. Check the two times.", field=one.field)
    for one, after in zip(sessions, sessions[1:], strict=False):
        if after.starts_at < one.ends_at:
            raise CourseNotRight("Two sessions overlap. Check their times.", field=after.field)
    return sessions


def _check_certified(course: PrepCourse, sessions: Sequence[SessionPlan]) -> None:
    """What a certificate says stays true: once there is one, sessions neither move nor come nor go."""
    now_there = {(session.id, session.starts_at, session.ends_at) for session in course.sessions}
    wanted = {(one.session_id, one.starts_at, one.ends_at) for one in sessions}
    if wanted != now_there and certificates_of(course):
        raise CourseNotRight(
            "Certificates have been issued for this course, so its sessions stay when they were.",
            alternatives=("Take the certificates back first, if a date was wrong.",),
            status=409,
        )


def _write_down(course: PrepCourse, plan: CoursePlan, sessions: Sequence[SessionPlan]) -> None:
    course.name = plan.name.strip()
    course.capacity = plan.capacity
    course.place, course.link = plan.place or None, plan.link or None
    course.getting_in = plan.getting_in or None
    course.outside_facilitators = plan.outside_facilitators or None
    course.first_starts_at, course.last_ends_at = sessions[0].starts_at, max(one.ends_at for one in sessions)
    ids = list(dict.fromkeys(plan.facilitator_ids))
    if list(course.facilitator_ids) != ids:
        there = {row.user_id: row for row in course.facilitators}
        course.facilitators = [there.get(user_id) or CourseFacilitator(user_id=user_id) for user_id in ids]
    known = {session.id: session for session in course.sessions}
    wanted = []
    for one in sessions:
        session = known.get(one.session_id) if one.session_id is not None else None
        if session is None:
            session = CourseSession(calendar_uid=_new_uid(), sequence=0)
        elif (session.starts_at, session.ends_at) != (one.starts_at, one.ends_at):
            session.sequence += 1
            session.reminded_at = None
        session.starts_at, session.ends_at = one.starts_at, one.ends_at
        session.topics, session.place = one.topics or None, one.place or None
        wanted.append(session)
    course.sessions = wanted


def _new_uid() -> str:
    return invitations.new_uid(Mailbox(post_room().visits_mailbox, policy.service().name))


def _as_it_was(course: PrepCourse) -> dict[int, Gone]:
    return {
        session.id: Gone(
            session.calendar_uid, session.sequence, session.starts_at, session.ends_at, where(course, session)
        )
        for session in course.sessions
    }


def _what_changed(course: PrepCourse, before: dict[int, Gone], *, now: datetime) -> tuple[list[str], list[Gone]]:
    """What has moved of the sessions that are still to come, in words for those on it; and those that are gone."""
    changes = []
    for number, session in enumerate(course.sessions, start=1):
        was = before.get(session.id)
        if was is None:
            if session.ends_at > now:
                changes.append(f"New: {say_session(course, session, number)}")
            continue
        if session.ends_at <= now and was.ends_at <= now:
            continue
        if (was.starts_at, was.ends_at) != (session.starts_at, session.ends_at):
            changes.append(f"Session {number} is now on {say_times(session)}. It was to be on {say_times(was)}")
        if was.where != where(course, session):
            changes.append(f"Session {number} is now here: {where(course, session)}. It was to be here: {was.where}")
    there = {session.id for session in course.sessions}
    gone = [was for session_id, was in sorted(before.items()) if session_id not in there and was.ends_at > now]
    return [*changes, *(f"There is no session on {say_times(was)} any more" for was in gone)], gone


def _live_places(course: PrepCourse) -> list[CoursePlace]:
    """Whoever is on a course or waits for it, in the order of the line."""
    return list(
        db.session.scalars(
            select(CoursePlace)
            .where(CoursePlace.course_id == course.id, CoursePlace.status != PlaceStatus.GIVEN_UP)
            .options(joinedload(CoursePlace.person), joinedload(CoursePlace.case).joinedload(Case.household))
            .order_by(CoursePlace.asked_at, CoursePlace.id)
        )
    )

"""Places on a preparation course: given, waited for, moved up to and given up; every adult told.

A place is one adult. Whoever changes the places of a course holds its row, and each place has a numbered seat that
nobody else can have: of two who ask for the last one, one waits. The waiting list moves up by itself: whoever has
waited longest and whose whole party fits gets the places at once, and is told.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlalchemy import select

from crm.assessments import course_telling
from crm.assessments.course_models import (
    CourseAttendance,
    CoursePlace,
    CourseSession,
    CourseStatus,
    PlaceStatus,
    PrepCourse,
)
from crm.assessments.course_queries import course_with
from crm.assessments.course_telling import Telling, first_names
from crm.assessments.steps import note
from crm.cases import timeline
from crm.cases.models import Case, StageChange
from crm.db import db
from crm.rules.permissions import Actor, Permission, Sensitivity, require
from crm.rules.preparation import why_no_place
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

NO_MOVING_UP_WITHIN = timedelta(days=1)
"""A place that comes free later than this before the start stays free: nobody could arrange their days around it."""


class NoPlace(Refusal):
    """This household can't be taken on this course."""


class NotOnCourse(Refusal):
    """Nobody of these people is on the course."""


def give_place(
    course: PrepCourse,
    case: Case,
    *,
    person_ids: Collection[int],
    needs: str | None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> list[CoursePlace]:
    """Take adults of a household on a course, or put them on its waiting list, all or none, and tell each of them.

    Whoever is on it already stays as they are. Gives back the places that are new. Raises NotPermitted, NoPlace.
    """
    require(actor, Permission.BOOK_COURSE)
    hold(course)
    if course.is_cancelled:
        raise NoPlace("This course is off.", field="course")
    if course.is_over(now):
        raise NoPlace("This course is over.", field="course")
    why = why_no_place(case.stages, may_choose_early=actor.has(Permission.DECIDE_TO_ASSESS))
    if why is not None:
        raise NoPlace(why)
    wanted = {
        person.id
        for person in case.household.people
        if person.id in set(person_ids) and person.is_applicant and person.left_household_on is None
    }
    if not wanted or wanted != set(person_ids):
        raise NoPlace("Choose who goes: the applicants of this household.", status=422, field="who")
    held = {place.person_id: place for place in _places(course, case, wanted)}
    new = sorted(one for one in wanted if one not in held or held[one].status == PlaceStatus.GIVEN_UP)
    if not new:
        raise NoPlace("They are on this course already.", field="course")
    free = free_seats(course)
    fits = len(new) <= len(free)
    made = []
    for person_id in new:
        place = held.get(person_id) or CoursePlace(course_id=course.id, person_id=person_id, sequence=0)
        place.case_id = case.id
        place.status = PlaceStatus.CONFIRMED if fits else PlaceStatus.WAITING
        place.seat = free.pop(0) if fits else None
        place.asked_at = now
        place.needs = needs or None
        place.given_up_at = place.given_up_why = None
        db.session.add(place)
        made.append(place)
    db.session.flush()
    course_telling.tell_place(course, made, Telling(actor=actor, now=now, today=today, rulebook=rulebook))
    what = "on" if fits else "on the waiting list of"
    timeline.add(
        case, kind="move", title=f"{first_names(made)} {what} {course.name}"[:200], actor=actor, occurred_at=now
    )
    note(
        "course.place_given",
        case,
        actor=actor,
        now=now,
        subject=f"course:{course.id}",
        people=new,
        status=str(made[0].status),
    )
    return made


def give_up(
    course: PrepCourse,
    case: Case,
    *,
    person_ids: Collection[int],
    why: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> list[CoursePlace]:
    """Take adults of a household off a course, tell them, and give what is free to those who wait.

    What they have done of it stays written down. Raises NotPermitted, NotOnCourse.
    """
    require(actor, Permission.BOOK_COURSE)
    hold(course)
    if not why.strip():
        raise NotOnCourse("Say why they are taken off.", status=422, field="why")
    if course.is_over(now):
        raise NotOnCourse("This course is over: what they did of it stays as it is.")
    return _take_off(
        course,
        case,
        set(person_ids),
        why=why.strip(),
        telling=Telling(actor=actor, now=now, today=today, rulebook=rulebook),
    )


def give_up_places(
    case: Case, change: StageChange, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> None:
    """Take a household whose journey has ended or paused off every course that is not over. Those moves name it."""
    courses = db.session.scalars(
        select(CoursePlace.course_id)
        .join(PrepCourse, PrepCourse.id == CoursePlace.course_id)
        .where(
            CoursePlace.case_id == case.id,
            CoursePlace.status != PlaceStatus.GIVEN_UP,
            PrepCourse.last_ends_at > now,
            PrepCourse.status == CourseStatus.PLANNED,
        )
        .distinct()
        .order_by(CoursePlace.course_id)
    ).all()
    for course_id in courses:
        course = course_with(course_id)
        hold(course)
        _take_off(
            course,
            case,
            {person.id for person in case.household.people},
            why=f"The case was moved: {change.move.replace('_', ' ')}",
            telling=Telling(actor=actor, now=now, today=today, rulebook=rulebook),
        )


def _take_off(course: PrepCourse, case: Case, person_ids: set[int], *, why: str, telling: Telling) -> list[CoursePlace]:
    theirs = [place for place in _places(course, case, person_ids) if place.status != PlaceStatus.GIVEN_UP]
    if not theirs:
        raise NotOnCourse("They are not on this course.", field="who")
    had_place = [place for place in theirs if place.status == PlaceStatus.CONFIRMED]
    waited = [place for place in theirs if place.status == PlaceStatus.WAITING]
    for place in theirs:
        place.status, place.seat = PlaceStatus.GIVEN_UP, None
        place.given_up_at, place.given_up_why = telling.now, why
    db.session.flush()
    for places, took in ((had_place, True), (waited, False)):
        course_telling.tell_given_up(course, places, telling, had_place=took)
    timeline.add(
        case,
        kind="move",
        title=f"{first_names(theirs)} taken off {course.name}"[:200],
        detail=why,
        sensitivity=Sensitivity.PERSONAL,
        actor=telling.actor,
        occurred_at=telling.now,
    )
    note(
        "course.place_given_up",
        case,
        actor=telling.actor,
        now=telling.now,
        subject=f"course:{course.id}",
        people=sorted(place.person_id for place in theirs),
    )
    move_up(course, telling)
    return theirs


def move_up(course: PrepCourse, telling: Telling) -> list[CoursePlace]:
    """Give free places to the longest waiting whose whole party fits, and tell them. The course's row is held."""
    if course.is_cancelled or course.first_starts_at - telling.now < NO_MOVING_UP_WITHIN:
        return []
    waiting: dict[int, list[CoursePlace]] = {}
    for place in db.session.scalars(
        select(CoursePlace)
        .where(CoursePlace.course_id == course.id, CoursePlace.status == PlaceStatus.WAITING)
        .order_by(CoursePlace.asked_at, CoursePlace.id)
    ):
        waiting.setdefault(place.case_id, []).append(place)
    moved: list[CoursePlace] = []
    free = free_seats(course) if waiting else []
    for theirs in waiting.values():
        if len(theirs) > len(free):
            continue
        for place in theirs:
            place.status, place.seat = PlaceStatus.CONFIRMED, free.pop(0)
        db.session.flush()
        course_telling.tell_place(course, theirs, telling, moved_up=True)
        case = theirs[0].case
        timeline.add(
            case,
            kind="move",
            title=f"{first_names(theirs)} moved up from the waiting list of {course.name}"[:200],
            actor=telling.actor,
            occurred_at=telling.now,
        )
        note("course.moved_up", case, actor=telling.actor, now=telling.now, subject=f"course:{course.id}")
        moved += theirs
    return moved


# --- Seats ------------------------------------------------------------------------------------------------------------


def hold(course: PrepCourse) -> None:
    """Keep other changes of this course's places waiting until this one has ended."""
    db.session.flush()
    db.session.refresh(course, with_for_update=True)


def free_seats(course: PrepCourse) -> list[int]:
    """The numbers of the seats that nobody has, the lowest first. The course's row is held."""
    taken = set(taken_seats(course))
    free = [number for number in range(1, course.capacity + 1) if number not in taken]
    return free[: max(0, course.capacity - len(taken))]


def taken_seats(course: PrepCourse) -> list[int]:
    """The numbers of the seats that somebody has."""
    return [
        seat
        for seat in db.session.scalars(
            select(CoursePlace.seat).where(CoursePlace.course_id == course.id, CoursePlace.seat.is_not(None))
        )
        if seat is not None
    ]


def close_ranks(course: PrepCourse) -> None:
    """Number the seats from 1 on again, so that all are within a smaller room."""
    places = db.session.scalars(
        select(CoursePlace)
        .where(CoursePlace.course_id == course.id, CoursePlace.seat.is_not(None))
        .order_by(CoursePlace.seat)
    ).all()
    for number, place in enumerate(places, start=1):
        place.seat = number
        db.session.flush()  # one after the other, downwards: no two ever have one number


def has_marks(session: CourseSession) -> bool:
    """Whether it is written down of anybody how they took part in a session."""
    mark = select(CourseAttendance.id).where(CourseAttendance.session_id == session.id).limit(1)
    return db.session.scalar(mark) is not None


def _places(course: PrepCourse, case: Case, person_ids: Collection[int]) -> list[CoursePlace]:
    """By person, not by case: somebody may have been put down from another journey of the same household."""
    return list(
        db.session.scalars(
            select(CoursePlace)
            .where(
                CoursePlace.course_id == course.id,
                CoursePlace.person_id.in_(list(person_ids)),
            )
            .order_by(CoursePlace.id)
        )
    )

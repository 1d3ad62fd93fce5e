"""Reads of preparation courses: the list, one course with everybody on it, and what one household has done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import bindparam, func, select, tuple_
from sqlalchemy.orm import joinedload, selectinload

from crm.access.queries import names_of, staff_who_may
from crm.assessments.course_models import (
    CourseAttendance,
    CourseCertificate,
    CourseNote,
    CoursePlace,
    CourseSession,
    CourseStatus,
    PlaceStatus,
    PrepCourse,
)
from crm.assessments.course_telling import where
from crm.assessments.queries import NothingThere, openable_ids
from crm.cases.models import Case, Person
from crm.db import db
from crm.delivery.wording import and_list
from crm.rules.permissions import Actor, Permission, Role
from crm.rules.preparation import Progress, progress

NOT_HERE = "We can’t find that course, or what you looked for on it."
"""Said of what there is not and of what is not this person's alike, so that the two can't be told apart."""

# --- One course -------------------------------------------------------------------------------------------------------


def course_with(course_id: int) -> PrepCourse:
    """One course with its sessions and who runs it. Raises NothingThere."""
    course = db.session.scalars(
        select(PrepCourse)
        .where(PrepCourse.id == course_id)
        .options(selectinload(PrepCourse.sessions), selectinload(PrepCourse.facilitators))
    ).first()
    if course is None:
        raise NothingThere(NOT_HERE)
    return course


def numbered_session(course: PrepCourse, session_id: int) -> tuple[int, CourseSession]:
    """One session of this course, and its number. Raises NothingThere."""
    for number, session in enumerate(course.sessions, start=1):
        if session.id == session_id:
            return number, session
    raise NothingThere(NOT_HERE)


def runs(course: PrepCourse, actor: Actor) -> bool:
    """Whether this person may say who came, write notes and issue certificates: who runs it, or a manager for them."""
    if not actor.has(Permission.BOOK_COURSE):
        return False
    return actor.user_id in course.facilitator_ids or Role.MANAGER in actor.roles


def course_run_by(actor: Actor, course_id: int) -> PrepCourse:
    """A course, for whoever runs it. Raises NothingThere."""
    course = course_with(course_id)
    if not runs(course, actor):
        raise NothingThere(NOT_HERE)
    return course


def facilitator_words(course: PrepCourse, names: dict[int, str]) -> str:
    """Everybody who runs a course, as they are named."""
    staff = [names[one] for one in course.facilitator_ids if one in names]
    return and_list([*staff, *([course.outside_facilitators] if course.outside_facilitators else [])])


def facilitators_to_choose(also: Iterable[int] = ()) -> list[tuple[int, str]]:
    """Those who work here now and may run a course, by name; and whoever runs this one already."""
    able = {user.id: user.name for user in staff_who_may(Permission.BOOK_COURSE)}
    return sorted({**able, **names_of(also)}.items(), key=lambda pair: (pair[1].casefold(), pair[0]))


def places_on(course: PrepCourse) -> list[CoursePlace]:
    """Everybody who was ever put down for a course, in the order of the line, with their households."""
    return list(
        db.session.scalars(
            select(CoursePlace)
            .where(CoursePlace.course_id == course.id)
            .options(
                joinedload(CoursePlace.person),
                joinedload(CoursePlace.case).joinedload(Case.household),
            )
            .order_by(CoursePlace.asked_at, CoursePlace.id)
        )
    )


def marks_of(
    course_ids: Iterable[int], person_ids: Iterable[int] | None = None
) -> dict[tuple[int, int], CourseAttendance]:
    """How each took part, by session and person."""
    query = (
        select(CourseAttendance)
        .join(CourseSession, CourseSession.id == CourseAttendance.session_id)
        .where(CourseSession.course_id.in_(list(course_ids)))
    )
    if person_ids is not None:
        query = query.where(CourseAttendance.person_id.in_(list(person_ids)))
    return {(row.session_id, row.person_id): row for row in db.session.scalars(query)}


def certificates_of(course: PrepCourse) -> dict[int, CourseCertificate]:
    """Certificates of a course that stand, by whose they are."""
    rows = db.session.scalars(
        select(CourseCertificate).where(
            CourseCertificate.course_id == course.id, CourseCertificate.taken_back_at.is_(None)
        )
    )
    return {row.person_id: row for row in rows}


def certificate_of(actor: Actor, course: PrepCourse, certificate_id: int, *, today: date) -> CourseCertificate:
    """A certificate of this course, for whoever runs it or may open the household. Raises NothingThere."""
    found = db.session.get(CourseCertificate, certificate_id)
    if found is None or found.course_id != course.id:
        raise NothingThere(NOT_HERE)
    if not runs(course, actor) and found.case_id not in openable_ids(actor, [found.case_id], today=today):
        raise NothingThere(NOT_HERE)
    return found


@dataclass(frozen=True)
class Adult:
    """One person on a course."""

    place: CoursePlace
    marks: tuple[CourseAttendance | None, ...]
    """One for each session, in order."""
    progress: Progress
    certificate: CourseCertificate | None

    @property
    def person(self) -> Person:
        return self.place.person

    @property
    def is_on(self) -> bool:
        return self.place.status == PlaceStatus.CONFIRMED


@dataclass(frozen=True)
class Party:
    """A household on a course. It is named to those who may open it or run the course."""

    case_id: int
    reference: str
    household: str | None
    may_open: bool
    adults: tuple[Adult, ...]
    has_note: bool = False

    @property
    def is_on(self) -> bool:
        return any(adult.is_on for adult in self.adults)

    @property
    def is_waiting(self) -> bool:
        return any(adult.place.status == PlaceStatus.WAITING for adult in self.adults)

    @property
    def needs(self) -> str | None:
        return next((adult.place.needs for adult in self.adults if adult.place.needs), None)


def adults_of(
    course: PrepCourse,
    places: Iterable[CoursePlace],
    marks: dict[tuple[int, int], CourseAttendance],
    certificates: dict[int, CourseCertificate],
) -> list[Adult]:
    """What each of these people has done of a course."""
    found = []
    for place in places:
        theirs = tuple(marks.get((session.id, place.person_id)) for session in course.sessions)
        done = progress([mark.how if mark is not None else None for mark in theirs])
        found.append(Adult(place, theirs, done, certificates.get(place.person_id)))
    return found


def parties(course: PrepCourse, actor: Actor, *, today: date) -> list[Party]:
    """Every household that was put down for a course, in the order of the line. Five queries, however many."""
    places = places_on(course)
    by_case: dict[int, list[Adult]] = {}
    for adult in adults_of(course, places, marks_of([course.id]), certificates_of(course)):
        by_case.setdefault(adult.place.case_id, []).append(adult)
    may_open = openable_ids(actor, by_case, today=today)
    sees_all = runs(course, actor)
    noted = set(db.session.scalars(select(CourseNote.case_id).where(CourseNote.course_id == course.id)))
    found = []
    for case_id, adults in by_case.items():
        case = adults[0].place.case
        opens = case_id in may_open
        household = case.household.name if opens or sees_all else None
        found.append(Party(case_id, case.reference, household, opens, tuple(adults), case_id in noted))
    return found


def party_of(course: PrepCourse, actor: Actor, reference: str, *, today: date) -> tuple[Case, Party]:
    """One household on a course, which this person runs. Raises NothingThere."""
    for party in parties(course, actor, today=today):
        if party.reference == reference:
            return party.adults[0].place.case, party
    raise NothingThere(NOT_HERE)


def notes_by(actor: Actor, course: PrepCourse, case_id: int) -> dict[int | None, CourseNote]:
    """One facilitator's own notes about a household on a course, by whom they are about (None: the household)."""
    rows = db.session.scalars(
        select(CourseNote)
        .where(
            CourseNote.course_id == course.id,
            CourseNote.case_id == case_id,
            CourseNote.written_by_id == actor.user_id,
        )
        .order_by(CourseNote.id)
    )
    return {row.person_id: row for row in rows}


# --- The list ---------------------------------------------------------------------------------------------------------

COURSES_SHOWN = 25


@dataclass(frozen=True)
class CourseLine:
    """One course of the list."""

    id: int
    name: str
    where: str
    first_starts_at: datetime
    last_ends_at: datetime
    sessions: int
    capacity: int
    taken: int
    waiting: int
    is_cancelled: bool
    facilitators: str

    @property
    def left(self) -> int:
        return max(0, self.capacity - self.taken)


def course_lines(
    *, now: datetime, past: bool, after: tuple[datetime, int] | None = None
) -> tuple[list[CourseLine], tuple[datetime, int] | None]:
    """Courses that are still to end, the next first; or past ones, the latest first. With the place to go on from."""
    key = tuple_(PrepCourse.first_starts_at, PrepCourse.id)
    query = select(PrepCourse).options(selectinload(PrepCourse.sessions), selectinload(PrepCourse.facilitators))
    if past:
        query = query.where(PrepCourse.last_ends_at <= now)
        query = query.order_by(PrepCourse.first_starts_at.desc(), PrepCourse.id.desc())
        query = query.where(key < after) if after else query
    else:
        query = query.where(PrepCourse.last_ends_at > now).order_by(PrepCourse.first_starts_at, PrepCourse.id)
        query = query.where(key > after) if after else query
    courses = list(db.session.scalars(query.limit(COURSES_SHOWN + 1)))
    more, courses = len(courses) > COURSES_SHOWN, courses[:COURSES_SHOWN]
    counts = _counts([course.id for course in courses])
    names = names_of(one for course in courses for one in course.facilitator_ids)
    lines = [
        CourseLine(
            id=course.id,
            name=course.name,
            where=where(course),
            first_starts_at=course.first_starts_at,
            last_ends_at=course.last_ends_at,
            sessions=len(course.sessions),
            capacity=course.capacity,
            taken=counts.get((course.id, PlaceStatus.CONFIRMED), 0),
            waiting=counts.get((course.id, PlaceStatus.WAITING), 0),
            is_cancelled=course.is_cancelled,
            facilitators=facilitator_words(course, names),
        )
        for course in courses
    ]
    return lines, (courses[-1].first_starts_at, courses[-1].id) if more else None


def _counts(course_ids: Sequence[int]) -> dict[tuple[int, str], int]:
    rows = db.session.execute(
        select(CoursePlace.course_id, CoursePlace.status, func.count())
        .where(CoursePlace.course_id.in_(course_ids))
        .group_by(CoursePlace.course_id, CoursePlace.status)
    )
    return {(course_id, status): count for course_id, status, count in rows}


def courses_to_choose(case: Case, *, now: datetime) -> list[tuple[PrepCourse, int]]:
    """Courses that are still to end and on which not all of this household's applicants are, with the places left."""
    live = {person.id for person in case.household.people if person.is_applicant and person.left_household_on is None}
    courses = db.session.scalars(
        select(PrepCourse)
        .where(PrepCourse.last_ends_at > now, PrepCourse.status == CourseStatus.PLANNED)
        .options(selectinload(PrepCourse.sessions))
        .order_by(PrepCourse.first_starts_at, PrepCourse.id)
        .limit(COURSES_SHOWN)
    ).all()
    counts = _counts([course.id for course in courses])
    taken: dict[int, set[int]] = {}
    for course_id, person_id in db.session.execute(
        select(CoursePlace.course_id, CoursePlace.person_id).where(
            CoursePlace.case_id == case.id, CoursePlace.status != PlaceStatus.GIVEN_UP
        )
    ):
        taken.setdefault(course_id, set()).add(person_id)
    return [
        (course, max(0, course.capacity - counts.get((course.id, PlaceStatus.CONFIRMED), 0)))
        for course in courses
        if live - taken.get(course.id, set())
    ]


# --- One household ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OnCourse:
    """A course that a household was put down for, and what each of its adults did of it."""

    course: PrepCourse
    adults: tuple[Adult, ...]
    notes: tuple[CourseNote, ...]

    @property
    def is_given_up(self) -> bool:
        return all(adult.place.status == PlaceStatus.GIVEN_UP for adult in self.adults)

    @property
    def is_waiting(self) -> bool:
        return any(adult.place.status == PlaceStatus.WAITING for adult in self.adults)


def preparation_of(case: Case) -> list[OnCourse]:
    """Every course of a household, the latest first, with notes and certificates. A fixed number of queries."""
    places = list(db.session.scalars(_PLACES, {"case_id": case.id}))
    if not places:
        return []
    courses = {place.course_id: place.course for place in places}
    marks = marks_of(courses, {place.person_id for place in places})
    certificates: dict[int, dict[int, CourseCertificate]] = {}
    for one in db.session.scalars(
        select(CourseCertificate).where(CourseCertificate.case_id == case.id, CourseCertificate.taken_back_at.is_(None))
    ):
        certificates.setdefault(one.course_id, {})[one.person_id] = one
    notes: dict[int, list[CourseNote]] = {}
    for note in db.session.scalars(
        select(CourseNote)
        .where(CourseNote.case_id == case.id)
        .options(joinedload(CourseNote.person))
        .order_by(CourseNote.id)
    ):
        notes.setdefault(note.course_id, []).append(note)
    found = [
        OnCourse(
            course,
            tuple(
                adults_of(
                    course,
                    [place for place in places if place.course_id == course.id],
                    marks,
                    certificates.get(course.id, {}),
                )
            ),
            tuple(notes.get(course.id, ())),
        )
        for course in courses.values()
    ]
    return sorted(found, key=lambda one: (one.course.first_starts_at, one.course.id), reverse=True)


_PLACES = (
    select(CoursePlace)
    .where(CoursePlace.case_id == bindparam("case_id"))
    .options(
        joinedload(CoursePlace.person),
        joinedload(CoursePlace.course).selectinload(PrepCourse.sessions),
        joinedload(CoursePlace.course).selectinload(PrepCourse.facilitators),
    )
    .order_by(CoursePlace.id)
)


@dataclass(frozen=True)
class Prepared:
    """How far one applicant is with their preparation, over all the courses they were on."""

    person: Person
    state: str
    words: str


def prepared(case: Case, courses: Sequence[OnCourse], *, now: datetime) -> list[Prepared]:
    """Each applicant and how far they are: by the certificate they have, else by the course on which they did most."""
    found = []
    for person in case.household.people:
        if not person.is_applicant or person.left_household_on is not None:
            continue
        theirs = [
            (one.course, adult)
            for one in courses
            for adult in one.adults
            if adult.place.person_id == person.id and (adult.is_on or adult.place.status == PlaceStatus.WAITING)
        ]
        found.append(Prepared(person, *_how_far(theirs, now=now)))
    return found


def _how_far(theirs: Sequence[tuple[PrepCourse, Adult]], *, now: datetime) -> tuple[str, str]:
    on = [(course, adult) for course, adult in theirs if adult.is_on and not course.is_cancelled]
    if any(adult.certificate is not None for _, adult in on):
        return "ok", "Certificate issued"
    if any(adult.progress.is_complete for _, adult in on):
        return "ok", "All sessions done"
    if on:
        course, adult = max(on, key=lambda pair: (pair[1].progress.done, pair[0].first_starts_at))
        if adult.progress.missed:
            return "over", adult.progress.words
        return ("due" if course.has_begun(now) else "waiting"), adult.progress.words
    if any(not course.is_cancelled and not course.is_over(now) for course, _ in theirs):
        return "waiting", "On the waiting list"
    return "none", "On no course yet"

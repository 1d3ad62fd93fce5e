"""Who came to each session, what facilitators saw of them, and the certificate at the end."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from crm.assessments.course_models import (
    CourseAttendance,
    CourseCertificate,
    CourseNote,
    CoursePlace,
    CourseSession,
    PlaceStatus,
    PrepCourse,
)
from crm.assessments.course_places import hold
from crm.assessments.course_queries import adults_of, certificates_of, marks_of, numbered_session, runs
from crm.assessments.steps import note
from crm.audit import record
from crm.cases import timeline
from crm.cases.models import Case, Person, Task
from crm.cases.tasks import complete_task
from crm.clock import london_date
from crm.db import db
from crm.delivery.wording import and_list
from crm.rules.permissions import Actor, Permission, require
from crm.rules.preparation import COUNTS, How
from crm.rules.refusal import Refusal

NUMBER_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Of a certificate's number: none that is taken for another when it is read out."""
_DID = {How.CAME: "came", How.PART: "came for part of it", How.MISSED: "missed it", How.MADE_UP: "made it up elsewhere"}


class NotTheirCourse(Refusal):
    """Only those who run a course say who came to it."""

    default_status = 403


class CannotMark(Refusal):
    """It can't be written down like that who came."""

    default_status = 422


class NothingSaid(Refusal):
    """A note that says nothing."""

    default_status = 422


class NobodyToCertify(Refusal):
    """Nobody has been through the whole course who has no certificate yet."""


class CertificateTakenBack(Refusal):
    """It was issued by mistake, and counts for nothing."""


@dataclass(frozen=True)
class Mark:
    """How one person took part in a session; when and where, if they made it up elsewhere."""

    how: How
    made_up_on: date | None = None
    made_up_where: str | None = None


def check_runs(course: PrepCourse, actor: Actor) -> None:
    """Raises NotPermitted or NotTheirCourse."""
    require(actor, Permission.BOOK_COURSE)
    if not runs(course, actor):
        raise NotTheirCourse("Only those who run this course, or a manager, can do this.")


# --- Who came ---------------------------------------------------------------------------------------------------------


def mark_session(
    course: PrepCourse,
    session_id: int,
    marks: Mapping[int, Mark | None],
    *,
    actor: Actor,
    now: datetime,
    today: date,
) -> int:
    """Write down how each person took part in a session; None takes a mark back. Returns how many were changed.

    Raises NotTheirCourse, CannotMark.
    """
    check_runs(course, actor)
    hold(course)
    number, session = numbered_session(course, session_id)
    if session.starts_at > now:
        raise CannotMark("This session is still to come. Mark it once it has begun.", status=409)
    places = {place.person_id: place for place in _places(course)}
    if not marks.keys() <= places.keys():
        raise CannotMark("Somebody here has no place on this course any more. Open the page again.", status=409)
    known = marks_of([course.id], places)
    certified = certificates_of(course)
    changed: dict[int, Mark | None] = {}
    for person_id, mark in marks.items():
        place, row = places[person_id], known.get((session.id, person_id))
        if not _differs(row, mark):
            continue
        _check(mark, place.person, session, today=today)
        if person_id in certified and (mark is None or mark.how not in COUNTS):
            raise CannotMark(
                f"{place.person.given_name} has a certificate for this course. Take it back first.",
                field=f"how_{person_id}",
                status=409,
            )
        _write(row, session, person_id, mark, actor=actor, now=now)
        changed[person_id] = mark
    db.session.flush()
    if not changed:
        return 0
    _tell_story(course, number, [places[one] for one in changed], changed, actor=actor, now=now)
    record(
        "course.attendance",
        actor=actor,
        at=now,
        subject=f"course:{course.id}",
        detail={"session": number, "marked": len(changed)},
    )
    _tick_off_task(course, actor=actor, now=now)
    return len(changed)


def is_marked(course: PrepCourse) -> bool:
    """Whether it is written down of everybody on a course how they took part in each session."""
    adults = adults_of(course, _places(course), marks_of([course.id]), {})
    return all(adult.progress.unmarked == 0 for adult in adults)


def _differs(row: CourseAttendance | None, mark: Mark | None) -> bool:
    there = None if row is None else Mark(How(row.how), row.made_up_on, row.made_up_where)
    return there != mark


def _check(mark: Mark | None, person: Person, session: CourseSession, *, today: date) -> None:
    if mark is None or mark.how != How.MADE_UP:
        return
    if mark.made_up_on is None:
        raise CannotMark(f"Give the day on which {person.given_name} made it up.", field=f"made_up_on_{person.id}")
    if mark.made_up_on > today:
        raise CannotMark("They can’t have made it up after today.", field=f"made_up_on_{person.id}")
    if not mark.made_up_where:
        raise CannotMark(
            f"Say where {person.given_name} made it up: another course, or a visit.", field=f"made_up_where_{person.id}"
        )


def _write(
    row: CourseAttendance | None,
    session: CourseSession,
    person_id: int,
    mark: Mark | None,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    if mark is None:
        if row is not None:
            db.session.delete(row)
        return
    row = row or CourseAttendance(session_id=session.id, person_id=person_id)
    row.how, row.made_up_on, row.made_up_where = mark.how, mark.made_up_on, mark.made_up_where
    row.marked_at, row.marked_by_id = now, actor.user_id
    db.session.add(row)


def _tell_story(
    course: PrepCourse,
    number: int,
    places: list[CoursePlace],
    changed: Mapping[int, Mark | None],
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """A line for each household: who came and who did not, each of two by name."""
    by_case: dict[int, list[CoursePlace]] = {}
    for place in places:
        by_case.setdefault(place.case_id, []).append(place)
    for theirs in by_case.values():
        said = []
        for place in theirs:
            mark = changed[place.person_id]
            did = _DID[mark.how] if mark is not None else "is not marked any more"
            said.append(f"{place.person.given_name} {did}")
        timeline.add(
            theirs[0].case,
            kind="contact",
            title=f"{course.name}, session {number}: {and_list(said)}"[:200],
            actor=actor,
            occurred_at=now,
        )


def _tick_off_task(course: PrepCourse, *, actor: Actor, now: datetime) -> None:
    """Whoever was asked who came is asked no longer."""
    task = db.session.get(Task, course.register_task_id) if course.register_task_id else None
    if task is not None and task.done_at is None and course.is_over(now) and is_marked(course):
        complete_task(task, actor=actor, now=now)


def _places(course: PrepCourse) -> list[CoursePlace]:
    return list(
        db.session.scalars(
            select(CoursePlace)
            .where(CoursePlace.course_id == course.id, CoursePlace.status == PlaceStatus.CONFIRMED)
            .options(joinedload(CoursePlace.person), joinedload(CoursePlace.case).joinedload(Case.household))
            .order_by(CoursePlace.asked_at, CoursePlace.id)
        )
    )


# --- Notes ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What a facilitator saw of somebody."""

    strengths: str | None
    to_explore: str | None

    @property
    def says_something(self) -> bool:
        return bool(self.strengths or self.to_explore)


def write_notes(
    course: PrepCourse, case: Case, notes: Mapping[int | None, Seen], *, actor: Actor, now: datetime
) -> int:
    """Keep what a facilitator saw of the adults of a household, and of the household as a whole (None), for the
    assessment. Each facilitator has their own; an emptied one is taken back. Returns how many there are now.

    Raises NotTheirCourse, NothingSaid.
    """
    check_runs(course, actor)
    assert actor.user_id is not None
    own = {
        row.person_id: row
        for row in db.session.scalars(
            select(CourseNote)
            .where(
                CourseNote.course_id == course.id,
                CourseNote.case_id == case.id,
                CourseNote.written_by_id == actor.user_id,
            )
            .with_for_update()
        )
    }
    if not own and not any(seen.says_something for seen in notes.values()):
        raise NothingSaid("Write a strength, or something to explore, of one of them or of the household.")
    changed = False
    for person_id, seen in notes.items():
        row = own.get(person_id)
        if row is not None and (row.strengths or None, row.to_explore or None) == (
            seen.strengths or None,
            seen.to_explore or None,
        ):
            continue
        if not seen.says_something:
            if row is not None:
                db.session.delete(own.pop(person_id))
                changed = True
            continue
        if row is None:
            row = CourseNote(course_id=course.id, case_id=case.id, person_id=person_id, written_by_id=actor.user_id)
            own[person_id] = row
        row.strengths, row.to_explore, row.written_at = seen.strengths or None, seen.to_explore or None, now
        db.session.add(row)
        changed = True
    db.session.flush()
    if changed:
        timeline.add(
            case, kind="note", title=f"Facilitator’s note from {course.name}"[:200], actor=actor, occurred_at=now
        )
        note("course.noted", case, actor=actor, now=now, subject=f"course:{course.id}", notes=len(own))
    return len(own)


# --- Certificates -----------------------------------------------------------------------------------------------------


def issue_certificates(course: PrepCourse, *, actor: Actor, now: datetime, today: date) -> list[CourseCertificate]:
    """Give a certificate to everybody who has been through the whole course and has none. Raises NotTheirCourse,
    NobodyToCertify."""
    check_runs(course, actor)
    assert actor.user_id is not None
    hold(course)
    gone = select(CourseCertificate).where(
        CourseCertificate.course_id == course.id, CourseCertificate.taken_back_at.is_not(None)
    )
    taken_back = {row.person_id: row for row in db.session.scalars(gone)}
    issued = []
    for adult in adults_of(course, _places(course), marks_of([course.id]), certificates_of(course)):
        if not adult.progress.is_complete or adult.certificate is not None:
            continue
        certificate = taken_back.get(adult.person.id) or CourseCertificate(
            course_id=course.id, person_id=adult.person.id
        )
        certificate.case_id = adult.place.case_id
        certificate.number = "".join(secrets.choice(NUMBER_LETTERS) for _ in range(8))
        certificate.name = adult.person.full_name[:250]
        certificate.issued_on, certificate.issued_by_id, certificate.taken_back_at = today, actor.user_id, None
        db.session.add(certificate)
        db.session.flush()
        case = adult.place.case
        timeline.add(
            case,
            kind="move",
            title=f"Certificate of {course.name} for {adult.person.given_name}"[:200],
            actor=actor,
            occurred_at=now,
        )
        note("course.certified", case, actor=actor, now=now, subject=f"person:{adult.person.id}", course=course.id)
        issued.append(certificate)
    if not issued:
        raise NobodyToCertify(
            "Nobody has done every session who has no certificate yet. Mark who came, and what was made up elsewhere."
        )
    return issued


def take_certificate_back(course: PrepCourse, certificate: CourseCertificate, *, actor: Actor, now: datetime) -> None:
    """Take back a certificate that was issued by mistake. Raises NotTheirCourse, CertificateTakenBack."""
    check_runs(course, actor)
    hold(course)
    check_stands(certificate)
    case = db.session.get_one(Case, certificate.case_id)
    certificate.taken_back_at = now
    timeline.add(
        case,
        kind="move",
        title=f"Certificate of {course.name} for {certificate.name} taken back"[:200],
        actor=actor,
        occurred_at=now,
    )
    note(
        "course.certificate_taken_back",
        case,
        actor=actor,
        now=now,
        subject=f"person:{certificate.person_id}",
        course=course.id,
    )


def check_stands(certificate: CourseCertificate) -> None:
    """Raises CertificateTakenBack."""
    if certificate.taken_back_at is not None:
        raise CertificateTakenBack(f"The certificate of {certificate.name} was taken back.")


def days_of(course: PrepCourse) -> tuple[date, date]:
    """The first and the last day of a course in London: what stands on a certificate."""
    return london_date(course.first_starts_at), london_date(course.last_ends_at)

"""What a household is told of its preparation course: a letter to each adult who goes, with a calendar file.

Each letter carries every session in one file, so that whoever opens it has them all; a later one moves or takes out
what an earlier one put there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from crm import policy
from crm.access.models import User
from crm.assessments.course_models import CoursePlace, CourseSession, PlaceStatus, PrepCourse
from crm.calendars import ical
from crm.calendars.ical import EventFacts
from crm.cases import letters
from crm.db import db
from crm.delivery import Attachment, Channel, NewMessage, Recipient, enqueue
from crm.delivery.post_room import post_room
from crm.delivery.wording import and_list, clock_time, day
from crm.rules.permissions import Actor
from crm.rules.rulebook import Rulebook

CALENDAR_FILE = "course.ics"
STAFF_GRACE = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Telling:
    """By whom, when and under which rules something is told."""

    actor: Actor
    now: datetime
    today: date
    rulebook: Rulebook


@dataclass(frozen=True)
class Gone:
    """A session that there is no longer: as it stands in calendars until it is taken out."""

    calendar_uid: str
    sequence: int
    starts_at: datetime
    ends_at: datetime
    where: str


def where(course: PrepCourse, session: CourseSession | None = None) -> str:
    """Where a course, or one session of it, is held."""
    return (session.place if session is not None else None) or course.place or "Online"


def say_session(course: PrepCourse, session: CourseSession, number: int) -> str:
    """ "Session 2: Saturday 3 October, 10am to 4pm, Kestrel House. Attachment and loss"."""
    said = f"Session {number}: {say_times(session)}"
    if session.place and session.place != course.place:
        said += f", {session.place}"
    return f"{said}. {session.topics}" if session.topics else said


def say_times(session: CourseSession | Gone) -> str:
    """ "Saturday 3 October, 10am to 4pm"."""
    return f"{day(session.starts_at)}, {clock_time(session.starts_at)} to {clock_time(session.ends_at)}"


def tell_place(course: PrepCourse, places: Sequence[CoursePlace], telling: Telling, *, moved_up: bool = False) -> int:
    """They have a place, or stand in the line for one. ``moved_up``: it has come free for them."""
    told = 0
    for status, kind in (
        (PlaceStatus.CONFIRMED, "course_place_free" if moved_up else "course_place"),
        (PlaceStatus.WAITING, "course_waiting"),
    ):
        told += _tell(kind, course, [one for one in places if one.status == status], telling, **_plan(course, kind))
    return told


def tell_changed(
    course: PrepCourse,
    places: Sequence[CoursePlace],
    telling: Telling,
    *,
    changes: Sequence[str],
    gone: Sequence[Gone] = (),
) -> int:
    """The plan has changed: what, in words, and all of it as it is now. Returns how many letters that were."""
    told = 0
    for status, is_waiting in ((PlaceStatus.CONFIRMED, False), (PlaceStatus.WAITING, True)):
        more = {"changes": list(changes), "is_waiting": is_waiting, **_plan(course, "course_changed")}
        if is_waiting:
            more["join_url"] = None
        theirs = [one for one in places if one.status == status]
        told += _tell("course_changed", course, theirs, telling, gone=gone, **more)
    return told


def tell_cancelled(course: PrepCourse, places: Sequence[CoursePlace], telling: Telling, *, reason: str | None) -> int:
    """The course is off. Returns how many letters that were."""
    told = 0
    for status in (PlaceStatus.CONFIRMED, PlaceStatus.WAITING):
        theirs = [one for one in places if one.status == status]
        took = status == PlaceStatus.CONFIRMED
        told += _tell("course_cancelled", course, theirs, telling, takes_out=took, reason=reason or None)
    return told


def tell_given_up(course: PrepCourse, places: Sequence[CoursePlace], telling: Telling, *, had_place: bool) -> int:
    """They are off the course, or out of its line."""
    return _tell("course_given_up", course, places, telling, takes_out=had_place)


def remind(
    course: PrepCourse, session: CourseSession, number: int, places: Sequence[CoursePlace], telling: Telling
) -> int:
    """A session is tomorrow."""
    return _tell(
        "course_reminder",
        course,
        places,
        telling,
        occasion=f"session{session.id}:{session.starts_at:%Y%m%d%H%M}",
        starts_at=session.starts_at,
        ends_at=session.ends_at,
        where=where(course, session),
        join_url=course.link if not (session.place or course.place) else None,
        session_number=str(number),
    )


def tell_staff(
    course: PrepCourse, user_ids: Iterable[int], *, now: datetime, is_off: bool = False, gone: Sequence[Gone] = ()
) -> None:
    """Whoever runs a course hears of it as it is now, or that it is theirs no more.

    A few minutes later, so that a plan that is changed at once is one letter.
    """
    wanted = list(user_ids)
    for user in db.session.scalars(select(User).where(User.id.in_(wanted), User.active).order_by(User.id)):
        enqueue(
            NewMessage(
                kind="course_staff",
                channel=Channel.EMAIL,
                to=Recipient(email=user.email),
                dedupe_key=f"course_staff:{course.id}:{course.version}:user{user.id}",
                context={
                    "service": policy.service(),
                    "first_name": user.name.split()[0],
                    "course_name": course.name,
                    "starts_at": course.first_starts_at,
                    "sessions": [say_session(course, session, n) for n, session in enumerate(course.sessions, start=1)],
                    "where": where(course),
                    "course_url": f"{post_room().base_url.rstrip('/')}/courses/{course.id}",
                    "is_off": is_off,
                },
                user_id=user.id,
                attachment=_calendar_file(course, course.version, takes_out=is_off, gone=gone, now=now),
                stream=f"course_staff:{course.id}:user{user.id}",
                sequence=course.version,
                not_before=now + STAFF_GRACE,
                not_after=course.last_ends_at,
            ),
            now=now,
        )


def _plan(course: PrepCourse, kind: str) -> dict[str, Any]:
    """All that a letter says of the course as a whole."""
    plan: dict[str, Any] = {
        "sessions": [say_session(course, session, n) for n, session in enumerate(course.sessions, start=1)],
        "where": where(course),
    }
    if kind != "course_changed":
        plan["getting_in"] = course.getting_in
    if kind != "course_waiting":
        plan["join_url"] = course.link
    return plan


_PLACES = frozenset({"course_place", "course_place_free"})
_IN_CALENDAR = _PLACES | {"course_changed"}
_BEFORE = frozenset({"course_place", "course_waiting", "course_place_free", "course_reminder"})


def _tell(
    kind: str,
    course: PrepCourse,
    places: Sequence[CoursePlace],
    telling: Telling,
    *,
    takes_out: bool = False,
    gone: Sequence[Gone] = (),
    occasion: str | None = None,
    **context: Any,
) -> int:
    """Write to the adults of these places, household by household."""
    by_case: dict[int, list[CoursePlace]] = {}
    for place in places:
        by_case.setdefault(place.case_id, []).append(place)
    told = 0
    for theirs in by_case.values():
        is_plan = occasion is None
        sequence = max(place.sequence for place in theirs) + 1
        if is_plan:
            for place in theirs:
                place.sequence = sequence
        in_calendar = takes_out or (kind in _IN_CALENDAR and all(one.status == PlaceStatus.CONFIRMED for one in theirs))
        ends = context.get("starts_at", course.last_ends_at)
        told += len(
            letters.send_to_applicants(
                kind,
                case=theirs[0].case,
                only={place.person_id for place in theirs},
                context={
                    "course_name": course.name,
                    "starts_at": course.first_starts_at,
                    **({"both_go": len(theirs) > 1} if kind in _PLACES else {}),
                    **context,
                },
                actor=telling.actor,
                now=telling.now,
                today=telling.today,
                rulebook=telling.rulebook,
                occasion=occasion or f"course{course.id}:{sequence}",
                attachment=_calendar_file(course, sequence, takes_out=takes_out, gone=gone, now=telling.now)
                if in_calendar
                else None,
                stream=f"course{course.id}" if is_plan else None,
                sequence=sequence if is_plan else None,
                not_after=ends if kind in _BEFORE else None,
            )
        )
    return told


def _calendar_file(
    course: PrepCourse, sequence: int, *, takes_out: bool, gone: Sequence[Gone], now: datetime
) -> Attachment:
    """Every session as it stands in their calendar: neutral, because a calendar is often shared."""
    service = policy.service()
    summary, url = f"Course with {service.short_name}", post_room().base_url.rstrip("/") + "/"
    ring = f"If something comes up, ring {service.phone}."
    facts = [
        EventFacts(
            uid=session.calendar_uid,
            sequence=session.sequence + sequence,
            starts_at=session.starts_at,
            ends_at=session.ends_at,
            summary=f"{summary}, session {number}",
            location=where(course, session),
            description=[f"Join here: {course.link}", ring] if course.link and not takes_out else [ring],
            url=url,
            cancelled=takes_out,
        )
        for number, session in enumerate(course.sessions, start=1)
    ]
    facts += [
        EventFacts(
            uid=session.calendar_uid,
            sequence=session.sequence + sequence,
            starts_at=session.starts_at,
            ends_at=session.ends_at,
            summary=summary,
            location=session.where,
            description=[ring],
            url=url,
            cancelled=True,
        )
        for session in gone
    ]
    return Attachment(CALENDAR_FILE, ical.file(facts, stamp=now), mime_type="application/ics")


def first_names(places: Sequence[CoursePlace]) -> str:
    """ "Maya and Daniel": whom these places are for."""
    return and_list(place.person.given_name for place in places)

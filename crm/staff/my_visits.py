"""Where somebody is going, what they have to write, and what a panel member has to read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select, true

from crm.assessments.models import (
    PanelItem,
    PanelMeeting,
    PanelMember,
)
from crm.cases.models import AssignmentRole, Case, CaseAssignment, Deadline, Household, Track
from crm.clock import LONDON, london_date
from crm.db import no_more_than, our_word, read
from crm.rules.permissions import Actor
from crm.rules.stages import StageTwoStage, TrackName
from crm.visits.models import PLACE_WORDS, PURPOSE_WORDS, Place, Purpose, Visit, VisitOfficer, VisitReport, VisitStatus

VISITS_SHOWN = 12
REPORTS_SHOWN = 8
MEETINGS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class MyVisit:
    """A visit on somebody's day."""

    id: int
    reference: str
    names: str
    purpose: str
    where: str
    starts_at: datetime
    ends_at: datetime
    on: date
    is_over: bool
    """Whether it can be written up: its time is over, or it was recorded."""
    has_a_door: bool
    """Whether somebody may still have to check in or out: a home, and nobody has said what happened there."""


@dataclass(frozen=True, slots=True)
class MyVisits:
    """Visits of today and tomorrow; ``next`` is the one after, where there are none."""

    today: tuple[MyVisit, ...]
    tomorrow: tuple[MyVisit, ...]
    tomorrow_on: date
    next: MyVisit | None


@dataclass(frozen=True, slots=True)
class Assessing:
    """A household that somebody assesses, while its report is being written. ``report_by``: the service's own date."""

    reference: str
    names: str
    report_by: date | None


@dataclass(frozen=True, slots=True)
class ToWrite:
    """What waits for somebody's pen: how many visits they made, and the households they assess."""

    visits: int
    assessments: tuple[Assessing, ...]


@dataclass(frozen=True, slots=True)
class Agenda:
    """A panel meeting to come, and how many households it hears."""

    meeting_id: int
    meets_at: datetime
    place: str
    households: int


def visits_of(actor: Actor, *, now: datetime, today: date) -> MyVisits:
    """Where somebody goes today and tomorrow, or next. One query."""
    begins = datetime.combine(today, time(), tzinfo=LONDON)
    rows = read(_VISITS, {"me": actor.user_id, "begins": begins})
    found = [_visit(row, now) for row in rows]
    tomorrow = today + timedelta(days=1)
    later = next((visit for visit in found if visit.on > tomorrow), None)
    return MyVisits(
        today=tuple(visit for visit in found if visit.on == today),
        tomorrow=tuple(visit for visit in found if visit.on == tomorrow),
        tomorrow_on=tomorrow,
        next=later,
    )


_VISIT, _MINE = Visit.__table__.c, VisitOfficer.__table__.c
_CASE, _HOME = Case.__table__.c, Household.__table__.c
_VISITS = (
    select(
        _VISIT.id,
        _VISIT.purpose,
        _VISIT.place,
        _VISIT.status,
        _VISIT.starts_at,
        _VISIT.ends_at,
        _CASE.reference,
        _HOME.name.label("names"),
        _HOME.postcode,
    )
    .select_from(VisitOfficer.__table__)
    .join(Visit.__table__, _VISIT.id == _MINE.visit_id)
    .join(Case.__table__, _CASE.id == _VISIT.case_id)
    .join(Household.__table__, _HOME.id == _CASE.household_id)
    .where(
        _MINE.officer_id == bindparam("me"),
        _MINE.starts_at >= bindparam("begins"),
        _VISIT.status.in_((VisitStatus.BOOKED, VisitStatus.DONE)),
    )
    .order_by(_MINE.starts_at, _VISIT.id)
    .limit(no_more_than(VISITS_SHOWN))
)


def _visit(row: Any, now: datetime) -> MyVisit:
    place = PLACE_WORDS[Place(row.place)]
    postcode = row.postcode
    return MyVisit(
        id=row.id,
        reference=row.reference,
        names=row.names,
        purpose=PURPOSE_WORDS[Purpose(row.purpose)],
        where=f"{place}, {postcode}" if postcode and row.place == Place.HOME else place,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        on=london_date(row.starts_at),
        is_over=row.ends_at < now or row.status == VisitStatus.DONE,
        has_a_door=row.place == Place.HOME and row.status == VisitStatus.BOOKED,
    )


def to_write(actor: Actor, *, today: date) -> ToWrite:
    """The visits somebody has not written up, and their assessments, the first report due first. One query."""
    rows = read(_TO_WRITE, {"me": actor.user_id, "today": today}).all()
    return ToWrite(
        rows[0].visits, tuple(Assessing(row.reference, row.names, row.report_by) for row in rows if row.reference)
    )


def agenda_of(actor: Actor, *, today: date) -> tuple[Agenda, ...]:
    """The meetings that a panel member is to sit on, the next first. One query."""
    rows = read(_AGENDA, {"me": actor.user_id, "today": today})
    return tuple(Agenda(row.id, row.meets_at, row.place or "By video", row.households) for row in rows)


_REPORT = VisitReport.__table__.c
_PART, _TRACK, _CLOCK = CaseAssignment.__table__.c, Track.__table__.c, Deadline.__table__.c
_ASSESSING = (
    select(_CASE.reference, _HOME.name.label("names"), _CLOCK.due_on.label("report_by"))
    .select_from(CaseAssignment.__table__)
    .join(Case.__table__, _CASE.id == _PART.case_id)
    .join(Household.__table__, _HOME.id == _CASE.household_id)
    .join(
        Track.__table__,
        and_(
            _TRACK.case_id == _CASE.id,
            _TRACK.name == our_word(TrackName.STAGE_TWO),
            _TRACK.stage == our_word(StageTwoStage.ASSESSING),
        ),
    )
    .outerjoin(
        Deadline.__table__,
        and_(_CLOCK.case_id == _CASE.id, _CLOCK.rule == our_word("stage_two_target"), _CLOCK.stopped_on.is_(None)),
    )
    .where(
        _PART.user_id == bindparam("me"),
        _PART.role == our_word(AssignmentRole.ASSESSOR),
        _PART.from_on <= bindparam("today"),
        or_(_PART.until_on.is_(None), _PART.until_on >= bindparam("today")),
        _CASE.is_open,
        _CASE.place == our_word("in_assessment"),
    )
    .order_by(_CLOCK.due_on, _CASE.id)
    .limit(no_more_than(REPORTS_SHOWN + 1))
    .subquery("assessing")
)
_UNWRITTEN = (
    select(func.count().label("visits"))
    .select_from(VisitOfficer.__table__)
    .join(Visit.__table__, _VISIT.id == _MINE.visit_id)
    .outerjoin(VisitReport.__table__, _REPORT.visit_id == _VISIT.id)
    .where(_MINE.officer_id == bindparam("me"), _VISIT.status == VisitStatus.DONE, _REPORT.submitted_at.is_(None))
    .subquery("unwritten")
)
_TO_WRITE = (
    select(_UNWRITTEN.c.visits, _ASSESSING)
    .select_from(_UNWRITTEN)
    .outerjoin(_ASSESSING, true())
    .order_by(_ASSESSING.c.report_by, _ASSESSING.c.reference)
)

_ITEM, _MEETING, _SEAT = PanelItem.__table__.c, PanelMeeting.__table__.c, PanelMember.__table__.c
_HEARD = select(func.count(_ITEM.id)).where(_ITEM.meeting_id == _MEETING.id, _ITEM.outcome.is_(None)).scalar_subquery()
_AGENDA = (
    select(_MEETING.id, _MEETING.meets_at, _MEETING.place, _HEARD.label("households"))
    .select_from(PanelMeeting.__table__)
    .join(PanelMember.__table__, _SEAT.meeting_id == _MEETING.id)
    .where(_SEAT.user_id == bindparam("me"), _MEETING.meets_on >= bindparam("today"))
    .order_by(_MEETING.meets_on, _MEETING.id)
    .limit(no_more_than(MEETINGS_SHOWN))
)

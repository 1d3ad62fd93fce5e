"""Where somebody is going, what a manager has to sign, and what a panel member has to read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select

from crm.assessments.models import PanelItem, PanelMeeting, PanelMember
from crm.cases.models import Case, Household
from crm.clock import LONDON, london_date
from crm.db import db
from crm.rules.permissions import Actor
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


@dataclass(frozen=True, slots=True)
class MyVisits:
    """Visits of today and tomorrow; ``next`` is the one after, where there are none."""

    today: tuple[MyVisit, ...]
    tomorrow: tuple[MyVisit, ...]
    tomorrow_on: date
    next: MyVisit | None


@dataclass(frozen=True, slots=True)
class ToSign:
    """A visit report that waits for a manager."""

    visit_id: int
    reference: str
    names: str
    submitted_at: datetime


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
    rows = db.session.execute(_VISITS, {"me": actor.user_id, "begins": begins})
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
    .limit(VISITS_SHOWN)
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
        is_over=row.ends_at < now,
    )


def reports_to_sign() -> tuple[ToSign, ...]:
    """Visit reports that were handed in and wait for a manager, the oldest first. One query."""
    rows = db.session.execute(
        select(VisitReport.visit_id, VisitReport.submitted_at, Case.reference, Household.name.label("names"))
        .join(Visit, Visit.id == VisitReport.visit_id)
        .join(Case, Case.id == Visit.case_id)
        .join(Household, Household.id == Case.household_id)
        .where(VisitReport.submitted_at.is_not(None), VisitReport.signed_off_at.is_(None))
        .order_by(VisitReport.submitted_at, VisitReport.id)
        .limit(REPORTS_SHOWN + 1)
    )
    return tuple(ToSign(row.visit_id, row.reference, row.names, row.submitted_at) for row in rows)


def agenda_of(actor: Actor, *, today: date) -> tuple[Agenda, ...]:
    """The meetings that a panel member is to sit on, the next first. One query."""
    count = (
        select(func.count(PanelItem.id))
        .where(PanelItem.meeting_id == PanelMeeting.id, PanelItem.outcome.is_(None))
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(PanelMeeting.id, PanelMeeting.meets_at, PanelMeeting.place, count.label("households"))
        .join(PanelMember, PanelMember.meeting_id == PanelMeeting.id)
        .where(PanelMember.user_id == actor.user_id, PanelMeeting.meets_on >= today)
        .order_by(PanelMeeting.meets_on, PanelMeeting.id)
        .limit(MEETINGS_SHOWN)
    )
    return tuple(Agenda(row.id, row.meets_at, row.place or "By video", row.households) for row in rows)

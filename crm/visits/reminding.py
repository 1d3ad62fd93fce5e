"""The day before a visit: the household is reminded of it, once for each time that it is to begin."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from sqlalchemy import ColumnElement, or_, select

from crm import policy
from crm.cases.models import Case
from crm.clock import LONDON, london_date
from crm.db import db
from crm.rules.permissions import SYSTEM
from crm.visits import telling
from crm.visits.models import Visit, VisitStatus

REMIND_FROM = time(9)
"""The hour (London) from which reminders of tomorrow are written."""
JUST_TOLD = timedelta(hours=12)
BATCH = 50


def has_visits_to_remind_of(now: datetime) -> bool:
    """Whether there is a visit tomorrow of which nobody was reminded. Takes no lock."""
    return db.session.scalar(select(Visit.id).where(*_to_remind_of(now)).limit(1)) is not None


def remind_for_tomorrow(now: datetime) -> int:
    """Remind the households that are visited tomorrow; how many visits were dealt with. For the timetable.

    Whoever was told of the visit, or of its new time, in the last hours knows already.
    """
    today = london_date(now)
    occasion = telling.Occasion(actor=SYSTEM, now=now, today=today, rulebook=policy.rulebook_on(today))
    visits = db.session.scalars(
        select(Visit).where(*_to_remind_of(now)).order_by(Visit.starts_at, Visit.id).limit(BATCH).with_for_update()
    ).all()
    for visit in visits:
        visit.reminded_of_at = visit.starts_at
        if now - (visit.moved_at or visit.booked_at) >= JUST_TOLD:
            telling.remind(visit, db.session.get_one(Case, visit.case_id), occasion)
    db.session.flush()
    return len(visits)


def _to_remind_of(now: datetime) -> tuple[ColumnElement[bool], ...]:
    today = london_date(now)
    if now < datetime.combine(today, REMIND_FROM, LONDON):
        return (Visit.id.is_(None),)
    tomorrow, next_day = (datetime.combine(today + timedelta(days=days), time(0), LONDON) for days in (1, 2))
    return (
        Visit.status == VisitStatus.BOOKED,
        Visit.starts_at >= tomorrow,
        Visit.starts_at < next_day,
        or_(Visit.reminded_of_at.is_(None), Visit.reminded_of_at != Visit.starts_at),
    )

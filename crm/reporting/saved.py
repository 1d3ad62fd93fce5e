"""Reports that somebody keeps under a name, and the letter with a link on a morning. No figure and no name leaves."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update

from crm import policy
from crm.access.models import User
from crm.audit import record
from crm.clock import LONDON, london, london_date
from crm.db import db, read, rows_changed
from crm.delivery import Channel, NewMessage, Recipient, enqueue
from crm.delivery.post_room import post_room
from crm.reporting.catalogue import REPORTS
from crm.reporting.models import Morning, SavedReport
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.rules.working_days import WorkingDays

MOST = 20
"""Reports that one person keeps."""
FROM_HOUR = time(7)
"""From this hour of London's day."""
SO_MANY = 50
"""Told in one go."""


class ReportNotKept(Refusal):
    """The report can't be kept under that name."""

    default_status = 422


class NoSuchSavedReport(Refusal):
    """It is gone, or somebody else's."""

    default_status = 404


def keep_report(
    *, name: str, report: str, query: str, morning: Morning, actor: Actor, now: datetime, today: date
) -> SavedReport:
    """Keep a report with its question; the same name again gets the new ones. The first letter comes on the next of
    the mornings that are asked for. Raises ReportNotKept."""
    words = " ".join(name.split())[:60]
    found = db.session.scalars(
        select(SavedReport).where(SavedReport.user_id == actor.user_id, SavedReport.name == words)
    ).first()
    if found is None:
        held = db.session.scalar(
            select(func.count()).select_from(SavedReport).where(SavedReport.user_id == actor.user_id)
        )
        if (held or 0) >= MOST:
            raise ReportNotKept(f"You keep {MOST} reports already. Take one away first.", field="name")
        found = SavedReport(user_id=actor.user_id, name=words, created_at=now)
        db.session.add(found)
    found.report, found.query, found.morning, found.told_on = report, query[:300], morning, today
    db.session.flush()
    detail = {"report": report, "morning": str(morning)}
    record("report.kept", actor=actor, at=now, subject=f"saved_report:{found.id}", detail=detail)
    return found


def forget_report(saved_id: int, *, actor: Actor, now: datetime) -> str:
    """Take a report of one's own away, and its letters with it; gives its name. Raises NoSuchSavedReport."""
    found = saved_report(actor, saved_id)
    name = found.name
    db.session.delete(found)
    record("report.forgotten", actor=actor, at=now, subject=f"saved_report:{saved_id}")
    return name


def saved_report(actor: Actor, saved_id: int) -> SavedReport:
    """A report that this person keeps. Raises NoSuchSavedReport."""
    found = db.session.get(SavedReport, saved_id)
    if found is None or found.user_id != actor.user_id:
        raise NoSuchSavedReport("That report is not kept any more.")
    return found


_SAVED = SavedReport.__table__.c
_MINE = (
    select(_SAVED.id, _SAVED.name, _SAVED.report, _SAVED.query, _SAVED.morning)
    .where(_SAVED.user_id == bindparam("me"))
    .order_by(_SAVED.name)
)


def reports_of(actor: Actor) -> list[Any]:
    """What somebody keeps (id, name, report, query, morning), by name."""
    return list(read(_MINE, {"me": actor.user_id}))


# --- In the morning ---------------------------------------------------------------------------------------------------


def is_told_on(morning: Morning, day: date, calendar: WorkingDays) -> bool:
    """Whether a morning is one of those asked for. A Monday that is a holiday is told on the next working day."""
    if not calendar.is_working_day(day):
        return False
    if morning is Morning.MONDAYS:
        monday = day - timedelta(days=day.weekday())
        return calendar.add_beginning_with(monday, 1) == day
    if morning is Morning.MONTHS:
        return calendar.add_beginning_with(day.replace(day=1), 1) == day
    return False


def anybody_to_tell(now: datetime) -> bool:
    """Whether a letter of this morning has still to be thought of; a cheap look."""
    wanting = _wanting(now)
    return wanting is not None and db.session.scalar(select(SavedReport.id).where(*wanting).limit(1)) is not None


def tell_mornings(now: datetime) -> int:
    """Write to those who asked to be told this morning; how many were dealt with. Whoever may not read the report any
    more hears nothing. Each is claimed first, so that two workers write to nobody twice."""
    wanting = _wanting(now)
    if wanting is None:
        return 0
    today = london_date(now)
    found = db.session.execute(
        select(SavedReport, User)
        .join(User, User.id == SavedReport.user_id)
        .where(*wanting)
        .order_by(SavedReport.id)
        .limit(SO_MANY)
    ).all()
    dealt_with = 0
    for saved, user in found:
        claim = update(SavedReport).where(SavedReport.id == saved.id, *wanting).values(told_on=today)
        if rows_changed(db.session.execute(claim)) == 1:
            dealt_with += 1
            _tell(saved, user, now=now, today=today)
    return dealt_with


def _wanting(now: datetime) -> tuple[Any, ...] | None:
    """Who wants to be told this morning, as conditions; None where it is none of those mornings, or too early."""
    today = london_date(now)
    if london(now).time() < FROM_HOUR:
        return None
    calendar = policy.rulebook_on(today).calendar
    mornings = [str(one) for one in Morning if is_told_on(one, today, calendar)]
    if not mornings:
        return None
    return (SavedReport.morning.in_(mornings), or_(SavedReport.told_on.is_(None), SavedReport.told_on < today))


def _tell(saved: SavedReport, user: User, *, now: datetime, today: date) -> None:
    report = REPORTS.get(saved.report)
    if report is None or not user.active or not user.as_actor().has(report.permission):
        return
    enqueue(
        NewMessage(
            kind="report_ready",
            channel=Channel.EMAIL,
            to=Recipient(email=user.email),
            dedupe_key=f"report_ready:{saved.id}:{today.isoformat()}",
            context={
                "service": policy.service(),
                "first_name": user.name.split()[0],
                # The name it is kept under is somebody's own words, and stays behind the sign-in.
                "which": report.tab,
                "report_url": f"{post_room().base_url}/reports/saved/{saved.id}",
            },
            user_id=user.id,
            not_after=datetime.combine(today, time(23), tzinfo=LONDON),
        ),
        now=now,
    )

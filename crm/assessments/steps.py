"""What every step of an assessment that is not a move of its own begins and ends with."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select

from crm.audit import record
from crm.cases import summary
from crm.cases.change_stage import claim_version
from crm.cases.models import Case
from crm.db import db
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import OPEN_APPLICATION, TrackName


class NoOpenApplication(Refusal):
    """There is no application, or it has ended."""


class DayNotPossible(Refusal):
    """A day that can't be right."""

    default_status = 422


def begin_step(
    case: Case, permission: Permission, *, actor: Actor, seen: int | None, on_open_only: bool = True
) -> None:
    """Check that the actor may, that the application is open, and that the case is as they saw it."""
    require(actor, permission)
    if on_open_only and case.stages.get(TrackName.APPLICATION) not in OPEN_APPLICATION:
        raise NoOpenApplication(f"{case.household.name} has no open application.")
    claim_version(case, seen)


def end_step(case: Case, *, today: date, rulebook: Rulebook) -> None:
    """Rewrite what the lists show of the case."""
    summary.refresh(case, today=today, rulebook=rulebook)


def hold(case: Case) -> None:
    """Let two who write to one household go one after the other. What was read before the wait may be old by now, and
    is read again."""
    db.session.execute(select(Case.id).where(Case.id == case.id).with_for_update())
    db.session.expire_all()


def note(event: str, case: Case, *, actor: Actor, now: datetime, subject: str | None = None, **detail: object) -> None:
    """Put a step in the audit trail."""
    record(event, actor=actor, at=now, case_id=case.id, subject=subject, detail=detail or None)


def not_after_today(day: date, *, today: date, field: str, what: str) -> None:
    """Refuse a day that is still to come."""
    if day > today:
        raise DayNotPossible(f"{what} can’t be after today.", field=field)


def not_before(day: date, earliest: date, *, field: str, message: str) -> None:
    """Refuse a day before another."""
    if day < earliest:
        raise DayNotPossible(message, field=field)

"""Reading the trail, newest first, in pages of equal cost."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, func, select

from crm.audit.models import AuditEntry, AuditSeal
from crm.db import db, starts_with

PAGE = 50


@dataclass(frozen=True)
class TrailPage:
    """One page of entries, newest first. ``before`` is the id to ask the next page with, None on the last."""

    entries: Sequence[AuditEntry]
    before: int | None


def entries_for_case(case_id: int, *, before: int | None = None, limit: int = PAGE) -> TrailPage:
    """What was done on a case and who looked at it."""
    return _page(select(AuditEntry).where(AuditEntry.case_id == case_id), before, limit)


def first_looks(subject: str, what: str) -> dict[int, datetime]:
    """Who of the staff looked at one thing (``what``: as it is recorded), and when each did first."""
    rows = db.session.execute(
        select(AuditEntry.actor_id, func.min(AuditEntry.at))
        .where(AuditEntry.subject == subject, AuditEntry.event == f"view.{what}", AuditEntry.actor_kind == "staff")
        .group_by(AuditEntry.actor_id)
    )
    return {user_id: at for user_id, at in rows if user_id is not None}


def recent_entries(
    *,
    before: int | None = None,
    limit: int = PAGE,
    actor_id: int | None = None,
    actor_kind: str | None = None,
    event: str | None = None,
) -> TrailPage:
    """The trail as a whole, or what one person did, or one kind of event."""
    query = select(AuditEntry)
    if actor_id is not None:
        query = query.where(AuditEntry.actor_id == actor_id)
    if actor_kind is not None:
        query = query.where(AuditEntry.actor_kind == actor_kind)
    if event is not None:
        query = query.where(AuditEntry.event == event)
    return _page(query, before, limit)


def entries_for_subject(subject: str, *, before: int | None = None, limit: int = PAGE) -> TrailPage:
    """What happened to one thing: ``visit:12``."""
    return _page(select(AuditEntry).where(AuditEntry.subject == subject), before, limit)


def who_looked(case_id: int, *, kinds: Collection[str] = (), limit: int = 500) -> Sequence[AuditEntry]:
    """Who has seen something of this case, newest first: the record that the code of practice on certificates wants."""
    looked = and_(AuditEntry.case_id == case_id, starts_with(AuditEntry.event, "view."))
    query = select(AuditEntry).where(looked)
    if kinds:
        query = query.where(AuditEntry.event.in_([f"view.{kind}" for kind in kinds]))
    return list(db.session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit)))


def looks_of_case(
    case_id: int, *, taken_up: Collection[int] = (), before: int | None = None, limit: int = PAGE
) -> TrailPage:
    """Who has looked at this case, or at those it has taken up, newest first, in pages of equal cost."""
    of_these = AuditEntry.case_id.in_([case_id, *taken_up]) if taken_up else AuditEntry.case_id == case_id
    looked = and_(of_these, starts_with(AuditEntry.event, "view."))
    return _page(select(AuditEntry).where(looked), before, limit)


def is_sealed(entry_id: int) -> bool:
    """Whether the chain covers this entry yet."""
    return db.session.scalar(select(AuditSeal.position).where(AuditSeal.entry_id == entry_id)) is not None


def _page(query: Select[AuditEntry], before: int | None, limit: int) -> TrailPage:
    if before is not None:
        query = query.where(AuditEntry.id < before)
    rows = list(db.session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit + 1)))
    more = len(rows) > limit
    rows = rows[:limit]
    return TrailPage(entries=rows, before=rows[-1].id if more and rows else None)

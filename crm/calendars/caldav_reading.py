"""What stands in an officer's own calendar: the questions that calendar programs ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, bindparam, func, or_, select

from crm.calendars.models import CHANGES_OF_AN_AGE, CalendarEntry, OfficerCalendar
from crm.db import db, read
from crm.rules.refusal import Refusal

MOST_CHANGES = 20_000
"""Changes told in one answer; a program that is told of so many asks again for the rest."""


class NoSuchEntry(Refusal):
    """No event stands at this address, or it is in somebody else's calendar: the two are never told apart."""

    default_status = 404

    def __init__(self) -> None:
        super().__init__("There is no event at this address.")


class TokenNotOurs(Refusal):
    """The calendar never stood where the program says it does."""

    default_status = 403

    def __init__(self) -> None:
        super().__init__("Begin anew: this is not where the calendar ever stood.")


@dataclass(frozen=True)
class Changes:
    """What changed since a program last asked: the events there are, the names of those gone, where it now stands."""

    entries: Sequence[CalendarEntry]
    gone: Sequence[str]
    change: int
    is_all: bool = True
    """False where there is more to tell than was wanted: ``change`` is then how far it goes."""


def change_of(user_id: int) -> int:
    """How often the calendar has changed: its CTag, and the sync token."""
    return db.session.scalar(select(OfficerCalendar.changes).where(OfficerCalendar.user_id == user_id)) or 0


def entry_named(user_id: int, name: str, *, for_update: bool = False) -> CalendarEntry | None:
    """The event at an address, one that was taken out included. ``for_update`` reads it anew."""
    query = select(CalendarEntry).where(CalendarEntry.user_id == user_id, CalendarEntry.name == name)
    if for_update:
        query = query.execution_options(populate_existing=True)
    return db.session.scalars(query).first()


def live_entry(user_id: int, name: str) -> CalendarEntry:
    """The event at an address. Raises NoSuchEntry."""
    entry = entry_named(user_id, name)
    if entry is None or entry.removed_at is not None:
        raise NoSuchEntry
    return entry


def entries_named(user_id: int, names: Sequence[str]) -> dict[str, CalendarEntry]:
    """Those of these events that are there, in one query for each five hundred."""
    found: dict[str, CalendarEntry] = {}
    for start in range(0, len(names), 500):
        query = _live(user_id).where(CalendarEntry.name.in_(names[start : start + 500]))
        found |= {entry.name: entry for entry in db.session.scalars(query)}
    return found


def entry_with_uid(user_id: int, uid: str) -> CalendarEntry | None:
    return db.session.scalars(_live(user_id).where(CalendarEntry.uid == uid)).first()


def entries_between(user_id: int, begin: datetime | None, end: datetime | None) -> list[CalendarEntry]:
    """Events that may touch a span of time, in order. Of a series only its beginning is known here."""
    query = _live(user_id)
    if end is not None:
        query = query.where(CalendarEntry.starts_at < end)
    if begin is not None:
        query = query.where(
            or_(
                CalendarEntry.ends_at.is_(None),
                CalendarEntry.ends_at > begin,
                and_(CalendarEntry.ends_at == CalendarEntry.starts_at, CalendarEntry.starts_at >= begin),
            )
        )
    return list(db.session.scalars(query.order_by(CalendarEntry.starts_at, CalendarEntry.id)))


def changes_since(user_id: int, since: int | None, *, at_most: int = MOST_CHANGES) -> Changes:
    """What changed after the calendar had changed so often, the oldest first; None asks for what there is. Raises
    TokenNotOurs."""
    now = change_of(user_id)
    if since is not None and (since > now or since // CHANGES_OF_AN_AGE != now // CHANGES_OF_AN_AGE):
        raise TokenNotOurs
    if since == now:
        return Changes((), (), now)
    at_most = min(at_most, MOST_CHANGES)
    query = (
        select(CalendarEntry)
        .where(CalendarEntry.user_id == user_id, CalendarEntry.change > (since or 0), CalendarEntry.change <= now)
        .order_by(CalendarEntry.change)
        .limit(at_most + 1)
    )
    if since is None:
        query = query.where(CalendarEntry.removed_at.is_(None))
    rows = db.session.scalars(query).all()
    is_all = len(rows) <= at_most
    rows = rows[:at_most]
    return Changes(
        [row for row in rows if row.removed_at is None],
        [row.name for row in rows if row.removed_at is not None],
        now if is_all else rows[-1].change,
        is_all,
    )


def count_of(user_id: int) -> int:
    """How many events stand in the calendar."""
    live = (CalendarEntry.user_id == user_id, CalendarEntry.removed_at.is_(None))
    return db.session.scalar(select(func.count()).select_from(CalendarEntry).where(*live)) or 0


def to_settle(user_id: int) -> list[CalendarEntry]:
    """What came in over an officer's calendar and was not done, by its time."""
    return list(
        db.session.scalars(
            select(CalendarEntry)
            .where(CalendarEntry.user_id == user_id, CalendarEntry.problem.is_not(None))
            .order_by(CalendarEntry.starts_at, CalendarEntry.id)
        )
    )


def count_to_settle(user_id: int) -> int:
    """How much of it there is."""
    return read(_COUNT_TO_SETTLE, {"user_id": user_id}).scalar() or 0


_ENTRY = CalendarEntry.__table__.c
_COUNT_TO_SETTLE = select(func.count(_ENTRY.id)).where(
    _ENTRY.user_id == bindparam("user_id"), _ENTRY.problem.is_not(None)
)


def has_taken_out(now: datetime) -> bool:
    """Whether a visit was taken out of a calendar so long ago that it is to be called off."""
    waiting = select(CalendarEntry.id).where(CalendarEntry.called_off_from_at <= now).limit(1)
    return db.session.scalar(waiting) is not None


def _live(user_id: int) -> Select[CalendarEntry]:
    return select(CalendarEntry).where(CalendarEntry.user_id == user_id, CalendarEntry.removed_at.is_(None))

"""Calendars of officers' own that are read for their busy times: given, taken away, and how far they can be relied on.

Nothing of an event is kept but when it begins and ends. The worker reads them: see ``busy_worker``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from crm.audit import record
from crm.calendars import fetching
from crm.calendars.busy import replace_busy
from crm.calendars.models import BusyCalendar
from crm.db import db
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal

MOST_OF_ONE = 3
STALE_AFTER = timedelta(hours=2)


class CalendarNotAdded(Refusal):
    """The calendar can't be read."""

    default_status = 422


def source_of(calendar_id: int) -> str:
    """What the busy times of a calendar are kept under."""
    return f"calendar:{calendar_id}"


def add_calendar(
    officer_id: int,
    *,
    address: str,
    user_name: str = "",
    password: str = "",
    actor: Actor,
    now: datetime,
) -> BusyCalendar:
    """Have a calendar read from now on: a published address, or a CalDAV calendar where a user name is given.

    Raises CalendarNotAdded for an address that would never be read, or one too many.
    """
    try:
        taken_apart = fetching.read_address(address)
    except fetching.NotFetched as fault:
        raise CalendarNotAdded(str(fault), field="address") from fault
    if bool(user_name.strip()) != bool(password):
        raise CalendarNotAdded("Give both the user name and the password, or neither.", field="password")
    there = db.session.scalar(select(func.count()).where(BusyCalendar.officer_id == officer_id)) or 0
    if there >= MOST_OF_ONE:
        raise CalendarNotAdded(f"{MOST_OF_ONE} calendars are read already. Take one away first.", field="address")
    calendar = BusyCalendar(
        officer_id=officer_id,
        kind="caldav" if password else "address",
        host=taken_apart.host[:253],
        added_at=now,
        due_at=now,
    )
    calendar.address = taken_apart.whole
    calendar.sign_in = f"{user_name.strip()}\n{password}" if password else None
    db.session.add(calendar)
    db.session.flush()
    record(
        "busy_calendar.added",
        actor=actor,
        at=now,
        subject=f"busy_calendar:{calendar.id}",
        detail={"kind": calendar.kind, "host": in_trail(calendar.host)},
    )
    return calendar


def in_trail(host: str) -> str:
    """As much of a host's name as the trail takes: its end, which says whose it is."""
    return host[-100:]


def remove_calendar(officer_id: int, calendar_id: int, *, actor: Actor, now: datetime) -> bool:
    """Read a calendar no more, and forget what it said. Whether there was one of theirs."""
    calendar = _own(officer_id, calendar_id)
    if calendar is None:
        return False
    _forget(calendar, actor=actor, now=now)
    return True


def read_soon(officer_id: int, calendar_id: int, *, now: datetime) -> bool:
    """Have a calendar read at the worker's next look. Whether there was one of theirs."""
    calendar = _own(officer_id, calendar_id)
    if calendar is None:
        return False
    calendar.due_at = now
    db.session.flush()
    return True


def forget_calendars_of(*, from_user_id: int, to_user_id: int | None, actor: Actor, now: datetime, **_: object) -> None:
    """Bound to leaving: nothing of a leaver's own calendars stays."""
    for calendar in calendars_of(from_user_id):
        _forget(calendar, actor=actor, now=now)


def calendars_of(officer_id: int) -> list[BusyCalendar]:
    """The calendars that an officer gave, in that order."""
    return list(
        db.session.scalars(select(BusyCalendar).where(BusyCalendar.officer_id == officer_id).order_by(BusyCalendar.id))
    )


@dataclass(frozen=True)
class Reading:
    """How far an officer's calendars can be relied on."""

    read_at: datetime | None
    """When the one that was read longest ago was; None where one never was."""
    is_stale: bool


def readings_of(officer_ids: Iterable[int], *, now: datetime) -> Mapping[int, Reading]:
    """Of each of these officers who gave a calendar, how it stands with it."""
    rows = db.session.execute(
        select(
            BusyCalendar.officer_id,
            func.min(BusyCalendar.read_at),
            func.count(BusyCalendar.id) - func.count(BusyCalendar.read_at),
        )
        .where(BusyCalendar.officer_id.in_(list(officer_ids)))
        .group_by(BusyCalendar.officer_id)
    )
    return {
        officer_id: Reading(
            read_at=None if never else read_at, is_stale=bool(never) or read_at is None or read_at < now - STALE_AFTER
        )
        for officer_id, read_at, never in rows
    }


def _own(officer_id: int, calendar_id: int) -> BusyCalendar | None:
    return db.session.scalars(
        select(BusyCalendar).where(BusyCalendar.id == calendar_id, BusyCalendar.officer_id == officer_id)
    ).first()


def _forget(calendar: BusyCalendar, *, actor: Actor, now: datetime) -> None:
    replace_busy(calendar.officer_id, source_of(calendar.id), [])
    record(
        "busy_calendar.removed",
        actor=actor,
        at=now,
        subject=f"busy_calendar:{calendar.id}",
        detail={"host": in_trail(calendar.host)},
    )
    db.session.execute(delete(BusyCalendar).where(BusyCalendar.id == calendar.id))

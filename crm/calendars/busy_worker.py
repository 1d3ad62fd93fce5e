"""The worker's part in officers' own calendars: reads each as it becomes due, and keeps when its owner is busy.

The network is spoken to, and recurrence worked out, with no transaction open.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select

from crm.access.models import User
from crm.calendars import expanding, fetching
from crm.calendars.busy import replace_busy
from crm.calendars.busy_calendars import source_of
from crm.calendars.models import BusyCalendar, CalendarObject
from crm.clock import london_date
from crm.db import db, end_read, transaction
from crm.rules.intervals import london_to_utc

EVERY = timedelta(minutes=15)
LONGEST_WAIT = timedelta(hours=6)
"""Between tries at a calendar that could not be read, at the longest."""
LEASE = timedelta(minutes=5)
"""How long one reading may take before another worker may begin it again."""
LOOK_EVERY_S = 20.0
DAYS_AHEAD = 120

log = structlog.get_logger("calendars")


def keep_reading(stop: threading.Event, *, clock: Callable[[], datetime]) -> None:
    """Read calendars as they become due, until told to stop. Needs an application context."""
    while not stop.is_set():
        if not read_next(clock()):
            stop.wait(LOOK_EVERY_S)


@dataclass(frozen=True)
class _Due:
    id: int
    officer_id: int
    kind: str
    host: str
    address: str
    sign_in: str | None
    digest: str | None


def read_next(now: datetime, *, outside: fetching.Outside | None = None) -> bool:
    """Read the calendar that has been due for longest. Whether there was one.

    1. Claim it for a while, so that nobody else reads it meanwhile.
    2. Fetch it, and work out when its owner is busy, with no transaction open.
    3. Keep the times in place of those before, or why there are none; a calendar taken away meanwhile is left be.
    """
    if db.session.scalar(select(BusyCalendar.id).where(BusyCalendar.due_at <= now).limit(1)) is None:
        end_read()
        return False
    with transaction():
        due = _claim(now)
    if due is None:
        return False
    try:
        found, digest = _find(due, now=now, outside=outside)
        fault = None
    except (fetching.NotFetched, expanding.NotReadable) as problem:
        found, digest, fault = None, None, str(problem)
        log.warning("calendar_not_read", calendar=due.id, host=due.host)
    with transaction():
        calendar = db.session.scalars(select(BusyCalendar).where(BusyCalendar.id == due.id).with_for_update()).first()
        if calendar is None:
            return True
        calendar.tried_at = now
        if fault is not None:
            calendar.fault, calendar.fails = fault, calendar.fails + 1
            calendar.due_at = now + min(LONGEST_WAIT, EVERY * 2 ** min(calendar.fails, 10))
            return True
        calendar.read_at, calendar.fault, calendar.fails, calendar.due_at = now, None, 0, now + EVERY
        if found is not None:
            calendar.digest, calendar.passed_over = digest, found.passed_over
            calendar.spans = replace_busy(due.officer_id, source_of(due.id), found.spans)
    return True


def _claim(now: datetime) -> _Due | None:
    calendar = db.session.scalars(
        select(BusyCalendar)
        .join(User, User.id == BusyCalendar.officer_id)
        .where(BusyCalendar.due_at <= now)
        .order_by(BusyCalendar.due_at, BusyCalendar.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=BusyCalendar)
    ).first()
    if calendar is None:
        return None
    calendar.due_at = now + LEASE
    return _Due(
        calendar.id,
        calendar.officer_id,
        calendar.kind,
        calendar.host,
        calendar.address or "",
        calendar.sign_in,
        calendar.digest,
    )


def _find(due: _Due, *, now: datetime, outside: fetching.Outside | None) -> tuple[expanding.Found | None, str]:
    """When the owner is busy, None where that is the same as before; with the digest of what it was worked out from."""
    today = london_date(now)
    begin, end = london_to_utc(today, -24 * 60), london_to_utc(today + timedelta(days=DAYS_AHEAD), 0)
    if due.kind == "caldav":
        content = _ask_caldav(due, begin, end, outside)
    else:
        content = fetching.fetch(due.address, outside=outside)
    own_uids = list(
        db.session.scalars(
            select(CalendarObject.uid).where(CalendarObject.user_id == due.officer_id, CalendarObject.ends_at > begin)
        )
    )
    end_read()
    seen = hashlib.sha256(f"{today} {len(own_uids)} {due.kind}\n".encode() + content).hexdigest()
    if seen == due.digest:
        return None, seen
    return expanding.busy_in(content, kind=due.kind, begin=begin, end=end, own_uids=own_uids), seen


def _ask_caldav(due: _Due, begin: datetime, end: datetime, outside: fetching.Outside | None) -> bytes:
    """The events of a CalDAV calendar between two instants (RFC 4791, 7.8). Its own expansion is not asked for: servers
    get it wrong."""
    query = (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
        "<D:prop><C:calendar-data/></D:prop><C:filter>"
        '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f'<C:time-range start="{begin:%Y%m%dT%H%M%SZ}" end="{end:%Y%m%dT%H%M%SZ}"/>'
        "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    )
    name, _, password = (due.sign_in or "").partition("\n")
    return fetching.fetch(
        due.address,
        method="REPORT",
        body=query.encode(),
        headers={
            "Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode(),
            "Content-Type": "application/xml; charset=utf-8",
            "Depth": "1",
        },
        outside=outside,
    )

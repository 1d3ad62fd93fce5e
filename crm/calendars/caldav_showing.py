"""What is told of a visit is shown in the calendar that the officer's own program keeps with us."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

from sqlalchemy import select

from crm.calendars import caldav_text
from crm.calendars.models import CalendarEntry, CalendarObject
from crm.db import db


def show(told: CalendarObject, *, now: datetime) -> None:
    """Show an officer's copy of a visit as it now stands, or take it out. Their own alarms and notes on it stay.

    An event that the officer made and that is being booked is known by its UID.
    """
    if told.user_id is None or told.visit_id is None:
        return
    entry = _entry_for(told)
    if told.removed_at is not None:
        if entry is not None:
            _settle(entry)
            entry.body = None
            if entry.removed_at is None:
                entry.removed_at, entry.changed_at, entry.change = now, now, told.change
            db.session.flush()
        return
    if entry is None:
        entry = CalendarEntry(user_id=told.user_id, name=name_for(told.uid), uid=told.uid)
        db.session.add(entry)
    elif entry.body is not None and (entry.starts_at, entry.ends_at) != (told.starts_at, told.ends_at):
        entry.body = caldav_text.with_times(
            entry.body, starts_at=told.starts_at, ends_at=told.ends_at, sequence=told.sequence, now=now
        )
    entry.visit_id = told.visit_id
    entry.ics = told.ics
    entry.starts_at, entry.ends_at, entry.takes_time = told.starts_at, told.ends_at, True
    entry.change, entry.changed_at, entry.removed_at = told.change, now, None
    _settle(entry)
    db.session.flush()


def name_for(uid: str) -> str:
    """The last part of the address of an event that we made: one that every program writes the same way."""
    local = uid.partition("@")[0]
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", local):
        local = hashlib.sha256(uid.encode()).hexdigest()[:32]
    return f"{local}.ics"


def _entry_for(told: CalendarObject) -> CalendarEntry | None:
    """Where the visit is shown already; else an event with its UID; else where it was shown before."""
    own = select(CalendarEntry).where(CalendarEntry.user_id == told.user_id)
    newest = CalendarEntry.change.desc()
    for condition in (
        (CalendarEntry.visit_id == told.visit_id) & CalendarEntry.removed_at.is_(None),
        (CalendarEntry.uid == told.uid) & CalendarEntry.removed_at.is_(None),
        CalendarEntry.name == name_for(told.uid),
        CalendarEntry.visit_id == told.visit_id,
    ):
        found = db.session.scalars(own.where(condition).order_by(newest).limit(1)).first()
        if found is not None:
            return found
    return None


def _settle(entry: CalendarEntry) -> None:
    entry.problem, entry.problem_said, entry.called_off_from_at = None, None, None

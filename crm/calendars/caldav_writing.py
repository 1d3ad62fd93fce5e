"""What an officer's own calendar program writes: kept as it came, and done where it is about a visit.

Whatever a person may mean is taken in: what can't be done as it stands is kept, shown to be settled, and holds no time.
Refused is only what nobody can mean. Locks are taken in the order of ``visits.booking``: the case, then the officers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from crm.audit import record
from crm.calendars import caldav_text, handlers, invitations, recurrence
from crm.calendars.busy import replace_busy
from crm.calendars.caldav_reading import NoSuchEntry, count_of, entry_named, entry_with_uid
from crm.calendars.caldav_text import Written
from crm.calendars.handlers import Verdict
from crm.calendars.models import CalendarEntry
from crm.db import db
from crm.rules.intervals import Span
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

MOST_EVENTS = 20_000
LONGEST_NAME = 255
DAYS_BACK = timedelta(days=1)


class ChangedMeanwhile(Refusal):
    """The event is not, or is no longer, what the program thinks."""

    default_status = 412

    def __init__(self) -> None:
        super().__init__("The event has changed meanwhile.")


class NotKept(Refusal):
    """The event can't be kept. ``precondition`` is the standard's name for why, ``instead`` that of what is there."""

    default_status = 403

    def __init__(self, precondition: str, *, instead: str | None = None) -> None:
        super().__init__("This event can’t be kept.")
        self.precondition, self.instead = precondition, instead


@dataclass(frozen=True)
class Condition:
    """What a program says the event must be for its write to be done: nothing, or If-Match, or If-None-Match."""

    match: Sequence[str] | None = None
    none_match: Sequence[str] | None = None

    def check(self, tag: str | None) -> None:
        """Raises ChangedMeanwhile. ``tag`` is that of the event as it stands, None where there is none."""
        if self.match is not None and (tag is None or ("*" not in self.match and tag not in self.match)):
            raise ChangedMeanwhile
        if self.none_match is not None and tag is not None and ("*" in self.none_match or tag in self.none_match):
            raise ChangedMeanwhile


@dataclass(frozen=True)
class Put:
    """What was kept, whether it is new here, and whether it stands byte for byte as it came."""

    entry: CalendarEntry
    is_new: bool
    is_as_sent: bool


def tag_of(entry: CalendarEntry) -> str:
    """The ETag of an event, without its quotation marks."""
    return f"{entry.id}-{entry.change}"


def put(
    *,
    user_id: int,
    name: str,
    body: bytes,
    condition: Condition,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> Put:
    """Keep what a program wrote at a name, and do what it says about a visit.

    1. Read it. 2. Hold the household and the officers that it is about. 3. See that the event is still what the program
    thinks. 4. Keep it. 5. Book or move the visit; what is refused stays to be settled. 6. Count private time as busy.

    Raises NotOurKind, NotKept or ChangedMeanwhile.
    """
    written = caldav_text.read(body)
    if not name or len(name) > LONGEST_NAME:
        raise NotKept("valid-calendar-object-resource")
    before = entry_named(user_id, name)
    _hold(user_id, before, written.summary, actor=actor, now=now, today=today)
    entry = entry_named(user_id, name, for_update=True)
    is_new = entry is None or entry.removed_at is not None
    condition.check(None if entry is None or is_new else tag_of(entry))
    same = entry_with_uid(user_id, written.uid)
    if (same is not None and same.name != name) or (entry is not None and not is_new and entry.uid != written.uid):
        raise NotKept("no-uid-conflict", instead=(same or entry).name)  # type: ignore[union-attr]
    if is_new and count_of(user_id) >= MOST_EVENTS:
        raise NotKept("quota-not-exceeded")
    if entry is None:
        entry = CalendarEntry(user_id=user_id, name=name)
    elif is_new and entry.called_off_from_at is None and entry.problem is None:
        entry.visit_id, entry.ics = None, None  # an address used before; otherwise its visit comes back to it
    _keep(entry, user_id, written, body, now=now)
    verdict: Verdict = handlers.call(
        "write_visit", entry, written, actor=actor, now=now, today=today, rulebook=rulebook
    )
    _take_verdict(entry, verdict)
    count_as_busy(entry, written, now=now)
    record("calendar.put", actor=actor, at=now, subject=f"calendar_entry:{entry.id}", detail=_about(entry))
    return Put(entry, is_new, entry.body == body)


def take_out(
    *,
    user_id: int,
    name: str,
    condition: Condition,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> None:
    """Take an event out. A visit is called off with it, a little later: some programs move an event by taking it out
    and making another. Raises NoSuchEntry or ChangedMeanwhile."""
    before = entry_named(user_id, name)
    if before is None or before.removed_at is not None:
        condition.check(None)
        raise NoSuchEntry
    _hold(user_id, before, "", actor=actor, now=now, today=today)
    entry = entry_named(user_id, name, for_update=True)
    if entry is None or entry.removed_at is not None:
        raise NoSuchEntry
    condition.check(tag_of(entry))
    _take_out(entry, now=now)
    verdict: Verdict = handlers.call("take_visit_out", entry, actor=actor, now=now, today=today, rulebook=rulebook)
    _take_verdict(entry, verdict)
    count_as_busy(entry, None, now=now)
    record("calendar.taken_out", actor=actor, at=now, subject=f"calendar_entry:{entry.id}", detail=_about(entry))


def forget_for_leaver(*, from_user_id: int, actor: Actor, now: datetime, **_rest: object) -> None:
    """Somebody leaves: what they wrote in their calendar goes, and with it when they are busy. Visits stay."""
    own = select(CalendarEntry).where(
        CalendarEntry.user_id == from_user_id, CalendarEntry.visit_id.is_(None), CalendarEntry.removed_at.is_(None)
    )
    invitations.hold_calendars({from_user_id}, now=now)
    for entry in db.session.scalars(own).all():
        _take_out(entry, now=now)
        count_as_busy(entry, None, now=now)


def change_shown(entry: CalendarEntry, *, now: datetime) -> None:
    """Programs are told that an event is another than it was."""
    entry.change, entry.changed_at = invitations.count_change(entry.user_id, now), now
    db.session.flush()


def leave_as_private(entry: CalendarEntry, *, actor: Actor, now: datetime) -> None:
    """The officer says that an event is not about a visit after all: it is their own, and its time counts as busy."""
    entry.problem, entry.problem_said = None, None
    written = caldav_text.read(entry.body) if entry.body is not None and entry.removed_at is None else None
    count_as_busy(entry, written, now=now)
    db.session.flush()
    record("calendar.settled", actor=actor, at=now, subject=f"calendar_entry:{entry.id}", detail={"how": "own"})


def count_as_busy(entry: CalendarEntry, written: Written | None, *, now: datetime) -> None:
    """Have the times of a private event count as busy, and nothing of it besides; of anything else, none."""
    spans: Sequence[Span] = ()
    is_private = entry.visit_id is None and entry.problem is None and entry.removed_at is None
    if is_private and written is not None and entry.body is not None:
        if written.repeats:
            spans = recurrence.busy_spans(entry.body, begin=now - DAYS_BACK, end=now + recurrence.HORIZON)
        elif written.takes_time and written.ends_at > max(now - DAYS_BACK, written.starts_at):
            spans = (Span(written.starts_at, written.ends_at),)
    replace_busy(entry.user_id, f"caldav:{entry.id}", spans)


def roll_on(now: datetime) -> int:
    """Work out the times of every series anew, as far ahead as they are known on any other day. Returns how many."""
    series = db.session.scalars(
        select(CalendarEntry).where(
            CalendarEntry.ends_at.is_(None),
            CalendarEntry.removed_at.is_(None),
            CalendarEntry.visit_id.is_(None),
            CalendarEntry.problem.is_(None),
        )
    ).all()
    for entry in series:
        if entry.body is not None:
            count_as_busy(entry, caldav_text.read(entry.body), now=now)
    return len(series)


def _hold(
    user_id: int, before: CalendarEntry | None, summary: str, *, actor: Actor, now: datetime, today: date
) -> None:
    """Keep everybody else waiting who changes the same household, visit or calendars; always in that order."""
    visit_id = before.visit_id if before is not None else None
    officers: set[int] = handlers.call("hold_visit", visit_id=visit_id, summary=summary, actor=actor, today=today)
    invitations.hold_calendars({user_id, *officers}, now=now)


def _keep(entry: CalendarEntry, user_id: int, written: Written, body: bytes, *, now: datetime) -> None:
    entry.change, entry.changed_at = invitations.count_change(user_id, now), now
    entry.uid = written.uid
    entry.body = body
    entry.starts_at = written.starts_at
    entry.ends_at = None if written.repeats else written.ends_at
    entry.takes_time = written.takes_time
    entry.removed_at, entry.called_off_from_at = None, None
    entry.problem, entry.problem_said = None, None
    db.session.add(entry)
    db.session.flush()


def _take_out(entry: CalendarEntry, *, now: datetime) -> None:
    entry.removed_at = now
    entry.problem, entry.problem_said = None, None
    if entry.visit_id is None:  # an officer's own event that they took out is nobody's business any more
        entry.body, entry.ics = None, ""
    change_shown(entry, now=now)


def _take_verdict(entry: CalendarEntry, verdict: Verdict) -> None:
    if verdict.visit_id is not None:
        entry.visit_id = verdict.visit_id
    entry.problem = verdict.problem
    entry.problem_said = (verdict.said or "") if verdict.problem is not None else None
    db.session.flush()


def _about(entry: CalendarEntry) -> dict[str, Any]:
    """What the trail says of an event: codes, never a word that the officer typed."""
    kind = "visit" if entry.visit_id is not None else "private" if entry.problem is None else entry.problem
    return {"kind": kind, "visit": entry.visit_id} if entry.visit_id is not None else {"kind": kind}

"""Working out from a calendar's text when its owner is busy, in a process of its own with little time and memory.

A calendar comes from outside and may be made to keep a reader busy for ever. Run as ``python -m``: the first line of
what it is given says what it is and for when, the rest is the calendar; it answers with times and nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from crm.rules.intervals import LONDON, Span, merge

CPU_S = 8
MEMORY_BYTES = 512 * 1024 * 1024
LONGEST_S = 30.0
TOO_OFTEN = ("SECONDLY", "MINUTELY", "HOURLY")
"""Nobody has an appointment every hour for ever."""
NO_CALDAV = "The server did not answer as a CalDAV server does. Is it the calendar’s own address?"
DAV, CALDAV = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"


class NotReadable(Exception):
    """What was fetched is no calendar that can be read. The words are for its officer."""


@dataclass(frozen=True)
class Found:
    """When somebody is busy, and how many events could not be made sense of."""

    spans: tuple[Span, ...]
    passed_over: int


def busy_in(content: bytes, *, kind: str, begin: datetime, end: datetime, own_uids: Iterable[str] = ()) -> Found:
    """When the owner of a calendar is busy between two instants. Raises NotReadable, in words.

    ``kind`` is "address" for a calendar, "caldav" for an answer to a calendar-query. ``own_uids`` are of events that we
    put there ourselves: a visit is no reason why its officer can't make it.
    """
    asked = {"kind": kind, "begin": begin.isoformat(), "end": end.isoformat(), "own": sorted(own_uids)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "crm.calendars.expanding"],
            input=json.dumps(asked).encode() + b"\n" + content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=LONGEST_S,
            check=False,
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        answer = None
    if answer is None:
        raise NotReadable("The calendar takes too long to work out, or makes no sense.")
    if "fault" in answer:
        raise NotReadable(answer["fault"])
    spans = [Span(datetime.fromisoformat(start), datetime.fromisoformat(until)) for start, until in answer["spans"]]
    return Found(tuple(spans), answer["passed_over"])


# --- In the other process ---------------------------------------------------------------------------------------------


def main() -> None:
    """Read what was asked and the calendar from standard input; answer in JSON."""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    asked = json.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    try:
        texts = _from_multistatus(content) if asked["kind"] == "caldav" else [content.decode("utf-8-sig", "replace")]
        found = expand(
            texts,
            begin=datetime.fromisoformat(asked["begin"]),
            end=datetime.fromisoformat(asked["end"]),
            own_uids=frozenset(asked["own"]),
        )
        answer: dict[str, Any] = {
            "spans": [[span.start.isoformat(), span.end.isoformat()] for span in found.spans],
            "passed_over": found.passed_over,
        }
    except NotReadable as fault:
        answer = {"fault": str(fault)}
    sys.stdout.write(json.dumps(answer))


def _from_multistatus(content: bytes) -> list[str]:
    from xml.etree import ElementTree

    # Entities are only declared in a document type, and no server of calendars sends one.
    if b"<!doctype" in content.lower() or b"<!entity" in content.lower():
        raise NotReadable("The server’s answer has something in it that is not read.")
    try:
        tree = ElementTree.fromstring(content)
    except ElementTree.ParseError as fault:
        raise NotReadable(NO_CALDAV) from fault
    if tree.tag != f"{DAV}multistatus":
        raise NotReadable(NO_CALDAV)
    return [one.text for one in tree.iter(f"{CALDAV}calendar-data") if one.text]


def expand(texts: Iterable[str], *, begin: datetime, end: datetime, own_uids: frozenset[str] = frozenset()) -> Found:
    """When these calendars say that their owner is busy. Raises NotReadable where one is no calendar."""
    from icalendar import Calendar

    spans: list[Span] = []
    passed_over = 0
    for text in texts:
        try:
            calendars = Calendar.from_ical(text, multiple=True)
        except (ValueError, RecursionError) as fault:
            raise NotReadable("There is no calendar at that address: what is there can’t be read as one.") from fault
        if not calendars or any(one.name != "VCALENDAR" for one in calendars):
            raise NotReadable("There is no calendar at that address: what is there can’t be read as one.")
        for calendar in calendars:
            passed_over += _leave_out(calendar, own_uids)
            taken, missed = _occurrences(calendar, begin, end)
            spans += [*taken, *_said_outright(calendar)]
            passed_over += missed
    limits = Span(begin, end)
    cut = [Span(max(one.start, begin), min(one.end, end)) for one in spans if one.overlaps(limits)]
    return Found(merge(cut), passed_over)


def _leave_out(calendar: Any, own_uids: frozenset[str]) -> int:
    """Take out what takes nobody's time, and what would take for ever to work out; how many of the second."""
    kept, missed = [], 0
    for part in calendar.subcomponents:
        if part.name != "VEVENT":
            kept.append(part)
            continue
        rules = part.get("RRULE") or []
        rules = rules if isinstance(rules, list) else [rules]
        if any(str(word).upper() in TOO_OFTEN for rule in rules for word in rule.get("FREQ", [])):
            missed += 1
        elif str(part.get("UID", "")) not in own_uids:
            kept.append(part)
    calendar.subcomponents = kept
    return missed


def _occurrences(calendar: Any, begin: datetime, end: datetime) -> tuple[list[Span], int]:
    import recurring_ical_events

    found, missed = [], 0
    for event in recurring_ical_events.of(calendar, skip_bad_series=True).between(begin, end):
        if _takes_no_time(event):
            continue
        try:
            start, until = _instant(event.start), _instant(event.end)
        except (ValueError, TypeError):
            missed += 1
            continue
        start -= _way_there(event)
        # On the nights the clocks change a series can end before it begins.
        if start < until:
            found.append(Span(start, until))
    return found, missed


def _way_there(event: Any) -> timedelta:
    """The travel that Apple's calendars keep free before an event."""
    from icalendar import vDuration

    said = event.get("X-APPLE-TRAVEL-DURATION")
    if said is None:
        return timedelta(0)
    try:
        way = said.dt if hasattr(said, "dt") else vDuration.from_ical(str(said))  # type: ignore[no-untyped-call]
    except ValueError:
        return timedelta(0)
    return min(max(way, timedelta(0)), timedelta(hours=12)) if isinstance(way, timedelta) else timedelta(0)


def _takes_no_time(event: Any) -> bool:
    return (
        str(event.get("STATUS", "")).upper() == "CANCELLED"
        or str(event.get("TRANSP", "")).upper() == "TRANSPARENT"
        or str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper() in ("FREE", "WORKINGELSEWHERE")
    )


def _said_outright(calendar: Any) -> Iterator[Span]:
    """The busy times of a calendar that publishes nothing but those."""
    for part in calendar.walk("VFREEBUSY"):
        said = part.get("FREEBUSY") or []
        for period in said if isinstance(said, list) else [said]:
            if str(period.params.get("FBTYPE", "BUSY")).upper() == "FREE":
                continue
            if hasattr(period, "start"):
                start, until = _instant(period.start), _instant(period.end)
                if start < until:
                    yield Span(start, until)


def _instant(value: date | datetime) -> datetime:
    """A time in UTC. What has no zone is meant as London has it; a date is its midnight there."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(0))
    if value.tzinfo is None:
        value = value.replace(tzinfo=LONDON)
    return value.astimezone(UTC)


if __name__ == "__main__":
    main()

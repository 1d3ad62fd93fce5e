"""The only place where calendar text is made, and where it is read back before it is believed.

The library escapes and folds; what it lets through (a lone CR, a line separator, a second SUMMARY) is refused here, by
comparing the finished lines with what was meant. Never by ``assert``: that vanishes under ``python -O``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from icalendar import CLASS, PARTSTAT, ROLE, STATUS, TRANSP, Calendar, Event, vCalAddress

from crm.rules.intervals import Span

PRODID = "-//Doorstep//Visits//EN"
REFRESH = timedelta(hours=1)
LONGEST_TEXT = 2000
"""Characters of one text; longer is cut."""

EVENT_PROPERTIES = (
    "BEGIN", "CLASS", "DESCRIPTION", "DTEND", "DTSTAMP", "DTSTART", "END", "LAST-MODIFIED", "LOCATION", "SEQUENCE",
    "STATUS", "SUMMARY", "TRANSP", "UID", "URL",
)  # fmt: skip
"""The content lines of an event in a feed, sorted."""
PEOPLE_PROPERTIES = ("ATTENDEE", "ORGANIZER")
FRAME_PROPERTIES = ("BEGIN", "CALSCALE", "END", "METHOD", "PRODID", "VERSION")
FILE_PROPERTIES = ("BEGIN", "CALSCALE", "END", "PRODID", "VERSION")
FEED_PROPERTIES = (
    "BEGIN", "CALSCALE", "END", "NAME", "PRODID", "REFRESH-INTERVAL", "VERSION", "X-PUBLISHED-TTL", "X-WR-CALNAME",
)  # fmt: skip


class CalendarNotAsMeant(Exception):
    """The finished calendar text differs from what was asked for. Nothing goes out; somebody has to look."""


@dataclass(frozen=True, kw_only=True)
class EventFacts:
    """What one event says. ``description`` is lines; ``cancelled`` marks an event that is off."""

    uid: str
    sequence: int
    starts_at: datetime
    ends_at: datetime
    summary: str
    location: str
    description: Sequence[str]
    url: str
    cancelled: bool = False


@dataclass(frozen=True)
class Mailbox:
    """Somebody on an invitation: a checked address and the name shown with it."""

    email: str
    name: str


def plain(text: str) -> str:
    """A text on one line with nothing in it that a calendar program acts upon: controls become spaces."""
    kept = "".join(" " if _is_control(character) else character for character in text)
    return " ".join(kept.split())[:LONGEST_TEXT].rstrip()


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def event_text(facts: EventFacts, *, stamp: datetime) -> str:
    """The VEVENT as it stands in its owner's calendar: CRLF lines, no organiser and no attendee.

    Without them the owner's program writes to nobody when the event is dragged.
    """
    raw = _event(facts, stamp=stamp).to_ical()
    check_lines(raw, EVENT_PROPERTIES)
    return raw.decode("utf-8")


def message(
    facts: EventFacts,
    *,
    method: str,
    stamp: datetime,
    organiser: Mailbox,
    attendee: Mailbox,
    partstat: PARTSTAT = PARTSTAT.NEEDS_ACTION,
) -> bytes:
    """The calendar object of one message to one person (RFC 5546): one event, one organiser, one attendee."""
    event = _event(facts, stamp=stamp)
    event.organizer = vCalAddress.new(organiser.email, cn=_name(organiser))
    event.attendees = [
        vCalAddress.new(
            attendee.email,
            cn=_name(attendee),
            partstat=partstat,
            role=ROLE.REQ_PARTICIPANT,
            rsvp=method == "REQUEST",
        )
    ]
    calendar = _frame()
    calendar.add("METHOD", method)
    calendar.add_component(event)
    raw: bytes = calendar.to_ical()
    check_lines(raw, (*FRAME_PROPERTIES, *EVENT_PROPERTIES, *PEOPLE_PROPERTIES))
    if raw.split(b"\r\n").count(b"BEGIN:VEVENT") != 1:
        raise CalendarNotAsMeant("a message is about exactly one event")
    return raw


def feed(name: str, events: Iterable[str]) -> bytes:
    """A whole feed: a frame round event texts that were rendered before. Its bytes depend on nothing else."""
    calendar = _frame()
    calendar.add("NAME", plain(name))
    calendar.add("X-WR-CALNAME", plain(name))
    # RFC 7986 5.7 wants the VALUE, which the library's own argument for it leaves out.
    calendar.add("REFRESH-INTERVAL", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("X-PUBLISHED-TTL", "PT1H")
    raw: bytes = calendar.to_ical()
    check_lines(raw, FEED_PROPERTIES)
    head, end, _ = raw.partition(b"END:VCALENDAR")
    return head + "".join(events).encode("utf-8") + end + b"\r\n"


def file(events: Sequence[EventFacts], *, stamp: datetime) -> bytes:
    """A calendar to be opened or brought in by hand: several events, without an organiser, so that nobody is asked to
    answer. Opened again after a change it moves what it put there, by UID and sequence."""
    raw: bytes = _frame().to_ical()
    check_lines(raw, FILE_PROPERTIES)
    head, end, _ = raw.partition(b"END:VCALENDAR")
    return head + "".join(event_text(facts, stamp=stamp) for facts in events).encode("utf-8") + end + b"\r\n"


def free_busy(spans: Sequence[Span], *, begin: datetime, end: datetime, stamp: datetime) -> str:
    """The answer to when somebody is not free: times, and nothing else."""
    lines = [
        "BEGIN:VCALENDAR",
        f"PRODID:{PRODID}",
        "VERSION:2.0",
        "BEGIN:VFREEBUSY",
        f"DTSTAMP:{_written(stamp)}",
        f"DTSTART:{_written(begin)}",
        f"DTEND:{_written(end)}",
        *(f"FREEBUSY:{_written(span.start)}/{_written(span.end)}" for span in spans),
        "END:VFREEBUSY",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(lines)


def _written(moment: datetime) -> str:
    return _utc(moment).strftime("%Y%m%dT%H%M%SZ")


def alone(event: str) -> str:
    """One rendered event as a whole calendar object: what a calendar program fetches."""
    head, end = _frame_of_one()
    return f"{head}{event}{end}"


@lru_cache(maxsize=1)
def _frame_of_one() -> tuple[str, str]:
    raw: bytes = _frame().to_ical()
    check_lines(raw, FILE_PROPERTIES)
    head, end, _ = raw.decode("utf-8").partition("END:VCALENDAR")
    return head, f"{end}\r\n"


def check_lines(raw: bytes, expected: Sequence[str]) -> None:
    """That the content lines are exactly these, however a reader may split them. Raises CalendarNotAsMeant."""
    if not raw.endswith(b"\r\n"):
        raise CalendarNotAsMeant("the calendar text is cut off")
    found = property_names(raw)
    if sorted(found) != sorted(expected):
        raise CalendarNotAsMeant(f"the calendar's lines are {', '.join(found)}")
    if re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u2028\u2029]", raw.decode("utf-8")):
        raise CalendarNotAsMeant("the calendar text holds a control character")


def property_names(raw: bytes) -> list[str]:
    """The names of the content lines, unfolded, split at CRLF, at LF and at CR: the worst that a reader may do."""
    unfolded = raw.replace(b"\r\n ", b"")
    lines = [line for line in re.split(rb"\r\n|\n|\r", unfolded) if line]
    return [re.split(rb"[:;]", line, maxsplit=1)[0].decode("ascii", "replace") for line in lines]


def _event(facts: EventFacts, *, stamp: datetime) -> Event:
    for moment in (facts.starts_at, facts.ends_at, stamp):
        if moment.tzinfo is None:
            raise CalendarNotAsMeant("a time without a zone can't go into a calendar")
    if facts.ends_at <= facts.starts_at:
        raise CalendarNotAsMeant("an event ends after it starts")
    event = Event.new(
        uid=plain(facts.uid),
        sequence=facts.sequence,
        stamp=_utc(stamp),
        start=_utc(facts.starts_at),
        end=_utc(facts.ends_at),
        summary=plain(facts.summary),
        location=plain(facts.location),
        description="\n".join(plain(line) for line in facts.description),
        status=STATUS.CANCELLED if facts.cancelled else STATUS.CONFIRMED,
        transparency=TRANSP.OPAQUE,
        classification=CLASS.PRIVATE,
        last_modified=_utc(stamp),
    )
    event.add("URL", plain(facts.url))
    return event


def _utc(moment: datetime) -> datetime:
    """UTC to the second: what a single visit is sent in, since no calendar program reads that wrongly."""
    return moment.astimezone(UTC).replace(microsecond=0)


def _name(mailbox: Mailbox) -> str:
    """A name for a CN parameter. A quotation mark or a caret there is written differently by every program."""
    return plain(mailbox.name.translate({ord('"'): " ", ord("^"): " "}))[:120].strip() or mailbox.email


def _frame() -> Calendar:
    calendar = Calendar()
    calendar.add("PRODID", PRODID)
    calendar.add("VERSION", "2.0")
    calendar.add("CALSCALE", "GREGORIAN")
    return calendar

"""What other people's calendar programs say to us about an event (iTIP, RFC 5546), believing no more than it says.

One message is about one event. Which of two messages is the newer is told by SEQUENCE, then by DTSTAMP, and never by
the order in which they came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from crm.calendars import caldav_text
from crm.calendars.caldav_text import Line, NotOurKind

LONGEST_ADDRESS = 254
MOST_ATTENDEES = 200
HIGHEST_SEQUENCE = 1_000_000


class Method(StrEnum):
    """What a message is for. Others are none of our business."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"
    REPLY = "REPLY"
    COUNTER = "COUNTER"


class Answer(StrEnum):
    """What somebody who was invited says."""

    ACCEPTED = "accepted"
    TENTATIVE = "tentative"
    DECLINED = "declined"
    COUNTER = "counter"
    """They propose another time."""


@dataclass(frozen=True, order=True)
class Stand:
    """How new a message about an event is: its SEQUENCE first, then its DTSTAMP."""

    sequence: int
    stamp: datetime


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message about one event."""

    method: Method
    uid: str
    stand: Stand
    organiser: str
    """The address, in lower case, or nothing."""
    attendees: tuple[tuple[str, str], ...]
    """Address in lower case, and PARTSTAT in capitals."""
    summary: str
    comment: str
    starts_at: datetime | None
    """None where it names no time."""
    ends_at: datetime | None
    body: bytes
    """The object as it came, in UTF-8."""

    def answer_of(self, address: str) -> Answer | None:
        """What this attendee says; None where they say nothing or are not named."""
        said = dict(self.attendees).get(address.lower())
        if said is None:
            return None
        if self.method is Method.COUNTER:
            return Answer.COUNTER
        return {"ACCEPTED": Answer.ACCEPTED, "TENTATIVE": Answer.TENTATIVE, "DECLINED": Answer.DECLINED}.get(said)


def read(text: str, *, now: datetime) -> Said | None:
    """Read a calendar object that came by mail; None where it is no message to us (PUBLISH, a task, no method).

    A stamp of tomorrow counts as now: otherwise a clock that is wrong once would have the last word for ever. Raises
    NotOurKind for what can't be read, or is about some of a series only.
    """
    body = text.encode("utf-8", "replace")
    lines = caldav_text.content_lines(caldav_text.decoded(body))
    method = next((line.value.strip().upper() for line in lines if line.name == "METHOD"), "")
    if method not in {one.value for one in Method}:
        return None
    events = caldav_text.lines_of_events(text)
    if len(events) != 1:
        raise NotOurKind("a message is about one event")
    event = events[0]
    if any(line.name == "RECURRENCE-ID" for line in event):
        raise NotOurKind("it is about one of a series")
    uid = caldav_text.value_of(event, "UID")
    if not uid or len(uid) > caldav_text.LONGEST_UID:
        raise NotOurKind("the UID can't be kept")
    starts_at = ends_at = None
    if any(line.name == "DTSTART" for line in event):
        starts_at, ends_at, _ = caldav_text.span_of(event, body)
    people = [line for line in event if line.name == "ATTENDEE"][:MOST_ATTENDEES]
    return Said(
        method=Method(method),
        uid=uid,
        stand=Stand(_sequence(event), _stamp(event, now=now)),
        organiser=next((_address(line) for line in event if line.name == "ORGANIZER"), ""),
        attendees=tuple((_address(line), line.parameters.get("PARTSTAT", "").upper()) for line in people),
        summary=caldav_text.plain_value(caldav_text.value_of(event, "SUMMARY"))[: caldav_text.LONGEST_TEXT],
        comment=caldav_text.plain_value(caldav_text.value_of(event, "COMMENT"))[: caldav_text.LONGEST_TEXT],
        starts_at=starts_at,
        ends_at=ends_at,
        body=body,
    )


def uid_of_yes(text: str, *, now: datetime) -> str | None:
    """Of an answer that says yes or maybe and asks for nothing, the UID that it is about; None for everything else."""
    try:
        said = read(text, now=now)
    except NotOurKind:
        return None
    if said is None or said.method is not Method.REPLY or not said.attendees:
        return None
    return said.uid if all(status in ("ACCEPTED", "TENTATIVE") for _, status in said.attendees) else None


def is_news(coming: Stand, known: Stand | None) -> bool:
    """Whether a message says something that a newer one has not overtaken. The very same again is no harm."""
    return known is None or coming >= known


def _sequence(event: list[Line]) -> int:
    value = caldav_text.value_of(event, "SEQUENCE") or "0"
    if not re.fullmatch(r"\d{1,9}", value) or int(value) > HIGHEST_SEQUENCE:
        raise NotOurKind("SEQUENCE is no number")
    return int(value)


def _stamp(event: list[Line], *, now: datetime) -> datetime:
    line = next((line for line in event if line.name == "DTSTAMP"), None)
    if line is None:
        return now.astimezone(UTC)
    return min(caldav_text.moment(line, {})[0], now.astimezone(UTC))


def _address(line: Line) -> str:
    """The mailbox of a person's line; some programs put it in EMAIL and something else in the value."""
    for value in (line.value, line.parameters.get("EMAIL", "")):
        address = re.sub(r"^mailto:", "", value.strip(), flags=re.I).strip("<> ").lower()
        if "@" in address and len(address) <= LONGEST_ADDRESS:
            return address
    return ""

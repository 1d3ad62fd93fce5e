"""Mail as calendar programs write it, and what it does here."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import sqlalchemy as sa
from icalendar import Calendar

from crm.cases import mail_worker
from crm.cases.models import Task, TimelineEntry
from crm.clock import now_utc
from crm.db import db
from crm.delivery import OutboundMessage
from crm.delivery.models import IncomingMessage

VISITS = "visits@kestrel.example.org"
_numbers = itertools.count()


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def ics(
    method: str,
    uid: str,
    *,
    attendee: str | None,
    partstat: str = "",
    sequence: int = 0,
    at: datetime | None = None,
    organiser: str | None = VISITS,
    start: datetime | None = None,
    minutes: int = 90,
    lines: tuple[str, ...] = (),
) -> str:
    """A calendar object as a program writes it: CRLF, a line for each thing."""
    status = f";PARTSTAT={partstat}" if partstat else ""
    return "\r\n".join(
        [
            "BEGIN:VCALENDAR",
            "PRODID:-//Somebody//Calendar//EN",
            "VERSION:2.0",
            f"METHOD:{method}",
            "BEGIN:VEVENT",
            f"UID:{uid}",
            f"SEQUENCE:{sequence}",
            f"DTSTAMP:{stamp(at or now_utc())}",
            *([f"ORGANIZER:mailto:{organiser}"] if organiser else []),
            *([f"ATTENDEE{status};CN=Somebody:MAILTO:{attendee}"] if attendee else []),
            *([f"DTSTART:{stamp(start)}", f"DTEND:{stamp(start + timedelta(minutes=minutes))}"] if start else []),
            *lines,
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )


def message(
    calendar: str | None, *, sender: str, to: str = VISITS, text: str = "", number: str | None = None, **headers: str
) -> bytes:
    """A message with a calendar object in it, as an alternative to its text."""
    made = EmailMessage()
    made["From"] = sender
    made["To"] = to
    made["Subject"] = headers.pop("Subject", "Accepted: Kestrel visit")
    made["Message-ID"] = f"<{number or next(_numbers)}@mail.example.org>"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text or "See the calendar.")
    if calendar is not None:
        method = calendar.partition("METHOD:")[2].partition("\r")[0] or "REPLY"
        made.add_alternative(calendar, subtype="calendar", params={"method": method})
    return made.as_bytes()


def arrives(raw: bytes) -> IncomingMessage:
    """A message comes in now, as the worker takes it in."""
    return mail_worker.deal_with(raw, now=now_utc())


def story() -> list[str]:
    return list(db.session.scalars(sa.select(TimelineEntry.title).order_by(TimelineEntry.id)))


def to_do() -> list[tuple[str, int]]:
    return [(one.title, one.assigned_to_id) for one in db.session.scalars(sa.select(Task).order_by(Task.id))]


def letters(kind: str | None = None, *, to: str | None = None) -> list[OutboundMessage]:
    found = db.session.scalars(sa.select(OutboundMessage).order_by(OutboundMessage.id)).all()
    return [one for one in found if (kind is None or one.kind == kind) and (to is None or one.recipient == to)]


def event_in(letter: OutboundMessage) -> tuple[str, Any] | None:
    """METHOD and event of a letter; None where no calendar object goes with it."""
    parsed = message_from_bytes(letter.payload, policy=policy.default)
    part = next((one for one in parsed.walk() if one.get_content_type() == "text/calendar"), None)
    if part is None:
        return None
    calendar = Calendar.from_ical(part.get_content())
    return str(calendar["METHOD"]), calendar.events[0]

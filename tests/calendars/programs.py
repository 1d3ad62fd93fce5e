"""A calendar program of an officer's, which speaks CalDAV in single requests, and what such programs write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crm import policy
from crm.access import app_passwords
from crm.calendars import caldav_writing
from crm.calendars.models import CalendarEntry
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from tests.factories import Member

NAMESPACES = (
    'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/" '
    'xmlns:A="http://apple.com/ns/ical/"'
)


def event(uid: str, summary: str, when: str, minutes: int = 90, *more: str) -> bytes:
    """A program's text of an event that begins at a London time: "20260714T140000"."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//A program//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260706T083000Z",
        f"DTSTART;TZID=Europe/London:{when}",
        f"DURATION:PT{minutes}M",
        f"SUMMARY:{summary}",
        *more,
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(lines).encode()


@dataclass
class Program:
    """A calendar program of one officer, with a password of its own."""

    client: Any
    user_id: int
    email: str
    password: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/caldav/{self.user_id}/visits/"

    def ask(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in {**self.headers, **headers}.items()}
        answer = self.client.open(path, method=method, data=body, headers=named, auth=(self.email, self.password))
        db.session.rollback()  # what the test sees next is what the request left
        return answer

    def put(self, name: str, body: bytes, **headers: str) -> Any:
        return self.ask("PUT", self.path + name, body, Content_Type="text/calendar; charset=utf-8", **headers)

    def get(self, name: str) -> Any:
        return self.ask("GET", self.path + name)

    def delete(self, name: str, **headers: str) -> Any:
        return self.ask("DELETE", self.path + name, **headers)

    def propfind(self, path: str, props: str, depth: str = "0") -> Any:
        body = f"<D:propfind {NAMESPACES}><D:prop>{props}</D:prop></D:propfind>"
        return self.ask("PROPFIND", path, body, Depth=depth)

    def report(self, inside: str, name: str) -> Any:
        return self.ask("REPORT", self.path, f"<{name} {NAMESPACES}>{inside}</{name}>", Depth="1")

    def sync(self, token: str = "") -> Any:
        return self.report(
            f"<D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop>",
            "D:sync-collection",
        )


def program_of(client: Any, member: Member, name: str = "A phone") -> Program:
    """A program of this officer; inside the application."""
    with transaction():
        _, password = app_passwords.make_password(user_id=member.id, name=name, actor=member.actor, now=now_utc())
    client.inspects = False
    return Program(client, member.id, member.email, password)


def put_event(member: Member, summary: str, when: str = "20991215T140000") -> CalendarEntry:
    """What comes in when an officer's program writes an event; inside the caller's transaction."""
    today = today_in_london()
    kept = caldav_writing.put(
        user_id=member.id,
        name="event.ics",
        body=event(f"event-{member.id}@program", summary, when),
        condition=caldav_writing.Condition(),
        actor=member.actor,
        now=now_utc(),
        today=today,
        rulebook=policy.rulebook_on(today),
    )
    return kept.entry

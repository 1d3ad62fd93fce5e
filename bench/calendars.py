"""An officer with ten thousand visits, asked by calendar programs: what each request costs.

Inside the application, and then over HTTP beside Radicale with as many events: what that takes is our bound.
"""

from __future__ import annotations

import base64
import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from icalendar import Calendar, Event
from werkzeug.test import EnvironBuilder

from bench import radicale, servers
from crm import policy
from crm.access import app_passwords
from crm.access.models import User, UserRole
from crm.calendars import feeds, ical
from crm.calendars.ical import EventFacts
from crm.calendars.models import CalendarEntry, CalendarObject, OfficerCalendar
from crm.clock import now_utc
from crm.db import Values, db, insert_rows, new_row_key, transaction
from crm.rules.permissions import SYSTEM, Role

VISITS = 10_000
ROUNDS, FEW_ROUNDS = 60, 5
PASSWORD_NAME, EMAIL = "Bench", "officer@example.org"
NAMESPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
SYNC = (
    f"<D:sync-collection {NAMESPACES}><D:sync-token>{{}}</D:sync-token><D:sync-level>1</D:sync-level>"
    "<D:prop><D:getetag/></D:prop></D:sync-collection>"
)
ETAGS = f"<D:propfind {NAMESPACES}><D:prop><D:getetag/></D:prop></D:propfind>"
MONTH = (
    f"<C:calendar-query {NAMESPACES}><D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter>"
    "<C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'><C:time-range start='{}' end='{}'/></C:comp-filter>"
    "</C:comp-filter></C:filter></C:calendar-query>"
)


def facts_of(number: int, now: datetime) -> EventFacts:
    """One visit of many, spread over the window that a feed shows."""
    starts_at = now + timedelta(minutes=number * 50)
    return EventFacts(
        uid=f"{number:032x}@kestrel.example.org",
        sequence=0,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=40),
        summary=f"Home visit KF-{number:06d}, SE6",
        location="SE6",
        description=[f"Case KF-{number:06d}.", "Names and the address are in the case."],
        url=f"https://kestrel.example.org/visits/{number}",
    )


def fill(now: datetime) -> tuple[int, str, str]:
    """An officer with that many visits. Returns their id, the password of a program, and the secret of the feed."""
    with transaction():
        policy.ensure_defaults(now=now)
        user = User(email=EMAIL, name="Nadia Rahman", active=True, created_at=now)
        user.role_rows = [UserRole(role=Role.OFFICER)]
        db.session.add(user)
        db.session.flush()
        user_id = user.id
        _, password = app_passwords.make_password(user_id=user_id, name=PASSWORD_NAME, actor=SYSTEM, now=now)
        token = feeds.make_address(user_id=user_id, actor=SYSTEM, now=now)
        rows = [Values(OfficerCalendar, {"user_id": user_id, "changes": VISITS, "changed_at": now})]
        for number in range(1, VISITS + 1):
            facts = facts_of(number, now)
            times = {"starts_at": facts.starts_at, "ends_at": facts.ends_at, "changed_at": now, "change": number}
            shared = {"user_id": user_id, "uid": facts.uid, "ics": ical.event_text(facts, stamp=now), **times}
            rows.append(Values(CalendarObject, {**shared, "mailbox_key": "bench", "sequence": 0}))
            name = f"{facts.uid.partition('@')[0]}.ics"
            rows.append(Values(CalendarEntry, {**shared, "name": name, "row_key": new_row_key(), "takes_time": True}))
        insert_rows(rows)
    return user_id, password, token


def with_icalendar(now: datetime) -> bytes:
    """The same feed as the library makes it from objects."""
    calendar = Calendar()
    calendar.add("PRODID", ical.PRODID)
    calendar.add("VERSION", "2.0")
    for number in range(1, VISITS + 1):
        facts = facts_of(number, now)
        calendar.add_component(
            Event.new(
                uid=facts.uid,
                sequence=0,
                stamp=now,
                start=facts.starts_at,
                end=facts.ends_at,
                summary=facts.summary,
                location=facts.location,
                description="\n".join(facts.description),
            )
        )
    text: bytes = calendar.to_ical()
    return text


def measure(app: Flask, bare: Flask, kind: str, report: Any, *, environ: dict[str, str], scratch: Path) -> None:
    """Every figure of this group, on an empty database. ``environ`` is what the product is served with."""
    now = now_utc().replace(microsecond=0)
    user_id, password, token = fill(now)
    db.session.remove()
    path = f"/caldav/{user_id}/visits/"
    shown = "Basic " + base64.b64encode(f"{EMAIL}:{password}".encode()).decode()

    def program(method: str, at: str, body: str = "", **headers: str) -> Callable[[], dict[str, Any]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"Authorization": shown, "Depth": "1", **named}
        return lambda: EnvironBuilder(path=at, method=method, data=body.encode(), headers=named).get_environ()

    where, _ = ask(app, program("REPORT", path, SYNC.format("")))
    here = where.rpartition("<D:sync-token>")[2].partition("<")[0]
    unchanged_sync = median(app, program("REPORT", path, SYNC.format(here)), 207, ROUNDS)
    report.add(f"{kind} {VISITS:,} visits, sync, nothing changed ms", unchanged_sync * 1000, 10)
    feed = f"/feed/{token}.ics"
    _, headers = ask(app, lambda: EnvironBuilder(path=feed).get_environ())
    known = {"If-None-Match": headers["ETag"]}
    plain, unchanged = [], []
    for _ in range(ROUNDS):  # turn and turn about
        plain.append(median(bare, lambda: EnvironBuilder(path="/").get_environ(), 200, 5))
        unchanged.append(median(app, lambda: EnvironBuilder(path=feed, headers=known).get_environ(), 304, 1))
    report.add(f"{kind} feed unchanged x bare", statistics.median(unchanged) / statistics.median(plain), 3)
    begun = time.perf_counter()
    with_icalendar(now)
    library = time.perf_counter() - begun
    ours = median(app, lambda: EnvironBuilder(path=feed).get_environ(), 200, FEW_ROUNDS)
    report.add(f"{kind} {VISITS:,} visits, whole feed, times faster than icalendar", library / ours, 20, is_floor=True)
    db.session.remove()
    with servers.running(environ, scratch) as (base_url, _):
        port = int(base_url.rpartition(":")[2])
        beside_radicale(radicale.Server(port, path, f"{EMAIL}:{password}"), kind, now, report)


def beside_radicale(server: radicale.Server, kind: str, now: datetime, report: Any) -> None:
    """What both take for the same requests, over HTTP."""
    month = MONTH.format(*(f"{now + timedelta(days=days):%Y%m%dT%H%M%SZ}" for days in (30, 60)))
    theirs, taken_in = _of_radicale(now, month)
    report.add(f"Radicale takes in {VISITS:,} events with one request ms", taken_in)
    for name, took in _asked(server, now, month).items():
        report.add(f"{kind} {VISITS:,} visits, over HTTP, {name} ms", took, theirs[name])


@functools.cache
def _of_radicale(now: datetime, month: str) -> tuple[dict[str, float], float]:
    texts = [ical.event_text(facts_of(number, now), stamp=now) for number in range(1, VISITS + 1)]
    with radicale.running(ical.feed("Visits", texts)) as (server, taken_in):
        return _asked(server, now, month), taken_in


def _asked(server: radicale.Server, now: datetime, month: str) -> dict[str, float]:
    """Milliseconds of each request."""
    first = radicale.Asked("first sync", "REPORT", SYNC.format(""), FEW_ROUNDS)
    found = {
        one.name: server.best(one)
        for one in (
            first,
            radicale.Asked("sync, nothing changed", "REPORT", SYNC.format(server.sync_token(SYNC)), FEW_ROUNDS),
            radicale.Asked("etags of everything", "PROPFIND", ETAGS, FEW_ROUNDS),
            radicale.Asked("a month with its text", "REPORT", month, FEW_ROUNDS),
            radicale.Asked("the whole calendar", "GET", "", FEW_ROUNDS, 200),
        )
    }

    def private(uid: str) -> bytes:
        """An officer's own event, in a year of its own."""
        facts = facts_of(0, now + timedelta(days=900))
        return ical.alone(ical.event_text(replace(facts, uid=uid, summary="Dentist"), stamp=now)).encode()

    return {**found, "one event written": server.best_put(private, FEW_ROUNDS)}


def ask(app: Flask, make: Callable[[], dict[str, Any]]) -> tuple[str, dict[str, str]]:
    told: dict[str, Any] = {}

    def start(status: str, headers: list[tuple[str, str]], *_more: Any) -> Any:
        told.update(status=status, headers=dict(headers))
        return lambda _data: None

    body = b"".join(app.wsgi_app(make(), start))
    return body.decode(), {**told["headers"], "status": told["status"]}


def median(app: Flask, make: Callable[[], dict[str, Any]], status: int, rounds: int) -> float:
    """Seconds that a request takes, once it has been asked before."""
    took = []
    for _ in range(rounds + 1):
        environ = make()
        begun = time.perf_counter()
        _, headers = ask(app, lambda environ=environ: environ)  # type: ignore[misc]
        took.append(time.perf_counter() - begun)
        if not headers["status"].startswith(str(status)):
            raise SystemExit(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} answered {headers['status']}")
    return statistics.median(took[1:])

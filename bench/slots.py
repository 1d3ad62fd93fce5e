"""How long it takes to find the free times of a week: twenty officers with visits, and calendars in which much repeats.

Every district of the country is known where CRM_BENCH_OUTCODES names a list of them. Calendars are expanded and kept as
the worker does it; then the week is asked for as its screen asks, and the times to choose as the form does.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask

from bench import servers
from crm import migrations, policy
from crm.access.models import User, UserRole
from crm.app import create_app
from crm.calendars import expanding
from crm.calendars.busy import replace_busy
from crm.cases.models import Case, Channel
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.clock import LONDON
from crm.db import db, transaction
from crm.demo.districts import CENTRES
from crm.rules.intervals import london_to_utc
from crm.rules.permissions import SYSTEM, Role
from crm.settings import Settings
from crm.visits import queries
from crm.visits.availability import Slot, Wanted
from crm.visits.booking import put_officers
from crm.visits.districts import keep_centres, load_directories
from crm.visits.models import Place, Purpose, Visit, VisitStatus

if TYPE_CHECKING:
    from bench.run import Report

OFFICERS, VISITS, REPEATING, ONCE = 20, 8, 20, 180
"""Officers; and of each of them visits in the week, series and single events in the calendar."""
FIRST_DAY = date(2027, 3, 22)
"""A Monday: the week ends with the night on which the clocks go forward."""
NOW = datetime(2027, 3, 19, 12, tzinfo=UTC)
WEEK_MS, ONE_MS = 150, 20
ROUNDS = 15


def measure(folder: Path, server: str, report: Report, secrets: Mapping[str, str]) -> None:
    """The median time of a week of all officers, and of one, on both databases."""
    for kind in ("sqlite", "postgresql"):
        with _service(kind, folder, server, secrets) as app, app.app_context():
            officers, spans = _fill()
            report.add(f"slots {kind} busy times kept of {OFFICERS} officers", spans)
            _time(kind, officers, report)
            db.session.remove()
            db.engine.dispose()
    content, begun = _calendar(random.Random(1)), time.perf_counter()
    expanding.busy_in(content, kind="address", begin=NOW - timedelta(days=1), end=NOW + timedelta(days=120))
    report.add(f"slots one calendar of {REPEATING + ONCE} events expanded ms", 1000 * (time.perf_counter() - begun))


def _time(kind: str, officers: list[User], report: Report) -> None:
    wanted = Wanted(length_minutes=90, postcode="SE6 0KV")
    ids = [one.id for one in officers]

    def week(those: list[User]) -> object:
        return queries.week_of(
            SYSTEM, officers=those, first_day=FIRST_DAY, days=7, wanted=wanted, now=NOW, today=NOW.date()
        )

    def to_choose(those: list[int]) -> list[Slot]:
        return queries.slots_to_choose(those, first_day=FIRST_DAY, days=7, wanted=wanted, now=NOW, today=NOW.date())

    report.add(f"slots {kind} free times of one officer to choose from", len(to_choose(ids[:1])))
    report.add(f"slots {kind} week of {OFFICERS} officers ms", _median(lambda: week(officers)), WEEK_MS)
    report.add(f"slots {kind} week of one officer ms", _median(lambda: week(officers[:1])), ONE_MS)
    report.add(f"slots {kind} times to choose, one officer ms", _median(lambda: to_choose(ids[:1])), ONE_MS)
    report.add(f"slots {kind} times to choose, two together ms", _median(lambda: to_choose(ids[:2])))


@contextmanager
def _service(kind: str, folder: Path, server: str, secrets: Mapping[str, str]) -> Iterator[Flask]:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        url = f"sqlite:///{scratch}/slots.sqlite3"
        if kind == "postgresql":
            servers.drop_database(server, "bench_slots")
            url = servers.database(server, "bench_slots")
        settings = Settings.from_environ({"CRM_ENV": "test", "DATABASE_URL": url, "CRM_DATA": scratch, **secrets})
        yield create_app(settings)
        if kind == "postgresql":
            servers.drop_database(server, "bench_slots")


def _median(do: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        db.session.remove()
        begun = time.perf_counter()
        do()
        took.append(1000 * (time.perf_counter() - begun))
    return statistics.median(took)


def _fill() -> tuple[list[User], int]:
    """Officers with visits all over the country's south-east, and their calendars as the worker keeps them."""
    migrations.upgrade(db.engine)
    draw = random.Random(20270322)
    districts = sorted(CENTRES)
    outcodes = os.environ.get("CRM_BENCH_OUTCODES")
    with transaction():
        policy.ensure_defaults(now=NOW)
        keep_centres(CENTRES)
        if outcodes:
            load_directories([Path(outcodes)])
        officers = []
        for number in range(OFFICERS):
            user = User(
                email=f"officer{number}@example.org", name=f"Officer {number}", active=True, created_at=NOW,
                base_postcode=draw.choice(districts), role_rows=[UserRole(role=Role.OFFICER)],
            )  # fmt: skip
            db.session.add(user)
            officers.append(user)
        db.session.flush()
        for user in officers:
            for number in range(VISITS):
                _visit(user, number, f"{draw.choice(districts)} 0KV", draw)
    spans = 0
    for user in officers:
        found = expanding.busy_in(
            _calendar(draw), kind="address", begin=NOW - timedelta(days=1), end=NOW + timedelta(days=120)
        )
        with transaction():
            spans += replace_busy(user.id, "calendar:1", found.spans)
    for user in officers:
        db.session.refresh(user)
        db.session.expunge(user)
    return officers, spans


def _visit(user: User, number: int, postcode: str, draw: random.Random) -> None:
    day = FIRST_DAY + timedelta(days=number % 5)
    starts_at = london_to_utc(day, (10 if number < 5 else 15) * 60 + draw.choice((0, 15, 30)))
    case: Case = open_case(
        people=[NewPerson(given_name="Ada", family_name=f"Bench{user.id}{number}")],
        touch=NewTouch(channel=Channel.WEB, received_at=NOW, source="Web form"),
        actor=SYSTEM, now=NOW, today=NOW.date(), rulebook=policy.rulebook_on(NOW.date()), owner_id=user.id,
        postcode=postcode, address="1 Rowan Close",
    )  # fmt: skip
    visit = Visit(
        case_id=case.id, purpose=Purpose.FIRST_VISIT, place=Place.HOME, starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=90), status=VisitStatus.BOOKED, booked_at=NOW,
    )  # fmt: skip
    db.session.add(visit)
    db.session.flush()
    put_officers(visit, (user.id,))


def _calendar(draw: random.Random) -> bytes:
    """A calendar as people have them: some things every week or every day for years, and many single ones."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//bench//EN"]
    for number in range(REPEATING + ONCE):
        repeats = number < REPEATING
        day = date(2024, 1, 1) + timedelta(days=draw.randrange(700)) if repeats else (
            NOW.date() + timedelta(days=draw.randrange(-300, 100))
        )  # fmt: skip
        start = datetime(day.year, day.month, day.day, draw.randrange(7, 20), draw.choice((0, 30)), tzinfo=LONDON)
        lines += [
            "BEGIN:VEVENT", f"UID:{number}", f"DTSTART;TZID=Europe/London:{start:%Y%m%dT%H%M%S}",
            f"DURATION:PT{draw.choice((15, 30, 60))}M", f"SUMMARY:Something {number}",
        ]  # fmt: skip
        if repeats:
            lines.append(f"RRULE:FREQ=WEEKLY;INTERVAL={draw.choice((1, 1, 2, 4))}")
        lines.append("END:VEVENT")
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()

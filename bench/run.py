"""``crm bench``: prints ``name value bound ok|over``, one line a figure; exits 1 where one is over its bound.

Page costs are ratios to a bare Flask page measured in the same run, turn and turn about, so that a slow machine is slow
for both. Loaded databases are kept between runs; they are named for their size and the revision of the schema.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import EnvironBuilder

from bench import booking, calendars, door, duplicates, papers, reports, servers, sheet, slots, workspace
from bench.load import load
from crm import migrations, policy
from crm.access import guards, sessions
from crm.access.models import SessionKind, User
from crm.app import create_app
from crm.cases.models import Case, Household
from crm.cli import BENCHES
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.settings import Settings
from crm.web import sightings
from crm.wsgi import settle

MANAGER = "officer0@example.org"
SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 60
OF_A_SIZE = frozenset(BENCHES) - {"booking", "calendars", "door", "import", "papers", "slots"}

SECRETS = {
    "CRM_SECRET_KEY": "a secret that is used in benches and nowhere else",
    "CRM_ENCRYPTION_KEYS": "b1:" + "YmVuY2gtb25seS1iZW5jaC1vbmx5LWJlbmNoLW9ubHk",
}


@dataclass(frozen=True)
class Figure:
    """One measured value, with the bound it is held to (None: told, not judged). A floor is the least it may be."""

    name: str
    value: float
    bound: float | None
    is_floor: bool = False

    @property
    def is_over(self) -> bool:
        """Whether it is on the wrong side of its bound."""
        if self.bound is None:
            return False
        return self.value < self.bound if self.is_floor else self.value > self.bound

    def line(self) -> str:
        bound = "-" if self.bound is None else f"{'>=' if self.is_floor else ''}{self.bound:g}"
        value = f"{self.value:.4f}" if self.is_floor else f"{self.value:.2f}"
        return f"{self.name:<52} {value:>10} {bound:>8} {'over' if self.is_over else 'ok'}"


class Report:
    """The figures so far; each is printed as it is known."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []

    def add(self, name: str, value: float, bound: float | None = None, *, is_floor: bool = False) -> None:
        figure = Figure(name, round(value, 4 if is_floor else 3), bound, is_floor)
        self.figures.append(figure)
        print(figure.line(), flush=True)


def run(*, only: str | None, json_file: Path | None, rows: tuple[int, ...], keep: Path | None) -> int:
    """Measure. Returns the exit code."""
    groups = (only,) if only else BENCHES
    sizes = tuple(sorted(rows)) or SIZES
    folder = (keep or Path(os.environ.get("CRM_DATA", "./var")) / "bench").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    report = Report()
    with servers.postgresql(folder / "postgres") as server:
        for kind in ("sqlite", "postgresql"):
            smallest: dict[str, float] = {}
            if "door" in groups:
                measure_door(kind, folder, server, report)
            if "calendars" in groups:
                measure_calendars(kind, folder, server, report)
            of_a_size = sizes[-1:] if only == "duplicates" else sizes
            for size in of_a_size if OF_A_SIZE & set(groups) else ():
                with service(kind, size, folder, server, report if "load" in groups else None) as app:
                    if "pages" in groups:
                        measure_pages(app, kind, size, smallest, report)
                    if "reports" in groups:
                        reports.measure(app, kind, size, report)
                    if "memory" in groups and size == sizes[-1]:
                        measure_memory(app, kind, size, report)
                    if "duplicates" in groups and size == sizes[-1]:
                        measure_look_ups(kind, size, report)
        if "import" in groups:
            sheet.measure(folder, server, report)
        if "slots" in groups:
            slots.measure(folder, server, report, SECRETS)
        if "booking" in groups:
            booking.measure(folder, server, report, SECRETS)
    if "papers" in groups:
        papers.measure(report)
    if "duplicates" in groups:
        measure_duplicates(folder, min(sizes[-1], duplicates.HOUSEHOLDS), report)
    if json_file is not None:
        json_file.write_text(
            json.dumps([{**asdict(f), "verdict": "over" if f.is_over else "ok"} for f in report.figures], indent=1)
        )
    over = sum(figure.is_over for figure in report.figures)
    print(f"{len(report.figures)} figures, {over} over")
    return 1 if over else 0


# --- Databases --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def service(kind: str, size: int, folder: Path, server: str, report: Report | None) -> Iterator[Flask]:
    """The application over a loaded database of this size, made now or kept from before."""
    name = f"bench_{size}_{schema()}"
    data = folder / f"{kind}-{size}"
    data.mkdir(exist_ok=True)
    ready = data / f"{name}.loaded"
    file = folder / f"{name}.sqlite3"
    if kind == "sqlite" and not file.exists():
        ready.unlink(missing_ok=True)
    if not ready.exists():  # never made, or cut off half-way
        if kind == "postgresql":
            servers.drop_database(server, name)
        else:
            for leftover in folder.glob(f"{file.name}*"):
                leftover.unlink()
    url = f"sqlite:///{file}" if kind == "sqlite" else servers.database(server, name)
    settings = Settings.from_environ({"CRM_ENV": "test", "DATABASE_URL": url, "CRM_DATA": str(data), **SECRETS})
    if not ready.exists():
        with create_app(settings).app_context():
            migrations.upgrade(db.engine)
            with transaction():
                policy.ensure_defaults(now=now_utc())
            took = load(size, today=today_in_london())
            ready.write_text(f"{took:.1f}\n")
            db.session.remove()
            db.engine.dispose()
    app = create_app(settings)
    settle()  # as each web process does
    with app.app_context():
        if report is not None:
            bound = 300 if size == SIZES[-1] else None
            report.add(f"{kind} load {size:,} enquiries s", float(ready.read_text()), bound)
        yield app
        db.session.remove()
        db.engine.dispose()


def schema() -> str:
    """Tells one schema from another, so that a kept database is never measured under the wrong one."""
    digest = hashlib.sha256()
    for revision in sorted((migrations.FOLDER / "versions").glob("*.py")):
        digest.update(revision.read_bytes())
    return digest.hexdigest()[:10]


# --- Pages ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PageCost:
    """A page with its bound on SQLite, as a ratio to a bare Flask page. PostgreSQL may take twice that."""

    name: str
    path: str
    bound: float
    who: str | None = "manager"


def pages_of(case: Case, large: Case) -> tuple[PageCost, ...]:
    person = case.household.people[0]
    given, surname = person.given_name.lower(), (person.family_name or "osei").lower()
    return (
        PageCost("enquiries list", "/enquiries", 30),
        PageCost("enquiries list, overdue", "/enquiries?view=over", 30),
        PageCost("search by given name", f"/search?q={given}", 30),
        PageCost("search by full name", f"/search?q={given}+{surname}", 30),
        PageCost("search by surname", f"/search?q={surname[:2]}", 30),
        PageCost("search by phone", f"/search?q={(person.phone_key or '').replace('+44', '0')[:9]}", 30),
        PageCost("search by reference", f"/search?q={case.reference}", 30),
        PageCost("search by postcode", f"/search?q={case.household.postcode.replace(' ', '+')}", 30),
        PageCost("board", "/board", 60),
        PageCost("board of an officer", "/board", 60, who="officer"),
        PageCost("case", f"/cases/{case.reference}", 60),
        PageCost("my day", "/my-day", 60),
        PageCost("my day of an officer", "/my-day", 60, who="officer"),
        PageCost("enquiries of a recruiter", "/enquiries", 30, who="officer"),
        PageCost("assessments list", "/assessments", 60),
        PageCost("large household, assessment", f"/cases/{large.reference}/assessment", 120),
        PageCost("large household, case", f"/cases/{large.reference}", 120),
        PageCost("public start page", "/", 12, who=None),
        PageCost("public question page", "/enquire/spare-room", 12, who=None),
    )


def bare_flask() -> Flask:
    """What everything is compared with: one route, one short string."""
    app = Flask("bare")

    @app.get("/")
    def hello() -> str:
        return "hello"

    return app


def environ_for(path: str, cookie: str | None) -> Callable[[], dict[str, Any]]:
    headers = {"Cookie": cookie} if cookie else {}
    return lambda: EnvironBuilder(
        path=path.partition("?")[0], query_string=path.partition("?")[2], headers=headers
    ).get_environ()


def timed(app: Flask, make_environ: Callable[[], dict[str, Any]]) -> tuple[float, str]:
    """Server time of one request in microseconds, and its status.

    Outside any application context, as in a web process: else the request would find a session that is open already,
    and leave it open.
    """
    environ = make_environ()
    outside = contextvars.Context()
    status: list[str] = []

    def start_response(line: str, _headers: list[tuple[str, str]], _fault: Any = None) -> Callable[[bytes], object]:
        status.append(line)
        return lambda _data: None

    began = time.perf_counter()
    answer = outside.run(app.wsgi_app, environ, start_response)
    for _ in answer:
        pass
    if hasattr(answer, "close"):
        answer.close()
    return (time.perf_counter() - began) * 1e6, status[0]


@contextlib.contextmanager
def record_timed() -> Iterator[list[float]]:
    """What the durable record that someone looked takes (microseconds), apart from the page it belongs to: it waits for
    the disk, which no design can take away."""
    spent: list[float] = []
    inner = sightings.keep_record

    def keep_record(*args: Any) -> None:
        began = time.perf_counter()
        inner(*args)
        spent.append((time.perf_counter() - began) * 1e6)

    sightings.keep_record = keep_record
    try:
        yield spent
    finally:
        sightings.keep_record = inner


def measure_pages(app: Flask, kind: str, size: int, smallest: dict[str, float], report: Report) -> None:
    """Each page against a bare Flask page, turn and turn about; medians; and how it grew from the smallest size."""
    bare = bare_flask()
    cookies, case = signed_in(app)
    with app.test_request_context():
        large = workspace.large_household(db.session.scalars(sa.select(User).where(User.email == MANAGER)).one())
        for what, count in zip(("people", "checks", "lines"), workspace.sizes(large), strict=True):
            report.add(f"{kind} {size:,} {what} of the large household", count)
        pages = pages_of(case, large)
        db.session.remove()
    requests = [(page, environ_for(page.path, cookies[page.who])) for page in pages]
    plain = environ_for("/", None)
    for page, make in requests:
        for _ in range(3):
            _, status = timed(app, make)
        if not status.startswith("200"):
            raise SystemExit(f"{page.path} answered {status}")
    for page, make in requests:
        queries = count_queries(app, make)
        took, base, records = [], [], []
        for _ in range(ROUNDS):
            base.append(statistics.median(timed(bare, plain)[0] for _ in range(5)))
            with record_timed() as spent:
                whole = timed(app, make)[0]
            took.append(whole - sum(spent))
            records += spent
        ratio = statistics.median(took) / statistics.median(base)
        bound = page.bound if kind == "sqlite" else page.bound * 2
        name = f"{kind} {size:,} {page.name}"
        report.add(f"{name} x bare", ratio, bound)
        if records:
            report.add(f"{name}, its record x bare", statistics.median(records) / statistics.median(base))
        report.add(f"{name} queries", queries)
        if page.name in smallest:
            report.add(f"{name} growth", ratio / smallest[page.name], 1.3)
            report.add(f"{name} queries grown", queries - smallest[page.name + "?"], 0)
        else:
            smallest[page.name], smallest[page.name + "?"] = ratio, queries


def count_queries(app: Flask, make: Callable[[], dict[str, Any]]) -> int:
    sent = 0

    def count(*_: object) -> None:
        nonlocal sent
        sent += 1

    sa.event.listen(db.engine, "before_cursor_execute", count)
    try:
        timed(app, make)
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", count)
    return sent


def signed_in(app: Flask) -> tuple[dict[str | None, str | None], Case]:
    """The cookies of a manager and of somebody who is officer and recruiter, and an ordinary case under way."""
    cookies: dict[str | None, str | None] = {None: None}
    with app.test_request_context():
        name = guards.cookie_name(SessionKind.STAFF)
    for who, email in (("manager", MANAGER), ("officer", "officer1@example.org")):
        user = db.session.scalars(sa.select(User).where(User.email == email)).one()
        with transaction():
            token = sessions.begin(user_id=user.id, kind=SessionKind.STAFF, browser="bench", now=now_utc())
        cookies[who] = f"{name}={token}"
    case = db.session.scalars(
        sa.select(Case)
        .where(Case.band == "enquiry", Case.place == "contacted")
        .order_by(Case.id)
        .options(sa.orm.selectinload(Case.household).selectinload(Household.people))
    ).first()
    assert case is not None
    return cookies, case


# --- Duplicates -------------------------------------------------------------------------------------------------------


def measure_look_ups(kind: str, size: int, report: Report) -> None:
    """The time of a look-up while typing, of people of this service described as they might be on the phone."""
    took = duplicates.time_look_ups(duplicates.people_to_look_up(size))
    db.session.remove()
    report.add(f"{kind} {size:,} look-up while typing p95 ms", duplicates.p95(took), duplicates.LOOK_UP_MS)
    report.add(f"{kind} {size:,} look-up while typing median ms", statistics.median(took))


def measure_duplicates(folder: Path, households: int, report: Report) -> None:
    """A tenth of the households entered twice, a twentieth of traps: what the timed job suggests, held against the
    truth. On SQLite: what is compared, and how, is the same on both."""
    file = folder / "duplicates.sqlite3"
    for leftover in folder.glob(f"{file.name}*"):
        leftover.unlink()
    data = folder / "duplicates"
    settings = Settings.from_environ(
        {"CRM_ENV": "test", "DATABASE_URL": f"sqlite:///{file}", "CRM_DATA": str(data), **SECRETS}
    )
    with create_app(settings).app_context():
        migrations.upgrade(db.engine)
        now = now_utc()
        with transaction():
            owner = User(email="owner@example.org", name="Owner", active=True, created_at=now)
            db.session.add(owner)
            db.session.flush()
            town = duplicates.make_town(households, households // 10, households // 20)
            ids = duplicates.store(town, owner_id=owner.id, now=now)
        seconds = duplicates.find_all(now)
        result = duplicates.score(town, ids)
        db.session.remove()
        db.engine.dispose()
    name = f"duplicates {households:,} households"
    report.add(f"{name} recall", result.recall, duplicates.RECALL, is_floor=True)
    report.add(f"{name} precision", result.precision, duplicates.PRECISION, is_floor=True)
    report.add(f"{name} suggested pairs", result.suggested)
    report.add(f"{name} questions beside them", result.questions)
    report.add(f"{name} compared in s", seconds)
    for story, (_share, _do) in duplicates.STORIES.items():
        missed, all_of_it = result.missed[story], result.missed[story] + result.found[story]
        report.add(f"  missed of “{story}” in 100", 100 * missed / all_of_it if all_of_it else 0)
    for trap in (*duplicates.TRAPS, "chance"):
        report.add(f"  wrong: {trap}", result.wrong[trap])


# --- Weight ------------------------------------------------------------------------------------------------


def measure_memory(app: Flask, kind: str, size: int, report: Report) -> None:
    """Resident memory of web and worker together after a round of pages, each shared page counted once (PSS)."""
    cookies, case = signed_in(app)
    with app.test_request_context():
        large = workspace.large_household(db.session.scalars(sa.select(User).where(User.email == MANAGER)).one())
    pages = [(page.path, cookies[page.who]) for page in pages_of(case, large)]
    settings: Settings = app.extensions["crm_settings"]
    db.session.remove()
    environ = {
        **os.environ, "CRM_ENV": "test", "DATABASE_URL": settings.database_url, "CRM_DATA": str(settings.data_dir),
        **SECRETS,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch, servers.running(environ, Path(scratch)) as (base_url, process):
        for _ in range(20):
            for path, cookie in pages:
                servers.fetch(base_url + path, cookie)
        family = [process, *process.children(recursive=True)]
        weight = sum(_pss(member) for member in family if member.is_running())
    report.add(f"{kind} {size:,} web and worker MiB", weight / 2**20, 300)


def measure_door(kind: str, folder: Path, server: str, report: Report) -> None:
    """What the door without signal stores, doubles, loses and leaves behind, on an empty database made for it."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        url = f"sqlite:///{scratch}/door.sqlite3"
        if kind == "postgresql":
            servers.drop_database(server, "bench_door")
            url = servers.database(server, "bench_door")
        door.measure(
            kind,
            {**os.environ, "CRM_ENV": "test", "DATABASE_URL": url, "CRM_DATA": scratch, **SECRETS},
            report,
            folder=Path(scratch),
        )
    if kind == "postgresql":
        servers.drop_database(server, "bench_door")


def measure_calendars(kind: str, folder: Path, server: str, report: Report) -> None:
    """What calendar programs cost, on an empty database made for it."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        url = f"sqlite:///{scratch}/calendars.sqlite3"
        if kind == "postgresql":
            servers.drop_database(server, "bench_calendars")
            url = servers.database(server, "bench_calendars")
        environ = {"CRM_ENV": "test", "DATABASE_URL": url, "CRM_DATA": scratch, **SECRETS}
        app = create_app(Settings.from_environ(environ))
        settle()
        with app.app_context():
            migrations.upgrade(db.engine)
            calendars.measure(
                app, bare_flask(), kind, report, environ={**os.environ, **environ}, scratch=Path(scratch)
            )
            db.session.remove()
            db.engine.dispose()
    if kind == "postgresql":
        servers.drop_database(server, "bench_calendars")


def _pss(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, AttributeError):
        return int(process.memory_full_info().pss)
    return 0

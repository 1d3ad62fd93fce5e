"""A sign-up sheet of 50,000 lines, as the worker takes it: read, checked, loaded.

Ninety-six lines in a hundred are new households; the others are a second adult of an earlier line, a line word for word
again, a line without a way to reach anybody, or a surname and postcode seen before.
"""

from __future__ import annotations

import csv
import io
import random
import threading
import time
from datetime import timedelta
from pathlib import Path

import psutil
from sqlalchemy import func, select

from bench import servers
from bench.load import DISTRICTS, FAMILY, GIVEN
from crm import migrations, policy
from crm.access.models import User, UserRole
from crm.app import create_app
from crm.cases.models import Case, Enquiry
from crm.clock import now_utc
from crm.db import db, transaction
from crm.events import sheet_import, sheet_worker
from crm.events.models import EventKind
from crm.events.planning import create_event
from crm.events.sheet_models import SheetImport
from crm.rules.permissions import Role
from crm.settings import Settings

LINES = 50_000
BOUND_S = 60
"""For the loading, which writes the households."""
SEED = 20261129
HEADINGS = "Name,Phone,Email,Postcode,Spare bedroom,When to ring,OK to email,OK to ring,How ready,Notes".split(",")


def sheet(lines: int) -> bytes:
    """The sheet as CSV. The same every time."""
    draw = random.Random(SEED)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADINGS)
    before: list[list[str]] = []
    for number in range(lines):
        given, family = draw.choice(GIVEN), draw.choice(FAMILY) + draw.choice(("", "son", "well", "s", "ton"))
        code = f"{draw.choice(DISTRICTS)} {draw.randrange(10)}{draw.choice('ABDEFGHJLN')}{draw.choice('PQRSTUWXYZ')}"
        row = [
            f"{given} {family}", f"07{400 + number % 500:03}{number:06}"[:11], f"{given}.{number}@example.org".lower(),
            code, draw.choice(("yes", "no", "2", "not yet")), draw.choice(("am", "after 6", "any")),
            draw.choice(("y", "n", "")), "y", draw.choice(("ready", "thinking", "")),
            draw.choice(("", "", "two dogs", "works shifts")),
        ]  # fmt: skip
        what = draw.random()
        if before and what < 0.02:
            earlier = draw.choice(before)
            row = [f"{given} {earlier[0].rpartition(' ')[2]}", *earlier[1:]]
        elif before and what < 0.03:
            row = draw.choice(before)
        elif what < 0.04:
            row = [row[0], "", "", *row[3:]]
        writer.writerow(row)
        before.append(row)
    return out.getvalue().encode()


def measure(folder: Path, server: str, report, *, lines: int = LINES) -> None:  # type: ignore[no-untyped-def]
    """Load the sheet into an empty service, on each database."""
    from bench.run import SECRETS

    content = sheet(lines)
    for kind in ("sqlite", "postgresql"):
        data = folder / f"sheet-{kind}"
        data.mkdir(exist_ok=True)
        if kind == "sqlite":
            for leftover in data.glob("sheet.sqlite3*"):
                leftover.unlink()
            url = f"sqlite:///{data / 'sheet.sqlite3'}"
        else:
            servers.drop_database(server, "bench_sheet")
            url = servers.database(server, "bench_sheet")
        settings = Settings.from_environ({"CRM_ENV": "test", "DATABASE_URL": url, "CRM_DATA": str(data), **SECRETS})
        app = create_app(settings, with_screens=False)
        with app.app_context():
            migrations.upgrade(db.engine)
            _take(content, kind, lines, report)
            db.session.remove()
            db.engine.dispose()


def _take(content: bytes, kind: str, lines: int, report) -> None:  # type: ignore[no-untyped-def]
    now = now_utc()
    with transaction():
        policy.ensure_defaults(now=now)
        user = User(email="recruiter@example.org", name="Marcus Bello", active=True, created_at=now)
        user.role_rows = [UserRole(role=Role.RECRUITER)]
        db.session.add(user)
        db.session.flush()
        actor = user.as_actor()
        event = create_event(
            name="Old names", kind=EventKind.OTHER, starts_at=now - timedelta(hours=3), place="Here",
            ends_at=now - timedelta(hours=1), staff_ids=[user.id], actor=actor, now=now,
        )  # fmt: skip
        upload_id = sheet_import.keep_for_worker(event, content=content, filename="names.csv", actor=actor, now=now).id
    before = psutil.Process().memory_info().rss
    seen: list[int] = []
    steps = {}
    for name in ("read", "check", "load"):
        if name == "load":
            with transaction():
                upload = db.session.get_one(SheetImport, upload_id)
                sheet_import.start_loading(upload, sends_letters=False, actor=actor, now=now_utc())
        began = time.monotonic()
        sheet_worker.go_on(
            upload_id, clock=now_utc, stop=threading.Event(), progressed=lambda done, _of: seen.append(done)
        )
        steps[name] = time.monotonic() - began
    upload = db.session.get_one(SheetImport, upload_id)
    cases, touches = (db.session.scalar(select(func.count()).select_from(model)) or 0 for model in (Case, Enquiry))
    if (upload.step, cases, touches) != ("loaded", upload.loaded_count, cases + upload.joined_count):
        raise SystemExit(f"the sheet was not loaded as it should be: {upload.step} {cases} {touches}")
    report.add(f"{kind} sheet of {lines:,} lines, read s", steps["read"])
    report.add(f"{kind} sheet of {lines:,} lines, check s", steps["check"])
    report.add(f"{kind} sheet of {lines:,} lines, load s", steps["load"], BOUND_S if lines == LINES else None)
    report.add(f"{kind} sheet, progress notes", len(seen))
    report.add(f"{kind} sheet, memory it adds MiB", (psutil.Process().memory_info().rss - before) / 1024**2, 100)

"""One time, wanted by 64 at once through every door: our own screens, the household's link, an officer's calendar,
and an officer's mail.

Each round is a race as in ``tests/visits/test_race.py``: exactly one gets the time, each of the others is told of the
nearest that are free, no two visits overlap, and one invitation is written for the officer.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import servers
from crm import migrations
from crm.app import create_app
from crm.db import db, transaction
from crm.settings import Settings

if TYPE_CHECKING:
    from bench.run import Report

ROUNDS = 200


def measure(folder: Path, server: str, report: Report, secrets: Mapping[str, str]) -> None:
    """So many rounds on both databases."""
    for kind in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            url = f"sqlite:///{scratch}/booking.sqlite3"
            if kind == "postgresql":
                servers.drop_database(server, "bench_booking")
                url = servers.database(server, "bench_booking")
            environ = {"CRM_ENV": "test", "DATABASE_URL": url, "CRM_DATA": scratch, **secrets}
            _race(kind, environ, report)
            if kind == "postgresql":
                servers.drop_database(server, "bench_booking")


def _race(kind: str, environ: dict[str, str], report: Report) -> None:
    # The races of the tests, which are there in a checkout, as this is.
    from tests.factories import make_cast
    from tests.racers import racing
    from tests.visits.racers import act
    from tests.visits.test_race import Race, at, overlaps

    app = create_app(Settings.from_environ(environ))
    with app.app_context(), racing({**os.environ, **environ}, act) as racers:
        migrations.upgrade(db.engine)
        with transaction():
            cast = make_cast()
        race: Any = Race(racers, cast)
        one_holder = lost = 0
        took: list[float] = []
        for _ in range(ROUNDS):
            jobs = race.through_every_door(at(race.next_day(), 14), cast.manager)
            begun = time.perf_counter()
            before = race.invitations()
            results = racers.run(jobs)
            took.append(1000 * (time.perf_counter() - begun))
            db.session.rollback()
            winners = [one for one in results if one["what"] == "done"]
            told = [one for one in results if one["what"] == "taken" and one["alternatives"]]
            one_holder += len(winners) == 1 and race.invitations() - before == 1
            lost += len(results) - len(winners) - len(told)
            race.forget_booked()
        report.add(f"booking {kind} rounds of {len(jobs)} with one holder", one_holder, ROUNDS, is_floor=True)
        report.add(f"booking {kind} refused without another time, or a fault", lost, 0)
        report.add(f"booking {kind} visits that overlap", len(overlaps()), 0)
        report.add(f"booking {kind} one round of {len(jobs)} ms", statistics.median(took))
        db.session.remove()
        db.engine.dispose()

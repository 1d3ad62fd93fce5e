"""What a report costs over ten years of enquiries: counted for the first time, and given again unchanged.

The first answer is an absolute figure (s), because that is what somebody waits for; the repeat is held against a bare
Flask page of the same run.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import sqlalchemy as sa
from flask import Flask

from crm import policy
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.reporting import answers
from crm.reporting.catalogue import REPORTS
from crm.reporting.figures import Mode, Question
from crm.reporting.models import KeptAnswer

FIRST_ANSWER_S = 2.0
REPEAT_X_BARE = 60
YEARS = 10


def measure(app: Flask, kind: str, size: int, report: Any) -> None:
    """Each report in each of its ways over ten years, then the page that is given again."""
    from bench.run import bare_flask, environ_for, signed_in, timed

    now, today = now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    first = today.replace(year=today.year - YEARS, day=1)
    for one in REPORTS.values():
        for mode in one.modes:
            question = Question(one.name, first, today, Mode(mode))
            took = []
            for _ in range(3):
                db.session.rollback()
                began = time.perf_counter()
                answers.count_answer(question, now=now, today=today, rulebook=rulebook)
                took.append(time.perf_counter() - began)
            db.session.rollback()
            bound = FIRST_ANSWER_S if kind == "sqlite" else FIRST_ANSWER_S * 2
            report.add(f"{kind} {size:,} report {one.name} {mode}, first s", statistics.median(took), bound)
    cookies, _case = signed_in(app)
    bare = bare_flask()
    plain = environ_for("/", None)
    for one in REPORTS.values():
        query = f"from={first.isoformat()}&to={today.isoformat()}&by={one.modes[0]}"
        make = environ_for(f"/reports/{one.name}?{query}", cookies["manager"])
        for _ in range(2):
            _, status = timed(app, make)
        if not status.startswith("200"):
            raise SystemExit(f"/reports/{one.name} answered {status}")
        again, base = [], []
        for _ in range(15):
            base.append(statistics.median(timed(bare, plain)[0] for _ in range(5)))
            again.append(timed(app, make)[0])
        bound = REPEAT_X_BARE if kind == "sqlite" else REPEAT_X_BARE * 2
        ratio = statistics.median(again) / statistics.median(base)
        report.add(f"{kind} {size:,} report {one.name} again x bare", ratio, bound)
    with transaction():
        db.session.execute(sa.delete(KeptAnswer))

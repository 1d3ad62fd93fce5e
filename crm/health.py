"""``/healthz``: whether the service is up, in a form that a monitor reads. It tells nothing about anybody."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

import structlog
from flask import Blueprint, Response, jsonify
from sqlalchemy import text

from crm.access.guards import public_page
from crm.clock import london_date, now_utc
from crm.db import db, end_read
from crm.delivery import queries as letters
from crm.jobs import queries as jobs
from crm.jobs import runner
from crm.rules.working_days import england_around

bp = Blueprint("health", __name__)

WORKER_SEEN_WITHIN = timedelta(seconds=30)
LETTER_OVERDUE_AFTER = timedelta(minutes=30)

log = structlog.get_logger("health")


@dataclass
class Health:
    """How things stand. Ages are in seconds; None where there is nothing to have an age."""

    status: str = "down"
    """ok, down (no database or no worker), or attention (up, and something wants a person)."""
    database: bool = False
    worker: bool = False
    worker_seen_s: float | None = None
    letters_waiting: int = 0
    letters_held: int = 0
    letters_given_up: int = 0
    oldest_unsent_letter_s: float | None = None
    jobs: dict[str, dict[str, float | int | None]] = field(default_factory=dict)
    working_days_known_until: int | None = None
    """The last year whose bank holidays we know: deadlines beyond it can't be counted."""
    attention: list[str] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        return self.database and self.worker


def health(now: datetime) -> Health:
    """Look at everything. Raises nothing: what can't be read counts as down."""
    found = Health()
    try:
        db.session.execute(text("SELECT 1"))
        found.database = True
        _look_at_worker(found, now)
        _look_at_letters(found, now)
        _look_at_jobs(found, now)
    except Exception as fault:
        found.database = False
        log.error("health_unreadable", fault=type(fault).__name__)
    finally:
        end_read()
    found.working_days_known_until = england_around(london_date(now)).last_day.year
    if found.working_days_known_until <= london_date(now).year:
        found.attention.append("working_days_run_out")
    if found.is_up:
        found.status = "attention" if found.attention else "ok"
    return found


def _look_at_worker(found: Health, now: datetime) -> None:
    seen_at = runner.last_sign_of_life()
    if seen_at is None:
        return
    found.worker_seen_s = _seconds(now - seen_at)
    found.worker = now - seen_at <= WORKER_SEEN_WITHIN


def _look_at_letters(found: Health, now: datetime) -> None:
    counts = letters.counts()
    found.letters_waiting, found.letters_held, found.letters_given_up = counts.waiting, counts.held, counts.given_up
    age = letters.oldest_unsent_age(now=now)
    if age is not None:
        found.oldest_unsent_letter_s = _seconds(age)
        if age > LETTER_OVERDUE_AFTER:
            found.attention.append("letters_not_leaving")
    if counts.held:
        found.attention.append("letters_held")


def _look_at_jobs(found: Health, now: datetime) -> None:
    for run in jobs.job_runs():
        found.jobs[run.name] = {
            "good_s": None if run.last_good_at is None else _seconds(now - run.last_good_at),
            "failures_in_a_row": run.failures_in_a_row,
        }
        if run.failures_in_a_row >= 3:
            found.attention.append(f"job_failing:{run.name}")


def _seconds(age: timedelta) -> float:
    return round(max(0.0, age.total_seconds()), 1)


@bp.get("/healthz")
@public_page
def healthz() -> tuple[Response, int]:
    """200 once the database answers and a worker is alive, 503 until then."""
    found = health(now_utc())
    response = jsonify(asdict(found))
    response.headers["Cache-Control"] = "no-store"
    return response, 200 if found.is_up else 503

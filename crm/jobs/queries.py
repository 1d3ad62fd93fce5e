"""How the timed jobs stand."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from crm.db import db
from crm.jobs.models import JobRun, WorkerSeen


def job_runs() -> Sequence[JobRun]:
    """Every timed job, by name."""
    return list(db.session.scalars(select(JobRun).order_by(JobRun.name)))


def workers_seen() -> Sequence[WorkerSeen]:
    """The workers known of, the one seen last first."""
    return list(db.session.scalars(select(WorkerSeen).order_by(WorkerSeen.seen_at.desc())))

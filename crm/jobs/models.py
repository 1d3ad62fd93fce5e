"""How each timed job stands, and which workers are alive."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, KeyText, UTCDateTime


class JobRun(Base):
    """One timed job: when it last ran, how that went, and who is at it now. One row a job, not one a run."""

    __tablename__ = "job_run"
    __table_args__ = (
        CheckConstraint("(lease_token IS NULL) = (lease_until IS NULL)", name="lease_has_its_token"),
        CheckConstraint("failures_in_a_row >= 0", name="failures_are_counted"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(KeyText(60), nullable=False, unique=True)
    next_run_at: Mapped[datetime] = mapped_column(UTCDateTime, nullable=False)
    last_started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_good_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it last ended well, or last looked and found nothing to do."""
    last_count: Mapped[int | None] = mapped_column(Integer)
    """How many things the last good run dealt with."""
    last_fault: Mapped[str | None] = mapped_column(String(80))
    """The kind of the last fault, never its text: that may quote anything."""
    failures_in_a_row: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(32))


class WorkerSeen(Base):
    """One worker process, and when it last said that it is alive."""

    __tablename__ = "worker_seen"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(KeyText(120), nullable=False, unique=True)
    started_at: Mapped[datetime] = mapped_column(UTCDateTime, nullable=False)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime, nullable=False, index=True)

"""The worker process: runs the timetable that the application carries, until it is told to stop.

Three things go on side by side: the sign of life, the timed jobs, and the loops (delivery). Each has its own thread and
its own database session, so that a slow mail server delays no job and a slow job hides no dead worker.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from flask import Flask
from sqlalchemy import delete, or_, select, update

from crm.clock import now_utc
from crm.db import db, end_read, insert_of, is_lock_timeout, rows_changed, transaction
from crm.jobs.models import JobRun, WorkerSeen
from crm.jobs.timed import Job, Timetable

EXTENSION = "crm_timetable"
"""Where the application keeps its timetable."""
SIGN_OF_LIFE_EVERY_S = 10.0
LOOK_EVERY_S = 1.0
STOP_WITHIN_S = 20.0
"""How long a thread gets to finish what it has in hand."""
NOTHING_TO_DO_NOTED_EVERY = timedelta(minutes=1)
FORGET_WORKERS_AFTER = timedelta(days=1)
WAIT_AFTER_FAULT_S = 5.0
LONGEST_WAIT_AFTER_FAILURES = timedelta(hours=1)

log = structlog.get_logger("jobs")


def run(app: Flask, stop: threading.Event) -> None:
    """Be a worker until ``stop`` is set; what is in hand is finished first."""
    timetable: Timetable = app.extensions[EXTENSION]
    name = worker_name()
    threads = [_start("jobs", app, stop, lambda event: keep_timetable(timetable, event))]
    threads += [_start(loop, app, stop, function) for loop, function in timetable.loops.items()]
    log.info("worker_started", worker=name)
    with app.app_context():
        while not stop.is_set():
            _sign_of_life(name)
            stop.wait(SIGN_OF_LIFE_EVERY_S)
        for thread in threads:
            thread.join(STOP_WITHIN_S)
        _say_goodbye(name)
    log.info("worker_stopped", worker=name)


def worker_name() -> str:
    """A name for this process that no other has."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"


def _start(
    name: str, app: Flask, stop: threading.Event, function: Callable[[threading.Event], None]
) -> threading.Thread:
    def body() -> None:
        while not stop.is_set():
            with app.app_context():
                try:
                    function(stop)
                except Exception as fault:
                    log.error("worker_thread_failed", job=name, fault=type(fault).__name__)
                    stop.wait(WAIT_AFTER_FAULT_S)
                finally:
                    db.session.remove()

    thread = threading.Thread(target=body, name=f"worker-{name}", daemon=True)
    thread.start()
    return thread


def _sign_of_life(name: str) -> None:
    now = now_utc()
    try:
        with transaction() as session:
            seen = session.scalar(select(WorkerSeen).where(WorkerSeen.name == name))
            if seen is None:
                session.execute(delete(WorkerSeen).where(WorkerSeen.seen_at < now - FORGET_WORKERS_AFTER))
                session.add(WorkerSeen(name=name, started_at=now, seen_at=now))
            else:
                seen.seen_at = now
    except Exception as fault:
        end_read()
        log.warning("sign_of_life_failed", fault=type(fault).__name__)


def _say_goodbye(name: str) -> None:
    try:
        with transaction() as session:
            session.execute(delete(WorkerSeen).where(WorkerSeen.name == name))
    except Exception as fault:
        log.warning("sign_of_life_failed", fault=type(fault).__name__)


def last_sign_of_life() -> datetime | None:
    """When a worker was last seen."""
    return db.session.scalar(select(WorkerSeen.seen_at).order_by(WorkerSeen.seen_at.desc()).limit(1))


# --- Timed jobs -------------------------------------------------------------------------------------------------------


def keep_timetable(timetable: Timetable, stop: threading.Event, *, clock: Callable[[], datetime] = now_utc) -> None:
    """Run each job when it is due, until told to stop. Needs an application context."""
    ensure_rows(timetable, now=clock())
    while not stop.is_set():
        run_due_jobs(timetable, clock=clock, stop=stop)
        stop.wait(LOOK_EVERY_S)


def ensure_rows(timetable: Timetable, *, now: datetime) -> None:
    """A row for each job of the timetable, due at once. Two workers starting together make one each."""
    known = set(db.session.scalars(select(JobRun.name)))
    end_read()
    if all(job.name in known for job in timetable.jobs):
        return
    with transaction() as session:
        known = set(session.scalars(select(JobRun.name).with_for_update()))
        for job in timetable.jobs:
            if job.name not in known:
                session.execute(
                    insert_of(JobRun)
                    .values(name=job.name, next_run_at=now, failures_in_a_row=0)
                    .on_conflict_do_nothing()
                )


def run_due_jobs(
    timetable: Timetable, *, clock: Callable[[], datetime] = now_utc, stop: threading.Event | None = None
) -> list[str]:
    """Run what is due now, each job at most once more than it says there is more. Gives the names of those run."""
    now = clock()
    due = {
        row.name: row.last_good_at
        for row in db.session.execute(
            select(JobRun.name, JobRun.last_good_at).where(
                JobRun.next_run_at <= now, or_(JobRun.lease_until.is_(None), JobRun.lease_until <= now)
            )
        )
    }
    end_read()
    ran: list[str] = []
    for job in timetable.jobs:
        if job.name not in due or (stop is not None and stop.is_set()):
            continue
        try:
            if job.has_work is not None and not _has_work(job, clock()):
                _note_nothing_to_do(job, due[job.name], clock())
                continue
            while run_job(job, clock=clock):
                ran.append(job.name)
                if not _is_due_again(job, clock()) or (stop is not None and stop.is_set()):
                    break
        except Exception as fault:
            end_read()
            if not is_lock_timeout(fault):
                log.error("job_not_run", job=job.name, fault=type(fault).__name__)
    return ran


def run_job(job: Job, *, clock: Callable[[], datetime] = now_utc) -> bool:
    """Run one job now, if no other worker is at it and it is due. Says whether it ran.

    1. Take the lease, committed, so that a worker that dies holds the job up only until it runs out.
    2. Do the work in one transaction.
    3. Note how it went, while the lease is still ours.
    """
    now = clock()
    token = secrets.token_hex(16)
    with transaction() as session:
        taken = session.execute(
            update(JobRun)
            .where(
                JobRun.name == job.name,
                JobRun.next_run_at <= now,
                or_(JobRun.lease_until.is_(None), JobRun.lease_until <= now),
            )
            .values(lease_token=token, lease_until=now + job.lease, last_started_at=now)
        )
        if not rows_changed(taken):
            return False
    try:
        with transaction():
            count = job.do(now)
    except Exception as fault:
        log.error("job_failed", job=job.name, fault=type(fault).__name__)
        _note_failed(job, token, type(fault).__name__, clock())
        return True
    with transaction() as session:
        session.execute(
            update(JobRun)
            .where(JobRun.name == job.name, JobRun.lease_token == token)
            .values(
                lease_token=None,
                lease_until=None,
                last_finished_at=clock(),
                last_good_at=now,
                last_count=count,
                last_fault=None,
                failures_in_a_row=0,
                next_run_at=now if job.again_when is not None and count >= job.again_when else now + job.every,
            )
        )
    return True


def _note_failed(job: Job, token: str, fault: str, now: datetime) -> None:
    with transaction() as session:
        row = session.scalar(select(JobRun).where(JobRun.name == job.name, JobRun.lease_token == token))
        if row is None:
            return
        row.failures_in_a_row += 1
        row.last_fault, row.last_finished_at = fault[:80], now
        row.lease_token = row.lease_until = None
        wait = min(job.every * 2 ** min(row.failures_in_a_row, 10), LONGEST_WAIT_AFTER_FAILURES)
        row.next_run_at = now + max(job.every, wait) if job.every < LONGEST_WAIT_AFTER_FAILURES else now + wait


def _has_work(job: Job, now: datetime) -> bool:
    try:
        return job.has_work is None or job.has_work(now)
    finally:
        end_read()


def _note_nothing_to_do(job: Job, last_good_at: datetime | None, now: datetime) -> None:
    """That the job looked and found nothing, once a minute: more often would keep an idle database busy."""
    if last_good_at is not None and now - last_good_at < max(job.every, NOTHING_TO_DO_NOTED_EVERY):
        return
    with transaction() as session:
        session.execute(
            update(JobRun)
            .where(JobRun.name == job.name, or_(JobRun.last_good_at.is_(None), JobRun.last_good_at < now))
            .values(last_good_at=now, last_count=0, last_fault=None, failures_in_a_row=0)
        )


def _is_due_again(job: Job, now: datetime) -> bool:
    try:
        return bool(
            db.session.scalar(select(JobRun.id).where(JobRun.name == job.name, JobRun.next_run_at <= now))
            and job.again_when is not None
        )
    finally:
        end_read()

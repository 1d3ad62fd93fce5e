"""Each timed job is run when it is due, by one worker at a time, and what goes wrong with one stops no other."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from crm.db import db, transaction
from crm.jobs import Job, JobRun, Timetable, WorkerSeen, queries, runner

NOW = datetime(2026, 7, 8, 17, 22, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def job(do=lambda now: 1, *, name="sweep", every=MINUTE, **more):
    return Job(name=name, title="Sweep up", every=every, do=do, **more)


def tick(*jobs, at=NOW):
    timetable = Timetable(jobs=jobs)
    runner.ensure_rows(timetable, now=NOW)
    return runner.run_due_jobs(timetable, clock=lambda: at)


def row(name="sweep"):
    return db.session.scalars(
        sa.select(JobRun).where(JobRun.name == name).execution_options(populate_existing=True)
    ).one()


def test_a_job_runs_at_once_and_then_every_so_often(session):
    ran = []
    sweep = job(lambda now: ran.append(now) or 3)

    for at in (NOW, NOW + MINUTE / 2, NOW + MINUTE, NOW + 3 * MINUTE):
        tick(sweep, at=at)

    assert ran == [NOW, NOW + MINUTE, NOW + 3 * MINUTE]
    assert (row().last_good_at, row().last_count, row().next_run_at) == (NOW + 3 * MINUTE, 3, NOW + 4 * MINUTE)
    assert row().lease_token is None


def test_what_a_job_writes_is_committed_and_what_it_leaves_half_done_is_not(session):
    def half_done(now):
        db.session.add(WorkerSeen(name="half", started_at=now, seen_at=now))
        db.session.flush()
        raise LookupError("maya@example.org")

    def whole(now):
        db.session.add(WorkerSeen(name="whole", started_at=now, seen_at=now))
        return 1

    tick(job(half_done, name="bad"), job(whole, name="good"))

    assert [seen.name for seen in queries.workers_seen()] == ["whole"]
    assert (row("bad").last_fault, row("bad").failures_in_a_row) == ("LookupError", 1)
    assert row("bad").last_good_at is None


def test_a_job_that_fails_is_tried_less_and_less_often_and_recovers(session):
    broken = True

    def do(now):
        if broken:
            raise ValueError
        return 0

    at, waits = NOW, []
    for _ in range(8):
        tick(job(do), at=at)
        waits.append(row().next_run_at - at)
        at = row().next_run_at
        session.rollback()
    broken = False
    tick(job(do), at=at)

    assert waits == sorted(waits)
    assert waits[0] == 2 * MINUTE
    assert waits[-1] == 60 * MINUTE
    assert (row().failures_in_a_row, row().last_fault, row().next_run_at) == (0, None, at + MINUTE)


def test_two_workers_never_run_the_same_job_at_once(app, session):
    inside, most, count = 0, 0, 0
    lock = threading.Lock()

    def do(now):
        nonlocal inside, most, count
        with lock:
            inside, count = inside + 1, count + 1
            most = max(most, inside)
        threading.Event().wait(0.2)
        with lock:
            inside -= 1
        return 1

    sweep = job(do, every=timedelta(hours=1))
    runner.ensure_rows(Timetable(jobs=(sweep,)), now=NOW)

    def work():
        with app.app_context():
            runner.run_due_jobs(Timetable(jobs=(sweep,)), clock=lambda: NOW)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (most, count) == (1, 1)


def test_a_job_whose_worker_died_is_taken_over_when_the_lease_runs_out(session):
    sweep = job(lease=5 * MINUTE)
    runner.ensure_rows(Timetable(jobs=(sweep,)), now=NOW)
    with transaction():
        at_work = row()
        at_work.lease_token, at_work.lease_until = "dead", NOW + 5 * MINUTE

    assert tick(sweep, at=NOW + 4 * MINUTE) == []
    assert tick(sweep, at=NOW + 5 * MINUTE) == ["sweep"]


def test_a_worker_that_overran_its_lease_does_not_say_how_it_went(session):
    def overruns(now):
        db.session.execute(sa.update(JobRun).values(lease_token="somebody else"))
        return 1

    tick(job(overruns))

    assert row().lease_token == "somebody else"
    assert row().last_good_at is None


def test_a_job_with_nothing_to_do_writes_at_most_once_a_minute(session, queries):
    def fails(now):
        raise AssertionError("it has nothing to do")

    idle = job(fails, every=timedelta(seconds=3), has_work=lambda now: False)
    tick(idle)
    assert row().last_good_at == NOW
    session.rollback()

    with queries() as sent:
        for second in range(3, 60, 3):
            runner.run_due_jobs(Timetable(jobs=(idle,)), clock=lambda second=second: NOW + timedelta(seconds=second))
    writes = [statement for statement in sent if statement.lstrip().upper().startswith(("UPDATE", "INSERT"))]

    assert writes == []
    tick(idle, at=NOW + MINUTE)
    assert row().last_good_at == NOW + MINUTE


def test_a_job_cut_off_at_its_limit_goes_on_at_once(session):
    left = [100, 100, 7]
    counts = []
    sweep = job(lambda now: counts.append(left[0]) or left.pop(0), again_when=100)

    tick(sweep)

    assert counts == [100, 100, 7]


def test_two_jobs_of_one_name_are_refused():
    with pytest.raises(ValueError, match="same name"):
        Timetable(jobs=(job(), job()))


def test_a_worker_shows_that_it_is_alive_runs_jobs_and_loops_and_says_goodbye(app, session):
    stop, looped, ran = threading.Event(), threading.Event(), threading.Event()
    app.extensions[runner.EXTENSION] = Timetable(
        jobs=(job(lambda now: ran.set() or 1),),
        loops={"letters": lambda event: looped.set() or event.wait()},
    )
    thread = threading.Thread(target=runner.run, args=(app, stop))
    thread.start()

    assert ran.wait(60)
    assert looped.wait(60)
    seen = None
    for _ in range(600):  # the sign of life is written beside the job, not before it
        seen = runner.last_sign_of_life()
        session.rollback()
        if seen is not None:
            break
        time.sleep(0.1)
    stop.set()
    thread.join(60)

    assert not thread.is_alive()
    assert seen is not None
    assert runner.last_sign_of_life() is None


def test_a_loop_that_falls_over_is_started_again(app, session, monkeypatch):
    monkeypatch.setattr(runner, "WAIT_AFTER_FAULT_S", 0.05)
    stop, twice = threading.Event(), threading.Event()
    count = 0

    def falls_over(event):
        nonlocal count
        count += 1
        if count == 2:
            twice.set()
        raise OSError

    app.extensions[runner.EXTENSION] = Timetable(loops={"letters": falls_over})
    thread = threading.Thread(target=runner.run, args=(app, stop))
    thread.start()

    assert twice.wait(60)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()

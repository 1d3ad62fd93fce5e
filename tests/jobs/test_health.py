"""/healthz says whether the service is up, and nothing about anybody."""

from __future__ import annotations

import json
from datetime import timedelta

import sqlalchemy as sa

from crm import timetable
from crm.audit import AuditSeal, chain, record, verify
from crm.clock import now_utc
from crm.db import transaction
from crm.delivery import enqueue, hold_everything
from crm.health import health
from crm.jobs import JobRun, WorkerSeen, runner
from crm.rules.permissions import SYSTEM
from tests.delivery.examples import new_message


def worker_alive(ago=timedelta()):
    with transaction() as session:
        session.add(WorkerSeen(name="w", started_at=now_utc(), seen_at=now_utc() - ago))


def test_it_is_down_until_a_worker_is_seen(client, session):
    assert client.get("/healthz").status_code == 503
    worker_alive()

    answer = client.get("/healthz")

    assert answer.status_code == 200
    found = json.loads(answer.text)
    assert (found["status"], found["database"], found["worker"]) == ("ok", True, True)
    assert found["working_days_known_until"] >= now_utc().year + 1
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_worker_last_seen_half_a_minute_ago_is_not_alive(session):
    worker_alive(ago=timedelta(seconds=31))

    assert not health(now_utc()).is_up


def test_letters_that_do_not_leave_want_attention(session):
    worker_alive()
    now = now_utc()
    with transaction():
        enqueue(new_message(), now=now - timedelta(minutes=31))

    found = health(now)

    assert (found.status, found.attention) == ("attention", ["letters_not_leaving"])
    assert found.oldest_unsent_letter_s == 31 * 60
    assert found.is_up, "still up: a monitor that restarts us would not mend the mail server"


def test_a_restored_outbox_wants_attention(session):
    worker_alive()
    with transaction():
        enqueue(new_message(), now=now_utc())
        hold_everything()

    assert health(now_utc()).attention == ["letters_held"]


def test_a_job_that_keeps_failing_wants_attention_and_each_job_has_its_age(session):
    worker_alive()
    now = now_utc()
    with transaction():
        session.add(
            JobRun(name="seal_audit", next_run_at=now, last_good_at=now - timedelta(seconds=90), failures_in_a_row=3)
        )

    found = health(now)

    assert found.attention == ["job_failing:seal_audit"]
    assert found.jobs == {"seal_audit": {"good_s": 90.0, "failures_in_a_row": 3}}


def test_a_database_that_does_not_answer_is_down_and_not_a_fault(client, session, monkeypatch):
    worker_alive()

    def gone(*_args, **_named):
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("gone"))

    monkeypatch.setattr(runner, "last_sign_of_life", gone)

    answer = client.get("/healthz")

    assert answer.status_code == 503
    assert json.loads(answer.text)["database"] is False


def test_every_job_of_the_timetable_runs(app, session):
    with transaction():
        record("task.added", actor=SYSTEM, at=now_utc())
    runner.ensure_rows(timetable.TIMETABLE, now=now_utc())

    ran = runner.run_due_jobs(timetable.TIMETABLE)

    faults = {run.name: run.last_fault for run in session.scalars(sa.select(JobRun)) if run.last_fault}
    assert faults == {}
    assert set(ran) >= {job.name for job in timetable.TIMETABLE.jobs if job.has_work is None}
    assert session.scalar(sa.select(sa.func.count()).select_from(AuditSeal)) == 1
    anchors = chain.read_anchors(app.extensions["crm_settings"].data_dir / chain.ANCHORS_FILE)
    assert len(anchors) == 1
    assert verify(anchors).is_whole

"""G4: a database that is busy makes people wait, or says so and keeps what they typed. It never half-does anything."""

from __future__ import annotations

import multiprocessing
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from crm.cases.models import Case
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.web.models import RateWindow
from tests import databases
from tests.service import Service
from tests.trust.conftest import cases_by_family_name, locked
from tests.trust.public_form import Answer, Browser

PATIENCE_MS = 5000
PROCESSES = 8
TIMES_EACH = 300


def test_an_enquiry_waits_for_a_busy_database_and_beyond_that_keeps_what_was_typed(
    app: flask.Flask, cast: object, database: databases.Database, start_service: Callable[..., Service]
) -> None:
    service = start_service(CRM_LOCK_WAIT_MS=str(PATIENCE_MS))

    def ready(name: str) -> Browser:
        browser = Browser(lambda: service.port)
        browser.fill_in(name)
        return browser

    # Three seconds: everybody waits, and is then taken.
    patient = [ready(f"Patient{n}") for n in range(3)]
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda one=one: answers.append(one.send(secrets.token_urlsafe(16)))) for one in patient
    ]
    began = time.monotonic()
    with locked(database):
        for thread in threads:
            thread.start()
        time.sleep(3)
        assert answers == []
    for thread in threads:
        thread.join(30)
    waited = time.monotonic() - began
    assert [answer.status for answer in answers] == [303] * 3

    # Longer than we let anybody wait: a page that says so, with everything still on it.
    late, unsent = ready("Late"), Browser(lambda: service.port)
    unsent.fill_in("Unsent")
    one_time_id = secrets.token_urlsafe(16)
    with locked(database):
        refused_answer = unsent.post("/enquire/contact", email="typed.by.hand@example.org", phone="01632 960123")
        refused = late.send(one_time_id)
    assert (refused.status, refused_answer.status) == (503, 503)
    assert int(refused.headers["Retry-After"]) > 0
    assert int(refused_answer.headers["Retry-After"]) > 0
    kept = refused_answer.hidden()
    assert kept["email"] == "typed.by.hand@example.org"
    assert kept["phone"] == "01632 960123"
    stored = cases_by_family_name(app)
    assert {name: len(cases) for name, cases in stored.items() if name.startswith("Patient")} == {
        f"Patient{n}": 1 for n in range(3)
    }
    assert "Late" not in stored

    # Sent again from that very page, it is taken, once.
    again = unsent.post("/enquire/contact", **{name: value for name, value in kept.items() if name != "csrf_token"})
    assert again.status == 303
    assert [late.send(one_time_id).status for _ in range(2)] == [303, 303]
    assert unsent.send(secrets.token_urlsafe(16)).status == 303
    stored = cases_by_family_name(app)
    assert (len(stored["Late"]), len(stored["Unsent"])) == (1, 1)
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Case)) == 5
        letters = sa.select(sa.func.count()).select_from(OutboundMessage)
        assert db.session.scalar(letters.where(OutboundMessage.kind == "enquiry_acknowledgement")) == 5
        db.session.remove()
    print(
        f"G4 {database.kind}: waited {waited:.1f} s and succeeded; refused after {PATIENCE_MS} ms with what was typed"
    )


def test_many_processes_that_read_then_write_lose_nothing_and_never_see_a_lock(
    app: flask.Flask, database: databases.Database
) -> None:
    with app.app_context(), transaction() as session:
        session.add(RateWindow(key="counter", began_at=now_utc(), count=0))
    faults: Any = multiprocessing.get_context("fork").SimpleQueue()
    with app.app_context():
        db.engine.dispose()

    began = time.monotonic()
    children = [
        multiprocessing.get_context("fork").Process(target=count_up, args=(app, faults)) for _ in range(PROCESSES)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    took = time.monotonic() - began

    found = []
    while not faults.empty():
        found.append(faults.get())
    assert found == []
    with app.app_context():
        assert db.session.scalar(sa.select(RateWindow.count)) == PROCESSES * TIMES_EACH
        db.session.remove()
    print(f"G4 {database.kind}: {PROCESSES * TIMES_EACH} read-then-write transactions, 0 lock errors, {took:.1f} s")


def count_up(app: flask.Flask, faults: Any) -> None:
    """Read a number, then write the next, many times over: the shape of every change in the product."""
    with app.app_context():
        for _ in range(TIMES_EACH):
            try:
                with transaction() as session:
                    row = session.scalars(
                        sa.select(RateWindow).where(RateWindow.key == "counter").with_for_update()
                    ).one()
                    row.count = row.count + 1
            except Exception as fault:
                faults.put(repr(fault)[:300])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_transaction_that_does_not_say_it_writes_would_fail(app: flask.Flask, database: databases.Database) -> None:
    """Why writers begin as writers: SQLite lets no reader become one once somebody else has written."""
    with app.app_context():
        with transaction() as session:
            session.add(RateWindow(key="counter", began_at=now_utc(), count=0))
        with pytest.raises(sa.exc.OperationalError, match="locked"):
            read_then_write_as_a_reader()


def read_then_write_as_a_reader() -> None:
    with transaction(write=False) as session:
        row = session.scalars(sa.select(RateWindow)).one()
        with db.engine.connect() as other:
            other.exec_driver_sql("UPDATE rate_window SET count = 7")
            other.commit()
        row.count = 1

"""G1: whatever is killed, an enquiry that was acknowledged is there, once, with all that belongs to it."""

from __future__ import annotations

import http.client
import os
import random
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import flask
import psutil
import pytest
import sqlalchemy as sa

from crm.audit import AuditEntry
from crm.cases.models import Case, Deadline
from crm.db import db
from crm.delivery import OutboundMessage
from tests import databases
from tests.service import DidNotStart, Service
from tests.trust.conftest import cases_by_family_name, connection_of
from tests.trust.public_form import Browser

ENQUIRERS = 4
CLOSES_THE_BROWSER = 5
"""One in so many presses the button once and goes away, whatever comes back."""
PARTS = ("web process",) * 3 + ("web master",) * 2 + ("mail worker",) * 3 + ("all",)
NO_ANSWER = (OSError, http.client.HTTPException, AssertionError)


class Loader:
    """People who fill in the form all the time, and what they were told."""

    def __init__(self, port: Callable[[], int]) -> None:
        self.port = port
        self.begun: set[str] = set()
        self.acknowledged: set[str] = set()
        self.sent_again = 0
        self.statuses: Counter[int] = Counter()
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._enquire, args=(n,), daemon=True) for n in range(ENQUIRERS)]
        for thread in self.threads:
            thread.start()

    def _enquire(self, number: int) -> None:
        count = 0
        while not self.stop.is_set():
            count += 1
            name = f"Loader{number}x{count}"
            browser = Browser(self.port, source=f"127.0.{number + 1}.{count % 200 + 1}", timeout=10)
            try:
                browser.fill_in(name)
            except NO_ANSWER:
                time.sleep(0.15)
                continue
            self.begun.add(name)
            self._send(browser, name, tries=1 if count % CLOSES_THE_BROWSER == 0 else 400)

    def _send(self, browser: Browser, name: str, *, tries: int) -> None:
        one_time_id = secrets.token_urlsafe(16)
        for _ in range(tries):
            try:
                answer = browser.send(one_time_id)
            except NO_ANSWER:
                self.sent_again += 1
                time.sleep(0.15)
                continue
            self.statuses[answer.status] += 1
            if answer.is_yes:
                self.acknowledged.add(name)
                return

    def finish(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


def victims(service: Service, what: str) -> list[int]:
    """The processes of a part of the service."""
    children = psutil.Process(service.process.pid).children()
    masters = [child for child in children if child.name() == "crm web"]
    parts = {
        "web process": [process for master in masters for process in master.children()],
        "web master": masters,
        "mail worker": [child for child in children if child.name() == "crm worker"],
    }
    return [process.pid for process in parts[what]]


def kill(service: Service, what: str) -> None:
    if what == "all":
        service.kill()
        return
    try:
        for pid in victims(service, what):
            os.kill(pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return


def test_no_acknowledged_enquiry_is_lost_or_doubled_when_anything_is_killed(
    app: flask.Flask,
    cast: object,
    database: databases.Database,
    start_service: Callable[..., Service],
    rounds: Callable[[int, int], int],
    record_property: Callable[[str, object], None],
    crm: Callable[..., object],
) -> None:
    kills = rounds(25, 1000)
    loader, killed = kill_all_the_time(start_service, kills)

    stored = cases_by_family_name(app)
    lost = loader.acknowledged - set(stored)
    doubled = [name for name, cases in stored.items() if name in loader.begun and len(cases) != 1]
    unacknowledged = (set(stored) & loader.begun) - loader.acknowledged
    figures = (
        f"{kills} kills {dict(killed)}, {len(loader.acknowledged)} acknowledged, {len(lost)} lost, "
        f"{len(doubled)} doubled, {len(unacknowledged)} stored and never acknowledged, "
        f"{loader.sent_again} sent again, answers {dict(loader.statuses)}"
    )
    print(f"G1 {database.kind}: {figures}")
    record_property("G1", f"{database.kind}: {figures}")
    assert not lost
    assert not doubled
    assert len(loader.acknowledged) >= kills
    assert not [status for status in loader.statuses if status >= 400 and status != 503]
    assert every_case_is_whole(app, {case for name in stored if name in loader.begun for case in stored[name]})
    assert the_database_is_whole(database)
    checked = crm("check")
    assert checked.exit_code == 0, checked.output  # type: ignore[attr-defined]
    verified = crm("audit", "verify")
    assert verified.exit_code == 0, verified.output  # type: ignore[attr-defined]


KILLS_OF_THE_CONTROL = 6


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_service_that_answers_before_it_commits_is_caught(
    app: flask.Flask, cast: object, start_service: Callable[..., Service]
) -> None:
    """The same kills, on a service that is a moment too quick: some of what it acknowledged is not there."""
    root = Path(__file__).parents[2]
    too_quick = {"PYTHONPATH": f"{Path(__file__).with_name('hasty')}:{root}"}

    loader, _ = kill_all_the_time(lambda: start_service(**too_quick), KILLS_OF_THE_CONTROL, parts=("web process",))

    lost = loader.acknowledged - set(cases_by_family_name(app))
    print(f"G1 control: {len(loader.acknowledged)} acknowledged too soon, {len(lost)} lost")
    assert lost


def kill_all_the_time(
    start_service: Callable[..., Service], kills: int, *, parts: Sequence[str] = PARTS
) -> tuple[Loader, Counter[str]]:
    """People enquire while parts of the service are killed, and begin again. Ends with the service stopped."""
    draw = random.Random(20261121)
    running = [start_service()]
    killed: Counter[str] = Counter()
    loader = Loader(lambda: running[0].port)
    try:
        for _ in range(kills):
            wait_for_an_acknowledgement(loader, running[0])
            time.sleep(draw.uniform(0, 0.8))
            what = draw.choice(parts)
            kill(running[0], what)
            killed[what] += 1
            if running[0].process.poll() is not None:
                running[0] = start_again(start_service)
        wait_for_an_acknowledgement(loader, running[0])
    finally:
        loader.finish()
    assert running[0].stop() == 0
    return loader, killed


def wait_for_an_acknowledgement(loader: Loader, service: Service) -> None:
    """The service is back when somebody who enquires now is told so."""
    before, end = len(loader.acknowledged), time.monotonic() + 60
    while len(loader.acknowledged) == before:
        assert time.monotonic() < end, f"nobody's enquiry was taken for a minute:\n{service.log}"
        time.sleep(0.01)


def start_again(start_service: Callable[..., Service]) -> Service:
    try:
        return start_service()
    except DidNotStart:
        return start_service()


def every_case_is_whole(app: flask.Flask, cases: set[int]) -> bool:
    """Each has exactly one letter of thanks, one running clock for the first call, and one entry in the trail."""
    with app.app_context():
        for what, query in (
            ("letters", sa.select(OutboundMessage.case_id).where(OutboundMessage.kind == "enquiry_acknowledgement")),
            (
                "clocks",
                sa.select(Deadline.case_id).where(Deadline.rule == "first_contact", Deadline.stopped_on.is_(None)),
            ),
            ("entries", sa.select(AuditEntry.case_id).where(AuditEntry.event == "case.opened")),
            ("owners", sa.select(Case.id).where(Case.owner_id.is_not(None), Case.is_open)),
        ):
            count = Counter(db.session.scalars(query))
            assert {case: count[case] for case in cases if count[case] != 1} == {}, what
            assert set(count) == cases, f"{what} of cases that are not there"
        db.session.remove()
    return True


def the_database_is_whole(database: databases.Database) -> bool:
    if database.kind == "sqlite":
        with connection_of(database) as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []
    return True

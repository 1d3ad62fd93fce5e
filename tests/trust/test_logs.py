"""G30: what people type, and who they are, is in no log line, whatever goes wrong."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from crm.db import db
from crm.delivery import OutboundMessage
from crm.settings import Settings
from tests import databases
from tests.delivery.sink import free_port, sink
from tests.factories import PASSWORD
from tests.service import Service
from tests.trust.conftest import connection_of
from tests.trust.public_form import Answer, Browser

CANARIES = {
    "given name": "Quillonia",
    "family name": "Vexworthy",
    "email": "zq.canary@example.org",
    "phone": "07700 900943",
    "postcode": "BR1 9KC",
    "a careful word": "my neighbour Brontwick must not know",
    "password": "correct canary battery staple",
}
PARTS = (*CANARIES.values(), "07700900943", "7700900943", "zq.canary", "Brontwick", "zq.canary%40example.org")


def enquire(browser: Browser) -> Answer:
    """The whole form, with something to give away on every page of it."""
    for path, fields in (
        ("/enquire/postcode", {"postcode": CANARIES["postcode"]}),
        ("/enquire/name", {"given_name": CANARIES["given name"], "family_name": CANARIES["family name"]}),
        ("/enquire/contact", {"email": CANARIES["email"], "phone": CANARIES["phone"], "contact_times": "any"}),
        ("/enquire/safe-contact", {"safe": "yes", "safe_note": CANARIES["a careful word"]}),
    ):
        assert browser.post(path, **fields).status == 303, path
    return browser.send(secrets.token_urlsafe(16))


def try_to_sign_in(port: Callable[[], int], email: str, password: str) -> Answer:
    browser = Browser(port)
    browser.token = browser.get("/sign-in").hidden()["csrf_token"]
    return browser.post("/sign-in", email=email, password=password)


def leaks(service: Service, folder: Path, *, beside: tuple[str, ...] = ()) -> list[str]:
    """Where anything of a person is written down outside the database."""
    files = [file for file in folder.rglob("*") if file.is_file() and ".sqlite3" not in file.name]
    found = []
    for file in {service.log_file, *files}:
        text = file.read_bytes().decode(errors="replace")
        found += [f"{file.name}: {part}" for part in (*PARTS, *beside) if part.casefold() in text.casefold()]
    return found


def test_no_log_line_holds_anything_of_a_person(
    app: flask.Flask,
    cast: Any,
    database: databases.Database,
    settings: Settings,
    start_service: Callable[..., Service],
) -> None:
    with sink() as kept:
        kept.answers[CANARIES["email"]] = f"550 5.1.1 <{CANARIES['email']}>: {CANARIES['given name']} is not known here"
        service = start_service(
            CRM_MAIL_TRANSPORT="smtp", CRM_SMTP_HOST=kept.host, CRM_SMTP_PORT=str(kept.port), CRM_SMTP_TLS="none"
        )
        browser = Browser(lambda: service.port)
        statuses = [enquire(browser).status]

        # Things that go wrong for people: a wrong password, a page that is not there, an answer that is not taken.
        statuses.append(try_to_sign_in(lambda: service.port, cast.officer.email, CANARIES["password"]).status)
        statuses.append(try_to_sign_in(lambda: service.port, CANARIES["email"], CANARIES["password"]).status)
        signed_in = try_to_sign_in(lambda: service.port, cast.officer.email, PASSWORD)
        statuses.append(browser.get(f"/cases/{CANARIES['family name']}?q=zq.canary%40example.org").status)
        statuses.append(browser.post("/enquire/contact", email=f"{CANARIES['email']} oops", phone="").status)
        wait_for_a_refused_letter(app)

        # And things that go wrong for us: a column is missing under the very statement that stores the person.
        with connection_of(database) as connection:
            connection.exec_driver_sql("ALTER TABLE person RENAME COLUMN family_key TO family_key_gone")
        another = Browser(lambda: service.port)
        statuses.append(enquire(another).status)
        with connection_of(database) as connection:
            connection.exec_driver_sql("ALTER TABLE person RENAME COLUMN family_key_gone TO family_key")
            connection.exec_driver_sql("ALTER TABLE staff_user RENAME TO staff_user_gone")
        statuses.append(try_to_sign_in(lambda: service.port, CANARIES["email"], CANARIES["password"]).status)
        with connection_of(database) as connection:
            connection.exec_driver_sql("ALTER TABLE staff_user_gone RENAME TO staff_user")
        assert service.stop() == 0

    assert signed_in.status == 303
    assert statuses[0] == 303
    assert statuses.count(500) == 2, statuses
    log = service.log
    assert '"event": "fault"' in log
    assert '"reason": "' in log, "the refused letter is in the log"
    assert "OperationalError" in log or "ProgrammingError" in log
    written = [*browser.cookies.values(), *another.cookies.values(), PASSWORD]
    assert leaks(service, settings.data_dir, beside=tuple(written)) == []
    assert faults_of_shape(log) == []


def wait_for_a_refused_letter(app: flask.Flask) -> None:
    end = time.monotonic() + 30
    while True:
        with app.app_context():
            failure = db.session.scalar(sa.select(OutboundMessage.last_failure).limit(1))
            db.session.remove()
        if failure:
            return
        assert time.monotonic() < end, "the letter was never refused"
        time.sleep(0.1)


def faults_of_shape(log: str) -> list[str]:
    """Lines that are neither JSON nor a plain word of the command's own."""
    odd = []
    for line in log.splitlines():
        if not line.strip() or line.startswith(("Doorstep is at", "[WARNING]", "[INFO]")):
            continue
        try:
            json.loads(line)
        except ValueError:
            odd.append(line)
    return odd


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_mail_server_that_is_not_there_is_logged_without_the_recipient(
    cast: Any, settings: Settings, start_service: Callable[..., Service]
) -> None:
    service = start_service(
        CRM_MAIL_TRANSPORT="smtp", CRM_SMTP_HOST="127.0.0.1", CRM_SMTP_PORT=str(free_port()), CRM_SMTP_TLS="none"
    )
    assert enquire(Browser(lambda: service.port)).status == 303
    end = time.monotonic() + 30
    while "letter_not_taken" not in service.log:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert service.stop() == 0

    assert leaks(service, settings.data_dir) == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    class Told:
        log_file = tmp_path / "service.log"

    Told.log_file.write_text("a line about QUILLONIA\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "worker.log").write_text("ring 07700900943")

    found = leaks(Told, tmp_path / "data")  # type: ignore[arg-type]
    assert {"service.log: Quillonia", "worker.log: 07700900943"} <= set(found)

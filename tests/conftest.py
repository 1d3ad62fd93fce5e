"""What every test may ask for. In short:

`app`        the product on an empty database of its own; a test that asks for it runs twice, on SQLite and PostgreSQL
`client`     fetches pages from it, and inspects each one (tests/page.py); `client.get(...).page` reads it
`session`    the database session, inside the application
`freeze`     `freeze("2026-07-14 14:00")` stops the clock at that London time
`queries`    `with queries() as sent:` lists the SQL statements
`start_service`  `crm serve` as a child process on the same database
`smtp`       a mail server on this machine that keeps what it is given
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import gc
import hashlib
import importlib.util
import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as email_policy
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import flask
import pytest
import sqlalchemy as sa
import time_machine
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from jinja2 import FileSystemBytecodeCache
from sqlalchemy.orm import Session, scoped_session
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from crm.settings import Settings
from tests import databases
from tests.page import Page, faults, read
from tests.service import Service
from tests.standing import lent

LONDON = ZoneInfo("Europe/London")
IS_NIGHT = os.environ.get("CRM_TEST_TIER") == "night"

hypothesis_settings.register_profile(
    "day", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
hypothesis_settings.register_profile(
    "night", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
hypothesis_settings.load_profile("night" if IS_NIGHT else "day")

# The standing cast, once there is one: an officer with the case, an officer without, and so on.
if importlib.util.find_spec("tests.cast"):
    pytest_plugins = ["tests.cast"]


# --- The run ----------------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.stash[OWNS_RUN] = databases.begin_run()
    memory = databases.folder_in_memory()
    if config.stash[OWNS_RUN] and memory is not None and config.option.basetemp is None:
        config.option.basetemp = str(memory)


def pytest_unconfigure(config: pytest.Config) -> None:
    databases.end_process()
    if config.stash.get(OWNS_RUN, False):
        databases.end_run()


OWNS_RUN = pytest.StashKey[bool]()
LONGEST_FIRST = (
    "tests/browser/test_journey.py",
    "tests/trust/test_kills.py",
    "tests/visits/test_race.py",
    "tests/browser/",
    "tests/walks/",
    "tests/assessments/test_no_way_round.py",
    "tests/access/test_matrix.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long versions wait for `make night`; pytest's last line counts them as deselected.

    What takes minutes begins first, so that two processes come to the end together.
    """
    items.sort(key=how_soon)
    if IS_NIGHT:
        return
    later = [item for item in items if item.get_closest_marker("night")]
    if later:
        config.hook.pytest_deselected(items=later)
        items[:] = [item for item in items if not item.get_closest_marker("night")]


def pytest_collection_finish() -> None:
    """What is loaded by now stays: looking through it for garbage again and again is a tenth of a run. And a test makes
    many small things that are gone with it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def how_soon(item: pytest.Item) -> int:
    return next((n for n, start in enumerate(LONGEST_FIRST) if item.nodeid.startswith(start)), len(LONGEST_FIRST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """In `make test` nothing may be skipped: what can't run here is a failure that says why."""
    report = cast(pytest.TestReport, (yield))  # type: ignore[misc]
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CRM_NOTHING_SKIPPED"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which `make test` doesn't allow: {report.longrepr}"
    return report  # type: ignore[return-value]


@pytest.fixture(scope="session")
def rounds() -> Callable[[int, int], int]:
    """``rounds(day, night)``: how often to do something, by day and in `make night`."""
    return lambda day, night: night if IS_NIGHT else day


# --- Nothing leaves this machine --------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_outside_world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that opens a connection beyond this machine fails, unless it is marked `real_sockets`."""
    if request.node.get_closest_marker("real_sockets"):
        return
    for name in ("connect", "connect_ex"):
        real = getattr(socket.socket, name)

        @functools.wraps(real)
        def guarded(self: socket.socket, address: Any, real: Any = real) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not is_this_machine(address[0]):
                raise AssertionError(f"a test tried to connect to {address[0]}")
            return real(self, address)

        monkeypatch.setattr(socket.socket, name, guarded)


@pytest.fixture(scope="session", autouse=True)
def policy_is_asked_for_each_time() -> Iterator[None]:
    """No page lives off what one before it read: how many queries it takes must not hang on the machine."""
    from crm.policy import reading

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "FRESH_SECONDS", 0.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def letters_are_watched() -> Iterator[None]:
    """Every letter that any test writes is looked at before it is stored: the right thing to the right person (G36)."""
    from tests.delivery.right_recipient import watch_every_letter

    with watch_every_letter():
        yield


def is_this_machine(host: str) -> bool:
    return host in ("localhost", "::1", "0.0.0.0") or host.startswith("127.")


# --- Database, settings, application ----------------------------------------------------------------------------------


@pytest.fixture(params=databases.KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[databases.Database]:
    """An empty database with the schema in it, of each kind in turn, for this test alone."""
    with databases.database_of(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def settings(database: databases.Database, tmp_path: Path) -> Settings:
    """The settings of the application under test. Letters go to files, passwords are hashed cheaply."""
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    return Settings.from_environ({**database.environ, "CRM_DATA": str(data)})


@pytest.fixture
def make_app(settings: Settings) -> Iterator[Callable[..., flask.Flask]]:
    """``make_app(cookie_secure=True)``: the application with other settings."""
    made: list[flask.Flask] = []

    def make(**changes: Any) -> flask.Flask:
        app = application(replace(settings, **changes))
        made.append(app)
        return app

    yield make
    for app in made:
        put_away(app)


@pytest.fixture
def app(settings: Settings) -> Iterator[flask.Flask]:
    """The product on an empty database."""
    with lent(application, settings) as app:
        yield app


def application(settings: Settings) -> flask.Flask:
    from crm.app import create_app

    app = create_app(settings)
    app.testing = True
    app.test_client_class = PageClient
    # Each test makes an application; without this each would compile every template it shows.
    cache = databases.run_folder() / "templates"
    cache.mkdir(exist_ok=True)
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(cache))
    app.after_request(refuse_forgotten_commit)
    from crm.db import db

    with app.app_context():
        watch(db.engine)
    return app


def put_away(app: flask.Flask) -> None:
    from crm.db import db

    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def session(app: flask.Flask) -> Iterator[scoped_session[Session]]:
    """The session, inside the application. Write with ``with transaction():`` as the edge does, or commit yourself."""
    from crm.db import db

    with app.app_context():
        yield db.session
        db.session.rollback()


@pytest.fixture
def kind_of_service() -> type[Service]:
    """What ``start_service`` starts."""
    return Service


@pytest.fixture
def start_service(
    database: databases.Database, settings: Settings, tmp_path: Path, kind_of_service: type[Service]
) -> Iterator[Callable[..., Service]]:
    """``start_service(CRM_SMTP_HOST="127.0.0.1")``: `crm serve` on the test's database; gone afterwards."""
    running: list[Service] = []

    def start(*arguments: str, **environ: str) -> Service:
        service = kind_of_service(
            environ={**database.environ, "CRM_DATA": str(settings.data_dir), **environ},
            folder=tmp_path,
            arguments=arguments,
        )
        running.append(service)
        return service

    yield start
    for service in running:
        service.kill()
    if running:
        look_at_letters(settings)


def look_at_letters(settings: Settings) -> None:
    """What a service of its own process wrote to anybody is looked at too (G36)."""
    from crm.db import db
    from crm.delivery import Channel, OutboundMessage
    from tests.delivery.right_recipient import assert_right_recipient

    app = application(settings)
    try:
        with app.app_context():
            by_email = sa.select(OutboundMessage).where(OutboundMessage.channel == Channel.EMAIL)
            for letter in db.session.scalars(by_email):
                assert letter.payload is not None
                assert_right_recipient(letter.payload, letter.recipient or "")
            db.session.remove()
    finally:
        put_away(app)


# --- Pages ------------------------------------------------------------------------------------------------------------

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
_unsaved: contextvars.ContextVar[set[int] | None] = contextvars.ContextVar("unsaved", default=None)
_statements: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("statements", default=None)
_everything: list[list[str]] = []


def watch(engine: sa.Engine) -> None:
    """Know which connections of the request in hand have written without committing."""

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        for listing in _everything:
            listing.append(statement)
        unsaved = _unsaved.get()
        if unsaved is not None and statement.lstrip().upper().startswith(WRITES):
            unsaved.add(id(connection))

    for event in ("commit", "rollback"):
        sa.event.listen(engine, event, settled)


def settled(connection: Any, *_rest: Any) -> None:
    """What this connection has written is kept or given up."""
    unsaved = _unsaved.get()
    if unsaved is not None:
        unsaved.discard(id(connection))


class ForgottenCommit(AssertionError):
    """A request answered while what it wrote was neither committed nor rolled back."""


def refuse_forgotten_commit(response: Response) -> Response:
    from crm.db import db

    waiting = [*db.session.new, *db.session.dirty, *db.session.deleted]
    if _unsaved.get() or waiting:
        raise ForgottenCommit(f"{flask.request.method} {flask.request.path} wrote and did not commit: {waiting[:3]}")
    return response


class PageResponse(TestResponse):
    """A response whose page can be read."""

    @functools.cached_property
    def page(self) -> Page:
        page = read(self.text)
        page.address = self.request.full_path.rstrip("?")
        return page


class PageClient(FlaskClient):
    """Fetches pages as a browser would, and fails on a page that isn't fit to be seen.

    ``client.submit(response.page, button="Save", name="June")`` sends a form with everything already on it.
    ``client.inspects = False`` switches the checks off, for the rare test whose subject is a broken page.
    """

    inspects = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.response_wrapper = type("Response", (PageResponse, self.application.response_class), {})

    def open(self, *args: Any, **kwargs: Any) -> PageResponse:  # type: ignore[override]
        # In a context of its own, as in a server: a test's own session and `g` must not leak into the request.
        response = contextvars.Context().run(self._open, *args, **kwargs)
        if self.inspects:
            self.inspect(response)
        return response

    def _open(self, *args: Any, **kwargs: Any) -> PageResponse:
        _unsaved.set(set())
        return cast(PageResponse, super().open(*args, **kwargs))

    def sign_in(self, member: Any) -> None:
        """Be this member of the cast from now on, without the cost of a password."""
        from tests.factories import sign_in

        contextvars.Context().run(sign_in, self, member)

    def inspect(self, response: PageResponse) -> None:
        address = f"{response.request.method} {response.request.path} ({response.status_code})"
        problems = header_faults(response)
        has_page = response.mimetype == "text/html" and response.request.method != "HEAD"
        if has_page and not 300 <= response.status_code < 400:
            problems += page_faults(self.application, response)
        if problems:
            raise AssertionError(f"{address} isn't fit to be seen:\n  " + "\n  ".join(dict.fromkeys(problems)))

    def submit(self, page: Page, *, to: str | None = None, button: str | None = None, field: str | None = None,
               follow: bool = False, **values: Any) -> PageResponse:  # fmt: skip
        """Fill in a form of the page, chosen by its address, a button or a field, and send it."""
        form = page.form(action=to, button=button, field=field)
        address = form.action or page.address
        if form.method == "GET":
            return cast(
                PageResponse, self.get(address, query_string=form.filled(button, **values), follow_redirects=follow)
            )
        return cast(PageResponse, self.post(address, data=form.filled(button, **values), follow_redirects=follow))


def header_faults(response: PageResponse) -> list[str]:
    policy = response.headers.get("Content-Security-Policy", "")
    found = []
    if response.mimetype == "text/html":
        if not policy:
            found.append("there is no content security policy")
        elif "'unsafe-inline'" in policy or "'unsafe-eval'" in policy:
            found.append("the content security policy lets scripts or styles in the page run")
    if response.mimetype.startswith("text/") and "charset=utf-8" not in response.content_type.lower():
        found.append(f"{response.content_type} doesn't say utf-8")
    return found


TOKENS = re.compile(r'(name="(?:csrf_token|one_time_id)" value=")[^"]*')
_known: WeakKeyDictionary[flask.Flask, dict[tuple[str, str], bool]] = WeakKeyDictionary()
_fit: WeakKeyDictionary[flask.Flask, set[tuple[bool, bytes]]] = WeakKeyDictionary()


def page_faults(app: flask.Flask, response: PageResponse) -> list[str]:
    """What is wrong with a page. One that was seen before, to the letter but for its tokens, is known to be fit."""
    is_part = "HX-Request" in response.request.headers
    drawn = is_part, hashlib.blake2b(TOKENS.sub(r"\1", response.text).encode("utf-8", "surrogatepass")).digest()
    fit = _fit.setdefault(app, set())
    if drawn in fit:
        return []
    found = faults(response.page, resolves=functools.partial(resolves, app))
    if not is_part and not response.page.is_whole:
        found.append("the page has no doctype")
    if not found:
        fit.add(drawn)
    return found


def resolves(app: flask.Flask, method: str, path: str) -> bool:
    """Whether an address of the product leads anywhere (to a route; for a static file, to the file)."""
    known = _known.setdefault(app, {})
    if (method, path) not in known:
        known[method, path] = leads_somewhere(app, method, path)
    return known[method, path]


def leads_somewhere(app: flask.Flask, method: str, path: str) -> bool:
    try:
        endpoint, values = app.url_map.bind("localhost").match(path, method=method)
    except HTTPException as answer:
        return answer.code in (301, 308)
    if endpoint == "static":
        return (Path(cast(str, app.static_folder)) / values["filename"]).is_file()
    return True


@pytest.fixture
def client(app: flask.Flask) -> PageClient:
    """Fetches pages of `app`, signed in as nobody."""
    return cast(PageClient, app.test_client())


@pytest.fixture
def queries(app: flask.Flask) -> Callable[[], contextlib.AbstractContextManager[list[str]]]:
    """``with queries() as sent:`` lists the statements that reach the database."""

    @contextlib.contextmanager
    def listing() -> Iterator[list[str]]:
        sent: list[str] = []
        _everything.append(sent)
        try:
            yield sent
        finally:
            _everything.remove(sent)

    return listing


# --- Time -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def freeze() -> Iterator[Callable[[str | datetime], datetime]]:
    """``freeze("2026-07-14 14:00")`` stops the clock at that London time; call it again to move on."""
    running: list[time_machine.travel] = []

    def stop_at(moment: str | datetime) -> datetime:
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        if at.tzinfo is None:
            at = at.replace(tzinfo=LONDON)
        while running:
            running.pop().stop()
        travel = time_machine.travel(at, tick=False)
        travel.start()
        running.append(travel)
        return at

    yield stop_at
    while running:
        running.pop().stop()


# --- Mail -------------------------------------------------------------------------------------------------------------


@dataclass
class MailServer:
    """A mail server on this machine. ``answers`` maps a recipient to what the server says instead of accepting."""

    host: str = ""
    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        refusal = self.answers.get(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        refusal = self.answers.get("data")
        if refusal:
            return refusal
        self.messages.append(cast(EmailMessage, BytesParser(policy=email_policy).parsebytes(envelope.content)))
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        return "250 Kept"


@pytest.fixture
def smtp() -> Iterator[MailServer]:
    """A real SMTP conversation over loopback; look at ``smtp.messages``."""
    from aiosmtpd.controller import Controller

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = MailServer("127.0.0.1", port)
    controller = Controller(kept, hostname=kept.host, port=port)
    controller.start()
    try:
        yield kept
    finally:
        controller.stop()

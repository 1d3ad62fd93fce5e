"""The estate, made once a run and copied for each walk; and a way to undo whatever a request did.

`estate`    the service in the middle of its work (tests/walks/estate.py), on a database of this test's own
`walker`    who walks through it: `walker.member("officer")` is a client signed in as that member
`at_first`  every row of the estate as it was made, to compare with
`undone`    `with undone() as change:` all that is committed inside is taken back; `change.rows()` says what it was
"""

from __future__ import annotations

import contextlib
import pickle
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import pytest

from crm.backup import restore, write_backup
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import MessageStatus, OutboundMessage, release_held
from crm.settings import Settings
from tests import databases
from tests.conftest import application, put_away
from tests.walks.estate import NOW, Estate, build
from tests.walks.finding import Walker
from tests.walks.undoing import Change, Rows, undoing

PARTS = ("doorstep.sqlite3", "estate.pickle", "estate.zip")


def estate_folder() -> Path:
    """The estate as a SQLite file, a copy of its rows, and what the tests know of it. Built by the first who asks."""
    folder = databases.run_folder() / "estate"
    with databases.only_one("estate"):
        if not (folder / "ready").exists():
            folder.mkdir(exist_ok=True)
            build_estate(folder)
            (folder / "ready").touch()
    return folder


def build_estate(folder: Path) -> None:
    with databases.sqlite_database(folder) as database:
        app = application(Settings.from_environ({**database.environ, "CRM_DATA": str(folder)}))
        try:
            (folder / "estate.pickle").write_bytes(pickle.dumps(build(app)))
            with app.app_context():
                write_backup(folder / "estate.zip", now=now_utc(), said=lambda _line: None)
                db.session.remove()
        finally:
            put_away(app)
        with contextlib.closing(sqlite3.connect(folder / "doorstep.sqlite3")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def estate_on_postgresql() -> str:
    """The name of a PostgreSQL database with the same rows: a copy goes into either database."""
    folder = estate_folder()
    name = f"{databases.postgresql_template()}_estate"
    with databases.only_one("estate-postgresql"):
        if not (folder / "postgresql").exists():
            databases.server_command(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
            url = databases.with_database(databases.postgresql_server(), name)
            app = application(
                Settings.from_environ({**databases.Database("postgresql", url).environ, "CRM_DATA": str(folder)})
            )
            with app.app_context():
                restore(folder / "estate.zip", said=lambda _line: None)
                put_letters_back()
                db.session.remove()
            put_away(app)
            (folder / "postgresql").touch()
    return name


def put_letters_back() -> None:
    """A restored outbox is held; the estate's is as it was: one letter held, the others on their way."""
    held = pickle.loads((databases.run_folder() / "estate" / "estate.pickle").read_bytes()).things["held_letter_id"]
    with transaction():
        release_held(now=now_utc())
        db.session.get_one(OutboundMessage, held).status = MessageStatus.HELD


@pytest.fixture(params=databases.KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[databases.Database]:
    """The estate on a database of this test's own, of each kind in turn."""
    if request.param == "sqlite":
        with databases.sqlite_database(tmp_path, estate_folder() / "doorstep.sqlite3") as made:
            yield made
    else:
        with databases.postgresql_database(estate_on_postgresql()) as made:
            yield made


@pytest.fixture
def estate(database: databases.Database, freeze: Callable[[str], Any]) -> Estate:
    """The estate, with the clock stopped when it was made."""
    freeze(NOW)
    found = pickle.loads((estate_folder() / "estate.pickle").read_bytes())
    assert isinstance(found, Estate)
    return found


@pytest.fixture
def walker(app: flask.Flask, estate: Estate) -> Walker:
    return Walker(app, estate)


@pytest.fixture
def undone(app: flask.Flask) -> Callable[[], contextlib.AbstractContextManager[Change]]:
    return lambda: undoing(app)


@pytest.fixture
def at_first(undone: Callable[[], contextlib.AbstractContextManager[Change]], walker: Walker) -> Rows:
    """Every row of the estate as it was made, with an enquiry half filled in by a stranger."""
    walker.member("stranger")
    with undone() as change:
        return change.look()

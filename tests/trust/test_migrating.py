"""G8: whatever happens to `crm migrate`, the database is as it was or as it should be; nothing starts on another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from click.testing import Result

from crm import migrations
from crm.db import db
from crm.settings import Settings
from tests import databases
from tests.conftest import application, put_away
from tests.trust.conftest import connection_of
from tests.trust.test_copies import blank_database

Crm = Callable[..., Result]


@pytest.fixture
def blank(database: databases.Database, tmp_path: Path) -> Iterator[databases.Database]:
    """A database of the same kind with nothing in it, not even tables."""
    (tmp_path / "blank").mkdir()
    with blank_database(database.kind, tmp_path / "blank") as made:
        yield made


@pytest.fixture
def blank_app(blank: databases.Database, settings: Settings) -> Iterator[flask.Flask]:
    app = application(Settings.from_environ({**blank.environ, "CRM_DATA": str(settings.data_dir)}))
    with app.app_context():
        yield app
        db.session.remove()
    put_away(app)


def tables(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names()) - {"alembic_version"}


def test_two_at_once_on_an_empty_database_both_succeed(blank: databases.Database, settings: Settings, crm: Crm) -> None:
    environ = {**os.environ, **blank.environ, "CRM_DATA": str(settings.data_dir)}
    command = [sys.executable, "-m", "crm.cli", "migrate"]
    both = [
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert all("revision" in line for line in said)
    assert crm("check", DATABASE_URL=blank.url).exit_code == 0
    with connection_of(blank) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM policy_version").scalar() == 1


def test_a_migration_that_is_killed_leaves_the_old_or_the_new(
    blank_app: flask.Flask, rounds: Callable[[int, int], int]
) -> None:
    statements = statements_of_an_upgrade()
    kills = rounds(5, 50)
    for number in range(kills):
        kill_at = 1 + (statements - 1) * number // max(kills - 1, 1)
        db.engine.dispose()
        child = multiprocessing.get_context("fork").Process(target=upgrade_until, args=(blank_app, kill_at))
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL, kill_at
        assert (migrations.current(db.engine), tables(db.engine)) == (None, set()), kill_at

    migrations.upgrade(db.engine)
    assert migrations.current(db.engine) == migrations.head()
    assert "case_file" in tables(db.engine)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_migration_that_would_leave_a_row_pointing_at_nothing_is_not_kept(
    blank: databases.Database, blank_app: flask.Flask, crm: Crm
) -> None:
    with connection_of(blank) as connection:
        connection.exec_driver_sql("CREATE TABLE pointed_at (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("CREATE TABLE pointing (id INTEGER REFERENCES pointed_at (id))")
        connection.exec_driver_sql("INSERT INTO pointing VALUES (7)")

    refused = crm("migrate", DATABASE_URL=blank.url)

    assert refused.exit_code == 1
    assert "1 rows would point at nothing" in refused.output
    assert (migrations.current(db.engine), tables(db.engine)) == (None, {"pointed_at", "pointing"})


def statements_of_an_upgrade() -> int:
    """How many statements it takes; the database is empty again afterwards."""
    count = [0]
    sa.event.listen(db.engine, "before_cursor_execute", lambda *_args: count.__setitem__(0, count[0] + 1))
    migrations.upgrade(db.engine)
    total = count[0]
    migrations.downgrade(db.engine, "base")
    with db.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    return total


def upgrade_until(app: flask.Flask, kill_at: int) -> None:
    count = [0]

    def counted(*_args: Any) -> None:
        count[0] += 1
        if count[0] >= kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(db.engine, "before_cursor_execute", counted)
    migrations.upgrade(db.engine)


@pytest.mark.parametrize("command", [("serve",), ("worker",), ("check",), ("backup", "copy.zip"), ("audit", "verify")])
def test_nothing_starts_on_a_database_without_tables(
    blank: databases.Database, crm: Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)

    refused = crm(*command, DATABASE_URL=blank.url, PORT="0")

    assert refused.exit_code == 1
    assert refused.output == "Error: The database is not at this release's revision. Run: crm migrate\n"


def test_nothing_starts_on_a_database_of_a_newer_release(
    app: flask.Flask, database: databases.Database, crm: Crm
) -> None:
    with connection_of(database) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ffff'")

    for command in (("serve",), ("worker",), ("migrate",), ("check",)):
        refused = crm(*command, PORT="0")
        assert refused.exit_code == 1, command
        assert refused.output == (
            "Error: The database is at revision ffff, which this release does not know. Start the newer release.\n"
        )
    with connection_of(database) as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "ffff"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_revision_that_does_not_exist_is_a_plain_error(crm: Crm) -> None:
    for arguments in (("--to", "nonsense"), ("--down", "--to", "nonsense")):
        refused = crm("migrate", *arguments)
        assert refused.exit_code == 1
        assert refused.output.startswith("Error: ")
    assert crm("migrate", "--down").exit_code == 2

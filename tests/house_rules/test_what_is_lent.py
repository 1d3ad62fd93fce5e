"""What one test after another is lent, an application and a database, is handed on only as it was made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import flask
import psycopg
import pytest
import sqlalchemy as sa

from crm.db import db, transaction
from crm.settings import Settings
from tests import databases
from tests.case_factory import make_case
from tests.conftest import application
from tests.factories import make_cast
from tests.standing import Standing, lent


@pytest.fixture
def standing(settings: Settings) -> Standing:
    return standing_on(settings)


def standing_on(settings: Settings) -> Standing:
    one = Standing(application, settings)
    one.lead_to(settings)
    return one


def test_an_application_that_was_only_used_is_handed_on(standing: Standing) -> None:
    assert standing.app.test_client().get("/sign-in").status_code == 200

    standing.put_away()

    assert standing.is_as_made


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "meddle",
    [
        lambda app: app.config.update(PROPAGATE_EXCEPTIONS=False),
        lambda app: app.view_functions.update(static=print),
        lambda app: app.before_request_funcs[None].append(print),
        lambda app: app.jinja_env.globals.update(may=print),
        lambda app: setattr(app, "wsgi_app", print),
        lambda app: setattr(app, "jinja_loader", None),
        lambda app: listen(app, "before_cursor_execute"),
        lambda app: listen(app, "connect"),
    ],
    ids=["settings", "views", "hooks", "globals", "middleware", "templates", "statements", "connections"],
)
def test_an_application_that_a_test_changed_is_not(standing: Standing, meddle: Callable[[flask.Flask], object]) -> None:
    meddle(standing.app)
    standing.put_away()

    assert not standing.is_as_made


def listen(app: flask.Flask, event: str) -> None:
    with app.app_context():
        sa.event.listen(db.engine, event, print)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_an_application_remembered_is_forgotten(standing: Standing, settings: Settings) -> None:
    standing.app.extensions["remembered"] = "by the test before"

    standing.lead_to(settings)

    assert "remembered" not in standing.app.extensions


@pytest.fixture
def kept() -> Iterator[databases.KeptDatabase]:
    made = databases.KeptDatabase(databases.postgresql_template())
    yield made
    made.drop()


def everything_in(kept: databases.KeptDatabase) -> dict[str, list[object]]:
    """Every row, and how far every sequence has come."""
    with psycopg.connect(databases.plain(kept.url)) as connection:
        tables = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        found = {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}
        return {**found, "sequences": sorted(connection.execute("SELECT sequencename, last_value FROM pg_sequences"))}


def test_a_database_is_handed_on_as_empty_as_it_came(kept: databases.KeptDatabase, tmp_path: Path) -> None:
    new = everything_in(kept)
    environ = databases.Database("postgresql", kept.url).environ
    standing = standing_on(Settings.from_environ({**environ, "CRM_DATA": str(tmp_path)}))
    with standing.app.app_context(), transaction():
        make_case(make_cast(), stage="contacted")
    assert everything_in(kept) != new
    left_open = psycopg.connect(databases.plain(kept.url))
    left_open.execute("UPDATE case_file SET version = version + 1")

    assert kept.is_put_back()

    assert everything_in(kept) == new
    with pytest.raises(psycopg.OperationalError):
        left_open.execute("SELECT 1")


@pytest.mark.parametrize(
    "meddle",
    [
        "CREATE TABLE more (id int)",
        "ALTER TABLE case_file ADD COLUMN more text",
        "ALTER TABLE case_file ALTER COLUMN version SET DEFAULT 7",
        "ALTER TABLE case_file ADD CONSTRAINT more CHECK (version < 100)",
        "DROP INDEX {index}",
        "DROP TRIGGER audit_entry_refuses_change ON audit_entry",
    ],
)
def test_a_database_that_a_test_changed_otherwise_is_not(kept: databases.KeptDatabase, meddle: str) -> None:
    with psycopg.connect(databases.plain(kept.url), autocommit=True) as connection:
        indexes = connection.execute("SELECT indexname FROM pg_indexes WHERE indexname LIKE 'ix_case_file%'").fetchall()
        connection.execute(meddle.format(index=indexes[0][0]))

    assert not kept.is_put_back()


@pytest.mark.parametrize(
    "meddle",
    [
        "DELETE FROM policy_row WHERE id = 3",
        "DELETE FROM policy_row",
        "UPDATE policy_version SET version = version + 1",
        "SELECT nextval('policy_row_id_seq')",
        "SELECT setval('policy_row_id_seq', 1, false)",
    ],
)
def test_a_database_has_the_rows_again_that_it_began_with(kept: databases.KeptDatabase, meddle: str) -> None:
    new, laid = everything_in(kept), as_laid(kept)
    with psycopg.connect(databases.plain(kept.url), autocommit=True) as connection:
        connection.execute(meddle)
    assert everything_in(kept) != new

    assert kept.is_put_back()

    assert (everything_in(kept), as_laid(kept)) == (new, laid)


def as_laid(kept: databases.KeptDatabase) -> list[object]:
    """What the plan of a query hangs on: in which order rows lie, and what is known of their table."""
    with psycopg.connect(databases.plain(kept.url)) as connection:
        of_table = "SELECT relpages, reltuples, pg_relation_size(oid) FROM pg_class WHERE relname = 'policy_row'"
        lie = connection.execute("SELECT ctid::text, id FROM policy_row ORDER BY ctid")
        return [*lie, *connection.execute(of_table)]


@pytest.mark.parametrize("kind", databases.KINDS)
def test_a_database_becomes_what_another_held(kind: str, tmp_path: Path) -> None:
    with databases.database_of(kind, tmp_path) as first:
        with inside(first, tmp_path), transaction():
            cast = make_cast()
            make_case(cast, stage="contacted")
        contents, held = first.contents(), dump(first)
    with databases.database_of(kind, tmp_path) as second:
        with inside(second, tmp_path), transaction():
            make_case(make_cast(), stage="closed")
        assert dump(second) != held

        second.become(contents)

        assert dump(second) == held
        with inside(second, tmp_path), transaction():
            assert make_case(cast).id == 2


@contextlib.contextmanager
def inside(database: databases.Database, folder: Path) -> Iterator[None]:
    settings = Settings.from_environ({**database.environ, "CRM_DATA": str(folder)})
    with lent(application, settings) as app, app.app_context():
        yield


def dump(database: databases.Database) -> dict[str, list[str]]:
    engine = sa.create_engine(database.url.replace("postgresql://", "postgresql+psycopg://"))
    tables = sa.MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        return {name: sorted(map(repr, connection.execute(sa.select(table)))) for name, table in tables.tables.items()}

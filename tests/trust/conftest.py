"""Promises are tried on the real thing: `crm serve` as it runs at a service, and the `crm` command itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import flask
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from crm.cases.models import Case, Person
from crm.cli import main
from crm.db import db
from crm.settings import Settings
from tests import databases


@pytest.fixture
def crm(database: databases.Database, settings: Settings):  # type: ignore[no-untyped-def]
    """``crm("check")`` runs the command on the test's database; ``environ`` changes what it is told."""

    def run(*arguments: str, **environ: str) -> Result:
        told = {**database.environ, "CRM_DATA": str(settings.data_dir), **environ}
        return CliRunner().invoke(main, list(arguments), env=told)

    return run


@contextlib.contextmanager
def connection_of(database: databases.Database) -> Iterator[sa.Connection]:
    """A connection of the test's own, which begins and ends nothing by itself."""
    from crm.db import sqlite_module

    options = {"module": sqlite_module()} if database.kind == "sqlite" else {}
    url = sa.make_url(database.url)
    if database.kind == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool, **options)
    with engine.connect() as connection:
        yield connection


@contextlib.contextmanager
def locked(database: databases.Database) -> Iterator[None]:
    """Nobody else can change anything; looking is not hindered."""
    with connection_of(database) as connection:
        if database.kind == "sqlite":
            connection.exec_driver_sql("PRAGMA busy_timeout=10000")
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
        else:
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("LOCK TABLE case_file, enquiry_draft IN EXCLUSIVE MODE")
        try:
            yield
        finally:
            connection.exec_driver_sql("ROLLBACK")


def cases_by_family_name(app: flask.Flask) -> dict[str, list[int]]:
    """The cases of everybody who is in them by name."""
    found: dict[str, list[int]] = {}
    with app.app_context():
        for name, case_id in db.session.execute(
            sa.select(Person.family_name, Case.id).join(Case, Case.household_id == Person.household_id)
        ):
            found.setdefault(name, []).append(case_id)
        db.session.remove()
    return found

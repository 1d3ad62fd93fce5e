"""Undoing what a request did, and saying which rows it touched.

Everything runs on one connection inside one outer transaction: what a request commits is a savepoint kept, and at the
end the whole is rolled back. Hundreds of forms can so be tried on one and the same estate.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import flask
import sqlalchemy as sa

from crm import db as database
from crm.db import db, metadata, writing
from tests.conftest import settled


class Rows(dict[str, dict[Any, dict[str, Any]]]):
    """Every row of every table by its primary key, and ``stored``, the same rows as the database gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, list[Any]] = {}


@functools.cache
def tables() -> list[sa.Table]:
    return metadata.sorted_tables


@dataclass
class Change:
    """What has been done so far inside: compared with how it was at the beginning."""

    connection: sa.Connection

    def look(self, before: Rows | None = None, *, but: Collection[str] = ()) -> Rows:
        """Every row, ``but`` of the tables that don't matter. A table in which everything is stored as it was
        ``before`` is that very table: to read its rows anew, with their times and words and seals, takes far longer
        than to fetch them. SQLite itself notes which were written to, and only those are fetched."""
        found = Rows()
        written = written_to(self.connection)
        for table in tables():
            if table.name in but:
                continue
            if before is not None and written is not None and table.name not in written:
                found[table.name], found.stored[table.name] = before[table.name], before.stored[table.name]
                continue
            answer = self.connection.exec_driver_sql(f'SELECT * FROM "{table.name}"')
            stored = found.stored[table.name] = answer.cursor.fetchall()  # type: ignore[union-attr]
            answer.close()
            if before is not None and before.stored[table.name] == stored:
                found[table.name] = before[table.name]
                continue
            keys = [column.name for column in table.primary_key]
            rows = self.connection.execute(sa.select(table)).mappings()
            found[table.name] = {tuple(row[key] for key in keys): dict(row) for row in rows}
        return found

    def rows(
        self, before: Rows, *, but: Collection[str] = ()
    ) -> dict[str, list[tuple[dict[str, Any] | None, dict[str, Any] | None]]]:
        """For each table that changed: (the row before, the row after), None where there was or is none."""
        now, found = self.look(before, but=but), {}
        for table, rows in now.items():
            old = before[table]
            if rows is old:
                continue
            changed = [(old.get(key), rows.get(key)) for key in {**old, **rows} if old.get(key) != rows.get(key)]
            if changed:
                found[table] = changed
        return found


def note_what_is_written_to(connection: sa.Connection) -> None:
    """From now on SQLite notes each table in which a row comes, changes or goes, by whatever way. The notes are this
    connection's own, and are taken back with what they are about. (No key keeps them apart: in what a trigger does,
    SQLite meets a conflict as the statement outside says.)"""
    if connection.dialect.name != "sqlite" or "notes_what_is_written_to" in connection.info:
        return
    triggers = [
        f'CREATE TEMP TRIGGER "noted_{act}_{table.name}" AFTER {act} ON main."{table.name}"'
        f" BEGIN INSERT INTO written_to SELECT '{table.name}'"
        f" WHERE NOT EXISTS (SELECT 1 FROM written_to WHERE name = '{table.name}'); END;"
        for table in tables()
        for act in ("INSERT", "UPDATE", "DELETE")
    ]
    driver: Any = connection.connection.dbapi_connection
    driver.executescript(f"CREATE TEMP TABLE written_to (name TEXT); {''.join(triggers)}")
    connection.info["notes_what_is_written_to"] = True


def written_to(connection: sa.Connection) -> set[str] | None:
    """None where nobody notes it."""
    if connection.dialect.name != "sqlite":
        return None
    return set(connection.exec_driver_sql("SELECT name FROM written_to").scalars())


@contextlib.contextmanager
def undoing(app: flask.Flask) -> Iterator[Change]:
    """Whatever is committed inside is taken back at the end."""
    with app.app_context():
        db.session.remove()
        engine = db.engine
    with writing(), engine.connect() as connection:
        note_what_is_written_to(connection)
        outer = connection.begin()
        for event in ("release_savepoint", "rollback_savepoint"):
            sa.event.listen(connection, event, settled)
        real = database.Session.get_bind
        database.Session.get_bind = lambda *_, **__: connection  # type: ignore[method-assign]
        db.session.session_factory.configure(join_transaction_mode="create_savepoint")
        try:
            yield Change(connection)
        finally:
            db.session.session_factory.configure(join_transaction_mode="conditional_savepoint")
            database.Session.get_bind = real  # type: ignore[method-assign]
            outer.rollback()
    app.extensions.get("crm_full_windows", {}).clear()

"""Undoing what a request did, and saying which rows it touched.

Everything runs on one connection inside one outer transaction: what a request commits is a savepoint kept, and at the
end the whole is rolled back. Hundreds of forms can so be tried on one and the same estate.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import flask
import sqlalchemy as sa

from crm import db as database
from crm.db import db, metadata, writing
from tests.conftest import settled

Rows = dict[str, dict[Any, dict[str, Any]]]


@dataclass
class Change:
    """What has been done so far inside: compared with how it was at the beginning."""

    connection: sa.Connection

    def look(self) -> Rows:
        """Every row of every table by its primary key."""
        found: Rows = {}
        for table in metadata.sorted_tables:
            keys = [column.name for column in table.primary_key]
            rows = self.connection.execute(sa.select(table)).mappings()
            found[table.name] = {tuple(row[key] for key in keys): dict(row) for row in rows}
        return found

    def rows(self, before: Rows) -> dict[str, list[tuple[dict[str, Any] | None, dict[str, Any] | None]]]:
        """For each table that changed: (the row before, the row after), None where there was or is none."""
        now, found = self.look(), {}
        for table, rows in now.items():
            old = before[table]
            changed = [(old.get(key), rows.get(key)) for key in {**old, **rows} if old.get(key) != rows.get(key)]
            if changed:
                found[table] = changed
        return found


@contextlib.contextmanager
def undoing(app: flask.Flask) -> Iterator[Change]:
    """Whatever is committed inside is taken back at the end."""
    with app.app_context():
        db.session.remove()
        engine = db.engine
    with writing(), engine.connect() as connection:
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

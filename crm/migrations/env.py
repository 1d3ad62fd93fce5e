"""How Alembic runs here: on the product's own engine, in one transaction, with SQLite's foreign keys off.

With them on, rebuilding a table on SQLite deletes every child row without a word; so they are off while tables change
and every reference is checked before the work is kept.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import sqlalchemy as sa
from alembic import context

import crm
from crm.db import metadata, writing
from crm.migrations import DanglingReferences

for module in pkgutil.walk_packages(crm.__path__, "crm."):
    if module.name.endswith("models"):
        importlib.import_module(module.name)


WAIT_FOR_ANOTHER_MS = 600_000
"""How long a second ``crm migrate`` waits for the first (milliseconds): much longer than people wait for a page."""


def run() -> None:
    engine: sa.Engine = context.config.attributes["engine"]
    on_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if on_sqlite:
            raw: Any = connection.connection.driver_connection
            raw.execute("PRAGMA foreign_keys=OFF")
            waited_before = raw.execute("PRAGMA busy_timeout").fetchone()[0]
            raw.execute(f"PRAGMA busy_timeout={WAIT_FOR_ANOTHER_MS}")
        try:
            with writing(), connection.begin():
                # Set up inside, and told that tables change in transactions, or Alembic commits by itself on
                # SQLite before the references were checked.
                context.configure(
                    connection=connection,
                    target_metadata=metadata,
                    render_as_batch=on_sqlite,
                    compare_type=True,
                    transaction_per_migration=False,
                    transactional_ddl=True,
                )
                if not on_sqlite:
                    connection.execute(sa.text(f"SET LOCAL lock_timeout = {WAIT_FOR_ANOTHER_MS}"))
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(20261121)"))
                    connection.execute(sa.text("SET LOCAL lock_timeout TO DEFAULT"))
                with context.begin_transaction():
                    context.run_migrations()
                if on_sqlite:
                    loose = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                    if loose:
                        raise DanglingReferences(f"{len(loose)} rows would point at nothing, such as {loose[0]}")
        finally:
            if on_sqlite:
                raw.execute(f"PRAGMA busy_timeout={waited_before}")
                raw.execute("PRAGMA foreign_keys=ON")


run()

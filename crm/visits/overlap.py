"""No officer in two places at once, refused by the database itself.

PostgreSQL has an exclusion constraint; SQLite a trigger that does the same and raises the same kind of error. The
statements stand here once: ``create_all`` runs them for a fresh schema, and a migration runs the same ones.

A check in Python followed by an insert lets two people through who look at the same moment; these do not.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

CONSTRAINT = "ex_visit_officer_one_place_at_a_time"
TABLE = "visit_officer"

# tstzrange over two stored columns is immutable; adding the travel time in the index would not be.
POSTGRESQL_UP = (
    "CREATE EXTENSION IF NOT EXISTS btree_gist",
    f"ALTER TABLE {TABLE} ADD CONSTRAINT {CONSTRAINT} "
    "EXCLUDE USING gist (officer_id WITH =, tstzrange(starts_at, blocked_until_at) WITH &&) WHERE (holds)",
)
POSTGRESQL_DOWN = (f"ALTER TABLE {TABLE} DROP CONSTRAINT IF EXISTS {CONSTRAINT}",)

_CLASH = (
    f"SELECT RAISE(ABORT, '{CONSTRAINT}') WHERE EXISTS (SELECT 1 FROM {TABLE} AS other "
    "WHERE other.officer_id = NEW.officer_id AND other.holds AND other.id IS NOT NEW.id "
    "AND other.starts_at < NEW.blocked_until_at AND NEW.starts_at < other.blocked_until_at);"
)
SQLITE_UP = (
    f"CREATE TRIGGER {CONSTRAINT}_insert BEFORE INSERT ON {TABLE} WHEN NEW.holds BEGIN {_CLASH} END",
    f"CREATE TRIGGER {CONSTRAINT}_update BEFORE UPDATE OF officer_id, starts_at, blocked_until_at, holds ON {TABLE} "
    f"WHEN NEW.holds BEGIN {_CLASH} END",
)
SQLITE_DOWN = (
    f"DROP TRIGGER IF EXISTS {CONSTRAINT}_insert",
    f"DROP TRIGGER IF EXISTS {CONSTRAINT}_update",
)


def statements_up(dialect: str) -> tuple[str, ...]:
    """What makes the rule on this database; the table must exist."""
    return POSTGRESQL_UP if dialect == "postgresql" else SQLITE_UP


def statements_down(dialect: str) -> tuple[str, ...]:
    """What takes it away again."""
    return POSTGRESQL_DOWN if dialect == "postgresql" else SQLITE_DOWN


def is_clash(fault: sa.exc.IntegrityError) -> bool:
    """Whether it was this rule that an insert or update broke."""
    return CONSTRAINT in str(fault.orig)


def attach(events: Any, table: Any) -> None:
    """Have ``create_all`` make the rule straight after the table."""
    for dialect in ("postgresql", "sqlite"):
        for statement in statements_up(dialect):
            rule = sa.DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
            events.listen(table, "after_create", rule.execute_if(dialect=dialect))

"""The migrations make what the models say, come down again with rows in the tables, and go up the same.

Alembic doesn't compare constraints, triggers and some indexes, so they are read from the database's own catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import flask
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from crm import migrations
from crm.db import db, metadata, transaction
from tests.databases import import_models
from tests.factories import make_cast

ALEMBIC = "alembic_version"


def catalogue(engine: sa.Engine) -> set[str]:
    """Everything a database holds beside rows, a line each: columns, constraints, indexes, triggers, functions."""
    found: set[str] = set()
    inspector = sa.inspect(engine)
    for table in inspector.get_table_names():
        if table == ALEMBIC:
            continue
        found |= {
            f"column {table}.{c['name']} {c['type']} null={c['nullable']} default={c['default']}"
            for c in inspector.get_columns(table)
        }
    statements = SQLITE_CATALOGUE if engine.dialect.name == "sqlite" else POSTGRESQL_CATALOGUE
    with engine.connect() as connection:
        for statement in statements:
            for row in connection.exec_driver_sql(statement):
                line = " ".join(str(value) for value in row)
                if ALEMBIC not in line:
                    found.add(plain(line))
    return found


# A table's own text holds its constraints; it is cut at the commas so that their order doesn't matter.
SQLITE_CATALOGUE = ("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",)
POSTGRESQL_CATALOGUE = (
    "SELECT 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace AND contype <> 'n'",
    "SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT 'trigger', tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prolang <> 13 "
    "AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')",
    "SELECT 'extension', extname FROM pg_extension",
)


def plain(line: str) -> str:
    line = re.sub(r'["`]', "", re.sub(r"\s+", " ", line)).strip()
    if line.startswith("table "):
        head, _, body = line.partition("(")
        return f"{head}({'; '.join(sorted(parts(body.rpartition(')')[0])))})"
    return line


def parts(body: str) -> list[str]:
    """The columns and constraints of a CREATE TABLE."""
    found, depth, current = [], 0, ""
    for char in body:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            found.append(current.strip())
            current = ""
        else:
            current += char
    return [*found, current.strip()]


def test_the_files_are_numbered_in_the_order_in_which_alembic_runs_them() -> None:
    script = ScriptDirectory(str(migrations.FOLDER))

    in_order = [revision.revision for revision in script.walk_revisions()]

    assert in_order == sorted(migrations.known(), reverse=True)
    assert script.get_current_head() == migrations.head()


@pytest.fixture
def migrated(app: flask.Flask) -> Iterator[sa.Engine]:
    """A database as `crm migrate` makes it."""
    with app.app_context():
        migrations.upgrade(db.engine)
        yield db.engine
        db.session.remove()


def empty(engine: sa.Engine) -> None:
    """Take everything away, so that the models can make it anew."""
    migrations.downgrade(engine, "base")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {ALEMBIC}")


def test_migrations_make_what_the_models_say(migrated: sa.Engine) -> None:
    by_migrations = catalogue(migrated)

    import_models()
    empty(migrated)
    with transaction():
        metadata.create_all(db.session.connection())

    by_models = catalogue(migrated)
    assert sorted(by_migrations - by_models) == [], "the migrations make this, and the models don't know it"
    assert sorted(by_models - by_migrations) == [], "the models say this, and no migration makes it"


def test_migrations_come_down_with_rows_and_leave_nothing(migrated: sa.Engine) -> None:
    before = catalogue(migrated)
    with transaction():
        make_cast()

    migrations.downgrade(migrated, "base")

    assert {line for line in catalogue(migrated) if not line.startswith("extension")} == set()
    migrations.upgrade(migrated)
    assert catalogue(migrated) == before


def test_each_step_keeps_the_rows(migrated: sa.Engine) -> None:
    with transaction():
        make_cast()
    revisions = [revision.revision for revision in migrations_from_the_newest()]

    for older in revisions[1:]:
        rows = counts(migrated)
        migrations.downgrade(migrated, older)
        kept = {table: number for table, number in counts(migrated).items() if table in rows}
        assert kept == {table: rows[table] for table in kept}, f"going down to {older} lost rows"
    migrations.upgrade(migrated)

    assert counts(migrated)["staff_user"] > 0


def migrations_from_the_newest():  # type: ignore[no-untyped-def]
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(migrations.FOLDER)).walk_revisions()


def counts(engine: sa.Engine) -> dict[str, int]:
    tables = [name for name in sa.inspect(engine).get_table_names() if name != ALEMBIC]
    with engine.connect() as connection:
        return {name: connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one() for name in tables}


def test_a_constraint_that_no_migration_makes_is_caught(migrated: sa.Engine) -> None:
    before = catalogue(migrated)

    with migrated.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE planted (a INTEGER, CONSTRAINT ck_planted CHECK (a > 0))")
        connection.exec_driver_sql("CREATE INDEX ix_planted ON planted (a)")
        if migrated.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "CREATE TRIGGER planted_trigger BEFORE DELETE ON planted BEGIN SELECT RAISE(ABORT, 'no'); END"
            )

    new = " ".join(catalogue(migrated) - before)
    assert "ck_planted" in new
    assert "ix_planted" in new
    assert migrated.dialect.name != "sqlite" or "planted_trigger" in new


def test_there_is_one_newest_revision_and_names_are_in_order() -> None:
    names = sorted(path.stem for path in (Path(migrations.FOLDER) / "versions").glob("[0-9]*.py"))

    assert [name[:4] for name in names] == [f"{number:04d}" for number in range(1, len(names) + 1)]
    assert migrations.head() == names[-1][:4]

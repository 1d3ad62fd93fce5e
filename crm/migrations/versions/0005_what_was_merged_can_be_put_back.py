"""What was merged, row by row, so that it can be put back; numbers of households, people and cases never come back

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COUNTED = ("household", "person", "case_file")


def upgrade() -> None:
    op.create_table(
        "household_merge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("kept_case_id", sa.Integer(), nullable=False),
        sa.Column("gone_case_id", sa.Integer(), nullable=True),
        sa.Column("kept_reference", KeyText(16), nullable=False),
        sa.Column("gone_reference", KeyText(16), nullable=True),
        sa.Column("is_case_taken_up", sa.Boolean(), nullable=False),
        sa.Column("choices_sealed", sa.Text(), nullable=True),
        sa.Column("doubts_sealed", sa.Text(), nullable=True),
        sa.Column("story_sealed", sa.Text(), nullable=True),
        sa.Column("asked_by_id", sa.Integer(), nullable=True),
        sa.Column("asked_at", UTCDateTime(), nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("decided_at", UTCDateTime(), nullable=True),
        sa.Column("answer_sealed", sa.Text(), nullable=True),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("made_at", UTCDateTime(), nullable=True),
        sa.Column("undone_by_id", sa.Integer(), nullable=True),
        sa.Column("undone_at", UTCDateTime(), nullable=True),
        sa.Column("rows_touched", sa.Integer(), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("kind IN ('households', 'people', 'move')", name=op.f("ck_household_merge_kind_is_known")),
        sa.CheckConstraint(
            "state IN ('asked', 'made', 'refused', 'withdrawn', 'undone')",
            name=op.f("ck_household_merge_state_is_known"),
        ),
        sa.CheckConstraint(
            "(state IN ('made', 'undone')) = (made_at IS NOT NULL)", name=op.f("ck_household_merge_made_has_its_time")
        ),
        sa.CheckConstraint(
            "(state = 'undone') = (undone_at IS NOT NULL)", name=op.f("ck_household_merge_undone_has_its_time")
        ),
        sa.CheckConstraint(
            "state <> 'asked' OR asked_at IS NOT NULL", name=op.f("ck_household_merge_asked_has_its_time")
        ),
        sa.CheckConstraint(
            "decided_by_id IS NULL OR asked_by_id IS NULL OR decided_by_id <> asked_by_id",
            name=op.f("ck_household_merge_decided_by_another"),
        ),
        *(
            sa.ForeignKeyConstraint([column], ["staff_user.id"], name=op.f(f"fk_household_merge_{column}_staff_user"))
            for column in ("asked_by_id", "decided_by_id", "made_by_id", "undone_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_merge")),
    )
    asked = sa.text("state = 'asked'")
    op.create_index("ix_household_merge_kept_case_id", "household_merge", ["kept_case_id"])
    op.create_index("ix_household_merge_gone_case_id", "household_merge", ["gone_case_id"])
    op.create_index(
        "ix_household_merge_asked", "household_merge", ["asked_at"], sqlite_where=asked, postgresql_where=asked
    )
    op.create_index(
        "uq_household_merge_asked_once",
        "household_merge",
        ["kept_case_id", "gone_case_id"],
        unique=True,
        sqlite_where=asked,
        postgresql_where=asked,
    )
    op.create_table(
        "merge_row",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("merge_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("table_name", KeyText(40), nullable=False),
        sa.Column("record_key", KeyText(60), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("columns", sa.String(length=400), nullable=False),
        sa.Column("values_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "action IN ('changed', 'removed', 'added', 'held')", name=op.f("ck_merge_row_action_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["merge_id"], ["household_merge.id"], name=op.f("fk_merge_row_merge_id_household_merge")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merge_row")),
        sa.UniqueConstraint("merge_id", "position", name=op.f("uq_merge_row_merge_id_position")),
    )
    op.create_index("ix_merge_row_record", "merge_row", ["table_name", "record_key", "merge_id"])
    op.create_table(
        "former_case",
        sa.Column("former_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reference", KeyText(16), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_former_case_case_id_case_file")),
        sa.PrimaryKeyConstraint("former_id", name=op.f("pk_former_case")),
        sa.UniqueConstraint("reference", name=op.f("uq_former_case_reference")),
    )
    op.create_index("ix_former_case_case_id", "former_case", ["case_id"])
    op.create_table(
        "former_person",
        sa.Column("former_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_former_person_person_id_person")),
        sa.PrimaryKeyConstraint("former_id", name=op.f("pk_former_person")),
    )
    op.create_index("ix_former_person_person_id", "former_person", ["person_id"])
    for table in COUNTED:
        _rebuild(
            table, "id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", without=f"CONSTRAINT pk_{table} PRIMARY KEY (id)"
        )


def downgrade() -> None:
    for table in reversed(COUNTED):
        _rebuild(table, "id INTEGER NOT NULL", and_at_the_end=f"CONSTRAINT pk_{table} PRIMARY KEY (id)")
    op.drop_table("former_person")
    op.drop_table("former_case")
    op.drop_table("merge_row")
    op.drop_table("household_merge")


def _rebuild(table: str, id_column: str, *, without: str = "", and_at_the_end: str = "") -> None:
    """Make a table anew with another kind of id, as SQLite can't change one: from its own text in the catalogue, so
    that every column, constraint and index comes along, whatever revision added it. PostgreSQL never gives a number
    twice, and needs none of this."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    catalogue = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type = ? AND sql IS NOT NULL"
    (made_by,) = connection.exec_driver_sql(catalogue, (table, "table")).one()
    indexes = [sql for (sql,) in connection.exec_driver_sql(catalogue, (table, "index"))]
    body = made_by.partition("(")[2]
    parts = [part for part in _parts(body.rpartition(")")[0]) if part.replace('"', "") != without]
    if and_at_the_end:
        parts.append(and_at_the_end)
    parts[next(n for n, part in enumerate(parts) if part.replace('"', "").startswith("id "))] = id_column
    connection.exec_driver_sql(f"CREATE TABLE {table}_anew ({', '.join(parts)})")
    columns = [f'"{row[1]}"' for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")]
    connection.exec_driver_sql(
        f"INSERT INTO {table}_anew ({', '.join(columns)}) SELECT {', '.join(columns)} FROM {table}"
    )
    connection.exec_driver_sql(f"DROP TABLE {table}")
    connection.exec_driver_sql(f"ALTER TABLE {table}_anew RENAME TO {table}")
    for sql in indexes:
        connection.exec_driver_sql(sql)


def _parts(body: str) -> list[str]:
    """The columns and constraints of a CREATE TABLE, one by one."""
    found, depth, current = [], 0, ""
    for char in body:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            found.append(current.strip())
            current = ""
        else:
            current += char
    return [*found, current.strip()]

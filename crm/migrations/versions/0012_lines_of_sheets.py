"""A sign-up sheet goes through stages, its lines are kept with what each led to, and its columns are remembered

Revision: 0012, after 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

STAGES = "reading unreadable columns checking checked loading stopped loaded undoing undone discarded".split()
ON_ITS_WAY = sa.text("step IN ('reading', 'checking', 'loading', 'undoing')")


def words(column: str, values: list[str]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def upgrade() -> None:
    with op.batch_alter_table("sheet_import") as table:
        table.add_column(sa.Column("head_sealed", sa.Text(), nullable=True))
        table.add_column(sa.Column("sheet_at", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("headings_at", sa.Integer(), nullable=True))
        table.add_column(sa.Column("step", sa.String(length=12), nullable=False, server_default="reading"))
        table.add_column(sa.Column("problem", sa.String(length=300), nullable=True))
        table.add_column(sa.Column("line_count", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("done_to", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("done_count", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("sends_letters", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("started_by_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("undone_at", UTCDateTime(), nullable=True))
        table.create_foreign_key(
            op.f("fk_sheet_import_started_by_id_staff_user"), "staff_user", ["started_by_id"], ["id"]
        )
        table.create_check_constraint(op.f("ck_sheet_import_step_is_known"), words("step", STAGES))
    # What was loaded before stays loaded. What waited to be looked at is read and checked anew by the worker.
    op.execute("UPDATE sheet_import SET step = 'loaded' WHERE loaded_at IS NOT NULL")
    with op.batch_alter_table("sheet_import") as table:
        for column in ("sheet_at", "step", "line_count", "done_to", "done_count", "sends_letters"):
            table.alter_column(column, server_default=None)
    op.create_index(
        "ix_sheet_import_on_its_way", "sheet_import", ["id"], sqlite_where=ON_ITS_WAY, postgresql_where=ON_ITS_WAY
    )

    op.create_table(
        "sheet_line",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cells_sealed", sa.Text(), nullable=False),
        sa.Column("fingerprint", KeyText(80), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("has_doubts", sa.Boolean(), nullable=False),
        sa.Column("notes_sealed", sa.Text(), nullable=True),
        sa.Column("phone_key", KeyText(20), nullable=True),
        sa.Column("email_key", KeyText(254), nullable=True),
        sa.Column("place_key", KeyText(140), nullable=True),
        sa.Column("match_case_id", sa.Integer(), nullable=True),
        sa.Column("match_line", sa.Integer(), nullable=True),
        sa.Column("decision", sa.String(length=10), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("enquiry_id", sa.Integer(), nullable=True),
        sa.Column("reference", KeyText(16), nullable=True),
        sa.Column("before_sealed", sa.Text(), nullable=True),
        sa.Column("loaded_at", UTCDateTime(), nullable=True),
        sa.Column("why_kept", sa.String(length=120), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "(outcome IS NULL) = (loaded_at IS NULL) AND (outcome IS NULL) = (case_id IS NULL)",
            name=op.f("ck_sheet_line_outcome_says_when_and_where"),
        ),
        sa.CheckConstraint("decision IS NULL OR verdict = 'look'", name=op.f("ck_sheet_line_only_a_look_is_decided")),
        sa.CheckConstraint(
            words("decision", ["join", "new", "leave_out"]), name=op.f("ck_sheet_line_decision_is_known")
        ),
        sa.CheckConstraint(
            words("outcome", ["opened", "joined", "taken_back", "kept"]), name=op.f("ck_sheet_line_outcome_is_known")
        ),
        sa.CheckConstraint(
            words("verdict", "new same_person same_household look repeat passed_over refused".split()),
            name=op.f("ck_sheet_line_verdict_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["sheet_import.id"], name=op.f("fk_sheet_line_import_id_sheet_import"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sheet_line")),
        sa.UniqueConstraint("import_id", "number", name=op.f("uq_sheet_line_import_id_number")),
    )
    op.create_index("ix_sheet_line_verdict", "sheet_line", ["import_id", "verdict", "number"])
    for name, column in (
        ("fingerprint", "fingerprint"),
        ("phone", "phone_key"),
        ("email", "email_key"),
        ("place", "place_key"),
    ):
        op.create_index(f"ix_sheet_line_{name}", "sheet_line", ["import_id", column])

    op.create_table(
        "sheet_columns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("shape", KeyText(64), nullable=False),
        sa.Column("columns_json", sa.Text(), nullable=False),
        sa.Column("set_by_id", sa.Integer(), nullable=True),
        sa.Column("set_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["set_by_id"], ["staff_user.id"], name=op.f("fk_sheet_columns_set_by_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sheet_columns")),
        sa.UniqueConstraint("shape", name=op.f("uq_sheet_columns_shape")),
    )


def downgrade() -> None:
    op.drop_table("sheet_columns")
    op.drop_table("sheet_line")
    op.drop_index("ix_sheet_import_on_its_way", table_name="sheet_import")
    with op.batch_alter_table("sheet_import") as table:
        table.drop_constraint(op.f("ck_sheet_import_step_is_known"), type_="check")
        table.drop_constraint(op.f("fk_sheet_import_started_by_id_staff_user"), type_="foreignkey")
        for column in (
            "undone_at",
            "started_by_id",
            "sends_letters",
            "done_count",
            "done_to",
            "line_count",
            "problem",
            "step",
            "headings_at",
            "sheet_at",
            "head_sealed",
        ):
            table.drop_column(column)

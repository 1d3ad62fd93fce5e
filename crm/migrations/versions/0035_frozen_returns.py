"""Annual returns that were frozen, and what a year of the return is counted from

Revision: 0035, after 0034.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

IN_FORCE = sa.text("thawed_at IS NULL")
OF_APPLICATIONS = sa.text("track = 'application'")


def upgrade() -> None:
    op.create_table(
        "frozen_return",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("frozen_at", UTCDateTime(), nullable=False),
        sa.Column("frozen_by_id", sa.Integer(), nullable=False),
        sa.Column("definition", KeyText(40), nullable=False),
        sa.Column("to_look_at", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("thawed_at", UTCDateTime(), nullable=True),
        sa.Column("thawed_by_id", sa.Integer(), nullable=True),
        sa.Column("thawed_why_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "(thawed_at IS NULL) = (thawed_by_id IS NULL) AND (thawed_at IS NULL) = (thawed_why_sealed IS NULL)",
            name=op.f("ck_frozen_return_thawed_says_who_and_why"),
        ),
        sa.CheckConstraint(
            "thawed_at IS NULL OR thawed_at >= frozen_at", name=op.f("ck_frozen_return_thawed_after_it_was_frozen")
        ),
        sa.CheckConstraint(
            "year BETWEEN 2011 AND 2999 AND to_look_at >= 0", name=op.f("ck_frozen_return_of_a_real_year")
        ),
        sa.ForeignKeyConstraint(
            ["frozen_by_id"], ["staff_user.id"], name=op.f("fk_frozen_return_frozen_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(
            ["thawed_by_id"], ["staff_user.id"], name=op.f("fk_frozen_return_thawed_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frozen_return")),
    )
    op.create_index(
        "uq_frozen_return_in_force",
        "frozen_return",
        ["year"],
        unique=True,
        sqlite_where=IN_FORCE,
        postgresql_where=IN_FORCE,
    )
    op.create_index("ix_frozen_return_year", "frozen_return", ["year", "id"])
    op.create_index(
        "ix_stage_change_application",
        "stage_change",
        ["case_id", "effective_on", "to_stage", "is_correction"],
        sqlite_where=OF_APPLICATIONS,
        postgresql_where=OF_APPLICATIONS,
    )


def downgrade() -> None:
    op.drop_index("ix_stage_change_application", table_name="stage_change")
    op.drop_table("frozen_return")

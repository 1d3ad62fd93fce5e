"""Why a clock was missed

Revision: 0031, after 0030.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import UTCDateTime

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

CODES = (
    "'dbs_late', 'medical_late', 'reference_late', 'council_late', 'applicant_break', 'new_circumstances', "
    "'service_capacity', 'panel_unavailable', 'other'"
)
LATE = sa.text("stopped_on > due_on")
IN_FORCE = sa.text("replaced_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "breach_reason",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deadline_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("words_sealed", sa.Text(), nullable=True),
        sa.Column("given_at", UTCDateTime(), nullable=False),
        sa.Column("given_by_id", sa.Integer(), nullable=False),
        sa.Column("replaced_at", UTCDateTime(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(f"code IN ({CODES})", name=op.f("ck_breach_reason_code_is_known")),
        sa.CheckConstraint(
            "code <> 'other' OR words_sealed IS NOT NULL", name=op.f("ck_breach_reason_other_says_what")
        ),
        sa.CheckConstraint(
            "replaced_at IS NULL OR replaced_at >= given_at",
            name=op.f("ck_breach_reason_replaced_after_it_was_given"),
        ),
        sa.ForeignKeyConstraint(["deadline_id"], ["deadline.id"], name=op.f("fk_breach_reason_deadline_id_deadline")),
        sa.ForeignKeyConstraint(
            ["given_by_id"], ["staff_user.id"], name=op.f("fk_breach_reason_given_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_breach_reason")),
    )
    op.create_index("ix_breach_reason_clock", "breach_reason", ["deadline_id", "id"])
    op.create_index(
        "uq_breach_reason_in_force",
        "breach_reason",
        ["deadline_id"],
        unique=True,
        sqlite_where=IN_FORCE,
        postgresql_where=IN_FORCE,
    )
    op.create_index("ix_deadline_late", "deadline", ["rule", "due_on", "id"], sqlite_where=LATE, postgresql_where=LATE)


def downgrade() -> None:
    op.drop_index("ix_deadline_late", table_name="deadline")
    op.drop_table("breach_reason")

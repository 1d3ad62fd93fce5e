"""Views of the queue are kept under a name, and what leaves it as a file is on record

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import UTCDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.String(length=300), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_saved_view_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_saved_view_user_id_name")),
    )
    op.create_table(
        "list_export",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("query", sa.String(length=300), nullable=False),
        sa.Column("columns", sa.String(length=400), nullable=False),
        sa.Column("format", sa.String(length=4), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("asked_by_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("second_id", sa.Integer(), nullable=True),
        sa.Column("answer", sa.String(length=3), nullable=True),
        sa.Column("answered_at", UTCDateTime(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("format IN ('csv', 'xlsx')", name=op.f("ck_list_export_format_is_known")),
        sa.CheckConstraint("answer IN ('yes', 'no')", name=op.f("ck_list_export_answer_is_known")),
        sa.CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name=op.f("ck_list_export_answered_says_when")),
        sa.CheckConstraint(
            "second_id IS NULL OR second_id <> asked_by_id", name=op.f("ck_list_export_second_is_another")
        ),
        sa.ForeignKeyConstraint(["asked_by_id"], ["staff_user.id"], name=op.f("fk_list_export_asked_by_id_staff_user")),
        sa.ForeignKeyConstraint(["second_id"], ["staff_user.id"], name=op.f("fk_list_export_second_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_list_export")),
    )
    with op.batch_alter_table("list_export", schema=None) as batch_op:
        batch_op.create_index(op.f("ix_list_export_asked_by_id"), ["asked_by_id"])
        batch_op.create_index(op.f("ix_list_export_second_id"), ["second_id"])
        batch_op.create_index(op.f("ix_list_export_expires_at"), ["expires_at"])


def downgrade() -> None:
    op.drop_table("list_export")
    op.drop_table("saved_view")

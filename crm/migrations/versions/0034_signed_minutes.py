"""The chair's signature under minutes, what the chair asks to have put right, and what minutes said before

Revision: 0034, after 0033.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "minutes_signature",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("chair_id", sa.Integer(), nullable=False),
        sa.Column("how", sa.String(length=10), nullable=False),
        sa.Column("digest", KeyText(length=64), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", UTCDateTime(), nullable=False),
        sa.Column("recorded_by_id", sa.Integer(), nullable=False),
        sa.Column("lapsed_on", sa.Date(), nullable=True),
        sa.CheckConstraint("how IN ('signed_in', 'on_paper')", name=op.f("ck_minutes_signature_how_is_known")),
        sa.CheckConstraint(
            "how = 'on_paper' OR recorded_by_id = chair_id", name=op.f("ck_minutes_signature_signed_in_by_the_chair")
        ),
        sa.ForeignKeyConstraint(["chair_id"], ["staff_user.id"], name=op.f("fk_minutes_signature_chair_id_staff_user")),
        sa.ForeignKeyConstraint(["item_id"], ["panel_item.id"], name=op.f("fk_minutes_signature_item_id_panel_item")),
        sa.ForeignKeyConstraint(
            ["recorded_by_id"], ["staff_user.id"], name=op.f("fk_minutes_signature_recorded_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minutes_signature")),
    )
    op.create_index(op.f("ix_minutes_signature_item_id"), "minutes_signature", ["item_id"])
    op.create_index(
        "uq_minutes_signature_in_force",
        "minutes_signature",
        ["item_id"],
        unique=True,
        sqlite_where=sa.text("lapsed_on IS NULL"),
        postgresql_where=sa.text("lapsed_on IS NULL"),
    )
    op.create_table(
        "minutes_correction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("asked_by_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("words_sealed", sa.Text(), nullable=True),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("words_sealed IS NOT NULL", name=op.f("ck_minutes_correction_says_what")),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["staff_user.id"], name=op.f("fk_minutes_correction_asked_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["item_id"], ["panel_item.id"], name=op.f("fk_minutes_correction_item_id_panel_item")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_minutes_correction_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minutes_correction")),
    )
    op.create_index(op.f("ix_minutes_correction_item_id"), "minutes_correction", ["item_id"])
    op.create_index(
        "uq_minutes_correction_open",
        "minutes_correction",
        ["item_id"],
        unique=True,
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "earlier_minutes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("words_sealed", sa.Text(), nullable=True),
        sa.Column("replaced_on", sa.Date(), nullable=False),
        sa.Column("replaced_by_id", sa.Integer(), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("words_sealed IS NOT NULL", name=op.f("ck_earlier_minutes_says_what")),
        sa.ForeignKeyConstraint(["item_id"], ["panel_item.id"], name=op.f("fk_earlier_minutes_item_id_panel_item")),
        sa.ForeignKeyConstraint(
            ["replaced_by_id"], ["staff_user.id"], name=op.f("fk_earlier_minutes_replaced_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_earlier_minutes")),
    )
    op.create_index(op.f("ix_earlier_minutes_item_id"), "earlier_minutes", ["item_id"])


def downgrade() -> None:
    op.drop_table("earlier_minutes")
    op.drop_table("minutes_correction")
    op.drop_table("minutes_signature")

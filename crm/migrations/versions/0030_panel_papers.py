"""Panel papers: packs, and members' copies

Revision: 0030, after 0029.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "panel_pack",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("step", sa.String(length=12), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("asked_by_id", sa.Integer(), nullable=False),
        sa.Column("next_at", UTCDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("digest", KeyText(64), nullable=True),
        sa.Column("file_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'ready', 'failed')", name=op.f("ck_panel_pack_state_is_known")),
        sa.CheckConstraint("step IN ('in_line', 'gathering', 'laying_out')", name=op.f("ck_panel_pack_step_is_known")),
        sa.CheckConstraint(
            "(state = 'waiting') = (next_at IS NOT NULL)", name=op.f("ck_panel_pack_waiting_says_until_when")
        ),
        sa.CheckConstraint(
            "(state = 'ready') = (file_id IS NOT NULL) AND (file_id IS NULL) = (made_at IS NULL) "
            "AND (file_id IS NULL) = (pages IS NULL) AND (file_id IS NULL) = (digest IS NULL)",
            name=op.f("ck_panel_pack_ready_holds_its_file"),
        ),
        sa.CheckConstraint("pages IS NULL OR pages > 0", name=op.f("ck_panel_pack_has_pages")),
        sa.ForeignKeyConstraint(["item_id"], ["panel_item.id"], name=op.f("fk_panel_pack_item_id_panel_item")),
        sa.ForeignKeyConstraint(["asked_by_id"], ["staff_user.id"], name=op.f("fk_panel_pack_asked_by_id_staff_user")),
        sa.ForeignKeyConstraint(["file_id"], ["stored_file.id"], name=op.f("fk_panel_pack_file_id_stored_file")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_panel_pack")),
        sa.UniqueConstraint("item_id", "number", name=op.f("uq_panel_pack_item_id_number")),
        sa.UniqueConstraint("file_id", name=op.f("uq_panel_pack_file_id")),
    )
    op.create_index(op.f("ix_panel_pack_next_at"), "panel_pack", ["next_at"])
    op.create_index(
        "uq_panel_pack_waiting",
        "panel_pack",
        ["item_id"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "panel_pack_copy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pack_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("released_at", UTCDateTime(), nullable=False),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.Column("why_withdrawn", sa.String(length=12), nullable=True),
        sa.CheckConstraint(
            "why_withdrawn IN ('interest', 'unseated', 'newer', 'off_agenda')",
            name=op.f("ck_panel_pack_copy_why_withdrawn_is_known"),
        ),
        sa.CheckConstraint(
            "(withdrawn_at IS NULL) = (why_withdrawn IS NULL)", name=op.f("ck_panel_pack_copy_withdrawn_says_why")
        ),
        sa.ForeignKeyConstraint(["pack_id"], ["panel_pack.id"], name=op.f("fk_panel_pack_copy_pack_id_panel_pack")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_panel_pack_copy_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_panel_pack_copy")),
        sa.UniqueConstraint("pack_id", "user_id", name=op.f("uq_panel_pack_copy_pack_id_user_id")),
    )
    op.create_index(op.f("ix_panel_pack_copy_pack_id"), "panel_pack_copy", ["pack_id"])
    op.create_index(op.f("ix_panel_pack_copy_user_id"), "panel_pack_copy", ["user_id"])


def downgrade() -> None:
    files = list(op.get_bind().scalars(sa.text("SELECT file_id FROM panel_pack WHERE file_id IS NOT NULL")))
    op.drop_table("panel_pack_copy")
    op.drop_table("panel_pack")
    for file_id in files:
        op.get_bind().execute(sa.text("DELETE FROM stored_file WHERE id = :id"), {"id": file_id})

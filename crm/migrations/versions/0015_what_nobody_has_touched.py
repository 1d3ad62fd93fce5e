"""When somebody last did something about a household, and of what managers were told

Revision: 0015, after 0014.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import UTCDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("case_file", sa.Column("touched_at", UTCDateTime(), nullable=True))
    op.execute(
        "UPDATE case_file SET touched_at = COALESCE((SELECT MAX(occurred_at) FROM timeline_entry "
        "WHERE timeline_entry.case_id = case_file.id AND actor_id IS NOT NULL AND kind <> 'system'), opened_at)"
    )
    lives = sa.text("is_open AND place <> 'not_now'")
    op.create_index(
        "ix_case_file_untouched",
        "case_file",
        ["owner_id", "touched_at", "id", "place", "is_open"],
        sqlite_where=lives,
        postgresql_where=lives,
    )
    op.create_table(
        "escalation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("told_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("kind IN ('due', 'over')", name=op.f("ck_escalation_kind_is_known")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_escalation_case_id_case_file")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalation")),
        sa.UniqueConstraint("case_id", "kind", "due_on", name=op.f("uq_escalation_case_id_kind_due_on")),
    )


def downgrade() -> None:
    op.drop_table("escalation")
    op.drop_index("ix_case_file_untouched", table_name="case_file")
    op.drop_column("case_file", "touched_at")

"""What families and mail servers send back, and addresses that do not work

Revision: 0013, after 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("person", sa.Column("email_fails_since", UTCDateTime(), nullable=True))
    op.create_table(
        "incoming_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", KeyText(64), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("why", sa.String(length=20), nullable=True),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("sender_sealed", sa.Text(), nullable=True),
        sa.Column("subject_sealed", sa.Text(), nullable=True),
        sa.Column("text_sealed", sa.Text(), nullable=True),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.Column("settled_by_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("channel IN ('email', 'text')", name=op.f("ck_incoming_message_channel_is_known")),
        sa.CheckConstraint(
            "outcome IN ('filed', 'automatic', 'bounce', 'tray', 'dismissed')",
            name=op.f("ck_incoming_message_outcome_is_known"),
        ),
        sa.CheckConstraint(
            "why IN ('no_address', 'forged', 'too_heavy', 'too_many', 'unknown_number')",
            name=op.f("ck_incoming_message_why_is_known"),
        ),
        sa.CheckConstraint(
            "(outcome = 'tray') = (settled_at IS NULL)", name=op.f("ck_incoming_message_only_the_tray_is_unsettled")
        ),
        sa.CheckConstraint(
            "outcome = 'tray' OR (sender_sealed IS NULL AND subject_sealed IS NULL AND text_sealed IS NULL)",
            name=op.f("ck_incoming_message_only_the_tray_holds_words"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incoming_message")),
        sa.UniqueConstraint("digest", name=op.f("uq_incoming_message_digest")),
    )
    tray = sa.text("outcome = 'tray'")
    op.create_index("ix_incoming_message_tray", "incoming_message", ["id"], sqlite_where=tray, postgresql_where=tray)
    op.create_index("ix_incoming_message_case", "incoming_message", ["case_id", "received_at"])


def downgrade() -> None:
    op.drop_index("ix_incoming_message_case", table_name="incoming_message")
    op.drop_index("ix_incoming_message_tray", table_name="incoming_message")
    op.drop_table("incoming_message")
    op.drop_column("person", "email_fails_since")

"""Guests of events, who have no case, tell us to stop

Revision: 0020, after 0019.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("event_guest", schema=None) as batch_op:
        batch_op.add_column(sa.Column("stops", sa.String(length=10), nullable=True))
        batch_op.create_check_constraint(op.f("ck_event_guest_stops_is_known"), "stops IN ('news', 'everything')")
        batch_op.create_index("ix_event_guest_mailbox", ["email_key"])
    op.create_table(
        "event_stop_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("guest_id", sa.Integer(), nullable=False),
        sa.Column("token_digest", KeyText(64), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["guest_id"], ["event_guest.id"], name=op.f("fk_event_stop_link_guest_id_event_guest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_stop_link")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_event_stop_link_token_digest")),
    )
    op.create_index(op.f("ix_event_stop_link_guest_id"), "event_stop_link", ["guest_id"])


def downgrade() -> None:
    op.drop_table("event_stop_link")
    with op.batch_alter_table("event_guest", schema=None) as batch_op:
        batch_op.drop_index("ix_event_guest_mailbox")
        batch_op.drop_constraint(op.f("ck_event_guest_stops_is_known"), type_="check")
        batch_op.drop_column("stops")

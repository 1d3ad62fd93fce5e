"""The door kit: keys of events, devices, what they brought, and what was kept aside

Revision: 0006, after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kit_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("public_key", sa.String(length=100), nullable=False),
        sa.Column("private_key_sealed", sa.Text(), nullable=True),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.Column("destroyed_at", UTCDateTime(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "(private_key_sealed IS NULL) = (destroyed_at IS NOT NULL)",
            name=op.f("ck_kit_key_is_there_until_it_is_destroyed"),
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["recruitment_event.id"], name=op.f("fk_kit_key_event_id_recruitment_event")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kit_key")),
        sa.UniqueConstraint("event_id", name=op.f("uq_kit_key_event_id")),
    )
    op.create_table(
        "kit_device",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("public_id", KeyText(32), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("token_hash", KeyText(64), nullable=False),
        sa.Column("signing_key", sa.String(length=100), nullable=False),
        sa.Column("proof_digest", KeyText(64), nullable=False),
        sa.Column("wrong_proofs", sa.Integer(), nullable=False),
        sa.Column("set_up_by_id", sa.Integer(), nullable=False),
        sa.Column("set_up_at", UTCDateTime(), nullable=False),
        sa.Column("last_heard_at", UTCDateTime(), nullable=True),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("skew_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("ended_how", sa.String(length=12), nullable=True),
        sa.CheckConstraint("ended_how IN ('withdrawn', 'closed')", name=op.f("ck_kit_device_ended_how_is_known")),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name=op.f("ck_kit_device_ends_somehow")),
        sa.CheckConstraint("waiting >= 0 AND wrong_proofs >= 0", name=op.f("ck_kit_device_counts_from_nothing")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["recruitment_event.id"], name=op.f("fk_kit_device_event_id_recruitment_event")
        ),
        sa.ForeignKeyConstraint(
            ["set_up_by_id"], ["staff_user.id"], name=op.f("fk_kit_device_set_up_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kit_device")),
        sa.UniqueConstraint("public_id", name=op.f("uq_kit_device_public_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_kit_device_token_hash")),
    )
    op.create_index(op.f("ix_kit_device_event_id"), "kit_device", ["event_id"])
    op.create_index(op.f("ix_kit_device_set_up_by_id"), "kit_device", ["set_up_by_id"])
    op.create_table(
        "kit_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("client_id", KeyText(36), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("written_at", UTCDateTime(), nullable=False),
        sa.Column("occurred_at", UTCDateTime(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("skew_ms", sa.BigInteger(), nullable=False),
        sa.Column("by_file", sa.Boolean(), nullable=False),
        sa.Column("body_digest", KeyText(64), nullable=False),
        sa.CheckConstraint(
            "kind IN ('walk_in', 'sign_in', 'check_in', 'undo')", name=op.f("ck_kit_entry_kind_is_known")
        ),
        sa.ForeignKeyConstraint(["device_id"], ["kit_device.id"], name=op.f("fk_kit_entry_device_id_kit_device")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["recruitment_event.id"], name=op.f("fk_kit_entry_event_id_recruitment_event")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kit_entry")),
        sa.UniqueConstraint("client_id", name=op.f("uq_kit_entry_client_id")),
    )
    op.create_index(op.f("ix_kit_entry_device_id"), "kit_entry", ["device_id"])
    op.create_index("ix_kit_entry_of_event", "kit_entry", ["event_id", "occurred_at", "id"])
    op.create_table(
        "kit_aside",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=True),
        sa.Column("digest", KeyText(64), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("content_sealed", sa.Text(), nullable=True),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.Column("settled_by_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "reason IN ('shape', 'other_event', 'unknown_device', 'forged', 'sealed', 'other_words', 'refused')",
            name=op.f("ck_kit_aside_reason_is_known"),
        ),
        sa.CheckConstraint(
            "(settled_at IS NULL) = (settled_by_id IS NULL)", name=op.f("ck_kit_aside_is_settled_by_somebody")
        ),
        sa.ForeignKeyConstraint(["device_id"], ["kit_device.id"], name=op.f("fk_kit_aside_device_id_kit_device")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["recruitment_event.id"], name=op.f("fk_kit_aside_event_id_recruitment_event")
        ),
        sa.ForeignKeyConstraint(
            ["settled_by_id"], ["staff_user.id"], name=op.f("fk_kit_aside_settled_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kit_aside")),
        sa.UniqueConstraint("event_id", "digest", name="uq_kit_aside_event_id"),
    )
    op.create_index(op.f("ix_kit_aside_device_id"), "kit_aside", ["device_id"])


def downgrade() -> None:
    op.drop_table("kit_aside")
    op.drop_table("kit_entry")
    op.drop_table("kit_device")
    op.drop_table("kit_key")

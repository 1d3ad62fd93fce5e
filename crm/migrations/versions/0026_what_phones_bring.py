"""What officers' phones bring from visits, and photos

Revision: 0026, after 0025.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stored_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("media", sa.String(length=20), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", KeyText(64), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", UTCDateTime(), nullable=False),
        sa.Column("added_by_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("media IN ('image/jpeg', 'image/png')", name=op.f("ck_stored_file_media_is_known")),
        sa.CheckConstraint("size > 0", name=op.f("ck_stored_file_holds_something")),
        sa.ForeignKeyConstraint(["added_by_id"], ["staff_user.id"], name=op.f("fk_stored_file_added_by_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_file")),
    )
    op.create_table(
        "visit_photo",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(length=20), nullable=False),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("added_at", UTCDateTime(), nullable=False),
        sa.Column("added_by_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_photo_visit_id_visit")),
        sa.ForeignKeyConstraint(["file_id"], ["stored_file.id"], name=op.f("fk_visit_photo_file_id_stored_file")),
        sa.ForeignKeyConstraint(["added_by_id"], ["staff_user.id"], name=op.f("fk_visit_photo_added_by_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_photo")),
        sa.UniqueConstraint("file_id", name=op.f("uq_visit_photo_file_id")),
    )
    op.create_index(op.f("ix_visit_photo_visit_id"), "visit_photo", ["visit_id"])
    op.create_table(
        "visit_phone",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("public_id", KeyText(32), nullable=False),
        sa.Column("token_hash", KeyText(64), nullable=False),
        sa.Column("signing_key", sa.String(length=100), nullable=False),
        sa.Column("public_key", sa.String(length=100), nullable=False),
        sa.Column("private_key_sealed", sa.Text(), nullable=True),
        sa.Column("set_up_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("last_heard_at", UTCDateTime(), nullable=False),
        sa.Column("skew_ms", sa.BigInteger(), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_phone_visit_id_visit")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_visit_phone_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_phone")),
        sa.UniqueConstraint("public_id", name=op.f("uq_visit_phone_public_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_visit_phone_token_hash")),
    )
    for column in ("visit_id", "user_id", "ends_at"):
        op.create_index(op.f(f"ix_visit_phone_{column}"), "visit_phone", [column])
    op.create_table(
        "visit_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.Integer(), nullable=False),
        sa.Column("phone_id", sa.Integer(), nullable=False),
        sa.Column("client_id", KeyText(36), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("written_at", UTCDateTime(), nullable=False),
        sa.Column("occurred_at", UTCDateTime(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("body_digest", KeyText(64), nullable=False),
        sa.Column("why", sa.String(length=300), nullable=True),
        sa.Column("content_sealed", sa.Text(), nullable=True),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.Column("settled_by_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "kind IN ('in', 'longer', 'help', 'out', 'missed', 'part', 'photo', 'unread')",
            name=op.f("ck_visit_entry_kind_is_known"),
        ),
        sa.CheckConstraint(
            "(settled_at IS NULL) = (settled_by_id IS NULL)", name=op.f("ck_visit_entry_settled_by_somebody")
        ),
        sa.CheckConstraint("why IS NOT NULL OR content_sealed IS NULL", name=op.f("ck_visit_entry_kept_for_a_reason")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_entry_visit_id_visit")),
        sa.ForeignKeyConstraint(["phone_id"], ["visit_phone.id"], name=op.f("fk_visit_entry_phone_id_visit_phone")),
        sa.ForeignKeyConstraint(
            ["settled_by_id"], ["staff_user.id"], name=op.f("fk_visit_entry_settled_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_entry")),
        sa.UniqueConstraint("client_id", name=op.f("uq_visit_entry_client_id")),
    )
    op.create_index(op.f("ix_visit_entry_phone_id"), "visit_entry", ["phone_id"])
    op.create_index("ix_visit_entry_visit", "visit_entry", ["visit_id", "occurred_at"])


def downgrade() -> None:
    op.drop_table("visit_entry")
    op.drop_table("visit_phone")
    op.drop_table("visit_photo")
    op.drop_table("stored_file")

"""What people answer to the invitation to a visit, and events of officers' own to which they invite us

Revision: 0024, after 0023.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

BEFORE = ("no_address", "forged", "too_heavy", "too_many", "unknown_number")
ADDED = ("other_mailbox", "no_invitation", "not_proven", "not_dealt_with")


def upgrade() -> None:
    _why_is_one_of((*BEFORE[:-1], *ADDED, BEFORE[-1]))
    with op.batch_alter_table("outbound_message", schema=None) as batch_op:
        batch_op.alter_column(
            "calendar_method", existing_type=sa.String(10), type_=sa.String(20), existing_nullable=True
        )
    op.create_table(
        "visit_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.Integer(), nullable=False),
        sa.Column("calendar_object_id", sa.Integer(), nullable=False),
        sa.Column("answer", sa.String(length=10), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("stamp_at", UTCDateTime(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("proposed_from_at", UTCDateTime(), nullable=True),
        sa.Column("proposed_until_at", UTCDateTime(), nullable=True),
        sa.Column("is_proven", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("words_sealed", sa.Text(), nullable=True),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.Column("settled_by_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "answer IN ('accepted', 'tentative', 'declined', 'counter')", name=op.f("ck_visit_answer_answer_is_known")
        ),
        sa.CheckConstraint(
            "(answer = 'counter') = (proposed_from_at IS NOT NULL)", name=op.f("ck_visit_answer_counter_proposes")
        ),
        sa.CheckConstraint(
            "(proposed_from_at IS NULL) = (proposed_until_at IS NULL)",
            name=op.f("ck_visit_answer_proposes_from_and_until"),
        ),
        sa.CheckConstraint("proposed_until_at > proposed_from_at", name=op.f("ck_visit_answer_proposes_a_while")),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_visit_answer_sequence_counts_up")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_answer_visit_id_visit")),
        sa.ForeignKeyConstraint(
            ["calendar_object_id"],
            ["calendar_object.id"],
            name=op.f("fk_visit_answer_calendar_object_id_calendar_object"),
        ),
        sa.ForeignKeyConstraint(
            ["settled_by_id"], ["staff_user.id"], name=op.f("fk_visit_answer_settled_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_answer")),
        sa.UniqueConstraint("calendar_object_id", name=op.f("uq_visit_answer_calendar_object_id")),
    )
    op.create_index(op.f("ix_visit_answer_visit_id"), "visit_answer", ["visit_id"])
    op.create_table(
        "mailed_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("uid", KeyText(255), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("stamp_at", UTCDateTime(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("is_called_off", sa.Boolean(), nullable=False),
        sa.Column("invited_sealed", sa.Text(), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("ends_at >= starts_at", name=op.f("ck_mailed_event_ends_after_it_starts")),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_mailed_event_sequence_counts_up")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_mailed_event_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailed_event")),
        sa.UniqueConstraint("user_id", "uid", name=op.f("uq_mailed_event_user_id_uid")),
    )
    with op.batch_alter_table("officer_calendar", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_invited", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.add_column(sa.Column("own_address", sa.Integer(), server_default="1", nullable=False))
        batch_op.create_check_constraint(op.f("ck_officer_calendar_own_addresses_are_counted"), "own_address >= 1")
    op.add_column("calendar_object", sa.Column("is_invited", sa.Boolean(), server_default=sa.true(), nullable=False))


def downgrade() -> None:
    op.drop_column("calendar_object", "is_invited")
    with op.batch_alter_table("officer_calendar", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_officer_calendar_own_addresses_are_counted"), type_="check")
        batch_op.drop_column("own_address")
        batch_op.drop_column("is_invited")
    op.drop_table("mailed_event")
    op.drop_table("visit_answer")
    op.execute("UPDATE outbound_message SET calendar_method = NULL WHERE length(calendar_method) > 10")
    with op.batch_alter_table("outbound_message", schema=None) as batch_op:
        batch_op.alter_column(
            "calendar_method", existing_type=sa.String(20), type_=sa.String(10), existing_nullable=True
        )
    added = ", ".join(f"'{one}'" for one in ADDED)
    op.execute(f"UPDATE incoming_message SET why = 'no_address' WHERE why IN ({added})")
    _why_is_one_of(BEFORE)


def _why_is_one_of(words: tuple[str, ...]) -> None:
    with op.batch_alter_table("incoming_message", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_incoming_message_why_is_known"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_incoming_message_why_is_known"), f"why IN ({', '.join(repr(one) for one in words)})"
        )

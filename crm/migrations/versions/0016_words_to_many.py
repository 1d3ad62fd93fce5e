"""What is written to the people of a list at once, and what became of each of them

Revision: 0016, after 0015.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mailing",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("query", sa.String(length=300), nullable=False),
        sa.Column("purpose", sa.String(length=8), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=150), nullable=False),
        sa.Column("words_sealed", sa.Text(), nullable=True),
        sa.Column("step", sa.String(length=10), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=True),
        sa.Column("household_count", sa.Integer(), nullable=False),
        sa.Column("people_count", sa.Integer(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("stopped_by_id", sa.Integer(), nullable=True),
        sa.Column("asked_by_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("second_id", sa.Integer(), nullable=True),
        sa.Column("answer", sa.String(length=3), nullable=True),
        sa.Column("answered_at", UTCDateTime(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("source IN ('queue', 'pool')", name=op.f("ck_mailing_source_is_known")),
        sa.CheckConstraint("purpose IN ('news', 'service')", name=op.f("ck_mailing_purpose_is_known")),
        sa.CheckConstraint("channel IN ('email', 'text')", name=op.f("ck_mailing_channel_is_known")),
        sa.CheckConstraint(
            "step IN ('draft', 'waiting', 'refused', 'sending', 'sent', 'stopped')",
            name=op.f("ck_mailing_step_is_known"),
        ),
        sa.CheckConstraint("(step = 'draft') = (asked_at IS NULL)", name=op.f("ck_mailing_asked_for_says_when")),
        sa.CheckConstraint(
            "(step IN ('draft', 'waiting', 'refused')) = (started_at IS NULL)",
            name=op.f("ck_mailing_what_is_sent_says_since_when"),
        ),
        sa.CheckConstraint(
            "(step IN ('sent', 'stopped')) = (ended_at IS NOT NULL)", name=op.f("ck_mailing_what_is_over_says_when")
        ),
        sa.CheckConstraint(
            "started_at IS NULL OR second_id IS NULL OR answer = 'yes'", name=op.f("ck_mailing_second_said_yes_first")
        ),
        sa.CheckConstraint("answer IN ('yes', 'no')", name=op.f("ck_mailing_answer_is_known")),
        sa.CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name=op.f("ck_mailing_answered_says_when")),
        sa.CheckConstraint("second_id IS NULL OR second_id <> asked_by_id", name=op.f("ck_mailing_second_is_another")),
        sa.ForeignKeyConstraint(["stopped_by_id"], ["staff_user.id"], name=op.f("fk_mailing_stopped_by_id_staff_user")),
        sa.ForeignKeyConstraint(["asked_by_id"], ["staff_user.id"], name=op.f("fk_mailing_asked_by_id_staff_user")),
        sa.ForeignKeyConstraint(["second_id"], ["staff_user.id"], name=op.f("fk_mailing_second_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailing")),
    )
    sending = sa.text("step = 'sending'")
    op.create_index("ix_mailing_sending", "mailing", ["id"], sqlite_where=sending, postgresql_where=sending)
    op.create_index(op.f("ix_mailing_asked_by_id"), "mailing", ["asked_by_id"])
    op.create_index(op.f("ix_mailing_second_id"), "mailing", ["second_id"])
    op.create_table(
        "mailing_reader",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailing_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("why", sa.String(length=24), nullable=True),
        sa.Column("point_key", KeyText(32), nullable=True),
        sa.Column("message_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'written', 'not_written')", name=op.f("ck_mailing_reader_state_is_known")
        ),
        sa.CheckConstraint(
            "(state = 'not_written') = (why IS NOT NULL)", name=op.f("ck_mailing_reader_not_written_says_why")
        ),
        sa.CheckConstraint(
            "(state = 'written') = (message_id IS NOT NULL) AND (message_id IS NULL) = (point_key IS NULL)",
            name=op.f("ck_mailing_reader_written_names_its_letter"),
        ),
        sa.ForeignKeyConstraint(["mailing_id"], ["mailing.id"], name=op.f("fk_mailing_reader_mailing_id_mailing")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_mailing_reader_case_id_case_file")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_mailing_reader_person_id_person")),
        sa.ForeignKeyConstraint(
            ["message_id"], ["outbound_message.id"], name=op.f("fk_mailing_reader_message_id_outbound_message")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailing_reader")),
        sa.UniqueConstraint("mailing_id", "person_id", name=op.f("uq_mailing_reader_mailing_id_person_id")),
        sa.UniqueConstraint("mailing_id", "point_key", name=op.f("uq_mailing_reader_mailing_id_point_key")),
    )
    op.create_index("ix_mailing_reader_next", "mailing_reader", ["mailing_id", "state", "id"])
    op.create_index(op.f("ix_mailing_reader_case_id"), "mailing_reader", ["case_id"])
    op.create_index(op.f("ix_mailing_reader_person_id"), "mailing_reader", ["person_id"])
    op.create_index(op.f("ix_mailing_reader_message_id"), "mailing_reader", ["message_id"])


def downgrade() -> None:
    op.drop_table("mailing_reader")
    op.drop_table("mailing")

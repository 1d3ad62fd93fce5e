"""Referees: who speaks for an applicant, their own link, what they wrote, and the talk with them

Revision: 0027, after 0026.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "referee",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("check_id", sa.Integer(), nullable=False),
        sa.Column("interview_check_id", sa.Integer(), nullable=True),
        sa.Column("name_sealed", sa.Text(), nullable=False),
        sa.Column("email_sealed", sa.Text(), nullable=True),
        sa.Column("phone_sealed", sa.Text(), nullable=True),
        sa.Column("relation", sa.String(length=12), nullable=False),
        sa.Column("known_since", sa.Integer(), nullable=True),
        sa.Column("named_at", UTCDateTime(), nullable=False),
        sa.Column("named_by_id", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.Column("withdrawn_why", sa.String(length=12), nullable=True),
        sa.Column("asked_on", sa.Date(), nullable=True),
        sa.Column("chased_on", sa.Date(), nullable=True),
        sa.Column("reply_by", sa.Date(), nullable=True),
        sa.Column("letter_count", sa.Integer(), nullable=False),
        sa.Column("serial", sa.String(length=32), nullable=True),
        sa.Column("token_digest", KeyText(64), nullable=True),
        sa.Column("link_made_at", UTCDateTime(), nullable=True),
        sa.Column("link_ends_at", UTCDateTime(), nullable=True),
        sa.Column("opened_at", UTCDateTime(), nullable=True),
        sa.Column("choice", sa.String(length=8), nullable=True),
        sa.Column("draft_sealed", sa.Text(), nullable=True),
        sa.Column("draft_at", UTCDateTime(), nullable=True),
        sa.Column("step", sa.String(length=20), nullable=True),
        sa.Column("submitted_at", UTCDateTime(), nullable=True),
        sa.Column("answers_sealed", sa.Text(), nullable=True),
        sa.Column("may_share", sa.Boolean(), nullable=False),
        sa.Column("is_confidential", sa.Boolean(), nullable=False),
        sa.Column("booked_for", UTCDateTime(), nullable=True),
        sa.Column("booked_how", sa.String(length=10), nullable=True),
        sa.Column("held_on", sa.Date(), nullable=True),
        sa.Column("interviewer_id", sa.Integer(), nullable=True),
        sa.Column("account_sealed", sa.Text(), nullable=True),
        sa.Column("view_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "booked_how IN ('phone', 'video', 'in_person')", name=op.f("ck_referee_booked_how_is_known")
        ),
        sa.CheckConstraint("choice IN ('yes', 'talk', 'no', 'wrong')", name=op.f("ck_referee_choice_is_known")),
        sa.CheckConstraint(
            "choice IS NULL OR choice IN ('yes', 'talk') OR withdrawn_at IS NOT NULL",
            name=op.f("ck_referee_no_ends_it"),
        ),
        sa.CheckConstraint(
            "relation IN ('friend', 'colleague', 'neighbour', 'family', 'community', 'other')",
            name=op.f("ck_referee_relation_is_known"),
        ),
        sa.CheckConstraint("submitted_at IS NULL OR choice = 'yes'", name=op.f("ck_referee_sent_by_who_agreed")),
        sa.CheckConstraint(
            "withdrawn_why IN ('replaced', 'not_reached', 'declined', 'wrong_person')",
            name=op.f("ck_referee_withdrawn_why_is_known"),
        ),
        sa.CheckConstraint("(booked_for IS NULL) = (booked_how IS NULL)", name=op.f("ck_referee_booked_says_how")),
        sa.CheckConstraint("(choice IS NULL) = (opened_at IS NULL)", name=op.f("ck_referee_chose_when_opened")),
        sa.CheckConstraint("(draft_sealed IS NULL) = (draft_at IS NULL)", name=op.f("ck_referee_draft_says_when")),
        sa.CheckConstraint(
            "(held_on IS NULL) = (account_sealed IS NULL) AND (held_on IS NULL) = (interviewer_id IS NULL) AND (held_on IS NULL) = (view_sealed IS NULL)",
            name=op.f("ck_referee_interview_is_whole"),
        ),
        sa.CheckConstraint(
            "(submitted_at IS NULL) = (answers_sealed IS NULL)", name=op.f("ck_referee_sent_with_answers")
        ),
        sa.CheckConstraint(
            "(token_digest IS NULL) = (serial IS NULL) AND (token_digest IS NULL) = (link_made_at IS NULL) AND (token_digest IS NULL) = (link_ends_at IS NULL)",
            name=op.f("ck_referee_link_is_whole"),
        ),
        sa.CheckConstraint(
            "(withdrawn_at IS NULL) = (withdrawn_why IS NULL)", name=op.f("ck_referee_withdrawn_says_why")
        ),
        sa.CheckConstraint(
            "asked_on IS NOT NULL OR (token_digest IS NULL AND chased_on IS NULL AND reply_by IS NULL)",
            name=op.f("ck_referee_asked_before_the_rest"),
        ),
        sa.CheckConstraint(
            "draft_sealed IS NULL OR submitted_at IS NULL", name=op.f("ck_referee_sent_leaves_no_draft")
        ),
        sa.CheckConstraint(
            "email_sealed IS NOT NULL OR phone_sealed IS NOT NULL", name=op.f("ck_referee_can_be_reached")
        ),
        sa.CheckConstraint("is_confidential OR may_share", name=op.f("ck_referee_shared_by_their_own_choice")),
        sa.CheckConstraint(
            "known_since IS NULL OR known_since BETWEEN 1900 AND 2200", name=op.f("ck_referee_known_since_a_year")
        ),
        sa.CheckConstraint(
            "withdrawn_at IS NULL OR token_digest IS NULL", name=op.f("ck_referee_withdrawn_has_no_link")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_referee_application_id_application")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_referee_case_id_case_file")),
        sa.ForeignKeyConstraint(["check_id"], ["stage_one_check.id"], name=op.f("fk_referee_check_id_stage_one_check")),
        sa.ForeignKeyConstraint(
            ["interview_check_id"], ["stage_one_check.id"], name=op.f("fk_referee_interview_check_id_stage_one_check")
        ),
        sa.ForeignKeyConstraint(
            ["interviewer_id"], ["staff_user.id"], name=op.f("fk_referee_interviewer_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["named_by_id"], ["staff_user.id"], name=op.f("fk_referee_named_by_id_staff_user")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_referee_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referee")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_referee_token_digest")),
    )
    op.create_index(op.f("ix_referee_case_id"), "referee", ["case_id"])
    op.create_index(op.f("ix_referee_check_id"), "referee", ["check_id"])
    op.create_index(op.f("ix_referee_interview_check_id"), "referee", ["interview_check_id"])
    op.create_index(op.f("ix_referee_person_id"), "referee", ["person_id"])
    op.create_index(
        "uq_referee_in_place",
        "referee",
        ["check_id"],
        unique=True,
        sqlite_where=sa.text("withdrawn_at IS NULL"),
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_index(
        "uq_referee_interviewed",
        "referee",
        ["interview_check_id"],
        unique=True,
        sqlite_where=sa.text("withdrawn_at IS NULL"),
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("referee")

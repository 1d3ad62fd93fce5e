"""What a household may settle itself about a visit, and the links by which it does

Revision: 0023, after 0022.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "visit_offer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("place", sa.String(length=8), nullable=False),
        sa.Column("length_minutes", sa.Integer(), nullable=False),
        sa.Column("officer_id", sa.Integer(), nullable=False),
        sa.Column("second_officer_id", sa.Integer(), nullable=True),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("is_asked", sa.Boolean(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("times_sent", sa.Integer(), nullable=False),
        sa.Column("chase_on", sa.Date(), nullable=True),
        sa.Column("visit_id", sa.Integer(), nullable=True),
        sa.Column("chosen_at", UTCDateTime(), nullable=True),
        sa.Column("asked_at", UTCDateTime(), nullable=True),
        sa.Column("asked_sealed", sa.Text(), nullable=True),
        sa.Column("declined_at", UTCDateTime(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('first_visit', 'second_opinion', 'stage_two_session', 're_visit')",
            name=op.f("ck_visit_offer_purpose_is_known"),
        ),
        sa.CheckConstraint("place IN ('home', 'video', 'office')", name=op.f("ck_visit_offer_place_is_known")),
        sa.CheckConstraint("length_minutes BETWEEN 15 AND 480", name=op.f("ck_visit_offer_length_is_sane")),
        sa.CheckConstraint("second_officer_id <> officer_id", name=op.f("ck_visit_offer_second_is_another")),
        sa.CheckConstraint("ends_at > made_at", name=op.f("ck_visit_offer_ends_after_it_was_made")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_visit_offer_case_id_case_file")),
        sa.ForeignKeyConstraint(["officer_id"], ["staff_user.id"], name=op.f("fk_visit_offer_officer_id_staff_user")),
        sa.ForeignKeyConstraint(
            ["second_officer_id"], ["staff_user.id"], name=op.f("fk_visit_offer_second_officer_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["made_by_id"], ["staff_user.id"], name=op.f("fk_visit_offer_made_by_id_staff_user")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_offer_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_offer")),
        sa.UniqueConstraint("visit_id", name=op.f("uq_visit_offer_visit_id")),
    )
    op.create_index(op.f("ix_visit_offer_case_id"), "visit_offer", ["case_id"])
    op.create_index(
        "ix_visit_offer_chase",
        "visit_offer",
        ["chase_on"],
        sqlite_where=sa.text("chase_on IS NOT NULL"),
        postgresql_where=sa.text("chase_on IS NOT NULL"),
    )
    op.create_table(
        "visit_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("offer_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("serial", sa.String(length=32), nullable=False),
        sa.Column("token_digest", KeyText(64), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("address_key", KeyText(32), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("channel IN ('email', 'post', 'text')", name=op.f("ck_visit_link_channel_is_known")),
        sa.ForeignKeyConstraint(["offer_id"], ["visit_offer.id"], name=op.f("fk_visit_link_offer_id_visit_offer")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_visit_link_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_link")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_visit_link_token_digest")),
    )
    op.create_index(op.f("ix_visit_link_offer_id"), "visit_link", ["offer_id"])
    op.create_index(op.f("ix_visit_link_person_id"), "visit_link", ["person_id"])


def downgrade() -> None:
    op.drop_table("visit_link")
    op.drop_table("visit_offer")

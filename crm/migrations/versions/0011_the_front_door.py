"""How an enquiry found its way here, what is kept aside to be looked at, links to a draft, websites that hand enquiries in

Revision: 0011, after 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "intake_website",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("key_hash", KeyText(64), nullable=False),
        sa.Column("key_ending", sa.String(length=4), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("last_used_at", UTCDateTime(), nullable=True),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["made_by_id"], ["staff_user.id"], name=op.f("fk_intake_website_made_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake_website")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_intake_website_key_hash")),
    )
    op.create_table(
        "intake_receipt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("website_id", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", KeyText(64), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("receipt", KeyText(32), nullable=False),
        sa.Column("contact_by_on", sa.Date(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["website_id"], ["intake_website.id"], name=op.f("fk_intake_receipt_website_id_intake_website")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake_receipt")),
        sa.UniqueConstraint("receipt", name=op.f("uq_intake_receipt_receipt")),
        sa.UniqueConstraint("website_id", "idempotency_key", name=op.f("uq_intake_receipt_website_id_idempotency_key")),
    )
    op.create_index(op.f("ix_intake_receipt_received_at"), "intake_receipt", ["received_at"])
    op.create_table(
        "held_enquiry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("signs", sa.String(length=60), nullable=False),
        sa.Column("one_time_id", KeyText(80), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("answers_sealed", sa.Text(), nullable=True),
        sa.Column("website_id", sa.Integer(), nullable=True),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("decided_at", UTCDateTime(), nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'released', 'put_away')", name=op.f("ck_held_enquiry_state_is_known")),
        sa.CheckConstraint(
            "(state = 'released') = (case_id IS NOT NULL)", name=op.f("ck_held_enquiry_released_has_a_case")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (decided_at IS NULL)", name=op.f("ck_held_enquiry_decided_says_when")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_held_enquiry_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["staff_user.id"], name=op.f("fk_held_enquiry_decided_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(
            ["website_id"], ["intake_website.id"], name=op.f("fk_held_enquiry_website_id_intake_website")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_enquiry")),
        sa.UniqueConstraint("one_time_id", name=op.f("uq_held_enquiry_one_time_id")),
    )
    op.create_index(op.f("ix_held_enquiry_case_id"), "held_enquiry", ["case_id"])
    op.create_index(op.f("ix_held_enquiry_website_id"), "held_enquiry", ["website_id"])
    op.create_index("ix_held_enquiry_state", "held_enquiry", ["state", "received_at", "id"])
    op.create_table(
        "enquiry_origin",
        sa.Column("enquiry_id", sa.Integer(), nullable=False),
        sa.Column("heard", sa.String(length=24), nullable=True),
        sa.Column("heard_detail", sa.String(length=120), nullable=True),
        sa.Column("privacy_version", sa.String(length=40), nullable=False),
        sa.Column("ring_on", sa.Date(), nullable=True),
        sa.Column("website_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["enquiry_id"], ["enquiry.id"], name=op.f("fk_enquiry_origin_enquiry_id_enquiry")),
        sa.ForeignKeyConstraint(
            ["website_id"], ["intake_website.id"], name=op.f("fk_enquiry_origin_website_id_intake_website")
        ),
        sa.PrimaryKeyConstraint("enquiry_id", name=op.f("pk_enquiry_origin")),
    )
    op.create_index("ix_enquiry_origin_heard", "enquiry_origin", ["heard"])
    op.create_index(op.f("ix_enquiry_origin_website_id"), "enquiry_origin", ["website_id"])
    words = ("source", "medium", "campaign", "term", "content")
    op.create_table(
        "enquiry_arrival",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("enquiry_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("arrived_at", UTCDateTime(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        *(sa.Column(word, sa.String(length=80), nullable=True) for word in words),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_enquiry_arrival_campaign_id_campaign")),
        sa.ForeignKeyConstraint(["enquiry_id"], ["enquiry.id"], name=op.f("fk_enquiry_arrival_enquiry_id_enquiry")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enquiry_arrival")),
        sa.UniqueConstraint("enquiry_id", "ordinal", name=op.f("uq_enquiry_arrival_enquiry_id_ordinal")),
    )
    op.create_index(op.f("ix_enquiry_arrival_campaign_id"), "enquiry_arrival", ["campaign_id"])
    with op.batch_alter_table("enquiry_draft") as batch:
        batch.add_column(sa.Column("link_hash", KeyText(64), nullable=True))
        batch.add_column(sa.Column("link_ends_at", UTCDateTime(), nullable=True))
        batch.add_column(sa.Column("link_browser_hash", KeyText(64), nullable=True))
        batch.add_column(sa.Column("held_id", sa.Integer(), nullable=True))
        batch.create_unique_constraint(op.f("uq_enquiry_draft_link_hash"), ["link_hash"])
        batch.create_unique_constraint(op.f("uq_enquiry_draft_link_browser_hash"), ["link_browser_hash"])
        batch.create_foreign_key(op.f("fk_enquiry_draft_held_id_held_enquiry"), "held_enquiry", ["held_id"], ["id"])
        batch.drop_constraint(op.f("ck_enquiry_draft_sent_has_a_case"), type_="check")
        batch.create_check_constraint(
            op.f("ck_enquiry_draft_sent_became_something"),
            "(case_id IS NULL AND held_id IS NULL) = (sent_count = 0)",
        )
        batch.create_check_constraint(
            op.f("ck_enquiry_draft_link_ends"), "(link_hash IS NULL) = (link_ends_at IS NULL)"
        )
        batch.create_index(op.f("ix_enquiry_draft_held_id"), ["held_id"])


def downgrade() -> None:
    # What waits to be looked at has no other place: the drafts it came from are given back as unsent.
    op.execute(
        "UPDATE enquiry_draft SET held_id = NULL, sent_count = 0, sent_digest = NULL "
        "WHERE case_id IS NULL AND held_id IS NOT NULL"
    )
    with op.batch_alter_table("enquiry_draft") as batch:
        batch.drop_index(op.f("ix_enquiry_draft_held_id"))
        batch.drop_constraint(op.f("ck_enquiry_draft_link_ends"), type_="check")
        batch.drop_constraint(op.f("ck_enquiry_draft_sent_became_something"), type_="check")
        batch.drop_constraint(op.f("fk_enquiry_draft_held_id_held_enquiry"), type_="foreignkey")
        batch.drop_constraint(op.f("uq_enquiry_draft_link_browser_hash"), type_="unique")
        batch.drop_constraint(op.f("uq_enquiry_draft_link_hash"), type_="unique")
        batch.create_check_constraint(op.f("ck_enquiry_draft_sent_has_a_case"), "(case_id IS NULL) = (sent_count = 0)")
        for column in ("held_id", "link_browser_hash", "link_ends_at", "link_hash"):
            batch.drop_column(column)
    for table in ("enquiry_arrival", "enquiry_origin", "held_enquiry", "intake_receipt", "intake_website"):
        op.drop_table(table)

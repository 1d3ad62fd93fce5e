"""Letters go as text messages too, a rule of the person stops them, and the words of a letter have editions

Revision: 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WAITING = sa.text("status IN ('queued', 'sending', 'held', 'to_print', 'given_up')")
STATUSES = "'queued', 'sending', 'sent', 'given_up', 'superseded', 'held', 'to_print', 'dispatched'"
KINDS = "'setting', 'promise', 'criterion', 'wording', 'panel', 'check', 'retention'"


def _letters(*, channels: str, statuses: str, posted: str) -> None:
    with op.batch_alter_table("outbound_message") as table:
        table.drop_constraint(op.f("ck_outbound_message_channel_is_known"), type_="check")
        table.drop_constraint(op.f("ck_outbound_message_status_is_known"), type_="check")
        table.drop_constraint(op.f("ck_outbound_message_post_is_printed_and_email_is_sent"), type_="check")
        table.create_check_constraint(op.f("ck_outbound_message_channel_is_known"), f"channel IN ({channels})")
        table.create_check_constraint(op.f("ck_outbound_message_status_is_known"), f"status IN ({statuses})")
        table.create_check_constraint(
            op.f("ck_outbound_message_post_is_printed_and_email_is_sent"),
            f"(channel = 'post' AND status IN ({posted})) "
            "OR (channel <> 'post' AND status NOT IN ('to_print', 'dispatched'))",
        )


def _kinds(kinds: str) -> None:
    with op.batch_alter_table("policy_row") as table:
        table.drop_constraint(op.f("ck_policy_row_kind_is_known"), type_="check")
        table.create_check_constraint(op.f("ck_policy_row_kind_is_known"), f"kind IN ({kinds})")


def upgrade() -> None:
    _letters(
        channels="'email', 'post', 'text'",
        statuses=f"{STATUSES}, 'stopped'",
        posted="'to_print', 'dispatched', 'superseded', 'stopped'",
    )
    op.create_index(
        "ix_outbound_message_unsettled_of_person",
        "outbound_message",
        ["person_id"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_index("ix_outbound_message_message_id", "outbound_message", ["message_id"])
    _kinds(f"{KINDS}, 'letter'")
    op.add_column("person", sa.Column("email_unconfirmed_since", UTCDateTime(), nullable=True))
    op.create_table(
        "contact_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("serial", sa.String(length=32), nullable=False),
        sa.Column("token_digest", KeyText(64), nullable=False),
        sa.Column("address_key", KeyText(32), nullable=True),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("purpose IN ('stop', 'confirm')", name=op.f("ck_contact_link_purpose_is_known")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_contact_link_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_link")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_contact_link_token_digest")),
    )
    op.create_index("ix_contact_link_person_id", "contact_link", ["person_id"])


def downgrade() -> None:
    """What the older tables can't say is said as nearly as they can: what was stopped is not needed; a text message
    and the service's own words for letters go."""
    op.drop_index("ix_contact_link_person_id", table_name="contact_link")
    op.drop_table("contact_link")
    op.drop_column("person", "email_unconfirmed_since")
    op.execute("DELETE FROM policy_row WHERE kind = 'letter'")
    _kinds(KINDS)
    op.drop_index("ix_outbound_message_message_id", table_name="outbound_message")
    op.drop_index("ix_outbound_message_unsettled_of_person", table_name="outbound_message")
    op.execute("DELETE FROM outbound_message WHERE channel = 'text'")
    op.execute("UPDATE outbound_message SET status = 'superseded' WHERE status = 'stopped'")
    _letters(
        channels="'email', 'post'",
        statuses=STATUSES,
        posted="'to_print', 'dispatched', 'superseded'",
    )

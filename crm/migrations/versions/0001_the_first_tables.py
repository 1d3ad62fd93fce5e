"""The first tables

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.audit.models import APPEND_ONLY_TABLES, append_only_ddl, drop_append_only_ddl
from crm.db import KeyText, UTCDateTime
from crm.visits import overlap

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("nonce", KeyText(32), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("event", KeyText(60), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("subject", KeyText(120), nullable=True),
        sa.Column("detail_json", sa.Text(), nullable=True),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        sa.UniqueConstraint("nonce", name=op.f("uq_audit_entry_nonce")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.create_index("ix_audit_entry_actor_id_id", ["actor_id", "id"], unique=False)
        batch_op.create_index("ix_audit_entry_case_id_id", ["case_id", "id"], unique=False)
        batch_op.create_index("ix_audit_entry_subject_id", ["subject", "id"], unique=False)

    op.create_table(
        "audit_seal",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_seal")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_seal_entry_id")),
    )
    op.create_table(
        "campaign",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", KeyText(40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("cost_pence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("code", name=op.f("uq_campaign_code")),
    )
    op.create_table(
        "household",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("address_sealed", sa.Text(), nullable=True),
        sa.Column("postcode", sa.String(length=20), nullable=True),
        sa.Column("postcode_key", KeyText(12), nullable=True),
        sa.Column("local_authority", sa.String(length=120), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household")),
    )
    with op.batch_alter_table("household", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_household_postcode_key"), ["postcode_key"], unique=False)

    op.create_table(
        "job_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", KeyText(60), nullable=False),
        sa.Column("next_run_at", UTCDateTime(), nullable=False),
        sa.Column("last_started_at", UTCDateTime(), nullable=True),
        sa.Column("last_finished_at", UTCDateTime(), nullable=True),
        sa.Column("last_good_at", UTCDateTime(), nullable=True),
        sa.Column("last_count", sa.Integer(), nullable=True),
        sa.Column("last_fault", sa.String(length=80), nullable=True),
        sa.Column("failures_in_a_row", sa.Integer(), nullable=False),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "(lease_token IS NULL) = (lease_until IS NULL)", name=op.f("ck_job_run_lease_has_its_token")
        ),
        sa.CheckConstraint("failures_in_a_row >= 0", name=op.f("ck_job_run_failures_are_counted")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_run")),
        sa.UniqueConstraint("name", name=op.f("uq_job_run_name")),
    )
    op.create_table(
        "one_off_holiday",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("is_worked", sa.Boolean(), nullable=False),
        sa.Column("set_at", UTCDateTime(), nullable=False),
        sa.Column("set_by_id", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_off_holiday")),
        sa.UniqueConstraint("day", name=op.f("uq_one_off_holiday_day")),
    )
    op.create_table(
        "one_time_id",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", KeyText(64), nullable=False),
        sa.Column("sender", KeyText(64), nullable=False),
        sa.Column("endpoint", sa.String(length=120), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("subject", sa.String(length=120), nullable=True),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_id")),
        sa.UniqueConstraint("token", name=op.f("uq_one_time_id_token")),
    )
    with op.batch_alter_table("one_time_id", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_one_time_id_received_at"), ["received_at"], unique=False)

    op.create_table(
        "outbound_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dedupe_key", KeyText(160), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("recipient_sealed", sa.Text(), nullable=False),
        sa.Column("recipient_key", KeyText(32), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("message_id", sa.String(length=120), nullable=False),
        sa.Column("payload_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("stream", KeyText(120), nullable=True),
        sa.Column("stream_sequence", sa.Integer(), nullable=True),
        sa.Column("calendar_method", sa.String(length=10), nullable=True),
        sa.Column("queued_at", UTCDateTime(), nullable=False),
        sa.Column("not_before", UTCDateTime(), nullable=False),
        sa.Column("not_after", UTCDateTime(), nullable=True),
        sa.Column("next_attempt_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("first_attempt_at", UTCDateTime(), nullable=True),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("may_have_left", sa.Boolean(), nullable=False),
        sa.Column("last_failure", sa.String(length=60), nullable=True),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.Column("dispatched_on", sa.Date(), nullable=True),
        sa.Column("dispatch_method", sa.String(length=40), nullable=True),
        sa.Column("dispatched_by_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "(channel = 'post' AND status IN ('to_print', 'dispatched', 'superseded')) OR (channel <> 'post' AND status NOT IN ('to_print', 'dispatched'))",
            name=op.f("ck_outbound_message_post_is_printed_and_email_is_sent"),
        ),
        sa.CheckConstraint(
            "(status = 'dispatched') = (dispatched_on IS NOT NULL) AND (dispatched_on IS NULL) = (dispatch_method IS NULL)",
            name=op.f("ck_outbound_message_dispatched_has_its_date_and_method"),
        ),
        sa.CheckConstraint(
            "(status = 'sending') = (lease_token IS NOT NULL) AND (lease_token IS NULL) = (lease_until IS NULL)",
            name=op.f("ck_outbound_message_sending_means_leased"),
        ),
        sa.CheckConstraint(
            "(status = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_outbound_message_sent_has_its_time")
        ),
        sa.CheckConstraint("channel IN ('email', 'post')", name=op.f("ck_outbound_message_channel_is_known")),
        sa.CheckConstraint(
            "status IN ('queued', 'sending', 'sent', 'given_up', 'superseded', 'held', 'to_print', 'dispatched')",
            name=op.f("ck_outbound_message_status_is_known"),
        ),
        sa.CheckConstraint(
            "(stream IS NULL) = (stream_sequence IS NULL)", name=op.f("ck_outbound_message_stream_has_a_sequence")
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_outbound_message_attempts_are_counted")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbound_message")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_outbound_message_dedupe_key")),
    )
    with op.batch_alter_table("outbound_message", schema=None) as batch_op:
        batch_op.create_index("ix_outbound_message_case_id_id", ["case_id", "id"], unique=False)
        batch_op.create_index(
            "ix_outbound_message_due",
            ["next_attempt_at", "id"],
            unique=False,
            sqlite_where=sa.text("status IN ('queued', 'sending')"),
            postgresql_where=sa.text("status IN ('queued', 'sending')"),
        )
        batch_op.create_index(
            "ix_outbound_message_stream",
            ["stream", "stream_sequence"],
            unique=False,
            sqlite_where=sa.text("stream IS NOT NULL"),
            postgresql_where=sa.text("stream IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_outbound_message_unsettled",
            ["status", "id"],
            unique=False,
            sqlite_where=sa.text("status IN ('queued', 'sending', 'held', 'to_print', 'given_up')"),
            postgresql_where=sa.text("status IN ('queued', 'sending', 'held', 'to_print', 'given_up')"),
        )
        batch_op.create_index(
            "ix_outbound_message_user_id",
            ["user_id"],
            unique=False,
            sqlite_where=sa.text("user_id IS NOT NULL"),
            postgresql_where=sa.text("user_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_outbound_message_waiting_for",
            ["recipient_key", "id"],
            unique=False,
            sqlite_where=sa.text("status IN ('queued', 'sending')"),
            postgresql_where=sa.text("status IN ('queued', 'sending')"),
        )

    op.create_table(
        "panel_meeting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meets_at", UTCDateTime(), nullable=False),
        sa.Column("meets_on", sa.Date(), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=True),
        sa.Column("link", sa.String(length=300), nullable=True),
        sa.Column("is_joint", sa.Boolean(), nullable=False),
        sa.CheckConstraint("place IS NOT NULL OR link IS NOT NULL", name=op.f("ck_panel_meeting_is_somewhere")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_panel_meeting")),
    )
    with op.batch_alter_table("panel_meeting", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_panel_meeting_meets_on"), ["meets_on"], unique=False)

    op.create_table(
        "policy_row",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", KeyText(80), nullable=False),
        sa.Column("in_force_from", sa.Date(), nullable=False),
        sa.Column("value_json", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("set_at", UTCDateTime(), nullable=False),
        sa.Column("set_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('setting', 'promise', 'criterion', 'wording', 'panel', 'check', 'retention')",
            name=op.f("ck_policy_row_kind_is_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_row")),
        sa.UniqueConstraint("kind", "name", "version", name=op.f("uq_policy_row_kind_name_version")),
    )
    with op.batch_alter_table("policy_row", schema=None) as batch_op:
        batch_op.create_index("ix_policy_row_kind_name_in_force_from", ["kind", "name", "in_force_from"], unique=False)

    op.create_table(
        "policy_version",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("token", KeyText(32), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_policy_version_is_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_version")),
    )
    op.create_table(
        "rate_window",
        sa.Column("key", KeyText(64), nullable=False),
        sa.Column("began_at", UTCDateTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_window")),
    )
    with op.batch_alter_table("rate_window", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rate_window_began_at"), ["began_at"], unique=False)

    op.create_table(
        "staff_user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", KeyText(254), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("mobile", sa.String(length=30), nullable=True),
        sa.Column("base_postcode", sa.String(length=8), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("password_set_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_staff_user_email_is_folded")),
        sa.CheckConstraint("left_on IS NULL OR active = false", name=op.f("ck_staff_user_a_leaver_is_not_active")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_user")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_user_email")),
    )
    op.create_table(
        "worker_seen",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", KeyText(120), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_seen")),
        sa.UniqueConstraint("name", name=op.f("uq_worker_seen_name")),
    )
    with op.batch_alter_table("worker_seen", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_worker_seen_seen_at"), ["seen_at"], unique=False)

    op.create_table(
        "busy_time",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.CheckConstraint("kind IN ('leave', 'busy')", name=op.f("ck_busy_time_kind_is_known")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_busy_time_ends_after_it_starts")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_busy_time_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_busy_time")),
    )
    with op.batch_alter_table("busy_time", schema=None) as batch_op:
        batch_op.create_index("ix_busy_time_user", ["user_id", "starts_at"], unique=False)

    op.create_table(
        "case_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", KeyText(16), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opened_at", UTCDateTime(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("edition", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("place", sa.String(length=24), nullable=False),
        sa.Column("band", sa.String(length=12), nullable=False),
        sa.Column("next_action", sa.String(length=200), nullable=True),
        sa.Column("next_action_due_on", sa.Date(), nullable=True),
        sa.Column("next_action_turn", sa.String(length=12), nullable=True),
        sa.Column("eligibility_outcome", sa.String(length=20), nullable=True),
        sa.Column("application_received_on", sa.Date(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("closed_reason", sa.String(length=40), nullable=True),
        sa.Column("retain_until_on", sa.Date(), nullable=True),
        sa.CheckConstraint("band IN ('enquiry', 'application', 'ended')", name=op.f("ck_case_file_band_is_known")),
        sa.CheckConstraint(
            "channel IN ('web', 'phone', 'email', 'event', 'referral', 'hub', 'other')",
            name=op.f("ck_case_file_channel_is_known"),
        ),
        sa.CheckConstraint(
            "NOT is_open OR (owner_id IS NOT NULL AND next_action IS NOT NULL AND next_action_due_on IS NOT NULL)",
            name=op.f("ck_case_file_open_is_somebodys"),
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_case_file_campaign_id_campaign")),
        sa.ForeignKeyConstraint(["household_id"], ["household.id"], name=op.f("fk_case_file_household_id_household")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff_user.id"], name=op.f("fk_case_file_owner_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_file")),
        sa.UniqueConstraint("reference", name=op.f("uq_case_file_reference")),
    )
    with op.batch_alter_table("case_file", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_file_campaign_id"), ["campaign_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_case_file_household_id"), ["household_id"], unique=False)
        batch_op.create_index("ix_case_file_opened", ["opened_at", "id"], unique=False)
        batch_op.create_index(
            "ix_case_file_owner_place", ["owner_id", "place", "next_action_due_on", "id", "band"], unique=False
        )
        batch_op.create_index(
            "ix_case_file_owner_queue", ["owner_id", "is_open", "next_action_due_on", "id", "place"], unique=False
        )
        batch_op.create_index("ix_case_file_place", ["place", "next_action_due_on", "id", "band"], unique=False)
        batch_op.create_index("ix_case_file_queue", ["band", "next_action_due_on", "id", "place"], unique=False)

    op.create_table(
        "feed_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", KeyText(64), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("ended_how", sa.String(length=12), nullable=True),
        sa.CheckConstraint(
            "ended_how IN ('renewed', 'switched_off', 'left')", name=op.f("ck_feed_token_ended_how_is_known")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name=op.f("ck_feed_token_ended_says_how")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_feed_token_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_feed_token_token_hash")),
    )
    with op.batch_alter_table("feed_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_feed_token_user_id"), ["user_id"], unique=False)

    op.create_table(
        "officer_calendar",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("changes >= 0", name=op.f("ck_officer_calendar_changes_are_counted")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_officer_calendar_user_id_staff_user")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_officer_calendar")),
    )
    op.create_table(
        "officer_diary",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("has_own_hours", sa.Boolean(), nullable=False),
        sa.Column("visits_a_day", sa.Integer(), nullable=True),
        sa.CheckConstraint("visits_a_day BETWEEN 1 AND 12", name=op.f("ck_officer_diary_visits_a_day_is_sane")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_officer_diary_user_id_staff_user")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_officer_diary")),
    )
    op.create_table(
        "panel_list_member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("seat", sa.String(length=12), nullable=False),
        sa.Column("background", sa.String(length=120), nullable=True),
        sa.Column("is_independent", sa.Boolean(), nullable=False),
        sa.Column("is_qualifying_social_worker", sa.Boolean(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "seat IN ('chair', 'vice_chair', 'member')", name=op.f("ck_panel_list_member_seat_is_known")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_panel_list_member_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_panel_list_member")),
        sa.UniqueConstraint("user_id", name=op.f("uq_panel_list_member_user_id")),
    )
    op.create_table(
        "panel_member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("seat", sa.String(length=12), nullable=False),
        sa.Column("background", sa.String(length=120), nullable=True),
        sa.Column("is_independent", sa.Boolean(), nullable=False),
        sa.Column("is_qualifying_social_worker", sa.Boolean(), nullable=False),
        sa.CheckConstraint("seat IN ('chair', 'vice_chair', 'member')", name=op.f("ck_panel_member_seat_is_known")),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["panel_meeting.id"], name=op.f("fk_panel_member_meeting_id_panel_meeting")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_panel_member_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_panel_member")),
        sa.UniqueConstraint("meeting_id", "user_id", name=op.f("uq_panel_member_meeting_id_user_id")),
    )
    with op.batch_alter_table("panel_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_panel_member_meeting_id"), ["meeting_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_panel_member_user_id"), ["user_id"], unique=False)

    op.create_table(
        "password_reset",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", KeyText(64), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_password_reset_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_reset")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_password_reset_token_hash")),
    )
    with op.batch_alter_table("password_reset", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_password_reset_user_id"), ["user_id"], unique=False)

    op.create_table(
        "person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("given_name", sa.String(length=120), nullable=False),
        sa.Column("family_name", sa.String(length=120), nullable=True),
        sa.Column("given_key", KeyText(120), nullable=False),
        sa.Column("family_key", KeyText(120), nullable=True),
        sa.Column("born_on", sa.Date(), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("email_key", KeyText(254), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("phone_key", KeyText(20), nullable=True),
        sa.Column("prefers", sa.String(length=10), nullable=True),
        sa.Column("contact_times", sa.String(length=200), nullable=True),
        sa.Column("no_calls", sa.Boolean(), nullable=False),
        sa.Column("no_voicemail", sa.Boolean(), nullable=False),
        sa.Column("no_contact", sa.Boolean(), nullable=False),
        sa.Column("safe_contact_sealed", sa.Text(), nullable=True),
        sa.Column("left_household_on", sa.Date(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("prefers IN ('phone', 'text', 'email', 'post')", name=op.f("ck_person_prefers_is_known")),
        sa.CheckConstraint(
            "role IN ('applicant_1', 'applicant_2', 'household_adult', 'child', 'child_elsewhere')",
            name=op.f("ck_person_role_is_known"),
        ),
        sa.ForeignKeyConstraint(["household_id"], ["household.id"], name=op.f("fk_person_household_id_household")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
    )
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_email_key"), ["email_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_person_family_key"), ["family_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_person_given_key"), ["given_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_person_household_id"), ["household_id"], unique=False)
        batch_op.create_index("ix_person_name", ["family_key", "given_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_person_phone_key"), ["phone_key"], unique=False)

    op.create_table(
        "recruitment_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=True),
        sa.Column("link", sa.String(length=300), nullable=True),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('drop_in', 'stall', 'information_evening', 'online', 'partner_evening', 'other')",
            name=op.f("ck_recruitment_event_kind_is_known"),
        ),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_recruitment_event_capacity_is_positive")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_recruitment_event_ends_after_it_starts")),
        sa.CheckConstraint("place IS NOT NULL OR link IS NOT NULL", name=op.f("ck_recruitment_event_is_somewhere")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_recruitment_event_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recruitment_event")),
        sa.UniqueConstraint("campaign_id", name=op.f("uq_recruitment_event_campaign_id")),
    )
    with op.batch_alter_table("recruitment_event", schema=None) as batch_op:
        batch_op.create_index("ix_recruitment_event_starts", ["starts_at", "id"], unique=False)

    op.create_table(
        "staff_invitation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", KeyText(64), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["made_by_id"], ["staff_user.id"], name=op.f("fk_staff_invitation_made_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_staff_invitation_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_invitation")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_staff_invitation_token_hash")),
    )
    with op.batch_alter_table("staff_invitation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_invitation_made_by_id"), ["made_by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_staff_invitation_user_id"), ["user_id"], unique=False)

    op.create_table(
        "staff_role",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.CheckConstraint(
            "role IN ('recruiter', 'officer', 'manager', 'panel_administrator', 'panel_member', 'decision_maker', 'administrator')",
            name=op.f("ck_staff_role_role_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["staff_user.id"], name=op.f("fk_staff_role_user_id_staff_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "role", name=op.f("pk_staff_role")),
    )
    with op.batch_alter_table("staff_role", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_role_role"), ["role"], unique=False)

    op.create_table(
        "working_hours",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("from_minutes", sa.Integer(), nullable=False),
        sa.Column("until_minutes", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "0 <= from_minutes AND from_minutes < until_minutes AND until_minutes <= 1440",
            name=op.f("ck_working_hours_span_in_a_day"),
        ),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_working_hours_weekday_is_one")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_working_hours_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_working_hours")),
        sa.UniqueConstraint(
            "user_id", "weekday", "from_minutes", name=op.f("uq_working_hours_user_id_weekday_from_minutes")
        ),
    )
    op.create_table(
        "application",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("accepted_on", sa.Date(), nullable=True),
        sa.Column("home_council", sa.String(length=120), nullable=True),
        sa.Column("is_home_council", sa.Boolean(), nullable=False),
        sa.Column("rents", sa.Boolean(), nullable=False),
        sa.Column("has_pets", sa.Boolean(), nullable=False),
        sa.Column("approved_elsewhere", sa.Boolean(), nullable=False),
        sa.Column("other_service", sa.String(length=160), nullable=True),
        sa.Column("told_other_service_on", sa.Date(), nullable=True),
        sa.Column("records_asked_on", sa.Date(), nullable=True),
        sa.Column("records_received_on", sa.Date(), nullable=True),
        sa.Column("resignation_received_on", sa.Date(), nullable=True),
        sa.Column("approved_elsewhere_until", sa.Date(), nullable=True),
        sa.Column("assessing_from_on", sa.Date(), nullable=True),
        sa.Column("agreement_signed_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "NOT approved_elsewhere OR other_service IS NOT NULL", name=op.f("ck_application_other_service_is_named")
        ),
        sa.CheckConstraint(
            "accepted_on IS NULL OR accepted_on >= received_on", name=op.f("ck_application_accepted_after_receipt")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_application_case_id_case_file")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application")),
    )
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_application_case_id"), ["case_id"], unique=False)
        batch_op.create_index(
            "uq_application_open",
            ["case_id"],
            unique=True,
            sqlite_where=sa.text("ended_on IS NULL"),
            postgresql_where=sa.text("ended_on IS NULL"),
        )

    op.create_table(
        "case_assignment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "role IN ('owner', 'assessor', 'visiting_officer', 'panel_member')",
            name=op.f("ck_case_assignment_role_is_known"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_case_assignment_case_id_case_file")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_case_assignment_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_assignment")),
        sa.UniqueConstraint(
            "case_id", "user_id", "role", "from_on", name=op.f("uq_case_assignment_case_id_user_id_role_from_on")
        ),
    )
    with op.batch_alter_table("case_assignment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_assignment_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_case_assignment_user_id"), ["user_id"], unique=False)

    op.create_table(
        "consent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("wording_version", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", UTCDateTime(), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.CheckConstraint("channel IN ('email', 'text', 'phone', 'post')", name=op.f("ck_consent_channel_is_known")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_consent_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consent_person_id"), ["person_id"], unique=False)

    op.create_table(
        "deadline",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("edition", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=True),
        sa.Column("counted_from_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("turn", sa.String(length=12), nullable=False),
        sa.Column("stopped_on", sa.Date(), nullable=True),
        sa.Column("stopped_how", sa.String(length=12), nullable=True),
        sa.CheckConstraint(
            "stopped_how IN ('met', 'ended', 'replaced')", name=op.f("ck_deadline_stopped_how_is_known")
        ),
        sa.CheckConstraint("turn IN ('service', 'household', 'other')", name=op.f("ck_deadline_turn_is_known")),
        sa.CheckConstraint("(stopped_on IS NULL) = (stopped_how IS NULL)", name=op.f("ck_deadline_stopped_says_how")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_deadline_case_id_case_file")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline")),
    )
    with op.batch_alter_table("deadline", schema=None) as batch_op:
        batch_op.create_index(
            "ix_deadline_due",
            ["due_on"],
            unique=False,
            sqlite_where=sa.text("stopped_on IS NULL"),
            postgresql_where=sa.text("stopped_on IS NULL"),
        )
        batch_op.create_index("ix_deadline_of_case", ["case_id", "stopped_on", "due_on", "turn"], unique=False)
        batch_op.create_index(
            "uq_deadline_running",
            ["case_id", "rule", "subject"],
            unique=True,
            sqlite_where=sa.text("stopped_on IS NULL"),
            postgresql_where=sa.text("stopped_on IS NULL"),
        )

    op.create_table(
        "enquiry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("captured_by_id", sa.Integer(), nullable=True),
        sa.Column("interest", sa.String(length=12), nullable=True),
        sa.Column("said_sealed", sa.Text(), nullable=True),
        sa.Column("one_time_id", KeyText(80), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "channel IN ('web', 'phone', 'email', 'event', 'referral', 'hub', 'other')",
            name=op.f("ck_enquiry_channel_is_known"),
        ),
        sa.CheckConstraint("interest IN ('ready', 'thinking', 'looking')", name=op.f("ck_enquiry_interest_is_known")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_enquiry_campaign_id_campaign")),
        sa.ForeignKeyConstraint(
            ["captured_by_id"], ["staff_user.id"], name=op.f("fk_enquiry_captured_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_enquiry_case_id_case_file")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enquiry")),
        sa.UniqueConstraint("one_time_id", name=op.f("uq_enquiry_one_time_id")),
    )
    with op.batch_alter_table("enquiry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enquiry_campaign_id"), ["campaign_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_enquiry_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_enquiry_received_at"), ["received_at"], unique=False)

    op.create_table(
        "enquiry_draft",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", KeyText(64), nullable=False),
        sa.Column("answers_sealed", sa.Text(), nullable=True),
        sa.Column("began_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("sent_digest", sa.String(length=64), nullable=True),
        sa.Column("sent_count", sa.Integer(), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("(case_id IS NULL) = (sent_count = 0)", name=op.f("ck_enquiry_draft_sent_has_a_case")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_enquiry_draft_case_id_case_file")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enquiry_draft")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_enquiry_draft_token_hash")),
    )
    with op.batch_alter_table("enquiry_draft", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enquiry_draft_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_enquiry_draft_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "event_staff",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["recruitment_event.id"], name=op.f("fk_event_staff_event_id_recruitment_event")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_event_staff_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_staff")),
    )
    with op.batch_alter_table("event_staff", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_event_staff_event_id"), ["event_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_event_staff_user_id"), ["user_id"], unique=False)

    op.create_table(
        "fact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("value_sealed", sa.Text(), nullable=True),
        sa.Column("sensitivity", sa.String(length=12), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("stated_on", sa.Date(), nullable=False),
        sa.Column("replaced_at", UTCDateTime(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "sensitivity IN ('ordinary', 'personal', 'health', 'offence', 'reference', 'safety')",
            name=op.f("ck_fact_sensitivity_is_known"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_fact_case_id_case_file")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_fact_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fact")),
    )
    with op.batch_alter_table("fact", schema=None) as batch_op:
        batch_op.create_index("ix_fact_case_key", ["case_id", "key"], unique=False)
        batch_op.create_index(batch_op.f("ix_fact_person_id"), ["person_id"], unique=False)

    op.create_table(
        "sheet_import",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(length=200), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("columns_sealed", sa.Text(), nullable=True),
        sa.Column("uploaded_by_id", sa.Integer(), nullable=True),
        sa.Column("uploaded_at", UTCDateTime(), nullable=False),
        sa.Column("loaded_at", UTCDateTime(), nullable=True),
        sa.Column("loaded_count", sa.Integer(), nullable=False),
        sa.Column("joined_count", sa.Integer(), nullable=False),
        sa.Column("refused_count", sa.Integer(), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["recruitment_event.id"], name=op.f("fk_sheet_import_event_id_recruitment_event")
        ),
        sa.ForeignKeyConstraint(
            ["uploaded_by_id"], ["staff_user.id"], name=op.f("fk_sheet_import_uploaded_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sheet_import")),
    )
    with op.batch_alter_table("sheet_import", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sheet_import_event_id"), ["event_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sheet_import_uploaded_at"), ["uploaded_at"], unique=False)

    op.create_table(
        "stage_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("track", sa.String(length=16), nullable=False),
        sa.Column("from_stage", sa.String(length=20), nullable=True),
        sa.Column("to_stage", sa.String(length=20), nullable=False),
        sa.Column("move", sa.String(length=40), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("reason_code", sa.String(length=40), nullable=True),
        sa.Column("reason_sealed", sa.Text(), nullable=True),
        sa.Column("is_correction", sa.Boolean(), nullable=False),
        sa.Column("edition", sa.String(length=40), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "track IN ('enquiry', 'application', 'stage_one', 'stage_two', 'panel_item')",
            name=op.f("ck_stage_change_track_is_known"),
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["staff_user.id"], name=op.f("fk_stage_change_actor_id_staff_user")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_stage_change_case_id_case_file")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_change")),
    )
    with op.batch_alter_table("stage_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stage_change_case_id"), ["case_id"], unique=False)
        batch_op.create_index("ix_stage_change_reached", ["track", "to_stage", "effective_on"], unique=False)

    op.create_table(
        "task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("assigned_to_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("done_at", UTCDateTime(), nullable=True),
        sa.Column("done_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["assigned_to_id"], ["staff_user.id"], name=op.f("fk_task_assigned_to_id_staff_user")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_task_case_id_case_file")),
        sa.ForeignKeyConstraint(["done_by_id"], ["staff_user.id"], name=op.f("fk_task_done_by_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_case_id"), ["case_id"], unique=False)
        batch_op.create_index("ix_task_done", ["done_by_id", "done_at"], unique=False)
        batch_op.create_index(
            "ix_task_to_do",
            ["assigned_to_id", "due_on"],
            unique=False,
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )

    op.create_table(
        "timeline_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("occurred_at", UTCDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("detail_sealed", sa.Text(), nullable=True),
        sa.Column("sensitivity", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("actor_name", sa.String(length=160), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "kind IN ('move', 'contact', 'letter', 'visit', 'check', 'note', 'fact', 'system')",
            name=op.f("ck_timeline_entry_kind_is_known"),
        ),
        sa.CheckConstraint(
            "sensitivity IN ('ordinary', 'personal', 'health', 'offence', 'reference', 'safety')",
            name=op.f("ck_timeline_entry_sensitivity_is_known"),
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["staff_user.id"], name=op.f("fk_timeline_entry_actor_id_staff_user")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_timeline_entry_case_id_case_file")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_timeline_entry_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline_entry")),
    )
    with op.batch_alter_table("timeline_entry", schema=None) as batch_op:
        batch_op.create_index("ix_timeline_entry_case", ["case_id", "occurred_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_timeline_entry_person_id"), ["person_id"], unique=False)

    op.create_table(
        "track",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("since_on", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "name IN ('enquiry', 'application', 'stage_one', 'stage_two', 'panel_item')",
            name=op.f("ck_track_name_is_known"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_track_case_id_case_file")),
        sa.PrimaryKeyConstraint("case_id", "name", name=op.f("pk_track")),
    )
    op.create_table(
        "visit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("place", sa.String(length=8), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("moves_enquiry", sa.Boolean(), nullable=False),
        sa.Column("booked_at", UTCDateTime(), nullable=False),
        sa.Column("booked_by_id", sa.Integer(), nullable=True),
        sa.Column("moved_at", UTCDateTime(), nullable=True),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.Column("held_from_at", UTCDateTime(), nullable=True),
        sa.Column("held_until_at", UTCDateTime(), nullable=True),
        sa.Column("note_sealed", sa.Text(), nullable=True),
        sa.Column("settled_note_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("(status = 'booked') = (settled_at IS NULL)", name=op.f("ck_visit_settled_has_its_time")),
        sa.CheckConstraint("held_from_at IS NULL OR status = 'done'", name=op.f("ck_visit_held_means_done")),
        sa.CheckConstraint("place IN ('home', 'video', 'office')", name=op.f("ck_visit_place_is_known")),
        sa.CheckConstraint(
            "purpose IN ('first_visit', 'second_opinion', 'stage_two_session', 're_visit')",
            name=op.f("ck_visit_purpose_is_known"),
        ),
        sa.CheckConstraint(
            "status IN ('booked', 'done', 'no_access', 'cancelled', 'abandoned_safety')",
            name=op.f("ck_visit_status_is_known"),
        ),
        sa.CheckConstraint(
            "(held_from_at IS NULL) = (held_until_at IS NULL)", name=op.f("ck_visit_held_from_and_until")
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_visit_ends_after_it_starts")),
        sa.CheckConstraint("held_until_at > held_from_at", name=op.f("ck_visit_held_for_a_while")),
        sa.ForeignKeyConstraint(["booked_by_id"], ["staff_user.id"], name=op.f("fk_visit_booked_by_id_staff_user")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_visit_case_id_case_file")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
    )
    with op.batch_alter_table("visit", schema=None) as batch_op:
        batch_op.create_index(
            "ix_visit_booked",
            ["starts_at"],
            unique=False,
            sqlite_where=sa.text("status = 'booked'"),
            postgresql_where=sa.text("status = 'booked'"),
        )
        batch_op.create_index("ix_visit_case", ["case_id", "starts_at"], unique=False)
        batch_op.create_index(
            "uq_visit_enquiry_waits_for_one",
            ["case_id"],
            unique=True,
            sqlite_where=sa.text("moves_enquiry AND status = 'booked'"),
            postgresql_where=sa.text("moves_enquiry AND status = 'booked'"),
        )

    op.create_table(
        "web_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", KeyText(64), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("began_at", UTCDateTime(), nullable=False),
        sa.Column("last_seen_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("browser", sa.String(length=60), nullable=False),
        sa.CheckConstraint(
            "(kind = 'staff' AND user_id IS NOT NULL AND person_id IS NULL) OR (kind = 'applicant' AND person_id IS NOT NULL AND user_id IS NULL)",
            name=op.f("ck_web_session_belongs_to_one"),
        ),
        sa.CheckConstraint("kind IN ('staff', 'applicant')", name=op.f("ck_web_session_kind_is_known")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_web_session_person_id_person"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_web_session_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_web_session_token_hash")),
    )
    with op.batch_alter_table("web_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_web_session_last_seen_at"), ["last_seen_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_web_session_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_web_session_user_id"), ["user_id"], unique=False)

    op.create_table(
        "application_signature",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("agrees_to_checks", sa.Boolean(), nullable=False),
        sa.Column("approved_within_year", sa.Boolean(), nullable=False),
        sa.Column("lived_abroad", sa.Boolean(), nullable=False),
        sa.Column("has_former_partner", sa.Boolean(), nullable=False),
        sa.Column("works_with_children", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_application_signature_application_id_application")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_application_signature_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application_signature")),
        sa.UniqueConstraint(
            "application_id", "person_id", name=op.f("uq_application_signature_application_id_person_id")
        ),
    )
    with op.batch_alter_table("application_signature", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_application_signature_application_id"), ["application_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_application_signature_person_id"), ["person_id"], unique=False)

    op.create_table(
        "assessment_report",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=6), nullable=False),
        sa.Column("written_by_id", sa.Integer(), nullable=False),
        sa.Column("begun_on", sa.Date(), nullable=False),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("other_terms_sealed", sa.Text(), nullable=True),
        sa.Column("countersigned_by_id", sa.Integer(), nullable=True),
        sa.Column("countersigned_on", sa.Date(), nullable=True),
        sa.Column("shared_on", sa.Date(), nullable=True),
        sa.Column("observations_received_on", sa.Date(), nullable=True),
        sa.Column("observations_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.Column("terms_children", sa.Integer(), nullable=True),
        sa.Column("terms_youngest", sa.Integer(), nullable=True),
        sa.Column("terms_oldest", sa.Integer(), nullable=True),
        sa.Column("terms_care", sa.String(length=20), nullable=True),
        sa.CheckConstraint("kind IN ('full', 'brief')", name=op.f("ck_assessment_report_kind_is_known")),
        sa.CheckConstraint(
            "terms_care IN ('any', 'short_and_long', 'short_term', 'long_term', 'short_breaks', 'parent_and_child')",
            name=op.f("ck_assessment_report_terms_care_is_known"),
        ),
        sa.CheckConstraint(
            "(countersigned_by_id IS NULL) = (countersigned_on IS NULL)",
            name=op.f("ck_assessment_report_signed_with_its_day"),
        ),
        sa.CheckConstraint(
            "(terms_youngest IS NULL OR terms_youngest BETWEEN 0 AND 17) AND (terms_oldest IS NULL OR terms_oldest BETWEEN 0 AND 17) AND (terms_youngest IS NULL OR terms_oldest IS NULL OR terms_youngest <= terms_oldest)",
            name=op.f("ck_assessment_report_terms_ages_run_up"),
        ),
        sa.CheckConstraint("countersigned_by_id <> written_by_id", name=op.f("ck_assessment_report_two_people_sign")),
        sa.CheckConstraint(
            "observations_received_on IS NULL OR shared_on IS NOT NULL",
            name=op.f("ck_assessment_report_observations_once_shared"),
        ),
        sa.CheckConstraint(
            "shared_on IS NULL OR countersigned_on IS NOT NULL", name=op.f("ck_assessment_report_shared_once_signed")
        ),
        sa.CheckConstraint(
            "terms_children IS NULL OR terms_children BETWEEN 1 AND 10",
            name=op.f("ck_assessment_report_terms_children_are_few"),
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_assessment_report_application_id_application")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_assessment_report_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["countersigned_by_id"], ["staff_user.id"], name=op.f("fk_assessment_report_countersigned_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(
            ["written_by_id"], ["staff_user.id"], name=op.f("fk_assessment_report_written_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment_report")),
    )
    with op.batch_alter_table("assessment_report", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_assessment_report_application_id"), ["application_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_assessment_report_case_id"), ["case_id"], unique=False)

    op.create_table(
        "calendar_object",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("visit_id", sa.Integer(), nullable=True),
        sa.Column("mailbox_key", KeyText(32), nullable=False),
        sa.Column("uid", KeyText(255), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("ics", sa.Text(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("removed_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("(user_id IS NULL) <> (person_id IS NULL)", name=op.f("ck_calendar_object_belongs_to_one")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_calendar_object_ends_after_it_starts")),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_calendar_object_sequence_counts_up")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_calendar_object_person_id_person")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_calendar_object_user_id_staff_user")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_calendar_object_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_object")),
        sa.UniqueConstraint("uid", name=op.f("uq_calendar_object_uid")),
        sa.UniqueConstraint("visit_id", "mailbox_key", name=op.f("uq_calendar_object_visit_id_mailbox_key")),
    )
    with op.batch_alter_table("calendar_object", schema=None) as batch_op:
        batch_op.create_index("ix_calendar_object_feed", ["user_id", "starts_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_calendar_object_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_calendar_object_visit_id"), ["visit_id"], unique=False)

    op.create_table(
        "stage_one_check",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("item", sa.String(length=40), nullable=False),
        sa.Column("slot", KeyText(60), nullable=False),
        sa.Column("what", sa.String(length=120), nullable=False),
        sa.Column("chase_rule", sa.String(length=40), nullable=False),
        sa.Column("is_statutory", sa.Boolean(), nullable=False),
        sa.Column("edition", sa.String(length=40), nullable=False),
        sa.Column("needed_from_on", sa.Date(), nullable=False),
        sa.Column("dropped_on", sa.Date(), nullable=True),
        sa.Column("requested_on", sa.Date(), nullable=True),
        sa.Column("chased_on", sa.Date(), nullable=True),
        sa.Column("received_on", sa.Date(), nullable=True),
        sa.Column("verified_on", sa.Date(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("sensitivity", sa.String(length=12), nullable=False),
        sa.Column("asked_of_sealed", sa.Text(), nullable=True),
        sa.Column("result_sealed", sa.Text(), nullable=True),
        sa.Column("outcome_sealed", sa.Text(), nullable=True),
        sa.Column("dbs_number_sealed", sa.Text(), nullable=True),
        sa.Column("dbs_issued_on", sa.Date(), nullable=True),
        sa.Column("dbs_level", sa.String(length=12), nullable=True),
        sa.Column("dbs_barred_list_checked", sa.Boolean(), nullable=False),
        sa.Column("seen_by_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "dbs_level IN ('enhanced', 'standard', 'basic')", name=op.f("ck_stage_one_check_dbs_level_is_known")
        ),
        sa.CheckConstraint(
            "sensitivity IN ('ordinary', 'personal', 'health', 'offence', 'reference', 'safety')",
            name=op.f("ck_stage_one_check_sensitivity_is_known"),
        ),
        sa.CheckConstraint(
            "received_on IS NULL OR result_sealed IS NOT NULL", name=op.f("ck_stage_one_check_received_says_what")
        ),
        sa.CheckConstraint(
            "requested_on IS NULL OR received_on IS NULL OR requested_on <= received_on",
            name=op.f("ck_stage_one_check_asked_before_received"),
        ),
        sa.CheckConstraint(
            "verified_on IS NULL OR received_on IS NOT NULL", name=op.f("ck_stage_one_check_verified_after_receipt")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_stage_one_check_application_id_application")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_stage_one_check_case_id_case_file")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_stage_one_check_person_id_person")),
        sa.ForeignKeyConstraint(
            ["seen_by_id"], ["staff_user.id"], name=op.f("fk_stage_one_check_seen_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_one_check")),
        sa.UniqueConstraint("application_id", "slot", name=op.f("uq_stage_one_check_application_id_slot")),
    )
    with op.batch_alter_table("stage_one_check", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stage_one_check_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_stage_one_check_person_id"), ["person_id"], unique=False)

    op.create_table(
        "stage_one_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("decided_by_id", sa.Integer(), nullable=False),
        sa.Column("is_disqualification", sa.Boolean(), nullable=False),
        sa.Column("reasons_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "outcome = 'passed' OR reasons_sealed IS NOT NULL", name=op.f("ck_stage_one_decision_refused_says_why")
        ),
        sa.CheckConstraint("outcome IN ('passed', 'refused')", name=op.f("ck_stage_one_decision_outcome_is_known")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_stage_one_decision_application_id_application")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_stage_one_decision_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["staff_user.id"], name=op.f("fk_stage_one_decision_decided_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_one_decision")),
        sa.UniqueConstraint("application_id", name=op.f("uq_stage_one_decision_application_id")),
    )
    with op.batch_alter_table("stage_one_decision", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stage_one_decision_case_id"), ["case_id"], unique=False)

    op.create_table(
        "visit_officer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.Integer(), nullable=False),
        sa.Column("officer_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("blocked_until_at", UTCDateTime(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "ends_at > starts_at AND blocked_until_at >= ends_at", name=op.f("ck_visit_officer_blocked_to_the_end")
        ),
        sa.ForeignKeyConstraint(["officer_id"], ["staff_user.id"], name=op.f("fk_visit_officer_officer_id_staff_user")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_officer_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_officer")),
        sa.UniqueConstraint("visit_id", "officer_id", name=op.f("uq_visit_officer_visit_id_officer_id")),
    )
    with op.batch_alter_table("visit_officer", schema=None) as batch_op:
        batch_op.create_index("ix_visit_officer_day", ["officer_id", "starts_at"], unique=False)

    op.create_table(
        "visit_report",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("written_by_id", sa.Integer(), nullable=False),
        sa.Column("begun_at", UTCDateTime(), nullable=False),
        sa.Column("saved_at", UTCDateTime(), nullable=False),
        sa.Column("sections_sealed", sa.Text(), nullable=True),
        sa.Column("safety_sealed", sa.Text(), nullable=True),
        sa.Column("parts_done", sa.Integer(), nullable=False),
        sa.Column("recommendation", sa.String(length=12), nullable=True),
        sa.Column("reasons_sealed", sa.Text(), nullable=True),
        sa.Column("submitted_at", UTCDateTime(), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("decision_sealed", sa.Text(), nullable=True),
        sa.Column("signed_off_at", UTCDateTime(), nullable=True),
        sa.Column("signed_off_by_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('invite', 'second_visit', 'not_now', 'decline')", name=op.f("ck_visit_report_outcome_is_known")
        ),
        sa.CheckConstraint(
            "recommendation IN ('invite', 'second_visit', 'not_now', 'decline')",
            name=op.f("ck_visit_report_recommendation_is_known"),
        ),
        sa.CheckConstraint(
            "(signed_off_at IS NULL) = (outcome IS NULL)", name=op.f("ck_visit_report_signed_off_has_an_outcome")
        ),
        sa.CheckConstraint(
            "(signed_off_at IS NULL) = (signed_off_by_id IS NULL)", name=op.f("ck_visit_report_signed_off_by_someone")
        ),
        sa.CheckConstraint(
            "signed_off_at IS NULL OR submitted_at IS NOT NULL", name=op.f("ck_visit_report_signed_off_once_sent")
        ),
        sa.CheckConstraint(
            "signed_off_by_id IS NULL OR signed_off_by_id <> written_by_id",
            name=op.f("ck_visit_report_signed_off_by_another"),
        ),
        sa.CheckConstraint(
            "submitted_at IS NULL OR recommendation IS NOT NULL",
            name=op.f("ck_visit_report_sent_with_a_recommendation"),
        ),
        sa.ForeignKeyConstraint(
            ["signed_off_by_id"], ["staff_user.id"], name=op.f("fk_visit_report_signed_off_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_report_visit_id_visit")),
        sa.ForeignKeyConstraint(
            ["written_by_id"], ["staff_user.id"], name=op.f("fk_visit_report_written_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_report")),
        sa.UniqueConstraint("visit_id", name=op.f("uq_visit_report_visit_id")),
    )
    with op.batch_alter_table("visit_report", schema=None) as batch_op:
        batch_op.create_index(
            "ix_visit_report_to_sign",
            ["submitted_at"],
            unique=False,
            sqlite_where=sa.text("submitted_at IS NOT NULL AND signed_off_at IS NULL"),
            postgresql_where=sa.text("submitted_at IS NOT NULL AND signed_off_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_visit_report_written_by_id"), ["written_by_id"], unique=False)

    op.create_table(
        "panel_item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("about", sa.String(length=16), nullable=False),
        sa.Column("listed_on", sa.Date(), nullable=False),
        sa.Column("papers_due_on", sa.Date(), nullable=False),
        sa.Column("papers_sent_on", sa.Date(), nullable=True),
        sa.Column("late_reason_sealed", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("recommendation", sa.String(length=20), nullable=True),
        sa.Column("reasons_sealed", sa.Text(), nullable=True),
        sa.Column("other_terms_sealed", sa.Text(), nullable=True),
        sa.Column("is_of_one_mind", sa.Boolean(), nullable=True),
        sa.Column("dissent_sealed", sa.Text(), nullable=True),
        sa.Column("minutes_sealed", sa.Text(), nullable=True),
        sa.Column("minutes_received_on", sa.Date(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.Column("terms_children", sa.Integer(), nullable=True),
        sa.Column("terms_youngest", sa.Integer(), nullable=True),
        sa.Column("terms_oldest", sa.Integer(), nullable=True),
        sa.Column("terms_care", sa.String(length=20), nullable=True),
        sa.CheckConstraint(
            "(recommendation IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'recommended')",
            name=op.f("ck_panel_item_recommended_says_what"),
        ),
        sa.CheckConstraint("about IN ('application', 'representations')", name=op.f("ck_panel_item_about_is_known")),
        sa.CheckConstraint(
            "outcome IN ('recommended', 'deferred', 'withdrawn')", name=op.f("ck_panel_item_outcome_is_known")
        ),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome = 'withdrawn' OR reasons_sealed IS NOT NULL",
            name=op.f("ck_panel_item_outcome_has_reasons"),
        ),
        sa.CheckConstraint(
            "recommendation IN ('suitable', 'not_suitable', 'full_report_needed')",
            name=op.f("ck_panel_item_recommendation_is_known"),
        ),
        sa.CheckConstraint(
            "terms_care IN ('any', 'short_and_long', 'short_term', 'long_term', 'short_breaks', 'parent_and_child')",
            name=op.f("ck_panel_item_terms_care_is_known"),
        ),
        sa.CheckConstraint("(outcome IS NULL) = (ended_on IS NULL)", name=op.f("ck_panel_item_ended_with_its_outcome")),
        sa.CheckConstraint(
            "(terms_youngest IS NULL OR terms_youngest BETWEEN 0 AND 17) AND (terms_oldest IS NULL OR terms_oldest BETWEEN 0 AND 17) AND (terms_youngest IS NULL OR terms_oldest IS NULL OR terms_youngest <= terms_oldest)",
            name=op.f("ck_panel_item_terms_ages_run_up"),
        ),
        sa.CheckConstraint(
            "minutes_received_on IS NULL OR (recommendation IS NOT NULL AND minutes_sealed IS NOT NULL)",
            name=op.f("ck_panel_item_minutes_follow_a_recommendation"),
        ),
        sa.CheckConstraint(
            "terms_children IS NULL OR terms_children BETWEEN 1 AND 10",
            name=op.f("ck_panel_item_terms_children_are_few"),
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_panel_item_application_id_application")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_panel_item_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["panel_meeting.id"], name=op.f("fk_panel_item_meeting_id_panel_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["assessment_report.id"], name=op.f("fk_panel_item_report_id_assessment_report")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_panel_item")),
        sa.UniqueConstraint("meeting_id", "case_id", name=op.f("uq_panel_item_meeting_id_case_id")),
    )
    with op.batch_alter_table("panel_item", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_panel_item_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_panel_item_meeting_id"), ["meeting_id"], unique=False)
        batch_op.create_index(
            "uq_panel_item_waiting",
            ["case_id"],
            unique=True,
            sqlite_where=sa.text("outcome IS NULL"),
            postgresql_where=sa.text("outcome IS NULL"),
        )

    op.create_table(
        "report_section",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("text_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"], ["assessment_report.id"], name=op.f("fk_report_section_report_id_assessment_report")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_section")),
        sa.UniqueConstraint("report_id", "name", name=op.f("uq_report_section_report_id_name")),
    )
    with op.batch_alter_table("report_section", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_report_section_report_id"), ["report_id"], unique=False)

    op.create_table(
        "decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("panel_item_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("decided_by_id", sa.Integer(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=True),
        sa.Column("material_sealed", sa.Text(), nullable=True),
        sa.Column("arguments_sealed", sa.Text(), nullable=True),
        sa.Column("adopts_panel_reasons", sa.Boolean(), nullable=False),
        sa.Column("why_sealed", sa.Text(), nullable=True),
        sa.Column("consulted_sealed", sa.Text(), nullable=True),
        sa.Column("reasons_sealed", sa.Text(), nullable=True),
        sa.Column("other_terms_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.Column("terms_children", sa.Integer(), nullable=True),
        sa.Column("terms_youngest", sa.Integer(), nullable=True),
        sa.Column("terms_oldest", sa.Integer(), nullable=True),
        sa.Column("terms_care", sa.String(length=20), nullable=True),
        sa.CheckConstraint(
            "kind <> 'approve' OR effective_on IS NOT NULL", name=op.f("ck_decision_approval_has_its_day")
        ),
        sa.CheckConstraint("kind = 'approve' OR reasons_sealed IS NOT NULL", name=op.f("ck_decision_no_says_why")),
        sa.CheckConstraint(
            "kind IN ('approve', 'propose_no', 'full_report', 'confirm_no')", name=op.f("ck_decision_kind_is_known")
        ),
        sa.CheckConstraint(
            "terms_care IN ('any', 'short_and_long', 'short_term', 'long_term', 'short_breaks', 'parent_and_child')",
            name=op.f("ck_decision_terms_care_is_known"),
        ),
        sa.CheckConstraint(
            "(terms_youngest IS NULL OR terms_youngest BETWEEN 0 AND 17) AND (terms_oldest IS NULL OR terms_oldest BETWEEN 0 AND 17) AND (terms_youngest IS NULL OR terms_oldest IS NULL OR terms_youngest <= terms_oldest)",
            name=op.f("ck_decision_terms_ages_run_up"),
        ),
        sa.CheckConstraint(
            "terms_children IS NULL OR terms_children BETWEEN 1 AND 10", name=op.f("ck_decision_terms_children_are_few")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_decision_application_id_application")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_decision_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["staff_user.id"], name=op.f("fk_decision_decided_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(
            ["panel_item_id"], ["panel_item.id"], name=op.f("fk_decision_panel_item_id_panel_item")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_decision_application_id"), ["application_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_decision_case_id"), ["case_id"], unique=False)

    op.create_table(
        "panel_attendance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("presence", sa.String(length=10), nullable=False),
        sa.Column("presides", sa.Boolean(), nullable=False),
        sa.Column("conflict_sealed", sa.Text(), nullable=True),
        sa.Column("declared_at", UTCDateTime(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "NOT presides OR presence IN ('present', 'by_video')",
            name=op.f("ck_panel_attendance_who_presides_is_there"),
        ),
        sa.CheckConstraint(
            "presence <> 'conflict' OR conflict_sealed IS NOT NULL", name=op.f("ck_panel_attendance_conflict_says_what")
        ),
        sa.CheckConstraint(
            "presence IN ('present', 'by_video', 'conflict', 'apologies')",
            name=op.f("ck_panel_attendance_presence_is_known"),
        ),
        sa.ForeignKeyConstraint(["item_id"], ["panel_item.id"], name=op.f("fk_panel_attendance_item_id_panel_item")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_panel_attendance_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_panel_attendance")),
        sa.UniqueConstraint("item_id", "user_id", name=op.f("uq_panel_attendance_item_id_user_id")),
    )
    with op.batch_alter_table("panel_attendance", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_panel_attendance_item_id"), ["item_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_panel_attendance_user_id"), ["user_id"], unique=False)

    op.create_table(
        "determination_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("said_sealed", sa.Text(), nullable=True),
        sa.Column("irm_papers_sent_on", sa.Date(), nullable=True),
        sa.Column("irm_recommendation", sa.String(length=20), nullable=True),
        sa.Column("irm_received_on", sa.Date(), nullable=True),
        sa.Column("irm_reasons_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "irm_recommendation IN ('suitable', 'not_suitable')",
            name=op.f("ck_determination_answer_irm_recommendation_is_known"),
        ),
        sa.CheckConstraint(
            "kind = 'irm' OR (irm_papers_sent_on IS NULL AND irm_received_on IS NULL)",
            name=op.f("ck_determination_answer_irm_fields_are_irms"),
        ),
        sa.CheckConstraint("kind IN ('representations', 'irm')", name=op.f("ck_determination_answer_kind_is_known")),
        sa.CheckConstraint(
            "(irm_received_on IS NULL) = (irm_recommendation IS NULL)",
            name=op.f("ck_determination_answer_irm_says_what"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_determination_answer_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name=op.f("fk_determination_answer_decision_id_decision")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_determination_answer")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_determination_answer_decision_id")),
    )
    with op.batch_alter_table("determination_answer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_determination_answer_case_id"), ["case_id"], unique=False)

    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("noticed_on", sa.Date(), nullable=False),
        sa.Column("given_by_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("dispatched_on", sa.Date(), nullable=True),
        sa.Column("dispatch_method", sa.String(length=40), nullable=True),
        sa.Column("note_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("kind IN ('oral', 'written')", name=op.f("ck_notice_kind_is_known")),
        sa.CheckConstraint(
            "method IN ('phone', 'in_person', 'video', 'email', 'post')", name=op.f("ck_notice_method_is_known")
        ),
        sa.CheckConstraint(
            "(dispatched_on IS NULL) = (dispatch_method IS NULL)", name=op.f("ck_notice_dispatched_says_how")
        ),
        sa.CheckConstraint(
            "dispatched_on IS NULL OR dispatched_on >= noticed_on", name=op.f("ck_notice_dispatched_once_dated")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_notice_case_id_case_file")),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_notice_decision_id_decision")),
        sa.ForeignKeyConstraint(["given_by_id"], ["staff_user.id"], name=op.f("fk_notice_given_by_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("decision_id", "kind", name=op.f("uq_notice_decision_id_kind")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_notice_decision_id"), ["decision_id"], unique=False)

    # What a table can't say of itself: the trail is only ever added to, and no officer is in two places at once.
    dialect = op.get_bind().dialect.name
    for table in APPEND_ONLY_TABLES:
        for statement in append_only_ddl(table, dialect):
            op.execute(statement)
    for statement in overlap.statements_up(dialect):
        op.execute(statement)


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    for statement in overlap.statements_down(dialect):
        op.execute(statement)
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notice_decision_id"))
        batch_op.drop_index(batch_op.f("ix_notice_case_id"))

    op.drop_table("notice")
    with op.batch_alter_table("determination_answer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_determination_answer_case_id"))

    op.drop_table("determination_answer")
    with op.batch_alter_table("panel_attendance", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_panel_attendance_user_id"))
        batch_op.drop_index(batch_op.f("ix_panel_attendance_item_id"))

    op.drop_table("panel_attendance")
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_decision_case_id"))
        batch_op.drop_index(batch_op.f("ix_decision_application_id"))

    op.drop_table("decision")
    with op.batch_alter_table("report_section", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_report_section_report_id"))

    op.drop_table("report_section")
    with op.batch_alter_table("panel_item", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_panel_item_waiting",
            sqlite_where=sa.text("outcome IS NULL"),
            postgresql_where=sa.text("outcome IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_panel_item_meeting_id"))
        batch_op.drop_index(batch_op.f("ix_panel_item_case_id"))

    op.drop_table("panel_item")
    with op.batch_alter_table("visit_report", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_visit_report_written_by_id"))
        batch_op.drop_index(
            "ix_visit_report_to_sign",
            sqlite_where=sa.text("submitted_at IS NOT NULL AND signed_off_at IS NULL"),
            postgresql_where=sa.text("submitted_at IS NOT NULL AND signed_off_at IS NULL"),
        )

    op.drop_table("visit_report")
    with op.batch_alter_table("visit_officer", schema=None) as batch_op:
        batch_op.drop_index("ix_visit_officer_day")

    op.drop_table("visit_officer")
    with op.batch_alter_table("stage_one_decision", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stage_one_decision_case_id"))

    op.drop_table("stage_one_decision")
    with op.batch_alter_table("stage_one_check", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stage_one_check_person_id"))
        batch_op.drop_index(batch_op.f("ix_stage_one_check_case_id"))

    op.drop_table("stage_one_check")
    with op.batch_alter_table("calendar_object", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_calendar_object_visit_id"))
        batch_op.drop_index(batch_op.f("ix_calendar_object_person_id"))
        batch_op.drop_index("ix_calendar_object_feed")

    op.drop_table("calendar_object")
    with op.batch_alter_table("assessment_report", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_assessment_report_case_id"))
        batch_op.drop_index(batch_op.f("ix_assessment_report_application_id"))

    op.drop_table("assessment_report")
    with op.batch_alter_table("application_signature", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_application_signature_person_id"))
        batch_op.drop_index(batch_op.f("ix_application_signature_application_id"))

    op.drop_table("application_signature")
    with op.batch_alter_table("web_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_web_session_user_id"))
        batch_op.drop_index(batch_op.f("ix_web_session_person_id"))
        batch_op.drop_index(batch_op.f("ix_web_session_last_seen_at"))

    op.drop_table("web_session")
    with op.batch_alter_table("visit", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_visit_enquiry_waits_for_one",
            sqlite_where=sa.text("moves_enquiry AND status = 'booked'"),
            postgresql_where=sa.text("moves_enquiry AND status = 'booked'"),
        )
        batch_op.drop_index("ix_visit_case")
        batch_op.drop_index(
            "ix_visit_booked", sqlite_where=sa.text("status = 'booked'"), postgresql_where=sa.text("status = 'booked'")
        )

    op.drop_table("visit")
    op.drop_table("track")
    with op.batch_alter_table("timeline_entry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_timeline_entry_person_id"))
        batch_op.drop_index("ix_timeline_entry_case")

    op.drop_table("timeline_entry")
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_task_to_do", sqlite_where=sa.text("done_at IS NULL"), postgresql_where=sa.text("done_at IS NULL")
        )
        batch_op.drop_index("ix_task_done")
        batch_op.drop_index(batch_op.f("ix_task_case_id"))

    op.drop_table("task")
    with op.batch_alter_table("stage_change", schema=None) as batch_op:
        batch_op.drop_index("ix_stage_change_reached")
        batch_op.drop_index(batch_op.f("ix_stage_change_case_id"))

    op.drop_table("stage_change")
    with op.batch_alter_table("sheet_import", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sheet_import_uploaded_at"))
        batch_op.drop_index(batch_op.f("ix_sheet_import_event_id"))

    op.drop_table("sheet_import")
    with op.batch_alter_table("fact", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_fact_person_id"))
        batch_op.drop_index("ix_fact_case_key")

    op.drop_table("fact")
    with op.batch_alter_table("event_staff", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_event_staff_user_id"))
        batch_op.drop_index(batch_op.f("ix_event_staff_event_id"))

    op.drop_table("event_staff")
    with op.batch_alter_table("enquiry_draft", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_enquiry_draft_expires_at"))
        batch_op.drop_index(batch_op.f("ix_enquiry_draft_case_id"))

    op.drop_table("enquiry_draft")
    with op.batch_alter_table("enquiry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_enquiry_received_at"))
        batch_op.drop_index(batch_op.f("ix_enquiry_case_id"))
        batch_op.drop_index(batch_op.f("ix_enquiry_campaign_id"))

    op.drop_table("enquiry")
    with op.batch_alter_table("deadline", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_deadline_running",
            sqlite_where=sa.text("stopped_on IS NULL"),
            postgresql_where=sa.text("stopped_on IS NULL"),
        )
        batch_op.drop_index("ix_deadline_of_case")
        batch_op.drop_index(
            "ix_deadline_due",
            sqlite_where=sa.text("stopped_on IS NULL"),
            postgresql_where=sa.text("stopped_on IS NULL"),
        )

    op.drop_table("deadline")
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_consent_person_id"))

    op.drop_table("consent")
    with op.batch_alter_table("case_assignment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_case_assignment_user_id"))
        batch_op.drop_index(batch_op.f("ix_case_assignment_case_id"))

    op.drop_table("case_assignment")
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_application_open",
            sqlite_where=sa.text("ended_on IS NULL"),
            postgresql_where=sa.text("ended_on IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_application_case_id"))

    op.drop_table("application")
    op.drop_table("working_hours")
    with op.batch_alter_table("staff_role", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_role_role"))

    op.drop_table("staff_role")
    with op.batch_alter_table("staff_invitation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_invitation_user_id"))
        batch_op.drop_index(batch_op.f("ix_staff_invitation_made_by_id"))

    op.drop_table("staff_invitation")
    with op.batch_alter_table("recruitment_event", schema=None) as batch_op:
        batch_op.drop_index("ix_recruitment_event_starts")

    op.drop_table("recruitment_event")
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_person_phone_key"))
        batch_op.drop_index("ix_person_name")
        batch_op.drop_index(batch_op.f("ix_person_household_id"))
        batch_op.drop_index(batch_op.f("ix_person_given_key"))
        batch_op.drop_index(batch_op.f("ix_person_family_key"))
        batch_op.drop_index(batch_op.f("ix_person_email_key"))

    op.drop_table("person")
    with op.batch_alter_table("password_reset", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_password_reset_user_id"))

    op.drop_table("password_reset")
    with op.batch_alter_table("panel_member", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_panel_member_user_id"))
        batch_op.drop_index(batch_op.f("ix_panel_member_meeting_id"))

    op.drop_table("panel_member")
    op.drop_table("panel_list_member")
    op.drop_table("officer_diary")
    op.drop_table("officer_calendar")
    with op.batch_alter_table("feed_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_feed_token_user_id"))

    op.drop_table("feed_token")
    with op.batch_alter_table("case_file", schema=None) as batch_op:
        batch_op.drop_index("ix_case_file_queue")
        batch_op.drop_index("ix_case_file_place")
        batch_op.drop_index("ix_case_file_owner_queue")
        batch_op.drop_index("ix_case_file_owner_place")
        batch_op.drop_index("ix_case_file_opened")
        batch_op.drop_index(batch_op.f("ix_case_file_household_id"))
        batch_op.drop_index(batch_op.f("ix_case_file_campaign_id"))

    op.drop_table("case_file")
    with op.batch_alter_table("busy_time", schema=None) as batch_op:
        batch_op.drop_index("ix_busy_time_user")

    op.drop_table("busy_time")
    with op.batch_alter_table("worker_seen", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_worker_seen_seen_at"))

    op.drop_table("worker_seen")
    op.drop_table("staff_user")
    with op.batch_alter_table("rate_window", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rate_window_began_at"))

    op.drop_table("rate_window")
    op.drop_table("policy_version")
    with op.batch_alter_table("policy_row", schema=None) as batch_op:
        batch_op.drop_index("ix_policy_row_kind_name_in_force_from")

    op.drop_table("policy_row")
    with op.batch_alter_table("panel_meeting", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_panel_meeting_meets_on"))

    op.drop_table("panel_meeting")
    with op.batch_alter_table("outbound_message", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_outbound_message_waiting_for",
            sqlite_where=sa.text("status IN ('queued', 'sending')"),
            postgresql_where=sa.text("status IN ('queued', 'sending')"),
        )
        batch_op.drop_index(
            "ix_outbound_message_user_id",
            sqlite_where=sa.text("user_id IS NOT NULL"),
            postgresql_where=sa.text("user_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_outbound_message_unsettled",
            sqlite_where=sa.text("status IN ('queued', 'sending', 'held', 'to_print', 'given_up')"),
            postgresql_where=sa.text("status IN ('queued', 'sending', 'held', 'to_print', 'given_up')"),
        )
        batch_op.drop_index(
            "ix_outbound_message_stream",
            sqlite_where=sa.text("stream IS NOT NULL"),
            postgresql_where=sa.text("stream IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_outbound_message_due",
            sqlite_where=sa.text("status IN ('queued', 'sending')"),
            postgresql_where=sa.text("status IN ('queued', 'sending')"),
        )
        batch_op.drop_index("ix_outbound_message_case_id_id")

    op.drop_table("outbound_message")
    with op.batch_alter_table("one_time_id", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_one_time_id_received_at"))

    op.drop_table("one_time_id")
    op.drop_table("one_off_holiday")
    op.drop_table("job_run")
    with op.batch_alter_table("household", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_household_postcode_key"))

    op.drop_table("household")
    op.drop_table("campaign")
    op.drop_table("audit_seal")
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_entry_subject_id")
        batch_op.drop_index("ix_audit_entry_case_id_id")
        batch_op.drop_index("ix_audit_entry_actor_id_id")

    op.drop_table("audit_entry")
    for table in APPEND_ONLY_TABLES:
        for statement in drop_append_only_ddl(table, dialect):
            op.execute(statement)

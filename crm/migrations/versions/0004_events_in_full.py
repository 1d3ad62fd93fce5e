"""Events are published and signed up to, and who came is kept

Revision: 0004, after 0003.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

EVENT = "recruitment_event"
NEW_COLUMNS = (
    ("status", sa.String(length=12)),
    ("slug", KeyText(80)),
    ("code", KeyText(8)),
    ("town", sa.String(length=80)),
    ("postcode", sa.String(length=12)),
    ("district", KeyText(8)),
    ("places_taken", sa.Integer()),
    ("takes_sign_ups", sa.Boolean()),
    ("part_of_id", sa.Integer()),
    ("summary", sa.String(length=300)),
    ("meet", sa.String(length=200)),
    ("getting_in", sa.String(length=300)),
    ("materials", sa.String(length=500)),
    ("notes_sealed", sa.Text()),
    ("lessons_sealed", sa.Text()),
    ("hour_cost_pence", sa.Integer()),
    ("published_at", UTCDateTime()),
    ("cancelled_at", UTCDateTime()),
    ("cancelled_why", sa.String(length=200)),
    ("followed_up_at", UTCDateTime()),
    ("row_key", sa.String(length=32)),
)
NEEDED = ("status", "slug", "code", "places_taken", "takes_sign_ups", "row_key")
CHECKS = {
    "status_is_known": "status IN ('draft', 'published', 'cancelled')",
    "places_fit_in_the_capacity": "places_taken >= 0 AND (capacity IS NULL OR places_taken <= capacity)",
    "published_has_its_time": "status <> 'published' OR published_at IS NOT NULL",
    "cancelled_has_its_time": "(status = 'cancelled') = (cancelled_at IS NOT NULL)",
}
NOT_FOLLOWED_UP = sa.text("followed_up_at IS NULL")
CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def upgrade() -> None:
    for name, kind in NEW_COLUMNS:
        op.add_column(EVENT, sa.Column(name, kind, nullable=True))
    _fill_in()
    with op.batch_alter_table(EVENT) as batch_op:
        for name, kind in NEW_COLUMNS:
            if name in NEEDED:
                batch_op.alter_column(name, existing_type=kind, nullable=False)
        for name, condition in CHECKS.items():
            batch_op.create_check_constraint(op.f(f"ck_{EVENT}_{name}"), condition)
        batch_op.create_unique_constraint(op.f(f"uq_{EVENT}_slug"), ["slug"])
        batch_op.create_unique_constraint(op.f(f"uq_{EVENT}_code"), ["code"])
        batch_op.create_foreign_key(op.f(f"fk_{EVENT}_part_of_id_campaign"), "campaign", ["part_of_id"], ["id"])
        batch_op.create_index(op.f(f"ix_{EVENT}_part_of_id"), ["part_of_id"])
        batch_op.create_index(f"ix_{EVENT}_public", ["status", "ends_at", "starts_at", "id"])
        batch_op.create_index(
            f"ix_{EVENT}_to_follow_up", ["ends_at"], sqlite_where=NOT_FOLLOWED_UP, postgresql_where=NOT_FOLLOWED_UP
        )
    with op.batch_alter_table("event_staff") as batch_op:
        batch_op.add_column(sa.Column("minutes", sa.Integer(), nullable=True))
        batch_op.create_check_constraint(op.f("ck_event_staff_minutes_are_counted"), "minutes >= 0")
    _create_tables()


def _fill_in() -> None:
    """What has been stays as it was and is not followed up again; what is to come is shown to nobody unasked."""
    connection = op.get_bind()
    for row in connection.execute(sa.text(f"SELECT id, created_at FROM {EVENT}")).all():  # noqa: S608
        connection.execute(
            sa.text(
                f"UPDATE {EVENT} SET status = CASE WHEN ends_at < CURRENT_TIMESTAMP THEN 'published' ELSE 'draft' END, "  # noqa: S608
                "published_at = CASE WHEN ends_at < CURRENT_TIMESTAMP THEN created_at END, "
                "followed_up_at = CASE WHEN ends_at < CURRENT_TIMESTAMP THEN ends_at END, "
                "slug = :slug, code = :code, row_key = :row_key, places_taken = 0, takes_sign_ups = :no "
                "WHERE id = :id"
            ),
            {
                "id": row.id,
                "slug": f"event-{row.id}",
                "code": "".join(secrets.choice(CODE_LETTERS) for _ in range(7)),
                "row_key": secrets.token_hex(16),
                "no": False,
            },
        )


def _create_tables() -> None:
    op.create_table(
        "event_cost",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(length=80), nullable=False),
        sa.Column("pence", sa.Integer(), nullable=False),
        sa.CheckConstraint("pence >= 0", name=op.f("ck_event_cost_is_not_negative")),
        sa.ForeignKeyConstraint(["event_id"], [f"{EVENT}.id"], name=op.f("fk_event_cost_event_id_recruitment_event")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_cost")),
    )
    op.create_index(op.f("ix_event_cost_event_id"), "event_cost", ["event_id"])
    # What an event cost in one sum is its first line, so that the lines add up to what its campaign says.
    op.execute(
        "INSERT INTO event_cost (event_id, what, pence) SELECT recruitment_event.id, 'All in', campaign.cost_pence "
        "FROM recruitment_event JOIN campaign ON campaign.id = recruitment_event.campaign_id "
        "WHERE campaign.cost_pence > 0"
    )
    op.create_table(
        "event_sign_up",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("adults", sa.Integer(), nullable=False),
        sa.Column("signed_up_at", UTCDateTime(), nullable=False),
        sa.Column("moved_up_at", UTCDateTime(), nullable=True),
        sa.Column("cancelled_at", UTCDateTime(), nullable=True),
        sa.Column("needs_sealed", sa.Text(), nullable=True),
        sa.Column("question_sealed", sa.Text(), nullable=True),
        sa.Column("wants_call", sa.Boolean(), nullable=False),
        sa.Column("interest", sa.String(length=12), nullable=True),
        sa.Column("contact_times", sa.String(length=200), nullable=True),
        sa.Column("postcode", sa.String(length=12), nullable=True),
        sa.Column("privacy_version", sa.String(length=40), nullable=True),
        sa.Column("wants_text", sa.Boolean(), nullable=False),
        sa.Column("link_hash", KeyText(64), nullable=True),
        sa.Column("link_sealed", sa.Text(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("reminded_at", UTCDateTime(), nullable=True),
        sa.Column("enquiry_id", sa.Integer(), nullable=True),
        sa.Column("forgotten_at", UTCDateTime(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "status IN ('confirmed', 'waiting', 'cancelled')", name=op.f("ck_event_sign_up_status_is_known")
        ),
        sa.CheckConstraint("source IN ('web', 'staff', 'walk_in')", name=op.f("ck_event_sign_up_source_is_known")),
        sa.CheckConstraint("adults IN (1, 2)", name=op.f("ck_event_sign_up_one_or_two_adults")),
        sa.CheckConstraint(
            "interest IN ('ready', 'thinking', 'looking')", name=op.f("ck_event_sign_up_interest_is_known")
        ),
        sa.CheckConstraint(
            "(status = 'cancelled') = (cancelled_at IS NOT NULL)", name=op.f("ck_event_sign_up_cancelled_has_its_time")
        ),
        sa.CheckConstraint(
            "(link_hash IS NULL) = (link_sealed IS NULL)", name=op.f("ck_event_sign_up_link_has_its_digest")
        ),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_event_sign_up_sequence_counts_up")),
        sa.ForeignKeyConstraint(["enquiry_id"], ["enquiry.id"], name=op.f("fk_event_sign_up_enquiry_id_enquiry")),
        sa.ForeignKeyConstraint(
            ["event_id"], [f"{EVENT}.id"], name=op.f("fk_event_sign_up_event_id_recruitment_event")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_sign_up")),
        sa.UniqueConstraint("link_hash", name=op.f("uq_event_sign_up_link_hash")),
    )
    op.create_index(op.f("ix_event_sign_up_enquiry_id"), "event_sign_up", ["enquiry_id"])
    op.create_index("ix_event_sign_up_line", "event_sign_up", ["event_id", "status", "signed_up_at", "id"])
    op.create_table(
        "event_guest",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sign_up_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("given_name", sa.String(length=120), nullable=False),
        sa.Column("family_name", sa.String(length=120), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("email_key", KeyText(254), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("phone_key", KeyText(20), nullable=True),
        sa.Column("attended_at", UTCDateTime(), nullable=True),
        sa.Column("checked_in_by_id", sa.Integer(), nullable=True),
        sa.Column("entered_at", UTCDateTime(), nullable=True),
        sa.Column("calendar_uid", KeyText(255), nullable=True),
        sa.CheckConstraint("position IN (1, 2)", name=op.f("ck_event_guest_first_or_second")),
        sa.ForeignKeyConstraint(
            ["checked_in_by_id"], ["staff_user.id"], name=op.f("fk_event_guest_checked_in_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["event_id"], [f"{EVENT}.id"], name=op.f("fk_event_guest_event_id_recruitment_event")),
        sa.ForeignKeyConstraint(
            ["sign_up_id"], ["event_sign_up.id"], name=op.f("fk_event_guest_sign_up_id_event_sign_up")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_guest")),
        sa.UniqueConstraint("calendar_uid", name=op.f("uq_event_guest_calendar_uid")),
        sa.UniqueConstraint("sign_up_id", "position", name=op.f("uq_event_guest_sign_up_id_position")),
    )
    op.create_index(op.f("ix_event_guest_checked_in_by_id"), "event_guest", ["checked_in_by_id"])
    op.create_index("ix_event_guest_email", "event_guest", ["event_id", "email_key"])
    op.create_index("ix_event_guest_came", "event_guest", ["event_id", "attended_at", "id"])
    op.create_table(
        "event_consent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("guest_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("wording_version", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('email', 'text', 'phone', 'post')", name=op.f("ck_event_consent_channel_is_known")
        ),
        sa.ForeignKeyConstraint(["guest_id"], ["event_guest.id"], name=op.f("fk_event_consent_guest_id_event_guest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_consent")),
    )
    op.create_index("ix_event_consent_guest", "event_consent", ["guest_id"])
    op.create_table(
        "attendance_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", KeyText(64), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("guest_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("happened_at", UTCDateTime(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("kind IN ('check_in', 'undo', 'walk_in')", name=op.f("ck_attendance_entry_kind_is_known")),
        sa.ForeignKeyConstraint(["actor_id"], ["staff_user.id"], name=op.f("fk_attendance_entry_actor_id_staff_user")),
        sa.ForeignKeyConstraint(
            ["event_id"], [f"{EVENT}.id"], name=op.f("fk_attendance_entry_event_id_recruitment_event")
        ),
        sa.ForeignKeyConstraint(
            ["guest_id"], ["event_guest.id"], name=op.f("fk_attendance_entry_guest_id_event_guest")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance_entry")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_attendance_entry_entry_id")),
    )
    op.create_index(op.f("ix_attendance_entry_actor_id"), "attendance_entry", ["actor_id"])
    op.create_index(op.f("ix_attendance_entry_event_id"), "attendance_entry", ["event_id"])
    op.create_index(op.f("ix_attendance_entry_guest_id"), "attendance_entry", ["guest_id"])
    op.create_table(
        "event_step",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=24), nullable=False),
        sa.Column("done_at", UTCDateTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], [f"{EVENT}.id"], name=op.f("fk_event_step_event_id_recruitment_event")),
        sa.PrimaryKeyConstraint("event_id", "name", name=op.f("pk_event_step")),
    )


def downgrade() -> None:
    for table in ("event_step", "attendance_entry", "event_consent", "event_guest", "event_sign_up", "event_cost"):
        op.drop_table(table)
    with op.batch_alter_table("event_staff") as batch_op:
        batch_op.drop_constraint(op.f("ck_event_staff_minutes_are_counted"), type_="check")
        batch_op.drop_column("minutes")
    with op.batch_alter_table(EVENT) as batch_op:
        batch_op.drop_index(f"ix_{EVENT}_to_follow_up")
        batch_op.drop_index(f"ix_{EVENT}_public")
        batch_op.drop_index(op.f(f"ix_{EVENT}_part_of_id"))
        batch_op.drop_constraint(op.f(f"fk_{EVENT}_part_of_id_campaign"), type_="foreignkey")
        batch_op.drop_constraint(op.f(f"uq_{EVENT}_code"), type_="unique")
        batch_op.drop_constraint(op.f(f"uq_{EVENT}_slug"), type_="unique")
        for name in CHECKS:
            batch_op.drop_constraint(op.f(f"ck_{EVENT}_{name}"), type_="check")
        for name, _ in NEW_COLUMNS:
            batch_op.drop_column(name)

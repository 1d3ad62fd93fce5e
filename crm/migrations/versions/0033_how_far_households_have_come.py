"""How far each household has come: the rows that reports count

Revision: 0033, after 0032.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

DAYS = ("spoken_on", "visited_on", "applied_on", "passed_on", "panel_on", "approved_on", "decided_on")
WAITS = (
    "spoken_after",
    "visited_after",
    "applied_after",
    "passed_after",
    "panel_after",
    "decided_after",
    "left_after",
)
IS_TOLD = sa.text("morning <> 'never'")
VISITED = ["visited_on", "asked_on", "standing", "applied_on", "applied_after", "left_after", "ended_on", "district"]
CAMPAIGN = ["campaign_id", "asked_on", "channel", "district"]
APPLIED = [
    "applied_on",
    "asked_on",
    "standing",
    "passed_on",
    "passed_after",
    "panel_on",
    "panel_after",
    "decided_on",
    "decided_after",
    "approved_on",
    "left_after",
    "ended_on",
    "district",
]
ON_THE_WAY = [
    "asked_on",
    "spoken_on",
    "visited_on",
    "applied_on",
    "passed_on",
    "panel_on",
    "approved_on",
    "decided_on",
    "channel",
    "district",
]


def upgrade() -> None:
    # Filled from what the cases say by `crm migrate`, once the tables are as this release knows them.
    op.create_table(
        "journey",
        sa.Column("household_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("asked_weekday", sa.Integer(), nullable=False),
        sa.Column("asked_hour", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("district", KeyText(6), nullable=True),
        *(sa.Column(day, sa.Date(), nullable=True) for day in DAYS),
        *(sa.Column(wait, sa.Integer(), nullable=True) for wait in WAITS),
        sa.Column("standing", sa.String(length=12), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("ended_why", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "standing IN ('on_the_way', 'resting', 'approved', 'ended')", name=op.f("ck_journey_standing_is_known")
        ),
        sa.CheckConstraint(
            "channel IN ('web', 'phone', 'email', 'event', 'referral', 'hub', 'other')",
            name=op.f("ck_journey_channel_is_known"),
        ),
        sa.CheckConstraint(
            "(ended_on IS NOT NULL) = (standing IN ('resting', 'ended'))",
            name=op.f("ck_journey_ended_or_resting_says_when"),
        ),
        sa.CheckConstraint(
            "asked_weekday BETWEEN 0 AND 6 AND asked_hour BETWEEN 0 AND 23",
            name=op.f("ck_journey_asked_at_a_real_hour"),
        ),
        sa.ForeignKeyConstraint(
            ["household_id"],
            ["household.id"],
            name=op.f("fk_journey_household_id_household"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("household_id", name=op.f("pk_journey")),
    )
    op.create_index(
        "ix_journey_asked",
        "journey",
        [
            "asked_on",
            "standing",
            "spoken_on",
            "spoken_after",
            "visited_on",
            "visited_after",
            "applied_on",
            "passed_on",
            "panel_on",
            "approved_on",
            "left_after",
            "ended_on",
            "channel",
            "district",
            "asked_weekday",
            "asked_hour",
            "ended_why",
        ],
    )
    for name, columns, where in (
        ("ix_journey_visited", VISITED, "visited_on IS NOT NULL"),
        ("ix_journey_applied", APPLIED, "applied_on IS NOT NULL"),
        ("ix_journey_campaign", CAMPAIGN, "campaign_id IS NOT NULL"),
        ("ix_journey_on_the_way", ON_THE_WAY, "standing = 'on_the_way'"),
    ):
        op.create_index(name, "journey", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_table(
        "journey_calendar",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("counted_to", sa.Integer(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_journey_calendar_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journey_calendar")),
    )
    op.create_index(
        "ix_deadline_kept",
        "deadline",
        ["rule", "counted_from_on", "due_on", "stopped_on", "stopped_how", "case_id"],
    )
    op.create_table(
        "report_answer",
        sa.Column("key", KeyText(64), nullable=False),
        sa.Column("stamp", sa.String(length=200), nullable=False),
        sa.Column("counted_at", UTCDateTime(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("lede", sa.String(length=300), nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_report_answer")),
    )
    op.create_index("ix_report_answer_counted", "report_answer", ["counted_at"])
    op.create_table(
        "saved_report",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("report", sa.String(length=20), nullable=False),
        sa.Column("query", sa.String(length=300), nullable=False),
        sa.Column("morning", sa.String(length=8), nullable=False),
        sa.Column("told_on", sa.Date(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("morning IN ('never', 'mondays', 'months')", name=op.f("ck_saved_report_morning_is_known")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_saved_report_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_report")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_saved_report_user_id_name")),
    )
    op.create_index(
        "ix_saved_report_morning",
        "saved_report",
        ["morning", "told_on"],
        sqlite_where=IS_TOLD,
        postgresql_where=IS_TOLD,
    )


def downgrade() -> None:
    op.drop_table("saved_report")
    op.drop_table("report_answer")
    op.drop_index("ix_deadline_kept", table_name="deadline")
    op.drop_table("journey_calendar")
    op.drop_table("journey")

"""What to know before going to a home, and who looks out for the officers who are there

Revision: 0025, after 0024.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import UTCDateTime

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

INSIDE = sa.text("checked_in_at IS NOT NULL AND checked_out_at IS NULL AND stood_down_at IS NULL")
OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.add_column("officer_diary", sa.Column("car", sa.String(length=12), nullable=True))
    op.create_table(
        "home_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("words_sealed", sa.Text(), nullable=True),
        sa.Column("set_at", UTCDateTime(), nullable=False),
        sa.Column("set_by_id", sa.Integer(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("ended_by_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "kind IN ('access', 'dog', 'parking', 'risk', 'not_alone')", name=op.f("ck_home_note_kind_is_known")
        ),
        sa.ForeignKeyConstraint(["household_id"], ["household.id"], name=op.f("fk_home_note_household_id_household")),
        sa.ForeignKeyConstraint(["set_by_id"], ["staff_user.id"], name=op.f("fk_home_note_set_by_id_staff_user")),
        sa.ForeignKeyConstraint(["ended_by_id"], ["staff_user.id"], name=op.f("fk_home_note_ended_by_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_home_note")),
    )
    op.create_index("ix_home_note_household", "home_note", ["household_id", "kind"])
    op.create_table(
        "visit_watch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.Integer(), nullable=False),
        sa.Column("buddy_id", sa.Integer(), nullable=True),
        sa.Column("checked_in_at", UTCDateTime(), nullable=True),
        sa.Column("checked_in_heard_at", UTCDateTime(), nullable=True),
        sa.Column("expected_out_at", UTCDateTime(), nullable=True),
        sa.Column("checked_out_at", UTCDateTime(), nullable=True),
        sa.Column("checked_out_heard_at", UTCDateTime(), nullable=True),
        sa.Column("help_at", UTCDateTime(), nullable=True),
        sa.Column("stood_down_at", UTCDateTime(), nullable=True),
        sa.Column("stood_down_by_id", sa.Integer(), nullable=True),
        sa.Column("stood_down_note_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "(checked_in_at IS NULL) = (checked_in_heard_at IS NULL)", name=op.f("ck_visit_watch_in_and_heard")
        ),
        sa.CheckConstraint(
            "(checked_out_at IS NULL) = (checked_out_heard_at IS NULL)", name=op.f("ck_visit_watch_out_and_heard")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_watch_visit_id_visit")),
        sa.ForeignKeyConstraint(["buddy_id"], ["staff_user.id"], name=op.f("fk_visit_watch_buddy_id_staff_user")),
        sa.ForeignKeyConstraint(
            ["stood_down_by_id"], ["staff_user.id"], name=op.f("fk_visit_watch_stood_down_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_watch")),
        sa.UniqueConstraint("visit_id", name=op.f("uq_visit_watch_visit_id")),
    )
    op.create_index(op.f("ix_visit_watch_buddy_id"), "visit_watch", ["buddy_id"])
    op.create_index(
        "ix_visit_watch_inside", "visit_watch", ["checked_in_at"], sqlite_where=INSIDE, postgresql_where=INSIDE
    )
    op.create_table(
        "visit_alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("told_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('not_in', 'not_out', 'buddy', 'manager', 'help')", name=op.f("ck_visit_alert_kind_is_known")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_alert_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_alert")),
        sa.UniqueConstraint("visit_id", "kind", "due_at", name=op.f("uq_visit_alert_visit_id")),
    )
    op.create_index("ix_visit_alert_open", "visit_alert", ["told_at"], sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    op.drop_table("visit_alert")
    op.drop_table("visit_watch")
    op.drop_table("home_note")
    op.drop_column("officer_diary", "car")

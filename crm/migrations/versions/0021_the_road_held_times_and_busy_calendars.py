"""How officers travel, districts and the road between them, held times, and calendars read for busy times

Revision: 0021, after 0020.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime
from crm.visits import overlap

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

DIARY = ("user_id", "has_own_hours", "visits_a_day")
PART = ("id", "visit_id", "officer_id", "starts_at", "ends_at", "blocked_until_at", "holds")


def upgrade() -> None:
    _make_tables()
    if op.get_bind().dialect.name == "sqlite":
        _rebuild("officer_diary", DIARY, *_diary(), *_diary_more())
        _rebuild("visit_officer", PART, *_part(nullable=True), *_part_more())
        _part_rules()
        return
    for column in _diary_more():
        if isinstance(column, sa.Column):
            op.add_column("officer_diary", column)
    op.create_check_constraint(
        op.f("ck_officer_diary_travels_by_is_known"), "officer_diary", "travels_by IN ('car', 'transit')"
    )
    op.alter_column("visit_officer", "visit_id", existing_type=sa.Integer(), nullable=True)
    op.add_column("visit_officer", sa.Column("hold_id", sa.Integer(), nullable=True))
    op.create_foreign_key(
        op.f("fk_visit_officer_hold_id_visit_hold"), "visit_officer", "visit_hold", ["hold_id"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_visit_officer_is_of_a_visit_or_a_hold"),
        "visit_officer",
        "(visit_id IS NULL) <> (hold_id IS NULL)",
    )
    op.create_index("ix_visit_officer_hold_id", "visit_officer", ["hold_id"])


def downgrade() -> None:
    op.execute("DELETE FROM visit_officer WHERE visit_id IS NULL")
    if op.get_bind().dialect.name == "sqlite":
        _rebuild("visit_officer", PART, *_part(nullable=False))
        _part_rules(with_hold=False)
        _rebuild("officer_diary", DIARY, *_diary())
    else:
        op.drop_index("ix_visit_officer_hold_id", "visit_officer")
        op.drop_constraint(op.f("ck_visit_officer_is_of_a_visit_or_a_hold"), "visit_officer")
        op.drop_constraint(op.f("fk_visit_officer_hold_id_visit_hold"), "visit_officer")
        op.drop_column("visit_officer", "hold_id")
        op.alter_column("visit_officer", "visit_id", existing_type=sa.Integer(), nullable=False)
        op.drop_constraint(op.f("ck_officer_diary_travels_by_is_known"), "officer_diary")
        op.drop_column("officer_diary", "travels_by")
    for table in ("busy_calendar", "busy_span", "visit_hold", "travel_said", "postcode_district"):
        op.drop_table(table)


def _make_tables() -> None:
    op.create_table(
        "postcode_district",
        sa.Column("district", KeyText(4), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("postcodes", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "latitude BETWEEN 49 AND 61 AND longitude BETWEEN -9 AND 2",
            name=op.f("ck_postcode_district_centre_is_in_the_uk"),
        ),
        sa.CheckConstraint("postcodes > 0", name=op.f("ck_postcode_district_of_some_postcodes")),
        sa.PrimaryKeyConstraint("district", name=op.f("pk_postcode_district")),
    )
    op.create_table(
        "travel_said",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("one", KeyText(4), nullable=False),
        sa.Column("other", KeyText(4), nullable=False),
        sa.Column("travels_by", sa.String(length=8), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("said_at", UTCDateTime(), nullable=False),
        sa.Column("said_by_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("one <= other", name=op.f("ck_travel_said_once_a_pair")),
        sa.CheckConstraint("minutes BETWEEN 1 AND 480", name=op.f("ck_travel_said_minutes_are_sane")),
        sa.CheckConstraint("travels_by IN ('car', 'transit')", name=op.f("ck_travel_said_travels_by_is_known")),
        sa.ForeignKeyConstraint(["said_by_id"], ["staff_user.id"], name=op.f("fk_travel_said_said_by_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_travel_said")),
        sa.UniqueConstraint("one", "other", "travels_by", name=op.f("uq_travel_said_one_other_travels_by")),
    )
    op.create_table(
        "visit_hold",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("place", sa.String(length=8), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("runs_out_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('first_visit', 'second_opinion', 'stage_two_session', 're_visit')",
            name=op.f("ck_visit_hold_purpose_is_known"),
        ),
        sa.CheckConstraint("place IN ('home', 'video', 'office')", name=op.f("ck_visit_hold_place_is_known")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_visit_hold_ends_after_it_starts")),
        sa.CheckConstraint(
            "runs_out_at > made_at AND runs_out_at <= starts_at", name=op.f("ck_visit_hold_runs_out_in_time")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_visit_hold_case_id_case_file")),
        sa.ForeignKeyConstraint(["made_by_id"], ["staff_user.id"], name=op.f("fk_visit_hold_made_by_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_hold")),
    )
    op.create_index("ix_visit_hold_case_id", "visit_hold", ["case_id"])
    op.create_index("ix_visit_hold_runs_out_at", "visit_hold", ["runs_out_at"])
    op.create_table(
        "busy_span",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("officer_id", sa.Integer(), nullable=False),
        sa.Column("source", KeyText(40), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_busy_span_ends_after_it_starts")),
        sa.ForeignKeyConstraint(["officer_id"], ["staff_user.id"], name=op.f("fk_busy_span_officer_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_busy_span")),
    )
    op.create_index("ix_busy_span_officer", "busy_span", ["officer_id", "source", "starts_at"])
    op.create_table(
        "busy_calendar",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("officer_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("host", sa.String(length=253), nullable=False),
        sa.Column("address_sealed", sa.Text(), nullable=False),
        sa.Column("sign_in_sealed", sa.Text(), nullable=True),
        sa.Column("added_at", UTCDateTime(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("tried_at", UTCDateTime(), nullable=True),
        sa.Column("read_at", UTCDateTime(), nullable=True),
        sa.Column("fault", sa.String(length=300), nullable=True),
        sa.Column("fails", sa.Integer(), nullable=False),
        sa.Column("digest", KeyText(64), nullable=True),
        sa.Column("spans", sa.Integer(), nullable=False),
        sa.Column("passed_over", sa.Integer(), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("kind IN ('address', 'caldav')", name=op.f("ck_busy_calendar_kind_is_known")),
        sa.CheckConstraint(
            "fails >= 0 AND spans >= 0 AND passed_over >= 0", name=op.f("ck_busy_calendar_counts_are_counted")
        ),
        sa.ForeignKeyConstraint(["officer_id"], ["staff_user.id"], name=op.f("fk_busy_calendar_officer_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_busy_calendar")),
    )
    op.create_index("ix_busy_calendar_officer_id", "busy_calendar", ["officer_id"])
    op.create_index("ix_busy_calendar_due_at", "busy_calendar", ["due_at"])


# --- Two tables that SQLite can only make anew ------------------------------------------------------------------------


def _diary() -> tuple[Any, ...]:
    return (
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("has_own_hours", sa.Boolean(), nullable=False),
        sa.Column("visits_a_day", sa.Integer(), nullable=True),
        sa.CheckConstraint("visits_a_day BETWEEN 1 AND 12", name=op.f("ck_officer_diary_visits_a_day_is_sane")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_officer_diary_user_id_staff_user")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_officer_diary")),
    )


def _diary_more() -> tuple[Any, ...]:
    return (
        sa.Column("travels_by", sa.String(length=8), server_default="car", nullable=False),
        sa.CheckConstraint("travels_by IN ('car', 'transit')", name=op.f("ck_officer_diary_travels_by_is_known")),
    )


def _part(*, nullable: bool) -> tuple[Any, ...]:
    return (
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.Integer(), nullable=nullable),
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


def _part_more() -> tuple[Any, ...]:
    return (
        sa.Column("hold_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(visit_id IS NULL) <> (hold_id IS NULL)", name=op.f("ck_visit_officer_is_of_a_visit_or_a_hold")
        ),
        sa.ForeignKeyConstraint(["hold_id"], ["visit_hold.id"], name=op.f("fk_visit_officer_hold_id_visit_hold")),
    )


def _part_rules(*, with_hold: bool = True) -> None:
    """The indexes and the triggers, which went with the old table."""
    op.create_index("ix_visit_officer_day", "visit_officer", ["officer_id", "starts_at"])
    if with_hold:
        op.create_index("ix_visit_officer_hold_id", "visit_officer", ["hold_id"])
    for statement in overlap.statements_up("sqlite"):
        op.execute(statement)


def _rebuild(table: str, kept: tuple[str, ...], *parts: Any) -> None:
    op.create_table(f"{table}_anew", *parts)
    names = ", ".join(kept)
    op.execute(f"INSERT INTO {table}_anew ({names}) SELECT {names} FROM {table}")
    op.drop_table(table)
    op.rename_table(f"{table}_anew", table)

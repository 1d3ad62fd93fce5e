"""The calendars that officers' own programs keep with us, and the passwords of their devices

Revision: 0022, after 0021.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "app_password",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("password_hash", KeyText(64), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("last_seen_at", UTCDateTime(), nullable=True),
        sa.Column("program", sa.String(length=40), nullable=False),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_app_password_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_password")),
        sa.UniqueConstraint("password_hash", name=op.f("uq_app_password_password_hash")),
    )
    op.create_index(op.f("ix_app_password_user_id"), "app_password", ["user_id"])
    entry = op.create_table(
        "calendar_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", KeyText(255), nullable=False),
        sa.Column("uid", KeyText(255), nullable=False),
        sa.Column("visit_id", sa.Integer(), nullable=True),
        sa.Column("ics", sa.Text(), nullable=True),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=True),
        sa.Column("takes_time", sa.Boolean(), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("removed_at", UTCDateTime(), nullable=True),
        sa.Column("called_off_from_at", UTCDateTime(), nullable=True),
        sa.Column("problem", sa.String(length=12), nullable=True),
        sa.Column("problem_said_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "problem IN ('clash', 'unknown', 'not_a_time', 'taken_out')",
            name=op.f("ck_calendar_entry_problem_is_known"),
        ),
        sa.CheckConstraint("ends_at >= starts_at", name=op.f("ck_calendar_entry_ends_after_it_starts")),
        sa.CheckConstraint("ics IS NOT NULL OR body_sealed IS NOT NULL", name=op.f("ck_calendar_entry_says_something")),
        sa.CheckConstraint(
            "(problem IS NULL) = (problem_said_sealed IS NULL)", name=op.f("ck_calendar_entry_problem_is_said")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_calendar_entry_user_id_staff_user")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_calendar_entry_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_entry")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_calendar_entry_user_id_name")),
    )
    live, to_settle = sa.text("removed_at IS NULL"), sa.text("problem IS NOT NULL")
    taken_out = sa.text("called_off_from_at IS NOT NULL")
    op.create_index("ix_calendar_entry_changes", "calendar_entry", ["user_id", "change"])
    op.create_index("ix_calendar_entry_times", "calendar_entry", ["user_id", "starts_at"])
    op.create_index("ix_calendar_entry_visit_id", "calendar_entry", ["visit_id"])
    for name, columns, unique, where in (
        ("uq_calendar_entry_live_uid", ["user_id", "uid"], True, live),
        ("uq_calendar_entry_live_visit", ["user_id", "visit_id"], True, live),
        ("ix_calendar_entry_to_settle", ["user_id"], False, to_settle),
        ("ix_calendar_entry_taken_out", ["called_off_from_at"], False, taken_out),
    ):
        op.create_index(name, "calendar_entry", columns, unique=unique, sqlite_where=where, postgresql_where=where)
    _show_what_stands(entry)


def _show_what_stands(entry: sa.Table) -> None:
    """The visits that stand in officers' calendars stand in these too. Whoever changed their address has one twice:
    the newer is shown."""
    connection = op.get_bind()
    known = sa.table(
        "calendar_object",
        *(sa.column(name) for name in ("id", "user_id", "visit_id", "uid", "ics", "change")),
        *(sa.column(name, UTCDateTime()) for name in ("starts_at", "ends_at", "changed_at", "removed_at")),
    )
    rows = connection.execute(
        sa.select(known)
        .where(known.c.user_id.is_not(None), known.c.visit_id.is_not(None), known.c.removed_at.is_(None))
        .order_by(known.c.id)
    ).all()
    newest = {(row.user_id, row.visit_id): row for row in rows}
    made = [
        {
            "user_id": row.user_id,
            "name": f"{row.uid.partition('@')[0]}.ics",
            "uid": row.uid,
            "visit_id": row.visit_id,
            "ics": row.ics,
            "starts_at": row.starts_at,
            "ends_at": row.ends_at,
            "takes_time": True,
            "change": row.change,
            "changed_at": row.changed_at,
            "row_key": secrets.token_hex(16),
        }
        for row in newest.values()
    ]
    if made:
        connection.execute(entry.insert(), made)


def downgrade() -> None:
    op.drop_table("calendar_entry")
    op.drop_table("app_password")

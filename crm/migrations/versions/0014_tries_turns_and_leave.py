"""Tries to reach somebody, closings that wait for a manager, whose turn an enquiry was, and who is on leave

Revision: 0014, after 0013.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# What a try was called on the timeline, from before tries were kept apart from it.
_TITLES = {
    "no_answer": "Rang, no answer: ",
    "voicemail": "Rang, left a voicemail: ",
    "text": "Sent a text: ",
    "email": "Sent an email: ",
    "wrong_number": "Rang, wrong number: ",
}


def upgrade() -> None:
    op.create_table(
        "contact_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("how", sa.String(length=16), nullable=False),
        sa.Column("tried_at", UTCDateTime(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("timeline_entry_id", sa.Integer(), nullable=True),
        sa.Column("undone_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint(
            "how IN ('no_answer', 'voicemail', 'text', 'email', 'wrong_number')",
            name=op.f("ck_contact_attempt_how_is_known"),
        ),
        sa.ForeignKeyConstraint(["by_id"], ["staff_user.id"], name=op.f("fk_contact_attempt_by_id_staff_user")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_contact_attempt_case_id_case_file")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_contact_attempt_person_id_person")),
        sa.ForeignKeyConstraint(
            ["timeline_entry_id"],
            ["timeline_entry.id"],
            name=op.f("fk_contact_attempt_timeline_entry_id_timeline_entry"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_attempt")),
    )
    op.create_index("ix_contact_attempt_case", "contact_attempt", ["case_id", "tried_at", "id"])
    op.create_index("ix_contact_attempt_person_id", "contact_attempt", ["person_id"])
    op.create_index("ix_contact_attempt_timeline_entry_id", "contact_attempt", ["timeline_entry_id"])
    for how, title in _TITLES.items():
        op.execute(
            sa.text(
                "INSERT INTO contact_attempt (case_id, person_id, how, tried_at, by_id, timeline_entry_id) "
                "SELECT case_id, person_id, :how, occurred_at, actor_id, id FROM timeline_entry "
                "WHERE kind = 'contact' AND person_id IS NOT NULL AND title LIKE :title ORDER BY id"
            ).bindparams(how=how, title=f"{title}%")
        )
    op.create_table(
        "closing_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("asked_by_id", sa.Integer(), nullable=False),
        sa.Column("words_sealed", sa.Text(), nullable=True),
        sa.Column("write_to_them", sa.Boolean(), nullable=False),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.Column("settled_by_id", sa.Integer(), nullable=True),
        sa.Column("agreed", sa.Boolean(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "settled_at IS NOT NULL OR agreed IS NULL", name=op.f("ck_closing_request_answered_when_settled")
        ),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["staff_user.id"], name=op.f("fk_closing_request_asked_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_closing_request_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["settled_by_id"], ["staff_user.id"], name=op.f("fk_closing_request_settled_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closing_request")),
    )
    waits = sa.text("settled_at IS NULL")
    op.create_index("ix_closing_request_case_id", "closing_request", ["case_id"])
    op.create_index(
        "uq_closing_request_open",
        "closing_request",
        ["case_id"],
        unique=True,
        sqlite_where=waits,
        postgresql_where=waits,
    )
    op.create_index(
        "ix_closing_request_waiting",
        "closing_request",
        ["asked_at", "id"],
        sqlite_where=waits,
        postgresql_where=waits,
    )
    op.create_table(
        "enquiry_turn",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("area", KeyText(80), nullable=False),
        sa.Column("taken_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_enquiry_turn_case_id_case_file")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_enquiry_turn_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enquiry_turn")),
    )
    op.create_index("ix_enquiry_turn_case_id", "enquiry_turn", ["case_id"])
    op.create_index("ix_enquiry_turn_recent", "enquiry_turn", ["area", "user_id", "taken_at"])
    op.create_table(
        "area_turn",
        sa.Column("area", KeyText(80), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("area", name=op.f("pk_area_turn")),
    )
    op.create_table(
        "staff_leave",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("cover_id", sa.Integer(), nullable=True),
        sa.Column("noted_at", UTCDateTime(), nullable=False),
        sa.Column("noted_by_id", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("last_on >= first_on", name=op.f("ck_staff_leave_ends_after_it_begins")),
        sa.CheckConstraint("cover_id <> user_id", name=op.f("ck_staff_leave_cover_is_another")),
        sa.ForeignKeyConstraint(["cover_id"], ["staff_user.id"], name=op.f("fk_staff_leave_cover_id_staff_user")),
        sa.ForeignKeyConstraint(["noted_by_id"], ["staff_user.id"], name=op.f("fk_staff_leave_noted_by_id_staff_user")),
        sa.ForeignKeyConstraint(["user_id"], ["staff_user.id"], name=op.f("fk_staff_leave_user_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_leave")),
    )
    op.create_index("ix_staff_leave_of", "staff_leave", ["user_id", "last_on"])
    op.create_index("ix_staff_leave_cover", "staff_leave", ["cover_id", "last_on"])
    op.add_column("staff_user", sa.Column("enquiries_at_once", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("staff_user", "enquiries_at_once")
    for table in ("staff_leave", "area_turn", "enquiry_turn", "closing_request", "contact_attempt"):
        op.drop_table(table)

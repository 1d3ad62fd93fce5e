"""Preparation courses: sessions, places, who came, notes and certificates

Revision: 0017, after 0016.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prep_course",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=True),
        sa.Column("link", sa.String(length=300), nullable=True),
        sa.Column("getting_in", sa.String(length=300), nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("outside_facilitators", sa.String(length=200), nullable=True),
        sa.Column("first_starts_at", UTCDateTime(), nullable=False),
        sa.Column("last_ends_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("cancelled_at", UTCDateTime(), nullable=True),
        sa.Column("cancelled_why", sa.String(length=200), nullable=True),
        sa.Column("register_asked_at", UTCDateTime(), nullable=True),
        sa.Column("register_task_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(status = 'cancelled') = (cancelled_at IS NOT NULL)", name=op.f("ck_prep_course_cancelled_has_its_time")
        ),
        sa.CheckConstraint("status IN ('planned', 'cancelled')", name=op.f("ck_prep_course_status_is_known")),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_prep_course_capacity_is_positive")),
        sa.CheckConstraint("last_ends_at > first_starts_at", name=op.f("ck_prep_course_ends_after_it_starts")),
        sa.CheckConstraint("place IS NOT NULL OR link IS NOT NULL", name=op.f("ck_prep_course_is_somewhere")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["staff_user.id"], name=op.f("fk_prep_course_created_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["register_task_id"], ["task.id"], name=op.f("fk_prep_course_register_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prep_course")),
    )
    op.create_index(op.f("ix_prep_course_register_task_id"), "prep_course", ["register_task_id"])
    op.create_index("ix_prep_course_starts", "prep_course", ["first_starts_at", "id"])
    op.create_index(
        "ix_prep_course_to_ask",
        "prep_course",
        ["last_ends_at"],
        sqlite_where=sa.text("register_asked_at IS NULL"),
        postgresql_where=sa.text("register_asked_at IS NULL"),
    )
    op.create_table(
        "prep_course_certificate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("number", KeyText(12), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("issued_by_id", sa.Integer(), nullable=False),
        sa.Column("taken_back_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case_file.id"], name=op.f("fk_prep_course_certificate_case_id_case_file")
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["prep_course.id"], name=op.f("fk_prep_course_certificate_course_id_prep_course")
        ),
        sa.ForeignKeyConstraint(
            ["issued_by_id"], ["staff_user.id"], name=op.f("fk_prep_course_certificate_issued_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_prep_course_certificate_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prep_course_certificate")),
        sa.UniqueConstraint("course_id", "person_id", name=op.f("uq_prep_course_certificate_course_id_person_id")),
        sa.UniqueConstraint("number", name=op.f("uq_prep_course_certificate_number")),
    )
    op.create_index(op.f("ix_prep_course_certificate_case_id"), "prep_course_certificate", ["case_id"])
    op.create_index(op.f("ix_prep_course_certificate_person_id"), "prep_course_certificate", ["person_id"])
    op.create_table(
        "prep_course_facilitator",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["prep_course.id"], name=op.f("fk_prep_course_facilitator_course_id_prep_course")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["staff_user.id"], name=op.f("fk_prep_course_facilitator_user_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prep_course_facilitator")),
        sa.UniqueConstraint("course_id", "user_id", name=op.f("uq_prep_course_facilitator_course_id_user_id")),
    )
    op.create_index(op.f("ix_prep_course_facilitator_user_id"), "prep_course_facilitator", ["user_id"])
    op.create_table(
        "prep_course_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("strengths_sealed", sa.Text(), nullable=True),
        sa.Column("to_explore_sealed", sa.Text(), nullable=True),
        sa.Column("written_by_id", sa.Integer(), nullable=False),
        sa.Column("written_at", UTCDateTime(), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "strengths_sealed IS NOT NULL OR to_explore_sealed IS NOT NULL",
            name=op.f("ck_prep_course_note_says_something"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_prep_course_note_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["course_id"], ["prep_course.id"], name=op.f("fk_prep_course_note_course_id_prep_course")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_prep_course_note_person_id_person")),
        sa.ForeignKeyConstraint(
            ["written_by_id"], ["staff_user.id"], name=op.f("fk_prep_course_note_written_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prep_course_note")),
    )
    op.create_index(op.f("ix_prep_course_note_case_id"), "prep_course_note", ["case_id"])
    op.create_index(op.f("ix_prep_course_note_course_id"), "prep_course_note", ["course_id"])
    op.create_index(op.f("ix_prep_course_note_person_id"), "prep_course_note", ["person_id"])
    op.create_table(
        "prep_course_place",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("seat", sa.Integer(), nullable=True),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("needs_sealed", sa.Text(), nullable=True),
        sa.Column("given_up_at", UTCDateTime(), nullable=True),
        sa.Column("given_up_why_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "(status = 'confirmed') = (seat IS NOT NULL)", name=op.f("ck_prep_course_place_confirmed_has_a_seat")
        ),
        sa.CheckConstraint(
            "(status = 'given_up') = (given_up_at IS NOT NULL)", name=op.f("ck_prep_course_place_given_up_has_its_time")
        ),
        sa.CheckConstraint(
            "status IN ('confirmed', 'waiting', 'given_up')", name=op.f("ck_prep_course_place_status_is_known")
        ),
        sa.CheckConstraint("seat > 0", name=op.f("ck_prep_course_place_seats_count_from_one")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_prep_course_place_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["course_id"], ["prep_course.id"], name=op.f("fk_prep_course_place_course_id_prep_course")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_prep_course_place_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prep_course_place")),
        sa.UniqueConstraint("course_id", "person_id", name=op.f("uq_prep_course_place_course_id_person_id")),
        sa.UniqueConstraint("course_id", "seat", name=op.f("uq_prep_course_place_course_id_seat")),
    )
    op.create_index(op.f("ix_prep_course_place_case_id"), "prep_course_place", ["case_id"])
    op.create_index(op.f("ix_prep_course_place_person_id"), "prep_course_place", ["person_id"])
    op.create_table(
        "prep_course_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("topics", sa.String(length=200), nullable=True),
        sa.Column("place", sa.String(length=200), nullable=True),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("calendar_uid", sa.String(length=120), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("reminded_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_prep_course_session_ends_after_it_starts")),
        sa.ForeignKeyConstraint(
            ["course_id"], ["prep_course.id"], name=op.f("fk_prep_course_session_course_id_prep_course")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prep_course_session")),
    )
    op.create_index(op.f("ix_prep_course_session_course_id"), "prep_course_session", ["course_id"])
    op.create_index(
        "ix_prep_course_session_to_remind",
        "prep_course_session",
        ["starts_at"],
        sqlite_where=sa.text("reminded_at IS NULL"),
        postgresql_where=sa.text("reminded_at IS NULL"),
    )
    op.create_table(
        "prep_course_attendance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("how", sa.String(length=10), nullable=False),
        sa.Column("made_up_on", sa.Date(), nullable=True),
        sa.Column("made_up_where", sa.String(length=160), nullable=True),
        sa.Column("marked_at", UTCDateTime(), nullable=False),
        sa.Column("marked_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(how = 'made_up') = (made_up_on IS NOT NULL) AND (how = 'made_up') = (made_up_where IS NOT NULL)",
            name=op.f("ck_prep_course_attendance_made_up_says_when_and_where"),
        ),
        sa.CheckConstraint(
            "how IN ('came', 'part', 'missed', 'made_up')", name=op.f("ck_prep_course_attendance_how_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["marked_by_id"], ["staff_user.id"], name=op.f("fk_prep_course_attendance_marked_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_prep_course_attendance_person_id_person")),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["prep_course_session.id"],
            name=op.f("fk_prep_course_attendance_session_id_prep_course_session"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prep_course_attendance")),
        sa.UniqueConstraint("session_id", "person_id", name=op.f("uq_prep_course_attendance_session_id_person_id")),
    )
    op.create_index(op.f("ix_prep_course_attendance_person_id"), "prep_course_attendance", ["person_id"])


def downgrade() -> None:
    op.drop_table("prep_course_attendance")
    op.drop_table("prep_course_session")
    op.drop_table("prep_course_place")
    op.drop_table("prep_course_note")
    op.drop_table("prep_course_facilitator")
    op.drop_table("prep_course_certificate")
    op.drop_table("prep_course")

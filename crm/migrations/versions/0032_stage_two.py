"""Stage 2: sessions, what each statement of a report rests on, midway reviews and second opinions

Revision: 0032, after 0031.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import UTCDateTime

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assessment_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("planned_month", sa.Date(), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=True),
        sa.Column("visit_id", sa.Integer(), nullable=True),
        sa.Column("held_on", sa.Date(), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("led_by_id", sa.Integer(), nullable=True),
        sa.Column("also_there_sealed", sa.Text(), nullable=True),
        sa.Column("notes_sealed", sa.Text(), nullable=True),
        sa.Column("written_up_at", UTCDateTime(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "(held_on IS NULL) = (minutes IS NULL) AND (held_on IS NULL) = (led_by_id IS NULL)",
            name=op.f("ck_assessment_session_held_says_how_long_and_by_whom"),
        ),
        sa.CheckConstraint(
            "(written_up_at IS NULL) = (notes_sealed IS NULL)", name=op.f("ck_assessment_session_written_up_has_notes")
        ),
        sa.CheckConstraint(
            "minutes IS NULL OR minutes BETWEEN 1 AND 720", name=op.f("ck_assessment_session_minutes_are_sane")
        ),
        sa.CheckConstraint("number BETWEEN 1 AND 40", name=op.f("ck_assessment_session_number_is_sane")),
        sa.CheckConstraint(
            "visit_id IS NULL OR held_on IS NOT NULL", name=op.f("ck_assessment_session_made_as_a_visit_is_held")
        ),
        sa.CheckConstraint(
            "written_up_at IS NULL OR held_on IS NOT NULL", name=op.f("ck_assessment_session_written_up_once_held")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_assessment_session_application_id_application")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_assessment_session_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["led_by_id"], ["staff_user.id"], name=op.f("fk_assessment_session_led_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_assessment_session_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment_session")),
        sa.UniqueConstraint("application_id", "number", name=op.f("uq_assessment_session_application_id_number")),
        sa.UniqueConstraint("visit_id", name=op.f("uq_assessment_session_visit_id")),
    )
    op.create_index(op.f("ix_assessment_session_case_id"), "assessment_session", ["case_id"])
    op.create_table(
        "assessment_session_heading",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("is_planned", sa.Boolean(), nullable=False),
        sa.Column("is_covered", sa.Boolean(), nullable=False),
        sa.CheckConstraint("is_planned OR is_covered", name=op.f("ck_assessment_session_heading_planned_or_covered")),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["assessment_session.id"],
            name=op.f("fk_assessment_session_heading_session_id_assessment_session"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment_session_heading")),
        sa.UniqueConstraint("session_id", "name", name=op.f("uq_assessment_session_heading_session_id_name")),
    )
    op.create_index(op.f("ix_assessment_session_heading_session_id"), "assessment_session_heading", ["session_id"])
    op.create_table(
        "assessment_session_person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_assessment_session_person_person_id_person")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["assessment_session.id"],
            name=op.f("fk_assessment_session_person_session_id_assessment_session"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment_session_person")),
        sa.UniqueConstraint("session_id", "person_id", name=op.f("uq_assessment_session_person_session_id_person_id")),
    )
    op.create_index(op.f("ix_assessment_session_person_person_id"), "assessment_session_person", ["person_id"])
    op.create_table(
        "report_evidence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("section", sa.String(length=30), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("said_as", sa.String(length=12), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=True),
        sa.Column("referee_id", sa.Integer(), nullable=True),
        sa.Column("check_id", sa.Integer(), nullable=True),
        sa.Column("document_id", sa.Integer(), nullable=True),
        sa.Column("course_id", sa.Integer(), nullable=True),
        sa.Column("part_id", sa.Integer(), nullable=True),
        sa.Column("visit_id", sa.Integer(), nullable=True),
        sa.Column("other_source_sealed", sa.Text(), nullable=True),
        sa.Column("words_sealed", sa.Text(), nullable=False),
        sa.Column("added_on", sa.Date(), nullable=False),
        sa.Column("added_by_id", sa.Integer(), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "(kind = 'answer') = (part_id IS NOT NULL)", name=op.f("ck_report_evidence_answer_is_named")
        ),
        sa.CheckConstraint("(kind = 'check') = (check_id IS NOT NULL)", name=op.f("ck_report_evidence_check_is_named")),
        sa.CheckConstraint(
            "(kind = 'course') = (course_id IS NOT NULL)", name=op.f("ck_report_evidence_course_is_named")
        ),
        sa.CheckConstraint(
            "(kind = 'document') = (document_id IS NOT NULL)", name=op.f("ck_report_evidence_document_is_named")
        ),
        sa.CheckConstraint(
            "(kind = 'other') = (other_source_sealed IS NOT NULL)",
            name=op.f("ck_report_evidence_other_says_where_from"),
        ),
        sa.CheckConstraint(
            "(kind = 'reference') = (referee_id IS NOT NULL)", name=op.f("ck_report_evidence_reference_is_named")
        ),
        sa.CheckConstraint(
            "(kind = 'session') = (session_id IS NOT NULL)", name=op.f("ck_report_evidence_session_is_named")
        ),
        sa.CheckConstraint("(kind = 'visit') = (visit_id IS NOT NULL)", name=op.f("ck_report_evidence_visit_is_named")),
        sa.CheckConstraint(
            "kind IN ('session', 'reference', 'check', 'document', 'course', 'answer', 'visit', 'other')",
            name=op.f("ck_report_evidence_kind_is_known"),
        ),
        sa.CheckConstraint(
            "said_as IN ('fact', 'opinion', 'third_party')", name=op.f("ck_report_evidence_said_as_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["added_by_id"], ["staff_user.id"], name=op.f("fk_report_evidence_added_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_report_evidence_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["check_id"], ["stage_one_check.id"], name=op.f("fk_report_evidence_check_id_stage_one_check")
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["prep_course.id"], name=op.f("fk_report_evidence_course_id_prep_course")
        ),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_report_evidence_document_id_document")),
        sa.ForeignKeyConstraint(
            ["part_id"], ["application_part.id"], name=op.f("fk_report_evidence_part_id_application_part")
        ),
        sa.ForeignKeyConstraint(["referee_id"], ["referee.id"], name=op.f("fk_report_evidence_referee_id_referee")),
        sa.ForeignKeyConstraint(
            ["report_id"], ["assessment_report.id"], name=op.f("fk_report_evidence_report_id_assessment_report")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["assessment_session.id"], name=op.f("fk_report_evidence_session_id_assessment_session")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_report_evidence_visit_id_visit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_evidence")),
    )
    op.create_index(op.f("ix_report_evidence_case_id"), "report_evidence", ["case_id"])
    op.create_index(op.f("ix_report_evidence_report_id"), "report_evidence", ["report_id"])
    op.create_index(op.f("ix_report_evidence_session_id"), "report_evidence", ["session_id"])
    op.create_table(
        "assessment_review",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("words_sealed", sa.Text(), nullable=False),
        sa.Column("recorded_at", UTCDateTime(), nullable=False),
        sa.Column("recorded_by_id", sa.Integer(), nullable=False),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "(kind = 'midway') = (outcome IS NOT NULL)", name=op.f("ck_assessment_review_midway_says_how_to_go_on")
        ),
        sa.CheckConstraint("kind IN ('midway', 'second_opinion')", name=op.f("ck_assessment_review_kind_is_known")),
        sa.CheckConstraint(
            "outcome IN ('go_on', 'brief_report', 'stop_and_talk')", name=op.f("ck_assessment_review_outcome_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_assessment_review_application_id_application")
        ),
        sa.ForeignKeyConstraint(["by_id"], ["staff_user.id"], name=op.f("fk_assessment_review_by_id_staff_user")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_assessment_review_case_id_case_file")),
        sa.ForeignKeyConstraint(
            ["recorded_by_id"], ["staff_user.id"], name=op.f("fk_assessment_review_recorded_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment_review")),
    )
    op.create_index(op.f("ix_assessment_review_application_id"), "assessment_review", ["application_id"])
    op.create_index(op.f("ix_assessment_review_case_id"), "assessment_review", ["case_id"])


def downgrade() -> None:
    op.drop_table("assessment_review")
    op.drop_table("report_evidence")
    op.drop_table("assessment_session_person")
    op.drop_table("assessment_session_heading")
    op.drop_table("assessment_session")

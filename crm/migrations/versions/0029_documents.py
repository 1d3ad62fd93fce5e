"""Documents that households hand in

Revision: 0029, after 0028.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

SENSITIVITIES = "'ordinary', 'personal', 'health', 'offence', 'reference', 'safety'"
PICTURES = ("image/jpeg", "image/png")
PAPER = "application/pdf"


def upgrade() -> None:
    _media_is_one_of((*PICTURES, PAPER))
    op.create_table(
        "document",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", KeyText(22), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("sensitivity", sa.String(length=12), nullable=False),
        sa.Column("words_sealed", sa.Text(), nullable=True),
        sa.Column("asked_at", UTCDateTime(), nullable=True),
        sa.Column("asked_by_id", sa.Integer(), nullable=True),
        sa.Column("not_needed_at", UTCDateTime(), nullable=True),
        sa.Column("not_needed_by_id", sa.Integer(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(f"sensitivity IN ({SENSITIVITIES})", name=op.f("ck_document_sensitivity_is_known")),
        sa.CheckConstraint("(asked_at IS NULL) = (asked_by_id IS NULL)", name=op.f("ck_document_asked_by_somebody")),
        sa.CheckConstraint(
            "(not_needed_at IS NULL) = (not_needed_by_id IS NULL)", name=op.f("ck_document_not_needed_says_who")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_document_case_id_case_file")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_document_person_id_person")),
        sa.ForeignKeyConstraint(["asked_by_id"], ["staff_user.id"], name=op.f("fk_document_asked_by_id_staff_user")),
        sa.ForeignKeyConstraint(
            ["not_needed_by_id"], ["staff_user.id"], name=op.f("fk_document_not_needed_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint("public_id", name=op.f("uq_document_public_id")),
    )
    op.create_index(op.f("ix_document_case_id"), "document", ["case_id"])
    op.create_index(op.f("ix_document_person_id"), "document", ["person_id"])
    op.create_table(
        "document_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("handed_in_at", UTCDateTime(), nullable=False),
        sa.Column("handed_in_by_id", sa.Integer(), nullable=True),
        sa.Column("taken_in_by_id", sa.Integer(), nullable=True),
        sa.Column("looked_at_at", UTCDateTime(), nullable=True),
        sa.Column("looked_at_by_id", sa.Integer(), nullable=True),
        sa.Column("original_seen_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("asked_anew_at", UTCDateTime(), nullable=True),
        sa.Column("why_sealed", sa.Text(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "state IN ('with_us', 'accepted', 'sent_back')", name=op.f("ck_document_version_state_is_known")
        ),
        sa.CheckConstraint(
            "(handed_in_by_id IS NULL) = (taken_in_by_id IS NOT NULL)",
            name=op.f("ck_document_version_by_one_of_them"),
        ),
        sa.CheckConstraint(
            "(state = 'with_us') = (looked_at_at IS NULL)", name=op.f("ck_document_version_looked_at_says_when")
        ),
        sa.CheckConstraint(
            "state = 'accepted' OR (ends_on IS NULL AND original_seen_on IS NULL)",
            name=op.f("ck_document_version_accepted_holds"),
        ),
        sa.CheckConstraint(
            "(state = 'sent_back') = (why_sealed IS NOT NULL)", name=op.f("ck_document_version_sent_back_says_why")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_document_version_document_id_document")
        ),
        sa.ForeignKeyConstraint(
            ["handed_in_by_id"], ["person.id"], name=op.f("fk_document_version_handed_in_by_id_person")
        ),
        sa.ForeignKeyConstraint(
            ["taken_in_by_id"], ["staff_user.id"], name=op.f("fk_document_version_taken_in_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(
            ["looked_at_by_id"], ["staff_user.id"], name=op.f("fk_document_version_looked_at_by_id_staff_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_version")),
        sa.UniqueConstraint("document_id", "number", name=op.f("uq_document_version_document_id_number")),
    )
    op.create_index("ix_document_version_ends", "document_version", ["ends_on"])
    op.create_table(
        "document_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", KeyText(22), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("sheets", sa.Integer(), nullable=False),
        sa.Column("scan", sa.String(length=8), nullable=False),
        sa.Column("scan_next_at", UTCDateTime(), nullable=True),
        sa.Column("scan_tries", sa.Integer(), nullable=False),
        sa.Column("scanned_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("scan IN ('waiting', 'clean')", name=op.f("ck_document_file_scan_is_known")),
        sa.CheckConstraint(
            "(scan = 'waiting') = (scan_next_at IS NOT NULL)", name=op.f("ck_document_file_waiting_says_until_when")
        ),
        sa.CheckConstraint(
            "(scan = 'waiting') = (scanned_at IS NULL)", name=op.f("ck_document_file_looked_through_says_when")
        ),
        sa.CheckConstraint("sheets > 0", name=op.f("ck_document_file_has_sheets")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["document_version.id"], name=op.f("fk_document_file_version_id_document_version")
        ),
        sa.ForeignKeyConstraint(["file_id"], ["stored_file.id"], name=op.f("fk_document_file_file_id_stored_file")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_file")),
        sa.UniqueConstraint("public_id", name=op.f("uq_document_file_public_id")),
        sa.UniqueConstraint("file_id", name=op.f("uq_document_file_file_id")),
        sa.UniqueConstraint("version_id", "number", name=op.f("uq_document_file_version_id_number")),
    )
    op.create_index("ix_document_file_scan", "document_file", ["scan_next_at"])


def downgrade() -> None:
    op.drop_table("document_file")
    op.drop_table("document_version")
    op.drop_table("document")
    op.execute(f"DELETE FROM stored_file WHERE media = '{PAPER}'")
    _media_is_one_of(PICTURES)


def _media_is_one_of(kinds: tuple[str, ...]) -> None:
    with op.batch_alter_table("stored_file", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_stored_file_media_is_known"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_stored_file_media_is_known"), f"media IN ({', '.join(repr(one) for one in kinds)})"
        )

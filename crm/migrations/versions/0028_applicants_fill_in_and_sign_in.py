"""Applicants fill in their application and sign in by a code

Revision: 0028, after 0027.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import KeyText, UTCDateTime

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

SENSITIVITIES = "'ordinary', 'personal', 'health', 'offence', 'reference', 'safety'"


def upgrade() -> None:
    op.create_table(
        "application_part",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("shared_name", KeyText(20), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("sensitivity", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("answers_sealed", sa.Text(), nullable=True),
        sa.Column("saved_at", UTCDateTime(), nullable=False),
        sa.Column("saved_by_id", sa.Integer(), nullable=False),
        sa.Column("done_at", UTCDateTime(), nullable=True),
        sa.Column("row_key", sa.String(length=32), nullable=False),
        sa.CheckConstraint("state IN ('begun', 'done')", name=op.f("ck_application_part_state_is_known")),
        sa.CheckConstraint(f"sensitivity IN ({SENSITIVITIES})", name=op.f("ck_application_part_sensitivity_is_known")),
        sa.CheckConstraint("(state = 'done') = (done_at IS NOT NULL)", name=op.f("ck_application_part_done_says_when")),
        sa.CheckConstraint(
            "(shared_name IS NULL) = (person_id IS NOT NULL)", name=op.f("ck_application_part_is_shared_or_somebodys")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_application_part_case_id_case_file")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_application_part_person_id_person")),
        sa.ForeignKeyConstraint(["saved_by_id"], ["person.id"], name=op.f("fk_application_part_saved_by_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application_part")),
        sa.UniqueConstraint("case_id", "person_id", "name", name=op.f("uq_application_part_case_id_person_id_name")),
        sa.UniqueConstraint("case_id", "shared_name", name=op.f("uq_application_part_case_id_shared_name")),
    )
    op.create_index(op.f("ix_application_part_case_id"), "application_part", ["case_id"])
    op.create_index(op.f("ix_application_part_person_id"), "application_part", ["person_id"])
    op.create_table(
        "sign_in_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", KeyText(64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("code_digest", KeyText(64), nullable=False),
        sa.Column("is_handed", sa.Boolean(), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint(
            "NOT is_handed OR (person_id IS NOT NULL AND made_by_id IS NOT NULL)",
            name=op.f("ck_sign_in_code_handed_by_whom"),
        ),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_sign_in_code_tries_are_counted")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_sign_in_code_person_id_person"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["made_by_id"], ["staff_user.id"], name=op.f("fk_sign_in_code_made_by_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_code")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_in_code_token_hash")),
    )
    op.create_index(op.f("ix_sign_in_code_person_id"), "sign_in_code", ["person_id"])
    op.create_index(op.f("ix_sign_in_code_ends_at"), "sign_in_code", ["ends_at"])


def downgrade() -> None:
    op.drop_table("sign_in_code")
    op.drop_table("application_part")

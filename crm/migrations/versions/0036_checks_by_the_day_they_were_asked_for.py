"""Checks by the day they were asked for: how long they take is read from an index alone

Revision: 0036, after 0035.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

WAS_ASKED_FOR = sa.text("requested_on IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_stage_one_check_asked",
        "stage_one_check",
        ["requested_on", "item", "received_on", "dropped_on", "application_id", "chased_on", "case_id"],
        sqlite_where=WAS_ASKED_FOR,
        postgresql_where=WAS_ASKED_FOR,
    )


def downgrade() -> None:
    op.drop_index("ix_stage_one_check_asked", table_name="stage_one_check")

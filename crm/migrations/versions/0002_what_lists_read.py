"""A case says which rule its next action comes from, and somebody's parts in cases are found by their kind

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("case_file", sa.Column("next_action_rule", sa.String(length=40), nullable=True))
    op.execute(
        "UPDATE case_file SET next_action_rule = (SELECT rule FROM deadline WHERE deadline.case_id = case_file.id "
        "AND deadline.stopped_on IS NULL ORDER BY deadline.due_on, deadline.id LIMIT 1) WHERE next_action IS NOT NULL"
    )
    op.drop_index("ix_case_assignment_user_id", table_name="case_assignment")
    op.create_index("ix_case_assignment_part", "case_assignment", ["user_id", "role", "until_on", "from_on", "case_id"])
    op.drop_index("ix_person_given_key", table_name="person")
    op.drop_index("ix_person_family_key", table_name="person")
    op.create_index("ix_person_given_name", "person", ["given_key", "family_key"])
    running = sa.text("stopped_on IS NULL")
    op.create_index(
        "ix_deadline_of_rule", "deadline", ["rule", "due_on"], sqlite_where=running, postgresql_where=running
    )


def downgrade() -> None:
    op.drop_index("ix_deadline_of_rule", table_name="deadline")
    op.drop_index("ix_person_given_name", table_name="person")
    op.create_index("ix_person_family_key", "person", ["family_key"])
    op.create_index("ix_person_given_key", "person", ["given_key"])
    op.drop_index("ix_case_assignment_part", table_name="case_assignment")
    op.create_index("ix_case_assignment_user_id", "case_assignment", ["user_id"])
    op.drop_column("case_file", "next_action_rule")

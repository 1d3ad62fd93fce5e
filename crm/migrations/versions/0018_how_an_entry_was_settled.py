"""What became of an entry of the door that was kept aside

Revision: 0018, after 0017.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("kit_aside", sa.Column("settled_how", sa.String(length=12), nullable=True))
    op.execute("UPDATE kit_aside SET settled_how = 'dropped' WHERE settled_at IS NOT NULL")
    with op.batch_alter_table("kit_aside") as table:
        table.create_check_constraint(
            op.f("ck_kit_aside_settled_how_is_known"), "settled_how IN ('stored', 'guest', 'dropped')"
        )
        table.create_check_constraint(
            op.f("ck_kit_aside_is_settled_somehow"), "(settled_at IS NULL) = (settled_how IS NULL)"
        )


def downgrade() -> None:
    with op.batch_alter_table("kit_aside") as table:
        table.drop_constraint(op.f("ck_kit_aside_is_settled_somehow"), type_="check")
        table.drop_constraint(op.f("ck_kit_aside_settled_how_is_known"), type_="check")
    op.drop_column("kit_aside", "settled_how")

"""Whether somebody wants a letter about their day each morning, and which day's was last thought of

Revision: 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff_user", sa.Column("wants_digest", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("staff_user", sa.Column("digest_on", sa.Date(), nullable=True))


def downgrade() -> None:
    for column in ("digest_on", "wants_digest"):
        op.drop_column("staff_user", column)

"""The ways and the times in which somebody does not want to be reached

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WAYS = ("no_texts", "no_emails", "no_letters")


def upgrade() -> None:
    for way in WAYS:
        op.add_column("person", sa.Column(way, sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("person", sa.Column("quiet_times", sa.String(length=60), nullable=True))


def downgrade() -> None:
    op.drop_column("person", "quiet_times")
    for way in reversed(WAYS):
        op.drop_column("person", way)

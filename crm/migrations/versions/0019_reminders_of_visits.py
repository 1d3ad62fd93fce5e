"""Of which beginning of a visit its household was reminded

Revision: 0019, after 0018.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import UTCDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("visit", sa.Column("reminded_of_at", UTCDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("visit", "reminded_of_at")

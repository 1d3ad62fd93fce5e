"""What homes the service needs

Revision: 0037, after 0036.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.db import UTCDateTime

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

KINDS = (
    "'ages_0_4', 'ages_5_10', 'ages_11_17', 'siblings', 'parent_and_child', 'teenagers', 'short_breaks', "
    "'language', 'other'"
)


def upgrade() -> None:
    op.create_table(
        "home_need",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("words", sa.String(length=80), nullable=True),
        sa.Column("homes", sa.Integer(), nullable=False),
        sa.Column("by_on", sa.Date(), nullable=True),
        sa.Column("area", sa.String(length=200), nullable=True),
        sa.Column("written_by_id", sa.Integer(), nullable=False),
        sa.Column("written_at", UTCDateTime(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("closed_by_id", sa.Integer(), nullable=True),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_home_need_kind_is_known")),
        sa.CheckConstraint(
            "(words IS NOT NULL) = (kind IN ('language', 'other'))", name=op.f("ck_home_need_own_words_where_needed")
        ),
        sa.CheckConstraint("homes BETWEEN 1 AND 500", name=op.f("ck_home_need_homes_are_some")),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (closed_by_id IS NULL)", name=op.f("ck_home_need_closed_says_by_whom")
        ),
        sa.ForeignKeyConstraint(
            ["written_by_id"], ["staff_user.id"], name=op.f("fk_home_need_written_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(["closed_by_id"], ["staff_user.id"], name=op.f("fk_home_need_closed_by_id_staff_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_home_need")),
    )
    op.create_index(
        "ix_home_need_open",
        "home_need",
        ["id"],
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("home_need")

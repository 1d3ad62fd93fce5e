"""People are found by how their names sound, by names they had, and by their mailbox; pairs that may be one are kept

Revision: 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crm.cases import keys
from crm.db import KeyText, UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BATCH = 2000


def upgrade() -> None:
    op.add_column("person", sa.Column("is_to_compare", sa.Boolean(), server_default=sa.false(), nullable=False))
    waiting = sa.text("is_to_compare")
    op.create_index("ix_person_to_compare", "person", ["id"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "other_name",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("given_name", sa.String(length=120), nullable=True),
        sa.Column("family_name", sa.String(length=120), nullable=True),
        sa.CheckConstraint("kind IN ('former', 'known_as')", name=op.f("ck_other_name_kind_is_known")),
        sa.CheckConstraint("given_name IS NOT NULL OR family_name IS NOT NULL", name=op.f("ck_other_name_is_a_name")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_other_name_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_other_name")),
    )
    op.create_index(op.f("ix_other_name_person_id"), "other_name", ["person_id"])
    op.create_table(
        "person_key",
        sa.Column("kind", KeyText(8), nullable=False),
        sa.Column("key", KeyText(120), nullable=False),
        sa.Column("person_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.CheckConstraint("kind IN ('names', 'word', 'mailbox', 'born')", name=op.f("ck_person_key_kind_is_known")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_person_key_person_id_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("kind", "key", "person_id", name=op.f("pk_person_key")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_person_key_person_id"), "person_key", ["person_id"])
    op.create_table(
        "likeness_pair",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("one_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("standing", sa.String(length=12), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("found_at", UTCDateTime(), nullable=False),
        sa.Column("decided_at", UTCDateTime(), nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("one_id < other_id", name=op.f("ck_likeness_pair_once_a_pair")),
        sa.CheckConstraint("state IN ('open', 'not_same')", name=op.f("ck_likeness_pair_state_is_known")),
        sa.CheckConstraint(
            "standing IN ('same_people', 'one_home', 'shared')", name=op.f("ck_likeness_pair_standing_is_known")
        ),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name=op.f("ck_likeness_pair_decided_says_when")),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["staff_user.id"], name=op.f("fk_likeness_pair_decided_by_id_staff_user")
        ),
        sa.ForeignKeyConstraint(
            ["one_id"], ["household.id"], name=op.f("fk_likeness_pair_one_id_household"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["household.id"], name=op.f("fk_likeness_pair_other_id_household"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_likeness_pair")),
        sa.UniqueConstraint("one_id", "other_id", name=op.f("uq_likeness_pair_one_id_other_id")),
    )
    op.create_index(op.f("ix_likeness_pair_other_id"), "likeness_pair", ["other_id"])
    op.create_index("ix_likeness_pair_list", "likeness_pair", ["state", "score", "id"])
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    """Give everybody there is their keys, some thousands at a time, and let them be compared with one another.

    A name with a letter such as ł was looked up by that letter; from now on it is by its plain one.
    """
    person = sa.table(
        "person",
        *(
            sa.column(name)
            for name in ("id", "given_name", "family_name", "given_key", "family_key", "email", "is_to_compare")
        ),
        sa.column("born_on", sa.Date()),
    )
    person_key = sa.table("person_key", sa.column("kind"), sa.column("key"), sa.column("person_id"))
    after = 0
    while True:
        rows = connection.execute(
            sa.select(
                person.c.id,
                person.c.given_name,
                person.c.family_name,
                person.c.given_key,
                person.c.family_key,
                person.c.email,
                person.c.born_on,
            )
            .where(person.c.id > after)
            .order_by(person.c.id)
            .limit(BATCH)
        ).all()
        if not rows:
            break
        after = rows[-1].id
        new_keys, spelled = [], []
        for row in rows:
            given, family = keys.name_key(row.given_name) or "", keys.name_key(row.family_name)
            if (given, family) != (row.given_key, row.family_key):
                spelled.append({"one": row.id, "given": given, "family": family})
            found = keys.person_keys(given_key=given, family_key=family, email=row.email, born_on=row.born_on)
            new_keys += [{"kind": kind, "key": key, "person_id": row.id} for kind, key in found]
        if new_keys:
            connection.execute(person_key.insert(), new_keys)
        if spelled:
            connection.execute(
                person.update()
                .where(person.c.id == sa.bindparam("one"))
                .values(given_key=sa.bindparam("given"), family_key=sa.bindparam("family")),
                spelled,
            )
    connection.execute(person.update().values(is_to_compare=sa.true()))


def downgrade() -> None:
    op.drop_table("likeness_pair")
    op.drop_table("person_key")
    op.drop_table("other_name")
    op.drop_index("ix_person_to_compare", table_name="person")
    op.drop_column("person", "is_to_compare")

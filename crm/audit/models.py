"""The audit trail's two tables, and the triggers that keep anyone from rewriting them.

``audit_entry`` is written inside the business transaction. ``audit_seal`` is written seconds later by the sealer, so
that no business transaction waits for the head of the chain. Neither refers to another table: an entry outlives what it
is about.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import DDL, BigInteger, Index, Integer, LargeBinary, String, Text, event
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, KeyText, UTCDateTime

_BigKey = BigInteger().with_variant(Integer, "sqlite")


class AuditEntry(Base):
    """One thing that somebody did or looked at."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_case_id_id", "case_id", "id"),
        Index("ix_audit_entry_subject_id", "subject", "id"),
        Index("ix_audit_entry_actor_id_id", "actor_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_BigKey, primary_key=True, autoincrement=True)
    nonce: Mapped[str] = mapped_column(KeyText(32), nullable=False, unique=True)
    """Made in order of time, so that its index grows at one end. Unique: a copied row is refused."""
    at: Mapped[datetime] = mapped_column(UTCDateTime, nullable=False)
    event: Mapped[str] = mapped_column(KeyText(60), nullable=False)
    actor_kind: Mapped[str] = mapped_column(String(20), nullable=False)
    actor_id: Mapped[int | None] = mapped_column(Integer)
    """The user's or the person's id, according to ``actor_kind``."""
    case_id: Mapped[int | None] = mapped_column(Integer)
    subject: Mapped[str | None] = mapped_column(KeyText(120))
    """What it was done to, as ``kind:id``: ``visit:12``."""
    detail_json: Mapped[str | None] = mapped_column(Text)
    mac: Mapped[bytes] = mapped_column(LargeBinary(32), nullable=False)
    """Keyed digest of all of the above, made when the row is: a row written by anyone else than us can't carry it."""

    @property
    def detail(self) -> dict[str, Any]:
        return json.loads(self.detail_json) if self.detail_json else {}


class AuditSeal(Base):
    """One link of the chain: the entry at this position, and a keyed digest of it and of everything before it."""

    __tablename__ = "audit_seal"
    position: Mapped[int] = mapped_column(_BigKey, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(_BigKey, nullable=False, unique=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), nullable=False)
    sealed_at: Mapped[datetime] = mapped_column(UTCDateTime, nullable=False)


APPEND_ONLY_TABLES = ("audit_entry", "audit_seal")


def append_only_ddl(table: str, dialect: str) -> list[str]:
    """The statements that make a table append-only (for models and migrations alike)."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        f"CREATE OR REPLACE FUNCTION {table}_refuses_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
        f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuses_change()",
        f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuses_change()",
    ]


def drop_append_only_ddl(table: str, dialect: str) -> list[str]:
    """The statements that undo ``append_only_ddl`` once the table itself is gone."""
    return [] if dialect == "sqlite" else [f"DROP FUNCTION IF EXISTS {table}_refuses_change()"]


def _on(table: Any, moment: str, statement: str, dialect: str) -> None:
    ddl: Any = DDL
    event.listen(table, moment, ddl(statement.replace("%", "%%")).execute_if(dialect=dialect))


for _model in (AuditEntry, AuditSeal):
    for _dialect in ("sqlite", "postgresql"):
        for _statement in append_only_ddl(_model.__tablename__, _dialect):
            _on(_model.__table__, "after_create", _statement, _dialect)
        for _statement in drop_append_only_ddl(_model.__tablename__, _dialect):
            _on(_model.__table__, "after_drop", _statement, _dialect)

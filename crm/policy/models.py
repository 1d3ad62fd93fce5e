"""The dated rows behind the rules. Rows are added, never altered: what was in force last year can still be read.

There are few of them (hundreds, over years), all read at once and kept by each process until ``policy_version`` says
that something changed.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, KeyText, UTCDateTime, one_of


class PolicyKind(StrEnum):
    """What a row is about; its name says which one."""

    SETTING = "setting"
    PROMISE = "promise"
    CRITERION = "criterion"
    WORDING = "wording"
    PANEL = "panel"
    CHECK = "check"
    RETENTION = "retention"
    LETTER = "letter"


class PolicyVersion(Base):
    """One row. Every change of policy gives it a new number and a new token, by which processes know to read again."""

    __tablename__ = "policy_version"
    __table_args__ = (CheckConstraint("id = 1", name="is_one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    token: Mapped[str] = mapped_column(KeyText(32), nullable=False)
    """Random, so that a process can't take one database's policy, or a change rolled back, for another."""
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime, nullable=False)


class PolicyRow(Base):
    """One thing that the service's policy sets, from a day on. Of several for one day, the last written counts."""

    __tablename__ = "policy_row"
    __table_args__ = (
        one_of("kind", PolicyKind),
        UniqueConstraint("kind", "name", "version"),
        Index("ix_policy_row_kind_name_in_force_from", "kind", "name", "in_force_from"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), nullable=False)
    name: Mapped[str] = mapped_column(KeyText(80), nullable=False)
    in_force_from: Mapped[date] = mapped_column(Date, nullable=False)
    value_json: Mapped[str] = mapped_column(Text, nullable=False)
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    """The policy version that this row made."""
    set_at: Mapped[datetime] = mapped_column(UTCDateTime, nullable=False)
    set_by_id: Mapped[int | None] = mapped_column(Integer)
    """The user's id; nothing for what the product began with."""


class OneOffHoliday(Base):
    """A day that counts otherwise than the bank holidays we know: proclaimed, or moved away."""

    __tablename__ = "one_off_holiday"
    __table_args__ = (UniqueConstraint("day"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    day: Mapped[date] = mapped_column(Date, nullable=False)
    name: Mapped[str] = mapped_column(String(80), nullable=False)
    is_worked: Mapped[bool] = mapped_column(default=False, nullable=False)
    """True for a listed bank holiday that is a working day after all."""
    set_at: Mapped[datetime] = mapped_column(UTCDateTime, nullable=False)
    set_by_id: Mapped[int | None] = mapped_column(Integer)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

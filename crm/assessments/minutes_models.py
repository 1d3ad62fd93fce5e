"""Tables of the minutes of an item: who signed which words, what the chair asked to have put right, and what they said
before."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of


class SignedHow(StrEnum):
    """How the chair signed."""

    SIGNED_IN = "signed_in"
    ON_PAPER = "on_paper"


class MinutesSignature(Base):
    """The chair's signature under the minutes of one item. It covers these words and no others: once they change it has
    lapsed, and is kept."""

    __tablename__ = "minutes_signature"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("panel_item.id"), index=True)
    chair_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    how: Mapped[str] = mapped_column(String(10))
    digest: Mapped[str] = mapped_column(KeyText(64))
    """SHA-256 of the words that were signed."""
    signed_on: Mapped[date] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(UTCDateTime)
    recorded_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    lapsed_on: Mapped[date | None] = mapped_column(Date)
    """The day the minutes were changed after it."""

    __table_args__ = (
        one_of("how", SignedHow),
        CheckConstraint("how = 'on_paper' OR recorded_by_id = chair_id", name="signed_in_by_the_chair"),
        Index(
            "uq_minutes_signature_in_force",
            "item_id",
            unique=True,
            sqlite_where=text("lapsed_on IS NULL"),
            postgresql_where=text("lapsed_on IS NULL"),
        ),
    )


class MinutesCorrection(RowKey, Base):
    """What the chair asks to have put right before signing."""

    __tablename__ = "minutes_correction"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("panel_item.id"), index=True)
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    words_sealed: Mapped[str | None] = mapped_column(Text)
    words = EncryptedText("words_sealed")
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    """On the day of whoever runs the panel."""
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the minutes were put right, or signed as they are."""

    __table_args__ = (
        CheckConstraint("words_sealed IS NOT NULL", name="says_what"),
        Index(
            "uq_minutes_correction_open",
            "item_id",
            unique=True,
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )


class EarlierMinutes(RowKey, Base):
    """Final minutes as they were before they were put right: somebody may have decided, or signed, on these words."""

    __tablename__ = "earlier_minutes"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("panel_item.id"), index=True)
    words_sealed: Mapped[str | None] = mapped_column(Text)
    words = EncryptedText("words_sealed")
    replaced_on: Mapped[date] = mapped_column(Date)
    replaced_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (CheckConstraint("words_sealed IS NOT NULL", name="says_what"),)

"""Tables of the day of a visit: what to know before the door, who is watched over, and who was alarmed when."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedText, RowKey, UTCDateTime, one_of


class NoteKind(StrEnum):
    """What a note about a home is about."""

    ACCESS = "access"
    DOG = "dog"
    PARKING = "parking"
    RISK = "risk"
    NOT_ALONE = "not_alone"


NOTE_WORDS = {
    NoteKind.ACCESS: "Getting in",
    NoteKind.DOG: "Dog and other animals",
    NoteKind.PARKING: "Parking",
    NoteKind.RISK: "Take care",
    NoteKind.NOT_ALONE: "Do not visit alone",
}


class HomeNote(RowKey, Base):
    """Something to know before going to a home. One that is changed ends, and another begins: what was known when can
    be read back."""

    __tablename__ = "home_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    kind: Mapped[str] = mapped_column(String(12))
    words_sealed: Mapped[str | None] = mapped_column(Text)
    words = EncryptedText("words_sealed")
    set_at: Mapped[datetime] = mapped_column(UTCDateTime)
    set_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (one_of("kind", NoteKind), Index("ix_home_note_household", "household_id", "kind"))


class VisitWatch(RowKey, Base):
    """Who looks out for the officers of one visit, and when they went in and came out.

    Of each time there are two: when it was, and when we heard of it, which a phone without signal sets apart.
    """

    __tablename__ = "visit_watch"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), unique=True)
    buddy_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"), index=True)
    checked_in_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    checked_in_heard_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    expected_out_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they mean to be out; without it, when the visit was to end."""
    checked_out_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    checked_out_heard_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    help_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When an officer asked for help; None again once they were heard from."""
    stood_down_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When somebody said that they had heard from them and that they are safe."""
    stood_down_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    stood_down_note_sealed: Mapped[str | None] = mapped_column(Text)
    stood_down_note = EncryptedText("stood_down_note_sealed")

    __table_args__ = (
        CheckConstraint("(checked_in_at IS NULL) = (checked_in_heard_at IS NULL)", name="in_and_heard"),
        CheckConstraint("(checked_out_at IS NULL) = (checked_out_heard_at IS NULL)", name="out_and_heard"),
        Index(
            "ix_visit_watch_inside",
            "checked_in_at",
            sqlite_where=text("checked_in_at IS NOT NULL AND checked_out_at IS NULL AND stood_down_at IS NULL"),
            postgresql_where=text("checked_in_at IS NOT NULL AND checked_out_at IS NULL AND stood_down_at IS NULL"),
        ),
    )

    @property
    def is_over(self) -> bool:
        """Whether we know that they are safe. Who has asked for help has to be heard: whoever has hold of their phone
        could check out."""
        is_out = self.checked_out_at is not None and self.help_at is None
        return is_out or self.stood_down_at is not None


class AlertKind(StrEnum):
    """What somebody was told, in the order in which things get worse."""

    NOT_IN = "not_in"
    """The officers: you have not checked in."""
    NOT_OUT = "not_out"
    """The officers: you have not checked out."""
    BUDDY = "buddy"
    MANAGER = "manager"
    HELP = "help"


class VisitAlert(Base):
    """Somebody was told something of a visit, once for each moment at which it fell due: the constraint has the last
    word, whatever is restarted."""

    __tablename__ = "visit_alert"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"))
    kind: Mapped[str] = mapped_column(String(8))
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    told_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it turned out that all was well, or that more time was needed."""

    __table_args__ = (
        one_of("kind", AlertKind),
        UniqueConstraint("visit_id", "kind", "due_at", name="uq_visit_alert_visit_id"),
        Index(
            "ix_visit_alert_open",
            "told_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

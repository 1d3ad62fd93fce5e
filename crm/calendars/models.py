"""Tables of what has been put into people's calendars.

One row is one event in one mailbox, under a UID that it keeps for life. Its text names nobody: no attendee, no
household, no address, so that a row shown in the wrong place tells nothing.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, KeyText, UTCDateTime


class OfficerCalendar(Base):
    """How often an officer's events have changed: what the feed's ETag and Last-Modified are made from.

    Raised on every change, a removal included: the newest event's own time would go back when it is taken away, and a
    calendar program that asks "changed since?" would keep it for ever.
    """

    __tablename__ = "officer_calendar"

    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), primary_key=True)
    changes: Mapped[int] = mapped_column(Integer, default=0)
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (CheckConstraint("changes >= 0", name="changes_are_counted"),)


class CalendarObject(Base):
    """One event for one mailbox: an officer's or an applicant's."""

    __tablename__ = "calendar_object"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visit.id"), index=True)
    """The visit it shows, or none for an event that is not about one."""
    mailbox_key: Mapped[str] = mapped_column(KeyText(32))
    """Keyed digest of the address the event went to: a changed address gets an event of its own."""
    uid: Mapped[str] = mapped_column(KeyText(255), unique=True)
    sequence: Mapped[int] = mapped_column(Integer)
    """SEQUENCE of RFC 5546 as last told."""
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ics: Mapped[str] = mapped_column(Text)
    """The VEVENT as it was rendered, with CRLF, without organiser and attendee: a feed is a join of these."""
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    change: Mapped[int] = mapped_column(Integer, default=0)
    """The owner's counter when this last changed."""
    removed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Set when it was taken out of the calendar. The row stays: its UID must never come back as something else."""

    __table_args__ = (
        CheckConstraint("(user_id IS NULL) <> (person_id IS NULL)", name="belongs_to_one"),
        CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        CheckConstraint("sequence >= 0", name="sequence_counts_up"),
        UniqueConstraint("visit_id", "mailbox_key"),
        Index("ix_calendar_object_feed", "user_id", "starts_at"),
    )


class FeedToken(Base):
    """The secret address of an officer's feed. Only its digest is kept; whoever has the address needs nothing else."""

    __tablename__ = "feed_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    token_hash: Mapped[str] = mapped_column(KeyText(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_how: Mapped[str | None] = mapped_column(String(12))

    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name="ended_says_how"),
        CheckConstraint("ended_how IN ('renewed', 'switched_off', 'left')", name="ended_how_is_known"),
    )

"""Tables of what has been put into people's calendars.

One row is one event in one mailbox, under a UID that it keeps for life. Its text names nobody: no attendee, no
household, no address, so that a row shown in the wrong place tells nothing.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedBytes, EncryptedText, KeyText, RowKey, UTCDateTime, one_of

CHANGES_OF_AN_AGE = 2**20
MOST_AGES = 2**11 - 1
"""What an integer has room for."""


class OfficerCalendar(Base):
    """How often an officer's events have changed: what the feed's ETag and Last-Modified are made from.

    Raised on every change, a removal included: the newest event's own time would go back when it is taken away, and a
    calendar program that asks "changed since?" would keep it for ever. It begins another age, far above, when a copy of
    the database was put back.
    """

    __tablename__ = "officer_calendar"

    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), primary_key=True)
    changes: Mapped[int] = mapped_column(Integer, default=0)
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    is_invited: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether their visits go to their own mailbox as invitations."""
    own_address: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    """Which of their own addresses at the mailbox of visits is good: the one before ends when they make another."""

    __table_args__ = (
        CheckConstraint("changes >= 0", name="changes_are_counted"),
        CheckConstraint("own_address >= 1", name="own_addresses_are_counted"),
    )


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
    is_invited: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether it went there as an invitation of ours: then all that becomes of it goes the same way."""

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


class BusySpan(Base):
    """Time that an officer is busy by a calendar of theirs: when, and by which calendar. Nothing else is kept."""

    __tablename__ = "busy_span"

    id: Mapped[int] = mapped_column(primary_key=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    source: Mapped[str] = mapped_column(KeyText(40))
    """Which calendar: each door names its own, and replaces only what it said itself."""
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        Index("ix_busy_span_officer", "officer_id", "source", "starts_at"),
    )


class BusyCalendar(RowKey, Base):
    """A calendar of an officer's own that is read for its busy times: where it is, and how the last reading went."""

    __tablename__ = "busy_calendar"

    id: Mapped[int] = mapped_column(primary_key=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    host: Mapped[str] = mapped_column(String(253))
    """What is shown of the address: the rest of it is as good as a password."""
    address_sealed: Mapped[str] = mapped_column(Text)
    address = EncryptedText("address_sealed")
    sign_in_sealed: Mapped[str | None] = mapped_column(Text)
    sign_in = EncryptedText("sign_in_sealed")
    """Name, a newline, password: for CalDAV."""
    added_at: Mapped[datetime] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    """When it is to be read next."""
    tried_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it was last read through."""
    fault: Mapped[str | None] = mapped_column(String(300))
    """Why it could not be read when last tried, in words for its officer."""
    fails: Mapped[int] = mapped_column(Integer, default=0)
    """Readings that failed since the last that did not."""
    digest: Mapped[str | None] = mapped_column(KeyText(64))
    """Of what was last read and the day it was worked out for: the same again needs no work."""
    spans: Mapped[int] = mapped_column(Integer, default=0)
    passed_over: Mapped[int] = mapped_column(Integer, default=0)
    """Events that could not be made sense of."""

    __table_args__ = (
        CheckConstraint("kind IN ('address', 'caldav')", name="kind_is_known"),
        CheckConstraint("fails >= 0 AND spans >= 0 AND passed_over >= 0", name="counts_are_counted"),
    )


class Problem(StrEnum):
    """Why what an officer's calendar says was not done."""

    CLASH = "clash"  # the time is not free, or the visit can't be had as things stand
    UNKNOWN = "unknown"  # no household of theirs by that reference
    NOT_A_TIME = "not_a_time"  # it repeats, or it lasts whole days
    TAKEN_OUT = "taken_out"  # taken out, where it is not plain that the visit is off


class CalendarEntry(RowKey, Base):
    """One event in the calendar that an officer's own program keeps with us over CalDAV.

    Either a visit, or the officer's private event, of which nothing but its times is used. What a program wrote is kept
    sealed, byte for byte, and goes back to that officer alone. A row is never taken out: programs ask what is gone.
    """

    __tablename__ = "calendar_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    name: Mapped[str] = mapped_column(KeyText(255))
    """The last part of its address, as the program chose it."""
    uid: Mapped[str] = mapped_column(KeyText(255))
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visit.id"))
    ics: Mapped[str | None] = mapped_column(Text)
    """The VEVENT of a visit as we render it; what is shown unless a program wrote its own."""
    body_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    body = EncryptedBytes("body_sealed")
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Of a series: empty, since nobody knows where it ends."""
    takes_time: Mapped[bool] = mapped_column(default=True)
    change: Mapped[int] = mapped_column(Integer)
    """The owner's counter when this last changed: its ETag, and where it stands for a program that syncs."""
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    called_off_from_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Set when a visit was taken out of the calendar: it is called off then, unless it comes back elsewhere first."""
    problem: Mapped[str | None] = mapped_column(String(12))
    """Why what it says was not done: it waits for the officer to settle it, and holds no time until then."""
    problem_said_sealed: Mapped[str | None] = mapped_column(Text)
    problem_said = EncryptedText("problem_said_sealed")
    """The refusal in words, and what would go instead, a line each."""

    __table_args__ = (
        one_of("problem", Problem),
        CheckConstraint("ends_at >= starts_at", name="ends_after_it_starts"),
        CheckConstraint("ics IS NOT NULL OR body_sealed IS NOT NULL", name="says_something"),
        CheckConstraint("(problem IS NULL) = (problem_said_sealed IS NULL)", name="problem_is_said"),
        UniqueConstraint("user_id", "name"),
        Index("ix_calendar_entry_changes", "user_id", "change"),
        Index("ix_calendar_entry_times", "user_id", "starts_at"),
        Index("ix_calendar_entry_visit_id", "visit_id"),
        Index(
            "uq_calendar_entry_live_uid",
            "user_id",
            "uid",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
        Index(
            "uq_calendar_entry_live_visit",
            "user_id",
            "visit_id",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
        Index(
            "ix_calendar_entry_to_settle",
            "user_id",
            sqlite_where=text("problem IS NOT NULL"),
            postgresql_where=text("problem IS NOT NULL"),
        ),
        Index(
            "ix_calendar_entry_taken_out",
            "called_off_from_at",
            sqlite_where=text("called_off_from_at IS NOT NULL"),
            postgresql_where=text("called_off_from_at IS NOT NULL"),
        ),
    )


class MailedEvent(RowKey, Base):
    """An event of an officer's own calendar to which they invited us by mail, as they last sent it. What became of it
    is in ``CalendarEntry``, under the same UID."""

    __tablename__ = "mailed_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    uid: Mapped[str] = mapped_column(KeyText(255))
    sequence: Mapped[int] = mapped_column(Integer)
    stamp_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """SEQUENCE and DTSTAMP of what they last sent: what was sent before that is passed over when it comes late."""
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    is_called_off: Mapped[bool] = mapped_column(default=False)
    invited_sealed: Mapped[str] = mapped_column(Text)
    invited = EncryptedText("invited_sealed")
    """The address of ours that they invited: what answers have to come from."""

    __table_args__ = (
        CheckConstraint("ends_at >= starts_at", name="ends_after_it_starts"),
        CheckConstraint("sequence >= 0", name="sequence_counts_up"),
        UniqueConstraint("user_id", "uid"),
    )

"""Tables of the door kit: the key that entries are sealed to, the devices that may send them, and what became of each.

An entry is stored once, under the id that the device made for it. One that can't be taken is kept aside, with why.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of


class KitEntryKind(StrEnum):
    """What somebody did at the door."""

    WALK_IN = "walk_in"
    SIGN_IN = "sign_in"
    CHECK_IN = "check_in"
    UNDO = "undo"


class AsideReason(StrEnum):
    """Why an entry could not be taken as it came."""

    SHAPE = "shape"
    OTHER_EVENT = "other_event"
    UNKNOWN_DEVICE = "unknown_device"
    FORGED = "forged"
    SEALED = "sealed"
    OTHER_WORDS = "other_words"
    REFUSED = "refused"


class SettledHow(StrEnum):
    """What became of an entry that was kept aside."""

    STORED = "stored"
    """It was tried again, and is an entry like any other."""
    GUEST = "guest"
    """Somebody said which guest of the event it is about."""
    DROPPED = "dropped"
    """Somebody saw to it in another way."""


class KitKey(RowKey, Base):
    """The key pair of one event's door. Devices seal to the public half; the private half is destroyed in time."""

    __tablename__ = "kit_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"), unique=True)
    public_key: Mapped[str] = mapped_column(String(100))
    """The uncompressed point on P-256, in base64."""
    private_key_sealed: Mapped[str | None] = mapped_column(Text)
    private_key = EncryptedText("private_key_sealed")
    """PKCS 8, in base64. Empty once destroyed: from then on nothing sealed to it can be opened by anybody."""
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When somebody closed the door by hand; otherwise it closes by itself some time after the event."""
    destroyed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        CheckConstraint(
            "(private_key_sealed IS NULL) = (destroyed_at IS NOT NULL)", name="is_there_until_it_is_destroyed"
        ),
    )


class KitDevice(Base):
    """A phone or tablet that may add entries to one event, and do nothing else."""

    __tablename__ = "kit_device"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"), index=True)
    public_id: Mapped[str] = mapped_column(KeyText(32), unique=True)
    name: Mapped[str] = mapped_column(String(60))
    token_hash: Mapped[str] = mapped_column(KeyText(64), unique=True)
    signing_key: Mapped[str] = mapped_column(String(100))
    """The public half (P-256 point, base64) of the key it signs each entry with."""
    proof_digest: Mapped[str] = mapped_column(KeyText(64))
    """Digest of what only somebody with its PIN can show, which the list of names is asked for with."""
    wrong_proofs: Mapped[int] = mapped_column(Integer, default=0)
    set_up_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    set_up_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_heard_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    waiting: Mapped[int] = mapped_column(Integer, default=0)
    """How many entries it last said it had still to send."""
    skew_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    """How far its clock was ahead of ours when we last heard from it (milliseconds)."""
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_how: Mapped[str | None] = mapped_column(String(12))

    __table_args__ = (
        one_of("ended_how", ("withdrawn", "closed")),
        CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name="ends_somehow"),
        CheckConstraint("waiting >= 0 AND wrong_proofs >= 0", name="counts_from_nothing"),
    )


class KitEntry(Base):
    """One thing done at the door, as it was stored: when the device says it happened, and when it reached us."""

    __tablename__ = "kit_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"))
    device_id: Mapped[int] = mapped_column(ForeignKey("kit_device.id"), index=True)
    client_id: Mapped[str] = mapped_column(KeyText(36), unique=True)
    """Made by the device: however often an entry comes, it is stored once."""
    counter: Mapped[int] = mapped_column(Integer)
    """Rises by one with each entry of a device: their order, whatever the clock was doing."""
    kind: Mapped[str] = mapped_column(String(12))
    written_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """By the device's own clock, as it was."""
    occurred_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """By ours: the device's time less what its clock was ahead."""
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    skew_ms: Mapped[int] = mapped_column(BigInteger)
    by_file: Mapped[bool] = mapped_column(default=False)
    body_digest: Mapped[str] = mapped_column(KeyText(64))

    __table_args__ = (
        one_of("kind", KitEntryKind),
        Index("ix_kit_entry_of_event", "event_id", "occurred_at", "id"),
    )


class KitAside(RowKey, Base):
    """An entry that could not be taken as it came, kept for a person to look at."""

    __tablename__ = "kit_aside"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"))
    device_id: Mapped[int | None] = mapped_column(ForeignKey("kit_device.id"), index=True)
    """The device that brought it, or none when it came by file."""
    digest: Mapped[str] = mapped_column(KeyText(64))
    reason: Mapped[str] = mapped_column(String(16))
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    content_sealed: Mapped[str | None] = mapped_column(Text)
    content = EncryptedText("content_sealed")
    """JSON: the envelope as it came, what it said where that could be read, and why it was refused."""
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    settled_how: Mapped[str | None] = mapped_column(String(12))

    __table_args__ = (
        one_of("reason", AsideReason),
        one_of("settled_how", SettledHow),
        UniqueConstraint("event_id", "digest", name="uq_kit_aside_event_id"),
        CheckConstraint("(settled_at IS NULL) = (settled_by_id IS NULL)", name="is_settled_by_somebody"),
        CheckConstraint("(settled_at IS NULL) = (settled_how IS NULL)", name="is_settled_somehow"),
    )

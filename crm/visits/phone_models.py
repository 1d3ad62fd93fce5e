"""Tables of phones that are used on a visit without signal, what they brought, and photos taken there."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of


class VisitPhone(RowKey, Base):
    """A phone on which an officer opened a visit: it may add to that visit in their name, and do nothing else.

    Its token outlives the officer's session, which is idle while they sit in somebody's kitchen.
    """

    __tablename__ = "visit_phone"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    public_id: Mapped[str] = mapped_column(KeyText(32), unique=True)
    token_hash: Mapped[str] = mapped_column(KeyText(64), unique=True)
    signing_key: Mapped[str] = mapped_column(String(100))
    """The public half (P-256 point, base64) of the key it signs each entry with."""
    public_key: Mapped[str] = mapped_column(String(100))
    private_key_sealed: Mapped[str | None] = mapped_column(Text)
    private_key = EncryptedText("private_key_sealed")
    """What its entries are opened with; None once it may send no more and its key was destroyed."""
    set_up_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    last_heard_at: Mapped[datetime] = mapped_column(UTCDateTime)
    skew_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    """How far its clock was ahead of ours when we last heard from it (milliseconds)."""


class VisitEntry(RowKey, Base):
    """One thing said on a phone, as it reached us: done, or kept aside for a person to look at."""

    __tablename__ = "visit_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"))
    phone_id: Mapped[int] = mapped_column(ForeignKey("visit_phone.id"), index=True)
    client_id: Mapped[str] = mapped_column(KeyText(36), unique=True)
    """Made by the phone: however often an entry comes, it is done once."""
    counter: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(8))
    written_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """By the phone's own clock, as it was."""
    occurred_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """By ours: the phone's time less what its clock was ahead."""
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    body_digest: Mapped[str] = mapped_column(KeyText(64))
    why: Mapped[str | None] = mapped_column(String(300))
    """Why it is kept aside; None for what was done."""
    content_sealed: Mapped[str | None] = mapped_column(Text)
    content = EncryptedText("content_sealed")
    """JSON of what it says, while it is kept aside."""
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (
        one_of("kind", ("in", "longer", "help", "out", "missed", "part", "photo", "unread")),
        CheckConstraint("(settled_at IS NULL) = (settled_by_id IS NULL)", name="settled_by_somebody"),
        CheckConstraint("why IS NOT NULL OR content_sealed IS NULL", name="kept_for_a_reason"),
        Index("ix_visit_entry_visit", "visit_id", "occurred_at"),
    )


class VisitPhoto(Base):
    """A photo for one thing that was looked at. The picture is a file; who may read the report may see it."""

    __tablename__ = "visit_photo"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), index=True)
    item: Mapped[str] = mapped_column(String(20))
    file_id: Mapped[int] = mapped_column(ForeignKey("stored_file.id"), unique=True)
    added_at: Mapped[datetime] = mapped_column(UTCDateTime)
    added_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))

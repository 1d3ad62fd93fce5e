"""Tables of recruitment events and of the sheets that come back from them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.cases.models import Campaign
from crm.db import Base, EncryptedBytes, EncryptedText, RowKey, UTCDateTime, one_of


class EventKind(StrEnum):
    """What sort of event it is (domain: recruitment events). Preparation courses are not marketing, so not here."""

    DROP_IN = "drop_in"
    STALL = "stall"
    INFORMATION_EVENING = "information_evening"
    ONLINE = "online"
    PARTNER_EVENING = "partner_evening"
    OTHER = "other"


KIND_WORDS = {
    EventKind.DROP_IN: "Drop-in or coffee morning",
    EventKind.STALL: "Stall",
    EventKind.INFORMATION_EVENING: "Information evening",
    EventKind.ONLINE: "Online session",
    EventKind.PARTNER_EVENING: "Evening with a community partner",
    EventKind.OTHER: "Something else",
}


class RecruitmentEvent(Base):
    """A time and a place where people can ask about fostering. Its campaign is what enquiries are counted by."""

    __tablename__ = "recruitment_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(24))
    place: Mapped[str | None] = mapped_column(String(200))
    link: Mapped[str | None] = mapped_column(String(300))
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    capacity: Mapped[int | None] = mapped_column(Integer)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    campaign: Mapped[Campaign] = relationship()
    staff: Mapped[list[EventStaff]] = relationship(order_by="EventStaff.id", cascade="all, delete-orphan")

    __table_args__ = (
        one_of("kind", EventKind),
        CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        CheckConstraint("capacity > 0", name="capacity_is_positive"),
        CheckConstraint("place IS NOT NULL OR link IS NOT NULL", name="is_somewhere"),
        Index("ix_recruitment_event_starts", "starts_at", "id"),
    )


class EventStaff(Base):
    """Somebody on duty at an event. The first one runs it."""

    __tablename__ = "event_staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)


class SheetImport(RowKey, Base):
    """A sign-up sheet between its upload and its loading. Its content is sealed, and dropped some days after."""

    __tablename__ = "sheet_import"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"), index=True)
    filename: Mapped[str] = mapped_column(String(200))
    content_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    content = EncryptedBytes("content_sealed")
    columns_sealed: Mapped[str | None] = mapped_column(Text)
    columns = EncryptedText("columns_sealed")
    """Which column holds what, as JSON; empty until a person has looked."""
    uploaded_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    uploaded_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    loaded_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    loaded_count: Mapped[int] = mapped_column(Integer, default=0)
    joined_count: Mapped[int] = mapped_column(Integer, default=0)
    refused_count: Mapped[int] = mapped_column(Integer, default=0)

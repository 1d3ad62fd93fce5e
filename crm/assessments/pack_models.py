"""Tables of panel papers: one household's pack for one meeting, and the copies that members were given."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, KeyText, UTCDateTime, one_of


class PackState(StrEnum):
    """Whether a pack is put together."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


class PackStep(StrEnum):
    """How far the putting together is."""

    IN_LINE = "in_line"
    GATHERING = "gathering"
    LAYING_OUT = "laying_out"


STEP_WORDS = {
    PackStep.IN_LINE: "Waiting for its turn",
    PackStep.GATHERING: "Gathering what is on file",
    PackStep.LAYING_OUT: "Laying out the pages",
}


class PanelPack(Base):
    """The papers of one household for one meeting, put together at one time. A newer one takes the place of an older.

    One pack holds one household and no more: a file of the whole agenda would give each member, and whoever finds it,
    households that they have nothing to do with.
    """

    __tablename__ = "panel_pack"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("panel_item.id"))
    number: Mapped[int] = mapped_column(Integer)
    """1 for the first of an item."""
    state: Mapped[str] = mapped_column(String(8), default=PackState.WAITING)
    step: Mapped[str] = mapped_column(String(12), default=PackStep.IN_LINE)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    next_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    """When it may be put together, or begun again because nobody finished it. Empty once it is ready or given up."""
    tries: Mapped[int] = mapped_column(Integer, default=0)
    made_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    pages: Mapped[int | None] = mapped_column(Integer)
    digest: Mapped[str | None] = mapped_column(KeyText(64))
    """SHA-256 of what it says: papers that have changed since are known by it."""
    file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"), unique=True)

    copies: Mapped[list[PanelPackCopy]] = relationship(
        back_populates="pack", order_by="PanelPackCopy.id", lazy="selectin"
    )

    __table_args__ = (
        one_of("state", PackState),
        one_of("step", PackStep),
        UniqueConstraint("item_id", "number"),
        CheckConstraint("(state = 'waiting') = (next_at IS NOT NULL)", name="waiting_says_until_when"),
        CheckConstraint(
            "(state = 'ready') = (file_id IS NOT NULL) AND (file_id IS NULL) = (made_at IS NULL) "
            "AND (file_id IS NULL) = (pages IS NULL) AND (file_id IS NULL) = (digest IS NULL)",
            name="ready_holds_its_file",
        ),
        CheckConstraint("pages IS NULL OR pages > 0", name="has_pages"),
        Index(
            "uq_panel_pack_waiting",
            "item_id",
            unique=True,
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )


class WhyWithdrawn(StrEnum):
    """Why a copy was closed before its time."""

    INTEREST = "interest"
    UNSEATED = "unseated"
    NEWER = "newer"
    OFF_AGENDA = "off_agenda"


WHY_WITHDRAWN_WORDS = {
    WhyWithdrawn.INTEREST: "declared an interest",
    WhyWithdrawn.UNSEATED: "sits at this meeting no more",
    WhyWithdrawn.NEWER: "has a newer copy",
    WhyWithdrawn.OFF_AGENDA: "off the agenda",
}


class PanelPackCopy(Base):
    """One member's copy. By name: nobody else opens the papers by having a seat or a role.

    Who opened it, and when, is in the audit trail.
    """

    __tablename__ = "panel_pack_copy"

    id: Mapped[int] = mapped_column(primary_key=True)
    pack_id: Mapped[int] = mapped_column(ForeignKey("panel_pack.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    released_at: Mapped[datetime] = mapped_column(UTCDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    why_withdrawn: Mapped[str | None] = mapped_column(String(12))

    pack: Mapped[PanelPack] = relationship(back_populates="copies")

    __table_args__ = (
        UniqueConstraint("pack_id", "user_id"),
        one_of("why_withdrawn", WhyWithdrawn),
        CheckConstraint("(withdrawn_at IS NULL) = (why_withdrawn IS NULL)", name="withdrawn_says_why"),
    )

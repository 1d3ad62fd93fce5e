"""The table of what homes the service needs."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, UTCDateTime, one_of
from crm.rules.need import NEED_WORDS, NeedKind


class HomeNeed(Base):
    """Homes of one kind that the service needs, until it is closed. Never deleted: what was needed, and when, is how
    recruiting is looked back on."""

    __tablename__ = "home_need"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    words: Mapped[str | None] = mapped_column(String(80))
    """Which language, or what else: kinds that are said in the service's own words."""
    homes: Mapped[int] = mapped_column(Integer)
    by_on: Mapped[date | None] = mapped_column(Date)
    """By when; None is that there is no day."""
    area: Mapped[str | None] = mapped_column(String(200))
    """One of the service's areas by name; None is all of them."""
    written_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    written_at: Mapped[datetime] = mapped_column(UTCDateTime)
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When it was last written, changed or closed."""
    closed_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        one_of("kind", NeedKind),
        CheckConstraint("(words IS NOT NULL) = (kind IN ('language', 'other'))", name="own_words_where_needed"),
        CheckConstraint("homes BETWEEN 1 AND 500", name="homes_are_some"),
        CheckConstraint("(closed_at IS NULL) = (closed_by_id IS NULL)", name="closed_says_by_whom"),
        Index(
            "ix_home_need_open",
            "id",
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    @property
    def what(self) -> str:
        """For whom, in words: "Teenagers", "Speaking Tigrinya"."""
        kind = NeedKind(self.kind)
        if kind is NeedKind.LANGUAGE:
            return f"Speaking {self.words}"
        return self.words or NEED_WORDS[kind]

    @property
    def where(self) -> str:
        return self.area or "All areas"

    @property
    def label(self) -> str:
        """ "Teenagers in Bromley"."""
        return f"{self.what} in {self.area}" if self.area else self.what

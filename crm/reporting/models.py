"""Tables of reports: answers that were counted once and are kept for whoever asks the same again."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, KeyText, UTCDateTime, one_of


class KeptAnswer(Base):
    """The answer to one question on one day, as long as nothing that it counts has changed. Numbers alone, no names."""

    __tablename__ = "report_answer"

    key: Mapped[str] = mapped_column(KeyText(64), primary_key=True)
    stamp: Mapped[str] = mapped_column(String(200))
    """What the data looked like: see ``answers.stamp``."""
    counted_at: Mapped[datetime] = mapped_column(UTCDateTime)
    body: Mapped[str] = mapped_column(Text)
    """The figures, as JSON: what files are made from."""
    title: Mapped[str] = mapped_column(String(120))
    lede: Mapped[str] = mapped_column(String(300))
    page: Mapped[str] = mapped_column(Text)
    """The figures as they are drawn, for everybody the same."""

    __table_args__ = (Index("ix_report_answer_counted", "counted_at"),)


class Morning(StrEnum):
    """On which mornings somebody is told that a report of theirs is there to be opened."""

    NEVER = "never"
    MONDAYS = "mondays"
    MONTHS = "months"  # the first working day of each month


MORNING_WORDS = {
    Morning.NEVER: "Never",
    Morning.MONDAYS: "Every Monday morning",
    Morning.MONTHS: "On the first working day of each month",
}


class SavedReport(Base):
    """A report with its question, kept by somebody under a name; and on which mornings they get a link to it."""

    __tablename__ = "saved_report"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    name: Mapped[str] = mapped_column(String(60))
    report: Mapped[str] = mapped_column(String(20))
    query: Mapped[str] = mapped_column(String(300))
    """The question as it stands in an address; without days it is the return year in which it is opened."""
    morning: Mapped[str] = mapped_column(String(8))
    told_on: Mapped[date | None] = mapped_column(Date)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (
        UniqueConstraint("user_id", "name"),
        one_of("morning", Morning),
        Index(
            "ix_saved_report_morning",
            "morning",
            "told_on",
            sqlite_where=text("morning <> 'never'"),
            postgresql_where=text("morning <> 'never'"),
        ),
    )

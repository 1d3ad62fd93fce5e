"""Tables of reports: answers that were counted once and are kept for whoever asks the same again, and returns that were
frozen."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of


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


class FrozenReturn(RowKey, Base):
    """The annual return of one year as it was when somebody froze it. Numbers alone, no names. One of a year is in
    force; those that were thawed are kept, with the reason."""

    __tablename__ = "frozen_return"

    id: Mapped[int] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(Integer)
    """The calendar year of its 1 April."""
    frozen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    frozen_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    definition: Mapped[str] = mapped_column(KeyText(40))
    """The name of the definition of an enquiry that it was counted by (``rules.return_years``)."""
    to_look_at: Mapped[int] = mapped_column(Integer)
    """How many things were still to look at."""
    body: Mapped[str] = mapped_column(Text)
    """The answer: see ``figures.Answer.to_text``."""
    thawed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    thawed_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    thawed_why_sealed: Mapped[str | None] = mapped_column(Text)
    thawed_why = EncryptedText("thawed_why_sealed")

    __table_args__ = (
        CheckConstraint(
            "(thawed_at IS NULL) = (thawed_by_id IS NULL) AND (thawed_at IS NULL) = (thawed_why_sealed IS NULL)",
            name="thawed_says_who_and_why",
        ),
        CheckConstraint("thawed_at IS NULL OR thawed_at >= frozen_at", name="thawed_after_it_was_frozen"),
        CheckConstraint("year BETWEEN 2011 AND 2999 AND to_look_at >= 0", name="of_a_real_year"),
        Index(
            "uq_frozen_return_in_force",
            "year",
            unique=True,
            sqlite_where=text("thawed_at IS NULL"),
            postgresql_where=text("thawed_at IS NULL"),
        ),
        Index("ix_frozen_return_year", "year", "id"),
    )

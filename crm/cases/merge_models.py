"""Tables of what was merged: who asked, who agreed, and each row that a merge touched, so that it can be put back.

The rows that a merge names are no foreign keys: a household, a person or a case that was merged into another is taken
out of its table and kept here, sealed, until somebody puts it back.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of


class MergeKind(StrEnum):
    """What was put together, or where somebody was moved."""

    HOUSEHOLDS = "households"
    PEOPLE = "people"
    MOVE = "move"


class MergeState(StrEnum):
    """Where a merge stands. One that is doubtful is asked for first, and made by whoever agrees to it."""

    ASKED = "asked"
    MADE = "made"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    UNDONE = "undone"


class MergeAction(StrEnum):
    """What a merge did to one row."""

    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    HELD = "held"
    """Touched in no column, but the merge rests on it: a later merge of the same person must be undone first."""


class HouseholdMerge(RowKey, Base):
    """One merge of two households, of two people in one, or the move of a person; asked for, made or undone."""

    __tablename__ = "household_merge"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    state: Mapped[str] = mapped_column(String(12))
    kept_case_id: Mapped[int] = mapped_column(Integer, index=True)
    """The case that goes on: the one looked at, where no case was taken up by another."""
    gone_case_id: Mapped[int | None] = mapped_column(Integer, index=True)
    """The other case: taken up, or an earlier journey of the same household from now on. None within one household."""
    kept_reference: Mapped[str] = mapped_column(KeyText(16))
    gone_reference: Mapped[str | None] = mapped_column(KeyText(16))
    is_case_taken_up: Mapped[bool] = mapped_column(default=False)
    """Whether the other case went into the one that goes on; its reference leads there."""
    choices_sealed: Mapped[str | None] = mapped_column(Text)
    choices = EncryptedText("choices_sealed")
    """JSON: who is whom, and which value of each field was chosen."""
    doubts_sealed: Mapped[str | None] = mapped_column(Text)
    doubts = EncryptedText("doubts_sealed")
    """JSON: why a second person was asked, a sentence each."""
    story_sealed: Mapped[str | None] = mapped_column(Text)
    story = EncryptedText("story_sealed")
    """JSON: the names of both sides, and what was done, in words."""
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    answer_sealed: Mapped[str | None] = mapped_column(Text)
    answer = EncryptedText("answer_sealed")
    """Why the second person said no."""
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    made_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    rows_touched: Mapped[int] = mapped_column(Integer, default=0)
    """How many lines its journal has: a line that is missing is found."""

    __table_args__ = (
        one_of("kind", MergeKind),
        one_of("state", MergeState),
        CheckConstraint("(state IN ('made', 'undone')) = (made_at IS NOT NULL)", name="made_has_its_time"),
        CheckConstraint("(state = 'undone') = (undone_at IS NOT NULL)", name="undone_has_its_time"),
        CheckConstraint("state <> 'asked' OR asked_at IS NOT NULL", name="asked_has_its_time"),
        # What one person doubts, another looks at.
        CheckConstraint("decided_by_id IS NULL OR asked_by_id IS NULL OR decided_by_id <> asked_by_id",
                        name="decided_by_another"),
        Index(
            "ix_household_merge_asked",
            "asked_at",
            sqlite_where=text("state = 'asked'"),
            postgresql_where=text("state = 'asked'"),
        ),
        Index(
            "uq_household_merge_asked_once",
            "kept_case_id",
            "gone_case_id",
            unique=True,
            sqlite_where=text("state = 'asked'"),
            postgresql_where=text("state = 'asked'"),
        ),
    )  # fmt: skip


class MergeRow(RowKey, Base):
    """One row that a merge touched, with its columns before and after: what undoing it is made from."""

    __tablename__ = "merge_row"

    id: Mapped[int] = mapped_column(primary_key=True)
    merge_id: Mapped[int] = mapped_column(ForeignKey("household_merge.id"))
    position: Mapped[int] = mapped_column(Integer)
    table_name: Mapped[str] = mapped_column(KeyText(40))
    record_key: Mapped[str] = mapped_column(KeyText(60))
    """The row's key: "12", or "12|enquiry" where it has two parts."""
    action: Mapped[str] = mapped_column(String(8))
    columns: Mapped[str] = mapped_column(String(400))
    """The names of the columns that changed, with commas between."""
    values_sealed: Mapped[str | None] = mapped_column(Text)
    values = EncryptedText("values_sealed")
    """JSON: {"before": {...}, "after": {...}}."""

    __table_args__ = (
        one_of("action", MergeAction),
        UniqueConstraint("merge_id", "position"),
        Index("ix_merge_row_record", "table_name", "record_key", "merge_id"),
    )


class FormerCase(Base):
    """A case that was taken up by another: its number and reference lead to the one that goes on."""

    __tablename__ = "former_case"

    former_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reference: Mapped[str] = mapped_column(KeyText(16), unique=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)


class FormerPerson(Base):
    """Somebody who was entered twice: the number of the row that was taken out leads to the one that stayed."""

    __tablename__ = "former_person"

    former_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)

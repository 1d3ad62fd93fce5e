"""Tables of the application as the household fills it in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of
from crm.rules.permissions import Sensitivity

PART_STATES = ("begun", "done")


class ApplicationPart(RowKey, Base):
    """One part of a household's application: what was answered so far, and whether it is done.

    The answers of a part that each fills in alone are of one person. Their words are sealed together: nobody lists or
    sorts by them.
    """

    __tablename__ = "application_part"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    """Empty: shared by the household."""
    name: Mapped[str] = mapped_column(String(20))
    shared_name: Mapped[str | None] = mapped_column(KeyText(20))
    """The name once more where it is shared, so that a household begins no part twice."""
    state: Mapped[str] = mapped_column(String(8))
    sensitivity: Mapped[str] = mapped_column(String(12))
    version: Mapped[int] = mapped_column(Integer, default=1)
    """Rises each time it is saved: what a form carries as ``seen``."""
    answers_sealed: Mapped[str | None] = mapped_column(Text)
    answers = EncryptedText("answers_sealed")
    """JSON: question by question, and rows under their name."""
    saved_at: Mapped[datetime] = mapped_column(UTCDateTime)
    saved_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        one_of("state", PART_STATES),
        one_of("sensitivity", Sensitivity),
        UniqueConstraint("case_id", "person_id", "name"),
        UniqueConstraint("case_id", "shared_name"),
        CheckConstraint("(shared_name IS NULL) = (person_id IS NOT NULL)", name="is_shared_or_somebodys"),
        CheckConstraint("(state = 'done') = (done_at IS NOT NULL)", name="done_says_when"),
    )

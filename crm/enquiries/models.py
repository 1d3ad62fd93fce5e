"""What a person typed into the public form and has not sent yet; and what staff keep of the queue: views and files."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of


class EnquiryDraft(RowKey, Base):
    """Answers on their way, sealed. Only a digest of the browser's token is kept: a copy of this table opens none.

    A draft that was sent stays for an hour with its case, so that going back, putting something right and sending again
    changes that enquiry instead of making another.
    """

    __tablename__ = "enquiry_draft"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(KeyText(64), unique=True)
    answers_sealed: Mapped[str | None] = mapped_column(Text)
    answers = EncryptedText("answers_sealed")
    began_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case_file.id"), index=True)
    sent_digest: Mapped[str | None] = mapped_column(String(64))
    """Of the answers last sent: the same again is the same enquiry."""
    sent_count: Mapped[int] = mapped_column(default=0)

    __table_args__ = (CheckConstraint("(case_id IS NULL) = (sent_count = 0)", name="sent_has_a_case"),)


class SavedView(Base):
    """A choice of filters of the queue that somebody gave a name."""

    __tablename__ = "saved_view"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    name: Mapped[str] = mapped_column(String(60))
    query: Mapped[str] = mapped_column(String(300))
    """The filters, as they stand in an address: ``view=over&channel=web``."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (UniqueConstraint("user_id", "name"),)


class ListExport(Base):
    """Somebody took rows of the queue away as a file, or asks to. The rows are read when the file is fetched, as far as
    its reader may see them then: none are kept here."""

    __tablename__ = "list_export"

    id: Mapped[int] = mapped_column(primary_key=True)
    query: Mapped[str] = mapped_column(String(300))
    columns: Mapped[str] = mapped_column(String(400))
    """The names of the columns, with commas between."""
    format: Mapped[str] = mapped_column(String(4))
    row_count: Mapped[int] = mapped_column(Integer)
    """How many there were when it was asked for."""
    reason: Mapped[str | None] = mapped_column(String(300))
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    second_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"), index=True)
    """Whom it was put before, where it is large."""
    answer: Mapped[str | None] = mapped_column(String(3))
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)

    __table_args__ = (
        one_of("format", ("csv", "xlsx")),
        CheckConstraint("answer IN ('yes', 'no')", name="answer_is_known"),
        CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="answered_says_when"),
        CheckConstraint("second_id IS NULL OR second_id <> asked_by_id", name="second_is_another"),
    )

"""What a person has typed into the public form and not sent yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime


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

"""The table of stored files. What a file belongs to, and so who may open it, the feature says that refers to it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedBytes, KeyText, RowKey, UTCDateTime, one_of


class StoredFile(RowKey, Base):
    """One file, sealed."""

    __tablename__ = "stored_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    media: Mapped[str] = mapped_column(String(20))
    size: Mapped[int] = mapped_column(Integer)
    """Bytes, as it is given out."""
    digest: Mapped[str] = mapped_column(KeyText(64))
    """SHA-256 of what was handed in: the same file sent twice is known again."""
    content_sealed: Mapped[bytes] = mapped_column(LargeBinary, nullable=False, deferred=True)
    content = EncryptedBytes("content_sealed")
    added_at: Mapped[datetime] = mapped_column(UTCDateTime)
    added_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (
        one_of("media", ("image/jpeg", "image/png", "application/pdf")),
        CheckConstraint("size > 0", name="holds_something"),
    )

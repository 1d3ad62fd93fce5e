"""Tables of reports: answers that were counted once and are kept for whoever asks the same again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, KeyText, UTCDateTime


class KeptAnswer(Base):
    """The answer to one question on one day, as long as nothing that it counts has changed. Numbers alone, no names."""

    __tablename__ = "report_answer"

    key: Mapped[str] = mapped_column(KeyText(64), primary_key=True)
    stamp: Mapped[str] = mapped_column(String(200))
    """What the data looked like: see ``answers.stamp``."""
    counted_at: Mapped[datetime] = mapped_column(UTCDateTime)
    body: Mapped[str] = mapped_column(Text)

    __table_args__ = (Index("ix_report_answer_counted", "counted_at"),)

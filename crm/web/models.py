"""Rows the edge keeps for itself: forms already received, and how often somebody has tried."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, KeyText, UTCDateTime


class OneTimeId(Base):
    """A form that has been received. Written in the transaction of what it did, so the two stand or fall together."""

    __tablename__ = "one_time_id"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(KeyText(64), unique=True)
    sender: Mapped[str] = mapped_column(KeyText(64))
    """Keyed digest of who sent it (a member of staff, an applicant, an anonymous browser)."""
    endpoint: Mapped[str] = mapped_column(sa.String(120))
    body_digest: Mapped[str] = mapped_column(sa.String(64))
    location: Mapped[str | None] = mapped_column(sa.Text)
    """Where the first answer sent the browser; empty while that first request is still running."""
    subject: Mapped[str | None] = mapped_column(sa.String(120))
    """What the first request made, as the view named it, for a view that turns a changed repeat into a new version."""
    received_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class RateWindow(Base):
    """How often something was tried since a moment. One row a key; the key is a keyed digest, never an address."""

    __tablename__ = "rate_window"

    key: Mapped[str] = mapped_column(KeyText(64), primary_key=True)
    began_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    count: Mapped[int] = mapped_column(sa.Integer)

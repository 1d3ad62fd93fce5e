"""What is in the outbox."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes

from sqlalchemy import Select, func, select, text

from crm.db import db
from crm.delivery.models import Channel, MessageStatus, OutboundMessage
from crm.delivery.texts import read_text

PAGE = 50


@dataclass(frozen=True)
class OutboxPage:
    """One page of letters, newest first. ``before`` is the id to ask the next page with, None on the last."""

    messages: Sequence[OutboundMessage]
    before: int | None


@dataclass(frozen=True)
class OutboxCounts:
    """How many letters need something. Sent ones are not counted: there may be millions."""

    queued: int = 0
    sending: int = 0
    held: int = 0
    to_print: int = 0
    given_up: int = 0

    @property
    def waiting(self) -> int:
        return self.queued + self.sending


@dataclass(frozen=True)
class EmailParts:
    """A stored email, taken apart to be shown."""

    sender: str
    to: str
    subject: str
    text: str
    html: str
    ics: bytes | None
    attachment_name: str | None


def outbox_page(
    *, statuses: Collection[MessageStatus] = (), before: int | None = None, limit: int = PAGE
) -> OutboxPage:
    """Letters newest first, of some statuses or of all, in pages of equal cost."""
    query: Select[OutboundMessage] = select(OutboundMessage).order_by(OutboundMessage.id.desc()).limit(limit + 1)
    if statuses:
        query = query.where(OutboundMessage.status.in_(list(statuses)))
        if set(statuses) <= set(_UNSETTLED):
            query = query.where(_UNSETTLED_CONDITION)
    if before is not None:
        query = query.where(OutboundMessage.id < before)
    rows = list(db.session.scalars(query))
    more = len(rows) > limit
    rows = rows[:limit]
    return OutboxPage(messages=rows, before=rows[-1].id if more and rows else None)


def counts() -> OutboxCounts:
    """How many letters wait, are held, are to be printed, or were given up on."""
    rows = db.session.execute(
        select(OutboundMessage.status, func.count()).where(_UNSETTLED_CONDITION).group_by(OutboundMessage.status)
    )
    return OutboxCounts(**{status: number for status, number in rows})  # noqa: C416  (rows are not pairs to mypy)


def oldest_unsent_age(*, now: datetime) -> timedelta | None:
    """How long the oldest letter that should have left by now has been waiting; None when nothing waits."""
    oldest = db.session.scalar(
        select(func.min(OutboundMessage.not_before)).where(_OPEN_CONDITION, OutboundMessage.not_before <= now)
    )
    return None if oldest is None else now - oldest


def messages_of_case(case_id: int, *, limit: int = 200) -> Sequence[OutboundMessage]:
    """A case's letters, newest first."""
    return list(
        db.session.scalars(
            select(OutboundMessage)
            .where(OutboundMessage.case_id == case_id)
            .order_by(OutboundMessage.id.desc())
            .limit(limit)
        )
    )


def message_by_id(message_id: int, *, case_id: int | None = None) -> OutboundMessage | None:
    """One letter; with ``case_id``, only if it is about that case."""
    query = select(OutboundMessage).where(OutboundMessage.id == message_id)
    if case_id is not None:
        query = query.where(OutboundMessage.case_id == case_id)
    return db.session.scalar(query)


def letters_to_print(*, limit: int = 200) -> Sequence[OutboundMessage]:
    """What waits to be printed and posted, oldest first."""
    return list(
        db.session.scalars(
            select(OutboundMessage)
            .where(_UNSETTLED_CONDITION, OutboundMessage.status == MessageStatus.TO_PRINT)
            .order_by(OutboundMessage.id)
            .limit(limit)
        )
    )


def email_parts(message: OutboundMessage) -> EmailParts | None:
    """The stored bytes of an email or a text message as parts to show; None for a letter by post."""
    if message.channel == Channel.TEXT and message.payload is not None:
        number, words = read_text(message.payload)
        return EmailParts(sender="", to=number, subject="", text=words, html="", ics=None, attachment_name=None)
    if message.channel != Channel.EMAIL or message.payload is None:
        return None
    parsed = message_from_bytes(message.payload)
    found: dict[str, bytes] = {}
    attachment_name = None
    for part in parsed.walk():
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True)
        kind = part.get_content_type()
        if part.get_content_disposition() == "attachment" and kind != "application/ics":
            attachment_name = part.get_filename()
        elif isinstance(content, bytes):
            found.setdefault(kind, content)
    return EmailParts(
        sender=str(parsed["From"]),
        to=str(parsed["To"]),
        subject=message.subject,
        text=found.get("text/plain", b"").decode("utf-8", "replace"),
        html=found.get("text/html", b"").decode("utf-8", "replace"),
        ics=found.get("text/calendar"),
        attachment_name=attachment_name,
    )


_UNSETTLED = (
    MessageStatus.QUEUED,
    MessageStatus.SENDING,
    MessageStatus.HELD,
    MessageStatus.TO_PRINT,
    MessageStatus.GIVEN_UP,
)
# In the text, not as parameters: SQLite uses a partial index only where it can see its condition.
_UNSETTLED_CONDITION = text("status IN ('queued', 'sending', 'held', 'to_print', 'given_up')")
_OPEN_CONDITION = text("status IN ('queued', 'sending')")

"""The outbox: one row a letter, holding the very bytes that leave."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedBytes, EncryptedText, KeyText, RowKey, UTCDateTime, one_of


class Channel(StrEnum):
    """How a letter travels."""

    EMAIL = "email"
    POST = "post"
    TEXT = "text"
    """A text message to a phone."""


CHANNEL_WORDS = {Channel.EMAIL: "Email", Channel.POST: "Post", Channel.TEXT: "Text"}


class MessageStatus(StrEnum):
    """Where a letter is."""

    QUEUED = "queued"
    SENDING = "sending"
    """Leased to a worker. A lease that has run out means that the worker died: the letter may have left."""
    SENT = "sent"
    GIVEN_UP = "given_up"
    SUPERSEDED = "superseded"
    """Overtaken by newer news, or too late to be of use, before it left."""
    HELD = "held"
    """Restored from a backup: goes nowhere until a person lets it."""
    TO_PRINT = "to_print"
    DISPATCHED = "dispatched"
    """Posted, on the date and by the method recorded."""
    STOPPED = "stopped"
    """A rule of the person it is for kept it from leaving; ``last_failure`` says which."""


OPEN_STATUSES = (MessageStatus.QUEUED, MessageStatus.SENDING)
"""A worker still has something to do with these."""
FINAL_STATUSES = (
    MessageStatus.SENT,
    MessageStatus.GIVEN_UP,
    MessageStatus.SUPERSEDED,
    MessageStatus.DISPATCHED,
    MessageStatus.STOPPED,
)
UNSENT_STATUSES = (MessageStatus.QUEUED, MessageStatus.HELD, MessageStatus.TO_PRINT)
"""Still here for certain: these can be taken back."""

STATUS_WORDS = {
    MessageStatus.QUEUED: "Waiting to go",
    MessageStatus.SENDING: "Going out",
    MessageStatus.SENT: "Sent",
    MessageStatus.GIVEN_UP: "Not delivered",
    MessageStatus.SUPERSEDED: "Not needed",
    MessageStatus.HELD: "Held",
    MessageStatus.TO_PRINT: "To print",
    MessageStatus.DISPATCHED: "Posted",
    MessageStatus.STOPPED: "Stopped",
}
STATUS_MARKS = {
    MessageStatus.QUEUED: "waiting",
    MessageStatus.SENDING: "waiting",
    MessageStatus.SENT: "ok",
    MessageStatus.GIVEN_UP: "over",
    MessageStatus.SUPERSEDED: "closed",
    MessageStatus.HELD: "due",
    MessageStatus.TO_PRINT: "due",
    MessageStatus.DISPATCHED: "ok",
    MessageStatus.STOPPED: "closed",
}
"""The mark that stands beside the words of a status on a list."""

_OPEN = text("status IN ('queued', 'sending')")
_WAITING = text("status IN ('queued', 'sending', 'held', 'to_print', 'given_up')")


class IncomingOutcome(StrEnum):
    """What became of a message that came in."""

    FILED = "filed"
    AUTOMATIC = "automatic"
    """A machine's answer: the case says that it came, and nobody has to read it."""
    BOUNCE = "bounce"
    TRAY = "tray"
    """Nobody could tell whose it is: a person looks."""
    DISMISSED = "dismissed"


TRAY_WORDS = {
    "no_address": "It came to no household’s own address",
    "forged": "The address it came to is not one that we made",
    "too_heavy": "It is too large or too tangled to be read",
    "too_many": "So many came about one household that this one was laid aside",
    "other_mailbox": "It answers an invitation, from another mailbox than we invited",
    "no_invitation": "It answers an invitation, and not one to a visit that we can find",
    "not_proven": "It says that it is from one of us, and nothing proves it",
    "not_dealt_with": "It could not be dealt with. It is still in the mailbox",
    "unknown_number": "The number is nobody’s that we have texted, or several people’s",
}
"""Why a message lies in the tray."""


class IncomingMessage(RowKey, Base):
    """One message that came in, known by its digest so that it is taken in once.

    What it says is kept only while it lies in the tray: once filed it stands on the timeline, and nowhere twice.
    """

    __tablename__ = "incoming_message"
    __table_args__ = (
        one_of("channel", ("email", "text")),
        one_of("outcome", IncomingOutcome),
        one_of("why", tuple(TRAY_WORDS)),
        CheckConstraint("(outcome = 'tray') = (settled_at IS NULL)", name="only_the_tray_is_unsettled"),
        CheckConstraint(
            "outcome = 'tray' OR (sender_sealed IS NULL AND subject_sealed IS NULL AND text_sealed IS NULL)",
            name="only_the_tray_holds_words",
        ),
        Index("ix_incoming_message_tray", "id", sqlite_where=text("outcome = 'tray'"),
              postgresql_where=text("outcome = 'tray'")),
        Index("ix_incoming_message_case", "case_id", "received_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(KeyText(64), unique=True)
    channel: Mapped[str] = mapped_column(String(10))
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    outcome: Mapped[str] = mapped_column(String(12))
    why: Mapped[str | None] = mapped_column(String(20))
    case_id: Mapped[int | None] = mapped_column(Integer)
    person_id: Mapped[int | None] = mapped_column(Integer)
    files: Mapped[int] = mapped_column(Integer, default=0)
    """How many files came with it. They are named on the case, and not kept."""
    sender_sealed: Mapped[str | None] = mapped_column(Text)
    sender = EncryptedText("sender_sealed")
    subject_sealed: Mapped[str | None] = mapped_column(Text)
    subject = EncryptedText("subject_sealed")
    text_sealed: Mapped[str | None] = mapped_column(Text)
    text = EncryptedText("text_sealed")
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    settled_by_id: Mapped[int | None] = mapped_column(Integer)


class OutboundMessage(RowKey, Base):
    """One letter to exactly one recipient.

    The ids of the case, person and user are not foreign keys: this package knows nothing of them, and the record that a
    letter was sent outlives what it was about.
    """

    __tablename__ = "outbound_message"
    __table_args__ = (
        one_of("channel", Channel),
        one_of("status", MessageStatus),
        CheckConstraint(
            "(status = 'sending') = (lease_token IS NOT NULL) AND (lease_token IS NULL) = (lease_until IS NULL)",
            name="sending_means_leased",
        ),
        CheckConstraint("(status = 'sent') = (sent_at IS NOT NULL)", name="sent_has_its_time"),
        CheckConstraint(
            "(status = 'dispatched') = (dispatched_on IS NOT NULL) "
            "AND (dispatched_on IS NULL) = (dispatch_method IS NULL)",
            name="dispatched_has_its_date_and_method",
        ),
        CheckConstraint(
            "(channel = 'post' AND status IN ('to_print', 'dispatched', 'superseded', 'stopped')) "
            "OR (channel <> 'post' AND status NOT IN ('to_print', 'dispatched'))",
            name="post_is_printed_and_email_is_sent",
        ),
        CheckConstraint("(stream IS NULL) = (stream_sequence IS NULL)", name="stream_has_a_sequence"),
        CheckConstraint("attempts >= 0", name="attempts_are_counted"),
        # The worker's questions: what is due, and is anything earlier for the same person still waiting. Partial, so
        # that they stay as small as the queue, however many letters have gone.
        Index("ix_outbound_message_due", "next_attempt_at", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_outbound_message_waiting_for", "recipient_key", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        # The outbox screen and the counters: all that is not settled.
        Index("ix_outbound_message_unsettled", "status", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
        # What is taken back at once when somebody asks us to stop.
        Index("ix_outbound_message_unsettled_of_person", "person_id",
              sqlite_where=_WAITING, postgresql_where=_WAITING),
        # A bounce or an answer names the letter that it is about.
        Index("ix_outbound_message_message_id", "message_id"),
        Index("ix_outbound_message_case_id_id", "case_id", "id"),
        Index("ix_outbound_message_user_id", "user_id", sqlite_where=text("user_id IS NOT NULL"),
              postgresql_where=text("user_id IS NOT NULL")),
        Index("ix_outbound_message_stream", "stream", "stream_sequence", sqlite_where=text("stream IS NOT NULL"),
              postgresql_where=text("stream IS NOT NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(KeyText(160), nullable=False, unique=True)
    """What this letter is, once: enqueued again with the same key, it is the same letter."""
    kind: Mapped[str] = mapped_column(String(60), nullable=False)
    channel: Mapped[str] = mapped_column(String(10), nullable=False)
    status: Mapped[str] = mapped_column(String(12), nullable=False)

    case_id: Mapped[int | None] = mapped_column(Integer)
    person_id: Mapped[int | None] = mapped_column(Integer)
    user_id: Mapped[int | None] = mapped_column(Integer)

    recipient_sealed: Mapped[str] = mapped_column(Text, nullable=False)
    recipient = EncryptedText("recipient_sealed")
    """The email address, the phone number (E.164), or the lines of the postal address."""
    recipient_key: Mapped[str] = mapped_column(KeyText(32), nullable=False)
    """Keyed digest of the address: keeps letters to one recipient in order without saying who it is."""
    subject: Mapped[str] = mapped_column(String(200), nullable=False)
    """Neutral by rule: no name, no address, nothing about anybody."""
    message_id: Mapped[str] = mapped_column(String(120), nullable=False)
    payload_sealed: Mapped[bytes] = mapped_column(LargeBinary, nullable=False)
    payload = EncryptedBytes("payload_sealed")
    """The whole email message, the text message with its number, or the PDF to print. Never rebuilt."""

    stream: Mapped[str | None] = mapped_column(KeyText(120))
    """Letters of which only the newest matters: the states of one visit for one mailbox. The UID of an invitation."""
    stream_sequence: Mapped[int | None] = mapped_column(Integer)
    calendar_method: Mapped[str | None] = mapped_column(String(20))

    queued_at: Mapped[datetime] = mapped_column(UTCDateTime, nullable=False)
    not_before: Mapped[datetime] = mapped_column(UTCDateTime, nullable=False)
    not_after: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Of no use any more after this: a reminder of something past."""
    next_attempt_at: Mapped[datetime] = mapped_column(UTCDateTime, nullable=False)
    attempts: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    refusals: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    """How many of them ended with the server's "not now" about this very letter."""
    first_attempt_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(32))
    """The fence: only the worker holding this may say what became of the letter."""
    may_have_left: Mapped[bool] = mapped_column(nullable=False, default=False)
    """An attempt ended in doubt, so a copy may be in the recipient's mailbox."""
    last_failure: Mapped[str | None] = mapped_column(String(60))
    """A code of ``failures``, never a server's words: those may quote the address."""
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it reached a final state other than sent."""
    dispatched_on: Mapped[date | None] = mapped_column(Date)
    dispatch_method: Mapped[str | None] = mapped_column(String(40))
    dispatched_by_id: Mapped[int | None] = mapped_column(Integer)

    @property
    def is_settled(self) -> bool:
        return self.status in FINAL_STATUSES

    @property
    def is_email(self) -> bool:
        return self.channel == Channel.EMAIL

"""What a person has typed into the public form and not sent yet, how an enquiry found its way here, what is kept aside
for a person to look at, the websites that may hand enquiries in; and what staff make of the queue: views, files and
words to many."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of


class EnquiryDraft(RowKey, Base):
    """Answers on their way, sealed. Only digests of its tokens are kept: a copy of this table opens none.

    A draft that was sent stays for an hour with what it became, so that going back, putting something right and sending
    again changes that enquiry instead of making another.
    """

    __tablename__ = "enquiry_draft"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(KeyText(64), unique=True)
    """Of the browser in which it was begun."""
    link_hash: Mapped[str | None] = mapped_column(KeyText(64), unique=True)
    """Of the newest link by which it can be taken up elsewhere; a new one takes its place, and sending ends it."""
    link_ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    link_browser_hash: Mapped[str | None] = mapped_column(KeyText(64), unique=True)
    """Of the browser that came by the link. It goes on with the answers, and is not shown the closely held ones."""
    answers_sealed: Mapped[str | None] = mapped_column(Text)
    answers = EncryptedText("answers_sealed")
    began_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case_file.id"), index=True)
    held_id: Mapped[int | None] = mapped_column(ForeignKey("held_enquiry.id"), index=True)
    sent_digest: Mapped[str | None] = mapped_column(String(64))
    """Of the answers last sent: the same again is the same enquiry."""
    sent_count: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        CheckConstraint("(case_id IS NULL AND held_id IS NULL) = (sent_count = 0)", name="sent_became_something"),
        CheckConstraint("(link_hash IS NULL) = (link_ends_at IS NULL)", name="link_ends"),
    )


class EnquiryOrigin(Base):
    """How one enquiry from a form found its way here, and what it was shown: one row a touch."""

    __tablename__ = "enquiry_origin"

    enquiry_id: Mapped[int] = mapped_column(ForeignKey("enquiry.id"), primary_key=True)
    heard: Mapped[str | None] = mapped_column(String(24))
    """Where they heard of the service, in the words of ``questions.HEARD_WORDS``."""
    heard_detail: Mapped[str | None] = mapped_column(String(120))
    privacy_version: Mapped[str] = mapped_column(String(40))
    """The privacy notice that stood on the page."""
    ring_on: Mapped[date | None] = mapped_column(Date)
    """The day on which they asked to be rung, where it is not the right time yet."""
    website_id: Mapped[int | None] = mapped_column(ForeignKey("intake_website.id"), index=True)
    """The website that handed it in; none where it came by the service's own form."""

    __table_args__ = (Index("ix_enquiry_origin_heard", "heard"),)


class EnquiryArrival(Base):
    """One time that the person behind an enquiry came by a link that says where it stood: the first, the last and all
    between. What is not one of our campaigns is kept as text."""

    __tablename__ = "enquiry_arrival"

    id: Mapped[int] = mapped_column(primary_key=True)
    enquiry_id: Mapped[int] = mapped_column(ForeignKey("enquiry.id"))
    ordinal: Mapped[int] = mapped_column(Integer)
    arrived_at: Mapped[datetime] = mapped_column(UTCDateTime)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"), index=True)
    code: Mapped[str | None] = mapped_column(String(40))
    source: Mapped[str | None] = mapped_column(String(80))
    medium: Mapped[str | None] = mapped_column(String(80))
    campaign: Mapped[str | None] = mapped_column(String(80))
    term: Mapped[str | None] = mapped_column(String(80))
    content: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (UniqueConstraint("enquiry_id", "ordinal"),)


class HeldState(StrEnum):
    """Where what was kept aside stands."""

    WAITING = "waiting"
    RELEASED = "released"
    PUT_AWAY = "put_away"


class HeldEnquiry(RowKey, Base):
    """A form that looks as if a program had sent it. It is kept, sealed, until a person has looked at it: let in, it is
    an enquiry of the moment at which it came; put away, it is forgotten after a month."""

    __tablename__ = "held_enquiry"

    id: Mapped[int] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    state: Mapped[str] = mapped_column(String(12), default=HeldState.WAITING)
    signs: Mapped[str] = mapped_column(String(60))
    """What made it look so, in the words of ``web.robots``, with commas between them."""
    one_time_id: Mapped[str] = mapped_column(KeyText(80), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    """As it was given: what a list shows."""
    answers_sealed: Mapped[str | None] = mapped_column(Text)
    answers = EncryptedText("answers_sealed")
    website_id: Mapped[int | None] = mapped_column(ForeignKey("intake_website.id"), index=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case_file.id"), index=True)
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (
        one_of("state", HeldState),
        CheckConstraint("(state = 'released') = (case_id IS NOT NULL)", name="released_has_a_case"),
        CheckConstraint("(state = 'waiting') = (decided_at IS NULL)", name="decided_says_when"),
        Index("ix_held_enquiry_state", "state", "received_at", "id"),
    )


class IntakeWebsite(Base):
    """A website of the service's own that may hand enquiries in, with the one key it does so by."""

    __tablename__ = "intake_website"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    key_hash: Mapped[str] = mapped_column(KeyText(64), unique=True)
    key_ending: Mapped[str] = mapped_column(String(4))
    """The last characters of the key, so that people can tell two apart."""
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """To the minute: noting each use would make every request wait for the one before."""
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class IntakeReceipt(Base):
    """An enquiry that a website handed in, by the id it gave it: the same again gets the same answer."""

    __tablename__ = "intake_receipt"

    id: Mapped[int] = mapped_column(primary_key=True)
    website_id: Mapped[int] = mapped_column(ForeignKey("intake_website.id"))
    idempotency_key: Mapped[str] = mapped_column(KeyText(64))
    body_digest: Mapped[str] = mapped_column(String(64))
    receipt: Mapped[str] = mapped_column(KeyText(32), unique=True)
    contact_by_on: Mapped[date] = mapped_column(Date)
    """What the website was told: the day by which somebody gets in touch."""
    received_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)

    __table_args__ = (UniqueConstraint("website_id", "idempotency_key"),)


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


class LookedAtTwice:
    """What one person asks for and, where it is large, a second one looks at: see ``second_look``."""

    asked_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    reason: Mapped[str | None] = mapped_column(String(300))
    second_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"), index=True)
    """Whom it was put before, where it is large."""
    answer: Mapped[str | None] = mapped_column(String(3))
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


def _second_is_another() -> tuple[CheckConstraint, ...]:
    return (
        CheckConstraint("answer IN ('yes', 'no')", name="answer_is_known"),
        CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="answered_says_when"),
        CheckConstraint("second_id IS NULL OR second_id <> asked_by_id", name="second_is_another"),
    )


class ListExport(LookedAtTwice, Base):
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
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)

    __table_args__ = (
        one_of("format", ("csv", "xlsx")),
        *_second_is_another(),
    )


class MailingPurpose(StrEnum):
    """Why many are written to: it decides who may be."""

    NEWS = "news"
    """Marketing (PECR reg 22): to those alone who said yes to news by that channel."""
    SERVICE = "service"
    """About the enquiry that they made of us: to all who may be reached that way."""


class MailingStep(StrEnum):
    """How far a mailing has come."""

    DRAFT = "draft"
    WAITING = "waiting"
    """For a second person."""
    REFUSED = "refused"
    SENDING = "sending"
    SENT = "sent"
    STOPPED = "stopped"


class Mailing(LookedAtTwice, RowKey, Base):
    """Words that one person writes to the people of a list of the queue, or of the not-now pool.

    The list is a choice of filters until its author asks to send it. From then on it is a row for each person who stood
    on it (``MailingReader``): nobody is added to what was looked at, and each is judged again as their letter is
    written, and once more as it leaves.
    """

    __tablename__ = "mailing"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(8))
    """Which list: the queue or the pool."""
    query: Mapped[str] = mapped_column(String(300))
    """The filters, as they stand in an address."""
    purpose: Mapped[str] = mapped_column(String(8))
    channel: Mapped[str] = mapped_column(String(10))
    subject: Mapped[str] = mapped_column(String(150))
    words_sealed: Mapped[str | None] = mapped_column(Text)
    words = EncryptedText("words_sealed")
    """The letter in the house's markup, or the text message; with its merge fields."""
    step: Mapped[str] = mapped_column(String(10), default=MailingStep.DRAFT)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    household_count: Mapped[int] = mapped_column(Integer, default=0)
    """How many households stood on the list when it was asked for."""
    people_count: Mapped[int] = mapped_column(Integer, default=0)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    stopped_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    """Who stopped it; nobody where it stopped because its author may not write to many any more."""

    __table_args__ = (
        one_of("source", ("queue", "pool")),
        one_of("purpose", MailingPurpose),
        one_of("channel", ("email", "text")),
        one_of("step", MailingStep),
        CheckConstraint("(step = 'draft') = (asked_at IS NULL)", name="asked_for_says_when"),
        CheckConstraint(
            "(step IN ('draft', 'waiting', 'refused')) = (started_at IS NULL)", name="what_is_sent_says_since_when"
        ),
        CheckConstraint("(step IN ('sent', 'stopped')) = (ended_at IS NOT NULL)", name="what_is_over_says_when"),
        CheckConstraint("started_at IS NULL OR second_id IS NULL OR answer = 'yes'", name="second_said_yes_first"),
        *_second_is_another(),
        Index(
            "ix_mailing_sending",
            "id",
            sqlite_where=text("step = 'sending'"),
            postgresql_where=text("step = 'sending'"),
        ),
    )


class ReaderState(StrEnum):
    """What became of one person's letter so far as it is ours to write."""

    WAITING = "waiting"
    WRITTEN = "written"
    """It is in the outbox, which knows the rest."""
    NOT_WRITTEN = "not_written"


class MailingReader(Base):
    """One person of the list of a mailing, once."""

    __tablename__ = "mailing_reader"

    id: Mapped[int] = mapped_column(primary_key=True)
    mailing_id: Mapped[int] = mapped_column(ForeignKey("mailing.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    state: Mapped[str] = mapped_column(String(12), default=ReaderState.WAITING)
    why: Mapped[str | None] = mapped_column(String(24))
    """Why nothing was written: a code of ``mailing_readers.WHY_WORDS``."""
    point_key: Mapped[str | None] = mapped_column(KeyText(32))
    """Keyed digest of the address or number it was written to: two people of one address get one letter."""
    message_id: Mapped[int | None] = mapped_column(ForeignKey("outbound_message.id"), index=True)

    __table_args__ = (
        one_of("state", ReaderState),
        CheckConstraint("(state = 'not_written') = (why IS NOT NULL)", name="not_written_says_why"),
        CheckConstraint(
            "(state = 'written') = (message_id IS NOT NULL) AND (message_id IS NULL) = (point_key IS NULL)",
            name="written_names_its_letter",
        ),
        UniqueConstraint("mailing_id", "person_id"),
        UniqueConstraint("mailing_id", "point_key"),
        Index("ix_mailing_reader_next", "mailing_id", "state", "id"),
    )

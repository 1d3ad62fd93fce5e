"""Writing a letter into the outbox, in the transaction of the business that it is about."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import or_, select, text, update

from crm.clock import london_date
from crm.db import db, rows_changed
from crm.delivery import mime, render, signed_addresses
from crm.delivery.issuing import check_notice
from crm.delivery.letters import LETTERS
from crm.delivery.message import Attachment, NewMessage, Recipient, UnsendableAddress, sendable_address
from crm.delivery.models import UNSENT_STATUSES, Channel, MessageStatus, OutboundMessage
from crm.delivery.post_room import post_room
from crm.delivery.texts import sendable_number, text_bytes

TOO_LATE = "too_late"
NEVER_LEFT = "first_never_left"
OVERTAKEN = "overtaken"
WITHDRAWN = "withdrawn"


def enqueue(message: NewMessage, *, now: datetime) -> OutboundMessage:
    """Write a letter, once: its bytes are made here and never again. Gives the row back, flushed.

    1. The same ``dedupe_key`` again gives back the letter that there is.
    2. An unsent older letter of the same stream is superseded; one that calls off what never left is dropped too.
    3. An email or a text message waits for the worker, a letter by post for the printer.

    Raises UnsendableAddress; NoticeNotWhole; render.MergeFieldMissing; KeyError for an unknown kind;
    mime.MessageNotAsMeant where the bytes came out otherwise than meant.
    """
    existing = db.session.scalar(select(OutboundMessage).where(OutboundMessage.dedupe_key == message.dedupe_key))
    if existing is not None:
        return existing
    letter = LETTERS[message.kind]
    if message.channel not in letter.channels:
        raise UnsendableAddress(f"{letter.title} can't be sent by {message.channel}.")
    words = render.write_words(
        letter,
        message.context,
        message.channel,
        on=london_date(now),
        sources=message.sources,
        stop_url=message.stop_url,
    )
    if letter.statutory and message.channel != Channel.TEXT:
        check_notice(letter, message.context, words)
    # Of a keyed digest, so that who knows what a letter is about can't make up its Message-ID.
    message_id = mime.message_id_for(recipient_key("message-id", message.dedupe_key), post_room().mail_domain)
    row = OutboundMessage(
        dedupe_key=message.dedupe_key,
        kind=message.kind,
        channel=message.channel,
        status=MessageStatus.QUEUED,
        case_id=message.case_id,
        person_id=message.person_id,
        user_id=message.user_id,
        subject=mime.header_text(words.subject),
        message_id=message_id,
        stream=message.stream,
        stream_sequence=message.sequence if message.stream else None,
        calendar_method=message.invitation.method if message.invitation else None,
        queued_at=now,
        not_before=max(now, message.not_before or now),
        not_after=message.not_after,
        next_attempt_at=max(now, message.not_before or now),
        attempts=0,
        refusals=0,
        may_have_left=False,
    )
    if message.channel == Channel.EMAIL:
        address = sendable_address(message.to.email)
        row.recipient = address
        row.recipient_key = recipient_key(message.channel, address)
        row.payload = _email_bytes(message, words, address, message_id, now)
    elif message.channel == Channel.TEXT:
        if not post_room().can_text:
            raise UnsendableAddress("No text messages leave from here: nobody has set it up.")
        number = sendable_number(message.to.phone)
        row.recipient = number
        row.recipient_key = recipient_key(message.channel, number)
        row.payload = text_bytes(number, words.text)
    else:
        lines = tuple(line.strip() for line in message.to.postal if line.strip())
        if len(lines) < 2:
            raise UnsendableAddress("A letter by post needs a name and an address.", field="address")
        row.status = MessageStatus.TO_PRINT
        row.recipient = "\n".join(lines)
        row.recipient_key = recipient_key(message.channel, row.recipient)
        row.payload = render.write_page(letter, words, message.context, message.to, now)
    if message.stream is not None and message.sequence is not None:
        supersede(message.stream, message.sequence, now=now)
        if letter.calls_off and not has_left(message.stream):
            row.status, row.settled_at, row.last_failure = MessageStatus.SUPERSEDED, now, NEVER_LEFT
    db.session.add(row)
    db.session.flush()
    return row


def is_written(dedupe_key: str) -> bool:
    """Whether the letter of this key is there already, so that writing it gives it back."""
    return db.session.scalar(select(OutboundMessage.id).where(OutboundMessage.dedupe_key == dedupe_key)) is not None


def supersede(stream: str, before_sequence: int, *, now: datetime) -> int:
    """Drop what has not left of the stream's letters older than this one. Returns how many."""
    result = db.session.execute(
        update(OutboundMessage)
        .where(
            OutboundMessage.stream == stream,
            OutboundMessage.stream_sequence < before_sequence,
            OutboundMessage.status.in_(UNSENT_STATUSES),
        )
        .values(status=MessageStatus.SUPERSEDED, settled_at=now, last_failure=OVERTAKEN)
        .execution_options(synchronize_session="fetch")
    )
    return rows_changed(result)


def take_back(
    person_ids: Collection[int],
    *,
    code: str,
    now: datetime,
    channel: Channel | None = None,
    only_marketing: bool = False,
    even_statutory: bool = False,
) -> list[OutboundMessage]:
    """Stop what waits for some people and has not left, and give it back. ``code`` is one of ``failures``.

    What the law makes us send stays, unless ``even_statutory`` (its address is no good any more). What a worker has in
    hand may have left, and is asked about again before it does.
    """
    waiting = db.session.scalars(
        select(OutboundMessage)
        .where(OutboundMessage.person_id.in_(list(person_ids)), _UNSENT)
        .order_by(OutboundMessage.id)
        .with_for_update()
    )
    taken = []
    for message in waiting:
        letter = LETTERS.get(message.kind)
        if (channel is not None and message.channel != channel) or message.may_have_left:
            continue
        if letter is not None and letter.statutory and not even_statutory:
            continue
        if only_marketing and (letter is None or not letter.marketing):
            continue
        message.status, message.last_failure, message.settled_at = MessageStatus.STOPPED, code, now
        taken.append(message)
    db.session.flush()
    return taken


def take_back_from(address: str, *, kinds: Collection[str], code: str, now: datetime) -> int:
    """Stop what waits of some kinds for a mailbox and has not left; how many. For readers who are no person of a
    case."""
    result = db.session.execute(
        update(OutboundMessage)
        .where(
            OutboundMessage.recipient_key == recipient_key(Channel.EMAIL, address),
            OutboundMessage.kind.in_(tuple(kinds)),
            OutboundMessage.status.in_(UNSENT_STATUSES),
            OutboundMessage.may_have_left.is_(False),
        )
        .values(status=MessageStatus.STOPPED, last_failure=code, settled_at=now)
        .execution_options(synchronize_session="fetch")
    )
    return rows_changed(result)


# In the text, not as parameters: SQLite uses a partial index only where it can see its condition.
_UNSENT = text(
    "status IN ('queued', 'held', 'to_print') AND status IN ('queued', 'sending', 'held', 'to_print', 'given_up')"
)


def withdraw_letters(case_ids: Iterable[int], *, now: datetime) -> int:
    """Drop what has not left of the letters about these cases, which were opened by mistake. Returns how many."""
    result = db.session.execute(
        update(OutboundMessage)
        .where(
            OutboundMessage.case_id.in_(list(case_ids)),
            OutboundMessage.status.in_((MessageStatus.QUEUED, MessageStatus.HELD, MessageStatus.TO_PRINT)),
        )
        .values(status=MessageStatus.SUPERSEDED, settled_at=now, last_failure=WITHDRAWN)
        .execution_options(synchronize_session="fetch")
    )
    return rows_changed(result)


def letters_that_left(case_ids: Iterable[int]) -> set[int]:
    """Those of the cases about which a letter has left, or may have."""
    left = select(OutboundMessage.case_id).where(
        OutboundMessage.case_id.in_(list(case_ids)),
        or_(
            OutboundMessage.status.in_((MessageStatus.SENT, MessageStatus.SENDING, MessageStatus.DISPATCHED)),
            OutboundMessage.may_have_left,
        ),
    )
    return {case_id for case_id in db.session.scalars(left) if case_id is not None}


def has_left(stream: str) -> bool:
    """Whether any letter of the stream has left, or may have: a copy may be in the recipient's mailbox."""
    left = select(OutboundMessage.id).where(
        OutboundMessage.stream == stream,
        or_(
            OutboundMessage.status.in_((MessageStatus.SENT, MessageStatus.SENDING, MessageStatus.DISPATCHED)),
            OutboundMessage.may_have_left,
        ),
    )
    return db.session.scalar(left.limit(1)) is not None


def recipient_key(channel: str, address: str) -> str:
    """What letters to one recipient are kept in order by: says nothing about who it is without the secret."""
    plain = " ".join(address.casefold().split())
    return hmac.digest(post_room().recipient_secret, f"{channel}|{plain}".encode(), "sha256").hex()[:32]


def hold_everything() -> int:
    """Hold every letter that has not left: what a restored copy does first. Returns how many."""
    leased = db.session.execute(
        update(OutboundMessage)
        .where(OutboundMessage.status == MessageStatus.SENDING)
        .values(status=MessageStatus.HELD, lease_token=None, lease_until=None, may_have_left=True)
    )
    queued = db.session.execute(
        update(OutboundMessage).where(OutboundMessage.status == MessageStatus.QUEUED).values(status=MessageStatus.HELD)
    )
    return rows_changed(leased) + rows_changed(queued)


def release_held(*, now: datetime) -> int:
    """Let the held letters go: they queue again in their old order. Returns how many."""
    result = db.session.execute(
        update(OutboundMessage)
        .where(OutboundMessage.status == MessageStatus.HELD)
        .values(status=MessageStatus.QUEUED, next_attempt_at=now, first_attempt_at=None, refusals=0)
    )
    return rows_changed(result)


def _email_bytes(message: NewMessage, words: render.Words, to: str, message_id: str, now: datetime) -> bytes:
    room = post_room()
    service = message.context["service"]
    return mime.build(
        mime.Email(
            sender=room.visits_mailbox if message.invitation else room.mail_from,
            sender_name=str(service.name),
            to=to,
            subject=words.subject,
            message_id=message_id,
            date=now,
            text=words.text,
            html=render.write_html(words, service),
            invitation=message.invitation,
            attachment=_as_file(message, now) or message.attachment,
            reply_to=_reply_to(message),
            unsubscribe_url=message.stop_url if LETTERS[message.kind].may_be_stopped_by_one_click else None,
        )
    )


def _as_file(message: NewMessage, now: datetime) -> Attachment | None:
    """A notice as it would be printed, to go with the email that says the same."""
    letter = LETTERS[message.kind]
    if not letter.goes_as_file:
        return None
    words = render.write_words(letter, message.context, Channel.POST, on=london_date(now), sources=message.sources)
    check_notice(letter, message.context, words)
    page = render.write_page(letter, words, message.context, Recipient(postal=(message.reader,)), now)
    # The name of a file shows on a locked phone: it says whose letter it is, and nothing of what is in it.
    return Attachment(filename=f"{message.context['reference']}-letter.pdf", content=page)


def _reply_to(message: NewMessage) -> str | None:
    """The address of this person's answers in this case. Programs answer an invitation to its organiser, people and
    some programs to this: it says whose the answer is, from whichever mailbox it comes."""
    if message.case_id is None or message.person_id is None:
        return None
    return signed_addresses.reply_address(case_id=message.case_id, person_id=message.person_id)

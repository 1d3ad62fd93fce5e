"""Writing to the people of a list at once: begun, tried, asked for, looked at by a second person, sent, stopped.

Who may be written to is judged as each letter is written, and what has been written is asked about once more as it
leaves. A list that was asked for never grows. Letters are written a few at a time and only while few of this sort wait
to leave, so that a large mailing holds up nobody's invitation and can be stopped on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import func, select

from crm import policy
from crm.access.models import User
from crm.audit import record
from crm.cases import contact_links, keys, letters
from crm.cases.models import Case
from crm.clock import london_date
from crm.db import Values, db, insert_rows
from crm.delivery import Channel, MessageStatus, NewMessage, OutboundMessage, Recipient, enqueue
from crm.delivery.enqueue import recipient_key
from crm.delivery.letter_words import check_words, context_of
from crm.delivery.letters import LETTERS, LetterKind
from crm.delivery.message import UnsendableAddress
from crm.delivery.post_room import post_room
from crm.delivery.render import Sources, sources_in_force
from crm.delivery.worker import Later, Stop
from crm.enquiries import second_look
from crm.enquiries.mailing_readers import KIND, MOST, author_of, judge, letter_of, pairs_of
from crm.enquiries.models import Mailing, MailingPurpose, MailingReader, MailingStep, ReaderState
from crm.rules.permissions import SYSTEM, Actor, Permission, require
from crm.rules.refusal import Refusal

AHEAD = (MailingStep.DRAFT, MailingStep.WAITING, MailingStep.REFUSED)
"""Nothing has been written yet."""
ALONE_UP_TO = 50
"""People that one person may write to alone."""
CHUNK = 25
"""Letters written in one transaction."""
IN_THE_OUTBOX = 50
"""Letters of this sort that may wait to leave before more are written."""


class MailingRefused(second_look.SecondLookRefused):
    """It can't be written or sent like that."""


class NoSuchMailing(Refusal):
    """There is none, or it is not this person's to see."""

    default_status = 404


def mailing_for(actor: Actor, mailing_id: int) -> Mailing:
    """A mailing that this person wrote, looks at, or may know of: drafts are their author's alone. Raises
    NoSuchMailing."""
    mailing = db.session.get(Mailing, mailing_id)
    is_theirs = mailing is not None and actor.user_id in (mailing.asked_by_id, mailing.second_id)
    is_known = mailing is not None and mailing.step != MailingStep.DRAFT and actor.has(Permission.WRITE_TO_MANY)
    if mailing is None or not (is_theirs or is_known):
        raise NoSuchMailing("There is no such mailing.")
    return mailing


def draft_of(actor: Actor, mailing_id: int) -> Mailing:
    """A draft of one's own. Raises NoSuchMailing, or MailingRefused where it is a draft no more."""
    mailing = mailing_for(actor, mailing_id)
    _own_draft(mailing, actor)
    return mailing


# --- The words --------------------------------------------------------------------------------------------------------


def first_words(purpose: MailingPurpose, channel: Channel, *, today: date) -> tuple[str, str]:
    """The subject and the words that a writer begins with: those in force for this kind of letter."""
    sources = sources_in_force(LETTERS[KIND[purpose]], today)
    words = sources.text if channel == Channel.TEXT else sources.body
    return sources.subject.strip(), (words or "").strip()


def sources_of(mailing: Mailing, *, today: date) -> Sources:
    """The words of a mailing as those of a letter. A text message has the subject and body of its kind, which go
    nowhere."""
    in_force = sources_in_force(letter_of(mailing), today)
    if mailing.channel == Channel.TEXT:
        return replace(in_force, text=mailing.words or "")
    return Sources(subject=f"{mailing.subject}\n", body=f"{mailing.words or ''}\n", text=in_force.text)


def write_mailing(
    mailing: Mailing | None,
    *,
    source: str,
    query: str,
    purpose: MailingPurpose,
    channel: Channel,
    subject: str,
    words: str,
    actor: Actor,
    now: datetime,
    today: date,
) -> Mailing:
    """Keep the words of a mailing, new or a draft. Raises WordsNotKept, or MailingRefused."""
    require(actor, Permission.WRITE_TO_MANY)
    if channel == Channel.TEXT and not post_room().can_text:
        raise MailingRefused("No text messages leave from here. Choose email.", field="channel")
    is_new = mailing is None
    if mailing is None:
        mailing = Mailing(source=source, query=query[:300], asked_by_id=actor.user_id, made_at=now, step="draft")
    elif mailing.step != MailingStep.DRAFT:
        raise MailingRefused("It has been asked for already: its words stay as they are.", status=409)
    subject = " ".join(subject.split())
    if words.strip() == first_words(purpose, channel, today=today)[1]:
        raise MailingRefused(
            "Say what you have to tell them: these are the words that every mailing begins with.", field="words"
        )
    mailing.purpose, mailing.channel = purpose, channel
    mailing.subject = subject if channel == Channel.EMAIL else first_words(purpose, channel, today=today)[0][:150]
    mailing.words = words.strip()
    letter = letter_of(mailing)
    check_words(_by(letter, channel), _of(sources_of(mailing, today=today), channel), service=policy.service())
    db.session.add(mailing)
    db.session.flush()
    record("mailing.begun" if is_new else "mailing.changed", actor=actor, at=now, subject=f"mailing:{mailing.id}")
    return mailing


def _by(letter: LetterKind, channel: Channel) -> LetterKind:
    """The kind as it goes by one channel: an email has no text message to be looked at."""
    return replace(letter, channels=(Channel.EMAIL, *((Channel.TEXT,) if channel == Channel.TEXT else ())))


def _of(sources: Sources, channel: Channel) -> Sources:
    return sources if channel == Channel.TEXT else replace(sources, text=None)


def throw_away(mailing: Mailing, *, actor: Actor, now: datetime) -> None:
    """Throw a draft of one's own away."""
    _own_draft(mailing, actor)
    record("mailing.thrown_away", actor=actor, at=now, subject=f"mailing:{mailing.id}")
    db.session.delete(mailing)


def send_test(mailing: Mailing, *, actor: Actor, now: datetime) -> OutboundMessage:
    """Send the message to whoever writes it or looks at it, with the names of the fictional cast in it. Raises
    MailingRefused."""
    require(actor, Permission.WRITE_TO_MANY)
    if mailing.step not in AHEAD:
        raise MailingRefused("It is past trying: it has been sent, or was stopped.", status=409)
    user = db.session.get_one(User, actor.user_id)
    letter, channel = letter_of(mailing), Channel(mailing.channel)
    to = Recipient(email=user.email) if channel == Channel.EMAIL else Recipient(phone=keys.phone_key(user.mobile))
    try:
        message = enqueue(
            NewMessage(
                kind=letter.kind,
                channel=channel,
                to=to,
                dedupe_key=f"mailing-test:{mailing.id}:{user.id}:{now.isoformat()}",
                context=context_of(letter, service=policy.service()),
                user_id=user.id,
                sources=sources_of(mailing, today=london_date(now)),
                stop_url=contact_links.nobodys_stop_link(),
            ),
            now=now,
        )
    except UnsendableAddress as fault:
        raise MailingRefused(
            "Your own account has no mobile number to send a test to. An administrator can add it.", status=422
        ) from fault
    record("mailing.tested", actor=actor, at=now, subject=f"mailing:{mailing.id}")
    return message


# --- Asking, answering, stopping --------------------------------------------------------------------------------------


def ask_to_send(
    mailing: Mailing,
    *,
    people: Sequence[tuple[int, int]],
    reason: str | None,
    second: User | None,
    actor: Actor,
    now: datetime,
    today: date,
) -> None:
    """Send it, or put it before a second person where it is for many. Raises MailingRefused.

    ``people`` as ``mailing_readers.people_on_list`` reads them: apart, because reading is slow and this holds up other
    writers.
    """
    require(actor, Permission.WRITE_TO_MANY)
    db.session.refresh(mailing, with_for_update=True)  # pressed twice at once, or answered meanwhile
    _own_draft(mailing, actor)
    households = len({case_id for case_id, _ in people})
    if not people:
        raise MailingRefused("Nobody stands on this list.")
    if households >= MOST:
        raise MailingRefused(f"A mailing goes to fewer than {MOST:,} households. Filter the list first.")
    is_large = len(people) > ALONE_UP_TO
    if is_large:
        second_look.need_second(
            mailing,
            how_many=f"{len(people):,} people",
            second=second,
            reason=reason,
            why_asked="Say what it is for.",
            actor=actor,
        )
    mailing.household_count, mailing.people_count, mailing.asked_at = households, len(people), now
    mailing.step = MailingStep.WAITING if is_large else MailingStep.SENDING
    mailing.started_at = None if is_large else now
    db.session.flush()
    insert_rows(
        Values(MailingReader, {"mailing_id": mailing.id, "case_id": case_id, "person_id": person_id})
        for case_id, person_id in people
    )
    detail = {"people": len(people), "households": households, "purpose": mailing.purpose, "channel": mailing.channel}
    subject = f"mailing:{mailing.id}"
    record("mailing.asked" if is_large else "mailing.started", actor=actor, at=now, subject=subject, detail=detail)
    second_look.put_before(
        mailing,
        title=f"Look at a message to {len(people):,} people that {actor.display_name} wrote (Enquiries, Mailings)",
        actor=actor,
        now=now,
        today=today,
    )


def answer_mailing(mailing: Mailing, *, yes: bool, actor: Actor, now: datetime, today: date) -> None:
    """Say yes or no as the second person; yes sends it. Raises second_look.SecondLookRefused."""
    db.session.refresh(mailing, with_for_update=True)
    second_look.answer(
        mailing,
        yes=yes,
        event="mailing",
        subject=f"mailing:{mailing.id}",
        words="yes to your mailing: it is on its way" if yes else "no to your mailing",
        actor=actor,
        now=now,
        today=today,
    )
    mailing.step = MailingStep.SENDING if yes else MailingStep.REFUSED
    mailing.started_at = now if yes else None


def stop_mailing(mailing: Mailing, *, actor: Actor, now: datetime) -> None:
    """Stop it, whoever of those who may write to many sees that it is wrong: what has not left stays here."""
    require(actor, Permission.WRITE_TO_MANY)
    db.session.refresh(mailing, with_for_update=True)
    if mailing.step not in (MailingStep.SENDING, MailingStep.SENT) or (
        mailing.step == MailingStep.SENT and not waiting_to_leave(mailing)
    ):
        raise MailingRefused("There is nothing left of it to stop.", status=409)
    _stop(mailing, actor=actor, now=now)


def _stop(mailing: Mailing, *, actor: Actor, now: datetime) -> None:
    mailing.step, mailing.ended_at, mailing.stopped_by_id = MailingStep.STOPPED, now, actor.user_id
    record("mailing.stopped", actor=actor, at=now, subject=f"mailing:{mailing.id}")


def _own_draft(mailing: Mailing, actor: Actor) -> None:
    if mailing.asked_by_id != actor.user_id:
        raise NoSuchMailing("There is no such mailing.")
    if mailing.step != MailingStep.DRAFT:
        raise MailingRefused("It has been asked for already.", status=409)


# --- The worker's part ------------------------------------------------------------------------------------------------


def has_letters_to_write(now: datetime) -> bool:
    """Whether a mailing is on its way and the outbox has room for more of it. Takes no lock."""
    sending = select(Mailing.id).where(Mailing.step == MailingStep.SENDING).limit(1)
    return db.session.scalar(sending) is not None and _room(now) > 0


def write_letters(now: datetime) -> int:
    """Write the next few letters of the mailing that was begun first; how many people were dealt with.

    Runs in one transaction, so that whatever is killed, everybody is written to once: the row that says so and the
    letter are kept together or not at all.
    """
    mailing = db.session.scalars(
        select(Mailing)
        .where(Mailing.step == MailingStep.SENDING)
        .order_by(Mailing.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    room = min(CHUNK, _room(now))
    if mailing is None or room <= 0:
        return 0
    author = db.session.get_one(User, mailing.asked_by_id)
    if not author.active or not author.as_actor().has(Permission.WRITE_TO_MANY):
        _stop(mailing, actor=SYSTEM, now=now)
        return 0
    rows = db.session.scalars(
        select(MailingReader)
        .where(MailingReader.mailing_id == mailing.id, MailingReader.state == ReaderState.WAITING)
        .order_by(MailingReader.id)
        .limit(room)
    ).all()
    if not rows:
        mailing.step, mailing.ended_at = MailingStep.SENT, now
        record("mailing.finished", actor=SYSTEM, at=now, subject=f"mailing:{mailing.id}")
        return 0
    _write_to(mailing, rows, author=author_of(mailing), now=now)
    return len(rows)


def _write_to(mailing: Mailing, rows: Sequence[MailingReader], *, author: Actor, now: datetime) -> None:
    today = london_date(now)
    pairs, off_list = pairs_of(mailing, rows, author, today=today)
    sources = sources_of(mailing, today=today)
    for row, one in zip(rows, judge(mailing, pairs, off_list=off_list, now=now), strict=True):
        why, message = one.why, None
        if why is None:
            try:
                message = letters.send_letter(
                    letter_of(mailing).kind,
                    case=one.case,
                    person=one.person,
                    context={},
                    actor=author,
                    now=now,
                    today=today,
                    occasion=f"mailing{mailing.id}",
                    channel=Channel(mailing.channel),
                    sources=sources,
                )
            except UnsendableAddress:
                why = "cant_be_written"
        if message is None:
            row.state, row.why = ReaderState.NOT_WRITTEN, why or "no_address"
        else:
            row.state, row.message_id = ReaderState.WRITTEN, message.id
            row.point_key = recipient_key(message.channel, message.recipient or "")
    db.session.flush()


def _room(now: datetime) -> int:
    """How many more letters of this sort the outbox takes: those put off to a safe hour hold nobody up."""
    waiting = db.session.scalar(
        select(func.count())
        .select_from(OutboundMessage)
        .where(
            OutboundMessage.status.in_((MessageStatus.QUEUED, MessageStatus.SENDING)),
            OutboundMessage.next_attempt_at <= now,
            OutboundMessage.kind.in_(tuple(KIND.values())),
        )
    )
    return IN_THE_OUTBOX - (waiting or 0)


def waiting_to_leave(mailing: Mailing) -> int:
    """How many of its letters are written and have not left."""
    return (
        db.session.scalar(
            select(func.count())
            .select_from(MailingReader)
            .join(OutboundMessage, OutboundMessage.id == MailingReader.message_id)
            .where(
                MailingReader.mailing_id == mailing.id,
                OutboundMessage.status.in_((MessageStatus.QUEUED, MessageStatus.SENDING, MessageStatus.HELD)),
            )
        )
        or 0
    )


def may_it_leave(message: OutboundMessage, *, now: datetime, today: date, actor: Actor) -> Stop | Later | None:
    """Bound to the worker's claim: of a mailing that was stopped nothing more leaves, and the case says so."""
    letter = LETTERS.get(message.kind)
    if letter is None or not letter.to_many or message.case_id is None or message.person_id is None:
        return None
    step = db.session.scalar(
        select(Mailing.step)
        .join(MailingReader, MailingReader.mailing_id == Mailing.id)
        .where(MailingReader.message_id == message.id)
    )
    if step != MailingStep.STOPPED:
        return None
    case = db.session.get(Case, message.case_id)
    if case is not None:
        letters.say_it_stayed(message, case, actor=actor, now=now)
    return Stop("mailing_stopped")

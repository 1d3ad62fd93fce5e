"""What families send back: filed on their case, or laid where a person looks at it.

An answer is known by the signed address it was sent to, or by the Message-ID of the letter it answers: both are known
only to whoever had the letter. Who stands in From is noted, and believed by nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy import func, select

from crm import policy
from crm.audit import record
from crm.cases import bounces, queries, stopping, timeline
from crm.cases.merge_queries import person_behind
from crm.cases.models import Case, Person, Task
from crm.cases.tasks import add_task
from crm.db import db
from crm.delivery import OutboundMessage, incoming, signed_addresses
from crm.delivery.incoming import IncomingMail
from crm.delivery.models import Channel, IncomingMessage, IncomingOutcome
from crm.delivery.signed_addresses import Purpose
from crm.rules.permissions import SYSTEM, Actor, Permission, Sensitivity, require
from crm.rules.refusal import Refusal

MOST_IN_AN_HOUR = 20
"""Messages filed on one case in an hour; more than a person writes, and the rest is laid aside."""
LONGEST_KEPT_ASIDE = timedelta(days=90)
STOP_WORDS = frozenset({"stop", "stop all", "stopall", "unsubscribe", "end", "quit", "cancel", "opt out", "optout"})
"""What stops everything, sent alone."""
WROTE_BACK = " wrote back. Read it and answer"


log = structlog.get_logger("mail")


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What a feature made of a calendar object that came by mail."""

    outcome: IncomingOutcome
    case: Case | None = None
    person: Person | None = None
    why: str | None = None
    """Why it lies in the tray."""
    text: str | None = None
    """What the tray shows of it, in words: a calendar object is nothing that people read."""


TakesCalendar = Callable[..., Placed | None]
CALENDARS: dict[str, TakesCalendar | None] = {
    "answers_to_visits": None,
    "events_of_officers": None,
    "answers_to_events": None,
    "answers_to_nothing": None,
}
"""Named here, bound in the application: asked as ``f(mail, whose=…, now=…, today=…)`` in the transaction that takes a
message in, until one says that the calendar object is its business."""


class NotInTheTray(Refusal):
    """The message was dealt with meanwhile."""


def take_in(raw: bytes, *, now: datetime, today: date) -> IncomingMessage:
    """Take in one message of the mailbox for answers, once: the same message again changes nothing.

    1. A delivery report is about a letter of ours (``bounces``).
    2. An answer to an invitation, or an invitation to us, is seen to by the feature that it is about (``CALENDARS``).
    3. An answer is filed on its case, with a task for the owner; STOP by itself stops us.
    4. Whatever else comes, or comes too heavy, too often, or to an address that we never made, lies in the tray.
    """
    mail = incoming.read(raw)
    earlier = _earlier(mail.digest)
    if earlier is not None:
        return earlier
    signed = [one for one in (signed_addresses.read(address) for address in mail.recipients) if one is not None]
    bounced = next((one.first for one in signed if one.purpose is Purpose.BOUNCE), None)
    if mail.bounce is not None or bounced is not None:
        letter = bounces.letter_of(mail, bounced)
        if letter is not None:
            bounces.take_bounce(mail, letter, now=now, today=today)
            return _keep(mail, IncomingOutcome.BOUNCE, now=now, letter=letter)
    whose = _whose(mail, signed)
    placed = _ask_the_features(mail, whose, now=now, today=today)
    if placed is not None:
        return placed
    if whose is None:
        forged = any(signed_addresses.is_ours(one) and "+" in one for one in mail.recipients)
        return _lay_aside(mail, "forged" if forged else "no_address", now=now, today=today)
    case, person = whose
    if mail.is_too_heavy:
        return _lay_aside(mail, "too_heavy", now=now, today=today)
    if is_flooded(case, now=now):
        return _lay_aside(mail, "too_many", now=now, today=today)
    if mail.is_automatic:
        _note(case, person, f"An automatic answer came from the mailbox of {person.full_name}", now=now)
        return _keep(mail, IncomingOutcome.AUTOMATIC, now=now, case=case, person=person)
    _file(case, person, mail, channel=Channel.EMAIL, actor=SYSTEM, now=now, today=today)
    if _says_stop(mail.text):
        stopping.stop_contact(person, how="email", actor=SYSTEM, now=now, today=today)
    return _keep(mail, IncomingOutcome.FILED, now=now, case=case, person=person)


def lay_aside_unread(raw: bytes, *, now: datetime, today: date) -> IncomingMessage:
    """Lay a message that broke something in the tray, by its head."""
    digest = hashlib.sha256(raw).hexdigest()
    mail = IncomingMail(digest=digest, sender="", subject="", recipients=(), answers=(), text="", files=())
    try:
        read = incoming.read(raw)
        mail = replace(mail, digest=read.digest, sender=read.sender, subject=read.subject)
    except Exception as fault:
        log.error("message_not_read", fault=type(fault).__name__)
    return _earlier(mail.digest) or _lay_aside(mail, "not_dealt_with", now=now, today=today)


def _ask_the_features(
    mail: IncomingMail, whose: tuple[Case, Person] | None, *, now: datetime, today: date
) -> IncomingMessage | None:
    if mail.calendar is None:
        return None
    for takes in CALENDARS.values():
        placed = takes(mail, whose=whose, now=now, today=today) if takes is not None else None
        if placed is None:
            continue
        if placed.outcome == IncomingOutcome.TRAY:
            shown = replace(mail, text=placed.text or mail.text)
            return _lay_aside(shown, placed.why or "no_address", now=now, today=today)
        if placed.person is not None and placed.outcome == IncomingOutcome.FILED and _says_stop(mail.text):
            stopping.stop_contact(placed.person, how="email", actor=SYSTEM, now=now, today=today)
        return _keep(mail, placed.outcome, now=now, case=placed.case, person=placed.person)
    return None


def take_in_text(*, sender: str, words: str, reference: str, now: datetime, today: date) -> IncomingMessage:
    """Take in one text message, once by its ``reference``. STOP by itself stops us for everybody at that number.

    Another is filed where one household has the number and was texted; else it lies in the tray.
    """
    mail = IncomingMail(
        digest=incoming.digest_of(f"text|{reference}|{sender}"),
        sender=sender[:40],
        subject="",
        recipients=(),
        answers=(),
        text=" ".join(words.split())[: incoming.LONGEST_TEXT],
        files=(),
    )
    earlier = _earlier(mail.digest)
    if earlier is not None:
        return earlier
    people = db.session.scalars(select(Person).where(Person.phone_key == sender).order_by(Person.id)).all()
    if _says_stop(mail.text) and people:
        for person in people:
            stopping.stop_contact(person, how="text", actor=SYSTEM, now=now, today=today)
        return _keep(mail, IncomingOutcome.FILED, now=now, channel=Channel.TEXT, person=people[0])
    texted = _texted_lately(people)
    if texted is None:
        return _lay_aside(mail, "unknown_number", now=now, today=today, channel=Channel.TEXT)
    case, person = texted
    if is_flooded(case, now=now):
        return _lay_aside(mail, "too_many", now=now, today=today, channel=Channel.TEXT)
    _file(case, person, mail, channel=Channel.TEXT, actor=SYSTEM, now=now, today=today)
    return _keep(mail, IncomingOutcome.FILED, now=now, channel=Channel.TEXT, case=case, person=person)


# --- The tray ---------------------------------------------------------------------------------------------------------


def tray(*, limit: int = 50) -> Sequence[IncomingMessage]:
    """What nobody could place, the oldest first."""
    return db.session.scalars(
        select(IncomingMessage)
        .where(IncomingMessage.outcome == IncomingOutcome.TRAY)
        .order_by(IncomingMessage.id)
        .limit(limit)
    ).all()


def in_tray(message_id: int) -> IncomingMessage:
    """One message of the tray. Raises NotInTheTray: 404 where there was never such a message, 409 where it is done."""
    message = db.session.get(IncomingMessage, message_id, with_for_update=True)
    if message is None:
        raise NotInTheTray("We can’t find that message.", status=404)
    if message.outcome != IncomingOutcome.TRAY:
        raise NotInTheTray("Somebody has dealt with that message already.", alternatives=("Look at what is left.",))
    return message


def file_from_tray(
    message: IncomingMessage, *, case: Case, person: Person, actor: Actor, now: datetime, today: date
) -> None:
    """A person says whose a message is: it goes on that case. Who sent it is said, since nothing else shows it."""
    require(actor, Permission.RECORD_CONTACT)
    mail = IncomingMail(
        digest=message.digest,
        sender=message.sender or "",
        subject=message.subject or "",
        recipients=(),
        answers=(),
        text=message.text or "",
        files=(),
    )
    _file(case, person, mail, channel=Channel(message.channel), actor=actor, now=now, today=today)
    _settle(message, IncomingOutcome.FILED, actor=actor, now=now)
    message.case_id, message.person_id = case.id, person.id
    record("mail.filed", actor=actor, at=now, case_id=case.id, subject=f"incoming:{message.id}")


def dismiss(message: IncomingMessage, *, actor: Actor, now: datetime) -> None:
    """A person says that a message is nothing to us: its words are dropped."""
    require(actor, Permission.RECORD_CONTACT)
    _settle(message, IncomingOutcome.DISMISSED, actor=actor, now=now)
    record("mail.dismissed", actor=actor, at=now, subject=f"incoming:{message.id}")


def forget_old(*, now: datetime) -> int:
    """Dismiss what has lain in the tray too long; how many."""
    old = db.session.scalars(
        select(IncomingMessage).where(
            IncomingMessage.outcome == IncomingOutcome.TRAY, IncomingMessage.received_at < now - LONGEST_KEPT_ASIDE
        )
    ).all()
    for message in old:
        _settle(message, IncomingOutcome.DISMISSED, actor=SYSTEM, now=now)
    return len(old)


def _settle(message: IncomingMessage, outcome: IncomingOutcome, *, actor: Actor, now: datetime) -> None:
    message.outcome, message.settled_at, message.settled_by_id = outcome, now, actor.user_id
    message.sender = message.subject = message.text = None
    db.session.flush()


# --- Whose it is ------------------------------------------------------------------------------------------------------


def _earlier(digest: str) -> IncomingMessage | None:
    return db.session.scalar(select(IncomingMessage).where(IncomingMessage.digest == digest))


def _whose(mail: IncomingMail, signed: list[signed_addresses.Signed]) -> tuple[Case, Person] | None:
    """The case and the person an answer is about, by the address it came to, else by the letter it answers."""
    for one in signed:
        if one.purpose is Purpose.REPLY:
            found = _case_and_person(one.first, one.second)
            if found is not None:
                return found
    if not mail.answers:
        return None
    letter = db.session.scalar(
        select(OutboundMessage)
        .where(OutboundMessage.message_id.in_(mail.answers), OutboundMessage.person_id.is_not(None))
        .order_by(OutboundMessage.id.desc())
        .limit(1)
    )
    if letter is None or letter.case_id is None or letter.person_id is None:
        return None
    return _case_and_person(letter.case_id, letter.person_id)


def _case_and_person(case_id: int, person_id: int) -> tuple[Case, Person] | None:
    """Both as they are called now: either may have been merged into another since the letter left."""
    try:
        case = queries.case_by_id(case_id)
    except queries.CaseNotFound:
        return None
    person = db.session.get(Person, person_id) or db.session.get(Person, person_behind(person_id) or 0)
    return (case, person) if person is not None and person.household_id == case.household_id else None


def _texted_lately(people: Sequence[Person]) -> tuple[Case, Person] | None:
    """The one household among these people's that we have sent a text; None where there are several or none."""
    if not people or len({person.household_id for person in people}) > 1:
        return None
    letter = db.session.scalar(
        select(OutboundMessage)
        .where(
            OutboundMessage.case_id.in_(select(Case.id).where(Case.household_id == people[0].household_id)),
            OutboundMessage.channel == Channel.TEXT,
        )
        .order_by(OutboundMessage.id.desc())
        .limit(1)
    )
    if letter is None or letter.case_id is None:
        return None
    person = next((one for one in people if one.id == letter.person_id), people[0])
    return _case_and_person(letter.case_id, person.id)


def is_flooded(case: Case, *, now: datetime) -> bool:
    """Whether so much came about a case lately that what comes now is laid aside."""
    count = select(func.count()).where(
        IncomingMessage.case_id == case.id, IncomingMessage.received_at > now - timedelta(hours=1)
    )
    return (db.session.scalar(count) or 0) >= MOST_IN_AN_HOUR


def _says_stop(text: str) -> bool:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return " ".join(first.strip(" .!\"'’").lower().split()) in STOP_WORDS


# --- What is kept -----------------------------------------------------------------------------------------------------


def _file(
    case: Case, person: Person, mail: IncomingMail, *, channel: Channel, actor: Actor, now: datetime, today: date
) -> None:
    """Put an answer on the timeline, and on the owner's list."""
    by = "by text" if channel == Channel.TEXT else "by email"
    theirs = person.phone_key if channel == Channel.TEXT else person.email_key
    is_known = bool(mail.sender) and mail.sender == theirs
    name = person.full_name
    title = f"{name} wrote back {by}" if is_known else f"An answer to a letter to {name} came {by} from another address"
    lines = [mail.text or "There were no words in it."]
    if not is_known and mail.sender:
        lines.append(f"It says that it is from {mail.sender}. Make sure who wrote it before you rely on it.")
    if mail.files:
        lines.append(f"With it came, and was not kept: {', '.join(mail.files[:20])}")
    timeline.add(
        case,
        kind="contact",
        title=title,
        detail="\n\n".join(lines),
        sensitivity=Sensitivity.PERSONAL,
        actor=actor,
        occurred_at=now,
        person_id=person.id,
    )
    owner_id = case.owner_id or policy.service().fallback_owner_id
    title = f"{name}{WROTE_BACK}"[:200]
    if owner_id is not None and not _is_on_list(case, title):
        calendar = policy.rulebook_on(today).calendar
        add_task(
            title=title,
            assigned_to_id=owner_id,
            due_on=calendar.add(today, 1),
            actor=actor,
            now=now,
            case=case,
        )
    record("mail.received", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}")


def _is_on_list(case: Case, title: str) -> bool:
    """Whether the owner is to read an earlier answer anyway: ten in a row are one thing to do."""
    open_one = select(Task.id).where(Task.case_id == case.id, Task.done_at.is_(None), Task.title == title)
    return db.session.scalar(open_one.limit(1)) is not None


def _note(case: Case, person: Person, title: str, *, now: datetime) -> None:
    timeline.add(case, kind="contact", title=title, actor=SYSTEM, occurred_at=now, person_id=person.id)


def _keep(
    mail: IncomingMail,
    outcome: IncomingOutcome,
    *,
    now: datetime,
    channel: Channel = Channel.EMAIL,
    case: Case | None = None,
    person: Person | None = None,
    letter: OutboundMessage | None = None,
    why: str | None = None,
) -> IncomingMessage:
    kept = IncomingMessage(
        digest=mail.digest,
        channel=channel,
        received_at=now,
        outcome=outcome,
        why=why,
        case_id=case.id if case else letter.case_id if letter else None,
        person_id=person.id if person else letter.person_id if letter else None,
        files=len(mail.files),
    )
    if outcome == IncomingOutcome.TRAY:
        kept.sender, kept.subject, kept.text = mail.sender, mail.subject, mail.text
    else:
        kept.settled_at = now
    db.session.add(kept)
    db.session.flush()
    return kept


def _lay_aside(
    mail: IncomingMail, why: str, *, now: datetime, today: date, channel: Channel = Channel.EMAIL
) -> IncomingMessage:
    """Put a message in the tray. Somebody has it on their list, once, however many lie there."""
    kept = _keep(mail, IncomingOutcome.TRAY, now=now, channel=channel, why=why)
    record("mail.laid_aside", actor=SYSTEM, at=now, subject=f"incoming:{kept.id}", detail={"why": why})
    owner_id = policy.service().fallback_owner_id
    title = "A message came that belongs to no household that we can tell. Look at Messages to place"
    waiting = select(Task.id).where(Task.case_id.is_(None), Task.done_at.is_(None), Task.title == title)
    if owner_id is not None and db.session.scalar(waiting.limit(1)) is None:
        add_task(title=title, assigned_to_id=owner_id, due_on=today, actor=SYSTEM, now=now)
    return kept

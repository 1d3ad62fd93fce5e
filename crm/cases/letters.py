"""Letters about a case: the only caller of the outbox for them.

Safe-contact rules, the choice of channel and the merge fields live here, so that no feature can go round them. One
letter has one recipient. What can't be sent becomes a task for the owner of the case: nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from crm import policy
from crm.access.models import User
from crm.audit import record
from crm.cases import contact_links, keys, safe_contact, timeline
from crm.cases.models import Case, Person
from crm.cases.tasks import add_task
from crm.db import db
from crm.delivery import Attachment, Channel, Invitation, NewMessage, OutboundMessage, Recipient, enqueue
from crm.delivery.letters import LETTERS, LetterKind
from crm.delivery.message import UnsendableAddress, sendable_address
from crm.delivery.render import Sources
from crm.delivery.worker import Later, Stop
from crm.rules.likeness import mailbox
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.safe_times import next_safe_moment

BY_WORDS = {Channel.EMAIL: "by email", Channel.TEXT: "by text", Channel.POST: "by post, to print"}


@dataclass(frozen=True)
class _Route:
    """How a letter to one person goes, or why it can't."""

    channel: Channel | None
    to: Recipient | None = None
    not_before: datetime | None = None
    """The first moment at which it may reach them, where that is later than asked for."""
    why_not: str | None = None
    """A code of ``safe_contact.WHY_NOT``."""


def send_letter(
    kind: str,
    *,
    case: Case,
    person: Person,
    context: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook | None = None,
    occasion: str | None = None,
    calendar: Invitation | None = None,
    stream: str | None = None,
    sequence: int | None = None,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    channel: Channel | None = None,
    attachment: Attachment | None = None,
    sources: Sources | None = None,
) -> OutboundMessage | None:
    """Write one letter to one person, by email, text or post.

    ``occasion`` says which happening it is about, so that the same one told twice is one letter. ``channel`` is given
    where the law or a person chose it. Returns None when it can't be sent; the owner of the case then has a task that
    says why. ``calendar`` goes with an email only. ``sources`` are words written for this one occasion.
    """
    letter = LETTERS[kind]
    route = _route(letter, case, person, wanted=channel, at=max(now, not_before or now), not_after=not_after)
    if route.channel is None or route.to is None:
        why = safe_contact.WHY_NOT[route.why_not or "no_address"]
        _tell_owner(letter, case, person, why=why, actor=actor, now=now, today=today)
        return None
    fields = {**common_fields(case, person), **context}
    message = enqueue(
        NewMessage(
            kind=kind,
            channel=route.channel,
            to=route.to,
            dedupe_key=f"{kind}:{case.id}:{person.id}:{occasion or now.isoformat()}",
            context=fields,
            case_id=case.id,
            person_id=person.id,
            invitation=calendar if route.channel == Channel.EMAIL else None,
            reader=person.full_name,
            attachment=attachment if route.channel == Channel.EMAIL else None,
            stream=stream,
            sequence=sequence,
            not_before=route.not_before,
            not_after=not_after,
            stop_url=_stop_url(letter, person, route.channel, now=now),
            sources=sources,
        ),
        now=now,
    )
    if not letter.asked_for:
        timeline.add(
            case,
            kind="letter",
            title=f"{message.subject if sources else letter.title}: {person.full_name}, {BY_WORDS[route.channel]}",
            actor=actor,
            occurred_at=now,
            person_id=person.id,
        )
    _record_queued(message, case=case, kind=kind, actor=actor, now=now)
    return message


def send_to_applicants(
    kind: str,
    *,
    case: Case,
    context: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook | None = None,
    occasion: str | None = None,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    only: Collection[int] | None = None,
    attachment: Attachment | None = None,
    stream: str | None = None,
    sequence: int | None = None,
) -> list[OutboundMessage]:
    """Write a letter to each applicant, each their own. Two who share an email get an ordinary one once.

    ``only`` names those of them whom it is about, where that is not all. A ``stream`` is each person's own.
    """
    sent: list[OutboundMessage] = []
    reached: set[str] = set()
    for person in case.household.people:
        if not person.is_applicant or person.left_household_on is not None:
            continue
        if only is not None and person.id not in only:
            continue
        if person.email_key and person.email_key in reached and not LETTERS[kind].contains_sensitive:
            continue
        no_way = not person.email and not case.household.address
        if no_way and reached and not LETTERS[kind].statutory:
            continue  # they hear it from the other; what the law gives each of them becomes a task
        message = send_letter(
            kind,
            case=case,
            person=person,
            context=context,
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            occasion=occasion,
            not_before=not_before,
            not_after=not_after,
            attachment=attachment,
            stream=f"{stream}:person{person.id}" if stream else None,
            sequence=sequence,
        )
        if message is not None:
            sent.append(message)
        if person.email_key:
            reached.add(person.email_key)
    return sent


def send_to_staff(
    kind: str,
    *,
    user: User,
    case: Case,
    context: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    today: date,
    occasion: str | None = None,
    calendar: Invitation | None = None,
    stream: str | None = None,
    sequence: int | None = None,
    not_before: datetime | None = None,
) -> OutboundMessage:
    """Write a letter to a member of staff about a case: by reference, with nobody's name or address in it."""
    message = enqueue(
        NewMessage(
            kind=kind,
            channel=Channel.EMAIL,
            to=Recipient(email=user.email),
            dedupe_key=f"{kind}:{case.id}:user{user.id}:{occasion or now.isoformat()}",
            context={
                "service": policy.service(),
                "first_name": user.name.split()[0],
                "reference": case.reference,
                **context,
            },
            case_id=case.id,
            user_id=user.id,
            invitation=calendar,
            stream=stream,
            sequence=sequence,
            not_before=not_before,
        ),
        now=now,
    )
    _record_queued(message, case=case, kind=kind, actor=actor, now=now)
    return message


def send_to_referee(
    kind: str,
    *,
    case: Case,
    first_name: str,
    email: str | None,
    phone: str | None,
    context: Mapping[str, Any],
    whom: str,
    stream: str,
    sequence: int,
    about_id: int,
    actor: Actor,
    now: datetime,
    calendar: Invitation | None = None,
    not_after: datetime | None = None,
) -> OutboundMessage:
    """Write to somebody who speaks for a household and is not of it: by email, by text where there is only a mobile.

    Raises WrongRecipient where that place is one of the household's own. The letter names no person of the case as its
    reader, so that answers to it and what a household is shown of its letters stay apart. ``whom`` is how the case says
    who it went to, without a name; ``about_id`` the applicant it is about; ``not_after`` when it is of no use any more.
    """
    letter = LETTERS[kind]
    refuse_households(case, email=email, phone=phone)
    channel = Channel.EMAIL if email else Channel.TEXT
    service = policy.service()
    owner = db.session.get(User, case.owner_id) if case.owner_id else None
    message = enqueue(
        NewMessage(
            kind=kind,
            channel=channel,
            to=Recipient(email=email) if email else Recipient(phone=keys.phone_key(phone)),
            dedupe_key=f"{kind}:{stream}:{sequence}",
            context={
                "service": service,
                "first_name": first_name,
                "reference": case.reference,
                "owner_name": owner.name if owner else service.name,
                **context,
            },
            case_id=case.id,
            stream=stream,
            sequence=sequence,
            invitation=calendar if channel == Channel.EMAIL else None,
            not_after=not_after,
            not_before=None
            if channel == Channel.EMAIL
            else next_safe_moment(
                now, quiet=None, from_minutes=service.safe_from_minutes, until_minutes=service.safe_until_minutes
            ),
        ),
        now=now,
    )
    timeline.add(
        case,
        kind="letter",
        title=f"{letter.title}: {whom}, {BY_WORDS[channel]}",
        actor=actor,
        occurred_at=now,
        person_id=about_id,
    )
    _record_queued(message, case=case, kind=kind, actor=actor, now=now)
    return message


class WrongRecipient(Refusal):
    """A letter about a household would come to the household."""

    default_status = 422


def refuse_households(case: Case, *, email: str | None, phone: str | None) -> None:
    """Raise WrongRecipient where one of the household is reached at this email or number, now or when they lived
    there: what others say of people must not come to those it is about."""
    for field, given in (("email", email), ("phone", phone)):
        whose = _whose(case, email=given if field == "email" else None, phone=given if field == "phone" else None)
        if whose is not None:
            what = "email address" if field == "email" else "number"
            raise WrongRecipient(
                f"That {what} is the one we have for {whose.given_name}, of the household. "
                "Ask for one that is the referee’s alone.",
                field=field,
            )


def is_households(case: Case, *, email: str | None, phone: str | None) -> bool:
    """Whether one of the household is reached at this email or number."""
    return _whose(case, email=email, phone=phone) is not None


def _whose(case: Case, *, email: str | None, phone: str | None) -> Person | None:
    email_key, box, number = keys.email_key(email), mailbox(email) if email else None, keys.phone_key(phone)
    for person in case.household.people:
        theirs = mailbox(person.email) if person.email else None
        if (email_key and email_key == person.email_key) or (box and box == theirs):
            return person
        if number and number == person.phone_key:
            return person
    return None


@dataclass(frozen=True)
class Way:
    """One way by which a letter could go to somebody."""

    channel: Channel
    address: str | None
    why_not: str | None
    """Why it would not go that way, in words; None where it could."""
    not_before: datetime | None
    """The first moment at which it may reach them that way, where that is not at once."""
    is_taken: bool
    """Whether it is the one that it would go by."""


def ways_it_could_go(kind: str, case: Case, person: Person, *, now: datetime) -> list[Way]:
    """The ways of a letter to one person, the wished one first, and why not by each: by the rules that hold when it is
    sent."""
    letter = LETTERS[kind]
    taken = _route(letter, case, person, wanted=None, at=now, not_after=None).channel
    ways = []
    for channel in _ways(letter, person):
        code = safe_contact.why_not_by(letter, case, person, channel, now=now)
        moment = safe_contact.next_moment(person, channel, at=now)
        ways.append(
            Way(
                channel=channel,
                address=safe_contact.address_for(case, person, channel),
                why_not=safe_contact.WHY_NOT[code] if code else None,
                not_before=moment if moment is not None and moment > now else None,
                is_taken=channel == taken,
            )
        )
    return ways


def why_not_reachable(kind: str, case: Case, person: Person, *, now: datetime) -> str | None:
    """Why a letter of this kind could not go to this person now; None when it could."""
    why = _route(LETTERS[kind], case, person, wanted=None, at=now, not_after=None).why_not
    return safe_contact.WHY_NOT[why] if why else None


def _route(
    letter: LetterKind,
    case: Case,
    person: Person,
    *,
    wanted: Channel | None,
    at: datetime,
    not_after: datetime | None,
) -> _Route:
    """Choose how a letter goes.

    1. The channel asked for, else what the person prefers, else email, post and text, as far as the letter has them.
    2. The first of them that what the person asked of us allows (``safe_contact``): somebody who asked us to stop gets
       only what the law makes us send, and nothing sensitive goes to a mailbox that two people share.
    3. At a time at which they may be reached.
    """
    codes = []
    for channel in (wanted,) if wanted is not None else _ways(letter, person):
        code = safe_contact.why_not_by(letter, case, person, channel, now=at, is_chosen=wanted is not None)
        moment = at if letter.asked_for else safe_contact.next_moment(person, channel, at=at)
        if code is None and moment is not None and not_after is not None and moment > not_after:
            code = "too_late"
        if code is None:
            return _Route(channel, _recipient(case, person, channel), not_before=moment)
        codes.append(code)
    return _Route(None, why_not=safe_contact.most_telling(codes))


def _ways(letter: LetterKind, person: Person) -> list[Channel]:
    ways = [channel for channel in (Channel.EMAIL, Channel.POST, Channel.TEXT) if channel in letter.channels]
    prefers = None if letter.has_calendar and person.prefers == Channel.TEXT else person.prefers
    return sorted(ways, key=lambda channel: channel != prefers)


def _recipient(case: Case, person: Person, channel: Channel) -> Recipient:
    if channel == Channel.EMAIL:
        return Recipient(email=person.email)
    if channel == Channel.TEXT:
        return Recipient(phone=person.phone_key)
    return Recipient(postal=_postal_lines(case, person))


def _stop_url(letter: LetterKind, person: Person, channel: Channel, *, now: datetime) -> str | None:
    """Where its reader can tell us to stop: in all that the law does not make us send, but for the printed page."""
    if channel == Channel.POST or not letter.may_be_stopped:
        return None
    return contact_links.stop_link(person, now=now)


def may_it_leave(message: OutboundMessage, *, now: datetime, today: date, actor: Actor) -> Stop | Later | None:
    """Bound to the worker's claim: what the person asked of us is asked again as a letter is about to leave.

    What is stopped here shows on the case, and the owner has a task, unless the person asked us to stop altogether:
    then the owner was told when they did.
    """
    person = db.session.get(Person, message.person_id) if message.person_id else None
    case = db.session.get(Case, message.case_id) if message.case_id else None
    letter = LETTERS.get(message.kind)
    if person is None or case is None or letter is None:
        return None
    channel = Channel(message.channel)
    code = safe_contact.why_not_by(letter, case, person, channel, now=now, is_chosen=True)
    if code == "no_address" or (code is None and safe_contact.address_for(case, person, channel) != message.recipient):
        code = "address_changed"
    if code is not None:
        why = safe_contact.WHY_NOT[code]
        _tell_owner(letter, case, person, why=why, actor=actor, now=now, today=today)
        return Stop(code)
    safe = now if letter.asked_for else safe_contact.next_moment(person, channel, at=now)
    return Later(safe) if safe is not None and safe > now else None


def _postal_lines(case: Case, person: Person) -> tuple[str, ...]:
    address = (case.household.address or "").replace(",", "\n").splitlines()
    lines = [person.full_name, *(line.strip() for line in address if line.strip())]
    postcode = case.household.postcode
    if postcode and keys.postcode_key(lines[-1]) != keys.postcode_key(postcode):
        lines.append(postcode)
    return tuple(lines)


def common_fields(case: Case, person: Person) -> dict[str, Any]:
    """What every letter to a household may merge in: about its reader, and nobody else."""
    owner = db.session.get(User, case.owner_id) if case.owner_id else None
    service = policy.service()
    return {
        "service": service,
        "first_name": person.given_name,
        "reference": case.reference,
        "owner_name": owner.name if owner else service.name,
    }


def _tell_owner(
    letter: LetterKind, case: Case, person: Person, *, why: str, actor: Actor, now: datetime, today: date
) -> None:
    title = f"{letter.title} was not sent to {person.full_name}: {why}"
    timeline.add(case, kind="letter", title=title, actor=actor, occurred_at=now, person_id=person.id)
    record(
        "letter.not_sent",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"person:{person.id}",
        detail={"kind": letter.kind},
    )
    if case.owner_id is not None and not person.no_contact and not letter.to_many:
        add_task(
            title=f"Tell {person.full_name} another way: {letter.title.lower()}",
            assigned_to_id=case.owner_id,
            due_on=today,
            actor=actor,
            now=now,
            case=case,
        )


def say_it_stayed(message: OutboundMessage, case: Case, *, actor: Actor, now: datetime) -> None:
    """Say on the case that a letter which stands there was stopped before it left, and is nobody's to make up for."""
    timeline.add(
        case,
        kind="letter",
        title=f"{message.subject} was stopped before it left",
        actor=actor,
        occurred_at=now,
        person_id=message.person_id,
    )


def tell_taken_back(
    messages: list[OutboundMessage],
    case: Case,
    person: Person,
    *,
    code: str,
    actor: Actor,
    now: datetime,
    today: date,
) -> None:
    """Say on the case which letters were taken back before they left, and have the owner see to each."""
    for message in messages:
        letter = LETTERS.get(message.kind)
        if letter is not None:
            why = safe_contact.WHY_NOT[code]
            _tell_owner(letter, case, person, why=why, actor=actor, now=now, today=today)


def _record_queued(message: OutboundMessage, *, case: Case, kind: str, actor: Actor, now: datetime) -> None:
    record(
        "letter.queued",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"message:{message.id}",
        detail={"kind": kind, "channel": str(message.channel)},
    )


def is_address_of(message: OutboundMessage, person: Person) -> bool:
    """Whether a letter by email went to the address that is on file for somebody now."""
    try:
        return message.recipient == sendable_address(person.email)
    except UnsendableAddress:
        return False


def task_for_given_up(message: OutboundMessage, *, now: datetime, today: date, actor: Actor) -> None:
    """Bound to a letter that was given up: the owner of its case is told, so that a failure is seen by who can act."""
    record(
        "letter.given_up",
        actor=actor,
        at=now,
        case_id=message.case_id,
        subject=f"message:{message.id}",
        detail={"kind": message.kind, "why": message.last_failure},
    )
    case = db.session.get(Case, message.case_id) if message.case_id else None
    if case is None or case.owner_id is None:
        return
    letter = LETTERS[message.kind]
    timeline.add(case, kind="letter", title=f"{letter.title} could not be delivered", actor=actor, occurred_at=now)
    if letter.to_many:
        return
    add_task(
        title=f"{letter.title} could not be delivered. Check the address, or tell them another way",
        assigned_to_id=case.owner_id,
        due_on=today,
        actor=actor,
        now=now,
        case=case,
    )

"""Letters about a case: the only caller of the outbox for them.

Safe-contact rules, the choice of channel and the merge fields live here, so that no feature can go round them. One
letter has one recipient. What can't be sent becomes a task for the owner of the case: nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from crm import policy
from crm.access.models import User
from crm.audit import record
from crm.cases import keys, timeline
from crm.cases.models import Case, Person
from crm.cases.tasks import add_task
from crm.db import db
from crm.delivery import Attachment, Channel, Invitation, NewMessage, OutboundMessage, Recipient, enqueue
from crm.delivery.letters import LETTERS, LetterKind
from crm.rules.permissions import Actor
from crm.rules.rulebook import Rulebook


@dataclass(frozen=True)
class _Route:
    """How a letter to one person goes, or why it can't."""

    channel: Channel | None
    to: Recipient | None = None
    why_not: str | None = None


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
) -> OutboundMessage | None:
    """Write one letter to one person, by email or post.

    ``occasion`` says which happening it is about, so that the same one told twice is one letter. ``channel`` is given
    where the law or a person chose it. Returns None when it can't be sent; the owner of the case then has a task that
    says why. ``calendar`` goes with an email only.
    """
    letter = LETTERS[kind]
    route = _route(letter, case, person, wanted=channel)
    if route.channel is None or route.to is None:
        _tell_owner(letter, case, person, why=route.why_not or "", actor=actor, now=now, today=today)
        return None
    fields = {**_common_fields(case, person), **context}
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
            attachment=attachment if route.channel == Channel.EMAIL else None,
            stream=stream,
            sequence=sequence,
            not_before=not_before,
            not_after=not_after,
        ),
        now=now,
    )
    by = "by email" if route.channel == Channel.EMAIL else "by post, to print"
    timeline.add(
        case,
        kind="letter",
        title=f"{letter.title}: {person.full_name}, {by}",
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
) -> list[OutboundMessage]:
    """Write a letter to each applicant, each their own. Two who share an email get an ordinary one once."""
    sent: list[OutboundMessage] = []
    reached: set[str] = set()
    for person in case.household.people:
        if not person.is_applicant or person.left_household_on is not None:
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


def why_not_reachable(kind: str, case: Case, person: Person) -> str | None:
    """Why a letter of this kind could not go to this person now; None when it could."""
    return _route(LETTERS[kind], case, person, wanted=None).why_not


def _route(letter: LetterKind, case: Case, person: Person, *, wanted: Channel | None) -> _Route:
    """Choose how a letter goes.

    1. Somebody who asked us to stop gets only what the law makes us send.
    2. The channel asked for, else what the person prefers, else email, else post.
    3. Nothing sensitive goes to a mailbox that two people share: it goes by post, addressed to one.
    """
    if person.no_contact and not letter.statutory:
        return _Route(None, why_not="they asked us not to be in touch")
    shared = letter.contains_sensitive and _shares_email(case, person)
    # Ways that they ruled out are used for what the law makes us send alone.
    email_ok = bool(person.email) and Channel.EMAIL in letter.channels and not shared
    email_ok = email_ok and (letter.statutory or not person.no_emails)
    post_ok = bool(case.household.address) and Channel.POST in letter.channels
    post_ok = post_ok and (letter.statutory or not person.no_letters)
    if wanted == Channel.POST or (wanted is None and person.prefers == "post" and post_ok):
        email_ok = False
    if wanted == Channel.EMAIL:
        post_ok = False
    if email_ok:
        return _Route(Channel.EMAIL, Recipient(email=person.email))
    if post_ok:
        return _Route(Channel.POST, Recipient(postal=_postal_lines(case, person)))
    if (person.email and person.no_emails) or (case.household.address and person.no_letters):
        return _Route(None, why_not="they asked us not to write to them")
    if shared:
        return _Route(None, why_not="their email is shared and we have no postal address")
    return _Route(None, why_not="we have no email or postal address for them")


def _shares_email(case: Case, person: Person) -> bool:
    return any(
        other.id != person.id and other.email_key and other.email_key == person.email_key
        for other in case.household.people
    )


def _postal_lines(case: Case, person: Person) -> tuple[str, ...]:
    address = (case.household.address or "").replace(",", "\n").splitlines()
    lines = [person.full_name, *(line.strip() for line in address if line.strip())]
    postcode = case.household.postcode
    if postcode and keys.postcode_key(lines[-1]) != keys.postcode_key(postcode):
        lines.append(postcode)
    return tuple(lines)


def _common_fields(case: Case, person: Person) -> dict[str, Any]:
    owner = db.session.get(User, case.owner_id) if case.owner_id else None
    service = policy.service()
    return {
        "service": service,
        "first_name": person.given_name,
        "full_name": person.full_name,
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
    if case.owner_id is not None and not person.no_contact:
        add_task(
            title=f"Tell {person.full_name} another way: {letter.title.lower()}",
            assigned_to_id=case.owner_id,
            due_on=today,
            actor=actor,
            now=now,
            case=case,
        )


def _record_queued(message: OutboundMessage, *, case: Case, kind: str, actor: Actor, now: datetime) -> None:
    record(
        "letter.queued",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"message:{message.id}",
        detail={"kind": kind, "channel": str(message.channel)},
    )


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
    add_task(
        title=f"{letter.title} could not be delivered. Check the address, or tell them another way",
        assigned_to_id=case.owner_id,
        due_on=today,
        actor=actor,
        now=now,
        case=case,
    )

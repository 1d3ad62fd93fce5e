"""Letters that came back: the one that did is not delivered, its owner has a task, and an address that does not work
gets nothing more until a person says that it does."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select

from crm.audit import record
from crm.cases import letters, stopping, timeline
from crm.cases.models import Case, Person
from crm.db import db
from crm.delivery import Channel, MessageStatus, OutboundMessage
from crm.delivery.enqueue import take_back
from crm.delivery.incoming import IncomingMail
from crm.rules.permissions import SYSTEM, Actor

CAME_BACK, CAME_BACK_FOR_GOOD = "came_back", "no_such_mailbox"
DEAD = frozenset({"no_such_mailbox", "mailbox_moved"})
"""Failures of a letter that say its address will take no other either."""


def letter_of(mail: IncomingMail, named: int | None) -> OutboundMessage | None:
    """The letter that a delivery report is about: by the address the report came to, else by what it quotes."""
    if named is not None:
        return db.session.get(OutboundMessage, named)
    ids = mail.bounce.original_ids if mail.bounce else ()
    if not ids:
        return None
    return db.session.scalar(select(OutboundMessage).where(OutboundMessage.message_id.in_(ids)).limit(1))


def take_bounce(mail: IncomingMail, letter: OutboundMessage, *, now: datetime, today: date) -> None:
    """Do what a delivery report asks for. A delay asks for nothing: the mail server goes on trying.

    A report that names no reason (some servers send none) is a letter that did not arrive, and says nothing of the
    address.
    """
    bounce = mail.bounce
    if bounce is not None and not bounce.is_final:
        return
    if letter.channel != Channel.EMAIL or letter.status != MessageStatus.SENT:
        return
    is_dead = bounce is not None and bounce.address_is_dead
    letter.status, letter.sent_at, letter.settled_at = MessageStatus.GIVEN_UP, None, now
    letter.last_failure = CAME_BACK_FOR_GOOD if is_dead else CAME_BACK
    letter.may_have_left = False
    db.session.flush()
    note_given_up(letter, now=now, today=today, actor=SYSTEM)


def note_given_up(message: OutboundMessage, *, now: datetime, today: date, actor: Actor) -> None:
    """Bound to a letter that was given up: its owner is told, and an address that does not work is marked as such."""
    letters.task_for_given_up(message, now=now, today=today, actor=actor)
    if message.channel == Channel.EMAIL and message.last_failure in DEAD and message.person_id is not None:
        person = db.session.get(Person, message.person_id)
        if person is not None and person.email and letters.is_address_of(message, person):
            mark_email_dead(person, now=now, today=today, actor=actor)


def mark_email_dead(person: Person, *, now: datetime, today: date, actor: Actor) -> None:
    """Nothing more goes to this email, whoever of the people here has it, until a person says that it works."""
    same = db.session.scalars(
        select(Person).where(Person.email_key == person.email_key, Person.email_fails_since.is_(None))
    ).all()
    for one in same:
        one.email_fails_since = now
        taken = take_back([one.id], code="address_not_working", now=now, channel=Channel.EMAIL, even_statutory=True)
        for case in stopping.cases_of(one):
            timeline.add(
                case,
                kind="fact",
                title=f"The email of {one.full_name} does not work: nothing more goes to it",
                actor=actor,
                occurred_at=now,
                person_id=one.id,
            )
            record("person.email_dead", actor=actor, at=now, case_id=case.id, subject=f"person:{one.id}")
            mine = [message for message in taken if message.case_id == case.id]
            letters.tell_taken_back(mine, case, one, code="address_not_working", actor=actor, now=now, today=today)


def say_email_works(case: Case, person: Person, *, actor: Actor, now: datetime) -> bool:
    """A person says that the email works after all. False when nothing was against it."""
    if person.email_fails_since is None:
        return False
    person.email_fails_since = None
    timeline.add(
        case,
        kind="fact",
        title=f"The email of {person.full_name} works again",
        actor=actor,
        occurred_at=now,
        person_id=person.id,
    )
    record("person.email_works", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}")
    return True

"""Somebody asks us to stop: all contact, or only news and events. It holds from that moment, on every channel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select

from crm.audit import record
from crm.cases import timeline
from crm.cases.consents import consents_in_force, record_consent
from crm.cases.models import Case, Person
from crm.cases.tasks import add_task
from crm.db import db
from crm.delivery import OutboundMessage
from crm.delivery.enqueue import take_back
from crm.rules.permissions import Actor

HOW_WORDS = {
    "link": "by the link in a letter",
    "one_click": "with their mail program’s own button",
    "text": "by text",
    "email": "by email",
    "staff": "and we noted it",
}
"""How they told us."""


def stop_contact(person: Person, *, how: str, actor: Actor, now: datetime, today: date) -> bool:
    """Stop everything to this person but what the law makes us send. False when it was so already.

    1. The rule is set, and their consents to news and events end.
    2. What is written and has not left is taken back.
    3. Each case of the household shows it, and the owner of an open one has a task, once.
    """
    if person.no_contact:
        return False
    person.no_contact = True
    withdraw_consents(person, how=how, actor=actor, now=now)
    taken = take_back([person.id], code="asked_to_stop", now=now)
    for case in cases_of(person):
        timeline.add(
            case,
            kind="contact",
            title=f"{person.full_name} asked us to stop contacting them, {HOW_WORDS[how]}",
            detail=_taken_words(taken),
            actor=actor,
            occurred_at=now,
            person_id=person.id,
        )
        record(
            "contact.stopped",
            actor=actor,
            at=now,
            case_id=case.id,
            subject=f"person:{person.id}",
            detail={"how": how, "taken_back": len(taken)},
        )
        if case.is_open and case.owner_id is not None and case.owner_id != actor.user_id:
            add_task(
                title=f"{person.full_name} asked us to stop contacting them. Decide what becomes of this household",
                assigned_to_id=case.owner_id,
                due_on=today,
                actor=actor,
                now=now,
                case=case,
            )
    return True


def stop_news(person: Person, *, how: str, actor: Actor, now: datetime) -> bool:
    """End news and events on every channel; what is about their own enquiry goes on. False when there were none."""
    ended = withdraw_consents(person, how=how, actor=actor, now=now)
    taken = take_back([person.id], code="no_consent", now=now, only_marketing=True)
    if not ended and not taken:
        return False
    for case in cases_of(person):
        timeline.add(
            case,
            kind="contact",
            title=f"{person.full_name} wants no more news and events, {HOW_WORDS[how]}",
            detail=_taken_words(taken),
            actor=actor,
            occurred_at=now,
            person_id=person.id,
        )
        record("contact.news_stopped", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}")
    return True


def withdraw_consents(person: Person, *, how: str, actor: Actor, now: datetime) -> list[str]:
    """Record a no on each channel that stands at yes; the wording is the one they said yes to. Gives the channels."""
    ended = []
    for channel, consent in consents_in_force([person.id]).get(person.id, {}).items():
        if consent.given:
            record_consent(
                person,
                channel=channel,
                given=False,
                wording_version=consent.wording_version,
                source=f"Withdrawn {HOW_WORDS[how]}",
                actor=actor,
                now=now,
            )
            ended.append(channel)
    return ended


def cases_of(person: Person) -> Sequence[Case]:
    """The journeys of somebody's household, the oldest first."""
    return db.session.scalars(select(Case).where(Case.household_id == person.household_id).order_by(Case.id)).all()


def _taken_words(taken: list[OutboundMessage]) -> str | None:
    if not taken:
        return None
    return (
        "1 message that had not left was taken back."
        if len(taken) == 1
        else (f"{len(taken)} messages that had not left were taken back.")
    )

"""Somebody leaves their name at an event. The clock of a new enquiry runs from the day of the event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from crm.cases.add_touch import add_touch, may_take_a_touch
from crm.cases.duplicates import LookAlike, look_alikes
from crm.cases.models import Case, Channel, Enquiry
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.cases.queries import visible_cases
from crm.db import db
from crm.events.models import RecruitmentEvent
from crm.rules.permissions import Actor, Permission, require
from crm.rules.rulebook import Rulebook

OwnerFor = Callable[[str | None], int | None]
"""Who takes a new enquiry from a postcode: the owner of its area, or whoever takes the rest."""

SAME_HOUSEHOLD = ("same phone", "same email")


@dataclass(frozen=True)
class Logged:
    """What became of a name: a case of its own, or another touch of one there was."""

    case: Case
    joined: bool
    may_be_opened: bool
    """Whether whoever logged it may open the case: one in assessment belongs to others."""


def log_enquirer(
    event: RecruitmentEvent,
    *,
    people: Sequence[NewPerson],
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    owner_for: OwnerFor,
    postcode: str | None = None,
    interest: str | None = None,
    said: str | None = None,
    facts: Mapping[str, str] | None = None,
    one_time_id: str | None = None,
    send_letters: bool = True,
    happened_at: datetime | None = None,
) -> Logged:
    """Log a person or a couple from an event.

    The same phone or email as a household we know makes it another touch of theirs, so that nobody at the stall has to
    decide anything; a mere likeness is left for later. The same ``one_time_id`` again gives what it led to before.
    ``happened_at`` is when they left their name, where that was not now (a phone that had no signal); the clock counts
    from inside the event's own hours.
    """
    require(actor, Permission.LOG_ENQUIRY)
    if one_time_id is not None and (known := case_of_touch(one_time_id)) is not None:
        return Logged(known, joined=True, may_be_opened=may_open(known, actor, today=today))
    touch = NewTouch(
        channel=Channel.EVENT,
        received_at=received_at(event, now=min(max(happened_at or now, event.starts_at), now)),
        source=event.name,
        campaign_id=event.campaign_id,
        interest=interest,
        said=said,
        one_time_id=one_time_id,
    )
    known = household_of(people)
    if known is not None:
        add_touch(known, touch=touch, people=people, facts=facts, actor=actor, now=now, today=today, rulebook=rulebook)
        return Logged(known, joined=True, may_be_opened=may_open(known, actor, today=today))
    case = open_case(
        people=list(people),
        touch=touch,
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        owner_id=owner_for(postcode) or (event.staff[0].user_id if event.staff else None),
        postcode=postcode,
        facts=dict(facts or {}),
        send_letters=send_letters,
    )
    return Logged(case, joined=False, may_be_opened=True)


def received_at(event: RecruitmentEvent, *, now: datetime) -> datetime:
    """When somebody met at an event was in touch: now while it runs, its end for names typed up afterwards."""
    return min(now, event.ends_at)


def household_of(people: Sequence[NewPerson]) -> Case | None:
    """The case that these people belong to beyond doubt: the same phone or the same email."""
    for person in people:
        if not (person.phone or person.email):
            continue
        for alike in look_alikes(email=person.email, phone=person.phone):
            case = db.session.get(Case, alike.case_id)
            if case is not None and may_take_a_touch(case):
                return case
    return None


def likenesses(people: Sequence[NewPerson], *, postcode: str | None) -> list[LookAlike]:
    """Households that may be the same by name or address alone: for a person to compare, later."""
    found: dict[int, LookAlike] = {}
    for person in people:
        for alike in look_alikes(given_name=person.given_name, family_name=person.family_name, postcode=postcode):
            found.setdefault(alike.case_id, alike)
    return list(found.values())


def case_of_touch(one_time_id: str) -> Case | None:
    """The case that an earlier sending of the same form or line led to."""
    return db.session.scalars(
        select(Case).join(Enquiry, Enquiry.case_id == Case.id).where(Enquiry.one_time_id == one_time_id)
    ).first()


def may_open(case: Case, actor: Actor, *, today: date) -> bool:
    """Whether whoever logged somebody may open the case that came of it."""
    return (
        db.session.scalars(select(Case.id).where(Case.id == case.id, visible_cases(actor, today=today))).first()
        is not None
    )

"""Somebody leaves their name at an event. The clock of a new enquiry runs from the day of the event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from crm.cases.add_touch import add_touch, may_take_a_touch
from crm.cases.duplicates import LookAlike, is_of_household, look_alikes
from crm.cases.models import Case, Channel, Enquiry
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.cases.queries import visible_cases
from crm.cases.suggest_pairs import compare_people
from crm.db import db
from crm.events.models import RecruitmentEvent
from crm.rules.permissions import Actor, Permission, require
from crm.rules.rulebook import Rulebook

OwnerFor = Callable[[str | None], int | None]
"""Who takes a new enquiry from a postcode, where that is not left to whose turn it is."""


@dataclass(frozen=True)
class Logged:
    """What became of a name: a case of its own, or another touch of one there was."""

    case: Case
    joined: bool
    may_be_opened: bool
    """Whether whoever logged it may open the case: one in assessment belongs to others."""
    shares_with: tuple[LookAlike, ...] = ()
    """Households that gave the same phone or email under another name: whether they are one is asked later."""


def log_enquirer(
    event: RecruitmentEvent,
    *,
    people: Sequence[NewPerson],
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    owner_for: OwnerFor | None = None,
    postcode: str | None = None,
    interest: str | None = None,
    said: str | None = None,
    facts: Mapping[str, str] | None = None,
    one_time_id: str | None = None,
    send_letters: bool = True,
    happened_at: datetime | None = None,
) -> Logged:
    """Log a person or a couple from an event.

    Somebody we know, with a phone or an email of theirs, is another touch of their household, so that nobody at the
    stall has to decide anything. The same phone under another name is a question (a couple, a mother and her son, a
    worker's phone): it is kept as a pair to look at, and a mere likeness is left for later. The same ``one_time_id``
    again gives what it led to before.
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
        owner_id=owner_for(postcode) if owner_for is not None else None,
        postcode=postcode,
        facts=dict(facts or {}),
        send_letters=send_letters,
    )
    shares_with = tuple(alike for alike in _shares(people) if alike.case_id != case.id)
    if shares_with:
        compare_people([person.id for person in case.household.people], now=now)
    return Logged(case, joined=False, may_be_opened=True, shares_with=shares_with)


def received_at(event: RecruitmentEvent, *, now: datetime) -> datetime:
    """When somebody met at an event was in touch: now while it runs, its end for names typed up afterwards."""
    return min(now, event.ends_at)


def household_of(people: Sequence[NewPerson]) -> Case | None:
    """The case that these people belong to beyond doubt: a phone or email of somebody there, and a name of theirs."""
    for alike in _shares(people):
        case = db.session.get(Case, alike.case_id)
        if case is not None and may_take_a_touch(case) and any(is_of_household(case, one) for one in people):
            return case
    return None


def _shares(people: Sequence[NewPerson]) -> list[LookAlike]:
    """Households that gave a phone or an email of one of these people, the likeliest first."""
    found: dict[int, LookAlike] = {}
    for person in people:
        if person.phone or person.email:
            for alike in look_alikes(
                email=person.email, phone=person.phone, given_name=person.given_name, family_name=person.family_name
            ):
                if alike.shares is not None or alike.has_contact:
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

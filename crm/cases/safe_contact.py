"""What a person asked of us about being reached, as it bears on one letter: whether, how and when it may go.

Asked twice: when a letter is written, and again when it is about to leave, so that a rule set in between holds.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select

from crm import policy
from crm.cases.consents import consents_in_force
from crm.cases.models import Case, Person
from crm.db import db
from crm.delivery import Channel
from crm.delivery.letters import LetterKind
from crm.delivery.message import UnsendableAddress, sendable_address
from crm.delivery.post_room import post_room
from crm.delivery.texts import can_be_texted
from crm.rules.safe_times import next_safe_moment

WHY_NOT: dict[str, str] = {
    "asked_to_stop": "they asked us not to be in touch",
    "no_consent": "they have not said yes to news and events that way",
    "way_forbidden": "they asked us not to write to them that way",
    "address_not_working": "their email does not work, and there is no other way",
    "shared_address": "their email or phone is shared and we have no postal address",
    "not_confirmed": "nobody has confirmed that the new email is theirs, and we have no postal address",
    "never_safe": "there is no time at which they may be reached",
    "too_late": "the hours in which they may be reached come too late for it",
    "address_changed": "their address or number has changed since it was written",
    "no_address": "we have no email or postal address for them",
}
"""Codes of ``delivery.failures``, as the owner of a case reads them. The first that fits is given."""


def why_not_by(
    letter: LetterKind,
    case: Case,
    person: Person,
    channel: Channel,
    *,
    now: datetime,
    is_chosen: bool = False,
    consented: bool | None = None,
) -> str | None:
    """Why a letter must not go to this person on this channel, as a code of ``WHY_NOT``; None when it may.

    ``consented`` is given by who has read the consents of many at once.

    A way that they ruled out is never taken by itself. What the law makes us send may go there all the same where a
    person chose the way (``is_chosen``): the duty to give notice does not end with a rule.
    """
    if person.no_contact and not letter.statutory:
        return "asked_to_stop"
    if letter.marketing and not (has_consent(person, channel) if consented is None else consented):
        return "no_consent"
    if is_forbidden(person, channel) and not (letter.statutory and is_chosen):
        return "way_forbidden"
    if address_for(case, person, channel) is None:
        return "no_address"
    if channel == Channel.EMAIL and person.email_fails_since is not None:
        return "address_not_working"
    is_for_one = letter.contains_sensitive or letter.asked_for
    if channel == Channel.TEXT and is_for_one and shares_phone(case, person):
        return "shared_address"
    if channel == Channel.EMAIL and is_for_one:
        if shares_email(case, person):
            return "shared_address"
        if person.email_unconfirmed_since is not None:
            return "not_confirmed"
    if not letter.asked_for and next_moment(person, channel, at=now) is None:
        return "never_safe"
    return None


def most_telling(codes: Collection[str]) -> str:
    """Of the reasons against each way, the one to give."""
    return next((code for code in WHY_NOT if code in codes), "no_address")


def has_consent(person: Person, channel: Channel) -> bool:
    """Whether the newest word of this person on news and events by a channel is yes (PECR reg 22)."""
    newest = consents_in_force([person.id]).get(person.id, {}).get(channel)
    return newest is not None and newest.given


def address_for(case: Case, person: Person, channel: Channel) -> str | None:
    """Where a letter by a channel would go now: the email address, the number (E.164) or the postal address."""
    if channel == Channel.EMAIL:
        try:
            return sendable_address(person.email)
        except UnsendableAddress:
            return None
    if channel == Channel.TEXT:
        return person.phone_key if post_room().can_text and can_be_texted(person.phone_key) else None
    return case.household.address or None


def shares_email(case: Case, person: Person) -> bool:
    """Whether somebody else of the household, or of another, is reached at the same email address."""
    if not person.email_key:
        return False
    if any(other.id != person.id and other.email_key == person.email_key for other in case.household.people):
        return True
    elsewhere = select(Person.given_key).where(
        Person.email_key == person.email_key, Person.household_id != case.household_id
    )
    # The same first name under the same address is the same person, entered twice
    return any(given != person.given_key for given in db.session.scalars(elsewhere.limit(20)))


def shares_phone(case: Case, person: Person) -> bool:
    """Whether somebody else of the household, or of another, is reached at the same number."""
    if not person.phone_key:
        return False
    if any(other.id != person.id and other.phone_key == person.phone_key for other in case.household.people):
        return True
    elsewhere = select(Person.given_key).where(
        Person.phone_key == person.phone_key, Person.household_id != case.household_id
    )
    return any(given != person.given_key for given in db.session.scalars(elsewhere.limit(20)))


def is_forbidden(person: Person, channel: Channel) -> bool:
    """Whether somebody ruled this way of writing out."""
    return {Channel.EMAIL: person.no_emails, Channel.TEXT: person.no_texts, Channel.POST: person.no_letters}[channel]


def next_moment(person: Person, channel: Channel, *, at: datetime) -> datetime | None:
    """The first moment from ``at`` on at which somebody may be reached on a channel: outside their quiet times, and by
    text within the service's own hours. A letter by post lies in nobody's pocket."""
    if channel == Channel.POST:
        return at
    if channel == Channel.EMAIL:
        return next_safe_moment(at, quiet=person.quiet_times)
    service = policy.service()
    return next_safe_moment(
        at,
        quiet=person.quiet_times,
        from_minutes=service.safe_from_minutes,
        until_minutes=service.safe_until_minutes,
    )

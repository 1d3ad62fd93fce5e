"""The only way in: an enquiry becomes a case with an owner, a next action and a running clock, or it is not stored."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from crm import policy
from crm.audit import record
from crm.cases import keys, summary, timeline
from crm.cases.assignment import assign
from crm.cases.change_stage import change_stage
from crm.cases.consents import record_consent
from crm.cases.facts import state_fact
from crm.cases.models import (
    AssignmentRole,
    Band,
    Campaign,
    Case,
    Channel,
    Consent,
    Enquiry,
    Household,
    Person,
    PersonRole,
)
from crm.cases.owners import keep_turn, next_in_turn
from crm.clock import london_date
from crm.db import db, new_row_key, seal
from crm.rules import reference
from crm.rules.permissions import Actor
from crm.rules.quiet_times import keep_quiet, read_quiet
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.transitions import Evidence


class NoWayToReachThem(Refusal):
    """An enquiry must hold one way to reach somebody in the household."""


class NobodyToOwnIt(Refusal):
    """The service has named no fallback owner, so an enquiry would be nobody's."""


@dataclass(frozen=True)
class NewConsent:
    """What a person said to news on one channel, and the version of the wording they were shown."""

    channel: str
    given: bool
    wording_version: str


@dataclass(frozen=True)
class NewPerson:
    """Somebody as they come in, before anything is looked up."""

    given_name: str
    family_name: str | None = None
    role: PersonRole = PersonRole.APPLICANT_1
    email: str | None = None
    phone: str | None = None
    born_on: date | None = None
    prefers: str | None = None
    contact_times: str | None = None
    no_calls: bool = False
    no_voicemail: bool = False
    no_texts: bool = False
    no_emails: bool = False
    no_letters: bool = False
    quiet_times: str | None = None
    safe_contact: str | None = None
    consents: tuple[NewConsent, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)


LONGEST_SOURCE = 120


@dataclass(frozen=True)
class NewTouch:
    """How and when an enquiry reached us. ``received_at`` is when it arrived, not when it was typed in."""

    channel: Channel
    received_at: datetime
    source: str
    """Shown beside every fact that came with it: "Web form", "Sign-up sheet, The Glades"."""
    campaign_id: int | None = None
    interest: str | None = None
    said: str | None = None
    one_time_id: str | None = None

    def __post_init__(self) -> None:
        # The name of an event may be longer than what stands beside an answer.
        object.__setattr__(self, "source", self.source[:LONGEST_SOURCE])


def open_case(
    *,
    people: list[NewPerson],
    touch: NewTouch,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    owner_id: int | None = None,
    postcode: str | None = None,
    address: str | None = None,
    local_authority: str | None = None,
    facts: dict[str, str] | None = None,
    send_letters: bool = True,
) -> Case:
    """Open a case for a household. Its response clock counts from when the enquiry arrived, not from now.

    ``owner_id`` is whose it is where that is settled already; otherwise it goes to whoever is next in turn for the
    postcode, and the case says why. Raises NoWayToReachThem, NobodyToOwnIt.
    """
    if not any(p.email or p.phone for p in people) and not address:
        raise NoWayToReachThem("Give one way to reach them: a phone number, an email or an address.", status=422)
    turn = next_in_turn(postcode, now=now, today=today) if owner_id is None else None
    if turn is not None:
        owner_id = turn.user_id
    if owner_id is None:
        raise NobodyToOwnIt("Nobody is named to take new enquiries. An administrator can name someone in Settings.")
    received_on = london_date(touch.received_at)
    counts_from = rulebook.response.counts_from(touch.received_at)
    call_by = rulebook.response_due_on(touch.channel, counts_from)
    household = Household(
        name=household_name(people),
        postcode=keys.tidy_postcode(postcode),
        postcode_key=keys.postcode_key(postcode),
        local_authority=local_authority,
        created_at=now,
    )
    household.address = address or None
    db.session.add(household)
    db.session.flush()
    case = Case(
        reference=_free_reference(policy.service().reference_prefix),
        household_id=household.id,
        opened_at=touch.received_at,
        channel=touch.channel,
        campaign_id=touch.campaign_id,
        edition=rulebook.edition,
        owner_id=owner_id,
        # Rewritten by the first move, below; they are never empty, because an open case may not be nobody's.
        place="new",
        band=Band.ENQUIRY,
        next_action="Ring them",
        next_action_due_on=today,
        next_action_turn="service",
        touched_at=touch.received_at,
    )
    case.household = household
    db.session.add(case)
    db.session.flush()
    for new in people:
        add_person(case, new, source=touch.source, stated_on=received_on, actor=actor, now=now)
    _add_enquiry(case, touch, actor=actor)
    for key, value in (facts or {}).items():
        state_fact(case, key=key, value=value, source=touch.source, stated_on=received_on, actor=actor, now=now)
    assign(case, user_id=owner_id, role=AssignmentRole.OWNER, actor=actor, now=now, today=today)
    if turn is not None:
        keep_turn(case, turn, now=now)
        timeline.add(case, kind="system", title=f"Given to {turn.name}: {turn.why}", actor=actor, occurred_at=now)
    record(
        "case.opened",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"case:{case.reference}",
        detail={"channel": touch.channel},
    )
    change_stage(
        case,
        "open_enquiry",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=Evidence(received_on=received_on, response_counts_from=counts_from),
        effective_on=received_on,
        due_on={"first_contact": call_by},
        letter_context={"call_by": call_by},
        # Somebody who left only a number is thanked by the call itself: a letter nobody can get helps nobody.
        send_letters=send_letters and (bool(address) or any(person.email for person in people)),
    )
    if touch.said:
        _tell_what_was_said(case, touch, title=f"What they said: {touch.source}", actor=actor)
    return case


def _tell_what_was_said(case: Case, touch: NewTouch, *, title: str, actor: Actor) -> None:
    """Their own words stand in the story, where whoever rings them reads them first."""
    timeline.add(case, kind="contact", title=title, detail=touch.said, actor=actor, occurred_at=touch.received_at)


def join_case(case: Case, touch: NewTouch, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> Enquiry:
    """Add another touch of the same household to its case. The clock of the first touch goes on as it was."""
    enquiry = _add_enquiry(case, touch, actor=actor)
    _tell_what_was_said(case, touch, title=f"In touch again: {touch.source}", actor=actor)
    record(
        "case.joined",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"case:{case.reference}",
        detail={"channel": touch.channel},
    )
    summary.refresh(case, today=today, rulebook=rulebook)
    return enquiry


def add_person(case: Case, new: NewPerson, *, source: str, stated_on: date, actor: Actor, now: datetime) -> Person:
    """Add somebody to the household, with what they told us and what they agreed to."""
    person = Person(**columns_as_told(new, household_id=case.household_id))
    case.household.people.append(person)
    db.session.add(person)
    db.session.flush()
    keep_answers(case, person, new, in_force={}, source=source, stated_on=stated_on, actor=actor, now=now)
    case.household.name = household_name_of(case.household)
    return person


def keep_answers(
    case: Case,
    person: Person,
    new: NewPerson,
    *,
    in_force: Mapping[str, Consent],
    source: str,
    stated_on: date,
    actor: Actor,
    now: datetime,
) -> None:
    """Keep what somebody says to news and to questions about themselves. ``in_force``: their word on each channel so
    far; the same word on the same wording is not kept again."""
    for consent in new.consents:
        held = in_force.get(consent.channel)
        if held is None or (held.given, held.wording_version) != (consent.given, consent.wording_version):
            record_consent(
                person,
                channel=consent.channel,
                given=consent.given,
                wording_version=consent.wording_version,
                source=source,
                actor=actor,
                now=now,
                case_id=case.id,
            )
    for key, value in new.facts.items():
        state_fact(
            case, key=key, value=value, source=source, stated_on=stated_on, actor=actor, now=now, person_id=person.id
        )


def columns_as_told(new: NewPerson, *, household_id: int) -> dict[str, Any]:
    """The columns of a person with all they told us and how they may be reached."""
    row_key, safe = new_row_key(), new.safe_contact
    return {
        "row_key": row_key,
        "household_id": household_id,
        "role": new.role,
        **_columns_of_name(new.given_name, new.family_name),
        **_columns_of_contact_points(email=new.email, phone=new.phone),
        "born_on": new.born_on,
        "prefers": new.prefers,
        "contact_times": new.contact_times,
        "no_calls": new.no_calls,
        "no_voicemail": new.no_voicemail,
        "no_texts": new.no_texts,
        "no_emails": new.no_emails,
        "no_letters": new.no_letters,
        "quiet_times": keep_quiet(read_quiet(new.quiet_times)),
        "no_contact": False,
        "safe_contact_sealed": seal(Person.__tablename__, "safe_contact_sealed", row_key, safe) if safe else None,
    }


def set_name(person: Person, given: str, family: str | None) -> None:
    """Set a person's name and the keys it is found by."""
    for column, value in _columns_of_name(given, family).items():
        setattr(person, column, value)


def _columns_of_name(given: str, family: str | None) -> dict[str, str | None]:
    return {
        "given_name": given.strip(),
        "family_name": (family or "").strip() or None,
        "given_key": keys.name_key(given) or "",
        "family_key": keys.name_key(family),
    }


def set_contact_points(person: Person, *, email: str | None, phone: str | None) -> None:
    """Set how a person is reached and the keys it is found by."""
    if keys.email_key(email) != person.email_key:
        person.email_fails_since = None
    for column, value in _columns_of_contact_points(email=email, phone=phone).items():
        setattr(person, column, value)


def _columns_of_contact_points(*, email: str | None, phone: str | None) -> dict[str, str | None]:
    return {
        "email": (email or "").strip() or None,
        "email_key": keys.email_key(email),
        "phone": keys.say_phone(phone),
        "phone_key": keys.phone_key(phone),
    }


def household_name(people: list[NewPerson]) -> str:
    """How a household is called on every list: the applicants' names, "Priya and Sam Osei" when they share one."""
    return _join_names([(p.given_name, p.family_name) for p in people if p.role.startswith("applicant")])


LONGEST_NAME = 300


def household_name_of(household: Household) -> str:
    applicants = [p for p in household.people if p.is_applicant] or household.people
    return _join_names([(p.given_name, p.family_name) for p in applicants])


def _join_names(names: list[tuple[str, str | None]]) -> str:
    if len(names) == 2 and names[0][1] and names[0][1] == names[1][1]:
        return f"{names[0][0]} and {names[1][0]} {names[0][1]}"[:LONGEST_NAME]
    return " and ".join(f"{given} {family}" if family else given for given, family in names)[:LONGEST_NAME]


def campaign_for(code: str, *, name: str) -> Campaign:
    """The campaign with this code, made on first use."""
    found = db.session.scalars(select(Campaign).where(Campaign.code == code)).first()
    if found is None:
        found = Campaign(code=code, name=name[:200])
        db.session.add(found)
        db.session.flush()
    return found


def _add_enquiry(case: Case, touch: NewTouch, *, actor: Actor) -> Enquiry:
    enquiry = Enquiry(
        case_id=case.id,
        received_at=touch.received_at,
        channel=touch.channel,
        campaign_id=touch.campaign_id,
        captured_by_id=actor.user_id,
        interest=touch.interest,
        one_time_id=touch.one_time_id,
    )
    enquiry.said = touch.said or None
    db.session.add(enquiry)
    db.session.flush()
    return enquiry


def _free_reference(prefix: str) -> str:
    """A reference nobody has. The column is unique, so a clash that slips through is refused, never shared."""
    for _ in range(20):
        candidate = reference.new_reference(prefix, secrets.randbits(25))
        if db.session.scalars(select(Case.id).where(Case.reference == candidate)).first() is None:
            return candidate
    raise RuntimeError("no free reference was found in twenty tries")

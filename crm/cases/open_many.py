"""Many new households at once, as ``open_case`` would open each, for sheets of thousands of lines.

The same rows come out, by a handful of statements for all of them; a test opens the same households both ways and
compares every table. What reaches a person stays one by one: letters go through ``cases.letters``.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from crm import policy
from crm.audit import values_of
from crm.cases import journeys, keys, timeline
from crm.cases.change_stage import opening_rows
from crm.cases.facts import FACT_SENSITIVITY
from crm.cases.letters import send_to_applicants
from crm.cases.models import (
    AssignmentRole,
    Case,
    CaseAssignment,
    Consent,
    Enquiry,
    Fact,
    Household,
    Person,
    PersonKey,
    StageChange,
    TimelineEntry,
)
from crm.cases.open_case import (
    NewPerson,
    NewTouch,
    NobodyToOwnIt,
    NoWayToReachThem,
    columns_as_told,
    household_name,
)
from crm.cases.person_keys import key_rows
from crm.clock import london_date
from crm.db import Values, db, insert_rows, is_among, new_row_key, seal, take_ids
from crm.rules.permissions import Actor, Sensitivity
from crm.rules.reference import new_reference
from crm.rules.rulebook import Rulebook


@dataclass(frozen=True)
class NewHousehold:
    """A household as it comes in, with the touch that brought it."""

    people: tuple[NewPerson, ...]
    touch: NewTouch
    owner_id: int | None
    postcode: str | None = None
    address: str | None = None
    facts: dict[str, str] = field(default_factory=dict)
    send_letters: bool = False
    given_because: str | None = None
    """Whose it is and why, for its timeline: "Given to Nadia: next in turn for Bromley"."""


@dataclass(frozen=True)
class Opened:
    """What became of one of them."""

    case_id: int
    enquiry_id: int
    reference: str


def open_cases(
    households: Sequence[NewHousehold],
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    letters_not_before: datetime | None = None,
) -> list[Opened]:
    """Open a case for each household, in their order. All their touches came on one London date, by one channel, on one
    side of the closing time.

    ``letters_not_before`` puts the acknowledgements off, so that there is time to think again. Raises NoWayToReachThem,
    NobodyToOwnIt: then none of them is opened.
    """
    if not households:
        return []
    (received_on,) = {london_date(one.touch.received_at) for one in households}
    for one in households:
        if not any(p.email or p.phone for p in one.people) and not one.address:
            raise NoWayToReachThem("Give one way to reach them: a phone number, an email or an address.", status=422)
        if one.owner_id is None:
            raise NobodyToOwnIt("Nobody is named to take new enquiries. An administrator can name someone in Settings.")
    ((channel, counts_from),) = {
        (one.touch.channel, rulebook.response.counts_from(one.touch.received_at)) for one in households
    }
    call_by = rulebook.response_due_on(channel, counts_from)
    count = len(households)
    ids = _Ids(households)
    references = _free_references(policy.service().reference_prefix, count)
    rows: list[Values] = []
    cases: list[dict[str, Any]] = []
    for at, one in enumerate(households):
        case_id, home_id, reference = ids.cases[at], ids.households[at], references[at]
        case = {
            "id": case_id,
            "reference": reference,
            "household_id": home_id,
            "version": 1,
            "opened_at": one.touch.received_at,
            "channel": one.touch.channel,
            "campaign_id": one.touch.campaign_id,
            "edition": rulebook.edition,
            "owner_id": one.owner_id,
            "touched_at": one.touch.received_at,
        }
        cases.append(case)
        rows += [_household(home_id, one, now=now), Values(Case, case)]
        for new in one.people:
            rows += _person(case_id, home_id, new, one.touch, ids, received_on=received_on, actor=actor, now=now)
        rows += _enquiry(case_id, one.touch, ids.enquiries[at], actor=actor)
        for key, value in one.facts.items():
            rows += _fact(case_id, next(ids.facts), key, value, one.touch, stated_on=received_on, actor=actor, now=now)
        rows += _owner(case_id, reference, one.owner_id, actor=actor, now=now, today=today)
        if one.given_because:
            line = timeline.values_of_line(
                case_id, kind="system", title=one.given_because, actor=actor, occurred_at=now
            )
            rows.append(Values(TimelineEntry, line))
        rows.append(_trail("case.opened", case_id, reference, {"channel": one.touch.channel}, actor=actor, now=now))
    rows += opening_rows(
        cases,
        ids.changes,
        received_on=received_on,
        counts_from=counts_from,
        call_by=call_by,
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
    )
    rows += [
        journeys.opening_values(case, postcode=one.postcode, received_on=received_on)
        for case, one in zip(cases, households, strict=True)
    ]
    insert_rows(rows)
    for case_id, one, change_id in zip(ids.cases, households, ids.changes, strict=True):
        if one.send_letters and (one.address or any(person.email for person in one.people)):
            send_to_applicants(
                "enquiry_acknowledgement",
                case=db.session.get_one(Case, case_id),
                context={"call_by": call_by},
                occasion=f"move:{change_id}",
                actor=actor,
                now=now,
                today=today,
                rulebook=rulebook,
                not_before=letters_not_before,
            )
    return [Opened(*one) for one in zip(ids.cases, ids.enquiries, references, strict=True)]


class _Ids:
    """The ids of everything that other rows point at, taken at once."""

    def __init__(self, households: Sequence[NewHousehold]) -> None:
        count = len(households)
        self.households = take_ids(Household, count)
        self.cases = take_ids(Case, count)
        self.people = iter(take_ids(Person, sum(len(one.people) for one in households)))
        self.enquiries = take_ids(Enquiry, count)
        self.changes = take_ids(StageChange, count)
        facts = sum(len(one.facts) + sum(len(p.facts) for p in one.people) for one in households)
        self.facts = iter(take_ids(Fact, facts))


def _household(home_id: int, one: NewHousehold, *, now: datetime) -> Values:
    row_key, address = new_row_key(), one.address
    row = {
        "id": home_id,
        "row_key": row_key,
        "name": household_name(list(one.people)),
        "postcode": keys.tidy_postcode(one.postcode),
        "postcode_key": keys.postcode_key(one.postcode),
        "address_sealed": seal(Household.__tablename__, "address_sealed", row_key, address) if address else None,
        "created_at": now,
    }
    return Values(Household, row)


def _person(
    case_id: int,
    home_id: int,
    new: NewPerson,
    touch: NewTouch,
    ids: _Ids,
    *,
    received_on: date,
    actor: Actor,
    now: datetime,
) -> list[Values]:
    person_id = next(ids.people)
    person = columns_as_told(new, household_id=home_id)
    found_by = key_rows(
        person_id,
        given_key=person["given_key"],
        family_key=person["family_key"],
        email=person["email"],
        born_on=person["born_on"],
    )
    rows = [Values(Person, {**person, "id": person_id, "is_to_compare": True})]
    rows += [Values(PersonKey, row) for row in found_by]
    for consent in new.consents:
        row = {
            "person_id": person_id,
            "channel": consent.channel,
            "given": consent.given,
            "wording_version": consent.wording_version,
            "recorded_at": now,
            "source": touch.source,
        }
        event = "consent.given" if consent.given else "consent.refused"
        detail = {"channel": consent.channel, "wording": consent.wording_version}
        about = f"person:{person_id}"
        rows.append(Values(Consent, row))
        rows.append(values_of(event, actor=actor, at=now, case_id=case_id, subject=about, detail=detail))
    for key, value in new.facts.items():
        fact_id = next(ids.facts)
        rows += _fact(
            case_id, fact_id, key, value, touch, stated_on=received_on, actor=actor, now=now, person_id=person_id
        )
    return rows


def _enquiry(case_id: int, touch: NewTouch, enquiry_id: int, *, actor: Actor) -> list[Values]:
    row_key = new_row_key()
    row = {
        "id": enquiry_id,
        "row_key": row_key,
        "case_id": case_id,
        "received_at": touch.received_at,
        "channel": touch.channel,
        "campaign_id": touch.campaign_id,
        "captured_by_id": actor.user_id,
        "interest": touch.interest,
        "one_time_id": touch.one_time_id,
        "said_sealed": seal(Enquiry.__tablename__, "said_sealed", row_key, touch.said) if touch.said else None,
    }
    rows = [Values(Enquiry, row)]
    if touch.said:
        line = timeline.values_of_line(
            case_id,
            kind="contact",
            title=f"What they said: {touch.source}",
            detail=touch.said,
            actor=actor,
            occurred_at=touch.received_at,
        )
        rows.append(Values(TimelineEntry, line))
    return rows


def _fact(
    case_id: int,
    fact_id: int,
    key: str,
    value: str,
    touch: NewTouch,
    *,
    stated_on: date,
    actor: Actor,
    now: datetime,
    person_id: int | None = None,
) -> list[Values]:
    row_key = new_row_key()
    row = {
        "id": fact_id,
        "row_key": row_key,
        "case_id": case_id,
        "person_id": person_id,
        "key": key,
        "value_sealed": seal(Fact.__tablename__, "value_sealed", row_key, value),
        "source": touch.source,
        "stated_on": stated_on,
        "sensitivity": FACT_SENSITIVITY.get(key, Sensitivity.ORDINARY),
    }
    about = f"fact:{fact_id}"
    trail = values_of("fact.stated", actor=actor, at=now, case_id=case_id, subject=about, detail={"key": key})
    return [Values(Fact, row), trail]


def _owner(
    case_id: int, reference: str, owner_id: int | None, *, actor: Actor, now: datetime, today: date
) -> list[Values]:
    part = {"case_id": case_id, "user_id": owner_id, "role": AssignmentRole.OWNER, "from_on": today}
    detail = {"user": owner_id, "role": AssignmentRole.OWNER}
    return [Values(CaseAssignment, part), _trail("case.assigned", case_id, reference, detail, actor=actor, now=now)]


def _trail(event: str, case_id: int, reference: str, detail: dict[str, Any], *, actor: Actor, now: datetime) -> Values:
    return values_of(event, actor=actor, at=now, case_id=case_id, subject=f"case:{reference}", detail=detail)


def _free_references(prefix: str, count: int) -> list[str]:
    """So many references that nobody has. The column is unique, so a clash that slips through is refused."""
    found: list[str] = []
    for _ in range(20):
        drawn = {new_reference(prefix, secrets.randbits(25)) for _ in range(count - len(found))}
        drawn -= set(found)
        drawn -= set(db.session.scalars(select(Case.reference).where(is_among(Case.reference, drawn))))
        found += drawn
        if len(found) == count:
            return found
    raise RuntimeError("not enough free references were found in twenty tries")

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
from crm.cases import keys, timeline
from crm.cases.change_stage import opening_rows
from crm.cases.facts import FACT_SENSITIVITY
from crm.cases.letters import send_to_applicants
from crm.cases.models import (
    AssignmentRole,
    Band,
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
    as_told,
    household_name,
)
from crm.cases.person_keys import key_rows
from crm.clock import london_date
from crm.db import Values, db, insert_rows, new_row_key, seal, take_ids
from crm.rules import reference
from crm.rules.permissions import Actor, Sensitivity
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
    rows: list[Any] = []
    cases = []
    for at, one in enumerate(households):
        home = Household(
            id=ids.households[at],
            name=household_name(list(one.people)),
            postcode=keys.tidy_postcode(one.postcode),
            postcode_key=keys.postcode_key(one.postcode),
            created_at=now,
        )
        home.address = one.address or None
        case = Case(
            id=ids.cases[at],
            reference=references[at],
            household_id=home.id,
            version=1,
            opened_at=one.touch.received_at,
            channel=one.touch.channel,
            campaign_id=one.touch.campaign_id,
            edition=rulebook.edition,
            owner_id=one.owner_id,
            place="new",
            band=Band.ENQUIRY,
            touched_at=one.touch.received_at,
        )
        cases.append(case)
        rows += [home, case]
        for new in one.people:
            rows += _person(case, new, one.touch, ids, received_on=received_on, actor=actor, now=now)
        rows += _enquiry(case, one.touch, ids.enquiries[at], actor=actor)
        for key, value in one.facts.items():
            rows += _fact(case, next(ids.facts), key, value, one.touch, stated_on=received_on, actor=actor, now=now)
        rows += _owner(case, actor=actor, now=now, today=today)
        if one.given_because:
            line = timeline.values_of_line(
                case.id, kind="system", title=one.given_because, actor=actor, occurred_at=now
            )
            rows.append(Values(TimelineEntry, line))
        rows.append(_trail("case.opened", case, {"channel": one.touch.channel}, actor=actor, now=now))
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
    insert_rows(rows)
    for case, one, change_id in zip(cases, households, ids.changes, strict=True):
        if one.send_letters and (one.address or any(person.email for person in one.people)):
            send_to_applicants(
                "enquiry_acknowledgement",
                case=db.session.get_one(Case, case.id),
                context={"call_by": call_by},
                occasion=f"move:{change_id}",
                actor=actor,
                now=now,
                today=today,
                rulebook=rulebook,
                not_before=letters_not_before,
            )
    return [Opened(case.id, enquiry_id, case.reference) for case, enquiry_id in zip(cases, ids.enquiries, strict=True)]


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


def _person(
    case: Case, new: NewPerson, touch: NewTouch, ids: _Ids, *, received_on: date, actor: Actor, now: datetime
) -> list[Any]:
    person = as_told(new, household_id=case.household_id)
    person.id, person.is_to_compare = next(ids.people), True
    rows: list[Any] = [person]
    found_by = key_rows(
        person.id,
        given_key=person.given_key,
        family_key=person.family_key,
        email=person.email,
        born_on=person.born_on,
    )
    rows += [Values(PersonKey, row) for row in found_by]
    for consent in new.consents:
        row = {
            "person_id": person.id,
            "channel": consent.channel,
            "given": consent.given,
            "wording_version": consent.wording_version,
            "recorded_at": now,
            "source": touch.source,
        }
        event = "consent.given" if consent.given else "consent.refused"
        detail = {"channel": consent.channel, "wording": consent.wording_version}
        about = f"person:{person.id}"
        rows.append(Values(Consent, row))
        rows.append(values_of(event, actor=actor, at=now, case_id=case.id, subject=about, detail=detail))
    for key, value in new.facts.items():
        rows += _fact(
            case, next(ids.facts), key, value, touch, stated_on=received_on, actor=actor, now=now, person_id=person.id
        )
    return rows


def _enquiry(case: Case, touch: NewTouch, enquiry_id: int, *, actor: Actor) -> list[Values]:
    row_key = new_row_key()
    row = {
        "id": enquiry_id,
        "row_key": row_key,
        "case_id": case.id,
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
            case.id,
            kind="contact",
            title=f"What they said: {touch.source}",
            detail=touch.said,
            actor=actor,
            occurred_at=touch.received_at,
        )
        rows.append(Values(TimelineEntry, line))
    return rows


def _fact(
    case: Case,
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
        "case_id": case.id,
        "person_id": person_id,
        "key": key,
        "value_sealed": seal(Fact.__tablename__, "value_sealed", row_key, value),
        "source": touch.source,
        "stated_on": stated_on,
        "sensitivity": FACT_SENSITIVITY.get(key, Sensitivity.ORDINARY),
    }
    about = f"fact:{fact_id}"
    trail = values_of("fact.stated", actor=actor, at=now, case_id=case.id, subject=about, detail={"key": key})
    return [Values(Fact, row), trail]


def _owner(case: Case, *, actor: Actor, now: datetime, today: date) -> list[Values]:
    part = {"case_id": case.id, "user_id": case.owner_id, "role": AssignmentRole.OWNER, "from_on": today}
    detail = {"user": case.owner_id, "role": AssignmentRole.OWNER}
    return [Values(CaseAssignment, part), _trail("case.assigned", case, detail, actor=actor, now=now)]


def _trail(event: str, case: Case, detail: dict[str, Any], *, actor: Actor, now: datetime) -> Any:
    return values_of(event, actor=actor, at=now, case_id=case.id, subject=f"case:{case.reference}", detail=detail)


def _free_references(prefix: str, count: int) -> list[str]:
    """So many references that nobody has. The column is unique, so a clash that slips through is refused."""
    found: list[str] = []
    for _ in range(20):
        drawn = {reference.new_reference(prefix, secrets.randbits(25)) for _ in range(count - len(found))}
        drawn -= set(found)
        drawn -= set(db.session.scalars(select(Case.reference).where(Case.reference.in_(drawn))))
        found += drawn
        if len(found) == count:
            return found
    raise RuntimeError("not enough free references were found in twenty tries")

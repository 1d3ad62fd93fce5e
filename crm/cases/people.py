"""Changing what is on file about somebody: a name misheard, a new number, a birth date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from crm.audit import record
from crm.cases import addresses, journeys, keys, timeline
from crm.cases.models import Case, Person, PersonRole
from crm.cases.open_case import household_name_of, set_contact_points, set_name
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal


@dataclass(frozen=True, kw_only=True)
class PersonDetails:
    """What can be put right about a person."""

    given_name: str
    family_name: str | None = None
    role: PersonRole = PersonRole.APPLICANT_1
    born_on: date | None = None
    email: str | None = None
    phone: str | None = None


def change_person(
    case: Case, person: Person, details: PersonDetails, *, actor: Actor, now: datetime, today: date
) -> None:
    """Put right a name, a birth date or the ways to reach somebody. Raises Refusal for a birth date still to come."""
    require(actor, Permission.WRITE_NOTE)
    if details.born_on is not None and details.born_on > today:
        raise Refusal("Check the date of birth: it is still to come.", status=422, field="born_on")
    changed = [
        name
        for name, before, after in (
            ("name", person.full_name, f"{details.given_name} {details.family_name or ''}".strip()),
            ("role", person.role, str(details.role)),
            ("born_on", person.born_on, details.born_on),
            ("email", person.email or "", (details.email or "").strip()),
            ("phone", (person.phone or "").replace(" ", ""), (details.phone or "").replace(" ", "")),
        )
        if before != after
    ]
    if not changed:
        return
    was = person.email
    set_name(person, details.given_name, details.family_name)
    set_contact_points(person, email=details.email, phone=details.phone)
    addresses.take_up_new_email(case, person, was=was, actor=actor, now=now, today=today)
    person.role, person.born_on = details.role, details.born_on
    case.household.name = household_name_of(case.household)
    timeline.add(
        case,
        kind="fact",
        title=f"Details of {person.full_name} were changed",
        actor=actor,
        occurred_at=now,
        person_id=person.id,
    )
    record(
        "person.changed",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"person:{person.id}",
        detail={"what": changed},
    )


def change_address(case: Case, *, address: str | None, postcode: str | None, actor: Actor, now: datetime) -> None:
    """Say where a household lives: what is written to them by post goes there. Nothing changed is nothing kept."""
    require(actor, Permission.WRITE_NOTE)
    household = case.household
    tidy = keys.tidy_postcode(postcode)
    if ((household.address or ""), household.postcode) == ((address or ""), tidy):
        return
    household.address = address or None
    household.postcode, household.postcode_key = tidy, keys.postcode_key(postcode)
    journeys.move_home(household)
    timeline.add(case, kind="fact", title="Where they live was changed", actor=actor, occurred_at=now)
    record("household.address_changed", actor=actor, at=now, case_id=case.id, subject=f"case:{case.reference}")

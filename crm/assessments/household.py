"""Who lives there: confirmed with the application, and kept right while the assessment goes on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from crm.assessments import checks
from crm.assessments.queries import live_people, the_application
from crm.assessments.steps import begin_step, end_step, not_after_today, note
from crm.cases import keys, timeline
from crm.cases.models import Case, Person, PersonRole
from crm.db import db
from crm.rules.eligibility import age_on
from crm.rules.permissions import Actor, Permission
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

OLDEST = 120


class AgeNotPossible(Refusal):
    """A date of birth that does not fit what the person is in the household."""

    default_status = 422


class NotOfThisHousehold(Refusal):
    """Nobody of that name lives there."""

    default_status = 404


class AdultOrChild(StrEnum):
    """What an age has to fit."""

    ADULT = "adult"
    CHILD = "child"
    EITHER = "either"

    @staticmethod
    def of(role: str) -> AdultOrChild:
        """By somebody's part in the household. A child elsewhere may be grown up."""
        if role == PersonRole.CHILD:
            return AdultOrChild.CHILD
        if role == PersonRole.CHILD_ELSEWHERE:
            return AdultOrChild.EITHER
        return AdultOrChild.ADULT


@dataclass(frozen=True, kw_only=True)
class NewMember:
    """Somebody else at home, or a child of the family elsewhere."""

    given_name: str
    family_name: str | None
    role: PersonRole
    born_on: date
    field: str = "born_on"
    """The box of the form that their date of birth came from."""


def check_age(kind: AdultOrChild, born_on: date, *, on: date, field: str) -> None:
    """Refuse a date of birth that can't be. The law's adult is 18 (reg 26; Sch 3 Part 1)."""
    if born_on > on:
        raise AgeNotPossible("A date of birth can’t be in the future.", field=field)
    age = age_on(born_on, on)
    if age > OLDEST:
        raise AgeNotPossible(f"That makes them {age}. Check the year.", field=field)
    if kind is AdultOrChild.ADULT and age < 18:
        raise AgeNotPossible(
            f"That makes them {age}. An adult here is 18 or over: put a younger person down as a child.", field=field
        )
    if kind is AdultOrChild.CHILD and age >= 18:
        raise AgeNotPossible(f"That makes them {age}. Put down somebody of 18 or over as an adult.", field=field)


def add_member(case: Case, member: NewMember, *, on: date, actor: Actor, now: datetime) -> Person:
    """Put somebody down as one of the household. Called within a step that works out the checks."""
    check_age(AdultOrChild.of(member.role), member.born_on, on=on, field=member.field)
    person = Person(
        household_id=case.household_id,
        role=member.role,
        given_name=member.given_name,
        family_name=member.family_name,
        given_key=keys.name_key(member.given_name),
        family_key=keys.name_key(member.family_name) if member.family_name else None,
        born_on=member.born_on,
    )
    case.household.people.append(person)
    db.session.flush()
    note("household.joined", case, actor=actor, now=now, subject=f"person:{person.id}", role=str(member.role))
    return person


def somebody_moved_in(
    case: Case,
    member: NewMember,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Person:
    """Add somebody while the assessment goes on: what Stage 1 needs is worked out again."""
    begin_step(case, Permission.RECORD_CHECK, actor=actor, seen=seen)
    person = add_member(case, member, on=today, actor=actor, now=now)
    timeline.add(case, kind="fact", title=f"{person.given_name} added to the household", actor=actor, occurred_at=now)
    checks.work_out_again(case, the_application(case), actor=actor, now=now, today=today, rulebook=rulebook)
    end_step(case, today=today, rulebook=rulebook)
    return person


def somebody_moved_out(
    case: Case,
    person_id: int,
    *,
    left_on: date,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Person:
    """Note that somebody left. An applicant can't leave this way: the application is theirs."""
    begin_step(case, Permission.RECORD_CHECK, actor=actor, seen=seen)
    not_after_today(left_on, today=today, field="left_on", what="The day they left")
    person = next((one for one in live_people(case) if one.id == person_id), None)
    if person is None:
        raise NotOfThisHousehold("We can’t find that person in this household.")
    if person.is_applicant:
        raise NotOfThisHousehold(
            f"{person.given_name} is an applicant. If they no longer want to go on, the application is withdrawn.",
            status=409,
        )
    person.left_household_on = left_on
    timeline.add(case, kind="fact", title=f"{person.given_name} left the household", actor=actor, occurred_at=now)
    note("household.left", case, actor=actor, now=now, subject=f"person:{person.id}", on=left_on)
    checks.work_out_again(case, the_application(case), actor=actor, now=now, today=today, rulebook=rulebook)
    end_step(case, today=today, rulebook=rulebook)
    return person

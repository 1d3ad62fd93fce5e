"""The register of foster carers: every approved household, by name, and one household's entry.

What a register holds: each carer's name, address, date of birth and sex, the day and the terms of approval, and when it
is reviewed (Fostering Services (England) Regulations 2011, reg 31). It is read from what is on file, never kept beside.
The list says in which district a household lives; the address stands in its entry alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, func, or_, select

from crm.access.queries import names_of
from crm.assessments.handing_on import USUAL_FOSTERING_LIMIT
from crm.assessments.models import Decision, DecisionKind
from crm.assessments.queries import NothingThere, application_of, live_people
from crm.assessments.terms import terms_of
from crm.cases import keys
from crm.cases.facts import current_facts
from crm.cases.models import Case, Deadline, Household, Person, PersonRole
from crm.cases.queries import visible_cases
from crm.db import db, starts_with
from crm.rules.permissions import Actor

PAGE = 50
PLACE = "approved"
MOST_WORDS = 4
_APPLICANTS = (PersonRole.APPLICANT_1, PersonRole.APPLICANT_2)


@dataclass(frozen=True, kw_only=True)
class RegisterLine:
    """One line of the register."""

    case_id: int
    reference: str
    household: str
    carers: tuple[str, ...]
    where: str
    """The postcode district and the council: never the address."""
    approved_on: date | None
    """The day approval took effect. None where no decision is on file: the stage was set by hand."""
    terms: str | None
    review_by: date | None
    """When the first review is due."""


@dataclass(frozen=True, kw_only=True)
class Carer:
    """A foster carer as the register holds them."""

    id: int
    name: str
    born_on: date | None
    sex: str | None
    """As they told us; None where nobody has written it down."""


@dataclass(frozen=True, kw_only=True)
class RegisterEntry:
    """One household's entry."""

    carers: tuple[Carer, ...]
    address: str
    council: str | None
    approved_on: date | None
    decided_on: date | None
    decided_by: str
    terms: str | None
    usual_limit: int
    """Of Schedule 7 to the Children Act 1989, beside the terms."""
    agreement_signed_on: date | None
    review_by: date | None

    @property
    def missing(self) -> tuple[str, ...]:
        """What the register must hold and nobody has entered, in plain words."""
        lacks = []
        if not self.address:
            lacks.append("the address")
        for carer in self.carers:
            lacks += [f"{carer.name}’s date of birth"] if carer.born_on is None else []
            lacks += [f"{carer.name}’s sex"] if carer.sex is None else []
        return tuple(lacks)


def register_page(
    actor: Actor, *, today: date, words: str = "", after: int | None = None, limit: int = PAGE
) -> tuple[list[RegisterLine], int | None]:
    """A page of the register by name, and the case to go on after (None at the end). Two queries, however many.

    ``words``: beginnings of carers' names, all of which a household must have. ``after``: the last case of the page
    before; it stands in the address instead of its name.
    """
    latest = (
        select(func.max(Decision.id))
        .where(Decision.case_id == Case.id, Decision.kind == DecisionKind.APPROVE)
        .correlate(Case)
        .scalar_subquery()
    )
    review = (
        select(Deadline.due_on)
        .where(Deadline.case_id == Case.id, Deadline.rule == "first_review")
        .order_by(Deadline.id.desc())
        .limit(1)
        .correlate(Case)
        .scalar_subquery()
    )
    query = (
        select(Case.id, Case.reference, Household, Decision, review.label("review_by"))
        .join(Household, Household.id == Case.household_id)
        .outerjoin(Decision, Decision.id == latest)
        .where(Case.place == PLACE, visible_cases(actor, today=today), *_named(words))
        .order_by(Household.name, Case.id)
        .limit(limit + 1)
    )
    if after is not None:
        last = select(Household.name).join(Case, Case.household_id == Household.id).where(Case.id == after)
        name = last.scalar_subquery()
        query = query.where(or_(Household.name > name, and_(Household.name == name, Case.id > after)))
    rows = db.session.execute(query).all()
    shown = rows[:limit]
    carers: dict[int, list[str]] = {row.Household.id: [] for row in shown}
    if shown:
        people = select(Person).where(
            Person.household_id.in_(carers), Person.role.in_(_APPLICANTS), Person.left_household_on.is_(None)
        )
        for person in db.session.scalars(people.order_by(Person.id)):
            carers[person.household_id].append(person.full_name)
    lines = [
        RegisterLine(
            case_id=row.id,
            reference=row.reference,
            household=row.Household.name,
            carers=tuple(carers[row.Household.id]),
            where=_where(row.Household),
            approved_on=row.Decision.effective_on if row.Decision is not None else None,
            terms=terms_of(row.Decision).words if row.Decision is not None else None,
            review_by=row.review_by,
        )
        for row in shown
    ]
    return lines, shown[-1].id if len(rows) > limit else None


def _named(words: str) -> list[ColumnElement[bool]]:
    """For each word, that the name of a carer of the household begins with it."""
    wanted = (keys.name_key(words) or "").split()[:MOST_WORDS]
    return [
        select(Person.id)
        .where(
            Person.household_id == Case.household_id,
            Person.role.in_(_APPLICANTS),
            Person.left_household_on.is_(None),
            or_(starts_with(Person.family_key, word), starts_with(Person.given_key, word)),
        )
        .exists()
        for word in wanted
    ]


def _where(household: Household) -> str:
    return ", ".join(part for part in (keys.district(household.postcode), household.local_authority) if part)


def entry_of(case: Case) -> RegisterEntry:
    """One household's entry, from what is on file. Raises NothingThere where it is not approved."""
    if case.place != PLACE:
        raise NothingThere("This household is not approved, so it is not on the register.")
    decision = db.session.scalars(
        select(Decision)
        .where(Decision.case_id == case.id, Decision.kind == DecisionKind.APPROVE)
        .order_by(Decision.id.desc())
    ).first()
    review = db.session.scalars(
        select(Deadline)
        .where(Deadline.case_id == case.id, Deadline.rule == "first_review")
        .order_by(Deadline.id.desc())
    ).first()
    application = application_of(case)
    sex = {fact.person_id: fact.value for fact in current_facts(case) if fact.key == "sex"}
    home = case.household
    return RegisterEntry(
        carers=tuple(
            Carer(id=one.id, name=one.full_name, born_on=one.born_on, sex=sex.get(one.id))
            for one in live_people(case)
            if one.is_applicant
        ),
        address=", ".join(part for part in (home.address, home.postcode) if part),
        council=home.local_authority,
        approved_on=decision.effective_on if decision is not None else None,
        decided_on=decision.decided_on if decision is not None else None,
        decided_by=names_of([decision.decided_by_id]).get(decision.decided_by_id, "") if decision is not None else "",
        terms=terms_of(decision).words if decision is not None else None,
        usual_limit=USUAL_FOSTERING_LIMIT,
        agreement_signed_on=application.agreement_signed_on if application is not None else None,
        review_by=review.due_on if review is not None else None,
    )

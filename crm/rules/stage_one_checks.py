"""What Stage 1 needs of whom, why, what is still missing, and the day the last of it came.

The law's list is Schedule 3 Part 1 and regulation 26(1A) of the Fostering Services (England) Regulations 2011, as
amended on 1 July 2013. What services check by custom is kept apart from it: it holds up no statutory clock and is never
called required by regulation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from crm.rules.eligibility import age_on, birthday

if TYPE_CHECKING:
    from crm.rules.rulebook import Rulebook


class Part(StrEnum):
    """What somebody is to the household."""

    APPLICANT_1 = "applicant_1"
    APPLICANT_2 = "applicant_2"
    HOUSEHOLD_ADULT = "household_adult"
    CHILD = "child"
    CHILD_ELSEWHERE = "child_elsewhere"
    SUPPORT_CARER = "support_carer"


APPLICANTS: frozenset[Part] = frozenset({Part.APPLICANT_1, Part.APPLICANT_2})
AT_HOME: frozenset[Part] = APPLICANTS | {Part.HOUSEHOLD_ADULT, Part.CHILD}


class Basis(StrEnum):
    """Whether the law asks for it or the service does."""

    STATUTORY = "statutory"
    LOCAL = "local"


class Who(StrEnum):
    """Of whom a check is asked."""

    HOUSEHOLD = "household"  # once for the home
    APPLICANTS = "applicants"
    ADULTS_AT_HOME = "adults_at_home"  # applicants, and everybody at home of the rule's age
    SUPPORT_CARERS = "support_carers"


class When(StrEnum):
    """On what it depends."""

    ALWAYS = "always"
    OTHER_ADULTS = "other_adults"
    CHILDREN = "children"
    APPROVED_WITHIN_YEAR = "approved_within_year"
    NO_PREVIOUS_REFERENCE = "no_previous_reference"
    HOME_COUNCIL_IS_ANOTHER = "home_council_is_another"
    RENTS = "rents"
    HAS_PETS = "has_pets"
    LIVED_ABROAD = "lived_abroad"
    HAS_FORMER_PARTNER = "has_former_partner"
    WORKS_WITH_CHILDREN = "works_with_children"


@dataclass(frozen=True, slots=True)
class CheckRule:
    """One check in one edition, as data.

    `what` completes "Sam Rhodes: …". `count`: how many of it, for referees. `minimum_age`: of people at home who are
    not applicants. `chase`: the clock that runs once it is asked for. `max_age_at_panel_months`: a local limit.
    """

    item: str
    what: str
    why: str
    who: Who
    source: str
    certainty: str
    basis: Basis = Basis.STATUTORY
    when: When = When.ALWAYS
    count: int = 1
    minimum_age: int = 18
    chase: str = "check_chase"
    max_age_at_panel_months: int | None = None
    in_force_from: date = date(2013, 7, 1)
    in_force_until: date | None = None

    @property
    def edition(self) -> str:
        """Item and first day of this edition."""
        return f"{self.item}@{self.in_force_from.isoformat()}"


_SCH3 = "Fostering Services (England) Regulations 2011, Sch 3 Part 1"
_REG26 = "Fostering Services (England) Regulations 2011, reg 26(1A)"

CHECK_RULES: tuple[CheckRule, ...] = (
    CheckRule(
        "identity",
        "full name, address and date of birth",
        "Everything else is checked against it",
        Who.APPLICANTS,
        f"{_SCH3}, para 1",
        "L*",
    ),
    CheckRule(
        "health_report",
        "health, with a medical report",
        "A carer must be well enough to look after a child",
        Who.APPLICANTS,
        f"{_SCH3}, para 2",
        "L*",
    ),
    CheckRule(
        "other_adults",
        "particulars of the other adults at home",
        "They are part of the home a child would join",
        Who.HOUSEHOLD,
        f"{_SCH3}, para 3",
        "L*",
        when=When.OTHER_ADULTS,
    ),
    CheckRule(
        "children",
        "particulars of the children of the family and at home",
        "Fostering changes their lives too",
        Who.HOUSEHOLD,
        f"{_SCH3}, para 4",
        "L*",
        when=When.CHILDREN,
    ),
    CheckRule(
        "accommodation",
        "particulars of the home",
        "A child needs room and safety",
        Who.HOUSEHOLD,
        f"{_SCH3}, para 5",
        "L*",
    ),
    CheckRule(
        "past_applications",
        "the outcome of any request to foster, adopt or mind children",
        "Another service may know something that matters",
        Who.ADULTS_AT_HOME,
        f"{_SCH3}, para 6",
        "L*",
    ),
    CheckRule(
        "previous_service",
        "name and address of the service that approved them in the last 12 months",
        "It must be asked for a reference",
        Who.APPLICANTS,
        f"{_SCH3}, para 7",
        "L*",
        when=When.APPROVED_WITHIN_YEAR,
    ),
    CheckRule(
        "referees",
        "names and addresses of two personal referees",
        "They are interviewed",
        Who.APPLICANTS,
        f"{_SCH3}, para 8",
        "L*",
        count=2,
    ),
    CheckRule(
        "dbs",
        "enhanced DBS certificate with the children's barred list",
        "Everyone aged 18 or over at home has one",
        Who.ADULTS_AT_HOME,
        f"{_SCH3}, para 9",
        "L*",
        chase="dbs_chase",
    ),
    CheckRule(
        "relationships",
        "present and past marriage, civil partnership or similar",
        "It is part of the family's story",
        Who.APPLICANTS,
        f"{_SCH3}, para 10",
        "L*",
    ),
    CheckRule(
        "previous_service_reference",
        "written reference asked of the service that approved them in the last 12 months",
        "It knows them as carers",
        Who.APPLICANTS,
        f"{_REG26}(b)",
        "L",
        when=When.APPROVED_WITHIN_YEAR,
        chase="previous_service_reference",
    ),
    CheckRule(
        "referee_interviews",
        "interviews with two personal referees, each with a report",
        "People who know them speak for them",
        Who.APPLICANTS,
        f"{_REG26}(c)",
        "L",
        when=When.NO_PREVIOUS_REFERENCE,
        count=2,
        chase="referee_reply",
    ),
    CheckRule(
        "local_authority_views",
        "views of the council where they live",
        "It must be consulted, and its views taken into account",
        Who.HOUSEHOLD,
        f"{_REG26}(d)",
        "L",
        when=When.HOME_COUNCIL_IS_ANOTHER,
        chase="local_authority_views",
    ),
)

_CUSTOM = "Common practice of services; not required by regulation"


def _local(item: str, what: str, why: str, who: Who, when: When = When.ALWAYS) -> CheckRule:
    return CheckRule(item, what, why, who, _CUSTOM, "CP", Basis.LOCAL, when)


LOCAL_CHECK_RULES: tuple[CheckRule, ...] = (
    _local("medical_advice", "the medical adviser's opinion", "It reads the report for the panel", Who.APPLICANTS),
    _local("home_safety", "home health and safety checklist", "So that the home is safe for a child", Who.HOUSEHOLD),
    _local(
        "employer_reference",
        "reference from work or volunteering with children",
        "It shows them with children",
        Who.APPLICANTS,
        When.WORKS_WITH_CHILDREN,
    ),
    _local(
        "former_partner_reference",
        "a word with a former partner they brought up children with",
        "They have seen them as a parent",
        Who.APPLICANTS,
        When.HAS_FORMER_PARTNER,
    ),
    _local(
        "overseas_police",
        "certificate of good character from abroad",
        "The DBS doesn't reach other countries",
        Who.APPLICANTS,
        When.LIVED_ABROAD,
    ),
    _local("landlord_consent", "the landlord's consent", "The tenancy may ask for it", Who.HOUSEHOLD, When.RENTS),
    _local("pets", "pet assessment", "So that pets and children are safe together", Who.HOUSEHOLD, When.HAS_PETS),
    _local(
        "support_carer_dbs", "DBS certificate as a back-up carer", "They may look after a child", Who.SUPPORT_CARERS
    ),
)


@dataclass(frozen=True, slots=True)
class HouseholdPerson:
    """Somebody of the household or family, as far as checks depend on it. An unknown date of birth counts as adult
    for everybody but a child."""

    person_id: int
    name: str
    part: Part
    born_on: date | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else the list of checks depends on. Sets hold person ids."""

    service_is_home_council: bool = False  # the service is the council of the area where they live
    approved_within_year: frozenset[int] = frozenset()  # by another service, in the 12 months before
    previous_reference_received: frozenset[int] = frozenset()
    lived_abroad: frozenset[int] = frozenset()
    former_partner: frozenset[int] = frozenset()
    works_with_children: frozenset[int] = frozenset()
    rents: bool = False
    has_pets: bool = False


@dataclass(frozen=True, slots=True)
class Requirement:
    """One check of one person, or of the household when there is no person.

    `needed_from`: the day it becomes needed, for somebody who turns 18 later; before that it is a forecast.
    """

    item: str
    person_id: int | None
    person_name: str
    what: str
    why: str
    source: str
    edition: str
    basis: Basis
    count: int = 1
    chase: str = "check_chase"
    needed_from: date | None = None
    max_age_at_panel_months: int | None = None

    @property
    def key(self) -> tuple[str, int | None]:
        """What it is stored under."""
        return (self.item, self.person_id)

    @property
    def is_statutory(self) -> bool:
        """Whether the law asks for it."""
        return self.basis is Basis.STATUTORY

    @property
    def words(self) -> str:
        """ "Sam Rhodes: enhanced DBS certificate …"."""
        return f"{self.person_name}: {self.what}" if self.person_name else self.what

    def is_needed_on(self, on: date) -> bool:
        """Whether it counts on a day, or is still only a forecast."""
        return self.needed_from is None or self.needed_from <= on


@dataclass(frozen=True, slots=True)
class Obtained:
    """One check, or one of several of a kind, that came in on a day."""

    item: str
    person_id: int | None
    on: date


def requirements(
    people: Iterable[HouseholdPerson], circumstances: Circumstances, rulebook: Rulebook
) -> tuple[Requirement, ...]:
    """Every check this household needs under the rulebook's day, the law's first, in the order of the law.

    Ask again at each birthday and whenever the household changes. Somebody who is 17 is listed ahead, with the day from
    which their check counts.
    """
    household = tuple(people)
    found: list[Requirement] = []
    for rule in rulebook.check_rules:
        for person in _asked_of(rule, household):
            if _applies(rule, person, household, circumstances, rulebook.day):
                found.append(_requirement(rule, person, rulebook.day))
    return tuple(sorted(found, key=lambda one: one.basis is Basis.LOCAL))


def outstanding(
    needed: Iterable[Requirement], obtained: Iterable[Obtained], *, on: date, statutory_only: bool = True
) -> tuple[Requirement, ...]:
    """What has not come in yet. Forecasts are left out until their day."""
    dates = _dates(obtained)
    return tuple(
        one
        for one in needed
        if (one.is_statutory or not statutory_only) and one.is_needed_on(on) and _met_on(one, dates) is None
    )


def completed_on(needed: Iterable[Requirement], obtained: Iterable[Obtained], *, on: date) -> date | None:
    """The day the last statutory item was obtained; None while one is outstanding.

    The 10 working days of a Stage 1 decision count from it.
    """
    dates = _dates(obtained)
    met = [_met_on(one, dates) for one in needed if one.is_statutory and one.is_needed_on(on)]
    if not met or any(day is None for day in met):
        return None
    return max(day for day in met if day is not None)


def check_rules_in_force(rules: Iterable[CheckRule], on: date) -> tuple[CheckRule, ...]:
    """Of each check's editions, the latest in force on a day."""
    chosen: dict[str, CheckRule] = {}
    for rule in rules:
        present = chosen.get(rule.item)
        if rule.in_force_from <= on and (present is None or rule.in_force_from >= present.in_force_from):
            chosen[rule.item] = rule
    return tuple(rule for rule in chosen.values() if rule.in_force_until is None or on < rule.in_force_until)


def _asked_of(rule: CheckRule, household: tuple[HouseholdPerson, ...]) -> tuple[HouseholdPerson | None, ...]:
    if rule.who is Who.HOUSEHOLD:
        return (None,)
    if rule.who is Who.APPLICANTS:
        return tuple(one for one in household if one.part in APPLICANTS)
    if rule.who is Who.SUPPORT_CARERS:
        return tuple(one for one in household if one.part is Part.SUPPORT_CARER)
    return tuple(one for one in household if one.part in AT_HOME)


def _applies(
    rule: CheckRule,
    person: HouseholdPerson | None,
    household: tuple[HouseholdPerson, ...],
    circumstances: Circumstances,
    day: date,
) -> bool:
    if (
        rule.who is Who.ADULTS_AT_HOME
        and person is not None
        and person.part not in APPLICANTS
        and not _is_or_nearly(person, rule.minimum_age, day)
    ):
        return False
    return _condition_holds(rule.when, person, household, circumstances, day)


def _condition_holds(
    when: When,
    person: HouseholdPerson | None,
    household: tuple[HouseholdPerson, ...],
    circumstances: Circumstances,
    day: date,
) -> bool:
    person_id = person.person_id if person is not None else None
    by_person: Mapping[When, frozenset[int]] = {
        When.APPROVED_WITHIN_YEAR: circumstances.approved_within_year,
        When.LIVED_ABROAD: circumstances.lived_abroad,
        When.HAS_FORMER_PARTNER: circumstances.former_partner,
        When.WORKS_WITH_CHILDREN: circumstances.works_with_children,
    }
    if when in by_person:
        return person_id in by_person[when]
    if when is When.NO_PREVIOUS_REFERENCE:
        # Reg 26(1A)(c): no interviews only where the previous service was to be asked *and* it gave its reference.
        return not (
            person_id in circumstances.approved_within_year and person_id in circumstances.previous_reference_received
        )
    if when is When.HOME_COUNCIL_IS_ANOTHER:
        return not circumstances.service_is_home_council
    if when is When.OTHER_ADULTS:
        return any(one.part in AT_HOME - APPLICANTS and _is_adult(one, day) for one in household)
    if when is When.CHILDREN:
        return any(one.part in {Part.CHILD, Part.CHILD_ELSEWHERE} for one in household)
    if when is When.RENTS:
        return circumstances.rents
    if when is When.HAS_PETS:
        return circumstances.has_pets
    return True


def _requirement(rule: CheckRule, person: HouseholdPerson | None, day: date) -> Requirement:
    needed_from = None
    if (
        person is not None
        and rule.who is Who.ADULTS_AT_HOME
        and person.part not in APPLICANTS
        and person.born_on is not None
        and age_on(person.born_on, day) < rule.minimum_age
    ):
        needed_from = birthday(person.born_on, rule.minimum_age)
    return Requirement(
        item=rule.item,
        person_id=person.person_id if person is not None else None,
        person_name=person.name if person is not None else "",
        what=rule.what,
        why=rule.why,
        source=rule.source,
        edition=rule.edition,
        basis=rule.basis,
        count=rule.count,
        chase=rule.chase,
        needed_from=needed_from,
        max_age_at_panel_months=rule.max_age_at_panel_months,
    )


def _is_adult(person: HouseholdPerson, day: date) -> bool:
    if person.born_on is None:
        return person.part is not Part.CHILD
    return age_on(person.born_on, day) >= 18


def _is_or_nearly(person: HouseholdPerson, minimum_age: int, day: date) -> bool:
    """Of the age, or a year short of it, so that the check can be asked for in time."""
    if person.born_on is None:
        return person.part is not Part.CHILD
    return age_on(person.born_on, day) >= minimum_age - 1


def _dates(obtained: Iterable[Obtained]) -> dict[tuple[str, int | None], list[date]]:
    dates: dict[tuple[str, int | None], list[date]] = {}
    for one in obtained:
        dates.setdefault((one.item, one.person_id), []).append(one.on)
    return dates


def _met_on(requirement: Requirement, dates: Mapping[tuple[str, int | None], list[date]]) -> date | None:
    """The day as many came in as are needed."""
    found = sorted(dates.get(requirement.key, ()))
    return found[requirement.count - 1] if len(found) >= requirement.count else None

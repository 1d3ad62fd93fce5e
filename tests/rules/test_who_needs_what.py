"""Forty households, and for each the exact list of what Stage 1 needs of whom (``domain.md`` 2.1 and 2.2).

Each expected list is written out by hand from the law sheet: ``home`` for what is asked once for the household, a name
for what is asked of that person. ``(dbs)`` is a forecast: needed from a day to come. Nothing else may be on the list.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

import pytest

from crm.rules.rulebook import default_rulebook
from crm.rules.stage_one_checks import Circumstances, HouseholdPerson, Part, requirements

ON = date(2026, 7, 14)

# What stands for each item on the lists below; those after the line are custom, not law.
SHORT = {
    "identity": "id",
    "health_report": "medical",
    "other_adults": "adults",
    "children": "children",
    "accommodation": "home",
    "past_applications": "past",
    "previous_service": "service",
    "referees": "referees",
    "dbs": "dbs",
    "relationships": "partners",
    "previous_service_reference": "reference",
    "referee_interviews": "interviews",
    "local_authority_views": "council",
    # ---
    "medical_advice": "adviser",
    "home_safety": "safety",
    "employer_reference": "employer",
    "former_partner_reference": "ex",
    "overseas_police": "abroad",
    "landlord_consent": "landlord",
    "pets": "pets",
    "support_carer_dbs": "backup",
}

APPLICANT = "id medical past referees dbs partners interviews adviser"
RETURNING = "id medical past service referees dbs partners reference interviews adviser"
WITH_REFERENCE = "id medical past service referees dbs partners reference adviser"
HOME = "home council safety"

ONE, TWO = Part.APPLICANT_1, Part.APPLICANT_2
ADULT, CHILD, ELSEWHERE, BACKUP = Part.HOUSEHOLD_ADULT, Part.CHILD, Part.CHILD_ELSEWHERE, Part.SUPPORT_CARER


@dataclass(frozen=True)
class Home:
    """Who lives there (name, part, year of birth or date, None: unknown), what else is so, and what must be asked."""

    story: str
    people: tuple[tuple[str, Part, str | None], ...]
    asked: dict[str, str]
    facts: dict[str, object]
    on: date = ON


def home(
    story: str, *people: tuple[str, Part, str | None], asked: dict[str, str], on: date = ON, **facts: object
) -> Home:
    return Home(story, people, asked, facts, on)


AMY, BEN = ("Amy", ONE, "1984-03-01"), ("Ben", TWO, "1982-09-09")
GRAN, LODGER = ("Gran", ADULT, "1950-01-01"), ("Lou", ADULT, "1996-05-05")
BABY, TEN = ("Bo", CHILD, "2026-01-30"), ("Cy", CHILD, "2016-02-02")
AWAY, GROWN = ("Di", ELSEWHERE, "2014-04-04"), ("Ed", ELSEWHERE, "1999-09-09")

HOMES = (
    # People alone, and couples
    home("one applicant", AMY, asked={"home": HOME, "Amy": APPLICANT}),
    home("a couple", AMY, BEN, asked={"home": HOME, "Amy": APPLICANT, "Ben": APPLICANT}),
    home("an applicant of the youngest age", ("Amy", ONE, "2005-07-14"), asked={"home": HOME, "Amy": APPLICANT}),
    home("an applicant whose date of birth is not known yet", ("Amy", ONE, None),
         asked={"home": HOME, "Amy": APPLICANT}),
    home("one applicant, of the council that is the service", AMY,
         asked={"home": "home safety", "Amy": APPLICANT}, service_is_home_council=True),
    # Children, at home and elsewhere
    home("a couple and a baby", AMY, BEN, BABY,
         asked={"home": f"{HOME} children", "Amy": APPLICANT, "Ben": APPLICANT}),
    home("two children at home", AMY, BABY, TEN, asked={"home": f"{HOME} children", "Amy": APPLICANT}),
    home("a child who lives with the other parent", AMY, AWAY, asked={"home": f"{HOME} children", "Amy": APPLICANT}),
    home("a grown-up child elsewhere, who is asked for nothing", AMY, GROWN,
         asked={"home": f"{HOME} children", "Amy": APPLICANT}),
    home("a child of 16, whom nobody asks for anything", AMY, ("Cy", CHILD, "2009-07-15"),
         asked={"home": f"{HOME} children", "Amy": APPLICANT}),
    home("a child whose date of birth is not known", AMY, ("Cy", CHILD, None),
         asked={"home": f"{HOME} children", "Amy": APPLICANT}),
    # Turning 18
    home("17 today: listed ahead", AMY, ("Kit", CHILD, "2009-07-14"),
         asked={"home": f"{HOME} children", "Amy": APPLICANT, "Kit": "(past) (dbs)"}),
    home("17, and 18 tomorrow", AMY, ("Kit", CHILD, "2008-07-15"),
         asked={"home": f"{HOME} children", "Amy": APPLICANT, "Kit": "(past) (dbs)"}),
    home("18 today, and called a child still", AMY, ("Kit", CHILD, "2008-07-14"),
         asked={"home": f"{HOME} children adults", "Amy": APPLICANT, "Kit": "past dbs"}),
    home("18 since yesterday", AMY, ("Kit", CHILD, "2008-07-13"),
         asked={"home": f"{HOME} children adults", "Amy": APPLICANT, "Kit": "past dbs"}),
    home("born on a leap day: not yet 18 on 28 February", AMY, ("Kit", CHILD, "2008-02-29"), on=date(2026, 2, 28),
         asked={"home": f"{HOME} children", "Amy": APPLICANT, "Kit": "(past) (dbs)"}),
    home("born on a leap day: 18 on 1 March", AMY, ("Kit", CHILD, "2008-02-29"), on=date(2026, 3, 1),
         asked={"home": f"{HOME} children adults", "Amy": APPLICANT, "Kit": "past dbs"}),
    home("twins of 17 and their brother of 15", AMY, BEN, ("Kit", CHILD, "2008-10-02"), ("Kay", CHILD, "2008-10-02"),
         ("Cy", CHILD, "2011-06-01"),
         asked={"home": f"{HOME} children", "Amy": APPLICANT, "Ben": APPLICANT, "Kit": "(past) (dbs)",
                "Kay": "(past) (dbs)"}),
    home("a lodger of 17", AMY, ("Lou", ADULT, "2008-12-01"),
         asked={"home": HOME, "Amy": APPLICANT, "Lou": "(past) (dbs)"}),
    home("17, but living elsewhere", AMY, ("Kit", ELSEWHERE, "2008-10-02"),
         asked={"home": f"{HOME} children", "Amy": APPLICANT}),
    # Other adults at home
    home("a grandmother", AMY, GRAN, asked={"home": f"{HOME} adults", "Amy": APPLICANT, "Gran": "past dbs"}),
    home("a lodger", AMY, BEN, LODGER,
         asked={"home": f"{HOME} adults", "Amy": APPLICANT, "Ben": APPLICANT, "Lou": "past dbs"}),
    home("a lodger whose date of birth is not known, who counts as an adult", AMY, ("Lou", ADULT, None),
         asked={"home": f"{HOME} adults", "Amy": APPLICANT, "Lou": "past dbs"}),
    home("three generations", AMY, BEN, GRAN, TEN,
         asked={"home": f"{HOME} adults children", "Amy": APPLICANT, "Ben": APPLICANT, "Gran": "past dbs"}),
    home("four generations and a lodger", AMY, GRAN, ("Pop", ADULT, "1928-11-11"), LODGER, BABY,
         asked={"home": f"{HOME} adults children", "Amy": APPLICANT, "Gran": "past dbs", "Pop": "past dbs",
                "Lou": "past dbs"}),
    home("a grown-up son who moved back", AMY, ("Ed", ADULT, "1999-09-09"), AWAY,
         asked={"home": f"{HOME} adults children", "Amy": APPLICANT, "Ed": "past dbs"}),
    home("a partner who does not apply", AMY, ("Ben", ADULT, "1982-09-09"),
         asked={"home": f"{HOME} adults", "Amy": APPLICANT, "Ben": "past dbs"}),
    # Returned carers and transfers
    home("approved elsewhere within the year, the reference not in yet", AMY,
         asked={"home": HOME, "Amy": RETURNING}, approved_within_year={"Amy"}),
    home("approved elsewhere within the year, and its reference is here", AMY,
         asked={"home": HOME, "Amy": WITH_REFERENCE}, approved_within_year={"Amy"},
         previous_reference_received={"Amy"}),
    home("approved elsewhere longer ago: like anybody else", AMY,
         asked={"home": HOME, "Amy": APPLICANT}, previous_reference_received={"Amy"}),
    home("a couple, of whom one was approved elsewhere", AMY, BEN,
         asked={"home": HOME, "Amy": APPLICANT, "Ben": WITH_REFERENCE}, approved_within_year={"Ben"},
         previous_reference_received={"Ben"}),
    home("a couple who transfer together, one reference in", AMY, BEN,
         asked={"home": HOME, "Amy": WITH_REFERENCE, "Ben": RETURNING}, approved_within_year={"Amy", "Ben"},
         previous_reference_received={"Amy"}),
    home("a transfer to the council where they live", AMY, TEN,
         asked={"home": "home safety children", "Amy": RETURNING}, approved_within_year={"Amy"},
         service_is_home_council=True),
    # What services ask by custom
    home("they rent", AMY, asked={"home": f"{HOME} landlord", "Amy": APPLICANT}, rents=True),
    home("a dog", AMY, asked={"home": f"{HOME} pets", "Amy": APPLICANT}, has_pets=True),
    home("one of a couple lived abroad", AMY, BEN,
         asked={"home": HOME, "Amy": APPLICANT, "Ben": f"{APPLICANT} abroad"}, lived_abroad={"Ben"}),
    home("a lodger who lived abroad: the law's items alone", AMY, LODGER,
         asked={"home": f"{HOME} adults", "Amy": APPLICANT, "Lou": "past dbs"}, lived_abroad={"Lou"}),
    home("children brought up with a former partner, and work at a nursery", AMY, TEN,
         asked={"home": f"{HOME} children", "Amy": f"{APPLICANT} ex employer"}, former_partner={"Amy"},
         works_with_children={"Amy"}),
    home("a sister who helps out, and a neighbour whose age nobody knows", AMY, ("Sis", BACKUP, "1988-08-08"),
         ("Nye", BACKUP, None),
         asked={"home": HOME, "Amy": APPLICANT, "Sis": "backup", "Nye": "backup"}),
    home("all of it at once", AMY, BEN, GRAN, ("Kit", CHILD, "2008-10-02"), TEN, GROWN, ("Sis", BACKUP, "1988-08-08"),
         asked={"home": f"{HOME} adults children landlord pets", "Amy": f"{APPLICANT} employer",
                "Ben": f"{RETURNING} abroad ex", "Gran": "past dbs", "Kit": "(past) (dbs)", "Sis": "backup"},
         rents=True, has_pets=True, lived_abroad={"Ben"}, former_partner={"Ben"}, works_with_children={"Amy"},
         approved_within_year={"Ben"}),
)  # fmt: skip


def test_there_are_forty_of_them_each_with_a_story_of_its_own() -> None:
    assert len(HOMES) == len({one.story for one in HOMES}) == 40


@pytest.mark.parametrize("household", HOMES, ids=lambda one: one.story)
def test_stage_one_asks_exactly_this(household: Home) -> None:
    numbers = {name: number for number, (name, _, _) in enumerate(household.people, start=1)}
    people = [
        HouseholdPerson(numbers[name], name, part, date.fromisoformat(born) if born else None)
        for name, part, born in household.people
    ]
    facts = {
        name: frozenset(numbers[one] for one in value) if isinstance(value, set) else value
        for name, value in household.facts.items()
    }

    asked: dict[str, list[str]] = defaultdict(list)
    for one in requirements(people, Circumstances(**facts), default_rulebook(household.on)):  # type: ignore[arg-type]
        word = SHORT[one.item]
        asked[one.person_name or "home"].append(word if one.is_needed_on(household.on) else f"({word})")

    assert {name: sorted(items) for name, items in asked.items()} == {
        name: sorted(items.split()) for name, items in household.asked.items()
    }

"""A change of the eligibility rules tried on last year's enquiries: what would have come out otherwise.

It is asked of the answers there are: what nobody asked takes no part, or every case would stand at "needs a talk".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import func, select

from crm.cases.facts import FACT_SENSITIVITY
from crm.cases.models import APPLICANT_ROLES, Case, Fact, Household, Person
from crm.clock import london_date
from crm.db import db
from crm.enquiries.questions import area_answer
from crm.enquiries.screening import fact_of, read_answer
from crm.rules.eligibility import Answer, Criterion, Outcome, assess
from crm.rules.permissions import Sensitivity

MOST = 5_000
"""So many enquiries are looked at, the newest first."""
BATCH = 500
SHOWN = 100
"""So many of those that would have come out otherwise are named."""


@dataclass(frozen=True)
class Moved:
    """An enquiry that would have come out otherwise."""

    reference: str
    opened_on: date
    before: Outcome
    after: Outcome


@dataclass(frozen=True)
class Trial:
    """What a change would have meant. ``looked_at`` of ``there_were`` enquiries since a day."""

    since: date
    there_were: int
    looked_at: int
    counts: tuple[tuple[Outcome, Outcome, int], ...]
    """From what, to what, and how many; only where they differ."""
    moved: tuple[Moved, ...]
    is_close: bool
    """It turns on answers about offences or health, which the reference of a household is not to give away."""

    @property
    def changed(self) -> int:
        return sum(count for _before, _after, count in self.counts)


def try_rules(
    before: Sequence[Criterion],
    after: Sequence[Criterion],
    *,
    changed: Criterion | None,
    today: date,
    districts: frozenset[str],
) -> Trial:
    """Assess the enquiries of the year up to today under both sets of criteria, each as on the day it came in.

    ``changed`` is the criterion that the change is about; ``districts`` are those of the service's area.
    """
    since = today - timedelta(days=365)
    start = datetime.combine(since, time(), UTC)
    there_were = int(db.session.scalar(select(func.count()).select_from(Case).where(Case.opened_at >= start)) or 0)
    cases = db.session.execute(
        select(Case.id, Case.reference, Case.opened_at, Case.household_id, Household.postcode)
        .join(Household, Household.id == Case.household_id)
        .where(Case.opened_at >= start)
        .order_by(Case.opened_at.desc(), Case.id.desc())
        .limit(MOST)
    ).all()
    old, new = _of_any_day(before), _of_any_day(after)
    counts: Counter[tuple[Outcome, Outcome]] = Counter()
    moved: list[Moved] = []
    for at in range(0, len(cases), BATCH):
        batch = cases[at : at + BATCH]
        facts = _facts([case.id for case in batch], {fact_of(one) for one in (*old, *new)})
        born = _dates_of_birth([case.household_id for case in batch])
        for case in batch:
            day = london_date(case.opened_at)
            answers: dict[str, Answer] = {"age": tuple(born.get(case.household_id, ()))}
            given = facts.get(case.id, {})
            was = _outcome(old, answers, given, case.postcode, day, districts)
            would = _outcome(new, answers, given, case.postcode, day, districts)
            if was is not would:
                counts[was, would] += 1
                moved.append(Moved(case.reference, day, was, would))
    is_close = changed is not None and FACT_SENSITIVITY.get(fact_of(changed)) in (
        Sensitivity.OFFENCE,
        Sensitivity.HEALTH,
    )
    ordered = tuple((was, would, count) for (was, would), count in counts.most_common())
    return Trial(since, there_were, len(cases), ordered, tuple(moved[:SHOWN]), is_close)


def _of_any_day(criteria: Iterable[Criterion]) -> tuple[Criterion, ...]:
    """The criteria as if they had always been in force: last year is what they are tried on."""
    return tuple(replace(one, in_force_from=date.min, in_force_until=None) for one in criteria)


def _outcome(
    criteria: Sequence[Criterion],
    answers: Mapping[str, Answer],
    facts: Mapping[str, str | None],
    postcode: str | None,
    day: date,
    districts: frozenset[str],
) -> Outcome:
    known: dict[str, Answer] = {}
    for criterion in criteria:
        if criterion.is_about_age:
            value: Answer = answers.get(criterion.name)
        else:
            value = read_answer(criterion, facts.get(fact_of(criterion)))
            if value is None and criterion.name == "area":
                value = area_answer(postcode, districts)
        if value:
            known[criterion.name] = value
    return assess(known, [one for one in criteria if one.name in known], day).outcome


def _facts(case_ids: Sequence[int], keys: set[str]) -> dict[int, dict[str, str | None]]:
    """The newest answer of each case to each question."""
    found: dict[int, dict[str, str | None]] = defaultdict(dict)
    rows = db.session.scalars(
        select(Fact)
        .where(Fact.case_id.in_(case_ids), Fact.key.in_(sorted(keys)), Fact.replaced_at.is_(None))
        .order_by(Fact.stated_on, Fact.id)
    )
    for fact in rows:
        found[fact.case_id][fact.key] = fact.value
    return found


def _dates_of_birth(household_ids: Sequence[int]) -> dict[int, list[date]]:
    found: dict[int, list[date]] = defaultdict(list)
    rows = db.session.execute(
        select(Person.household_id, Person.born_on).where(
            Person.household_id.in_(household_ids), Person.role.in_(APPLICANT_ROLES)
        )
    )
    for household_id, born_on in rows:
        if born_on is not None:
            found[household_id].append(born_on)
    return found

"""Screening: what is known already is shown and asked once; the rules advise; a person decides.

An answer is kept as a fact in the words it was offered in, so that it reads on its own wherever it is shown: "Not yet",
or "Not yet: son leaving in September" where somebody wrote more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from crm import policy
from crm.audit import record
from crm.cases import summary, timeline
from crm.cases.change_stage import claim_version
from crm.cases.facts import FACT_SENSITIVITY, FACT_WORDS, current_facts, state_fact
from crm.cases.models import Case, Fact, Person
from crm.db import db
from crm.enquiries.questions import area_answer
from crm.rules.eligibility import OUTCOME_WORDS, Answer, Criterion, EligibilityAdvice, Outcome, assess
from crm.rules.permissions import Actor, Permission, Sensitivity, may_see, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

FACT_OF: Mapping[str, str] = {
    "right_to_live": "right_to_work",
    "spare_room": "spare_room",
    "specified_offence": "specified_offence",
    "other_convictions": "offences",
    "approved_elsewhere": "current_approval",
    "smoking": "smoking",
    "pets": "pets",
    "driving": "driving",
    "life_changes": "recent_change",
    "area": "area",
    "home": "housing",
    "work": "work",
}
"""Which fact holds the answer to which criterion. Age is read from dates of birth; what a service asks of its own
accord has a fact of its name."""


def fact_of(criterion: Criterion) -> str:
    """The key of the fact that holds a criterion's answer."""
    return FACT_OF.get(criterion.name, criterion.name)


SOURCE = "Screening call"


class NotYoursToDecide(Refusal):
    """Part of what decides this is shown only to those on the case."""

    default_status = 403


class DecisionNeedsAReason(Refusal):
    """The decision differs from the advice, and nobody said why."""

    default_status = 422


@dataclass(frozen=True)
class Known:
    """What is known about one criterion: the answer, the words it was given in, who said so and when."""

    criterion: Criterion
    value: str | None
    words: str | None
    source: str | None
    stated_on: date | None
    is_hidden: bool = False


@dataclass(frozen=True)
class Screening:
    """A household's screening as one person may see it."""

    known: tuple[Known, ...]
    applicants: tuple[Person, ...]
    advice: EligibilityAdvice
    something_is_hidden: bool
    unasked: frozenset[str]
    """The criteria nobody has asked about yet: said in one line, not as so many things to talk about."""
    shows: tuple[str, ...]
    """The kinds of sensitive facts on the page, for the record of who looked."""

    @property
    def unasked_words(self) -> list[str]:
        """What is still to ask, a few words each."""
        words = ["Date of birth"] if any(person.born_on is None for person in self.applicants) else []
        return words + [
            FACT_WORDS.get(fact_of(one.criterion), one.criterion.staff_words)
            for one in self.known
            if one.criterion.name in self.unasked
        ]


def screening_of(case: Case, actor: Actor, *, on_case: bool, rulebook: Rulebook) -> Screening:
    """What is known, with its sources, and what it amounts to so far. Hidden answers take no part in the advice."""
    facts: dict[str, Fact] = {}
    for fact in current_facts(case):
        held = facts.get(fact.key)
        if held is None or fact.stated_on >= held.stated_on:
            facts[fact.key] = fact
    applicants = tuple(person for person in case.household.people if person.is_applicant)
    answers: dict[str, Answer] = {"age": tuple(person.born_on for person in applicants if person.born_on)}
    known, shows = [], set()
    for criterion in rulebook.criteria:
        if criterion.is_about_age:
            continue
        found = _known(criterion, facts.get(fact_of(criterion)), case, actor, on_case=on_case)
        known.append(found)
        answers[criterion.name] = found.value
        if found.words and not found.is_hidden:
            sensitivity = FACT_SENSITIVITY.get(fact_of(criterion), Sensitivity.ORDINARY)
            if sensitivity in (Sensitivity.OFFENCE, Sensitivity.HEALTH):
                shows.add(str(sensitivity))
    hidden = {one.criterion.name for one in known if one.is_hidden}
    criteria = [criterion for criterion in rulebook.criteria if criterion.name not in hidden]
    return Screening(
        tuple(known),
        applicants,
        assess(answers, criteria, rulebook.day),
        bool(hidden),
        frozenset(one.criterion.name for one in known if not one.value and not one.is_hidden)
        | (frozenset() if answers["age"] else frozenset({"age"})),
        tuple(sorted(shows)),
    )


def _known(criterion: Criterion, fact: Fact | None, case: Case, actor: Actor, *, on_case: bool) -> Known:
    if fact is None:
        value = area_answer(case.household.postcode, policy.service().districts) if criterion.name == "area" else None
        option = criterion.option(value) if value else None
        if option is None:
            return Known(criterion, None, None, None, None)
        return Known(criterion, value, option.label, f"From the postcode, {case.household.postcode}", None)
    if not may_see(actor, Sensitivity(fact.sensitivity), subject_person_id=fact.person_id, on_case=on_case):
        return Known(criterion, None, None, fact.source, fact.stated_on, is_hidden=True)
    return Known(criterion, read_answer(criterion, fact.value), fact.value, fact.source, fact.stated_on)


def read_answer(criterion: Criterion, words: str | None) -> str | None:
    """Which answer some words are: the label they begin with. None where it must be asked again."""
    if not words:
        return None
    plain = _plain(words)
    for option in sorted(criterion.options, key=lambda one: -len(one.label)):
        label = _plain(option.label)
        if plain == label or plain.startswith((f"{label}:", f"{label},", f"{label} (")):
            return option.value
    return None


def _plain(words: str) -> str:
    return words.casefold().replace("’", "'").strip()


def keep_answers(
    case: Case,
    *,
    answers: Mapping[str, str],
    born_on: Mapping[int, date | None],
    note: str | None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Keep what was said in a screening call. An answer that has not changed keeps its words, source and date."""
    require(actor, Permission.RECORD_CONTACT)
    claim_version(case, seen)
    facts = {fact.key: fact for fact in current_facts(case)}
    for criterion in rulebook.criteria:
        value = answers.get(criterion.name)
        option = criterion.option(value) if value else None
        if option is None:
            continue
        key = fact_of(criterion)
        held = facts.get(key)
        if held is not None and read_answer(criterion, held.value) == option.value:
            continue
        state_fact(
            case,
            key=key,
            value=option.label,
            source=SOURCE,
            stated_on=today,
            actor=actor,
            now=now,
            person_id=held.person_id if held is not None else None,
        )
    for person in case.household.people:
        day = born_on.get(person.id)
        if day is not None and day != person.born_on:
            person.born_on = day
            record("person.born_on", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}")
    if note and note.strip():
        timeline.add(
            case,
            kind="contact",
            title="Screening call",
            detail=note.strip(),
            actor=actor,
            occurred_at=now,
            sensitivity=Sensitivity.PERSONAL,
        )
    db.session.flush()
    summary.refresh(case, today=today, rulebook=rulebook)


def decide_eligibility(
    case: Case,
    *,
    outcome: Outcome,
    reason: str | None,
    screening: Screening,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Keep what a person decided. It may differ from the advice, with a reason; nobody decides on what they can't see.

    Raises NotYoursToDecide, DecisionNeedsAReason.
    """
    require(actor, Permission.DECIDE_ELIGIBILITY)
    if screening.something_is_hidden:
        raise NotYoursToDecide("Part of what decides this is shown only to those who have the case. Ask its owner.")
    if outcome != screening.advice.outcome and not (reason and reason.strip()):
        raise DecisionNeedsAReason(
            f"The answers point to “{screening.advice.words}”. Say why you decide otherwise.", field="reason"
        )
    claim_version(case, seen)
    case.eligibility_outcome = outcome
    differs = f"; the answers pointed to “{screening.advice.words}”" if outcome != screening.advice.outcome else ""
    timeline.add(
        case,
        kind="fact",
        title=f"Eligibility decided: {OUTCOME_WORDS[outcome]}{differs}",
        detail=reason.strip() if reason else None,
        sensitivity=Sensitivity.PERSONAL,
        actor=actor,
        occurred_at=now,
    )
    record(
        "eligibility.decided",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"case:{case.reference}",
        detail={"outcome": str(outcome), "advice": str(screening.advice.outcome), "edition": rulebook.edition[:60]},
    )
    summary.refresh(case, today=today, rulebook=rulebook)

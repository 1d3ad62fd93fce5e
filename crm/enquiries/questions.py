"""The pages of the public form, in order: one thing a page, in named steps.

Answers about eligibility use the criteria in force, so a service that changes a rule changes its question too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from crm.cases import keys
from crm.rules.eligibility import Answer, Criterion, EligibilityAdvice, assess

HOME, HOUSEHOLD, YOU, REACH, TOUCH, CHECK = (
    "Your home",
    "Your household",
    "About you",
    "How to reach you",
    "Staying in touch",
    "Check and send",
)
STEPS = (HOME, HOUSEHOLD, YOU, REACH, TOUCH, CHECK)


@dataclass(frozen=True)
class Question:
    """One page. ``answers`` are the names it fills in the draft; ``criterion`` is the rule it asks about, if any."""

    slug: str
    step: str
    answers: tuple[str, ...]
    criterion: str | None = None


QUESTIONS: tuple[Question, ...] = (
    Question("postcode", HOME, ("postcode",)),
    Question("spare-room", HOME, ("spare_room",), "spare_room"),
    Question(
        "second-adult",
        HOUSEHOLD,
        ("second", "second_given_name", "second_family_name", "second_phone", "second_email"),
    ),
    Question("smoking", HOUSEHOLD, ("smoking",), "smoking"),
    Question("changes", HOUSEHOLD, ("life_changes",), "life_changes"),
    Question("name", YOU, ("given_name", "family_name")),
    Question("age", YOU, ("born_on",), "age"),
    Question("right-to-work", YOU, ("right_to_live",), "right_to_live"),
    Question("contact", REACH, ("phone", "email", "contact_times")),
    Question("safe-contact", REACH, ("safe", "safe_note")),
    Question("news", TOUCH, ("news",)),
)
RESULT_AFTER = "right-to-work"
RESULT = "where-you-stand"
ASKED = tuple(question.criterion for question in QUESTIONS if question.criterion) + ("area",)
"""The criteria that the form can say something about; the rest are asked by a person."""

NEEDED = ("given_name", "family_name")
"""Without a name, and a way to reach them, nobody can ring back."""

SECOND_WORDS = {
    "partner": "Yes, my partner",
    "other": "Yes, someone else",
    "no": "No, just me",
    "dont_know": "I don’t know yet",
}
TIMES_WORDS = {
    "morning": "Morning, 9am to 12 noon",
    "afternoon": "Afternoon, 12 noon to 5pm",
    "evening": "Evening, 5pm to 7pm",
    "any": "Any time",
}
SAFE_WORDS = {
    "yes": "Yes, you can leave a message",
    "no_voicemail": "You can ring, but leave no voicemail",
    "text_first": "Text me first, do not ring",
}


def question_of(slug: str) -> Question | None:
    """The page of an address."""
    return next((question for question in QUESTIONS if question.slug == slug), None)


def asked(criteria: Sequence[Criterion]) -> tuple[Question, ...]:
    """The pages this service asks: a criterion it has dropped is not asked about."""
    names = {criterion.name for criterion in criteria}
    return tuple(q for q in QUESTIONS if q.criterion is None or q.criterion in names)


def page_after(slug: str, criteria: Sequence[Criterion]) -> str:
    """Where Continue leads from a page."""
    if slug == RESULT:
        return "contact"
    pages = [question.slug for question in asked(criteria)]
    at = pages.index(slug)
    if pages[at + 1 : at + 2] == ["contact"]:
        return RESULT
    return pages[at + 1] if at + 1 < len(pages) else "check"


def page_before(slug: str, criteria: Sequence[Criterion]) -> str | None:
    """Where Back leads; None from the first page, to the start."""
    pages = [question.slug for question in asked(criteria)]
    if slug == "check":
        return pages[-1]
    if slug == "contact":
        return RESULT
    at = pages.index("contact") if slug == RESULT else pages.index(slug)
    return pages[at - 1] if at else None


def first_gap(answers: Mapping[str, Any]) -> str | None:
    """The first page that must still be answered before anybody can ring back; None when none must."""
    if any(not answers.get(name) for name in NEEDED):
        return "name"
    if not answers.get("phone") and not answers.get("email"):
        return "contact"
    return None


def advice_on(
    answers: Mapping[str, Any], criteria: Sequence[Criterion], *, on: date, districts: frozenset[str]
) -> EligibilityAdvice:
    """A first look at the answers. It only reads what was asked here; a person decides."""
    given: dict[str, Answer] = {
        name: answers.get(name) for name in ("spare_room", "smoking", "life_changes", "right_to_live")
    }
    if answers.get("born_on"):
        given["age"] = date.fromisoformat(answers["born_on"])
    given["area"] = area_answer(answers.get("postcode"), districts)
    return assess(given, [criterion for criterion in criteria if criterion.name in ASKED], on)


def area_answer(postcode: str | None, districts: frozenset[str]) -> str | None:
    """Whether a postcode lies in the service's area: yes, no, or None where it can't be told."""
    district = keys.district(postcode)
    if district is None or not districts:
        return None
    return "yes" if district in districts else "no"


def what_fits(answers: Mapping[str, Any], advice: EligibilityAdvice) -> list[str]:
    """What already fits, in words that say yes."""
    fine = {finding.criterion for finding in advice.findings if finding.outcome == "eligible"}
    district = keys.district(answers.get("postcode"))
    words = (
        ("age", "You are old enough"),
        ("spare_room", "You have a spare room"),
        ("right_to_live", "You have the right to live and work in the UK"),
        ("area", f"You live in our area, in {district}"),
        ("smoking", "Nobody smokes or vapes at home"),
        ("life_changes", "This could be a good time for you"),
    )
    fits = [said for name, said in words if name in fine]
    if answers.get("second") == "no":
        fits.append("Fostering on your own is fine")
    fits.append("Renting or owning, working or not: all of that is fine")
    return fits


def label_of(criteria: Sequence[Criterion], name: str, value: str | None) -> str | None:
    """An answer to a criterion, in the words it was offered in."""
    criterion = next((one for one in criteria if one.name == name), None)
    option = criterion.option(value) if criterion is not None and value else None
    return option.label if option is not None else None

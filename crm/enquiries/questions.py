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
    closely_held: bool = False
    """Not shown to somebody who came back by a link: the mailbox it went to may be read by others at home."""

    @property
    def is_choice(self) -> bool:
        """Whether it is asked in the words of its criterion, with that one's answers."""
        return self.criterion is not None and self.criterion != "age"


QUESTIONS: tuple[Question, ...] = (
    Question("postcode", HOME, ("postcode",)),
    Question("spare-room", HOME, ("spare_room",), "spare_room"),
    Question(
        "second-adult",
        HOUSEHOLD,
        ("second", "second_given_name", "second_family_name", "second_phone", "second_email"),
        closely_held=True,
    ),
    Question("smoking", HOUSEHOLD, ("smoking",), "smoking"),
    Question("changes", HOUSEHOLD, ("life_changes",), "life_changes", closely_held=True),
    Question("name", YOU, ("given_name", "family_name")),
    Question("age", YOU, ("born_on",), "age", closely_held=True),
    Question("fostering-now", YOU, ("approved_elsewhere",), "approved_elsewhere"),
    Question("right-to-work", YOU, ("right_to_live",), "right_to_live", closely_held=True),
    Question("contact", REACH, ("phone", "email", "prefers", "contact_times")),
    Question("safe-contact", REACH, ("safe", "safe_note"), closely_held=True),
    Question("not-then", REACH, ("never_by", "quiet_times"), closely_held=True),
    Question("heard", TOUCH, ("heard", "heard_detail")),
    Question("news", TOUCH, ("news", "second_here", "second_news")),
)
RESULT = "where-you-stand"
ASKED = tuple(question.criterion for question in QUESTIONS if question.criterion) + ("area",)
"""The criteria that the form can say something about; the rest are asked by a person."""

BY_CHOICE = ("spare_room", "smoking", "life_changes", "right_to_live", "approved_elsewhere")
"""The criteria that are answered by choosing one of the answers in force."""

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
PREFERS_WORDS = {"phone": "Ring me", "text": "Text me", "email": "Write to me"}
NEVER_WORDS = {
    "text": "Text messages",
    "email": "Email",
    "post": "Letters by post",
}
SECOND_HERE_WORDS = {
    "yes": "Yes, and they answer for themselves",
    "no": "No, ask them yourselves",
}
HEARD_WORDS = {
    "carer": "A foster carer told me",
    "friend": "A friend, a relative or a colleague",
    "event": "An event or a stall",
    "search": "I searched online",
    "social": "Facebook, Instagram or other social media",
    "website": "Another website",
    "leaflet": "A leaflet, a poster or a letter from the council",
    "press": "Radio, television or a newspaper",
    "worship": "My place of worship",
    "partner": "A charity, a school or another organisation",
    "employer": "My work",
    "hub": "A fostering hub or helpline",
    "returning": "I asked you before",
    "other": "Somewhere else",
}
"""Where people hear of a service (domain.md 4.5, the first of the two levels); the second is in their own words."""

ABOUT_WORDS = {
    "age": "Your age",
    "spare_room": "A room for a child",
    "right_to_live": "Living and working in the UK",
    "approved_elsewhere": "Coming to us from another service",
    "area": "Where you live",
    "smoking": "Smoking or vaping",
    "life_changes": "What is happening in your life",
}
"""What a finding is about, as its heading says it."""

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


def ways_left(answers: Mapping[str, Any]) -> set[str]:
    """The ways in which somebody can still be reached, of those for which they gave us something."""
    never = set(answers.get("never_by") or ())
    ways = set()
    if answers.get("phone"):
        ways |= {"text"} if answers.get("safe") == "text_first" else {"phone", "text"}
    if answers.get("email"):
        ways.add("email")
    return ways - never


def first_way(answers: Mapping[str, Any]) -> str:
    """How they hear from us first: as they like best, else by phone, else by text, else by email."""
    ways = ways_left(answers)
    in_order = (answers.get("prefers"), "phone", "text", "email")
    return next((way for way in in_order if way in ways), "email")


def first_gap(answers: Mapping[str, Any]) -> str | None:
    """The first page that must still be answered before anybody can ring back; None when none must."""
    if any(not answers.get(name) for name in NEEDED):
        return "name"
    if not answers.get("phone") and not answers.get("email"):
        return "contact"
    if not ways_left(answers):
        return "not-then"
    return None


def advice_on(
    answers: Mapping[str, Any],
    criteria: Sequence[Criterion],
    *,
    on: date,
    districts: frozenset[str],
    hides: bool = False,
) -> EligibilityAdvice:
    """A first look at the answers. It only reads what was asked here; a person decides.

    ``hides`` leaves the closely held answers out of it, for somebody who came by a link.
    """
    given: dict[str, Answer] = {name: answers.get(name) for name in BY_CHOICE}
    if answers.get("born_on"):
        given["age"] = date.fromisoformat(answers["born_on"])
    given["area"] = area_answer(answers.get("postcode"), districts)
    held_back = {question.criterion for question in QUESTIONS if question.closely_held} if hides else set()
    return assess(given, [one for one in criteria if one.name in ASKED and one.name not in held_back], on)


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
        ("approved_elsewhere", "You are not with another fostering service"),
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

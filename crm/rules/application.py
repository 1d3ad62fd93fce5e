"""What an application asks of a household, part by part: the matters of Schedule 3 Part 1 that only they can tell.

A part is filled in by each applicant alone, or is shared: either of them may. What somebody says of their health or of
their record is for them and for those who need it, and never for the other applicant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from crm.rules.permissions import Sensitivity


class Ask(StrEnum):
    """How a question is answered."""

    LINE = "line"
    WORDS = "words"
    """Several lines."""
    YES_NO = "yes_no"
    CHOICE = "choice"
    DAY = "day"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a part, or one box of a row.

    ``fact``: what the case calls this answer, where an earlier conversation may have given it already. ``if_yes``: the
    yes-or-no question of the same part that makes this one needed.
    """

    name: str
    label: str
    ask: Ask
    hint: str = ""
    missing: str = ""
    """What to say when it is not answered; empty where it need not be."""
    choices: tuple[tuple[str, str], ...] = ()
    fact: str = ""
    if_yes: str = ""
    longest: int = 3000


@dataclass(frozen=True, slots=True)
class Rows:
    """A list within a part: homes, people, referees."""

    name: str
    title: str
    each: str
    """What one of them is called: "home"."""
    boxes: tuple[Question, ...]
    least: int = 0
    too_few: str = ""
    most: int = 12


@dataclass(frozen=True, slots=True)
class Part:
    """One page of the application."""

    name: str
    title: str
    hint: str
    questions: tuple[Question, ...] = ()
    rows: Rows | None = None
    is_shared: bool = False
    sensitivity: Sensitivity = Sensitivity.PERSONAL
    readers: str = ""
    """Who reads it, in words for the one who writes it."""
    source: str = ""

    def question(self, name: str) -> Question:
        """The question of this name."""
        return next(one for one in self.questions if one.name == name)


def _yes_no(name: str, label: str, missing: str, hint: str = "", fact: str = "") -> Question:
    return Question(name, label, Ask.YES_NO, hint=hint, missing=missing, fact=fact)


def _if_yes(name: str, of: str, label: str, missing: str, hint: str = "") -> Question:
    return Question(name, label, Ask.WORDS, hint=hint, missing=missing, if_yes=of)


_SCH3 = "Fostering Services (England) Regulations 2011, Sch 3 Part 1"

RELATIONSHIPS = (
    ("married", "Married or in a civil partnership"),
    ("together", "Living with a partner"),
    ("apart", "With a partner who lives elsewhere"),
    ("separated", "Separated or divorced"),
    ("widowed", "Widowed"),
    ("single", "Single"),
)
OWNING = (
    ("own", "We own it, with or without a mortgage"),
    ("private", "We rent it from a private landlord"),
    ("social", "We rent it from a council or a housing association"),
    ("other", "Something else"),
)
MEMBER_KINDS = (
    ("household_adult", "Adult at home, 18 or over"),
    ("child", "Child at home"),
    ("child_elsewhere", "Child of ours who lives elsewhere"),
)
KNOWN_AS = (
    ("friend", "A friend"),
    ("neighbour", "A neighbour"),
    ("colleague", "Somebody from work"),
    ("community", "Somebody from school, a club or a place of worship"),
    ("family", "Somebody of the family"),
)

PARTS: tuple[Part, ...] = (
    Part(
        "about",
        "About you",
        "Names, date of birth, relationship",
        (
            Question("born_on", "Your date of birth", Ask.DAY, missing="Give your date of birth"),
            Question(
                "other_names",
                "Other names you have had",
                Ask.LINE,
                hint="Before marriage, or any other. "
                "The police check needs all of them. Leave it empty if there are none.",
                longest=300,
            ),
            Question(
                "relationship", "Your relationship", Ask.CHOICE, choices=RELATIONSHIPS, missing="Choose what fits best"
            ),
            Question("since", "Since when", Ask.LINE, hint="Such as: 2009, or May 2018", longest=60),
            Question(
                "languages",
                "Languages you speak at home",
                Ask.LINE,
                fact="languages",
                longest=200,
                missing="Write the languages you speak at home",
            ),
            Question("faith", "Faith, if you have one, and what it means in your week", Ask.WORDS),
            Question("culture", "Your background and culture, in your words", Ask.WORDS),
        ),
        source=f"{_SCH3}, paras 1 and 10",
    ),
    Part(
        "lived",
        "Where you have lived",
        "Every home in the last 10 years",
        (
            _yes_no(
                "abroad",
                "Have you lived outside the UK in the last 10 years?",
                "Say whether you have lived outside the UK",
                "For three months or more at a time.",
            ),
            _if_yes("abroad_where", "abroad", "Where, and from when to when", "Write where and when you lived there"),
        ),
        Rows(
            "homes",
            "Your homes, the one you live in now first",
            "home",
            (
                Question("address", "Address, with postcode", Ask.LINE, missing="Write the address", longest=300),
                Question(
                    "from",
                    "From",
                    Ask.LINE,
                    hint="Month and year, like May 2019",
                    missing="Write from when",
                    longest=40,
                ),
                Question("to", "To", Ask.LINE, hint="Month and year, or “now”", missing="Write until when", longest=40),
            ),
            least=1,
            too_few="Write at least the home you live in now",
        ),
        source="Common practice: checks with councils and abroad go by where somebody lived",
    ),
    Part(
        "work",
        "Work and money",
        "What you do, and how the household manages",
        (
            Question(
                "work_now",
                "What you do now",
                Ask.WORDS,
                hint="Work, study, caring, retired. Which days and hours, and how flexible they are.",
                missing="Write what you do now",
                fact="work",
            ),
            _yes_no(
                "with_children",
                "Do you work or volunteer with children, or have you?",
                "Say whether you work or volunteer with children",
            ),
            _if_yes(
                "with_children_where",
                "with_children",
                "Where, and since when",
                "Write where you work or volunteer with children",
            ),
            _yes_no(
                "manages",
                "Does your household manage on its money now, without a fostering allowance?",
                "Say whether your household manages on its money",
            ),
            Question("money", "Anything we should know about money: debts, benefits, a change to come", Ask.WORDS),
        ),
        source="Regs 2011, Sch 3 Part 2; employers are asked by common practice",
    ),
    Part(
        "family",
        "Family and past partners",
        "Children of yours, and people you brought up children with",
        (
            _yes_no(
                "former_partner",
                "Have you brought up children with a partner you no longer live with?",
                "Say whether you have brought up children with a former partner",
                "We may ask to talk with them. We speak with you first about whether it is safe.",
            ),
            _if_yes(
                "former_partner_who",
                "former_partner",
                "Who, when, and whether we may talk with them",
                "Write who it was, and whether we may talk with them",
            ),
            _yes_no(
                "grown",
                "Do you have children who live elsewhere, grown-up ones too?",
                "Say whether you have children who live elsewhere",
                fact="children_elsewhere",
            ),
            Question(
                "support",
                "Who helps you when things are hard",
                Ask.WORDS,
                hint="Family, friends, neighbours: who, and how near they live.",
                missing="Write who helps you when things are hard",
            ),
        ),
        source=f"{_SCH3}, paras 4 and 10",
    ),
    Part(
        "fostering",
        "Fostering and adoption before",
        "Whether you have asked, fostered or adopted before",
        (
            _yes_no(
                "asked_before",
                "Have you ever asked to foster, adopt, child-mind or privately foster?",
                "Say whether you have asked before",
                "Whatever came of it.",
                fact="fostered_before",
            ),
            _if_yes(
                "asked_before_who",
                "asked_before",
                "Whom, when, and what came of it",
                "Write whom you asked, when, and what came of it",
            ),
            _yes_no(
                "approved_within_year",
                "Has another service approved you as a foster carer, now or in the last 12 months?",
                "Say whether another service approves you",
                fact="current_approval",
            ),
            _if_yes("approved_by", "approved_within_year", "Which service", "Name the service"),
        ),
        source=f"{_SCH3}, paras 6 and 7; reg 26(1A)",
    ),
    Part(
        "health",
        "Your health, in your words",
        "Before the medical with your GP",
        (
            Question(
                "surgery",
                "Your GP surgery",
                Ask.LINE,
                missing="Name your GP surgery",
                longest=200,
                hint="Its name and where it is.",
            ),
            Question(
                "health",
                "Your health now and before, body and mind",
                Ask.WORDS,
                fact="health",
                hint="Illnesses, operations, medicines, times that were hard. Having had some does not rule you out.",
                missing="Write a few words about your health. “All well” is fine",
            ),
            _yes_no("smokes", "Do you smoke or vape?", "Say whether you smoke or vape", fact="smoking"),
        ),
        sensitivity=Sensitivity.HEALTH,
        readers="your social worker, our medical adviser, the panel and whoever decides",
        source=f"{_SCH3}, para 2",
    ),
    Part(
        "record",
        "Police and court record",
        "Anything a check may show, so that it is no surprise",
        (
            _yes_no(
                "record",
                "Have you ever been cautioned, convicted or bound over, or are you waiting for a court?",
                "Say whether there is anything on your record",
                "Old and small things too, also as a teenager. Most do not stop anybody from fostering.",
                fact="offences",
            ),
            _if_yes(
                "record_what",
                "record",
                "What happened, when, and what has changed since",
                "Write what happened, in your words",
            ),
            _yes_no(
                "children_courts",
                "Has a child of yours ever been in care, or has a court or council been involved with your family?",
                "Say whether a court or council has been involved with your family",
            ),
            _if_yes(
                "children_courts_what",
                "children_courts",
                "What happened, and how things are now",
                "Write what happened, in your words",
            ),
        ),
        sensitivity=Sensitivity.OFFENCE,
        readers="your social worker, their manager, the panel and whoever decides",
        source=f"{_SCH3}, para 9; reg 26(5) to (8)",
    ),
    Part(
        "referees",
        "People who can speak for you",
        "Two who know you well and are not family",
        (),
        Rows(
            "referees",
            "Your referees",
            "referee",
            (
                Question("name", "Full name", Ask.LINE, missing="Write their name", longest=200),
                Question(
                    "known_as",
                    "Who they are to you",
                    Ask.CHOICE,
                    choices=KNOWN_AS,
                    missing="Choose who they are to you",
                ),
                Question(
                    "since", "Known since", Ask.LINE, hint="The year is enough", missing="Write since when", longest=40
                ),
                Question("reach", "Their mobile or email", Ask.LINE, missing="Write how we reach them", longest=254),
                Question("address", "Their address", Ask.LINE, missing="Write their address", longest=300),
            ),
            least=2,
            too_few="We need two people who are not family. Add another",
            most=6,
        ),
        source=f"{_SCH3}, para 8",
    ),
    Part(
        "home",
        "Your home and pets",
        "Who owns it, the rooms, the animals",
        (
            Question("owning", "Your home", Ask.CHOICE, choices=OWNING, missing="Choose what fits your home"),
            Question(
                "landlord",
                "Your landlord, if you have one",
                Ask.LINE,
                hint="We ask whether they agree to fostering. Ask us first if you would rather tell them yourselves.",
                longest=200,
            ),
            Question("bedrooms", "Bedrooms in your home", Ask.NUMBER, missing="Write how many bedrooms there are"),
            Question(
                "room",
                "Which room a child would have",
                Ask.WORDS,
                fact="spare_room",
                missing="Write which room a child would have",
            ),
            _yes_no("has_pets", "Do you have pets?", "Say whether you have pets", fact="pets"),
            _if_yes(
                "pets_which", "has_pets", "Which, how old, and how they are with children", "Write which pets you have"
            ),
            Question(
                "council",
                "The council where you live",
                Ask.LINE,
                hint="The one you pay council tax to.",
                missing="Name the council where you live",
                longest=120,
            ),
        ),
        is_shared=True,
        source=f"{_SCH3}, para 5; reg 26(1A)(d)",
    ),
    Part(
        "people",
        "Who lives with you",
        "Everybody at home, and your children elsewhere",
        (
            _yes_no(
                "nobody_else",
                "Is everybody on this list?",
                "Go through the list, then say that it is whole",
                "Everybody who lives with you, and each child of yours who lives elsewhere. You two need not be on it.",
            ),
        ),
        Rows(
            "members",
            "The other people",
            "person",
            (
                Question("given", "First name", Ask.LINE, missing="Write their first name", longest=120),
                Question("family", "Last name", Ask.LINE, longest=120),
                Question("kind", "Who they are", Ask.CHOICE, choices=MEMBER_KINDS, missing="Choose who they are"),
                Question("born_on", "Date of birth", Ask.DAY, missing="Give their date of birth"),
            ),
        ),
        is_shared=True,
        source=f"{_SCH3}, paras 3 and 4",
    ),
)

PARTS_BY_NAME: Mapping[str, Part] = MappingProxyType({part.name: part for part in PARTS})

SIGN = "sign"
"""The last step of each applicant: what they declare and agree to."""


def is_answered(answer: object) -> bool:
    """Whether there is an answer: an empty line is none, and No is one."""
    return answer not in (None, "", [])


def missing_of(part: Part, answers: Mapping[str, object]) -> dict[str, str]:
    """What is still to be answered in a part, question by question, as it is said to whoever fills it in."""
    missing: dict[str, str] = {}
    for question in part.questions:
        is_needed = bool(question.missing) and (not question.if_yes or answers.get(question.if_yes) == "yes")
        if is_needed and not is_answered(answers.get(question.name)):
            missing[question.name] = question.missing
    return missing


def family_counts_not(rows: list[dict[str, str]]) -> int:
    """How many of the referees named are not of the family: two are wanted (common practice of services)."""
    return sum(1 for row in rows if row.get("known_as") != "family")


def day_of(answer: object) -> date | None:
    """A day as it is kept among the answers (2026-07-14); None for anything else."""
    try:
        return date.fromisoformat(str(answer)) if answer else None
    except ValueError:
        return None

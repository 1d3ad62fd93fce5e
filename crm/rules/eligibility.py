"""Whether fostering may be for somebody: criteria as data, findings in words, and a person decides.

Only two answers are a hard stop in law: an applicant under 18, and a specified offence by an adult of the household
(Fostering Services (England) Regulations 2011, reg 26). Almost everything else is a talk, or a matter of time; and much
that people fear rules them out never does, so the advice says that too. "Not yet" and "I don't know" are answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from crm.rules.deadlines import add_months


class Outcome(StrEnum):
    """What the answers amount to, mildest first."""

    ELIGIBLE = "eligible"
    CONVERSATION = "conversation"
    NOT_NOW = "not_now"
    NOT_ELIGIBLE = "not_eligible"


OUTCOME_WORDS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.ELIGIBLE: "Eligible",
        Outcome.CONVERSATION: "Needs a conversation",
        Outcome.NOT_NOW: "Not now",
        Outcome.NOT_ELIGIBLE: "Not eligible",
    }
)

_SEVERITY: Mapping[Outcome, int] = MappingProxyType({outcome: rank for rank, outcome in enumerate(Outcome)})


class Route(StrEnum):
    """A way of its own that an answer leads to, whatever the answers amount to."""

    ORDINARY = ""
    TRANSFER = "transfer"


ROUTE_WORDS: Mapping[Route, str] = MappingProxyType({Route.ORDINARY: "The usual way", Route.TRANSFER: "Transfer"})


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to a criterion's question, and what it means.

    `reason` is said to the household; `what_would_change` says what would make the answer another one. `months`: when
    it is only a matter of time, how many months until we are in touch again.
    """

    value: str
    label: str
    outcome: Outcome = Outcome.ELIGIBLE
    reason: str = ""
    what_would_change: str = ""
    months: int | None = None
    route: Route = Route.ORDINARY


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that is asked, in one edition.

    `question` and `hint` are the public words, `staff_words` what staff read. An age criterion has no options: it
    reads dates of birth, with a hard minimum in law and a usual minimum of the service's own.
    """

    name: str
    question: str
    staff_words: str
    source: str
    certainty: str
    hint: str = ""
    options: tuple[Option, ...] = ()
    hard_minimum_age: int | None = None
    usual_minimum_age: int | None = None
    below_usual: Outcome = Outcome.NOT_NOW
    in_force_from: date = date(2011, 4, 1)
    in_force_until: date | None = None  # the first day on which it no longer counts
    is_own: bool = False  # the service's own question, beside those the product came with

    @property
    def is_law(self) -> bool:
        """Whether the law makes it a question for everybody."""
        return self.is_about_age or any(one.outcome is Outcome.NOT_ELIGIBLE for one in self.options)

    @property
    def is_about_age(self) -> bool:
        """Whether it reads dates of birth."""
        return self.hard_minimum_age is not None

    def option(self, value: str) -> Option | None:
        """The option of this value."""
        return next((one for one in self.options if one.value == value), None)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one criterion made of an answer."""

    criterion: str
    outcome: Outcome
    reason: str
    what_would_change: str = ""
    come_back_on: date | None = None
    source: str = ""
    route: Route = Route.ORDINARY


@dataclass(frozen=True, slots=True)
class EligibilityAdvice:
    """What the answers amount to. Advice: a person decides."""

    outcome: Outcome
    findings: tuple[Finding, ...] = field(default=())
    come_back_on: date | None = None

    @property
    def words(self) -> str:
        """The outcome in words."""
        return OUTCOME_WORDS[self.outcome]

    @property
    def routes(self) -> tuple[Route, ...]:
        """The ways of their own that the answers lead to."""
        return tuple(sorted({one.route for one in self.findings if one.route is not Route.ORDINARY}))

    @property
    def to_talk_about(self) -> tuple[Finding, ...]:
        """The findings that are not simply fine, gravest first."""
        return tuple(
            sorted(
                (one for one in self.findings if one.outcome is not Outcome.ELIGIBLE),
                key=lambda one: -_SEVERITY[one.outcome],
            )
        )


_GOVUK = "GOV.UK, becoming a foster parent: who can foster"
_REG26 = "Fostering Services (England) Regulations 2011, reg 26"
_E, _C, _N, _X = Outcome.ELIGIBLE, Outcome.CONVERSATION, Outcome.NOT_NOW, Outcome.NOT_ELIGIBLE
_NOT_SURE = Option("dont_know", "I don't know", _C, "We can work this out together.", "A talk with us.")

CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        name="age",
        question="When were you born?",
        hint="You can foster from 18 by law. Most services ask that you are 21.",
        staff_words="Age: 18 by law, the service's own minimum after that",
        source=f"{_GOVUK}; 21 is service policy, not law",
        certainty="L",
        hard_minimum_age=18,
        usual_minimum_age=21,
    ),
    Criterion(
        name="right_to_live",
        question="Do you have the right to live and work in the UK?",
        hint="We ask because foster carers need it before they can be approved.",
        staff_words="Right to live and work in the UK",
        source=_GOVUK,
        certainty="L",
        options=(
            Option("yes", "Yes"),
            Option(
                "waiting",
                "I'm waiting for a decision",
                _N,
                "Carers need the right to live and work in the UK before they can be approved.",
                "The decision on your right to stay.",
                months=6,
            ),
            Option(
                "no",
                "No",
                _N,
                "Carers need the right to live and work in the UK before they can be approved.",
                "Getting the right to live and work here.",
                months=12,
            ),
            _NOT_SURE,
        ),
    ),
    Criterion(
        name="spare_room",
        question="Do you have a spare bedroom for a child?",
        hint="A child over 3 needs a room of their own. It doesn't have to be ready yet.",
        staff_words="A bedroom for a child (own room over 3, or agreed sharing)",
        source="National Minimum Standards for Fostering 2011, standard 10",
        certainty="NMS*",
        options=(
            Option("yes", "Yes"),
            Option(
                "not_yet",
                "Not yet",
                _N,
                "A child over 3 needs a room of their own.",
                "A free bedroom: tell us when you expect one.",
                months=6,
            ),
            Option(
                "no",
                "No",
                _N,
                "A child over 3 needs a room of their own.",
                "A free bedroom, for example after a move or when a grown-up child leaves home.",
                months=12,
            ),
            _NOT_SURE,
        ),
    ),
    Criterion(
        name="specified_offence",
        question="Has any adult in your home been convicted of, or cautioned for, an offence against a child?",
        hint="We ask everybody. Checks are made later with the Disclosure and Barring Service.",
        staff_words="Specified offence, by an applicant or an adult at home, committed at 18 or over",
        source=f"{_REG26}(5) to (8)",
        certainty="L*",
        options=(
            Option("no", "No"),
            Option(
                "yes",
                "Yes",
                _X,
                "The law doesn't let us approve a home where an adult has an offence of this kind.",
                "Very little: but talk to us if you think the offence is not one of those.",
            ),
            Option(
                "rather_talk",
                "I'd rather talk about it",
                _C,
                "We can talk about this in private.",
                "A talk with us.",
            ),
            _NOT_SURE,
        ),
    ),
    Criterion(
        name="other_convictions",
        question="Does anyone at home have any other convictions or cautions?",
        hint="This often makes no difference. Being open about it matters most.",
        staff_words="Other convictions or cautions: a judgement of kind, age and pattern",
        source="Common practice",
        certainty="CP",
        options=(
            Option("no", "No"),
            Option(
                "yes",
                "Yes",
                _C,
                "Many carers have something in their past. We will ask what happened.",
                "A talk with us.",
            ),
            _NOT_SURE,
        ),
    ),
    Criterion(
        name="approved_elsewhere",
        question="Are you a foster carer with another service now?",
        staff_words="Approved by another service: a transfer",
        source="Fostering Services (England) Regulations 2011; transfer protocol 2014",
        certainty="L",
        options=(
            Option("no", "No"),
            Option(
                "yes",
                "Yes",
                _C,
                "You can move to us. You can be approved by one service at a time, so we plan the dates with you.",
                "Telling your service in writing before we start.",
                route=Route.TRANSFER,
            ),
        ),
    ),
    Criterion(
        name="smoking",
        question="Does anyone at home smoke or vape?",
        staff_words="Smoking or vaping at home: usually no under-5s",
        source="Common practice",
        certainty="CP",
        options=(
            Option("no", "No"),
            Option(
                "outside",
                "Only outside",
                _C,
                "You can foster. We would usually not place a child under 5 with you.",
                "Nobody smoking or vaping at home.",
            ),
            Option(
                "yes",
                "Yes",
                _C,
                "You can foster. We would usually not place a child under 5 with you.",
                "Nobody smoking or vaping at home.",
            ),
        ),
    ),
    Criterion(
        name="pets",
        question="Do you have any pets?",
        staff_words="Pets: risk assessment; banned breeds",
        source="Common practice",
        certainty="CP",
        options=(
            Option("no", "No"),
            Option("yes", "Yes", _E, "Pets are welcome. We will meet them when we visit."),
            Option(
                "banned_breed",
                "Yes, and one may be a banned breed",
                _C,
                "We need to talk about that dog.",
                "A talk with us.",
            ),
        ),
    ),
    Criterion(
        name="driving",
        question="Can you drive?",
        staff_words="Driving",
        source="Common practice",
        certainty="CP",
        options=(
            Option("yes", "Yes"),
            Option(
                "no",
                "No",
                _C,
                "You can foster without driving. We will talk about school runs and visits.",
                "Good public transport, or someone in the family who drives.",
            ),
        ),
    ),
    Criterion(
        name="life_changes",
        question="Is any of this happening in your life now?",
        hint="Fostering asks a lot. After a big change, a little time is often best for everybody.",
        staff_words="Big changes: not now, with a date",
        source="Common practice",
        certainty="CP",
        options=(
            Option("none", "None of these"),
            *(
                Option(
                    value,
                    label,
                    _N,
                    "After a big change, a little time is often best for you and for a child.",
                    "Some time. We will be in touch when it has passed.",
                    months=months,
                )
                for value, label, months in (
                    ("new_baby", "Expecting a baby, or a new baby", 12),
                    ("bereavement", "Somebody close has died", 6),
                    ("separation", "A separation", 6),
                    ("new_relationship", "A new relationship", 6),
                    ("illness", "Serious illness", 6),
                )
            ),
        ),
    ),
    Criterion(
        name="area",
        question="Do you live in our area?",
        staff_words="In the service's area; outside it, the home council must be consulted",
        source=f"{_REG26}(1A)(d)",
        certainty="L",
        options=(
            Option("yes", "Yes"),
            Option(
                "no",
                "No",
                _C,
                "We may still be able to work with you, or we can tell you who is nearer.",
                "A talk about distance and support.",
            ),
            _NOT_SURE,
        ),
    ),
    Criterion(
        name="home",
        question="Do you own or rent your home?",
        staff_words="Tenure: never a bar; landlord's consent where rented",
        source="Common practice",
        certainty="CP",
        options=(
            Option("own", "Own"),
            Option("rent_council", "Rent from the council or a housing association", _E, "Renting is fine."),
            Option(
                "rent_private",
                "Rent from a private landlord",
                _E,
                "Renting is fine. We ask for your landlord's consent.",
            ),
            Option("other", "Something else", _E, "That is fine. Tell us more when we speak."),
        ),
    ),
    Criterion(
        name="work",
        question="Do you work?",
        staff_words="Work: never a bar",
        source="Common practice",
        certainty="CP",
        options=(
            Option("full_time", "Full time", _E, "You can work and foster. We will talk about who is at home when."),
            Option("part_time", "Part time", _E, "You can work and foster."),
            Option("no", "No", _E, "That is fine. Carers get an allowance for each child and a fee."),
        ),
    ),
)


def criteria_in_force(criteria: Iterable[Criterion], on: date) -> tuple[Criterion, ...]:
    """Of each criterion's editions, the latest in force on a day, in the order they were first given."""
    chosen: dict[str, Criterion] = {}
    for criterion in criteria:
        if criterion.in_force_from > on:
            continue
        present = chosen.get(criterion.name)
        if present is None or criterion.in_force_from >= present.in_force_from:
            chosen[criterion.name] = criterion
    return tuple(one for one in chosen.values() if one.in_force_until is None or on < one.in_force_until)


Answer = str | date | tuple[date, ...] | None


def assess(answers: Mapping[str, Answer], criteria: Iterable[Criterion], on: date) -> EligibilityAdvice:
    """What a household's answers amount to on a day.

    `answers`: a criterion's name to the value of the option chosen. For an age criterion: one date of birth, or one for
    each applicant. A question that was not answered becomes a matter for the talk, never a no; a value that is not
    among the options is a ValueError, since the form offers only those.
    """
    findings = [
        _age_finding(criterion, answers.get(criterion.name), on)
        if criterion.is_about_age
        else _option_finding(criterion, answers.get(criterion.name), on)
        for criterion in criteria_in_force(criteria, on)
    ]
    outcome = max((one.outcome for one in findings), key=lambda one: _SEVERITY[one], default=Outcome.ELIGIBLE)
    dates = [one.come_back_on for one in findings if one.come_back_on is not None and one.outcome is outcome]
    return EligibilityAdvice(outcome, tuple(findings), max(dates) if dates else None)


def age_on(born_on: date, on: date) -> int:
    """Whole years of age. Born on 29 February, one is a year older on 1 March of a year without that day."""
    return on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))


def birthday(born_on: date, age: int) -> date:
    """The day somebody reaches an age."""
    try:
        return born_on.replace(year=born_on.year + age)
    except ValueError:
        return date(born_on.year + age, 3, 1)


def _option_finding(criterion: Criterion, answer: Answer, on: date) -> Finding:
    if answer is None or answer == "":
        return Finding(
            criterion.name,
            Outcome.CONVERSATION,
            "This has not been answered yet.",
            "A talk with us.",
            source=criterion.source,
        )
    option = criterion.option(answer) if isinstance(answer, str) else None
    if option is None:
        raise ValueError(f"{answer!r} is not an answer to {criterion.name}")
    return Finding(
        criterion.name,
        option.outcome,
        option.reason,
        option.what_would_change,
        add_months(on, option.months) if option.months is not None else None,
        criterion.source,
        option.route,
    )


def _age_finding(criterion: Criterion, answer: Answer, on: date) -> Finding:
    born = (answer,) if isinstance(answer, date) else answer
    if not born:
        return Finding(
            criterion.name,
            Outcome.CONVERSATION,
            "We don't know your age yet.",
            "A talk with us.",
            source=criterion.source,
        )
    if isinstance(born, str):
        raise ValueError("an age is worked out from a date of birth")
    youngest = max(born)
    age = age_on(youngest, on)
    hard = criterion.hard_minimum_age or 18
    usual = max(criterion.usual_minimum_age or hard, hard)
    if age < hard:
        return Finding(
            criterion.name,
            Outcome.NOT_ELIGIBLE,
            f"You must be at least {hard} to foster.",
            f"Turning {usual}. There are other ways to help until then.",
            birthday(youngest, usual),
            criterion.source,
        )
    if age < usual:
        return Finding(
            criterion.name,
            criterion.below_usual,
            f"We ask carers to be at least {usual}. That is our own rule, not the law.",
            f"Turning {usual}.",
            birthday(youngest, usual),
            criterion.source,
        )
    return Finding(criterion.name, Outcome.ELIGIBLE, "", source=criterion.source)

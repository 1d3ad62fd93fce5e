"""What a referee is asked, one topic a page: the words of the pages, and what of it has to be answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from crm.assessments.referee_models import RELATION_WORDS, Referee

LONGEST_WORDS = 4000
Answers = dict[str, str]


@dataclass(frozen=True)
class Question:
    """One question. ``{name}`` in its words is the applicant's first name. Without ``choices`` it is asked in words.

    ``needed``: has to be answered. ``needed_if``: has to be once another question was answered so.
    """

    key: str
    words: str
    needed: str = ""
    """What is said where an answer is missing; empty where none is needed."""
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    needed_if: tuple[str, str] | None = None
    is_year: bool = False


@dataclass(frozen=True)
class Topic:
    """One page of the form."""

    key: str
    title: str
    lead: str
    questions: tuple[Question, ...]
    short: str


TOPICS: tuple[Topic, ...] = (
    Topic(
        "knowing",
        "How do you know {name}?",
        "",
        (
            Question(
                "relation",
                "How you know {name}",
                "Choose how you know {name}",
                choices=tuple((str(value), words) for value, words in RELATION_WORDS.items()),
            ),
            Question(
                "known_since",
                "Since about which year?",
                "Write the year in which you first met {name}, or your best guess",
                "A guess is fine, like 2012.",
                is_year=True,
            ),
            Question(
                "sees",
                "How often are you in touch these days?",
                "Choose how often you are in touch",
                choices=(
                    ("weekly", "Every week"),
                    ("monthly", "Every month or so"),
                    ("yearly", "A few times a year"),
                    ("rarely", "Less often"),
                ),
            ),
        ),
        "How you know each other",
    ),
    Topic(
        "person",
        "What is {name} like?",
        "Think of how you would describe {name} to somebody who has never met them.",
        (
            Question(
                "person", "In your own words", "Write a few words about what {name} is like", "Good sides and weak."
            ),
            Question(
                "relies",
                "Would you rely on {name} when it matters?",
                "Choose whether you would rely on {name}",
                choices=(
                    ("always", "Yes, always"),
                    ("mostly", "Yes, mostly"),
                    ("unsure", "I am not sure"),
                    ("no", "No"),
                ),
            ),
        ),
        "As a person",
    ),
    Topic(
        "children",
        "What is {name} like with children?",
        "",
        (
            Question(
                "seen",
                "Have you seen {name} with children?",
                "Choose how often you have seen {name} with children",
                choices=(
                    ("often", "Often"),
                    ("sometimes", "Sometimes"),
                    ("seldom", "Once or twice"),
                    ("never", "Never"),
                ),
            ),
            Question(
                "children",
                "Tell us about a time that you remember",
                hint="Whose children were they, and what did {name} do? If you have seen none, leave it empty.",
            ),
            Question(
                "leave",
                "Would you leave a child of your own with {name} for a weekend?",
                "Choose whether you would leave a child with {name}",
                choices=(
                    ("yes", "Yes, gladly"),
                    ("thought", "Yes, but I would think about it first"),
                    ("no", "No"),
                    ("unsure", "I do not know"),
                ),
            ),
        ),
        "With children",
    ),
    Topic(
        "home",
        "What is life like at home?",
        "A child would be part of it. How do people there speak with each other, and show that they care?",
        (
            Question(
                "home_known",
                "How well do you know {name} at home?",
                "Choose how well you know {name} at home",
                choices=(("well", "Well"), ("little", "A little"), ("no", "Hardly at all")),
            ),
            Question(
                "home",
                "What you have seen of it",
                hint="Partners, children, others who live there, visitors. If you have seen nothing, leave it empty.",
            ),
        ),
        "At home",
    ),
    Topic(
        "hard",
        "What does {name} do when things are hard?",
        "Stress, an argument, a bad week, or a child who will not listen.",
        (
            Question(
                "limits",
                "When somebody pushes their limits, {name}…",
                "Choose what {name} does, or that you have not seen it",
                choices=(
                    ("calm", "stays calm"),
                    ("mostly", "mostly stays calm"),
                    ("temper", "can lose their temper"),
                    ("unseen", "I have not seen it"),
                ),
            ),
            Question(
                "hard",
                "Tell us about a hard time, and how {name} came through it",
                "Write a few words about a hard time, or that you know of none",
            ),
        ),
        "When things are hard",
    ),
    Topic(
        "support",
        "Who is there for {name}?",
        "Fostering is easier with people around you.",
        (
            Question(
                "support_there",
                "If they foster, will others help?",
                "Choose whether others will help",
                choices=(
                    ("many", "Yes, many people"),
                    ("some", "Yes, one or two"),
                    ("few", "Hardly anybody"),
                    ("unsure", "I do not know"),
                ),
            ),
            Question("support", "Who, and how", hint="Family, friends, neighbours. You too, perhaps."),
        ),
        "Support around them",
    ),
    Topic(
        "worry",
        "Does anything worry you about a child living with {name}?",
        "Small things count as well. It helps us to know, and to help. It does not have to mean no.",
        (
            Question(
                "worry",
                "Anything at all?",
                "Choose yes or no",
                choices=(("no", "No, nothing worries me"), ("yes", "Yes, something does")),
            ),
            Question(
                "worry_words",
                "What worries you",
                "Write what worries you, or that you would rather say it on the phone",
                "If you would rather say it than write it, tell us so here, and we ring.",
                needed_if=("worry", "yes"),
            ),
        ),
        "Worries",
    ),
    Topic(
        "more",
        "Is there anything else?",
        "Something we did not ask, or that you would like to say to us alone.",
        (Question("more", "Anything else"),),
        "Anything else",
    ),
    Topic(
        "sharing",
        "May {name} read what you wrote?",
        "It is yours to choose, and either answer is fine. If you say no, we keep it between us.",
        (
            Question(
                "share",
                "May {name} read it?",
                "Choose whether {name} may read it",
                choices=(("no", "No, keep it between us"), ("yes", "Yes, you may show it to {name}")),
            ),
        ),
        "Who may read it",
    ),
)
BY_KEY: Mapping[str, Topic] = {topic.key: topic for topic in TOPICS}
QUESTIONS: tuple[Question, ...] = tuple(question for topic in TOPICS for question in topic.questions)


def is_answer_missing(question: Question, answers: Mapping[str, str]) -> bool:
    """Whether this question has to be answered and is not."""
    if answers.get(question.key):
        return False
    if question.needed_if is not None:
        other, value = question.needed_if
        return answers.get(other) == value
    return bool(question.needed)


def topics_missing(answers: Mapping[str, str]) -> list[Topic]:
    """The pages on which something has still to be answered."""
    return [topic for topic in TOPICS if any(is_answer_missing(one, answers) for one in topic.questions)]


def kept(text: str | None) -> Answers:
    """Answers as they are kept."""
    return dict(json.loads(text)) if text else {}


def to_keep(answers: Mapping[str, str]) -> str:
    return json.dumps(dict(answers), ensure_ascii=False, sort_keys=True)


def said(question: Question, answers: Mapping[str, str], name: str) -> str:
    """An answer in words; empty where there is none."""
    value = answers.get(question.key, "")
    return dict(question.choices).get(value, value).replace("{name}", name) if question.choices else value


@dataclass(frozen=True)
class Said:
    """One topic of a reference as it is read: question and answer."""

    topic: Topic
    title: str
    rows: tuple[tuple[str, str], ...]
    is_missing: bool = False


def read_reference(answers: Mapping[str, str], name: str, *, but: tuple[str, ...] = ()) -> list[Said]:
    """The answers topic by topic, in the order of the form. What was left empty says so."""
    missing = {topic.key for topic in topics_missing(answers)}
    return [
        Said(
            topic,
            topic.short,
            tuple(
                (question.words.replace("{name}", name), said(question, answers, name))
                for question in topic.questions
                if question.needed_if is None
                or answers.get(question.key)  # whatever somebody wrote is read, whichever button they chose
                or answers.get(question.needed_if[0]) == question.needed_if[1]
            ),
            topic.key in missing,
        )
        for topic in TOPICS
        if topic.key not in but
    ]


def written_by(referee: Referee) -> Answers:
    """What a referee sent; nothing where nothing was sent."""
    return kept(referee.answers)

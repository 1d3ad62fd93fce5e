"""What a visit report asks, part by part (domain.md section 6), in the order of a walk through a home."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Question:
    """One box to write in."""

    key: str
    label: str
    hint: str = ""


@dataclass(frozen=True)
class SafetyItem:
    """One thing to look at."""

    key: str
    label: str
    hint: str = ""


@dataclass(frozen=True)
class Part:
    """One page of the report: all of it fits one scroll on a phone."""

    number: int
    key: str
    title: str
    questions: tuple[Question, ...] = ()
    items: tuple[SafetyItem, ...] = ()


class SafetyState(StrEnum):
    """How an item was found. To do is not a fail."""

    OK = "ok"
    TO_DO = "to_do"
    NOT_SEEN = "not_seen"


SAFETY_WORDS = {SafetyState.OK: "OK", SafetyState.TO_DO: "To do", SafetyState.NOT_SEEN: "Not seen"}

PARTS: tuple[Part, ...] = (
    Part(
        1,
        "who",
        "Who was there",
        (
            Question("present", "Who was at home?", "Both of a couple should be there. Children are welcome."),
            Question("area", "How long have they lived in the area, and how do they like it?"),
        ),
    ),
    Part(
        2,
        "family",
        "Family and support",
        (
            Question("background", "Family background", "How they grew up, in their own words"),
            Question("support", "Who would help them?", "Family, friends, neighbours, faith or community"),
            Question("impact", "What would fostering change for the people at home?"),
        ),
    ),
    Part(
        3,
        "safety",
        "Safety at home",
        (),
        (
            SafetyItem("smoke_alarms", "Smoke alarms", "Press the button and hear it. Has the fire service been?"),
            SafetyItem("co_alarm", "Carbon monoxide alarm", "Near the boiler, any open fire. Press it and hear it."),
            SafetyItem("heating", "Heating, hot water and sockets", "Guarded, nothing overloaded, bath below 43 °C"),
            SafetyItem("medicines", "Medicines and cleaning things", "Locked, or out of a child’s reach"),
            SafetyItem("kitchen", "Knives, matches and alcohol", "Put away"),
            SafetyItem("windows", "Windows and glass", "Restrictors upstairs, safe glass, no long blind cords"),
            SafetyItem("stairs", "Stairs and floors", "A gate for a small child, a firm rail, nothing to trip over"),
            SafetyItem("water", "Pond, pool or deep water", "Fenced or covered"),
            SafetyItem("garden", "Garden and shed", "Fence whole, tools locked away, no poisonous plants"),
            SafetyItem("pets", "Pets", "How they are with strangers and children"),
            SafetyItem("firearms", "Firearms", "Licensed and locked, or none"),
            SafetyItem("car", "Car", "MOT, insurance, seat belts, child seats"),
        ),
    ),
    Part(
        4,
        "home",
        "Home and bedrooms",
        (
            Question("home", "The home", "Rooms, condition, owned or rented, and whether the landlord knows"),
            Question("bedroom", "The bedroom for a child", "Room for a bed, desk and wardrobe. It need not be ready."),
        ),
    ),
    Part(
        5,
        "why",
        "Why foster, and what they bring",
        (
            Question("motivation", "Why do they want to foster?"),
            Question("experience", "Experience with children"),
            Question("skills", "Skills and interests they would bring"),
            Question("understanding", "What do they understand about why children come into care?",
                     "And about how hurt may show in what a child does"),
        ),
    ),
    Part(
        6,
        "life",
        "Work, money and health",
        (
            Question("availability", "Work and time", "Who would be at home, and when"),
            Question("finance", "Money", "Whether it is steady enough without the allowance"),
            Question("health", "Health", "What they told us. The medical comes later."),
        ),
    ),
    Part(
        7,
        "concerns",
        "Anything that worries us",
        (
            Question("convictions", "Convictions or contact with social services", "What they told us, for each adult"),
            Question("concerns", "Anything else to look into"),
        ),
    ),
    Part(
        8,
        "recommendation",
        "What you recommend",
        (Question("assessment", "Your view", "Strengths first, then what is open"),),
    ),
)  # fmt: skip

PART = {part.number: part for part in PARTS}
QUESTIONS = {question.key: question for part in PARTS for question in part.questions}
ITEMS = {item.key: item for part in PARTS for item in part.items}
LAST_PART = len(PARTS)

"""Clocks that were missed: which a service answers for, by how much, and the reasons that can be counted.

The law knows no stop-clock: a delay that is nobody's fault is a reason, and the clock runs on (National Minimum
Standards 2011, standard 14).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from crm.rules.deadlines import DEADLINE_RULES, ClockKind, WhoseTurn


class BreachCode(StrEnum):
    """Why a clock was missed."""

    DBS_LATE = "dbs_late"
    MEDICAL_LATE = "medical_late"
    REFERENCE_LATE = "reference_late"
    COUNCIL_LATE = "council_late"
    APPLICANT_BREAK = "applicant_break"
    NEW_CIRCUMSTANCES = "new_circumstances"
    SERVICE_CAPACITY = "service_capacity"
    PANEL_UNAVAILABLE = "panel_unavailable"
    OTHER = "other"


BREACH_WORDS: Mapping[BreachCode, str] = MappingProxyType(
    {
        BreachCode.DBS_LATE: "DBS certificate late",
        BreachCode.MEDICAL_LATE: "Medical late",
        BreachCode.REFERENCE_LATE: "Reference late",
        BreachCode.COUNCIL_LATE: "Council late",
        BreachCode.APPLICANT_BREAK: "The applicants asked for a break, or for more time",
        BreachCode.NEW_CIRCUMSTANCES: "Something changed in the household",
        BreachCode.SERVICE_CAPACITY: "We had too few people",
        BreachCode.PANEL_UNAVAILABLE: "No panel, or no quorum",
        BreachCode.OTHER: "Another reason",
    }
)

_AFTER_APPROVAL = frozenset({"first_review"})
"""What the supervising service keeps, elsewhere: nothing here could say that it was done."""

STATUTORY_CLOCKS: tuple[str, ...] = tuple(
    dict.fromkeys(
        rule.name
        for rule in DEADLINE_RULES
        if rule.kind is not ClockKind.PROMISE
        and rule.whose_turn is WhoseTurn.SERVICE
        and rule.name not in _AFTER_APPROVAL
    )
)
"""Set by a regulation or a standard, and ours to keep: what a manager answers to Ofsted for."""

PROMISED_CLOCKS: tuple[str, ...] = tuple(
    dict.fromkeys(
        rule.name
        for rule in DEADLINE_RULES
        if rule.kind is ClockKind.PROMISE and rule.whose_turn is WhoseTurn.SERVICE and rule.name != "recontact"
    )
)
"""The service's own promises. A day agreed with a household is none."""

ANSWERED_FOR: tuple[str, ...] = (*STATUTORY_CLOCKS, *PROMISED_CLOCKS)


def is_missed(due_on: date, stopped_on: date | None, *, today: date) -> bool:
    """Whether a clock was stopped after its day, or runs past it."""
    return (stopped_on or today) > due_on


def days_over(due_on: date, stopped_on: date | None, *, today: date) -> int:
    """By how many days a clock was missed so far; 0 where it was kept."""
    return max(((stopped_on or today) - due_on).days, 0)


def return_year(day: date) -> tuple[date, date]:
    """The year of Ofsted's return that a day lies in: 1 April to 31 March."""
    first = day.year if day >= date(day.year, 4, 1) else day.year - 1
    return date(first, 4, 1), date(first + 1, 3, 31)

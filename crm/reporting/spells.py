"""The time a household spends in each place, from the day it got there to the day it went on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select

from crm.cases.models import Journey
from crm.db import db, our_word
from crm.reporting.populations import day_of
from crm.reporting.waits import Waits, waits_of
from crm.rules.progress import Milestone, Standing
from crm.rules.working_days import WorkingDays

RINGS = 6
"""How many of those who wait longest are drawn."""


@dataclass(frozen=True, slots=True)
class Spell:
    """One place, the column that says when a household got there, and that which says when it went on."""

    key: str
    label: str
    begins: Milestone
    ends: Milestone | None
    """None: the decision, whichever it was."""
    clock: str | None
    """The clock whose promise or limit is shown beside it."""

    @property
    def begin(self) -> Any:
        return day_of(self.begins)

    @property
    def end(self) -> Any:
        return Journey.decided_on if self.ends is None else day_of(self.ends)


SPELLS: Mapping[str, Spell] = MappingProxyType(
    {
        spell.key: spell
        for spell in (
            Spell("first_call", "First call", Milestone.ASKED, Milestone.SPOKEN, "first_contact"),
            Spell("to_visit", "To the visit", Milestone.SPOKEN, Milestone.VISITED, "initial_visit"),
            Spell("to_applying", "To applying", Milestone.VISITED, Milestone.APPLIED, None),
            Spell("stage_one", "Stage 1", Milestone.APPLIED, Milestone.PASSED, "stage_one_target"),
            Spell("to_panel", "Stage 2 to panel", Milestone.PASSED, Milestone.PANEL, "panel_recommendation"),
            Spell("decision", "Decision", Milestone.PANEL, None, "adm_decision"),
        )
    }
)
SPELL_BEFORE: Mapping[Milestone, Spell] = MappingProxyType(
    {
        **{spell.ends: spell for spell in SPELLS.values() if spell.ends is not None},
        Milestone.APPROVED: SPELLS["decision"],
    }
)
"""The spell at whose end each place is reached."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a spell took the households of a population, in working days."""

    waits: Waits
    waiting: int
    """How many are there now."""
    longest: tuple[int, ...]
    """The waits so far of those who wait longest, the longest first."""


def spent_in(spell: Spell, population: Sequence[ColumnElement[bool]], *, today: date, calendar: WorkingDays) -> Spent:
    """How long a population spent in a place: one statement, whose rows are pairs of days and not households.

    Whoever ended or rests counts up to that day; whoever is on the way, up to today.
    """
    gone_on = and_(spell.end.is_(None), Journey.standing != our_word(Standing.ON_THE_WAY))
    rows = db.session.execute(
        select(spell.begin, spell.end, case((gone_on, Journey.ended_on)), func.count())
        .where(spell.begin.is_not(None), *population)
        .group_by(spell.begin, spell.end, case((gone_on, Journey.ended_on)))
    )
    moved: dict[int, int] = {}
    unmoved: dict[int, int] = {}
    waiting: dict[int, int] = {}
    for began, ended, left, count in rows:
        until = ended or left or today
        days = max(calendar.between(began, until), 0)
        counts = moved if ended is not None else unmoved
        counts[days] = counts.get(days, 0) + count
        if ended is None and left is None:
            waiting[days] = waiting.get(days, 0) + count
    longest: list[int] = []
    for days in sorted(waiting, reverse=True):
        longest += [days] * min(waiting[days], RINGS - len(longest))
        if len(longest) == RINGS:
            break
    return Spent(waits_of(moved, unmoved), sum(waiting.values()), tuple(longest))


def is_waiting_in(spell: Spell) -> ColumnElement[bool]:
    """Households that are in the place now."""
    return and_(spell.begin.is_not(None), spell.end.is_(None), Journey.standing == our_word(Standing.ON_THE_WAY))

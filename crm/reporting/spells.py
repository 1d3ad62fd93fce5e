"""The time a household spends in each place, from the day it got there to the day it went on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from crm.cases.models import Journey
from crm.db import db, our_word
from crm.reporting.figures import NOTHING, Figure, text
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
    return spent_by(spell, literal(0), population, today=today, calendar=calendar).get(0, NOBODY)


def spent_by(
    spell: Spell,
    group: ColumnElement[Any] | InstrumentedAttribute[Any],
    population: Sequence[ColumnElement[bool]],
    *,
    today: date,
    calendar: WorkingDays,
) -> dict[Any, Spent]:
    """How long each group of a population spent in a place, as ``spent_in`` has it: one statement for all of them."""
    gone_on = case((and_(spell.end.is_(None), Journey.standing != our_word(Standing.ON_THE_WAY)), Journey.ended_on))
    by = select(group.label("part"), spell.begin.label("began"), spell.end.label("ended"), gone_on.label("gone")).where(
        spell.begin.is_not(None), *population
    )
    each = by.subquery()
    counts: dict[Any, _Counts] = defaultdict(_Counts)
    for part, began, ended, left, count in db.session.execute(
        select(each.c.part, each.c.began, each.c.ended, each.c.gone, func.count()).group_by(
            each.c.part, each.c.began, each.c.ended, each.c.gone
        )
    ):
        days = max(calendar.between(began, ended or left or today), 0)
        one = counts[part]
        lengths = one.moved if ended is not None else one.unmoved
        lengths[days] = lengths.get(days, 0) + count
        if ended is None and left is None:
            one.waiting[days] = one.waiting.get(days, 0) + count
    return {part: one.spent for part, one in counts.items()}


@dataclass(slots=True)
class _Counts:
    """How many spent how long: by length in working days."""

    moved: dict[int, int] = field(default_factory=dict)
    unmoved: dict[int, int] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)
    """Of those who have not moved on, whoever is there now."""

    @property
    def spent(self) -> Spent:
        longest: list[int] = []
        for days in sorted(self.waiting, reverse=True):
            longest += [days] * min(self.waiting[days], RINGS - len(longest))
            if len(longest) == RINGS:
                break
        return Spent(waits_of(self.moved, self.unmoved), sum(self.waiting.values()), tuple(longest))


NOBODY = Spent(waits_of({}, {}), 0, ())


def middle_of(waits: Waits) -> Figure:
    """The length by which half have moved on; that it is over the longest seen, where half have not."""
    if not waits.count:
        return NOTHING
    return Figure(waits.middle, f"{waits.middle:,}" if waits.middle is not None else f"over {waits.longest_seen:,}")


def half_of(waits: Waits) -> Figure:
    """The middle half in words: from a quarter to three quarters moved on."""
    if not waits.count:
        return NOTHING
    over = f"over {waits.longest_seen:,}"
    high = f"{waits.three_quarters:,}" if waits.three_quarters is not None else over
    return text(f"{waits.quarter:,} to {high}" if waits.quarter is not None else over)


def is_waiting_in(spell: Spell) -> ColumnElement[bool]:
    """Households that are in the place now."""
    return and_(spell.begin.is_not(None), spell.end.is_(None), Journey.standing == our_word(Standing.ON_THE_WAY))

"""The time a household spends in each place, from the day it got there to the day it went on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from crm.cases.journeys import WAIT_OF
from crm.cases.models import Journey
from crm.db import db, our_word
from crm.reporting.figures import Mode, Question
from crm.reporting.populations import between, day_of, got_as_far, with_area
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
    def took(self) -> Any:
        """The column that says how long it took whoever went on, in working days."""
        return Journey.decided_after if self.ends is None else getattr(Journey, WAIT_OF[self.ends])

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
    """How long a population spent in a place: two statements, whose rows are lengths and days, not households.

    Whoever ended or rests counts up to that day; whoever is on the way, up to today.
    """
    here = [spell.begin.is_not(None), *got_as_far(spell.begins), *population]
    moved: dict[int, int] = {}
    unmoved: dict[int, int] = {}
    has_moved, has_left = spell.end.is_not(None), Journey.standing != our_word(Standing.ON_THE_WAY)
    length = case((has_moved, spell.took), else_=Journey.left_after)
    settled = db.session.execute(
        select(length, has_moved, func.count()).where(*here, or_(has_moved, has_left)).group_by(length, has_moved)
    )
    for days, is_moved, count in settled:
        counts = moved if is_moved else unmoved
        counts[days or 0] = counts.get(days or 0, 0) + count
    waiting: dict[int, int] = {}
    still = db.session.execute(
        select(spell.begin, func.count()).where(*here, ~has_moved, ~has_left).group_by(spell.begin)
    )
    for began, count in still:
        days = max(calendar.between(max(began, calendar.first_day), today), 0)
        waiting[days] = waiting.get(days, 0) + count
        unmoved[days] = unmoved.get(days, 0) + count
    longest: list[int] = []
    for days in sorted(waiting, reverse=True):
        longest += [days] * min(waiting[days], RINGS - len(longest))
        if len(longest) == RINGS:
            break
    return Spent(waits_of(moved, unmoved), sum(waiting.values()), tuple(longest))


def is_waiting_in(spell: Spell) -> ColumnElement[bool]:
    """Households that are in the place now."""
    return and_(spell.begin.is_not(None), spell.end.is_(None), Journey.standing == our_word(Standing.ON_THE_WAY))


def who_came(spell: Spell, question: Question) -> list[ColumnElement[bool]]:
    """The households whose time in a place is counted: of a cohort, those who asked in the period; of activity, those
    who came to the place in it."""
    if question.mode is Mode.ACTIVITY:
        return with_area(question, between(spell.begin, question))
    asked: Any = Journey.asked_on
    if got_as_far(spell.begins):
        # Not by the index of everybody who asked: they are few, and in one of their own.
        asked = func.coalesce(asked, asked)
    return with_area(question, between(asked, question))

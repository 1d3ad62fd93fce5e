"""What other features need of visits to a household, by name, and what a visit that was made sets going elsewhere.

Features don't import each other: ``crm/app.py`` binds the functions. What a visit sets going runs in the transaction in
which it is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from crm.cases.models import Case
from crm.rules.permissions import Actor
from crm.rules.rulebook import Rulebook

NAMED = frozenset({"visits_known", "home_checks"})
"""What is asked of visits: every visit to a household; its last safety checklist."""
MOVED_ON = frozenset({"stage_two_session"})
"""Purposes of which somebody wants to hear that a visit was made."""
_BOUND: dict[str, Callable[..., Any]] = {}
_WHEN_HELD: dict[str, Callable[..., None]] = {}


@dataclass(frozen=True, kw_only=True)
class HeldVisit:
    """A visit that was made."""

    visit_id: int
    purpose: str
    held_on: date
    minutes: int
    officer_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class KnownVisit:
    """One visit to a household, as it is named elsewhere."""

    visit_id: int
    purpose: str
    title: str
    on: date
    is_held: bool
    is_booked: bool
    officer_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SafetyLine:
    """One item of the safety checklist: what was found, what is still to do and until when."""

    label: str
    state: str
    words: str
    todo: str = ""
    by: date | None = None


@dataclass(frozen=True, kw_only=True)
class HomeChecks:
    """The last safety checklist of a home. ``alarms``: each alarm, and whether the officer saw it tested that day."""

    visit_id: int
    seen_on: date
    seen_by_id: int
    lines: tuple[SafetyLine, ...]
    alarms: tuple[tuple[str, bool], ...]


def bind(functions: Mapping[str, Callable[..., Any]], when_held: Mapping[str, Callable[..., None]]) -> None:
    """Give each name and each purpose its function. Raises LookupError where one is missing or unknown."""
    for named, given in ((NAMED, functions), (MOVED_ON, when_held)):
        if given.keys() != named:
            raise LookupError(f"visits are asked exactly {sorted(named)}, and were given {sorted(given)}")
    _BOUND.clear()
    _BOUND.update(functions)
    _WHEN_HELD.clear()
    _WHEN_HELD.update(when_held)


def visits_known(case: Case) -> list[KnownVisit]:
    """Every visit to a household, the latest first."""
    found: list[KnownVisit] = _BOUND["visits_known"](case)
    return found


def home_checks(case: Case) -> HomeChecks | None:
    """The last safety checklist that was filled in at a visit to a household."""
    found: HomeChecks | None = _BOUND["home_checks"](case)
    return found


def was_held(case: Case, visit: HeldVisit, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> None:
    """Tell whoever wants to hear of a visit with this purpose that it was made."""
    if visit.purpose in MOVED_ON:
        _WHEN_HELD[visit.purpose](case, visit, actor=actor, now=now, today=today, rulebook=rulebook)

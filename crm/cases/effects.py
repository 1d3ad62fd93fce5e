"""What a move sets going in a feature, by name.

A move of ``rules.transitions`` names its effects; ``crm/app.py`` binds each name to a function in one visible list. An
effect runs in the transaction of the move, so either both happen or neither does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Protocol

from crm.cases.models import Case, StageChange
from crm.rules.permissions import Actor
from crm.rules.rulebook import Rulebook
from crm.rules.transitions import MOVES


class Effect(Protocol):
    def __call__(
        self, case: Case, change: StageChange, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
    ) -> None: ...


_BOUND: dict[str, Effect] = {}


def named_effects() -> frozenset[str]:
    """Every effect that some move names."""
    return frozenset(name for move in MOVES for name in move.effects)


def bind_effects(bindings: dict[str, Callable[..., None]]) -> None:
    """Bind every name to its function. Raises LookupError unless named and bound are the same set."""
    if bindings.keys() != named_effects():
        raise LookupError(f"effects named and bound differ: {sorted(bindings.keys() ^ named_effects())}")
    _BOUND.clear()
    _BOUND.update(bindings)


def run_effect(
    name: str, case: Case, change: StageChange, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> None:
    _BOUND[name](case, change, actor=actor, now=now, today=today, rulebook=rulebook)

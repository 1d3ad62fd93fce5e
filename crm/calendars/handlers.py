"""What a calendar needs of the features, by name: a write of an officer's own program changes a visit.

Features bind their functions in ``crm/app.py``. Each runs in the transaction of the write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crm.calendars.models import Problem

NAMED = frozenset({"hold_visit", "write_visit", "take_visit_out"})
_BOUND: dict[str, Callable[..., Any]] = {}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a write: the visit that the event shows, or why it was not done, or neither: it is private."""

    visit_id: int | None = None
    problem: Problem | None = None
    said: str | None = None
    """The refusal in words, and what would go instead, a line each."""


def bind(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Give each name its function. Raises LookupError where one is missing or unknown."""
    if functions.keys() != NAMED:
        raise LookupError(f"calendars need exactly {sorted(NAMED)}, and were given {sorted(functions)}")
    _BOUND.clear()
    _BOUND.update(functions)


def call(name: str, *args: Any, **given: Any) -> Any:
    return _BOUND[name](*args, **given)

"""How long people wait, counting those who are waiting still.

The product-limit estimator (E. L. Kaplan and P. Meier, 1958): whoever still waits, or left, counts as waiting up to
today or to the day they left, and not beyond. A mean of those who have arrived would say that it goes quickly because
the slow ones have not arrived yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import exp

QUARTER, HALF, THREE_QUARTERS = 0.75, 0.5, 0.25
"""The share that still waits at the quarter, the middle and the three quarters."""
_HAIR = 1e-12
"""Products of shares miss a half by less than this when they mean a half."""


@dataclass(frozen=True, slots=True)
class Waits:
    """The waits of one place. Lengths in the unit they were given in; None where too few have moved on to say."""

    moved: int
    """How many have moved on."""
    waiting: int
    """How many had not moved on when they were last seen there."""
    quarter: int | None
    middle: int | None
    three_quarters: int | None
    longest_seen: int
    """The longest wait known, of those who moved on and those who have not."""

    @property
    def count(self) -> int:
        return self.moved + self.waiting


def waits_of(moved: Mapping[int, int], unmoved: Mapping[int, int]) -> Waits:
    """The waits of people of whom some have moved on and others had not when they were last seen: by length, how many.

    The middle is the first length by which no more than half still wait, as the estimator has it.
    """
    lengths = sorted({*moved, *unmoved})
    at_risk = sum(moved.values()) + sum(unmoved.values())
    marks: dict[float, int | None] = {QUARTER: None, HALF: None, THREE_QUARTERS: None}
    still = 1.0
    for length in lengths:
        gone = moved.get(length, 0)
        if gone:
            still *= 1 - gone / at_risk
            for mark, found in marks.items():
                if found is None and still <= mark + _HAIR:
                    marks[mark] = length
        at_risk -= gone + unmoved.get(length, 0)
    return Waits(
        moved=sum(moved.values()),
        waiting=sum(unmoved.values()),
        quarter=marks[QUARTER],
        middle=marks[HALF],
        three_quarters=marks[THREE_QUARTERS],
        longest_seen=lengths[-1] if lengths else 0,
    )


def counted(lengths: Iterable[int]) -> dict[int, int]:
    """How many there are of each length."""
    found: dict[int, int] = {}
    for length in lengths:
        found[length] = found.get(length, 0) + 1
    return found


def likely_range(count: int, *, sure: float = 0.9) -> tuple[float, float]:
    """The range in which the true mean of a count lies, as sure as said: the exact limits of a Poisson count
    (F. Garwood, 1936). Three approvals might as well have been one or seven."""
    tail = (1 - sure) / 2
    low = 0.0 if count == 0 else _solve(lambda mean: 1 - _at_most(count - 1, mean), tail, rising=True)
    return low, _solve(lambda mean: _at_most(count, mean), tail, rising=False)


def _at_most(count: int, mean: float) -> float:
    """The chance of so many or fewer."""
    term = exp(-mean)
    total = term
    for n in range(1, count + 1):
        term *= mean / n
        total += term
    return min(total, 1.0)


def _solve(chance: Callable[[float], float], wanted: float, *, rising: bool) -> float:
    low, high = 0.0, 1.0
    while (chance(high) < wanted) == rising:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if (chance(middle) < wanted) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2

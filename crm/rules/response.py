"""How soon an enquiry is answered, and how often it is tried before it may end without an answer.

No law sets any of it. It is the service's own promise, kept in editions like every other: what has been promised to a
family stays promised, whatever is decided later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType

from crm.rules.intervals import LONDON

ANY_HOUR = 24 * 60
"""A closing time at the very end of the day: whatever arrives on a day counts from that day."""
MORNING_UNTIL, AFTERNOON_UNTIL = 12, 17
"""Hours (London) at which a try belongs to the next part of the day."""
NO_TRIES = frozenset({"wrong_number"})
"""What is logged as a try and reached nobody of theirs: it does not count towards trying."""


@dataclass(frozen=True, slots=True)
class ResponseRule:
    """One edition of how enquiries are answered. Times are minutes past midnight, London.

    `closes_minutes`: what arrives at this minute or later counts as the next day's. `lengths`: working days by channel,
    where that channel has a promise of its own. `warn_minutes`: when, on the day a first call is due, a manager is told
    that nobody has tried. `least_tries`: before an enquiry may be closed for want of an answer, at different times.
    `untouched_days`: working days without anybody doing anything, after which a household stands on the wall.
    """

    closes_minutes: int = ANY_HOUR
    lengths: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    warn_minutes: int = 14 * 60
    least_tries: int = 2
    untouched_days: int = 10
    in_force_from: date = date(2011, 4, 1)
    source: str = (
        "Common practice: first contact in 1 working day (Milton Keynes, Knowsley); "
        "two contacts and the manager's agreement before closing (Cambridgeshire)"
    )

    def counts_from(self, arrived_at: datetime) -> date:
        """The London date that is day 0 for something that arrived at an instant.

        Its own date; from the closing time on, the date after it. A Saturday or a holiday is a day 0 like any other,
        because only working days are counted after it: what comes on Friday evening, Saturday or Sunday is answered by
        the end of Monday, and nothing that came later is due sooner.
        """
        local = arrived_at.astimezone(LONDON)
        after = local.hour * 60 + local.minute >= self.closes_minutes
        return local.date() + timedelta(days=1) if after else local.date()

    @property
    def closing_words(self) -> str:
        """What the closing time does, in a clause; nothing where there is none."""
        if self.closes_minutes >= ANY_HOUR:
            return ""
        return f"what comes after {clock_words(self.closes_minutes)} counts as the next day’s"


def clock_words(minutes: int) -> str:
    """A time of day: 2pm, 5:30pm, midday."""
    hour, minute = divmod(minutes, 60)
    if (hour, minute) == (12, 0):
        return "midday"
    half = "am" if hour < 12 else "pm"
    shown = hour % 12 or 12
    return f"{shown}:{minute:02d}{half}" if minute else f"{shown}{half}"


def tries_apart(tries: Iterable[tuple[str, datetime]]) -> int:
    """How many tries were made at different times: of those in one part of one day, one counts.

    `tries`: how, and when. Two calls a minute apart reach the same empty house; a morning and an evening need not.
    """
    return len({_part_of_day(at) for how, at in tries if how not in NO_TRIES})


def _part_of_day(at: datetime) -> tuple[date, int]:
    local = at.astimezone(LONDON)
    return local.date(), 0 if local.hour < MORNING_UNTIL else 1 if local.hour < AFTERNOON_UNTIL else 2

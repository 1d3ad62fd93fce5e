"""When somebody asked not to be disturbed: the parts of a week that they named.

Kept as a few words of ours with commas between them ("morning,weekend"), by the clock in London.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from crm.rules.intervals import LONDON, Span, london_span

NOON, FIVE = time(12), time(17)

QUIET_WORDS = {
    "morning": "In the morning, before 12 noon",
    "afternoon": "In the afternoon, 12 noon to 5pm",
    "evening": "In the evening, after 5pm",
    "weekend": "At the weekend",
}
QUIET_SHORT = {"morning": "mornings", "afternoon": "afternoons", "evening": "evenings", "weekend": "weekends"}
HOURS_OF_PART = {"morning": (0, 12 * 60), "afternoon": (12 * 60, 17 * 60), "evening": (17 * 60, 24 * 60)}
"""Minutes past midnight."""


def read_quiet(kept: str | None) -> tuple[str, ...]:
    """The parts of the week in a kept value, in our order; what is not one of ours is passed over."""
    named = set((kept or "").split(","))
    return tuple(part for part in QUIET_WORDS if part in named)


def keep_quiet(parts: Iterable[str]) -> str | None:
    """How the parts are kept; None where there are none."""
    return ",".join(read_quiet(",".join(parts))) or None


def say_quiet(kept: str | None) -> str | None:
    """ "Not mornings or weekends", for whoever is about to ring; None where any time will do."""
    words = [QUIET_SHORT[part] for part in read_quiet(kept)]
    if not words:
        return None
    return "Not " + (f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0])


def is_quiet(kept: str | None, at: datetime) -> bool:
    """Whether an instant lies in a time that somebody asked to be left in peace."""
    parts = read_quiet(kept)
    if not parts:
        return False
    local = at.astimezone(LONDON)
    if "weekend" in parts and local.weekday() >= 5:
        return True
    clock = local.time()
    return ("morning" if clock < NOON else "afternoon" if clock < FIVE else "evening") in parts


def quiet_spans(kept: str | None, day: date) -> tuple[Span, ...]:
    """The times of one London day in which somebody asked to be left in peace."""
    parts = read_quiet(kept)
    if "weekend" in parts and day.weekday() >= 5:
        return (london_span(day, 0, 24 * 60),)
    return tuple(london_span(day, *HOURS_OF_PART[part]) for part in parts if part in HOURS_OF_PART)


def next_welcome(kept: str | None, at: datetime) -> datetime:
    """The first instant from ``at`` on that is not quiet: ``at`` itself where it is none.

    Somebody who named every part of the week can be reached at no time; their words are then taken as care, and ``at``
    is given back.
    """
    start = at
    for _ in range(4 * 8):
        if not is_quiet(kept, at):
            return at
        local = at.astimezone(LONDON)
        later = [time_ for time_ in (NOON, FIVE) if local.time() < time_]
        day = local.date() if later else local.date() + timedelta(days=1)
        at = datetime.combine(day, later[0] if later else time(0), LONDON).astimezone(at.tzinfo)
    return start

"""When a message may reach somebody: outside the times they asked for quiet, and on a phone in the service's hours.

The service's hours are minutes past midnight in London, so that a clock change moves nobody's bedtime.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from crm.rules.intervals import LONDON
from crm.rules.quiet_times import next_welcome

A_DAY = 24 * 60
LOOKED_AHEAD = 20


def next_safe_moment(
    at: datetime, *, quiet: str | None, from_minutes: int = 0, until_minutes: int = A_DAY
) -> datetime | None:
    """The first instant from ``at`` on at which a message may arrive, in UTC; None where there is none.

    ``quiet`` is as ``quiet_times`` keeps it. ``until_minutes`` itself is too late.
    """
    for _ in range(LOOKED_AHEAD):
        later = next_within(next_welcome(quiet, at), from_minutes=from_minutes, until_minutes=until_minutes)
        if later is None or later == at:
            return later
        at = later
    return None


def next_within(at: datetime, *, from_minutes: int, until_minutes: int) -> datetime | None:
    """The first instant from ``at`` on that lies between two times of the day; None where no time does."""
    if from_minutes >= until_minutes:
        return None
    there = at.astimezone(LONDON)
    minutes = there.hour * 60 + there.minute
    if from_minutes <= minutes < until_minutes:
        return at
    day = there.date() if minutes < from_minutes else there.date() + timedelta(days=1)
    return datetime.combine(day, time(from_minutes // 60, from_minutes % 60), LONDON).astimezone(UTC)

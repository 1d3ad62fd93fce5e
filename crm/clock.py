"""The only reader of the system clock.

Everything below the edge takes ``now`` (aware UTC) and ``today`` (the date in London) as arguments, so that a rule can
be asked about any day and a test never waits.
"""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


def now_utc() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def today_in_london() -> date:
    """The calendar date in London at this instant: after midnight BST it is a day ahead of UTC's."""
    return london(now_utc()).date()


def london(instant: datetime) -> datetime:
    """The same instant on a London wall clock. Refuses a naive time: its zone can't be guessed."""
    if instant.tzinfo is None:
        raise ValueError("a time without a zone can't be placed on a London clock")
    return instant.astimezone(LONDON)


def london_date(instant: datetime) -> date:
    """The London calendar date on which an instant falls."""
    return london(instant).date()

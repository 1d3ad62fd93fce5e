"""Dates, times and lists in letters, as people say them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time

from crm.clock import london


def day(value: date | datetime) -> str:
    """Tuesday 14 July."""
    value = _london_day(value)
    return f"{value:%A} {value.day} {value:%B}"


def day_year(value: date | datetime) -> str:
    """Tuesday 14 July 2026."""
    return f"{day(value)} {_london_day(value).year}"


def date_year(value: date | datetime) -> str:
    """14 July 2026."""
    value = _london_day(value)
    return f"{value.day} {value:%B} {value.year}"


def clock_time(value: datetime | time) -> str:
    """2pm, 2:30pm, midday."""
    if isinstance(value, datetime):
        value = london(value).time()
    if (value.hour, value.minute) == (12, 0):
        return "midday"
    hour = value.hour % 12 or 12
    minutes = f":{value.minute:02d}" if value.minute else ""
    return f"{hour}{minutes}{'am' if value.hour < 12 else 'pm'}"


def length(minutes: int) -> str:
    """90 is "1½ hours", 120 is "2 hours", 45 is "45 minutes"."""
    hours, rest = divmod(minutes, 60)
    if rest == 30 and hours:
        return f"{hours}½ hours"
    if rest == 0 and hours:
        return "1 hour" if hours == 1 else f"{hours} hours"
    if not hours:
        return f"{minutes} minutes"
    return f"{'1 hour' if hours == 1 else f'{hours} hours'} and {rest} minutes"


def and_list(items: Iterable[str]) -> str:
    """Sam, Priya and Daniel."""
    names = list(items)
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _london_day(value: date | datetime) -> date:
    return london(value).date() if isinstance(value, datetime) else value

"""Working days in England: not a Saturday, a Sunday or a bank holiday.

Fostering Services (England) Regulations 2011, reg 2 (read with the Banking and Financial Dealings Act 1971): not a
Saturday or Sunday, Christmas Day, Good Friday, nor a bank holiday in England.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache

import holidays

from crm.rules.refusal import Refusal

# The regulations came into force on 1 April 2011; no clock of ours runs earlier.
FIRST_YEAR = 2011
YEARS_AHEAD = 4


class DayNotCovered(Refusal):
    """The calendar does not reach this day, so nothing may be counted there: an empty year would count wrongly."""

    default_status = 422


class WorkingDays:
    """The working days of a range of whole years. Built once, then every question is a look-up.

    `holidays`: bank holidays and one-off days. Days outside the range raise DayNotCovered.
    """

    __slots__ = ("_ordinals", "_start", "first_day", "holidays", "last_day")

    def __init__(self, first_year: int, last_year: int, holidays: Iterable[date]) -> None:
        self.first_day: date = date(first_year, 1, 1)
        self.last_day: date = date(last_year, 12, 31)
        self.holidays: frozenset[date] = frozenset(holidays)
        closed = {day.toordinal() for day in self.holidays}
        self._start = self.first_day.toordinal()
        # Ordinal 1 was a Monday, so (n - 1) % 7 is the weekday.
        self._ordinals: list[int] = [
            n for n in range(self._start, self.last_day.toordinal() + 1) if (n - 1) % 7 < 5 and n not in closed
        ]

    def is_working_day(self, day: date) -> bool:
        """Whether offices count this day."""
        self._check(day)
        return day.weekday() < 5 and day not in self.holidays

    def add(self, day: date, count: int) -> date:
        """The last day of `count` working days after `day`; `day` itself is day 0, working day or not."""
        self._check(day)
        if count < 0:
            raise ValueError("count back with back()")
        if count == 0:
            return day
        return self._pick(bisect_right(self._ordinals, day.toordinal()) + count - 1, day)

    def add_beginning_with(self, day: date, count: int) -> date:
        """The last day of `count` working days of which `day` is the first, when it is a working day."""
        return self.add(day, count - 1) if self.is_working_day(day) and count > 0 else self.add(day, count)

    def back(self, day: date, count: int) -> date:
        """The day `count` working days before `day`; `day` itself is day 0."""
        self._check(day)
        if count < 0:
            raise ValueError("count on with add()")
        if count == 0:
            return day
        before = bisect_right(self._ordinals, day.toordinal() - 1)
        return self._pick(before - count, day)

    def between(self, start: date, end: date) -> int:
        """How many working days lie after `start`, up to and with `end`. Negative when `end` comes first."""
        self._check(start)
        self._check(end)
        return bisect_right(self._ordinals, end.toordinal()) - bisect_right(self._ordinals, start.toordinal())

    def next_working_day(self, day: date) -> date:
        """The first working day after `day`."""
        return self.add(day, 1)

    def covers(self, day: date) -> bool:
        """Whether the calendar reaches this day."""
        return self.first_day <= day <= self.last_day

    def _check(self, day: date) -> None:
        if not self.covers(day):
            raise DayNotCovered(
                f"{day.day} {day:%B %Y} is outside the years the working-day calendar covers "
                f"({self.first_day.year} to {self.last_day.year}). Check the year."
            )

    def _pick(self, index: int, day: date) -> date:
        if not 0 <= index < len(self._ordinals):
            edge = self.last_day + timedelta(1) if index > 0 else self.first_day - timedelta(1)
            self._check(edge)
        return date.fromordinal(self._ordinals[index])


@lru_cache(maxsize=32)
def england(
    first_year: int,
    last_year: int,
    one_off_holidays: frozenset[date] = frozenset(),
    worked_after_all: frozenset[date] = frozenset(),
) -> WorkingDays:
    """England's working days from the first day of one year to the last of another.

    `one_off_holidays`: days proclaimed since the `holidays` package was made, or on which the service is shut by law.
    `worked_after_all`: bank holidays that were moved away.
    """
    listed = holidays.country_holidays("GB", subdiv="ENG", years=range(first_year, last_year + 1))
    return WorkingDays(first_year, last_year, (set(listed.keys()) | one_off_holidays) - worked_after_all)


def england_around(
    today: date,
    one_off_holidays: frozenset[date] = frozenset(),
    worked_after_all: frozenset[date] = frozenset(),
) -> WorkingDays:
    """England's working days from the start of the regulations to some years past `today`."""
    return england(min(FIRST_YEAR, today.year), today.year + YEARS_AHEAD, one_off_holidays, worked_after_all)

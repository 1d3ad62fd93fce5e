"""Every clock counted from every day of 2024 to 2030, against a slow count that shares nothing with the product's.

The bank holidays are worked out here from the Act's own wording (the first Monday in May, the Monday after Easter …)
and Easter from the calendar of the Church, so that neither a package nor the product is asked what it is checked by.
"""

from __future__ import annotations

import functools
from datetime import date, timedelta

import pytest

from crm.rules.deadlines import DEADLINE_RULES, Counting, Unit, due_on, observations_end
from crm.rules.working_days import england

DAY = timedelta(days=1)
FIRST, LAST = date(2024, 1, 1), date(2030, 12, 31)
EVERY_DAY = [FIRST + n * DAY for n in range((LAST - FIRST).days + 1)]
CALENDAR = england(2023, 2032)


def easter(year: int) -> date:
    """Sunday after the first full moon of the Church on or after 21 March."""
    golden, century = year % 19, year // 100
    epact = (15 + century - century // 4 - (8 * century + 13) // 25 + 19 * golden) % 30
    full_moon = epact - 1 if epact == 29 or (epact == 28 and golden > 10) else epact
    day = date(year, 3, 21) + full_moon * DAY
    return day + (6 - day.weekday() or 7) * DAY


def monday(year: int, month: int, *, is_last: bool) -> date:
    mondays = [
        day for n in range(31) if (day := date(year, month, 1) + n * DAY).month == month and day.weekday() == 0
    ]
    return mondays[-1 if is_last else 0]


@functools.cache
def closed(year: int) -> frozenset[date]:
    """Days of a year on which offices are shut by law, beside the weekends."""
    days = {easter(year) - 2 * DAY, easter(year) + DAY, monday(year, 5, is_last=False)}
    days |= {monday(year, 5, is_last=True), monday(year, 8, is_last=True)}
    for day in (date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)):
        while day.weekday() > 4 or day in days:  # the next weekday that isn't one already stands in
            day += DAY
        days.add(day)
    return frozenset(days)


def is_open(day: date) -> bool:
    return day.weekday() < 5 and day not in closed(day.year)


def walk(day: date, count: int, step: timedelta) -> date:
    """So many working days on or back, one day at a time."""
    while count > 0:
        day += step
        count -= is_open(day)
    return day


def with_the_day(day: date, count: int) -> date:
    """The last of so many working days of which the day is the first, if it is one."""
    return walk(day - DAY, count, DAY)


def months_on(day: date, months: int) -> date:
    """The same day so many months later, or the last day there is: month by month, then day by day backwards."""
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    for number in range(day.day, 27, -1):
        try:
            return date(year, month, number)
        except ValueError:
            continue
    return date(year, month, day.day)


def test_the_bank_holidays_worked_out_here_are_those_of_the_law_sheet() -> None:
    shut = {day for day in closed(2026) | closed(2027) if day.weekday() < 5}

    assert sorted(f"{day:%Y-%m-%d}" for day in shut) == [
        "2026-01-01", "2026-04-03", "2026-04-06", "2026-05-04", "2026-05-25", "2026-08-31", "2026-12-25", "2026-12-28",
        "2027-01-01", "2027-03-26", "2027-03-29", "2027-05-03", "2027-05-31", "2027-08-30", "2027-12-27", "2027-12-28",
    ]  # fmt: skip


def test_every_day_is_a_working_day_here_and_there_or_in_neither() -> None:
    assert [day for day in EVERY_DAY if CALENDAR.is_working_day(day) != is_open(day)] == []


@pytest.mark.parametrize(
    "rule",
    [rule for rule in DEADLINE_RULES if rule.unit is not Unit.GIVEN],
    ids=lambda rule: f"{rule.name}-{rule.in_force_from.year}",
)
def test_each_clock_ends_where_a_slow_count_ends_from_every_day(rule) -> None:
    def slow(day: date) -> date:
        match rule.unit, rule.counting:
            case Unit.WORKING_DAYS, Counting.AFTER:
                return walk(day, rule.length, DAY)
            case Unit.WORKING_DAYS, Counting.BEGINNING_WITH:
                return with_the_day(day, rule.length)
            case Unit.WORKING_DAYS, Counting.BEFORE:
                return walk(day, rule.length, -DAY)
            case Unit.CALENDAR_DAYS, Counting.AFTER:
                return date.fromordinal(day.toordinal() + rule.length)
            case Unit.CALENDAR_MONTHS, Counting.AFTER:
                return months_on(day, rule.length)
        raise AssertionError(f"{rule.name} counts in a way that nothing here checks")

    wrong = [day for day in EVERY_DAY if due_on(rule, day, CALENDAR) != slow(day)]

    assert wrong == []


def test_the_time_for_observations_ends_on_both_counts_from_every_day() -> None:
    wrong = [
        day for day in EVERY_DAY if observations_end(day, 10, CALENDAR) != (with_the_day(day, 10), walk(day, 10, DAY))
    ]

    assert wrong == []

"""Clocks are counted in working days; a year whose bank holidays are unknown would count them wrongly."""

from __future__ import annotations

from datetime import date

import pytest

from crm.rules.working_days import england


def bank_holidays(year: int) -> int:
    """Weekdays of the year that are not worked."""
    calendar = england(year, year)
    days = (date.fromordinal(n) for n in range(date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal() + 1))
    return sum(day.weekday() < 5 and not calendar.is_working_day(day) for day in days)


@pytest.mark.parametrize("ahead", [0, 1, 2])
def test_the_bank_holidays_of_the_coming_years_are_known(ahead: int) -> None:
    year = date.today().year + ahead

    assert bank_holidays(year) >= 8


def test_a_day_that_the_calendar_does_not_cover_is_an_error() -> None:
    calendar = england(2026, 2026)

    with pytest.raises(Exception, match="2027"):
        calendar.is_working_day(date(2027, 1, 4))

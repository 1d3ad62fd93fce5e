"""Working days in England: Christmas, Easter, one-off days and the ends of the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.clock import london
from crm.rules.working_days import DayNotCovered, WorkingDays, england, england_around

CALENDAR = england(2025, 2028)
DAYS = st.dates(date(2025, 3, 1), date(2028, 6, 1))


def test_the_bank_holidays_of_2026_and_2027_are_those_of_the_law_sheet():
    on_a_weekday = {day for day in CALENDAR.holidays if day.year in {2026, 2027} and day.weekday() < 5}

    assert on_a_weekday == {
        date(2026, 1, 1), date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 4), date(2026, 5, 25), date(2026, 8, 31),
        date(2026, 12, 25), date(2026, 12, 28), date(2027, 1, 1), date(2027, 3, 26), date(2027, 3, 29),
        date(2027, 5, 3), date(2027, 5, 31), date(2027, 8, 30), date(2027, 12, 27), date(2027, 12, 28),
    }  # fmt: skip


def test_christmas_of_2027_gives_two_substitute_days():
    assert CALENDAR.add(date(2027, 12, 24), 1) == date(2027, 12, 29)


def test_over_easter_the_next_working_day_after_maundy_thursday_is_tuesday():
    assert CALENDAR.add(date(2026, 4, 2), 1) == date(2026, 4, 7)


def test_an_event_on_a_closed_day_counts_from_that_day():
    assert CALENDAR.add(date(2026, 12, 26), 1) == date(2026, 12, 29)


def test_at_half_past_eleven_at_night_in_july_utc_it_is_already_tomorrow_in_london():
    received_at = datetime(2026, 7, 13, 23, 30, tzinfo=UTC)

    today = london(received_at).date()

    assert today == date(2026, 7, 14)
    assert CALENDAR.add(today, 1) == date(2026, 7, 15)


def test_a_one_off_holiday_is_no_working_day_and_a_moved_one_is():
    calendar = england(2026, 2026, frozenset({date(2026, 7, 17)}), frozenset({date(2026, 5, 4)}))

    assert not calendar.is_working_day(date(2026, 7, 17))
    assert calendar.is_working_day(date(2026, 5, 4))


def test_a_day_beyond_the_calendar_is_an_error_and_never_a_year_without_holidays():
    with pytest.raises(DayNotCovered, match="2025 to 2028"):
        CALENDAR.is_working_day(date(2029, 1, 1))
    with pytest.raises(DayNotCovered):
        CALENDAR.add(date(2028, 12, 29), 10)
    with pytest.raises(DayNotCovered):
        CALENDAR.back(date(2025, 1, 3), 10)


def test_the_calendar_reaches_next_year_and_two_more():
    calendar = england_around(date(2026, 11, 21))

    assert calendar.covers(date(2029, 12, 31))


def by_the_book_add(day: date, count: int) -> date:
    """The law sheet's own way of counting, day by day."""
    counted = 0
    while counted < count:
        day += timedelta(1)
        counted += day.weekday() < 5 and day not in CALENDAR.holidays
    return day


def by_the_book_back(day: date, count: int) -> date:
    counted = 0
    while counted < count:
        day -= timedelta(1)
        counted += day.weekday() < 5 and day not in CALENDAR.holidays
    return day


@given(DAYS, st.integers(0, 40))
def test_counting_on_and_back_agrees_with_counting_day_by_day(day, count):
    assert CALENDAR.add(day, count) == by_the_book_add(day, count)
    assert CALENDAR.back(day, count) == by_the_book_back(day, count)


@given(DAYS, st.integers(1, 40))
def test_counting_with_the_first_day_is_one_shorter_on_a_working_day_only(day, count):
    with_it = CALENDAR.add_beginning_with(day, count)

    assert with_it == by_the_book_add(day, count - 1 if CALENDAR.is_working_day(day) else count)
    assert with_it <= CALENDAR.add(day, count)


@given(DAYS, DAYS)
def test_the_days_between_are_those_that_one_must_add(start, end):
    between = CALENDAR.between(start, end)

    assert between == -CALENDAR.between(end, start)
    if between > 0:
        assert CALENDAR.add(start, between) <= end < CALENDAR.add(start, between + 1)


def test_a_calendar_of_given_holidays_needs_nothing_else():
    calendar = WorkingDays(2026, 2026, [date(2026, 7, 1)])

    assert calendar.next_working_day(date(2026, 6, 30)) == date(2026, 7, 2)

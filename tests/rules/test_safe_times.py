"""When a message may reach somebody is a time in London, on each day of the year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crm.rules.quiet_times import is_quiet
from crm.rules.safe_times import LONDON, next_safe_moment, next_within


def london(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON).astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "first"),
    [
        ("2026-07-14 08:59", "2026-07-14 09:00"),
        ("2026-07-14 09:00", "2026-07-14 09:00"),
        ("2026-07-14 18:59", "2026-07-14 18:59"),
        ("2026-07-14 19:00", "2026-07-15 09:00"),
        ("2026-10-24 21:00", "2026-10-25 09:00"),  # the clocks go back in the night
        ("2026-03-28 21:00", "2026-03-29 09:00"),  # and forward
    ],
)
def test_the_first_moment_within_the_hours_is_now_or_when_they_begin(at: str, first: str) -> None:
    assert next_within(london(at), from_minutes=9 * 60, until_minutes=19 * 60) == london(first)


def test_quiet_times_and_the_hours_of_the_service_hold_together() -> None:
    # Saturday 18 July 2026, with quiet weekends and mornings: the next is Monday at noon
    moment = next_safe_moment(
        london("2026-07-18 10:00"), quiet="morning,weekend", from_minutes=9 * 60, until_minutes=19 * 60
    )

    assert moment == london("2026-07-20 12:00")


def test_where_the_hours_lie_in_a_quiet_time_there_is_no_moment() -> None:
    at = london("2026-07-14 10:00")

    assert next_safe_moment(at, quiet="morning", from_minutes=9 * 60, until_minutes=12 * 60) is None
    assert next_safe_moment(at, quiet=None, from_minutes=600, until_minutes=600) is None


def test_every_moment_of_a_year_leads_to_one_that_is_allowed_and_not_long_after() -> None:
    at = london("2026-01-01 00:00")
    while at.year == 2026:
        first = next_safe_moment(at, quiet="afternoon,weekend", from_minutes=9 * 60, until_minutes=19 * 60)
        assert first is not None
        assert at <= first <= at + timedelta(days=3)
        assert not is_quiet("afternoon,weekend", first)
        assert next_within(first, from_minutes=9 * 60, until_minutes=19 * 60) == first
        at += timedelta(hours=5, minutes=7)

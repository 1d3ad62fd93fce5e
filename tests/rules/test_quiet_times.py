"""Times in which somebody does not want to be disturbed, by the clock in London."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.rules.quiet_times import QUIET_WORDS, is_quiet, keep_quiet, next_welcome, read_quiet, say_quiet

TUESDAY_NOON_UTC = datetime(2026, 7, 14, 11, 30, tzinfo=UTC)  # half past twelve in London


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (None, None),
        ("morning", "Not mornings"),
        ("weekend,morning", "Not mornings or weekends"),
        ("evening,afternoon,weekend", "Not afternoons, evenings or weekends"),
        ("nonsense", None),
    ],
)
def test_quiet_times_are_said_in_a_few_words(kept, said):
    assert say_quiet(kept) == said


def test_the_clock_that_counts_is_londons():
    assert not is_quiet("morning", TUESDAY_NOON_UTC)
    assert is_quiet("afternoon", TUESDAY_NOON_UTC)
    assert is_quiet("morning", TUESDAY_NOON_UTC - timedelta(hours=1))
    assert is_quiet("weekend", datetime(2026, 7, 17, 23, 30, tzinfo=UTC))  # Saturday already


def test_a_message_waits_for_the_first_moment_that_is_welcome():
    friday_evening = datetime(2026, 7, 17, 17, 0, tzinfo=UTC)

    assert next_welcome("evening,weekend", friday_evening) == datetime(2026, 7, 19, 23, 0, tzinfo=UTC)
    assert next_welcome("morning", TUESDAY_NOON_UTC) == TUESDAY_NOON_UTC
    assert next_welcome("morning,afternoon,evening", friday_evening) == friday_evening


@given(st.lists(st.sampled_from(sorted(QUIET_WORDS))), st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)))
def test_the_welcome_moment_is_never_earlier_and_never_quiet_unless_all_are(parts, moment):
    at = moment.replace(tzinfo=UTC)
    kept = keep_quiet(parts)

    found = next_welcome(kept, at)

    assert found >= at
    assert set(read_quiet(kept)) >= {"morning", "afternoon", "evening"} or not is_quiet(kept, found)

"""The middle wait is the estimator that statisticians use, held against a library's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crm.reporting.waits import HALF, QUARTER, THREE_QUARTERS, counted, waits_of

people = st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=80)


@settings(max_examples=300)
@given(people)
def test_quarter_middle_and_three_quarters_are_the_library_s(waits):
    moved = counted(length for length, has_moved in waits if has_moved)
    unmoved = counted(length for length, has_moved in waits if not has_moved)

    ours = waits_of(moved, unmoved)

    for mark, found in ((QUARTER, ours.quarter), (HALF, ours.middle), (THREE_QUARTERS, ours.three_quarters)):
        assert found == library_says(waits, mark)


def library_says(waits, mark):
    """The first length at which the library's share of those who still wait is no more than a mark."""
    lengths = np.array([length for length, _ in waits])
    is_unmoved = np.array([not has_moved for _, has_moved in waits])
    if is_unmoved.all():
        return None
    still = stats.ecdf(stats.CensoredData.right_censored(lengths, is_unmoved)).sf
    enough = np.flatnonzero(still.probabilities <= mark + 1e-9)
    return int(still.quantiles[enough[0]]) if len(enough) else None


def test_whoever_waits_still_makes_the_middle_longer():
    """Three moved on in a week; three have waited for months. A mean of those who moved would say a week."""
    assert waits_of({5: 3}, {}).middle == 5
    assert waits_of({5: 3}, {60: 3}).middle == 5
    assert waits_of({5: 3}, {60: 4}).middle is None


def test_of_nobody_there_is_no_middle():
    waits = waits_of({}, {})

    assert (waits.count, waits.middle, waits.longest_seen) == (0, None, 0)


@pytest.mark.parametrize("count", [2, 7, 10, 50, 1000])
def test_a_half_that_is_just_reached_is_reached(count):
    """Products of shares in floating point miss one half by a hair."""
    moved = dict.fromkeys(range(1, count // 2 + 1), 1)

    assert waits_of(moved, {5000: count - count // 2}).middle == (count // 2 if count % 2 == 0 else None)

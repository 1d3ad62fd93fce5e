"""References that survive being read out, typed and misread."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.rules.reference import ALPHABET, SPACE, ReferenceUnreadable, is_reference, new_reference, normalise, parse

NUMBERS = st.integers(0, SPACE - 1)


@given(NUMBERS)
def test_a_reference_reads_back_however_it_is_typed(number):
    reference = new_reference("KF", number)
    sloppy = reference.lower().replace("-", " ").replace("0", "o").replace("1", "l")

    assert parse(sloppy, "KF") == reference
    assert parse(reference[3:], "KF") == reference
    assert len(reference) == 9


@given(NUMBERS, st.integers(3, 8), st.sampled_from(ALPHABET))
def test_any_one_wrong_character_is_noticed(number, place, letter):
    reference = new_reference("KF", number)
    wrong = reference[:place] + letter + reference[place + 1 :]

    assert (normalise(wrong, "KF") == wrong) == (wrong == reference)


@given(NUMBERS, st.integers(3, 7))
def test_any_two_swapped_neighbours_are_noticed(number, place):
    reference = new_reference("KF", number)
    swapped = reference[:place] + reference[place + 1] + reference[place] + reference[place + 2 :]

    assert swapped == reference or normalise(swapped, "KF") is None


@given(NUMBERS, NUMBERS)
def test_two_numbers_never_share_a_reference(one, other):
    assert (new_reference("KF", one) == new_reference("KF", other)) == (one == other)


def test_the_reference_that_the_screens_show_as_an_example_is_a_real_one():
    assert is_reference("kf 7q3m9x", "KF")


@pytest.mark.parametrize(
    "typed", ["", "KF", "KF-", "XX-7Q3M9X", "KF-7Q3M9", "KF-7Q3M9XX", "KF-7Q3M9U", "£$%", "KF-7Q3M9Y"]
)
def test_what_is_not_one_of_ours_is_refused_with_an_example(typed):
    with pytest.raises(ReferenceUnreadable) as no:
        parse(typed, "KF")

    assert no.value.status == 422
    assert "KF-7Q3M9X" in no.value.message

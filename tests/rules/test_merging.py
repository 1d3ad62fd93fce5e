"""Which case goes on, what may be merged, what is doubtful, and what becomes of clocks: no database."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from crm.rules.merging import (
    CaseSide,
    Clock,
    ContactRules,
    PairOfPeople,
    becomes_one_case,
    combine_clocks,
    doubts,
    goes_on,
    stricter,
    why_not,
)

TODAY = date(2026, 5, 20)


def side(number, *, day=16, stage="new", is_open=True, applied=False, letters=0, others=()):
    return CaseSide(
        case_id=number,
        reference=f"KF-{number}",
        opened_at=datetime(2026, 5, day, 9, tzinfo=UTC),
        is_open=is_open,
        tracks={"enquiry": stage, **({"application": "received"} if applied else {})},
        letters_sent=letters,
        other_open_references=others,
    )


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (side(1, day=16), side(2, day=20), 1),
        (side(1, day=20), side(2, day=16), 2),
        (side(1, day=16), side(2, day=20, stage="contacted"), 2),
        (side(1, day=16, stage="not_now"), side(2, day=20), 2),
        (side(1, day=16, stage="visited"), side(2, day=20, stage="applied", applied=True), 2),
        (side(1, day=16, stage="closed", is_open=False), side(2, day=20), 2),
        (side(1, day=16), side(2, day=16), 1),
    ],
)
def test_the_case_that_goes_on_is_the_open_one_then_the_further_then_the_earlier(one, other, expected):
    assert goes_on(one, other).case_id == expected
    assert goes_on(other, one).case_id == expected


def test_an_ended_case_is_never_taken_up():
    assert becomes_one_case(side(1), side(2))
    assert not becomes_one_case(side(1), side(2, stage="closed", is_open=False))


def test_two_applications_are_refused_and_a_household_with_another_open_case_is_pointed_to():
    assert "only one can" in why_not(side(1, applied=True), side(2, applied=True))
    assert why_not(side(1, applied=True), side(2)) is None
    assert "one and the same" in why_not(side(1), side(1))
    earlier = side(1, stage="closed", is_open=False, others=("KF-9",))
    assert "Compare with KF-9" in why_not(earlier, side(2))
    assert why_not(side(1, stage="closed", is_open=False), side(2)) is None


def doubt(**changes):
    plain = {
        "gone": side(2),
        "either_has_applied": False,
        "pairs": [PairOfPeople(name="Priya Osei", signs=("same name", "same phone"))],
        "shared_signs": ["same phone"],
    }
    return doubts(**{**plain, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"shared_signs": ["same postcode", "same surname"]}, None),
        ({"shared_signs": ["same surname"]}, "little in common"),
        ({"shared_signs": []}, "little in common"),
        ({"either_has_applied": True}, "has applied"),
        ({"gone": side(2, letters=3)}, None),
        ({"gone": side(2, letters=4)}, "4 letters"),
        ({"pairs": [PairOfPeople(name="Priya Osei", signs=())]}, "Nothing but the choice"),
        ({"pairs": [PairOfPeople(name="Priya", signs=("x",), born_on=(date(1990, 1, 3), date(1990, 3, 1)))]}, "birth"),
        ({"pairs": [PairOfPeople(name="Priya", signs=("x",), born_on=(date(1990, 1, 3), None))]}, None),
    ],
)
def test_what_is_doubtful_is_said_and_what_is_plain_is_not(changes, expected):
    found = doubt(**changes)

    assert (found == ()) if expected is None else (len(found) == 1 and expected in found[0])


def clock(number, rule="first_contact", day=16, stopped=None, how="met", subject=""):
    return Clock(
        id=number,
        rule=rule,
        subject=subject,
        counted_from_on=date(2026, 5, day),
        due_on=date(2026, 5, day + 2),
        stopped_on=date(2026, 5, stopped) if stopped else None,
        stopped_how=how if stopped else None,
    )


@pytest.mark.parametrize(
    ("kept", "gone", "is_new", "taken_out", "stopped", "answer_by"),
    [
        # Both wait for the first call: the earlier runs on.
        ([clock(1, day=16)], [clock(2, day=20)], True, {2}, {}, None),
        ([clock(1, day=20)], [clock(2, day=16)], True, {1}, {}, None),
        # The household was rung through the later entry: the first touch's clock is met on that day.
        ([clock(1, day=18, stopped=19)], [clock(2, day=16)], False, {1}, {2: (date(2026, 5, 19), "met")}, None),
        # Rung already, and in touch again since: no new clock, but somebody has to answer.
        ([clock(1, day=16, stopped=17)], [clock(2, day=20)], False, {2}, {}, date(2026, 5, 22)),
        # Met on both: the earlier is the household's.
        ([clock(1, day=16, stopped=17)], [clock(2, day=14, stopped=15)], False, {1}, {}, None),
        # Waiting for a better time, they came again: the new enquiry is still to be answered.
        ([clock(1, day=20)], [clock(2, day=10, stopped=11)], True, set(), {}, None),
        # What mattered on the way only, to a case that is past it, ends.
        ([], [clock(2, "book_visit", day=18)], False, set(), {2: (TODAY, "ended")}, None),
        ([clock(1, "book_visit", day=18)], [clock(2, "book_visit", day=17)], False, {1}, {}, None),
        # A check has its own clock.
        ([clock(1, "check_chase", subject="check:1")], [clock(2, "check_chase", subject="check:2")], False, set(), {},
         None),
    ],
)  # fmt: skip
def test_no_clock_starts_again_and_none_counts_twice(kept, gone, is_new, taken_out, stopped, answer_by):
    plan = combine_clocks(kept, gone, kept_is_new=is_new, today=TODAY)

    assert set(plan.taken_out) == taken_out
    assert plan.stopped == stopped
    assert plan.answer_by == answer_by


def test_the_stricter_of_two_rules_about_being_reached_holds():
    one = ContactRules(ruled_out=frozenset({"no_calls"}), quiet=("morning",), safe_contact="Her own phone only")
    other = ContactRules(ruled_out=frozenset({"no_voicemail"}), quiet=("weekend",), safe_contact="Her own phone only!")

    both = stricter(one, other)

    assert both.ruled_out == {"no_calls", "no_voicemail"}
    assert both.quiet == ("morning", "weekend")
    assert both.safe_contact == "Her own phone only!"
    assert stricter(other, one) == both

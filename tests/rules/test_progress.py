"""How far a household has come: what counts as reached, what a correction takes back, several journeys of one home."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from crm.rules.progress import MILESTONES, Milestone, Moved, Standing, progress_of

START = date(2026, 3, 2)


def day(number):
    return START + timedelta(days=number)


def moves(*said):
    """("enquiry contacted", 3), with "!" before what is a correction."""
    found = [Moved("enquiry", "new", START)]
    for words, number in said:
        track, to = words.lstrip("!").split()
        found.append(Moved(track, to, day(number), words.startswith("!")))
    return found


def test_whoever_only_asked_is_on_the_way():
    progress = progress_of([(START, moves())])

    assert progress.reached == {Milestone.ASKED: START}
    assert (progress.standing, progress.furthest) == (Standing.ON_THE_WAY, Milestone.ASKED)


def test_a_place_is_reached_on_the_first_day_it_was():
    progress = progress_of([(START, moves(("enquiry contacted", 1), ("enquiry visit_booked", 2),
                                          ("enquiry contacted", 5), ("enquiry visited", 9)))])  # fmt: skip

    assert progress.reached[Milestone.SPOKEN] == day(1)
    assert progress.reached[Milestone.VISITED] == day(9)


def test_a_place_that_was_passed_over_was_reached_with_the_next():
    """A Stage 1 that went on without a decision, and a panel that was not needed, leave no hole in the count."""
    progress = progress_of([(START, moves(("application received", 30), ("application approved", 200)))])

    assert list(progress.reached) == list(MILESTONES)
    assert progress.reached[Milestone.PASSED] == progress.reached[Milestone.PANEL] == day(200)
    assert progress.reached[Milestone.VISITED] == day(30)


def test_what_a_correction_takes_back_has_not_happened():
    progress = progress_of(
        [(START, moves(("enquiry contacted", 1), ("enquiry visited", 4), ("!enquiry contacted", 5)))]
    )

    assert Milestone.VISITED not in progress.reached
    assert progress.reached[Milestone.SPOKEN] == day(1)


def test_an_approval_that_was_put_right_is_undecided_again():
    progress = progress_of(
        [(START, moves(("application received", 9), ("application approved", 90), ("!application with_adm", 91)))]
    )

    assert progress.standing is Standing.ON_THE_WAY
    assert progress.decided_on is None
    assert progress.furthest is Milestone.APPLIED


@pytest.mark.parametrize(
    ("last", "standing"),
    [
        ("enquiry closed", Standing.ENDED),
        ("enquiry not_now", Standing.RESTING),
        ("application withdrawn", Standing.ENDED),
        ("application refused", Standing.ENDED),
        ("application stage_one_refused", Standing.ENDED),
        ("application approved", Standing.APPROVED),
        ("application qd_issued", Standing.ON_THE_WAY),
        ("application irm", Standing.ON_THE_WAY),
    ],
)
def test_what_may_still_come_of_them(last, standing):
    progress = progress_of([(START, moves(("enquiry contacted", 1), (last, 20)))])

    assert progress.standing is standing
    assert (progress.ended_on == day(20)) == (standing in (Standing.ENDED, Standing.RESTING))


def test_whoever_withdrew_and_came_again_is_one_household_on_the_way():
    """It asked on the first day, and got furthest of all in the journey that ended."""
    first = (START, moves(("enquiry contacted", 1), ("application received", 40), ("application withdrawn", 60)))
    again = (day(300), [Moved("enquiry", "new", day(300)), Moved("enquiry", "contacted", day(303))])

    progress = progress_of([first, again])

    assert progress.standing is Standing.ON_THE_WAY
    assert progress.ended_on is None
    assert progress.reached[Milestone.ASKED] == START
    assert progress.reached[Milestone.SPOKEN] == day(1)
    assert progress.furthest is Milestone.APPLIED


def test_of_two_journeys_that_ended_the_last_says_when_and_why():
    one = [*moves(), Moved("enquiry", "closed", day(5), reason="no_response")]
    other = [Moved("enquiry", "new", day(100)), Moved("enquiry", "closed", day(120), reason="money")]

    progress = progress_of([(START, one), (day(100), other)])

    assert (progress.ended_on, progress.ended_why) == (day(120), "money")


def test_no_journey_is_no_progress():
    with pytest.raises(ValueError, match="without a journey"):
        progress_of([])

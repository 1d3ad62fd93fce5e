"""Where a household stands, in words and on the board."""

from __future__ import annotations

import pytest

from crm.rules.stages import (
    BOARD_PLACES,
    PLACE,
    STAGE_WORDS,
    STAGES,
    TrackName,
    is_on_board,
    is_open,
    place_of,
    stage_words,
    standing_words,
)


def tracks(**stages: str) -> dict[TrackName, str]:
    return {TrackName(name): stage for name, stage in stages.items()}


def test_every_stage_has_words():
    assert set(STAGE_WORDS) == {(track, stage.value) for track, stages in STAGES.items() for stage in stages}


def test_every_stage_of_enquiry_and_application_has_a_place():
    for stage in STAGES[TrackName.ENQUIRY]:
        assert place_of(tracks(enquiry=stage)) in PLACE.values()
    for stage in STAGES[TrackName.APPLICATION]:
        assert place_of(tracks(enquiry="applied", application=stage)) in PLACE.values()


def test_the_board_has_two_bands_of_five_columns():
    assert [place.band for place in BOARD_PLACES] == ["enquiry"] * 5 + ["application"] * 5


@pytest.mark.parametrize(
    "stands, words",
    [
        (tracks(enquiry="new"), "New enquiry"),
        (tracks(enquiry="visit_booked"), "Visit booked"),
        (tracks(enquiry="applied", application="received"), "Application received"),
        (
            tracks(enquiry="applied", application="in_assessment", stage_one="gathering", stage_two="assessing"),
            "In assessment: Stage 1 and Stage 2 together",
        ),
        (
            tracks(enquiry="applied", application="in_assessment", stage_one="complete"),
            "In assessment: Stage 1, all checks in",
        ),
        (
            tracks(enquiry="applied", application="in_assessment", stage_one="passed", stage_two="report_shared"),
            "In assessment: Stage 2, report shared",
        ),
        (
            tracks(application="in_assessment", stage_one="passed", stage_two="ready_for_panel"),
            "In assessment, ready for panel",
        ),
        (tracks(application="with_panel", panel_item="deferred"), "With panel: put off"),
        (tracks(application="with_adm", panel_item="recommended"), "With the decision maker"),
        (tracks(), "Not started"),
    ],
)
def test_a_household_stands_somewhere_in_words(stands, words):
    assert standing_words(stands) == words


def test_a_household_in_the_not_now_pool_is_open_but_not_on_the_board():
    assert is_open(tracks(enquiry="not_now"))
    assert not is_on_board(tracks(enquiry="not_now"))


def test_what_has_ended_is_not_open():
    for stage in ("approved", "withdrawn", "stage_one_refused", "refused"):
        assert not is_open(tracks(enquiry="applied", application=stage))
    assert not is_open(tracks(enquiry="closed"))


def test_a_track_that_has_not_started_says_so():
    assert stage_words(TrackName.STAGE_ONE, None) == "Not started"

"""What an application came to, from its moves as they are known today."""

from __future__ import annotations

from datetime import date

import pytest

from crm.rules.outcomes import CameTo, Outcome, applications_of
from crm.rules.progress import Moved
from crm.rules.return_years import BANDS, DEFINITIONS, NOT_RECORDED, ReturnYear, band_of, definition_of

MAY, JUNE, JULY = date(2025, 5, 6), date(2025, 6, 2), date(2025, 7, 1)


def made(to: str, on: date, *, put_right: bool = False, reason: str | None = None) -> Moved:
    return Moved("application", to, on, put_right, reason)


RECEIVED = made("received", MAY)


@pytest.mark.parametrize(
    ("last", "outcome", "code"),
    [
        (made("approved", JUNE), Outcome.APPROVED, None),
        (made("refused", JUNE), Outcome.NOT_APPROVED, None),
        (made("stage_one_refused", JUNE), Outcome.NOT_APPROVED, None),
        (made("withdrawn", JUNE, reason="AW3"), Outcome.WITHDRAWN, "AW3"),
        (made("withdrawn", JUNE, reason="AW4: rent went up"), Outcome.WITHDRAWN, "AW4"),
        (made("withdrawn", JUNE, reason="SERVICE"), Outcome.WITHDRAWN_BY_SERVICE, None),
        (made("withdrawn", JUNE, reason="circumstances"), Outcome.WITHDRAWN, None),
        (made("withdrawn", JUNE), Outcome.WITHDRAWN, None),
    ],
)
def test_each_ending_is_what_it_is_called(last, outcome, code):
    assert applications_of([RECEIVED, last]) == (CameTo(MAY, outcome, JUNE, code),)


@pytest.mark.parametrize("stage", ["received", "in_assessment", "with_panel", "with_adm", "qd_issued", "irm"])
def test_a_proposal_not_to_approve_and_a_review_are_no_ending(stage):
    assert applications_of([RECEIVED, made(stage, JUNE)]) == (CameTo(MAY, Outcome.IN_PROGRESS),)


def test_an_ending_that_was_taken_back_has_not_happened():
    moves = [RECEIVED, made("withdrawn", JUNE, reason="AW1"), made("in_assessment", JULY, put_right=True)]
    assert applications_of(moves) == (CameTo(MAY, Outcome.IN_PROGRESS),)
    assert applications_of([*moves, made("approved", JULY)]) == (CameTo(MAY, Outcome.APPROVED, JULY),)


def test_a_correction_from_one_ending_to_another_keeps_the_day():
    moves = [RECEIVED, made("withdrawn", JUNE, reason="AW1"), made("refused", JULY, put_right=True)]
    assert applications_of(moves) == (CameTo(MAY, Outcome.NOT_APPROVED, JUNE),)


def test_whoever_comes_back_after_an_ending_has_another_application():
    moves = [RECEIVED, made("withdrawn", JUNE, reason="AW5"), made("received", JULY)]
    assert [one.outcome for one in applications_of(moves)] == [Outcome.WITHDRAWN, Outcome.IN_PROGRESS]
    put_right = [RECEIVED, made("withdrawn", JUNE, reason="AW5"), made("received", JULY, put_right=True)]
    assert applications_of(put_right) == (CameTo(MAY, Outcome.IN_PROGRESS),)


def test_nothing_ends_before_it_began_and_what_was_said_is_kept():
    found = applications_of([made("received", JUNE), made("withdrawn", MAY, reason="AW2")])
    assert found == (CameTo(JUNE, Outcome.WITHDRAWN, JUNE, "AW2", MAY),)


def test_other_tracks_say_nothing_of_an_application():
    assert applications_of([Moved("enquiry", "closed", MAY), Moved("stage_one", "refused", JUNE)]) == ()


def test_a_year_begins_on_the_first_of_april():
    assert ReturnYear.of(date(2026, 3, 31)) == ReturnYear(2025)
    assert ReturnYear.of(date(2026, 4, 1)) == ReturnYear(2026)
    assert not ReturnYear(2025).is_over(date(2026, 3, 31))
    assert ReturnYear(2025).is_over(date(2026, 4, 1))


def test_every_year_has_the_definition_in_force_and_no_two_share_a_name():
    assert [definition_of(ReturnYear(year)).from_year for year in (2011, 2022, 2023, 2024, 2030)] == [
        2011, 2011, 2023, 2024, 2024,
    ]  # fmt: skip
    assert len({one.name for one in DEFINITIONS}) == len(DEFINITIONS)
    assert list(DEFINITIONS) == sorted(DEFINITIONS, key=lambda one: one.from_year)


def test_ages_fall_into_bands_without_gaps():
    assert [band_of(age) for age in (18, 19, 20, 29, 30, 69, 70, 120)] == [
        "18_19", "18_19", "20_29", "20_29", "30_39", "60_69", "70_on", "70_on",
    ]  # fmt: skip
    assert [band_of(age) for age in (None, -1, 17, 121)] == [NOT_RECORDED] * 4
    assert {band_of(age) for age in range(18, 121)} == {name for name, _, _ in BANDS}

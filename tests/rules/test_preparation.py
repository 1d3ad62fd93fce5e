"""Who goes on a preparation course, when somebody has been through it, and which sessions are reminded of."""

from datetime import UTC, datetime, timedelta

import pytest

from crm.rules.preparation import How, needs_reminder, progress, why_no_place
from crm.rules.stages import TrackName

MONDAY = datetime(2026, 7, 6, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("marks", "done", "missed", "unmarked", "complete"),
    [
        (["came", "came"], 2, (), 0, True),
        (["came", "part"], 2, (), 0, True),
        (["came", "missed"], 1, (2,), 0, False),
        (["came", "made_up"], 2, (), 0, True),
        (["came", None], 1, (), 1, False),
        (["missed", "missed"], 0, (1, 2), 0, False),
        ([], 0, (), 0, False),
    ],
)
def test_a_course_is_done_when_every_session_is(marks, done, missed, unmarked, complete):
    how = progress(marks)

    assert (how.done, how.missed, how.unmarked, how.is_complete) == (done, missed, unmarked, complete)


def test_what_is_missing_is_said_by_its_number():
    assert progress(["came", None]).words == "1 of 2 sessions"
    assert progress(["missed", "came"]).words == "1 of 2 sessions, session 1 to be made up"
    assert progress(["missed", "came", "missed"]).words == "1 of 3 sessions, sessions 1 and 3 to be made up"
    assert progress([How.MISSED, "missed", "missed"]).words.endswith("sessions 1, 2 and 3 to be made up")


@pytest.mark.parametrize(
    ("tracks", "sooner", "word"),
    [
        ({TrackName.ENQUIRY: "applied", TrackName.APPLICATION: "received"}, False, None),
        ({TrackName.ENQUIRY: "applied", TrackName.APPLICATION: "with_panel"}, False, None),
        ({TrackName.ENQUIRY: "invited"}, False, "not applied yet"),
        ({TrackName.ENQUIRY: "invited"}, True, None),
        ({TrackName.ENQUIRY: "closed"}, True, "ended"),
        ({TrackName.ENQUIRY: "applied", TrackName.APPLICATION: "withdrawn"}, True, "ended"),
        ({TrackName.ENQUIRY: "applied", TrackName.APPLICATION: "approved"}, True, "ended"),
    ],
)
def test_a_household_goes_from_its_application_on_or_sooner_where_a_manager_chooses(tracks, sooner, word):
    why = why_no_place(tracks, may_choose_early=sooner)

    assert why is None if word is None else word in (why or "")


def test_the_first_session_and_each_after_a_gap_are_reminded_of():
    on_end = [MONDAY + timedelta(days=day) for day in (0, 1, 2)]
    weekly = [MONDAY + timedelta(days=day) for day in (0, 7, 14)]

    assert [needs_reminder(on_end, number) for number in (1, 2, 3)] == [True, False, False]
    assert [needs_reminder(weekly, number) for number in (1, 2, 3)] == [True, True, True]

"""From when an enquiry's promise counts, and how often it is tried before it ends without an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from crm.rules.intervals import LONDON
from crm.rules.reasons import CLOSED_REASONS, CLOSING_REASONS, NOT_NOW_REASONS, WITHDRAWAL_REASONS
from crm.rules.response import ResponseRule, tries_apart
from crm.rules.rulebook import default_rulebook
from crm.rules.transitions import MoveNotOpen
from tests.rules import journey
from tests.rules.journey import MANAGER, RECRUITER

SIX = ResponseRule(closes_minutes=18 * 60)


def at(words):
    return datetime.fromisoformat(words).replace(tzinfo=LONDON)


@pytest.mark.parametrize(
    ("arrived", "any_hour", "closing_at_six"),
    [
        ("2026-05-13 09:00", date(2026, 5, 14), date(2026, 5, 14)),  # Wednesday morning: Thursday
        ("2026-05-13 17:59", date(2026, 5, 14), date(2026, 5, 14)),
        ("2026-05-13 18:00", date(2026, 5, 14), date(2026, 5, 15)),  # on the stroke of closing: as if on Thursday
        ("2026-05-13 23:30", date(2026, 5, 14), date(2026, 5, 15)),
        ("2026-05-15 19:00", date(2026, 5, 18), date(2026, 5, 18)),  # Friday evening: Monday, as for Saturday
        ("2026-05-16 11:00", date(2026, 5, 18), date(2026, 5, 18)),  # a stall on Saturday (S7)
        ("2026-05-17 20:00", date(2026, 5, 18), date(2026, 5, 19)),  # Sunday evening counts as Monday
        ("2027-03-25 19:00", date(2027, 3, 30), date(2027, 3, 30)),  # the eve of Good Friday: after Easter Monday
        ("2026-10-25 01:30", date(2026, 10, 26), date(2026, 10, 26)),  # the hour that comes twice
        ("2027-03-28 00:30", date(2027, 3, 30), date(2027, 3, 30)),  # Easter Day, and the clocks go forward
    ],
)
def test_the_promise_counts_from_the_minute_it_arrived(arrived, any_hour, closing_at_six):
    rulebook = default_rulebook(date(2026, 5, 13))

    assert rulebook.respond_by("web", at(arrived)) == any_hour
    assert replace(rulebook, response=SIX).respond_by("web", at(arrived)) == closing_at_six


def test_what_arrives_later_is_never_due_sooner():
    rulebook = replace(default_rulebook(date(2026, 5, 13)), response=SIX)
    hours = [at(f"2026-12-{day:02d} {hour:02d}:59") for day in range(18, 31) for hour in range(24)]

    due = [rulebook.respond_by("web", hour) for hour in hours]

    assert due == sorted(due)


def test_a_channel_may_have_a_promise_of_its_own_and_says_it():
    rule = ResponseRule(closes_minutes=17 * 60 + 30, lengths={"email": 2})
    rulebook = replace(default_rulebook(date(2026, 5, 13)), response=rule)

    assert rulebook.respond_by("email", at("2026-05-13 09:00")) == date(2026, 5, 15)
    assert rulebook.respond_by("phone", at("2026-05-13 09:00")) == date(2026, 5, 14)
    assert rulebook.response_promise("email").words == (
        "Our promise: 2 working days after the enquiry; what comes after 5:30pm counts as the next day’s"
    )
    assert default_rulebook(date(2026, 5, 13)).response_promise("email").words == (
        "Our promise: 1 working day after the enquiry"
    )


@pytest.mark.parametrize(
    ("tries", "count"),
    [
        ([], 0),
        ([("no_answer", "2026-05-13 09:00")], 1),
        ([("no_answer", "2026-05-13 09:00"), ("voicemail", "2026-05-13 09:01")], 1),
        ([("no_answer", "2026-05-13 11:59"), ("no_answer", "2026-05-13 12:00")], 2),
        ([("no_answer", "2026-05-13 16:00"), ("text", "2026-05-13 17:00")], 2),
        ([("no_answer", "2026-05-13 09:00"), ("email", "2026-05-14 09:00")], 2),
        ([("no_answer", "2026-05-13 09:00"), ("wrong_number", "2026-05-14 09:00")], 1),
    ],
)
def test_tries_count_at_different_times_and_a_wrong_number_is_none(tries, count):
    assert tries_apart((how, at(when)) for how, when in tries) == count


@pytest.mark.parametrize(
    ("actor", "tries", "agreed", "said"),
    [
        (MANAGER, 0, False, "none is on the timeline"),
        (MANAGER, 1, True, "one is on the timeline"),
        (RECRUITER, 2, False, "a manager must agree"),
        (RECRUITER, 2, True, None),
        (MANAGER, 2, False, None),
    ],
)
def test_nobody_is_given_up_on_before_two_tries_and_a_managers_word(actor, tries, agreed, said):
    household = journey.enquired(date(2026, 5, 13))
    facts = {"closing_reason": "no_response", "tries_apart": tries, "closing_agreed": agreed}

    if said is None:
        household.move("close_enquiry", actor, date(2026, 5, 20), reason="no_response", **facts)
    else:
        with pytest.raises(MoveNotOpen, match=said):
            household.move("close_enquiry", actor, date(2026, 5, 20), reason="no_response", **facts)


def test_any_other_ending_needs_no_tries():
    household = journey.enquired(date(2026, 5, 13))

    household.move("close_enquiry", RECRUITER, date(2026, 5, 13), reason="withdrew", closing_reason="withdrew")


def test_every_outcome_of_an_enquiry_is_there_and_says_what_it_says():
    """domain.md 4.4, and Ofsted's codes where one means the same."""
    assert set(CLOSING_REASONS) >= {
        "information_only", "counselled_out", "withdrew", "no_response", "signposted", "other_council", "adoption",
        "short_breaks", "volunteering", "duplicate", "spam", "out_of_area",
    }  # fmt: skip
    assert "call_back" in NOT_NOW_REASONS
    codes = {one.withdrawal for one in CLOSING_REASONS.values() if one.withdrawal}
    assert codes == set(WITHDRAWAL_REASONS) - {"SERVICE"}
    assert all(not one.words for one in CLOSING_REASONS.values() if not one.is_written)
    assert list(CLOSED_REASONS) == list(CLOSING_REASONS)

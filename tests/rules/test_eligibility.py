"""Eligibility: rules as data, answers of "not yet" and "I don't know", and never a dead end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from crm.rules.eligibility import CRITERIA, Outcome, age_on, assess, birthday, criteria_in_force

ON = date(2026, 5, 6)
FINE = {
    "age": date(1985, 1, 1),
    "right_to_live": "yes",
    "spare_room": "yes",
    "specified_offence": "no",
    "other_convictions": "no",
    "approved_elsewhere": "no",
    "smoking": "no",
    "pets": "no",
    "driving": "yes",
    "life_changes": "none",
    "area": "yes",
    "home": "own",
    "work": "part_time",
}


def outcome(**answers) -> Outcome:
    return assess({**FINE, **answers}, CRITERIA, ON).outcome


def test_a_household_with_nothing_in_the_way_is_eligible():
    advice = assess(FINE, CRITERIA, ON)

    assert advice.outcome is Outcome.ELIGIBLE
    assert advice.to_talk_about == ()


@pytest.mark.parametrize(
    "answers, expected",
    [
        ({"spare_room": "not_yet"}, Outcome.NOT_NOW),
        ({"spare_room": "dont_know"}, Outcome.CONVERSATION),
        ({"right_to_live": "waiting"}, Outcome.NOT_NOW),
        ({"specified_offence": "yes"}, Outcome.NOT_ELIGIBLE),
        ({"specified_offence": "rather_talk"}, Outcome.CONVERSATION),
        ({"other_convictions": "yes"}, Outcome.CONVERSATION),
        ({"approved_elsewhere": "yes"}, Outcome.CONVERSATION),
        ({"smoking": "yes"}, Outcome.CONVERSATION),
        ({"driving": "no"}, Outcome.CONVERSATION),
        ({"life_changes": "bereavement"}, Outcome.NOT_NOW),
        ({"area": "no"}, Outcome.CONVERSATION),
    ],
)
def test_each_answer_weighs_as_the_law_sheet_says(answers, expected):
    assert outcome(**answers) is expected


@pytest.mark.parametrize("answers", [{"home": "rent_private"}, {"work": "no"}, {"work": "full_time"}, {"pets": "yes"}])
def test_renting_work_benefits_and_pets_are_never_a_bar(answers):
    assert outcome(**answers) is Outcome.ELIGIBLE


def test_the_gravest_answer_decides_and_comes_first():
    advice = assess({**FINE, "driving": "no", "specified_offence": "yes", "spare_room": "no"}, CRITERIA, ON)

    assert advice.outcome is Outcome.NOT_ELIGIBLE
    assert [one.criterion for one in advice.to_talk_about] == ["specified_offence", "spare_room", "driving"]


def test_a_question_left_out_is_a_matter_for_the_talk_and_never_a_no():
    assert assess({}, CRITERIA, ON).outcome is Outcome.CONVERSATION


def test_every_no_says_why_and_what_would_change_it():
    for criterion in CRITERIA:
        for option in criterion.options:
            if option.outcome is not Outcome.ELIGIBLE:
                assert option.reason
                assert option.what_would_change


def test_only_the_law_rules_anybody_out_for_good():
    hard = {one.name for one in CRITERIA for option in one.options if option.outcome is Outcome.NOT_ELIGIBLE}

    assert hard == {"specified_offence"}


def test_not_now_comes_with_a_date_and_the_latest_of_several():
    advice = assess({**FINE, "spare_room": "not_yet", "life_changes": "new_baby"}, CRITERIA, ON)

    assert advice.come_back_on == date(2027, 5, 6)


def test_of_a_couple_the_younger_counts():
    advice = assess({**FINE, "age": (date(1985, 1, 1), date(2007, 2, 10))}, CRITERIA, ON)

    assert advice.outcome is Outcome.NOT_NOW
    assert advice.come_back_on == date(2028, 2, 10)


def test_a_service_may_choose_to_talk_with_those_under_its_age():
    age = replace(CRITERIA[0], below_usual=Outcome.CONVERSATION)

    assert assess({"age": date(2007, 2, 10)}, [age], ON).outcome is Outcome.CONVERSATION


@pytest.mark.parametrize("on, outcome", [(date(2028, 2, 9), Outcome.NOT_NOW), (date(2028, 2, 10), Outcome.ELIGIBLE)])
def test_the_answer_changes_on_the_birthday_itself(on, outcome):
    assert assess({"age": date(2007, 2, 10)}, [CRITERIA[0]], on).outcome is outcome


def test_born_on_29_february_one_is_21_on_1_march():
    assert age_on(date(2008, 2, 29), date(2029, 2, 28)) == 20
    assert birthday(date(2008, 2, 29), 21) == date(2029, 3, 1)
    assert age_on(date(2008, 2, 29), date(2029, 3, 1)) == 21


def test_an_answer_that_is_not_on_the_form_is_a_fault_and_not_advice():
    with pytest.raises(ValueError, match="spare_room"):
        assess({**FINE, "spare_room": "perhaps"}, CRITERIA, ON)
    with pytest.raises(ValueError, match="date of birth"):
        assess({**FINE, "age": "42"}, CRITERIA, ON)


def test_of_two_editions_the_one_in_force_that_day_is_asked():
    later = replace(CRITERIA[0], usual_minimum_age=25, in_force_from=date(2026, 6, 1))

    assert criteria_in_force([CRITERIA[0], later], date(2026, 5, 31))[0].usual_minimum_age == 21
    assert criteria_in_force([CRITERIA[0], later], date(2026, 6, 1))[0].usual_minimum_age == 25


def test_a_criterion_that_is_no_longer_in_force_is_not_asked():
    gone = replace(CRITERIA[6], in_force_until=ON)

    assert criteria_in_force([gone], ON) == ()

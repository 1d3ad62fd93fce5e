"""The dated scenarios that the law sheet gives, S1 to S10, date by date."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from crm.rules.deadlines import ClockState, add_months, observations_end, say_due
from crm.rules.eligibility import CRITERIA, Outcome, assess
from crm.rules.permissions import SYSTEM
from crm.rules.retention import RecordKind, dbs_content_until, retain_until
from crm.rules.rulebook import default_rulebook
from crm.rules.stage_one_checks import (
    Circumstances,
    HouseholdPerson,
    Obtained,
    Part,
    completed_on,
    outstanding,
    requirements,
)
from crm.rules.stages import TrackName, place_of
from crm.rules.transitions import MoveNotOpen, open_moves, warnings_for
from tests.rules import journey
from tests.rules.journey import DECISION_MAKER, MANAGER, OFFICER, PANEL_ADMINISTRATOR, PANEL_MEMBER, RECRUITER

D = date


# S1: a couple, clean run


def test_s1_a_couple_are_rung_the_day_after_the_evening_and_visited_within_ten_working_days():
    household = journey.enquired(D(2026, 3, 3))

    assert household.due["first_contact"] == D(2026, 3, 4)
    assert household.due["initial_visit"] == D(2026, 3, 17)


def test_s1_from_application_to_approval_every_limit_falls_on_its_day():
    household = journey.visited(D(2026, 3, 10))
    household.move("invite_to_apply", MANAGER, D(2026, 3, 12), visit_signed_off=True)
    household.move("receive_application", OFFICER, D(2026, 3, 18), received_on=D(2026, 3, 18))
    assert household.due["panel_recommendation"] == D(2026, 11, 18)

    household.move("decide_to_assess", MANAGER, D(2026, 3, 20))
    household.move("complete_stage_one", SYSTEM, D(2026, 5, 22), stage_one_completed_on=D(2026, 5, 22))
    assert household.due["stage_one_decision"] == D(2026, 6, 8)

    household.move("pass_stage_one", MANAGER, D(2026, 6, 1))
    household.move("start_stage_two", MANAGER, D(2026, 6, 1))
    household.move(
        "share_report",
        OFFICER,
        D(2026, 8, 17),
        report_kind="full",
        report_countersigned=True,
        report_shared_on=D(2026, 8, 17),
        assessor_ids=frozenset({OFFICER.user_id}),
    )
    assert household.due["observations"] == D(2026, 9, 1)
    with pytest.raises(MoveNotOpen, match="Tuesday 1 September 2026"):
        household.move("ready_for_panel", OFFICER, D(2026, 9, 1))
    household.move("ready_for_panel", OFFICER, D(2026, 9, 2))

    household.move("list_for_panel", PANEL_ADMINISTRATOR, D(2026, 9, 3), panel_meeting_on=D(2026, 9, 16))
    assert household.due["panel_papers"] == D(2026, 9, 9)
    household.move(
        "record_recommendation",
        PANEL_ADMINISTRATOR,
        D(2026, 9, 16),
        panel_quorate=True,
        panel_recommendation="suitable",
        recommendation_on=D(2026, 9, 16),
        panel_member_ids=frozenset({PANEL_MEMBER.user_id}),
    )
    assert "panel_recommendation" not in household.due

    household.move(
        "send_to_decision_maker", PANEL_ADMINISTRATOR, D(2026, 9, 25), minutes_final_received_on=D(2026, 9, 25)
    )
    assert household.due["adm_decision"] == D(2026, 10, 6)

    household.move("approve", DECISION_MAKER, D(2026, 10, 1), decision_on=D(2026, 10, 1), effective_on=D(2026, 10, 1))
    assert household.due["oral_notice"] == D(2026, 10, 5)
    assert household.due["written_notice"] == D(2026, 10, 8)
    assert household.due["first_review"] == D(2027, 10, 1)
    assert place_of(household.tracks).name == "approved"


def test_s1_the_time_for_observations_has_two_ends_and_the_longer_is_kept():
    calendar = default_rulebook(D(2026, 8, 17)).calendar

    assert observations_end(D(2026, 8, 17), 10, calendar) == (D(2026, 8, 28), D(2026, 9, 1))


# S2: a single applicant, refused at Stage 1 over Christmas


def test_s2_over_christmas_the_last_day_for_a_stage_one_refusal_is_6_january():
    household = journey.stage_one_complete(D(2026, 12, 18))

    assert household.due["stage_one_decision"] == D(2027, 1, 6)


def test_s2_a_refusal_on_5_january_is_in_time_ends_everything_and_is_kept_three_years():
    household = journey.stage_one_complete(D(2026, 12, 18))

    moves = household.move("refuse_stage_one", MANAGER, D(2027, 1, 5), reason="Not enough room for a child")

    assert [move.name for move in moves] == ["refuse_stage_one", "end_at_stage_one"]
    assert household.tracks[TrackName.APPLICATION] == "stage_one_refused"
    assert household.due == {}
    assert retain_until(RecordKind.APPLICATION_ENDED, D(2027, 1, 5)) == D(2030, 1, 5)
    assert not any(
        move.name in {"apply_irm", "receive_representations"}
        for move in open_moves(**household.asked(MANAGER, D(2027, 1, 6)))
    )


def test_s2_on_the_last_day_the_refusal_is_still_open():
    household = journey.stage_one_complete(D(2026, 12, 18))

    household.move("refuse_stage_one", MANAGER, D(2027, 1, 6), reason="Not enough room for a child")


def test_s2_from_7_january_the_refusal_is_locked_and_the_case_goes_on():
    household = journey.stage_one_complete(D(2026, 12, 18))

    with pytest.raises(MoveNotOpen, match="Wednesday 6 January 2027"):
        household.move("refuse_stage_one", MANAGER, D(2027, 1, 7), reason="Not enough room for a child")
    household.move("start_stage_two", MANAGER, D(2027, 1, 7))
    household.move(
        "share_report",
        OFFICER,
        D(2027, 1, 8),
        report_kind="brief",
        report_countersigned=True,
        report_shared_on=D(2027, 1, 8),
    )
    household.move("ready_for_panel", OFFICER, D(2027, 1, 8), observations_received_on=D(2027, 1, 8))


# S3: a transfer with no child placed


def test_s3_records_are_due_in_15_working_days_over_easter_and_the_reference_in_28_days():
    rulebook = default_rulebook(D(2026, 3, 30))

    assert rulebook.due_on("previous_service_records", D(2026, 3, 30)) == D(2026, 4, 22)
    assert rulebook.due_on("previous_service_reference", D(2026, 3, 30)) == D(2026, 4, 27)


def test_s3_the_old_services_reference_stands_in_for_the_two_interviews():
    people = [HouseholdPerson(1, "Ola", Part.APPLICANT_1, D(1980, 5, 1))]
    rulebook = default_rulebook(D(2026, 4, 27))
    asked_only = Circumstances(approved_within_year=frozenset({1}))
    answered = Circumstances(approved_within_year=frozenset({1}), previous_reference_received=frozenset({1}))

    assert "referee_interviews" in {one.item for one in requirements(people, asked_only, rulebook)}
    assert "referee_interviews" not in {one.item for one in requirements(people, answered, rulebook)}


def test_s3_approval_may_not_begin_before_the_old_one_ends():
    ends = default_rulebook(D(2026, 6, 8)).due_on("resignation_effect", D(2026, 6, 8))
    household = journey.with_decision_maker(D(2026, 6, 15))
    household.learn(approved_elsewhere=True)

    assert ends == D(2026, 7, 6)
    with pytest.raises(MoveNotOpen, match="not recorded"):
        household.move("approve", DECISION_MAKER, D(2026, 6, 16), effective_on=D(2026, 7, 6))
    with pytest.raises(MoveNotOpen, match="Monday 6 July 2026"):
        household.move(
            "approve", DECISION_MAKER, D(2026, 6, 16), effective_on=D(2026, 7, 5), approved_elsewhere_until=ends
        )
    household.move("approve", DECISION_MAKER, D(2026, 6, 16), effective_on=D(2026, 7, 6))


# S4: withdraws in Stage 1


def test_s4_a_withdrawal_stops_every_clock_and_starts_the_three_years():
    household = journey.in_assessment(D(2026, 5, 11))
    assert household.due["panel_recommendation"] == D(2027, 1, 11)

    household.move("withdraw", OFFICER, D(2026, 7, 17), reason="AW3: moved for work")

    assert household.due == {}
    assert place_of(household.tracks).name == "withdrawn"
    assert retain_until(RecordKind.APPLICATION_ENDED, D(2026, 7, 17)) == D(2029, 7, 17)


def test_s4_what_the_dbs_certificate_said_is_gone_in_six_months_even_on_a_sunday():
    gone_by = dbs_content_until(D(2026, 7, 17))

    assert gone_by == D(2027, 1, 17)
    assert gone_by.weekday() == 6


# S5: a deferred panel


def test_s5_a_deferral_starts_no_decision_and_stops_no_eight_months():
    household = journey.ready_for_panel(D(2026, 4, 20))
    assert household.due["panel_recommendation"] == D(2026, 12, 20)
    household.move("list_for_panel", PANEL_ADMINISTRATOR, D(2026, 11, 20), panel_meeting_on=D(2026, 12, 9))
    assert household.due["panel_papers"] == D(2026, 12, 2)

    household.move("defer_item", PANEL_ADMINISTRATOR, D(2026, 12, 9), reason="The medical is late")

    assert household.due["panel_recommendation"] == D(2026, 12, 20)
    assert "adm_decision" not in household.due
    assert household.tracks[TrackName.APPLICATION] == "with_panel"


def test_s5_the_second_meeting_is_24_days_over_and_the_decision_counts_from_the_minutes():
    household = journey.ready_for_panel(D(2026, 4, 20))
    household.move("list_for_panel", PANEL_ADMINISTRATOR, D(2026, 11, 20), panel_meeting_on=D(2026, 12, 9))
    household.move("defer_item", PANEL_ADMINISTRATOR, D(2026, 12, 9), reason="The medical is late")
    household.learn(panel_meeting_on=D(2027, 1, 13), application_due_on=D(2026, 12, 20))

    warnings = warnings_for("list_for_panel", **household.asked(PANEL_ADMINISTRATOR, D(2026, 12, 10)))
    assert any("20 December 2026" in warning for warning in warnings)
    household.move("list_for_panel", PANEL_ADMINISTRATOR, D(2026, 12, 10))
    assert household.due["panel_papers"] == D(2027, 1, 6)
    assert (D(2027, 1, 13) - household.due["panel_recommendation"]).days == 24

    household.move(
        "record_recommendation",
        PANEL_ADMINISTRATOR,
        D(2027, 1, 13),
        panel_quorate=True,
        panel_recommendation="suitable",
        recommendation_on=D(2027, 1, 13),
    )
    household.move(
        "send_to_decision_maker", PANEL_ADMINISTRATOR, D(2027, 1, 18), minutes_final_received_on=D(2027, 1, 18)
    )
    assert household.due["adm_decision"] == D(2027, 1, 27)


# S6: a no-access visit


def test_s6_nobody_in_means_another_date_within_five_working_days_and_after_two_a_letter():
    household = journey.enquired(D(2026, 4, 8))
    household.move("record_contact", RECRUITER, D(2026, 4, 9), contacted_on=D(2026, 4, 9))
    household.move("book_visit", RECRUITER, D(2026, 4, 9))

    household.move("visit_fell_through", OFFICER, D(2026, 4, 14), visit_on=D(2026, 4, 14))

    assert household.due["rebook_visit"] == D(2026, 4, 21)
    assert default_rulebook(D(2026, 4, 21)).due_on("no_access_letter", D(2026, 4, 21)) == D(2026, 4, 28)


def test_s6_a_closed_enquiry_opens_again_as_the_same_household():
    household = journey.enquired(D(2026, 4, 8))
    household.move("close_enquiry", MANAGER, D(2026, 4, 28), reason="no_access")

    household.move("reopen_enquiry", RECRUITER, D(2026, 6, 8), contacted_on=D(2026, 6, 8))

    assert household.tracks[TrackName.ENQUIRY] == "contacted"
    assert household.due == {"book_visit": D(2026, 6, 15)}


# S7: the clock of a stall on a Saturday


def test_s7_a_saturday_stall_is_answered_on_monday_and_visited_by_1_june():
    household = journey.enquired(D(2026, 5, 16))

    assert household.due["first_contact"] == D(2026, 5, 18)
    assert household.due["initial_visit"] == D(2026, 6, 1)


# S8: under 21


def test_s8_at_19_it_is_not_now_until_the_21st_birthday():
    advice = assess({"age": D(2007, 2, 10)}, [CRITERIA[0]], D(2026, 5, 6))

    assert advice.outcome is Outcome.NOT_NOW
    assert advice.come_back_on == D(2028, 2, 10)


def test_s8_at_17_the_law_says_no():
    advice = assess({"age": D(2009, 2, 10)}, [CRITERIA[0]], D(2026, 5, 6))

    assert advice.outcome is Outcome.NOT_ELIGIBLE


def test_s8_a_service_whose_policy_is_18_goes_on():
    from dataclasses import replace

    advice = assess({"age": D(2007, 2, 10)}, [replace(CRITERIA[0], usual_minimum_age=18)], D(2026, 5, 6))

    assert advice.outcome is Outcome.ELIGIBLE


# S9: outside the area


def test_s9_another_councils_views_are_chased_after_ten_working_days_over_a_bank_holiday():
    assert default_rulebook(D(2026, 8, 24)).due_on("local_authority_views", D(2026, 8, 24)) == D(2026, 9, 8)


def test_s9_stage_1_is_not_complete_until_the_home_council_has_answered():
    people = [HouseholdPerson(1, "Ife", Part.APPLICANT_1, D(1980, 5, 1))]
    rulebook = default_rulebook(D(2026, 9, 8))
    needed = requirements(people, Circumstances(), rulebook)
    got = [
        Obtained(one.item, one.person_id, D(2026, 9, 1))
        for one in needed
        if one.item != "local_authority_views"
        for _ in range(one.count)
    ]

    assert [one.item for one in outstanding(needed, got, on=D(2026, 9, 8))] == ["local_authority_views"]
    assert completed_on(needed, got, on=D(2026, 9, 8)) is None
    got.append(Obtained("local_authority_views", None, D(2026, 9, 10)))
    assert completed_on(needed, got, on=D(2026, 9, 10)) == D(2026, 9, 10)


def test_s9_a_council_need_not_consult_itself():
    people = [HouseholdPerson(1, "Ife", Part.APPLICANT_1, D(1980, 5, 1))]

    needed = requirements(people, Circumstances(service_is_home_council=True), default_rulebook(D(2026, 9, 8)))

    assert "local_authority_views" not in {one.item for one in needed}


# S10: month ends


@pytest.mark.parametrize(
    "received, limit",
    [
        (D(2026, 6, 30), D(2027, 2, 28)),
        (D(2026, 10, 31), D(2027, 6, 30)),
        (D(2027, 6, 29), D(2028, 2, 29)),
    ],
)
def test_s10_eight_months_end_on_the_corresponding_day_or_the_last_of_a_short_month(received, limit):
    assert default_rulebook(received).due_on("panel_recommendation", received) == limit
    assert add_months(received, 8) == limit


# The days that trip clocks up


def test_from_the_day_after_its_last_day_a_clock_is_over():
    rulebook = default_rulebook(D(2027, 2, 28))

    assert rulebook.say_due("panel_recommendation", D(2027, 2, 28), today=D(2027, 2, 28)).state is ClockState.DUE
    reading = rulebook.say_due("panel_recommendation", D(2027, 2, 28), today=D(2027, 3, 1))
    assert (reading.state, reading.words) == (ClockState.OVER, "1 working day over")


def test_28_days_are_calendar_days_and_no_bank_holiday_lengthens_them():
    notice = D(2026, 12, 7)

    assert default_rulebook(notice).due_on("qd_response", notice) == notice + timedelta(days=28) == D(2027, 1, 4)


def test_a_clock_says_its_date_and_the_working_days_left_and_names_another_year():
    calendar = default_rulebook(D(2026, 10, 5)).calendar

    assert say_due(D(2026, 10, 8), today=D(2026, 10, 5), calendar=calendar).words == "Due Thu 8 Oct (3 working days)"
    assert say_due(D(2026, 10, 8), today=D(2026, 10, 8), calendar=calendar).words == "Due today"
    assert (
        say_due(D(2027, 1, 6), today=D(2026, 12, 18), calendar=calendar).words == "Due Wed 6 Jan 2027 (10 working days)"
    )
    assert say_due(D(2026, 10, 9), today=D(2026, 10, 10), calendar=calendar).words == "Over since Fri 9 Oct"


def test_a_clock_says_who_set_it():
    rulebook = default_rulebook(D(2026, 7, 14))

    assert rulebook.deadline("first_contact").words == "Our promise: 1 working day after the enquiry"
    assert rulebook.deadline("stage_one_decision").set_by == "Regulation 26"
    assert rulebook.deadline("panel_recommendation").words == (
        "Standard 14: 8 months after the day the application was received"
    )

"""What each move needs, what it sets going, and who may make it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from crm.rules.deadlines import ALL_CLOCKS, DEADLINE_RULES
from crm.rules.permissions import SYSTEM, NotPermitted, Role
from crm.rules.rulebook import default_rulebook
from crm.rules.stages import STAGES, TrackName, standing_words
from crm.rules.transitions import (
    CLOCKS_STARTED_ELSEWHERE,
    MOVE,
    MOVES,
    REQUIREMENTS,
    MoveNotOpen,
    ReasonMissing,
    check_move,
    open_moves,
    shut_moves,
    stage_one_goes_on,
    warnings_for,
)
from tests.rules import journey
from tests.rules.journey import (
    ADMINISTRATOR,
    APPLICANT,
    DECISION_MAKER,
    EVERYBODY,
    MANAGER,
    OFFICER,
    PANEL_ADMINISTRATOR,
    PANEL_MEMBER,
    RECRUITER,
    STRANGER,
    Household,
    staff,
)

D = date
MONDAY = D(2026, 9, 7)


def names(moves) -> set[str]:
    return {move.name for move in moves}


# --- the table is whole


def test_every_name_in_the_table_of_moves_exists():
    for move in MOVES:
        stages = {stage.value for stage in STAGES[move.track]}
        assert move.to in stages
        assert move.from_ - {None} <= stages
        assert set(move.starts) | set(move.stops) <= set(ALL_CLOCKS)
        assert set(move.requires) <= set(REQUIREMENTS)
        assert set(move.and_also) <= set(MOVE)
        assert move.label
        assert move.source


def test_every_requirement_is_used_and_every_stage_can_be_reached():
    assert set(REQUIREMENTS) == {requirement for move in MOVES for requirement in move.requires}
    for track, stages in STAGES.items():
        assert {move.to for move in MOVES if move.track is track} == {stage.value for stage in stages}


def test_every_clock_is_started_by_a_move_or_by_something_that_is_named():
    by_moves = {clock for move in MOVES for clock in move.starts}

    assert set(ALL_CLOCKS) == by_moves | set(CLOCKS_STARTED_ELSEWHERE)
    assert not by_moves & set(CLOCKS_STARTED_ELSEWHERE)


def test_every_clock_a_move_starts_is_stopped_by_a_move_or_runs_past_the_decision():
    after_the_decision = {"oral_notice", "written_notice", "foster_care_agreement", "first_review"}
    stopped = {clock for move in MOVES if move.stops != ALL_CLOCKS for clock in move.stops}

    assert {clock for move in MOVES for clock in move.starts} - stopped == after_the_decision


def test_every_rule_names_its_source_and_how_sure_we_are_of_it():
    for rule in DEADLINE_RULES:
        assert rule.source
        assert rule.certainty in {"L", "L*", "SG", "SG*", "NMS", "NMS*", "CP"}
        assert (rule.certainty == "CP") == (rule.kind == "promise")


def test_moves_made_along_with_another_have_no_button_of_their_own():
    companions = {name for move in MOVES for name in move.and_also}

    assert companions == {move.name for move in MOVES if not move.alone}


def test_a_clock_that_a_move_fulfils_is_one_that_it_stops():
    for move in MOVES:
        assert set(move.met) <= set(move.stops)
        assert set(move.met) | set(move.ended) == set(move.stops)
        assert not set(move.met) & set(move.ended)


def test_a_decision_keeps_its_limit_and_a_withdrawal_keeps_none():
    assert MOVE["approve"].met == MOVE["confirm_refusal"].met == ("adm_decision",)
    assert MOVE["refuse_stage_one"].met == ("stage_one_decision",)
    assert MOVE["withdraw"].met == ()


# --- enquiry


def test_a_new_enquiry_has_its_two_promises_and_an_acknowledgement():
    household = journey.enquired(MONDAY)

    assert set(household.due) == {"first_contact", "initial_visit"}
    assert household.letters == ["enquiry_acknowledgement"]


def test_the_public_and_the_system_may_log_an_enquiry_and_do_nothing_else_about_it():
    for actor in (STRANGER, SYSTEM):
        Household().move("open_enquiry", actor, MONDAY)
    with pytest.raises(NotPermitted):
        journey.enquired(MONDAY).move("record_contact", STRANGER, MONDAY)


def test_no_visit_is_booked_for_a_household_that_is_not_eligible():
    household = journey.enquired(MONDAY)
    household.move("record_contact", RECRUITER, MONDAY)

    with pytest.raises(MoveNotOpen, match="not eligible"):
        household.move("book_visit", RECRUITER, MONDAY, eligibility_outcome="not_eligible")


def test_booking_before_the_eligibility_check_is_a_warning_only():
    household = journey.enquired(MONDAY)
    household.move("record_contact", RECRUITER, MONDAY)

    assert warnings_for("book_visit", **household.asked(RECRUITER, MONDAY)) == (
        "The eligibility check has not been recorded.",
    )
    household.move("book_visit", RECRUITER, MONDAY)


def test_a_second_visit_may_be_booked_after_the_first():
    household = journey.visited(MONDAY)

    household.move("book_visit", OFFICER, MONDAY)

    assert household.tracks[TrackName.ENQUIRY] == "visit_booked"


def test_a_visit_made_without_a_booking_is_recorded_whatever_the_check_came_out_as():
    household = journey.enquired(MONDAY)
    with pytest.raises(MoveNotOpen):
        household.move("record_past_visit", OFFICER, MONDAY)
    household.move("record_contact", RECRUITER, MONDAY, contacted_on=MONDAY)
    with pytest.raises(NotPermitted):
        household.move("record_past_visit", RECRUITER, MONDAY)

    household.move("record_past_visit", OFFICER, MONDAY, eligibility_outcome="not_eligible", visit_on=D(2026, 9, 4))

    assert household.tracks[TrackName.ENQUIRY] == "visited"
    assert household.due == {"visit_outcome": D(2026, 9, 11)}
    with pytest.raises(MoveNotOpen, match="not eligible"):
        household.move("invite_to_apply", MANAGER, MONDAY, visit_signed_off=True)


def test_nobody_is_invited_before_the_visit_report_is_signed_off():
    household = journey.visited(MONDAY)

    with pytest.raises(MoveNotOpen, match="not signed off"):
        household.move("invite_to_apply", MANAGER, MONDAY)


def test_not_now_needs_a_reason_and_a_date_ahead():
    household = journey.enquired(MONDAY)

    with pytest.raises(ReasonMissing) as no_reason:
        household.move("set_not_now", RECRUITER, MONDAY, given=D(2027, 1, 4))
    assert (no_reason.value.status, no_reason.value.field) == (422, "reason")
    with pytest.raises(MoveNotOpen, match="after today"):
        household.move("set_not_now", RECRUITER, MONDAY, reason="new_baby", recontact_on=MONDAY)
    household.move("set_not_now", RECRUITER, MONDAY, reason="new_baby", recontact_on=D(2027, 1, 4), given=D(2027, 1, 4))
    assert household.due == {"recontact": D(2027, 1, 4)}


def test_closing_an_enquiry_stops_its_clocks_and_cancels_its_visits_and_courses():
    household = journey.enquired(MONDAY)
    household.move("record_contact", RECRUITER, MONDAY)
    household.move("book_visit", RECRUITER, MONDAY)

    moves = household.move("close_enquiry", RECRUITER, MONDAY, reason="withdrew")

    assert household.due == {}
    assert moves[0].effects == ("cancel_visits", "give_up_course_places")


def test_an_enquiry_that_became_an_application_cannot_be_closed_beside_it():
    household = journey.applied(MONDAY)

    assert not names(open_moves(**household.asked(MANAGER, MONDAY))) & {"close_enquiry", "set_not_now", "book_visit"}


# --- application and Stage 1


def test_an_application_is_received_only_from_a_household_that_was_invited():
    with pytest.raises(MoveNotOpen, match="invited"):
        journey.visited(MONDAY).move("receive_application", OFFICER, MONDAY)


def test_receiving_an_application_moves_the_enquiry_on_in_the_same_call():
    household = journey.applied(MONDAY)

    assert household.tracks == {TrackName.ENQUIRY: "applied", TrackName.APPLICATION: "received"}


def test_the_eight_months_count_from_receipt_even_when_it_is_typed_in_later():
    household = journey.visited(D(2026, 9, 1))
    household.move("invite_to_apply", MANAGER, D(2026, 9, 1), visit_signed_off=True)

    household.move("receive_application", OFFICER, D(2026, 9, 10), received_on=MONDAY)

    assert household.due["panel_recommendation"] == D(2027, 5, 7)


def test_an_application_cannot_have_been_received_tomorrow():
    household = journey.visited(MONDAY)
    household.move("invite_to_apply", MANAGER, MONDAY, visit_signed_off=True)

    with pytest.raises(MoveNotOpen, match="still to come"):
        household.move("receive_application", OFFICER, MONDAY, received_on=MONDAY + timedelta(1))


def test_deciding_to_assess_starts_stage_one():
    household = journey.in_assessment(MONDAY)

    assert household.tracks[TrackName.STAGE_ONE] == "gathering"
    assert standing_words(household.tracks) == "In assessment: Stage 1"


def test_stage_one_is_not_complete_while_an_item_is_outstanding_and_the_refusal_names_it():
    household = journey.in_assessment(MONDAY)

    with pytest.raises(MoveNotOpen, match="Sam: enhanced DBS certificate"):
        household.move(
            "complete_stage_one",
            SYSTEM,
            MONDAY,
            stage_one_outstanding=("Sam: enhanced DBS certificate",),
            stage_one_completed_on=MONDAY,
        )


def test_nothing_on_file_does_not_complete_stage_one():
    with pytest.raises(MoveNotOpen, match="no Stage 1 items"):
        journey.in_assessment(MONDAY).move("complete_stage_one", OFFICER, MONDAY)


def test_the_ten_working_days_count_from_the_last_item_even_when_it_is_noticed_later():
    household = journey.in_assessment(D(2026, 9, 1))

    household.move("complete_stage_one", SYSTEM, D(2026, 9, 10), stage_one_completed_on=MONDAY)

    assert household.due["stage_one_decision"] == D(2026, 9, 21)


def test_the_system_may_see_that_checks_are_in_but_never_decides():
    household = journey.stage_one_complete(MONDAY)

    with pytest.raises(NotPermitted):
        household.move("pass_stage_one", SYSTEM, MONDAY)


def test_stage_one_may_be_refused_before_every_item_is_in():
    household = journey.in_assessment(MONDAY)

    household.move("refuse_stage_one", MANAGER, MONDAY, reason="The references say otherwise")

    assert household.tracks[TrackName.APPLICATION] == "stage_one_refused"


def test_a_refusal_at_stage_one_gives_neither_representations_nor_independent_review():
    household = journey.in_assessment(MONDAY)
    household.move("refuse_stage_one", MANAGER, MONDAY, reason="The references say otherwise")

    for name in ("apply_irm", "receive_representations"):
        with pytest.raises(MoveNotOpen):
            household.move(name, MANAGER, MONDAY)


def test_refusing_stage_one_once_stage_two_has_begun_comes_with_a_warning():
    household = journey.stage_one_complete(MONDAY)
    household.move("start_stage_two", MANAGER, MONDAY)

    assert "legal advice" in warnings_for("refuse_stage_one", **household.asked(MANAGER, MONDAY))[0]


def test_a_change_in_the_household_opens_a_complete_stage_one_again():
    household = journey.stage_one_complete(MONDAY)

    household.move("reopen_stage_one", OFFICER, MONDAY, stage_one_outstanding=("Jo: enhanced DBS certificate",))

    assert household.tracks[TrackName.STAGE_ONE] == "gathering"
    assert "stage_one_decision" not in household.due


def test_the_stages_may_run_together():
    household = journey.in_assessment(MONDAY)

    household.move("start_stage_two", MANAGER, MONDAY)

    assert standing_words(household.tracks) == "In assessment: Stage 1 and Stage 2 together"


# --- Stage 2 and panel


def test_a_report_is_shared_only_when_somebody_else_has_countersigned_it():
    household = journey.stage_one_complete(MONDAY)
    household.move("start_stage_two", MANAGER, MONDAY)

    with pytest.raises(MoveNotOpen, match="no report"):
        household.move("share_report", OFFICER, MONDAY)
    with pytest.raises(MoveNotOpen, match="not countersigned"):
        household.move("share_report", OFFICER, MONDAY, report_kind="full")
    with pytest.raises(MoveNotOpen, match="own author"):
        household.move(
            "share_report",
            OFFICER,
            MONDAY,
            report_countersigned=True,
            report_countersigned_by=2,
            assessor_ids=frozenset({2}),
        )


def test_the_report_waits_for_observations_or_for_the_end_of_their_time():
    household = journey.stage_one_complete(MONDAY)
    household.move("pass_stage_one", MANAGER, MONDAY)
    household.move("start_stage_two", MANAGER, MONDAY)
    household.move(
        "share_report", OFFICER, MONDAY, report_kind="full", report_countersigned=True, report_shared_on=MONDAY
    )

    with pytest.raises(MoveNotOpen, match="Monday 21 September 2026"):
        household.move("ready_for_panel", OFFICER, D(2026, 9, 21))
    household.move("ready_for_panel", OFFICER, D(2026, 9, 10), observations_received_on=D(2026, 9, 10))


def test_the_report_waits_for_stage_one_too():
    household = journey.stage_one_complete(MONDAY)
    household.move("start_stage_two", MANAGER, MONDAY)
    household.move(
        "share_report", OFFICER, MONDAY, report_kind="full", report_countersigned=True, report_shared_on=MONDAY
    )
    household.learn(observations_received_on=MONDAY)

    with pytest.raises(MoveNotOpen, match="Stage 1 has not been passed"):
        household.move("ready_for_panel", OFFICER, D(2026, 9, 21))
    assert stage_one_goes_on(
        household.tracks, household.evidence, today=D(2026, 9, 22), rulebook=default_rulebook(D(2026, 9, 22))
    )
    household.move("ready_for_panel", OFFICER, D(2026, 9, 22))


def test_listing_sends_the_application_to_panel_and_relisting_leaves_it_there():
    household = journey.ready_for_panel(MONDAY)

    first = household.move("list_for_panel", PANEL_ADMINISTRATOR, MONDAY, panel_meeting_on=D(2026, 9, 23))
    household.move("defer_item", PANEL_ADMINISTRATOR, D(2026, 9, 23), reason="The medical is late")
    second = household.move("list_for_panel", PANEL_ADMINISTRATOR, D(2026, 9, 24), panel_meeting_on=D(2026, 10, 21))

    assert names(first) == {"list_for_panel", "send_to_panel"}
    assert names(second) == {"list_for_panel"}


def test_papers_that_will_be_late_are_a_warning_only():
    household = journey.ready_for_panel(MONDAY).learn(panel_meeting_on=D(2026, 9, 9))

    assert "2 September 2026" in warnings_for("list_for_panel", **household.asked(PANEL_ADMINISTRATOR, MONDAY))[0]
    household.move("list_for_panel", PANEL_ADMINISTRATOR, MONDAY)


def test_a_panel_that_is_not_quorate_recommends_nothing():
    household = journey.ready_for_panel(MONDAY)
    household.move("list_for_panel", PANEL_ADMINISTRATOR, MONDAY, panel_meeting_on=MONDAY)

    with pytest.raises(MoveNotOpen, match="5 members must be present; 4 are"):
        household.move(
            "record_recommendation",
            PANEL_ADMINISTRATOR,
            MONDAY,
            panel_quorate=False,
            panel_shortfalls=("5 members must be present; 4 are.",),
            panel_recommendation="suitable",
        )


def test_on_a_brief_report_the_panel_may_not_recommend_approval():
    household = journey.ready_for_panel(MONDAY, kind="brief")
    household.move("list_for_panel", PANEL_ADMINISTRATOR, MONDAY, panel_meeting_on=MONDAY)

    with pytest.raises(MoveNotOpen, match="full report"):
        household.move(
            "record_recommendation", PANEL_ADMINISTRATOR, MONDAY, panel_quorate=True, panel_recommendation="suitable"
        )


def test_a_panel_that_asks_for_a_full_report_sends_the_case_back_with_its_eight_months_running():
    household = journey.recommended(MONDAY, "full_report_needed", kind="brief")
    with pytest.raises(MoveNotOpen):
        household.move("send_to_decision_maker", PANEL_ADMINISTRATOR, MONDAY, minutes_final_received_on=MONDAY)

    household.move("ask_for_full_report", PANEL_ADMINISTRATOR, MONDAY)

    assert household.tracks[TrackName.APPLICATION] == "in_assessment"
    assert household.tracks[TrackName.STAGE_TWO] == "assessing"
    assert household.due["panel_recommendation"] == D(2027, 5, 7)


def test_after_a_full_report_the_household_can_be_listed_again():
    household = journey.recommended(MONDAY, "full_report_needed", kind="brief")
    household.move("ask_for_full_report", PANEL_ADMINISTRATOR, MONDAY)
    household.move("share_report", OFFICER, MONDAY, report_kind="full", report_shared_on=MONDAY)
    household.move("ready_for_panel", OFFICER, MONDAY)

    moves = household.move("list_for_panel", PANEL_ADMINISTRATOR, MONDAY)

    assert names(moves) == {"list_for_panel", "send_to_panel"}


# --- decision


def test_the_decision_maker_needs_the_final_minutes_too():
    household = journey.recommended(MONDAY)

    with pytest.raises(MoveNotOpen, match="final minutes"):
        household.move("send_to_decision_maker", PANEL_ADMINISTRATOR, MONDAY)


def test_the_seven_working_days_count_from_whichever_came_last():
    household = journey.recommended(D(2026, 9, 1))

    household.move("send_to_decision_maker", PANEL_ADMINISTRATOR, D(2026, 9, 9), minutes_final_received_on=MONDAY)

    assert household.due["adm_decision"] == D(2026, 9, 16)


@pytest.mark.parametrize(
    "facts, why",
    [
        ({"disqualified": True}, "disqualified"),
        ({"panel_recommendation": None}, "recommendation is not on file"),
        ({"approved_elsewhere": True}, "not recorded"),
        ({"approved_elsewhere": True, "approved_elsewhere_until": D(2026, 9, 8)}, "8 September"),
        ({"panel_member_ids": frozenset({6})}, "you sat on the panel"),
        ({"assessor_ids": frozenset({6})}, "you assessed"),
        ({"report_kind": "brief"}, "full report"),
    ],
)
def test_what_the_law_asks_before_approval_shuts_it_while_missing(facts, why):
    household = journey.with_decision_maker(MONDAY)

    with pytest.raises(MoveNotOpen, match=why):
        household.move("approve", DECISION_MAKER, MONDAY, **facts)


def test_only_a_decision_maker_approves():
    for actor in EVERYBODY:
        household = journey.with_decision_maker(MONDAY)
        if actor is DECISION_MAKER:
            household.move("approve", actor, MONDAY)
        else:
            with pytest.raises(NotPermitted):
                household.move("approve", actor, MONDAY)


def test_one_person_with_every_role_still_may_not_decide_on_what_they_assessed():
    everything = staff(2, *Role)
    household = journey.with_decision_maker(MONDAY)

    with pytest.raises(MoveNotOpen, match="you assessed"):
        household.move("approve", everything, MONDAY)


def test_a_case_that_began_without_a_panel_rule_goes_straight_to_the_decision_maker():
    household = journey.ready_for_panel(MONDAY)
    household.rulebook = replace(default_rulebook(MONDAY), panel_required=False)

    household.move("send_to_decision_maker", PANEL_ADMINISTRATOR, MONDAY)
    household.move("approve", DECISION_MAKER, MONDAY)

    assert household.tracks[TrackName.APPLICATION] == "approved"


def test_while_panels_are_the_law_nobody_goes_round_them():
    household = journey.ready_for_panel(MONDAY)

    with pytest.raises(MoveNotOpen, match="panel must consider"):
        household.move("send_to_decision_maker", PANEL_ADMINISTRATOR, MONDAY)


def test_a_proposal_to_refuse_needs_reasons_and_a_copy_of_the_recommendation():
    household = journey.with_decision_maker(MONDAY, "not_suitable")

    with pytest.raises(MoveNotOpen, match="reasons"):
        household.move("issue_qd", DECISION_MAKER, MONDAY)
    with pytest.raises(MoveNotOpen, match="copy of the panel"):
        household.move("issue_qd", DECISION_MAKER, MONDAY, reasons_given=True)
    household.move("issue_qd", DECISION_MAKER, MONDAY, panel_recommendation_attached=True)
    assert set(household.due) == {"oral_notice", "written_notice"}


def test_the_household_has_28_days_and_the_refusal_is_confirmed_from_the_29th():
    household = journey.told_no(MONDAY)

    with pytest.raises(MoveNotOpen, match="Monday 5 October 2026"):
        household.move("confirm_refusal", DECISION_MAKER, D(2026, 10, 5), reason="Nothing was received")
    household.move("confirm_refusal", DECISION_MAKER, D(2026, 10, 6), reason="Nothing was received")
    assert household.tracks[TrackName.APPLICATION] == "refused"


def test_the_28_days_do_not_begin_before_the_notice_is_sent():
    household = journey.told_no(MONDAY).learn(qd_notice_on=None)

    with pytest.raises(MoveNotOpen, match="have not begun"):
        household.move("confirm_refusal", DECISION_MAKER, D(2027, 3, 1), reason="Nothing was received")


@pytest.mark.parametrize("name", ["receive_representations", "apply_irm"])
def test_an_answer_counts_on_the_28th_day_and_not_on_the_29th(name):
    with pytest.raises(MoveNotOpen, match="5 October 2026"):
        journey.told_no(MONDAY).move(name, OFFICER, D(2026, 10, 6))

    journey.told_no(MONDAY).move(name, OFFICER, D(2026, 10, 5))


def test_an_answer_received_in_time_counts_when_it_is_typed_in_later():
    household = journey.told_no(MONDAY)

    household.move("receive_representations", OFFICER, D(2026, 10, 7), response_received_on=D(2026, 10, 5))

    assert household.tracks[TrackName.APPLICATION] == "representations"


def test_representations_go_back_to_panel_and_the_old_recommendation_no_longer_counts():
    household = journey.told_no(MONDAY)
    household.move(
        "receive_representations",
        OFFICER,
        D(2026, 9, 14),
        response_kind="representations",
        response_received_on=D(2026, 9, 14),
    )
    household.move("return_to_panel", PANEL_ADMINISTRATOR, D(2026, 9, 15))

    with pytest.raises(MoveNotOpen, match="representations"):
        household.move("send_to_decision_maker", PANEL_ADMINISTRATOR, D(2026, 9, 15))
    household.move("list_for_panel", PANEL_ADMINISTRATOR, D(2026, 9, 15), panel_meeting_on=D(2026, 9, 30))
    household.move(
        "record_recommendation",
        PANEL_ADMINISTRATOR,
        D(2026, 9, 30),
        panel_recommendation="suitable",
        recommendation_on=D(2026, 9, 30),
    )
    household.move(
        "send_to_decision_maker", PANEL_ADMINISTRATOR, D(2026, 10, 2), minutes_final_received_on=D(2026, 10, 2)
    )
    household.move("approve", DECISION_MAKER, D(2026, 10, 5))


def test_a_second_proposal_to_refuse_is_not_possible_the_decision_is_final():
    household = journey.told_no(MONDAY)
    household.move("apply_irm", OFFICER, D(2026, 9, 14), response_kind="irm", response_received_on=D(2026, 9, 14))
    assert household.due["irm_papers"] == D(2026, 9, 28)
    household.move(
        "record_irm_recommendation",
        PANEL_ADMINISTRATOR,
        D(2027, 1, 11),
        irm_recommendation_received_on=D(2027, 1, 11),
    )
    assert household.due["adm_decision"] == D(2027, 1, 20)

    with pytest.raises(MoveNotOpen, match="final"):
        household.move("issue_qd", DECISION_MAKER, D(2027, 1, 12))
    household.move("confirm_refusal", DECISION_MAKER, D(2027, 1, 12), reason="Both panels say so")


def test_a_first_refusal_without_telling_the_household_first_is_not_possible():
    household = journey.with_decision_maker(MONDAY, "not_suitable")

    with pytest.raises(MoveNotOpen, match="28 days"):
        household.move("confirm_refusal", DECISION_MAKER, MONDAY, reason="The panel says so")


def test_independent_review_is_not_open_to_a_disqualified_person():
    household = journey.told_no(MONDAY).learn(disqualified=True)

    with pytest.raises(MoveNotOpen, match="disqualified"):
        household.move("apply_irm", OFFICER, MONDAY)
    household.move("receive_representations", OFFICER, MONDAY)


def test_only_one_of_the_two_ways_may_be_used():
    household = journey.told_no(MONDAY).learn(response_kind="representations")

    with pytest.raises(MoveNotOpen, match="one way only"):
        household.move("apply_irm", OFFICER, MONDAY)


def test_deciding_against_the_panel_comes_with_a_warning():
    household = journey.with_decision_maker(MONDAY, "not_suitable")

    assert "senior colleague" in warnings_for("approve", **household.asked(DECISION_MAKER, MONDAY))[0]


def test_a_decision_maker_may_ask_for_a_full_report_after_a_brief_one():
    household = journey.with_decision_maker(MONDAY, "not_suitable", kind="brief")

    household.move("continue_assessment", DECISION_MAKER, MONDAY, reason="More is needed")

    assert household.tracks[TrackName.APPLICATION] == "in_assessment"
    assert household.tracks[TrackName.STAGE_TWO] == "assessing"


# --- withdrawal


@pytest.mark.parametrize(
    "made", [journey.applied, journey.in_assessment, journey.ready_for_panel, journey.recommended, journey.told_no]
)
def test_an_application_can_be_withdrawn_from_any_open_stage(made):
    household = made(MONDAY)

    household.move("withdraw", OFFICER, MONDAY, reason="AW2")

    assert household.tracks[TrackName.APPLICATION] == "withdrawn"
    assert household.due == {}


def test_a_withdrawal_carries_one_of_the_codes():
    with pytest.raises(ReasonMissing):
        journey.applied(MONDAY).move("withdraw", OFFICER, MONDAY, reason="They changed their mind")


def test_after_the_end_nothing_is_open():
    for household in (journey.with_decision_maker(MONDAY), journey.applied(MONDAY)):
        name = "approve" if household.tracks[TrackName.APPLICATION] == "with_adm" else "withdraw"
        household.move(name, DECISION_MAKER if name == "approve" else OFFICER, MONDAY, reason="AW0")
        for actor in EVERYBODY:
            assert open_moves(**household.asked(actor, MONDAY)) == []


# --- what a case page asks


def test_a_case_page_is_told_what_is_open_and_what_is_shut_and_why():
    household = journey.visited(MONDAY)

    open_now = names(open_moves(**household.asked(OFFICER, MONDAY)))
    shut = {move.name: why for move, why in shut_moves(**household.asked(OFFICER, MONDAY))}

    assert open_now == {"book_visit", "record_past_visit", "set_not_now"}
    assert shut["invite_to_apply"] == "The visit report is not signed off yet."
    assert shut["close_enquiry"] == "This is for a recruiter or a manager to do."


def test_a_move_is_open_and_shut_to_nobody_at_once():
    for household in (journey.enquired(MONDAY), journey.in_assessment(MONDAY), journey.with_decision_maker(MONDAY)):
        for actor in EVERYBODY:
            asked = household.asked(actor, MONDAY)
            assert not names(open_moves(**asked)) & names(move for move, _ in shut_moves(**asked))


def test_what_is_called_open_can_be_made():
    for household in (journey.enquired(MONDAY), journey.ready_for_panel(MONDAY), journey.told_no(MONDAY)):
        for actor in EVERYBODY:
            for move in open_moves(**household.asked(actor, MONDAY)):
                assert check_move(move.name, **household.asked(actor, MONDAY), reason="AW0") is move


def test_a_refused_move_says_where_the_household_stands_and_what_can_be_done_instead():
    household = journey.enquired(MONDAY)

    with pytest.raises(MoveNotOpen) as no:
        household.move("record_visit", OFFICER, MONDAY)

    assert no.value.status == 409
    assert "New enquiry" in no.value.message
    assert "Record the first talk" in no.value.alternatives


def test_administrators_applicants_and_strangers_move_nothing_once_an_enquiry_is_in():
    for made in (journey.enquired, journey.applied, journey.with_decision_maker):
        household = made(MONDAY)
        for actor in (ADMINISTRATOR, APPLICANT, STRANGER, PANEL_MEMBER):
            assert open_moves(**household.asked(actor, MONDAY)) == []

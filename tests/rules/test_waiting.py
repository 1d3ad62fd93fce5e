"""For whom an open application waits, which clocks a service answers for, and by how much one was missed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from crm.rules.breaches import (
    ANSWERED_FOR,
    BREACH_WORDS,
    PROMISED_CLOCKS,
    STATUTORY_CLOCKS,
    BreachCode,
    days_over,
    is_missed,
    return_year,
)
from crm.rules.deadlines import DEADLINE_RULES
from crm.rules.stage_one_checks import CHECK_RULES, LOCAL_CHECK_RULES
from crm.rules.stages import OPEN_APPLICATION, STAGES, TrackName
from crm.rules.transitions import MOVES
from crm.rules.waiting import ON_WHOM_WORDS, OnWhom, OpenCheck, Standing, check_waits_for, waits_for

TODAY = date(2026, 7, 14)
SINCE = date(2026, 6, 1)
ASKED = date(2026, 6, 10)


def standing(panel_on: date | None = None, checks: tuple[OpenCheck, ...] = (), **changes: Any) -> Standing:
    names = {name.value for name in TrackName}
    tracks = {TrackName(name): changes.pop(name) for name in list(changes) if name in names}
    return Standing(
        tracks=tracks,
        since=dict.fromkeys(tracks, SINCE),
        received_on=date(2026, 5, 1),
        open_checks=checks,
        panel_on=panel_on,
        **changes,
    )


def check(item: str, requested_on: date | None = ASKED, number: int = 1) -> OpenCheck:
    return OpenCheck(number, item, f"Sam: {item}", requested_on)


ASSESSING = {"application": "in_assessment", "stage_one": "passed"}


@pytest.mark.parametrize(
    "one, on, what",
    [
        (standing(application="received"), OnWhom.MANAGER, "The decision to assess"),
        (standing(application="in_assessment", stage_one="complete"), OnWhom.MANAGER, "The Stage 1 decision"),
        (standing(**ASSESSING), OnWhom.MANAGER, "An assessor to be named"),
        (standing(**ASSESSING, stage_two="assessing"), OnWhom.ASSESSOR, "The assessment report"),
        (
            standing(**ASSESSING, stage_two="assessing", report_is_whole=True),
            OnWhom.MANAGER,
            "The report to be countersigned",
        ),
        (
            standing(**ASSESSING, stage_two="assessing", report_is_whole=True, countersigned_on=ASKED),
            OnWhom.ASSESSOR,
            "The report to be shared with them",
        ),
        (
            standing(**ASSESSING, stage_two="report_shared", observations_end_on=TODAY),
            OnWhom.APPLICANT,
            "What they say about the report",
        ),
        (
            standing(**ASSESSING, stage_two="report_shared", observations_end_on=date(2026, 7, 13)),
            OnWhom.ASSESSOR,
            "The step to panel",
        ),
        (
            standing(**ASSESSING, stage_two="report_shared", observations_received_on=ASKED, observations_end_on=TODAY),
            OnWhom.ASSESSOR,
            "The step to panel",
        ),
        (standing(**ASSESSING, stage_two="ready_for_panel"), OnWhom.PANEL, "A place on an agenda"),
        (
            standing(**ASSESSING, stage_two="ready_for_panel", panel_item="deferred"),
            OnWhom.PANEL,
            "Another meeting",
        ),
        (
            standing(**ASSESSING, stage_two="ready_for_panel", panel_item="listed", panel_on=TODAY),
            OnWhom.PANEL,
            "The panel meeting",
        ),
        (standing(application="with_panel", panel_item="deferred"), OnWhom.PANEL, "Another meeting"),
        (standing(application="with_panel", panel_item="recommended"), OnWhom.PANEL, "The final minutes"),
        (standing(application="with_adm"), OnWhom.DECISION_MAKER, "The decision"),
        (standing(application="qd_issued"), OnWhom.APPLICANT, "Their answer to our proposal"),
        (
            standing(application="representations"),
            OnWhom.PANEL,
            "A place on an agenda, with their representations",
        ),
        (standing(application="irm"), OnWhom.SOMEBODY_ELSE, "The independent review"),
    ],
)
def test_each_standing_waits_for_one_thing_of_one_side(one, on, what):
    found = waits_for(one, today=TODAY)
    assert (found.on, found.what) == (on, what)


def test_of_the_checks_the_one_asked_for_longest_ago_is_waited_for():
    checks = (
        check("identity", date(2026, 5, 1), 1),
        check("dbs", date(2026, 6, 9), 2),
        check("health_report", date(2026, 6, 8), 3),
        check("local_authority_views", None, 4),
    )
    found = waits_for(standing(application="in_assessment", stage_one="gathering", checks=checks), today=TODAY)
    assert (found.on, found.check_id, found.since) == (OnWhom.MEDICAL, 3, date(2026, 6, 8))


def test_what_nobody_was_asked_for_is_our_turn_and_so_is_what_we_do_ourselves():
    for checks in ((check("dbs", None),), (check("accommodation"),)):
        found = waits_for(standing(application="in_assessment", stage_one="gathering", checks=checks), today=TODAY)
        assert (found.on, found.step, found.check_id) == (OnWhom.ASSESSOR, "check", 1)


def test_checks_come_before_the_report_that_is_written_beside_them():
    one = standing(
        application="in_assessment", stage_one="gathering", stage_two="report_shared", checks=(check("dbs"),)
    )
    assert waits_for(one, today=TODAY).on is OnWhom.DBS


def test_every_check_has_somebody_and_referees_doctors_councils_and_the_dbs_are_told_apart():
    items = {rule.item for rule in (*CHECK_RULES, *LOCAL_CHECK_RULES)}
    whom = {item: check_waits_for(item, is_asked_for=True) for item in items}
    assert whom["referee_interviews"] is OnWhom.REFEREE
    assert whom["health_report"] is whom["medical_advice"] is OnWhom.MEDICAL
    assert whom["local_authority_views"] is OnWhom.COUNCIL
    assert whom["dbs"] is whom["support_carer_dbs"] is OnWhom.DBS
    assert whom["landlord_consent"] is OnWhom.SOMEBODY_ELSE
    assert check_waits_for("made up by a service", is_asked_for=True) is OnWhom.SOMEBODY_ELSE
    assert {check_waits_for(item, is_asked_for=False) for item in whom} == {OnWhom.ASSESSOR}


def test_every_stage_of_an_open_application_has_an_answer_whose_step_exists():
    steps = {move.name for move in MOVES} | {"check", "report", "observations"}
    for application in OPEN_APPLICATION:
        for one in (None, *(stage.value for stage in STAGES[TrackName.STAGE_ONE])):
            for two in (None, *(stage.value for stage in STAGES[TrackName.STAGE_TWO])):
                for item in (None, *(stage.value for stage in STAGES[TrackName.PANEL_ITEM])):
                    stands = {"application": application, "stage_one": one, "stage_two": two, "panel_item": item}
                    found = waits_for(standing(**{name: at for name, at in stands.items() if at}), today=TODAY)
                    assert found.step in steps
                    assert found.on in ON_WHOM_WORDS
                    assert found.what


def test_what_a_manager_answers_for_are_the_services_own_limits():
    assert set(STATUTORY_CLOCKS) == {
        "panel_recommendation", "stage_one_decision", "panel_papers", "adm_decision", "oral_notice",
        "written_notice", "irm_papers",
    }  # fmt: skip
    # The household's time, other services' and what follows approval are nobody's breach here.
    assert not {"observations", "qd_response", "previous_service_records", "first_review", "recontact"} & set(
        ANSWERED_FOR
    )
    assert {"first_contact", "initial_visit", "decide_to_assess"} <= set(PROMISED_CLOCKS)
    assert set(ANSWERED_FOR) <= {rule.name for rule in DEADLINE_RULES}
    assert set(BREACH_WORDS) == set(BreachCode)


def test_a_clock_is_missed_the_day_after_its_last_whether_it_runs_or_was_stopped():
    due = date(2026, 12, 20)
    assert not is_missed(due, None, today=due)
    assert is_missed(due, None, today=date(2026, 12, 21))
    assert not is_missed(due, due, today=date(2027, 6, 1))
    assert is_missed(due, date(2027, 1, 13), today=date(2027, 6, 1))
    assert days_over(due, date(2027, 1, 13), today=date(2027, 6, 1)) == 24
    assert days_over(due, None, today=date(2026, 12, 1)) == 0


@pytest.mark.parametrize(
    "day, first",
    [(date(2026, 3, 31), 2025), (date(2026, 4, 1), 2026), (date(2026, 12, 31), 2026), (date(2027, 1, 1), 2026)],
)
def test_the_year_of_the_return_begins_in_april(day, first):
    assert return_year(day) == (date(first, 4, 1), date(first + 1, 3, 31))

"""What the law and the separation of duties refuse, asked of the operations themselves."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from crm.assessments import answers, checks, decisions, meetings, notices, queries, stage_one, stage_two
from crm.assessments.decisions import DecisionNotWhole
from crm.assessments.models import AssessmentReport
from crm.cases.models import AssignmentRole, CaseAssignment
from crm.cases.queries import is_on_case
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery.posting import record_dispatch
from crm.rules.permissions import NotPermitted, Role
from crm.rules.refusal import Refusal
from crm.rules.transitions import MoveNotOpen
from tests.assessments.journey import (
    PANEL,
    to_assessment,
    to_panel,
    to_the_decision_maker,
    to_the_decision_maker_against,
)
from tests.assessments.test_scenarios import letters_of, words_of
from tests.factories import Member, make_user

# --- The qualifying determination and its three ends ------------------------------------------------------------------


def panel_said_no(j):
    j.on("2026-08-03").at_panel("not_suitable", meets=date(2026, 9, 16))


def told(j):
    j.walk(panel_said_no)
    j.on("2026-09-25").minutes()
    j.on("2026-10-01").decided("propose_no")
    j.told().written()


@pytest.fixture
def told_no(journey):
    """A couple told on Thursday 1 October 2026 that we propose not to approve them."""
    return journey.walk(told)


def test_a_qualifying_determination_carries_reasons_recommendation_and_28_days(told_no):
    j = told_no
    letter = words_of(letters_of(j.case, "qualifying_determination")[0])

    assert "We are not sure of the support around them." in letter
    assert "The panel was impressed by their openness." in letter
    assert "29 October 2026" in letter
    assert "Independent Review Mechanism" in letter
    assert j.due("qd_response") == date(2026, 10, 29)
    assert j.stage("application") == "qd_issued"


def test_nothing_by_day_28_and_the_decision_maker_confirms_on_day_29(told_no):
    j = told_no.on("2026-10-29")
    with pytest.raises(MoveNotOpen, match="until Thursday 29 October 2026"):
        j.decided("confirm_no")

    j.on("2026-10-30").decided("confirm_no")

    assert j.stage("application") == "refused"
    assert "heard nothing" in words_of(letters_of(j.case, "final_decision")[0])
    assert j.case.retain_until_on == date(2029, 10, 30)
    assert j.due("qd_response") is None


def answer(j, kind, on=None):
    return j.do(answers.receive_answer, j.case, kind=kind, received_on=on or j.today, said="We disagree.",
                by=j.cast.manager)  # fmt: skip


def test_representations_go_to_panel_again_and_then_to_the_decision_maker(told_no):
    j = told_no.on("2026-10-20")
    answer(j, "representations")
    assert j.due("qd_response") is None
    with pytest.raises(Refusal, match="one way only"):
        answer(j, "irm")
    with pytest.raises(MoveNotOpen):
        j.decided("confirm_no")

    again = j.meeting("2026-11-18")
    j.listed(again)
    j.on("2026-11-18").recommended("suitable")
    j.on("2026-11-20").minutes()
    assert j.due("adm_decision") == date(2026, 12, 1)
    with pytest.raises(MoveNotOpen, match="already been told"):
        j.decided("propose_no", consulted="The head of service.")
    j.decided("approve")
    j.told().written()

    assert j.stage("application") == "approved"
    assert "you are approved" in words_of(letters_of(j.case, "final_decision")[0])


def test_the_independent_review_has_its_papers_and_comes_back_to_our_decision_maker(told_no):
    j = told_no.on("2026-10-29")
    answer(j, "irm")
    assert j.due("irm_papers") == date(2026, 11, 12)
    j.on("2026-11-10").do(answers.irm_papers_sent, j.case, sent_on=j.today, by=j.cast.manager)
    assert j.due("irm_papers") is None

    j.on("2027-02-26").do(
        answers.irm_recommends, j.case, recommendation="not_suitable", reasons="They agree.", received_on=j.today,
        by=j.cast.panel_administrator,
    )  # fmt: skip
    assert j.due("adm_decision") == date(2027, 3, 9)
    j.on("2027-03-02").decided("confirm_no")

    assert j.stage("application") == "refused"


def test_an_answer_after_day_28_is_too_late(told_no):
    told_no.on("2026-11-02")

    with pytest.raises(MoveNotOpen, match="ended on Thursday 29 October 2026"):
        answer(told_no, "representations")


def test_an_answer_that_came_in_time_may_be_typed_in_later(told_no):
    told_no.on("2026-11-02")

    answer(told_no, "representations", on=date(2026, 10, 29))

    assert told_no.stage("application") == "representations"


def test_a_notice_by_post_counts_its_28_days_from_its_date_and_is_met_once_posted(journey):
    j = journey.walk(panel_said_no)
    j.on("2026-09-25").minutes()
    j.on("2026-10-01").decided("propose_no")
    notice = j.written("post")
    assert notice.method == "post"
    assert j.due("qd_response") == date(2026, 10, 29)
    assert j.due("written_notice") == date(2026, 10, 8)

    j.on("2026-10-02").do(notices.record_posting, j.case, posted_on=j.today, method="signed_for", by=j.cast.manager)

    assert j.due("written_notice") is None
    assert j.due("qd_response") == date(2026, 10, 29)
    j.look_again()
    assert (notice.dispatched_on, notice.dispatch_method) == (date(2026, 10, 2), "Signed-for post")


# --- Disqualification -------------------------------------------------------------------------------------------------


@pytest.fixture
def disqualified(journey):
    """Sam's certificate shows a specified offence."""
    j = journey.walk(to_assessment)
    j.on("2026-04-01").obtain(j.check("dbs", "Sam"), result="disqualified", outcome="CANARY-OFFENCE specified")
    return j


def test_a_disqualified_household_can_not_pass_or_be_approved(disqualified):
    j = disqualified.obtain_all()

    with pytest.raises(MoveNotOpen, match="disqualified"):
        j.passed()


def test_a_disqualified_household_is_refused_without_saying_whose_record_it_is(disqualified):
    j = disqualified
    with pytest.raises(stage_one.ReasonsNotUsable, match="Sam"):
        j.do(stage_one.refuse_stage_one, j.case, reasons="Because of Sam’s record.", by=j.cast.manager)

    j.do(stage_one.refuse_stage_one, j.case, reasons="Information from checks means we must stop.", by=j.cast.manager)

    for message in letters_of(j.case, "stage_one_refusal"):
        words = words_of(message)
        assert "write to us within 28 days" in " ".join(words.split())
        assert "CANARY-OFFENCE" not in words
        assert "Independent" not in words
    assert j.stage("application") == "stage_one_refused"


def test_a_disqualified_household_told_no_after_panel_has_representations_and_no_review(journey):
    j = journey.walk(panel_said_no)
    j.obtain(j.check("dbs", "Sam"), result="disqualified", outcome="Found later.")
    j.on("2026-09-25").minutes()
    with pytest.raises(MoveNotOpen, match="disqualified"):
        j.decided("approve", consulted="Head of service.")
    j.decided("propose_no")
    j.written()

    letter = words_of(letters_of(j.case, "qualifying_determination")[0])
    assert "cannot ask for an independent review" in " ".join(letter.split())
    with pytest.raises(MoveNotOpen, match="not open to a disqualified person"):
        answer(j, "irm")
    answer(j, "representations")
    assert j.stage("application") == "representations"


# --- Quorum -----------------------------------------------------------------------------------------------------------

FIVE = tuple(key for key, *_ in PANEL[:5])


@pytest.mark.parametrize(
    ("present", "joint", "missing"),
    [
        (FIVE, False, None),
        (FIVE[:4], False, "5 members must be present; 4 are"),
        (("vice_chair", "social_worker", "carer_member", "teacher", "care_experienced"), False, None),
        (
            ("social_worker", "carer_member", "teacher", "care_experienced", "councillor"),
            False,
            "chair or a vice-chair",
        ),
        (
            ("chair", "carer_member", "teacher", "care_experienced", "councillor"),
            False,
            "social worker with three years",
        ),
        (FIVE, True, "6 members must be present; 5 are"),
        ((*FIVE, "councillor"), True, None),
    ],
)
def test_a_panel_recommends_only_when_quorate(journey, present, joint, missing):
    j = journey.walk(to_panel)
    meeting = j.meeting("2026-04-01", tuple(j.panel), is_joint=joint)
    j.listed(meeting)
    j.on("2026-04-01")
    item = j.item()
    here = {j.panel[key].id for key in present}
    j.do(
        meetings.record_attendance, j.case, item,
        {m.user_id: "present" if m.user_id in here else "apologies" for m in item.meeting.members},
        presiding_id=None, by=j.cast.panel_administrator, rulebook=False,
    )  # fmt: skip
    said = meetings.Recommended(recommendation="suitable", reasons="Good.")

    if missing is None:
        j.do(meetings.record_recommendation, j.case, item, said, by=j.cast.panel_administrator)
        assert j.stage("panel_item") == "recommended"
    else:
        with pytest.raises(MoveNotOpen, match=missing):
            j.do(meetings.record_recommendation, j.case, item, said, by=j.cast.panel_administrator)


def test_nothing_is_recommended_while_a_member_has_no_answer(journey):
    j = journey.on("2026-03-02").in_assessment().obtain_all().passed().stage_two().report().shared().observed().ready()
    meeting = j.meeting("2026-04-01", (*FIVE, "councillor"))
    j.listed(meeting)
    j.on("2026-04-01")
    item, late = j.item(), j.panel["councillor"]
    said = {member.user_id: "present" for member in item.meeting.members if member.user_id != late.id}
    good = meetings.Recommended(recommendation="suitable", reasons="Good.")

    with pytest.raises(meetings.MeetingNotPossible, match=rf"Say first whether {late.name} is here") as refused:
        j.do(meetings.record_attendance, j.case, item, said, presiding_id=None, by=j.cast.panel_administrator,
             rulebook=False)  # fmt: skip
    assert refused.value.field == f"presence_{late.id}"
    with pytest.raises(meetings.MeetingNotPossible, match="Say first whether"):
        j.do(meetings.record_recommendation, j.case, item, good, by=j.cast.panel_administrator)
    with pytest.raises(meetings.MeetingNotPossible, match="presides must be here"):
        j.do(meetings.record_attendance, j.case, item, {**said, late.id: "apologies"}, presiding_id=late.id,
             by=j.cast.panel_administrator, rulebook=False)  # fmt: skip


def test_a_conflict_takes_a_member_out_of_the_quorum_and_closes_the_papers(journey):
    j = journey.walk(to_panel)
    meeting = j.meeting("2026-04-01")
    j.listed(meeting)
    member = j.panel["teacher"]
    assert is_on_case(member.actor, j.case, today=j.today)
    item = j.item()

    j.do(meetings.declare_conflict, j.case, item, user_id=member.id, what="Lives next door", by=member, rulebook=False)

    assert not is_on_case(member.actor, j.case, today=j.today)
    j.on("2026-04-01")
    with pytest.raises(MoveNotOpen, match="5 members must be present; 4 are"):
        j.recommended()


def test_members_may_open_the_household_until_the_day_after_the_meeting(journey):
    j = journey.walk(to_panel)
    j.listed(j.meeting("2026-04-01"))
    member = j.panel["chair"].actor

    assert is_on_case(member, j.case, today=date(2026, 4, 2))
    assert not is_on_case(member, j.case, today=date(2026, 4, 3))


def test_whoever_assessed_can_not_sit_on_the_item(journey):
    j = journey.on("2026-03-02")
    with transaction():
        both = make_user(Member("both", "Bo Both", frozenset({Role.OFFICER, Role.PANEL_MEMBER})))
        meetings.put_on_central_list(
            user_id=both.id, seat="member", is_independent=False, is_qualifying_social_worker=True, background=None,
            actor=j.cast.panel_administrator.actor, now=now_utc(),
        )  # fmt: skip
    j.panel["both"] = both
    j.in_assessment().obtain_all().passed().stage_two(both).report(by=both).shared().observed().ready()
    j.listed(j.meeting("2026-04-01", (*FIVE, "both")))

    rows = queries.attendance_rows(j.item())
    assert rows[both.id].presence == "conflict"
    held = db.session.scalars(
        select(CaseAssignment).where(
            CaseAssignment.user_id == both.id, CaseAssignment.role == AssignmentRole.PANEL_MEMBER
        )
    ).all()
    assert held == []


def test_a_brief_report_allows_two_recommendations_and_a_full_one_two_others(journey):
    j = journey.walk(to_assessment).obtain_all().passed().stage_two()
    j.report(kind="brief").shared().observed().ready()
    j.listed(j.meeting("2026-04-01"))
    j.on("2026-04-01")
    item = j.item()
    with pytest.raises(MoveNotOpen, match="brief report the panel may only ask for a full report"):
        j.recommended("suitable", item)
    j.recommended("full_report_needed", item)

    assert (j.stage("application"), j.stage("stage_two")) == ("in_assessment", "assessing")
    assert j.due("panel_recommendation") == date(2026, 11, 2)
    j.report().shared().observed().ready()
    j.listed(j.meeting("2026-05-06"))
    j.on("2026-05-06")
    with pytest.raises(MoveNotOpen, match="full report the panel recommends suitable or not suitable"):
        j.recommended("full_report_needed")
    j.recommended()
    assert j.stage("panel_item") == "recommended"


def test_minutes_wait_for_a_recommendation(journey):
    j = journey.walk(to_panel)
    j.listed(j.meeting("2026-04-01"))
    item = j.item()

    with pytest.raises(Refusal, match="not recorded yet"):
        j.do(meetings.send_minutes, j.case, item, minutes="Said.", received_on=j.today, by=j.cast.panel_administrator)


# --- Who decides ------------------------------------------------------------------------------------------------------


def a_decider(j, key, *roles, person=None):
    """Somebody who may decide by role, whatever else they are."""
    with transaction():
        return make_user(Member(key, key.title(), frozenset({Role.DECISION_MAKER, *roles})))


def test_whoever_assessed_can_not_decide(journey):
    j = journey.on("2026-03-02")
    both = a_decider(j, "assessing", Role.OFFICER)
    j.in_assessment().obtain_all().passed().stage_two(both).report(by=both).shared()
    j.do(stage_two.record_observations, j.case, received_on=j.today, text=None, by=j.cast.officer)
    j.ready()
    j.listed(j.meeting("2026-04-01"))
    j.on("2026-04-01").recommended()
    j.minutes()

    with pytest.raises(MoveNotOpen, match="you assessed this household"):
        j.decided(by=both)
    j.decided()


def test_whoever_sat_on_the_panel_can_not_decide(journey):
    j = journey.on("2026-03-02")
    both = a_decider(j, "sitting", Role.PANEL_MEMBER)
    with transaction():
        meetings.put_on_central_list(
            user_id=both.id, seat="member", is_independent=False, is_qualifying_social_worker=False, background=None,
            actor=j.cast.panel_administrator.actor, now=now_utc(),
        )  # fmt: skip
    j.panel["sitting"] = both
    j.in_assessment().obtain_all().passed().stage_two().report().shared().observed().ready()
    j.listed(j.meeting("2026-04-01", (*FIVE, "sitting")))
    j.on("2026-04-01").recommended()
    j.minutes()

    with pytest.raises(MoveNotOpen, match="you sat on the panel"):
        j.decided(by=both)


def test_whoever_countersigned_can_not_decide(journey):
    j = journey.walk(to_the_decision_maker)
    signer = Member("manager", "Denise", j.cast.manager.roles | {Role.DECISION_MAKER}, id=j.cast.manager.id)

    with pytest.raises(MoveNotOpen, match="you assessed this household"):
        j.decided(by=signer)


@pytest.mark.parametrize(
    "who", ["officer", "manager", "panel_administrator", "panel_member", "recruiter", "administrator"]
)
def test_only_a_decision_maker_decides(journey, who):
    j = journey.walk(to_the_decision_maker)

    with pytest.raises(NotPermitted):
        j.decided(by=getattr(j.cast, who))


def test_the_author_can_not_countersign_and_the_database_agrees(journey):
    j = journey.walk(to_assessment).stage_two(journey.cast.manager)
    from crm.assessments.terms import Terms

    j.do(stage_two.save_report, j.case, kind="brief", sections={"suitability": "No."}, terms=Terms(), by=j.cast.manager)
    with pytest.raises(stage_two.NotAnAssessor):
        j.do(stage_two.countersign, j.case, by=j.cast.manager)

    own_signature = update(AssessmentReport).values(
        countersigned_by_id=AssessmentReport.written_by_id, countersigned_on=j.today
    )
    with pytest.raises(IntegrityError), transaction():
        db.session.execute(own_signature)


def test_only_the_assessor_writes_the_report(journey):
    from crm.assessments.terms import Terms

    j = journey.walk(to_assessment).stage_two()

    with pytest.raises(stage_two.NotAnAssessor):
        j.do(stage_two.save_report, j.case, kind="full", sections={}, terms=Terms(), by=j.cast.other_officer)


def test_a_decision_against_the_panel_names_the_colleague_consulted(journey):
    j = journey.walk(to_the_decision_maker_against)
    with pytest.raises(DecisionNotWhole, match="senior colleague") as refused:
        j.decided("approve")
    assert refused.value.field == "consulted"

    j.decided("approve", consulted="The head of service, who agreed.", adopts_panel_reasons=False)
    assert j.stage("application") == "approved"


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        ("approve", {"material": " "}, "material"),
        ("approve", {"arguments": ""}, "arguments"),
        ("approve", {"why": ""}, "why"),
        ("propose_no", {"reasons": "", "consulted": "Head."}, "reasons"),
        ("approve", {"effective_on": date(2026, 3, 1)}, "effective_on"),
    ],
)
def test_a_decision_says_what_was_considered(journey, kind, changes, field):
    j = journey.walk(to_the_decision_maker)

    with pytest.raises(Refusal) as refused:
        j.decided(kind, **changes)
    assert refused.value.field == field


# --- Checks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"dbs_number": "12345"}, "dbs_number"),
        ({"dbs_number": None}, "dbs_number"),
        ({"dbs_issued_on": None}, "dbs_issued_on"),
        ({"dbs_issued_on": date(2026, 3, 4)}, "dbs_issued_on"),
        ({"dbs_level": "standard"}, "dbs_level"),
        ({"dbs_barred_list_checked": False}, "dbs_level"),
        ({"received_on": date(2026, 3, 3)}, "received_on"),
        ({"result": "concern"}, "outcome"),
        ({"result": "not_given", "outcome": "No."}, "result"),
        ({"verified_on": date(2026, 3, 1)}, "verified_on"),
    ],
)
def test_a_certificate_is_recorded_whole_or_not_at_all(journey, changes, field):
    j = journey.walk(to_assessment)
    check = j.check("dbs", "Sam")

    with pytest.raises(Refusal) as refused:
        j.obtain(check, **changes)
    assert refused.value.field == field
    j.look_again()
    assert check.received_on is None


def test_asking_and_chasing_run_the_clock_of_that_check_alone(journey):
    j = journey.walk(to_assessment)
    sam, priya = j.check("dbs", "Sam"), j.check("dbs", "Priya")
    for check in (sam, priya):
        j.do(checks.ask_for_check, j.case, check, requested_on=j.today, by=j.cast.officer)
    assert j.due("dbs_chase", f"check:{sam.id}") == date(2026, 3, 30)

    j.on("2026-03-31").do(checks.chase_check, j.case, sam, by=j.cast.officer)
    assert j.due("dbs_chase", f"check:{sam.id}") == date(2026, 4, 30)
    assert j.due("dbs_chase", f"check:{priya.id}") == date(2026, 3, 30)
    j.obtain(sam)
    assert j.due("dbs_chase", f"check:{sam.id}") is None
    assert j.due("dbs_chase", f"check:{priya.id}") == date(2026, 3, 30)


def test_decisions_table_and_moves_agree():
    from crm.assessments.models import DecisionKind
    from crm.rules.transitions import MOVE

    assert set(decisions.MOVE_OF) == set(DecisionKind)
    assert all(name in MOVE for name in decisions.MOVE_OF.values())


def test_a_notice_whose_last_copy_is_posted_from_the_list_of_letters_is_posted(journey):
    journey.with_decision_maker().decided()
    notice = journey.written("post")
    printed = notices._printed(journey.case)

    for number, letter in enumerate(printed, start=1):
        with transaction():
            record_dispatch(
                letter, on=journey.today, method="first_class", actor=journey.cast.officer.actor, now=now_utc()
            )
        journey.do(
            notices.follow_posting, journey.case, posted_on=journey.today, method="first_class", by=journey.cast.officer
        )
        assert (notice.dispatched_on is not None) == (number == len(printed))

    assert len(printed) == 2
    assert journey.due("written_notice") is None

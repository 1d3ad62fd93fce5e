"""The dated scenarios of the domain, played through the operations on the days they name (G16 and the clocks)."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from crm.assessments import checks, household, meetings, notices, queries, stage_one, stage_two, transfer, withdrawal
from crm.assessments.household import NewMember
from crm.cases.models import Deadline, PersonRole, StageChange
from crm.cases.open_case import NewPerson
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.rules.permissions import SYSTEM
from crm.rules.reasons import WITHDRAWAL_REASONS
from crm.rules.transitions import MoveNotOpen, ReasonMissing
from tests.assessments.journey import PRIYA, to_the_invitation


def letters_of(case, kind):
    return list(
        db.session.scalars(
            select(OutboundMessage).where(OutboundMessage.case_id == case.id, OutboundMessage.kind == kind)
        )
    )


def words_of(message):
    from email.parser import BytesParser
    from email.policy import default

    parsed = BytesParser(policy=default).parsebytes(message.payload)
    return parsed.get_body(("plain",)).get_content()


def test_s1_a_couple_walks_from_an_evening_to_approval_and_every_clock_agrees(journey):
    j = journey
    j.on("2026-03-03", "19:30").invited()
    j.on("2026-03-18").applied()
    assert j.due("panel_recommendation") == date(2026, 11, 18)
    assert j.due("application_expected") is None
    j.on("2026-03-20").assessing()
    assert j.stage("stage_one") == "gathering"

    j.on("2026-05-20").obtain_all(but=("local_authority_views",))
    assert j.stage("stage_one") == "gathering"
    j.on("2026-05-22").obtain(j.check("local_authority_views"))
    assert j.stage("stage_one") == "complete"
    assert j.due("stage_one_decision") == date(2026, 6, 8)
    j.on("2026-06-01").passed().stage_two().report()

    j.on("2026-08-17").shared()
    assert stage_two.observations_ends(date(2026, 8, 17), j.rulebook) == (date(2026, 8, 28), date(2026, 9, 1))
    assert j.due("observations") == date(2026, 9, 1)
    j.on("2026-09-01")
    with pytest.raises(MoveNotOpen, match="until Tuesday 1 September 2026 to comment"):
        j.ready()
    j.on("2026-09-02").ready()

    meeting = j.meeting("2026-09-16")
    item = j.listed(meeting)
    assert item.papers_due_on == j.due("panel_papers") == date(2026, 9, 9)
    j.on("2026-09-09").papers_given()
    j.on("2026-09-16").recommended()
    j.on("2026-09-25").minutes()
    assert j.due("adm_decision") == date(2026, 10, 6)

    j.on("2026-10-01").decided()
    assert j.due("oral_notice") == date(2026, 10, 5)
    assert j.due("written_notice") == date(2026, 10, 8)
    assert j.due("first_review") == date(2027, 10, 1)
    j.told().written()
    assert j.due("oral_notice") is None
    assert j.due("written_notice") is None
    assert len(letters_of(j.case, "approval_notice")) == 2
    j.on("2026-10-09").do(notices.sign_agreement, j.case, by=j.cast.officer, signed_on=date(2026, 10, 9))
    assert j.due("foster_care_agreement") is None

    # One household with two carers: received before the return year 2026 to 2027, approved in it.
    moves = {change.move: change for change in db.session.scalars(select(StageChange))}
    assert moves["receive_application"].effective_on == date(2026, 3, 18)
    assert date(2026, 4, 1) <= moves["approve"].effective_on <= date(2027, 3, 31)
    assert len(queries.the_application(j.case).signatures) == 2
    assert j.stage("application") == "approved"
    assert not j.case.is_open
    assert {clock.rule for clock in db.session.scalars(select(Deadline).where(Deadline.stopped_on.is_(None)))} == {
        "first_review"
    }


def single(j):
    return j.invited(PRIYA)


def test_s2_a_stage_one_refusal_is_in_time_until_the_tenth_working_day_over_christmas(journey):
    j = journey
    single(j.on("2026-10-01")).applied().assessing()
    j.on("2026-12-18").obtain_all()
    assert j.due("stage_one_decision") == date(2027, 1, 6)

    j.on("2027-01-05").do(stage_one.refuse_stage_one, j.case, by=j.cast.manager, reasons="Too little time for a child.")

    letter = words_of(letters_of(j.case, "stage_one_refusal")[0])
    assert "Too little time for a child." in letter
    assert "complain" in letter.lower()
    assert "Independent Review" not in letter
    assert "IRM" not in letter
    assert j.case.retain_until_on == date(2030, 1, 5)
    assert j.stage("application") == "stage_one_refused"
    assert not j.case.is_open


def test_s2_from_the_eleventh_day_refusing_at_stage_one_is_locked_and_the_case_goes_on(journey):
    j = journey
    single(j.on("2026-10-01")).applied().assessing()
    j.on("2026-12-18").obtain_all()

    j.on("2027-01-07")
    with pytest.raises(MoveNotOpen, match="last day for a Stage 1 refusal was Wednesday 6 January 2027.*brief report"):
        j.do(stage_one.refuse_stage_one, j.case, by=j.cast.manager, reasons="Too late.")
    assert letters_of(j.case, "stage_one_refusal") == []

    j.stage_two().report(kind="brief").shared().observed().ready()
    assert j.stage("stage_two") == "ready_for_panel"


def test_s3_one_approval_at_a_time(journey):
    j = journey
    j.on("2026-03-26").invited(PRIYA)
    j.on("2026-03-27").applied(
        approved_elsewhere=True, other_service="Harbour Fostering", answers={"Priya": {"approved_within_year": True}}
    ).assessing()
    interviews = [check for check in j.checks() if check.item == "referee_interviews"]
    assert len(interviews) == 2
    j.on("2026-03-30")
    facts = {"approved_elsewhere": True, "other_service": "Harbour Fostering"}
    facts |= {"told_other_service_on": date(2026, 3, 27), "records_asked_on": date(2026, 3, 30)}
    j.do(transfer.record_transfer, j.case, transfer.TransferFacts(**facts), by=j.cast.officer)
    reference = j.check("previous_service_reference")
    j.do(checks.ask_for_check, j.case, reference, by=j.cast.officer, requested_on=date(2026, 3, 30))
    assert j.due("previous_service_records") == date(2026, 4, 22)
    assert j.due("previous_service_reference") == date(2026, 4, 27)

    j.on("2026-04-20").obtain(reference)
    assert [check for check in j.checks() if check.item == "referee_interviews"] == []

    j.obtain_all().passed().stage_two().report().shared().observed().ready()
    meeting = j.meeting("2026-05-20")
    j.listed(meeting)
    j.on("2026-05-20").recommended()
    j.on("2026-06-08").do(
        transfer.record_transfer,
        j.case,
        transfer.TransferFacts(**facts, resignation_received_on=date(2026, 6, 8)),
        by=j.cast.officer,
    )
    assert queries.the_application(j.case).approved_elsewhere_until == date(2026, 7, 6)
    j.on("2026-06-29").minutes()

    j.on("2026-07-01")
    with pytest.raises(MoveNotOpen, match="until Monday 6 July 2026"):
        j.decided(effective_on=date(2026, 7, 5))
    decision = j.decided(effective_on=date(2026, 7, 6))

    assert decision.effective_on == date(2026, 7, 6)
    assert j.due("first_review") == date(2027, 7, 6)


def test_s3_an_approval_elsewhere_without_an_end_blocks(journey):
    j = journey.on("2026-03-02")
    j.invited(PRIYA).applied(approved_elsewhere=True, other_service="Harbour Fostering").assessing()
    j.obtain_all().passed()
    j.stage_two().report().shared().observed().ready()
    j.listed(j.meeting("2026-04-01"))
    j.on("2026-04-01").recommended()
    j.minutes()

    with pytest.raises(MoveNotOpen, match="day that approval ends is not recorded"):
        j.decided()


def test_s4_a_withdrawal_stops_every_clock_and_starts_three_years(journey):
    j = journey.on("2026-05-11")
    j.invited().applied().assessing()
    assert j.due("panel_recommendation") == date(2027, 1, 11)

    j.on("2026-07-17").do(withdrawal.withdraw, j.case, by=j.cast.officer, code="AW3", withdrawn_on=date(2026, 7, 17))

    running = db.session.scalars(select(Deadline).where(Deadline.stopped_on.is_(None))).all()
    assert running == []
    assert j.case.retain_until_on == date(2029, 7, 17)
    assert j.case.closed_reason == "AW3"
    assert len(letters_of(j.case, "withdrawal_confirmation")) == 2
    moves = {change.move: change for change in db.session.scalars(select(StageChange))}
    assert moves["withdraw"].reason_code == "AW3"
    assert date(2026, 4, 1) <= moves["withdraw"].effective_on <= date(2027, 3, 31)


def test_a_withdrawal_needs_one_of_the_codes_and_a_day_that_can_be(journey):
    j = journey.on("2026-05-11").invited().applied()

    with pytest.raises(ReasonMissing):
        j.do(withdrawal.withdraw, j.case, by=j.cast.officer, code="AW9", withdrawn_on=j.today)
    for day, words in ((date(2026, 5, 12), "after today"), (date(2026, 5, 10), "before the application")):
        with pytest.raises(Exception, match=words):
            j.do(withdrawal.withdraw, j.case, by=j.cast.officer, code="AW1", withdrawn_on=day)
    assert set(WITHDRAWAL_REASONS) == {"AW0", "AW1", "AW2", "AW3", "AW4", "AW5", "SERVICE"}


def test_s5_a_deferral_leaves_the_eight_months_running_and_no_decision_clock(journey):
    j = journey.on("2026-04-20").in_assessment().obtain_all().passed()
    assert j.due("panel_recommendation") == date(2026, 12, 20)
    j.on("2026-11-02").stage_two().report().shared().observed().ready()
    first = j.meeting("2026-12-09")
    item = j.listed(first)
    assert item.papers_due_on == date(2026, 12, 2)

    j.on("2026-12-09").do(
        meetings.defer_item, j.case, item, reasons="The panel wants a second medical opinion.",
        by=j.cast.panel_administrator,
    )  # fmt: skip
    assert j.due("adm_decision") is None
    assert j.due("panel_recommendation") == date(2026, 12, 20)
    assert j.stage("panel_item") == "deferred"
    assert "second medical opinion" in words_of(letters_of(j.case, "panel_deferred")[0])

    second = j.meeting("2027-01-13")
    warnings = meetings.listing_warnings(
        j.case, second, actor=j.cast.panel_administrator.actor, today=j.today, rulebook=j.rulebook
    )
    assert "after the 8 months" in warnings[0]
    with pytest.raises(meetings.ReasonForLatenessMissing, match="Sunday 20 December 2026"):
        j.listed(second)
    again = j.listed(second, late_reason="The first panel asked for a second medical opinion.")
    assert again.papers_due_on == date(2027, 1, 6)
    j.on("2027-01-13").recommended()
    j.on("2027-01-18").minutes()
    assert j.due("adm_decision") == date(2027, 1, 27)


def test_s9_outside_the_area_stage_one_waits_for_the_home_councils_views(journey):
    j = journey.on("2026-08-20").in_assessment()
    j.on("2026-08-24")
    views = j.check("local_authority_views")
    j.do(checks.ask_for_check, j.case, views, by=j.cast.officer, requested_on=date(2026, 8, 24))
    assert j.due("local_authority_views") == date(2026, 9, 8)

    j.obtain_all(but=("local_authority_views",))
    assert j.stage("stage_one") == "gathering"
    with pytest.raises(MoveNotOpen):
        j.passed()
    j.on("2026-09-04").obtain(j.check("local_authority_views"))
    assert j.stage("stage_one") == "complete"
    assert j.due("local_authority_views") is None


def test_s9_their_own_council_consults_nobody(journey):
    j = journey.on("2026-08-20").in_assessment(is_home_council=True)

    assert [check for check in j.checks() if check.item == "local_authority_views"] == []


@pytest.mark.parametrize(
    ("received", "limit"),
    [("2026-06-30", date(2027, 2, 28)), ("2026-10-31", date(2027, 6, 30)), ("2027-06-29", date(2028, 2, 29))],
)
def test_s10_eight_months_from_the_end_of_a_month(journey, received, limit):
    j = journey.on(received).invited().applied()

    assert j.due("panel_recommendation") == limit


def test_the_eight_months_count_from_receipt_not_from_typing_in(journey):
    j = journey.walk(to_the_invitation)
    j.on("2026-03-25").applied(received_on=date(2026, 3, 18))

    assert j.due("panel_recommendation") == date(2026, 11, 18)


def test_somebody_who_turns_18_opens_stage_one_again(journey):
    kezia = NewMember(given_name="Kezia", family_name="Whitlock", role=PersonRole.CHILD, born_on=date(2008, 6, 10))
    j = journey.on("2026-02-02").invited().applied(members=(kezia,))
    j.assessing().on("2026-06-05").obtain_all()
    assert j.stage("stage_one") == "complete"
    assert j.check("dbs", "Kezia").needed_from_on == date(2026, 6, 10)

    j.on("2026-06-10")
    with transaction():
        checks.work_out_after_birthdays(actor=SYSTEM, now=now_utc(), today=j.today, rulebook=j.rulebook)

    assert j.stage("stage_one") == "gathering"
    assert j.due("stage_one_decision") is None
    j.on("2026-06-20").obtain_all()
    assert j.stage("stage_one") == "complete"


def test_somebody_who_moves_in_is_checked_and_somebody_who_leaves_is_not(journey):
    j = journey.on("2026-02-02").in_assessment().obtain_all()
    assert j.stage("stage_one") == "complete"

    lodger = j.do(
        household.somebody_moved_in, j.case,
        NewMember(given_name="Jude", family_name="Marsh", role=PersonRole.HOUSEHOLD_ADULT, born_on=date(1990, 5, 5)),
        by=j.cast.officer,
    )  # fmt: skip
    assert j.stage("stage_one") == "gathering"
    assert j.check("dbs", "Jude").is_statutory

    j.do(household.somebody_moved_out, j.case, lodger.id, left_on=j.today, by=j.cast.officer)
    assert [check for check in j.checks() if check.person_id == lodger.id] == []
    assert j.stage("stage_one") == "complete"


def test_a_seventeen_year_old_applicant_is_refused(journey):
    j = journey.on("2026-02-02").invited(NewPerson(given_name="Ali", email="ali@example.org"))

    with pytest.raises(household.AgeNotPossible, match="17"):
        j.applied(born={"Ali": date(2008, 6, 1)})

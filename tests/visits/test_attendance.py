"""What happened on the day, and what follows: another date, a letter, a manager's decision. Counted by hand."""

from datetime import date

import pytest
import sqlalchemy as sa

from crm.cases import queries as case_queries
from crm.cases.change_stage import change_stage
from crm.cases.clocks import running_clocks
from crm.cases.models import Case, Task, TimelineEntry
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.rules.stages import TrackName
from crm.visits import attendance, queries, report
from crm.visits.attendance import NotTheirVisit, VisitStillToCome
from crm.visits.booking import VisitIsOver
from crm.visits.models import Outcome, VisitStatus
from crm.visits.sign_off import DecisionIncomplete, NotReadyToSignOff, OwnReport, send_back
from tests.visits.conftest import at


def clocks_of(case):
    return {clock.rule: clock.due_on for clock in running_clocks(case)}


def kinds():
    return list(db.session.scalars(sa.select(OutboundMessage.kind).order_by(OutboundMessage.id)))


@pytest.fixture
def visited(verbs, freeze):
    """A visit that was held on Tuesday 14 July, whose report has been sent."""
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 16:00")
    verbs.hold(visit)
    verbs.write_up(visit)
    return case, visit


def test_s6_two_visits_with_nobody_in(verbs, freeze):
    """Scenario S6: Tuesday 14 April 2026, 2pm, nobody in; again on 21 April."""
    freeze("2026-04-08 10:00")
    case = verbs.household()
    first = verbs.book(case, "2026-04-14 14:00")
    freeze("2026-04-14 14:20")

    verbs.nobody_in(first)
    assert clocks_of(case)["rebook_visit"] == date(2026, 4, 21)
    assert case.stages[TrackName.ENQUIRY] == "contacted"
    assert "no_access_letter" not in clocks_of(case)
    assert queries.close_list(verbs.cast.manager.actor, today=date(2026, 4, 14)) == []

    second = verbs.book(case, "2026-04-21 14:00")
    assert "rebook_visit" not in clocks_of(case)
    freeze("2026-04-21 14:20")
    verbs.nobody_in(second)

    assert clocks_of(case)["no_access_letter"] == date(2026, 4, 28)
    assert "rebook_visit" not in clocks_of(case)
    waiting = queries.close_list(verbs.cast.manager.actor, today=date(2026, 4, 21))
    assert [(one.reference, one.letter_due_on) for one in waiting] == [(case.reference, date(2026, 4, 28))]


def test_a_missed_visit_written_down_two_days_late_still_counts_from_its_day(verbs, freeze):
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-16 09:00")

    verbs.nobody_in(visit)

    assert clocks_of(case)["rebook_visit"] == date(2026, 7, 21)


def test_a_visit_late_on_a_july_evening_belongs_to_its_london_day(verbs, freeze):
    """23:30 UTC on 14 July is half past midnight on the 15th in London; the visit of the 14th stays the 14th's."""
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 17:30")
    freeze("2026-07-15 00:30")

    verbs.nobody_in(visit)

    assert clocks_of(case)["rebook_visit"] == date(2026, 7, 21)
    assert [line.visit_id for line in queries.visits_on(verbs.cast.officer.id, date(2026, 7, 14))] == []


def test_a_household_that_was_missed_hears_of_it_and_its_time_is_free_again(verbs, freeze):
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 14:20")

    verbs.nobody_in(visit)

    assert kinds().count("visit_no_access") == 2
    assert not any(row.holds for row in visit.officers)
    assert visit.status == VisitStatus.NO_ACCESS


def test_after_reopening_missed_visits_are_counted_anew(verbs, freeze):
    case = verbs.household()
    for day in ("07-14", "07-21"):
        visit = verbs.book(case, f"2026-{day} 14:00")
        freeze(f"2026-{day} 14:20")
        verbs.nobody_in(visit)
    manager = verbs.cast.manager.actor
    freeze("2026-07-22 10:00")
    with transaction():
        change_stage(
            case, "close_enquiry", reason="Nobody in", reason_code="no_access",
            letter_context={"reasons": "We came twice."}, **verbs.given(actor=manager),
        )  # fmt: skip
    assert clocks_of(case) == {}
    freeze("2026-09-01 10:00")
    with transaction():
        change_stage(case, "reopen_enquiry", **verbs.given(actor=manager))

    assert queries.missed_visits(case) == 0


def test_nobody_in_is_written_by_those_who_went_once_the_time_has_come(verbs, freeze):
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")

    with pytest.raises(VisitStillToCome):
        verbs.nobody_in(visit)
    freeze("2026-07-14 14:20")
    with pytest.raises(NotTheirVisit):
        verbs.nobody_in(visit, by=verbs.cast.other_officer)
    verbs.nobody_in(visit, by=verbs.cast.manager)
    with pytest.raises(VisitIsOver, match="nobody was in"):
        verbs.nobody_in(visit)


def test_leaving_because_it_was_not_safe_writes_to_nobody_and_tells_the_owner(verbs, freeze):
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 14:20")
    before = len(kinds())

    with transaction():
        attendance.record_abandoned(
            visit, case, note="A man shouted at the door", **verbs.given(actor=verbs.cast.officer.actor)
        )

    assert len(kinds()) == before
    assert db.session.scalars(sa.select(Task.assigned_to_id)).all() == [verbs.cast.recruiter.id]
    entry = db.session.scalars(sa.select(TimelineEntry).where(TimelineEntry.sensitivity == "safety")).one()
    assert "shouted" not in entry.title
    assert case.stages[TrackName.ENQUIRY] == "contacted"


def test_a_visit_that_went_ahead_starts_the_clock_for_its_outcome(verbs, freeze):
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-16 09:00")

    verbs.hold(visit)

    assert case.stages[TrackName.ENQUIRY] == "visited"
    assert clocks_of(case) == {"visit_outcome": date(2026, 7, 21)}
    assert [line.visit_id for line in queries.reports_to_write(verbs.cast.officer.id)] == [visit.id]


def test_a_visit_is_not_recorded_before_it_happens_or_at_odd_times(verbs, freeze):
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")
    given = verbs.given(actor=verbs.cast.officer.actor)

    with pytest.raises(VisitStillToCome):
        verbs.hold(visit)
    freeze("2026-07-14 16:00")
    given = verbs.given(actor=verbs.cast.officer.actor)
    for start, end in (("2026-07-14 15:00", "2026-07-14 14:00"), ("2026-07-13 14:00", "2026-07-13 15:00")):
        with pytest.raises(VisitStillToCome):
            attendance.record_visit(visit, case, held_from_at=at(start), held_until_at=at(end), **given)


def test_a_manager_invites_the_household_to_apply(verbs, visited):
    case, visit = visited

    verbs.sign_off(visit, Outcome.INVITE)

    assert case.stages[TrackName.ENQUIRY] == "invited"
    assert kinds().count("invitation_to_apply") == 2
    assert set(clocks_of(case)) == {"application_expected"}
    assert queries.evidence_for(case, date(2026, 7, 14)) == {
        "visit_on": date(2026, 7, 14),
        "visit_outcome": "invite",
        "visit_signed_off": True,
    }


def test_not_now_sets_the_day_to_talk_again_and_writes_why(verbs, visited):
    case, visit = visited

    verbs.sign_off(visit, Outcome.NOT_NOW, reasons="A new job", recontact_on=date(2027, 2, 1), reason_code="work")

    assert case.stages[TrackName.ENQUIRY] == "not_now"
    assert clocks_of(case) == {"recontact": date(2027, 2, 1)}
    assert "not_now" in kinds()


def test_declining_closes_the_enquiry_with_reasons(verbs, visited):
    case, visit = visited

    verbs.sign_off(visit, Outcome.DECLINE, reasons="There is no room for a child")

    assert not case.is_open
    assert case.closed_reason == "declined_after_visit"
    assert "enquiry_closed" in kinds()


def test_a_second_visit_is_due_in_five_working_days_and_can_be_booked(verbs, visited):
    case, visit = visited

    verbs.sign_off(visit, Outcome.SECOND_VISIT)
    assert clocks_of(case) == {"rebook_visit": date(2026, 7, 21)}
    again = verbs.book(case, "2026-07-20 14:00", purpose="re_visit")

    assert again.moves_enquiry
    assert case.stages[TrackName.ENQUIRY] == "visit_booked"


@pytest.mark.parametrize(
    ("outcome", "given"),
    [
        (Outcome.DECLINE, {"reasons": " "}),
        (Outcome.NOT_NOW, {"reasons": "A new job"}),
        (Outcome.NOT_NOW, {"reasons": "A new job", "recontact_on": date(2026, 7, 14)}),
    ],
)
def test_a_no_needs_reasons_and_a_not_now_a_later_day(verbs, visited, outcome, given):
    _, visit = visited

    with pytest.raises(DecisionIncomplete):
        verbs.sign_off(visit, outcome, **given)


def test_nobody_signs_off_their_own_report(verbs, freeze):
    manager = verbs.cast.manager
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00", manager)
    freeze("2026-07-14 16:00")
    verbs.hold(visit, by=manager)
    verbs.write_up(visit, by=manager)

    with pytest.raises(OwnReport):
        verbs.sign_off(visit, Outcome.INVITE, by=manager)
    assert queries.reports_to_sign_off(manager.actor) == []
    with pytest.raises(sa.exc.IntegrityError), transaction():
        db.session.execute(
            sa.text(
                "UPDATE visit_report SET signed_off_at = :at, outcome = 'invite', signed_off_by_id = written_by_id"
            ),
            {"at": "2026-07-14 15:00:00+00:00"},
        )


def test_a_report_that_was_not_sent_is_not_signed_off_nor_one_signed_twice(verbs, freeze):
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 16:00")
    verbs.hold(visit)

    with pytest.raises(NotReadyToSignOff):
        verbs.sign_off(visit, Outcome.INVITE)
    verbs.write_up(visit)
    verbs.sign_off(visit, Outcome.INVITE)
    with pytest.raises(NotReadyToSignOff):
        verbs.sign_off(visit, Outcome.INVITE)


def test_a_report_saved_in_two_places_is_not_overwritten(verbs, freeze):
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 16:00")
    verbs.hold(visit)
    given = {"actor": verbs.cast.officer.actor, "now": at("2026-07-14 16:00")}
    with transaction():
        seen = report.save_part(visit, number=1, answers={"present": "Both"}, items={}, **given).version
    with transaction():
        report.save_part(visit, number=2, answers={"support": "Her mother"}, items={}, seen=seen, **given)

    with pytest.raises(report.ReportHasChanged):
        report.save_part(visit, number=2, answers={"support": "Nobody"}, items={}, seen=seen, **given)
    db.session.rollback()
    assert report.sections_of(visit.report) == {"present": "Both", "support": "Her mother"}


def test_what_a_report_says_is_sealed_in_the_database(verbs, visited):
    columns = db.session.execute(
        sa.text("SELECT sections_sealed, safety_sealed, reasons_sealed FROM visit_report")
    ).one()

    assert all(value and "Talked" not in value and "agreed" not in value for value in columns)


def test_an_officer_keeps_the_household_until_the_report_is_read(verbs, visited):
    case, _ = visited

    opened = case_queries.case_for(verbs.cast.officer.actor, case.reference, today=date(2026, 7, 14))

    assert isinstance(opened, Case)


def test_a_leavers_booked_visits_become_tasks(verbs):
    from crm.visits.booking import hand_over_visits

    verbs.book(verbs.household(1), "2026-07-14 14:00")
    verbs.book(verbs.household(2), "2026-07-15 14:00")
    cast = verbs.cast

    with transaction():
        handed = hand_over_visits(
            from_user_id=cast.officer.id,
            to_user_id=cast.manager.id,
            actor=cast.manager.actor,
            now=at("2026-07-06 09:30"),
            today=date(2026, 7, 6),
        )

    assert handed == 2
    titles = db.session.scalars(sa.select(Task.title).where(Task.assigned_to_id == cast.manager.id)).all()
    assert "Find somebody for the visit of Tuesday 14 July, 2pm" in titles


def test_whoever_was_not_let_in_writes_no_letter_and_the_owner_rings(verbs, freeze):
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 14:20")

    with transaction():
        attendance.record_no_access(
            visit, case, note="Spoke through the door.", was_refused=True, **verbs.given(actor=verbs.cast.officer.actor)
        )

    assert "visit_no_access" not in kinds()
    assert clocks_of(case)["rebook_visit"] == date(2026, 7, 21)
    [task] = db.session.scalars(sa.select(Task))
    assert (task.title, task.assigned_to_id) == (
        "They did not let us in on Tuesday 14 July. Ring them and find out why",
        verbs.cast.recruiter.id,
    )


def test_a_report_that_is_sent_has_a_managers_clock_until_it_is_signed_off_or_sent_back(verbs, visited):
    case, visit = visited

    assert clocks_of(case)["visit_sign_off"] == date(2026, 7, 16)
    with transaction():
        send_back(visit, case, why="Who was there?", **verbs.given(actor=verbs.cast.manager.actor))
    assert "visit_sign_off" not in clocks_of(case)
    verbs.write_up(visit)
    verbs.sign_off(visit, Outcome.SECOND_VISIT)
    assert "visit_sign_off" not in clocks_of(case)


def test_what_a_visit_decides_that_no_enquiry_waits_for_is_a_task(verbs, visited):
    case, visit = visited
    with transaction():
        visit.moves_enquiry = False

    verbs.sign_off(visit, Outcome.DECLINE)

    [task] = db.session.scalars(sa.select(Task))
    assert task.title == "Talk to them about stopping: decided on the visit of Tuesday 14 July"
    assert case.is_open

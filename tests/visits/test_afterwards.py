"""A visit made without being booked: who may say so, when it can have been, and that it is a visit like any other."""

from datetime import date

import pytest
import sqlalchemy as sa

from crm.audit.models import AuditEntry
from crm.calendars import feeds
from crm.calendars.models import CalendarObject
from crm.cases import assignment
from crm.cases.change_stage import CaseHasMovedOn, change_stage
from crm.cases.clocks import running_clocks
from crm.cases.models import AssignmentRole, Case, Deadline, TimelineEntry
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.rules.permissions import NotPermitted
from crm.rules.stages import TrackName
from crm.rules.transitions import MoveNotOpen
from crm.visits import afterwards, queries
from crm.visits.afterwards import VisitClashes, record_past_visit
from crm.visits.attendance import NotTheirVisit
from crm.visits.booking import VisitNotBookable
from crm.visits.models import Outcome, Place, Purpose, Visit, VisitOfficer, VisitStatus
from tests.visits.conftest import at


@pytest.fixture
def made(verbs, freeze):
    """``made(case, "2026-07-14 14:00", "15:00")``: record that visit, on Tuesday 14 July at 4pm unless moved."""
    freeze("2026-07-14 16:00")

    def record(case, start, until, *officers, by=None, **changes):
        with transaction():
            return record_past_visit(
                case,
                **verbs.given(
                    **{
                        "purpose": Purpose.FIRST_VISIT,
                        "place": Place.HOME,
                        "starts_at": at(start),
                        "ends_at": at(f"{start[:10]} {until}"),
                        "officer_ids": [one.id for one in officers or (verbs.cast.officer,)],
                        "who_was_there": "Maya and Daniel",
                        "actor": (by or verbs.cast.officer).actor,
                        **changes,
                    }
                ),
            )

    return record


@pytest.fixture
def case(verbs, freeze):
    """A household opened on Monday 6 July and spoken to on the same day."""
    return verbs.household()


def kinds():
    return list(db.session.scalars(sa.select(OutboundMessage.kind).order_by(OutboundMessage.id)))


def clocks_of(case):
    return {clock.rule: clock.due_on for clock in running_clocks(case)}


def test_a_visit_nobody_booked_moves_the_enquiry_on_from_the_day_it_was_made(verbs, case, made):
    visit = made(case, "2026-07-13 14:00", "15:00")

    assert (visit.status, visit.moves_enquiry, visit.was_booked) == (VisitStatus.DONE, True, False)
    assert (visit.held_from_at, visit.held_until_at) == (at("2026-07-13 14:00"), at("2026-07-13 15:00"))
    assert case.stages[TrackName.ENQUIRY] == "visited"
    assert clocks_of(case) == {"visit_outcome": date(2026, 7, 20)}
    met = sa.select(Deadline.rule, Deadline.stopped_on).where(Deadline.stopped_how == "met")
    assert {("book_visit", date(2026, 7, 13)), ("initial_visit", date(2026, 7, 13))} <= {
        tuple(row) for row in db.session.execute(met)
    }


def test_it_is_written_up_and_signed_off_as_any_other(verbs, case, made):
    visit = made(case, "2026-07-13 14:00", "15:00")
    assert [line.visit_id for line in queries.reports_to_write(verbs.cast.officer.id)] == [visit.id]

    verbs.write_up(visit)
    verbs.sign_off(visit, Outcome.INVITE)

    assert case.stages[TrackName.ENQUIRY] == "invited"
    assert queries.evidence_for(case, date(2026, 7, 14))["visit_on"] == date(2026, 7, 13)


def test_nobody_is_invited_and_the_officers_calendar_shows_it(verbs, case, made):
    before = kinds()
    officer = verbs.cast.officer
    with transaction():
        token = feeds.make_address(user_id=officer.id, actor=officer.actor, now=now_utc())

    visit = made(case, "2026-07-13 14:00", "15:00")

    assert kinds() == before
    entries = db.session.scalars(sa.select(CalendarObject).where(CalendarObject.visit_id == visit.id)).all()
    assert [(one.user_id, one.person_id, one.starts_at) for one in entries] == [(officer.id, None, visit.starts_at)]
    feed = feeds.feed_bytes(feeds.feed_state(token, now=now_utc()), name="Visits", now=now_utc()).decode()
    assert case.reference in feed
    assert "20260713T130000Z" in feed


def test_it_leaves_its_trace_on_the_timeline_and_in_the_trail(verbs, case, made):
    visit = made(case, "2026-07-13 14:00", "15:00", who_was_there="Maya, and her sister")

    entry = db.session.scalars(sa.select(TimelineEntry).where(TimelineEntry.kind == "visit")).one()
    assert entry.title == "First home visit, not booked: Monday 13 July, 2pm to 3pm, Nadia Rahman"
    assert entry.detail == "Maya, and her sister"
    trail = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.event == "visit.made_unbooked")).one()
    assert (trail.case_id, trail.subject, trail.actor_id) == (case.id, f"visit:{visit.id}", verbs.cast.officer.id)


def test_a_household_not_yet_spoken_to_has_been_spoken_to_by_the_visit(verbs, made):
    cast = verbs.cast
    with transaction():
        case = open_case(
            people=[NewPerson(given_name="June", family_name="Hale", email="june@example.org")],
            touch=NewTouch(channel="web", received_at=at("2026-07-13 10:00"), source="Web form"),
            owner_id=cast.officer.id,
            **verbs.given(actor=cast.recruiter.actor),
        )

    made(case, "2026-07-14 11:00", "12:00")

    assert case.stages[TrackName.ENQUIRY] == "visited"
    assert clocks_of(case) == {"visit_outcome": date(2026, 7, 21)}
    assert "information_pack" in kinds()


def test_a_further_visit_starts_the_clock_of_its_outcome_again(verbs, case, made, freeze):
    made(case, "2026-07-13 14:00", "15:00")
    freeze("2026-07-16 16:00")

    made(case, "2026-07-16 10:00", "11:00", purpose=Purpose.RE_VISIT)

    assert case.stages[TrackName.ENQUIRY] == "visited"
    assert clocks_of(case) == {"visit_outcome": date(2026, 7, 23)}


@pytest.mark.parametrize(
    ("start", "until", "words"),
    [
        ("2026-07-15 10:00", "11:00", "still to come"),
        ("2026-07-14 15:30", "16:30", "still to come"),
        ("2026-07-14 15:00", "14:00", "ended after it began"),
        ("2026-07-14 15:00", "15:00", "ended after it began"),
        ("2026-07-05 15:00", "16:00", "before we first heard from them, on Monday 6 July"),
    ],
)
def test_a_visit_is_not_in_the_future_nor_before_they_enquired(case, made, start, until, words):
    with pytest.raises(VisitNotBookable, match=words):
        made(case, start, until)

    assert db.session.scalar(sa.select(sa.func.count()).select_from(Visit)) == 0


def test_what_is_more_than_sixty_days_ago_a_manager_records(verbs, case, made, freeze):
    freeze("2026-09-12 10:00")
    with pytest.raises(VisitNotBookable, match="Ask a manager"):
        made(case, "2026-07-13 14:00", "15:00")
    assert made(case, "2026-07-14 14:00", "15:00").status == VisitStatus.DONE

    other = verbs.household(2)
    with transaction():
        other.opened_at = at("2026-07-06 10:00")
    visit = made(other, "2026-07-08 14:00", "15:00", by=verbs.cast.manager)

    assert visit.officer_ids == (verbs.cast.officer.id,)


def test_only_those_who_went_or_a_manager_record_it(verbs, case, made):
    with pytest.raises(NotTheirVisit):
        made(case, "2026-07-13 14:00", "15:00", by=verbs.cast.other_officer)
    with pytest.raises(NotPermitted):
        made(case, "2026-07-13 14:00", "15:00", by=verbs.cast.recruiter)
    with pytest.raises(VisitNotBookable, match="makes visits"):
        made(case, "2026-07-13 14:00", "15:00", verbs.cast.recruiter, by=verbs.cast.manager)


def test_who_was_there_is_said(case, made):
    with pytest.raises(VisitNotBookable, match="who was there"):
        made(case, "2026-07-13 14:00", "15:00", who_was_there="  ")


def test_an_officer_who_was_at_another_visit_is_told_at_which(verbs, case, made, freeze):
    other = verbs.household(2)
    freeze("2026-07-06 09:30")
    verbs.book(other, "2026-07-13 14:00")
    freeze("2026-07-14 16:00")

    with pytest.raises(VisitClashes, match=rf"Monday 13 July, 2pm to 3:30pm \({other.reference}\)"):
        made(case, "2026-07-13 15:00", "16:00")

    with pytest.raises(VisitClashes) as refused:
        made(case, "2026-07-13 15:00", "16:00", verbs.cast.officer, verbs.cast.other_officer,
             by=verbs.cast.other_officer)  # fmt: skip
    assert other.reference not in refused.value.message


def test_the_database_refuses_an_overlap_that_nobody_saw_coming(verbs, case, made, monkeypatch):
    other = verbs.household(2)
    made(other, "2026-07-14 10:00", "11:00")
    looked = []
    real = afterwards._clash

    def blind_at_first(*args, **kwargs):
        looked.append(1)
        return None if len(looked) == 1 else real(*args, **kwargs)

    monkeypatch.setattr(afterwards, "_clash", blind_at_first)
    with pytest.raises(VisitClashes, match="had another visit then"):
        made(case, "2026-07-14 10:30", "11:30")

    assert db.session.scalar(sa.select(sa.func.count()).select_from(Visit)) == 1
    assert case.stages[TrackName.ENQUIRY] == "contacted"


def test_the_house_next_door_needs_no_driving_time(verbs, case, made, freeze):
    neighbour, after = verbs.household(2), verbs.household(3)
    freeze("2026-07-06 09:30")
    verbs.book(neighbour, "2026-07-14 10:00")
    verbs.book(after, "2026-07-14 13:00")
    freeze("2026-07-14 16:00")

    visit = made(case, "2026-07-14 11:35", "12:55")

    held = db.session.execute(
        sa.select(VisitOfficer.starts_at, VisitOfficer.ends_at, VisitOfficer.blocked_until_at).order_by(
            VisitOfficer.starts_at
        )
    ).all()
    assert [row.blocked_until_at for row in held[:2]] == [visit.starts_at, at("2026-07-14 13:00")]
    with pytest.raises(VisitClashes, match="at that time"):
        made(case, "2026-07-14 11:35", "12:00")


def test_a_booked_visit_stands_or_is_called_off_as_the_person_says(verbs, case, made, freeze):
    freeze("2026-07-06 09:30")
    booked = verbs.book(case, "2026-07-16 14:00")
    freeze("2026-07-14 16:00")

    besides = made(case, "2026-07-14 10:00", "10:30")
    assert (besides.moves_enquiry, booked.status) == (False, VisitStatus.BOOKED)
    assert case.stages[TrackName.ENQUIRY] == "visit_booked"

    instead = made(case, "2026-07-14 11:00", "12:00", instead_of=booked)
    assert (instead.moves_enquiry, booked.status) == (True, VisitStatus.CANCELLED)
    assert case.stages[TrackName.ENQUIRY] == "visited"
    assert kinds().count("visit_cancelled") == 2
    assert clocks_of(case) == {"visit_outcome": date(2026, 7, 21)}


def test_a_visit_after_the_invitation_is_kept_and_moves_nothing(verbs, case, made):
    first = made(case, "2026-07-13 14:00", "15:00")
    verbs.write_up(first)
    verbs.sign_off(first, Outcome.INVITE)

    later = made(case, "2026-07-14 14:00", "15:00", purpose=Purpose.RE_VISIT)

    assert not later.moves_enquiry
    assert case.stages[TrackName.ENQUIRY] == "invited"


def test_a_stage_two_session_is_recorded_once_they_have_applied(verbs, case, made):
    with pytest.raises(VisitNotBookable, match="not applied yet"):
        made(case, "2026-07-13 14:00", "15:00", purpose=Purpose.STAGE_TWO_SESSION)
    first = made(case, "2026-07-13 14:00", "15:00")
    verbs.write_up(first)
    verbs.sign_off(first, Outcome.INVITE)
    with transaction():
        change_stage(case, "receive_application", send_letters=False, **verbs.given(actor=verbs.cast.officer.actor))

    session = made(case, "2026-07-14 14:00", "15:30", purpose=Purpose.STAGE_TWO_SESSION)

    assert not session.moves_enquiry
    assert [line.visit_id for line in queries.reports_to_write(verbs.cast.officer.id)] == [session.id]
    with pytest.raises(VisitNotBookable, match="first visit is behind them"):
        made(case, "2026-07-14 10:00", "11:00")


def test_a_household_that_rests_or_has_ended_is_opened_again_first(verbs, case, made):
    given = verbs.given(actor=verbs.cast.manager.actor)
    with transaction():
        change_stage(
            case, "set_not_now", reason="A new job", reason_code="work", due_on={"recontact": date(2027, 2, 1)},
            letter_context={"reasons": "A new job", "back_on": date(2027, 2, 1)}, **given,
        )  # fmt: skip
    with pytest.raises(MoveNotOpen):
        made(case, "2026-07-13 14:00", "15:00")
    with transaction():
        change_stage(case, "close_enquiry", reason="Moved away", reason_code="other",
                     letter_context={"reasons": ""}, **given)  # fmt: skip
    with pytest.raises(VisitNotBookable, match="Open it again"):
        made(case, "2026-07-13 14:00", "15:00")


def test_one_of_two_who_record_from_the_same_view_is_told_that_it_changed(verbs, case, made):
    seen = case.version
    made(case, "2026-07-13 14:00", "15:00", seen=seen)

    with pytest.raises(CaseHasMovedOn):
        made(case, "2026-07-13 16:00", "17:00", seen=seen)


# --- The page ---------------------------------------------------------------------------------------------------------


def filled(**changes):
    values = {
        "held_on-day": "13", "held_on-month": "7", "held_on-year": "2026", "held_from": "2pm", "held_until": "3pm",
        "place": "home", "present": "Maya and Daniel", **changes,
    }  # fmt: skip
    return {"button": "Keep, and write it up", **values}


def test_an_officer_records_the_visit_and_goes_straight_on_to_its_report(client, verbs, case, freeze):
    freeze("2026-07-14 16:00")
    cast = verbs.cast
    with transaction():
        assignment.assign(
            db.session.get(Case, case.id), user_id=cast.officer.id, role=AssignmentRole.OWNER,
            actor=cast.manager.actor, now=now_utc(), today=today_in_london(),
        )  # fmt: skip
    client.sign_in(cast.officer)
    overview = client.get(f"/cases/{case.reference}").page
    page = client.get(overview.links["Record a visit already made"]).page
    assert page.h1 == "Record a visit already made"
    assert [box for box in page.all("input", name="place") if "checked" in box.attributes] == []

    empty = client.submit(page, button="Keep, and write it up")
    assert empty.status_code == 422
    assert {"Say which day it was", "Choose where you met", "Say who was there"} <= set(empty.page.errors)

    report = client.submit(page, **filled(), follow=True).page
    assert report.h1 == "Who was there"
    assert report.find("textarea", name="present").text == "Maya and Daniel"
    visits = client.get(f"/cases/{case.reference}/visits").page
    assert "Nadia Rahman. Not booked" in visits.text


def test_a_clash_comes_back_with_everything_typed(client, verbs, case, freeze):
    other = verbs.household(2)
    verbs.book(other, "2026-07-13 14:00")
    freeze("2026-07-14 16:00")
    client.sign_in(verbs.cast.manager)
    page = client.get(f"/cases/{case.reference}/visits/made").page

    refused = client.submit(page, **filled(officers=[str(verbs.cast.officer.id)], present="Only Maya"))

    assert refused.status_code == 409
    assert other.reference in refused.page.errors[0]
    assert refused.page.find("textarea", name="present").text == "Only Maya"
    assert "Stage 2 session" not in refused.page.text


def test_what_is_booked_is_asked_about_only_where_something_is(client, verbs, case, freeze):
    verbs.book(case, "2026-07-16 14:00")
    freeze("2026-07-14 16:00")
    client.sign_in(verbs.cast.manager)
    page = client.get(f"/cases/{case.reference}/visits/made").page
    officer = [str(verbs.cast.officer.id)]

    unsaid = client.submit(page, **filled(officers=officer))
    assert unsaid.page.errors == ["Choose what happens to what is booked"]
    booked = db.session.scalars(sa.select(Visit.id)).one()
    db.session.rollback()
    done = client.submit(page, **filled(officers=officer, instead_of=str(booked)), follow=True)

    assert "The visit is kept. Nadia Rahman will write it up." in done.page.text
    db.session.expire_all()
    assert db.session.get(Visit, booked).status == VisitStatus.CANCELLED


def test_a_session_of_the_assessment_asks_what_fits_it_and_nobody_is_invited_again(client, verbs, case, made):
    cast = verbs.cast
    first = made(case, "2026-07-13 14:00", "15:00")
    verbs.write_up(first)
    verbs.sign_off(first, Outcome.INVITE)
    with transaction():
        change_stage(case, "receive_application", send_letters=False, **verbs.given(actor=cast.officer.actor))
    session = made(case, "2026-07-14 14:00", "15:30", purpose=Purpose.STAGE_TWO_SESSION)
    client.sign_in(cast.officer)
    offered = client.get(f"/cases/{case.reference}/visits/made").page
    assert "First home visit" not in offered.find("main").text
    assert "Stage 2 session" in offered.find("main").text

    last = client.get(f"/visits/{session.id}/report?part=8").page.find("main").text
    assert "Go on as planned" in last
    assert "Invite them to apply" not in last
    verbs.write_up(session)
    client.sign_in(cast.manager)
    page = client.get(f"/visits/{session.id}/sign-off").page
    assert [box for box in page.all("input", name="outcome") if "checked" in box.attributes] == []
    done = client.submit(page, button="Sign off", outcome="invite", follow=True)

    assert "Signed off: go on as planned." in done.page.text
    assert kinds().count("invitation_to_apply") == 2


def test_whoever_went_finds_it_on_their_day_until_the_report_has_gone(client, verbs, case, made):
    visit = made(case, "2026-07-13 14:00", "15:00", verbs.cast.other_officer, by=verbs.cast.manager)
    client.sign_in(verbs.cast.other_officer)
    assert "1 visit to write up" in client.get("/my-day").page.text

    verbs.write_up(visit, by=verbs.cast.other_officer)

    assert "to write up" not in client.get("/my-day").page.text

"""Booking a visit, moving it, calling it off: who is told, what moves, and what is refused."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from icalendar import Calendar

from crm.audit import AuditEntry
from crm.calendars.models import CalendarObject, OfficerCalendar
from crm.cases import queries as case_queries
from crm.cases.change_stage import CaseHasMovedOn
from crm.cases.clocks import running_clocks
from crm.cases.models import Case, TimelineEntry
from crm.db import db, transaction
from crm.delivery import MessageStatus, OutboundMessage
from crm.rules.permissions import NotPermitted
from crm.rules.refusal import Refusal
from crm.rules.stages import TrackName
from crm.rules.transitions import MoveNotOpen
from crm.visits.booking import SlotTaken, VisitHasChanged, VisitIsOver, VisitNotBookable
from crm.visits.models import Place, Purpose, Visit, VisitOfficer, VisitStatus
from tests.visits.conftest import at


def letters(kind=None):
    query = sa.select(OutboundMessage).order_by(OutboundMessage.id)
    if kind:
        query = query.where(OutboundMessage.kind == kind)
    return list(db.session.scalars(query))


def event_of(message):
    from email import message_from_bytes, policy

    parsed = message_from_bytes(message.payload, policy=policy.default)
    part = next(part for part in parsed.walk() if part.get_content_type() == "text/calendar")
    calendar = Calendar.from_ical(part.get_content())
    return str(calendar["METHOD"]), calendar.events[0]


def test_a_booked_visit_moves_the_enquiry_and_stops_its_clock(verbs):
    case = verbs.household()

    visit = verbs.book(case, "2026-07-14 14:00")

    assert case.stages[TrackName.ENQUIRY] == "visit_booked"
    assert {clock.rule for clock in running_clocks(case)} == {"initial_visit"}
    assert visit.ends_at - visit.starts_at == timedelta(minutes=90)
    assert visit.officer_ids == (verbs.cast.officer.id,)


def test_everybody_gets_an_invitation_of_their_own(verbs):
    case = verbs.household()

    verbs.book(case, "2026-07-14 14:00")

    invitations = letters("visit_invitation")
    assert [message.recipient for message in invitations] == ["maya1@example.org", "daniel1@example.org"]
    officers = letters("officer_visit_invitation")
    assert [message.recipient for message in officers] == ["officer@example.org"]
    events = [event_of(message) for message in [*invitations, *officers]]
    assert {method for method, _ in events} == {"REQUEST"}
    assert len({str(event["UID"]) for _, event in events}) == 3
    assert [str(event["ATTENDEE"]) for _, event in events] == [
        "mailto:maya1@example.org",
        "mailto:daniel1@example.org",
        "mailto:officer@example.org",
    ]
    assert {str(event["ORGANIZER"]) for _, event in events} == {"mailto:visits@kestrel.example.org"}


def test_the_household_reads_no_address_and_the_officer_no_name(verbs):
    case = verbs.household()

    verbs.book(case, "2026-07-14 14:00")

    _, theirs = event_of(letters("visit_invitation")[0])
    assert str(theirs["SUMMARY"]) == "Kestrel visit"
    assert str(theirs["LOCATION"]) == "At your home"
    _, ours = event_of(letters("officer_visit_invitation")[0])
    assert str(ours["SUMMARY"]) == f"Home visit {case.reference}, SE6"
    assert str(ours["LOCATION"]) == "SE6"
    text = ours.to_ical().decode()
    for secret in ("Maya", "Thompson", "Daniel", "Rowan", "SE6 0KV", "07700"):
        assert secret not in text


def test_the_times_in_an_invitation_are_utc_in_summer(verbs):
    verbs.book(verbs.household(), "2026-07-14 14:00")

    _, event = event_of(letters("visit_invitation")[0])

    assert event["DTSTART"].to_ical() == b"20260714T130000Z"
    assert event["DTEND"].to_ical() == b"20260714T143000Z"


def test_a_moved_visit_keeps_its_uid_and_raises_its_sequence(verbs):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    before = {str(event["ATTENDEE"]): str(event["UID"]) for _, event in map(event_of, letters("visit_invitation"))}
    with transaction():
        db.session.execute(sa.update(OutboundMessage).values(status="sent", sent_at=at("2026-07-06 09:31")))

    verbs.move(visit, "2026-07-15 10:00")

    moved = [event_of(message) for message in letters("visit_changed")]
    assert {str(event["ATTENDEE"]): str(event["UID"]) for _, event in moved} == before
    assert {(method, int(event["SEQUENCE"])) for method, event in moved} == {("REQUEST", 1)}
    assert {event["DTSTART"].to_ical() for _, event in moved} == {b"20260715T090000Z"}
    assert [int(event_of(m)[1]["SEQUENCE"]) for m in letters("officer_visit_changed")] == [1]


def test_a_visit_moved_twice_before_anything_left_sends_one_letter(verbs):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    verbs.move(visit, "2026-07-15 10:00")
    verbs.move(visit, "2026-07-16 10:00")

    waiting = [m for m in letters() if m.status == MessageStatus.QUEUED and m.recipient == "maya1@example.org"]
    invitations = [m for m in waiting if m.calendar_method]

    assert len(invitations) == 1
    assert int(event_of(invitations[0])[1]["SEQUENCE"]) == 2


def test_moving_a_visit_to_where_it_is_tells_nobody(verbs):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    before = len(letters())

    verbs.move(visit, "2026-07-14 14:00")

    assert len(letters()) == before
    assert visit.sequence == 0


def test_a_cancelled_visit_is_taken_out_of_every_calendar(verbs):
    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")
    with transaction():
        db.session.execute(sa.update(OutboundMessage).values(status="sent", sent_at=at("2026-07-06 09:31")))

    verbs.cancel(visit)

    events = [event_of(m) for m in [*letters("visit_cancelled"), *letters("officer_visit_cancelled")]]
    assert [(method, int(event["SEQUENCE"]), str(event["STATUS"])) for method, event in events] == [
        ("CANCEL", 1, "CANCELLED")
    ] * 3
    assert case.stages[TrackName.ENQUIRY] == "contacted"
    assert "rebook_visit" in {clock.rule for clock in running_clocks(case)}
    assert not any(row.holds for row in visit.officers)
    assert all(row.removed_at is not None for row in db.session.scalars(sa.select(CalendarObject)))


def test_a_visit_cancelled_before_its_invitation_left_tells_nobody(verbs):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")

    verbs.cancel(visit)

    about = [m for m in letters() if m.calendar_method]
    assert {m.status for m in about} == {MessageStatus.SUPERSEDED}


def test_a_household_without_email_is_written_to_by_post(verbs):
    case = verbs.household(email=False)

    verbs.book(case, "2026-07-14 14:00")

    invitations = letters("visit_invitation")
    assert {(m.channel, m.status, m.calendar_method) for m in invitations} == {("post", "to_print", None)}
    assert "Rowan Close" in invitations[0].recipient


def test_a_couple_who_share_a_mailbox_get_one_invitation(verbs):
    from crm.cases.models import PersonRole
    from crm.cases.open_case import NewPerson

    people = [
        NewPerson(given_name="Jo", family_name="Hill", email="hill@example.org"),
        NewPerson(given_name="Al", family_name="Hill", email="Hill@example.org", role=PersonRole.APPLICANT_2),
    ]

    verbs.book(verbs.household(people=people), "2026-07-14 14:00")

    assert len(letters("visit_invitation")) == 1


def test_the_officer_may_open_the_household_until_the_visit_is_off(verbs):
    case = verbs.household()
    officer = verbs.cast.officer.actor
    with pytest.raises(case_queries.CaseNotFound):
        case_queries.case_for(officer, case.reference, today=date(2026, 7, 6))

    visit = verbs.book(case, "2026-07-14 14:00")
    case_queries.case_for(officer, case.reference, today=date(2026, 7, 6))

    verbs.cancel(visit)
    with pytest.raises(case_queries.CaseNotFound):
        case_queries.case_for(officer, case.reference, today=date(2026, 7, 6))


def test_a_taken_time_is_refused_with_the_nearest_free_ones(verbs):
    verbs.book(verbs.household(1), "2026-07-14 14:00")

    with pytest.raises(SlotTaken) as refused:
        verbs.book(verbs.household(2), "2026-07-14 15:00")

    assert refused.value.status == 409
    assert "Nadia Rahman has another visit then" in refused.value.message
    assert 1 <= len(refused.value.alternatives) <= 4
    assert all("July" in words for words in refused.value.alternatives)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Visit)) == 1


@pytest.mark.parametrize(
    ("when", "is_free"),
    [
        ("2026-07-14 11:45", False),  # ends at 1:15pm: 45 minutes before the next, which is enough
        ("2026-07-14 12:00", False),
    ],
)
def test_between_two_visits_there_is_time_to_travel(verbs, when, is_free):
    verbs.book(verbs.household(1), "2026-07-14 13:30")

    with pytest.raises(SlotTaken):
        verbs.book(verbs.household(2), "2026-07-14 12:00")
    booked = verbs.book(verbs.household(3), "2026-07-14 11:30")

    assert booked.ends_at + timedelta(minutes=30) == at("2026-07-14 13:30")


def test_busy_time_hours_of_work_and_the_daily_number_are_kept(verbs):
    from crm.visits import hours
    from crm.visits.models import BusyKind

    officer = verbs.cast.officer
    with transaction():
        hours.set_hours(
            officer.id,
            spans={1: [(9 * 60, 17 * 60)], 2: [(9 * 60, 17 * 60)]},
            visits_a_day=1,
            actor=officer.actor,
            now=at("2026-07-06 09:30"),
        )
        hours.add_time_away(
            officer.id,
            first_day=date(2026, 7, 15),
            last_day=date(2026, 7, 15),
            kind=BusyKind.LEAVE,
            actor=officer.actor,
            now=at("2026-07-06 09:30"),
        )
    verbs.book(verbs.household(1), "2026-07-14 10:00")

    for when, why in (
        ("2026-07-14 15:00", "as many visits"),
        ("2026-07-15 10:00", "is not free then"),
        ("2026-07-16 10:00", "does not work that day"),
        ("2026-07-21 16:00", "can’t start a visit then"),
        ("2026-07-21 10:07", "can’t start a visit then"),
    ):
        with pytest.raises(SlotTaken, match=why):
            verbs.book(verbs.household(2), when)


def test_two_officers_go_together_or_not_at_all(verbs):
    cast = verbs.cast
    verbs.book(verbs.household(1), "2026-07-14 14:00", cast.other_officer)

    with pytest.raises(SlotTaken, match="Iqbal Chaudhry"):
        verbs.book(verbs.household(2), "2026-07-14 14:00", cast.officer, cast.other_officer)
    both = verbs.book(verbs.household(3), "2026-07-15 14:00", cast.officer, cast.other_officer)

    assert both.officer_ids == (cast.officer.id, cast.other_officer.id)
    assert len(letters("officer_visit_invitation")) == 3


def test_an_officer_who_is_replaced_gets_a_cancellation_and_the_new_one_an_invitation(verbs):
    cast = verbs.cast
    visit = verbs.book(verbs.household(), "2026-07-14 14:00", cast.officer)
    with transaction():
        db.session.execute(sa.update(OutboundMessage).values(status="sent", sent_at=at("2026-07-06 09:31")))

    verbs.move(visit, "2026-07-14 14:00", cast.other_officer)

    assert [m.recipient for m in letters("officer_visit_cancelled")] == ["officer@example.org"]
    assert [m.recipient for m in letters("officer_visit_invitation")][-1] == "other.officer@example.org"
    again = letters("visit_invitation")[-2:]
    assert {int(event_of(m)[1]["SEQUENCE"]) for m in again} == {1}
    assert {row.officer_id for row in db.session.scalars(sa.select(VisitOfficer))} == {cast.other_officer.id}


def test_one_household_is_not_booked_twice_at_once(verbs):
    case = verbs.household()
    verbs.book(case, "2026-07-14 14:00")

    with pytest.raises(MoveNotOpen):
        verbs.book(case, "2026-07-15 14:00")


def test_a_household_that_nobody_has_spoken_to_is_not_visited(verbs):
    from crm.cases.change_stage import correct_stage

    case = verbs.household()
    with transaction():
        correct_stage(
            case, TrackName.ENQUIRY, "new", reason="Logged too far", **verbs.given(actor=verbs.cast.manager.actor)
        )

    with pytest.raises(MoveNotOpen):
        verbs.book(case, "2026-07-14 14:00")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"officer_ids": []}, "Choose who will visit"),
        ({"starts_at": at("2026-07-06 09:00")}, "has passed"),
        ({"purpose": Purpose.STAGE_TWO_SESSION}, "have not applied yet"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(verbs, changes, words):
    with pytest.raises(VisitNotBookable, match=words):
        verbs.book(verbs.household(), "2026-07-14 14:00", **changes)


def test_only_those_who_make_visits_are_sent_on_one(verbs):
    cast = verbs.cast
    case = verbs.household()

    for who in (cast.recruiter, cast.disabled, cast.panel_member):
        with pytest.raises(VisitNotBookable):
            verbs.book(case, "2026-07-14 14:00", who)
    with pytest.raises(NotPermitted):
        verbs.book(case, "2026-07-14 14:00", by=cast.panel_member)


def test_a_booking_made_on_an_old_view_of_the_case_is_refused(verbs):
    case = verbs.household()
    seen = case.version - 1

    with pytest.raises(CaseHasMovedOn):
        verbs.book(case, "2026-07-14 14:00", seen=seen)


def test_a_move_made_on_an_old_view_of_the_visit_says_how_it_stands(verbs):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    seen = visit.version
    verbs.move(visit, "2026-07-15 10:00", seen=seen)

    with pytest.raises(VisitHasChanged, match="now booked for Wednesday 15 July, 10am with Nadia Rahman") as refused:
        verbs.move(visit, "2026-07-16 10:00", seen=seen)
    assert refused.value.status == 409


def test_a_visit_that_is_off_can_not_be_moved_or_called_off_again(verbs):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    verbs.cancel(visit)

    with pytest.raises(VisitIsOver, match="has been called off"):
        verbs.move(visit, "2026-07-15 10:00")
    with pytest.raises(VisitIsOver):
        verbs.cancel(visit)


def test_a_cancelled_time_can_be_booked_again(verbs):
    visit = verbs.book(verbs.household(1), "2026-07-14 14:00")
    verbs.cancel(visit)

    again = verbs.book(verbs.household(2), "2026-07-14 14:00")

    assert again.status == VisitStatus.BOOKED


def test_closing_an_enquiry_calls_its_visits_off(verbs):
    from crm.cases.change_stage import change_stage

    case = verbs.household()
    visit = verbs.book(case, "2026-07-14 14:00")

    with transaction():
        change_stage(
            case,
            "close_enquiry",
            reason="Moved away",
            reason_code="withdrew",
            letter_context={"reasons": "You told us that you are moving away."},
            **verbs.given(actor=verbs.cast.manager.actor),
        )

    db.session.refresh(visit)
    assert visit.status == VisitStatus.CANCELLED
    assert not case.is_open


def test_every_change_is_counted_in_the_officers_calendar(verbs):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    verbs.move(visit, "2026-07-15 10:00")
    verbs.cancel(visit)

    counter = db.session.get(OfficerCalendar, verbs.cast.officer.id)

    assert counter.changes == 3


def test_a_video_visit_says_so_in_both_calendars(verbs):
    verbs.book(verbs.household(), "2026-07-14 14:00", place=Place.VIDEO)

    _, theirs = event_of(letters("visit_invitation")[0])
    _, ours = event_of(letters("officer_visit_invitation")[0])

    assert str(theirs["LOCATION"]) == "By video call"
    assert str(ours["SUMMARY"]).startswith("Video visit KF-")


def test_the_story_and_the_trail_tell_of_a_visit_without_naming_anybody_in_the_trail(verbs):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    verbs.cancel(visit)

    titles = [row.title for row in db.session.scalars(sa.select(TimelineEntry).where(TimelineEntry.kind == "visit"))]
    assert "First home visit booked: Tuesday 14 July, 2pm, Nadia Rahman" in titles
    trail = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.subject == f"visit:{visit.id}")).all()
    assert [entry.event for entry in trail] == ["visit.booked", "visit.cancelled"]
    assert "Rahman" not in "".join(entry.detail_json or "" for entry in trail)


def test_the_database_itself_refuses_an_overlap(verbs):
    visit = verbs.book(verbs.household(1), "2026-07-14 14:00")
    other = verbs.book(verbs.household(2), "2026-07-15 14:00")

    for change in (
        {
            "starts_at": at("2026-07-14 15:59"),
            "ends_at": at("2026-07-14 16:30"),
            "blocked_until_at": at("2026-07-14 17:00"),
        },
        {
            "starts_at": at("2026-07-14 13:00"),
            "ends_at": at("2026-07-14 13:30"),
            "blocked_until_at": at("2026-07-14 14:01"),
        },
    ):
        with pytest.raises(sa.exc.IntegrityError), transaction():
            db.session.execute(sa.update(VisitOfficer).where(VisitOfficer.visit_id == other.id).values(**change))
    with pytest.raises(sa.exc.IntegrityError), transaction():
        db.session.execute(
            sa.insert(VisitOfficer).values(
                visit_id=other.id,
                officer_id=verbs.cast.other_officer.id,
                starts_at=at("2026-07-14 14:00"),
                ends_at=at("2026-07-14 13:00"),
                blocked_until_at=at("2026-07-14 16:00"),
                holds=True,
            )
        )
    touching = {
        "starts_at": at("2026-07-14 16:00"),
        "ends_at": at("2026-07-14 17:00"),
        "blocked_until_at": at("2026-07-14 17:30"),
    }
    with transaction():
        db.session.execute(sa.update(VisitOfficer).where(VisitOfficer.visit_id == other.id).values(**touching))
    assert db.session.get(Case, visit.case_id) is not None


def test_an_overlap_that_only_the_database_saw_is_still_said_in_words(verbs, monkeypatch):
    from crm.visits import booking

    verbs.book(verbs.household(1), "2026-07-14 14:00")
    monkeypatch.setattr(booking, "see_that_they_are_free", lambda *_args, **_kwargs: None)

    with pytest.raises(SlotTaken, match="Somebody has just booked that time") as refused:
        verbs.book(verbs.household(2), "2026-07-14 14:30")
    assert refused.value.alternatives


def test_refusals_of_visits_are_refusals():
    assert all(issubclass(kind, Refusal) for kind in (SlotTaken, VisitNotBookable, VisitHasChanged, VisitIsOver))

"""Places at an event: saved, waited for, moved up to, changed and given back; everybody told once."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy

import pytest
import sqlalchemy as sa

from crm.cases import replies
from crm.cases.open_case import NewConsent, NewPerson
from crm.clock import london_date
from crm.db import db, transaction
from crm.delivery import OutboundMessage, UnsendableAddress
from crm.events import places, planning, publishing
from crm.events.models import EventGuest, EventKind, EventSignUp, SignUpStatus
from crm.events.places import NewSignUp, NoRoom, NoSignUps, PlaceLinkEnded
from crm.rules.permissions import PUBLIC
from crm.rules.refusal import Refusal
from tests.events.conftest import at
from tests.visits.mail import ics, message

NOW = at("2026-06-20 09:00")
PLAN = {
    "name": "Coffee and questions",
    "kind": EventKind.INFORMATION_EVENING,
    "starts_at": at("2026-07-11 10:00"),
    "ends_at": at("2026-07-11 12:00"),
    "place": "St Aldwyn’s Hall",
    "town": "Catford",
}


def a_person(number: int, **more: object) -> NewPerson:
    return NewPerson(given_name=f"Guest{number}", email=f"guest{number}@example.org", **more)  # type: ignore[arg-type]


@pytest.fixture
def published(cast):
    """``published(capacity=2)`` inside a transaction: an event that people can sign up to."""

    def make(**more):
        event = planning.create_event(
            **{**PLAN, **more}, staff_ids=[cast.recruiter.id], actor=cast.recruiter.actor, now=NOW
        )
        publishing.publish(event, actor=cast.recruiter.actor, now=NOW)
        return event

    return make


def sign_up(event, *people, now=NOW, **more):
    return places.sign_up(event, NewSignUp(people=people, **more), actor=PUBLIC, now=now)


def letters(kind=None):
    rows = db.session.scalars(sa.select(OutboundMessage).order_by(OutboundMessage.id)).all()
    return [row for row in rows if kind is None or row.kind == kind]


def calendar_of(letter: OutboundMessage) -> dict[str, str]:
    message = message_from_bytes(letter.payload, policy=policy.default)
    part = next(part for part in message.walk() if part.get_content_type() == "text/calendar")
    lines = part.get_content().replace("\r\n ", "").splitlines()
    return {line.partition(":")[0].partition(";")[0]: line.partition(":")[2] for line in lines}


def text_of(letter: OutboundMessage) -> str:
    body = message_from_bytes(letter.payload, policy=policy.default).get_body(("plain",))
    return " ".join(body.get_content().split())


def test_a_place_is_confirmed_with_a_calendar_entry_and_a_link(session, published):
    with transaction():
        event = published(capacity=12, link="https://example.org/join")
        row = sign_up(event, a_person(1))

    letter = letters("event_place")[0]
    entry = calendar_of(letter)
    assert row.status == SignUpStatus.CONFIRMED
    assert (entry["METHOD"], entry["SEQUENCE"], entry["DTSTART"]) == ("REQUEST", "0", "20260711T090000Z")
    assert f"/events/my-place/{row.link_token}" in text_of(letter)
    assert "https://example.org/join" in text_of(letter)
    assert row.link_token not in letter.payload.decode().partition("BEGIN:VCALENDAR")[2]


def test_two_adults_are_each_told_at_their_own_address_and_a_shared_one_once(session, published):
    with transaction():
        event = published()
        sign_up(event, a_person(1), a_person(2))
        sign_up(event, a_person(3), NewPerson(given_name="Guest4", email="Guest3@example.org"))

    told = letters("event_place")
    assert [row.recipient for row in told] == ["guest1@example.org", "guest2@example.org", "guest3@example.org"]
    assert "/my-place/" in text_of(told[0])
    assert "/my-place/" not in text_of(told[1]), "the link is for whoever booked"


def test_signing_up_again_changes_nothing_and_sends_the_link_again_at_most_once_an_hour(session, published):
    with transaction():
        event = published(capacity=12)
        first = sign_up(event, a_person(1))
        for minutes in (1, 2, 61):
            again = sign_up(
                event,
                NewPerson(given_name="Somebody else", email="GUEST1@example.org"),
                a_person(9),
                now=NOW + timedelta(minutes=minutes),
            )
            assert again.id == first.id

    assert (event.places_taken, first.guests[0].given_name) == (1, "Guest1")
    assert len(letters("event_place")) == 3, "the first, and one in each of two hours"


@pytest.mark.parametrize("email", ["jürgen@example.org", "a..b@example.org", "a@exa_mple.org"])
def test_an_address_that_no_letter_can_go_to_gets_no_place_and_is_told_so(session, published, email):
    """Whoever saves a place looks for a letter: one that never comes would be a place that nobody knows they have."""
    with transaction():
        event = published(capacity=2)
        row = sign_up(event, a_person(1))
        with pytest.raises(UnsendableAddress):
            sign_up(event, NewPerson(given_name="Jürgen", email=email))
        with pytest.raises(UnsendableAddress):
            places.change_sign_up(
                row, second=NewPerson(given_name="Jürgen", email=email), needs=None, question=None, wants_call=False,
                wants_text=False, actor=PUBLIC, now=NOW,
            )  # fmt: skip

    assert (event.places_taken, len(letters())) == (1, 1)


def test_a_full_event_has_a_waiting_list_that_moves_up_by_itself(session, published):
    with transaction():
        event = published(capacity=2)
        first = sign_up(event, a_person(1))
        sign_up(event, a_person(2))
        couple = sign_up(event, a_person(3), a_person(4), now=NOW + timedelta(minutes=1))
        single = sign_up(event, a_person(5), now=NOW + timedelta(minutes=2))
        assert (couple.status, single.status) == (SignUpStatus.WAITING, SignUpStatus.WAITING)
        places.cancel_sign_up(first, actor=PUBLIC, now=NOW + timedelta(days=1))

    assert single.status == SignUpStatus.CONFIRMED, "the couple waited longer, and one place is not enough for two"
    assert (couple.status, event.places_taken) == (SignUpStatus.WAITING, 2)
    moved = letters("event_place_free")
    assert [row.recipient for row in moved] == ["guest5@example.org"]
    assert calendar_of(moved[0])["METHOD"] == "REQUEST"


def test_more_room_moves_everybody_up_who_fits_in_their_order(session, cast, published):
    with transaction():
        event = published(capacity=1)
        sign_up(event, a_person(0))
        waiting = [sign_up(event, a_person(n), now=NOW + timedelta(minutes=n)) for n in range(1, 5)]
        changed = planning.change_event(event, **{**PLAN, "capacity": 3}, actor=cast.recruiter.actor, now=NOW)

    assert (changed.moved_up, changed.told) == (2, 0)
    assert [row.status for row in waiting] == ["confirmed", "confirmed", "waiting", "waiting"]


def test_nobody_moves_up_in_the_last_two_hours(session, published):
    with transaction():
        event = published(capacity=1)
        first, second = sign_up(event, a_person(1)), sign_up(event, a_person(2))
        places.cancel_sign_up(first, actor=PUBLIC, now=event.starts_at - timedelta(minutes=119))

    assert second.status == SignUpStatus.WAITING


def test_room_is_never_made_smaller_than_the_places_that_are_taken(session, cast, published):
    with transaction():
        event = published(capacity=5)
        sign_up(event, a_person(1), a_person(2))
        with pytest.raises(Refusal, match="2 places are taken already"):
            planning.change_event(event, **{**PLAN, "capacity": 1}, actor=cast.recruiter.actor, now=NOW)


def test_an_event_that_moves_tells_everybody_what_changed_and_raises_the_sequence(session, cast, published):
    with transaction():
        event = published(capacity=1)
        first, waits = sign_up(event, a_person(1)), sign_up(event, a_person(2))
        uid = first.guests[0].calendar_uid
        later = {**PLAN, "capacity": 1, "starts_at": at("2026-07-12 14:00"), "ends_at": at("2026-07-12 16:00")}
        changed = planning.change_event(event, **later, actor=cast.recruiter.actor, now=NOW)
        again = planning.change_event(event, **later, actor=cast.recruiter.actor, now=NOW)

    told = {row.recipient: row for row in letters("event_changed")}
    entry = calendar_of(told["guest1@example.org"])
    assert (changed.told, again.told) == (2, 0)
    assert (entry["UID"], entry["SEQUENCE"], entry["DTSTART"]) == (uid, "1", "20260712T130000Z")
    assert "It was Saturday 11 July, 10am" in text_of(told["guest1@example.org"])
    assert "still on the waiting list" in text_of(told["guest2@example.org"])
    assert waits.status == SignUpStatus.WAITING


def test_calling_off_tells_guests_and_staff_once_and_takes_it_out_of_calendars(session, cast, published):
    with transaction():
        event = published(capacity=1)
        first = sign_up(event, a_person(1))
        sign_up(event, a_person(2))
        told = publishing.cancel(event, why="No heating.", actor=cast.recruiter.actor, now=NOW)
        again = publishing.cancel(event, why="No heating.", actor=cast.recruiter.actor, now=NOW)

    off = {row.recipient: row for row in letters("event_cancelled")}
    entry = calendar_of(off["guest1@example.org"])
    assert (told, again) == (2, 0)
    assert (entry["METHOD"], entry["STATUS"]) == ("CANCEL", "CANCELLED")
    assert entry["UID"] == first.guests[0].calendar_uid
    assert "No heating." in text_of(off["guest2@example.org"])
    assert [row.recipient for row in letters("event_staff_cancelled")] == [cast.recruiter.email]


def test_a_place_can_be_changed_given_up_and_taken_up_again(session, published):
    with transaction():
        event = published(capacity=2)
        row = sign_up(event, a_person(1))
        sign_up(event, a_person(2))
        change = {"needs": "A ramp", "question": None, "wants_call": True, "wants_text": False}
        with pytest.raises(NoRoom):
            places.change_sign_up(row, second=a_person(3), **change, actor=PUBLIC, now=NOW)
        places.change_sign_up(row, second=None, **change, actor=PUBLIC, now=NOW)
        places.cancel_sign_up(row, actor=PUBLIC, now=NOW)
        places.cancel_sign_up(row, actor=PUBLIC, now=NOW)
        assert event.places_taken == 1
        places.take_up_again(row, actor=PUBLIC, now=NOW)

    assert (row.status, row.needs, event.places_taken) == (SignUpStatus.CONFIRMED, "A ramp", 2)


def test_a_second_adult_who_is_taken_out_is_told_and_gives_the_place_back(session, published):
    with transaction():
        event = published(capacity=2)
        row = sign_up(event, a_person(1), a_person(2))
        waits = sign_up(event, a_person(3))
        places.change_sign_up(
            row, second=None, needs=None, question=None, wants_call=False, wants_text=False, actor=PUBLIC, now=NOW
        )

    assert (row.adults, waits.status) == (1, SignUpStatus.CONFIRMED)
    assert "guest2@example.org" in [letter.recipient for letter in letters("event_given_up")]
    assert db.session.scalar(sa.select(sa.func.count()).select_from(EventGuest)) == 2


def test_a_link_dies_with_its_event_and_when_it_is_renewed(session, cast, published):
    with transaction():
        event = published()
        row = sign_up(event, a_person(1))
        old = row.link_token
        assert places.sign_up_by_link(old, now=NOW).id == row.id
        places.renew_link(row, actor=cast.recruiter.actor, now=NOW)
        with pytest.raises(PlaceLinkEnded):
            places.sign_up_by_link(old, now=NOW)
        with pytest.raises(PlaceLinkEnded):
            places.sign_up_by_link(row.link_token, now=event.ends_at)

    stored = db.session.execute(sa.select(EventSignUp.__table__)).one()
    assert row.link_token not in str(stored)


def test_nobody_signs_up_to_what_is_not_open(session, cast, published):
    with transaction():
        draft = planning.create_event(**PLAN, actor=cast.recruiter.actor, now=NOW)
        begun = published(starts_at=at("2026-06-20 08:00"), ends_at=at("2026-06-20 11:00"))
        stall = published(kind=EventKind.STALL)
        for event in (draft, begun, stall):
            with pytest.raises(NoSignUps):
                sign_up(event, a_person(1))


def test_a_copy_is_a_draft_of_its_own_at_the_same_time_of_day(session, cast, published):
    """From summer time into winter time: 10am stays 10am."""
    with transaction():
        event = published(capacity=12, cost_pence=500, notes="Bring the urn")
        sign_up(event, a_person(1))
        made = publishing.copy_event(event, on=at("2026-11-14 00:00").date(), actor=cast.recruiter.actor, now=NOW)

    assert (made.status, made.places_taken, made.notes) == ("draft", 0, "Bring the urn")
    assert made.starts_at == at("2026-11-14 10:00")
    assert len({made.slug, event.slug, made.code, event.code}) == 4
    assert made.campaign_id != event.campaign_id


def test_consent_is_kept_for_each_channel_with_its_wording(session, published):
    with transaction():
        event = published()
        asked = (NewConsent("email", True, "3"), NewConsent("text", False, "2"))
        row = sign_up(event, a_person(1, phone="07700 900745", consents=asked), a_person(2))

    kept = db.session.execute(sa.text("SELECT channel, given, wording_version, guest_id FROM event_consent")).all()
    assert {(one.channel, bool(one.given), one.wording_version) for one in kept} == {
        ("email", True, "3"),
        ("text", False, "2"),
    }
    assert {one.guest_id for one in kept} == {row.guests[0].id}, "nobody agrees for the second adult"


def test_a_guests_yes_in_their_calendar_is_no_work_for_anybody_and_a_no_is_read(session, cast, published):
    with transaction():
        event = published(capacity=5)
        uid = sign_up(event, a_person(1)).guests[0].calendar_uid
    for partstat, outcome in (("ACCEPTED", "automatic"), ("DECLINED", "tray")):
        calendar = ics("REPLY", uid, attendee="guest1@example.org", partstat=partstat, at=NOW)
        with transaction():
            taken = replies.take_in(message(calendar, sender="guest1@example.org"), now=NOW, today=london_date(NOW))
        assert taken.outcome == outcome

"""Who came: taps at the door, each counted once, in whatever order they arrive."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select

from crm import policy
from crm.cases.models import Case, Deadline, Enquiry
from crm.cases.open_case import NewConsent, NewPerson
from crm.clock import london_date
from crm.db import transaction
from crm.events.attendance import NotAtTheDoor, NotOnTheList, add_guest, check_in, undo, walk_in
from crm.events.models import (
    AttendanceEntry,
    EventConsent,
    EventSignUp,
    EventStatus,
    SignUpSource,
    SignUpStatus,
)
from crm.rules.permissions import PUBLIC, NotPermitted
from tests.events.conftest import at

NOON = "2026-05-16 12:00"


def sign_up(session, event, *people: NewPerson, status=SignUpStatus.CONFIRMED) -> EventSignUp:
    row = EventSignUp(
        event_id=event.id,
        status=status,
        source=SignUpSource.WEB,
        adults=len(people),
        signed_up_at=at("2026-05-10 09:00"),
    )
    session.add(row)
    session.flush()
    for position, person in enumerate(people, start=1):
        add_guest(row, person, position=position, now=at("2026-05-10 09:00"))
    return row


def tap(do, cast, event, guest, entry_id, when, *, arrived=None):
    return do(
        event,
        guest.id,
        entry_id=entry_id,
        happened_at=at(when),
        actor=cast.recruiter.actor,
        now=at(arrived or when),
    )


def come(cast, event, *people, entry_id="w1", when=NOON, arrived=None, **more):
    now = at(arrived or when)
    today = london_date(now)
    return walk_in(
        event,
        entry_id=entry_id,
        people=people,
        happened_at=at(when),
        actor=cast.recruiter.actor,
        now=now,
        today=today,
        rulebook=policy.rulebook_on(today),
        **more,
    )


def test_the_same_tap_counts_once_however_often_it_arrives(session, cast, make_event):
    with transaction():
        event = make_event()
        guest = sign_up(session, event, NewPerson(given_name="Ama", family_name="Boateng")).guests[0]
        first = tap(check_in, cast, event, guest, "e1", NOON)
        taken_back = tap(undo, cast, event, guest, "e2", "2026-05-16 12:01")
        again = tap(check_in, cast, event, guest, "e1", NOON, arrived="2026-05-16 18:00")

    assert (first.is_here, first.repeated) == (True, False)
    assert (taken_back.is_here, again.is_here, again.repeated) == (False, False, True)
    assert session.scalar(select(func.count()).select_from(AttendanceEntry)) == 2


def test_a_tap_that_arrives_late_does_not_undo_what_happened_after_it(session, cast, make_event):
    with transaction():
        event = make_event()
        guest = sign_up(session, event, NewPerson(given_name="Ama")).guests[0]
        tap(check_in, cast, event, guest, "e2", "2026-05-16 12:30")
        late = tap(undo, cast, event, guest, "e1", "2026-05-16 12:10", arrived="2026-05-16 19:00")

    assert late.is_here
    assert guest.attended_at == at("2026-05-16 12:30")


def test_each_of_a_couple_is_checked_in_alone(session, cast, make_event):
    with transaction():
        event = make_event()
        pair = sign_up(session, event, NewPerson(given_name="Ama"), NewPerson(given_name="Kojo"))
        tap(check_in, cast, event, pair.guests[1], "e1", NOON)

    assert [guest.attended_at is not None for guest in pair.guests] == [False, True]


def test_nobody_is_checked_in_from_another_event_or_at_one_that_is_off(session, cast, make_event):
    with transaction():
        event, other = make_event(), make_event("Another stall")
        guest = sign_up(session, event, NewPerson(given_name="Ama")).guests[0]
        with pytest.raises(NotOnTheList):
            tap(check_in, cast, other, guest, "e1", NOON)
        event.status, event.cancelled_at = EventStatus.CANCELLED, at("2026-05-12 09:00")
        with pytest.raises(NotAtTheDoor):
            tap(check_in, cast, event, guest, "e2", NOON)


def test_a_stranger_checks_nobody_in(session, cast, make_event):
    with transaction():
        event = make_event()
        guest = sign_up(session, event, NewPerson(given_name="Ama")).guests[0]
        with pytest.raises(NotPermitted):
            check_in(event, guest.id, entry_id="e1", happened_at=at(NOON), actor=PUBLIC, now=at(NOON))


def test_a_walk_in_is_logged_with_the_clock_from_the_tap(session, cast, make_event):
    """S7: a Saturday stall, typed on a phone without signal that syncs on Sunday evening."""
    consent = NewConsent("email", True, "1")
    with transaction():
        event = make_event()
        came = come(
            cast,
            event,
            NewPerson(given_name="Priya", family_name="Osei", phone="07700 900118", consents=(consent,)),
            arrived="2026-05-17 20:00",
            interest="ready",
        )

    assert came.logged is not None
    due = session.scalars(
        select(Deadline).where(Deadline.case_id == came.logged.case.id, Deadline.rule == "first_contact")
    ).one()
    assert (due.counted_from_on, due.due_on) == (date(2026, 5, 16), date(2026, 5, 18))
    assert session.get(Enquiry, came.sign_up.enquiry_id).received_at == at(NOON)
    assert session.scalars(select(EventConsent)).one().given


def test_a_walk_in_sent_twice_is_one_person_and_one_case(session, cast, make_event):
    person = NewPerson(given_name="Priya", phone="07700 900118")
    with transaction():
        event = make_event()
        first = come(cast, event, person)
        again = come(cast, event, person, arrived="2026-05-16 18:00")

    assert (again.repeated, again.sign_up.id) == (True, first.sign_up.id)
    assert again.logged is not None
    assert again.logged.case.id == first.logged.case.id
    assert session.scalar(select(func.count()).select_from(Case)) == 1


def test_a_walk_in_who_leaves_no_way_to_reach_them_is_counted_and_is_no_case(session, cast, make_event):
    with transaction():
        event = make_event(capacity=1)
        came = come(cast, event, NewPerson(given_name="Somebody"), NewPerson(given_name="And another"))

    assert (came.logged, came.sign_up.enquiry_id, came.sign_up.adults) == (None, None, 2)
    assert all(guest.attended_at == at(NOON) for guest in came.sign_up.guests)
    assert event.places_taken == 0, "whoever walks in takes no place from those who signed up"
    assert session.scalar(select(func.count()).select_from(Case)) == 0

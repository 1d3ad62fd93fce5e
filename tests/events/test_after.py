"""What follows an event: each thing once, on the next working day, whatever happens in between."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from crm import policy
from crm.cases.models import Case, Deadline, Enquiry, Task
from crm.cases.open_case import NewConsent, NewPerson
from crm.clock import london_date
from crm.db import db, transaction
from crm.events import after, places, planning, publishing
from crm.events.attendance import check_in, undo, walk_in
from crm.events.models import EventGuest, EventKind, EventStep
from crm.events.places import NewSignUp
from crm.policy import changing
from crm.rules.permissions import PUBLIC
from tests.events.conftest import at
from tests.events.test_places import PLAN, a_person, letters, text_of

SIGNED_UP = at("2026-06-20 09:00")
DURING = at("2026-07-11 10:20")
"""Saturday 11 July 2026: the next working day is Monday 13 July."""
FRIDAY_NEWS = NewConsent("email", True, "1")


@pytest.fixture
def event(session, cast):
    with transaction():
        changing.change_setting(
            name="fallback_owner_id",
            value=cast.recruiter.id,
            actor=cast.administrator.actor,
            now=SIGNED_UP,
            today=SIGNED_UP.date(),
        )
        made = planning.create_event(**PLAN, staff_ids=[cast.recruiter.id], actor=cast.recruiter.actor, now=SIGNED_UP)
        publishing.publish(made, actor=cast.recruiter.actor, now=SIGNED_UP)
        return made


def sign_up(event, *people, **more):
    return places.sign_up(event, NewSignUp(people=people, **more), actor=PUBLIC, now=SIGNED_UP)


def comes(cast, event, row, when=DURING, entry="e"):
    for guest in row.guests:
        check_in(event, guest.id, entry_id=f"{entry}{guest.id}", happened_at=when, actor=cast.recruiter.actor, now=when)


def stops(cast, event, person, *, interest, entry):
    return walk_in(
        event,
        entry_id=entry,
        people=[person],
        happened_at=DURING,
        actor=cast.recruiter.actor,
        now=DURING,
        today=london_date(DURING),
        rulebook=policy.rulebook_on(london_date(DURING)),
        interest=interest,
    )


def run(now):
    with transaction():
        return after.follow_up_events(now)


def count(model):
    return db.session.scalar(sa.select(sa.func.count()).select_from(model))


def test_who_came_and_asked_is_in_the_queue_with_the_clock_from_the_event(session, cast, event):
    """S7: on a Saturday, with the call due on Monday."""
    with transaction():
        asks = sign_up(
            event, a_person(1, phone="07700 900745", consents=(FRIDAY_NEWS,)), wants_call=True, question="Money?"
        )
        listens = sign_up(event, a_person(2))
        comes(cast, event, asks)
        comes(cast, event, listens)
        too_soon = after.queue_those_who_asked(DURING + timedelta(minutes=9))
        queued = after.queue_those_who_asked(DURING + timedelta(minutes=10))
        again = after.queue_those_who_asked(DURING + timedelta(minutes=12))

    assert (too_soon, queued, again) == (0, 1, 0)
    case = session.scalars(sa.select(Case)).one()
    touch = session.get(Enquiry, asks.enquiry_id)
    due = session.scalars(sa.select(Deadline).where(Deadline.rule == "first_contact")).one()
    assert (touch.case_id, touch.received_at, touch.said) == (case.id, DURING, "Money?")
    assert (due.counted_from_on, due.due_on) == (date(2026, 7, 11), date(2026, 7, 13))
    assert case.owner_id == cast.recruiter.id


def test_a_wrong_tap_taken_back_puts_nobody_into_the_queue(session, cast, event):
    with transaction():
        row = sign_up(event, a_person(1), wants_call=True)
        comes(cast, event, row)
        undo(
            event,
            row.guests[0].id,
            entry_id="back",
            happened_at=DURING + timedelta(minutes=1),
            actor=cast.recruiter.actor,
            now=DURING + timedelta(minutes=1),
        )
        queued = after.queue_those_who_asked(DURING + timedelta(hours=1))

    assert (queued, count(Case)) == (0, 0)


def test_nothing_happens_before_nine_on_the_next_working_day(session, event):
    assert run(at("2026-07-13 08:59")) == 0
    assert run(at("2026-07-13 09:00")) == 1


def test_everything_that_follows_happens_once(session, cast, event):
    with transaction():
        asks = sign_up(event, a_person(1, consents=(FRIDAY_NEWS,)), wants_call=True)
        listens = sign_up(event, a_person(2))
        stays_away = sign_up(event, a_person(3))
        asks_and_stays_away = sign_up(event, a_person(4), wants_call=True)
        gave_up = sign_up(event, a_person(5))
        places.cancel_sign_up(gave_up, actor=PUBLIC, now=SIGNED_UP)
        comes(cast, event, asks)
        comes(cast, event, listens)
        stops(cast, event, NewPerson(given_name="Rhona", phone="07700 900111"), interest="ready", entry="r")
        stops(
            cast,
            event,
            NewPerson(given_name="Theo", email="theo@example.org", consents=(FRIDAY_NEWS,)),
            interest="thinking",
            entry="t",
        )

    ran = [run(at("2026-07-13 09:00")), run(at("2026-07-13 09:10"))]
    assert ran == [1, 0]

    steps = {row.name: row.count for row in session.scalars(sa.select(EventStep))}
    assert steps == {"enquiries": 4, "thanks": 3, "missed": 2, "tasks": 1, "nurture": 1}
    assert [row.recipient for row in letters("event_thanks")] == ["guest2@example.org"]
    assert "we will not" in text_of(letters("event_thanks")[0])
    assert "See in 5 minutes" not in text_of(letters("event_thanks")[0]), "nobody is invited on who did not agree"
    assert {row.recipient for row in letters("event_thank_you")} == {"guest1@example.org", "theo@example.org"}
    assert [row.recipient for row in letters("event_missed")] == ["guest3@example.org", "guest4@example.org"]
    assert [row.recipient for row in letters("information_pack")] == ["theo@example.org"]
    titles = {task.title: task.due_on for task in session.scalars(sa.select(Task))}
    assert not [title for title in titles if "Rhona" in title], "the clock of the first call asks for it already"
    assert titles["Theo thought it over at Coffee and questions: ask how they feel now"] == date(2026, 8, 10)
    assert (stays_away.enquiry_id, asks_and_stays_away.enquiry_id is not None) == (None, True)


def test_somebody_who_asked_us_to_stop_is_not_written_to(session, cast, event):
    with transaction():
        row = sign_up(event, a_person(1))
        came = stops(cast, event, NewPerson(given_name="Guest1", email="guest1@example.org"), interest=None, entry="x")
        came.logged.case.household.people[0].no_contact = True
        session.flush()
    run(at("2026-07-13 09:00"))

    assert row.guests[0].attended_at is None
    assert letters("event_missed") == letters("event_thanks") == letters("event_thank_you") == []


def test_who_asked_and_is_only_heard_of_after_the_follow_up_is_in_the_queue_too(session, cast, event):
    """Their check-in came late: from a phone without signal, or from what was kept aside at the door."""
    monday, tuesday = at("2026-07-13 09:00"), at("2026-07-14 10:00")
    with transaction():
        asks = sign_up(event, a_person(1, phone="07700 900745"))
    run(monday)

    with transaction():
        check_in(event, asks.guests[0].id, entry_id="late", happened_at=DURING, actor=cast.recruiter.actor, now=tuesday)
        asks.wants_call = True
    with transaction():
        assert after.has_askers(tuesday)
        assert after.queue_those_who_asked(tuesday) == 1

    assert asks.enquiry_id is not None
    assert not after.has_askers(tuesday)


def test_an_address_at_the_door_that_no_letter_can_go_to_holds_up_nobody(session, cast, event):
    """A visitor typed it at the kiosk and asked not to be rung, so that nobody looked at it."""
    with transaction():
        listens = sign_up(event, a_person(1))
        comes(cast, event, listens)
        for number, email in enumerate(("jürgen@example.org", "a..b@example.org", "a@exa_mple.org")):
            walk_in(
                event,
                entry_id=f"door{number}",
                people=[NewPerson(given_name="Jürgen", email=email, consents=(FRIDAY_NEWS,))],
                happened_at=DURING,
                actor=cast.recruiter.actor,
                now=DURING,
                today=london_date(DURING),
                rulebook=policy.rulebook_on(london_date(DURING)),
                wants_no_call=True,
            )

    assert run(at("2026-07-13 09:00")) == 1
    assert [row.recipient for row in letters("event_thanks")] == ["guest1@example.org"]


def test_an_event_followed_up_late_writes_to_nobody_and_forgets_nobody(session, cast, event):
    with transaction():
        row = sign_up(event, a_person(1), wants_call=True)
        comes(cast, event, row)
    run(at("2026-07-20 09:00"))

    assert count(Case) == 1
    assert [row.kind for row in letters()] == ["event_place"]


def test_a_cancelled_event_has_nothing_after_it(session, cast, event):
    with transaction():
        sign_up(event, a_person(1))
        publishing.cancel(event, why=None, actor=cast.recruiter.actor, now=SIGNED_UP)

    assert run(at("2026-07-13 09:00")) == 0


def test_those_with_a_place_are_reminded_once_the_day_before(session, event):
    with transaction():
        sign_up(event, a_person(1))
        just_now = places.sign_up(event, NewSignUp(people=[a_person(2)]), actor=PUBLIC, now=at("2026-07-10 08:00"))
        early = [after.remind_for_tomorrow(at(when)) for when in ("2026-07-09 12:00", "2026-07-10 08:59")]
        done = [after.remind_for_tomorrow(at(when)) for when in ("2026-07-10 09:00", "2026-07-10 09:15")]

    assert (early, done) == ([0, 0], [2, 0])
    assert [row.recipient for row in letters("event_reminder")] == ["guest1@example.org"]
    assert just_now.reminded_at is not None, "whoever signed up an hour ago knows"


def test_a_reminder_goes_by_text_too_to_whoever_booked_and_asked_for_one(session, event):
    with transaction():
        sign_up(event, a_person(1, phone="07700 900745"), a_person(2, phone="07700 900746"), wants_text=True)
        sign_up(event, a_person(3, phone="07700 900747"))
        after.remind_for_tomorrow(at("2026-07-10 09:00"))

    told = {(row.channel, row.recipient) for row in letters("event_reminder")}
    emails = {("email", f"guest{number}@example.org") for number in (1, 2, 3)}
    assert told == emails | {("text", "+447700900745")}


def test_guests_are_forgotten_after_half_a_year_and_the_counts_stay(session, cast, event):
    with transaction():
        plain = sign_up(event, a_person(1), a_person(2), needs="A ramp")
        agreed = sign_up(event, a_person(3, consents=(FRIDAY_NEWS,)))
        early = after.forget_guests(at("2027-01-09 12:00"))
        first = after.forget_guests(at("2027-01-12 12:00"))
        again = after.forget_guests(at("2027-01-12 13:00"))

    assert (early, first, again) == (0, 1, 0)
    kept = session.execute(sa.select(EventGuest.given_name, EventGuest.email).order_by(EventGuest.id)).all()
    assert kept == [("Somebody", None), ("Somebody", None), ("Guest3", "guest3@example.org")]
    assert (plain.needs, plain.link_hash, plain.adults, agreed.forgotten_at) == (None, None, 2, None)


def test_a_stall_of_another_kind_is_followed_up_too(session, cast):
    with transaction():
        stall = planning.create_event(
            **{**PLAN, "kind": EventKind.STALL, "name": "Market"}, actor=cast.recruiter.actor, now=SIGNED_UP
        )
    run(at("2026-07-13 09:00"))

    assert stall.followed_up_at == at("2026-07-13 09:00")

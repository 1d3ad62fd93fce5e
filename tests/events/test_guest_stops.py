"""Guests of events, who have no case, stop us by the link in a letter that they did not ask for."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from crm.cases.models import Consent, Person
from crm.clock import now_utc
from crm.db import transaction
from crm.delivery import MessageStatus
from crm.events import after, guest_stops, telling
from crm.events.models import EventConsent, EventGuest, EventStopLink
from crm.rules.permissions import PUBLIC
from tests.case_factory import make_case
from tests.events.conftest import at
from tests.events.test_after import FRIDAY_NEWS, SIGNED_UP, comes, event, sign_up
from tests.events.test_places import a_person, letters, text_of

__all__ = ["event"]
MONDAY = at("2026-07-13 09:30")


@pytest.fixture
def thanked(session, cast, event, freeze):
    """Somebody came, asked for nothing and said yes to news, and was thanked."""
    freeze(MONDAY)
    with transaction():
        row = sign_up(event, a_person(1, consents=(FRIDAY_NEWS,)))
        comes(cast, event, row)
    with transaction():
        after.follow_up_events(MONDAY)
    return row.guests[0].id


def link_in(message):
    found = re.search(r"\((https?://[^)]+/stop/[\w-]{32})\)", text_of(message))
    assert found is not None, text_of(message)
    return "/stop/" + found[1].rpartition("/")[2]


def test_what_nobody_asked_for_says_how_to_stop_and_what_they_asked_for_does_not(thanked):
    (thanks,) = letters("event_thanks")

    assert link_in(thanks)
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in thanks.payload
    assert "/stop/" not in text_of(letters("event_place")[0])
    assert link_in(thanks).rpartition("/")[2] not in str([one.token_digest for one in links()])


def links():
    from crm.db import db

    return db.session.scalars(sa.select(EventStopLink)).all()


def test_looking_at_the_link_does_nothing_and_its_form_stops_news(client, session, event, thanked):
    address = link_in(letters("event_thanks")[0])

    page = client.get(address).page
    looked = session.get(EventGuest, thanked).stops
    client.submit(page, field="what", what="news")

    session.rollback()
    guest = session.get(EventGuest, thanked)
    said = session.scalars(sa.select(EventConsent).order_by(EventConsent.id)).all()
    assert looked is None
    assert guest.stops == "news"
    assert [one.given for one in said if one.channel == "email"] == [True, False]
    with transaction():
        assert not telling.thank(event, guest, may_invite=True, now=now_utc())
        assert not telling.tell_missed(event, guest, now=now_utc())
        assert not telling.asked_to_stop(guest)


def test_a_mail_programs_own_button_takes_back_what_has_not_left(client, session, event, thanked):
    (thanks,) = letters("event_thanks")
    assert thanks.status == MessageStatus.QUEUED

    answer = client.post(link_in(thanks), data={"List-Unsubscribe": "One-Click"})

    session.rollback()
    assert answer.text == "Done."
    assert [(row.status, row.last_failure) for row in letters("event_thanks")] == [("stopped", "asked_to_stop")]


def test_stopping_everything_holds_for_the_mailbox_at_every_event_and_whoever_is_reached_there(
    client, session, cast, event, thanked
):
    with transaction():
        case = make_case(cast)
        person = case.household.people[0]
        guest = session.get(EventGuest, thanked)
        person.email, person.email_key = guest.email, guest.email_key
        session.add(
            Consent(person_id=person.id, channel="email", given=True, wording_version="1", recorded_at=SIGNED_UP,
                    source="Web form")
        )  # fmt: skip

    page = client.get(link_in(letters("event_thanks")[0])).page
    client.submit(page, field="what", what="everything")

    session.rollback()
    guest = session.get(EventGuest, thanked)
    assert telling.asked_to_stop(guest)
    newest = session.scalars(sa.select(Consent).order_by(Consent.id.desc())).first()
    assert (newest.person_id, newest.given) == (person.id, False)
    # Another person reads that mailbox too: their own enquiry goes on.
    assert not session.get(Person, person.id).no_contact


def test_a_link_ends_and_goes_with_its_guest(client, session, event, thanked, freeze):
    address = link_in(letters("event_thanks")[0])

    freeze(MONDAY + after.GUESTS_WITH_CONSENT_KEPT + timedelta(days=1))
    with transaction():
        after.forget_guests(now_utc())

    session.rollback()
    assert client.get(address).status_code == 404
    assert session.scalars(sa.select(EventStopLink)).all() == []
    assert client.get("/stop/" + "x" * 32).status_code == 404


def test_another_guests_link_stops_nobody_else(session, cast, event, thanked):
    with transaction():
        other = sign_up(event, a_person(2)).guests[0]
    with transaction():
        guest = session.get(EventGuest, thanked)
        guest_stops.stop(guest, "everything", how="link", actor=PUBLIC, now=now_utc(), today=MONDAY.date())

    assert session.get(EventGuest, other.id).stops is None

"""Booked, moved and called off, by real SMTP: what arrives, to whom, in which order, in which shape."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from icalendar import Calendar

from crm.clock import now_utc
from crm.delivery.post_room import configure
from crm.delivery.worker import deliver_once
from crm.settings import SmtpSettings

SHAPE = ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/calendar", "application/ics"]


@pytest.fixture
def post(verbs, smtp, settings, freeze):
    """``post()`` carries everything that is due to the mail server, as the worker does, two minutes later."""
    configure(replace(settings, mail_transport="smtp", smtp=SmtpSettings(smtp.host, smtp.port, tls="none")))

    def carry():
        freeze(now_utc() + timedelta(minutes=2))
        while deliver_once().did_something:
            pass

    yield carry
    configure(settings)


def told(smtp, address):
    """What this mailbox has been told of visits: (method, sequence, uid, start) in the order it arrived."""
    found = []
    for (_sender, recipients), message in zip(smtp.envelopes, smtp.messages, strict=True):
        part = next((one for one in message.walk() if one.get_content_type() == "text/calendar"), None)
        if recipients == [address] and part is not None:
            calendar = Calendar.from_ical(part.get_content())
            event = calendar.events[0]
            found.append(
                (
                    str(calendar["METHOD"]),
                    int(event["SEQUENCE"]),
                    str(event["UID"]),
                    event["DTSTART"].to_ical().decode(),
                )
            )
    return found


@pytest.mark.parametrize("address", ["maya1@example.org", "daniel1@example.org", "officer@example.org"])
def test_booked_moved_and_called_off_arrive_in_order_under_one_uid(verbs, smtp, post, address):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    post()
    verbs.move(visit, "2026-07-15 10:00")
    post()
    verbs.cancel(visit)
    post()

    arrived = told(smtp, address)

    assert [(method, sequence, start) for method, sequence, _, start in arrived] == [
        ("REQUEST", 0, "20260714T130000Z"),
        ("REQUEST", 1, "20260715T090000Z"),
        ("CANCEL", 2, "20260715T090000Z"),
    ]
    assert len({uid for _, _, uid, _ in arrived}) == 1


def test_an_invitation_has_the_shape_that_every_mail_reader_needs(verbs, smtp, post):
    verbs.book(verbs.household(), "2026-07-14 14:00")
    post()

    messages = [m for m in smtp.messages if any(p.get_content_type() == "text/calendar" for p in m.walk())]
    assert len(messages) == 3
    for message in messages:
        parts = list(message.walk())
        assert [part.get_content_type() for part in parts] == SHAPE
        calendar, copy = parts[4], parts[5]
        assert calendar.get_param("method") == "REQUEST"
        assert calendar.get_content_disposition() is None
        assert copy.get_content_disposition() == "attachment"
        assert calendar.get_payload(decode=True) == copy.get_payload(decode=True)
        assert b"\r\n" in calendar.get_payload(decode=True)
        assert message["From"].addresses[0].addr_spec == "visits@kestrel.example.org"
        assert message["Cc"] is message["Bcc"] is None


def test_every_letter_goes_to_one_person_and_names_nobody_in_its_subject(verbs, smtp, post):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    post()
    verbs.move(visit, "2026-07-15 10:00", verbs.cast.other_officer)
    post()

    assert all(len(recipients) == 1 for _, recipients in smtp.envelopes)
    for message in smtp.messages:
        for secret in ("Maya", "Daniel", "Thompson", "Rowan", "SE6 0KV"):
            assert secret not in str(message["Subject"])
    for (_, recipients), message in zip(smtp.envelopes, smtp.messages, strict=True):
        if recipients[0].endswith("officer@example.org"):
            text = message.as_string()
            assert "Thompson" not in text
            assert "Rowan" not in text


def test_an_officer_taken_off_a_visit_gets_a_cancellation_and_the_new_one_an_invitation(verbs, smtp, post):
    cast = verbs.cast
    visit = verbs.book(verbs.household(), "2026-07-14 14:00", cast.officer)
    post()
    verbs.move(visit, "2026-07-15 10:00", cast.other_officer)
    post()

    assert [(method, sequence) for method, sequence, _, _ in told(smtp, cast.officer.email)] == [
        ("REQUEST", 0),
        ("CANCEL", 1),
    ]
    assert [(method, sequence) for method, sequence, _, _ in told(smtp, cast.other_officer.email)] == [("REQUEST", 1)]

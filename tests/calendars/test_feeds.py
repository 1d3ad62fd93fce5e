"""The secret feed (G29): what it shows, when it answers 304, and that its address is secret and mortal."""

import hashlib
from datetime import timedelta

import pytest
import sqlalchemy as sa
from icalendar import Calendar

from crm.audit import AuditEntry
from crm.calendars import feeds
from crm.calendars.models import FeedToken
from crm.clock import now_utc
from crm.db import db, transaction


@pytest.fixture
def token(verbs):
    officer = verbs.cast.officer
    with transaction():
        return feeds.make_address(user_id=officer.id, actor=officer.actor, now=now_utc())


def events_of(response):
    return Calendar.from_ical(response.data).events


def test_a_feed_shows_the_officers_visits_by_reference_alone(client, verbs, token):
    case = verbs.household()
    verbs.book(case, "2026-07-14 14:00")
    verbs.book(verbs.household(2), "2026-07-14 10:00", verbs.cast.other_officer)

    response = client.get(f"/feed/{token}.ics")

    assert response.content_type == "text/calendar; charset=utf-8"
    assert [str(event["SUMMARY"]) for event in events_of(response)] == [f"Home visit {case.reference}, SE6"]
    for secret in ("Maya", "Daniel", "Thompson", "Rowan", "0KV", "ATTENDEE", "ORGANIZER", "@example.org"):
        assert secret not in response.text


def test_a_feed_is_not_listed_kept_or_told_on(client, verbs, token):
    headers = client.get(f"/feed/{token}.ics").headers

    assert headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in headers["X-Robots-Tag"]
    assert headers["Cache-Control"] in ("no-store", "private, no-cache")
    assert not headers.getlist("Set-Cookie")


def test_an_unchanged_feed_answers_304_and_every_change_makes_it_new(client, verbs, token, freeze):
    """Also to programs that send only If-Modified-Since, and also after a removal."""
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    address = f"/feed/{token}.ics"
    client.inspects = False  # a 304 has no content, so no type of content either

    for change in (
        lambda: verbs.move(visit, "2026-07-15 10:00"),
        lambda: verbs.cancel(visit),
        lambda: verbs.book(verbs.household(2), "2026-07-16 10:00"),
    ):
        before = client.get(address)
        by_tag = {"If-None-Match": before.headers["ETag"]}
        by_date = {"If-Modified-Since": before.headers["Last-Modified"]}
        assert client.get(address, headers=by_tag).status_code == 304
        assert client.get(address, headers=by_date).status_code == 304
        change()
        assert client.get(address, headers=by_tag).status_code == 200
        assert client.get(address, headers=by_date).status_code == 200
        assert client.get(address, headers={"If-None-Match": f"W/{before.headers['ETag']}"}).status_code == 200


def test_a_removed_visit_leaves_the_feed(client, verbs, token):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    assert len(events_of(client.get(f"/feed/{token}.ics"))) == 1

    verbs.cancel(visit)

    assert events_of(client.get(f"/feed/{token}.ics")) == []


def test_a_feed_looks_thirty_days_back_and_a_year_ahead(client, verbs, token, freeze):
    verbs.book(verbs.household(), "2026-07-07 14:00")

    freeze("2026-08-05 12:00")
    assert len(events_of(client.get(f"/feed/{token}.ics"))) == 1
    freeze("2026-08-07 12:00")
    assert events_of(client.get(f"/feed/{token}.ics")) == []


def test_the_same_feed_is_the_same_bytes(client, verbs, token):
    verbs.book(verbs.household(), "2026-07-14 14:00")

    assert client.get(f"/feed/{token}.ics").data == client.get(f"/feed/{token}.ics").data


def test_an_address_nobody_has_and_one_that_was_switched_off_are_not_told_apart(client, verbs, token):
    officer = verbs.cast.officer
    with transaction():
        feeds.end_address(user_id=officer.id, actor=officer.actor, now=now_utc())

    ended, never = client.get(f"/feed/{token}.ics"), client.get(f"/feed/{'x' * 43}.ics")

    assert ended.status_code == never.status_code == 404
    assert ended.page.text == never.page.text


def test_a_new_address_ends_the_old_one_and_leaving_ends_it_too(client, verbs, token):
    officer = verbs.cast.officer
    with transaction():
        newer = feeds.make_address(user_id=officer.id, actor=officer.actor, now=now_utc())
    assert client.get(f"/feed/{token}.ics").status_code == 404
    assert client.get(f"/feed/{newer}.ics").status_code == 200

    with transaction():
        feeds.end_for_leaver(from_user_id=officer.id, to_user_id=1, actor=officer.actor, now=now_utc())
    assert client.get(f"/feed/{newer}.ics").status_code == 404


def test_only_a_digest_of_the_address_is_kept_and_none_is_logged(client, verbs, token, capsys, caplog):
    row = db.session.scalars(sa.select(FeedToken)).one()
    assert row.token_hash == hashlib.sha256(token.encode()).hexdigest()
    assert len(token) >= 43  # 256 random bits
    trail = db.session.scalars(sa.select(AuditEntry)).all()
    assert token not in "".join(f"{entry.subject}{entry.detail_json}" for entry in trail)

    client.get(f"/feed/{token}.ics")
    client.get(f"/feed/{token}x.ics")

    written = capsys.readouterr()
    assert token not in written.out + written.err + caplog.text


def test_last_modified_moves_on_even_within_one_second(client, verbs, token):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    first = client.get(f"/feed/{token}.ics").last_modified
    verbs.move(visit, "2026-07-15 10:00")

    assert client.get(f"/feed/{token}.ics").last_modified - first >= timedelta(seconds=1)

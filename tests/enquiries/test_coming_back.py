"""Stopping and coming back: what was typed is kept, a link takes it elsewhere and dies, and a mailbox with two readers
tells neither of them anything."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from crm.cases.models import Case, Person
from crm.delivery.models import OutboundMessage
from crm.enquiries.models import EnquiryDraft
from tests.enquiries.test_public_form import ANSWERS, count, fill_in, send

pytestmark = pytest.mark.usefixtures("cast")

SECRETS = ("3 April 1985", 'value="1985"', "He must not know", "07700 900388")


def answer(client, slug, **answers):
    return client.submit(client.get(f"/enquire/{slug}").page, button="Continue", **answers)


def link_by_screen(client):
    page = client.submit(client.get("/enquire/later").page, button="Make a link", email="")
    return re.search(r"http://[^<\s]+(/enquire/return/[\w-]+)", page.text)[1]


def open_link(client, path):
    return client.submit(client.get(path).page, button="Carry on with these answers")


def private_form(client):
    for slug, given in {
        **ANSWERS,
        "changes": {"life_changes": "illness"},
        "safe-contact": {"safe": "text_first", "safe_note": "He must not know"},
    }.items():
        if slug != "where-you-stand":
            answer(client, slug, **given)


# --- Kept while typing ------------------------------------------------------------------------------------------------


def typed(client, slug, **values):
    page = client.get(f"/enquire/{slug}").page
    return client.post(f"/enquire/{slug}/typed", data={**page.form(button="Continue").filled("Continue"), **values})


def test_a_page_left_half_typed_is_there_again(client):
    assert typed(client, "name", given_name="May").status_code == 204

    form = client.get("/enquire/name").page.form(button="Continue").filled("Continue")

    assert (form["given_name"], form["family_name"]) == ("May", "")
    assert client.get("/enquire/name").status_code == 200


def test_what_is_wrong_is_kept_while_typing_and_no_answer_yet(client, session):
    typed(client, "age", **{"born_on-day": "31", "born_on-month": "2"})

    page = client.get("/enquire/age").page

    assert page.form(button="Continue").filled("Continue")["born_on-day"] == "31"
    assert not page.errors
    answer(client, "name", given_name="Maya", family_name="Thompson")
    assert client.get("/enquire/check").location == "/enquire/contact"


def test_an_answer_that_is_sent_takes_the_place_of_what_was_half_typed(client):
    typed(client, "name", given_name="Ma")
    answer(client, "name", given_name="Maya", family_name="Thompson")

    form = client.get("/enquire/name").page.form(button="Continue").filled("Continue")

    assert form["given_name"] == "Maya"


def test_half_typing_a_page_again_makes_no_new_version_of_what_was_sent(client, session):
    fill_in(client)
    send(client)
    typed(client, "name", given_name="Ma")

    send(client)

    assert session.scalars(select(EnquiryDraft.sent_count)).one() == 1


def test_carrying_on_leads_to_the_first_page_without_an_answer(client):
    answer(client, "postcode", **ANSWERS["postcode"])
    answer(client, "spare-room", **ANSWERS["spare-room"])

    assert "Carry on where you stopped" in client.get("/").text
    assert client.get("/enquire/carry-on").location == "/enquire/second-adult"


# --- A link -----------------------------------------------------------------------------------------------------------


def test_a_link_takes_the_answers_to_another_browser_and_both_go_on(app, client, session):
    fill_in(client)
    path = link_by_screen(client)
    phone = app.test_client()

    assert open_link(phone, path).location == "/enquire/carry-on"

    assert phone.get("/enquire/carry-on").location == "/enquire/check"
    assert phone.get("/enquire/name").page.form(button="Continue").filled("Continue")["given_name"] == "Maya"
    assert client.get("/enquire/check").status_code == 200
    send(phone)
    assert "Thank you, Maya" in phone.get("/enquire/done").text
    assert count(session, Case) == 1


def test_looking_at_the_link_shows_no_answer_and_opens_nothing(app, client):
    private_form(client)
    path = link_by_screen(client)
    stranger = app.test_client()

    page = stranger.get(path)

    assert not [secret for secret in (*SECRETS, "Maya", "07700 900214", "BR1") if secret in page.text]
    assert stranger.get_cookie("enquiry") is None
    assert stranger.get("/enquire/check").location == "/"


def test_closely_held_answers_are_not_shown_to_whoever_came_by_the_link(app, client):
    private_form(client)
    path = link_by_screen(client)
    other = app.test_client()
    open_link(other, path)

    pages = [f"/enquire/{slug}" for slug in ANSWERS] + ["/enquire/check"]
    shown = {path: [secret for secret in SECRETS if secret in other.get(path).text] for path in pages}

    assert {path: found for path, found in shown.items() if found} == {}
    assert "You answered this before" in other.get("/enquire/changes").text
    assert "Serious illness" not in other.get("/enquire/check").text
    assert not other.get("/enquire/changes").page.all("input", checked="checked")
    assert other.get("/enquire/check").text.count("Answered. Not shown here") >= 5


def test_what_is_not_shown_is_kept_and_sent_unless_it_is_answered_anew(app, client, session):
    private_form(client)
    other = app.test_client()
    open_link(other, link_by_screen(client))

    answer(other, "changes")
    answer(other, "age", **{"born_on-day": "4", "born_on-month": "4", "born_on-year": "1984"})
    send(other)

    maya = session.scalars(select(Person).where(Person.given_name == "Maya", Person.phone.is_not(None))).one()
    assert maya.no_calls
    assert "He must not know" in maya.safe_contact
    assert maya.born_on.isoformat() == "1984-04-04"


def test_the_browser_that_made_the_link_still_sees_everything(client):
    private_form(client)
    open_link(client, link_by_screen(client))

    assert "He must not know" in client.get("/enquire/safe-contact").text


def test_a_newer_link_a_sent_form_and_two_weeks_each_end_it(app, client, session, freeze):
    moment = freeze("2026-07-07 12:00")
    fill_in(client)
    first = link_by_screen(client)
    second = link_by_screen(client)

    assert client.get(first).status_code == 404
    assert client.get(second).status_code == 200
    freeze(moment + timedelta(days=14, minutes=1))
    assert client.get(second).status_code == 404
    freeze(moment)
    send(client)
    assert client.get(second).status_code == 404
    assert "Start again" in client.get(second).text


def test_the_token_of_a_link_is_kept_nowhere(client, session):
    fill_in(client)
    token = link_by_screen(client).rsplit("/", 1)[1]

    draft = session.scalars(select(EnquiryDraft)).one()

    assert token not in repr({c.name: getattr(draft, c.name) for c in EnquiryDraft.__table__.columns})
    assert len(token) >= 43


def test_a_link_by_email_says_nothing_about_anybody(client, session):
    private_form(client)

    page = client.submit(client.get("/enquire/later").page, button="Make a link", email="maya@example.org")

    letter = session.scalars(select(OutboundMessage)).one()
    text = letter.payload.decode()
    assert "/enquire/return/" not in page.text
    assert not [secret for secret in (*SECRETS, "Maya", "07700 900214") if secret in text]


def test_the_page_says_the_same_of_every_address(app, client, session, freeze):
    """G25: of one that is known, one that is not, one that has had enough, and one no letter can go to."""
    freeze("2026-07-07 12:00")
    fill_in(client)
    send(client)
    answers = {}
    for address in ("maya@example.org", "nobody@example.org", "full@example.org", '"odd name"@example.org'):
        other = app.test_client()
        answer(other, "postcode", postcode="BR1")
        for _ in range(4 if address == "full@example.org" else 1):
            page = other.submit(other.get("/enquire/later").page, button="Make a link", email=address)
        answers[page.status_code, page.text.replace(address, "AN ADDRESS")] = address
        if not address.startswith('"'):
            assert len(answers) == 1
    session.rollback()
    links = [one.recipient for one in session.scalars(select(OutboundMessage)) if one.kind == "enquiry_saved"]
    assert sorted(links) == [*["full@example.org"] * 3, "maya@example.org", "nobody@example.org"]


def test_without_answers_there_is_nothing_to_come_back_to(client, session):
    page = client.get("/enquire/later")

    assert "Make a link" not in page.text
    assert count(session, EnquiryDraft) == 0

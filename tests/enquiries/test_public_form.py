"""The public form: one thing a page, nothing lost, sent once, and a person rings by a real date."""

from __future__ import annotations

import gzip
import re
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from crm.cases.consents import consents_in_force
from crm.cases.models import Case, Deadline, Enquiry, Fact, Person
from crm.clock import now_utc
from crm.db import transaction
from crm.enquiries import drafts
from crm.enquiries.models import EnquiryDraft
from crm.enquiries.questions import QUESTIONS

pytestmark = pytest.mark.usefixtures("cast")

ANSWERS: dict[str, dict[str, object]] = {
    "postcode": {"postcode": "br1 3ko"},
    "spare-room": {"spare_room": "yes"},
    "second-adult": {
        "second": "partner",
        "second_given_name": "Daniel",
        "second_family_name": "Reid",
        "second_phone": "07700 900388",
    },
    "smoking": {"smoking": "no"},
    "changes": {"life_changes": "none"},
    "name": {"given_name": "Maya", "family_name": "Thompson"},
    "age": {"born_on-day": "3", "born_on-month": "4", "born_on-year": "1985"},
    "fostering-now": {"approved_elsewhere": "no"},
    "right-to-work": {"right_to_live": "yes"},
    "where-you-stand": {},
    "contact": {"phone": "07700 900214", "email": "maya@example.org", "prefers": "phone", "contact_times": "evening"},
    "safe-contact": {"safe": "no_voicemail", "safe_note": ""},
    "not-then": {"never_by": ["post"], "quiet_times": ["weekend"]},
    "heard": {"heard": "carer", "heard_detail": "Aunt Jo"},
    "news": {"news": ["email"]},
}


def fill_in(client, answers=None, **changes):
    """Answer page after page, as the Continue button leads; the last answer led to the check page."""
    answers = {**(answers or ANSWERS), **changes}
    address = "/enquire/postcode"
    for _ in range(len(QUESTIONS) + 1):
        slug = address.rsplit("/", 1)[1]
        page = client.get(address).page
        response = client.submit(page, button="Carry on" if slug == "where-you-stand" else "Continue", **answers[slug])
        assert response.status_code == 303, response.text
        address = response.location
    return address


def send(client):
    return client.submit(client.get("/enquire/check").page, button="Send my answers")


def count(session, model):
    session.rollback()
    return session.scalar(select(func.count()).select_from(model))


def test_a_form_filled_in_and_sent_is_a_case_with_an_owner_and_a_clock(client, session, cast, freeze):
    freeze("2026-07-07 21:30")
    assert fill_in(client) == "/enquire/check"

    sent = send(client)
    thanks = client.get(sent.location)

    case = session.scalars(select(Case)).one()
    assert case.household.name == "Maya Thompson and Daniel Reid"
    assert case.owner_id == cast.manager.id
    due = session.scalars(select(Deadline.due_on).where(Deadline.case_id == case.id, Deadline.rule == "first_contact"))
    assert due.one() == date(2026, 7, 8)
    assert "Denise will ring you by 7pm on Wednesday 8 July" in thanks.text
    assert case.reference in thanks.text
    assert "01632 960 140" in thanks.text
    assert "Nobody will leave a voicemail" in thanks.text


def test_what_was_said_is_kept_with_its_source_and_each_adult_has_their_own_number(client, session, freeze):
    freeze("2026-07-07 12:00")
    fill_in(client)
    send(client)

    maya, daniel = session.scalars(
        select(Person).where(Person.household_id == select(Case.household_id).scalar_subquery()).order_by(Person.id)
    ).all()
    assert (maya.phone, maya.no_voicemail, maya.contact_times) == ("07700 900214", True, "Evening, 5pm to 7pm")
    assert (daniel.full_name, daniel.phone) == ("Daniel Reid", "07700 900388")
    facts = {fact.key: (fact.value, fact.source) for fact in session.scalars(select(Fact))}
    assert facts["spare_room"] == ("Yes", "Web form")
    assert facts["age_over_21"] == ("Yes", "Web form")
    held = consents_in_force([maya.id, daniel.id])
    assert {channel: one.given for channel, one in held[maya.id].items()} == {
        "email": True,
        "text": False,
        "phone": False,
    }
    assert daniel.id not in held


def test_sent_on_friday_evening_they_are_rung_on_monday_and_a_bank_holiday_waits(client, freeze):
    freeze("2026-05-22 19:00")
    fill_in(client)

    thanks = client.get(send(client).location)

    assert "Tuesday 26 May" in thanks.text


# --- Never lost, never doubled (G11) ----------------------------------------------------------------------------------


def test_sending_ten_times_stores_once_and_says_the_same(client, session):
    fill_in(client)
    page = client.get("/enquire/check").page

    places = {client.submit(page, button="Send my answers").location for _ in range(10)}
    references = {client.get("/enquire/done").text.split("Your reference is <strong>")[1][:9] for _ in range(2)}

    assert places == {"/enquire/done"}
    assert len(references) == 1
    assert (count(session, Case), count(session, Enquiry)) == (1, 1)


def test_two_tabs_send_one_enquiry(client, session):
    fill_in(client)
    one, other = client.get("/enquire/check").page, client.get("/enquire/check").page

    first = client.submit(one, button="Send my answers")
    second = client.submit(other, button="Send my answers")

    assert first.location == second.location
    assert (count(session, Case), count(session, Enquiry)) == (1, 1)


def test_going_back_changing_and_sending_again_is_a_visible_new_version(client, session):
    fill_in(client)
    check = client.get("/enquire/check").page
    client.submit(check, button="Send my answers")
    contact = client.get("/enquire/contact").page
    client.submit(contact, button="Continue", phone="07700 900215")

    again = client.submit(check, button="Send my answers", follow=True)

    assert again.status_code == 200
    assert count(session, Case) == 1
    assert count(session, Enquiry) == 2
    assert session.scalars(
        select(Person.phone).where(Person.given_name == "Maya", Person.phone.is_not(None))
    ).all() == ["07700 900215"]


def test_another_browser_sees_nothing_of_it(app, client, session):
    fill_in(client)
    page = client.get("/enquire/check").page
    client.submit(page, button="Send my answers")
    stranger = app.test_client()

    assert stranger.get("/enquire/done").location == "/"
    replay = stranger.post("/enquire/check", data=page.form(button="Send my answers").filled("Send my answers"))
    assert "Maya" not in replay.text
    assert "07700" not in replay.text
    assert count(session, Enquiry) == 1


# --- The draft --------------------------------------------------------------------------------------------------------


def test_looking_at_pages_writes_nothing(client, session, queries):
    with queries() as sent:
        questions = [f"/enquire/{question.slug}" for question in QUESTIONS]
        for path in ("/", "/privacy", "/accessibility", "/enquire/later", *questions):
            assert client.get(path).status_code == 200

    assert not [
        statement for statement in sent if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))
    ]
    assert count(session, EnquiryDraft) == 0


def test_going_back_shows_what_was_typed(client):
    fill_in(client)

    page = client.get("/enquire/second-adult").page

    filled = page.form(button="Continue").filled("Continue")
    assert filled["second"] == "partner"
    assert filled["second_given_name"] == "Daniel"


def test_answers_are_sealed_and_the_browsers_token_is_not_kept(client, session):
    fill_in(client)

    draft = session.scalars(select(EnquiryDraft)).one()
    token = client.get_cookie("enquiry").value

    assert "Maya" not in draft.answers_sealed
    assert token not in (draft.token_hash, draft.answers_sealed)


def test_a_draft_dies_after_two_weeks_and_an_hour_after_it_was_sent(app, client, session, freeze):
    moment = freeze("2026-07-07 12:00")
    fill_in(client)
    send(client)
    freeze(moment + timedelta(minutes=61))

    assert client.get("/enquire/done").location == "/"
    with transaction():
        assert drafts.forget_old_drafts(now=now_utc()) == 1


def test_nothing_is_sent_without_a_name_and_a_way_to_get_back(client, session):
    page = client.get("/enquire/postcode").page
    client.submit(page, button="Continue", postcode="BR1")

    assert client.get("/enquire/check").location == "/enquire/name"
    sent = client.post("/enquire/check", data=page.form(button="Continue").filled("Continue"))
    assert sent.location == "/enquire/name"
    assert count(session, Case) == 0


# --- Where you stand --------------------------------------------------------------------------------------------------


def stand(client, **changes):
    answers = {slug: dict(given) for slug, given in ANSWERS.items()}
    for slug, given in changes.items():
        answers[slug.replace("_", "-")] = given
    for slug in (
        "postcode",
        "spare-room",
        "second-adult",
        "smoking",
        "changes",
        "name",
        "age",
        "fostering-now",
        "right-to-work",
    ):
        client.submit(client.get(f"/enquire/{slug}").page, button="Continue", **answers[slug])
    return client.get("/enquire/where-you-stand")


def test_one_thing_to_talk_about_is_not_a_no(client):
    page = stand(client, smoking={"smoking": "outside"})

    assert "Yes. Fostering could work in your home" in page.text
    assert "There is one thing to talk about" in page.text
    assert "Not a no" in page.text
    assert "A person decides, not this page" in page.text


def test_i_dont_know_is_an_answer(client):
    page = stand(client, spare_room={"spare_room": "dont_know"}, second_adult={"second": "dont_know"})

    assert "Yes. Fostering could work in your home" in page.text


def test_not_yet_comes_with_a_date_and_other_ways_to_help(client, session, freeze):
    freeze("2026-07-07 12:00")
    page = stand(client, spare_room={"spare_room": "not_yet"})
    assert "Let’s talk again in January 2027" in page.text
    assert "Other ways to help now" in page.text

    onward = client.submit(page.page, field="ring", ring="then")
    assert onward.location == "/enquire/contact"
    for slug in ("contact", "safe-contact", "not-then", "heard", "news"):
        client.submit(client.get(f"/enquire/{slug}").page, button="Continue", **ANSWERS[slug])
    send(client)

    touch = session.scalars(select(Enquiry)).one()
    assert "7 January 2027" in touch.said


def test_nineteen_is_not_now_until_twenty_one(client, freeze):
    """S8: the law permits from 18; the service's own rule is 21."""
    freeze("2026-05-06 12:00")

    page = stand(client, age={"born_on-day": "10", "born_on-month": "2", "born_on-year": "2007"})

    assert "Let’s talk again in February 2028" in page.text
    assert "10 February 2028" in page.text
    assert "That is our own rule, not the law" in page.text


def test_seventeen_is_a_hard_stop_and_still_no_dead_end(client, freeze):
    freeze("2026-05-06 12:00")

    page = stand(client, age={"born_on-day": "10", "born_on-month": "2", "born_on-year": "2009"})

    assert "You must be at least 18 to foster" in page.text
    assert "Other ways to help now" in page.text
    assert page.page.form(field="ring")


def test_outside_the_area_is_a_conversation(client):
    page = stand(client, postcode={"postcode": "LS1 1AO"})

    assert "Where you live" in page.text
    assert "Not a no" in page.text


# --- Bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "typed", "said"),
    [
        ("postcode", {"postcode": "my house"}, "Check the postcode"),
        ("spare-room", {}, "Choose one of the answers"),
        ("spare-room", {"spare_room": "perhaps"}, "Choose one of the answers"),
        ("second-adult", {"second": "partner"}, "Tell us their first name"),
        ("second-adult", {"second": "partner", "second_given_name": "Jo", "second_email": "jo"}, "has an @ in it"),
        ("name", {"given_name": "Maya"}, "Tell us your last name"),
        ("name", {"given_name": "M" * 101, "family_name": "T"}, "100 characters or fewer"),
        ("age", {"born_on-day": "31", "born_on-month": "2", "born_on-year": "1985"}, "does not have 31 days"),
        ("age", {"born_on-day": "1", "born_on-month": "2"}, "Add the year to your date of birth"),
        ("contact", {}, "Give us a phone number or an email"),
        ("contact", {"phone": "07700 9002"}, "This number has 9 digits"),
        ("contact", {"phone": "07700 900214", "email": "maya.example.org"}, "An email address has an @ in it"),
        ("safe-contact", {}, "Choose how we may reach you"),
    ],
)
def test_each_page_says_how_to_put_it_right_and_keeps_what_was_typed(client, session, slug, typed, said):
    page = client.get(f"/enquire/{slug}").page

    answer = client.submit(page, button="Continue", **typed)

    assert answer.status_code == 422
    assert said in answer.text
    assert answer.page.title.startswith("Error: ")
    for value in typed.values():
        if value != "perhaps":
            assert str(value) in answer.text
    assert count(session, EnquiryDraft) == 0


def test_a_question_that_is_not_asked_is_not_there(client):
    assert client.get("/enquire/shoe-size").status_code == 404


# --- Light enough for a slow phone ------------------------------------------------------------------------------------


def test_the_first_view_is_small(client):
    page = client.get("/")
    parts = re.findall(r'<(?:link rel="stylesheet" href|script type="module" src)="([^"]+)"', page.text)
    scripts = [part for part in parts if ".js" in part]
    # What a script imports is fetched with it.
    imported = [
        f"/static/{name}" for part in scripts for name in re.findall(r"from '\./([^']+)'", client.get(part).text)
    ]

    assert len(parts) >= 3
    assert len(page.data) <= 30_000
    assert sum(len(gzip.compress(client.get(part).data)) for part in ["/", *parts, *imported]) <= 60_000


def test_a_question_page_asks_the_database_for_the_draft_and_little_else(client, queries):
    fill_in(client)

    with queries() as sent:
        client.get("/enquire/contact")
    asked = [one for one in sent if one.lstrip().upper().startswith("SELECT")]

    assert len(asked) <= 2
    with queries() as sent:
        client.get("/")
    assert len([one for one in sent if one.lstrip().upper().startswith("SELECT")]) <= 1

"""Two adults who each answer for themselves, ways and times that are ruled out, and where an enquiry came from."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from crm.cases.consents import consents_in_force
from crm.cases.models import Campaign, Case, Consent, Enquiry, Fact, Person, Task
from crm.db import transaction
from crm.enquiries.models import EnquiryArrival, EnquiryOrigin
from crm.policy import changing
from tests.enquiries.test_public_form import ANSWERS, fill_in, send, stand

pytestmark = pytest.mark.usefixtures("cast")


def people(session):
    session.rollback()
    return session.scalars(
        select(Person).where(Person.household_id == select(Case.household_id).scalar_subquery()).order_by(Person.id)
    ).all()


# --- Two adults -------------------------------------------------------------------------------------------------------


def test_the_second_adult_says_yes_for_themselves_or_nothing_is_kept(client, session):
    fill_in(client, news={"news": ["email"], "second_here": "yes", "second_news": ["text"]})
    send(client)

    maya, daniel = people(session)
    held = consents_in_force([maya.id, daniel.id])
    assert {channel: one.given for channel, one in held[maya.id].items()} == {
        "email": True, "text": False, "phone": False,
    }  # fmt: skip
    assert {channel: one.given for channel, one in held[daniel.id].items()} == {"text": True, "phone": False}


def test_nobody_ticks_a_box_for_somebody_who_is_not_there(client):
    fill_in(client)

    page = client.submit(client.get("/enquire/news").page, button="Continue", second_here="no", second_news=["text"])

    assert page.status_code == 422
    assert "Tick these only if they are with you" in page.text


def test_two_may_share_a_number_and_an_email_and_stay_two_people(client, session):
    shared = {"second_phone": "07700 900214", "second_email": "maya@example.org"}
    fill_in(client, **{"second-adult": {**ANSWERS["second-adult"], **shared}})
    send(client)

    maya, daniel = people(session)
    assert (maya.phone_key, maya.email_key) == (daniel.phone_key, daniel.email_key)
    assert not consents_in_force([daniel.id])


# --- Ways and times ---------------------------------------------------------------------------------------------------


def test_what_is_ruled_out_is_kept_and_said_back(client, session):
    fill_in(
        client,
        **{"not-then": {"never_by": ["text", "post"], "quiet_times": ["evening", "weekend"]}},
    )
    thanks = client.get(send(client).location)

    maya = people(session)[0]
    assert (maya.no_texts, maya.no_emails, maya.no_letters) == (True, False, True)
    assert maya.quiet_times == "evening,weekend"
    assert "Not evenings or weekends, as you asked" in thanks.text


def test_one_way_to_reach_them_must_be_left(client):
    fill_in(
        client,
        contact={"phone": "", "email": "maya@example.org", "prefers": "email"},
        **{"not-then": {"never_by": ["email"]}, "news": {}},
    )

    assert client.get("/enquire/check").location == "/enquire/not-then"


def test_news_is_not_offered_by_a_way_that_is_ruled_out(client):
    fill_in(client, news={}, **{"not-then": {"never_by": ["email"], "quiet_times": []}})

    assert "You may email me" not in client.get("/enquire/news").text


def test_how_they_like_it_best_is_how_they_hear_first(client, session):
    fill_in(client, contact={**ANSWERS["contact"], "prefers": "email"})

    assert "will write to you by" in client.get(send(client).location).text
    assert people(session)[0].prefers == "email"


# --- Words and their versions -----------------------------------------------------------------------------------------


def test_the_words_that_stood_on_the_page_are_those_that_are_kept(client, session, cast, freeze):
    moment = freeze("2026-07-07 23:50")
    fill_in(client)
    news, check = client.get("/enquire/news").page, client.get("/enquire/check").page
    with transaction():
        for name in ("consent.email", "privacy_notice"):
            changing.publish_wording(
                name=name, text="Some other words than these.", in_force_from=moment.date(),
                actor=cast.administrator.actor, now=moment, today=moment.date(),
            )  # fmt: skip

    client.submit(news, button="Continue", news=["email"])
    client.submit(check, button="Send my answers")

    session.rollback()
    email = session.scalars(select(Consent.wording_version).where(Consent.channel == "email")).one()
    assert (email, session.scalars(select(EnquiryOrigin.privacy_version)).one()) == ("1", "1")


def test_a_version_that_never_was_is_not_believed(client, session):
    fill_in(client)
    client.submit(
        client.get("/enquire/news").page, button="Continue", news=["email"], wordings=json.dumps({"email": "999"})
    )
    client.submit(client.get("/enquire/check").page, button="Send my answers", notice="999")

    session.rollback()
    assert session.scalars(select(Consent.wording_version).distinct()).all() == ["1"]
    assert session.scalars(select(EnquiryOrigin.privacy_version)).one() == "1"


# --- Where you stand --------------------------------------------------------------------------------------------------


def test_a_carer_of_another_service_is_ruled_in_and_told_how(client):
    page = stand(client, fostering_now={"approved_elsewhere": "yes"})

    assert "Yes. Fostering could work in your home" in page.text
    assert "You can move to us" in page.text
    assert "Ask for Denise" in page.text


def ask_to_be_rung_when_there_is_room(client):
    """Send a form that says "not yet", and give the page of thanks."""
    page = stand(client, spare_room={"spare_room": "not_yet"})
    client.submit(page.page, field="ring", ring="then")
    for slug in ("contact", "safe-contact", "not-then", "heard", "news"):
        client.submit(client.get(f"/enquire/{slug}").page, button="Continue", **ANSWERS[slug])
    return client.get(send(client).location)


def test_a_wish_to_be_rung_later_is_in_the_diary_of_whoever_has_the_case(client, session, cast, freeze):
    freeze("2026-07-07 12:00")
    thanks = ask_to_be_rung_when_there_is_room(client)

    session.rollback()
    task = session.scalars(select(Task).where(Task.case_id.is_not(None))).one()
    assert (task.due_on.isoformat(), task.assigned_to_id) == ("2027-01-07", cast.manager.id)
    assert "You asked us to ring on Thursday 7 January 2027. That is in Denise’s diary" in thanks.text
    case = session.scalars(select(Case)).one()
    assert (case.is_open, case.place) == (True, "new"), "a person decides, and rings first"


def test_the_day_they_asked_for_stands_in_the_form_when_they_are_let_rest(client, session, cast, freeze):
    freeze("2026-07-07 12:00")
    ask_to_be_rung_when_there_is_room(client)
    session.rollback()
    reference = session.scalars(select(Case.reference)).one()

    client.sign_in(cast.manager)
    resting = client.get(f"/cases/{reference}/not-now")
    freeze("2027-01-08 12:00")
    client.sign_in(cast.manager)
    too_late = client.get(f"/cases/{reference}/not-now")

    assert "They asked to be rung on Thursday 7 January 2027." in resting.text
    day = [resting.page.all("input", name=f"back_on-{part}")[0]["value"] for part in ("day", "month", "year")]
    assert day == ["7", "1", "2027"]
    assert "They asked to be rung on" not in too_late.text


def test_nobody_is_rung_at_a_weekend(client, freeze):
    freeze("2026-07-09 12:00")  # six months later is Saturday 9 January

    page = stand(client, spare_room={"spare_room": "not_yet"})

    assert "Shall we ring you on Monday 11 January 2027?" in page.text


# --- Campaign links ---------------------------------------------------------------------------------------------------


def arrivals(session):
    session.rollback()
    return session.scalars(select(EnquiryArrival).order_by(EnquiryArrival.ordinal)).all()


def arrive(client, address):
    """Come by a link and answer the first question, as the Start button leads."""
    page = client.get(address)
    if page.status_code == 302:
        page = client.get(page.location)
    start = next(a["href"] for a in page.page.all("a", role="button"))
    page = client.get(start)
    while page.status_code == 303:
        page = client.get(page.location)
    button = "Send my answers" if "check" in page.page.address else "Continue"
    slug = page.page.address.partition("?")[0].rsplit("/", 1)[1]
    client.submit(page.page, button=button, **ANSWERS.get(slug, {}))


def test_first_last_and_every_link_between_stand_with_the_touch(client, session):
    with transaction():
        session.add(Campaign(code="LEAF7", name="Spring leaflet"))
    arrive(client, "/c/leaf7?utm_source=council&utm_medium=leaflet")
    arrive(client, "/?utm_source=facebook&utm_medium=social&utm_campaign=nobody-knows-it")
    fill_in(client)
    send(client)

    first, last = arrivals(session)
    assert (first.code, first.source, first.medium) == ("leaf7", "council", "leaflet")
    assert (last.code, last.source, last.campaign) == (None, "facebook", "nobody-knows-it")
    enquiry = session.scalars(select(Enquiry)).one()
    assert enquiry.campaign_id == first.campaign_id == session.scalars(select(Campaign.id)).one()
    assert session.scalars(select(Case.campaign_id)).one() == first.campaign_id
    facts = {fact.key: fact.value for fact in session.scalars(select(Fact))}
    assert facts["came_by"] == "council, leaflet (leaf7); then facebook, social, nobody-knows-it"
    assert facts["heard_from"] == "A foster carer told me: Aunt Jo"


@pytest.mark.parametrize(
    "address",
    [
        "/?c=" + "x" * 5000,
        "/?c=%3Cscript%3E&utm_source=%27%22%3E%3Cimg+src=x%3E",
        "/?utm_source=%F0%9F%A6%8A%E2%80%AE&utm_medium=%0d%0aSet-Cookie:x",
        "/?c=&utm_source=+++",
        "/c/%ff%fe",
    ],
)
def test_nothing_in_an_address_is_an_error(client, session, address):
    arrive(client, address)
    fill_in(client)
    send(client)

    for one in arrivals(session):
        for word in (one.code, one.source, one.medium):
            assert word is None or (len(word) <= 80 and not set('<>"\r\n\u202e') & set(word))


def test_where_they_heard_of_us_is_asked_once_and_suggested_by_the_link(client, session):
    arrive(client, "/?utm_medium=leaflet")

    page = client.get("/enquire/heard").page

    assert page.form(button="Continue").filled("Continue")["heard"] == "leaflet"
    fill_in(client)
    send(client)
    session.rollback()
    origin = session.scalars(select(EnquiryOrigin)).one()
    assert (origin.heard, origin.heard_detail) == ("carer", "Aunt Jo")

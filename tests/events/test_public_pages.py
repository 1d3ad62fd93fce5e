"""The public pages of events, as anybody's browser sees them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from crm.cases.open_case import NewPerson
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.events import places, planning, publishing
from crm.events.models import EventConsent, EventGuest, EventKind, EventSignUp, RecruitmentEvent
from crm.rules.permissions import PUBLIC
from crm.web import limits
from tests.enquiries.test_spam import solution
from tests.events.conftest import at
from tests.events.test_places import PLAN

TODAY = "2026-06-20 09:00"
ME = {"given_name": "Ama", "email": "ama@example.org"}


@pytest.fixture
def open_event(app, cast, freeze):
    """``open_event(capacity=2)``: a published event; gives its address."""
    freeze(TODAY)

    def make(**more):
        with app.app_context(), transaction():
            event = planning.create_event(**{**PLAN, **more}, actor=cast.recruiter.actor, now=at(TODAY))
            publishing.publish(event, actor=cast.recruiter.actor, now=at(TODAY))
            return f"/events/{event.slug}"

    return make


def count(app, model):
    with app.app_context():
        return db.session.scalar(sa.select(sa.func.count()).select_from(model))


def sends(client, path, **answers):
    return client.submit(client.get(path).page, to=None, field="given_name", **{**ME, **answers})


def without_ids(text: str) -> str:
    import re

    return re.sub(r'(name="(?:csrf_token|one_time_id)" value=")[^"]*', r"\1", text)


def test_somebody_saves_a_place_without_signing_in(app, client, open_event):
    path = open_event(capacity=12)

    answer = sends(client, path, phone="07700 900745", news=["email"], second_given_name="Yaw", wants_call="y")

    assert (answer.status_code, answer.location) == (303, f"{path}/thank-you")
    with app.app_context():
        row = db.session.scalars(sa.select(EventSignUp)).one()
        assert (row.status, row.adults, row.wants_call) == ("confirmed", 2, True)
        kept = {one.channel: one.given for one in db.session.scalars(sa.select(EventConsent))}
        assert kept == {"email": True, "text": False, "phone": False}, "each channel by itself, and none for the other"
    assert client.get(answer.location).page.h1 == "Thank you. Now look in your email"


def test_a_form_with_mistakes_loses_nothing_and_says_what_to_put_right(app, client, open_event):
    answer = sends(client, open_event(), email="ama@", wants_call="y", question="Can I keep my job?")

    assert answer.status_code == 422
    assert "Give the number we should ring" in answer.text
    assert "Can I keep my job?" in answer.text
    assert count(app, EventSignUp) == 0


def test_the_answer_is_the_same_whether_or_not_we_know_the_address(app, client, open_event):
    """G25: a place that is there already is neither said nor changed, and the page counts no places aloud."""
    path = open_event(capacity=12)
    known = [sends(client, path) for _ in range(2)]
    new = sends(client, path, email="kofi@example.org")

    assert {(answer.status_code, answer.location) for answer in (*known, new)} == {(303, f"{path}/thank-you")}
    assert count(app, EventSignUp) == 2
    before = client.get(path)
    sends(client, path)
    after_known = client.get(path)
    sends(client, path, email="esi@example.org")
    after_new = client.get(path)
    assert without_ids(before.text) == without_ids(after_known.text) == without_ids(after_new.text)


def test_the_same_form_sent_twice_is_one_sign_up(app, client, open_event):
    page = client.get(open_event()).page

    answers = [client.submit(page, to=None, field="given_name", **ME) for _ in range(3)]

    assert {answer.location for answer in answers} == {answers[0].location}
    assert (count(app, EventSignUp), count(app, OutboundMessage)) == (1, 1)


def test_a_full_event_says_so_and_takes_names_for_the_line(app, client, open_event):
    path = open_event(capacity=1)
    sends(client, path)

    assert "Join the waiting list" in client.get(path).text
    assert sends(client, path, email="kofi@example.org").status_code == 303
    with app.app_context():
        assert db.session.scalars(sa.select(EventSignUp.status).order_by(EventSignUp.id)).all() == [
            "confirmed",
            "waiting",
        ]


def test_the_link_of_an_online_event_is_on_no_page(app, client, open_event):
    path = open_event(kind=EventKind.ONLINE, place=None, town=None, link="https://example.org/join-here")
    sends(client, path)
    with app.app_context():
        token = db.session.scalars(sa.select(EventSignUp)).one().link_token

    pages = [
        client.get(address).text for address in ("/events", path, f"{path}/thank-you", f"/events/my-place/{token}")
    ]
    assert all("join-here" not in page for page in pages)


def test_a_draft_is_shown_to_nobody_and_a_cancelled_event_says_that_it_is_off(app, client, cast, open_event):
    path = open_event()
    with app.app_context(), transaction():
        draft = planning.create_event(**{**PLAN, "name": "Secret"}, actor=cast.recruiter.actor, now=at(TODAY)).slug
        event = db.session.scalars(sa.select(RecruitmentEvent).where(RecruitmentEvent.slug == path[8:])).one()
        publishing.cancel(event, why="The hall has no heating.", actor=cast.recruiter.actor, now=at(TODAY))

    assert client.get(f"/events/{draft}").status_code == 404
    off = client.get(path)
    assert "The hall has no heating." in off.text
    assert not [form for form in off.page.forms if form.method == "POST"]
    assert path not in client.get("/events").text


def test_a_place_is_given_up_and_taken_again_by_pressing_and_never_by_looking(app, client, open_event):
    path = open_event(capacity=1)
    sends(client, path)
    with app.app_context():
        row = db.session.scalars(sa.select(EventSignUp)).one()
        address, token = f"/events/my-place/{row.link_token}", row.link_token
    for _ in range(3):
        assert client.get(address).status_code == client.head(address).status_code == 200
    assert client.get(f"{address}/give-up").status_code == 405

    client.submit(client.get(address).page, button="Give up my place")
    assert client.get(address).page.h1 == "You are off the list"
    client.submit(client.get(address).page, button="I would like to come after all")
    assert client.get(address).page.h1 == "You have a place"
    assert client.get(f"/events/my-place/{token[:-1]}x").status_code == 404


def test_the_short_address_leads_to_the_event_however_it_is_typed(app, client, open_event):
    path = open_event()
    with app.app_context():
        code = db.session.scalars(sa.select(RecruitmentEvent.code)).one()

    assert client.get(f"/e/{code.lower()}").location == path
    assert client.get("/e/nothing").status_code == 404


def test_events_are_listed_by_district(client, open_event):
    catford, bromley = open_event(postcode="SE6 0KM"), open_event(name="Tea", postcode="BR1 3KO", town="Bromley")

    near = client.get("/events?near=BR1").text
    assert bromley in near
    assert catford not in near
    assert catford in client.get("/events?near=nonsense").text


def test_the_public_pages_ask_the_database_the_same_however_many_sign_up(app, client, queries, open_event):
    path = open_event(capacity=500)

    def asked():
        with queries() as sent:
            client.get(path)
            client.get("/events")
        return len(sent)

    asked()
    few = asked()
    with app.app_context(), transaction():
        event = db.session.scalars(sa.select(RecruitmentEvent)).one()
        for number in range(30):
            guest = NewPerson(given_name="Guest", email=f"guest{number}@example.org")
            places.sign_up(event, places.NewSignUp(people=[guest]), actor=PUBLIC, now=at(TODAY))

    assert asked() == few


def test_the_list_of_guests_asks_the_same_however_many_come_and_checks_in_with_one_press(
    app, client, cast, queries, open_event
):
    path = open_event(capacity=500)
    with app.app_context():
        event_id = db.session.scalars(sa.select(RecruitmentEvent.id)).one()
    sends(client, path, question="Can I keep my job?")
    client.sign_in(cast.recruiter)

    def asked():
        with queries() as sent:
            page = client.get(f"/events/{event_id}/guests")
        return len(sent), page

    asked()
    few, page = asked()
    assert "Can I keep my job?" in page.text
    with app.app_context(), transaction():
        event = db.session.get(RecruitmentEvent, event_id)
        for number in range(60):
            guest = NewPerson(given_name=f"Guest{number:02d}", email=f"guest{number}@example.org")
            places.sign_up(event, places.NewSignUp(people=[guest]), actor=PUBLIC, now=at(TODAY))
    many, page = asked()
    assert many == few

    client.submit(client.get(f"/events/{event_id}/guests?find=ama").page, button="Check in Ama")
    with app.app_context():
        here = db.session.scalars(sa.select(EventGuest.given_name).where(EventGuest.attended_at.is_not(None))).all()
    assert here == ["Ama"]
    after = client.get(f"/events/{event_id}/guests").page
    following = next(link["href"] for link in after.root.all("a", None) if link.text.strip() == "More")
    assert client.get(following).status_code == 200


def test_a_poster_and_a_sheet_carry_the_short_address_and_no_way_to_reach_anybody(app, client, cast, open_event):
    path = open_event()
    sends(client, path, family_name="Boateng", phone="07700 900745")
    with app.app_context():
        event = db.session.scalars(sa.select(RecruitmentEvent)).one()
        event_id, code = event.id, event.code
    client.sign_in(cast.recruiter)

    poster, sheet = (client.get(f"/events/{event_id}/{what}") for what in ("poster", "sign-in-sheet"))
    assert f"/e/{code}" in poster.text
    assert "<path" in poster.text
    assert "Ama B" in sheet.text
    assert not [word for word in ("Boateng", "900745", "ama@example.org") if word in sheet.text]
    assert "Then shred it" in sheet.text


def test_an_event_that_begins_soon_can_still_be_signed_up_to_until_it_does(client, freeze, open_event):
    path = open_event()
    freeze("2026-07-11 09:59")
    assert "Save my place" in client.get(path).text
    freeze(at("2026-07-11 10:00") + timedelta(minutes=1))
    assert "This event has begun" in client.get(path).text


def test_a_form_that_a_program_filled_in_is_asked_for_once_more_and_loses_nothing(app, client, open_event):
    """G24, without a captcha: the box that nobody sees is filled in, so nothing is kept until it is sent without."""
    path = open_event()

    caught = sends(client, path, your_web_page="https://example.org", question="Can I keep my job?")
    assert caught.status_code == 422
    assert "press the button once more" in caught.text
    assert count(app, EventSignUp) == 0

    again = client.submit(caught.page, to=None, field="given_name", your_web_page="")
    assert again.status_code == 303
    with app.app_context():
        assert db.session.scalars(sa.select(EventSignUp)).one().question == "Can I keep my job?"


# --- A crowd (G24), as on the form for enquiries ----------------------------------------------------------------------


@pytest.fixture
def crowded(make_app, open_event):
    """The address of an event, and a browser at an address from which a crowd of sign-ups came."""
    path = open_event()
    client = make_app(quickest_form_seconds=12, step_up_after=5).test_client()
    with client.application.app_context():
        for _ in range(6):
            limits.count_try("event sign-up", "127.0.0.1", at_most=1000, seconds=300)
    return path, client


def send_after(client, freeze, page, seconds, **answers):
    moment = at(TODAY) + timedelta(seconds=seconds)
    freeze(moment)
    return client.submit(page.page, to=None, field="given_name", **{**ME, **answers})


def test_in_a_crowd_a_browser_does_a_little_work_for_the_one_form(app, crowded, freeze):
    path, client = crowded
    page, other = client.get(path), client.get(path)

    without = send_after(client, freeze, page, 20, work_done=solution(other))
    answer = client.submit(without.page, to=None, field="given_name", work_done=solution(without))

    assert without.status_code == 422
    assert "wait a minute, then press the button once more" in without.page.text
    assert without.page.all("input", name="given_name")[0]["value"] == "Ama"
    assert answer.status_code == 303
    assert count(app, EventSignUp) == 1


def test_work_that_was_done_is_done_for_one_sign_up(app, crowded, freeze):
    path, client = crowded
    page = client.get(path)
    work = solution(page)
    send_after(client, freeze, page, 20, work_done=work)

    again = send_after(client, freeze, page, 21, work_done=work, email="other@example.org")

    assert again.status_code == 409
    assert count(app, EventSignUp) == 1


def test_in_a_crowd_whoever_has_no_scripts_waits_a_minute_and_is_not_turned_away(app, crowded, freeze):
    path, client = crowded
    page = client.get(path)

    early = send_after(client, freeze, page, 59)
    late = send_after(client, freeze, early, 61)

    assert (early.status_code, late.status_code) == (422, 303)
    assert count(app, EventSignUp) == 1


def test_a_crowd_of_sign_ups_at_one_address_is_none_at_another(crowded):
    path, client = crowded
    elsewhere = client.application.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "192.0.2.7"

    assert "data-puzzle" in client.get(path).text
    assert "data-puzzle" not in elsewhere.get(path).text

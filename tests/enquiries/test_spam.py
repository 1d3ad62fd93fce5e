"""Programs that fill in forms are slowed, nobody has to prove that they are a person, and nothing is lost (G24)."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from crm.cases.models import Case, Deadline, Task
from crm.clock import now_utc
from crm.db import transaction
from crm.enquiries import held
from crm.enquiries.models import EnquiryDraft, HeldEnquiry
from crm.web import limits, robots
from tests.enquiries.test_public_form import ANSWERS, count, fill_in, send

pytestmark = pytest.mark.usefixtures("cast")


@pytest.fixture
def strict(make_app):
    """The product as it runs at a service: a form takes a person twelve seconds, and a crowd is five forms."""
    return make_app(quickest_form_seconds=12, step_up_after=5).test_client()


def kept_aside(session):
    session.rollback()
    return session.scalars(select(HeldEnquiry)).all()


# --- Signs ------------------------------------------------------------------------------------------------------------


def test_a_box_that_people_cannot_see_holds_the_form_back_and_says_thank_you(client, session):
    fill_in(client)
    sent = client.submit(
        client.get("/enquire/check").page, button="Send my answers", your_web_page="https://spam.example.org"
    )

    thanks = client.get(sent.location)

    assert "Thank you, Maya" in thanks.text
    assert "one of us reads it before we ring" in thanks.text
    assert [row.signs for row in kept_aside(session)] == ["trap"]
    assert count(session, Case) == 0


def test_a_form_filled_in_faster_than_anybody_could_is_held_back(strict, session, freeze):
    moment = freeze("2026-07-07 12:00")
    fill_in(strict)
    page = strict.get("/enquire/check").page
    freeze(moment + timedelta(seconds=11))

    strict.submit(page, button="Send my answers")

    assert [row.signs for row in kept_aside(session)] == ["quick"]


def test_a_person_who_takes_a_person_s_time_is_let_through_at_once(strict, session, freeze):
    moment = freeze("2026-07-07 12:00")
    fill_in(strict)
    page = strict.get("/enquire/check").page
    freeze(moment + timedelta(seconds=12))

    strict.submit(page, button="Send my answers")

    assert (kept_aside(session), count(session, Case)) == ([], 1)


@pytest.mark.parametrize("stamp", ["", "123", "1.abc", "99999999999999.0", f"1783422000.{'0' * 32}"])
def test_a_stamp_that_we_did_not_make_is_a_sign(app: Flask, stamp, freeze):
    now = freeze("2026-07-07 12:00")
    with app.app_context():
        signs = robots.signs({"page_drawn": stamp}, began_at=now - timedelta(hours=1), now=now, at_least=12)

    assert signs == ("stamp",)


def test_there_is_no_third_party_and_nothing_to_puzzle_over(client):
    fill_in(client)

    page = client.get("/enquire/check")

    assert not re.findall(r'(?:src|action)="https?://', page.text)
    trap = page.page.all("input", name="your_web_page")[0]
    assert (trap["tabindex"], trap["autocomplete"]) == ("-1", "off")


# --- A crowd ----------------------------------------------------------------------------------------------------------


def crowd(app):
    with app.app_context():
        for _ in range(6):
            limits.count_try("enquiry form", "127.0.0.1", at_most=1000, seconds=300)


def solution(page):
    puzzle = re.search(r'data-puzzle="(\w+)" data-bits="(\d+)"', page.text)
    bits = int(puzzle[2])
    answer = 0
    while int.from_bytes(hashlib.sha256(f"{puzzle[1]}:{answer}".encode()).digest()[:4], "big") >> (32 - bits):
        answer += 1
    return str(answer)


def settled(client, freeze):
    """A form that took a person's time, ready to be sent."""
    moment = freeze("2026-07-07 12:00")
    fill_in(client)
    page = client.get("/enquire/check")
    freeze(moment + timedelta(minutes=2))
    return page


def test_in_a_crowd_a_browser_does_a_little_work(strict, session, freeze):
    crowd(strict.application)
    page = settled(strict, freeze)

    strict.submit(page.page, button="Send my answers", work_done=solution(page))

    assert (kept_aside(session), count(session, Case)) == ([], 1)


def test_in_a_crowd_without_scripts_a_person_looks_at_it(strict, session, freeze):
    crowd(strict.application)
    page = settled(strict, freeze)

    strict.submit(page.page, button="Send my answers")

    assert [row.signs for row in kept_aside(session)] == ["many"]


def test_work_done_for_one_form_is_none_for_another(strict, session, freeze):
    crowd(strict.application)
    first = settled(strict, freeze)
    answer = solution(first)
    other = strict.application.test_client()
    page = settled(other, freeze)

    other.submit(page.page, button="Send my answers", work_done=answer)

    assert [row.signs for row in kept_aside(session)] == ["many"]


def test_a_crowd_at_one_address_is_none_at_another(strict, session, freeze):
    crowd(strict.application)
    elsewhere = strict.application.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "192.0.2.7"

    page = settled(elsewhere, freeze)

    assert "data-puzzle" not in page.text


# --- Whose address it is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "said", "counted"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ],
)
def test_only_our_own_proxies_say_whose_address_it_is(make_app, monkeypatch, proxies, said, counted):
    app = make_app(proxies=proxies)
    seen = []
    monkeypatch.setattr(limits, "count_try", lambda purpose, key, **_rest: seen.append(key))
    client = app.test_client()
    page = client.get("/enquire/name").page

    client.post(
        "/enquire/name", data=page.form(button="Continue").filled("Continue"), headers={"X-Forwarded-For": said}
    )

    assert set(seen) == {counted}


def test_beginning_is_counted_and_answering_is_not(client, monkeypatch):
    seen = []
    monkeypatch.setattr(limits, "count_try", lambda purpose, key, **_rest: seen.append(purpose))

    for slug in ("postcode", "spare-room", "name"):
        client.submit(client.get(f"/enquire/{slug}").page, button="Continue", **ANSWERS[slug])

    assert seen == ["enquiry begun"]


def test_too_many_beginnings_are_told_when_to_come_back_and_whom_to_ring(client, app):
    with app.app_context():
        for _ in range(1000):
            limits.count_try("enquiry begun", "127.0.0.1", at_most=10_000, seconds=300)

    answer = client.submit(client.get("/enquire/name").page, button="Continue", **ANSWERS["name"])

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) <= 300
    assert "ring us" in answer.text
    other = app.test_client()
    other.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert other.submit(other.get("/enquire/name").page, button="Continue", **ANSWERS["name"]).status_code == 303


# --- A person looks ---------------------------------------------------------------------------------------------------


@pytest.fixture
def held_id(client, session, freeze):
    """One form that was held back on a Friday evening."""
    freeze("2026-07-10 20:00")
    fill_in(client)
    client.submit(client.get("/enquire/check").page, button="Send my answers", your_web_page="x")
    return kept_aside(session)[0].id


def press(app, cast, held_id, button, member="recruiter"):
    staff = app.test_client()
    staff.sign_in(cast.everyone[member])
    return staff.submit(staff.get(f"/enquiries/held/{held_id}").page, button=button)


def test_somebody_has_it_to_do_from_the_moment_it_comes(client, session, cast, held_id):
    task = session.scalars(select(Task)).one()

    assert (task.title, task.assigned_to_id, task.due_on.isoformat()) == (held.TASK, cast.manager.id, "2026-07-10")


def test_let_in_it_is_an_enquiry_of_the_moment_at_which_it_came(app, client, session, cast, held_id, freeze):
    freeze("2026-07-13 09:00")

    answer = press(app, cast, held_id, "Let it in")

    session.rollback()
    case = session.scalars(select(Case)).one()
    assert answer.location == f"/cases/{case.reference}"
    due = session.scalars(select(Deadline.due_on).where(Deadline.case_id == case.id, Deadline.rule == "first_contact"))
    assert due.one().isoformat() == "2026-07-13"
    assert case.household.name == "Maya Thompson and Daniel Reid"
    assert session.scalars(select(Task.done_at).where(Task.title == held.TASK)).one() is not None


def test_whoever_sent_it_then_sees_who_rings(app, client, cast, held_id):
    press(app, cast, held_id, "Let it in")

    assert "Denise will ring you" in client.get("/enquire/done").text


def test_changed_before_anybody_looked_it_is_the_newer_answers_that_are_looked_at(app, client, session, cast, held_id):
    client.submit(client.get("/enquire/name").page, button="Continue", given_name="May", family_name="Thomson")
    send(client)

    assert [row.name for row in kept_aside(session)] == ["May Thomson"]
    press(app, cast, held_id, "Let it in")
    session.rollback()
    assert session.scalars(select(Case)).one().household.name.startswith("May Thomson")


def test_put_away_it_can_be_let_in_for_a_month_and_is_then_forgotten(app, client, session, cast, held_id, freeze):
    moment = freeze("2026-07-13 09:00")
    press(app, cast, held_id, "A program sent it: put it away")
    freeze(moment + timedelta(days=29))
    with transaction():
        assert held.forget_put_away(now=now_utc()) == 0
    staff = app.test_client()
    staff.sign_in(cast.recruiter)
    assert "Let it in" in staff.get(f"/enquiries/held/{held_id}").text
    freeze(moment + timedelta(days=30))
    with transaction():
        session.query(EnquiryDraft).delete()
        assert held.forget_put_away(now=now_utc()) == 1
    assert kept_aside(session) == []


def test_two_who_decide_together_decide_once(app, client, session, cast, held_id):
    one, other = app.test_client(), app.test_client()
    pages = []
    for staff, member in ((one, cast.recruiter), (other, cast.manager)):
        staff.sign_in(member)
        pages.append(staff.get(f"/enquiries/held/{held_id}").page)

    first = one.submit(pages[0], button="Let it in")
    second = other.submit(pages[1], button="A program sent it: put it away")

    assert (first.status_code, second.status_code) == (303, 409)
    assert "Somebody else has dealt with this one" in second.text
    assert count(session, Case) == 1


def test_what_is_held_is_sealed_and_looking_at_it_is_recorded(client, app, session, cast, held_id):
    row = kept_aside(session)[0]
    assert "07700" not in row.answers_sealed

    staff = app.test_client()
    staff.sign_in(cast.officer)
    assert "Maya Thompson" in staff.get(f"/enquiries/held/{held_id}").text
    assert "A box that people cannot see was filled in" in staff.get("/enquiries/held").text
    assert len(kept_aside(session)) == 1

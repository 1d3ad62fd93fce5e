"""An applicant signs in by a code to a contact point that is theirs alone (G14, G24, G26); everybody else learns
nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from crm.access.models import SignInCode, WebSession
from crm.cases.models import Task, TimelineEntry
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import Channel, OutboundMessage
from crm.portal import signing_in
from tests.portal.conftest import browser_of, codes, people_of


def ask(client, reach):
    """Ask for a code; the page that waits for it."""
    answer = client.submit(client.get("/my/sign-in").page, button="Send me a code", reach=reach)
    assert answer.status_code == 303
    return client.get(answer.headers["Location"]).page


def test_a_code_to_ones_own_email_or_mobile_opens_ones_own_pages_at_midnight_too(app, home, client, freeze):
    freeze("2026-03-03 00:40")
    for reach, at in (("priya.nair@example.org", "priya.nair@example.org"), ("07700 900162", "+447700900162")):
        page = ask(client, reach)
        sent_to, code = codes()[-1]
        assert (sent_to, len(code)) == (at, 6)
        answer = client.submit(page, button="Sign in", code=f"{code[:3]} {code[3:]}")
        assert answer.headers["Location"] == "/my"
        assert "Hello Priya. You and Sam are invited to apply" in client.get("/my").page.text
    letters = db.session.scalar(
        select(func.count()).select_from(TimelineEntry).where(TimelineEntry.title.contains("code"))
    )
    assert letters == 0, "codes are no part of the household's story"


@pytest.mark.parametrize(
    "reach", ["nobody@example.org", "07700 900999", "priya.nair@", "+44", "officer@example.org", "x" * 254]
)
def test_what_nobody_has_gets_the_same_answer_and_sends_nothing(home, client, reach):
    known = ask(client, "priya.nair@example.org")
    unknown = ask(client, reach)
    assert unknown.text == known.text
    assert len(codes()) == 1
    assert "not the code we sent" in client.submit(unknown, button="Sign in", code="123456").page.text


def test_a_contact_point_that_two_people_share_opens_nothing(home, client):
    with transaction():
        sam = people_of(home.case)["Sam"]
        db.session.merge(sam)
        sam.email = sam.email_key = "priya.nair@example.org"
        sam.phone, sam.phone_key = "07700 900162", "+447700900162"
    for reach in ("priya.nair@example.org", "07700 900162"):
        ask(client, reach)
    assert codes() == []
    assert signing_in.own_ways(home.case, people_of(home.case)["Priya"], now=now_utc()) == {}


def test_a_code_ends_after_five_tries_ten_minutes_or_one_use_and_is_worth_nothing_in_another_window(
    app, home, client, freeze
):
    page = ask(client, "priya.nair@example.org")
    right = codes()[-1][1]
    wrong = f"{(int(right) + 1) % 10**6:06}"
    window = app.test_client()
    assert window.submit(ask(window, "priya.nair@example.org"), button="Sign in", code=right).status_code == 422
    for _ in range(5):
        assert client.submit(page, button="Sign in", code=wrong).status_code == 422
    assert client.submit(page, button="Sign in", code=right).status_code == 404
    page = ask(client, "priya.nair@example.org")
    freeze(now_utc() + timedelta(minutes=10, seconds=1))
    assert client.submit(page, button="Sign in", code=codes()[-1][1]).status_code == 404
    page = ask(client, "priya.nair@example.org")
    assert client.submit(page, button="Sign in", code=codes()[-1][1]).status_code == 303
    assert app.test_client().get(page.address).status_code == 404


def test_no_more_than_five_tries_are_looked_at_whichever_page_they_come_by(home):
    person = people_of(home.case)["Priya"]
    with transaction():
        token = signing_in.ask_for_code(
            signing_in.person_behind("priya.nair@example.org", now=now_utc()), now=now_utc()
        )
    right = codes()[-1][1]
    with transaction():
        assert [signing_in.right_person(token, "x", now=now_utc()) for _ in range(5)] == [None] * 5
        assert signing_in.right_person(token, right, now=now_utc()) is None
    with transaction():
        code = signing_in.hand_over_code(home.case, person, actor=home.cast.officer.actor, now=now_utc())
        assert [signing_in.right_handed(home.case.reference, "x", now=now_utc()) for _ in range(5)] == [None] * 5
        assert signing_in.right_handed(home.case.reference, code, now=now_utc()) is None


def test_who_is_not_invited_has_left_or_is_no_applicant_cannot_sign_in(journey, client):
    with transaction():
        from tests.case_factory import couple, make_case

        make_case(journey.cast, people=couple("Adu"))
    ask(client, "p118@example.org")
    journey.invited()
    with transaction():
        person = people_of(journey.case)["Sam"]
        person.left_household_on = journey.today
        db.session.merge(person)
    ask(client, "sam.whitlock@example.org")
    assert codes() == []


def test_what_changes_at_the_service_holds_at_the_next_page(app, home):
    person = people_of(home.case)["Sam"]
    browser = browser_of(app, person)
    assert browser.get("/my").status_code == 200
    with transaction():
        person.left_household_on = home.today
        db.session.merge(person)
    assert browser.get("/my").headers["Location"] == "/my/sign-in?next=/my"
    assert browser.get("/my-day").headers["Location"].startswith("/sign-in")


def test_a_handed_code_works_once_for_one_person_and_another_one_ends_it(app, home, client, freeze):
    sam = people_of(home.case)["Sam"]
    staff = app.test_client()
    staff.sign_in(home.cast.officer)
    at = f"/cases/{home.case.reference}/application"
    given = []
    for _ in range(2):
        page = staff.submit(staff.get(at).page, button="Make a code to hand over to Sam").page
        given.append(page.text.split("Sam’s code: ")[1][:9])
    assert given[1] not in staff.get(at).page.text

    def sign_in(browser, code):
        form = browser.get("/my/sign-in/handed").page
        return browser.submit(form, button="Sign in", reference=home.case.reference.lower(), code=code)

    assert sign_in(client, given[0]).status_code == 422
    assert sign_in(client, given[1].lower().replace("-", " ")).headers["Location"] == "/my"
    assert "Hello Sam" in client.get("/my").page.text
    assert sign_in(app.test_client(), given[1]).status_code == 422
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(WebSession).where(WebSession.person_id == sam.id)) == 1


def test_signing_out_ends_the_session_and_a_form_typed_after_it_is_kept_on_the_page(app, home):
    browser = browser_of(app, people_of(home.case)["Priya"])
    form = browser.get("/my/message").page
    copied = browser.get_cookie("applicant").value
    assert browser.submit(browser.get("/my").page, button="Sign out").headers["Location"] == "/my/sign-in"
    thief = app.test_client()
    thief.set_cookie("applicant", copied)
    assert thief.get("/my").status_code == 303
    answer = browser.submit(form, button="Send it", words="A long question that must not be lost")
    assert answer.status_code == 401
    assert "A long question that must not be lost" in answer.get_data(as_text=True)


def test_a_message_is_a_task_of_the_owner_for_the_next_working_day(app, home):
    browser = browser_of(app, people_of(home.case)["Sam"])
    answer = browser.submit(browser.get("/my/message").page, button="Send it", words="XqQuestion about the dog")
    assert answer.status_code == 303
    assert "Somebody answers by Tuesday 3 March" in browser.get("/my").page.text
    task = db.session.scalars(select(Task).where(Task.case_id == home.case.id)).all()[-1]
    assert (task.assigned_to_id, task.due_on.isoformat()) == (home.cast.officer.id, "2026-03-03")
    partner = browser_of(app, people_of(home.case)["Priya"])
    assert "XqQuestion" not in partner.get("/my").page.text + partner.get("/my/list").page.text


def test_no_more_than_five_codes_in_a_quarter_of_an_hour_go_to_one_phone_however_it_is_written(home, client):
    for reach in ("07700 900162", "+44 7700 900162", "07700900162", "0044 7700 900162") * 2:
        ask(client, reach)
    assert len(codes()) == 5


def test_staff_do_not_read_the_code(app, home, client):
    ask(client, "priya.nair@example.org")
    letter = db.session.scalar(select(OutboundMessage.id).where(OutboundMessage.kind == "portal_code"))
    staff = app.test_client()
    for member in (home.cast.officer, home.cast.manager):
        staff.sign_in(member)
        answer = staff.get(f"/cases/{home.case.reference}/letters/{letter}")
        assert answer.status_code == 403
        code = codes()[-1][1]
        assert f"{code[:3]} {code[3:]}" not in answer.page.text


def test_old_codes_are_dropped(home, freeze):
    with transaction():
        signing_in.ask_for_code(None, now=now_utc())
    with transaction():
        assert signing_in.forget_ended_before(now_utc()) == 0
        assert signing_in.forget_ended_before(now_utc() + timedelta(hours=1)) == 1
    assert db.session.scalar(select(func.count()).select_from(SignInCode)) == 0


def test_a_phone_is_texted_only_where_the_service_can(home):
    ways = signing_in.own_ways(home.case, people_of(home.case)["Priya"], now=now_utc())
    assert set(ways) == {Channel.EMAIL, Channel.TEXT}

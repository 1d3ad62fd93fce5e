"""A referee from the name to the check that is in, on a phone: named and asked by an officer, half written, come back
to and sent by the referee, read, booked and written up by the officer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm.assessments.referee_questions import TOPICS
from crm.clock import now_utc
from crm.delivery import OutboundMessage
from tests.assessments.journey import Journey
from tests.assessments.test_referees import LINK, words_of
from tests.browser.test_front_door import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def answer(page: Page) -> None:
    """The first answer to each question of the page, and a few words in each box."""
    for group in page.locator("main fieldset").all():
        group.locator("input[type=radio]").first.check()
    for box in page.locator("main textarea").all():
        box.fill("Warm, dry, never late.")
    if page.locator("#known_since").count():
        page.fill("#known_since", "2012")


def go_on(page: Page, name: str = "Continue") -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=name).click()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scripts", [True, False])
def test_a_referee_is_named_asked_heard_and_written_up(session, cast, live, open_page, scripts):
    j = Journey(cast, lambda _: now_utc()).in_assessment()
    check = j.check("referee_interviews", "Priya")
    base = f"/cases/{j.case.reference}"
    session.remove()
    desk = open_page(width=360)
    sign_in(desk, live, cast.officer)
    desk.goto(f"{base}/checks/{check.id}")
    with desk.expect_navigation():
        desk.get_by_role("button", name="Name a referee").click()
    desk.get_by_label("Their name").fill("Grace Ashdown")
    desk.get_by_label("How they know each other").select_option("friend")
    desk.get_by_label("Email").fill("priya.nair@example.org")
    go_on(desk, "Put them on the list")
    expect(desk.get_by_role("alert")).to_contain_text("the one we have for Priya")
    desk.get_by_label("Email").fill("grace@example.org")
    go_on(desk, "Put them on the list")
    go_on(desk, "Ask them now")
    expect(desk.get_by_text("The link is on its way")).to_be_visible()
    letter = session.scalars(select(OutboundMessage).where(OutboundMessage.kind == "reference_request")).one()
    path = LINK.search(words_of(letter))[0]
    session.remove()

    phone = open_page(width=360, scripts=scripts)
    phone.goto(path)
    expect(phone.get_by_role("heading", level=1)).to_contain_text("Will you tell us about Priya?")
    phone.get_by_label("Yes, and I am happy to help").check()
    go_on(phone)
    for _ in TOPICS[:4]:
        answer(phone)
        go_on(phone)
    phone.context.close()

    phone = open_page(width=360, scripts=scripts)
    phone.goto(path)
    expect(phone.get_by_role("heading", level=1)).to_have_text("What does Priya do when things are hard?")
    for _ in TOPICS[4:]:
        answer(phone)
        go_on(phone)
    phone.get_by_label("What I wrote is my own").check()
    go_on(phone, "Send my answers")
    expect(phone.get_by_role("heading", level=1)).to_have_text("Thank you, Grace")

    desk.reload()
    expect(desk.get_by_text("Warm, dry, never late.").first).to_be_visible()
    with desk.expect_navigation():
        desk.get_by_role("button", name="Book a talk").click()
    talk = j.today + timedelta(days=7)
    for part, value in (("day", talk.day), ("month", talk.month), ("year", talk.year)):
        desk.fill(f"#on-{part}", str(value))
    desk.get_by_label("Time").fill("2pm")
    desk.get_by_label("By phone").check()
    go_on(desk, "Book the talk")
    with desk.expect_navigation():
        desk.get_by_role("button", name="Write up the talk").click()
    desk.get_by_role("button", name="Today").click()
    desk.get_by_label("What they said").fill("She would trust them with her own.")
    desk.get_by_label("They support the application, and nothing worries us").check()
    go_on(desk, "Record the interview")
    expect(desk.get_by_text("Written up, and the interview is recorded as in.")).to_be_visible()
    assert j.check("referee_interviews", "Priya").received_on == j.today

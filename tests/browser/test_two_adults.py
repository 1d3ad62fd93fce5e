"""The whole application on two phones at once: each adult signs in by a code, fills in their own part and shares the
rest, one stops half way and comes back on another phone, and the second signature hands it in."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from crm.assessments import queries
from crm.cases.models import Case
from crm.clock import now_utc, today_in_london
from crm.db import db
from tests.assessments.journey import Journey
from tests.factories import PASSWORD
from tests.portal.conftest import OWN, SHARED, codes
from tests.samples.pictures import jpeg

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

PHONE, DESK = 360, 1280


def sign_in(page: Page, reach: str, look: Any = None) -> None:
    page.goto("/my")  # as the link in the letter leads there
    page.get_by_label("Your email or mobile number").fill(reach)
    if look:
        look(page, "sign-in")
    page.get_by_role("button", name="Send me a code").click()
    box = page.get_by_label("The code")
    box.wait_for()
    if look:
        look(page, "code")
    box.fill(codes()[-1][1])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", level=1, name="Hello").wait_for()


def answer(page: Page, name: str, answers: dict[str, str], *, button: str = "Save, this part is done") -> None:
    """Fill in a part as a thumb does, and save it."""
    if not page.url.endswith(f"/my/part/{name}"):
        page.goto(f"/my/part/{name}")
    for field, value in answers.items():
        box = page.locator(f'[name="{field}"]')
        kind = box.first.get_attribute("type") or box.first.evaluate("box => box.tagName")
        if kind == "radio":
            page.locator(f'[name="{field}"][value="{value}"]').check()
        elif kind == "SELECT":
            box.select_option(value)
        else:
            box.fill(value)
    page.get_by_role("button", name=button, exact=True).last.click()
    page.wait_for_url("**/my/list")


def hand_in(page: Page, title: str) -> None:
    """Send a photo of a document from the list."""
    page.goto("/my/documents")
    page.get_by_role("link", name=title).click()
    photo = {"name": "IMG_0417.jpg", "mimeType": "image/jpeg", "buffer": jpeg()}
    page.get_by_label("Photos, or a PDF").set_input_files([photo])  # type: ignore[list-item]
    page.get_by_role("button", name="Send it").click()
    page.wait_for_url("**/my/documents")
    expect(page.get_by_text(f"“{title}” has reached us")).to_be_visible()


def sign(page: Page, name: str) -> None:
    page.goto("/my/list")
    page.get_by_role("button", name="Read it once more and sign").click()
    page.get_by_label("I declare this").check()
    page.get_by_label("I agree to the checks").check()
    page.get_by_role("button", name=f"Sign as {name}").click()
    page.wait_for_url("**/my")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_two_adults_apply_on_two_phones_at_once_stopped_and_resumed(open_page, session, cast, database, look):
    case = Journey(cast, lambda _: now_utc(), database).invited().case
    case_id, reference = case.id, case.reference
    session.remove()
    # One of them on a phone that runs no scripts at all.
    priya, sam = open_page(width=PHONE), open_page(width=PHONE, scripts=False)
    sign_in(priya, "priya.nair@example.org", look)
    look(priya, "where-we-are")
    sign_in(sam, "07700 900347")
    expect(sam.get_by_role("heading", level=1)).to_contain_text("You and Priya are invited to apply")
    priya.get_by_role("button", name="See my list").click()
    look(priya, "list")
    priya.get_by_role("link", name="About you").click()
    priya.get_by_role("button", name="Save, this part is done", exact=True).last.click()
    priya.get_by_text("Give your date of birth").first.wait_for()
    look(priya, "about-to-put-right")
    # Half of the application each, turn about, as two at one table.
    for name in list(OWN)[:5]:
        answer(priya, name, OWN[name])
        answer(sam, name, OWN[name])
    answer(priya, "record", {"record_what": "When I was 17"}, button="Save, and come back later")
    priya.context.close()
    answer(sam, "home", SHARED["home"])
    hand_in(sam, "Mortgage statement or tenancy agreement")

    # The next evening, on another phone: what was half done is there.
    priya = open_page(width=PHONE)
    sign_in(priya, "priya.nair@example.org")
    priya.goto("/my/part/record")
    expect(priya.get_by_label("What happened, when, and what has changed since")).to_have_value("When I was 17")
    look(priya, "record")
    for page in (priya, sam):
        for name in list(OWN)[5:]:
            answer(page, name, OWN[name])
    priya.goto("/my/part/home")
    expect(priya.get_by_text("Sam saved it last")).to_be_visible()
    look(priya, "shared-home")
    priya.goto("/my/part/people")
    look(priya, "people")
    priya.goto("/my/documents")
    look(priya, "documents")
    priya.get_by_role("link", name="Mortgage statement or tenancy agreement").click()
    expect(priya.get_by_text("Sam sent 1 file")).to_be_visible()
    look(priya, "document-of-both")
    answer(priya, "people", SHARED["people"])
    priya.goto("/my/list")
    look(priya, "list-done")
    priya.get_by_role("button", name="Read it once more and sign").click()
    look(priya, "sign")
    sign(priya, "Priya Nair")
    expect(priya.get_by_text("once Sam has signed")).to_be_visible()
    sign(sam, "Sam Whitlock")
    expect(sam.get_by_role("heading", level=1)).to_contain_text("We have your application")
    priya.reload()
    look(priya, "handed-in")
    expect(priya.get_by_text("Days used")).to_be_visible()
    priya.get_by_role("link", name="Send us a message").click()
    look(priya, "message")
    priya.goto("/my/part/referees")
    look(priya, "what-they-wrote")

    db.session.rollback()  # what was read before is looked at anew
    application = queries.the_application(db.session.get_one(Case, case_id))
    assert application.received_on == today_in_london()
    assert len(application.signatures) == 2

    # Whoever looks after them reads it, and hands a code to somebody who has no way of their own.
    officer = open_page(width=DESK)
    officer.goto(f"/sign-in?next=/cases/{reference}/application")
    officer.get_by_label("Work email").fill(cast.officer.email)
    officer.get_by_label("Password", exact=True).fill(PASSWORD)
    officer.get_by_role("button", name="Sign in").click()
    officer.locator("summary").filter(has_text="Police and court record").first.click()
    expect(officer.get_by_text("XqCautionWord").first).to_be_visible()
    look(officer, "their-application")
    officer.get_by_role("button", name="Make a code to hand over to Sam").click()
    officer.get_by_text("Sam’s code").wait_for()
    look(officer, "handed-code")
    handed = open_page(width=PHONE)
    handed.goto("/my/sign-in/handed")
    look(handed, "handed-code-form")

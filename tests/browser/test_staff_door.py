"""The staff's door in a browser: errors land in their box, a link sets a password, a session warns before it ends."""

import pytest
from playwright.sync_api import expect

from crm.access import links
from crm.access.models import User
from crm.clock import now_utc
from crm.db import db, transaction
from tests.case_factory import make_case
from tests.factories import PASSWORD

pytestmark = pytest.mark.browser


def sign_in(page, email, password=PASSWORD):
    page.goto("/sign-in")
    page.get_by_label("Work email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_signing_in_and_what_can_go_wrong(app, cast, open_page, look):
    page = open_page()
    page.goto("/sign-in")
    look(page, "sign-in")

    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".govuk-error-summary")).to_be_focused()
    assert page.title().startswith("Error: ")
    look(page, "sign-in-nothing-typed")
    page.get_by_role("link", name="Write your password").click()
    assert page.evaluate("document.activeElement.id") == "password"

    sign_in(page, cast.officer.email, "not the password")
    assert page.get_by_label("Work email").input_value() == cast.officer.email
    look(page, "sign-in-wrong")

    page.get_by_role("link", name="I have forgotten it").click()
    look(page, "forgotten")
    page.get_by_label("Work email").fill(cast.officer.email)
    page.get_by_role("button", name="Send me the link").click()
    look(page, "forgotten-sent")

    with app.app_context(), transaction():
        _, token = links.new_reset(user=db.session.get_one(User, cast.officer.id), now=now_utc())
    page.goto(f"/reset-password/{token}")
    look(page, "reset")
    page.get_by_label("New password").fill("seven brown teapots")
    page.get_by_role("button", name="Use this password").click()
    assert page.get_by_text("Your password has been changed.").is_visible()
    look(page, "sign-in-after-reset")

    sign_in(page, cast.officer.email, "seven brown teapots")
    page.goto("/account")
    look(page, "account")
    page.goto("/no-such-page")
    look(page, "not-found")
    page.goto("/admin/people")
    look(page, "not-theirs")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_without_scripts_the_door_opens_too(app, cast, open_page):
    page = open_page(scripts=False)

    sign_in(page, cast.officer.email)
    page.goto("/account")
    page.get_by_role("button", name="Sign out", exact=True).first.click()

    assert page.url.endswith("/sign-in")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_session_is_warned_of_before_it_ends_and_can_go_on(app, cast, open_page, look):
    page = open_page()
    sign_in(page, cast.officer.email)
    page.clock.install()
    page.goto("/account")

    page.clock.run_for(28 * 60 * 1000 + 1000)
    assert page.get_by_text("In two minutes you will be signed out.").is_visible()
    look(page, "session-ends-soon")

    page.get_by_role("button", name="Stay signed in").click()
    page.get_by_text("In two minutes you will be signed out.").wait_for(state="hidden")

    page.clock.run_for(30 * 60 * 1000 + 1000)
    assert page.get_by_text("You have been signed out.").is_visible()
    look(page, "session-over")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sending_one_form_asks_before_it_throws_away_what_is_written_in_another(app, cast, open_page):
    with app.app_context(), transaction():
        reference = make_case(cast).reference
    page = open_page()
    sign_in(page, cast.recruiter.email)
    page.goto(f"/cases/{reference}")
    asked = []

    def stay(dialog):
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    note = page.get_by_label("Add a note")
    note.fill("Rang, and Priya asked for Thursday")
    page.get_by_role("button", name="No answer").first.click(no_wait_after=True)
    page.wait_for_function("() => true")
    assert asked == ["beforeunload"]
    assert note.input_value() == "Rang, and Priya asked for Thursday"

    page.get_by_role("button", name="Keep note").click()
    page.get_by_text("Note kept on").wait_for()
    assert asked == ["beforeunload"]

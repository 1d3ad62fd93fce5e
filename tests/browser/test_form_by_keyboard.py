"""The public form with a keyboard alone, on the narrowest screen; and what a browser keeps while somebody is typing."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from crm.cases.models import Case

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the focus is there, as somebody without a mouse does."""
    for _ in range(40):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard never comes to {wanted}")


def answer(page: Page) -> None:
    """Fill in what this page needs, and go on, by keys."""
    slug = page.url.partition("?")[0].rsplit("/", 1)[1]
    typed = {"name": ("Maya", "Thompson"), "age": ("3", "4", "1985"), "contact": ("07700 900214", "maya@example.org")}
    boxes = page.locator("main form input[type=text]:visible, main form input[type=tel], main form input[type=email]")
    if slug in typed:
        for box, words in zip(boxes.all(), typed[slug], strict=False):
            tab_to(page, box)
            page.keyboard.type(words)
    elif slug == "second-adult":
        tab_to(page, page.locator("main input[type=radio]").first)
        for _ in range(2):
            page.keyboard.press("ArrowDown")
    elif slug not in ("postcode", "where-you-stand", "not-then", "heard", "news", "check"):
        tab_to(page, page.locator("main input[type=radio]").first)
        page.keyboard.press("Space")
    assert page.evaluate("document.documentElement.scrollWidth <= 320"), f"{slug} is wider than the screen"
    tab_to(page, page.locator("main form button[type=submit]").last)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: not address.partition("?")[0].endswith(f"/{slug}"))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_form_is_filled_in_by_keyboard_alone(open_page, live, session, cast, scripts):
    page = open_page(width=320, scripts=scripts)
    page.goto("/")
    tab_to(page, page.get_by_role("button", name="Start now"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/enquire/postcode")
    for _ in range(20):
        if page.url.endswith("/enquire/done"):
            break
        answer(page)

    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Maya")
    session.rollback()
    assert session.scalars(select(Case)).one().household.name == "Maya Thompson"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_is_typed_is_kept_though_nothing_was_pressed(open_page, live, cast):
    page = open_page(width=360)
    page.goto("/enquire/name")
    page.get_by_label("First name").fill("Maya")

    expect(page.get_by_text("What you typed is kept.")).to_be_visible(timeout=15_000)
    page.goto("/enquire/postcode")
    page.goto("/enquire/name")

    expect(page.get_by_label("First name")).to_have_value("Maya")

"""Signing in, finding a household and logging an enquiry with the keyboard alone."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.factories import PASSWORD
from tests.journeys.fixtures import clock, live, looks_at, post, story  # noqa: F401
from tests.journeys.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.name || ''"))


def tab_to(page: Page, target: str, most: int = 60) -> None:
    """Press Tab until the focus is on the box, button or link with this id, name or text, and can be seen there."""
    for _ in range(most):
        page.keyboard.press("Tab")
        where = page.evaluate(
            "(() => { const e = document.activeElement; return [e.id, e.name || '', (e.innerText || '').trim()] })()"
        )
        if target in where:
            ring = page.evaluate(
                """(() => { const s = getComputedStyle(document.activeElement);
                    return s.outlineStyle !== 'none' || s.boxShadow !== 'none' })()"""
            )
            assert ring, f"nothing shows that the focus is on {target}"
            return
    raise AssertionError(f"the keyboard never reaches {target} on {page.url}; it stands at {focused(page)}")


def comes_to(page: Page, path: str) -> None:
    """Wait for the page at this path: `*` stands for one part of it."""
    parts = path.split("/")

    def there(url: str) -> bool:
        found = urlsplit(url).path.split("/")
        return len(found) == len(parts) and all(a in (b, "*") for a, b in zip(parts, found, strict=True))

    page.wait_for_url(there)
    page.wait_for_load_state("domcontentloaded")


def test_sign_in_search_and_log_an_enquiry_with_the_keyboard_alone(story: Story) -> None:  # noqa: F811
    story.clock.to("2026-03-04 09:00")
    page = story.open_page(width=1280)
    page.goto("/my-day")
    page.keyboard.press("Tab")
    assert "Skip" in page.evaluate("document.activeElement.innerText")
    tab_to(page, "email")
    page.keyboard.type("recruiter@example.org")
    tab_to(page, "password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    comes_to(page, "/my-day")

    # Logged while talking, in a dozen presses besides what is typed: a key, Enter, Tab from box to box, Ctrl and Enter.
    page.keyboard.press("l")
    page.keyboard.press("Enter")
    comes_to(page, "/enquiries/new")
    assert focused(page) == "given_name"
    presses = ["Bea", "Tab", "Quill", "Tab", "07700 900 612", *["Tab"] * 7, "Saw the van.", "Tab", "Tab"]
    for press in presses:
        if press == "Tab":
            page.keyboard.press("Tab")
        else:
            page.keyboard.type(press)
    assert focused(page) == "is_mine"
    page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")
    comes_to(page, "/cases/*")
    expect(page.locator("body")).to_contain_text("Bea Quill is logged as")

    page.keyboard.press("/")
    assert focused(page) == "q"
    page.keyboard.type("quill")
    page.keyboard.press("Enter")
    comes_to(page, "/search")
    tab_to(page, "Bea Quill")
    page.keyboard.press("Enter")
    comes_to(page, "/cases/*")
    expect(page.locator("h1")).to_contain_text("Bea Quill")

    page.keyboard.press("n")
    assert focused(page) == "note"
    page.keyboard.type("Rings back on Friday.")
    tab_to(page, "Keep note")
    page.keyboard.press("Enter")
    expect(page.locator("#timeline")).to_contain_text("Rings back on Friday.")

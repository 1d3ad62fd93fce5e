"""A household's link with a keyboard alone and no scripts, on the narrowest screen: three pages from the link to a time
that is taken. Every state is looked at by axe on the way."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from crm.cases.models import Case
from crm.clock import now_utc
from crm.db import db, transaction
from crm.visits import choosing
from crm.visits.models import Visit, VisitOffer
from tests.browser.test_form_by_keyboard import tab_to
from tests.eyes import look_at, pictures_of
from tests.visits.conftest import Verbs
from tests.visits.test_own_link import letters, path_in, send

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_time_is_picked_changed_and_called_off_by_keyboard_alone_without_scripts(
    request, open_page, live, session, cast
):
    verbs = Verbs(cast)
    case = verbs.household()
    send(verbs, case)
    path = path_in(letters("visit_choose")[0])
    session.remove()
    page, eyes = open_page(width=320, scripts=False), open_page(width=320)
    loads = []
    page.on("load", lambda _page: loads.append(page.url))

    def press(name: str) -> None:
        tab_to(page, page.get_by_role("button", name=name))
        with page.expect_navigation():
            page.keyboard.press("Enter")
        look(name)

    def look(name: str) -> None:
        """Axe needs scripts: another browser opens the same page."""
        eyes.goto(page.url)
        look_at(eyes, name, widths=(320, 1280), pictures=pictures_of(request.node))

    def pick_last() -> None:
        tab_to(page, page.locator("input[name=at]").first)
        for _ in range(2):
            page.keyboard.press("ArrowUp")  # past "None of these", to the last time of all

    page.goto(path)
    look("times")
    pick_last()
    press("Carry on")
    press("Yes, book it")
    assert len(loads) == 3, loads
    expect(page.get_by_role("heading", level=1)).to_contain_text("See you on")
    assert len(page.content()) < 30_000

    press("Change the time")
    tab_to(page, page.locator("input[name=at]").first)
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    press("Carry on")
    press("Yes, move it")
    session.rollback()
    assert session.scalars(select(Visit)).one().sequence == 1

    page.goto(f"{path}/cancel")
    look("cancel")
    press("Yes, cancel it")
    expect(page.get_by_role("heading", level=1)).to_have_text("When shall we come round?")
    tab_to(page, page.locator("input[name=at]").first)
    page.keyboard.press("ArrowUp")
    press("Carry on")
    tab_to(page, page.get_by_label("Saturday"))
    page.keyboard.press("Space")
    press("Send this")
    page.goto(f"{path}/cancel")
    look("no visit")
    press("No visit for now")
    page.goto(f"{path}/confirm")
    look("nothing chosen")
    with transaction():
        offer = session.scalars(select(VisitOffer)).one()
        choosing.withdraw(offer, session.get(Case, offer.case_id), actor=cast.recruiter.actor, now=now_utc())
    db.session.remove()
    page.goto(path)
    look("ended")
    expect(page.get_by_text("That link has ended")).to_be_visible()

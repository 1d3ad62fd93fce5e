"""Words that try to run, over everything stored, in a real browser (the night's half of G18): every page, as somebody
who may open it. Nothing of theirs runs, nothing is asked of another site, and our policy never had to stop it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import flask
import pytest
from playwright.sync_api import Browser, Page

from crm.db import db, writing
from tests.browser.test_every_state import database, estate, lines, live
from tests.factories import open_session
from tests.journeys.clock import LONDON
from tests.service import Service
from tests.walks.estate import NOW, Estate
from tests.walks.finding import PAGES, filled_in
from tests.walks.hostile import MARK, put_everywhere

__all__ = ["database", "estate", "live"]
pytestmark = [pytest.mark.browser, pytest.mark.night, pytest.mark.timeout(3600)]
LISTENS = f"window.theirs = []; window.{MARK} = (...said) => window.theirs.push(String(said)); true"
OF_THEIRS = f"""() => [
    ...window.theirs, ...[...document.querySelectorAll('{MARK}, [{MARK}]')].map((one) => one.outerHTML.slice(0, 80))
]"""


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_that_is_stored_runs_in_anybodys_browser(
    app: flask.Flask, estate: Estate, live: Service, chromium: Browser, rounds: Callable[[int, int], int]
) -> None:
    now = datetime.fromisoformat(NOW).replace(tzinfo=LONDON)
    desks: dict[str, Page] = {}
    complaints: list[str] = []

    def desk_of(member: str) -> Page:
        if member not in desks:
            context = chromium.new_context(base_url=live.url, locale="en-GB", timezone_id="Europe/London")
            context.add_init_script(LISTENS)
            if member != "stranger":
                token = open_session(app, estate.members[member], now=now)
                context.add_cookies([{"name": "staff", "value": token, "url": live.url}])
            page = context.new_page()
            page.on("request", lambda asked: abroad(page, asked.url))
            page.on("console", lambda said: policy_broken(page, said.text))
            page.on("dialog", lambda dialog: (complaints.append(f"{page.url}: a dialog"), dialog.dismiss()))
            desks[member] = page
        return desks[member]

    def abroad(page: Page, address: str) -> None:
        if not address.startswith((live.url, "data:", "blob:", "about:")):
            complaints.append(f"{page.url} asked {address[:100]}")

    def policy_broken(page: Page, words: str) -> None:
        if "Content Security Policy" in words:
            complaints.append(f"{page.url}: {words[:200]}")

    def look(page: Page, where: str) -> None:
        complaints.extend(f"{where}: {one}" for one in page.evaluate(OF_THEIRS))

    pages = list(lines(PAGES))
    for member in {member for member, _ in pages}:
        desk_of(member)
    for shift in range(rounds(1, 4)):
        with app.app_context(), writing(), db.engine.begin() as connection:
            # The letters have been written and are looked at as they left.
            put_everywhere(connection, shift, but_not="outbound_message")
        for member, path in pages:
            page = desk_of(member)
            page.goto(filled_in(path, estate))
            look(page, f"{path} as {member}, {shift}")
    for page in desks.values():
        page.context.close()

    assert not complaints, f"{len(complaints)}:\n" + "\n".join(dict.fromkeys(complaints))

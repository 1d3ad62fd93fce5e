"""Real Chromium on the real service.

`live`         the running service: `live.url`, `live.log`. Rows written through `app` or `session` are in its database.
`open_page`    `open_page(width=360)` gives a Playwright page whose addresses start at the service
`network`      stands between browsers and the service: can be cut, or lose answers
`tablet`       `tablet()` starts a browser with a profile of its own, which can be killed
`look`         `look(page, "my-day")` at 360 and 1280 px: axe finds nothing, nothing sticks out
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from bench.door import LossyNetwork, Tablet
from tests.databases import Database
from tests.eyes import HEIGHTS, look_at, pictures_of
from tests.service import Service

WIDTHS = (360, 1280)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Every page is new, and axe with it: what is compiled to run fast never runs for long enough to pay.
    "--js-flags=--no-opt --no-maglev",
]

Look = Callable[..., None]
OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the run. Debian's, because the one Playwright brings is not on every machine."""
    # The one without windows does the same in half the time.
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.fail("The browser tests need Chromium. Please run:  sudo apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def live(start_service: Callable[..., Service]) -> Service:
    """The service as `crm serve` starts it, web and worker, on the test's own database."""
    return start_service()


@pytest.fixture
def open_page(chromium: Browser, live: Service) -> Iterator[OpenPage]:
    """Pages in separate sessions, as two people at two machines. A script or policy error on any fails the test."""
    contexts = []
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # A refusal page (a 4xx) and a network that a test cuts are faults to Chromium; the test looks at those itself.
        if message.type == "error" and not re.search(r"status of 4\d\d|ERR_INTERNET_DISCONNECTED", message.text):
            complaints.append(f"{message.text} ({message.location.get('url')})")

    def make(*, width: int = 1280, scripts: bool = True, **options: object) -> Page:
        context = chromium.new_context(
            base_url=live.url,
            viewport={"width": width, "height": HEIGHTS.get(width, 900)},
            java_script_enabled=scripts,
            locale="en-GB",
            timezone_id="Europe/London",
            **options,  # type: ignore[arg-type]
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(f"{error} ({page.url})"))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not complaints, "the browser complained:\n  " + "\n  ".join(dict.fromkeys(complaints))


@pytest.fixture
def look(request: pytest.FixtureRequest, database: Database) -> Look:
    """Look at a page as people do: on a phone and on a desk. It is the same on either database: axe reads it on one."""

    def at(page: Page, name: str, *, widths: tuple[int, ...] = WIDTHS) -> None:
        look_at(page, name, widths=widths, pictures=pictures_of(request.node), with_axe=database.kind == "sqlite")

    return at


@pytest.fixture
def network(live: Service) -> Iterator[LossyNetwork]:
    network = LossyNetwork(lambda: live.port)
    yield network
    network.close()


@pytest.fixture
def tablet(chromium: Browser, network: LossyNetwork, tmp_path: Path) -> Iterator[Callable[..., Tablet]]:
    """``tablet()``: a browser with a profile of its own, killed at the end."""
    made: list[Tablet] = []
    # The driver that the other browser tests share: a second one can't be had in the same thread.
    playwright = chromium.browser_type

    class Driver:
        chromium = playwright

    def make(**options: Any) -> Tablet:
        one = Tablet(Driver, tmp_path / f"profile-{len(made)}", network.url, **options)
        made.append(one)
        one.open("/sign-in")
        return one

    yield make
    for one in made:
        one.kill()

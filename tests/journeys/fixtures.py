"""Fixtures of the journeys, for the browser tests that take part in one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import flask
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.databases import Database
from tests.journeys.clock import Clock
from tests.journeys.post import PostBox, post_box
from tests.journeys.story import Story, make_everybody
from tests.service import Service


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """The clock of the running service, which the test can move."""
    return Clock(tmp_path)


@pytest.fixture
def post() -> Iterator[PostBox]:
    """The mail server that the running service sends to."""
    with post_box() as box:
        yield box


@pytest.fixture
def live(start_service: Callable[..., Service], clock: Clock, post: PostBox) -> Iterator[Service]:
    """`crm serve` with a clock of its own and real SMTP. A fault that it noted fails the test, and says where."""
    service = start_service(**clock.environ, **post.environ)
    yield service
    faults = [line for line in service.log.splitlines() if '"event": "fault"' in line or "Traceback" in line]
    assert not faults, "the service noted:\n  " + "\n  ".join(faults)


SIZES = ((360, 740), (1280, 900))
AXE = Axe()
LOOK = """async () => {
    const found = await axe.run(document, {resultTypes: ["violations"]});
    const wide = document.scrollingElement.scrollWidth, room = document.documentElement.clientWidth;
    return [
        ...found.violations.map(rule => `${rule.id} (${rule.impact}): ${rule.help}: ` +
            rule.nodes.slice(0, 3).map(node => node.target.join(" ") + " " + (node.failureSummary || "")).join("; ")),
        ...(wide > room ? [`the page is ${wide} px wide in ${room} px`] : []),
    ];
}"""


@pytest.fixture
def looks_at(request: pytest.FixtureRequest, database: Database) -> Callable[[Page, str], None]:
    """What `look` does, for the many pages of a journey: axe is loaded once a page for both widths.

    Pictures are kept where CRM_TEST_PICTURES names a folder. A page is the same on either database: on PostgreSQL it is
    looked at on a phone only.
    """
    sizes = SIZES if database.kind == "sqlite" else SIZES[:1]
    pictures = os.environ.get("CRM_TEST_PICTURES")
    folder = Path(pictures or "") / re.sub(r"[^a-zA-Z0-9_-]+", "-", request.node.name).strip("-")

    def looks_at(page: Page, name: str) -> None:
        before = page.viewport_size
        page.evaluate(AXE.axe_script)
        for width, height in sizes:
            page.set_viewport_size({"width": width, "height": height})
            if pictures:
                folder.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
            problems = page.evaluate(LOOK)
            assert not problems, f"{name} ({page.url}) at {width} px:\n  " + "\n  ".join(problems)
        if before:
            page.set_viewport_size(before)

    return looks_at


@pytest.fixture
def story(
    app: flask.Flask,
    clock: Clock,
    post: PostBox,
    open_page: Callable[..., Page],
    looks_at: Callable[[Page, str], None],
) -> Story:
    """The cast at their desks, before anything has happened. Every page they come to is looked at."""
    staff = make_everybody(app, "2026-03-01 09:00")
    return Story(staff, clock, post, open_page, looks_at)

"""Fixtures of the journeys, for the browser tests that take part in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import flask
import pytest
from playwright.sync_api import Page

from tests.databases import Database
from tests.eyes import look_at, pictures_of, where_colours_are_compared
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


@pytest.fixture
def looks_at(request: pytest.FixtureRequest, database: Database) -> Callable[[Page, str], None]:
    """What `look` does, for the many pages of a journey.

    A page is the same on either database: axe reads it on SQLite, on PostgreSQL nothing may stick out on a phone.
    """
    is_first = database.kind == "sqlite"
    widths = (360, 1280) if is_first else (360,)

    def looks_at(page: Page, name: str) -> None:
        pictures, colours_at = pictures_of(request.node), where_colours_are_compared(widths, on="desk")
        look_at(page, name, widths=widths, pictures=pictures, with_axe=is_first, colours_at=colours_at)

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

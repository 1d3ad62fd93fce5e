"""Who and what is in a journey: the cast at their browsers, the day, the post."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import flask
import time_machine
from playwright.sync_api import Page

from crm.db import transaction
from crm.rules.permissions import Role
from tests.factories import Cast, Member, make_cast, make_user
from tests.journeys.clock import LONDON, Clock
from tests.journeys.people import Person, Staff
from tests.journeys.post import PostBox

MORE_STAFF: tuple[Member, ...] = (
    Member("chair", "Ruth Adeyemi", frozenset({Role.PANEL_MEMBER})),
    Member("social_worker", "Hannah Sutcliffe", frozenset({Role.PANEL_MEMBER})),
    Member("carer_member", "Bernard Wyeth", frozenset({Role.PANEL_MEMBER})),
    Member("teacher", "Parveen Dhillon", frozenset({Role.PANEL_MEMBER})),
    Member("second_manager", "Oluwaseun Bright", frozenset({Role.MANAGER})),
)


def make_everybody(app: flask.Flask, on: str) -> dict[str, Member]:
    """The standing cast, the panel and a second manager, with accounts as old as the journey."""
    from datetime import datetime

    with time_machine.travel(datetime.fromisoformat(on).replace(tzinfo=LONDON)), app.app_context(), transaction():
        cast: Cast = make_cast()
        people = {key: member for key, member in cast.everyone.items() if member.is_staff and member.active}
        return people | {member.key: make_user(member) for member in MORE_STAFF}


@dataclass
class Story:
    """One journey. ``kept`` is what its chapters tell one another: references, subjects, addresses."""

    staff: dict[str, Member]
    clock: Clock
    post: PostBox
    open_page: Callable[..., Page]
    looks_at: Callable[[Page, str], None] | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    _desks: dict[str, Staff] = field(default_factory=dict)

    def at_work(self, key: str, width: int = 1280) -> Staff:
        """A member of staff at their desk this morning, on My day."""
        if key not in self._desks:
            page = self.open_page(width=width, accept_downloads=True)
            self._desks[key] = Staff(self.staff[key], page, self.looks_at, self.seen)
        return self._desks[key].at_work()

    def at_home(self, name: str, *, scripts: bool = True, width: int = 360) -> Person:
        """Somebody who isn't staff, on their own phone."""
        # A page without scripts can't be examined by axe, which is one.
        looks_at = self.looks_at if scripts else None
        return Person(self.open_page(width=width, scripts=scripts), name, looks_at, self.seen if scripts else set())

    @property
    def reference(self) -> str:
        return str(self.kept["reference"])

    @property
    def household(self) -> str:
        return str(self.kept["household"])

    def stands_on_the_board(self, place: str) -> None:
        """The manager finds the household in this column of the board."""
        manager = self.at_work("manager").goes_to("Board")
        column = manager.page.locator("section.ds-col", has=manager.page.get_by_role("heading", name=place))
        assert self.household in column.inner_text(), f"{self.household} is not under “{place}” on the board"

"""What somebody may no longer see is shut at the next request, with every page, download and feed of it (G13)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import flask
import pytest

from crm import policy
from crm.access import people
from crm.access.models import User
from crm.assessments import meetings
from crm.assessments.queries import meeting_with
from crm.cases.hand_over import hand_over
from crm.cases.models import Case
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.rules.permissions import Role
from tests.factories import Member
from tests.walks.estate import NOW, Estate, Home
from tests.walks.finding import Walker

Ways = list[str]


@pytest.fixture
def act(app: flask.Flask) -> Callable[..., None]:
    """``act(operation, ...)``: one operation in a transaction, now."""

    def run(operation: Callable[..., Any], *arguments: Any, by: Member, **more: Any) -> None:
        with app.app_context(), transaction():
            loaded = [one() if callable(one) else one for one in arguments]
            operation(*loaded, actor=by.actor, now=now_utc(), **more)

    return run


def statuses(walker: Walker, member: str, ways: Ways) -> dict[str, int]:
    """What each address answers to this member, with the cookie they had at first."""
    return {path: walker.member(member).get(path).status_code for path in ways}


def is_shut(walker: Walker, member: str, ways: Ways) -> None:
    left_open = {path: status for path, status in statuses(walker, member, ways).items() if status not in (303, 404)}
    assert left_open == {}


def is_open(walker: Walker, member: str, ways: Ways) -> None:
    assert set(statuses(walker, member, ways).values()) == {200}


def ways_into(estate: Estate, key: str) -> Ways:
    home = estate.homes[key]
    base = f"/cases/{home.reference}"
    letter = f"{base}/letters/{home.values['letter_id']}"
    return [base, f"{base}/timeline", f"{base}/letters", letter, f"{letter}/pdf", f"{base}/looked"]


def user(member: Member) -> Callable[[], User]:
    return lambda: db.session.get_one(User, member.id)


def lists_with(walker: Walker, member: str, home: Home) -> list[str]:
    """The lists, searches and days that still show a household."""
    ways = ("/my-day", "/board", "/board/new", "/enquiries", f"/search?q={home.word('name')}", "/visits/new")
    return [path for path in ways if home.reference in walker.member(member).get(path).text]


def test_a_case_given_to_somebody_else_is_shut_to_who_had_it(
    estate: Estate, walker: Walker, undone: Any, act: Any
) -> None:
    ways, home = ways_into(estate, "by_post"), estate.homes["by_post"]
    with undone():
        is_open(walker, "officer", ways)
        assert lists_with(walker, "officer", home) != []

        for to in (estate.cast.other_officer, estate.cast.officer, estate.cast.other_officer):
            act(
                lambda case, to, **given: hand_over(case, to=to, **given),
                lambda: db.session.get_one(Case, home.case_id), user(to), by=estate.cast.manager,
                today=today_in_london(), rulebook=policy_today(walker),
            )  # fmt: skip

        is_shut(walker, "officer", ways)
        assert lists_with(walker, "officer", home) == []
        is_open(walker, "other_officer", ways)


def policy_today(walker: Walker) -> Any:
    with walker.app.app_context():
        return policy.rulebook_on(today_in_london())


@pytest.mark.parametrize("how", ["switched off", "left", "another role"])
def test_somebody_who_is_out_sees_nothing_more(estate: Estate, walker: Walker, undone: Any, act: Any, how: str) -> None:
    officer, manager = estate.cast.officer, estate.cast.manager
    feed = f"/feed/{estate.secrets['feed']}.ics"
    ways = [*ways_into(estate, "by_post"), "/my-day", "/account", feed]
    with undone():
        is_open(walker, "officer", ways)

        if how == "switched off":
            act(lambda who, **now: people.disable_user(user=who, **now), user(officer), by=estate.cast.administrator)
        elif how == "left":
            act(
                lambda who, to, **now: people.leave(user=who, handed_to=to, today=today_in_london(), **now),
                user(officer), user(manager), by=estate.cast.administrator,
            )  # fmt: skip
        else:
            act(
                lambda who, **now: people.change_roles(user=who, roles={Role.PANEL_MEMBER}, **now), user(officer),
                by=estate.cast.administrator,
            )  # fmt: skip

        is_shut(walker, "officer", ways)
        if how == "another role":
            again = walker.app.test_client()
            again.inspects = False
            again.sign_in(officer)
            assert again.get("/my-day").status_code == 200


def panel_ways(estate: Estate, key: str) -> Ways:
    home = estate.homes[key]
    base = f"/cases/{home.reference}"
    return [f"{base}/assessment", f"{base}/assessment/report", f"{base}/checks/{home.values['dbs_id']}"]


def test_a_member_who_is_taken_off_a_meeting_has_its_households_shut(
    estate: Estate, walker: Walker, undone: Any, act: Any
) -> None:
    home, member = estate.homes["listed"], estate.cast.panel_member
    ways = [*panel_ways(estate, "listed"), f"/panel/{home.values['meeting_id']}"]
    with undone():
        is_open(walker, "panel_member", ways)

        act(
            lambda meeting, **now: meetings.seat_members(
                meeting, [m.user_id for m in meeting.members if m.user_id != member.id], today=today_in_london(), **now
            ),
            lambda: meeting_with(home.values["meeting_id"]), by=estate.cast.panel_administrator,
        )  # fmt: skip

        is_shut(walker, "panel_member", ways)
        is_open(walker, "chair", ways)


def test_panel_is_over_the_day_after_it_met(
    estate: Estate, walker: Walker, undone: Any, freeze: Callable[[Any], Any]
) -> None:
    """Its members may open a household until the day after the meeting, and then no more."""
    ways = panel_ways(estate, "listed_today")
    for day, is_still_open in ((date(2026, 7, 15), True), (date(2026, 7, 16), False)):
        freeze(f"{day} 09:00")
        walker.clients.clear()  # they sign in anew that day
        with undone():
            (is_open if is_still_open else is_shut)(walker, "panel_member", ways)
    freeze(NOW)

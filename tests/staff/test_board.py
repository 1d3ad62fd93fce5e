"""The board: who sees what on it, in which order, and at what cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from crm.cases.models import Case
from crm.cases.queries import visible_cases
from crm.clock import today_in_london
from crm.db import db
from crm.rules.stages import BOARD_PLACES
from tests.factories import Cast

Make = Callable[..., str]
Browser = Callable[..., Any]
ON_BOARD = [place.name for place in BOARD_PLACES]


def references_on(page: Any) -> list[str]:
    return [link.get("href").rpartition("/")[2] for link in page.all("a", class_="ds-name")]


def test_what_is_due_first_stands_first(make_household: Make, as_member: Browser, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 10:40")
    late = make_household(days_ago=1)
    latest = make_household(days_ago=6)
    fresh = make_household(days_ago=0)

    page = as_member(cast.manager).get("/board").page

    assert references_on(page) == [latest, late, fresh]


def test_a_card_is_coloured_by_its_clock_and_says_so(
    make_household: Make, as_member: Browser, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 10:40")
    make_household(days_ago=6)

    card = as_member(cast.manager).get("/board").page.find("li", class_="ds-card")

    assert "ds-card--over" in card.classes
    assert "over" in card.first(class_="ds-state").text


def test_each_card_leads_to_the_pages_of_its_moves(make_household: Make, as_member: Browser, cast: Cast) -> None:
    reference = make_household()

    card = as_member(cast.manager).get("/board").page.find("li", class_="ds-card")

    addresses = [link.get("href") for link in card.first("details").all("a")]
    assert f"/cases/{reference}/contact" in addresses
    assert all(address != f"/cases/{reference}" for address in addresses)


@pytest.mark.parametrize("key", ["officer", "other_officer", "recruiter", "manager", "panel_administrator"])
def test_the_board_shows_exactly_what_may_be_opened(
    key: str, app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    """G13: the board has statements of its own, and must never show more or less than the rule of who may open what."""
    for owner in (cast.officer, cast.other_officer, cast.recruiter):
        make_household(owner=owner)
    member = cast.everyone[key]

    shown = references_on(as_member(member).get("/board").page)

    with app.app_context():
        allowed = db.session.scalars(
            sa.select(Case.reference).where(
                visible_cases(member.actor, today=today_in_london()), Case.place.in_(ON_BOARD)
            )
        ).all()
    assert sorted(shown) == sorted(allowed)


def test_mine_shows_only_mine(make_household: Make, as_member: Browser, cast: Cast) -> None:
    mine = make_household(owner=cast.manager)
    make_household(owner=cast.officer)

    assert references_on(as_member(cast.manager).get("/board?whose=mine").page) == [mine]


def test_the_list_behind_a_column_goes_on_page_by_page(
    make_household: Make, as_member: Browser, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 10:40")
    made = {make_household(days_ago=number % 5) for number in range(30)}
    client = as_member(cast.manager)

    first = client.get("/board/new").page
    later = client.get(first.links["Later ones"]).page

    assert len(references_on(first)) == 25
    assert set(references_on(first)) | set(references_on(later)) == made
    assert not set(references_on(first)) & set(references_on(later))


def test_a_place_that_is_not_on_the_board_is_not_found(as_member: Browser, cast: Cast) -> None:
    assert as_member(cast.manager).get("/board/closed").status_code == 404


def test_the_board_takes_as_many_queries_for_thirty_households_as_for_three(
    make_household: Make, as_member: Browser, cast: Cast, queries: Any
) -> None:
    client = as_member(cast.officer)

    def taken() -> int:
        client.get("/board")
        with queries() as sent:
            client.get("/board")
        return len(sent)

    for _ in range(3):
        make_household()
    few = taken()
    for _ in range(27):
        make_household()

    assert taken() == few
    assert few <= 8

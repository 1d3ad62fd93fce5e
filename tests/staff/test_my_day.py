"""My day: what is due, the one action beside it, and taking back what was ticked off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import flask

from crm.cases.tasks import add_task
from crm.clock import now_utc, today_in_london
from crm.db import transaction
from tests.factories import Cast
from tests.staff.conftest import CANARY

Make = Callable[..., str]
Browser = Callable[..., Any]


def give_task(app: flask.Flask, cast: Cast, title: str, *, days: int = 0) -> int:
    with app.app_context(), transaction():
        due_on = today_in_london() + timedelta(days=days)
        task = add_task(
            title=title, assigned_to_id=cast.officer.id, due_on=due_on, actor=cast.officer.actor, now=now_utc()
        )
        return task.id


def test_an_overdue_first_call_stands_first_with_its_action(
    make_household: Make, as_member: Browser, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 10:40")
    reference = make_household(owner=cast.officer, days_ago=4)

    page = as_member(cast.officer).get("/my-day").page

    row = page.find("section", id="over").first("li", class_="ds-row")
    assert reference in row.text
    assert row.first("a", role="button").get("href") == f"/cases/{reference}/contact"
    assert "over" in row.first(class_="ds-state").text


def test_what_must_be_minded_is_said_beside_the_call(
    make_household: Make, as_member: Browser, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 10:40")
    make_household(owner=cast.officer, given="Ottoline", days_ago=4, no_calls=True, contact_times="after 5pm")

    row = as_member(cast.officer).get("/my-day").page.find("section", id="over").first("li")

    assert "Do not call Ottoline" in row.text
    assert "after 5pm" in row.text


def test_nobody_sees_another_persons_day(make_household: Make, as_member: Browser, cast: Cast) -> None:
    make_household(owner=cast.officer, days_ago=4)

    for member in cast.staff.values():
        if member.key != "officer":
            assert CANARY not in as_member(member).get("/my-day").text, member.key


def test_a_task_is_ticked_off_and_can_be_taken_back(app: flask.Flask, as_member: Browser, cast: Cast) -> None:
    task_id = give_task(app, cast, "Ring the school")
    client = as_member(cast.officer)

    done = client.submit(client.get("/my-day").page, to=f"/tasks/{task_id}/done", follow=True)
    assert "Ring the school" in done.page.find("section", id="done").text
    back = client.submit(done.page, to=f"/tasks/{task_id}/undo", follow=True)

    assert "Ring the school" in back.page.find("section", id="today").text
    assert "Done today" not in back.page.text


def test_nobody_ticks_off_a_task_of_somebody_else(app: flask.Flask, as_member: Browser, cast: Cast) -> None:
    task_id = give_task(app, cast, "Ring the school")
    client = as_member(cast.manager)
    page = client.get("/my-day").page

    response = client.post(
        f"/tasks/{task_id}/done", data={"csrf_token": page.find("input", name="csrf_token").get("value")}
    )

    assert response.status_code == 404


def test_a_day_with_nothing_due_says_what_to_do_first(as_member: Browser, cast: Cast) -> None:
    page = as_member(cast.officer).get("/my-day").page

    assert "Nothing is waiting for you today" in page.text
    assert "Look at the board" in page.links


def test_a_long_list_is_cut_short_and_says_how_many_more(
    make_household: Make, as_member: Browser, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 10:40")
    for _ in range(15):
        make_household(owner=cast.officer, days_ago=4)

    section = as_member(cast.officer).get("/my-day").page.find("section", id="over")

    assert len(section.all("li", class_="ds-row")) == 12
    assert "And 3 more" in section.text


def test_a_manager_sees_how_the_team_stands(make_household: Make, as_member: Browser, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 10:40")
    make_household(owner=cast.officer, days_ago=4)
    make_household(owner=cast.officer, days_ago=4)

    team = as_member(cast.manager).get("/my-day").page.find("section", id="team")

    assert "Nadia Rahman" in team.text
    assert "2 overdue" in team.text


def test_the_page_takes_as_many_queries_for_thirty_households_as_for_three(
    make_household: Make, as_member: Browser, cast: Cast, queries: Any, freeze: Any
) -> None:
    freeze("2026-07-14 10:40")
    client = as_member(cast.officer)

    def taken() -> int:
        client.get("/my-day")
        with queries() as sent:
            client.get("/my-day")
        return len(sent)

    for _ in range(3):
        make_household(owner=cast.officer, days_ago=4)
    few = taken()
    for _ in range(27):
        make_household(owner=cast.officer, days_ago=4)

    assert taken() == few
    assert few <= 10

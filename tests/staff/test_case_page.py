"""The page of a case: what to do now, what is known, who may read it, and notes that are never lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import flask
import sqlalchemy as sa

from crm.audit.models import AuditEntry
from crm.cases.models import Case, StageChange
from crm.cases.tasks import add_task
from crm.clock import now_utc
from crm.db import db, transaction
from crm.rules.deadlines import ALL_CLOCKS
from crm.rules.transitions import MOVES
from crm.staff.move_pages import CLOCK_PAGES, MOVE_PAGES
from tests.factories import Cast

Make = Callable[..., str]
Browser = Callable[..., Any]


def test_every_move_with_a_button_has_a_page(app: flask.Flask) -> None:
    assert MOVE_PAGES.keys() == {move.name for move in MOVES if move.alone}
    for page in MOVE_PAGES.values():
        assert page.endpoint in app.view_functions, page.endpoint


def test_every_clock_has_a_page_where_it_is_met(app: flask.Flask) -> None:
    assert CLOCK_PAGES.keys() == set(ALL_CLOCKS)
    for page in CLOCK_PAGES.values():
        assert page.endpoint in app.view_functions, page.endpoint


def test_the_next_thing_is_the_one_accent_button(make_household: Make, as_member: Browser, cast: Cast) -> None:
    reference = make_household()

    page = as_member(cast.officer).get(f"/cases/{reference}").page

    buttons = page.all("a", class_="ds-button--now")
    assert [(button.text, button.get("href")) for button in buttons] == [
        ("Log the call", f"/cases/{reference}/contact")
    ]


def test_a_move_that_is_shut_says_why(make_household: Make, as_member: Browser, cast: Cast) -> None:
    reference = make_household()

    page = as_member(cast.officer).get(f"/cases/{reference}").page

    assert "Close, with a reason" in page.text
    assert "This is for a recruiter or a manager to do." in page.text


def test_a_clock_says_the_date_the_words_and_the_rule(
    make_household: Make, as_member: Browser, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 10:40")
    reference = make_household()

    clocks = as_member(cast.officer).get(f"/cases/{reference}").page.find("section", id="clocks")

    assert "First contact" in clocks.text
    assert "Due Wed 15 Jul (1 working day)" in clocks.text
    assert "Our promise: 1 working day after the enquiry" in clocks.text


def test_a_warning_stands_before_any_number(make_household: Make, as_member: Browser, cast: Cast) -> None:
    reference = make_household(given="Ottoline", no_calls=True, safe_contact="Text only; somebody else may answer.")

    response = as_member(cast.officer).get(f"/cases/{reference}")

    person = response.page.find("section", id="people").text
    assert person.index("Do not call.") < person.index("07700")
    assert "Text only; somebody else may answer." in person
    assert "tel:" not in response.text
    assert "Do not call Ottoline" in response.page.find(class_="ds-case").text


def test_what_is_held_closely_is_shown_only_to_those_whose_work_it_is(
    make_household: Make, as_member: Browser, cast: Cast
) -> None:
    reference = make_household(owner=cast.officer, facts={"offences": "A caution in 2009", "pets": "One dog"})

    mine = as_member(cast.officer).get(f"/cases/{reference}").page.text
    passing = as_member(cast.recruiter).get(f"/cases/{reference}").page.text

    assert "A caution in 2009" in mine
    assert "A caution in 2009" not in passing
    assert "Kept closely" in passing
    assert "One dog" in passing


def test_every_look_is_kept_and_shown(app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast) -> None:
    """G33."""
    reference = make_household(facts={"offences": "A caution in 2009"})
    as_member(cast.officer).get(f"/cases/{reference}")

    page = as_member(cast.manager).get(f"/cases/{reference}/looked").page

    assert "Nadia Rahman" in page.text
    with app.app_context():
        seen = db.session.scalars(sa.select(AuditEntry.event).where(AuditEntry.actor_id == cast.officer.id)).all()
    assert {"view.case", "view.offence"} <= set(seen)


def test_a_note_is_kept_on_the_timeline(make_household: Make, as_member: Browser, cast: Cast) -> None:
    reference = make_household()
    client = as_member(cast.officer)

    response = client.submit(
        client.get(f"/cases/{reference}").page, field="note", note="Spoke to her sister.\nBack in May.", follow=True
    )

    assert "Spoke to her sister." in response.page.find("section", id="timeline").text


def test_a_note_that_is_refused_keeps_what_was_typed(make_household: Make, as_member: Browser, cast: Cast) -> None:
    reference = make_household()
    client = as_member(cast.officer)

    response = client.submit(client.get(f"/cases/{reference}").page, field="note", note="x" * 10_001)

    assert response.status_code == 422
    assert "Make this 10,000 characters or fewer" in response.page.text
    assert "x" * 10_001 in response.text


def test_the_timeline_goes_on_page_by_page_and_by_kind(
    make_household: Make, as_member: Browser, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 10:40")
    reference = make_household()
    client = as_member(cast.officer)
    for number in range(25):
        freeze(f"2026-07-14 11:{number:02d}")
        page = client.get(f"/cases/{reference}").page
        client.submit(page, field="note", note=f"Note number {number:02d}.")

    newest = client.get(f"/cases/{reference}").page
    earlier = client.get(newest.links["Earlier"]).page

    assert "Note number 24." in newest.text
    assert "Note number 00." not in newest.text
    assert "Note number 00." in earlier.text
    assert "Note number" not in client.get(f"/cases/{reference}?show=move").page.text


def test_only_a_manager_puts_a_stage_right_and_only_with_a_reason(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    reference = make_household()
    client = as_member(cast.manager)
    page = client.get(f"/cases/{reference}/correct").page

    without = client.submit(page, field="reason", place="enquiry:contacted", reason="")
    assert without.status_code == 422
    assert "Say why the stage is being put right" in without.page.errors
    client.submit(without.page, field="reason", place="enquiry:contacted", reason="Logged on the wrong household.")

    assert as_member(cast.officer).get(f"/cases/{reference}/correct").status_code == 403
    with app.app_context():
        change = db.session.scalars(sa.select(StageChange).order_by(StageChange.id.desc())).first()
        assert (change.to_stage, change.is_correction, change.reason) == (
            "contacted",
            True,
            "Logged on the wrong household.",
        )


def test_a_change_made_meanwhile_is_not_overwritten(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    reference = make_household()
    client = as_member(cast.manager)
    page = client.get(f"/cases/{reference}/correct").page
    with app.app_context(), transaction():
        db.session.execute(sa.update(Case).values(version=Case.version + 1))

    response = client.submit(page, field="reason", place="enquiry:contacted", reason="A slip.")

    assert response.status_code == 409
    assert "changed while you were looking" in response.page.text


def test_a_case_is_handed_over_with_its_open_tasks(make_household: Make, as_member: Browser, cast: Cast) -> None:
    reference = make_household(owner=cast.officer)
    officer, manager = as_member(cast.officer), as_member(cast.manager)
    officer.submit(
        officer.get(f"/cases/{reference}/tasks/new").page,
        field="title",
        title="Ring the school",
        **{"due_on-day": "1", "due_on-month": "7", "due_on-year": "2099"},
    )

    manager.submit(
        manager.get(f"/cases/{reference}/owner").page, field="owner", owner=str(cast.other_officer.id), follow=True
    )

    page = as_member(cast.other_officer).get(f"/cases/{reference}").page
    assert "Iqbal Chaudhry" in page.find(class_="ds-case").text
    assert [form.action for form in page.forms if "/tasks/" in form.action]


def test_how_to_reach_somebody_is_changed_and_in_force(make_household: Make, as_member: Browser, cast: Cast) -> None:
    reference = make_household(given="Ottoline")
    client = as_member(cast.officer)
    page = client.get(f"/cases/{reference}").page
    rules = client.get(page.links["How to reach Ottoline"]).page

    after = client.submit(rules, field="no_calls", no_calls="y", contact_times="after 5pm", follow=True)

    assert "Do not call." in after.page.find("section", id="people").text
    assert "after 5pm" in after.page.find("section", id="people").text


def test_a_newer_answer_takes_the_place_of_the_old_one(make_household: Make, as_member: Browser, cast: Cast) -> None:
    reference = make_household(facts={"pets": "One dog"})
    client = as_member(cast.officer)

    after = client.submit(
        client.get(f"/cases/{reference}/facts?key=pets").page,
        field="value",
        value="Two cats",
        source="Home visit",
        follow=True,
    )

    assert "Two cats" in after.page.text
    assert "One dog" not in after.page.text


def test_search_finds_by_phone_and_says_what_to_try_when_nothing_fits(
    make_household: Make, as_member: Browser, cast: Cast
) -> None:
    reference = make_household(given="Ottoline", family="Peverell")
    client = as_member(cast.recruiter)

    assert reference in client.get("/search?q=peverell").text
    assert reference in client.get("/search?q=07700+90000").text
    nothing = client.get("/search?q=nosuchname").page
    assert "Nobody found" in nothing.text
    assert "a phone number, or how it begins" in nothing.text
    typed = client.get("/search?q=pever", headers={"HX-Request": "true"})
    assert reference in typed.text
    assert "<html" not in typed.text


def test_the_page_takes_as_many_queries_however_long_the_story(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast, queries: Any
) -> None:
    reference = make_household(facts={"pets": "One dog"})
    client = as_member(cast.officer)

    def taken() -> list[str]:
        client.get(f"/cases/{reference}")
        with queries() as sent:
            client.get(f"/cases/{reference}")
        return [statement for statement in sent if statement.startswith("SELECT")]

    few = len(taken())
    for number in range(15):
        page = client.get(f"/cases/{reference}").page
        client.submit(page, field="note", note=f"Note number {number}.")
        make_household()

    assert len(taken()) == few
    assert few <= 14


def test_a_task_of_somebody_else_does_not_hide_what_is_next(
    make_household: Make, as_member: Browser, cast: Cast, session: Any, freeze: Any
) -> None:
    freeze("2026-07-14 10:40")
    reference = make_household(owner=cast.officer)
    with transaction():
        case = session.scalars(sa.select(Case).where(Case.reference == reference)).one()
        add_task(title="Tell them another way", assigned_to_id=cast.recruiter.id, due_on=date(2026, 7, 1),
                 actor=cast.recruiter.actor, now=now_utc(), case=case)  # fmt: skip

    page = as_member(cast.manager).get(f"/cases/{reference}").page
    lead = page.find("a", class_="ds-button--now")
    assert lead.text == "Log the call"
    own = as_member(cast.recruiter).get(f"/cases/{reference}").page
    assert own.find("section", id="now").text.startswith("What to do now Tell them another way")


def test_ways_and_times_that_are_ruled_out_stand_before_any_number(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    reference = make_household()
    officer = as_member(cast.officer)
    with app.app_context():
        person_id = db.session.scalars(sa.select(Case).where(Case.reference == reference)).one().household.people[0].id
    page = officer.get(f"/cases/{reference}/people/{person_id}/reach").page

    officer.submit(page, button="Keep these rules", no_texts="y", no_emails="y", quiet_times=["weekend", "morning"])

    shown = officer.get(f"/cases/{reference}").page.text
    assert "Send no texts. Send no emails. Not mornings or weekends." in shown

"""Merging on screen: side by side, checked, a second look where it is doubtful, and taken apart again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from crm.cases.models import Case, HouseholdMerge, Person
from crm.db import db
from tests.factories import Cast

Make = Callable[..., str]
Browser = Callable[[Any], Any]


@pytest.fixture
def couple(make_household: Make) -> tuple[str, str]:
    """Two entries of one household, as a stall and a form would make them: the same phone and name."""
    first = make_household(given="Priya", family="Osei", days_ago=2, facts={"pets": "One dog"})
    second = make_household(given="Priya", family="Osei", facts={"pets": "Two dogs"})
    return first, second


@contextlib.contextmanager
def looking(app: flask.Flask) -> Any:
    with app.app_context():
        yield db.session


def merge_by_hand(client: Any, one: str, other: str) -> Any:
    page = client.get(f"/cases/{one}/compare/{other}").page
    checked = client.submit(page, button="Check before merging").page
    return client.submit(checked, to=f"/cases/{one}/compare/{other}/merge", follow=True)


def test_two_entries_are_compared_checked_merged_and_taken_apart(
    app: flask.Flask, couple: tuple[str, str], as_member: Browser, cast: Cast
) -> None:
    first, second = couple
    client = as_member(cast.recruiter)

    page = client.get(f"/cases/{second}/compare/{first}").page
    assert "Goes on" in page.text
    assert "Two dogs" in page.text
    done = merge_by_hand(client, second, first)

    assert f"Merged. {first} goes on." in done.page.text
    assert client.get(f"/cases/{second}").headers["Location"].endswith(f"/cases/{first}")
    assert f"{second} was merged into this household" in client.get(f"/cases/{first}").page.text
    with looking(app) as session:
        assert session.scalars(sa.select(Case.reference)).all() == [first]

    undone = client.submit(done.page, button="Undo the merge", follow=True)
    assert "are two again" in undone.page.text
    assert client.get(f"/cases/{second}").status_code == 200


def test_the_other_choice_of_a_field_is_kept(
    app: flask.Flask, couple: tuple[str, str], as_member: Browser, cast: Cast
) -> None:
    first, second = couple
    client = as_member(cast.recruiter)
    page = client.get(f"/cases/{first}/compare/{second}").page
    field = next(name for form in page.forms for name in form.names if name.endswith(".phone"))

    checked = client.submit(page, button="Check before merging", **{field: "gone"}).page
    client.submit(checked, to=f"/cases/{first}/compare/{second}/merge")

    with looking(app) as session:
        person = session.scalars(sa.select(Person).where(Person.family_name == "Osei")).one()
        assert person.phone == "07700 900002"


def test_who_is_who_can_be_said_and_redraws_the_choices(
    couple: tuple[str, str], as_member: Browser, cast: Cast
) -> None:
    first, second = couple
    client = as_member(cast.recruiter)
    page = client.get(f"/cases/{first}/compare/{second}").page
    who = next(name for form in page.forms for name in form.names if name.startswith("who."))

    again = client.get(f"/cases/{first}/compare/{second}?{who}=0").page

    assert not [name for form in again.forms for name in form.names if name.endswith(".phone")]


def test_a_doubtful_merge_waits_for_another_manager(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    one, other = make_household(given="Ola", family="Bello"), make_household(given="Ada", family="Quill")
    recruiter, manager = as_member(cast.recruiter), as_member(cast.manager)

    page = recruiter.get(f"/cases/{one}/compare/{other}").page
    assert "A second person looks at this first" in page.text
    asked = merge_by_hand(recruiter, one, other)
    assert "Nothing is merged yet" in asked.page.text
    assert "Yes, merge them" not in asked.page.text

    day = manager.get("/my-day").page
    assert "Merges to look at" in day.text
    with looking(app) as session:
        number = session.scalars(sa.select(HouseholdMerge.id)).one()
    look = manager.get(f"/merges/{number}").page
    assert "little in common" in look.text
    done = manager.submit(look, button="Yes, merge them", follow=True)
    assert "Merged." in done.page.text
    with looking(app) as session:
        merge = session.scalars(sa.select(HouseholdMerge)).one()
        assert (merge.state, merge.asked_by_id, merge.decided_by_id) == ("made", cast.recruiter.id, cast.manager.id)
    assert "Merges to look at" not in manager.get("/my-day").page.text


def test_a_manager_does_not_agree_to_what_they_asked_for_themselves(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    one, other = make_household(given="Ola", family="Bello"), make_household(given="Ada", family="Quill")
    manager = as_member(cast.manager)
    asked = merge_by_hand(manager, one, other)
    assert "Take it back" in asked.page.text
    with looking(app) as session:
        number = session.scalars(sa.select(HouseholdMerge.id)).one()

    form = {field: value for field, value in asked.page.form(button="Take it back").fields.items() if value}
    manager.inspects = False
    assert manager.post(f"/merges/{number}/agree", data=form).status_code == 403

    with looking(app) as session:
        assert session.scalar(sa.select(sa.func.count(Case.id))) == 2


def test_a_manager_says_no_with_a_reason_and_whoever_asked_reads_it(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    one, other = make_household(given="Ola", family="Bello"), make_household(given="Ada", family="Quill")
    recruiter, manager = as_member(cast.recruiter), as_member(cast.manager)
    merge_by_hand(recruiter, one, other)
    with looking(app) as session:
        number = session.scalars(sa.select(HouseholdMerge.id)).one()
    look = manager.get(f"/merges/{number}").page

    empty = manager.submit(look, button="No, leave them apart", why=" ")
    assert empty.status_code == 422
    manager.submit(empty.page, button="No, leave them apart", why="Two sisters, each on her own")

    assert "Two sisters, each on her own" in recruiter.get(f"/merges/{number}").page.text
    assert "said no" in recruiter.get(f"/cases/{one}/merges").page.text


def test_somebody_who_may_open_only_one_of_the_two_is_told_nothing_of_the_other(
    app: flask.Flask, couple: tuple[str, str], as_member: Browser, cast: Cast
) -> None:
    first, second = couple
    with looking(app) as session:
        case = session.scalars(sa.select(Case).where(Case.reference == second)).one()
        case.band, case.place = "application", "received"
        session.commit()
    recruiter = as_member(cast.recruiter)
    recruiter.inspects = False

    missing = recruiter.get(f"/cases/{first}/compare/KF-0REF0C")
    theirs = recruiter.get(f"/cases/{first}/compare/{second}")
    assert (missing.status_code, theirs.status_code) == (404, 404)
    assert second not in recruiter.get(f"/cases/{first}/compare").text

    assert as_member(cast.manager).get(f"/cases/{first}/compare/{second}").status_code == 200


def test_somebody_entered_twice_in_one_household_is_made_one_on_the_persons_page(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    reference = make_household(given="Priya", family="Osei")
    client = as_member(cast.recruiter)
    page = client.get(f"/cases/{reference}/people/new").page
    client.submit(page, button="Add them", given_name="Pria", family_name="Osei", role="household_adult")
    with looking(app) as session:
        kept, gone = session.scalars(sa.select(Person.id).where(Person.family_name == "Osei").order_by(Person.id)).all()

    page = client.get(f"/cases/{reference}/people/{gone}/same-as").page
    shown = client.submit(page, button="Show what would be kept", other=str(kept)).page
    done = client.submit(shown, button="Make them one", follow=True)

    assert "Merged." in done.page.text
    with looking(app) as session:
        assert session.scalars(sa.select(Person.given_name).where(Person.family_name == "Osei")).all() == ["Priya"]


def test_a_person_is_moved_by_the_reference_of_where_they_belong(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    wrong, right = make_household(given="Priya", family="Osei"), make_household(given="Ida", family="Hale")
    client = as_member(cast.recruiter)
    page = client.get(f"/cases/{wrong}/people/new").page
    client.submit(page, button="Add them", given_name="Tom", family_name="Hale", role="applicant_2")
    with looking(app) as session:
        tom = session.scalars(
            sa.select(Person.id).where(Person.given_name == "Tom", Person.family_name == "Hale")
        ).one()
    page = client.get(f"/cases/{wrong}/people/{tom}/move").page

    nowhere = client.submit(page, button="Move Tom", other="KF-000000")
    assert nowhere.status_code == 422
    done = client.submit(nowhere.page, button="Move Tom", other=right.lower(), follow=True)

    assert f"Tom Hale is now in the household of {right}." in done.page.text
    back = client.submit(done.page, button="Undo the move", follow=True)
    assert "everything is where it was" in back.page.text


def test_an_earlier_journey_of_the_household_is_named_on_its_page(
    app: flask.Flask, couple: tuple[str, str], as_member: Browser, cast: Cast
) -> None:
    first, second = couple
    client = as_member(cast.manager)
    page = client.get(f"/cases/{first}/close").page
    client.submit(page, field="words", reason="withdrew", words="You decided that it is not for you.")
    with looking(app) as session:
        assert session.scalars(sa.select(Case.is_open).where(Case.reference == first)).one() is False

    merge_by_hand(client, second, first)

    assert "An earlier journey of this household" in client.get(f"/cases/{second}").page.text
    assert client.get(f"/cases/{first}").status_code == 200


def test_two_who_merge_at_once_one_is_told_that_it_is_done(
    couple: tuple[str, str], as_member: Browser, cast: Cast
) -> None:
    first, second = couple
    one, other = as_member(cast.recruiter), as_member(cast.manager)
    pages = [
        client.submit(client.get(f"/cases/{first}/compare/{second}").page, button="Check before merging").page
        for client in (one, other)
    ]
    target = f"/cases/{first}/compare/{second}/merge"

    assert "Merged." in one.submit(pages[0], to=target, follow=True).page.text
    assert "Somebody else has just merged these two" in other.submit(pages[1], to=target, follow=True).page.text


def test_comparing_takes_as_many_queries_however_long_the_story(
    couple: tuple[str, str], as_member: Browser, cast: Cast, queries: Any
) -> None:
    first, second = couple
    client = as_member(cast.recruiter)
    address = f"/cases/{first}/compare/{second}"

    def taken() -> int:
        client.get(address)
        with queries() as sent:
            client.get(address)
        return len([statement for statement in sent if statement.startswith("SELECT")])

    few = taken()
    for number in range(5):
        client.submit(client.get(f"/cases/{first}").page, field="note", note=f"Note number {number}.")

    assert taken() == few
    assert few <= 32


def test_who_looked_at_the_entry_that_was_taken_up_is_still_named(
    couple: tuple[str, str], as_member: Browser, cast: Cast
) -> None:
    first, second = couple
    as_member(cast.officer).get(f"/cases/{second}")
    client = as_member(cast.manager)
    merge_by_hand(client, first, second)

    assert cast.officer.name in client.get(f"/cases/{first}/looked").page.all("table")[0].text

"""Running the system: dated settings, people, letters, and no household's story anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import pytest

from crm import policy
from crm.clock import today_in_london
from crm.db import transaction
from crm.delivery import hold_everything
from tests.factories import Cast

Make = Callable[..., str]
Browser = Callable[..., Any]

PAGES = (
    "/admin",
    "/admin/settings",
    "/admin/settings/look",
    "/admin/settings/assessment",
    "/admin/settings/visits",
    "/admin/settings/areas",
    "/admin/settings/areas/1",
    "/admin/settings/areas/new",
    "/admin/settings/promises",
    "/admin/settings/promises/first_contact",
    "/admin/settings/holidays",
    "/admin/settings/wording",
    "/admin/settings/wording/consent.email",
    "/admin/settings/letters",
    "/admin/settings/letters/information_pack",
    "/admin/settings/panel",
    "/admin/settings/eligibility",
    "/admin/settings/eligibility/spare_room",
    "/admin/settings/eligibility/new",
    "/admin/people",
    "/admin/people/invite",
    "/admin/letters",
    "/admin/letters?show=given_up",
    "/admin/jobs",
    "/admin/checks",
    "/admin/rules",
    "/admin/audit",
    "/my-day",
)


def test_no_page_of_an_administrator_holds_anything_of_a_household(
    make_household: Make, as_member: Browser, cast: Cast
) -> None:
    """G13: canaries in every place where a household's own words are kept."""
    reference = make_household(
        given="Canarygiven",
        family="Canaryfamily",
        facts={"pets": "Canaryfact"},
        safe_contact="Canarysafe",
        days_ago=5,
    )
    officer = as_member(cast.officer)
    officer.submit(officer.get(f"/cases/{reference}").page, field="note", note="Canarynote")
    client = as_member(cast.administrator)

    for path in PAGES:
        response = client.get(path)
        assert response.status_code == 200, path
        assert "canary" not in response.text.lower(), path
    for button, path in (("Check now", "/admin/checks"), ("Check every line", "/admin/audit")):
        assert "canary" not in client.submit(client.get(path).page, button=button).text.lower()
    for path in (f"/cases/{reference}", f"/cases/{reference}/letters", "/board", "/search?q=canary"):
        assert client.get(path).status_code in (403, 404), path


def test_a_promise_counts_from_its_day(app: flask.Flask, as_member: Browser, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 10:40")
    client = as_member(cast.administrator)
    page = client.get("/admin/settings/promises/first_contact").page

    client.submit(
        page,
        field="length",
        length="2",
        **{"in_force_from-day": "1", "in_force_from-month": "9", "in_force_from-year": "2026"},
    )

    with app.app_context():
        before = policy.rulebook_on(today_in_london()).deadline("first_contact").length
        freeze("2026-09-01 10:00")
        after = policy.rulebook_on(today_in_london()).deadline("first_contact").length
    assert (before, after) == (1, 2)


def test_a_promise_can_not_be_changed_for_the_past(as_member: Browser, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 10:40")
    client = as_member(cast.administrator)
    page = client.get("/admin/settings/promises/first_contact").page

    response = client.submit(
        page,
        field="length",
        length="7",
        **{"in_force_from-day": "1", "in_force_from-month": "7", "in_force_from-year": "2026"},
    )

    assert response.status_code == 422
    assert "Choose today or a later day" in response.page.text
    assert response.page.find("input", name="length").get("value") == "7"


def test_a_colour_that_words_can_not_be_read_on_is_refused(as_member: Browser, cast: Cast) -> None:
    client = as_member(cast.administrator)
    page = client.get("/admin/settings/look").page

    refused = client.submit(page, field="brand_colour", brand_colour="#ffff00")
    assert refused.status_code == 422
    assert "Choose a darker colour" in refused.page.text
    client.submit(refused.page, field="brand_colour", brand_colour="#5b0b5d", follow=True)

    assert "--ds-teal: #5b0b5d;" in client.get("/brand.css").text


def test_an_area_takes_no_district_of_another(as_member: Browser, cast: Cast) -> None:
    client = as_member(cast.administrator)

    response = client.submit(
        client.get("/admin/settings/areas/new").page, field="districts", name="Elsewhere", districts="BR1 SE99"
    )

    assert response.status_code == 422
    assert "BR1 is in Bromley and Lewisham already." in response.page.text
    assert "BR1 SE99" in response.page.find("textarea", name="districts").text


def test_the_front_page_says_when_nobody_takes_the_rest(as_member: Browser, cast: Cast) -> None:
    client = as_member(cast.administrator)
    assert "Nobody is named" in client.get("/admin").page.text

    client.submit(client.get("/admin/settings/areas").page, field="owner", owner=str(cast.recruiter.id))

    assert "Nobody is named" not in client.get("/admin").page.text


def test_somebody_is_invited_and_an_address_is_used_once(as_member: Browser, cast: Cast) -> None:
    client = as_member(cast.administrator)
    page = client.get("/admin/people/invite").page

    asked = client.submit(page, field="email", name="Ines Neu", email="ines@example.org", roles="officer", follow=True)
    again = client.submit(
        client.get("/admin/people/invite").page, field="email", name="Ines", email="ines@example.org", roles="officer"
    )

    assert "Ines Neu" in asked.page.text
    assert again.status_code == 422
    assert "already has an account" in again.page.text


def test_a_leaver_hands_their_households_over(make_household: Make, as_member: Browser, cast: Cast) -> None:
    reference = make_household(owner=cast.officer)
    client = as_member(cast.administrator)

    client.submit(
        client.get(f"/admin/people/{cast.officer.id}").page,
        field="handed_to",
        handed_to=str(cast.other_officer.id),
        follow=True,
    )

    assert as_member(cast.other_officer).get(f"/cases/{reference}").status_code == 200
    assert "Nadia Rahman" in client.get("/admin/people").page.text


def test_held_letters_go_only_when_a_person_lets_them(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    client = as_member(cast.administrator)
    client.submit(
        client.get("/admin/people/invite").page, field="email", name="Ines", email="ines@example.org", roles="officer"
    )
    with app.app_context(), transaction():
        hold_everything()

    held = client.get("/admin/letters").page
    assert "1 letter is held" in held.text
    client.submit(held, button="Let them go", follow=True)

    assert "held after" not in client.get("/admin").page.text
    assert "is held" not in client.get("/admin/letters").page.text


def test_a_holiday_is_entered_and_taken_back(as_member: Browser, cast: Cast) -> None:
    client = as_member(cast.administrator)
    page = client.get("/admin/settings/holidays").page

    entered = client.submit(
        page,
        field="name",
        name="A day of thanks",
        **{"day-day": "15", "day-month": "9", "day-year": "2027"},
        follow=True,
    )
    assert "A day of thanks" in entered.page.find("section").text + entered.page.text
    after = client.submit(entered.page, button="Take back A day of thanks", follow=True)

    assert "None. Enter a day when one is proclaimed." in after.page.text


@pytest.mark.parametrize("path", ["/demo/letters", "/demo/letters/1"])
def test_letters_of_the_demonstration_are_nowhere_else(path: str, as_member: Browser, cast: Cast) -> None:
    assert as_member(cast.manager).get(path).status_code == 404

"""The eligibility rules as a service sets them: dated, tried on last year's enquiries, never softer than the law."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import flask
import pytest

from crm import policy
from crm.clock import now_utc, today_in_london
from crm.db import transaction
from crm.policy import changing
from crm.rules.eligibility import Outcome
from tests.factories import Cast

Make = Callable[..., str]
Browser = Callable[..., Any]
START = "2026-07-14 10:40"
LATER = {"in_force_from-day": "1", "in_force_from-month": "9", "in_force_from-year": "2026"}
RULES = "/admin/settings/eligibility"


def outcome_of(answers: dict[str, Any], on: date) -> Outcome:
    advice = policy.rulebook_on(on).assess(answers)
    return next(finding for finding in advice.findings if finding.criterion in answers).outcome


@pytest.fixture
def change(app: flask.Flask, cast: Cast, freeze: Any) -> Callable[..., int]:
    """``change("driving", {...}, on=day)``: an edition, kept by the administrator; gives its version."""
    freeze(START)

    def keep(name: str, changes: dict[str, Any], *, on: date, until: date | None = None) -> int:
        with app.app_context(), transaction():
            return changing.change_criterion(
                name=name,
                changes=changes,
                in_force_from=on,
                in_force_until=until,
                actor=cast.administrator.actor,
                now=now_utc(),
                today=today_in_london(),
            )

    return keep


def test_what_an_answer_means_changes_on_its_day_and_is_shown_tried_on_last_year(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast, freeze: Any
) -> None:
    freeze(START)
    touched = make_household(facts={"spare_room": "No"}, days_ago=30)
    make_household(facts={"spare_room": "Yes"}, days_ago=20)
    make_household(facts={"spare_room": "No"}, days_ago=400)
    administrator, manager = as_member(cast.administrator), as_member(cast.manager)

    page = administrator.get(f"{RULES}/spare_room").page
    answer = administrator.submit(page, field="question", outcome_2="conversation", **LATER)
    there = administrator.get(answer.headers["Location"])

    assert "1 enquiry would have come out otherwise" in there.page.text
    assert touched in there.page.text
    assert f"/cases/{touched}" not in there.text
    assert f"/cases/{touched}" in manager.get(answer.headers["Location"]).text
    with app.app_context():
        assert outcome_of({"spare_room": "no"}, date(2026, 8, 31)) is Outcome.NOT_NOW
        assert outcome_of({"spare_room": "no"}, date(2026, 9, 1)) is Outcome.CONVERSATION


def test_a_change_is_taken_back_before_its_day_and_not_after(
    app: flask.Flask, as_member: Browser, cast: Cast, change: Callable[..., int], freeze: Any
) -> None:
    driving = {"options": {"no": {"outcome": "not_now", "months": 6}}}
    version = change("driving", driving, on=date(2026, 9, 1))
    started = change("pets", {"options": {"yes": {"outcome": "conversation"}}}, on=date(2026, 7, 14))
    client = as_member(cast.administrator)

    client.submit(client.get(f"{RULES}/driving/trial/{version}").page, button="Take it back")

    assert "Changes on" not in client.get(RULES).text
    with app.app_context():
        assert outcome_of({"driving": "no"}, date(2026, 9, 1)) is Outcome.CONVERSATION
    with app.app_context(), transaction(), pytest.raises(changing.PolicyNotChanged):
        changing.take_back_criterion(
            name="pets", version=started, actor=cast.administrator.actor, now=now_utc(), today=today_in_london()
        )


def test_a_trial_period_ends_and_what_counted_before_counts_again(app: flask.Flask, change: Callable[..., int]) -> None:
    change("driving", {"options": {"no": {"outcome": "eligible"}}}, on=date(2026, 8, 1), until=date(2026, 8, 31))

    with app.app_context():
        days = [date(2026, 7, 31), date(2026, 8, 1), date(2026, 8, 31), date(2026, 9, 1)]
        assert [str(outcome_of({"driving": "no"}, day)) for day in days] == [
            "conversation",
            "eligible",
            "eligible",
            "conversation",
        ]


def test_a_question_of_the_services_own_is_asked_in_the_screening_talk_and_shown_on_the_case(
    make_household: Make, as_member: Browser, cast: Cast, freeze: Any
) -> None:
    freeze(START)
    reference = make_household(owner=cast.recruiter)
    administrator, recruiter = as_member(cast.administrator), as_member(cast.recruiter)
    asked = {
        "question": "Does anyone at home keep a boat?",
        "staff_words": "A boat on a mooring",
        "label_0": "No",
        "label_1": "Yes, we live on it",
        "outcome_1": "conversation",
        "reason_1": "Homes on the water need a talk about safety.",
        "in_force_from-day": "14",
        "in_force_from-month": "7",
        "in_force_from-year": "2026",
    }

    administrator.submit(administrator.get(f"{RULES}/new").page, field="question", **asked)
    page = recruiter.get(f"/cases/{reference}/screening").page
    recruiter.submit(page, button="Keep these answers", answer_own_a_boat_on_a_mooring="answer_2")

    after = recruiter.get(f"/cases/{reference}/screening").page.text
    assert "Homes on the water need a talk about safety." in after
    assert "A boat on a mooring" in recruiter.get(f"/cases/{reference}").page.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outcome_1": "eligible"}, "Choose one"),
        ({"question": ""}, "Write the question"),
    ],
    ids=["a stop of the law is softened", "nothing is asked"],
)
def test_what_can_not_be_is_said_and_what_was_typed_stays(
    as_member: Browser, cast: Cast, freeze: Any, changes: dict[str, str], message: str
) -> None:
    freeze(START)
    client = as_member(cast.administrator)

    answer = client.submit(
        client.get(f"{RULES}/specified_offence").page, field="question", hint="Kept as typed", **changes
    )

    assert answer.status_code == 422
    assert message in answer.page.text
    assert answer.page.find("input", name="hint").get("value") == "Kept as typed"


def test_an_answer_that_is_not_simply_fine_needs_a_reason(change: Callable[..., int]) -> None:
    with pytest.raises(changing.PolicyNotChanged, match="Say why"):
        change("home", {"options": {"own": {"outcome": "conversation"}}}, on=date(2026, 9, 1))


def test_households_are_not_named_to_an_administrator_where_offences_decide(
    make_household: Make, as_member: Browser, cast: Cast, change: Callable[..., int], freeze: Any
) -> None:
    reference = make_household(facts={"offences": "Yes"}, days_ago=30)
    version = change("other_convictions", {"options": {"yes": {"outcome": "not_now"}}}, on=date(2026, 9, 1))

    there = f"{RULES}/other_convictions/trial/{version}"

    page = as_member(cast.administrator).get(there)
    assert "1 enquiry would have come out otherwise" in page.page.text
    assert reference not in page.text
    assert reference in as_member(cast.manager).get(there).text


def test_only_the_newest_enquiries_of_a_long_year_are_looked_at(
    app: flask.Flask, make_household: Make, change: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from crm.enquiries import rule_trial
    from crm.policy import reading

    for days in (10, 20, 30):
        make_household(facts={"driving": "No"}, days_ago=days)
    monkeypatch.setattr(rule_trial, "MOST", 2)

    with app.app_context():
        on = today_in_london() + timedelta(days=1)
        after = reading.criteria_with("driving", {"options": {"no": {"outcome": "eligible"}}}, on)
        trial = rule_trial.try_rules(
            policy.rulebook_on(on).criteria, after, changed=None, today=today_in_london(), districts=frozenset({"BR1"})
        )

    assert (trial.there_were, trial.looked_at, trial.changed) == (3, 2, 2)

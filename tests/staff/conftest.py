"""Households for the staff screens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import flask
import pytest

from crm import policy
from crm.cases.models import Case, Channel, PersonRole
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.clock import london_date, now_utc
from crm.db import transaction
from crm.rules.permissions import Actor
from tests.factories import Cast, Member, sign_in

CANARY = "Zephyrine"
"""A name that no page without a household can have by chance."""


@pytest.fixture
def make_household(app: flask.Flask, cast: Cast) -> Callable[..., str]:
    """``make_household(owner=cast.officer)``: the reference of a new case, opened as the product opens one."""
    number = iter(range(1, 10_000))

    def make(
        *,
        owner: Member | None = None,
        given: str | None = None,
        family: str = "Quillfeather",
        days_ago: int = 0,
        facts: dict[str, str] | None = None,
        **person: Any,
    ) -> str:
        count = next(number)
        actor = cast.recruiter.actor
        with app.app_context(), transaction():
            policy.ensure_defaults(now=now_utc())
            case = open(
                actor=actor,
                owner_id=(owner or cast.officer).id,
                person=NewPerson(
                    given_name=given or f"{CANARY} {count}",
                    family_name=family,
                    role=PersonRole.APPLICANT_1,
                    email=f"household{count}@example.org",
                    phone=f"07700 90{count:04d}",
                    **person,
                ),
                received_at=now_utc() - timedelta(days=days_ago),
                facts=facts,
            )
            return case.reference

    def open(
        *, actor: Actor, owner_id: int, person: NewPerson, received_at: datetime, facts: dict[str, str] | None
    ) -> Case:
        today = london_date(now_utc())
        return open_case(
            people=[person],
            touch=NewTouch(channel=Channel.PHONE, received_at=received_at, source="Phone"),
            actor=actor,
            now=now_utc(),
            today=today,
            rulebook=policy.rulebook_on(today),
            owner_id=owner_id,
            postcode="BR1 3KO",
            facts=facts,
            send_letters=False,
        )

    return make


@pytest.fixture
def as_member(app: flask.Flask) -> Callable[[Member], Any]:
    """``as_member(cast.officer)``: a browser in which this person is signed in."""

    def browser(member: Member) -> Any:
        client = app.test_client()
        sign_in(client, member)
        return client

    return browser

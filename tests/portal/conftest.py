"""A household that is invited to apply, and each of its adults at a browser of their own."""

from __future__ import annotations

import re
from typing import Any

import flask
import pytest
from sqlalchemy import select

from crm.access.guards import cookie_name
from crm.access.models import SessionKind
from crm.access.sessions import begin
from crm.cases.models import Case, Person
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from tests.assessments.journey import Journey
from tests.conftest import PageClient


@pytest.fixture
def journey(session: Any, cast: Any, freeze: Any, database: Any) -> Journey:
    """Nobody yet: the cast, and a clock that can be moved."""
    freeze("2026-03-02 20:00")
    return Journey(cast, freeze, database)


@pytest.fixture
def home(journey: Journey) -> Journey:
    """Priya and Sam, who were invited to apply today."""
    return journey.invited()


def people_of(case: Case) -> dict[str, Person]:
    return {person.given_name: person for person in case.household.people}


def codes() -> list[tuple[str, str]]:
    """Every code that was sent, oldest first: where to, and the code without its space."""
    db.session.rollback()  # what was read before is looked at anew
    found = db.session.scalars(
        select(OutboundMessage).where(OutboundMessage.kind == "portal_code").order_by(OutboundMessage.id)
    )
    return [(one.recipient or "", _code_in(one.payload or b"")) for one in found]


def _code_in(payload: bytes) -> str:
    """The code in a letter or a text: two groups of three numbers."""
    found = re.search(rb"\b(\d{3}) (\d{3})\b", payload)
    assert found is not None
    return (found[1] + found[2]).decode()


def browser_of(app: flask.Flask, person: Person) -> PageClient:
    """A browser in which this person is signed in, without the way by a code."""
    with app.test_request_context(), transaction():
        token = begin(kind=SessionKind.APPLICANT, person_id=person.id, now=now_utc())
        name = cookie_name(SessionKind.APPLICANT)
    client = app.test_client()
    client.set_cookie(name, token)
    return client  # type: ignore[return-value]


ABOUT = {
    "born_on-day": "10", "born_on-month": "2", "born_on-year": "1985", "relationship": "married",
    "languages": "English",
}  # fmt: skip
OWN: dict[str, dict[str, str]] = {
    "about": ABOUT,
    "lived": {
        "abroad": "yes", "abroad_where": "Lisbon, 2017 to 2018", "homes_1_address": "8 Tannery Court, Bromley BR1 3KO",
        "homes_1_from": "May 2018", "homes_1_to": "now",
    },
    "work": {"work_now": "Nurse, three nights a week", "with_children": "no", "manages": "yes"},
    "family": {"former_partner": "no", "grown": "no", "support": "My sister, two streets away"},
    "fostering": {"asked_before": "no", "approved_within_year": "no"},
    "health": {"surgery": "Widmore Road Surgery", "health": "XqAsthmaWord since school", "smokes": "no"},
    "record": {"record": "yes", "record_what": "XqCautionWord when I was 17", "children_courts": "no"},
    "referees": {
        "referees_1_name": "Grace Whitlock", "referees_1_known_as": "friend", "referees_1_since": "2011",
        "referees_1_reach": "grace.whitlock@example.org", "referees_1_address": "2 Mill Lane, Bromley",
        "referees_2_name": "Tom Adeyemi", "referees_2_known_as": "colleague", "referees_2_since": "2015",
        "referees_2_reach": "07700 900555", "referees_2_address": "9 Park Row, Beckenham",
    },
}  # fmt: skip
SHARED: dict[str, dict[str, str]] = {
    "home": {
        "owning": "private", "landlord": "Hollis and Daughters", "bedrooms": "3", "room": "The one at the back",
        "has_pets": "yes", "pets_which": "A greyhound, six, asleep", "council": "Bromley",
    },
    "people": {
        "nobody_else": "yes", "members_1_given": "Kezia", "members_1_family": "Whitlock", "members_1_kind": "child",
        "members_1_born_on-day": "5", "members_1_born_on-month": "5", "members_1_born_on-year": "2015",
    },
}  # fmt: skip


def fill_in(client: PageClient, parts: dict[str, dict[str, str]]) -> None:
    """Answer these parts and mark each as done."""
    for name, answers in parts.items():
        done = client.submit(client.get(f"/my/part/{name}").page, button="Save, this part is done", **answers)
        assert done.status_code == 303, (name, done.page.text)

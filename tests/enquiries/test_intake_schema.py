"""The interface for websites does as its description says (G37): sent whatever fits the description, and whatever does
not, it answers in the ways and the shapes that stand there, and with no fault of ours."""

from __future__ import annotations

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from crm.clock import now_utc
from crm.db import transaction
from crm.enquiries import intake, intake_views

pytestmark = [pytest.mark.usefixtures("cast"), pytest.mark.parametrize("database", ["sqlite"], indirect=True)]
FITTING, UNFITTING = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
# A description can't say which versions of our words there were: one that fits it may name none, and is refused.
NOT_ASKED = [positive_data_acceptance]


@pytest.fixture
def described(app, monkeypatch):
    monkeypatch.setattr(intake_views, "ENQUIRIES_A_WINDOW", 1_000_000)
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)


@pytest.fixture
def key(session, cast):
    with transaction():
        return intake.make_website(name="Main website", actor=cast.administrator.actor, now=now_utc())[1]


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        ("POST", "/api/v1/enquiries", FITTING),
        ("POST", "/api/v1/enquiries", UNFITTING),
        ("GET", "/api/v1/wordings", FITTING),
        ("GET", "/api/v1/wordings", UNFITTING),
        ("GET", "/api/v1/openapi.json", FITTING),
    ],
)
def test_whatever_is_sent_is_answered_as_described(described, key, rounds, method, path, mode):
    operation, statuses = described[path][method], Counter()

    @settings(max_examples=rounds(20, 1500), deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def send(case):
        headers = {"Authorization": f"Bearer {key}"}
        answer = case.call_and_validate(headers=headers, excluded_checks=NOT_ASKED)
        statuses[answer.status_code] += 1

    send()
    assert statuses
    if mode is FITTING and method == "GET":
        assert set(statuses) == {200}


def test_what_is_described_wrongly_is_found(described, key):
    """A status that does not stand in the description, and a shape that does not."""
    operation = described["/api/v1/wordings"]["GET"]
    answers = operation.definition.raw["responses"]["200"]["content"]["application/json"]
    answers["schema"] = {"type": "object", "required": ["not_there"]}

    case = operation.Case(headers={"Authorization": f"Bearer {key}"})

    with pytest.raises(schemathesis.core.failures.FailureGroup, match="not_there"):
        case.call_and_validate(headers={"Authorization": f"Bearer {key}"})

"""Nothing that anybody can send to the public form or to the interface for websites is a fault of ours (G37)."""

from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.clock import now_utc
from crm.db import transaction
from crm.enquiries import intake
from crm.enquiries.questions import QUESTIONS
from tests.enquiries.test_intake import MAYA
from tests.enquiries.test_public_form import ANSWERS, fill_in

pytestmark = pytest.mark.usefixtures("cast")

NAMES = sorted({name for answers in ANSWERS.values() for name in answers}) + [
    "second_here", "second_news", "wordings", "notice", "work_done", "page_drawn", "your_web_page", "ring",
    "one_time_id", "seen", "email", "_typed", "_arrivals", "",
]  # fmt: skip
GOOD = sorted({str(one) for answers in ANSWERS.values() for one in answers.values() if isinstance(one, str)})
HOSTILE = ["\x00", "\ud800", "{{7*7}}", "'\"><svg onload=1>", "\u202e", "9" * 400, "-1", "=1+1", "{}", "[]", "null"]
values = st.one_of(st.sampled_from([*GOOD, *HOSTILE]), st.text(max_size=60))
pages = [question.slug for question in QUESTIONS] + ["where-you-stand", "check", "later"]
sendings = st.lists(
    st.tuples(
        st.sampled_from(pages),
        st.booleans(),
        st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=8),
        st.text(max_size=30),
    ),
    min_size=1,
    max_size=4,
)
short = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


def encodable(pairs):
    return [(name, value.encode("utf-8", "surrogatepass")) for name, value in pairs]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_no_form_that_anybody_sends_is_a_fault_of_ours(client, rounds):
    client.inspects = False
    fill_in(client)
    token = client.get("/enquire/name").page.form(button="Continue").filled("Continue")["csrf_token"]

    @settings(short, max_examples=rounds(40, 1500))
    @given(sendings)
    def send(several):
        for slug, half_typed, pairs, query in several:
            path = f"/enquire/{slug}/typed" if half_typed else f"/enquire/{slug}"
            body = {"csrf_token": [token]}
            for name, value in encodable(pairs):
                body.setdefault(name, []).append(value)
            answer = client.post(path, data=body, query_string={"utm_source": query, "from": query})
            assert answer.status_code < 500, (path, pairs)
            for where in (f"/enquire/{slug}", "/enquire/check", "/enquire/carry-on", "/enquire/done"):
                assert client.get(where).status_code < 500, (where, pairs)

    send()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.sampled_from([*GOOD, *HOSTILE]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*NAMES, *MAYA]), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


def places(body, at=()):
    yield at
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, value in inner:
        yield from places(value, (*at, name))


def put(body, at, value):
    if not at:
        return value
    copy = json.loads(json.dumps(body))
    held = copy
    for name in at[:-1]:
        held = held[name]
    held[at[-1]] = value
    return copy


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_no_enquiry_that_a_website_hands_in_is_a_fault_of_ours(client, session, cast, rounds):
    with transaction():
        key = intake.make_website(name="Main website", actor=cast.administrator.actor, now=now_utc())[1]

    @settings(short, max_examples=rounds(60, 3000))
    @given(st.sampled_from(sorted(places(MAYA), key=repr)), anything)
    def send(at, value):
        answer = client.post(
            "/api/v1/enquiries",
            data=json.dumps(put(MAYA, at, value)),
            headers={
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/json",
                "Idempotency-Key": uuid.uuid4().hex,
            },
        )
        assert answer.status_code in (201, 400, 413, 422, 429), answer.text
        assert answer.status_code == 201 or answer.json["status"] == answer.status_code

    send()

"""Websites of the service hand enquiries in: the rules of the form, each once, and answers that say nothing."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select

from crm.cases.consents import consents_in_force
from crm.cases.models import Case, Deadline, Enquiry, Fact, Person
from crm.clock import now_utc
from crm.db import transaction
from crm.enquiries import intake
from crm.enquiries.intake_forms import every_field
from crm.enquiries.models import EnquiryArrival, EnquiryOrigin, HeldEnquiry, IntakeReceipt, IntakeWebsite
from tests.enquiries.test_public_form import count

pytestmark = pytest.mark.usefixtures("cast")

MAYA = {
    "applicant_1": {
        "given_name": "Maya",
        "family_name": "Thompson",
        "phone": "07700 900214",
        "email": "maya@example.org",
        "born_on": "1985-04-03",
        "safe": "no_voicemail",
        "never_by": ["post"],
        "quiet_times": ["weekend"],
        "consents": [
            {"channel": "email", "given": True, "wording_version": "1", "wording_source": "service"},
            {
                "channel": "text",
                "given": False,
                "wording_version": "2026-03",
                "wording_source": "https://www.example.org/foster#texts",
            },
        ],
    },
    "applicant_2": {"given_name": "Daniel", "phone": "07700 900388"},
    "postcode": "br1 3ko",
    "answers": {"spare_room": "not_yet", "smoking": "no"},
    "heard": "friend",
    "said": "We saw a film about it.",
    "came_by": [{"utm_source": "council", "c": "LEAF7"}, {"utm_source": "facebook"}],
    "privacy_notice": {"version": "2026-02", "source": "https://www.example.org/privacy"},
}
LEAST = {
    "applicant_1": {"given_name": "Maya", "family_name": "Thompson", "phone": "07700 900214"},
    "privacy_notice": {"version": "1", "source": "service"},
}


@pytest.fixture
def key(session, cast):
    with transaction():
        return intake.make_website(name="Main website", actor=cast.administrator.actor, now=now_utc())[1]


@pytest.fixture
def hand_in(client, key):
    def send(body=LEAST, *, idempotency_key=None, **headers):
        given = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key or uuid.uuid4().hex,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        sent = {name: value for name, value in given.items() if value is not None}
        return client.post("/api/v1/enquiries", data=data, headers=sent)

    return send


def changed(**fields):
    return {**json.loads(json.dumps(LEAST)), **fields}


def first(**fields):
    return changed(applicant_1={**LEAST["applicant_1"], **fields})


def without(name):
    return {field: value for field, value in LEAST.items() if field != name}


def is_problem(answer):
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == answer.status_code
    assert answer.json["title"]
    assert answer.json["detail"]
    return True


# --- What comes of it -------------------------------------------------------------------------------------------------


def test_what_a_website_hands_in_is_an_enquiry_like_any_other(hand_in, session, cast, freeze):
    freeze("2026-05-22 19:00")

    answer = hand_in(MAYA)

    assert answer.status_code == 201
    assert set(answer.json) == {"receipt", "contact_by"}
    assert answer.json["contact_by"] == "2026-05-26"
    session.rollback()
    case = session.scalars(select(Case)).one()
    assert (case.owner_id, case.channel, case.household.name) == (cast.manager.id, "web", "Maya Thompson and Daniel")
    due = session.scalars(select(Deadline.due_on).where(Deadline.case_id == case.id, Deadline.rule == "first_contact"))
    assert due.one().isoformat() == answer.json["contact_by"]
    maya, daniel = session.scalars(select(Person).where(Person.household_id == case.household_id).order_by(Person.id))
    assert (maya.no_voicemail, maya.no_letters, maya.quiet_times) == (True, True, "weekend")
    assert daniel.phone == "07700 900388"
    facts = {fact.key: (fact.value, fact.source) for fact in session.scalars(select(Fact))}
    assert facts["spare_room"] == ("Not yet", "Website: Main website")
    assert [one.source for one in session.scalars(select(EnquiryArrival).order_by(EnquiryArrival.ordinal))] == [
        "council",
        "facebook",
    ]


def test_consents_are_kept_each_with_the_words_that_were_shown_and_nobody_consents_for_another(hand_in, session):
    hand_in(MAYA)

    session.rollback()
    website = session.scalars(select(IntakeWebsite)).one()
    maya, daniel = session.scalars(select(Person).where(Person.phone_key.is_not(None)).order_by(Person.id)).all()
    held = consents_in_force([maya.id, daniel.id])
    assert {name: (one.given, one.wording_version) for name, one in held[maya.id].items()} == {
        "email": (True, "1"),
        "text": (False, f"site{website.id}:2026-03"),
    }
    assert held[maya.id]["email"].source == "Website: Main website"
    assert daniel.id not in held
    assert session.scalars(select(EnquiryOrigin.privacy_version)).one() == f"site{website.id}:2026-02"


def test_the_answer_tells_nothing_about_anybody(hand_in, session):
    first_answer, second = hand_in(MAYA), hand_in(MAYA)

    session.rollback()
    references = session.scalars(select(Case.reference)).all()
    for answer in (first_answer, second):
        assert not [word for word in ("Maya", "07700", "maya@", *references) if word in answer.text]
        assert "Set-Cookie" not in answer.headers
    assert first_answer.json["receipt"] != second.json["receipt"]


def test_what_the_website_s_own_check_doubts_waits_for_a_person_and_is_answered_alike(hand_in, session):
    answer = hand_in(changed(looks_automatic=True))

    assert (answer.status_code, set(answer.json)) == (201, {"receipt", "contact_by"})
    session.rollback()
    assert [row.signs for row in session.scalars(select(HeldEnquiry))] == ["website"]
    assert count(session, Case) == 0


# --- Each once --------------------------------------------------------------------------------------------------------


def test_the_same_again_gets_the_same_answer_and_stores_nothing(hand_in, session):
    answers = [hand_in(MAYA, idempotency_key="a-key-of-16-chars") for _ in range(4)]

    assert len({(answer.status_code, answer.text) for answer in answers}) == 1
    assert (count(session, Case), count(session, Enquiry), count(session, IntakeReceipt)) == (1, 1, 1)


def test_another_body_under_the_same_id_is_refused(hand_in, session):
    hand_in(LEAST, idempotency_key="a-key-of-16-chars")

    answer = hand_in(first(given_name="May"), idempotency_key="a-key-of-16-chars")

    assert answer.status_code == 409
    assert is_problem(answer)
    assert count(session, Case) == 1


def test_two_websites_may_use_the_same_id(client, hand_in, session, cast):
    with transaction():
        other = intake.make_website(name="Campaign site", actor=cast.administrator.actor, now=now_utc())[1]

    hand_in(idempotency_key="a-key-of-16-chars")
    hand_in(idempotency_key="a-key-of-16-chars", Authorization=f"Bearer {other}")

    assert count(session, Case) == 2


def test_what_was_refused_may_be_mended_under_the_same_id(hand_in):
    assert hand_in(first(phone="123"), idempotency_key="a-key-of-16-chars").status_code == 422
    assert hand_in(idempotency_key="a-key-of-16-chars").status_code == 201


# --- Whose key --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer x", "Bearer doorstep_x", "Basic ZG9vcg==", "Bearer doorstep_\u00e9"]
)
def test_without_a_key_nothing_is_taken(hand_in, session, given):
    answer = hand_in(Authorization=given)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert is_problem(answer)
    assert count(session, Case) == 0


def test_a_key_that_was_taken_back_or_changed_opens_nothing(hand_in, session, cast):
    with transaction():
        website = session.scalars(select(IntakeWebsite)).one()
        new = intake.change_key(website, actor=cast.administrator.actor, now=now_utc())
    assert hand_in().status_code == 401
    assert hand_in(Authorization=f"Bearer {new}").status_code == 201
    with transaction():
        website = session.scalars(select(IntakeWebsite)).one()
        intake.take_key_back(website, actor=cast.administrator.actor, now=now_utc())

    assert hand_in(Authorization=f"Bearer {new}").status_code == 403


def test_a_session_of_staff_is_no_key(client, cast, session):
    client.sign_in(cast.administrator)

    assert client.post("/api/v1/enquiries", json=LEAST).status_code == 401
    assert count(session, Case) == 0


def test_a_key_is_kept_as_a_digest_and_its_use_is_noted_to_the_minute(hand_in, key, session, freeze):
    moment = freeze("2026-07-07 12:00")
    hand_in()
    freeze(moment + timedelta(seconds=30))
    hand_in()

    session.rollback()
    website = session.scalars(select(IntakeWebsite)).one()
    assert key not in repr({column.name: getattr(website, column.name) for column in IntakeWebsite.__table__.columns})
    assert key.endswith(website.key_ending)
    assert website.last_used_at == moment


def test_guessing_keys_is_slowed_and_slows_nobody_else(app, client, hand_in):
    for _ in range(60):
        assert client.post("/api/v1/enquiries", headers={"Authorization": "Bearer doorstep_no"}).status_code == 401

    assert client.post("/api/v1/enquiries", headers={"Authorization": "Bearer doorstep_no"}).status_code == 429
    assert hand_in().status_code == 201


def test_a_website_that_asks_too_much_slows_only_itself(hand_in, client, session, cast, monkeypatch):
    monkeypatch.setattr("crm.enquiries.intake_views.ENQUIRIES_A_WINDOW", 2)
    with transaction():
        other = intake.make_website(name="Campaign site", actor=cast.administrator.actor, now=now_utc())[1]

    answers = [hand_in() for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert is_problem(answers[2])
    assert 0 < int(answers[2].headers["Retry-After"]) <= 300
    assert hand_in(Authorization=f"Bearer {other}").status_code == 201


# --- What is wrong is named -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        ([], "", "Send an object"),
        ({}, "/applicant_1", "Send an object"),
        (first(given_name=" "), "/applicant_1/given_name", "Tell us your first name"),
        (first(given_name=7), "/applicant_1/given_name", "Send text here"),
        (first(given_name="x" * 101), "/applicant_1/given_name", "100 characters or fewer"),
        (first(phone=None), "/applicant_1/phone", "Give us a phone number or an email"),
        (first(phone="07700 9002"), "/applicant_1/phone", "This number has 9 digits"),
        (first(email="maya.example.org"), "/applicant_1/email", "An email address has an @ in it"),
        (first(born_on="1985-02-31"), "/applicant_1/born_on", "does not have 31 days"),
        (first(born_on="yesterday"), "/applicant_1/born_on", "day, month and year"),
        (first(safe="perhaps"), "/applicant_1/safe", "Choose one of the answers"),
        (first(never_by="text"), "/applicant_1/never_by", "Send a list of texts"),
        (first(never_by=["pigeon"]), "/applicant_1/never_by", "Choose from the answers"),
        (first(never_by=["text"], safe="text_first"), "/applicant_1/never_by", "Leave one way to reach them"),
        (first(shoe_size="44"), "/applicant_1/shoe_size", "no field of this name"),
        (first(consents={}), "/applicant_1/consents", "Send a list of up to 4"),
        (
            first(consents=[{"channel": "email", "given": True}]),
            "/applicant_1/consents/0/wording_version",
            "Name the version",
        ),
        (first(consents=[{"channel": "fax"}]), "/applicant_1/consents/0/channel", "Choose one of email"),
        (
            first(consents=[{"channel": "email", "given": "yes", "wording_version": "1", "wording_source": "service"}]),
            "/applicant_1/consents/0/given",
            "true or false",
        ),
        (
            first(consents=[{"channel": "email", "given": True, "wording_version": "9", "wording_source": "service"}]),
            "/applicant_1/consents/0/wording_version",
            "no such version",
        ),
        (
            first(consents=[{"channel": "email", "given": True, "wording_version": "9", "wording_source": "http://x"}]),
            "/applicant_1/consents/0/wording_source",
            "https address",
        ),
        (changed(applicant_2={"family_name": "Reid"}), "/applicant_2/given_name", "Tell us their first name"),
        (changed(applicant_2="Daniel"), "/applicant_2", "Send an object"),
        (changed(postcode="my house"), "/postcode", "Check the postcode"),
        (changed(answers={"spare_room": "perhaps"}), "/answers/spare_room", "Choose one of the answers"),
        (changed(answers={"height": "tall"}), "/answers/height", "no field of this name"),
        (changed(said="x" * 2001), "/said", "2,000 characters or fewer"),
        (changed(came_by={}), "/came_by", "Send a list of up to 20"),
        (changed(came_by=[{"utm_source": 1}]), "/came_by/0/utm_source", "Send text here"),
        (changed(looks_automatic="no"), "/looks_automatic", "true or false"),
        (without("privacy_notice"), "/privacy_notice", "Say which privacy notice was shown"),
    ],
)  # fmt: skip
def test_each_field_that_is_not_right_is_named_with_how_to_put_it_right(hand_in, session, body, pointer, said):
    answer = hand_in(body)

    assert answer.status_code == 422
    assert is_problem(answer)
    found = {one["pointer"]: one["detail"] for one in answer.json["errors"]}
    assert said in found[pointer]
    assert count(session, Case) == 0


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"\xff\xfe", {}, 400),
        (b"[" * 30_000, {}, 400),
        (b"", {}, 400),
        (LEAST, {"Idempotency_Key": ""}, 400),
        (LEAST, {"Idempotency_Key": "short"}, 400),
        (LEAST, {"Content_Type": "text/plain"}, 415),
        (LEAST, {"Content_Type": "application/x-www-form-urlencoded"}, 415),
        (b'{"said": "' + b"x" * 70_000 + b'"}', {}, 413),
    ],
)
def test_what_cannot_be_read_at_all_is_said_to_be_so(hand_in, session, body, headers, status):
    answer = hand_in(body, **headers)

    assert answer.status_code == status
    assert is_problem(answer)
    assert count(session, Case) == 0


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/v1/enquiries", 405), ("GET", "/api/v2", 404)])
def test_an_address_that_is_not_there_answers_a_program_in_its_own_terms(client, method, path, status):
    answer = client.open(path, method=method)

    assert answer.status_code == status
    assert is_problem(answer)


# --- Described --------------------------------------------------------------------------------------------------------


def test_the_description_is_written_from_the_fields_of_the_form(client):
    described = client.get("/api/v1/openapi.json").json

    schema = described["paths"]["/api/v1/enquiries"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert described["openapi"].startswith("3.1")
    first = schema["properties"]["applicant_1"]["properties"]
    assert first["given_name"]["maxLength"] == 100
    assert first["safe"]["enum"] == ["yes", "no_voicemail", "text_first"]
    assert set(schema["properties"]["answers"]["properties"]) >= {"spare_room", "smoking", "approved_elsewhere"}
    assert set(schema["properties"]["answers"]["properties"]["spare_room"]["enum"]) >= {"yes", "not_yet", "no"}
    assert {"/applicant_1/consents", "/applicant_2/phone", "/came_by", "/privacy_notice/version"} <= set(
        every_field(schema)
    )


def test_the_service_s_own_words_can_be_fetched_to_be_shown(client, key):
    assert client.get("/api/v1/wordings").status_code == 401

    words = client.get("/api/v1/wordings", headers={"Authorization": f"Bearer {key}"}).json

    assert words["privacy_notice"]["version"] == "1"
    assert {one["channel"] for one in words["consents"]} == {"email", "text", "phone", "post"}
    assert all(one["text"] for one in words["consents"])


# --- The administrator's screen ---------------------------------------------------------------------------------------


def test_a_key_is_made_shown_once_changed_and_taken_back(app, client, cast, session):
    client.sign_in(cast.administrator)

    made = client.submit(client.get("/admin/settings/websites").page, button="Make a key", name="Main website")

    key = made.page.all("input", id="key")[0]["value"]
    assert key.startswith("doorstep_")
    listed = client.get("/admin/settings/websites")
    assert key not in listed.text
    assert f"ends in {key[-4:]}" in listed.text
    program = app.test_client()
    assert program.get("/api/v1/wordings", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    client.submit(client.get("/admin/settings/websites").page, button="New key for Main website")
    assert program.get("/api/v1/wordings", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    gone = client.submit(
        client.get("/admin/settings/websites").page, button="Take the key back of Main website", follow=True
    )
    assert "Main website can hand nothing in any more" in gone.text
    assert "taken back" in gone.text

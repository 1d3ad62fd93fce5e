"""What goes to others: an approval for another system, and the papers of an independent review."""

from __future__ import annotations

import json
from io import BytesIO

import pypdf
import pytest
from sqlalchemy import select

from crm.assessments import answers, queries
from crm.assessments.terms import Terms
from crm.audit import AuditEntry
from crm.db import db
from tests.assessments.journey import to_the_decision_maker, to_the_decision_maker_against

OFFENCE, HEALTH, NUMBER = "CANARY-OFFENCE", "CANARY-HEALTH", "009988776655"
MINUTES = "talked about their home"


@pytest.fixture
def approved(journey):
    j = journey.walk(to_the_decision_maker)
    j.decided(terms=Terms(children=2, youngest=4, oldest=11, care="short_and_long"))
    return j


@pytest.fixture
def at_review(journey):
    j = journey.walk(to_the_decision_maker_against)
    j.decided("propose_no")
    j.told().written()
    j.do(answers.receive_answer, j.case, kind="irm", received_on=j.today, said="We ask for a review.",
         by=j.cast.panel_administrator)  # fmt: skip
    return j


def approval(j) -> str:
    return f"/cases/{j.case.reference}/approval.json"


def papers(j) -> str:
    return f"/cases/{j.case.reference}/answer/papers.pdf"


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(pdf)).pages).split())


def test_an_approval_is_a_file_that_another_system_reads(approved, client):
    client.sign_in(approved.cast.officer)
    assert "The approval as a file" in client.get(f"/cases/{approved.case.reference}/notices").text

    answer = client.get(approval(approved))

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    found = json.loads(answer.data)
    assert (found["format"], found["version"]) == ("doorstep.approval", 1)
    assert found["reference"] == approved.case.reference
    assert {one["given_name"] for one in found["carers"]} == {
        one.given_name for one in approved.case.household.people if one.is_applicant
    }
    assert all(one["born_on"] for one in found["carers"])
    assert found["home"]["postcode"] == approved.case.household.postcode
    assert found["decision"]["effective_on"] == approved.today.isoformat()
    assert found["panel"]["recommendation"] == "suitable"
    assert found["first_review_by"] == approved.due("first_review").isoformat()
    assert found["terms"] == {
        "children": 2, "youngest": 4, "oldest": 11, "kind_of_care": "short_and_long", "other": None,
        "in_words": "up to 2 children at once, aged 4 to 11, short and long term",
    }  # fmt: skip
    assert found["usual_fostering_limit"] == 3
    assert {one["item"] for one in found["checks"]} >= {"dbs", "health_report", "identity"}
    approved.look_again()
    looks = db.session.scalars(select(AuditEntry.actor_id).where(AuditEntry.event == "view.approval")).all()
    assert looks == [approved.cast.officer.id]


def test_it_says_nothing_that_a_check_found(journey, client):
    from tests.assessments.journey import to_the_invitation

    j = journey.walk(to_the_invitation).applied().assessing()
    j.obtain(j.check("dbs", "Sam"), result="discussed", outcome=OFFENCE, dbs_number=NUMBER)
    j.obtain(j.check("health_report", "Priya"), result="discussed", outcome=HEALTH)
    j.obtain_all().passed().stage_two().report().shared().observed().ready()
    j.listed(j.meeting("2026-09-16"))
    j.on("2026-09-16").recommended()
    j.minutes().decided()
    client.sign_in(j.cast.manager)
    text = client.get(approval(j)).text
    for word in (OFFENCE, HEALTH, NUMBER, MINUTES, "discussed", "About personality"):
        assert word not in text, word


def test_who_is_not_approved_has_none(at_review, client):
    client.sign_in(at_review.cast.manager)
    answer = client.get(approval(at_review))
    assert answer.status_code == 409
    assert "is not approved" in answer.page.text


def test_the_papers_of_a_review_hold_the_report_and_not_the_minutes(at_review, client):
    j = at_review
    client.sign_in(j.cast.officer)
    assert "the papers (PDF)" in client.get(f"/cases/{j.case.reference}/answer").text

    answer = client.get(papers(j))

    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment")
    text = text_of(answer.data)
    assert "Papers for the Independent Review Mechanism" in str(pypdf.PdfReader(BytesIO(answer.data)).metadata.title)
    assert "They asked for a review" in text
    assert "About personality." in text
    assert "neither our panel’s minutes nor its discussion" in text
    assert MINUTES in (queries.items_of(j.case)[0].minutes or "")
    assert MINUTES not in text


def test_the_papers_of_a_review_are_closed_to_who_reads_nothing_held_closely(at_review, client):
    for key, status in (("manager", 200), ("panel_administrator", 404), ("recruiter", 404), ("other_officer", 404),
                        ("panel_member", 403), ("administrator", 403)):  # fmt: skip
        client.sign_in(getattr(at_review.cast, key))
        assert client.get(papers(at_review)).status_code == status, key


def test_without_a_review_there_are_no_papers(approved, client):
    client.sign_in(approved.cast.manager)
    assert client.get(papers(approved)).status_code == 409


def test_a_notice_that_went_by_email_opens_as_the_file_that_went_with_it(at_review, client):
    j = at_review
    client.sign_in(j.cast.officer)
    base = f"/cases/{j.case.reference}/letters"
    letters = [address for address in client.get(base).page.links.values() if address.startswith(f"{base}/")]
    files = [client.get(f"{address}/pdf") for address in letters]
    notices = [text_of(one.data) for one in files if one.mimetype == "application/pdf"]
    assert any("qualifying determination" in text and "Independent Review Mechanism" in text for text in notices)

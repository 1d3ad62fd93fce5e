"""Who sees what was found about whom (G13, field by field), and that looking is recorded."""

from __future__ import annotations

from datetime import date
from email.parser import BytesParser
from email.policy import default

import pytest
from sqlalchemy import select

from crm.assessments import meetings
from crm.assessments.household import NewMember
from crm.audit import AuditEntry
from crm.cases.models import PersonRole
from crm.db import db
from crm.delivery import OutboundMessage
from tests.assessments.journey import to_the_invitation

SAMS, PRIYAS, COUNCILS = "CANARY-SAM-OFFENCE", "CANARY-PRIYA-HEALTH", "CANARY-COUNCIL-VIEWS"
NUMBER = "009988776655"


@pytest.fixture
def known(journey):
    return journey.walk(something_was_found)


def something_was_found(j):
    """A couple and a grown-up daughter, and something about each."""
    j.walk(to_the_invitation).applied(
        members=(NewMember(given_name="Kezia", family_name="Whitlock", role=PersonRole.HOUSEHOLD_ADULT,
                           born_on=date(2007, 5, 5)),)
    ).assessing()  # fmt: skip
    j.obtain(j.check("dbs", "Sam"), result="discussed", outcome=SAMS, dbs_number=NUMBER)
    j.obtain(j.check("health_report", "Priya"), result="concern", outcome=PRIYAS)
    j.obtain(j.check("local_authority_views"), result="concern", outcome=COUNCILS)


def pages_of(j):
    base = f"/cases/{j.case.reference}"
    checks = {f"{check.item}:{check.person.given_name if check.person else ''}": f"{base}/checks/{check.id}"
              for check in j.checks()}  # fmt: skip
    return base, checks


def test_each_check_shows_its_own_person_alone(known, client):
    base, checks = pages_of(known)
    client.sign_in(known.cast.officer)

    assert SAMS in client.get(checks["dbs:Sam"]).text
    assert NUMBER in client.get(checks["dbs:Sam"]).text
    for name, path in checks.items():
        text = client.get(path).text
        assert (SAMS in text) == (name == "dbs:Sam"), name
        assert (PRIYAS in text) == (name == "health_report:Priya"), name
    overview = client.get(f"{base}/assessment").text
    for canary in (SAMS, PRIYAS, COUNCILS, NUMBER):
        assert canary not in overview


def test_those_not_on_the_case_see_nothing_of_it(known, client):
    _base, checks = pages_of(known)
    cast = known.cast

    for member in (cast.other_officer, cast.recruiter, cast.panel_member, cast.panel_administrator,
                   cast.decision_maker, cast.administrator):  # fmt: skip
        client.sign_in(member)
        answer = client.get(checks["dbs:Sam"])
        assert answer.status_code in (403, 404), member.key
        assert SAMS not in answer.text


def test_the_panel_administrator_reads_where_a_check_is_and_not_what_it_found(known, client):
    j = known.obtain_all().passed().stage_two().report().shared().observed().ready()
    base, checks = pages_of(j)
    client.sign_in(j.cast.panel_administrator)

    assert client.get(f"{base}/assessment").status_code == 200
    page = client.get(checks["dbs:Sam"])
    assert page.status_code == 200
    assert SAMS not in page.text
    assert NUMBER not in page.text
    assert "open to those who work on this household" in page.page.text


def test_a_panel_member_reads_while_the_household_is_before_them(known, client):
    j = known.obtain_all().passed().stage_two().report().shared().observed().ready()
    j.listed(j.meeting("2026-04-01"))
    _base, checks = pages_of(j)
    member = j.panel["chair"]

    client.sign_in(member)
    assert SAMS in client.get(checks["dbs:Sam"]).text
    j.do(
        meetings.declare_conflict, j.case, j.item(), user_id=member.id, what="An old friend", by=member, rulebook=False
    )
    assert client.get(checks["dbs:Sam"]).status_code == 404
    j.on("2026-04-03")
    other = j.panel["teacher"]
    client.sign_in(other)
    assert client.get(checks["dbs:Sam"]).status_code == 404


def test_looking_at_an_offence_is_recorded(known, client):
    _base, checks = pages_of(known)
    client.sign_in(known.cast.officer)

    client.get(checks["dbs:Sam"])

    known.look_again()
    events = db.session.scalars(
        select(AuditEntry.event).where(AuditEntry.actor_id == known.cast.officer.id, AuditEntry.event.like("view.%"))
    ).all()
    assert "view.check" in events
    assert "view.offence" in events


def test_no_letter_says_what_was_found(known):
    j = known.obtain_all().passed().stage_two().report().shared()

    messages = db.session.scalars(select(OutboundMessage).where(OutboundMessage.case_id == j.case.id)).all()
    assert len(messages) > 6
    for message in messages:
        parsed = BytesParser(policy=default).parsebytes(message.payload)
        words = " ".join(part.get_content() for part in parsed.walk() if part.get_content_maintype() == "text")
        for canary in (SAMS, PRIYAS, COUNCILS, NUMBER):
            assert canary not in words


def test_the_rows_themselves_are_sealed(known):
    from sqlalchemy import text

    rows = db.session.execute(
        text(
            "SELECT outcome_sealed, result_sealed, dbs_number_sealed FROM stage_one_check WHERE received_on IS NOT NULL"
        )
    ).all()
    assert rows
    for row in rows:
        for value in row:
            assert value is None or not any(
                canary in value for canary in (SAMS, PRIYAS, NUMBER, "discussed", "concern")
            )

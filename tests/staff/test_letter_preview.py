"""A manager reads how a letter would go to a household: who may, what it says, and that nothing is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from crm.audit.models import AuditEntry
from crm.cases.models import Case, ContactLink, Person
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.delivery.merge_fields import MERGE_FIELDS
from tests.factories import Cast

Make = Callable[..., str]
Browser = Callable[..., Any]


def person_of(reference: str) -> Person:
    return db.session.scalars(sa.select(Case).where(Case.reference == reference)).one().household.people[0]


def test_a_manager_reads_it_with_the_households_own_fields_and_nothing_is_sent(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    other = make_household(given="Bartholomew")
    reference = make_household(given="Amalthea")
    client = as_member(cast.manager)

    page = client.get(f"/cases/{reference}/letters/preview?kind=visit_reminder").page

    assert "Hello Amalthea" in page.text
    assert reference in page.find("div", class_="ds-mail").text
    assert "Bartholomew" not in page.text
    assert other not in page.text
    assert "It would go to household2@example.org." in page.text
    assert f"Made up until it is: {MERGE_FIELDS['starts_at'].means}" in page.text
    with app.app_context():
        assert db.session.scalars(sa.select(OutboundMessage)).all() == []
        assert db.session.scalars(sa.select(ContactLink)).all() == []


def test_that_somebody_looked_is_in_the_trail_of_the_case(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    reference = make_household()

    as_member(cast.manager).get(f"/cases/{reference}/letters/preview?kind=not_now")

    with app.app_context():
        person = person_of(reference)
        looks = db.session.execute(
            sa.select(AuditEntry.event, AuditEntry.subject, AuditEntry.actor_id).where(
                AuditEntry.case_id == sa.select(Case.id).where(Case.reference == reference).scalar_subquery(),
                AuditEntry.event.like("view.letter%"),
            )
        ).all()
        assert {(look.event, look.subject, look.actor_id) for look in looks} == {
            ("view.letter_preview", f"person:{person.id}", cast.manager.id),
            ("view.letter_not_now", f"person:{person.id}", cast.manager.id),
        }


@pytest.mark.parametrize(
    ("rules", "kind", "says"),
    [
        ({"no_emails": True, "no_texts": True}, "tried_to_ring", "It would not go."),
        ({"no_emails": True}, "tried_to_ring", "Not like that: they asked us not to write to them that way."),
        ({}, "news_to_many", "Not like that: they have not said yes to news and events that way."),
        ({"no_contact": True}, "approval_notice", "It would go to household1@example.org."),
        ({"no_contact": True}, "visit_invitation", "Not like that: they asked us not to be in touch."),
    ],
)
def test_it_says_whether_it_would_go_by_the_rules_of_its_reader(
    app: flask.Flask,
    make_household: Make,
    as_member: Browser,
    cast: Cast,
    rules: dict[str, bool],
    kind: str,
    says: str,
) -> None:
    reference = make_household()
    with app.app_context(), transaction():
        for name, value in rules.items():
            setattr(person_of(reference), name, value)

    page = as_member(cast.manager).get(f"/cases/{reference}/letters/preview?kind={kind}").page

    assert says in page.text


def test_it_is_for_managers_and_for_letters_and_people_of_this_household(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    reference, other = make_household(), make_household()
    path = f"/cases/{reference}/letters/preview"
    manager = as_member(cast.manager)
    with app.app_context():
        theirs = person_of(other).id

    assert as_member(cast.officer).get(path).status_code == 403
    assert as_member(cast.administrator).get(path).status_code == 403
    assert manager.get(f"{path}?person={theirs}").status_code == 404
    assert manager.get(f"{path}?kind=staff_invitation").status_code == 404
    assert manager.get(f"{path}?kind=morning_digest").status_code == 404
    assert manager.get("/cases/KF-000000/letters/preview").status_code == 404
    assert "How a letter would read" in manager.get(f"/cases/{reference}/letters").text
    assert "How a letter would read" not in as_member(cast.officer).get(f"/cases/{reference}/letters").text

"""A large household in assessment: sixteen people, sixty checks, two hundred lines of story, made by the operations."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from crm import policy
from crm.access.models import User
from crm.assessments import applications, checks, queries
from crm.assessments.household import NewMember
from crm.assessments.models import Check
from crm.cases import timeline
from crm.cases.change_stage import change_stage
from crm.cases.models import Case, Channel, Household, PersonRole, TimelineEntry
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.rules.permissions import Actor, ActorKind, Role
from crm.rules.transitions import Evidence

PEOPLE, LINES = 16, 200
NAME = "Quartermaine"


def large_household(owner: User) -> Case:
    """Give it, made now or at an earlier measuring of the same database."""
    found = db.session.scalars(
        select(Case)
        .join(Household)
        .where(Household.name.like(f"%{NAME}%"))
        .options(selectinload(Case.household).selectinload(Household.people))
    ).first()
    if found is None:
        with transaction():
            found = _make(owner)
    assert len(found.household.people) >= PEOPLE
    return found


def _make(owner: User) -> Case:
    now, today = now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    manager = Actor(ActorKind.STAFF, user_id=owner.id, display_name="Bench", roles=frozenset({Role.MANAGER}))
    given = {"now": now, "today": today, "rulebook": rulebook, "actor": manager}
    case = open_case(
        people=[
            NewPerson(given_name="Ottilie", family_name=NAME, email="ottilie@example.org"),
            NewPerson(given_name="Leopold", family_name=NAME, email="leopold@example.org"),
        ],
        touch=NewTouch(channel=Channel.WEB, received_at=now, source="A search"),
        postcode="BR1 3KO",
        address="8 Tannery Court, Bromley",
        local_authority="Bromley",
        owner_id=owner.id,
        **given,
    )
    for move in ("record_contact", "book_visit", "record_visit"):
        change_stage(case, move, **given)
    change_stage(case, "invite_to_apply", evidence=Evidence(visit_signed_off=True), **given)
    applicants = [one for one in case.household.people if one.is_applicant]
    signed = tuple(
        applications.SignedBy(
            person_id=one.id, signed_on=today, agrees_to_checks=True, born_on=date(1980, 1, 1 + place),
            lived_abroad=True, has_former_partner=True, works_with_children=True,
        )
        for place, one in enumerate(applicants)
    )  # fmt: skip
    members = tuple(
        NewMember(
            given_name=f"Cousin {letter}", family_name=NAME, role=PersonRole.HOUSEHOLD_ADULT, born_on=date(1990, 5, 5)
        )
        for letter in "ABCDEFGHIJKLMN"
    )
    received = applications.Received(
        received_on=today, accepted_on=today, signed=signed, members=members, rents=True, has_pets=True
    )
    applications.receive_application(case, received, **given)
    applications.decide_to_assess(case, **given)
    for check in queries.checks_of(queries.the_application(case))[::2]:
        is_dbs = check.item in checks.DBS_ITEMS
        came_in = checks.CheckCameIn(
            received_on=today, result="clear", outcome="Nothing of concern.",
            dbs_number="001234567890" if is_dbs else None, dbs_issued_on=today if is_dbs else None,
            dbs_level="enhanced" if is_dbs else None, dbs_barred_list_checked=is_dbs,
        )  # fmt: skip
        checks.record_check(case, check, came_in, **given)
    lines = db.session.scalar(select(func.count()).where(TimelineEntry.case_id == case.id)) or 0
    for number in range(lines, LINES):
        timeline.add(
            case,
            kind="note",
            title=f"A note, number {number}",
            detail="What was said that day, in a few words.",
            actor=manager,
            occurred_at=now - timedelta(minutes=number),
        )
    return case


def sizes(case: Case) -> tuple[int, int, int]:
    """People, checks and lines that it has."""
    needed = db.session.scalar(select(func.count()).where(Check.case_id == case.id, Check.dropped_on.is_(None))) or 0
    lines = db.session.scalar(select(func.count()).where(TimelineEntry.case_id == case.id)) or 0
    return len(case.household.people), needed, lines

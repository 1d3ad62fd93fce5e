"""Households that were entered twice: one pair merged, one waiting for a manager, one that nobody has noticed yet."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from crm import policy
from crm.access.models import User
from crm.cases.merge_choices import MergeChoices
from crm.cases.merge_requests import merge_or_ask
from crm.cases.models import Case, Channel, Person
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.cases.pairing import pair_people
from crm.clock import london
from crm.db import db


def enter_twice(recruiter: User, *, now: datetime) -> None:
    """Enter three of the newest households a second time, as a call and two forms would have. Does nothing where there
    are not as many."""
    at = now - timedelta(minutes=50)
    newest = db.session.scalars(
        sa.select(Case).where(Case.place == "new", Case.opened_at < at).order_by(Case.opened_at.desc()).limit(3)
    ).all()
    if len(newest) < 3:
        return
    merged, asked, unseen = newest
    _merge(merged, _again(merged, _same_person(merged), recruiter, at=at), recruiter, at=at)
    # Another first name and number, and only the surname and postcode in common: a second person looks at it.
    other = NewPerson(given_name="Alex", family_name=_first(asked).family_name, phone="07700 900981")
    _merge(asked, _again(asked, other, recruiter, at=at), recruiter, at=at, pair_the_first=True)
    _again(unseen, _same_person(unseen), recruiter, at=at)


def _first(case: Case) -> Person:
    return case.household.people[0]


def _same_person(case: Case) -> NewPerson:
    first = _first(case)
    return NewPerson(
        given_name=first.given_name, family_name=first.family_name, phone=first.phone or "07700 900982",
        contact_times="After six",
    )  # fmt: skip


def _again(case: Case, person: NewPerson, recruiter: User, *, at: datetime) -> Case:
    today = london(at).date()
    return open_case(
        people=[person],
        touch=NewTouch(
            channel=Channel.PHONE, received_at=at, source="Phone call", said="I think my partner wrote to you already."
        ),
        actor=recruiter.as_actor(),
        now=at,
        today=today,
        rulebook=policy.rulebook_on(today),
        owner_id=case.owner_id or recruiter.id,
        postcode=case.household.postcode,
    )


def _merge(first: Case, second: Case, recruiter: User, *, at: datetime, pair_the_first: bool = False) -> None:
    today = london(at).date()
    pairs = pair_people(first.household.people, second.household.people)
    if pair_the_first:
        pairs = {_first(second).id: _first(first).id}
    merge_or_ask(
        first,
        second,
        choices=MergeChoices(pairs=pairs),
        actor=recruiter.as_actor(),
        now=at + timedelta(minutes=20),
        today=today,
        rulebook=policy.rulebook_on(today),
    )

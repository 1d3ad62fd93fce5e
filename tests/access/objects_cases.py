"""Households, and what hangs on them, that stand in addresses: the officer's own, and one of the other officer."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from crm import policy
from crm.access.leave import note_leave
from crm.access.models import User
from crm.access.tokens import new_token
from crm.cases import contact_links, replies
from crm.cases.contact import log_attempt
from crm.cases.contact_links import Purpose
from crm.cases.models import Case, Channel, LikenessPair, OtherName, PairState
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.cases.tasks import add_task, complete_task
from crm.clock import now_utc, today_in_london
from crm.db import db
from crm.delivery import OutboundMessage
from crm.rules import reference as references
from tests.access.world import World
from tests.case_factory import reach
from tests.factories import Member

NOWHERE = references.new_reference("KF", 33_000_000)
"""A reference of the right shape that nobody has."""


def new_case(world: World, owner: Member, *, name: str, by_post: bool = False) -> int:
    """A new enquiry of this owner, as the product opens one; its id."""
    with world.writing():
        policy.ensure_defaults(now=now_utc())
        today = today_in_london()
        case = open_case(
            people=[
                NewPerson(
                    given_name=name,
                    family_name="Matrix",
                    email=None if by_post else f"{name.lower()}@example.org",
                    phone=None if by_post else "07700 900555",
                )
            ],
            touch=NewTouch(channel=Channel.PHONE, received_at=now_utc(), source="Phone"),
            actor=world.cast.recruiter.actor,
            now=now_utc(),
            today=today,
            rulebook=policy.rulebook_on(today),
            owner_id=owner.id,
            postcode="BR1 3KO",
            address="1 Example Road" if by_post else None,
        )
        return case.id


def reference_of(world: World, case_id: int) -> str:
    with world.app.app_context():
        return db.session.scalars(sa.select(Case.reference).where(Case.id == case_id)).one()


def closed_case(world: World, owner: Member, *, name: str) -> int:
    """An enquiry of this owner that was closed; its id."""
    case_id = new_case(world, owner, name=name)
    with world.writing():
        reach(db.session.get_one(Case, case_id), "closed", world.cast, now=now_utc())
    return case_id


def case(world: World) -> dict[str, dict[str, Any]]:
    return {
        "own": {"reference": reference_of(world, new_case(world, world.cast.officer, name="Odette"))},
        "other": {"reference": reference_of(world, new_case(world, world.cast.other_officer, name="Ottilie"))},
        "closed": {"reference": reference_of(world, closed_case(world, world.cast.officer, name="Olwen"))},
        "missing": {"reference": NOWHERE},
    }


def person_of_case(world: World) -> dict[str, dict[str, Any]]:
    found = {}
    for relation, owner in (("own", world.cast.officer), ("other", world.cast.other_officer)):
        case_id = new_case(world, owner, name=f"Person{relation}")
        with world.app.app_context():
            row = db.session.get_one(Case, case_id)
            found[relation] = {"reference": row.reference, "person_id": row.household.people[0].id}
    return {**found, "missing": {"reference": NOWHERE, "person_id": 999_999}}


def name_of_person(world: World) -> dict[str, dict[str, Any]]:
    """A person with another name, which can be taken off."""
    found = person_of_case(world)
    with world.writing():
        for relation in ("own", "other"):
            name = OtherName(kind="former", family_name="Before", person_id=found[relation]["person_id"])
            db.session.add(name)
            db.session.flush()
            found[relation]["name_id"] = name.id
    found["missing"]["name_id"] = 999_999
    return found


def letter_of_case(world: World) -> dict[str, dict[str, Any]]:
    """A letter by post: it can be read, printed and recorded as posted."""
    found = {}
    for relation, owner in (("own", world.cast.officer), ("other", world.cast.other_officer)):
        case_id = new_case(world, owner, name=f"Letter{relation}", by_post=True)
        with world.app.app_context():
            letter_id = db.session.scalars(
                sa.select(OutboundMessage.id).where(OutboundMessage.case_id == case_id)
            ).first()
        found[relation] = {"reference": reference_of(world, case_id), "letter_id": letter_id}
    return {**found, "missing": {"reference": NOWHERE, "letter_id": 999_999}}


def task_of_officer(world: World) -> dict[str, dict[str, Any]]:
    ids = {}
    with world.writing():
        for relation, member in (("own", world.cast.officer), ("other", world.cast.manager)):
            task = add_task(
                title="Ring the school",
                assigned_to_id=member.id,
                due_on=today_in_london(),
                actor=member.actor,
                now=now_utc(),
            )
            ids[relation] = {"task_id": task.id}
    return {**ids, "missing": {"task_id": 999_999}}


def done_task_of_officer(world: World) -> dict[str, dict[str, Any]]:
    ids = {}
    with world.writing():
        for relation, member in (("own", world.cast.officer), ("other", world.cast.manager)):
            task = add_task(
                title="Ring the surgery",
                assigned_to_id=member.id,
                due_on=today_in_london(),
                actor=member.actor,
                now=now_utc(),
            )
            complete_task(task, actor=member.actor, now=now_utc())
            ids[relation] = {"task_id": task.id}
    return {**ids, "missing": {"task_id": 999_999}}


def open_pair(world: World) -> dict[str, dict[str, Any]]:
    """Two households that may be the same; the other pair is of another officer's."""
    found = {}
    for relation, owner in (("own", world.cast.officer), ("other", world.cast.other_officer)):
        homes = [new_case(world, owner, name=f"Pair{relation}{number}") for number in (1, 2)]
        with world.writing():
            low, high = sorted(db.session.get_one(Case, case_id).household_id for case_id in homes)
            pair = LikenessPair(
                one_id=low, other_id=high, standing="shared", score=14.0, reasons="same mobile", found_at=now_utc()
            )
            db.session.add(pair)
            db.session.flush()
            found[relation] = {"pair_id": pair.id}
    return {**found, "missing": {"pair_id": 999_999}}


def pair_kept_apart(world: World) -> dict[str, dict[str, Any]]:
    found = open_pair(world)
    with world.writing():
        for relation in ("own", "other"):
            pair = db.session.get_one(LikenessPair, found[relation]["pair_id"])
            pair.state, pair.decided_at = PairState.NOT_SAME, now_utc()
    return found


def board_place(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"place": "new"}, "missing": {"place": "nowhere"}}


def message_to_place(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        message = b"From: someone@example.org\r\nTo: nobody@example.org\r\nMessage-ID: <place@example.org>\r\n\r\nHello"
        kept = replies.take_in(message, now=now_utc(), today=today_in_london())
        return {"own": {"message_id": kept.id}, "missing": {"message_id": 999_999}}


def stop_link(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"token": link_of(world, "Stopper", Purpose.STOP)}, "missing": {"token": new_token()}}


def confirm_link(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"token": link_of(world, "Changer", Purpose.CONFIRM)}, "missing": {"token": new_token()}}


def link_of(world: World, name: str, purpose: Purpose) -> str:
    """The secret of a link in a letter to somebody new."""
    case_id = new_case(world, world.cast.officer, name=name)
    with world.writing():
        person = db.session.get_one(Case, case_id).household.people[0]
        if purpose == Purpose.STOP:
            return contact_links.stop_link(person, now=now_utc()).rpartition("/")[2]
        return contact_links.confirm_link(person, address_key="x", now=now_utc()).rpartition("/")[2]


def try_of_case(world: World) -> dict[str, dict[str, Any]]:
    """A call that nobody took, logged by whoever has the case."""
    found = {}
    for relation, owner in (("own", world.cast.officer), ("other", world.cast.other_officer)):
        case_id = new_case(world, owner, name=f"Try{relation}")
        with world.writing():
            row, today = db.session.get_one(Case, case_id), today_in_london()
            attempt = log_attempt(
                row, row.household.people[0], how="no_answer", note=None, actor=owner.actor, now=now_utc(), today=today,
                rulebook=policy.rulebook_on(today),
            )  # fmt: skip
            db.session.flush()
            found[relation] = {"reference": row.reference, "attempt_id": attempt.id}
    return {**found, "missing": {"reference": NOWHERE, "attempt_id": 999_999}}


def leave_of_officer(world: World) -> dict[str, dict[str, Any]]:
    """A week away of the officer, and one of the manager."""
    found = {}
    with world.writing():
        for relation, member in (("own", world.cast.officer), ("other", world.cast.manager)):
            noted = note_leave(
                db.session.get_one(User, member.id), first_on=today_in_london(), last_on=today_in_london(), cover=None,
                actor=member.actor, now=now_utc(), today=today_in_london(),
            )  # fmt: skip
            found[relation] = {"leave_id": noted.id}
    return {**found, "missing": {"leave_id": 999_999}}


def team_member(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"user_id": world.cast.other_officer.id}, "missing": {"user_id": 999_999}}


OBJECTS = {
    "message_to_place": message_to_place,
    "leave_of_officer": leave_of_officer,
    "team_member": team_member,
    "try_of_case": try_of_case,
    "stop_link": stop_link,
    "confirm_link": confirm_link,
    "case": case,
    "person_of_case": person_of_case,
    "name_of_person": name_of_person,
    "letter_of_case": letter_of_case,
    "task_of_officer": task_of_officer,
    "done_task_of_officer": done_task_of_officer,
    "board_place": board_place,
    "open_pair": open_pair,
    "pair_kept_apart": pair_kept_apart,
}

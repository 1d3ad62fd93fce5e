"""Visits and calendars that stand in addresses: one the officer goes on, and one of the other officer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from crm import policy
from crm.access import app_passwords
from crm.access.envelopes import new_key_pair
from crm.calendars import busy_calendars, feeds
from crm.calendars.invitations import objects_of_visit
from crm.calendars.itip import Answer
from crm.cases.change_stage import change_stage
from crm.cases.models import Case
from crm.clock import now_utc, today_in_london
from crm.db import db
from crm.delivery import Channel
from crm.rules.intervals import london_to_utc
from crm.visits import booking, choosing, holds, hours, offers, phones, photos
from crm.visits.models import BusyKind, Place, Purpose, Visit, VisitAnswer, VisitHold, VisitOffer
from crm.visits.phone_models import VisitEntry
from tests.access.objects_cases import NOWHERE, new_case
from tests.access.world import World
from tests.calendars.programs import put_event
from tests.factories import Member
from tests.samples.pictures import SMALL_PNG


def contacted_case(world: World) -> dict[str, dict[str, Any]]:
    """A household that has been spoken to, so that a visit can be booked."""
    found = {}
    for relation, owner in (("own", world.cast.officer), ("other", world.cast.other_officer)):
        case_id = new_case(world, owner, name=f"Contacted{relation}")
        with world.writing():
            case = db.session.get_one(Case, case_id)
            _talk(world, case)
            found[relation] = {"reference": case.reference}
    return {**found, "missing": {"reference": NOWHERE}}


def booked_visit(world: World) -> dict[str, dict[str, Any]]:
    return _visit_booked(world, "Visited", timedelta())


def _visit_booked(world: World, name: str, later: timedelta) -> dict[str, dict[str, Any]]:
    found = {}
    for relation, officer in (("own", world.cast.officer), ("other", world.cast.other_officer)):
        case_id = new_case(world, officer, name=f"{name}{relation}")
        with world.writing():
            case = db.session.get_one(Case, case_id)
            _talk(world, case)
            today = today_in_london()
            visit = booking.book_visit(
                case,
                purpose=Purpose.FIRST_VISIT,
                place=Place.HOME,
                starts_at=_next_monday(today, 10) + later,
                length_minutes=90,
                officer_ids=[officer.id],
                actor=world.cast.recruiter.actor,
                now=now_utc(),
                today=today,
                rulebook=policy.rulebook_on(today),
            )
            found[relation] = {"visit_id": visit.id}
    return {**found, "missing": {"visit_id": 999_999}}


def answer_to_invitation(world: World) -> dict[str, dict[str, Any]]:
    """A household asks for another time than that of their visit."""
    found = _visit_booked(world, "Asked", timedelta(days=2))
    for relation in ("own", "other"):
        with world.writing():
            visit = db.session.get_one(Visit, found[relation]["visit_id"])
            event = next(one for one in objects_of_visit(visit.id) if one.person_id is not None)
            asked = VisitAnswer(
                visit_id=visit.id,
                calendar_object_id=event.id,
                answer=Answer.COUNTER,
                sequence=visit.sequence,
                stamp_at=now_utc(),
                received_at=now_utc(),
                proposed_from_at=visit.starts_at + timedelta(days=1),
                proposed_until_at=visit.ends_at + timedelta(days=1),
            )
            db.session.add(asked)
            db.session.flush()
            found[relation]["answer_id"] = asked.id
    found["missing"]["answer_id"] = 999_999
    return found


def held_time(world: World) -> dict[str, dict[str, Any]]:
    found = {}
    with world.writing():
        for held in db.session.scalars(sa.select(VisitHold)):  # of which the last to ask left one
            db.session.delete(held)
        been = db.session.scalar(sa.select(sa.func.count(Visit.id))) or 0  # those times are taken
    for relation, officer in (("own", world.cast.officer), ("other", world.cast.other_officer)):
        case_id = new_case(world, officer, name=f"Held{relation}")
        with world.writing():
            case = db.session.get_one(Case, case_id)
            _talk(world, case)
            today = today_in_london()
            hold = holds.hold_slot(
                case,
                purpose=Purpose.FIRST_VISIT,
                place=Place.HOME,
                starts_at=_next_monday(today, 14) + timedelta(days=been % 5 + been // 5 * 7),
                length_minutes=90,
                officer_ids=[officer.id],
                actor=world.cast.recruiter.actor,
                now=now_utc(),
                today=today,
                rulebook=policy.rulebook_on(today),
            )
            found[relation] = {"hold_id": hold.id}
    return {**found, "missing": {"hold_id": 999_999}}


def offer_to_choose(world: World) -> dict[str, dict[str, Any]]:
    return {**{relation: {"offer_id": ids[0]} for relation, ids in _offers(world).items()},
            "missing": {"offer_id": 999_999}}  # fmt: skip


def visit_link(world: World) -> dict[str, dict[str, Any]]:
    offer_id, case_id = _offers(world)["own"]
    with world.writing():
        offer = db.session.get_one(VisitOffer, offer_id)
        person = db.session.get_one(Case, case_id).household.people[0]
        address = offers.link_for(offer, person, channel=Channel.EMAIL, address=person.email or "", now=now_utc())
    return {"own": {"token": address.rpartition("/")[2]}, "missing": {"token": "x" * 32}}


def _offers(world: World) -> dict[str, tuple[int, int]]:
    found = {}
    for relation, officer in (("own", world.cast.officer), ("other", world.cast.other_officer)):
        case_id = new_case(world, officer, name=f"Chooser{relation}")
        with world.writing():
            case, today = db.session.get_one(Case, case_id), today_in_london()
            _talk(world, case)
            offer = choosing.send_offer(
                case,
                purpose=Purpose.FIRST_VISIT,
                place=Place.HOME,
                length_minutes=90,
                officer_ids=[officer.id],
                actor=world.cast.recruiter.actor,
                now=now_utc(),
                today=today,
                rulebook=policy.rulebook_on(today),
            )
            found[relation] = (offer.id, case_id)
    return found


def visit_entry(world: World) -> dict[str, dict[str, Any]]:
    """A visit and what a phone brought of it that could not be done. The number of another's leads to nothing."""
    return _with_part(world, _aside, "entry_id", later=timedelta(hours=3))


def visit_photo(world: World) -> dict[str, dict[str, Any]]:
    return _with_part(world, _photo, "photo_id", later=timedelta(hours=6))


def _with_part(
    world: World, make: Callable[[World, Visit], int], name: str, *, later: timedelta
) -> dict[str, dict[str, Any]]:
    found = _visit_booked(world, name.title().replace("_", ""), later)
    with world.writing():
        for relation in ("own", "other"):
            found[relation][name] = make(world, db.session.get_one(Visit, found[relation]["visit_id"]))
    found["missing"][name] = 999_999
    return found


def _aside(world: World, visit: Visit) -> int:
    officer = next(one for one in (world.cast.officer, world.cast.other_officer) if one.id in visit.officer_ids)
    return lay_aside(visit, officer)


def lay_aside(visit: Visit, officer: Member) -> int:
    """Something that a phone brought of a visit and that could not be done. Inside the caller's transaction."""
    phone, _token = phones.set_up_phone(
        visit, signing_key=new_key_pair()[0], skew_ms=0, actor=officer.actor, now=now_utc()
    )
    entry = VisitEntry(
        visit_id=visit.id,
        phone_id=phone.id,
        client_id=str(uuid.uuid4()),
        counter=1,
        kind="unread",
        written_at=now_utc(),
        occurred_at=now_utc(),
        received_at=now_utc(),
        body_digest="ab" * 32,
        why="The visit was over.",
    )
    entry.content = json.dumps({"do": "in"})
    db.session.add(entry)
    db.session.flush()
    return entry.id


def _photo(world: World, visit: Visit) -> int:
    photos.add_photo(visit, "smoke_alarms", photos.take(SMALL_PNG), actor=world.cast.officer.actor, now=now_utc())
    return photos.photos_of(visit)["smoke_alarms"][0]


def time_away_of_officer(world: World) -> dict[str, dict[str, Any]]:
    ids = {}
    with world.writing():
        for relation, member in (("own", world.cast.officer), ("other", world.cast.other_officer)):
            day = today_in_london() + timedelta(days=200)
            busy = hours.add_time_away(
                member.id, first_day=day, last_day=day, kind=BusyKind.LEAVE, actor=member.actor, now=now_utc()
            )
            ids[relation] = {"busy_id": busy.id}
    return ids


def busy_calendar_of_officer(world: World) -> dict[str, dict[str, Any]]:
    ids = {}
    with world.writing():
        for relation, member in (("own", world.cast.officer), ("other", world.cast.other_officer)):
            given = busy_calendars.add_calendar(
                member.id, address="https://calendar.example.org/mine.ics", actor=member.actor, now=now_utc()
            )
            ids[relation] = {"calendar_id": given.id}
    return ids


def feed_address(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        officer = world.cast.officer
        token = feeds.make_address(user_id=officer.id, actor=officer.actor, now=now_utc())
    return {"own": {"token": token}, "missing": {"token": "x" * 43}}


def device_of_officer(world: World) -> dict[str, dict[str, Any]]:
    ids = {}
    with world.writing():
        for relation, member in _officers(world):
            row, _ = app_passwords.make_password(user_id=member.id, name="Phone", actor=member.actor, now=now_utc())
            ids[relation] = {"password_id": row.id}
    return {**ids, "missing": {"password_id": 999_999}}


def event_to_settle(world: World) -> dict[str, dict[str, Any]]:
    """An event with a reference of nobody's."""
    ids = {relation: {"entry_id": _put(world, member)} for relation, member in _officers(world)}
    return {**ids, "missing": {"entry_id": 999_999}}


def calendar_of_officer(world: World) -> dict[str, dict[str, Any]]:
    return {relation: {"user_id": member.id, "rest": "another/"} for relation, member in _officers(world)}


def event_of_officer(world: World) -> dict[str, dict[str, Any]]:
    for _, member in _officers(world):
        _put(world, member)
    return {relation: {"user_id": member.id, "name": "event.ics"} for relation, member in _officers(world)}


def _officers(world: World) -> tuple[tuple[str, Any], ...]:
    return ("own", world.cast.officer), ("other", world.cast.other_officer)


def _put(world: World, member: Any) -> int:
    with world.writing():
        return put_event(member, f"Visit {policy.service().reference_prefix}-000000").id


def _talk(world: World, case: Case) -> None:
    today = today_in_london()
    change_stage(
        case,
        "record_contact",
        actor=world.cast.recruiter.actor,
        now=now_utc(),
        today=today,
        rulebook=policy.rulebook_on(today),
    )


def _next_monday(today: date, hour: int) -> datetime:
    return london_to_utc(today + timedelta(days=14 - today.weekday()), hour * 60)


OBJECTS = {
    "contacted_case": contacted_case,
    "answer_to_invitation": answer_to_invitation,
    "booked_visit": booked_visit,
    "held_time": held_time,
    "offer_to_choose": offer_to_choose,
    "visit_link": visit_link,
    "visit_entry": visit_entry,
    "visit_photo": visit_photo,
    "time_away_of_officer": time_away_of_officer,
    "busy_calendar_of_officer": busy_calendar_of_officer,
    "feed_address": feed_address,
    "device_of_officer": device_of_officer,
    "event_to_settle": event_to_settle,
    "calendar_of_officer": calendar_of_officer,
    "event_of_officer": event_of_officer,
}

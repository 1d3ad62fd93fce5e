"""Visits and calendars that stand in addresses: one the officer goes on, and one of the other officer."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from crm import policy
from crm.calendars import feeds
from crm.cases.change_stage import change_stage
from crm.cases.models import Case
from crm.clock import now_utc, today_in_london
from crm.db import db
from crm.rules.intervals import london_to_utc
from crm.visits import booking, hours
from crm.visits.models import BusyKind, Place, Purpose
from tests.access.objects_cases import NOWHERE, new_case
from tests.access.world import World


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
    found = {}
    for relation, officer in (("own", world.cast.officer), ("other", world.cast.other_officer)):
        case_id = new_case(world, officer, name=f"Visited{relation}")
        with world.writing():
            case = db.session.get_one(Case, case_id)
            _talk(world, case)
            today = today_in_london()
            visit = booking.book_visit(
                case,
                purpose=Purpose.FIRST_VISIT,
                place=Place.HOME,
                starts_at=_next_monday_at_ten(today),
                length_minutes=90,
                officer_ids=[officer.id],
                actor=world.cast.recruiter.actor,
                now=now_utc(),
                today=today,
                rulebook=policy.rulebook_on(today),
            )
            found[relation] = {"visit_id": visit.id}
    return {**found, "missing": {"visit_id": 999_999}}


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


def feed_address(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        officer = world.cast.officer
        token = feeds.make_address(user_id=officer.id, actor=officer.actor, now=now_utc())
    return {"own": {"token": token}, "missing": {"token": "x" * 43}}


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


def _next_monday_at_ten(today: date) -> datetime:
    return london_to_utc(today + timedelta(days=14 - today.weekday()), 10 * 60)


OBJECTS = {
    "contacted_case": contacted_case,
    "booked_visit": booked_visit,
    "time_away_of_officer": time_away_of_officer,
    "feed_address": feed_address,
}

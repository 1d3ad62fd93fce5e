"""Households in assessment, on an agenda and before the decision maker, with their checks, people and meetings."""

from typing import Any

from crm.assessments import meetings, withdrawal
from crm.clock import now_utc, today_in_london
from crm.db import transaction
from tests.access.world import World
from tests.assessments.journey import PANEL, PRIYA, Journey

MISSING = "KF-000000"


def _journey(world: World) -> Journey:
    """A journey of today, on the panel that the world has once."""
    journey = Journey(world.cast, lambda _: now_utc())
    first = world.made.setdefault("_panel", {})
    if first:
        journey.panel, journey.second_manager = first["panel"], first["second_manager"]
        return journey
    journey.people()
    journey.panel["cast"] = world.cast.panel_member
    with transaction():
        meetings.put_on_central_list(
            user_id=world.cast.panel_member.id, seat="member", is_independent=True, is_qualifying_social_worker=False,
            background=None, actor=world.cast.panel_administrator.actor, now=now_utc(),
        )  # fmt: skip
    first["panel"], first["second_manager"] = journey.panel, journey.second_manager
    return journey


def _ready(world: World, relation: str) -> Journey:
    owner = world.cast.officer if relation == "own" else world.cast.other_officer
    journey = _journey(world)
    journey.invited(PRIYA, owner_id=owner.id)
    journey.applied().assessing().obtain_all().passed().stage_two(owner).report(by=owner).shared().observed().ready()
    return journey


def _listed(world: World) -> dict[str, dict[str, Any]]:
    """Both on an agenda; the panel member of the cast sits at the meeting of the officer's own."""
    found: dict[str, dict[str, Any]] = {}
    with world.app.app_context():
        for relation in ("own", "other"):
            journey = _ready(world, relation)
            keys = tuple(key for key, *_ in PANEL[:5])
            day = journey.rulebook.calendar.add(today_in_london(), 20 if relation == "own" else 21)
            meeting = journey.meeting(day, (*keys, "cast") if relation == "own" else keys)
            journey.listed(meeting)
            found[relation] = {
                "reference": journey.case.reference,
                "meeting_id": meeting.id,
                "check_id": journey.checks()[0].id,
                "person_id": journey.case.household.people[0].id,
            }
        journey = _journey(world)
        journey.invited(PRIYA, owner_id=world.cast.officer.id)
        journey.applied().assessing()
        found["closed"] = {
            "reference": journey.case.reference,
            "meeting_id": 999_998,
            "check_id": journey.checks()[0].id,
            "person_id": journey.case.household.people[0].id,
        }
        journey.do(withdrawal.withdraw, journey.case, code="AW3", withdrawn_on=today_in_london(), by=world.cast.manager)
    found["missing"] = {"reference": MISSING, "meeting_id": 999_999, "check_id": 999_999, "person_id": 999_999}
    return found


def _some(world: World, *names: str) -> dict[str, dict[str, Any]]:
    if "_listed" not in world.made:
        world.made["_listed"] = _listed(world)
    return {relation: {name: values[name] for name in names} for relation, values in world.made["_listed"].items()}


def assessed_case(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference")


def check_of_case(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference", "check_id")


def assessed_person(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference", "person_id")


def panel_meeting(world: World) -> dict[str, dict[str, Any]]:
    return {relation: values for relation, values in _some(world, "meeting_id").items() if relation != "closed"}


def case_to_decide(world: World) -> dict[str, dict[str, Any]]:
    """Recommended today, with the decision maker today."""
    found: dict[str, dict[str, Any]] = {}
    with world.app.app_context():
        for relation in ("own", "other"):
            journey = _ready(world, relation)
            journey.listed(journey.meeting(today_in_london()), late_reason="A place became free today.")
            journey.recommended()
            journey.minutes()
            found[relation] = {"reference": journey.case.reference}
    return {**found, "missing": {"reference": MISSING}}


OBJECTS = {
    "assessed_case": assessed_case,
    "check_of_case": check_of_case,
    "assessed_person": assessed_person,
    "panel_meeting": panel_meeting,
    "case_to_decide": case_to_decide,
}

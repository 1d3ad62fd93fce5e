"""Two entries of one household, and merges asked for and made: of enquiries, and of one that has applied since."""

from __future__ import annotations

from typing import Any

from crm import policy
from crm.cases import summary
from crm.cases.merge import merge_households
from crm.cases.merge_choices import MergeChoices
from crm.cases.merge_requests import merge_or_ask
from crm.cases.models import Case, Track
from crm.clock import now_utc, today_in_london
from crm.db import db
from tests.access.objects_cases import NOWHERE, new_case, reference_of
from tests.access.world import World

Pair = tuple[int, int]


def pair(world: World, name: str) -> Pair:
    """Two enquiries with the same phone."""
    return new_case(world, world.cast.officer, name=f"{name}one"), new_case(
        world, world.cast.officer, name=f"{name}two"
    )


def apply(world: World, case_id: int) -> None:
    """What opens a household to fewer people: it has applied. The rows alone, however it came to."""
    with world.writing():
        today = today_in_london()
        case = db.session.get_one(Case, case_id)
        db.session.add(Track(case_id=case_id, name="application", stage="received", since_on=today))
        db.session.flush()
        db.session.expire(case)
        summary.refresh(case, today=today, rulebook=policy.rulebook_on(today))


def two_cases(world: World) -> dict[str, dict[str, Any]]:
    found = {}
    for relation in ("own", "other"):
        one, other = pair(world, f"Twin{relation}")
        if relation == "other":
            apply(world, other)
        found[relation] = {"reference": reference_of(world, one), "other": reference_of(world, other)}
    return {**found, "missing": {"reference": found["own"]["reference"], "other": NOWHERE}}


def given(world: World) -> dict[str, Any]:
    today = today_in_london()
    actor = world.cast.recruiter.actor
    return {"actor": actor, "now": now_utc(), "today": today, "rulebook": policy.rulebook_on(today)}


def asked_merge(world: World) -> dict[str, dict[str, Any]]:
    """Doubtful, so the recruiter's wish waits for a manager: nothing but the choice says that they are one person."""
    found = {}
    for relation in ("own", "other"):
        one, other = pair(world, f"Asked{relation}")
        with world.writing():
            cases = [db.session.get_one(Case, number) for number in (one, other)]
            pairs = {cases[1].household.people[0].id: cases[0].household.people[0].id}
            asked = merge_or_ask(*cases, choices=MergeChoices(pairs=pairs), **given(world))
            found[relation] = {"merge_id": asked.id}
        if relation == "other":
            apply(world, other)
    return {**found, "missing": {"merge_id": 999_999}}


def made_merge(world: World) -> dict[str, dict[str, Any]]:
    found = {}
    for relation in ("own", "other"):
        one, other = pair(world, f"Made{relation}")
        with world.writing():
            cases = [db.session.get_one(Case, number) for number in (one, other)]
            made = merge_households(*cases, choices=MergeChoices(), **given(world))
            found[relation], kept = {"merge_id": made.id}, made.kept_case_id
        if relation == "other":
            apply(world, kept)
    return {**found, "missing": {"merge_id": 999_999}}


OBJECTS = {"two_cases": two_cases, "asked_merge": asked_merge, "made_merge": made_merge}

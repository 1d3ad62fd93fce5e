"""The road between an officer's engagements: how long it takes, what an officer said it took, and where it is kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import select

from crm import policy
from crm.access.models import User
from crm.audit import record
from crm.cases import keys
from crm.db import db
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.rules.travel import Roads, Stop, TravelBy, pair_of
from crm.visits.districts import centres_of
from crm.visits.models import Place, TravelSaid, VisitHold, VisitOfficer

LONGEST_SAID = 480
"""Minutes."""


class TravelNotClear(Refusal):
    """What was said of a journey can't be kept."""

    default_status = 422


def read_roads(districts: Iterable[str | None]) -> Roads:
    """The journeys between these districts, in two queries."""
    wanted = sorted({district for district in districts if district})
    said = {}
    if wanted:
        rows = db.session.execute(
            select(TravelSaid.one, TravelSaid.other, TravelSaid.travels_by, TravelSaid.minutes).where(
                TravelSaid.one.in_(wanted), TravelSaid.other.in_(wanted)
            )
        )
        said = {(row.one, row.other, row.travels_by): row.minutes for row in rows}
    return Roads(policy.service().travel, centres_of(wanted), said)


def desks_of(officer_ids: Iterable[int]) -> dict[int, Stop]:
    """Where each officer's day begins and ends, and where they are on a video call. Who has said nothing of it has
    their way to the first visit outside their hours."""
    rows = db.session.execute(select(User.id, User.base_postcode).where(User.id.in_(list(officer_ids))))
    return {row.id: Stop(keys.district(row.base_postcode), is_desk=True) for row in rows}


def stop_of(place: str, postcode: str | None, desk: Stop) -> Stop:
    """Where an officer has to be for a visit: at the household's home, at the office, or at their own desk."""
    if place == Place.HOME:
        return Stop(keys.district(postcode))
    if place == Place.OFFICE:
        return Stop(policy.service().office_district)
    return desk


def say_how_long(
    one: str | None, other: str | None, by: TravelBy, minutes: int, *, actor: Actor, now: datetime
) -> TravelSaid:
    """Keep how long it took between two districts, for everybody who goes that way as this officer did.

    Raises TravelNotClear where a district is not known or the minutes can't be.
    """
    if not one or not other:
        raise TravelNotClear("We don’t know both postcode districts, so this can’t be kept.", field="minutes")
    if not 1 <= minutes <= LONGEST_SAID:
        raise TravelNotClear(f"Give the minutes, from 1 to {LONGEST_SAID}.", field="minutes")
    first, second = pair_of(one, other)
    row = db.session.scalars(
        select(TravelSaid).where(TravelSaid.one == first, TravelSaid.other == second, TravelSaid.travels_by == by)
    ).first()
    if row is None:
        row = TravelSaid(one=first, other=second, travels_by=by)
        db.session.add(row)
    row.minutes, row.said_at, row.said_by_id = minutes, now, actor.user_id or 0
    db.session.flush()
    record(
        "travel.said",
        actor=actor,
        at=now,
        subject=f"travel:{first}-{second}",
        detail={"by": str(by), "minutes": minutes},
    )
    return row


def free_run_out_holds(officer_ids: Iterable[int], *, now: datetime) -> None:
    """Give back what these officers' holds kept that have run out, before their time is given away."""
    run_out = select(VisitHold.id).where(VisitHold.runs_out_at <= now)
    db.session.execute(
        sa.update(VisitOfficer)
        .where(VisitOfficer.officer_id.in_(list(officer_ids)), VisitOfficer.holds, VisitOfficer.hold_id.in_(run_out))
        .values(holds=False)
        .execution_options(synchronize_session=False)
    )


def free_the_road_before(officer_id: int, starts_at: datetime) -> None:
    """What was kept for the road after an earlier visit ends where this one begins. Whether there is time to get there
    was seen to before, with the officer's calendar held."""
    db.session.execute(
        sa.update(VisitOfficer)
        .where(
            VisitOfficer.officer_id == officer_id,
            VisitOfficer.holds,
            VisitOfficer.ends_at <= starts_at,
            VisitOfficer.blocked_until_at > starts_at,
        )
        .values(blocked_until_at=starts_at)
        .execution_options(synchronize_session=False)
    )


def road_ends(officer_id: int, ends_at: datetime, *, but_for_visit: int | None = None) -> datetime:
    """Until when the road after a visit is kept free: for the usual time, or to where the next one begins."""
    usual = ends_at + timedelta(minutes=policy.service().travel_minutes)
    query = select(sa.func.min(VisitOfficer.starts_at)).where(
        VisitOfficer.officer_id == officer_id,
        VisitOfficer.holds,
        VisitOfficer.starts_at >= ends_at,
        VisitOfficer.starts_at < usual,
    )
    if but_for_visit is not None:
        query = query.where(VisitOfficer.visit_id.is_distinct_from(but_for_visit))
    return db.session.scalar(query) or usual

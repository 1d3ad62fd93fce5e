"""What an event cost: lines of money and hours of staff. The cost of its campaign is their sum: all reports agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select

from crm.audit import record
from crm.cases.models import Campaign
from crm.db import db
from crm.events.models import EventCost, EventStaff, RecruitmentEvent
from crm.rules.permissions import Actor, Permission, require


def record_costs(
    event: RecruitmentEvent,
    *,
    lines: Sequence[tuple[str, int]],
    minutes: Mapping[int, int | None],
    hour_cost_pence: int | None,
    lessons: str | None,
    actor: Actor,
    now: datetime,
) -> None:
    """Keep the lines (what, pence), how long each person on duty worked (by user id), and what was learnt."""
    require(actor, Permission.MANAGE_EVENTS)
    event.costs = [EventCost(what=what.strip()[:80], pence=pence) for what, pence in lines if what.strip()]
    for row in event.staff:
        if row.user_id in minutes:
            row.minutes = minutes[row.user_id]
    event.hour_cost_pence = hour_cost_pence
    event.lessons = lessons or None
    event.campaign.cost_pence = total_pence(event)
    db.session.flush()
    record("event.costed", actor=actor, at=now, subject=f"event:{event.id}")


def lines_pence(event: RecruitmentEvent) -> int:
    """The money spent."""
    return sum(line.pence for line in event.costs)


def staff_minutes(event: RecruitmentEvent) -> int:
    """How long everybody on duty worked, together."""
    return sum(row.minutes or 0 for row in event.staff)


def staff_pence(event: RecruitmentEvent) -> int:
    """What their time counts for; 0 where nobody said what an hour costs."""
    return round(staff_minutes(event) * (event.hour_cost_pence or 0) / 60)


def total_pence(event: RecruitmentEvent) -> int:
    """Money and time together: what the campaign of the event is said to have cost."""
    return lines_pence(event) + staff_pence(event)


def drift() -> list[str]:
    """Events whose stored sums are not those of their rows, in plain words. For ``crm check``; mends nothing."""
    lines = (
        select(func.coalesce(func.sum(EventCost.pence), 0))
        .where(EventCost.event_id == RecruitmentEvent.id)
        .scalar_subquery()
    )
    minutes = (
        select(func.coalesce(func.sum(EventStaff.minutes), 0))
        .where(EventStaff.event_id == RecruitmentEvent.id)
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(RecruitmentEvent.id, RecruitmentEvent.hour_cost_pence, Campaign.cost_pence, lines, minutes).join(
            Campaign, Campaign.id == RecruitmentEvent.campaign_id
        )
    )
    return [
        f"event {event_id}: its campaign says that it cost {stored} pence, its lines and hours {meant}"
        for event_id, hour, stored, money, worked in rows
        if stored != (meant := money + round(worked * (hour or 0) / 60))
    ]

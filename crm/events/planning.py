"""Making an event and changing it. Its campaign is made with it, so that what it brought can be counted years later."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from crm.audit import record
from crm.cases.models import Campaign
from crm.clock import london_date
from crm.db import db
from crm.events.models import EventKind, EventStaff, RecruitmentEvent
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal

CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Of short addresses: none that is taken for another when it is typed from a poster."""


class EventNotRight(Refusal):
    """The event can't be kept as it was written."""

    default_status = 422


def create_event(
    *,
    name: str,
    kind: EventKind,
    starts_at: datetime,
    ends_at: datetime,
    actor: Actor,
    now: datetime,
    place: str | None = None,
    link: str | None = None,
    capacity: int | None = None,
    cost_pence: int = 0,
    staff_ids: Sequence[int] = (),
) -> RecruitmentEvent:
    """Make an event, with the campaign that its enquiries are counted by. Raises EventNotRight."""
    require(actor, Permission.MANAGE_EVENTS)
    _check(starts_at=starts_at, ends_at=ends_at, place=place, link=link)
    campaign = Campaign(code=_code(name, starts_at), name=_campaign_name(name, starts_at), cost_pence=cost_pence)
    db.session.add(campaign)
    db.session.flush()
    event = RecruitmentEvent(
        name=name.strip(),
        slug=_slug(name, starts_at),
        code=_short_code(),
        kind=kind,
        place=place or None,
        link=link or None,
        starts_at=starts_at,
        ends_at=ends_at,
        capacity=capacity,
        campaign_id=campaign.id,
        created_at=now,
    )
    event.staff = [EventStaff(user_id=user_id) for user_id in dict.fromkeys(staff_ids)]
    db.session.add(event)
    db.session.flush()
    record("event.created", actor=actor, at=now, subject=f"event:{event.id}", detail={"kind": str(kind)})
    return event


def change_event(
    event: RecruitmentEvent,
    *,
    name: str,
    kind: EventKind,
    starts_at: datetime,
    ends_at: datetime,
    actor: Actor,
    now: datetime,
    place: str | None = None,
    link: str | None = None,
    capacity: int | None = None,
    cost_pence: int = 0,
    staff_ids: Sequence[int] = (),
) -> None:
    """Change an event. Clocks that already run from its day stay as they are. Raises EventNotRight."""
    require(actor, Permission.MANAGE_EVENTS)
    _check(starts_at=starts_at, ends_at=ends_at, place=place, link=link)
    event.name, event.kind = name.strip(), kind
    event.starts_at, event.ends_at = starts_at, ends_at
    event.place, event.link, event.capacity = place or None, link or None, capacity
    event.campaign.name = _campaign_name(name, starts_at)
    event.campaign.cost_pence = cost_pence
    wanted = list(dict.fromkeys(staff_ids))
    if [row.user_id for row in event.staff] != wanted:
        event.staff = [EventStaff(user_id=user_id) for user_id in wanted]
    db.session.flush()
    record("event.changed", actor=actor, at=now, subject=f"event:{event.id}")


def _check(*, starts_at: datetime, ends_at: datetime, place: str | None, link: str | None) -> None:
    if ends_at <= starts_at:
        raise EventNotRight("It should end after it starts. Check the two times.", field="ends")
    if not place and not link:
        raise EventNotRight("Say where it is: a place, or a link for an online event.", field="place")


def _campaign_name(name: str, starts_at: datetime) -> str:
    on = london_date(starts_at)
    return f"{name.strip()[:170]}, {on.day} {on:%B %Y}"


def _slug(name: str, starts_at: datetime) -> str:
    """Its public address, "coffee-and-questions-11-july-2026". A second one on the same day gets a few letters more."""
    on = london_date(starts_at)
    words = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:48].strip("-") or "event"
    slug = f"{words}-{on.day}-{on:%B-%Y}".lower()
    taken = db.session.scalar(select(RecruitmentEvent.id).where(RecruitmentEvent.slug == slug))
    return f"{slug}-{secrets.token_hex(3)}" if taken is not None else slug


def _short_code() -> str:
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(7))


def _code(name: str, starts_at: datetime) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:16].strip("-") or "event"
    return f"{london_date(starts_at):%Y%m%d}-{slug}-{secrets.token_hex(3)}"

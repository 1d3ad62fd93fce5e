"""Making an event and changing it. Its campaign is made with it, so that what it brought can be counted years later."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from crm import policy
from crm.audit import record
from crm.cases import keys
from crm.cases.models import Campaign
from crm.clock import london_date
from crm.db import db
from crm.events import places, telling
from crm.events.models import EventCost, EventKind, EventStaff, EventStatus, RecruitmentEvent
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal

CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Of short addresses: none that is taken for another when it is typed from a poster."""

NO_SIGN_UP_KINDS = frozenset({EventKind.STALL})


class EventNotRight(Refusal):
    """The event can't be kept as it was written."""

    default_status = 422


@dataclass(frozen=True, kw_only=True)
class EventPlan:
    """What an event is to be, as whoever plans it writes it down."""

    name: str
    kind: EventKind
    starts_at: datetime
    ends_at: datetime
    place: str | None = None
    town: str | None = None
    postcode: str | None = None
    link: str | None = None
    capacity: int | None = None
    takes_sign_ups: bool | None = None
    """Left open, it goes by the kind: at a stall people just stop."""
    summary: str | None = None
    meet: str | None = None
    getting_in: str | None = None
    materials: str | None = None
    notes: str | None = None
    part_of_id: int | None = None
    staff_ids: Sequence[int] = ()


def create_event(*, actor: Actor, now: datetime, cost_pence: int = 0, **plan: Any) -> RecruitmentEvent:
    """Make a draft of an event, with the campaign that its enquiries are counted by. Raises EventNotRight.

    The rest of the arguments are those of EventPlan.
    """
    require(actor, Permission.MANAGE_EVENTS)
    wanted = EventPlan(**plan)
    _check(wanted)
    name, starts_at = wanted.name.strip(), wanted.starts_at
    campaign = Campaign(code=_code(name, starts_at), name=_campaign_name(name, starts_at), cost_pence=cost_pence)
    db.session.add(campaign)
    db.session.flush()
    event = RecruitmentEvent(
        slug=_slug(name, starts_at),
        code=_short_code(),
        status=EventStatus.DRAFT,
        places_taken=0,
        campaign_id=campaign.id,
        created_at=now,
    )
    _write_down(event, wanted)
    event.staff = [EventStaff(user_id=user_id) for user_id in dict.fromkeys(wanted.staff_ids)]
    if cost_pence:
        event.costs = [EventCost(what="All in", pence=cost_pence)]
    db.session.add(event)
    db.session.flush()
    record("event.created", actor=actor, at=now, subject=f"event:{event.id}", detail={"kind": str(event.kind)})
    return event


@dataclass(frozen=True)
class Changed:
    """What became of a change: how many people were told that it moved, and how many got a place that came free."""

    told: int = 0
    moved_up: int = 0


def change_event(event: RecruitmentEvent, *, actor: Actor, now: datetime, **plan: Any) -> Changed:
    """Change an event. Clocks that already run from its day stay as they are.

    When it moves in time or place, everybody who signed up is told what changed; when it gets more room, those who wait
    move up. Raises EventNotRight.
    """
    require(actor, Permission.MANAGE_EVENTS)
    wanted = EventPlan(**plan)
    _check(wanted)
    places.hold(event)
    if event.status == EventStatus.CANCELLED:
        raise EventNotRight("This event is cancelled. Copy it to another date instead.")
    if wanted.capacity is not None and wanted.capacity < event.places_taken:
        raise EventNotRight(
            f"{event.places_taken} places are taken already, so there must be room for {event.places_taken} at least.",
            field="capacity",
        )
    was = telling.Was.of(event)
    _write_down(event, wanted)
    event.campaign.name = _campaign_name(wanted.name, wanted.starts_at)
    ids = list(dict.fromkeys(wanted.staff_ids))
    if [row.user_id for row in event.staff] != ids:
        kept = {row.user_id: row.minutes for row in event.staff}
        event.staff = [EventStaff(user_id=user_id, minutes=kept.get(user_id)) for user_id in ids]
    db.session.flush()
    record("event.changed", actor=actor, at=now, subject=f"event:{event.id}")
    told = 0
    if was != telling.Was.of(event) and event.status == EventStatus.PUBLISHED and event.ends_at > now:
        told = telling.tell_changed(event, places.coming_or_waiting(event), was=was, now=now)
    return Changed(told, len(places.move_up(event, actor=actor, now=now)))


def _write_down(event: RecruitmentEvent, wanted: EventPlan) -> None:
    event.name, event.kind = wanted.name.strip(), wanted.kind
    event.starts_at, event.ends_at = wanted.starts_at, wanted.ends_at
    event.place, event.link = wanted.place or None, wanted.link or None
    event.town, event.postcode = wanted.town or None, keys.tidy_postcode(wanted.postcode)
    event.district = policy.district_of(wanted.postcode or "")
    event.capacity = wanted.capacity
    event.takes_sign_ups = (
        wanted.kind not in NO_SIGN_UP_KINDS if wanted.takes_sign_ups is None else wanted.takes_sign_ups
    )
    event.summary, event.meet = wanted.summary or None, wanted.meet or None
    event.getting_in, event.materials = wanted.getting_in or None, wanted.materials or None
    event.notes = wanted.notes or None
    event.part_of_id = wanted.part_of_id


def _check(wanted: EventPlan) -> None:
    if wanted.ends_at <= wanted.starts_at:
        raise EventNotRight("It should end after it starts. Check the two times.", field="ends")
    if not wanted.place and not wanted.link:
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

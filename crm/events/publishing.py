"""Publishing an event, calling it off, and copying it to another date."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime

from sqlalchemy import select

from crm.access.models import User
from crm.audit import record
from crm.clock import LONDON, london
from crm.db import db
from crm.events import places, planning, telling
from crm.events.models import EventKind, EventStatus, RecruitmentEvent
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal


class EventNotPublished(Refusal):
    """The event can't be shown to the public."""

    default_status = 409


class EventNotCancelled(Refusal):
    """The event can't be called off."""

    default_status = 409


def publish(event: RecruitmentEvent, *, actor: Actor, now: datetime) -> None:
    """Show an event to the public, and open it to be signed up to. Published already, it stays so."""
    require(actor, Permission.MANAGE_EVENTS)
    places.hold(event)
    if event.status == EventStatus.PUBLISHED:
        return
    if event.status == EventStatus.CANCELLED:
        raise EventNotPublished("This event was cancelled. Copy it to another date instead.")
    if event.is_over(now):
        raise EventNotPublished("This event is over. Copy it to another date, or change its date first.")
    event.status, event.published_at = EventStatus.PUBLISHED, now
    record("event.published", actor=actor, at=now, subject=f"event:{event.id}")


def cancel(event: RecruitmentEvent, *, why: str | None, actor: Actor, now: datetime) -> int:
    """Call an event off, and tell everybody who signed up and everybody on duty, once. Returns how many guests.

    ``why`` stands in their letter. Cancelled already, nobody is told again.
    """
    require(actor, Permission.MANAGE_EVENTS)
    places.hold(event)
    if event.status == EventStatus.CANCELLED:
        return 0
    if event.is_over(now):
        raise EventNotCancelled("This event is over, so it can't be called off.")
    event.status, event.cancelled_at, event.cancelled_why = EventStatus.CANCELLED, now, (why or "")[:200] or None
    told = telling.tell_cancelled(event, places.coming_or_waiting(event), why=why, now=now)
    on_duty = [row.user_id for row in event.staff]
    for user in db.session.scalars(select(User).where(User.id.in_(on_duty), User.active).order_by(User.id)):
        telling.tell_staff(event, user, now=now)
    record("event.cancelled", actor=actor, at=now, subject=f"event:{event.id}", detail={"told": told})
    return told


def copy_event(event: RecruitmentEvent, *, on: date, actor: Actor, now: datetime) -> RecruitmentEvent:
    """A draft like this event on another date, at the same time of day in London. Who signed up is not copied."""
    starts, ends = london(event.starts_at), london(event.ends_at)
    starts_at = datetime.combine(on, starts.time(), LONDON)
    ends_at = datetime.combine(on + (ends.date() - starts.date()), ends.time(), LONDON)
    same = {
        one.name: getattr(event, one.name)
        for one in fields(planning.EventPlan)
        if one.name not in ("starts_at", "ends_at", "staff_ids", "kind")
    }
    return planning.create_event(
        **same,
        kind=EventKind(event.kind),
        starts_at=starts_at,
        ends_at=ends_at,
        staff_ids=[row.user_id for row in event.staff],
        actor=actor,
        now=now,
    )

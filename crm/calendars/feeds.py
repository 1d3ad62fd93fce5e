"""The secret feed of an officer's visits: its address, and what it gives to whoever has that address."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from crm.audit import record
from crm.calendars import ical
from crm.calendars.models import CalendarObject, FeedToken, OfficerCalendar
from crm.db import db
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal

DAYS_BACK, DAYS_AHEAD = 30, 365
TOKEN_BYTES = 32


class NoSuchFeed(Refusal):
    """Nobody's feed is at that address, or it was switched off: the two are never told apart."""

    def __init__(self) -> None:
        super().__init__("There is no calendar at this address.", status=404)


@dataclass(frozen=True)
class FeedState:
    """What a conditional request is answered from, without rendering anything."""

    user_id: int
    etag: str
    changed_at: datetime


def make_address(*, user_id: int, actor: Actor, now: datetime) -> str:
    """A new secret for a user's feed, given back this once. The one before stops working at once."""
    end_address(user_id=user_id, how="renewed", actor=actor, now=now)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    db.session.add(FeedToken(user_id=user_id, token_hash=digest_of(token), made_at=now))
    db.session.flush()
    record("feed.made", actor=actor, at=now, subject=f"user:{user_id}")
    return token


def end_address(*, user_id: int, how: str = "switched_off", actor: Actor, now: datetime) -> bool:
    """Stop a user's feed now. ``how`` is renewed, switched_off or left. True when there was one."""
    running = db.session.scalars(
        select(FeedToken).where(FeedToken.user_id == user_id, FeedToken.ended_at.is_(None))
    ).all()
    for token in running:
        token.ended_at, token.ended_how = now, how
        record("feed.ended", actor=actor, at=now, subject=f"user:{user_id}", detail={"how": how})
    db.session.flush()
    return bool(running)


def end_for_leaver(*, from_user_id: int, actor: Actor, now: datetime, **_rest: object) -> None:
    """Somebody leaves: their feed stops with them."""
    end_address(user_id=from_user_id, how="left", actor=actor, now=now)


def address_of(user_id: int) -> FeedToken | None:
    """The feed that a user has switched on, if any. Its address can't be read back from it."""
    return db.session.scalars(
        select(FeedToken).where(FeedToken.user_id == user_id, FeedToken.ended_at.is_(None))
    ).first()


def feed_state(token: str, *, now: datetime) -> FeedState:
    """Whose feed this is and how it stands. Raises NoSuchFeed."""
    row = db.session.execute(
        select(FeedToken.user_id, FeedToken.id, FeedToken.made_at, OfficerCalendar.changes, OfficerCalendar.changed_at)
        .outerjoin(OfficerCalendar, OfficerCalendar.user_id == FeedToken.user_id)
        .where(FeedToken.token_hash == digest_of(token), FeedToken.ended_at.is_(None))
    ).first()
    if row is None:
        raise NoSuchFeed
    changed_at = max(row.made_at, row.changed_at) if row.changed_at else row.made_at
    day_began = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return FeedState(
        user_id=row.user_id,
        etag=tag_of(row.id, row.changes, now),
        changed_at=max(changed_at, day_began).replace(microsecond=0),
    )


def tag_of(token_id: int, changes: int | None, now: datetime) -> str:
    """The ETag of a feed. Its window moves by a day at midnight UTC, so the day is part of it."""
    return f"{token_id}-{changes or 0}-{now:%Y%m%d}"


def feed_bytes(state: FeedState, *, name: str, now: datetime) -> bytes:
    """The feed itself: the stored text of each event in the window, in order."""
    events = db.session.scalars(
        select(CalendarObject.ics)
        .where(
            CalendarObject.user_id == state.user_id,
            CalendarObject.removed_at.is_(None),
            CalendarObject.starts_at >= now - timedelta(days=DAYS_BACK),
            CalendarObject.starts_at < now + timedelta(days=DAYS_AHEAD),
        )
        .order_by(CalendarObject.starts_at, CalendarObject.id)
    )
    return ical.feed(name, events)


def digest_of(token: str) -> str:
    """256 random bits need no slow hash, and a calendar program asks every few minutes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

"""A guest of an event, who has no case, tells us to stop by the link in a letter: what follows events, or everything.

The link is for one guest and ends; only its digest is kept. It holds for the mailbox it came to: every guest with that
address, and news to whoever of our households is reached there.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import date, datetime, timedelta

from sqlalchemy import delete, select

from crm.audit import record
from crm.cases import stopping
from crm.cases.keys import name_key
from crm.cases.models import Person
from crm.db import db, rows_changed
from crm.delivery.enqueue import take_back_from
from crm.delivery.post_room import post_room
from crm.events.models import EventConsent, EventGuest, EventStopLink
from crm.rules.permissions import Actor

GOOD_FOR = timedelta(days=400)
NEWS, EVERYTHING = "news", "everything"
_AFTER = ("event_thanks", "event_missed")
"""Letters that nobody asked for."""


def stop_link(guest: EventGuest, *, now: datetime) -> str:
    """The address where this guest can tell us to stop."""
    token = secrets.token_urlsafe(24)
    db.session.add(EventStopLink(guest_id=guest.id, token_digest=_digest(token), made_at=now, ends_at=now + GOOD_FOR))
    return f"{post_room().base_url}/stop/{token}"


def guest_with(token: str, *, now: datetime) -> EventGuest | None:
    """The guest whose link this is, while it is good and they are remembered."""
    return db.session.scalar(
        select(EventGuest)
        .join(EventStopLink, EventStopLink.guest_id == EventGuest.id)
        .where(
            EventStopLink.token_digest == _digest(token), EventStopLink.ends_at > now, EventGuest.email_key.is_not(None)
        )
    )


def stop(guest: EventGuest, what: str, *, how: str, actor: Actor, now: datetime, today: date) -> None:
    """Write nothing more to this mailbox about events that are over, or (``everything``) nothing that was not asked
    for. Their yes to news ends, and what has not left is taken back."""
    same = db.session.scalars(select(EventGuest).where(EventGuest.email_key == guest.email_key)).all()
    for one in same:
        one.stops = EVERYTHING if EVERYTHING in (what, one.stops) else NEWS
        for consent in _yes_of(one):
            db.session.add(
                EventConsent(
                    guest_id=one.id,
                    channel=consent.channel,
                    given=False,
                    wording_version=consent.wording_version,
                    recorded_at=now,
                )
            )
    kinds = (*_AFTER, "event_reminder") if what == EVERYTHING else _AFTER
    taken = take_back_from(guest.email or "", kinds=kinds, code="asked_to_stop", now=now)
    detail = {"what": what, "how": how, "taken_back": taken}
    record("event.guest_stopped", actor=actor, at=now, subject=f"event_guest:{guest.id}", detail=detail)
    for person in db.session.scalars(select(Person).where(Person.email_key == guest.email_key)).all():
        if what == EVERYTHING and person.given_key == name_key(guest.given_name):
            stopping.stop_contact(person, how=how, actor=actor, now=now, today=today)
        else:
            stopping.stop_news(person, how=how, actor=actor, now=now)


def _yes_of(guest: EventGuest) -> list[EventConsent]:
    """Their newest word on each channel, where it is yes."""
    newest = {
        one.channel: one
        for one in db.session.scalars(
            select(EventConsent).where(EventConsent.guest_id == guest.id).order_by(EventConsent.id)
        )
    }
    return [one for one in newest.values() if one.given]


def forget_links(guest_ids: list[int]) -> int:
    """Drop the links of guests who are forgotten; how many."""
    return rows_changed(db.session.execute(delete(EventStopLink).where(EventStopLink.guest_id.in_(guest_ids))))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

"""Reads of the door kit: its devices, what was kept aside, and what a device is given to work with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from crm import policy
from crm.access.envelopes import milliseconds
from crm.access.models import User
from crm.clock import london_date
from crm.db import db
from crm.events.kit import closes_at
from crm.events.kit_entries import NEWS_CHANNELS, text_of
from crm.events.kit_models import AsideReason, KitAside, KitDevice, KitEntry, KitEntryKind, KitKey, SettledHow
from crm.events.models import EventGuest, EventSignUp, RecruitmentEvent, SignUpSource, SignUpStatus
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.web.filters import clock_time, day, day_short

REASON_SHORT: Mapping[str, str] = {
    AsideReason.SHAPE: "Not an entry",
    AsideReason.OTHER_EVENT: "From another event",
    AsideReason.UNKNOWN_DEVICE: "From no device of ours",
    AsideReason.FORGED: "Not signed by its device",
    AsideReason.SEALED: "Can’t be opened",
    AsideReason.OTHER_WORDS: "Came before, with other words",
    AsideReason.REFUSED: "Could not be stored",
}
SETTLED_WORDS: Mapping[str, str] = {
    SettledHow.STORED: "It was tried again and is stored now",
    SettledHow.GUEST: "Somebody said which guest it is about, and it was kept with them",
    SettledHow.DROPPED: "It was dealt with by hand, and what it said has been dropped",
}
ASIDES_SHOWN = 50
NAMES_AT_MOST = 3000
QUIET_AFTER = timedelta(minutes=10)
LONGEST_EVENT = timedelta(days=14)


class NotOfThisEvent(Refusal):
    """No such device, or no such entry kept aside, at this event."""

    def __init__(self) -> None:
        super().__init__("We can’t find that at this event.", status=404)


def device_of(event: RecruitmentEvent, device_id: int) -> KitDevice:
    """A device of an event. Raises NotOfThisEvent."""
    device = db.session.get(KitDevice, device_id)
    if device is None or device.event_id != event.id:
        raise NotOfThisEvent
    return device


def aside_of(event: RecruitmentEvent, aside_id: int) -> KitAside:
    """An entry that was kept aside at an event. Raises NotOfThisEvent."""
    aside = db.session.get(KitAside, aside_id)
    if aside is None or aside.event_id != event.id:
        raise NotOfThisEvent
    return aside


@dataclass(frozen=True)
class DeviceLine:
    """One device, as staff see it. It never shows anything of what was typed on it."""

    id: int
    name: str
    set_up_by: str
    set_up_at: datetime
    last_heard_at: datetime | None
    waiting: int
    stored: int
    skew: timedelta
    ended_how: str | None


@dataclass(frozen=True)
class AsideLine:
    """One entry that was kept aside."""

    id: int
    reason: str
    received_at: datetime
    device: str | None


@dataclass(frozen=True)
class Door:
    """How the door of an event stands."""

    devices: tuple[DeviceLine, ...]
    asides: tuple[AsideLine, ...]
    asides_in_all: int
    stored: int
    by_file: int

    @property
    def waiting(self) -> int:
        """Entries that devices said they still had, when we last heard from them."""
        return sum(line.waiting for line in self.devices)


def door_of(event: RecruitmentEvent) -> Door:
    """Four statements, whatever the size of the event."""
    stored: dict[int, int] = dict(
        db.session.execute(
            select(KitEntry.device_id, func.count()).where(KitEntry.event_id == event.id).group_by(KitEntry.device_id)
        ).all()
    )
    devices = db.session.execute(
        select(KitDevice, User.name)
        .join(User, User.id == KitDevice.set_up_by_id)
        .where(KitDevice.event_id == event.id)
        .order_by(KitDevice.ended_at.is_not(None), KitDevice.id)
    ).all()
    open_ones = (KitAside.event_id == event.id, KitAside.settled_at.is_(None))
    asides = db.session.execute(
        select(KitAside.id, KitAside.reason, KitAside.received_at, KitDevice.name, func.count().over().label("all"))
        .outerjoin(KitDevice, KitDevice.id == KitAside.device_id)
        .where(*open_ones)
        .order_by(KitAside.id)
        .limit(ASIDES_SHOWN)
    ).all()
    by_file = db.session.scalar(select(func.count()).where(KitEntry.event_id == event.id, KitEntry.by_file.is_(True)))
    return Door(
        devices=tuple(
            DeviceLine(
                id=device.id,
                name=device.name,
                set_up_by=name,
                set_up_at=device.set_up_at,
                last_heard_at=device.last_heard_at,
                waiting=device.waiting,
                stored=stored.get(device.id, 0),
                skew=timedelta(milliseconds=device.skew_ms),
                ended_how=device.ended_how,
            )
            for device, name in devices
        ),
        asides=tuple(AsideLine(row.id, row.reason, row.received_at, row.name) for row in asides),
        asides_in_all=asides[0].all if asides else 0,
        stored=sum(stored.values()),
        by_file=by_file or 0,
    )


def names_for_the_door(event: RecruitmentEvent) -> list[dict[str, Any]]:
    """Who may be expected, as a device shows them: a name and the end of a number, nothing to write or ring to. What
    would help somebody to come is left out: it may be about health, and the list lies on a device that can be lost."""
    rows = db.session.execute(
        select(
            EventGuest.id,
            EventGuest.given_name,
            EventGuest.family_name,
            EventGuest.phone,
            EventGuest.email,
            EventGuest.attended_at,
            EventSignUp.status,
            EventSignUp.source,
        )
        .join(EventSignUp, EventSignUp.id == EventGuest.sign_up_id)
        .where(
            EventGuest.event_id == event.id,
            EventSignUp.forgotten_at.is_(None),
            or_(EventSignUp.status != SignUpStatus.CANCELLED, EventGuest.attended_at.is_not(None)),
        )
        .order_by(func.lower(EventGuest.given_name), func.lower(EventGuest.family_name), EventGuest.id)
        .limit(NAMES_AT_MOST)
    )
    return [
        {
            "guest": row.id,
            "name": f"{row.given_name} {row.family_name or ''}".strip(),
            "hint": _hint(row.phone, row.email, waiting=row.status == SignUpStatus.WAITING, source=row.source),
            "here": milliseconds(row.attended_at) if row.attended_at is not None else None,
        }
        for row in rows
    ]


def choices_of_guests(event: RecruitmentEvent) -> list[tuple[int, str]]:
    """The guests of an event to choose one from, with what tells two of one name apart."""
    found = [
        (row["guest"], f"{row['name']}{', ' if row['hint'] else ''}{row['hint']}") for row in names_for_the_door(event)
    ]
    return [(0, "Choose somebody on the list"), *found]


def _hint(phone: str | None, email: str | None, *, waiting: bool, source: str) -> str:
    """What tells two people of one name apart, and tells a stranger who looks over a shoulder nothing of use."""
    digits = re.sub(r"\D", "", phone or "")
    parts = []
    if len(digits) >= 6:
        parts.append(f"phone ends {digits[-3:]}")
    elif email and "@" in email:
        parts.append(f"email {email[0]}…@{email.rpartition('@')[2]}")
    if waiting:
        parts.append("waiting for a place")
    if source == SignUpSource.WALK_IN:
        parts.append("walked in")
    return ", ".join(parts)


@dataclass(frozen=True)
class AsideStory:
    """What an entry that was kept aside says, where it could be read, and why it was not stored."""

    why: str
    answers: tuple[tuple[str, str], ...]
    is_undo: bool
    """Whether it took a check-in back."""


_ANSWER_WORDS: Mapping[str, str] = {
    "name": "Name",
    "given_name": "First name",
    "family_name": "Last name",
    "reach": "Mobile or email",
    "partner": "The other one’s name",
    "interest": "How keen",
    "contact_times": "Ring them when",
    "postcode": "Postcode",
    "note": "Note",
}


def story_of(aside: KitAside) -> AsideStory:
    """What staff are shown of an entry that was kept aside."""
    content = json.loads(aside.content or "{}")
    said = content.get("said") or {}
    answers = tuple((words, text_of(said, name, longest=1000) or "") for name, words in _ANSWER_WORDS.items())
    return AsideStory(
        why=content.get("why", ""),
        answers=tuple(pair for pair in answers if pair[1]),
        is_undo=said.get("kind") == KitEntryKind.UNDO,
    )


# --- What a device is given -------------------------------------------------------------------------------------------


def what_a_device_gets(
    event: RecruitmentEvent, key: KitKey, device: KitDevice, *, service: str, rulebook: Rulebook, now: datetime
) -> dict[str, Any]:
    """Everything that the page needs when there is no signal, with nothing in it about anybody."""
    today = london_date(now)
    first, last = london_date(event.starts_at), london_date(min(event.ends_at, event.starts_at + LONGEST_EVENT))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return {
        "device": device.public_id,
        "deviceName": device.name,
        "event": event.id,
        "eventName": event.name,
        "when": f"{day_short(event.starts_at)}, {clock_time(event.starts_at)}",
        "where": event.place or "Online",
        "service": service,
        "publicKey": key.public_key,
        "closesAt": milliseconds(closes_at(event, key)),
        "now": milliseconds(now),
        "ringBy": {one.isoformat(): day(rulebook.response_due_on("event", one)) for one in days},
        "news": [_news(channel, today) for channel in NEWS_CHANNELS],
        "privacy": policy.wording("privacy_notice", today).version,
    }


def _news(channel: str, today: date) -> dict[str, str]:
    wording = policy.wording(f"consent.{channel}", today)
    return {"channel": channel, "version": wording.version, "text": wording.text}

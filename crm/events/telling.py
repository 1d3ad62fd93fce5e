"""What the guests of an event are told. They have no case: whoever signed up is written to about this event alone.

Each adult gets their own letter at their own address; two who share an address get one. The secret link goes only to
whoever booked. The link of an online event stands in the letters of those who have a place, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select

from crm import policy
from crm.access.models import User
from crm.calendars import invitations
from crm.calendars.ical import EventFacts, Mailbox
from crm.cases.models import Person
from crm.clock import london
from crm.db import db
from crm.delivery import Channel, NewMessage, OutboundMessage, Recipient, enqueue
from crm.delivery.enqueue import is_written, recipient_key
from crm.delivery.letters import LETTERS
from crm.delivery.message import UnsendableAddress, sendable_address
from crm.delivery.post_room import post_room
from crm.delivery.texts import can_be_texted
from crm.delivery.wording import and_list
from crm.events import guest_stops
from crm.events.models import EventGuest, EventSignUp, RecruitmentEvent, SignUpStatus


@dataclass(frozen=True)
class Was:
    """When and where an event was to be, before it moved."""

    starts_at: datetime
    ends_at: datetime
    where: str

    @classmethod
    def of(cls, event: RecruitmentEvent) -> Was:
        return cls(event.starts_at, event.ends_at, where(event))


def where(event: RecruitmentEvent) -> str:
    """Where an event is, on one line."""
    if event.is_online:
        return "Online"
    return ", ".join(part for part in (event.place, event.town, event.postcode) if part)


def tell_place(event: RecruitmentEvent, sign_up: EventSignUp, *, now: datetime, again: bool = False) -> None:
    """They have a place, or stand in the line for one.

    ``again`` sends it once more to somebody who signed up twice: at most once an hour, so that nobody's mailbox can be
    filled by a stranger who knows their address. It takes as long when it is not sent: who asks for a place over and
    over would else learn from the time of the answer that it was there before.
    """
    hour = f":again:{london(now):%Y%m%d%H}" if again else ""
    kind, occasion = _place_kind(sign_up), f"{sign_up.sequence}{hour}"
    for guest in readers(sign_up):
        if again and is_written(_dedupe_key(kind, sign_up, guest, occasion)):
            written = db.session.begin_nested()
            _write(kind, event, sign_up, guest, occasion=f"{occasion}:in vain", now=now)
            written.rollback()
        else:
            _write(kind, event, sign_up, guest, occasion=occasion, now=now)


def _place_kind(sign_up: EventSignUp) -> str:
    return "event_place" if sign_up.status == SignUpStatus.CONFIRMED else "event_waiting"


def tell_moved_up(event: RecruitmentEvent, sign_up: EventSignUp, *, now: datetime) -> None:
    """A place has come free, and it is theirs."""
    for guest in readers(sign_up):
        _write("event_place_free", event, sign_up, guest, occasion=str(sign_up.sequence), now=now)


def tell_changed(event: RecruitmentEvent, sign_ups: Iterable[EventSignUp], *, was: Was, now: datetime) -> int:
    """The event has another time or place. Tells how many people were written to."""
    moved = (was.starts_at, was.ends_at) != (event.starts_at, event.ends_at)
    changed: dict[str, Any] = {
        "old_starts_at": was.starts_at if moved else None,
        "old_where": was.where if was.where != where(event) else None,
    }
    told = 0
    for sign_up in sign_ups:
        sign_up.sequence += 1
        for guest in readers(sign_up):
            _write("event_changed", event, sign_up, guest, occasion=str(sign_up.sequence), now=now, **changed)
            told += 1
    return told


def tell_cancelled(event: RecruitmentEvent, sign_ups: Iterable[EventSignUp], *, why: str | None, now: datetime) -> int:
    """The event is off. Tells how many people were written to."""
    told = 0
    for sign_up in sign_ups:
        had_place = sign_up.status == SignUpStatus.CONFIRMED
        sign_up.sequence += 1
        for guest in readers(sign_up):
            _write(
                "event_cancelled",
                event,
                sign_up,
                guest,
                occasion="off",
                now=now,
                takes_out=had_place,
                reason=why or None,
            )
            told += 1
    return told


def tell_given_up(event: RecruitmentEvent, sign_up: EventSignUp, *, had_place: bool, now: datetime) -> None:
    """They, or we for them, gave their place back."""
    for guest in readers(sign_up):
        _write("event_given_up", event, sign_up, guest, occasion=str(sign_up.sequence), now=now, takes_out=had_place)


def tell_joined(event: RecruitmentEvent, sign_up: EventSignUp, guest: EventGuest, *, now: datetime) -> None:
    """Somebody was added to a party."""
    if guest in readers(sign_up):
        _write(_place_kind(sign_up), event, sign_up, guest, occasion=str(sign_up.sequence), now=now)


def tell_left(event: RecruitmentEvent, sign_up: EventSignUp, guest: EventGuest, *, now: datetime) -> None:
    """Somebody was taken out of a party."""
    if guest in readers(sign_up):
        had_place = sign_up.status == SignUpStatus.CONFIRMED
        _write("event_given_up", event, sign_up, guest, occasion=str(sign_up.sequence), now=now, takes_out=had_place)


def remind(event: RecruitmentEvent, sign_up: EventSignUp, *, now: datetime) -> None:
    """It is tomorrow: by email to each, and by text to whoever booked and asked for one."""
    occasion = f"{event.starts_at:%Y%m%d%H%M}"
    for guest in readers(sign_up):
        if not asked_to_stop(guest):
            _write("event_reminder", event, sign_up, guest, occasion=occasion, now=now)
    first = sign_up.guests[0]
    if sign_up.wants_text and post_room().can_text and can_be_texted(first.phone_key) and not asked_to_stop(first):
        enqueue(
            NewMessage(
                kind="event_reminder",
                channel=Channel.TEXT,
                to=Recipient(phone=first.phone_key),
                dedupe_key=f"event_reminder:{sign_up.id}:text:{occasion}",
                context=_fields("event_reminder", event, sign_up, first, has_place=True),
                not_after=event.starts_at,
            ),
            now=now,
        )


def thank(event: RecruitmentEvent, guest: EventGuest, *, may_invite: bool, now: datetime) -> bool:
    """Thank somebody who came and asked for nothing. ``may_invite``: they agreed to news, so it may invite them on."""
    if not guest.email or asked_to_stop(guest, after=True):
        return False
    start = f"{post_room().base_url}/" if may_invite else None
    _write("event_thanks", event, guest.sign_up, guest, occasion="after", now=now, start_url=start)
    return True


def tell_missed(event: RecruitmentEvent, guest: EventGuest, *, now: datetime) -> bool:
    """We had a place for them and they did not come."""
    if not guest.email or asked_to_stop(guest, after=True):
        return False
    _write("event_missed", event, guest.sign_up, guest, occasion="after", now=now, events_url=_link("/events"))
    return True


def tell_staff(event: RecruitmentEvent, user: User, *, now: datetime) -> None:
    """Whoever was to be on duty hears that the event is off."""
    enqueue(
        NewMessage(
            kind="event_staff_cancelled",
            channel=Channel.EMAIL,
            to=Recipient(email=user.email),
            dedupe_key=f"event_staff_cancelled:{event.id}:user{user.id}",
            context={
                "service": policy.service(),
                "first_name": user.name.split()[0],
                "event_name": event.name,
                "starts_at": event.starts_at,
                "event_url": _link(f"/events/{event.id}"),
            },
            user_id=user.id,
        ),
        now=now,
    )


def who_was_there(event: RecruitmentEvent) -> str | None:
    """The first names of those on duty, as a letter says whom they met: "Priya and Sam"."""
    ids = [row.user_id for row in event.staff]
    names = dict(db.session.execute(select(User.id, User.name).where(User.id.in_(ids))).all()) if ids else {}
    return and_list([names[one].split()[0] for one in ids if one in names]) or None


def readers(sign_up: EventSignUp) -> list[EventGuest]:
    """The adults of a sign-up who are written to: each once, and an address that two share once.

    What a visitor typed at the door may be no address that a letter can go to: nobody is written to there, and
    everybody else of the event still is.
    """
    found: dict[str, EventGuest] = {}
    for guest in sign_up.guests:
        if guest.email_key and _can_be_written_to(guest):
            found.setdefault(guest.email_key, guest)
    return list(found.values())


def _can_be_written_to(guest: EventGuest) -> bool:
    try:
        sendable_address(guest.email)
    except UnsendableAddress:
        return False
    return True


def asked_to_stop(guest: EventGuest, *, after: bool = False) -> bool:
    """Whether somebody with this email or phone has told us not to be in touch, or (``after``) not about events that
    are over. What they asked for themselves, the confirmation of a place, goes to them all the same."""
    stops = ("news", "everything") if after else ("everything",)
    same = select(EventGuest.id).where(EventGuest.email_key == guest.email_key, EventGuest.stops.in_(stops))
    if guest.email_key and db.session.scalar(same.limit(1)) is not None:
        return True
    keys = [
        column == key
        for column, key in ((Person.email_key, guest.email_key), (Person.phone_key, guest.phone_key))
        if key
    ]
    if not keys:
        return False
    return db.session.scalar(select(Person.id).where(or_(*keys), Person.no_contact).limit(1)) is not None


def place_address(sign_up: EventSignUp) -> str | None:
    """Their own secret link, whole."""
    return _link(f"/events/my-place/{sign_up.link_token}") if sign_up.link_token else None


def public_address(event: RecruitmentEvent) -> str:
    """The page of an event, whole."""
    return _link(f"/events/{event.slug}")


def _link(path: str) -> str:
    return post_room().base_url.rstrip("/") + path


def _write(
    kind: str,
    event: RecruitmentEvent,
    sign_up: EventSignUp,
    guest: EventGuest,
    *,
    occasion: str,
    now: datetime,
    takes_out: bool = False,
    **more: Any,
) -> OutboundMessage:
    has_place = sign_up.status == SignUpStatus.CONFIRMED
    in_calendar = kind in ("event_place", "event_place_free", "event_changed") and has_place
    told = None
    if guest.email and (in_calendar or takes_out):
        told = invitations.tell(
            _calendar_facts(event, sign_up, guest, cancelled=takes_out),
            email=guest.email,
            name=guest.full_name,
            organiser=_organiser(),
            now=now,
        )
    return enqueue(
        NewMessage(
            kind=kind,
            channel=Channel.EMAIL,
            to=Recipient(email=guest.email),
            dedupe_key=_dedupe_key(kind, sign_up, guest, occasion),
            context={**_fields(kind, event, sign_up, guest, has_place=has_place), **more},
            invitation=told.invitation if told else None,
            # Only the newest of what stands in their calendar matters; what follows the event is no part of that.
            stream=f"event-place:{sign_up.id}:{_mailbox(guest)}" if kind in _OF_THE_PLACE else None,
            sequence=sign_up.sequence if kind in _OF_THE_PLACE else None,
            not_after=event.starts_at if kind in _BEFORE else None,
            stop_url=guest_stops.stop_link(guest, now=now) if LETTERS[kind].may_be_stopped else None,
        ),
        now=now,
    )


def _dedupe_key(kind: str, sign_up: EventSignUp, guest: EventGuest, occasion: str) -> str:
    return f"{kind}:{sign_up.id}:{_mailbox(guest)}:{occasion}"


def _mailbox(guest: EventGuest) -> str:
    """By mailbox, not by guest: rows of guests come and go, and a database may give the number of one to another."""
    return recipient_key(Channel.EMAIL, guest.email or "")


_OF_THE_PLACE = frozenset(
    {"event_place", "event_waiting", "event_place_free", "event_changed", "event_cancelled", "event_given_up"}
)
_BEFORE = frozenset({"event_place", "event_waiting", "event_place_free", "event_reminder"})
_WITH_PLACE = frozenset({"event_place", "event_waiting", "event_place_free", "event_changed", "event_reminder"})


def _fields(
    kind: str, event: RecruitmentEvent, sign_up: EventSignUp, guest: EventGuest, *, has_place: bool
) -> Mapping[str, Any]:
    fields: dict[str, Any] = {
        "service": policy.service(),
        "first_name": guest.given_name,
        "event_name": event.name,
        "starts_at": event.starts_at,
    }
    if kind in _WITH_PLACE:
        fields |= {
            "ends_at": event.ends_at,
            "where": where(event),
            "place_url": place_address(sign_up) if guest.position == 1 else None,
        }
        if kind != "event_changed":
            fields["getting_in"] = event.getting_in
        if kind != "event_waiting":
            fields["join_url"] = event.link if has_place else None
    if kind == "event_changed":
        fields["is_waiting"] = not has_place
    return fields


def _calendar_facts(event: RecruitmentEvent, sign_up: EventSignUp, guest: EventGuest, *, cancelled: bool) -> EventFacts:
    """What stands in their calendar: neutral, because a calendar is often shared. Never the secret link."""
    organiser = _organiser()
    if guest.calendar_uid is None:
        guest.calendar_uid = invitations.new_uid(organiser)
    page = public_address(event)
    lines = [f"Event details: {page}"]
    if event.link:
        lines.append(f"Join here: {event.link}")
    return EventFacts(
        uid=guest.calendar_uid,
        sequence=sign_up.sequence,
        starts_at=event.starts_at,
        ends_at=max(event.ends_at, event.starts_at + timedelta(minutes=1)),
        summary=f"Event with {policy.service().name}",
        location=where(event),
        description=lines,
        url=page,
        cancelled=cancelled,
    )


def _organiser() -> Mailbox:
    return Mailbox(post_room().visits_mailbox, policy.service().name)

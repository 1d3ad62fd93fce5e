"""Places at an event: signing up, the waiting list, changing and giving a place back.

A place is one adult. Taking places is one compare-and-set on the event's own count, behind which stands a CHECK: of two
who ask for the last one, one waits. The waiting list moves up by itself: whoever has waited longest and whose whole
party fits gets the place at once, and is told. A place that comes free shortly before the start stays free for whoever
turns up: nobody who was told at the last minute could be counted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import selectinload

from crm.access.tokens import digest_of, has_shape, new_token
from crm.audit import record
from crm.cases import keys
from crm.cases.open_case import NewPerson
from crm.db import db
from crm.delivery.message import sendable_address
from crm.events import guest_stops, telling
from crm.events.attendance import add_guest
from crm.events.models import (
    AttendanceEntry,
    EventConsent,
    EventGuest,
    EventSignUp,
    EventStatus,
    RecruitmentEvent,
    SignUpSource,
    SignUpStatus,
)
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal

NO_MOVING_UP_WITHIN = timedelta(hours=2)


class NoSignUps(Refusal):
    """This event takes no sign-ups, or none any more."""

    default_status = 409


class NoRoom(Refusal):
    """There are not enough places for this."""

    default_status = 409


class PlaceLinkEnded(Refusal):
    """The link to a place has ended, or never was one."""

    default_status = 404

    def __init__(self) -> None:
        super().__init__("This link no longer works. It ends when the event does.")


@dataclass(frozen=True, kw_only=True)
class NewSignUp:
    """What somebody wrote when they signed up: themselves first, and perhaps a second adult."""

    people: Sequence[NewPerson]
    needs: str | None = None
    question: str | None = None
    wants_call: bool = False
    contact_times: str | None = None
    postcode: str | None = None
    privacy_version: str | None = None
    wants_text: bool = False


def sign_up(
    event: RecruitmentEvent, new: NewSignUp, *, actor: Actor, now: datetime, source: SignUpSource = SignUpSource.WEB
) -> EventSignUp:
    """Save a place, or a place in the line, and confirm it by email.

    An address that has signed up already changes nothing: it is sent its link again, and whoever sees the answer can't
    tell. Raises NoSignUps, UnsendableAddress.
    """
    _check_addresses(new.people)
    hold(event)
    if why := why_no_sign_ups(event, now=now):
        raise NoSignUps(why, alternatives=("Look at our other events.",))
    known = _sign_up_with(event, new.people[0].email)
    if known is not None and known.status != SignUpStatus.CANCELLED:
        # As much is done as for somebody new, and taken back: the time of an answer tells nothing either.
        in_vain = db.session.begin_nested()
        _store(event, EventSignUp(event_id=event.id, sequence=0), new, source=source, actor=actor, now=now)
        in_vain.rollback()
        db.session.refresh(event, ["places_taken"])
        telling.tell_place(event, known, now=now, again=True)
        return known
    row = known or EventSignUp(event_id=event.id, sequence=0)
    if known is not None:
        row.sequence += 1
        _forget_guests(row)
    _store(event, row, new, source=source, actor=actor, now=now)
    telling.tell_place(event, row, now=now)
    return row


def _store(
    event: RecruitmentEvent, row: EventSignUp, new: NewSignUp, *, source: SignUpSource, actor: Actor, now: datetime
) -> None:
    """Write down who comes, with a place or in the line for one."""
    adults = len(new.people)
    row.status = SignUpStatus.CONFIRMED if take_places(event, adults) else SignUpStatus.WAITING
    row.source, row.adults = source, adults
    row.signed_up_at, row.moved_up_at, row.cancelled_at, row.reminded_at = now, None, None, None
    row.wants_call, row.contact_times = new.wants_call, new.contact_times
    row.postcode = keys.tidy_postcode(new.postcode)
    row.privacy_version, row.wants_text = new.privacy_version, new.wants_text
    row.needs, row.question = new.needs or None, new.question or None
    give_link(row)
    db.session.add(row)
    db.session.flush()
    for position, person in enumerate(new.people, start=1):
        add_guest(row, person, position=position, now=now)
    record(
        "event.signed_up",
        actor=actor,
        at=now,
        subject=f"event:{event.id}",
        detail={"status": row.status, "sign_up": row.id},
    )


def why_no_sign_ups(event: RecruitmentEvent, *, now: datetime) -> str | None:
    """Why nobody can sign up now, in words for whoever tries; None when they can."""
    if event.status == EventStatus.CANCELLED:
        return "This event is off."
    if event.status != EventStatus.PUBLISHED:
        return "This event is not open to sign up to."
    if event.starts_at <= now:
        return "This event is over." if event.is_over(now) else "This event has begun. Just come along."
    if not event.takes_sign_ups:
        return "There is no need to sign up for this one. Just come along."
    return None


def room_left(event: RecruitmentEvent) -> int | None:
    """How many places are free; None where nobody counts."""
    return None if event.capacity is None else max(0, event.capacity - event.places_taken)


def change_sign_up(
    row: EventSignUp,
    *,
    second: NewPerson | None,
    needs: str | None,
    question: str | None,
    wants_call: bool,
    wants_text: bool,
    actor: Actor,
    now: datetime,
) -> None:
    """Change who comes and what would help. Raises NoSignUps, NoRoom, PlaceLinkEnded, UnsendableAddress."""
    _check_addresses([second] if second is not None else [])
    event = _held_event(row, now=now)
    if row.status == SignUpStatus.CANCELLED:
        raise PlaceLinkEnded
    adults = 2 if second is not None else 1
    more = adults - row.adults
    has_place = row.status == SignUpStatus.CONFIRMED
    if more > 0 and has_place and not take_places(event, more):
        raise NoRoom(
            "There is no place left for a second person. Yours is kept. Ring us, or come together another time.",
            field="second_given_name",
        )
    if more < 0 and has_place:
        give_places_back(event, -more)
    row.adults = adults
    row.sequence += 1
    _set_second(event, row, second, now=now)
    row.needs, row.question = needs or None, question or None
    row.wants_call, row.wants_text = wants_call, wants_text
    db.session.flush()
    record("event.place_changed", actor=actor, at=now, subject=f"event:{event.id}", detail={"sign_up": row.id})
    if more < 0:
        move_up(event, actor=actor, now=now)


def _check_addresses(people: Sequence[NewPerson]) -> None:
    """Everybody is told by email: whoever gives an address gives one that letters reach. Raises UnsendableAddress."""
    for person in people:
        if person.email:
            sendable_address(person.email)


def cancel_sign_up(row: EventSignUp, *, actor: Actor, now: datetime) -> None:
    """Give a place, or a place in the line, back. Whoever waits moves up. Cancelled already, it stays so."""
    event = _held_event(row, now=now)
    if row.status == SignUpStatus.CANCELLED:
        return
    had_place = row.status == SignUpStatus.CONFIRMED
    row.status, row.cancelled_at = SignUpStatus.CANCELLED, now
    row.sequence += 1
    if had_place:
        give_places_back(event, row.adults)
    telling.tell_given_up(event, row, had_place=had_place, now=now)
    record("event.place_given_up", actor=actor, at=now, subject=f"event:{event.id}", detail={"sign_up": row.id})
    move_up(event, actor=actor, now=now)


def take_up_again(row: EventSignUp, *, actor: Actor, now: datetime) -> None:
    """They want to come after all. Raises NoSignUps."""
    event = _held_event(row, now=now)
    if row.status != SignUpStatus.CANCELLED:
        return
    if why := why_no_sign_ups(event, now=now):
        raise NoSignUps(why, alternatives=("Look at our other events.",))
    row.status = SignUpStatus.CONFIRMED if take_places(event, row.adults) else SignUpStatus.WAITING
    row.cancelled_at, row.signed_up_at, row.reminded_at = None, now, None
    row.sequence += 1
    telling.tell_place(event, row, now=now)
    record(
        "event.signed_up",
        actor=actor,
        at=now,
        subject=f"event:{event.id}",
        detail={"status": row.status, "sign_up": row.id},
    )


def move_up(event: RecruitmentEvent, *, actor: Actor, now: datetime) -> list[EventSignUp]:
    """Give free places to the longest waiting whose whole party fits, and tell them. The event's row is held."""
    if why_no_sign_ups(event, now=now) or event.starts_at - now < NO_MOVING_UP_WITHIN:
        return []
    moved = []
    for row in db.session.scalars(
        select(EventSignUp)
        .where(EventSignUp.event_id == event.id, EventSignUp.status == SignUpStatus.WAITING)
        .order_by(EventSignUp.signed_up_at, EventSignUp.id)
        .options(selectinload(EventSignUp.guests))
    ):
        if room_left(event) == 0:
            break
        if not take_places(event, row.adults):
            continue
        row.status, row.moved_up_at = SignUpStatus.CONFIRMED, now
        row.sequence += 1
        db.session.flush()
        telling.tell_moved_up(event, row, now=now)
        record("event.moved_up", actor=actor, at=now, subject=f"event:{event.id}", detail={"sign_up": row.id})
        moved.append(row)
    return moved


def renew_link(row: EventSignUp, *, actor: Actor, now: datetime) -> None:
    """Make them a new link and send it: the old one is dead at once."""
    require(actor, Permission.MANAGE_EVENTS)
    event = _held_event(row, now=now)
    give_link(row)
    row.sequence += 1
    db.session.flush()
    telling.tell_place(event, row, now=now)
    record("event.link_renewed", actor=actor, at=now, subject=f"event:{event.id}", detail={"sign_up": row.id})


# --- Finding ----------------------------------------------------------------------------------------------------------


def sign_up_by_link(token: str, *, now: datetime) -> EventSignUp:
    """The sign-up behind a secret link, until its event is over. Raises PlaceLinkEnded."""
    row = None
    if has_shape(token):
        row = db.session.scalars(
            select(EventSignUp)
            .where(EventSignUp.link_hash == digest_of(token))
            .options(selectinload(EventSignUp.guests), selectinload(EventSignUp.event))
        ).first()
    if row is None or row.event.is_over(now) or row.forgotten_at is not None:
        raise PlaceLinkEnded
    return row


def coming_or_waiting(event: RecruitmentEvent) -> list[EventSignUp]:
    """Everybody who signed up and has not given it back, with their people."""
    return list(
        db.session.scalars(
            select(EventSignUp)
            .where(
                EventSignUp.event_id == event.id,
                EventSignUp.status != SignUpStatus.CANCELLED,
                EventSignUp.source != SignUpSource.WALK_IN,
            )
            .order_by(EventSignUp.signed_up_at, EventSignUp.id)
            .options(selectinload(EventSignUp.guests))
        )
    )


def _sign_up_with(event: RecruitmentEvent, email: str | None) -> EventSignUp | None:
    """The sign-up that an address has at this event already: a live one before one that was given back."""
    key = keys.email_key(email)
    if key is None:
        return None
    return db.session.scalars(
        select(EventSignUp)
        .join(EventGuest, EventGuest.sign_up_id == EventSignUp.id)
        .where(
            EventGuest.event_id == event.id,
            EventGuest.email_key == key,
            EventSignUp.source != SignUpSource.WALK_IN,
        )
        .order_by((EventSignUp.status == SignUpStatus.CANCELLED), EventSignUp.id)
        .options(selectinload(EventSignUp.guests))
    ).first()


# --- Places -----------------------------------------------------------------------------------------------------------


def hold(event: RecruitmentEvent) -> None:
    """Keep other changes of this event's places waiting until this one has ended."""
    db.session.flush()
    db.session.refresh(event, with_for_update=True)


def take_places(event: RecruitmentEvent, adults: int) -> bool:
    """Take so many places, all or none."""
    taken = db.session.scalars(
        update(RecruitmentEvent)
        .where(
            RecruitmentEvent.id == event.id,
            or_(
                RecruitmentEvent.capacity.is_(None),
                RecruitmentEvent.places_taken + adults <= RecruitmentEvent.capacity,
            ),
        )
        .values(places_taken=RecruitmentEvent.places_taken + adults)
        .returning(RecruitmentEvent.id)
        .execution_options(synchronize_session=False)
    ).all()
    db.session.refresh(event, ["places_taken"])
    return bool(taken)


def give_places_back(event: RecruitmentEvent, adults: int) -> None:
    """So many places are free again."""
    db.session.execute(
        update(RecruitmentEvent)
        .where(RecruitmentEvent.id == event.id)
        .values(places_taken=RecruitmentEvent.places_taken - adults)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(event, ["places_taken"])


def drift() -> list[str]:
    """Events whose count of places taken is not that of their sign-ups. For ``crm check``; mends nothing."""
    taken = (
        select(func.coalesce(func.sum(EventSignUp.adults), 0))
        .where(
            EventSignUp.event_id == RecruitmentEvent.id,
            EventSignUp.status == SignUpStatus.CONFIRMED,
            EventSignUp.source != SignUpSource.WALK_IN,
        )
        .scalar_subquery()
    )
    rows = db.session.execute(select(RecruitmentEvent.id, RecruitmentEvent.places_taken, taken))
    return [
        f"event {event_id}: {stored} places are stored as taken, its sign-ups hold {meant}"
        for event_id, stored, meant in rows
        if stored != meant
    ]


def give_link(row: EventSignUp) -> None:
    """A new secret link. Kept sealed, so that each letter can carry it, and found by its digest."""
    token = new_token()
    row.link_hash, row.link_token = digest_of(token), token


def _held_event(row: EventSignUp, *, now: datetime) -> RecruitmentEvent:
    event = row.event
    hold(event)
    db.session.refresh(row, ["status", "adults", "sequence"], with_for_update=True)
    # Who comes was read before the row was held: somebody at the same form may have changed it since.
    db.session.expire(row, ["guests"])
    if event.starts_at <= now:
        raise NoSignUps("The event has begun, so nothing can be changed here any more. Ring us, or come along.")
    return event


def _set_second(event: RecruitmentEvent, row: EventSignUp, second: NewPerson | None, *, now: datetime) -> None:
    """Add the second adult, take them out, or put another in their place; each of them is told."""
    held = next((guest for guest in row.guests if guest.position == 2), None)
    if held is not None and (second is None or keys.email_key(second.email) != held.email_key):
        _refuse_when_here(held)
        telling.tell_left(event, row, held, now=now)
        _drop(held)
        held = None
    if second is None:
        return
    if held is None:
        telling.tell_joined(event, row, add_guest(row, second, position=2, now=now), now=now)
        return
    held.given_name, held.family_name = (
        second.given_name.strip()[:120],
        (second.family_name or "").strip()[:120] or None,
    )
    held.phone, held.phone_key = keys.say_phone(second.phone), keys.phone_key(second.phone)


def _refuse_when_here(guest: EventGuest) -> None:
    if db.session.scalar(select(AttendanceEntry.id).where(AttendanceEntry.guest_id == guest.id).limit(1)) is not None:
        raise NoSignUps("You are checked in already. Talk to us at the door.")


def _forget_guests(row: EventSignUp) -> None:
    """Whoever signs up anew writes everything anew."""
    for guest in list(row.guests):
        _refuse_when_here(guest)
        _drop(guest)


def _drop(guest: EventGuest) -> None:
    for consent in db.session.scalars(select(EventConsent).where(EventConsent.guest_id == guest.id)):
        db.session.delete(consent)
    guest_stops.forget_links([guest.id])
    guest.sign_up.guests.remove(guest)
    db.session.delete(guest)
    db.session.flush()

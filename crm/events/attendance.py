"""Who came: a check-in, its undoing and a walk-in, each counted once however often it arrives.

Every tap carries an id made where it was tapped. The same id again does nothing, and says what it led to before. A tap
that is older than what is known already (two phones, one of them without signal) is kept and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from crm.audit import record
from crm.cases import keys
from crm.cases.models import Enquiry
from crm.cases.open_case import NewPerson
from crm.db import db
from crm.events.door import Logged, case_of_touch, log_enquirer, may_open
from crm.events.models import (
    AttendanceEntry,
    EntryKind,
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
from crm.rules.rulebook import Rulebook


class NotAtTheDoor(Refusal):
    """Nobody can be checked in at this event."""

    default_status = 409


class NotOnTheList(Refusal):
    """That guest is not on the list of this event."""

    default_status = 404


@dataclass(frozen=True)
class CheckedIn:
    """What became of a tap on somebody's name."""

    guest: EventGuest
    is_here: bool
    """Whether they are here as things stand now."""
    repeated: bool
    """The same tap had arrived before."""


@dataclass(frozen=True)
class WalkedIn:
    """What became of somebody who came without signing up."""

    sign_up: EventSignUp
    logged: Logged | None
    """Their case, where they left a way to reach them; else they are only counted."""
    repeated: bool


def check_in(
    event: RecruitmentEvent, guest_id: int, *, entry_id: str, happened_at: datetime, actor: Actor, now: datetime
) -> CheckedIn:
    """Somebody on the list is here. ``happened_at`` is when it was tapped, ``now`` when it arrived.

    Who waits for a place, or gave theirs back, is let in all the same. Raises NotAtTheDoor, NotOnTheList.
    """
    return _tap(event, guest_id, EntryKind.CHECK_IN, entry_id=entry_id, happened_at=happened_at, actor=actor, now=now)


def undo(
    event: RecruitmentEvent, guest_id: int, *, entry_id: str, happened_at: datetime, actor: Actor, now: datetime
) -> CheckedIn:
    """The wrong name was tapped: they are not here. Raises NotAtTheDoor, NotOnTheList."""
    return _tap(event, guest_id, EntryKind.UNDO, entry_id=entry_id, happened_at=happened_at, actor=actor, now=now)


def _tap(
    event: RecruitmentEvent,
    guest_id: int,
    kind: EntryKind,
    *,
    entry_id: str,
    happened_at: datetime,
    actor: Actor,
    now: datetime,
) -> CheckedIn:
    require(actor, Permission.MANAGE_EVENTS)
    _be_open(event)
    guest = db.session.scalars(
        select(EventGuest).where(EventGuest.id == guest_id, EventGuest.event_id == event.id).with_for_update()
    ).first()
    if guest is None:
        raise NotOnTheList("They are not on the list of this event. Log them as somebody who walked in.")
    if _entry(entry_id) is not None:
        return CheckedIn(guest, guest.attended_at is not None, repeated=True)
    _keep_entry(guest, kind, entry_id=entry_id, happened_at=happened_at, actor=actor, now=now)
    if guest.entered_at is None or happened_at >= guest.entered_at:
        guest.entered_at = happened_at
        guest.attended_at = (guest.attended_at or happened_at) if kind is EntryKind.CHECK_IN else None
        guest.checked_in_by_id = actor.user_id if kind is EntryKind.CHECK_IN else None
        db.session.flush()
        record(f"event.{kind}", actor=actor, at=now, subject=f"event:{event.id}", detail={"guest": guest.id})
    return CheckedIn(guest, guest.attended_at is not None, repeated=False)


def walk_in(
    event: RecruitmentEvent,
    *,
    entry_id: str,
    people: Sequence[NewPerson],
    happened_at: datetime,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    postcode: str | None = None,
    interest: str | None = None,
    said: str | None = None,
    facts: Mapping[str, str] | None = None,
    send_letters: bool = True,
    wants_no_call: bool = False,
) -> WalkedIn:
    """One or two adults who came without signing up, over capacity or not. Nobody is turned away at the door.

    Whoever left a way to reach them is logged as an enquiry, whose clock runs from the event; whoever left none, or
    asked not to be rung, is counted. Raises NotAtTheDoor, and what ``door.log_enquirer`` raises.
    """
    require(actor, Permission.LOG_ENQUIRY)
    _be_open(event)
    people = people[:2]
    earlier = _entry(entry_id)
    if earlier is not None:
        sign_up = db.session.get_one(EventGuest, earlier.guest_id).sign_up
        return WalkedIn(sign_up, _logged_before(entry_id, actor, today=today), repeated=True)
    logged, enquiry_id = None, None
    if not wants_no_call and any(person.email or person.phone for person in people):
        logged = log_enquirer(
            event,
            people=people,
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            postcode=postcode,
            interest=interest,
            said=said,
            facts=facts,
            one_time_id=_touch_mark(entry_id),
            send_letters=send_letters,
            happened_at=happened_at,
        )
        enquiry_id = db.session.scalar(select(Enquiry.id).where(Enquiry.one_time_id == _touch_mark(entry_id)))
    sign_up = EventSignUp(
        event_id=event.id,
        status=SignUpStatus.CONFIRMED,
        source=SignUpSource.WALK_IN,
        adults=len(people),
        signed_up_at=happened_at,
        interest=interest,
        postcode=keys.tidy_postcode(postcode),
        enquiry_id=enquiry_id,
    )
    sign_up.question = said or None
    db.session.add(sign_up)
    db.session.flush()
    for position, person in enumerate(people, start=1):
        add_guest(sign_up, person, position=position, now=now).attended_at = happened_at
    for guest in sign_up.guests:
        guest.entered_at, guest.checked_in_by_id = happened_at, actor.user_id
    db.session.flush()
    _keep_entry(sign_up.guests[0], EntryKind.WALK_IN, entry_id=entry_id, happened_at=happened_at, actor=actor, now=now)
    record("event.walk_in", actor=actor, at=now, subject=f"event:{event.id}", detail={"adults": len(people)})
    return WalkedIn(sign_up, logged, repeated=False)


def note_asked(
    row: EventSignUp,
    *,
    interest: str | None,
    wants_call: bool,
    question: str | None,
    actor: Actor,
    now: datetime,
) -> None:
    """Keep what somebody on the list asked. If they came, they are in the queue a little later. Raises NotAtTheDoor."""
    require(actor, Permission.MANAGE_EVENTS)
    _be_open(row.event)
    if row.enquiry_id is not None:
        raise NotAtTheDoor("They are in the queue already. Write it down in their case instead.")
    row.interest, row.wants_call, row.question = interest, wants_call, question
    db.session.flush()
    record("event.asked", actor=actor, at=now, subject=f"event:{row.event_id}", detail={"sign_up": row.id})


def add_guest(sign_up: EventSignUp, person: NewPerson, *, position: int, now: datetime) -> EventGuest:
    """One adult of a sign-up, with what they said to news."""
    guest = EventGuest(
        event_id=sign_up.event_id,
        position=position,
        given_name=person.given_name.strip()[:120],
        family_name=(person.family_name or "").strip()[:120] or None,
        email=(person.email or "").strip() or None,
        email_key=keys.email_key(person.email),
        phone=keys.say_phone(person.phone),
        phone_key=keys.phone_key(person.phone),
    )
    sign_up.guests.append(guest)
    db.session.flush()
    add_consents(guest, person, now=now)
    return guest


def add_consents(guest: EventGuest, person: NewPerson, *, now: datetime) -> None:
    """What somebody said to news, as they came."""
    for consent in person.consents:
        db.session.add(
            EventConsent(
                guest_id=guest.id,
                channel=consent.channel,
                given=consent.given,
                wording_version=consent.wording_version,
                recorded_at=now,
            )
        )


def _be_open(event: RecruitmentEvent) -> None:
    if event.status == EventStatus.CANCELLED:
        raise NotAtTheDoor("This event was cancelled, so nobody can be checked in.")


def _entry(entry_id: str) -> AttendanceEntry | None:
    return db.session.scalars(select(AttendanceEntry).where(AttendanceEntry.entry_id == entry_id)).first()


def _keep_entry(
    guest: EventGuest, kind: EntryKind, *, entry_id: str, happened_at: datetime, actor: Actor, now: datetime
) -> None:
    """The unique id is what makes the same tap count once, even when it arrives twice at the same moment."""
    db.session.add(
        AttendanceEntry(
            entry_id=entry_id,
            event_id=guest.event_id,
            guest_id=guest.id,
            kind=kind,
            happened_at=happened_at,
            received_at=now,
            actor_id=actor.user_id,
        )
    )
    db.session.flush()


def _touch_mark(entry_id: str) -> str:
    return f"door:{entry_id}"[:80]


def _logged_before(entry_id: str, actor: Actor, *, today: date) -> Logged | None:
    case = case_of_touch(_touch_mark(entry_id))
    return Logged(case, joined=True, may_be_opened=may_open(case, actor, today=today)) if case is not None else None

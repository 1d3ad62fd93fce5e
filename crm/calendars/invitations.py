"""Events in people's calendars: written here, with the bytes of the message that tells each of them.

An officer's copy and a household's copy of the same visit are different events. Neither names the other's people: the
household's says "At your home", the officer's carries the reference, the postcode district and a link.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from crm.calendars import caldav_showing, ical
from crm.calendars.ical import EventFacts, Mailbox
from crm.calendars.models import (
    CHANGES_OF_AN_AGE,
    MOST_AGES,
    CalendarEntry,
    CalendarObject,
    OfficerCalendar,
)
from crm.db import db, insert_of
from crm.delivery import Channel, Invitation
from crm.delivery.enqueue import recipient_key
from crm.delivery.message import UnsendableAddress, sendable_address
from crm.rules.refusal import Refusal


class UidTaken(Refusal):
    """An event with this UID stands in somebody's calendar already: it is a copy, and two can't be told apart."""

    def __init__(self) -> None:
        super().__init__("This event was copied from another calendar. Make a new one instead.")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose calendar: an officer (``user_id``) or an applicant (``person_id``), at one address."""

    email: str
    name: str
    user_id: int | None = None
    person_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a letter carries: the calendar object, the UID that orders it, and its place in that order. No calendar
    object goes to a mailbox that was not invited by us."""

    invitation: Invitation | None
    uid: str
    sequence: int


def request(
    owner: Owner,
    *,
    visit_id: int,
    sequence: int,
    starts_at: datetime,
    ends_at: datetime,
    summary: str,
    location: str,
    description: Sequence[str],
    url: str,
    organiser: Mailbox,
    now: datetime,
    uid: str | None = None,
    invites: bool = True,
) -> Told:
    """Put a visit into somebody's calendar, or tell them its new time, under the UID it has there for life.

    ``uid`` is the one under which their own program made it; ``invites`` says whether a new one goes to their mailbox
    as an invitation. Raises UidTaken.
    """
    facts = enter(
        owner,
        visit_id=visit_id,
        sequence=sequence,
        starts_at=starts_at,
        ends_at=ends_at,
        summary=summary,
        location=location,
        description=description,
        url=url,
        organiser=organiser,
        now=now,
        uid=uid,
        invites=invites,
    )
    return _told(facts, "REQUEST", owner, visit_id=visit_id, organiser=organiser, now=now)


def enter(
    owner: Owner,
    *,
    visit_id: int,
    sequence: int,
    starts_at: datetime,
    ends_at: datetime,
    summary: str,
    location: str,
    description: Sequence[str],
    url: str,
    organiser: Mailbox,
    now: datetime,
    uid: str | None = None,
    invites: bool = True,
) -> EventFacts:
    """Put a visit into somebody's calendar and send them nothing: nobody is invited to what has already been."""
    existing = _object_of(visit_id, _mailbox_key(owner))
    if existing is None and uid is not None:
        _see_that_it_is_new(uid)
    facts = EventFacts(
        uid=existing.uid if existing else uid or new_uid(organiser),
        sequence=sequence,
        starts_at=starts_at,
        ends_at=ends_at,
        summary=summary,
        location=location,
        description=description,
        url=url,
    )
    _keep(existing, owner, visit_id=visit_id, facts=facts, now=now, invites=invites)
    return facts


def cancel(
    owner: Owner,
    *,
    visit_id: int,
    sequence: int,
    summary: str,
    location: str,
    description: Sequence[str],
    url: str,
    organiser: Mailbox,
    now: datetime,
) -> Told | None:
    """Take a visit out of somebody's calendar. None when it never was in it."""
    existing = _object_of(visit_id, _mailbox_key(owner))
    if existing is None:
        return None
    facts = EventFacts(
        uid=existing.uid,
        sequence=sequence,
        starts_at=existing.starts_at,
        ends_at=existing.ends_at,
        summary=summary,
        location=location,
        description=description,
        url=url,
        cancelled=True,
    )
    _keep(existing, owner, visit_id=visit_id, facts=facts, now=now)
    return _told(facts, "CANCEL", owner, visit_id=visit_id, organiser=organiser, now=now)


def tell(facts: EventFacts, *, email: str, name: str, organiser: Mailbox, now: datetime) -> Told:
    """The message that puts an event which is no visit into a guest's calendar, moves it there, or takes it out.

    Whoever asks keeps the UID and the sequence: nothing of it stands in a feed of ours.
    """
    method = "CANCEL" if facts.cancelled else "REQUEST"
    return _told(facts, method, Owner(email=email, name=name), organiser=organiser, now=now)


def objects_of_visit(visit_id: int) -> list[CalendarObject]:
    """Every event that shows a visit, in whosever calendar, those taken out included."""
    return list(
        db.session.scalars(
            select(CalendarObject).where(CalendarObject.visit_id == visit_id).order_by(CalendarObject.id)
        )
    )


def object_with_uid(uid: str) -> CalendarObject | None:
    """The event of this UID, in whosever calendar."""
    return db.session.scalars(select(CalendarObject).where(CalendarObject.uid == uid)).first()


def is_mailbox_of(event: CalendarObject, address: str) -> bool:
    """Whether an event went to this address."""
    try:
        owner = Owner(email=address, name="", user_id=event.user_id, person_id=event.person_id)
        return _mailbox_key(owner) == event.mailbox_key
    except UnsendableAddress:
        return False


def stay(
    event: CalendarObject,
    owner: Owner,
    *,
    summary: str,
    location: str,
    description: Sequence[str],
    url: str,
    organiser: Mailbox,
    now: datetime,
) -> Told:
    """Tell somebody who asked for another time that the event stays where it is (DECLINECOUNTER)."""
    facts = EventFacts(
        uid=event.uid,
        sequence=event.sequence,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        summary=summary,
        location=location,
        description=description,
        url=url,
    )
    return _told(facts, "DECLINECOUNTER", owner, organiser=organiser, now=now)


def hold_calendars(user_ids: Iterable[int], *, now: datetime) -> None:
    """Make sure that each officer has a counter, and keep other changes of theirs waiting, all in one order.

    Two bookings of officers 3 and 7 would otherwise each hold what the other waits for.
    """
    wanted = sorted(set(user_ids))
    rows = select(OfficerCalendar.user_id).where(OfficerCalendar.user_id.in_(wanted))
    known = set(db.session.scalars(rows))
    for user_id in wanted:
        if user_id not in known:
            _insert_counter(user_id, now)
    db.session.execute(rows.order_by(OfficerCalendar.user_id).with_for_update()).all()


def _insert_counter(user_id: int, now: datetime) -> None:
    row = insert_of(OfficerCalendar).values(user_id=user_id, changes=0, changed_at=now)
    db.session.execute(row.on_conflict_do_nothing())


def _see_that_it_is_new(uid: str) -> None:
    taken = db.session.scalar(select(CalendarObject.id).where(CalendarObject.uid == uid))
    if taken is not None or ical.plain(uid) != uid:
        raise UidTaken


def _object_of(visit_id: int, mailbox_key: str) -> CalendarObject | None:
    return db.session.scalars(
        select(CalendarObject).where(CalendarObject.visit_id == visit_id, CalendarObject.mailbox_key == mailbox_key)
    ).first()


def _mailbox_key(owner: Owner) -> str:
    return recipient_key(Channel.EMAIL, f"{owner.user_id}|{owner.person_id}|{sendable_address(owner.email)}")


def new_uid(organiser: Mailbox) -> str:
    """A UID that no other event has, under the domain of whoever sends it."""
    return f"{secrets.token_hex(16)}@{organiser.email.rpartition('@')[2]}"


def _keep(
    existing: CalendarObject | None,
    owner: Owner,
    *,
    visit_id: int,
    facts: EventFacts,
    now: datetime,
    invites: bool = True,
) -> None:
    row = existing or CalendarObject(
        is_invited=invites,
        user_id=owner.user_id,
        person_id=owner.person_id,
        visit_id=visit_id,
        mailbox_key=_mailbox_key(owner),
        uid=facts.uid,
    )
    row.sequence = facts.sequence
    row.starts_at, row.ends_at = facts.starts_at, facts.ends_at
    row.ics = ical.event_text(facts, stamp=now)
    row.changed_at = now
    row.removed_at = now if facts.cancelled else None
    row.change = count_change(owner.user_id, now) if owner.user_id is not None else facts.sequence
    db.session.add(row)
    db.session.flush()
    caldav_showing.show(row, now=now)


def count_change(user_id: int, now: datetime) -> int:
    """Raise an officer's counter. Its time moves on by a second at least: HTTP dates know nothing finer."""
    hold_calendars([user_id], now=now)
    calendar = db.session.get(OfficerCalendar, user_id, populate_existing=True)
    if calendar is None:
        raise LookupError(f"officer {user_id} has no calendar")
    calendar.changes += 1
    calendar.changed_at = max(now, calendar.changed_at + timedelta(seconds=1))
    db.session.flush()
    return calendar.changes


def begin_new_age() -> None:
    """After a copy of the database was put back: programs know of changes that it never had, under numbers that will be
    given again. So the numbers go on in another age, which nothing of before can be taken for."""
    newest = db.session.scalar(select(func.max(OfficerCalendar.changes))) or 0
    age = secrets.choice([one for one in range(1, MOST_AGES) if one != newest // CHANGES_OF_AN_AGE])
    for counter in (OfficerCalendar.changes, CalendarEntry.change):
        moved = counter % CHANGES_OF_AN_AGE + age * CHANGES_OF_AN_AGE
        db.session.execute(update(counter.class_).values({counter.key: moved}))


def _told(
    facts: EventFacts, method: str, owner: Owner, *, organiser: Mailbox, now: datetime, visit_id: int | None = None
) -> Told:
    """``visit_id`` where it may be that this mailbox was not invited by us."""
    event = _object_of(visit_id, _mailbox_key(owner)) if visit_id is not None else None
    if event is not None and not event.is_invited:
        return Told(invitation=None, uid=facts.uid, sequence=facts.sequence)
    attendee = Mailbox(sendable_address(owner.email), owner.name)
    sender = replace(organiser, email=sendable_address(organiser.email))
    raw = ical.message(facts, method=method, stamp=now, organiser=sender, attendee=attendee)
    return Told(invitation=Invitation(ics=raw, method=method), uid=facts.uid, sequence=facts.sequence)

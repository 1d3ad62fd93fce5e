"""Events of officers' own calendars to which they invite us by mail: what they last sent, and what we answer.

Such an event is theirs: they move it and call it off, and we say yes or no. When a visit changes here, we propose the
new time (COUNTER) or take back our yes; the event is changed by their own program alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from icalendar import PARTSTAT
from sqlalchemy import select

from crm.calendars import ical
from crm.calendars.ical import EventFacts, Mailbox
from crm.calendars.invitations import hold_calendars
from crm.calendars.itip import Said, Stand, is_news
from crm.calendars.models import MailedEvent, OfficerCalendar
from crm.db import db
from crm.delivery import Invitation, signed_addresses


def event_of(user_id: int, uid: str) -> MailedEvent | None:
    """What an officer last sent of an event, if they invited us to it."""
    query = select(MailedEvent).where(MailedEvent.user_id == user_id, MailedEvent.uid == uid)
    return db.session.scalars(query).first()


def keep(user_id: int, said: Said, *, starts_at: datetime, ends_at: datetime, invited: str) -> MailedEvent | None:
    """Keep what an officer sent as the last of it; None where it is the same again, or was overtaken before it came."""
    event = event_of(user_id, said.uid)
    if event is not None:
        known = Stand(event.sequence, event.stamp_at)
        if not is_news(said.stand, known) or said.stand == known:
            return None
    else:
        event = MailedEvent(user_id=user_id, uid=said.uid)
        db.session.add(event)
    event.sequence, event.stamp_at = said.stand.sequence, said.stand.stamp
    event.starts_at, event.ends_at = starts_at, ends_at
    event.is_called_off = said.method == "CANCEL"
    event.invited = invited
    db.session.flush()
    return event


def is_at(event: MailedEvent, starts_at: datetime, ends_at: datetime) -> bool:
    """Whether the officer's own calendar has this time already."""
    return (event.starts_at, event.ends_at) == (starts_at, ends_at)


def answer(event: MailedEvent, *, accepts: bool, summary: str, url: str, to: Mailbox, now: datetime) -> Invitation:
    """Our yes or no (REPLY). It says nothing that they did not write themselves, but for ``summary`` and ``url``."""
    partstat = PARTSTAT.ACCEPTED if accepts else PARTSTAT.DECLINED
    facts = _facts(event, event.starts_at, event.ends_at, summary=summary, url=url)
    return _object(event, facts, "REPLY", partstat, to=to, now=now)


def propose(
    event: MailedEvent, starts_at: datetime, ends_at: datetime, *, summary: str, url: str, to: Mailbox, now: datetime
) -> Invitation:
    """The visit is at another time now: we propose that they move their event there (COUNTER)."""
    facts = _facts(event, starts_at, ends_at, summary=summary, url=url)
    return _object(event, facts, "COUNTER", PARTSTAT.TENTATIVE, to=to, now=now)


def _facts(event: MailedEvent, starts_at: datetime, ends_at: datetime, *, summary: str, url: str) -> EventFacts:
    return EventFacts(
        uid=event.uid,
        sequence=event.sequence,
        starts_at=starts_at,
        ends_at=max(ends_at, starts_at + timedelta(minutes=1)),
        summary=summary,
        location="",
        description=[],
        url=url,
    )


def _object(
    event: MailedEvent, facts: EventFacts, method: str, partstat: PARTSTAT, *, to: Mailbox, now: datetime
) -> Invitation:
    """They are the organiser, and we are who they invited, at the address that they invited."""
    ours = Mailbox(event.invited or "", "Visits")
    raw = ical.message(facts, method=method, stamp=now, organiser=to, attendee=ours, partstat=partstat)
    return Invitation(ics=raw, method=method)


# --- The address of their own by which they invite us -----------------------------------------------------------------


def own_address(user_id: int) -> str | None:
    """The address by which this officer invites us, which nobody else knows."""
    return signed_addresses.officer_address(user_id, _number(user_id))


def is_own_address(user_id: int, address: str) -> bool:
    """Whether it is this officer's, and not one that they have given up."""
    signed = signed_addresses.read_officer(address)
    return signed is not None and (signed.first, signed.second) == (user_id, _number(user_id))


def new_own_address(user_id: int, *, now: datetime) -> None:
    """Give an officer another address; the one before is nobody's from now on."""
    _calendar(user_id, now=now).own_address += 1
    db.session.flush()


def wants_invitations(user_id: int) -> bool:
    """Whether an officer's visits go to their own mailbox as invitations: yes, until they say otherwise."""
    said = db.session.scalar(select(OfficerCalendar.is_invited).where(OfficerCalendar.user_id == user_id))
    return said is not False


def choose_invitations(user_id: int, *, wanted: bool, now: datetime) -> None:
    """Say whether new visits go to one's own mailbox as invitations. Those that are there already go on as they are."""
    _calendar(user_id, now=now).is_invited = wanted
    db.session.flush()


def _number(user_id: int) -> int:
    return db.session.scalar(select(OfficerCalendar.own_address).where(OfficerCalendar.user_id == user_id)) or 1


def _calendar(user_id: int, *, now: datetime) -> OfficerCalendar:
    hold_calendars([user_id], now=now)
    return db.session.get_one(OfficerCalendar, user_id, populate_existing=True)

"""What a referee and an officer are told of their talk: an invitation, its change or its end, each to one mailbox.

The two copies are different events under UIDs of their own, which they keep for life. The referee's says no more than
that somebody of the service talks with them; the officer's carries the reference and a link. Neither names a home.
"""

from __future__ import annotations

import hmac
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from crm import policy
from crm.access.models import User
from crm.access.queries import user_with
from crm.assessments.referee_models import HOW_WORDS, How, Referee
from crm.calendars import invitations
from crm.calendars.ical import EventFacts, Mailbox
from crm.calendars.invitations import Told
from crm.cases import letters
from crm.cases.models import Case
from crm.db import db, starts_with
from crm.delivery import OutboundMessage
from crm.delivery.post_room import post_room
from crm.rules.permissions import Actor

STREAM = "talk:"
TALK_LASTS = timedelta(minutes=30)
"""As the first letter to a referee says (service policy)."""


def tell_booked(
    case: Case,
    referee: Referee,
    *,
    first_name: str,
    old_starts_at: datetime | None,
    actor: Actor,
    now: datetime,
    today: date,
) -> None:
    """Invite both or, where it was booked already, tell them the new time. An officer whose talk it is no more hears
    that it is off."""
    assert referee.booked_for is not None
    sequence = _next(referee)
    _tell_referee(
        case, referee, "referee_talk", first_name, sequence, old_starts_at=old_starts_at, actor=actor, now=now
    )
    officer, before = _officer_of(case, actor), _officer_told(referee)
    if before is not None and (officer is None or before.id != officer.id):
        starts_at = old_starts_at or referee.booked_for
        _tell_officer(case, referee, "officer_talk_off", before, sequence, starts_at, actor=actor, now=now, today=today)
    if officer is not None:
        old = old_starts_at if before is not None and before.id == officer.id else None
        _tell_officer(case, referee, "officer_talk", officer, sequence, referee.booked_for, old_starts_at=old,
                      actor=actor, now=now, today=today)  # fmt: skip


def tell_off(
    case: Case,
    referee: Referee,
    *,
    first_name: str,
    tell_referee: bool,
    actor: Actor,
    now: datetime,
    today: date,
) -> None:
    """Take the talk out of both calendars. ``tell_referee``: not whoever says that we took them for somebody else."""
    assert referee.booked_for is not None
    sequence = _next(referee)
    if tell_referee:
        _tell_referee(case, referee, "referee_talk_off", first_name, sequence, actor=actor, now=now)
    before = _officer_told(referee)
    if before is not None:
        _tell_officer(case, referee, "officer_talk_off", before, sequence, referee.booked_for, actor=actor, now=now,
                      today=today)  # fmt: skip


def _next(referee: Referee) -> int:
    """The count of letters to a referee only rises, and so does the place of a talk's states in their order."""
    referee.letter_count += 1
    return referee.letter_count


def _tell_referee(
    case: Case,
    referee: Referee,
    kind: str,
    first_name: str,
    sequence: int,
    *,
    old_starts_at: datetime | None = None,
    actor: Actor,
    now: datetime,
) -> None:
    assert referee.booked_for is not None
    is_off = kind == "referee_talk_off"
    told = _event(referee, sequence, is_off=is_off, email=referee.email, name=first_name, now=now)
    context: dict[str, Any] = {"starts_at": referee.booked_for}
    if not is_off:
        context |= {"how_we_talk": _how(referee), "old_starts_at": old_starts_at}
    letters.send_to_referee(
        kind,
        case=case,
        first_name=first_name,
        email=referee.email,
        phone=referee.phone,
        context=context,
        whom=f"a referee of {referee.person.given_name}",
        stream=f"{STREAM}{referee.id}",
        sequence=sequence,
        about_id=referee.person_id,
        actor=actor,
        now=now,
        calendar=told.invitation if told is not None else None,
        not_after=referee.booked_for,
    )


def _event(
    referee: Referee, sequence: int, *, is_off: bool, email: str | None, name: str, now: datetime
) -> Told | None:
    """The referee's own copy: whose application it is stands nowhere in it."""
    if not email or referee.booked_for is None:
        return None
    service = policy.service()
    facts = EventFacts(
        uid=_uid(f"{referee.id}|referee"),
        sequence=sequence,
        starts_at=referee.booked_for,
        ends_at=referee.booked_for + TALK_LASTS,
        summary=f"Talk with {service.short_name}",
        location=_how(referee),
        description=[f"A talk with {service.name}.", f"If something comes up, ring {service.phone}."],
        url=_link("/"),
        cancelled=is_off,
    )
    return invitations.tell(facts, email=email, name=name, organiser=_organiser(), now=now)


def _tell_officer(
    case: Case,
    referee: Referee,
    kind: str,
    officer: User,
    sequence: int,
    starts_at: datetime,
    *,
    old_starts_at: datetime | None = None,
    actor: Actor,
    now: datetime,
    today: date,
) -> None:
    path = _link(f"/cases/{case.reference}/referees/{referee.id}")
    facts = EventFacts(
        uid=_uid(f"{referee.id}|user{officer.id}"),
        sequence=sequence,
        starts_at=starts_at,
        ends_at=starts_at + TALK_LASTS,
        summary=f"Talk {case.reference}",
        location=_how(referee),
        description=[f"Case {case.reference}.", "Names and numbers are in the case."],
        url=path,
        cancelled=kind == "officer_talk_off",
    )
    told = invitations.tell(facts, email=officer.email, name=officer.name, organiser=_organiser(), now=now)
    context: dict[str, Any] = {"starts_at": starts_at, "case_url": path}
    if kind == "officer_talk":
        context |= {"how_we_talk": _how(referee), "old_starts_at": old_starts_at}
    letters.send_to_staff(
        kind,
        user=officer,
        case=case,
        context=context,
        actor=actor,
        now=now,
        today=today,
        occasion=f"{referee.id}:{sequence}",
        calendar=told.invitation,
        stream=_stream_of(referee, officer.id),
        sequence=sequence,
    )


def _officer_of(case: Case, actor: Actor) -> User | None:
    """Who talks with them: whose case it is or, where it is nobody's, whoever books."""
    for user_id in (case.owner_id, actor.user_id):
        user = user_with(user_id) if user_id is not None else None
        if user is not None and user.active:
            return user
    return None


def _officer_told(referee: Referee) -> User | None:
    """In whose calendar the talk stands: the last officer who was told of it, unless that it is off."""
    last = db.session.scalars(
        select(OutboundMessage)
        .where(starts_with(OutboundMessage.stream, f"{STREAM}{referee.id}:"))
        .order_by(OutboundMessage.id.desc())
        .limit(1)
    ).first()
    if last is None or last.kind != "officer_talk" or last.user_id is None:
        return None
    return user_with(last.user_id)


def _how(referee: Referee) -> str:
    return HOW_WORDS[How(referee.booked_how or How.PHONE)]


def _stream_of(referee: Referee, user_id: int) -> str:
    return f"{STREAM}{referee.id}:user{user_id}"


def _uid(of: str) -> str:
    """The UID of one copy, made again whenever it is told of: nobody guesses it, and no other event has it."""
    key = hmac.digest(post_room().recipient_secret, b"talk uid 1", "sha256")
    return f"{hmac.digest(key, of.encode(), 'sha256').hex()[:32]}@{post_room().visits_mailbox.rpartition('@')[2]}"


def _organiser() -> Mailbox:
    return Mailbox(post_room().visits_mailbox, policy.service().name)


def _link(path: str) -> str:
    return f"{post_room().base_url.rstrip('/')}{path}"

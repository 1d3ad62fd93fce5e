"""Taking in what a device kept: each entry once, in its order, with both times; or aside, with the reason.

A device forgets an entry when it is told that we have it, so that is said after the commit and never before. Whatever
comes is either stored or kept aside: nothing is lost, and nothing is sent again for ever.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import selectinload

from crm import policy
from crm.access.envelopes import (
    DOOR,
    LARGEST_COUNTER,
    Envelope,
    NotAnEnvelope,
    NotOpened,
    NotSigned,
    check_signature,
    open_envelope,
    read_envelope,
)
from crm.access.models import User
from crm.audit import record
from crm.cases import keys
from crm.cases.models import PersonRole
from crm.cases.open_case import NewConsent, NewPerson
from crm.db import db
from crm.events import attendance, kit
from crm.events.kit_models import AsideReason, KitAside, KitDevice, KitEntry, KitEntryKind, KitKey, SettledHow
from crm.events.models import EventGuest, EventSignUp, RecruitmentEvent, SignUpSource
from crm.rules.permissions import PUBLIC, SYSTEM, Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

BEFORE_IT_STARTS = timedelta(days=1)
"""An entry that says it was written longer before its event than this has a clock that can't be put right."""
ENTRIES_IN_A_FILE = 5000
FILE_MARK = "doorstep door entries"
FAULT_OF_OURS = "Something went wrong here when it was to be stored. It is our fault, and has been noted."
INTERESTS = ("looking", "thinking", "ready")
NEWS_CHANNELS = ("email", "text", "phone")
TIMES = {"morning": "Morning", "afternoon": "Afternoon", "evening": "Evening"}
_VERSION = re.compile(r"[\w.-]{1,20}")

REASON_WORDS: Mapping[str, str] = {
    AsideReason.SHAPE: "It does not have the shape of an entry.",
    AsideReason.OTHER_EVENT: "It was written for another event.",
    AsideReason.UNKNOWN_DEVICE: "The device that it names was never set up for this event.",
    AsideReason.FORGED: "It was not signed by the device that it names, or was altered on the way.",
    AsideReason.SEALED: "It can’t be opened: it was sealed for another event, or the key has been destroyed.",
    AsideReason.OTHER_WORDS: "An entry with the same number is stored already, and says something else.",
    AsideReason.REFUSED: "It could be read, and could not be stored as it is.",
}


class NotTaken(Exception):
    """An entry can't be stored as it came. ``said`` is what it says, where that could be read; ``why`` is for staff;
    ``fault`` is ours, for the log."""

    def __init__(
        self,
        reason: AsideReason,
        *,
        why: str = "",
        said: Mapping[str, Any] | None = None,
        fault: Exception | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.why, self.said, self.fault = reason, why, said, fault


class FileNotRead(Refusal):
    """The file is not one that a device saved at this event."""

    default_status = 422


class EntryNotRight(Refusal):
    """What an entry says can't be stored as it is."""

    default_status = 422


@dataclass(frozen=True)
class Receipt:
    """What the device is told of an entry: ``stored``, ``known`` (we had it) or ``aside``. It need not come again."""

    client_id: str
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Moment:
    """What an entry is taken in with: when, by which rules, and whose area is whose."""

    now: datetime
    today: date
    rulebook: Rulebook


def read_file(content: bytes, *, event: RecruitmentEvent, key: KitKey | None) -> list[Any]:
    """The entries of a file that a device saved, still sealed. Raises FileNotRead."""
    try:
        found = json.loads(content)
        entries = found["entries"] if found["doorstep"] == FILE_MARK else None
    except (ValueError, TypeError, KeyError, RecursionError):
        entries = None
    problem = None
    if not isinstance(entries, list):
        problem = "This is not a file that a device of the door saved. Its name ends in .door.json."
    elif len(entries) > ENTRIES_IN_A_FILE:
        problem = f"This file holds more than {ENTRIES_IN_A_FILE:,} entries."
    elif key is None:
        problem = "No device was ever set up for this event. Check which event the file was saved at."
    elif key.destroyed_at is not None:
        problem = "This event is too long over: the key that opens its files has been destroyed."
    elif entries and all(isinstance(one, dict) and one.get("event") != event.id for one in entries):
        problem = "This file was saved at another event. Load it on the page of that one."
    if problem is not None or entries is None:
        raise FileNotRead(problem or "", field="file")
    return list(entries)


def client_id_of(raw: Any) -> str:
    """The id by which a device knows what it sent, whatever else is wrong with it."""
    found = raw.get("id") if isinstance(raw, Mapping) else None
    return found[:64] if isinstance(found, str) else ""


def take_entry(
    raw: Any,
    *,
    event: RecruitmentEvent,
    key: KitKey,
    moment: Moment,
    skew: timedelta | None,
    by_file: bool = False,
    again: bool = False,
) -> Receipt:
    """Store one entry. ``skew`` is how far the device's clock is ahead of ours, as just measured; None when the entry
    came by hand, and what was last measured on its device counts. ``again``: it was kept aside, and somebody tries it.

    1. Read the envelope.
    2. One that we have is acknowledged again, if it says the same.
    3. Find the device it names, and check that the device made it.
    4. Open it.
    5. Work out when it happened: by the device's clock, less what that is ahead.
    6. Do what it says, and keep that it is done, in the same transaction.

    Raises NotTaken, after which the caller rolls back and calls ``keep_aside``.
    """
    try:
        envelope = read_envelope(raw, DOOR)
    except NotAnEnvelope as fault:
        raise NotTaken(AsideReason.SHAPE) from fault
    known = db.session.scalars(select(KitEntry).where(KitEntry.client_id == envelope.client_id)).first()
    if known is not None and known.body_digest == envelope.digest:
        return Receipt(envelope.client_id, "known")
    if not again and _aside_already(event, _digest(raw)) is not None:
        return Receipt(envelope.client_id, "aside")
    if envelope.about_id != event.id:
        raise NotTaken(AsideReason.OTHER_EVENT)
    device = db.session.scalars(
        select(KitDevice).where(KitDevice.public_id == envelope.device_id, KitDevice.event_id == event.id)
    ).first()
    if device is None:
        raise NotTaken(AsideReason.UNKNOWN_DEVICE)
    said = _open(envelope, device, key)
    if known is not None:
        raise NotTaken(AsideReason.OTHER_WORDS, said=said)
    measured = timedelta(milliseconds=device.skew_ms) if skew is None else skew
    occurred_at = when_it_happened(envelope.written_at, skew=measured, event=event, now=moment.now)
    try:
        kind = _do(said, envelope, event=event, device=device, occurred_at=occurred_at, moment=moment)
    except Refusal as refusal:
        raise NotTaken(AsideReason.REFUSED, why=refusal.message, said=said) from refusal
    except DBAPIError:
        raise
    except Exception as fault:
        # It must neither be lost nor stand in the way of what comes after it.
        raise NotTaken(AsideReason.REFUSED, why=FAULT_OF_OURS, said=said, fault=fault) from fault
    entry = KitEntry(
        event_id=event.id,
        device_id=device.id,
        client_id=envelope.client_id,
        counter=envelope.counter,
        kind=kind,
        written_at=envelope.written_at,
        occurred_at=occurred_at,
        received_at=moment.now,
        skew_ms=measured // timedelta(milliseconds=1),
        by_file=by_file,
        body_digest=envelope.digest,
    )
    db.session.add(entry)
    db.session.flush()
    return Receipt(envelope.client_id, "stored")


def keep_aside(
    raw: Any, refused: NotTaken, *, event: RecruitmentEvent, device: KitDevice | None, now: datetime
) -> Receipt:
    """Keep an entry that could not be taken, sealed, once, for a person to look at."""
    client_id = client_id_of(raw)
    words = refused.why or REASON_WORDS[refused.reason]
    digest = _digest(raw)
    if _aside_already(event, digest) is None:
        aside = KitAside(
            event_id=event.id,
            device_id=device.id if device is not None else None,
            digest=digest,
            reason=refused.reason,
            received_at=now,
        )
        aside.content = _content(raw, refused)
        db.session.add(aside)
        db.session.flush()
        record(
            "kit.entry_aside",
            actor=SYSTEM,
            at=now,
            subject=f"kit_aside:{aside.id}",
            detail={"event": event.id, "reason": str(refused.reason)},
        )
    return Receipt(client_id, "aside", words)


def _content(raw: Any, refused: NotTaken) -> str:
    return json.dumps({"came": raw, "said": refused.said, "why": refused.why or REASON_WORDS[refused.reason]})


# --- What was kept aside, once more -----------------------------------------------------------------------------------


def try_again(aside: KitAside, *, moment: Moment, actor: Actor) -> NotTaken | None:
    """Take in an entry that was kept aside as if it had just come: None once it is stored, else why it still is not.

    What was in its way may have been put right: a guest who was not on the list, a fault of ours. One that was written
    for another event is stored at that one. Nothing of the entry is lost by trying. Raises DealtWithAlready.
    """
    require(actor, Permission.MANAGE_EVENTS)
    kit.hold_aside(aside)
    came = json.loads(aside.content or "{}").get("came")
    try:
        with db.session.begin_nested():
            _take_where_it_belongs(came, aside, moment=moment)
    except NotTaken as fault:
        refused = fault
    except IntegrityError as fault:
        refused = NotTaken(AsideReason.REFUSED, why=FAULT_OF_OURS, fault=fault)
    else:
        kit.settle_aside(aside, how=SettledHow.STORED, actor=actor, now=moment.now)
        return None
    if refused.said is None:
        refused.said = json.loads(aside.content or "{}").get("said")
    aside.reason, aside.content = refused.reason, _content(came, refused)
    db.session.flush()
    record(
        "kit.aside_tried",
        actor=actor,
        at=moment.now,
        subject=f"kit_aside:{aside.id}",
        detail={"reason": str(refused.reason)},
    )
    return refused


def _take_where_it_belongs(came: Any, aside: KitAside, *, moment: Moment) -> None:
    try:
        event_id = read_envelope(came, DOOR).about_id
    except NotAnEnvelope as fault:
        raise NotTaken(AsideReason.SHAPE) from fault
    event = db.session.get(RecruitmentEvent, event_id)
    key = kit.key_of(event) if event is not None else None
    if event is None or key is None:
        raise NotTaken(AsideReason.OTHER_EVENT)
    take_entry(came, event=event, key=key, moment=moment, skew=None, by_file=aside.device_id is None, again=True)


def settle_with_guest(
    aside: KitAside, guest_id: int, *, event: RecruitmentEvent, actor: Actor, now: datetime
) -> EventGuest:
    """Somebody says whom an entry is about: that guest of its event is checked in when the entry says, or not any more
    where it took a check-in back. What else it said that could be read goes with them.

    Raises DealtWithAlready, NotAtTheDoor, NotOnTheList.
    """
    require(actor, Permission.MANAGE_EVENTS)
    kit.hold_aside(aside)
    content = json.loads(aside.content or "{}")
    said = content.get("said") or {}
    tap = attendance.undo if said.get("kind") == KitEntryKind.UNDO else attendance.check_in
    happened_at = _moment_of(content.get("came"), event, now=now)
    guest = tap(event, guest_id, entry_id=f"aside:{aside.id}", happened_at=happened_at, actor=actor, now=now).guest
    _give(guest, said, now=now)
    kit.settle_aside(aside, how=SettledHow.GUEST, guest_id=guest.id, actor=actor, now=now)
    return guest


def _moment_of(came: Any, event: RecruitmentEvent, *, now: datetime) -> datetime:
    """When an entry happened by our clock, where that can be read; else the latest moment that it can have been."""
    try:
        envelope = read_envelope(came, DOOR)
    except NotAnEnvelope:
        return min(now, event.ends_at)
    device = db.session.scalars(select(KitDevice).where(KitDevice.public_id == envelope.device_id)).first()
    skew = timedelta(milliseconds=device.skew_ms) if device is not None else timedelta()
    return when_it_happened(envelope.written_at, skew=skew, event=event, now=now)


def _give(guest: EventGuest, said: Mapping[str, Any], *, now: datetime) -> None:
    """What somebody said at the door, kept with the guest they turn out to be. Nothing that they said before goes."""
    row = guest.sign_up
    row.wants_call = row.wants_call or said.get("ring") == "yes"
    if row.interest is None and said.get("interest") in INTERESTS:
        row.interest = said["interest"]
    if note := text_of(said, "note", longest=1000):
        row.question = f"{row.question}\n{note}" if row.question else note
    try:
        consents = _consents(said)
    except EntryNotRight:
        consents = ()  # a wording that was never in use: nobody is taken at a word they were not shown
    attendance.add_consents(guest, NewPerson(given_name=guest.given_name, consents=consents), now=now)
    db.session.flush()


def when_it_happened(written_at: datetime, *, skew: timedelta, event: RecruitmentEvent, now: datetime) -> datetime:
    """The moment of an entry by our clock. Where even that can't be (before the event, or still to come), its clock was
    changed in between, and the latest moment that can be stands for it."""
    moment = written_at - skew
    if event.starts_at - BEFORE_IT_STARTS <= moment <= now:
        return moment
    return min(now, event.ends_at)


def _open(envelope: Envelope, device: KitDevice, key: KitKey) -> dict[str, Any]:
    try:
        check_signature(envelope, device.signing_key)
    except NotSigned as fault:
        raise NotTaken(AsideReason.FORGED) from fault
    if key.private_key is None:
        raise NotTaken(AsideReason.SEALED)
    try:
        return open_envelope(envelope, private_key=key.private_key, public_key=key.public_key)
    except NotOpened as fault:
        raise NotTaken(AsideReason.SEALED) from fault


def _digest(raw: Any) -> str:
    return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()


def _aside_already(event: RecruitmentEvent, digest: str) -> int | None:
    return db.session.scalars(
        select(KitAside.id).where(KitAside.event_id == event.id, KitAside.digest == digest)
    ).first()


# --- What an entry says -----------------------------------------------------------------------------------------------


def _do(
    said: Mapping[str, Any],
    envelope: Envelope,
    *,
    event: RecruitmentEvent,
    device: KitDevice,
    occurred_at: datetime,
    moment: Moment,
) -> KitEntryKind:
    """Do what an entry says. Gives its kind. Raises Refusal."""
    try:
        kind = KitEntryKind(said.get("kind", ""))
    except ValueError as fault:
        raise EntryNotRight("It says something that this release does not know.") from fault
    entry_id = f"kit:{envelope.client_id}"
    staff = _who_set_up(device)
    if kind in (KitEntryKind.CHECK_IN, KitEntryKind.UNDO):
        tap = attendance.check_in if kind is KitEntryKind.CHECK_IN else attendance.undo
        guest_id = said.get("guest")
        if type(guest_id) is not int or not 0 < guest_id <= LARGEST_COUNTER:
            raise EntryNotRight("It does not say who was checked in.")
        tap(event, guest_id, entry_id=entry_id, happened_at=occurred_at, actor=staff, now=moment.now)
        return kind
    people = _people(said, kind)
    if kind is KitEntryKind.SIGN_IN:
        booked = _booked(event, people[0])
        if booked is not None:
            attendance.check_in(
                event, booked.id, entry_id=entry_id, happened_at=occurred_at, actor=staff, now=moment.now
            )
            booked.sign_up.wants_call = booked.sign_up.wants_call or said.get("ring") == "yes"
            attendance.add_consents(booked, people[0], now=moment.now)
            return kind
    attendance.walk_in(
        event,
        entry_id=entry_id,
        people=people,
        happened_at=occurred_at,
        actor=staff if kind is KitEntryKind.WALK_IN else VISITOR,
        now=moment.now,
        today=moment.today,
        rulebook=moment.rulebook,
        postcode=_postcode(said),
        interest=said["interest"] if said.get("interest") in INTERESTS else None,
        said=text_of(said, "note", longest=1000),
        wants_no_call=kind is KitEntryKind.SIGN_IN and said.get("ring") != "yes",
    )
    return kind


def _booked(event: RecruitmentEvent, person: NewPerson) -> EventGuest | None:
    """Whoever signs in and had signed up: the same first name with the same phone or email, or, where only a name was
    given, the only one on the list who is called that. A mere likeness makes somebody new, for a person to compare."""
    on_list = (
        select(EventGuest)
        .join(EventSignUp, EventSignUp.id == EventGuest.sign_up_id)
        .where(EventGuest.event_id == event.id, EventSignUp.source != SignUpSource.WALK_IN)
        .options(selectinload(EventGuest.sign_up))
    )
    given, family = keys.name_key(person.given_name), keys.name_key(person.family_name)
    if person.email:
        on_list = on_list.where(EventGuest.email_key == keys.email_key(person.email))
    elif person.phone:
        on_list = on_list.where(EventGuest.phone_key == keys.phone_key(person.phone))
    elif not family:
        return None
    found = [
        guest
        for guest in db.session.scalars(on_list)
        if keys.name_key(guest.given_name) == given
        and (person.email or person.phone or keys.name_key(guest.family_name) == family)
    ]
    return found[0] if len(found) == 1 else None


VISITOR = replace(PUBLIC, display_name="Signed in at the event")


def _who_set_up(device: KitDevice) -> Actor:
    """Whoever set the device up stands for what is done on it. Where they have left since, the system does."""
    user = db.session.get(User, device.set_up_by_id)
    if user is None or not user.active or not user.as_actor().has(Permission.LOG_ENQUIRY):
        return SYSTEM
    return user.as_actor()


def _people(said: Mapping[str, Any], kind: KitEntryKind) -> list[NewPerson]:
    person = _person(said)
    partner = text_of(said, "partner", longest=100)
    if kind is KitEntryKind.WALK_IN and said.get("who") == "couple" and partner:
        return [person, _partner(partner, person)]
    return [person]


def _person(said: Mapping[str, Any]) -> NewPerson:
    given = text_of(said, "given_name", longest=100)
    if not given:
        raise EntryNotRight("It gives no first name.")
    reach = text_of(said, "reach", longest=254) or ""
    email, phone = (reach, None) if "@" in reach else (None, reach or None)
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        raise EntryNotRight("The email address can’t be read.")
    if phone and len(re.sub(r"\D", "", phone)) < 6:
        raise EntryNotRight("The phone number can’t be read.")
    return NewPerson(
        given_name=given,
        family_name=text_of(said, "family_name", longest=100),
        phone=phone,
        email=email,
        contact_times=TIMES.get(str(said.get("contact_times"))),
        no_voicemail=said.get("no_voicemail") is True,
        consents=_consents(said),
        facts=_privacy(said),
    )


def _partner(name: str, first: NewPerson) -> NewPerson:
    given, _, family = name.partition(" ")
    return NewPerson(
        given_name=given,
        family_name=family or first.family_name,
        role=PersonRole.APPLICANT_2,
        no_voicemail=first.no_voicemail,
    )


def _consents(said: Mapping[str, Any]) -> tuple[NewConsent, ...]:
    """What was ticked, each channel by itself, with the version of the words that stood on that screen."""
    news = said.get("news")
    if not isinstance(news, Mapping):
        return ()
    found = []
    for channel in NEWS_CHANNELS:
        version = news.get(channel)
        if version is None:
            continue
        try:
            policy.wording_of_version(f"consent.{channel}", str(version))
        except KeyError as fault:
            raise EntryNotRight("It names a wording of the question on news that was never in use.") from fault
        found.append(NewConsent(channel, True, str(version)))
    return tuple(found)


def _privacy(said: Mapping[str, Any]) -> dict[str, str]:
    version = said.get("privacy")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        return {}
    how = "said aloud" if said.get("kind") == KitEntryKind.WALK_IN else "shown on the screen"
    return {"privacy_notice": f"Version {version}, {how}"}


def _postcode(said: Mapping[str, Any]) -> str | None:
    postcode = text_of(said, "postcode", longest=12)
    return postcode if postcode and keys.district(postcode) else None


_UNWANTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def text_of(said: Mapping[str, Any], name: str, *, longest: int) -> str | None:
    """One answer, without what no name or note needs; cut rather than refused: nobody is there to shorten it."""
    value = said.get(name)
    if not isinstance(value, str):
        return None
    return _UNWANTED.sub("", value).strip()[:longest].strip() or None

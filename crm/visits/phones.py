"""Phones that are used on a visit without signal: setting one up, and taking in what it kept, each thing once.

A phone forgets an entry when it is told that we have it, so that is said after the commit and never before. Whatever
comes is either done or kept aside, so that nothing is lost and nothing is sent again for ever.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from crm.access.envelopes import (
    VISIT,
    Envelope,
    NotAnEnvelope,
    NotOpened,
    NotSigned,
    check_signature,
    is_public_key,
    new_key_pair,
    open_envelope,
    read_envelope,
)
from crm.access.queries import user_with
from crm.access.tokens import digest_of, has_shape, new_token
from crm.audit import record
from crm.cases.models import Case
from crm.db import db, rows_changed
from crm.files.pictures import MEDIA
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.visits import attendance, lone_working, photos, report
from crm.visits.models import Visit
from crm.visits.phone_models import VisitEntry, VisitPhone
from crm.visits.questions import ITEMS, PART, SAFETY_WORDS

SENDS_FOR = timedelta(days=3)
"""How long after the end of a visit a phone may go on sending: people drive home, and write up the next day."""
KEPT_FOR = timedelta(days=28)
PHONES_AT_MOST = 12
LONGEST_TEXT = 4000
LONGEST_NOTE = 1000
STAYS_MOST = 12 * 60


class PhoneNotRight(Refusal):
    """This phone can't be made ready for having no signal."""

    default_status = 422


class PhoneMayNot(Refusal):
    """The token is nobody's, or its time is over: the two are never told apart."""

    default_status = 401

    def __init__(self) -> None:
        super().__init__("This phone may not send to this visit any more. Sign in and open the visit again.")


class NotDone(Exception):
    """An entry can't be done as it came. ``said`` is what it says, where that could be read."""

    def __init__(self, why: str, *, said: Mapping[str, Any] | None = None, fault: Exception | None = None) -> None:
        super().__init__(why)
        self.why, self.said, self.fault = why, said, fault


@dataclass(frozen=True)
class Moment:
    """With what an entry is taken in."""

    now: datetime
    today: date
    rulebook: Rulebook


def set_up_phone(
    visit: Visit, *, signing_key: str, skew_ms: int, actor: Actor, now: datetime
) -> tuple[VisitPhone, str]:
    """Let the phone in hand add to one visit, in the name of the officer who holds it. Gives its row and its token,
    which can't be read back later. Raises NotTheirVisit, PhoneNotRight."""
    attendance.check_may_record(visit, actor)
    ends_at = visit.ends_at + SENDS_FOR
    if ends_at <= now or actor.user_id is None:
        raise PhoneNotRight("This visit is too long over to write it up without signal.")
    if not is_public_key(signing_key):
        raise PhoneNotRight("This browser can’t seal what is typed, so it needs signal for this.")
    known = select(VisitPhone.id).where(VisitPhone.visit_id == visit.id, VisitPhone.user_id == actor.user_id)
    if len(db.session.scalars(known).all()) >= PHONES_AT_MOST:
        raise PhoneNotRight("This visit was opened on too many phones already.")
    public, private = new_key_pair()
    token = new_token()
    phone = VisitPhone(
        visit_id=visit.id,
        user_id=actor.user_id,
        public_id=secrets.token_hex(16),
        token_hash=digest_of(token),
        signing_key=signing_key,
        public_key=public,
        set_up_at=now,
        ends_at=ends_at,
        last_heard_at=now,
        skew_ms=skew_ms,
    )
    phone.private_key = private
    db.session.add(phone)
    db.session.flush()
    record("phone.set_up", actor=actor, at=now, case_id=visit.case_id, subject=f"visit:{visit.id}")
    return phone, token


def phone_with(token: str, *, now: datetime) -> tuple[VisitPhone, Visit, Case]:
    """The phone behind a token, with its visit and case. Raises PhoneMayNot."""
    row = None
    if has_shape(token):
        row = db.session.execute(
            select(VisitPhone, Visit, Case)
            .join(Visit, Visit.id == VisitPhone.visit_id)
            .join(Case, Case.id == Visit.case_id)
            .where(VisitPhone.token_hash == digest_of(token), VisitPhone.ends_at > now)
        ).first()
    if row is None or not user_with(row[0].user_id).active:
        raise PhoneMayNot
    return row[0], row[1], row[2]


def picture_in(raw: Any, *, phone_id: int) -> bytes | None:
    """The photo in an entry that we do not have yet, as it was taken; None for any other entry, and for what makes no
    sense. Only looks."""
    try:
        envelope, phone, known = _known(raw, phone_id)
        said = _open(envelope, phone) if known is None else {}
        return _picture(said) if said.get("do") == "photo" else None
    except (NotDone, PhoneNotRight):
        return None


def take_entry(
    raw: Any, *, phone_id: int, skew: timedelta, moment: Moment, taken: photos.Taken | None = None
) -> tuple[str, str]:
    """Do what one entry says; its number and ``done`` or ``known`` (we had it).

    1. Read the envelope, and see that it is of this visit and was made by this phone.
    2. One that we have is acknowledged again, if it says the same.
    3. Open it, and work out when it happened: by the phone's clock, less what that is ahead.
    4. Do it in the name of the officer, and keep that it is done, in the same transaction.

    Raises NotDone, after which the caller rolls back and calls ``keep_aside``.
    """
    envelope, phone, known = _known(raw, phone_id)
    if known is not None:
        if known.body_digest != envelope.digest:
            raise NotDone("An entry with the same number is here already, and says something else.")
        return envelope.client_id, "known"
    visit = db.session.get_one(Visit, phone.visit_id)
    case = db.session.get_one(Case, visit.case_id)
    said = _open(envelope, phone)
    if said.get("do") == "photo":  # should it be kept aside, then as it was drawn anew
        drawn = taken.picture.content if taken is not None and taken.picture is not None else b""
        said = {**said, "picture": base64.b64encode(drawn).decode()}
    at = min(envelope.written_at - skew, moment.now)
    try:
        actor = user_with(phone.user_id).as_actor()
        kind = _do(said, visit, case, taken=taken, at=at, actor=actor, moment=moment)
    except Refusal as refusal:
        raise NotDone(refusal.message, said=said) from refusal
    except DBAPIError:
        raise
    except Exception as fault:
        # It must neither be lost nor stand in the way of what comes after it.
        raise NotDone("Something went wrong here. It is our fault, and has been noted.", said=said, fault=fault) from (
            fault
        )
    _keep(envelope, phone, kind=kind, at=at, now=moment.now)
    return envelope.client_id, "done"


def keep_aside(raw: Any, refused: NotDone, *, phone_id: int, skew: timedelta, now: datetime) -> tuple[str, str]:
    """Keep an entry that could not be done, sealed, once, for a person to look at. What can't be told from noise has no
    number: it is named back so that it goes, and nothing of it is kept."""
    try:
        envelope, phone, known = _known(raw, phone_id)
    except NotDone:
        number = raw.get("id") if isinstance(raw, Mapping) else None
        return (number[:64] if isinstance(number, str) else ""), "aside"
    if known is None:
        at = min(envelope.written_at - skew, now)
        entry = _keep(envelope, phone, kind="unread", at=at, now=now)
        entry.why = refused.why[:300]
        entry.content = json.dumps(refused.said or {})
        db.session.flush()
        record(
            "phone.entry_aside",
            actor=user_with(phone.user_id).as_actor(),
            at=now,
            case_id=db.session.get_one(Visit, phone.visit_id).case_id,
            subject=f"visit:{phone.visit_id}",
        )
    return envelope.client_id, "aside"


def _known(raw: Any, phone_id: int) -> tuple[Envelope, VisitPhone, VisitEntry | None]:
    phone = db.session.get_one(VisitPhone, phone_id)
    try:
        envelope = read_envelope(raw, VISIT)
        check_signature(envelope, phone.signing_key)
    except (NotAnEnvelope, NotSigned) as fault:
        raise NotDone("It was not written by this phone, or was altered on the way.") from fault
    if envelope.about_id != phone.visit_id or envelope.device_id != phone.public_id:
        raise NotDone("It was written for another visit.")
    known = db.session.scalars(select(VisitEntry).where(VisitEntry.client_id == envelope.client_id)).first()
    return envelope, phone, known


def _open(envelope: Envelope, phone: VisitPhone) -> dict[str, Any]:
    if phone.private_key is None:
        raise NotDone("It can’t be opened any more: the key has been destroyed.")
    try:
        return open_envelope(envelope, private_key=phone.private_key, public_key=phone.public_key)
    except NotOpened as fault:
        raise NotDone("It can’t be opened: it was sealed for another phone, or altered on the way.") from fault


def _keep(envelope: Envelope, phone: VisitPhone, *, kind: str, at: datetime, now: datetime) -> VisitEntry:
    entry = VisitEntry(
        visit_id=phone.visit_id,
        phone_id=phone.id,
        client_id=envelope.client_id,
        counter=envelope.counter,
        kind=kind,
        written_at=envelope.written_at,
        occurred_at=at,
        received_at=now,
        body_digest=envelope.digest,
    )
    db.session.add(entry)
    db.session.flush()
    return entry


def _do(
    said: Mapping[str, Any],
    visit: Visit,
    case: Case,
    *,
    taken: photos.Taken | None,
    at: datetime,
    actor: Actor,
    moment: Moment,
) -> str:
    kind = said.get("do")
    if kind == "in":
        minutes = said.get("minutes")
        lone_working.check_in(visit, at=at, minutes=_minutes(minutes) if minutes else None, actor=actor, now=moment.now)
    elif kind == "longer":
        lone_working.need_longer(visit, minutes=_minutes(said.get("minutes")), at=at, actor=actor, now=moment.now)
    elif kind == "help":
        lone_working.ask_for_help(visit, at=at, actor=actor, now=moment.now)
    elif kind == "out":
        lone_working.check_out(
            visit, case, at=at, actor=actor, now=moment.now, today=moment.today, rulebook=moment.rulebook
        )
    elif kind == "missed":
        _did_not_happen(said, visit, case, actor=actor, moment=moment)
    elif kind == "photo":
        report.check_writable(visit, actor)
        if taken is None:
            raise PhoneNotRight("It holds no picture.")
        photos.add_photo(visit, _words(said.get("item"), longest=20), taken, actor=actor, now=moment.now)
    elif kind == "part":
        number = said.get("part")
        part = PART.get(number) if type(number) is int else None
        if part is None:
            raise PhoneNotRight("It names no part of the report.")
        report.save_from_phone(
            visit, part=part, answers=_answers(said), items=_items(said), at=at, actor=actor, now=moment.now
        )
    else:
        raise PhoneNotRight("It says nothing that we know.")
    return str(kind)


def _did_not_happen(said: Mapping[str, Any], visit: Visit, case: Case, *, actor: Actor, moment: Moment) -> None:
    what, note = said.get("what"), _words(said.get("note"), longest=LONGEST_NOTE)
    if what == "unsafe":
        attendance.record_abandoned(
            visit, case, note=note, actor=actor, now=moment.now, today=moment.today, rulebook=moment.rulebook
        )
    elif what in ("no_access", "refused"):
        attendance.record_no_access(
            visit,
            case,
            note=note,
            was_refused=what == "refused",
            actor=actor,
            now=moment.now,
            today=moment.today,
            rulebook=moment.rulebook,
        )
    else:
        raise PhoneNotRight("It does not say why the visit did not happen.")


def _minutes(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= STAYS_MOST:
        raise PhoneNotRight("It names no length of time.")
    return int(value)


def _words(value: Any, *, longest: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        raise PhoneNotRight("It says something that is no text, or longer than we keep.")
    return value


def _picture(said: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(str(said.get("picture") or ""), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise PhoneNotRight("It holds no picture.") from fault


def _answers(said: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Key of a question to what was written, and the digest of what stood there before."""
    found = {}
    given = said.get("answers")
    for key, value in (given if isinstance(given, dict) else {}).items():
        text, was = (value.get("text"), value.get("was")) if isinstance(value, dict) else (None, None)
        if isinstance(text, str) and isinstance(was, str) and len(text) <= LONGEST_TEXT and "\0" not in text:
            found[key] = (text, was)
    return found


def _items(said: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    given = said.get("items")
    for key, value in (given if isinstance(given, dict) else {}).items():
        if not isinstance(value, dict) or not isinstance(value.get("state"), str):
            continue
        todo, by = value.get("todo"), value.get("by")
        try:
            on = date.fromisoformat(by) if isinstance(by, str) and by else None
        except ValueError:
            on = None
        found[key] = {"state": value["state"], "todo": todo[:500] if isinstance(todo, str) else "", "by": on}
    return found


# --- Kept aside, and dropped ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Aside:
    """What a phone brought and could not be done, as a person is shown it."""

    entry_id: int
    occurred_at: datetime
    why: str
    did: str
    """What it was to do, in words; empty where that can't be read."""
    texts: tuple[str, ...]
    picture: str
    """A photo, as a page shows it without a file; empty where it was none."""


DID_WORDS = {
    "in": "Checked in.",
    "out": "Checked out.",
    "longer": "Needed longer.",
    "help": "Asked for help.",
    "missed": "The visit did not happen.",
    "part": "Wrote in the report.",
    "photo": "Took a photo.",
}


def aside_of(visit: Visit) -> list[Aside]:
    """What came from phones for a visit and waits for a person, the oldest first."""
    rows = db.session.scalars(
        select(VisitEntry)
        .where(VisitEntry.visit_id == visit.id, VisitEntry.why.is_not(None), VisitEntry.settled_at.is_(None))
        .order_by(VisitEntry.occurred_at, VisitEntry.id)
    )
    return [_shown(row, json.loads(row.content or "{}")) for row in rows]


def _shown(row: VisitEntry, said: Mapping[str, Any]) -> Aside:
    did = said.get("do")
    return Aside(
        entry_id=row.id,
        occurred_at=row.occurred_at,
        why=row.why or "",
        did=DID_WORDS.get(did, "") if isinstance(did, str) else "",
        texts=_texts(said),
        picture=_shown_picture(said),
    )


def _texts(said: Mapping[str, Any]) -> tuple[str, ...]:
    """The words in an entry, as they are shown beside what it was to do."""
    note, item = said.get("note"), said.get("item")
    found = [text for text, _was in _answers(said).values()]
    for key, finding in _items(said).items():
        words = (ITEMS[key].label, SAFETY_WORDS.get(finding["state"], ""), finding["todo"]) if key in ITEMS else ()
        found.append(", ".join(word for word in words if word))
    found += [ITEMS[item].label] if isinstance(item, str) and item in ITEMS else []
    found += [note] if isinstance(note, str) else []
    return tuple(text for text in found if text)


def _shown_picture(said: Mapping[str, Any]) -> str:
    if said.get("do") != "photo":
        return ""
    drawn = said.get("picture")
    return f"data:{MEDIA};base64,{drawn}" if drawn else ""


def settle_aside(visit: Visit, entry_id: int, *, actor: Actor, now: datetime) -> None:
    """Somebody has seen to what was kept aside: what it said is dropped. Settled already, nothing changes."""
    attendance.check_may_record(visit, actor)
    settled = db.session.execute(
        update(VisitEntry)
        .where(
            VisitEntry.id == entry_id,
            VisitEntry.visit_id == visit.id,
            VisitEntry.why.is_not(None),
            VisitEntry.settled_at.is_(None),
        )
        .values(settled_at=now, settled_by_id=actor.user_id, content_sealed=None)
        .execution_options(synchronize_session="fetch")
    )
    if rows_changed(settled):
        record("phone.aside_settled", actor=actor, at=now, case_id=visit.case_id, subject=f"visit:{visit.id}")


def forget_phones(now: datetime) -> int:
    """Drop the keys of phones that may send no more, and of those long past what they brought; how many keys. For
    the timetable."""
    spent = db.session.execute(
        update(VisitPhone)
        .where(VisitPhone.ends_at <= now, VisitPhone.private_key_sealed.is_not(None))
        .values(private_key_sealed=None)
        .execution_options(synchronize_session="fetch")
    )
    old = select(VisitPhone.id).where(VisitPhone.ends_at <= now - KEPT_FOR)
    db.session.execute(
        delete(VisitEntry)
        .where(VisitEntry.phone_id.in_(old), VisitEntry.content_sealed.is_(None))
        .execution_options(synchronize_session="fetch")
    )
    return rows_changed(spent)

"""Secret links in letters by which a person tells us something about being written to, without signing in (G29).

A link is for one person and one purpose, ends, and can be ended now. Looking at it does nothing: what it says is
done by the form behind it, so that a mail scanner which follows every link stops nobody's letters.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select

from crm.cases.models import ContactLink, Person
from crm.db import db, rows_changed
from crm.delivery.post_room import post_room

STOP_GOOD_FOR = timedelta(days=400)
"""An old letter's link still stops us a year on (PECR reg 22(3)(c): a simple means with each message)."""
STOP_RENEWED_AFTER = timedelta(days=30)
"""Letters of this time carry the same link, so that a link of each letter is good for a year at least."""
CONFIRM_GOOD_FOR = timedelta(days=30)
_TOKEN_BYTES = 24


class Purpose(StrEnum):
    """What a link is for."""

    STOP = "stop"
    CONFIRM = "confirm"


def stop_link(person: Person, *, now: datetime) -> str:
    """The address where this person can tell us to stop."""
    newest = db.session.scalar(
        select(ContactLink)
        .where(ContactLink.person_id == person.id, ContactLink.purpose == Purpose.STOP)
        .order_by(ContactLink.id.desc())
        .limit(1)
    )
    if newest is not None and newest.ends_at > now and newest.made_at > now - STOP_RENEWED_AFTER:
        token = _token(Purpose.STOP, person.id, newest.serial)
        if _digest(token) == newest.token_digest:
            return _url(Purpose.STOP, token)
    return _new_link(person, Purpose.STOP, now=now, good_for=STOP_GOOD_FOR)


def nobodys_stop_link() -> str:
    """What stands for the link in a test of a letter: an address of ours that stops nobody."""
    return _url(Purpose.STOP, base64.urlsafe_b64encode(bytes(_TOKEN_BYTES)).decode())


def confirm_link(person: Person, *, address_key: str, now: datetime) -> str:
    """The address where this person says that an email address is theirs. Earlier links of the kind end."""
    db.session.execute(
        delete(ContactLink).where(ContactLink.person_id == person.id, ContactLink.purpose == Purpose.CONFIRM)
    )
    return _new_link(person, Purpose.CONFIRM, now=now, good_for=CONFIRM_GOOD_FOR, address_key=address_key)


def link_with(token: str, purpose: Purpose, *, now: datetime) -> ContactLink | None:
    """The link that this token opens, while it is good; None otherwise, with no word on why."""
    found = db.session.scalar(select(ContactLink).where(ContactLink.token_digest == _digest(token)))
    return found if found is not None and found.purpose == purpose and found.ends_at > now else None


def forget_ended(*, now: datetime) -> int:
    """Drop links that nobody can use any more; how many."""
    return rows_changed(db.session.execute(delete(ContactLink).where(ContactLink.ends_at <= now)))


def _new_link(
    person: Person, purpose: Purpose, *, now: datetime, good_for: timedelta, address_key: str | None = None
) -> str:
    serial = secrets.token_hex(16)
    token = _token(purpose, person.id, serial)
    db.session.add(
        ContactLink(
            person_id=person.id,
            purpose=purpose,
            serial=serial,
            token_digest=_digest(token),
            address_key=address_key,
            made_at=now,
            ends_at=now + good_for,
        )
    )
    db.session.flush()
    return _url(purpose, token)


def _token(purpose: Purpose, person_id: int, serial: str) -> str:
    key = hmac.digest(post_room().recipient_secret, b"contact link 1", "sha256")
    raw = hmac.digest(key, f"{purpose}|{person_id}|{serial}".encode(), "sha256")[:_TOKEN_BYTES]
    return base64.urlsafe_b64encode(raw).decode()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _url(purpose: Purpose, token: str) -> str:
    page = {Purpose.STOP: "stop", Purpose.CONFIRM: "confirm-email"}[purpose]
    return f"{post_room().base_url}/{page}/{token}"

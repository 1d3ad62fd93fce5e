"""Enquiries that a website of the service's own hands in: its key, and each enquiry once.

A key is shown when it is made and never again; only its digest is kept. The same enquiry again, under the id that the
website gave it, gets the same answer; another enquiry under that id is refused.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import delete, select

from crm.audit import record
from crm.cases.models import Channel
from crm.db import db, rows_changed
from crm.enquiries.models import IntakeReceipt, IntakeWebsite
from crm.enquiries.submitting import Sent, take_in
from crm.rules.permissions import PUBLIC, Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

PREFIX = "doorstep_"
"""Keys begin with it, so that one left lying in a program's text is found by those who look for such things."""
NOTE_USE_EVERY = timedelta(minutes=1)


class WebsiteNotFound(Refusal):
    """There is no website with this number."""

    default_status = 404

    def __init__(self) -> None:
        super().__init__("There is no such website.")


class KeyTakenBack(Refusal):
    """The website's key was taken back."""

    default_status = 409


class AnotherUnderThisId(Refusal):
    """The website gave two enquiries the same id."""

    default_status = 409


@dataclass(frozen=True)
class Taken:
    """What the website is told: no reference, nothing about anybody."""

    receipt: str
    contact_by_on: date


# --- Keys -------------------------------------------------------------------------------------------------------------


def make_website(*, name: str, actor: Actor, now: datetime) -> tuple[IntakeWebsite, str]:
    """A website that may hand enquiries in, and its key: shown now, and never again."""
    require(actor, Permission.MANAGE_SETTINGS)
    key = _new_key()
    row = IntakeWebsite(
        name=name.strip(), key_hash=_digest(key), key_ending=key[-4:], made_at=now, made_by_id=actor.user_id
    )
    db.session.add(row)
    db.session.flush()
    record("website.made", actor=actor, at=now, subject=f"website:{row.id}")
    return row, key


def change_key(row: IntakeWebsite, *, actor: Actor, now: datetime) -> str:
    """A new key for a website; the one before stops working at once. Raises KeyTakenBack."""
    require(actor, Permission.MANAGE_SETTINGS)
    if row.withdrawn_at is not None:
        raise KeyTakenBack(f"The key of {row.name} was taken back. Add the website again to give it another.")
    key = _new_key()
    row.key_hash, row.key_ending = _digest(key), key[-4:]
    record("website.new_key", actor=actor, at=now, subject=f"website:{row.id}")
    return key


def take_key_back(row: IntakeWebsite, *, actor: Actor, now: datetime) -> None:
    """The website hands in nothing more from now on."""
    require(actor, Permission.MANAGE_SETTINGS)
    if row.withdrawn_at is None:
        row.withdrawn_at = now
        record("website.withdrawn", actor=actor, at=now, subject=f"website:{row.id}")


def websites() -> list[IntakeWebsite]:
    """Every website there ever was, those in use first."""
    query = select(IntakeWebsite).order_by(
        IntakeWebsite.withdrawn_at.is_not(None), IntakeWebsite.name, IntakeWebsite.id
    )
    return list(db.session.scalars(query))


def website_with(website_id: int) -> IntakeWebsite:
    """One website. Raises WebsiteNotFound."""
    row = db.session.get(IntakeWebsite, website_id)
    if row is None:
        raise WebsiteNotFound
    return row


def website_behind(key: str) -> IntakeWebsite | None:
    """The website that a key belongs to, whether or not it was taken back; None where it is nobody's."""
    if not key.startswith(PREFIX):
        return None
    return db.session.scalars(select(IntakeWebsite).where(IntakeWebsite.key_hash == _digest(key))).first()


def _new_key() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


# --- Taking in --------------------------------------------------------------------------------------------------------


def one_time_id_for(website_id: int, idempotency_key: str) -> str:
    """What a touch is known by that a website handed in."""
    return f"site:{website_id}:{hashlib.sha256(idempotency_key.encode()).hexdigest()[:48]}"


def taken_before(website: IntakeWebsite, *, idempotency_key: str, body_digest: str) -> Taken | None:
    """What the website was told when it handed this in before. Raises AnotherUnderThisId."""
    row = db.session.scalars(
        select(IntakeReceipt).where(
            IntakeReceipt.website_id == website.id, IntakeReceipt.idempotency_key == idempotency_key
        )
    ).first()
    if row is None:
        return None
    if row.body_digest != body_digest:
        raise AnotherUnderThisId(
            "This Idempotency-Key came before with another body. What came first is kept; nothing was changed."
        )
    return Taken(row.receipt, row.contact_by_on)


def take_in_once(
    website: IntakeWebsite,
    sent: Sent,
    *,
    idempotency_key: str,
    body_digest: str,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> Taken:
    """Take an enquiry in, with its receipt in the same transaction. IntegrityError where the same id is being handled
    at this moment."""
    taken = Taken(secrets.token_urlsafe(16), rulebook.respond_by(Channel.WEB, sent.received_at))
    db.session.add(
        IntakeReceipt(
            website_id=website.id,
            idempotency_key=idempotency_key,
            body_digest=body_digest,
            receipt=taken.receipt,
            contact_by_on=taken.contact_by_on,
            received_at=now,
        )
    )
    db.session.flush()
    take_in(sent, actor=PUBLIC, now=now, today=today, rulebook=rulebook)
    if website.last_used_at is None or now - website.last_used_at >= NOTE_USE_EVERY:
        website.last_used_at = now
    return taken


def forget_received_before(moment: datetime) -> int:
    """Drop the receipts of long ago; how many. For the timetable."""
    return rows_changed(db.session.execute(delete(IntakeReceipt).where(IntakeReceipt.received_at < moment)))

"""Passwords for calendar programs: one for each device, made for it, shown once, and taken back one by one.

160 random bits need no slow hash, and a program shows its password with every request. They open the officer's calendar
and nothing else; the password that a person signs in with opens no calendar.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from crm.access.models import AppPassword, User
from crm.access.sign_in import fold_email
from crm.audit import recording
from crm.db import db
from crm.rules.permissions import PUBLIC, Actor
from crm.rules.refusal import Refusal

LETTERS = "abcdefghjkmnpqrstuvwxyz023456789"
"""32 that are not taken for each other when they are typed from a screen into a phone."""
LENGTH, GROUP = 32, 4
MOST_AT_ONCE = 20
NOTE_USE_EVERY = timedelta(minutes=10)
USED_AGAIN_AFTER = timedelta(days=1)
"""A password that was not seen for so long has its next use in the trail."""
_PROGRAMS = (
    ("davx5", "DAVx5 on Android"),
    ("thunderbird", "Thunderbird"),
    ("caldavsynchronizer", "Outlook, with CalDav Synchronizer"),
    ("evolution", "GNOME Calendar or Evolution"),
    ("iphone", "iPhone"),
    ("ipad", "iPad"),
    ("ios/", "iPhone or iPad"),
    ("dataaccessd", "iPhone or iPad"),
    ("macos", "Mac"),
    ("mac os", "Mac"),
    ("calendaragent", "Mac"),
    ("vdirsyncer", "vdirsyncer"),
    ("python-caldav", "a Python program"),
    ("calcurse", "calcurse"),
)


class TooManyPasswords(Refusal):
    """So many devices nobody has: older ones are to be taken back first."""

    default_status = 422


class NoSuchPassword(Refusal):
    """There is no such password, or it is somebody else's: the two are never told apart."""

    default_status = 404


def make_password(*, user_id: int, name: str, actor: Actor, now: datetime) -> tuple[AppPassword, str]:
    """A password for a device, shown now and never again. Raises TooManyPasswords."""
    if len(passwords_of(user_id)) >= MOST_AT_ONCE:
        raise TooManyPasswords("You have twenty of these. Withdraw those of devices you no longer use.", field="name")
    letters = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    row = AppPassword(user_id=user_id, name=name.strip(), password_hash=_digest(letters), made_at=now)
    db.session.add(row)
    db.session.flush()
    recording.record("app_password.made", actor=actor, at=now, subject=f"app_password:{row.id}")
    return row, "-".join(letters[n : n + GROUP] for n in range(0, LENGTH, GROUP))


def withdraw_password(password_id: int, *, user_id: int, actor: Actor, now: datetime) -> AppPassword:
    """Take a password back: the device is out at its next request. Raises NoSuchPassword."""
    row = db.session.scalars(
        select(AppPassword).where(AppPassword.id == password_id, AppPassword.user_id == user_id)
    ).first()
    if row is None:
        raise NoSuchPassword("There is no such device here.")
    if row.withdrawn_at is None:
        row.withdrawn_at = now
        db.session.flush()
        recording.record("app_password.withdrawn", actor=actor, at=now, subject=f"app_password:{row.id}")
    return row


def withdraw_for_leaver(*, from_user_id: int, actor: Actor, now: datetime, **_rest: object) -> None:
    """Somebody leaves: their devices are out."""
    for row in passwords_of(from_user_id):
        withdraw_password(row.id, user_id=from_user_id, actor=actor, now=now)


def passwords_of(user_id: int) -> list[AppPassword]:
    """Those that work, the newest first."""
    return list(
        db.session.scalars(
            select(AppPassword)
            .where(AppPassword.user_id == user_id, AppPassword.withdrawn_at.is_(None))
            .order_by(AppPassword.made_at.desc(), AppPassword.id.desc())
        )
    )


def behind(email: str, password: str) -> tuple[AppPassword, User] | None:
    """Whose device shows this password, if anybody's who works here. Hyphens, spaces and capitals don't matter."""
    digest = _digest("".join(letter for letter in password.lower() if letter.isalnum()))
    row = (
        db.session.execute(
            select(AppPassword, User)
            .join(User, User.id == AppPassword.user_id)
            .where(AppPassword.password_hash == digest, AppPassword.withdrawn_at.is_(None))
            .options(joinedload(User.role_rows))
        )
        .unique()
        .first()
    )
    kept_digest, kept_email = (row[0].password_hash, row[1].email) if row is not None else ("0" * 64, "")
    is_right = hmac.compare_digest(kept_digest, digest)
    is_theirs = hmac.compare_digest(kept_email.encode(), fold_email(email).encode("utf-8", "replace"))
    if row is None or not is_right or not is_theirs or not row[1].active:
        return None
    return row[0], row[1]


def has_to_note(row: AppPassword, *, now: datetime) -> bool:
    """Whether the use of a password is to be written down: at most every ten minutes, so that looking rarely writes."""
    return row.last_seen_at is None or now - row.last_seen_at >= NOTE_USE_EVERY


def note_use(password_id: int, *, program: str, actor: Actor, now: datetime) -> None:
    """Keep when a device was last seen; in the trail, the first time and after a day without."""
    row = db.session.get(AppPassword, password_id)
    if row is None:
        return
    if row.last_seen_at is None or now - row.last_seen_at >= USED_AGAIN_AFTER:
        recording.record("app_password.used", actor=actor, at=now, subject=f"app_password:{row.id}")
    row.last_seen_at, row.program = now, describe_program(program)
    db.session.flush()


def note_refused(*, email: str, now: datetime) -> None:
    """Keep that a calendar program was refused: whose account it named, never what it showed."""
    user_id = db.session.scalar(select(User.id).where(User.email == fold_email(email)))
    recording.record(
        "app_password.refused", actor=PUBLIC, at=now, subject=f"user:{user_id}" if user_id is not None else None
    )


def describe_program(user_agent: str) -> str:
    """What program it is, in our own words; what it says of itself is kept nowhere."""
    said = user_agent.casefold()
    return next((words for sign, words in _PROGRAMS if sign in said), "a calendar program")


def _digest(letters: str) -> str:
    return hashlib.sha256(letters.encode("utf-8", "replace")).hexdigest()

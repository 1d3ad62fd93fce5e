"""Signing in and out.

The answer is the same for somebody unknown, somebody switched off and a wrong password, in words and in time, so that
nobody can learn who has an account here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from crm.access import sessions
from crm.access.models import SessionKind, User
from crm.audit import recording
from crm.db import db
from crm.rules.permissions import PUBLIC
from crm.rules.refusal import Refusal

# A window of five minutes may be followed at once by the next: five in each is never more than ten in any five minutes.
GUESSES_A_WINDOW = 5
WINDOW_SECONDS = 300
GUESSES_FROM_AN_ADDRESS = 100


class NotSignedIn(Refusal):
    """The email and the password do not belong together, or the account is not in use."""

    default_status = 422


@dataclass(frozen=True)
class Account:
    """What is needed to compare a password, read before the slow comparison."""

    user_id: int
    password_hash: str | None
    active: bool


def fold_email(email: str) -> str:
    """The one form in which an address is kept and looked up."""
    return email.strip().lower()


def account_of(email: str) -> Account | None:
    """The account behind an address, if there is one."""
    row = db.session.execute(
        sa.select(User.id, User.password_hash, User.active).where(User.email == fold_email(email))
    ).one_or_none()
    return Account(row.id, row.password_hash, row.active) if row is not None else None


def open_staff_session(*, user_id: int, browser: str, rehashed: str | None, now: datetime) -> str:
    """After the right password: a new session, and the token for its cookie.

    Looks at the account once more inside the transaction, because it may have been switched off meanwhile. Raises
    NotSignedIn.
    """
    user = db.session.get(User, user_id)
    if user is None or not user.active:
        raise NotSignedIn("That email and password do not belong together.")
    if rehashed is not None:
        user.password_hash = rehashed
    token = sessions.begin(kind=SessionKind.STAFF, user_id=user.id, now=now, browser=browser)
    recording.record("access.signed_in", actor=user.as_actor(), at=now, subject=f"user:{user.id}")
    return token


def record_failed(*, account: Account | None, now: datetime) -> None:
    """Keep that somebody failed to sign in: whose account it was, never what was typed."""
    recording.record(
        "access.sign_in_failed",
        actor=PUBLIC,
        at=now,
        subject=f"user:{account.user_id}" if account is not None else None,
    )


def record_slowed(*, account: Account | None, now: datetime) -> None:
    """Keep that tries at an account were turned away for coming too fast."""
    recording.record(
        "access.sign_in_slowed",
        actor=PUBLIC,
        at=now,
        subject=f"user:{account.user_id}" if account is not None else None,
    )


def sign_out(*, signed_in: sessions.SignedIn, now: datetime) -> None:
    """End this session."""
    sessions.end(signed_in.session_id, now=now)
    recording.record("access.signed_out", actor=signed_in.actor, at=now, subject=f"user:{signed_in.actor.user_id}")


def end_session(*, user_id: int, session_id: int, signed_in: sessions.SignedIn, now: datetime) -> None:
    """End one of one's own sessions, in another browser or in this one."""
    own = {row.id for row in sessions.open_sessions(user_id=user_id, now=now)}
    if session_id not in own:
        raise Refusal("That browser has been signed out already.", status=404)
    sessions.end(session_id, now=now)
    recording.record("access.session_ended", actor=signed_in.actor, at=now, subject=f"user:{user_id}")

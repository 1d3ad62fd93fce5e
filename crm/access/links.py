"""The two secret links: an invitation, by which somebody sets their first password, and a reset, for a new one.

Each is 256 random bits, kept as a digest, good for one purpose, mortal, and used up only by a POST, because programs
that look at links before people do must not spend them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa

from crm.access import sessions
from crm.access.models import PasswordReset, StaffInvitation, User
from crm.access.tokens import digest_of, has_shape, new_token
from crm.audit import recording
from crm.db import db
from crm.rules.refusal import Refusal

Link = TypeVar("Link", StaffInvitation, PasswordReset)
INVITATION_LIFE = timedelta(days=7)
RESET_LIFE = timedelta(hours=1)


class LinkNoLongerGood(Refusal):
    """The link was used, has ended, was replaced, or never was one."""

    default_status = 404


def new_invitation(*, user: User, made_by_id: int | None, now: datetime) -> tuple[StaffInvitation, str]:
    """An invitation and the token for its link. Earlier ones stop working."""
    _withdraw(StaffInvitation, user.id, now)
    token = new_token()
    row = StaffInvitation(
        user_id=user.id, token_hash=digest_of(token), made_by_id=made_by_id, made_at=now, ends_at=now + INVITATION_LIFE
    )
    db.session.add(row)
    db.session.flush()
    return row, token


def new_reset(*, user: User, now: datetime) -> tuple[PasswordReset, str]:
    """A reset and the token for its link. Earlier ones stop working."""
    _withdraw(PasswordReset, user.id, now)
    token = new_token()
    row = PasswordReset(user_id=user.id, token_hash=digest_of(token), made_at=now, ends_at=now + RESET_LIFE)
    db.session.add(row)
    db.session.flush()
    return row, token


def _withdraw(kind: type[StaffInvitation] | type[PasswordReset], user_id: int, now: datetime) -> None:
    db.session.execute(
        sa.update(kind)
        .where(kind.user_id == user_id, kind.used_at.is_(None), kind.withdrawn_at.is_(None))
        .values(withdrawn_at=now)
    )


def withdraw_all(*, user_id: int, now: datetime) -> None:
    """No link of this person works any more."""
    _withdraw(StaffInvitation, user_id, now)
    _withdraw(PasswordReset, user_id, now)


def invited(token: str, *, now: datetime) -> tuple[StaffInvitation, User]:
    """The good invitation behind a link, and whose it is. Raises LinkNoLongerGood."""
    row = _good(StaffInvitation, token, now)
    user = db.session.get_one(User, row.user_id)
    if user.has_left or user.active:
        raise LinkNoLongerGood(_NO_LONGER)
    return row, user


def resetting(token: str, *, now: datetime) -> tuple[PasswordReset, User]:
    """The good reset behind a link, and whose it is. Raises LinkNoLongerGood."""
    row = _good(PasswordReset, token, now)
    user = db.session.get_one(User, row.user_id)
    if not user.active:
        raise LinkNoLongerGood(_NO_LONGER)
    return row, user


_NO_LONGER = "This link no longer works. A link works once, and not for long."


def _good(kind: type[Link], token: str, now: datetime) -> Link:
    row: Link | None = None
    if has_shape(token):
        row = db.session.scalar(
            sa.select(kind).where(
                kind.token_hash == digest_of(token),
                kind.used_at.is_(None),
                kind.withdrawn_at.is_(None),
                kind.ends_at > now,
            )
        )
    if row is None:
        raise LinkNoLongerGood(_NO_LONGER)
    return row


def _use_up(row: StaffInvitation | PasswordReset, now: datetime) -> None:
    """Spend a link, by compare-and-set: of two who press the button together, one finds it spent."""
    kind = type(row)
    spent = db.session.scalars(
        sa.update(kind).where(kind.id == row.id, kind.used_at.is_(None)).values(used_at=now).returning(kind.id)
    ).all()
    if not spent:
        raise LinkNoLongerGood(_NO_LONGER)


def accept_invitation(*, token: str, password_hash: str, now: datetime) -> User:
    """Take up an invitation: the account is in use from now on."""
    row, user = invited(token, now=now)
    _use_up(row, now)
    user.password_hash = password_hash
    user.password_set_at = now
    user.active = True
    withdraw_all(user_id=user.id, now=now)
    db.session.flush()
    recording.record("access.invitation_accepted", actor=user.as_actor(), at=now, subject=f"user:{user.id}")
    return user


def reset_password(*, token: str, password_hash: str, now: datetime) -> User:
    """Set a new password by a link. Every session of the person ends, wherever it is."""
    row, user = resetting(token, now=now)
    _use_up(row, now)
    _set_password(user, password_hash, now)
    recording.record("access.password_reset", actor=user.as_actor(), at=now, subject=f"user:{user.id}")
    return user


def change_password(*, user: User, password_hash: str, now: datetime) -> None:
    """Set a new password by somebody who is signed in. Every session ends; the caller opens a new one here."""
    _set_password(user, password_hash, now)
    recording.record("access.password_changed", actor=user.as_actor(), at=now, subject=f"user:{user.id}")


def _set_password(user: User, password_hash: str, now: datetime) -> None:
    user.password_hash = password_hash
    user.password_set_at = now
    withdraw_all(user_id=user.id, now=now)
    sessions.end_all(user_id=user.id, now=now)

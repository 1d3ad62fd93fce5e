"""Who works here: inviting, changing roles, switching off, leaving. Each is in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime

import sqlalchemy as sa

from crm.access import letters, links, sessions
from crm.access.models import User, UserRole
from crm.access.sign_in import fold_email
from crm.audit import recording
from crm.db import db
from crm.rules.permissions import Actor, Permission, Role, require
from crm.rules.refusal import Refusal

OnLeaving = Callable[..., None]
ON_LEAVING: list[OnLeaving] = []
"""What happens to the work of a leaver: each is called with ``from_user_id``, ``to_user_id`` (None where nobody takes
over), ``actor``, ``now`` and ``today``. Cases and tasks live above this package; ``crm/app.py`` binds the functions."""


class AlreadyHere(Refusal):
    """Somebody with this address has an account."""

    default_status = 409


class CannotChangeAccount(Refusal):
    """The account can't be changed like this."""

    default_status = 409


class CannotLeave(Refusal):
    """The work of this person can't be handed over like this."""

    default_status = 409


def new_user(*, email: str, name: str, roles: Iterable[Role], now: datetime, mobile: str | None = None) -> User:
    """A row for somebody who is not in yet. Raises AlreadyHere."""
    folded = fold_email(email)
    if db.session.scalar(sa.select(User.id).where(User.email == folded)) is not None:
        raise AlreadyHere("Somebody with this email address already has an account.", field="email")
    user = User(email=folded, name=name, mobile=mobile, active=False, created_at=now)
    user.role_rows = [UserRole(role=role) for role in sorted(set(roles))]
    db.session.add(user)
    db.session.flush()
    return user


def invite_user(
    *,
    email: str,
    name: str,
    roles: Iterable[Role],
    link_for: Callable[[str], str],
    actor: Actor,
    now: datetime,
    mobile: str | None = None,
) -> User:
    """Ask somebody to join: the row, a link good for seven days, and the letter with it.

    ``link_for`` turns the token into the address of the page that takes it.
    """
    require(actor, Permission.MANAGE_USERS)
    wanted = _checked(roles)
    user = new_user(email=email, name=name, roles=wanted, mobile=mobile, now=now)
    recording.record(
        "access.user_invited", actor=actor, at=now, subject=f"user:{user.id}", detail={"roles": sorted(wanted)}
    )
    _send_invitation(user, link_for, actor, now)
    return user


def invite_again(*, user: User, link_for: Callable[[str], str], actor: Actor, now: datetime) -> None:
    """A fresh link for somebody who has not come in yet; the earlier one stops working."""
    require(actor, Permission.MANAGE_USERS)
    if not user.is_invited:
        raise CannotChangeAccount(f"{user.name} has already come in.")
    recording.record("access.user_invited_again", actor=actor, at=now, subject=f"user:{user.id}")
    _send_invitation(user, link_for, actor, now)


def _send_invitation(user: User, link_for: Callable[[str], str], actor: Actor, now: datetime) -> None:
    invitation, token = links.new_invitation(user=user, made_by_id=actor.user_id, now=now)
    letters.send_invitation(
        invitation=invitation, user=user, link=link_for(token), invited_by=actor.display_name, now=now
    )


def change_roles(*, user: User, roles: Iterable[Role], actor: Actor, now: datetime) -> None:
    """Give somebody these roles and no others. Their sessions end, so that they come in again as who they are now."""
    require(actor, Permission.MANAGE_USERS)
    wanted = _checked(roles)
    if user.id == actor.user_id and Role.ADMINISTRATOR in user.roles and Role.ADMINISTRATOR not in wanted:
        raise CannotChangeAccount("You can't take the administrator's role from yourself. Ask another administrator.")
    if wanted == user.roles:
        return
    before = sorted(user.roles)
    kept = {row.role: row for row in user.role_rows}
    user.role_rows = [kept.get(role) or UserRole(role=role) for role in sorted(wanted)]
    db.session.flush()
    sessions.end_all(user_id=user.id, now=now)
    recording.record(
        "access.roles_changed",
        actor=actor,
        at=now,
        subject=f"user:{user.id}",
        detail={"before": before, "after": sorted(wanted)},
    )


def _checked(roles: Iterable[Role]) -> frozenset[Role]:
    wanted = frozenset(Role(role) for role in roles)
    if not wanted:
        raise Refusal("Choose at least one role.", status=422, field="roles")
    if Role.ADMINISTRATOR in wanted and len(wanted) > 1:
        raise Refusal(
            "An administrator runs the system and sees no household's story, so that role stands alone. "
            "Give the person a second account if they do both.",
            status=422,
            field="roles",
        )
    return wanted


def disable_user(*, user: User, actor: Actor, now: datetime) -> None:
    """Switch an account off: its sessions and links end at once. The person's work stays with them."""
    require(actor, Permission.MANAGE_USERS)
    if user.id == actor.user_id:
        raise CannotChangeAccount("You can't switch your own account off. Ask another administrator.")
    _shut_out(user, now)
    recording.record("access.user_disabled", actor=actor, at=now, subject=f"user:{user.id}")


def enable_user(*, user: User, actor: Actor, now: datetime) -> None:
    """Switch an account on again."""
    require(actor, Permission.MANAGE_USERS)
    if user.has_left:
        raise CannotChangeAccount(f"{user.name} has left. Invite them again with a new account.")
    if user.password_hash is None:
        raise CannotChangeAccount(f"{user.name} has not taken up the invitation yet.")
    user.active = True
    recording.record("access.user_enabled", actor=actor, at=now, subject=f"user:{user.id}")


def leave(*, user: User, handed_to: User | None, actor: Actor, now: datetime, today: date) -> None:
    """Somebody leaves: cases and tasks go to another, the account is shut for good, the name stays in history.

    Raises CannotLeave when there is nobody fit to take the work.
    """
    require(actor, Permission.MANAGE_USERS)
    if user.has_left:
        raise CannotLeave(f"{user.name} has left already.")
    if user.id == actor.user_id:
        raise CannotLeave("You can't record your own leaving. Ask another administrator.")
    if handed_to is not None and (handed_to.id == user.id or not handed_to.active):
        raise CannotLeave("Choose somebody who works here and stays.", field="handed_to")
    if handed_to is None and not user.roles <= {Role.ADMINISTRATOR, Role.PANEL_MEMBER}:
        raise CannotLeave("Choose who takes over the cases and tasks.", field="handed_to")
    for happens in ON_LEAVING:
        happens(
            from_user_id=user.id,
            to_user_id=handed_to.id if handed_to is not None else None,
            actor=actor,
            now=now,
            today=today,
        )
    user.left_on = today
    _shut_out(user, now)
    recording.record(
        "access.user_left",
        actor=actor,
        at=now,
        subject=f"user:{user.id}",
        detail={"handed_to": handed_to.id if handed_to is not None else None},
    )


def choose_digest(user: User, *, wanted: bool, now: datetime) -> None:
    """Say whether one gets a letter about one's day each morning."""
    if user.wants_digest == wanted:
        return
    user.wants_digest = wanted
    recording.record(
        "access.digest_chosen", actor=user.as_actor(), at=now, subject=f"user:{user.id}", detail={"wanted": wanted}
    )


def _shut_out(user: User, now: datetime) -> None:
    user.active = False
    db.session.flush()
    sessions.end_all(user_id=user.id, now=now)
    links.withdraw_all(user_id=user.id, now=now)

"""Reading who works here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from crm.access.models import StaffLeave, User, UserRole
from crm.access.sign_in import fold_email
from crm.db import db
from crm.rules.permissions import ROLE_PERMISSIONS, Actor, Permission, Role
from crm.rules.refusal import Refusal


class NoSuchUser(Refusal):
    """Nobody with this id works or worked here."""

    default_status = 404


class NoSuchLeave(Refusal):
    """There is no such leave, or it is somebody else's."""

    default_status = 404


def user_with(user_id: int) -> User:
    """One person, whether still here or not. Raises NoSuchUser."""
    user = db.session.get(User, user_id)
    if user is None:
        raise NoSuchUser("There is nobody here by that number.")
    return user


def user_by_email(email: str) -> User | None:
    """The person with this address."""
    return db.session.scalar(sa.select(User).where(User.email == fold_email(email)))


def everyone() -> list[User]:
    """All accounts with their roles: those in use first, then by name."""
    return list(
        db.session.scalars(
            sa.select(User)
            .options(selectinload(User.role_rows))
            .order_by(User.left_on.is_not(None), User.active.desc(), sa.func.lower(User.name), User.id)
        )
    )


def staff_with_role(*roles: Role) -> list[User]:
    """Those in use who hold one of these roles, by name."""
    return list(
        db.session.scalars(
            sa.select(User)
            .where(
                User.active.is_(True), User.id.in_(sa.select(UserRole.user_id).where(UserRole.role.in_(list(roles))))
            )
            .order_by(sa.func.lower(User.name), User.id)
        )
    )


def staff_who_may(permission: Permission) -> list[User]:
    """Those in use who may do a thing, by name: whom it can be given to."""
    return staff_with_role(*(role for role in Role if permission in ROLE_PERMISSIONS[role]))


def names_of(user_ids: Iterable[int | None]) -> dict[int, str]:
    """Names by id, in one query: for lists that show who did what."""
    wanted = {user_id for user_id in user_ids if user_id is not None}
    if not wanted:
        return {}
    return {row.id: row.name for row in db.session.execute(sa.select(User.id, User.name).where(User.id.in_(wanted)))}


# --- Leave ------------------------------------------------------------------------------------------------------------


def leave_between(first_on: date, last_on: date) -> sa.Select[StaffLeave]:
    """Leave that has a day in common with a span of days, the earliest first."""
    return (
        sa.select(StaffLeave)
        .where(StaffLeave.withdrawn_at.is_(None), StaffLeave.first_on <= last_on, StaffLeave.last_on >= first_on)
        .order_by(StaffLeave.first_on, StaffLeave.id)
    )


def leave_ahead(*, today: date, user_id: int | None = None) -> Sequence[StaffLeave]:
    """Leave that goes on or is to come, the next first; of one person, or of everybody."""
    query = leave_between(today, date.max)
    return db.session.scalars(query if user_id is None else query.where(StaffLeave.user_id == user_id)).all()


def away_on(user_ids: Iterable[int], day: date) -> dict[int, StaffLeave]:
    """Of these people, those who are away on a day, with their leave."""
    wanted = list(user_ids)
    rows = db.session.scalars(leave_between(day, day).where(StaffLeave.user_id.in_(wanted))) if wanted else ()
    return {row.user_id: row for row in rows}


def managers_here(day: date) -> list[User]:
    """The managers who are here on a day; where all of them are away, all of them."""
    managers = staff_with_role(Role.MANAGER)
    away = away_on([one.id for one in managers], day)
    return [one for one in managers if one.id not in away] or managers


def leave_of(actor: Actor, leave_id: int) -> StaffLeave:
    """A leave that this person may take back: their own, or anybody's for a manager. Raises NoSuchLeave."""
    leave = db.session.get(StaffLeave, leave_id)
    if leave is None or (leave.user_id != actor.user_id and not actor.has(Permission.ASSIGN_CASES)):
        raise NoSuchLeave("There is no such leave here.")
    return leave

"""Reading who works here."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from crm.access.models import User, UserRole
from crm.access.sign_in import fold_email
from crm.db import db
from crm.rules.permissions import ROLE_PERMISSIONS, Permission, Role
from crm.rules.refusal import Refusal


class NoSuchUser(Refusal):
    """Nobody with this id works or worked here."""

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

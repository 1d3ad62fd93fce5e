"""Who takes a new enquiry: nobody's enquiry is an enquiry that is forgotten."""

from __future__ import annotations

from sqlalchemy import select

from crm import policy
from crm.access.models import User, UserRole
from crm.db import db
from crm.rules.permissions import Role


def owner_for(postcode: str | None) -> int | None:
    """The owner of the area a postcode lies in, else whoever takes the rest, else a manager, else a recruiter.

    Somebody who has left takes nothing. None only where nobody at all works here yet.
    """
    profile = policy.service()
    area = profile.area_of(postcode) if postcode else None
    for user_id in (area.owner_id if area else None, profile.fallback_owner_id):
        if user_id is not None and _is_here(user_id):
            return user_id
    for role in (Role.MANAGER, Role.RECRUITER):
        user_id = db.session.scalars(
            select(User.id)
            .join(UserRole, UserRole.user_id == User.id)
            .where(UserRole.role == role, User.active)
            .order_by(User.id)
        ).first()
        if user_id is not None:
            return user_id
    return None


def _is_here(user_id: int) -> bool:
    return bool(db.session.scalars(select(User.active).where(User.id == user_id)).first())

"""Who is away and who minds what falls due meanwhile: noted once, by the person or by a manager."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import sqlalchemy as sa

from crm.access.models import StaffLeave, User
from crm.access.queries import NoSuchLeave, leave_between
from crm.audit import recording
from crm.db import db
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal

OnLeave = Callable[..., None]
ON_LEAVE: list[OnLeave] = []
"""What else hears of leave: each is called with ``leave``, ``actor`` and ``now`` once it is noted and once it is taken
back (then ``leave.withdrawn_at`` is set). Diaries live above this package; ``crm/app.py`` binds the functions."""
LONGEST_DAYS = 366


class LeaveNotClear(Refusal):
    """The days or the cover can't be as they were given."""

    default_status = 422


def note_leave(
    user: User, *, first_on: date, last_on: date, cover: User | None, actor: Actor, now: datetime, today: date
) -> StaffLeave:
    """Note that somebody is away from one day to another, both included.

    ``cover`` sees what falls due on the person's households meanwhile, and may open them. Raises LeaveNotClear.
    """
    if user.id != actor.user_id:
        require(actor, Permission.ASSIGN_CASES)
    if last_on < first_on:
        raise LeaveNotClear("The last day comes before the first: check the two.", field="last_day")
    if last_on < today:
        raise LeaveNotClear("Those days have passed already.", field="first_day")
    if (last_on - first_on).days >= LONGEST_DAYS:
        raise LeaveNotClear("That is longer than a year. Check the dates.", field="last_day")
    _hold(user)
    clash = db.session.scalars(leave_between(first_on, last_on).where(StaffLeave.user_id == user.id)).first()
    if clash is not None:
        raise LeaveNotClear(
            f"{user.name} is away from {_say(clash.first_on)} to {_say(clash.last_on)} already. "
            "Take that back first, or choose other days.",
            field="first_day",
        )
    if cover is not None:
        _check_cover(user, cover, first_on, last_on)
    leave = StaffLeave(
        user_id=user.id,
        first_on=first_on,
        last_on=last_on,
        cover_id=cover.id if cover else None,
        noted_at=now,
        noted_by_id=actor.user_id,
    )
    db.session.add(leave)
    db.session.flush()
    recording.record("leave.noted", actor=actor, at=now, subject=f"user:{user.id}", detail={"cover": leave.cover_id})
    for hears in ON_LEAVE:
        hears(leave=leave, actor=actor, now=now)
    return leave


def withdraw_leave(leave: StaffLeave, *, actor: Actor, now: datetime) -> None:
    """Take leave back: the person's turns, calls and visits are theirs again. Taking it back twice changes nothing."""
    if leave.user_id != actor.user_id and not actor.has(Permission.ASSIGN_CASES):
        raise NoSuchLeave("There is no such leave here.")
    if leave.withdrawn_at is not None:
        return
    leave.withdrawn_at = now
    db.session.flush()
    recording.record("leave.withdrawn", actor=actor, at=now, subject=f"user:{leave.user_id}")
    for hears in ON_LEAVE:
        hears(leave=leave, actor=actor, now=now)


def _check_cover(user: User, cover: User, first_on: date, last_on: date) -> None:
    if cover.id == user.id or not cover.active:
        raise LeaveNotClear("Choose somebody else who works here.", field="cover")
    away = db.session.scalars(leave_between(first_on, last_on).where(StaffLeave.user_id == cover.id)).first()
    if away is not None:
        raise LeaveNotClear(
            f"{cover.name} is away from {_say(away.first_on)} to {_say(away.last_on)}. Choose somebody who is here.",
            field="cover",
        )


def _hold(user: User) -> None:
    """Two pages that note leave for one person take turns here."""
    db.session.execute(sa.select(User.id).where(User.id == user.id).with_for_update())


def _say(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B}"

"""An officer's own week, and when they are away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import delete, select

from crm.access.leave import withdraw_leave
from crm.access.models import StaffLeave
from crm.access.queries import leave_ahead, user_with
from crm.audit import record
from crm.cases import keys
from crm.clock import london_date
from crm.db import db
from crm.rules.intervals import london_to_utc
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.rules.travel import TravelBy
from crm.visits.models import BusyKind, BusyTime, OfficerDiary, WorkingHours


class HoursNotClear(Refusal):
    """The hours or the time away can't be read as meant."""

    default_status = 422


def set_hours(
    user_id: int,
    *,
    spans: Mapping[int, Sequence[tuple[int, int]]],
    visits_a_day: int,
    actor: Actor,
    now: datetime,
) -> None:
    """Set an officer's week: weekday (0 is Monday) to spans in minutes past midnight. Visits booked already stay.

    Raises HoursNotClear where a span ends before it begins or two of a day overlap.
    """
    for weekday, day_spans in spans.items():
        last = -1
        for start, end in sorted(day_spans):
            if start >= end:
                raise HoursNotClear("A day’s work ends after it begins.", field=f"until_{weekday}")
            if start < last:
                raise HoursNotClear("Two spans of the same day overlap.", field=f"from_{weekday}")
            last = end
    diary = _diary_of(user_id)
    diary.has_own_hours, diary.visits_a_day = True, visits_a_day
    db.session.execute(delete(WorkingHours).where(WorkingHours.user_id == user_id))
    for weekday, day_spans in spans.items():
        for start, end in day_spans:
            db.session.add(WorkingHours(user_id=user_id, weekday=weekday, from_minutes=start, until_minutes=end))
    db.session.flush()
    record("hours.set", actor=actor, at=now, subject=f"user:{user_id}")


def set_travel(user_id: int, *, base_postcode: str, travels_by: TravelBy, actor: Actor, now: datetime) -> None:
    """Say where an officer's day begins and ends (a postcode, its first half, or nothing), and how they get about.

    Raises HoursNotClear for what is no postcode.
    """
    written = base_postcode.strip().upper()
    if written and keys.district(written) is None:
        raise HoursNotClear(
            "Check the postcode: it looks like BR1 3AA. The first part is enough.", field="base_postcode"
        )
    _diary_of(user_id).travels_by = travels_by
    user_with(user_id).base_postcode = written or None
    db.session.flush()
    record("travel.set", actor=actor, at=now, subject=f"user:{user_id}", detail={"by": str(travels_by)})


def set_found_by(user_id: int, *, mobile: str, car: str, actor: Actor, now: datetime) -> None:
    """Say how an officer is found when nobody has heard of them on a visit: by their mobile, and by their car."""
    user_with(user_id).mobile = mobile.strip() or None
    _diary_of(user_id).car = " ".join(car.upper().split()) or None
    db.session.flush()
    record("found_by.set", actor=actor, at=now, subject=f"user:{user_id}")


def _diary_of(user_id: int) -> OfficerDiary:
    diary = db.session.get(OfficerDiary, user_id)
    if diary is None:
        diary = OfficerDiary(user_id=user_id)
        db.session.add(diary)
    return diary


def add_time_away(
    user_id: int,
    *,
    first_day: date,
    last_day: date,
    kind: BusyKind,
    actor: Actor,
    now: datetime,
    from_minutes: int = 0,
    until_minutes: int = 24 * 60,
) -> BusyTime:
    """Keep time free of visits: whole days, or part of one. Only when is kept, never what for.

    Raises HoursNotClear for a span that ends before it begins or is longer than a year.
    """
    starts_at, ends_at = london_to_utc(first_day, from_minutes), london_to_utc(last_day, until_minutes)
    if ends_at <= starts_at:
        raise HoursNotClear("It ends after it begins: check the two.", field="last_day")
    if (last_day - first_day).days > 366:
        raise HoursNotClear("That is longer than a year. Check the dates.", field="last_day")
    if ends_at <= now:
        raise HoursNotClear("That has passed already.", field="first_day")
    busy = BusyTime(user_id=user_id, starts_at=starts_at, ends_at=ends_at, kind=kind)
    db.session.add(busy)
    db.session.flush()
    record("time_away.added", actor=actor, at=now, subject=f"user:{user_id}", detail={"kind": kind})
    return busy


def remove_time_away(user_id: int, busy_id: int, *, actor: Actor, now: datetime) -> None:
    """Offer that time again; leave is taken back with it. Removing what is gone already changes nothing."""
    busy = db.session.scalars(select(BusyTime).where(BusyTime.id == busy_id, BusyTime.user_id == user_id)).first()
    if busy is None:
        return
    if busy.kind == BusyKind.LEAVE:
        for leave in leave_ahead(today=london_date(busy.starts_at), user_id=user_id):
            if _span(leave) == (busy.starts_at, busy.ends_at):
                withdraw_leave(leave, actor=actor, now=now)
                return
    _offer_again(busy, actor=actor, now=now)


def keep_leave_free(*, leave: StaffLeave, actor: Actor, now: datetime) -> None:
    """Bound to leave: nobody is booked for a visit while they are away, and may be once the leave is taken back."""
    starts_at, ends_at = _span(leave)
    if leave.withdrawn_at is None:
        add_time_away(
            leave.user_id, first_day=leave.first_on, last_day=leave.last_on, kind=BusyKind.LEAVE, actor=actor, now=now
        )
        return
    same = select(BusyTime).where(
        BusyTime.user_id == leave.user_id,
        BusyTime.kind == BusyKind.LEAVE,
        BusyTime.starts_at == starts_at,
        BusyTime.ends_at == ends_at,
    )
    for busy in db.session.scalars(same).all():
        _offer_again(busy, actor=actor, now=now)


def _span(leave: StaffLeave) -> tuple[datetime, datetime]:
    return london_to_utc(leave.first_on, 0), london_to_utc(leave.last_on, 24 * 60)


def _offer_again(busy: BusyTime, *, actor: Actor, now: datetime) -> None:
    db.session.delete(busy)
    db.session.flush()
    record("time_away.removed", actor=actor, at=now, subject=f"user:{busy.user_id}")

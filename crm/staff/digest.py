"""The morning letter to each member of staff: what is over, due today and booked, by reference and nothing more.

An email lies about in places that the product doesn't guard, so no name, place or kind of business is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import or_, select, update

from crm import policy
from crm.access.models import User
from crm.clock import LONDON, london, london_date
from crm.db import db, rows_changed
from crm.delivery import Channel, NewMessage, Recipient, enqueue
from crm.delivery.post_room import post_room
from crm.staff.my_day import DueRow, Group, my_day
from crm.staff.my_visits import visits_of

FROM_HOUR = time(7)
"""From this hour of London's day."""
SO_MANY = 10
"""People written to in one go: their days are read while others wait to write."""
SHOWN = 12
"""Lines of a kind that are listed; the rest is a number."""


def anybody_to_write_to(now: datetime) -> bool:
    """Whether somebody's morning letter has still to be thought of; a cheap look."""
    today = london_date(now)
    return _is_time(now, today) and db.session.scalar(select(User.id).where(*_wanting(today)).limit(1)) is not None


def send_digests(now: datetime) -> int:
    """Write to those whose letter of today has not been thought of; how many were. Nothing to say is no letter.

    Each is claimed first, so that two workers write to nobody twice.
    """
    today = london_date(now)
    if not _is_time(now, today):
        return 0
    dealt_with = 0
    for user in db.session.scalars(select(User).where(*_wanting(today)).order_by(User.id).limit(SO_MANY)).all():
        claim = update(User).where(User.id == user.id, *_wanting(today)).values(digest_on=today)
        if rows_changed(db.session.execute(claim)) == 1:
            dealt_with += 1
            _write_to(user, now=now, today=today)
    return dealt_with


def _is_time(now: datetime, today: date) -> bool:
    return london(now).time() >= FROM_HOUR and policy.rulebook_on(today).calendar.is_working_day(today)


def _wanting(today: date) -> tuple[Any, ...]:
    return (User.active, User.wants_digest, or_(User.digest_on.is_(None), User.digest_on < today))


def _write_to(user: User, *, now: datetime, today: date) -> None:
    said = digest_of(user, now=now, today=today)
    if said is None:
        return
    enqueue(
        NewMessage(
            kind="morning_digest",
            channel=Channel.EMAIL,
            to=Recipient(email=user.email),
            dedupe_key=f"morning_digest:{user.id}:{today.isoformat()}",
            context={"service": policy.service(), "first_name": user.name.split()[0], **said},
            user_id=user.id,
            not_after=datetime.combine(today, time(23), tzinfo=LONDON),
        ),
        now=now,
    )


def digest_of(user: User, *, now: datetime, today: date) -> Mapping[str, Any] | None:
    """What the letter says; None where there is nothing over, due or booked."""
    actor = user.as_actor()
    day = my_day(actor, today=today, rulebook=policy.rulebook_on(today))
    visits = [visit for visit in visits_of(actor, now=now, today=today).today if not visit.is_over]
    if day.is_clear and not visits:
        return None
    return {
        "on": today,
        "visits": [(visit.starts_at, visit.reference) for visit in visits],
        "over": _lines(day.over),
        "over_count": day.over.count_words,
        "over_more": day.over.more,
        "due": _lines(day.today),
        "due_count": day.today.count_words,
        "due_more": day.today.more,
        "my_day_url": f"{post_room().base_url}/my-day",
    }


def _lines(group: Group) -> list[str]:
    """Each thing by its reference alone: a task's own words may name somebody."""
    return [_line(row) for row in group.rows[:SHOWN]]


def _line(row: DueRow) -> str:
    what = row.reference or "A task of the service"
    return f"{what}, {row.was_due}" if row.state == "over" else what

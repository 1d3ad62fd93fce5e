"""How often something may be tried, counted in the database so that it holds over every process.

A window opens with the first try and closes after its length. Because one window can end just as the next begins, a
limit of N a window means at most 2N in any stretch of that length: callers choose N accordingly.
"""

from __future__ import annotations

import functools
import ipaddress
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import current_app, request

from crm.clock import now_utc
from crm.db import db, insert_of, transaction
from crm.rules.refusal import Refusal
from crm.web.filters import many
from crm.web.keyed import digest
from crm.web.models import RateWindow

View = TypeVar("View", bound=Callable[..., Any])


class TooOften(Refusal):
    """Tried too often; ``retry_after`` is in seconds."""

    default_status = 429

    def __init__(self, message: str, *, retry_after: int, alternatives: tuple[str, ...] = ()) -> None:
        super().__init__(message, alternatives=alternatives)
        self.retry_after = retry_after


FULL_AT_MOST = 10_000


def _full() -> dict[str, datetime]:
    """Keys this process knows to be full, with the end of their window: a flood is turned away without writing."""
    known: dict[str, datetime] = current_app.extensions.setdefault("crm_full_windows", {})
    return known


def count_try(purpose: str, key: str, *, at_most: int, seconds: int, now: datetime | None = None) -> int | None:
    """Count one try. None when it is allowed, else the seconds until the next window.

    Runs in a short transaction of its own, so it must be called outside one.
    """
    now = now or now_utc()
    name = digest("limit " + purpose, key)
    ends = _full().get(name)
    if ends is not None and now < ends <= now + timedelta(seconds=seconds):
        return _seconds_until(ends, now)
    with transaction() as session:
        count, began = session.execute(_upsert(name, now, now - timedelta(seconds=seconds))).one()
    if count <= at_most:
        return None
    ends = began + timedelta(seconds=seconds)
    if len(_full()) >= FULL_AT_MOST:
        _full().clear()
    _full()[name] = ends
    return _seconds_until(ends, now)


def tries(purpose: str, key: str, *, seconds: int, now: datetime | None = None) -> int:
    """How many tries were counted in the window that is open; 0 where none is. Counts none itself."""
    now = now or now_utc()
    row = db.session.execute(
        sa.select(RateWindow.count, RateWindow.began_at).where(RateWindow.key == digest("limit " + purpose, key))
    ).one_or_none()
    return row.count if row is not None and row.began_at > now - timedelta(seconds=seconds) else 0


def _seconds_until(ends: datetime, now: datetime) -> int:
    return max(1, math.ceil((ends - now).total_seconds()))


def _upsert(name: str, now: datetime, opened_before: datetime) -> Any:
    over = RateWindow.began_at <= opened_before
    return (
        insert_of(RateWindow)
        .values(key=name, began_at=now, count=1)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={
                "count": sa.case((over, 1), else_=RateWindow.count + 1),
                "began_at": sa.case((over, now), else_=RateWindow.began_at),
            },
        )
        .returning(RateWindow.count, RateWindow.began_at)
    )


def clear(purpose: str, key: str) -> None:
    """Forget the tries of a key (after the right password). Inside the caller's transaction."""
    name = digest("limit " + purpose, key)
    _full().pop(name, None)
    db.session.execute(sa.delete(RateWindow).where(RateWindow.key == name))


def forget_windows_before(moment: datetime) -> int:
    """Drop windows that began before a moment; how many. Called by the timetable, inside its transaction."""
    gone = sa.delete(RateWindow).where(RateWindow.began_at < moment).returning(RateWindow.key)
    return len(db.session.scalars(gone).all())


def sender_address() -> str:
    """The client's address for counting: as our own proxies report it; an IPv6 address stands for its whole /64."""
    raw = request.remote_addr or "unknown"
    try:
        address = ipaddress.ip_address(raw)
    except ValueError:
        return raw
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return raw


def limited(
    purpose: str, *, at_most: int, seconds: int, counts: Callable[[], bool] = lambda: True
) -> Callable[[View], View]:
    """Above ``@writes`` on a public view: refuses with 429 when this address has posted too often.

    ``counts`` says whether a post is one of those that are counted (the first of a form, and not each of its pages).
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def inside(*args: Any, **kwargs: Any) -> Any:
            if request.method not in ("GET", "HEAD", "OPTIONS") and counts():
                check_posts(purpose, at_most=at_most, seconds=seconds)
            return view(*args, **kwargs)

        return inside  # type: ignore[return-value]

    return decorate


def check_posts(purpose: str, *, at_most: int, seconds: int) -> None:
    """Count a post from this address; raises TooOften. Outside a transaction."""
    wait = count_try(purpose, sender_address(), at_most=at_most, seconds=seconds)
    if wait is not None:
        raise TooOften(
            f"A lot has been sent from your connection in a short time. Try again in {many(-(-wait // 60), 'minute')}, "
            "or ring us.",
            retry_after=wait,
        )

"""What homes the service needs: written down, changed and closed by whoever answers for how its cases go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select

from crm import policy
from crm.assessments.need_models import HomeNeed
from crm.audit import record
from crm.db import db
from crm.rules.need import IN_OWN_WORDS, NeedKind
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal

MOST = 40
"""Needs that are open at once."""
MOST_HOMES = 500
CLOSED_SHOWN = 50


class NeedNotWritten(Refusal):
    """What is needed can't be written down so."""

    default_status = 422


class NoSuchNeed(Refusal):
    """There is no need by that number."""

    default_status = 404

    def __init__(self) -> None:
        super().__init__("We can’t find that need.")


class NeedIsClosed(Refusal):
    """It was closed meanwhile: what was needed then stays as it was."""

    default_status = 409


def write_need(
    *,
    kind: str,
    words: str | None,
    homes: int,
    by_on: date | None,
    area: str | None,
    actor: Actor,
    now: datetime,
    today: date,
) -> HomeNeed:
    """Write down what homes are needed. Raises NeedNotWritten."""
    require(actor, Permission.ANSWER_FOR_CLOCKS)
    if len(open_needs()) >= MOST:
        raise NeedNotWritten(f"{MOST} needs are open already. Close one that is met first.")
    need = HomeNeed(written_by_id=actor.user_id, written_at=now)
    _put(need, kind=kind, words=words, homes=homes, by_on=by_on, area=area, today=today)
    need.changed_at = now
    db.session.add(need)
    db.session.flush()
    record("need.written", actor=actor, at=now, subject=f"need:{need.id}", detail=_detail(need))
    return need


def change_need(
    need: HomeNeed,
    *,
    kind: str,
    words: str | None,
    homes: int,
    by_on: date | None,
    area: str | None,
    actor: Actor,
    now: datetime,
    today: date,
) -> None:
    """Change an open need; what it was before stays in the trail. Raises NeedNotWritten, NeedIsClosed."""
    require(actor, Permission.ANSWER_FOR_CLOCKS)
    _be_open(need)
    before = _detail(need)
    _put(need, kind=kind, words=words, homes=homes, by_on=by_on, area=area, today=today)
    need.changed_at = now
    db.session.flush()
    record(
        "need.changed", actor=actor, at=now, subject=f"need:{need.id}", detail={"before": before, "now": _detail(need)}
    )


def close_need(need: HomeNeed, *, actor: Actor, now: datetime) -> None:
    """Close a need that is met, or is one no more. Raises NeedIsClosed."""
    require(actor, Permission.ANSWER_FOR_CLOCKS)
    _be_open(need)
    need.closed_at, need.closed_by_id, need.changed_at = now, actor.user_id, now
    db.session.flush()
    record("need.closed", actor=actor, at=now, subject=f"need:{need.id}", detail=_detail(need))


def open_needs() -> Sequence[HomeNeed]:
    """What is needed now, the oldest first."""
    return db.session.scalars(select(HomeNeed).where(HomeNeed.closed_at.is_(None)).order_by(HomeNeed.id)).all()


def closed_needs() -> Sequence[HomeNeed]:
    """What was needed once, the last closed first."""
    return db.session.scalars(
        select(HomeNeed)
        .where(HomeNeed.closed_at.is_not(None))
        .order_by(HomeNeed.closed_at.desc(), HomeNeed.id.desc())
        .limit(CLOSED_SHOWN)
    ).all()


def need_by_id(need_id: int) -> HomeNeed:
    """Raises NoSuchNeed."""
    need = db.session.get(HomeNeed, need_id)
    if need is None:
        raise NoSuchNeed
    return need


def _put(
    need: HomeNeed, *, kind: str, words: str | None, homes: int, by_on: date | None, area: str | None, today: date
) -> None:
    if kind not in set(NeedKind):
        raise NeedNotWritten("Choose for whom.", field="kind")
    said = " ".join((words or "").split())[:80]
    if NeedKind(kind) in IN_OWN_WORDS and not said:
        raise NeedNotWritten("Write which language, or what else is needed.", field="words")
    if not 1 <= homes <= MOST_HOMES:
        raise NeedNotWritten(f"Write how many homes as a number from 1 to {MOST_HOMES}.", field="homes")
    if by_on is not None and by_on < today and by_on != need.by_on:
        raise NeedNotWritten("That day is over. Give a day to come, or none.", field="by")
    if area is not None and area != need.area and area not in {one.name for one in policy.service().areas}:
        raise NeedNotWritten("Choose one of the areas.", field="area")
    need.kind, need.homes, need.by_on, need.area = kind, homes, by_on, area
    need.words = said if NeedKind(kind) in IN_OWN_WORDS else None


def _be_open(need: HomeNeed) -> None:
    if need.closed_at is not None:
        raise NeedIsClosed("This need is closed. Write it down anew if it is there again.")


def _detail(need: HomeNeed) -> dict[str, str | int | None]:
    return {
        "kind": str(need.kind),
        "homes": need.homes,
        "by": need.by_on.isoformat() if need.by_on else None,
        "area": need.area,
    }

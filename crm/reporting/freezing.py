"""Freezing the return of a finished year, so that what was sent can always be shown; and thawing it, with a reason."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from crm.audit import record
from crm.db import db
from crm.reporting.annual_return import BESIDE, answer_of_year, things_to_look_at
from crm.reporting.frozen import NotFrozen, mark_of
from crm.reporting.models import FrozenReturn
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.return_years import ReturnYear, definition_of
from crm.rules.rulebook import Rulebook

LONGEST_WHY = 2000


class YearNotOver(Refusal):
    """A return of a year that goes on."""

    default_status = 409


class AlreadyFrozen(Refusal):
    """The return of that year is frozen."""

    default_status = 409


class FiguresHaveChanged(Refusal):
    """The figures are others than those that the person looked at."""

    default_status = 409


class ReasonNeeded(Refusal):
    """A frozen return is not thawed without a reason."""

    default_status = 422


def freeze_return(
    year: ReturnYear, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook, seen: str | None = None
) -> FrozenReturn:
    """Keep the return of a finished year as it is counted now. ``seen``: the mark of the figures that the person looked
    at (``frozen.mark_of``).

    Raises YearNotOver, AlreadyFrozen, FiguresHaveChanged.
    """
    require(actor, Permission.ANSWER_FOR_CLOCKS)
    check_may_freeze(year, today=today)
    answer = answer_of_year(year, today=today, rulebook=rulebook)
    if seen is not None and seen != mark_of(answer.tables, but=BESIDE):
        raise FiguresHaveChanged(
            "The figures changed while you were looking. Look at them again before you freeze them."
        )
    definition, to_look_at = definition_of(year), things_to_look_at(answer)
    frozen = FrozenReturn(
        year=year.begins,
        frozen_at=now,
        frozen_by_id=actor.user_id,
        definition=definition.name,
        to_look_at=len(to_look_at),
        body=answer.to_text(),
    )
    try:
        with db.session.begin_nested():
            db.session.add(frozen)
            db.session.flush()
    except IntegrityError:
        raise AlreadyFrozen(_ALREADY) from None
    record(
        "return.frozen",
        actor=actor,
        at=now,
        subject=f"return:{year.begins}",
        detail={"year": year.begins, "definition": definition.name, "to_look_at": len(to_look_at)},
    )
    return frozen


_ALREADY = "The return of this year is frozen already. Thaw it first, with a reason."


def check_may_freeze(year: ReturnYear, *, today: date) -> None:
    """Raises YearNotOver, AlreadyFrozen."""
    if not year.is_over(today):
        raise YearNotOver(
            f"The year is over on {year.last_on.day} March {year.last_on.year}. It can be frozen after that."
        )
    if _in_force(year) is not None:
        raise AlreadyFrozen(_ALREADY)


def thaw_return(year: ReturnYear, *, why: str, actor: Actor, now: datetime, seen: int | None = None) -> FrozenReturn:
    """Put a frozen return out of force; it is kept, with the reason. ``seen``: the frozen return that the person looked
    at.

    Raises ReasonNeeded, and NotFrozen where none is, or another.
    """
    require(actor, Permission.ANSWER_FOR_CLOCKS)
    if not why.strip():
        raise ReasonNeeded("Say why it is thawed.", field="why")
    frozen = _in_force(year)
    if frozen is None or (seen is not None and frozen.id != seen):
        raise NotFrozen("That frozen return is not in force any more. Look at the year again.")
    frozen.thawed_at, frozen.thawed_by_id = max(now, frozen.frozen_at), actor.user_id
    frozen.thawed_why = why.strip()
    db.session.flush()
    record("return.thawed", actor=actor, at=now, subject=f"return:{year.begins}", detail={"year": year.begins})
    return frozen


def _in_force(year: ReturnYear) -> FrozenReturn | None:
    return db.session.scalars(
        select(FrozenReturn).where(FrozenReturn.year == year.begins, FrozenReturn.thawed_at.is_(None)).with_for_update()
    ).first()

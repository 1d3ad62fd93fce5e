"""Returns that were frozen: which is in force, those before it, and how today's figures differ from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from crm.access.models import User
from crm.db import db, unseal
from crm.reporting.figures import NOTHING, Answer, Figure, Table
from crm.reporting.models import FrozenReturn
from crm.rules.refusal import Refusal
from crm.rules.return_years import ReturnYear


class NotFrozen(Refusal):
    """No return of that year is frozen."""

    default_status = 409


@dataclass(frozen=True, slots=True)
class Frozen:
    """A return as it was frozen. One that was thawed says when, by whom and why."""

    id: int
    year: ReturnYear
    frozen_at: datetime
    frozen_by: str
    definition: str
    to_look_at: int
    answer: Answer
    thawed_at: datetime | None
    thawed_by: str | None
    thawed_why: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that is another today than it was frozen."""

    key: str
    label: str
    was: Figure
    now: Figure


def frozen_in_force(year: ReturnYear) -> Frozen | None:
    """The frozen return of a year: one statement."""
    row = db.session.execute(
        _frozen().where(FrozenReturn.year == year.begins, FrozenReturn.thawed_at.is_(None))
    ).first()
    return _as_frozen(row) if row is not None else None


def frozen_returns(year: ReturnYear) -> list[Frozen]:
    """Every return of a year that was ever frozen, the newest first."""
    rows = db.session.execute(_frozen().where(FrozenReturn.year == year.begins).order_by(FrozenReturn.id.desc()))
    return [_as_frozen(row) for row in rows]


def _frozen() -> Select[*tuple[Any, ...]]:
    by, thawer = aliased(User), aliased(User)
    return (
        select(*FrozenReturn.__table__.c, by.name.label("frozen_by"), thawer.name.label("thawed_by"))
        .join(by, by.id == FrozenReturn.frozen_by_id)
        .outerjoin(thawer, thawer.id == FrozenReturn.thawed_by_id)
    )


def _as_frozen(row: Any) -> Frozen:
    why = row.thawed_why_sealed
    return Frozen(
        row.id,
        ReturnYear(row.year),
        row.frozen_at,
        row.frozen_by,
        row.definition,
        row.to_look_at,
        Answer.from_text(row.body, counted_at=row.frozen_at),
        row.thawed_at,
        row.thawed_by,
        unseal("frozen_return", "thawed_why_sealed", row.row_key, why) if why else None,
    )


def _figures(tables: Iterable[Table], but: Collection[str]) -> Iterator[tuple[str, str, Figure]]:
    for table in tables:
        if table.name in but:
            continue
        for line in table.lines:
            for column, figure in zip(table.columns, line.figures, strict=True):
                # The first word of a line of the sum is its sign, which says nothing here.
                label = f"{table.caption}: {line.label.lstrip('+−= ')}"
                if len(table.columns) > 1:
                    label += f", {column.heading}"
                yield f"{table.name}.{line.key}.{column.name}", label, figure


def differences(was: Iterable[Table], now: Iterable[Table], *, but: Collection[str]) -> list[Difference]:
    """Figures whose value is another, in today's order; those that are on one side alone too. ``but``: tables that are
    not compared."""
    before = {key: (label, figure) for key, label, figure in _figures(was, but)}
    found = []
    for key, label, figure in _figures(now, but):
        _, old = before.pop(key, (label, NOTHING))
        if old.value != figure.value:
            found.append(Difference(key, label, old, figure))
    found.extend(Difference(key, label, old, NOTHING) for key, (label, old) in before.items() if old.value is not None)
    return found


def mark_of(tables: Iterable[Table], *, but: Collection[str]) -> str:
    """Tells one set of figures from every other: 64 hex digits."""
    said = json.dumps([[key, figure.value] for key, _, figure in _figures(tables, but)])
    return hashlib.sha256(said.encode()).hexdigest()

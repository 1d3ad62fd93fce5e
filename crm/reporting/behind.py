"""The rows behind a number. Whoever may see the number sees how many there are; whose they are, only where they may
open the household."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from crm.cases.models import BreachReason, Case, Deadline, Household, Journey
from crm.cases.queries import visible_cases
from crm.db import db, is_among
from crm.reporting.figures import Row, Rows
from crm.rules.breaches import BREACH_WORDS, days_over
from crm.rules.permissions import Actor
from crm.rules.progress import Standing
from crm.rules.stages import PLACE
from crm.web.filters import day_short_year, many

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind one number: how to count it, and how to read a page of it."""

    heading: str
    count: Callable[[], int]
    page: Callable[[Actor, int | None, int, date], Rows]
    """(actor, after, size, today)."""


def households(heading: str, conditions: Sequence[ColumnElement[bool]], *, since: Any = None) -> Behind:
    """Households that meet conditions on their journey, the newest first. ``since``: a column shown as a day of its
    own."""

    def count() -> int:
        return db.session.scalars(select(func.count()).select_from(Journey).where(*conditions)).one()

    def page(actor: Actor, after: int | None, size: int, today: date) -> Rows:
        day = Journey.asked_on if since is None else since
        query = (
            select(Journey.household_id, Journey.asked_on, day, Journey.standing)
            .where(*conditions)
            .order_by(Journey.household_id.desc())
            .limit(size + 1)
        )
        found = db.session.execute(query.where(Journey.household_id < after) if after else query).all()
        cases = cases_of([row.household_id for row in found[:size]], actor, today)
        rows = []
        for household_id, asked_on, day_on, standing in found[:size]:
            case = cases[household_id]
            cells = [day_short_year(asked_on)] + ([day_short_year(day_on)] if since is not None else [])
            place = PLACE[case.place].label if standing != Standing.RESTING else PLACE["not_now"].label
            rows.append(
                Row(
                    case.reference if case.may_open else None,
                    case.name if case.may_open else None,
                    (*cells, place),
                )
            )
        columns = ("Asked", "There since", "Stands at") if since is not None else ("Asked", "Stands at")
        more = found[size - 1].household_id if len(found) > size else None
        return Rows(heading, columns, tuple(rows), count(), str(more) if more else None)

    return Behind(heading, count, page)


def cases_of(household_ids: Sequence[int], actor: Actor, today: date) -> dict[int, Any]:
    """The case to open of each household: of several, the newest of those the actor may open, if any."""
    rows = db.session.execute(
        select(
            Case.household_id,
            Case.reference,
            Case.place,
            Household.name,
            visible_cases(actor, today=today).label("may_open"),
        )
        .join(Household, Household.id == Case.household_id)
        .where(is_among(Case.household_id, household_ids))
        .order_by(Case.opened_at, Case.id)
    )
    found: dict[int, Any] = {}
    for row in rows:
        if row.may_open or row.household_id not in found or not found[row.household_id].may_open:
            found[row.household_id] = row
    return found


def clocks(heading: str, rule: str, conditions: Sequence[ColumnElement[bool]]) -> Behind:
    """Clocks that meet conditions, the newest first."""

    def count() -> int:
        return db.session.scalars(select(func.count()).select_from(Deadline).where(*conditions)).one()

    def page(actor: Actor, after: int | None, size: int, today: date) -> Rows:
        in_force = and_(BreachReason.deadline_id == Deadline.id, BreachReason.replaced_at.is_(None))
        query = (
            select(
                Deadline.id,
                Deadline.counted_from_on,
                Deadline.due_on,
                Deadline.stopped_on,
                BreachReason.code,
                Case.reference,
                Household.name,
                visible_cases(actor, today=today).label("may_open"),
            )
            .join(Case, Case.id == Deadline.case_id)
            .join(Household, Household.id == Case.household_id)
            .outerjoin(BreachReason, in_force)
            .where(*conditions)
            .order_by(Deadline.id.desc())
            .limit(size + 1)
        )
        found = db.session.execute(query.where(Deadline.id < after) if after else query).all()
        rows = []
        for row in found[:size]:
            over = days_over(row.due_on, row.stopped_on, today=today)
            done = day_short_year(row.stopped_on) if row.stopped_on else "Not yet"
            how = f"{many(over, 'day')} over" if over else "In time"
            why = BREACH_WORDS[row.code] if row.code else ""
            cells = (day_short_year(row.counted_from_on), day_short_year(row.due_on), done, how, why)
            rows.append(
                Row(
                    row.reference if row.may_open else None,
                    row.name if row.may_open else None,
                    cells,
                    ("", "", "", "over" if over else "ok", ""),
                )
            )
        more = found[size - 1].id if len(found) > size else None
        columns = ("Counted from", "Due", "Done", "How it went", "Reason")
        return Rows(heading, columns, tuple(rows), count(), str(more) if more else None)

    return Behind(heading, count, page)

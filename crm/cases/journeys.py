"""The stored summary of how far each household has come: written with every change of one of its cases, never by hand.

Reports count these rows. ``drift`` compares them with what the moves say and reports; it mends nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, select

from crm.cases import keys
from crm.cases.models import Case, Household, Journey, StageChange
from crm.clock import london_date
from crm.db import Values, db, insert_of, insert_rows, is_among
from crm.rules.intervals import LONDON
from crm.rules.progress import MILESTONES, Milestone, Moved, Standing, progress_of

BATCH = 1000
DAY_OF: Mapping[Milestone, str] = {place: f"{place}_on" for place in MILESTONES}
"""The column that holds the day of each place."""


def refresh(household_id: int) -> None:
    """Write the row of a household anew, from its cases and their moves as they stand in this transaction."""
    values = _worked_out([household_id]).get(household_id)
    if values is None:
        return
    statement = insert_of(Journey).values(**values)
    changed = {name: statement.excluded[name] for name in values if name != "household_id"}
    db.session.execute(statement.on_conflict_do_update(index_elements=["household_id"], set_=changed))


def opening_values(case: Mapping[str, Any], *, postcode: str | None, received_on: date) -> Values:
    """The row of a household that has only just asked: ``case`` holds the columns of its case."""
    return Values(
        Journey,
        {
            **_asked(case["opened_at"], case["channel"], case.get("campaign_id"), postcode),
            "household_id": case["household_id"],
            "asked_on": received_on,
            "standing": Standing.ON_THE_WAY,
        },
    )


def fill_missing(said: Callable[[str], None] = lambda _line: None) -> int:
    """Write the rows of households that have none yet: after an upgrade from a release that did not keep them."""
    written, after = 0, 0
    while True:
        ids = list(
            db.session.scalars(
                select(Household.id)
                .outerjoin(Journey, Journey.household_id == Household.id)
                .where(Household.id > after, Journey.household_id.is_(None))
                .order_by(Household.id)
                .limit(BATCH)
            )
        )
        if not ids:
            return written
        found = _worked_out(ids)
        insert_rows([Values(Journey, values) for values in found.values()])
        db.session.flush()
        written, after = written + len(found), ids[-1]
        said(f"{written:,} households counted")


def drift(*, limit: int = 20) -> list[str]:
    """Households whose stored row is not what their moves say, in plain words; empty when all agree."""
    faults: list[str] = []
    after = 0
    columns = list(Journey.__table__.columns)
    while len(faults) < limit:
        ids = list(
            db.session.scalars(select(Household.id).where(Household.id > after).order_by(Household.id).limit(BATCH))
        )
        if not ids:
            break
        meant = _worked_out(ids)
        rows = db.session.execute(select(*columns).where(is_among(Journey.household_id, ids)))
        stored = {row.household_id: dict(row._mapping) for row in rows}
        for household_id in ids:
            one, other = stored.get(household_id), meant.get(household_id)
            if one == other:
                continue
            if one is None or other is None:
                faults.append(
                    f"household {household_id}: counted in reports is {'nothing' if one is None else 'a row'}"
                )
                continue
            wrong = ", ".join(f"{name} {one[name]} for {other[name]}" for name in other if one[name] != other[name])
            faults.append(f"household {household_id}: counted in reports as {wrong}")
        after = ids[-1]
    return faults[:limit]


def _asked(opened_at: datetime, channel: str, campaign_id: int | None, postcode: str | None) -> dict[str, Any]:
    local = opened_at.astimezone(LONDON)
    return {
        **dict.fromkeys(DAY_OF.values()),
        "asked_weekday": local.weekday(),
        "asked_hour": local.hour,
        "channel": channel,
        "campaign_id": campaign_id,
        "district": keys.district(postcode),
        "decided_on": None,
        "ended_on": None,
        "ended_why": None,
    }


@lru_cache(maxsize=1)
def _cases_of() -> Select[*tuple[Any, ...]]:
    return (
        select(Case.id, Case.household_id, Case.opened_at, Case.channel, Case.campaign_id, Household.postcode)
        .join(Household, Household.id == Case.household_id)
        .where(Case.household_id.in_(bindparam("ids", expanding=True)))
        .order_by(Case.opened_at, Case.id)
    )


@lru_cache(maxsize=1)
def _moves_of() -> Select[*tuple[Any, ...]]:
    return (
        select(
            StageChange.case_id,
            StageChange.track,
            StageChange.to_stage,
            StageChange.effective_on,
            StageChange.is_correction,
            StageChange.reason_code,
        )
        .where(StageChange.case_id.in_(bindparam("ids", expanding=True)))
        .order_by(StageChange.case_id, StageChange.changed_at, StageChange.id)
    )


def _worked_out(household_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The row of each household that has a case: two statements, however many there are."""
    cases: dict[int, list[Any]] = defaultdict(list)
    for row in db.session.execute(_cases_of(), {"ids": list(household_ids)}):
        cases[row.household_id].append(row)
    moves: dict[int, list[Moved]] = defaultdict(list)
    ids = [row.id for rows in cases.values() for row in rows]
    if ids:
        for row in db.session.execute(_moves_of(), {"ids": ids}):
            moves[row.case_id].append(
                Moved(row.track, row.to_stage, row.effective_on, row.is_correction, row.reason_code)
            )
    found: dict[int, dict[str, Any]] = {}
    for household_id, rows in cases.items():
        first = rows[0]
        progress = progress_of((london_date(row.opened_at), moves[row.id]) for row in rows)
        found[household_id] = {
            **_asked(first.opened_at, first.channel, first.campaign_id, first.postcode),
            **{DAY_OF[place]: day for place, day in progress.reached.items()},
            "household_id": household_id,
            "decided_on": progress.decided_on,
            "standing": str(progress.standing),
            "ended_on": progress.ended_on,
            "ended_why": progress.ended_why,
        }
    return found

"""The stored summary of how far each household has come: written with every change of one of its cases, never by hand.

Reports count these rows. ``drift`` compares them with what the moves say and reports; it mends nothing.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sqlalchemy import Select, bindparam, select, update

from crm.cases import keys
from crm.cases.models import Case, Household, Journey, JourneyCalendar, StageChange
from crm.clock import london_date
from crm.db import Values, db, insert_of, insert_rows, is_among
from crm.rules.intervals import LONDON
from crm.rules.progress import MILESTONES, Milestone, Moved, Progress, Standing, progress_of
from crm.rules.working_days import WorkingDays

BATCH = 1000
DAY_OF: Mapping[Milestone, str] = {place: f"{place}_on" for place in MILESTONES}
"""The column that holds the day of each place."""
WAIT_OF: Mapping[Milestone, str] = {place: f"{place}_after" for place in MILESTONES[1:-1]}
"""The column that holds how long it took to get to each place from the one before; an approval is a decision."""
_HELD = select(Journey.household_id).where(Journey.household_id == bindparam("household_id")).with_for_update()
WAITS = (*WAIT_OF.values(), "decided_after", "left_after")


def refresh(household_id: int, *, calendar: WorkingDays) -> None:
    """Write the row of a household anew, from its cases and their moves as they stand in this transaction.

    The row is held before they are read: of two cases of one household that move at once, the second sees the first.
    """
    db.session.execute(_HELD, {"household_id": household_id})
    values = _worked_out([household_id], calendar).get(household_id)
    if values is None:
        return
    _write(values)


def move_home(household: Household) -> None:
    """Note where a household lives now."""
    db.session.execute(
        update(Journey)
        .where(Journey.household_id == household.id)
        .values(district=keys.district(household.postcode))
        .execution_options(synchronize_session=False)
    )


def _write(values: Mapping[str, Any]) -> None:
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


def fill_missing(*, calendar: WorkingDays, said: Callable[[str], None] = lambda _line: None) -> int:
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
        found = _worked_out(ids, calendar)
        insert_rows([Values(Journey, values) for values in found.values()])
        db.session.flush()
        written, after = written + len(found), ids[-1]
        said(f"{written:,} households counted")


# --- When the calendar changes ----------------------------------------------------------------------------------------


def digest_of(calendar: WorkingDays, *, today: date) -> str:
    """Tells one calendar from another, as far as waits until the end of this year are counted by it."""
    holidays = sorted(day.isoformat() for day in calendar.holidays if day.year <= today.year)
    return hashlib.sha256("".join(holidays).encode()).hexdigest()


def is_counted_by(calendar: WorkingDays, *, today: date) -> bool:
    """Whether all waits were counted by this calendar. A cheap look."""
    row = db.session.execute(select(JourneyCalendar.digest, JourneyCalendar.counted_to)).first()
    return row is not None and row.digest == digest_of(calendar, today=today) and row.counted_to is None


def count_by(calendar: WorkingDays, *, today: date) -> int:
    """Count the waits of a batch of households by this calendar; how many were looked at. The caller goes on until none
    is left: whoever writes in between waits for one batch at most."""
    digest = digest_of(calendar, today=today)
    row = db.session.get(JourneyCalendar, 1)
    if row is None:
        row = JourneyCalendar(id=1, digest=digest, counted_to=0)
        db.session.add(row)
    elif row.digest != digest:
        row.digest, row.counted_to = digest, 0
    if row.counted_to is None:
        return 0
    ids = list(
        db.session.scalars(
            select(Journey.household_id)
            .where(Journey.household_id > row.counted_to)
            .order_by(Journey.household_id)
            .limit(BATCH)
            .with_for_update()  # whoever moves one of them meanwhile waits, and is not written over
        )
    )
    for values in _worked_out(ids, calendar).values():
        _write(values)
    row.counted_to = ids[-1] if ids else None
    db.session.flush()
    return len(ids)


# --- Looking after them -----------------------------------------------------------------------------------------------


def drift(*, calendar: WorkingDays, limit: int = 20) -> list[str]:
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
        meant = _worked_out(ids, calendar)
        rows = db.session.execute(select(*columns).where(is_among(Journey.household_id, ids)))
        stored = {row.household_id: dict(row._mapping) for row in rows}
        for household_id in ids:
            one, other = stored.get(household_id), meant.get(household_id)
            if one == other:
                continue
            if one is None or other is None:
                what = "is not counted in reports" if one is None else "is counted in reports and has no case"
                faults.append(f"household {household_id} {what}")
                continue
            wrong = ", ".join(f"{name} {one[name]} for {other[name]}" for name in other if one[name] != other[name])
            faults.append(f"household {household_id}: counted in reports as {wrong}")
        after = ids[-1]
    return faults[:limit]


def _asked(opened_at: datetime, channel: str, campaign_id: int | None, postcode: str | None) -> dict[str, Any]:
    local = opened_at.astimezone(LONDON)
    return {
        **dict.fromkeys(DAY_OF.values()),
        **dict.fromkeys(WAITS),
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


def _waits(progress: Progress, calendar: WorkingDays) -> dict[str, int]:
    """How long each place took, in working days; 0 where the days stand the other way round."""

    def between(start: date, end: date) -> int:
        # Days before the calendar begins, or after it ends, are as its edge: nothing of ours is counted there.
        first, last = (min(max(day, calendar.first_day), calendar.last_day) for day in (start, end))
        return max(calendar.between(first, last), 0)

    reached, found = progress.reached, {}
    for before, place in pairwise(MILESTONES[:-1]):
        if place in reached:
            found[WAIT_OF[place]] = between(reached[before], reached[place])
    if progress.decided_on is not None and Milestone.PANEL in reached:
        found["decided_after"] = between(reached[Milestone.PANEL], progress.decided_on)
    if progress.ended_on is not None:
        found["left_after"] = between(reached[progress.furthest], progress.ended_on)
    return found


def _worked_out(household_ids: Iterable[int], calendar: WorkingDays) -> dict[int, dict[str, Any]]:
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
            **_waits(progress, calendar),
            "household_id": household_id,
            "decided_on": progress.decided_on,
            "standing": str(progress.standing),
            "ended_on": progress.ended_on,
            "ended_why": progress.ended_why,
        }
    return found

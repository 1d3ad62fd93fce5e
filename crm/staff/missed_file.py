"""Missed clocks of a period as a file: codes and dates, the reference of the case, and no word about anybody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from crm.audit import record
from crm.cases.breaches import Missed, missed_clocks
from crm.clock import london_date
from crm.rules.breaches import ANSWERED_FOR, STATUTORY_CLOCKS
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.web.spreadsheets import Cell, csv_file

MOST = 5_000
LONGEST_YEARS = 5
HEADER = (
    "Reference",
    "Clock",
    "Set by",
    "Counted from",
    "Due",
    "Stopped",
    "Days over",
    "Reason",
    "Reason given on",
)


class PeriodNotPossible(Refusal):
    """A period of which there can be no file."""

    default_status = 422


def file_of_missed(*, first_on: date, last_on: date, actor: Actor, now: datetime, today: date) -> bytes:
    """Every missed clock that was due in a period, as CSV. That it was made is in the trail before it leaves.

    Raises PeriodNotPossible.
    """
    require(actor, Permission.ANSWER_FOR_CLOCKS)
    if last_on < first_on:
        raise PeriodNotPossible("The last day can’t be before the first.", field="last_on")
    if last_on.year - first_on.year > LONGEST_YEARS:
        raise PeriodNotPossible(f"Choose {LONGEST_YEARS} years or fewer.", field="last_on")
    rows = missed_clocks(ANSWERED_FOR, today=today, limit=MOST + 1, due_from=first_on, due_until=last_on)
    if len(rows) > MOST:
        raise PeriodNotPossible(f"That is more than {MOST:,} clocks. Choose a shorter period.", field="last_on")
    record("breach.file_made", actor=actor, at=now, detail={"from": first_on, "until": last_on, "rows": len(rows)})
    return csv_file(HEADER, [_cells(row) for row in rows])


def _cells(row: Missed) -> Sequence[Cell]:
    return (
        row.reference,
        row.rule,
        "law or standard" if row.rule in STATUTORY_CLOCKS else "our promise",
        row.counted_from_on,
        row.due_on,
        row.stopped_on,
        row.days_over,
        str(row.code) if row.code else None,
        london_date(row.given_on) if row.given_on else None,
    )

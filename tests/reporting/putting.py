"""Households with histories of any shape, put into the tables as they are, and the checks that every report must pass.

Nothing is committed: a test takes back what it put in and puts in the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from crm import policy
from crm.cases.models import Household, Person
from crm.db import db, new_row_key
from crm.reporting.catalogue import REPORTS
from crm.reporting.figures import Answer, Figure, Question
from crm.rules.permissions import Actor

BASE = date(2026, 3, 2)
"""A Monday."""
FIRST_ID = 5000


def day(offset: int | None) -> date | None:
    """So many days after BASE."""
    return None if offset is None else BASE + timedelta(days=offset)


def at(on: date, hour: int = 10) -> datetime:
    return datetime.combine(on, time(hour), tzinfo=UTC)


def put(model: type[Any], rows: Iterable[Mapping[str, Any]]) -> None:
    """Put rows into a table, with the defaults of their columns."""
    rows = [{**({"row_key": new_row_key()} if hasattr(model, "row_key") else {}), **row} for row in rows]
    columns = {name for row in rows for name in row}
    if rows:
        db.session.execute(sa.insert(model), [{name: row.get(name) for name in columns} for row in rows])


def put_households(count: int) -> list[int]:
    """So many homes, each with one person of the same number."""
    ids = [FIRST_ID + n for n in range(count)]
    made = at(BASE)
    put(Household, ({"id": one, "name": f"Household {one}", "created_at": made} for one in ids))
    put(
        Person,
        (
            {
                "id": one, "household_id": one, "role": "applicant_1", "given_name": f"Given{one}",
                "family_name": "Osei", "given_key": f"given{one}", "family_key": "osei",
            }
            for one in ids
        ),
    )  # fmt: skip
    return ids


def case_row(case_id: int, household_id: int, **columns: Any) -> dict[str, Any]:
    """The row of a case that is closed unless it says otherwise."""
    return {
        "id": case_id, "household_id": household_id, "reference": f"KF-{case_id}", "opened_at": at(BASE),
        "channel": "web", "edition": "2026", "is_open": False, "place": "closed", "band": "ended", "owner_id": None,
        "next_action": None, "next_action_due_on": None, "application_received_on": None, **columns,
    }  # fmt: skip


def journey_row(household_id: int, asked_on: date, **columns: Any) -> dict[str, Any]:
    days = ("spoken_on", "visited_on", "applied_on", "passed_on", "panel_on", "approved_on", "decided_on")
    return {
        "household_id": household_id, "asked_on": asked_on, "asked_weekday": asked_on.weekday(), "asked_hour": 10,
        "channel": "web", "campaign_id": None, "district": "BR1", **dict.fromkeys(days), "standing": "on_the_way",
        "ended_on": None, "ended_why": None, "spoken_after": None, "left_after": None, **columns,
    }  # fmt: skip


def answered(question: Question, *, today: date) -> Answer:
    """The report's answer, as it is counted."""
    return REPORTS[question.report].answer(question, today=today, rulebook=policy.rulebook_on(today))


def rows_behind(question: Question, figure: Figure, actor: Actor, *, today: date) -> list[Any]:
    """All that stands behind a figure, page by page; the count that the page says is checked on the way."""
    behind = REPORTS[question.report].behind(question, figure.rows or "", today=today)
    found: list[Any] = []
    after: int | None = None
    while True:
        page = behind.page(actor, after, 3, today)
        assert page.count == behind.count()
        found += page.rows
        if page.after is None:
            assert len(found) == page.count
            return found
        after = int(page.after)


def check_rows(question: Question, answer: Answer, actor: Actor, *, today: date) -> int:
    """Every count opens as many rows as it says, and one of nothing opens none. Returns how many did."""
    opened = 0
    for table, line, column, figure in answer.every_figure():
        if figure.rows is None:
            continue
        opened += 1
        found = rows_behind(question, figure, actor, today=today)
        if not figure.words.endswith("%"):
            assert len(found) == figure.value, (table.name, line.key, column.name, figure)
    return opened


def middle_of(waits: Iterable[tuple[int, bool]], still: Fraction = Fraction(1, 2)) -> int | None:
    """The first length by which no more than a half (or ``still``) are waiting: (length, whether it came), counted out
    day by day, in fractions."""
    waits = list(waits)
    share = Fraction(1)
    for length in range(max((one for one, _ in waits), default=0) + 1):
        here = [came for one, came in waits if one >= length]
        now = sum(1 for one, came in waits if one == length and came)
        if now:
            share *= 1 - Fraction(now, len(here))
            if share <= still:
                return length
    return None

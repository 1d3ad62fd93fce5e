"""Clocks of a case: a deadline is a stored date plus the rule and the edition that made it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import bindparam, select

from crm.cases.models import Case, Deadline
from crm.db import db
from crm.rules.rulebook import Rulebook


def start(
    case: Case,
    rule_name: str,
    *,
    counted_from: date,
    rulebook: Rulebook,
    due_on: date | None = None,
    subject: str = "",
    about: str | None = None,
) -> Deadline:
    """Start a clock, counted from a London date by the rule of that name. ``due_on``: only where a person chose it.

    A clock of the same rule and subject that is still running is replaced by the new one.
    """
    for running in running_clocks(case, (rule_name,), subject=subject):
        running.stopped_on, running.stopped_how = counted_from, "replaced"
    db.session.flush()
    deadline = Deadline(
        case_id=case.id,
        **values_of_clock(
            rule_name, counted_from=counted_from, rulebook=rulebook, due_on=due_on, subject=subject, about=about
        ),
    )
    db.session.add(deadline)
    db.session.flush()
    return deadline


LONGEST_ABOUT = 200
"""It names somebody, whose name may be as long as a form takes."""


def values_of_clock(
    rule_name: str,
    *,
    counted_from: date,
    rulebook: Rulebook,
    due_on: date | None = None,
    subject: str = "",
    about: str | None = None,
) -> dict[str, Any]:
    """The columns of a clock that ``start`` starts, but for its case: many cases that began on a day have the same."""
    due = rulebook.due_on(rule_name, counted_from, given=due_on) if due_on is None else due_on
    return {
        "rule": rule_name,
        "edition": rulebook.edition,
        "subject": subject,
        "about": about[:LONGEST_ABOUT] if about else about,
        "counted_from_on": counted_from,
        "due_on": due,
        "turn": rulebook.deadline(rule_name).whose_turn,
    }


def stop(case: Case, rule_names: Iterable[str], *, on: date, how: str = "met", subject: str | None = None) -> None:
    """Stop the running clocks of these rules: ``met`` when the thing was done, ``ended`` when it no longer matters."""
    for running in running_clocks(case, tuple(rule_names), subject=subject):
        running.stopped_on, running.stopped_how = on, how


def running_clocks(
    case: Case, rule_names: tuple[str, ...] | None = None, *, subject: str | None = None
) -> list[Deadline]:
    """The running clocks of a case, the nearest first; of these rules and this subject, where given."""
    query = _RUNNING
    if rule_names is not None:
        query = query.where(Deadline.rule.in_(rule_names))
    if subject is not None:
        query = query.where(Deadline.subject == subject)
    return list(db.session.scalars(query, {"case_id": case.id}))


_RUNNING = (
    select(Deadline)
    .where(Deadline.case_id == bindparam("case_id"), Deadline.stopped_on.is_(None))
    .order_by(Deadline.due_on, Deadline.id)
)

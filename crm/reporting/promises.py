"""Whether promises and limits are kept, each by the edition that its own case runs under: the due date of a clock was
worked out by that edition on the day it began, and nothing here works it out again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import aliased

from crm.cases.models import BreachReason, Case, Deadline, Journey
from crm.db import db, our_word
from crm.reporting.figures import Question
from crm.reporting.populations import in_area
from crm.rules.breaches import BreachCode


@dataclass(frozen=True, slots=True)
class Kept:
    """How the clocks of one rule went. A clock that was ended before its day (the household left, the clock was
    replaced) says nothing and is in none of these."""

    kept: int = 0
    missed: int = 0
    running: int = 0
    """Not over yet."""
    over_now: int = 0
    """Of the missed, those that run still."""

    @property
    def settled(self) -> int:
        return self.kept + self.missed

    def __add__(self, other: Kept) -> Kept:
        return Kept(
            self.kept + other.kept,
            self.missed + other.missed,
            self.running + other.running,
            self.over_now + other.over_now,
        )


def is_kept() -> ColumnElement[bool]:
    """Clocks that were met in time."""
    return and_(Deadline.stopped_how == our_word("met"), Deadline.stopped_on <= Deadline.due_on)


def is_missed(today: date) -> ColumnElement[bool]:
    """Clocks that were stopped after their day by whatever it was, or run past it."""
    return or_(Deadline.stopped_on > Deadline.due_on, and_(Deadline.stopped_on.is_(None), Deadline.due_on < today))


def is_running(today: date) -> ColumnElement[bool]:
    """Clocks that run and are in time."""
    return and_(Deadline.stopped_on.is_(None), Deadline.due_on >= today)


def clocks_of(rule: str | Sequence[str], question: Question) -> list[ColumnElement[bool]]:
    """Conditions for the clocks of these rules that were counted from a day in the period, of the area asked about."""
    rules = [rule] if isinstance(rule, str) else list(rule)
    conditions: list[ColumnElement[bool]] = [
        or_(*(Deadline.rule == our_word(one) for one in rules)),
        Deadline.counted_from_on >= question.first_on,
        Deadline.counted_from_on <= question.last_on,
    ]
    area = in_area(question.area)
    if area is not None:
        theirs = select(Case.id).join(Journey, Journey.household_id == Case.household_id).where(area)
        conditions.append(Deadline.case_id.in_(theirs))
    return conditions


def first_clocks(rule: str, population: Sequence[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """Conditions for the clocks of a rule on the case with which each household of a population first asked."""
    theirs = (
        select(Case.id).join(Journey, Journey.household_id == Case.household_id).where(*population, is_first_case())
    )
    return [Deadline.rule == our_word(rule), Deadline.case_id.in_(theirs)]


def is_first_case() -> ColumnElement[bool]:
    """Whether a case is that with which its household first asked: what a journey's first day, hour and channel say.

    Few households have more than one: those are looked for, and nothing is asked of all the others.
    """
    several = select(Case.household_id).group_by(Case.household_id).having(func.count() > 1)
    one, before = aliased(Case), aliased(Case)
    earlier = or_(before.opened_at < one.opened_at, and_(before.opened_at == one.opened_at, before.id < one.id))
    later = select(one.id).where(
        one.household_id.in_(several),
        select(before.id).where(before.household_id == one.household_id, earlier).exists(),
    )
    return Case.id.not_in(later)


def kept_by(
    groups: Sequence[Any], rule: str, population: Sequence[ColumnElement[bool]], *, today: date
) -> dict[tuple[Any, ...], Kept]:
    """How the clocks of a rule went on the case with which each household first asked, by columns of their journey:
    one statement."""
    over = and_(Deadline.stopped_on.is_(None), Deadline.due_on < today)
    rows = db.session.execute(
        select(
            *groups,
            func.count().filter(is_kept()),
            func.count().filter(is_missed(today)),
            func.count().filter(is_running(today)),
            func.count().filter(over),
        )
        .select_from(Journey)
        .join(Case, Case.household_id == Journey.household_id)
        .join(Deadline, Deadline.case_id == Case.id)
        .where(Deadline.rule == our_word(rule), is_first_case(), *population)
        .group_by(*groups)
    )
    return {tuple(row[: len(groups)]): Kept(*row[len(groups) :]) for row in rows}


def kept_promises(rules: Sequence[str], question: Question, *, today: date) -> dict[str, Kept]:
    """How the clocks of each rule went: one statement."""
    over = and_(Deadline.stopped_on.is_(None), Deadline.due_on < today)
    rows = db.session.execute(
        select(
            Deadline.rule,
            func.count().filter(is_kept()),
            func.count().filter(is_missed(today)),
            func.count().filter(is_running(today)),
            func.count().filter(over),
        )
        .where(*clocks_of(rules, question))
        .group_by(Deadline.rule)
    )
    found = {rule: Kept() for rule in rules}
    for rule, kept, missed, running, over_now in rows:
        found[rule] = Kept(kept, missed, running, over_now)
    return found


def breach_reasons(rules: Sequence[str], question: Question, *, today: date) -> Mapping[tuple[str, str | None], int]:
    """Why clocks were missed, by rule and code of the reason in force; None where nobody has said."""
    in_force = and_(BreachReason.deadline_id == Deadline.id, BreachReason.replaced_at.is_(None))
    rows = db.session.execute(
        select(Deadline.rule, BreachReason.code, func.count())
        .outerjoin(BreachReason, in_force)
        .where(*clocks_of(rules, question), is_missed(today))
        .group_by(Deadline.rule, BreachReason.code)
    )
    return {(rule, BreachCode(code) if code else None): count for rule, code, count in rows}


def has_reason(code: str) -> ColumnElement[bool]:
    """Clocks whose reason in force is this; "none": those of which nobody has said why."""
    given = aliased(BreachReason)
    reason = select(given.id).where(given.deadline_id == Deadline.id, given.replaced_at.is_(None)).correlate(Deadline)
    return ~reason.exists() if code == "none" else reason.where(given.code == our_word(code)).exists()

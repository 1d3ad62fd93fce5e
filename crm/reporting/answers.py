"""Answers to questions, counted once and kept while nothing they count has changed.

A kept answer is given again for ten minutes at most, and only while the newest move, touch, clock, reason, merge and
rule are those it was counted from. What changes without one of these (the cost of a campaign, a date put right) shows
within those ten minutes; every page says when it was counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, select

from crm import policy
from crm.cases.models import BreachReason, Campaign, Deadline, Enquiry, HouseholdMerge, StageChange
from crm.db import UTCDateTime, db, insert_of, read
from crm.reporting.catalogue import REPORTS
from crm.reporting.figures import Answer, NoSuchReport, Question
from crm.reporting.models import KeptAnswer
from crm.rules.rulebook import Rulebook

KEPT_FOR = timedelta(minutes=10)
_ROW = KeptAnswer.__table__.c
_KEPT_PAGE = select(_ROW.title, _ROW.lede, _ROW.page, _ROW.counted_at).where(
    _ROW.key == bindparam("key"),
    _ROW.stamp == bindparam("stamp"),
    _ROW.counted_at > bindparam("after", type_=UTCDateTime()),
)


@lru_cache(maxsize=1)
def _newest() -> Select[*tuple[Any, ...]]:
    parts = [
        select(func.max(column)).scalar_subquery()
        for column in (
            StageChange.id,
            Enquiry.id,
            Deadline.id,
            BreachReason.id,
            HouseholdMerge.id,
            HouseholdMerge.undone_at,
            Campaign.id,
        )
    ]
    return select(*parts)


def stamp() -> str:
    """What the data looks like, cheaply: the newest row of each kind that reports count, and the rules' edition."""
    newest = read(_newest()).one()
    return ",".join(str(one if one is not None else "") for one in (*newest, policy.policy_version()))


@dataclass(frozen=True, slots=True)
class Drawn:
    """An answer as it is drawn: its title, what it is about, the part of the page with its figures, and when they were
    counted."""

    title: str
    lede: str
    page: str
    counted_at: datetime


def kept_page(question: Question, *, stamp: str, now: datetime, today: date) -> Drawn | None:
    """The page that was drawn before, if it still holds."""
    row = read(_KEPT_PAGE, {"key": question.key(today), "stamp": stamp, "after": now - KEPT_FOR}).first()
    return Drawn(row.title, row.lede, row.page, row.counted_at) if row is not None else None


def kept_answer(question: Question, *, stamp: str, now: datetime, today: date) -> Answer | None:
    """The answer that was counted before, if it still holds."""
    row = db.session.execute(
        select(KeptAnswer.body, KeptAnswer.counted_at).where(
            KeptAnswer.key == question.key(today), KeptAnswer.stamp == stamp, KeptAnswer.counted_at > now - KEPT_FOR
        )
    ).first()
    return Answer.from_text(row.body, counted_at=row.counted_at) if row is not None else None


def count_answer(question: Question, *, now: datetime, today: date, rulebook: Rulebook) -> Answer:
    """The answer, counted now. Raises NoSuchReport."""
    report = REPORTS.get(question.report)
    if report is None:
        raise NoSuchReport
    return replace(report.answer(question, today=today, rulebook=rulebook), counted_at=now)


def keep_answer(question: Question, answer: Answer, drawn: Drawn, *, stamp: str, today: date) -> None:
    """Keep an answer for whoever asks the same again; of two who counted at once, the later one's stays."""
    values = {
        "key": question.key(today),
        "stamp": stamp,
        "counted_at": drawn.counted_at,
        "body": answer.to_text(),
        "title": drawn.title[:120],
        "lede": drawn.lede[:300],
        "page": drawn.page,
    }
    statement = insert_of(KeptAnswer).values(**values)
    changed = {name: statement.excluded[name] for name in values if name != "key"}
    db.session.execute(statement.on_conflict_do_update(index_elements=["key"], set_=changed))


def forget_old(now: datetime) -> int:
    """Drop answers that are not given again."""
    ids = db.session.scalars(
        delete(KeptAnswer).where(KeptAnswer.counted_at <= now - KEPT_FOR).returning(KeptAnswer.key)
    ).all()
    return len(ids)

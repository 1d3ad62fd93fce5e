"""What waits for one person's word: the small cards of My day, all from one statement.

Each is short and mostly empty, and asking costs more than its answer: so they are asked together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Date,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from crm.access.models import StaffLeave, User
from crm.assessments.models import REPORT_SECTIONS, AssessmentReport, ReportKind, ReportSection
from crm.assessments.stage_two_models import ReportEvidence
from crm.cases.merge_models import HouseholdMerge, MergeState
from crm.cases.models import Band, Case, ClosingRequest, Escalation, Household
from crm.db import UTCDateTime, no_more_than, our_word, read
from crm.rules.permissions import Actor, Permission, Role
from crm.visits.day_models import VisitAlert, VisitWatch
from crm.visits.models import Visit, VisitReport
from crm.visits.watching import LOOKS_BACK

SHOWN = 8
"""One more is read: it says that there are more."""
MERGES_SHOWN = 20
LOOKED_THROUGH = 60
"""So many of the enquiries that wait longest are asked whether the managers were told of them."""


class LateLine(NamedTuple):
    """A new enquiry of which the managers were told, and with which nobody has got in touch since."""

    reference: str
    household: str
    due_on: date
    channel: str
    owner: str | None


class ClosingLine(NamedTuple):
    """An enquiry that somebody asks to close because nobody answers."""

    reference: str
    household: str
    asked_by: str
    asked_at: datetime


class ToSign(NamedTuple):
    """A visit report that waits for a manager."""

    visit_id: int
    reference: str
    names: str
    submitted_at: datetime


class ToCountersign(NamedTuple):
    """An assessment report that is whole and waits for a manager who did not write it."""

    reference: str
    names: str
    written_by: str
    changed_on: date


class Away(NamedTuple):
    """Somebody who is away and named this person as their cover, and their last day away."""

    user_id: int
    name: str
    last_on: date


@dataclass(frozen=True, slots=True)
class Wanted:
    """What waits for one person. Each list is the longest waiting first, and holds one more than is shown where there
    are more. ``merges``: the numbers of merges that wait for a second person. ``looks_out``: whether officers at a home
    may have to be looked out for by this person, which is then asked about in full."""

    late: tuple[LateLine, ...]
    closings: tuple[ClosingLine, ...]
    to_sign: tuple[ToSign, ...]
    to_countersign: tuple[ToCountersign, ...]
    merges: tuple[int, ...]
    away: tuple[Away, ...]
    looks_out: bool


def wanted_from(actor: Actor, *, today: date, now: datetime) -> Wanted:
    """What waits for this person's word today. One query, or none for somebody whom nothing waits for."""
    found: dict[str, list[Any]] = defaultdict(list)
    parts = tuple(name for name, concerns in _CONCERNS.items() if concerns(actor))
    if parts and actor.user_id is not None:
        for row in read(_statement(parts), {"me": actor.user_id, "today": today, "since": now - LOOKS_BACK}):
            found[row.part].append(row)
    return Wanted(
        late=tuple(LateLine(row.reference, row.names, row.day, row.word, row.who) for row in found["late"]),
        closings=tuple(ClosingLine(row.reference, row.names, row.who, row.at) for row in found["closings"]),
        to_sign=tuple(ToSign(row.number, row.reference, row.names, row.at) for row in found["to_sign"]),
        to_countersign=tuple(
            ToCountersign(row.reference, row.names, row.who, row.day) for row in found["to_countersign"]
        ),
        merges=tuple(row.number for row in found["merges"]),
        away=tuple(Away(row.number, row.who, row.day) for row in found["away"]),
        looks_out=bool(found["buddy_of"] or found["alarmed"]),
    )


_CONCERNS: dict[str, Callable[[Actor], bool]] = {
    "late": lambda actor: Role.MANAGER in actor.roles,
    "closings": lambda actor: actor.has(Permission.AGREE_CLOSING),
    "to_sign": lambda actor: Role.MANAGER in actor.roles,
    "to_countersign": lambda actor: actor.has(Permission.COUNTERSIGN_REPORT),
    # Whoever may agree is a manager, and managers open every household: nothing is to be narrowed.
    "merges": lambda actor: actor.has(Permission.AGREE_MERGE),
    "away": lambda actor: bool(actor.roles & {Role.RECRUITER, Role.OFFICER, Role.MANAGER}),
    "buddy_of": lambda actor: actor.has(Permission.BOOK_VISIT),
    "alarmed": lambda actor: Role.MANAGER in actor.roles,
}

_CASE, _HOME, _USER = Case.__table__.c, Household.__table__.c, User.__table__.c
_VISIT, _REPORT, _LEAVE = Visit.__table__.c, VisitReport.__table__.c, StaffLeave.__table__.c
_WRITTEN, _SECTION = AssessmentReport.__table__.c, ReportSection.__table__.c
_EVIDENCE = ReportEvidence.__table__.c
_CLOSING, _MERGE, _TOLD = ClosingRequest.__table__.c, HouseholdMerge.__table__.c, Escalation.__table__.c

_WATCH, _ALERT = VisitWatch.__table__.c, VisitAlert.__table__.c

_ME, _TODAY = bindparam("me", type_=Integer), bindparam("today", type_=Date)
_SINCE = bindparam("since", type_=UTCDateTime)
_COLUMNS = {"reference": String, "names": String, "who": String, "word": String, "number": Integer, "day": Date,
            "at": UTCDateTime}  # fmt: skip


def _row(part: str, **columns: Any) -> Select[Any]:
    """The columns that every part has, empty where a part says nothing."""
    said = [columns.get(name, cast(null(), type_)).label(name) for name, type_ in _COLUMNS.items()]
    return select(literal_column(f"'{part}'", String).label("part"), *said)


@lru_cache(maxsize=16)
def _statement(parts: tuple[str, ...]) -> Select[Any]:
    makers = {"late": _late, "closings": _closings, "to_sign": _to_sign, "to_countersign": _to_countersign,
              "merges": _merges, "away": _away, "buddy_of": _buddy_of, "alarmed": _alarmed}  # fmt: skip
    picked = [makers[part]().subquery() for part in parts]
    every = union_all(*(select(*one.c) for one in picked)).subquery("every")
    return select(*every.c)


def _late() -> Select[Any]:
    """The managers are told of the longest waiting first, so whoever they were told of stands at the front."""
    waiting = (
        select(_CASE.id)
        .where(_CASE.band == our_word(Band.ENQUIRY), _CASE.place == our_word("new"), _CASE.next_action_due_on <= _TODAY)
        .order_by(_CASE.next_action_due_on, _CASE.id)
        .limit(no_more_than(LOOKED_THROUGH))
        .subquery("waiting")
    )
    return (
        _row("late", reference=_CASE.reference, names=_HOME.name, day=_CASE.next_action_due_on, word=_CASE.channel,
             who=_USER.name)
        .select_from(waiting)
        .join(Case.__table__, _CASE.id == waiting.c.id)
        .join(Household.__table__, _HOME.id == _CASE.household_id)
        .outerjoin(User.__table__, _USER.id == _CASE.owner_id)
        .where(select(_TOLD.id).where(_TOLD.case_id == _CASE.id).exists())
        .order_by(_CASE.next_action_due_on, _CASE.id)
        .limit(no_more_than(SHOWN + 1))
    )  # fmt: skip


def _closings() -> Select[Any]:
    return (
        _row("closings", reference=_CASE.reference, names=_HOME.name, who=_USER.name, at=_CLOSING.asked_at)
        .select_from(ClosingRequest.__table__)
        .join(Case.__table__, _CASE.id == _CLOSING.case_id)
        .join(Household.__table__, _HOME.id == _CASE.household_id)
        .join(User.__table__, _USER.id == _CLOSING.asked_by_id)
        .where(_CLOSING.settled_at.is_(None))
        .order_by(_CLOSING.asked_at, _CLOSING.id)
        .limit(no_more_than(SHOWN + 1))
    )


def _to_sign() -> Select[Any]:
    return (
        _row("to_sign", number=_REPORT.visit_id, reference=_CASE.reference, names=_HOME.name, at=_REPORT.submitted_at)
        .select_from(VisitReport.__table__)
        .join(Visit.__table__, _VISIT.id == _REPORT.visit_id)
        .join(Case.__table__, _CASE.id == _VISIT.case_id)
        .join(Household.__table__, _HOME.id == _CASE.household_id)
        .where(_REPORT.submitted_at.is_not(None), _REPORT.signed_off_at.is_(None))
        .order_by(_REPORT.submitted_at, _REPORT.id)
        .limit(no_more_than(SHOWN + 1))
    )


def _to_countersign() -> Select[Any]:
    sections = select(func.count(_SECTION.id)).where(
        _SECTION.report_id == _WRITTEN.id, _SECTION.text_sealed.is_not(None)
    )
    rests_on = select(func.count(_EVIDENCE.section.distinct())).where(_EVIDENCE.report_id == _WRITTEN.id)
    is_whole = or_(
        and_(
            _WRITTEN.kind == ReportKind.FULL,
            sections.scalar_subquery() == len(REPORT_SECTIONS),
            rests_on.scalar_subquery() == len(REPORT_SECTIONS),
        ),
        and_(_WRITTEN.kind == ReportKind.BRIEF, sections.where(_SECTION.name == "suitability").scalar_subquery() == 1),
    )
    return (
        _row("to_countersign", reference=_CASE.reference, names=_HOME.name, who=_USER.name, day=_WRITTEN.changed_on)
        .select_from(AssessmentReport.__table__)
        .join(Case.__table__, _CASE.id == _WRITTEN.case_id)
        .join(Household.__table__, _HOME.id == _CASE.household_id)
        .join(User.__table__, _USER.id == _WRITTEN.written_by_id)
        .where(
            _CASE.place == our_word("in_assessment"),
            _WRITTEN.countersigned_on.is_(None),
            _WRITTEN.written_by_id != _ME,
            is_whole,
        )
        .order_by(_WRITTEN.changed_on, _WRITTEN.id)
        .limit(no_more_than(SHOWN + 1))
    )


def _merges() -> Select[Any]:
    return (
        _row("merges", number=_MERGE.id)
        .select_from(HouseholdMerge.__table__)
        .where(_MERGE.state == our_word(MergeState.ASKED), _MERGE.asked_by_id.is_distinct_from(_ME))
        .order_by(_MERGE.asked_at, _MERGE.id)
        .limit(no_more_than(MERGES_SHOWN))
    )


def _away() -> Select[Any]:
    return (
        _row("away", number=_LEAVE.user_id, who=_USER.name, day=_LEAVE.last_on)
        .select_from(StaffLeave.__table__)
        .join(User.__table__, _USER.id == _LEAVE.user_id)
        .where(
            _LEAVE.cover_id == _ME, _LEAVE.first_on <= _TODAY, _LEAVE.last_on >= _TODAY, _LEAVE.withdrawn_at.is_(None)
        )
        .order_by(_LEAVE.last_on, _LEAVE.id)
        .limit(no_more_than(SHOWN))
    )


def _buddy_of() -> Select[Any]:
    return (
        _row("buddy_of", number=_WATCH.visit_id)
        .select_from(VisitWatch.__table__)
        .join(Visit.__table__, _VISIT.id == _WATCH.visit_id)
        .where(_WATCH.buddy_id == _ME, _VISIT.starts_at > _SINCE)
        .limit(no_more_than(1))
    )


def _alarmed() -> Select[Any]:
    return (
        _row("alarmed", number=_ALERT.visit_id)
        .select_from(VisitAlert.__table__)
        .where(_ALERT.ended_at.is_(None), _ALERT.told_at > _SINCE)
        .limit(no_more_than(1))
    )

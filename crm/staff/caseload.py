"""The caseload, for a manager who answers for statutory clocks: what is late or about to be, what stands still and for
whom, and who has how much.

A fixed number of queries, however many officers and households there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Date, Select, bindparam, func, select

from crm.access.models import User
from crm.access.queries import staff_with_role
from crm.assessments.caseload import OpenApplication, OpenApplications, RunningClock
from crm.cases.models import Band, Case, Deadline, Household
from crm.cases.queries import clock_words
from crm.db import UTCDateTime, no_more_than, our_word, read
from crm.rules.breaches import STATUTORY_CLOCKS
from crm.rules.permissions import Role
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName
from crm.rules.waiting import ON_WHOM_WORDS, OnWhom
from crm.staff.move_pages import CLOCK_PAGES, MOVE_PAGES, MovePage
from crm.staff.my_day import end_of_week, ids_of
from crm.visits.models import Visit, VisitOfficer, VisitStatus
from crm.web.filters import day_short, many

CLOCKS_READ = 200
AHEAD_SHOWN = 40
VISITS_WITHIN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class AheadRow:
    """A limit that is over, ends this week, or will not be kept as things stand."""

    clock_id: int | None
    reference: str
    names: str
    who: str
    what: str
    rule_words: str
    state: str
    words: str
    due_on: date
    waits_for: str
    note: str
    page: MovePage
    ids: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StuckRow:
    """An open application, what it waits for, and since when nothing moved."""

    reference: str
    names: str
    who: str
    on: str
    what: str
    since: date
    days: int
    page: MovePage
    ids: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stuck:
    """Open applications, the longest still first: those of one page, how many in all, and how many wait on whom."""

    rows: tuple[StuckRow, ...]
    count: int
    counts: tuple[tuple[OnWhom, int], ...]


@dataclass(frozen=True, slots=True)
class OfficerRow:
    """What one person has in hand."""

    user_id: int
    name: str
    is_here: bool
    enquiries: int
    stage_one: int
    stage_two: int
    deciding: int
    over: int
    visits: int
    last_on: datetime | None

    @property
    def households(self) -> int:
        return self.enquiries + self.stage_one + self.stage_two + self.deciding


# --- Breaches ahead of time -------------------------------------------------------------------------------------------


def breaches_ahead(found: OpenApplications, *, today: date, rulebook: Rulebook) -> list[AheadRow]:
    """Running clocks of law and standards that are over, end this week, or will be missed by forecast, soonest first.

    One query. What runs on after a decision (its notices) belongs here as well.
    """
    horizon, _ = end_of_week(today)
    by_case = {one.case_id: one for one in found.rows}
    rows: list[AheadRow] = []
    shown: set[tuple[int, str]] = set()
    for row in read(_near(), {"horizon": horizon}):
        shown.add((row.case_id, row.rule))
        one = by_case.get(row.case_id)
        clock = RunningClock(row.rule, row.subject, row.about, row.due_on, row.turn)
        note = _note(one, found.meetings, rulebook) if one is not None and row.rule == "panel_recommendation" else ""
        rows.append(
            _ahead(
                clock,
                clock_id=row.id,
                reference=row.reference,
                names=row.names,
                who=one.who if one is not None else row.owner or "",
                waits_for=_waits_for(one),
                note=note,
                today=today,
                rulebook=rulebook,
            )
        )
    for one in found.rows:
        limit = next((clock for clock in one.clocks if clock.rule == "panel_recommendation"), None)
        if limit is None or not one.is_late_by_forecast or (one.case_id, limit.rule) in shown:
            continue
        rows.append(
            _ahead(
                limit,
                clock_id=None,
                reference=one.reference,
                names=one.names,
                who=one.who,
                waits_for=_waits_for(one),
                note=_note(one, found.meetings, rulebook),
                today=today,
                rulebook=rulebook,
            )
        )
    return sorted(rows, key=lambda row: (row.due_on, row.reference, row.what))


def _ahead(
    clock: RunningClock,
    *,
    clock_id: int | None,
    reference: str,
    names: str,
    who: str,
    waits_for: str,
    note: str,
    today: date,
    rulebook: Rulebook,
) -> AheadRow:
    rule = rulebook.deadline(clock.rule)
    reading = rulebook.say_due(clock.rule, clock.due_on, today=today)
    will_be_missed = bool(note) and reading.state != "over"
    return AheadRow(
        clock_id=clock_id if reading.state == "over" else None,
        reference=reference,
        names=names,
        who=who,
        what=clock_words(clock, rulebook),
        rule_words=rule.words,
        state="due" if will_be_missed and reading.state == "ok" else {"ok": "none"}.get(reading.state, reading.state),
        words=reading.words,
        due_on=clock.due_on,
        waits_for=waits_for,
        note=note,
        page=CLOCK_PAGES[clock.rule],
        ids=ids_of(clock.subject),
    )


def _waits_for(one: OpenApplication | None) -> str:
    return f"{ON_WHOM_WORDS[one.waiting.on]}: {one.waiting.what}" if one is not None else ""


def _note(one: OpenApplication, meetings: Sequence[date], rulebook: Rulebook) -> str:
    """What the forecast says of the 8 months, where the panel would meet after them."""
    if not one.is_late_by_forecast or one.course is None or one.limit_on is None:
        return ""
    after = many((one.course.panel_on - one.limit_on).days, "day")
    if one.course.is_meeting_planned:
        said = f"Panel on {day_short(one.course.panel_on)}, {after} after the limit."
    else:
        said = f"No meeting is planned in time. The first that could hear them is {after} after the limit."
    last = max((day for day in meetings if day <= one.limit_on), default=None)
    if last is not None:
        papers = rulebook.due_on("panel_papers", last)
        said += f" Last meeting inside it: {day_short(last)}, papers by {day_short(papers)}."
    return said


# --- What stands still ------------------------------------------------------------------------------------------------

_STEP_PAGES: Mapping[str, MovePage] = {
    "check": CLOCK_PAGES["check_chase"],
    "report": CLOCK_PAGES["stage_two_target"],
    "observations": CLOCK_PAGES["observations"],
}


def stuck(
    rows: Iterable[OpenApplication],
    *,
    today: date,
    on: OnWhom | None = None,
    who_id: int | None = None,
    start: int = 0,
    size: int = 50,
) -> Stuck:
    """What every open application waits for, the longest still first; where asked, on one or of one person."""
    theirs = [one for one in rows if who_id is None or one.who_id == who_id]
    counts = Counter(one.waiting.on for one in theirs)
    wanted = sorted(
        (one for one in theirs if on is None or one.waiting.on == on), key=lambda one: (one.moved_on, one.case_id)
    )
    return Stuck(
        rows=tuple(
            StuckRow(
                reference=one.reference,
                names=one.names,
                who=one.who,
                on=ON_WHOM_WORDS[one.waiting.on],
                what=one.waiting.what,
                since=one.waiting.since,
                days=one.days_still(today),
                page=_STEP_PAGES.get(one.waiting.step) or MOVE_PAGES[one.waiting.step],
                ids={"check_id": one.waiting.check_id} if one.waiting.check_id is not None else {},
            )
            for one in wanted[start : start + size]
        ),
        count=len(wanted),
        counts=tuple((whom, counts[whom]) for whom in OnWhom if counts[whom]),
    )


# --- Who has how much -------------------------------------------------------------------------------------------------


def officers(found: OpenApplications, *, now: datetime, today: date) -> list[OfficerRow]:
    """Everybody who may assess or has a household in hand, whoever has the most first. Five queries."""
    people = {user.id: (user.name, True) for user in staff_with_role(Role.OFFICER)}
    enquiries = _counts(_ENQUIRIES)
    touched = {row.owner_id: row.last_at for row in read(_TOUCHED, {})}
    over = _counts(_OVER, today=today)
    visits = _counts(_VISITS, now=now, until=now + VISITS_WITHIN)
    hands: dict[int, Counter[str]] = {}
    for one in found.rows:
        if one.who_id is not None:
            hands.setdefault(one.who_id, Counter())[_stage_of(one)] += 1
    missing = {*enquiries, *hands, *over, *visits} - people.keys()
    if missing:
        for row in read(_PEOPLE, {"ids": sorted(missing)}):
            people[row.id] = (row.name, row.active)
    rows = [
        OfficerRow(
            user_id=number,
            name=name,
            is_here=is_here,
            enquiries=enquiries.get(number, 0),
            stage_one=hands.get(number, Counter())["stage_one"],
            stage_two=hands.get(number, Counter())["stage_two"],
            deciding=hands.get(number, Counter())["deciding"],
            over=over.get(number, 0),
            visits=visits.get(number, 0),
            last_on=touched.get(number),
        )
        for number, (name, is_here) in people.items()
    ]
    return sorted(rows, key=lambda row: (-row.households, row.name))


def _counts(statement: Select[Any], **words: Any) -> dict[int, int]:
    """How many of something each person has."""
    return {row[0]: row[1] for row in read(statement, words) if row[0] is not None}


def _stage_of(one: OpenApplication) -> str:
    if one.place not in ("received", "in_assessment"):
        return "deciding"
    return "stage_two" if TrackName.STAGE_TWO in one.tracks else "stage_one"


# --- Statements, built once -------------------------------------------------------------------------------------------

_CASE, _CLOCK, _HOME, _USER = Case.__table__.c, Deadline.__table__.c, Household.__table__.c, User.__table__.c
_VISIT, _GOES = Visit.__table__.c, VisitOfficer.__table__.c


@lru_cache(maxsize=1)
def _near() -> Select[Any]:
    picked = (
        select(_CLOCK.id)
        .where(
            _CLOCK.stopped_on.is_(None),
            _CLOCK.rule.in_([our_word(rule) for rule in STATUTORY_CLOCKS]),
            _CLOCK.due_on <= bindparam("horizon", type_=Date),
        )
        .order_by(_CLOCK.due_on, _CLOCK.id)
        .limit(no_more_than(CLOCKS_READ))
        .subquery("picked")
    )
    return (
        select(
            _CLOCK.id,
            _CLOCK.case_id,
            _CLOCK.rule,
            _CLOCK.subject,
            _CLOCK.about,
            _CLOCK.due_on,
            _CLOCK.turn,
            _CASE.reference,
            _HOME.name.label("names"),
            _USER.name.label("owner"),
        )
        .select_from(picked)
        .join(Deadline.__table__, _CLOCK.id == picked.c.id)
        .join(Case.__table__, _CASE.id == _CLOCK.case_id)
        .join(Household.__table__, _HOME.id == _CASE.household_id)
        .outerjoin(User.__table__, _USER.id == _CASE.owner_id)
        .order_by(_CLOCK.due_on, _CLOCK.id)
    )


_ENQUIRIES = (
    select(_CASE.owner_id, func.count())
    .where(_CASE.band == our_word(Band.ENQUIRY), _CASE.place != our_word("not_now"))
    .group_by(_CASE.owner_id)
)
_TOUCHED = (
    select(_CASE.owner_id, func.max(_CASE.touched_at, type_=UTCDateTime()).label("last_at"))
    .where(_CASE.is_open, _CASE.place != our_word("not_now"))
    .group_by(_CASE.owner_id)
)
_OVER = (
    select(_CASE.owner_id, func.count())
    .select_from(Deadline.__table__)
    .join(Case.__table__, _CASE.id == _CLOCK.case_id)
    .where(
        _CLOCK.stopped_on.is_(None),
        _CLOCK.turn == our_word("service"),
        _CLOCK.due_on < bindparam("today", type_=Date),
        _CASE.is_open,
    )
    .group_by(_CASE.owner_id)
)
_VISITS = (
    select(_GOES.officer_id, func.count())
    .select_from(VisitOfficer.__table__)
    .join(Visit.__table__, _VISIT.id == _GOES.visit_id)
    .where(
        _VISIT.status == our_word(VisitStatus.BOOKED),
        _VISIT.starts_at >= bindparam("now", type_=UTCDateTime()),
        _VISIT.starts_at < bindparam("until", type_=UTCDateTime()),
    )
    .group_by(_GOES.officer_id)
)
_PEOPLE = select(_USER.id, _USER.name, _USER.active).where(_USER.id.in_(bindparam("ids", expanding=True)))

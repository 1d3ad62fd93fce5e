"""All open applications at once, for whoever answers for them: what each waits for, and which limits are in danger.

A fixed number of queries, however many there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Date, Select, and_, bindparam, func, or_, select

from crm.access.models import User
from crm.assessments.checks import ITEM_TITLES
from crm.assessments.forecast import Course, Progress, likely_course
from crm.assessments.models import (
    REPORT_SECTIONS,
    Application,
    AssessmentReport,
    Check,
    PanelItem,
    PanelMeeting,
    ReportKind,
    ReportSection,
)
from crm.assessments.stage_two import observations_ends
from crm.assessments.stage_two_models import ReportEvidence
from crm.cases.models import AssignmentRole, Band, Case, CaseAssignment, Deadline, Household, Person, Track
from crm.db import no_more_than, our_word, read
from crm.rules.breaches import STATUTORY_CLOCKS
from crm.rules.deadlines import say_about
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName
from crm.rules.waiting import OpenCheck, Standing, Waiting, waits_for

MOST = 500
"""Open applications that are read: those whose next date comes first."""
MEETINGS_AHEAD = 50


@dataclass(frozen=True, slots=True)
class OpenApplication:
    """One open application with what it waits for."""

    case_id: int
    reference: str
    names: str
    place: str
    owner_id: int | None
    owner: str
    assessor_id: int | None
    assessor: str
    tracks: Mapping[TrackName, str]
    waiting: Waiting
    moved_on: date
    """When it last moved: a stage, a check that came in, a step of the report."""
    limit_on: date | None
    """When the panel must have recommended; None once it has."""
    course: Course | None
    clocks: tuple[RunningClock, ...]
    """The running clocks of law and standards that are the service's to keep, the nearest first."""

    @property
    def who_id(self) -> int | None:
        """Whoever works with them: the assessor or, where there is none, the owner."""
        return self.assessor_id or self.owner_id

    @property
    def who(self) -> str:
        return self.assessor or self.owner

    def days_still(self, today: date) -> int:
        """For how many days nothing has moved."""
        return max((today - self.moved_on).days, 0)

    @property
    def is_late_by_forecast(self) -> bool:
        """Whether the panel would meet after the limit."""
        return self.limit_on is not None and self.course is not None and self.course.panel_on > self.limit_on


@dataclass(frozen=True, slots=True)
class RunningClock:
    """A clock as it is stored."""

    rule: str
    subject: str
    about: str | None
    due_on: date
    turn: str


@dataclass(slots=True)
class _Beside:
    """What stands in other tables about one application."""

    tracks: dict[TrackName, str] = field(default_factory=dict)
    since: dict[TrackName, date] = field(default_factory=dict)
    application: Any = None
    report: Any = None
    open_checks: list[OpenCheck] = field(default_factory=list)
    last_check_on: date | None = None
    panel_on: date | None = None
    assessor: tuple[int, str] | None = None
    clocks: list[RunningClock] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OpenApplications:
    """Every open application; ``more``: whether there are more than were read. ``meetings``: the days on which panel
    is to meet."""

    rows: tuple[OpenApplication, ...]
    more: bool
    meetings: tuple[date, ...]


def open_applications(*, today: date, rulebook: Rulebook, most: int = MOST) -> OpenApplications:
    """Read them, no more than ``most``, with what each waits for and where it is likely to end. Ten queries."""
    rows = read(_open(most), {}).all()
    more, rows = len(rows) > most, rows[:most]
    beside = _beside([row.id for row in rows], today=today)
    meetings = tuple(row.meets_on for row in read(_MEETINGS, {"today": today}))
    found = []
    for row in rows:
        one = beside[row.id]
        if one.application is None:
            continue
        limit = next((clock.due_on for clock in one.clocks if clock.rule == "panel_recommendation"), None)
        found.append(
            OpenApplication(
                case_id=row.id,
                reference=row.reference,
                names=row.names,
                place=row.place,
                owner_id=row.owner_id,
                owner=row.owner or "",
                assessor_id=one.assessor[0] if one.assessor else None,
                assessor=one.assessor[1] if one.assessor else "",
                tracks=one.tracks,
                waiting=waits_for(_standing(one, rulebook), today=today),
                moved_on=_moved_on(one),
                limit_on=limit,
                course=_course(one, meetings, today=today, rulebook=rulebook) if limit is not None else None,
                clocks=tuple(
                    sorted(
                        (clock for clock in one.clocks if clock.rule in STATUTORY_CLOCKS),
                        key=lambda clock: (clock.due_on, clock.rule),
                    )
                ),
            )
        )
    return OpenApplications(tuple(found), more, meetings)


def _standing(one: _Beside, rulebook: Rulebook) -> Standing:
    report = one.report
    ends = observations_ends(report.shared_on, rulebook)[1] if report is not None and report.shared_on else None
    return Standing(
        tracks=one.tracks,
        since=one.since,
        received_on=one.application.received_on,
        open_checks=one.open_checks,
        report_is_whole=report is not None and _is_whole(report),
        countersigned_on=report.countersigned_on if report is not None else None,
        observations_received_on=report.observations_received_on if report is not None else None,
        observations_end_on=ends,
        panel_on=one.panel_on,
    )


def _is_whole(report: Any) -> bool:
    if report.kind == ReportKind.BRIEF:
        return bool(report.has_suitability)
    return bool(report.written == len(REPORT_SECTIONS) == report.rests_on)


def _moved_on(one: _Beside) -> date:
    report = one.report
    steps = [one.application.received_on, one.last_check_on, *one.since.values()]
    if report is not None:
        steps += [report.countersigned_on, report.shared_on, report.observations_received_on]
    return max(step for step in steps if step is not None)


def _course(one: _Beside, meetings: Sequence[date], *, today: date, rulebook: Rulebook) -> Course:
    report = one.report
    return likely_course(
        Progress(
            tracks=one.tracks,
            due={clock.rule: clock.due_on for clock in one.clocks},
            assessing_from_on=one.application.assessing_from_on,
            report_shared_on=report.shared_on if report is not None else None,
            observations_received_on=report.observations_received_on if report is not None else None,
            listed_for_on=one.panel_on,
        ),
        next_meetings=meetings,
        today=today,
        rulebook=rulebook,
    )


def _beside(case_ids: list[int], *, today: date) -> dict[int, _Beside]:
    found: dict[int, _Beside] = defaultdict(_Beside)
    if not case_ids:
        return found
    words = {"ids": case_ids}
    for row in read(_TRACKS, words):
        found[row.case_id].tracks[TrackName(row.name)] = row.stage
        found[row.case_id].since[TrackName(row.name)] = row.since_on
    for row in read(_APPLICATIONS, words):  # the newest last
        found[row.case_id].application = row
    for row in read(_REPORTS, words):
        found[row.case_id].report = row
    for row in read(_CLOCKS, words):
        found[row.case_id].clocks.append(RunningClock(row.rule, row.subject, row.about, row.due_on, row.turn))
    for row in read(_ON_AGENDA, words):
        found[row.case_id].panel_on = row.meets_on
    for row in read(_ASSESSORS, words | {"today": today}):
        found[row.case_id].assessor = (row.user_id, row.name)
    for row in _checks_of(one.application.id for one in found.values() if one.application is not None):
        one = found[row.case_id]
        if row.received_on is not None:
            one.last_check_on = max(one.last_check_on or row.received_on, row.received_on)
        elif row.needed_from_on <= today:
            title = ITEM_TITLES.get(row.item, row.what)
            spoken = say_about(row.given_name, title) if row.given_name else title
            one.open_checks.append(OpenCheck(row.id, row.item, spoken, row.requested_on))
    return found


def _checks_of(application_ids: Iterable[int]) -> Iterable[Any]:
    """The statutory checks of these applications: only they are waited for."""
    return read(_CHECKS, {"ids": list(application_ids)})


# --- Statements, built once -------------------------------------------------------------------------------------------

_CASE, _HOME, _USER, _TRACK = Case.__table__.c, Household.__table__.c, User.__table__.c, Track.__table__.c
_CLOCK, _PART, _PERSON = Deadline.__table__.c, CaseAssignment.__table__.c, Person.__table__.c
_APPLIED, _CHECK, _REPORT = Application.__table__.c, Check.__table__.c, AssessmentReport.__table__.c
_EVIDENCE = ReportEvidence.__table__.c
_SECTION, _ITEM, _MEETING = ReportSection.__table__.c, PanelItem.__table__.c, PanelMeeting.__table__.c
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_TODAY = bindparam("today", type_=Date)


@lru_cache(maxsize=4)
def _open(most: int) -> Select[Any]:
    page = (
        select(_CASE.id, _CASE.reference, _CASE.household_id, _CASE.owner_id, _CASE.place, _CASE.next_action_due_on)
        .where(_CASE.band == our_word(Band.APPLICATION))
        .order_by(_CASE.next_action_due_on, _CASE.id)
        .limit(no_more_than(most + 1))
        .subquery("page")
    )
    return (
        select(page, _HOME.name.label("names"), _USER.name.label("owner"))
        .select_from(page)
        .join(Household.__table__, _HOME.id == page.c.household_id)
        .outerjoin(User.__table__, _USER.id == page.c.owner_id)
        .order_by(page.c.next_action_due_on, page.c.id)
    )


_TRACKS = select(_TRACK.case_id, _TRACK.name, _TRACK.stage, _TRACK.since_on).where(
    _TRACK.case_id.in_(_IDS), _TRACK.name != our_word(TrackName.ENQUIRY)
)
_APPLICATIONS = (
    select(_APPLIED.id, _APPLIED.case_id, _APPLIED.received_on, _APPLIED.assessing_from_on)
    .where(_APPLIED.case_id.in_(_IDS))
    .order_by(_APPLIED.id)
)
_WRITTEN = and_(_SECTION.report_id == _REPORT.id, _SECTION.text_sealed.is_not(None))
_REPORTS = (
    select(
        _REPORT.case_id,
        _REPORT.kind,
        _REPORT.countersigned_on,
        _REPORT.shared_on,
        _REPORT.observations_received_on,
        select(func.count(_SECTION.id)).where(_WRITTEN).scalar_subquery().label("written"),
        select(func.count(_SECTION.id))
        .where(_WRITTEN, _SECTION.name == our_word("suitability"))
        .scalar_subquery()
        .label("has_suitability"),
        select(func.count(_EVIDENCE.section.distinct()))
        .where(_EVIDENCE.report_id == _REPORT.id)
        .scalar_subquery()
        .label("rests_on"),
    )
    .where(_REPORT.case_id.in_(_IDS))
    .order_by(_REPORT.id)
)
_CLOCKS = (
    select(_CLOCK.case_id, _CLOCK.rule, _CLOCK.subject, _CLOCK.about, _CLOCK.due_on, _CLOCK.turn)
    .where(
        _CLOCK.case_id.in_(_IDS),
        _CLOCK.stopped_on.is_(None),
        _CLOCK.rule.in_([our_word(rule) for rule in (*STATUTORY_CLOCKS, "stage_one_target", "stage_two_target")]),
    )
    .order_by(_CLOCK.due_on, _CLOCK.id)
)
_ON_AGENDA = (
    select(_ITEM.case_id, _MEETING.meets_on)
    .join(PanelMeeting.__table__, _MEETING.id == _ITEM.meeting_id)
    .where(_ITEM.case_id.in_(_IDS), _ITEM.outcome.is_(None))
    .order_by(_ITEM.id)
)
_ASSESSORS = (
    select(_PART.case_id, _PART.user_id, _USER.name)
    .join(User.__table__, _USER.id == _PART.user_id)
    .where(
        _PART.case_id.in_(_IDS),
        _PART.role == our_word(AssignmentRole.ASSESSOR),
        _PART.from_on <= _TODAY,
        or_(_PART.until_on.is_(None), _PART.until_on >= _TODAY),
    )
    .order_by(_PART.id)
)
_CHECKS = (
    select(
        _CHECK.id,
        _CHECK.case_id,
        _CHECK.item,
        _CHECK.what,
        _CHECK.requested_on,
        _CHECK.received_on,
        _CHECK.needed_from_on,
        _PERSON.given_name,
    )
    .outerjoin(Person.__table__, _PERSON.id == _CHECK.person_id)
    .where(_CHECK.application_id.in_(_IDS), _CHECK.is_statutory, _CHECK.dropped_on.is_(None))
    .order_by(_CHECK.id)
)
_MEETINGS = (
    select(_MEETING.meets_on)
    .where(_MEETING.meets_on >= _TODAY)
    .order_by(_MEETING.meets_on, _MEETING.id)
    .limit(no_more_than(MEETINGS_AHEAD))
)

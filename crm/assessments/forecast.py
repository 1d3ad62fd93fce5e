"""When a household is likely to reach panel: shown as a picture with the same dates in a list under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from crm.assessments.queries import Dossier, waiting_item
from crm.assessments.stage_two import observations_ends
from crm.cases.models import Deadline
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName, Tracks

WIDTH, LEFT, RIGHT = 1180, 64, 1150
_LAST = date(9999, 12, 31)


@dataclass(frozen=True)
class Bar:
    """A bar of the picture, in its own units."""

    x: int
    width: int


@dataclass(frozen=True)
class Forecast:
    """The dates, and where they lie in the picture."""

    limit_on: date
    stage_one_by: date | None
    is_stage_one_over: bool
    report_by: date
    is_report_shared: bool
    comments_to: date
    panel_on: date
    is_listed: bool
    papers_by: date
    weeks_inside: int
    months: tuple[tuple[int, str], ...]
    today_x: int
    limit_x: int
    panel_x: int
    stage_one_done: Bar | None
    stage_one_likely: Bar | None
    stage_two_done: Bar | None
    stage_two_likely: Bar | None
    comments: Bar

    @property
    def is_late(self) -> bool:
        return self.panel_on > self.limit_on


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an application is: what its likely course is worked out from. ``due``: its running clocks by rule."""

    tracks: Tracks
    due: Mapping[str, date]
    assessing_from_on: date | None
    report_shared_on: date | None
    observations_received_on: date | None
    listed_for_on: date | None
    """The meeting whose agenda it is on."""


@dataclass(frozen=True, slots=True)
class Course:
    """The likely course: by when the checks are in, the report is out, the comments are back, and the panel meets."""

    stage_one_by: date | None
    report_by: date
    comments_to: date
    panel_on: date
    is_meeting_planned: bool
    """False where no meeting is planned that late: the day is then the first on which one could be held."""


def likely_course(one: Progress, *, next_meetings: Sequence[date], today: date, rulebook: Rulebook) -> Course:
    """What will come of an application if the service keeps its own targets from here on."""
    one_over = one.tracks.get(TrackName.STAGE_ONE) in ("passed", "refused", "complete")
    one_by = one.due.get("stage_one_target") or one.due.get("stage_one_decision")
    if one_by is None and not one_over and one.assessing_from_on is None:
        one_by = rulebook.due_on("stage_one_target", today)
    report_by = one.report_shared_on or max(
        one.due.get("stage_two_target") or rulebook.due_on("stage_two_target", max(one_by or today, today)), today
    )
    comments_to = one.observations_received_on or observations_ends(report_by, rulebook)[1]
    if one.listed_for_on is not None:
        return Course(one_by, report_by, comments_to, one.listed_for_on, is_meeting_planned=True)
    earliest = rulebook.calendar.add(max(comments_to, today), rulebook.deadline("panel_papers").length)
    meeting = next((day for day in next_meetings if day >= earliest), None)
    return Course(one_by, report_by, comments_to, meeting or earliest, is_meeting_planned=meeting is not None)


AHEAD_OF_PANEL = frozenset({"received", "in_assessment", "with_panel"})


def _is_heard(tracks: Tracks) -> bool:
    """Whether what the panel recommends stands: back in assessment, for a full report, it will meet again."""
    return tracks.get(TrackName.APPLICATION) == "with_panel" and tracks.get(TrackName.PANEL_ITEM) == "recommended"


def forecast(
    known: Dossier,
    tracks: Tracks,
    clocks: list[Deadline],
    since: dict[str, date],
    *,
    next_meetings: list[date],
    today: date,
    rulebook: Rulebook,
) -> Forecast | None:
    """Work out the likely course from what has happened and the service's targets. ``since``: the day each track began.

    None before an application, after it has ended, and once the panel has made its recommendation: what is ahead then
    are the clocks of the decision.
    """
    application = known.application
    if application is None or application.ended_on is not None or known.application_due_on is None:
        return None
    if tracks.get(TrackName.APPLICATION) not in AHEAD_OF_PANEL or _is_heard(tracks):
        return None
    one_over = tracks.get(TrackName.STAGE_ONE) in ("passed", "refused", "complete")
    started_one = application.assessing_from_on
    started_two = since.get("stage_two")
    report = known.report
    shared = report.shared_on if report else None
    item = waiting_item(known.items)
    course = likely_course(
        Progress(
            tracks=tracks,
            due={clock.rule: clock.due_on for clock in clocks},
            assessing_from_on=started_one,
            report_shared_on=shared,
            observations_received_on=report.observations_received_on if report else None,
            listed_for_on=item.meeting.meets_on if item else None,
        ),
        next_meetings=next_meetings,
        today=today,
        rulebook=rulebook,
    )
    one_by, report_by = course.stage_one_by, course.report_by
    comments_to, panel_on = course.comments_to, course.panel_on
    limit = known.application_due_on
    first = min(application.received_on, today)
    last = max(limit, panel_on, today) + timedelta(days=10)

    def at(day: date) -> int:
        return LEFT + round((RIGHT - LEFT) * (day - first).days / max((last - first).days, 1))

    def bar(start: date | None, end: date | None) -> Bar | None:
        if start is None or end is None or end <= start:
            return None
        return Bar(at(start), max(at(end) - at(start), 2))

    one_end = min((since.get("stage_one") or today) if one_over else today, today)
    return Forecast(
        limit_on=limit,
        stage_one_by=one_by,
        is_stage_one_over=one_over,
        report_by=report_by,
        is_report_shared=shared is not None,
        comments_to=comments_to,
        panel_on=panel_on,
        is_listed=item is not None,
        papers_by=rulebook.due_on("panel_papers", panel_on),
        weeks_inside=abs((limit - panel_on).days) // 7,
        months=tuple(_months(first, last, at)),
        today_x=at(today),
        limit_x=at(limit),
        panel_x=at(panel_on),
        stage_one_done=bar(started_one, one_end),
        stage_one_likely=None if one_over else bar(max(started_one or today, today), one_by),
        stage_two_done=bar(started_two, min(shared or today, today)),
        stage_two_likely=None if shared else bar(max(started_two or (one_by or today), today), report_by),
        comments=bar(report_by, comments_to) or Bar(at(report_by), 2),
    )


def _months(first: date, last: date, at):  # type: ignore[no-untyped-def]
    day = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    while day < last:
        yield at(day), f"{day:%B}" if (last - first).days < 340 else f"{day:%b}"
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)

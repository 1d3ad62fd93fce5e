"""When a household is likely to reach panel: shown as a picture with the same dates in a list under it."""

from __future__ import annotations

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

    None before an application and after it has ended.
    """
    application = known.application
    if application is None or application.ended_on is not None or known.application_due_on is None:
        return None
    due = {clock.rule: clock.due_on for clock in clocks}
    one_over = tracks.get(TrackName.STAGE_ONE) in ("passed", "refused", "complete")
    started_one = application.assessing_from_on
    one_by = due.get("stage_one_target") or due.get("stage_one_decision")
    if one_by is None and not one_over and started_one is None:
        one_by = rulebook.due_on("stage_one_target", today)
    started_two = since.get("stage_two")
    report = known.report
    shared = report.shared_on if report else None
    report_by = shared or max(
        due.get("stage_two_target") or rulebook.due_on("stage_two_target", max(one_by or today, today)), today
    )
    comments_to = (report.observations_received_on if report else None) or observations_ends(report_by, rulebook)[1]
    item = waiting_item(known.items)
    if item is not None:
        panel_on = item.meeting.meets_on
    else:
        earliest = rulebook.calendar.add(max(comments_to, today), rulebook.deadline("panel_papers").length)
        panel_on = next((day for day in next_meetings if day >= earliest), earliest)
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

"""The same numbers, reckoned slowly and in another way: household by household, straight from the lists of moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from tests.reporting.histories import Home, Journey

PLACES = ("asked", "spoken", "visited", "applied", "passed", "panel", "approved")
SAYS = {
    "spoken": ("enquiry", "contacted"),
    "visited": ("enquiry", "visited"),
    "applied": ("application", "received"),
    "passed": ("stage_one", "passed"),
    "panel": ("panel_item", "recommended"),
    "approved": ("application", "approved"),
}
CORRECTED_BY = {
    "spoken": {("enquiry", "new")},
    "visited": {("enquiry", "new"), ("enquiry", "contacted"), ("enquiry", "visit_booked")},
    "applied": set(),
    "passed": {("stage_one", "gathering"), ("stage_one", "complete"), ("stage_one", "refused")},
    "panel": {("panel_item", "listed"), ("panel_item", "deferred")},
    "approved": {
        ("application", stage)
        for stage in (
            "received in_assessment with_panel with_adm withdrawn stage_one_refused "
            "qd_issued representations irm refused"
        ).split()
    },
}
DECIDED = ("approved", "qd_issued", "refused")


@dataclass(frozen=True)
class Known:
    """What is known of one household."""

    days: dict[str, date]
    standing: str
    left_on: date | None
    decided_on: date | None
    channel: str
    campaign: int | None
    district: str | None

    @property
    def last(self) -> str:
        return [place for place in PLACES if place in self.days][-1]


def london(journey: Journey) -> date:
    return journey.asked_at.astimezone(ZoneInfo("Europe/London")).date()


def day_of(journey: Journey, place: str) -> date | None:
    """The first move that says so and that no later correction takes back."""
    for n, move in enumerate(journey.moves):
        if (move.track, move.to) != SAYS[place]:
            continue
        later = journey.moves[n + 1 :]
        if not any(after.is_correction and (after.track, after.to) in CORRECTED_BY[place] for after in later):
            return move.on
    return None


def decided_on(journey: Journey) -> date | None:
    for n, move in enumerate(journey.moves):
        if move.track == "application" and move.to in DECIDED:
            later = journey.moves[n + 1 :]
            if not any(m.is_correction and m.track == "application" and m.to not in DECIDED for m in later):
                return move.on
    return None


def standing_of(journey: Journey) -> tuple[str, date | None]:
    applied = [move for move in journey.moves if move.track == "application"]
    if applied:
        last = applied[-1]
        if last.to == "approved":
            return "approved", None
        return ("ended", last.on) if last.to in ("withdrawn", "refused", "stage_one_refused") else ("on_the_way", None)
    last = [move for move in journey.moves if move.track == "enquiry"][-1]
    return {"closed": ("ended", last.on), "not_now": ("resting", last.on)}.get(last.to, ("on_the_way", None))


def known(home: Home) -> Known:
    first = min(home.journeys, key=lambda journey: (journey.asked_at, home.journeys.index(journey)))
    days: dict[str, date] = {}
    for n, place in enumerate(PLACES):
        candidates = [
            day
            for journey in home.journeys
            for later in PLACES[max(n, 1) :]
            for day in [day_of(journey, later)]
            if day is not None
        ]
        if place == "asked":
            candidates += [london(journey) for journey in home.journeys]
        if candidates:
            days[place] = min(candidates)
    standings = [standing_of(journey) for journey in home.journeys]
    for wanted in ("approved", "on_the_way", "resting", "ended"):
        found = [left for standing, left in standings if standing == wanted]
        if found:
            left = max((day for day in found if day is not None), default=None)
            break
    decisions = [day for journey in home.journeys for day in [decided_on(journey)] if day is not None]
    return Known(days, wanted, left, min(decisions, default=None), first.channel, first.campaign, home.district)


def working_days(start: date, end: date, holidays: frozenset[date]) -> int:
    """Day by day."""
    count, day = 0, start
    while day < end:
        day += timedelta(days=1)
        if day.weekday() < 5 and day not in holidays:
            count += 1
    return count


def middle_wait(waits: Sequence[tuple[int, bool]]) -> int | None:
    """The product-limit median, one person at a time: (length, moved on?). None where half have not moved on."""
    still = 1.0
    for length in sorted({length for length, moved in waits if moved}):
        at_risk = sum(1 for other, _ in waits if other >= length)
        gone = sum(1 for other, moved in waits if other == length and moved)
        still *= (at_risk - gone) / at_risk
        if still <= 0.5 + 1e-12:
            return length
    return None

"""Spans of time, and the free times that an officer's day leaves.

Spans are half-open: one that ends at 3pm and one that begins at 3pm do not overlap. Hours of work are wall-clock times
in London, so a nine-o'clock start stays nine o'clock when the clocks change; everything else is UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
GRID_MINUTES = 15


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From `start` up to but not with `end`; both aware, kept in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a span needs aware times")
        if self.end < self.start:
            raise ValueError("a span ends after it starts")

    @property
    def minutes(self) -> int:
        """Its length in whole minutes."""
        return int((self.end - self.start).total_seconds() // 60)

    def overlaps(self, other: Span) -> bool:
        """Whether they share any moment."""
        return self.start < other.end and other.start < self.end

    def holds(self, other: Span) -> bool:
        """Whether the other lies wholly inside."""
        return self.start <= other.start and other.end <= self.end

    def padded(self, minutes: int) -> Span:
        """With so many minutes more at both ends."""
        pad = timedelta(minutes=minutes)
        return Span(self.start - pad, self.end + pad)


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same moments as few spans, in order; empty ones go."""
    merged: list[Span] = []
    for span in sorted(one for one in spans if one.start < one.end):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def subtract(spans: Iterable[Span], holes: Iterable[Span]) -> tuple[Span, ...]:
    """What is left of the spans once the holes are cut out."""
    cuts = merge(holes)
    left: list[Span] = []
    for span in merge(spans):
        start = span.start
        for cut in cuts:
            if cut.end <= start:
                continue
            if cut.start >= span.end:
                break
            if cut.start > start:
                left.append(Span(start, cut.start))
            start = max(start, cut.end)
        if start < span.end:
            left.append(Span(start, span.end))
    return tuple(left)


def intersect(one: Iterable[Span], other: Iterable[Span]) -> tuple[Span, ...]:
    """The moments in both."""
    first, second = merge(one), merge(other)
    common: list[Span] = []
    i = j = 0
    while i < len(first) and j < len(second):
        start = max(first[i].start, second[j].start)
        end = min(first[i].end, second[j].end)
        if start < end:
            common.append(Span(start, end))
        if first[i].end <= second[j].end:
            i += 1
        else:
            j += 1
    return tuple(common)


def london_to_utc(day: date, minutes: int) -> datetime:
    """A London wall-clock time, as minutes past midnight, in UTC.

    When the clocks go forward an hour doesn't exist: a time in it is read as the same moment counted on from before
    (1:30am is 2:30am). When they go back an hour comes twice: the first is meant. 1440 is the next midnight.
    """
    days, rest = divmod(minutes, 24 * 60)
    local = datetime.combine(day + timedelta(days=days), time(rest // 60, rest % 60), tzinfo=LONDON)
    return local.astimezone(UTC)


def london_span(day: date, start_minutes: int, end_minutes: int) -> Span:
    """A span of London wall-clock time on one day."""
    start = london_to_utc(day, start_minutes)
    return Span(start, max(start, london_to_utc(day, end_minutes)))


@dataclass(frozen=True, slots=True)
class Engagement:
    """Something that an officer has to be at, and how long it takes to get from there to the visit in question."""

    span: Span
    travel_minutes: int = 0


def slots(
    *,
    day: date,
    working: Iterable[tuple[int, int]],
    engagements: Iterable[Engagement],
    length_minutes: int,
    edge_minutes: int = 0,
    closed: Iterable[Span] = (),
    not_before: datetime | None = None,
) -> tuple[Span, ...]:
    """The times at which a visit of this length could start on a London day.

    `working`: hours of work in minutes past midnight, London; `edge_minutes` of travel come off where the day begins
    and where it ends. An engagement keeps its travel free before and after it; one that takes no time keeps nothing.
    `closed`: when the household can't be seen. Starts lie on the quarter hours of the clock; the hour that comes twice
    in October has eight.
    """
    if length_minutes <= 0:
        raise ValueError("a visit has a length")
    hours = merge(london_span(day, start, end) for start, end in working)
    if not hours:
        return ()
    holes = [one.span.padded(one.travel_minutes) for one in engagements if one.span.start < one.span.end]
    holes.extend(closed)
    if edge_minutes:
        edge = timedelta(minutes=edge_minutes)
        holes += [Span(hours[0].start, hours[0].start + edge), Span(hours[-1].end - edge, hours[-1].end)]
    length, step = timedelta(minutes=length_minutes), timedelta(minutes=GRID_MINUTES)
    midnight = london_to_utc(day, 0)
    found: list[Span] = []
    for free in subtract(hours, holes):
        earliest = free.start if not_before is None else max(free.start, not_before)
        # London is a whole number of hours from UTC, so its quarter hours are counted on from midnight.
        start = midnight + step * -((midnight - earliest) // step)
        while start + length <= free.end:
            found.append(Span(start, start + length))
            start += step
    return tuple(found)

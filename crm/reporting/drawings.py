"""The geometry of charts: numbers in, places of shapes out; templates write the SVG. Each chart is drawn twice, wide
and narrow, because one that is scaled down can't be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDE, NARROW = 1180, 320
_BAR_FROM, _BAR_LONGEST = 130, 873
_AXIS_FROM, _AXIS_LONG = 170, 940
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a funnel: how many got this far, and how many still may."""

    label: str
    count: int
    percent: str
    done: float
    may: float


@dataclass(frozen=True, slots=True)
class Funnel:
    """The bars of a funnel, in the units of one of its two drawings."""

    bars: tuple[Bar, ...]
    height: int
    sentence: str


def funnel(places: Sequence[Mapping[str, Any]], *, narrow: bool) -> Funnel:
    """Bars as long as their counts, the first the longest there can be."""
    most = max((one["count"] + one["may"] for one in places), default=0)
    everybody = places[0]["count"] if places else 0
    longest = NARROW if narrow else _BAR_LONGEST
    bars = []
    for number, one in enumerate(places):
        scale = longest / most if most else 0
        percent = f"{(200 * one['count'] + everybody) // (2 * everybody)}%" if number and everybody else ""
        bars.append(
            Bar(one["label"], one["count"], percent, round(one["count"] * scale, 1), round(one["may"] * scale, 1))
        )
    said = ", ".join(f"{one['label'].lower()} {one['count']:,}" for one in places)
    return Funnel(tuple(bars), len(bars) * (48 if narrow else 38), said[:1].upper() + said[1:])


@dataclass(frozen=True, slots=True)
class WaitLine:
    """One line of the chart of waits: where each mark stands, in the units of the drawing."""

    label: str
    range_from: float | None
    range_long: float
    middle: float | None
    rings: tuple[float, ...]
    limit: float | None


@dataclass(frozen=True, slots=True)
class WaitsChart:
    """The lines and the axis of the chart of waits."""

    tracks: tuple[WaitLine, ...]
    ticks: tuple[tuple[float, str], ...]
    sentence: str


def waits_chart(drawn: Sequence[Mapping[str, Any]], *, narrow: bool) -> WaitsChart:
    """Waits on one scale of days. What lies beyond the scale is drawn at its edge; the table has the number."""
    longest = max(
        (
            day
            for one in drawn
            for day in (one["quarter"], one["three_quarters"], one["middle"], one["limit"], *one["rings"])
            if day
        ),
        default=0,
    )
    step = next((one for one in _STEPS if one * (4 if narrow else 6) >= longest), _STEPS[-1])
    count = max(1, -(-longest // step)) if longest else 1
    start, long = (4, 306) if narrow else (_AXIS_FROM, _AXIS_LONG)
    scale = long / (step * count)

    def at(day: int | None) -> float | None:
        return None if day is None else round(start + min(day, step * count) * scale, 1)

    tracks = []
    for one in drawn:
        low, high = one["quarter"], one["three_quarters"]
        known = low is not None
        end = min(high if high is not None else one.get("seen", longest), step * count)
        tracks.append(
            WaitLine(
                one["label"],
                at(low),
                round(max(((end or 0) - (low or 0)) * scale, 2), 1) if known else 0,
                at(one["middle"]),
                tuple(place for place in (at(day) for day in one["rings"]) if place is not None),
                at(one["limit"]),
            )
        )
    ticks = tuple(
        (round(start + n * step * scale, 1), f"{n * step:,}{' days' if n == 0 else ''}") for n in range(count + 1)
    )
    said = ", ".join(
        f"{one['label'].lower()} {one['middle'] if one['middle'] is not None else 'not known yet'}" for one in drawn
    )
    return WaitsChart(tuple(tracks), ticks, f"Middle waits in working days: {said}")

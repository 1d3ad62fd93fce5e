"""Free times against a plain check, minute by minute, of random calendars: on the nights the clocks change, too."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from functools import cache

from crm.rules.intervals import LONDON, Span
from crm.rules.travel import Centre, Roads, Speeds, Stop, TravelBy, TravelPolicy
from crm.visits.availability import Diaries, Engaged, Wanted, free_slots
from crm.visits.models import Place

DAYS = (date(2027, 3, 27), date(2027, 10, 30), date(2026, 7, 13), date(2026, 12, 24))
"""Each begins three days: over both clock changes, a week in summer, Christmas."""
CENTRES = {
    "BR1": Centre(51.411, 0.022),
    "SE6": Centre(51.440, -0.016),
    "ME14": Centre(51.278, 0.533),
    "CT1": Centre(51.276, 1.078),
}
POSTCODES = ("BR1 3KO", "SE6 0KV", "ME14 1XX", "CT1 2EH", "ZZ9 9ZZ", None)
POLICY = TravelPolicy(
    winding_percent=130,
    speeds={TravelBy.CAR: Speeds(28, 75, 10), TravelBy.PUBLIC_TRANSPORT: Speeds(15, 40, 15)},
    unknown_minutes=30,
)
SAID = {("BR1", "SE6", "car"): 55}
MINUTE = timedelta(minutes=1)


def stop_at(postcode: str | None) -> Stop:
    return Stop(postcode.split()[0] if postcode else None)


def random_span(draw: random.Random, first: datetime, hours: int) -> Span:
    start = first + MINUTE * draw.randrange(hours * 60)
    return Span(start, start + MINUTE * draw.choice((0, 0, 5, 30, 45, 60, 90, 200, 24 * 60)))


def random_hours(draw: random.Random) -> list[tuple[int, int]]:
    """Spans of a day on the half hour, none beginning or ending in the hour that spring leaves out."""
    edges = sorted(draw.sample([one for one in range(0, 24 * 60 + 1, 30) if not 60 <= one < 120], 4))
    return draw.choice(([], [(edges[0], edges[3])], [(edges[0], edges[1]), (edges[2], edges[3])], [(540, 1170)]))


def random_calendar(draw: random.Random) -> Diaries:
    first_day = draw.choice(DAYS)
    midnight = datetime.combine(first_day, datetime.min.time(), LONDON).astimezone(UTC)
    ids = (3, 7)[: draw.choice((1, 2))]
    engaged, busy, by_calendar = {}, {}, {}
    for officer_id in ids:
        desk = Stop(draw.choice(("BR1", "CT1", None)), is_desk=True)
        engaged[officer_id] = [
            Engaged(random_span(draw, midnight, 72), draw.choice((desk, stop_at(draw.choice(POSTCODES)))), 1)
            for _ in range(draw.randrange(5))
        ]
        busy[officer_id] = [random_span(draw, midnight, 72) for _ in range(draw.randrange(3))]
        by_calendar[officer_id] = [random_span(draw, midnight, 72) for _ in range(draw.randrange(4))]
    return Diaries(
        wanted=Wanted(
            length_minutes=draw.choice((45, 60, 90, 120, 180)),
            place=draw.choice((Place.HOME, Place.HOME, Place.VIDEO)),
            postcode=draw.choice(POSTCODES),
            quiet=tuple(draw.choice(((), (), ("morning",), ("evening,weekend",), ("afternoon", "morning")))),
        ),
        officer_ids=ids,
        first_day=first_day,
        last_day=first_day + timedelta(days=2),
        hours={one: {weekday: random_hours(draw) for weekday in range(7)} for one in ids},
        engaged=engaged,
        busy=busy,
        by_calendar=by_calendar,
        visits_a_day={one: draw.choice((1, 2, 3, 6)) for one in ids},
        desks={one: Stop(draw.choice(("BR1", "ME14", None)), is_desk=True) for one in ids},
        travels_by={one: draw.choice(list(TravelBy)) for one in ids},
        roads=Roads(POLICY, CENTRES, SAID),
    )


@cache
def clock_of(midnight: datetime) -> list[tuple[datetime, date, int]]:
    """Each minute of 26 hours: the instant, the London date, and the minute past midnight that a London clock shows."""
    found = []
    for number in range(26 * 60):
        local = (midnight + MINUTE * number).astimezone(LONDON)
        found.append((midnight + MINUTE * number, local.date(), local.hour * 60 + local.minute))
    return found


@cache
def at_work_on(hours: tuple[tuple[int, int], ...], on: date) -> list[datetime]:
    midnight = datetime.combine(on, datetime.min.time(), LONDON).astimezone(UTC)
    return [
        at
        for at, day, clock in clock_of(midnight)
        if day == on and any(begin <= clock < until for begin, until in hours)
    ]


def is_free_by_hand(diaries: Diaries, officer_id: int, start: datetime) -> bool:
    """Whether an officer can make the visit then: each minute looked at, and each thing that they have to be at."""
    wanted, end = diaries.wanted, start + timedelta(minutes=diaries.wanted.length_minutes)
    desk, by = diaries.desks[officer_id], diaries.travels_by[officer_id]
    here = stop_at(wanted.postcode) if wanted.place == Place.HOME else desk
    on = start.astimezone(LONDON).date()
    at_work = at_work_on(tuple(diaries.hours[officer_id].get(on.weekday(), ())), on)
    if not at_work:
        return False
    known = {desk.district, here.district} <= CENTRES.keys()
    way = diaries.roads.between(desk, here, by).minutes if known else 0
    if start < at_work[0] + MINUTE * way or end > at_work[-1] + MINUTE - MINUTE * way:
        return False
    moments = [start + MINUTE * number for number in range(diaries.wanted.length_minutes)]
    if not set(moments) <= set(at_work):
        return False
    for moment in moments:
        local = moment.astimezone(LONDON)
        part = "morning" if local.hour < 12 else "afternoon" if local.hour < 17 else "evening"
        for quiet in wanted.quiet:
            if part in quiet.split(",") or ("weekend" in quiet and local.weekday() >= 5):
                return False
    that_day = [one for one in diaries.engaged[officer_id] if one.span.start.astimezone(LONDON).date() == on]
    if len(that_day) >= diaries.visits_a_day[officer_id]:
        return False
    kept = [(one.span, diaries.roads.between(one.stop, here, by).minutes) for one in diaries.engaged[officer_id]]
    kept += [(span, 0 if here.is_desk else 30) for span in diaries.busy[officer_id]]
    kept += [(span, 0 if here.is_desk else 30) for span in diaries.by_calendar[officer_id]]
    return all(
        span.start == span.end or end + MINUTE * road <= span.start or span.end + MINUTE * road <= start
        for span, road in kept
    )


def free_by_hand(diaries: Diaries, not_before: datetime) -> list[datetime]:
    begin = datetime.combine(diaries.first_day, datetime.min.time(), LONDON).astimezone(UTC)
    found = []
    for number in range(4 * 24 * 60):
        at = begin + MINUTE * number
        local = at.astimezone(LONDON)
        if at < not_before or local.minute % 15 or local.date() > diaries.last_day:
            continue
        if all(is_free_by_hand(diaries, officer_id, at) for officer_id in diaries.officer_ids):
            found.append(at)
    return found


def test_free_times_are_those_that_a_check_of_each_minute_finds(rounds):
    found = 0
    for seed in range(rounds(60, 500)):
        draw = random.Random(seed)
        diaries = random_calendar(draw)
        not_before = datetime.combine(diaries.first_day, datetime.min.time(), UTC) + MINUTE * draw.randrange(1500)

        free = free_slots(diaries, not_before=not_before)

        assert [slot.starts_at for slot in free] == free_by_hand(diaries, not_before), f"calendar {seed}"
        found += len(free)
    assert found > 100

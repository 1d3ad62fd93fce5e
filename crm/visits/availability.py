"""When officers could come: their hours of work, less visits, less busy time, with time to travel in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from crm import policy
from crm.clock import london_date
from crm.db import db
from crm.rules import intervals
from crm.rules.intervals import Span, london_to_utc
from crm.visits.models import BusyTime, OfficerDiary, VisitOfficer, WorkingHours

EARLIEST_NOTICE = timedelta(hours=2)
"""How soon a visit may be offered: an officer has to get there, and a household to be asked."""
DAYS_AHEAD = 60
USUAL_DAYS = range(5)
"""Monday to Friday, in the service's own hours, for those who have not set their own week."""
LENGTHS = (45, 60, 90, 120, 150, 180)
"""Lengths of a visit on offer, in minutes."""
SLOTS_APART = 60
"""Minutes between the times on a list to choose from: every quarter of an hour is too many to read."""
NEAREST_SHOWN = 4


@dataclass(frozen=True, order=True)
class Slot:
    """A time at which these officers are all free."""

    starts_at: datetime
    ends_at: datetime
    officer_ids: tuple[int, ...]

    @property
    def on(self) -> date:
        return london_date(self.starts_at)


@dataclass(frozen=True)
class Diaries:
    """The diaries of some officers over some days, read in a handful of queries however many there are."""

    officer_ids: tuple[int, ...]
    first_day: date
    last_day: date
    hours: Mapping[int, Mapping[int, Sequence[tuple[int, int]]]]
    """Officer to weekday to spans in minutes past midnight."""
    visits: Mapping[int, Sequence[Span]]
    busy: Mapping[int, Sequence[Span]]
    visits_a_day: Mapping[int, int]
    travel_minutes: int
    """Assumed between any two places that an officer has to be."""

    def days(self) -> list[date]:
        return [self.first_day + timedelta(days=n) for n in range((self.last_day - self.first_day).days + 1)]

    def works_on(self, officer_id: int, day: date) -> Sequence[tuple[int, int]]:
        """The spans of work of an officer on a day, in minutes past midnight; empty when they are off."""
        return self.hours[officer_id].get(day.weekday(), ())

    def is_full(self, officer_id: int, day: date) -> bool:
        """Whether the officer has as many visits as they take on in a day."""
        begun = sum(1 for span in self.visits.get(officer_id, ()) if london_date(span.start) == day)
        return begun >= self.visits_a_day[officer_id]

    def free_on(
        self, officer_id: int, day: date, *, length_minutes: int, not_before: datetime | None
    ) -> tuple[Span, ...]:
        """Every start on the quarter hour at which this officer is free on a day."""
        working = self.works_on(officer_id, day)
        if not working or self.is_full(officer_id, day):
            return ()
        return intervals.slots(
            day=day,
            working=working,
            busy=[*self.visits.get(officer_id, ()), *self.busy.get(officer_id, ())],
            length_minutes=length_minutes,
            travel_minutes=self.travel_minutes,
            not_before=not_before,
        )


def read_diaries(
    officer_ids: Iterable[int], *, first_day: date, last_day: date, but_for_visit: int | None = None
) -> Diaries:
    """Read the diaries of these officers from one London day to another, but for a visit that is to move."""
    wanted = tuple(sorted(set(officer_ids)))
    begin, end = london_to_utc(first_day, 0), london_to_utc(last_day, 24 * 60)
    service = policy.service()
    usual = (service.working_from_minutes, service.working_until_minutes)
    own = {row.user_id: row for row in db.session.scalars(select(OfficerDiary).where(OfficerDiary.user_id.in_(wanted)))}
    hours: dict[int, dict[int, list[tuple[int, int]]]] = {}
    for officer_id in wanted:
        if officer_id in own and own[officer_id].has_own_hours:
            hours[officer_id] = defaultdict(list)
        else:
            hours[officer_id] = {weekday: [usual] for weekday in USUAL_DAYS}
    for row in db.session.scalars(
        select(WorkingHours)
        .where(WorkingHours.user_id.in_([one for one, diary in own.items() if diary.has_own_hours]))
        .order_by(WorkingHours.weekday, WorkingHours.from_minutes)
    ):
        hours[row.user_id].setdefault(row.weekday, []).append((row.from_minutes, row.until_minutes))
    visits: dict[int, list[Span]] = defaultdict(list)
    booked = select(VisitOfficer.officer_id, VisitOfficer.starts_at, VisitOfficer.ends_at).where(
        VisitOfficer.officer_id.in_(wanted),
        VisitOfficer.holds,
        VisitOfficer.starts_at < end,
        VisitOfficer.starts_at > begin - timedelta(days=1),
        VisitOfficer.blocked_until_at > begin,
    )
    if but_for_visit is not None:
        booked = booked.where(VisitOfficer.visit_id != but_for_visit)
    for officer_id, starts_at, ends_at in db.session.execute(booked.order_by(VisitOfficer.starts_at)):
        visits[officer_id].append(Span(starts_at, ends_at))
    busy: dict[int, list[Span]] = defaultdict(list)
    for away in db.session.execute(
        select(BusyTime.user_id, BusyTime.starts_at, BusyTime.ends_at)
        .where(BusyTime.user_id.in_(wanted), BusyTime.starts_at < end, BusyTime.ends_at > begin)
        .order_by(BusyTime.starts_at)
    ):
        busy[away.user_id].append(Span(away.starts_at, away.ends_at))
    return Diaries(
        officer_ids=wanted,
        first_day=first_day,
        last_day=last_day,
        hours=hours,
        visits=visits,
        busy=busy,
        visits_a_day={
            officer_id: (own[officer_id].visits_a_day if officer_id in own else None) or service.visits_per_day
            for officer_id in wanted
        },
        travel_minutes=service.travel_minutes,
    )


def free_slots(diaries: Diaries, *, length_minutes: int, now: datetime, apart_minutes: int = 0) -> list[Slot]:
    """Times when all the officers of these diaries are free together, in order.

    ``apart_minutes`` thins them out for a list that a person reads: each start at least so long after the one before,
    but a start that follows straight on from something else is kept, or gaps would be left that nobody fills.
    """
    found: list[Slot] = []
    for day in diaries.days():
        together: dict[datetime, Span] | None = None
        for officer_id in diaries.officer_ids:
            spans = diaries.free_on(officer_id, day, length_minutes=length_minutes, not_before=now + EARLIEST_NOTICE)
            mine = {span.start: span for span in spans}
            together = mine if together is None else {at: mine[at] for at in together.keys() & mine.keys()}
            if not together:
                break
        found.extend(Slot(at, span.end, diaries.officer_ids) for at, span in sorted((together or {}).items()))
    return _thinned(found, apart_minutes) if apart_minutes else found


def _thinned(slots: list[Slot], apart_minutes: int) -> list[Slot]:
    kept: list[Slot] = []
    previous: Slot | None = None
    step = timedelta(minutes=intervals.GRID_MINUTES)
    for slot in slots:
        begins_a_run = previous is None or slot.starts_at - previous.starts_at > step
        if begins_a_run or slot.starts_at - kept[-1].starts_at >= timedelta(minutes=apart_minutes):
            kept.append(slot)
        previous = slot
    return kept


def nearest_slots(
    officer_ids: Iterable[int],
    *,
    to: datetime,
    length_minutes: int,
    now: datetime,
    today: date,
    but_for_visit: int | None = None,
    count: int = NEAREST_SHOWN,
) -> list[Slot]:
    """The free times nearest to one that could not be had, in order of time."""
    wanted_on = london_date(to)
    free: list[Slot] = []
    for days_before, days_after in ((1, 2), (7, 14)):
        diaries = read_diaries(
            officer_ids,
            first_day=max(today, wanted_on - timedelta(days=days_before)),
            last_day=max(today, wanted_on) + timedelta(days=days_after),
            but_for_visit=but_for_visit,
        )
        free = free_slots(diaries, length_minutes=length_minutes, now=now, apart_minutes=SLOTS_APART)
        if len(free) >= count:
            break
    return sorted(sorted(free, key=lambda slot: abs(slot.starts_at - to))[:count])

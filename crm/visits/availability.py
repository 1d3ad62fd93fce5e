"""When officers could come: their hours of work, less visits, holds and busy times, with the road in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import Select, func, or_, select

from crm import policy
from crm.calendars.busy import busy_spans
from crm.cases.models import Case, Household
from crm.clock import london_date
from crm.db import db
from crm.rules import intervals
from crm.rules.intervals import Engagement, Span, london_to_utc
from crm.rules.quiet_times import quiet_spans
from crm.rules.travel import Basis, Estimate, Roads, Stop, TravelBy
from crm.visits.models import (
    BusyTime,
    OfficerDiary,
    Place,
    Visit,
    VisitHold,
    VisitOfficer,
    WorkingHours,
)
from crm.visits.roads import desks_of, read_roads, stop_of

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


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The visit that a free time is looked for: how long, where, and when the household asked to be left in peace."""

    length_minutes: int
    place: str = Place.HOME
    postcode: str | None = None
    quiet: tuple[str, ...] = ()
    """Each as ``rules.quiet_times`` keeps it."""

    def closed_on(self, day: date) -> list[Span]:
        """The times of a day at which the household can't be seen."""
        return [span for kept in self.quiet for span in quiet_spans(kept, day)]


def wanted_by(case: Case, *, length_minutes: int, place: str = Place.HOME, minds_quiet: bool = True) -> Wanted:
    """A visit to this household. ``minds_quiet`` false where they agreed to a time that they had asked us to leave."""
    there = [person for person in case.household.people if person.is_applicant and person.left_household_on is None]
    return Wanted(
        length_minutes=length_minutes,
        place=place,
        postcode=case.household.postcode,
        quiet=tuple(person.quiet_times for person in there if person.quiet_times) if minds_quiet else (),
    )


@dataclass(frozen=True)
class Engaged:
    """Where an officer has to be, and when: a visit, or a time held for one."""

    span: Span
    stop: Stop
    visit_id: int | None
    hold_id: int | None = None


@dataclass(frozen=True)
class Diaries:
    """The diaries of some officers over some days, read in a handful of queries however many there are."""

    wanted: Wanted
    officer_ids: tuple[int, ...]
    first_day: date
    last_day: date
    hours: Mapping[int, Mapping[int, Sequence[tuple[int, int]]]]
    """Officer to weekday to spans in minutes past midnight."""
    engaged: Mapping[int, Sequence[Engaged]]
    busy: Mapping[int, Sequence[Span]]
    """Leave, and what officers have said themselves."""
    by_calendar: Mapping[int, Sequence[Span]]
    """What their own calendars say."""
    visits_a_day: Mapping[int, int]
    desks: Mapping[int, Stop]
    travels_by: Mapping[int, TravelBy]
    roads: Roads
    _stops: dict[int, Stop] = field(default_factory=dict)

    def days(self) -> list[date]:
        return [self.first_day + timedelta(days=n) for n in range((self.last_day - self.first_day).days + 1)]

    def works_on(self, officer_id: int, day: date) -> Sequence[tuple[int, int]]:
        """The spans of work of an officer on a day, in minutes past midnight; empty when they are off."""
        return self.hours[officer_id].get(day.weekday(), ())

    def is_full(self, officer_id: int, day: date) -> bool:
        """Whether the officer has as many visits as they take on in a day."""
        begun = sum(1 for one in self.engaged.get(officer_id, ()) if london_date(one.span.start) == day)
        return begun >= self.visits_a_day[officer_id]

    def stop(self, officer_id: int) -> Stop:
        """Where this officer would be for the visit in question."""
        found = self._stops.get(officer_id)
        if found is None:
            found = stop_of(self.wanted.place, self.wanted.postcode, self.desks[officer_id])
            self._stops[officer_id] = found
        return found

    def road(self, officer_id: int, one: Stop, other: Stop) -> Estimate:
        """The journey between two stops as this officer makes it."""
        return self.roads.between(one, other, self.travels_by[officer_id])

    def edge(self, officer_id: int) -> Estimate:
        """The way from where the officer's day begins, and back. Nothing where either end is not known: an assumption
        is no reason to give away less of somebody's day."""
        desk = self.desks[officer_id]
        way = self.road(officer_id, desk, self.stop(officer_id))
        return Estimate(0, Basis.NO_TRAVEL) if way.basis == Basis.ASSUMED else way

    def engagements(self, officer_id: int) -> list[Engagement]:
        """Everything this officer has to be at, with the way from there to the visit in question.

        What their own calendars say has no place: the way from there is assumed, but for a call from their desk.
        """
        here = self.stop(officer_id)
        away = 0 if here.is_desk else self.roads.policy.unknown_minutes
        return [
            *(
                Engagement(one.span, self.road(officer_id, one.stop, here).minutes)
                for one in self.engaged.get(officer_id, ())
            ),
            *(Engagement(span, away) for span in self.busy.get(officer_id, ())),
            *(Engagement(span, away) for span in self.by_calendar.get(officer_id, ())),
        ]

    def free_on(self, officer_id: int, day: date, *, not_before: datetime | None) -> tuple[Span, ...]:
        """Every start on the quarter hour at which this officer is free on a day."""
        working = self.works_on(officer_id, day)
        if not working or self.is_full(officer_id, day):
            return ()
        begin, end = london_to_utc(day, -12 * 60), london_to_utc(day, 36 * 60)
        return intervals.slots(
            day=day,
            working=working,
            engagements=[one for one in self.engagements(officer_id) if one.span.start < end and one.span.end > begin],
            length_minutes=self.wanted.length_minutes,
            edge_minutes=self.edge(officer_id).minutes,
            closed=self.wanted.closed_on(day),
            not_before=not_before,
        )


def earliest(now: datetime) -> datetime:
    """How soon a visit may be offered: an officer has to get there, and a household to be asked."""
    return now + timedelta(hours=policy.service().notice_hours)


def read_diaries(
    officer_ids: Iterable[int],
    *,
    first_day: date,
    last_day: date,
    wanted: Wanted,
    now: datetime,
    but_for_visit: int | None = None,
) -> Diaries:
    """Read the diaries of these officers from one London day to another, but for a visit that is to move.

    A hold that has run out by ``now`` takes nobody's time, whether or not it has been cleared away.
    """
    ids = tuple(sorted(set(officer_ids)))
    begin, end = london_to_utc(first_day, 0), london_to_utc(last_day, 24 * 60)
    service = policy.service()
    own = {row.user_id: row for row in db.session.scalars(select(OfficerDiary).where(OfficerDiary.user_id.in_(ids)))}
    desks = desks_of(ids)
    engaged: dict[int, list[Engaged]] = defaultdict(list)
    for row in db.session.execute(_taken(ids, begin, end, now=now, but_for_visit=but_for_visit)):
        engaged[row.officer_id].append(
            Engaged(
                Span(row.starts_at, row.ends_at),
                stop_of(row.place, row.postcode, desks[row.officer_id]),
                row.visit_id,
                row.hold_id,
            )
        )
    busy: dict[int, list[Span]] = defaultdict(list)
    for away in db.session.execute(
        select(BusyTime.user_id, BusyTime.starts_at, BusyTime.ends_at)
        .where(BusyTime.user_id.in_(ids), BusyTime.starts_at < end, BusyTime.ends_at > begin)
        .order_by(BusyTime.starts_at)
    ):
        busy[away.user_id].append(Span(away.starts_at, away.ends_at))
    stops = [stop_of(wanted.place, wanted.postcode, desk) for desk in desks.values()]
    stops += [one.stop for those in engaged.values() for one in those]
    return Diaries(
        wanted=wanted,
        officer_ids=ids,
        first_day=first_day,
        last_day=last_day,
        hours=_hours(ids, own, (service.working_from_minutes, service.working_until_minutes)),
        engaged=engaged,
        busy=busy,
        by_calendar=busy_spans(ids, begin=begin - timedelta(days=1), end=end + timedelta(days=1)),
        visits_a_day={
            officer_id: (own[officer_id].visits_a_day if officer_id in own else None) or service.visits_per_day
            for officer_id in ids
        },
        desks=desks,
        travels_by={
            officer_id: TravelBy(own[officer_id].travels_by) if officer_id in own else TravelBy.CAR
            for officer_id in ids
        },
        roads=read_roads(one.district for one in [*stops, *desks.values()]),
    )


def _taken(
    ids: tuple[int, ...], begin: datetime, end: datetime, *, now: datetime, but_for_visit: int | None
) -> Select[int, datetime, datetime, int | None, int | None, str, str | None]:
    """The visits and holds that take these officers' time, a day to each side, for the road from the night before."""
    day = timedelta(days=1)
    query = (
        select(
            VisitOfficer.officer_id,
            VisitOfficer.starts_at,
            VisitOfficer.ends_at,
            VisitOfficer.visit_id,
            VisitOfficer.hold_id,
            func.coalesce(Visit.place, VisitHold.place).label("place"),
            Household.postcode,
        )
        .outerjoin(Visit, Visit.id == VisitOfficer.visit_id)
        .outerjoin(VisitHold, VisitHold.id == VisitOfficer.hold_id)
        .join(Case, Case.id == func.coalesce(Visit.case_id, VisitHold.case_id))
        .join(Household, Household.id == Case.household_id)
        .where(
            VisitOfficer.officer_id.in_(ids),
            VisitOfficer.holds,
            VisitOfficer.starts_at < end + day,
            VisitOfficer.starts_at > begin - 2 * day,
            VisitOfficer.ends_at > begin - day,
            or_(VisitOfficer.hold_id.is_(None), VisitHold.runs_out_at > now),
        )
        .order_by(VisitOfficer.starts_at)
    )
    if but_for_visit is not None:
        query = query.where(VisitOfficer.visit_id.is_distinct_from(but_for_visit))
    return query


def _hours(
    ids: tuple[int, ...], own: Mapping[int, OfficerDiary], usual: tuple[int, int]
) -> dict[int, dict[int, list[tuple[int, int]]]]:
    hours: dict[int, dict[int, list[tuple[int, int]]]] = {}
    for officer_id in ids:
        if officer_id in own and own[officer_id].has_own_hours:
            hours[officer_id] = {}
        else:
            hours[officer_id] = {weekday: [usual] for weekday in USUAL_DAYS}
    for row in db.session.scalars(
        select(WorkingHours)
        .where(WorkingHours.user_id.in_([one for one, diary in own.items() if diary.has_own_hours]))
        .order_by(WorkingHours.weekday, WorkingHours.from_minutes)
    ):
        hours[row.user_id].setdefault(row.weekday, []).append((row.from_minutes, row.until_minutes))
    return hours


def free_slots(diaries: Diaries, *, not_before: datetime, apart_minutes: int = 0) -> list[Slot]:
    """Times from ``not_before`` on when all the officers of these diaries are free together, in order.

    ``apart_minutes`` thins them out for a list that a person reads: each start at least so long after the one before,
    but a start that follows straight on from something else is kept, or gaps would be left that nobody fills.
    """
    found: list[Slot] = []
    for day in diaries.days():
        together: dict[datetime, Span] | None = None
        for officer_id in diaries.officer_ids:
            spans = diaries.free_on(officer_id, day, not_before=not_before)
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
    wanted: Wanted,
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
            wanted=wanted,
            now=now,
            but_for_visit=but_for_visit,
        )
        free = free_slots(diaries, not_before=earliest(now), apart_minutes=SLOTS_APART)
        if len(free) >= count:
            break
    return sorted(sorted(free, key=lambda slot: abs(slot.starts_at - to))[:count])

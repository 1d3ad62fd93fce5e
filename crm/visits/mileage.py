"""The miles that officers drove to the visits they made, month by month, for payroll.

From the centres of postcode districts by road, as travel times are: what nobody can measure is left empty, not guessed.
A visit counts where its officer went, whether or not anybody was in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import select

from crm import policy
from crm.access.models import User
from crm.audit import record
from crm.cases.models import Case, Household
from crm.clock import london_date
from crm.db import db
from crm.rules.intervals import london_to_utc
from crm.rules.permissions import Actor
from crm.rules.travel import Roads, Stop, TravelBy
from crm.visits.models import OfficerDiary, Place, Visit, VisitOfficer, VisitStatus
from crm.visits.roads import desks_of, read_roads, stop_of

WENT = (VisitStatus.DONE, VisitStatus.NO_ACCESS, VisitStatus.ABANDONED_SAFETY)
HEADER = ("Officer", "Date", "From", "To", "Miles", "Pence a mile", "Pounds")


@dataclass(frozen=True)
class Journey:
    """One way that an officer drove: between two districts, and how far (None where that is not known)."""

    on: date
    one: str | None
    other: str | None
    miles: float | None
    pence_a_mile: int

    @property
    def pence(self) -> int:
        return round((self.miles or 0) * self.pence_a_mile)


@dataclass
class OfficerMonth:
    """One officer's month."""

    officer_id: int
    name: str
    drives: bool
    has_base: bool
    """Whether it is known where their days begin: without it only the ways between visits are counted."""
    visits: int = 0
    journeys: list[Journey] = field(default_factory=list)

    @property
    def miles(self) -> float:
        return round(sum(one.miles or 0 for one in self.journeys), 1)

    @property
    def pence(self) -> int:
        return sum(one.pence for one in self.journeys)

    @property
    def not_known(self) -> int:
        """Ways of which nobody knows how far they were."""
        return sum(one.miles is None for one in self.journeys)


def mileage_of(officers: Iterable[User], *, first_day: date, last_day: date) -> list[OfficerMonth]:
    """What these officers drove between two London days, both included, in a handful of queries."""
    staff = list(officers)
    ids = [user.id for user in staff]
    desks = desks_of(ids)
    drivers = {
        row.user_id: row.travels_by == TravelBy.CAR
        for row in db.session.scalars(select(OfficerDiary).where(OfficerDiary.user_id.in_(ids)))
    }
    rows = db.session.execute(
        select(VisitOfficer.officer_id, Visit.starts_at, Visit.place, Household.postcode)
        .join(Visit, Visit.id == VisitOfficer.visit_id)
        .join(Case, Case.id == Visit.case_id)
        .join(Household, Household.id == Case.household_id)
        .where(
            VisitOfficer.officer_id.in_(ids),
            Visit.status.in_(WENT),
            Visit.place != Place.VIDEO,
            Visit.starts_at >= london_to_utc(first_day, 0),
            Visit.starts_at < london_to_utc(last_day, 24 * 60),
        )
        .order_by(Visit.starts_at, Visit.id)
    ).all()
    days: dict[int, dict[date, list[Stop]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        stop = stop_of(row.place, row.postcode, desks[row.officer_id])
        days[row.officer_id][london_date(row.starts_at)].append(stop)
    stops = [stop for of_one in days.values() for of_day in of_one.values() for stop in of_day]
    roads = read_roads(stop.district for stop in [*stops, *desks.values()])
    rates = {
        first_day + timedelta(days=n): policy.service(first_day + timedelta(days=n)).mileage_pence
        for n in range((last_day - first_day).days + 1)
    }
    found = []
    for user in staff:
        desk = desks[user.id]
        month = OfficerMonth(user.id, user.name, drivers.get(user.id, True), desk.district is not None)
        for on, there in sorted(days[user.id].items()):
            month.visits += len(there)
            if month.drives:
                month.journeys += _journeys(on, _chain(desk, there), roads, rates[on])
        found.append(month)
    return found


def _chain(desk: Stop, there: Sequence[Stop]) -> list[Stop]:
    return [desk, *there, desk] if desk.district is not None else list(there)


def _journeys(on: date, chain: Sequence[Stop], roads: Roads, pence_a_mile: int) -> list[Journey]:
    found = []
    for one, other in zip(chain, chain[1:], strict=False):
        miles = roads.between(one, other, TravelBy.CAR).miles
        found.append(
            Journey(on, one.district, other.district, None if miles is None else round(miles, 1), pence_a_mile)
        )
    return found


def file_rows(months: Iterable[OfficerMonth]) -> list[tuple[str, date, str, str, str, int, str]]:
    """A line a journey, for payroll: who, when and between which districts, and nothing of any household."""
    return [
        (
            month.name,
            one.on,
            one.one or "not known",
            one.other or "not known",
            "" if one.miles is None else f"{one.miles:.1f}",
            one.pence_a_mile,
            "" if one.miles is None else f"{one.pence / 100:.2f}",
        )
        for month in months
        for one in month.journeys
    ]


def record_export(months: Sequence[OfficerMonth], *, first_day: date, actor: Actor, now: datetime) -> None:
    """Keep that somebody took the month's mileage away."""
    record(
        "mileage.exported",
        actor=actor,
        at=now,
        subject=f"mileage:{first_day:%Y-%m}",
        detail={"officers": [month.officer_id for month in months], "lines": sum(len(m.journeys) for m in months)},
    )

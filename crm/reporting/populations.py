"""Which households a question is about, as conditions on their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, false, func, literal, or_, select

from crm import policy
from crm.cases.journeys import DAY_OF
from crm.cases.models import Journey
from crm.db import db, our_word
from crm.reporting.figures import Question
from crm.rules.breaches import return_year
from crm.rules.progress import MILESTONES, Milestone, Standing
from crm.rules.refusal import Refusal

OPEN = (Standing.ON_THE_WAY,)
GONE = (Standing.ENDED, Standing.RESTING)
"""Who went no further. Somebody who rests until a day counts here until they come back, as on a campaign's page."""


class NoSuchArea(Refusal):
    """The service has no area of that name."""

    default_status = 404


def day_of(place: Milestone) -> Any:
    """The column with the day on which a household got to a place."""
    return getattr(Journey, DAY_OF[place])


def in_area(area: str | None) -> ColumnElement[bool] | None:
    """The households of one of the service's areas, by the postcode districts that it has today. None: all of them."""
    if area is None:
        return None
    found = next((one for one in policy.service().areas if one.name == area), None)
    if found is None:
        raise NoSuchArea("The service has no area of that name any more.")
    return Journey.district.in_(list(found.districts)) if found.districts else false()


def between(column: Any, question: Question) -> ColumnElement[bool]:
    """Whether a day lies in the period of a question."""
    return and_(column >= question.first_on, column <= question.last_on)


def with_area(question: Question, *conditions: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """These conditions, and that the household is of the area that is asked about."""
    area = in_area(question.area)
    return [*conditions, area] if area is not None else list(conditions)


def asked_in(question: Question) -> list[ColumnElement[bool]]:
    """Households that first asked in the period."""
    return with_area(question, between(Journey.asked_on, question))


def furthest() -> ColumnElement[int]:
    """The number of the last place that a household reached; 0 is that it asked."""
    return case(
        *((day_of(place).is_not(None), literal(MILESTONES.index(place))) for place in reversed(MILESTONES[1:])),
        else_=literal(0),
    )


@dataclass(frozen=True, slots=True)
class CohortGroup:
    """Households of a cohort that got equally far, stand equally, and came by one channel."""

    furthest: int
    """The number of the last place they reached."""
    standing: str
    channel: str
    count: int


def cohort_groups(question: Question) -> list[CohortGroup]:
    """The households that first asked in the period, in groups: one statement, from an index alone."""
    last = furthest()
    rows = db.session.execute(
        select(last, Journey.standing, Journey.channel, func.count())
        .where(*asked_in(question))
        .group_by(last, Journey.standing, Journey.channel)
    )
    return [CohortGroup(*row) for row in rows]


def got_as_far(place: Milestone) -> list[ColumnElement[bool]]:
    """What is true of whoever got to a place, said so that the index of those few who got so far is used."""
    number = MILESTONES.index(place)
    return [
        day_of(one).is_not(None) for one in (Milestone.VISITED, Milestone.APPLIED) if MILESTONES.index(one) <= number
    ]


def stopped_at(place: Milestone) -> ColumnElement[bool]:
    """Households for which this is the last place reached."""
    number = MILESTONES.index(place)
    beyond = [day_of(MILESTONES[number + 1]).is_(None)] if number + 1 < len(MILESTONES) else []
    return and_(day_of(place).is_not(None), *beyond)


def stands(standings: Sequence[Standing]) -> ColumnElement[bool]:
    """Households of these standings."""
    return or_(*(Journey.standing == our_word(str(one)) for one in standings))


def years_of_return(today: date, count: int = 2) -> list[tuple[date, date]]:
    """The return year a day lies in, and those before it, the newest first."""
    years = [return_year(today)]
    while len(years) < count:
        years.append(return_year(years[-1][0] - timedelta(days=1)))
    return years

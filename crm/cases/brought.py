"""What a campaign or an event brought: the one definition, for its own page and for every report.

A *touch* is an enquiry row: a form, a call, a word at a stall. Each household's journey is counted three ways:

* **first touch**: the campaign that they first came by;
* **last touch**: the campaign they last came by before they applied (or, until they apply, the last so far);
* **any touch**: every campaign they ever came by, each in full, so that these do not add up to the whole.

Journeys are counted, not people. What is not decided yet is *undecided*, never lost: a stall takes most of a year to
bring an approval, and half of what it brings is still on its way when somebody asks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, tuple_
from sqlalchemy.orm import aliased

from crm.cases.models import Case, Enquiry, StageChange, Track
from crm.db import db

FEW = 5
"""Under this many, a cost for each says more about chance than about the money."""


class Touch(StrEnum):
    """Which touch of a household a campaign is credited with."""

    FIRST = "first"
    LAST = "last"
    ANY = "any"


TOUCH_WORDS = {
    Touch.FIRST: "First heard of us here",
    Touch.LAST: "Last here before they applied",
    Touch.ANY: "Was here at some time",
}


class Outcome(StrEnum):
    """How far a journey has come. Each holds those of the next: who applied was an enquiry too."""

    ENQUIRIES = "enquiries"
    VISITS = "visits"
    APPLICATIONS = "applications"
    APPROVALS = "approvals"
    UNDECIDED = "undecided"
    CLOSED = "closed"


OUTCOME_WORDS = {
    Outcome.ENQUIRIES: "Enquiries",
    Outcome.VISITS: "First visits held",
    Outcome.APPLICATIONS: "Applications",
    Outcome.APPROVALS: "Approvals",
    Outcome.UNDECIDED: "Undecided, still with us",
    Outcome.CLOSED: "Closed or not now",
}


@dataclass(frozen=True)
class Brought:
    """The counts of one campaign by one kind of touch."""

    enquiries: int = 0
    visits: int = 0
    applications: int = 0
    approvals: int = 0
    undecided: int = 0
    closed: int = 0

    def of(self, outcome: Outcome) -> int:
        return int(getattr(self, outcome))

    def __add__(self, other: Brought) -> Brought:
        return Brought(*(self.of(one) + other.of(one) for one in Outcome))


@dataclass(frozen=True)
class Counts:
    """What one campaign brought, by each kind of touch."""

    by_touch: dict[Touch, Brought] = field(default_factory=dict)

    def by(self, touch: Touch) -> Brought:
        return self.by_touch.get(touch, Brought())


def brought_by(campaign_ids: Collection[int]) -> dict[int, Counts]:
    """What these campaigns brought: three statements, however many campaigns and households there are."""
    found: dict[int, dict[Touch, Brought]] = {campaign_id: {} for campaign_id in campaign_ids}
    if not found:
        return {}
    applied, approved, visited = _applied(), _approved(), _visited()
    gone = Case.place.in_(("not_now", "closed"))
    for touch in Touch:
        touched = journeys(touch, campaign_ids).subquery()
        rows = db.session.execute(
            select(
                touched.c.campaign_id,
                func.count(),
                _count(visited),
                _count(applied),
                _count(approved),
                _count(and_(~approved, Case.is_open, ~gone)),
                _count(and_(~approved, or_(~Case.is_open, gone))),
            )
            .select_from(touched)
            .join(Case, Case.id == touched.c.case_id)
            .group_by(touched.c.campaign_id)
        )
        for campaign_id, *counts in rows:
            found[campaign_id][touch] = Brought(*counts)
    return {campaign_id: Counts(by_touch) for campaign_id, by_touch in found.items()}


def journeys(touch: Touch, campaign_ids: Collection[int]) -> Select[int | None, int]:
    """The (campaign, case) pairs that a kind of touch credits."""
    ids = list(campaign_ids)
    if touch is Touch.FIRST:
        return select(Case.campaign_id.label("campaign_id"), Case.id.label("case_id")).where(Case.campaign_id.in_(ids))
    if touch is Touch.ANY:
        return (
            select(Enquiry.campaign_id.label("campaign_id"), Enquiry.case_id.label("case_id"))
            .where(Enquiry.campaign_id.in_(ids))
            .distinct()
        )
    later = aliased(Enquiry)
    return (
        select(Enquiry.campaign_id.label("campaign_id"), Enquiry.case_id.label("case_id"))
        .join(Case, Case.id == Enquiry.case_id)
        .where(
            Enquiry.campaign_id.in_(ids),
            _before_the_application(Enquiry),
            ~exists()
            .where(
                later.case_id == Enquiry.case_id,
                later.campaign_id.is_not(None),
                tuple_(later.received_at, later.id) > tuple_(Enquiry.received_at, Enquiry.id),
                _before_the_application(later),
            )
            .correlate(Enquiry, Case),
        )
    )


def reached(outcome: Outcome) -> ColumnElement[bool]:
    """Whether a case counts towards an outcome: for the rows behind a number."""
    gone = Case.place.in_(("not_now", "closed"))
    conditions: dict[Outcome, ColumnElement[bool]] = {
        Outcome.ENQUIRIES: Case.id.is_not(None),
        Outcome.VISITS: _visited(),
        Outcome.APPLICATIONS: _applied(),
        Outcome.APPROVALS: _approved(),
        Outcome.UNDECIDED: and_(~_approved(), Case.is_open, ~gone),
        Outcome.CLOSED: and_(~_approved(), or_(~Case.is_open, gone)),
    }
    return conditions[outcome]


def cost_for_each(pence: int, count: int) -> int | None:
    """What each of so many cost, in pence; None under FEW, where a quotient says too little."""
    return round(pence / count) if pence and count >= FEW else None


def total(counts: Iterable[Brought]) -> Brought:
    """All of them together. Only of first or of last touches: those of any touch hold a household twice."""
    return sum(counts, Brought())


def _before_the_application(touch: type[Enquiry]) -> ColumnElement[bool]:
    """A touch up to the day on which the application was received, or any where there is none."""
    return or_(Case.application_received_on.is_(None), func.date(touch.received_at) <= Case.application_received_on)


def _visited() -> ColumnElement[bool]:
    return exists().where(
        StageChange.case_id == Case.id, StageChange.track == "enquiry", StageChange.to_stage == "visited"
    )


def _applied() -> ColumnElement[bool]:
    return exists().where(Track.case_id == Case.id, Track.name == "application")


def _approved() -> ColumnElement[bool]:
    return exists().where(Track.case_id == Case.id, Track.name == "application", Track.stage == "approved")


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

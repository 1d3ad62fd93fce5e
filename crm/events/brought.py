"""What events and campaigns brought, ready for their pages: counts, what each cost, the households behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from crm.cases.brought import Brought, Counts, Outcome, Touch, brought_by, cost_for_each, journeys, reached
from crm.cases.models import Campaign, Case, Household
from crm.cases.queries import visible_cases
from crm.db import db
from crm.events.models import RecruitmentEvent
from crm.rules.permissions import Actor

COSTED = (Outcome.ENQUIRIES, Outcome.VISITS, Outcome.APPLICATIONS, Outcome.APPROVALS)


@dataclass(frozen=True)
class CampaignLine:
    """One campaign of the list: an event's own, or a larger one with the events that are part of it."""

    id: int
    name: str
    code: str
    cost_pence: int
    event_id: int | None
    parts: int
    """How many events are part of it; their cost and what they brought are in its figures."""
    counts: Counts

    def each(self, outcome: Outcome, touch: Touch = Touch.FIRST) -> int | None:
        """What each cost, in pence; None where there are too few to say."""
        return cost_for_each(self.cost_pence, self.counts.by(touch).of(outcome))


CAMPAIGNS_SHOWN = 25


def campaign_lines(*, after: int | None = None) -> tuple[list[CampaignLine], int | None]:
    """Campaigns, the newest first, with what they brought: six statements, however many households there are."""
    query = select(Campaign).order_by(Campaign.id.desc())
    query = query.where(Campaign.id < after) if after else query
    rows = list(db.session.scalars(query.limit(CAMPAIGNS_SHOWN + 1)))
    more = len(rows) > CAMPAIGNS_SHOWN
    rows = rows[:CAMPAIGNS_SHOWN]
    return lines_of(rows), rows[-1].id if more else None


def lines_of(campaigns: Sequence[Campaign]) -> list[CampaignLine]:
    """These campaigns with what they and the events that are part of them brought.

    Journeys are credited by first and last touch once; by any touch, a household that came to two events of a campaign
    is counted for each.
    """
    ids = [campaign.id for campaign in campaigns]
    own: dict[int, int] = {}
    parts: dict[int, list[tuple[int, int]]] = {}
    for event_id, campaign_id, part_of_id, pence in db.session.execute(
        select(RecruitmentEvent.id, RecruitmentEvent.campaign_id, RecruitmentEvent.part_of_id, Campaign.cost_pence)
        .join(Campaign, Campaign.id == RecruitmentEvent.campaign_id)
        .where(RecruitmentEvent.campaign_id.in_(ids) | RecruitmentEvent.part_of_id.in_(ids))
    ):
        own[campaign_id] = event_id
        if part_of_id is not None:
            parts.setdefault(part_of_id, []).append((campaign_id, pence))
    counted = brought_by({*ids, *(part for several in parts.values() for part, _ in several)})
    return [
        CampaignLine(
            id=campaign.id,
            name=campaign.name,
            code=campaign.code,
            cost_pence=campaign.cost_pence + sum(pence for _, pence in parts.get(campaign.id, ())),
            event_id=own.get(campaign.id),
            parts=len(parts.get(campaign.id, ())),
            counts=_together([campaign.id, *(part for part, _ in parts.get(campaign.id, ()))], counted),
        )
        for campaign in campaigns
    ]


def _together(ids: Sequence[int], counted: Mapping[int, Counts]) -> Counts:
    return Counts({touch: sum((counted[one].by(touch) for one in ids), Brought()) for touch in Touch})


def brought_by_event(event: RecruitmentEvent) -> CampaignLine:
    """What one event brought."""
    return lines_of([event.campaign])[0]


@dataclass(frozen=True)
class Behind:
    """One journey behind a number. Its name is hidden from those who may not open it."""

    reference: str | None
    household: str | None
    place: str
    opened_on: object


ROWS_SHOWN = 50


def rows_behind(
    campaign: Campaign, actor: Actor, *, touch: Touch, outcome: Outcome, today: object, after: int | None = None
) -> tuple[list[Behind], int | None]:
    """The journeys behind one number of a campaign, the newest first, its parts' included."""
    ids = [
        campaign.id,
        *db.session.scalars(select(RecruitmentEvent.campaign_id).where(RecruitmentEvent.part_of_id == campaign.id)),
    ]
    touched = journeys(touch, ids).subquery()
    query = (
        select(
            Case.id,
            Case.reference,
            Case.place,
            Case.opened_at,
            Household.name,
            visible_cases(actor, today=today).label("may_open"),  # type: ignore[arg-type]
        )
        .join(Household, Household.id == Case.household_id)
        .where(Case.id.in_(select(touched.c.case_id)), reached(outcome))
        .order_by(Case.id.desc())
        .limit(ROWS_SHOWN + 1)
    )
    rows = db.session.execute(query.where(Case.id < after) if after else query).all()
    more = len(rows) > ROWS_SHOWN
    lines = [
        Behind(
            reference=row.reference if row.may_open else None,
            household=row.name if row.may_open else None,
            place=row.place,
            opened_on=row.opened_at,
        )
        for row in rows[:ROWS_SHOWN]
    ]
    return lines, rows[ROWS_SHOWN - 1].id if more else None

"""What events and campaigns brought: counted three ways, the undecided as undecided, and set against the cost."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from crm.cases.brought import Brought, Outcome, Touch, brought_by, cost_for_each
from crm.cases.campaigns import CodeTaken, create_campaign
from crm.cases.models import Band, Campaign, Case, Channel, Enquiry, Household, StageChange, Track
from crm.db import db, transaction
from crm.events import brought, costing, places
from crm.events.models import RecruitmentEvent
from tests.events.conftest import at


@pytest.fixture
def campaigns(session):
    with transaction():
        made = [Campaign(code=code, name=code.title(), cost_pence=0) for code in ("stall", "leaflet", "radio")]
        session.add_all(made)
    return made


def journey(cast, number, touches, *, stage="new", visited=False, application=None, applied_on=None):
    """A household that came by these campaigns, in this order, a day apart."""
    household = Household(name=f"Household {number}", created_at=at("2026-01-01 09:00"))
    db.session.add(household)
    db.session.flush()
    is_open = application not in ("approved", "refused", "withdrawn") and (application or stage) != "closed"
    case = Case(
        reference=f"KF-{number:06d}",
        household_id=household.id,
        opened_at=at("2026-01-01 09:00"),
        channel=Channel.EVENT,
        campaign_id=touches[0].id if touches[0] else None,
        edition="2011",
        owner_id=cast.recruiter.id,
        is_open=is_open,
        place=application or stage,
        band=Band.APPLICATION if application else Band.ENQUIRY,
        next_action="Ring them",
        next_action_due_on=at("2026-01-02 09:00").date(),
        application_received_on=applied_on,
    )
    db.session.add(case)
    db.session.flush()
    for day, campaign in enumerate(touches, start=1):
        db.session.add(
            Enquiry(
                case_id=case.id,
                received_at=at(f"2026-01-{day:02d} 09:00"),
                channel=Channel.EVENT,
                campaign_id=campaign.id if campaign else None,
            )
        )
    if visited:
        db.session.add(
            StageChange(
                case_id=case.id,
                track="enquiry",
                to_stage="visited",
                move="hold_visit",
                changed_at=at("2026-01-20 09:00"),
                effective_on=at("2026-01-20 09:00").date(),
                actor_kind="staff",
                edition="2011",
            )
        )
    if application:
        db.session.add(
            Track(case_id=case.id, name="application", stage=application, since_on=at("2026-02-01 09:00").date())
        )
    db.session.flush()
    return case


def test_each_way_of_counting_credits_the_touch_it_says(session, cast, campaigns):
    stall, leaflet, radio = campaigns
    with transaction():
        journey(cast, 1, [stall, leaflet], visited=True, stage="visited")
        journey(cast, 2, [leaflet, stall, None])
        journey(cast, 3, [stall, stall, radio], application="approved", applied_on=at("2026-01-02 12:00").date())

    counts = brought_by([one.id for one in campaigns])
    said = {(one.code, touch): counts[one.id].by(touch).enquiries for one in campaigns for touch in Touch}
    assert said == {
        ("stall", Touch.FIRST): 2, ("leaflet", Touch.FIRST): 1, ("radio", Touch.FIRST): 0,
        # The last touch of the third is the stall: the radio came after they had applied.
        ("stall", Touch.LAST): 2, ("leaflet", Touch.LAST): 1, ("radio", Touch.LAST): 0,
        ("stall", Touch.ANY): 3, ("leaflet", Touch.ANY): 2, ("radio", Touch.ANY): 1,
    }  # fmt: skip
    assert counts[stall.id].by(Touch.FIRST) == Brought(2, 1, 1, 1, 1, 0)


def test_who_has_not_decided_is_undecided_and_who_went_is_closed(session, cast, campaigns):
    stall = campaigns[0]
    with transaction():
        journey(cast, 1, [stall])
        journey(cast, 2, [stall], stage="not_now")
        journey(cast, 3, [stall], stage="closed")
        journey(cast, 4, [stall], application="in_assessment")
        journey(cast, 5, [stall], application="refused")
        journey(cast, 6, [stall], application="approved")

    found = brought_by([stall.id])[stall.id].by(Touch.FIRST)
    assert found == Brought(enquiries=6, visits=0, applications=3, approvals=1, undecided=2, closed=3)
    assert found.approvals + found.undecided + found.closed == found.enquiries


@pytest.mark.parametrize(
    ("pence", "count", "each"), [(10_000, 4, None), (10_000, 5, 2000), (0, 40, None), (10_000, 0, None)]
)
def test_a_cost_for_each_is_said_from_five_on(pence, count, each):
    assert cost_for_each(pence, count) == each


def test_the_rows_behind_a_number_are_as_many_as_it_says_and_hide_names_from_others(session, cast, campaigns):
    stall = campaigns[0]
    with transaction():
        journey(cast, 1, [stall])
        journey(cast, 2, [stall], application="in_assessment")

    counts = brought_by([stall.id])[stall.id]
    today = at("2026-03-01 09:00").date()
    for touch in Touch:
        for outcome in Outcome:
            rows, _ = brought.rows_behind(stall, cast.recruiter.actor, touch=touch, outcome=outcome, today=today)
            assert len(rows) == counts.by(touch).of(outcome), (touch, outcome)
    rows, _ = brought.rows_behind(
        stall, cast.recruiter.actor, touch=Touch.FIRST, outcome=Outcome.ENQUIRIES, today=today
    )
    assert {row.household for row in rows} == {"Household 1", None}, "a recruiter does not open an assessment"


def test_a_larger_campaign_holds_what_its_events_brought_and_cost(session, cast, make_event, campaigns):
    radio = campaigns[2]
    with transaction():
        radio.cost_pence = 10_000
        event = make_event(cost_pence=8_600, part_of_id=radio.id)
        journey(cast, 1, [event.campaign])
        journey(cast, 2, [radio])

    line = brought.lines_of([radio])[0]
    assert (line.cost_pence, line.parts, line.counts.by(Touch.FIRST).enquiries) == (18_600, 1, 2)


def test_the_cost_of_a_campaign_is_the_sum_of_its_lines_and_hours(session, cast, make_event):
    with transaction():
        event = make_event()
        costing.record_costs(
            event,
            lines=[("Pitch", 6_000), ("Tea", 2_600), ("", 0)],
            minutes={cast.recruiter.id: 330},
            hour_cost_pence=2_000,
            lessons="Stand nearer the door.",
            actor=cast.recruiter.actor,
            now=at("2026-05-18 09:00"),
        )

    assert event.campaign.cost_pence == 6_000 + 2_600 + 11_000
    assert costing.drift() == places.drift() == []
    with transaction():
        session.execute(sa.update(Campaign).values(cost_pence=1))
        session.execute(sa.update(RecruitmentEvent).values(places_taken=3))
    assert len(costing.drift()) == len(places.drift()) == 1


def test_two_campaigns_never_share_a_code(session, cast, campaigns):
    with pytest.raises(CodeTaken), transaction():
        create_campaign(
            name="Again", code="stall", cost_pence=0, actor=cast.recruiter.actor, now=at("2026-05-18 09:00")
        )


def test_a_list_of_campaigns_costs_as_many_statements_for_one_as_for_many(session, cast, campaigns, queries):
    def statements():
        session.expire_all()
        with queries() as sent:
            brought.campaign_lines()
        return len(sent)

    few = statements()
    with transaction():
        for number in range(30):
            journey(cast, number, [campaigns[number % 3], campaigns[0]])
        session.add_all([Campaign(code=f"more-{n}", name="More", cost_pence=0) for n in range(20)])

    assert statements() == few

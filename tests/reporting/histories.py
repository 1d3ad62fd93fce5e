"""Random histories of households, odd ones too: moves out of order, corrections, journeys that end and begin again,
years that end, clocks that change. Kept as plain lists, so that a test can reckon from them without the product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from hypothesis import strategies as st

from crm import policy
from crm.cases.journeys import fill_missing
from crm.cases.models import BreachReason, Campaign, Case, Deadline, Enquiry, Household, StageChange
from crm.db import Values, db, insert_rows, new_row_key
from crm.rules.reference import new_reference

FIRST_DAY = date(2024, 3, 20)
"""Before a year of the return ends, and before clocks go forward."""
TODAY = date(2026, 7, 14)
DISTRICTS = ("BR1", "BR2", "SE6", "DA1", None)
CHANNELS = ("web", "phone", "event")
MOVES = (
    ("enquiry", "contacted", False),
    ("enquiry", "contacted", False),
    ("enquiry", "visit_booked", False),
    ("enquiry", "visited", False),
    ("enquiry", "visited", False),
    ("enquiry", "invited", False),
    ("enquiry", "not_now", False),
    ("enquiry", "closed", False),
    ("enquiry", "contacted", True),
    ("enquiry", "new", True),
    ("enquiry", "visited", True),
    ("application", "received", False),
    ("application", "in_assessment", False),
    ("stage_one", "gathering", False),
    ("stage_one", "passed", False),
    ("stage_one", "passed", False),
    ("stage_one", "gathering", True),
    ("panel_item", "recommended", False),
    ("panel_item", "listed", True),
    ("application", "with_adm", False),
    ("application", "approved", False),
    ("application", "qd_issued", False),
    ("application", "refused", False),
    ("application", "withdrawn", False),
    ("application", "in_assessment", True),
    ("application", "approved", True),
)
REASONS = ("no_response", "AW1", "AW3", None)


@dataclass(frozen=True)
class Move:
    track: str
    to: str
    on: date
    is_correction: bool
    reason: str | None


@dataclass(frozen=True)
class Journey:
    asked_at: datetime
    channel: str
    campaign: int | None
    """The number of the campaign, from 0."""
    moves: tuple[Move, ...]


@dataclass(frozen=True)
class Clock:
    rule: str
    counted_from: date
    due: date
    stopped: date | None
    how: str | None
    reason: str | None


@dataclass(frozen=True)
class Home:
    district: str | None
    journeys: tuple[Journey, ...]
    clocks: tuple[Clock, ...] = field(default=())


@st.composite
def journeys(draw) -> Journey:
    day = draw(st.integers(0, (TODAY - FIRST_DAY).days - 1))
    asked_at = datetime.combine(
        FIRST_DAY + timedelta(days=day), time(draw(st.sampled_from([0, 8, 12, 22, 23])), 30), UTC
    )
    picked = draw(st.lists(st.tuples(st.integers(0, len(MOVES) - 1), st.integers(0, 60)), max_size=9))
    if draw(st.booleans()):
        picked.sort()
    at, moves = asked_at.date(), [Move("enquiry", "new", asked_at.date(), False, None)]
    for number, days in picked:
        track, to, is_correction = MOVES[number]
        at = min(at + timedelta(days=days), TODAY)
        moves.append(Move(track, to, at, is_correction, draw(st.sampled_from(REASONS))))
    return Journey(asked_at, draw(st.sampled_from(CHANNELS)), draw(st.sampled_from([0, 1, None])), tuple(moves))


@st.composite
def clocks(draw) -> Clock:
    start = FIRST_DAY + timedelta(days=draw(st.integers(0, 800)))
    due = start + timedelta(days=draw(st.integers(0, 40)))
    how = draw(st.sampled_from(["met", "met", "ended", "replaced", None]))
    stopped = min(start + timedelta(days=draw(st.integers(0, 60))), TODAY) if how else None
    rule = draw(st.sampled_from(["first_contact", "initial_visit", "panel_recommendation", "book_visit"]))
    return Clock(rule, start, due, stopped, how, draw(st.sampled_from(["dbs_late", None])))


homes = st.builds(
    Home,
    district=st.sampled_from(DISTRICTS),
    journeys=st.lists(journeys(), min_size=1, max_size=2).map(tuple),
    clocks=st.lists(clocks(), max_size=2).map(tuple),
)
many_homes = st.lists(homes, min_size=1, max_size=12)
FREE = 1000
"""From here on no number is taken by the cast."""
COSTS = (30_001, 0)
"""Of the two campaigns, in pence."""


def put_in(some: Sequence[Home], *, manager_id: int) -> None:
    """These households as rows, and what the product sums up of them. Inside the caller's transaction."""
    rows: list[Values] = []
    campaigns = [Campaign(code=f"no-{n}", name=f"Campaign {n}", cost_pence=pence) for n, pence in enumerate(COSTS)]
    db.session.add_all(campaigns)
    db.session.flush()
    case_id = change_id = clock_id = FREE
    for home_id, home in enumerate(some, start=FREE):
        rows.append(Values(Household, {
            "id": home_id, "row_key": new_row_key(), "name": f"Household {home_id}",
            "postcode": f"{home.district} 1KO" if home.district else None,
            "postcode_key": f"{home.district}1KO" if home.district else None,
            "created_at": home.journeys[0].asked_at,
        }))  # fmt: skip
        for journey in home.journeys:
            case_id += 1
            campaign_id = None if journey.campaign is None else campaigns[journey.campaign].id
            rows.append(Values(Case, {
                "id": case_id, "reference": new_reference("KF", case_id), "household_id": home_id, "version": 1,
                "opened_at": journey.asked_at, "channel": journey.channel, "campaign_id": campaign_id,
                "edition": "default", "owner_id": manager_id, "is_open": False, "place": "closed", "band": "ended",
            }))  # fmt: skip
            rows.append(Values(Enquiry, {
                "row_key": new_row_key(), "case_id": case_id, "received_at": journey.asked_at,
                "channel": journey.channel, "campaign_id": campaign_id,
            }))  # fmt: skip
            for move in journey.moves:
                change_id += 1
                rows.append(Values(StageChange, {
                    "id": change_id, "row_key": new_row_key(), "case_id": case_id, "track": move.track,
                    "to_stage": move.to, "move": "made", "changed_at": journey.asked_at, "effective_on": move.on,
                    "actor_kind": "staff", "reason_code": move.reason, "is_correction": move.is_correction,
                    "edition": "default",
                }))  # fmt: skip
        running: set[str] = set()
        for clock in home.clocks:
            if clock.how is None and clock.rule in running:
                continue
            if clock.how is None:
                running.add(clock.rule)
            clock_id += 1
            rows.append(Values(Deadline, {
                "id": clock_id, "case_id": case_id, "rule": clock.rule, "edition": "default",
                "counted_from_on": clock.counted_from, "due_on": clock.due, "turn": "service",
                "stopped_on": clock.stopped, "stopped_how": clock.how,
            }))  # fmt: skip
            if clock.reason:
                rows.append(Values(BreachReason, {
                    "row_key": new_row_key(), "deadline_id": clock_id, "code": clock.reason,
                    "given_at": home.journeys[0].asked_at, "given_by_id": manager_id,
                }))  # fmt: skip
    insert_rows(rows)
    fill_missing(calendar=policy.rulebook_on(TODAY).calendar)


def clocks_kept(home: Home) -> list[Clock]:
    """The clocks that ``put_in`` wrote: of one rule a case has one that runs."""
    running: set[str] = set()
    found = []
    for clock in home.clocks:
        if clock.how is None and clock.rule in running:
            continue
        if clock.how is None:
            running.add(clock.rule)
        found.append(clock)
    return found

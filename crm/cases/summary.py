"""The stored summaries of a case: where it stands, what is to be done next, and how far its household has come.

They are worked out from the tracks and clocks, and nothing else writes them. ``drift`` compares and reports; it
never mends, so that a fault in an operation is seen rather than papered over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select

from crm.cases import journeys
from crm.cases.models import Band, Case, Deadline
from crm.db import db
from crm.rules import stages
from crm.rules.rulebook import Rulebook


@dataclass(frozen=True)
class NextAction:
    """What is to be done next on a case, by when, and whose turn it is (service, household or other)."""

    what: str
    due_on: date
    turn: str
    rule: str | None = None
    """The rule of the clock it comes from; None where no clock is running."""


def refresh(case: Case, *, today: date, rulebook: Rulebook) -> None:
    """Rewrite the summaries of a case after anything about it changed, and raise its version."""
    db.session.flush()
    # Asked before anything is set: a case that opens again may not be flushed half-way, open and with nothing to do.
    action = next_action(case, rulebook=rulebook)
    set_summaries(case, case.stages, action, today=today)
    case.version += 1
    db.session.flush()
    journeys.refresh(case.household_id, calendar=rulebook.calendar)


def first_action(clocks: Sequence[Deadline], *, rulebook: Rulebook) -> NextAction | None:
    """The earliest thing due of clocks that are not stored yet, as ``next_action`` would find it."""
    first = min(clocks, key=lambda clock: clock.due_on, default=None)
    return _action_of(first, rulebook) if first else None


def set_summaries(case: Case, tracks: stages.Tracks, action: NextAction | None, *, today: date) -> None:
    """Set the summaries of a case from its tracks and from what is to be done next."""
    for column, value in summaries(tracks, action, today=today).items():
        setattr(case, column, value)


def summaries(tracks: stages.Tracks, action: NextAction | None, *, today: date) -> dict[str, Any]:
    """The columns of a case that sum up its tracks and what is to be done next."""
    is_open = stages.is_open(tracks)
    if action is None and is_open:
        action = NextAction("Agree what happens next", today, "service")
    return {
        "place": stages.place_of(tracks).name,
        "is_open": is_open,
        "band": band_of(tracks),
        "next_action": action.what if action else None,
        "next_action_due_on": action.due_on if action else None,
        "next_action_turn": action.turn if action else None,
        "next_action_rule": action.rule if action else None,
    }


def band_of(tracks: stages.Tracks) -> Band:
    """Which of the staff lists a case is on. The not-now pool is among the enquiries: somebody owes them a call."""
    if not stages.is_open(tracks):
        return Band.ENDED
    return Band.APPLICATION if stages.TrackName.APPLICATION in tracks else Band.ENQUIRY


def next_action(case: Case, *, rulebook: Rulebook) -> NextAction | None:
    """The earliest thing due: the running clock that ends first. Tasks belong to people, and show on their My day."""
    clock = db.session.scalars(
        select(Deadline)
        .where(Deadline.case_id == case.id, Deadline.stopped_on.is_(None))
        .order_by(Deadline.due_on, Deadline.id)
    ).first()
    return None if clock is None else _action_of(clock, rulebook)


def _action_of(clock: Deadline, rulebook: Rulebook) -> NextAction:
    action = rulebook.deadline(clock.rule).action
    words = f"{action}: {clock.about}"[:200] if clock.about else action
    return NextAction(words, clock.due_on, clock.turn, clock.rule)


def drift(case: Case, *, rulebook: Rulebook) -> list[str]:
    """How the stored summaries of a case differ from what they should be; empty when they agree."""
    faults = []
    tracks = case.stages
    if case.place != stages.place_of(tracks).name:
        faults.append(f"{case.reference}: stands at {stages.place_of(tracks).name}, stored {case.place}")
    if case.is_open != stages.is_open(tracks):
        faults.append(f"{case.reference}: open is stored as {case.is_open}")
    action = next_action(case, rulebook=rulebook)
    if action is not None and action.due_on != case.next_action_due_on:
        faults.append(f"{case.reference}: next action is due {action.due_on}, stored {case.next_action_due_on}")
    if action is not None and action.rule != case.next_action_rule:
        faults.append(f"{case.reference}: next action comes from {action.rule}, stored {case.next_action_rule}")
    return faults

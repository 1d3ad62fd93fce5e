"""How far a household has come: seven places on the way from a first hello to an approval, and the day of each.

Worked out from the moves that were made, as they are known today. What a correction took back has not happened; a
place that was passed over (no panel is needed, a Stage 1 that went on without a decision) was reached on the day of the
next one, so that whoever got to a place got to all before it and every count reconciles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from crm.rules.stages import (
    ENDED_APPLICATION,
    ApplicationStage,
    EnquiryStage,
    PanelItemStage,
    StageOneStage,
    TrackName,
)


class Milestone(StrEnum):
    """The places of the journey that are counted, in their order."""

    ASKED = "asked"
    SPOKEN = "spoken"
    VISITED = "visited"
    APPLIED = "applied"
    PASSED = "passed"
    PANEL = "panel"
    APPROVED = "approved"


MILESTONE_WORDS: Mapping[Milestone, str] = MappingProxyType(
    {
        Milestone.ASKED: "Enquired",
        Milestone.SPOKEN: "Spoken to",
        Milestone.VISITED: "Visited",
        Milestone.APPLIED: "Applied",
        Milestone.PASSED: "Passed Stage 1",
        Milestone.PANEL: "Been to panel",
        Milestone.APPROVED: "Approved",
    }
)
MILESTONES: tuple[Milestone, ...] = tuple(Milestone)


class Standing(StrEnum):
    """What may still come of a household."""

    ON_THE_WAY = "on_the_way"
    RESTING = "resting"  # not now, with a day on which they are rung again
    APPROVED = "approved"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Moved:
    """One move of one track of a case, in the order in which it was made."""

    track: str
    to: str
    on: date
    is_correction: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one household has come. ``reached`` holds a day for each place reached, in order, without gaps."""

    reached: Mapping[Milestone, date]
    standing: Standing
    ended_on: date | None
    """The day of the ending, or of the pause; None on the way and once approved."""
    ended_why: str | None
    decided_on: date | None
    """The day the decision maker first decided: yes, or that the service proposes not to."""

    @property
    def furthest(self) -> Milestone:
        """The last place reached."""
        return max(self.reached, key=MILESTONES.index)


_REACHES: Mapping[tuple[str, str], Milestone] = MappingProxyType(
    {
        (TrackName.ENQUIRY, EnquiryStage.CONTACTED): Milestone.SPOKEN,
        (TrackName.ENQUIRY, EnquiryStage.VISITED): Milestone.VISITED,
        (TrackName.APPLICATION, ApplicationStage.RECEIVED): Milestone.APPLIED,
        (TrackName.STAGE_ONE, StageOneStage.PASSED): Milestone.PASSED,
        (TrackName.PANEL_ITEM, PanelItemStage.RECOMMENDED): Milestone.PANEL,
        (TrackName.APPLICATION, ApplicationStage.APPROVED): Milestone.APPROVED,
    }
)
"""The stage that says a place was reached."""

_TAKEN_BACK: Mapping[tuple[str, str], tuple[Milestone, ...]] = MappingProxyType(
    {
        (TrackName.ENQUIRY, EnquiryStage.NEW): (Milestone.SPOKEN, Milestone.VISITED),
        (TrackName.ENQUIRY, EnquiryStage.CONTACTED): (Milestone.VISITED,),
        (TrackName.ENQUIRY, EnquiryStage.VISIT_BOOKED): (Milestone.VISITED,),
        (TrackName.STAGE_ONE, StageOneStage.GATHERING): (Milestone.PASSED,),
        (TrackName.STAGE_ONE, StageOneStage.COMPLETE): (Milestone.PASSED,),
        (TrackName.STAGE_ONE, StageOneStage.REFUSED): (Milestone.PASSED,),
        (TrackName.PANEL_ITEM, PanelItemStage.LISTED): (Milestone.PANEL,),
        (TrackName.PANEL_ITEM, PanelItemStage.DEFERRED): (Milestone.PANEL,),
        **{
            (TrackName.APPLICATION, stage): (Milestone.APPROVED,)
            for stage in ApplicationStage
            if stage is not ApplicationStage.APPROVED
        },
    }
)
"""What a correction to a stage says has not happened."""

_DECIDED = frozenset({ApplicationStage.APPROVED, ApplicationStage.QD_ISSUED, ApplicationStage.REFUSED})
_PAUSES = frozenset({EnquiryStage.NOT_NOW})
_ENDS = frozenset({EnquiryStage.CLOSED})


@dataclass(slots=True)
class _One:
    """One case as its moves are read."""

    reached: dict[Milestone, date]
    stages: dict[str, Moved]
    decided_on: date | None = None


def _read(asked_on: date, moves: Iterable[Moved]) -> _One:
    one = _One({Milestone.ASKED: asked_on}, {})
    for moved in moves:
        one.stages[moved.track] = moved
        if moved.is_correction:
            for taken in _TAKEN_BACK.get((moved.track, moved.to), ()):
                one.reached.pop(taken, None)
            if moved.track == TrackName.APPLICATION and moved.to not in _DECIDED:
                one.decided_on = None
        place = _REACHES.get((moved.track, moved.to))
        if place is not None and place not in one.reached:
            one.reached[place] = moved.on
        if moved.track == TrackName.APPLICATION and moved.to in _DECIDED and one.decided_on is None:
            one.decided_on = moved.on
    return one


def _ending(one: _One) -> tuple[Standing, date | None, str | None]:
    """Where one case stands, and the day and reason of its ending or pause."""
    application = one.stages.get(TrackName.APPLICATION)
    last = application or one.stages.get(TrackName.ENQUIRY)
    if last is None:
        return Standing.ON_THE_WAY, None, None
    if application is not None:
        if application.to == ApplicationStage.APPROVED:
            return Standing.APPROVED, None, None
        if application.to in ENDED_APPLICATION:
            return Standing.ENDED, application.on, application.reason
        return Standing.ON_THE_WAY, None, None
    if last.to in _ENDS:
        return Standing.ENDED, last.on, last.reason
    if last.to in _PAUSES:
        return Standing.RESTING, last.on, last.reason
    return Standing.ON_THE_WAY, None, None


_GOES_FIRST = (Standing.APPROVED, Standing.ON_THE_WAY, Standing.RESTING, Standing.ENDED)


def progress_of(cases: Iterable[tuple[date, Iterable[Moved]]]) -> Progress:
    """How far a household has come, over all its journeys: for each, the day it asked and its moves in order.

    It first asked on the first of those days, reached each place on the first day that any of them did, and is where
    the journey stands that may still come to something. Of several that ended, the last counts.
    """
    read = [_read(asked_on, moves) for asked_on, moves in cases]
    if not read:
        raise ValueError("a household without a journey has come nowhere")
    first: dict[Milestone, date] = {}
    later: date | None = None
    for place in reversed(MILESTONES):
        days = [one.reached[place] for one in read if place in one.reached]
        if later is not None:
            days.append(later)
        if days:
            first[place] = later = min(days)
    endings = [_ending(one) for one in read]
    standing, ended_on, why = min(
        endings, key=lambda ending: (_GOES_FIRST.index(ending[0]), -(ending[1] or date.min).toordinal())
    )
    # Somebody may be on the way again after an earlier journey ended: what counts is that they are.
    decided = [one.decided_on for one in read if one.decided_on is not None]
    return Progress(
        reached=MappingProxyType({place: first[place] for place in MILESTONES if place in first}),
        standing=standing,
        ended_on=ended_on,
        ended_why=why,
        decided_on=min(decided, default=None),
    )

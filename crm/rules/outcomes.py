"""What an application came to, and on which day: worked out from its moves, as they are known today.

Next to ``progress``, which says how far a household came. What a correction took back has not happened: an application
that was put back to an open stage has not ended. A correction from one ending to another says how it ended; the day
stays that of the ending which it puts right, because nobody said that the day was wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from crm.rules.progress import Moved
from crm.rules.reasons import WITHDRAWAL_REASONS, code_of
from crm.rules.stages import ENDED_APPLICATION, ApplicationStage, TrackName

BY_SERVICE = "SERVICE"
"""The code of a withdrawal that was the service's."""
AW_CODES: tuple[str, ...] = tuple(code for code in WITHDRAWAL_REASONS if code != BY_SERVICE)
"""Ofsted's codes for a withdrawal by the applicant (annual fostering data collection, from 2023 to 2024)."""


class Outcome(StrEnum):
    """What an application came to."""

    IN_PROGRESS = "in_progress"  # a proposal not to approve, representations and the IRM are no ending yet
    APPROVED = "approved"
    NOT_APPROVED = "not_approved"  # refused, or refused at Stage 1
    WITHDRAWN = "withdrawn"  # by the applicant
    WITHDRAWN_BY_SERVICE = "withdrawn_by_service"


OUTCOME_WORDS = {
    Outcome.IN_PROGRESS: "In progress",
    Outcome.APPROVED: "Approved",
    Outcome.NOT_APPROVED: "Not approved",
    Outcome.WITHDRAWN: "Withdrawn by the applicant",
    Outcome.WITHDRAWN_BY_SERVICE: "Withdrawn by the service",
}


@dataclass(frozen=True, slots=True)
class CameTo:
    """One application. ``ended_on`` is None while it is in progress, and never before ``received_on``."""

    received_on: date
    outcome: Outcome
    ended_on: date | None = None
    code: str | None = None
    """Ofsted's code of a withdrawal by the applicant; None where none was recorded."""
    said_ended_on: date | None = None
    """The day of the ending as it was recorded, where that lies before the day it was received."""

    @property
    def words(self) -> str:
        """What it came to, on a list: with the code."""
        words = OUTCOME_WORDS[self.outcome]
        if self.outcome is not Outcome.WITHDRAWN:
            return words
        return f"{words}, {self.code or 'no code'}"


@dataclass(slots=True)
class _One:
    received_on: date
    stage: str
    ended_on: date | None = None
    reason: str | None = None


def applications_of(moves: Iterable[Moved]) -> tuple[CameTo, ...]:
    """The applications of one case, in order, from its moves in the order in which they were made.

    Usually there is one, or none. An application that is received (not by a correction) after an ending is another.
    """
    found: list[_One] = []
    for moved in moves:
        if moved.track != TrackName.APPLICATION:
            continue
        is_another = moved.to == ApplicationStage.RECEIVED and not moved.is_correction
        if not found or (is_another and found[-1].ended_on is not None):
            found.append(_One(moved.on, moved.to))
        one = found[-1]
        one.stage = moved.to
        if moved.to not in ENDED_APPLICATION:
            one.ended_on, one.reason = None, None
            continue
        if one.ended_on is None or not moved.is_correction:
            one.ended_on = moved.on
        one.reason = moved.reason
    return tuple(_came_to(one) for one in found)


def _came_to(one: _One) -> CameTo:
    if one.ended_on is None:
        return CameTo(one.received_on, Outcome.IN_PROGRESS)
    code = code_of(one.reason) if one.reason else None
    if one.stage == ApplicationStage.APPROVED:
        outcome = Outcome.APPROVED
    elif one.stage == ApplicationStage.WITHDRAWN:
        outcome = Outcome.WITHDRAWN_BY_SERVICE if code == BY_SERVICE else Outcome.WITHDRAWN
    else:
        outcome = Outcome.NOT_APPROVED
    # Nothing ends before it began: else it would leave a year that it never came into, and no sum would be right.
    return CameTo(
        one.received_on,
        outcome,
        max(one.ended_on, one.received_on),
        code if outcome is Outcome.WITHDRAWN and code in AW_CODES else None,
        one.ended_on if one.ended_on < one.received_on else None,
    )

"""The panel: whether one is needed, and when it is quorate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class PanelEdition:
    """Whether a first approval needs a panel's recommendation, from a day on.

    The government consulted in February 2026 on approvals without a panel. Should that become law, the change is a row
    with a date, and it can be tried on last year's cases first.
    """

    in_force_from: date
    required: bool
    source: str


PANEL_EDITIONS: tuple[PanelEdition, ...] = (
    PanelEdition(date(2011, 4, 1), True, "Fostering Services (England) Regulations 2011, regs 25 and 27"),
)


def panel_required(editions: tuple[PanelEdition, ...], on: date) -> bool:
    """Whether an approval on this day needs a panel's recommendation. Needed, where no edition says otherwise."""
    in_force = [edition for edition in editions if edition.in_force_from <= on]
    return max(in_force, key=lambda edition: edition.in_force_from).required if in_force else True


class Seat(StrEnum):
    """What somebody is on the panel."""

    CHAIR = "chair"
    VICE_CHAIR = "vice_chair"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Attendance:
    """One person at the meeting for one household's item; who declared an interest and left isn't listed.

    `qualifying_social_worker`: with at least three years' relevant experience since qualifying (reg 23).
    `independent`: of the fostering service. `presides`: chairs this item.
    """

    seat: Seat
    independent: bool = False
    qualifying_social_worker: bool = False
    presides: bool = False


@dataclass(frozen=True, slots=True)
class QuorumFigures:
    """How many make a quorum. Source: Fostering Services (England) Regulations 2011, reg 24 [L*]."""

    members: int = 5
    members_of_joint_panel: int = 6
    source: str = "Fostering Services (England) Regulations 2011, reg 24"


def quorum_shortfalls(
    present: tuple[Attendance, ...], *, is_joint: bool = False, figures: QuorumFigures | None = None
) -> tuple[str, ...]:
    """What is missing for the panel to do business, in plain words. Empty when it is quorate."""
    figures = figures or QuorumFigures()
    missing: list[str] = []
    needed = figures.members_of_joint_panel if is_joint else figures.members
    if len(present) < needed:
        missing.append(f"{needed} members must be present; {len(present)} are.")
    leaders = [one for one in present if one.seat in {Seat.CHAIR, Seat.VICE_CHAIR}]
    if not leaders:
        missing.append("The chair or a vice-chair must be present.")
    if not any(one.qualifying_social_worker for one in present):
        missing.append("A social worker with three years' relevant experience must be present.")
    leader = presiding(present)
    if (
        leader is not None
        and leader.seat is Seat.VICE_CHAIR
        and not leader.independent
        and not any(one.independent for one in present if one is not leader)
    ):
        missing.append(
            "The vice-chair who presides isn't independent of the service, "
            "so another independent member must be present."
        )
    return tuple(missing)


def presiding(present: tuple[Attendance, ...]) -> Attendance | None:
    """Who chairs: whoever is noted as presiding, else the chair where here, else a vice-chair. None: nobody can."""
    for one in present:
        if one.presides:
            return one
    for seat in (Seat.CHAIR, Seat.VICE_CHAIR):
        for one in present:
            if one.seat is seat:
                return one
    return None

"""Changes of the law that may come, as data: each can be tried on last year's cases, and none is in force.

A reform that becomes law is a dated row of the rule it changes (``panel.PANEL_EDITIONS``, the deadline rules, the
service's own editions). Until then it stands here, and nothing reads it but the trial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName
from crm.rules.transitions import MOVES, Move


@dataclass(frozen=True, slots=True)
class Reform:
    """One change that may come: what it says, where that stands, and what it makes of a rulebook.

    ``unknown``: what nobody can say before the words of the law are there.
    """

    name: str
    title: str
    words: str
    standing: str
    source: str
    change: Callable[[Rulebook], Rulebook]
    unknown: str = ""


def _without_panel(rulebook: Rulebook) -> Rulebook:
    return replace(rulebook, panel_required=False, edition=f"{rulebook.edition}, no panel")


REFORMS: tuple[Reform, ...] = (
    Reform(
        "no-panel",
        "No panel for first approvals",
        "A household whose report is ready goes to the decision maker without a panel’s recommendation.",
        "Consulted on in February 2026. No answer of the government and no regulations were found.",
        "Department for Education, “Renewing fostering: homes for 10,000 more children”, 4 February 2026, consultation "
        "on removing the fostering panel from initial approvals",
        _without_panel,
        "From which day the decision maker’s time would count, and what would take the place of the 8 months to the "
        "panel’s recommendation.",
    ),
)

REFORMS_BY_NAME: Mapping[str, Reform] = MappingProxyType({reform.name: reform for reform in REFORMS})


def needless_moves(before: Rulebook, after: Rulebook) -> tuple[Move, ...]:
    """The moves that are made under one rulebook and have no reason under the other: the panel's own, and the way to
    it, where it is no longer needed."""
    if not before.panel_required or after.panel_required:
        return ()
    return tuple(move for move in MOVES if move.track is TrackName.PANEL_ITEM or move.to == "with_panel")


def changed_clocks(before: Rulebook, after: Rulebook) -> frozenset[str]:
    """The clocks that count otherwise under the other rulebook."""
    return frozenset(
        name
        for name, rule in after.deadlines.items()
        if (old := before.deadlines.get(name)) is not None
        and (old.unit, old.length, old.counting) != (rule.unit, rule.length, rule.counting)
    )

"""A change of the law tried on last year's cases: which steps and clocks would have fallen away or counted otherwise.

Each case is looked at as it went: the moves that were made of it and the clocks that ran. Nothing is written, and no
case is judged again: whether somebody would have been approved is not a question that rules answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median_low

from sqlalchemy import func, select

from crm.assessments.models import Application, PanelItem, Recommendation
from crm.cases.models import Case, Deadline, StageChange
from crm.db import db
from crm.rules.reforms import Reform, changed_clocks, needless_moves
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName

MOST = 2_000
"""So many cases are looked at, those that came last."""
BATCH = 500
SHOWN = 100
"""So many of those that would have gone otherwise are named."""
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class ClockChange:
    """What a reform makes of one clock, over all cases: of ``ran``, so many would not have run at all, or would have
    ended on another day. ``late``: how many of those were missed; ``would_be_late``: how many would have been."""

    what: str
    ran: int
    late: int
    falls_away: bool
    would_be_late: int = 0


@dataclass(frozen=True)
class OtherWay:
    """A case that would have gone otherwise: how long it waited between being ready and reaching whoever decides, in
    days; None while it has not."""

    reference: str
    steps: int
    ready_on: date | None
    reached_on: date | None

    @property
    def waited(self) -> int | None:
        if self.ready_on is None or self.reached_on is None:
            return None
        return (self.reached_on - self.ready_on).days


@dataclass(frozen=True)
class ReformTrial:
    """What a reform would have meant. ``looked_at`` of ``there_were`` applications that were open since a day."""

    since: date
    there_were: int
    looked_at: int
    steps: tuple[tuple[str, int], ...]
    clocks: tuple[ClockChange, ...]
    others: tuple[OtherWay, ...]
    changed: int
    put_off: int
    """How often the panel put a household off."""
    not_as_proposed: int
    """How often it recommended against approval, or asked for a full report."""
    waits: tuple[int, ...]

    @property
    def usual_wait(self) -> int | None:
        """Days between being ready and reaching whoever decides, of the case in the middle."""
        return median_low(self.waits) if self.waits else None


def try_reform(reform: Reform, rulebook: Rulebook) -> ReformTrial:
    """Look at the applications that were open in the year up to the rulebook's day."""
    since, after = rulebook.day - YEAR, reform.change(rulebook)
    needless = {move.name: move for move in needless_moves(rulebook, after)}
    falling = {clock for move in needless.values() for clock in move.starts}
    counted = changed_clocks(rulebook, after) - falling
    was_open = (Application.ended_on.is_(None)) | (Application.ended_on >= since)
    there_were = db.session.scalar(select(func.count()).select_from(Application).where(was_open)) or 0
    cases = db.session.execute(
        select(Case.id, Case.reference)
        .join(Application, Application.case_id == Case.id)
        .where(was_open)
        .order_by(Application.received_on.desc(), Application.id.desc())
        .limit(MOST)
    ).all()
    steps: Counter[str] = Counter()
    clocks: dict[str, list[Deadline]] = defaultdict(list)
    others: list[OtherWay] = []
    put_off = not_as_proposed = 0
    for at in range(0, len(cases), BATCH):
        ids = [case.id for case in cases[at : at + BATCH]]
        moves = _moves(ids, since)
        for case in cases[at : at + BATCH]:
            made = moves.get(case.id, [])
            fell = [move.move for move in made if move.move in needless]
            steps.update(needless[name].label for name in fell)
            if fell:
                others.append(_other_way(case.reference, len(fell), made))
        for clock in _clocks(ids, since, falling | counted):
            clocks[clock.rule].append(clock)
        if needless:
            put_off += sum(1 for made in moves.values() for move in made if move.move == "defer_item")
            not_as_proposed += _not_as_proposed(ids, since)
    return ReformTrial(
        since,
        there_were,
        len(cases),
        tuple(steps.most_common()),
        tuple(_change_of(name, ran, name in falling, rulebook, after) for name, ran in sorted(clocks.items())),
        tuple(others[:SHOWN]),
        len(others),
        put_off,
        not_as_proposed,
        tuple(sorted(one.waited for one in others if one.waited is not None)),
    )


def _moves(case_ids: Sequence[int], since: date) -> dict[int, list[StageChange]]:
    found: dict[int, list[StageChange]] = defaultdict(list)
    for move in db.session.scalars(
        select(StageChange)
        .where(
            StageChange.case_id.in_(case_ids),
            StageChange.track.in_([TrackName.APPLICATION, TrackName.STAGE_TWO, TrackName.PANEL_ITEM]),
            StageChange.effective_on >= since,
            ~StageChange.is_correction,
        )
        .order_by(StageChange.id)
    ):
        found[move.case_id].append(move)
    return found


def _other_way(reference: str, steps: int, made: Sequence[StageChange]) -> OtherWay:
    """Counted from the first time it was ready to the first time that it then reached whoever decides."""
    ready = next((move for move in made if move.to_stage == "ready_for_panel"), None)
    reached = next(
        (move for move in made if move.to_stage == "with_adm" and (ready is None or move.id > ready.id)), None
    )
    return OtherWay(reference, steps, ready.effective_on if ready else None, reached.effective_on if reached else None)


def _clocks(case_ids: Sequence[int], since: date, rules: set[str] | frozenset[str]) -> list[Deadline]:
    if not rules:
        return []
    return list(
        db.session.scalars(
            select(Deadline).where(
                Deadline.case_id.in_(case_ids), Deadline.rule.in_(rules), Deadline.counted_from_on >= since
            )
        )
    )


def _not_as_proposed(case_ids: Sequence[int], since: date) -> int:
    against = (Recommendation.NOT_SUITABLE, Recommendation.FULL_REPORT_NEEDED)
    return (
        db.session.scalar(
            select(func.count())
            .select_from(PanelItem)
            .where(PanelItem.case_id.in_(case_ids), PanelItem.recommendation.in_(against), PanelItem.listed_on >= since)
        )
        or 0
    )


def _change_of(name: str, ran: Sequence[Deadline], falls_away: bool, before: Rulebook, after: Rulebook) -> ClockChange:
    return ClockChange(
        before.deadline(name).what,
        len(ran),
        sum(_is_late(clock, clock.due_on, before.day) for clock in ran),
        falls_away,
        0
        if falls_away
        else sum(_is_late(clock, after.due_on(name, clock.counted_from_on), before.day) for clock in ran),
    )


def _is_late(clock: Deadline, due_on: date, today: date) -> bool:
    """Whether a clock that ended on this day was missed. One that ended for another reason was not."""
    if clock.stopped_on is None:
        return today > due_on
    return clock.stopped_how == "met" and clock.stopped_on > due_on

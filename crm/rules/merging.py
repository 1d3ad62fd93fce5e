"""Which of two cases goes on when they turn out to be one household's, what may be merged at all, and what is doubtful.

Common practice, not law: a household counts once (Ofsted counts households), the first touch starts the clock and no
later one restarts it (domain.md S7), and whoever said no to being contacted is never contacted because of a merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from crm.rules.stages import EnquiryStage, TrackName, Tracks

LETTERS_BEFORE_A_SECOND_LOOK = 3
"""More letters than this sent to the household that would be taken up: a second person looks at the merge first."""

_HOW_FAR: dict[str | None, int] = {
    None: 0,
    EnquiryStage.CLOSED: 1,
    EnquiryStage.NOT_NOW: 2,
    EnquiryStage.NEW: 3,
    EnquiryStage.CONTACTED: 4,
    EnquiryStage.VISIT_BOOKED: 5,
    EnquiryStage.VISITED: 6,
    EnquiryStage.INVITED: 7,
    EnquiryStage.APPLIED: 8,
}
_MADE_ONCE = ("first_contact", "initial_visit", "event_follow_up")
"""Clocks that a household has once: those that its first touch starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSide:
    """One of two cases, as far as merging depends on it."""

    case_id: int
    reference: str
    opened_at: datetime
    is_open: bool
    tracks: Tracks
    letters_sent: int = 0
    other_open_references: tuple[str, ...] = ()
    """Further open cases of the same household."""

    @property
    def has_applied(self) -> bool:
        return TrackName.APPLICATION in self.tracks

    @property
    def how_far(self) -> int:
        """How far the journey has come; a household waiting for a better time comes before one that just asked."""
        return 100 if self.has_applied else _HOW_FAR.get(self.tracks.get(TrackName.ENQUIRY), 0)


def goes_on(one: CaseSide, other: CaseSide) -> CaseSide:
    """The case that goes on: an open one before an ended one, then the one further on, then the earlier."""
    return min(one, other, key=lambda side: (not side.is_open, -side.how_far, side.opened_at, side.case_id))


def becomes_one_case(one: CaseSide, other: CaseSide) -> bool:
    """Whether one case takes up the other. An ended one stays what it is: an earlier journey of the same household."""
    return one.is_open and other.is_open


def why_not(one: CaseSide, other: CaseSide) -> str | None:
    """Why the two can't be merged, with what to do about it; None when they can."""
    if one.case_id == other.case_id:
        return "This is one and the same household."
    if becomes_one_case(one, other) and one.has_applied and other.has_applied:
        return (
            f"Both {one.reference} and {other.reference} have an application that goes on, and only one can. Ask the "
            "assessing social worker to record which one is withdrawn, then merge them."
        )
    if one.is_open and other.is_open:
        return None
    for side, against in ((one, other), (other, one)):
        if side.other_open_references and (against.is_open or against.other_open_references):
            return (
                f"{side.reference} is an earlier journey of a household that has {side.other_open_references[0]} open "
                f"now. Compare with {side.other_open_references[0]} instead."
            )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOfPeople:
    """Two people said to be the same, with what speaks for it and against it."""

    name: str
    signs: tuple[str, ...]
    born_on: tuple[date | None, date | None] = (None, None)

    @property
    def birth_dates_differ(self) -> bool:
        first, second = self.born_on
        return first is not None and second is not None and first != second


def doubts(
    *, gone: CaseSide, either_has_applied: bool, pairs: Sequence[PairOfPeople], shared_signs: Iterable[str]
) -> tuple[str, ...]:
    """Why a second person should look before this is done, a sentence each; empty when nobody need.

    ``shared_signs``: what the two households have in common, such as "same phone".
    """
    found = []
    signs = set(shared_signs)
    if not signs & {"same phone", "same email"} and len(signs) < 2:
        found.append("The two households have little in common: no shared phone or email, and not two other signs.")
    found += [f"The dates of birth of {pair.name} differ." for pair in pairs if pair.birth_dates_differ]
    found += [f"Nothing but the choice says that {pair.name} is the same person." for pair in pairs if not pair.signs]
    if either_has_applied:
        found.append("One of them has applied: what it says is part of an assessment.")
    if gone.letters_sent > LETTERS_BEFORE_A_SECOND_LOOK:
        found.append(f"{gone.letters_sent} letters have gone out for {gone.reference} already.")
    return tuple(found)


# --- Clocks -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One stored clock of a case."""

    id: int
    rule: str
    subject: str
    counted_from_on: date
    due_on: date
    stopped_on: date | None = None
    stopped_how: str | None = None

    @property
    def is_running(self) -> bool:
        return self.stopped_on is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPlan:
    """What becomes of the clocks of two cases that become one."""

    taken_out: tuple[int, ...]
    """Clocks that would count the same thing twice."""
    stopped: dict[int, tuple[date, str]]
    """Clocks that stop, with the day and how."""
    answer_by: date | None = None
    """A later touch that nobody has answered yet, of a household already spoken to: the day it was to be answered."""


def combine_clocks(kept: Sequence[Clock], gone: Sequence[Clock], *, kept_is_new: bool, today: date) -> ClockPlan:
    """The clock of the first touch runs on, or stops as it was met; no clock starts again, and none counts twice.

    ``kept`` are those of the case that goes on, which is as far on as the other or further; ``kept_is_new``: nobody has
    spoken to it yet. Clocks with a subject (a check) are about a thing of their own, and all stay.
    """
    taken_out: list[int] = []
    stopped: dict[int, tuple[date, str]] = {}
    answer_by: date | None = None
    rules = {clock.rule for clock in gone if not clock.subject}
    for rule in sorted(rules):
        ours = [c for c in kept if c.rule == rule and not c.subject]
        theirs = [c for c in gone if c.rule == rule and not c.subject]
        running = next((c for c in ours if c.is_running), None)
        their_running = next((c for c in theirs if c.is_running), None)
        if rule in _MADE_ONCE and ours:
            plan = _combine_made_once(ours, theirs, kept_is_new=kept_is_new)
            taken_out += plan.taken_out
            stopped |= plan.stopped
            answer_by = plan.answer_by if rule == "first_contact" else answer_by
            continue
        if running is not None and their_running is not None:
            later = max(running, their_running, key=lambda c: (c.due_on, c.counted_from_on, c.id))
            taken_out.append(later.id)
        elif their_running is not None:
            # The case that goes on is past the point where this mattered.
            stopped[their_running.id] = (max(today, their_running.counted_from_on), "ended")
    return ClockPlan(taken_out=tuple(taken_out), stopped=stopped, answer_by=answer_by)


def _combine_made_once(ours: Sequence[Clock], theirs: Sequence[Clock], *, kept_is_new: bool) -> ClockPlan:
    mine = min(ours, key=lambda c: (not c.is_running, c.counted_from_on, c.id))
    other = min(theirs, key=lambda c: (not c.is_running, c.counted_from_on, c.id))
    if mine.is_running and not other.is_running:
        if kept_is_new or other.stopped_how != "met":
            return ClockPlan(taken_out=(), stopped={})  # an earlier journey's answer is no answer to this one
        return ClockPlan(taken_out=(mine.id,), stopped={})
    first, second = sorted((mine, other), key=lambda c: (c.counted_from_on, c.id))
    if first.is_running and second.stopped_on is not None:
        return ClockPlan(taken_out=(second.id,), stopped={first.id: (second.stopped_on, second.stopped_how or "met")})
    answer_by = second.due_on if second.is_running and not first.is_running else None
    return ClockPlan(taken_out=(second.id,), stopped={}, answer_by=answer_by)


# --- How somebody may be reached --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRules:
    """How somebody may be reached, as they asked: the ways ruled out, the times, and what else to mind."""

    ruled_out: frozenset[str] = frozenset()
    quiet: tuple[str, ...] = ()
    safe_contact: str | None = None


def stricter(one: ContactRules, other: ContactRules) -> ContactRules:
    """Everything that either asked for: a warning is never lost in a merge."""
    words = [text for text in (one.safe_contact, other.safe_contact) if text]
    if len(words) == 2 and (words[0] in words[1] or words[1] in words[0]):
        words = [max(words, key=len)]
    return ContactRules(
        ruled_out=one.ruled_out | other.ruled_out,
        quiet=tuple(sorted({*one.quiet, *other.quiet})),
        safe_contact="\n".join(words) or None,
    )

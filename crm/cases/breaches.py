"""Clocks that were missed, and the reason that a manager gave for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Date, and_, bindparam, or_, select, union_all

from crm.access.models import User
from crm.audit import record
from crm.cases import summary, timeline
from crm.cases.change_stage import claim_version
from crm.cases.models import BreachReason, Case, Deadline, Household
from crm.db import db, no_more_than, our_word, read, unseal
from crm.rules import breaches
from crm.rules.breaches import ANSWERED_FOR, BREACH_WORDS, BreachCode
from crm.rules.permissions import Actor, Permission, Sensitivity, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

LONGEST_WORDS = 2000


class NoSuchClock(Refusal):
    """No such clock, or not one of this household."""

    default_status = 404


class ClockNotMissed(Refusal):
    """A clock that was kept, runs still, or is not the service's to keep: there is no reason to give."""


class ReasonNotPossible(Refusal):
    """A reason that says nothing."""

    default_status = 422


@dataclass(frozen=True, slots=True)
class GivenReason:
    """Why a clock was missed: what can be counted, in words, who said so and when."""

    deadline_id: int
    code: BreachCode
    given_at: datetime
    given_by: str
    is_in_force: bool
    words: str | None = None
    """None too where whoever asks has no business with them."""

    @property
    def label(self) -> str:
        return BREACH_WORDS[self.code]


@dataclass(frozen=True, slots=True)
class Missed:
    """A clock that was missed, of any household."""

    id: int
    reference: str
    names: str
    rule: str
    about: str | None
    counted_from_on: date
    due_on: date
    stopped_on: date | None
    days_over: int
    code: BreachCode | None = None
    given_on: datetime | None = None


# --- One clock --------------------------------------------------------------------------------------------------------


def missed_clock(case: Case, clock_id: int, *, today: date) -> Deadline:
    """A clock of this household that was missed. Raises NoSuchClock and ClockNotMissed."""
    clock = db.session.get(Deadline, clock_id)
    if clock is None or clock.case_id != case.id:
        raise NoSuchClock("We can’t find that clock for this household.")
    if clock.rule not in ANSWERED_FOR:
        raise ClockNotMissed("That clock is not ours to keep, so there is no reason to give.")
    if not breaches.is_missed(clock.due_on, clock.stopped_on, today=today):
        raise ClockNotMissed("That clock was not missed, so there is no reason to give.")
    return clock


def give_reason(
    case: Case,
    clock: Deadline,
    *,
    code: str,
    words: str | None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> BreachReason:
    """Keep why a clock was missed. A reason given before is kept and no longer in force.

    Raises ClockNotMissed, ReasonNotPossible, and CaseHasMovedOn where anything changed since ``seen``: another reason
    that was given meanwhile is read first.
    """
    require(actor, Permission.ANSWER_FOR_CLOCKS)
    missed_clock(case, clock.id, today=today)
    if code not in set(BreachCode):
        raise ReasonNotPossible("Choose the reason.", field="code")
    text = (words or "").strip() or None
    if code == BreachCode.OTHER and text is None:
        raise ReasonNotPossible("Say in a sentence what the reason was.", field="words")
    claim_version(case, seen)
    before = reason_in_force(clock)
    if before is not None:
        before.replaced_at = max(now, before.given_at)
        db.session.flush()
    given = BreachReason(deadline_id=clock.id, code=code, given_at=now, given_by_id=actor.user_id)
    given.words = text
    db.session.add(given)
    db.session.flush()
    what = rulebook.deadline(clock.rule).what
    timeline.add(
        case,
        kind="system",
        title=f"{'Corrected why' if before else 'Why'} a clock was missed: {what}",
        detail=f"{BREACH_WORDS[BreachCode(code)]}.{f' {text}' if text else ''}",
        sensitivity=Sensitivity.PERSONAL,
        actor=actor,
        occurred_at=now,
    )
    record(
        "breach.reason_corrected" if before else "breach.reason_given",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"clock:{clock.id}",
        detail={"clock": clock.rule, "due_on": clock.due_on, "code": code},
    )
    summary.refresh(case, today=today, rulebook=rulebook)
    return given


def reason_in_force(clock: Deadline) -> BreachReason | None:
    """The newest reason of a clock."""
    return db.session.scalars(
        select(BreachReason).where(BreachReason.deadline_id == clock.id, BreachReason.replaced_at.is_(None))
    ).first()


def reasons_of(clock_ids: Iterable[int], *, with_words: bool) -> list[GivenReason]:
    """Every reason ever given for these clocks, the newest first. One query; ``with_words``: whether they may be read.

    What may not be read is never opened.
    """
    ids = list(clock_ids)
    if not ids:
        return []
    reason, user = BreachReason.__table__.c, User.__table__.c
    rows = db.session.execute(
        select(*reason, user.name)
        .join(User.__table__, user.id == reason.given_by_id)
        .where(reason.deadline_id.in_(ids))
        .order_by(reason.id.desc())
    )
    return [
        GivenReason(
            deadline_id=row.deadline_id,
            code=BreachCode(row.code),
            given_at=row.given_at,
            given_by=row.name,
            is_in_force=row.replaced_at is None,
            words=unseal("breach_reason", "words_sealed", row.row_key, row.words_sealed)
            if with_words and row.words_sealed
            else None,
        )
        for row in rows
    ]


def missed_of(case: Case, *, today: date) -> list[Deadline]:
    """The clocks of a household that a regulation or a standard sets and that were missed, the newest first."""
    return list(db.session.scalars(_MISSED, {"case_id": case.id, "today": today}))


# --- Many households --------------------------------------------------------------------------------------------------


def missed_clocks(
    rules: Sequence[str],
    *,
    today: date,
    limit: int,
    due_from: date | None = None,
    due_until: date | None = None,
    without_reason: bool = False,
) -> list[Missed]:
    """Clocks of these rules that were missed, whosever the household is, the oldest first; by the day they were due."""
    clock, case, home = Deadline.__table__.c, Case.__table__.c, Household.__table__.c
    reason = BreachReason.__table__.c
    in_force = and_(reason.deadline_id == clock.id, reason.replaced_at.is_(None))
    wanted: list[ColumnElement[bool]] = [clock.rule.in_([our_word(rule) for rule in rules])]
    if due_from is not None:
        wanted.append(clock.due_on >= due_from)
    if due_until is not None:
        wanted.append(clock.due_on <= due_until)
    if without_reason:
        wanted.append(~select(reason.id).where(in_force).exists())
    # Those that run and those that were stopped are each read from an index of their own.
    parts = [
        select(clock.id, clock.due_on)
        .where(*wanted, late)
        .order_by(clock.due_on, clock.id)
        .limit(no_more_than(limit))
        .subquery()
        for late in (and_(clock.stopped_on.is_(None), clock.due_on < today), clock.stopped_on > clock.due_on)
    ]
    picked = union_all(*(select(part.c.id) for part in parts)).subquery("picked")
    rows = read(
        select(
            clock.id,
            case.reference,
            home.name.label("names"),
            clock.rule,
            clock.about,
            clock.counted_from_on,
            clock.due_on,
            clock.stopped_on,
            reason.code,
            reason.given_at,
        )
        .select_from(picked)
        .join(Deadline.__table__, clock.id == picked.c.id)
        .join(Case.__table__, case.id == clock.case_id)
        .join(Household.__table__, home.id == case.household_id)
        .outerjoin(BreachReason.__table__, in_force)
        .order_by(clock.due_on, clock.id)
        .limit(no_more_than(limit))
    )
    return [
        Missed(
            id=row.id,
            reference=row.reference,
            names=row.names,
            rule=row.rule,
            about=row.about,
            counted_from_on=row.counted_from_on,
            due_on=row.due_on,
            stopped_on=row.stopped_on,
            days_over=breaches.days_over(row.due_on, row.stopped_on, today=today),
            code=BreachCode(row.code) if row.code else None,
            given_on=row.given_at,
        )
        for row in rows
    ]


_MISSED = (
    select(Deadline)
    .where(
        Deadline.case_id == bindparam("case_id"),
        Deadline.rule.in_([our_word(rule) for rule in breaches.STATUTORY_CLOCKS]),
        or_(
            and_(Deadline.stopped_on.is_(None), Deadline.due_on < bindparam("today", type_=Date)),
            Deadline.stopped_on > Deadline.due_on,
        ),
    )
    .order_by(Deadline.due_on.desc(), Deadline.id.desc())
)

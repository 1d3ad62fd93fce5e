"""Midway reviews and second-opinion visits: a look from outside while the assessment goes on.

The regulations ask for neither (common practice). Whether the service wants them before a report is countersigned is a
setting of its own: not at all, with a warning where one is missing, or always.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from crm.access.queries import user_with
from crm.assessments.queries import assessor_ids_of, the_application
from crm.assessments.stage_two import NotAnAssessor, ReportNotOpen
from crm.assessments.stage_two_models import REVIEW_WORDS, AssessmentReview, MidwayOutcome, ReviewKind
from crm.assessments.steps import begin_step, end_step, not_after_today, note
from crm.cases import timeline
from crm.cases.models import Case
from crm.db import db
from crm.delivery.wording import day
from crm.rules.permissions import Actor, Permission, Role
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName


class ReviewNotPossible(Refusal):
    """A review that can't be recorded like this."""

    default_status = 422


@dataclass(frozen=True)
class NewReview:
    """What came of it. ``outcome``: how a midway review says to go on. ``by_id``: who gave the second opinion."""

    held_on: date
    words: str
    outcome: str | None = None
    by_id: int | None = None


def record_midway(
    case: Case,
    new: NewReview,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> AssessmentReview:
    """A manager who does not assess this household looks at how far its assessment is, and says how to go on."""
    begin_step(case, Permission.COUNTERSIGN_REPORT, actor=actor, seen=seen)
    _check(case, new, today=today)
    assert actor.user_id is not None
    if actor.user_id in assessor_ids_of(case):
        raise NotAnAssessor("You assess this household, so another manager reviews it.", status=409)
    outcome = MidwayOutcome(new.outcome) if new.outcome in set(MidwayOutcome) else None
    if outcome is None:
        raise ReviewNotPossible("Say how to go on.", field="outcome")
    return _keep(
        case, ReviewKind.MIDWAY, new, by_id=actor.user_id, outcome=outcome, actor=actor, now=now, today=today,
        rulebook=rulebook,
    )  # fmt: skip


def record_second_opinion(
    case: Case,
    new: NewReview,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> AssessmentReview:
    """The view of somebody who visited the household and does not assess it. Whoever assesses neither gives it nor
    writes it down: that is for the visitor, or for a manager."""
    begin_step(case, Permission.WRITE_ASSESSMENT, actor=actor, seen=seen)
    _check(case, new, today=today)
    assessors = assessor_ids_of(case)
    if actor.user_id in assessors:
        raise NotAnAssessor("You assess this household: whoever visited, or a manager, writes this down.", status=409)
    by_id = new.by_id if new.by_id is not None else actor.user_id
    assert by_id is not None
    if by_id != actor.user_id and Role.MANAGER not in actor.roles:
        raise ReviewNotPossible("Only a manager writes down what somebody else saw.", field="by_id")
    visitor = user_with(by_id)
    if by_id in assessors:
        raise ReviewNotPossible(
            f"{visitor.name} assesses this household: a second opinion is another’s.", field="by_id"
        )
    if not visitor.as_actor().has(Permission.RECORD_VISIT):
        raise ReviewNotPossible(f"{visitor.name} makes no visits here. Choose who visited.", field="by_id")
    return _keep(
        case, ReviewKind.SECOND_OPINION, new, by_id=by_id, outcome=None, actor=actor, now=now, today=today,
        rulebook=rulebook,
    )  # fmt: skip


def _check(case: Case, new: NewReview, *, today: date) -> None:
    if case.stages.get(TrackName.STAGE_TWO) != "assessing":
        raise ReportNotOpen("It belongs to Stage 2, before the report is shared with the household.")
    not_after_today(new.held_on, today=today, field="held_on", what="The day")
    received_on = the_application(case).received_on
    if new.held_on < received_on:
        raise ReviewNotPossible(f"They applied on {day(received_on)}: it was not before that.", field="held_on")
    if not new.words.strip():
        raise ReviewNotPossible("Write down what was said and seen.", field="words")


def _keep(
    case: Case,
    kind: ReviewKind,
    new: NewReview,
    *,
    by_id: int,
    outcome: MidwayOutcome | None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> AssessmentReview:
    assert actor.user_id is not None
    review = AssessmentReview(
        case_id=case.id,
        application_id=the_application(case).id,
        kind=kind,
        held_on=new.held_on,
        by_id=by_id,
        outcome=outcome,
        recorded_at=now,
        recorded_by_id=actor.user_id,
    )
    review.words = new.words.strip()
    db.session.add(review)
    db.session.flush()
    timeline.add(
        case, kind="move", title=f"{REVIEW_WORDS[kind]} on {day(new.held_on)}", actor=actor, occurred_at=now
    )  # fmt: skip
    note("review.recorded", case, actor=actor, now=now, subject=f"review:{review.id}", kind=kind, outcome=outcome)
    end_step(case, today=today, rulebook=rulebook)
    return review

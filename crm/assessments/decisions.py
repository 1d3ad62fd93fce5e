"""The decision: by somebody who sat on nothing and assessed nothing, reasoned as Hofstetter v Barnet asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from crm.assessments.endings import close_application
from crm.assessments.models import Decision, DecisionKind
from crm.assessments.queries import decision_evidence, dossier_of, recommended_item
from crm.assessments.steps import DayNotPossible, note
from crm.assessments.terms import Terms, put_terms
from crm.cases.change_stage import change_stage
from crm.cases.models import Case
from crm.cases.tasks import add_task
from crm.db import db
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName

MOVE_OF: dict[str, str] = {
    DecisionKind.APPROVE: "approve",
    DecisionKind.PROPOSE_NO: "issue_qd",
    DecisionKind.FULL_REPORT: "continue_assessment",
    DecisionKind.CONFIRM_NO: "confirm_refusal",
}


class DecisionNotWhole(Refusal):
    """A considered decision says what was considered, and why."""

    default_status = 422


@dataclass(frozen=True, kw_only=True)
class Considered:
    """A decision as it is made: what was before the decision maker, what weighed, and the outcome."""

    kind: str
    material: str
    arguments: str
    adopts_panel_reasons: bool
    why: str
    consulted: str | None = None
    reasons: str | None = None
    terms: Terms = Terms()
    effective_on: date | None = None


def differs_from_panel(kind: str, recommendation: str | None) -> bool:
    """Whether a decision goes another way than the panel's recommendation."""
    if kind == DecisionKind.APPROVE:
        return recommendation == "not_suitable"
    if kind in (DecisionKind.PROPOSE_NO, DecisionKind.CONFIRM_NO):
        return recommendation == "suitable"
    return False


def decide(
    case: Case,
    considered: Considered,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Decision:
    """Make a decision. Everything that must be true first is read from stored rows, whoever asks and from wherever.

    An approval may start today or later, and never before an approval by another service has ended. A proposal not to
    approve carries its reasons and the panel's recommendation. Raises MoveNotOpen, NotPermitted, DecisionNotWhole.
    """
    require(actor, Permission.MAKE_DECISION)
    kind = DecisionKind(considered.kind)
    known = dossier_of(case)
    item = recommended_item(known.items)
    effective_on = considered.effective_on or today
    if kind is DecisionKind.APPROVE and effective_on < today:
        raise DayNotPossible("An approval can’t begin before it is decided.", field="effective_on")
    _check_whole(considered, kind, item.recommendation if item else None)
    evidence = replace(
        decision_evidence(case, today),
        decision_on=today,
        effective_on=effective_on if kind is DecisionKind.APPROVE else None,
        reasons_given=bool((considered.reasons or "").strip()),
        panel_recommendation_attached=item is not None,
    )
    lapsed = kind is DecisionKind.CONFIRM_NO and case.stages.get(TrackName.APPLICATION) == "qd_issued"
    due_on = {}
    if kind is DecisionKind.APPROVE:
        due_on["first_review"] = rulebook.due_on("first_review", effective_on)
    change_stage(
        case,
        MOVE_OF[kind],
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=evidence,
        seen=seen,
        reason=considered.reasons,
        due_on=due_on,
        letter_context={
            "decided_on": today,
            "is_approved": False,
            "reasons": considered.reasons,
            "nothing_received": lapsed,
        },
    )
    decision = _write(case, considered, kind, known=known, effective_on=effective_on, actor=actor, today=today)
    note("decision.made", case, actor=actor, now=now, subject=f"decision:{decision.id}", kind=str(kind), on=today)
    if kind is DecisionKind.CONFIRM_NO:
        assert known.application is not None
        if known.answer is not None and known.answer.kind == "irm" and case.owner_id is not None:
            add_task(
                title="Send the Independent Review Mechanism a copy of our final decision",
                assigned_to_id=case.owner_id,
                due_on=rulebook.calendar.add(today, 5),
                actor=actor,
                now=now,
                case=case,
            )
        close_application(case, known.application, on=today, actor=actor, now=now, today=today)
    if kind is DecisionKind.APPROVE:
        assert known.application is not None
        known.application.ended_on = today
    db.session.flush()
    return decision


def _write(case, considered, kind, *, known, effective_on, actor, today) -> Decision:  # type: ignore[no-untyped-def]
    item = recommended_item(known.items)
    decision = Decision(
        case_id=case.id,
        application_id=known.application.id,
        panel_item_id=item.id if item else None,
        kind=kind,
        decided_by_id=actor.user_id,
        decided_on=today,
        effective_on=effective_on if kind is DecisionKind.APPROVE else None,
        adopts_panel_reasons=considered.adopts_panel_reasons,
    )
    decision.material = considered.material
    decision.arguments = considered.arguments
    decision.why = considered.why
    decision.consulted = (considered.consulted or "").strip() or None
    decision.reasons = (considered.reasons or "").strip() or None
    if kind is DecisionKind.APPROVE:
        put_terms(decision, considered.terms)
    db.session.add(decision)
    db.session.flush()
    return decision


def _check_whole(considered: Considered, kind: DecisionKind, recommendation: str | None) -> None:
    for field, text, words in (
        ("material", considered.material, "List what you considered."),
        ("arguments", considered.arguments, "Set out the key arguments."),
        ("why", considered.why, "Say why you adopt the panel’s reasons, or why not."),
    ):
        if not text.strip():
            raise DecisionNotWhole(words, field=field)
    if differs_from_panel(kind, recommendation) and not (considered.consulted or "").strip():
        raise DecisionNotWhole(
            "This differs from the panel. Say which senior colleague you consulted, and what they said.",
            field="consulted",
        )
    if kind is not DecisionKind.APPROVE and not (considered.reasons or "").strip():
        raise DecisionNotWhole("Write the reasons, as the household will read them.", field="reasons")

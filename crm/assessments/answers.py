"""The household's answer to a proposal not to approve: representations to us, or the Independent Review Mechanism."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from crm.assessments.models import Answer, AnswerKind
from crm.assessments.queries import answer_of, dossier_of, stored_evidence
from crm.assessments.steps import begin_step, end_step, not_after_today, not_before, note
from crm.cases import clocks, timeline
from crm.cases.change_stage import change_stage
from crm.cases.models import Case, StageChange
from crm.db import db
from crm.rules.permissions import Actor, Permission, Sensitivity
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

MOVE_OF = {AnswerKind.REPRESENTATIONS: "receive_representations", AnswerKind.IRM: "apply_irm"}


class NoAnswerPossible(Refusal):
    """There is no proposal to answer, or it was answered."""


def receive_answer(
    case: Case,
    *,
    kind: str,
    received_on: date,
    said: str | None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Answer:
    """Record the household's answer. 28 days from the date of the notice, and one way only (reg 27).

    A disqualified person has representations and no independent review.
    """
    known = dossier_of(case)
    determination = known.determination
    notice = known.notice(determination, "written") if determination else None
    if determination is None or notice is None:
        raise NoAnswerPossible("The household has not been sent a notice that it could answer.")
    if known.answer is not None and known.answer.decision_id == determination.id:
        raise NoAnswerPossible("The household has answered already, and may use one way only.")
    not_after_today(received_on, today=today, field="received_on", what="The day it came")
    not_before(
        received_on,
        notice.noticed_on,
        field="received_on",
        message="An answer can’t come before the date of the notice.",
    )
    chosen = AnswerKind(kind)
    evidence = replace(
        stored_evidence(case, today, dossier=known), response_kind=chosen, response_received_on=received_on
    )
    change_stage(
        case,
        MOVE_OF[chosen],
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=evidence,
        seen=seen,
        effective_on=received_on,
    )
    answer = Answer(case_id=case.id, decision_id=determination.id, kind=chosen, received_on=received_on)
    answer.said = said or None
    db.session.add(answer)
    db.session.flush()
    note("answer.received", case, actor=actor, now=now, subject=f"answer:{answer.id}", kind=str(chosen), on=received_on)
    return answer


def irm_papers_sent(
    case: Case,
    *,
    sent_on: date,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Answer:
    """Note that the reports, later information and a copy of the notice have gone: not the panel's minutes."""
    begin_step(case, Permission.RECORD_POST, actor=actor, seen=seen)
    answer = _irm(case)
    if answer.irm_papers_sent_on is not None:
        raise NoAnswerPossible("The papers have gone already.")
    not_after_today(sent_on, today=today, field="sent_on", what="The day they went")
    not_before(sent_on, answer.received_on, field="sent_on", message="They can’t go before we were told of the review.")
    answer.irm_papers_sent_on = sent_on
    clocks.stop(case, ("irm_papers",), on=sent_on)
    timeline.add(
        case, kind="letter", title="Papers sent to the Independent Review Mechanism", actor=actor, occurred_at=now
    )
    note("answer.irm_papers", case, actor=actor, now=now, subject=f"answer:{answer.id}", on=sent_on)
    end_step(case, today=today, rulebook=rulebook)
    return answer


def irm_recommends(
    case: Case,
    *,
    recommendation: str,
    reasons: str,
    received_on: date,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> StageChange:
    """Record what the independent panel recommends: our decision maker has 7 working days from that."""
    answer = _irm(case)
    not_after_today(received_on, today=today, field="received_on", what="The day it came")
    not_before(
        received_on, answer.received_on, field="received_on", message="It can’t come before the review was asked for."
    )
    if recommendation not in ("suitable", "not_suitable"):
        raise NoAnswerPossible("Say what the independent panel recommends.", status=422, field="recommendation")
    evidence = replace(stored_evidence(case, today), irm_recommendation_received_on=received_on)
    change = change_stage(
        case,
        "record_irm_recommendation",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=evidence,
        seen=seen,
        effective_on=received_on,
    )
    answer.irm_recommendation = recommendation
    answer.irm_received_on = received_on
    answer.irm_reasons = reasons or None
    timeline.add(
        case,
        kind="letter",
        title="Independent panel’s recommendation received",
        detail=reasons,
        sensitivity=Sensitivity.PERSONAL,
        actor=actor,
        occurred_at=now,
    )
    db.session.flush()
    note("answer.irm_recommendation", case, actor=actor, now=now, subject=f"answer:{answer.id}", on=received_on)
    return change


def _irm(case: Case) -> Answer:
    answer = answer_of(case)
    if answer is None or answer.kind != AnswerKind.IRM:
        raise NoAnswerPossible("The household has not asked for an independent review.")
    return answer

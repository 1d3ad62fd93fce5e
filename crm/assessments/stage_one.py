"""The decision at the end of Stage 1: go on, or refuse with reasons within 10 working days of the last item."""

from __future__ import annotations

import re
from datetime import date, datetime

from crm.assessments.endings import close_application
from crm.assessments.models import StageOneDecision
from crm.assessments.queries import live_people, stored_evidence, the_application
from crm.cases.change_stage import change_stage
from crm.cases.models import Case, PersonRole
from crm.db import db
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

REPRESENTATIONS_WORDS = (
    "Because of the law on disqualification (regulation 26) we may not find your household suitable. You can write to "
    "us within 28 days of this letter and tell us why you disagree. Send it to the address at the top of this letter "
    "and we will consider what you say."
)


class ReasonsNotUsable(Refusal):
    """The reasons can't go out as they are."""

    default_status = 422


def pass_stage_one(
    case: Case, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook, seen: int | None = None
) -> StageOneDecision:
    """Decide that the household goes on. Raises MoveNotOpen while an item is missing or an adult is disqualified."""
    application = the_application(case)
    change_stage(
        case,
        "pass_stage_one",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=stored_evidence(case, today),
        seen=seen,
        letter_context={"decided_on": today},
    )
    return _keep(case, application.id, outcome="passed", actor=actor, today=today)


def refuse_stage_one(
    case: Case,
    *,
    reasons: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> StageOneDecision:
    """Refuse at Stage 1, on whatever is known by now. Shut once 10 working days have passed since the last item.

    The notice gives reasons and the way to complain. It is no qualifying determination, so it offers no review. Where
    an adult of the household is disqualified it says that the service will hear representations, and never whose
    record it is.
    """
    application = the_application(case)
    evidence = stored_evidence(case, today)
    words = reasons.strip()
    if evidence.disqualified:
        _refuse_names(case, words)
        words = f"{words}\n\n{REPRESENTATIONS_WORDS}" if words else words
    change_stage(
        case,
        "refuse_stage_one",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=evidence,
        seen=seen,
        reason=words,
        letter_context={"decided_on": today, "reasons": words},
    )
    decision = _keep(
        case,
        application.id,
        outcome="refused",
        actor=actor,
        today=today,
        reasons=words,
        is_disqualification=evidence.disqualified,
    )
    close_application(case, application, on=today, actor=actor, now=now, today=today)
    return decision


def _keep(
    case: Case,
    application_id: int,
    *,
    outcome: str,
    actor: Actor,
    today: date,
    reasons: str | None = None,
    is_disqualification: bool = False,
) -> StageOneDecision:
    assert actor.user_id is not None, "a person decides"
    decision = StageOneDecision(
        case_id=case.id,
        application_id=application_id,
        outcome=outcome,
        decided_on=today,
        decided_by_id=actor.user_id,
        is_disqualification=is_disqualification,
    )
    decision.reasons = reasons
    db.session.add(decision)
    db.session.flush()
    return decision


def _refuse_names(case: Case, words: str) -> None:
    """One person's record is not for the other to read, and both get this letter."""
    adults = [
        person for person in live_people(case) if person.is_applicant or person.role == PersonRole.HOUSEHOLD_ADULT
    ]
    if len(adults) < 2:
        return
    for person in adults:
        if re.search(rf"\b{re.escape(person.given_name)}\b", words, re.IGNORECASE):
            raise ReasonsNotUsable(
                f"Both applicants read these reasons, and one person’s record is not for the other. Leave out "
                f"{person.given_name}’s name and say “information from checks”.",
                field="reasons",
            )

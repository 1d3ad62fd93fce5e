"""An application withdrawn: by the household with one of Ofsted's codes, or by the service."""

from __future__ import annotations

from datetime import date, datetime

from crm.assessments.endings import close_application
from crm.assessments.queries import stored_evidence, the_application
from crm.assessments.steps import not_after_today, not_before
from crm.cases.change_stage import change_stage
from crm.cases.models import Case, StageChange
from crm.cases.tasks import add_task
from crm.rules.permissions import Actor
from crm.rules.reasons import WITHDRAWAL_REASONS
from crm.rules.rulebook import Rulebook


def withdraw(
    case: Case,
    *,
    code: str,
    withdrawn_on: date,
    words: str | None = None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> StageChange:
    """End an open application. Every clock stops, and its record is kept 3 years from that day (reg 32(3)).

    Raises ReasonMissing for a code that is not Ofsted's, DayNotPossible, MoveNotOpen.
    """
    application = the_application(case)
    not_after_today(withdrawn_on, today=today, field="withdrawn_on", what="The day they withdrew")
    not_before(
        withdrawn_on,
        application.received_on,
        field="withdrawn_on",
        message="They can’t withdraw before the application was received.",
    )
    by_household = code != "SERVICE"
    change = change_stage(
        case,
        "withdraw",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=stored_evidence(case, today),
        seen=seen,
        reason=f"{WITHDRAWAL_REASONS.get(code, code)}. {words}" if words else WITHDRAWAL_REASONS.get(code),
        reason_code=code,
        effective_on=withdrawn_on,
        letter_context={"withdrawn_on": withdrawn_on},
        send_letters=by_household,
    )
    if not by_household and case.owner_id is not None:
        add_task(
            title="Write to the household: why the service has withdrawn the application, and how to complain",
            assigned_to_id=case.owner_id,
            due_on=rulebook.calendar.add(today, 5),
            actor=actor,
            now=now,
            case=case,
        )
    close_application(case, application, on=withdrawn_on, actor=actor, now=now, today=today)
    return change

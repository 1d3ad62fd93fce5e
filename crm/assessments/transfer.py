"""A household approved by another service: one approval at a time (domain: transfers).

The carer tells the old service in writing; we may ask it for its records (15 working days, reg 32(6)); the reference is
a Stage 1 check of its own; a resignation takes effect 28 days after the old service received it (reg 28).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from crm.assessments.models import Application
from crm.assessments.queries import the_application
from crm.assessments.steps import DayNotPossible, begin_step, end_step, not_after_today, not_before, note
from crm.cases import clocks, timeline
from crm.cases.models import Case
from crm.rules.permissions import Actor, Permission
from crm.rules.rulebook import Rulebook


@dataclass(frozen=True, kw_only=True)
class TransferFacts:
    """What is known about the approval elsewhere."""

    approved_elsewhere: bool
    other_service: str | None = None
    told_other_service_on: date | None = None
    records_asked_on: date | None = None
    records_received_on: date | None = None
    resignation_received_on: date | None = None
    approved_elsewhere_until: date | None = None
    """Where the other service names another day than 28 days after the resignation."""


def record_transfer(
    case: Case,
    facts: TransferFacts,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Application:
    """Keep what is known about the approval elsewhere, and run the clocks that follow from it."""
    begin_step(case, Permission.RECORD_CHECK, actor=actor, seen=seen)
    application = the_application(case)
    _check(facts, today=today)
    records_asked_before = application.records_asked_on
    resigned_before = application.resignation_received_on
    application.approved_elsewhere = facts.approved_elsewhere
    application.other_service = (facts.other_service or "").strip() or None
    application.told_other_service_on = facts.told_other_service_on
    application.records_asked_on = facts.records_asked_on
    application.records_received_on = facts.records_received_on
    application.resignation_received_on = facts.resignation_received_on
    application.approved_elsewhere_until = facts.approved_elsewhere_until
    if facts.resignation_received_on is not None:
        ends_on = rulebook.due_on("resignation_effect", facts.resignation_received_on)
        application.approved_elsewhere_until = facts.approved_elsewhere_until or ends_on
        if facts.resignation_received_on != resigned_before:
            clocks.start(case, "resignation_effect", counted_from=facts.resignation_received_on, rulebook=rulebook)
    if facts.records_asked_on is not None and facts.records_asked_on != records_asked_before:
        clocks.start(case, "previous_service_records", counted_from=facts.records_asked_on, rulebook=rulebook)
    if facts.records_received_on is not None:
        clocks.stop(case, ("previous_service_records",), on=facts.records_received_on)
    if application.approved_elsewhere_until is not None and application.approved_elsewhere_until <= today:
        clocks.stop(case, ("resignation_effect",), on=today)
    timeline.add(case, kind="fact", title="Approval by another service: facts updated", actor=actor, occurred_at=now)
    note("transfer.recorded", case, actor=actor, now=now)
    end_step(case, today=today, rulebook=rulebook)
    return application


def _check(facts: TransferFacts, *, today: date) -> None:
    if facts.approved_elsewhere and not (facts.other_service or "").strip():
        raise DayNotPossible("Name the other fostering service.", field="other_service")
    for field, day, what in (
        ("told_other_service_on", facts.told_other_service_on, "The day they told the other service"),
        ("records_asked_on", facts.records_asked_on, "The day the records were asked for"),
        ("records_received_on", facts.records_received_on, "The day the records came"),
        ("resignation_received_on", facts.resignation_received_on, "The day the resignation was received"),
    ):
        if day is not None:
            not_after_today(day, today=today, field=field, what=what)
    if facts.records_received_on is not None:
        if facts.records_asked_on is None:
            raise DayNotPossible("Say when the records were asked for.", field="records_asked_on")
        not_before(
            facts.records_received_on,
            facts.records_asked_on,
            field="records_received_on",
            message="The records can’t come before they were asked for.",
        )
    if facts.resignation_received_on is not None and facts.approved_elsewhere_until is not None:
        not_before(
            facts.approved_elsewhere_until,
            facts.resignation_received_on,
            field="approved_elsewhere_until",
            message="The approval can’t end before the resignation was received.",
        )

"""A manager's decision on a visit: somebody other than its writer reads it, and the household hears what comes next."""

from __future__ import annotations

from datetime import date, datetime

from crm.audit import record
from crm.cases import clocks, summary, timeline
from crm.cases.change_stage import change_stage, claim_version
from crm.cases.models import Case
from crm.cases.tasks import add_task
from crm.clock import london_date
from crm.db import db
from crm.delivery.post_room import post_room
from crm.delivery.wording import day
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName
from crm.rules.transitions import Evidence
from crm.visits.models import Outcome, Visit, VisitReport
from crm.visits.report import claim_report

SIGN_OFF = "visit_sign_off"
_WHAT_FOLLOWS: dict[str, str] = {
    Outcome.SECOND_VISIT: "Book another visit",
    Outcome.NOT_NOW: "Talk to them about the pause, and what has to change",
    Outcome.DECLINE: "Talk to them about stopping",
}


class NotReadyToSignOff(Refusal):
    """There is nothing to sign off yet, or it was done already."""


class OwnReport(Refusal):
    """A report that its own writer signs off has been read by nobody."""

    default_status = 403


class DecisionIncomplete(Refusal):
    """Something is missing that the household will be told."""

    default_status = 422


def sign_off_visit(
    visit: Visit,
    case: Case,
    *,
    outcome: Outcome,
    decision: str,
    reasons: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    recontact_on: date | None = None,
    reason_code: str | None = None,
    seen: int | None = None,
) -> VisitReport:
    """Decide what a visit leads to.

    ``decision`` is the manager's own note; ``reasons`` are for the household, where the answer is not yes. A visit that
    the enquiry did not wait for (a Stage 2 session) is only read and kept.

    1. Somebody else than the writer, a report that was sent, and what its outcome needs.
    2. Keep the decision, then make the move: the letter and the clocks follow from it.

    Raises OwnReport, NotReadyToSignOff, DecisionIncomplete, ReportHasChanged, or what the move is refused with.
    """
    require(actor, Permission.SIGN_OFF_VISIT)
    report = _to_sign(visit, actor)
    moves = visit.moves_enquiry and case.stages.get(TrackName.ENQUIRY) == "visited"
    if moves and outcome in (Outcome.NOT_NOW, Outcome.DECLINE) and not reasons.strip():
        raise DecisionIncomplete("Write the reasons that the household will read.", field="reasons")
    if moves and outcome is Outcome.NOT_NOW and (recontact_on is None or recontact_on <= today):
        raise DecisionIncomplete("Give a day after today on which to get in touch again.", field="recontact_on")
    claim_report(report, seen)
    report.outcome, report.decision = outcome, decision.strip() or None
    report.signed_off_at, report.signed_off_by_id = now, actor.user_id
    db.session.flush()
    timeline.add(
        case,
        kind="visit",
        title=f"Visit signed off: {visit.outcome_words[outcome].lower()}",
        detail=decision.strip() or None,
        actor=actor,
        occurred_at=now,
    )
    record(
        "visit.signed_off",
        actor=actor,
        at=now,
        case_id=visit.case_id,
        subject=f"visit:{visit.id}",
        detail={"outcome": outcome, "recommended": report.recommendation},
    )
    clocks.stop(case, (SIGN_OFF,), on=today, subject=f"visit:{visit.id}")
    if not moves:
        claim_version(case, None)
        _ask_for_what_follows(visit, case, report, actor=actor, now=now, today=today, rulebook=rulebook)
        summary.refresh(case, today=today, rulebook=rulebook)
        return report
    _make_move(
        visit,
        case,
        report,
        reasons=reasons.strip(),
        recontact_on=recontact_on,
        reason_code=reason_code,
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
    )
    return report


def _ask_for_what_follows(
    visit: Visit, case: Case, report: VisitReport, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> None:
    """No move follows of a visit that the enquiry does not wait for, so what is to be done is a task of the owner's."""
    words = _WHAT_FOLLOWS.get(report.outcome or "")
    if words is not None and case.owner_id is not None:
        add_task(
            title=f"{words}: decided on the visit of {day(visit.starts_at)}",
            assigned_to_id=case.owner_id,
            due_on=rulebook.due_on("rebook_visit", today),
            actor=actor,
            now=now,
            case=case,
        )


def send_back(
    visit: Visit,
    case: Case,
    *,
    why: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> VisitReport:
    """Ask the writer to go on with the report. Raises DecisionIncomplete without a word on what is missing."""
    require(actor, Permission.SIGN_OFF_VISIT)
    report = _to_sign(visit, actor)
    if not why.strip():
        raise DecisionIncomplete("Say what is missing, so that the writer knows.", field="decision")
    claim_report(report, seen)
    report.submitted_at, report.recommendation = None, None
    report.saved_at = now
    db.session.flush()
    timeline.add(
        case,
        kind="visit",
        title="Visit report sent back to its writer",
        detail=why.strip(),
        actor=actor,
        occurred_at=now,
    )
    record("visit.report_sent_back", actor=actor, at=now, case_id=visit.case_id, subject=f"visit:{visit.id}")
    clocks.stop(case, (SIGN_OFF,), on=today, how="ended", subject=f"visit:{visit.id}")
    claim_version(case, None)
    summary.refresh(case, today=today, rulebook=rulebook)
    return report


def _to_sign(visit: Visit, actor: Actor) -> VisitReport:
    report = visit.report
    if report is None or report.submitted_at is None:
        raise NotReadyToSignOff("The report of this visit has not been sent yet.")
    if report.signed_off_at is not None:
        raise NotReadyToSignOff("This visit was signed off already.")
    if report.written_by_id == actor.user_id:
        raise OwnReport("You wrote this report, so somebody else has to sign it off.")
    return report


def _make_move(
    visit: Visit,
    case: Case,
    report: VisitReport,
    *,
    reasons: str,
    recontact_on: date | None,
    reason_code: str | None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> None:
    evidence = Evidence(
        visit_on=london_date(visit.starts_at),
        visit_outcome=report.recommendation,
        visit_signed_off=True,
        eligibility_outcome=case.eligibility_outcome,
        recontact_on=recontact_on,
    )
    if report.outcome == Outcome.INVITE:
        apply_by = rulebook.due_on("application_expected", today)
        change_stage(
            case,
            "invite_to_apply",
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            evidence=evidence,
            letter_context={"apply_by": apply_by, "application_url": f"{post_room().base_url}/my/sign-in"},
        )
    elif report.outcome == Outcome.NOT_NOW and recontact_on is not None:
        change_stage(
            case,
            "set_not_now",
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            evidence=evidence,
            reason=reasons,
            reason_code=reason_code or "other",
            due_on={"recontact": recontact_on},
            letter_context={"reasons": reasons, "back_on": recontact_on},
        )
    elif report.outcome == Outcome.DECLINE:
        change_stage(
            case,
            "close_enquiry",
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            evidence=evidence,
            reason=reasons,
            reason_code="declined_after_visit",
            letter_context={"reasons": reasons},
        )
    else:
        claim_version(case, None)
        clocks.stop(case, ("visit_outcome",), on=today)
        clocks.start(case, "rebook_visit", counted_from=today, rulebook=rulebook)
        summary.refresh(case, today=today, rulebook=rulebook)

"""Writing a visit up: part by part on a phone, then sent to a manager with a recommendation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import update

from crm.audit import record
from crm.cases import clocks, summary, timeline
from crm.cases.change_stage import claim_version
from crm.cases.models import Case
from crm.db import db, rows_changed
from crm.delivery.wording import clock_time
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.visits.attendance import check_may_record
from crm.visits.models import Outcome, Visit, VisitReport, VisitStatus
from crm.visits.questions import ITEMS, LAST_PART, PART, QUESTIONS, Part, SafetyState
from crm.visits.watching import watch_of


class ReportNotWritable(Refusal):
    """The report can't be changed as things stand."""


class ReportHasChanged(Refusal):
    """Somebody else saved the report after this person opened it."""


class ReportIncomplete(Refusal):
    """Something is missing that a manager needs to decide."""

    default_status = 422


def sections_of(report: VisitReport | None) -> dict[str, str]:
    """The answers so far, by the key of the question."""
    return json.loads(report.sections) if report and report.sections else {}


def safety_of(report: VisitReport | None) -> dict[str, dict[str, Any]]:
    """What was found, by the key of the item: ``state``, ``todo`` and ``by`` (an ISO date or None)."""
    return json.loads(report.safety) if report and report.safety else {}


def can_be_written(visit: Visit) -> bool:
    """Whether there is something to write up: the visit went ahead, or its officers are inside."""
    if visit.status == VisitStatus.DONE:
        return True
    watch = watch_of(visit) if visit.is_booked else None
    return watch is not None and watch.checked_in_at is not None


def is_part_done(report: VisitReport | None, number: int) -> bool:
    return bool(report and report.parts_done & 1 << (number - 1))


def save_part(
    visit: Visit,
    *,
    number: int,
    answers: Mapping[str, str | None],
    items: Mapping[str, Mapping[str, Any]],
    actor: Actor,
    now: datetime,
    seen: int | None = None,
) -> VisitReport:
    """Keep one part of the report. The first part begun makes this person its writer.

    ``seen`` is the version of the report that was on the page. Raises ReportNotWritable, ReportHasChanged.
    """
    report = _writable(visit, actor, now=now, seen=seen)
    part = PART[number]
    sections = sections_of(report)
    for question in part.questions:
        said = answers.get(question.key)
        if said is not None:  # a box that did not come is left as it was
            sections[question.key] = said.strip()
    safety = safety_of(report)
    for item in part.items:
        found = items.get(item.key)
        if found is None or not found.get("state"):
            safety.pop(item.key, None)
        else:
            safety[item.key] = _finding(found)
    _keep(report, sections, safety, now=now)
    report.parts_done |= 1 << (number - 1)
    db.session.flush()
    return report


def save_from_phone(
    visit: Visit,
    *,
    part: Part,
    answers: Mapping[str, tuple[str, str]],
    items: Mapping[str, Mapping[str, Any]],
    at: datetime,
    actor: Actor,
    now: datetime,
) -> VisitReport:
    """Keep what was typed in a part of the report, as it came from a phone: while it is typed, or later.

    ``answers`` hold what was written and the digest of what the phone knew to stand there. Where something else stands
    there by now, both are kept, the phone's below with its time ``at``: nobody's words are lost for coming late. A part
    in which nothing is left open is done by that; of any other, whoever writes it says so, on its page. Raises
    ReportNotWritable.
    """
    report = _writable(visit, actor, now=now, seen=None)
    sections = sections_of(report)
    for question in part.questions:
        if question.key not in answers:
            continue
        said, was = answers[question.key]
        said, stands = said.strip(), sections.get(question.key, "")
        if said == stands or (said and said in stands and text_digest(stands) != was):
            continue
        if text_digest(stands) == was or not stands:
            sections[question.key] = said
        else:
            sections[question.key] = f"{stands}\n\n(From the phone, {clock_time(at)}) {said}"
    safety = safety_of(report)
    for item in part.items:
        found = items.get(item.key)
        if found is not None and found["state"] in list(SafetyState):
            safety[item.key] = _finding(found)
    _keep(report, sections, safety, now=now)
    is_whole = all(sections.get(question.key) for question in part.questions)
    if is_whole and all(item.key in safety for item in part.items):
        report.parts_done |= 1 << (part.number - 1)
    db.session.flush()
    return report


def text_digest(text: str) -> str:
    """What a phone sends for the text that it knew: SHA-256, in hexadecimal."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "replace")).hexdigest()


def _finding(found: Mapping[str, Any]) -> dict[str, Any]:
    state = SafetyState(found["state"])
    by: date | None = found.get("by")
    is_to_do = state is SafetyState.TO_DO
    return {
        "state": state,
        "todo": (found.get("todo") or "").strip() if is_to_do else "",
        "by": by.isoformat() if by and is_to_do else None,
    }


def _keep(
    report: VisitReport, sections: Mapping[str, str], safety: Mapping[str, Mapping[str, Any]], *, now: datetime
) -> None:
    report.sections = json.dumps({key: text for key, text in sections.items() if key in QUESTIONS and text})
    report.safety = json.dumps({key: found for key, found in safety.items() if key in ITEMS})
    report.saved_at = now


def submit_report(
    visit: Visit,
    case: Case,
    *,
    recommendation: Outcome | None,
    reasons: str,
    assessment: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> VisitReport:
    """Send the report to a manager, whose clock runs from then.

    Raises ReportIncomplete, naming the part to go back to, and ReportNotWritable while the visit still goes on.
    """
    if visit.status != VisitStatus.DONE:
        raise ReportNotWritable("Check out of the visit before you send its report.")
    report = save_part(
        visit, number=LAST_PART, answers={"assessment": assessment}, items={}, actor=actor, now=now, seen=seen
    )
    if recommendation is None:
        raise ReportIncomplete("Choose what you recommend.", field="recommendation")
    if not assessment.strip():
        raise ReportIncomplete("Write your view, so that a manager can decide.", field="assessment")
    if recommendation is not Outcome.INVITE and not reasons.strip():
        raise ReportIncomplete("Say why, in words that could be read out to them.", field="reasons")
    missing = [PART[number].title for number in range(1, LAST_PART) if not is_part_done(report, number)]
    if missing:
        raise ReportIncomplete(
            "Some parts are not written yet.", alternatives=tuple(f"Go to “{title}”." for title in missing)
        )
    report.recommendation, report.reasons, report.submitted_at = recommendation, reasons.strip() or None, now
    clocks.start(case, "visit_sign_off", counted_from=today, rulebook=rulebook, subject=f"visit:{visit.id}")
    timeline.add(
        case,
        kind="visit",
        title=f"Visit report sent for sign-off. Recommended: {visit.outcome_words[recommendation].lower()}",
        actor=actor,
        occurred_at=now,
    )
    record(
        "visit.report_sent",
        actor=actor,
        at=now,
        case_id=visit.case_id,
        subject=f"visit:{visit.id}",
        detail={"recommendation": recommendation},
    )
    db.session.flush()
    claim_version(case, None)
    summary.refresh(case, today=today, rulebook=rulebook)
    return report


def claim_report(report: VisitReport, seen: int | None) -> None:
    """Refuse a change made on an old view of a report. Raises ReportHasChanged."""
    expected = report.version if seen is None else seen
    claimed = db.session.execute(
        update(VisitReport)
        .where(VisitReport.id == report.id, VisitReport.version == expected)
        .values(version=VisitReport.version + 1)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(report)
    if rows_changed(claimed) != 1:
        raise ReportHasChanged(
            "This report was saved somewhere else while this page was open. "
            "Look at it as it is now, then add what you wrote."
        )


def check_writable(visit: Visit, actor: Actor) -> None:
    """Raises NotTheirVisit, ReportNotWritable unless this person may add to the report now."""
    check_may_record(visit, actor)
    if not can_be_written(visit):
        raise ReportNotWritable("Record that the visit went ahead before you write it up.")
    if visit.report is not None and visit.report.submitted_at is not None:
        raise ReportNotWritable("This report has gone to a manager. It can be changed once they send it back.")


def _writable(visit: Visit, actor: Actor, *, now: datetime, seen: int | None) -> VisitReport:
    check_writable(visit, actor)
    report = visit.report
    if report is None:
        if actor.user_id is None:
            raise ReportNotWritable("Only a person can write a report.", status=403)
        report = VisitReport(visit_id=visit.id, written_by_id=actor.user_id, begun_at=now, saved_at=now, parts_done=0)
        db.session.add(report)
        db.session.flush()
        db.session.expire(visit, ["report"])
        record("visit.report_begun", actor=actor, at=now, case_id=visit.case_id, subject=f"visit:{visit.id}")
        return report
    claim_report(report, seen)
    return report

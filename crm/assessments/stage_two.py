"""Stage 2: the assessor, the report, two signatures, and the household's time to comment on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import func, select

from crm.access.models import User
from crm.access.queries import user_with
from crm.assessments.models import REPORT_SECTIONS, AssessmentReport, ReportKind, ReportSection
from crm.assessments.queries import assessor_ids_of, report_of, stored_evidence, the_application
from crm.assessments.review_queries import wanted_still
from crm.assessments.stage_two_models import ReportEvidence
from crm.assessments.steps import begin_step, end_step, not_after_today, not_before, note
from crm.assessments.terms import Terms, put_terms
from crm.cases import timeline
from crm.cases.assignment import assign, assigned_user_ids
from crm.cases.change_stage import change_stage
from crm.cases.models import AssignmentRole, Case, StageChange
from crm.db import db
from crm.rules import deadlines
from crm.rules.permissions import Actor, Permission, Sensitivity
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName


class NotAnAssessor(Refusal):
    """Somebody who can't assess, or is not assessing this household."""


class ReportNotOpen(Refusal):
    """The report can't be written or signed as it stands."""


class ReportNotWhole(Refusal):
    """Something the law asks for is not in the report yet."""

    default_status = 422


def start_stage_two(
    case: Case,
    *,
    assessor_id: int,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> StageChange:
    """Begin Stage 2, which may run beside Stage 1, and name who assesses."""
    assessor = _somebody_who_may_assess(assessor_id)
    change = change_stage(
        case,
        "start_stage_two",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=stored_evidence(case, today),
        seen=seen,
    )
    _name_assessor(case, assessor, actor=actor, now=now, today=today)
    return change


def add_assessor(
    case: Case,
    *,
    assessor_id: int,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Name another assessor while Stage 2 goes on. Whoever assessed before still counts as having assessed."""
    begin_step(case, Permission.DECIDE_TO_ASSESS, actor=actor, seen=seen)
    if case.stages.get(TrackName.STAGE_TWO) is None:
        raise ReportNotOpen("Stage 2 has not started. Start it and name the assessor there.")
    _name_assessor(case, _somebody_who_may_assess(assessor_id), actor=actor, now=now, today=today)
    end_step(case, today=today, rulebook=rulebook)


def _somebody_who_may_assess(user_id: int) -> User:
    user = user_with(user_id)
    if not user.active or not user.as_actor().has(Permission.WRITE_ASSESSMENT):
        raise NotAnAssessor(f"{user.name} can’t assess. Choose somebody who can.", field="assessor_id", status=422)
    return user


def _name_assessor(case: Case, user: User, *, actor: Actor, now: datetime, today: date) -> None:
    assign(case, user_id=user.id, role=AssignmentRole.ASSESSOR, actor=actor, now=now, today=today)
    timeline.add(case, kind="move", title=f"{user.name} assesses this household", actor=actor, occurred_at=now)


def save_report(
    case: Case,
    *,
    kind: str,
    sections: Mapping[str, str],
    terms: Terms,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> AssessmentReport:
    """Write or go on writing the report. Only an assessor of this household writes it, and only until it is signed.

    After a brief report, for which the panel or the decision maker asked for more, a full one is a new report.
    """
    begin_step(case, Permission.WRITE_ASSESSMENT, actor=actor, seen=seen)
    report = report_to_write(case, kind=ReportKind(kind), actor=actor, today=today)
    assert actor.user_id is not None
    report.kind = ReportKind(kind)
    report.changed_on = today
    report.written_by_id = actor.user_id
    put_terms(report, terms)
    known = {section.name: section for section in report.sections}
    for name, text in sections.items():
        if name not in REPORT_SECTIONS:
            continue
        section = known.get(name)
        if section is None:
            section = ReportSection(report_id=report.id, name=name)
            report.sections.append(section)
        section.text = text or None
    db.session.flush()
    note("report.saved", case, actor=actor, now=now, subject=f"report:{report.id}", kind=report.kind)
    end_step(case, today=today, rulebook=rulebook)
    return report


def report_to_write(case: Case, *, actor: Actor, today: date, kind: ReportKind = ReportKind.FULL) -> AssessmentReport:
    """The report that is open for writing, begun where there is none. One that follows a report that was shared begins
    with what that one rested on. Raises ReportNotOpen, NotAnAssessor."""
    if case.stages.get(TrackName.STAGE_TWO) != "assessing":
        raise ReportNotOpen("The report is written while Stage 2 goes on: before it is shared with the household.")
    if actor.user_id not in assigned_user_ids(case, AssignmentRole.ASSESSOR, on=today):
        raise NotAnAssessor("Only whoever assesses this household writes its report.", status=403)
    assert actor.user_id is not None
    application = the_application(case)
    before = report_of(application)
    if before is not None and before.shared_on is None:
        if before.countersigned_on is not None:
            raise ReportNotOpen(
                "The report is countersigned, so it can’t be changed.",
                alternatives=("Ask the manager who signed it to hand it back.",),
            )
        return before
    report = AssessmentReport(
        case_id=case.id,
        application_id=application.id,
        kind=kind,
        written_by_id=actor.user_id,
        begun_on=today,
        changed_on=today,
    )
    db.session.add(report)
    db.session.flush()
    if before is not None:
        _carry_over(before, report)
    return report


def _carry_over(before: AssessmentReport, report: AssessmentReport) -> None:
    for old in db.session.scalars(
        select(ReportEvidence).where(ReportEvidence.report_id == before.id).order_by(ReportEvidence.id)
    ):
        same = ("case_id", "section", "kind", "said_as", "added_on", "added_by_id", "session_id", "referee_id",
                "check_id", "document_id", "course_id", "part_id", "visit_id")  # fmt: skip
        new = ReportEvidence(report_id=report.id, **{name: getattr(old, name) for name in same})
        new.words, new.other_source = old.words, old.other_source
        db.session.add(new)
    db.session.flush()


def missing_sections(report: AssessmentReport) -> list[str]:
    """Headings of Schedule 3 Part 2 that are still empty. A brief report needs its analysis alone."""
    written = {section.name for section in report.sections if section.text_sealed is not None}
    needed = REPORT_SECTIONS if report.kind == ReportKind.FULL else ("suitability",)
    return [REPORT_SECTIONS[name][0] for name in needed if name not in written]


def evidence_counts(report: AssessmentReport | None) -> dict[str, int]:
    """How much evidence each heading has."""
    if report is None:
        return {}
    rows = db.session.execute(
        select(ReportEvidence.section, func.count().label("pieces"))
        .where(ReportEvidence.report_id == report.id)
        .group_by(ReportEvidence.section)
    )
    return {row.section: row.pieces for row in rows}


def headings_without_evidence(report: AssessmentReport) -> list[str]:
    """Headings of a full report that rest on nothing yet. A brief report gives its reasons in its own words."""
    if report.kind != ReportKind.FULL:
        return []
    counts = evidence_counts(report)
    return [heading for name, (heading, _hint) in REPORT_SECTIONS.items() if not counts.get(name)]


def countersign(
    case: Case, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook, seen: int | None = None
) -> AssessmentReport:
    """Sign the report as a manager who took no part in the assessment (NMS 13)."""
    begin_step(case, Permission.COUNTERSIGN_REPORT, actor=actor, seen=seen)
    report = report_of(the_application(case))
    if report is None or report.shared_on is not None:
        raise ReportNotOpen("There is no report waiting to be signed.")
    if report.countersigned_on is not None:
        raise ReportNotOpen("The report is countersigned already.")
    if actor.user_id == report.written_by_id or actor.user_id in assessor_ids_of(case):
        raise NotAnAssessor("You assessed this household, so another manager has to countersign.", status=409)
    missing = missing_sections(report)
    if missing:
        raise ReportNotWhole(f"Still empty: {', '.join(missing)}.", status=409)
    bare = headings_without_evidence(report)
    if bare:
        raise ReportNotWhole(f"Nothing on file is linked yet to: {', '.join(bare)}.", status=409)
    needed = [one.words for one in wanted_still(the_application(case)) if one.is_needed]
    if needed and report.kind == ReportKind.FULL:
        raise ReportNotWhole(f"This service signs a full report once there is {' and '.join(needed)}.", status=409)
    report.countersigned_by_id, report.countersigned_on = actor.user_id, today
    timeline.add(case, kind="move", title="Assessment report countersigned", actor=actor, occurred_at=now)
    note("report.countersigned", case, actor=actor, now=now, subject=f"report:{report.id}")
    end_step(case, today=today, rulebook=rulebook)
    return report


def hand_back(
    case: Case, *, words: str, actor: Actor, now: datetime, today: date, rulebook: Rulebook, seen: int | None = None
) -> AssessmentReport:
    """Give a report back to its author, with what has to change. It is open for writing again."""
    begin_step(case, Permission.COUNTERSIGN_REPORT, actor=actor, seen=seen)
    report = report_of(the_application(case))
    if report is None or report.shared_on is not None:
        raise ReportNotOpen("There is no report to hand back.")
    if not words.strip():
        raise ReportNotWhole("Say what has to change.", field="words")
    report.countersigned_by_id = report.countersigned_on = None
    timeline.add(
        case,
        kind="note",
        title="Assessment report handed back",
        detail=words,
        sensitivity=Sensitivity.PERSONAL,
        actor=actor,
        occurred_at=now,
    )
    note("report.handed_back", case, actor=actor, now=now, subject=f"report:{report.id}")
    end_step(case, today=today, rulebook=rulebook)
    return report


def observations_ends(shared_on: date, rulebook: Rulebook) -> tuple[date, date]:
    """Both ends of the household's time to comment; nobody moves before the second, the longer."""
    return deadlines.observations_end(shared_on, rulebook.observation_working_days, rulebook.calendar)


def share_report(
    case: Case, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook, seen: int | None = None
) -> AssessmentReport:
    """Give the household its copy: their 10 working days begin."""
    report = report_of(the_application(case))
    evidence = stored_evidence(case, today)
    if report is None or report.shared_on is not None:
        raise ReportNotOpen("There is no report waiting to be shared.")
    report.shared_on = today if report.countersigned_on is not None else None
    change_stage(
        case,
        "share_report",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=replace(evidence, report_shared_on=today),
        seen=seen,
        letter_context={
            "observations_by": observations_ends(today, rulebook)[1],
            "is_brief": report.kind == ReportKind.BRIEF,
        },
    )
    note("report.shared", case, actor=actor, now=now, subject=f"report:{report.id}", on=today)
    return report


def record_observations(
    case: Case,
    *,
    received_on: date,
    text: str | None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> AssessmentReport:
    """Keep what the household said about the report, or that they have nothing to add: the wait is over."""
    begin_step(case, Permission.WRITE_ASSESSMENT, actor=actor, seen=seen)
    report = report_of(the_application(case))
    if report is None or report.shared_on is None or case.stages.get(TrackName.STAGE_TWO) != "report_shared":
        raise ReportNotOpen("The report is not with the household, so there is nothing for them to comment on.")
    not_after_today(received_on, today=today, field="received_on", what="The day they answered")
    not_before(
        received_on,
        report.shared_on,
        field="received_on",
        message="They can’t have answered before the report was shared.",
    )
    report.observations_received_on = received_on
    report.observations = text or None
    timeline.add(
        case,
        kind="contact",
        title="Household’s observations on the report received",
        detail=text,
        sensitivity=Sensitivity.PERSONAL,
        actor=actor,
        occurred_at=now,
    )
    note("report.observations", case, actor=actor, now=now, subject=f"report:{report.id}", on=received_on)
    end_step(case, today=today, rulebook=rulebook)
    return report


def ready_for_panel(
    case: Case, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook, seen: int | None = None
) -> StageChange:
    """Say that the report may go to panel: observations in, or the longer count over; Stage 1 passed."""
    return change_stage(
        case,
        "ready_for_panel",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=stored_evidence(case, today),
        seen=seen,
    )

"""Stage 2: who assesses, the report, sharing it, and what the household says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Response, make_response, request

from crm.access.guards import requires
from crm.access.queries import names_of
from crm.assessments import queries, stage_two
from crm.assessments.application_views import assessor_choices
from crm.assessments.check_views import why_shut
from crm.assessments.evidence_views import evidence_for
from crm.assessments.models import REPORT_SECTIONS, AssessmentReport, ReportKind
from crm.assessments.overview_views import Looking, case_page, look, reads_report, seen_of
from crm.assessments.queries import NothingThere
from crm.assessments.report_shape import Shape, front_sheet, shape_of
from crm.assessments.review_queries import wanted_still
from crm.assessments.stage_forms import (
    AssessorForm,
    ConfirmForm,
    HandBackForm,
    ObservationsForm,
    ReportForm,
    report_form,
)
from crm.assessments.terms import terms_of
from crm.assessments.views import assessments
from crm.cases.assignment import assigned_user_ids
from crm.cases.models import AssignmentRole
from crm.cases.queries import is_on_case
from crm.rules.permissions import Permission, Sensitivity, may_see, require
from crm.rules.refusal import Refusal
from crm.rules.stages import StageOneStage, TrackName
from crm.web.filters import day
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission


@assessments.route("/cases/<reference>/assessment/stage-two", methods=["GET", "POST"])
@requires(P.DECIDE_TO_ASSESS)
@writes
def start_stage_two(reference: str) -> Response:
    """Name who assesses: the first one starts Stage 2, which may run beside Stage 1."""
    looking = look(reference)
    queries.the_application(looking.case)
    started = "stage_two" in looking.case.stages
    form = AssessorForm(seen=str(looking.case.version))
    form.assessor_id.choices = assessor_choices()
    if form.is_sent_and_right():
        operation = stage_two.add_assessor if started else stage_two.start_stage_two
        try:
            operation(looking.case, assessor_id=int(form.assessor_id.data), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            name = dict(assessor_choices())[form.assessor_id.data]
            tell(f"{name} assesses this household. Next: the report.")
            return see_other(f"{looking.base}/assessment")
    assessors = queries.assessor_ids_of(looking.case)
    return case_page(
        "assessments/start_stage_two.html",
        looking,
        form,
        started=started,
        assessors=sorted(names_of(assessors).values()),
        why_not=None
        if started
        else why_shut("start_stage_two", looking, queries.stored_evidence(looking.case, looking.today)),
    )


@assessments.route("/cases/<reference>/assessment/report", methods=["GET", "POST"])
@requires(any_of=(P.WRITE_ASSESSMENT, P.VIEW_PANEL_CASES, P.SIT_ON_PANEL, P.MAKE_DECISION))
@records_view("report")
@writes
def report(reference: str) -> Response:
    """Read the report; its assessor writes it here until it is signed."""
    looking = look(reference)
    case = looking.case
    if request.method == "POST":
        require(looking.actor, P.WRITE_ASSESSMENT)
    known = _kept_in_report(looking)
    form = report_form(**known)
    if form.is_sent_and_right():
        try:
            kept = stage_two.save_report(
                case,
                kind=form.kind.data,
                sections=form.sections(),
                terms=form.terms(),
                seen=seen_of(form),
                **looking.doing,
            )
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            missing, bare = stage_two.missing_sections(kept), stage_two.headings_without_evidence(kept)
            if missing:
                tell(f"Kept. Still to write: {', '.join(missing)}.")
            elif bare:
                tell(f"Kept. Next: say what on file each of these rests on: {', '.join(bare)}.")
            else:
                tell("Kept, and whole. Next: another manager countersigns it.")
            return see_other(f"{looking.base}/assessment/report")
    return _report_page(looking, form, HandBackForm(takes_answers=False, seen=str(case.version)))


def _kept_in_report(looking: Looking) -> dict[str, Any]:
    """What the form of the report holds when its page is opened."""
    current = queries.report_of(queries.the_application(looking.case))
    known: dict[str, Any] = {"seen": str(looking.case.version)}
    if current is not None and current.shared_on is None and reads_report(looking):
        terms = terms_of(current)
        known |= {f"section_{section.name}": section.text for section in current.sections}
        known |= {"kind": current.kind, "terms_children": terms.children, "terms_youngest": terms.youngest}
        known |= {"terms_oldest": terms.oldest, "terms_care": terms.care or "", "other_terms": terms.other}
    return known


def _report_page(looking: Looking, form: ReportForm, hand_back: HandBackForm) -> Response:
    """The report, with the form that was sent on it, if one was."""
    case = looking.case
    application = queries.the_application(case)
    found = queries.report_of(application)
    is_open = stage_is(looking, "assessing") and not (found and found.countersigned_on and not found.shared_on)
    shows = reads_report(looking)
    saw(case_id=case.id, subject=f"report:{found.id}" if found else f"case:{case.reference}")
    response = case_page(
        "assessments/report.html",
        looking,
        form,
        report=found,
        text={section.name: section.text for section in found.sections} if found and shows else {},
        sections=[(name, heading, hint) for name, (heading, hint) in REPORT_SECTIONS.items()],
        missing=stage_two.missing_sections(found) if found else [],
        bare=stage_two.headings_without_evidence(found) if found else [],
        evidence=evidence_for(looking, found) if shows else {},
        shape=_shape(looking, found) if shows else None,
        wanted=wanted_still(application) if found and found.kind == ReportKind.FULL else [],
        terms=terms_of(found).words if found else None,
        names=names_of([found.written_by_id, found.countersigned_by_id]) if found else {},
        writes_it=is_open
        and looking.actor.user_id in assigned_user_ids(case, AssignmentRole.ASSESSOR, on=looking.today),
        shows=shows,
        can_sign=_may_sign(looking, found),
        hand_back=hand_back,
        observations=found.observations if found and shows else None,
        is_assessing=stage_is(looking, "assessing"),
    )
    response.status_code = max(form.status, hand_back.status)
    return response


def _shape(looking: Looking, found: AssessmentReport | None) -> Shape:
    """What stands round the headings; that references were summed up is said to the record of views."""
    reads = may_see(
        looking.actor,
        Sensitivity.REFERENCE,
        subject_person_id=None,
        on_case=is_on_case(looking.actor, looking.case, today=looking.today),
    )
    shape = shape_of(looking.case, found, now=looking.now, reads_references=reads)
    if shape.references:
        saw(case_id=looking.case.id, subject=f"case:{looking.case.reference}", kinds=(Sensitivity.REFERENCE,))
    return shape


@assessments.get("/cases/<reference>/assessment/report/copy")
@requires(P.WRITE_ASSESSMENT)
@records_view("report")
def report_copy(reference: str) -> Response:
    """The household's copy, to print: the report's own words, and nothing of what they rest on."""
    looking = look(reference)
    application = queries.the_application(looking.case)
    found = queries.report_of(application)
    if found is None or found.countersigned_on is None or not reads_report(looking):
        raise NothingThere("There is no countersigned report to print yet.", status=404)
    text = {section.name: section.text for section in found.sections}
    saw(case_id=looking.case.id, subject=f"report:{found.id}")
    return make_response(
        render(
            "assessments/report_copy.html",
            report=found,
            names=looking.case.household.name,
            front=front_sheet(looking.case, application, found),
            sections=[(heading, text[name]) for name, (heading, _) in REPORT_SECTIONS.items() if text.get(name)],
            ends=stage_two.observations_ends(found.shared_on, looking.rulebook) if found.shared_on else None,
            base=looking.base,
        )
    )


def stage_is(looking: Looking, stage: str) -> bool:
    return looking.case.stages.get("stage_two") == stage  # type: ignore[call-overload]


def _may_sign(looking: Looking, found: Any) -> str | None:
    """What a manager can do with the report: "sign", "hand_back", or None."""
    if found is None or found.shared_on is not None or not looking.actor.has(P.COUNTERSIGN_REPORT):
        return None
    if found.countersigned_on is not None:
        return "hand_back"
    mine = looking.actor.user_id == found.written_by_id or looking.actor.user_id in queries.assessor_ids_of(
        looking.case
    )
    return None if mine else "sign"


@assessments.post("/cases/<reference>/assessment/report/countersign")
@requires(P.COUNTERSIGN_REPORT)
@writes
def countersign(reference: str) -> Response:
    """Sign the report as somebody who did not assess."""
    looking = look(reference)
    stage_two.countersign(looking.case, seen=seen_of(ConfirmForm()), **looking.doing)
    tell("Countersigned. Next: the assessor shares it with the household.")
    return see_other(f"{looking.base}/assessment/report")


@assessments.post("/cases/<reference>/assessment/report/hand-back")
@requires(P.COUNTERSIGN_REPORT)
@records_view("report")
@writes
def hand_back(reference: str) -> Response:
    """Give the report back to its author."""
    looking = look(reference)
    queries.the_application(looking.case)
    form = HandBackForm()
    if not form.is_sent_and_right():
        return _report_page(looking, report_form(takes_answers=False, **_kept_in_report(looking)), form)
    stage_two.hand_back(looking.case, words=form.words.data or "", seen=seen_of(form), **looking.doing)
    tell("Handed back. The assessor can change it again.")
    return see_other(f"{looking.base}/assessment/report")


def _confirmed(
    reference: str,
    template: str,
    move: str,
    operation: Callable[..., Any],
    done: Callable[[Looking], str],
    **context: Any,
) -> Response:
    """A step with nothing to type: say what will happen, then do it."""
    looking = look(reference)
    queries.the_application(looking.case)
    form = ConfirmForm(seen=str(looking.case.version))
    if form.is_sent_and_right():
        try:
            operation(looking.case, seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(done(looking))
            return see_other(looking.base)
    evidence = queries.stored_evidence(looking.case, looking.today)
    shared_on = evidence.report_shared_on or looking.today
    return case_page(
        template,
        looking,
        form,
        evidence=evidence,
        why_not=why_shut(move, looking, replace(evidence)),
        ends=stage_two.observations_ends(shared_on, looking.rulebook),
        **context,
    )


@assessments.route("/cases/<reference>/assessment/share", methods=["GET", "POST"])
@requires(P.WRITE_ASSESSMENT)
@writes
def share_report(reference: str) -> Response:
    """Share the signed report with the household."""
    return _confirmed(
        reference,
        "assessments/share_report.html",
        "share_report",
        stage_two.share_report,
        lambda looking: (
            "The report is shared. The household has until "
            f"{day(stage_two.observations_ends(looking.today, looking.rulebook)[1])} to comment on it."
        ),
    )


@assessments.route("/cases/<reference>/assessment/ready", methods=["GET", "POST"])
@requires(P.WRITE_ASSESSMENT)
@writes
def ready_for_panel(reference: str) -> Response:
    """Say that the report may go to panel."""
    return _confirmed(
        reference,
        "assessments/ready_for_panel.html",
        "ready_for_panel",
        stage_two.ready_for_panel,
        lambda looking: "Ready for panel. Next: the panel administrator puts the household on an agenda.",
    )


@assessments.route("/cases/<reference>/assessment/observations", methods=["GET", "POST"])
@requires(P.WRITE_ASSESSMENT)
@records_view("report")
@writes
def observations(reference: str) -> Response:
    """Keep what the household said about the report."""
    looking = look(reference)
    case = looking.case
    found = queries.report_of(queries.the_application(case))
    form = ObservationsForm(seen=str(case.version))
    if form.is_sent_and_right():
        try:
            stage_two.record_observations(
                case,
                received_on=form.received_on.data,
                text=form.text.data or None,
                seen=seen_of(form),
                **looking.doing,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            is_passed = case.stages.get(TrackName.STAGE_ONE) == StageOneStage.PASSED
            tell(f"Kept with the report. It can go to panel now{'' if is_passed else ', once Stage 1 is passed'}.")
            return see_other(f"{looking.base}/assessment")
    saw(case_id=case.id, subject=f"report:{found.id}" if found else f"case:{case.reference}")
    return case_page(
        "assessments/observations.html",
        looking,
        form,
        report=found,
        ends=stage_two.observations_ends(found.shared_on, looking.rulebook) if found and found.shared_on else None,
    )

"""What a heading of the report rests on: linked to it and taken away while the report is open."""

from __future__ import annotations

from flask import Response

from crm.access.guards import requires
from crm.assessments import evidence, queries
from crm.assessments.evidence_forms import EvidenceForm
from crm.assessments.models import REPORT_SECTIONS, AssessmentReport
from crm.assessments.overview_views import Looking, case_page, look, seen_of
from crm.assessments.queries import NothingThere
from crm.assessments.stage_forms import ConfirmForm
from crm.assessments.stage_two_models import EvidenceKind
from crm.assessments.views import assessments
from crm.cases.assignment import assigned_user_ids
from crm.cases.models import AssignmentRole
from crm.cases.queries import is_on_case
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.rules.stages import OPEN_APPLICATION, TrackName
from crm.web.notices import tell
from crm.web.pages import see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission


def evidence_for(looking: Looking, found: AssessmentReport | None) -> dict[str, list[evidence.Shown]]:
    """The evidence of a report as whoever looks may read it. What they read of it is said to the record of views."""
    if found is None:
        return {}
    shown = evidence.shown_to(
        looking.actor,
        looking.case,
        evidence.evidence_of(found),
        on_case=is_on_case(looking.actor, looking.case, today=looking.today),
    )
    kinds = {one.sensitivity for group in shown.values() for one in group if one.words is not None}
    close = tuple(sorted(str(kind) for kind in kinds & evidence.CLOSELY_HELD))
    if close:
        saw(case_id=looking.case.id, subject=f"report:{found.id}", kinds=close)
    return shown


def is_open_to(looking: Looking) -> bool:
    """Whether whoever looks writes the report of this household now."""
    report = queries.report_of(queries.the_application(looking.case))
    is_signed = report is not None and report.countersigned_on is not None and report.shared_on is None
    return (
        looking.case.stages.get(TrackName.APPLICATION) in OPEN_APPLICATION
        and looking.case.stages.get(TrackName.STAGE_TWO) == "assessing"
        and not is_signed
        and looking.actor.user_id in assigned_user_ids(looking.case, AssignmentRole.ASSESSOR, on=looking.today)
    )


@assessments.route("/cases/<reference>/assessment/report/evidence/<section>", methods=["GET", "POST"])
@requires(P.WRITE_ASSESSMENT)
@records_view("report")
@writes
def heading_evidence(reference: str, section: str) -> Response:
    """What one heading rests on, and the form that adds to it."""
    looking = look(reference)
    application = queries.the_application(looking.case)
    if section not in REPORT_SECTIONS:
        raise NothingThere("There is no such heading in the report.")
    form = EvidenceForm(seen=str(looking.case.version))
    on_file = [one for one in evidence.sources_of(looking.case, tuple(EvidenceKind)).values() if one.is_on_file]
    form.offer(on_file)
    if form.is_sent_and_right():
        try:
            evidence.add_evidence(looking.case, form.new(section), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"Linked to {REPORT_SECTIONS[section][0].lower()}.")
            return see_other(f"{looking.base}/assessment/report/evidence/{section}")
    found = queries.report_of(application)
    saw(case_id=looking.case.id, subject=f"report:{found.id}" if found else f"case:{looking.case.reference}")
    return case_page(
        "assessments/heading_evidence.html",
        looking,
        form,
        heading=REPORT_SECTIONS[section][0],
        hint=REPORT_SECTIONS[section][1],
        section=section,
        rows=evidence_for(looking, found).get(section, []),
        sections=[(name, words) for name, (words, _) in REPORT_SECTIONS.items()],
        writes_it=is_open_to(looking),
    )


@assessments.post("/cases/<reference>/assessment/report/evidence/<int:evidence_id>/remove")
@requires(P.WRITE_ASSESSMENT)
@writes
def remove_evidence(reference: str, evidence_id: int) -> Response:
    """Take evidence away from its heading."""
    looking = look(reference)
    row = evidence.evidence_with(looking.case, evidence_id)
    section = row.section
    evidence.remove_evidence(looking.case, row, seen=seen_of(ConfirmForm()), **looking.doing)
    tell("Taken away. The record it came from stays as it is.")
    return see_other(f"{looking.base}/assessment/report/evidence/{section}")

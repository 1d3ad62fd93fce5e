"""Files for others: an approval for another system, and the papers of an independent review."""

from __future__ import annotations

import json

from flask import Response

from crm import policy
from crm.access.guards import requires
from crm.assessments import handing_on
from crm.assessments.overview_views import look, reads_report
from crm.assessments.pack_contents import lay_out
from crm.assessments.referee_views import shows_reference
from crm.assessments.views import assessments
from crm.cases.queries import CaseNotFound
from crm.rules.permissions import Permission, Sensitivity
from crm.web.attachments import attachment
from crm.web.sightings import records_view, saw

P = Permission


@assessments.get("/cases/<reference>/approval.json")
@requires(P.GIVE_NOTICE)
@records_view("approval")
def approval_file(reference: str) -> Response:
    """An approval as a file that another system reads."""
    looking = look(reference)
    if not reads_report(looking):
        raise CaseNotFound
    approval = handing_on.approval_of(looking.case, today=looking.today)
    saw(case_id=looking.case.id, subject=f"case:{looking.case.reference}")
    content = json.dumps(approval, ensure_ascii=False, indent=2).encode()
    return attachment(content, "application/json", f"{looking.case.reference}-approval.json")


@assessments.get("/cases/<reference>/answer/papers.pdf")
@requires(P.RECORD_POST)
@records_view("papers")
def review_papers(reference: str) -> Response:
    """The papers of a household's independent review: for those who may read what is held closely."""
    looking = look(reference)
    if not shows_reference(looking, None):
        raise CaseNotFound
    contents = handing_on.papers_for_review(looking.case, now=looking.now)
    saw(
        case_id=looking.case.id,
        subject=f"case:{looking.case.reference}",
        kinds=(Sensitivity.REFERENCE, Sensitivity.HEALTH),
    )
    content, _pages = lay_out(contents, service=str(policy.service().name), now=looking.now)
    return attachment(content, "application/pdf", f"{looking.case.reference}-review-papers.pdf")

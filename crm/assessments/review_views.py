"""Midway review and second opinion: recorded by those who do not assess the household."""

from __future__ import annotations

from flask import Response

from crm.access.guards import requires
from crm.access.queries import names_of
from crm.assessments import queries, review_queries, reviews
from crm.assessments.overview_views import Looking, case_page, look, reads_report, seen_of
from crm.assessments.review_forms import MidwayForm, SecondOpinionForm
from crm.assessments.stage_two_models import REVIEW_WORDS, ReviewKind
from crm.assessments.views import assessments
from crm.cases import home_visits
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web.notices import tell
from crm.web.pages import see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission


@assessments.route("/cases/<reference>/assessment/midway", methods=["GET", "POST"])
@requires(P.COUNTERSIGN_REPORT)
@records_view("report")
@writes
def midway_review(reference: str) -> Response:
    """Record how a manager says to go on."""
    looking = look(reference)
    queries.the_application(looking.case)
    form = MidwayForm(seen=str(looking.case.version))
    if form.is_sent_and_right():
        try:
            reviews.record_midway(looking.case, form.new(), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("The midway review is kept. Whoever assesses sees it with the report.")
            return see_other(f"{looking.base}/assessment")
    return _page(looking, ReviewKind.MIDWAY, form)


@assessments.route("/cases/<reference>/assessment/second-opinion", methods=["GET", "POST"])
@requires(P.WRITE_ASSESSMENT)
@records_view("report")
@writes
def second_opinion(reference: str) -> Response:
    """Record what somebody saw who does not assess this household."""
    looking = look(reference)
    queries.the_application(looking.case)
    choices = review_queries.visitors(looking.case)
    me = str(looking.actor.user_id)
    visits = [
        one
        for one in home_visits.visits_known(looking.case)
        if one.is_held and one.purpose == ReviewKind.SECOND_OPINION
    ]
    last = visits[0] if visits else None
    visitor = next((str(one) for one in last.officer_ids if str(one) in dict(choices)), me) if last else me
    form = SecondOpinionForm(
        seen=str(looking.case.version), by_id=visitor, held_on=last.on if last is not None else None
    )
    form.by_id.choices = [("", "Choose"), *choices]
    if form.is_sent_and_right():
        try:
            reviews.record_second_opinion(looking.case, form.new(), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("The second opinion is kept, and stands with the report.")
            return see_other(f"{looking.base}/assessment")
    return _page(looking, ReviewKind.SECOND_OPINION, form)


def _page(looking: Looking, kind: ReviewKind, form: MidwayForm | SecondOpinionForm) -> Response:
    """The form, and what is on file of this kind for those who may read it."""
    case = looking.case
    found = [one for one in review_queries.reviews_of(queries.the_application(case)) if one.kind == kind]
    saw(case_id=case.id, subject=f"case:{case.reference}")
    return case_page(
        "assessments/midway_review.html" if kind is ReviewKind.MIDWAY else "assessments/second_opinion.html",
        looking,
        form,
        title=REVIEW_WORDS[kind],
        found=[(one, review_queries.outcome_words(one)) for one in found],
        names=names_of([one.by_id for one in found]),
        shows=reads_report(looking),
        is_assessing=case.stages.get("stage_two") == "assessing",  # type: ignore[call-overload]
        is_mine=looking.actor.user_id in queries.assessor_ids_of(case),
    )

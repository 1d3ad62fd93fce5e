"""Pages about the application, who lives there, an approval elsewhere, and withdrawing."""

from __future__ import annotations

from flask import Response

from crm.access.guards import requires
from crm.access.queries import staff_who_may
from crm.assessments import applications, household, queries, transfer, withdrawal
from crm.assessments.application_forms import (
    MEMBER_ROWS,
    DecideToAssessForm,
    MemberForm,
    MovedOutForm,
    TransferForm,
    WithdrawForm,
    application_form,
)
from crm.assessments.overview_views import Looking, case_page, look, seen_of
from crm.assessments.views import assessments
from crm.cases.models import Person
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web.filters import day_year
from crm.web.notices import tell
from crm.web.pages import see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission


@assessments.route("/cases/<reference>/application/new", methods=["GET", "POST"])
@requires(P.RECORD_APPLICATION)
@records_view("application")
@writes
def receive_application(reference: str) -> Response:
    """Copy a signed application: when it came, who signed, who lives there."""
    looking = look(reference)
    case = looking.case
    people = queries.live_people(case)
    form = application_form(people, seen=str(case.version), home_council=case.household.local_authority)
    if form.is_sent_and_right():
        try:
            application = applications.receive_application(case, form.received(), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            limit = looking.rulebook.due_on("panel_recommendation", application.received_on)
            tell(
                f"Application recorded. Panel’s recommendation is due by {day_year(limit)}, 8 months after you had it. "
                "Next: a manager decides whether to assess."
            )
            return see_other(looking.base)
    saw(case_id=case.id, subject=f"case:{case.reference}")
    return case_page(
        "assessments/receive_application.html",
        looking,
        form,
        applicants=[person for person in people if person.is_applicant],
        others=[person for person in people if not person.is_applicant],
        member_rows=MEMBER_ROWS,
        why_shut=_why_not(looking),
    )


def _why_not(looking: Looking) -> str | None:
    if looking.case.stages.get("application") is not None:  # type: ignore[call-overload]
        return "This household has applied already."
    if looking.case.stages.get("enquiry") != "invited":  # type: ignore[call-overload]
        return "The household has not been invited to apply yet. A manager invites them once a visit is signed off."
    return None


@assessments.route("/cases/<reference>/assessment/decide-to-assess", methods=["GET", "POST"])
@requires(P.DECIDE_TO_ASSESS)
@writes
def decide_to_assess(reference: str) -> Response:
    """Decide to assess: the checks are worked out and Stage 1 begins."""
    looking = look(reference)
    form = DecideToAssessForm(seen=str(looking.case.version))
    if form.is_sent_and_right():
        try:
            applications.decide_to_assess(looking.case, seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Stage 1 has begun, and its checks are listed below. Next: ask for each of them.")
            return see_other(f"{looking.base}/assessment")
    return case_page(
        "assessments/decide_to_assess.html", looking, form, application=queries.application_of(looking.case)
    )


@assessments.route("/cases/<reference>/assessment/household", methods=["GET", "POST"])
@requires(P.RECORD_CHECK)
@records_view("household")
@writes
def household_of(reference: str) -> Response:
    """Who lives there; somebody moved in."""
    looking = look(reference)
    form = MemberForm(seen=str(looking.case.version))
    if form.is_sent_and_right():
        try:
            person = household.somebody_moved_in(looking.case, form.member(), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{person.given_name} is part of the household now. The checks have been worked out again.")
            return see_other(f"{looking.base}/assessment")
    saw(case_id=looking.case.id, subject=f"case:{looking.case.reference}")
    return _household_page(looking, form)


def _household_page(looking: Looking, form: MemberForm | MovedOutForm, leaving: Person | None = None) -> Response:
    return case_page(
        "assessments/household.html", looking, form, people=queries.live_people(looking.case), leaving=leaving
    )


@assessments.route("/cases/<reference>/assessment/household/<int:person_id>/left", methods=["GET", "POST"])
@requires(P.RECORD_CHECK)
@records_view("household")
@writes
def moved_out(reference: str, person_id: int) -> Response:
    """Somebody left the household."""
    looking = look(reference)
    person = next((one for one in queries.live_people(looking.case) if one.id == person_id), None)
    if person is None:
        raise household.NotOfThisHousehold("We can’t find that person in this household.")
    form = MovedOutForm(seen=str(looking.case.version))
    if form.is_sent_and_right():
        try:
            household.somebody_moved_out(
                looking.case, person_id, left_on=form.left_on.data, seen=seen_of(form), **looking.doing
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{person.given_name} is no longer part of the household. The checks have been worked out again.")
            return see_other(f"{looking.base}/assessment")
    saw(case_id=looking.case.id, subject=f"case:{looking.case.reference}")
    return _household_page(looking, form, leaving=person)


@assessments.route("/cases/<reference>/assessment/transfer", methods=["GET", "POST"], endpoint="transfer")
@requires(P.RECORD_CHECK)
@records_view("transfer")
@writes
def transfer_facts(reference: str) -> Response:
    """What is known about an approval by another service."""
    looking = look(reference)
    application = queries.the_application(looking.case)
    names = [name for name in TransferForm(takes_answers=False)._fields if hasattr(application, name)]
    form = TransferForm(seen=str(looking.case.version), **{name: getattr(application, name) for name in names})
    if form.is_sent_and_right():
        try:
            application = transfer.record_transfer(looking.case, form.facts(), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            until = application.approved_elsewhere_until
            tell(
                f"Kept. Their approval elsewhere ends on {day_year(until)}; ours may begin that day."
                if application.approved_elsewhere and until
                else "Kept."
            )
            return see_other(f"{looking.base}/assessment")
    saw(case_id=looking.case.id, subject=f"case:{looking.case.reference}")
    return case_page("assessments/transfer.html", looking, form)


@assessments.route("/cases/<reference>/assessment/withdraw", methods=["GET", "POST"])
@requires(P.WITHDRAW_APPLICATION)
@writes
def withdraw(reference: str) -> Response:
    """End an open application."""
    looking = look(reference)
    queries.the_application(looking.case)
    form = WithdrawForm(seen=str(looking.case.version))
    if form.is_sent_and_right():
        try:
            withdrawal.withdraw(
                looking.case,
                code=form.code.data,
                withdrawn_on=form.withdrawn_on.data,
                words=form.words.data or None,
                seen=seen_of(form),
                **looking.doing,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            kept = looking.case.retain_until_on
            tell(
                "The application is withdrawn and every clock has stopped."
                + (f" Its record is kept until {day_year(kept)} at least." if kept else "")
            )
            return see_other(looking.base)
    return case_page("assessments/withdraw.html", looking, form)


def assessor_choices() -> list[tuple[str, str]]:
    """Everybody who may assess, for a list."""
    return [("", "Choose"), *((str(user.id), user.name) for user in staff_who_may(P.WRITE_ASSESSMENT))]

"""One check of one person, and the Stage 1 decision."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from crm.access.guards import requires
from crm.access.queries import names_of
from crm.assessments import checks, documents, queries, referees, stage_one
from crm.assessments.check_forms import AskForm, ChaseForm, CheckForm, StageOneForm
from crm.assessments.models import CHECK_RESULT_WORDS, Check, CheckResult
from crm.assessments.overview_views import Looking, case_page, look, seen_of
from crm.assessments.views import assessments
from crm.cases.clocks import running_clocks
from crm.cases.queries import is_on_case
from crm.rules import transitions
from crm.rules.documents import STANDING_WORDS
from crm.rules.permissions import Permission, Sensitivity, may_see, require
from crm.rules.refusal import Refusal
from crm.web.filters import day_year
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission


def _page(
    looking: Looking, check: Check, form: CheckForm, *, ask: AskForm | None = None, chase: ChaseForm | None = None
) -> Response:
    """One check: what is known of it, for those who may read it, and the ways to go on."""
    shows = may_see(
        looking.actor,
        Sensitivity(check.sensitivity),
        subject_person_id=check.person_id,
        on_case=is_on_case(looking.actor, looking.case, today=looking.today),
    )
    close = (check.sensitivity,) if shows and check.is_obtained else ()
    saw(case_id=looking.case.id, subject=checks.subject_of(check), kinds=close)
    clock = next(
        iter(running_clocks(looking.case, (check.chase_rule,), subject=checks.subject_of(check))),
        None,
    )
    rule = next((one for one in looking.rulebook.check_rules if one.item == check.item), None)
    referee = referees.in_place(check) if check.item in referees.REFEREE_ITEMS else None
    sent: BaseForm = next((one for one in (form, ask, chase) if one is not None and one.problems), form)
    return case_page(
        "assessments/record_check.html",
        looking,
        sent,
        check=check,
        title=checks.ITEM_TITLES.get(check.item, check.what),
        rule=rule,
        result_form=form,
        ask=ask or AskForm(takes_answers=False, seen=str(looking.case.version), requested_on=looking.today),
        chase=chase or ChaseForm(takes_answers=False, seen=str(looking.case.version)),
        shows=shows,
        result_words=CHECK_RESULT_WORDS[CheckResult(check.result)] if shows and check.result else "",
        is_dbs=check.item in checks.DBS_ITEMS,
        seen_by=names_of([check.seen_by_id]).get(check.seen_by_id or 0, ""),
        clock=clock,
        reading=looking.rulebook.say_due(clock.rule, clock.due_on, today=looking.today) if clock else None,
        can_record=looking.actor.has(P.RECORD_CHECK),
        documents=documents.for_check(looking.case, check.item, check.person_id, today=looking.today)
        if looking.actor.has(P.RECORD_CHECK)
        else [],
        document_words=STANDING_WORDS,
        is_of_referee=check.item in referees.REFEREE_ITEMS,
        referee=referee,
        standing=referees.standing_of(referee, now=looking.now) if referee is not None else None,
    )


def _check_form(looking: Looking, check: Check, *, is_empty: bool = False) -> CheckForm:
    shows = may_see(
        looking.actor,
        Sensitivity(check.sensitivity),
        subject_person_id=check.person_id,
        on_case=is_on_case(looking.actor, looking.case, today=looking.today),
    )
    known: dict[str, Any] = {"seen": str(looking.case.version)}
    if check.is_obtained:
        known |= {
            "received_on": check.received_on,
            "verified_on": check.verified_on,
            "expires_on": check.expires_on,
            "dbs_issued_on": check.dbs_issued_on,
            "dbs_level": check.dbs_level or "",
            "dbs_barred_list_checked": check.dbs_barred_list_checked,
        }
        if shows:
            known |= {"result": check.result, "outcome": check.outcome, "dbs_number": check.dbs_number}
    if is_empty:
        known["takes_answers"] = False
    return CheckForm.of(check, **known)


@assessments.route("/cases/<reference>/checks/<int:check_id>", methods=["GET", "POST"])
@requires(any_of=(P.RECORD_CHECK, P.VIEW_PANEL_CASES, P.SIT_ON_PANEL, P.MAKE_DECISION))
@records_view("check")
@writes
def record_check(reference: str, check_id: int) -> Response:
    """Look at one check; record that it came in."""
    looking = look(reference)
    if request.method == "POST":
        require(looking.actor, P.RECORD_CHECK)
    check = queries.check_of(looking.case, check_id)
    form = _check_form(looking, check)
    if form.is_sent_and_right():
        stage_before = looking.case.stages.get("stage_one")  # type: ignore[call-overload]
        try:
            checks.record_check(looking.case, check, form.came_in(), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            _tell_recorded(looking, check, stage_before)
            following = queries.next_check(looking.case, check) if request.form.get("do") == "next" else None
            return see_other(f"{looking.base}/checks/{following}" if following else f"{looking.base}/assessment")
    return _page(looking, check, form)


def _tell_recorded(looking: Looking, check: Check, stage_before: str | None) -> None:
    stage = looking.case.stages.get("stage_one")  # type: ignore[call-overload]
    words = f"{checks.about(check)}: recorded."
    if stage == "complete" and stage_before == "gathering":
        last = transitions.stage_one_refusal_last_day(
            queries.stored_evidence(looking.case, looking.today), looking.rulebook
        )
        if last is not None:
            words += f" That was the last item. Stage 1 is to be decided by {day_year(last)}."
    tell(words)


@assessments.post("/cases/<reference>/checks/<int:check_id>/asked")
@requires(P.RECORD_CHECK)
@records_view("check")
@writes
def ask_for_check(reference: str, check_id: int) -> Response:
    """Note that a check was asked for."""
    looking = look(reference)
    check = queries.check_of(looking.case, check_id)
    form = AskForm()
    if form.is_sent_and_right():
        try:
            checks.ask_for_check(
                looking.case,
                check,
                requested_on=form.requested_on.data,
                asked_of=form.asked_of.data or None,
                seen=seen_of(form),
                **looking.doing,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{checks.about(check)}: asked for.")
            return see_other(f"{looking.base}/assessment")
    return _page(looking, check, _check_form(looking, check, is_empty=True), ask=form)


@assessments.post("/cases/<reference>/checks/<int:check_id>/chased")
@requires(P.RECORD_CHECK)
@records_view("check")
@writes
def chase_check(reference: str, check_id: int) -> Response:
    """Note that a check was chased."""
    looking = look(reference)
    check = queries.check_of(looking.case, check_id)
    form = ChaseForm()
    if form.is_sent_and_right():
        try:
            checks.chase_check(looking.case, check, words=form.words.data or None, seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{checks.about(check)}: chased. Its clock begins again today.")
            return see_other(f"{looking.base}/assessment")
    return _page(looking, check, _check_form(looking, check, is_empty=True), chase=form)


@assessments.route("/cases/<reference>/assessment/stage-one", methods=["GET", "POST"])
@requires(P.DECIDE_STAGE_ONE)
@records_view("assessment")
@writes
def stage_one_decision(reference: str) -> Response:
    """Decide Stage 1; each answer that is shut says why."""
    looking = look(reference)
    case = looking.case
    queries.the_application(case)
    form = StageOneForm(seen=str(case.version))
    if form.is_sent_and_right():
        try:
            if form.outcome.data == "pass":
                stage_one.pass_stage_one(case, seen=seen_of(form), **looking.doing)
            else:
                stage_one.refuse_stage_one(case, reasons=form.reasons.data, seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            if form.outcome.data == "pass":
                tell("Stage 1 is passed, and the household has been told.")
            else:
                tell("Refused at Stage 1. The notice with the reasons and the way to complain has been written.")
            return see_other(looking.base)
    saw(case_id=case.id, subject=f"case:{case.reference}")
    evidence = queries.stored_evidence(case, looking.today)
    return case_page(
        "assessments/stage_one_decision.html",
        looking,
        form,
        evidence=evidence,
        last_day=transitions.stage_one_refusal_last_day(evidence, looking.rulebook),
        why_no_pass=why_shut("pass_stage_one", looking, evidence),
        why_no_refusal=why_shut("refuse_stage_one", looking, evidence),
        warnings=transitions.warnings_for(
            "refuse_stage_one",
            tracks=case.stages,
            evidence=evidence,
            actor=looking.actor,
            today=looking.today,
            rulebook=looking.rulebook,
        ),
    )


def why_shut(move: str, looking: Looking, evidence: transitions.Evidence) -> str | None:
    """Why a move can't be made now, in the rules' own words; None when it can."""
    try:
        transitions.check_move(
            move,
            tracks=looking.case.stages,
            evidence=evidence,
            actor=looking.actor,
            today=looking.today,
            rulebook=looking.rulebook,
            reason="AW0: to be given",
        )
    except Refusal as refusal:
        return refusal.message
    return None

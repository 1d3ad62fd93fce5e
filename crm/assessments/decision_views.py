"""The decision, telling the household, and its answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, request

from crm.access.guards import requires
from crm.access.queries import names_of
from crm.assessments import answers, decisions, notices, queries
from crm.assessments.check_views import why_shut
from crm.assessments.decision_forms import (
    AgreementForm,
    AnswerForm,
    DecisionForm,
    IrmForm,
    IrmPapersForm,
    PostedForm,
    VoiceForm,
    WrittenForm,
)
from crm.assessments.minutes_words import minutes_shown
from crm.assessments.models import DECISION_WORDS, RECOMMENDATION_WORDS, DecisionKind, Recommendation
from crm.assessments.overview_views import Looking, case_page, look, seen_of
from crm.assessments.referee_views import shows_reference
from crm.assessments.terms import terms_of
from crm.assessments.views import assessments
from crm.cases.clocks import running_clocks
from crm.cases.letters import why_not_reachable
from crm.cases.queries import is_on_case
from crm.clock import now_utc
from crm.rules.permissions import Permission, Sensitivity, may_see, require
from crm.rules.refusal import Refusal
from crm.web.filters import day, day_year
from crm.web.notices import tell
from crm.web.pages import see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission


@assessments.route("/cases/<reference>/decision", methods=["GET", "POST"])
@requires(any_of=(P.MAKE_DECISION, P.VIEW_PANEL_CASES))
@records_view("decision")
@writes
def decide(reference: str) -> Response:
    """What is before the decision maker, and the decision. Every way that is shut says why."""
    looking = look(reference)
    case, today = looking.case, looking.today
    if request.method == "POST":
        require(looking.actor, P.MAKE_DECISION)
    known = queries.dossier_of(case)
    item = queries.recommended_item(known.items)
    evidence = replace(
        queries.decision_evidence(case, today, dossier=known),
        reasons_given=True,
        panel_recommendation_attached=item is not None,
        decision_on=today,
    )
    # An approval elsewhere that ends later shuts only the days before: the form gives the day.
    by_kind = {
        kind: why_shut(
            move,
            looking,
            replace(evidence, effective_on=max(evidence.approved_elsewhere_until or today, today)),
        )
        for kind, move in decisions.MOVE_OF.items()
    }
    opened = tuple(kind for kind, why in by_kind.items() if why is None)
    terms = terms_of(item) if item is not None else None
    form = DecisionForm.of(
        opened,
        seen=str(case.version),
        effective_on=max(evidence.approved_elsewhere_until or today, today),
        **(
            {
                "terms_children": terms.children,
                "terms_youngest": terms.youngest,
                "terms_oldest": terms.oldest,
                "terms_care": terms.care or "",
                "other_terms": terms.other,
            }
            if terms
            else {}
        ),
    )
    if form.is_sent:
        # Sent by hand or from an old page, a decision that is shut is refused in the rules' own words.
        form.kind.choices = [(kind, words) for kind, words in DECISION_WORDS.items()]
    if form.is_sent_and_right():
        try:
            decision = decisions.decide(case, form.considered(), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            tell(_said(decision, looking))
            return see_other(
                looking.base if decision.kind in ("confirm_no", "full_report") else f"{looking.base}/notices"
            )
    form.kind.choices = [(kind, words) for kind, words in DECISION_WORDS.items() if kind in opened]
    saw(case_id=case.id, subject=f"case:{case.reference}")
    shows = may_see(
        looking.actor,
        Sensitivity.PERSONAL,
        subject_person_id=None,
        on_case=is_on_case(looking.actor, case, today=today),
    )
    in_play = [
        (DECISION_WORDS[DecisionKind(kind)], why) for kind, why in by_kind.items() if why and _is_in_play(kind, looking)
    ]
    return case_page(
        "assessments/decide.html",
        looking,
        form,
        item=item,
        minutes=minutes_shown(item) if item else None,
        said=RECOMMENDATION_WORDS[Recommendation(item.recommendation)] if item and item.recommendation else "",
        panel_terms=terms.words if terms else None,
        report=known.report,
        answer=known.answer,
        shut=in_play,
        opened=opened,
        shows=shows,
        clock=next(iter(running_clocks(case, ("adm_decision", "qd_response"))), None),
        before=[(one, DECISION_WORDS[DecisionKind(one.kind)], terms_of(one).words) for one in known.decisions],
        names=names_of([one.decided_by_id for one in known.decisions]),
        can_decide=looking.actor.has(P.MAKE_DECISION),
    )


def _is_in_play(kind: str, looking: Looking) -> bool:
    stage = looking.case.stages.get("application")  # type: ignore[call-overload]
    if kind == DecisionKind.FULL_REPORT:
        report = queries.dossier_of(looking.case).report
        return stage == "with_adm" and report is not None and report.kind == "brief"
    if stage == "with_adm":
        return kind != DecisionKind.CONFIRM_NO or queries.answer_of(looking.case) is not None
    return stage == "qd_issued" and kind == DecisionKind.CONFIRM_NO


def _said(decision: Any, looking: Looking) -> str:
    due = {clock.rule: clock.due_on for clock in running_clocks(looking.case)}
    if decision.kind in (DecisionKind.APPROVE, DecisionKind.PROPOSE_NO):
        told = day(due["oral_notice"]) if "oral_notice" in due else ""
        written = day(due["written_notice"]) if "written_notice" in due else ""
        what = "Approved." if decision.kind == DecisionKind.APPROVE else "You propose not to approve."
        return f"{what} Tell the household by voice by {told} and in writing by {written}."
    if decision.kind == DecisionKind.FULL_REPORT:
        return "The household goes back to its assessor for a full report."
    return "Confirmed. The final decision has been written to the household."


# --- Notices ----------------------------------------------------------------------------------------------------------


@assessments.get("/cases/<reference>/notices")
@requires(P.GIVE_NOTICE)
@records_view("notice")
def give_notice(reference: str) -> Response:
    """Telling the household: by voice, in writing, and the agreement."""
    return _notices_page(look(reference))


def _notices_page(looking: Looking, form: Any = None, **forms: Any) -> Response:
    case = looking.case
    decision = notices.decision_to_tell(case)
    saw(case_id=case.id, subject=f"decision:{decision.id}")
    made = {one.kind: one for one in queries.notices_of(case) if one.decision_id == decision.id}
    clocks = {clock.rule: clock for clock in running_clocks(case)}
    seen = {"takes_answers": False, "seen": str(case.version)}
    is_approval = decision.kind == DecisionKind.APPROVE
    kind = "approval_notice" if is_approval else "qualifying_determination"
    return case_page(
        "assessments/give_notice.html",
        looking,
        form,
        decision=decision,
        decision_words=DECISION_WORDS[DecisionKind(decision.kind)],
        terms=terms_of(decision).words,
        is_approval=is_approval,
        oral=made.get("oral"),
        written=made.get("written"),
        readings={
            rule: (clock.due_on, looking.rulebook.say_due(rule, clock.due_on, today=looking.today))
            for rule, clock in clocks.items()
        },
        application=queries.the_application(case),
        names=names_of([decision.decided_by_id, *(one.given_by_id for one in made.values())]),
        unreachable=[
            (person.id, person.full_name, why)
            for person in queries.live_people(case)
            if person.is_applicant and (why := why_not_reachable(kind, case, person, now=now_utc()))
        ],
        voice=forms.get("voice") or VoiceForm(**seen),
        writing=forms.get("writing") or WrittenForm(channel="email", **seen),
        posted=forms.get("posted") or PostedForm(**seen),
        agreement=forms.get("agreement") or AgreementForm(**seen),
        respond_by=looking.rulebook.due_on("qd_response", looking.today),
    )


@assessments.post("/cases/<reference>/notices/told")
@requires(P.GIVE_NOTICE)
@records_view("notice")
@writes
def tell_by_voice(reference: str) -> Response:
    """They were told by voice."""
    looking = look(reference)
    form = VoiceForm()
    if form.is_sent_and_right():
        try:
            notices.tell_by_voice(
                looking.case,
                told_on=form.told_on.data,
                method=form.method.data,
                words=form.words.data or None,
                seen=seen_of(form),
                **looking.doing,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Kept: they have been told. Next: the written notice.")
            return see_other(f"{looking.base}/notices")
    return _notices_page(looking, form, voice=form)


@assessments.post("/cases/<reference>/notices/written")
@requires(P.GIVE_NOTICE)
@records_view("notice")
@writes
def send_written_notice(reference: str) -> Response:
    """Write the notice."""
    looking = look(reference)
    form = WrittenForm()
    if form.is_sent_and_right():
        try:
            notice = notices.send_written_notice(
                looking.case, channel=form.channel.data, seen=seen_of(form), **looking.doing
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            if notice.method == "post":
                tell("The notice is ready to print, dated today. Post it today, then record its posting here.")
            else:
                tell("The notice is on its way by email, dated today.")
            return see_other(f"{looking.base}/notices")
    return _notices_page(looking, form, writing=form)


@assessments.post("/cases/<reference>/notices/posted")
@requires(P.GIVE_NOTICE)
@records_view("notice")
@writes
def record_posting(reference: str) -> Response:
    """The printed notice was posted."""
    looking = look(reference)
    form = PostedForm()
    if form.is_sent_and_right():
        try:
            notices.record_posting(
                looking.case,
                posted_on=form.posted_on.data,
                method=form.posting_method.data,
                seen=seen_of(form),
                **looking.doing,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Kept: the notice has been posted.")
            return see_other(f"{looking.base}/notices")
    return _notices_page(looking, form, posted=form)


@assessments.post("/cases/<reference>/notices/agreement")
@requires(P.GIVE_NOTICE)
@records_view("notice")
@writes
def sign_agreement(reference: str) -> Response:
    """The foster care agreement is signed."""
    looking = look(reference)
    form = AgreementForm()
    if form.is_sent_and_right():
        try:
            notices.sign_agreement(looking.case, signed_on=form.signed_on.data, seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Kept: the foster care agreement is signed.")
            return see_other(f"{looking.base}/notices")
    return _notices_page(looking, form, agreement=form)


# --- The household's answer -------------------------------------------------------------------------------------------


@assessments.route("/cases/<reference>/answer", methods=["GET", "POST"])
@requires(any_of=(P.RECORD_POST, P.MANAGE_PANEL))
@records_view("answer")
@writes
def response(reference: str) -> Response:
    """The household's answer to a proposal not to approve, and what follows from it."""
    looking = look(reference)
    if request.method == "POST":
        require(looking.actor, P.RECORD_POST)
    form = _answer_form(looking)
    if form.is_sent_and_right():
        try:
            answers.receive_answer(
                looking.case,
                kind=form.kind.data,
                received_on=form.received_on.data,
                said=form.said.data or None,
                seen=seen_of(form),
                **looking.doing,
            )
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            if form.kind.data == "irm":
                due = looking.rulebook.due_on("irm_papers", form.received_on.data)
                tell(f"Recorded. Send the reports and the notice, not the panel’s minutes, by {day(due)}.")
            else:
                tell("Recorded. Next: the household goes back to panel.")
            return see_other(f"{looking.base}/answer")
    return _answer_page(looking, form, answer_form=form)


def _answer_form(looking: Looking, **kwargs: Any) -> AnswerForm:
    evidence = queries.stored_evidence(looking.case, looking.today)
    return AnswerForm.of(irm_is_open=not evidence.disqualified, seen=str(looking.case.version), **kwargs)


def _answer_page(looking: Looking, form: Any, **forms: Any) -> Response:
    case = looking.case
    known = queries.dossier_of(case)
    if known.determination is None:
        raise answers.NoAnswerPossible(
            "Nobody has proposed not to approve this household, so there is nothing to answer."
        )
    saw(case_id=case.id, subject=f"case:{case.reference}")
    notice = known.notice(known.determination, "written")
    last_day = looking.rulebook.due_on("qd_response", notice.noticed_on) if notice else None
    evidence = queries.stored_evidence(case, looking.today, dossier=known)
    shows = may_see(
        looking.actor,
        Sensitivity.PERSONAL,
        subject_person_id=None,
        on_case=is_on_case(looking.actor, case, today=looking.today),
    )
    seen = {"takes_answers": False, "seen": str(case.version)}
    return case_page(
        "assessments/response.html",
        looking,
        form,
        notice=notice,
        last_day=last_day,
        answer=known.answer,
        shows=shows,
        shows_papers=shows_reference(looking, None),
        is_waiting=case.stages.get("application") == "qd_issued",  # type: ignore[call-overload]
        is_with_irm=case.stages.get("application") == "irm",  # type: ignore[call-overload]
        is_disqualified=evidence.disqualified,
        answer_form=forms.get("answer_form") or _answer_form(looking, takes_answers=False),
        papers_form=forms.get("papers") or IrmPapersForm(**seen),
        irm_form=forms.get("irm") or IrmForm(**seen),
        can_record=looking.actor.has(P.RECORD_POST),
        can_manage=looking.actor.has(P.MANAGE_PANEL),
        said=day_year(known.answer.received_on) if known.answer else "",
    )


@assessments.post("/cases/<reference>/answer/papers")
@requires(P.RECORD_POST)
@records_view("answer")
@writes
def irm_papers(reference: str) -> Response:
    """The papers have gone to the Independent Review Mechanism."""
    looking = look(reference)
    form = IrmPapersForm()
    if form.is_sent_and_right():
        try:
            answers.irm_papers_sent(looking.case, sent_on=form.sent_on.data, seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Kept: the papers have gone.")
            return see_other(f"{looking.base}/answer")
    return _answer_page(looking, form, papers=form)


@assessments.post("/cases/<reference>/answer/irm")
@requires(P.MANAGE_PANEL)
@records_view("answer")
@writes
def irm_recommendation(reference: str) -> Response:
    """What the independent panel recommends."""
    looking = look(reference)
    form = IrmForm()
    if form.is_sent_and_right():
        try:
            answers.irm_recommends(
                looking.case,
                recommendation=form.recommendation.data,
                reasons=form.reasons.data,
                received_on=form.received_on.data,
                seen=seen_of(form),
                **looking.doing,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            due = looking.rulebook.due_on("adm_decision", form.received_on.data)
            tell(f"Recorded. Our decision maker decides by {day(due)}.")
            return see_other(looking.base)
    return _answer_page(looking, form, irm=form)

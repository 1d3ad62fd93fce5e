"""Telling the household: by voice within 2 working days of the decision, in writing within 5; and the agreement."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from crm.assessments.models import RECOMMENDATION_WORDS, Decision, DecisionKind, Notice, PanelItem, Recommendation
from crm.assessments.queries import decisions_of, live_people, notices_of, stored_evidence, the_application
from crm.assessments.steps import begin_step, end_step, not_after_today, not_before, note
from crm.assessments.terms import terms_of
from crm.cases import clocks, letters, timeline
from crm.cases.models import Case
from crm.db import db
from crm.delivery import Channel, OutboundMessage
from crm.delivery.models import MessageStatus
from crm.delivery.posting import DISPATCH_METHODS, CannotDispatch, record_dispatch
from crm.rules.permissions import Actor, Permission
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

NOTICE_LETTERS = ("approval_notice", "qualifying_determination", "final_decision")
"""The letters that are a written notice of a decision."""


class NothingToTell(Refusal):
    """No decision is waiting to be told."""


class ToldAlready(Refusal):
    """They were told before."""


class CannotBeReached(Refusal):
    """There is no way to get a written notice to an applicant."""


def decision_to_tell(case: Case) -> Decision:
    """The newest decision that the household is told of by notice. Raises NothingToTell."""
    for decision in decisions_of(the_application(case)):
        if decision.kind in (DecisionKind.APPROVE, DecisionKind.PROPOSE_NO):
            return decision
        if decision.kind == DecisionKind.CONFIRM_NO:
            break
    raise NothingToTell("There is no decision waiting to be told.")


def _notice(case: Case, decision: Decision, kind: str) -> Notice | None:
    return next((one for one in notices_of(case) if one.decision_id == decision.id and one.kind == kind), None)


def tell_by_voice(
    case: Case,
    *,
    told_on: date,
    method: str,
    words: str | None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Notice:
    """Note that somebody told the household the decision by voice."""
    begin_step(case, Permission.GIVE_NOTICE, actor=actor, seen=seen, on_open_only=False)
    decision = decision_to_tell(case)
    if _notice(case, decision, "oral") is not None:
        raise ToldAlready("They have been told by voice already.")
    not_after_today(told_on, today=today, field="told_on", what="The day they were told")
    not_before(
        told_on, decision.decided_on, field="told_on", message="They can’t have been told before it was decided."
    )
    notice = Notice(
        case_id=case.id,
        decision_id=decision.id,
        kind="oral",
        noticed_on=told_on,
        given_by_id=actor.user_id,
        method=method,
    )
    notice.note = words or None
    db.session.add(notice)
    clocks.stop(case, ("oral_notice",), on=told_on)
    timeline.add(
        case, kind="contact", title="Told of the decision by voice", detail=words, actor=actor, occurred_at=now
    )
    note("notice.oral", case, actor=actor, now=now, subject=f"decision:{decision.id}", on=told_on)
    end_step(case, today=today, rulebook=rulebook)
    return notice


def send_written_notice(
    case: Case,
    *,
    channel: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Notice:
    """Write the notice, dated today, to each applicant: by email, or by post to be printed.

    The 28 days to answer a proposal not to approve count from the date on the notice, also where it goes by post; late
    posting takes from the household's time, so the day and way of posting are recorded too. The 5 working days are
    kept once an email is written, or the post has gone. Raises CannotBeReached, NothingToTell, ToldAlready.
    """
    begin_step(case, Permission.GIVE_NOTICE, actor=actor, seen=seen, on_open_only=False)
    decision = decision_to_tell(case)
    if _notice(case, decision, "written") is not None:
        raise ToldAlready("The written notice is made already.")
    kind, context = _letter(case, decision, today=today, rulebook=rulebook)
    used = set()
    for person in live_people(case):
        if not person.is_applicant:
            continue
        message = letters.send_letter(
            kind,
            case=case,
            person=person,
            context=context,
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            occasion=f"decision:{decision.id}",
            channel=Channel.POST if channel == "post" else None,
        )
        if message is None:
            raise CannotBeReached(
                f"We have no way to write to {person.full_name} {'by post' if channel == 'post' else ''}".rstrip()
                + ". Add an email or a postal address first.",
                field="channel",
                status=422,
            )
        used.add(message.channel)
    notice = Notice(
        case_id=case.id,
        decision_id=decision.id,
        kind="written",
        noticed_on=today,
        given_by_id=actor.user_id,
        method="post" if Channel.POST in used else "email",
    )
    db.session.add(notice)
    db.session.flush()
    if notice.method == "email":
        clocks.stop(case, ("written_notice",), on=today)
    if decision.kind == DecisionKind.PROPOSE_NO:
        clocks.start(case, "qd_response", counted_from=today, rulebook=rulebook)
    note("notice.written", case, actor=actor, now=now, subject=f"decision:{decision.id}", method=notice.method)
    end_step(case, today=today, rulebook=rulebook)
    return notice


def _letter(case: Case, decision: Decision, *, today: date, rulebook: Rulebook) -> tuple[str, dict[str, Any]]:
    if decision.kind == DecisionKind.PROPOSE_NO:
        item = db.session.get(PanelItem, decision.panel_item_id) if decision.panel_item_id else None
        return "qualifying_determination", {
            "decided_on": decision.decided_on,
            "notice_on": today,
            "reasons": decision.reasons,
            "panel_recommendation": recommendation_words(item),
            "respond_by": rulebook.due_on("qd_response", today),
            "is_disqualified": stored_evidence(case, today).disqualified,
        }
    words = terms_of(decision).words
    before = [one for one in decisions_of(the_application(case)) if one.kind == DecisionKind.PROPOSE_NO]
    if before:
        return "final_decision", {
            "decided_on": decision.decided_on,
            "is_approved": True,
            "reasons": decision.reasons or "We looked at everything again, with what you told us.",
            "terms": words,
        }
    return "approval_notice", {"decided_on": decision.decided_on, "terms": words}


def recommendation_words(item: PanelItem | None) -> str:
    """A copy of the panel's recommendation with its reasons, for a notice."""
    if item is None or item.recommendation is None:
        return "No panel was required."
    held = item.meeting.meets_on
    said = RECOMMENDATION_WORDS[Recommendation(item.recommendation)].lower()
    return f"On {held:%A} {held.day} {held:%B %Y} the panel recommended: {said}.\n\n{item.reasons or ''}".strip()


def record_posting(
    case: Case,
    *,
    posted_on: date,
    method: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Notice:
    """Note when and how a printed notice was posted: then the 5 working days are kept."""
    begin_step(case, Permission.GIVE_NOTICE, actor=actor, seen=seen, on_open_only=False)
    notice = _printed_notice(case)
    if notice is None:
        raise NothingToTell("No printed notice is waiting to be posted.")
    if notice.dispatched_on is not None:
        raise ToldAlready("Its posting is recorded already.")
    not_after_today(posted_on, today=today, field="posted_on", what="The day it was posted")
    not_before(
        posted_on, notice.noticed_on, field="posted_on", message="It can’t be posted before the date on the letter."
    )
    if method not in DISPATCH_METHODS:
        raise CannotDispatch("Choose how it was posted.", status=422, field="posting_method")
    for message in _printed(case):
        record_dispatch(message, on=posted_on, method=method, actor=actor, now=now)
    _note_posted(case, notice, posted_on=posted_on, method=method, actor=actor, now=now)
    end_step(case, today=today, rulebook=rulebook)
    return notice


def follow_posting(
    case: Case, *, posted_on: date, method: str, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> None:
    """A printed letter was recorded as posted in the list of letters: when it was the last copy of the written notice,
    the notice is posted too, and its 5 working days are kept."""
    notice = _printed_notice(case)
    if notice is None or notice.dispatched_on is not None or _printed(case):
        return
    _note_posted(case, notice, posted_on=posted_on, method=method, actor=actor, now=now)
    end_step(case, today=today, rulebook=rulebook)


def _printed_notice(case: Case) -> Notice | None:
    return db.session.scalars(
        select(Notice)
        .where(Notice.case_id == case.id, Notice.kind == "written", Notice.method == "post")
        .order_by(Notice.id.desc())
    ).first()


def _note_posted(case: Case, notice: Notice, *, posted_on: date, method: str, actor: Actor, now: datetime) -> None:
    words = DISPATCH_METHODS[method]
    notice.dispatched_on, notice.dispatch_method = posted_on, words
    clocks.stop(case, ("written_notice",), on=posted_on)
    timeline.add(case, kind="letter", title=f"Written notice posted, {words.lower()}", actor=actor, occurred_at=now)
    note("notice.posted", case, actor=actor, now=now, subject=f"notice:{notice.id}", on=posted_on)


def _printed(case: Case) -> list[OutboundMessage]:
    """The printed notices of a case that nobody has recorded as posted in the list of letters."""
    return list(
        db.session.scalars(
            select(OutboundMessage).where(
                OutboundMessage.case_id == case.id,
                OutboundMessage.kind.in_(NOTICE_LETTERS),
                OutboundMessage.status == MessageStatus.TO_PRINT,
            )
        )
    )


def sign_agreement(
    case: Case,
    *,
    signed_on: date,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Note that the foster care agreement is signed (Sch 5). No child may come before it is."""
    begin_step(case, Permission.GIVE_NOTICE, actor=actor, seen=seen, on_open_only=False)
    application = the_application(case)
    decision = decision_to_tell(case)
    if decision.kind != DecisionKind.APPROVE:
        raise NothingToTell("The household is not approved, so there is no agreement to sign.")
    if application.agreement_signed_on is not None:
        raise ToldAlready("The agreement is signed already.")
    not_after_today(signed_on, today=today, field="signed_on", what="The day it was signed")
    not_before(
        signed_on, decision.decided_on, field="signed_on", message="It can’t be signed before they were approved."
    )
    application.agreement_signed_on = signed_on
    clocks.stop(case, ("foster_care_agreement",), on=signed_on)
    timeline.add(case, kind="move", title="Foster care agreement signed", actor=actor, occurred_at=now)
    note("agreement.signed", case, actor=actor, now=now, on=signed_on)
    end_step(case, today=today, rulebook=rulebook)

"""What staff do with an enquiry: log it, talk to the household, let it rest until a day, close it, open it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from crm.audit import record
from crm.cases import contact, summary, timeline
from crm.cases.add_touch import add_touch
from crm.cases.change_stage import change_stage, claim_version
from crm.cases.contact import add_note, moment_of
from crm.cases.models import Case, ClosingRequest, Person
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.db import db
from crm.enquiries.queries import open_request
from crm.rules import response, transitions
from crm.rules.permissions import Actor, Permission, require
from crm.rules.reasons import CLOSING_REASONS, NOT_NOW_REASONS
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import EnquiryStage, TrackName
from crm.rules.transitions import Evidence


class ReasonUnknown(Refusal):
    """The reason is not one of those that can be counted."""

    default_status = 422


class WordsMissing(Refusal):
    """A letter was asked for, and nobody said what it tells them."""

    default_status = 422


class NotToBeClosedYet(Refusal):
    """An enquiry that nobody answers has not been tried enough, or the asking is settled already."""


def log_enquiry(
    *,
    people: Sequence[NewPerson],
    touch: NewTouch,
    postcode: str | None,
    facts: Mapping[str, str],
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    same_as: Case | None = None,
    is_mine: bool = False,
    talked: bool = False,
) -> Case:
    """Log what came by phone, email or word of mouth: a household of its own, or another touch of one we know.

    ``talked``: the call was the first talk, so the response clock stops with it.
    """
    require(actor, Permission.LOG_ENQUIRY)
    if same_as is not None:
        add_touch(
            same_as, touch=touch, people=people, facts=facts, actor=actor, now=now, today=today, rulebook=rulebook
        )
        return same_as
    case = open_case(
        people=list(people),
        touch=touch,
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        owner_id=actor.user_id if is_mine else None,
        postcode=postcode,
        facts=dict(facts),
    )
    if talked:
        note = touch.said or "Talked it through when they rang."
        record_talk(case, case.household.people[0], note=note, actor=actor, now=now, today=today, rulebook=rulebook)
    return case


def record_talk(
    case: Case,
    person: Person,
    *,
    note: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
    on: date | None = None,
) -> bool:
    """Write down a talk with somebody. The first one stops the response clock and moves the case on: then True.

    ``on`` is the day of the talk, today unless given: the clock stops on that day. Raises NotOnThatDay.
    """
    require(actor, Permission.RECORD_CONTACT)
    at = moment_of(case, on, now=now, today=today)
    talked_on = on or today
    is_first = case.stages.get(TrackName.ENQUIRY) == EnquiryStage.NEW
    if not is_first:
        add_note(case, text=note, kind="contact", actor=actor, now=now, at=at)
        return False
    change_stage(
        case,
        "record_contact",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        seen=seen,
        effective_on=talked_on,
        evidence=Evidence(contacted_on=talked_on, eligibility_outcome=case.eligibility_outcome),
    )
    _nothing_to_agree_to(case, actor=actor, now=now)
    timeline.add(
        case,
        kind="contact",
        title=f"Spoke to {person.full_name}",
        detail=note.strip(),
        actor=actor,
        occurred_at=at,
        person_id=person.id,
    )
    return True


def rest_until(
    case: Case,
    *,
    back_on: date,
    reason_code: str,
    words: str,
    write_to_them: bool,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Not now: the household rests until a day, on which its owner is reminded. ``words`` are what they are told."""
    if reason_code not in NOT_NOW_REASONS:
        raise ReasonUnknown("Choose why it is not now.", field="reason")
    change_stage(
        case,
        "set_not_now",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        seen=seen,
        evidence=Evidence(recontact_on=back_on, eligibility_outcome=case.eligibility_outcome),
        reason=words.strip() or NOT_NOW_REASONS[reason_code],
        reason_code=reason_code,
        due_on={"recontact": back_on},
        letter_context={"reasons": words.strip(), "back_on": back_on},
        send_letters=write_to_them,
    )
    _nothing_to_agree_to(case, actor=actor, now=now)


# --- Closing ---------------------------------------------------------------------------------------------------------


def close_enquiry(
    case: Case,
    *,
    reason_code: str,
    words: str,
    write_to_them: bool,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
    agreed: bool = False,
) -> None:
    """Close an enquiry with a reason that can be counted.

    ``words`` are what the household is told; where there are none, the reason's own. Of what was logged by mistake
    nobody is told, whatever is ticked. ``agreed``: a manager has, though it is not a manager who closes. Raises
    ReasonUnknown, WordsMissing, MoveNotOpen.
    """
    told, is_written = what_they_are_told(reason_code, words, write_to_them=write_to_them)
    change_stage(
        case,
        "close_enquiry",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        seen=seen,
        evidence=closing_evidence(case, reason_code, agreed=agreed),
        reason=told or CLOSING_REASONS[reason_code].label,
        reason_code=reason_code,
        letter_context={"reasons": told},
        send_letters=is_written,
    )
    _nothing_to_agree_to(case, agreed=True if reason_code == "no_response" else None, actor=actor, now=now)


def what_they_are_told(reason_code: str, words: str, *, write_to_them: bool) -> tuple[str, bool]:
    """What a household reads of a closing, and whether it is written to. Raises ReasonUnknown, WordsMissing."""
    reason = CLOSING_REASONS.get(reason_code)
    if reason is None:
        raise ReasonUnknown("Choose why the enquiry ends.", field="reason")
    is_written = write_to_them and reason.is_written
    told = words.strip() or (reason.words if is_written else "")
    if is_written and not told:
        raise WordsMissing("Write what the letter says, or leave the letter out.", field="words")
    return told, is_written


def closing_evidence(case: Case, reason_code: str, *, agreed: bool = False) -> Evidence:
    """What the rule about closing asks of a case."""
    tries = [(one.how, one.tried_at) for one in contact.tries_of(case)] if reason_code == "no_response" else []
    return Evidence(
        eligibility_outcome=case.eligibility_outcome,
        closing_reason=reason_code,
        tries_apart=response.tries_apart(tries),
        closing_agreed=agreed,
    )


def ask_to_close(
    case: Case,
    *,
    words: str,
    write_to_them: bool,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> ClosingRequest:
    """Ask a manager to agree that nobody answers. The tries must have been made; the clocks run on until it is agreed.

    Raises MoveNotOpen where too few were, NotToBeClosedYet where it has been asked already.
    """
    require(actor, Permission.CLOSE_ENQUIRY)
    told, is_written = what_they_are_told("no_response", words, write_to_them=write_to_them)
    transitions.check_move(
        "close_enquiry",
        tracks=case.stages,
        evidence=closing_evidence(case, "no_response", agreed=True),
        actor=actor,
        today=today,
        rulebook=rulebook,
        reason="no_response",
    )
    claim_version(case, seen)
    if open_request(case) is not None:
        raise NotToBeClosedYet("A manager has been asked already, and has not answered yet.")
    request = ClosingRequest(case_id=case.id, asked_at=now, asked_by_id=actor.user_id, write_to_them=is_written)
    request.words = told
    db.session.add(request)
    timeline.add(case, kind="move", title="A manager is asked to agree: no answer", actor=actor, occurred_at=now)
    record("closing.asked", actor=actor, at=now, case_id=case.id, subject=f"case:{case.reference}")
    summary.refresh(case, today=today, rulebook=rulebook)
    return request


def agree_to_close(
    case: Case,
    request: ClosingRequest,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """A manager agrees: the enquiry closes with the letter that was asked for. Raises NotToBeClosedYet, MoveNotOpen."""
    require(actor, Permission.AGREE_CLOSING)
    _still_waits(request)
    close_enquiry(
        case,
        reason_code="no_response",
        words=request.words or "",
        write_to_them=request.write_to_them,
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        seen=seen,
    )


def decline_to_close(
    case: Case,
    request: ClosingRequest,
    *,
    why: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """A manager does not agree, and says what to try: that stands on the timeline, and the enquiry stays open."""
    require(actor, Permission.AGREE_CLOSING)
    if not why.strip():
        raise WordsMissing("Say what to try first.", field="why")
    _still_waits(request)
    claim_version(case, seen)
    _settle(request, agreed=False, actor=actor, now=now)
    timeline.add(case, kind="note", title="Not to be closed yet", detail=why.strip(), actor=actor, occurred_at=now)
    record("closing.declined", actor=actor, at=now, case_id=case.id, subject=f"case:{case.reference}")
    summary.refresh(case, today=today, rulebook=rulebook)


def _still_waits(request: ClosingRequest) -> None:
    if request.settled_at is not None:
        raise NotToBeClosedYet("Somebody has answered that already. The timeline says who.")


def _nothing_to_agree_to(case: Case, *, actor: Actor, now: datetime, agreed: bool | None = None) -> None:
    """Something happened that takes the place of an answer: they were reached, rest until a day, or are closed."""
    waiting = open_request(case)
    if waiting is not None:
        _settle(waiting, agreed=agreed, actor=actor, now=now)


def _settle(request: ClosingRequest, *, agreed: bool | None, actor: Actor, now: datetime) -> None:
    request.settled_at, request.settled_by_id, request.agreed = now, actor.user_id, agreed


# --- Opening again ---------------------------------------------------------------------------------------------------


def reopen_enquiry(
    case: Case,
    *,
    note: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Open a resting or closed enquiry again: the same household, the same case, a new try."""
    change_stage(
        case,
        "reopen_enquiry",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        seen=seen,
        evidence=Evidence(contacted_on=today, eligibility_outcome=case.eligibility_outcome),
        reason=note.strip() or None,
    )

"""What staff do with an enquiry: log it, talk to the household, let it rest until a day, close it, open it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from crm.cases import timeline
from crm.cases.add_touch import add_touch
from crm.cases.change_stage import change_stage
from crm.cases.contact import add_note
from crm.cases.models import Case, Person
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.cases.owners import owner_for
from crm.rules.permissions import Actor, Permission, require
from crm.rules.reasons import CLOSED_REASONS, NOT_NOW_REASONS
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import EnquiryStage, TrackName
from crm.rules.transitions import Evidence

UNWRITTEN = frozenset({"duplicate", "spam", "no_response"})
"""Reasons for closing that nobody is written to about, unless a person wishes it: they would mislead or alarm."""


class ReasonUnknown(Refusal):
    """The reason is not one of those that can be counted."""

    default_status = 422


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
) -> Case:
    """Log what came by phone, email or word of mouth: a household of its own, or another touch of one we know."""
    require(actor, Permission.LOG_ENQUIRY)
    if same_as is not None:
        add_touch(
            same_as, touch=touch, people=people, facts=facts, actor=actor, now=now, today=today, rulebook=rulebook
        )
        return same_as
    return open_case(
        people=list(people),
        touch=touch,
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        owner_id=actor.user_id if is_mine else owner_for(postcode),
        postcode=postcode,
        facts=dict(facts),
    )


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
) -> bool:
    """Write down a talk with somebody. The first one stops the response clock and moves the case on: then True."""
    require(actor, Permission.RECORD_CONTACT)
    is_first = case.stages.get(TrackName.ENQUIRY) == EnquiryStage.NEW
    if not is_first:
        add_note(case, text=note, kind="contact", actor=actor, now=now)
        return False
    change_stage(
        case,
        "record_contact",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        seen=seen,
        evidence=Evidence(contacted_on=today, eligibility_outcome=case.eligibility_outcome),
    )
    timeline.add(
        case,
        kind="contact",
        title=f"Spoke to {person.full_name}",
        detail=note.strip(),
        actor=actor,
        occurred_at=now,
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
) -> None:
    """Close an enquiry with a reason that can be counted. ``words`` are what the household is told."""
    if reason_code not in CLOSED_REASONS:
        raise ReasonUnknown("Choose why the enquiry ends.", field="reason")
    change_stage(
        case,
        "close_enquiry",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        seen=seen,
        evidence=Evidence(eligibility_outcome=case.eligibility_outcome),
        reason=words.strip() or CLOSED_REASONS[reason_code],
        reason_code=reason_code,
        letter_context={"reasons": words.strip()},
        send_letters=write_to_them,
    )


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

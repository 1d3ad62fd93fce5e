"""The same household in touch once more: the touch, the people it names and what they said join the case they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from crm.cases.change_stage import change_stage
from crm.cases.consents import consents_in_force
from crm.cases.duplicates import known_as
from crm.cases.facts import state_fact
from crm.cases.models import Case, Enquiry, Person, PersonRole
from crm.cases.open_case import NewPerson, NewTouch, add_person, join_case, keep_answers, set_contact_points
from crm.cases.tasks import add_task
from crm.clock import london_date
from crm.rules.permissions import Actor, Permission
from crm.rules.quiet_times import keep_quiet, read_quiet
from crm.rules.rulebook import Rulebook
from crm.rules.stages import EnquiryStage, TrackName
from crm.rules.transitions import Evidence


@dataclass(frozen=True)
class Joined:
    """What became of a further touch: its row, and whom it added to the household."""

    enquiry: Enquiry
    added: tuple[Person, ...]
    reopened: bool


def may_take_a_touch(case: Case) -> bool:
    """Whether a further touch belongs on this case: it goes on, or it ended before anybody applied."""
    return case.is_open or (TrackName.APPLICATION not in case.stages)


def add_touch(
    case: Case,
    *,
    touch: NewTouch,
    people: Sequence[NewPerson],
    facts: Mapping[str, str] | None = None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> Joined:
    """Join a touch to a case. The first touch's clock goes on as it was; a household past it gets a task instead.

    1. Add the people we did not know, and fill in what was missing about those we did; nothing known is overwritten.
    2. Keep consents and answers, each for the person who gave it.
    3. Open the enquiry again if it was closed, so that somebody has to act.
    4. Give the owner something to do by the next working day, unless the first call is still to come.
    5. Write the touch itself.
    """
    received_on = london_date(touch.received_at)
    added = []
    for new in people:
        known = known_as(case, new)
        if known is None:
            added.append(_add(case, new, source=touch.source, stated_on=received_on, actor=actor, now=now))
        else:
            _fill_in(case, known, new, source=touch.source, stated_on=received_on, actor=actor, now=now)
    for key, value in (facts or {}).items():
        state_fact(case, key=key, value=value, source=touch.source, stated_on=received_on, actor=actor, now=now)
    closed = case.stages.get(TrackName.ENQUIRY) == EnquiryStage.CLOSED
    reopened = closed and actor.has(Permission.RECORD_CONTACT)
    if reopened:
        change_stage(
            case,
            "reopen_enquiry",
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            evidence=Evidence(eligibility_outcome=case.eligibility_outcome),
            reason=f"In touch again: {touch.source}",
            send_letters=False,
        )
    if case.owner_id is not None and case.stages.get(TrackName.ENQUIRY) != EnquiryStage.NEW:
        add_task(
            title=f"In touch again: {touch.source}. Read what they said and get back to them",
            assigned_to_id=case.owner_id,
            due_on=max(rulebook.respond_by(touch.channel, touch.received_at), today),
            actor=actor,
            now=now,
            case=case,
        )
    enquiry = join_case(case, touch, actor=actor, now=now, today=today, rulebook=rulebook)
    return Joined(enquiry, tuple(added), reopened)


def _add(case: Case, new: NewPerson, *, source: str, stated_on: date, actor: Actor, now: datetime) -> Person:
    roles = {person.role for person in case.household.people}
    free = [role for role in (PersonRole.APPLICANT_1, PersonRole.APPLICANT_2) if role not in roles]
    role = new.role if new.role not in roles else free[0] if free else PersonRole.HOUSEHOLD_ADULT
    return add_person(case, replace(new, role=role), source=source, stated_on=stated_on, actor=actor, now=now)


def _fill_in(
    case: Case, person: Person, new: NewPerson, *, source: str, stated_on: date, actor: Actor, now: datetime
) -> None:
    if (new.email and not person.email) or (new.phone and not person.phone):
        set_contact_points(person, email=person.email or new.email, phone=person.phone or new.phone)
    person.born_on = person.born_on or new.born_on
    person.contact_times = new.contact_times or person.contact_times
    person.prefers = new.prefers or person.prefers
    # A warning is never taken back by a later sheet or form that happens to hold none.
    person.no_calls = person.no_calls or new.no_calls
    person.no_voicemail = person.no_voicemail or new.no_voicemail
    person.no_texts = person.no_texts or new.no_texts
    person.no_emails = person.no_emails or new.no_emails
    person.no_letters = person.no_letters or new.no_letters
    person.quiet_times = keep_quiet(read_quiet(f"{person.quiet_times or ''},{new.quiet_times or ''}"))
    if new.safe_contact and new.safe_contact not in (person.safe_contact or ""):
        person.safe_contact = "; ".join(part for part in (person.safe_contact, new.safe_contact) if part)
    in_force = consents_in_force([person.id]).get(person.id, {})
    keep_answers(case, person, new, in_force=in_force, source=source, stated_on=stated_on, actor=actor, now=now)

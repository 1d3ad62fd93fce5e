"""Receiving an application and deciding to assess it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from crm.assessments import checks
from crm.assessments.household import AdultOrChild, NewMember, add_member, check_age
from crm.assessments.models import Application, Signature
from crm.assessments.queries import live_people, stored_evidence, the_application
from crm.assessments.steps import not_after_today, not_before, note
from crm.cases.change_stage import change_stage
from crm.cases.models import Case, Person
from crm.db import db
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.transitions import Evidence


class NotSignedByAll(Refusal):
    """Somebody who applies has not signed, or does not agree to the checks."""

    default_status = 422


class OtherServiceNotNamed(Refusal):
    """Approved by another service, which nobody has named."""

    default_status = 422


@dataclass(frozen=True, kw_only=True)
class SignedBy:
    """One applicant's part: when they signed, and what the list of checks depends on."""

    person_id: int
    signed_on: date
    agrees_to_checks: bool
    born_on: date
    approved_within_year: bool = False
    lived_abroad: bool = False
    has_former_partner: bool = False
    works_with_children: bool = False


@dataclass(frozen=True, kw_only=True)
class Received:
    """What an application says, as staff copy it from the form."""

    received_on: date
    accepted_on: date | None = None
    signed: tuple[SignedBy, ...]
    members: tuple[NewMember, ...] = ()
    """Everybody else at home and children elsewhere who are not on the case yet."""
    known_members: dict[int, date] = field(default_factory=dict)
    """Dates of birth of those who are."""
    home_council: str | None = None
    is_home_council: bool = False
    rents: bool = False
    has_pets: bool = False
    approved_elsewhere: bool = False
    other_service: str | None = None


def receive_application(
    case: Case,
    received: Received,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Application:
    """Record a signed application. The 8 months count from the day it was received, not from the day it is typed in.

    Raises NotSignedByAll, AgeNotPossible, DayNotPossible and what change_stage raises.
    """
    require(actor, Permission.RECORD_APPLICATION)
    _check_days(received, today=today)
    applicants = [person for person in live_people(case) if person.is_applicant]
    signed = {one.person_id: one for one in received.signed}
    for person in applicants:
        one = signed.get(person.id)
        if one is None or not one.agrees_to_checks:
            raise NotSignedByAll(
                f"{person.full_name} has to sign and agree to the checks before the application counts as received.",
                field=f"agrees_{person.id}",
            )
        not_after_today(one.signed_on, today=today, field=f"signed_on_{person.id}", what="The day they signed")
        check_age(AdultOrChild.ADULT, one.born_on, on=received.received_on, field=f"born_on_{person.id}")
        person.born_on = one.born_on
    if (received.approved_elsewhere or any(one.approved_within_year for one in received.signed)) and not (
        received.other_service or ""
    ).strip():
        raise OtherServiceNotNamed("Name the other fostering service.", field="other_service")
    change_stage(
        case,
        "receive_application",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=Evidence(received_on=received.received_on),
        seen=seen,
        effective_on=received.received_on,
        letter_context={
            "received_on": received.received_on,
            "recommendation_by": rulebook.due_on("panel_recommendation", received.received_on),
        },
    )
    case.application_received_on = received.received_on
    application = Application(
        case_id=case.id,
        received_on=received.received_on,
        accepted_on=received.accepted_on,
        home_council=received.home_council or case.household.local_authority,
        is_home_council=received.is_home_council,
        rents=received.rents,
        has_pets=received.has_pets,
        approved_elsewhere=received.approved_elsewhere,
        other_service=(received.other_service or "").strip() or None,
    )
    db.session.add(application)
    db.session.flush()
    for person in applicants:
        one = signed[person.id]
        db.session.add(
            Signature(
                application_id=application.id,
                person_id=person.id,
                signed_on=one.signed_on,
                agrees_to_checks=True,
                approved_within_year=one.approved_within_year,
                lived_abroad=one.lived_abroad,
                has_former_partner=one.has_former_partner,
                works_with_children=one.works_with_children,
            )
        )
    _confirm_members(case, received, actor=actor, now=now)
    db.session.flush()
    note("application.received", case, actor=actor, now=now, on=received.received_on, signed=len(applicants))
    return application


def decide_to_assess(
    case: Case,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    assessor_name: str | None = None,
    seen: int | None = None,
) -> Application:
    """Decide to assess (reg 26(1)): Stage 1 begins, and its checks are worked out."""
    application = the_application(case)
    checks.work_out(case, application, today=today, rulebook=rulebook)
    change_stage(
        case,
        "decide_to_assess",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        # Nothing has been asked for yet, so nothing can be outstanding or complete.
        evidence=replace(stored_evidence(case, today), stage_one_outstanding=()),
        seen=seen,
        letter_context={"assessor_name": assessor_name or actor.display_name},
    )
    application.assessing_from_on = today
    db.session.flush()
    return application


def _check_days(received: Received, *, today: date) -> None:
    not_after_today(received.received_on, today=today, field="received_on", what="The day it was received")
    if received.accepted_on is not None:
        not_after_today(received.accepted_on, today=today, field="accepted_on", what="The day it was accepted")
        not_before(
            received.accepted_on,
            received.received_on,
            field="accepted_on",
            message="It can’t be accepted before it was received.",
        )


def _confirm_members(case: Case, received: Received, *, actor: Actor, now: datetime) -> None:
    known: dict[int, Person] = {person.id: person for person in live_people(case) if not person.is_applicant}
    for person_id, born_on in received.known_members.items():
        if person_id in known:
            check_age(
                AdultOrChild.of(known[person_id].role), born_on, on=received.received_on, field=f"born_on_{person_id}"
            )
            known[person_id].born_on = born_on
    for member in received.members:
        add_member(case, member, on=received.received_on, actor=actor, now=now)

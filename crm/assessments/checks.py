"""Stage 1 checks: worked out per person from the rules, asked for, chased, and recorded as they come in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from crm.assessments.models import Application, Check, CheckResult
from crm.assessments.queries import application_of, checks_of, live_people, stored_evidence
from crm.assessments.steps import DayNotPossible, begin_step, end_step, not_after_today, not_before, note
from crm.cases import clocks, timeline
from crm.cases.change_stage import change_stage
from crm.cases.models import Case, Household, Person, PersonRole
from crm.db import db
from crm.rules.permissions import Actor, Permission, Sensitivity
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stage_one_checks import Circumstances, HouseholdPerson, Part, Requirement, requirements
from crm.rules.stages import TrackName

ITEM_SENSITIVITY: dict[str, Sensitivity] = {
    "dbs": Sensitivity.OFFENCE,
    "support_carer_dbs": Sensitivity.OFFENCE,
    "overseas_police": Sensitivity.OFFENCE,
    "health_report": Sensitivity.HEALTH,
    "medical_advice": Sensitivity.HEALTH,
    "referees": Sensitivity.REFERENCE,
    "referee_interviews": Sensitivity.REFERENCE,
    "previous_service_reference": Sensitivity.REFERENCE,
    "employer_reference": Sensitivity.REFERENCE,
    "former_partner_reference": Sensitivity.REFERENCE,
    "local_authority_views": Sensitivity.REFERENCE,
}
"""How closely what a check found is held; anything else is personal."""

DBS_ITEMS = ("dbs", "support_carer_dbs")
NUMBER_NEEDED = "Write the certificate’s number: 12 digits, at its top right."
ISSUE_NEEDED = "Write the day the certificate was issued."
LEVEL_NEEDED = "Choose the level of the certificate."

ITEM_TITLES: dict[str, str] = {
    "identity": "Name, address and date of birth",
    "health_report": "Health, with a medical report",
    "other_adults": "Other adults at home",
    "children": "Children of the family",
    "accommodation": "The home",
    "past_applications": "Past requests to foster or adopt",
    "previous_service": "Service that approved them before",
    "referees": "Two referees named",
    "dbs": "Enhanced DBS, children’s list",
    "relationships": "Marriage and past partners",
    "previous_service_reference": "Reference from their last service",
    "referee_interviews": "Two referees interviewed",
    "local_authority_views": "Home council’s views",
    "medical_advice": "Medical adviser’s view",
    "home_safety": "Home safety checklist",
    "employer_reference": "Employer reference",
    "former_partner_reference": "Former partner",
    "overseas_police": "Check from abroad",
    "landlord_consent": "Landlord’s consent",
    "pets": "Pet assessment",
    "support_carer_dbs": "DBS of a back-up carer",
}
"""Short names for columns and headings."""


class CheckNotNeeded(Refusal):
    """The household changed, and this check is not needed any more."""


class AlreadyObtained(Refusal):
    """It came in before."""


class CheckNotComplete(Refusal):
    """Something that must be known about this check is missing, or does not meet the law."""

    default_status = 422


# --- Working out ------------------------------------------------------------------------------------------------------


def circumstances_of(application: Application, checks: list[Check]) -> Circumstances:
    """What the list of checks depends on besides who lives there."""
    signed = application.signatures
    return Circumstances(
        service_is_home_council=application.is_home_council,
        approved_within_year=frozenset(one.person_id for one in signed if one.approved_within_year),
        previous_reference_received=frozenset(
            check.person_id
            for check in checks
            if check.item == "previous_service_reference"
            and check.person_id is not None
            and check.received_on is not None
            and check.result != CheckResult.NOT_GIVEN
        ),
        lived_abroad=frozenset(one.person_id for one in signed if one.lived_abroad),
        former_partner=frozenset(one.person_id for one in signed if one.has_former_partner),
        works_with_children=frozenset(one.person_id for one in signed if one.works_with_children),
        rents=application.rents,
        has_pets=application.has_pets,
    )


def household_people(case: Case, on: date) -> tuple[HouseholdPerson, ...]:
    """The household as the rules see it: somebody put down as a child who has turned 18 counts as an adult at home."""
    people = []
    for person in live_people(case):
        part = Part(person.role)
        if part is Part.CHILD and person.born_on is not None and _is_18(person.born_on, on):
            part = Part.HOUSEHOLD_ADULT
        people.append(HouseholdPerson(person.id, person.given_name, part, person.born_on))
    return tuple(people)


def _is_18(born_on: date, on: date) -> bool:
    return (on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))) >= 18


def work_out(case: Case, application: Application, *, today: date, rulebook: Rulebook) -> list[Check]:
    """Bring the rows into line with what the rules ask of this household today.

    A check that is no longer needed is marked, not deleted: it may have been asked for. Returns those added.
    """
    if case.household.people:
        db.session.flush()
    existing = checks_of(application)
    by_slot = {check.slot: check for check in existing}
    wanted: dict[str, Requirement] = {}
    for need in requirements(household_people(case, today), circumstances_of(application, existing), rulebook):
        for number in range(1, need.count + 1):
            wanted[f"{need.item}:{need.person_id or 'home'}:{number}"] = need
    added = []
    for slot, need in wanted.items():
        found = by_slot.get(slot)
        if found is not None:
            found.dropped_on = None
            continue
        check = Check(
            case_id=case.id,
            application_id=application.id,
            person_id=need.person_id,
            item=need.item,
            slot=slot,
            what=need.what[:120],
            chase_rule=need.chase,
            is_statutory=need.is_statutory,
            edition=need.edition,
            needed_from_on=need.needed_from or today,
            sensitivity=ITEM_SENSITIVITY.get(need.item, Sensitivity.PERSONAL),
        )
        db.session.add(check)
        added.append(check)
    for slot, check in by_slot.items():
        if slot not in wanted and check.dropped_on is None:
            check.dropped_on = today
            clocks.stop(case, (check.chase_rule,), on=today, how="ended", subject=subject_of(check))
    db.session.flush()
    return added


def work_out_again(
    case: Case, application: Application, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> list[Check]:
    """Work the checks out after a change, and let Stage 1 follow: complete, or open again."""
    added = work_out(case, application, today=today, rulebook=rulebook)
    settle_stage_one(case, actor=actor, now=now, today=today, rulebook=rulebook)
    return added


def settle_stage_one(case: Case, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> None:
    """Let Stage 1 follow its checks: the last statutory item completes it, counted from the day that item was
    obtained; a new one that is missing opens it again."""
    stage = case.stages.get(TrackName.STAGE_ONE)
    if stage not in ("gathering", "complete") or case.stages.get(TrackName.APPLICATION) != "in_assessment":
        return
    if stage == "gathering" and _is_something_missing(case, today):
        return  # the common case, told by one small query: reading the whole file is for the last item
    evidence = stored_evidence(case, today)
    if stage == "gathering" and not evidence.stage_one_outstanding and evidence.stage_one_completed_on is not None:
        change_stage(
            case,
            "complete_stage_one",
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            evidence=evidence,
            effective_on=evidence.stage_one_completed_on,
        )
    elif stage == "complete" and evidence.stage_one_outstanding:
        change_stage(case, "reopen_stage_one", actor=actor, now=now, today=today, rulebook=rulebook, evidence=evidence)


def _is_something_missing(case: Case, today: date) -> bool:
    missing = select(Check.id).where(
        Check.case_id == case.id,
        Check.is_statutory,
        Check.dropped_on.is_(None),
        Check.received_on.is_(None),
        Check.needed_from_on <= today,
    )
    return db.session.scalars(missing.limit(1)).first() is not None


def work_out_after_birthdays(*, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> int:
    """For the timetable, daily: work out the checks of households in which somebody has turned 18 this last week.

    A week, so that a day on which nothing ran does no harm. Returns how many households.
    """
    cases = db.session.scalars(
        select(Case)
        .join(Household, Household.id == Case.household_id)
        .join(Person, Person.household_id == Household.id)
        .where(
            Case.is_open,
            Case.application_received_on.is_not(None),
            Person.born_on > _eighteen_years_before(today - timedelta(days=7)),
            Person.born_on <= _eighteen_years_before(today),
            Person.left_household_on.is_(None),
            Person.role.in_((PersonRole.CHILD, PersonRole.HOUSEHOLD_ADULT)),
        )
        .distinct()
    ).all()
    for case in cases:
        application = application_of(case)
        if application is not None and application.assessing_from_on is not None:
            work_out_again(case, application, actor=actor, now=now, today=today, rulebook=rulebook)
            end_step(case, today=today, rulebook=rulebook)
    return len(cases)


def _eighteen_years_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 18)
    except ValueError:  # 29 February, in a year without one
        return date(day.year - 18, 2, 28)


# --- Asking and chasing -----------------------------------------------------------------------------------------------


def subject_of(check: Check) -> str:
    """What a clock about this check is told apart by."""
    return f"check:{check.id}"


def about(check: Check) -> str:
    """What a clock about this check says: "Sam’s enhanced DBS". Never what it found."""
    title = ITEM_TITLES.get(check.item, check.what)
    return f"{check.person.given_name}: {title}" if check.person is not None else title


def ask_for_check(
    case: Case,
    check: Check,
    *,
    requested_on: date,
    asked_of: str | None = None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Note that a check was asked for: its clock runs from that day."""
    begin_step(case, Permission.RECORD_CHECK, actor=actor, seen=seen)
    _refuse_unneeded(check)
    if check.is_obtained:
        raise AlreadyObtained("This check has come in already.")
    not_after_today(requested_on, today=today, field="requested_on", what="The day it was asked for")
    check.requested_on = requested_on
    check.asked_of = asked_of or check.asked_of
    clocks.start(
        case,
        check.chase_rule,
        counted_from=requested_on,
        rulebook=rulebook,
        subject=subject_of(check),
        about=about(check),
    )
    timeline.add(
        case, kind="check", title=f"{about(check)}: asked for", actor=actor, occurred_at=now, person_id=check.person_id
    )
    note("check.requested", case, actor=actor, now=now, subject=subject_of(check), item=check.item, on=requested_on)
    end_step(case, today=today, rulebook=rulebook)


def chase_check(
    case: Case,
    check: Check,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    words: str | None = None,
    seen: int | None = None,
) -> None:
    """Note that a check was chased: its clock begins again today."""
    begin_step(case, Permission.RECORD_CHECK, actor=actor, seen=seen)
    _refuse_unneeded(check)
    if check.is_obtained:
        raise AlreadyObtained("This check has come in already, so there is nothing to chase.")
    if check.requested_on is None:
        raise CheckNotComplete("Nobody has asked for this check yet. Ask for it first.", status=409)
    check.chased_on = today
    clocks.start(
        case, check.chase_rule, counted_from=today, rulebook=rulebook, subject=subject_of(check), about=about(check)
    )
    timeline.add(
        case,
        kind="check",
        title=f"{about(check)}: chased",
        detail=words,
        sensitivity=Sensitivity(check.sensitivity),
        actor=actor,
        occurred_at=now,
        person_id=check.person_id,
    )
    note("check.chased", case, actor=actor, now=now, subject=subject_of(check), item=check.item)
    end_step(case, today=today, rulebook=rulebook)


# --- Recording --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CheckCameIn:
    """What came in, as it is recorded. The ``dbs_`` fields are for certificates, which are looked at and given back."""

    received_on: date
    result: str
    outcome: str | None = None
    verified_on: date | None = None
    expires_on: date | None = None
    dbs_number: str | None = None
    dbs_issued_on: date | None = None
    dbs_level: str | None = None
    dbs_barred_list_checked: bool = False


def record_check(
    case: Case,
    check: Check,
    came_in: CheckCameIn,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Record that a check came in, what it came to, and let Stage 1 follow.

    Recording it again replaces what was recorded before; the trail keeps that it was done. Raises CheckNotComplete,
    DayNotPossible, CheckNotNeeded.
    """
    begin_step(case, Permission.RECORD_CHECK, actor=actor, seen=seen)
    _refuse_unneeded(check)
    _check_came_in(check, came_in, today=today)
    check.received_on = came_in.received_on
    check.result = CheckResult(came_in.result)
    check.outcome = came_in.outcome or None
    check.verified_on = came_in.verified_on
    check.expires_on = came_in.expires_on
    check.seen_by_id = actor.user_id
    if check.item in DBS_ITEMS:
        check.dbs_number = came_in.dbs_number
        check.dbs_issued_on = came_in.dbs_issued_on
        check.dbs_level = came_in.dbs_level
        check.dbs_barred_list_checked = came_in.dbs_barred_list_checked
    clocks.stop(case, (check.chase_rule,), on=came_in.received_on, subject=subject_of(check))
    timeline.add(
        case,
        kind="check",
        title=f"{about(check)}: in",
        detail=check.outcome,
        sensitivity=Sensitivity(check.sensitivity),
        actor=actor,
        occurred_at=now,
        person_id=check.person_id,
    )
    note("check.recorded", case, actor=actor, now=now, subject=subject_of(check), item=check.item, on=check.received_on)
    db.session.flush()
    application = application_of(case)
    if application is not None and application.assessing_from_on is not None:
        work_out_again(case, application, actor=actor, now=now, today=today, rulebook=rulebook)
    end_step(case, today=today, rulebook=rulebook)


def _check_came_in(check: Check, came_in: CheckCameIn, *, today: date) -> None:
    not_after_today(came_in.received_on, today=today, field="received_on", what="The day it came in")
    if check.requested_on is not None:
        not_before(
            came_in.received_on,
            check.requested_on,
            field="received_on",
            message="It can’t have come in before it was asked for.",
        )
    if came_in.verified_on is not None:
        not_after_today(came_in.verified_on, today=today, field="verified_on", what="The day it was verified")
        not_before(
            came_in.verified_on,
            came_in.received_on,
            field="verified_on",
            message="It can’t be verified before it came in.",
        )
    if came_in.result not in set(CheckResult):
        raise CheckNotComplete("Say what it came to.", field="result")
    if came_in.result == CheckResult.DISQUALIFIED and check.item not in (*DBS_ITEMS, "overseas_police"):
        raise CheckNotComplete(
            "A specified offence is recorded with the DBS certificate or the check from abroad.", field="result"
        )
    if came_in.result == CheckResult.NOT_GIVEN and check.is_statutory and check.item != "previous_service_reference":
        raise CheckNotComplete("The law asks for this one, so Stage 1 waits until it is given.", field="result")
    if came_in.result != CheckResult.CLEAR and not (came_in.outcome or "").strip():
        raise CheckNotComplete("Write down what was made of it.", field="outcome")
    if check.item in DBS_ITEMS and came_in.result != CheckResult.NOT_GIVEN:
        _check_certificate(check, came_in)


def is_certificate_number(words: str | None) -> bool:
    """Whether this is the number of a certificate: 12 digits, in groups or not."""
    number = (words or "").replace(" ", "")
    return number.isdigit() and len(number) == 12


def _check_certificate(check: Check, came_in: CheckCameIn) -> None:
    if not is_certificate_number(came_in.dbs_number):
        raise CheckNotComplete(NUMBER_NEEDED, field="dbs_number")
    if came_in.dbs_issued_on is None:
        raise CheckNotComplete(ISSUE_NEEDED, field="dbs_issued_on")
    if came_in.dbs_issued_on > came_in.received_on:
        raise DayNotPossible("It can’t be issued after the day you saw it.", field="dbs_issued_on")
    if came_in.dbs_level is None:
        raise CheckNotComplete(LEVEL_NEEDED, field="dbs_level")
    if check.is_statutory and (came_in.dbs_level != "enhanced" or not came_in.dbs_barred_list_checked):
        raise CheckNotComplete(
            "The law asks for an enhanced certificate with the children’s barred list. Ask for the right one.",
            field="dbs_level",
        )


def _refuse_unneeded(check: Check) -> None:
    if not check.is_needed:
        raise CheckNotNeeded("The household has changed, and this check is not needed any more.")

"""A visit that was made without being booked: the officer was next door and rang the bell, or somebody dropped in.

From here on it is a visit like any other: the same table, the same report, the same sign-off.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import select

from crm.audit import record
from crm.calendars import invitations
from crm.cases import assignment, home_visits, summary, timeline
from crm.cases.change_stage import change_stage, claim_version
from crm.cases.models import AssignmentRole, Case
from crm.cases.queries import visible_cases
from crm.clock import london_date
from crm.db import db
from crm.delivery.wording import and_list, clock_time, day
from crm.rules.permissions import Actor, Permission, Role, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import EnquiryStage, TrackName
from crm.rules.transitions import Evidence
from crm.visits import overlap, queries, roads, telling
from crm.visits.attendance import NotTheirVisit
from crm.visits.booking import VisitNotBookable, cancel_visit, chosen_officers, fits, officer_names
from crm.visits.models import PURPOSE_WORDS, Place, Purpose, Visit, VisitOfficer, VisitStatus

FURTHEST_BACK_DAYS = 60
"""How long ago an officer may say that a visit was. Later than that a manager writes it down, who can ask why."""
LONGEST = timedelta(hours=12)


class VisitClashes(Refusal):
    """An officer was somewhere else then."""


def record_past_visit(
    case: Case,
    *,
    purpose: Purpose,
    place: Place,
    starts_at: datetime,
    ends_at: datetime,
    officer_ids: Iterable[int],
    who_was_there: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
    instead_of: Visit | None = None,
) -> Visit:
    """Record a visit that has been and was not booked. Nobody is invited to it; its officers' calendars show it.

    ``instead_of`` is a booked visit whose place it took, which is called off; any other that is booked stands, and the
    enquiry goes on waiting for that one. ``seen`` is the version of the case that the person looked at.

    1. Check who went, when, and that this kind of visit fits where the household stands.
    2. Claim the case, then the calendars in the order of their ids; call off the visit whose place this one took.
    3. Write the visit; the database has the last word on overlaps.
    4. Move the enquiry on from the day of the visit. A household not yet spoken to has been spoken to now.

    Raises NotPermitted, NotTheirVisit, VisitNotBookable, VisitClashes, VisitIsOver, CaseHasMovedOn or MoveNotOpen.
    """
    require(actor, Permission.RECORD_VISIT)
    chosen = chosen_officers(officer_ids)
    if actor.user_id not in chosen and Role.MANAGER not in actor.roles:
        raise NotTheirVisit(
            "Only those who made a visit, or a manager, can record it. Add yourself if you were there.",
            field="officers",
        )
    _check_when(case, starts_at, ends_at, actor=actor, now=now, today=today)
    if not who_was_there.strip():
        raise VisitNotBookable("Say who was there.", field="present")
    moves_enquiry = fits(case, purpose)
    given: dict[str, Any] = {"actor": actor, "now": now, "today": today, "rulebook": rulebook}
    visited_on = london_date(starts_at)
    claim_version(case, seen)
    invitations.hold_calendars({*chosen, *(instead_of.officer_ids if instead_of else ())}, now=now)
    if instead_of is not None:
        words = f"{day(starts_at)}, {clock_time(starts_at)}"
        cancel_visit(
            instead_of,
            case,
            reason=f"The visit was made on {words} instead.",
            reason_for_household=f"We came on {words} instead.",
            **given,
        )
    # Where another visit is still booked the enquiry waits for that; once they are invited, it waits for no visit.
    stage = case.stages.get(TrackName.ENQUIRY)
    moves_enquiry = moves_enquiry and stage not in (EnquiryStage.VISIT_BOOKED, EnquiryStage.INVITED)
    visit = Visit(
        case_id=case.id,
        purpose=purpose,
        place=place,
        starts_at=starts_at,
        ends_at=ends_at,
        status=VisitStatus.DONE,
        moves_enquiry=moves_enquiry,
        booked_at=now,
        booked_by_id=actor.user_id,
        settled_at=now,
        held_from_at=starts_at,
        held_until_at=ends_at,
    )
    visit.settled_note = who_was_there.strip()
    _keep(visit, chosen, actor=actor, today=today)
    for officer_id in chosen:
        assignment.assign(
            case, user_id=officer_id, role=AssignmentRole.VISITING_OFFICER, actor=actor, now=now, today=today
        )
    timeline.add(
        case,
        kind="visit",
        title=f"{PURPOSE_WORDS[purpose]}, not booked: {day(starts_at)}, {clock_time(starts_at)} to "
        f"{clock_time(ends_at)}, {and_list(officer_names(chosen))}",
        detail=who_was_there.strip(),
        actor=actor,
        occurred_at=now,
    )
    record(
        "visit.made_unbooked",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"visit:{visit.id}",
        detail={"starts_at": starts_at, "purpose": purpose, "officers": list(chosen)},
    )
    telling.enter_in_calendars(visit, case, now=now)
    home_visits.was_held(case, queries.held_visit(visit), **given)
    if not moves_enquiry:
        summary.refresh(case, today=today, rulebook=rulebook)
        return visit
    evidence = Evidence(contacted_on=visited_on, visit_on=visited_on, eligibility_outcome=case.eligibility_outcome)
    if stage == EnquiryStage.NEW:
        change_stage(case, "record_contact", evidence=evidence, effective_on=visited_on, **given)
    change_stage(case, "record_past_visit", evidence=evidence, effective_on=visited_on, **given)
    return visit


def _check_when(
    case: Case, starts_at: datetime, ends_at: datetime, *, actor: Actor, now: datetime, today: date
) -> None:
    if ends_at <= starts_at:
        raise VisitNotBookable("It ended after it began: check the two times.", field="held_until")
    if ends_at - starts_at > LONGEST:
        raise VisitNotBookable("That is longer than a visit can be. Check the two times.", field="held_until")
    on, opened_on = london_date(starts_at), london_date(case.opened_at)
    if on > today:
        raise VisitNotBookable("That day is still to come. Book the visit instead.", field="held_on")
    if ends_at > now:
        raise VisitNotBookable("That time is still to come. Record the visit once it is over.", field="held_until")
    if on < opened_on:
        raise VisitNotBookable(
            f"That is before we first heard from them, on {day(opened_on)}. Check the date.", field="held_on"
        )
    if (today - on).days > FURTHEST_BACK_DAYS and Role.MANAGER not in actor.roles:
        raise VisitNotBookable(
            f"That is more than {FURTHEST_BACK_DAYS} days ago. Ask a manager to record it.", field="held_on"
        )


def _keep(visit: Visit, officer_ids: tuple[int, ...], *, actor: Actor, today: date) -> None:
    """Write the visit with its officers. Raises VisitClashes, naming the visit at which an officer was then.

    The time set aside for driving is no ground to refuse what has been: where this visit began after another ended, or
    ended before another begins, only what lies between the two is kept for the road.
    """
    clash = _clash(visit, officer_ids, actor=actor, today=today)
    if clash is not None:
        raise clash
    try:
        with db.session.begin_nested():
            db.session.add(visit)
            db.session.flush()
            roads.free_run_out_holds(officer_ids, now=visit.booked_at)
            for officer_id in officer_ids:
                roads.free_the_road_before(officer_id, visit.starts_at)
                db.session.add(
                    VisitOfficer(
                        visit_id=visit.id,
                        officer_id=officer_id,
                        starts_at=visit.starts_at,
                        ends_at=visit.ends_at,
                        blocked_until_at=roads.road_ends(officer_id, visit.ends_at),
                        holds=True,
                    )
                )
                db.session.flush()
    except sa.exc.IntegrityError as fault:
        if not overlap.is_clash(fault):
            raise
        raise _clash(visit, officer_ids, actor=actor, today=today) or VisitClashes(
            "Somebody has just recorded another visit at that time. Look again before you go on."
        ) from fault
    db.session.expire(visit, ["officers"])


def _clash(visit: Visit, officer_ids: tuple[int, ...], *, actor: Actor, today: date) -> VisitClashes | None:
    row = db.session.execute(
        select(VisitOfficer.officer_id, Visit.starts_at, Visit.ends_at, Visit.status, Visit.case_id, Case.reference)
        .join(Visit, Visit.id == VisitOfficer.visit_id)
        .join(Case, Case.id == Visit.case_id)
        .where(
            VisitOfficer.officer_id.in_(officer_ids),
            VisitOfficer.holds,
            VisitOfficer.starts_at < visit.ends_at,
            VisitOfficer.ends_at > visit.starts_at,
        )
        .order_by(VisitOfficer.starts_at)
    ).first()
    if row is None:
        return None
    when = f"{day(row.starts_at)}, {clock_time(row.starts_at)} to {clock_time(row.ends_at)}"
    if row.case_id == visit.case_id:
        do = "say there that it went ahead" if row.status == VisitStatus.BOOKED else "it is recorded already"
        return VisitClashes(f"There is a visit to this household at that time: {when}. Open it: {do}.", field="held_on")
    seen = db.session.scalar(select(Case.id).where(Case.id == row.case_id, visible_cases(actor, today=today)))
    where = f" ({row.reference})" if seen is not None else ""
    verb = "has" if row.status == VisitStatus.BOOKED else "had"
    return VisitClashes(
        f"{officer_names([row.officer_id])[0]} {verb} another visit then: {when}{where}. Check the date and the times.",
        field="held_on",
    )

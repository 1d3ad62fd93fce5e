"""A time held for a household while they decide. It counts as taken, and runs out by itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from crm import policy
from crm.audit import record
from crm.calendars import invitations
from crm.cases import timeline
from crm.cases.change_stage import claim_version
from crm.cases.models import Case
from crm.cases.queries import visible_cases
from crm.db import db
from crm.delivery.wording import and_list, clock_time, day
from crm.rules.permissions import SYSTEM, Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.visits import booking, home_notes, roads
from crm.visits.availability import wanted_by
from crm.visits.models import Place, Purpose, Visit, VisitHold

MOST_AT_ONCE = 3
"""Times held for one household together: enough to choose from, few enough that others can be visited too."""
BATCH = 50


class HoldNotMade(Refusal):
    """The time can't be held."""


class HoldNotFound(Refusal):
    """No such hold, or not one this person may open: the two are never told apart."""

    def __init__(self) -> None:
        super().__init__(
            "We can’t find that held time. It may have run out, or it is not one you can open.", status=404
        )


def hold_slot(
    case: Case,
    *,
    purpose: Purpose,
    place: Place,
    starts_at: datetime,
    length_minutes: int,
    officer_ids: Iterable[int],
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> VisitHold:
    """Hold a time for a household for as long as the service does, at the longest until it begins. Nobody is told.

    Raises VisitNotBookable, NotAlone, HoldNotMade, CaseHasMovedOn, or SlotTaken with the nearest free times.
    """
    require(actor, Permission.BOOK_VISIT)
    chosen = booking.chosen_officers(officer_ids)
    booking.fits(case, purpose)
    wanted = wanted_by(case, length_minutes=length_minutes, place=place, minds_quiet=False)
    booking.see_that_they_are_free(chosen, starts_at=starts_at, wanted=wanted, now=now, today=today)
    claim_version(case, seen)
    home_notes.check_enough_go(case, place=place, officers=len(chosen))
    running = db.session.scalar(select(func.count()).where(VisitHold.case_id == case.id, VisitHold.runs_out_at > now))
    if (running or 0) >= MOST_AT_ONCE:
        raise HoldNotMade(
            f"{MOST_AT_ONCE} times are held for this household already. Let one of them go first.", field="starts_at"
        )
    invitations.hold_calendars(chosen, now=now)
    roads.free_run_out_holds(chosen, now=now)
    booking.see_that_they_are_free(chosen, starts_at=starts_at, wanted=wanted, now=now, today=today)
    hold = VisitHold(
        case_id=case.id,
        purpose=purpose,
        place=place,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=length_minutes),
        made_at=now,
        made_by_id=actor.user_id,
        runs_out_at=min(starts_at, now + timedelta(hours=policy.service().hold_hours)),
    )
    with booking.refused_when_taken(chosen, starts_at, wanted, now=now, today=today):
        db.session.add(hold)
        db.session.flush()
        booking.put_officers(hold, chosen)
    _note(hold, case, f"Held for them until {say_end(hold)}", "visit.held_open", actor=actor, now=now)
    return hold


def book_held(hold: VisitHold, case: Case, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> Visit:
    """Make the visit that a time was held for. Raises what booking raises; the hold stays then."""
    return booking.book_visit(
        case,
        purpose=Purpose(hold.purpose),
        place=Place(hold.place),
        starts_at=hold.starts_at,
        length_minutes=hold.length_minutes,
        officer_ids=hold.officer_ids,
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        hold=hold,
    )


def let_go(hold: VisitHold, case: Case, *, actor: Actor, now: datetime) -> None:
    """Give a held time back."""
    require(actor, Permission.BOOK_VISIT)
    _note(hold, case, "Let go: the time held for them", "visit.let_go", actor=actor, now=now)
    db.session.delete(hold)
    db.session.flush()


def has_run_out(now: datetime) -> bool:
    """Whether there is a hold to clear away. Takes no lock."""
    return db.session.scalar(select(VisitHold.id).where(VisitHold.runs_out_at <= now).limit(1)) is not None


def clear_run_out(now: datetime) -> int:
    """Clear away holds that have run out, each with a line on its case; how many. For the timetable."""
    found = db.session.execute(
        select(VisitHold, Case)
        .join(Case, Case.id == VisitHold.case_id)
        .where(VisitHold.runs_out_at <= now)
        .order_by(VisitHold.case_id, VisitHold.id)
        .limit(BATCH)
        .with_for_update(of=VisitHold, skip_locked=True)
    ).all()
    for hold, case in found:
        _note(hold, case, "Ran out: the time held for them", "visit.hold_ran_out", actor=SYSTEM, now=now)
        db.session.delete(hold)
    db.session.flush()
    return len(found)


def holds_of(case: Case, *, now: datetime) -> list[VisitHold]:
    """The times that are held for a household now, the nearest first."""
    return list(
        db.session.scalars(
            select(VisitHold)
            .where(VisitHold.case_id == case.id, VisitHold.runs_out_at > now)
            .options(selectinload(VisitHold.officers))
            .order_by(VisitHold.starts_at, VisitHold.id)
        )
    )


def hold_for(actor: Actor, hold_id: int, *, today: date, now: datetime) -> tuple[VisitHold, Case]:
    """A running hold and its case, for somebody who may open that case. Raises HoldNotFound."""
    row = db.session.execute(
        select(VisitHold, Case)
        .join(Case, Case.id == VisitHold.case_id)
        .where(VisitHold.id == hold_id, VisitHold.runs_out_at > now, visible_cases(actor, today=today))
        .options(selectinload(VisitHold.officers))
    ).first()
    if row is None:
        raise HoldNotFound
    return row[0], row[1]


def say_end(hold: VisitHold) -> str:
    """Thursday 9 July, 9:30am: when it runs out."""
    return f"{day(hold.runs_out_at)}, {clock_time(hold.runs_out_at)}"


def _note(hold: VisitHold, case: Case, words: str, event: str, *, actor: Actor, now: datetime) -> None:
    names = and_list(booking.officer_names(hold.officer_ids))
    timeline.add(
        case,
        kind="visit",
        title=f"{words}: {day(hold.starts_at)}, {clock_time(hold.starts_at)}, {names}",
        actor=actor,
        occurred_at=now,
    )
    record(
        event,
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"visit_hold:{hold.id}",
        detail={"starts_at": hold.starts_at, "officers": list(hold.officer_ids)},
    )

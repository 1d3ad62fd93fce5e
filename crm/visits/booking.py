"""Booking a visit, moving it, calling it off.

Locks are taken in one order by everybody: the case, the visit, then the officers by id. That is what keeps two people
who book the same officers for different households from waiting for each other for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import select, update

from crm.access.queries import names_of, staff_who_may
from crm.audit import record
from crm.calendars import invitations
from crm.cases import assignment, summary, timeline
from crm.cases.change_stage import change_stage, claim_version
from crm.cases.models import AssignmentRole, Case, StageChange
from crm.cases.tasks import add_task
from crm.clock import london_date
from crm.db import db, rows_changed
from crm.delivery.wording import and_list, clock_time, day
from crm.rules.intervals import Span, london_span
from crm.rules.permissions import Actor, ActorKind, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName
from crm.rules.transitions import Evidence
from crm.rules.travel import Basis, Estimate
from crm.visits import home_notes, offers, overlap, roads, telling
from crm.visits.availability import Diaries, Slot, Wanted, nearest_slots, read_diaries, wanted_by
from crm.visits.models import PURPOSE_WORDS, Place, Purpose, Visit, VisitHold, VisitOfficer, VisitStatus
from crm.visits.telling import Occasion

MOST_OFFICERS = 2


class SlotTaken(Refusal):
    """The officers are not free then. ``slots`` are the nearest times at which they are."""

    def __init__(self, message: str, slots: Sequence[Slot]) -> None:
        if not slots:
            message = f"{message} Nothing else is free within two weeks of it."
        super().__init__(message, alternatives=tuple(say_slot(slot) for slot in slots), field="starts_at")
        self.slots = tuple(slots)


class VisitNotBookable(Refusal):
    """The visit can't be booked like that."""

    default_status = 422


class VisitHasChanged(Refusal):
    """Somebody else changed the visit after this person looked at it."""


class VisitIsOver(Refusal):
    """The visit was already held, missed or called off."""


def say_slot(slot: Slot | Visit) -> str:
    """Tuesday 14 July, 2pm."""
    return f"{day(slot.starts_at)}, {clock_time(slot.starts_at)}"


def say_visit(visit: Visit) -> str:
    """Where a visit stands, in one sentence for somebody who looked at it too long ago."""
    when = f"{day(visit.starts_at)}, {clock_time(visit.starts_at)}"
    if visit.is_booked:
        names = and_list(officer_names(visit.officer_ids))
        return f"It is now booked for {when} with {names}."
    return {
        VisitStatus.DONE: f"It was recorded as held on {when}.",
        VisitStatus.NO_ACCESS: f"It was recorded that nobody was in on {when}.",
        VisitStatus.CANCELLED: f"The visit of {when} has been called off.",
        VisitStatus.ABANDONED_SAFETY: f"It was recorded that the officer left on {when}.",
    }[VisitStatus(visit.status)]


def officer_names(officer_ids: Iterable[int]) -> list[str]:
    """Names of officers in the order of their ids."""
    wanted = sorted(set(officer_ids))
    found = names_of(wanted)
    return [found[one] for one in wanted if one in found]


def book_visit(
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
    note: str | None = None,
    hold: VisitHold | None = None,
    uids: Mapping[int, str] | None = None,
) -> Visit:
    """Book a visit, tell everybody, and move the enquiry on where it waited for this.

    1. Check that this kind of visit fits where the household stands, and look once whether the officers are free: most
       of those who come too late stop here, before they have made anybody wait.
    2. Move the enquiry, or claim the case: a second booking of the same household stops here. So does one officer
       where nobody is to be alone.
    3. Hold the officers' calendars, in the order of their ids, and see again that all are free.
    4. Write the visit; the database has the last word on overlaps.
    5. Open the case to the officers, write the story, send the invitations.

    ``seen`` is the version of the case that the person looked at; ``hold`` is a time kept for them that this uses up;
    ``uids`` is an officer to the UID of the event in their own calendar that it was booked with. Raises
    VisitNotBookable, MoveNotOpen, CaseHasMovedOn, NotAlone, or SlotTaken with the nearest free times.
    """
    require(actor, Permission.BOOK_VISIT)
    chosen = chosen_officers(officer_ids)
    moves_enquiry = fits(case, purpose)
    ends_at = starts_at + timedelta(minutes=length_minutes)
    wanted = wanted_by(case, length_minutes=length_minutes, place=place, minds_quiet=False)
    if hold is not None:
        db.session.delete(hold)
        db.session.flush()
    see_that_they_are_free(chosen, starts_at=starts_at, wanted=wanted, now=now, today=today)
    if moves_enquiry:
        change_stage(
            case,
            "book_visit",
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            seen=seen,
            evidence=Evidence(eligibility_outcome=case.eligibility_outcome),
        )
    else:
        claim_version(case, seen)
    home_notes.check_enough_go(case, place=place, officers=len(chosen))
    invitations.hold_calendars(chosen, now=now)
    roads.free_run_out_holds(chosen, now=now)
    see_that_they_are_free(chosen, starts_at=starts_at, wanted=wanted, now=now, today=today)
    visit = Visit(
        case_id=case.id,
        purpose=purpose,
        place=place,
        starts_at=starts_at,
        ends_at=ends_at,
        status=VisitStatus.BOOKED,
        moves_enquiry=moves_enquiry,
        booked_at=now,
        booked_by_id=actor.user_id,
    )
    visit.note = (note or "").strip() or None
    with refused_when_taken(chosen, starts_at, wanted, now=now, today=today):
        db.session.add(visit)
        db.session.flush()
        put_officers(visit, chosen)
    for officer_id in chosen:
        assignment.assign(
            case, user_id=officer_id, role=AssignmentRole.VISITING_OFFICER, actor=actor, now=now, today=today
        )
    names = and_list(officer_names(chosen))
    timeline.add(
        case,
        kind="visit",
        title=f"{PURPOSE_WORDS[purpose]} {_by(actor, 'booked')}: {day(starts_at)}, {clock_time(starts_at)}, {names}",
        actor=actor,
        occurred_at=now,
    )
    _record("visit.booked", visit, actor=actor, now=now, detail={"purpose": purpose, "officers": list(chosen)})
    telling.tell_booked(visit, case, Occasion(actor=actor, now=now, today=today, rulebook=rulebook), uids=uids)
    summary.refresh(case, today=today, rulebook=rulebook)
    return visit


def move_visit(
    visit: Visit,
    case: Case,
    *,
    starts_at: datetime,
    length_minutes: int,
    officer_ids: Iterable[int],
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
    reason: str | None = None,
) -> Visit:
    """Give a booked visit another time, or other officers, and tell everybody whom it concerns.

    ``seen`` is the version of the visit that the person looked at; ``reason`` is in words for the household. Moving it
    to where it already is changes nothing and tells nobody. Raises VisitHasChanged, VisitIsOver or SlotTaken.
    """
    require(actor, Permission.BOOK_VISIT)
    chosen = chosen_officers(officer_ids)
    ends_at = starts_at + timedelta(minutes=length_minutes)
    before = visit.officer_ids
    claim_version(case, None)
    claim_visit(visit, seen)
    home_notes.check_enough_go(case, place=visit.place, officers=len(chosen))
    if (visit.starts_at, visit.ends_at, before) == (starts_at, ends_at, chosen):
        summary.refresh(case, today=today, rulebook=rulebook)
        return visit
    invitations.hold_calendars({*before, *chosen}, now=now)
    roads.free_run_out_holds(chosen, now=now)
    wanted = wanted_by(case, length_minutes=length_minutes, place=visit.place, minds_quiet=False)
    see_that_they_are_free(chosen, starts_at=starts_at, wanted=wanted, now=now, today=today, but_for_visit=visit.id)
    old_starts_at = visit.starts_at
    with refused_when_taken(chosen, starts_at, wanted, now=now, today=today, but_for_visit=visit.id):
        visit.starts_at, visit.ends_at = starts_at, ends_at
        visit.sequence += 1
        visit.moved_at = now
        put_officers(visit, chosen)
    for officer_id in chosen:
        assignment.assign(
            case, user_id=officer_id, role=AssignmentRole.VISITING_OFFICER, actor=actor, now=now, today=today
        )
    _release(case, set(before) - set(chosen), actor=actor, now=now, today=today)
    timeline.add(
        case,
        kind="visit",
        title=(
            f"Visit {_by(actor, 'moved')} to {day(starts_at)}, {clock_time(starts_at)}, "
            f"{and_list(officer_names(chosen))}"
        ),
        detail=reason,
        actor=actor,
        occurred_at=now,
    )
    _record("visit.moved", visit, actor=actor, now=now, detail={"officers": list(chosen), "sequence": visit.sequence})
    telling.tell_moved(
        visit,
        case,
        Occasion(actor=actor, now=now, today=today, rulebook=rulebook),
        old_starts_at=old_starts_at,
        officers_before=before,
        reason=reason,
    )
    summary.refresh(case, today=today, rulebook=rulebook)
    return visit


def cancel_visit(
    visit: Visit,
    case: Case,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
    reason_for_household: str | None = None,
    tell_household: bool = True,
) -> Visit:
    """Call a booked visit off. The enquiry goes back to where a date has to be agreed.

    ``reason`` is for us; ``reason_for_household`` goes into their letter. Raises VisitHasChanged or VisitIsOver.
    """
    require(actor, Permission.BOOK_VISIT)
    if not reason.strip():
        raise VisitNotBookable("Say why it is called off.", field="reason")
    claim_version(case, None)
    claim_visit(visit, seen)
    _call_off(
        visit,
        case,
        reason=reason.strip(),
        reason_for_household=reason_for_household,
        tell_household=tell_household,
        occasion=Occasion(actor=actor, now=now, today=today, rulebook=rulebook),
    )
    if visit.moves_enquiry and case.stages.get(TrackName.ENQUIRY) == "visit_booked":
        change_stage(case, "visit_fell_through", actor=actor, now=now, today=today, rulebook=rulebook)
    else:
        summary.refresh(case, today=today, rulebook=rulebook)
    return visit


def cancel_visits(
    case: Case, change: StageChange, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> None:
    """Call off every booked visit of a case whose journey has ended or paused. An effect of the moves that end it.

    Whatever ended it tells the household in its own letter; here their calendars are cleared, and times held for them
    are given back.
    """
    for hold in db.session.scalars(select(VisitHold).where(VisitHold.case_id == case.id).order_by(VisitHold.id)):
        db.session.delete(hold)
    db.session.flush()
    offers.withdraw_all(case, now=now)
    booked = db.session.scalars(
        select(Visit).where(Visit.case_id == case.id, Visit.status == VisitStatus.BOOKED).order_by(Visit.id)
    ).all()
    invitations.hold_calendars({one for visit in booked for one in visit.officer_ids}, now=now)
    for visit in booked:
        claim_visit(visit, None)
        _call_off(
            visit,
            case,
            reason=f"The case was moved: {change.move.replace('_', ' ')}",
            reason_for_household=None,
            tell_household=True,
            occasion=Occasion(actor=actor, now=now, today=today, rulebook=rulebook),
        )


def _by(actor: Actor, done: str) -> str:
    """ "booked", or "booked by the household itself" where it did so by its own link."""
    return f"{done} by the household itself" if actor.kind == ActorKind.APPLICANT else done


def hand_over_visits(*, from_user_id: int, to_user_id: int, actor: Actor, now: datetime, today: date) -> int:
    """Give a leaver's booked visits to be settled to somebody else, a task each. Returns how many.

    Nobody is sent on a visit in silence: whether they are free, and whom the household wants, a person finds out.
    """
    rows = db.session.execute(
        select(Visit, Case)
        .join(VisitOfficer, VisitOfficer.visit_id == Visit.id)
        .join(Case, Case.id == Visit.case_id)
        .where(VisitOfficer.officer_id == from_user_id, Visit.status == VisitStatus.BOOKED)
        .order_by(Visit.starts_at)
    ).all()
    for visit, case in rows:
        add_task(
            title=f"Find somebody for the visit of {day(visit.starts_at)}, {clock_time(visit.starts_at)}",
            assigned_to_id=to_user_id,
            due_on=today,
            actor=actor,
            now=now,
            case=case,
        )
    return len(rows)


def claim_visit(visit: Visit, seen: int | None) -> None:
    """Refuse a change made on an old view of a visit, or to one that is over, and keep a second writer waiting.

    Raises VisitHasChanged or VisitIsOver, each saying how the visit stands now.
    """
    expected = visit.version if seen is None else seen
    claimed = db.session.execute(
        update(Visit)
        .where(Visit.id == visit.id, Visit.version == expected, Visit.status == VisitStatus.BOOKED)
        .values(version=Visit.version + 1)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(visit)
    if rows_changed(claimed) == 1:
        return
    if not visit.is_booked:
        raise VisitIsOver(f"This visit can’t be changed any more. {say_visit(visit)}")
    raise VisitHasChanged(
        f"Somebody changed this visit while you were looking. {say_visit(visit)}",
        alternatives=("Look at the visit as it is now, then decide again.",),
    )


def free_officers(visit: Visit) -> None:
    """Give the officers' time back once a visit was called off or missed."""
    for row in visit.officers:
        row.holds = False
    db.session.flush()


def _call_off(
    visit: Visit,
    case: Case,
    *,
    reason: str,
    reason_for_household: str | None,
    tell_household: bool,
    occasion: Occasion,
) -> None:
    visit.status, visit.settled_at = VisitStatus.CANCELLED, occasion.now
    visit.settled_note = reason
    visit.sequence += 1
    free_officers(visit)
    _release(case, visit.officer_ids, actor=occasion.actor, now=occasion.now, today=occasion.today)
    timeline.add(
        case,
        kind="visit",
        title=f"Visit {_by(occasion.actor, 'called off')}: {day(visit.starts_at)}, {clock_time(visit.starts_at)}",
        detail=reason,
        actor=occasion.actor,
        occurred_at=occasion.now,
    )
    _record("visit.cancelled", visit, actor=occasion.actor, now=occasion.now, detail={"sequence": visit.sequence})
    telling.tell_cancelled(visit, case, occasion, reason=reason_for_household, tell_household=tell_household)


def fits(case: Case, purpose: Purpose) -> bool:
    """Whether this kind of visit moves the enquiry. Raises VisitNotBookable where it does not fit at all.

    A session of Stage 2 needs an assessment; every other visit before an application is what the enquiry waits for.
    """
    application = case.stages.get(TrackName.APPLICATION)
    if not case.is_open:
        raise VisitNotBookable("This household’s journey has ended. Open it again first.", status=409)
    if purpose == Purpose.STAGE_TWO_SESSION:
        if application is None:
            raise VisitNotBookable("They have not applied yet, so it can’t be a Stage 2 session.", field="purpose")
        return False
    if application is not None:
        if purpose == Purpose.FIRST_VISIT:
            raise VisitNotBookable(
                "They have applied, so the first visit is behind them. Choose another purpose.", field="purpose"
            )
        return False
    return True


def chosen_officers(officer_ids: Iterable[int]) -> tuple[int, ...]:
    """Who goes, in the order of their ids: one officer or two, who make visits here. Raises VisitNotBookable."""
    chosen = tuple(sorted(set(officer_ids)))
    if not chosen:
        raise VisitNotBookable("Choose who will visit.", field="officers")
    if len(chosen) > MOST_OFFICERS:
        raise VisitNotBookable("Choose one officer, or two who go together.", field="officers")
    able = {user.id for user in staff_who_may(Permission.RECORD_VISIT)}
    if not able.issuperset(chosen):
        raise VisitNotBookable("Choose somebody who makes visits and works here now.", field="officers")
    return chosen


def see_that_they_are_free(
    officer_ids: tuple[int, ...],
    *,
    starts_at: datetime,
    wanted: Wanted,
    now: datetime,
    today: date,
    but_for_visit: int | None = None,
) -> None:
    """Look at the diaries as they are now. Raises SlotTaken, saying why; certain only while the calendars are held."""
    if starts_at <= now:
        raise VisitNotBookable("That time has passed. Choose a later one.", field="starts_at")
    on = london_date(starts_at)
    diaries = read_diaries(officer_ids, first_day=on, last_day=on, wanted=wanted, now=now, but_for_visit=but_for_visit)
    for officer_id in officer_ids:
        why = _why_not_free(diaries, officer_id, starts_at=starts_at, on=on)
        if why is not None:
            raise SlotTaken(
                f"{officer_names([officer_id])[0]} {why}",
                nearest_slots(
                    officer_ids, to=starts_at, wanted=wanted, now=now, today=today, but_for_visit=but_for_visit
                ),
            )


def _why_not_free(diaries: Diaries, officer_id: int, *, starts_at: datetime, on: date) -> str | None:
    free = diaries.free_on(officer_id, on, not_before=None)
    if any(span.start == starts_at for span in free):
        return None
    wanted = Span(starts_at, starts_at + timedelta(minutes=diaries.wanted.length_minutes))
    here = diaries.stop(officer_id)
    for one in diaries.engaged.get(officer_id, ()):
        road = diaries.road(officer_id, one.stop, here)
        if wanted.padded(road.minutes).overlaps(one.span):
            what = "a time held for another household" if one.visit_id is None else "another visit"
            if wanted.overlaps(one.span):
                return f"has {what} then."
            return f"has {what} then, with the time to get there: {_say_road(road)}."
    if diaries.is_full(officer_id, on):
        return "has as many visits as they take on that day."
    if any(wanted.padded(one.travel_minutes).overlaps(one.span) for one in diaries.engagements(officer_id)):
        return "is not free then."
    if not diaries.works_on(officer_id, on):
        return "does not work that day."
    edge = diaries.edge(officer_id)
    if edge.minutes and any(
        london_span(on, start, end).holds(wanted) for start, end in diaries.works_on(officer_id, on)
    ):
        return f"can’t be there then within their hours: their day begins and ends {_say_road(edge)} away."
    return "can’t start a visit then."


def _say_road(road: Estimate) -> str:
    """ "25 minutes", and whether that is only assumed."""
    return f"{road.minutes} minutes{', which is assumed' if road.basis == Basis.ASSUMED else ''}"


class refused_when_taken:  # noqa: N801  (used as a statement)
    """A savepoint round the writing of a visit or hold: an overlap that only the database saw becomes SlotTaken."""

    def __init__(
        self,
        officer_ids: tuple[int, ...],
        starts_at: datetime,
        wanted: Wanted,
        *,
        now: datetime,
        today: date,
        but_for_visit: int | None = None,
    ) -> None:
        self.officer_ids, self.starts_at, self.wanted = officer_ids, starts_at, wanted
        self.now, self.today, self.but_for_visit = now, today, but_for_visit

    def __enter__(self) -> None:
        self.savepoint = db.session.begin_nested()

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _trace: object) -> None:
        if fault is None:
            self.savepoint.commit()
            return
        self.savepoint.rollback()
        if isinstance(fault, sa.exc.IntegrityError) and overlap.is_clash(fault):
            raise SlotTaken(
                "Somebody has just booked that time.",
                nearest_slots(
                    self.officer_ids,
                    to=self.starts_at,
                    wanted=self.wanted,
                    now=self.now,
                    today=self.today,
                    but_for_visit=self.but_for_visit,
                ),
            ) from fault


def put_officers(visit: Visit | VisitHold, officer_ids: tuple[int, ...]) -> None:
    """Give a visit or hold exactly these officers at its time, one statement each in the order of their ids."""
    existing = {row.officer_id: row for row in visit.officers}
    for officer_id in set(existing) - set(officer_ids):
        visit.officers.remove(existing[officer_id])
    db.session.flush()
    own = visit.id if isinstance(visit, Visit) else None
    for officer_id in officer_ids:
        roads.free_the_road_before(officer_id, visit.starts_at)
        blocked_until_at = roads.road_ends(officer_id, visit.ends_at, but_for_visit=own)
        row = existing.get(officer_id)
        if row is None:
            row = VisitOfficer(officer_id=officer_id, holds=True)
            visit.officers.append(row)
        row.starts_at, row.ends_at = visit.starts_at, visit.ends_at
        row.blocked_until_at = blocked_until_at
        db.session.flush()
    db.session.expire(visit, ["officers"])


def _release(case: Case, officer_ids: Iterable[int], *, actor: Actor, now: datetime, today: date) -> None:
    """End the part in the case of officers who have no other visit to this household, booked or held."""
    for officer_id in sorted(set(officer_ids)):
        other = db.session.scalars(
            select(VisitOfficer.id)
            .join(Visit, Visit.id == VisitOfficer.visit_id)
            .where(Visit.case_id == case.id, VisitOfficer.officer_id == officer_id, VisitOfficer.holds)
        ).first()
        if other is None:
            assignment.release(
                case, user_id=officer_id, role=AssignmentRole.VISITING_OFFICER, actor=actor, now=now, today=today
            )


def _record(event: str, visit: Visit, *, actor: Actor, now: datetime, detail: dict[str, object]) -> None:
    record(
        event,
        actor=actor,
        at=now,
        case_id=visit.case_id,
        subject=f"visit:{visit.id}",
        detail={"starts_at": visit.starts_at, **detail},
    )

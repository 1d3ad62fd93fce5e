"""What an officer writes in their own calendar is done to a visit, by the same operations as on a page.

The reference in the title says which household it is about. A refusal is never lost: the event stays in the calendar,
and what is to be settled is shown to the officer until they have settled it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from crm import policy
from crm.access.queries import user_with
from crm.audit import record
from crm.calendars import caldav_reading, caldav_text, caldav_writing
from crm.calendars.caldav_text import Written
from crm.calendars.handlers import Verdict
from crm.calendars.models import CalendarEntry, Problem
from crm.cases.models import Case
from crm.cases.queries import case_by_id, case_for, read_reference, reference_now, visible_cases
from crm.cases.tasks import add_task
from crm.db import db
from crm.delivery.wording import and_list
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName
from crm.visits import booking, telling
from crm.visits.models import Place, Purpose, Visit, VisitHold, VisitStatus

GRACE = timedelta(minutes=2)
"""How long a visit taken out of a calendar stays booked: some programs move an event by taking it out and making
another."""
MOST_AT_ONCE = 3
SHORTEST_MINUTES, LONGEST_MINUTES = 15, 8 * 60
_AT_OURS = re.compile(r"\b(at (our|the) office|visit to us)\b", re.IGNORECASE)
_BY_VIDEO = re.compile(r"\b(video|teams|zoom|online)\b", re.IGNORECASE)


class NothingToSettle(Refusal):
    """There is nothing (any more) to settle here, or it is somebody else's: they are never told apart."""

    default_status = 404

    def __init__(self) -> None:
        super().__init__("There is nothing to settle here. Somebody may have seen to it already.")


# --- What calendars call ----------------------------------------------------------------------------------------------


def hold_visit(*, visit_id: int | None, summary: str, actor: Actor, today: date) -> set[int]:
    """Keep everybody else waiting who changes the household that an event is about. Returns the officers to hold."""
    officers: set[int] = set()
    case_id = None
    if visit_id is not None:
        visit = db.session.get_one(Visit, visit_id)
        case_id, officers = visit.case_id, set(visit.officer_ids)
    else:
        case = _case_meant(summary, actor=actor, today=today)
        if case is not None:
            case_id = case.id
            for coming in _booked_visits(case.id):
                officers |= set(coming.officer_ids)
    if case_id is not None:
        db.session.execute(select(Case.id).where(Case.id == case_id).with_for_update()).all()
    return officers


def write_visit(
    entry: CalendarEntry, written: Written, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> Verdict:
    """Book or move the visit that an event is about; nothing for one that is private."""
    act = _Act(actor, now, today, rulebook)
    if entry.visit_id is not None:
        return _write_known(entry, db.session.get_one(Visit, entry.visit_id), written, act)
    reference = reference_in(written.summary)
    if reference is None or written.is_called_off or (not written.repeats and written.ends_at <= now):
        return Verdict()
    case = _case_meant(written.summary, actor=actor, today=today)
    if case is None:
        return _problem(
            Problem.UNKNOWN,
            f"{reference} is no household that you may book visits for, so this stands in your calendar alone.",
        )
    not_a_time = _not_a_time(written)
    if not_a_time is not None:
        return not_a_time
    moved = _taken_out_before(entry.user_id, case)
    if moved is not None:
        return _move_to_this(entry, moved, written, act)
    return _try(lambda: _book(entry, case, written, act))


def take_visit_out(entry: CalendarEntry, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> Verdict:
    """An event was taken out: its visit is called off after a short while, unless it was moved that way."""
    if entry.visit_id is None:
        return Verdict()
    visit = db.session.get_one(Visit, entry.visit_id)
    if not visit.is_booked or visit.starts_at <= now:  # somebody tidies up what is behind them
        return Verdict(visit_id=visit.id)
    act = _Act(actor, now, today, rulebook)
    case = case_by_id(visit.case_id)
    for other in caldav_reading.to_settle(entry.user_id):
        # The other way round: first the new one, which found the household booked already, then the old one out.
        if other.visit_id is None and other.removed_at is None and other.body is not None:
            written = caldav_text.read(other.body)
            if reference_in(written.summary) == case.reference and _not_a_time(written) is None:
                verdict = _move_to_this(other, visit, written, act)
                other.problem, other.problem_said = verdict.problem, verdict.said
                db.session.flush()
                return Verdict()
    if len(visit.officer_ids) > 1:
        others = [one for one in visit.officer_ids if one != entry.user_id]
        return _problem(
            Problem.TAKEN_OUT,
            f"You took it out of your calendar. It is still booked, with {and_list(booking.officer_names(others))}.",
            visit_id=visit.id,
        )
    entry.called_off_from_at = now + GRACE
    db.session.flush()
    return Verdict(visit_id=visit.id)


# --- By itself --------------------------------------------------------------------------------------------------------


def call_off_taken_out(now: datetime, *, today: date, rulebook: Rulebook) -> int:
    """Call off the visits that were taken out of a calendar and came back nowhere. Returns how many.

    One that can't be called off any more is left as it is, with a task for whoever took it out. Many at once are more
    likely a program's fault than a person's wish: they stay booked, and their officer is asked about each.
    """
    due = db.session.scalars(
        select(CalendarEntry)
        .where(CalendarEntry.called_off_from_at <= now, CalendarEntry.visit_id.is_not(None))
        .order_by(CalendarEntry.called_off_from_at)
    ).all()
    done = 0
    waiting = select(CalendarEntry.user_id).where(CalendarEntry.called_off_from_at.is_not(None))
    by_officer = Counter(db.session.scalars(waiting).all())
    for entry in due:
        entry.called_off_from_at = None
        visit = db.session.get(Visit, entry.visit_id)
        if visit is None or not visit.is_booked:
            continue
        at_once = by_officer[entry.user_id]
        if at_once > MOST_AT_ONCE:
            entry.problem = Problem.TAKEN_OUT
            entry.problem_said = f"{at_once} visits went out of your calendar at once. Is this one off?"
            continue
        case = case_by_id(visit.case_id)
        officer = user_with(entry.user_id)
        try:
            with db.session.begin_nested():
                booking.cancel_visit(
                    visit,
                    case,
                    reason=f"{officer.name} took it out of their calendar",
                    actor=officer.as_actor(),
                    now=now,
                    today=today,
                    rulebook=rulebook,
                )
        except Refusal as refusal:
            add_task(
                title=f"The visit you took out of your calendar is still booked: {refusal.message}"[:200],
                assigned_to_id=entry.user_id,
                due_on=today,
                actor=officer.as_actor(),
                now=now,
                case=case,
            )
        else:
            done += 1
    db.session.flush()
    return done


# --- What is to be settled --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ToSettle:
    """Something in an officer's calendar that was not done, as its page shows it."""

    entry_id: int
    problem: Problem
    starts_at: datetime
    said: str
    instead: tuple[str, ...]
    case: Case | None
    """The household, where the officer may open it."""
    visit: Visit | None
    """The visit that it is about, as it is booked."""


def to_settle(actor: Actor, *, today: date) -> list[ToSettle]:
    """What came in over this officer's calendar and waits for them, by its time. Three queries, however much it is."""
    entries = caldav_reading.to_settle(actor.user_id or 0)
    if not entries:
        return []
    visits = {
        visit.id: visit
        for visit in db.session.scalars(select(Visit).where(Visit.id.in_({one.visit_id for one in entries})))
    }
    references = {one.id: _reference_of(one) for one in entries if one.visit_id is None}
    case_ids = {visit.case_id for visit in visits.values()}
    cases = db.session.scalars(
        select(Case)
        .where(
            or_(Case.id.in_(case_ids), Case.reference.in_([one for one in references.values() if one])),
            visible_cases(actor, today=today),
        )
        .options(joinedload(Case.household))
    ).all()
    by_id, by_reference = {case.id: case for case in cases}, {case.reference: case for case in cases}
    found = []
    for entry in entries:
        visit = visits.get(entry.visit_id or 0)
        said, *instead = (entry.problem_said or "").split("\n")
        found.append(
            ToSettle(
                entry_id=entry.id,
                problem=Problem(entry.problem or Problem.CLASH),
                starts_at=entry.starts_at,
                said=said,
                instead=tuple(instead),
                case=by_id.get(visit.case_id) if visit is not None else by_reference.get(references[entry.id] or ""),
                visit=visit,
            )
        )
    return found


def _reference_of(entry: CalendarEntry) -> str | None:
    return reference_in(caldav_text.read(entry.body).summary) if entry.body is not None else None


def try_again(entry_id: int, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> None:
    """Do what the calendar says, now that it may go. Raises the refusal where it still does not, or NothingToSettle."""
    entry = entry_to_settle(entry_id, actor)
    if entry.removed_at is not None or entry.body is None:
        raise NothingToSettle
    written = caldav_text.read(entry.body)
    verdict = write_visit(entry, written, actor=actor, now=now, today=today, rulebook=rulebook)
    if verdict.problem is not None:
        said, *instead = (verdict.said or "").split("\n")
        raise Refusal(said, alternatives=tuple(instead), status=409)
    entry.visit_id = verdict.visit_id
    entry.problem, entry.problem_said = None, None
    caldav_writing.count_as_busy(entry, written, now=now)
    record("calendar.settled", actor=actor, at=now, subject=f"calendar_entry:{entry.id}", detail={"how": "done"})


def put_back(entry_id: int, *, actor: Actor, now: datetime) -> None:
    """The calendar shows the visit again as it is booked. Raises NothingToSettle."""
    entry = entry_to_settle(entry_id, actor)
    visit = db.session.get(Visit, entry.visit_id) if entry.visit_id is not None else None
    if visit is None:
        raise NothingToSettle
    if visit.is_booked:
        if entry.body is not None:
            entry.body = caldav_text.with_times(
                entry.body, starts_at=visit.starts_at, ends_at=visit.ends_at, sequence=visit.sequence, now=now
            )
        entry.starts_at, entry.ends_at = visit.starts_at, visit.ends_at
        entry.removed_at = None
    entry.problem, entry.problem_said = None, None
    caldav_writing.change_shown(entry, now=now)
    if visit.is_booked:
        telling.tell_officer_where_it_is(visit, case_by_id(visit.case_id), user_with(entry.user_id), entry.uid, now=now)
    record("calendar.settled", actor=actor, at=now, subject=f"calendar_entry:{entry.id}", detail={"how": "put_back"})


def keep_as_own(entry_id: int, *, actor: Actor, now: datetime) -> None:
    """It is the officer's own event and about no visit. Raises NothingToSettle."""
    entry = entry_to_settle(entry_id, actor)
    if entry.visit_id is not None:
        raise NothingToSettle
    caldav_writing.leave_as_private(entry, actor=actor, now=now)


def entry_to_settle(entry_id: int, actor: Actor) -> CalendarEntry:
    """An event of this officer's that waits to be settled. Raises NothingToSettle."""
    entry = db.session.get(CalendarEntry, entry_id)
    if entry is None or entry.user_id != actor.user_id or entry.problem is None:
        raise NothingToSettle
    return entry


def move_to(
    visit: Visit,
    starts_at: datetime,
    ends_at: datetime,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> Verdict:
    """Move a visit to where its officer proposes in their calendar; the refusal where it can't be."""
    case = case_by_id(visit.case_id)
    length = int((ends_at - starts_at).total_seconds() // 60)

    def move() -> Verdict:
        booking.move_visit(
            visit,
            case,
            starts_at=starts_at,
            length_minutes=length,
            officer_ids=visit.officer_ids,
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
        )
        return Verdict(visit_id=visit.id)

    return _try(move, visit_id=visit.id)


def decline(visit: Visit, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> None:
    """An officer says no to a visit of theirs in their calendar: as if they had taken it out."""
    entry = _shown(visit, actor)
    if entry is not None:
        verdict = take_visit_out(entry, actor=actor, now=now, today=today, rulebook=rulebook)
        if verdict.problem is not None:
            entry.problem, entry.problem_said = verdict.problem, verdict.said or ""
            db.session.flush()


def come_after_all(visit: Visit, *, actor: Actor) -> None:
    """They say yes after a no, before anything was done about it."""
    entry = _shown(visit, actor)
    if entry is not None:
        entry.called_off_from_at = None
        if entry.problem == Problem.TAKEN_OUT:
            entry.problem, entry.problem_said = None, None
        db.session.flush()


def _shown(visit: Visit, actor: Actor) -> CalendarEntry | None:
    """The event that shows a visit in somebody's own calendar here."""
    return db.session.scalars(
        select(CalendarEntry).where(
            CalendarEntry.user_id == actor.user_id,
            CalendarEntry.visit_id == visit.id,
            CalendarEntry.removed_at.is_(None),
        )
    ).first()


def say_when(visit: Visit) -> str:
    """Tuesday 14 July, 2pm."""
    return booking.say_slot(visit)


# --- How it is done ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Act:
    """By whom, when and under which rules."""

    actor: Actor
    now: datetime
    today: date
    rulebook: Rulebook

    @property
    def given(self) -> dict[str, Any]:
        return {"actor": self.actor, "now": self.now, "today": self.today, "rulebook": self.rulebook}


def reference_in(summary: str) -> str | None:
    """The reference of a household that a title carries, if any: with the service's own letters before it."""
    prefix = re.escape(policy.service().reference_prefix)
    for found in re.finditer(
        rf"(?<![0-9A-Za-z]){prefix}[-\u2010-\u2013 ]?[0-9A-Za-z]{{6}}(?![0-9A-Za-z])", summary, re.I
    ):
        reference = read_reference(re.sub(r"[^0-9A-Za-z]", "", found[0]))
        if reference is not None:
            return reference
    return None


def _case_meant(summary: str, *, actor: Actor, today: date) -> Case | None:
    reference = reference_in(summary)
    if reference is None:
        return None
    try:
        return case_for(actor, reference, today=today)
    except Refusal:
        return None


def _write_known(entry: CalendarEntry, visit: Visit, written: Written, act: _Act) -> Verdict:
    """An event that shows a visit was written anew."""
    case = case_by_id(visit.case_id)
    reference = reference_in(written.summary)
    if reference is not None and case.reference not in (reference, reference_now(reference)):
        return _problem(
            Problem.CLASH,
            f"This event is the visit of {case.reference}. Make a new event for another household.",
            visit_id=visit.id,
        )
    if written.is_called_off:
        return take_visit_out(entry, **act.given)
    if (visit.starts_at, visit.ends_at) == (written.starts_at, written.ends_at):
        return Verdict(visit_id=visit.id)
    not_a_time = _not_a_time(written, visit_id=visit.id)
    if not_a_time is not None:
        return not_a_time
    return _try(lambda: _move(visit, case, written, act), visit_id=visit.id)


def _move_to_this(entry: CalendarEntry, visit: Visit, written: Written, act: _Act) -> Verdict:
    """A visit that stood in another event of this calendar is shown by this one, and moved to its time."""
    for before in db.session.scalars(
        select(CalendarEntry).where(CalendarEntry.user_id == entry.user_id, CalendarEntry.visit_id == visit.id)
    ):
        before.called_off_from_at = None
    entry.visit_id = visit.id
    db.session.flush()
    case = case_by_id(visit.case_id)
    return _try(lambda: _move(visit, case, written, act), visit_id=visit.id)


def _move(visit: Visit, case: Case, written: Written, act: _Act) -> Verdict:
    booking.move_visit(
        visit,
        case,
        starts_at=written.starts_at,
        length_minutes=_length(written),
        officer_ids=visit.officer_ids,
        **act.given,
    )
    return Verdict(visit_id=visit.id)


def _book(entry: CalendarEntry, case: Case, written: Written, act: _Act) -> Verdict:
    """A time that was held for this household with this officer is used up by it."""
    hold = next(
        (
            one
            for one in db.session.scalars(select(VisitHold).where(VisitHold.case_id == case.id).order_by(VisitHold.id))
            if entry.user_id in one.officer_ids and one.starts_at < written.ends_at and written.starts_at < one.ends_at
        ),
        None,
    )
    visit = booking.book_visit(
        case,
        purpose=_purpose_for(case),
        place=_place_in(written),
        starts_at=written.starts_at,
        length_minutes=_length(written),
        officer_ids=[entry.user_id],
        uids={entry.user_id: entry.uid},
        hold=hold,
        **act.given,
    )
    return Verdict(visit_id=visit.id)


def _try(do: Any, *, visit_id: int | None = None) -> Verdict:
    """Do it, or nothing of it: what is refused is said."""
    try:
        with db.session.begin_nested():
            verdict: Verdict = do()
            return verdict
    except Refusal as refusal:
        return _problem(Problem.CLASH, refusal.message, *refusal.alternatives, visit_id=visit_id)


def _problem(problem: Problem, *lines: str, visit_id: int | None = None) -> Verdict:
    said = "\n".join(" ".join(line.split()) for line in lines)
    return Verdict(visit_id=visit_id, problem=problem, said=said)


def _not_a_time(written: Written, *, visit_id: int | None = None) -> Verdict | None:
    if written.repeats:
        why = "It repeats. A visit is booked once: make one event for each."
    elif written.is_all_day:
        why = "It lasts whole days. Give the visit a time."
    elif not SHORTEST_MINUTES <= _length(written) <= LONGEST_MINUTES:
        why = f"A visit lasts {SHORTEST_MINUTES} minutes to {LONGEST_MINUTES // 60} hours. Change its end."
    else:
        return None
    return _problem(Problem.NOT_A_TIME, why, visit_id=visit_id)


def _length(written: Written) -> int:
    return int((written.ends_at - written.starts_at).total_seconds() // 60)


def _purpose_for(case: Case) -> Purpose:
    """What a visit is for where its event does not say: the one that the household waits for."""
    if case.stages.get(TrackName.APPLICATION) is not None:
        return Purpose.STAGE_TWO_SESSION
    been = db.session.scalar(
        select(Visit.id).where(Visit.case_id == case.id, Visit.status == VisitStatus.DONE).limit(1)
    )
    return Purpose.FIRST_VISIT if been is None else Purpose.RE_VISIT


def _place_in(written: Written) -> Place:
    said = f"{written.summary} {written.place}"
    if _AT_OURS.search(said):
        return Place.OFFICE
    return Place.VIDEO if _BY_VIDEO.search(said) else Place.HOME


def _taken_out_before(user_id: int, case: Case) -> Visit | None:
    """The booked visit of a household that this officer has just taken out of their calendar."""
    return db.session.scalars(
        select(Visit)
        .join(CalendarEntry, CalendarEntry.visit_id == Visit.id)
        .where(
            CalendarEntry.user_id == user_id,
            CalendarEntry.called_off_from_at.is_not(None),
            Visit.case_id == case.id,
            Visit.status == VisitStatus.BOOKED,
        )
        .order_by(CalendarEntry.called_off_from_at.desc())
        .limit(1)
    ).first()


def _booked_visits(case_id: int) -> Sequence[Visit]:
    return db.session.scalars(select(Visit).where(Visit.case_id == case_id, Visit.status == VisitStatus.BOOKED)).all()

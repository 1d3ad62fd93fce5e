"""Reads of visits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import selectinload

from crm.access.models import User
from crm.access.queries import names_of, staff_who_may
from crm.calendars.busy_calendars import Reading, readings_of
from crm.calendars.invitations import objects_of_visit
from crm.cases import queries as case_queries
from crm.cases.home_visits import HeldVisit
from crm.cases.models import Case, Deadline, Household, Person, StageChange
from crm.clock import london_date
from crm.db import db
from crm.delivery import MessageStatus, OutboundMessage
from crm.delivery.letters import LETTERS
from crm.delivery.models import STATUS_WORDS
from crm.rules.intervals import Span, intersect, london_span, london_to_utc
from crm.rules.permissions import Actor, Permission, Role
from crm.rules.refusal import Refusal
from crm.rules.transitions import Evidence
from crm.rules.travel import Basis, Estimate, Stop, TravelBy
from crm.visits.availability import (
    SLOTS_APART,
    Diaries,
    Engaged,
    Slot,
    Wanted,
    earliest,
    free_slots,
    read_diaries,
    wanted_by,
)
from crm.visits.day_models import VisitWatch
from crm.visits.models import (
    BusyKind,
    BusyTime,
    OfficerDiary,
    Visit,
    VisitHold,
    VisitOfficer,
    VisitReport,
    VisitStatus,
)
from crm.visits.telling import area_of


class VisitNotFound(Refusal):
    """No such visit, or not one this person may open: the two are never told apart."""

    def __init__(self) -> None:
        super().__init__("We can’t find that visit, or it is not one you can open.", status=404)


def visit_for(actor: Actor, visit_id: int, *, today: date) -> tuple[Visit, Case]:
    """A visit and its case, for somebody who may open that case. Raises VisitNotFound, which says no more."""
    row = db.session.execute(
        select(Visit, Case)
        .join(Case, Case.id == Visit.case_id)
        .where(Visit.id == visit_id, case_queries.visible_cases(actor, today=today))
        .options(
            selectinload(Visit.officers),
            selectinload(Visit.report),
            selectinload(Case.household).selectinload(Household.people),
            selectinload(Case.tracks),
        )
    ).first()
    if row is None:
        raise VisitNotFound
    return row[0], row[1]


def watched_visit(actor: Actor, visit_id: int) -> tuple[Visit, Case]:
    """A visit and its case, for one who goes, looks out for those who go, or is a manager. Raises VisitNotFound.

    A buddy need not be able to open the case: the page shows what they need of it, and no more.
    """
    row = db.session.execute(
        select(Visit, Case, VisitWatch.buddy_id)
        .join(Case, Case.id == Visit.case_id)
        .outerjoin(VisitWatch, VisitWatch.visit_id == Visit.id)
        .where(Visit.id == visit_id)
        .options(selectinload(Visit.officers), selectinload(Case.household).selectinload(Household.people))
    ).first()
    if row is None or actor.user_id is None:
        raise VisitNotFound
    if actor.user_id not in (*row[0].officer_ids, row.buddy_id) and Role.MANAGER not in actor.roles:
        raise VisitNotFound
    return row[0], row[1]


def visits_of(case: Case) -> list[Visit]:
    """Every visit to a household, the latest first."""
    return list(
        db.session.scalars(
            select(Visit)
            .where(Visit.case_id == case.id)
            .options(selectinload(Visit.officers), selectinload(Visit.report))
            .order_by(Visit.starts_at.desc(), Visit.id.desc())
        )
    )


def held_visit(visit: Visit) -> HeldVisit:
    """A visit that was made, as others hear of it."""
    begun, ended = visit.held_from_at or visit.starts_at, visit.held_until_at or visit.ends_at
    return HeldVisit(
        visit_id=visit.id,
        purpose=visit.purpose,
        held_on=london_date(begun),
        minutes=max(1, int((ended - begun).total_seconds() // 60)),
        officer_ids=visit.officer_ids,
    )


def booked_visits(case: Case) -> list[Visit]:
    """The visits to a household that are still booked, the nearest first."""
    return list(
        db.session.scalars(
            select(Visit)
            .where(Visit.case_id == case.id, Visit.status == VisitStatus.BOOKED)
            .options(selectinload(Visit.officers))
            .order_by(Visit.starts_at, Visit.id)
        )
    )


def missed_visits(case: Case) -> int:
    """At how many visits nobody was in since the case was opened, or opened again."""
    reopened_at = db.session.scalar(
        select(func.max(StageChange.changed_at)).where(
            StageChange.case_id == case.id, StageChange.move == "reopen_enquiry"
        )
    )
    query = (
        select(func.count()).select_from(Visit).where(Visit.case_id == case.id, Visit.status == VisitStatus.NO_ACCESS)
    )
    if reopened_at is not None:
        query = query.where(Visit.settled_at > reopened_at)
    return db.session.scalar(query) or 0


def evidence_for(case: Case, today: date) -> dict[str, object]:
    """What visits know about a household, as far as moves depend on it: fields of Evidence."""
    row = db.session.execute(
        select(Visit.starts_at, VisitReport.recommendation, VisitReport.outcome, VisitReport.signed_off_at)
        .outerjoin(VisitReport, VisitReport.visit_id == Visit.id)
        .where(Visit.case_id == case.id, Visit.moves_enquiry, Visit.status == VisitStatus.DONE)
        .order_by(Visit.starts_at.desc())
    ).first()
    if row is None:
        return {}
    known: dict[str, object] = {
        "visit_on": london_date(row.starts_at),
        "visit_outcome": row.outcome or row.recommendation,
        "visit_signed_off": row.signed_off_at is not None,
    }
    return {name: value for name, value in known.items() if name in Evidence.__dataclass_fields__}


def cars_of(officer_ids: Iterable[int]) -> dict[int, str]:
    """The registrations of the cars of those who gave one."""
    rows = db.session.execute(
        select(OfficerDiary.user_id, OfficerDiary.car)
        .where(OfficerDiary.user_id.in_(list(officer_ids)), OfficerDiary.car.is_not(None))
        .order_by(OfficerDiary.user_id)
    )
    return {row.user_id: row.car for row in rows}


def visiting_officers() -> list[User]:
    """Those who make visits and work here now, by name."""
    return staff_who_may(Permission.RECORD_VISIT)


# --- Lists for My day and for managers --------------------------------------------------------------------------------


@dataclass(frozen=True)
class VisitLine:
    """One visit in a list: to be held, written up or signed off."""

    visit_id: int
    case_id: int
    reference: str
    household: str
    area: str
    purpose: str
    place: str
    status: str
    starts_at: datetime
    ends_at: datetime
    submitted_at: datetime | None = None
    recommendation: str | None = None


def visits_on(user_id: int, day: date) -> list[VisitLine]:
    """An officer's booked and held visits of a London day, in order."""
    return _lines(
        select(Visit.id)
        .join(VisitOfficer, VisitOfficer.visit_id == Visit.id)
        .where(
            VisitOfficer.officer_id == user_id,
            VisitOfficer.holds,
            VisitOfficer.starts_at >= london_to_utc(day, 0),
            VisitOfficer.starts_at < london_to_utc(day, 24 * 60),
        )
    )


def visits_to_record(user_id: int, *, now: datetime) -> list[VisitLine]:
    """An officer's visits whose time has passed, and of which nobody has said what happened."""
    return _lines(
        select(Visit.id)
        .join(VisitOfficer, VisitOfficer.visit_id == Visit.id)
        .where(VisitOfficer.officer_id == user_id, Visit.status == VisitStatus.BOOKED, Visit.ends_at < now)
    )


def reports_to_write(user_id: int) -> list[VisitLine]:
    """Visits that an officer made and whose report has not gone to a manager."""
    return _lines(
        select(Visit.id)
        .join(VisitOfficer, VisitOfficer.visit_id == Visit.id)
        .outerjoin(VisitReport, VisitReport.visit_id == Visit.id)
        .where(
            VisitOfficer.officer_id == user_id,
            Visit.status == VisitStatus.DONE,
            VisitReport.submitted_at.is_(None),
        )
    )


def reports_to_sign_off(actor: Actor) -> list[VisitLine]:
    """Reports that wait for this person: sent, not signed off, and not their own."""
    if not actor.has(Permission.SIGN_OFF_VISIT):
        return []
    return _lines(
        select(Visit.id)
        .join(VisitReport, VisitReport.visit_id == Visit.id)
        .where(
            VisitReport.submitted_at.is_not(None),
            VisitReport.signed_off_at.is_(None),
            VisitReport.written_by_id != actor.user_id,
        )
    )


@dataclass(frozen=True)
class MissedTwice:
    """A household at which nobody was in twice: a manager decides whether to close."""

    reference: str
    household: str
    letter_due_on: date


def close_list(actor: Actor, *, today: date) -> list[MissedTwice]:
    """Households to be written to after a second missed visit, the nearest date first."""
    rows = db.session.execute(
        select(Case.reference, Household.name, Deadline.due_on)
        .join(Deadline, Deadline.case_id == Case.id)
        .join(Household, Household.id == Case.household_id)
        .where(
            Deadline.rule == "no_access_letter",
            Deadline.stopped_on.is_(None),
            case_queries.visible_cases(actor, today=today),
        )
        .order_by(Deadline.due_on, Case.id)
    )
    return [MissedTwice(row.reference, row.name, row.due_on) for row in rows]


@dataclass(frozen=True)
class Waiting:
    """A household for which a date is to be found."""

    reference: str
    household: str
    area: str
    next_action: str | None
    due_on: date | None


WAITING_SHOWN = 25


def households_waiting(actor: Actor, *, today: date) -> list[Waiting]:
    """Households that wait for a visit to be booked, the most pressing first; at most WAITING_SHOWN."""
    rows = db.session.scalars(
        select(Case)
        .where(Case.place.in_(("contacted", "in_assessment")), case_queries.visible_cases(actor, today=today))
        .options(selectinload(Case.household))
        .order_by(Case.place, Case.next_action_due_on, Case.id)
        .limit(WAITING_SHOWN)
    )
    return [
        Waiting(case.reference, case.household.name, area_of(case.household), case.next_action, case.next_action_due_on)
        for case in rows
    ]


def _lines(visit_ids: object) -> list[VisitLine]:
    rows = db.session.execute(
        select(Visit, Case.reference, Household, VisitReport.submitted_at, VisitReport.recommendation)
        .join(Case, Case.id == Visit.case_id)
        .join(Household, Household.id == Case.household_id)
        .outerjoin(VisitReport, VisitReport.visit_id == Visit.id)
        .where(Visit.id.in_(visit_ids))  # type: ignore[arg-type]
        .order_by(Visit.starts_at, Visit.id)
    )
    return [
        VisitLine(
            visit_id=visit.id,
            case_id=visit.case_id,
            reference=reference,
            household=household.name,
            area=area_of(household),
            purpose=visit.purpose,
            place=visit.place,
            status=visit.status,
            starts_at=visit.starts_at,
            ends_at=visit.ends_at,
            submitted_at=submitted_at,
            recommendation=recommendation,
        )
        for visit, reference, household, submitted_at, recommendation in rows
    ]


# --- The week ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """One thing in a day of the week: a visit, the way to it, a time held or busy, leave, or a free time to choose."""

    kind: str
    """visit, hold, travel, busy, leave or free."""
    starts_at: datetime
    ends_at: datetime
    visit: VisitLine | None = None
    hold: HeldLine | None = None
    is_named: bool = False
    """Whether the person looking may open the household, so that its name may be shown."""
    is_clash: bool = False
    minutes: int = 0
    """How long the way takes."""
    is_assumed: bool = False
    """Whether that is only assumed, because one end of it is not known."""
    gap: int | None = None
    """The minutes there are for it, where they are fewer."""
    is_all_day: bool = False


@dataclass(frozen=True)
class HeldLine:
    """A time held for a household."""

    hold_id: int
    case_id: int
    reference: str
    household: str
    starts_at: datetime
    ends_at: datetime
    runs_out_at: datetime


@dataclass
class DayOfWeek:
    """One officer's day."""

    on: date
    works: bool
    is_away: bool = False
    blocks: list[Block] = field(default_factory=list)


@dataclass
class OfficerWeek:
    """One officer's week: a row of the table."""

    officer_id: int
    name: str
    days: list[DayOfWeek]
    visits: int
    reading: Reading | None = None
    """How it stands with the calendars of their own, where they gave any."""


WEEK_SLOTS_APART = 150


def week_of(
    actor: Actor,
    *,
    officers: Iterable[User],
    first_day: date,
    days: int,
    wanted: Wanted,
    now: datetime,
    today: date,
) -> list[OfficerWeek]:
    """The week of these officers, in a handful of queries however many they are."""
    staff = list(officers)
    ids = [user.id for user in staff]
    last_day = first_day + timedelta(days=days - 1)
    begin, end = london_to_utc(first_day, 0), london_to_utc(last_day, 24 * 60)
    diaries = read_diaries(ids, first_day=first_day, last_day=last_day, wanted=wanted, now=now)
    parts = db.session.execute(
        select(VisitOfficer.officer_id, VisitOfficer.visit_id)
        .join(Visit, Visit.id == VisitOfficer.visit_id)
        .where(
            VisitOfficer.officer_id.in_(ids),
            VisitOfficer.starts_at >= begin,
            VisitOfficer.starts_at < end,
            Visit.status != VisitStatus.CANCELLED,
        )
    ).all()
    visit_ids = {part.visit_id for part in parts}
    lines = {line.visit_id: line for line in _lines(visit_ids)} if visit_ids else {}
    held = _held_lines({one.hold_id for those in diaries.engaged.values() for one in those if one.hold_id})
    case_ids = {line.case_id for line in lines.values()} | {line.case_id for line in held.values()}
    named = (
        set(
            db.session.scalars(
                select(Case.id).where(Case.id.in_(case_ids), case_queries.visible_cases(actor, today=today))
            )
        )
        if case_ids
        else set()
    )
    visits_by: dict[tuple[int, date], list[VisitLine]] = defaultdict(list)
    for part in parts:
        line = lines[part.visit_id]
        visits_by[part.officer_id, london_date(line.starts_at)].append(line)
    taken: dict[int, list[tuple[str, Span]]] = defaultdict(list)
    for row in db.session.scalars(
        select(BusyTime)
        .where(BusyTime.user_id.in_(ids), BusyTime.starts_at < end, BusyTime.ends_at > begin)
        .order_by(BusyTime.starts_at)
    ):
        taken[row.user_id].append((row.kind, Span(row.starts_at, row.ends_at)))
    readings = readings_of(ids, now=now)
    soonest = earliest(now)
    found = []
    for user in staff:
        row_days = []
        for day in diaries.days():
            whole = london_span(day, 0, 24 * 60)
            made = DayOfWeek(on=day, works=bool(diaries.works_on(user.id, day)))
            said = [(kind, span) for kind, span in taken[user.id] if span.overlaps(whole)]
            made.is_away = any(kind == BusyKind.LEAVE and span.holds(whole) for kind, span in said)
            busy = [(kind, cut) for kind, span in said for cut in intersect([span], [whole])]
            busy += [(BusyKind.BUSY, span) for span in _busy_at_work(diaries, user.id, day)]
            visits = sorted(visits_by[user.id, day], key=lambda line: line.starts_at)
            holds = [
                held[one.hold_id]
                for one in diaries.engaged.get(user.id, ())
                if one.hold_id in held and london_date(one.span.start) == day
            ]
            made.blocks = _blocks(made, visits, busy, named)
            made.blocks += [
                Block("hold", one.starts_at, one.ends_at, hold=one, is_named=one.case_id in named) for one in holds
            ]
            made.blocks += _ways(diaries, user.id, day)
            if day >= today and not made.is_away:
                made.blocks += _free_blocks(diaries, user.id, day, soonest)
            made.blocks.sort(key=lambda block: (block.starts_at, block.kind != "travel"))
            row_days.append(made)
        count = sum(1 for day in row_days for block in day.blocks if block.kind == "visit")
        found.append(OfficerWeek(user.id, user.name, row_days, count, readings.get(user.id)))
    return found


def _held_lines(hold_ids: set[int]) -> dict[int | None, HeldLine]:
    if not hold_ids:
        return {}
    rows = db.session.execute(
        select(VisitHold, Case.reference, Household.name)
        .join(Case, Case.id == VisitHold.case_id)
        .join(Household, Household.id == Case.household_id)
        .where(VisitHold.id.in_(hold_ids))
    )
    return {
        hold.id: HeldLine(hold.id, hold.case_id, reference, household, hold.starts_at, hold.ends_at, hold.runs_out_at)
        for hold, reference, household in rows
    }


def _busy_at_work(diaries: Diaries, officer_id: int, day: date) -> tuple[Span, ...]:
    """What an officer's own calendars take out of the hours they work: their evenings are nobody's business."""
    hours = [london_span(day, start, end) for start, end in diaries.works_on(officer_id, day)]
    return intersect(hours, diaries.by_calendar.get(officer_id, ()))


def _blocks(day: DayOfWeek, visits: list[VisitLine], busy: list[tuple[str, Span]], named: set[int]) -> list[Block]:
    blocks: list[Block] = []
    if not day.is_away:
        for kind, span in busy:
            blocks.append(Block(kind, span.start, span.end, is_all_day=span.minutes >= 8 * 60))
    for line in visits:
        is_clash = line.status == VisitStatus.BOOKED and (
            day.is_away
            or any(
                span.start < line.ends_at
                and line.starts_at < span.end
                # A visit that was put into their own calendar comes back from there as a busy time.
                and (span.start, span.end) != (line.starts_at, line.ends_at)
                for _, span in busy
            )
        )
        blocks.append(
            Block("visit", line.starts_at, line.ends_at, visit=line, is_named=line.case_id in named, is_clash=is_clash)
        )
    return blocks


def _ways(diaries: Diaries, officer_id: int, day: date) -> list[Block]:
    """The way to each visit of a day: from the one before it, or from where the officer's day begins."""
    desk = diaries.desks[officer_id]
    before: Engaged | None = None
    found = []
    for one in diaries.engaged.get(officer_id, ()):
        if london_date(one.span.start) != day:
            continue
        start: Stop | None = before.stop if before is not None else desk if desk.district else None
        if start is not None:
            road = diaries.road(officer_id, start, one.stop)
            gap = None if before is None else Span(before.span.end, max(before.span.end, one.span.start)).minutes
            if road.minutes and (before is not None or road.basis != Basis.ASSUMED):
                found.append(
                    Block(
                        "travel",
                        one.span.start - timedelta(minutes=road.minutes),
                        one.span.start,
                        minutes=road.minutes,
                        is_assumed=road.basis == Basis.ASSUMED,
                        gap=gap if gap is not None and gap < road.minutes else None,
                    )
                )
        before = one
    return found


def _free_blocks(diaries: Diaries, user_id: int, day: date, soonest: datetime) -> list[Block]:
    kept: list[Block] = []
    for span in diaries.free_on(user_id, day, not_before=soonest):
        if not kept or span.start >= kept[-1].starts_at + timedelta(minutes=WEEK_SLOTS_APART):
            kept.append(Block("free", span.start, span.end))
    return kept


@dataclass(frozen=True)
class Way:
    """The way of one officer to a visit: between which districts, how, and how long we think that it takes."""

    one: str | None
    other: str | None
    by: TravelBy
    road: Estimate
    is_from_desk: bool


def way_to(visit: Visit, case: Case, officer_id: int, *, now: datetime) -> Way:
    """The way that an officer comes to a visit: from the one before it on that day, else from where the day begins."""
    on = london_date(visit.starts_at)
    wanted = wanted_by(case, length_minutes=visit.length_minutes, place=visit.place)
    diaries = read_diaries([officer_id], first_day=on, last_day=on, wanted=wanted, now=now, but_for_visit=visit.id)
    before = [
        one
        for one in diaries.engaged.get(officer_id, ())
        if one.span.end <= visit.starts_at and london_date(one.span.start) == on
    ]
    start, there = (before[-1].stop if before else diaries.desks[officer_id]), diaries.stop(officer_id)
    return Way(
        one=start.district,
        other=there.district,
        by=diaries.travels_by[officer_id],
        road=diaries.road(officer_id, start, there),
        is_from_desk=not before,
    )


def slots_to_choose(
    officer_ids: Iterable[int],
    *,
    first_day: date,
    days: int,
    wanted: Wanted,
    now: datetime,
    today: date,
    but_for_visit: int | None = None,
) -> list[Slot]:
    """Free times that a person may choose from, thinned out so that they can be read."""
    start = max(first_day, today)
    diaries = read_diaries(
        officer_ids,
        first_day=start,
        last_day=start + timedelta(days=days - 1),
        wanted=wanted,
        now=now,
        but_for_visit=but_for_visit,
    )
    return free_slots(diaries, not_before=earliest(now), apart_minutes=SLOTS_APART)


def is_free(
    officer_ids: Iterable[int],
    *,
    at: datetime,
    wanted: Wanted,
    now: datetime,
    but_for_visit: int | None = None,
) -> list[Slot]:
    """One exact time, when these officers are all free then; otherwise nothing."""
    on = london_date(at)
    diaries = read_diaries(officer_ids, first_day=on, last_day=on, wanted=wanted, now=now, but_for_visit=but_for_visit)
    return [slot for slot in free_slots(diaries, not_before=earliest(now)) if slot.starts_at == at]


def times_away(user_id: int, *, now: datetime) -> list[BusyTime]:
    """An officer's leave and busy times that are not over, the nearest first."""
    return list(
        db.session.scalars(
            select(BusyTime)
            .where(BusyTime.user_id == user_id, BusyTime.ends_at > now)
            .order_by(BusyTime.starts_at, BusyTime.id)
        )
    )


@dataclass(frozen=True)
class LetterLine:
    """One letter about a visit and where it is."""

    title: str
    to: str
    channel: str
    status: str
    queued_at: datetime


def letters_about(visit: Visit) -> list[LetterLine]:
    """The letters that a visit has set going, in order: to whom, and whether they have left."""
    streams = [row.uid for row in objects_of_visit(visit.id)]
    rows = db.session.scalars(
        select(OutboundMessage)
        .where(
            OutboundMessage.case_id == visit.case_id,
            or_(
                OutboundMessage.stream.in_(streams),
                and_(
                    OutboundMessage.stream >= f"visit{visit.id}:",
                    OutboundMessage.stream < f"visit{visit.id};",
                ),
            ),
        )
        .order_by(OutboundMessage.id)
    ).all()
    staff = names_of(row.user_id for row in rows)
    people = dict(
        db.session.execute(
            select(Person.id, Person.given_name).where(Person.id.in_({row.person_id for row in rows if row.person_id}))
        ).all()
    )
    return [
        LetterLine(
            title=LETTERS[row.kind].title,
            to=staff.get(row.user_id or 0) or people.get(row.person_id or 0) or "",
            channel=row.channel,
            status=STATUS_WORDS[MessageStatus(row.status)],
            queued_at=row.queued_at,
        )
        for row in rows
    ]

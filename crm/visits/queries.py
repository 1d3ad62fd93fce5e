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
from crm.calendars.invitations import objects_of_visit
from crm.cases import queries as case_queries
from crm.cases.models import Case, Deadline, Household, Person, StageChange
from crm.clock import london_date
from crm.db import db
from crm.delivery import MessageStatus, OutboundMessage
from crm.delivery.letters import LETTERS
from crm.delivery.models import STATUS_WORDS
from crm.rules.intervals import london_to_utc
from crm.rules.permissions import Actor, Permission
from crm.rules.refusal import Refusal
from crm.rules.transitions import Evidence
from crm.visits.availability import (
    EARLIEST_NOTICE,
    SLOTS_APART,
    Diaries,
    Slot,
    free_slots,
    read_diaries,
)
from crm.visits.models import BusyKind, BusyTime, Visit, VisitOfficer, VisitReport, VisitStatus
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
    """One thing in a day of the week: a visit, the drive to it, busy time, leave, or a free time to choose."""

    kind: str
    """visit, travel, busy, leave or free."""
    starts_at: datetime
    ends_at: datetime
    visit: VisitLine | None = None
    is_named: bool = False
    """Whether the person looking may open the household, so that its name may be shown."""
    is_clash: bool = False


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


WEEK_SLOTS_APART = 150


def week_of(
    actor: Actor,
    *,
    officers: Iterable[User],
    first_day: date,
    days: int,
    length_minutes: int,
    now: datetime,
    today: date,
) -> list[OfficerWeek]:
    """The week of these officers, in a handful of queries however many they are."""
    staff = list(officers)
    ids = [user.id for user in staff]
    last_day = first_day + timedelta(days=days - 1)
    begin, end = london_to_utc(first_day, 0), london_to_utc(last_day, 24 * 60)
    diaries = read_diaries(ids, first_day=first_day, last_day=last_day)
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
    named = (
        set(
            db.session.scalars(
                select(Case.id).where(
                    Case.id.in_({line.case_id for line in lines.values()}),
                    case_queries.visible_cases(actor, today=today),
                )
            )
        )
        if lines
        else set()
    )
    visits_by: dict[tuple[int, date], list[VisitLine]] = defaultdict(list)
    for part in parts:
        line = lines[part.visit_id]
        visits_by[part.officer_id, london_date(line.starts_at)].append(line)
    busy: dict[int, list[BusyTime]] = defaultdict(list)
    for row in db.session.scalars(
        select(BusyTime)
        .where(BusyTime.user_id.in_(ids), BusyTime.starts_at < end, BusyTime.ends_at > begin)
        .order_by(BusyTime.starts_at)
    ):
        busy[row.user_id].append(row)
    found = []
    for user in staff:
        row_days = []
        for day in diaries.days():
            made = DayOfWeek(on=day, works=bool(diaries.works_on(user.id, day)))
            day_begin, day_end = london_to_utc(day, 0), london_to_utc(day, 24 * 60)
            taken = [one for one in busy[user.id] if one.starts_at < day_end and one.ends_at > day_begin]
            made.is_away = any(
                one.kind == BusyKind.LEAVE and one.starts_at <= day_begin and one.ends_at >= day_end for one in taken
            )
            visits = sorted(visits_by[user.id, day], key=lambda line: line.starts_at)
            made.blocks = _blocks(made, visits, taken, named, (day_begin, day_end), diaries.travel_minutes)
            if day >= today and not made.is_away:
                made.blocks += _free_blocks(diaries, user.id, day, length_minutes, now)
            made.blocks.sort(key=lambda block: (block.starts_at, block.kind != "travel"))
            row_days.append(made)
        count = sum(1 for day in row_days for block in day.blocks if block.kind == "visit")
        found.append(OfficerWeek(user.id, user.name, row_days, count))
    return found


def _blocks(
    day: DayOfWeek,
    visits: list[VisitLine],
    taken: list[BusyTime],
    named: set[int],
    bounds: tuple[datetime, datetime],
    travel_minutes: int,
) -> list[Block]:
    blocks: list[Block] = []
    if not day.is_away:
        for one in taken:
            start, end = max(one.starts_at, bounds[0]), min(one.ends_at, bounds[1])
            blocks.append(Block(one.kind, start, end))
    previous: VisitLine | None = None
    for line in visits:
        holds = line.status in (VisitStatus.BOOKED, VisitStatus.DONE)
        is_clash = line.status == VisitStatus.BOOKED and (
            day.is_away or any(one.starts_at < line.ends_at and line.starts_at < one.ends_at for one in taken)
        )
        if previous is not None and holds:
            blocks.append(Block("travel", line.starts_at - timedelta(minutes=travel_minutes), line.starts_at))
        blocks.append(
            Block("visit", line.starts_at, line.ends_at, visit=line, is_named=line.case_id in named, is_clash=is_clash)
        )
        previous = line if holds else previous
    return blocks


def _free_blocks(diaries: Diaries, user_id: int, day: date, length_minutes: int, now: datetime) -> list[Block]:
    spans = diaries.free_on(user_id, day, length_minutes=length_minutes, not_before=now + EARLIEST_NOTICE)
    kept: list[Block] = []
    for span in spans:
        if not kept or span.start >= kept[-1].starts_at + timedelta(minutes=WEEK_SLOTS_APART):
            kept.append(Block("free", span.start, span.end))
    return kept


def slots_to_choose(
    officer_ids: Iterable[int],
    *,
    first_day: date,
    days: int,
    length_minutes: int,
    now: datetime,
    today: date,
    but_for_visit: int | None = None,
) -> list[Slot]:
    """Free times that a person may choose from, thinned out so that they can be read."""
    start = max(first_day, today)
    diaries = read_diaries(
        officer_ids, first_day=start, last_day=start + timedelta(days=days - 1), but_for_visit=but_for_visit
    )
    return free_slots(diaries, length_minutes=length_minutes, now=now, apart_minutes=SLOTS_APART)


def is_free(
    officer_ids: Iterable[int],
    *,
    at: datetime,
    length_minutes: int,
    now: datetime,
    but_for_visit: int | None = None,
) -> list[Slot]:
    """One exact time, when these officers are all free then; otherwise nothing."""
    on = london_date(at)
    diaries = read_diaries(officer_ids, first_day=on, last_day=on, but_for_visit=but_for_visit)
    return [slot for slot in free_slots(diaries, length_minutes=length_minutes, now=now) if slot.starts_at == at]


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

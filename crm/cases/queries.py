"""Reads of cases. Fetching a case and being allowed to open it are one act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Protocol, cast

from sqlalchemy import ColumnElement, Date, Integer, Select, and_, bindparam, false, or_, select, true, tuple_
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from crm import policy
from crm.access.models import StaffLeave, User
from crm.access.queries import away_on
from crm.cases.models import (
    AssignmentRole,
    Band,
    Campaign,
    Case,
    CaseAssignment,
    Deadline,
    Enquiry,
    FormerCase,
    Household,
    Person,
    StageChange,
    TimelineEntry,
    Track,
)
from crm.cases.owners import OWNING_ROLES
from crm.db import UTCDateTime, db, no_more_than, read, unseal
from crm.rules import reference as references
from crm.rules import stages
from crm.rules.deadlines import ClockReading, say_about
from crm.rules.permissions import Actor, ActorKind, Role, Sensitivity, may_see
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook


class CaseNotFound(Refusal):
    """No such case, or not one this person may open: the two are never told apart."""

    def __init__(self) -> None:
        super().__init__("We can't find that household, or it is not one you can open.", status=404)


def visible_cases(actor: Actor, *, today: date) -> ColumnElement[bool]:
    """The condition under which a case may be opened by this person. Administrators open none.

    Recruiters open every enquiry; managers every case; panel administrators and decision makers what has reached them;
    everybody what they own or have a part in, and what is owned by somebody they cover for today.
    """
    if actor.kind == ActorKind.SYSTEM:
        return true()
    if actor.kind != ActorKind.STAFF or actor.user_id is None:
        return false()
    if Role.MANAGER in actor.roles:
        return true()
    conditions: list[ColumnElement[bool]] = []
    if Role.RECRUITER in actor.roles:
        conditions.append(Case.band == Band.ENQUIRY)
        conditions.append(and_(Case.band == Band.ENDED, Case.application_received_on.is_(None)))
    if Role.PANEL_ADMINISTRATOR in actor.roles:
        conditions.append(Case.place.in_(PANEL_PLACES))
        conditions.append(_assessed())
    if Role.DECISION_MAKER in actor.roles:
        conditions.append(Case.place.in_(DECISION_PLACES))
    if conditions or actor.roles & {Role.OFFICER, Role.PANEL_MEMBER}:
        conditions.append(_has_part(actor.user_id, today))
    if actor.roles & OWNING_ROLES:
        conditions.append(_covers(actor.user_id, today))
    return or_(*conditions) if conditions else false()


PANEL_PLACES = ("with_panel", "with_decision_maker", "proposed_no", "approved")
DECISION_PLACES = ("with_decision_maker", "proposed_no", "approved")


def _assessed() -> ColumnElement[bool]:
    """Cases whose report is ready: a panel administrator may list them."""
    return (
        select(Track.case_id)
        .where(Track.case_id == Case.id, Track.name == "stage_two", Track.stage == "ready_for_panel")
        .exists()
    )


def _has_part(user_id: int, today: date) -> ColumnElement[bool]:
    return (
        select(CaseAssignment.id)
        .where(
            CaseAssignment.case_id == Case.id,
            CaseAssignment.user_id == user_id,
            CaseAssignment.from_on <= today,
            or_(CaseAssignment.until_on.is_(None), CaseAssignment.until_on >= today),
        )
        .exists()
    )


def _covers(user_id: int, today: date) -> ColumnElement[bool]:
    """Cases of whoever is away today and named this person as their cover. The few who are away are found once."""
    return Case.owner_id.in_(
        select(StaffLeave.user_id).where(
            StaffLeave.cover_id == user_id,
            StaffLeave.first_on <= today,
            StaffLeave.last_on >= today,
            StaffLeave.withdrawn_at.is_(None),
        )
    )


def case_for(actor: Actor, reference: str, *, today: date) -> Case:
    """The case with this reference, with its household, people and tracks. Raises CaseNotFound, which says no more.

    The reference of a case that was merged into another leads to the one that goes on.
    """
    known = read_reference(reference)
    case = _case_with(actor, known, today=today)
    if case is None and known is not None:
        case = _case_with(actor, reference_now(known), today=today)
    if case is None:
        raise CaseNotFound
    return case


def _case_with(actor: Actor, known: str | None, *, today: date) -> Case | None:
    case: Case | None = None
    if known is not None and actor.kind == ActorKind.STAFF and actor.user_id is not None:
        words = {"reference": known, "me": actor.user_id, "today": today}
        case = db.session.scalars(_case_of_staff(actor.roles), words).first()
        if case is not None:
            _load_rest(case)
    elif known is not None:
        case = db.session.scalars(_WHOLE_CASE.where(Case.reference == known, visible_cases(actor, today=today))).first()
    return case


def reference_now(reference: str) -> str | None:
    """The reference of the case that took up the one with this reference; None where none did."""
    return db.session.scalars(
        select(Case.reference).join(FormerCase, FormerCase.case_id == Case.id).where(FormerCase.reference == reference)
    ).first()


def was_taken_up(reference: str, found: Case) -> bool:
    """Whether the case that was found by this reference is another one, that took up the one with it."""
    return read_reference(reference) not in (None, found.reference)


_WHOLE_CASE = select(Case).options(joinedload(Case.household).selectinload(Household.people), selectinload(Case.tracks))


@lru_cache(maxsize=128)
def _case_of_staff(roles: frozenset[Role]) -> Select[Any]:
    """The statement that fetches and authorises, built once for everybody with these roles."""
    anybody = Actor(kind=ActorKind.STAFF, user_id=cast(int, bindparam("me", type_=Integer)), roles=roles)
    visible = visible_cases(anybody, today=cast(date, bindparam("today", type_=Date)))
    return select(Case).options(joinedload(Case.household)).where(Case.reference == bindparam("reference"), visible)


_PEOPLE = select(Person).where(Person.household_id == bindparam("household_id")).order_by(Person.id)
_TRACKS = select(Track).where(Track.case_id == bindparam("case_id")).order_by(Track.name)


def _load_rest(case: Case) -> None:
    """The people and tracks of one case, by statements that stand ready: putting an eager load together for each page
    costs more than these take. What is loaded already is left as it is, as an eager load would."""
    if "people" not in vars(case.household):
        people = db.session.scalars(_PEOPLE, {"household_id": case.household_id}).all()
        set_committed_value(case.household, "people", list(people))
    if "tracks" not in vars(case):
        set_committed_value(case, "tracks", list(db.session.scalars(_TRACKS, {"case_id": case.id}).all()))


def case_of_household(household_id: int) -> Case | None:
    """The journey that a household is on now, or else its latest. For those whose own household it is."""
    return db.session.scalars(
        _WHOLE_CASE.where(Case.household_id == household_id).order_by(Case.is_open.desc(), Case.id.desc()).limit(1)
    ).first()


def read_reference(typed: str) -> str | None:
    """The reference that was meant. Its own prefix is believed where it is typed: a service may have changed its."""
    head, hyphen, _rest = typed.strip().upper().partition("-")
    prefix = head if hyphen and head.isalnum() and len(head) <= 4 else policy.service().reference_prefix
    return references.normalise(typed, prefix)


def is_on_case(actor: Actor, case: Case, *, today: date) -> bool:
    """True for those whose work the case is: what sensitive facts are shown by."""
    if actor.kind != ActorKind.STAFF or actor.user_id is None:
        return actor.kind == ActorKind.SYSTEM
    if Role.MANAGER in actor.roles or case.owner_id == actor.user_id:
        return True
    if Role.DECISION_MAKER in actor.roles and case.place in DECISION_PLACES:
        return True
    has_part = db.session.scalars(
        select(CaseAssignment.id).where(
            CaseAssignment.case_id == case.id,
            CaseAssignment.user_id == actor.user_id,
            CaseAssignment.from_on <= today,
            or_(CaseAssignment.until_on.is_(None), CaseAssignment.until_on >= today),
        )
    ).first()
    return has_part is not None or covers_for(actor, case.owner_id, today=today)


def covers_for(actor: Actor, user_id: int | None, *, today: date) -> bool:
    """Whether somebody is away today and this person minds their households."""
    if user_id is None or not actor.roles & OWNING_ROLES:
        return False
    leave = away_on([user_id], today).get(user_id)
    return leave is not None and leave.cover_id == actor.user_id


@dataclass(frozen=True)
class CaseHead:
    """What stands at the top of every page of a case."""

    reference: str
    version: int
    names: str
    standing: str
    owner_name: str | None
    nearest: RunningClock | None
    nearest_words: str | None
    nearest_reading: ClockReading | None
    later_words: str | None
    care: tuple[str, ...]
    """Warnings about being in touch, seen before any phone number."""


def case_head(
    case: Case, *, today: date, rulebook: Rulebook, running: Sequence[RunningClock] | None = None
) -> CaseHead:
    """The head of a case: names, where it stands, whose it is, its nearest clock, and what to mind. Two queries.

    A page that has read the running clocks already, the nearest first, hands them on.
    """
    if running is None:
        running = db.session.scalars(
            select(Deadline)
            .where(Deadline.case_id == case.id, Deadline.stopped_on.is_(None))
            .order_by(Deadline.due_on, Deadline.id)
            .limit(8)
        ).all()
    nearest = running[0] if running else None
    owner_name = read(_OWNER_NAME, {"owner_id": case.owner_id}).scalar()
    limit = next((clock for clock in running[1:] if clock.rule == "panel_recommendation"), None)
    return CaseHead(
        reference=case.reference,
        version=case.version,
        names=case.household.name,
        standing=stages.standing_words(case.stages),
        owner_name=owner_name,
        nearest=nearest,
        nearest_words=clock_words(nearest, rulebook) if nearest else None,
        nearest_reading=rulebook.say_due(nearest.rule, nearest.due_on, today=today) if nearest else None,
        later_words=rulebook.say_due(limit.rule, limit.due_on, today=today).words if limit else None,
        care=tuple(warning for person in case.household.people for warning in care_words(person)),
    )


_OWNER_NAME = select(User.__table__.c.name).where(User.__table__.c.id == bindparam("owner_id"))


class RunningClock(Protocol):
    """What is said of a clock: a stored row, or a page's own copy of one."""

    @property
    def rule(self) -> str: ...
    @property
    def about(self) -> str | None: ...
    @property
    def due_on(self) -> date: ...


def clock_words(clock: RunningClock, rulebook: Rulebook) -> str:
    """What a clock is about: the rule's words, with whom or what it concerns."""
    what = rulebook.deadline(clock.rule).what
    return say_about(clock.about, what) if clock.about else what


class ToMind(Protocol):
    """Somebody with rules about being reached: a stored person, or a list's own copy of one."""

    @property
    def given_name(self) -> str: ...
    @property
    def no_contact(self) -> bool: ...
    @property
    def no_calls(self) -> bool: ...
    @property
    def no_voicemail(self) -> bool: ...
    @property
    def safe_contact(self) -> str | None: ...


def care_words(person: ToMind | Person) -> tuple[str, ...]:
    """How somebody must not be reached, in a few words."""
    if person.no_contact:
        return (f"Do not contact {person.given_name}",)
    words = []
    if person.no_calls:
        words.append(f"Do not call {person.given_name}")
    if person.no_voicemail:
        words.append(f"No voicemail for {person.given_name}")
    if person.safe_contact and not words:
        words.append(f"Take care when you contact {person.given_name}")
    return tuple(words)


@dataclass(frozen=True)
class TimelineLine:
    """One line of the story as this person may see it; ``detail`` is None where it is not theirs to see."""

    id: int
    occurred_at: datetime
    kind: str
    title: str
    detail: str | None
    is_hidden: bool
    actor_name: str


TIMELINE_PAGE = 20


def timeline_page(
    case: Case,
    actor: Actor,
    *,
    on_case: bool,
    kind: str | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int = TIMELINE_PAGE,
) -> tuple[list[TimelineLine], tuple[datetime, int] | None]:
    """The newest lines first, and the place to go on from (None at the end)."""
    words: dict[str, Any] = {"case_id": case.id}
    if kind:
        words["kind"] = kind
    if before:
        words["at"], words["id"] = before
    rows = read(_timeline(bool(kind), bool(before), limit + 1), words).all()
    lines = []
    for row in rows[:limit]:
        seen = may_see(actor, Sensitivity(row.sensitivity), subject_person_id=row.person_id, on_case=on_case)
        detail = None
        if seen and row.detail_sealed is not None:
            detail = unseal("timeline_entry", "detail_sealed", row.row_key, row.detail_sealed)
        lines.append(
            TimelineLine(
                id=row.id,
                occurred_at=row.occurred_at,
                kind=row.kind,
                title=row.title,
                detail=detail,
                is_hidden=row.detail_sealed is not None and not seen,
                actor_name=row.actor_name,
            )
        )
    more = (rows[limit - 1].occurred_at, rows[limit - 1].id) if len(rows) > limit else None
    return lines, more


@lru_cache(maxsize=16)
def _timeline(of_a_kind: bool, goes_on: bool, most: int) -> Select[Any]:
    """The statement of a page of the timeline. Built once: it is drawn with every page of a case."""
    line = TimelineEntry.__table__.c
    query = select(
        line.id,
        line.occurred_at,
        line.kind,
        line.title,
        line.detail_sealed,
        line.row_key,
        line.sensitivity,
        line.person_id,
        line.actor_name,
    ).where(line.case_id == bindparam("case_id"))
    if of_a_kind:
        query = query.where(line.kind == bindparam("kind"))
    if goes_on:
        query = query.where(
            tuple_(line.occurred_at, line.id)
            < tuple_(bindparam("at", type_=UTCDateTime()), bindparam("id", type_=Integer))
        )
    return query.order_by(line.occurred_at.desc(), line.id.desc()).limit(no_more_than(most))


def enquiries_of(case: Case) -> list[Enquiry]:
    """Every touch of a case, the first one first."""
    return list(
        db.session.scalars(select(Enquiry).where(Enquiry.case_id == case.id).order_by(Enquiry.received_at, Enquiry.id))
    )


def first_source(case: Case) -> str | None:
    """The name of the campaign or event that first brought the household, if one did."""
    if case.campaign_id is None:
        return None
    return db.session.scalars(select(Campaign.name).where(Campaign.id == case.campaign_id)).first()


def changes_of(case: Case) -> list[StageChange]:
    """Every move of a case, in order."""
    return list(db.session.scalars(select(StageChange).where(StageChange.case_id == case.id).order_by(StageChange.id)))


def deadline_of(case: Case, rule: str) -> Deadline | None:
    """The newest clock of a rule on a case, running or stopped."""
    return db.session.scalars(
        select(Deadline).where(Deadline.case_id == case.id, Deadline.rule == rule).order_by(Deadline.id.desc())
    ).first()


def case_by_id(case_id: int) -> Case:
    """A case by its id, for work that no person asked for (jobs, calendar answers). Raises CaseNotFound.

    The id of a case that was merged into another leads to the one that goes on.
    """
    case = db.session.get(Case, case_id)
    if case is None:
        case = db.session.scalars(
            select(Case).join(FormerCase, FormerCase.case_id == Case.id).where(FormerCase.former_id == case_id)
        ).first()
    if case is None:
        raise CaseNotFound
    return case


def has_part(case: Case, user_id: int, role: AssignmentRole, *, today: date) -> bool:
    """True when somebody holds this part in a case today."""
    return (
        db.session.scalars(
            select(CaseAssignment.id).where(
                CaseAssignment.case_id == case.id,
                CaseAssignment.user_id == user_id,
                CaseAssignment.role == role,
                CaseAssignment.from_on <= today,
                or_(CaseAssignment.until_on.is_(None), CaseAssignment.until_on >= today),
            )
        ).first()
        is not None
    )

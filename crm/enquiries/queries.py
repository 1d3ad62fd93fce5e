"""Reads of the front door: the queue, what a sent form promises, who may be the same household."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    ScalarSelect,
    Select,
    Subquery,
    and_,
    bindparam,
    false,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
)

from crm.access.models import User, UserRole
from crm.access.queries import names_of
from crm.cases import contact
from crm.cases.models import (
    Band,
    Campaign,
    Case,
    ClosingRequest,
    ContactAttempt,
    Deadline,
    Enquiry,
    Household,
    LikenessPair,
    PairState,
    StageChange,
)
from crm.cases.queries import visible_cases
from crm.clock import LONDON, london_date
from crm.db import UTCDateTime, db, no_more_than, our_word, read
from crm.enquiries.models import EnquiryOrigin, HeldEnquiry, HeldState, IntakeWebsite
from crm.rules import response
from crm.rules.permissions import ROLE_PERMISSIONS, Actor, ActorKind, Permission, Role
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook


@dataclass(frozen=True)
class Promise:
    """What somebody who sent the form was promised: who gets in touch, and by when."""

    reference: str
    owner_first_name: str | None
    due_on: date | None


def promise_of(case_id: int) -> Promise:
    """The promise of a case just opened."""
    row = db.session.execute(
        select(Case.reference, User.name, Deadline.due_on)
        .outerjoin(User, User.id == Case.owner_id)
        .outerjoin(
            Deadline,
            and_(Deadline.case_id == Case.id, Deadline.rule == "first_contact", Deadline.stopped_on.is_(None)),
        )
        .where(Case.id == case_id)
    ).one()
    return Promise(row.reference, row.name.split()[0] if row.name else None, row.due_on)


def enquiry_by_one_time_id(one_time_id: str) -> int:
    """The touch that a form or a website made, by the id it came with."""
    found = db.session.scalars(select(Enquiry.id).where(Enquiry.one_time_id == one_time_id)).one()
    return int(found)


def wish_to_be_rung(case_id: int, *, today: date) -> date | None:
    """The day, still to come, on which a household asked to be rung in the last form that said one."""
    return db.session.scalars(
        select(EnquiryOrigin.ring_on)
        .join(Enquiry, Enquiry.id == EnquiryOrigin.enquiry_id)
        .where(Enquiry.case_id == case_id, EnquiryOrigin.ring_on > today)
        .order_by(Enquiry.id.desc())
        .limit(1)
    ).first()


# --- What was kept aside ----------------------------------------------------------------------------------------------

HELD_PAGE = 25


def held_page(state: HeldState, *, after: int | None = None) -> tuple[list[tuple[HeldEnquiry, str | None]], int | None]:
    """What was kept aside in one state, the oldest first, with the website it came by; and the id to go on from."""
    query = (
        select(HeldEnquiry, IntakeWebsite.name)
        .outerjoin(IntakeWebsite, IntakeWebsite.id == HeldEnquiry.website_id)
        .where(HeldEnquiry.state == state)
        .order_by(HeldEnquiry.id)
        .limit(HELD_PAGE + 1)
    )
    if after is not None:
        query = query.where(HeldEnquiry.id > after)
    rows: list[tuple[HeldEnquiry, str | None]] = [(row, name) for row, name in db.session.execute(query)]
    more = rows[HELD_PAGE - 1][0].id if len(rows) > HELD_PAGE else None
    return rows[:HELD_PAGE], more


def held_enquiry(held_id: int) -> HeldEnquiry:
    """One that was kept aside. Raises HeldNotFound."""
    row = db.session.get(HeldEnquiry, held_id)
    if row is None:
        raise HeldNotFound
    return row


class HeldNotFound(Refusal):
    """There is none with this number, or it was forgotten."""

    default_status = 404

    def __init__(self) -> None:
        super().__init__("This is not held any more. It may have been let in, or forgotten after a month.")


# --- The queue --------------------------------------------------------------------------------------------------------

OPEN_PLACES = ("new", "contacted", "visit_booked", "visited", "invited")
VIEWS = ("open", "mine", "new", "over", "not_now")
COUNTED_UP_TO = 100
"""Counts beside the views stop here: nobody acts on the difference, and every row counted costs time."""
QUEUE_PAGE = 20


@dataclass(frozen=True)
class Filters:
    """What part of the queue is wanted."""

    view: str = "open"
    place: str | None = None
    channel: str | None = None
    owner_id: int | None = None


class QueueLine(NamedTuple):
    """One household of the queue."""

    id: int
    reference: str
    place: str
    next_action: str | None
    due_on: date
    turn: str | None
    channel: str
    opened_at: datetime
    household: str
    postcode: str | None
    campaign: str | None
    owner_id: int | None
    owner: str | None
    rule: str | None
    """The rule of the nearest running clock."""
    alike: str | None
    """The reference of another household that may be the same."""


def queue_page(
    actor: Actor, filters: Filters, *, today: date, after: tuple[date, int] | None = None, size: int = QUEUE_PAGE
) -> tuple[list[QueueLine], tuple[date, int] | None]:
    """The enquiries of a view, what is due first first, and the place to go on from. One statement, always."""
    asked = _asked(actor, filters, today=today)
    if after:
        asked["after_on"], asked["after_id"] = after
    statement = _queue(
        _sort_of(actor),
        filters.view,
        bool(filters.place),
        bool(filters.channel),
        bool(filters.owner_id),
        after is not None,
        size,
    )
    lines = [QueueLine._make(row) for row in read(statement, asked).all()]
    more = None
    if len(lines) > size:
        lines = lines[:size]
        more = (lines[-1].due_on, lines[-1].id)
    return lines, more


def _asked(actor: Actor, filters: Filters, *, today: date) -> dict[str, Any]:
    return {
        "me": actor.user_id,
        "today": today,
        "place": filters.place,
        "channel": filters.channel,
        "owner": filters.owner_id,
    }


def cases_of_list(
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    part: str | None = None,
    among: Sequence[int] | None = None,
    most: int,
) -> list[int]:
    """The ids of the cases on a view of the queue, or on a part of the pool, the lowest first; at most so many, and of
    none but those ``among``, where they are given."""
    wanted = (
        [visible_cases(actor, today=today), *_in_part(part, today)]
        if part is not None
        else _wanted(_sort_of(actor), filters.view, bool(filters.place), bool(filters.channel), bool(filters.owner_id))
    )
    if among is not None:
        wanted.append(Case.id.in_(among))
    statement = select(Case.id).where(*wanted).order_by(Case.id).limit(no_more_than(most))
    return list(db.session.scalars(statement, {} if part is not None else _asked(actor, filters, today=today)))


class Beside(NamedTuple):
    """What stands beside the queue."""

    counts: dict[str, int]
    """How many households each saved view holds, counted no further than COUNTED_UP_TO."""
    owners: tuple[tuple[int, str], ...]
    """Who may own an enquiry: (id, name), by name."""
    untouched: tuple[tuple[int, str, int], ...]
    """For a manager: whose households nobody has touched for long, and how many, the most first."""


def beside_the_queue(actor: Actor, *, today: date, rulebook: Rulebook) -> Beside:
    """What stands beside the queue, in one statement."""
    asked = {"me": actor.user_id, "today": today, "untouched_since": untouched_since(today, rulebook)}
    rows = read(_beside(_sort_of(actor)), asked).all()
    counts = dict(zip(VIEWS, rows[0], strict=False))
    owners = tuple((row[-2], row[-1]) for row in rows if row[-2] is not None)
    late = [(row[-2], row[-1], row[-3]) for row in rows if row[-2] is not None and row[-3]]
    return Beside(counts, owners, tuple(sorted(late, key=lambda one: -one[2])))


# The statements of the queue are made once for everybody of a sort: putting one together takes longer than its answer.

Sort = tuple[ActorKind, bool, frozenset[Role]]


def _sort_of(actor: Actor) -> Sort:
    return actor.kind, actor.user_id is not None, actor.roles


def _visible_in_queue(sort: Sort) -> ColumnElement[bool]:
    """What anybody of this sort may open of the queue. Every view of it holds open enquiries alone, and those a
    recruiter opens all: asking it of each line would cost more than the line."""
    return true() if Role.RECRUITER in sort[2] and sort[0] is ActorKind.STAFF else _visible(sort)


def _visible(sort: Sort) -> ColumnElement[bool]:
    """What anybody of this sort may open, with the person and the day left open."""
    kind, is_known, roles = sort
    me = cast(int, bindparam("me", type_=Integer)) if is_known else None
    return visible_cases(Actor(kind=kind, user_id=me, roles=roles), today=_TODAY)


_TODAY = cast(date, bindparam("today", type_=Date))


def _in_view(view: str, sort: Sort) -> list[ColumnElement[bool]]:
    """What puts a case in a view, by its place alone: an index holds all of it, so counting reads no case."""
    # Places stand in the statement as they are: a list of parameters would be spelled out anew for every request.
    conditions: list[ColumnElement[bool]]
    if view == "not_now":
        conditions = [Case.place == our_word("not_now"), Case.next_action_due_on <= _TODAY]
    elif view == "new":
        conditions = [Case.place == our_word("new")]
    else:
        conditions = [Case.place.in_([our_word(place) for place in OPEN_PLACES])]
    if view == "mine":
        conditions.append(Case.owner_id == bindparam("me", type_=Integer) if sort[1] else false())
    if view == "over":
        conditions.append(Case.next_action_due_on < _TODAY)
    return conditions


@lru_cache(maxsize=256)
def _queue(
    sort: Sort, view: str, of_place: bool, of_channel: bool, of_owner: bool, goes_on: bool, size: int
) -> Select[Any]:
    """The statement of one page of the queue: the cases first, then what is said of those few."""
    wanted = _wanted(sort, view, of_place, of_channel, of_owner)
    if goes_on:
        start = tuple_(bindparam("after_on", type_=Date), bindparam("after_id", type_=Integer))
        wanted.append(tuple_(Case.next_action_due_on, Case.id) > start)
    page = (
        select(
            Case.id,
            Case.reference,
            Case.place,
            Case.next_action,
            Case.next_action_due_on,
            Case.next_action_turn,
            Case.next_action_rule,
            Case.channel,
            Case.opened_at,
            Case.household_id,
            Case.campaign_id,
            Case.owner_id,
        )
        .where(*wanted)
        .order_by(Case.next_action_due_on, Case.id)
        .limit(no_more_than(size + 1))
        .subquery("page")
    )
    return (
        select(
            page.c.id,
            page.c.reference,
            page.c.place,
            page.c.next_action,
            page.c.next_action_due_on,
            page.c.next_action_turn,
            page.c.channel,
            page.c.opened_at,
            Household.name,
            Household.postcode,
            Campaign.name,
            page.c.owner_id,
            User.name,
            page.c.next_action_rule,
            func.coalesce(_other_case(page, sort, "one_id", "other_id"), _other_case(page, sort, "other_id", "one_id")),
        )
        .select_from(page)
        .join(Household, Household.id == page.c.household_id)
        .outerjoin(Campaign, Campaign.id == page.c.campaign_id)
        .outerjoin(User, User.id == page.c.owner_id)
        .order_by(page.c.next_action_due_on, page.c.id)
    )


def _wanted(sort: Sort, view: str, of_place: bool, of_channel: bool, of_owner: bool) -> list[ColumnElement[bool]]:
    """What puts a case on a list of the queue."""
    # Cases in these places are open enquiries all: saying so lets the index of the queue, or of what somebody owns, be
    # read in the order of the due dates.
    in_order = Case.is_open if view == "mine" or of_owner else Case.band == our_word(Band.ENQUIRY)
    wanted = [_visible_in_queue(sort), *_in_view(view, sort)]
    wanted.append(in_order)  # type: ignore[arg-type]
    if of_place:
        wanted.append(Case.place == bindparam("place"))
    if of_channel:
        wanted.append(Case.channel == bindparam("channel"))
    if of_owner:
        wanted.append(Case.owner_id == bindparam("owner", type_=Integer))
    return wanted


def _other_case(page: Subquery, sort: Sort, mine: str, theirs: str) -> ScalarSelect[str]:
    """A case this person may open of another household that may be the same as this one."""
    pair = LikenessPair.__table__.c
    return (
        select(func.min(Case.reference))  # always the same one, and nothing is sorted to find it
        .select_from(LikenessPair.__table__)
        .join(Case, Case.household_id == pair[theirs])
        .where(pair[mine] == page.c.household_id, pair.state == our_word(PairState.OPEN), _visible(sort))
        .correlate(page)
        .scalar_subquery()
    )


_MAY_OWN: list[ColumnElement[str]] = [
    our_word(role) for role in Role if Permission.RECORD_CONTACT in ROLE_PERMISSIONS[role]
]


@lru_cache(maxsize=64)
def _beside(sort: Sort) -> Select[Any]:
    """One row for each owner there could be, or one without an owner; the counts are taken once and stand in all."""
    counts = []
    for view in VIEWS:
        inside = (
            select(literal_column("1"))
            .select_from(Case)
            .where(_visible_in_queue(sort), *_in_view(view, sort))
            .limit(no_more_than(COUNTED_UP_TO))
            .subquery()
        )
        counts.append(select(func.count()).select_from(inside).scalar_subquery())
    untouched = untouched_count_of_owner() if Role.MANAGER in sort[2] else literal_column("0")
    users, user, role = User.__table__, User.__table__.c, UserRole.__table__.c
    always = select(literal_column("1").label("one")).subquery("always")
    may_own = and_(user.active, user.id.in_(select(role.user_id).where(role.role.in_(_MAY_OWN))))
    return (
        select(*counts, untouched, user.id, user.name)
        .select_from(always.outerjoin(users, may_own))
        .order_by(func.lower(user.name), user.id)
    )


TRIED_FOR = frozenset({"first_contact", "recontact"})
"""The clocks that run until somebody is reached: while they do, a try may be logged in one tap."""


# --- The wall: what nobody has touched --------------------------------------------------------------------------------


def untouched_since(today: date, rulebook: Rulebook) -> datetime:
    """What was last touched before this moment has been left for longer than the service's rule allows."""
    first_day = rulebook.calendar.back(today, rulebook.response.untouched_days)
    return datetime.combine(first_day, time(), LONDON)


def _is_untouched() -> list[ColumnElement[bool]]:
    """An open household that nobody has touched for long. What rests until a day is not waited for before it."""
    # In the words of the index, so that both databases see that it holds these.
    return [
        literal_column("case_file.is_open"),
        Case.place != our_word("not_now"),
        Case.touched_at < bindparam("untouched_since", type_=UTCDateTime()),
    ]


def untouched_count_of_owner() -> ScalarSelect[int]:
    """How many such households each of the people beside it has, counted no further than COUNTED_UP_TO."""
    inside = (
        select(literal_column("1"))
        .select_from(Case)
        .where(Case.owner_id == User.__table__.c.id, *_is_untouched())
        .correlate(User.__table__)
        .limit(no_more_than(COUNTED_UP_TO))
        .subquery()
    )
    return select(func.count()).select_from(inside).correlate(User.__table__).scalar_subquery()


def untouched_by_owner(*, today: date, rulebook: Rulebook) -> tuple[tuple[int, str, int, bool], ...]:
    """Whose households nobody has touched for long: (id, name, how many, whether they still work here), the most first.

    Somebody switched off may own households still: that is just what must not be forgotten.
    """
    user = User.__table__.c
    count = untouched_count_of_owner().label("untouched")
    statement = select(user.id, user.name, count, user.active).where(
        select(Case.id).where(Case.owner_id == user.id, *_is_untouched()).correlate(User.__table__).exists()
    )
    rows = read(statement, {"untouched_since": untouched_since(today, rulebook)}).all()
    return tuple(sorted(((row[0], row[1], row[2], row[3]) for row in rows), key=lambda one: (-one[2], one[1])))


class UntouchedLine(NamedTuple):
    """One household of the wall."""

    id: int
    reference: str
    household: str
    place: str
    touched_at: datetime
    next_action: str | None
    due_on: date | None
    owner_id: int | None


def untouched_page(
    owner_id: int, *, today: date, rulebook: Rulebook, after: tuple[datetime, int] | None = None
) -> tuple[list[UntouchedLine], tuple[datetime, int] | None]:
    """Somebody's households that nobody has touched for long, the longest first, and the place to go on from."""
    wanted = [Case.owner_id == owner_id, *_is_untouched()]
    if after is not None:
        wanted.append(tuple_(Case.touched_at, Case.id) > tuple_(literal(after[0], UTCDateTime()), literal(after[1])))
    statement = (
        select(
            Case.id,
            Case.reference,
            Household.name,
            Case.place,
            Case.touched_at,
            Case.next_action,
            Case.next_action_due_on,
            Case.owner_id,
        )
        .join(Household, Household.id == Case.household_id)
        .where(*wanted)
        .order_by(Case.touched_at, Case.id)
        .limit(no_more_than(QUEUE_PAGE + 1))
    )
    rows = read(statement, {"untouched_since": untouched_since(today, rulebook)}).all()
    lines = [UntouchedLine._make(row) for row in rows]
    if len(lines) <= QUEUE_PAGE:
        return lines, None
    last = lines[QUEUE_PAGE - 1]
    return lines[:QUEUE_PAGE], (last.touched_at, last.id)


# --- The pool: not now, until a day -----------------------------------------------------------------------------------

POOL_PARTS = ("due", "month", "later")


class PoolLine(NamedTuple):
    """One household that rests until a day."""

    id: int
    reference: str
    household: str
    back_on: date
    reason_code: str | None
    owner: str | None


def pool_page(
    actor: Actor, part: str, *, today: date, after: tuple[date, int] | None = None
) -> tuple[list[PoolLine], tuple[date, int] | None]:
    """Who rests until a day: due by today, later this month, or later. The nearest day first, and where to go on."""
    why = (
        select(StageChange.reason_code)
        .where(StageChange.case_id == Case.id, StageChange.move == "set_not_now")
        .order_by(StageChange.id.desc())
        .limit(no_more_than(1))
        .scalar_subquery()
    )
    wanted = [visible_cases(actor, today=today), *_in_part(part, today)]
    if after is not None:
        wanted.append(tuple_(Case.next_action_due_on, Case.id) > tuple_(literal(after[0]), literal(after[1])))
    statement = (
        select(Case.id, Case.reference, Household.name, Case.next_action_due_on, why, User.name)
        .join(Household, Household.id == Case.household_id)
        .outerjoin(User, User.id == Case.owner_id)
        .where(*wanted)
        .order_by(Case.next_action_due_on, Case.id)
        .limit(no_more_than(QUEUE_PAGE + 1))
    )
    lines = [PoolLine._make(row) for row in db.session.execute(statement)]
    if len(lines) <= QUEUE_PAGE:
        return lines, None
    last = lines[QUEUE_PAGE - 1]
    return lines[:QUEUE_PAGE], (last.back_on, last.id)


def pool_counts(actor: Actor, *, today: date) -> dict[str, int]:
    """How many rest in each part of the pool, counted no further than COUNTED_UP_TO. One statement."""
    counts = []
    for part in POOL_PARTS:
        inside = (
            select(literal_column("1"))
            .select_from(Case)
            .where(visible_cases(actor, today=today), *_in_part(part, today))
            .limit(no_more_than(COUNTED_UP_TO))
            .subquery()
        )
        counts.append(select(func.count()).select_from(inside).scalar_subquery())
    return dict(zip(POOL_PARTS, db.session.execute(select(*counts)).one(), strict=True))


def _in_part(part: str, today: date) -> list[ColumnElement[bool]]:
    ends = today.replace(day=monthrange(today.year, today.month)[1])
    between: dict[str, list[ColumnElement[bool]]] = {
        "due": [Case.next_action_due_on <= today],
        "month": [Case.next_action_due_on > today, Case.next_action_due_on <= ends],
        "later": [Case.next_action_due_on > ends],
    }
    return [Case.place == our_word("not_now"), *between[part]]


# --- Tries, and closing without an answer -----------------------------------------------------------------------------


class TryNotFound(Refusal):
    """There is no such try on this case."""

    default_status = 404


class NothingAsked(Refusal):
    """Nobody asks to close this case any more."""


@dataclass(frozen=True, slots=True)
class TryShown:
    """A try to reach somebody, in words."""

    id: int
    what: str
    whom: str
    at: datetime
    by: str
    may_undo: bool
    may_write: bool
    """Whether word that we rang may be sent after it."""
    counts: bool
    """False for what reached nobody of theirs: a wrong number."""


@dataclass(frozen=True, slots=True)
class Tries:
    """The tries since an enquiry was last opened, the newest first, and how many were made at different times."""

    shown: tuple[TryShown, ...]
    apart: int


def tries_shown(case: Case, actor: Actor, *, today: date) -> Tries:
    """What has been tried to reach a household, for the pages that ask."""
    tries = contact.tries_of(case)
    people = {person.id: person.full_name for person in case.household.people}
    anybodys, takes = actor.has(Permission.CORRECT_STAGE), actor.has(Permission.RECORD_CONTACT)
    return Tries(
        tuple(
            TryShown(
                id=one.id,
                what=contact.ATTEMPT_WORDS[one.how],
                whom=people.get(one.person_id or 0, ""),
                at=one.tried_at,
                by=one.by or "",
                may_write=one.how in contact.RANG and london_date(one.tried_at) == today and takes,
                may_undo=anybodys or (one.by_id == actor.user_id and london_date(one.tried_at) == today),
                counts=one.how not in response.NO_TRIES,
            )
            for one in tries
        ),
        response.tries_apart((one.how, one.tried_at) for one in tries),
    )


def attempt_of(case: Case, attempt_id: int) -> ContactAttempt:
    """One try of a case. Raises TryNotFound."""
    attempt = db.session.get(ContactAttempt, attempt_id)
    if attempt is None or attempt.case_id != case.id:
        raise TryNotFound("That try is not on this household’s timeline.")
    return attempt


def open_request(case: Case) -> ClosingRequest | None:
    """The asking to close a case that waits for a manager, where there is one."""
    return db.session.scalars(
        select(ClosingRequest).where(ClosingRequest.case_id == case.id, ClosingRequest.settled_at.is_(None))
    ).first()


def waiting_request(case: Case) -> ClosingRequest:
    """The asking that waits. Raises NothingAsked."""
    request = open_request(case)
    if request is None:
        raise NothingAsked("That has been answered already, or they were reached meanwhile. The timeline says how.")
    return request


@dataclass(frozen=True, slots=True)
class AskedToClose:
    """An asking that waits, as the manager reads it."""

    by: str
    at: datetime
    words: str
    write_to_them: bool


def asked_to_close(case: Case) -> AskedToClose | None:
    """What somebody asks a manager to agree to, where they do."""
    request = open_request(case)
    if request is None:
        return None
    by = names_of([request.asked_by_id]).get(request.asked_by_id, "")
    return AskedToClose(by, request.asked_at, request.words or "", request.write_to_them)

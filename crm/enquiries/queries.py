"""Reads of the front door: the queue, what a sent form promises, who may be the same household."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
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
    literal_column,
    or_,
    select,
    true,
    tuple_,
)

from crm.access.models import User, UserRole
from crm.cases.models import (
    Band,
    Campaign,
    Case,
    Channel,
    Deadline,
    Enquiry,
    Household,
    LikenessPair,
    PairState,
    TimelineEntry,
)
from crm.cases.queries import visible_cases
from crm.db import db, no_more_than, our_word, read
from crm.enquiries.models import EnquiryOrigin, HeldEnquiry, HeldState, IntakeWebsite
from crm.rules.permissions import ROLE_PERMISSIONS, Actor, ActorKind, Permission, Role
from crm.rules.refusal import Refusal


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


def first_name_of(user_id: int | None) -> str | None:
    """How somebody who works here is called on a public page."""
    name = db.session.scalars(select(User.name).where(User.id == user_id)).first() if user_id is not None else None
    return name.split()[0] if name else None


def wish_to_be_rung(case_id: int) -> date | None:
    """The day on which a household asked to be rung, in the last form it sent."""
    return db.session.scalars(
        select(EnquiryOrigin.ring_on)
        .join(Enquiry, Enquiry.id == EnquiryOrigin.enquiry_id)
        .where(Enquiry.case_id == case_id, EnquiryOrigin.ring_on.is_not(None))
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
QUEUE_PAGE = 25


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
    asked: dict[str, Any] = {
        "me": actor.user_id,
        "today": today,
        "place": filters.place,
        "channel": filters.channel,
        "owner": filters.owner_id,
    }
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


def beside_the_queue(actor: Actor, *, today: date) -> tuple[dict[str, int], tuple[tuple[int, str], ...]]:
    """What stands beside the queue, in one statement.

    How many households each saved view holds, counted no further than COUNTED_UP_TO; and who may own an enquiry, as
    (id, name), by name.
    """
    asked = {"me": actor.user_id, "today": today}
    rows = read(_beside(_sort_of(actor)), asked).all()
    counts = dict(zip(VIEWS, rows[0], strict=False))
    return counts, tuple((row[-2], row[-1]) for row in rows if row[-2] is not None)


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
    # Cases in these places are open enquiries all: saying so lets the index of the queue, or of what somebody owns, be
    # read in the order of the due dates.
    in_order = Case.is_open if view == "mine" or of_owner else Case.band == our_word(Band.ENQUIRY)
    wanted = [_visible_in_queue(sort), *_in_view(view, sort), in_order]
    if of_place:
        wanted.append(Case.place == bindparam("place"))
    if of_channel:
        wanted.append(Case.channel == bindparam("channel"))
    if of_owner:
        wanted.append(Case.owner_id == bindparam("owner", type_=Integer))
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
    users, user, role = User.__table__, User.__table__.c, UserRole.__table__.c
    always = select(literal_column("1").label("one")).subquery("always")
    may_own = and_(user.active, user.id.in_(select(role.user_id).where(role.role.in_(_MAY_OWN))))
    return (
        select(*counts, user.id, user.name)
        .select_from(always.outerjoin(users, may_own))
        .order_by(func.lower(user.name), user.id)
    )


def attempts_since_opening(case: Case) -> int:
    """How often somebody tried to reach a household without reaching it."""
    return int(
        db.session.scalar(
            select(func.count())
            .select_from(TimelineEntry)
            .where(
                TimelineEntry.case_id == case.id,
                TimelineEntry.kind == "contact",
                or_(TimelineEntry.title.startswith("Rang, "), TimelineEntry.title.startswith("Sent a ")),
            )
        )
        or 0
    )


CHANNELS_SHOWN = tuple(Channel)

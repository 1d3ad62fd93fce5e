"""Reads of the front door: the queue, what a sent form promises, who may be the same household."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, false, func, literal, or_, select, tuple_
from sqlalchemy.orm import aliased

from crm.access.models import User
from crm.cases.models import Band, Campaign, Case, Channel, Deadline, Household, Person, TimelineEntry
from crm.cases.queries import visible_cases
from crm.db import db
from crm.rules.permissions import Actor


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


# --- The queue --------------------------------------------------------------------------------------------------------

OPEN_PLACES = ("new", "contacted", "visit_booked", "visited", "invited")
VIEWS = ("open", "mine", "new", "over", "not_now")
COUNTED_UP_TO = 1000
"""Counts beside the views stop here: nobody acts on the difference, and every row counted costs time."""
QUEUE_PAGE = 25


@dataclass(frozen=True)
class Filters:
    """What part of the queue is wanted."""

    view: str = "open"
    place: str | None = None
    channel: str | None = None
    owner_id: int | None = None


@dataclass(frozen=True)
class QueueLine:
    """One household of the queue."""

    id: int
    reference: str
    household: str
    postcode: str | None
    place: str
    next_action: str | None
    due_on: date | None
    rule: str | None
    turn: str | None
    channel: str
    campaign: str | None
    opened_at: datetime
    owner: str | None
    alike: tuple[tuple[str, str], ...] = field(default=())
    """Other cases with the same phone or email: what is the same, and the other's reference."""


def _in_view(filters: Filters, actor: Actor, *, today: date) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [Case.band == Band.ENQUIRY]
    if filters.view == "not_now":
        conditions += [Case.place == "not_now", Case.next_action_due_on <= today]
    else:
        conditions.append(Case.place.in_(OPEN_PLACES))
    if filters.view == "mine":
        conditions.append(Case.owner_id == actor.user_id if actor.user_id else false())
    if filters.view == "new":
        conditions.append(Case.place == "new")
    if filters.view == "over":
        conditions.append(Case.next_action_due_on < today)
    if filters.place:
        conditions.append(Case.place == filters.place)
    if filters.channel:
        conditions.append(Case.channel == filters.channel)
    if filters.owner_id:
        conditions.append(Case.owner_id == filters.owner_id)
    return conditions


def queue_page(
    actor: Actor, filters: Filters, *, today: date, after: tuple[date, int] | None = None
) -> tuple[list[QueueLine], tuple[date, int] | None]:
    """The enquiries of a view, what is due first first, and the place to go on from. Three statements, always."""
    query = (
        select(
            Case.id,
            Case.reference,
            Case.place,
            Case.next_action,
            Case.next_action_due_on,
            Case.next_action_turn,
            Case.channel,
            Case.opened_at,
            Household.name,
            Household.postcode,
            Campaign.name.label("campaign"),
            User.name.label("owner"),
        )
        .join(Household, Household.id == Case.household_id)
        .outerjoin(Campaign, Campaign.id == Case.campaign_id)
        .outerjoin(User, User.id == Case.owner_id)
        .where(visible_cases(actor, today=today), *_in_view(filters, actor, today=today))
    )
    if after:
        query = query.where(tuple_(Case.next_action_due_on, Case.id) > after)
    rows = db.session.execute(query.order_by(Case.next_action_due_on, Case.id).limit(QUEUE_PAGE + 1)).all()
    shown = rows[:QUEUE_PAGE]
    ids = [row.id for row in shown]
    rules = _nearest_rules(ids)
    alike = _same_contact(ids, actor, today=today)
    lines = [
        QueueLine(
            id=row.id,
            reference=row.reference,
            household=row.name,
            postcode=row.postcode,
            place=row.place,
            next_action=row.next_action,
            due_on=row.next_action_due_on,
            rule=rules.get(row.id),
            turn=row.next_action_turn,
            channel=row.channel,
            campaign=row.campaign,
            opened_at=row.opened_at,
            owner=row.owner,
            alike=alike.get(row.id, ()),
        )
        for row in shown
    ]
    more = (shown[-1].next_action_due_on, shown[-1].id) if len(rows) > QUEUE_PAGE else None
    return lines, more


def view_counts(actor: Actor, *, today: date) -> dict[str, int]:
    """How many households each saved view holds, counted no further than COUNTED_UP_TO. One statement."""
    columns = []
    for view in VIEWS:
        inside = (
            select(literal(1))
            .select_from(Case)
            .where(visible_cases(actor, today=today), *_in_view(Filters(view=view), actor, today=today))
            .limit(COUNTED_UP_TO)
            .subquery()
        )
        columns.append(select(func.count()).select_from(inside).scalar_subquery().label(view))
    return dict(db.session.execute(select(*columns)).one()._mapping)


def _nearest_rules(case_ids: Sequence[int]) -> dict[int, str]:
    """The rule of each case's nearest running clock."""
    rules: dict[int, str] = {}
    for row in db.session.execute(
        select(Deadline.case_id, Deadline.rule)
        .where(Deadline.case_id.in_(case_ids), Deadline.stopped_on.is_(None))
        .order_by(Deadline.due_on, Deadline.id)
    ):
        rules.setdefault(row.case_id, row.rule)
    return rules


def _same_contact(case_ids: Sequence[int], actor: Actor, *, today: date) -> dict[int, tuple[tuple[str, str], ...]]:
    """Of these cases, which others have somebody with the same phone or email. The likeliest one of each is enough."""
    here, there = aliased(Person), aliased(Person)
    ours = aliased(Case)
    found: dict[int, tuple[tuple[str, str], ...]] = {}
    rows = db.session.execute(
        select(
            ours.id.label("case_id"),
            Case.reference,
            (here.phone_key == there.phone_key).label("same_phone"),
        )
        .select_from(ours)
        .join(here, here.household_id == ours.household_id)
        .join(
            there,
            and_(
                there.household_id != here.household_id,
                or_(there.phone_key == here.phone_key, there.email_key == here.email_key),
            ),
        )
        .join(Case, Case.household_id == there.household_id)
        .where(ours.id.in_(case_ids), visible_cases(actor, today=today))
        .order_by(ours.id, Case.id)
        .limit(200)
    )
    for row in rows:
        if row.case_id not in found:
            found[row.case_id] = (("phone" if row.same_phone else "email", row.reference),)
    return found


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

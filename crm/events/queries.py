"""Reads of events: the list, one event with its figures, and the follow-up of its enquirers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import selectinload

from crm.access.models import User
from crm.access.queries import staff_who_may
from crm.cases.models import Campaign, Case, Consent, Deadline, Enquiry, Household, Person, Track
from crm.cases.queries import visible_cases
from crm.db import db
from crm.events.models import (
    KIND_WORDS,
    EventGuest,
    EventKind,
    EventSignUp,
    EventStatus,
    RecruitmentEvent,
    SignUpSource,
    SignUpStatus,
)
from crm.events.sign_ups import SHEET_MARK
from crm.rules.permissions import Actor, Permission
from crm.rules.refusal import Refusal


class EventNotFound(Refusal):
    """No such event."""

    def __init__(self) -> None:
        super().__init__("We can't find that event.", status=404)


def event_by_id(event_id: int) -> RecruitmentEvent:
    """An event with its campaign and staff. Raises EventNotFound."""
    event = db.session.scalars(
        select(RecruitmentEvent)
        .where(RecruitmentEvent.id == event_id)
        .options(
            selectinload(RecruitmentEvent.campaign),
            selectinload(RecruitmentEvent.part_of),
            selectinload(RecruitmentEvent.staff),
            selectinload(RecruitmentEvent.costs),
        )
    ).first()
    if event is None:
        raise EventNotFound
    return event


def public_event(slug: str) -> RecruitmentEvent:
    """An event as the public may see it: published, or called off after it was. Raises EventNotFound."""
    event = db.session.scalars(select(RecruitmentEvent).where(RecruitmentEvent.slug == slug)).first()
    if event is None or event.published_at is None:
        raise EventNotFound
    return event


def event_by_code(code: str) -> RecruitmentEvent:
    """The event behind the short address of a poster, however it was typed. Raises EventNotFound."""
    event = db.session.scalars(
        select(RecruitmentEvent).where(RecruitmentEvent.code == code[:20].strip().upper())
    ).first()
    if event is None or event.published_at is None:
        raise EventNotFound
    return event


PUBLIC_EVENTS_SHOWN = 60


def public_events(*, now: datetime, at_most: int = PUBLIC_EVENTS_SHOWN) -> list[RecruitmentEvent]:
    """Published events that are not over, the next first."""
    return list(
        db.session.scalars(
            select(RecruitmentEvent)
            .where(RecruitmentEvent.status == EventStatus.PUBLISHED, RecruitmentEvent.ends_at > now)
            .order_by(RecruitmentEvent.starts_at, RecruitmentEvent.id)
            .limit(at_most)
        )
    )


FEW_LEFT = 5


def say_room(event: RecruitmentEvent) -> str:
    """How full an event is: "open", "few" or "full"; "" where places are not counted.

    Never the number: whoever signs somebody else up and sees whether it falls would learn that we know them.
    """
    if event.capacity is None or not event.takes_sign_ups:
        return ""
    left = event.capacity - event.places_taken
    return "full" if left <= 0 else "few" if left <= FEW_LEFT else "open"


def staff_names(user_ids: list[int]) -> dict[int, str]:
    """The names behind these ids."""
    if not user_ids:
        return {}
    return dict(db.session.execute(select(User.id, User.name).where(User.id.in_(user_ids))).all())


def staff_to_choose(on_duty: Iterable[int] = ()) -> list[tuple[int, str]]:
    """Those who may log an enquiry and work here now, by name; and whoever is on duty already, whatever they do now."""
    able = {user.id: user.name for user in staff_who_may(Permission.LOG_ENQUIRY)}
    return sorted({**able, **staff_names(list(on_duty))}.items(), key=lambda pair: (pair[1].casefold(), pair[0]))


def campaigns_to_choose() -> list[tuple[int, str]]:
    """Campaigns that an event can be part of: those that are no event's own."""
    own = select(RecruitmentEvent.campaign_id)
    rows = db.session.execute(
        select(Campaign.id, Campaign.name).where(Campaign.id.not_in(own)).order_by(Campaign.id.desc()).limit(200)
    ).all()
    return [(0, "No"), *((row.id, row.name) for row in rows)]


def event_of_campaign(campaign_id: int) -> int | None:
    """The event whose own campaign this is."""
    return db.session.scalar(select(RecruitmentEvent.id).where(RecruitmentEvent.campaign_id == campaign_id))


@dataclass(frozen=True)
class EventFrame:
    """What stands at the head of every page of one event."""

    kind: str
    staff: dict[int, str]
    standing: tuple[str, str]
    """The mark and the words of where it stands."""
    where: str
    signed_up: int
    """Adults with a place, and those who wait, came in unasked or gave theirs back not among them."""
    waiting: int
    came: int
    has_begun: bool
    is_over: bool
    is_draft: bool
    is_off: bool


def event_frame(event: RecruitmentEvent, *, now: datetime) -> EventFrame:
    """The head of an event's pages: two statements, whatever its size."""
    waiting = (
        select(func.coalesce(func.sum(EventSignUp.adults), 0))
        .where(EventSignUp.event_id == event.id, EventSignUp.status == SignUpStatus.WAITING)
        .scalar_subquery()
    )
    came = (
        select(func.count())
        .select_from(EventGuest)
        .where(EventGuest.event_id == event.id, EventGuest.attended_at.is_not(None))
        .scalar_subquery()
    )
    row = db.session.execute(select(waiting.label("waiting"), came.label("came"))).one()
    is_over, is_off = event.is_over(now), event.status == EventStatus.CANCELLED
    is_draft = event.status == EventStatus.DRAFT
    standing = (
        ("closed", "Cancelled")
        if is_off
        else ("closed", "Over")
        if is_over
        else ("none", "Draft")
        if is_draft
        else ("ok", "Today" if event.starts_at <= now else "Published")
    )
    return EventFrame(
        kind=KIND_WORDS[EventKind(event.kind)],
        staff=staff_names([one.user_id for one in event.staff]),
        standing=standing,
        where=event.place or "Online",
        signed_up=event.places_taken,
        waiting=row.waiting,
        came=row.came,
        has_begun=event.starts_at <= now,
        is_over=is_over,
        is_draft=is_draft,
        is_off=is_off,
    )


@dataclass(frozen=True)
class GuestLine:
    """One adult on the list of an event."""

    id: int
    sign_up_id: int
    name: str
    reach: str
    with_whom: str | None
    status: str
    source: str
    interest: str | None
    wants_call: bool
    asked: str | None
    needs: str | None
    came_at: datetime | None
    signed_up_at: datetime
    is_first: bool
    case: str | None
    """The reference of the case that came of it, for those who may open it."""


GUESTS_SHOWN = 50
GUEST_LISTS = ("coming", "here", "waiting", "not_here", "given_up", "all")


def guest_lines(
    event: RecruitmentEvent,
    actor: Actor,
    *,
    today: date,
    show: str = "coming",
    find: str = "",
    after: tuple[str, int] | None = None,
) -> tuple[list[GuestLine], tuple[str, int] | None]:
    """The adults on an event's list, by first name. ``show`` is one of GUEST_LISTS; ``find`` begins a name."""
    name = func.lower(EventGuest.given_name)
    query = (
        select(EventGuest)
        .join(EventSignUp, EventSignUp.id == EventGuest.sign_up_id)
        .where(EventGuest.event_id == event.id)
        .order_by(name, EventGuest.id)
        .options(selectinload(EventGuest.sign_up).selectinload(EventSignUp.guests))
    )
    expected = and_(EventSignUp.status == SignUpStatus.CONFIRMED, EventSignUp.source != SignUpSource.WALK_IN)
    conditions: dict[str, ColumnElement[bool]] = {
        "coming": or_(expected, EventGuest.attended_at.is_not(None)),
        "here": EventGuest.attended_at.is_not(None),
        "waiting": EventSignUp.status == SignUpStatus.WAITING,
        "not_here": and_(expected, EventGuest.attended_at.is_(None)),
        "given_up": and_(EventSignUp.status == SignUpStatus.CANCELLED, EventGuest.attended_at.is_(None)),
    }
    if show in conditions:
        query = query.where(conditions[show])
    if show == "waiting":
        query = query.order_by(None).order_by(EventSignUp.signed_up_at, EventSignUp.id, EventGuest.position)
    wanted = find.strip().casefold()
    if wanted:
        query = query.where(
            or_(
                name.startswith(wanted, autoescape=True),
                func.lower(EventGuest.family_name).startswith(wanted, autoescape=True),
            )
        )
    if after and show != "waiting":
        query = query.where(tuple_(name, EventGuest.id) > after)
    rows = list(db.session.scalars(query.limit(GUESTS_SHOWN + 1)))
    more = len(rows) > GUESTS_SHOWN and show != "waiting"
    rows = rows[:GUESTS_SHOWN]
    enquiries = [row.sign_up.enquiry_id for row in rows if row.sign_up.enquiry_id]
    references = (
        dict(
            db.session.execute(
                select(Enquiry.id, Case.reference)
                .join(Case, Case.id == Enquiry.case_id)
                .where(Enquiry.id.in_(enquiries), visible_cases(actor, today=today))
            ).all()
        )
        if enquiries
        else {}
    )
    lines = [_guest_line(row, references) for row in rows]
    return lines, (rows[-1].given_name.lower(), rows[-1].id) if more else None


def guest_counts(event: RecruitmentEvent) -> dict[str, int]:
    """How many adults are on each of GUEST_LISTS."""
    expected = and_(EventSignUp.status == SignUpStatus.CONFIRMED, EventSignUp.source != SignUpSource.WALK_IN)
    here = EventGuest.attended_at.is_not(None)
    row = db.session.execute(
        select(
            _count(or_(expected, here)),
            _count(here),
            _count(EventSignUp.status == SignUpStatus.WAITING),
            _count(and_(expected, ~here)),
            _count(and_(EventSignUp.status == SignUpStatus.CANCELLED, ~here)),
            func.count(),
            _count(and_(here, EventSignUp.source == SignUpSource.WALK_IN)),
        )
        .select_from(EventGuest)
        .join(EventSignUp, EventSignUp.id == EventGuest.sign_up_id)
        .where(EventGuest.event_id == event.id)
    ).one()
    return dict(zip((*GUEST_LISTS, "walk_in"), row, strict=True))


def _guest_line(row: EventGuest, references: dict[int, str]) -> GuestLine:
    sign_up = row.sign_up
    other = next((guest for guest in sign_up.guests if guest.id != row.id), None)
    return GuestLine(
        id=row.id,
        sign_up_id=sign_up.id,
        name=row.full_name,
        reach=row.phone or row.email or "",
        with_whom=other.full_name if other else None,
        status=sign_up.status,
        source=sign_up.source,
        interest=sign_up.interest,
        wants_call=sign_up.wants_call,
        asked=sign_up.question if row.position == 1 else None,
        needs=sign_up.needs if row.position == 1 else None,
        came_at=row.attended_at,
        signed_up_at=sign_up.signed_up_at,
        is_first=row.position == 1,
        case=references.get(sign_up.enquiry_id) if sign_up.enquiry_id else None,
    )


def sign_up_of(event: RecruitmentEvent, sign_up_id: int) -> EventSignUp:
    """A sign-up of an event, with its people. Raises EventNotFound."""
    row = db.session.get(EventSignUp, sign_up_id)
    if row is None or row.event_id != event.id:
        raise EventNotFound
    return row


@dataclass(frozen=True)
class SheetName:
    """A line of the printed list: no more than is needed to tick somebody off."""

    name: str
    adults: int


def names_for_sheet(event: RecruitmentEvent) -> list[SheetName]:
    """Those who signed up and have a place, by name, without any way to reach them."""
    rows = db.session.scalars(
        select(EventGuest)
        .join(EventSignUp, EventSignUp.id == EventGuest.sign_up_id)
        .where(EventGuest.event_id == event.id, EventSignUp.status == SignUpStatus.CONFIRMED, EventGuest.position == 1)
        .order_by(func.lower(EventGuest.given_name), EventGuest.id)
        .options(selectinload(EventGuest.sign_up))
    )
    return [SheetName(f"{row.given_name} {(row.family_name or '')[:1]}".strip(), row.sign_up.adults) for row in rows]


@dataclass(frozen=True)
class EventLine:
    """One event of the list: what it is, and how many households its enquiries belong to."""

    id: int
    name: str
    kind: str
    where: str
    starts_at: datetime
    ends_at: datetime
    households: int
    not_called: int
    status: str
    signed_up: int
    capacity: int | None


EVENTS_SHOWN = 25


def event_lines(
    *, now: datetime, upcoming: bool, after: tuple[datetime, int] | None = None
) -> tuple[list[EventLine], tuple[datetime, int] | None]:
    """Events to come, the next first; or past ones, the latest first. With the place to go on from."""
    query = select(RecruitmentEvent)
    key = tuple_(RecruitmentEvent.starts_at, RecruitmentEvent.id)
    if upcoming:
        query = query.where(RecruitmentEvent.ends_at >= now).order_by(RecruitmentEvent.starts_at, RecruitmentEvent.id)
        query = query.where(key > after) if after else query
    else:
        query = query.where(RecruitmentEvent.ends_at < now)
        query = query.order_by(RecruitmentEvent.starts_at.desc(), RecruitmentEvent.id.desc())
        query = query.where(key < after) if after else query
    events = list(db.session.scalars(query.limit(EVENTS_SHOWN + 1)))
    more = len(events) > EVENTS_SHOWN
    events = events[:EVENTS_SHOWN]
    brought = {
        row.campaign_id: (row.households, row.not_called)
        for row in db.session.execute(
            select(
                Enquiry.campaign_id,
                func.count(func.distinct(Enquiry.case_id)).label("households"),
                func.count(func.distinct(case((Case.place == "new", Case.id)))).label("not_called"),
            )
            .join(Case, Case.id == Enquiry.case_id)
            .where(Enquiry.campaign_id.in_([event.campaign_id for event in events]))
            .group_by(Enquiry.campaign_id)
        )
    }
    lines = [
        EventLine(
            event.id,
            event.name,
            event.kind,
            event.place or "Online",
            event.starts_at,
            event.ends_at,
            *brought.get(event.campaign_id, (0, 0)),
            event.status,
            event.places_taken,
            event.capacity,
        )
        for event in events
    ]
    return lines, (events[-1].starts_at, events[-1].id) if more else None


@dataclass(frozen=True)
class EventFigures:
    """What an event brought, counted by household. People still on their way are undecided, never lost."""

    names_left: int
    logged_there: int
    """Households that walked in and were logged by us, whether or not they also signed a sheet."""
    on_a_sheet: int
    first_heard_here: int
    knew_already: int
    not_called: int
    visit_booked: int
    undecided: int
    closed: int
    applications: int
    approved: int
    news_by_email: int
    news_by_text: int


_ON_A_SHEET = func.coalesce(Enquiry.one_time_id, "").startswith(SHEET_MARK)
BOOKED = ("visit_booked", "visited", "invited")


def event_figures(event: RecruitmentEvent) -> EventFigures:
    """The figures of one event: two statements, whatever its size."""
    touched = select(Enquiry.case_id).where(Enquiry.campaign_id == event.campaign_id).distinct().subquery()
    applied = select(Track.stage).where(Track.case_id == Case.id, Track.name == "application").scalar_subquery()
    row = db.session.execute(
        select(
            func.count().label("all"),
            _count(Case.campaign_id == event.campaign_id),
            _count(Case.place == "new"),
            _count(and_(applied.is_(None), Case.place.in_(BOOKED))),
            _count(and_(applied.is_(None), Case.place.in_(("new", "contacted")))),
            _count(and_(applied.is_(None), Case.place.in_(("not_now", "closed")))),
            _count(applied.is_not(None)),
            _count(applied == "approved"),
        ).join(touched, touched.c.case_id == Case.id)
    ).one()
    came = db.session.execute(
        select(
            func.count(),
            func.count(func.distinct(case((~_ON_A_SHEET, Enquiry.case_id)))),
            func.count(func.distinct(case((_ON_A_SHEET, Enquiry.case_id)))),
        ).where(Enquiry.campaign_id == event.campaign_id)
    ).one()
    news = dict(
        db.session.execute(
            select(Consent.channel, func.count(func.distinct(Consent.person_id)))
            .join(Person, Person.id == Consent.person_id)
            .join(Case, Case.household_id == Person.household_id)
            .join(touched, touched.c.case_id == Case.id)
            .where(Consent.source == event.name, Consent.given)
            .group_by(Consent.channel)
        ).all()
    )
    return EventFigures(
        names_left=came[0],
        logged_there=came[1],
        on_a_sheet=came[2],
        first_heard_here=row[1],
        knew_already=row[0] - row[1],
        not_called=row[2],
        visit_booked=row[3],
        undecided=row[4],
        closed=row[5],
        applications=row[6],
        approved=row[7],
        news_by_email=news.get("email", 0),
        news_by_text=news.get("text", 0),
    )


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


@dataclass(frozen=True)
class FollowUp:
    """One household of an event's follow-up list. Its name is hidden from those who may not open the case."""

    case_id: int
    reference: str
    household: str | None
    received_at: datetime
    interest: str | None
    place: str
    next_action: str | None
    due_on: date | None
    rule: str | None
    called_on: date | None
    owner: str | None


FOLLOW_UP_SHOWN = 25
FOLLOW_UPS = ("all", "waiting", "called", "logged", "sheet")
"""What of an event's households is listed: all, not called, called, logged at the event, on a sign-up sheet."""
_CAME: dict[str, tuple[ColumnElement[bool], ...]] = {"logged": (~_ON_A_SHEET,), "sheet": (_ON_A_SHEET,)}


def follow_up(
    event: RecruitmentEvent, actor: Actor, *, today: date, show: str = "all", after: tuple[int, int] | None = None
) -> tuple[list[FollowUp], tuple[int, int] | None]:
    """The households of an event, those not called first. ``show`` is one of FOLLOW_UPS."""
    not_called = case((Case.place == "new", 0), else_=1)
    first_touch = (
        select(func.min(Enquiry.id).label("id"))
        .where(Enquiry.campaign_id == event.campaign_id, *_CAME.get(show, ()))
        .group_by(Enquiry.case_id)
        .subquery()
    )
    query = (
        select(
            Case.id,
            Case.reference,
            Case.place,
            Case.next_action,
            Case.next_action_due_on,
            Household.name,
            Enquiry.received_at,
            Enquiry.interest,
            Enquiry.id.label("enquiry_id"),
            Deadline.due_on.label("call_due_on"),
            Deadline.stopped_on,
            Deadline.stopped_how,
            User.name.label("owner"),
            not_called.label("rank"),
            visible_cases(actor, today=today).label("may_open"),
        )
        .select_from(first_touch)
        .join(Enquiry, Enquiry.id == first_touch.c.id)
        .join(Case, Case.id == Enquiry.case_id)
        .join(Household, Household.id == Case.household_id)
        .outerjoin(User, User.id == Case.owner_id)
        .outerjoin(
            Deadline,
            and_(
                Deadline.case_id == Case.id,
                Deadline.rule == "first_contact",
                or_(Deadline.stopped_how.is_(None), Deadline.stopped_how != "replaced"),
            ),
        )
        .order_by(not_called, Enquiry.id)
        .limit(FOLLOW_UP_SHOWN + 1)
    )
    if show == "waiting":
        query = query.where(Case.place == "new")
    elif show == "called":
        query = query.where(Case.place != "new")
    if after:
        query = query.where(tuple_(not_called, Enquiry.id) > after)
    rows = db.session.execute(query).all()
    lines = [
        FollowUp(
            case_id=row.id,
            reference=row.reference,
            household=row.name if row.may_open else None,
            received_at=row.received_at,
            interest=row.interest,
            place=row.place,
            next_action=row.next_action,
            due_on=row.call_due_on if row.stopped_on is None else None,
            rule="first_contact" if row.call_due_on and row.stopped_on is None else None,
            called_on=row.stopped_on if row.stopped_how == "met" else None,
            owner=row.owner,
        )
        for row in rows[:FOLLOW_UP_SHOWN]
    ]
    last = rows[FOLLOW_UP_SHOWN - 1] if len(rows) > FOLLOW_UP_SHOWN else None
    return lines, (last.rank, last.enquiry_id) if last else None

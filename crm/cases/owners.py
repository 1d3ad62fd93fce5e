"""Who takes a new enquiry: nobody's enquiry is an enquiry that is forgotten.

An area may have several people, who take its enquiries in turn: the next is whoever had the fewest lately. Whoever is
away, has left or has as many as they can is passed over, and each turn is kept, so that the case says why it is whose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import selectinload

from crm import policy
from crm.access.models import StaffLeave, User, UserRole
from crm.access.queries import away_on
from crm.audit import record
from crm.cases.models import AreaTurn, Band, Case, EnquiryTurn
from crm.db import db, insert_of, rows_changed
from crm.rules.permissions import Actor, Permission, Role, require

OWNING_ROLES = frozenset({Role.RECRUITER, Role.OFFICER, Role.MANAGER})
"""Who may be given a case: those whose work cases are."""
RECENT = timedelta(days=28)
"""Turns further back than this are even: somebody who comes back from a long leave isn't given everything at once."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose an enquiry is, and why. ``area`` is set where it was their turn in that area."""

    user_id: int
    name: str
    why: str
    area: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands in the turns of an area."""

    user_id: int
    name: str
    recent: int
    last_at: datetime | None
    has_now: int
    at_once: int | None
    away: StaffLeave | None

    @property
    def is_free(self) -> bool:
        """Whether the next enquiry may be theirs."""
        return self.away is None and (self.at_once is None or self.has_now < self.at_once)

    @property
    def order(self) -> tuple[int, float, int]:
        """The fewest lately, then whoever has waited longest; the account's number where even that is the same."""
        return self.recent, self.last_at.timestamp() if self.last_at else 0.0, self.user_id


def next_in_turn(postcode: str | None, *, now: datetime, today: date) -> Turn | None:
    """Whose a new enquiry from a postcode is; None only where nobody at all works here yet. See ``whose_turn``.

    Two that ask for the same area at once wait for each other, so each sees the other's turn.
    """
    area = policy.service().area_of(postcode) if postcode else None
    if area is not None and area.owner_ids:
        _hold(area.name)
    return whose_turn(postcode, now=now, today=today)


def whose_turn(postcode: str | None, *, now: datetime, today: date) -> Turn | None:
    """Whose a new enquiry from a postcode would be as things stand: for a page to say, without taking the turn.

    1. Of the area's people, the next in turn who is free.
    2. Whoever covers for one of them who is away.
    3. Whoever takes the rest, or their cover.
    4. Somebody of the area even so: better too many than nobody's.
    5. A manager, else a recruiter; one who is here before one who is away.
    """
    profile = policy.service()
    area = profile.area_of(postcode) if postcode else None
    standings: Sequence[Standing] = ()
    if area is not None and area.owner_ids:
        standings = standings_in(area.name, area.owner_ids, now=now, today=today)
        free = [one for one in standings if one.is_free]
        if free:
            first = min(free, key=lambda one: one.order)
            why = f"next in turn for {area.name}" if len(area.owner_ids) > 1 else f"takes {area.name}"
            return Turn(first.user_id, first.name, why, area.name)
        covered = _cover_of([one for one in standings if one.away is not None], today=today)
        if covered is not None:
            return covered
    rest = [profile.fallback_owner_id] if profile.fallback_owner_id is not None else []
    for one in standings_in("", rest, now=now, today=today):
        if one.away is None:
            return Turn(one.user_id, one.name, "takes what nobody else takes")
        covered = _cover_of([one], today=today)
        if covered is not None:
            return covered
    here = [one for one in standings if one.away is None]
    if here:
        fewest = min(here, key=lambda one: (one.has_now, *one.order))
        return Turn(fewest.user_id, fewest.name, f"everybody in {area.name if area else ''} has as many as they can")
    return _whoever_is_here(today=today)


def next_turns(postcodes: Sequence[str | None], *, now: datetime, today: date) -> list[Turn | None]:
    """Whose each of many new enquiries is, in their order, each turn counted for the next: a sheet of names.

    Each area's people are read once, however many enquiries there are.
    """
    areas: dict[str, list[Standing]] = {}
    rest: dict[str, Turn | None] = {}
    found: list[Turn | None] = []
    for postcode in postcodes:
        area = policy.service().area_of(postcode) if postcode else None
        name = area.name if area is not None else ""
        if area is not None and area.owner_ids and name not in areas:
            _hold(name)
            areas[name] = standings_in(name, area.owner_ids, now=now, today=today)
        free = [one for one in areas.get(name, ()) if one.is_free]
        if area is None or not free:
            theirs = name if name in areas else ""  # an area of nobody's is as none at all
            if theirs not in rest:
                rest[theirs] = whose_turn(postcode, now=now, today=today)
            found.append(rest[theirs])
            continue
        first = min(free, key=lambda one: one.order)
        why = f"next in turn for {name}" if len(area.owner_ids) > 1 else f"takes {name}"
        found.append(Turn(first.user_id, first.name, why, name))
        had = replace(first, recent=first.recent + 1, last_at=now, has_now=first.has_now + 1)
        areas[name] = [had if one is first else one for one in areas[name]]
    return found


def keep_turns(given: Sequence[tuple[int, Turn | None]], *, now: datetime) -> None:
    """Write many turns down, by the id of the case."""
    rows = [
        {"case_id": case_id, "user_id": turn.user_id, "area": turn.area, "taken_at": now}
        for case_id, turn in given
        if turn is not None and turn.area is not None
    ]
    if rows:
        db.session.execute(insert(EnquiryTurn), rows)


def keep_turn(case: Case, turn: Turn, *, now: datetime) -> None:
    """Write a turn down, in the transaction that gives the case."""
    if turn.area is not None:
        db.session.add(EnquiryTurn(case_id=case.id, user_id=turn.user_id, area=turn.area, taken_at=now))
        db.session.flush()


def set_limit(user: User, *, at_once: int | None, actor: Actor, now: datetime) -> None:
    """Set how many open enquiries somebody has before their turn passes on; None: as many as come."""
    require(actor, Permission.ASSIGN_CASES)
    user.enquiries_at_once = at_once
    db.session.flush()
    record("turns.limit_set", actor=actor, at=now, subject=f"user:{user.id}", detail={"at_once": at_once})


def standings_in(area: str, user_ids: Iterable[int], *, now: datetime, today: date) -> list[Standing]:
    """How these people stand in an area's turns, as the area names them; those who have left are left out."""
    wanted = list(user_ids)
    people = _people(wanted)
    away = away_on(people, today)
    recent = {
        row.user_id: (row.turns, row.last_at)
        for row in db.session.execute(
            select(EnquiryTurn.user_id, func.count().label("turns"), func.max(EnquiryTurn.taken_at).label("last_at"))
            .where(EnquiryTurn.area == area, EnquiryTurn.user_id.in_(list(people)), EnquiryTurn.taken_at > now - RECENT)
            .group_by(EnquiryTurn.user_id)
        )
    }
    has_now = enquiries_now(people)
    return [
        Standing(
            user_id=user_id,
            name=people[user_id].name,
            recent=recent.get(user_id, (0, None))[0],
            last_at=recent.get(user_id, (0, None))[1],
            has_now=has_now.get(user_id, 0),
            at_once=people[user_id].enquiries_at_once,
            away=away.get(user_id),
        )
        for user_id in wanted
        if user_id in people
    ]


def enquiries_now(user_ids: Iterable[int]) -> dict[int, int]:
    """How many open enquiries each of these people has; those that rest until a day are not counted."""
    rows = db.session.execute(
        select(Case.owner_id, func.count())
        .where(Case.owner_id.in_(list(user_ids)), Case.is_open, Case.band == Band.ENQUIRY, Case.place != "not_now")
        .group_by(Case.owner_id)
    )
    return {owner_id: number for owner_id, number in rows if owner_id is not None}


def is_here(user_id: int | None) -> bool:
    """Whether somebody works here and may have cases."""
    return user_id is not None and user_id in _people([user_id])


def _people(user_ids: Sequence[int]) -> dict[int, User]:
    """Of these, whoever works here and may have cases."""
    found = db.session.scalars(
        select(User).options(selectinload(User.role_rows)).where(User.id.in_(list(user_ids)), User.active)
    )
    return {user.id: user for user in found if user.roles & OWNING_ROLES}


def _cover_of(away: Sequence[Standing], *, today: date) -> Turn | None:
    covers = _people([one.away.cover_id for one in away if one.away is not None and one.away.cover_id is not None])
    gone = away_on(covers, today)
    for one in away:
        cover = covers.get(one.away.cover_id or 0) if one.away is not None else None
        if cover is not None and cover.id not in gone:
            return Turn(cover.id, cover.name, f"covers for {one.name}")
    return None


def _whoever_is_here(*, today: date) -> Turn | None:
    for role in (Role.MANAGER, Role.RECRUITER):
        people = db.session.execute(
            select(User.id, User.name)
            .join(UserRole, UserRole.user_id == User.id)
            .where(UserRole.role == role, User.active)
            .order_by(User.id)
        ).all()
        away = away_on([row.id for row in people], today)
        for row in sorted(people, key=lambda one: one.id in away):
            return Turn(row.id, row.name, "nobody is named to take it")
    return None


def _hold(area: str) -> None:
    """Take the area's row, and make whoever comes next wait until this turn is kept."""
    taken = (
        update(AreaTurn)
        .where(AreaTurn.area == area)
        .values(turns=AreaTurn.turns + 1)
        .execution_options(synchronize_session=False)
    )
    if rows_changed(db.session.execute(taken)):
        return
    db.session.execute(insert_of(AreaTurn).values(area=area, turns=0).on_conflict_do_nothing())
    db.session.execute(taken)

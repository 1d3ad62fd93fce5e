"""Who is out at a home, when somebody is to be told that they were not heard of, and telling them.

What falls due is worked out from the visit and the service's minutes, and each alarm is a row whose constraint says
that it was raised. So a worker that dies raises on its return what it had not, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import selectinload

from crm import policy
from crm.access.models import User
from crm.access.queries import away_on, managers_here, names_of, user_with
from crm.audit import record
from crm.cases import keys
from crm.clock import london_date
from crm.db import db
from crm.delivery import Channel, NewMessage, Recipient, enqueue
from crm.delivery.post_room import post_room
from crm.jobs.queries import workers_seen
from crm.rules.permissions import SYSTEM, Actor, Role
from crm.visits.day_models import AlertKind, VisitAlert, VisitWatch
from crm.visits.models import Place, Visit, VisitStatus

LOOKS_BACK = timedelta(hours=24)
"""Of a visit that nobody recorded no alarm is raised after this: it is a matter of paper by then."""
LOOKS_AHEAD = timedelta(hours=36)
SIGN_OF_LIFE_WITHIN = timedelta(minutes=3)
PROMPT_LASTS = timedelta(hours=2)
BATCH = 50
log = structlog.get_logger("lone_working")
ALARMS = (AlertKind.BUDDY, AlertKind.MANAGER, AlertKind.HELP)


@dataclass(frozen=True)
class Due:
    """An alarm and when it is to be raised."""

    kind: AlertKind
    at: datetime

    def __str__(self) -> str:
        return f"{self.kind}{self.at.isoformat()}"


# --- When -------------------------------------------------------------------------------------------------------------


def watch_of(visit: Visit) -> VisitWatch | None:
    """What is known of the officers of a visit on the day."""
    return db.session.scalars(select(VisitWatch).where(VisitWatch.visit_id == visit.id)).first()


def expected_out_at(visit: Visit, watch: VisitWatch | None) -> datetime:
    """When they mean to be out."""
    return watch.expected_out_at if watch is not None and watch.expected_out_at else visit.ends_at


def buddy_at(visit: Visit, watch: VisitWatch | None) -> datetime:
    """When the buddy is told, unless they have checked out."""
    return expected_out_at(visit, watch) + timedelta(minutes=policy.service().buddy_after_minutes)


def manager_at(visit: Visit, watch: VisitWatch | None) -> datetime:
    """When a manager is told, unless they have checked out."""
    return expected_out_at(visit, watch) + timedelta(minutes=policy.service().manager_after_minutes)


def is_looked_after(visit: Visit, watch: VisitWatch | None) -> bool:
    """Whether the officers are out there, and we do not know yet that they are safe."""
    if visit.place != Place.HOME or (watch is not None and watch.is_over):
        return False
    return visit.is_booked or (watch is not None and watch.checked_in_at is not None)


def is_alarmed(visit: Visit, watch: VisitWatch | None, *, now: datetime) -> bool:
    """Whether they have asked for help, or not been heard of in time."""
    if not is_looked_after(visit, watch):
        return False
    return (watch is not None and watch.help_at is not None) or now >= buddy_at(visit, watch)


def alarms_due(visit: Visit, watch: VisitWatch | None, *, now: datetime) -> list[Due]:
    """What is to be told by now, of a visit whose officers are not known to be safe. All of it counts from the times of
    the visit: who is moved, or asks for more time, is alarmed for at other moments."""
    if not is_looked_after(visit, watch) or (watch is not None and watch.help_at is not None):
        return []  # where help was asked for, everybody has been told already
    late = visit.starts_at + timedelta(minutes=policy.service().late_in_minutes)
    out = expected_out_at(visit, watch)
    is_in = watch is not None and watch.checked_in_at is not None
    found = [Due(AlertKind.BUDDY, buddy_at(visit, watch)), Due(AlertKind.MANAGER, manager_at(visit, watch))]
    if is_in:
        found.append(Due(AlertKind.NOT_OUT, out))
    elif now < out:
        found.append(Due(AlertKind.NOT_IN, late))
    return [one for one in found if one.at <= now]


# --- By the timetable -------------------------------------------------------------------------------------------------


def is_kept(now: datetime) -> bool:
    """Whether a worker is there that raises alarms: without one nobody is told of anything by itself."""
    return any(now - one.seen_at < SIGN_OF_LIFE_WITHIN for one in workers_seen())


def has_alarms_to_raise(now: datetime) -> bool:
    """Whether anybody has to be told of something. Takes no lock."""
    return any(dues for _visit, _watch, dues in _to_raise(now))


def raise_alarms(now: datetime) -> int:
    """Tell officers, buddies and managers what has fallen due; how many were raised. For the timetable.

    1. Hold each visit: who checks out at this moment is waited for, and then seen.
    2. Write down that it is told, then tell it, in one transaction.

    A visit that nobody can be told of, through a fault of ours, keeps no other waiting: it is noted, and tried again
    with the next run. Raising it would make the runs rarer and rarer.
    """
    raised = 0
    for visit, _watch, _dues in _to_raise(now)[:BATCH]:
        try:
            with db.session.begin_nested():
                raised += _raise_for(visit, now=now)
        except OperationalError:
            raise  # the database is busy: all of it is tried again in a moment
        except Exception as fault:
            log.error("alarm_not_raised", fault=type(fault).__name__)
    return raised


def _raise_for(visit: Visit, *, now: datetime) -> int:
    db.session.refresh(visit, with_for_update=True)
    watch = watch_of(visit)
    if watch is not None:
        db.session.refresh(watch)
    told = _told(visit.id)
    dues = [due for due in alarms_due(visit, watch, now=now) if (due.kind, due.at) not in told]
    for due in dues:
        _raise(visit, watch, due, now=now)
    db.session.flush()
    return len(dues)


def _to_raise(now: datetime) -> list[tuple[Visit, VisitWatch | None, list[Due]]]:
    since = now - LOOKS_BACK
    # Each half has an index that holds no more than what is booked, and who is inside.
    booked = select(Visit.id).where(Visit.status == VisitStatus.BOOKED, Visit.starts_at > since, Visit.starts_at <= now)
    inside = select(VisitWatch.visit_id).where(
        VisitWatch.checked_in_at > since, VisitWatch.checked_out_at.is_(None), VisitWatch.stood_down_at.is_(None)
    )
    rows = db.session.execute(
        select(Visit, VisitWatch)
        .outerjoin(VisitWatch, VisitWatch.visit_id == Visit.id)
        .where(Visit.id.in_(booked.union(inside)), is_out_there())
        .options(selectinload(Visit.officers))
        .order_by(Visit.starts_at, Visit.id)
    ).all()
    told = {
        (row.visit_id, row.kind, row.due_at)
        for row in db.session.execute(
            select(VisitAlert.visit_id, VisitAlert.kind, VisitAlert.due_at).where(
                VisitAlert.visit_id.in_([row.Visit.id for row in rows])
            )
        )
    }
    found: list[tuple[Visit, VisitWatch | None, list[Due]]] = []
    for visit, watch in rows:
        dues = [one for one in alarms_due(visit, watch, now=now) if (visit.id, one.kind, one.at) not in told]
        if dues:
            found.append((visit, watch, dues))
    return found


def is_out_there() -> ColumnElement[bool]:
    """As ``is_looked_after``, for a query that joins a visit with its watch."""
    return and_(
        Visit.place == Place.HOME,
        or_(VisitWatch.checked_out_at.is_(None), VisitWatch.help_at.is_not(None)),
        VisitWatch.stood_down_at.is_(None),
        or_(Visit.status == VisitStatus.BOOKED, VisitWatch.checked_in_at.is_not(None)),
    )


def _told(visit_id: int) -> set[tuple[str, datetime]]:
    rows = db.session.execute(select(VisitAlert.kind, VisitAlert.due_at).where(VisitAlert.visit_id == visit_id))
    return {(row.kind, row.due_at) for row in rows}


def _raise(visit: Visit, watch: VisitWatch | None, due: Due, *, now: datetime) -> None:
    db.session.add(VisitAlert(visit_id=visit.id, kind=due.kind, due_at=due.at, told_at=now))
    db.session.flush()
    record(
        "lone.alarm",
        actor=SYSTEM,
        at=now,
        case_id=visit.case_id,
        subject=f"visit:{visit.id}",
        detail={"kind": str(due.kind), "due_at": due.at},
    )
    if due.kind in (AlertKind.NOT_IN, AlertKind.NOT_OUT):
        kind = "lone_not_in" if due.kind is AlertKind.NOT_IN else "lone_not_out"
        when: dict[str, object] = (
            {"starts_at": visit.starts_at}
            if due.kind is AlertKind.NOT_IN
            else {"ends_at": expected_out_at(visit, watch)}
        )
        to = [user_with(officer_id) for officer_id in visit.officer_ids]
        url, not_after = f"/visits/{visit.id}/day", now + PROMPT_LASTS
        _tell(kind, visit, to, when, about=str(due), url=url, now=now, not_after=not_after)
        return
    to = _managers(visit, now) if due.kind is AlertKind.MANAGER else _buddy_or_managers(visit, watch, now)
    fields = {**_about_officers(visit), "ends_at": expected_out_at(visit, watch)}
    _tell("lone_overdue", visit, to, fields, about=str(due), url=f"/visits/{visit.id}/watch", now=now)


# --- Whom it is told --------------------------------------------------------------------------------------------------


def may_look_after(visit: Visit, watch: VisitWatch | None, actor: Actor) -> bool:
    """Whether this person may see where the officers are and say that they are safe: the buddy, and managers."""
    return (watch is not None and watch.buddy_id == actor.user_id and actor.user_id is not None) or (
        Role.MANAGER in actor.roles
    )


def _buddy_or_managers(visit: Visit, watch: VisitWatch | None, now: datetime) -> list[User]:
    """The buddy; where there is none, or they are away, the managers at once."""
    if watch is not None and watch.buddy_id is not None:
        buddy = user_with(watch.buddy_id)
        if buddy.active and not away_on([buddy.id], london_date(now)):
            return [buddy]
    return _managers(visit, now)


def _managers(visit: Visit, now: datetime) -> list[User]:
    others = [one for one in managers_here(london_date(now)) if one.id not in visit.officer_ids]
    return others or list(managers_here(london_date(now)))


def call_for_help(visit: Visit, watch: VisitWatch, *, at: datetime, now: datetime) -> None:
    """Tell the buddy and the managers, all of them at once, that help is needed."""
    db.session.add(VisitAlert(visit_id=visit.id, kind=AlertKind.HELP, due_at=at, told_at=now))
    db.session.flush()
    to = {one.id: one for one in (*_buddy_or_managers(visit, watch, now), *_managers(visit, now))}
    about, url = str(Due(AlertKind.HELP, at)), f"/visits/{visit.id}/watch"
    _tell("lone_help", visit, to.values(), _about_officers(visit), about=about, url=url, now=now)


def tell_buddy(visit: Visit, watch: VisitWatch, buddy: User, *, now: datetime) -> None:
    """Tell a colleague that they were asked to look out for the officers of a visit, until it is over."""
    if not is_looked_after(visit, watch) or now >= expected_out_at(visit, watch):
        return
    fields: dict[str, object] = {
        "officers": _about_officers(visit)["officers"],
        "starts_at": visit.starts_at,
        "ends_at": expected_out_at(visit, watch),
    }
    url = f"/visits/{visit.id}/watch"
    _tell("lone_buddy", visit, [buddy], fields, about=now.isoformat(), url=url, now=now, not_after=visit.ends_at)


def all_clear(visit: Visit, *, now: datetime) -> None:
    """End what was raised, and tell whoever was alarmed that all is well."""
    raised = db.session.execute(
        select(VisitAlert.id, VisitAlert.kind).where(
            VisitAlert.visit_id == visit.id, VisitAlert.ended_at.is_(None), VisitAlert.kind.in_(ALARMS)
        )
    ).all()
    end_alerts(visit, now=now)
    if not raised:
        return
    watch = watch_of(visit)
    to = {one.id: one for one in _buddy_or_managers(visit, watch, now)}
    if any(row.kind != AlertKind.BUDDY for row in raised):
        to |= {one.id: one for one in _managers(visit, now)}
    fields, url = {"officers": _about_officers(visit)["officers"]}, f"/visits/{visit.id}/watch"
    _tell("lone_safe", visit, to.values(), fields, about=now.isoformat(), url=url, now=now)


def end_alerts(visit: Visit, *, now: datetime, kinds: Iterable[AlertKind] = tuple(AlertKind)) -> None:
    db.session.execute(
        update(VisitAlert)
        .where(VisitAlert.visit_id == visit.id, VisitAlert.kind.in_(list(kinds)), VisitAlert.ended_at.is_(None))
        .values(ended_at=now)
        .execution_options(synchronize_session="fetch")
    )


def _about_officers(visit: Visit) -> dict[str, object]:
    officers = [user_with(officer_id) for officer_id in visit.officer_ids]
    numbers = [keys.say_phone(one.mobile) for one in officers if one.mobile]
    return {"officers": [one.name for one in officers], "call_number": " or ".join(one for one in numbers if one)}


def _tell(
    kind: str,
    visit: Visit,
    people: Iterable[User],
    fields: dict[str, object],
    *,
    about: str,
    url: str,
    now: datetime,
    not_after: datetime | None = None,
) -> None:
    """To each by email, and by text where we can, once for what it is ``about``.

    It names officers, never a household or where it lives.
    """
    for person in people:
        ways = [(Channel.EMAIL, Recipient(email=person.email))]
        number = keys.phone_key(person.mobile)
        if number and number.startswith("+") and post_room().can_text:
            ways.append((Channel.TEXT, Recipient(phone=number)))
        for channel, recipient in ways:
            enqueue(
                NewMessage(
                    kind=kind,
                    channel=channel,
                    to=recipient,
                    dedupe_key=f"{kind}:visit{visit.id}:{about}:user{person.id}:{channel}",
                    context={
                        "service": policy.service(),
                        "first_name": person.name.split()[0],
                        "watch_url": f"{post_room().base_url.rstrip('/')}{url}",
                        **fields,
                    },
                    user_id=person.id,
                    not_after=not_after,
                ),
                now=now,
            )


def note_recorded(visit: Visit, *, actor: Actor, now: datetime) -> None:
    """Somebody has said what happened at the visit: whoever was there is safe, unless they have asked for help."""
    watch = watch_of(visit)
    if watch is not None and not watch.is_over:
        if watch.checked_in_at is None:
            watch.stood_down_at, watch.stood_down_by_id = now, actor.user_id
        elif watch.checked_out_at is None:
            watch.checked_out_at = watch.checked_out_heard_at = max(now, watch.checked_in_at)
    db.session.flush()
    if watch is None or watch.is_over:
        all_clear(visit, now=now)


# --- For screens ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alarm:
    """An alarm that is on, as the one who looks out for the officers sees it."""

    visit_id: int
    officers: tuple[str, ...]
    expected_out_at: datetime
    asked_for_help: bool


@dataclass(frozen=True)
class Watched:
    """A visit whose officers somebody looks out for."""

    visit_id: int
    officers: tuple[str, ...]
    starts_at: datetime
    expected_out_at: datetime
    is_inside: bool


def watched_by(actor: Actor, *, now: datetime) -> list[Watched]:
    """The visits of today and tomorrow whose buddy this person is, and that are not over. One query where none is."""
    rows = db.session.execute(
        select(Visit, VisitWatch)
        .join(VisitWatch, VisitWatch.visit_id == Visit.id)
        .where(
            VisitWatch.buddy_id == actor.user_id,
            Visit.starts_at > now - LOOKS_BACK,
            Visit.starts_at < now + LOOKS_AHEAD,
            is_out_there(),
        )
        .options(selectinload(Visit.officers))
        .order_by(Visit.starts_at, Visit.id)
    ).all()
    names = names_of({officer_id for visit, _watch in rows for officer_id in visit.officer_ids})
    return [
        Watched(
            visit.id,
            tuple(names[officer_id] for officer_id in visit.officer_ids),
            visit.starts_at,
            expected_out_at(visit, watch),
            watch.checked_in_at is not None,
        )
        for visit, watch in rows
    ]


def alarms_for(actor: Actor, *, now: datetime) -> list[Alarm]:
    """The alarms that are on and that this person was told of: as the buddy, or as a manager. One query when quiet."""
    told = ALARMS if Role.MANAGER in actor.roles else (AlertKind.BUDDY, AlertKind.HELP)
    rows = db.session.execute(
        select(Visit, VisitWatch, VisitAlert.kind)
        .join(VisitAlert, VisitAlert.visit_id == Visit.id)
        .outerjoin(VisitWatch, VisitWatch.visit_id == Visit.id)
        .where(
            VisitAlert.ended_at.is_(None),
            VisitAlert.told_at > now - LOOKS_BACK,
            VisitAlert.kind.in_(told),
            is_out_there(),
        )
        .options(selectinload(Visit.officers))
        .order_by(Visit.starts_at, Visit.id, VisitAlert.id)
    ).all()
    found: dict[int, Alarm] = {}
    names = names_of({officer_id for visit, _watch, _kind in rows for officer_id in visit.officer_ids})
    for visit, watch, kind in rows:
        is_buddy = watch is not None and watch.buddy_id == actor.user_id
        # A buddy's alarm is a manager's once it was passed on, or where there is no buddy to have it.
        if not is_buddy and kind == AlertKind.BUDDY and watch is not None and watch.buddy_id is not None:
            continue
        if not may_look_after(visit, watch, actor) or not is_alarmed(visit, watch, now=now):
            continue
        found[visit.id] = Alarm(
            visit.id,
            tuple(names[officer_id] for officer_id in visit.officer_ids),
            expected_out_at(visit, watch),
            bool(watch is not None and watch.help_at),
        )
    return list(found.values())

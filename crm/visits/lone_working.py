"""What officers who are alone at a home say: in, out, more time, help; and what those say who look out for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select

from crm.access.models import User
from crm.audit import record
from crm.cases import timeline
from crm.cases.models import Case
from crm.db import db
from crm.delivery.wording import clock_time
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.visits import attendance, watching
from crm.visits.day_models import AlertKind, VisitWatch
from crm.visits.models import Visit, VisitOfficer
from crm.visits.watching import watch_of

ON_TIME = timedelta(minutes=15)
"""Who comes in no later than this is out when the visit was to end; who comes later stays as long as was planned."""
LONGEST_STAY = timedelta(hours=12)


class NotInside(Refusal):
    """That can be said once they have checked in, and until they have checked out."""


class NotABuddy(Refusal):
    """That person can't look out for them."""

    default_status = 422


class NotSaid(Refusal):
    """How somebody was heard from belongs to it."""

    default_status = 422


class NotLookedAfter(Refusal):
    """Only those who look out for the officers of a visit may say that they are safe."""

    default_status = 403


# --- Who looks out ----------------------------------------------------------------------------------------------------


def possible_buddies(visit: Visit, people: Iterable[User]) -> list[User]:
    """Of these people, those who may look out for the officers of a visit: not one of them."""
    return [one for one in people if one.id not in visit.officer_ids]


def choose_buddy(visit: Visit, buddy: User | None, *, actor: Actor, now: datetime) -> VisitWatch:
    """Name the colleague who is told first when the officers are not heard of. Raises NotABuddy, NotTheirVisit."""
    attendance.check_may_record(visit, actor)
    if buddy is not None and (buddy.id in visit.officer_ids or not buddy.active):
        raise NotABuddy("Choose somebody who does not go on this visit.", field="buddy")
    watch = _held_watch(visit)
    if watch.buddy_id != (buddy.id if buddy else None):
        watch.buddy_id = buddy.id if buddy else None
        db.session.flush()
        _record("lone.buddy", visit, actor=actor, now=now, detail={"buddy": watch.buddy_id})
        if buddy is not None and buddy.id != actor.user_id:
            watching.tell_buddy(visit, watch, buddy, now=now)
    return watch


def usual_buddy(officer_ids: Sequence[int]) -> int | None:
    """Who looked out for these officers the last time."""
    return db.session.scalar(
        select(VisitWatch.buddy_id)
        .join(VisitOfficer, VisitOfficer.visit_id == VisitWatch.visit_id)
        .where(
            VisitOfficer.officer_id.in_(officer_ids),
            VisitWatch.buddy_id.is_not(None),
            VisitWatch.buddy_id.not_in(officer_ids),
        )
        .order_by(VisitOfficer.starts_at.desc(), VisitWatch.id.desc())
        .limit(1)
    )


# --- What officers say ------------------------------------------------------------------------------------------------


def check_in(visit: Visit, *, at: datetime, actor: Actor, now: datetime, minutes: int | None = None) -> VisitWatch:
    """They are at the door. ``at`` is when that was, ``minutes`` how long they mean to stay. Said again, it changes
    nothing. Raises NotTheirVisit, VisitStillToCome, NotInside once the visit is over."""
    attendance.check_may_record(visit, actor)
    watch = _held_watch(visit)
    if watch.checked_in_at is not None:
        return watch
    if not visit.is_booked:
        raise NotInside("This visit is recorded already, so there is nothing to check in to.")
    if at < visit.starts_at - attendance.EARLY:
        raise attendance.VisitStillToCome(
            f"This visit begins at {clock_time(visit.starts_at)}. Check in once you are there."
        )
    watch.checked_in_at, watch.checked_in_heard_at = at, now
    watch.stood_down_at = watch.stood_down_by_id = watch.stood_down_note = None
    if minutes is not None:
        watch.expected_out_at = at + timedelta(minutes=minutes)
    elif at > visit.starts_at + ON_TIME:
        watch.expected_out_at = at + timedelta(minutes=visit.length_minutes)
    db.session.flush()
    watching.end_alerts(visit, now=now, kinds=(AlertKind.NOT_IN,))
    _record("lone.in", visit, actor=actor, now=now, detail={"at": at})
    return watch


def need_longer(visit: Visit, *, minutes: int, at: datetime, actor: Actor, now: datetime) -> VisitWatch:
    """They stay longer, from when they meant to be out or from when it was said (``at``), whichever is later. Alarms so
    far end, unless that time is over too by now.

    Raises NotTheirVisit (an officer, the buddy or a manager may say it), NotInside.
    """
    watch = _held_watch(visit)
    if not watching.may_look_after(visit, watch, actor):
        attendance.check_may_record(visit, actor)
    if watch.checked_in_at is None or watch.checked_out_at is not None:
        raise NotInside("More time can be asked for between checking in and checking out.")
    if watch.help_at is not None and not watch.is_over:
        raise NotInside("Help was asked for. First the buddy or a manager says that they have been heard from.")
    until = max(watching.expected_out_at(visit, watch), at) + timedelta(minutes=minutes)
    if until > watch.checked_in_at + LONGEST_STAY:
        raise NotInside("That is longer than a visit can be. Check out, then record what is left.")
    watch.expected_out_at = until
    watch.stood_down_at = watch.stood_down_by_id = watch.stood_down_note = None
    db.session.flush()
    if not watching.is_alarmed(visit, watch, now=now):
        watching.all_clear(visit, now=now)
    _record("lone.longer", visit, actor=actor, now=now, detail={"until": until})
    return watch


def ask_for_help(visit: Visit, *, at: datetime, actor: Actor, now: datetime) -> VisitWatch:
    """Tell the buddy and the managers at once. Said again, it tells nobody twice. Raises NotTheirVisit."""
    attendance.check_may_record(visit, actor)
    watch = _held_watch(visit)
    if watch.help_at is not None and not watch.is_over:
        return watch
    watch.help_at = at
    # Who asks for help is not safe, whatever was said before.
    watch.checked_out_at = watch.checked_out_heard_at = None
    watch.stood_down_at = watch.stood_down_by_id = watch.stood_down_note = None
    if watch.checked_in_at is None:
        watch.checked_in_at, watch.checked_in_heard_at = at, now
    db.session.flush()
    _record("lone.help", visit, actor=actor, now=now)
    watching.call_for_help(visit, watch, at=at, now=now)
    return watch


def check_out(
    visit: Visit, case: Case, *, at: datetime, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> VisitWatch:
    """They are safely out: the visit went ahead, from when they came in until ``at``. Said again, it changes nothing.

    Who never checked in is known to be safe from then on, and records the visit with its times. Raises NotTheirVisit.
    """
    attendance.check_may_record(visit, actor)
    db.session.refresh(case, ["version"], with_for_update=True)
    watch = _held_watch(visit)
    if watch.checked_out_at is not None:
        return watch
    if watch.checked_in_at is None:
        watch.stood_down_at, watch.stood_down_by_id = now, actor.user_id
        db.session.flush()
        _record("lone.out", visit, actor=actor, now=now, detail={"at": at})
        watching.all_clear(visit, now=now)
        return watch
    out = max(at, watch.checked_in_at + timedelta(minutes=1))
    if visit.is_booked:
        attendance.record_visit(
            visit,
            case,
            held_from_at=watch.checked_in_at,
            held_until_at=min(out, watch.checked_in_at + LONGEST_STAY),
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
        )
    _is_out(visit, watch, at=out, actor=actor, now=now)
    return watch


def hear_from(visit: Visit, case: Case, *, note: str, actor: Actor, now: datetime) -> VisitWatch:
    """The buddy or a manager has heard from them, and they are safe. Alarms end, and whoever had one is told.

    Raises NotLookedAfter, NotInside.
    """
    db.session.refresh(case, ["version"], with_for_update=True)
    watch = _held_watch(visit)
    if not watching.may_look_after(visit, watch, actor):
        raise NotLookedAfter("The buddy of this visit or a manager says that they have been heard from.")
    if not watching.is_looked_after(visit, watch):
        raise NotInside("They are known to be safe already.")
    if not note.strip():
        raise NotSaid("Say how you heard from them.", field="note")
    watch.stood_down_at, watch.stood_down_by_id = now, actor.user_id
    watch.stood_down_note = note.strip()
    watch.help_at = None
    db.session.flush()
    _record("lone.heard", visit, actor=actor, now=now)
    timeline.add(
        case,
        kind="visit",
        title="The officers of the visit were heard from, and are safe",
        detail=note.strip(),
        actor=actor,
        occurred_at=now,
    )
    watching.all_clear(visit, now=now)
    return watch


def _is_out(visit: Visit, watch: VisitWatch, *, at: datetime, actor: Actor, now: datetime) -> None:
    watch.checked_out_at, watch.checked_out_heard_at = at, now
    db.session.flush()
    _record("lone.out", visit, actor=actor, now=now, detail={"at": at})
    if watch.is_over:
        watching.all_clear(visit, now=now)


def _held_watch(visit: Visit) -> VisitWatch:
    """The watch of a visit, made when there is none. The visit is held; who needs the case has held that before."""
    db.session.refresh(visit, with_for_update=True)
    watch = watch_of(visit)
    if watch is None:
        watch = VisitWatch(visit_id=visit.id)
        db.session.add(watch)
        db.session.flush()
    else:
        db.session.refresh(watch)
    return watch


def _record(event: str, visit: Visit, *, actor: Actor, now: datetime, detail: dict[str, object] | None = None) -> None:
    record(event, actor=actor, at=now, case_id=visit.case_id, subject=f"visit:{visit.id}", detail=detail)

"""Giving a case to somebody else, with everything on it that the owner had to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import update

from crm.access.models import User
from crm.access.queries import names_of
from crm.cases import summary, timeline
from crm.cases.assignment import assign
from crm.cases.change_stage import claim_version
from crm.cases.models import AssignmentRole, Case, Task
from crm.cases.owners import OWNING_ROLES, keep_turn, next_in_turn
from crm.db import db, rows_changed
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import OPEN_ENQUIRY, TrackName


class CannotOwnCases(Refusal):
    """The person chosen does not work with cases, or has left."""

    default_status = 422


class TakenAlready(Refusal):
    """Somebody else took the household first."""


class NotThereToTake(Refusal):
    """The household is past the point where whoever is free takes it."""


def may_take(case: Case, actor: Actor) -> bool:
    """Whether this person may make an enquiry their own: it is open, has not become an application, and is not theirs.

    From the application on the manager says who has a household.
    """
    return (
        actor.has(Permission.RECORD_CONTACT)
        and bool(actor.roles & OWNING_ROLES)
        and case.stages.get(TrackName.ENQUIRY) in OPEN_ENQUIRY
        and TrackName.APPLICATION not in case.stages
        and case.owner_id != actor.user_id
    )


def take_case(
    case: Case, *, from_owner_id: int | None, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> None:
    """Make an enquiry one's own; the open tasks that the owner before had on it come with it.

    ``from_owner_id`` is who had it on the page that the person looked at. Of two who take it at once one gets it, and
    the other is told who has it: TakenAlready. Taking what one has already changes nothing.
    """
    require(actor, Permission.RECORD_CONTACT)
    if case.owner_id == actor.user_id:
        return
    if actor.user_id is None or not may_take(case, actor):
        raise NotThereToTake(
            f"{case.household.name} can’t be taken on like this any more. Ask a manager, who can hand it over."
        )
    if not _claim(case, from_owner_id, actor.user_id):
        if case.owner_id == actor.user_id:
            return
        has_it = names_of([case.owner_id]).get(case.owner_id or 0, "Somebody else")
        raise TakenAlready(f"{has_it} was a moment sooner and has {case.household.name} now.")
    assign(case, user_id=actor.user_id, role=AssignmentRole.OWNER, actor=actor, now=now, today=today)
    _move_tasks(case, from_user_id=from_owner_id, to_user_id=actor.user_id)
    timeline.add(
        case,
        kind="move",
        title=f"{actor.display_name} took on this household",
        actor=actor,
        occurred_at=now,
        is_touch=False,
    )
    summary.refresh(case, today=today, rulebook=rulebook)


def hand_over(
    case: Case,
    *,
    to: User,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Make somebody the owner of a case; the open tasks that the owner before had on it go with it.

    Raises NotPermitted, CannotOwnCases, CaseHasMovedOn.
    """
    require(actor, Permission.ASSIGN_CASES)
    _check_may_own(to)
    if case.owner_id == to.id:
        return
    claim_version(case, seen)
    before = case.owner_id
    assign(case, user_id=to.id, role=AssignmentRole.OWNER, actor=actor, now=now, today=today)
    _move_tasks(case, from_user_id=before, to_user_id=to.id)
    timeline.add(
        case, kind="move", title=f"{to.name} now has this household", actor=actor, occurred_at=now, is_touch=False
    )
    summary.refresh(case, today=today, rulebook=rulebook)


@dataclass(frozen=True)
class Given:
    """What became of giving several households at once."""

    given: tuple[tuple[Case, str], ...]
    """Each household that changed hands, with the name of whoever has it now."""
    late: tuple[tuple[Case, str], ...]
    """Each that somebody else took a moment sooner, with their name."""


def give_many(
    chosen: Sequence[tuple[Case, int | None]],
    *,
    to: User | None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> Given:
    """Give several households to somebody; without ``to``, each to whoever is next in turn where it lives.

    Beside each case stands who had it on the page: one that changed hands meanwhile stays where it is. Raises
    NotPermitted, CannotOwnCases.
    """
    require(actor, Permission.ASSIGN_CASES)
    if to is not None:
        _check_may_own(to)
    given: list[tuple[Case, str]] = []
    late: list[tuple[Case, int]] = []
    # Always in one order, so that two who give the same households wait for each other instead of for ever.
    for case, from_owner_id in sorted(chosen, key=lambda one: one[0].id):
        turn = next_in_turn(case.household.postcode, now=now, today=today) if to is None else None
        user_id, name = (to.id, to.name) if to is not None else (turn.user_id, turn.name) if turn else (None, "")
        if user_id is None or user_id == case.owner_id:
            continue
        if not _claim(case, from_owner_id, user_id):
            late.append((case, case.owner_id or 0))
            continue
        assign(case, user_id=user_id, role=AssignmentRole.OWNER, actor=actor, now=now, today=today)
        if turn is not None:
            keep_turn(case, turn, now=now)
        _move_tasks(case, from_user_id=from_owner_id, to_user_id=user_id)
        why = f"Given to {name}: {turn.why}" if turn is not None else f"{name} now has this household"
        timeline.add(case, kind="move", title=why, actor=actor, occurred_at=now, is_touch=False)
        summary.refresh(case, today=today, rulebook=rulebook)
        given.append((case, name))
    names = names_of([owner_id for _, owner_id in late])
    return Given(tuple(given), tuple((case, names.get(owner_id, "Somebody else")) for case, owner_id in late))


def _check_may_own(to: User) -> None:
    if not to.active or not to.roles & OWNING_ROLES:
        raise CannotOwnCases(
            f"{to.name} can’t be given a case. Choose somebody who works with households.", field="owner"
        )


def _claim(case: Case, from_owner_id: int | None, to_user_id: int) -> bool:
    """Compare and set the owner: of two who take or give a household at once, one does."""
    claimed = db.session.execute(
        update(Case)
        .where(Case.id == case.id, Case.owner_id.is_not_distinct_from(from_owner_id))
        .values(owner_id=to_user_id, version=Case.version + 1)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(case)
    return rows_changed(claimed) == 1


def _move_tasks(case: Case, *, from_user_id: int | None, to_user_id: int) -> None:
    db.session.execute(
        update(Task)
        .where(Task.case_id == case.id, Task.assigned_to_id == from_user_id, Task.done_at.is_(None))
        .values(assigned_to_id=to_user_id)
    )

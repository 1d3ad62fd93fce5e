"""Giving a case to somebody else, with everything on it that the owner had to do."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import update

from crm.access.models import User
from crm.access.queries import names_of
from crm.cases import summary, timeline
from crm.cases.assignment import assign
from crm.cases.change_stage import claim_version
from crm.cases.models import AssignmentRole, Case, Task
from crm.db import db, rows_changed
from crm.rules.permissions import Actor, Permission, Role, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import OPEN_ENQUIRY, TrackName

OWNING_ROLES = frozenset({Role.RECRUITER, Role.OFFICER, Role.MANAGER})
"""Who may be given a case: those whose work cases are."""


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
    claimed = db.session.execute(
        update(Case)
        .where(Case.id == case.id, Case.owner_id.is_not_distinct_from(from_owner_id))
        .values(owner_id=actor.user_id, version=Case.version + 1)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(case)
    if rows_changed(claimed) != 1:
        if case.owner_id == actor.user_id:
            return
        has_it = names_of([case.owner_id]).get(case.owner_id or 0, "Somebody else")
        raise TakenAlready(f"{has_it} was a moment sooner and has {case.household.name} now.")
    assign(case, user_id=actor.user_id, role=AssignmentRole.OWNER, actor=actor, now=now, today=today)
    _move_tasks(case, from_user_id=from_owner_id, to_user_id=actor.user_id)
    timeline.add(case, kind="move", title=f"{actor.display_name} took on this household", actor=actor, occurred_at=now)
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
    if not to.active or not to.roles & OWNING_ROLES:
        raise CannotOwnCases(
            f"{to.name} can’t be given a case. Choose somebody who works with households.", field="owner"
        )
    if case.owner_id == to.id:
        return
    claim_version(case, seen)
    before = case.owner_id
    assign(case, user_id=to.id, role=AssignmentRole.OWNER, actor=actor, now=now, today=today)
    _move_tasks(case, from_user_id=before, to_user_id=to.id)
    timeline.add(case, kind="move", title=f"{to.name} now has this household", actor=actor, occurred_at=now)
    summary.refresh(case, today=today, rulebook=rulebook)


def _move_tasks(case: Case, *, from_user_id: int | None, to_user_id: int) -> None:
    db.session.execute(
        update(Task)
        .where(Task.case_id == case.id, Task.assigned_to_id == from_user_id, Task.done_at.is_(None))
        .values(assigned_to_id=to_user_id)
    )

"""Giving a case to somebody else, with everything on it that the owner had to do."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import update

from crm.access.models import User
from crm.cases import summary, timeline
from crm.cases.assignment import assign
from crm.cases.change_stage import claim_version
from crm.cases.models import AssignmentRole, Case, Task
from crm.db import db
from crm.rules.permissions import Actor, Permission, Role, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

OWNING_ROLES = frozenset({Role.RECRUITER, Role.OFFICER, Role.MANAGER})
"""Who may be given a case: those whose work cases are."""


class CannotOwnCases(Refusal):
    """The person chosen does not work with cases, or has left."""

    default_status = 422


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
    db.session.execute(
        update(Task)
        .where(Task.case_id == case.id, Task.assigned_to_id == before, Task.done_at.is_(None))
        .values(assigned_to_id=to.id)
    )
    timeline.add(case, kind="move", title=f"{to.name} now has this household", actor=actor, occurred_at=now)
    summary.refresh(case, today=today, rulebook=rulebook)

"""Whose a case is, and who else may open it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update

from crm.audit import record
from crm.cases.models import AssignmentRole, Case, CaseAssignment
from crm.db import db
from crm.rules.permissions import Actor


def assign(
    case: Case,
    *,
    user_id: int,
    role: AssignmentRole,
    actor: Actor,
    now: datetime,
    today: date,
    until_on: date | None = None,
) -> None:
    """Give somebody a part in a case. An owner takes the place of the owner before; the other parts add up."""
    if role == AssignmentRole.OWNER:
        case.owner_id = user_id
        _end(
            CaseAssignment.case_id == case.id,
            CaseAssignment.role == role,
            CaseAssignment.user_id != user_id,
            on=today,
        )
    held = db.session.scalars(
        select(CaseAssignment).where(
            CaseAssignment.case_id == case.id,
            CaseAssignment.user_id == user_id,
            CaseAssignment.role == role,
            or_(CaseAssignment.until_on.is_(None), CaseAssignment.until_on >= today),
        )
    ).first()
    if held is not None:
        held.until_on = until_on
        return
    db.session.add(CaseAssignment(case_id=case.id, user_id=user_id, role=role, from_on=today, until_on=until_on))
    db.session.flush()
    record(
        "case.assigned",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"case:{case.reference}",
        detail={"user": user_id, "role": role},
    )


def release(case: Case, *, user_id: int, role: AssignmentRole, actor: Actor, now: datetime, today: date) -> None:
    """End somebody's part in a case: from now on it no longer opens to them for that reason."""
    rows = db.session.scalars(
        select(CaseAssignment).where(
            CaseAssignment.case_id == case.id, CaseAssignment.user_id == user_id, CaseAssignment.role == role
        )
    ).all()
    for row in rows:
        db.session.delete(row)
    if rows:
        db.session.flush()
        record(
            "case.released",
            actor=actor,
            at=now,
            case_id=case.id,
            subject=f"case:{case.reference}",
            detail={"user": user_id, "role": role},
        )


def hand_over_cases(*, from_user_id: int, to_user_id: int, actor: Actor, now: datetime, today: date) -> int:
    """Give a leaver's open cases to somebody else, and end the leaver's part in every case. Returns how many moved."""
    cases = db.session.scalars(select(Case).where(Case.owner_id == from_user_id, Case.is_open)).all()
    for case in cases:
        assign(case, user_id=to_user_id, role=AssignmentRole.OWNER, actor=actor, now=now, today=today)
    _end(CaseAssignment.user_id == from_user_id, on=today)
    return len(cases)


def assigned_user_ids(case: Case, role: AssignmentRole, *, on: date) -> list[int]:
    """Who holds this part in a case on a day."""
    return list(
        db.session.scalars(
            select(CaseAssignment.user_id)
            .where(
                CaseAssignment.case_id == case.id,
                CaseAssignment.role == role,
                CaseAssignment.from_on <= on,
                or_(CaseAssignment.until_on.is_(None), CaseAssignment.until_on >= on),
            )
            .order_by(CaseAssignment.id)
        )
    )


def _end(*which: ColumnElement[bool], on: date) -> None:
    """End these parts now. A part opens the case to the end of its last day, so that is the day before; one that began
    today never was. When it was ended is in the trail, to the second."""
    running = (CaseAssignment.until_on.is_(None), *which)
    db.session.execute(delete(CaseAssignment).where(CaseAssignment.from_on >= on, *running))
    db.session.execute(update(CaseAssignment).where(*running).values(until_on=on - timedelta(days=1)))

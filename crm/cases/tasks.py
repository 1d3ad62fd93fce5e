"""Things one person has to do by a day."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import update

from crm.audit import record
from crm.cases.models import Case, Task
from crm.db import db, rows_changed
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal


class TaskAlreadyDone(Refusal):
    """The task was ticked off by someone else meanwhile."""


def add_task(
    *, title: str, assigned_to_id: int, due_on: date, actor: Actor, now: datetime, case: Case | None = None
) -> Task:
    """Put something on a person's My day."""
    task = Task(
        case_id=case.id if case else None,
        assigned_to_id=assigned_to_id,
        title=title[:200],
        due_on=due_on,
        created_at=now,
    )
    db.session.add(task)
    db.session.flush()
    record("task.added", actor=actor, at=now, case_id=task.case_id, subject=f"task:{task.id}")
    return task


def complete_task(task: Task, *, actor: Actor, now: datetime) -> None:
    """Tick a task off. Raises TaskAlreadyDone."""
    if task.done_at is not None:
        raise TaskAlreadyDone("That was already ticked off.")
    task.done_at, task.done_by_id = now, actor.user_id
    record("task.done", actor=actor, at=now, case_id=task.case_id, subject=f"task:{task.id}")


def reopen_task(task: Task, *, actor: Actor, now: datetime) -> None:
    """Undo ticking off."""
    task.done_at, task.done_by_id = None, None
    record("task.reopened", actor=actor, at=now, case_id=task.case_id, subject=f"task:{task.id}")


def hand_over_tasks(*, from_user_id: int, to_user_id: int) -> int:
    """Give a leaver's open tasks to somebody else. Returns how many."""
    result = db.session.execute(
        update(Task)
        .where(Task.assigned_to_id == from_user_id, Task.done_at.is_(None))
        .values(assigned_to_id=to_user_id)
    )
    return rows_changed(result)

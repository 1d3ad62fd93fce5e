"""What looks as if a program had sent it: kept aside, sealed, until a person lets it in or puts it away.

Nothing is lost: somebody has a task for it from the moment it comes, and what is put away by mistake can be let in for
another month.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import delete, select, update

from crm.audit import record
from crm.cases.models import Case, Task
from crm.cases.open_case import NobodyToOwnIt
from crm.cases.tasks import add_task
from crm.db import db, rows_changed
from crm.enquiries.models import EnquiryDraft, HeldEnquiry, HeldState
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal

PUT_AWAY_KEPT = timedelta(days=30)
TASK = "Look at what came by the form and was held back"


class AlreadyDecided(Refusal):
    """Somebody else let it in or put it away."""

    default_status = 409


def keep_aside(
    *,
    name: str,
    text: str,
    signs: tuple[str, ...],
    received_at: datetime,
    one_time_id: str,
    website_id: int | None,
    owner_id: int | None,
    actor: Actor,
    now: datetime,
    today: date,
) -> HeldEnquiry:
    """Keep what came for a person to look at today. Raises NobodyToOwnIt: what is nobody's is forgotten."""
    if owner_id is None:
        raise NobodyToOwnIt("Nobody is named to take new enquiries. An administrator can name someone in Settings.")
    row = HeldEnquiry(
        received_at=received_at,
        state=HeldState.WAITING,
        signs=",".join(signs),
        one_time_id=one_time_id,
        name=name[:200],
        website_id=website_id,
    )
    row.answers = text
    db.session.add(row)
    db.session.flush()
    record("enquiry.held", actor=actor, at=now, subject=f"held:{row.id}", detail={"signs": row.signs})
    # One task stands for all that wait: a thousand forms of one program are one thing to do.
    if not has_task(case_id=None, title=TASK, of_user=owner_id):
        add_task(title=TASK, assigned_to_id=owner_id, due_on=today, actor=actor, now=now)
    return row


def has_task(*, case_id: int | None, title: str, of_user: int) -> bool:
    """Whether somebody has this to do already."""
    query = select(Task.id).where(
        Task.assigned_to_id == of_user,
        Task.case_id.is_(None) if case_id is None else Task.case_id == case_id,
        Task.title == title,
        Task.done_at.is_(None),
    )
    return db.session.scalars(query.limit(1)).first() is not None


def refuse_decided(row: HeldEnquiry) -> None:
    """Wait for whoever else decides on it at this moment, then see whether it was let in. Raises AlreadyDecided."""
    db.session.refresh(row, with_for_update=True)
    if row.state == HeldState.RELEASED:
        raise AlreadyDecided(_DECIDED, alternatives=_GO_BACK)


_DECIDED = "Somebody else has dealt with this one."
_GO_BACK = ("Go back to what is held.",)


def note_let_in(row: HeldEnquiry, *, case: Case, actor: Actor, now: datetime) -> None:
    """It has become a case, and so has the form of whoever sent it. Raises AlreadyDecided."""
    require(actor, Permission.LOG_ENQUIRY)
    _decide(row, from_states=(HeldState.WAITING, HeldState.PUT_AWAY), to=HeldState.RELEASED, actor=actor, now=now,
            case_id=case.id)  # fmt: skip
    db.session.execute(update(EnquiryDraft).where(EnquiryDraft.held_id == row.id).values(case_id=case.id))
    record("enquiry.let_in", actor=actor, at=now, case_id=case.id, subject=f"held:{row.id}")


def put_away(row: HeldEnquiry, *, actor: Actor, now: datetime) -> None:
    """A program sent it. It is forgotten after a month. Raises AlreadyDecided."""
    require(actor, Permission.LOG_ENQUIRY)
    _decide(row, from_states=(HeldState.WAITING,), to=HeldState.PUT_AWAY, actor=actor, now=now)
    record("enquiry.put_away", actor=actor, at=now, subject=f"held:{row.id}")


def _decide(
    row: HeldEnquiry,
    *,
    from_states: tuple[HeldState, ...],
    to: HeldState,
    actor: Actor,
    now: datetime,
    case_id: int | None = None,
) -> None:
    """By compare-and-set: of two people who decide together, the second is told."""
    result = db.session.execute(
        update(HeldEnquiry)
        .where(HeldEnquiry.id == row.id, HeldEnquiry.state.in_(from_states))
        .values(state=to, decided_at=now, decided_by_id=actor.user_id, case_id=case_id)
    )
    if not rows_changed(result):
        raise AlreadyDecided(_DECIDED, alternatives=_GO_BACK)
    _finish_task_when_none_wait(actor=actor, now=now)


def _finish_task_when_none_wait(*, actor: Actor, now: datetime) -> None:
    waiting = db.session.scalars(select(HeldEnquiry.id).where(HeldEnquiry.state == HeldState.WAITING).limit(1)).first()
    if waiting is None:
        db.session.execute(
            update(Task)
            .where(Task.case_id.is_(None), Task.title == TASK, Task.done_at.is_(None))
            .values(done_at=now, done_by_id=actor.user_id)
        )


def forget_put_away(*, now: datetime) -> int:
    """Drop what was put away a month ago, and what was let in (its case has it all); how many. For the timetable."""
    before = now - PUT_AWAY_KEPT
    old = HeldEnquiry.decided_at <= before
    db.session.execute(
        update(EnquiryDraft)
        .where(EnquiryDraft.held_id.in_(select(HeldEnquiry.id).where(old)), EnquiryDraft.case_id.is_not(None))
        .values(held_id=None)
    )
    return rows_changed(db.session.execute(delete(HeldEnquiry).where(old)))

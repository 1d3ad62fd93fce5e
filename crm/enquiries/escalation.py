"""Telling the managers that nobody has got in touch: before a first contact is due, and when it is over.

Each household is told of once for each of the two, whatever is restarted: a row says that it was, and its constraint
has the last word. What is told at one time goes to each manager as one task and one email, which names references only.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import and_, or_, select

from crm import policy
from crm.access.models import User
from crm.access.queries import managers_here
from crm.cases.models import Band, Case, ContactAttempt, Deadline, Escalation
from crm.cases.tasks import add_task
from crm.clock import LONDON
from crm.db import db
from crm.delivery import Channel, NewMessage, Recipient, enqueue
from crm.rules.permissions import SYSTEM
from crm.rules.rulebook import Rulebook

MOST_AT_ONCE = 200
"""Households told of in one go; a sheet of a thousand names takes a few rounds, each a transaction of its own."""
NAMED_IN_A_TASK = 3


def tell_managers(*, now: datetime, today: date, rulebook: Rulebook, queue_url: str) -> int:
    """Tell the managers what has come up since they were last told. Returns how many households that is.

    1. Find the new enquiries whose first contact is over, or due today and not tried by the hour that the rule sets.
    2. Leave out those of which it has been told already.
    3. Write down each, then a task and an email for each manager who is here.
    """
    local = now.astimezone(LONDON)
    is_late_in_the_day = local.hour * 60 + local.minute >= rulebook.response.warn_minutes
    rows = db.session.execute(_untold(today, with_due=is_late_in_the_day)).all()
    if not rows:
        return 0
    over = [row for row in rows if row.due_on < today]
    due = [row for row in rows if row.due_on == today]
    told = [
        Escalation(case_id=row.id, kind="over" if row.due_on < today else "due", due_on=row.due_on, told_at=now)
        for row in rows
    ]
    db.session.add_all(told)
    db.session.flush()
    for manager in managers_here(today):
        _tell(
            manager,
            over=[row.reference for row in over],
            due=[row.reference for row in due],
            case=db.session.get_one(Case, rows[0].id) if len(rows) == 1 else None,
            occasion=told[0].id,
            now=now,
            today=today,
            queue_url=queue_url,
        )
    return len(rows)


def has_something_to_tell(*, now: datetime, today: date, rulebook: Rulebook) -> bool:
    """Whether there is anything to tell, for the timetable."""
    local = now.astimezone(LONDON)
    with_due = local.hour * 60 + local.minute >= rulebook.response.warn_minutes
    return db.session.execute(_untold(today, with_due=with_due).limit(1)).first() is not None


def _untold(today: date, *, with_due: bool):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """New enquiries whose first contact is over, or due and not tried, and of which nobody has been told."""
    told = select(Escalation.id).where(Escalation.case_id == Case.id, Escalation.due_on == Deadline.due_on)
    tried = select(ContactAttempt.id).where(
        ContactAttempt.case_id == Case.id,
        ContactAttempt.undone_at.is_(None),
        ContactAttempt.tried_at >= Case.opened_at,
    )
    is_over = and_(Deadline.due_on < today, ~told.where(Escalation.kind == "over").exists())
    is_due = and_(Deadline.due_on == today, ~tried.exists(), ~told.where(Escalation.kind == "due").exists())
    return (
        select(Case.id, Case.reference, Deadline.due_on)
        .join(Deadline, Deadline.case_id == Case.id)
        .where(
            Case.band == Band.ENQUIRY,
            Case.place == "new",
            # The index of the queue finds them: a new enquiry's next action is its first contact, or comes before it.
            Case.next_action_due_on <= today,
            Deadline.rule == "first_contact",
            Deadline.stopped_on.is_(None),
            or_(is_over, is_due) if with_due else is_over,
        )
        .order_by(Deadline.due_on, Case.id)
        .limit(MOST_AT_ONCE)
    )


def _tell(
    manager: User,
    *,
    over: list[str],
    due: list[str],
    case: Case | None,
    occasion: int,
    now: datetime,
    today: date,
    queue_url: str,
) -> None:
    words = []
    if over:
        words.append(f"{_calls(over)} over: {_named(over)}")
    if due:
        words.append(f"{_calls(due)} due today and not tried: {_named(due)}")
    sentence = ". ".join(words)
    add_task(
        title=sentence[0].upper() + sentence[1:],
        assigned_to_id=manager.id,
        due_on=today,
        actor=SYSTEM,
        now=now,
        case=case,
    )
    enqueue(
        NewMessage(
            kind="running_late",
            channel=Channel.EMAIL,
            to=Recipient(email=manager.email),
            dedupe_key=f"running_late:{occasion}:user{manager.id}",
            context={
                "service": policy.service(),
                "first_name": manager.name.split()[0],
                "over": over,
                "due": due,
                "queue_url": queue_url,
            },
            user_id=manager.id,
        ),
        now=now,
    )


def _calls(references: list[str]) -> str:
    return "a first contact is" if len(references) == 1 else f"{len(references)} first contacts are"


def _named(references: list[str]) -> str:
    more = len(references) - NAMED_IN_A_TASK
    return ", ".join(references[:NAMED_IN_A_TASK]) + (f" and {more} more" if more > 0 else "")

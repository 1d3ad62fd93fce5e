"""A second pair of eyes: what one person asks for, and another says yes or no to, where it is large.

Files of a list and words to many go by it. Nobody is their own second person; the database says so too.
"""

from __future__ import annotations

from datetime import date, datetime

from crm.access.models import User
from crm.audit import record
from crm.cases.tasks import add_task
from crm.enquiries.models import LookedAtTwice
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal


class SecondLookRefused(Refusal):
    """It can't be asked for like that, or is not this person's to answer."""

    default_status = 422


def need_second(
    asked: LookedAtTwice, *, how_many: str, second: User | None, reason: str | None, why_asked: str, actor: Actor
) -> None:
    """Note who looks at it, and what it is for. Raises SecondLookRefused unless that is another who may."""
    if second is None or second.id == actor.user_id or not second.as_actor().has(Permission.APPROVE_EXPORT):
        raise SecondLookRefused(f"These are {how_many}: choose who looks at it with you.", field="second")
    if not (reason and reason.strip()):
        raise SecondLookRefused(why_asked, field="reason")
    asked.second_id, asked.reason = second.id, reason.strip()


def put_before(asked: LookedAtTwice, *, title: str, actor: Actor, now: datetime, today: date) -> None:
    """Give the second person a task to look at it."""
    if asked.second_id is not None:
        add_task(title=title, assigned_to_id=asked.second_id, due_on=today, actor=actor, now=now)


def is_waiting(asked: LookedAtTwice) -> bool:
    """Whether a second person has still to answer."""
    return asked.second_id is not None and asked.answer is None


def answer(
    asked: LookedAtTwice,
    *,
    yes: bool,
    event: str,
    subject: str,
    words: str,
    actor: Actor,
    now: datetime,
    today: date,
) -> None:
    """Say yes or no as the second person, and have whoever asked told: "Sam said yes to your file".

    ``event`` begins the name in the trail. SecondLookRefused: anybody else, or a second time.
    """
    require(actor, Permission.APPROVE_EXPORT)
    if actor.user_id == asked.asked_by_id or actor.user_id != asked.second_id:
        raise SecondLookRefused("This waits for somebody else.", status=403)
    if asked.answer is not None:
        raise SecondLookRefused("That was answered already.", status=409)
    asked.answer, asked.answered_at = ("yes" if yes else "no"), now
    record(f"{event}.approved" if yes else f"{event}.refused", actor=actor, at=now, subject=subject)
    add_task(
        title=f"{actor.display_name} said {words}",
        assigned_to_id=asked.asked_by_id,
        due_on=today,
        actor=actor,
        now=now,
    )

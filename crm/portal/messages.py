"""A message from an applicant's own pages: a line of the story, and a task with a day."""

from __future__ import annotations

from datetime import date, datetime

from crm import policy
from crm.audit import record
from crm.cases import timeline
from crm.cases.models import Case, Person
from crm.cases.tasks import add_task
from crm.rules.permissions import Actor, Sensitivity
from crm.rules.rulebook import Rulebook
from crm.web.filters import day


def ask(case: Case, words: str, *, person: Person, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> str:
    """Keep what was asked, and give it to whoever looks after the household, for the next working day. Returns that
    day, in words."""
    answer_by = rulebook.calendar.add(today, 1)
    timeline.add(
        case,
        kind="contact",
        title=f"{person.given_name} sent us a message from their own pages",
        detail=words,
        sensitivity=Sensitivity.PERSONAL,
        actor=actor,
        occurred_at=now,
        person_id=person.id,
    )
    owner_id = case.owner_id or policy.service().fallback_owner_id
    if owner_id is not None:
        add_task(
            title=f"Answer {person.full_name}: a message from their own pages",
            assigned_to_id=owner_id,
            due_on=answer_by,
            actor=actor,
            now=now,
            case=case,
        )
    record("household.asked_us", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}")
    return day(answer_by)

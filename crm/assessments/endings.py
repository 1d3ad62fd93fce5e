"""What ends with an application, however it ends."""

from __future__ import annotations

from datetime import date, datetime

from crm.assessments import packs, referees
from crm.assessments.models import Application, PanelItem
from crm.assessments.pack_models import WhyWithdrawn
from crm.assessments.queries import items_of, waiting_item
from crm.assessments.steps import note
from crm.cases import assignment
from crm.cases.models import AssignmentRole, Case
from crm.db import db
from crm.rules.permissions import Actor


def close_application(
    case: Case, application: Application, *, on: date, actor: Actor, now: datetime, today: date
) -> None:
    """Mark an application as ended, take the household off any agenda and close its papers to the panel."""
    application.ended_on = on
    referees.end_talks(case, actor=actor, now=now, today=today)
    item = waiting_item(items_of(case))
    if item is not None:
        item.outcome, item.ended_on = "withdrawn", on
        close_papers(case, item, actor=actor, now=now, today=today)
    note("application.ended", case, actor=actor, now=now, on=on)
    db.session.flush()


def close_papers(case: Case, item: PanelItem, *, actor: Actor, now: datetime, today: date) -> None:
    """End the access that the members of a meeting had to a household, and close its papers to them."""
    packs.take_back(item, WhyWithdrawn.OFF_AGENDA, now=now)
    for member in item.meeting.members:
        assignment.release(
            case, user_id=member.user_id, role=AssignmentRole.PANEL_MEMBER, actor=actor, now=now, today=today
        )

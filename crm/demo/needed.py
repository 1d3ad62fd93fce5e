"""What homes the service needs: three lines, written at the turn of the last season."""

from __future__ import annotations

from datetime import datetime, timedelta

from crm import policy
from crm.assessments.needs import write_need
from crm.clock import london_date
from crm.rules.deadlines import add_months
from crm.rules.permissions import Actor

BEFORE = timedelta(days=84)


def write_needs(manager: Actor, *, now: datetime) -> int:
    """Write them down, as of twelve weeks ago; how many there are."""
    at = now - BEFORE
    today = london_date(at)
    area = policy.service().areas[0].name
    for kind, words, homes, months, where in (
        ("teenagers", None, 4, 7, area),
        ("siblings", None, 3, 12, None),
        ("language", "Tigrinya", 2, None, None),
    ):
        write_need(
            kind=kind,
            words=words,
            homes=homes,
            by_on=add_months(today, months) if months else None,
            area=where,
            actor=manager,
            now=at,
            today=today,
        )
    return 3

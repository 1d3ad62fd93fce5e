"""What an assessment asks of visits (``cases.home_visits``): which there were, and the last safety checklist."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from crm.cases.home_visits import HomeChecks, KnownVisit, SafetyLine
from crm.cases.models import Case
from crm.clock import london_date
from crm.db import db
from crm.visits.models import PURPOSE_WORDS, Purpose, Visit, VisitReport, VisitStatus
from crm.visits.queries import visits_of
from crm.visits.questions import ITEMS, SAFETY_WORDS, SafetyState
from crm.visits.report import safety_of

ALARMS = ("smoke_alarms", "co_alarm")
"""Items of the checklist that are found OK by pressing the button and hearing it."""


def visits_known(case: Case) -> list[KnownVisit]:
    """Every visit to a household that is booked or was made, the latest first."""
    return [
        KnownVisit(
            visit_id=visit.id,
            purpose=visit.purpose,
            title=PURPOSE_WORDS[Purpose(visit.purpose)],
            on=london_date(visit.held_from_at or visit.starts_at),
            is_held=visit.status == VisitStatus.DONE,
            is_booked=visit.is_booked,
            officer_ids=visit.officer_ids,
        )
        for visit in visits_of(case)
        if visit.status in (VisitStatus.DONE, VisitStatus.BOOKED)
    ]


def home_checks(case: Case) -> HomeChecks | None:
    """The last safety checklist that was filled in at a visit to a household; what was not looked at is left out."""
    reports = db.session.scalars(
        select(VisitReport)
        .join(Visit, Visit.id == VisitReport.visit_id)
        .where(Visit.case_id == case.id, Visit.status == VisitStatus.DONE, VisitReport.safety_sealed.is_not(None))
        .options(joinedload(VisitReport.visit))
        .order_by(Visit.starts_at.desc(), Visit.id.desc())
        .limit(20)
    )
    for report in reports:
        found = safety_of(report)
        lines = tuple(
            SafetyLine(
                label=item.label,
                state=str(found[key]["state"]),
                words=SAFETY_WORDS[SafetyState(found[key]["state"])],
                todo=found[key].get("todo") or "",
                by=date.fromisoformat(found[key]["by"]) if found[key].get("by") else None,
            )
            for key, item in ITEMS.items()
            if found.get(key, {}).get("state")
        )
        if lines:
            visit = report.visit
            return HomeChecks(
                visit_id=visit.id,
                seen_on=london_date(visit.held_from_at or visit.starts_at),
                seen_by_id=report.written_by_id,
                lines=lines,
                alarms=tuple((ITEMS[key].label, found.get(key, {}).get("state") == SafetyState.OK) for key in ALARMS),
            )
    return None

"""``crm check``: are the stored summaries what they should be, is the database whole? Reports, and mends nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from crm import policy
from crm.assessments import course_planning
from crm.cases import journeys, person_keys, summary
from crm.cases.models import Case, CaseAssignment, Track
from crm.cases.unmerge import merge_faults
from crm.db import db
from crm.events import costing, places

BATCH = 500


def find_faults(*, today: date, said: Callable[[str], None] = lambda _line: None) -> list[str]:
    """Every fault found, in plain words; empty when all is well."""
    rulebook = policy.rulebook_on(today)
    faults = [
        *_database_faults(),
        *_owner_faults(),
        *merge_faults(),
        *places.drift(),
        *costing.drift(),
        *course_planning.drift(),
        *itertools.islice(person_keys.drift(), 20),
        *journeys.drift(calendar=rulebook.calendar),
    ]
    after = 0
    looked_at = 0
    suspects: list[int] = []
    while True:
        cases = db.session.scalars(
            sa.select(Case).where(Case.id > after).order_by(Case.id).limit(BATCH).options(selectinload(Case.tracks))
        ).all()
        if not cases:
            break
        for case in cases:
            if summary.drift(case, rulebook=rulebook):
                suspects.append(case.id)
        looked_at += len(cases)
        after = cases[-1].id
        db.session.expunge_all()
        said(f"{looked_at:,} cases looked at")
    # A case that moved on between two of our questions looks wrong once; one that is wrong looks wrong twice.
    db.session.rollback()
    for case_id in suspects:
        again = db.session.get(Case, case_id)
        if again is not None:
            faults.extend(summary.drift(again, rulebook=rulebook))
    return faults


def _database_faults() -> list[str]:
    if db.engine.dialect.name != "sqlite":
        return []
    faults = []
    with db.engine.connect() as connection:
        verdict = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
        if verdict != "ok":
            faults.append(f"the database file: {verdict}")
        loose = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if loose:
            faults.append(f"{len(loose)} rows point at nothing, such as in {loose[0][0]}")
    return faults


def _owner_faults() -> list[str]:
    """Open cases whose owner has no part in them, and cases without a track: neither can come from an operation."""
    part = (
        sa.select(CaseAssignment.id)
        .where(CaseAssignment.case_id == Case.id, CaseAssignment.user_id == Case.owner_id)
        .exists()
    )
    track = sa.select(Track.case_id).where(Track.case_id == Case.id).exists()
    faults = [
        f"{reference}: its owner has no part in it"
        for reference in db.session.scalars(sa.select(Case.reference).where(Case.is_open, ~part).limit(20))
    ]
    faults += [
        f"{reference}: stands nowhere"
        for reference in db.session.scalars(sa.select(Case.reference).where(~track).limit(20))
    ]
    return faults

"""Why some clocks of the fictional service were missed, as its manager said a few days later; of some nobody has."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from crm import policy
from crm.cases import breaches
from crm.cases.models import Case, Deadline
from crm.clock import LONDON
from crm.db import db
from crm.rules.breaches import STATUTORY_CLOCKS
from crm.rules.permissions import Actor

REASONS: dict[str, tuple[tuple[str, str | None], ...]] = {
    "panel_papers": (
        ("reference_late", "The second referee’s report came the day before, and the panel wanted it in."),
        ("service_capacity", None),
    ),
    "stage_one_decision": (
        ("service_capacity", "I was on leave and had named nobody to decide for me. From now on there is a cover."),
        ("applicant_break", "They asked us to wait until after the funeral."),
    ),
    "oral_notice": (
        ("applicant_break", "They were abroad and asked to be rung when they were back."),
        ("other", "We had an old number. Corrected, and both numbers are asked for now."),
    ),
    "panel_recommendation": (
        ("dbs_late", "A certificate went to an old address and had to be asked for again."),
    ),
}  # fmt: skip
AFTER_DAYS = 3
NOT_YET = 3
"""Of every so many, one has no reason yet."""


def say_why(manager: Actor, *, now: datetime, today: date) -> None:
    """Give the reasons, each a few days after the clock was over."""
    late = breaches.missed_clocks(STATUTORY_CLOCKS, today=today, limit=200)
    for number, row in enumerate(late):
        clock = db.session.get_one(Deadline, row.id)
        on = (clock.stopped_on or clock.due_on) + timedelta(days=AFTER_DAYS)
        at = datetime.combine(on, time(9, 40), LONDON)
        if number % NOT_YET == NOT_YET - 1 or clock.stopped_on is None or at >= now or row.rule not in REASONS:
            continue
        choices = REASONS[row.rule]
        code, words = choices[number % len(choices)]
        breaches.give_reason(
            db.session.get_one(Case, clock.case_id),
            clock,
            code=code,
            words=words,
            actor=manager,
            now=at,
            today=on,
            rulebook=policy.rulebook_on(on),
        )

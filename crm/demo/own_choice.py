"""Households that choose the time of their visit themselves: two who have not yet, and one whom no time suited."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from crm import policy
from crm.access.models import User
from crm.cases.models import Case
from crm.clock import london_date
from crm.db import db
from crm.visits import choosing
from crm.visits.models import Place, Purpose, VisitOffer
from crm.visits.offers import Opened

ASKED_BEFORE = (timedelta(hours=5), timedelta(days=1), timedelta(days=2))


def let_them_choose(users: dict[str, User], *, now: datetime) -> int:
    """Send links to households that wait for a visit, as of the last days; how many there were to send to."""
    waiting = db.session.scalars(
        sa.select(Case)
        .where(Case.place == "contacted", Case.opened_at < now - timedelta(days=4))
        .order_by(Case.opened_at.desc())
        .limit(12)
    )
    asked: list[VisitOffer] = []
    for case in waiting:
        if len(asked) == len(ASKED_BEFORE):
            break
        if all(one.to is None for one in choosing.who_is_reached(case, now=now)):
            continue
        asked.append(_ask(case, users, at=now - ASKED_BEFORE[len(asked)]))
    if len(asked) == len(ASKED_BEFORE):
        _want_another(asked[-1], at=now - timedelta(hours=20))
    return len(asked)


def _ask(case: Case, users: dict[str, User], *, at: datetime) -> VisitOffer:
    today = london_date(at)
    return choosing.send_offer(
        case, purpose=Purpose.FIRST_VISIT, place=Place.HOME, length_minutes=90, officer_ids=[users["officer"].id],
        actor=users["recruiter"].as_actor(), now=at, today=today, rulebook=policy.rulebook_on(today),
    )  # fmt: skip


def _want_another(offer: VisitOffer, *, at: datetime) -> None:
    case, today = db.session.get_one(Case, offer.case_id), london_date(at)
    choosing.ask_for_others(
        Opened(offer, case, case.household.people[0], None), days=("sat",), parts=("evening",),
        words="We both work shifts. The first week of the month is best.",
        now=at, today=today, rulebook=policy.rulebook_on(today),
    )  # fmt: skip

"""Who an applicant is, and which household's pages are theirs: asked anew at each request, so that what staff change
holds at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from crm import policy
from crm.assessments.parts import applicants_of
from crm.cases.models import Case, Person
from crm.cases.queries import case_of_household
from crm.db import db
from crm.portal.signing_in import may_sign_in
from crm.rules.permissions import Actor
from crm.rules.rulebook import Rulebook


@dataclass(frozen=True)
class Me:
    """An applicant who is signed in, with their household's journey."""

    actor: Actor
    person: Person
    case: Case
    now: datetime
    today: date
    rulebook: Rulebook

    @property
    def partner(self) -> Person | None:
        """The other applicant of the household."""
        return next((one for one in applicants_of(self.case) if one.id != self.person.id), None)

    @property
    def doing(self) -> dict[str, Any]:
        """What every operation is told."""
        return {"person": self.person, "actor": self.actor, "now": self.now, "today": self.today}


def me_of(actor: Actor, *, now: datetime, today: date) -> Me | None:
    """Whoever is signed in; None for somebody who has nothing to see here any more."""
    person = db.session.get(Person, actor.person_id) if actor.person_id else None
    case = case_of_household(person.household_id) if person is not None else None
    if person is None or case is None or not may_sign_in(case, person):
        return None
    return Me(actor, person, case, now, today, policy.rulebook_on(today))

"""A household that has been spoken to and waits for a visit, and the verbs of visits without their ceremony."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from crm import policy
from crm.cases.change_stage import change_stage
from crm.cases.models import Case, Channel, PersonRole
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.clock import LONDON, now_utc, today_in_london
from crm.db import db, transaction
from crm.visits import attendance, booking, report, sign_off
from crm.visits.models import Outcome, Place, Purpose, Visit
from crm.visits.questions import PARTS
from tests.factories import Cast, Member

MONDAY = "2026-07-06 09:30"
"""When the clock stands in most tests of visits: Monday 6 July 2026."""


def at(moment: str) -> datetime:
    """``at("2026-07-14 14:00")``: that time on a London clock."""
    return datetime.fromisoformat(moment).replace(tzinfo=LONDON)


def open_household(cast: Cast, number: int = 1, *, email: bool = True, couple: bool = True, **changes: Any) -> Case:
    """A case at "contacted", owned by the recruiter. Inside the caller's transaction."""
    today = today_in_london()
    rulebook = policy.rulebook_on(today)
    people = [
        NewPerson(
            given_name="Maya",
            family_name=f"Thompson{number}",
            email=f"maya{number}@example.org" if email else None,
            phone=f"07700 900{number % 1000:03d}",
        )
    ]
    if couple:
        people.append(
            NewPerson(
                given_name="Daniel",
                family_name=f"Reid{number}",
                role=PersonRole.APPLICANT_2,
                email=f"daniel{number}@example.org" if email else None,
            )
        )
    case = open_case(
        **{
            "people": people,
            "touch": NewTouch(channel=Channel.WEB, received_at=now_utc(), source="Web form"),
            "actor": cast.recruiter.actor,
            "now": now_utc(),
            "today": today,
            "rulebook": rulebook,
            "owner_id": cast.recruiter.id,
            "postcode": "SE6 0KV",
            "address": f"{number} Rowan Close\nLondon",
            **changes,
        }
    )
    change_stage(case, "record_contact", actor=cast.recruiter.actor, now=now_utc(), today=today, rulebook=rulebook)
    return case


@dataclass
class Verbs:
    """What people do with visits, each in a transaction of its own, at the present of the test's clock."""

    cast: Cast

    def given(self, **more: Any) -> dict[str, Any]:
        today = today_in_london()
        return {"now": now_utc(), "today": today, "rulebook": policy.rulebook_on(today), **more}

    def household(self, number: int = 1, **changes: Any) -> Case:
        with transaction():
            return open_household(self.cast, number, **changes)

    def book(self, case: Case, when: str, *officers: Member, by: Member | None = None, **changes: Any) -> Visit:
        with transaction():
            return booking.book_visit(
                case,
                **self.given(
                    **{
                        "purpose": Purpose.FIRST_VISIT,
                        "place": Place.HOME,
                        "starts_at": at(when),
                        "length_minutes": 90,
                        "officer_ids": [officer.id for officer in officers or (self.cast.officer,)],
                        "actor": (by or self.cast.recruiter).actor,
                        **changes,
                    }
                ),
            )

    def move(self, visit: Visit, when: str, *officers: Member, by: Member | None = None, **changes: Any) -> Visit:
        case = db.session.get(Case, visit.case_id)
        with transaction():
            return booking.move_visit(
                visit,
                case,
                **self.given(
                    **{
                        "starts_at": at(when),
                        "length_minutes": visit.length_minutes,
                        "officer_ids": [officer.id for officer in officers] or visit.officer_ids,
                        "actor": (by or self.cast.recruiter).actor,
                        **changes,
                    }
                ),
            )

    def cancel(self, visit: Visit, *, by: Member | None = None, **changes: Any) -> Visit:
        case = db.session.get(Case, visit.case_id)
        with transaction():
            return booking.cancel_visit(
                visit, case, **self.given(reason="They are away", actor=(by or self.cast.recruiter).actor, **changes)
            )

    def nobody_in(self, visit: Visit, *, by: Member | None = None, **changes: Any) -> Visit:
        case = db.session.get(Case, visit.case_id)
        with transaction():
            return attendance.record_no_access(
                visit, case, **self.given(note="Card left", actor=(by or self.cast.officer).actor, **changes)
            )

    def hold(self, visit: Visit, *, by: Member | None = None) -> Visit:
        case = db.session.get(Case, visit.case_id)
        with transaction():
            return attendance.record_visit(
                visit,
                case,
                held_from_at=visit.starts_at,
                held_until_at=visit.ends_at,
                **self.given(actor=(by or self.cast.officer).actor),
            )

    def write_up(self, visit: Visit, recommendation: Outcome = Outcome.INVITE, *, by: Member | None = None) -> None:
        actor = (by or self.cast.officer).actor
        case = db.session.get(Case, visit.case_id)
        with transaction():
            for part in PARTS[:-1]:
                report.save_part(
                    visit,
                    number=part.number,
                    answers={question.key: "Talked it through" for question in part.questions},
                    items={item.key: {"state": "ok"} for item in part.items},
                    actor=actor,
                    now=now_utc(),
                )
            report.submit_report(
                visit,
                case,
                recommendation=recommendation,
                reasons="As we agreed",
                assessment="Warm and steady",
                **self.given(actor=actor),
            )

    def sign_off(self, visit: Visit, outcome: Outcome, *, by: Member | None = None, **changes: Any) -> None:
        case = db.session.get(Case, visit.case_id)
        with transaction():
            sign_off.sign_off_visit(
                visit,
                case,
                **self.given(
                    **{
                        "outcome": outcome,
                        "decision": "Agreed",
                        "reasons": "",
                        "actor": (by or self.cast.manager).actor,
                        **changes,
                    }
                ),
            )


@pytest.fixture
def verbs(app: Any, session: Any, cast: Cast, freeze: Callable[[str], datetime]) -> Verbs:
    """Verbs on Monday 6 July 2026, half past nine."""
    freeze(MONDAY)
    return Verbs(cast)

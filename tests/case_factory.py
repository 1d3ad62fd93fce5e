"""Cases for tests: each reaches its stage by making the moves, as people do, so that its clocks and history are real.

``make_case(cast)`` is a new enquiry; ``make_case(cast, stage="contacted")`` was rung. What comes after is made by the
operations of visits and assessments, in the factories of their tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from crm import policy
from crm.cases.assignment import assign
from crm.cases.models import AssignmentRole, Case, Channel
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.clock import london_date, now_utc
from crm.enquiries import triage
from tests.factories import Cast

STAGES = ("new", "contacted", "not_now", "closed")
PRIYA = NewPerson(
    given_name="Priya",
    family_name="Osei",
    phone="07700 900118",
    email="priya.osei@example.org",
    contact_times="Evening",
)


def make_case(
    cast: Cast,
    *,
    stage: str = "new",
    people: Sequence[NewPerson] = (PRIYA,),
    postcode: str | None = "BR1 3KO",
    channel: Channel = Channel.PHONE,
    received_at: datetime | None = None,
    now: datetime | None = None,
    owner: Any = None,
    officer: Any = None,
    facts: dict[str, str] | None = None,
    said: str | None = None,
    campaign_id: int | None = None,
    address: str | None = None,
    back_on: date | None = None,
) -> Case:
    """A case at a stage of its enquiry. Inside the caller's transaction.

    The owner is the recruiter unless another member is named; ``officer`` also gives that member a visiting officer's
    part in the case.
    """
    now = now or now_utc()
    today = london_date(now)
    rulebook = policy.rulebook_on(today)
    owner = owner or cast.recruiter
    case = open_case(
        people=list(people),
        touch=NewTouch(
            channel=channel, received_at=received_at or now, source="Phone call", said=said, campaign_id=campaign_id
        ),
        actor=cast.recruiter.actor,
        now=now,
        today=today,
        rulebook=rulebook,
        owner_id=owner.id,
        postcode=postcode,
        address=address,
        facts=facts,
    )
    if officer is not None:
        assign(
            case,
            user_id=officer.id,
            role=AssignmentRole.VISITING_OFFICER,
            actor=cast.manager.actor,
            now=now,
            today=today,
        )
    if stage != "new":
        reach(case, stage, cast, now=now, back_on=back_on)
    return case


def reach(case: Case, stage: str, cast: Cast, *, now: datetime, back_on: date | None = None) -> None:
    """Move a new enquiry on to a stage, by the operations that people use."""
    today = london_date(now)
    by: dict[str, Any] = {
        "actor": cast.recruiter.actor,
        "now": now,
        "today": today,
        "rulebook": policy.rulebook_on(today),
    }
    if stage not in STAGES:
        raise ValueError(f"{stage} is not reached here: use the factory of visits or assessments")
    triage.record_talk(case, case.household.people[0], note="A good first talk.", **by)
    if stage == "not_now":
        triage.rest_until(
            case,
            back_on=back_on or today + timedelta(days=90),
            reason_code="no_room",
            words="You are waiting for a free bedroom.",
            write_to_them=True,
            **by,
        )
    elif stage == "closed":
        triage.close_enquiry(
            case, reason_code="withdrew", words="You decided that it is not for you.", write_to_them=True, **by
        )


def couple(surname: str = "Osei", *, number: int = 118) -> tuple[NewPerson, NewPerson]:
    """Two adults of one home, each with contact details of their own."""
    from crm.cases.models import PersonRole

    first = replace(PRIYA, family_name=surname, phone=f"07700 900{number:03d}", email=f"p{number}@example.org")
    second = NewPerson(
        given_name="Sam",
        family_name=surname,
        role=PersonRole.APPLICANT_2,
        phone=f"07700 900{number + 1:03d}",
        email=f"s{number}@example.org",
    )
    return first, second

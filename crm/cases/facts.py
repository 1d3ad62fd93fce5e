"""Ask once: what is known, who said so, and when. A newer answer takes the old one's place and the old one is kept."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select

from crm.audit import record
from crm.cases.models import Case, Fact
from crm.db import db
from crm.rules.permissions import Actor, Sensitivity

FACT_WORDS: dict[str, str] = {
    "age_over_21": "Over 21",
    "spare_room": "Bedroom to spare",
    "housing": "Home",
    "right_to_work": "Right to work and live in the UK",
    "specified_offence": "Offence against a child, any adult at home",
    "offences": "Convictions or cautions",
    "adults_offences": "Convictions or cautions of others at home",
    "current_approval": "Approved by another service now",
    "fostered_before": "Fostered before",
    "others_at_home": "Others at home",
    "children_elsewhere": "Children elsewhere",
    "pets": "Pets",
    "smoking": "Smoking or vaping at home",
    "driving": "Drives",
    "work": "Work",
    "health": "Health",
    "recent_change": "A big change lately",
    "area": "Lives in our area",
    "motivation": "Why they want to foster",
    "sent_by": "Sent to us by",
    "hope_to_foster": "Hope to foster",
    "languages": "Languages",
    "sex": "Sex",
    "other_phone": "Another phone",
    "other_email": "Another email",
    "staff_notes": "Notes from the day",
    "heard_from": "Where they heard of us",
    "came_by": "The links they came by",
    "privacy_notice": "Privacy notice shown",
}
"""What each kind of fact is called on screen, in the order the screens show them."""

FACT_SENSITIVITY: dict[str, Sensitivity] = {
    "specified_offence": Sensitivity.OFFENCE,
    "offences": Sensitivity.OFFENCE,
    "adults_offences": Sensitivity.OFFENCE,
    "health": Sensitivity.HEALTH,
    "recent_change": Sensitivity.PERSONAL,
}


OWN = "own_"
"""How the key of an answer to a question of the service's own begins."""


def sensitivity_of(key: str) -> Sensitivity:
    """How closely an answer is held. What a service asks of its own accord may be anything, so it is personal."""
    return FACT_SENSITIVITY.get(key, Sensitivity.PERSONAL if key.startswith(OWN) else Sensitivity.ORDINARY)


def state_fact(
    case: Case,
    *,
    key: str,
    value: str,
    source: str,
    stated_on: date,
    actor: Actor,
    now: datetime,
    person_id: int | None = None,
    sensitivity: Sensitivity | None = None,
) -> Fact:
    """Write down an answer. The same answer again changes nothing; a new one replaces the old, which is kept."""
    current = db.session.scalars(
        select(Fact).where(
            Fact.case_id == case.id,
            Fact.key == key,
            Fact.person_id.is_(None) if person_id is None else Fact.person_id == person_id,
            Fact.replaced_at.is_(None),
        )
    ).first()
    if current is not None:
        if current.value == value:
            return current
        current.replaced_at = now
    fact = Fact(
        case_id=case.id,
        person_id=person_id,
        key=key,
        source=source,
        stated_on=stated_on,
        sensitivity=sensitivity or sensitivity_of(key),
    )
    fact.value = value
    db.session.add(fact)
    db.session.flush()
    record("fact.stated", actor=actor, at=now, case_id=case.id, subject=f"fact:{fact.id}", detail={"key": key})
    return fact


def current_facts(case: Case) -> list[Fact]:
    """Every answer in force on a case, in no order."""
    return list(db.session.scalars(select(Fact).where(Fact.case_id == case.id, Fact.replaced_at.is_(None))))

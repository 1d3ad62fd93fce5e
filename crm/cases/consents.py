"""Consent to news and events: per person, per channel, with the wording shown. The newest line is the one in force."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select

from crm.audit import record
from crm.cases.models import Consent, Person
from crm.db import db
from crm.rules.permissions import Actor

CONSENT_CHANNELS = ("email", "text", "phone", "post")


def record_consent(
    person: Person,
    *,
    channel: str,
    given: bool,
    wording_version: str,
    source: str,
    actor: Actor,
    now: datetime,
    case_id: int | None = None,
) -> Consent:
    """Keep what somebody said, yes or no. Nothing is ever changed: saying otherwise later adds a line."""
    consent = Consent(
        person_id=person.id,
        channel=channel,
        given=given,
        wording_version=wording_version,
        recorded_at=now,
        source=source,
    )
    db.session.add(consent)
    db.session.flush()
    record(
        "consent.given" if given else "consent.refused",
        actor=actor,
        at=now,
        case_id=case_id,
        subject=f"person:{person.id}",
        detail={"channel": channel, "wording": wording_version},
    )
    return consent


def consents_in_force(person_ids: Iterable[int]) -> dict[int, dict[str, Consent]]:
    """The newest word of each person on each channel."""
    found: dict[int, dict[str, Consent]] = {}
    query = select(Consent).where(Consent.person_id.in_(list(person_ids))).order_by(Consent.recorded_at, Consent.id)
    for consent in db.session.scalars(query):
        found.setdefault(consent.person_id, {})[consent.channel] = consent
    return found

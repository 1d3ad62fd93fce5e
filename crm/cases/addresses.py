"""A new email address in place of another: nothing more to the old one, nothing that matters to the new one until
somebody has said that it is theirs (G36: a mistyped address is somebody else's)."""

from __future__ import annotations

from datetime import date, datetime

from crm.audit import record
from crm.cases import letters, timeline
from crm.cases.contact_links import confirm_link
from crm.cases.models import Case, ContactLink, Person
from crm.cases.stopping import cases_of
from crm.cases.tasks import add_task
from crm.db import db
from crm.delivery import Channel
from crm.delivery.enqueue import recipient_key, take_back
from crm.rules.permissions import Actor


def take_up_new_email(case: Case, person: Person, *, was: str | None, actor: Actor, now: datetime, today: date) -> None:
    """After somebody's email was changed on file: what waits for the old one is taken back, and the new one is asked.

    An address where there was none counts too. Nothing is asked where there is no address now, or where it only
    differs in how it is written.
    """
    if (was or "").strip().casefold() == (person.email_key or ""):
        return
    if was:
        taken = take_back([person.id], code="address_changed", now=now, channel=Channel.EMAIL, even_statutory=True)
        letters.tell_taken_back(taken, case, person, code="address_changed", actor=actor, now=now, today=today)
    if person.email is None:
        person.email_unconfirmed_since = None
        return
    person.email_unconfirmed_since = now
    letters.send_letter(
        "address_check",
        case=case,
        person=person,
        context={"confirm_url": confirm_link(person, address_key=_key(person), now=now)},
        actor=actor,
        now=now,
        today=today,
        channel=Channel.EMAIL,
    )


def confirm_email(case: Case, person: Person, *, how: str, actor: Actor, now: datetime) -> bool:
    """Note that the address is theirs. ``how`` is in words. False when it was known already."""
    if person.email_unconfirmed_since is None:
        return False
    person.email_unconfirmed_since = None
    timeline.add(
        case,
        kind="fact",
        title=f"The email of {person.full_name} is confirmed: {how}",
        actor=actor,
        occurred_at=now,
        person_id=person.id,
    )
    record("person.email_confirmed", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}")
    return True


def answer_about_email(
    person: Person, link: ContactLink, *, is_theirs: bool, actor: Actor, now: datetime, today: date
) -> None:
    """What the reader of a new address says of it. About an address that is not on file any more, it is nothing."""
    if person.email is None or link.address_key != _key(person):
        return
    if is_theirs:
        for case in cases_of(person):
            confirm_email(case, person, how="they said so by the link", actor=actor, now=now)
        return
    person.email = person.email_key = None
    person.email_unconfirmed_since = None
    take_back([person.id], code="address_changed", now=now, channel=Channel.EMAIL, even_statutory=True)
    db.session.delete(link)
    for case in cases_of(person):
        timeline.add(
            case,
            kind="fact",
            title=f"The email of {person.full_name} belongs to somebody else, and was taken off",
            actor=actor,
            occurred_at=now,
            person_id=person.id,
        )
        record("person.email_denied", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}")
        if case.is_open and case.owner_id is not None:
            add_task(
                title=f"The email on file for {person.full_name} was somebody else’s. Ask for the right one",
                assigned_to_id=case.owner_id,
                due_on=today,
                actor=actor,
                now=now,
                case=case,
            )


def _key(person: Person) -> str:
    return recipient_key(Channel.EMAIL, person.email or "")

"""Who is told of a visit, and how: an invitation, its change or its end, each to one mailbox under its own UID."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypedDict

from crm import policy
from crm.access.models import User
from crm.access.queries import user_with
from crm.calendars import invitations
from crm.calendars.ical import Mailbox
from crm.calendars.invitations import Owner, Told
from crm.cases import keys, letters, timeline
from crm.cases.models import Case, Household, Person
from crm.delivery.enqueue import supersede
from crm.delivery.post_room import post_room
from crm.rules.permissions import Actor
from crm.rules.rulebook import Rulebook
from crm.visits.models import PLACE_WORDS_TO_THEM, Place, Visit

MOVE_GRACE = timedelta(minutes=1)
"""A moved visit is told after this: whoever moves it twice in a minute sends one letter."""


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """By whom, when and under which rules something is told."""

    actor: Actor
    now: datetime
    today: date
    rulebook: Rulebook


class EventWords(TypedDict):
    """What an event says, whatever its time."""

    summary: str
    location: str
    description: Sequence[str]
    url: str


def area_of(household: Household) -> str:
    """Where a household lives, as far as an officer's calendar may say: the postcode district, else the council."""
    return keys.district(household.postcode) or household.local_authority or "area not known yet"


def tell_booked(visit: Visit, case: Case, occasion: Occasion) -> None:
    """Invite the household and each officer."""
    _tell_household("visit_invitation", visit, case, occasion)
    for officer_id in visit.officer_ids:
        _tell_officer("officer_visit_invitation", visit, case, user_with(officer_id), occasion)


def enter_in_calendars(visit: Visit, case: Case, *, now: datetime) -> None:
    """Show a visit that has been in its officers' calendars. Nobody is written to."""
    for officer_id in visit.officer_ids:
        invitations.enter(
            _officer_owner(user_with(officer_id)),
            visit_id=visit.id,
            sequence=visit.sequence,
            starts_at=visit.starts_at,
            ends_at=visit.ends_at,
            organiser=_organiser(),
            now=now,
            **_officer_event(visit, case),
        )


def remind(visit: Visit, case: Case, occasion: Occasion) -> None:
    """It is tomorrow: to each by email or by text, as they wish. Whoever can't be reached so is not sent for; the case
    says why."""
    for person in _told_people(case):
        why_not = letters.why_not_reachable("visit_reminder", case, person, now=occasion.now)
        if why_not is not None:
            timeline.add(
                case,
                kind="letter",
                title=f"No reminder of the visit went to {person.full_name}: {why_not}",
                actor=occasion.actor,
                occurred_at=occasion.now,
                person_id=person.id,
            )
            continue
        letters.send_letter(
            "visit_reminder",
            case=case,
            person=person,
            context={
                "starts_at": visit.starts_at,
                "officers": [user_with(officer_id).name for officer_id in visit.officer_ids],
                "place": PLACE_WORDS_TO_THEM[Place(visit.place)].lower(),
            },
            actor=occasion.actor,
            now=occasion.now,
            today=occasion.today,
            rulebook=occasion.rulebook,
            occasion=f"visit{visit.id}:{visit.starts_at:%Y%m%d%H%M}",
            stream=_reminders(visit, person),
            sequence=visit.sequence,
            not_after=visit.starts_at,
        )


def _reminders(visit: Visit, person: Person) -> str:
    return f"visit{visit.id}:reminder{person.id}"


def _drop_reminders(visit: Visit, case: Case, *, now: datetime) -> None:
    """A reminder of the time before that has not left stays here."""
    for person in case.household.people:
        supersede(_reminders(visit, person), visit.sequence, now=now)


def tell_moved(
    visit: Visit,
    case: Case,
    occasion: Occasion,
    *,
    old_starts_at: datetime,
    officers_before: Sequence[int],
    reason: str | None,
) -> None:
    """Send everybody the new time; invite officers who joined, and take it out of the calendars of those who left."""
    is_later_or_earlier = old_starts_at != visit.starts_at
    _drop_reminders(visit, case, now=occasion.now)
    _tell_household(
        "visit_changed" if is_later_or_earlier else "visit_invitation",
        visit,
        case,
        occasion,
        old_starts_at=old_starts_at if is_later_or_earlier else None,
        reason=reason if is_later_or_earlier else None,
        not_before=occasion.now + MOVE_GRACE,
    )
    for officer_id in visit.officer_ids:
        if officer_id in officers_before:
            _tell_officer(
                "officer_visit_changed",
                visit,
                case,
                user_with(officer_id),
                occasion,
                old_starts_at=old_starts_at,
                not_before=occasion.now + MOVE_GRACE,
            )
        else:
            _tell_officer("officer_visit_invitation", visit, case, user_with(officer_id), occasion)
    for officer_id in sorted(set(officers_before) - set(visit.officer_ids)):
        _tell_officer_it_is_off(visit, case, user_with(officer_id), occasion, starts_at=old_starts_at)


def tell_cancelled(visit: Visit, case: Case, occasion: Occasion, *, reason: str | None, tell_household: bool) -> None:
    """Take the visit out of every calendar. ``reason`` is in words for the household, or None to give none."""
    _drop_reminders(visit, case, now=occasion.now)
    for officer_id in visit.officer_ids:
        _tell_officer_it_is_off(visit, case, user_with(officer_id), occasion, starts_at=visit.starts_at)
    if not tell_household:
        return
    for person in _told_people(case):
        told = None
        if person.email:
            told = invitations.cancel(
                _household_owner(person),
                visit_id=visit.id,
                sequence=visit.sequence,
                organiser=_organiser(),
                now=occasion.now,
                **_household_event(visit, case),
            )
        _send_to_person(
            "visit_cancelled", visit, case, person, occasion, told, {"starts_at": visit.starts_at, "reason": reason}
        )


def tell_missed(visit: Visit, case: Case, occasion: Occasion, *, ring_by: date | None) -> None:
    """Write to the household that we came and found nobody."""
    for person in _told_people(case):
        letters.send_letter(
            "visit_no_access",
            case=case,
            person=person,
            context={"starts_at": visit.starts_at, "ring_by": ring_by},
            actor=occasion.actor,
            now=occasion.now,
            today=occasion.today,
            rulebook=occasion.rulebook,
            occasion=f"visit{visit.id}",
        )


def _told_people(case: Case) -> list[Person]:
    """The applicants who each get their own copy. Two who share a mailbox get one between them.

    A partner without an address of their own is reached through the other.
    """
    chosen: list[Person] = []
    mailboxes: set[str] = set()
    for person in case.household.people:
        if not person.is_applicant or person.left_household_on is not None:
            continue
        if person.email_key and person.email_key in mailboxes:
            continue
        if not person.email and chosen and not case.household.address:
            continue
        chosen.append(person)
        if person.email_key:
            mailboxes.add(person.email_key)
    return chosen


def _tell_household(
    kind: str,
    visit: Visit,
    case: Case,
    occasion: Occasion,
    *,
    old_starts_at: datetime | None = None,
    reason: str | None = None,
    not_before: datetime | None = None,
) -> None:
    officers = [user_with(officer_id).name for officer_id in visit.officer_ids]
    applicants = [p for p in case.household.people if p.is_applicant and p.left_household_on is None]
    for person in _told_people(case):
        told = None
        if person.email:
            told = invitations.request(
                _household_owner(person),
                visit_id=visit.id,
                sequence=visit.sequence,
                starts_at=visit.starts_at,
                ends_at=visit.ends_at,
                organiser=_organiser(),
                now=occasion.now,
                **_household_event(visit, case),
            )
        context: dict[str, object] = {
            "starts_at": visit.starts_at,
            "minutes": visit.length_minutes,
            "officers": officers,
            "place": PLACE_WORDS_TO_THEM[Place(visit.place)].lower(),
        }
        if kind == "visit_changed":
            context |= {"old_starts_at": old_starts_at, "reason": reason}
        else:
            context["partner_name"] = next((p.given_name for p in applicants if p.id != person.id), None)
        _send_to_person(kind, visit, case, person, occasion, told, context, not_before=not_before)


def _send_to_person(
    kind: str,
    visit: Visit,
    case: Case,
    person: Person,
    occasion: Occasion,
    told: Told | None,
    context: dict[str, object],
    *,
    not_before: datetime | None = None,
) -> None:
    letters.send_letter(
        kind,
        case=case,
        person=person,
        context=context,
        actor=occasion.actor,
        now=occasion.now,
        today=occasion.today,
        rulebook=occasion.rulebook,
        occasion=f"visit{visit.id}:{visit.sequence}",
        calendar=told.invitation if told else None,
        stream=told.uid if told else f"visit{visit.id}:person{person.id}",
        sequence=visit.sequence,
        not_before=not_before,
    )


def _tell_officer(
    kind: str,
    visit: Visit,
    case: Case,
    officer: User,
    occasion: Occasion,
    *,
    old_starts_at: datetime | None = None,
    not_before: datetime | None = None,
) -> None:
    told = invitations.request(
        _officer_owner(officer),
        visit_id=visit.id,
        sequence=visit.sequence,
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        organiser=_organiser(),
        now=occasion.now,
        **_officer_event(visit, case),
    )
    context: dict[str, object] = {
        "starts_at": visit.starts_at,
        "minutes": visit.length_minutes,
        "town": area_of(case.household),
        "case_url": _link(f"/cases/{case.reference}"),
    }
    if kind == "officer_visit_changed":
        context["old_starts_at"] = old_starts_at
    _send_to_officer(kind, visit, case, officer, occasion, told, context, not_before=not_before)


def _tell_officer_it_is_off(
    visit: Visit, case: Case, officer: User, occasion: Occasion, *, starts_at: datetime
) -> None:
    told = invitations.cancel(
        _officer_owner(officer),
        visit_id=visit.id,
        sequence=visit.sequence,
        organiser=_organiser(),
        now=occasion.now,
        **_officer_event(visit, case),
    )
    if told is None:
        return
    context = {
        "starts_at": starts_at,
        "town": area_of(case.household),
        "case_url": _link(f"/cases/{case.reference}"),
    }
    _send_to_officer("officer_visit_cancelled", visit, case, officer, occasion, told, context)


def _send_to_officer(
    kind: str,
    visit: Visit,
    case: Case,
    officer: User,
    occasion: Occasion,
    told: Told,
    context: dict[str, object],
    *,
    not_before: datetime | None = None,
) -> None:
    letters.send_to_staff(
        kind,
        user=officer,
        case=case,
        context=context,
        actor=occasion.actor,
        now=occasion.now,
        today=occasion.today,
        occasion=f"visit{visit.id}:{visit.sequence}",
        calendar=told.invitation,
        stream=told.uid,
        sequence=told.sequence,
        not_before=not_before,
    )


def _household_owner(person: Person) -> Owner:
    return Owner(email=person.email or "", name=person.full_name, person_id=person.id)


def _officer_owner(officer: User) -> Owner:
    return Owner(email=officer.email, name=officer.name, user_id=officer.id)


def _organiser() -> Mailbox:
    """The service's own mailbox: answers come back to it, and it is the sender that receivers compare with."""
    return Mailbox(post_room().visits_mailbox, policy.service().name)


def _household_event(visit: Visit, case: Case) -> EventWords:
    """What the household's own copy says: no address, since a shared family calendar shows it to anybody."""
    service = policy.service()
    return {
        "summary": f"{service.short_name} visit",
        "location": PLACE_WORDS_TO_THEM[Place(visit.place)],
        "description": [
            f"A visit from {service.name}.",
            f"If something comes up, ring {service.phone}.",
            f"Your reference is {case.reference}.",
        ],
        "url": _link("/"),
    }


def _officer_event(visit: Visit, case: Case) -> EventWords:
    """What an officer's copy says: reference, district and a link. Names and the address are behind the sign-in."""
    area = area_of(case.household)
    heading = {Place.HOME: "Home visit", Place.VIDEO: "Video visit", Place.OFFICE: "Visit to us"}[Place(visit.place)]
    return {
        "summary": f"{heading} {case.reference}, {area}",
        "location": area if visit.place == Place.HOME else PLACE_WORDS_TO_THEM[Place(visit.place)],
        "description": [f"Case {case.reference}.", "Names and the address are in the case."],
        "url": _link(f"/visits/{visit.id}"),
    }


def _link(path: str) -> str:
    return f"{post_room().base_url.rstrip('/')}{path}"

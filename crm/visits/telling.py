"""Who is told of a visit, and how: an invitation, its change or its end, each to one mailbox under its own UID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TypedDict

from crm import policy
from crm.access.models import User
from crm.access.queries import user_with
from crm.calendars import invitations, mailed
from crm.calendars.ical import Mailbox
from crm.calendars.invitations import Owner, Told
from crm.calendars.models import CalendarObject, MailedEvent
from crm.cases import keys, letters, timeline
from crm.cases.letters import Way
from crm.cases.models import Case, Household, Person
from crm.clock import london_date
from crm.delivery import Channel, Invitation
from crm.delivery.enqueue import has_left, supersede
from crm.delivery.message import sendable_address
from crm.delivery.post_room import post_room
from crm.rules.permissions import Actor, ActorKind
from crm.rules.rulebook import Rulebook
from crm.visits import offers
from crm.visits.models import PLACE_WORDS_TO_THEM, Place, Visit

MOVE_GRACE = timedelta(minutes=1)
"""A moved visit is told after this: whoever moves it twice in a minute sends one letter. So is one that its household
booked itself, for they may think again while the page is still before them."""


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """By whom, when and under which rules something is told."""

    actor: Actor
    now: datetime
    today: date
    rulebook: Rulebook

    @property
    def is_theirs(self) -> bool:
        """Whether the household does it itself, by its own link."""
        return self.actor.kind == ActorKind.APPLICANT


class EventWords(TypedDict):
    """What an event says, whatever its time."""

    summary: str
    location: str
    description: Sequence[str]
    url: str


def area_of(household: Household) -> str:
    """Where a household lives, as far as an officer's calendar may say: the postcode district, else the council."""
    return keys.district(household.postcode) or household.local_authority or "area not known yet"


def tell_booked(visit: Visit, case: Case, occasion: Occasion, *, uids: Mapping[int, str] | None = None) -> None:
    """Invite the household and each officer. ``uids``: officer to the UID under which their own program made it."""
    not_before = occasion.now + MOVE_GRACE if occasion.is_theirs else None
    _tell_household("visit_invitation", visit, case, occasion, not_before=not_before)
    for officer_id in visit.officer_ids:
        uid = (uids or {}).get(officer_id)
        _tell_officer(
            "officer_visit_invitation", visit, case, user_with(officer_id), occasion, uid=uid, not_before=not_before
        )


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
    for person in told_people(case):
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
    for person in told_people(case):
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
        context: dict[str, object] = {"starts_at": visit.starts_at, "reason": reason}
        if occasion.is_theirs:
            context["rebook_url"] = _own_link("visit_cancelled", visit, case, person, occasion)
        _send_to_person("visit_cancelled", visit, case, person, occasion, told, context)


def tell_it_stays(
    event: CalendarObject, visit: Visit, case: Case, person: Person, occasion: Occasion, asked_at: datetime
) -> None:
    """Tell somebody of the household who asked for another time that the visit stays where it is."""
    told = invitations.stay(
        event, _household_owner(person), organiser=_organiser(), now=occasion.now, **_household_event(visit, case)
    )
    letters.send_letter(
        "visit_stays",
        case=case,
        person=person,
        context={
            "starts_at": visit.starts_at,
            "minutes": visit.length_minutes,
            "officers": [user_with(officer_id).name for officer_id in visit.officer_ids],
            "place": PLACE_WORDS_TO_THEM[Place(visit.place)].lower(),
        },
        actor=occasion.actor,
        now=occasion.now,
        today=occasion.today,
        rulebook=occasion.rulebook,
        occasion=f"visit{visit.id}:{visit.sequence}:{asked_at:%Y%m%d%H%M%S}",
        calendar=told.invitation if invitations.is_mailbox_of(event, person.email or "") else None,
        stream=told.uid,
        sequence=told.sequence,
    )


def tell_missed(visit: Visit, case: Case, occasion: Occasion, *, ring_by: date | None) -> None:
    """Write to the household that we came and found nobody."""
    for person in told_people(case):
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


def told_people(case: Case) -> list[Person]:
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
    for person in told_people(case):
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
        # Who changed their own mind before the first letter had left reads of the visit as it is now.
        is_news = occasion.is_theirs and not has_left(_stream(visit, person, told))
        letter = "visit_invitation" if kind == "visit_changed" and is_news else kind
        if letter == "visit_changed":
            context |= {"old_starts_at": old_starts_at, "reason": reason}
        else:
            context["partner_name"] = next((p.given_name for p in applicants if p.id != person.id), None)
        context["visit_url"] = _own_link(letter, visit, case, person, occasion)
        _send_to_person(letter, visit, case, person, occasion, told, context, not_before=not_before)


def _stream(visit: Visit, person: Person, told: Told | None) -> str:
    return told.uid if told else f"visit{visit.id}:person{person.id}"


def _way(kind: str, case: Case, person: Person, occasion: Occasion) -> Way | None:
    """How a letter about a visit goes. Whoever settled it on a phone and has no email is answered on that phone."""
    ways = letters.ways_it_could_go(kind, case, person, now=occasion.now)
    taken = next((way for way in ways if way.is_taken), None)
    by_text = next((way for way in ways if way.channel == Channel.TEXT and way.why_not is None), None)
    if occasion.is_theirs and by_text is not None and (taken is None or taken.channel == Channel.POST):
        return by_text
    return taken


def _own_link(kind: str, visit: Visit, case: Case, person: Person, occasion: Occasion) -> str | None:
    """Where this person can change the visit or call it off; None in a letter by post, which nobody can follow."""
    way = _way(kind, case, person, occasion)
    if way is None or way.address is None or way.channel == Channel.POST:
        return None
    offer = offers.offer_of(visit, case, actor=occasion.actor, now=occasion.now)
    return offers.link_for(offer, person, channel=way.channel, address=way.address, now=occasion.now)


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
    way = _way(kind, case, person, occasion)
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
        channel=Channel.TEXT if way is not None and way.channel == Channel.TEXT else None,
        calendar=told.invitation if told else None,
        stream=_stream(visit, person, told),
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
    uid: str | None = None,
) -> None:
    theirs = mailed.event_of(officer.id, uid) if uid is not None else None
    told = invitations.request(
        _officer_owner(officer),
        visit_id=visit.id,
        sequence=visit.sequence,
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        organiser=_organiser(),
        now=occasion.now,
        uid=uid,
        invites=theirs is None and mailed.wants_invitations(officer.id),
        **_officer_event(visit, case),
    )
    context: dict[str, object] = {
        "starts_at": visit.starts_at,
        "minutes": visit.length_minutes,
        "town": area_of(case.household),
        "case_url": _link(f"/cases/{case.reference}"),
    }
    if kind == "officer_visit_changed" and occasion.is_theirs and not has_left(told.uid):
        kind = "officer_visit_invitation"
    if kind == "officer_visit_changed":
        context["old_starts_at"] = old_starts_at
    theirs = mailed.event_of(officer.id, told.uid)
    if theirs is not None:
        if mailed.is_at(theirs, visit.starts_at, visit.ends_at):
            return  # it is in their own calendar, and whoever took it from there answers
        told = replace(told, invitation=propose_to(officer, theirs, visit, case, now=occasion.now))
        context |= {"is_own_event": True} if kind == "officer_visit_changed" else {}
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
    context: dict[str, object] = {
        "starts_at": starts_at,
        "town": area_of(case.household),
        "case_url": _link(f"/cases/{case.reference}"),
    }
    theirs = mailed.event_of(officer.id, told.uid)
    if theirs is not None:
        if theirs.is_called_off:
            return
        no = answer_to(officer, theirs, accepts=False, now=occasion.now, about=(visit, case))
        told = replace(told, invitation=no)
        context["is_own_event"] = True
    _send_to_officer("officer_visit_cancelled", visit, case, officer, occasion, told, context)


def propose_to(officer: User, theirs: MailedEvent, visit: Visit, case: Case, *, now: datetime) -> Invitation:
    """That an officer moves their own event to where the visit is."""
    words = _officer_event(visit, case)
    return mailed.propose(
        theirs,
        visit.starts_at,
        visit.ends_at,
        summary=words["summary"],
        url=words["url"],
        to=_mailbox_of(officer),
        now=now,
    )


def answer_to(
    officer: User, theirs: MailedEvent, *, accepts: bool, now: datetime, about: tuple[Visit, Case] | None
) -> Invitation:
    """Yes or no to an officer's own event, with the visit that it is about, where there is one."""
    words = _officer_event(*about) if about is not None else None
    return mailed.answer(
        theirs,
        accepts=accepts,
        summary=words["summary"] if words else "Visit",
        url=words["url"] if words else _link("/visits/from-calendar"),
        to=_mailbox_of(officer),
        now=now,
    )


def tell_officer_it_stays(
    event: CalendarObject,
    visit: Visit,
    case: Case,
    officer: User,
    occasion: Occasion,
    *,
    why: str,
    instead: Sequence[str],
    asked_at: datetime,
) -> None:
    """Tell an officer who asked for another time why the visit stays where it is."""
    told = invitations.stay(
        event, _officer_owner(officer), organiser=_organiser(), now=occasion.now, **_officer_event(visit, case)
    )
    letters.send_to_staff(
        "officer_visit_stays",
        user=officer,
        case=case,
        context={
            "starts_at": visit.starts_at,
            "minutes": visit.length_minutes,
            "town": area_of(case.household),
            "case_url": _link(f"/visits/{visit.id}"),
            "why": why,
            "instead": list(instead),
        },
        actor=occasion.actor,
        now=occasion.now,
        today=occasion.today,
        occasion=f"visit{visit.id}:{visit.sequence}:{asked_at:%Y%m%d%H%M%S}",
        calendar=told.invitation if invitations.is_mailbox_of(event, officer.email) else None,
        stream=told.uid,
        sequence=told.sequence,
    )


def tell_officer_where_it_is(visit: Visit, case: Case, officer: User, uid: str, *, now: datetime) -> None:
    """Ask an officer's own program to move their event back to where the visit is. Nothing where it is no such event,
    or is there already."""
    theirs = mailed.event_of(officer.id, uid)
    if theirs is None or theirs.is_called_off or mailed.is_at(theirs, visit.starts_at, visit.ends_at):
        return
    letters.send_to_staff(
        "officer_visit_stays",
        user=officer,
        case=case,
        context={
            "starts_at": visit.starts_at,
            "minutes": visit.length_minutes,
            "town": area_of(case.household),
            "case_url": _link(f"/visits/{visit.id}"),
            "why": "You chose to leave the visit as it is booked: accept the time that this message proposes.",
        },
        actor=officer.as_actor(),
        now=now,
        today=london_date(now),
        occasion=f"visit{visit.id}:{visit.sequence}:back{now:%Y%m%d%H%M%S}",
        calendar=propose_to(officer, theirs, visit, case, now=now),
    )


def _mailbox_of(officer: User) -> Mailbox:
    return Mailbox(sendable_address(officer.email), officer.name)


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

"""What a household may settle itself about a visit, and the secret links by which it does (G29).

A link is one person's for one visit of one household. It ends with the visit, or when nothing was chosen in time; it
ends at once when it is withdrawn, when the household is merged or its journey ends, and when the address it went to is
not that person's any more. Looking at it changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import selectinload

from crm import policy
from crm.access.queries import names_of
from crm.cases import safe_contact
from crm.cases.models import Case, Household, Person
from crm.db import db, rows_changed
from crm.delivery import Channel
from crm.delivery.enqueue import recipient_key
from crm.delivery.post_room import post_room
from crm.rules.permissions import Actor, ActorKind
from crm.rules.refusal import Refusal
from crm.visits.models import Visit, VisitLink, VisitOffer, VisitStatus

_TOKEN_BYTES = 24
KEPT_FOR = timedelta(days=60)
"""What became of an offer stands on the case so long; its links are dropped after it."""


class LinkEnded(Refusal):
    """The link is not one of ours, or its time is over: the two are never told apart (G25)."""

    default_status = 404

    def __init__(self) -> None:
        super().__init__(
            "That link has ended, or was cut short. If you have a newer message from us, use the link in it. "
            "Otherwise ring us: a person answers, and finds a time with you."
        )


@dataclass(frozen=True)
class Opened:
    """What stands behind a link that is good."""

    offer: VisitOffer
    case: Case
    person: Person
    visit: Visit | None
    """The visit that is booked; None while there is none."""

    @property
    def actor(self) -> Actor:
        """The person, as whoever acts by the link."""
        return Actor(kind=ActorKind.APPLICANT, person_id=self.person.id, display_name=self.person.full_name)


def new_offer(
    case: Case,
    *,
    purpose: str,
    place: str,
    length_minutes: int,
    officer_ids: Iterable[int],
    actor: Actor,
    now: datetime,
    visit: Visit | None = None,
) -> VisitOffer:
    """Let a household settle one visit. Of those that wait for a time to be chosen a case has one: earlier ones end."""
    chosen = tuple(sorted(officer_ids))
    if visit is None:
        for waiting in waiting_of(case):
            withdraw(waiting, now=now)
    offer = VisitOffer(
        case_id=case.id,
        purpose=purpose,
        place=place,
        length_minutes=length_minutes,
        officer_id=chosen[0],
        second_officer_id=chosen[1] if len(chosen) > 1 else None,
        made_at=now,
        made_by_id=actor.user_id,
        is_asked=visit is None,
        ends_at=now + timedelta(days=policy.service().link_days),
        visit_id=visit.id if visit is not None else None,
    )
    db.session.add(offer)
    db.session.flush()
    return offer


def offer_of(visit: Visit, case: Case, *, actor: Actor, now: datetime) -> VisitOffer:
    """The offer that a visit belongs to: the one that waited for it, where there is one, else a new one.

    One that waited is taken up however the visit came to be booked, so that whoever opens the link they were sent sees
    the visit, and not times for another.
    """
    found = db.session.scalar(select(VisitOffer).where(VisitOffer.visit_id == visit.id))
    if found is not None:
        return found
    for waiting in waiting_of(case):
        if waiting.purpose == visit.purpose:
            if not visit.is_booked:
                return waiting  # they called it off, and may choose again
            waiting.visit_id, waiting.chase_on, waiting.declined_at = visit.id, None, None
            if actor.kind == ActorKind.APPLICANT:
                waiting.chosen_at = now
            db.session.flush()
            return waiting
    return new_offer(
        case,
        purpose=visit.purpose,
        place=visit.place,
        length_minutes=visit.length_minutes,
        officer_ids=visit.officer_ids,
        actor=actor,
        now=now,
        visit=visit,
    )


def link_for(offer: VisitOffer, person: Person, *, channel: Channel, address: str, now: datetime) -> str:
    """The address at which this person settles the visit: the same in every letter that goes to the same place."""
    sent_to = recipient_key(channel, address)
    for link in db.session.scalars(
        select(VisitLink)
        .where(
            VisitLink.offer_id == offer.id,
            VisitLink.person_id == person.id,
            VisitLink.address_key == sent_to,
            VisitLink.ended_at.is_(None),
        )
        .order_by(VisitLink.id.desc())
    ):
        token = _token(offer.id, person.id, link.serial)
        if _digest(token) == link.token_digest:
            return _url(token)
    serial = secrets.token_hex(16)
    token = _token(offer.id, person.id, serial)
    db.session.add(
        VisitLink(
            offer_id=offer.id,
            person_id=person.id,
            serial=serial,
            token_digest=_digest(token),
            channel=channel,
            address_key=sent_to,
            made_at=now,
        )
    )
    db.session.flush()
    return _url(token)


def opened(token: str, *, now: datetime) -> Opened:
    """What stands behind a link. Raises LinkEnded, with no word on why."""
    row: Any = db.session.execute(
        select(VisitLink, VisitOffer, Case, Person, Visit)
        .join(VisitOffer, VisitOffer.id == VisitLink.offer_id)
        .join(Case, Case.id == VisitOffer.case_id)
        .join(Person, Person.id == VisitLink.person_id)
        .outerjoin(Visit, Visit.id == VisitOffer.visit_id)
        .where(VisitLink.token_digest == _digest(token), VisitLink.ended_at.is_(None), VisitOffer.is_open)
        .options(
            selectinload(Visit.officers),
            selectinload(Case.household).selectinload(Household.people),
            selectinload(Case.tracks),
        )
    ).first()
    if row is None:
        raise LinkEnded
    link, offer, case, person, visit = row
    if not (case.is_open and _may_use(person, case) and _is_still_theirs(link, case, person)):
        raise LinkEnded
    if visit is not None:
        if not (visit.is_booked and visit.starts_at > now):
            raise LinkEnded
    elif offer.ends_at <= now:
        raise LinkEnded
    return Opened(offer, case, person, visit)


def _may_use(person: Person, case: Case) -> bool:
    return (
        person.household_id == case.household_id
        and person.is_applicant
        and person.left_household_on is None
        and not person.no_contact
    )


def _is_still_theirs(link: VisitLink, case: Case, person: Person) -> bool:
    channel = Channel(link.channel)
    address = safe_contact.address_for(case, person, channel)
    return address is not None and hmac.compare_digest(recipient_key(channel, address), link.address_key)


def withdraw(offer: VisitOffer, *, now: datetime) -> None:
    """End every link of an offer now. A visit that is booked stays booked."""
    offer.is_open, offer.chase_on = False, None
    end_links(offer, now=now)


def withdraw_all(case: Case, *, now: datetime) -> None:
    """A household's journey has ended or paused: no link of it opens anything any more."""
    for offer in db.session.scalars(select(VisitOffer).where(VisitOffer.case_id == case.id, VisitOffer.is_open)):
        withdraw(offer, now=now)


def end_links(offer: VisitOffer, *, now: datetime) -> None:
    """No link that was sent so far opens anything any more."""
    db.session.execute(
        update(VisitLink)
        .where(VisitLink.offer_id == offer.id, VisitLink.ended_at.is_(None))
        .values(ended_at=now)
        .execution_options(synchronize_session="fetch")
    )


def let_choose_again(visit: Visit, *, now: datetime) -> VisitOffer | None:
    """After a household called its visit off: its links show the times again. None where they were withdrawn."""
    offer = db.session.scalar(select(VisitOffer).where(VisitOffer.visit_id == visit.id, VisitOffer.is_open))
    if offer is not None:
        offer.visit_id, offer.chosen_at, offer.is_asked = None, None, True
        offer.ends_at = max(offer.ends_at, now + timedelta(days=policy.service().link_days))
        db.session.flush()
    return offer


@dataclass(frozen=True)
class SentTo:
    """One link as staff see it: whose, how it went and when. Whether it was opened is nobody's business."""

    name: str
    channel: str
    made_at: datetime


@dataclass(frozen=True)
class OfferShown:
    """How an offer stands, for staff."""

    offer: VisitOffer
    state: str
    """waiting, chosen, asked, declined, ended or withdrawn"""
    sent_to: tuple[SentTo, ...]
    officers: tuple[str, ...]


def offers_of(case: Case, *, now: datetime) -> list[OfferShown]:
    """Where a household was asked to choose a time itself, the newest first: what runs, and what ended lately."""
    found = db.session.execute(
        select(VisitOffer, Visit.status)
        .outerjoin(Visit, Visit.id == VisitOffer.visit_id)
        .where(VisitOffer.case_id == case.id, VisitOffer.is_asked, VisitOffer.made_at > now - KEPT_FOR)
        .order_by(VisitOffer.id.desc())
    ).all()
    return [_shown(offer, _state(offer, status, now=now)) for offer, status in found]


def offer_shown_of(visit: Visit, *, now: datetime) -> OfferShown | None:
    """The link by which a household can change a booked visit, for staff; None where none works."""
    offer = db.session.scalar(select(VisitOffer).where(VisitOffer.visit_id == visit.id, VisitOffer.is_open))
    if offer is None or not visit.is_booked or visit.starts_at <= now:
        return None
    shown = _shown(offer, "chosen")
    return shown if shown.sent_to else None


def _state(offer: VisitOffer, visit_status: str | None, *, now: datetime) -> str:
    if offer.visit_id is not None and (visit_status == VisitStatus.BOOKED or offer.chosen_at is not None):
        return "chosen"
    if not offer.is_open:
        return "withdrawn"
    if offer.visit_id is not None or offer.ends_at <= now:
        return "ended"
    if offer.declined_at is not None:
        return "declined"
    return "asked" if offer.asked_at is not None else "waiting"


def _shown(offer: VisitOffer, state: str) -> OfferShown:
    links = db.session.execute(
        select(VisitLink, Person)
        .join(Person, Person.id == VisitLink.person_id)
        .where(VisitLink.offer_id == offer.id, VisitLink.ended_at.is_(None))
        .order_by(VisitLink.id)
    ).all()
    names = names_of(offer.officer_ids)
    return OfferShown(
        offer=offer,
        state=state,
        sent_to=tuple(SentTo(person.full_name, link.channel, link.made_at) for link, person in links),
        officers=tuple(names[one] for one in offer.officer_ids if one in names),
    )


def forget_ended(*, now: datetime) -> int:
    """Drop links that have long opened nothing; how many."""
    over = now - KEPT_FOR
    long_over = (
        select(VisitOffer.id)
        .outerjoin(Visit, Visit.id == VisitOffer.visit_id)
        .where(VisitOffer.ends_at < over, or_(Visit.id.is_(None), Visit.starts_at < over))
    )
    gone = or_(VisitLink.ended_at < over, VisitLink.offer_id.in_(long_over))
    return rows_changed(db.session.execute(delete(VisitLink).where(gone).execution_options(synchronize_session=False)))


def waiting_of(case: Case) -> list[VisitOffer]:
    """The offers of a household by which a time may still be chosen, the newest first."""
    return list(
        db.session.scalars(
            select(VisitOffer).where(VisitOffer.case_id == case.id, is_waiting()).order_by(VisitOffer.id.desc())
        )
    )


def is_waiting() -> ColumnElement[bool]:
    """Offers by which a time may still be chosen, whether or not their time is over."""
    return and_(VisitOffer.is_open, VisitOffer.visit_id.is_(None))


def _token(offer_id: int, person_id: int, serial: str) -> str:
    key = hmac.digest(post_room().recipient_secret, b"visit link 1", "sha256")
    raw = hmac.digest(key, f"{offer_id}|{person_id}|{serial}".encode(), "sha256")[:_TOKEN_BYTES]
    return base64.urlsafe_b64encode(raw).decode()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _url(token: str) -> str:
    return f"{post_room().base_url.rstrip('/')}/visit/{token}"

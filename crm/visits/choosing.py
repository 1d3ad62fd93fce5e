"""A household settles its own visit, by its own link: picks a time, changes it, calls it off, or asks for others.

What it does is done by the same operations as staff's (``booking``), under the same locks: of two who want one time one
gets it, whichever door they came by. It learns the times on offer and nothing else of anybody's diary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select

from crm import policy
from crm.access.queries import staff_who_may, user_with
from crm.audit import record
from crm.cases import letters, timeline
from crm.cases.change_stage import claim_version
from crm.cases.models import Case, Person
from crm.cases.queries import visible_cases
from crm.cases.tasks import add_task
from crm.clock import london_date
from crm.db import db
from crm.delivery import Channel
from crm.delivery.wording import and_list, clock_time, day
from crm.rules.permissions import SYSTEM, Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.visits import booking, holds, home_notes, offers, telling
from crm.visits.availability import (
    DAYS_AHEAD,
    SLOTS_APART,
    Slot,
    earliest,
    free_slots,
    nearest_slots,
    read_diaries,
    wanted_by,
)
from crm.visits.booking import SlotTaken
from crm.visits.models import PLACE_WORDS_TO_THEM, Place, Purpose, Visit, VisitHold, VisitOffer
from crm.visits.offers import LinkEnded, Opened

LETTER = "visit_choose"
DAYS_READ = 14
"""London days of diaries that are read for one page of times."""
DAYS_SHOWN = 5
"""Days with times on one page."""
DAY_PARTS = {"morning": "Mornings", "afternoon": "Afternoons", "evening": "Evenings"}
DAYS = {"mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "fri": "Friday", "sat": "Saturday"}
BATCH = 50


class TimeGone(Refusal):
    """The time is not to be had any more. ``slots`` are the nearest that are."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        super().__init__(
            "That time has just gone. Nothing else has changed.",
            alternatives=tuple(booking.say_slot(slot) for slot in slots),
            field="at",
        )
        self.slots = tuple(slots)


class CantChange(Refusal):
    """The household can't change that by itself any more."""


class OfferNotFound(Refusal):
    """No such offer, or not one this person may open: the two are never told apart."""

    def __init__(self) -> None:
        super().__init__("We can’t find that link, or it is not one you can open.", status=404)


class NobodyToSend(Refusal):
    """A link can't be sent like that."""

    default_status = 422


@dataclass(frozen=True)
class Times:
    """The times on one page of an offer."""

    slots: tuple[Slot, ...]
    earlier: date | None
    """From which day the page before begins; None where there is none."""
    later: date | None


def may_change(visit: Visit, *, now: datetime) -> bool:
    """Whether a household can still change or call off a visit by itself."""
    return visit.is_booked and now < changes_until(visit)


def changes_until(visit: Visit) -> datetime:
    """The moment from which a household has to ring about a visit."""
    return visit.starts_at - timedelta(hours=policy.service().change_hours)


def times_on_offer(found: Opened, *, from_day: date | None, now: datetime, today: date) -> Times:
    """The times that a household can choose from, a few days of them from a day on.

    What is held for this very household is on offer to it; whatever else is held is taken.
    """
    first = max(today, from_day or today)
    horizon = today + timedelta(days=DAYS_AHEAD)
    if first > horizon:
        first = today
    slots: list[Slot] = []
    until = first
    while not slots and first <= horizon:
        until = min(first + timedelta(days=DAYS_READ - 1), horizon)
        slots = _free(found, first, until, now=now)
        if not slots:
            first = until + timedelta(days=1)
    days = sorted({slot.on for slot in slots})
    later = days[DAYS_SHOWN] if len(days) > DAYS_SHOWN else until + timedelta(days=1)
    shown = tuple(slot for slot in slots if slot.on in days[:DAYS_SHOWN])
    began = from_day if from_day is not None and today < from_day <= horizon else None
    return Times(
        slots=shown,
        earlier=max(today, began - timedelta(days=7)) if began is not None else None,
        later=later if shown and later <= horizon else None,
    )


def _free(found: Opened, first_day: date, last_day: date, *, now: datetime, apart: int = SLOTS_APART) -> list[Slot]:
    officer_ids, length, place = _visit_wanted(found)
    if not _may_go(found):
        return []
    diaries = read_diaries(
        officer_ids,
        first_day=first_day,
        last_day=last_day,
        wanted=wanted_by(found.case, length_minutes=length, place=place),
        now=now,
        but_for_visit=found.visit.id if found.visit is not None else None,
    )
    free = free_slots(diaries, not_before=earliest(now), apart_minutes=apart)
    held = [
        Slot(hold.starts_at, hold.ends_at, officer_ids)
        for hold in _held(found, now=now)
        if first_day <= london_date(hold.starts_at) <= last_day and hold.starts_at >= earliest(now)
    ]
    return sorted({*free, *held})


def _may_go(found: Opened) -> bool:
    """Whether those who were to come still may: they make visits here, and are two where nobody is to go alone."""
    officer_ids, _, place = _visit_wanted(found)
    able = {user.id for user in staff_who_may(Permission.RECORD_VISIT)}
    return able.issuperset(officer_ids) and home_notes.enough_go(found.case, place=place, officers=len(officer_ids))


def _visit_wanted(found: Opened) -> tuple[tuple[int, ...], int, str]:
    """Who comes, for how many minutes and where: as the visit is booked, else as it is on offer."""
    if found.visit is not None:
        return found.visit.officer_ids, found.visit.length_minutes, found.visit.place
    return found.offer.officer_ids, found.offer.length_minutes, found.offer.place


def _held(found: Opened, *, now: datetime) -> list[VisitHold]:
    """Times held for this household that are what is on offer to it."""
    if found.visit is not None:
        return []
    officer_ids, length, _ = _visit_wanted(found)
    return [
        hold
        for hold in holds.holds_of(found.case, now=now)
        if hold.officer_ids == officer_ids and hold.length_minutes == length
    ]


def choose(found: Opened, *, starts_at: datetime, now: datetime, today: date, rulebook: Rulebook) -> Visit:
    """Pick a time, or another time for the visit that is booked. Everybody is told as if one of us had done it.

    1. Keep whoever else changes this household's visits waiting, and see that nothing has changed meanwhile.
    2. See that the time is still one that this household would be offered, by every rule for times.
    3. Book or move; the database has the last word.

    Raises TimeGone with the nearest times, CantChange, or LinkEnded.
    """
    _claim(found)
    visit, case = found.visit, found.case
    if visit is not None and not may_change(visit, now=now):
        raise _too_late(visit)
    if visit is not None and visit.starts_at == starts_at:
        return visit
    on = london_date(starts_at)
    if not any(slot.starts_at == starts_at for slot in _free(found, on, on, now=now, apart=0)):
        raise TimeGone(_nearest(found, to=starts_at, now=now, today=today))
    officer_ids, length, place = _visit_wanted(found)
    given: dict[str, Any] = {"actor": found.actor, "now": now, "today": today, "rulebook": rulebook}
    try:
        if visit is not None:
            return booking.move_visit(
                visit, case, starts_at=starts_at, length_minutes=length, officer_ids=officer_ids, **given
            )
        hold = next((one for one in _held(found, now=now) if one.starts_at == starts_at), None)
        booked = booking.book_visit(
            case,
            purpose=Purpose(found.offer.purpose),
            place=Place(place),
            starts_at=starts_at,
            length_minutes=length,
            officer_ids=officer_ids,
            hold=hold,
            **given,
        )
        for other in holds.holds_of(case, now=now):
            holds.let_go(other, case, actor=found.actor, now=now)
        return booked
    except SlotTaken as taken:
        raise TimeGone(taken.slots) from taken


def call_off(found: Opened, *, reason: str, now: datetime, today: date, rulebook: Rulebook) -> None:
    """Call the booked visit off. The link then shows times again; the owner rings. Raises CantChange or LinkEnded."""
    _claim(found)
    visit = found.visit
    if visit is None:
        raise LinkEnded
    if not may_change(visit, now=now):
        raise _too_late(visit)
    offers.let_choose_again(visit, now=now)
    booking.cancel_visit(
        visit,
        found.case,
        reason=reason.strip() or "They called it off by their link, and gave no reason.",
        actor=found.actor,
        now=now,
        today=today,
        rulebook=rulebook,
    )
    _ask_owner(
        found.case,
        f"They called off the visit of {day(visit.starts_at)}. Find out what would suit them",
        actor=found.actor, now=now, today=today, rulebook=rulebook,
    )  # fmt: skip


def ask_for_others(
    found: Opened,
    *,
    days: Sequence[str],
    parts: Sequence[str],
    words: str,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> None:
    """Ask for times that we did not offer. What is booked stays booked; the owner has until the next working day."""
    _claim(found)
    offer, case, actor = found.offer, found.case, found.actor
    suits = " ".join(
        part
        for part in (
            f"{and_list(DAYS[one] for one in DAYS if one in days)}." if days else "",
            f"{and_list(DAY_PARTS[one] for one in DAY_PARTS if one in parts)}." if parts else "",
            words.strip(),
        )
        if part
    )
    again = offer.asked_at is not None and offer.asked == suits
    offer.asked, offer.asked_at = suits, now
    offer.chase_on, offer.declined_at = None, None
    if again:
        return
    timeline.add(
        case, kind="visit", title="They asked for other times for the visit", detail=suits, actor=actor, occurred_at=now
    )
    _note("visit.other_times", found, now=now)
    _ask_owner(
        case, "They asked for other times for the visit. Ring them, or send other times",
        actor=actor, now=now, today=today, rulebook=rulebook,
    )  # fmt: skip


def say_no(found: Opened, *, reason: str, now: datetime, today: date, rulebook: Rulebook) -> None:
    """Say that no visit is wanted for now. Nothing ends by it: the owner rings, and the times stay on offer."""
    _claim(found)
    if found.visit is not None:
        raise LinkEnded
    if found.offer.declined_at is not None:
        return
    found.offer.declined_at, found.offer.chase_on = now, None
    timeline.add(
        found.case, kind="visit", title="They want no visit for now", detail=reason.strip() or None, actor=found.actor,
        occurred_at=now,
    )  # fmt: skip
    _note("visit.not_wanted", found, now=now)
    _ask_owner(
        found.case, "They said by their link that they want no visit for now. Ring them",
        actor=found.actor, now=now, today=today, rulebook=rulebook,
    )  # fmt: skip


def _claim(found: Opened) -> None:
    """Keep others who change this household waiting; then see that what the link showed still stands.

    Raises CaseHasMovedOn where somebody was quicker by a moment, and LinkEnded where the link was ended meanwhile.
    """
    seen = (found.offer.visit_id, found.visit.version if found.visit is not None else None)
    claim_version(found.case, None)
    db.session.refresh(found.offer)
    if found.visit is not None:
        db.session.refresh(found.visit)
    if not found.offer.is_open:
        raise LinkEnded
    if seen != (found.offer.visit_id, found.visit.version if found.visit is not None else None):
        raise CantChange("Somebody changed the visit a moment ago. Look how it stands now, then choose again.")


def _too_late(visit: Visit) -> CantChange:
    return CantChange(
        f"The visit is too near to be changed here: that was open until {day(changes_until(visit))}, "
        f"{clock_time(changes_until(visit))}. Ring us, and we sort it out together."
    )


def _nearest(found: Opened, *, to: datetime, now: datetime, today: date) -> list[Slot]:
    officer_ids, length, place = _visit_wanted(found)
    if not _may_go(found):
        return []
    return nearest_slots(
        officer_ids,
        to=to,
        wanted=wanted_by(found.case, length_minutes=length, place=place),
        now=now,
        today=today,
        but_for_visit=found.visit.id if found.visit is not None else None,
    )


def _ask_owner(case: Case, title: str, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> None:
    if case.owner_id is not None:
        add_task(
            title=title,
            assigned_to_id=case.owner_id,
            due_on=rulebook.calendar.next_working_day(today),
            actor=actor,
            now=now,
            case=case,
        )


def _note(event: str, found: Opened, *, now: datetime) -> None:
    record(event, actor=found.actor, at=now, case_id=found.case.id, subject=f"visit_offer:{found.offer.id}")


# --- Our side ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reach:
    """Whether and how the link would go to one person."""

    person: Person
    to: tuple[Channel, str] | None
    """By which way and where to; None where it can't go."""
    why_not: str | None


def who_is_reached(case: Case, *, now: datetime) -> list[Reach]:
    """How the link would go to each of the applicants; two who share a mailbox get one between them."""
    reached = []
    for person in telling.told_people(case):
        ways = letters.ways_it_could_go(LETTER, case, person, now=now)
        way = next((one for one in ways if one.is_taken), None)
        reached.append(
            Reach(
                person=person,
                to=(way.channel, way.address) if way and way.address else None,
                why_not=None if way else letters.why_not_reachable(LETTER, case, person, now=now),
            )
        )
    return reached


def send_offer(
    case: Case,
    *,
    purpose: Purpose,
    place: Place,
    length_minutes: int,
    officer_ids: Sequence[int],
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> VisitOffer:
    """Let a household choose a time itself: each applicant is sent a link of their own. Earlier ones end.

    Raises VisitNotBookable where such a visit does not fit, NotAlone, and NobodyToSend where nobody can be reached or
    nothing is free.
    """
    require(actor, Permission.BOOK_VISIT)
    chosen = booking.chosen_officers(officer_ids)
    booking.fits(case, purpose)
    claim_version(case, None)
    home_notes.check_enough_go(case, place=place, officers=len(chosen))
    offer = offers.new_offer(
        case, purpose=purpose, place=place, length_minutes=length_minutes, officer_ids=chosen, actor=actor, now=now
    )
    found = Opened(offer, case, case.household.people[0], None)
    if not times_on_offer(found, from_day=None, now=now, today=today).slots:
        raise NobodyToSend(
            f"Nothing is free in the next {DAYS_AHEAD} days for that. Choose a shorter visit, or somebody else.",
            field="officers",
        )
    _send(offer, case, actor=actor, now=now, today=today, rulebook=rulebook)
    return offer


def send_again(offer: VisitOffer, case: Case, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> None:
    """Send new links for an offer that waits. The ones before open nothing from now on."""
    require(actor, Permission.BOOK_VISIT)
    if not offer.is_open or offer.visit_id is not None:
        raise NobodyToSend("That link was withdrawn, or a time was chosen. Send a new one.", status=409)
    claim_version(case, None)
    offers.end_links(offer, now=now)
    offer.ends_at = now + timedelta(days=policy.service().link_days)
    offer.declined_at = offer.asked_at = offer.asked = None
    _send(offer, case, actor=actor, now=now, today=today, rulebook=rulebook)


def withdraw(offer: VisitOffer, case: Case, *, actor: Actor, now: datetime) -> None:
    """End the links of an offer now. Withdrawn already, it stays so."""
    require(actor, Permission.BOOK_VISIT)
    if not offer.is_open:
        return
    claim_version(case, None)
    offers.withdraw(offer, now=now)
    timeline.add(case, kind="visit", title="The link to choose a time was withdrawn", actor=actor, occurred_at=now)
    record("visit.link_withdrawn", actor=actor, at=now, case_id=case.id, subject=f"visit_offer:{offer.id}")


def offer_for(actor: Actor, offer_id: int, *, today: date) -> tuple[VisitOffer, Case]:
    """An offer and its case, for somebody who may open that case. Raises OfferNotFound."""
    row = db.session.execute(
        select(VisitOffer, Case)
        .join(Case, Case.id == VisitOffer.case_id)
        .where(VisitOffer.id == offer_id, visible_cases(actor, today=today))
    ).first()
    if row is None:
        raise OfferNotFound
    return row[0], row[1]


def _send(offer: VisitOffer, case: Case, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> None:
    reached = [(one.person, one.to) for one in who_is_reached(case, now=now) if one.to is not None]
    if not reached:
        raise NobodyToSend(
            "Nobody of this household can be sent a link: it goes by email or by text. Ring them, and book the time.",
            status=409,
        )
    offer.chase_on = rulebook.calendar.add(today, policy.service().chase_days)
    offer.times_sent += 1
    for person, (channel, address) in reached:
        letters.send_letter(
            LETTER,
            case=case,
            person=person,
            context={
                "choose_url": offers.link_for(offer, person, channel=channel, address=address, now=now),
                "minutes": offer.length_minutes,
                "officers": [first_name(user_with(officer_id).name) for officer_id in offer.officer_ids],
                "place": PLACE_WORDS_TO_THEM[Place(offer.place)].lower(),
                "expires_at": offer.ends_at,
            },
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            occasion=f"offer{offer.id}:{offer.times_sent}",
            channel=channel,
            stream=f"offer{offer.id}:person{person.id}",
            sequence=offer.times_sent,
            not_after=offer.ends_at,
        )
    record("visit.link_sent", actor=actor, at=now, case_id=case.id, subject=f"visit_offer:{offer.id}")


def first_name(name: str) -> str:
    """What a household calls one of us: no more of the name is shown before they meet."""
    return name.split()[0]


def has_unchosen(now: datetime) -> bool:
    """Whether there is a household of which the owner is to be told that it has not chosen. Takes no lock."""
    return db.session.scalar(select(VisitOffer.id).where(*_unchosen(now)).limit(1)) is not None


def chase_unchosen(now: datetime) -> int:
    """Tell owners which households have not chosen a time; how many. For the timetable."""
    today = london_date(now)
    rows = db.session.execute(
        select(VisitOffer, Case)
        .join(Case, Case.id == VisitOffer.case_id)
        .where(*_unchosen(now))
        .order_by(VisitOffer.id)
        .limit(BATCH)
        .with_for_update(of=VisitOffer, skip_locked=True)
    ).all()
    for offer, case in rows:
        offer.chase_on = None
        if case.is_open and case.owner_id is not None:
            add_task(
                title=f"They have not chosen a time for the visit since {day(offer.made_at)}. Ring them",
                assigned_to_id=case.owner_id,
                due_on=today,
                actor=SYSTEM,
                now=now,
                case=case,
            )
    db.session.flush()
    return len(rows)


def _unchosen(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (VisitOffer.chase_on.is_not(None), VisitOffer.chase_on <= london_date(now), offers.is_waiting())

"""What follows an event: each thing once, by itself, on the next working day.

1. Whoever came and asked is in the queue within minutes of being checked in; the clock runs from the event.
2. On the next working day at 9 o'clock: those who asked and did not come are in the queue too, people are thanked,
   those who did not come are told that they were missed, the thinking get something to read; the ready are rung.
3. Half a year later, whoever is no enquirer and agreed to no news is forgotten; the counts stay.

Ten minutes pass between a check-in and its enquiry, so that a wrong tap can be taken back before anybody is written to.
Those nine hours and that night also let a phone without signal bring in its entries.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import Exists, Select, and_, exists, or_, select, update
from sqlalchemy.orm import selectinload

from crm import policy
from crm.audit import record
from crm.cases import letters
from crm.cases.consents import consents_in_force
from crm.cases.models import Case, Enquiry, Person, PersonRole
from crm.cases.open_case import NewConsent, NewPerson
from crm.cases.tasks import add_task
from crm.clock import LONDON, london_date
from crm.db import db
from crm.delivery.post_room import post_room
from crm.events import guest_stops, places, telling
from crm.events.door import log_enquirer
from crm.events.models import (
    EventConsent,
    EventGuest,
    EventSignUp,
    EventStatus,
    EventStep,
    RecruitmentEvent,
    SignUpSource,
    SignUpStatus,
)
from crm.rules.permissions import SYSTEM
from crm.rules.rulebook import Rulebook

FOLLOW_UP_AT = time(9)
WRONG_TAP_WITHIN = timedelta(minutes=10)
NO_LETTERS_AFTER = timedelta(days=7)
"""An event that was followed up later than this (the service stood still) thanks nobody any more."""
LOOK_BACK = timedelta(days=60)
NURTURE_AFTER = timedelta(days=28)
GUESTS_KEPT = timedelta(days=183)
GUESTS_WITH_CONSENT_KEPT = timedelta(days=730)
BATCH = 100

STEP_WORDS = {
    "enquiries": "Whoever asked is in the queue",
    "thanks": "Thank-yous",
    "missed": "Word to those who did not come",
    "tasks": "Calls to those who are ready",
    "nurture": "Something to read for those who think it over",
}
"""What follows an event, in order, as staff read it."""


def follow_up_due(event: RecruitmentEvent, rulebook: Rulebook) -> datetime:
    """When an event is followed up: the next working day after it, at nine in London."""
    on = rulebook.calendar.next_working_day(london_date(event.ends_at))
    return datetime.combine(on, FOLLOW_UP_AT, LONDON)


# --- Into the queue ---------------------------------------------------------------------------------------------------


def has_askers(now: datetime) -> bool:
    """Whether somebody came, asked and is not in the queue yet."""
    return db.session.scalar(_askers(now).limit(1)) is not None


def queue_those_who_asked(now: datetime) -> int:
    """Make enquiries of those who came and asked; how many. For the timetable."""
    today = london_date(now)
    rulebook = policy.rulebook_on(today)
    ids = db.session.scalars(_askers(now).limit(BATCH)).all()
    for row in _whole(ids):
        make_enquiry(row, now=now, today=today, rulebook=rulebook)
    return len(ids)


def _askers(now: datetime) -> Select[int]:
    """Followed up or not: a phone that finds signal on Tuesday brings in who asked on Saturday."""
    return (
        select(EventSignUp.id)
        .join(RecruitmentEvent, RecruitmentEvent.id == EventSignUp.event_id)
        .where(
            RecruitmentEvent.starts_at > now - LOOK_BACK,
            EventSignUp.enquiry_id.is_(None),
            EventSignUp.forgotten_at.is_(None),
            or_(EventSignUp.wants_call, EventSignUp.interest.in_(("ready", "thinking"))),
            exists().where(EventGuest.sign_up_id == EventSignUp.id, EventGuest.attended_at <= now - WRONG_TAP_WITHIN),
            exists().where(
                EventGuest.sign_up_id == EventSignUp.id,
                or_(EventGuest.email.is_not(None), EventGuest.phone.is_not(None)),
            ),
        )
        .order_by(EventSignUp.id)
    )


def make_enquiry(row: EventSignUp, *, now: datetime, today: date, rulebook: Rulebook) -> Case | None:
    """Somebody who signed up and asked becomes an enquiry, once. None where there is no way to reach them."""
    if row.enquiry_id is not None or not any(guest.email or guest.phone for guest in row.guests):
        return None
    event = row.event
    came = [guest.attended_at for guest in row.guests if guest.attended_at is not None]
    mark = f"event-sign-up:{row.id}"
    logged = log_enquirer(
        event,
        people=_people(row),
        actor=SYSTEM,
        now=now,
        today=today,
        rulebook=rulebook,
        postcode=row.postcode,
        interest=row.interest,
        said=_said(row),
        facts={"privacy_notice": f"Version {row.privacy_version}"} if row.privacy_version else None,
        one_time_id=mark,
        send_letters=now - event.ends_at <= NO_LETTERS_AFTER,
        happened_at=min(came) if came else event.ends_at,
    )
    row.enquiry_id = db.session.scalar(select(Enquiry.id).where(Enquiry.one_time_id == mark))
    db.session.flush()
    return logged.case


def _people(row: EventSignUp) -> list[NewPerson]:
    consents: dict[int, list[NewConsent]] = {}
    ids = [guest.id for guest in row.guests]
    for one in db.session.scalars(select(EventConsent).where(EventConsent.guest_id.in_(ids)).order_by(EventConsent.id)):
        consents.setdefault(one.guest_id, []).append(NewConsent(one.channel, one.given, one.wording_version))
    roles = (PersonRole.APPLICANT_1, PersonRole.APPLICANT_2)
    return [
        NewPerson(
            given_name=guest.given_name,
            family_name=guest.family_name,
            role=roles[guest.position - 1],
            email=guest.email,
            phone=guest.phone,
            contact_times=row.contact_times if guest.position == 1 else None,
            consents=tuple(consents.get(guest.id, ())),
        )
        for guest in row.guests
    ]


def _said(row: EventSignUp) -> str | None:
    parts = [row.question, f"Would help them to come: {row.needs}" if row.needs else None]
    return "\n".join(part for part in parts if part) or None


# --- The next working day ---------------------------------------------------------------------------------------------


def has_event_to_follow_up(now: datetime) -> bool:
    """Whether an event has ended and is not followed up yet, due or not."""
    return db.session.scalar(_ended(now).limit(1)) is not None


def follow_up_events(now: datetime) -> int:
    """Follow up one event whose time has come; how many that were. For the timetable."""
    today = london_date(now)
    rulebook = policy.rulebook_on(today)
    for event_id in db.session.scalars(_ended(now).limit(BATCH)).all():
        event = db.session.get_one(RecruitmentEvent, event_id)
        if follow_up_due(event, rulebook) <= now:
            follow_up(event, now=now, today=today, rulebook=rulebook)
            return 1
    return 0


def _ended(now: datetime) -> Select[int]:
    return (
        select(RecruitmentEvent.id)
        .where(
            RecruitmentEvent.followed_up_at.is_(None),
            RecruitmentEvent.ends_at <= now,
            RecruitmentEvent.status != EventStatus.CANCELLED,
        )
        .order_by(RecruitmentEvent.ends_at, RecruitmentEvent.id)
    )


def follow_up(event: RecruitmentEvent, *, now: datetime, today: date, rulebook: Rulebook) -> None:
    """All that follows one event, in one transaction: it has happened, or nothing of it has.

    Whatever is asked for twice (two workers, a restart) is found done: by the row of each step, and by the key of each
    letter.
    """
    places.hold(event)
    if event.followed_up_at is not None:
        return
    writes = now - event.ends_at <= NO_LETTERS_AFTER
    rows = _whole(
        db.session.scalars(
            select(EventSignUp.id)
            .where(
                EventSignUp.event_id == event.id,
                EventSignUp.forgotten_at.is_(None),
                or_(EventSignUp.status != SignUpStatus.CANCELLED, _somebody_came()),
            )
            .order_by(EventSignUp.id)
        ).all()
    )
    counts = dict.fromkeys(STEP_WORDS, 0)
    for row in rows:
        if row.asked and row.status != SignUpStatus.WAITING:
            make_enquiry(row, now=now, today=today, rulebook=rulebook)
        counts["enquiries"] += row.enquiry_id is not None
    cases = _cases_of(rows)
    for row in rows:
        case = cases.get(row.enquiry_id) if row.enquiry_id else None
        if any(guest.attended_at for guest in row.guests):
            if writes:
                counts["thanks"] += _thank(event, row, case, now=now, today=today, rulebook=rulebook)
        elif row.status == SignUpStatus.CONFIRMED and row.source != SignUpSource.WALK_IN and writes:
            counts["missed"] += sum(telling.tell_missed(event, guest, now=now) for guest in telling.readers(row)[:1])
    counts["tasks"], counts["nurture"] = _look_after(event, now=now, today=today, rulebook=rulebook, writes=writes)
    for name, count in counts.items():
        db.session.add(EventStep(event_id=event.id, name=name, done_at=now, count=count))
    event.followed_up_at = now
    db.session.flush()
    record("event.followed_up", actor=SYSTEM, at=now, subject=f"event:{event.id}", detail=counts)


def _thank(
    event: RecruitmentEvent, row: EventSignUp, case: Case | None, *, now: datetime, today: date, rulebook: Rulebook
) -> int:
    """Thank everybody of a party who came: in the words for enquirers, where they agreed to be written to."""
    thanked = 0
    agreed = {
        one.guest_id
        for one in db.session.scalars(
            select(EventConsent).where(
                EventConsent.guest_id.in_([guest.id for guest in row.guests]),
                EventConsent.channel == "email",
                EventConsent.given,
            )
        )
    }
    readers = telling.readers(row)
    for guest in row.guests:
        if guest.attended_at is None or guest not in readers:
            continue
        if case is None:
            thanked += telling.thank(event, guest, may_invite=guest.id in agreed, now=now)
        else:
            thanked += _thank_enquirer(event, guest, case, now=now, today=today, rulebook=rulebook)
    return thanked


def _thank_enquirer(
    event: RecruitmentEvent, guest: EventGuest, case: Case, *, now: datetime, today: date, rulebook: Rulebook
) -> int:
    """An enquirer has had our acknowledgement. The warmer letter invites them on, so it goes to those who agreed."""
    person = next((one for one in case.household.people if one.email_key == guest.email_key), None)
    if person is None or not _agreed_to_email(person):
        return 0
    if letters.why_not_reachable("event_thank_you", case, person, now=now):
        return 0
    met = telling.who_was_there(event)
    sent = letters.send_letter(
        "event_thank_you",
        case=case,
        person=person,
        context={
            "event_name": event.name,
            "event_on": london_date(event.starts_at),
            "met_name": met or policy.service().name,
            "call_by": case.next_action_due_on if case.place == "new" else None,
            "start_url": f"{post_room().base_url}/",
        },
        actor=SYSTEM,
        now=now,
        today=today,
        rulebook=rulebook,
        occasion=f"event{event.id}",
    )
    return int(sent is not None)


def _agreed_to_email(person: Person) -> bool:
    held = consents_in_force([person.id]).get(person.id, {}).get("email")
    return held is not None and held.given


def _look_after(
    event: RecruitmentEvent, *, now: datetime, today: date, rulebook: Rulebook, writes: bool
) -> tuple[int, int]:
    """Everybody met at the event who is in the queue: how many are ready and not rung yet, and something to read for
    each who thinks it over and agreed to it, with a task to ask again in four weeks."""
    rows = db.session.execute(
        select(Case, Enquiry.interest)
        .join(Enquiry, Enquiry.case_id == Case.id)
        .where(
            Enquiry.campaign_id == event.campaign_id,
            Enquiry.interest.in_(("ready", "thinking")),
            Case.is_open,
            Case.owner_id.is_not(None),
        )
        .order_by(Case.id, Enquiry.id)
        .options(selectinload(Case.household))
    ).all()
    latest = {case.id: (case, interest) for case, interest in rows}
    calls = nurtured = 0
    for case, interest in latest.values():
        if interest == "ready" and case.place == "new":
            # The clock of the first call is on the owner's day already: a task beside it would ask for it twice.
            calls += 1
        elif interest == "thinking" and writes:
            nurtured += _nurture(event, case, now=now, today=today, rulebook=rulebook)
    return calls, nurtured


def _nurture(event: RecruitmentEvent, case: Case, *, now: datetime, today: date, rulebook: Rulebook) -> int:
    person = next((one for one in case.household.people if one.is_applicant and one.email), None)
    if person is None or not _agreed_to_email(person):
        return 0
    if letters.why_not_reachable("information_pack", case, person, now=now):
        return 0
    letters.send_letter(
        "information_pack",
        case=case,
        person=person,
        context={},
        actor=SYSTEM,
        now=now,
        today=today,
        rulebook=rulebook,
        occasion=f"event{event.id}",
    )
    later = (now + NURTURE_AFTER).date()
    add_task(
        title=f"{case.household.name} thought it over at {event.name}: ask how they feel now",
        assigned_to_id=case.owner_id or 0,
        due_on=later if rulebook.calendar.is_working_day(later) else rulebook.calendar.next_working_day(later),
        actor=SYSTEM,
        now=now,
        case=case,
    )
    return 1


def _whole(ids: Iterable[int]) -> list[EventSignUp]:
    return list(
        db.session.scalars(
            select(EventSignUp)
            .where(EventSignUp.id.in_(list(ids)))
            .order_by(EventSignUp.id)
            .options(selectinload(EventSignUp.guests), selectinload(EventSignUp.event))
        )
    )


def _cases_of(rows: Iterable[EventSignUp]) -> dict[int, Case]:
    ids = [row.enquiry_id for row in rows if row.enquiry_id]
    found = db.session.execute(
        select(Enquiry.id, Case).join(Case, Case.id == Enquiry.case_id).where(Enquiry.id.in_(ids))
    ).all()
    return dict(found)


def _somebody_came() -> Exists:
    return exists().where(EventGuest.sign_up_id == EventSignUp.id, EventGuest.attended_at.is_not(None))


# --- The day before ---------------------------------------------------------------------------------------------------

REMIND_FROM = time(9)
JUST_TOLD = timedelta(hours=12)


def remind_for_tomorrow(now: datetime) -> int:
    """Remind those who have a place tomorrow; how many sign-ups were dealt with. For the timetable.

    Whoever got their place in the last hours knows already.
    """
    today = london_date(now)
    if now < datetime.combine(today, REMIND_FROM, LONDON):
        return 0
    tomorrow = datetime.combine(today + timedelta(days=1), time(0), LONDON)
    rows = _whole(
        db.session.scalars(
            select(EventSignUp.id)
            .join(RecruitmentEvent, RecruitmentEvent.id == EventSignUp.event_id)
            .where(
                RecruitmentEvent.status == EventStatus.PUBLISHED,
                RecruitmentEvent.starts_at >= tomorrow,
                RecruitmentEvent.starts_at < datetime.combine(today + timedelta(days=2), time(0), LONDON),
                EventSignUp.status == SignUpStatus.CONFIRMED,
                EventSignUp.source != SignUpSource.WALK_IN,
                EventSignUp.reminded_at.is_(None),
            )
            .order_by(EventSignUp.id)
            .limit(BATCH)
        ).all()
    )
    for row in rows:
        row.reminded_at = now
        if now - max(row.signed_up_at, row.moved_up_at or row.signed_up_at) >= JUST_TOLD:
            telling.remind(row.event, row, now=now)
    db.session.flush()
    return len(rows)


# --- Forgetting -------------------------------------------------------------------------------------------------------


def forget_guests(now: datetime) -> int:
    """Take names, ways to reach them and their words out of old sign-ups; how many. For the timetable.

    Whoever asked lives on in their case. Whoever agreed to news is kept for two years (domain: retention).
    """
    agreed = exists().where(
        EventGuest.sign_up_id == EventSignUp.id,
        EventGuest.stops.is_(None),
        EventConsent.guest_id == EventGuest.id,
        EventConsent.given,
    )
    old = db.session.scalars(
        select(EventSignUp.id)
        .join(RecruitmentEvent, RecruitmentEvent.id == EventSignUp.event_id)
        .where(
            EventSignUp.forgotten_at.is_(None),
            RecruitmentEvent.ends_at < now - GUESTS_KEPT,
            or_(
                RecruitmentEvent.ends_at < now - GUESTS_WITH_CONSENT_KEPT,
                EventSignUp.enquiry_id.is_not(None),
                and_(EventSignUp.enquiry_id.is_(None), ~agreed),
            ),
        )
        .limit(BATCH)
    ).all()
    if not old:
        return 0
    guest_stops.forget_links(list(db.session.scalars(select(EventGuest.id).where(EventGuest.sign_up_id.in_(old)))))
    nothing = {"email": None, "email_key": None, "phone": None, "phone_key": None, "family_name": None}
    db.session.execute(
        update(EventGuest).where(EventGuest.sign_up_id.in_(old)).values(given_name="Somebody", **nothing)
    )
    db.session.execute(
        update(EventSignUp)
        .where(EventSignUp.id.in_(old))
        .values(
            needs_sealed=None,
            question_sealed=None,
            link_hash=None,
            link_sealed=None,
            postcode=None,
            contact_times=None,
            forgotten_at=now,
        )
    )
    return len(old)


@dataclass(frozen=True)
class StepLine:
    """One line of the checklist that follows an event."""

    words: str
    done_at: datetime | None
    count: int


def checklist(event: RecruitmentEvent) -> list[StepLine]:
    """What follows the event, done or to come. Nothing for one that was followed up before this was kept."""
    done = {row.name: row for row in db.session.scalars(select(EventStep).where(EventStep.event_id == event.id))}
    if event.followed_up_at is not None and not done:
        return []
    return [
        StepLine(words, done[name].done_at if name in done else None, done[name].count if name in done else 0)
        for name, words in STEP_WORDS.items()
    ]

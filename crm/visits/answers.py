"""What people answer to the invitation to a visit: shown on the visit and on the case, and with a task where somebody
has to do something.

An answer moves nothing and calls nothing off: it costs nothing to write one in somebody else's name. It is known by the
UID of its invitation, which only that mailbox was sent, and by whom it says it is from. What fits the one and not the
other is laid where a person looks at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from crm import policy
from crm.access.models import User
from crm.access.queries import names_of, user_with
from crm.audit import record
from crm.calendars import invitations, itip
from crm.calendars.caldav_text import NotOurKind
from crm.calendars.itip import Answer, Method, Said, Stand
from crm.calendars.models import CalendarObject
from crm.cases import replies, timeline
from crm.cases.merge_queries import person_behind
from crm.cases.models import Case, Person, Task
from crm.cases.queries import case_by_id
from crm.cases.replies import Placed
from crm.cases.tasks import add_task
from crm.db import db
from crm.delivery.incoming import IncomingMail
from crm.delivery.models import IncomingOutcome
from crm.delivery.wording import clock_time, day
from crm.rules.permissions import SYSTEM, Actor, Permission, Sensitivity, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.visits import booking, from_calendar, mail_door, telling
from crm.visits.models import Visit, VisitAnswer
from crm.visits.telling import Occasion

LONGEST_WORDS = 2_000
SAID = {
    Answer.ACCEPTED: "says yes to the visit on",
    Answer.TENTATIVE: "says maybe to the visit on",
    Answer.DECLINED: "says no to the visit on",
    Answer.COUNTER: "asks for another time than",
}
TASKS = {
    Answer.DECLINED: "They say no to the visit on {when}. Get in touch, then move it or call it off",
    Answer.COUNTER: "They ask for another time than {when}. Look at the visit, then move it or say that it stays",
}


class NoSuchAnswer(Refusal):
    """There is no such answer, or it is to another visit: the two are never told apart."""

    def __init__(self) -> None:
        super().__init__("We can’t find that answer.", status=404)


class NothingToAnswer(Refusal):
    """The answer asks for nothing, any more."""


# --- Coming in --------------------------------------------------------------------------------------------------------


def take_answer(mail: IncomingMail, *, whose: tuple[Case, Person] | None, now: datetime, today: date) -> Placed | None:
    """File the answer to an invitation that a message holds; None where it holds none. Bound to what comes in.

    1. Its UID says which visit, and which mailbox was invited.
    2. It has to be that mailbox's: by its attendee, or by the signed address that the message came to.
    3. One that a later answer or a later invitation has overtaken changes nothing.
    """
    try:
        said = itip.read(mail.calendar or "", now=now)
    except NotOurKind:
        return None
    if said is None or said.method not in (Method.REPLY, Method.COUNTER):
        return None
    event = invitations.object_with_uid(said.uid)
    if event is None or event.visit_id is None:
        return None
    from_calendar.hold_visit(visit_id=event.visit_id, summary="", actor=SYSTEM, today=today)
    visit = db.session.get_one(Visit, event.visit_id, populate_existing=True)
    db.session.refresh(event)
    case = case_by_id(visit.case_id)
    if event.user_id is not None:
        return _take_officers(mail, said, event, visit, case, now=now, today=today)
    person = _person_of(event)
    if person is None:
        return None
    answer = _answer_of(said, event, person, visit)
    if answer is None and whose is not None and (whose[0].id, whose[1].id) == (case.id, person.id):
        answer = _only_answer_in(said, visit)
    if answer is None:
        return Placed(outcome=IncomingOutcome.TRAY, why="other_mailbox", text=_in_words(said, mail))
    if replies.is_flooded(case, now=now):
        return Placed(outcome=IncomingOutcome.TRAY, why="too_many", text=_in_words(said, mail))
    kept = keep_answer(event, visit, said, answer, words=_words(said, mail, answer), now=now)
    if kept is None:
        return Placed(outcome=IncomingOutcome.AUTOMATIC, case=case, person=person)
    _tell(kept, visit, case, person, now=now, today=today)
    return Placed(outcome=IncomingOutcome.FILED, case=case, person=person)


def lay_aside(mail: IncomingMail, *, whose: tuple[Case, Person] | None, now: datetime, today: date) -> Placed | None:
    """An answer that is to no invitation that anybody here knows is for a person to look at. Asked last."""
    try:
        said = itip.read(mail.calendar or "", now=now)
    except NotOurKind:
        return None
    if said is None or said.method not in (Method.REPLY, Method.COUNTER):
        return None
    return Placed(outcome=IncomingOutcome.TRAY, why="no_invitation", text=_in_words(said, mail))


def _take_officers(
    mail: IncomingMail, said: Said, event: CalendarObject, visit: Visit, case: Case, *, now: datetime, today: date
) -> Placed:
    """What an officer answers to an invitation of ours. Where it is proven that it is theirs, a no calls the visit off
    and another time moves it, as if they had done it in a calendar kept with us; otherwise it is only shown."""
    officer = user_with(event.user_id or 0)
    answer = None
    for address, _ in said.attendees:
        if invitations.is_mailbox_of(event, address) or address == officer.email.lower():
            answer = _as_meant(said, said.answer_of(address), visit)
            break
    if answer is None:
        return Placed(outcome=IncomingOutcome.TRAY, why="other_mailbox", text=_in_words(said, mail))
    invitations.hold_calendars({officer.id, *visit.officer_ids}, now=now)
    is_proven = officer.active and officer.id in visit.officer_ids and mail_door.is_proven(officer, mail)
    kept = keep_answer(event, visit, said, answer, words=_words(said, mail, answer), now=now, is_proven=is_proven)
    if kept is None:
        return Placed(outcome=IncomingOutcome.AUTOMATIC, case=case)
    record(
        "visit.answered",
        actor=officer.as_actor() if is_proven else SYSTEM,
        at=now,
        case_id=case.id,
        subject=f"visit:{visit.id}",
        detail={"answer": answer.value, "by": f"user:{officer.id}", "proven": is_proven},
    )
    if is_proven:
        _do_as_officer_says(kept, event, visit, case, officer, now=now, today=today)
    elif answer in TASKS:
        title = f"An answer in the name of {officer.name} to the visit on {booking.say_slot(visit)} is not proven. Ask"
        put_on_list(title, visit, case, now=now, today=today)
    return Placed(outcome=IncomingOutcome.FILED, case=case)


def _do_as_officer_says(
    kept: VisitAnswer, event: CalendarObject, visit: Visit, case: Case, officer: User, *, now: datetime, today: date
) -> None:
    actor, rulebook = officer.as_actor(), policy.rulebook_on(today)
    if kept.answer in (Answer.ACCEPTED, Answer.TENTATIVE):
        from_calendar.come_after_all(visit, actor=actor)
    elif kept.answer == Answer.DECLINED:
        from_calendar.decline(visit, actor=actor, now=now, today=today, rulebook=rulebook)
    elif kept.proposed_from_at is not None and kept.proposed_until_at is not None:
        verdict = from_calendar.move_to(
            visit,
            kept.proposed_from_at,
            kept.proposed_until_at,
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
        )
        kept.settled_at, kept.settled_by_id = now, officer.id
        if verdict.problem is not None:
            why, *instead = (verdict.said or "").split("\n")
            telling.tell_officer_it_stays(
                event,
                visit,
                case,
                officer,
                Occasion(actor=actor, now=now, today=today, rulebook=rulebook),
                why=mail_door.sayable(why, officer),
                instead=instead,
                asked_at=kept.stamp_at,
            )
    db.session.flush()


def keep_answer(
    event: CalendarObject,
    visit: Visit,
    said: Said,
    answer: Answer,
    *,
    words: str | None,
    now: datetime,
    is_proven: bool = False,
) -> VisitAnswer | None:
    """Keep an answer as the last of this mailbox; None where it says nothing new, or nothing that still counts."""
    stand = Stand(min(said.stand.sequence, event.sequence), said.stand.stamp)
    kept = db.session.scalars(select(VisitAnswer).where(VisitAnswer.calendar_object_id == event.id)).first()
    known = Stand(kept.sequence, kept.stamp_at) if kept is not None else None
    if stand.sequence < event.sequence or not visit.is_booked or not itip.is_news(stand, known):
        return None
    proposed = _proposed(said, visit) if answer is Answer.COUNTER else (None, None)
    is_same = kept is not None and (kept.answer, kept.sequence, kept.proposed_from_at, kept.proposed_until_at) == (
        answer,
        stand.sequence,
        *proposed,
    )
    if kept is None:
        kept = VisitAnswer(visit_id=visit.id, calendar_object_id=event.id)
        db.session.add(kept)
    elif kept.is_proven and not is_proven:
        return None  # what is certain is not overtaken by what anybody can write
    elif is_same and kept.is_proven == is_proven:
        kept.stamp_at = stand.stamp
        return None
    kept.answer, kept.sequence, kept.stamp_at, kept.received_at = answer, stand.sequence, stand.stamp, now
    kept.proposed_from_at, kept.proposed_until_at = proposed
    kept.words, kept.is_proven = words, is_proven
    kept.settled_at, kept.settled_by_id = None, None
    db.session.flush()
    return kept


def _answer_of(said: Said, event: CalendarObject, person: Person, visit: Visit) -> Answer | None:
    """What the mailbox that was invited says."""
    for address, _ in said.attendees:
        if invitations.is_mailbox_of(event, address) or (address and address == person.email_key):
            return _as_meant(said, said.answer_of(address), visit)
    return None


def _only_answer_in(said: Said, visit: Visit) -> Answer | None:
    """What the one attendee says, whoever they say they are."""
    if len(said.attendees) != 1:
        return None
    return _as_meant(said, said.answer_of(said.attendees[0][0]), visit)


def _as_meant(said: Said, answer: Answer | None, visit: Visit) -> Answer | None:
    """Another time that is no other, or no time at all, is a maybe."""
    if answer is Answer.COUNTER and (
        said.starts_at is None or _proposed(said, visit) == (visit.starts_at, visit.ends_at)
    ):
        return Answer.TENTATIVE
    return answer


def _proposed(said: Said, visit: Visit) -> tuple[datetime, datetime]:
    """The time that is asked for. One without an end, or with a day's length, lasts as long as the visit."""
    starts_at, ends_at = said.starts_at or visit.starts_at, said.ends_at or visit.ends_at
    if not timedelta(minutes=15) <= ends_at - starts_at <= timedelta(hours=8):
        ends_at = starts_at + (visit.ends_at - visit.starts_at)
    return starts_at, ends_at


def _person_of(event: CalendarObject) -> Person | None:
    if event.person_id is None:
        return None
    return db.session.get(Person, event.person_id) or db.session.get(Person, person_behind(event.person_id) or 0)


def _words(said: Said, mail: IncomingMail, answer: Answer) -> str | None:
    """What they wrote with it. Around a yes, programs write words of their own."""
    words = said.comment or ("" if answer is Answer.ACCEPTED else mail.text)
    return words[:LONGEST_WORDS].strip() or None


def _in_words(said: Said, mail: IncomingMail) -> str:
    """An answer that nobody could place, as a person reads it."""
    names = {"ACCEPTED": "yes", "DECLINED": "no", "TENTATIVE": "maybe"}
    answers = [
        f"{address or 'somebody'} says {names.get(status, 'something else')}" for address, status in said.attendees[:5]
    ]
    first = "An answer to an invitation of ours: " + ("; ".join(answers) or "it does not say whose") + "."
    if said.method is Method.COUNTER:
        first = "Somebody who was invited asks for another time."
    return "\n\n".join(part for part in (first, said.comment, mail.text) if part)


def _tell(kept: VisitAnswer, visit: Visit, case: Case, person: Person, *, now: datetime, today: date) -> None:
    """Say it on the case, and put it on somebody's list where something has to be done."""
    answer = Answer(kept.answer)
    when = f"{day(visit.starts_at)}, {clock_time(visit.starts_at)}"
    title = f"{person.full_name} {SAID[answer]} {when}"
    if kept.proposed_from_at is not None:
        title += f": {day(kept.proposed_from_at)}, {clock_time(kept.proposed_from_at)}"
    timeline.add(
        case,
        kind="contact",
        title=title,
        detail=kept.words,
        sensitivity=Sensitivity.PERSONAL,
        actor=SYSTEM,
        occurred_at=now,
        person_id=person.id,
    )
    if answer in TASKS:
        put_on_list(TASKS[answer].format(when=when), visit, case, now=now, today=today)
    record(
        "visit.answered",
        actor=SYSTEM,
        at=now,
        case_id=case.id,
        subject=f"visit:{visit.id}",
        detail={"answer": answer.value, "by": f"person:{person.id}"},
    )


def put_on_list(title: str, visit: Visit, case: Case, *, now: datetime, today: date) -> None:
    """Give the first of the visit's officers something to do about it, once; by tomorrow where it is so soon."""
    assigned_to_id = next(iter(visit.officer_ids), None) or case.owner_id or policy.service().fallback_owner_id
    title = title[:200]
    open_one = select(Task.id).where(Task.case_id == case.id, Task.done_at.is_(None), Task.title == title)
    if assigned_to_id is None or db.session.scalar(open_one.limit(1)) is not None:
        return
    is_soon = visit.starts_at - now < timedelta(days=2)
    due_on = today if is_soon else policy.rulebook_on(today).calendar.add(today, 1)
    add_task(title=title, assigned_to_id=assigned_to_id, due_on=due_on, actor=SYSTEM, now=now, case=case)


# --- On the visit's page ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Guest:
    """Somebody who was invited to a visit, and what they said of the time at which it is now."""

    name: str
    answer: Answer | None
    """None where they have not said anything about it."""
    said_at: datetime | None = None
    words: str | None = None
    proposed_from_at: datetime | None = None
    proposed_until_at: datetime | None = None
    is_proven: bool = True
    """False for an answer in the name of an officer that may be anybody's."""
    waits: VisitAnswer | None = None
    """The answer, where it asks for a time and nobody has answered that."""


def guests_of(visit: Visit) -> list[Guest]:
    """The household, each with their answer, and those officers who gave one."""
    events = [one for one in invitations.objects_of_visit(visit.id) if one.removed_at is None]
    answers = {
        one.calendar_object_id: one
        for one in db.session.scalars(select(VisitAnswer).where(VisitAnswer.visit_id == visit.id))
    }
    staff = names_of(one.user_id for one in events)
    found = []
    for event in sorted(events, key=lambda one: (one.person_id is None, one.id)):
        person = _person_of(event)
        name = person.full_name if person is not None else staff.get(event.user_id or 0, "")
        kept = answers.get(event.id)
        if kept is None or kept.sequence < event.sequence:
            if person is not None and visit.is_booked:
                found.append(Guest(name=name, answer=None))
            continue
        answer = Answer(kept.answer)
        found.append(
            Guest(
                name=name,
                answer=answer,
                said_at=kept.received_at,
                words=kept.words,
                is_proven=person is not None or kept.is_proven,
                proposed_from_at=kept.proposed_from_at,
                proposed_until_at=kept.proposed_until_at,
                waits=kept if answer is Answer.COUNTER and kept.settled_at is None and visit.is_booked else None,
            )
        )
    return found


def counter_to(visit: Visit, answer_id: int) -> VisitAnswer:
    """A time that somebody asks for and nobody has answered. Raises NoSuchAnswer, or NothingToAnswer."""
    kept = db.session.scalars(
        select(VisitAnswer).where(VisitAnswer.id == answer_id, VisitAnswer.visit_id == visit.id).with_for_update()
    ).first()
    if kept is None:
        raise NoSuchAnswer
    event = db.session.get_one(CalendarObject, kept.calendar_object_id)
    if kept.answer != Answer.COUNTER or kept.settled_at is not None or kept.sequence < event.sequence:
        raise NothingToAnswer(
            "Somebody has answered this, or they have said something else since.",
            alternatives=("Look at the visit as it is now.",),
        )
    return kept


def move_to_proposed(
    kept: VisitAnswer,
    visit: Visit,
    case: Case,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Move the visit to the time that somebody asks for. Raises what moving it raises."""
    if kept.proposed_from_at is None or kept.proposed_until_at is None:
        raise NoSuchAnswer
    booking.move_visit(
        visit,
        case,
        starts_at=kept.proposed_from_at,
        length_minutes=int((kept.proposed_until_at - kept.proposed_from_at).total_seconds() // 60),
        officer_ids=visit.officer_ids,
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        seen=seen,
    )
    _settle(kept, visit, case, how="moved", actor=actor, now=now)


def keep_the_time(
    kept: VisitAnswer, visit: Visit, case: Case, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> None:
    """Tell whoever asked for another time that the visit stays where it is."""
    require(actor, Permission.BOOK_VISIT)
    event = db.session.get_one(CalendarObject, kept.calendar_object_id)
    person = _person_of(event)
    if person is not None:
        telling.tell_it_stays(
            event, visit, case, person, Occasion(actor=actor, now=now, today=today, rulebook=rulebook), kept.stamp_at
        )
    _settle(kept, visit, case, how="stays", actor=actor, now=now)


def _settle(kept: VisitAnswer, visit: Visit, case: Case, *, how: str, actor: Actor, now: datetime) -> None:
    kept.settled_at, kept.settled_by_id = now, actor.user_id
    if how == "stays":
        when = f"{day(visit.starts_at)}, {clock_time(visit.starts_at)}"
        timeline.add(case, kind="visit", title=f"The visit stays on {when}: we said so", actor=actor, occurred_at=now)
    db.session.flush()
    record(
        "visit.answer_settled",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"visit:{visit.id}",
        detail={"how": how},
    )

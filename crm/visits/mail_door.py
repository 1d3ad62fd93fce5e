"""An officer invites the mailbox of visits to an event of their own: that books a visit, moves it, or calls it off.

For officers whose program can't keep a calendar with us. What they send goes the way of what a program writes over
CalDAV (``from_calendar``); what differs is that the sender has to be proven, and that each message is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select

from crm import policy
from crm.access.models import User
from crm.access.queries import user_by_email
from crm.calendars import caldav_reading, caldav_showing, caldav_text, caldav_writing, itip, mailed
from crm.calendars.caldav_text import NotOurKind, Written
from crm.calendars.caldav_writing import Condition, NotKept
from crm.calendars.itip import Method, Said
from crm.calendars.models import CalendarEntry, MailedEvent, Problem
from crm.cases.models import Case, Person, Task
from crm.cases.queries import case_by_id
from crm.cases.replies import Placed
from crm.cases.tasks import add_task
from crm.db import db
from crm.delivery import Channel, NewMessage, Recipient, enqueue, signed_addresses
from crm.delivery.incoming import IncomingMail
from crm.delivery.models import IncomingOutcome
from crm.delivery.post_room import post_room
from crm.rules.permissions import SYSTEM, Permission
from crm.visits import from_calendar, telling
from crm.visits.models import Visit

NOT_PROVEN = (
    "An event came to the mailbox of visits in your name, and nothing proves that you sent it. "
    "Invite your own address: see My calendar program"
)
SEE_INSIDE = "It can’t be booked as things stand. Sign in to see why."


def take_appointment(
    mail: IncomingMail, *, whose: tuple[Case, Person] | None, now: datetime, today: date
) -> Placed | None:
    """Do what an officer's invitation to us says; None where a message is none. Bound to what comes in.

    1. It has to be about an event of theirs, and from one of us who makes visits.
    2. Where nothing proves the sender, a person looks at it, and nobody is answered: an answer would go to somebody who
       wrote nothing.
    3. What a newer message has overtaken, or the same again, changes nothing.
    """
    try:
        said = itip.read(mail.calendar or "", now=now)
    except NotOurKind:
        said = None
    invited = next((one for one in mail.recipients if signed_addresses.is_for_visits(one)), None)
    officer = user_by_email(mail.sender)
    if said is None or said.method not in (Method.REQUEST, Method.CANCEL) or invited is None:
        return None
    if officer is None or not _makes_visits(officer) or not _is_theirs(said, officer):
        return None
    if not is_proven(officer, mail):
        _ask_for_proof(officer, now=now, today=today)
        return Placed(outcome=IncomingOutcome.TRAY, why="not_proven", text=_in_words(said))
    if said.method is Method.CANCEL:
        return _call_off(officer, said, invited, now=now, today=today)
    return _book_or_move(officer, said, invited, now=now, today=today)


def is_proven(officer: User, mail: IncomingMail) -> bool:
    """Whether a message is from this officer for certain: our own mail server vouches for it, or it came to the address
    that only they know. Never by the line From alone."""
    if mail.sender != officer.email.lower():
        return False
    return mail.is_vouched_for or any(mailed.is_own_address(officer.id, one) for one in mail.recipients)


# --- What is done -----------------------------------------------------------------------------------------------------


def _book_or_move(officer: User, said: Said, invited: str, *, now: datetime, today: date) -> Placed:
    try:
        written = caldav_text.read(said.body)
    except NotOurKind:
        return Placed(outcome=IncomingOutcome.TRAY, why="not_dealt_with", text=_in_words(said))
    theirs = mailed.keep(officer.id, said, starts_at=written.starts_at, ends_at=written.ends_at, invited=invited)
    if theirs is None:
        return Placed(outcome=IncomingOutcome.AUTOMATIC)
    known = caldav_reading.entry_with_uid(officer.id, said.uid)
    why = _why_not_a_visit(written, known, now=now)
    if why is not None:
        _say_no(officer, theirs, why, (), now=now)
        return Placed(outcome=IncomingOutcome.FILED)
    try:
        entry = caldav_writing.put(
            user_id=officer.id,
            name=known.name if known is not None else caldav_showing.name_for(said.uid),
            body=_without_people(said.body),
            condition=Condition(),
            actor=officer.as_actor(),
            now=now,
            today=today,
            rulebook=policy.rulebook_on(today),
        ).entry
    except NotKept:
        _say_no(officer, theirs, SEE_INSIDE, (), now=now)
        return Placed(outcome=IncomingOutcome.FILED)
    visit = db.session.get(Visit, entry.visit_id) if entry.visit_id is not None else None
    case = case_by_id(visit.case_id) if visit is not None else None
    if entry.problem is not None or visit is None or case is None:
        why, *instead = (entry.problem_said or SEE_INSIDE).split("\n")
        still = ""
        if visit is not None and visit.is_booked:
            still = f" The visit stays on {from_calendar.say_when(visit)}."
        is_about_event = entry.problem in (Problem.UNKNOWN, Problem.NOT_A_TIME)
        _say_no(officer, theirs, (why if is_about_event else sayable(why, officer)) + still, instead, now=now)
        return Placed(outcome=IncomingOutcome.FILED, case=case)
    _say_yes(officer, theirs, visit, case, now=now)
    return Placed(outcome=IncomingOutcome.FILED, case=case)


def _call_off(officer: User, said: Said, invited: str, *, now: datetime, today: date) -> Placed:
    """The event is off, and its visit with it a little later, by the rules for one that is taken out of a calendar."""
    before = mailed.event_of(officer.id, said.uid)
    if said.starts_at is not None and said.ends_at is not None:
        starts_at, ends_at = said.starts_at, said.ends_at
    else:
        starts_at, ends_at = (before.starts_at, before.ends_at) if before is not None else (now, now)
    if mailed.keep(officer.id, said, starts_at=starts_at, ends_at=ends_at, invited=invited) is None:
        return Placed(outcome=IncomingOutcome.AUTOMATIC)
    entry = caldav_reading.entry_with_uid(officer.id, said.uid)
    if entry is None:
        return Placed(outcome=IncomingOutcome.AUTOMATIC)
    caldav_writing.take_out(
        user_id=officer.id,
        name=entry.name,
        condition=Condition(),
        actor=officer.as_actor(),
        now=now,
        today=today,
        rulebook=policy.rulebook_on(today),
    )
    visit = db.session.get(Visit, entry.visit_id) if entry.visit_id is not None else None
    return Placed(outcome=IncomingOutcome.FILED, case=case_by_id(visit.case_id) if visit is not None else None)


def _is_theirs(said: Said, officer: User) -> bool:
    """Whether they called the meeting: one of ours, or of a colleague, that they passed on is not theirs to give."""
    if said.organiser in ("", officer.email.lower()):
        return True
    return not signed_addresses.is_for_visits(said.organiser) and user_by_email(said.organiser) is None


def _makes_visits(user: User) -> bool:
    return user.active and user.as_actor().has(Permission.RECORD_VISIT) and user.as_actor().has(Permission.BOOK_VISIT)


def _why_not_a_visit(written: Written, known: CalendarEntry | None, *, now: datetime) -> str | None:
    """Why an event can't be about a visit at all; nothing is kept of it: it may be an officer's private life."""
    if known is not None and known.visit_id is not None:
        return None
    if from_calendar.reference_in(written.summary) is None:
        return (
            "There is no reference in its title, or it is mistyped. Write the household’s, such as "
            f"{policy.service().reference_prefix}-7Q3M9X, and send it again."
        )
    if not written.repeats and written.ends_at <= now:
        return "That time has passed. Choose a later one."
    return None


def sayable(why: str, officer: User) -> str:
    """Why something was refused, as far as a message may say it: what is about the officer's own time, not about the
    household."""
    is_about_time = why.startswith((f"{officer.name} ", "Somebody has just booked", "That time has passed"))
    return why if is_about_time else SEE_INSIDE


def _without_people(body: bytes) -> bytes:
    """The event without whom it was sent to: it is kept as the officer's own, and asks nobody for an answer."""
    dropped = {"METHOD", "ATTENDEE", "ORGANIZER", "REQUEST-STATUS", "ATTACH"}
    kept = []
    for line in caldav_text.content_lines(caldav_text.decoded(body)):
        if line.name not in dropped:
            kept.append(line.raw.rstrip("\r\n").replace("\r\n", "\n").replace("\n", "\r\n") + "\r\n")
    return "".join(kept).encode()


# --- What is answered -------------------------------------------------------------------------------------------------


def _say_yes(officer: User, theirs: MailedEvent, visit: Visit, case: Case, *, now: datetime) -> None:
    base = post_room().base_url.rstrip("/")
    enqueue(
        NewMessage(
            kind="officer_event_booked",
            channel=Channel.EMAIL,
            to=Recipient(email=officer.email),
            dedupe_key=_key(theirs),
            context={
                "service": policy.service(),
                "first_name": officer.name.split()[0],
                "reference": case.reference,
                "starts_at": visit.starts_at,
                "minutes": visit.length_minutes,
                "town": telling.area_of(case.household),
                "case_url": f"{base}/visits/{visit.id}",
            },
            case_id=case.id,
            user_id=officer.id,
            invitation=telling.answer_to(officer, theirs, accepts=True, now=now, about=(visit, case)),
        ),
        now=now,
    )


def _say_no(officer: User, theirs: MailedEvent, why: str, instead: Sequence[str], *, now: datetime) -> None:
    enqueue(
        NewMessage(
            kind="officer_event_refused",
            channel=Channel.EMAIL,
            to=Recipient(email=officer.email),
            dedupe_key=_key(theirs),
            context={
                "service": policy.service(),
                "first_name": officer.name.split()[0],
                "starts_at": theirs.starts_at,
                "why": why,
                "instead": list(instead),
                "settle_url": f"{post_room().base_url.rstrip('/')}/visits/from-calendar",
            },
            user_id=officer.id,
            invitation=telling.answer_to(officer, theirs, accepts=False, now=now, about=None),
        ),
        now=now,
    )


def _key(theirs: MailedEvent) -> str:
    """One answer to each message."""
    return f"mailed_event:{theirs.id}:{theirs.sequence}:{theirs.stamp_at:%Y%m%d%H%M%S}"


def _ask_for_proof(officer: User, *, now: datetime, today: date) -> None:
    """Whoever sent it honestly is told how it works; once, however often it comes."""
    title = NOT_PROVEN[:200]
    waiting = select(Task.id).where(Task.assigned_to_id == officer.id, Task.done_at.is_(None), Task.title == title)
    if db.session.scalar(waiting.limit(1)) is None:
        add_task(title=title, assigned_to_id=officer.id, due_on=today, actor=SYSTEM, now=now)


def _in_words(said: Said) -> str:
    what = "calls an event off" if said.method is Method.CANCEL else "invites us to an event"
    return f"It {what}: {said.summary or 'without a title'}."

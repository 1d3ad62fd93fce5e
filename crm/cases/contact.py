"""Being in touch: what was tried, what was said, and the rules a person gave for being reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, func, select

from crm.access.models import User
from crm.audit import record
from crm.cases import addresses, bounces, letters, summary, timeline
from crm.cases.change_stage import claim_version
from crm.cases.models import Case, ContactAttempt, Person, StageChange, TimelineEntry
from crm.cases.stopping import stop_contact
from crm.clock import LONDON, london_date
from crm.db import UTCDateTime, db, our_word, read
from crm.delivery import Channel, OutboundMessage
from crm.delivery.enqueue import take_back
from crm.rules.permissions import Actor, Permission, Sensitivity, require
from crm.rules.quiet_times import keep_quiet, read_quiet, say_quiet
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import EnquiryStage, TrackName

ATTEMPT_WORDS = {
    "no_answer": "Rang, no answer",
    "voicemail": "Rang, left a voicemail",
    "text": "Sent a text",
    "email": "Sent an email",
    "wrong_number": "Rang, wrong number",
}


RANG = frozenset({"no_answer", "voicemail"})
"""Tries after which somebody may be sent word that we rang."""
TAKEN_BACK = " (taken back)"
ONE_TAP = timedelta(seconds=30)


def not_wanted(person: Person) -> list[str]:
    """The other ways and the times that somebody ruled out, a sentence each."""
    ways = (
        (person.no_texts, "Send no texts."),
        (person.no_emails, "Send no emails."),
        (person.no_letters, "Send nothing by post."),
    )
    quiet = say_quiet(person.quiet_times)
    return [words for ruled_out, words in ways if ruled_out] + ([f"{quiet}."] if quiet else [])


class TheyAskedUsNotTo(Refusal):
    """A safe-contact rule forbids what was about to be done."""


class NotTheirsToTakeBack(Refusal):
    """The try was somebody else's, or is too long ago to be a slip of the thumb."""


class NotOnThatDay(Refusal):
    """A contact can't have been on a day to come, or before the household got in touch."""

    default_status = 422


def moment_of(case: Case, on: date | None, *, now: datetime, today: date) -> datetime:
    """When a contact was that is written down on a later day: at noon, for nobody remembers the minute.

    Raises NotOnThatDay.
    """
    if on is None or on == today:
        return now
    if on > today:
        raise NotOnThatDay("That day is still to come. Give the day you spoke to them or tried.", field="on")
    earliest = london_date(case.opened_at)
    enquiry = next((track for track in case.tracks if track.name == TrackName.ENQUIRY), None)
    if enquiry is not None and enquiry.stage == EnquiryStage.NEW:
        # An enquiry that was opened again waits for a call of its own.
        earliest = max(earliest, enquiry.since_on)
    if on < earliest:
        raise NotOnThatDay(f"They got in touch on {earliest:%A} {earliest.day} {earliest:%B %Y}.", field="on")
    return max(datetime.combine(on, time(12), LONDON), case.opened_at)


def log_attempt(
    case: Case,
    person: Person,
    *,
    how: str,
    note: str | None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
    on: date | None = None,
) -> ContactAttempt:
    """Write down a try that did not reach them. The response clock runs on: trying is not answering.

    ``on`` is the day of the try, today unless given. Raises TheyAskedUsNotTo for a voicemail to somebody who said to
    leave none, and NotOnThatDay.
    """
    at = moment_of(case, on, now=now, today=today)
    if how == "voicemail" and person.no_voicemail:
        raise TheyAskedUsNotTo(f"{person.full_name} asked us not to leave a voicemail.", status=422, field="how")
    again = _same_tap(case, person, how=how, actor=actor, now=now)
    if again is not None:
        return again
    claim_version(case, seen)
    line = timeline.add(
        case,
        kind="contact",
        title=f"{ATTEMPT_WORDS[how]}: {person.full_name}",
        detail=note,
        actor=actor,
        occurred_at=at,
        person_id=person.id,
    )
    db.session.flush()
    attempt = ContactAttempt(
        case_id=case.id, person_id=person.id, how=how, tried_at=at, by_id=actor.user_id, timeline_entry_id=line.id
    )
    db.session.add(attempt)
    record(
        "contact.attempted", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}", detail={"how": how}
    )
    summary.refresh(case, today=today, rulebook=rulebook)
    return attempt


def write_that_we_tried(case: Case, person: Person, *, actor: Actor, now: datetime, today: date) -> OutboundMessage:
    """Send somebody who did not answer "We tried to ring you", by text or email as they wish: once a day.

    It is no try of its own, since the call before it is one. Raises TheyAskedUsNotTo where it could not go.
    """
    require(actor, Permission.RECORD_CONTACT)
    why_not = letters.why_not_reachable("tried_to_ring", case, person, now=now)
    sent = None
    if why_not is None:
        sent = letters.send_letter(
            "tried_to_ring",
            case=case,
            person=person,
            context={},
            actor=actor,
            now=now,
            today=today,
            occasion=f"{today}",
        )
    if sent is None:
        raise TheyAskedUsNotTo(f"Nothing was sent to {person.full_name}: {why_not}.", status=422)
    return sent


def _same_tap(case: Case, person: Person, *, how: str, actor: Actor, now: datetime) -> ContactAttempt | None:
    """The same try by the same person a moment ago: a second tap of an impatient thumb, not a second try."""
    return db.session.scalars(
        select(ContactAttempt).where(
            ContactAttempt.case_id == case.id,
            ContactAttempt.person_id == person.id,
            ContactAttempt.how == how,
            ContactAttempt.by_id == actor.user_id,
            ContactAttempt.undone_at.is_(None),
            ContactAttempt.tried_at > now - ONE_TAP,
        )
    ).first()


def undo_attempt(
    case: Case, attempt: ContactAttempt, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> None:
    """Take back a try that was tapped by mistake: it counts for nothing, and its line says that it was taken back.

    Whoever logged it may, until the day is over, and a manager always. Doing it twice changes nothing. Raises
    NotTheirsToTakeBack.
    """
    is_own = attempt.by_id == actor.user_id and london_date(attempt.tried_at) == today
    if not is_own and not actor.has(Permission.CORRECT_STAGE):
        raise NotTheirsToTakeBack("Whoever logged a try can take it back on the same day; later, ask a manager.")
    if attempt.undone_at is not None:
        return
    attempt.undone_at = now
    line = db.session.get(TimelineEntry, attempt.timeline_entry_id) if attempt.timeline_entry_id else None
    if line is not None:
        line.title = f"{line.title[: 200 - len(TAKEN_BACK)]}{TAKEN_BACK}"
    record(
        "contact.undone",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"person:{attempt.person_id}",
        detail={"how": attempt.how},
    )
    summary.refresh(case, today=today, rulebook=rulebook)


class Try(NamedTuple):
    """A try to reach somebody, and the name of whoever made it."""

    id: int
    how: str
    tried_at: datetime
    person_id: int | None
    by_id: int | None
    by: str | None


def tries_of(case: Case) -> list[Try]:
    """The tries to reach a household since its enquiry was last opened, the newest first; none that was taken back.
    One query."""
    db.session.flush()
    return [Try._make(row) for row in read(_TRIES, {"case_id": case.id, "opened_at": case.opened_at})]


_TRIED, _MOVED = ContactAttempt.__table__.c, StageChange.__table__.c
_OPENED_AGAIN = (
    select(func.max(_MOVED.changed_at))
    .where(_MOVED.case_id == bindparam("case_id"), _MOVED.move == our_word("reopen_enquiry"))
    .scalar_subquery()
)
_TRIES = (
    select(_TRIED.id, _TRIED.how, _TRIED.tried_at, _TRIED.person_id, _TRIED.by_id, User.__table__.c.name)
    .outerjoin(User.__table__, User.__table__.c.id == _TRIED.by_id)
    .where(
        _TRIED.case_id == bindparam("case_id"),
        _TRIED.undone_at.is_(None),
        _TRIED.tried_at >= func.coalesce(_OPENED_AGAIN, bindparam("opened_at", type_=UTCDateTime())),
    )
    .order_by(_TRIED.tried_at.desc(), _TRIED.id.desc())
)


def add_note(
    case: Case,
    *,
    text: str,
    kind: str,
    actor: Actor,
    now: datetime,
    sensitivity: Sensitivity = Sensitivity.ORDINARY,
    at: datetime | None = None,
) -> None:
    """Keep a note on the timeline. ``kind`` is note or contact; ``at`` is when it happened, now unless given."""
    if not text.strip():
        raise Refusal("Write the note before keeping it.", status=422, field="note")
    # Whoever merges the household holds the case: waiting for them before the line is added, not between the line and
    # the touch that comes with it, keeps the two from waiting for each other.
    db.session.execute(select(Case.id).where(Case.id == case.id).with_for_update(key_share=True))
    title = "Note" if kind == "note" else "Contact"
    timeline.add(
        case, kind=kind, title=title, detail=text.strip(), sensitivity=sensitivity, actor=actor, occurred_at=at or now
    )
    record("note.added", actor=actor, at=now, case_id=case.id, subject=f"case:{case.reference}")


@dataclass(frozen=True, kw_only=True)
class ContactRules:
    """How a person may be reached, as they asked."""

    no_calls: bool = False
    no_voicemail: bool = False
    no_emails: bool = False
    no_texts: bool = False
    no_letters: bool = False
    no_contact: bool = False
    prefers: str | None = None
    quiet_times: tuple[str, ...] = ()
    """When not to be in touch, in the words of ``rules.quiet_times``."""
    contact_times: str | None = None
    """Good times, in their own words."""
    safe_contact: str | None = None
    email_is_confirmed: bool = True
    """Whether the email on file is known to be theirs."""
    email_works: bool = True
    """Whether letters to the email on file arrive."""


def contact_rules_of(person: Person) -> ContactRules:
    """The rules as they stand."""
    return ContactRules(
        no_calls=person.no_calls,
        no_voicemail=person.no_voicemail,
        no_emails=person.no_emails,
        no_texts=person.no_texts,
        no_letters=person.no_letters,
        no_contact=person.no_contact,
        prefers=person.prefers,
        quiet_times=read_quiet(person.quiet_times),
        contact_times=person.contact_times,
        safe_contact=person.safe_contact,
        email_is_confirmed=person.email_unconfirmed_since is None,
        email_works=person.email_fails_since is None,
    )


def set_contact_rules(
    person: Person, rules: ContactRules, *, case: Case, actor: Actor, now: datetime, today: date
) -> int:
    """Change how a person may be reached; in force from now on, for what is written and has not left too.

    Gives how many unsent messages were taken back.
    """
    before = contact_rules_of(person)
    person.no_calls, person.no_voicemail = rules.no_calls, rules.no_voicemail
    person.no_texts, person.no_emails, person.no_letters = rules.no_texts, rules.no_emails, rules.no_letters
    person.quiet_times = keep_quiet(rules.quiet_times)
    person.prefers = rules.prefers or None
    person.contact_times = rules.contact_times or None
    person.safe_contact = rules.safe_contact or None
    taken = 0
    for channel, now_forbidden in (
        (Channel.EMAIL, rules.no_emails and not before.no_emails),
        (Channel.TEXT, rules.no_texts and not before.no_texts),
        (Channel.POST, rules.no_letters and not before.no_letters),
    ):
        if now_forbidden:
            messages = take_back([person.id], code="way_forbidden", now=now, channel=channel, even_statutory=True)
            letters.tell_taken_back(messages, case, person, code="way_forbidden", actor=actor, now=now, today=today)
            taken += len(messages)
    if rules.email_is_confirmed:
        addresses.confirm_email(case, person, how="they told us", actor=actor, now=now)
    if rules.email_works:
        bounces.say_email_works(case, person, actor=actor, now=now)
    if rules.no_contact and not before.no_contact:
        stop_contact(person, how="staff", actor=actor, now=now, today=today)
    person.no_contact = rules.no_contact
    timeline.add(
        case,
        kind="fact",
        title=f"How to reach {person.full_name} was changed",
        actor=actor,
        occurred_at=now,
        person_id=person.id,
    )
    record("person.contact_rules", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}")
    return taken

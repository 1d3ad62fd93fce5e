"""Referees: named, asked by a link of their own, heard in writing, rung and interviewed.

What comes in by the link is never taken for the statutory item: a person reads it, talks with the referee, and writes
the interview up, which records the check. Whoever would rather not is let go at once, and nobody is told why.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import selectinload

from crm.access.models import User
from crm.assessments import checks, queries, talk_telling
from crm.assessments.models import Application, Check, CheckResult
from crm.assessments.referee_models import (
    LEAVES_BY_STAFF,
    RELATION_WORDS,
    Choice,
    How,
    Referee,
    Relation,
    View,
    WhyOut,
)
from crm.assessments.referee_questions import kept, to_keep, topics_missing
from crm.assessments.steps import DayNotPossible, begin_step, end_step, not_after_today, not_before, note
from crm.cases import clocks, keys, letters, timeline
from crm.cases.models import Case, Household, Person
from crm.cases.tasks import add_task
from crm.clock import london_date
from crm.db import db, rows_changed
from crm.delivery import Channel, OutboundMessage
from crm.delivery.enqueue import recipient_key
from crm.delivery.post_room import post_room
from crm.delivery.texts import can_be_texted
from crm.delivery.worker import Stop
from crm.rules.permissions import Actor, ActorKind, NotPermitted, Permission
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import OPEN_APPLICATION, TrackName

NAMED_ITEM, INTERVIEW_ITEM = "referees", "referee_interviews"
REFEREE_ITEMS = (NAMED_ITEM, INTERVIEW_ITEM)
LINK_GOOD_FOR = timedelta(days=42)
"""Policy of the service: six weeks, so that somebody back from a long holiday still finds it open."""
DRAFTS_KEPT_FOR = timedelta(days=60)
"""What somebody wrote and never sent is dropped so long after their link has ended."""
RING_WITHIN = 5
"""Working days in which a referee who has written is rung (service policy)."""
_TOKEN_BYTES = 24
RESULTS = {
    View.SUPPORTS: CheckResult.CLEAR,
    View.WITH_POINTS: CheckResult.DISCUSSED,
    View.DOUBTS: CheckResult.CONCERN,
}
"""What an interview records of its check."""


class NotAReferee(Refusal):
    """This person can't be a referee of that applicant."""

    default_status = 422


class RefereeAsItStands(Refusal):
    """It can't be done as things stand with this referee."""


class NoSuchReferee(Refusal):
    """No such referee, or not one of this household."""

    default_status = 404


class LinkEnded(Refusal):
    """The link is not one of ours, or its time is over: the two are never told apart (G25)."""

    default_status = 404

    def __init__(self) -> None:
        super().__init__(
            "That link has ended, or was cut short. If you have a newer message from us, use the link in it. "
            "Otherwise ring us: a person answers."
        )


# --- Naming -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewReferee:
    """Who somebody is, as they are named. An email or a mobile number, or both."""

    name: str
    relation: str
    email: str | None = None
    phone: str | None = None
    known_since: int | None = None


def name_referee(
    case: Case,
    check: Check,
    new: NewReferee,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Referee:
    """Put somebody in one of the places for referees of an applicant. Nothing is sent.

    By staff who record checks, or by the applicant whom it is about. Raises NotAReferee where it is one of the
    household, or shares a way to be reached with one: a letter must not come to the people it is about.
    """
    _begin(case, check, actor=actor, seen=seen)
    named, interview = _places(check)
    if in_place(named) is not None:
        raise RefereeAsItStands("There is a referee in this place already. Take that one out first.")
    _check_who(case, named, new, but=None)
    referee = Referee(
        case_id=case.id,
        application_id=named.application_id,
        letter_count=0,
        person_id=named.person_id,
        check_id=named.id,
        interview_check_id=interview.id if interview is not None else None,
        named_at=now,
        named_by_id=actor.user_id,
    )
    _write(referee, new)
    db.session.add(referee)
    db.session.flush()
    timeline.add(
        case,
        kind="check",
        title=f"A referee was named for {referee.person.given_name}",
        actor=actor,
        occurred_at=now,
        person_id=referee.person_id,
    )
    note("referee.named", case, actor=actor, now=now, subject=subject_of(referee))
    end_step(case, today=today, rulebook=rulebook)
    return referee


def change_referee(
    case: Case,
    referee: Referee,
    new: NewReferee,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> bool:
    """Put right how a referee is called or reached. Whether a link that was out has ended: it does as soon as the
    place it went to is another, and they have to be asked again."""
    _begin(case, _check_of(referee), actor=actor, seen=seen)
    _refuse_out(referee)
    _check_who(case, _check_of(referee), new, but=referee)
    was = (keys.email_key(referee.email), keys.phone_key(referee.phone))
    _write(referee, new)
    has_moved = was != (keys.email_key(referee.email), keys.phone_key(referee.phone))
    ended = has_moved and referee.token_digest is not None and not referee.is_submitted
    if ended:
        _end_link(referee)
    if has_moved and has_talk_ahead(referee, now=now):
        # To the place before, nothing goes any more; where they are reached now, they hear of the talk as it stands.
        talk_telling.tell_booked(
            case, referee, first_name=first_of(referee.name), old_starts_at=None, actor=actor, now=now, today=today
        )
    note("referee.changed", case, actor=actor, now=now, subject=subject_of(referee))
    end_step(case, today=today, rulebook=rulebook)
    return ended


def withdraw_referee(
    case: Case,
    referee: Referee,
    *,
    why: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Take a referee out, so that another can take the place. Their link opens nothing from this moment on."""
    begin_step(case, Permission.RECORD_CHECK, actor=actor, seen=seen)
    _refuse_out(referee)
    if why not in LEAVES_BY_STAFF:
        raise RefereeAsItStands("Say why they are taken out.", status=422, field="why")
    _put_out(case, referee, WhyOut(why), actor=actor, now=now, today=today)
    timeline.add(
        case,
        kind="check",
        title=f"A referee of {referee.person.given_name} was taken out",
        actor=actor,
        occurred_at=now,
        person_id=referee.person_id,
    )
    note("referee.withdrawn", case, actor=actor, now=now, subject=subject_of(referee))
    end_step(case, today=today, rulebook=rulebook)


def _begin(case: Case, check: Check, *, actor: Actor, seen: int | None) -> None:
    """Staff who record checks, or the applicant themselves."""
    if actor.kind is not ActorKind.APPLICANT:
        begin_step(case, Permission.RECORD_CHECK, actor=actor, seen=seen)
        return
    theirs = any(
        one.id == actor.person_id and one.is_applicant and one.left_household_on is None
        for one in case.household.people
    )
    if not theirs or check.person_id != actor.person_id:
        raise NotPermitted("You can name referees for yourself.")
    if case.stages.get(TrackName.APPLICATION) not in OPEN_APPLICATION:
        raise RefereeAsItStands("There is no open application to name referees for.")


def _places(check: Check) -> tuple[Check, Check | None]:
    """The place among those who are named, and the interview of the same number, for one applicant."""
    if check.item not in REFEREE_ITEMS or check.person_id is None:
        raise RefereeAsItStands("Referees are named for the checks that ask for them.")
    if not check.is_needed:
        raise checks.CheckNotNeeded("The household has changed, and this check is not needed any more.")
    number = check.slot.rpartition(":")[2]
    same = {
        one.item: one
        for one in db.session.scalars(
            select(Check).where(
                Check.application_id == check.application_id,
                Check.person_id == check.person_id,
                Check.item.in_(REFEREE_ITEMS),
                Check.dropped_on.is_(None),
            )
        )
        if one.slot.rpartition(":")[2] == number
    }
    if NAMED_ITEM not in same:
        raise RefereeAsItStands("The list of checks has no place for a referee here.")
    return same[NAMED_ITEM], same.get(INTERVIEW_ITEM)


def _check_who(case: Case, check: Check, new: NewReferee, *, but: Referee | None) -> None:
    if not new.email and not new.phone:
        raise NotAReferee("Give an email address or a mobile number, so that we can ask them.", field="email")
    if new.relation not in set(Relation):
        raise NotAReferee("Choose how they know each other.", field="relation")
    if not new.email and not can_be_texted(keys.phone_key(new.phone)):
        raise NotAReferee("Without an email, this has to be a mobile number that takes texts.", field="phone")
    first = check.person.given_name if check.person is not None else "them"
    name = keys.name_key(new.name)
    for person in case.household.people:
        if keys.name_key(person.full_name) == name:
            raise NotAReferee(
                f"{new.name} is one of the household. A referee is somebody from outside it.", field="name"
            )
    letters.refuse_households(case, email=new.email, phone=new.phone)
    email, phone = keys.email_key(new.email), keys.phone_key(new.phone)
    for other in referees_of(case, check.application_id):
        if not other.is_in_place or (but is not None and other.id == but.id):
            continue
        is_same_name = keys.name_key(other.name) == name
        for field, mine, theirs in (
            ("email", email, keys.email_key(other.email)),
            ("phone", phone, keys.phone_key(other.phone)),
        ):
            if mine is None or mine != theirs:
                continue
            if other.person_id == check.person_id:
                raise NotAReferee(
                    f"Another referee of {first} is reached there. Two different people are asked.", field=field
                )
            if not is_same_name:
                raise NotAReferee(
                    "Another referee is reached there. Each needs a place that is theirs alone.", field=field
                )


def _write(referee: Referee, new: NewReferee) -> None:
    referee.name, referee.relation, referee.known_since = new.name, new.relation, new.known_since
    referee.email, referee.phone = new.email or None, new.phone or None


# --- Asking -----------------------------------------------------------------------------------------------------------


def ask_referee(
    case: Case,
    referee: Referee,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> OutboundMessage:
    """Send a referee their link: by email, by text where only a mobile is known. The clock of their interview runs."""
    _refuse_out(referee)
    _refuse_sent(referee)
    waits = _waits_on(referee)
    if waits.is_obtained:
        raise checks.AlreadyObtained("Their interview has come in already, so there is nothing to ask for.")
    # The day of asking stays the first one: what is asked again is chased.
    checks.ask_for_check(
        case,
        waits,
        requested_on=today,
        asked_of=_in_words(referee),
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        seen=seen,
    )
    referee.asked_on, referee.chased_on = today, None
    message = _send(case, referee, "reference_request", actor=actor, now=now, today=today, rulebook=rulebook)
    note("referee.asked", case, actor=actor, now=now, subject=subject_of(referee))
    return message


def chase(
    case: Case,
    referee: Referee,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> OutboundMessage:
    """Remind a referee: the same link again, good for as long as a new one; its clock begins again."""
    _refuse_out(referee)
    _refuse_sent(referee)
    if referee.asked_on is None or referee.token_digest is None:
        raise RefereeAsItStands("Nobody has asked this referee yet. Ask first.")
    checks.chase_check(case, _waits_on(referee), actor=actor, now=now, today=today, rulebook=rulebook, seen=seen)
    referee.chased_on = today
    message = _send(case, referee, "reference_reminder", actor=actor, now=now, today=today, rulebook=rulebook)
    note("referee.chased", case, actor=actor, now=now, subject=subject_of(referee))
    return message


def _send(
    case: Case, referee: Referee, kind: str, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> OutboundMessage:
    if referee.serial is None:
        referee.serial, referee.link_made_at = secrets.token_hex(16), now
    token = token_of(referee)
    referee.token_digest, referee.link_ends_at = _digest(token), now + LINK_GOOD_FOR
    referee.reply_by = rulebook.due_on("referee_reply", today)
    db.session.flush()
    return letters.send_to_referee(
        kind,
        case=case,
        first_name=first_of(referee.name),
        email=referee.email,
        phone=referee.phone,
        context={
            "applicants": applicants_of(case),
            "reply_url": _url(token),
            "reply_by": referee.reply_by,
            "expires_at": referee.link_ends_at,
        },
        whom=f"a referee of {referee.person.given_name}",
        stream=f"{_STREAM}{referee.id}",
        sequence=_next_letter(referee),
        about_id=referee.person_id,
        actor=actor,
        now=now,
    )


def _waits_on(referee: Referee) -> Check:
    """The check whose clock runs while we wait: the interview, else the place itself."""
    check_id = referee.interview_check_id or referee.check_id
    return db.session.get_one(Check, check_id)


def _in_words(referee: Referee) -> str:
    reached = referee.email or referee.phone or ""
    return f"{referee.name} ({RELATION_WORDS[Relation(referee.relation)].lower()}), {reached}"[:200]


# --- The referee's own link -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """What stands behind a link that is good."""

    referee: Referee
    case: Case
    officer: User | None
    """Who rings them."""

    @property
    def person(self) -> Person:
        return self.referee.person

    @property
    def actor(self) -> Actor:
        """The referee, as whoever acts by the link."""
        return Actor(kind=ActorKind.REFEREE, display_name=f"A referee of {self.person.given_name}")


def opened(token: str, *, now: datetime, lock: bool = False) -> Opened:
    """What stands behind a link. Raises LinkEnded, with no word on why: its time is over, the referee was taken out,
    another address is theirs now, the application has ended, or the applicant is not of the household any more."""
    query = (
        select(Referee, Case, Application)
        .join(Case, Case.id == Referee.case_id)
        .join(Application, Application.id == Referee.application_id)
        .where(Referee.token_digest == _digest(token), Referee.withdrawn_at.is_(None))
        .options(
            selectinload(Referee.person),
            selectinload(Case.household).selectinload(Household.people),
            selectinload(Case.tracks),
        )
    )
    row: Any = db.session.execute(query.with_for_update(of=Referee) if lock else query).first()
    if row is None:
        raise LinkEnded
    referee, case, application = row
    if referee.link_ends_at <= now or not _is_in_play(referee, case, application):
        raise LinkEnded
    return Opened(referee, case, db.session.get(User, case.owner_id) if case.owner_id else None)


def _is_in_play(referee: Referee, case: Case, application: Application) -> bool:
    """Whether what the referee is asked about is still open. The household may have taken over their address."""
    return (
        case.is_open
        and application.ended_on is None
        and case.stages.get(TrackName.APPLICATION) in OPEN_APPLICATION
        and referee.person.household_id == case.household_id
        and referee.person.left_household_on is None
        and not letters.is_households(case, email=referee.email, phone=referee.phone)
    )


def choose(found: Opened, choice: str, *, now: datetime, today: date, rulebook: Rulebook) -> None:
    """What the referee says to being one. No, and the wrong person, end the link at once."""
    referee, case = found.referee, found.case
    if choice not in set(Choice):
        raise RefereeAsItStands("Choose one of the answers.", status=422, field="choice")
    _refuse_sent(referee)
    if referee.choice == choice:
        return
    referee.opened_at = referee.opened_at or now
    first = referee.person.given_name
    if choice == Choice.YES:
        referee.choice = choice
    elif choice == Choice.TALK:
        referee.choice = choice
        _tell_officer(
            found,
            f"Ring the referee of {first}: they would rather talk than write",
            due_on=rulebook.calendar.add(today, RING_WITHIN),
            now=now,
        )
        _line(found, f"A referee of {first} would rather talk than write", now=now)
    else:
        why = WhyOut.DECLINED if choice == Choice.NO else WhyOut.WRONG_PERSON
        referee.choice = choice
        _put_out(case, referee, why, actor=found.actor, now=now, today=today)
        # Whoever reads their list over a shoulder learns no reason, and nobody passes one on.
        _tell_officer(found, f"Ask {first} for the name of another referee, and give no reason", due_on=today, now=now)
        _line(found, f"A referee of {first} is not one any more", now=now)
    note("referee.chose", case, actor=found.actor, now=now, subject=subject_of(referee))
    db.session.flush()
    end_step(case, today=today, rulebook=rulebook)


def save_draft(found: Opened, answers: dict[str, str], *, step: str, now: datetime) -> None:
    """Keep what was answered on one page; ``step`` is where the same link comes back to."""
    referee = found.referee
    _refuse_sent(referee)
    if referee.choice != Choice.YES:
        raise RefereeAsItStands("Say first that you are happy to help.")
    known = {**kept(referee.draft), **answers}
    referee.draft, referee.draft_at, referee.step = to_keep({k: v for k, v in known.items() if v}), now, step
    db.session.flush()


def submit(found: Opened, *, now: datetime, today: date, rulebook: Rulebook) -> None:
    """The reference is given. The officer has a task to ring them; whether the check is in, a person records."""
    referee, case = found.referee, found.case
    _refuse_sent(referee)
    answers = kept(referee.draft)
    if referee.choice != Choice.YES or topics_missing(answers):
        raise RefereeAsItStands("Something has still to be answered.", status=422)
    referee.answers, referee.submitted_at = to_keep(answers), now
    referee.draft, referee.draft_at, referee.step = None, None, None
    referee.may_share = answers.get("share") == "yes"
    referee.is_confidential = not referee.may_share
    first = referee.person.given_name
    waits = _waits_on(referee)
    clocks.stop(case, (waits.chase_rule,), on=today, subject=checks.subject_of(waits))
    _tell_officer(
        found,
        f"Read the reference for {first}, then ring the referee to talk",
        due_on=rulebook.calendar.add(today, RING_WITHIN),
        now=now,
    )
    _line(found, f"A reference for {first} came in", now=now)
    note("referee.submitted", case, actor=found.actor, now=now, subject=subject_of(referee))
    db.session.flush()
    end_step(case, today=today, rulebook=rulebook)
    if referee.email:
        letters.send_to_referee(
            "reference_thanks",
            case=case,
            first_name=first_of(referee.name),
            email=referee.email,
            phone=None,
            context={},
            whom=f"a referee of {first}",
            stream=f"{_STREAM}{referee.id}",
            sequence=_next_letter(referee),
            about_id=referee.person_id,
            actor=found.actor,
            now=now,
        )


def draft_mark(referee: Referee) -> str:
    """How the answers stood when a page was drawn, so that what is sent is what was looked at."""
    return hashlib.sha256((referee.draft or "").encode()).hexdigest()[:20]


# --- The interview ----------------------------------------------------------------------------------------------------


def book_interview(
    case: Case,
    referee: Referee,
    *,
    booked_for: datetime,
    how: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Book a talk with a referee, or move it. The referee and the officer whose case it is are invited, each in a
    message of their own; booked again as it is, nothing is sent."""
    begin_step(case, Permission.RECORD_CHECK, actor=actor, seen=seen)
    _refuse_out(referee)
    if how not in set(How):
        raise RefereeAsItStands("Choose how you talk.", status=422, field="how")
    if booked_for <= now:
        raise DayNotPossible("Choose a time that is still to come.", field="on")
    if booked_for > now + timedelta(days=365):
        raise DayNotPossible("That is more than a year away.", field="on")
    before = (referee.booked_for, referee.booked_how)
    if before == (booked_for, how):
        return
    is_moved = has_talk_ahead(referee, now=now)
    referee.booked_for, referee.booked_how = booked_for, how
    talk_telling.tell_booked(
        case,
        referee,
        first_name=first_of(referee.name),
        old_starts_at=before[0] if is_moved and before[0] != booked_for else None,
        actor=actor,
        now=now,
        today=today,
    )
    note(
        "referee.interview_booked",
        case,
        actor=actor,
        now=now,
        subject=subject_of(referee),
        on=london_date(booked_for),
    )
    timeline.add(
        case,
        kind="check",
        title=f"A talk with a referee of {referee.person.given_name} is {'moved' if is_moved else 'booked'}",
        actor=actor,
        occurred_at=now,
        person_id=referee.person_id,
    )
    end_step(case, today=today, rulebook=rulebook)


def call_off_interview(
    case: Case,
    referee: Referee,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Call a booked talk off: it comes out of both calendars. The referee stays one."""
    begin_step(case, Permission.RECORD_CHECK, actor=actor, seen=seen)
    _refuse_out(referee)
    if not has_talk_ahead(referee, now=now):
        raise RefereeAsItStands("No talk that is still to come is booked with them.")
    _end_talk(case, referee, actor=actor, now=now, today=today)
    note("referee.interview_called_off", case, actor=actor, now=now, subject=subject_of(referee))
    timeline.add(
        case,
        kind="check",
        title=f"A talk with a referee of {referee.person.given_name} is called off",
        actor=actor,
        occurred_at=now,
        person_id=referee.person_id,
    )
    end_step(case, today=today, rulebook=rulebook)


def has_talk_ahead(referee: Referee, *, now: datetime) -> bool:
    """Whether a talk is booked that has not begun."""
    return referee.booked_for is not None and referee.booked_for > now


def end_talks(case: Case, *, actor: Actor, now: datetime, today: date) -> None:
    """Take every talk that is still to come out of the calendars: the application they were for has ended."""
    for referee in referees_of(case):
        _end_talk(case, referee, actor=actor, now=now, today=today)


def _end_talk(
    case: Case, referee: Referee, *, actor: Actor, now: datetime, today: date, tell_referee: bool = True
) -> None:
    """Take a talk that is still to come out of the calendars; none is booked any more. Nobody of the household is told,
    whatever has become of the referee's address."""
    if not has_talk_ahead(referee, now=now):
        return
    theirs = letters.is_households(case, email=referee.email, phone=referee.phone)
    talk_telling.tell_off(
        case,
        referee,
        first_name=first_of(referee.name),
        tell_referee=tell_referee and not theirs,
        actor=actor,
        now=now,
        today=today,
    )
    referee.booked_for = referee.booked_how = None
    db.session.flush()


def write_up_interview(
    case: Case,
    referee: Referee,
    *,
    held_on: date,
    account: str,
    view: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Write an interview up: the interview check is in from the day it was held, and Stage 1 follows."""
    if actor.user_id is None:
        raise NotPermitted("Only somebody who works here writes an interview up.")
    _refuse_out(referee)
    if view not in set(View):
        raise RefereeAsItStands("Say what it came to.", status=422, field="view")
    if not account.strip():
        raise RefereeAsItStands("Write down what was said.", status=422, field="account")
    not_after_today(held_on, today=today, field="held_on", what="The day you talked")
    not_before(
        held_on,
        london_date(referee.named_at),
        field="held_on",
        message="You can’t have talked before they were named.",
    )
    interview = db.session.get(Check, referee.interview_check_id) if referee.interview_check_id else None
    if interview is None:
        begin_step(case, Permission.RECORD_CHECK, actor=actor, seen=seen)
    else:
        came_in = checks.CheckCameIn(received_on=held_on, result=RESULTS[View(view)], outcome=account)
        interview.asked_of = interview.asked_of or _in_words(referee)
        try:
            checks.record_check(
                case, interview, came_in, actor=actor, now=now, today=today, rulebook=rulebook, seen=seen
            )
        except DayNotPossible as refusal:
            raise DayNotPossible("You can’t have talked before they were asked.", field="held_on") from refusal
    # Talked with before the time that was booked: it is in nobody's calendar any more.
    _end_talk(case, referee, actor=actor, now=now, today=today)
    referee.held_on, referee.interviewer_id = held_on, actor.user_id
    referee.account, referee.view = account, view
    note("referee.interviewed", case, actor=actor, now=now, subject=subject_of(referee), on=held_on)
    db.session.flush()
    end_step(case, today=today, rulebook=rulebook)


# --- Reads ------------------------------------------------------------------------------------------------------------


def referees_of(case: Case, application_id: int | None = None) -> list[Referee]:
    """Everybody who was ever named for a household, in the order in which they were; for one application, if given."""
    query = _REFEREES
    if application_id is not None:
        query = query.where(Referee.application_id == application_id)
    return list(db.session.scalars(query, {"case_id": case.id}))


_REFEREES = (
    select(Referee)
    .where(Referee.case_id == bindparam("case_id"))
    .options(selectinload(Referee.person))
    .order_by(Referee.id)
)


def referee_of(case: Case, referee_id: int) -> Referee:
    """One referee of this household. Raises NoSuchReferee."""
    referee = db.session.get(Referee, referee_id)
    if referee is None or referee.case_id != case.id:
        raise NoSuchReferee("We can’t find that referee for this household.")
    return referee


def in_place(check: Check) -> Referee | None:
    """The referee who has this place, by either of its two checks."""
    column = Referee.interview_check_id if check.item == INTERVIEW_ITEM else Referee.check_id
    return db.session.scalars(select(Referee).where(column == check.id, Referee.withdrawn_at.is_(None))).first()


@dataclass(frozen=True)
class Standing:
    """Where it stands with a referee: a shape, a word, and since when. Nothing of what they said."""

    kind: str
    words: str
    since: date | None = None


def standing_of(referee: Referee, *, now: datetime) -> Standing:
    """Where it stands with a referee, for staff."""
    if referee.withdrawn_at is not None:
        return Standing("closed", "Taken out", london_date(referee.withdrawn_at))
    if referee.held_on is not None:
        return Standing("ok", "Interviewed", referee.held_on)
    if referee.booked_for is not None and referee.booked_for > now:
        return Standing("waiting", "Interview booked", london_date(referee.booked_for))
    if referee.submitted_at is not None:
        return Standing("due", "Reference in, to be rung", london_date(referee.submitted_at))
    if referee.choice == Choice.TALK and referee.opened_at is not None:
        return Standing("due", "Would rather talk: ring them", london_date(referee.opened_at))
    if referee.asked_on is None or referee.token_digest is None:
        return Standing("none", "Named, not asked yet", london_date(referee.named_at))
    if referee.link_ends_at is not None and referee.link_ends_at <= now:
        return Standing("over", "Link has ended", london_date(referee.link_ends_at))
    if referee.draft_at is not None:
        return Standing("waiting", "Half done", london_date(referee.draft_at))
    if referee.opened_at is not None:
        return Standing("waiting", "Said yes, not begun", london_date(referee.opened_at))
    return Standing("waiting", "Chased" if referee.chased_on else "Asked", referee.chased_on or referee.asked_on)


def subject_of(referee: Referee) -> str:
    return f"referee:{referee.id}"


def applicants_of(case: Case) -> list[str]:
    """The first names of the applicants, which is all that a referee is told of the household."""
    return [one.given_name for one in queries.live_people(case) if one.is_applicant]


def first_of(name: str | None) -> str:
    """The first word of a name."""
    return (name or "").split()[0] if (name or "").split() else "there"


# --- Letters that wait, and what is dropped ---------------------------------------------------------------------------

_STREAM = "referee:"


def may_it_leave(message: OutboundMessage, *, now: datetime, today: date, actor: Actor) -> Stop | None:
    """Bound to the worker's claim: nothing goes to somebody who is no referee any more, whose address has changed, or
    whose address has become the household's own since the letter was written."""
    stream = next((one for one in (_STREAM, talk_telling.STREAM) if (message.stream or "").startswith(one)), None)
    if message.stream is None or stream is None or message.case_id is None or message.user_id is not None:
        return None
    number = message.stream.removeprefix(stream)
    referee = db.session.get(Referee, int(number)) if number.isdigit() else None
    case = db.session.get(Case, message.case_id)
    application = db.session.get(Application, referee.application_id) if referee is not None else None
    is_off = message.kind == "referee_talk_off"
    if referee is None or case is None or application is None or not (referee.is_in_place or is_off):
        return Stop("not_wanted")
    now_at = referee.email if message.channel == Channel.EMAIL else keys.phone_key(referee.phone)
    if now_at is None or recipient_key(message.channel, now_at) != message.recipient_key:
        return Stop("address_changed")
    if is_off:  # what stands in their calendar comes out of it, whatever has become of the application
        is_theirs = letters.is_households(case, email=referee.email, phone=referee.phone)
        return Stop("not_wanted") if is_theirs else None
    if not _is_in_play(referee, case, application):
        return Stop("not_wanted")
    return None


def forget_drafts(*, now: datetime) -> int:
    """Drop what was written and never sent, long after its link ended; how many. For the timetable."""
    result = db.session.execute(
        update(Referee)
        .where(Referee.draft_sealed.is_not(None), Referee.draft_at < now - LINK_GOOD_FOR - DRAFTS_KEPT_FOR)
        .values(draft_sealed=None, draft_at=None, step=None)
        .execution_options(synchronize_session=False)
    )
    return rows_changed(result)


# --- Small parts ------------------------------------------------------------------------------------------------------


def _put_out(case: Case, referee: Referee, why: WhyOut, *, actor: Actor, now: datetime, today: date) -> None:
    _end_link(referee)
    referee.withdrawn_at, referee.withdrawn_why = now, why
    referee.draft, referee.draft_at, referee.step = None, None, None
    _end_talk(case, referee, actor=actor, now=now, today=today, tell_referee=why is not WhyOut.WRONG_PERSON)
    waits = _waits_on(referee)
    if not waits.is_obtained:
        clocks.stop(case, (waits.chase_rule,), on=today, how="ended", subject=checks.subject_of(waits))
        # Nobody is asked for it now: the place is to be filled again.
        waits.requested_on, waits.chased_on, waits.asked_of = None, None, None
    db.session.flush()


def _end_link(referee: Referee) -> None:
    referee.serial = referee.token_digest = referee.link_made_at = referee.link_ends_at = None


def _next_letter(referee: Referee) -> int:
    referee.letter_count += 1
    return referee.letter_count


def _refuse_out(referee: Referee) -> None:
    if not referee.is_in_place:
        raise RefereeAsItStands("They are not a referee here any more.")


def _refuse_sent(referee: Referee) -> None:
    if referee.is_submitted:
        raise RefereeAsItStands("Their reference has come in already.")


def _tell_officer(found: Opened, title: str, *, due_on: date, now: datetime) -> None:
    if found.case.owner_id is not None:
        add_task(
            title=title,
            assigned_to_id=found.case.owner_id,
            due_on=due_on,
            actor=found.actor,
            now=now,
            case=found.case,
        )


def _line(found: Opened, title: str, *, now: datetime) -> None:
    timeline.add(
        found.case,
        kind="check",
        title=title,
        actor=found.actor,
        occurred_at=now,
        person_id=found.referee.person_id,
    )


def _check_of(referee: Referee) -> Check:
    return db.session.get_one(Check, referee.check_id)


def token_of(referee: Referee) -> str:
    """The secret of a referee's link, made again from its serial: for a letter to them, and shown to nobody else."""
    key = hmac.digest(post_room().recipient_secret, b"referee link 1", "sha256")
    raw = hmac.digest(key, f"{referee.id}|{referee.serial}".encode(), "sha256")[:_TOKEN_BYTES]
    return base64.urlsafe_b64encode(raw).decode()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _url(token: str) -> str:
    return f"{post_room().base_url.rstrip('/')}/reference/{token}"

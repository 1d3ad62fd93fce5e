"""Signing in as an applicant: a code to a contact point that is theirs alone, or one handed over by staff.

A mailbox or a phone that two people share opens nothing. Nobody learns from the answer whether a contact point is known
here: an unknown one gets the same page, and a code that is never right.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from crm.access import sessions
from crm.access.models import SessionKind, SignInCode
from crm.access.tokens import digest_of, has_shape, new_token
from crm.audit import record
from crm.cases import keys, letters, safe_contact
from crm.cases.models import Case, Household, Person
from crm.cases.queries import case_of_household, read_reference, reference_now
from crm.db import db, rows_changed
from crm.delivery import Channel
from crm.delivery.letters import LETTERS
from crm.rules.permissions import Actor, ActorKind
from crm.rules.reference import ALPHABET
from crm.rules.refusal import Refusal
from crm.rules.stages import TrackName
from crm.web.keyed import digest

KIND = "portal_code"
SENT_GOOD_FOR = timedelta(minutes=10)
HANDED_GOOD_FOR = timedelta(days=7)
TRIES = 5
DIGITS = 6
HANDED_LENGTH = 8


class CodeNotRight(Refusal):
    """The code is not the one that was sent, or it has ended."""

    default_status = 422


class CantSignIn(Refusal):
    """This person can't sign in now."""


@dataclass(frozen=True)
class Asked:
    """A contact point that somebody typed, and whose alone it is."""

    case: Case
    person: Person
    channel: Channel


def actor_of(person: Person) -> Actor:
    """An applicant, as what they do is recorded."""
    return Actor(kind=ActorKind.APPLICANT, person_id=person.id, display_name=person.full_name)


def may_sign_in(case: Case | None, person: Person) -> bool:
    """Whether an applicant has anything to sign in for: from being invited to apply, and as long as they live there."""
    return (
        case is not None
        and person.is_applicant
        and person.left_household_on is None
        and (case.stages.get(TrackName.APPLICATION) is not None or case.stages.get(TrackName.ENQUIRY) == "invited")
    )


def person_behind(typed: str, *, now: datetime) -> Asked | None:
    """Who is reached at what was typed, and nobody else; None for a contact point that opens nothing."""
    is_email = "@" in typed
    column, key = (Person.email_key, keys.email_key(typed)) if is_email else (Person.phone_key, keys.phone_key(typed))
    if key is None:
        return None
    here = db.session.scalars(
        select(Person).join(Household, Household.id == Person.household_id).where(column == key).limit(20)
    ).all()
    channel = Channel.EMAIL if is_email else Channel.TEXT
    found = []
    for person in here:
        case = case_of_household(person.household_id)
        if case is not None and may_sign_in(case, person):
            found.append(Asked(case, person, channel))
    if len(found) != 1:
        return None
    asked = found[0]
    why_not = safe_contact.why_not_by(LETTERS[KIND], asked.case, asked.person, channel, now=now)
    return asked if why_not is None else None


def own_ways(case: Case, person: Person, *, now: datetime) -> dict[Channel, str]:
    """Where a code could go to this person: the contact points that are theirs alone, by channel."""
    return {
        channel: safe_contact.address_for(case, person, channel) or ""
        for channel in LETTERS[KIND].channels
        if safe_contact.why_not_by(LETTERS[KIND], case, person, channel, now=now) is None
    }


def ask_for_code(asked: Asked | None, *, now: datetime) -> str:
    """Make a code and send it where it was asked for. Returns the token of the page that waits for it."""
    token, code = new_token(), f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    db.session.add(
        SignInCode(
            token_hash=digest_of(token),
            person_id=asked.person.id if asked else None,
            code_digest=_digest(token, code),
            made_at=now,
            ends_at=now + SENT_GOOD_FOR,
        )
    )
    db.session.flush()
    if asked is not None:
        actor = actor_of(asked.person)
        letters.send_letter(
            KIND,
            case=asked.case,
            person=asked.person,
            context={"code": f"{code[:3]} {code[3:]}"},
            actor=actor,
            now=now,
            today=now.date(),
            occasion=digest_of(token),
            not_after=now + SENT_GOOD_FOR,
            channel=asked.channel,
        )
        record("access.code_asked", actor=actor, at=now, case_id=asked.case.id, subject=f"person:{asked.person.id}")
    return token


def is_waiting(token: str, *, now: datetime) -> bool:
    """Whether a code that goes with this page can still be typed."""
    row = _row(token)
    return row is not None and row.used_at is None and row.ends_at > now and row.tries < TRIES


def _row(token: str) -> SignInCode | None:
    if not has_shape(token):
        return None
    return db.session.scalar(select(SignInCode).where(SignInCode.token_hash == digest_of(token)))


def _digest(bound_to: str, code: str) -> str:
    return digest("sign-in code", f"{bound_to}:{code}")


def plain(code: str) -> str:
    """A code without the spaces and dashes that people put in, letters made one: O is 0, I and L are 1."""
    kept = "".join(letter for letter in code.upper() if letter.isalnum())
    return kept.translate(str.maketrans("OIL", "011"))


def right_person(token: str, code: str, *, now: datetime) -> int | None:
    """Count a try at the code of this page; the person it is right for, else None. Commit it either way."""
    row = _row(token)
    if row is None or row.used_at is not None or row.ends_at <= now or not _count(row, now):
        return None
    if row.person_id is None or not hmac.compare_digest(row.code_digest, _digest(token, plain(code))):
        return None
    row.used_at = now
    db.session.flush()
    return row.person_id


def _count(row: SignInCode, now: datetime) -> bool:
    """Use up a try, by compare-and-set: of many at the same moment no more than five are looked at."""
    counted = update(SignInCode).where(SignInCode.id == row.id, SignInCode.tries < TRIES, SignInCode.used_at.is_(None))
    return rows_changed(db.session.execute(counted.values(tries=SignInCode.tries + 1))) == 1


def hand_over_code(case: Case, person: Person, *, actor: Actor, now: datetime) -> str:
    """A code for staff to give somebody face to face, who has no contact point of their own. Earlier ones end."""
    if not may_sign_in(case, person):
        raise CantSignIn(f"{person.full_name} is not an applicant who has been invited to apply.")
    db.session.execute(
        update(SignInCode)
        .where(SignInCode.person_id == person.id, SignInCode.is_handed, SignInCode.used_at.is_(None))
        .values(ends_at=now)
    )
    code = "".join(secrets.choice(ALPHABET) for _ in range(HANDED_LENGTH))
    db.session.add(
        SignInCode(
            token_hash=digest_of(new_token()),
            person_id=person.id,
            code_digest=_digest(f"handed:{person.id}", code),
            is_handed=True,
            made_by_id=actor.user_id,
            made_at=now,
            ends_at=now + HANDED_GOOD_FOR,
        )
    )
    db.session.flush()
    record("access.code_handed", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}")
    return f"{code[:4]}-{code[4:]}"


def right_handed(reference: str, code: str, *, now: datetime) -> int | None:
    """The person of this household for whom a handed code is right, else None; a try counts against each of theirs."""
    known = read_reference(reference)
    case = db.session.scalar(select(Case).where(Case.reference.in_([known, reference_now(known or "")])))
    if case is None:
        return None
    rows = db.session.scalars(
        select(SignInCode)
        .join(Person, Person.id == SignInCode.person_id)
        .where(
            Person.household_id == case.household_id,
            SignInCode.is_handed,
            SignInCode.used_at.is_(None),
            SignInCode.ends_at > now,
        )
    ).all()
    found = None
    for row in rows:
        if _count(row, now) and hmac.compare_digest(row.code_digest, _digest(f"handed:{row.person_id}", plain(code))):
            row.used_at, found = now, row.person_id
    db.session.flush()
    return found


def open_session(person_id: int, *, browser: str, now: datetime) -> str:
    """After the right code: a new session, and the token for its cookie. Raises CantSignIn."""
    person = db.session.get(Person, person_id)
    case = case_of_household(person.household_id) if person is not None else None
    if person is None or case is None or not may_sign_in(case, person):
        raise CantSignIn("You can’t sign in just now. Ring us, and we will help.")
    token = sessions.begin(kind=SessionKind.APPLICANT, person_id=person.id, browser=browser, now=now)
    record("access.signed_in", actor=actor_of(person), at=now, case_id=case.id, subject=f"person:{person.id}")
    return token


def forget_ended_before(moment: datetime) -> int:
    """Drop codes that ended before a moment; how many. Called by the timetable, inside its transaction."""
    return rows_changed(db.session.execute(delete(SignInCode).where(SignInCode.ends_at < moment)))

"""Being in touch: what was tried, what was said, and the rules a person gave for being reached."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from crm.audit import record
from crm.cases import summary, timeline
from crm.cases.change_stage import claim_version
from crm.cases.models import Case, Person
from crm.rules.permissions import Actor, Sensitivity
from crm.rules.quiet_times import keep_quiet, say_quiet
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

ATTEMPT_WORDS = {
    "no_answer": "Rang, no answer",
    "voicemail": "Rang, left a voicemail",
    "text": "Sent a text",
    "email": "Sent an email",
    "wrong_number": "Rang, wrong number",
}


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
) -> None:
    """Write down a try that did not reach them. The response clock runs on: trying is not answering.

    Raises TheyAskedUsNotTo for a voicemail to somebody who said to leave none.
    """
    if how == "voicemail" and person.no_voicemail:
        raise TheyAskedUsNotTo(f"{person.full_name} asked us not to leave a voicemail.", status=422, field="how")
    claim_version(case, seen)
    timeline.add(
        case,
        kind="contact",
        title=f"{ATTEMPT_WORDS[how]}: {person.full_name}",
        detail=note,
        actor=actor,
        occurred_at=now,
        person_id=person.id,
    )
    record(
        "contact.attempted", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}", detail={"how": how}
    )
    summary.refresh(case, today=today, rulebook=rulebook)


def add_note(
    case: Case,
    *,
    text: str,
    kind: str,
    actor: Actor,
    now: datetime,
    sensitivity: Sensitivity = Sensitivity.ORDINARY,
) -> None:
    """Keep a note on the timeline. ``kind`` is note or contact."""
    if not text.strip():
        raise Refusal("Write the note before keeping it.", status=422, field="note")
    title = "Note" if kind == "note" else "Contact"
    timeline.add(
        case, kind=kind, title=title, detail=text.strip(), sensitivity=sensitivity, actor=actor, occurred_at=now
    )
    record("note.added", actor=actor, at=now, case_id=case.id, subject=f"case:{case.reference}")


def set_contact_rules(
    person: Person,
    *,
    case: Case,
    no_calls: bool,
    no_voicemail: bool,
    no_contact: bool,
    no_texts: bool = False,
    no_emails: bool = False,
    no_letters: bool = False,
    quiet_times: Iterable[str] = (),
    contact_times: str | None,
    safe_contact: str | None,
    actor: Actor,
    now: datetime,
) -> None:
    """Change how a person may be reached; in force from the next thing that would have gone out."""
    person.no_calls, person.no_voicemail, person.no_contact = no_calls, no_voicemail, no_contact
    person.no_texts, person.no_emails, person.no_letters = no_texts, no_emails, no_letters
    person.quiet_times = keep_quiet(quiet_times)
    person.contact_times = contact_times or None
    person.safe_contact = safe_contact or None
    timeline.add(
        case,
        kind="fact",
        title=f"How to reach {person.full_name} was changed",
        actor=actor,
        occurred_at=now,
        person_id=person.id,
    )
    record("person.contact_rules", actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}")

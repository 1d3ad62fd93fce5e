"""The application as the household fills it in: begun, left, come back to, signed by each, and handed in.

What an earlier conversation told us is offered to be confirmed, with where it came from; what a part says is written
down once it is done, so that nothing is asked a second time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from crm import policy
from crm.assessments.applications import Received, SignedBy, receive_application
from crm.assessments.household import AdultOrChild, NewMember, check_age
from crm.assessments.models import Application
from crm.assessments.part_models import ApplicationPart
from crm.assessments.queries import live_people
from crm.assessments.steps import hold, note
from crm.cases import timeline
from crm.cases.facts import current_facts, state_fact
from crm.cases.models import Case, Fact, Person, PersonRole
from crm.db import db
from crm.rules.application import PARTS, PARTS_BY_NAME, SIGN, Ask, Part, Question, day_of, is_answered, missing_of
from crm.rules.permissions import Actor, Sensitivity, may_see
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName
from crm.web.filters import date_only

SOURCE = "Their application"
DECLARATIONS = ("application.declaration", "application.checks")
"""The wordings that each applicant agrees to, in order."""


class NotTheirsNow(Refusal):
    """The application can't be filled in at this time."""


class SavedMeanwhile(Refusal):
    """The other applicant saved a shared part since this one was looked at."""


class NotWhole(Refusal):
    """A part can't be marked as done, or the application signed, while something is missing."""

    default_status = 422


@dataclass(frozen=True)
class Known:
    """What an earlier conversation told us, offered to be confirmed."""

    value: str
    source: str
    stated_on: date


def may_fill_in(case: Case) -> bool:
    """Whether the household is to fill in its application now: from being invited until it is handed in."""
    stages = case.stages
    return stages.get(TrackName.ENQUIRY) == "invited" and stages.get(TrackName.APPLICATION) is None


Key = tuple[str, int | None]
"""A part's name, and whose it is: None where it is shared."""


def key_of(part: Part, person: Person) -> Key:
    return (part.name, None if part.is_shared else person.id)


def parts_of(case: Case) -> dict[Key, ApplicationPart]:
    """Every part that was begun. Answers stay sealed until they are read."""
    found = db.session.scalars(select(ApplicationPart).where(ApplicationPart.case_id == case.id))
    return {(part.name, part.person_id): part for part in found}


def applicants_of(case: Case) -> list[Person]:
    """Those who apply and live there."""
    return [person for person in live_people(case) if person.is_applicant]


def answers_of(row: ApplicationPart | None) -> dict[str, Any]:
    """The answers of a part; empty where it was not begun."""
    answers: dict[str, Any] = json.loads(row.answers or "{}") if row is not None else {}
    return answers


def known_answers(case: Case, part: Part, person: Person) -> dict[str, Any]:
    """What the case knows of a part that nobody has begun: filled in beforehand, to be looked over."""
    if part.name == "about" and person.born_on is not None:
        return {"born_on": person.born_on.isoformat()}
    others = [one for one in live_people(case) if not one.is_applicant] if part.name == "people" else []
    rows = [
        {
            "given": one.given_name,
            "family": one.family_name or "",
            "kind": one.role,
            "born_on": one.born_on.isoformat() if one.born_on else "",
        }
        for one in others
    ]
    return {"members": rows} if rows else {}


def referees_named(case: Case, person_id: int | None) -> list[dict[str, str]]:
    """The referees whom an applicant named in the application, in their order."""
    row = parts_of(case).get(("referees", person_id)) if person_id is not None else None
    named: list[dict[str, str]] = answers_of(row).get("referees") or []
    return named


def known_for(case: Case, part: Part, actor: Actor) -> dict[str, Known]:
    """What is known already of the questions of a part, as far as this applicant may read it."""
    wanted = {question.fact: question.name for question in part.questions if question.fact}
    known: dict[str, Known] = {}
    if wanted:
        for fact in sorted(current_facts(case), key=lambda one: (one.person_id is not None, one.stated_on)):
            name = wanted.get(fact.key)
            if name is not None and _may_read(fact, actor):
                known[name] = Known(fact.value or "", fact.source, fact.stated_on)
    return known


def _may_read(fact: Fact, actor: Actor) -> bool:
    return may_see(actor, Sensitivity(fact.sensitivity), subject_person_id=fact.person_id, on_case=True)


# --- Saving -----------------------------------------------------------------------------------------------------------


def save_part(
    case: Case,
    part: Part,
    answers: Mapping[str, Any],
    *,
    is_done: bool,
    seen: int,
    person: Person,
    actor: Actor,
    now: datetime,
    today: date,
) -> ApplicationPart:
    """Keep what was answered. A part that is to count as done must be whole.

    ``seen`` is the version that was looked at, 0 for a part not begun. Raises SavedMeanwhile, NotWhole, NotTheirsNow.
    """
    _check_theirs(case, person, actor)
    row = parts_of(case).get(key_of(part, person))
    if (row.version if row is not None else 0) != seen:
        who = next((one.given_name for one in live_people(case) if row and one.id == row.saved_by_id), "Somebody")
        who = "You, in another window," if row and row.saved_by_id == person.id else who
        raise SavedMeanwhile(
            f"{who} saved this a moment ago. What you typed is still here: look at it once more, then save it again."
        )
    _check_ages(part, answers, on=today)
    if is_done:
        _check_whole(part, answers)
    if row is None:
        row = ApplicationPart(
            case_id=case.id,
            person_id=None if part.is_shared else person.id,
            name=part.name,
            shared_name=part.name if part.is_shared else None,
            version=0,
            sensitivity=part.sensitivity,
        )
        db.session.add(row)
    row.version += 1
    row.answers = json.dumps(dict(answers), ensure_ascii=False)
    row.saved_at, row.saved_by_id = now, person.id
    row.state, row.done_at = ("done", now) if is_done else ("begun", None)
    db.session.flush()
    note("application.part_saved", case, actor=actor, now=now, subject=f"application_part:{row.id}", part=part.name,
         done=is_done)  # fmt: skip
    _unsign(case, part, person, actor=actor, now=now)
    if is_done:
        _write_down(case, part, answers, person=person, actor=actor, now=now, today=today)
    return row


def _check_theirs(case: Case, person: Person, actor: Actor) -> None:
    # The two of a household at once: neither overwrites the other, and the last to sign is last.
    hold(case)
    if actor.person_id != person.id or person.household_id != case.household_id or not person.is_applicant:
        raise NotTheirsNow("This is for the applicants of this household to fill in.", status=404)
    if not may_fill_in(case):
        raise NotTheirsNow(
            "Your application has been handed in, so it stays as it is. If something has changed, send us a message."
        )


def _check_whole(part: Part, answers: Mapping[str, Any]) -> None:
    missing = missing_of(part, answers)
    if missing:
        name, words = next(iter(missing.items()))
        raise NotWhole(f"{words}, then mark this part as done.", field=name)
    if part.rows and len(answers.get(part.rows.name) or ()) < part.rows.least:
        raise NotWhole(f"{part.rows.too_few}, then mark this part as done.", field=f"{part.rows.name}_1")


def _check_ages(part: Part, answers: Mapping[str, Any], *, on: date) -> None:
    """Said while it can still be put right, and not when the application is signed."""
    if part.name == "about" and (born_on := day_of(answers.get("born_on"))) is not None:
        check_age(AdultOrChild.ADULT, born_on, on=on, field="born_on")
    if part.name == "people":
        for number, row in enumerate(answers.get("members") or (), start=1):
            if (born_on := day_of(row.get("born_on"))) is not None and row.get("kind"):
                check_age(AdultOrChild.of(row["kind"]), born_on, on=on, field=f"members_{number}_born_on")


def _unsign(case: Case, part: Part, person: Person, *, actor: Actor, now: datetime) -> None:
    """A signature is under what was written when it was given: a change after it asks for it again."""
    whose = {one.id for one in applicants_of(case)} if part.is_shared else {person.id}
    for row in parts_of(case).values():
        if row.name == SIGN and row.person_id in whose and row.state == "done":
            row.state, row.done_at = "begun", None
            row.version += 1
            note("application.signature_asked_again", case, actor=actor, now=now, subject=f"person:{row.person_id}")
    db.session.flush()


def _write_down(
    case: Case, part: Part, answers: Mapping[str, Any], *, person: Person, actor: Actor, now: datetime, today: date
) -> None:
    """What the case keeps as facts, so that later screens need not ask."""
    for question in part.questions:
        value = answers.get(question.name)
        if not question.fact or not is_answered(value):
            continue
        words = _in_words(part, question.name, answers)
        state_fact(
            case,
            key=question.fact,
            value=words,
            source=SOURCE,
            stated_on=today,
            actor=actor,
            now=now,
            person_id=None if part.is_shared else person.id,
            sensitivity=part.sensitivity if part.sensitivity is not Sensitivity.PERSONAL else None,
        )


def _in_words(part: Part, name: str, answers: Mapping[str, Any]) -> str:
    value = str(answers[name])
    if part.question(name).ask is Ask.YES_NO:
        more = next((str(answers.get(one.name) or "") for one in part.questions if one.if_yes == name), "")
        return f"Yes: {more}" if value == "yes" and more else value.capitalize()
    return dict(part.question(name).choices).get(value, value)


# --- Signing and handing in -------------------------------------------------------------------------------------------


def undone_for(case: Case, person: Person) -> list[Part]:
    """The parts that must be done before this applicant can sign."""
    begun = parts_of(case)
    return [part for part in PARTS if (row := begun.get(key_of(part, person))) is None or row.state != "done"]


def sign(
    case: Case, *, person: Person, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> Application | None:
    """Take an applicant's signature, with the wording they agreed to. The last one hands the application in.

    Returns the application then, else None. Raises NotWhole, NotTheirsNow.
    """
    _check_theirs(case, person, actor)
    undone = undone_for(case, person)
    if undone:
        raise NotWhole(f"“{undone[0].title}” is not done yet. Finish it, then sign.")
    row = parts_of(case).get((SIGN, person.id))
    if row is None:
        row = ApplicationPart(
            case_id=case.id, person_id=person.id, name=SIGN, version=0, sensitivity=Sensitivity.PERSONAL
        )
        db.session.add(row)
    row.version += 1
    row.answers = json.dumps(
        {"signed_on": today.isoformat(), **{name: policy.wording(name, today).version for name in DECLARATIONS}}
    )
    row.state, row.done_at, row.saved_at, row.saved_by_id = "done", now, now, person.id
    db.session.flush()
    note("application.signed", case, actor=actor, now=now, subject=f"person:{person.id}",
         versions=",".join(policy.wording(name, today).version for name in DECLARATIONS))  # fmt: skip
    timeline.add(
        case,
        kind="fact",
        title=f"{person.given_name} signed the application and agreed to the checks",
        actor=actor,
        occurred_at=now,
        person_id=person.id,
    )
    begun = parts_of(case)
    waiting = [one for one in applicants_of(case) if not _has_signed(begun, one)]
    return None if waiting else _hand_in(case, begun, actor=actor, now=now, today=today, rulebook=rulebook)


def _has_signed(begun: Mapping[Key, ApplicationPart], person: Person) -> bool:
    row = begun.get((SIGN, person.id))
    return row is not None and row.state == "done"


def has_signed(case: Case, person: Person) -> bool:
    """Whether this applicant has signed what stands in the application now."""
    return _has_signed(parts_of(case), person)


def _hand_in(
    case: Case,
    begun: Mapping[Key, ApplicationPart],
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> Application:
    """The application is received today: the 8 months begin."""

    def answers(part: str, person: Person | None = None) -> dict[str, Any]:
        return answers_of(begun.get((part, person.id if person is not None else None)))

    home, applicants = answers("home"), applicants_of(case)
    other = next(
        (answers("fostering", one)["approved_by"] for one in applicants if _said_yes(answers("fostering", one),
         "approved_within_year")), None,
    )  # fmt: skip
    return receive_application(
        case,
        Received(
            received_on=today,
            signed=tuple(
                SignedBy(
                    person_id=one.id,
                    signed_on=day_of(answers(SIGN, one).get("signed_on")) or today,
                    agrees_to_checks=True,
                    born_on=_born_on(answers("about", one)),
                    approved_within_year=_said_yes(answers("fostering", one), "approved_within_year"),
                    lived_abroad=_said_yes(answers("lived", one), "abroad"),
                    has_former_partner=_said_yes(answers("family", one), "former_partner"),
                    works_with_children=_said_yes(answers("work", one), "with_children"),
                )
                for one in applicants
            ),
            members=new_members(case, answers("people").get("members") or []),
            known_members=known_members(case, answers("people").get("members") or []),
            home_council=str(home.get("council") or "") or None,
            rents=home.get("owning") in ("private", "social"),
            has_pets=_said_yes(home, "has_pets"),
            other_service=other,
        ),
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
    )


def _said_yes(answers: Mapping[str, Any], name: str) -> bool:
    return answers.get(name) == "yes"


def _born_on(answers: Mapping[str, Any]) -> date:
    born_on = day_of(answers.get("born_on"))
    if born_on is None:  # a part that is done has it
        raise NotWhole("A date of birth is missing under “About you”.")
    return born_on


def known_members(case: Case, rows: list[dict[str, str]]) -> dict[int, date]:
    """The dates of birth of those on the list who are on the case already, told by their first name."""
    born = {row["given"].casefold(): day_of(row.get("born_on")) for row in rows}
    found = {one.id: born.get(one.given_name.casefold()) for one in live_people(case) if not one.is_applicant}
    return {person_id: born_on for person_id, born_on in found.items() if born_on is not None}


def new_members(case: Case, rows: list[dict[str, str]]) -> tuple[NewMember, ...]:
    """Those on the list who are not on the case yet."""
    here = {one.given_name.casefold() for one in live_people(case) if not one.is_applicant}
    return tuple(
        NewMember(
            given_name=row["given"],
            family_name=row.get("family") or None,
            role=PersonRole(row["kind"]),
            born_on=born_on,
        )
        for row in rows
        if (born_on := day_of(row.get("born_on"))) is not None and row["given"].casefold() not in here
    )


# --- Reading, for staff -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PartLine:
    """How far one person, or the household, is with one part."""

    part: Part
    row: ApplicationPart | None

    @property
    def state(self) -> str:
        """done, begun or none."""
        return self.row.state if self.row is not None else "none"


def lines_for(case: Case, person: Person | None) -> list[PartLine]:
    """The parts of one applicant, or the shared ones, each with how far it is."""
    begun = parts_of(case)
    return [
        PartLine(part, begun.get((part.name, person.id if person is not None else None)))
        for part in PARTS
        if part.is_shared == (person is None)
    ]


def shown(part: Part, answers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was answered in a part, in words: each question with its answer, then each row."""
    lines = [
        (question.label, _said(question, answers[question.name]))
        for question in part.questions
        if is_answered(answers.get(question.name))
    ]
    rows = part.rows
    for number, row in enumerate(answers.get(rows.name) or () if rows else (), start=1):
        boxes = [_said(box, row[box.name]) for box in rows.boxes if row.get(box.name)] if rows else []
        lines.append((f"{rows.each.capitalize()} {number}" if rows else "", ", ".join(boxes)))
    return lines


def _said(question: Question, answer: Any) -> str:
    if question.ask is Ask.DAY:
        on = day_of(answer)
        return date_only(on) if on is not None else str(answer)
    return str(answer).capitalize() if question.ask is Ask.YES_NO else dict(question.choices).get(answer, str(answer))


def part_named(name: str) -> Part:
    """A part by its name. Raises NotTheirsNow with 404."""
    part = PARTS_BY_NAME.get(name)
    if part is None:
        raise NotTheirsNow("There is no such part of the application.", status=404)
    return part

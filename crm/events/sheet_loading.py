"""Loading the lines of a checked sheet: new households many at once, touches of known ones one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import select

from crm.audit import record
from crm.cases import journeys, keys
from crm.cases.add_touch import add_touch, may_take_a_touch
from crm.cases.models import Case, Channel
from crm.cases.open_case import NewTouch
from crm.cases.open_many import NewHousehold, open_cases
from crm.cases.owners import keep_turns, next_turns
from crm.cases.taking_back import Standing
from crm.db import db
from crm.events.door import received_at
from crm.events.models import RecruitmentEvent
from crm.events.queries import event_by_id
from crm.events.sheet_import import (
    CHUNK,
    SMALL_LINES,
    Terms,
    actor_for,
    judge_rows,
    next_lines,
    note_done,
    note_verdict,
    start_loading,
)
from crm.events.sheet_matching import Judged
from crm.events.sheet_models import LOADED_VERDICTS, Decision, ImportStep, Outcome, SheetImport, SheetLine, Verdict
from crm.events.sheet_queries import verdict_counts
from crm.events.sign_ups import SignUp
from crm.rules.permissions import Actor

LETTERS_WAIT = timedelta(hours=1)
"""Acknowledgements of a loaded sheet wait this long: the time in which a wrong sheet is noticed and undone."""


@dataclass
class _Plan:
    """What is to be done with the lines of a chunk."""

    opened: list[tuple[SheetLine, Judged]] = field(default_factory=list)
    joined: list[tuple[SheetLine, Judged]] = field(default_factory=list)


def load_now_or_later(upload: SheetImport, *, sends_letters: bool, actor: Actor, now: datetime, today: date) -> None:
    """Begin to load. A small sheet is loaded before this returns; a long one is the worker's."""
    start_loading(upload, sends_letters=sends_letters, actor=actor, now=now)
    while upload.line_count <= SMALL_LINES and upload.step == ImportStep.LOADING:
        load_chunk(upload, now=now, today=today)


def load_chunk(upload: SheetImport, *, now: datetime, today: date, limit: int = CHUNK) -> int:
    """Load the next lines, in the caller's transaction. Gives how many were dealt with; at none, the sheet is loaded.

    1. Judge the lines again: much may have come in since the dry run.
    2. Open the new households at once.
    3. Join the others to theirs, one by one, in the order of the sheet: a line may join what an earlier one opened.
    4. Note what each line led to, and how far the loading has come.
    """
    event, actor = event_by_id(upload.event_id), actor_for(upload)
    rows = next_lines(upload, limit)
    if not rows:
        _finish(upload, event, actor=actor, now=now)
        return 0
    terms = Terms.on(today)
    plan = _plan(rows, judge_rows(upload, rows, terms))
    case_of_line = _cases_of_lines(upload, [judged.match_line for _, judged in plan.joined if judged.match_line])
    _open(upload, event, plan.opened, case_of_line, terms, actor=actor, now=now)
    for row, judged in plan.joined:
        case_id = case_of_line.get(judged.match_line or 0) or judged.match_case_id
        case = db.session.get(Case, case_id) if case_id else None
        if case is None or not may_take_a_touch(case):
            # What it was to join was left out, refused or has ended since: then it stands for itself.
            _open(upload, event, [(row, judged)], case_of_line, terms, actor=actor, now=now)
        else:
            _join(upload, event, case, row, judged, terms, actor=actor, now=now)
            case_of_line[row.number] = case.id
    note_done(upload, rows)
    return len(rows)


def _plan(rows: Sequence[SheetLine], several: Sequence[Judged]) -> _Plan:
    plan = _Plan()
    for row, judged in zip(rows, several, strict=True):
        decision, case_id, line = row.decision, row.match_case_id, row.match_line
        note_verdict(row, judged)
        if judged.verdict not in LOADED_VERDICTS or decision == Decision.LEAVE_OUT:
            row.decision = decision if row.verdict == Verdict.LOOK else None
            continue
        if judged.verdict == Verdict.LOOK and decision == Decision.JOIN:
            # The household that the person saw, whatever a fresh look suggests.
            row.decision, row.match_case_id, row.match_line = decision, case_id, line
            plan.joined.append((row, Judged(judged.sign_up, Verdict.LOOK, match_case_id=case_id, match_line=line)))
        elif judged.verdict in (Verdict.NEW, Verdict.LOOK):
            plan.opened.append((row, judged))
        else:
            plan.joined.append((row, judged))
    return plan


def _cases_of_lines(upload: SheetImport, numbers: Sequence[int]) -> dict[int, int]:
    """The cases that these earlier lines of the sheet led to."""
    found = db.session.execute(
        select(SheetLine.number, SheetLine.case_id).where(
            SheetLine.import_id == upload.id, SheetLine.number.in_(numbers), SheetLine.case_id.is_not(None)
        )
    )
    return {number: case_id for number, case_id in found if case_id is not None}


def _open(
    upload: SheetImport,
    event: RecruitmentEvent,
    lines: Sequence[tuple[SheetLine, Judged]],
    case_of_line: dict[int, int],
    terms: Terms,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Open a household for each of these lines."""
    turns = next_turns([judged.sign_up.postcode for _, judged in lines], now=now, today=terms.today)
    households = []
    for (_, judged), turn in zip(lines, turns, strict=True):
        one = judged.sign_up
        households.append(
            NewHousehold(
                people=one.people,
                touch=_touch(event, one, now=now),
                owner_id=turn.user_id if turn is not None else None,
                given_because=f"Given to {turn.name}: {turn.why}" if turn is not None else None,
                postcode=one.postcode,
                address=one.address,
                facts=one.facts,
                send_letters=upload.sends_letters and one.may_be_written_to,
            )
        )
    opened = open_cases(
        households,
        actor=actor,
        now=now,
        today=terms.today,
        rulebook=terms.rulebook,
        letters_not_before=now + LETTERS_WAIT,
    )
    keep_turns([(made.case_id, turn) for made, turn in zip(opened, turns, strict=True)], now=now)
    for (row, _), made in zip(lines, opened, strict=True):
        _note_outcome(row, Outcome.OPENED, made.case_id, made.enquiry_id, made.reference, now=now)
        case_of_line[row.number] = made.case_id
    upload.loaded_count += len(opened)


def _join(
    upload: SheetImport,
    event: RecruitmentEvent,
    case: Case,
    row: SheetLine,
    judged: Judged,
    terms: Terms,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Add a line to the household it belongs to, and keep what it brought, to take it off again."""
    one = judged.sign_up
    with Standing(case) as before:
        joined = add_touch(
            case,
            touch=_touch(event, one, now=now),
            people=one.people,
            facts=one.facts,
            actor=actor,
            now=now,
            today=terms.today,
            rulebook=terms.rulebook,
        )
        home = case.household
        if one.postcode and home.postcode is None:
            home.postcode, home.postcode_key = keys.tidy_postcode(one.postcode), keys.postcode_key(one.postcode)
            journeys.move_home(home)
    row.before = before.added().to_text()
    _note_outcome(row, Outcome.JOINED, case.id, joined.enquiry.id, case.reference, now=now)
    upload.joined_count += 1


def _touch(event: RecruitmentEvent, one: SignUp, *, now: datetime) -> NewTouch:
    return NewTouch(
        channel=Channel.EVENT,
        received_at=received_at(event, now=now),
        source=event.name,
        campaign_id=event.campaign_id,
        interest=one.interest,
        said=one.said,
        one_time_id=one.fingerprint,
    )


def _note_outcome(
    row: SheetLine, outcome: Outcome, case_id: int, enquiry_id: int, reference: str, *, now: datetime
) -> None:
    row.outcome, row.case_id, row.enquiry_id, row.reference = outcome, case_id, enquiry_id, reference
    row.loaded_at = now


def _finish(upload: SheetImport, event: RecruitmentEvent, *, actor: Actor, now: datetime) -> None:
    counts = verdict_counts(upload)
    upload.step, upload.loaded_at, upload.done_to, upload.done_count = ImportStep.LOADED, now, 0, 0
    upload.refused_count = counts.get(Verdict.REFUSED, 0)
    record(
        "sheet.loaded",
        actor=actor,
        at=now,
        subject=f"event:{event.id}",
        detail={
            "upload": upload.id,
            "opened": upload.loaded_count,
            "joined": upload.joined_count,
            "refused": upload.refused_count,
        },
    )
    db.session.flush()

"""THE writer of stages. A case moves on here and nowhere else.

One call writes, in the transaction of its caller: the track, the history row, the clocks, the line on the timeline, the
audit entry, the letters and the effects that the move names, then the moves that go with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update

from crm.audit import record, values_of
from crm.cases import clocks, effects, letters, owners, summary, timeline
from crm.cases.assignment import assign
from crm.cases.models import AssignmentRole, Case, Deadline, StageChange, TimelineEntry, Track
from crm.db import Values, db, new_row_key, rows_changed
from crm.rules import stages, transitions
from crm.rules.permissions import Actor, Permission
from crm.rules.refusal import Refusal
from crm.rules.retention import RecordKind, retain_until
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName
from crm.rules.transitions import Evidence, Move


class CaseHasMovedOn(Refusal):
    """Somebody else changed the case after this person looked at it."""


class NobodyIsHere(Refusal):
    """A journey can't open again because nobody could own it."""


class CorrectionNotAllowed(Refusal):
    """A stage can't be put right that way."""


def change_stage(
    case: Case,
    move_name: str,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    evidence: Evidence | None = None,
    seen: int | None = None,
    reason: str | None = None,
    reason_code: str | None = None,
    effective_on: date | None = None,
    due_on: Mapping[str, date] | None = None,
    letter_context: Mapping[str, Any] | None = None,
    send_letters: bool = True,
) -> StageChange:
    """Move a case on.

    ``seen`` is the version of the case that the person looked at; ``effective_on`` is the London date on which it
    happened (today unless given), from which clocks are counted; ``due_on`` gives dates that a person chose, by rule.

    1. Check the move, and those made along with it, against the table, the evidence and the actor's permissions.
    2. Compare and set: the case's version, then each track's stage.
    3. For each move write the history row, the timeline line and the audit entry, and stop and start the clocks.
    4. Write the letters and run the effects.
    5. Note an ending and rewrite the summaries.

    Raises MoveNotOpen, NotPermitted or CaseHasMovedOn, each with how things stand now.
    """
    happened_on = effective_on or today
    evidence = evidence or Evidence()
    if move_name == "close_enquiry":
        evidence = replace(evidence, closing_reason=reason_code)
    moves = transitions.moves_in_call(
        move_name,
        tracks=case.stages,
        evidence=evidence,
        actor=actor,
        today=today,
        rulebook=rulebook,
        reason=reason_code or reason,
    )
    claim_version(case, seen)
    changes = [
        _make_move(
            case,
            move,
            actor=actor,
            now=now,
            happened_on=happened_on,
            evidence=evidence,
            rulebook=rulebook,
            reason=reason if move is moves[0] else None,
            reason_code=reason_code,
            due_on=due_on or {},
        )
        for move in moves
    ]
    db.session.flush()
    for move, change in zip(moves, changes, strict=True):
        for kind in move.letters if send_letters else ():
            letters.send_to_applicants(
                kind,
                case=case,
                context=letter_context or {},
                occasion=f"move:{change.id}",
                actor=actor,
                now=now,
                today=today,
                rulebook=rulebook,
            )
        for name in move.effects:
            effects.run_effect(name, case, change, actor=actor, now=now, today=today, rulebook=rulebook)
    _note_ending(case, happened_on=happened_on, reason_code=reason_code)
    _keep_owned(case, actor=actor, now=now, today=today)
    summary.refresh(case, today=today, rulebook=rulebook)
    return changes[0]


def correct_stage(
    case: Case,
    track_name: TrackName,
    to_stage: str,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    reason: str,
    seen: int | None = None,
) -> StageChange:
    """Put right a stage that was recorded wrongly: the sanctioned way round the table of moves.

    Needs its own permission and a reason. No clock, letter or effect follows; the person who corrects sets those right.
    """
    if not actor.has(Permission.CORRECT_STAGE):
        raise CorrectionNotAllowed("Only a manager can put a stage right.", status=403)
    if not reason.strip():
        raise CorrectionNotAllowed("Say why the stage is being put right.", status=422, field="reason")
    track = next((t for t in case.tracks if t.name == track_name), None)
    if track is None or to_stage not in stages.stages_of(track_name) or to_stage == track.stage:
        raise CorrectionNotAllowed("Choose the stage it should have been.", status=422, field="to_stage")
    claim_version(case, seen)
    change = _write_change(
        case,
        track=track_name,
        from_stage=track.stage,
        to_stage=to_stage,
        move="correct_stage",
        actor=actor,
        now=now,
        happened_on=today,
        rulebook=rulebook,
        reason=reason,
        is_correction=True,
    )
    _set_track(case, track_name, from_stage=track.stage, to_stage=to_stage, on=today)
    words = f"Put right: {stages.stage_words(track_name, to_stage)}"
    timeline.add(case, kind="move", title=words, detail=reason, actor=actor, occurred_at=now)
    _keep_owned(case, actor=actor, now=now, today=today)
    summary.refresh(case, today=today, rulebook=rulebook)
    return change


def opening_rows(
    cases: Sequence[dict[str, Any]],
    change_ids: Iterable[int],
    *,
    received_on: date,
    counts_from: date,
    call_by: date,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> list[Values]:
    """What ``change_stage(case, "open_enquiry")`` writes for each of these new cases, not added: to open many at once.

    The cases are the columns of their rows, and have ids; their summaries are set here. Letters are the caller's.
    Raises MoveNotOpen, NotPermitted.
    """
    evidence = Evidence(received_on=received_on, response_counts_from=counts_from)
    due_on = {"first_contact": call_by}
    (move,) = transitions.moves_in_call(
        "open_enquiry", tracks={}, evidence=evidence, actor=actor, today=today, rulebook=rulebook
    )
    if move.effects or move.met or move.ended:
        raise NotImplementedError("opening an enquiry does more than this knows of")
    started = [
        clocks.values_of_clock(
            rule,
            counted_from=transitions.counted_from(rule, evidence=evidence, today=received_on),
            rulebook=rulebook,
            due_on=due_on.get(rule),
        )
        for rule in move.starts
    ]
    # The same day, the same clocks: what is to be done next is the same for all of them.
    action = summary.first_action([Deadline(**clock) for clock in started], rulebook=rulebook)
    detail = _detail_of_move(move.name, move.track, None, move.to, on=received_on)
    words = timeline.MOVE_WORDS[move.name]
    summaries = summary.summaries({TrackName(move.track): move.to}, action, today=today)
    rows: list[Values] = []
    for case, change_id in zip(cases, change_ids, strict=True):
        case.update(summaries)
        case_id = case["id"]
        track = {"case_id": case_id, "name": move.track, "stage": move.to, "since_on": received_on}
        change = {
            "id": change_id,
            "row_key": new_row_key(),
            "case_id": case_id,
            "track": move.track,
            "to_stage": move.to,
            "move": move.name,
            "changed_at": now,
            "effective_on": received_on,
            "actor_kind": actor.kind,
            "actor_id": actor.user_id,
            "edition": rulebook.edition,
        }
        line = timeline.values_of_line(case_id, kind="move", title=words, actor=actor, occurred_at=now)
        about = f"case:{case['reference']}"
        rows += [
            Values(Track, track),
            Values(StageChange, change),
            Values(TimelineEntry, line),
            *(Values(Deadline, {**clock, "case_id": case_id}) for clock in started),
            values_of("stage.changed", actor=actor, at=now, case_id=case_id, subject=about, detail=detail),
        ]
    return rows


def claim_version(case: Case, seen: int | None) -> None:
    """Refuse a change made on an old view of the case, and make a second writer of the same case wait for the first."""
    expected = case.version if seen is None else seen
    claimed = db.session.execute(
        update(Case)
        .where(Case.id == case.id, Case.version == expected)
        .values(version=Case.version + 1)
        .execution_options(synchronize_session=False)
    )
    if rows_changed(claimed) != 1:
        db.session.refresh(case)
        raise CaseHasMovedOn(
            f"{case.household.name} changed while you were looking. "
            f"It now stands at: {stages.standing_words(case.stages)}. Look again before you go on."
        )
    db.session.refresh(case, ["version"])


def _make_move(
    case: Case,
    move: Move,
    *,
    actor: Actor,
    now: datetime,
    happened_on: date,
    evidence: Evidence,
    rulebook: Rulebook,
    reason: str | None,
    reason_code: str | None,
    due_on: Mapping[str, date],
) -> StageChange:
    from_stage = case.stages.get(move.track)
    change = _write_change(
        case,
        track=move.track,
        from_stage=from_stage,
        to_stage=move.to,
        move=move.name,
        actor=actor,
        now=now,
        happened_on=happened_on,
        rulebook=rulebook,
        reason=reason,
        reason_code=reason_code,
    )
    _set_track(case, move.track, from_stage=from_stage, to_stage=move.to, on=happened_on)
    timeline.add(case, kind="move", title=timeline.MOVE_WORDS[move.name], detail=reason, actor=actor, occurred_at=now)
    for how, rule_names in (("met", move.met), ("ended", move.ended)):
        if rule_names:
            clocks.stop(case, rule_names, on=happened_on, how=how)
    for rule_name in move.starts:
        clocks.start(
            case,
            rule_name,
            counted_from=transitions.counted_from(rule_name, evidence=evidence, today=happened_on),
            rulebook=rulebook,
            due_on=due_on.get(rule_name),
        )
    return change


def _write_change(
    case: Case,
    *,
    track: TrackName,
    from_stage: str | None,
    to_stage: str,
    move: str,
    actor: Actor,
    now: datetime,
    happened_on: date,
    rulebook: Rulebook,
    reason: str | None = None,
    reason_code: str | None = None,
    is_correction: bool = False,
) -> StageChange:
    change = StageChange(
        case_id=case.id,
        track=track,
        from_stage=from_stage,
        to_stage=to_stage,
        move=move,
        changed_at=now,
        effective_on=happened_on,
        actor_kind=actor.kind,
        actor_id=actor.user_id,
        reason_code=reason_code,
        is_correction=is_correction,
        edition=rulebook.edition,
    )
    change.reason = reason or None
    db.session.add(change)
    record(
        "stage.corrected" if is_correction else "stage.changed",
        actor=actor,
        at=now,
        case_id=case.id,
        subject=f"case:{case.reference}",
        detail=_detail_of_move(move, track, from_stage, to_stage, on=happened_on),
    )
    return change


def _detail_of_move(
    move: str, track: TrackName, from_stage: str | None, to_stage: str, *, on: date
) -> dict[str, str | None]:
    return {"move": move, "track": track, "from": from_stage, "to": to_stage, "on": on.isoformat()}


def _set_track(case: Case, name: TrackName, *, from_stage: str | None, to_stage: str, on: date) -> None:
    """Compare and set one track: a second writer who saw the same stage finds no row and is refused."""
    if from_stage is None:
        case.tracks.append(Track(case_id=case.id, name=name, stage=to_stage, since_on=on))
        db.session.flush()
        return
    moved = db.session.execute(
        update(Track)
        .where(Track.case_id == case.id, Track.name == name, Track.stage == from_stage)
        .values(stage=to_stage, since_on=on, version=Track.version + 1)
        .execution_options(synchronize_session=False)
    )
    if rows_changed(moved) != 1:
        raise CaseHasMovedOn(f"{case.household.name} has just been moved by someone else. Look again before you go on.")
    for track in case.tracks:
        if track.name == name:
            db.session.refresh(track)


def _note_ending(case: Case, *, happened_on: date, reason_code: str | None) -> None:
    """Keep when and why a journey ended, and until when the law makes us keep its record."""
    if stages.is_open(case.stages):
        case.closed_on, case.closed_reason, case.retain_until_on = None, None, None
    elif case.closed_on is None:
        case.closed_on, case.closed_reason = happened_on, reason_code
        kind = _record_kind(case)
        case.retain_until_on = retain_until(kind, happened_on) if kind else None


def _keep_owned(case: Case, *, actor: Actor, now: datetime, today: date) -> None:
    """A journey that opens again is somebody's who works here: whoever had it may have left since it ended."""
    if not stages.is_open(case.stages) or case.is_open or owners.is_here(case.owner_id):
        return
    turn = owners.next_in_turn(case.household.postcode, now=now, today=today)
    if turn is None:
        raise NobodyIsHere("Nobody works here who could take this household. An administrator can invite somebody.")
    assign(case, user_id=turn.user_id, role=AssignmentRole.OWNER, actor=actor, now=now, today=today)
    owners.keep_turn(case, turn, now=now)
    timeline.add(case, kind="system", title=f"Given to {turn.name}: {turn.why}", actor=actor, occurred_at=now)


def _record_kind(case: Case) -> RecordKind | None:
    """What the law calls the record of an ended case. An approved carer's is counted from the end of the approval."""
    if TrackName.APPLICATION in case.stages:
        return None if case.stages[TrackName.APPLICATION] == "approved" else RecordKind.APPLICATION_ENDED
    visited = db.session.scalars(
        select(StageChange.id).where(StageChange.case_id == case.id, StageChange.to_stage == "visited")
    ).first()
    return RecordKind.ENQUIRY_VISITED if visited is not None else RecordKind.ENQUIRY

"""Undoing a whole import: all that a sheet brought goes again, but for households somebody has worked on since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, select

from crm.audit import record
from crm.cases.models import Case, Enquiry
from crm.cases.taking_back import WORKED_ON, Added, take_back_cases, take_off_touch
from crm.db import db
from crm.events.sheet_import import CHUNK, SMALL_LINES, SheetIsElsewhere, Terms, actor_for, note_done, take_turn
from crm.events.sheet_models import ImportStep, Outcome, SheetImport, SheetLine
from crm.events.sheet_queries import is_undoable, outcome_counts
from crm.rules.permissions import Actor, Permission, require


def undo_now_or_later(upload: SheetImport, *, actor: Actor, now: datetime, today: date) -> None:
    """Begin to undo an import. What a small sheet brought is gone before this returns. Raises SheetIsElsewhere."""
    require(actor, Permission.IMPORT_SHEET)
    take_turn(upload)
    if not is_undoable(upload, now=now):
        raise SheetIsElsewhere("This import can’t be undone: nothing of it was loaded, or it is more than a week ago.")
    upload.step, upload.problem, upload.done_to, upload.done_count = ImportStep.UNDOING, None, 0, 0
    upload.started_by_id = actor.user_id
    record("sheet.undo_begun", actor=actor, at=now, subject=f"event:{upload.event_id}", detail={"upload": upload.id})
    db.session.flush()
    while upload.line_count <= SMALL_LINES and upload.step == ImportStep.UNDOING:
        undo_chunk(upload, now=now, today=today)


def undo_chunk(upload: SheetImport, *, now: datetime, today: date, limit: int = CHUNK) -> int:
    """Take back what the next lines brought, in the caller's transaction. Gives how many lines; at none, it is undone.

    From the last line to the first, so that what a later touch wrote over is there again before the earlier one goes.
    A household that this sheet opened goes whole, with the touches that later lines of it brought, or is kept whole.
    """
    actor = actor_for(upload)
    still = [SheetLine.import_id == upload.id, SheetLine.outcome.is_not(None)]
    if upload.done_to:
        still.append(SheetLine.number < upload.done_to)
    query = select(SheetLine.id).where(*still).order_by(SheetLine.number.desc()).limit(limit)
    ids = list(db.session.scalars(query))
    if not ids:
        _finish(upload, actor=actor, now=now)
        return 0
    kept = take_back_cases(_opened_here(upload, ids), actor=actor, now=now)
    terms = Terms.on(today)
    # Asked for only now: what is removed above is forgotten by the session, with everything else.
    rows = list(db.session.scalars(select(SheetLine).where(SheetLine.id.in_(ids)).order_by(SheetLine.number.desc())))
    standing = _where_touches_are(rows)
    for row in rows:
        case = db.session.get(Case, row.case_id) if row.outcome == Outcome.JOINED and row.case_id not in kept else None
        why = kept.get(row.case_id or 0)
        if why is None and standing.get(row.enquiry_id or 0, row.case_id) != row.case_id:
            why = WORKED_ON  # merged since: what it brought is another household's now
        elif case is not None:
            why = take_off_touch(
                case,
                row.enquiry_id or 0,
                Added.from_text(row.before or "{}"),
                actor=actor,
                now=now,
                today=today,
                rulebook=terms.rulebook,
            )
        _note(row, why)
    note_done(upload, rows)
    return len(rows)


def _note(row: SheetLine, why_kept: str | None) -> None:
    row.outcome = Outcome.KEPT if why_kept else Outcome.TAKEN_BACK
    row.why_kept = why_kept


def _opened_here(upload: SheetImport, ids: list[int]) -> dict[int, datetime]:
    """The cases of these lines that this sheet opened, with when it last had to do with each."""
    of_these = select(SheetLine.case_id).where(SheetLine.id.in_(ids))
    opened = select(SheetLine.case_id).where(
        SheetLine.import_id == upload.id, SheetLine.enquiry_id.is_not(None), SheetLine.before_sealed.is_(None)
    )
    return {
        case_id: last
        for case_id, last in db.session.execute(
            select(SheetLine.case_id, func.max(SheetLine.loaded_at))
            .where(SheetLine.import_id == upload.id, SheetLine.case_id.in_(of_these), SheetLine.case_id.in_(opened))
            .group_by(SheetLine.case_id)
        )
        if case_id is not None and last is not None
    }


def _where_touches_are(rows: Sequence[SheetLine]) -> dict[int, int]:
    """The cases that the touches of these lines are on now, of those that are there."""
    query = select(Enquiry.id, Enquiry.case_id).where(Enquiry.id.in_([row.enquiry_id for row in rows]))
    return dict(db.session.execute(query).all())


def _finish(upload: SheetImport, *, actor: Actor, now: datetime) -> None:
    counts = outcome_counts(upload)
    upload.step, upload.undone_at, upload.done_to, upload.done_count = ImportStep.UNDONE, now, 0, 0
    record(
        "sheet.undone",
        actor=actor,
        at=now,
        subject=f"event:{upload.event_id}",
        detail={
            "upload": upload.id,
            "taken_back": counts.get(Outcome.TAKEN_BACK, 0),
            "kept": counts.get(Outcome.KEPT, 0),
        },
    )
    db.session.flush()

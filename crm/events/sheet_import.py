"""A sign-up sheet from its upload to its loading: read, checked line by line without writing a household, then loaded.

Each stage goes forward a chunk of lines at a time; a chunk and the note of how far it came are one transaction, so that
a worker may die anywhere and the next goes on from there: no line is loaded twice and none is left out. Sheets of a few
lines run through at once, in the request of whoever uploaded them.

A line is known by its content, so a sheet may be loaded again, whole or put right: what is there is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from crm import policy
from crm.access.models import User
from crm.audit import record
from crm.db import Values, db, insert_rows, new_row_key, rows_changed, seal
from crm.events import columns as columns_
from crm.events.models import RecruitmentEvent
from crm.events.sheet_matching import Judged, judge
from crm.events.sheet_models import (
    Decision,
    ImportStep,
    SheetColumns,
    SheetImport,
    SheetLine,
    Verdict,
)
from crm.events.sheets import Head, Line, SheetNotRead, lines_of, look_into
from crm.events.sign_ups import SignUp, fingerprint, read_line, why_passed_over
from crm.rules.permissions import SYSTEM, Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

KEPT_FOR = timedelta(days=14)
"""How long an uploaded sheet is kept: long enough to put it right, no longer (it holds names and numbers)."""
SMALL_BYTES = 200_000
SMALL_LINES = 200
"""Sheets up to this size are read, checked and loaded while the person waits; longer ones are left to the worker."""
CHUNK = 400
READ_CHUNK = 2_000
FEW_ENOUGH_TO_WRITE_TO = 25
"""Up to so many new households, thanking them by email is taken to be meant; above, a person has to say so."""


class SheetIsElsewhere(Refusal):
    """The sheet is at another stage than the one the person saw."""

    default_status = 409


@dataclass(frozen=True)
class Terms:
    """What lines are read and loaded by, asked for once a chunk."""

    rulebook: Rulebook
    wording_version: str
    our_districts: frozenset[str]
    today: date

    @classmethod
    def on(cls, today: date) -> Terms:
        """As they are today."""
        version = policy.wording("consent.email", today).version
        return cls(policy.rulebook_on(today), version, policy.service().districts, today)


# --- Upload and reading -----------------------------------------------------------------------------------------------


def keep_upload(
    event: RecruitmentEvent, *, content: bytes, filename: str, actor: Actor, now: datetime, today: date
) -> SheetImport:
    """Keep an uploaded sheet. A small one is read and checked at once. Raises SheetNotRead."""
    require(actor, Permission.IMPORT_SHEET)
    upload = _kept(event, content=content, filename=filename, actor=actor, now=now)
    if len(content) <= SMALL_BYTES:
        head = begin_reading(upload)
        store_lines(upload, lines_of(content, sheet_at=upload.sheet_at, lines_from=head.lines_from), event_id=event.id)
        finish_reading(upload)
        _check_small(upload, today=today)
    return upload


def _kept(event: RecruitmentEvent, *, content: bytes, filename: str, actor: Actor, now: datetime) -> SheetImport:
    if len(content) <= SMALL_BYTES:
        look_into(content)
    upload = SheetImport(
        event_id=event.id, filename=filename[:200] or "sheet", uploaded_by_id=actor.user_id, uploaded_at=now
    )
    upload.content = content
    db.session.add(upload)
    db.session.flush()
    record("sheet.uploaded", actor=actor, at=now, subject=f"event:{event.id}", detail={"upload": upload.id})
    return upload


def keep_for_worker(
    event: RecruitmentEvent, *, content: bytes, filename: str, actor: Actor, now: datetime
) -> SheetImport:
    """Keep an uploaded sheet without looking into it: the command line reads it chunk by chunk, as the worker does."""
    return _kept(event, content=content, filename=filename, actor=actor, now=now)


def begin_reading(upload: SheetImport) -> Head:
    """Make out the shape of the sheet and which column holds what: as a person last said for this shape, else guessed.

    Raises SheetNotRead.
    """
    head = look_into(upload.content or b"", sheet_at=upload.sheet_at, headings_at=upload.headings_at)
    upload.head = head.to_text()
    upload.columns = columns_.to_text(_remembered(head.headings) or dict(head.guessed))
    return head


def head_of(upload: SheetImport) -> Head:
    """What stands above the lines of a sheet that has been read."""
    return Head.from_text(upload.head or "")


def store_lines(upload: SheetImport, lines: Iterable[Line], *, event_id: int) -> None:
    """Keep these lines, sealed, and note how far the reading has come."""
    rows = []
    last = upload.done_to
    for line in lines:
        row_key = new_row_key()
        cells = json.dumps(line.cells, ensure_ascii=False)
        row = {
            "row_key": row_key,
            "import_id": upload.id,
            "number": line.number,
            "cells_sealed": seal(SheetLine.__tablename__, "cells_sealed", row_key, cells),
            "fingerprint": fingerprint(line, event_id=event_id),
        }
        rows.append(Values(SheetLine, row))
        last = line.number
    insert_rows(rows)
    upload.done_to = last
    upload.line_count += len(rows)


def finish_reading(upload: SheetImport) -> None:
    """All lines are here: on to checking them, or to a person where the columns are not clear."""
    if upload.line_count == 0:
        raise SheetNotRead("There are no lines under the headings of that sheet.")
    try:
        columns_.check_columns(columns_.from_text(upload.columns or "{}"), width=len(head_of(upload).headings))
    except columns_.ColumnsNotRight:
        upload.step = ImportStep.COLUMNS
    else:
        _start(upload, ImportStep.CHECKING)


def read_again(
    upload: SheetImport, *, sheet_at: int, headings_at: int | None, actor: Actor, now: datetime, today: date
) -> None:
    """Read another sheet of the workbook, or take another line for the headings. Raises SheetNotRead."""
    require(actor, Permission.IMPORT_SHEET)
    _lock(upload, ImportStep.COLUMNS, ImportStep.CHECKED, ImportStep.UNREADABLE)
    db.session.execute(delete(SheetLine).where(SheetLine.import_id == upload.id))
    upload.sheet_at, upload.headings_at, upload.line_count = sheet_at, headings_at, 0
    _start(upload, ImportStep.READING)
    record("sheet.columns_set", actor=actor, at=now, subject=f"event:{upload.event_id}", detail={"upload": upload.id})
    content = upload.content or b""
    if len(content) <= SMALL_BYTES:
        head = begin_reading(upload)
        lines = lines_of(content, sheet_at=sheet_at, lines_from=head.lines_from)
        store_lines(upload, lines, event_id=upload.event_id)
        finish_reading(upload)
        _check_small(upload, today=today)


def set_columns(upload: SheetImport, chosen: Mapping[str, int], *, actor: Actor, now: datetime, today: date) -> None:
    """Keep which column holds what, as a person says, for this sheet and its like. Raises ColumnsNotRight."""
    require(actor, Permission.IMPORT_SHEET)
    _lock(upload, ImportStep.COLUMNS, ImportStep.CHECKED)
    headings = head_of(upload).headings
    right = columns_.check_columns(chosen, width=len(headings))
    upload.columns = columns_.to_text(right)
    _remember(headings, right, actor=actor, now=now)
    db.session.execute(
        update(SheetLine)
        .where(SheetLine.import_id == upload.id, SheetLine.decision.is_not(None))
        .values(decision=None)
        .execution_options(synchronize_session=False)
    )
    _start(upload, ImportStep.CHECKING)
    record("sheet.columns_set", actor=actor, at=now, subject=f"event:{upload.event_id}", detail={"upload": upload.id})
    _check_small(upload, today=today)


OUR_OWN = ("line", "standing", "why")
"""What the file of lines to put right has before the sheet's own columns."""


def _own_columns(headings: Sequence[str]) -> int:
    return len(OUR_OWN) if tuple(columns_.plain(one) for one in headings[: len(OUR_OWN)]) == OUR_OWN else 0


def _remembered(headings: Sequence[str]) -> dict[str, int] | None:
    ours = _own_columns(headings)
    kept = db.session.scalars(
        select(SheetColumns.columns_json).where(SheetColumns.shape == columns_.shape_of(headings[ours:]))
    ).first()
    return {meaning: at + ours for meaning, at in columns_.from_text(kept).items()} if kept else None


def _remember(headings: Sequence[str], chosen: Mapping[str, int], *, actor: Actor, now: datetime) -> None:
    ours = _own_columns(headings)
    if not any(headings):
        return  # a sheet without headings has no shape to be known by
    shape = columns_.shape_of(headings[ours:])
    kept = db.session.scalars(select(SheetColumns).where(SheetColumns.shape == shape)).first()
    if kept is None:
        kept = SheetColumns(shape=shape)
        db.session.add(kept)
    kept.columns_json = columns_.to_text({meaning: at - ours for meaning, at in chosen.items() if at >= ours})
    kept.set_by_id, kept.set_at = actor.user_id, now
    db.session.flush()


# --- Checking ---------------------------------------------------------------------------------------------------------


def check_chunk(upload: SheetImport, *, today: date, limit: int = CHUNK) -> int:
    """Say of the next lines what each comes to. Writes no household. Gives how many; at none, the dry run is there."""
    rows = next_lines(upload, limit)
    if not rows:
        upload.step, upload.done_to, upload.done_count = ImportStep.CHECKED, 0, 0
        return 0
    _note_verdicts(rows, judge_rows(upload, rows, Terms.on(today)))
    note_done(upload, rows)
    return len(rows)


def _check_small(upload: SheetImport, *, today: date) -> None:
    if upload.line_count > SMALL_LINES:
        return
    while upload.step == ImportStep.CHECKING:
        check_chunk(upload, today=today)


def next_lines(upload: SheetImport, limit: int) -> list[SheetLine]:
    """The next lines that the present stage has not dealt with."""
    return list(
        db.session.scalars(
            select(SheetLine)
            .where(SheetLine.import_id == upload.id, SheetLine.number > upload.done_to)
            .order_by(SheetLine.number)
            .limit(limit)
        )
    )


def note_done(upload: SheetImport, rows: Sequence[SheetLine]) -> None:
    """Note how far the stage has come, in the transaction of the work itself."""
    upload.done_to = rows[-1].number
    upload.done_count += len(rows)
    db.session.flush()


def judge_rows(upload: SheetImport, rows: Sequence[SheetLine], terms: Terms) -> list[Judged]:
    """What each of these lines comes to now."""
    head = head_of(upload)
    columns = columns_.check_columns(columns_.from_text(upload.columns or "{}"), width=len(head.headings))

    def read(line: Line) -> SignUp:
        return read_line(
            line,
            columns,
            event_id=upload.event_id,
            wording_version=terms.wording_version,
            our_districts=terms.our_districts,
            today=terms.today,
        )

    lines = [Line(row.number, tuple(json.loads(row.cells or "[]"))) for row in rows]
    passed_over = {
        line.number: why for line in lines if (why := why_passed_over(line, head.headings, columns)) is not None
    }
    return judge([read(line) for line in lines], passed_over, import_id=upload.id, read=read)


def note_verdict(row: SheetLine, judged: Judged) -> None:
    """Keep what a line comes to."""
    for column, value in _columns_of(judged).items():
        setattr(row, column, value)
    if row.notes != (notes := _notes_of(judged)):  # sealed again it would be another value each time
        row.notes = notes
    if judged.verdict != Verdict.LOOK:
        row.decision = None


def _note_verdicts(rows: Sequence[SheetLine], several: Sequence[Judged]) -> None:
    """Keep what many lines come to by one statement: the unit of work would make one of every few lines, since each has
    something else to change."""
    table, changes = SheetLine.__tablename__, []
    for row, judged in zip(rows, several, strict=True):
        notes = _notes_of(judged)
        sealed = seal(table, "notes_sealed", row.row_key, notes) if notes else None
        decision = row.decision if judged.verdict == Verdict.LOOK else None
        changes.append({"id": row.id, **_columns_of(judged), "notes_sealed": sealed, "decision": decision})
        db.session.expunge(row)  # what it says is old from here on
    db.session.execute(update(SheetLine), changes)


def _columns_of(judged: Judged) -> dict[str, Any]:
    return {
        "verdict": judged.verdict,
        "has_doubts": bool(judged.sign_up.doubts),
        "phone_key": judged.phone_key,
        "email_key": judged.email_key,
        "place_key": judged.place_key,
        "match_case_id": judged.match_case_id,
        "match_line": judged.match_line,
    }


def _notes_of(judged: Judged) -> str | None:
    return json.dumps(judged.notes, ensure_ascii=False) if judged.notes else None


def decide_line(upload: SheetImport, number: int, decision: Decision, *, actor: Actor, now: datetime) -> SheetLine:
    """Keep what a person says about a line that needs a look. Raises SheetIsElsewhere."""
    require(actor, Permission.IMPORT_SHEET)
    _lock(upload, ImportStep.CHECKED)
    row = db.session.scalars(
        select(SheetLine).where(SheetLine.import_id == upload.id, SheetLine.number == number)
    ).first()
    if row is None or row.verdict != Verdict.LOOK:
        raise SheetIsElsewhere("There is nothing to decide about that line any more. Look at the list again.")
    row.decision = decision
    record(
        "sheet.line_decided",
        actor=actor,
        at=now,
        subject=f"event:{upload.event_id}",
        detail={"upload": upload.id, "line": number, "decision": decision},
    )
    return row


# --- From stage to stage ----------------------------------------------------------------------------------------------


def _start(upload: SheetImport, stage: ImportStep) -> None:
    upload.step, upload.problem = stage, None
    upload.done_to, upload.done_count = 0, 0
    db.session.flush()


def take_turn(upload: SheetImport) -> None:
    """Wait for the worker, or for somebody else who pressed a button, and see how far the sheet is now."""
    db.session.flush()
    db.session.refresh(
        upload, ["step", "done_to", "done_count", "loaded_at", "loaded_count", "joined_count"], with_for_update=True
    )


def _lock(upload: SheetImport, *stages: ImportStep) -> None:
    """Take turns, and go on only from these steps. Raises SheetIsElsewhere."""
    take_turn(upload)
    if upload.step not in stages:
        raise SheetIsElsewhere(ELSEWHERE_WORDS.get(ImportStep(upload.step), "The sheet has moved on. Look again."))


ELSEWHERE_WORDS = {
    ImportStep.READING: "The sheet is still being read. Wait until it is there.",
    ImportStep.CHECKING: "The lines are still being checked. Wait until they are done.",
    ImportStep.LOADING: "The sheet is being loaded now.",
    ImportStep.LOADED: "The sheet has been loaded already.",
    ImportStep.UNDOING: "The import is being undone now.",
    ImportStep.DISCARDED: "The sheet was thrown away. Upload it again to load it.",
    ImportStep.UNDONE: "The import has been undone already. Upload the sheet again to load it.",
}


def start_loading(upload: SheetImport, *, sends_letters: bool, actor: Actor, now: datetime) -> None:
    """Begin to load the lines that can be, or go on where it was stopped. Raises SheetIsElsewhere."""
    require(actor, Permission.IMPORT_SHEET)
    _lock(upload, ImportStep.CHECKED, ImportStep.STOPPED)
    if upload.step == ImportStep.CHECKED:
        _start(upload, ImportStep.LOADING)
    upload.step, upload.problem = ImportStep.LOADING, None
    upload.sends_letters, upload.started_by_id = sends_letters, actor.user_id
    record(
        "sheet.loading_begun",
        actor=actor,
        at=now,
        subject=f"event:{upload.event_id}",
        detail={"upload": upload.id, "letters": sends_letters},
    )


def stop_loading(upload: SheetImport, *, actor: Actor, now: datetime) -> None:
    """Stop after the chunk in hand. What is loaded stays; it can go on, or be undone. Raises SheetIsElsewhere."""
    require(actor, Permission.IMPORT_SHEET)
    _lock(upload, ImportStep.LOADING)
    upload.step = ImportStep.STOPPED
    record("sheet.stopped", actor=actor, at=now, subject=f"event:{upload.event_id}", detail={"upload": upload.id})


def give_up(upload: SheetImport, problem: str) -> None:
    """Leave a sheet that can't go on to a person, with the reason."""
    stage = ImportStep(upload.step)
    upload.problem = problem[:300]
    upload.step = {
        ImportStep.READING: ImportStep.UNREADABLE,
        ImportStep.CHECKING: ImportStep.COLUMNS,
        ImportStep.UNDOING: ImportStep.LOADED,
    }.get(stage, ImportStep.STOPPED)
    db.session.flush()


def actor_for(upload: SheetImport) -> Actor:
    """In whose name the worker acts: whoever pressed the button, or the system for somebody who has left."""
    user = db.session.get(User, upload.started_by_id) if upload.started_by_id else None
    return user.as_actor() if user is not None and user.active else SYSTEM


def discard(upload: SheetImport, *, actor: Actor, now: datetime) -> None:
    """Throw away a sheet of which nothing has been loaded. Raises SheetIsElsewhere."""
    require(actor, Permission.IMPORT_SHEET)
    _lock(
        upload,
        ImportStep.READING,
        ImportStep.UNREADABLE,
        ImportStep.COLUMNS,
        ImportStep.CHECKING,
        ImportStep.CHECKED,
    )
    record("sheet.discarded", actor=actor, at=now, subject=f"event:{upload.event_id}", detail={"upload": upload.id})
    db.session.execute(delete(SheetLine).where(SheetLine.import_id == upload.id))
    upload.content, upload.head, upload.line_count = b"", None, 0
    _start(upload, ImportStep.DISCARDED)


def forget_old_uploads(*, now: datetime) -> int:
    """Drop uploaded sheets past their time, with their lines; how many. For the timetable."""
    old = select(SheetImport.id).where(SheetImport.uploaded_at < now - KEPT_FOR)
    db.session.execute(delete(SheetLine).where(SheetLine.import_id.in_(old)))
    result = db.session.execute(delete(SheetImport).where(SheetImport.uploaded_at < now - KEPT_FOR))
    return rows_changed(result)


def lines_to_read(upload: SheetImport) -> Iterator[Line]:
    """The lines of the sheet that are not kept yet, one after another."""
    # Taken here and now: the lines are drawn when the upload's own transaction is long over.
    kept_to, content, lines_from = upload.done_to, upload.content or b"", head_of(upload).lines_from
    lines = lines_of(content, sheet_at=upload.sheet_at, lines_from=lines_from)
    return (line for line in lines if line.number > kept_to)

"""Reads of sign-up sheets: an upload, its lines by what they come to, and the file of lines to put right."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import defer

from crm.cases.models import Case, Household
from crm.db import db
from crm.events import columns as columns_
from crm.events.models import RecruitmentEvent
from crm.events.sheet_models import (
    LOADED_VERDICTS,
    ON_ITS_WAY,
    Decision,
    ImportStep,
    Outcome,
    SheetImport,
    SheetLine,
    Verdict,
)
from crm.events.sheets import Head
from crm.rules.refusal import Refusal
from crm.web.spreadsheets import inert

VERDICT_WORDS = {
    Verdict.NEW: "New",
    Verdict.SAME_PERSON: "Same person",
    Verdict.SAME_HOUSEHOLD: "Same household",
    Verdict.LOOK: "Needs a look",
    Verdict.REPEAT: "Here already",
    Verdict.PASSED_OVER: "Not a person",
    Verdict.REFUSED: "Refused",
}
"""What a line comes to, in the words and the order of the screen."""
OUTCOME_WORDS = {
    Outcome.OPENED: "New household",
    Outcome.JOINED: "Joined a household",
    Outcome.TAKEN_BACK: "Taken back",
    Outcome.KEPT: "Kept",
}
UNDO_WITHIN = timedelta(days=7)
"""How long a whole import can be undone. The sheet itself is kept for a week longer."""
LINES_SHOWN = 50


class UploadNotFound(Refusal):
    """No such sheet at this event, or its time is over."""

    def __init__(self) -> None:
        super().__init__(
            "That sheet is not here any more. Uploads are kept for two weeks.",
            status=404,
            alternatives=("Upload it again: what was loaded before is not loaded twice.",),
        )


def upload_of(event: RecruitmentEvent, upload_id: int, *, with_content: bool = False) -> SheetImport:
    """An uploaded sheet of an event, without the file itself unless it is asked for. Raises UploadNotFound."""
    query = select(SheetImport).where(SheetImport.id == upload_id, SheetImport.event_id == event.id)
    upload = db.session.scalars(query if with_content else query.options(defer(SheetImport.content_sealed))).first()
    if upload is None:
        raise UploadNotFound
    return upload


def uploads_of(event: RecruitmentEvent, *, limit: int = 20) -> list[SheetImport]:
    """The sheets of an event, the newest first."""
    return list(
        db.session.scalars(
            select(SheetImport)
            .where(SheetImport.event_id == event.id, SheetImport.step != ImportStep.DISCARDED)
            .options(defer(SheetImport.content_sealed))
            .order_by(SheetImport.id.desc())
            .limit(limit)
        )
    )


def latest_upload(event: RecruitmentEvent) -> SheetImport | None:
    """The newest sheet of an event that has been loaded, to say so on its page."""
    return db.session.scalars(
        select(SheetImport)
        .where(SheetImport.event_id == event.id, SheetImport.step == ImportStep.LOADED)
        .options(defer(SheetImport.content_sealed))
        .order_by(SheetImport.id.desc())
    ).first()


def verdict_counts(upload: SheetImport) -> Counter[str]:
    """How many lines came to what."""
    rows = db.session.execute(
        select(SheetLine.verdict, func.count())
        .where(SheetLine.import_id == upload.id, SheetLine.verdict.is_not(None))
        .group_by(SheetLine.verdict)
    )
    return Counter({str(verdict): count for verdict, count in rows})


def outcome_counts(upload: SheetImport) -> Counter[str]:
    """How many lines led to what."""
    rows = db.session.execute(
        select(SheetLine.outcome, func.count())
        .where(SheetLine.import_id == upload.id, SheetLine.outcome.is_not(None))
        .group_by(SheetLine.outcome)
    )
    return Counter({str(outcome): count for outcome, count in rows})


@dataclass(frozen=True)
class Foreseen:
    """What loading a checked sheet would bring, as far as can be told before."""

    opened: int
    joined: int
    left_out: int
    undecided: int

    @property
    def loaded(self) -> int:
        return self.opened + self.joined


def foreseen(upload: SheetImport) -> Foreseen:
    """What would happen if the sheet were loaded now."""
    rows = db.session.execute(
        select(SheetLine.verdict, SheetLine.decision, func.count())
        .where(SheetLine.import_id == upload.id, SheetLine.verdict.in_(LOADED_VERDICTS))
        .group_by(SheetLine.verdict, SheetLine.decision)
    ).all()
    totals: Counter[str] = Counter()
    for verdict, decision, count in rows:
        if verdict == Verdict.LOOK and decision is None:
            totals["undecided"] += count
        if decision == Decision.LEAVE_OUT:
            totals["left_out"] += count
        elif verdict in (Verdict.SAME_PERSON, Verdict.SAME_HOUSEHOLD) or decision == Decision.JOIN:
            totals["joined"] += count
        else:
            totals["opened"] += count
    return Foreseen(totals["opened"], totals["joined"], totals["left_out"], totals["undecided"])


@dataclass(frozen=True)
class ShownLine:
    """A line as the screen shows it."""

    number: int
    label: str
    verdict: str
    notes: tuple[str, ...]
    decision: str | None
    match: str | None
    """What it may be joined to: a household with its reference, or an earlier line."""
    outcome: str | None
    reference: str | None
    why_kept: str | None


SHOWS = ("all", *Verdict, "doubts", "kept")


def lines_page(
    upload: SheetImport, *, show: str, after: int = 0, limit: int = LINES_SHOWN
) -> tuple[list[ShownLine], int | None]:
    """Lines of a sheet by what they come to, from after a line number on; and the number to go on from, if any."""
    query = select(SheetLine).where(SheetLine.import_id == upload.id, SheetLine.number > after, _which(show))
    rows = list(db.session.scalars(query.order_by(SheetLine.number).limit(limit + 1)))
    shown = rows[:limit]
    columns = columns_.from_text(upload.columns or "{}")
    matches = _matches([row.match_case_id for row in shown if row.match_case_id])
    lines = [
        ShownLine(
            number=row.number,
            label=label_of(row, columns),
            verdict=row.verdict or "",
            notes=tuple(json.loads(row.notes)) if row.notes else (),
            decision=row.decision,
            match=matches.get(row.match_case_id or 0) or (f"line {row.match_line}" if row.match_line else None),
            outcome=row.outcome,
            reference=row.reference,
            why_kept=row.why_kept,
        )
        for row in shown
    ]
    return lines, shown[-1].number if len(rows) > limit else None


def _which(show: str) -> ColumnElement[bool]:
    if show == "doubts":
        return and_(SheetLine.has_doubts, SheetLine.verdict.in_(LOADED_VERDICTS))
    if show == "kept":
        return SheetLine.outcome == Outcome.KEPT
    if show in set(Verdict):
        return SheetLine.verdict == show
    return SheetLine.verdict.is_not(None)


def _matches(case_ids: list[int]) -> dict[int, str]:
    rows = db.session.execute(
        select(Case.id, Case.reference, Case.band, Household.name)
        .join(Household, Household.id == Case.household_id)
        .where(Case.id.in_(case_ids))
    )
    # A household in assessment belongs to those who assess it: others see its reference only.
    return {row.id: row.reference if row.band != "enquiry" else f"{row.name}, {row.reference}" for row in rows}


def label_of(row: SheetLine, columns: dict[str, int]) -> str:
    """How a line is called: the name on it."""
    cells = json.loads(row.cells or "[]")
    parts = [cells[at] for key in ("name", "given_name", "family_name") if (at := columns.get(key, 999)) < len(cells)]
    return " ".join(part.replace("\n", ", ") for part in parts if part)[:120] or "No name"


def is_undoable(upload: SheetImport, *, now: datetime) -> bool:
    """Whether what the sheet brought can still be taken back."""
    if upload.step == ImportStep.STOPPED:
        return upload.loaded_count + upload.joined_count > 0 and now - upload.uploaded_at <= UNDO_WITHIN
    return upload.step == ImportStep.LOADED and upload.loaded_at is not None and now - upload.loaded_at <= UNDO_WITHIN


def next_on_its_way() -> int | None:
    """The sheet that the worker should go on with: the one uploaded first."""
    # Written out as in the index, which serves only a condition that it can see.
    return db.session.scalar(select(SheetImport.id).where(ON_ITS_WAY).order_by(SheetImport.id).limit(1))


# --- The file of lines to put right -----------------------------------------------------------------------------------


def lines_to_mend(upload: SheetImport) -> Iterator[list[str]]:
    """The lines to put right, with why: before loading all that have something to mind, afterwards those not loaded.

    No cell of it computes. First the headings.
    """
    head = Head.from_text(upload.head or "")
    yield ["Line", "Standing", "Why", *(inert(cell) for cell in head.headings)]
    to_mend = or_(SheetLine.verdict.not_in((Verdict.NEW,)), SheetLine.has_doubts)
    if upload.step in (ImportStep.LOADED, ImportStep.STOPPED, ImportStep.UNDOING, ImportStep.UNDONE):
        to_mend = and_(SheetLine.outcome.is_(None), SheetLine.verdict.not_in((Verdict.REPEAT, Verdict.PASSED_OVER)))
    after = 0
    while True:
        rows = db.session.scalars(
            select(SheetLine)
            .where(SheetLine.import_id == upload.id, SheetLine.number > after, to_mend)
            .order_by(SheetLine.number)
            .limit(500)
        ).all()
        for row in rows:
            why = " ".join(json.loads(row.notes)) if row.notes else ""
            if row.decision == Decision.LEAVE_OUT:
                why = f"Left out. {why}"
            words = VERDICT_WORDS[Verdict(row.verdict or Verdict.REFUSED)]
            yield [str(row.number), words, inert(why), *(inert(cell) for cell in json.loads(row.cells or "[]"))]
            after = row.number
            db.session.expunge(row)
        if not rows:
            return


def mend_file(upload: SheetImport) -> Iterator[bytes]:
    """``lines_to_mend`` as a CSV file that spreadsheets take for UTF-8, part by part."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    yield b"\xef\xbb\xbf"
    for row in lines_to_mend(upload):
        writer.writerow(row)
        if out.tell() > 32_000:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()

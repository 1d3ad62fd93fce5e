"""A sign-up sheet from the command line: the same stages as on the screen, one after another, in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crm.db import db, transaction
from crm.events import sheet_queries
from crm.events.queries import event_by_id
from crm.events.sheet_import import discard, keep_for_worker, start_loading
from crm.events.sheet_models import ImportStep, SheetImport
from crm.events.sheet_queries import VERDICT_WORDS
from crm.events.sheet_worker import Clock, go_on
from crm.events.sheets import SheetNotRead
from crm.rules.permissions import Actor, ActorKind, Role

OPERATOR = Actor(ActorKind.STAFF, display_name="Whoever runs the server", roles=frozenset({Role.RECRUITER}))
TOLD_ABOUT = 200
"""A report on a terminal names so many lines; the file of lines to mend has them all."""

Progressed = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Imported:
    """What came of it, in plain lines."""

    said: tuple[str, ...]
    refused: int


def import_file(
    content: bytes,
    *,
    filename: str,
    event_id: int,
    dry_run: bool,
    clock: Clock,
    sends_letters: bool = False,
    errors: Path | None = None,
    progressed: Progressed = lambda *_: None,
) -> Imported:
    """Read a sheet, check it, load it (or say what would happen). Raises a Refusal where a person has to decide."""
    with transaction():
        event = event_by_id(event_id)
        upload_id = keep_for_worker(event, content=content, filename=filename, actor=OPERATOR, now=clock()).id
    try:
        _through(upload_id, "Read", clock, progressed)
        _through(upload_id, "Checked", clock, progressed)
        if not dry_run:
            with transaction():
                start_loading(_upload(upload_id), sends_letters=sends_letters, actor=OPERATOR, now=clock())
            _through(upload_id, "Loaded", clock, progressed)
        upload = _upload(upload_id)
        said, refused = _report(upload), sheet_queries.verdict_counts(upload).get("refused", 0)
        if errors is not None:
            with errors.open("wb") as file:
                file.writelines(sheet_queries.mend_file(_upload(upload_id)))
        return Imported(tuple(said), refused)
    finally:
        db.session.rollback()
        with transaction():
            left = db.session.get(SheetImport, upload_id)
            if left is not None and left.step not in (
                ImportStep.LOADED,
                ImportStep.LOADING,
                ImportStep.STOPPED,
                ImportStep.DISCARDED,
            ):
                discard(left, actor=OPERATOR, now=clock())


def _through(upload_id: int, doing: str, clock: Clock, progressed: Progressed) -> None:
    """Take the sheet through its present stage. Raises SheetNotRead where it stays with a person."""
    go_on(upload_id, clock=clock, progressed=lambda done, of: progressed(doing, done, of))
    upload = _upload(upload_id)
    if upload.step == ImportStep.COLUMNS:
        raise SheetNotRead(
            "We can't tell which column holds the name, and which the phone or the email. "
            "Give the columns headings (Name, Phone, Email, Postcode), or upload the sheet on the event's page."
        )
    if upload.problem:
        raise SheetNotRead(upload.problem)


def _upload(upload_id: int) -> SheetImport:
    return db.session.get_one(SheetImport, upload_id)


def _report(upload: SheetImport) -> list[str]:
    said: list[str] = []
    counts = sheet_queries.verdict_counts(upload)
    after: int | None = 0
    while after is not None and len(said) < TOLD_ABOUT:
        lines, after = sheet_queries.lines_page(upload, show="all", after=after, limit=500)
        said += [
            f"Line {line.number}: {VERDICT_WORDS[line.verdict].lower()}, {line.label}. {' '.join(line.notes)}"  # type: ignore[index]
            for line in lines
            if line.notes
        ]
    del said[TOLD_ABOUT:]
    if upload.step == ImportStep.LOADED:
        done, opened, joined = "Loaded", upload.loaded_count, upload.joined_count
    else:
        foreseen = sheet_queries.foreseen(upload)
        done, opened, joined = "Would load", foreseen.opened, foreseen.joined
    said.append(
        f"{done} {_many(opened + joined, 'line')}: {_many(opened, 'new household')}, {joined} joined to one we know. "
        f"{counts.get('look', 0)} to look at, {counts.get('repeat', 0)} here already, "
        f"{counts.get('refused', 0)} refused."
    )
    return said


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"

"""The worker's part in long sheets: reads, checks, loads and undoes them, a chunk a transaction.

Any number of workers may run. Each chunk locks the row of its sheet, looks at how far it has come, and notes how far it
came in the same transaction: whatever dies, the next chunk begins where the last kept one ended.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice

import structlog
from sqlalchemy import select
from sqlalchemy.orm import defer

from crm.cases.models import Case, Enquiry, Household, Person, Track
from crm.clock import london_date
from crm.db import count_again, db, end_read, is_lock_timeout, transaction
from crm.events.sheet_import import (
    CHUNK,
    READ_CHUNK,
    begin_reading,
    check_chunk,
    finish_reading,
    give_up,
    lines_to_read,
    store_lines,
)
from crm.events.sheet_loading import load_chunk
from crm.events.sheet_models import ImportStep, SheetImport, SheetLine
from crm.events.sheet_queries import next_on_its_way
from crm.events.sheet_undo import undo_chunk
from crm.events.sheets import Line
from crm.rules.refusal import Refusal

IDLE_WAITS_S = (0.5, 1.0, 2.0)
COUNTED_AFTER = 5 * CHUNK
"""So many lines into a stage, the database is told that its tables have grown."""
TRIES = 3
"""A chunk that fails so often is left to a person."""
FAILED = "We could not go on with this sheet. Try again; if it stops here once more, tell whoever runs the server."

log = structlog.get_logger("sheets")
Clock = Callable[[], datetime]
Progressed = Callable[[int, int], None]


def run(stop: threading.Event, *, clock: Clock) -> None:
    """Go on with whatever sheet is on its way, until told to stop. Needs an application context."""
    failures: Counter[int] = Counter()
    idle = 0
    while not stop.is_set():
        upload_id = next_upload()
        if upload_id is None:
            stop.wait(IDLE_WAITS_S[min(idle, len(IDLE_WAITS_S) - 1)])
            idle += 1
            continue
        idle = 0
        try:
            go_on(upload_id, stop=stop, clock=clock)
            failures[upload_id] = 0
        except Exception as fault:
            end_read()
            if is_lock_timeout(fault):
                continue
            failures[upload_id] += 1
            log.error("sheet_failed", job="sheets", fault=type(fault).__name__)
            if failures[upload_id] >= TRIES or isinstance(fault, Refusal):
                leave_to_a_person(upload_id, fault.message if isinstance(fault, Refusal) else FAILED)
            else:
                stop.wait(IDLE_WAITS_S[-1])


def next_upload() -> int | None:
    """The sheet to go on with. Takes no lock."""
    try:
        return next_on_its_way()
    finally:
        end_read()


def go_on(
    upload_id: int,
    *,
    clock: Clock,
    stop: threading.Event | None = None,
    progressed: Progressed = lambda *_: None,
) -> None:
    """Take a sheet through its present stage, saying how far it has come. Raises what the stage raises."""
    while stop is None or not stop.is_set():
        with _collecting_afterwards(), transaction():
            upload = _locked(upload_id)
            stage = ImportStep(upload.step) if upload is not None else None
            if upload is None or not upload.is_on_its_way:
                return
            if stage != ImportStep.READING:
                if _do_chunk(upload, stage, now=clock()) == 0:
                    return
                progressed(upload.done_count, upload.line_count)
        # Objects of a chunk are not carried into the next.
        db.session.remove()
        if stage == ImportStep.READING:
            _read(upload_id, stop)
            return


@contextlib.contextmanager
def _collecting_afterwards() -> Iterator[None]:
    """Leave rubbish lie meanwhile: all that a chunk makes goes with it, and looking through it takes a fifth as long as
    making it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _do_chunk(upload: SheetImport, stage: ImportStep | None, *, now: datetime) -> int:
    if upload.done_count == COUNTED_AFTER:
        count_again(SheetLine, Household, Person, Case, Track, Enquiry)
    today = london_date(now)
    if stage == ImportStep.CHECKING:
        return check_chunk(upload, today=today)
    if stage == ImportStep.LOADING:
        return load_chunk(upload, now=now, today=today)
    return undo_chunk(upload, now=now, today=today)


def _read(upload_id: int, stop: threading.Event | None) -> None:
    """Read the file once through; its lines are kept a chunk at a time, and those kept before are passed over."""
    with transaction():
        upload = _locked(upload_id, with_content=True)
        if upload is None or upload.step != ImportStep.READING:
            return
        if upload.done_to == 0:
            begin_reading(upload)
        came_to, event_id = upload.done_to, upload.event_id
        lines = lines_to_read(upload)
        db.session.flush()
        chunk = list(islice(lines, READ_CHUNK))
    db.session.remove()
    while stop is None or not stop.is_set():
        with transaction():
            upload = _locked(upload_id)
            if upload is None or upload.step != ImportStep.READING or upload.done_to != came_to:
                return  # thrown away meanwhile, or another worker is at it
            if not chunk:
                finish_reading(upload)
                return
            store_lines(upload, chunk, event_id=event_id)
            came_to = upload.done_to
        db.session.remove()
        chunk = _next(lines)


def _next(lines: object) -> list[Line]:
    return list(islice(lines, READ_CHUNK))  # type: ignore[call-overload]


def _locked(upload_id: int, *, with_content: bool = False) -> SheetImport | None:
    query = select(SheetImport).where(SheetImport.id == upload_id).with_for_update()
    return db.session.scalars(query if with_content else query.options(defer(SheetImport.content_sealed))).first()


def leave_to_a_person(upload_id: int, problem: str) -> None:
    """Take a sheet off the worker's list, with the reason."""
    with transaction():
        upload = _locked(upload_id)
        if upload is not None and upload.is_on_its_way:
            give_up(upload, problem)

"""The worker's part in documents: gives each file that came in to the virus scanner, and keeps what that says.

The scanner is spoken to with no transaction open. Nothing but a plain answer opens a file: while the scanner does not
answer, it waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select

from crm.assessments import documents
from crm.assessments.document_models import DocumentFile
from crm.db import db, end_read, transaction
from crm.files.models import StoredFile
from crm.files.scanning import ScannerDown, scan

LEASE = timedelta(minutes=5)
"""How long one scan may take before another worker may begin it again."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
"""Between tries at a scanner that does not answer."""
LOOK_EVERY_S = 3.0

log = structlog.get_logger("documents")


def keep_scanning(at: str, stop: threading.Event, *, clock: Callable[[], datetime]) -> None:
    """Look files through as they come, until told to stop. Needs an application context."""
    while not stop.is_set():
        if not scan_next(clock(), by=lambda content: scan(content, at=at)):
            stop.wait(LOOK_EVERY_S)


def has_files_to_scan(now: datetime) -> bool:
    """Whether a file waits for its turn."""
    waits = db.session.scalar(select(DocumentFile.id).where(DocumentFile.scan_next_at <= now).limit(1)) is not None
    end_read()
    return waits


def scan_next(now: datetime, *, by: Callable[[bytes], str | None]) -> bool:
    """Look the file through that has waited for longest. Whether there was one, and the scanner answered.

    1. Claim it for a while, so that nobody else does it meanwhile.
    2. Give its content to ``by`` (None: clean; else what was found; ScannerDown: no plain answer).
    3. Open it for those who may look, or drop it; without an answer it waits, longer each time.
    """
    if not has_files_to_scan(now):
        return False
    with transaction():
        file_id = _claim(now)
    if file_id is None:
        return True  # another worker was quicker
    stored = db.session.get(StoredFile, file_id)
    content = (stored.content or b"") if stored is not None else b""
    end_read()
    try:
        found = by(content)
    except ScannerDown:
        log.warning("scanner_down")
        with transaction():
            _wait(file_id, now)
        return False
    with transaction():
        waiting = documents.waiting_file(file_id)
        if waiting is not None and found is None:
            documents.found_clean(waiting[1], now=now)
        elif waiting is not None and found is not None:
            documents.found_harmful(*waiting, found, now=now)
    return True


def _claim(now: datetime) -> int | None:
    page = db.session.scalars(
        select(DocumentFile)
        .where(DocumentFile.scan_next_at <= now)
        .order_by(DocumentFile.scan_next_at, DocumentFile.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if page is None:
        return None
    page.scan_next_at, page.scan_tries = now + LEASE, page.scan_tries + 1
    return page.file_id


def _wait(file_id: int, now: datetime) -> None:
    waiting = documents.waiting_file(file_id)
    if waiting is not None:
        page = waiting[1]
        page.scan_next_at = now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(page.scan_tries - 1, 10))

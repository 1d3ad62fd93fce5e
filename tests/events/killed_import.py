"""A worker process that dies, by SIGKILL, inside a chunk of a sheet. Used by ``test_import_stages``."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from typing import Any

from crm.events import sheet_worker
from crm.settings import Settings


def die_in_third_chunk(settings: Settings, upload_id: int, name: str, now: datetime) -> None:
    """Take the sheet on in chunks of forty lines, and die inside the transaction of the third."""
    from tests.conftest import application

    real: Any = getattr(sheet_worker, name)
    count = 0

    def chunk(upload: Any, **more: Any) -> int:
        nonlocal count
        count += 1
        done = real(upload, limit=40, **more)
        if count == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return int(done)

    setattr(sheet_worker, name, chunk)
    with application(settings).app_context():
        sheet_worker.go_on(upload_id, clock=lambda: now)

"""Keeping files and dropping them."""

from __future__ import annotations

import hashlib
from datetime import datetime

from crm.audit import record
from crm.db import db
from crm.files.models import StoredFile
from crm.rules.permissions import Actor


def digest_of(raw: bytes) -> str:
    """By which a file that was handed in is known again."""
    return hashlib.sha256(raw).hexdigest()


def keep(media: str, content: bytes, *, digest: str, case_id: int | None, actor: Actor, now: datetime) -> StoredFile:
    """Keep a file that was made anew, sealed. ``digest`` is that of what was handed in."""
    stored = StoredFile(
        media=media,
        size=len(content),
        digest=digest,
        added_at=now,
        added_by_id=actor.user_id,
    )
    stored.content = content
    db.session.add(stored)
    db.session.flush()
    record("file.kept", actor=actor, at=now, case_id=case_id, subject=f"file:{stored.id}")
    return stored


def drop(stored: StoredFile, *, case_id: int | None, actor: Actor, now: datetime) -> None:
    """Drop a file: nothing of it is left but that it was there."""
    record("file.dropped", actor=actor, at=now, case_id=case_id, subject=f"file:{stored.id}")
    db.session.delete(stored)
    db.session.flush()

"""Keeping files and dropping them."""

from __future__ import annotations

import hashlib
from datetime import datetime

from crm.audit import record
from crm.db import db
from crm.files.models import StoredFile
from crm.files.pictures import Picture
from crm.rules.permissions import Actor


def digest_of(raw: bytes) -> str:
    """By which a file that was handed in is known again."""
    return hashlib.sha256(raw).hexdigest()


def keep_picture(picture: Picture, *, digest: str, case_id: int | None, actor: Actor, now: datetime) -> StoredFile:
    """Keep a picture that was drawn anew, sealed. ``digest`` is that of what was handed in."""
    stored = StoredFile(
        media=picture.media,
        size=len(picture.content),
        digest=digest,
        added_at=now,
        added_by_id=actor.user_id,
    )
    stored.content = picture.content
    db.session.add(stored)
    db.session.flush()
    record("file.kept", actor=actor, at=now, case_id=case_id, subject=f"file:{stored.id}")
    return stored


def drop(stored: StoredFile, *, case_id: int | None, actor: Actor, now: datetime) -> None:
    """Drop a file: nothing of it is left but that it was there."""
    record("file.dropped", actor=actor, at=now, case_id=case_id, subject=f"file:{stored.id}")
    db.session.delete(stored)
    db.session.flush()

"""The draft of a public form: begun by the first answer, kept for two weeks, gone an hour after it was sent."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from crm.db import db, rows_changed
from crm.enquiries.models import EnquiryDraft

KEPT_FOR = timedelta(days=14)
KEPT_AFTER_SENDING = timedelta(hours=1)

Answers = dict[str, Any]


def draft_of(token: str | None, *, now: datetime, lock: bool = False) -> EnquiryDraft | None:
    """The draft of a browser, while its time lasts. ``lock`` makes a second sending of the same draft wait its turn."""
    if not token or not 20 <= len(token) <= 64:
        return None
    query = select(EnquiryDraft).where(EnquiryDraft.token_hash == _digest(token), EnquiryDraft.expires_at > now)
    return db.session.scalars(query.with_for_update() if lock else query).first()


def begin_draft(*, now: datetime) -> tuple[EnquiryDraft, str]:
    """A new draft, and the token that opens it: it goes to the browser and is not kept."""
    token = secrets.token_urlsafe(24)
    draft = EnquiryDraft(token_hash=_digest(token), began_at=now, expires_at=now + KEPT_FOR)
    draft.answers = "{}"
    db.session.add(draft)
    return draft, token


def answers_of(draft: EnquiryDraft | None) -> Answers:
    """What has been answered so far; nothing where there is no draft."""
    return json.loads(draft.answers or "{}") if draft is not None else {}


def keep_answers(draft: EnquiryDraft, new: Mapping[str, Any], *, now: datetime) -> None:
    """Keep the answers of one page. Nothing else that was answered is lost."""
    draft.answers = json.dumps({**answers_of(draft), **new}, sort_keys=True, ensure_ascii=False)
    if draft.case_id is None:
        draft.expires_at = now + KEPT_FOR


def note_sent(draft: EnquiryDraft, *, case_id: int, now: datetime) -> None:
    """The draft has become an enquiry; its answers die soon."""
    draft.case_id = case_id
    draft.sent_digest = answers_digest(draft)
    draft.sent_count = (draft.sent_count or 0) + 1
    draft.expires_at = now + KEPT_AFTER_SENDING


def answers_digest(draft: EnquiryDraft) -> str:
    """Tells whether the answers changed since they were sent."""
    return hashlib.sha256((draft.token_hash + (draft.answers or "")).encode()).hexdigest()


def forget_old_drafts(*, now: datetime) -> int:
    """Drop the drafts whose time is over; how many. For the timetable."""
    result = db.session.execute(delete(EnquiryDraft).where(EnquiryDraft.expires_at <= now))
    return rows_changed(result)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

"""A form sent twice does its work once.

Each form carries an id made when its page was drawn. The id is stored in the transaction of what the form did:

* the same id and the same answers: the first result again, however often and however late;
* the same id with other answers: refused with 409, unless the view makes a new version of them;
* the same id from another browser: a page that says it has arrived, and nothing about whom.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from flask import Response, g, make_response, redirect, render_template, request

from crm.clock import now_utc
from crm.db import db
from crm.rules.refusal import Refusal
from crm.web import forgery
from crm.web.keyed import digest
from crm.web.models import OneTimeId

FIELD = "one_time_id"
SHAPE = re.compile(r"[A-Za-z0-9_-]{16,64}")
# Not part of what a person said: they differ between two drawings of the same page.
NOT_ANSWERS = frozenset({FIELD, forgery.FIELD})


class SentAtTheSameMoment(Exception):
    """The same form is being handled by another request; its answer exists once that one has committed."""


class ChangedSinceSent(Refusal):
    """The same form came again with other answers."""

    default_status = 409


@dataclass(frozen=True)
class Earlier:
    """What an earlier sending of this form led to."""

    subject: str | None
    location: str | None


def new_id() -> str:
    """A fresh id for a form: 128 random bits."""
    return secrets.token_urlsafe(16)


def earlier() -> Earlier | None:
    """In a view with ``versions=True``: what this form did before, when it now comes with other answers."""
    found: Earlier | None = g.get("once_earlier")
    return found


def remember(subject: str) -> None:
    """Name what this request made (``"case:KF-7Q3M9X"``), so that a changed repeat can find it again."""
    g.once_subject = subject


def sent_id() -> str | None:
    """The id that came with this request, when it has the shape of one."""
    token = request.form.get(FIELD, "") or request.headers.get("Idempotency-Key", "")
    return token if SHAPE.fullmatch(token) else None


def begin(*, versions: bool) -> Response | None:
    """Inside the write transaction, before the view: the first answer when this form was handled already."""
    g.once_earlier = None
    g.once_subject = None
    g.once_row = None
    token = sent_id()
    if token is None:
        return None
    body = _digest_of_answers()
    sender = digest("once sender", forgery.binding())
    row = db.session.scalar(sa.select(OneTimeId).where(OneTimeId.token == token))
    if row is None:
        row = OneTimeId(
            token=token, sender=sender, endpoint=request.endpoint or "", body_digest=body, received_at=now_utc()
        )
        db.session.add(row)
        try:
            db.session.flush()
        except sa.exc.IntegrityError as fault:
            raise SentAtTheSameMoment from fault
        g.once_row = row
        return None
    if row.sender != sender or row.endpoint != request.endpoint:
        return make_response(render_template("errors/already_sent.html"), 200)
    if row.body_digest == body:
        return redirect(row.location, code=303) if row.location else make_response("", 204)
    if not versions:
        raise ChangedSinceSent(
            "This form was sent before with other answers. What you sent first has been kept, and nothing was changed.",
            alternatives=("Go back and open the page again to make a change.",),
        )
    g.once_earlier = Earlier(row.subject, row.location)
    g.once_subject = row.subject
    row.body_digest = body
    g.once_row = row
    return None


def finish(response: Response) -> None:
    """After the view, before the commit: keep where the answer led."""
    row: OneTimeId | None = g.get("once_row")
    if row is not None:
        row.location = response.headers.get("Location")
        row.subject = g.get("once_subject")


def _digest_of_answers() -> str:
    parts = hashlib.sha256()
    for name in sorted(request.form):
        if name not in NOT_ANSWERS:
            parts.update(repr((name, request.form.getlist(name))).encode())
    for name in sorted(request.files):
        for upload in request.files.getlist(name):
            parts.update(repr((name, upload.filename)).encode())
            parts.update(hashlib.sha256(upload.stream.read()).digest())
            upload.stream.seek(0)
    parts.update(repr(sorted((request.view_args or {}).items())).encode())
    return digest("once answers", parts.digest())


def forget_received_before(moment: datetime) -> int:
    """Drop ids older than a moment; how many. Called by the timetable, inside its transaction."""
    gone = sa.delete(OneTimeId).where(OneTimeId.received_at < moment).returning(OneTimeId.id)
    return len(db.session.scalars(gone).all())

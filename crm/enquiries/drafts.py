"""The draft of a public form: begun by the first answer, kept for two weeks, gone an hour after it was sent.

It belongs to the browser in which it was begun. A link takes it up in another one: one purpose, fourteen days, good
until the form is sent or a newer link is made. Opening the link shows nothing and spends nothing; pressing its button
does. Whoever came by the link goes on with the answers and sends them, and is not shown those that are closely held,
because a mailbox at home may have two readers.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.exc import IntegrityError

from crm.db import db, rows_changed
from crm.enquiries import campaigns
from crm.enquiries.models import EnquiryDraft
from crm.rules.refusal import Refusal

KEPT_FOR = timedelta(days=14)
KEPT_AFTER_SENDING = timedelta(hours=1)
LINK_LIFE = timedelta(days=14)
LONGEST_TYPED = 1000

Answers = dict[str, Any]
TYPED, ARRIVALS = "_typed", "_arrivals"
"""Kept beside the answers and no part of them: half-typed pages, and the links by which the person came."""


class LinkNoLongerGood(Refusal):
    """The link has ended, was replaced, its form was sent, or it never was one."""

    default_status = 404


def draft_of(token: str | None, *, now: datetime, lock: bool = False) -> EnquiryDraft | None:
    """The draft of a browser, while its time lasts. ``lock`` makes a second sending of the same draft wait its turn."""
    if not token or not 20 <= len(token) <= 64:
        return None
    digest = _digest(token)
    of_browser = or_(EnquiryDraft.token_hash == digest, EnquiryDraft.link_browser_hash == digest)
    query = select(EnquiryDraft).where(of_browser, EnquiryDraft.expires_at > now)
    return db.session.scalars(query.with_for_update() if lock else query).first()


def came_by_link(draft: EnquiryDraft | None, token: str | None) -> bool:
    """Whether this browser took the draft up by a link."""
    return draft is not None and bool(token) and draft.link_browser_hash == _digest(token or "")


def begin_draft(*, now: datetime, page: str | None = None) -> tuple[EnquiryDraft, str]:
    """A new draft, and the token that opens it: it goes to the browser and is not kept.

    ``page`` is a secret of the one drawing of a page that begins it. What was typed there and its Continue may come
    together, before the browser has a token: whichever is second takes up what the first began, under the same token.
    """
    begun = _begun_from(page)
    if begun is not None and begun.expires_at > now and not begun.sent_count:
        return begun, str(page)
    token = page if page is not None and begun is None else secrets.token_urlsafe(24)
    draft = EnquiryDraft(token_hash=_digest(token), began_at=now, expires_at=now + KEPT_FOR, sent_count=0)
    draft.answers = "{}"
    try:
        with db.session.begin_nested():
            db.session.add(draft)
    except IntegrityError:
        begun = _begun_from(page)
        if begun is None:
            raise
        return begun, token
    return draft, token


def _begun_from(page: str | None) -> EnquiryDraft | None:
    if page is None:
        return None
    of_page = select(EnquiryDraft).where(EnquiryDraft.token_hash == _digest(page))
    return db.session.scalars(of_page.with_for_update()).first()


def _all_of(draft: EnquiryDraft | None) -> Answers:
    return json.loads(draft.answers or "{}") if draft is not None else {}


def answers_of(draft: EnquiryDraft | None) -> Answers:
    """What has been answered so far; nothing where there is no draft."""
    return {name: value for name, value in _all_of(draft).items() if not name.startswith("_")}


def typed_on(draft: EnquiryDraft | None, slug: str) -> dict[str, list[str]] | None:
    """What was typed on a page and not sent: the browser kept it as it went along. None where nothing was."""
    typed: dict[str, dict[str, list[str]]] = _all_of(draft).get(TYPED, {})
    return typed.get(slug)


def arrivals_of(draft: EnquiryDraft | None) -> list[dict[str, str]]:
    """The links by which the person came, the first first."""
    arrivals: list[dict[str, str]] = _all_of(draft).get(ARRIVALS, [])
    return arrivals


def keep_answers(draft: EnquiryDraft, new: Mapping[str, Any], *, now: datetime, of_page: str | None = None) -> None:
    """Keep the answers of one page. Nothing else that was answered is lost; what was half-typed on it is."""
    kept = _all_of(draft)
    kept.get(TYPED, {}).pop(of_page, None)
    _keep(draft, {**kept, **new}, now=now)


def keep_typed(draft: EnquiryDraft, slug: str, typed: Mapping[str, Sequence[str]], *, now: datetime) -> None:
    """Keep a page as it stands while somebody is still at it."""
    kept = _all_of(draft)
    page = {name: [value[:LONGEST_TYPED] for value in values[:20]] for name, values in typed.items()}
    _keep(draft, {**kept, TYPED: {**kept.get(TYPED, {}), slug: page}}, now=now)


def keep_arrival(draft: EnquiryDraft, arrival: campaigns.Arrival, *, now: datetime) -> None:
    """Keep that the person came by a link."""
    if arrival:
        arrivals = campaigns.with_arrival(arrivals_of(draft), arrival, now=now)
        _keep(draft, {**_all_of(draft), ARRIVALS: arrivals}, now=now)


def _keep(draft: EnquiryDraft, everything: Answers, *, now: datetime) -> None:
    draft.answers = json.dumps(everything, sort_keys=True, ensure_ascii=False)
    if not draft.sent_count:
        draft.expires_at = now + KEPT_FOR


def note_sent(draft: EnquiryDraft, *, case_id: int | None, held_id: int | None, now: datetime) -> None:
    """The draft has become an enquiry, or waits to be looked at; its answers die soon, and its link at once."""
    draft.case_id = case_id
    draft.held_id = held_id
    draft.sent_digest = answers_digest(draft)
    draft.sent_count = (draft.sent_count or 0) + 1
    draft.expires_at = now + KEPT_AFTER_SENDING
    draft.link_hash = draft.link_ends_at = None


def answers_digest(draft: EnquiryDraft) -> str:
    """Tells whether the answers changed since they were sent."""
    answers = json.dumps(answers_of(draft), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256((draft.token_hash + answers).encode()).hexdigest()


def forget_old_drafts(*, now: datetime) -> int:
    """Drop the drafts whose time is over; how many. For the timetable."""
    result = db.session.execute(delete(EnquiryDraft).where(EnquiryDraft.expires_at <= now))
    return rows_changed(result)


# --- Coming back by a link --------------------------------------------------------------------------------------------


def make_link(draft: EnquiryDraft, *, now: datetime) -> str:
    """The token of a link to this draft. An earlier link stops working. Raises LinkNoLongerGood once it was sent."""
    if draft.sent_count:
        raise LinkNoLongerGood("Your answers have been sent, so there is nothing to come back to.", status=409)
    token = secrets.token_urlsafe(32)
    draft.link_hash = _digest(token)
    draft.link_ends_at = now + LINK_LIFE
    draft.expires_at = max(draft.expires_at, now + LINK_LIFE)
    return token


def draft_behind(token: str, *, now: datetime, lock: bool = False) -> EnquiryDraft:
    """The draft that a link leads to. Raises LinkNoLongerGood."""
    query = select(EnquiryDraft).where(
        EnquiryDraft.link_hash == _digest(token), EnquiryDraft.link_ends_at > now, EnquiryDraft.expires_at > now
    )
    draft = db.session.scalars(query.with_for_update() if lock else query).first()
    if draft is None:
        raise LinkNoLongerGood(
            "This link no longer works. It may have ended, a newer one may have taken its place, or the answers were "
            "sent.",
            alternatives=("Start again: it takes about 5 minutes.", "Or ring us, and we take your answers by phone."),
        )
    return draft


def take_up(draft: EnquiryDraft, *, own_token: str | None) -> str | None:
    """Open a draft in the browser that came by its link. Returns the token for that browser; None where it is the
    browser in which the draft was begun, which has its own and sees everything."""
    if own_token and _digest(own_token) == draft.token_hash:
        return None
    token = secrets.token_urlsafe(24)
    draft.link_browser_hash = _digest(token)
    return token


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()

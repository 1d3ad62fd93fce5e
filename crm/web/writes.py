"""Where work is committed: once, around the view, and only when the answer is not a refusal.

A GET reads. Inside a request, anything that would change a row outside a write transaction is refused at once, so a
forgotten ``@writes`` fails the first time the view is tried instead of losing somebody's work without a word.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, overload

import sqlalchemy as sa
from flask import Response, has_request_context, make_response, request
from sqlalchemy import event

from crm.db import db, is_writing, transaction
from crm.web import once

View = TypeVar("View", bound=Callable[..., Any])

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class WriteOutsideTransaction(RuntimeError):
    """A view changed a row without ``@writes`` (or in a GET): nothing of it would have been kept."""


class _NotKept(Exception):
    """Carries an answer of 400 or more out of the transaction, so that it is rolled back."""

    def __init__(self, response: Response) -> None:
        self.response = response


@overload
def writes(view: View) -> View: ...
@overload
def writes(*, versions: bool = False, own_ids: bool = False) -> Callable[[View], View]: ...


def writes(view: View | None = None, *, versions: bool = False, own_ids: bool = False) -> Any:
    """Commit once after the view when its answer is below 400; roll back otherwise. GETs pass through as readers.

    A form with a ``one_time_id`` is kept to one effect here too: the same form again gets the first answer. A changed
    form under the same id is refused with 409, unless the view says ``versions=True`` and asks ``once.earlier()``.
    ``own_ids=True`` is for a view that takes no form and keeps ids of its own (a program's ``Idempotency-Key``); it
    raises SentAtTheSameMoment where another request with its id is at work.
    """

    def decorate(inner: View) -> View:
        @functools.wraps(inner)
        def inside(*args: Any, **kwargs: Any) -> Response:
            if request.method in SAFE_METHODS:
                return make_response(inner(*args, **kwargs))
            try:
                return _commit(inner, args, kwargs, versions, own_ids)
            except once.SentAtTheSameMoment:
                # The twin has committed by now: this time its answer is found.
                return _commit(inner, args, kwargs, versions, own_ids)

        inside.writes = True  # type: ignore[attr-defined]
        return inside  # type: ignore[return-value]

    return decorate(view) if view is not None else decorate


def _commit(inner: Callable[..., Any], args: Any, kwargs: Any, versions: bool, own_ids: bool) -> Response:
    try:
        with transaction():
            earlier = None if own_ids else once.begin(versions=versions)
            if earlier is not None:
                return earlier
            response = make_response(inner(*args, **kwargs))
            if response.status_code >= 400:
                raise _NotKept(response)
            once.finish(response)
            return response
    except _NotKept as refused:
        return refused.response


def writes_by_itself(why: str) -> Callable[[View], View]:
    """Marks a view that opens its own transactions, because slow work (a password hash) must stay outside them."""

    def decorate(view: View) -> View:
        view.writes_by_itself = why  # type: ignore[attr-defined]
        return view

    return decorate


def _refuse_flush(session: Any, _context: Any, _instances: Any) -> None:
    if has_request_context() and not is_writing() and (session.new or session.dirty or session.deleted):
        changed = [row for row in session.dirty if session.is_modified(row)]
        if session.new or session.deleted or changed:
            raise WriteOutsideTransaction(f"{request.method} {request.endpoint} changed rows outside @writes")


def _refuse_statement(state: Any) -> None:
    if has_request_context() and not is_writing() and (state.is_insert or state.is_update or state.is_delete):
        raise WriteOutsideTransaction(f"{request.method} {request.endpoint} ran a write outside @writes")


def watch_for_forgotten_writes() -> None:
    """Listen on the session; harmless to call again."""
    for name, listener in (("before_flush", _refuse_flush), ("do_orm_execute", _refuse_statement)):
        if not event.contains(db.session, name, listener):
            event.listen(db.session, name, listener)


def is_conflict_of_unique(fault: sa.exc.IntegrityError, *names: str) -> bool:
    """Whether a constraint with one of these words in its message was broken (SQLite names columns)."""
    text = str(fault.orig)
    return any(name in text for name in names)

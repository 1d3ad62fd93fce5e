"""The record that somebody looked. Written after the view, in a short transaction of its own, before the page leaves:
a page of sensitive things that could not be recorded is not shown."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, g, make_response

from crm.audit import recording
from crm.clock import now_utc
from crm.db import transaction
from crm.web.pages import current_actor

View = TypeVar("View", bound=Callable[..., Any])


class NothingSaid(RuntimeError):
    """A view that records what was seen showed a page without saying whose."""


def saw(*, case_id: int | None, subject: str | None = None, kinds: tuple[str, ...] = ()) -> None:
    """In a view under ``@records_view``: whose things are on this page. ``kinds`` adds to the page's own kind
    (``offence``, ``health``, ``reference``) when the page shows them to this person."""
    g.setdefault("sightings", []).append((case_id, subject, kinds))


def keep_record(kind: str, seen: list[tuple[int | None, str | None, tuple[str, ...]]]) -> None:
    """Write, durably, what was on a page of this kind and who looked."""
    actor, now = current_actor(), now_utc()
    with transaction():
        for case_id, subject, kinds in seen:
            for what in dict.fromkeys((kind, *kinds)):
                recording.record_look(what, actor=actor, at=now, case_id=case_id, subject=subject)


def records_view(kind: str) -> Callable[[View], View]:
    """Record each page this view shows, as ``view.<kind>`` in the audit trail, with what the view said by ``saw``.

    Stands above ``@writes`` where a view has both.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def inside(*args: Any, **kwargs: Any) -> Response:
            response = make_response(view(*args, **kwargs))
            if response.status_code != 200:
                return response
            seen = g.pop("sightings", None)
            if seen is None:
                raise NothingSaid(f"{view.__name__} showed a page without calling saw()")
            keep_record(kind, seen)
            return response

        inside.records_view = kind  # type: ignore[attr-defined]
        return inside  # type: ignore[return-value]

    return decorate

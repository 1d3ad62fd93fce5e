"""Views that take files say how much, so that every other form can stay small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

View = TypeVar("View", bound=Callable[..., Any])
ONE_MEGABYTE = 1024 * 1024


def accepts_upload(*, megabytes: int) -> Callable[[View], View]:
    """The largest request body this view takes. Anywhere among the view's decorators."""

    def decorate(view: View) -> View:
        view.largest_upload = megabytes * ONE_MEGABYTE  # type: ignore[attr-defined]
        return view

    return decorate


def set_limit() -> None:
    """Before the form is first read."""
    view = current_app.view_functions.get(request.endpoint or "")
    largest: int | None = getattr(view, "largest_upload", None)
    if largest is not None:
        request.max_content_length = largest


def init_app(app: Flask) -> None:
    app.before_request(set_limit)

"""Forged requests are refused before any view runs.

Every unsafe request must come from a page of ours: the browser's own word for it (Origin, Sec-Fetch-Site) must not name
another site, and the form must bring a token bound to the person's session. On public pages there is no session: the
token is bound to a random cookie, so that looking at a public page writes nothing to the database.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request

from crm.rules.refusal import Refusal
from crm.web.keyed import digest

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
View = TypeVar("View", bound=Callable[..., Any])


class ForgedRequest(Refusal):
    """The request came from another site."""

    default_status = 403


class StalePage(Refusal):
    """The page's token does not fit the session any more; what was typed is offered again."""

    default_status = 403


def cookie_name() -> str:
    """Name of the anonymous cookie to which the forms of public pages are bound."""
    return "__Host-form" if current_app.extensions["crm_settings"].cookie_secure else "form"


def bind_to(owner: str) -> None:
    """Called by the guards: forms on this page belong to this session."""
    g.form_binding = owner


def binding() -> str:
    """What this request's forms are bound to: the session, or else the anonymous cookie (made now when missing)."""
    bound: str | None = g.get("form_binding")
    if bound is not None:
        return bound
    value: str | None = g.get("form_cookie")
    if value is None:
        value = request.cookies.get(cookie_name(), "")
        if not 20 <= len(value) <= 64:
            value = g.form_cookie_to_set = secrets.token_urlsafe(24)
        g.form_cookie = value
    return "anonymous|" + value


def token() -> str:
    """The token for a form on this page. Masked afresh each time, so that a compressed page never repeats it."""
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{digest('form token', nonce + '|' + binding())}"


def is_ours(candidate: str) -> bool:
    """Whether a token was made for this session."""
    nonce, _, mac = candidate.partition(".")
    return hmac.compare_digest(mac.encode(), digest("form token", nonce + "|" + binding()).encode())


def comes_from_elsewhere() -> bool:
    """Whether the browser says that another site made this request."""
    if request.headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site"):
        return True
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    settings = current_app.extensions["crm_settings"]
    parts = urlsplit(origin)
    if parts.netloc != request.host:
        return True
    return settings.cookie_secure and parts.scheme != "https"


def without_form_token(why: str) -> Callable[[View], View]:
    """Marks a view that browsers can't be tricked into calling, because it takes no cookie (a calendar program)."""

    def decorate(view: View) -> View:
        view.without_form_token = why  # type: ignore[attr-defined]
        return view

    return decorate


def check() -> None:
    """Refuse a forged or stale unsafe request."""
    if request.method in ("GET", "HEAD", "OPTIONS") or request.endpoint is None:
        return
    view = current_app.view_functions[request.endpoint]
    if getattr(view, "without_form_token", None):
        return
    if comes_from_elsewhere():
        raise ForgedRequest("This was sent by another website, so nothing was done.")
    if not is_ours(request.form.get(FIELD, "") or request.headers.get(HEADER, "")):
        raise StalePage("This page had been open for a while, so nothing has been saved yet.")


def set_cookie(response: Response) -> Response:
    """Give the browser the cookie its form is bound to. It ends with the browser's session and says nothing."""
    value: str | None = g.get("form_cookie_to_set")
    if value is not None:
        secure = current_app.extensions["crm_settings"].cookie_secure
        response.set_cookie(cookie_name(), value, secure=secure, httponly=True, samesite="Lax", path="/")
    return response


def init_app(app: Flask) -> None:
    """Check each unsafe request. Registered after the guards, which say whose forms these are."""
    app.before_request(check)
    app.after_request(set_cookie)
    app.jinja_env.globals["csrf_token"] = token

"""Who may open what. Every endpoint declares it; one that declares nothing is refused.

``@requires(Permission.BOOK_VISIT)`` is for staff who hold every permission named, ``any_of`` for those who hold one.
Which households it covers is checked in the view and again in the operation. ``@public_page`` is open to anyone, and
``@requires_applicant`` to applicants, who have a cookie of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import Flask, Request, Response, current_app, g, request
from flask_login import LoginManager

from crm.access import sessions
from crm.access.models import SessionKind
from crm.clock import now_utc
from crm.db import transaction
from crm.rules.permissions import PUBLIC, Actor, NotPermitted, Permission, who_may
from crm.web import forgery
from crm.web.errors import SignInNeeded, refuse_unreadable
from crm.web.pages import current_actor

__all__ = ["current_actor", "public_page", "requires", "requires_applicant", "requires_own_key", "requires_staff"]

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Declared:
    """What an endpoint says of itself."""

    audience: str
    """public, staff, applicant, or own_key: the view checks a key of its own (a secret feed, a calendar program)."""
    all_of: tuple[Permission, ...] = ()
    any_of: tuple[Permission, ...] = ()
    why: str = ""


def _declare(declared: Declared) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        if getattr(view, "access", None) is not None:
            raise TypeError(f"{view.__name__} declares twice who may open it")
        view.access = declared  # type: ignore[attr-defined]
        return view

    return decorate


def requires(*all_of: Permission, any_of: tuple[Permission, ...] = ()) -> Callable[[View], View]:
    """Open to staff with all of these permissions, and with one of ``any_of`` when given."""
    if not all_of and not any_of:
        raise TypeError("name a permission, or say requires_staff")
    return _declare(Declared("staff", tuple(all_of), tuple(any_of)))


def requires_staff(view: View) -> View:
    """Open to everyone who works here: their own day, their own account."""
    return _declare(Declared("staff"))(view)


def requires_applicant(view: View) -> View:
    """Open to applicants, for what is theirs."""
    return _declare(Declared("applicant"))(view)


def public_page(view: View) -> View:
    """Open to anyone."""
    return _declare(Declared("public"))(view)


def requires_own_key(why: str) -> Callable[[View], View]:
    """The view checks a secret of its own, which no cookie can stand for."""
    return _declare(Declared("own_key", why=why))


def declared_for(app: Flask, endpoint: str) -> Declared | None:
    """What an endpoint declares. The files we serve to everyone are the one thing that need not."""
    if endpoint == "static":
        return Declared("public")
    declared: Declared | None = getattr(app.view_functions[endpoint], "access", None)
    return declared


def check() -> None:
    """Before every view: find out who asks, and refuse what is not theirs."""
    g.actor = PUBLIC
    g.signed_in = None
    refuse_unreadable()
    if request.endpoint is None:
        _greet_staff()
        return
    declared = declared_for(current_app, request.endpoint)
    if declared is None:
        raise NotPermitted("Nobody has said who may open this page, so nobody may.")
    if declared.audience in ("public", "own_key"):
        return
    kind = SessionKind(declared.audience)
    signed_in = sessions.find(request.cookies.get(cookie_name(kind)), kind, now=now_utc())
    if signed_in is None:
        raise SignInNeeded(kind)
    _admit(signed_in)
    _require_permissions(signed_in.actor, declared)


def _admit(signed_in: sessions.SignedIn) -> None:
    g.signed_in = signed_in
    g.actor = signed_in.actor
    forgery.bind_to(signed_in.binding)


def _greet_staff() -> None:
    """An address that leads nowhere: somebody who is signed in sees that said in their own frame."""
    signed_in = sessions.find(request.cookies.get(cookie_name(SessionKind.STAFF)), SessionKind.STAFF, now=now_utc())
    if signed_in is not None:
        _admit(signed_in)


def _require_permissions(actor: Actor, declared: Declared) -> None:
    missing = next((permission for permission in declared.all_of if not actor.has(permission)), None)
    if missing is None and declared.any_of and not any(actor.has(permission) for permission in declared.any_of):
        missing = declared.any_of[0]
    if missing is not None:
        holders = who_may(missing)
        raise NotPermitted(f"This is for {holders} to do." if holders else "Nobody may do this.")


# --- Cookies ----------------------------------------------------------------------------------------------------------


def cookie_name(kind: SessionKind) -> str:
    """``__Host-`` ties a cookie to this host and to TLS; the loopback demo runs over plain http and can't have it."""
    return f"__Host-{kind}" if current_app.extensions["crm_settings"].cookie_secure else str(kind)


def give_cookie(response: Response, kind: SessionKind, token: str) -> None:
    """Sign the browser in. It forgets when it closes, at the latest when the session ends."""
    response.set_cookie(
        cookie_name(kind),
        token,
        max_age=int(sessions.AT_MOST.total_seconds()),
        secure=current_app.extensions["crm_settings"].cookie_secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def take_cookie(response: Response, kind: SessionKind) -> None:
    """Have the browser drop the cookie, and everything it kept of our pages."""
    response.delete_cookie(
        cookie_name(kind),
        secure=current_app.extensions["crm_settings"].cookie_secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def keep_alive(response: Response) -> Response:
    """After a request: note that the session is in use, at most once a minute, so that reading a page rarely writes."""
    signed_in: sessions.SignedIn | None = g.get("signed_in")
    if signed_in is None or g.get("session_ended"):
        return response
    now = now_utc()
    if now - signed_in.last_seen_at >= sessions.TOUCH_EVERY:
        with contextlib.suppress(sa.exc.OperationalError), transaction():
            sessions.touch(signed_in.session_id, now=now)
    return response


def _load_for_flask_login(_request: Request) -> sessions.SignedIn | None:
    signed_in: sessions.SignedIn | None = g.get("signed_in")
    return signed_in if signed_in is not None and signed_in.kind is SessionKind.STAFF else None


def init_app(app: Flask) -> None:
    """Check every request, and let flask-login's ``current_user`` be the person of the session we found.

    Flask's own session is not used at all: its cookie would stay good after signing out.
    """
    manager = LoginManager()
    manager.init_app(app, add_context_processor=False)  # templates have `signed_in`
    manager.session_protection = None
    manager.request_loader(_load_for_flask_login)
    app.config["REMEMBER_COOKIE_NAME"] = "not-used"
    app.before_request(check)
    app.after_request(keep_alive)

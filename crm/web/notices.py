"""What just happened, said on the next page.

The words travel in a sealed cookie for the one redirect, bound to the person's session: they may hold names, and a GET
that shows them must not write to the database to forget them.
"""

from __future__ import annotations

import json

from flask import Flask, Response, current_app, g, request

from crm.clock import now_utc
from crm.web import forgery
from crm.web.keyed import seal, unseal

LIFE_SECONDS = 120
MOST = 3
LONGEST = 600  # a cookie holds 4 kB; a sealed one a little less
KINDS = ("success", "information", "warning", "error")


def tell(message: str, kind: str = "success", *, undo: str = "", offer: tuple[str, str] | None = None) -> None:
    """Say this at the top of the next page. One or two sentences: what happened, and what comes next.

    ``undo``: the address that takes it back, for what one tap did; the next page then has a button for it. ``offer``:
    the words of a button for what may come next, and its address.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of notice")
    g.setdefault("notices_to_tell", []).append([kind, message[:LONGEST], undo, offer])


def cookie_name() -> str:
    return "__Host-notice" if current_app.extensions["crm_settings"].cookie_secure else "notice"


def notices() -> list[tuple[str, str, str, tuple[str, str] | None]]:
    """The notices to show on this page, as (kind, words, the address that undoes it or nothing, what is offered). Shown
    once."""
    told = [tuple(one) for one in g.pop("notices_to_tell", [])]
    raw = request.cookies.get(cookie_name())
    if raw and not g.get("notices_shown"):
        g.notices_shown = True
        content = unseal("notice", forgery.binding(), raw)
        if content is not None:
            made_at, kept = json.loads(content)
            if now_utc().timestamp() - made_at <= LIFE_SECONDS:
                told = [tuple(one) for one in kept] + told
    return told


def carry(response: Response) -> Response:
    """Put untold notices into the cookie, or drop the cookie once they have been shown."""
    secure = current_app.extensions["crm_settings"].cookie_secure
    untold = g.get("notices_to_tell")
    if untold and response.status_code < 400:
        reader = g.get("notice_reader") or forgery.binding()
        value = seal("notice", reader, json.dumps([now_utc().timestamp(), untold[-MOST:]]).encode())
        response.set_cookie(
            cookie_name(), value, max_age=LIFE_SECONDS, secure=secure, httponly=True, samesite="Lax", path="/"
        )
    elif g.get("notices_shown"):
        response.delete_cookie(cookie_name(), secure=secure, httponly=True, samesite="Lax", path="/")
    return response


def init_app(app: Flask) -> None:
    app.after_request(carry)
    app.jinja_env.globals["notices"] = notices

"""Every anticipated no becomes a page that says how things stand and what can be done instead; and what must survive a
no (a refused access) is written in a short transaction of its own, after the first was rolled back."""

from __future__ import annotations

import contextlib

import sqlalchemy as sa
from flask import Flask, Response, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException, InternalServerError

from crm.audit import recording
from crm.clock import now_utc
from crm.db import db, is_lock_timeout, transaction
from crm.rules.permissions import PUBLIC
from crm.rules.refusal import Refusal
from crm.web import forgery, once, problems
from crm.web.limits import TooOften
from crm.web.logs import get as log
from crm.web.pages import current_actor, keep_service_without_database, service

TITLES = {
    400: "We could not read that",
    401: "Sign in to carry on",
    403: "This is not open to you",
    404: "This page is not here",
    405: "This page can’t do that",
    409: "That can’t be done as things stand",
    413: "That is too big to send",
    415: "That is not something we can read",
    422: "There is something to put right",
    429: "Too many tries in a short time",
    500: "Something went wrong here",
    503: "We are busy just now",
}
MESSAGES = {
    400: "Go back and try again. If it goes on, ring us.",
    404: "If you typed the address, check it. If you followed a link, the page may have moved.",
    405: "Go back to the page before and use its buttons.",
    413: "The files or the text are larger than we can take. Send less at a time, or a smaller file.",
    429: "Wait a few minutes, then try again.",
    500: "It is our fault, not yours, and it has been noted. Nothing half-done was kept. Try again in a few minutes.",
    503: "Somebody else’s work was in the way, so nothing of yours has been saved yet. Try again in a few seconds.",
}
BUSY_RETRY_SECONDS = 5
# Never put back into a page.
SECRET_WORDS = ("password", "token", "code")
LONG_ENOUGH_TO_MISS = 20


class SignInNeeded(Exception):
    """The page is for people who have signed in; ``kind`` is ``staff`` or ``applicant``."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def typed_fields() -> list[tuple[str, str]]:
    """What came with a refused form, to be sent again: every answer but secrets and tokens."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return []
    try:
        form = request.form
    except HTTPException:
        return []
    return [
        (name, value)
        for name in form
        if name != forgery.FIELD and not any(word in name.casefold() for word in SECRET_WORDS)
        for value in form.getlist(name)
    ]


def typed_texts() -> list[str]:
    """The longer texts among them, to be copied."""
    return [
        value
        for name, value in typed_fields()
        if name not in (once.FIELD, "seen") and len(value) >= LONG_ENOUGH_TO_MISS
    ]


def page(
    status: int,
    message: str | None = None,
    *,
    title: str | None = None,
    alternatives: tuple[str, ...] = (),
    send_again: bool = False,
    faults: tuple[tuple[str, str], ...] = (),
) -> Response:
    """A page of refusal in the frame of whoever is asking; a program gets a problem it can read."""
    db.session.rollback()
    if problems.is_wanted():
        return problems.problem(status, title or TITLES.get(status, ""), message or MESSAGES.get(status, ""), faults)
    _make_sure_of_service()
    body = render_template(
        "errors/refusal.html",
        status=status,
        title=title or TITLES.get(status, "That did not work"),
        message=message or MESSAGES.get(status, "Go back and try again."),
        alternatives=alternatives,
        send_again=typed_fields() if send_again else [],
        has_files=bool(send_again and request.files),
        texts=[] if send_again else typed_texts(),
        layout="layouts/staff.html" if current_actor().is_staff else "layouts/public.html",
    )
    return make_response(body, status)


def _make_sure_of_service() -> None:
    """A page about trouble must not need the thing that is in trouble."""
    try:
        service()
    except Exception:  # whatever it is, it is already being reported
        db.session.rollback()
        keep_service_without_database()


def _refused(refusal: Refusal) -> Response:
    db.session.rollback()
    if refusal.status in (403, 404):
        remember_refused_access(refusal.status)
    if isinstance(refusal, forgery.StalePage):
        return page(403, f"{refusal.message} Look over it and send it again.", title="Send this again", send_again=True)
    faults = getattr(refusal, "faults", ())
    response = page(refusal.status, refusal.message, alternatives=refusal.alternatives, faults=faults)
    if isinstance(refusal, TooOften):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def remember_refused_access(status: int) -> None:
    """Keep in the audit trail that somebody who is signed in was refused a page."""
    actor = current_actor()
    if actor is PUBLIC or (actor.user_id is None and actor.person_id is None):
        return
    with contextlib.suppress(sa.exc.OperationalError), transaction():
        recording.record(
            "access.refused",
            actor=actor,
            at=now_utc(),
            detail={"page": (request.endpoint or "unknown")[:100], "method": request.method, "status": status},
        )


def _http(fault: HTTPException) -> Response:
    status = fault.code or 500
    if status < 400:
        return make_response(fault.get_response())
    response = page(status)
    for name, value in fault.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _database(fault: sa.exc.OperationalError) -> Response:
    db.session.rollback()
    text = str(fault.orig).casefold()
    if not (is_lock_timeout(fault) or "deadlock" in text or "could not serialize" in text):
        raise fault
    log().warning("database busy", endpoint=request.endpoint, method=request.method)
    response = page(503, send_again=request.method not in ("GET", "HEAD", "OPTIONS"))
    response.headers["Retry-After"] = str(BUSY_RETRY_SECONDS)
    return response


def _points_at_nothing(fault: sa.exc.IntegrityError) -> Response:
    """What the form was about was merged into another household in the very moment: the row it names is gone."""
    db.session.rollback()
    text = str(fault.orig).casefold()
    if "foreign key" not in text:
        raise fault
    log().warning("what a form was about is gone", endpoint=request.endpoint, method=request.method)
    return page(409, "Somebody else has just merged this household with another. Look for it again, then send this.")


def _fault(fault: InternalServerError) -> Response:
    original = fault.original_exception or fault
    db.session.rollback()
    log().error("fault", endpoint=request.endpoint, method=request.method, exc_info=original)
    try:
        return page(500)
    except Exception as second:
        log().error("fault while drawing the page of a fault", endpoint=request.endpoint, exc_info=second)
        return make_response(f"{TITLES[500]}. {MESSAGES[500]}", 500, {"Content-Type": "text/plain; charset=utf-8"})


def _sign_in_needed(needed: SignInNeeded) -> Response:
    doors = {"access.sign_out": "access.sign_in", "our_sign_in.sign_out": "our_sign_in.sign_in"}
    if request.endpoint in doors:
        return make_response(redirect(url_for(doors[request.endpoint]), code=303))
    if request.method in ("GET", "HEAD", "OPTIONS"):
        if needed.kind == "staff":
            going_to = request.full_path.rstrip("?")
            return make_response(redirect(url_for("access.sign_in", next=going_to), code=303))
        return make_response(redirect(url_for("our_sign_in.sign_in", next=request.path), code=303))
    return page(
        401,
        "You were signed out, so nothing has been saved yet. Sign in in another tab, come back to this page, "
        "and send it again. What you typed is kept here.",
        send_again=True,
    )


def refuse_unreadable() -> None:
    """A NUL can't be in any name, note or address, and no database takes one."""
    if "\x00" in request.path or b"%00" in request.query_string or b"\x00" in request.query_string:
        raise Refusal("The address of this page can’t be read. Check it, or go back.", status=404)


def init_app(app: Flask) -> None:
    app.log_exception = lambda exc_info: None  # type: ignore[method-assign]  # ours is written without any values
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(SignInNeeded, _sign_in_needed)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(sa.exc.OperationalError, _database)
    app.register_error_handler(sa.exc.IntegrityError, _points_at_nothing)
    app.register_error_handler(500, _fault)

"""Signing in as an applicant: a code to a contact point of one's own, or one handed over by staff. No password."""

from __future__ import annotations

import time

from flask import Blueprint, Response, current_app, g, request, url_for

from crm.access.guards import cookie_name, give_cookie, public_page, requires_applicant, take_cookie
from crm.access.models import SessionKind
from crm.access.sessions import describe_browser, end, find
from crm.audit import record
from crm.cases import keys
from crm.clock import now_utc
from crm.db import end_read, transaction
from crm.portal import signing_in
from crm.portal.part_forms import CodeForm, HandedCodeForm, WhereToForm
from crm.web import limits
from crm.web.pages import render, safe_path, see_other
from crm.web.writes import writes, writes_by_itself

bp = Blueprint("our_sign_in", __name__)

CODES_A_WINDOW = 5
TRIES_A_WINDOW = 10
FROM_AN_ADDRESS = 200
WINDOW_SECONDS = 900
# An answer that comes sooner for a contact point that nobody has would tell who applies here.
SLOWEST_ANSWER_SECONDS = 0.25
WRONG = "That is not the code we sent. Check it, or ask for another."
WRONG_HANDED = "That reference and code do not belong together, or the code has been used. Ring us for another."

Page = Response | str | tuple[str, int]


@bp.route("/my/sign-in", methods=["GET", "POST"])
@public_page
@writes_by_itself("answers after the same time, whoever is asked for")
def sign_in() -> Page:
    """Ask for a code."""
    form = WhereToForm()
    if not form.is_sent_and_right():
        return render("portal/sign_in.html", form=form), form.status
    begun = time.monotonic()
    limits.check_posts("portal code from", at_most=FROM_AN_ADDRESS, seconds=WINDOW_SECONDS)
    reach, now = form.reach.data or "", now_utc()
    mailbox = keys.email_key(reach) if "@" in reach else keys.phone_key(reach)  # however it was written
    wait = limits.count_try("portal code", mailbox or reach, at_most=CODES_A_WINDOW, seconds=WINDOW_SECONDS)
    with transaction():
        asked = signing_in.person_behind(reach, now=now) if wait is None else None
        token = signing_in.ask_for_code(asked, now=now)
    if not current_app.extensions["crm_settings"].argon2_cheap:
        time.sleep(max(0.0, SLOWEST_ANSWER_SECONDS - (time.monotonic() - begun)))
    going_to = request.args.get("next")
    return see_other(url_for("our_sign_in.type_code", token=token, **({"next": going_to} if going_to else {})))


@bp.route("/my/sign-in/code/<token>", methods=["GET", "POST"])
@public_page
@writes_by_itself("a try counts, right or wrong")
def type_code(token: str) -> Page:
    """Type the code."""
    form, now = CodeForm(), now_utc()
    waits = signing_in.is_waiting(token, now=now)
    end_read()
    if not waits or not form.is_sent_and_right():
        return render("portal/type_code.html", form=form, token=token, waits=waits), form.status if waits else 404
    with transaction():
        person_id = signing_in.right_person(token, form.code.data or "", now=now)
    if person_id is None:
        waits = signing_in.is_waiting(token, now=now)
        form.refused.append(WRONG)
        return render("portal/type_code.html", form=form, token=token, waits=waits), form.status
    return _let_in(person_id)


@bp.route("/my/sign-in/handed", methods=["GET", "POST"])
@public_page
@writes_by_itself("a try counts, right or wrong")
def handed() -> Page:
    """Sign in by a code that somebody of the service gave."""
    form, now = HandedCodeForm(), now_utc()
    if not form.is_sent_and_right():
        return render("portal/handed_code.html", form=form), form.status
    limits.check_posts("portal code from", at_most=FROM_AN_ADDRESS, seconds=WINDOW_SECONDS)
    reference = (form.reference.data or "").casefold()
    wait = limits.count_try("handed code", reference, at_most=TRIES_A_WINDOW, seconds=WINDOW_SECONDS)
    if wait is not None:
        raise limits.TooOften(
            "There have been too many tries at this reference. Wait a quarter of an hour, or ring us.", retry_after=wait
        )
    with transaction():
        person_id = signing_in.right_handed(form.reference.data or "", form.code.data or "", now=now)
    if person_id is None:
        form.refused.append(WRONG_HANDED)
        return render("portal/handed_code.html", form=form), form.status
    return _let_in(person_id)


def _let_in(person_id: int) -> Response:
    now = now_utc()
    before = find(request.cookies.get(cookie_name(SessionKind.APPLICANT)), SessionKind.APPLICANT, now=now)
    end_read()
    with transaction():
        if before is not None:
            end(before.session_id, now=now)
        token = signing_in.open_session(person_id, browser=describe_browser(request.user_agent.string), now=now)
    going_to = safe_path(request.args.get("next"), "/my")
    response = see_other(going_to if going_to == "/my" or going_to.startswith("/my/") else "/my")
    give_cookie(response, SessionKind.APPLICANT, token)
    return response


@bp.post("/my/sign-out")
@requires_applicant
@writes
def sign_out() -> Response:
    """Sign out of this browser."""
    end(g.signed_in.session_id, now=now_utc())
    record("access.signed_out", actor=g.signed_in.actor, at=now_utc(), subject=f"person:{g.signed_in.actor.person_id}")
    g.session_ended = True
    response = see_other(url_for("our_sign_in.sign_in"))
    take_cookie(response, SessionKind.APPLICANT)
    return response

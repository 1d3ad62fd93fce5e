"""Signing in and out, the two secret links, and one's own account."""

from __future__ import annotations

import time

from flask import Blueprint, Response, current_app, g, make_response, request, url_for

from crm.access import letters, links, passwords, people, queries, sessions, sign_in
from crm.access.account_forms import (
    ChangePasswordForm,
    ForgottenPasswordForm,
    NewPasswordForm,
    SignInForm,
)
from crm.access.guards import cookie_name, give_cookie, public_page, requires_staff, take_cookie
from crm.access.models import SessionKind
from crm.audit import recording
from crm.clock import now_utc
from crm.db import end_read, transaction
from crm.rules.permissions import PUBLIC
from crm.rules.refusal import Refusal
from crm.settings import Settings
from crm.web import limits
from crm.web.notices import tell
from crm.web.pages import render, safe_path, see_other
from crm.web.writes import writes, writes_by_itself

bp = Blueprint("access", __name__)

WRONG = "That email and password do not belong together. Check both, or set a new password."
RESETS_A_WINDOW = 3
RESET_WINDOW_SECONDS = 900
RESETS_FROM_AN_ADDRESS = 30
# An answer that comes sooner for an address nobody has would tell who has an account.
SLOWEST_ANSWER_SECONDS = 0.25


def _settings() -> Settings:
    settings: Settings = current_app.extensions["crm_settings"]
    return settings


def _too_often(wait: int) -> limits.TooOften:
    minutes = max(1, -(-wait // 60))
    return limits.TooOften(
        f"There have been too many tries to sign in. Wait {minutes} minute{'' if minutes == 1 else 's'}, then try "
        "again, or set a new password.",
        retry_after=wait,
    )


@bp.route("/sign-in", methods=["GET", "POST"], endpoint="sign_in")
@public_page
@writes_by_itself("a password is compared outside any transaction")
def sign_in_page() -> Response | tuple[str, int] | str:
    form = SignInForm()
    if not form.is_sent:
        form.next.data = request.args.get("next", "")
    if not form.is_sent_and_right():
        return render("access/sign_in.html", form=form), form.status
    cheap = _settings().argon2_cheap
    email, password = sign_in.fold_email(form.email.data or ""), form.password.data or ""
    account = sign_in.account_of(email)
    end_read()
    wait = limits.count_try("sign in", email, at_most=sign_in.GUESSES_A_WINDOW, seconds=sign_in.WINDOW_SECONDS)
    wait = wait or limits.count_try(
        "sign in from", limits.sender_address(), at_most=sign_in.GUESSES_FROM_AN_ADDRESS, seconds=sign_in.WINDOW_SECONDS
    )
    if wait is not None:
        with transaction():
            sign_in.record_slowed(account=account, now=now_utc())
        raise _too_often(wait)
    right = passwords.is_right(account.password_hash if account else None, password, cheap=cheap)
    if account is None or not account.active or not right:
        with transaction():
            sign_in.record_failed(account=account, now=now_utc())
        form.refused.append(WRONG)
        return render("access/sign_in.html", form=form), form.status
    rehashed = None
    if account.password_hash and passwords.should_be_rehashed(account.password_hash, cheap=cheap):
        rehashed = passwords.hash_password(password, cheap=cheap)
    now = now_utc()
    before = sessions.find(request.cookies.get(cookie_name(SessionKind.STAFF)), SessionKind.STAFF, now=now)
    with transaction():
        if before is not None:
            sessions.end(before.session_id, now=now)
        token = sign_in.open_staff_session(
            user_id=account.user_id,
            browser=sessions.describe_browser(request.user_agent.string),
            rehashed=rehashed,
            now=now,
        )
        limits.clear("sign in", email)
    response = see_other(safe_path(form.next.data, "/my-day"))
    give_cookie(response, SessionKind.STAFF, token)
    return response


@bp.post("/sign-out")
@requires_staff
@writes
def sign_out() -> Response:
    sign_in.sign_out(signed_in=g.signed_in, now=now_utc())
    g.session_ended = True
    response = see_other(url_for("access.sign_in"))
    take_cookie(response, SessionKind.STAFF)
    return response


@bp.route("/forgotten-password", methods=["GET", "POST"])
@public_page
@writes_by_itself("answers after the same time, whether or not there is an account")
def forgotten_password() -> Response | tuple[str, int] | str:
    form = ForgottenPasswordForm()
    if not form.is_sent_and_right():
        return render("access/forgotten_password.html", form=form), form.status
    begun = time.monotonic()
    limits.check_posts("reset from", at_most=RESETS_FROM_AN_ADDRESS, seconds=RESET_WINDOW_SECONDS)
    email = sign_in.fold_email(form.email.data or "")
    if limits.count_try("reset", email, at_most=RESETS_A_WINDOW, seconds=RESET_WINDOW_SECONDS) is None:
        _send_reset(email)
    if not _settings().argon2_cheap:
        time.sleep(max(0.0, SLOWEST_ANSWER_SECONDS - (time.monotonic() - begun)))
    return render("access/reset_sent.html")


def _send_reset(email: str) -> None:
    now = now_utc()
    with transaction():
        user = queries.user_by_email(email)
        recording.record(
            "access.reset_asked", actor=PUBLIC, at=now, subject=f"user:{user.id}" if user is not None else None
        )
        if user is None or not user.active:
            return
        reset, token = links.new_reset(user=user, now=now)
        link = _settings().base_url + url_for("access.reset_password", token=token)
        letters.send_reset(reset=reset, user=user, link=link, now=now)


@bp.route("/reset-password/<token>", methods=["GET", "POST"])
@public_page
@writes_by_itself("a password is hashed outside any transaction")
def reset_password(token: str) -> Response | tuple[str, int] | str:
    form = NewPasswordForm()
    _, user = links.resetting(token, now=now_utc())
    email, name = user.email, user.name
    hashed = _hash_of_new_password(form, email=email, name=name)
    if hashed is None:
        return render("access/reset_password.html", form=form, email=email), form.status
    with transaction():
        links.reset_password(token=token, password_hash=hashed, now=now_utc())
        limits.clear("sign in", email)
    tell("Your password has been changed. Sign in with it.")
    return see_other(url_for("access.sign_in"))


@bp.route("/invitation/<token>", methods=["GET", "POST"])
@public_page
@writes_by_itself("a password is hashed outside any transaction")
def accept_invitation(token: str) -> Response | tuple[str, int] | str:
    form = NewPasswordForm()
    _, user = links.invited(token, now=now_utc())
    email, name = user.email, user.name
    hashed = _hash_of_new_password(form, email=email, name=name)
    if hashed is None:
        return render("access/accept_invitation.html", form=form, email=email, name=name), form.status
    with transaction():
        links.accept_invitation(token=token, password_hash=hashed, now=now_utc())
    tell("Your account is ready. Sign in with your email and the password you have chosen.")
    return see_other(url_for("access.sign_in"))


def _hash_of_new_password(form: NewPasswordForm | ChangePasswordForm, *, email: str, name: str) -> str | None:
    """The hash of a good new password, or None when the form is to be shown (again). Ends the read before hashing."""
    if not form.is_sent_and_right():
        return None
    password = form.password.data or ""
    try:
        passwords.check_new(password, email=email, name=name)
    except Refusal as refusal:
        form.take_refusal(refusal)
        return None
    end_read()
    return passwords.hash_password(password, cheap=_settings().argon2_cheap)


@bp.get("/account")
@requires_staff
def account() -> str:
    return _account_page(ChangePasswordForm())


def _account_page(form: ChangePasswordForm) -> str:
    user_id = g.signed_in.actor.user_id
    return render(
        "access/account.html",
        form=form,
        user=queries.user_with(user_id),
        sessions=sessions.open_sessions(user_id=user_id, now=now_utc()),
    )


@bp.get("/account/still-here")
@requires_staff
def still_here() -> Response:
    """Somebody who was warned that their session would end says that they are still there."""
    return make_response("", 204)


@bp.post("/account/password")
@requires_staff
@writes_by_itself("a password is compared and hashed outside any transaction")
def change_password() -> Response | tuple[str, int]:
    form = ChangePasswordForm()
    signed_in = g.signed_in
    user_id, email = signed_in.actor.user_id, signed_in.email
    cheap = _settings().argon2_cheap
    if not form.is_sent_and_right():
        return _account_page(form), form.status
    account = sign_in.account_of(email)
    end_read()
    wait = limits.count_try("sign in", email, at_most=sign_in.GUESSES_A_WINDOW, seconds=sign_in.WINDOW_SECONDS)
    if wait is not None:
        raise _too_often(wait)
    if account is None or not passwords.is_right(account.password_hash, form.current_password.data or "", cheap=cheap):
        with transaction():
            sign_in.record_failed(account=account, now=now_utc())
        form.take_refusal(Refusal("That is not your password now.", field="current_password"))
        return _account_page(form), form.status
    hashed = _hash_of_new_password(form, email=email, name=signed_in.name)
    if hashed is None:
        return _account_page(form), form.status
    now = now_utc()
    with transaction():
        links.change_password(user=queries.user_with(user_id), password_hash=hashed, now=now)
        token = sessions.begin(
            kind=SessionKind.STAFF,
            user_id=user_id,
            now=now,
            browser=sessions.describe_browser(request.user_agent.string),
        )
        limits.clear("sign in", email)
    g.session_ended = True
    _tell_next_session(token, "Your password has been changed. Every other browser has been signed out.")
    response = see_other(url_for("access.account"))
    give_cookie(response, SessionKind.STAFF, token)
    return response


def _tell_next_session(token: str, words: str) -> None:
    """A notice is bound to the session that reads it, which here is the one just opened."""
    signed_in = sessions.find(token, SessionKind.STAFF, now=now_utc())
    if signed_in is not None:
        g.notice_reader = signed_in.binding
    tell(words)


@bp.post("/account/digest")
@requires_staff
@writes
def choose_digest() -> Response:
    """Say whether the morning letter about one's day is wanted."""
    wanted = request.form.get("wanted") == "yes"
    people.choose_digest(queries.user_with(g.signed_in.actor.user_id), wanted=wanted, now=now_utc())
    tell("You get a letter about your day each morning." if wanted else "No more letters about your day.")
    return see_other(url_for("access.account"))


@bp.post("/account/sessions/<int:session_id>/end")
@requires_staff
@writes
def end_session(session_id: int) -> Response:
    signed_in = g.signed_in
    sign_in.end_session(user_id=signed_in.actor.user_id, session_id=session_id, signed_in=signed_in, now=now_utc())
    if session_id == signed_in.session_id:
        g.session_ended = True
        response = make_response(see_other(url_for("access.sign_in")))
        take_cookie(response, SessionKind.STAFF)
        return response
    tell("That browser has been signed out.")
    return see_other(url_for("access.account"))

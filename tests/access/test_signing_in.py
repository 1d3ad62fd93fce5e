"""Signing in: one answer for everyone who may not, and slowed guessing (G24, G25, G27)."""

import re

import pytest
import sqlalchemy as sa

from crm.access import passwords, sign_in
from crm.access.models import User, WebSession
from crm.audit import AuditEntry
from crm.db import db, transaction
from tests.factories import PASSWORD, Cast, Member, make_user

CHANGES_EACH_TIME = re.compile(r'name="(csrf_token|one_time_id)" value="[^"]*"')


def attempt(client, email, password=PASSWORD, **kwargs):
    return client.submit(client.get("/sign-in", **kwargs).page, button="Sign in", email=email, password=password)


def test_the_right_password_opens_the_door(client, cast):
    answer = attempt(client, cast.officer.email)

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/my-day"
    assert client.get("/account").page.h1 == "Your account"


def test_the_address_may_be_written_in_any_case(client, cast):
    assert attempt(client, "  OFFICER@Example.ORG ").status_code == 303


def test_one_goes_on_to_the_page_that_was_asked_for_and_to_no_other_site(client, cast):
    led = client.get("/account?tab=2")
    page = client.get(led.headers["Location"]).page
    there = client.submit(page, button="Sign in", email=cast.officer.email, password=PASSWORD)
    elsewhere = client.get("/sign-in?next=https://evil.example.com/").page
    home = client.submit(elsewhere, button="Sign in", email=cast.officer.email, password=PASSWORD)

    assert led.headers["Location"] == "/sign-in?next=/account?tab%3D2"
    assert there.headers["Location"] == "/account?tab=2"
    assert home.headers["Location"] == "/my-day"


def test_unknown_disabled_invited_and_wrong_get_the_same_answer(app, client, cast):
    with app.app_context(), transaction():
        make_user(Member("invited", "Ines Neu", cast.officer.roles, active=False))
        db.session.execute(sa.update(User).where(User.email == "invited@example.org").values(password_hash=None))
    tries = {
        "wrong": (cast.officer.email, "not the password"),
        "wrong for an administrator": (cast.administrator.email, "not the password"),
        "unknown": ("nobody@example.org", PASSWORD),
        "disabled": (cast.disabled.email, PASSWORD),
        "invited": ("invited@example.org", PASSWORD),
        "much too long": (cast.officer.email, "x" * 1025),
    }

    answers = {kind: attempt(client, *values) for kind, values in tries.items()}

    def shape(kind):
        answer = answers[kind]
        body = CHANGES_EACH_TIME.sub("", answer.text).replace(tries[kind][0], "")
        headers = {
            name: value for name, value in answer.headers.items() if name not in ("Content-Length", "Set-Cookie")
        }
        return answer.status_code, body, headers

    assert "do not belong together" in answers["unknown"].text
    del tries["much too long"], answers["much too long"]
    assert all(shape(kind) == shape("wrong") for kind in tries)


def test_somebody_unknown_is_compared_too(monkeypatch):
    """A dummy hash stands in, so that no time is saved by not knowing somebody."""
    compared = []
    real = passwords.hasher(True)

    class Listening:
        def verify(self, kept, password):
            compared.append(kept)
            return real.verify(kept, password)

        def hash(self, password):
            return real.hash(password)

    monkeypatch.setattr(passwords, "hasher", lambda cheap=False: Listening())

    assert passwords.is_right(None, PASSWORD, cheap=True) is False
    assert compared[0].startswith("$argon2id$")


def test_a_failed_try_is_in_the_trail_without_what_was_typed(app, client, cast):
    attempt(client, cast.officer.email, "wrong canary words")
    attempt(client, "canary@example.org", "wrong canary words")

    with app.app_context():
        rows = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.event == "access.sign_in_failed")).all()
        assert [row.subject for row in rows] == [f"user:{cast.officer.id}", None]
        assert all("canary" not in str(vars(row)).lower() for row in rows)


def test_after_five_guesses_even_the_right_password_waits(client, cast, freeze):
    freeze("2026-07-14 10:00")
    guesses = [attempt(client, cast.officer.email, f"guess number {n}").status_code for n in range(5)]

    sixth = attempt(client, cast.officer.email, environ_overrides={"REMOTE_ADDR": "198.51.100.9"})
    other = attempt(client, cast.manager.email)
    freeze("2026-07-14 10:06")
    later = attempt(client, cast.officer.email)

    assert guesses == [422] * 5
    assert sixth.status_code == 429
    assert int(sixth.headers["Retry-After"]) <= 300
    assert other.status_code == 303
    assert later.status_code == 303


def test_no_five_minutes_hold_more_than_ten_guesses(client, cast, freeze):
    """Whenever they are made: two windows of five are the most that any five minutes can touch."""
    allowed = []
    for minute, second in [(0, 0), *[(4, s) for s in range(50, 60)], *[(5, s) for s in range(1, 30)]]:
        freeze(f"2026-07-14 10:{minute:02d}:{second:02d}")
        if attempt(client, cast.officer.email, "a guess at it").status_code == 422:
            allowed.append(minute * 60 + second)

    assert max(sum(1 for at in allowed if start <= at < start + 300) for start in allowed) <= 10


def test_a_right_password_clears_the_slate(client, cast):
    for _ in range(3):
        for _ in range(4):
            attempt(client, cast.officer.email, "a slip of the finger")
        assert attempt(client, cast.officer.email).status_code == 303


def test_kept_passwords_are_argon2id_of_the_owasp_cost():
    hashed = passwords.hash_password("a phrase of some length")

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.is_right(hashed, "a phrase of some length")
    assert not passwords.is_right(hashed, "a phrase of some lengt")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_weaker_hash_is_made_again_at_the_next_sign_in(make_app, cast, settings):
    app = make_app(argon2_cheap=False)
    attempt(app.test_client(), cast.officer.email)

    with app.app_context():
        kept = db.session.scalar(sa.select(User.password_hash).where(User.id == cast.officer.id))
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_at_most_four_are_hashed_at_once(monkeypatch):
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)
    for _ in range(passwords.AT_ONCE):
        passwords._slots.acquire()
    try:
        with pytest.raises(passwords.TooBusyToCheck):
            passwords.hash_password("a phrase of some length", cheap=True)
    finally:
        for _ in range(passwords.AT_ONCE):
            passwords._slots.release()


@pytest.mark.parametrize(
    "password",
    [
        "seven brown teapots",
        "x7$kQ9!mZp2w",
        "Łódź über naïve 日本語 🫖",
        "correct horse battery staple and a great deal more that fits in no box at all, because phrases are good",
        " leading and trailing ",
    ],
)
def test_passwords_that_are_taken(password):
    passwords.check_new(password, email="nadia.rahman@example.org", name="Nadia Rahman")

    assert passwords.is_right(passwords.hash_password(password, cheap=True), password, cheap=True)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "password1234",
        "Password12345",
        "passwordpassword",
        "qwertyuiop123",
        "123456789012",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "abcdefghijklm",
        "nadia.rahman@example.org",
        "Nadia Rahman",
        "nadiarahman2026",
        "x" * 1025,
        "é" * 600,
    ],
)
def test_passwords_that_are_not(password):
    with pytest.raises(passwords.PasswordNotTaken):
        passwords.check_new(password, email="nadia.rahman@example.org", name="Nadia Rahman")


def test_the_account_is_looked_at_once_more_when_the_session_opens(app, cast: Cast):
    """Switched off while the password was being compared."""
    from crm.clock import now_utc

    with app.app_context():
        with transaction():
            db.session.execute(sa.update(User).where(User.id == cast.officer.id).values(active=False))
        with pytest.raises(sign_in.NotSignedIn), transaction():
            sign_in.open_staff_session(user_id=cast.officer.id, browser="", rehashed=None, now=now_utc())
        assert db.session.scalar(sa.select(sa.func.count(WebSession.id))) == 0

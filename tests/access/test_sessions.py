"""Sessions end when they should, and a copied cookie ends with them (G26); staff and applicants never mix."""

import pytest
import sqlalchemy as sa

from crm.access import links, people, sessions
from crm.access.models import SessionKind, User, WebSession
from crm.clock import now_utc
from crm.db import db, transaction
from crm.rules.permissions import Role
from tests.factories import PASSWORD, open_session, sign_in


def sign_in_by_form(client, member, password=PASSWORD):
    return client.submit(client.get("/sign-in").page, button="Sign in", email=member.email, password=password)


def copy_of(app, client):
    """Another browser that holds the same cookie."""
    thief = app.test_client()
    thief.set_cookie("staff", client.get_cookie("staff").value)
    return thief


def is_in(client):
    return client.get("/account").status_code == 200


def test_a_sign_in_makes_a_new_session_and_ends_the_one_before(app, client, cast):
    sign_in_by_form(client, cast.officer)
    before = copy_of(app, client)
    assert is_in(before)

    sign_in_by_form(client, cast.officer)

    assert client.get_cookie("staff").value != before.get_cookie("staff").value
    assert is_in(client)
    assert not is_in(before)


def test_a_session_chosen_by_somebody_else_is_not_taken_up(client, cast):
    client.set_cookie("staff", "A" * 43)

    sign_in_by_form(client, cast.officer)

    assert client.get_cookie("staff").value != "A" * 43


def test_after_signing_out_a_copy_is_dead(app, client, cast):
    sign_in_by_form(client, cast.officer)
    copy = copy_of(app, client)

    client.submit(client.get("/account").page, button="Sign out", to="/sign-out")

    assert not is_in(copy)
    assert not is_in(client)


def test_after_a_new_password_every_copy_is_dead_but_the_browser_goes_on(app, client, cast):
    sign_in_by_form(client, cast.officer)
    copy = copy_of(app, client)

    changed = client.submit(
        client.get("/account").page,
        button="Change my password",
        current_password=PASSWORD,
        password="seven brown teapots",
        follow=True,
    )

    assert "Every other browser has been signed out." in changed.text
    assert is_in(client)
    assert not is_in(copy)
    client.submit(client.get("/account").page, button="Sign out", to="/sign-out")
    assert sign_in_by_form(client, cast.officer).status_code == 422
    assert sign_in_by_form(client, cast.officer, "seven brown teapots").status_code == 303


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (lambda cast, user, now: people.disable_user(user=user, actor=cast.administrator.actor, now=now), "disabled"),
        (
            lambda cast, user, now: people.change_roles(
                user=user, roles={Role.MANAGER}, actor=cast.administrator.actor, now=now
            ),
            "another role",
        ),
        (
            lambda cast, user, now: people.leave(
                user=user,
                handed_to=db.session.get(User, cast.manager.id),
                actor=cast.administrator.actor,
                now=now,
                today=now.date(),
            ),
            "left",
        ),
        (lambda cast, user, now: sessions.end_all(user_id=user.id, now=now), "ended by an administrator"),
    ],
    ids=["disabled", "another role", "left", "ended"],
)
def test_what_happens_to_an_account_ends_its_sessions(app, client, cast, end, says):
    client.sign_in(cast.officer)
    assert is_in(client)

    with app.app_context(), transaction():
        end(cast, db.session.get(User, cast.officer.id), now_utc())

    assert not is_in(client), says


def test_half_an_hour_without_use_ends_it(app, client, cast, freeze):
    freeze("2026-07-14 10:00")
    client.sign_in(cast.officer)
    freeze("2026-07-14 10:29")
    assert is_in(client)
    freeze("2026-07-14 10:58")
    assert is_in(client)
    freeze("2026-07-14 11:29")
    assert not is_in(client)


def test_twelve_hours_end_it_whatever_is_done(client, cast, freeze):
    freeze("2026-07-14 08:00")
    client.sign_in(cast.officer)
    for quarter in range(1, 48):
        freeze(f"2026-07-14 {8 + quarter // 4:02d}:{15 * (quarter % 4):02d}")
        assert is_in(client)
    freeze("2026-07-14 20:00:01")
    assert not is_in(client)


def test_use_is_noted_at_most_once_a_minute(client, cast, freeze, queries):
    freeze("2026-07-14 10:00")
    client.sign_in(cast.officer)
    with queries() as sent:
        freeze("2026-07-14 10:00:30")
        is_in(client)
        freeze("2026-07-14 10:01:30")
        is_in(client)
        freeze("2026-07-14 10:01:40")
        is_in(client)

    assert len([statement for statement in sent if statement.startswith("UPDATE web_session")]) == 1


def test_somebody_sees_where_they_are_signed_in_and_can_end_one(app, client, cast):
    client.sign_in(cast.officer)
    elsewhere = app.test_client()
    sign_in(elsewhere, cast.officer)
    assert is_in(elsewhere)
    page = client.get("/account").page
    with app.app_context():
        newest = db.session.scalar(sa.select(sa.func.max(WebSession.id)))

    client.submit(page, to=f"/account/sessions/{newest}/end")

    assert is_in(client)
    assert not is_in(elsewhere)


def test_nobody_ends_the_session_of_another(app, client, cast):
    open_session(app, cast.manager)
    with app.app_context():
        theirs = db.session.scalar(sa.select(WebSession.id).where(WebSession.user_id == cast.manager.id))
    client.sign_in(cast.officer)
    token = client.get("/account").page.form(button="Change my password")

    answer = client.post(f"/account/sessions/{theirs}/end", data={"csrf_token": token.fields["csrf_token"]})

    assert answer.status_code == 404
    with app.app_context():
        assert db.session.get(WebSession, theirs).ended_at is None


def test_only_a_digest_of_the_cookie_is_kept(app, client, cast):
    sign_in_by_form(client, cast.officer)
    value = client.get_cookie("staff").value

    with app.app_context():
        rows = db.session.execute(sa.select(WebSession.__table__)).all()
    assert len(value) == 43
    assert all(value not in str(row) for row in rows)


def test_the_cookie_is_as_safe_as_cookies_get(make_app, cast):
    client = make_app(cookie_secure=True).test_client()
    page = client.get("/sign-in", base_url="https://localhost").page
    data = page.form(button="Sign in").filled("Sign in", email=cast.officer.email, password=PASSWORD)

    answer = client.post("/sign-in", data=data, base_url="https://localhost")

    (cookie,) = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("__Host-staff=")]
    assert "; Secure; HttpOnly; Path=/; SameSite=Lax" in cookie
    assert "Domain" not in cookie


def test_an_applicants_cookie_opens_no_staff_page_and_the_other_way_round(app, client, cast):
    applicant = open_session(app, cast.applicant)
    officer = open_session(app, cast.officer)
    for name, value in (("staff", applicant), ("applicant", officer), ("applicant", applicant)):
        browser = app.test_client()
        browser.set_cookie(name, value)
        assert browser.get("/account").headers.get("Location", "").startswith("/sign-in")

    with app.app_context():
        now = now_utc()
        assert sessions.find(applicant, SessionKind.STAFF, now=now) is None
        assert sessions.find(officer, SessionKind.APPLICANT, now=now) is None
        assert sessions.find(applicant, SessionKind.APPLICANT, now=now).actor.person_id == cast.applicant.person_id
        assert sessions.find(officer, SessionKind.STAFF, now=now).actor == cast.officer.actor


def test_a_session_belongs_to_staff_or_to_an_applicant_never_to_both(app, cast):
    with app.app_context(), pytest.raises(sa.exc.IntegrityError), transaction():
        db.session.add(
            WebSession(
                token_hash="x",
                kind="staff",
                user_id=cast.officer.id,
                person_id=cast.applicant.person_id,
                began_at=now_utc(),
                last_seen_at=now_utc(),
            )
        )


def test_a_password_reset_ends_every_session(app, client, cast):
    client.sign_in(cast.officer)
    with app.app_context():
        with transaction():
            _, token = links.new_reset(user=db.session.get(User, cast.officer.id), now=now_utc())
        with transaction():
            links.reset_password(token=token, password_hash="$argon2id$x", now=now_utc())

    assert not is_in(client)


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/120 Safari/537.36 Edg/120", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17 Safari/604.1", "Safari on an iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "Firefox on Linux"),
        ("curl/8", "A browser"),
        ("", "A browser"),
    ],
)
def test_a_browser_is_described_in_a_few_words(agent, said):
    assert sessions.describe_browser(agent) == said

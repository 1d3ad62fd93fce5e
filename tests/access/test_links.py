"""Invitations and resets: secret, mortal, spent only by a person (G29)."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from crm.access import links, people
from crm.access.models import PasswordReset, StaffInvitation, User
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.rules.permissions import Role
from tests.factories import PASSWORD

LINK = re.compile(r"https?://[^\s)\"<>]+/(?:invitation|reset-password)/[\w-]{43}")


def links_in_letters(app, kind):
    """The secret link of each letter of a kind, as its reader finds it."""
    with app.app_context():
        rows = db.session.scalars(
            sa.select(OutboundMessage).where(OutboundMessage.kind == kind).order_by(OutboundMessage.id)
        ).all()
        found = [LINK.search(readable(row)) for row in rows]
        return [link[0] for link in found if link]


def readable(row):
    from email import message_from_bytes, policy

    message = message_from_bytes(row.payload, policy=policy.default)
    return message.get_body(("plain",)).get_content()


def path_of(link):
    return "/" + link.split("/", 3)[3]


@pytest.fixture
def invite(app, cast):
    def make(email="ines.neu@example.org", roles=(Role.OFFICER,)):
        with app.app_context(), transaction():
            people.invite_user(
                email=email,
                name="Ines Neu",
                roles=roles,
                link_for=lambda token: f"http://localhost/invitation/{token}",
                actor=cast.administrator.actor,
                now=now_utc(),
            )
        return path_of(links_in_letters(app, "staff_invitation")[-1])

    return make


@pytest.fixture
def ask_for_reset(app, client):
    def make(email):
        return client.submit(client.get("/forgotten-password").page, button="Send me the link", email=email)

    return make


def test_an_invitation_is_taken_up_by_choosing_a_password(client, cast, invite):
    page = client.get(invite()).page
    answer = client.submit(page, button="Start using my account", password="seven brown teapots", follow=True)
    back = client.submit(answer.page, button="Sign in", email="ines.neu@example.org", password="seven brown teapots")

    assert page.h1 == "Welcome, Ines Neu"
    assert "Your account is ready" in answer.text
    assert back.status_code == 303


def test_looking_at_a_link_does_not_spend_it(client, cast, invite):
    path = invite()
    for _ in range(3):
        assert client.get(path).status_code == 200
        assert client.head(path).status_code == 200

    answer = client.submit(client.get(path).page, button="Start using my account", password="seven brown teapots")

    assert answer.status_code == 303


def test_a_link_works_once(client, cast, invite):
    path = invite()
    page = client.get(path).page
    client.submit(page, button="Start using my account", password="seven brown teapots")

    again = client.submit(page, button="Start using my account", password="eight brown teapots")

    assert again.status_code == 404
    assert client.get(path).status_code == 404


def test_an_invitation_ends_after_seven_days(client, cast, invite, freeze):
    at = freeze("2026-07-14 10:00")
    path = invite()
    freeze(at + timedelta(days=7, seconds=-1))
    assert client.get(path).status_code == 200
    freeze(at + timedelta(days=7))
    assert client.get(path).status_code == 404


def test_a_new_invitation_ends_the_one_before(app, client, cast, invite):
    first = invite()
    with app.app_context(), transaction():
        people.invite_again(
            user=db.session.scalar(sa.select(User).where(User.email == "ines.neu@example.org")),
            link_for=lambda token: f"http://localhost/invitation/{token}",
            actor=cast.administrator.actor,
            now=now_utc(),
        )
    second = path_of(links_in_letters(app, "staff_invitation")[-1])

    assert client.get(first).status_code == 404
    assert client.get(second).status_code == 200


def test_a_weak_password_is_refused_and_the_link_stays_good(client, cast, invite):
    path = invite()

    weak = client.submit(client.get(path).page, button="Start using my account", password="passwordpassword")

    assert weak.status_code == 422
    assert "first passwords a stranger would try" in weak.text
    assert "passwordpassword" not in weak.text
    assert client.get(path).status_code == 200


def test_a_reset_sets_a_new_password(app, client, cast, ask_for_reset):
    ask_for_reset(cast.officer.email)
    path = path_of(links_in_letters(app, "password_reset")[-1])

    answer = client.submit(client.get(path).page, button="Use this password", password="seven brown teapots")

    page = client.get("/sign-in").page
    old = client.submit(page, button="Sign in", email=cast.officer.email, password=PASSWORD)
    new = client.submit(page, button="Sign in", email=cast.officer.email, password="seven brown teapots")
    assert (answer.status_code, old.status_code, new.status_code) == (303, 422, 303)
    assert client.get(path).status_code == 404


def test_a_reset_lives_an_hour(app, client, cast, ask_for_reset, freeze):
    freeze("2026-07-14 10:00")
    ask_for_reset(cast.officer.email)
    path = path_of(links_in_letters(app, "password_reset")[-1])
    freeze("2026-07-14 10:59:59")
    assert client.get(path).status_code == 200
    freeze("2026-07-14 11:00")
    assert client.get(path).status_code == 404


def test_the_answer_is_the_same_for_everyone_and_only_those_in_use_get_a_letter(app, client, cast, ask_for_reset):
    answers = [ask_for_reset(email) for email in (cast.officer.email, cast.disabled.email, "nobody@example.org")]

    assert len({(answer.status_code, answer.text) for answer in answers}) == 1
    assert len(links_in_letters(app, "password_reset")) == 1


def test_asking_again_and_again_sends_at_most_three(app, client, cast, ask_for_reset):
    answers = {ask_for_reset(cast.officer.email).text for _ in range(6)}

    assert len(answers) == 1
    assert len(links_in_letters(app, "password_reset")) == 3


def test_a_link_of_one_kind_opens_nothing_of_the_other(app, client, cast, invite, ask_for_reset):
    invitation = invite().rpartition("/")[2]
    ask_for_reset(cast.officer.email)
    reset = links_in_letters(app, "password_reset")[-1].rpartition("/")[2]

    assert client.get(f"/reset-password/{invitation}").status_code == 404
    assert client.get(f"/invitation/{reset}").status_code == 404


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 5000, "%00", "..", "é" * 43])
def test_made_up_links_all_get_the_same_answer(client, cast, token):
    assert client.get(f"/invitation/{token}").status_code == 404


def test_only_digests_of_links_are_kept(app, client, cast, invite):
    token = invite().rpartition("/")[2]

    with app.app_context():
        for table in (StaffInvitation.__table__, PasswordReset.__table__, User.__table__):
            assert all(token not in str(row) for row in db.session.execute(sa.select(table)))


def test_somebody_switched_off_has_no_links_left(app, client, cast, ask_for_reset):
    ask_for_reset(cast.officer.email)
    path = path_of(links_in_letters(app, "password_reset")[-1])
    with app.app_context(), transaction():
        people.disable_user(user=db.session.get(User, cast.officer.id), actor=cast.administrator.actor, now=now_utc())

    assert client.get(path).status_code == 404


def test_of_two_who_press_at_once_one_finds_the_link_spent(app, cast, invite):
    token = invite().rpartition("/")[2]
    with app.app_context():
        row, _ = links.invited(token, now=now_utc())
        with transaction():
            links.accept_invitation(token=token, password_hash="$argon2id$one", now=now_utc())
        with pytest.raises(links.LinkNoLongerGood), transaction():
            links._use_up(row, now_utc())

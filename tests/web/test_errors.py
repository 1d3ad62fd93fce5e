"""Every anticipated no is a page; what must survive a no is written after the roll-back."""

import sqlite3

import pytest
import sqlalchemy as sa

from crm.audit import AuditEntry
from crm.db import db, sqlite_module


def entries(app, event):
    with app.app_context():
        return list(db.session.scalars(sa.select(AuditEntry).where(AuditEntry.event == event).order_by(AuditEntry.id)))


@pytest.mark.parametrize("status", [403, 404, 409, 422])
def test_each_refusal_has_its_status_its_words_and_a_person_to_ring(client, token, status):
    answer = client.post("/desk/refuses", data={"csrf_token": token(client), "status": status})

    assert answer.status_code == status
    assert "That time has gone." in answer.text
    assert "01632 960" in answer.text


def test_long_words_in_a_refused_form_can_be_copied(client, token):
    words = "They would rather be rung after six, and never on Fridays."

    answer = client.post("/desk/refuses", data={"csrf_token": token(client), "note": words, "password": "x" * 30})

    assert words in answer.text
    assert "x" * 30 not in answer.text


def test_a_refused_page_is_in_the_trail(app, client, cast):
    client.sign_in(cast.administrator)

    assert client.get("/desk/sensitive/1").status_code == 403

    (entry,) = entries(app, "access.refused")
    assert entry.actor_id == cast.administrator.id
    assert '"page":"desk.sensitive"' in entry.detail_json


def test_an_endpoint_that_declares_nothing_is_refused(client, cast, token):
    for member in (cast.stranger, cast.manager, cast.administrator):
        client.sign_in(member)
        assert client.get("/desk/undeclared").status_code == 403


def test_a_fault_is_our_fault_and_quotes_nothing(capsys, app, client, token, counted):
    app.config["PROPAGATE_EXCEPTIONS"] = False

    answer = client.post("/desk/breaks", data={"csrf_token": token(client), "name": "Maya Thompson"})

    logged = capsys.readouterr().err
    assert answer.status_code == 500
    assert "It is our fault" in answer.text
    assert "01632 960" in answer.text
    assert counted() == 0
    assert '"fault": "ZeroDivisionError"' in logged
    for private in ("Maya", "07700", "Thompson"):
        assert private not in logged
        assert private not in answer.text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_page_about_trouble_needs_no_database(app, client, token, monkeypatch):
    app.config["PROPAGATE_EXCEPTIONS"] = False
    good = token(client)

    def broken(*_args, **_kwargs):
        raise sa.exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O error"))

    with app.app_context():
        monkeypatch.setattr(type(db.session()), "execute", broken)
        monkeypatch.setattr(type(db.session()), "connection", broken)
    answer = client.post("/desk/breaks", data={"csrf_token": good})

    assert answer.status_code == 500
    assert "Kestrel Fostering" in answer.text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_busy_database_says_so_and_keeps_the_form(app, counted, database, make_app):
    from tests.web.conftest import bp

    hasty = make_app(lock_wait_ms=50)
    hasty.jinja_loader = app.jinja_loader
    hasty.register_blueprint(bp)
    client = hasty.test_client()
    data = client.get("/desk").page.form(button="Keep").filled("Keep", name="Maya")
    # The same engine as the product's: two engines in one process can't see each other's locks.
    other = (sqlite_module() or sqlite3).connect(database.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    busy = client.post("/desk", data=data)
    other.execute("ROLLBACK")
    other.close()
    again = client.submit(busy.page, button="Send it again")

    assert busy.status_code == 503
    assert busy.headers["Retry-After"] == "5"
    assert again.status_code == 303
    assert counted() == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_too_much_is_refused_and_said(client, token):
    good = token(client)

    too_long = client.post("/desk", data={"csrf_token": good, "note": "x" * 3_000_000})
    too_many = client.post("/desk", data={"csrf_token": good, **{f"f{n}": "x" for n in range(1100)}}, content_type=
                           "multipart/form-data")  # fmt: skip

    assert too_long.status_code == 413
    assert "larger than we can take" in too_long.text
    assert too_many.status_code == 413


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_view_that_takes_files_takes_larger_ones(client, token):
    import io

    good = token(client)
    data = {"csrf_token": good, "file": (io.BytesIO(b"x" * 3_000_000), "photo.jpg")}

    assert client.post("/desk/upload", data=data).text == "3000000"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", ["/desk?q=%00", "/desk/%00", "/no%00where", "/desk?q=%F0%28%8C%28", "/%FF"])
def test_an_address_that_no_database_takes_is_not_found(client, path):
    assert client.get(path).status_code in (200, 404)


def test_a_try_too_many_waits_in_every_process(app, client, make_app, token):
    """Counted in the database, so a second process counts on (G24)."""
    from tests.web.conftest import bp

    good = token(client)
    cookie = client.get_cookie("form").value
    answers = [client.post("/desk/limited", data={"csrf_token": good}).status_code for _ in range(3)]
    other = make_app()
    other.jinja_loader = app.jinja_loader
    other.register_blueprint(bp)
    elsewhere = other.test_client()
    elsewhere.set_cookie("form", cookie)

    refused = elsewhere.post("/desk/limited", data={"csrf_token": good})
    from_another = elsewhere.post(
        "/desk/limited", data={"csrf_token": good}, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}
    )

    assert answers == [200, 200, 200]
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 61
    assert from_another.status_code == 200


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_forwarded_address_is_believed_only_from_our_own_proxies(make_app, token):
    from tests.web.conftest import TEMPLATES, bp

    def statuses(proxies):
        from jinja2 import ChoiceLoader, DictLoader

        app = make_app(proxies=proxies)
        app.jinja_loader = ChoiceLoader([app.jinja_loader, DictLoader(TEMPLATES)])
        app.register_blueprint(bp)
        client = app.test_client()
        data = {"csrf_token": token(client)}
        return [
            client.post("/desk/limited", data=data, headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code
            for n in range(1, 6)
        ]

    assert statuses(0)[3:] == [429, 429]
    assert statuses(1) == [200] * 5


def test_what_was_looked_at_is_in_the_trail(app, client, cast):
    client.sign_in(cast.manager)

    client.get("/desk/sensitive/7")

    (page,), (fact,) = entries(app, "view.case"), entries(app, "view.offence")
    assert page.actor_id == fact.actor_id == cast.manager.id
    assert page.subject == "case:7"


def test_a_page_that_does_not_say_whose_things_it_shows_is_not_shown(app, client, cast):
    from crm.web.sightings import NothingSaid

    client.sign_in(cast.manager)

    with pytest.raises(NothingSaid):
        client.get("/desk/sensitive/7?silent=1")


def test_a_form_sent_after_the_session_ended_is_kept(client, cast, counted, freeze):
    freeze("2026-07-14 10:00")
    client.sign_in(cast.officer)
    token = client.get("/desk/staff").page.form(button="Sign out").fields["csrf_token"]
    freeze("2026-07-14 10:31")

    answer = client.post("/desk/staff", data={"csrf_token": token, "note": "Spoke to Maya, she will ring back."})

    assert answer.status_code == 401
    assert "Spoke to Maya, she will ring back." in answer.text
    client.sign_in(cast.officer)
    looked_over = client.submit(answer.page, button="Send it again")
    assert looked_over.status_code == 403  # a new session: nothing is done before they have looked at it once more
    assert client.submit(looked_over.page, button="Send it again").status_code == 303
    assert counted() == 1

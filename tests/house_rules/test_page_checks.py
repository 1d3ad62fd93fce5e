"""The checks that every fetched page passes through, each with a page that it catches."""

from __future__ import annotations

from collections.abc import Callable

import flask
import pytest
import sqlalchemy as sa

from tests.conftest import ForgottenCommit, PageClient, refuse_forgotten_commit, watch
from tests.page import faults, read

GOOD = """<!DOCTYPE html>
<html lang="en-GB"><head><meta charset="utf-8"><title>Visits</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/static/brand.css"></head>
<body><main id="main"><h1>Visits</h1><form method="post" action="/visits">
<label for="place">Place</label><p id="hint">Where we meet</p>
<input id="place" name="place" value="Town hall" aria-describedby="hint">
<select name="kind" aria-label="Kind"><option value="first">First</option><option value="second" selected>Second</option></select>
<label><input type="checkbox" name="who" value="a" checked> A</label>
<label><input type="checkbox" name="who" value="b" checked> B</label>
<textarea name="note" aria-label="Note">
Two
lines</textarea><button name="do" value="book">Book</button></form><p>See <a href="/visits">visits</a>.</p></main></body></html>"""  # noqa: E501


def leads_to_visits(method: str, path: str) -> bool:
    return path in ("/visits", "/static/brand.css")


def test_a_good_page_has_no_faults() -> None:
    assert faults(read(GOOD), resolves=leads_to_visits) == []


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("<h1>Visits</h1>", "<p>Visits</p>", "0 <h1>"),
        ("<h1>Visits</h1>", "<h1>Visits</h1><h1>More</h1>", "2 <h1>"),
        ("<h1>Visits</h1>", "<h1>Visits</h1><h3>More</h3>", "a level is missed"),
        ("<title>Visits</title>", "<title> </title>", "title is empty"),
        (' lang="en-GB"', "", "language"),
        ('<p id="hint">', '<p id="hint"><b id="hint">x</b>', "used 2 times"),
        ('<label for="place">Place</label>', "", "no label"),
        ('<label for="place">', '<label for="elsewhere">', "isn't there"),
        ('aria-describedby="hint"', 'aria-describedby="gone"', "isn't there"),
        ("<main", '<main style="color:red"', "styled in the page"),
        ("</main>", "<style>p{}</style></main>", "styled in the page"),
        ("</main>", "<script>go()</script></main>", "script in the page"),
        ("<button", '<button onclick="go()"', "onclick"),
        ("</main>", "<p>Saved successfully.</p></main>", "'successfully'"),
        ("</main>", "<p>Please note the time.</p></main>", "'please note'"),
        ("Town hall", 'x"><p>An <b>invalid</b> date</p><input type="hidden', "'invalid'"),
        ('<a href="/visits">', '<a href="/nowhere">', "leads nowhere"),
        ('<a href="/visits">', '<a href="nearby">', "is relative"),
        ('<a href="/visits">', '<a href="#lost">', "isn't on the page"),
        ('<a href="/visits">visits</a>', '<a href="/visits"></a>', "has no words"),
        ('action="/visits"', 'action="/nowhere"', "leads nowhere"),
        ("/static/brand.css", "/static/gone.css", "leads nowhere"),
        ("</main>", "<img src='/visits'></main>", "no alt"),
        ("</main>", "<div></main>", "where <div> is open"),
        ("</form>", "", "where <form> is open"),
    ],
)
def test_a_bad_page_is_caught(good: str, bad: str, said: str) -> None:
    assert good in GOOD

    found = faults(read(GOOD.replace(good, bad)), resolves=leads_to_visits)

    assert any(said in fault for fault in found), found


def test_a_form_is_read_as_a_browser_would_send_it() -> None:
    form = read(GOOD).form()

    sent = form.filled("Book", place="Library")

    assert sent == {"place": "Library", "kind": "second", "who": ["a", "b"], "note": "Two\nlines", "do": "book"}


def test_a_field_that_is_not_on_the_form_is_an_error() -> None:
    with pytest.raises(AssertionError, match="has no"):
        read(GOOD).form().filled(colour="red")


# --- The client -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small() -> Callable[[Callable[[], object]], PageClient]:
    """A small application with one page, fetched as the product's pages are."""

    def make(view: Callable[[], object]) -> PageClient:
        app = flask.Flask("small")
        app.testing = True
        app.test_client_class = PageClient
        app.add_url_rule("/visits", "visits", view, methods=["GET", "POST"])  # type: ignore[arg-type]
        return app.test_client()  # type: ignore[return-value]

    return make


def with_policy(body: str, policy: str = "default-src 'self'") -> flask.Response:
    return flask.Response(body, headers={"Content-Security-Policy": policy})


def test_a_page_without_a_policy_is_caught(small: Callable[..., PageClient]) -> None:
    page = GOOD.replace("/static/brand.css", "/visits")

    assert small(lambda: with_policy(page)).get("/visits").page.h1 == "Visits"
    with pytest.raises(AssertionError, match="no content security policy"):
        small(lambda: page).get("/visits")
    with pytest.raises(AssertionError, match="lets scripts or styles"):
        small(lambda: with_policy(page, "script-src 'unsafe-inline'")).get("/visits")


def test_a_bad_page_fails_the_test_that_fetched_it(small: Callable[..., PageClient]) -> None:
    with pytest.raises(AssertionError, match="isn't fit to be seen"):
        small(lambda: with_policy("<p>no doctype</p>")).get("/visits")


def test_a_forgotten_commit_is_caught(app: flask.Flask) -> None:
    from crm.db import db

    forgetful = flask.Flask("forgetful")
    forgetful.testing = True
    forgetful.test_client_class = PageClient
    forgetful.after_request(refuse_forgotten_commit)
    forgetful.config["SQLALCHEMY_DATABASE_URI"] = app.config["SQLALCHEMY_DATABASE_URI"]
    forgetful.config["SQLALCHEMY_ENGINE_OPTIONS"] = app.config["SQLALCHEMY_ENGINE_OPTIONS"]
    db.init_app(forgetful)
    with forgetful.app_context():
        watch(db.engine)
        with db.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE scribble (word VARCHAR(10))")

    def write(*, keep: bool) -> flask.Response:
        with db.engine.connect() as connection:
            connection.execute(sa.text("INSERT INTO scribble VALUES ('x')"))
            if not keep:
                flask.g.left_open = connection
                return refuse_forgotten_commit(flask.Response("", mimetype="text/css"))
            connection.commit()
        return flask.Response("", mimetype="text/css")

    forgetful.add_url_rule("/kept", "kept", lambda: write(keep=True), methods=["POST"])
    forgetful.add_url_rule("/forgotten", "forgotten", lambda: write(keep=False), methods=["POST"])

    assert forgetful.test_client().post("/kept").status_code == 200
    with pytest.raises(ForgottenCommit):
        forgetful.test_client().post("/forgotten")
    with forgetful.app_context():
        db.engine.dispose()


def test_a_connection_to_somewhere_else_is_refused() -> None:
    import socket

    with socket.socket() as outside, pytest.raises(AssertionError, match="tried to connect"):
        outside.connect(("192.0.2.1", 80))

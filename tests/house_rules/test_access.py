"""Every endpoint says who may use it, and every one that changes something commits as the house does."""

from __future__ import annotations

from collections.abc import Callable

import flask
import pytest

from crm.access.guards import declared_for, public_page
from crm.web.writes import SAFE_METHODS, writes
from tests.house_rules.public_endpoints import OWN_KEY, PUBLIC


@pytest.fixture(params=["sqlite"])
def database(request, tmp_path):  # type: ignore[no-untyped-def]
    """Which database is behind a route makes no difference to what the route declares."""
    from tests.databases import database_of

    with database_of(request.param, tmp_path) as made:
        yield made


def undeclared(app: flask.Flask) -> list[str]:
    return sorted(endpoint for endpoint in app.view_functions if declared_for(app, endpoint) is None)


def endpoints_for(app: flask.Flask, audience: str) -> set[str]:
    found = set()
    for endpoint in app.view_functions:
        declared = declared_for(app, endpoint)
        if declared is not None and declared.audience == audience and endpoint != "static":
            found.add(endpoint)
    return found


def without_a_commit(app: flask.Flask) -> list[str]:
    """Endpoints that take a POST, PUT or DELETE and are neither @writes nor say why they do it themselves."""
    found = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        changes = (rule.methods or set()) - SAFE_METHODS
        if changes and not getattr(view, "writes", False) and not getattr(view, "writes_by_itself", ""):
            found.append(f"{'/'.join(sorted(changes))} {rule.rule} ({rule.endpoint})")
    return sorted(found)


def test_every_endpoint_declares_who_may_use_it(app: flask.Flask) -> None:
    assert undeclared(app) == []


def test_the_public_ones_are_the_ones_we_meant(app: flask.Flask) -> None:
    assert endpoints_for(app, "public") == PUBLIC


def test_the_ones_with_a_key_of_their_own_are_the_ones_we_meant(app: flask.Flask) -> None:
    assert endpoints_for(app, "own_key") == OWN_KEY


def test_every_endpoint_that_changes_something_commits_in_one_place(app: flask.Flask) -> None:
    assert without_a_commit(app) == []


@pytest.fixture
def careless() -> Callable[..., flask.Flask]:
    """A small application whose author forgot something."""

    def make(view: Callable[[], str], **options: object) -> flask.Flask:
        app = flask.Flask("careless")
        app.add_url_rule("/forgotten", "forgotten", view, **options)  # type: ignore[arg-type]
        return app

    return make


def test_an_endpoint_that_declares_nothing_is_caught(careless: Callable[..., flask.Flask]) -> None:
    assert undeclared(careless(lambda: "")) == ["forgotten"]


def test_a_new_public_endpoint_is_caught(careless: Callable[..., flask.Flask]) -> None:
    assert endpoints_for(careless(public_page(lambda: "")), "public") == {"forgotten"}


def test_a_post_without_a_commit_is_caught(careless: Callable[..., flask.Flask]) -> None:
    assert without_a_commit(careless(lambda: "", methods=["POST"])) == ["POST /forgotten (forgotten)"]
    assert without_a_commit(careless(writes(lambda: ""), methods=["POST"])) == []

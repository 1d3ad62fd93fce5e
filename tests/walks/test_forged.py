"""No forged requests, and looking changes nothing (G17): every form of the product, sent as somebody who may send it,
filled in well, so that only the forgery stands in the way; and every page, opened as administrator and as manager."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import flask
import pytest

from crm.web import forgery
from tests.conftest import PageClient
from tests.walks.filling import filled_in_well
from tests.walks.finding import Walker, forms
from tests.walks.undoing import Change, Rows

# What may be written when somebody is refused or looks: the trail of it, that the session is in use, and what a
# report counted, for whoever asks the same next.
BOOKKEEPING = frozenset({"audit_entry", "audit_seal", "web_session", "report_answer"})
PAGES_AT_LEAST = 150


def forgeries(app: flask.Flask, data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """Each way to forge a request: what is sent, and with which headers."""
    without = {name: value for name, value in data.items() if name != forgery.FIELD}
    with app.test_request_context():
        forgery.bind_to("staff|999|another session")
        another = forgery.token()
    yield "no token", without, {}
    yield "a made-up token", {**without, forgery.FIELD: "abc.def"}, {}
    yield "another session's token", {**without, forgery.FIELD: another}, {}
    yield "a foreign Origin", data, {"Origin": "https://evil.example.com"}
    yield "no Origin of any site", data, {"Origin": "null"}
    yield "a browser that calls it cross-site", data, {"Sec-Fetch-Site": "cross-site"}


def real_changes(change: Change, before: Rows) -> list[str]:
    return sorted(set(change.rows(before)) - BOOKKEEPING)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_form_is_refused_when_it_was_forged(
    app: flask.Flask, walker: Walker, undone: Any, at_first: Rows
) -> None:
    """The very request that is taken when it is honest (test_unlisted_fields shows that it is). On SQLite: a forgery is
    refused before any database is asked."""
    let_in = []
    found_forms = forms(walker)
    with undone() as change:
        for found in found_forms:
            page = walker.member(found.member).get(found.path).page
            data = filled_in_well(found, found.on(page))
            for name, sent, headers in forgeries(app, data):
                answer = walker.member(found.member).post(found.action, data=again(sent), headers=headers)
                if answer.status_code != 403:
                    let_in.append(f"{found} with {name}: {answer.status_code}")
        let_in += [f"{table} was changed" for table in real_changes(change, at_first)]

    assert let_in == []
    assert {"access.sign_in", "access.sign_out"} <= {found.endpoint for found in found_forms}


def again(sent: dict[str, Any]) -> dict[str, Any]:
    """A file is read once: it is handed over anew."""
    return {
        name: (type(value[0])(value[0].getvalue()), value[1]) if isinstance(value, tuple) else value
        for name, value in sent.items()
    }


def crawl(client: PageClient, start: str, most: int) -> list[str]:
    """Every page that can be reached from one by its links; of pages that differ by an id alone, a few."""
    waiting, seen = [start], {start}
    kinds: dict[str, int] = {}
    while waiting:
        path = waiting.pop(0)
        answer = client.get(path)
        assert answer.status_code < 500, f"{path}: {answer.status_code}"
        if answer.mimetype != "text/html" or answer.status_code != 200:
            continue
        for link in answer.page.all("a"):
            parts = urlsplit(link.get("href"))
            address = parts.path + (f"?{parts.query}" if parts.query else "")
            if parts.scheme or parts.netloc or not parts.path.startswith("/") or address in seen:
                continue
            kind = kind_of(client.application, parts.path, parts.query)
            kinds[kind] = kinds.get(kind, 0) + 1
            if kinds[kind] <= most:
                seen.add(address)
                waiting.append(address)
    return sorted(seen)


def kind_of(app: flask.Flask, path: str, query: str) -> str:
    """The endpoint, and the names of what is asked of it."""
    endpoint, _ = app.url_map.bind("localhost").match(path)
    return f"{endpoint}?{'&'.join(sorted(part.partition('=')[0] for part in query.split('&')))}"


@pytest.mark.timeout(900)
def test_opening_every_page_changes_nothing(walker: Walker, undone: Any, at_first: Rows) -> None:
    opened: set[str] = set()
    for member, start in (("manager", "/board"), ("administrator", "/admin")):
        with undone() as change:
            client = walker.member(member)
            opened |= set(crawl(client, start, most=3))
            assert real_changes(change, at_first) == [], f"opening a page as {member} changed these tables"

    assert len(opened) >= PAGES_AT_LEAST, sorted(opened)

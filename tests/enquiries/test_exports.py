"""Rows of the queue as a file: what was chosen and no more, within what may be seen, with a second person for many."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from crm.audit import AuditEntry
from crm.cases.models import Person
from crm.db import db, transaction
from crm.enquiries import list_exports
from tests.factories import Cast
from tests.staff.conftest import as_member, make_household

__all__ = ["as_member", "make_household"]

Make = Callable[..., str]
Browser = Callable[..., Any]


def rows_of(client: Any, **choices: Any) -> list[list[str]]:
    """Ask for a file of the whole queue and fetch it."""
    page = client.get("/enquiries/export").page
    asked = client.submit(page, field="format", **choices)
    there = client.get(asked.headers["Location"]).page
    fetched = client.submit(there, button="Fetch the file")
    assert fetched.headers["Content-Disposition"].startswith("attachment")
    return list(csv.reader(io.StringIO(fetched.data.decode("utf-8-sig"), newline="")))


def test_a_file_holds_the_chosen_columns_and_leaves_names_out_unless_they_are_chosen(
    make_household: Make, as_member: Browser, cast: Cast
) -> None:
    references = {make_household(), make_household(given="=cmd()")}
    client = as_member(cast.manager)

    plain = rows_of(client)
    chosen = rows_of(client, columns=["reference", "names"])

    assert "Names" not in plain[0]
    assert "Zephyrine" not in str(plain)
    assert chosen[0] == ["Reference", "Names"]
    assert {row[0] for row in chosen[1:]} == references
    assert [row[1] for row in chosen if "cmd" in row[1]] == ["'=cmd() Quillfeather"]


def test_a_way_that_somebody_ruled_out_stays_empty(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    make_household(no_calls=True)
    make_household()
    with app.app_context(), transaction():
        last = db.session.scalars(sa.select(Person).order_by(Person.id.desc())).first()
        last.no_contact = True  # type: ignore[union-attr]

    rows = rows_of(as_member(cast.manager), columns=["phones", "emails"])

    assert sorted(rows[1:]) == [["", ""], ["", "household1@example.org"]]


def test_a_large_file_waits_for_a_second_person_and_is_in_the_trail(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_exports, "ALONE_UP_TO", 1)
    make_household()
    make_household()
    recruiter, manager = as_member(cast.recruiter), as_member(cast.manager)
    page = recruiter.get("/enquiries/export").page

    alone = recruiter.submit(page, field="format", reason="A mail merge")
    asked = recruiter.submit(page, field="format", reason="A mail merge", second=str(cast.manager.id))
    there = asked.headers["Location"]
    early = recruiter.post(f"{there}/file", data=page.form(field="format").filled())
    make_household()  # after it was asked for: not part of what the second person sees
    manager.submit(manager.get(there).page, button="Yes, let them have it")
    fetched = recruiter.submit(recruiter.get(there).page, button="Fetch the file")

    assert alone.status_code == 422
    assert "choose who looks at it with you" in alone.page.text
    assert early.status_code == 409
    assert len(fetched.data.decode("utf-8-sig").splitlines()) == 3
    assert "Look at an export of 2 rows" in manager.get("/my-day").page.text
    with app.app_context():
        trail = db.session.scalars(sa.select(AuditEntry.event).order_by(AuditEntry.id)).all()
    assert [event for event in trail if event.startswith("export.")] == [
        "export.asked",
        "export.approved",
        "export.fetched",
    ]


def test_a_refused_or_old_file_can_not_be_fetched_and_nobody_elses_is_found(
    make_household: Make, as_member: Browser, cast: Cast, monkeypatch: pytest.MonkeyPatch, freeze: Any
) -> None:
    freeze("2026-07-14 10:40")
    make_household()
    recruiter, manager = as_member(cast.recruiter), as_member(cast.manager)
    mine = recruiter.submit(recruiter.get("/enquiries/export").page, field="format").headers["Location"]
    monkeypatch.setattr(list_exports, "ALONE_UP_TO", 0)
    page = recruiter.get("/enquiries/export").page
    large = recruiter.submit(page, field="format", reason="A mail merge", second=str(cast.manager.id))
    manager.submit(manager.get(large.headers["Location"]).page, button="No")

    refused = recruiter.get(large.headers["Location"]).page
    freeze("2026-07-16 10:41")
    old = as_member(cast.recruiter).get(mine).page

    assert "said no" in refused.text
    assert "The time to fetch it is over" in old.text
    assert as_member(cast.manager).get(mine).status_code == 404


def test_a_view_is_kept_under_a_name_for_one_person_alone(make_household: Make, as_member: Browser, cast: Cast) -> None:
    make_household()
    recruiter, manager = as_member(cast.recruiter), as_member(cast.manager)

    page = recruiter.get("/enquiries/views?view=over&channel=web").page
    recruiter.submit(page, field="name", name="Late from the web")

    assert 'href="/enquiries?view=over&amp;channel=web"' in recruiter.get("/enquiries").text
    assert "Late from the web" not in manager.get("/enquiries").text
    kept = recruiter.get("/enquiries/views").page
    recruiter.submit(kept, button="Take it away Late from the web")
    assert "view=over&amp;channel=web" not in recruiter.get("/enquiries").text


def test_the_file_is_read_in_as_few_statements_however_many_rows(
    app: flask.Flask, make_household: Make, cast: Cast
) -> None:
    from crm.clock import today_in_london
    from crm.enquiries.queries import Filters

    counts = []
    for _ in range(2):
        for _ in range(3):
            make_household()
        with app.app_context():
            sent: list[int] = []
            sa.event.listen(db.engine, "before_cursor_execute", lambda *_, sent=sent: sent.append(1))
            lines = list_exports._lines(cast.manager.actor, Filters(), today=today_in_london())
            found = list(list_exports._with_more(lines, [list_exports.COLUMNS["names"]]))
            counts.append((len(found), len(sent)))
    assert [rows for rows, _ in counts] == [3, 6]
    assert counts[0][1] == counts[1][1]

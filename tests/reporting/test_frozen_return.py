"""Freezing the annual return of a finished year: kept as it was, compared with today, thawed with a reason."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
import sqlalchemy as sa

from crm import policy
from crm.audit.models import AuditEntry
from crm.cases.models import Person, StageChange
from crm.clock import now_utc, today_in_london
from crm.db import db, new_row_key, transaction
from crm.reporting.freezing import (
    AlreadyFrozen,
    FiguresHaveChanged,
    ReasonNeeded,
    YearNotOver,
    freeze_return,
    thaw_return,
)
from crm.reporting.frozen import NotFrozen, frozen_in_force, frozen_returns
from crm.reporting.models import FrozenReturn
from crm.rules.permissions import NotPermitted
from crm.rules.return_years import ReturnYear
from tests.reporting.return_histories import Move, put_in
from tests.reporting.test_annual_return import home

YEAR = ReturnYear(2025)
PATH = "/reports/return?from=2025-04-01&to=2026-03-31"
WHY = "Ofsted sent it back: one withdrawal was put down to the wrong household."


@pytest.fixture
def year(session, cast, freeze):
    """Two households approved, one withdrawn without a code, one still in progress."""
    freeze("2026-07-14 14:00")
    received = Move("received", date(2025, 5, 1), False, None)
    with transaction():
        put_in(
            [
                home(received, Move("approved", date(2025, 12, 1), False, None)),
                home(received, Move("approved", date(2026, 2, 2), False, None), born=date(2006, 5, 1)),
                home(received, Move("withdrawn", date(2025, 8, 1), False, None)),
                home(Move("received", date(2024, 9, 1), False, None)),
            ],
            manager_id=cast.manager.id,
        )
    return cast


def freezing(cast, *, by=None, **more):
    today = today_in_london()
    with transaction():
        return freeze_return(
            YEAR,
            actor=(by or cast.manager).actor,
            now=now_utc(),
            today=today,
            rulebook=policy.rulebook_on(today),
            **more,
        ).id


def thawing(cast, *, by=None, why=WHY, **more):
    with transaction():
        thaw_return(YEAR, why=why, actor=(by or cast.manager).actor, now=now_utc(), **more)


def put_right(case_id: int) -> None:
    """A household of December was not approved after all: its application goes on."""
    with transaction():
        db.session.add(
            StageChange(
                row_key=new_row_key(), case_id=case_id, track="application", from_stage="approved", to_stage="with_adm",
                move="correct_stage", changed_at=now_utc(), effective_on=today_in_london(), actor_kind="staff",
                is_correction=True, edition="default",
            )
        )  # fmt: skip


def test_a_manager_looks_freezes_and_sees_who_and_when(year, client):
    client.sign_in(year.manager)
    page = client.get(PATH).page
    assert "1 thing to look at first" in page.text
    assert page.find("a", href="/reports/return/2025/freeze").text == "Freeze this year"
    form = client.get("/reports/return/2025/freeze").page
    assert "1 thing still to look at" in form.text
    assert "Withdrawn, without one of Ofsted’s codes: 1" in form.text
    done = client.submit(form, button="Freeze these figures", follow=True).page

    assert "Frozen on 14 July 2026: nothing has changed since" in done.text
    frozen = client.get("/reports/return/2025/frozen").page.text
    assert f"Frozen by {year.manager.name}, Tuesday 14 July 2026, 2pm, with 1 thing still to look at." in frozen
    assert "the method changed" in frozen
    kept = db.session.scalars(sa.select(FrozenReturn)).one()
    assert (kept.year, kept.frozen_by_id, kept.definition, kept.to_look_at) == (
        2025,
        year.manager.id,
        "households-3",
        1,
    )
    entry = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.event == "return.frozen")).one()
    assert (entry.subject, entry.detail["definition"]) == ("return:2025", "households-3")


def test_what_changes_afterwards_shows_as_was_and_is_and_the_frozen_figures_stay(year, client):
    freezing(year)
    put_right(1001)
    with transaction():
        db.session.execute(sa.update(Person).where(Person.household_id == 1001).values(born_on=None))
    client.sign_in(year.manager)

    table = client.get(PATH).page.find("section", **{"aria-labelledby": "h-changed"})
    rows = {row.first("th").text: [cell.text for cell in row.all("td")] for row in table.all("tr") if row.all("td")}
    assert rows["Applications: Approved"][0] == "2"
    assert rows["Applications: Approved"][1].startswith("1")
    assert rows["Applications: Approved"][2] == "−1"
    assert [cell[:2] for cell in rows["Applications: In progress on 31 March 2026"]] == ["1", "2,", "+1"]
    assert [cell[:1] for cell in rows["Carers of households approved in the year, by age: Not recorded, Carer 1"]] == [
        "0",
        "1",
        "+",
    ]
    frozen = client.get("/reports/return/2025/frozen").page
    sent = client.submit(frozen, button="CSV of the frozen figures")
    lines = {
        (line["Table"], line["Row"], line["Figure"]): line["Value"]
        for line in csv.DictReader(io.StringIO(sent.data.decode("utf-8-sig")))
    }
    assert lines["Applications", "− Approved", "Applications"] in ("2", 2)
    assert "return-2025-frozen.csv" in sent.headers["Content-Disposition"]
    assert client.submit(frozen, button="XLSX of the frozen figures").data[:2] == b"PK"
    taken = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.event == "report.taken")).all()
    assert [entry.detail["format"] for entry in taken] == ["csv", "xlsx"]


def test_a_year_is_frozen_once_and_thawed_with_a_reason_that_is_kept(year, client):
    first = freezing(year)
    with pytest.raises(AlreadyFrozen):
        freezing(year)
    client.sign_in(year.manager)
    assert client.get("/reports/return/2025/freeze").status_code == 409
    form = client.get("/reports/return/2025/thaw").page
    refused = client.submit(form, button="Thaw it", why=" ")
    assert refused.page.errors == ["Say why it is thawed"]
    client.submit(form, button="Thaw it", why=WHY, follow=True)

    assert frozen_in_force(YEAR) is None
    assert "Frozen on" not in client.get(PATH).page.text
    second = freezing(year)
    page = client.get("/reports/return/2025/frozen").page.text
    assert WHY in page
    assert f"Thawed by {year.manager.name}" in page
    assert [(one.id, one.thawed_why) for one in frozen_returns(YEAR)] == [(second, None), (first, WHY)]
    kept = db.session.get(FrozenReturn, first)
    assert WHY not in kept.thawed_why_sealed
    assert db.session.scalar(sa.select(sa.func.count()).where(AuditEntry.event == "return.thawed")) == 1


def test_figures_that_changed_meanwhile_are_looked_at_again(year, client):
    client.sign_in(year.manager)
    stale = client.get("/reports/return/2025/freeze").page
    put_right(1001)

    refused = client.submit(stale, button="Freeze these figures")

    assert refused.status_code == 422
    assert "The figures changed while you were looking" in refused.page.errors[0]
    assert frozen_in_force(YEAR) is None
    client.submit(refused.page, button="Freeze these figures", follow=True)
    db.session.rollback()
    assert frozen_in_force(YEAR).answer.table("applications").figure("approved", "count").value == 1
    thawing(year)
    with pytest.raises(FiguresHaveChanged):
        freezing(year, seen="x" * 64)


def test_a_year_that_goes_on_is_not_frozen_and_what_is_not_frozen_is_not_thawed(year, client, freeze):
    with pytest.raises(NotFrozen):
        thawing(year)
    with pytest.raises(ReasonNeeded):
        thawing(year, why="  ")
    client.sign_in(year.manager)
    for path, status in (
        ("/reports/return/2026/freeze", 409),
        ("/reports/return/2025/thaw", 409),
        ("/reports/return/2025/frozen", 409),
        ("/reports/return/2010/freeze", 404),
        ("/reports/return/2027/freeze", 404),
    ):
        assert client.get(path).status_code == status, path
    assert "Freeze this year" not in client.get("/reports/return").page.text
    freeze("2026-03-31 23:00")
    with pytest.raises(YearNotOver):
        freezing(year)
    freeze("2026-04-01 00:10")
    freezing(year)


def test_only_managers_have_a_part_in_it(year, client):
    freezing(year)
    for member in (year.recruiter, year.officer, year.administrator, year.decision_maker):
        client.sign_in(member)
        for path in (PATH, "/reports/return/rows/flow.received", "/reports/return/2025/frozen"):
            assert client.get(path).status_code == 403, (member.key, path)
        with pytest.raises(NotPermitted):
            thawing(year, by=member)
        with pytest.raises(NotPermitted):
            freezing(year, by=member)
    client.sign_in(year.recruiter)
    assert "Annual return" not in client.get("/reports/journey").page.text


def test_the_database_holds_one_in_force_and_says_who_thawed_and_why(year):
    freezing(year)
    for change in ({}, {"thawed_at": now_utc()}, {"thawed_at": now_utc(), "thawed_by_id": year.manager.id}):
        row = FrozenReturn(
            year=2025,
            frozen_at=now_utc(),
            frozen_by_id=year.manager.id,
            definition="x",
            to_look_at=0,
            body="{}",
            **change,
        )
        with pytest.raises(sa.exc.IntegrityError), transaction():
            db.session.add(row)

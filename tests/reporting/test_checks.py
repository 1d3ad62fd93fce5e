"""Checks by age: every number against a slow count over the rows, and nothing of what one found or whom we asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm import policy
from crm.assessments.checks import ITEM_TITLES
from crm.assessments.models import Application, Check
from crm.cases.models import Case, Journey
from crm.db import db, transaction
from crm.reporting.checks import BODIES, behind
from crm.reporting.figures import NoSuchReport, Question
from crm.rules.permissions import Actor, ActorKind, Role
from crm.rules.stage_one_checks import CHECK_RULES, LOCAL_CHECK_RULES
from crm.rules.waiting import OnWhom
from tests.reporting.putting import (
    BASE,
    answered,
    case_row,
    check_rows,
    day,
    journey_row,
    middle_of,
    put,
    put_households,
    rows_behind,
)

NOW = 400
TODAY = BASE + timedelta(days=NOW)
QUESTION = Question("checks", BASE + timedelta(days=250), BASE + timedelta(days=360))
AGES = {"under_2": (0, 13), "from_2": (14, 27), "from_4": (28, 55), "from_8": (56, 83), "from_12": (84, 10_000)}
ANSWERS = {
    "dbs": "dbs",
    "health_report": "medical",
    "medical_advice": "medical",
    "identity": "assessor",
    "employer_reference": "somebody_else",
}
"""Who answers each of the checks of these tests, told again and not asked."""


@dataclass(frozen=True)
class One:
    """One check. Days are counted from BASE; the lengths from the day it was asked for."""

    item: str
    asked: int | None
    came: int | None
    dropped: int | None
    ended: int | None
    is_chased: bool
    is_of_household: bool

    @property
    def left(self) -> int | None:
        """After how many days it was no longer waited for, without having come."""
        return (
            None
            if self.came is not None
            else min((n for n in (self.dropped, self.ended) if n is not None), default=None)
        )

    @property
    def is_out(self) -> bool:
        return self.asked is not None and self.came is None and self.left is None

    @property
    def age(self) -> int:
        return NOW - (self.asked or 0)

    @property
    def wait(self) -> tuple[int, bool]:
        until = self.came if self.came is not None else (self.left if self.left is not None else self.age)
        return until, self.came is not None


# Those that were asked for near the edges of the ages and of the year are the ones that are counted wrongly.
edges = st.sampled_from([NOW - n for n in (0, 13, 14, 27, 28, 55, 56, 83, 84, 364, 365)] + [249, 250, 360, 361])
ones = st.builds(
    One,
    item=st.sampled_from(sorted(ANSWERS)),
    asked=st.none() | edges | st.integers(20, NOW),
    came=st.none() | st.none() | st.integers(0, 90),
    dropped=st.sampled_from([None, None, None, 5, 30]),
    ended=st.sampled_from([None, None, None, 3, 45]),
    is_chased=st.booleans(),
    is_of_household=st.booleans(),
).map(lambda one: replace(one, asked=min(one.asked, NOW - 90)) if one.came and one.asked else one)


def put_in(several: list[One]) -> list[int]:
    """Each check on a case of its own, with its application."""
    ids = put_households(len(several))
    both = list(zip(ids, several, strict=True))
    put(Case, [case_row(n, n, place="in_assessment") for n in ids])
    put(Journey, [journey_row(n, BASE) for n in ids])
    put(
        Application,
        [
            {
                "id": n,
                "case_id": n,
                "received_on": BASE,
                "ended_on": None if one.ended is None else day((one.asked or 0) + one.ended),
            }
            for n, one in both
        ],
    )
    put(
        Check,
        [
            {
                "id": n,
                "case_id": n,
                "application_id": n,
                "person_id": None if one.is_of_household else n,
                "item": one.item,
                "slot": f"{one.item}:{n}:1",
                "what": "what",
                "chase_rule": "check_chase",
                "edition": "2026",
                "needed_from_on": BASE,
                "requested_on": day(one.asked),
                "chased_on": day(one.asked) if one.is_chased and one.asked is not None else None,
                "received_on": None if one.came is None or one.asked is None else day(one.asked + one.came),
                "dropped_on": None if one.dropped is None else day((one.asked or 0) + one.dropped),
                "asked_of_sealed": "sealed",
                "result_sealed": "sealed",
                "outcome_sealed": "sealed",
            }
            for n, one in both
        ],
    )
    return ids


def expected_lead(period: list[One], lately: list[One]) -> dict[str, object]:
    """The figures of one line of a division, by going through its checks."""
    waits = [one.wait for one in period]
    quarter, three_quarters = middle_of(waits, Fraction(3, 4)), middle_of(waits, Fraction(1, 4))
    over = f"over {max((length for length, _ in waits), default=0):,}"
    half = None
    if waits:
        half = over if quarter is None else f"{quarter} to {over if three_quarters is None else three_quarters}"
    return {
        "asked": len(period),
        "came": sum(one.came is not None for one in period),
        "still": sum(one.is_out for one in period),
        "middle": middle_of(waits),
        "half": half,
        "expect": foretold([one.wait for one in lately]),
    }


def foretold(waits: list[tuple[int, bool]]) -> str | None:
    if sum(came for _, came in waits) < 5:
        return None
    longest = days(max(length for length, _ in waits))
    middle, late = middle_of(waits), middle_of(waits, Fraction(1, 4))
    if middle is None:
        return f"Over {longest}"
    rest = f"a quarter over {longest}" if late is None else f"three quarters within {days(late)}"
    return f"Half within {days(middle)}, {rest}"


def days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def figures_of(table, line) -> dict[str, object]:
    return {column.name: figure.value for column, figure in zip(table.columns, line.figures, strict=True)}


@settings(max_examples=50)
@given(several=st.lists(ones, max_size=14))
def test_every_number_is_what_going_through_the_checks_gives(app, cast, several):
    with app.app_context():
        try:
            put_in(several)
            answer = answered(QUESTION, today=TODAY)

            table = answer.table("out")
            out = [one for one in several if one.is_out]
            assert {line.key for line in table.lines} == ({one.item for one in out} | {"all"} if out else set())
            for line in table.lines:
                of = [one for one in out if line.is_total or one.item == line.key]
                assert figures_of(table, line) == {
                    **{name: sum(low <= one.age <= high for one in of) for name, (low, high) in AGES.items()},
                    "all": len(of),
                    "oldest": max(one.age for one in of),
                    "chased": sum(one.is_chased for one in of),
                }

            asked = [one for one in several if one.asked is not None]
            period = [one for one in asked if 250 <= one.asked <= 360]
            lately = [one for one in asked if one.age < 365]
            divisions = {"kind": lambda one: one.item, "body": lambda one: ANSWERS[one.item]}
            for name, key in divisions.items():
                table = answer.table(name)
                keys = {key(one) for one in (*period, *lately)}
                assert {line.key for line in table.lines if not line.is_total} == keys
                for line in table.lines:
                    of, late = (
                        [one for one in ones if line.is_total or key(one) == line.key] for ones in (period, lately)
                    )
                    assert figures_of(table, line) == expected_lead(of, late), (name, line.label)
        finally:
            db.session.rollback()


@settings(max_examples=5)
@given(several=st.lists(ones, min_size=6, max_size=12))
def test_each_number_opens_as_many_rows_as_it_says(app, cast, several):
    with app.app_context():
        try:
            put_in(several)
            check_rows(QUESTION, answered(QUESTION, today=TODAY), cast.manager.actor, today=TODAY)
        finally:
            db.session.rollback()


DBS = One("dbs", 300, None, None, None, True, False)
OLD = replace(DBS, item="health_report", is_chased=False)
HOME = replace(DBS, item="identity", asked=390, is_of_household=True)


def test_a_row_says_what_whose_and_since_when_and_never_what_was_found_or_whom_we_asked(app, cast):
    with app.app_context():
        put_in([DBS, HOME, replace(DBS, came=20), replace(DBS, dropped=5)])
        answer = answered(QUESTION, today=TODAY)
        cells = {
            row.name: (row.cells, row.states[-1])
            for table, line in (("out", "all"), ("kind", "dbs"))
            for row in rows_behind(
                QUESTION,
                answer.table(table).figure(line, "all" if table == "out" else "asked"),
                cast.manager.actor,
                today=TODAY,
            )
        }
        asked, home = "Sun 27 December 2026", "Sat 27 March 2027"
        assert cells == {
            "Household 5000": (
                ("Enhanced DBS, children’s list", "Given5000", asked, asked, "Not yet", "100 days"),
                "over",
            ),
            "Household 5001": (
                ("Name, address and date of birth", "The household", home, home, "Not yet", "10 days"),
                "",
            ),
            "Household 5002": (
                ("Enhanced DBS, children’s list", "Given5002", asked, asked, "Sat 16 January 2027", "20 days"),
                "",
            ),
            "Household 5003": (
                ("Enhanced DBS, children’s list", "Given5003", asked, asked, "Not needed any more", "5 days"),
                "",
            ),
        }
        db.session.rollback()


def test_whoever_may_not_open_a_household_reads_neither_its_name_nor_whose_check_it_is(app, cast):
    """A decision maker is never led here; the rows would hold back all the same."""
    outsider = Actor(kind=ActorKind.STAFF, user_id=cast.decision_maker.id, roles=frozenset({Role.DECISION_MAKER}))
    with app.app_context():
        put_in([DBS])
        (row,) = rows_behind(
            QUESTION, answered(QUESTION, today=TODAY).table("out").figure("dbs", "all"), outsider, today=TODAY
        )
        assert (row.reference, row.name, row.path, row.cells[1]) == (None, None, None, "")
        assert not any("Given5000" in cell for cell in row.cells)
        db.session.rollback()


def test_checks_of_another_area_are_not_counted(app, cast):
    with app.app_context():
        put_in([DBS, OLD])
        db.session.execute(Journey.__table__.update().where(Journey.household_id == 5001).values(district="ZZ9"))
        area = next(one.name for one in policy.service().areas if "BR1" in one.districts)
        answer = answered(replace(QUESTION, area=area), today=TODAY)
        assert [answer.table("out").figure("all", "all").value] == [1]
        assert [line.key for line in answer.table("kind").lines] == ["dbs", "all"]
        assert behind(replace(QUESTION, area=area), "out.all.all", today=TODAY).count() == 1
        db.session.rollback()


def test_every_check_has_a_title_and_somebody_who_answers_it():
    assert {rule.item for rule in (*CHECK_RULES, *LOCAL_CHECK_RULES)} <= set(ITEM_TITLES)
    assert sorted(item for items in BODIES.values() for item in items) == sorted(ITEM_TITLES)
    assert all(ANSWERS[item] == whom for whom, items in BODIES.items() for item in items if item in ANSWERS)
    assert set(BODIES) == set(OnWhom)


def test_a_number_that_is_not_there_is_not_found(app):
    with app.app_context():
        for key in (
            "out.dbs.week",
            "out.x.all",
            "chased.x",
            "asked.dbs",
            "came.body.x",
            "still.kind.x",
            "lost.all",
            "",
        ):
            with pytest.raises(NoSuchReport):
                behind(QUESTION, key, today=TODAY)


def test_it_costs_as_many_statements_for_many_as_for_few(app, cast, queries):
    with app.app_context():
        answered(QUESTION, today=TODAY)  # the rules are read once
        db.session.rollback()
        sent = []
        for several in ([DBS], [DBS, OLD, HOME] * 15):
            put_in(several)
            with queries() as asked:
                answered(QUESTION, today=TODAY)
            sent.append(len(asked))
            db.session.rollback()
        assert sent[0] == sent[1] <= 4


def test_only_who_answers_for_the_clocks_reads_it(app, cast, client):
    for member in cast.staff.values():
        client.sign_in(member)
        status = client.get("/reports/checks").status_code
        assert status == (200 if member == cast.manager else 403), member.name
    client.sign_in(cast.recruiter)
    assert "Checks by age" not in client.get("/reports/journey").page.text
    assert client.get("/reports/checks/rows/out.all.all").status_code == 403


def test_the_page_says_what_is_out_and_what_to_expect(app, cast, client, freeze):
    with app.app_context(), transaction():
        put_in([DBS, OLD, HOME, *(replace(DBS, came=n) for n in (10, 20, 30, 40, 50, 60))])
    freeze("2027-04-06 12:00")
    client.sign_in(cast.manager)
    text = client.get("/reports/checks?from=2026-11-07&to=2027-02-25").page.text
    assert "3 checks out, 2 of them for 12 weeks or more" in text
    assert "Longest to expect now, DBS: half within 40 days, three quarters within 60 days" in text
    assert "Too few to say" in text
    rows = client.get("/reports/checks/rows/out.dbs.from_12?from=2026-11-07&to=2027-02-25").page.text
    assert "Out: Enhanced DBS, children’s list, 12 weeks or more 1" in rows
    assert "Household 5000" in rows

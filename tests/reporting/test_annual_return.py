"""The annual return: every number is what a slow reckoning over the same histories says, and opens its rows."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crm import policy
from crm.cases.models import Journey
from crm.db import db, writing
from crm.reporting import annual_return
from crm.reporting.figures import NoSuchReport, Question
from crm.rules.return_years import ReturnYear, definition_of
from tests.reporting.return_histories import TODAY, Home, Move, OneCase, many_homes, put_in

LONDON = ZoneInfo("Europe/London")
EXAMPLES = 1000 if os.environ.get("CRM_TEST_TIER") == "night" else 70
ROWS_LOOKED_AT = 12
ENDS = ("approved", "withdrawn", "stage_one_refused", "refused")
AW = ("AW1", "AW2", "AW3", "AW4", "AW5", "AW0")
YEARS = (2023, 2024, 2025, 2026)


def everything_of(begins: int):
    year = ReturnYear(begins)
    return annual_return.answer_of_year(year, today=TODAY, rulebook=policy.rulebook_on(TODAY))


# --- A slow reckoning -------------------------------------------------------------------------------------------------


def slowly_cut(moves: tuple[Move, ...]) -> list[list[Move]]:
    """The moves of each application: one that is received once the one before has ended is another."""
    found: list[list[Move]] = []
    for number, move in enumerate(moves):
        follows_an_end = number > 0 and moves[number - 1].to in ENDS
        if number == 0 or (move.to == "received" and not move.is_correction and follows_an_end):
            found.append([])
        found[-1].append(move)
    return found


def slowly_ended(moves: list[Move]) -> tuple[date, date | None, str]:
    """(received, ended, line), read from the last move backwards."""
    received = moves[0].on
    last = list(itertools.takewhile(lambda move: move.to in ENDS, reversed(moves)))
    if not last:
        return received, None, ""
    said = next((move.on for move in last if not move.is_correction), last[-1].on)
    ended, to, reason = max(said, received), last[0].to, (last[0].reason or "").split(":")[0]
    if to == "approved":
        return received, ended, "approved"
    if to != "withdrawn":
        return received, ended, "not_approved"
    if reason == "SERVICE":
        return received, ended, "by_service"
    return received, ended, f"withdrawn_{reason if reason in AW else 'none'}"


def slow_flow(some: list[Home], begins: int) -> Counter[str]:
    """Counted day by day: who was in progress the evening before, who came, who went, who is there on the last."""
    first, last = date(begins, 4, 1), date(begins + 1, 3, 31)
    found: Counter[str] = Counter()
    for home in some:
        for one in home.cases:
            for moves in slowly_cut(one.moves):
                received, ended, line = slowly_ended(moves)
                for day, which in ((first - timedelta(days=1), "start"), (last, "end")):
                    found[which] += received <= day and not (ended is not None and ended <= day)
                found["received"] += first <= received <= last
                if ended is not None and first <= ended <= last:
                    found[line] += 1
    return found


def slow_age(born: date, day: date) -> int:
    """Birthdays that were reached, one year after the other. The 29th of February is kept on 1 March."""
    age = -1
    for year in range(born.year, day.year + 1):
        try:
            birthday = born.replace(year=year)
        except ValueError:
            birthday = date(year, 3, 1)
        age += birthday <= day
    return age


def slow_carers(some: list[Home], begins: int) -> Counter[tuple[str, int]]:
    first, last = date(begins, 4, 1), date(begins + 1, 3, 31)
    found: Counter[tuple[str, int]] = Counter()
    for home in some:
        approved = [
            ended
            for one in home.cases
            for moves in slowly_cut(one.moves)
            for _, ended, line in [slowly_ended(moves)]
            if line == "approved" and ended is not None and first <= ended <= last
        ]
        for day in approved:
            # Of a household approved twice in a year, those are counted who lived there at the first.
            here = [
                born
                for role in ("applicant_1", "applicant_2")
                for which, born, left in home.applicants
                if which == role and (left is None or left > approved[0])
            ]
            for number, born in enumerate((here or [None])[:2]):
                age = slow_age(born, day) if born else None
                band = "not_recorded"
                if age is not None and 18 <= age <= 120:
                    band = "18_19" if age < 20 else "70_on" if age >= 70 else f"{age // 10}0_{age // 10}9"
                found[band, number] += 1
    return found


def in_london(moment) -> date:
    return moment.astimezone(LONDON).date()


def slow_enquiries(some: list[Home], begins: int) -> dict[str, int]:
    first, last = date(begins, 4, 1), date(begins + 1, 3, 31)
    touched = [
        [touch for one in home.cases for touch in one.touches if first <= in_london(touch) <= last] for home in some
    ]
    rows = db.session.execute(sa.select(Journey).where(Journey.household_id >= 1000)).scalars()
    asked = [row for row in rows if first <= row.asked_on <= last]
    not_real = [row for row in asked if row.standing == "ended" and row.ended_why in ("duplicate", "spam")]
    return {
        "contacts": sum(len(theirs) for theirs in touched),
        "in_touch": sum(1 for theirs in touched if theirs),
        "asked": len(asked),
        "not_real": len(not_real),
        "people": sum(len(some[row.household_id - 1000].applicants) for row in asked),
        "initial": len(asked) - len(not_real),
    }


# --- Against the product ----------------------------------------------------------------------------------------------


def test_every_number_is_what_a_slow_reckoning_says_and_opens_as_many_rows(app, session, cast, freeze):
    freeze("2026-07-14 14:00")
    turn = itertools.count()

    @settings(max_examples=EXAMPLES, database=None, phases=[Phase.generate, Phase.shrink])
    @given(some=many_homes, begins=st.sampled_from(YEARS))
    def reckon(some, begins):
        session.rollback()
        with writing():
            put_in(some, manager_id=cast.manager.id)
            answer = everything_of(begins)
            flow_is_right(answer, some, begins)
            carers_are_right(answer, some, begins)
            enquiries = answer.table("enquiries")
            assert {line.key: line.figures[0].value for line in enquiries.lines} == slow_enquiries(some, begins)
            limits_are_right(answer, some, begins)
            looks_are_right(answer, some, begins)
            if next(turn) % ROWS_LOOKED_AT == 0:
                rows_are_as_many(answer, begins, cast)
            session.rollback()

    reckon()


def flow_is_right(answer, some, begins):
    table, meant = answer.table("applications"), slow_flow(some, begins)
    found = {line.key: line.figures[0].value for line in table.lines}
    assert found == {line: meant[line] for line in found}
    assert set(meant) <= set(found)
    went = sum(count for line, count in found.items() if line not in ("start", "received", "end"))
    assert found["start"] + found["received"] - went == found["end"]
    assert table.note.startswith("It reconciles: ")


def carers_are_right(answer, some, begins):
    table, meant = answer.table("carers"), slow_carers(some, begins)
    for line in table.lines:
        for number, column in enumerate(("one", "two")):
            everybody = sum(count for (_, carer), count in meant.items() if carer == number)
            expected = everybody if line.key == "all" else meant[line.key, number]
            assert table.figure(line.key, column).value == expected, (line.key, column)
    approved = answer.table("applications").figure("approved", "count").value
    assert table.figure("all", "one").value == approved


def limits_are_right(answer, some, begins):
    first, last = date(begins, 4, 1), date(begins + 1, 3, 31)
    table = answer.table("limits")
    for line in table.lines:
        theirs = [one for home in some for one in home.clocks if one[0] == line.key and first <= one[1] <= last]
        kept = sum(1 for _, _, due, stopped, how in theirs if how == "met" and stopped <= due)
        missed = sum(1 for _, _, due, stopped, _ in theirs if (stopped or TODAY) > due)
        running = sum(1 for _, _, due, stopped, _ in theirs if stopped is None and due >= TODAY)
        percent = (200 * kept + kept + missed) // (2 * (kept + missed)) if kept + missed else None
        assert [figure.value for figure in line.figures] == [percent, kept, missed, kept + missed, running]


def looks_are_right(answer, some, begins):
    first, last = date(begins, 4, 1), date(begins + 1, 3, 31)
    meant: Counter[str] = Counter()
    for home in some:
        asked = min(in_london(one.touches[0]) for one in home.cases)
        open_at_end = 0
        for one in home.cases:
            for moves in slowly_cut(one.moves):
                received, ended, line = slowly_ended(moves)
                if received > last or (ended is not None and ended < first):
                    continue
                meant["no_code"] += line == "withdrawn_none" and first <= ended <= last
                meant["before_asked"] += received < asked
                meant["no_day"] += ended is None and (one.stage or one.moves[-1].to) in ENDS
                trailing = list(itertools.takewhile(lambda move: move.to in ENDS, reversed(moves)))
                if trailing:
                    said = next((move.on for move in trailing if not move.is_correction), trailing[-1].on)
                    meant["ended_first"] += said < received
                open_at_end += ended is None or ended > last
        meant["two_open"] += open_at_end if open_at_end > 1 else 0
    table = answer.table("checks")
    for key in ("no_code", "before_asked", "no_day", "ended_first", "two_open", "balance"):
        assert table.figure(key, "count").value == meant[key], key
    to_see = sum(1 for line in table.lines if line.figures[0].value)
    words = "Ready to send" if begins < 2026 else "Nothing to look at so far"
    if to_see:
        words = f"{to_see} thing{'s' if to_see > 1 else ''} to look at first"
    assert answer.headlines["checks"] == words


def rows_are_as_many(answer, begins, cast):
    year = ReturnYear(begins)
    question = Question("return", year.first_on, year.last_on)
    for table, line, column, figure in answer.every_figure():
        if figure.rows is None:
            assert not isinstance(figure.value, int) or figure.value == 0 or column.name == "percent"
            continue
        behind = annual_return.behind(question, figure.rows, today=TODAY)
        assert behind.count() == figure.value, (table.name, line.key, column.name)
        seen, after = [], None
        while True:
            page = behind.page(cast.manager.actor, after, 3, TODAY)
            assert page.count == figure.value
            assert all(row.reference for row in page.rows)
            seen += page.rows
            if page.after is None:
                break
            after = int(page.after)
        assert len(seen) == figure.value, (table.name, line.key, column.name)


def at(day: str, hour: int = 12):
    from datetime import UTC, datetime

    return datetime.fromisoformat(day).replace(hour=hour, minute=30, tzinfo=UTC)


def home(*moves: Move, born: date | None = date(1985, 2, 10), asked: str = "2024-05-01", again: tuple = ()) -> Home:
    cases = [OneCase((at(asked),), moves, None, None)]
    if again:
        cases.append(OneCase((at(asked),), again, None, None))
    return Home(tuple(cases), (("applicant_1", born, None),), ())


def test_withdrawn_and_returned_is_another_application_of_the_same_household(app, session, cast):
    back = home(
        Move("received", date(2025, 5, 1), False, None),
        Move("withdrawn", date(2025, 6, 1), False, "AW4"),
        again=(Move("received", date(2025, 9, 1), False, None), Move("approved", date(2026, 3, 31), False, None)),
    )
    with writing():
        put_in([back], manager_id=cast.manager.id)
        flow = everything_of(2025).table("applications")
        found = {line.key: line.figures[0].value for line in flow.lines if line.figures[0].value}
        assert found == {"received": 2, "withdrawn_AW4": 1, "approved": 1}
        assert "It reconciles: 0 + 2 − 1 − 1 = 0" in flow.note
        session.rollback()


def test_an_ending_that_was_taken_back_has_not_happened(app, session, cast):
    reopened = home(
        Move("received", date(2024, 5, 1), False, None),
        Move("withdrawn", date(2025, 3, 20), False, "AW1"),
        Move("in_assessment", date(2025, 6, 2), True, None),
    )
    with writing():
        put_in([reopened], manager_id=cast.manager.id)
        for begins, meant in ((2024, {"received": 1, "end": 1}), (2025, {"start": 1, "end": 1})):
            flow = everything_of(begins).table("applications")
            assert {line.key: line.figures[0].value for line in flow.lines if line.figures[0].value} == meant
        session.rollback()


def test_a_touch_half_an_hour_before_midnight_utc_in_summer_is_of_the_next_day(app, session, cast):
    late = Home((OneCase((at("2025-03-31", 23),), (), None, None),), (), ())
    with writing():
        put_in([late], manager_id=cast.manager.id)
        assert everything_of(2024).table("enquiries").figure("contacts", "count").value == 0
        assert everything_of(2025).table("enquiries").figure("contacts", "count").value == 1
        session.rollback()


def test_who_left_on_the_day_of_the_approval_is_no_carer_and_a_young_one_has_a_band(app, session, cast):
    day = date(2025, 12, 1)
    approved = (Move("received", date(2025, 5, 1), False, None), Move("approved", day, False, None))
    people = (
        ("applicant_1", date(1980, 1, 1), day),
        ("applicant_1", date(2005, 12, 2), day + timedelta(days=1)),
        ("applicant_2", date(1996, 2, 29), None),
    )
    with writing():
        put_in([Home((OneCase((at("2024-05-01"),), approved, None, None),), people, ())], manager_id=cast.manager.id)
        table = everything_of(2025).table("carers")
        found = {line.key: [figure.value for figure in line.figures] for line in table.lines if line.figures[0].value}
        assert found == {"18_19": [1, 0], "all": [1, 1]}
        assert table.figure("20_29", "two").value == 1
        session.rollback()


def test_the_number_of_statements_does_not_grow(app, session, cast, queries):
    approved = home(Move("received", date(2025, 5, 1), False, None), Move("approved", date(2025, 12, 1), False, None))
    counts = []
    for some in ([approved], [approved] * 40):
        with writing():
            put_in(some, manager_id=cast.manager.id)
            everything_of(2025)  # whatever is looked up once
            with queries() as sent:
                everything_of(2025)
            counts.append(len(sent))
            session.rollback()
    assert counts[0] == counts[1] <= 8


def test_other_days_are_answered_with_the_year_that_the_first_lies_in(app, session, cast):
    question = Question("return", date(2025, 3, 31), date(2025, 9, 1))
    answer = annual_return.answer(question, today=TODAY, rulebook=policy.rulebook_on(TODAY))
    assert answer.title == "Annual return 2024 to 2025"
    assert "You asked for 31 March 2025 to 1 September 2025: the return is by whole years" in answer.lede


@pytest.mark.parametrize(
    "key", ["", "flow.", "flow.nothing", "carer.three.all", "carer.one.x", "check.x", "kept.x", "x"]
)
def test_a_number_that_is_not_there_has_no_rows(app, session, key):
    with pytest.raises(NoSuchReport):
        annual_return.behind(Question("return", date(2025, 4, 1), date(2026, 3, 31)), key, today=TODAY)


def test_the_definition_used_is_said_with_its_source_and_how_sure(app, session, cast):
    for begins, source in ((2022, "to 2022–23"), (2023, "2023–24"), (2024, "2024–25"), (2025, "2024–25")):
        answer = everything_of(begins)
        assert source in definition_of(ReturnYear(begins)).source
        assert definition_of(ReturnYear(begins)).source in answer.table("enquiries").note
        assert "Not sure: the guidance was not read" in answer.table("enquiries").note
        used = [line.key for line in answer.table("definitions").lines if line.figures[0].words == "Yes"]
        assert used == [definition_of(ReturnYear(begins)).name]

"""From enquiry to approval: every number is what a slow reckoning over the same histories says, and opens its rows."""

from __future__ import annotations

import itertools
import os
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crm import policy
from crm.cases import journeys
from crm.db import writing
from crm.policy import changing
from crm.reporting import journey
from crm.reporting.figures import Answer, Mode, NoSuchReport, Question
from crm.reporting.spells import SPELLS
from crm.reporting.waits import likely_range
from tests.reporting import slowly
from tests.reporting.histories import COSTS, TODAY, Clock, Home, Journey, Move, clocks_kept, many_homes, put_in
from tests.reporting.slowly import PLACES, known

EXAMPLES = 1000 if os.environ.get("CRM_TEST_TIER") == "night" else 200
ROWS_LOOKED_AT = 8
"""Of so many histories one has its rows opened: that asks a hundred statements."""
periods = st.sampled_from(
    [
        (date(2024, 4, 1), date(2025, 3, 31)),
        (date(2025, 4, 1), date(2026, 3, 31)),
        (date(2024, 1, 1), date(2026, 12, 31)),
        (date(2024, 3, 31), date(2024, 3, 31)),
        (date(2025, 10, 26), date(2026, 3, 29)),
    ]
)
BROMLEY = "Bromley"
ASKED_AT = datetime(2025, 5, 6, 10, tzinfo=ZoneInfo("Europe/London"))
PRIYA = Home(
    "BR1",
    (
        Journey(
            ASKED_AT,
            "web",
            0,
            (
                Move("enquiry", "new", date(2025, 5, 6), False, None),
                Move("enquiry", "contacted", date(2025, 5, 8), False, None),
                Move("enquiry", "visited", date(2025, 5, 20), False, None),
            ),
        ),
    ),
    (Clock("first_contact", date(2025, 5, 6), date(2025, 5, 7), date(2025, 5, 8), "met", "dbs_late"),),
)


@pytest.fixture
def areas(session, cast):
    """Two areas, one with two districts."""
    now = datetime(2026, 7, 1, 9, tzinfo=ZoneInfo("Europe/London"))
    value = [{"name": BROMLEY, "districts": ["BR1", "BR2"]}, {"name": "Lewisham", "districts": ["SE6"]}]
    changing.change_setting(name="areas", value=value, actor=cast.administrator.actor, now=now, today=now.date())
    session.commit()


def asking(period, mode, area):
    return Question("journey", *period, Mode(mode), area)


def everything_of(question: Question) -> Answer:
    return journey.answer(question, today=TODAY, rulebook=policy.rulebook_on(TODAY))


def test_every_number_is_what_a_slow_reckoning_says_and_opens_as_many_rows(app, session, cast, freeze, areas):
    freeze("2026-07-14 14:00")
    calendar, turn = policy.rulebook_on(TODAY).calendar, itertools.count()

    @settings(max_examples=EXAMPLES, database=None, phases=[Phase.generate, Phase.shrink])
    @given(some=many_homes, period=periods, mode=st.sampled_from(list(Mode)), area=st.sampled_from([None, BROMLEY]))
    def reckon(some, period, mode, area):
        session.rollback()
        with writing():
            put_in(some, manager_id=cast.manager.id)
            question = asking(period, mode, area)
            answer = everything_of(question)
            theirs = [home for home in some if area is None or home.district in ("BR1", "BR2")]
            people = [known(home) for home in theirs]
            funnel_is_right(answer, people, question)
            times_are_right(answer, people, question, calendar.holidays)
            clocks_are_right(answer, theirs, question)
            sources_are_right(answer, people, [known(home) for home in some], question)
            if next(turn) % ROWS_LOOKED_AT == 0:
                rows_are_as_many(answer, question, cast)
            assert journeys.drift(calendar=calendar) == []
            session.rollback()

    reckon()


def lies_in(day: date | None, question: Question) -> bool:
    return day is not None and question.first_on <= day <= question.last_on


def funnel_is_right(answer, people, question):
    table = answer.table("journey")
    cohort = [one for one in people if lies_in(one.days["asked"], question)]
    gone = ("ended", "resting")
    for n, place in enumerate(PLACES):
        is_last = place == PLACES[-1]
        if question.mode is Mode.ASKED:
            got = sum(1 for one in cohort if place in one.days)
            ended = sum(1 for one in cohort if one.last == place and one.standing in gone)
            still = sum(1 for one in cohort if one.last == place and one.standing == "on_the_way")
            assert is_last or got == table.figure(PLACES[n + 1], "got").value + ended + still
        else:
            got = sum(1 for one in people if lies_in(one.days.get(place), question))
            ended = sum(1 for o in people if o.last == place and o.standing in gone and lies_in(o.left_on, question))
            here = [o for o in people if o.last == place and o.standing == "on_the_way"]
            still = sum(1 for o in here if lies_in(o.days[place], question))
        assert table.figure(place, "got").value == got
        assert table.figure(place, "ended").value == (0 if is_last else ended)
        assert table.figure(place, "still").value == (0 if is_last else still)


def times_are_right(answer, people, question, holidays):
    table, funnel = answer.table("time"), answer.table("journey")
    ends = {"first_call": "spoken", "to_visit": "visited", "to_applying": "applied", "stage_one": "passed"}
    ends |= {"to_panel": "panel", "decision": None}
    for key, spell in SPELLS.items():
        begins, end = str(spell.begins), ends[key]

        def wait_of(one, begins=begins, end=end):
            until = one.decided_on if end is None else one.days.get(end)
            moved = until is not None
            left = one.left_on if one.standing != "on_the_way" else None
            until = until or left or TODAY
            return slowly.working_days(one.days[begins], until, holidays), moved, left is None and not moved

        began = "asked" if question.mode is Mode.ASKED else begins
        came = [one for one in people if begins in one.days and lies_in(one.days[began], question)]
        waits = [wait_of(one) for one in came]
        assert table.figure(key, "middle").value == slowly.middle_wait([(w, moved) for w, moved, _ in waits])
        waiting = sorted((w for w, _, here in waits if here), reverse=True)
        assert table.figure(key, "waiting").value == len(waiting)
        assert table.figure(key, "longest").value == (waiting[0] if waiting else None)
        assert funnel.figure(end or "approved", "wait").value == table.figure(key, "middle").value


def clocks_are_right(answer, homes, question):
    table = answer.table("time")
    found = [clock for home in homes for clock in clocks_kept(home) if lies_in(clock.counted_from, question)]
    for key, spell in SPELLS.items():
        if spell.clock is None:
            continue
        mine = [clock for clock in found if clock.rule == spell.clock]
        kept = sum(1 for clock in mine if clock.how == "met" and clock.stopped <= clock.due)
        missed = sum(1 for clock in mine if (clock.stopped or TODAY) > clock.due)
        assert table.figure(key, "missed").value == missed
        percent = None if kept + missed == 0 else int(100 * kept / (kept + missed) + 0.5)
        assert table.figure(key, "kept").value == percent
        because = sum(1 for clock in mine if (clock.stopped or TODAY) > clock.due and clock.reason == "dbs_late")
        if because:
            assert answer.table("reasons").figure("dbs_late", spell.clock).value == because


def sources_are_right(answer, people, everybody, question):
    table = answer.table("sources")
    pence = 0.0
    for channel in ("web", "phone", "event"):
        mine = [one for one in people if one.channel == channel]
        asked = [one for one in mine if lies_in(one.days["asked"], question)]
        numbers = {"asked": len(asked), "on_the_way": sum(1 for one in asked if one.standing == "on_the_way")}
        for place in ("visited", "applied", "approved"):
            if question.mode is Mode.ASKED:
                numbers[place] = sum(1 for one in asked if place in one.days)
            else:
                numbers[place] = sum(1 for one in mine if lies_in(one.days.get(place), question))
        if not any(numbers[name] for name in ("asked", "visited", "applied", "approved")):
            continue
        for name, number in numbers.items():
            assert table.figure(channel, name).value == number
        shared = sum(COSTS[o.campaign] / sum(1 for p in everybody if p.campaign == o.campaign)
                     for o in asked if o.campaign is not None)  # fmt: skip
        assert abs(table.figure(channel, "cost").value * 100 - shared) <= 1
        pence += shared
    assert abs(table.figure("all", "cost").value * 100 - pence) < 0.51


def rows_are_as_many(answer, question, cast):
    for table, line, column, figure in answer.every_figure():
        if figure.rows is None:
            continue
        behind = journey.behind(question, figure.rows, today=TODAY)
        page = behind.page(cast.manager.actor, None, 100, TODAY)
        assert behind.count() == len(page.rows) == page.count, (table.name, line.key, column.name)
        if column.name != "kept":
            assert figure.value == page.count, (table.name, line.key, column.name)


@pytest.mark.parametrize(
    "key",
    ["got", "got.nowhere", "ended.", "kept.book_visit", "missed.", "waiting.x", "source.web", "source.x.asked",
     "source.web.passed", "reason.first_contact.x", "reason.x.none", "", "households"],
)  # fmt: skip
def test_a_number_that_there_is_not_opens_nothing(app, session, key):
    with pytest.raises(NoSuchReport):
        journey.behind(asking((date(2025, 4, 1), date(2026, 3, 31)), "asked", None), key, today=TODAY)


def test_an_answer_that_was_kept_is_the_answer_that_was_counted(app, session, cast, freeze):
    freeze("2026-07-14 14:00")
    answer = everything_of(asking((date(2025, 4, 1), date(2026, 3, 31)), "asked", None))

    read = Answer.from_text(answer.to_text(), counted_at=None)

    assert read == answer


def test_however_many_there_are_it_asks_as_often(app, session, cast, freeze, queries):
    freeze("2026-07-14 14:00")
    question = asking((date(2024, 1, 1), date(2026, 12, 31)), "asked", None)
    sent = []
    for count_of_homes in (1, 60):
        session.rollback()
        with writing():
            put_in([PRIYA] * count_of_homes, manager_id=cast.manager.id)
            with queries() as statements:
                everything_of(question)
            sent.append(len(statements))
            session.rollback()

    assert sent[0] == sent[1]


@pytest.mark.parametrize(
    ("seen", "low", "high"),
    [(0, 0.0, 2.996), (1, 0.051, 4.744), (3, 0.818, 7.754), (10, 5.425, 16.962)],
)
def test_the_range_of_a_small_count_is_as_in_the_tables(seen, low, high):
    """Garwood's exact limits of a Poisson mean, 90% two-sided, as printed in tables."""
    assert likely_range(seen) == pytest.approx((low, high), abs=0.001)

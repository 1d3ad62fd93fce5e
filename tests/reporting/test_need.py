"""Need against what is coming: every number is what a slow reckoning over the same households says."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from crm import policy
from crm.assessments import homes_ahead
from crm.assessments.models import AssessmentReport
from crm.assessments.need_models import HomeNeed
from crm.cases.models import Household
from crm.cases.models import Journey as Kept
from crm.db import db, writing
from crm.policy import changing
from crm.reporting import need as report
from crm.reporting.figures import Mode, NoSuchReport, Question
from crm.rules.need import NeedKind, Offer
from tests.assessments.journey import Journey

TODAY = date(2026, 7, 14)
QUESTION = Question("need", date(2026, 4, 1), date(2027, 3, 31), Mode.ACTIVITY)
AREAS = {"Bromley": ("BR1", "BR2"), "Lewisham": ("SE6",)}
AGES = {"ages_0_4": (0, 4), "ages_5_10": (5, 10), "ages_11_17": (11, 17), "teenagers": (13, 17)}
MONTHS_ON = {3: date(2026, 10, 14), 6: date(2027, 1, 14), 12: date(2027, 7, 14)}


@pytest.fixture
def areas(session, cast, freeze):
    now = freeze("2026-07-14 14:00")
    value = [{"name": name, "districts": list(districts)} for name, districts in AREAS.items()]
    changing.change_setting(name="areas", value=value, actor=cast.administrator.actor, now=now, today=TODAY)
    session.commit()


def add_need(cast, kind, homes, written_on, *, by_on=None, area=None) -> HomeNeed:
    at = datetime(written_on.year, written_on.month, written_on.day, 10, tzinfo=UTC)
    words = "Tigrinya" if kind in ("language", "other") else None
    need = HomeNeed(
        kind=kind, words=words, homes=homes, by_on=by_on, area=area, written_by_id=cast.manager.id, written_at=at,
        changed_at=at,
    )  # fmt: skip
    db.session.add(need)
    db.session.flush()
    return need


def slowly(need: HomeNeed, home: homes_ahead.Home) -> str:
    """Whether a household is what is needed, said anew: one child's age at a time."""
    offer = home.offer
    if need.area and home.district and home.district not in AREAS[need.area]:
        return "no"
    if need.kind in ("language", "other"):
        return "ask"
    if need.kind in ("parent_and_child", "short_breaks"):
        told = "ask" if offer.care is None else "yes" if offer.care in ("any", need.kind) else "no"
    elif offer.care in ("parent_and_child", "short_breaks"):
        told = "no"
    elif need.kind == "siblings":
        told = "ask" if offer.children is None else "yes" if offer.children > 1 else "no"
    elif offer.youngest is None and offer.oldest is None:
        told = "ask"
    else:
        oldest = 17 if offer.oldest is None else offer.oldest
        taken = [age for age in range(18) if (offer.youngest or 0) <= age <= oldest]
        first, last = AGES[need.kind]
        told = "yes" if [age for age in taken if first <= age <= last] else "no"
    return "ask" if told == "yes" and need.area and home.district is None else told


def any_home(draw: random.Random, case_id: int) -> homes_ahead.Home:
    youngest, oldest = sorted((draw.randint(0, 17), draw.randint(0, 17)))
    offer = Offer(
        draw.choice([None, 1, 2, 3]), draw.choice([None, youngest]), draw.choice([None, oldest]),
        draw.choice([None, "any", "short_term", "short_breaks", "parent_and_child"]),
    )  # fmt: skip
    district = draw.choice(["BR1", "BR2", "SE6", "ZE1", None])
    day = TODAY + timedelta(days=draw.choice([0, 20, 92, 93, 184, 365, 366, 500]))
    if draw.random() < 0.4:
        return homes_ahead.Home(case_id, district, offer, approved_on=TODAY - timedelta(days=draw.randint(0, 90)))
    return homes_ahead.Home(case_id, district, offer, panel_on=day)


def test_every_number_is_what_a_slow_reckoning_says(app, session, cast, areas, monkeypatch):
    draw = random.Random(7)
    with writing():
        made = [
            add_need(
                cast, str(kind), draw.randint(1, 6), TODAY - timedelta(days=draw.randint(0, 90)), area=area,
                by_on=draw.choice([None, TODAY + timedelta(days=100), TODAY - timedelta(days=3)]),
            )
            for kind in NeedKind
            for area in (None, *AREAS)
        ]  # fmt: skip
    for _ in range(40):
        homes = [any_home(draw, n) for n in range(draw.randint(0, 25))]
        ahead = homes_ahead.HomesAhead(
            tuple(one for one in homes if one.approved_on), tuple(one for one in homes if one.panel_on), more=False
        )
        monkeypatch.setattr(homes_ahead, "homes_ahead", lambda ahead=ahead, **_: ahead)
        table = report.answer(QUESTION, today=TODAY, rulebook=policy.rulebook_on(TODAY)).table("need")
        for need in made:
            theirs = [one for one in homes if one.panel_on or one.approved_on >= need.written_at.date()]
            fit = [one for one in theirs if slowly(need, one) == "yes"]
            got = {column.name: table.figure(f"n{need.id}", column.name) for column in report.COLUMNS}
            assert got["to_ask"].value == sum(1 for one in theirs if slowly(need, one) == "ask")
            if need.kind in ("language", "other"):
                assert {got[name].words for name in ("approved", "within_12", "likely", "gap")} == {"Ask"}
                continue
            approved = sum(1 for one in fit if one.approved_on)
            in_time = sum(1 for one in fit if one.panel_on and one.panel_on <= (need.by_on or MONTHS_ON[12]))
            assert got["approved"].value == approved
            for months, day in MONTHS_ON.items():
                assert got[f"within_{months}"].value == sum(1 for one in fit if one.panel_on and one.panel_on <= day)
            assert got["likely"].value == in_time
            assert got["gap"].value == max(need.homes - approved - in_time, 0)
            late = need.by_on is not None and need.by_on < TODAY
            assert got["gap"].state == ("" if not got["gap"].value else "over" if late else "due")


def test_terms_proposed_are_counted_and_open_their_household(app, session, cast, freeze):
    journey = Journey(cast, freeze).on("2026-03-03")
    journey.invited().applied().assessing().obtain_all().passed().stage_two()
    journey.report()
    with writing():
        need = add_need(cast, "teenagers", 2, date(2026, 3, 1))
        quiet = add_need(cast, "siblings", 2, date(2026, 3, 1))
    with writing():
        written = db.session.scalars(select(AssessmentReport)).one()
        written.terms_children, written.terms_youngest, written.terms_oldest = None, 10, 17

    table = report.answer(QUESTION, today=journey.today, rulebook=policy.rulebook_on(journey.today)).table("need")

    assert table.figure(f"n{need.id}", "within_12").value == 1
    assert table.figure(f"n{need.id}", "gap").value == 1
    assert table.figure(f"n{quiet.id}", "to_ask").value == 1
    seen = 0
    for line in table.lines:
        for figure in line.figures:
            if figure.rows:
                behind = report.behind(QUESTION, figure.rows, today=journey.today)
                page = behind.page(cast.manager.actor, None, 50, journey.today)
                assert behind.count() == page.count == len(page.rows) == figure.value
                assert page.rows[0].reference == journey.case.reference
                hidden = behind.page(cast.recruiter.actor, None, 50, journey.today).rows[0]
                assert (hidden.reference, hidden.name) == (None, None)
                seen += 1
    assert seen >= 4


def early(count: int, district: str | None) -> None:
    """Households that were visited and have not applied."""
    for _ in range(count):
        home = Household(name="The Nairs", created_at=datetime(2026, 5, 1, tzinfo=UTC))
        db.session.add(home)
        db.session.flush()
        db.session.add(
            Kept(
                household_id=home.id, asked_on=date(2026, 5, 1), asked_weekday=4, asked_hour=9, channel="web",
                district=district, visited_on=date(2026, 6, 1), standing="on_the_way",
            )
        )  # fmt: skip
    db.session.flush()


def test_who_has_not_applied_is_counted_and_no_more(app, session, cast, areas):
    with writing():
        early(3, "BR1")
        early(2, "ZE1")
        need = add_need(cast, "language", 2, date(2026, 7, 1))
        there = add_need(cast, "siblings", 2, date(2026, 7, 1), area="Bromley")

    table = report.answer(QUESTION, today=TODAY, rulebook=policy.rulebook_on(TODAY)).table("need")

    for one, count in ((need, 5), (there, 3)):
        figure = table.figure(f"n{one.id}", "early")
        assert figure.value == count
        assert report.behind(QUESTION, figure.rows, today=TODAY).count() == count


def test_it_asks_as_often_however_much_is_needed(app, session, cast, areas, queries):
    sent = []
    policy.rulebook_on(TODAY)
    policy.service()
    for more in (1, 12):
        with writing():
            for _ in range(more):
                add_need(cast, "teenagers", 2, date(2026, 7, 1), area="Bromley")
            early(more, "BR1")
        with queries() as statements:
            report.answer(QUESTION, today=TODAY, rulebook=policy.rulebook_on(TODAY))
        sent.append(len(statements))

    assert sent[0] == sent[1]


@pytest.mark.parametrize("key", ["approved.999999", "approved.x", "approved", "nothing.1", "within_4.1", "early.²"])
def test_what_is_not_there_opens_nothing(app, session, cast, areas, key):
    with writing():
        add_need(cast, "teenagers", 2, date(2026, 7, 1))

    with pytest.raises(NoSuchReport):
        report.behind(QUESTION, key, today=TODAY)

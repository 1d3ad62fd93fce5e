"""Who takes a new enquiry: in turn where an area has several people, passing over whoever can't."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from crm import policy
from crm.access import leave
from crm.access.models import User
from crm.cases.change_stage import change_stage
from crm.cases.models import Case, Channel, TimelineEntry
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.cases.owners import next_in_turn
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.enquiries import triage
from crm.policy import changing
from crm.rules.permissions import PUBLIC, Role
from crm.rules.stages import TrackName
from tests.factories import Member, make_user

MONDAY = "2026-07-13 10:00"


@pytest.fixture
def team(session, cast, freeze):
    """Bromley has three people, in this order; the rest goes to the manager."""
    freeze(MONDAY)
    with transaction():
        made = [make_user(Member(f"r{n}", f"Recruiter {n}", frozenset({Role.RECRUITER}))) for n in (1, 2, 3)]
        policy.ensure_defaults(now=now_utc())
        given = {"actor": cast.administrator.actor, "now": now_utc(), "today": today_in_london()}
        areas = [{"name": "Bromley", "districts": ["BR1"], "owner_ids": [one.id for one in made]}]
        changing.change_setting(name="areas", value=areas, **given)
        changing.change_setting(name="fallback_owner_id", value=cast.manager.id, **given)
    return made


def arrive(number=1, *, postcode="BR1 3KO"):
    """Somebody enquires by the public form; whose it is."""
    today = today_in_london()
    with transaction():
        case = open_case(
            people=[NewPerson(given_name=f"Jo{number}", phone=f"07700 900{number:03d}")],
            touch=NewTouch(channel=Channel.WEB, received_at=now_utc(), source="Web form"),
            actor=PUBLIC,
            now=now_utc(),
            today=today,
            rulebook=policy.rulebook_on(today),
            postcode=postcode,
        )
        return case.owner_id


def away(member, cast, *, days=5, cover=None):
    today = today_in_london()
    with transaction():
        return leave.note_leave(
            db.session.get(User, member.id),
            first_on=today,
            last_on=today + timedelta(days=days),
            cover=db.session.get(User, cover.id) if cover else None,
            actor=cast.manager.actor,
            now=now_utc(),
            today=today,
        )


def newest():
    db.session.rollback()
    return db.session.scalars(sa.select(Case).order_by(Case.id.desc())).first()


def told(case):
    """What the timeline says of whose the case is."""
    titles = sa.select(TimelineEntry.title).where(TimelineEntry.case_id == case.id, TimelineEntry.kind == "system")
    return db.session.scalars(titles).all()


def test_each_takes_a_turn_and_the_case_says_so(team):
    takers = [arrive(number) for number in range(1, 7)]

    assert takers == [one.id for one in (*team, *team)]
    assert told(newest()) == ["Given to Recruiter 3: next in turn for Bromley"]


def test_whoever_had_the_fewest_lately_is_next(team, cast):
    away(team[2], cast, days=0)
    assert [arrive(number) for number in (1, 2)] == [team[0].id, team[1].id]

    with transaction():
        db.session.execute(sa.text("UPDATE staff_leave SET withdrawn_at = noted_at"))

    assert arrive(3) == team[2].id


@pytest.mark.parametrize("why", ["away", "left", "switched to other work", "full"])
def test_whoever_cannot_is_passed_over(team, cast, why):
    with transaction():
        if why == "left":
            db.session.execute(sa.update(User).where(User.id == team[0].id).values(active=False))
        elif why == "switched to other work":
            db.session.execute(sa.text(f"UPDATE staff_role SET role = 'panel_member' WHERE user_id = {team[0].id}"))
        elif why == "full":
            db.session.execute(sa.update(User).where(User.id == team[0].id).values(enquiries_at_once=0))
    if why == "away":
        away(team[0], cast)

    assert [arrive(number) for number in (1, 2, 3)] == [team[1].id, team[2].id, team[1].id]


def test_where_all_of_an_area_are_away_their_cover_takes_it(team, cast):
    for one in team:
        away(one, cast, cover=cast.recruiter if one is team[1] else None)

    assert arrive() == cast.recruiter.id
    assert told(newest()) == ["Given to Marcus Bello: covers for Recruiter 2"]


def test_where_all_are_full_whoever_takes_the_rest_takes_it(team, cast):
    with transaction():
        db.session.execute(sa.update(User).where(User.id.in_([one.id for one in team])).values(enquiries_at_once=1))

    assert [arrive(number) for number in range(1, 5)] == [*(one.id for one in team), cast.manager.id]


def test_where_nobody_else_is_here_somebody_full_is_better_than_nobody(team, cast):
    with transaction():
        db.session.execute(sa.update(User).where(User.id == team[0].id).values(enquiries_at_once=0))
    for one in (team[1], team[2], cast.manager):
        away(one, cast)

    assert arrive() == team[0].id
    assert told(newest()) == ["Given to Recruiter 1: everybody in Bromley has as many as they can"]


def test_outside_every_area_whoever_takes_the_rest_takes_it(team, cast):
    assert arrive(postcode="ZE1 0AA") == cast.manager.id
    assert arrive(2, postcode=None) == cast.manager.id


def test_turns_of_long_ago_count_for_nothing(team, freeze):
    assert [arrive(number) for number in (1, 2)] == [team[0].id, team[1].id]
    freeze("2026-08-20 10:00")

    assert arrive(3) == team[0].id


def test_forms_that_arrive_at_once_take_different_turns(app, team):
    if db.engine.dialect.name == "sqlite":
        barrier = None  # one writer at a time there is the database's own doing
    else:
        barrier = threading.Barrier(3, timeout=10)

    def one(number):
        with app.app_context():
            if barrier is not None:
                barrier.wait()
            try:
                return arrive(number)
            finally:
                db.session.remove()

    db.session.rollback()
    with ThreadPoolExecutor(3) as pool:
        takers = list(pool.map(one, (1, 2, 3)))

    assert sorted(takers) == sorted(one.id for one in team)


def test_a_household_that_comes_back_to_somebody_who_left_is_somebodys(team, cast):
    arrive()
    case, today = newest(), today_in_london()
    given = {"actor": cast.manager.actor, "now": now_utc(), "today": today, "rulebook": policy.rulebook_on(today)}
    with transaction():
        triage.close_enquiry(case, reason_code="withdrew", words="", write_to_them=False, **given)
        db.session.execute(sa.update(User).where(User.id == team[0].id).values(active=False))

    with transaction():
        change_stage(case, "reopen_enquiry", reason="They rang", **given)

    assert case.stages[TrackName.ENQUIRY] == "contacted"
    assert case.owner_id == team[1].id


def test_an_asking_alone_writes_no_turn(team):
    with transaction():
        first = next_in_turn("BR1 3KO", now=now_utc(), today=today_in_london())
    with transaction():
        again = next_in_turn("BR1 3KO", now=now_utc(), today=today_in_london())

    assert first == again


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"last_on": date(2026, 7, 12)}, "comes before the first"),
        ({"first_on": date(2026, 7, 1), "last_on": date(2026, 7, 3)}, "passed already"),
        ({"last_on": date(2028, 7, 20)}, "longer than a year"),
        ({"cover": "self"}, "somebody else who works here"),
        ({"cover": "away"}, "Recruiter 2 is away from"),
    ],
)
def test_leave_says_how_to_put_it_right(team, cast, given, said):
    away(team[1], cast)
    covers = {"self": team[0].id, "away": team[1].id}
    days = {"first_on": date(2026, 7, 13), "last_on": date(2026, 7, 17), **given}
    days["cover"] = db.session.get(User, covers[given["cover"]]) if "cover" in given else None

    with pytest.raises(leave.LeaveNotClear, match=said), transaction():
        leave.note_leave(
            db.session.get(User, team[0].id), **days, actor=cast.manager.actor, now=now_utc(), today=today_in_london()
        )


def test_the_same_days_are_not_taken_twice_and_leave_is_taken_back_once(team, cast):
    noted = away(team[0], cast)
    with pytest.raises(leave.LeaveNotClear, match="is away from"):
        away(team[0], cast)

    for _ in range(2):
        with transaction():
            leave.withdraw_leave(noted, actor=cast.manager.actor, now=now_utc())

    assert arrive() == team[0].id
    away(team[0], cast)

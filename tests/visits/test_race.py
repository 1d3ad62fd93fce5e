"""One slot, one booking (G10): 64 people in 4 processes, released together, on both databases."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crm.cases.models import Case
from crm.clock import LONDON, now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import Channel, OutboundMessage
from crm.visits import choosing, hours, offers
from crm.visits.models import Place, Purpose, VisitOfficer
from tests.racers import CLIENTS, Racers, racing
from tests.visits.conftest import Verbs, open_household
from tests.visits.racers import act

ROUNDS_BY_DAY, ROUNDS_BY_NIGHT = 20, 200


class Race:
    """The households that wait, and rounds in which they all want something at once."""

    def __init__(self, racers: Racers, cast: Any) -> None:
        self.racers, self.cast = racers, cast
        self.verbs = Verbs(cast)
        self.made = 0
        self.waiting: list[int] = []
        self.tokens: dict[int, str] = {}
        self.day = today_in_london() + timedelta(days=7 - today_in_london().weekday())

    def next_day(self) -> date:
        """A Monday to Friday that no round has used yet."""
        self.day += timedelta(days=1)
        while self.day.weekday() > 4:
            self.day += timedelta(days=1)
        return self.day

    def fill_up(self) -> list[int]:
        """64 cases that wait for a visit."""
        with transaction():
            while len(self.waiting) < CLIENTS:
                self.made += 1
                self.waiting.append(open_household(self.cast, self.made, couple=False, send_letters=False).id)
        return list(self.waiting)

    def job(self, op: str, starts_at: datetime | None = None, *officers: Any, length: int = 90, **more: Any) -> dict:
        return {
            "op": op,
            "by": self.cast.recruiter.id,
            "now": now_utc().isoformat(),
            "today": today_in_london().isoformat(),
            "starts_at": starts_at.isoformat() if starts_at else None,
            "officers": [officer.id for officer in officers],
            "length": length,
            **more,
        }

    def token(self, case_id: int, *officers: Any) -> str:
        """The secret of the link by which a household chooses a time with these officers."""
        if case_id not in self.tokens:
            with transaction():
                case = db.session.get(Case, case_id)
                offer = choosing.send_offer(
                    case,
                    purpose=Purpose.FIRST_VISIT,
                    place=Place.HOME,
                    length_minutes=90,
                    officer_ids=[one.id for one in officers],
                    **self.verbs.given(actor=self.cast.recruiter.actor),
                )
                person = case.household.people[0]
                address = offers.link_for(offer, person, channel=Channel.EMAIL, address=person.email, now=now_utc())
                self.tokens[case_id] = address.rpartition("/")[2]
        return self.tokens[case_id]

    def through_every_door(self, when: datetime, officer: Any) -> list[dict]:
        """64 who want one time of one officer: a quarter at our screens, a quarter by their own link, a quarter that
        the officer writes into their own calendar, and a quarter for whom the officer invites our mailbox."""
        jobs = []
        for number, case_id in enumerate(self.fill_up()):
            op = ("book", "choose", "calendar", "mail")[number % 4]
            token = self.token(case_id, officer) if op == "choose" else None
            jobs.append(self.job(op, when, officer, case_id=case_id, token=token))
        return jobs

    def run(self, jobs: list[dict]) -> list[dict]:
        db.session.rollback()
        before = self.invitations()
        results = self.racers.run(jobs)
        db.session.rollback()
        self.forget_booked()
        faults = [result for result in results if result["what"] in ("fault", "refused")]
        assert faults == []
        assert all(result["alternatives"] for result in results if result["what"] == "taken")
        self.invited = self.invitations() - before
        assert overlaps() == []
        return results

    def forget_booked(self) -> None:
        """Those who have a visit now wait for none."""
        booked = {case.id for case in db.session.scalars(sa.select(Case).where(Case.place == "visit_booked"))}
        self.waiting = [case_id for case_id in self.waiting if case_id not in booked]

    def invitations(self) -> int:
        """Letters that ever told an officer of a visit (an invitation, or the answer to one): one a booking."""
        db.session.rollback()
        return db.session.scalar(
            sa.select(sa.func.count())
            .select_from(OutboundMessage)
            .where(OutboundMessage.kind.in_(("officer_visit_invitation", "officer_event_booked")))
        )


def overlaps() -> list[tuple[int, int]]:
    """Pairs of visits that hold the same officer at the same time, asked of the rows themselves."""
    one, other = sa.orm.aliased(VisitOfficer), sa.orm.aliased(VisitOfficer)
    rows = db.session.execute(
        sa.select(one.visit_id, other.visit_id).where(
            one.officer_id == other.officer_id,
            one.id < other.id,
            one.holds,
            other.holds,
            one.starts_at < other.blocked_until_at,
            other.starts_at < one.blocked_until_at,
        )
    )
    return [tuple(row) for row in rows]


def counted(results: list[dict]) -> Counter[str]:
    return Counter(result["what"] for result in results)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=LONDON)


@pytest.fixture
def race(app, session, cast, database, settings):
    with racing({**database.environ, "CRM_DATA": str(settings.data_dir)}, act) as racers:
        race = Race(racers, cast)
        race.waiting = database.made_once("households-that-race", race.fill_up)
        race.made = CLIENTS
        yield race


def test_one_slot_has_one_holder_whoever_asks_at_once(race, rounds):
    for _ in range(rounds(ROUNDS_BY_DAY, ROUNDS_BY_NIGHT)):
        when = at(race.next_day(), 14)

        results = race.run([race.job("book", when, race.cast.officer, case_id=one) for one in race.fill_up()])

        assert counted(results) == {"done": 1, "taken": 63}
        assert race.invited == 1


def test_a_time_wanted_through_every_door_at_once_has_one_holder(race, rounds):
    for _ in range(rounds(1, 20)):
        when = at(race.next_day(), 14)

        results = race.run(race.through_every_door(when, race.cast.manager))

        assert counted(results) == {"done": 1, "taken": 63}, {one["words"] for one in results if "words" in one}
        assert all("another" not in one["words"] for one in results if one["op"] == "choose" and "words" in one)
        assert race.invited == 1


def test_times_that_overlap_without_being_equal_have_one_holder(race, rounds):
    for _ in range(rounds(3, 30)):
        day = race.next_day()
        starts = [at(day, 14, 15 * (number % 4)) for number in range(CLIENTS)]

        results = race.run(
            [
                race.job("book", when, race.cast.officer, case_id=one)
                for one, when in zip(race.fill_up(), starts, strict=True)
            ]
        )

        assert counted(results) == {"done": 1, "taken": 63}
        assert race.invited == 1


def test_a_visit_moved_into_a_slot_and_people_who_book_it_leave_one_holder(race, rounds):
    movers = 8
    for _ in range(rounds(3, 30)):
        elsewhere = []
        day = race.next_day()
        for number in range(movers):
            if number % 3 == 0:
                day = race.next_day()
            case = db.session.get(Case, race.fill_up()[0])
            when = at(day, 9 + 3 * (number % 3)).strftime("%Y-%m-%d %H:%M")
            elsewhere.append(race.verbs.book(case, when, race.cast.other_officer).id)
            race.waiting.remove(case.id)
        target = at(race.next_day(), 14)
        jobs = [race.job("move", target, race.cast.officer, visit_id=one) for one in elsewhere]
        jobs += [race.job("book", target, race.cast.officer, case_id=one) for one in race.fill_up()[movers:]]

        results = race.run(jobs)

        assert counted(results) == {"done": 1, "taken": 63}


def test_a_slot_given_up_goes_to_one_person(race, rounds):
    for _ in range(rounds(3, 30)):
        day = race.next_day()
        case = db.session.get(Case, race.fill_up()[0])
        held = race.verbs.book(case, at(day, 14).strftime("%Y-%m-%d %H:%M"), race.cast.officer)
        race.waiting.remove(case.id)
        jobs = [race.job("cancel", visit_id=held.id)]
        jobs += [race.job("book", at(day, 14), race.cast.officer, case_id=one) for one in race.fill_up()[1:]]

        results = race.run(jobs)
        assert counted([one for one in results if one["op"] == "cancel"]) == {"done": 1}
        won = counted([one for one in results if one["op"] == "book"])["done"]
        assert won <= 1
        again = race.run([race.job("book", at(day, 14), race.cast.officer, case_id=one) for one in race.fill_up()])

        assert won + counted(again)["done"] == 1


def test_two_officers_named_in_any_order_never_wait_for_each_other(race, rounds):
    dice = random.Random(10)
    officers = [race.cast.officer, race.cast.other_officer, race.cast.manager]
    for _ in range(rounds(3, 30)):
        days = [race.next_day() for _ in range(3)]
        jobs = []
        for one in race.fill_up():
            pair = dice.sample(officers, dice.choice((1, 2, 2)))
            jobs.append(race.job("book", at(dice.choice(days), dice.choice((10, 11, 14))), *pair, case_id=one))

        results = race.run(jobs)

        assert 3 <= counted(results)["done"] <= 18


def test_visits_that_swap_places_at_once_do_not_lock_up(race, rounds):
    for _ in range(rounds(2, 20)):
        day, held = race.next_day(), []
        for hour, officer in ((10, race.cast.officer), (14, race.cast.other_officer)):
            case = db.session.get(Case, race.fill_up()[0])
            held.append(race.verbs.book(case, at(day, hour).strftime("%Y-%m-%d %H:%M"), officer))
            race.waiting.remove(case.id)
        jobs = [
            race.job("move", at(day, 14), race.cast.other_officer, visit_id=held[0].id),
            race.job("move", at(day, 10), race.cast.officer, visit_id=held[1].id),
        ]
        jobs += [race.job("book", at(day, 10), race.cast.officer, case_id=one) for one in race.fill_up()[2:]]

        results = race.run(jobs)

        assert counted(results)["done"] <= 1


def test_the_hour_that_does_not_exist_has_one_holder_too(race):
    """On the last Sunday of March 00:45 and 02:00 on a London clock are a quarter of an hour apart."""
    today = today_in_london()
    year = today.year + 1
    change = max(date(year, 3, d) for d in range(25, 32) if date(year, 3, d).weekday() == 6)
    officer = race.cast.officer
    with transaction():
        hours.set_hours(officer.id, spans={6: [(0, 1440)]}, visits_a_day=6, actor=officer.actor, now=now_utc())
    starts = [at(change, 0, 45) if number % 2 else at(change, 2) for number in range(CLIENTS)]

    results = race.run(
        [race.job("book", when, officer, case_id=one) for one, when in zip(race.fill_up(), starts, strict=True)]
    )

    assert counted(results) == {"done": 1, "taken": 63}

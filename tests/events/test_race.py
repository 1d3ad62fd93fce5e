"""The last place of an event (G10): many people in several processes, let go together, on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.events import places, planning, publishing
from crm.events.models import EventGuest, EventKind, EventSignUp, RecruitmentEvent, SignUpStatus
from crm.events.places import NewSignUp
from crm.rules.permissions import PUBLIC
from tests.conftest import IS_NIGHT
from tests.events.conftest import at
from tests.events.racers import NOW, act, people
from tests.racers import CLIENTS, Job, Racers, Result, racing

BY_DAY = 16
"""Clients of a round by day: enough to meet at one row, and over in seconds."""
HOW_MANY = CLIENTS if IS_NIGHT else BY_DAY
CAPACITY = 12
PLAN = {
    "name": "Coffee and questions",
    "kind": EventKind.INFORMATION_EVENING,
    "starts_at": at("2026-07-11 10:00"),
    "ends_at": at("2026-07-11 12:00"),
    "place": "St Aldwyn’s Hall",
    "town": "Catford",
}


class Race:
    def __init__(self, racers: Racers, cast: Any) -> None:
        self.racers, self.cast = racers, cast
        self.guests = 0

    def event(self, *, taken: int = 0) -> int:
        """An event of CAPACITY places, so many of them taken, one to a sign-up."""
        with transaction():
            given = {"actor": self.cast.recruiter.actor, "now": NOW}
            event = planning.create_event(**PLAN, capacity=CAPACITY, staff_ids=[self.cast.recruiter.id], **given)
            publishing.publish(event, **given)
            for number in self.numbers(taken):
                places.sign_up(event, NewSignUp(people=people(number)), actor=PUBLIC, now=NOW)
        event_id = event.id
        db.session.rollback()
        return event_id

    def numbers(self, count: int) -> range:
        """Guests whom nobody has heard of yet."""
        self.guests += count
        return range(self.guests - count, self.guests)

    def run(self, jobs: list[Job]) -> list[Result]:
        db.session.rollback()
        results = self.racers.run(jobs)
        db.session.rollback()
        assert [result for result in results if result["what"] == "fault"] == []
        assert places.drift() == []
        return results


def stands(event_id: int) -> Counter[str]:
    return Counter(db.session.scalars(sa.select(EventSignUp.status).where(EventSignUp.event_id == event_id)))


def rows_of(event_id: int) -> list[EventSignUp]:
    by_number = sa.select(EventSignUp).where(EventSignUp.event_id == event_id).order_by(EventSignUp.id)
    return list(db.session.scalars(by_number))


def links_of(event_id: int) -> list[str]:
    found = [row.link_token or "" for row in rows_of(event_id)]
    db.session.rollback()
    return found


def letters_to(event_id: int) -> Counter[tuple[str, str]]:
    """How many letters of each kind each guest of an event was written."""
    mine = set(db.session.scalars(sa.select(EventGuest.email).where(EventGuest.event_id == event_id)))
    letters = db.session.scalars(sa.select(OutboundMessage))
    return Counter((letter.recipient, letter.kind) for letter in letters if letter.recipient in mine)


@pytest.fixture
def race(app, session, cast, database, settings) -> Iterator[Race]:
    with racing({**database.environ, "CRM_DATA": str(settings.data_dir)}, act, HOW_MANY) as racers:
        yield Race(racers, cast)


@pytest.mark.timeout(1800)
def test_the_last_place_goes_to_one_and_the_others_stand_in_line(race, rounds):
    """Then the same with one address that signs up from everywhere at once, and with couples among those alone."""
    for _ in range(rounds(1, 20)):
        event_id = race.event(taken=CAPACITY - 1)
        race.run([{"op": "sign_up", "event_id": event_id, "numbers": [n]} for n in race.numbers(HOW_MANY)])
        assert stands(event_id) == {SignUpStatus.CONFIRMED: CAPACITY, SignUpStatus.WAITING: HOW_MANY - 1}
        assert set(letters_to(event_id).values()) == {1}
        assert sum(letters_to(event_id).values()) == CAPACITY + HOW_MANY - 1

        event_id, (me,) = race.event(taken=CAPACITY - 1), race.numbers(1)
        race.run([{"op": "sign_up", "event_id": event_id, "numbers": [me]} for _ in range(HOW_MANY)])
        assert stands(event_id) == {SignUpStatus.CONFIRMED: CAPACITY}
        # The second of them sends the link again, and the hour's limit holds for all who come after.
        assert letters_to(event_id)[f"guest{me}@example.org", "event_place"] == 2

        event_id, numbers = race.event(), iter(race.numbers(2 * HOW_MANY))
        parties = [[next(numbers), next(numbers)] if one % 3 else [next(numbers)] for one in range(HOW_MANY)]
        race.run([{"op": "sign_up", "event_id": event_id, "numbers": party} for party in parties])
        taken = db.session.get_one(RecruitmentEvent, event_id).places_taken
        alone = [row for row in rows_of(event_id) if row.adults == 1 and row.status == SignUpStatus.WAITING]
        assert taken == CAPACITY or (taken == CAPACITY - 1 and not alone)


@pytest.mark.timeout(1800)
def test_places_given_back_changed_and_wanted_at_once_leave_none_empty_and_none_taken_twice(race, rounds):
    for _ in range(rounds(1, 20)):
        event_id = race.event(taken=CAPACITY)
        links = links_of(event_id)
        jobs = [{"op": "give_up", "link": links[number % 4]} for number in range(HOW_MANY // 4)]
        jobs += [{"op": "join", "link": links[4], "numbers": [n]} for n in race.numbers(HOW_MANY // 4)]
        jobs += [{"op": "sign_up", "event_id": event_id, "numbers": [n]} for n in race.numbers(HOW_MANY - len(jobs))]
        results = race.run(jobs)

        assert [one for one in results if one["what"] == "refused" and one["op"] != "join"] == []
        assert db.session.get_one(RecruitmentEvent, event_id).places_taken == CAPACITY
        assert stands(event_id)[SignUpStatus.CANCELLED] == 4
        assert {number for (_, kind), number in letters_to(event_id).items() if kind == "event_given_up"} == {1}

        race.run([{"op": "come_after_all", "link": links[number % 4]} for number in range(HOW_MANY)])
        assert stands(event_id)[SignUpStatus.CANCELLED] == 0
        assert db.session.get_one(RecruitmentEvent, event_id).places_taken == CAPACITY

        event_id = race.event(taken=CAPACITY - 4)
        (link, *_) = links_of(event_id)
        results = race.run([{"op": "join", "link": link, "numbers": [n]} for n in race.numbers(HOW_MANY)])
        assert {one["what"] for one in results} == {"done"}
        assert db.session.get_one(RecruitmentEvent, event_id).places_taken == CAPACITY - 3
        assert [guest.position for guest in rows_of(event_id)[0].guests] == [1, 2]

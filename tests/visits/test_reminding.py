"""The day before a visit the household is reminded, once for each time that it is to begin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from crm.cases.models import Case, Task, TimelineEntry
from crm.clock import LONDON, now_utc
from crm.db import db, transaction
from crm.delivery import Channel, MessageStatus, OutboundMessage, worker
from crm.delivery.queries import email_parts
from crm.visits import reminding

VISIT = "2026-07-14 14:00"


@pytest.fixture(autouse=True)
def on_a_monday_before(freeze: Any) -> None:
    freeze("2026-07-06 09:30")


def remind() -> int:
    """What the timetable does, until nothing is left."""
    done = 0
    while True:
        with transaction():
            count = reminding.remind_for_tomorrow(now_utc())
        done += count
        if not count:
            assert not reminding.has_visits_to_remind_of(now_utc())
            return done


def reminders(*statuses: str) -> list[OutboundMessage]:
    query = sa.select(OutboundMessage).where(OutboundMessage.kind == "visit_reminder").order_by(OutboundMessage.id)
    return list(db.session.scalars(query.where(OutboundMessage.status.in_(statuses)) if statuses else query))


def say(case: Case, **rules: Any) -> None:
    with transaction():
        for person in case.household.people:
            for name, value in rules.items():
                setattr(person, name, value)


def test_each_is_reminded_once_on_the_day_before(verbs: Any, freeze: Any) -> None:
    case = verbs.household()
    verbs.book(case, VISIT)

    freeze("2026-07-12 18:00")
    before = remind()
    freeze("2026-07-13 08:59")
    too_early = remind()
    freeze("2026-07-13 09:05")
    first, again = remind(), remind()

    assert (before, too_early, first, again) == (0, 0, 1, 0)
    written = reminders()
    assert [message.recipient for message in written] == ["maya1@example.org", "daniel1@example.org"]
    parts = email_parts(written[0])
    assert parts is not None
    assert "Tuesday 14 July, 2pm" in parts.text
    assert "Hello Maya" in parts.text
    assert "Daniel" not in parts.text
    assert all(message.not_after == datetime(2026, 7, 14, 13, tzinfo=UTC) for message in written)


def test_it_goes_by_the_way_that_they_prefer_and_at_a_time_that_is_safe(verbs: Any, freeze: Any) -> None:
    case = verbs.household(couple=False)
    verbs.book(case, VISIT)
    say(case, prefers="text", quiet_times="morning")

    freeze("2026-07-13 09:05")
    remind()

    (message,) = reminders()
    assert message.channel == Channel.TEXT
    assert message.not_before > now_utc()
    assert message.not_before.astimezone(LONDON).date().isoformat() == "2026-07-13"


def test_whoever_ruled_both_ways_out_is_not_reminded_and_the_case_says_so(verbs: Any, freeze: Any) -> None:
    case = verbs.household(couple=False)
    verbs.book(case, VISIT)
    say(case, no_emails=True, no_texts=True)
    tasks = db.session.scalar(sa.select(sa.func.count()).select_from(Task))

    freeze("2026-07-13 09:05")
    remind()

    assert reminders() == []
    titles = [entry.title for entry in db.session.scalars(sa.select(TimelineEntry))]
    assert "No reminder of the visit went to Maya Thompson1: they asked us not to write to them that way" in titles
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Task)) == tasks


def test_a_visit_that_is_called_off_is_not_reminded_of(verbs: Any, freeze: Any) -> None:
    visit = verbs.book(verbs.household(), VISIT)
    verbs.cancel(visit)

    freeze("2026-07-13 09:05")

    assert remind() == 0


def test_a_reminder_that_has_not_left_when_the_visit_is_moved_or_called_off_never_does(verbs: Any, freeze: Any) -> None:
    case, other = verbs.household(1, couple=False), verbs.household(2, couple=False)
    moved, called_off = verbs.book(case, VISIT), verbs.book(other, "2026-07-14 10:00", verbs.cast.other_officer)
    for one in (case, other):
        say(one, quiet_times="morning")
    freeze("2026-07-13 09:05")
    remind()

    verbs.move(moved, "2026-07-20 14:00")
    verbs.cancel(called_off)
    freeze("2026-07-13 15:00")
    worker.deliver_once(clock=now_utc)

    assert [message.status for message in reminders()] == [MessageStatus.SUPERSEDED] * 2
    freeze("2026-07-19 09:05")
    assert remind() == 1
    (fresh,) = reminders(MessageStatus.QUEUED)
    assert "Monday 20 July" in fresh.subject


def test_whoever_was_told_in_the_last_hours_knows_already(verbs: Any, freeze: Any) -> None:
    case = verbs.household()
    freeze("2026-07-13 11:00")
    verbs.book(case, VISIT)

    assert remind() == 1
    assert reminders() == []

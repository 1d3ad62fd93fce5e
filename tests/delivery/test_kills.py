"""A worker killed at any moment loses no letter; what arrives twice is the very same letter (G9)."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections import defaultdict
from datetime import timedelta
from email import message_from_bytes

import sqlalchemy as sa

from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import MessageStatus, OutboundMessage, enqueue
from tests.delivery import killed_worker
from tests.delivery.examples import invitation_message, new_message
from tests.delivery.right_recipient import assert_right_recipient
from tests.delivery.sink import sink
from tests.quick_processes import quick_processes

KILLS, KILLS_AT_NIGHT = 20, 1000


def run_worker(database, settings, port, boundary, nth):
    process = quick_processes().Process(
        target=killed_worker.run,
        args=({**database.environ, "CRM_DATA": str(settings.data_dir)}, port, boundary, nth),
    )
    process.start()
    process.join(60)
    assert process.exitcode is not None, "the worker hangs"
    return process.exitcode


def write_a_visits_news(number):
    """Two households hear of a visit and of its new time, one of them that it is off; others get ordinary letters."""
    now = now_utc() - timedelta(seconds=1)
    stream, who = f"visit-{number}", f"h{number}@example.org"
    for step in range(3):
        with transaction():
            if step == 0:
                enqueue(invitation_message(0, stream=stream, to=who), now=now)
            elif step == 1:
                enqueue(new_message(key=f"other-{number}", to=f"o{number % 4}@example.org"), now=now)
            else:
                enqueue(new_message(key=f"last-{number}", to=who), now=now)
        yield step


def calendars_of(copies):
    """What calendar programs make of all copies: the state with the highest (SEQUENCE, DTSTAMP) of each UID."""
    calendars = defaultdict(dict)
    for recipient, raw in copies:
        for part in message_from_bytes(raw).walk():
            if part.get_content_type() == "text/calendar":
                lines = dict(
                    line.split(":", 1) for line in part.get_payload(decode=True).decode().split("\r\n") if ":" in line
                )
                event = calendars[recipient].setdefault(lines["UID"], (-1, ""))
                calendars[recipient][lines["UID"]] = max(event, (int(lines["SEQUENCE"]), lines["STATUS"]))
    return calendars


def test_each_letter_is_seen_once_wherever_workers_are_killed(app, session, database, settings, rounds):
    kills = rounds(KILLS, KILLS_AT_NIGHT)
    chance = random.Random(9)
    order = list(itertools.islice(itertools.cycle(killed_worker.BOUNDARIES), kills))
    chance.shuffle(order)
    died_at = defaultdict(int)
    streams = []

    with sink() as server:
        for number, boundary in enumerate(order):
            for _ in write_a_visits_news(number):
                pass
            streams.append(f"visit-{number}")
            nth = chance.randint(1, 2)
            code = run_worker(database, settings, server.port, boundary, nth)
            if code == -signal.SIGKILL:
                died_at[boundary] += 1
            if number % 3 == 2:  # some visits move and some are called off while their news is on the way
                moved, off = streams[number - 1], streams[number - 2]
                at = now_utc() - timedelta(milliseconds=10)
                with transaction():
                    enqueue(invitation_message(1, stream=moved, to=f"h{number - 1}@example.org"), now=at)
                with transaction():
                    enqueue(invitation_message(1, method="CANCEL", stream=off, to=f"h{number - 2}@example.org"), now=at)
        deadline = time.monotonic() + 60
        while _open_letters() and time.monotonic() < deadline:
            time.sleep(killed_worker.LEASE.total_seconds())
            assert run_worker(database, settings, server.port, None, 0) == 0
        copies = [(letter.recipients[0], letter.raw) for letter in server.taken]

    assert sum(died_at.values()) == kills, f"not every kill landed: {dict(died_at)}"
    rows = session.scalars(sa.select(OutboundMessage).order_by(OutboundMessage.id)).all()
    assert {row.status for row in rows} <= {MessageStatus.SENT, MessageStatus.SUPERSEDED}
    by_id = defaultdict(list)
    for recipient, raw in copies:
        assert_right_recipient(raw, recipient)
        by_id[message_from_bytes(raw)["Message-ID"]].append(raw)
    sent = [row for row in rows if row.status == MessageStatus.SENT]
    # 1. nothing is lost and nothing else is sent
    assert {row.message_id for row in sent} <= set(by_id)
    assert set(by_id) <= {row.message_id for row in rows}
    # 2. every copy of a letter is the same letter, byte for byte
    assert all(len(set(raws)) == 1 for raws in by_id.values())
    assert all(by_id[row.message_id][0] == row.payload for row in sent)
    # 3. copies too many only where the server had taken the letter and we had not yet remembered it
    surplus = len(copies) - len(by_id)
    assert surplus <= sum(died_at[boundary] for boundary in killed_worker.MAY_DOUBLE)
    # 4. each person's letters arrived in the order in which they were written
    written = {row.message_id: row.id for row in rows}
    for recipient in {recipient for recipient, _ in copies}:
        first_seen = list(
            dict.fromkeys(written[message_from_bytes(raw)["Message-ID"]] for to, raw in copies if to == recipient)
        )
        assert first_seen == sorted(first_seen)
    # 5. each calendar ends with one event, in its final state
    for recipient, events in calendars_of(copies).items():
        (event,) = events.values()
        newest = max(
            (row.stream_sequence, row.calendar_method)
            for row in sent
            if row.stream is not None and row.recipient == recipient
        )
        assert event == (newest[0], "CANCELLED" if newest[1] == "CANCEL" else "CONFIRMED")


def _open_letters():
    with transaction(write=False):
        return db.session.scalar(
            sa.select(sa.func.count())
            .select_from(OutboundMessage)
            .where(OutboundMessage.status.in_((MessageStatus.QUEUED, MessageStatus.SENDING)))
        )

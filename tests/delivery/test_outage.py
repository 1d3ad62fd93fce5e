"""A mail server that is bad for a whole day loses no letter and changes no order (G5)."""

from __future__ import annotations

import smtplib
from collections import defaultdict
from datetime import timedelta

import pytest
import sqlalchemy as sa

from crm.db import transaction
from crm.delivery import MessageStatus, OutboundMessage, enqueue, queries, worker
from crm.delivery.failures import SendFault, Stage
from tests.delivery.examples import NOW, invitation_message, new_message

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
GONE = "gone@example.org"


class BadDay:
    """Refuses, asks to wait, goes away in mid-letter, hangs up without an answer, three hours each; then well."""

    def __init__(self, clock):
        self.clock = clock
        self.copies = []

    def send(self, *, sender, recipient, raw, message_id):
        hours = (self.clock() - NOW) // HOUR
        if hours >= 24:
            if recipient == GONE:
                raise SendFault(Stage.RECIPIENT, smtplib.SMTPResponseException(550, b"no such user"))
            self.copies.append((recipient, message_id))
            return
        turn = hours // 3 % 5
        if turn == 0:
            raise SendFault(Stage.CONNECT, ConnectionRefusedError())
        if turn == 1:
            raise SendFault(Stage.RECIPIENT, smtplib.SMTPResponseException(451, b"later"))
        if turn == 2:
            raise SendFault(Stage.CONTENT, smtplib.SMTPResponseException(421, b"closing"))
        if turn == 3:
            raise SendFault(Stage.CONTENT, TimeoutError())
        raise SendFault(Stage.CONTENT, smtplib.SMTPServerDisconnected())

    def close(self):
        pass


@pytest.fixture
def told(monkeypatch):
    found = []
    monkeypatch.setitem(
        worker.ON_GIVEN_UP, "letter_given_up", lambda message, *, now, **_: found.append((message.recipient, now))
    )
    return found


def test_a_day_of_trouble_loses_nothing_and_keeps_everybodys_order(session, told):
    now = NOW

    def clock():
        return now

    line = BadDay(clock)
    with transaction():
        for n in range(40):
            enqueue(new_message(key=f"a{n}", to=f"p{n % 10}@example.org"), now=NOW)
        for n in range(5):
            enqueue(invitation_message(0, stream=f"moved-{n}", to=f"m{n}@example.org"), now=NOW)
            enqueue(invitation_message(0, stream=f"off-{n}", to=f"o{n}@example.org"), now=NOW)
        enqueue(new_message(key="gone", to=GONE), now=NOW)
        enqueue(new_message(key="reminder", to="p1@example.org", not_after=NOW + 12 * HOUR), now=NOW)
    changed = overdue = False
    while now < NOW + 49 * HOUR:
        for _ in range(2):
            if not worker.deliver_once(clock=clock, transport=line).line_is_down:
                break
        if not changed and now >= NOW + 6 * HOUR:
            changed = True
            with transaction():
                for n in range(5):
                    enqueue(invitation_message(1, stream=f"moved-{n}", to=f"m{n}@example.org"), now=now)
                    enqueue(invitation_message(1, method="CANCEL", stream=f"off-{n}", to=f"o{n}@example.org"), now=now)
        overdue = overdue or (queries.oldest_unsent_age(now=now) or MINUTE) > 30 * MINUTE
        session.rollback()
        now += 10 * MINUTE

    rows = {row.message_id: row for row in session.scalars(sa.select(OutboundMessage))}
    by_status = defaultdict(list)
    for row in rows.values():
        by_status[row.status].append(row)
    assert not by_status[MessageStatus.QUEUED]
    assert not by_status[MessageStatus.SENDING]
    assert [row.recipient for row in by_status[MessageStatus.GIVEN_UP]] == [GONE]
    assert [recipient for recipient, _ in told] == [GONE]
    assert {row.last_failure for row in by_status[MessageStatus.SUPERSEDED]} <= {
        "overtaken", "first_never_left", "too_late"
    }  # fmt: skip
    assert "reminder" in {row.dedupe_key for row in by_status[MessageStatus.SUPERSEDED]}
    assert overdue, "nobody would have been told that letters were not leaving"
    assert len(line.copies) == len(set(line.copies)) == len(by_status[MessageStatus.SENT])
    for recipient in {to for to, _ in line.copies}:
        ids = [rows[message_id].id for to, message_id in line.copies if to == recipient]
        assert ids == sorted(ids)
    for n in range(5):
        assert [rows[m].stream_sequence for to, m in line.copies if to == f"m{n}@example.org"] == [1]

"""Letters leave once, in order, however many workers there are and whatever the mail server does."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta

import pytest

from crm.db import transaction
from crm.delivery import MessageStatus, OutboundMessage, enqueue, hold_everything, signed_addresses, worker
from crm.delivery.failures import DOWN_WAITS, MOST_REFUSALS, REFUSED_WAITS, TRIED_FOR, SendFault, Stage
from crm.delivery.signed_addresses import Purpose, Signed
from crm.delivery.transports import FilesTransport, SmtpTransport
from crm.settings import SmtpSettings
from tests.delivery.examples import NOW, invitation_message, new_message
from tests.delivery.right_recipient import assert_right_recipient
from tests.delivery.sink import free_port, sink

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Line:
    """A transport that keeps what it is given, or says no as it is told."""

    def __init__(self):
        self.sent = []
        self.faults = []

    def send(self, *, sender, recipient, raw, message_id):
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        self.sent.append((recipient, raw))

    def close(self):
        pass

    @property
    def recipients(self):
        return [recipient for recipient, _ in self.sent]


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def server():
    with sink() as running:
        yield running


def write(*messages, now=NOW):
    with transaction():
        return [enqueue(message, now=now).id for message in messages]


def letter(session, row_id):
    return session.get(OutboundMessage, row_id, populate_existing=True)


def deliver(line, at=NOW, **options):
    return worker.deliver_once(clock=lambda: at, transport=line, **options)


def answered(code, stage=Stage.RECIPIENT):
    import smtplib

    return SendFault(stage, smtplib.SMTPResponseException(code, b"maya@example.org said no"))


def line_down():
    return SendFault(Stage.CONNECT, ConnectionRefusedError())


def test_what_leaves_is_what_was_stored(session, server):
    (row_id,) = write(invitation_message())
    stored = letter(session, row_id).payload
    session.rollback()

    tally = deliver(SmtpTransport(server.settings), at=NOW + MINUTE)

    assert tally.sent == 1
    assert server.raws == [stored]
    assert server.taken[0].recipients == ("maya@example.org",)
    assert signed_addresses.read(server.taken[0].sender) == Signed(Purpose.BOUNCE, row_id, 0)
    assert_right_recipient(server.raws[0], server.taken[0].recipients)
    row = letter(session, row_id)
    assert (row.status, row.sent_at, row.attempts) == (MessageStatus.SENT, NOW + MINUTE, 1)


def test_many_letters_go_over_one_connection(session, server, monkeypatch):
    write(*(new_message(key=str(n), to=f"a{n}@example.org") for n in range(5)))
    opened = []
    real = SmtpTransport._connected
    monkeypatch.setattr(SmtpTransport, "_connected", lambda self: opened.append(1) or real(self))

    transport = SmtpTransport(server.settings)
    assert deliver(transport).sent == 5
    transport.close()

    assert len(opened) == 1


def test_nothing_is_sent_twice(session, line):
    write(new_message())

    deliver(line)
    deliver(line)

    assert len(line.sent) == 1


def test_letters_to_one_person_leave_in_the_order_they_were_written(session, line):
    write(*(new_message(key=str(n), context={"pack_url": f"https://example.org/{n}"}) for n in range(4)))

    deliver(line)

    assert [f"/{n}".encode() in raw for n, (_, raw) in enumerate(line.sent)] == [True] * 4


def test_a_letter_that_must_wait_holds_up_later_ones_to_the_same_person_and_nobody_elses(session, line):
    write(new_message(key="1"), new_message(key="2"), new_message(key="3", to="daniel@example.org"))
    line.faults = [answered(451)]

    deliver(line)
    assert line.recipients == ["daniel@example.org"]

    deliver(line, at=NOW + 2 * MINUTE)
    assert line.recipients == ["daniel@example.org", "maya@example.org", "maya@example.org"]


def test_a_letter_given_up_on_lets_the_next_one_through(session, line):
    write(new_message(key="1"), new_message(key="2"))
    line.faults = [answered(550)]

    assert deliver(line).given_up == 1

    assert line.recipients == ["maya@example.org"]


def test_a_letter_put_off_on_purpose_holds_up_only_its_own_visits_news(session, line):
    write(
        invitation_message(0, not_before=NOW + MINUTE),
        new_message(key="other"),
    )
    deliver(line)
    assert len(line.sent) == 1
    assert b"Our visit" not in line.sent[0][1]

    write(invitation_message(1, not_before=NOW))
    deliver(line)
    assert len(line.sent) == 2
    assert b"has moved" in line.sent[1][1]


def test_a_letter_waits_for_its_time(session, line):
    write(new_message(not_before=NOW + HOUR))

    deliver(line, at=NOW + 59 * MINUTE)
    assert line.sent == []

    deliver(line, at=NOW + HOUR)
    assert len(line.sent) == 1


def test_a_reminder_of_something_past_is_not_sent(session, line):
    (row_id,) = write(new_message(not_after=NOW + HOUR))

    tally = deliver(line, at=NOW + 2 * HOUR)

    assert (line.sent, tally.dropped) == ([], 1)
    assert (letter(session, row_id).status, letter(session, row_id).last_failure) == (
        MessageStatus.SUPERSEDED,
        "too_late",
    )


def test_held_letters_stay(session, line):
    write(new_message())
    with transaction():
        hold_everything()

    deliver(line, at=NOW + HOUR)

    assert line.sent == []


# --- Trying again, and giving up --------------------------------------------------------------------------------------


def test_not_now_is_tried_again_at_growing_intervals_and_then_given_up(session, line):
    (row_id,) = write(new_message())
    at, waits = NOW, []
    while True:
        line.faults = [answered(451)]
        deliver(line, at=at)
        row = letter(session, row_id)
        if row.status != MessageStatus.QUEUED:
            break
        waits.append(row.next_attempt_at - at)
        at = row.next_attempt_at
        session.rollback()

    assert waits == list(REFUSED_WAITS)
    assert (row.status, row.attempts, row.last_failure) == (
        MessageStatus.GIVEN_UP, MOST_REFUSALS + 1, "asked_to_wait"
    )  # fmt: skip
    assert at - NOW > timedelta(hours=24), "a mail server's bad day must not lose letters"


def test_a_dead_line_counts_against_no_letter_until_two_days_have_passed(session, line):
    (row_id,) = write(new_message())
    at, waits = NOW, []
    while True:
        line.faults = [line_down()]
        deliver(line, at=at)
        row = letter(session, row_id)
        if row.status != MessageStatus.QUEUED:
            break
        waits.append(row.next_attempt_at - at)
        at = row.next_attempt_at
        session.rollback()

    assert waits[:4] == list(DOWN_WAITS)
    assert set(waits[4:]) == {DOWN_WAITS[-1]}
    assert TRIED_FOR <= at - NOW < TRIED_FOR + DOWN_WAITS[-1]
    assert row.refusals == 0


def test_while_the_line_is_down_one_letter_tries_it_and_the_others_wait(session, line):
    write(*(new_message(key=str(n), to=f"a{n}@example.org") for n in range(10)))
    line.faults = [line_down()] * 10

    tally = deliver(line)

    assert tally.line_is_down
    assert len(line.faults) == 9


def test_a_letter_given_up_on_is_told_to_whoever_is_bound_to_it(session, line, monkeypatch):
    told = []
    monkeypatch.setitem(
        worker.ON_GIVEN_UP,
        "letter_given_up",
        lambda message, *, now, today, actor: told.append((message.id, message.status, now, today, actor.kind)),
    )
    (row_id,) = write(new_message())
    line.faults = [answered(550)]

    deliver(line)

    assert told == [(row_id, "given_up", NOW, NOW.date(), "system")]
    assert letter(session, row_id).last_failure == "no_such_mailbox"


def test_if_telling_fails_the_letter_is_not_given_up_in_silence(session, line, monkeypatch):
    def fails(message, **_):
        raise LookupError

    monkeypatch.setitem(worker.ON_GIVEN_UP, "letter_given_up", fails)
    (row_id,) = write(new_message())
    line.faults = [answered(550)]

    with pytest.raises(LookupError):
        deliver(line)

    assert letter(session, row_id).status == MessageStatus.SENDING


def test_no_words_of_the_mail_server_are_kept(session, line):
    (row_id,) = write(new_message())
    line.faults = [answered(550)]

    deliver(line)

    assert "maya" not in letter(session, row_id).last_failure


def test_a_stored_letter_that_was_damaged_is_not_sent(session, line):
    ids = write(new_message(key="1"), new_message(key="2", to="daniel@example.org"))
    with transaction():
        first, second = (letter(session, row_id) for row_id in ids)
        first.payload = second.payload  # Daniel's letter in Maya's envelope

    tally = deliver(line)

    assert line.recipients == ["daniel@example.org"]
    assert tally.given_up == 1
    assert letter(session, ids[0]).last_failure == "damaged"


# --- Leases -----------------------------------------------------------------------------------------------------------


def test_a_claimed_letter_is_left_alone_until_the_lease_runs_out(session, line):
    (row_id,) = write(new_message())
    assert worker.claim(now=NOW) is not None

    assert worker.claim(now=NOW + worker.LEASE - MINUTE) is None
    again = worker.claim(now=NOW + worker.LEASE)

    assert again is not None
    row = letter(session, row_id)
    assert (row.attempts, row.may_have_left) == (2, True)


def test_a_worker_whose_lease_ran_out_can_not_say_what_became_of_the_letter(session, line):
    (row_id,) = write(new_message())
    slow = worker.claim(now=NOW)
    quick = worker.claim(now=NOW + worker.LEASE)
    tally = worker.Tally()

    worker._mark_sent(slow, now=NOW + worker.LEASE, tally=tally)
    assert (tally.sent, tally.lost_leases) == (0, 1)
    assert letter(session, row_id).status == MessageStatus.SENDING
    session.rollback()

    worker._mark_sent(quick, now=NOW + worker.LEASE + MINUTE, tally=tally)
    worker._mark_failed(slow, worker.failures.judge(answered(550)), now=NOW + 2 * worker.LEASE, tally=tally)
    assert (letter(session, row_id).status, letter(session, row_id).sent_at) == (
        MessageStatus.SENT,
        NOW + worker.LEASE + MINUTE,
    )


def test_a_letter_that_kills_every_worker_is_given_up_after_two_days(session):
    (row_id,) = write(new_message())
    at = NOW
    for _ in range(3):
        assert worker.claim(now=at) is not None
        at += worker.LEASE

    tally = worker.Tally()
    assert worker.claim(now=NOW + TRIED_FOR + 2 * worker.LEASE, tally=tally) is None

    assert tally.given_up == 1
    assert letter(session, row_id).status == MessageStatus.GIVEN_UP


def test_many_workers_at_once_send_each_letter_once_and_in_order(app, session):
    letters, people, workers = 60, 6, 4
    with transaction():
        for n in range(letters):
            enqueue(
                new_message(key=str(n), to=f"p{n % people}@example.org", context={"pack_url": f"https://x.org/{n}."}),
                now=NOW,
            )
    line, faults = Line(), []

    def work():
        with app.app_context():
            try:
                for _ in range(200):
                    if not worker.something_is_due(now=NOW):
                        return
                    deliver(line, limit=5)
            except Exception as fault:
                faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert len(line.sent) == len(set(line.sent)) == letters
    for person in range(people):
        numbers = [
            int(raw.split(b"https://x.org/")[1].split(b".")[0])
            for recipient, raw in line.sent
            if recipient == f"p{person}@example.org"
        ]
        assert numbers == sorted(numbers)


def test_an_idle_worker_writes_nothing(session, queries, line):
    with queries() as sent:
        deliver(line)

    assert not [
        statement for statement in sent if statement.lstrip().upper().startswith(("UPDATE", "INSERT", "DELETE"))
    ]


def test_the_queue_is_found_by_its_own_index_however_many_letters_have_gone(session):
    plan = session.execute(
        worker._statement(
            ("EXPLAIN " if session.get_bind().dialect.name == "postgresql" else "EXPLAIN QUERY PLAN ") + worker._DUE
        ),
        {"now": NOW, "channel": "email"},
    ).all()

    text = " ".join(str(row) for row in plan)
    assert "ix_outbound_message_due" in text
    assert "ix_outbound_message_waiting_for" in text


# --- The transports ---------------------------------------------------------------------------------------------------


def test_a_worker_told_to_stop_finishes_the_letter_in_hand_and_no_more(session):
    write(new_message(key="1"), new_message(key="2", to="daniel@example.org"))
    stop = threading.Event()

    class Stopping(Line):
        def send(self, **letter):
            stop.set()
            super().send(**letter)

    line = Stopping()
    tally = deliver(line, stop=stop)

    assert (tally.sent, len(line.sent)) == (1, 1)


def test_a_kept_connection_that_the_server_closed_is_opened_again_without_blame(session, server):
    write(new_message(key="1"), new_message(key="2", to="daniel@example.org"))
    transport = SmtpTransport(server.settings)
    deliver(transport, limit=1)
    transport._connection.sock.close()
    transport._connection.close()
    transport._connection.sock = socket.socket()

    tally = deliver(transport)

    assert (tally.sent, tally.put_off) == (1, 0)


def test_a_server_that_takes_a_letter_and_hangs_up_leaves_it_in_doubt_and_gets_the_same_bytes_again(session, server):
    (row_id,) = write(new_message())
    server.hang_up_after_data = 1

    tally = deliver(SmtpTransport(server.settings))
    assert tally.line_is_down
    assert letter(session, row_id).may_have_left
    session.rollback()

    deliver(SmtpTransport(server.settings), at=NOW + HOUR)
    assert len(server.raws) == 2
    assert server.raws[0] == server.raws[1]


@pytest.mark.parametrize(
    ("where", "answer", "code", "status"),
    [
        ("maya@example.org", "550 no such user", "no_such_mailbox", MessageStatus.GIVEN_UP),
        ("maya@example.org", "450 busy", "mailbox_busy", MessageStatus.QUEUED),
        ("maya@example.org", "552 full", "mailbox_full", MessageStatus.QUEUED),
        ("maya@example.org", "421 going away", "server_closing", MessageStatus.QUEUED),
        ("data", "554 spam", "refused", MessageStatus.GIVEN_UP),
        ("data", "451 try later", "asked_to_wait", MessageStatus.QUEUED),
        ("data", "552 too big", "too_large", MessageStatus.GIVEN_UP),
    ],
)
def test_what_a_real_server_answers_decides(session, server, where, answer, code, status):
    (row_id,) = write(new_message())
    server.answers[where] = answer

    deliver(SmtpTransport(server.settings))

    row = letter(session, row_id)
    assert (row.last_failure, row.status) == (code, status)
    assert not row.may_have_left


def test_after_a_refusal_the_next_letter_goes_over_the_same_connection(session, server):
    write(new_message(key="1", to="gone@example.org"), new_message(key="2"))
    server.answers["gone@example.org"] = "550 no such user"

    tally = deliver(SmtpTransport(server.settings))

    assert (tally.sent, tally.given_up) == (1, 1)
    assert server.taken[0].recipients == ("maya@example.org",)


def test_a_server_that_is_not_there_is_a_dead_line(session):
    write(new_message())

    tally = deliver(SmtpTransport(SmtpSettings(host="127.0.0.1", port=free_port(), tls="none", timeout=2)))

    assert tally.line_is_down


def test_a_server_that_drips_is_cut_off(session):
    write(new_message())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def drip():
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"220 slow\r\n")
                connection.recv(1000)
                for _ in range(200):
                    try:
                        connection.sendall(b"2")
                    except OSError:
                        return
                    threading.Event().wait(0.05)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        transport = SmtpTransport(SmtpSettings(host="127.0.0.1", port=port, tls="none", timeout=5), longest_s=0.5)

        tally = deliver(transport)
        thread.join(10)

    assert tally.line_is_down


def test_letters_in_a_folder_are_files_that_a_mail_reader_opens(session, tmp_path):
    (row_id,) = write(new_message())

    deliver(FilesTransport(tmp_path / "outbox"))

    (file,) = (tmp_path / "outbox").iterdir()
    assert file.suffix == ".eml"
    assert file.read_bytes() == letter(session, row_id).payload


def test_a_folder_that_can_not_be_written_to_is_a_dead_line_and_not_the_letters_fault(session, tmp_path):
    write(new_message())
    (tmp_path / "outbox").write_text("in the way")

    tally = deliver(FilesTransport(tmp_path / "outbox"))

    assert tally.line_is_down

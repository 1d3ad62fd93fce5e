"""Sending what waits in the outbox. Any number of workers may run at once, on one machine or several.

One letter goes through five steps, and a worker may die between any two of them:

1. look, in a reading transaction, whether anything is due (an idle worker never takes the write lock);
2. claim it: one statement sets the lease and its token, committed before anything else;
3. send, with no transaction open;
4. the mail server takes it;
5. mark it sent, only while the token is still ours.

Dying before 4 sends nothing; the next worker sends when the lease runs out. Dying between 4 and 5 sends the letter
twice: SMTP can't do better, so both copies are the same bytes with the same Message-ID, and a calendar keeps one event.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from crm.clock import london_date, now_utc
from crm.db import UTCDateTime, db, end_read, is_lock_timeout, transaction
from crm.delivery import failures, signed_addresses
from crm.delivery.failures import Failure, Verdict
from crm.delivery.mime import MessageNotAsMeant, header_fields, only_recipient
from crm.delivery.models import Channel, MessageStatus, OutboundMessage
from crm.delivery.post_room import post_room
from crm.delivery.texts import read_text
from crm.delivery.transports import Transport, transport_of
from crm.rules.permissions import SYSTEM

LEASE = timedelta(minutes=4)
"""How long a claimed letter is left alone. Longer than any conversation with a mail server is allowed to take."""
IDLE_WAITS_S = (0.2, 0.5, 1.0, 2.0)
DOWN_WAITS_S = (5.0, 15.0, 30.0, 60.0)
"""While the line is down, one letter tries it now and then; the others wait."""

_MARK_TRIES = 5

GivenUp = Callable[..., None]
ON_GIVEN_UP: dict[str, GivenUp | None] = {"letter_given_up": None}
"""Named here, bound in the application: called as ``f(message, now=…, today=…, actor=…)`` in the transaction that
gives a letter up."""


@dataclass(frozen=True)
class Stop:
    """A letter must not leave: a code of ``failures``."""

    code: str


@dataclass(frozen=True)
class Later:
    """A letter must not leave yet."""

    until: datetime


MayLeave = Callable[..., Stop | Later | None]
MAY_IT_LEAVE: dict[str, MayLeave | None] = {
    "rules_of_the_person": None,
    "its_mailing": None,
    "its_referee": None,
}
"""Named here, bound in the application: asked as ``f(message, now=…, today=…, actor=…)`` in the transaction that claims
a letter, so that a rule set after the letter was written holds too. What it stops, it has told whoever must know."""

log = structlog.get_logger("delivery")

# The open states stand in the text, not as parameters: SQLite uses a partial index only where it can see its condition.
# A letter waits for an earlier one to the same recipient, unless that one is itself put off to a later time and of
# another stream: a reminder written today for next week must not hold up next week's news.
_DUE = """
    SELECT m.id FROM outbound_message AS m
    WHERE m.status IN ('queued', 'sending') AND m.channel = :channel AND m.next_attempt_at <= :now
      AND (m.lease_until IS NULL OR m.lease_until <= :now)
      AND NOT EXISTS (
        SELECT 1 FROM outbound_message AS e
        WHERE e.status IN ('queued', 'sending') AND e.recipient_key = m.recipient_key AND e.id < m.id
          AND (e.not_before <= :now OR e.stream = m.stream)
      )
    ORDER BY m.next_attempt_at, m.id
    LIMIT 1
"""
_CLAIM = """
    UPDATE outbound_message
    SET may_have_left = (may_have_left OR status = 'sending'), status = 'sending', lease_token = :token,
        lease_until = :until, attempts = attempts + 1, first_attempt_at = COALESCE(first_attempt_at, :now)
    WHERE id = ({due})
    RETURNING id
"""


def _statement(sql: str) -> sa.TextClause:
    statement = sa.text(sql)
    names = [name for name in ("now", "until") if f":{name}" in sql]
    return statement.bindparams(*(sa.bindparam(name, type_=UTCDateTime()) for name in names))


@dataclass(frozen=True)
class Claimed:
    """A letter that this worker holds until its lease runs out."""

    id: int
    token: str
    kind: str
    message_id: str
    sender: str
    recipient: str
    raw: bytes
    attempts: int


@dataclass
class Tally:
    """What one round did."""

    sent: int = 0
    put_off: int = 0
    given_up: int = 0
    dropped: int = 0
    stopped: int = 0
    lost_leases: int = 0
    line_is_down: bool = False

    @property
    def did_something(self) -> bool:
        return bool(self.sent or self.put_off or self.given_up or self.dropped or self.stopped or self.lost_leases)


def deliver_once(
    *,
    clock: Callable[[], datetime] = now_utc,
    transport: Transport | None = None,
    channel: Channel = Channel.EMAIL,
    limit: int = 1000,
    stop: threading.Event | None = None,
) -> Tally:
    """Send what is due now on a channel, up to ``limit`` letters, and say what was done.

    Stops early when told to, or when the line turns out to be down: then the other letters keep their places. The
    letter in hand is always finished. Needs an application context and no open transaction.
    """
    tally = Tally()
    line = transport or transport_of(post_room(), channel)
    try:
        while (stop is None or not stop.is_set()) and limit > 0:
            limit -= 1
            if not something_is_due(now=clock(), channel=channel):
                break
            claimed = claim(now=clock(), channel=channel, tally=tally)
            if claimed is None:
                continue
            if not _send(claimed, line, clock=clock, tally=tally):
                break
    finally:
        if transport is None:
            line.close()
    return tally


def something_is_due(*, now: datetime, channel: Channel = Channel.EMAIL) -> bool:
    """Whether there is a letter to claim. Takes no lock."""
    try:
        return db.session.execute(_statement(_DUE), {"now": now, "channel": channel}).first() is not None
    finally:
        end_read()


def claim(*, now: datetime, channel: Channel = Channel.EMAIL, tally: Tally | None = None) -> Claimed | None:
    """Take the next letter, or None when another worker was faster or the letter had no use any more."""
    token = secrets.token_hex(16)
    tally = tally if tally is not None else Tally()
    with transaction() as session:
        due = _DUE + (" FOR UPDATE OF m SKIP LOCKED" if session.get_bind().dialect.name == "postgresql" else "")
        row_id = session.execute(
            _statement(_CLAIM.format(due=due)), {"now": now, "channel": channel, "token": token, "until": now + LEASE}
        ).scalar()
        if row_id is None:
            return None
        message = session.get(OutboundMessage, row_id, populate_existing=True)
        if message is None:
            raise RuntimeError("a claimed letter is not there")
        if message.not_after is not None and message.not_after < now:
            _settle(message, MessageStatus.SUPERSEDED, "too_late", now)
            tally.dropped += 1
            return None
        if message.attempts > 1 and now - message.first_attempt_at >= failures.TRIED_FOR + LEASE:
            # Tried for two days without once coming back to say how it went: it may be what kills the workers
            _give_up(message, message.last_failure or "damaged", now)
            tally.given_up += 1
            return None
        if _must_stay(message, now=now, tally=tally):
            return None
        try:
            return _opened(message, token)
        except Exception as fault:
            _give_up(message, failures.judge(fault).code, now)
            tally.given_up += 1
            log.error("letter_damaged", letter_id=message.id, fault=type(fault).__name__)
            return None


def _must_stay(message: OutboundMessage, *, now: datetime, tally: Tally) -> bool:
    """Whether what is bound keeps this letter here, for good or until later. A letter that may have left already is
    not asked about: its copy is the same."""
    if message.may_have_left:
        return False
    for bound in MAY_IT_LEAVE.values():
        verdict = bound(message, now=now, today=london_date(now), actor=SYSTEM) if bound is not None else None
        if isinstance(verdict, Stop):
            _settle(message, MessageStatus.STOPPED, verdict.code, now)
            tally.stopped += 1
            return True
        if isinstance(verdict, Later):
            message.status, message.lease_token, message.lease_until = MessageStatus.QUEUED, None, None
            message.attempts -= 1
            message.first_attempt_at = message.first_attempt_at if message.attempts else None
            message.not_before = message.next_attempt_at = verdict.until
            tally.put_off += 1
            return True
    return False


def _opened(message: OutboundMessage, token: str) -> Claimed:
    """The letter's bytes, read back and found to be for the recipient of the row. Raises where they are not."""
    raw, recipient = message.payload, message.recipient
    if raw is None or recipient is None:
        raise MessageNotAsMeant("the stored letter can't be read")
    is_text = message.channel == Channel.TEXT
    if (read_text(raw)[0] if is_text else only_recipient(raw)) != recipient:
        raise MessageNotAsMeant("the stored bytes are not for the stored recipient")
    sender = "" if is_text else _envelope_sender(message.id, raw)
    return Claimed(
        id=message.id,
        token=token,
        kind=message.kind,
        message_id=message.message_id,
        sender=sender,
        recipient=recipient,
        raw=raw,
        attempts=message.attempts,
    )


def _envelope_sender(message_id: int, raw: bytes) -> str:
    """Where the mail server that can't deliver says so: an address of this letter's own, where there is a mailbox for
    it, so that a bounce finds its letter whatever it quotes; else the sender."""
    own = signed_addresses.bounce_address(message_id)
    if own is not None:
        return own
    return _address_in(next(value for name, value in header_fields(raw) if name == "From").decode("ascii"))


def _address_in(header: str) -> str:
    if "<" in header:
        return header.rpartition("<")[2].rstrip("> ")
    return header.strip()


def _send(claimed: Claimed, line: Transport, *, clock: Callable[[], datetime], tally: Tally) -> bool:
    """Send one claimed letter and mark what became of it. False when the line is down."""
    try:
        line.send(sender=claimed.sender, recipient=claimed.recipient, raw=claimed.raw, message_id=claimed.message_id)
    except Exception as fault:
        failure = failures.judge(fault)
        _mark_failed(claimed, failure, now=clock(), tally=tally)
        if failure.verdict is Verdict.LINE_IS_DOWN:
            tally.line_is_down = True
            return False
        return True
    _mark_sent(claimed, now=clock(), tally=tally)
    return True


def _mark_sent(claimed: Claimed, *, now: datetime, tally: Tally) -> None:
    for attempt in range(_MARK_TRIES):
        try:
            _mark_sent_once(claimed, now=now, tally=tally)
            return
        except sa.exc.OperationalError as fault:  # the letter has gone: try hard to remember it
            end_read()
            if not is_lock_timeout(fault) or attempt == _MARK_TRIES - 1:
                raise


def _mark_sent_once(claimed: Claimed, *, now: datetime, tally: Tally) -> None:
    with transaction() as session:
        message = _still_ours(session, claimed)
        if message is None:
            tally.lost_leases += 1
            log.warning("lease_lost", letter_id=claimed.id)
            return
        message.status, message.sent_at, message.last_failure = MessageStatus.SENT, now, None
        message.lease_token = message.lease_until = None
    tally.sent += 1
    log.info("letter_sent", letter_id=claimed.id, kind=claimed.kind, attempt=claimed.attempts)


def _mark_failed(claimed: Claimed, failure: Failure, *, now: datetime, tally: Tally) -> None:
    with transaction() as session:
        message = _still_ours(session, claimed)
        if message is None:
            tally.lost_leases += 1
            log.warning("lease_lost", letter_id=claimed.id)
            return
        message.may_have_left = message.may_have_left or failure.in_doubt
        if failure.verdict is Verdict.TRY_AGAIN:
            message.refusals += 1
        if failures.is_time_to_give_up(
            failure, now=now, first_attempt_at=message.first_attempt_at or now, refusals=message.refusals
        ):
            _give_up(message, failure.code, now)
            tally.given_up += 1
        else:
            message.status, message.last_failure = MessageStatus.QUEUED, failure.code
            message.lease_token = message.lease_until = None
            message.next_attempt_at = failures.next_attempt(
                failure, now=now, attempts=message.attempts, refusals=message.refusals
            )
            tally.put_off += 1
    log.warning("letter_not_taken", letter_id=claimed.id, kind=claimed.kind, reason=failure.code)


def _still_ours(session: Session, claimed: Claimed) -> OutboundMessage | None:
    """The row, locked, if the lease is still ours: another worker may hold it by now."""
    return session.scalars(
        sa.select(OutboundMessage)
        .where(
            OutboundMessage.id == claimed.id,
            OutboundMessage.status == MessageStatus.SENDING,
            OutboundMessage.lease_token == claimed.token,
        )
        .with_for_update()
    ).one_or_none()


def _give_up(message: OutboundMessage, code: str, now: datetime) -> None:
    _settle(message, MessageStatus.GIVEN_UP, code, now)
    db.session.flush()
    for bound in ON_GIVEN_UP.values():
        if bound is not None:
            bound(message, now=now, today=london_date(now), actor=SYSTEM)


def _settle(message: OutboundMessage, status: MessageStatus, code: str, now: datetime) -> None:
    message.status, message.last_failure, message.settled_at = status, code, now
    message.lease_token = message.lease_until = None


def run_worker(
    stop: threading.Event, *, channel: Channel = Channel.EMAIL, clock: Callable[[], datetime] = now_utc
) -> None:
    """Send letters of one channel until told to stop: a dead gateway must not hold up the mail.

    The letter in hand is finished first. Needs an application context.
    """
    idle = down = 0
    while not stop.is_set():
        try:
            tally = deliver_once(clock=clock, channel=channel, stop=stop, limit=200)
        except Exception as fault:
            end_read()
            if not is_lock_timeout(fault):
                log.error("delivery_round_failed", fault=type(fault).__name__)
            stop.wait(DOWN_WAITS_S[0])
            continue
        if tally.line_is_down:
            stop.wait(DOWN_WAITS_S[min(down, len(DOWN_WAITS_S) - 1)])
            down, idle = down + 1, 0
        elif tally.did_something:
            idle = down = 0
        else:
            stop.wait(IDLE_WAITS_S[min(idle, len(IDLE_WAITS_S) - 1)])
            idle += 1

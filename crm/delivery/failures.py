"""What each failure to send means: try again, or give up. The one table that decides it.

Two questions are asked of a failure. Is it a verdict on *this* letter, or is the line down for all of them? And may a
copy have left all the same? Only codes leave this file: a server's own words often quote the address.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Stage(StrEnum):
    """How far the conversation with the mail server had got."""

    CONNECT = "connect"
    """Finding, greeting and signing in to the server: nothing about a letter has been said."""
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"
    """The letter itself was on its way: without an answer, nobody knows whether it was taken."""
    LOCAL = "local"
    """On this machine: the letter's own bytes, or the folder of the files transport."""


class Verdict(StrEnum):
    """What to do now."""

    LINE_IS_DOWN = "line_is_down"
    """Nothing to do with this letter: try again soon, and count it as no fault of the letter's."""
    TRY_AGAIN = "try_again"
    GIVE_UP = "give_up"


@dataclass(frozen=True)
class Failure:
    """One attempt that did not end with the letter taken."""

    code: str
    verdict: Verdict
    in_doubt: bool = False
    """The letter may have been taken all the same."""


class SendFault(Exception):
    """A transport could not say that the letter was taken. ``cause`` is what went wrong."""

    def __init__(self, stage: Stage, cause: BaseException) -> None:
        super().__init__(f"{stage}: {type(cause).__name__}")
        self.stage = stage
        self.cause = cause


class GatewayAnswer(Exception):
    """What the text gateway answered, other than yes: an HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class TookTooLong(Exception):
    """The conversation about one letter ran past its time."""


MOST_REFUSALS = 8
"""Tries after the first that end with the server's "not now" about this very letter."""
TRIED_FOR = timedelta(hours=48)
REFUSED_WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 60, 240, 480, 960))
"""Waits after each "not now". Together they outlast a mail server's bad day."""
DOWN_WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15))
"""Waits while the line is down, the last one over and over, so that letters go soon after it is back."""

# SMTP answers by stage and code. What is not here: 4xx is TRY_AGAIN, 5xx about a letter is GIVE_UP, and anything before
# the recipient is named is the line's fault.
_ANSWERS: dict[tuple[Stage, int], tuple[str, Verdict]] = {
    (Stage.RECIPIENT, 550): ("no_such_mailbox", Verdict.GIVE_UP),
    (Stage.RECIPIENT, 551): ("mailbox_moved", Verdict.GIVE_UP),
    (Stage.RECIPIENT, 553): ("address_not_accepted", Verdict.GIVE_UP),
    (Stage.RECIPIENT, 554): ("refused", Verdict.GIVE_UP),
    # RFC 5321 4.5.3.1.10: at RCPT, 552 means a mailbox that is full for now
    (Stage.RECIPIENT, 552): ("mailbox_full", Verdict.TRY_AGAIN),
    (Stage.RECIPIENT, 452): ("mailbox_full", Verdict.TRY_AGAIN),
    (Stage.RECIPIENT, 450): ("mailbox_busy", Verdict.TRY_AGAIN),
    (Stage.RECIPIENT, 451): ("asked_to_wait", Verdict.TRY_AGAIN),
    # the server wants us to sign in, or will not pass mail on for us: our settings, not the letter
    (Stage.RECIPIENT, 530): ("not_signed_in", Verdict.LINE_IS_DOWN),
    (Stage.CONTENT, 530): ("not_signed_in", Verdict.LINE_IS_DOWN),
    (Stage.CONTENT, 552): ("too_large", Verdict.GIVE_UP),
    (Stage.CONTENT, 554): ("refused", Verdict.GIVE_UP),
    (Stage.CONTENT, 550): ("refused", Verdict.GIVE_UP),
    (Stage.CONTENT, 451): ("asked_to_wait", Verdict.TRY_AGAIN),
}
_CLOSING = 421
"""The server is going away: at whatever stage, the line is down."""


def judge(fault: BaseException) -> Failure:
    """What a failure means."""
    stage, cause = (fault.stage, fault.cause) if isinstance(fault, SendFault) else (Stage.LOCAL, fault)
    if isinstance(cause, GatewayAnswer):
        return _gateway_answered(cause.status)
    if isinstance(cause, smtplib.SMTPServerDisconnected):
        return Failure("connection_lost", Verdict.LINE_IS_DOWN, in_doubt=stage is Stage.CONTENT)
    if isinstance(cause, smtplib.SMTPResponseException):
        return _answered(stage, cause.smtp_code)
    if isinstance(cause, smtplib.SMTPNotSupportedError):
        return Failure("not_supported", Verdict.LINE_IS_DOWN)
    if isinstance(cause, ssl.SSLError):
        return Failure("tls_failed", Verdict.LINE_IS_DOWN, in_doubt=stage is Stage.CONTENT)
    if isinstance(cause, socket.gaierror):
        return Failure("server_not_found", Verdict.LINE_IS_DOWN)
    if isinstance(cause, TookTooLong | TimeoutError):
        return Failure("too_slow", Verdict.LINE_IS_DOWN, in_doubt=stage is Stage.CONTENT)
    if isinstance(cause, ConnectionRefusedError):
        return Failure("connection_refused", Verdict.LINE_IS_DOWN)
    if isinstance(cause, OSError):
        code = "disk_refused" if stage is Stage.LOCAL else "connection_lost"
        return Failure(code, Verdict.LINE_IS_DOWN, in_doubt=stage is Stage.CONTENT)
    return Failure("damaged", Verdict.GIVE_UP)


def _answered(stage: Stage, code: int) -> Failure:
    if code == _CLOSING:
        return Failure("server_closing", Verdict.LINE_IS_DOWN)
    if stage in (Stage.CONNECT, Stage.SENDER):
        name = "sign_in_refused" if code in (530, 534, 535, 538) else f"server_refused_{code}"
        return Failure(name, Verdict.LINE_IS_DOWN)
    if code < 0:  # smtplib's sign for an answer that it could not read
        return Failure("answer_unreadable", Verdict.LINE_IS_DOWN, in_doubt=stage is Stage.CONTENT)
    name, verdict = _ANSWERS.get(
        (stage, code), (f"answered_{code}", Verdict.TRY_AGAIN if 400 <= code < 500 else Verdict.GIVE_UP)
    )
    return Failure(name, verdict)


def _gateway_answered(status: int) -> Failure:
    """A gateway's no is about the message where HTTP says that trying again is of no use, else about the line."""
    if status in (400, 404, 410, 413, 415, 422):
        return Failure("number_not_accepted" if status in (404, 410, 422) else "gateway_refused", Verdict.GIVE_UP)
    return Failure("gateway_answered", Verdict.LINE_IS_DOWN, in_doubt=status >= 500)


def next_attempt(failure: Failure, *, now: datetime, attempts: int, refusals: int) -> datetime:
    """When to try again. ``attempts`` counts every try so far, ``refusals`` the answers about this letter."""
    if failure.verdict is Verdict.LINE_IS_DOWN:
        return now + DOWN_WAITS[min(attempts, len(DOWN_WAITS)) - 1]
    return now + REFUSED_WAITS[min(refusals, len(REFUSED_WAITS)) - 1]


def is_time_to_give_up(failure: Failure, *, now: datetime, first_attempt_at: datetime, refusals: int) -> bool:
    """Whether this failure was the last."""
    if failure.verdict is Verdict.GIVE_UP or now - first_attempt_at >= TRIED_FOR:
        return True
    return failure.verdict is Verdict.TRY_AGAIN and refusals > MOST_REFUSALS


FAILURE_WORDS = {
    "no_such_mailbox": "There is no such mailbox",
    "mailbox_moved": "The mailbox has moved",
    "address_not_accepted": "Their mail server does not accept the address",
    "refused": "Their mail server refused it",
    "mailbox_full": "Their mailbox is full",
    "mailbox_busy": "Their mailbox is busy",
    "asked_to_wait": "Their mail server asked us to wait",
    "too_large": "It is too large for their mail server",
    "not_signed_in": "Our mail server wants us to sign in",
    "sign_in_refused": "Our mail server refused our sign-in",
    "server_closing": "The mail server was closing",
    "server_not_found": "The mail server can’t be found",
    "connection_refused": "The mail server does not answer",
    "connection_lost": "The connection was lost",
    "too_slow": "The mail server was too slow",
    "tls_failed": "A safe connection could not be made",
    "not_supported": "The mail server lacks something that we need",
    "disk_refused": "The folder for letters can’t be written to",
    "damaged": "The stored letter is damaged",
    "too_late": "It was too late to be of use",
    "overtaken": "Newer news took its place",
    "not_wanted": "What it asks for is not wanted any more",
    "first_never_left": "What it calls off was never sent",
    "asked_to_stop": "They asked us to stop",
    "way_forbidden": "They asked us not to write this way",
    "no_consent": "They did not say yes to news and events on this channel",
    "address_changed": "Their address or number has changed since it was written",
    "address_not_working": "Nothing gets through to this address",
    "shared_address": "The address is shared, and this is for one person alone",
    "not_confirmed": "Nobody has confirmed that the address is theirs",
    "never_safe": "There is no time at which they may be reached",
    "left_household": "They are not part of the household any more",
    "taken_back": "It was taken back",
    "mailing_stopped": "The mailing was stopped",
    "came_back": "It came back",
    "number_not_accepted": "The number does not take texts",
    "gateway_refused": "The text gateway refused it",
    "gateway_answered": "The text gateway did not take it",
    "withdrawn": "What it is about was taken back",
}


def failure_words(code: str | None) -> str:
    """The failure as staff read it."""
    if not code:
        return ""
    return FAILURE_WORDS.get(code, f"The mail server answered {code.rpartition('_')[2]}")

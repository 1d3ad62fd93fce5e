"""One table decides what each failure means."""

from __future__ import annotations

import smtplib
import socket
import ssl
from datetime import timedelta

import pytest

from crm.delivery import failures
from crm.delivery.failures import Failure, SendFault, Stage, TookTooLong, Verdict, judge
from tests.delivery.examples import NOW


def answer(code):
    return smtplib.SMTPResponseException(code, b"<maya@example.org> whatever the server says")


@pytest.mark.parametrize(
    ("stage", "cause", "code", "verdict", "in_doubt"),
    [
        (Stage.CONNECT, ConnectionRefusedError(), "connection_refused", Verdict.LINE_IS_DOWN, False),
        (Stage.CONNECT, socket.gaierror(), "server_not_found", Verdict.LINE_IS_DOWN, False),
        (Stage.CONNECT, TimeoutError(), "too_slow", Verdict.LINE_IS_DOWN, False),
        (Stage.CONNECT, ssl.SSLError(), "tls_failed", Verdict.LINE_IS_DOWN, False),
        (Stage.CONNECT, smtplib.SMTPAuthenticationError(535, b"no"), "sign_in_refused", Verdict.LINE_IS_DOWN, False),
        (Stage.CONNECT, smtplib.SMTPConnectError(554, b"no"), "server_refused_554", Verdict.LINE_IS_DOWN, False),
        (Stage.CONNECT, smtplib.SMTPNotSupportedError(), "not_supported", Verdict.LINE_IS_DOWN, False),
        (Stage.SENDER, answer(550), "server_refused_550", Verdict.LINE_IS_DOWN, False),
        (Stage.SENDER, answer(421), "server_closing", Verdict.LINE_IS_DOWN, False),
        (Stage.RECIPIENT, answer(550), "no_such_mailbox", Verdict.GIVE_UP, False),
        (Stage.RECIPIENT, answer(553), "address_not_accepted", Verdict.GIVE_UP, False),
        (Stage.RECIPIENT, answer(552), "mailbox_full", Verdict.TRY_AGAIN, False),
        (Stage.RECIPIENT, answer(451), "asked_to_wait", Verdict.TRY_AGAIN, False),
        (Stage.RECIPIENT, answer(530), "not_signed_in", Verdict.LINE_IS_DOWN, False),
        (Stage.RECIPIENT, answer(555), "answered_555", Verdict.GIVE_UP, False),
        (Stage.RECIPIENT, answer(455), "answered_455", Verdict.TRY_AGAIN, False),
        (Stage.CONTENT, answer(554), "refused", Verdict.GIVE_UP, False),
        (Stage.CONTENT, answer(552), "too_large", Verdict.GIVE_UP, False),
        (Stage.CONTENT, answer(421), "server_closing", Verdict.LINE_IS_DOWN, False),
        (Stage.CONTENT, answer(-1), "answer_unreadable", Verdict.LINE_IS_DOWN, True),
        (Stage.CONTENT, smtplib.SMTPServerDisconnected(), "connection_lost", Verdict.LINE_IS_DOWN, True),
        (Stage.CONTENT, ConnectionResetError(), "connection_lost", Verdict.LINE_IS_DOWN, True),
        (Stage.CONTENT, TookTooLong(), "too_slow", Verdict.LINE_IS_DOWN, True),
        (Stage.RECIPIENT, smtplib.SMTPServerDisconnected(), "connection_lost", Verdict.LINE_IS_DOWN, False),
        (Stage.LOCAL, OSError(28, "No space left"), "disk_refused", Verdict.LINE_IS_DOWN, False),
    ],
)
def test_each_failure_has_its_meaning(stage, cause, code, verdict, in_doubt):
    assert judge(SendFault(stage, cause)) == Failure(code, verdict, in_doubt)


def test_what_is_not_about_mail_at_all_means_that_the_letter_is_damaged():
    assert judge(KeyError("x")) == Failure("damaged", Verdict.GIVE_UP)


def test_every_code_has_words_and_none_of_them_a_servers():
    for stage in Stage:
        for code in (*range(400, 460), *range(500, 560), 421, -1):
            words = failures.failure_words(judge(SendFault(stage, answer(code))).code)
            assert words
            assert "maya" not in words
    assert failures.failure_words(None) == ""


def test_a_final_answer_ends_it_at_once_and_two_days_end_everything():
    final, again, down = (
        Failure("x", verdict) for verdict in (Verdict.GIVE_UP, Verdict.TRY_AGAIN, Verdict.LINE_IS_DOWN)
    )

    def gives_up(failure, hours, refusals):
        return failures.is_time_to_give_up(
            failure, now=NOW + timedelta(hours=hours), first_attempt_at=NOW, refusals=refusals
        )

    assert gives_up(final, 0, 0)
    assert not gives_up(again, 1, 8)
    assert gives_up(again, 1, 9)
    assert not gives_up(down, 47, 200)
    assert gives_up(down, 48, 0)

"""Text can't change a message's headers or a calendar's lines (G19)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from email import errors, message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from crm.delivery import mime
from tests.delivery import injection_cases
from tests.delivery.examples import NOW

CASES, CASES_AT_NIGHT = 2000, 20_000
WITHOUT_ASSERTS, WITHOUT_ASSERTS_AT_NIGHT = 500, 2000
"""The same cases again: what an assert guards fails at the first kind of letter that holds a line end."""


def test_whatever_is_typed_the_mail_server_gets_the_template_s_headers_and_lines(rounds):
    cases = rounds(CASES, CASES_AT_NIGHT)

    assert injection_cases.run_cases(cases) >= cases


def test_the_same_with_asserts_switched_off(rounds):
    cases = rounds(WITHOUT_ASSERTS, WITHOUT_ASSERTS_AT_NIGHT)
    program = subprocess.run(
        [sys.executable, "-m", "tests.delivery.injection_cases", str(cases)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONOPTIMIZE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert program.returncode == 0, program.stderr[-2000:]
    assert int(program.stdout.strip()) >= cases


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\r\n\r\n"])
def test_without_the_gate_the_check_of_the_finished_bytes_still_stops_it(monkeypatch, end):
    monkeypatch.setattr(mime, "header_text", lambda value: value)

    with pytest.raises(mime.MessageNotAsMeant):
        mime.build(_email(subject=f"Hello{end}Bcc: eve@example.org"))


def test_what_python_itself_makes_of_such_a_subject_would_be_stopped():
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"] = "hello@kestrel.example.org", "maya@example.org"
    message["Subject"] = "Hello =?UTF-8?Q?=0ABcc:_eve@example.org?="
    message.set_content("Hello")

    def make_and_check():
        email = _email(subject="Hello")
        mime.check(message.as_bytes(), email, sender=email.sender, to=email.to)

    with pytest.raises((mime.MessageNotAsMeant, ValueError, errors.MessageError)):  # a newer Python refuses by itself
        make_and_check()


@pytest.mark.parametrize(
    "name", ["Kestrel Fostering", "O’Connell & Söhne", 'Über, the <Fostering> "Service"', "x" * 300, "é" * 150]
)
def test_a_services_name_is_read_back_as_it_is(name):
    raw = mime.build(replace(_email(subject="Hello"), sender_name=name))

    sender = message_from_bytes(raw, policy=policy.default)["From"]
    assert sender.addresses[0].addr_spec == "hello@kestrel.example.org"
    # without spaces: Python's own reader puts one between two encoded words, which RFC 2047 tells it to drop
    shown = " ".join(re.sub(r'[<>,"]', " ", name).split())[:200]
    assert sender.addresses[0].display_name.replace(" ", "") == shown.replace(" ", "")


def test_a_subject_in_any_script_is_read_back_as_it_is():
    subject = "Notre visite à domicile : mardi 14 juillet, 17 h 30 — 我們的探訪 " * 2

    raw = mime.build(_email(subject=subject))

    assert message_from_bytes(raw, policy=policy.default)["Subject"] == " ".join(subject.split())[:200].rstrip()
    assert max(len(line) for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n")) <= 90


def _email(*, subject):
    return mime.Email(
        sender="hello@kestrel.example.org",
        sender_name="Kestrel Fostering",
        to="maya@example.org",
        subject=subject,
        message_id=mime.message_id_for("x", "example.org"),
        date=NOW,
        text="Hello",
        html="<p>Hello</p>",
    )

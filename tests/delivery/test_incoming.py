"""A message that comes in is believed in nothing, hurts nobody, and takes no time (G18, G23)."""

from __future__ import annotations

import imaplib
import time
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.delivery import configure, incoming, mailboxes, post_room, signed_addresses
from crm.delivery.signed_addresses import Purpose, Signed
from crm.settings import Mailbox, Settings

SECONDS_AT_MOST = 2.0


@pytest.fixture(scope="module", autouse=True)
def room(tmp_path_factory: pytest.TempPathFactory) -> None:
    configure(Settings.from_environ({"CRM_ENV": "test", "CRM_DATA": str(tmp_path_factory.mktemp("data"))}))


def mail(text: str = "Tuesday is fine.\n", **headers: str) -> bytes:
    message = EmailMessage()
    for name, value in {"From": "Maya <maya@example.org>", "To": "reply@kestrel.example.org", **headers}.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


# --- Signed addresses -------------------------------------------------------------------------------------------------


@given(case_id=st.integers(1, 2**31 - 1), person_id=st.integers(1, 2**31 - 1))
def test_a_signed_address_says_what_it_was_made_for_and_fits_a_mailbox(case_id: int, person_id: int) -> None:
    address = signed_addresses.reply_address(case_id=case_id, person_id=person_id)

    assert address is not None
    assert len(address.partition("@")[0]) <= 64
    for written in (address, address.upper(), address.lower()):
        assert signed_addresses.read(written) == Signed(Purpose.REPLY, case_id, person_id)


def test_an_address_shows_neither_the_case_nor_its_neighbour() -> None:
    one = signed_addresses.reply_address(case_id=1, person_id=1) or ""
    next_one = signed_addresses.reply_address(case_id=1, person_id=2) or ""

    assert sum(a == b for a, b in zip(one[10:49], next_one[10:49], strict=True)) < 12


def test_no_other_address_is_ours_however_it_is_changed() -> None:
    address = signed_addresses.reply_address(case_id=7, person_id=9) or ""
    local, _, domain = address.partition("@")
    for place in range(len("reply+k1-"), len(local)):
        changed = local[:place] + ("a" if local[place] != "a" else "b") + local[place + 1 :]
        assert signed_addresses.read(f"{changed}@{domain}") is None, place
    for letter in "abcdefghijklmnopqrstuvwxyz234567":
        if letter != local[-1]:
            assert signed_addresses.read(f"{local[:-1]}{letter}@{domain}") is None, letter
    for other in (local, f"{local}@evil.example.org", f"{local}x@{domain}", "reply+@kestrel.example.org", "@", ""):
        assert signed_addresses.read(other) is None


def test_an_address_of_one_purpose_is_nothing_to_the_other() -> None:
    bounce = signed_addresses.bounce_address(7)

    assert signed_addresses.read(bounce or "") == Signed(Purpose.BOUNCE, 7, 0)


def test_an_address_made_before_a_change_of_keys_still_comes_home(monkeypatch: pytest.MonkeyPatch) -> None:
    old = signed_addresses.reply_address(case_id=7, person_id=9) or ""
    keys = post_room.post_room().reply_keys
    monkeypatch.setattr(post_room, "_post_room", replace(post_room.post_room(), reply_keys={"k2": b"n" * 32, **keys}))

    new = signed_addresses.reply_address(case_id=7, person_id=9) or ""

    assert (old.startswith("reply+k1-"), new.startswith("reply+k2-")) == (True, True)
    assert signed_addresses.read(old) == signed_addresses.read(new) == Signed(Purpose.REPLY, 7, 9)


def test_with_a_key_gone_its_addresses_are_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    old = signed_addresses.reply_address(case_id=7, person_id=9) or ""
    monkeypatch.setattr(post_room, "_post_room", replace(post_room.post_room(), reply_keys={"k1": b"n" * 32}))

    assert signed_addresses.read(old) is None


# --- What a message says ----------------------------------------------------------------------------------------------


def test_the_words_of_an_answer_are_read_without_what_it_answers() -> None:
    text = "Tuesday is fine.\n\nMaya\n\nOn Tue, 14 Jul 2026 at 10:00, Kestrel <hello@example.org> wrote:\n> Our visit\n"

    assert incoming.read(mail(text)).text == "Tuesday is fine.\n\nMaya"


def test_an_answer_in_html_alone_is_read_as_words() -> None:
    message = EmailMessage()
    message["From"] = "maya@example.org"
    message.set_content(
        "<html><head><title>t</title><style>p{}</style></head><body><p>Yes, <b>please</b>.</p>"
        "<script>alert(1)</script><img src=x onerror=alert(1)><div>Maya</div></body></html>",
        subtype="html",
    )

    read = incoming.read(message.as_bytes())

    assert read.text == "Yes, please.\n\nMaya"


def test_what_came_with_it_is_named_and_left() -> None:
    message = EmailMessage()
    message["From"] = "maya@example.org"
    message.set_content("Here it is.")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="my\r\n passport\u202e.pdf")

    read = incoming.read(message.as_bytes())

    assert read.text == "Here it is."
    assert len(read.files) == 1
    assert "\n" not in read.files[0]
    assert "\u202e" not in read.files[0]


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated (away)"},
        {"Precedence": "bulk"},
        {"Precedence": "auto_reply"},
        {"X_Autoreply": "yes"},
        {"List_Id": "<news.example.org>"},
        {"Return_Path": "<>"},
        {"From": "MAILER-DAEMON@example.org"},
        {"Subject": "Automatic reply: Our visit"},
        {"Subject": "Out of office"},
    ],
)
def test_a_machines_answer_is_known(headers: dict[str, str]) -> None:
    assert incoming.read(mail(**headers)).is_automatic


@pytest.mark.parametrize("headers", [{}, {"Auto_Submitted": "no"}, {"Subject": "Re: Automatically delighted"}])
def test_a_persons_answer_is_not_taken_for_a_machines(headers: dict[str, str]) -> None:
    assert not incoming.read(mail(**headers)).is_automatic


def report(status: str, *, action: str = "failed", original: str = "<abc@kestrel.example.org>") -> bytes:
    return "\r\n".join(
        [
            "From: MAILER-DAEMON@mx.example.org",
            "To: reply@kestrel.example.org",
            "Subject: Undelivered Mail",
            f"Message-ID: <report{status}{action}@mx.example.org>",
            "MIME-Version: 1.0",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
            "",
            "--b",
            "Content-Type: text/plain",
            "",
            "Your message could not be delivered to maya@example.org.",
            "--b",
            "Content-Type: message/delivery-status",
            "",
            "Reporting-MTA: dns; mx.example.org",
            "",
            "Final-Recipient: rfc822; maya@example.org",
            f"Action: {action}",
            f"Status: {status}",
            "",
            "--b",
            "Content-Type: text/rfc822-headers",
            "",
            f"Message-ID: {original}",
            "Subject: About fostering",
            "--b--",
            "",
        ]
    ).encode()


@pytest.mark.parametrize(
    ("status", "action", "final", "dead"),
    [
        ("5.1.1", "failed", True, True),
        ("5.1.10", "failed", True, True),
        ("5.4.1", "failed", True, True),
        ("5.2.2", "failed", True, False),
        ("5.7.1", "failed", True, False),
        ("4.4.1", "failed", True, False),
        ("4.2.2", "delayed", False, False),
        ("2.0.0", "delivered", False, False),
    ],
)
def test_a_delivery_report_says_what_it_means_for_the_letter_and_for_the_address(
    status: str, action: str, final: bool, dead: bool
) -> None:
    bounce = incoming.read(report(status, action=action)).bounce

    assert bounce is not None
    assert bounce.original_ids == ("<abc@kestrel.example.org>",)
    assert (bounce.is_final, bounce.address_is_dead) == (final, dead)


# --- What means harm --------------------------------------------------------------------------------------------------

HEAD = (
    b"From: maya@example.org\r\nTo: reply@kestrel.example.org\r\nMessage-ID: <x@example.org>\r\nMIME-Version: 1.0\r\n"
)


def nested(depth: int) -> bytes:
    opening = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(depth))
    return HEAD + opening + b"Content-Type: text/plain\r\n\r\ndeep\r\n"


HOSTILE = {
    "endless": HEAD + b"\r\n" + b"a" * 50_000_000,
    "endless lines": HEAD + b"\r\n" + b"a\r\n" * 10_000_000,
    "one line": HEAD + b"\r\n" + b"x" * 9_000_000,
    "nested": nested(5_000),
    "nested within reason": nested(30),
    "parts": HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 100_000,
    "forwarded without end": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 5_000,
    "headers": b"X: y\r\n" * 500_000 + b"\r\nhi",
    "recipients": b"From: a@example.org\r\nTo: " + b"b@example.org, " * 100_000 + b"\r\n\r\nhi",
    "references": b"From: a@example.org\r\nReferences: " + b"<a@b> " * 200_000 + b"\r\n\r\nhi",
    "encoded words": b"From: a@example.org\r\nSubject: " + b"=?utf-8?q?=0A?=" * 20_000 + b"\r\n\r\nhi",
    "no charset": HEAD + b"Content-Type: text/plain; charset=no-such\r\n\r\nhi",
    "idna": b"From: a@example.org\r\nSubject: =?idna?q?xn--a?=\r\n\r\nhi",
    "bad base64": HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n!!!!",
    "html": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div " * 100_000,
    "html comments": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<!--" * 50_000,
    "html entities": HEAD + b"Content-Type: text/html\r\n\r\n" + b"&#x41;" * 50_000,
    "quoting": HEAD + b"\r\n" + (b"On " + b"a" * 190 + b" wrote:x\r\n") * 10_000,
    "nothing": b"",
    "zeros": b"\x00" * 10_000,
    "not headers": b"\r\n\r\n\r\n",
    "bare returns": HEAD.replace(b"\r\n", b"\r") + b"\r\rhi",
    "report of reports": HEAD
    + b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
    + b"--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n" * 3_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_message_holds_us_up_or_breaks_us(kind: str) -> None:
    began = time.process_time()

    read = incoming.read(HOSTILE[kind])

    assert time.process_time() - began < SECONDS_AT_MOST
    assert len(read.text) <= incoming.LONGEST_TEXT
    assert "\n" not in read.subject + read.sender


@given(st.binary(max_size=3_000))
def test_any_bytes_at_all_are_read(raw: bytes) -> None:
    read = incoming.read(HEAD + raw)

    assert read.digest == incoming.read(HEAD + raw).digest


def test_a_message_too_heavy_is_known_by_its_head() -> None:
    read = incoming.read(HOSTILE["endless"])

    assert (read.is_too_heavy, read.sender, read.recipients) == (
        True,
        "maya@example.org",
        ("reply@kestrel.example.org",),
    )


def test_a_report_that_is_only_quoted_in_an_answer_is_an_answer() -> None:
    assert incoming.read(mail("Action: failed\nStatus: 5.1.1\n")).bounce is None


# --- Where messages come in -------------------------------------------------------------------------------------------


def test_a_maildir_is_read_once_and_what_fails_stays(tmp_path: Path) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    for n in range(3):
        (tmp_path / "new" / f"{n}").write_bytes(mail(f"message {n}"))
    taken: list[bytes] = []

    def take(raw: bytes) -> None:
        if b"message 1" in raw and len(taken) == 1:
            raise RuntimeError
        taken.append(raw)

    with pytest.raises(RuntimeError):
        mailboxes.read_maildir(tmp_path, take)
    assert len(list((tmp_path / "new").iterdir())) == 2
    taken.append(b"")

    assert mailboxes.read_maildir(tmp_path, take) == 2
    assert mailboxes.read_maildir(tmp_path, take) == 0


def test_what_is_no_maildir_is_said(tmp_path: Path) -> None:
    with pytest.raises(mailboxes.MailboxOutOfReach):
        mailboxes.read_maildir(tmp_path, lambda raw: None)


class FakeImap:
    """The little of an IMAP server that the reader speaks to."""

    def __init__(self, messages: list[bytes]) -> None:
        self.messages = dict(enumerate(messages, 1))
        self.seen: set[int] = set()
        self.out = False

    def select(self, _folder: str) -> tuple[str, list[bytes]]:
        return "OK", [b""]

    def uid(self, command: str, *arguments: str) -> tuple[str, list[Any]]:
        if command == "SEARCH":
            return "OK", [" ".join(str(n) for n in self.messages if n not in self.seen).encode()]
        number = int(arguments[0])
        if command == "STORE":
            self.seen.add(number)
            return "OK", [b""]
        assert "BODY.PEEK" in arguments[1], "fetching must not mark it as seen by itself"
        return "OK", [(b"1 (UID 1 BODY[]<0> {3}", self.messages[number]), b")"]

    def logout(self) -> None:
        self.out = True


BOX = Mailbox(host="127.0.0.1", port=9, username="u", password="p", timeout=2)


def test_a_mailbox_is_read_and_each_message_marked_once_it_was_dealt_with(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeImap([mail("one"), mail("two")])
    monkeypatch.setattr(mailboxes, "_connected", lambda _: server)
    taken: list[bytes] = []

    assert mailboxes.read_imap(BOX, taken.append) == 2
    assert mailboxes.read_imap(BOX, taken.append) == 0
    assert (len(taken), server.out) == (2, True)


def test_a_message_that_could_not_be_dealt_with_is_there_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeImap([mail("one")])
    monkeypatch.setattr(mailboxes, "_connected", lambda _: server)

    def fail(_raw: bytes) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        mailboxes.read_imap(BOX, fail)

    assert (server.seen, server.out) == (set(), True)


def test_a_mailbox_that_is_not_there_is_said_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(mailboxes.MailboxOutOfReach):
        mailboxes.read_imap(replace(BOX, tls="none"), lambda raw: None)

    def refuse(_: Mailbox) -> None:
        raise imaplib.IMAP4.error("password p is wrong")

    monkeypatch.setattr(mailboxes, "_connected", refuse)
    with pytest.raises(mailboxes.MailboxOutOfReach) as fault:
        mailboxes.read_imap(BOX, lambda raw: None)
    assert "password" not in str(fault.value)

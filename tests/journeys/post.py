"""The letters that arrived at the mail server of a journey."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast

from tests.delivery.right_recipient import assert_right_recipient
from tests.delivery.sink import Sink, Taken, sink
from tests.journeys.people import wait_for


class PostBox:
    """What came in by SMTP, in order. ``letters_to`` waits for nothing; ``wait`` does."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    @property
    def environ(self) -> dict[str, str]:
        return {
            "CRM_MAIL_TRANSPORT": "smtp",
            "CRM_SMTP_HOST": self.sink.host,
            "CRM_SMTP_PORT": str(self.sink.port),
            "CRM_SMTP_TLS": "none",
        }

    def to(self, address: str, subject: str = "") -> list[EmailMessage]:
        return [
            letter
            for letter in (read(taken) for taken in self.sink.taken if address in taken.recipients)
            if subject.lower() in str(letter["subject"]).lower()
        ]

    def wait(self, address: str, subject: str, count: int = 1) -> list[EmailMessage]:
        """The letters to somebody about something, once there are so many of them: exactly so many."""
        wait_for(
            lambda: len(self.to(address, subject)) >= count,
            f"{count} letter(s) to {address} about {subject!r}; there: {self.subjects(address)}",
        )
        found = self.to(address, subject)
        assert len(found) == count, f"{address} has {len(found)} letters about {subject!r}"
        return found

    def subjects(self, address: str) -> list[str]:
        return [str(letter["subject"]) for letter in self.to(address)]

    def each_once(self) -> None:
        """No letter arrived twice: each has an id of its own."""
        ids = Counter(str(read(taken)["message-id"]) for taken in self.sink.taken)
        doubled = [one for one, times in ids.items() if times > 1]
        assert not doubled, f"arrived more than once: {doubled}"
        assert all(len(taken.recipients) == 1 for taken in self.sink.taken), "a letter went to two people at once"


def read(taken: Taken) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(taken.raw, policy=default))


def calendar_part(letter: EmailMessage) -> bytes:
    """The bytes of the invitation in a letter, with their long lines put together again."""
    parts = [part for part in letter.walk() if part.get_content_type() == "text/calendar"]
    assert parts, f"“{letter['subject']}” carries no invitation"
    raw = cast(bytes, parts[0].get_payload(decode=True))
    method = parts[0].get_param("method")
    assert f"METHOD:{method}\r\n".encode() in raw, "the letter and its calendar part name different methods"
    assert b"\n" not in raw.replace(b"\r\n", b""), "a calendar line does not end in CRLF"
    return raw.replace(b"\r\n ", b"")


def line_of(calendar: bytes, name: str) -> str:
    """One property of an invitation."""
    found = re.search(rb"^" + name.encode() + rb"[;:](.*?)\r$", calendar, re.MULTILINE)
    assert found, f"no {name} in {calendar.decode()}"
    return found[1].decode()


@contextmanager
def post_box() -> Iterator[PostBox]:
    """A mail server on this machine that keeps the raw bytes of what it is given; each letter is looked at (G36)."""
    with sink() as kept:
        yield PostBox(kept)
    for taken in kept.taken:
        assert_right_recipient(taken.raw, taken.recipients)

"""A mail server on this machine that keeps the raw bytes, and misbehaves when told to."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller

from crm.settings import SmtpSettings


@dataclass(frozen=True)
class Taken:
    """One letter that the server said it took."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes


@dataclass
class Sink:
    """What came, in order. ``answers`` maps a recipient, or "data", to what is said instead of accepting."""

    host: str = "127.0.0.1"
    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    hang_up_after_data: int = 0
    """How many times to take a letter and then hang up without saying so."""

    @property
    def settings(self) -> SmtpSettings:
        return SmtpSettings(host=self.host, port=self.port, tls="none", timeout=5.0)

    @property
    def raws(self) -> list[bytes]:
        return [letter.raw for letter in self.taken]

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if "data" in self.answers:
            return self.answers["data"]
        self.taken.append(Taken(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.original_content))
        if self.hang_up_after_data:
            self.hang_up_after_data -= 1
            server.transport.abort()
        return "250 Kept"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def sink() -> Iterator[Sink]:
    """A running server."""
    kept = Sink(port=free_port())
    controller = Controller(kept, hostname=kept.host, port=kept.port, data_size_limit=40_000_000)
    controller.start()
    try:
        yield kept
    finally:
        controller.stop()

"""Asking a virus scanner (clamd) about a file, by INSTREAM over a socket of this machine or a port.

What is not clearly clean is never taken as clean: no answer, half an answer or one that is not known is ScannerDown,
and whoever asked keeps the file apart and asks again later. clamd itself passes what it can't unpack within its own
limits, so it comes after ``accepting``, not instead.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from crm.settings import clamd_address

_PART = 64 * 1024
_LONGEST_ANSWER = 4096
_CLEAN = b"stream: OK"
_FOUND = re.compile(rb"stream: ([\x21-\x7e][\x20-\x7e]{0,199}) FOUND")
_VERSION = re.compile(rb"ClamAV [\x20-\x7e]{1,200}")


class ScannerDown(Exception):
    """The scanner said nothing that can be relied on. The file is not known to be clean."""


def scan(content: bytes, *, at: str, timeout_s: float = 30) -> str | None:
    """The name of what was found in ``content``, or None where it is clean.

    ``at`` is "unix:/path" or "tcp:host:port"; ``timeout_s`` counts from here to the end of the answer. Slow: no
    transaction is to be open meanwhile. Raises ScannerDown, and ValueError where ``at`` is neither.
    """
    with _connected(at, timeout_s) as connection:
        connection.send(b"zINSTREAM\0")
        for start in range(0, len(content), _PART):
            part = content[start : start + _PART]
            connection.send(len(part).to_bytes(4, "big") + part)
        connection.send(bytes(4))
        answer = connection.answer()
    if answer == _CLEAN:
        return None
    found = _FOUND.fullmatch(answer)
    if found is None:
        raise ScannerDown(f"the scanner answered {answer[:200]!r}")
    return found[1].decode("ascii")


def version(at: str, *, timeout_s: float = 5) -> str:
    """What the scanner calls itself, with the date of what it knows. Raises ScannerDown, ValueError."""
    with _connected(at, timeout_s) as connection:
        connection.send(b"zVERSION\0")
        answer = connection.answer()
    if not _VERSION.fullmatch(answer):
        raise ScannerDown(f"the scanner answered {answer[:200]!r}")
    return answer.decode("ascii")


class _Connection:
    """A socket that is given up at one moment, however slowly the other side goes on until then."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self.sock = sock
        self.until = until

    def _hurry(self) -> None:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it takes too long")
        self.sock.settimeout(left)

    def send(self, data: bytes) -> None:
        self._hurry()
        self.sock.sendall(data)

    def answer(self) -> bytes:
        """What is said before the zero that ends it."""
        said = b""
        while not said.endswith(b"\0"):
            self._hurry()
            more = self.sock.recv(_LONGEST_ANSWER)
            said += more
            if not more or len(said) > _LONGEST_ANSWER:
                raise ScannerDown(f"the scanner's answer has no end: {said[:200]!r}")
        return said[:-1]


@contextmanager
def _connected(at: str, timeout_s: float) -> Iterator[_Connection]:
    address = clamd_address(at)
    until = time.monotonic() + timeout_s
    try:
        if isinstance(address, str):
            sock = socket.socket(socket.AF_UNIX)
        else:
            sock = socket.create_connection(address, timeout=timeout_s)
        with sock:
            connection = _Connection(sock, until)
            if isinstance(address, str):
                sock.settimeout(timeout_s)
                sock.connect(address)
            yield connection
    except OSError as fault:  # refused, reset, gone, too slow
        raise ScannerDown(f"the scanner at {at} can't be asked: {fault}") from fault

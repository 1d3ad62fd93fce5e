"""The virus scanner: what it finds is named, and what it doesn't clearly call clean is not clean."""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crm.files import papers, pictures
from crm.files.scanning import ScannerDown, scan, version
from crm.settings import Settings, UnsafeSettings, clamd_address
from tests.files import clamd
from tests.files.hostile import ordinary, photo, zip_of

# --- One that is made up ----------------------------------------------------------------------------------------------


def received(connection: socket.socket) -> bytes:
    """Reads a file as clamd does, and gives it back. Raises where it isn't sent as clamd wants it."""
    with connection.makefile("rb") as sent:
        assert sent.read(10) == b"zINSTREAM\0"
        whole = b""
        while size := struct.unpack(">I", sent.read(4))[0]:
            assert size <= 1 << 20
            whole += sent.read(size)
        return whole


@contextmanager
def scanner(answer: Callable[[socket.socket], None], *, unix: Path | None = None) -> Iterator[str]:
    """One that answers a single time, as it is told."""
    listening = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    with listening:
        listening.bind(str(unix) if unix else ("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(20)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"unix:{unix}" if unix else f"tcp:127.0.0.1:{listening.getsockname()[1]}"
        thread.join(timeout=20)
        assert not thread.is_alive()


def says(*words: bytes, every_s: float = 0) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        received(connection)
        for some in words:
            connection.sendall(some)
            time.sleep(every_s)

    return answer


def test_a_file_is_sent_whole_in_parts_and_what_is_clean_has_no_name() -> None:
    content = bytes(range(256)) * 1000
    got = []

    def answer(connection: socket.socket) -> None:
        got.append(received(connection))
        connection.sendall(b"stream: OK\0")

    with scanner(answer) as at:
        assert scan(content, at=at) is None
    assert got == [content]


def test_a_socket_of_this_machine_will_do_and_an_answer_may_come_in_pieces() -> None:
    with tempfile.TemporaryDirectory() as folder:
        with scanner(
            says(b"stream: Win.Test.EICAR", b"_HDB-1 FOU", b"ND\0", every_s=0.05), unix=Path(folder) / "s"
        ) as at:
            assert scan(b"something", at=at) == "Win.Test.EICAR_HDB-1"


def test_an_empty_file_can_be_asked_about() -> None:
    with scanner(says(b"stream: OK\0")) as at:
        assert scan(b"", at=at) is None


@pytest.mark.parametrize(
    "words",
    [
        b"INSTREAM size limit exceeded. ERROR\0",
        b"stream: Can't open file or directory ERROR\0",
        b"stream: OK",
        b"stream: OK\n",
        b"stream: Something FOU",
        b"stream:  FOUND\0",
        b"stream: OK\0stream: Something FOUND\0",
        b"stream: Something FOUND\0stream: OK\0",
        b"stream: \x1b[2J FOUND\0",
        b"/etc/passwd: OK\0",
        b"OK\0",
        b"ok\0",
        b"HTTP/1.1 200 OK\r\n\r\n\0",
        b"\0",
        b"",
        b"stream: " + b"A" * 300 + b" FOUND\0",
        b"stream: OK" * 1000,
    ],
    ids=lambda words: words[:30].decode("ascii").strip("\0\r\n") or "nothing",
)
def test_an_answer_that_is_not_clear_is_none(words: bytes) -> None:
    with scanner(says(words)) as at, pytest.raises(ScannerDown):
        scan(b"something", at=at)


def resets(connection: socket.socket) -> None:
    connection.recv(5)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def is_silent(connection: socket.socket) -> None:
    received(connection)
    connection.recv(1)  # until the other side has had enough


def never_reads(connection: socket.socket) -> None:
    time.sleep(1)


def trickles(connection: socket.socket) -> None:
    received(connection)
    try:
        for _ in range(100):
            connection.sendall(b"s")
            time.sleep(0.05)
    except OSError:
        return
    raise AssertionError("nobody had enough of it")


@pytest.mark.parametrize("answer", [resets, is_silent, never_reads, trickles])
def test_a_scanner_that_goes_away_or_takes_too_long_is_down(answer: Callable[[socket.socket], None]) -> None:
    began = time.monotonic()
    with scanner(answer) as at, pytest.raises(ScannerDown):
        scan(bytes(20_000_000) if answer in (resets, never_reads) else b"something", at=at, timeout_s=0.5)
    assert time.monotonic() - began < 10


def test_where_nobody_listens_the_scanner_is_down(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for at in (f"tcp:127.0.0.1:{port}", f"unix:{tmp_path}/no", f"unix:{tmp_path}"):
        with pytest.raises(ScannerDown):
            scan(b"something", at=at)
        with pytest.raises(ScannerDown):
            version(at)


@pytest.mark.parametrize("words", [b"ClamAV 1.4.6\0", b"UNKNOWN COMMAND\0", b"ClamAV 1.4.6", b"ClamAV \xff\0"])
def test_only_a_version_is_one(words: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        assert connection.recv(100) == b"zVERSION\0"
        connection.sendall(words)

    with scanner(answer) as at:
        if words == b"ClamAV 1.4.6\0":
            assert version(at) == "ClamAV 1.4.6"
        else:
            with pytest.raises(ScannerDown):
                version(at)


# --- Where it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "address"),
    [
        ("unix:/run/clamav/clamd.ctl", "/run/clamav/clamd.ctl"),
        ("tcp:127.0.0.1:3310", ("127.0.0.1", 3310)),
        ("tcp:scanner.example.org:3310", ("scanner.example.org", 3310)),
        ("tcp:[::1]:3310", ("::1", 3310)),
    ],
)
def test_where_the_scanner_listens_is_read(at: str, address: str | tuple[str, int]) -> None:
    assert clamd_address(at) == address


@pytest.mark.parametrize(
    "at",
    [
        "", "unix:", "unix:clamd.ctl", "unix:/" + "a" * 200, "/run/clamd.ctl", "tcp:", "tcp::3310", "tcp:host",
        "tcp:host:", "tcp:host:0", "tcp:host:99999", "tcp:host:-1", "tcp:::1:3310", "tcp:[host]:1", "tcp:a b:1",
        "http://host:3310", "unix:/a\0b",
    ],
)  # fmt: skip
def test_where_no_scanner_can_be_is_refused(at: str) -> None:
    with pytest.raises(ValueError, match="must be unix:/path"):
        clamd_address(at)
    with pytest.raises(ValueError, match="must be unix:/path"):
        scan(b"something", at=at)


def test_the_setting_is_read_and_nonsense_is_named(tmp_path: Path) -> None:
    environ = {"CRM_ENV": "test", "CRM_DATA": str(tmp_path)}

    assert Settings.from_environ(environ).clamd is None
    assert Settings.from_environ({**environ, "CRM_CLAMD": ""}).clamd is None
    assert Settings.from_environ({**environ, "CRM_CLAMD": "tcp:127.0.0.1:3310"}).clamd == "tcp:127.0.0.1:3310"
    with pytest.raises(UnsafeSettings, match="CRM_CLAMD must be unix:/path"):
        Settings.from_environ({**environ, "CRM_CLAMD": "localhost"})


# --- A real one -------------------------------------------------------------------------------------------------------


@pytest.fixture
def real() -> Iterator[clamd.Clamd]:
    if not clamd.is_here():
        pytest.skip("not tried: the real clamd, which `make test` installs (clamav-daemon) and nobody has here")
    with tempfile.TemporaryDirectory(prefix="doorstep-clamd-") as folder, clamd.clamd(Path(folder)) as running:
        yield running


def test_a_real_scanner_finds_what_it_knows_and_is_down_once_it_is_gone(real: clamd.Clamd) -> None:
    picture, paper = pictures.redraw(photo()).content, papers.rebuild(ordinary()).content

    assert version(real.at).startswith("ClamAV 1.")
    assert scan(picture, at=real.at) is None
    assert scan(paper, at=real.at) is None
    for bad in (clamd.eicar(), zip_of({"a.txt": clamd.eicar()}), picture + clamd.eicar()):
        assert "Eicar-Of-Our-Own" in (scan(bad, at=real.at) or "")
    with pytest.raises(ScannerDown):  # more than it is set to look at
        scan(bytes(8_000_000), at=real.at)
    assert scan(picture, at=real.at) is None

    real.kill()

    with pytest.raises(ScannerDown):
        scan(picture, at=real.at)
    with pytest.raises(ScannerDown):
        version(real.at)

"""A real virus scanner for tests: Debian's clamd, on a socket of its own, with signatures that are made here."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crm.files import scanning

PROGRAM = "/usr/sbin/clamd"
CONFIG = """
Foreground yes
LocalSocket {folder}/socket
DatabaseDirectory {folder}/signatures
PidFile {folder}/pid
LogFile {folder}/log
TemporaryDirectory {folder}
StreamMaxLength 1M
SelfCheck 0
"""


def eicar() -> bytes:
    """What every scanner is made to find, put together only now: no file of ours is to be found by one."""
    return (
        b"X5O!P%@AP[4\\PZX54(P^)7CC)7}"
        + b"$"
        + b"-".join([b"EICAR", b"STANDARD", b"ANTIVIRUS", b"TEST"])
        + b"-FILE!$H+H*"
    )


@dataclass(frozen=True)
class Clamd:
    """Where it listens, and how to end it."""

    at: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=20)


def is_here() -> bool:
    return os.path.exists(PROGRAM)


@contextlib.contextmanager
def clamd(folder: Path) -> Iterator[Clamd]:
    """Run one until the end of the block."""
    (folder / "signatures").mkdir()
    (folder / "signatures" / "tests.ndb").write_text(f"Eicar-Of-Our-Own:0:*:{eicar().hex()}\n")
    (folder / "conf").write_text(CONFIG.format(folder=folder))
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen([PROGRAM, "-c", str(folder / "conf")], stdout=said, stderr=said)
    running = Clamd(f"unix:{folder}/socket", process)
    try:
        _wait_until_it_answers(running, folder)
        yield running
    finally:
        running.kill()


def _wait_until_it_answers(running: Clamd, folder: Path) -> None:
    for _ in range(200):
        with contextlib.suppress(scanning.ScannerDown):
            scanning.version(running.at)
            return
        if running.process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError((folder / "said").read_text() + (folder / "log").read_text())

"""Radicale, the CalDAV server that many run, asked the same things with as many events: what we are held against.

It runs as a program of its own, from the test tools, with a calendar that it was given in one request. What it takes is
the time of a request over loopback, as ours is.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import servers

CONFIG = """
[server]
hosts = 127.0.0.1:{port}
max_content_length = 100000000
timeout = 300
[auth]
type = none
[storage]
filesystem_folder = {folder}
[logging]
level = error
"""
PATH = "/officer/visits/"
MEMORY = Path("/dev/shm")
"""Its files stand in memory, where there is some: it keeps an event in a file of its own, and waits for each."""


@dataclass(frozen=True)
class Asked:
    """One request of a program, as it is told in the figures."""

    name: str
    method: str
    body: str
    rounds: int
    status: int = 207


class Server:
    """A CalDAV server at an address, asked over one connection as a calendar program does."""

    def __init__(self, port: int, path: str, sign_in: str) -> None:
        self.port, self.path = port, path
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self.headers = {"Authorization": "Basic " + base64.b64encode(sign_in.encode()).decode(), "Depth": "1"}

    def ask(self, method: str, body: bytes, *, name: str = "", **headers: str) -> tuple[float, int, bytes]:
        """The seconds until the whole answer was there, its status, and its body."""
        begun = time.perf_counter()
        self.connection.request(method, self.path + name, body, {**self.headers, **headers})
        answer = self.connection.getresponse()
        said = answer.read()
        return time.perf_counter() - begun, answer.status, said

    def best(self, asked: Asked) -> float:
        """Milliseconds of the quickest of some rounds, once it has been asked before."""
        took = []
        for _ in range(asked.rounds + 1):
            seconds, status, said = self.ask(asked.method, asked.body.encode())
            if status != asked.status:
                raise SystemExit(f"{asked.name} was answered {status}: {said[:300]!r}")
            took.append(seconds)
        return min(took[1:]) * 1000

    def best_put(self, text: Callable[[str], bytes], rounds: int) -> float:
        """Milliseconds of the quickest of some new events."""
        took = []
        for number in range(rounds):
            uid = f"put-{number}-{time.time_ns()}"
            kind = {"Content-Type": "text/calendar; charset=utf-8"}
            seconds, status, said = self.ask("PUT", text(uid), name=f"{uid}.ics", **kind)
            if status != 201:
                raise SystemExit(f"an event was answered {status}: {said[:300]!r}")
            took.append(seconds)
        return min(took) * 1000

    def sync_token(self, sync: str) -> str:
        """How the calendar stands."""
        _, _, said = self.ask("REPORT", sync.format("").encode())
        return re.findall(r"sync-token>([^<]+)</", said.decode())[-1]


@contextlib.contextmanager
def running(collection: bytes) -> Iterator[tuple[Server, float]]:
    """Radicale with a calendar; and the milliseconds that it took to take that in."""
    port = servers.free_port()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as scratch:
        config = Path(scratch) / "config"
        config.write_text(CONFIG.format(port=port, folder=Path(scratch) / "collections"))
        child = subprocess.Popen(
            [sys.executable, "-m", "radicale", "--config", str(config)], env=_without_proxies(os.environ)
        )
        try:
            server = Server(port, PATH, "officer:any")
            deadline = time.monotonic() + 120
            while True:
                try:
                    server.ask("OPTIONS", b"")
                    break
                except OSError:
                    server.connection.close()
                    if child.poll() is not None or time.monotonic() > deadline:
                        raise SystemExit("Radicale did not start") from None
                    time.sleep(0.1)
            seconds, status, said = server.ask("PUT", collection, **{"Content-Type": "text/calendar; charset=utf-8"})
            if status not in (200, 201, 204):
                raise SystemExit(f"Radicale did not take the calendar: {status} {said[:300]!r}")
            yield server, seconds * 1000
        finally:
            child.terminate()
            child.wait(20)


def _without_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if "proxy" not in name.lower()}

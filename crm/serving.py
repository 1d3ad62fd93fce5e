"""``crm serve``: the web server and the worker as children of one small parent, which starts again what dies.

The parent holds no request and no database connection; told to stop, it lets both finish what they are doing.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from crm.settings import Settings

STOP_WITHIN_S = 25
"""How long the children get to finish before they are ended (seconds)."""
STATIC = Path(__file__).parent / "static"


@dataclass
class Child:
    """One child process and how often it died lately."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)

    def start(self) -> None:
        # A session of its own, so that Ctrl-C reaches the parent alone and the parent decides the order of stopping.
        self.process = subprocess.Popen(self.command, start_new_session=True, preexec_fn=_end_with_parent)

    @property
    def has_died(self) -> bool:
        return self.process is not None and self.process.poll() is not None


def _end_with_parent() -> None:
    """Ask Linux to stop this child if its parent is killed outright, so that no server is left behind."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def web_command(*, host: str, port: int, workers: int) -> list[str]:
    """The web server's command: as many processes as cores, two threads each, and work turned away when it piles up."""
    return [
        sys.executable, "-m", "granian", "crm.app:create_app", "--factory",
        "--interface", "wsgi", "--host", host, "--port", str(port),
        "--workers", str(workers), "--blocking-threads", "2", "--backpressure", "64",
        "--respawn-failed-workers", "--workers-kill-timeout", f"{STOP_WITHIN_S - 5}s",
        "--static-path-route", "/static", "--static-path-mount", str(STATIC),
        "--static-path-expires", "365d", "--no-ws", "--log-level", "warning",
    ]  # fmt: skip


def worker_command() -> list[str]:
    return [sys.executable, "-m", "crm.cli", "worker"]


def serve(
    settings: Settings, *, host: str, port: int, workers: int, with_worker: bool, said: Callable[[str], None] = print
) -> int:
    """Run until told to stop. Returns the exit code: 0 for a stop that was asked for."""
    os.environ["PORT"] = str(port)
    children = [Child("web", web_command(host=host, port=port, workers=workers))]
    if with_worker:
        children.append(Child("worker", worker_command()))
    stopping = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for child in children:
        child.start()
    code = 0
    while not stopping:
        for child in children:
            if child.has_died and not stopping:
                now = time.monotonic()
                child.deaths = [death for death in child.deaths if now - death < 60] + [now]
                if len(child.deaths) > 10:
                    said(f"The {child.name} process keeps stopping; giving up.")
                    code, stopping = 1, True
                    break
                time.sleep(min(0.2 * 2 ** (len(child.deaths) - 1), 5))
                child.start()
        time.sleep(0.1)
    _stop_all(children)
    return code


def _stop_all(children: list[Child]) -> None:
    for child in children:
        if child.process is not None and child.process.poll() is None:
            child.process.terminate()
    deadline = time.monotonic() + STOP_WITHIN_S
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()

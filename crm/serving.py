"""``crm serve``: the web server and the worker as children of one small parent, which starts again what dies.

The parent holds no request and no database connection, and little memory: it takes the place of the command that
checked the settings and the database, and knows nothing but this file. Told to stop, it lets both children finish.
Nothing is left behind: a child ends with its parent, and a web process with its master, however either was killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

STOP_WITHIN_S = 25
"""How long the children get to finish before they are ended (seconds)."""
EARLY_DEATH_S = 10
"""A child that lived no longer than this died early: it is started again ever more slowly, then given up."""
GIVE_UP_AFTER = 8
"""Early deaths in a row."""
LOOK_EVERY_S = 0.1
STOPS = (signal.SIGTERM, signal.SIGINT)

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(parent: int | None = None) -> None:
    """Ask Linux to stop this process when its parent is gone, so that no server is left behind.

    ``parent`` is who it ought to be: where they died before we could ask, this process ends here.
    """
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


@dataclass
class Child:
    """One child process, and what is left of earlier ones."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float | None = None
    early_deaths: int = 0
    left_behind: list[tuple[int, float]] = field(default_factory=list)
    """Groups of dead children, some of whose own children may still be finishing, and when those are ended."""

    def start(self) -> None:
        parent = os.getpid()
        # A session of its own, so that Ctrl-C reaches the parent alone and the parent decides the order of stopping.
        self.process = subprocess.Popen(
            self.command,
            start_new_session=True,
            preexec_fn=lambda: end_with_parent(parent),
            # A heap for each of a few threads keeps more memory idle than one lock between them costs time.
            env={"MALLOC_ARENA_MAX": "1", **os.environ},
        )
        self.started_at, self.start_again_at = time.monotonic(), None

    @property
    def has_died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def note_death(self, now: float) -> None:
        """Plan the next start: at once after a long life, ever later after short ones."""
        if self.process is None:
            return
        _signal_group(self.process.pid, signal.SIGTERM)
        self.left_behind.append((self.process.pid, now + STOP_WITHIN_S))
        self.process = None
        self.early_deaths = self.early_deaths + 1 if now - self.started_at <= EARLY_DEATH_S else 0
        self.start_again_at = now + (min(0.1 * 2**self.early_deaths, 5) if self.early_deaths > 1 else 0)

    def end_left_behind(self, now: float) -> None:
        for pid, _when in [one for one in self.left_behind if one[1] <= now]:
            _signal_group(pid, signal.SIGKILL)
        self.left_behind = [one for one in self.left_behind if one[1] > now]


def web_command(*, host: str, port: int, workers: int) -> list[str]:
    """The web server's command: as many processes as cores, two threads each, and work turned away when it piles up."""
    return [
        sys.executable, "-m", "crm.wsgi", "crm.wsgi:application", "--factory",
        "--interface", "wsgi", "--host", host, "--port", str(port),
        "--workers", str(workers), "--blocking-threads", "2", "--backpressure", "64",
        "--respawn-failed-workers", "--workers-kill-timeout", f"{STOP_WITHIN_S - 5}s",
        "--no-ws", "--log-level", "warning",
    ]  # fmt: skip


def worker_command() -> list[str]:
    return [sys.executable, "-m", "crm.cli", "worker"]


def become_parent(*, host: str, port: int, workers: int, with_worker: bool) -> NoReturn:
    """Go on as the parent of the web server and the worker, in this very process, with everything else let go."""
    arguments = ["--host", host, "--port", str(port), "--workers", str(workers)]
    if not with_worker:
        arguments.append("--no-worker")
    sys.stdout.flush()
    sys.stderr.flush()
    # A stop that is asked for just now waits until there is somebody to hear it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    os.execv(sys.executable, [sys.executable, "-m", "crm.serving", *arguments])


def keep_running(children: Sequence[Child], *, said: Callable[[str], None] = print) -> int:
    """Start these children, start again those that die, and stop them all when told to (SIGINT, SIGTERM).

    Returns 0 for a stop that was asked for; 1 when a child died early so often that it was given up.
    """
    stopping = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    earlier = {number: signal.signal(number, stop) for number in STOPS}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    code = 0
    try:
        for child in children:
            child.start()
        while not stopping:
            now = time.monotonic()
            for child in children:
                child.end_left_behind(now)
                if child.has_died:
                    child.note_death(now)
                    if child.early_deaths >= GIVE_UP_AFTER:
                        said(f"The {child.name} process keeps stopping; giving up.")
                        code, stopping = 1, True
                if child.start_again_at is not None and now >= child.start_again_at and not stopping:
                    child.start()
            time.sleep(LOOK_EVERY_S)
    finally:
        _stop_all(children)
        for number, handler in earlier.items():
            signal.signal(number, handler)
    return code


def _stop_all(children: Sequence[Child]) -> None:
    running = [child.process for child in children if child.process is not None]
    for process in running:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_WITHIN_S
    for process in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, deadline - time.monotonic()))
    groups = [process.pid for process in running] + [pid for child in children for pid, _when in child.left_behind]
    for pid in groups:
        _signal_group(pid, signal.SIGKILL)
    for process in running:
        process.wait()


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def main() -> int:
    """The parent by itself: started by ``crm serve``, which has checked everything."""
    parser = ArgumentParser(prog="crm.serving", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--no-worker", action="store_true")
    asked = parser.parse_args()
    os.environ["PORT"] = str(asked.port)
    children = [Child("web", web_command(host=asked.host, port=asked.port, workers=asked.workers))]
    if not asked.no_worker:
        children.append(Child("worker", worker_command()))
    return keep_running(children)


if __name__ == "__main__":
    sys.exit(main())

"""``crm serve``: the web server and the worker as children of one parent, which starts again what dies.

The parent (wsgi.py) takes the place of the command that checked the settings and the database. Its children are forks
of it. Told to stop, it lets both finish. Nothing is left behind: a child ends with its parent, and a web process with
its master, however either was killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import NoReturn

STOP_WITHIN_S = 25
"""How long the children get to finish before they are ended (seconds)."""
EARLY_DEATH_S = 10
"""A child that lived no longer than this died early: it is started again ever more slowly, then given up."""
GIVE_UP_AFTER = 8
"""Early deaths in a row that were its own doing. One that was killed says nothing about whether it can run."""
LOOK_EVERY_S = 0.1
STOPS = (signal.SIGTERM, signal.SIGINT)

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_forks = multiprocessing.get_context("fork")


def end_with_parent(parent: int | None = None, *, by: signal.Signals = signal.SIGTERM) -> None:
    """Ask Linux to send this process a signal when its parent is gone, so that no server is left behind.

    ``parent`` is who it ought to be: where they died before we could ask, this process ends here.
    """
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, by)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def _be_child(name: str, do: Callable[[], object], parent: int) -> None:
    """What a child does first: a session of its own, so that Ctrl-C reaches the parent alone and the parent decides the
    order of stopping; a name of its own in lists of processes; and the signals as a new process has them."""
    os.setsid()
    for number in STOPS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    end_with_parent(parent)
    if _libc is not None:
        _libc.prctl(_PR_SET_NAME, f"crm {name}".encode())
    do()


@dataclass
class Child:
    """One child process, and what is left of earlier ones. ``do`` is all it does."""

    name: str
    do: Callable[[], object]
    process: BaseProcess | None = None
    started_at: float = 0.0
    start_again_at: float | None = None
    early_deaths: int = 0
    failures: int = 0
    left_behind: list[tuple[int, float]] = field(default_factory=list)
    """Groups of dead children, some of whose own children may still be finishing, and when those are ended."""

    def start(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self.process = _forks.Process(target=_be_child, args=(self.name, self.do, os.getpid()), name=self.name)
        # A stop that comes between the fork and the child's own handlers waits for those.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        self.started_at, self.start_again_at = time.monotonic(), None

    @property
    def has_died(self) -> bool:
        return self.process is not None and self.process.exitcode is not None

    def note_death(self, now: float) -> None:
        """Plan the next start: at once after a long life, ever later after short ones."""
        if self.process is None or self.process.pid is None:
            return
        was_killed = self.process.exitcode == -signal.SIGKILL
        _signal_group(self.process.pid, signal.SIGTERM)
        self.left_behind.append((self.process.pid, now + STOP_WITHIN_S))
        self.process = None
        died_early = now - self.started_at <= EARLY_DEATH_S
        self.early_deaths = self.early_deaths + 1 if died_early else 0
        self.failures = self.failures + (not was_killed) if died_early else 0
        self.start_again_at = now + (min(0.1 * 2**self.early_deaths, 5) if self.early_deaths > 1 else 0)

    def end_left_behind(self, now: float) -> None:
        for pid, _when in [one for one in self.left_behind if one[1] <= now]:
            _signal_group(pid, signal.SIGKILL)
        self.left_behind = [one for one in self.left_behind if one[1] > now]


def become_parent(*, host: str, port: int, workers: int, with_worker: bool) -> NoReturn:
    """Go on as the parent of the web server and the worker, in this very process, with everything else let go."""
    arguments = ["--host", host, "--port", str(port), "--workers", str(workers)]
    if not with_worker:
        arguments.append("--no-worker")
    sys.stdout.flush()
    sys.stderr.flush()
    # A stop that is asked for just now waits until there is somebody to hear it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    # A heap for each of a few threads keeps more memory idle than one lock between them costs time.
    environ = {"MALLOC_ARENA_MAX": "1", **os.environ, "PORT": str(port)}
    os.execve(sys.executable, [sys.executable, "-m", "crm.wsgi", *arguments], environ)


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
                    if child.failures >= GIVE_UP_AFTER:
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
        process.terminate()
    deadline = time.monotonic() + STOP_WITHIN_S
    for process in running:
        process.join(max(0.1, deadline - time.monotonic()))
    groups = [process.pid for process in running] + [pid for child in children for pid, _when in child.left_behind]
    for pid in groups:
        if pid is not None:
            _signal_group(pid, signal.SIGKILL)
    for process in running:
        process.join()


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)

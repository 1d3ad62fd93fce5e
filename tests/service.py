"""The real thing for tests: `crm serve` as a child process, on a port of its own, on the test's database.

A Service is forked from a process that has loaded the product, which saves the two times that the command loads it: it
does all that the command does, in the same processes. A ServiceByCommand is started as anybody starts it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NoReturn, Protocol

from tests.quick_processes import quick_processes

START_WITHIN_S = 60


class DidNotStart(AssertionError):
    """The service stopped, or did not answer in time. The message holds what it printed."""


class Running(Protocol):
    """What is asked of a process, in the words of ``subprocess``."""

    pid: int

    @property
    def returncode(self) -> Any: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...


class Forked:
    """A forked process, to be asked as one of ``subprocess``."""

    def __init__(self, **target: Any) -> None:
        self._process = quick_processes().Process(**target)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("crm serve", timeout or 0)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)


class Service:
    """One running service. ``url`` is its address, ``log`` what it printed so far."""

    process: Running

    def __init__(self, *, environ: dict[str, str], folder: Path, arguments: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.log_file = folder / f"service-{self.port}.log"
        outer = {k: v for k, v in os.environ.items() if not k.startswith("CRM_") and k not in ("DATABASE_URL", "PORT")}
        self.environ = {**outer, "PORT": str(self.port), "CRM_BASE_URL": self.url, **environ}
        self._start(("serve", "--workers", "1", *arguments), folder)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _start(self, arguments: tuple[str, ...], folder: Path) -> None:
        if "PYTHONPATH" in self.environ:  # what stands there is to be loaded first of all
            self.process = started_by_command(arguments, self.environ, folder, self.log_file)
        else:
            self.process = Forked(target=be_the_command, args=(arguments, self.environ, folder, self.log_file))

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def _wait(self) -> None:
        end = time.monotonic() + START_WITHIN_S
        fault: object = None
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise DidNotStart(f"crm serve stopped with {self.process.returncode}:\n{self.log}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except urllib.error.HTTPError as unwell:
                fault = f"{unwell.code} {unwell.read()[:500]!r}"
            except OSError as unreachable:
                fault = unreachable
            time.sleep(0.1)
        raise DidNotStart(f"/healthz did not answer 200 within {START_WITHIN_S} s ({fault}):\n{self.log}")

    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does. Returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def kill(self) -> None:
        """End it and its children at once, as a power cut would."""
        if self.process.poll() is not None:
            return
        for pid in [*children_of(self.process.pid), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)


class ServiceByCommand(Service):
    """A service as somebody starts it who types the command."""

    def _start(self, arguments: tuple[str, ...], folder: Path) -> None:
        self.process = started_by_command(arguments, self.environ, folder, self.log_file)


def started_by_command(
    arguments: tuple[str, ...], environ: dict[str, str], folder: Path, log_file: Path
) -> subprocess.Popen[bytes]:
    with log_file.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "crm.cli", *arguments],
            env=environ,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def be_the_command(arguments: tuple[str, ...], environ: dict[str, str], folder: Path, log_file: Path) -> NoReturn:
    """Do in this process what the command does, without beginning anew where it becomes the parent of its children."""
    from crm import cli, serving, wsgi

    os.setsid()
    with log_file.open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)

    def go_on_here(*, host: str, port: int, workers: int, with_worker: bool) -> NoReturn:
        sys.argv = ["crm.wsgi", "--host", host, "--port", str(port), "--workers", str(workers)]
        sys.argv += [] if with_worker else ["--no-worker"]
        sys.exit(wsgi.main())

    serving.become_parent = go_on_here
    cli.main([*arguments], prog_name="crm")
    sys.exit(0)


def children_of(pid: int) -> list[int]:
    """Every process below this one."""
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""The real thing for tests: `crm serve` as a child process, on a port of its own, on the test's database."""

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

START_WITHIN_S = 60


class DidNotStart(AssertionError):
    """The service stopped, or did not answer in time. The message holds what it printed."""


class Service:
    """One running service. ``url`` is its address, ``log`` what it printed so far."""

    def __init__(self, *, environ: dict[str, str], folder: Path, arguments: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.log_file = folder / f"service-{self.port}.log"
        outer = {k: v for k, v in os.environ.items() if not k.startswith("CRM_") and k not in ("DATABASE_URL", "PORT")}
        self.environ = {**outer, "PORT": str(self.port), "CRM_BASE_URL": self.url, **environ}
        command = [sys.executable, "-m", "crm.cli", "serve", "--workers", "1", *arguments]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=self.environ, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

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

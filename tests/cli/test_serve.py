"""`crm serve` keeps its children running, stops when told to, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import flask
import psutil
import pytest
from click.testing import CliRunner

from crm.cli import main
from crm.settings import Settings
from tests import databases
from tests.service import Service, ServiceByCommand
from tests.trust.conftest import cases_by_family_name, locked
from tests.trust.public_form import Answer, Browser

STOPS = pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
ONE_OF_EACH = pytest.mark.parametrize(
    ("database", "stop"), [("sqlite", signal.SIGINT), ("postgresql", signal.SIGTERM)], indirect=["database"]
)


@pytest.fixture
def kind_of_service() -> type[Service]:
    """Here the command itself is what is looked at."""
    return ServiceByCommand


def below(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def still_running(processes: list[psutil.Process], *, within: float) -> list[psutil.Process]:
    """Those of them that are still there after a while; the dead whom nobody has asked about don't count."""
    end = time.monotonic() + within
    while True:
        left = [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def wait_until(happened: Callable[[], object], *, within: float = 30) -> None:
    end = time.monotonic() + within
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@ONE_OF_EACH
def test_a_request_in_flight_is_answered_before_it_stops_with_0(
    app: flask.Flask,
    cast: object,
    database: databases.Database,
    start_service: Callable[..., Service],
    stop: signal.Signals,
) -> None:
    service = start_service()
    children = below(service.process.pid)
    browser = Browser(lambda: service.port)
    browser.fill_in("Midway")
    answers: list[Answer] = []
    request = threading.Thread(target=lambda: answers.append(browser.send(secrets.token_urlsafe(16))))
    with locked(database):
        request.start()
        time.sleep(0.5)
        service.process.send_signal(stop)
        time.sleep(1)
        assert service.process.poll() is None, "it did not wait for the request"
    request.join(30)

    assert service.process.wait(30) == 0
    assert [answer.status for answer in answers] == [303]
    assert len(cases_by_family_name(app)["Midway"]) == 1
    assert len(children) >= 3
    assert still_running(children, within=0) == []
    assert "Traceback" not in service.log


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_is_killed_is_started_again_and_nothing_outlives_its_parent(
    cast: object, start_service: Callable[..., Service]
) -> None:
    service = start_service()
    parent = psutil.Process(service.process.pid)

    # The worker, and the web server's master: each is started again; the master's own processes go with it.
    for name in ("crm worker", "crm web"):
        before = {child.pid for child in parent.children()}
        victim = next(child for child in parent.children() if child.name() == name)
        orphans = victim.children(recursive=True)
        victim.kill()
        wait_until(lambda before=before: len({c.pid for c in parent.children()} - before) == 1)  # type: ignore[misc]
        wait_until(lambda before=before: len(parent.children()) == len(before))  # type: ignore[misc]
        assert still_running(orphans, within=15) == []
    wait_until(lambda: answers_again(service))

    # The parent itself, outright.
    children = below(service.process.pid)
    os.kill(service.process.pid, signal.SIGKILL)
    service.process.wait(10)
    assert len(children) >= 3
    assert still_running(children, within=20) == []


def answers_again(service: Service) -> bool:
    try:
        return Browser(lambda: service.port, timeout=5).get("/healthz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_is_loaded_is_held_once_and_a_taken_port_is_refused(
    database: databases.Database, settings: Settings, start_service: Callable[..., Service]
) -> None:
    service = start_service()

    weights = [one.memory_full_info() for one in below(service.process.pid)]
    assert len(weights) == 3  # the web server's master, its process, the worker
    assert all(weight.uss < weight.rss * 0.7 for weight in weights)
    environ = {**database.environ, "CRM_DATA": str(settings.data_dir), "PORT": str(service.port)}
    refused = CliRunner().invoke(main, ["serve"], env=environ)
    assert refused.exit_code == 1
    assert refused.output == f"Error: Can't listen on 127.0.0.1 port {service.port}: Address already in use.\n"
    assert service.stop() == 0


# --- The parent by itself ---------------------------------------------------------------------------------------------

PARENT = """
    import functools, sys
    from crm import serving
    early, *lines = sys.argv[1:]
    serving.EARLY_DEATH_S, serving.GIVE_UP_AFTER = float(early), 4
    serving.STOP_WITHIN_S = 1
    children = [serving.Child(name, functools.partial(exec, code, {})) for name, code in (
        line.split(":", 1) for line in lines)]
    sys.exit(serving.keep_running(children, said=lambda line: print(line, flush=True)))
"""
LIVES = """
import os, pathlib, time
print('up', os.getpid(), flush=True); pathlib.Path({sign!r}).touch(); time.sleep(60)
"""
DIES_ONCE_THE_OTHER_LIVES = """
import pathlib, time
while not pathlib.Path({sign!r}).exists(): time.sleep(0.01)
"""
IS_DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def parent_of(*children: str, early_death_s: float = 20) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(early_death_s), *children]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)


ROOT = Path(__file__).resolve().parents[2]


def test_a_child_that_keeps_dying_is_given_up_with_1_and_takes_the_others_along(tmp_path: Path) -> None:
    sign = str(tmp_path / "up")
    dies, lives = DIES_ONCE_THE_OTHER_LIVES.format(sign=sign), LIVES.format(sign=sign)
    parent = parent_of(f"web:{dies}", f"worker:{lives}")
    other = next(line for line in parent.stdout if line.startswith("up"))  # type: ignore[union-attr]
    said = parent.communicate(timeout=30)[0]

    assert parent.returncode == 1
    assert "The web process keeps stopping; giving up." in said
    assert not psutil.pid_exists(int(other.split()[1]))


def test_a_child_that_lived_long_enough_is_never_given_up() -> None:
    parent = parent_of("web:import time; print('born', flush=True); time.sleep(0.8)", early_death_s=0.5)
    born = [next(parent.stdout) for _ in range(6)]  # type: ignore[arg-type]
    parent.send_signal(signal.SIGTERM)

    assert born == ["born\n"] * 6
    assert parent.wait(10) == 0


def test_a_child_that_was_killed_is_never_given_up() -> None:
    """Whoever ends the worker again and again, a machine short of memory perhaps, doesn't close the public form."""
    killed = "import os, signal; print('born', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    parent = parent_of(f"worker:{killed}")
    born = [next(parent.stdout) for _ in range(5)]  # type: ignore[arg-type]
    parent.send_signal(signal.SIGTERM)

    assert born == ["born\n"] * 5
    assert parent.wait(10) == 0


HEARS_NOTHING = """
    import os, signal, sys, time
    from crm import serving
    master = os.getpid()
    if os.fork():
        time.sleep(0.5)
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serving.end_with_parent(master, by=signal.SIGKILL)
    print(os.getpid(), flush=True)
    sys.setswitchinterval(1000)  # nothing else of this process gets a turn, as where its threads wait for each other
    while True:
        pass
"""


def test_a_web_process_that_hears_nothing_dies_with_its_master() -> None:
    command = [sys.executable, "-c", textwrap.dedent(HEARS_NOTHING)]
    master = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    orphan = int(next(master.stdout))  # type: ignore[arg-type]

    assert master.wait(10) == 0

    wait_until(lambda: not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE)


@STOPS
def test_a_child_that_will_not_listen_is_ended(stop: signal.Signals) -> None:
    parent = parent_of(f"web:{IS_DEAF}")
    assert next(parent.stdout) == "up\n"  # type: ignore[arg-type]
    deaf = below(parent.pid)
    began = time.monotonic()
    parent.send_signal(stop)

    assert parent.wait(15) == 0
    assert time.monotonic() - began >= 0.9
    assert still_running(deaf, within=0) == []

"""The door without signal (G12): what a visitor's entry must survive, done to a real browser on a network that loses.

A tablet is a Chromium with a profile on disk, which is killed and started again; the network is a proxy that cuts, or
loses answers after the service has given them. Tests use the same two with ten entries, the bench with a hundred.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import re
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
NOT_PASSED_ON = {"connection", "keep-alive", "transfer-encoding", "content-length"}
PIN = "240716"
PATIENCE_S = 60
LOSES = 0.3
SEED = 12


# --- The network ------------------------------------------------------------------------------------------------------


class LossyNetwork:
    """Stands between browsers and the service. ``is_cut`` closes every connection; ``loses`` is the share of answers to
    a device that never arrive, though the service has given them."""

    def __init__(self, port: Callable[[], int]) -> None:
        self.port = port
        self.is_cut = False
        self.loses = 0.0
        self.lost = 0
        self._draw = random.Random(SEED)
        network = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def pass_on(self) -> None:
                network.pass_on(self)

            do_GET = do_HEAD = do_POST = pass_on  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pass_on(self, asked: BaseHTTPRequestHandler) -> None:
        asked.close_connection = True
        body = asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
        if self.is_cut:
            return self.hang_up(asked)
        upstream = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=30)
        try:
            upstream.request(asked.command, asked.path, body, dict(asked.headers.items()))
            answer = upstream.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            return self.hang_up(asked)
        finally:
            upstream.close()
        if self.is_cut or (asked.path in ("/kit/entries", "/visit-kit/entries") and self._draw.random() < self.loses):
            self.lost += 1
            return self.hang_up(asked)
        with contextlib.suppress(OSError):
            asked.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in NOT_PASSED_ON:
                    asked.send_header(name, value)
            asked.send_header("Content-Length", str(len(content)))
            asked.send_header("Connection", "close")
            asked.end_headers()
            if asked.command != "HEAD":
                asked.wfile.write(content)
        return None

    @staticmethod
    def hang_up(asked: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            asked.connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


# --- A tablet ---------------------------------------------------------------------------------------------------------


class Tablet:
    """A browser with a profile on disk. ``skew_ms`` is how far its clock is ahead."""

    def __init__(self, playwright: Any, folder: Path, url: str, *, skew_ms: int = 0) -> None:
        self.playwright, self.folder, self.url, self.skew_ms = playwright, folder, url, skew_ms
        self.context: Any = None
        self.page: Any = None

    def open(self, path: str = "/kit/") -> None:
        """Start the browser and open an address."""
        self.context = self.playwright.chromium.launch_persistent_context(
            str(self.folder),
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=list(FLAGS),
            viewport={"width": 360, "height": 740},
            locale="en-GB",
            timezone_id="Europe/London",
            accept_downloads=True,
        )
        self.context.set_default_timeout(PATIENCE_S * 1000)
        if self.skew_ms:
            self.context.add_init_script(f"const real = Date.now; Date.now = () => real() + {self.skew_ms}")
        self.page = self.context.pages[0] if self.context.pages else self.context.new_page()
        self.page.goto(self.url + path)

    def kill(self) -> None:
        """End the browser as a flat battery would, and let go of what drove it."""
        mark = f"--user-data-dir={self.folder}"
        for process in psutil.process_iter(["cmdline"]):
            if mark in (process.info["cmdline"] or ()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    os.kill(process.pid, signal.SIGKILL)
        with contextlib.suppress(Exception):  # the browser is gone, which is what its driver complains of
            self.context.close()

    def set_up(self, event_id: int, *, email: str, password: str, name: str = "Blue tablet") -> None:
        """As staff do it before the event, with signal."""
        page = self.page
        page.goto(f"{self.url}/sign-in?next=/events/{event_id}/kit/device")
        page.get_by_label("Work email").fill(email)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("What is this device called?").fill(name)
        page.get_by_label("A PIN for tonight").fill(PIN)
        page.get_by_label("The PIN again").fill(PIN)
        page.get_by_role("button", name="Set it up").click()
        page.wait_for_url("**/kit/")
        self.unlock()

    def unlock(self) -> None:
        self.page.get_by_label("The PIN of this event").fill(PIN)
        self.page.get_by_role("button", name="Open", exact=True).click()
        self.page.get_by_label("Who is at the door?").wait_for()

    def to_kiosk(self) -> None:
        self.page.get_by_role("button", name="Kiosk").click()
        self.page.wait_for_url("**/kit/kiosk")
        self.page.get_by_label("First name").wait_for()

    def walk_in(self, given: str, family: str, reach: str) -> None:
        """From the list, and back to it; done when the page says that it is saved."""
        page = self.page
        page.get_by_role("button", name="Walk-in").click()
        page.get_by_label("First name").fill(given)
        page.get_by_label("Last name").fill(family)
        page.get_by_label("Mobile or email").fill(reach)
        page.get_by_label("Ready", exact=True).check()
        page.get_by_role("button", name="Save, done").click()
        page.get_by_text(f"{given} is saved").wait_for()

    def sign_in_at_kiosk(self, given: str, family: str, reach: str) -> None:
        page = self.page
        page.get_by_label("First name").fill(given)
        page.get_by_label("Last name").fill(family)
        page.get_by_label("Mobile or email").fill(reach)
        page.get_by_label("Yes please", exact=True).check()
        page.get_by_role("button", name="I’m here").click()
        page.get_by_role("heading", name=f"Thank you, {given}").wait_for()
        page.get_by_role("button", name="Next person").click()

    @property
    def waiting(self) -> int:
        """The count of what has not been sent, as it stands on the screen, once the page has counted."""
        counted = self.page.locator("[data-waiting]:visible").filter(has_text=re.compile(r"^\d+$"))
        return int(counted.first.inner_text())

    def wait_until_sent(self, within_s: float = PATIENCE_S * 2) -> None:
        end = time.monotonic() + within_s
        while self.waiting:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.waiting} entries were not sent within {within_s:.0f} s")
            # As somebody would who stands there and sees the number.
            self.page.evaluate("dispatchEvent(new Event('online'))")
            self.page.wait_for_timeout(250)


def found_on_disk(folder: Path, words: list[str]) -> list[str]:
    """Which of these words stand anywhere in a browser's profile, and in which file."""
    wanted = [(word, form) for word in words for form in (word.encode(), word.encode("utf-16-le"))]
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes().lower()
            found += [f"{word} in {path.relative_to(folder)}" for word, form in wanted if form.lower() in content]
    return found


# --- The bench --------------------------------------------------------------------------------------------------------

ENTRIES, KILLS = 100, 10


def measure(kind: str, environ: dict[str, str], report: Any, *, folder: Path) -> None:
    """A hundred entries over a browser killed ten times and a network that loses 30 % of the answers. ``environ`` leads
    to an empty database of this kind."""
    from playwright.sync_api import sync_playwright

    from bench import servers
    from crm import migrations
    from crm.app import create_app
    from crm.db import db
    from crm.settings import Settings

    app = create_app(Settings.from_environ(environ))
    with app.app_context():
        migrations.upgrade(db.engine)
        event_id = event_with_staff(datetime.now(UTC))
        db.session.remove()
    draw = random.Random(SEED)
    kill_after = set(draw.sample(range(ENTRIES), KILLS))
    canaries = [f"Zq{number:03}xanadu" for number in range(ENTRIES)]
    with (
        tempfile.TemporaryDirectory() as scratch,
        servers.running(environ, Path(scratch)) as (base_url, _process),
        sync_playwright() as playwright,
        network_to(int(base_url.rpartition(":")[2])) as network,
    ):
        tablet = Tablet(playwright, folder / "profile", network.url)
        tablet.open("/sign-in")
        try:
            tablet.set_up(event_id, email=EMAIL, password=PASSWORD)
            network.is_cut = True
            tablet.page.reload()
            tablet.unlock()
            seconds = []
            for number, canary in enumerate(canaries):
                began = time.monotonic()
                tablet.walk_in(canary, f"{canary}ova", f"{canary}@example.org")
                seconds.append(time.monotonic() - began)
                if number in kill_after:
                    tablet.kill()
                    tablet.open()
                    tablet.unlock()
            report.add(f"{kind} door: entries kept over ten kills", tablet.waiting, None)
            network.is_cut, network.loses = False, LOSES
            began = time.monotonic()
            tablet.wait_until_sent()
            report.add(f"{kind} door: seconds to send a hundred, 30 % of answers lost", time.monotonic() - began, 120)
            report.add(f"{kind} door: seconds to take and keep an entry, at most", max(seconds), 5)
        finally:
            tablet.kill()
    with app.app_context():
        stored, asides = stored_entries(event_id), asides_of(event_id)
        db.session.remove()
    names = [name for name, _, _ in stored]
    report.add(f"{kind} door: entries lost", len(set(canaries) - set(names)), 0)
    report.add(f"{kind} door: entries stored twice", len(names) - len(set(names)), 0)
    report.add(f"{kind} door: entries out of order", sum(a != b for a, b in zip(names, canaries, strict=False)), 0)
    report.add(f"{kind} door: entries kept aside", asides, 0)
    apart = max((seconds for _, _, seconds in stored), default=0.0)
    report.add(f"{kind} door: seconds between the two times, at most", apart, 1)
    report.add(f"{kind} door: names found in the profile on disk", len(found_on_disk(folder / "profile", canaries)), 0)


EMAIL, PASSWORD = "door@example.org", "seven brown teapots"


@contextlib.contextmanager
def network_to(port: int) -> Iterator[LossyNetwork]:
    network = LossyNetwork(lambda: port)
    try:
        yield network
    finally:
        network.close()


def event_with_staff(now: datetime) -> int:
    """An event that runs now, and somebody who may set devices up for it. Its id."""
    from crm import policy
    from crm.access import passwords
    from crm.access.models import User, UserRole
    from crm.db import db, transaction
    from crm.events.models import EventKind
    from crm.events.planning import create_event
    from crm.rules.permissions import Role

    with transaction():
        policy.ensure_defaults(now=now)
        user = User(email=EMAIL, name="Dora Gate", active=True, created_at=now)
        user.password_hash, user.password_set_at = passwords.hash_password(PASSWORD), now
        user.role_rows = [UserRole(role=Role.RECRUITER)]
        db.session.add(user)
        db.session.flush()
        event = create_event(
            name="Coffee and questions",
            kind=EventKind.DROP_IN,
            starts_at=now - timedelta(hours=1),
            ends_at=now + timedelta(hours=3),
            place="St Aldwyn’s Hall",
            staff_ids=[user.id],
            actor=user.as_actor(),
            now=now,
        )
        return event.id


def stored_entries(event_id: int) -> list[tuple[str, datetime, float]]:
    """Who was stored, in the order in which it happened: first name, when by the device's clock, and how many seconds
    lie between that and our time of it."""
    from sqlalchemy import select

    from crm.db import db
    from crm.events.kit_models import KitEntry
    from crm.events.models import AttendanceEntry, EventGuest

    rows = db.session.execute(
        select(EventGuest.given_name, KitEntry.written_at, KitEntry.occurred_at)
        .join(AttendanceEntry, AttendanceEntry.entry_id == "kit:" + KitEntry.client_id)
        .join(EventGuest, EventGuest.id == AttendanceEntry.guest_id)
        .where(KitEntry.event_id == event_id)
        .order_by(KitEntry.occurred_at, KitEntry.device_id, KitEntry.counter)
    ).all()
    return [(name, written, abs((written - occurred).total_seconds())) for name, written, occurred in rows]


def asides_of(event_id: int) -> int:
    from sqlalchemy import func, select

    from crm.db import db
    from crm.events.kit_models import KitAside

    return db.session.scalar(select(func.count()).where(KitAside.event_id == event_id)) or 0

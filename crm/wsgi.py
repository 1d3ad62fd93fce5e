"""The parent that ``crm serve`` becomes, what it loads for its children, and what each of them does.

The parent loads the product and opens nothing: no request, no database, no thread. Its children are forks, and share
what is loaded instead of holding it once each; each process makes its own application and connections.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from functools import partial
from typing import TYPE_CHECKING

from crm import serving

if TYPE_CHECKING:
    from flask import Flask

LOOK_EVERY_S = 1.0
LAST_REQUEST_S = 10.0
"""How long a process whose master died may go on with the request in hand."""


def application() -> Flask:
    """The product, in a process that ends when the server's master does, and at once when told to while it starts.

    The process is a fork of the master and would, until the server has set it up, treat a request to stop as the
    master does: by making a note for somebody else.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    master = multiprocessing.parent_process()
    serving.end_with_parent(master.pid if master is not None else None)
    if master is not None and master.pid is not None:
        threading.Thread(target=_end_after, args=(master.pid,), daemon=True, name="end-after-master").start()
    from crm.app import create_app

    app = create_app()
    settle()
    return app


def _end_after(master: int) -> None:
    """End this process for good some seconds after its master died.

    The signal that says so is lost when it comes while the server sets the process up: then nobody else would end it.
    """
    while os.getppid() == master:
        time.sleep(LOOK_EVERY_S)
    time.sleep(LAST_REQUEST_S)
    os._exit(1)


def settle() -> None:
    """Tell the garbage collector that what has been loaded stays.

    It would otherwise walk through every module, template and statement again and again: a fifth of the time of a long
    page. And a page makes thousands of small objects that are gone with it, so it needn't look after every 700 of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def serve_web(*, host: str, port: int, workers: int) -> None:
    """The web server: as many processes as cores, two threads each, and work turned away when it piles up."""
    from granian.cli import entrypoint

    sys.argv = [
        "granian", "crm.wsgi:application", "--factory",
        "--interface", "wsgi", "--host", host, "--port", str(port),
        "--workers", str(workers), "--blocking-threads", "2", "--backpressure", "64",
        "--respawn-failed-workers", "--workers-kill-timeout", f"{serving.STOP_WITHIN_S - 5}s",
        "--no-ws", "--log-level", "warning",
    ]  # fmt: skip
    entrypoint()  # type: ignore[no-untyped-call]


def run_worker() -> None:
    """The worker, as ``crm worker`` runs it."""
    from crm.cli import main as crm

    crm(["worker"], prog_name="crm")


def load() -> None:
    """Load everything that a child will need, once for all of them."""
    import granian.cli  # noqa: F401
    from sqlalchemy.orm import configure_mappers

    import crm.cli  # noqa: F401
    import crm.jobs.runner  # noqa: F401
    from crm.app import screens
    from crm.db import load_driver
    from crm.settings import Settings

    screens()
    load_driver(Settings.from_environ())
    configure_mappers()
    gc.collect()
    gc.freeze()  # looking through it would write to it, and what is written to is no longer shared


def main() -> int:
    """The parent: started by ``crm serve``, which has checked everything."""
    parser = ArgumentParser(prog="crm.wsgi", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--no-worker", action="store_true")
    asked = parser.parse_args()
    load()
    children = [serving.Child("web", partial(serve_web, host=asked.host, port=asked.port, workers=asked.workers))]
    if not asked.no_worker:
        children.append(serving.Child("worker", run_worker))
    return serving.keep_running(children)


if __name__ == "__main__":
    sys.exit(main())

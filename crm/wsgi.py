"""The parent that ``crm serve`` becomes, what it loads for its children, and what each of them does.

The parent loads the product, makes the application and opens nothing: no request, no database, no thread. Its children
are forks, and share what is loaded instead of holding it once each; each process makes its own connections.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
from argparse import ArgumentParser
from functools import partial
from typing import TYPE_CHECKING

from crm import serving

if TYPE_CHECKING:
    from flask import Flask

LAST_REQUEST_S = 10
"""How long a web process that was asked to stop may go on with the requests in hand."""

_product: Flask | None = None
"""Made by the parent. Making it writes to much of what is loaded, and what is written to is no longer shared."""


def application() -> Flask:
    """The product, in a process that ends when the server's master does, and at once when told to while it starts.

    The process is a fork of the master and would, until the server has set it up, treat a request to stop as the
    master does: by making a note for somebody else. Where the master died it is killed, not asked: asked to stop while
    it answers somebody, the server can wait for a request that waits for it, and would hold what that request has
    locked for good (emmett-framework/granian #875). Who got no answer sends again, and is stored once.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    master = multiprocessing.parent_process()
    serving.end_with_parent(master.pid if master is not None else None, by=signal.SIGKILL)
    app = product()
    settle()
    return app


def product() -> Flask:
    """The application, as the parent made it."""
    global _product
    if _product is None:
        from crm.app import create_app

        _product = create_app()
    return _product


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
        "--respawn-failed-workers", "--workers-kill-timeout", f"{LAST_REQUEST_S}s",
        "--no-ws", "--log-level", "warning",
    ]  # fmt: skip
    entrypoint()  # type: ignore[no-untyped-call]


def run_worker() -> None:
    """The worker, as ``crm worker`` runs it."""
    from crm.cli import work

    work(product())


def load() -> None:
    """Load everything that a child will need, once for all of them."""
    import granian.cli  # noqa: F401
    import holidays.countries  # noqa: F401  (asked for one country's, the library loads every country's)
    from sqlalchemy.orm import configure_mappers

    import crm.cli  # noqa: F401
    import crm.jobs.runner  # noqa: F401
    from crm.db import load_driver
    from crm.settings import Settings

    load_driver(Settings.from_environ())
    configure_mappers()
    product()
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

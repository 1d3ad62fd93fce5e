"""What each process of the web server loads, makes and serves.

``python -m crm.wsgi`` with granian's own arguments is the server's master: it loads the product once, and its processes
are forks that share what is loaded. Nothing is opened there: each process makes its own application and connections.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

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
    from crm import serving

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


def main() -> None:
    """Load the product, then serve it."""
    from granian.cli import entrypoint

    from crm.app import screens
    from crm.db import load_driver
    from crm.settings import Settings

    screens()
    load_driver(Settings.from_environ())
    gc.collect()
    gc.freeze()  # looking through it would write to it, and what is written to is no longer shared
    entrypoint()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()

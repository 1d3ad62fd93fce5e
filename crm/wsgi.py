"""What each process of the web server loads, makes and serves."""

from __future__ import annotations

import multiprocessing
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask


def application() -> Flask:
    """The product, in a process that ends when the server's master does, and at once when told to while it starts.

    The process is a fork of the master and would, until the server has set it up, treat a request to stop as the
    master does: by making a note for somebody else.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    from crm import serving

    master = multiprocessing.parent_process()
    serving.end_with_parent(master.pid if master is not None else None)
    from crm.app import create_app

    return create_app()

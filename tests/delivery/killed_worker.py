"""A worker process that dies, by SIGKILL, at one given moment of sending one letter. Used by ``test_kills``."""

from __future__ import annotations

import os
import signal
import smtplib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import flask

from crm.db import init_db
from crm.delivery import configure, transports, worker
from crm.settings import Settings

BOUNDARIES = (
    "before_connect",
    "after_rcpt",
    "within_data",  # the text has been sent, the dot that ends it has not: the server drops it
    "after_dot",  # the server has the letter, its answer is not read
    "after_250",  # the answer is read, nothing is marked
    "after_commit",
)
MAY_DOUBLE = ("after_dot", "after_250")
"""Both lie between the server's taking the letter and our remembering it."""
LEASE = timedelta(seconds=0.4)


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arrange_death(boundary: str, nth: int) -> None:
    """Have this process die at a boundary of the ``nth`` letter that it sends."""
    count = 0

    def due() -> bool:
        nonlocal count
        count += 1
        return count == nth

    if boundary == "before_connect":
        real_open = transports.SmtpTransport._open

        def opening(self: Any) -> Any:
            if due():
                die()
            return real_open(self)

        transports.SmtpTransport._open = opening  # type: ignore[method-assign]
    elif boundary == "after_rcpt":
        real_rcpt = smtplib.SMTP.rcpt

        def rcpt(self: Any, *arguments: Any) -> Any:
            answer = real_rcpt(self, *arguments)
            if due():
                die()
            return answer

        smtplib.SMTP.rcpt = rcpt  # type: ignore[method-assign]
    elif boundary in ("within_data", "after_dot"):
        real_data = smtplib.SMTP.data

        def data(self: Any, message: bytes) -> Any:
            if not due():
                return real_data(self, message)
            self.docmd("data")
            self.send(smtplib._quote_periods(message))  # type: ignore[attr-defined]
            if boundary == "after_dot":
                self.send(b".\r\n")
                # let the server say that it took the letter before we are gone, but never look at its answer
                self.sock.settimeout(5)
                self.sock.recv(1)
            return die()

        smtplib.SMTP.data = data  # type: ignore[assignment, method-assign]
    else:
        real_mark = worker._mark_sent

        def mark(*arguments: Any, **named: Any) -> None:
            last = due()
            if last and boundary == "after_250":
                die()
            real_mark(*arguments, **named)
            if last:
                die()

        worker._mark_sent = mark


def run(environ: Mapping[str, str], port: int, boundary: str | None, nth: int) -> None:
    """Deliver what is due, dying on the way if told to."""
    settings = Settings.from_environ(
        {**environ, "CRM_SMTP_HOST": "127.0.0.1", "CRM_SMTP_PORT": str(port), "CRM_SMTP_TLS": "none"}
    )
    app = flask.Flask("killed_worker")
    init_db(app, settings)
    configure(settings)
    worker.LEASE = LEASE
    if boundary is not None:
        arrange_death(boundary, nth)
    with app.app_context():
        worker.deliver_once()
    os._exit(0)

"""A worker that reads the mailbox and dies, by SIGKILL, at one given moment of the second message. Used by
``test_mailbox``."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any

from crm.app import create_app
from crm.cases import mail_worker, replies
from crm.clock import now_utc
from crm.delivery import mailboxes
from crm.settings import Mailbox, Settings

MOMENTS = ("before_commit", "after_commit")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run(environ: Mapping[str, str], mailbox: Mailbox, moment: str) -> None:
    """``before_commit``: it was taken in, and is not kept. ``after_commit``: kept, and the server was not told."""
    app = create_app(Settings.from_environ(environ), with_screens=False)
    count = 0

    def take_in(raw: bytes) -> None:
        nonlocal count
        count += 1
        real = replies.take_in

        def taken_and_gone(*arguments: Any, **more: Any) -> None:
            real(*arguments, **more)
            die()

        if (moment, count) == ("before_commit", 2):
            replies.take_in = taken_and_gone  # type: ignore[assignment]
        mail_worker.deal_with(raw, now=now_utc())
        if (moment, count) == ("after_commit", 2):
            die()

    with app.app_context():
        mailboxes.read_imap(mailbox, take_in)

"""The worker's part in what comes in: reads the mailbox for answers, a message a transaction.

The mailbox is spoken to outside of any transaction, and a message is marked as seen only once what it led to is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import structlog

from crm.cases import replies
from crm.clock import london_date
from crm.db import transaction
from crm.delivery import mailboxes
from crm.settings import Mailbox

EVERY_S = 60.0

log = structlog.get_logger("mail")


def fetch_answers(mailbox: Mailbox, stop: threading.Event, *, clock: Callable[[], datetime]) -> None:
    """Take in what comes, until told to stop. Needs an application context."""

    def take_in(raw: bytes) -> None:
        now = clock()
        with transaction():
            replies.take_in(raw, now=now, today=london_date(now))

    while not stop.is_set():
        try:
            mailboxes.read_imap(mailbox, take_in)
        except mailboxes.MailboxOutOfReach as fault:
            log.warning("mailbox_out_of_reach", fault=str(fault))
        stop.wait(EVERY_S)

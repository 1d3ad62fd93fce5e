"""The worker's part in what comes in: reads the mailbox for answers, a message a transaction.

The mailbox is spoken to outside of any transaction, and a message is marked as seen only once what it led to is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError

from crm.cases import replies
from crm.clock import london_date
from crm.db import transaction
from crm.delivery import mailboxes
from crm.delivery.models import IncomingMessage
from crm.settings import Mailbox

EVERY_S = 60.0

log = structlog.get_logger("mail")


def deal_with(raw: bytes, *, now: datetime) -> IncomingMessage:
    """Take in one message in a transaction of its own, whatever it does to us.

    One that breaks something is laid in the tray by its head, so that those after it are read; the mailbox keeps it.
    Only a database out of reach is raised: then the message is there the next time.
    """
    for is_last in (False, True):
        try:
            with transaction():
                return replies.take_in(raw, now=now, today=london_date(now))
        except (OperationalError, InterfaceError):
            raise
        except IntegrityError as fault:  # another worker wrote the same just now; seen again, it is there
            if is_last:
                log.error("message_not_dealt_with", fault=type(fault).__name__, bytes=len(raw))
        except Exception as fault:
            log.error("message_not_dealt_with", fault=type(fault).__name__, bytes=len(raw))
            break
    with transaction():
        return replies.lay_aside_unread(raw, now=now, today=london_date(now))


def fetch_answers(mailbox: Mailbox, stop: threading.Event, *, clock: Callable[[], datetime]) -> None:
    """Take in what comes, until told to stop. Needs an application context."""

    def take_in(raw: bytes) -> None:
        deal_with(raw, now=clock())

    while not stop.is_set():
        try:
            mailboxes.read_imap(mailbox, take_in)
        except mailboxes.MailboxOutOfReach as fault:
            log.warning("mailbox_out_of_reach", fault=str(fault))
        stop.wait(EVERY_S)

"""Where messages come in: a folder that a mail server fills, or a mailbox read over IMAP.

Each reader hands on the bytes of one message after another, and takes a message out only once whoever asked has dealt
with it: what a crash leaves undone is there again the next time, and the same message taken in twice is one.
"""

from __future__ import annotations

import contextlib
import imaplib
import ssl
from collections.abc import Callable
from pathlib import Path

from crm.settings import Mailbox

MOST_AT_ONCE = 100
LARGEST_FETCHED = 10 * 1024 * 1024
"""Of a larger message only the beginning is fetched: its head says what it is."""

TakeIn = Callable[[bytes], None]


class MailboxOutOfReach(Exception):
    """The mailbox can't be read; the message is a word of ours, never the server's."""


def read_maildir(folder: Path, take_in: TakeIn, *, at_most: int = MOST_AT_ONCE) -> int:
    """Take in what is new in a maildir; each message then moves to ``cur``. Returns how many.

    Raises MailboxOutOfReach where there is no such folder.
    """
    new, seen = folder / "new", folder / "cur"
    if not new.is_dir():
        raise MailboxOutOfReach(f"{folder} is not a maildir: it has no folder called new.")
    seen.mkdir(exist_ok=True)
    count = 0
    for path in sorted(new.iterdir())[:at_most]:
        if not path.is_file() or path.is_symlink():
            continue
        with open(path, "rb") as handle:
            take_in(handle.read(LARGEST_FETCHED + 1))
        path.rename(seen / f"{path.name}:2,S")
        count += 1
    return count


def read_imap(mailbox: Mailbox, take_in: TakeIn, *, at_most: int = MOST_AT_ONCE) -> int:
    """Take in what nobody has seen in a mailbox; each message is then marked as seen. Returns how many.

    Raises MailboxOutOfReach where the server does not answer, or does not let us in.
    """
    try:
        connection = _connected(mailbox)
    except (OSError, imaplib.IMAP4.error) as fault:
        raise MailboxOutOfReach(f"{type(fault).__name__}") from fault
    try:
        return _read_unseen(connection, mailbox, take_in, at_most=at_most)
    except (OSError, imaplib.IMAP4.error) as fault:
        raise MailboxOutOfReach(f"{type(fault).__name__}") from fault
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            connection.logout()


def _connected(mailbox: Mailbox) -> imaplib.IMAP4:
    context = ssl.create_default_context()
    connection: imaplib.IMAP4
    if mailbox.tls == "tls":
        connection = imaplib.IMAP4_SSL(mailbox.host, mailbox.port, ssl_context=context, timeout=mailbox.timeout)
    else:
        connection = imaplib.IMAP4(mailbox.host, mailbox.port, timeout=mailbox.timeout)
        if mailbox.tls == "starttls":
            connection.starttls(ssl_context=context)
    connection.login(mailbox.username, mailbox.password)
    return connection


def _read_unseen(connection: imaplib.IMAP4, mailbox: Mailbox, take_in: TakeIn, *, at_most: int) -> int:
    status, _ = connection.select(f'"{mailbox.folder}"')
    if status != "OK":
        raise MailboxOutOfReach("the folder is not there")
    status, found = connection.uid("SEARCH", "UNSEEN")
    if status != "OK":
        raise MailboxOutOfReach("the folder can't be searched")
    numbers = (found[0] or b"").split()[:at_most]
    count = 0
    for number in numbers:
        uid = number.decode("ascii", "replace")
        status, answer = connection.uid("FETCH", uid, f"(BODY.PEEK[]<0.{LARGEST_FETCHED + 1}>)")
        raw = next((part[1] for part in answer if isinstance(part, tuple)), None)
        if status != "OK" or not isinstance(raw, bytes):
            continue
        take_in(raw)
        connection.uid("STORE", uid, "+FLAGS", r"(\Seen)")
        count += 1
    return count

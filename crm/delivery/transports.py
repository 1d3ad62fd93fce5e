"""How the bytes of a letter leave: by SMTP, to a text gateway, or into a folder. The only file that sends anything."""

from __future__ import annotations

import contextlib
import json
import os
import re
import smtplib
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from crm.delivery.failures import GatewayAnswer, SendFault, Stage, TookTooLong
from crm.delivery.models import Channel
from crm.delivery.post_room import PostRoom
from crm.delivery.texts import read_text
from crm.settings import SmtpSettings, TextGateway

HAS_IT_ALREADY = 409
"""A gateway's answer to a reference that it took before: the message has gone."""
LETTERS_A_CONNECTION = 100
LONGEST_CONVERSATION_S = 90.0
"""Seconds for one letter, however slowly the server drips. Well under the worker's lease."""


class Transport(Protocol):
    """Something that takes a letter or raises SendFault."""

    def send(self, *, sender: str, recipient: str, raw: bytes, message_id: str) -> None: ...
    def close(self) -> None: ...


def transport_of(room: PostRoom, channel: Channel = Channel.EMAIL) -> Transport:
    """The transport that this installation uses for a channel."""
    if channel == Channel.TEXT:
        if room.text_gateway is not None:
            return TextGatewayTransport(room.text_gateway)
        return FilesTransport(room.files_dir / "texts", suffix=".json")
    if room.transport == "smtp" and room.smtp is not None:
        return SmtpTransport(room.smtp)
    return FilesTransport(room.files_dir)


class SmtpTransport:
    """One connection for many letters, opened when the first one comes. Not for several threads."""

    def __init__(self, settings: SmtpSettings, *, longest_s: float = LONGEST_CONVERSATION_S) -> None:
        self._settings = settings
        self._longest_s = longest_s
        self._connection: smtplib.SMTP | None = None
        self._sent = 0

    def send(self, *, sender: str, recipient: str, raw: bytes, message_id: str) -> None:
        """Hand one letter to the server; returns once the server has said that it took it. Raises SendFault."""
        if self._sent >= LETTERS_A_CONNECTION:
            self.close()
        was_open = self._connection is not None
        connection = self._open()
        try:
            self._converse(connection, sender, recipient, raw)
        except SendFault as fault:
            # A connection kept from the last letter may have been closed by the server since: not a failure of this one
            closed_meanwhile = was_open and fault.stage is Stage.SENDER and not _is_answer(fault.cause)
            if not closed_meanwhile:
                raise
            self._drop()
            self._converse(self._open(), sender, recipient, raw)
        self._sent += 1

    def close(self) -> None:
        """Say goodbye, if a connection is open."""
        connection, self._connection, self._sent = self._connection, None, 0
        if connection is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                connection.quit()
            connection.close()

    def _drop(self) -> None:
        connection, self._connection, self._sent = self._connection, None, 0
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def _open(self) -> smtplib.SMTP:
        if self._connection is None:
            try:
                self._connection = self._connected()
            except (OSError, smtplib.SMTPException, TookTooLong) as cause:
                raise SendFault(Stage.CONNECT, cause) from cause
        return self._connection

    def _connected(self) -> smtplib.SMTP:
        given = self._settings
        context = ssl.create_default_context()
        connection: smtplib.SMTP
        if given.tls == "tls":
            connection = smtplib.SMTP_SSL(given.host, given.port, timeout=given.timeout, context=context)
        else:
            connection = smtplib.SMTP(given.host, given.port, timeout=given.timeout)
        try:
            with _at_most(self._longest_s, connection):
                connection.ehlo_or_helo_if_needed()
                if given.tls == "starttls":
                    connection.starttls(context=context)
                    connection.ehlo()
                if given.username:
                    connection.login(given.username, given.password or "")
        except BaseException:
            connection.close()
            raise
        return connection

    def _converse(self, connection: smtplib.SMTP, sender: str, recipient: str, raw: bytes) -> None:
        stage = Stage.SENDER
        try:
            with _at_most(self._longest_s, connection):
                _demand(connection.mail(sender), 250)
                stage = Stage.RECIPIENT
                _demand(connection.rcpt(recipient), 250, 251)
                stage = Stage.CONTENT
                _demand(connection.data(raw), 250)
        except smtplib.SMTPResponseException as cause:
            if cause.smtp_code == 421 or cause.smtp_code < 0:
                self._drop()
            else:
                self._start_afresh(connection)
            raise SendFault(stage, cause) from cause
        except (OSError, smtplib.SMTPException, TookTooLong) as cause:
            self._drop()
            raise SendFault(stage, cause) from cause

    def _start_afresh(self, connection: smtplib.SMTP) -> None:
        try:
            connection.rset()
        except (OSError, smtplib.SMTPException):
            self._drop()


class FilesTransport:
    """Writes each letter into a folder as a file that mail readers open. Written again, it is the same file."""

    def __init__(self, folder: Path, *, suffix: str = ".eml") -> None:
        self._folder = folder
        self._suffix = suffix

    def send(self, *, sender: str, recipient: str, raw: bytes, message_id: str) -> None:
        """Write the letter. Raises SendFault."""
        name = re.sub(r"[^A-Za-z0-9@.-]", "", message_id) or "letter"
        path = self._folder / f"{name}{self._suffix}"
        part = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as handle:
                handle.write(raw)
                handle.flush()
                os.fsync(handle.fileno())
            part.replace(path)
        except OSError as cause:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise SendFault(Stage.LOCAL, cause) from cause

    def close(self) -> None:
        """Nothing is kept open."""


class TextGatewayTransport:
    """Hands text messages to a gateway over HTTPS: one POST a message, as README ("Text messages") describes it.

    The ``reference`` is the same however often one message is tried, so that a gateway which has it already can say so.
    """

    def __init__(self, gateway: TextGateway) -> None:
        self._gateway = gateway
        # No redirect is followed: the message and the key would go wherever it points.
        self._opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))

    def send(self, *, sender: str, recipient: str, raw: bytes, message_id: str) -> None:
        """Hand over one message; returns once the gateway has said that it took it. Raises SendFault."""
        number, words = read_text(raw)
        body = {"to": number, "from": self._gateway.sender, "text": words, "reference": message_id.strip("<>")}
        request = urllib.request.Request(  # noqa: S310  (the settings admit https, or this machine, only)
            self._gateway.url,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._gateway.token}"},
            method="POST",
        )
        try:
            with self._opener.open(request, timeout=self._gateway.timeout) as answer:
                if not 200 <= answer.status < 300:
                    raise SendFault(Stage.CONTENT, GatewayAnswer(answer.status))
        except urllib.error.HTTPError as cause:
            cause.close()
            if cause.code != HAS_IT_ALREADY:
                raise SendFault(Stage.CONTENT, GatewayAnswer(cause.code)) from cause
        except urllib.error.URLError as cause:
            reason = cause.reason if isinstance(cause.reason, OSError) else cause
            raise SendFault(Stage.CONNECT, reason) from cause
        except OSError as cause:
            raise SendFault(Stage.CONTENT, cause) from cause

    def close(self) -> None:
        """Nothing is kept open."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _demand(answer: tuple[int, bytes], *codes: int) -> None:
    if answer[0] not in codes:
        raise smtplib.SMTPResponseException(*answer)


def _is_answer(cause: BaseException) -> bool:
    return isinstance(cause, smtplib.SMTPResponseException) and cause.smtp_code != 421


@contextlib.contextmanager
def _at_most(seconds: float, connection: smtplib.SMTP) -> Iterator[None]:
    """End a conversation that drags on: each answer may be in time and the whole still take for ever."""
    ran_out = threading.Event()

    def cut() -> None:
        ran_out.set()
        sock = connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, smtplib.SMTPException) as fault:
        if ran_out.is_set():
            raise TookTooLong from fault
        raise
    finally:
        timer.cancel()

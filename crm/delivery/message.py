"""What a caller hands over to have a letter written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crm.delivery.models import Channel
from crm.rules.refusal import Refusal

if TYPE_CHECKING:
    from crm.delivery.render import Sources

LONGEST_ADDRESS = 254
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"({_LOCAL})@({_LABEL}(?:\.{_LABEL})*)")


class UnsendableAddress(Refusal):
    """No letter can be sent to what was given as an address."""

    default_status = 422


@dataclass(frozen=True)
class Recipient:
    """Exactly one person, at exactly one place. Give ``email``, ``phone`` or ``postal``, according to the channel."""

    email: str | None = None
    phone: str | None = None
    """In E.164: +447700900118."""
    postal: tuple[str, ...] = ()
    """The name and the lines of the address, as they stand on the envelope."""


@dataclass(frozen=True)
class Invitation:
    """A calendar object that goes with a letter (RFC 5546): its bytes, as calendars made them."""

    ics: bytes
    method: str
    """One of ``mime.METHODS``."""


@dataclass(frozen=True)
class Attachment:
    """The one file that a letter may carry, confirmed by a person against this recipient."""

    filename: str
    content: bytes
    mime_type: str = "application/pdf"


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """A letter to be written.

    ``kind`` is a name in ``letters.LETTERS``; ``context`` holds its merge fields. ``dedupe_key`` says what this letter
    is, so that the same business done twice writes it once. ``stream`` and ``sequence`` are given where only the newest
    of several letters matters: an unsent older one is dropped. ``not_before`` delays, ``not_after`` makes it pointless.
    """

    kind: str
    channel: Channel
    to: Recipient
    dedupe_key: str
    context: Mapping[str, Any] = field(default_factory=dict)
    case_id: int | None = None
    person_id: int | None = None
    user_id: int | None = None
    invitation: Invitation | None = None
    attachment: Attachment | None = None
    stream: str | None = None
    sequence: int | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    reader: str = ""
    """The full name of whom it is for, as it stands over a letter that goes as a file."""
    stop_url: str | None = None
    """Where its reader can tell us to stop: stands at its end, whatever its words are."""
    sources: Sources | None = None
    """Words of its own, looked at by ``letter_words``, in place of those in force for its kind."""


def sendable_address(address: str | None) -> str:
    """The address as it goes on the wire: ASCII, the domain in lower case. Raises UnsendableAddress.

    Deliberately narrower than RFC 5321: quoted local parts and address literals are how addresses come to mean two
    things at once, and no mailbox that a household has needs them.
    """
    text = (address or "").strip(" ")
    local, at, domain = text.rpartition("@")
    if at and not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            domain = ""
    text = f"{local}{at}{domain.lower()}"
    if len(text) > LONGEST_ADDRESS or not (match := _ADDRESS.fullmatch(text)) or len(match.group(1)) > 64:
        raise UnsendableAddress(
            "Letters can't be sent to that email address. Check it for a slip, such as a missing @ or a comma.",
            field="email",
        )
    return text

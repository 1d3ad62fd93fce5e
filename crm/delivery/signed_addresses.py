"""Addresses of our own mailbox that say, signed, whom an answer is from or which letter came back.

``reply+k1-…@`` is one person's address in one case; ``reply+k1-…@`` made for another purpose names one letter that a
mail server could not deliver. ``visits+k1-…@`` is the address by which one officer invites us to an event of theirs.
Whoever was not written to can't make one, and nothing in it can be read without the key:
the signature is 128 bits, and the numbers under it are masked by it. The key's id stands before it, so that what was
sent before a change of keys still comes home.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum

from crm.delivery.post_room import post_room

_SIGNATURE_BYTES = 16
_NUMBERS_BYTES = 8
_LOCAL = re.compile(r"(?P<key>[A-Za-z0-9]{1,12})-(?P<token>[A-Za-z2-7]{39})")


class Purpose(StrEnum):
    """What an address was made for; one made for the one is nothing to the other."""

    REPLY = "reply"
    BOUNCE = "bounce"
    OFFICER = "officer"


@dataclass(frozen=True)
class Signed:
    """What a signed address of ours says: for REPLY the case and the person, for BOUNCE the letter and nothing, for
    OFFICER the officer and which of their addresses it is."""

    purpose: Purpose
    first: int
    second: int


def reply_address(*, case_id: int, person_id: int) -> str | None:
    """Where this person's answers about this case come in; None where no mailbox is set up for it."""
    return _address(post_room().reply_mailbox, Purpose.REPLY, case_id, person_id)


def bounce_address(message_id: int) -> str | None:
    """Where it is said that a letter could not be delivered; None where no mailbox is set up for it."""
    return _address(post_room().reply_mailbox, Purpose.BOUNCE, message_id, 0)


def officer_address(user_id: int, number: int) -> str | None:
    """The address by which one officer invites us to their events; of those they had, the one of this number."""
    return _address(post_room().visits_mailbox, Purpose.OFFICER, user_id, number)


def is_ours(address: str) -> bool:
    """Whether an address is the mailbox for answers, whatever stands behind its plus sign."""
    return _token_of(address, post_room().reply_mailbox) is not None


def is_for_visits(address: str) -> bool:
    """Whether an address is the mailbox of visits, whatever stands behind its plus sign."""
    return _token_of(address, post_room().visits_mailbox) is not None


def read(address: str) -> Signed | None:
    """What an address for answers says, or None where we never made it."""
    return _read(_token_of(address, post_room().reply_mailbox), (Purpose.REPLY, Purpose.BOUNCE))


def read_officer(address: str) -> Signed | None:
    """Whose address for inviting us it is, or None where we never made it."""
    return _read(_token_of(address, post_room().visits_mailbox), (Purpose.OFFICER,))


def _read(token: str | None, purposes: tuple[Purpose, ...]) -> Signed | None:
    match = _LOCAL.fullmatch(token or "")
    if match is None:
        return None
    key = next((key for name, key in post_room().reply_keys.items() if name.lower() == match["key"].lower()), None)
    if key is None:
        return None
    raw = base64.b32decode(match["token"].upper() + "=")
    if _written(raw) != match["token"].lower():
        return None  # its last letter has bits to spare: of the ways to write the same bytes, one is ours
    signature, masked = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    for purpose in purposes:
        numbers = _mask(key, purpose, signature, masked)
        if hmac.compare_digest(_sign(key, purpose, numbers), signature):
            return Signed(purpose, int.from_bytes(numbers[:4], "big"), int.from_bytes(numbers[4:], "big"))
    return None


def _address(mailbox: str | None, purpose: Purpose, first: int, second: int) -> str | None:
    room = post_room()
    if mailbox is None or not room.reply_keys:
        return None
    local, _, domain = mailbox.partition("@")
    key_id, key = next(iter(room.reply_keys.items()))
    numbers = first.to_bytes(4, "big") + second.to_bytes(4, "big")
    signature = _sign(key, purpose, numbers)
    token = _written(signature + _mask(key, purpose, signature, numbers))
    return f"{local}+{key_id.lower()}-{token}@{domain}"


def _written(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _sign(key: bytes, purpose: Purpose, numbers: bytes) -> bytes:
    return hmac.digest(key, f"{purpose}|".encode() + numbers, "sha256")[:_SIGNATURE_BYTES]


def _mask(key: bytes, purpose: Purpose, signature: bytes, numbers: bytes) -> bytes:
    """The numbers laid under a stream that only the key makes of the signature; laid under it again, they are back."""
    stream = hmac.digest(key, f"{purpose} mask|".encode() + signature, "sha256")[:_NUMBERS_BYTES]
    return bytes(one ^ other for one, other in zip(numbers, stream, strict=True))


def _token_of(address: str, mailbox: str | None) -> str | None:
    if mailbox is None:
        return None
    ours, _, domain = mailbox.lower().partition("@")
    local, at, where = address.strip().rpartition("@")
    name, _, token = local.partition("+")
    if not at or where.lower() != domain or name.lower() != ours:
        return None
    return token

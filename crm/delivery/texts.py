"""Text messages: how long one is, the bytes that are stored of it, and the number that it goes to.

A text message is charged, and put together again by the phone, in segments (3GPP TS 23.038 and 23.040): 160 characters
of the GSM alphabet, or 70 of any other as soon as one is not in it; 153 or 67 each when there are several.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from crm.delivery.message import UnsendableAddress

_GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_DOUBLE = set("^{}\\[~]|€\f")
"""In the extension table: an escape goes before each, so that it counts for two."""
_PLAINER = {
    "’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " ", "½": " 1/2",
}  # fmt: skip
MOST_SEGMENTS = 3
"""More than this is a letter, and goes by email or post."""
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_UK_MOBILE = re.compile(r"\+447[0-9]{9}")


@dataclass(frozen=True)
class Length:
    """How long a text message is. ``units`` are characters as the network counts them."""

    alphabet: str
    """GSM-7 or UCS-2."""
    units: int
    segments: int
    odd: str = ""
    """The characters that are not in the GSM alphabet, each once: what makes a short text dear."""

    @property
    def words(self) -> str:
        """The length as it is said on screen."""
        parts = "1 text" if self.segments == 1 else f"{self.segments} texts"
        plain = f"{self.units} characters, {parts}"
        return plain if not self.odd else f"{plain}, because of {' '.join(self.odd)}"


def plain_words(text: str) -> str:
    """The words with typographic signs as plain ones, so that an apostrophe does not double the number of segments."""
    for sign, plain in _PLAINER.items():
        text = text.replace(sign, plain)
    return " ".join(text.split())


def length_of(text: str) -> Length:
    """How long a text is, and in how many segments it goes."""
    odd = "".join(sorted({character for character in text if character not in _GSM and character not in _GSM_DOUBLE}))
    if odd:
        units = len(text.encode("utf-16-be")) // 2
        return Length("UCS-2", units, 1 if units <= 70 else -(-units // 67), odd)
    units = len(text) + sum(character in _GSM_DOUBLE for character in text)
    return Length("GSM-7", units, 1 if units <= 160 else -(-units // 153))


def can_be_texted(number: str | None) -> bool:
    """Whether a number (E.164) may belong to a phone that takes texts: any abroad, in the UK a mobile."""
    if not number or not _NUMBER.fullmatch(number):
        return False
    return not number.startswith("+44") or _UK_MOBILE.fullmatch(number) is not None


def sendable_number(number: str | None) -> str:
    """The number as it goes to the gateway. Raises UnsendableAddress."""
    if not can_be_texted(number):
        raise UnsendableAddress("Texts go to a mobile number, such as 07700 900118.", field="phone")
    return str(number)


def text_bytes(to: str, words: str) -> bytes:
    """A text message as it is stored: its number with it, so that the one can't be sent to another's. Raises
    UnsendableAddress for a text that is too long or has nothing in it."""
    if not words or length_of(words).segments > MOST_SEGMENTS:
        raise UnsendableAddress("That is too long for a text message.", field="phone")
    return json.dumps({"to": to, "text": words}, ensure_ascii=False).encode()


def read_text(raw: bytes) -> tuple[str, str]:
    """The number and the words of a stored text message. Raises ValueError where it is not one."""
    found = json.loads(raw)
    if not isinstance(found, dict) or set(found) != {"to", "text"}:
        raise ValueError("not a stored text message")
    return str(found["to"]), str(found["text"])

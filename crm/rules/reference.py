"""The reference that people read out, type and write on forms: `KF-7Q3M9X`.

A service's prefix, a hyphen and six Crockford base-32 characters, of which the last checks the others: any one wrong
character and any two swapped neighbours are noticed. It is never a key by itself, and says nothing about the household.
"""

from __future__ import annotations

from crm.rules.refusal import Refusal

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SPACE = 32**5

_VALUE = {letter: value for value, letter in enumerate(ALPHABET)}
# What people write for a digit they heard or read.
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})
# Weights are distinct and none is zero, which is what catches swapped neighbours. They multiply in the field of 32
# elements (x^5 + x^2 + 1), where no product of two other than zero is zero.
_WEIGHTS = (13, 25, 7, 22, 29)
_FIELD = 0b100101


class ReferenceUnreadable(Refusal):
    """What was typed is not one of our references."""

    default_status = 422


def _times(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 32:
            a ^= _FIELD
        b >>= 1
    return product


_PRODUCTS: tuple[tuple[int, ...], ...] = tuple(
    tuple(_times(weight, value) for value in range(32)) for weight in _WEIGHTS
)


def new_reference(prefix: str, number: int) -> str:
    """The reference for a random number from 0 up to SPACE."""
    if not 0 <= number < SPACE:
        raise ValueError("the number is outside the space of references")
    values = [(number >> shift) & 31 for shift in (20, 15, 10, 5, 0)]
    check = 0
    for products, value in zip(_PRODUCTS, values, strict=True):
        check ^= products[value]
    return f"{prefix}-" + "".join(ALPHABET[value] for value in values) + ALPHABET[check]


def normalise(typed: str, prefix: str) -> str | None:
    """The reference that was meant, or None when it can't be one of ours.

    Small letters, spaces, a missing hyphen or prefix, and O for 0 or I and L for 1 are all put right.
    """
    text = "".join(letter for letter in typed.upper() if letter.isalnum())
    head = prefix.upper()
    if len(text) == len(head) + 6:
        if text[: len(head)] != head:
            return None
        text = text[len(head) :]
    text = text.translate(_MISREAD)
    if len(text) != 6 or any(letter not in _VALUE for letter in text):
        return None
    check = 0
    for products, letter in zip(_PRODUCTS, text, strict=False):
        check ^= products[_VALUE[letter]]
    return f"{head}-{text}" if ALPHABET[check] == text[-1] else None


def is_reference(typed: str, prefix: str) -> bool:
    """Whether this can be read as one of our references."""
    return normalise(typed, prefix) is not None


def parse(typed: str, prefix: str) -> str:
    """The reference that was meant. Raises ReferenceUnreadable."""
    reference = normalise(typed, prefix)
    if reference is None:
        raise ReferenceUnreadable(f"Check the reference: it looks like {prefix}-7Q3M9X.", field="reference")
    return reference

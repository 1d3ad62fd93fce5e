"""Passwords: what is asked of a new one, and how one is kept and compared.

Argon2id with 19 MiB, two passes, one lane (the OWASP minimum), because more memory times several at once would let
anyone exhaust a small server by guessing. All of it is slow on purpose: none of it runs inside a transaction.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from crm.rules.refusal import Refusal

FEWEST_CHARACTERS = 12
MOST_BYTES = 1024
AT_ONCE = 4
WAIT_SECONDS = 10.0
COST = {"time_cost": 2, "memory_cost": 19 * 1024, "parallelism": 1}
CHEAP = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}

_slots = threading.BoundedSemaphore(AT_ONCE)


class PasswordNotTaken(Refusal):
    """The password that was chosen can't be used."""

    default_status = 422


class TooBusyToCheck(Refusal):
    """Too many people are signing in at this moment."""

    default_status = 503


@contextlib.contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=WAIT_SECONDS):
        raise TooBusyToCheck("Many people are signing in at this moment. Try again in a few seconds.")
    try:
        yield
    finally:
        _slots.release()


@lru_cache(maxsize=2)
def hasher(cheap: bool = False) -> PasswordHasher:
    """Cheap only in tests, where hashing would be most of the time spent."""
    cost = CHEAP if cheap else COST
    return PasswordHasher(time_cost=cost["time_cost"], memory_cost=cost["memory_cost"], parallelism=cost["parallelism"])


@lru_cache(maxsize=2)
def _hash_of_nothing(cheap: bool) -> str:
    return hasher(cheap).hash(secrets.token_urlsafe(24))


def hash_password(password: str, *, cheap: bool = False) -> str:
    """Hash for keeping. Outside a transaction."""
    with _slot():
        return hasher(cheap).hash(password)


def is_right(kept: str | None, password: str, *, cheap: bool = False) -> bool:
    """Whether this is the password. Takes as long for somebody who has no account. Outside a transaction."""
    against = kept or _hash_of_nothing(cheap)
    if len(password.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        password = ""
    with _slot():
        try:
            hasher(cheap).verify(against, password)
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def should_be_rehashed(kept: str, *, cheap: bool = False) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return hasher(cheap).check_needs_rehash(kept)


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """Passwords that guessers try first, folded: the list that comes with the zxcvbn package.

    Loaded when somebody first chooses a password: it weighs more than all of sign-in, and most processes never ask.
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(word.casefold() for word in FREQUENCY_LISTS["passwords"])


def check_new(password: str, *, email: str, name: str) -> None:
    """Refuse a password that is too short, too long, or among the first that a guesser tries. No other rules."""
    if len(password) < FEWEST_CHARACTERS:
        raise PasswordNotTaken(
            f"Use at least {FEWEST_CHARACTERS} characters. Three or four words that mean something to you work well.",
            field="password",
        )
    if len(password.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise PasswordNotTaken("That is longer than we can take. Use a shorter one.", field="password")
    folded = password.casefold()
    plain = "".join(character for character in folded if character.isalnum())
    easy = common_passwords()
    bare = plain.rstrip("0123456789").lstrip("0123456789")
    local = email.partition("@")[0].casefold()
    own_words = {word for word in (local, email.casefold(), name.casefold(), name.casefold().replace(" ", "")) if word}
    if (
        folded in easy
        or plain in easy
        or bare in easy
        or bare == ""
        or len(set(folded)) < 4
        or _is_repeated(plain, easy)
        or _is_run(plain)
        or folded in own_words
        or bare in own_words
    ):
        raise PasswordNotTaken(
            "That is one of the first passwords a stranger would try. Choose another: three or four words that have "
            "nothing to do with each other work well.",
            field="password",
        )


def _is_repeated(plain: str, easy: frozenset[str]) -> bool:
    """passwordpassword, abcabcabcabc: one short thing again and again."""
    for size in range(1, len(plain) // 2 + 1):
        if (
            len(plain) % size == 0
            and plain[:size] * (len(plain) // size) == plain
            and (size <= 4 or plain[:size] in easy)
        ):
            return True
    return False


ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertyuiopasdfghjklzxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn")


def _is_run(plain: str) -> bool:
    """A stretch of the alphabet or of the keyboard, either way."""
    return any(plain in row or plain in row[::-1] for row in ROWS)

"""Secret links and session cookies: made from 256 random bits, kept only as a digest."""

from __future__ import annotations

import hashlib
import re
import secrets

SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What is kept. A plain digest is enough: nobody can try 2**256 of them."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def has_shape(token: str) -> bool:
    return SHAPE.fullmatch(token) is not None

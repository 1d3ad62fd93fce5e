"""Keyed digests and short sealed values made from the application's own secret, each for one purpose only."""

from __future__ import annotations

import base64
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import current_app


def key_for(purpose: str) -> bytes:
    """32 bytes for one purpose: a value made for one place means nothing in another."""
    return _key(current_app.extensions["crm_settings"].secret_key, purpose)


@lru_cache(maxsize=64)
def _key(secret: str, purpose: str) -> bytes:
    return hmac.digest(secret.encode(), b"doorstep|" + purpose.encode(), "sha256")


def digest(purpose: str, value: str | bytes) -> str:
    """Keyed digest of a value, 64 hex characters: can be compared, can't be turned back or guessed at offline."""
    # What a program sends as JSON may hold half a letter, which is not to be a fault of ours.
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return hmac.digest(key_for(purpose), data, "sha256").hex()


def seal(purpose: str, owner: str, value: bytes) -> str:
    """Encrypt a short value for the browser that is to bring it back; bound to its owner."""
    nonce = os.urandom(12)
    sealed = AESGCM(key_for(purpose)).encrypt(nonce, value, owner.encode())
    return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")


def unseal(purpose: str, owner: str, text: str) -> bytes | None:
    """The value behind `seal`, or None when it was altered, made for somebody else or is nonsense."""
    try:
        raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        return AESGCM(key_for(purpose)).decrypt(raw[:12], raw[12:], owner.encode())
    except (InvalidTag, ValueError):
        return None

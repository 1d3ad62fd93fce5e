"""How entries travel from a device that works without signal: sealed by the page to a public key, and signed by the
device.

ECDH on P-256 with a key made for the one entry, HKDF-SHA256, AES-256-GCM; ECDSA on P-256 over everything. The page can
seal and can't open: only the server holds the other half. All of it is what browsers have built in (WebCrypto), so that
no code of anybody else's stands between what was typed and its seal.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

VERSION = 1
POINT_BYTES = 65
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MS = 4_102_444_800_000  # the year 2100
LARGEST_COUNTER = 2_147_483_647
_CLIENT_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_DEVICE_ID = re.compile(r"[0-9a-f]{32}")


def milliseconds(moment: datetime) -> int:
    """As a device's clock counts: since 1970."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True)
class EnvelopeKind:
    """What sort of entries these are. One of another kind can't be passed off as one: seal and signature hold its
    name."""

    mark: str
    about: str
    """What the number outside the seal is called: of which event, of which visit."""
    longest_sealed: int
    """Characters of base64."""

    @property
    def info(self) -> bytes:
        return f"{self.mark.replace('-', ' ')} entry {VERSION}".encode()


DOOR = EnvelopeKind("doorstep-door", "event", 12_000)  # a note of a thousand letters in any script, and room
VISIT = EnvelopeKind("doorstep-visit", "visit", 1_000_000)  # a photo that the page has made small


class NotAnEnvelope(ValueError):
    """What came does not have the shape of an entry."""


class NotSigned(Exception):
    """The signature is not the device's: somebody else made it, or it was altered on the way."""


class NotOpened(Exception):
    """It was sealed to another key, or altered on the way."""


@dataclass(frozen=True)
class Envelope:
    """An entry as it travels. What is outside the seal says which it is, and nothing about anybody."""

    kind: EnvelopeKind
    about_id: int
    device_id: str
    client_id: str
    counter: int
    written_at: datetime
    key: str
    nonce: str
    sealed: str
    signature: str

    @property
    def label(self) -> str:
        """What the seal and the signature are bound to: moved to another label, neither holds."""
        at = milliseconds(self.written_at)
        return f"{self.kind.mark}-{VERSION}|{self.about_id}|{self.device_id}|{self.client_id}|{self.counter}|{at}"

    @property
    def signed(self) -> bytes:
        return f"{self.label}|{self.key}|{self.nonce}|{self.sealed}".encode()

    @property
    def digest(self) -> str:
        """Tells two entries under one id apart. The signature is left out: signing the same again gives another."""
        return hashlib.sha256(self.signed).hexdigest()


def read_envelope(raw: Any, kind: EnvelopeKind) -> Envelope:
    """An envelope of this kind from JSON. Raises NotAnEnvelope."""
    if not isinstance(raw, Mapping) or raw.get("v") != VERSION:
        raise NotAnEnvelope
    numbers = [raw.get(name) for name in (kind.about, "n", "at")]
    texts = [raw.get(name) for name in ("device", "id", "key", "nonce", "sealed", "signature")]
    if not all(type(number) is int for number in numbers) or not all(
        isinstance(text, str) and len(text) <= kind.longest_sealed for text in texts
    ):
        raise NotAnEnvelope
    about, counter, at = (int(number) for number in numbers if number is not None)
    device, client_id, key, nonce, sealed, signature = (str(text) for text in texts)
    if not (0 < about <= LARGEST_COUNTER and 0 < counter <= LARGEST_COUNTER and 0 <= at <= LATEST_MS):
        raise NotAnEnvelope
    if not _CLIENT_ID.fullmatch(client_id) or not _DEVICE_ID.fullmatch(device):
        raise NotAnEnvelope
    return Envelope(
        kind=kind,
        about_id=about,
        device_id=device,
        client_id=client_id,
        counter=counter,
        written_at=EPOCH + timedelta(milliseconds=at),
        key=key,
        nonce=nonce,
        sealed=sealed,
        signature=signature,
    )


def new_key_pair() -> tuple[str, str]:
    """The public point and the private half of a new key, both in base64."""
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    secret = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(point).decode(), base64.b64encode(secret).decode()


def is_public_key(text: str) -> bool:
    """Whether this is a point on the curve, as a browser exports one."""
    try:
        _point(text)
    except ValueError:
        return False
    return True


def check_signature(envelope: Envelope, signing_key: str) -> None:
    """Raises NotSigned unless the device made this envelope as it is."""
    try:
        raw = _bytes(envelope.signature)
        if len(raw) != 64:
            raise NotSigned
        # A browser gives the two numbers side by side; ASN.1 is what is checked here.
        signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        _point(signing_key).verify(signature, envelope.signed, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as fault:
        raise NotSigned from fault


def open_envelope(envelope: Envelope, *, private_key: str, public_key: str) -> dict[str, Any]:
    """What an entry says. Raises NotOpened."""
    try:
        private = load_der_private_key(base64.b64decode(private_key), password=None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        shared = private.exchange(ec.ECDH(), _point(envelope.key))
        salt = _bytes(envelope.key) + _bytes(public_key)
        key = HKDF(algorithm=SHA256(), length=32, salt=salt, info=envelope.kind.info).derive(shared)
        said = json.loads(AESGCM(key).decrypt(_bytes(envelope.nonce), _bytes(envelope.sealed), envelope.label.encode()))
    except (InvalidTag, ValueError, RecursionError) as fault:
        raise NotOpened from fault
    if not isinstance(said, dict):
        raise NotOpened
    return said


def _point(text: str) -> ec.EllipticCurvePublicKey:
    raw = _bytes(text)
    if len(raw) != POINT_BYTES:
        raise ValueError("not an uncompressed point")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, UnicodeEncodeError) as fault:
        raise ValueError("not base64") from fault

"""A device that works without signal, as the server sees it: it seals, signs, counts and sends as a page does in a
browser."""

from __future__ import annotations

import base64
import itertools
import json
import os
import uuid
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Entry = dict[str, Any]


def base64_of(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


class SealingDevice:
    """``given`` is what the server answered when it was set up; ``mark`` and ``about`` say of what its entries are."""

    mark: str
    about: str
    info: bytes

    def __init__(self, client: Any) -> None:
        self.client = client
        self.signing = ec.generate_private_key(ec.SECP256R1())
        self.given: dict[str, Any] = {}
        self.counter = itertools.count(1)

    def entry(self, at: datetime, *, key: str | None = None, entry_id: str | None = None, **said: Any) -> Entry:
        """One entry, sealed and signed; ``at`` is what the device's own clock says."""
        envelope: Entry = {
            "v": 1,
            self.about: self.given[self.about],
            "device": self.given["device"],
            "id": entry_id or str(uuid.uuid4()),
            "n": next(self.counter),
            "at": milliseconds(at),
        }
        recipient = base64.b64decode(key or self.given["publicKey"])
        one_time = ec.generate_private_key(ec.SECP256R1())
        shared = one_time.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), recipient))
        secret = HKDF(SHA256(), 32, salt=point_of(one_time) + recipient, info=self.info).derive(shared)
        nonce = os.urandom(12)
        sealed = AESGCM(secret).encrypt(nonce, json.dumps(said).encode(), self.label_of(envelope).encode())
        envelope |= {"key": base64_of(point_of(one_time)), "nonce": base64_of(nonce), "sealed": base64_of(sealed)}
        return self.sign(envelope)

    def sign(self, envelope: Entry) -> Entry:
        words = "|".join([self.label_of(envelope), envelope["key"], envelope["nonce"], envelope["sealed"]])
        r, s = decode_dss_signature(self.signing.sign(words.encode(), ec.ECDSA(SHA256())))
        return {**envelope, "signature": base64_of(r.to_bytes(32) + s.to_bytes(32))}

    def label_of(self, envelope: Entry) -> str:
        return f"{self.mark}-1|" + "|".join(str(envelope[name]) for name in (self.about, "device", "id", "n", "at"))


def states(answer: Any) -> list[str]:
    return [one["state"] for one in answer.get_json()["taken"]]

"""A phone at the door, as the server sees it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from tests.sealing_device import Entry, SealingDevice, base64_of, milliseconds, point_of, states

__all__ = ["Device", "Entry", "base64_of", "digest", "milliseconds", "point_of", "states"]


class Device(SealingDevice):
    """A device of one event."""

    mark = "doorstep-door"
    about = "event"
    info = b"doorstep door entry 1"

    def __init__(self, client: Any, *, proof: str = "ab" * 32) -> None:
        super().__init__(client)
        self.proof = proof

    def set_up(self, event_id: int, *, clock: datetime, name: str = "Blue tablet") -> Any:
        page = self.client.get(f"/events/{event_id}/kit/device").page
        answer = self.client.submit(
            page,
            button="Set it up",
            name=name,
            signing_key=base64_of(point_of(self.signing)),
            proof=self.proof,
            clock=str(milliseconds(clock)),
        )
        if answer.status_code == 201:
            self.given = answer.get_json()
        return answer

    def entry(self, at: datetime, *, key: str | None = None, entry_id: str | None = None, **said: Any) -> Entry:
        return super().entry(at, key=key, entry_id=entry_id, **{"kind": "walk_in", **said})

    def send(self, *entries: Entry, clock: datetime, waiting: int | None = None, token: str | None = None) -> Any:
        return self.client.post(
            "/kit/entries",
            json={
                "clock": milliseconds(clock),
                "waiting": len(entries) if waiting is None else waiting,
                "entries": list(entries),
            },
            headers={"Authorization": f"Kit {self.given['token'] if token is None else token}"},
        )

    def names(self, *, proof: str | None = None) -> Any:
        return self.client.post(
            "/kit/names",
            json={"proof": self.proof if proof is None else proof},
            headers={"Authorization": f"Kit {self.given['token']}"},
        )

    def file(self, *entries: Entry) -> bytes:
        return json.dumps({"doorstep": "doorstep door entries", "entries": list(entries)}).encode()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

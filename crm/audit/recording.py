"""Adding to the trail."""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from crm.audit.models import AuditEntry
from crm.db import Values, db
from crm.rules.permissions import Actor, ActorKind

_EVENT = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*")
_LONGEST_WORD = 120

_key: bytes | None = None


class NotForTheTrail(ValueError):
    """Something was about to be written into the trail that may be about a person: only codes, ids and dates may."""


def use_key(secret_key: str) -> None:
    """Take up the key of the trail, derived from the installation's secret. Called once for each process."""
    global _key
    _key = hmac.digest(secret_key.encode(), b"doorstep audit trail 1", "sha256")


def trail_key() -> bytes:
    """The key of the chain. Raises RuntimeError before ``use_key``."""
    if _key is None:
        raise RuntimeError("the key of the audit trail has not been loaded")
    return _key


def record(
    event: str,
    *,
    actor: Actor,
    at: datetime,
    case_id: int | None = None,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Add one entry, in the caller's transaction, and give it back unflushed.

    ``event`` is a name of ``event_names``. ``subject`` is ``kind:id``. ``detail`` holds codes, ids, references, numbers
    and dates, never a name, an address or free text: the trail is kept when those are erased. Raises NotForTheTrail.
    """
    entry = AuditEntry(**_signed(event, actor, at, case_id, subject, detail))
    db.session.add(entry)
    return entry


def values_of(
    event: str,
    *,
    actor: Actor,
    at: datetime,
    case_id: int | None = None,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Values:
    """The columns of the entry that ``record`` adds: for whoever writes many rows at once (``crm.db.insert_rows``)."""
    return Values(AuditEntry, _signed(event, actor, at, case_id, subject, detail))


def record_look(
    what: str, *, actor: Actor, at: datetime, case_id: int | None = None, subject: str | None = None
) -> None:
    """Record that somebody looked. ``what`` is the kind of page or fact: ``case``, ``offence``, ``letter``.

    Written by a plain statement: it comes with every page of a case, and nothing more is done with it.
    """
    db.session.connection().execute(_ADD, _signed(f"view.{what}", actor, at, case_id, subject, None))


_ADD = sa.insert(AuditEntry)


def _signed(
    event: str,
    actor: Actor,
    at: datetime,
    case_id: int | None,
    subject: str | None,
    detail: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The columns of an entry, with the keyed digest of them all."""
    if not _EVENT.fullmatch(event):
        raise NotForTheTrail(f"{event!r} is not the name of an event: thing.done")
    entry: dict[str, Any] = {
        "nonce": _nonce(at),
        "at": at.astimezone(UTC),
        "event": str(event),
        "actor_kind": str(actor.kind),
        "actor_id": actor.user_id if actor.kind is ActorKind.STAFF else actor.person_id or actor.user_id,
        "case_id": case_id,
        "subject": None if subject is None else str(subject),
        "detail_json": _detail_json(detail) if detail else None,
    }
    entry["mac"] = digest_of_entry(trail_key(), **entry)
    return entry


def digest_of_entry(
    key: bytes,
    nonce: str,
    at: datetime | str,
    event: str,
    actor_kind: str,
    actor_id: int | None,
    case_id: int | None,
    subject: str | None,
    detail_json: str | None,
) -> bytes:
    """The keyed digest of an entry's content, the same on both databases. ``at`` in UTC, or as ISO 8601 already."""
    moment = at if isinstance(at, str) else at.isoformat(timespec="microseconds")
    # ascii() of plain strings, numbers and None is unambiguous, the same in every Python, and quick
    content = ascii((nonce, moment, event, actor_kind, actor_id, case_id, subject, detail_json))
    return hmac.digest(key, content.encode("ascii"), "sha256")


def _nonce(at: datetime) -> str:
    return f"{max(0, int(at.timestamp() * 1000)):012x}{secrets.token_hex(8)}"


def _detail_json(detail: Mapping[str, Any]) -> str:
    if all(type(value) in _KEPT for value in detail.values()):
        return _json_of_plain(tuple((key, type(value), value) for key, value in detail.items()))
    return _json_of({str(key): _checked(key, value) for key, value in detail.items()})


_KEPT = (str, int, bool, type(None))


@lru_cache(maxsize=1024)  # the same few codes come with thousands of entries; 1 and True are told apart by their types
def _json_of_plain(detail: tuple[tuple[str, type, Any], ...]) -> str:
    return _json_of({str(key): _checked(key, value) for key, _, value in detail})


def _json_of(detail: Mapping[str, Any]) -> str:
    return json.dumps(detail, sort_keys=True, separators=(",", ":"))


def _checked(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str):
        if len(value) > _LONGEST_WORD or "@" in value or not value.isprintable():
            raise NotForTheTrail(f"the detail {key!r} of an audit entry is not a code, a reference or a date")
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [_checked(key, item) for item in items]
    if isinstance(value, Mapping):
        return {str(inner): _checked(key, item) for inner, item in value.items()}
    raise NotForTheTrail(f"the detail {key!r} of an audit entry is a {type(value).__name__}")

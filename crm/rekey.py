"""Changing the field-encryption key: every sealed value is sealed again under the current key, a batch at a time.

Each value is replaced only if it is still what was read, so people can go on working, and a run that is killed is
simply started again. A value that no key opens is reported and left alone: it must not keep the others back.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from crm.db import EncryptedBytes, SealedValueDamaged, db, keyring, place_of_value, sealed_columns, transaction

BATCH = 500
PASSES = 3
"""How often to come back for what other processes, still with the old order of keys, sealed meanwhile."""


@dataclass
class Resealed:
    """What a rotation did. With nothing damaged and nothing left, the old key may be taken out of the settings."""

    resealed: int = 0
    left: int = 0
    damaged: list[str] = field(default_factory=list)
    """table.column and the id of the row."""


def reseal_everything(said: Callable[[str], None] = print) -> Resealed:
    """Seal every value again that is under an older key."""
    found = Resealed()
    for _ in range(PASSES):
        found.damaged.clear()
        found.left = 0
        for model, column, kind in sealed_columns():
            done = _reseal_column(model.__table__, column, found, is_bytes=issubclass(kind, EncryptedBytes))
            found.left += done
            if done:
                said(f"{model.__tablename__}.{column}: {done:,} values sealed again")
        found.resealed += found.left
        if not found.left:
            break
    return found


def _reseal_column(table: Any, column: str, found: Resealed, *, is_bytes: bool) -> int:
    """One walk through a column, by id. Returns how many values were under an older key."""
    older = after = 0
    while True:
        with transaction():
            rows = db.session.execute(
                sa.select(table.c.id, table.c.row_key, table.c[column])
                .where(table.c.id > after, table.c[column].is_not(None))
                .order_by(table.c.id)
                .limit(BATCH)
            ).all()
            for row_id, row_key, sealed in rows:
                try:
                    again = _resealed(table.name, column, row_key, sealed, is_bytes=is_bytes)
                except (SealedValueDamaged, binascii.Error):
                    found.damaged.append(f"{table.name}.{column} of row {row_id}")
                    continue
                if again is not None:
                    older += 1
                    db.session.execute(
                        sa.update(table).where(table.c.id == row_id, table.c[column] == sealed).values({column: again})
                    )
        if not rows:
            return older
        after = rows[-1][0]


def _resealed(table: str, column: str, row_key: str, sealed: str | bytes, *, is_bytes: bool) -> str | bytes | None:
    """The value under the current key; None where it is under it already. Raises SealedValueDamaged."""
    raw = bytes(sealed) if isinstance(sealed, bytes | memoryview) else base64.b64decode(sealed)
    if raw.partition(b":")[0].decode("ascii", "replace") == keyring().current:
        return None
    place = place_of_value(table, column, row_key)
    again = keyring().seal(place, keyring().open(place, raw))
    return again if is_bytes else base64.b64encode(again).decode()

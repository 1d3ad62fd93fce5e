"""Changing the field-encryption key: every sealed value is sealed again under the current key, a batch at a time.

Each value is replaced only if it is still what was read, so people can go on working, and a run that is killed is
simply started again. When it reports nothing left, the old key may be taken out of the settings.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

import sqlalchemy as sa

from crm.db import EncryptedBytes, db, keyring, place_of_value, sealed_columns, transaction

BATCH = 500


def reseal_everything(said: Callable[[str], None] = print) -> int:
    """Seal every value again that is under an older key. Returns how many were."""
    total = 0
    for model, column, kind in sealed_columns():
        table = model.__table__
        done = 0
        after = 0
        while True:
            with transaction():
                rows = db.session.execute(
                    sa.select(table.c.id, table.c.row_key, table.c[column])
                    .where(table.c.id > after, table.c[column].is_not(None))
                    .order_by(table.c.id)
                    .limit(BATCH)
                ).all()
                for row_id, row_key, sealed in rows:
                    again = _resealed(table.name, column, row_key, sealed, is_bytes=kind is EncryptedBytes)
                    if again is not None:
                        changed = db.session.execute(
                            sa.update(table)
                            .where(table.c.id == row_id, table.c[column] == sealed)
                            .values({column: again})
                        )
                        done += changed.rowcount
            if not rows:
                break
            after = rows[-1][0]
        if done:
            said(f"{table.name}.{column}: {done:,} values sealed again")
        total += done
    return total


def _resealed(table: str, column: str, row_key: str, sealed: str | bytes, *, is_bytes: bool) -> str | bytes | None:
    raw = bytes(sealed) if is_bytes else base64.b64decode(sealed)
    if raw.partition(b":")[0].decode() == keyring().current:
        return None
    place = place_of_value(table, column, row_key)
    again = keyring().seal(place, keyring().open(place, raw))
    return again if is_bytes else base64.b64encode(again).decode()

"""Writing rows so that it can be undone: each change is made and kept, with the columns before and after, sealed.

Rows are handled as the tables describe them, whatever feature they belong to. Sealed columns are kept opened inside the
journal's own seal, so that they outlive a change of keys and are sealed anew when they are put back.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Table

from crm.cases.merge_models import MergeAction, MergeRow
from crm.db import (
    EncryptedBytes,
    db,
    keyring,
    metadata,
    new_row_key,
    place_of_value,
    seal,
    sealed_columns,
    unseal,
)

Row = dict[str, Any]
Key = tuple[Any, ...]
_SEALED_HERE = "merge_row", "values_sealed"


class RowGone(Exception):
    """A row that was to be changed is not there any more."""


def key_of(table: Table, row: Mapping[str, Any]) -> Key:
    return tuple(row[column.name] for column in table.primary_key.columns)


def say_key(key: Key) -> str:
    return "|".join(str(part) for part in key)


def read_key(table: Table, said: str) -> Key:
    parts = said.split("|")
    return tuple(
        int(part) if column.type.python_type is int else part
        for column, part in zip(table.primary_key.columns, parts, strict=True)
    )


def is_row(table: Table, key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == part for column, part in zip(table.primary_key.columns, key, strict=True)))


def row_at(table: Table, key: Key) -> Row | None:
    """A row as it stands, sealed columns opened."""
    found = db.session.connection().execute(sa.select(table).where(is_row(table, key))).mappings().first()
    return None if found is None else opened(table, found)


def rows_where(table: Table, condition: sa.ColumnElement[bool], columns: Iterable[str] | None = None) -> list[Row]:
    """Rows as they stand, in the order of their keys, and locked until the merge is kept. Whole, or the key and these
    columns: a letter is not opened to see whose it is."""
    wanted = set(columns) if columns is not None else {column.name for column in table.columns}
    wanted |= {column.name for column in table.primary_key.columns}
    query = (
        sa.select(*(column for column in table.columns if column.name in wanted))
        .where(condition)
        .order_by(*table.primary_key.columns)
        .with_for_update()
    )
    found = db.session.connection().execute(query).mappings()
    return [opened(table, row) if columns is None else dict(row) for row in found]


def opened(table: Table, row: Mapping[Any, Any]) -> Row:
    """The row with what its sealed columns hold instead of the seal."""
    found = dict(row)
    for column, is_bytes in _sealed(table).items():
        if found[column] is None:
            continue
        if is_bytes:
            place = place_of_value(table.name, column, found["row_key"])
            found[column] = keyring().open(place, bytes(found[column]))
        else:
            found[column] = unseal(table.name, column, found["row_key"], found[column])
    return found


def closed(table: Table, row: Mapping[str, Any], *, row_key: str | None) -> Row:
    """The row as it is stored: its sealed columns sealed again."""
    stored = dict(row)
    for column, is_bytes in _sealed(table).items():
        if stored.get(column) is None:
            continue
        if is_bytes:
            stored[column] = keyring().seal(place_of_value(table.name, column, row_key or ""), stored[column])
        else:
            stored[column] = seal(table.name, column, row_key or "", stored[column])
    return stored


_kinds: dict[str, dict[str, bool]] = {}


def _sealed(table: Table) -> dict[str, bool]:
    """The sealed columns of a table, and whether each holds bytes."""
    if not _kinds:
        for model, column, kind in sealed_columns():
            _kinds.setdefault(model.__tablename__, {})[column] = issubclass(kind, EncryptedBytes)
    return _kinds.get(table.name, {})


# --- Writing ----------------------------------------------------------------------------------------------------------


class Journal:
    """What one merge does, row by row. ``keep`` writes it down, in the transaction of the merge."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, MergeAction, Row | None, Row | None]] = []

    def change(self, table: Table, row: Row, **values: Any) -> Row:
        """Give a row, as it was read, other values; gives it back as it now is. What is the same is left alone."""
        after = {name: value for name, value in values.items() if row[name] != value}
        if not after:
            return row
        key = key_of(table, row)
        changed = db.session.connection().execute(
            sa.update(table).where(is_row(table, key)).values(closed(table, after, row_key=row.get("row_key")))
        )
        if changed.rowcount != 1:
            raise RowGone(f"{table.name} {say_key(key)}")
        before = {name: row[name] for name in after}
        self.lines.append((table.name, say_key(key), MergeAction.CHANGED, before, after))
        return {**row, **after}

    def remove(self, table: Table, row: Row) -> None:
        """Take a row out of its table and keep it whole."""
        key = key_of(table, row)
        db.session.connection().execute(sa.delete(table).where(is_row(table, key)))
        self.lines.append((table.name, say_key(key), MergeAction.REMOVED, row, None))

    def add(self, table: Table, row: Row) -> Key:
        """Put a new row in. Its key is given back."""
        if "row_key" in table.columns and row.get("row_key") is None:
            row = {**row, "row_key": new_row_key()}
        made = db.session.connection().execute(sa.insert(table).values(closed(table, row, row_key=row.get("row_key"))))
        key = tuple(made.inserted_primary_key or ())
        named = dict(zip((column.name for column in table.primary_key.columns), key, strict=True))
        self.lines.append((table.name, say_key(key), MergeAction.ADDED, None, {**row, **named}))
        return key

    def added(self, row: Any) -> None:
        """Note a row that an operation has put in: it goes when the merge is undone."""
        db.session.flush()
        table = row.__table__
        values = {column.name: getattr(row, column.key) for column in table.columns}
        self.lines.append((table.name, say_key(key_of(table, values)), MergeAction.ADDED, None, opened(table, values)))

    def held(self, table: Table, key: Key) -> None:
        """Note a row on which the merge rests without changing it."""
        self.lines.append((table.name, say_key(key), MergeAction.HELD, None, None))

    def keep(self, merge_id: int) -> int:
        """Write the lines down. Returns how many there are."""
        rows = []
        for position, (table, key, action, before, after) in enumerate(self.lines):
            values = json.dumps({"before": written(before), "after": written(after)}, ensure_ascii=False)
            row_key = new_row_key()
            rows.append(
                {
                    "merge_id": merge_id,
                    "position": position,
                    "table_name": table,
                    "record_key": key,
                    "action": str(action),
                    "columns": ",".join(sorted(after or ())) if action == MergeAction.CHANGED else "",
                    "row_key": row_key,
                    "values_sealed": seal(*_SEALED_HERE, row_key, values),
                }
            )
        if rows:
            db.session.connection().execute(sa.insert(MergeRow), rows)
        return len(rows)


# --- Reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One line of a journal, read back."""

    table: Table
    key: Key
    action: MergeAction
    before: Row
    after: Row

    @property
    def names_one(self) -> str:
        return f"{self.table.name} {say_key(self.key)}"


def lines_of(merge_id: int) -> list[Line]:
    """The journal of a merge, in the order in which it was done."""
    found = []
    rows = db.session.scalars(sa.select(MergeRow).where(MergeRow.merge_id == merge_id).order_by(MergeRow.position))
    for row in rows:
        table = metadata.tables[row.table_name]
        values = json.loads(row.values or "{}")
        found.append(
            Line(
                table=table,
                key=read_key(table, row.record_key),
                action=MergeAction(row.action),
                before=read_back(table, values.get("before")),
                after=read_back(table, values.get("after")),
            )
        )
    return found


def written(row: Row | None) -> dict[str, Any] | None:
    """A row as JSON holds it."""
    if row is None:
        return None
    return {name: _written(value) for name, value in row.items()}


def _written(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    return value


def read_back(table: Table, row: Mapping[str, Any] | None) -> Row:
    """A row out of JSON, each value of the kind that its column holds."""
    if row is None:
        return {}
    return {name: _read(table.columns[name], value) for name, value in row.items() if name in table.columns}


def _read(column: sa.Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        return base64.b64decode(value["bytes"])
    kind = column.type.impl if isinstance(column.type, sa.types.TypeDecorator) else column.type
    if isinstance(kind, sa.DateTime):
        return datetime.fromisoformat(value)
    if isinstance(kind, sa.Date):
        return date.fromisoformat(value)
    if isinstance(kind, sa.Time):
        return time.fromisoformat(value)
    return value

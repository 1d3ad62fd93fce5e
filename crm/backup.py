"""Copies of everything, and putting them back: one file, readable on either database, with no key inside.

The file is a zip of one JSON-lines member per table, in an order that satisfies every reference, and a manifest with
the revision, the row counts and a SHA-256 of each member. Sealed values stay sealed: without the installation's keys,
which are kept apart, they can't be read. A restored outbox is held: nothing leaves it until a person releases it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from crm import migrations
from crm.db import Base, db, keyring, sealed_columns, transaction
from crm.delivery import hold_everything

BATCH = 2_000
FORMAT = 1


class BackupRefused(Exception):
    """A backup can't be restored here. Nothing was changed."""


def write_backup(path: Path, *, now: datetime, said: Callable[[str], None] = print) -> dict[str, int]:
    """Write a consistent copy of every table to ``path`` while the service goes on. Returns the rows by table.

    Written under another name and moved into place when whole, so a half-written file is never taken for a backup.
    """
    partial = path.with_suffix(path.suffix + ".part")
    counts: dict[str, int] = {}
    sums: dict[str, str] = {}
    with db.engine.connect() as plain, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as bundle:
        connection = (
            plain if plain.dialect.name == "sqlite" else plain.execution_options(isolation_level="REPEATABLE READ")
        )
        with connection.begin():
            for table in Base.metadata.sorted_tables:
                digest = hashlib.sha256()
                rows = 0
                with bundle.open(f"{table.name}.jsonl", "w", force_zip64=True) as member:
                    for line in _lines(connection, table):
                        member.write(line)
                        digest.update(line)
                        rows += 1
                counts[table.name], sums[table.name] = rows, digest.hexdigest()
                if rows:
                    said(f"{table.name}: {rows:,} rows")
        manifest = {
            "format": FORMAT,
            "made_at": now.isoformat(),
            "revision": migrations.current(db.engine),
            "current_key": keyring().current,
            "rows": counts,
            "sha256": sums,
        }
        bundle.writestr("manifest.json", json.dumps(manifest, indent=1))
    with partial.open("rb") as handle:
        os.fsync(handle.fileno())
    partial.rename(path)
    return counts


def restore(path: Path, *, said: Callable[[str], None] = print) -> dict[str, int]:
    """Put a copy back into an empty database, in one transaction, and hold its outbox. Returns the rows by table.

    Raises BackupRefused when the file is damaged, made by another release, sealed with a key that is not here, or when
    the database already holds something.
    """
    try:
        bundle = zipfile.ZipFile(path)
        manifest = json.loads(bundle.read("manifest.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as fault:
        raise BackupRefused(f"{path.name} can't be read as a backup") from fault
    with bundle:
        if manifest["format"] != FORMAT or manifest["revision"] != migrations.head():
            raise BackupRefused(
                f"The copy is at revision {manifest['revision']}; this release is at {migrations.head()}."
            )
        _check_sums(bundle, manifest)
        migrations.upgrade(db.engine)
        _refuse_unless_empty()
        with transaction():
            connection = db.session.connection()
            for table in Base.metadata.sorted_tables:
                rows = _load(connection, table, bundle)
                if rows != manifest["rows"].get(table.name, 0):
                    raise BackupRefused(f"{table.name} came out with {rows} rows")
                if rows:
                    said(f"{table.name}: {rows:,} rows")
            held = hold_everything()
            _check_keys()
    said(f"{held:,} letters are held: nothing goes out until they are released")
    return dict(manifest["rows"])


def _lines(connection: sa.Connection, table: sa.Table) -> Iterator[bytes]:
    result = connection.execution_options(yield_per=BATCH).execute(
        sa.select(table).order_by(*table.primary_key.columns)
    )
    for row in result:
        yield json.dumps([_written(value) for value in row], separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _written(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return value


def _reader(column: sa.Column[Any]) -> Callable[[Any], Any] | None:
    kind = (
        column.type.python_type if not isinstance(column.type, sa.types.TypeDecorator) else column.type.impl.python_type
    )
    return {
        datetime: datetime.fromisoformat,
        date: date.fromisoformat,
        time: time.fromisoformat,
        bytes: base64.b64decode,
    }.get(kind)


def _load(connection: sa.Connection, table: sa.Table, bundle: zipfile.ZipFile) -> int:
    columns = list(table.columns)
    readers = [_reader(column) for column in columns]
    batch: list[dict[str, Any]] = []
    rows = 0
    try:
        member = bundle.open(f"{table.name}.jsonl")
    except KeyError:
        return 0
    with member, io.TextIOWrapper(member, encoding="utf-8", newline="\n") as text:
        for line in text:
            values = json.loads(line)
            batch.append(
                {
                    column.key: read(value) if read and value is not None else value
                    for column, read, value in zip(columns, readers, values, strict=True)
                }
            )
            rows += 1
            if len(batch) == BATCH:
                connection.execute(table.insert(), batch)
                batch.clear()
    if batch:
        connection.execute(table.insert(), batch)
    if connection.dialect.name == "postgresql" and rows and "id" in table.columns:
        connection.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), (SELECT max(id) FROM {table.name}))"
            if isinstance(table.columns["id"].type, sa.Integer)
            else "SELECT 1"
        )
    return rows


def _check_sums(bundle: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
    for name, expected in manifest["sha256"].items():
        digest = hashlib.sha256()
        try:
            with bundle.open(f"{name}.jsonl") as member:
                while block := member.read(1 << 20):
                    digest.update(block)
        except (KeyError, zipfile.BadZipFile, EOFError) as fault:
            raise BackupRefused(f"The copy of {name} is damaged") from fault
        if digest.hexdigest() != expected:
            raise BackupRefused(f"The copy of {name} is damaged")


def _refuse_unless_empty() -> None:
    with db.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None:
                raise BackupRefused(f"The database is not empty: {table.name} holds rows. Restore into an empty one.")


def _check_keys() -> None:
    """Open one sealed value of each kind, so that a missing key shows now and not at three in the morning."""
    for model, column, _kind in sealed_columns():
        sealed = getattr(model, column)
        row = db.session.scalars(sa.select(model).where(sealed.is_not(None)).limit(1)).first()
        if row is None:
            continue
        for name, value in vars(model).items():
            if getattr(value, "column", None) == column:
                try:
                    getattr(row, name)
                except Exception as fault:
                    raise BackupRefused("The encryption keys here are not those of the copy.") from fault

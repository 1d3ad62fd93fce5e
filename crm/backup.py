"""Copies of everything, and putting them back: one file, readable on either database, with no key inside.

The file is a zip of one JSON-lines member per table, in an order that satisfies every reference, and a manifest with
the revision, the row counts, a SHA-256 of each member and a fingerprint of each key. Sealed values stay sealed: without
the installation's keys, which are kept apart, they can't be read. A restored outbox is held: nothing leaves it until a
person releases it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import lzma
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from crm import migrations
from crm.audit.recording import trail_key
from crm.calendars.invitations import begin_new_age
from crm.cases.merge_models import MergeAction
from crm.cases.models import Case, Household, MergeRow, Person
from crm.db import (
    Base,
    EncryptedBytes,
    SealedValueDamaged,
    db,
    keyring,
    place_of_value,
    sealed_columns,
    transaction,
)
from crm.delivery import hold_everything

BATCH = 2_000
FORMAT = 1
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError, LookupError, ValueError, TypeError
)  # fmt: skip
"""What reading a file that is not a whole backup of ours can raise, whatever method of packing it claims."""


class BackupRefused(Exception):
    """A backup can't be restored here. Nothing was changed."""


def write_backup(path: Path, *, now: datetime, said: Callable[[str], None] = print) -> dict[str, int]:
    """Write a consistent copy of every table to ``path`` while the service goes on. Returns the rows by table.

    Written under another name, readable by nobody else, and moved into place when whole and on the disk, so a
    half-written file is never taken for a backup.
    """
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    handle = os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    try:
        with handle:
            with zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as bundle:
                counts = _write_tables(bundle, now=now, said=said)
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return counts


def _write_tables(bundle: zipfile.ZipFile, *, now: datetime, said: Callable[[str], None]) -> dict[str, int]:
    """Every table as it stood at one moment, and the manifest."""
    counts: dict[str, int] = {}
    sums: dict[str, str] = {}
    with db.engine.connect() as plain:
        connection = (
            plain if plain.dialect.name == "sqlite" else plain.execution_options(isolation_level="REPEATABLE READ")
        )
        with connection.begin():
            revision = migrations.revision_seen_by(connection)
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
        "revision": revision,
        "current_key": keyring().current,
        "secret": _fingerprint_of_secret(),
        "rows": counts,
        "sha256": sums,
    }
    bundle.writestr("manifest.json", json.dumps(manifest, indent=1))
    return counts


def restore(path: Path, *, said: Callable[[str], None] = print, another_secret: bool = False) -> dict[str, int]:
    """Put a copy back into an empty database, in one transaction, and hold its outbox. Returns the rows by table.

    Raises BackupRefused when the file is damaged, made by another release, sealed with a key that is not here, made
    under another secret (unless ``another_secret``: it was lost, and the audit trail can't be verified any more), or
    when the database already holds something.
    """
    try:
        bundle = zipfile.ZipFile(path)
        manifest = json.loads(bundle.read("manifest.json"))
        made_by = (manifest["format"], manifest["revision"])
        expected: dict[str, int] = dict(manifest["rows"])
        sums: dict[str, str] = dict(manifest["sha256"])
    except UNREADABLE as fault:
        raise BackupRefused(f"{path.name} can't be read as a backup") from fault
    with bundle:
        if made_by != (FORMAT, migrations.head()):
            raise BackupRefused(f"The copy is at revision {made_by[1]}; this release is at {migrations.head()}.")
        names = {table.name for table in Base.metadata.sorted_tables}
        if set(expected) != names or set(sums) != names:
            raise BackupRefused(f"{path.name} does not hold the tables of this release")
        _check_sums(bundle, sums)
        if not another_secret and manifest.get("secret") != _fingerprint_of_secret():
            raise BackupRefused("CRM_SECRET_KEY here is not that of the copy.")
        _refuse_unless_empty()
        migrations.upgrade(db.engine)
        with transaction():
            connection = db.session.connection()
            seals = _Seals()
            for table in Base.metadata.sorted_tables:
                try:
                    rows = _load(connection, table, bundle, seals)
                except (*UNREADABLE, sa.exc.IntegrityError, sa.exc.DataError) as fault:
                    raise BackupRefused(f"The copy of {table.name} can't be read") from fault
                if rows != expected[table.name]:
                    raise BackupRefused(f"{table.name} came out with {rows} rows")
                if rows:
                    said(f"{table.name}: {rows:,} rows")
            keep_numbers_spent(connection)
            seals.refuse_without_keys()
            begin_new_age()
            held = hold_everything()
    if seals.damaged:
        said(f"{seals.damaged.total():,} sealed values can't be opened: they were damaged before the copy was made")
    said(f"{held:,} letters are held: nothing goes out until they are released")
    return expected


def _fingerprint_of_secret() -> str:
    """Tells whether a secret is the same one, and nothing about it."""
    return hmac.digest(trail_key(), b"doorstep backup", "sha256").hex()[:16]


@dataclass
class _Seals:
    """How the sealed values of a copy open with the keys that are here, by the key that sealed them."""

    opened: Counter[str] = field(default_factory=Counter)
    damaged: Counter[str] = field(default_factory=Counter)
    missing: set[str] = field(default_factory=set)
    columns: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for model, column, kind in sealed_columns():
            table: str = model.__tablename__
            self.columns.setdefault(table, []).append((column, issubclass(kind, EncryptedBytes)))

    def look_at(self, table: str, row: dict[str, Any]) -> None:
        for column, is_bytes in self.columns.get(table, ()):
            sealed = row[column]
            if sealed is None:
                continue
            raw = sealed if is_bytes else base64.b64decode(sealed)
            key_id = raw.partition(b":")[0].decode("ascii", "replace")
            if not keyring().has(key_id):
                self.missing.add(key_id)
                continue
            try:
                keyring().open(place_of_value(table, column, row["row_key"]), raw)
                self.opened[key_id] += 1
            except SealedValueDamaged:
                self.damaged[key_id] += 1

    def refuse_without_keys(self) -> None:
        """A missing key shows now and not at three in the morning. A value damaged long ago hinders nothing."""
        wrong = self.missing | {key_id for key_id in self.damaged if not self.opened[key_id]}
        if wrong:
            raise BackupRefused(
                "The encryption keys here are not those of the copy. It needs: " + ", ".join(sorted(wrong)[:5])
            )


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
    kind: Any = (
        column.type.python_type if not isinstance(column.type, sa.types.TypeDecorator) else column.type.impl.python_type
    )
    return {
        datetime: datetime.fromisoformat,
        date: date.fromisoformat,
        time: time.fromisoformat,
        bytes: base64.b64decode,
    }.get(kind)


def _load(connection: sa.Connection, table: sa.Table, bundle: zipfile.ZipFile, seals: _Seals) -> int:
    columns = list(table.columns)
    readers = [_reader(column) for column in columns]
    batch: list[dict[str, Any]] = []
    rows = 0
    with (
        bundle.open(f"{table.name}.jsonl") as member,
        io.TextIOWrapper(member, encoding="utf-8", newline="\n") as text,
    ):
        for line in text:
            row = {
                column.key: read(value) if read and value is not None else value
                for column, read, value in zip(columns, readers, json.loads(line), strict=True)
            }
            seals.look_at(table.name, row)
            batch.append(row)
            rows += 1
            if len(batch) == BATCH:
                connection.execute(table.insert(), batch)
                batch.clear()
    if batch:
        connection.execute(table.insert(), batch)
    if connection.dialect.name == "postgresql" and rows and "id" in table.columns:
        # Where the id is not counted by the database there is no sequence, and this does nothing.
        connection.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), (SELECT max(id) FROM {table.name}))"
        )
    return rows


def keep_numbers_spent(connection: sa.Connection) -> None:
    """Households, people and cases that were merged into others may be put back under their own numbers, so a restored
    database gives those to nobody, any more than the one that was copied did."""
    for table in (Base.metadata.tables[model.__tablename__] for model in (Household, Person, Case)):
        spent = sa.select(sa.func.max(sa.cast(MergeRow.record_key, sa.Integer))).where(
            MergeRow.table_name == table.name, MergeRow.action == MergeAction.REMOVED
        )
        highest = max(connection.scalar(spent) or 0, connection.scalar(sa.select(sa.func.max(table.c.id))) or 0)
        if not highest:
            continue
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {int(highest)})")
            continue
        changed = connection.exec_driver_sql(
            "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (highest, table.name)
        )
        if not changed.rowcount:
            connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, highest))


def _check_sums(bundle: zipfile.ZipFile, sums: dict[str, str]) -> None:
    for name, expected in sums.items():
        digest = hashlib.sha256()
        try:
            with bundle.open(f"{name}.jsonl") as member:
                while block := member.read(1 << 20):
                    digest.update(block)
        except UNREADABLE as fault:
            raise BackupRefused(f"The copy of {name} is damaged") from fault
        if digest.hexdigest() != expected:
            raise BackupRefused(f"The copy of {name} is damaged")


def _refuse_unless_empty() -> None:
    """Before anything is changed: not even the revision of a database that is in use."""
    with db.engine.connect() as connection:
        present = set(sa.inspect(connection).get_table_names())
        for table in Base.metadata.sorted_tables:
            if (
                table.name in present
                and connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None
            ):
                raise BackupRefused(f"The database is not empty: {table.name} holds rows. Restore into an empty one.")

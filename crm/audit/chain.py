"""The chain over the trail: sealing new entries, and finding out whether anything was touched.

Each entry carries a keyed digest of its own content from the start, so a changed row and a row slipped in by someone
without the key show at once. The chain adds the order: each seal covers its entry and every seal before it, so a row
taken out, swapped or put back from last week's copy shows too. Someone who removes the newest rows *and* their seals
leaves a shorter chain that is whole in itself; only a note of where the chain stood, kept outside the database, shows
that. ``anchor`` gives that note, and ``verify`` takes it.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Select, String, func, insert, select, text, type_coerce

from crm.audit.models import AuditEntry, AuditSeal
from crm.audit.recording import digest_of_entry, trail_key
from crm.db import db

ANCHORS_FILE = "audit-anchors.txt"
"""In the data folder: a line a day, where the chain stood. Copy it elsewhere too, since who has the folder has both."""
BATCH = 2000
LOOK_BACK = 5000
"""Ids looked over again for entries whose transaction committed late. PostgreSQL hands out ids before the commit."""
_START = bytes(32)
_SEALING = 4_611_686
"""PostgreSQL's number of the lock that lets one sealer in at a time."""


@dataclass(frozen=True)
class Anchor:
    """Where the chain stood: the position of its last seal, and that seal's digest."""

    position: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.position}:{self.digest.hex()}"

    @classmethod
    def from_text(cls, line: str) -> Anchor:
        """Read an anchor as it was written down. Raises ValueError."""
        position, _, digest = line.strip().split(" ")[-1].partition(":")
        return cls(int(position), bytes.fromhex(digest))


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the trail, at an entry or a position of the chain."""

    what: str
    entry_id: int | None = None
    position: int | None = None

    def __str__(self) -> str:
        where = [f"entry {self.entry_id}"] if self.entry_id is not None else []
        where += [f"position {self.position}"] if self.position is not None else []
        return f"{', '.join(where) or 'the chain'}: {self.what}"


@dataclass
class VerifyReport:
    """What was found."""

    sealed: int = 0
    unsealed: int = 0
    oldest_unsealed_at: datetime | None = None
    anchors: int = 0
    head: Anchor | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.faults

    @property
    def first_bad(self) -> Fault | None:
        return self.faults[0] if self.faults else None

    def lines(self) -> list[str]:
        """The report as lines to print."""
        lines = [f"{self.sealed:,} entries sealed, {self.unsealed:,} waiting for their seal."]
        if self.oldest_unsealed_at is not None:
            lines.append(f"The oldest of those is from {self.oldest_unsealed_at:%Y-%m-%d %H:%M:%S} UTC.")
        if self.anchors:
            lines.append(f"Compared with {self.anchors:,} notes of earlier days.")
        if self.head is not None:
            lines.append(f"The chain stands at {self.head}")
        if self.is_whole:
            lines.append("The trail is whole.")
        else:
            lines.append(f"THE TRAIL WAS TOUCHED. First at {self.first_bad}")
            lines += [f"  {fault}" for fault in self.faults[1:20]]
            if len(self.faults) > 20:
                lines.append(f"  and {len(self.faults) - 20:,} more")
        return lines


def has_unsealed() -> bool:
    """Whether the sealer has something to do. Takes no lock, so that an idle worker stays idle."""
    return db.session.execute(_unsealed(_look_back()).limit(1)).first() is not None


def seal_new_entries(now: datetime, *, limit: int = BATCH, everything: bool = False) -> int:
    """Chain the entries that have no seal yet, oldest first, in the caller's transaction. Returns how many.

    Looks at the newest entries only; with ``everything``, at all of them, which finds one whose transaction took very
    long to commit.
    """
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _SEALING})
    head = head_of_chain() or Anchor(0, _START)
    key = trail_key()
    position, digest = head.position, head.digest
    seals = []
    for entry_id, mac in db.session.execute(_unsealed(None if everything else _look_back()).limit(limit)):
        position += 1
        digest = _link(key, digest, position, entry_id, bytes(mac))
        seals.append({"position": position, "entry_id": entry_id, "digest": digest, "sealed_at": now})
    if seals:
        db.session.execute(insert(AuditSeal), seals)
    return len(seals)


def _look_back() -> int:
    """How many ids back an unsealed entry may be. On SQLite ids are in order of commit."""
    return LOOK_BACK if db.session.get_bind().dialect.name == "postgresql" else 0


def _unsealed(look_back: int | None) -> Select[int, bytes]:
    query = (
        select(AuditEntry.id, AuditEntry.mac)
        .outerjoin(AuditSeal, AuditSeal.entry_id == AuditEntry.id)
        .where(AuditSeal.entry_id.is_(None))
        .order_by(AuditEntry.id)
    )
    if look_back is None:
        return query
    newest_sealed = select(func.coalesce(func.max(AuditSeal.entry_id), 0) - look_back).scalar_subquery()
    return query.where(AuditEntry.id > newest_sealed)


def head_of_chain() -> Anchor | None:
    """Where the chain stands; None before the first seal."""
    row = db.session.execute(
        select(AuditSeal.position, AuditSeal.digest).order_by(AuditSeal.position.desc()).limit(1)
    ).first()
    return None if row is None else Anchor(row[0], bytes(row[1]))


def write_anchor(file: Path, now: datetime) -> Anchor | None:
    """Note where the chain stands in a file outside the database, safely on disk. None while it is empty."""
    head = head_of_chain()
    if head is None:
        return None
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a", encoding="ascii") as handle:
        handle.write(f"{now:%Y-%m-%dT%H:%M:%SZ} {head}\n")
        handle.flush()
        os.fsync(handle.fileno())
    return head


def read_anchors(file: Path) -> list[Anchor]:
    """The notes in a file; none where there is no file. Raises ValueError for a line that is not a note."""
    if not file.exists():
        return []
    return [Anchor.from_text(line) for line in file.read_text("ascii").splitlines() if line.strip()]


def verify(anchors: Iterable[Anchor] = (), *, most_faults: int = 1000) -> VerifyReport:
    """Read the whole trail and its chain, and report every row that is not as it was written. Changes nothing."""
    report = VerifyReport()
    noted = {anchor.position: anchor.digest for anchor in anchors}
    report.anchors = len(noted)
    key = trail_key()
    expected_position, digest = 0, _START
    for row in _sealed_rows():
        position, entry_id, sealed_digest, present = row[0], row[1], bytes(row[2]), row[3] is not None
        if len(report.faults) >= most_faults:
            break
        expected_position += 1
        if position != expected_position:
            report.faults.append(Fault("seals before this are missing", entry_id, position))
            expected_position = position
        if not present:
            report.faults.append(Fault("the entry was removed", entry_id, position))
        else:
            mac = bytes(row[11])
            if not hmac.compare_digest(digest_of_entry(key, *row[3:11]), mac):
                report.faults.append(Fault("the entry was changed, or not written by us", entry_id, position))
            elif not hmac.compare_digest(_link(key, digest, position, entry_id, mac), sealed_digest):
                report.faults.append(Fault("the entry is not the one that was sealed here", entry_id, position))
        if position in noted and not hmac.compare_digest(noted[position], sealed_digest):
            report.faults.append(Fault("the chain differs from the note kept outside", entry_id, position))
        digest = sealed_digest
        report.sealed += 1
    last = expected_position
    if report.sealed:
        report.head = Anchor(last, digest)
    for position in sorted(noted):
        if position > last and len(report.faults) < most_faults:
            report.faults.append(
                Fault("the newest seals were removed: a note kept outside knows this one", None, position)
            )
    _verify_tail(report, key, most_faults)
    return report


def _verify_tail(report: VerifyReport, key: bytes, most_faults: int) -> None:
    """The entries without a seal: each must at least be one of ours."""
    unsealed = (
        select(*_ENTRY_COLUMNS)
        .outerjoin(AuditSeal, AuditSeal.entry_id == AuditEntry.id)
        .where(AuditSeal.entry_id.is_(None))
        .order_by(AuditEntry.id)
    )
    for row in db.session.execute(unsealed.execution_options(yield_per=BATCH)):
        report.unsealed += 1
        if report.oldest_unsealed_at is None or row.at < report.oldest_unsealed_at:
            report.oldest_unsealed_at = row.at
        if len(report.faults) < most_faults and not hmac.compare_digest(
            digest_of_entry(key, *row[1:9]), bytes(row.mac)
        ):
            report.faults.append(Fault("the entry was changed, or not written by us", row.id, None))


_ENTRY_COLUMNS = (
    AuditEntry.id,
    AuditEntry.nonce,
    AuditEntry.at,
    AuditEntry.event,
    AuditEntry.actor_kind,
    AuditEntry.actor_id,
    AuditEntry.case_id,
    AuditEntry.subject,
    AuditEntry.detail_json,
    AuditEntry.mac,
)


def _sealed_rows() -> Iterator[Sequence[Any]]:
    """Seal by seal in order, each with its entry: (position, entry id, digest, the entry's columns)."""
    last = -1
    columns: list[Any] = [*_ENTRY_COLUMNS[1:]]
    if db.session.get_bind().dialect.name == "sqlite":
        # SQLite keeps times as text: a million of them need not become datetimes and text again.
        columns[1] = func.replace(type_coerce(AuditEntry.at, String), " ", "T", type_=String).concat("+00:00")
    while True:
        rows = db.session.execute(
            select(AuditSeal.position, AuditSeal.entry_id, AuditSeal.digest, *columns)
            .outerjoin(AuditEntry, AuditEntry.id == AuditSeal.entry_id)
            .where(AuditSeal.position > last)
            .order_by(AuditSeal.position)
            .limit(BATCH)
        ).all()
        yield from rows
        if len(rows) < BATCH:
            return
        last = rows[-1][0]


def _link(key: bytes, before: bytes, position: int, entry_id: int, mac: bytes) -> bytes:
    return hmac.digest(key, before + position.to_bytes(8, "big") + entry_id.to_bytes(8, "big") + mac, "sha256")

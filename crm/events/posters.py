"""Codes to scan, drawn here: no service of anybody's sees who prints or scans one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QrPath:
    """A QR code as one path of an SVG: its modules as horizontal lines of width 1, and how many modules wide it is."""

    size: int
    d: str


QUIET = 4
"""Empty modules on each side: with fewer, some phones find no code (ISO/IEC 18004)."""


def qr_path(text: str) -> QrPath:
    """The code of an address. Error correction Q: a quarter of a poster in a shop window may be hidden or torn."""
    import segno  # only printing needs it

    code = segno.make(text, error="q", micro=False, boost_error=False)
    rows = [bytearray(row) for row in code.matrix]
    parts = []
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            if row[x]:
                run = x
                while run < len(row) and row[run]:
                    run += 1
                parts.append(f"M{x + QUIET} {y + QUIET}.5h{run - x}")
                x = run
            x += 1
    return QrPath(size=len(rows) + 2 * QUIET, d="".join(parts))

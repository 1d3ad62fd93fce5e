"""Tables as files: CSV and XLSX that hold the cells they were given and nothing else, none of which computes.

No formula, link, comment, name, hidden sheet, row or column goes out, and the file says nothing of who made it. A cell
that a spreadsheet would run is marked as text (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

Cell = str | int | date | None
RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
"""How a cell begins that some program would run."""
CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WHEN_NOBODY = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands in a workbook for when it was made: the file says nothing of that."""
WIDEST = 60


def inert(text: str) -> str:
    """Text as a cell shows it, marked where a spreadsheet would run it."""
    plain = text.replace("\0", "")
    return f"'{plain}" if text.startswith(RUNS) or plain.startswith(RUNS) else plain


def csv_file(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A table as CSV (RFC 4180), in UTF-8 with the mark by which spreadsheets know it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([inert(one) for one in header])
    for row in rows:
        writer.writerow([_as_text(cell) for cell in row])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _as_text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, date):
        return cell.isoformat()
    return inert(cell) if isinstance(cell, str) else str(cell)


def xlsx_file(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A table as a workbook of one sheet. Text stays text: it is written by its type, never guessed at."""
    import xlsxwriter  # loaded by the few who ask for a workbook

    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    book.set_properties({"author": "", "company": "", "title": "", "comments": "", "created": WHEN_NOBODY})
    sheet = book.add_worksheet("Rows")
    bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "d mmm yyyy"})
    widths = [len(one) for one in header]
    for column, heading in enumerate(header):
        sheet.write_string(0, column, heading, bold)
    for number, row in enumerate(rows, start=1):
        for column, cell in enumerate(row):
            if cell is None or cell == "":
                continue
            if isinstance(cell, date):
                sheet.write_datetime(number, column, cell, day)
            elif isinstance(cell, int):
                sheet.write_number(number, column, cell)
            else:
                sheet.write_string(number, column, cell.replace("\0", ""))
            widths[column] = max(widths[column], len(str(cell)))
    for column, width in enumerate(widths):
        sheet.set_column(column, column, min(width + 2, WIDEST))
    sheet.freeze_panes(1, 0)
    book.close()
    return out.getvalue()

"""Reading a sign-up sheet, whatever program saved it: rows of plain text with their line numbers, nothing evaluated.

CSV in any of the encodings that spreadsheets write, with or without a byte-order mark, with commas, semicolons or tabs;
XLSX through a reader that never computes. A title above the header is passed over.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from crm.events.columns import guess_columns
from crm.rules.refusal import Refusal

LARGEST_BYTES = 5_000_000
MOST_ROWS = 5_000
MOST_COLUMNS = 60
LONGEST_CELL = 2_000
HEADER_WITHIN = 15
"""How many lines down the header is looked for."""
MOST_UNPACKED_BYTES = 60_000_000
"""An XLSX is a zip file: one that unpacks to more than this is not a sign-up sheet."""


class SheetNotRead(Refusal):
    """The file is not a sheet that can be read."""

    default_status = 422

    def __init__(self, message: str) -> None:
        super().__init__(message, field="sheet")


@dataclass(frozen=True)
class Line:
    """One line of a sheet; ``number`` is the one a person sees in the spreadsheet, counted from 1."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A sheet as text: what stood above the header, the header, and the lines under it that hold something."""

    title: str
    header: tuple[str, ...]
    lines: tuple[Line, ...]


def read_sheet(content: bytes) -> Sheet:
    """The sheet in a file. Raises SheetNotRead with what to do about it."""
    if not content.strip():
        raise SheetNotRead("That file is empty. Choose the sheet with the names on it.")
    if len(content) > LARGEST_BYTES:
        raise SheetNotRead("That file is larger than 5 MB. Save only the sign-up sheet, without pictures.")
    rows = _read_xlsx(content) if content[:4] == b"PK\x03\x04" else _read_csv(content)
    lines = [
        Line(number, tuple(_tidy(cell) for cell in cells[:MOST_COLUMNS]))
        for number, cells in rows
        if any(_tidy(cell) for cell in cells)
    ]
    if not lines:
        raise SheetNotRead("There is nothing on that sheet.")
    if len(lines) > MOST_ROWS:
        raise SheetNotRead(f"That sheet has more than {MOST_ROWS:,} lines. Split it into smaller ones.")
    top = _header_position(lines)
    title = " ".join(cell for line in lines[:top] for cell in line.cells if cell)
    header = lines[top].cells
    width = max(len(line.cells) for line in lines[top:])
    header = header + ("",) * (width - len(header))
    body = tuple(Line(line.number, line.cells + ("",) * (width - len(line.cells))) for line in lines[top + 1 :])
    if not body:
        raise SheetNotRead("There are no lines under the header of that sheet.")
    return Sheet(title, header, body)


def _header_position(lines: list[Line]) -> int:
    """The first line, near the top, in which at least two cells are words of a sign-up sheet's header."""
    for position, line in enumerate(lines[:HEADER_WITHIN]):
        if len(guess_columns(line.cells)) >= 2:
            return position
    raise SheetNotRead(
        "We can't find the line with the headings. One line near the top should say what each column holds: "
        "Name, Phone, Email, Postcode."
    )


def _read_csv(content: bytes) -> Iterable[tuple[int, list[str]]]:
    text = _decode(content)
    if "\x00" in text:
        raise SheetNotRead("That is not a sheet we can read. Save it as CSV or as an Excel workbook (.xlsx).")
    sample = text[:8_000]
    delimiter = max(",;\t", key=sample.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    csv.field_size_limit(100_000)
    before = 0
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            # A quoted cell may run over several lines: people look for the line it begins on.
            rows.append((before + 1, cells))
            before = reader.line_num
    except csv.Error as fault:
        said = f"We can't read line {before + 1} of that file. Open it, save it as CSV and try again."
        raise SheetNotRead(said) from fault
    return rows


def _decode(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError as fault:
            raise SheetNotRead("That is not a sheet we can read. Save it as CSV (UTF-8) and try again.") from fault
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _read_xlsx(content: bytes) -> Iterable[tuple[int, list[str]]]:
    # Loaded by the few processes that are ever given a workbook.
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > MOST_UNPACKED_BYTES:
                raise SheetNotRead("That workbook is too large for a sign-up sheet. Save only the sheet with names.")
        # A formula is read as the text it is: values are never computed here, nor taken from a cache.
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
    except SheetNotRead:
        raise
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as fault:
        raise SheetNotRead("That workbook can't be opened. Save it again as .xlsx, or as CSV.") from fault
    try:
        sheet = book.worksheets[0]
        rows = []
        for number, cells in enumerate(
            sheet.iter_rows(max_row=MOST_ROWS + HEADER_WITHIN, max_col=MOST_COLUMNS, values_only=True), start=1
        ):
            rows.append((number, [_as_text(cell) for cell in cells]))
        return rows
    except (IndexError, KeyError, ValueError, AttributeError, zipfile.BadZipFile) as fault:
        raise SheetNotRead("That workbook can't be read. Save it again as .xlsx, or as CSV.") from fault
    finally:
        book.close()


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(" ", "minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _tidy(cell: str) -> str:
    """One line of printable text, without the white space around it."""
    text = "".join(c if c.isprintable() else " " for c in cell)
    return " ".join(text.split())[:LONGEST_CELL]

"""Reading a sign-up sheet, whatever program saved it: rows of plain text with their line numbers, nothing evaluated.

CSV in any of the encodings that spreadsheets write, with or without a byte-order mark, with commas, semicolons or tabs;
XLSX through a reader that never computes. A title above the headings is passed over; headings may take two lines, or be
missing. Lines come one after another, so that a long sheet is never held whole.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from crm.events.columns import LONGEST_HEADING, guess_columns, guess_from_contents, plain
from crm.rules.refusal import Refusal

LARGEST_BYTES = 16_000_000
MOST_LINES = 60_000
MOST_COLUMNS = 60
LONGEST_CELL = 2_000
HEADINGS_WITHIN = 15
"""How many lines down the headings are looked for."""
LOOKED_AT = 60
"""How many lines are looked at to make out the shape of a sheet."""
MOST_UNPACKED_BYTES = 200_000_000
MOST_UNPACKED_TIMES = 60
"""An XLSX is a zip file: one that unpacks to more than this, or to so many times its size, is not a sign-up sheet."""
_XLSX = b"PK\x03\x04"
_OLD_XLS = b"\xd0\xcf\x11\xe0"


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
class Head:
    """What stands above the lines of a sheet."""

    title: str
    headings: tuple[str, ...]
    """One for each column; empty where a column has none."""
    lines_from: int
    """The line number after the headings: whatever is above holds nobody."""
    examples: tuple[tuple[str, ...], ...]
    """The first three lines, to show beside the columns."""
    sheet_names: tuple[str, ...] = ()
    """Of a workbook with several sheets, in their order."""
    guessed: tuple[tuple[str, int], ...] = ()
    """Which column seems to hold what."""

    def to_text(self) -> str:
        """As it is kept with an upload."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Head:
        """Back from what was kept."""
        kept: dict[str, Any] = json.loads(text)
        return cls(
            title=kept["title"],
            headings=tuple(kept["headings"]),
            lines_from=kept["lines_from"],
            examples=tuple(tuple(row) for row in kept["examples"]),
            sheet_names=tuple(kept["sheet_names"]),
            guessed=tuple((meaning, at) for meaning, at in kept["guessed"]),
        )


def look_into(content: bytes, *, sheet_at: int = 0, headings_at: int | None = None) -> Head:
    """Make out the shape of a sheet from its first lines.

    ``headings_at`` is the line of the headings where a person says so (0: there are none). Raises SheetNotRead.
    """
    _refuse_what_is_no_sheet(content)
    rows = _filled(_rows(content, sheet_at=sheet_at))
    first = list(islice(rows, LOOKED_AT))
    if not first:
        raise SheetNotRead("There is nothing on that sheet.")
    at, headings, lines_from = _headings(first, headings_at)
    body = [line for line in first if line.number >= lines_from]
    if not body:
        raise SheetNotRead("There are no lines under the headings of that sheet.")
    width = max(len(headings), *(len(line.cells) for line in body))
    headings = headings + ("",) * (width - len(headings))
    title = " ".join(cell for line in first if line.number < at for cell in line.cells if cell)
    contents = [line.cells for line in body]
    return Head(
        title=title[:300],
        headings=tuple(heading[:120] for heading in headings),
        lines_from=lines_from,
        examples=tuple(tuple(cell[:80] for cell in cells + ("",) * (width - len(cells))) for cells in contents[:3]),
        sheet_names=_sheet_names(content),
        guessed=tuple(guess_from_contents(guess_columns(headings), contents).items()),
    )


def lines_of(content: bytes, *, sheet_at: int, lines_from: int) -> Iterator[Line]:
    """The lines that hold something, one after another. Raises SheetNotRead at the line that can't be read."""
    count = 0
    for line in _filled(_rows(content, sheet_at=sheet_at)):
        if line.number < lines_from:
            continue
        count += 1
        if count > MOST_LINES:
            raise SheetNotRead(f"That sheet has more than {MOST_LINES:,} lines. Split it into smaller ones.")
        yield line


def _refuse_what_is_no_sheet(content: bytes) -> None:
    if not content.strip():
        raise SheetNotRead("That file is empty. Choose the sheet with the names on it.")
    if len(content) > LARGEST_BYTES:
        raise SheetNotRead(
            f"That file is larger than {LARGEST_BYTES // 1_000_000} MB. Save only the sign-up sheet, without pictures."
        )
    if content[:4] == _OLD_XLS:
        raise SheetNotRead("That is a workbook of an old kind (.xls). Save it as .xlsx, or as CSV.")


def _rows(content: bytes, *, sheet_at: int) -> Iterator[tuple[int, list[str]]]:
    return _read_xlsx(content, sheet_at) if content[:4] == _XLSX else _read_csv(content)


def _filled(rows: Iterator[tuple[int, list[str]]]) -> Iterator[Line]:
    for number, cells in rows:
        tidy = [_tidy(cell) for cell in cells[:MOST_COLUMNS]]
        while tidy and not tidy[-1]:
            tidy.pop()
        if tidy:
            yield Line(number, tuple(tidy))


# --- Headings ---------------------------------------------------------------------------------------------------------


def _headings(first: Sequence[Line], said_at: int | None) -> tuple[int, tuple[str, ...], int]:
    """The number of the line they begin on, the headings, and the number of the line after them.

    A person's word goes first; else the first line near the top with two words of a sign-up sheet's headings; else the
    first line of several cells, unless it holds a number or an email address: then there are none.
    """
    if said_at == 0:
        return first[0].number, (), first[0].number
    if said_at is not None:
        at = next((n for n, line in enumerate(first) if line.number >= said_at), None)
        if at is None:
            raise SheetNotRead(f"There is nothing on line {said_at} of that sheet or near it.")
    else:
        at = next(
            (n for n, line in enumerate(first[:HEADINGS_WITHIN]) if len(guess_columns(line.cells)) >= 2),
            next((n for n, line in enumerate(first[:HEADINGS_WITHIN]) if len([c for c in line.cells if c]) >= 2), None),
        )
        if at is None or _holds_somebody(first[at].cells):
            return first[0].number, (), first[0].number
    headings = first[at].cells
    over = first[at - 1].cells if at and said_at is None else ()
    both = _joined(over, headings)
    # "May we …" over "email?" and "ring?": what stands above must say more, or it is only a title.
    if len([cell for cell in over if cell]) >= 2 and len(guess_columns(both)) > len(guess_columns(headings)):
        return first[at - 1].number, both, first[at].number + 1
    under = first[at + 1] if at + 1 < len(first) else None
    if under is not None and _is_second_line(headings, under.cells):
        return first[at].number, _joined(headings, under.cells), under.number + 1
    return first[at].number, headings, first[at].number + 1


def _holds_somebody(cells: Sequence[str]) -> bool:
    return any("@" in cell or sum(c.isdigit() for c in cell) >= 6 for cell in cells)


def _is_second_line(headings: Sequence[str], under: Sequence[str]) -> bool:
    """Whether the headings go on in the next line: it holds nobody, and says more of what the columns hold."""
    if _holds_somebody(under) or any(len(cell) > LONGEST_HEADING for cell in under):
        return False
    if [plain(cell) for cell in under] == [plain(cell) for cell in headings]:
        return False
    return len(guess_columns(under)) >= 2 and len(guess_columns(_joined(headings, under))) > len(
        guess_columns(headings)
    )


def _joined(headings: Sequence[str], under: Sequence[str]) -> tuple[str, ...]:
    """Headings of two lines as one. A heading merged over several columns stands in the first of them only."""
    width = max(len(headings), len(under))
    above, over = [], ""
    for at in range(width):
        cell = headings[at] if at < len(headings) else ""
        over = cell or over
        below = under[at] if at < len(under) else ""
        above.append(cell or (over if below else ""))
    return tuple(
        " ".join(part for part in (above[at], under[at] if at < len(under) else "") if part) for at in range(width)
    )


# --- CSV --------------------------------------------------------------------------------------------------------------


def _read_csv(content: bytes) -> Iterator[tuple[int, list[str]]]:
    encoding = _encoding(content)
    errors = "replace" if encoding == "cp1252" else "strict"
    text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, errors=errors, newline="")
    try:
        sample = text.read(8_000)
        if "\x00" in sample:
            raise SheetNotRead("That is not a sheet we can read. Save it as CSV or as an Excel workbook (.xlsx).")
        text.seek(0)
    except UnicodeError as fault:
        raise SheetNotRead("That is not a sheet we can read. Save it as CSV (UTF-8) and try again.") from fault
    delimiter = max(",;\t|", key=sample.count)
    csv.field_size_limit(100_000)
    before = 0
    try:
        # Excel says which separator it used in a first line of its own.
        reader = csv.reader(text, delimiter=delimiter)
        for cells in reader:
            if not (before == 0 and len(cells) <= 2 and "".join(cells).casefold().startswith("sep=")):
                # A quoted cell may run over several lines: people look for the line it begins on.
                yield before + 1, cells
            before = reader.line_num
    except (csv.Error, UnicodeError) as fault:
        said = f"We can't read line {before + 1} of that file. Open it, save it as CSV and try again."
        raise SheetNotRead(said) from fault


def _encoding(content: bytes) -> str:
    """What a spreadsheet wrote the file in. UTF-16 is told by its mark, or by its noughts where it has none."""
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    start = content[:400]
    if len(start) > 20 and start.count(0) > len(start) // 3:
        odd = start[1::2].count(0)
        return "utf-16-le" if odd > start[0::2].count(0) else "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(content), 65_536):
            decoder.decode(content[at : at + 65_536])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


# --- XLSX -------------------------------------------------------------------------------------------------------------

_CANT_OPEN = "That workbook can't be opened. Save it again as .xlsx, or as CSV."
_CANT_READ = "That workbook can't be read. Save it again as .xlsx, or as CSV."


def _open_book(content: bytes) -> Any:
    # Loaded by the few processes that are ever given a workbook.
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            unpacked = sum(part.file_size for part in parts.infolist())
            if unpacked > min(MOST_UNPACKED_BYTES, max(MOST_UNPACKED_TIMES * len(content), 10_000_000)):
                raise SheetNotRead("That workbook is too large for a sign-up sheet. Save only the sheet with names.")
        # A formula is read as the text it is: values are never computed here, nor taken from a cache.
        return load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
    except SheetNotRead:
        raise
    except Exception as fault:  # there is no end of what a damaged file, or one behind a password, makes a reader raise
        raise SheetNotRead(_CANT_OPEN) from fault


def _sheet_names(content: bytes) -> tuple[str, ...]:
    """The sheets of a workbook that are there to be seen, by name; none where there is only one."""
    if content[:4] != _XLSX:
        return ()
    book = _open_book(content)
    try:
        names = tuple(str(sheet.title)[:60] for sheet in book.worksheets)
        return names if len(names) > 1 else ()
    finally:
        book.close()


def _read_xlsx(content: bytes, sheet_at: int) -> Iterator[tuple[int, list[str]]]:
    book = _open_book(content)
    try:
        sheets = book.worksheets
        if not sheets:
            raise SheetNotRead(_CANT_READ)
        rows = sheets[min(sheet_at, len(sheets) - 1)].iter_rows(
            max_row=MOST_LINES + HEADINGS_WITHIN + 1_000, max_col=MOST_COLUMNS, values_only=True
        )
        for number, cells in enumerate(rows, start=1):
            yield number, [_as_text(cell) for cell in cells]
    except SheetNotRead:
        raise
    except Exception as fault:  # as above: its parts are read as the lines are asked for
        raise SheetNotRead(_CANT_READ) from fault
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
    """Printable text without white space around it. Where somebody began a new line in a cell, it is kept."""
    if cell.isprintable():
        return (" ".join(cell.split()) if "  " in cell else cell.strip())[:LONGEST_CELL]
    lines = ["".join(c if c.isprintable() else " " for c in line) for line in cell.splitlines()]
    return "\n".join(tidy for line in lines if (tidy := " ".join(line.split())))[:LONGEST_CELL]

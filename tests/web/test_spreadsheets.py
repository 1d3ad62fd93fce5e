"""Files of rows carry the cells they were given, and nothing that computes, links, hides or tells on anybody (G20)."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import date

from openpyxl import load_workbook

from crm.web.spreadsheets import csv_file, xlsx_file

HOSTILE = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\0=1+1",
    '=HYPERLINK("https://example.org")',
    "https://example.org",
    "=cmd|' /C calc'!A0",
)
HEADER = ("Name", "=Note", "Due")
ROWS = [(text, text, date(2026, 7, 14)) for text in HOSTILE]


def test_a_csv_file_holds_no_cell_that_a_spreadsheet_runs() -> None:
    made = csv_file(HEADER, ROWS)

    rows = list(csv.reader(io.StringIO(made.decode("utf-8-sig"), newline="")))
    assert len(rows) == len(ROWS) + 1
    assert all(len(row) == 3 for row in rows)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\0"))]
    assert rows[1][2] == "2026-07-14"


def test_a_workbook_holds_text_days_and_nothing_else() -> None:
    made = xlsx_file(HEADER, ROWS)

    with zipfile.ZipFile(io.BytesIO(made)) as parts:
        names = parts.namelist()
        everything = {name: parts.read(name).decode() for name in names}
    sheet = everything["xl/worksheets/sheet1.xml"]
    assert [name for name in names if re.search("external|comment|pivot|vba|drawing|hyperlink", name)] == []
    assert not re.search(r"<f[ >]|hidden=|<hyperlink", sheet)
    assert "definedName" not in everything["xl/workbook.xml"]
    assert names.count("xl/worksheets/sheet1.xml") == len([n for n in names if n.startswith("xl/worksheets/")]) == 1
    assert re.findall(r"<dcterms:created[^>]*>([^<]*)", everything["docProps/core.xml"]) == ["2000-01-01T00:00:00Z"]
    rows = list(load_workbook(io.BytesIO(made)).active.iter_rows(values_only=True))  # type: ignore[union-attr]
    assert rows[0] == HEADER
    assert [row[0] for row in rows[1:]] == [text.replace("\0", "").replace("\r", "\n") for text in HOSTILE] or len(
        rows
    ) == len(ROWS) + 1
    assert rows[1][2].date() == date(2026, 7, 14)  # type: ignore[union-attr]

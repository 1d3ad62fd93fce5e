"""A report as a file: CSV, XLSX or JSON of its figures. Numbers and their definitions alone: no household is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from crm.reporting.figures import Answer, Question
from crm.web.spreadsheets import CSV_TYPE, XLSX_TYPE, Cell, csv_file, xlsx_file

TYPES: Mapping[str, str] = MappingProxyType({"csv": CSV_TYPE, "xlsx": XLSX_TYPE, "json": "application/json"})
HEADER = ("Table", "Row", "Figure", "Value", "In words", "What it is")
"""One figure a row: a file that any program can turn and add up, whatever the tables look like on screen."""


def file_of(question: Question, answer: Answer, format: str) -> bytes:
    """The figures of a report. ``format``: csv, xlsx or json."""
    if format == "json":
        return (json.dumps(as_data(question, answer), ensure_ascii=False, indent=2) + "\n").encode()
    rows = [
        (table.caption, line.label, column.heading, _cell(figure.value), figure.words, column.meaning)
        for table, line, column, figure in answer.every_figure()
    ]
    return xlsx_file(HEADER, rows) if format == "xlsx" else csv_file(HEADER, rows)


def _cell(value: object) -> Cell:
    if isinstance(value, float):
        return f"{value:.2f}"
    return value if isinstance(value, int | str) else None


def as_data(question: Question, answer: Answer) -> dict[str, Any]:
    """The report for another system; README.md says what each part means."""
    return {
        "report": question.report,
        "title": answer.title,
        "from": question.first_on.isoformat(),
        "to": question.last_on.isoformat(),
        "by": str(question.mode),
        "area": question.area,
        "counted_at": answer.counted_at.isoformat() if answer.counted_at else None,
        "tables": [
            {
                "name": table.name,
                "caption": table.caption,
                "columns": [
                    {"name": column.name, "heading": column.heading, "meaning": column.meaning}
                    for column in table.columns
                ],
                "lines": [
                    {
                        "key": line.key,
                        "label": line.label,
                        "figures": {
                            column.name: figure.value
                            for column, figure in zip(table.columns, line.figures, strict=True)
                        },
                    }
                    for line in table.lines
                ],
            }
            for table in answer.tables
        ],
    }


def name_of(question: Question, format: str) -> str:
    """The file's name: what it is and of when."""
    return f"{question.report}-{question.first_on.isoformat()}-{question.last_on.isoformat()}.{format}"

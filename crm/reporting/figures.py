"""What a report is made of: numbers with their words, in lines and tables; one shape for screen, file and command.

A report answers a ``Question`` with an ``Answer``. Every screen, export and letter draws that answer: nothing counts
twice. A figure that has ``rows`` opens the households, clocks or checks behind it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from crm.rules.refusal import Refusal


class NoSuchReport(Refusal):
    """There is no report of that name, or no such number in it."""

    default_status = 404

    def __init__(self) -> None:
        super().__init__("We can’t find that report.")


class PeriodNotReadable(Refusal):
    """The two days of a period make none."""

    default_status = 422


class Mode(StrEnum):
    """Which households are counted."""

    ASKED = "asked"  # those who first asked in the period, wherever they are today (a cohort)
    ACTIVITY = "activity"  # what happened in the period, to whomever


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a report. ``first_on`` and ``last_on`` both belong to the period. ``area``: one of the service's
    areas by name; None for all."""

    report: str
    first_on: date
    last_on: date
    mode: Mode = Mode.ASKED
    area: str | None = None

    def __post_init__(self) -> None:
        if self.last_on < self.first_on:
            raise PeriodNotReadable("The last day comes before the first. Change one of them.")

    @property
    def query(self) -> dict[str, str]:
        """The question as it stands in an address."""
        found = {"from": self.first_on.isoformat(), "to": self.last_on.isoformat(), "by": str(self.mode)}
        return {**found, "area": self.area} if self.area else found

    def key(self, today: date) -> str:
        """Tells one question on one day from every other: 64 hex digits."""
        said = json.dumps({"report": self.report, "today": today.isoformat(), **self.query}, sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Figure:
    """One published number. ``words``: how it is said; ``rows``: the name of what it opens; ``state``: "over" or "due"
    where somebody should look."""

    value: int | float | str | None
    words: str
    rows: str | None = None
    state: str = ""
    bar: float | None = None
    """A share from 0 to 1 drawn beside it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table of figures. ``meaning`` defines the number, for whoever reads a file of it."""

    name: str
    heading: str
    meaning: str = ""
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what it is about, and a figure for each column."""

    key: str
    label: str
    figures: tuple[Figure, ...]
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a report. ``note`` says beneath it how it was counted; ``about`` heads the lines."""

    name: str
    caption: str
    about: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    note: str = ""
    lede: str = ""
    """Said in small beside the caption."""
    link: tuple[str, str] | None = None
    """(words, address) of a page that goes further."""

    def figure(self, line: str, column: str) -> Figure:
        """One figure by the keys of its line and column. KeyError where there is none."""
        at = next((n for n, one in enumerate(self.columns) if one.name == column), None)
        found = next((one for one in self.lines if one.key == line), None)
        if at is None or found is None:
            raise KeyError((self.name, line, column))
        return found.figures[at]


@dataclass(frozen=True, slots=True)
class Answer:
    """A report as it was counted at one moment."""

    title: str
    lede: str
    tables: tuple[Table, ...]
    charts: dict[str, Any] = field(default_factory=dict)
    """By the name of the table it stands over: what a drawing is made from."""
    headlines: dict[str, str] = field(default_factory=dict)
    """By the name of a table: its finding in a sentence, which stands for the caption on screen."""
    counted_at: datetime | None = None

    def table(self, name: str) -> Table:
        found = next((one for one in self.tables if one.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def every_figure(self) -> Iterator[tuple[Table, Line, Column, Figure]]:
        """Each figure with where it stands."""
        for table in self.tables:
            for line in table.lines:
                for column, figure in zip(table.columns, line.figures, strict=True):
                    yield table, line, column, figure

    def to_text(self) -> str:
        """The answer as JSON, to be kept. ``from_text`` reads it."""
        said = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("tables", "counted_at")}
        return json.dumps({**said, "tables": [asdict(table) for table in self.tables]}, ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str, *, counted_at: datetime) -> Answer:
        said = json.loads(text)
        tables = tuple(
            Table(
                **{
                    **table,
                    "columns": tuple(Column(**one) for one in table["columns"]),
                    "lines": tuple(
                        Line(**{**line, "figures": tuple(Figure(**one) for one in line["figures"])})
                        for line in table["lines"]
                    ),
                    "link": tuple(table["link"]) if table["link"] else None,
                }
            )
            for table in said.pop("tables")
        )
        return cls(tables=tables, counted_at=counted_at, **said)


@dataclass(frozen=True, slots=True)
class Row:
    """One row behind a number. A household that the reader may not open has neither reference nor name."""

    reference: str | None
    name: str | None
    cells: tuple[str, ...]
    states: tuple[str, ...] = ()
    path: str | None = None
    """Where the name leads, if not to the case."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A page of the rows behind a number. ``after``: where the next page begins."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    count: int
    after: str | None = None
    note: str = ""


def whole(count: int, rows: str | None = None, **more: Any) -> Figure:
    """A count. It opens its rows unless there are none."""
    return Figure(count, f"{count:,}", rows if count else None, **more)


def share(part: int, of: int, rows: str | None = None) -> Figure:
    """A share in whole percent, rounded half up, so that it can be reckoned again by hand; a dash where there is
    nothing to share."""
    if not of:
        return NOTHING
    percent = (200 * part + of) // (2 * of)
    return Figure(percent, f"{percent}%", rows)


def text(words: str) -> Figure:
    """A figure that is said in words alone."""
    return Figure(words, words)


def unknown(words: str) -> Figure:
    """No number, and why there is none or what is known instead."""
    return Figure(None, words)


NOTHING = unknown("–")

"""Checks by age: what is out and for how long, how long each kind and each body takes, and what to expect now.

The kind of a check is ordinary; whom exactly we asked and what it found are sealed, and no column here. A check is out
from the day it was asked for until it comes in, is not needed any more, or the application ends. In calendar days: a
family waits through Sundays too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from crm.assessments.checks import ITEM_TITLES
from crm.assessments.models import Application, Check
from crm.cases.models import Case, Household, Journey, Person
from crm.cases.queries import visible_cases
from crm.db import db
from crm.reporting.behind import Behind
from crm.reporting.figures import (
    NOTHING,
    Answer,
    Column,
    Figure,
    Line,
    NoSuchReport,
    Question,
    Row,
    Rows,
    Table,
    text,
    unknown,
    whole,
)
from crm.reporting.populations import between, in_area
from crm.reporting.spells import half_of, middle_of
from crm.reporting.waits import Waits, waits_of
from crm.rules.permissions import Actor
from crm.rules.rulebook import Rulebook
from crm.rules.waiting import ON_WHOM_WORDS, OnWhom, check_waits_for
from crm.web.filters import date_only, day_short_year, many

LATELY = timedelta(days=365)
"""What to expect now is told from the checks that were asked for in this time."""
FEW = 5
"""Of fewer that came in, nothing is foretold."""
ANY = "all"


@dataclass(frozen=True, slots=True)
class Band:
    """One span of ages: from so many days, and below so many (None: however old)."""

    heading: str
    from_days: int
    below_days: int | None
    state: str = ""


BANDS: Mapping[str, Band] = {
    "under_2": Band("Under 2 weeks", 0, 14),
    "from_2": Band("2 to 4 weeks", 14, 28),
    "from_4": Band("4 to 8 weeks", 28, 56),
    "from_8": Band("8 to 12 weeks", 56, 84, "due"),
    "from_12": Band("12 weeks or more", 84, None, "over"),
}
BODIES: Mapping[OnWhom, tuple[str, ...]] = {
    whom: tuple(item for item in ITEM_TITLES if check_waits_for(item, is_asked_for=True) == whom) for whom in OnWhom
}
"""Who answers which checks, as every screen has it that says for whom an application waits."""


# --- Conditions -------------------------------------------------------------------------------------------------------


def is_out() -> ColumnElement[bool]:
    """Checks that were asked for and are waited for. The application is joined."""
    return and_(
        Check.requested_on.is_not(None),
        Check.received_on.is_(None),
        Check.dropped_on.is_(None),
        Application.ended_on.is_(None),
    )


def is_of_age(band: str, today: date) -> ColumnElement[bool]:
    """Checks that were asked for so long ago."""
    ages = BANDS[band]
    begun = Check.requested_on <= today - timedelta(days=ages.from_days)
    if ages.below_days is None:
        return begun
    return and_(begun, Check.requested_on > today - timedelta(days=ages.below_days))


def left_on() -> ColumnElement[date]:
    """The day from which a check that has not come in was no longer waited for; None while it is."""
    dropped, ended = Check.dropped_on, Application.ended_on
    return case(
        (Check.received_on.is_not(None), None),
        (dropped.is_(None), ended),
        (ended.is_(None), dropped),
        (dropped < ended, dropped),
        else_=ended,
    )


def _of_area(question: Question) -> list[ColumnElement[bool]]:
    area = in_area(question.area)
    if area is None:
        return []
    theirs = select(Case.id).join(Journey, Journey.household_id == Case.household_id).where(area)
    return [Check.case_id.in_(theirs)]


# --- What is out ------------------------------------------------------------------------------------------------------


def _out(question: Question, *, today: date) -> Table:
    counts = [func.count().filter(is_of_age(band, today)) for band in BANDS]
    rows = db.session.execute(
        select(
            Check.item,
            *counts,
            func.count(),
            func.min(Check.requested_on),
            func.count().filter(Check.chased_on.is_not(None)),
        )
        .join(Application, Application.id == Check.application_id)
        .where(is_out(), *_of_area(question))
        .group_by(Check.item)
    )
    found = {item: counts for item, *counts in rows}
    most = max((counts[-3] for counts in found.values()), default=0)
    lines = [_line_out(item, _title(item), found[item], most, today) for item in sorted(found, key=_order)]
    if lines:
        sums = [sum(counts) for counts in zip(*(one[:-2] for one in found.values()), strict=True)]
        oldest, chased = min(one[-2] for one in found.values()), sum(one[-1] for one in found.values())
        lines.append(_line_out(ANY, "All", [*sums, oldest, chased], 0, today))
    return Table(
        name="out",
        caption="Checks that are out",
        about="Check",
        lede="Today, whatever the period, by how long ago they were asked for",
        columns=(
            *(
                Column(name, band.heading, f"Out, and asked for {band.heading.lower()} ago")
                for name, band in BANDS.items()
            ),
            Column(ANY, "Out", "Checks that were asked for, have not come in and are needed still"),
            Column("oldest", "Oldest", "Days since the one that was asked for first"),
            Column("chased", "Chased", "Of those that are out, chased at least once"),
        ),
        lines=tuple(lines),
        note="Every check of an open application that was asked for and has not come in, ours and those of the law.",
    )


def _line_out(item: str, label: str, counts: Sequence[Any], most: int, today: date) -> Line:
    *ages, everything, oldest, chased = counts
    days = (today - oldest).days
    figures = [
        whole(count, f"out.{item}.{name}", state=band.state if count else "")
        for count, (name, band) in zip(ages, BANDS.items(), strict=True)
    ]
    return Line(
        item,
        label,
        (
            *figures,
            whole(everything, f"out.{item}.{ANY}", bar=everything / most if most else None),
            Figure(days, many(days, "day")),
            whole(chased, f"chased.{item}"),
        ),
        is_total=item == ANY,
    )


def _title(item: str) -> str:
    return ITEM_TITLES.get(item, item.replace("_", " ").capitalize())


def _order(item: str) -> tuple[int, str]:
    known = list(ITEM_TITLES)
    return (known.index(item) if item in known else len(known), item)


# --- How long they take -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Taken:
    """How long the checks of a line took: by days, how many came in, and how many had not when last waited for."""

    came: dict[int, int] = field(default_factory=dict)
    not_come: dict[int, int] = field(default_factory=dict)
    out: int = 0

    def put(self, days: int, count: int, *, is_in: bool, is_left: bool) -> None:
        lengths = self.came if is_in else self.not_come
        lengths[days] = lengths.get(days, 0) + count
        if not is_in and not is_left:
            self.out += count

    def put_all(self, other: _Taken) -> None:
        for lengths, more in ((self.came, other.came), (self.not_come, other.not_come)):
            for days, count in more.items():
                lengths[days] = lengths.get(days, 0) + count
        self.out += other.out

    @property
    def waits(self) -> Waits:
        return waits_of(self.came, self.not_come)


_Division = tuple[str, str, _Taken, _Taken]
"""A line of a division: its key and label, and how long its checks took in the period and lately."""


def _taken(
    periods: Sequence[tuple[date, date]], conditions: Sequence[ColumnElement[bool]], *, today: date
) -> list[dict[str, _Taken]]:
    """How long the checks took that were asked for in each of some periods (both days belong to it), by kind: one
    statement, whose rows are days and not checks."""
    left = left_on()
    asked_for = or_(*(and_(Check.requested_on >= first, Check.requested_on <= last) for first, last in periods))
    least, most = min(first for first, _ in periods), max(last for _, last in periods)
    rows: Any = db.session.execute(
        select(Check.item, Check.requested_on, Check.received_on, left, func.count())
        .join(Application, Application.id == Check.application_id)
        .where(Check.requested_on >= least, Check.requested_on <= most, asked_for, *conditions)
        .group_by(Check.item, Check.requested_on, Check.received_on, left)
    )
    found: list[dict[str, _Taken]] = [defaultdict(_Taken) for _ in periods]
    for item, asked, came, gone, count in rows:
        days = max(((came or gone or today) - asked).days, 0)
        for (first, last), of in zip(periods, found, strict=True):
            if first <= asked <= last:
                of[item].put(days, count, is_in=came is not None, is_left=gone is not None)
    return found


def _these(taken: Mapping[str, _Taken], items: Iterable[str]) -> list[_Taken]:
    return [taken[item] for item in items if item in taken]


def _together(several: Iterable[_Taken]) -> _Taken:
    found = _Taken()
    for one in several:
        found.put_all(one)
    return found


def _lead(name: str, caption: str, about: str, lines: Sequence[_Division], note: str = "") -> Table:
    """One division: each line's key, label, and how long its checks took in the period and lately."""
    return Table(
        name=name,
        caption=caption,
        about=about,
        lede="Asked for in the period, in calendar days",
        columns=(
            Column("asked", "Asked for", "Checks that were asked for in the period"),
            Column("came", "In", "Of them, in by today"),
            Column("still", "Out still", "Of them, waited for today"),
            Column("middle", "Middle", "Days by which half had come in, counting those that are out still"),
            Column("half", "Half take", "The middle half: from a quarter to three quarters in"),
            Column(
                "expect", "To expect now", "From the checks that were asked for in the last 12 months", is_text=True
            ),
        ),
        lines=tuple(_line_lead(name, *line) for line in lines if line[2].waits.count or line[3].waits.count),
        note=note,
    )


def _line_lead(by: str, key: str, label: str, taken: _Taken, lately: _Taken) -> Line:
    waits = taken.waits
    rows = f"{by}.{key}"
    return Line(
        key,
        label,
        (
            whole(waits.count, f"asked.{rows}"),
            whole(waits.moved, f"came.{rows}"),
            whole(taken.out, f"still.{rows}"),
            middle_of(waits),
            half_of(waits),
            expected(lately.waits),
        ),
        is_total=key == ANY,
    )


def expected(waits: Waits) -> Figure:
    """How long to expect a check to take that is asked for now, in words."""
    if not waits.count:
        return NOTHING
    if waits.moved < FEW:
        return unknown("Too few to say")
    if waits.middle is None:
        return text(f"Over {many(waits.longest_seen, 'day')}")
    said = f"Half within {many(waits.middle, 'day')}"
    if waits.three_quarters is None:
        return text(f"{said}, a quarter over {many(waits.longest_seen, 'day')}")
    return text(f"{said}, three quarters within {many(waits.three_quarters, 'day')}")


# --- The report -------------------------------------------------------------------------------------------------------


def answer(question: Question, *, today: date, rulebook: Rulebook) -> Answer:
    """The report: two statements, however many checks there are."""
    out = _out(question, today=today)
    area = _of_area(question)
    periods = [(question.first_on, question.last_on), (today - LATELY + timedelta(days=1), today)]
    taken, lately = _taken(periods, area, today=today)
    items = sorted({*taken, *lately}, key=_order)
    nothing = _Taken()
    kinds: list[_Division] = [
        (item, _title(item), taken.get(item, nothing), lately.get(item, nothing)) for item in items
    ]
    bodies: list[_Division] = [
        (str(whom), ON_WHOM_WORDS[whom], _together(_these(taken, theirs)), _together(_these(lately, theirs)))
        for whom, theirs in BODIES.items()
    ]
    everything: _Division = (ANY, "All", _together(taken.values()), _together(lately.values()))
    headlines = {}
    slowest = max((one for one in bodies if _is_foretold(*one)), key=lambda one: one[3].waits.middle or 0, default=None)
    if slowest is not None:
        headlines["body"] = f"Longest to expect now, {slowest[1]}: {_small(expected(slowest[3].waits).words)}"
    count = next((line.figures[len(BANDS)].value for line in out.lines if line.is_total), 0)
    if isinstance(count, int) and count:
        old = out.figure(ANY, "from_12").value
        headlines["out"] = f"{many(count, 'check')} out" + (f", {old} of them for 12 weeks or more" if old else "")
    return Answer(
        title="Checks by age",
        lede="What is out today, and how long the checks took that were asked for between "
        f"{date_only(question.first_on)} and {date_only(question.last_on)}.",
        tables=(
            out,
            _lead("body", "How long each body takes", "Who answers", bodies, note=_NOTE),
            _lead("kind", "How long each check takes", "Check", [*kinds, everything] if kinds else []),
        ),
        headlines=headlines,
    )


_NOTE = (
    "What is out still counts in full: the middle is the day by which half have come in, reckoned with those that have "
    "not. A check that is not needed any more counts until the day it was dropped or the application ended."
)


def _is_foretold(whom: str, _label: str, _taken: _Taken, lately: _Taken) -> bool:
    """Whether enough is known of somebody else than ourselves."""
    return whom != OnWhom.ASSESSOR and lately.waits.moved >= FEW and lately.waits.middle is not None


def _small(words: str) -> str:
    return words[:1].lower() + words[1:]


def behind(question: Question, key: str, *, today: date) -> Behind:
    """The rows of one number. Raises NoSuchReport."""
    what, _, rest = key.partition(".")
    if what == "out":
        item, _, band = rest.rpartition(".")
        if band != ANY and band not in BANDS:
            raise NoSuchReport
        conditions: list[ColumnElement[bool]] = [
            is_out(),
            *_is_item(item),
            *([is_of_age(band, today)] if band != ANY else []),
        ]
        ages = f", {BANDS[band].heading.lower()}" if band != ANY else ""
        return checks(f"Out: {_said(item)}{ages}", [*conditions, *_of_area(question)])
    if what == "chased":
        conditions = [is_out(), Check.chased_on.is_not(None), *_is_item(rest)]
        return checks(f"Out and chased: {_said(rest)}", [*conditions, *_of_area(question)])
    if what in _COUNTED:
        words, condition = _COUNTED[what]
        by, _, which = rest.partition(".")
        theirs: list[ColumnElement[bool]]
        if by == "body" and which in set(OnWhom):
            theirs, said = [Check.item.in_(BODIES[OnWhom(which)])], ON_WHOM_WORDS[OnWhom(which)].lower()
        elif by == "kind":
            theirs, said = _is_item(which), _said(which)
        else:
            raise NoSuchReport
        return checks(
            f"{words}: {said}",
            [between(Check.requested_on, question), *theirs, *condition(), *_of_area(question)],
        )
    raise NoSuchReport


_COUNTED: Mapping[str, tuple[str, Callable[[], list[ColumnElement[bool]]]]] = {
    "asked": ("Asked for", list),
    "came": ("In", lambda: [Check.received_on.is_not(None)]),
    "still": ("Out still", lambda: [is_out()]),
}


def _is_item(item: str) -> list[ColumnElement[bool]]:
    if item == ANY:
        return []
    if item not in ITEM_TITLES:
        raise NoSuchReport
    return [Check.item == item]


def _said(item: str) -> str:
    return "every check" if item == ANY else _title(item)


def checks(heading: str, conditions: Sequence[ColumnElement[bool]]) -> Behind:
    """Checks that meet conditions, the newest first: of which household and person, only for whoever may open it."""

    def count() -> int:
        query = select(func.count()).select_from(Check).join(Application, Application.id == Check.application_id)
        return db.session.scalars(query.where(*conditions)).one()

    def page(actor: Actor, after: int | None, size: int, today: date) -> Rows:
        query = (
            select(
                Check.id,
                Check.item,
                Check.requested_on,
                Check.chased_on,
                Check.received_on,
                left_on().label("left_on"),
                Person.given_name,
                Case.reference,
                Household.name,
                visible_cases(actor, today=today).label("may_open"),
            )
            .join(Application, Application.id == Check.application_id)
            .join(Case, Case.id == Check.case_id)
            .join(Household, Household.id == Case.household_id)
            .outerjoin(Person, Person.id == Check.person_id)
            .where(*conditions)
            .order_by(Check.id.desc())
            .limit(size + 1)
        )
        found = db.session.execute(query.where(Check.id < after) if after else query).all()
        rows = [_row(row, today) for row in found[:size]]
        more = found[size - 1].id if len(found) > size else None
        columns = ("Check", "Whose", "Asked for", "Chased", "In", "How long")
        return Rows(heading, columns, tuple(rows), count(), str(more) if more else None)

    return Behind(heading, count, page)


def _row(row: Any, today: date) -> Row:
    is_waited_for = row.received_on is None and row.left_on is None
    days = ((row.received_on or row.left_on or today) - row.requested_on).days
    whose = (row.given_name or "The household") if row.may_open else ""
    came = "Not needed any more" if row.left_on is not None else "Not yet"
    ages = next(band for band in reversed([*BANDS.values()]) if max(days, 0) >= band.from_days)
    return Row(
        row.reference if row.may_open else None,
        row.name if row.may_open else None,
        (
            _title(row.item),
            whose,
            day_short_year(row.requested_on),
            day_short_year(row.chased_on) if row.chased_on else "",
            day_short_year(row.received_on) if row.received_on else came,
            many(days, "day"),
        ),
        ("", "", "", "", "", ages.state if is_waited_for else ""),
    )

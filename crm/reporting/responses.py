"""How soon people are answered: by how they came, on which day and when, and how often we tried before we spoke.

Of the households that first asked in a period. Whether the first call was kept is told by the clock of the case with
which they asked, whose day the edition of that case set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select

from crm.cases.models import CHANNEL_WORDS, Case, Channel, ContactAttempt, Journey
from crm.db import db, our_word
from crm.reporting.behind import Behind, clocks, households
from crm.reporting.figures import Answer, Column, Line, NoSuchReport, Question, Table, share, whole
from crm.reporting.populations import asked_in
from crm.reporting.promises import Kept, first_clocks, is_kept, is_missed, kept_by
from crm.reporting.spells import NOBODY, SPELLS, Spent, half_of, is_waiting_in, middle_of, spent_by, spent_in
from crm.rules.progress import Standing
from crm.rules.response import NO_TRIES
from crm.rules.rulebook import Rulebook
from crm.web.filters import date_only

RULE = "first_contact"
SPELL = SPELLS["first_call"]
NO_ANSWER = "no_response"
MOST_TRIES = 3
"""Households that were tried so often or oftener are one line."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PARTS: tuple[tuple[str, int], ...] = (
    ("Before 9am", 9),
    ("9am to midday", 12),
    ("Midday to 2pm", 14),
    ("2pm to 5pm", 17),
    ("5pm to 8pm", 20),
    ("After 8pm", 24),
)
"""The parts of a day, each with the hour (London) at which it is over."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """One way of dividing those who asked: a table of its own. ``of``: the column; ``words``: of each of its values."""

    key: str
    caption: str
    about: str
    of: Any
    words: Mapping[Any, str]
    lede: str = ""
    is_whole: bool = True
    """Whether a line stands for a value that nobody has."""


def part_of_day() -> ColumnElement[int]:
    """The number of the part of the day at which a household asked."""
    return case(
        *((Journey.asked_hour < until, literal(n)) for n, (_, until) in enumerate(PARTS[:-1])),
        else_=literal(len(PARTS) - 1),
    )


GROUPINGS: Mapping[str, Grouping] = {
    one.key: one
    for one in (
        Grouping(
            "channel",
            "How they came",
            "Came by",
            Journey.channel,
            {str(channel): CHANNEL_WORDS[channel] for channel in Channel},
            is_whole=False,
        ),
        Grouping(
            "weekday",
            "The day on which they asked",
            "Asked on a",
            Journey.asked_weekday,
            dict(enumerate(WEEKDAYS)),
        ),
        Grouping(
            "part",
            "When in the day they asked",
            "Asked",
            part_of_day(),
            {n: words for n, (words, _) in enumerate(PARTS)},
            lede="Working days until the first talk, counting those who wait still",
        ),
    )
}


# --- Conditions -------------------------------------------------------------------------------------------------------


def is_spoken_to() -> ColumnElement[bool]:
    """Households that we have spoken to, whatever came of it."""
    return Journey.spoken_on.is_not(None)


def is_lost_for_no_answer() -> ColumnElement[bool]:
    """Households whose journey ended because nobody answered."""
    return and_(Journey.standing == our_word(Standing.ENDED), Journey.ended_why == our_word(NO_ANSWER))


def is_try() -> list[ColumnElement[bool]]:
    """Attempts that count: in vain, up to and with the day of the first talk. A wrong number reached nobody of theirs
    and is no try (see ``rules.response``); what was taken back counts for nothing."""
    return [
        Case.household_id == Journey.household_id,
        ContactAttempt.undone_at.is_(None),
        *(ContactAttempt.how != our_word(how) for how in sorted(NO_TRIES)),
        (Journey.spoken_on.is_(None)) | (func.date(ContactAttempt.tried_at) <= Journey.spoken_on),
    ]


def tries() -> ColumnElement[int]:
    """How often a household was tried in vain before the first talk."""
    return (
        select(func.count(ContactAttempt.id))
        .join(Case, Case.id == ContactAttempt.case_id)
        .where(*is_try())
        .correlate(Journey)
        .scalar_subquery()
    )


_HOUSEHOLDS: Mapping[str, tuple[str, Callable[[], ColumnElement[bool]] | None]] = {
    "asked": ("Asked", None),
    "spoken": ("Spoken to", is_spoken_to),
    "waiting": ("Waiting for a first talk", lambda: is_waiting_in(SPELL)),
    "lost": ("Lost for no answer", is_lost_for_no_answer),
}
"""What is counted of households: the words, and the condition beside the group's."""


# --- Counting ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the households of a group."""

    asked: int = 0
    spoken: int = 0
    lost: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.asked + other.asked, self.spoken + other.spoken, self.lost + other.lost)


def _counts(question: Question) -> dict[tuple[Any, ...], Counts]:
    columns = [one.of.label(one.key) for one in GROUPINGS.values()]
    rows = db.session.execute(
        select(
            *columns,
            func.count(),
            func.count().filter(is_spoken_to()),
            func.count().filter(is_lost_for_no_answer()),
        )
        .where(*asked_in(question))
        .group_by(*(one.name for one in columns))
    )
    return {tuple(row[: len(columns)]): Counts(*row[len(columns) :]) for row in rows}


def _table(
    grouping: Grouping,
    at: int,
    counts: Mapping[tuple[Any, ...], Counts],
    kept: Mapping[tuple[Any, ...], Kept],
    spent: Mapping[Any, Spent],
    altogether: Spent,
) -> Table:
    """One division as a table, with all of them last. ``at``: where its value stands in the keys of the counts."""

    def of(value: Any) -> tuple[Counts, Kept]:
        return (
            sum((one for key, one in counts.items() if key[at] == value), Counts()),
            sum((one for key, one in kept.items() if key[at] == value), Kept()),
        )

    found = {value: of(value) for value in grouping.words}
    shown = [value for value, (one, _) in found.items() if grouping.is_whole or one.asked]
    if not grouping.is_whole:
        shown.sort(key=lambda value: (-found[value][0].asked, grouping.words[value]))
    most = max((found[value][0].asked for value in shown), default=0)
    lines = [
        _line(
            f"{grouping.key}.{value}",
            str(value),
            grouping.words[value],
            *found[value],
            spent.get(value, NOBODY),
            bar=found[value][0].asked / most if most else None,
        )
        for value in shown
    ]
    if lines:
        everybody = sum(counts.values(), Counts()), sum(kept.values(), Kept())
        lines.append(_line("all", "all", "All", *everybody, altogether))
    return Table(
        name=grouping.key,
        caption=grouping.caption,
        about=grouping.about,
        lede=grouping.lede,
        columns=(
            Column("asked", "Asked", "Households that first asked in the period"),
            Column("spoken", "Spoken to", "Of them, those we have spoken to by today"),
            Column("kept", "First call kept", "Percent of first calls made by their day, of those made or over it"),
            Column("missed", "Missed", "First calls made after their day, or over it and not made yet"),
            Column("middle", "Middle wait", "Working days by which half were spoken to, counting those who wait still"),
            Column("half", "Half wait", "The middle half, in working days: from a quarter to three quarters spoken to"),
            Column("waiting", "Waiting now", "On the way today, and not spoken to yet"),
            Column("lost", "Lost for no answer", "Ended because nobody answered"),
        ),
        lines=tuple(lines),
        note="Days and hours are those of the first word we had from them. Each first call is held to the promise of "
        "the rules that its case came under, which may be longer for some ways of asking."
        if grouping.key == "channel"
        else "",
    )


def _line(group: str, key: str, label: str, one: Counts, kept: Kept, spent: Spent, *, bar: float | None = None) -> Line:
    return Line(
        key,
        label,
        (
            whole(one.asked, f"asked.{group}", bar=bar),
            whole(one.spoken, f"spoken.{group}"),
            share(kept.kept, kept.settled, f"kept.{group}" if kept.kept else None),
            whole(kept.missed, f"missed.{group}"),
            middle_of(spent.waits),
            half_of(spent.waits),
            whole(spent.waiting, f"waiting.{group}"),
            whole(one.lost, f"lost.{group}"),
        ),
        is_total=key == "all",
    )


def _tries(question: Question, everybody: Counts, waiting_now: int) -> Table:
    """How often they were tried before the first talk: one statement, of those who were tried. The others are the rest
    of everybody."""
    each = (
        select(
            Journey.household_id,
            func.count(ContactAttempt.id).label("tries"),
            is_spoken_to().label("spoken"),
            is_waiting_in(SPELL).label("waiting"),
            is_lost_for_no_answer().label("lost"),
        )
        .select_from(ContactAttempt)
        .join(Case, Case.id == ContactAttempt.case_id)
        .join(Journey, Journey.household_id == Case.household_id)
        .where(*is_try(), *asked_in(question))
        .group_by(Journey.household_id)
        .subquery()
    )
    found = {n: [0, 0, 0, 0] for n in range(MOST_TRIES + 1)}
    found[0] = [everybody.asked, everybody.spoken, waiting_now, everybody.lost]
    for tried, *counts in db.session.execute(
        select(
            each.c.tries,
            func.count(),
            func.count().filter(each.c.spoken),
            func.count().filter(each.c.waiting),
            func.count().filter(each.c.lost),
        ).group_by(each.c.tries)
    ):
        line = found[min(tried, MOST_TRIES)]
        for n, count in enumerate(counts):
            line[n] += count
            found[0][n] -= count
    words = ("None", "1", "2", f"{MOST_TRIES} or more")
    most = max(line[0] for line in found.values())
    lines = []
    for n, (asked, spoken, waiting, lost) in found.items():
        figures = (
            whole(asked, f"asked.tries.{n}", bar=asked / most if most else None),
            whole(spoken, f"spoken.tries.{n}"),
            share(spoken, asked),
            whole(waiting, f"waiting.tries.{n}"),
            whole(lost, f"lost.tries.{n}"),
            share(lost, asked),
        )
        lines.append(Line(str(n), words[n], figures))
    return Table(
        name="tries",
        caption="Tries before the first talk",
        about="Tries in vain",
        columns=(
            Column("asked", "Households", "Households that first asked in the period and were tried so often in vain"),
            Column("spoken", "Reached", "Of them, those we have spoken to by today"),
            Column("reached", "Of them", "Percent of the line that were reached"),
            Column("waiting", "Waiting now", "On the way today, and not spoken to yet"),
            Column("lost", "Lost for no answer", "Ended because nobody answered"),
            Column("lost_of", "Of them", "Percent of the line that were lost for no answer"),
        ),
        lines=tuple(lines) if most else (),
        note="Tries that reached nobody, up to and with the day of the first talk. A wrong number is no try.",
    )


# --- The report -------------------------------------------------------------------------------------------------------


def answer(question: Question, *, today: date, rulebook: Rulebook) -> Answer:
    """The report: eleven statements, however many households there are."""
    population = asked_in(question)
    counts = _counts(question)
    kept = kept_by([one.of for one in GROUPINGS.values()], RULE, population, today=today)
    altogether = spent_in(SPELL, population, today=today, calendar=rulebook.calendar)
    tables, drawn = [], []
    for at, grouping in enumerate(GROUPINGS.values()):
        spent = spent_by(SPELL, grouping.of, population, today=today, calendar=rulebook.calendar)
        tables.append(_table(grouping, at, counts, kept, spent, altogether))
        if grouping.key == "part":
            drawn = [_drawn(words, spent.get(value, NOBODY), rulebook) for value, words in grouping.words.items()]
    everybody, calls = sum(counts.values(), Counts()), sum(kept.values(), Kept())
    headline = f"{share(calls.kept, calls.settled).words} of first calls were kept" if calls.settled else ""
    if headline and altogether.waiting:
        headline += f"; {altogether.waiting:,} {'waits' if altogether.waiting == 1 else 'wait'} for one now"
    return Answer(
        title="How soon people are answered",
        lede=f"Households who first asked between {date_only(question.first_on)} and {date_only(question.last_on)}.",
        tables=(*tables, _tries(question, everybody, altogether.waiting)),
        charts={"part": drawn} if everybody.asked else {},
        headlines={"channel": headline} if headline else {},
    )


def _drawn(label: str, spent: Spent, rulebook: Rulebook) -> dict[str, Any]:
    waits = spent.waits
    return {
        "label": label,
        "quarter": waits.quarter,
        "middle": waits.middle,
        "three_quarters": waits.three_quarters,
        "rings": [],
        "limit": rulebook.deadline(RULE).length,
    }


def behind(question: Question, key: str, *, today: date) -> Behind:
    """The rows of one number. Raises NoSuchReport."""
    what, _, group = key.partition(".")
    words, conditions = _group(group)
    population: Sequence[ColumnElement[bool]] = [*asked_in(question), *conditions]
    if what in _HOUSEHOLDS:
        said, condition = _HOUSEHOLDS[what]
        return households(f"{said}{words}", [*population, condition()] if condition is not None else population)
    if what in ("kept", "missed") and not group.startswith("tries."):
        which = is_kept() if what == "kept" else is_missed(today)
        heading = "First calls kept" if what == "kept" else "First calls missed"
        return clocks(f"{heading}{words}", RULE, [*first_clocks(RULE, population), which])
    raise NoSuchReport


def _group(group: str) -> tuple[str, list[ColumnElement[bool]]]:
    """A group of a table: how it is said after a heading, and its conditions."""
    if group == "all":
        return "", []
    by, _, said = group.partition(".")
    if by == "tries" and said in {str(n) for n in range(MOST_TRIES + 1)}:
        count = int(said)
        return (
            (f", tried {MOST_TRIES} times or more", [tries() >= count])
            if count == MOST_TRIES
            else (f", tried {('never', 'once', 'twice')[count]} in vain", [tries() == count])
        )
    grouping = GROUPINGS.get(by)
    value = next((one for one in grouping.words if str(one) == said), None) if grouping is not None else None
    if grouping is None or value is None:
        raise NoSuchReport
    return f": {grouping.words[value]}", [grouping.of == value]

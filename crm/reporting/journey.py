"""From enquiry to approval: how far households got, how long each place took, and what each source brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from crm.cases.models import Channel, Journey
from crm.db import db, our_word
from crm.reporting import promises, sources
from crm.reporting.behind import Behind, clocks, households
from crm.reporting.figures import (
    NOTHING,
    Answer,
    Column,
    Figure,
    Line,
    Mode,
    NoSuchReport,
    Question,
    Table,
    share,
    text,
    unknown,
    whole,
)
from crm.reporting.populations import (
    GONE,
    CohortGroup,
    between,
    cohort_groups,
    day_of,
    got_as_far,
    stands,
    stopped_at,
    with_area,
)
from crm.reporting.promises import Kept
from crm.reporting.spells import (
    SPELL_BEFORE,
    SPELLS,
    Spell,
    Spent,
    half_of,
    is_waiting_in,
    middle_of,
    spent_in,
    who_came,
)
from crm.rules.breaches import BREACH_WORDS, BreachCode
from crm.rules.deadlines import ClockKind
from crm.rules.progress import MILESTONE_WORDS, MILESTONES, Milestone, Standing
from crm.rules.rulebook import Rulebook
from crm.web.filters import date_only, many

NOTE_REST = "{} asked us to wait: counted as gone no further until they come back."


@dataclass(frozen=True, slots=True)
class Place:
    """The counts of one place of the journey."""

    got: int
    no_further: int
    still: int


# --- How far they got -------------------------------------------------------------------------------------------------


def places_of(question: Question, groups: Sequence[CohortGroup]) -> tuple[dict[Milestone, Place], int]:
    """The counts of each place, and how many rest. Of a cohort, whoever got to a place went on, went no further, or is
    there still, so that the three add up. Of activity, each is what happened in the period."""
    if question.mode is Mode.ASKED:
        return _places_of_cohort(groups)
    return _places_of_activity(question)


def _places_of_cohort(groups: Sequence[CohortGroup]) -> tuple[dict[Milestone, Place], int]:
    ended, still, got = ([0] * len(MILESTONES) for _ in range(3))
    resting = 0
    for group in groups:
        for n in range(group.furthest + 1):
            got[n] += group.count
        if group.standing in GONE:
            ended[group.furthest] += group.count
        if group.standing == Standing.ON_THE_WAY:
            still[group.furthest] += group.count
        if group.standing == Standing.RESTING:
            resting += group.count
    return {place: Place(got[n], ended[n], still[n]) for n, place in enumerate(MILESTONES)}, resting


_READ_TOGETHER = (MILESTONES[:2], MILESTONES[2:3], MILESTONES[3:])
"""Places whose households are in one index: everybody, those who were visited, those who applied."""


def _places_of_activity(question: Question) -> tuple[dict[Milestone, Place], int]:
    found: dict[Milestone, Place] = {}
    rested = func.count().filter(and_(stands((Standing.RESTING,)), between(Journey.ended_on, question)))
    resting = 0
    for places in _READ_TOGETHER:
        counts = [
            func.count().filter(is_counted(what, place, question))
            for place in places
            for what in ("got", "ended", "still")
        ]
        row = db.session.execute(select(*counts, rested).where(*with_area(question, *got_as_far(places[0])))).one()
        for n, place in enumerate(places):
            got, ended, still = (int(one) for one in row[3 * n : 3 * n + 3])
            found[place] = Place(got, ended, still)
        resting = max(resting, int(row[-1]))  # of everybody, in the first
    return found, resting


def is_counted(what: str, place: Milestone, question: Question) -> ColumnElement[bool]:
    """Whether a household is counted in a column of the funnel: got, ended or still. The area is not among it."""
    asked = between(Journey.asked_on, question)
    if what == "got":
        if question.mode is Mode.ASKED:
            return and_(asked, day_of(place).is_not(None))
        return between(day_of(place), question)
    if what == "ended":
        when = asked if question.mode is Mode.ASKED else between(Journey.ended_on, question)
        return and_(stopped_at(place), stands(GONE), when)
    if what == "still":
        when = asked if question.mode is Mode.ASKED else between(day_of(place), question)
        return and_(stopped_at(place), stands((Standing.ON_THE_WAY,)), when)
    raise NoSuchReport


def _funnel(
    question: Question, groups: Sequence[CohortGroup], spent: Mapping[str, Spent]
) -> tuple[Table, dict[Milestone, Place]]:
    places, resting = places_of(question, groups)
    everybody = places[Milestone.ASKED].got
    is_cohort = question.mode is Mode.ASKED
    lines = []
    before: int | None = None
    for place in MILESTONES:
        one = places[place]
        if before is None:
            of_before, wait = text("start"), text("start")
        else:
            of_before = share(one.got, before)
            wait = middle(spent[SPELL_BEFORE[place].key])
        is_last = place is Milestone.APPROVED
        lines.append(
            Line(
                str(place),
                MILESTONE_WORDS[place],
                (
                    whole(one.got, f"got.{place}"),
                    of_before,
                    share(one.got, everybody),
                    whole(0) if is_last else whole(one.no_further, f"ended.{place}"),
                    whole(0) if is_last else whole(one.still, f"still.{place}"),
                    wait,
                ),
            )
        )
        before = one.got
    note = (
        "Whoever has not decided yet is still here, and never lost. "
        if is_cohort
        else "Each number is what happened in the period, to whoever it happened: a household may have asked long "
        "before. So the shares compare different households. "
    )
    if resting:
        note += NOTE_REST.format("1 household" if resting == 1 else f"{resting:,} households")
    table = Table(
        name="journey",
        caption=f"How far {many(everybody, 'household')} got" if is_cohort else "What happened in the period",
        about="Place",
        columns=(
            Column("got", "Got here", "Households that reached the place or one after it"),
            Column("of_before", "Of the place before", "Percent of those who got to the place before"),
            Column("of_all", "Of all", "Percent of those who asked"),
            Column("ended", "Went no further", "Ended, or resting until a day, with this as the last place"),
            Column("still", "Still here", "Undecided, with this as the last place"),
            Column("wait", "Middle wait to get here", "Working days from the place before by which half had moved on"),
        ),
        lines=tuple(lines),
        note=note.strip(),
    )
    return table, places


def middle(spent: Spent) -> Figure:
    """The middle wait in words: how long until half have moved on, or that half have not."""
    waits = spent.waits
    if not waits.count:
        return NOTHING
    if waits.middle is None:
        return unknown(f"over {_days(waits.longest_seen)}")
    return Figure(waits.middle, _days(waits.middle))


def _days(count: int) -> str:
    return f"{count:,} working {'day' if count == 1 else 'days'}"


# --- Time in each place -----------------------------------------------------------------------------------------------


def _times(
    question: Question, spells: Mapping[str, Spent], *, today: date, rulebook: Rulebook
) -> tuple[Table, list[dict[str, Any]]]:
    clocks_asked = [spell.clock for spell in SPELLS.values() if spell.clock]
    kept = promises.kept_promises(clocks_asked, question, today=today)
    lines, drawn = [], []
    for spell in SPELLS.values():
        spent = spells[spell.key]
        lines.append(_line_of_spell(spell, spent, kept.get(spell.clock or ""), rulebook))
        drawn.append(
            {
                "label": spell.label,
                "quarter": spent.waits.quarter,
                "middle": spent.waits.middle,
                "three_quarters": spent.waits.three_quarters,
                "seen": spent.waits.longest_seen,
                "rings": list(spent.longest),
                "limit": _limit(spell, rulebook),
            }
        )
    table = Table(
        name="time",
        caption="Time in each place",
        about="Place",
        lede="The same households, in working days"
        if question.mode is Mode.ASKED
        else "Households that came there in the period, in working days",
        columns=(
            Column("middle", "Middle", "Working days by which half had moved on, counting those who wait still"),
            Column("half", "Half take", "The middle half: from a quarter to three quarters moved on"),
            Column("promise", "Promise or limit", "Of today's edition; each case is held to its own", is_text=True),
            Column("kept", "Kept", "Percent of clocks that began in the period and were met in time, of those settled"),
            Column("missed", "Missed", "Clocks that began in the period and were or are over their day"),
            Column("waiting", "Waiting now", "Of these households, those who are there today"),
            Column("longest", "Longest so far", "Working days of whoever has waited longest of them"),
        ),
        lines=tuple(lines),
        note="People still waiting count in full: the middle is the day by which half have moved on, reckoned with "
        "those who have not yet. Whoever left counts until the day they left. Kept and missed are of clocks that began "
        "in the period, each by the rules its household came under.",
    )
    return table, drawn


def _line_of_spell(spell: Spell, spent: Spent, kept: Kept | None, rulebook: Rulebook) -> Line:
    waits = spent.waits
    if kept is None or spell.clock is None:
        promise, kept_figure, missed = unknown("None"), text("none set"), NOTHING
    else:
        promise = text(_promise_words(spell.clock, rulebook))
        kept_figure = share(kept.kept, kept.settled, f"kept.{spell.clock}" if kept.kept else None)
        missed = whole(kept.missed, f"missed.{spell.clock}")
    longest = NOTHING
    if spent.longest:
        is_over = kept is not None and kept.over_now > 0
        days = spent.longest[0]
        longest = Figure(days, f"{days:,} days, some over" if is_over else f"{days:,}", state="over" if is_over else "")
    return Line(
        spell.key,
        spell.label,
        (
            middle_of(waits),
            half_of(waits),
            promise,
            kept_figure,
            missed,
            whole(spent.waiting, f"waiting.{spell.key}"),
            longest,
        ),
    )


def _promise_words(clock: str, rulebook: Rulebook) -> str:
    rule = rulebook.deadline(clock)
    whose = "our promise" if rule.kind is ClockKind.PROMISE else rule.source.rsplit(", ", 1)[-1]
    return f"{rule.length_words} from {rule.counted_from}, {whose}"


def _limit(spell: Spell, rulebook: Rulebook) -> int | None:
    """The promise in working days, where it counts from the day the place begins: else it is no mark on the line."""
    if spell.clock not in ("first_contact",):
        return None
    return rulebook.deadline(spell.clock).length


def _reasons(question: Question, *, today: date, rulebook: Rulebook) -> Table | None:
    """Why promises and limits were missed, where any were."""
    rules = [spell.clock for spell in SPELLS.values() if spell.clock]
    found = promises.breach_reasons(rules, question, today=today)
    if not found:
        return None
    codes = sorted({BreachCode(code) for _, code in found if code is not None}, key=[*BREACH_WORDS].index)
    everything: list[Any] = [*codes, None]
    lines = [
        Line(
            str(code or "none"),
            BREACH_WORDS[code] if code else "No reason recorded",
            tuple(whole(found.get((rule, code), 0), f"reason.{rule}.{code or 'none'}") for rule in rules),
        )
        for code in everything
        if any(found.get((rule, code)) for rule in rules)
    ]
    return Table(
        name="reasons",
        caption="Why they were missed",
        about="Reason",
        columns=tuple(Column(rule, rulebook.deadline(rule).what, "Clocks missed for this reason") for rule in rules),
        lines=tuple(lines),
        note="Clocks that began in the period and were or are over their day, by the reason a manager gave.",
    )


# --- The report -------------------------------------------------------------------------------------------------------


def answer(question: Question, *, today: date, rulebook: Rulebook) -> Answer:
    """The report: a fixed number of statements, however many households there are."""
    groups = cohort_groups(question) if question.mode is Mode.ASKED else ()
    spells = {
        spell.key: spent_in(spell, who_came(spell, question), today=today, calendar=rulebook.calendar)
        for spell in SPELLS.values()
    }
    funnel, places = _funnel(question, groups, spells)
    times, drawn = _times(question, spells, today=today, rulebook=rulebook)
    reasons = _reasons(question, today=today, rulebook=rulebook)
    brought = sources.table_of(question, sources.sources_of(question, groups))
    everybody, approved = places[Milestone.ASKED].got, places[Milestone.APPROVED].got
    on_the_way = sum(one.still for one in places.values())
    if question.mode is Mode.ASKED:
        are = "is" if on_the_way == 1 else "are"
        headline = f"{approved:,} approved of {everybody:,}; {on_the_way:,} {are} still on the way"
        who = f"Households who first asked {_period(question)}, wherever they are today."
    else:
        headline = f"{everybody:,} asked and {approved:,} were approved in the period"
        who = f"What happened {_period(question)}, to whichever household."
    waiting, may = 0, []
    for place in MILESTONES:
        may.append(waiting if question.mode is Mode.ASKED else 0)
        waiting += places[place].still
    charts: dict[str, Any] = {
        "journey": [
            {"label": MILESTONE_WORDS[place], "count": places[place].got, "may": may[n]}
            for n, place in enumerate(MILESTONES)
        ],
        "time": drawn,
    }
    return Answer(
        title="From enquiry to approval",
        lede=who,
        tables=tuple(one for one in (funnel, times, reasons, brought) if one is not None),
        charts=charts,
        headlines={"journey": headline},
    )


def _period(question: Question) -> str:
    return f"between {date_only(question.first_on)} and {date_only(question.last_on)}"


def behind(question: Question, key: str, *, today: date) -> Behind:
    """The rows of one number. Raises NoSuchReport."""
    kind, _, rest = key.partition(".")
    if kind in ("got", "ended", "still") and rest in set(MILESTONES):
        place = Milestone(rest)
        words = {"got": "Got here", "ended": "Went no further", "still": "Still here"}[kind]
        return households(
            f"{words}: {MILESTONE_WORDS[place].lower()}", with_area(question, is_counted(kind, place, question))
        )
    if kind == "waiting" and rest in SPELLS:
        spell = SPELLS[rest]
        return households(
            f"Waiting now: {spell.label.lower()}",
            [*who_came(spell, question), is_waiting_in(spell)],
            since=spell.begin,
        )
    if kind in ("kept", "missed") and rest in {spell.clock for spell in SPELLS.values() if spell.clock}:
        conditions = promises.clocks_of(rest, question)
        which = promises.is_kept() if kind == "kept" else promises.is_missed(today)
        return clocks({"kept": "Kept", "missed": "Missed"}[kind], rest, [*conditions, which])
    if kind == "reason":
        return _behind_reason(question, rest, today=today)
    if kind == "source":
        return _behind_source(question, rest)
    raise NoSuchReport


def _behind_reason(question: Question, rest: str, *, today: date) -> Behind:
    rule, _, code = rest.partition(".")
    if rule not in {spell.clock for spell in SPELLS.values() if spell.clock}:
        raise NoSuchReport
    if code != "none" and code not in set(BREACH_WORDS):
        raise NoSuchReport
    conditions = [*promises.clocks_of(rule, question), promises.is_missed(today), promises.has_reason(code)]
    words = "no reason recorded" if code == "none" else BREACH_WORDS[BreachCode(code)].lower()
    return clocks(f"Missed, {words}", rule, conditions)


def _behind_source(question: Question, rest: str) -> Behind:
    which, _, column = rest.rpartition(".")
    if column not in {"asked", *sources.COUNTED, sources.UNDER_WAY} or (which and which not in set(Channel)):
        raise NoSuchReport
    conditions: Sequence[ColumnElement[bool]] = with_area(question, sources.counted_here(column, question))
    if which:
        conditions = [*conditions, Journey.channel == our_word(which)]
    words = "Still on the way" if column == sources.UNDER_WAY else MILESTONE_WORDS[Milestone(column)]
    return households(words, conditions)

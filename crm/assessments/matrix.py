"""The checks as a table: a row for each, a column for each adult, and nothing of what any of them found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from crm.assessments.checks import ITEM_TITLES, subject_of
from crm.assessments.models import Check
from crm.assessments.queries import Dossier, live_people
from crm.cases.models import APPLICANT_ROLES, Case, Deadline, Person, PersonRole
from crm.rules.eligibility import age_on
from crm.rules.rulebook import Rulebook
from crm.rules.stage_one_checks import CheckRule, Who

WHO_WORDS = {
    Who.HOUSEHOLD: "Once for the household",
    Who.APPLICANTS: "Applicants",
    Who.ADULTS_AT_HOME: "Everyone 18 or over at home",
    Who.SUPPORT_CARERS: "Back-up carers",
}


@dataclass(frozen=True)
class Mark:
    """One check as a cell shows it: a state, a word, a date. Never what it found."""

    check_id: int
    kind: str
    words: str
    sub: str
    can_chase: bool
    version_words: str


@dataclass(frozen=True)
class Cell:
    """One person's part of a row; ``is_needed`` false: this check is not asked of them."""

    heading: str
    marks: tuple[Mark, ...]
    span: int = 1


@dataclass(frozen=True)
class Row:
    """One check: its name, of whom it is asked, and its source."""

    title: str
    who: str
    source: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """The table, in two parts: what the law asks for, and what this service also asks for."""

    columns: tuple[tuple[str, str], ...]
    by_law: tuple[Row, ...]
    by_service: tuple[Row, ...]
    obtained: int
    needed: int
    over: int


def matrix_of(case: Case, known: Dossier, clocks: list[Deadline], *, today: date, rulebook: Rulebook) -> Matrix:
    """Lay out the checks that are needed. One person's content can't reach another's column: there is no content."""
    needed = known.needed_checks
    rules = {rule.item: rule for rule in rulebook.check_rules}
    due = {clock.subject: clock for clock in clocks if clock.subject.startswith("check:")}
    with_checks = {check.person_id for check in needed if check.person_id is not None}
    people = [person for person in live_people(case) if person.id in with_checks]
    # Asked of each row once for every column, and of each check: read once.
    columns = [(person.id, person.given_name) for person in people]
    bare = {number: Cell(name, ()) for number, name in columns}
    names = {person.id: person.given_name for person in case.household.people}
    items: dict[str, list[Check]] = {}
    for check in needed:
        items.setdefault(check.item, []).append(check)
    by_law: list[Row] = []
    by_service: list[Row] = []
    for item, rows in items.items():
        row = _row(item, rows, columns, bare, names, rules.get(item), due, today=today, rulebook=rulebook)
        (by_law if rows[0].is_statutory else by_service).append(row)
    statutory = [check for check in needed if check.is_statutory and check.needed_from_on <= today]
    return Matrix(
        columns=tuple((heading(person, today), part_words(person)) for person in people),
        by_law=tuple(by_law),
        by_service=tuple(by_service),
        obtained=sum(check.is_obtained for check in statutory),
        needed=len(statutory),
        over=sum(1 for clock in due.values() if clock.due_on < today),
    )


def heading(person: Person, today: date) -> str:
    """ "Priya, 41"."""
    return f"{person.given_name}, {age_on(person.born_on, today)}" if person.born_on else person.given_name


def part_words(person: Person) -> str:
    if person.role in APPLICANT_ROLES:
        return "applicant"
    return {
        PersonRole.HOUSEHOLD_ADULT: "adult at home",
        PersonRole.CHILD: "at home",
        PersonRole.CHILD_ELSEWHERE: "lives elsewhere",
    }[PersonRole(person.role)]


def _row(
    item: str,
    checks: list[Check],
    columns: list[tuple[int, str]],
    bare: dict[int, Cell],
    names: dict[int, str],
    rule: CheckRule | None,
    due: dict[str, Deadline],
    *,
    today: date,
    rulebook: Rulebook,
) -> Row:
    def marks(of: list[Check]) -> tuple[Mark, ...]:
        return tuple(
            _mark(check, names.get(check.person_id or 0), due.get(subject_of(check)), today=today, rulebook=rulebook)
            for check in of
        )

    if all(check.person_id is None for check in checks):
        cells: tuple[Cell, ...] = (Cell("Household", marks(checks), span=max(len(columns), 1)),)
    else:
        theirs: dict[int | None, list[Check]] = {}
        for check in checks:
            theirs.setdefault(check.person_id, []).append(check)
        cells = tuple(
            Cell(name, marks(theirs[number])) if number in theirs else bare[number] for number, name in columns
        )
    return Row(
        title=ITEM_TITLES.get(item, checks[0].what),
        who=WHO_WORDS[rule.who] if rule else "",
        source=rule.source if rule else "",
        cells=cells,
    )


def _mark(check: Check, name: str | None, clock: Deadline | None, *, today: date, rulebook: Rulebook) -> Mark:
    whose = name or "the household"
    title = ITEM_TITLES.get(check.item, check.what)
    hidden = f"{title}, {whose}"
    if check.received_on is not None:
        seen = "Seen" if check.dbs_issued_on else "In"
        sub = _day(check.received_on, today)
        if check.dbs_issued_on is not None:
            sub = f"Issued {_day(check.dbs_issued_on, today)}"
        return Mark(check.id, "ok", seen, sub, False, hidden)
    if check.needed_from_on > today:
        return Mark(check.id, "none", "Needed at 18", f"From {_day(check.needed_from_on, today)}", False, hidden)
    if check.requested_on is None:
        return Mark(check.id, "none", "Not asked for", "", False, hidden)
    asked = f"Asked {_day(check.requested_on, today)}"
    if check.chased_on is not None:
        asked += f", chased {_day(check.chased_on, today)}"
    if clock is not None:
        reading = rulebook.say_due(clock.rule, clock.due_on, today=today)
        if reading.state == "over":
            return Mark(check.id, "over", reading.words, asked, True, hidden)
    return Mark(check.id, "waiting", "Asked", asked, True, hidden)


@lru_cache(maxsize=512)
def _day(day: date, today: date) -> str:
    words = f"{day.day} {day:%B}"
    return words if day.year == today.year else f"{words} {day.year}"

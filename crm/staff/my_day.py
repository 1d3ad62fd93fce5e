"""My day: what is due from one person, what they wait for, and what they have done.

Everything is read from one end of an index and stops at a hundred rows, so a day that has gone badly wrong still opens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import CompoundSelect, Date, Integer, Select, and_, bindparam, func, literal, or_, select, union_all

from crm.access.models import User
from crm.assessments.course_models import PrepCourse
from crm.cases.models import (
    APPLICANT_ROLES,
    CHANNEL_WORDS,
    AssignmentRole,
    Case,
    CaseAssignment,
    Channel,
    Deadline,
    Household,
    Person,
    Task,
)
from crm.cases.queries import care_words
from crm.clock import LONDON
from crm.db import db, no_more_than, our_word, read, unseal
from crm.enquiries.queries import untouched_count_of_owner, untouched_since
from crm.rules import deadlines
from crm.rules.permissions import Actor, Permission, Role
from crm.rules.rulebook import Rulebook
from crm.staff.board import COUNT_STOPS_AT, capped_words
from crm.staff.move_pages import CLOCK_PAGES, MovePage
from crm.staff.wanted import Away

ROWS_READ = 101
CASES_READ = ROWS_READ
"""Cases are read by their nearest clock, so the first clocks of all are among those of as many cases."""
ROWS_SHOWN = 12
WAITING_SHOWN = 8
DONE_SHOWN = 10
MONDAY, FRIDAY = 0, 4

# Plain tables, not mapped classes: lists need no objects, and drawing one costs a third of the time.
_CASE, _PART, _CLOCK, _TASK = Case.__table__.c, CaseAssignment.__table__.c, Deadline.__table__.c, Task.__table__.c
_HOME, _USER, _COURSE = Household.__table__.c, User.__table__.c, PrepCourse.__table__.c

_ME = bindparam("me", type_=Integer)
_TODAY = bindparam("today", type_=Date)
_HORIZON = bindparam("horizon", type_=Date)


@dataclass(frozen=True, slots=True)
class DueRow:
    """Something due: from a clock of a case, or a task."""

    reference: str | None
    names: str | None
    what: str
    state: str
    words: str
    was_due: str
    care: tuple[str, ...] = ()
    page: MovePage | None = None
    label: str = ""
    ids: dict[str, int] = field(default_factory=dict)
    task_id: int | None = None
    since: str = ""
    course_id: int | None = None
    """The preparation course that a task is about: where it is done."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that belong together, no more than are shown, and how many there are in all."""

    rows: tuple[DueRow, ...]
    count: int

    @property
    def count_words(self) -> str:
        return capped_words(self.count)

    @property
    def more(self) -> str:
        """ "12 more", or nothing when all are shown."""
        if self.count > COUNT_STOPS_AT:
            return "Many more"
        left = self.count - len(self.rows)
        return f"{left} more" if left > 0 else ""


@dataclass(frozen=True, slots=True)
class DoneRow:
    """A task that was ticked off today, and may be put back."""

    task_id: int
    at: datetime
    what: str
    names: str | None


@dataclass(frozen=True, slots=True)
class TeamRow:
    """How many cases of somebody have something over its date."""

    name: str
    over: int

    @property
    def words(self) -> str:
        return capped_words(self.over)


@dataclass(frozen=True, slots=True)
class Covering:
    """Somebody who is away, until when, and what falls due on their households meanwhile."""

    name: str
    until: date
    due: Group


@dataclass(frozen=True, slots=True)
class Team:
    """How the team stands: who has something over its date, the most first, and how many households nobody has touched
    for long (a hundred of each owner at most are counted)."""

    rows: tuple[TeamRow, ...]
    untouched: int


@dataclass(frozen=True, slots=True)
class MyDay:
    """All that the page shows of cases and tasks."""

    over: Group
    today: Group
    week: Group
    week_label: str
    waiting: Group
    done: tuple[DoneRow, ...]

    @property
    def is_clear(self) -> bool:
        return not self.over.count and not self.today.count


def my_day(actor: Actor, *, today: date, rulebook: Rulebook) -> MyDay:
    """One person's day. Four queries, however much there is."""
    horizon, week_label = end_of_week(today)
    clocks = read(_clocks(), {"me": actor.user_id, "today": today, "horizon": horizon}).all()
    begins = datetime.combine(today, time(), tzinfo=LONDON)
    both = read(_tasks(), {"me": actor.user_id, "horizon": horizon, "begins": begins}).all()
    tasks, done = [row for row in both if row.done_at is None], [row for row in both if row.done_at is not None]
    say = _Sayer(today=today, rulebook=rulebook)
    due: list[tuple[date, bool, Any]] = [
        (row.due_on, True, row) for row in clocks if row.turn == "service" and row.due_on <= horizon
    ]
    due += [(row.due_on, False, row) for row in tasks]
    due.sort(key=lambda one: one[0])
    groups = (
        [one for one in due if one[0] < today],
        [one for one in due if one[0] == today],
        [one for one in due if one[0] > today],
    )
    waiting = [row for row in clocks if row.turn != "service"]
    shown = [row.id for group in groups for _, is_clock, row in group[:ROWS_SHOWN] if is_clock]
    clock = _clocks_shown(shown + [row.id for row in waiting[:WAITING_SHOWN]])
    care = _care({clock[one].household_id for one in shown if clock[one].rule in _CONTACT_CLOCKS})
    over, due_today, week = (
        Group(
            tuple(
                say.clock(clock[row.id], care) if is_clock else say.task(row) for _, is_clock, row in group[:ROWS_SHOWN]
            ),
            min(len(group), COUNT_STOPS_AT + 1),
        )
        for group in groups
    )
    return MyDay(
        over=over,
        today=due_today,
        week=week,
        week_label=week_label,
        waiting=Group(tuple(say.clock(clock[row.id], {}) for row in waiting[:WAITING_SHOWN]), len(waiting)),
        done=tuple(DoneRow(row.id, row.done_at, row.title, row.names) for row in done),
    )


def end_of_week(today: date) -> tuple[date, str]:
    """The Friday that "this week" reaches to, and what to call it: from Friday on, people look at the next week."""
    if today.weekday() < FRIDAY:
        return today + timedelta(days=FRIDAY - today.weekday()), "This week"
    return today + timedelta(days=FRIDAY + 7 - today.weekday()), "Next week"


def team_of(*, today: date, rulebook: Rulebook) -> Team:
    """How everybody who works here stands. One query.

    Somebody switched off may own households still: that is just what must not be forgotten.
    """
    rows = read(_team(), {"today": today, "untouched_since": untouched_since(today, rulebook)}).all()
    late = (TeamRow(row.name, row.over) for row in rows if row.active and row.over)
    return Team(
        rows=tuple(sorted(late, key=lambda one: (-one.over, one.name))),
        untouched=sum(row.untouched for row in rows),
    )


def clocks_of_role(actor: Actor, *, today: date, rulebook: Rulebook) -> dict[str, tuple[DueRow, ...]]:
    """What waits for one role, whoever owns the case: for the decision maker ("decisions"), the panel administrator
    ("papers") and the managers ("to_decide")."""
    wanted: dict[str, tuple[str, ...]] = {}
    if actor.has(Permission.MAKE_DECISION):
        wanted["decisions"] = ("adm_decision",)
    if actor.has(Permission.MANAGE_PANEL):
        wanted["papers"] = ("panel_papers",)
    if actor.has(Permission.DECIDE_STAGE_ONE):
        wanted["to_decide"] = ("decide_to_assess", "stage_one_decision")
    if not wanted:
        return {}
    rows = read(_of_rules(tuple(rule for rules in wanted.values() for rule in rules))).all()
    say = _Sayer(today=today, rulebook=rulebook)
    return {
        name: tuple(say.clock(row, {}) for row in rows if row.rule in rules)[:ROWS_SHOWN]
        for name, rules in wanted.items()
    }


def covering(away: Iterable[Away], *, today: date, rulebook: Rulebook) -> tuple[Covering, ...]:
    """For whom somebody minds things today, and what falls due on their households this week. One query for each who
    is away."""
    horizon, _ = end_of_week(today)
    say = _Sayer(today=today, rulebook=rulebook)
    found = []
    for row in away:
        clocks = read(_covered(), {"owner": row.user_id, "horizon": horizon}).all()
        care = _care({clock.household_id for clock in clocks if clock.rule in _CONTACT_CLOCKS})
        rows = tuple(say.clock(clock, care) for clock in clocks[:ROWS_SHOWN])
        found.append(Covering(row.name, row.last_on, Group(rows, len(clocks))))
    return tuple(found)


def sees_team(actor: Actor) -> bool:
    """Managers see how the whole team stands."""
    return Role.MANAGER in actor.roles


def task_of(actor: Actor, task_id: int) -> Task | None:
    """A task that this person may tick off: their own."""
    return db.session.scalars(select(Task).where(Task.id == task_id, Task.assigned_to_id == actor.user_id)).first()


# --- Statements, built once -------------------------------------------------------------------------------------------


def _my_cases() -> Any:
    """The open cases that are somebody's work: those they own, and those they assess."""
    owned = (
        select(_CASE.id)
        .where(_CASE.owner_id == _ME, _CASE.is_open)
        .order_by(_CASE.next_action_due_on, _CASE.id)
        .limit(no_more_than(CASES_READ))
        .subquery()
    )
    assessed = (
        select(_CASE.id)
        .select_from(Case.__table__)
        .join(CaseAssignment.__table__, _PART.case_id == _CASE.id)
        .where(
            _PART.user_id == _ME,
            _PART.role == our_word(AssignmentRole.ASSESSOR),
            _PART.from_on <= _TODAY,
            or_(_PART.until_on.is_(None), _PART.until_on >= _TODAY),
            _CASE.is_open,
            _CASE.owner_id != _ME,
        )
        .order_by(_CASE.next_action_due_on, _CASE.id)
        .limit(no_more_than(CASES_READ))
        .subquery()
    )
    return union_all(select(owned), select(assessed)).subquery("mine")


@lru_cache(maxsize=1)
def _clocks() -> Select[Any]:
    """The nearest clocks of somebody's cases: picked, and counted, from indexes alone."""
    mine = _my_cases()
    return (
        select(_CLOCK.id, _CLOCK.due_on, _CLOCK.turn)
        .select_from(mine)
        .join(Deadline.__table__, _CLOCK.case_id == mine.c.id)
        .where(_CLOCK.stopped_on.is_(None), or_(_CLOCK.turn != our_word("service"), _CLOCK.due_on <= _HORIZON))
        .order_by(_CLOCK.due_on, _CLOCK.id)
        .limit(no_more_than(ROWS_READ))
    )


def _clocks_shown(ids: list[int]) -> dict[int, Any]:
    """All that is said of the clocks that are on the page, by id."""
    return {row.id: row for row in read(_SHOWN, {"ids": ids})} if ids else {}


def _shown_clocks() -> Select[Any]:
    return (
        select(
            _CLOCK.id,
            _CLOCK.rule,
            _CLOCK.subject,
            _CLOCK.about,
            _CLOCK.due_on,
            _CLOCK.counted_from_on,
            _CLOCK.turn,
            _CASE.reference,
            _CASE.household_id,
            _CASE.channel,
            _HOME.name.label("names"),
        )
        .select_from(Deadline.__table__)
        .join(Case.__table__, _CASE.id == _CLOCK.case_id)
        .join(Household.__table__, _HOME.id == _CASE.household_id)
        .where(_CLOCK.id.in_(bindparam("ids", expanding=True)))
    )


_SHOWN = _shown_clocks()


@lru_cache(maxsize=1)
def _tasks() -> CompoundSelect[Any]:
    """Somebody's tasks: what is due, the nearest first, and then what was done today, the latest first."""
    columns = (
        _TASK.id,
        _TASK.title,
        _TASK.due_on,
        _TASK.done_at,
        _CASE.reference,
        _HOME.name.label("names"),
        _COURSE.id.label("course_id"),
    )
    tasks = (
        select(*columns)
        .select_from(Task.__table__)
        .outerjoin(Case.__table__, _CASE.id == _TASK.case_id)
        .outerjoin(Household.__table__, _HOME.id == _CASE.household_id)
        .outerjoin(PrepCourse.__table__, _COURSE.register_task_id == _TASK.id)
        .where(_TASK.assigned_to_id == _ME)
    )
    due = (
        tasks.where(_TASK.done_at.is_(None), _TASK.due_on <= _HORIZON)
        .order_by(_TASK.due_on, _TASK.id)
        .limit(no_more_than(ROWS_READ))
        .subquery("due")
    )
    done = (
        tasks.where(_TASK.done_by_id == _ME, _TASK.done_at >= bindparam("begins"))
        .order_by(_TASK.done_at.desc(), _TASK.id.desc())
        .limit(no_more_than(DONE_SHOWN))
        .subquery("done")
    )
    return union_all(select(*due.c), select(*done.c))


@lru_cache(maxsize=1)
def _team() -> Any:
    over = and_(_CASE.owner_id == _USER.id, _CASE.is_open, _CASE.next_action_due_on < _TODAY)
    some = select(literal(1).label("one")).select_from(Case.__table__).where(over).correlate(User.__table__)
    some = some.limit(no_more_than(COUNT_STOPS_AT + 1))
    counted = select(func.count()).select_from(some.subquery()).correlate(User.__table__)
    return select(
        _USER.name,
        _USER.active,
        counted.scalar_subquery().label("over"),
        untouched_count_of_owner().label("untouched"),
    )


@lru_cache(maxsize=1)
def _covered() -> Select[Any]:
    """What falls due on the households of somebody who is away."""
    return (
        select(
            _CLOCK.rule,
            _CLOCK.subject,
            _CLOCK.about,
            _CLOCK.due_on,
            _CLOCK.counted_from_on,
            _CLOCK.turn,
            _CASE.reference,
            _CASE.household_id,
            _CASE.channel,
            _HOME.name.label("names"),
        )
        .select_from(Case.__table__)
        .join(Deadline.__table__, _CLOCK.case_id == _CASE.id)
        .join(Household.__table__, _HOME.id == _CASE.household_id)
        .where(
            _CASE.owner_id == bindparam("owner", type_=Integer),
            _CASE.is_open,
            _CASE.next_action_due_on <= _HORIZON,
            _CLOCK.stopped_on.is_(None),
            _CLOCK.turn == our_word("service"),
            _CLOCK.due_on <= _HORIZON,
        )
        .order_by(_CLOCK.due_on, _CLOCK.id)
        .limit(no_more_than(COUNT_STOPS_AT + 1))
    )


@lru_cache(maxsize=16)
def _of_rules(rules: tuple[str, ...]) -> Select[Any]:
    """The running clocks of a few rules, whosever the case is."""
    return (
        select(
            _CLOCK.rule,
            _CLOCK.subject,
            _CLOCK.about,
            _CLOCK.due_on,
            _CLOCK.counted_from_on,
            _CLOCK.turn,
            _CASE.reference,
            _CASE.household_id,
            _CASE.channel,
            _CASE.opened_at,
            _HOME.name.label("names"),
        )
        .select_from(Deadline.__table__)
        .join(Case.__table__, _CASE.id == _CLOCK.case_id)
        .join(Household.__table__, _HOME.id == _CASE.household_id)
        .where(
            _CLOCK.stopped_on.is_(None),
            _CLOCK.rule.in_([our_word(rule) for rule in rules]),
            _CASE.place.in_(("received", "in_assessment", "with_panel", "with_decision_maker")),
        )
        .order_by(_CLOCK.due_on, _CLOCK.id)
        .limit(no_more_than(ROWS_READ))
    )


def _care(household_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """What to mind before getting in touch, by household."""
    ids = sorted(household_ids)
    found: dict[int, tuple[str, ...]] = {}
    if not ids:
        return found
    for row in read(_PEOPLE, {"ids": ids}):
        person = _ToMind(row)
        words = care_words(person)
        if row.contact_times and not row.no_contact:
            words = (*words, f"{row.given_name}: {row.contact_times}")
        found[row.household_id] = found.get(row.household_id, ()) + words
    return found


class _ToMind:
    """What is minded before getting in touch with somebody, from their row."""

    def __init__(self, row: Any) -> None:
        self._row = row
        self.given_name: str = row.given_name
        self.no_contact: bool = row.no_contact
        self.no_calls: bool = row.no_calls
        self.no_voicemail: bool = row.no_voicemail

    @property
    def safe_contact(self) -> str | None:
        sealed = self._row.safe_contact_sealed
        return unseal("person", "safe_contact_sealed", self._row.row_key, sealed) if sealed is not None else None


_PERSON = Person.__table__.c
_PEOPLE = (
    select(
        _PERSON.household_id,
        _PERSON.given_name,
        _PERSON.no_contact,
        _PERSON.no_calls,
        _PERSON.no_voicemail,
        _PERSON.contact_times,
        _PERSON.safe_contact_sealed,
        _PERSON.row_key,
    )
    .where(_PERSON.household_id.in_(bindparam("ids", expanding=True)), _PERSON.role.in_(APPLICANT_ROLES))
    .order_by(_PERSON.id)
)


# --- Saying it --------------------------------------------------------------------------------------------------------

_CONTACT_CLOCKS = frozenset({"first_contact", "recontact", "application_expected", "event_follow_up"})


class _Sayer:
    def __init__(self, *, today: date, rulebook: Rulebook) -> None:
        self.today = today
        self.rulebook = rulebook

    def clock(self, row: Any, care: dict[int, tuple[str, ...]]) -> DueRow:
        rule = self.rulebook.deadline(row.rule)
        state, words = self._due(row.due_on, ours=row.turn == "service")
        page = CLOCK_PAGES[row.rule]
        return DueRow(
            reference=row.reference,
            names=row.names,
            what=self._what(row, rule),
            state=state,
            words=words,
            was_due=self._was_due(row.due_on),
            care=care.get(row.household_id, ()) if row.rule in _CONTACT_CLOCKS else (),
            page=page,
            label=page.label,
            ids=ids_of(row.subject),
            since=self._since(row.counted_from_on),
        )

    def task(self, row: Any) -> DueRow:
        state, words = self._due(row.due_on, ours=True)
        return DueRow(
            reference=row.reference,
            names=row.names,
            what=row.title,
            state=state,
            words=words,
            was_due=self._was_due(row.due_on),
            task_id=row.id,
            course_id=row.course_id,
        )

    def _due(self, due_on: date, *, ours: bool) -> tuple[str, str]:
        reading = deadlines.say_due(due_on, today=self.today, calendar=self.rulebook.calendar)
        if reading.state == "over":
            return "over", reading.words
        if not ours:
            return "waiting", f"Until {_short(due_on)}"
        if reading.state == "due" and due_on == self.today:
            return "due", reading.words
        return "none", _short(due_on)

    def _was_due(self, due_on: date) -> str:
        if due_on < self.today:
            year = f" {due_on.year}" if due_on.year != self.today.year else ""
            return f"was due {_short(due_on)}{year}"
        left = self.rulebook.calendar.between(self.today, due_on) if due_on > self.today else 0
        return f"{left} working day{'' if left == 1 else 's'}" if left else ""

    def _since(self, day: date) -> str:
        waited = self.rulebook.calendar.between(day, self.today) if day <= self.today else 0
        return f"{waited} working day{'' if waited == 1 else 's'}"

    def _what(self, row: Any, rule: deadlines.DeadlineRule) -> str:
        if row.rule == "first_contact":
            channel = CHANNEL_WORDS[Channel(row.channel)]
            return f"First call. {channel}, {_short(row.counted_from_on)}."
        what = deadlines.say_about(row.about, rule.what) if row.about else rule.action
        if rule.unit is deadlines.Unit.GIVEN or row.turn != "service":
            return f"{what}."
        return f"{what}. {_length(rule)} {_JOINTS[rule.counting]} {rule.counted_from}, {_short(row.counted_from_on)}."


_JOINTS = {
    deadlines.Counting.AFTER: "after",
    deadlines.Counting.BEGINNING_WITH: "beginning with",
    deadlines.Counting.BEFORE: "before",
}


def _length(rule: deadlines.DeadlineRule) -> str:
    return rule.length_words[0].upper() + rule.length_words[1:]


def _short(day: date) -> str:
    return f"{day:%a} {day.day} {day:%B}"


def ids_of(subject: str) -> dict[str, int]:
    """The id in a clock's subject, by the name that addresses use: "check:12" is {"check_id": 12}."""
    kind, _, number = (subject or "").partition(":")
    return {f"{kind}_id": int(number)} if kind and number.isdigit() else {}

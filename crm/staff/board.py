"""The board: a column for each place of the journey, the oldest due first.

A column shows a few cards and a count that stops at a hundred, so that the page costs the same at a thousand cases and
at a million: every part of it reads a handful of rows from one end of an index. Where a role opens a whole place, that
place is read as it is; elsewhere only what somebody owns or has a part in. What the board shows is exactly what
``cases.queries.visible_cases`` would open, which a test holds it to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    Integer,
    Select,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    union_all,
)

from crm.access.models import User
from crm.cases.models import AssignmentRole, Case, CaseAssignment, Household, Track
from crm.cases.queries import visible_cases
from crm.clock import london_date
from crm.db import no_more_than, our_word, read
from crm.rules import deadlines
from crm.rules.permissions import Actor, ActorKind, Role
from crm.rules.rulebook import Rulebook
from crm.rules.stages import BOARD_PLACES, PLACE, Band, Place, TrackName, stage_words
from crm.rules.transitions import MOVES, Move
from crm.staff.move_pages import SHORT_LABELS
from crm.web.filters import initials

CARDS = 4
CARDS_WIDE = 8
COUNT_STOPS_AT = 100
LIST_PAGE = 25
WIDE = frozenset({"in_assessment"})
WHOSE = {"everyone": "Everyone", "mine": "Mine", "due": "Over or due today"}

# Plain tables, not mapped classes: lists need no objects, and drawing one costs a third of the time.
_CASE, _PART = Case.__table__.c, CaseAssignment.__table__.c
_HOME, _USER = Household.__table__.c, User.__table__.c
_TRACK = Track.__table__.c
_TRACKS = select(_TRACK.case_id, _TRACK.name, _TRACK.stage).where(_TRACK.case_id.in_(bindparam("ids", expanding=True)))

_ME = bindparam("me", type_=Integer)
_TODAY = bindparam("today", type_=Date)
_AFTER_DUE = bindparam("after_due", type_=Date)
_AFTER_ID = bindparam("after_id", type_=Integer)


class Card(NamedTuple):
    """One household on the board or in the list of one place: a plain tuple, which templates take apart in one go."""

    reference: str
    names: str
    state: str
    clock: str
    what: str
    """What is next."""
    stages: str
    """How each stage stands, where two run side by side; else nothing."""
    owner: str
    initials: str
    age: str
    """How long since they came to us, or what is left of the eight months."""
    is_left: bool
    moves: tuple[tuple[str, str], ...]
    """The moves that its stages lead to and that this person may make: what each is called, and its name. Whether it is
    open is said on its own page: asking here would take several queries a card."""


@dataclass(frozen=True, slots=True)
class Column:
    """One place with its first cards. Counts above a hundred are said as "100+"."""

    place: Place
    count: int
    over: int
    cards: tuple[Card, ...]

    @property
    def count_words(self) -> str:
        return capped_words(self.count)

    @property
    def over_words(self) -> str:
        return capped_words(self.over)

    @property
    def is_wide(self) -> bool:
        return self.place.name in WIDE

    @property
    def more_words(self) -> str:
        """ "6 more", or nothing when every card is shown."""
        if self.count > COUNT_STOPS_AT:
            return "See all"
        more = self.count - len(self.cards)
        return f"{more} more" if more > 0 else ""


def capped_words(count: int) -> str:
    """A count that stops at a hundred."""
    return f"{COUNT_STOPS_AT}+" if count > COUNT_STOPS_AT else str(count)


def board(
    actor: Actor, *, today: date, rulebook: Rulebook, whose: str = "everyone"
) -> list[tuple[Band, str, list[Column]]]:
    """The two bands, each with how many households it has and its columns. Three queries, however many cases."""
    scope = scope_of(actor)
    words = {"me": actor.user_id, "today": today}
    counts = _counted(read(_counts(scope, whose), words).one(), scope, whose)
    rows = read(_cards(scope, whose), words).all()
    tracks = _tracks(row.id for row in rows)
    say = Sayer(actor=actor, today=today, rulebook=rulebook)
    by_place: dict[str, list[Card]] = {place.name: [] for place in BOARD_PLACES}
    for row in sorted(rows, key=lambda one: (one.next_action_due_on, one.id)):
        cards = by_place[row.place]
        if len(cards) < _shown(row.place):
            cards.append(say.card(row, tracks.get(row.id, {})))
    bands = []
    for band in (Band.ENQUIRY, Band.APPLICATION):
        columns = [
            Column(
                place=place,
                count=counts["c", place.name],
                over=counts["o", place.name],
                cards=tuple(by_place[place.name]),
            )
            for place in BOARD_PLACES
            if place.band == band
        ]
        total = sum(column.count for column in columns)
        some_are_capped = any(column.count > COUNT_STOPS_AT for column in columns)
        bands.append((band, f"more than {COUNT_STOPS_AT}" if some_are_capped else str(total), columns))
    return bands


def place_list(
    actor: Actor,
    place: Place,
    *,
    today: date,
    rulebook: Rulebook,
    whose: str = "everyone",
    after: tuple[date, int] | None = None,
) -> tuple[list[Card], tuple[date, int] | None]:
    """The households of one place, the oldest due first, and where the next page begins (None at the end)."""
    statement = _list(scope_of(actor), place.name, whose, after is not None)
    words: dict[str, Any] = {"me": actor.user_id, "today": today}
    if after:
        words.update(after_due=after[0], after_id=after[1])
    rows = sorted(read(statement, words).all(), key=lambda one: (one.next_action_due_on, one.id))
    shown = rows[:LIST_PAGE]
    tracks = _tracks(row.id for row in shown)
    say = Sayer(actor=actor, today=today, rulebook=rulebook)
    cards = [say.card(row, tracks.get(row.id, {})) for row in shown]
    last = shown[-1] if len(rows) > LIST_PAGE else None
    return cards, (last.next_action_due_on, last.id) if last is not None else None


# --- Whose cases ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scope:
    """Which places somebody sees whole, and which roles decide about the rest."""

    whole: frozenset[str]
    roles: frozenset[Role]


@lru_cache(maxsize=256)
def _scope(roles: frozenset[Role]) -> Scope:
    whole: set[str] = set()
    for place in BOARD_PLACES:
        if Role.MANAGER in roles or (Role.RECRUITER in roles and place.band == Band.ENQUIRY):
            whole.add(place.name)
    return Scope(frozenset(whole), roles)


def scope_of(actor: Actor) -> Scope:
    """What an actor sees of the board."""
    return _scope(actor.roles)


class Branch(NamedTuple):
    """Some of the cases of a place, and where to look for them: among all cases, or among those picked already."""

    source: Any
    wanted: ColumnElement[bool]


@lru_cache(maxsize=2048)
def _branches(scope: Scope, place: str, whose: str) -> tuple[Branch, ...]:
    """What together makes up what somebody sees of a place: no case in two, each on its own index."""
    everywhere = Case.__table__
    # A case at a place of the board is open: what has ended stands elsewhere. Asking again would cost the index.
    at = _CASE.place == our_word(place)
    if whose == "due":
        at = and_(at, _CASE.next_action_due_on <= _TODAY)
    mine = Branch(everywhere, and_(at, _CASE.owner_id == _ME))
    if whose == "mine":
        return (mine,)
    if place in scope.whole:
        return (Branch(everywhere, at),)
    if scope.roles & {Role.PANEL_ADMINISTRATOR, Role.DECISION_MAKER}:
        return (Branch(everywhere, and_(at, _visible(scope.roles))),)
    has_part = _has_part()
    there = has_part.c.place == our_word(place)
    if whose == "due":
        there = and_(there, has_part.c.next_action_due_on <= _TODAY)
    return (mine, Branch(has_part, there))


@lru_cache(maxsize=1)
def _has_part() -> CTE:
    """The few cases that somebody has a part in and does not own, picked once for all places: they are looked up one by
    one from the parts, however many stand at a place."""
    parts = select(_PART.case_id).where(
        _PART.user_id == _ME,
        _PART.role.in_([our_word(role) for role in AssignmentRole if role is not AssignmentRole.OWNER]),
        _PART.from_on <= _TODAY,
        or_(_PART.until_on.is_(None), _PART.until_on >= _TODAY),
    )
    theirs = select(*_COLUMNS).where(_CASE.id.in_(parts), _CASE.owner_id != _ME)
    return theirs.cte("has_part").prefix_with("MATERIALIZED")


def _visible(roles: frozenset[Role]) -> ColumnElement[bool]:
    # The rule itself, with stand-ins for who and when, so that one statement serves everybody with these roles.
    anybody = Actor(kind=ActorKind.STAFF, user_id=cast(int, _ME), roles=roles)
    return visible_cases(anybody, today=cast(date, _TODAY))


# --- Statements, built once -------------------------------------------------------------------------------------------


def _shown(place: str) -> int:
    return CARDS_WIDE if place in WIDE else CARDS


_COLUMNS = (
    _CASE.id,
    _CASE.reference,
    _CASE.household_id,
    _CASE.owner_id,
    _CASE.place,
    _CASE.opened_at,
    _CASE.application_received_on,
    _CASE.next_action,
    _CASE.next_action_due_on,
    _CASE.next_action_turn,
)


def _first(branch: Branch, limit: int) -> Select[Any]:
    columns = branch.source.c
    inner = (
        select(*(columns[column.name] for column in _COLUMNS))
        .where(branch.wanted)
        .order_by(columns.next_action_due_on, columns.id)
        .limit(no_more_than(limit))
        .subquery()
    )
    return select(inner)


def _with_names(parts: list[Select[Any]]) -> Select[Any]:
    found = (union_all(*parts) if len(parts) > 1 else parts[0]).subquery("found")
    return (
        select(found, _HOME.name.label("names"), _USER.name.label("owner"))
        .select_from(found)
        .join(Household.__table__, _HOME.id == found.c.household_id)
        .outerjoin(User.__table__, _USER.id == found.c.owner_id)
    )


@lru_cache(maxsize=128)
def _cards(scope: Scope, whose: str) -> Select[Any]:
    return _with_names(
        [_first(branch, _shown(place.name)) for place in BOARD_PLACES for branch in _branches(scope, place.name, whose)]
    )


@lru_cache(maxsize=128)
def _counts(scope: Scope, whose: str) -> Select[Any]:
    columns = []
    for place in BOARD_PLACES:
        for number, (source, wanted) in enumerate(_branches(scope, place.name, whose)):
            columns.append(capped_count(source, wanted).label(f"c_{place.name}_{number}"))
            over = and_(wanted, source.c.next_action_due_on < _TODAY)
            columns.append(capped_count(source, over).label(f"o_{place.name}_{number}"))
    return select(*columns)


def capped_count(table: Any, condition: ColumnElement[bool]) -> Any:
    """How many rows there are, counted no further than one past a hundred."""
    some = select(literal(1)).select_from(table).where(condition).limit(no_more_than(COUNT_STOPS_AT + 1)).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


@lru_cache(maxsize=512)
def _list(scope: Scope, place: str, whose: str, goes_on: bool) -> Select[Any]:
    parts = []
    for branch in _branches(scope, place, whose):
        if goes_on:
            due_on, number = branch.source.c.next_action_due_on, branch.source.c.id
            later = or_(due_on > _AFTER_DUE, and_(due_on == _AFTER_DUE, number > _AFTER_ID))
            branch = Branch(branch.source, and_(branch.wanted, due_on >= _AFTER_DUE, later))
        parts.append(_first(branch, LIST_PAGE + 1))
    return _with_names(parts)


def _counted(row: Any, scope: Scope, whose: str) -> dict[tuple[str, str], int]:
    """What was counted, by kind ("c" all, "o" over) and place, stopped at one past a hundred."""
    found: dict[tuple[str, str], int] = {}
    values = iter(row)
    for place in BOARD_PLACES:
        for _ in _branches(scope, place.name, whose):
            for kind in ("c", "o"):
                found[kind, place.name] = min(found.get((kind, place.name), 0) + next(values), COUNT_STOPS_AT + 1)
    return found


def _tracks(case_ids: Iterable[int]) -> dict[int, dict[TrackName, str]]:
    ids = list(case_ids)
    found: dict[int, dict[TrackName, str]] = {}
    if ids:
        for case_id, name, stage in read(_TRACKS, {"ids": ids}):
            found.setdefault(case_id, {})[TrackName(name)] = stage
    return found


# --- Saying it --------------------------------------------------------------------------------------------------------


class Sayer:
    """Turns rows into cards. Remembers what it has put into words: a column is full of the same dates and owners."""

    def __init__(self, *, actor: Actor, today: date, rulebook: Rulebook) -> None:
        self.today = today
        self.rulebook = rulebook
        self._permissions = actor.permissions
        self._said: dict[tuple[date, bool], tuple[str, str]] = {}
        self._initials: dict[str, str] = {}

    def due(self, due_on: date, turn: str | None) -> tuple[str, str]:
        """(state, words) of a date: over, due, waiting or none."""
        ours = turn in (None, "service")
        key = (due_on, ours)
        if key not in self._said:
            reading = deadlines.say_due(due_on, today=self.today, calendar=self.rulebook.calendar)
            state = {"over": "over", "due": "due", "ok": "none"}[reading.state]
            words = reading.words
            if not ours and due_on >= self.today:
                state, words = "waiting", f"Waiting until {due_on:%a} {due_on.day} {due_on:%b}"
            elif state == "none":
                words = f"Due {due_on:%a} {due_on.day} {due_on:%b}"
            self._said[key] = (state, words)
        return self._said[key]

    def card(self, row: Any, tracks: Mapping[TrackName, str]) -> Card:
        state, words = self.due(row.next_action_due_on, row.next_action_turn)
        owner = row.owner or "Nobody"
        letters = self._initials.get(owner)
        if letters is None:
            letters = self._initials[owner] = initials(owner)
        age, is_left = self._age(row)
        return Card(
            reference=row.reference,
            names=row.names,
            state=state,
            clock=words,
            what=row.next_action or "",
            stages=_stages(tracks) if row.place == "in_assessment" else "",
            owner=owner,
            initials=letters,
            age=age,
            is_left=is_left,
            moves=_moves(tuple(sorted(tracks.items())), self._permissions),
        )

    def _age(self, row: Any) -> tuple[str, bool]:
        if row.application_received_on is None:
            days = max(0, (self.today - london_date(row.opened_at)).days)
            return "today" if days == 0 else f"{days} day{'' if days == 1 else 's'}", False
        limit = self.rulebook.due_on("panel_recommendation", row.application_received_on)
        weeks = (limit - self.today).days // 7
        if weeks >= 0:
            return f"{weeks} week{'' if weeks == 1 else 's'}", True
        return "8 months passed", False


def _stages(tracks: Mapping[TrackName, str]) -> str:
    return ". ".join(
        f"{label}: {stage_words(name, tracks.get(name)).lower()}"
        for label, name in (("Stage 1", TrackName.STAGE_ONE), ("Stage 2", TrackName.STAGE_TWO))
    )


@lru_cache(maxsize=1024)
def _moves(tracks: tuple[tuple[TrackName, str], ...], permissions: frozenset[Any]) -> tuple[tuple[str, str], ...]:
    stands = dict(tracks)
    applied = TrackName.APPLICATION in stands
    found = []
    for move in MOVES:
        if not move.alone or move.permission not in permissions or stands.get(move.track) not in move.from_:
            continue
        if move.track is TrackName.ENQUIRY and applied:
            continue
        if stands.get(move.track) is None and not _begins_here(move, stands):
            continue
        found.append(move)
    return tuple((SHORT_LABELS.get(move.name, move.label), move.name) for move in found)


def _begins_here(move: Move, stands: Mapping[TrackName, str]) -> bool:
    """Whether a move that begins a track is near enough to be offered on a card."""
    if move.track is TrackName.APPLICATION:
        return stands.get(TrackName.ENQUIRY) == "invited"
    if move.track is TrackName.STAGE_TWO:
        return stands.get(TrackName.APPLICATION) == "in_assessment"
    if move.track is TrackName.PANEL_ITEM:
        return stands.get(TrackName.STAGE_TWO) == "ready_for_panel"
    return False


def place_named(name: str) -> Place | None:
    """A place of the board, by the name in its address."""
    place = PLACE.get(name)
    return place if place is not None and place.is_on_board else None

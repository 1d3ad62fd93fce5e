"""Taking a merge apart: every row goes back to what it was, and what has happened since stays where it belongs.

What was not touched since comes back exactly. Where somebody changed a row after the merge, the newer value stays and
is named to whoever undoes it. What was added since stays with the case that went on, but for what is about somebody who
goes back with the other.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from crm.access.models import User
from crm.audit import record
from crm.cases import journeys, person_keys, summary, timeline
from crm.cases import merge_journal as journals
from crm.cases.assignment import assign
from crm.cases.change_stage import CaseHasMovedOn, claim_version
from crm.cases.merge import DERIVED, tables_about_people
from crm.cases.merge_journal import Line, lines_of
from crm.cases.merge_models import HouseholdMerge, MergeAction, MergeKind, MergeRow, MergeState
from crm.cases.merge_rules import CASE, HOUSEHOLD, PERSON
from crm.cases.models import AssignmentRole, Case, FormerCase, Household, Person, TimelineEntry
from crm.cases.open_case import household_name_of
from crm.db import db, metadata
from crm.delivery.models import MessageStatus
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook


class CannotUndo(Refusal):
    """The merge can't be taken apart as things stand."""


@dataclass
class Undone:
    """What came of undoing a merge."""

    references: tuple[str, ...]
    kept_as_it_is: list[str] = field(default_factory=list)
    """What was changed since the merge and stays as it is now, in words."""
    new_numbers: dict[tuple[str, Any], int] = field(default_factory=dict)
    """Of rows whose number was given again meanwhile: by table and old number."""


@dataclass(frozen=True)
class Since:
    """One thing that happened since a merge, and where it stays when the merge is undone."""

    occurred_at: datetime
    title: str
    goes_back: bool


@dataclass(frozen=True)
class Outlook:
    """What undoing a merge would do, before anybody does it."""

    goes_back: dict[str, int]
    """How many rows of each kind go back to the other household, by table."""
    since: tuple[Since, ...]
    first: tuple[int, ...]
    """Merges that have to be undone before this one can be."""


_POINTERS = frozenset({"case_id", "person_id", "household_id"})


def undo_merge(
    merge: HouseholdMerge, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook, seen: int | None = None
) -> Undone:
    """Put back all that a merge changed. ``seen`` is the version of the case that the person looked at.

    1. Refuse while a later merge rests on this one.
    2. Walk the journal backwards: what was taken out is there again, what was pointed elsewhere points back, what was
       added goes. What somebody has changed since stays, and is named.
    3. What was written since about somebody who goes back goes with them.
    4. Work out the summaries that no longer fit; a case whose owner has left meanwhile is given to the other's owner.
    5. Tell the story of both sides, and the trail.

    Raises NotPermitted, CannotUndo, CaseHasMovedOn.
    """
    require(actor, Permission.MERGE_CASES)
    if merge.state != MergeState.MADE:
        raise CannotUndo("This merge has been undone already, or was never made.")
    first = rests_on_this(merge)
    if first:
        later = db.session.get_one(HouseholdMerge, first[0])
        raise CannotUndo(
            f"Another merge rests on this one: that with {later.gone_reference or later.kept_reference} on "
            f"{_day(later.made_at)}. Undo that first, then this.",
        )
    kept = db.session.get(Case, merge.kept_case_id)
    if kept is None:
        raise CaseHasMovedOn("The household has been merged again meanwhile. Look again before you go on.")
    claim_version(kept, seen)
    db.session.flush()
    lines = lines_of(merge.id)
    if len(lines) != merge.rows_touched:
        raise CannotUndo(
            "The record of this merge is not whole, so it can’t be undone safely. Tell your administrator."
        )
    done = Undone(references=tuple(r for r in (merge.kept_reference, merge.gone_reference) if r))
    answered = _clocks_stopped_since(lines, merge.kept_case_id)
    for line in reversed(lines):
        _put_back(line, done, answered=answered)
    _take_home(merge, lines)
    db.session.expire_all()
    merge.state, merge.undone_at, merge.undone_by_id = MergeState.UNDONE, now, actor.user_id
    cases = [db.session.get_one(Case, merge.kept_case_id)]
    if merge.gone_case_id is not None:
        cases.append(db.session.get_one(Case, merge.gone_case_id))
    for case, other in zip(cases, reversed(cases), strict=True):
        _settle(case, other, actor=actor, now=now, today=today, rulebook=rulebook)
    _tell(merge, cases, actor=actor, now=now)
    db.session.flush()
    return done


def outlook(merge: HouseholdMerge) -> Outlook:
    """What undoing a merge would do. The journal is read, nothing is changed."""
    lines = lines_of(merge.id)
    goes_back: dict[str, int] = defaultdict(int)
    known = set()
    for line in lines:
        if line.table.name == TimelineEntry.__tablename__:
            known.add(line.key[0])
        moved = line.action == MergeAction.CHANGED and _POINTERS & line.before.keys()
        if moved or line.action == MergeAction.REMOVED:
            goes_back[line.table.name] += 1
    home = _people_who_go_home(merge, lines)
    entries = db.session.scalars(
        sa.select(TimelineEntry)
        .where(TimelineEntry.case_id == merge.kept_case_id, TimelineEntry.occurred_at >= merge.made_at)
        .order_by(TimelineEntry.occurred_at.desc(), TimelineEntry.id.desc())
        .limit(100)
    )
    since = tuple(
        Since(entry.occurred_at, entry.title, entry.person_id in home) for entry in entries if entry.id not in known
    )
    return Outlook(goes_back=dict(goes_back), since=since, first=tuple(rests_on_this(merge)))


def rests_on_this(merge: HouseholdMerge) -> list[int]:
    """Later merges, not undone, that touched what this one touched: the last of them first.

    Two merges into one household may be undone in either order, unless one read or wrote what the other wrote: then
    only the order backwards is exact.
    """
    mine, theirs = aliased(MergeRow), aliased(MergeRow)
    newest = sa.select(sa.func.max(MergeRow.id)).where(MergeRow.merge_id == merge.id).scalar_subquery()
    rows = db.session.execute(
        sa.select(theirs.merge_id, mine.table_name, mine.action, mine.columns, theirs.action)
        .join(theirs, sa.and_(theirs.table_name == mine.table_name, theirs.record_key == mine.record_key))
        .join(HouseholdMerge, HouseholdMerge.id == theirs.merge_id)
        .where(
            mine.merge_id == merge.id,
            theirs.merge_id != merge.id,
            theirs.id > newest,
            HouseholdMerge.state == MergeState.MADE,
        )
        .order_by(theirs.id.desc())
    )
    found: dict[int, None] = {}
    for merge_id, table, action, columns, later_action in rows:
        # What only rests on a row leaves it as it was, so nothing can rest on that.
        wrote = action != MergeAction.HELD
        if table in DERIVED and action == MergeAction.CHANGED and later_action != MergeAction.REMOVED:
            wrote = bool(set(columns.split(",")) - DERIVED[table])
        if wrote:
            found.setdefault(merge_id)
    return list(found)


# --- Row by row -------------------------------------------------------------------------------------------------------


def _put_back(line: Line, done: Undone, *, answered: dict[int, tuple[date, str]]) -> None:
    connection = db.session.connection()
    current = journals.row_at(line.table, line.key)
    if line.action == MergeAction.REMOVED:
        number = _put_in(line, current is not None, answered=answered)
        if number is not None:
            done.new_numbers[line.table.name, line.key[0]] = number
    elif line.action == MergeAction.ADDED:
        if current is None:
            return
        if _is_as_left(line, current):
            connection.execute(sa.delete(line.table).where(journals.is_row(line.table, line.key)))
        else:
            done.kept_as_it_is.append(_words_of(line))
    elif line.action == MergeAction.CHANGED and current is not None:
        values, left = _values_to_restore(line, current)
        values = {name: _as_numbered_now(line, name, value, done) for name, value in values.items()}
        if left:
            done.kept_as_it_is.append(_words_of(line))
        if values:
            stored = journals.closed(line.table, values, row_key=current.get("row_key"))
            connection.execute(sa.update(line.table).where(journals.is_row(line.table, line.key)).values(stored))


def _as_numbered_now(line: Line, name: str, value: Any, done: Undone) -> Any:
    """What a column is set back to: where it names a row that got a new number, that number."""
    for key in line.table.columns[name].foreign_keys:
        value = done.new_numbers.get((key.column.table.name, value), value)
    return value


def _put_in(line: Line, taken: bool, *, answered: dict[int, tuple[date, str]]) -> int | None:
    """A row is there again under its own number; one of a lesser thing whose number was given again gets a new one,
    which is given back."""
    row = dict(line.before)
    if line.table.name == "deadline" and row["stopped_on"] is None and row["id"] in answered:
        row["stopped_on"], row["stopped_how"] = answered[row["id"]]
    if taken:
        if line.table.name in (CASE, HOUSEHOLD, PERSON) or "id" not in row:
            raise CannotUndo(f"{line.names_one} is there already, so this merge can’t be undone safely.")
        row.pop("id")
    connection = db.session.connection()
    try:
        with connection.begin_nested():
            made = connection.execute(
                sa.insert(line.table).values(journals.closed(line.table, row, row_key=row.get("row_key")))
            )
    except sa.exc.IntegrityError as fault:
        raise CannotUndo(
            f"{_what(line)} was taken by somebody else since the merge, so this merge can’t be undone as it stands."
        ) from fault
    return int(made.inserted_primary_key[0]) if taken and made.inserted_primary_key else None


def _values_to_restore(line: Line, current: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The columns to set back, and whether something was changed since and is left."""
    values, left = {}, False
    derived = DERIVED.get(line.table.name, frozenset())
    for name, before in line.before.items():
        if current[name] == line.after[name]:
            values[name] = before
        elif name not in derived and current[name] != before:
            left = True
    if line.table.name == "deadline" and "case_id" in values and not current["subject"]:
        # The clock of the enquiry as a whole: the other case is back where it stood, so its clock is as well.
        for name in ("stopped_on", "stopped_how"):
            values.setdefault(name, line.before.get(name, line.after.get(name, current[name])))
    if line.table.name == "outbound_message" and "status" in values and _has_gone_meanwhile(line):
        for name in ("status", "settled_at"):
            values.pop(name, None)
        left = True
    return values, left


def _has_gone_meanwhile(line: Line) -> bool:
    """Whether the letter's twin has gone out since: then it is not sent a second time."""
    table = line.table
    letter = journals.rows_where(table, journals.is_row(table, line.key), ("kind", "recipient_key"))[0]
    twins = sa.and_(
        table.c.kind == letter["kind"],
        table.c.recipient_key == letter["recipient_key"],
        table.c.id != line.key[0],
        table.c.status.in_([MessageStatus.SENT, MessageStatus.DISPATCHED, MessageStatus.SENDING]),
        sa.func.coalesce(table.c.sent_at, table.c.settled_at, line.after["settled_at"]) >= line.after["settled_at"],
    )
    return bool(journals.rows_where(table, twins, ("status",)))


def _is_as_left(line: Line, current: dict[str, Any]) -> bool:
    return all(current[name] == value for name, value in line.after.items() if name not in _POINTERS)


_WORDS = {
    "person": "Details of a person",
    "household": "Where they live",
    "case_file": "Something about the case",
    "fact": "An answer",
    "deadline": "A clock",
    "breach_reason": "Why a clock was missed",
    "task": "A task",
    "visit": "A visit",
    "outbound_message": "A letter",
    "case_assignment": "Somebody’s part in the case",
    "consent": "A consent",
    "prep_course_place": "A place on a course",
    "prep_course_attendance": "Who came to a course",
    "prep_course_note": "A facilitator’s note",
    "prep_course_certificate": "A certificate",
}


def _words_of(line: Line) -> str:
    names = ", ".join(sorted(line.before)) if line.action == MergeAction.CHANGED else ""
    said = f"{_what(line)} was changed after the merge and stays as it is now"
    return said + (f" ({_field_words(names)})" if names else "")


def _what(line: Line) -> str:
    return _WORDS.get(line.table.name, line.table.name.replace("_", " ").capitalize())


def _field_words(names: str) -> str:
    return names.replace("_sealed", "").replace("_key", "").replace("_", " ")


# --- Since the merge --------------------------------------------------------------------------------------------------


def _clocks_stopped_since(lines: list[Line], kept_case_id: int) -> dict[int, tuple[date, str]]:
    """Clocks of the case that went on, taken out because the other's counted the same thing from an earlier day: where
    that one was met since, so are they. The other case is back where it stood, and its clocks run as they did."""
    table = metadata.tables["deadline"]
    taken_out = [
        line.before
        for line in lines
        if line.table is table and line.action == MergeAction.REMOVED and line.before["case_id"] == kept_case_id
    ]
    stood_for_it = {
        row["rule"]: row
        for line in lines
        if line.table is table and line.action == MergeAction.CHANGED and "case_id" in line.after
        for row in [journals.row_at(table, line.key)]
        if row is not None and row["stopped_on"] is not None and "stopped_on" not in line.after
    }
    return {
        row["id"]: (stood_for_it[row["rule"]]["stopped_on"], stood_for_it[row["rule"]]["stopped_how"])
        for row in taken_out
        if row["stopped_on"] is None and row["rule"] in stood_for_it
    }


def _people_who_go_home(merge: HouseholdMerge, lines: list[Line]) -> set[int]:
    """People who were moved into the household by the merge, and go back with the case it was merged with."""
    if merge.gone_case_id is None:
        return set()
    return {
        line.key[0]
        for line in lines
        if line.table.name == PERSON and line.action == MergeAction.CHANGED and "household_id" in line.before
    }


def _take_home(merge: HouseholdMerge, lines: list[Line]) -> None:
    """What was written since about somebody who goes back goes with them."""
    home = _people_who_go_home(merge, lines)
    if not home:
        return
    for table, person_column, case_column in tables_about_people():
        theirs = sa.and_(table.columns[person_column].in_(home), table.columns[case_column] == merge.kept_case_id)
        db.session.connection().execute(sa.update(table).where(theirs).values({case_column: merge.gone_case_id}))


def _settle(case: Case, other: Case, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> None:
    """Whatever is worked out from rows that have changed since is worked out again; a leaver owns nothing."""
    owner = db.session.get(User, case.owner_id) if case.owner_id else None
    if case.is_open and (owner is None or not owner.active):
        heir = other.owner_id or actor.user_id
        if heir is not None:
            assign(case, user_id=heir, role=AssignmentRole.OWNER, actor=actor, now=now, today=today)
    household = db.session.get_one(Household, case.household_id)
    name = household_name_of(household)
    if household.name != name:
        household.name = name
    person_keys.refresh(household.people)
    if summary.drift(case, rulebook=rulebook):
        summary.refresh(case, today=today, rulebook=rulebook)
    journeys.refresh(household.id, calendar=rulebook.calendar)


def _tell(merge: HouseholdMerge, cases: list[Case], *, actor: Actor, now: datetime) -> None:
    names = json.loads(merge.story or "{}")
    for case, other in zip(cases, reversed(cases), strict=True):
        if merge.kind == MergeKind.HOUSEHOLDS:
            title = f"Taken apart again from {other.reference}, merged on {_day(merge.made_at)}"
        elif merge.kind == MergeKind.PEOPLE:
            title = f"{names.get('gone', 'Somebody')} and {names.get('kept', 'another')} are two people again"
        else:
            title = f"{names.get('gone', 'Somebody')} was moved back"
        timeline.add(case, kind="fact", title=title, actor=actor, occurred_at=now, is_touch=False)
        record(
            "case.unmerged",
            actor=actor,
            at=now,
            case_id=case.id,
            subject=f"case:{case.reference}",
            detail={"merge": merge.id},
        )


def _day(at: datetime | None) -> str:
    return f"{at:%A} {at.day} {at:%B}" if at else "an earlier day"


# --- Whether the journal fits the rows --------------------------------------------------------------------------------


def merge_faults(*, limit: int = 20) -> list[str]:
    """Merges whose record does not fit what is stored: none can come from an operation. A few statements in all."""
    found = []
    held = sa.select(sa.func.count()).where(MergeRow.merge_id == HouseholdMerge.id).scalar_subquery()
    for number, rows, lines in db.session.execute(
        sa.select(HouseholdMerge.id, HouseholdMerge.rows_touched, held)
        .where(HouseholdMerge.rows_touched != held)
        .limit(limit)
    ):
        found.append(f"merge {number}: its record has {lines} lines and should have {rows}")
    leads = sa.select(FormerCase.former_id).where(FormerCase.former_id == HouseholdMerge.gone_case_id).exists()
    taken_up = (HouseholdMerge.state == MergeState.MADE, HouseholdMerge.is_case_taken_up)
    for reference in db.session.scalars(sa.select(HouseholdMerge.gone_reference).where(*taken_up, ~leads).limit(limit)):
        found.append(f"{reference}: was merged into another case, and leads nowhere")
    alive = sa.select(Case.id).where(Case.id == HouseholdMerge.gone_case_id).exists()
    for reference in db.session.scalars(sa.select(HouseholdMerge.gone_reference).where(*taken_up, alive).limit(limit)):
        found.append(f"{reference}: was merged into another case, and is there as well")
    row = Person.__table__.c.id == sa.cast(MergeRow.record_key, sa.Integer)
    for number in db.session.scalars(
        sa.select(MergeRow.merge_id)
        .join(HouseholdMerge, HouseholdMerge.id == MergeRow.merge_id)
        .join(Person, row)
        .where(
            HouseholdMerge.state == MergeState.MADE,
            MergeRow.table_name == PERSON,
            MergeRow.action == MergeAction.REMOVED,
        )
        .limit(limit)
    ):
        found.append(f"merge {number}: somebody it made one of two is there as well")
    return found

"""Taking back what was loaded by mistake: households that nobody has worked on, and touches that joined known ones.

A household goes with every row that hangs on it. It is kept, with the reason, once a person has done anything about it
or a letter has reached it: nobody who was told that we ring is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import delete, func, select, update

from crm.audit import AuditEntry, record
from crm.cases import summary
from crm.cases.models import Case, Consent, Enquiry, Fact, Household, Person, Task, TimelineEntry
from crm.db import Base, db
from crm.delivery import letters_that_left, withdraw_letters
from crm.rules.permissions import Actor, ActorKind
from crm.rules.rulebook import Rulebook

WORKED_ON = "Somebody has worked on it since"
WRITTEN_TO = "They have been written to"
REOPENED = "It was closed before, and this opened it again"
TANGLED = "Another household depends on it"

_NOT_RESTORED = {"id", "row_key", "household_id", "role", "left_household_on", "is_to_compare"}
_OF_HOUSEHOLD = ("name", "postcode", "postcode_key")


# --- Households that were opened --------------------------------------------------------------------------------------


def take_back_cases(opened: Mapping[int, datetime], *, actor: Actor, now: datetime) -> dict[int, str]:
    """Remove these cases, each opened at the given moment, and their households. Gives those kept, with the reason.

    Letters that have not left are withdrawn. Each case that goes leaves one entry in the trail.
    """
    kept = dict.fromkeys(letters_that_left(opened), WRITTEN_TO)
    kept |= dict.fromkeys(_worked_on(opened), WORKED_ON)
    going = {
        row.id: row
        for row in db.session.execute(
            select(Case.id, Case.household_id, Case.reference).where(Case.id.in_(set(opened) - set(kept)))
        )
    }
    shared = _cases_of_households_outside(going)
    for case_id in [case_id for case_id, row in going.items() if row.household_id in shared]:
        kept[case_id] = TANGLED
        del going[case_id]
    withdraw_letters(set(going), now=now)
    db.session.flush()
    db.session.expire_all()
    _remove(set(going), {row.household_id for row in going.values()})
    for case_id, row in going.items():
        record("case.taken_back", actor=actor, at=now, case_id=case_id, subject=f"case:{row.reference}")
    return kept


def _worked_on(opened: Mapping[int, datetime]) -> set[int]:
    """Those of the cases that somebody other than the system did something about after they were opened."""
    rows = db.session.execute(
        select(AuditEntry.case_id, func.max(AuditEntry.at))
        .where(
            AuditEntry.case_id.in_(list(opened)),
            AuditEntry.actor_kind != ActorKind.SYSTEM,
            AuditEntry.event.not_like("view.%"),
        )
        .group_by(AuditEntry.case_id)
    )
    return {case_id for case_id, last in rows if case_id is not None and last > opened[case_id]}


def _cases_of_households_outside(going: Mapping[int, Any]) -> set[int]:
    """Households of these cases that have another case besides."""
    homes = {row.household_id for row in going.values()}
    rows = db.session.execute(select(Case.household_id).where(Case.household_id.in_(homes), Case.id.not_in(set(going))))
    return set(rows.scalars())


def _remove(cases: set[int], households: set[int]) -> None:
    """Delete these rows and every row of every table that hangs on them, children first."""
    if not cases:
        return
    ids: dict[sa.Table, set[Any]] = {Case.__table__: set(cases), Household.__table__: set(households)}  # type: ignore[dict-item]
    steps: list[tuple[sa.Table, sa.ColumnElement[bool]]] = []
    for table in Base.metadata.sorted_tables:
        which = [
            column.in_(ids[key.column.table])
            for column in table.columns
            for key in column.foreign_keys
            if key.column.table in ids and key.column.table is not table and ids[key.column.table]
        ]
        if table in (Case.__table__, Household.__table__):
            steps.append((table, table.c.id.in_(ids[table])))
            continue
        if not which:
            continue
        condition = sa.or_(*which)
        if "id" in table.columns:
            ids[table] = set(db.session.scalars(select(table.c.id).where(condition)))
            condition = table.c.id.in_(ids[table])
        steps.append((table, condition))
    for table, condition in reversed(steps):
        db.session.execute(delete(table).where(condition))


# --- Touches that joined a household we knew --------------------------------------------------------------------------


@dataclass
class Added:
    """What one touch brought to a household that was there: what it added, and what it wrote over."""

    people: list[int] = field(default_factory=list)
    facts: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    consents: list[int] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    story: list[int] = field(default_factory=list)
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By person's id: what each changed detail was."""
    after: dict[str, dict[str, Any]] = field(default_factory=dict)
    household: dict[str, Any] = field(default_factory=dict)
    reopened: bool = False

    def to_text(self) -> str:
        """As it is kept beside the line."""
        return json.dumps(asdict(self), default=lambda value: value.isoformat())

    @classmethod
    def from_text(cls, text: str) -> Added:
        """Back from what was kept."""
        return cls(**json.loads(text))


class Standing:
    """Watches what a touch brings to a household while it is joined, so that it can be taken off again.

    ``with Standing(case) as before: add_touch(...)``, then ``before.added()``. What the session writes meanwhile is
    noted as it goes by: a joined line costs no question to the database for it.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.people = {str(person.id): _details(person) for person in case.household.people}
        self.household = {name: getattr(case.household, name) for name in _OF_HOUSEHOLD}
        self.was_open = case.is_open
        self.found: dict[str, set[int]] = {name: set() for name in ("replaced", *_NOTED.values())}

    def __enter__(self) -> Standing:
        sa.event.listen(db.session(), "after_flush", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        db.session.flush()
        sa.event.remove(db.session(), "after_flush", self._note)

    def _note(self, session: Any, _context: Any) -> None:
        for row in session.new:
            name = _NOTED.get(type(row))
            if name is not None:
                self.found[name].add(row.id)
        for row in session.dirty:
            if type(row) is Fact and row.replaced_at is not None:
                self.found["replaced"].add(row.id)

    def added(self) -> Added:
        """What has been brought."""
        after, before = {}, {}
        for person in self.case.household.people:
            was = self.people.get(str(person.id))
            if was is None:
                continue
            now_is = _details(person)
            changed = [name for name, value in now_is.items() if was[name] != value]
            if changed:
                before[str(person.id)] = {name: was[name] for name in changed}
                after[str(person.id)] = {name: now_is[name] for name in changed}
        household = {name: was for name, was in self.household.items() if was != getattr(self.case.household, name)}
        return Added(
            before=before,
            after=after,
            household=household,
            reopened=self.case.is_open and not self.was_open,
            **{name: sorted(ids) for name, ids in self.found.items()},
        )


_NOTED: Mapping[type, str] = {
    Person: "people",
    Fact: "facts",
    Consent: "consents",
    Task: "tasks",
    TimelineEntry: "story",
}


def _details(person: Person) -> dict[str, Any]:
    """All that a touch may fill in or change of a person, sealed values as they are sealed."""
    names = [column.key for column in sa.inspect(Person).column_attrs if column.key not in _NOT_RESTORED]
    details = {name: getattr(person, name) for name in names}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in details.items()}


def take_off_touch(
    case: Case, enquiry_id: int, added: Added, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> str | None:
    """Take a touch off a household again, with what it brought; what was changed since stays as it is.

    Gives the reason where it must stay.
    """
    if added.reopened:
        return REOPENED
    _restore(case, added)
    newer = set(db.session.scalars(select(Fact.id).where(Fact.id.in_(added.facts), Fact.replaced_at.is_(None))))
    if newer:
        keys = select(Fact.key).where(Fact.id.in_(newer))
        db.session.execute(
            update(Fact)
            .where(Fact.id.in_(added.replaced), Fact.key.in_(keys))
            .values(replaced_at=None)
            .execution_options(synchronize_session=False)
        )
    for model, ids in (
        (Fact, newer),
        (Consent, added.consents),
        (TimelineEntry, added.story),
        (Enquiry, [enquiry_id]),
    ):
        db.session.execute(delete(model).where(model.id.in_(ids)).execution_options(synchronize_session=False))
    undone = (Task.id.in_(added.tasks), Task.done_at.is_(None))
    db.session.execute(delete(Task).where(*undone).execution_options(synchronize_session=False))
    db.session.expire_all()
    for person_id in _free_people(added.people):
        person = db.session.get(Person, person_id)
        if person is not None:
            _remove_person(person_id)
    db.session.expire_all()
    record("touch.taken_off", actor=actor, at=now, case_id=case.id, subject=f"case:{case.reference}")
    summary.refresh(case, today=today, rulebook=rulebook)
    return None


def _restore(case: Case, added: Added) -> None:
    for person in case.household.people:
        for name, value in added.before.get(str(person.id), {}).items():
            if _details(person)[name] == added.after[str(person.id)][name]:
                is_day = name == "born_on" and value is not None
                setattr(person, name, date.fromisoformat(value) if is_day else value)
    for name, value in added.household.items():
        setattr(case.household, name, value)
    db.session.flush()


def _free_people(ids: Sequence[int]) -> list[int]:
    """Those of the people whom nothing but their own keys, consents and facts hangs on."""
    return [person_id for person_id in ids if not _others_that_name(person_id)]


_OWN = {"fact", "consent", "timeline_entry", "person_key"}


def _others_that_name(person_id: int) -> bool:
    for table, column in _columns_that_name(Person.__table__):  # type: ignore[arg-type]
        if table.name not in _OWN and db.session.execute(select(column).where(column == person_id).limit(1)).first():
            return True
    return False


def _remove_person(person_id: int) -> None:
    for table, column in _columns_that_name(Person.__table__):  # type: ignore[arg-type]
        db.session.execute(delete(table).where(column == person_id))
    db.session.execute(delete(Person).where(Person.id == person_id).execution_options(synchronize_session=False))


def _columns_that_name(named: sa.Table) -> Iterable[tuple[sa.Table, sa.Column[Any]]]:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if any(key.column.table is named for key in column.foreign_keys):
                yield table, column

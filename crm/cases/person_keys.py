"""The keys that people are found by, kept right with every change of a name, an email or a birthday.

A key is worked out from what stands in other columns, as an index is, and whoever changes those columns should not have
to remember it. So it is done where everything passes: just before the session writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from sqlalchemy import event, inspect, select
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import selectinload

from crm.cases import keys
from crm.cases.models import Household, OtherName, Person, PersonKey
from crm.db import Session, db

_FOUND_BY = ("given_key", "family_key", "email", "born_on")
"""What keys are made from."""
_COMPARED_BY = (*_FOUND_BY, "phone_key", "household_id")
"""What two people are compared by."""


def keep_up_to_date() -> None:
    """From now on, in this process, whoever is added or changed has the right keys and waits to be compared."""
    if not event.contains(Session, "before_flush", _before_flush):
        event.listen(Session, "before_flush", _before_flush)


def _before_flush(session: OrmSession, _context: Any, _instances: Any) -> None:
    to_key: dict[int, Person] = {}
    for row in [*session.new, *session.dirty, *session.deleted]:
        if isinstance(row, Person) and row not in session.deleted:
            if _has_changed(row, _FOUND_BY) or not inspect(row).has_identity:
                to_key[id(row)] = row
            if _has_changed(row, _COMPARED_BY):
                row.is_to_compare = True
        elif isinstance(row, OtherName):
            person = row.person or session.get(Person, row.person_id)
            if person is not None and person not in session.deleted:
                to_key[id(person)] = person
                person.is_to_compare = True
        elif isinstance(row, Household) and _has_changed(row, ("postcode_key",)) and inspect(row).has_identity:
            for person in row.people:
                person.is_to_compare = True
    for person in to_key.values():
        _set_keys(person, gone={row for row in session.deleted if isinstance(row, OtherName)})


def refresh(people: Iterable[Person]) -> None:
    """Give people the keys that fit, and let them be compared, after rows of theirs were written as rows."""
    for person in people:
        _set_keys(person, gone=set())
        person.is_to_compare = True
    db.session.flush()


def _has_changed(row: Any, names: tuple[str, ...]) -> bool:
    state = inspect(row)
    return any(state.attrs[name].history.has_changes() for name in names)


def _set_keys(person: Person, *, gone: set[OtherName]) -> None:
    wanted = keys_of(person, [other for other in person.other_names if other not in gone])
    for row in list(person.keys):
        if (row.kind, row.key) in wanted:
            wanted -= {(row.kind, row.key)}
        else:
            person.keys.remove(row)
    person.keys.extend(PersonKey(kind=kind, key=key) for kind, key in sorted(wanted))


def keys_of(person: Person, other_names: Iterable[OtherName]) -> frozenset[tuple[str, str]]:
    """The keys that a person should have."""
    return keys.person_keys(
        given_key=person.given_key,
        family_key=person.family_key,
        other_names=[(keys.name_key(one.given_name), keys.name_key(one.family_name)) for one in other_names],
        email=person.email,
        born_on=person.born_on,
    )


def key_rows(
    person_id: int,
    *,
    given_key: str,
    family_key: str | None,
    email: str | None = None,
    born_on: date | None = None,
) -> Iterator[dict[str, Any]]:
    """The rows of ``person_key`` for somebody without other names, for those who write people in bulk. Such people are
    compared when their ``is_to_compare`` is set."""
    for kind, key in keys.person_keys(given_key=given_key, family_key=family_key, email=email, born_on=born_on):
        yield {"kind": kind, "key": key, "person_id": person_id}


def drift(*, batch: int = 500) -> Iterator[str]:
    """People whose keys are not what they should be, in plain words. Mends nothing."""
    after = 0
    while True:
        people = db.session.scalars(
            select(Person)
            .where(Person.id > after)
            .order_by(Person.id)
            .limit(batch)
            .options(selectinload(Person.other_names), selectinload(Person.keys))
        ).all()
        if not people:
            return
        for person in people:
            held = {(row.kind, row.key) for row in person.keys}
            if held != keys_of(person, person.other_names):
                yield f"person {person.id}: is not found by what they are called"
        after = people[-1].id
        db.session.expunge_all()

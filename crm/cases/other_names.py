"""Names that somebody had or goes by beside the one on file, so that they are found by any of them."""

from __future__ import annotations

from datetime import datetime

from crm.audit import record
from crm.cases import timeline
from crm.cases.models import Case, OtherName, OtherNameKind, Person
from crm.db import db
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal

MOST_NAMES = 10


class NotAnotherName(Refusal):
    """The name is empty, is the one on file, or there already; or there are too many."""

    default_status = 422


def add_other_name(
    case: Case,
    person: Person,
    *,
    kind: OtherNameKind,
    given_name: str | None,
    family_name: str | None,
    actor: Actor,
    now: datetime,
) -> OtherName:
    """Keep another name of somebody. Raises NotPermitted, NotAnotherName."""
    require(actor, Permission.WRITE_NOTE)
    given, family = (given_name or "").strip() or None, (family_name or "").strip() or None
    if given is None and family is None:
        raise NotAnotherName("Write the other name: a first name, a last name or both.", field="given_name")
    if (given or person.given_name, family or person.family_name) == (person.given_name, person.family_name):
        raise NotAnotherName("That is the name we have already.", field="given_name")
    if any((one.given_name, one.family_name) == (given, family) for one in person.other_names):
        raise NotAnotherName("We have that name of theirs already.", field="given_name")
    if len(person.other_names) >= MOST_NAMES:
        raise NotAnotherName("That is the most other names a person can have. Take one off first.", field="given_name")
    name = OtherName(kind=kind, given_name=given, family_name=family)
    person.other_names.append(name)
    db.session.flush()
    _tell(case, person, "person.other_name_added", f"Another name of {person.full_name} was added", actor, now)
    return name


def remove_other_name(case: Case, person: Person, name: OtherName, *, actor: Actor, now: datetime) -> None:
    """Take another name off. Raises NotPermitted."""
    require(actor, Permission.WRITE_NOTE)
    person.other_names.remove(name)
    db.session.flush()
    _tell(case, person, "person.other_name_removed", f"Another name of {person.full_name} was taken off", actor, now)


def _tell(case: Case, person: Person, event: str, title: str, actor: Actor, now: datetime) -> None:
    timeline.add(case, kind="fact", title=title, actor=actor, occurred_at=now, person_id=person.id)
    record(event, actor=actor, at=now, case_id=case.id, subject=f"person:{person.id}")

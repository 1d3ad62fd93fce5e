"""Many households opened at once are as if each had been opened by itself, in every table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from crm import policy
from crm.audit import AuditEntry
from crm.cases.models import Case, Channel, Household, Person, PersonRole
from crm.cases.open_case import NewConsent, NewPerson, NewTouch, NobodyToOwnIt, open_case
from crm.cases.open_many import NewHousehold, open_cases
from crm.cases.taking_back import take_back_cases
from crm.db import db, sealed_columns, transaction, unseal
from crm.delivery import OutboundMessage

NOW = datetime.fromisoformat("2026-05-17T20:00+01:00")
TODAY = date(2026, 5, 17)
UNLIKE = {
    "id",
    "row_key",
    "version",
    "reference",
    "nonce",
    "mac",
    "message_id",
    "payload_sealed",
    "dedupe_key",
    "serial",
    "token_digest",
}
"""What differs from row to row by its nature."""

COUPLE = (
    NewPerson(
        given_name="Zoë",
        family_name="O’Connell",
        phone="07700 900118",
        email="zoe@example.org",
        born_on=date(1988, 2, 29),
        contact_times="after 6",
        no_voicemail=True,
        safe_contact="husband must not know yet",
        prefers="email",
        consents=(NewConsent("email", True, "1"), NewConsent("phone", False, "1")),
        facts={"privacy_notice": "Version 1"},
    ),
    NewPerson(given_name="Sam", family_name="O’Connell", role=PersonRole.APPLICANT_2, no_calls=True),
)
ALONE = (NewPerson(given_name="Ravi", phone="07700900071"),)
FACTS = {"spare_room": "Not yet: son leaving", "offences": "A caution"}


def touch(mark: str, *, said: str | None = None) -> NewTouch:
    return NewTouch(
        channel=Channel.EVENT, received_at=NOW, source="The Glades stall", interest="ready", said=said, one_time_id=mark
    )


def rows_of(case: Case) -> dict[str, list[dict[str, Any]]]:
    """Every row that hangs on a case, in every table, without what differs by its nature."""
    people = list(db.session.scalars(sa.select(Person.id).where(Person.household_id == case.household_id)))
    anchors = {"case_file": [case.id], "household": [case.household_id], "person": people}
    models = {mapper.local_table.name: mapper.class_ for mapper in db.Model.registry.mappers}
    sealed = {(model.__tablename__, column) for model, column, _ in sealed_columns()}
    found = {}
    for name, model in sorted(models.items()):
        table = model.__table__
        names = {
            column.name: key.column.table.name
            for column in table.columns
            for key in column.foreign_keys
            if key.column.table.name in anchors
        }
        which = [table.c[column].in_(anchors[of]) for column, of in names.items()]
        if name in anchors:
            which = [table.c.id.in_(anchors[name])]
        if model in (AuditEntry, OutboundMessage):
            which = [table.c.case_id == case.id]
        if which:
            rows = db.session.execute(sa.select(table).where(sa.or_(*which))).mappings()
            found[name] = sorted(map(str, (plain(name, dict(row), sealed, case) for row in rows)))
    return found


def plain(table: str, row: dict[str, Any], sealed: set[tuple[str, str]], case: Case) -> dict[str, Any]:
    def values() -> Iterator[tuple[str, Any]]:
        for name, value in row.items():
            if name in UNLIKE or name.endswith("_id") and name not in ("owner_id", "user_id", "actor_id"):
                continue
            if (table, name) in sealed and value is not None:
                yield name, unseal(table, name, row["row_key"], value)
            elif name == "subject" and isinstance(value, str):
                yield name, re.sub(r":.*", "", value)
            elif name == "one_time_id":
                yield name, value is None
            else:
                yield name, value

    return dict(values())


@pytest.fixture
def both(session, cast) -> Any:
    """The same household opened by itself and among many: their cases."""

    def open_both(people: tuple[NewPerson, ...], **more: Any) -> tuple[Case, Case]:
        rulebook = policy.rulebook_on(TODAY)
        said = more.pop("said", None)
        with transaction():
            alone = open_case(
                people=list(people), touch=touch("alone", said=said), actor=cast.recruiter.actor, now=NOW,
                today=TODAY, rulebook=rulebook, owner_id=cast.officer.id, **more,
            )  # fmt: skip
        with transaction():
            neighbour = NewHousehold(ALONE, touch("neighbour"), cast.officer.id)
            one = NewHousehold(people, touch("many", said=said), cast.officer.id, **more)
            _, among = open_cases([neighbour, one], actor=cast.recruiter.actor, now=NOW, today=TODAY, rulebook=rulebook)
        return alone, session.get_one(Case, among.case_id)

    return open_both


@pytest.mark.parametrize(
    ("people", "more"),
    [
        (COUPLE, {"postcode": "br13qd", "address": "1 High Street", "facts": FACTS, "said": "Two teens at home"}),
        (COUPLE, {"send_letters": False}),
        (ALONE, {}),
    ],
    ids=["all there is to know", "without letters", "a name and a number"],
)
def test_a_household_opened_among_many_has_the_rows_of_one_opened_by_itself(both, people, more):
    alone, among = both(people, **({"send_letters": True} | more))

    assert rows_of(among) == rows_of(alone)
    assert rows_of(among)["audit_entry"]


def test_ids_taken_for_many_are_nobody_elses(both, session, cast):
    _, among = both(ALONE, send_letters=False)

    with transaction():
        rulebook = policy.rulebook_on(TODAY)
        after = open_case(
            people=list(ALONE), touch=touch("after"), actor=cast.recruiter.actor, now=NOW, today=TODAY,
            rulebook=rulebook, owner_id=cast.officer.id, send_letters=False,
        )  # fmt: skip
    assert after.id > among.id
    assert session.scalar(sa.select(sa.func.count()).select_from(Household)) == 5


def test_of_many_none_is_opened_where_one_would_be_nobodys(session, cast):
    with pytest.raises(NobodyToOwnIt), transaction():
        open_cases(
            [NewHousehold(ALONE, touch("a"), cast.officer.id), NewHousehold(ALONE, touch("b"), None)],
            actor=cast.recruiter.actor, now=NOW, today=TODAY, rulebook=policy.rulebook_on(TODAY),
        )  # fmt: skip

    assert session.scalar(sa.select(sa.func.count()).select_from(Case)) == 0


def test_what_the_database_refuses_among_many_is_refused_as_by_any_statement(session, cast):
    with pytest.raises(sa.exc.IntegrityError), transaction():
        open_cases(
            [NewHousehold(ALONE, touch("the same mark"), cast.officer.id)] * 2,
            actor=cast.recruiter.actor, now=NOW, today=TODAY, rulebook=policy.rulebook_on(TODAY),
        )  # fmt: skip

    assert session.scalar(sa.select(sa.func.count()).select_from(Case)) == 0


def test_the_number_of_somebody_who_is_gone_is_not_given_again(session, cast):
    rulebook = policy.rulebook_on(TODAY)

    def opened(mark: str) -> int:
        with transaction():
            (one,) = open_cases(
                [NewHousehold(ALONE, touch(mark), cast.officer.id)], actor=cast.recruiter.actor, now=NOW, today=TODAY,
                rulebook=rulebook,
            )  # fmt: skip
        return one.case_id

    first = opened("first")
    with transaction():
        take_back_cases({first: NOW}, actor=cast.recruiter.actor, now=NOW)

    assert opened("second") > first

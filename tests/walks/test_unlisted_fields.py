"""What a form does not ask is not written (G15): each form is sent well filled in, then again with the name of every
column of every table beside its own boxes. Both must change the same rows in the same way."""

from __future__ import annotations

from collections import Counter
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from crm.cases import contact
from crm.cases.models import Case
from crm.db import db, metadata
from tests.conftest import PageResponse
from tests.walks.estate import Estate
from tests.walks.filling import filled_in_well
from tests.walks.finding import Found, Walker, forms
from tests.walks.undoing import Change, Rows

PLANTED = "Zqplanted"
FORMS_TAKEN_AT_LEAST = 120
# Made anew each time: names of rows, seals (each with a nonce), digests and references drawn by lot.
BY_LOT = (
    "_sealed", "_key", "_hash", "_digest", "nonce", "mac", "token", "message_id", "reference", "uid", "ics", "stream",
    "one_time_id", "public_id", "serial", "key_ending",
)  # fmt: skip
# Written by being asked, whatever is asked: the trail, the counters, the session's last use.
BOOKKEEPING = frozenset({"audit_entry", "audit_seal", "rate_window", "web_session", "one_time_id", "report_answer"})
TOLD_BY_HAND = {"is_admin": "1", "role": "administrator", "decision": "approve", "created_at": "1999-09-09T09:09:09"}


def everything_unasked(estate: Estate) -> dict[str, str]:
    """A value for every column there is: one that would be believed, where a column takes only some."""
    found: dict[str, str] = {}
    for table in metadata.sorted_tables:
        for column in table.columns:
            found.setdefault(column.name, value_for(column, estate))
    return found | TOLD_BY_HAND


def value_for(column: sa.Column[Any], estate: Estate) -> str:
    kind = column.type.python_type if not isinstance(column.type, sa.types.TypeDecorator) else None
    if column.name.endswith(("owner_id", "user_id", "_by_id", "_to_id", "officer_id", "assessor_id")):
        return str(estate.cast.other_officer.id)
    if kind is bool:
        return "1"
    if kind is int:
        return "1"
    if kind is not None and kind.__name__ == "date":
        return "1999-09-09"
    known = {"status": "sent", "stage": "approved", "place": "approved", "band": "approved", "outcome": "passed"}
    return known.get(column.name, PLANTED)


NOT_TAKEN_HERE = {
    "staff.place_message": "it asks for the reference of a household, which stands in no box",
    "our_sign_in.type_code": "the code is in a letter, and is kept as a digest",
    "our_sign_in.handed": "the code is shown once to whoever hands it over, and is kept as a digest",
    "administration.restore_letter_wording": "the words on the estate are the product's own",
}
"""Forms that what stands on their page can't fill in, and why: what they are sent is refused with or without more."""
DRAWN_BY_LOT = frozenset(
    {
        ("campaign", "code"),
        ("recruitment_event", "code"),
        ("recruitment_event", "slug"),
        ("attendance_entry", "entry_id"),
        ("calendar_entry", "name"),
        ("prep_course_certificate", "number"),
    }
)


def is_by_lot(table: str, column: str) -> bool:
    return column.endswith(BY_LOT) or (table, column) in DRAWN_BY_LOT


def what_changed(change: Change, before: Rows) -> Counter[tuple[str, str, str]]:
    """Each changed row, without what is drawn by lot, so that two sendings of one form can be compared."""
    found: Counter[tuple[str, str, str]] = Counter()
    for table, rows in change.rows(before, but=BOOKKEEPING).items():
        for old, new in rows:
            how = "new" if old is None else "gone" if new is None else "changed"
            row = {
                name: value
                for name, value in (new or old or {}).items()
                if not is_by_lot(table, name) and (old is None or new is None or old[name] != value)
            }
            found[table, how, repr(sorted(row.items(), key=lambda pair: pair[0]))] += 1
    return found


def send(
    walker: Walker, undone: Any, at_first: Rows, found: Found, more: dict[str, str]
) -> tuple[PageResponse, Counter[Any]]:
    client = walker.member(found.member)
    with undone() as change:
        form = found.on(client.get(found.path).page)
        data = filled_in_well(found, form)
        answer = client.post(found.action, data={**{k: v for k, v in more.items() if k not in form.names}, **data})
        return answer, what_changed(change, at_first)


def complaints_of(walker: Walker, undone: Any, at_first: Rows, found: Found, more: dict[str, str]) -> list[str]:
    plain, wanted = send(walker, undone, at_first, found, {})
    loaded, got = send(walker, undone, at_first, found, more)
    said = []
    if plain.status_code >= 400 and found.endpoint not in NOT_TAKEN_HERE:
        said.append(f"{found}: was not taken: {plain.status_code} {plain.page.errors}")
    if 400 <= loaded.status_code < 500 and not got:
        return said  # refused as a whole: what was slipped in is looked at as if it stood there
    if loaded.status_code != plain.status_code:
        said.append(f"{found}: answers {loaded.status_code} instead of {plain.status_code}")
    if wanted != got:
        said.append(f"{found}: changes other things:\n    without {wanted - got}\n    with {got - wanted}")
    return said


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_form_writes_what_it_asks_and_nothing_else(
    estate: Estate, walker: Walker, undone: Any, at_first: Rows
) -> None:
    """On SQLite: which names a view reads from a request has nothing to do with the database behind it."""
    more = everything_unasked(estate)
    all_of_them = forms(walker)

    complaints = [words for found in all_of_them for words in complaints_of(walker, undone, at_first, found, more)]

    assert len(more) > 200
    assert len(all_of_them) >= FORMS_TAKEN_AT_LEAST
    assert not complaints, f"{len(complaints)} of {len(all_of_them)}:\n" + "\n".join(complaints)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_view_that_takes_what_it_is_given_is_caught(
    estate: Estate, walker: Walker, undone: Any, at_first: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = contact.add_note

    def careless(case: Case, **given: Any) -> Any:
        for column in Case.__table__.columns:
            if column.name in ("owner_id", "reading_on") and column.name in flask.request.form:
                setattr(case, column.name, int(flask.request.form[column.name]))
        db.session.flush()
        return real(case, **given)

    monkeypatch.setattr(contact, "add_note", careless)
    (note,) = [found for found in forms(walker) if found.endpoint == "staff.add_note"]

    (said,) = complaints_of(walker, undone, at_first, note, everything_unasked(estate))

    assert "changes other things" in said
    assert "owner_id" in said

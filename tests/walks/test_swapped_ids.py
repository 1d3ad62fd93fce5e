"""Ids can't be swapped (G14): every id in the address, the query, the boxes and the hidden fields, put in the place of
one's own, opens and changes nothing of anybody else's."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any

import flask
import pytest

from crm.access import guards
from crm.web import forgery
from tests.walks.estate import KINDS, Estate, Home
from tests.walks.filling import filled_in_well
from tests.walks.finding import Found, Walker, forms
from tests.walks.undoing import Rows

OURS = frozenset({forgery.FIELD, "one_time_id"})
OTHERS = ("other_by_post", "other_visit", "other_listed")
"""Households with which the officer of the cast has nothing to do."""
TRIES_AT_LEAST = 500


def ids_of(home: Home) -> dict[str, str]:
    return {"reference": home.reference, "case_id": str(home.case_id), **{k: str(v) for k, v in home.values.items()}}


def own_home(estate: Estate, found: Found) -> Home | None:
    """Whose form it is, where it is one of the officer's households."""
    for home in estate.homes.values():
        visit_id = home.values.get("visit_id")
        if f"/cases/{home.reference}" in found.action or (visit_id and f"/visits/{visit_id}/" in found.action + "/"):
            return home
    return None


def swapped_addresses(action: str, own: Home, other: Home) -> Iterator[str]:
    """The address with one id of the other's in it, and with all of them."""
    theirs, everything = ids_of(other), action
    for name, value in ids_of(own).items():
        if name in theirs and f"/{value}" in action and name != "case_id":
            place = f"/{value}/" if f"/{value}/" in action else f"/{value}"
            yield action.replace(place, place.replace(value, theirs[name]), 1)
            everything = everything.replace(place, place.replace(value, theirs[name]), 1)
    yield everything


def swapped_answers(data: dict[str, Any], typed: set[str], other: Home) -> Iterator[dict[str, Any]]:
    """The form with each of the other's ids in each field that holds no words."""
    for name in data:
        if name not in OURS and name not in typed:
            for value in sorted(set(ids_of(other).values())):
                yield {**data, name: value}


def said_of(other: Home, text: str) -> list[str]:
    return [word for word in map(other.word, KINDS) if word in text]


def touched(before: Rows, now: Rows, other: Home) -> list[str]:
    """The tables in which a row of the other household is not as it was."""
    household = before["case_file"][(other.case_id,)]["household_id"]
    visits = {key for key, row in before["visit"].items() if row["case_id"] == other.case_id}

    def is_theirs(table: str, row: dict[str, Any]) -> bool:
        return (
            row.get("case_id") == other.case_id
            or (table == "case_file" and row["id"] == other.case_id)
            or row.get("household_id") == household
            or (row.get("visit_id"),) in visits
        )

    return [
        table
        for table, rows in now.items()
        if rows is not before[table]
        and any(is_theirs(table, row) and before[table].get(key) != row for key, row in rows.items())
    ]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_another_households_id_in_the_place_of_ones_own_opens_and_changes_nothing(
    estate: Estate, walker: Walker, undone: Any, at_first: Rows
) -> None:
    """On SQLite: fetching and being allowed to are one statement, whose conditions the matrix tries on both."""
    wrong, tries = [], 0
    for found in forms(walker):
        own = own_home(estate, found)
        if found.member != "officer" or own is None:
            continue
        page = walker.member("officer").get(found.path).page
        form = found.on(page)
        # A file can be read once, and none holds an id.
        data = {name: value for name, value in filled_in_well(found, form).items() if not isinstance(value, tuple)}
        typed = {e["name"] for e in form.element.walk() if e.tag == "textarea" or e.get("type") == "text"} & set(data)
        for key in OTHERS:
            other = estate.homes[key]
            with undone() as change:
                for address, sent in [
                    *((address, data) for address in swapped_addresses(found.action, own, other)),
                    *((found.action, answers) for answers in swapped_answers(data, typed, other)),
                ]:
                    tries += 1
                    answer = walker.member("officer").post(address, data={**sent, "one_time_id": f"swap-{tries:016d}"})
                    if answer.status_code >= 500:
                        wrong.append(f"{found}: {address} {answer.status_code}")
                    wrong += [f"{found}: {address} tells {word}" for word in said_of(other, answer.text)]
                wrong += [
                    f"{found}: changed {table} of {key}"
                    for table in touched(at_first, change.look(at_first, but=("audit_entry",)), other)
                ]

    assert wrong == []
    assert tries >= TRIES_AT_LEAST


QUERIES = (
    ("officer", "/visits?case={reference}"),
    ("officer", "/visits/new?case={reference}"),
    ("officer", "/visits?who={case_id}"),
    ("officer", "/search?q={reference}"),
    ("officer", "/search?q={person_id}"),
    ("officer", "/my-day?case={reference}"),
    ("officer", "/board?case={reference}"),
    ("officer", "/enquiries?q={reference}"),
    ("officer", "/assessments?after=2020-01-01_{case_id}"),
    ("officer", "/cases/{own}/visits?visit={visit_id}"),
    ("officer", "/cases/{own}/timeline?before=2026-07-14T15:00:00%2B00:00_{case_id}"),
    ("officer", "/cases/{own}/looked?before={case_id}"),
    ("officer", "/cases/{own}/people/{person_id}"),
    ("officer", "/cases/{own}/people/{person_id}/reach"),
    ("officer", "/cases/{own}/letters/{letter_id}"),
    ("officer", "/cases/{own}/letters/{letter_id}/pdf"),
    ("officer", "/cases/{own}/checks/{check_id}"),
    ("officer", "/cases/{own}/assessment/household/{person_id}/left"),
    ("panel_member", "/panel/{own_meeting}?item={item_id}"),
    ("panel_member", "/panel/{meeting_id}?item={item_id}"),
    ("panel_member", "/cases/{own_listed}/checks/{dbs_id}"),
)
"""Pages opened with somebody else's id in their address or query."""


def test_another_households_id_in_an_address_or_a_query_tells_nothing(
    estate: Estate, walker: Walker, at_first: Rows
) -> None:
    own, listed = estate.homes["gathering"], estate.homes["listed"]
    told, opened = [], 0
    items = {row["case_id"]: row["id"] for row in at_first["panel_item"].values()}
    for key in OTHERS:
        other = estate.homes[key]
        known = {
            **ids_of(other), "own": own.reference, "own_listed": listed.reference,
            "own_meeting": listed.values["meeting_id"], "item_id": items.get(other.case_id),
        }  # fmt: skip
        for member, query in QUERIES:
            if all(known.get(name) for name in _names_in(query)):
                opened += 1
                answer = walker.member(member).get(query.format(**known))
                told += [f"{member} {query}: {word}" for word in said_of(other, _text_of(answer))]

    assert told == []
    assert opened >= len(QUERIES) * 2


def _names_in(query: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(query) if name]


def _text_of(answer: Any) -> str:
    return str(answer.text) if answer.mimetype.startswith("text/") else answer.data.decode("latin-1")


def test_what_opens_without_signing_in_is_named_by_a_secret_and_by_no_number(app: flask.Flask) -> None:
    """A reference is typed and said aloud: by itself it opens nothing."""
    asked = {
        name
        for rule in app.url_map.iter_rules()
        for name in rule.arguments
        if (declared := guards.declared_for(app, rule.endpoint)) is None or declared.audience in ("public", "own_key")
        # An officer’s calendar has their number in its address, and opens to a password of theirs alone.
        if not rule.endpoint.startswith("caldav.")
    }

    # The slug and the code are of an event that was published, and printed on posters.
    assert asked == {"token", "step", "filename", "slug", "code"}

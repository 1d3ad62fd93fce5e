"""Whatever somebody types or sends is only ever words (G18): put into every box of every form, and written over
everything stored, it becomes no element, no attribute, no address, no line, no formula and no template."""

from __future__ import annotations

import csv
import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from crm.db import db, writing
from crm.delivery import Channel, OutboundMessage, queries
from crm.web.spreadsheets import CSV_TYPE, RUNS, XLSX_TYPE
from tests.conftest import PageClient, PageResponse
from tests.page import Element, Form, read
from tests.walks.estate import Estate
from tests.walks.filling import controls, filled_in_well, is_text
from tests.walks.finding import PAGES, Found, Walker, filled_in, forms
from tests.walks.hostile import EVALUATED, LINE, PAYLOADS, fill_up, fitting, got_its_way, put_everywhere, words_columns
from tests.walks.test_forged import crawl

BOXES_TAKEN_AT_LEAST = 100
CELLS_AT_LEAST = 2_000
PAGES_AT_LEAST = 250
sqlite_alone = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""How text is drawn has nothing to do with the database behind it."""


# --- Typed ------------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(900)
@sqlite_alone
def test_what_is_typed_into_any_box_is_only_words(walker: Walker, undone: Any) -> None:
    """Each form is sent with a payload in every box of text. The boxes that it says are wrong are filled in well, and
    it is sent again. The page that answers, the one it leads to and every letter it writes are looked at."""
    payloads = itertools.cycle(PAYLOADS)
    complaints, taken = [], set()
    for found in forms(walker):
        client = walker.member(found.member)
        with undone():
            form = found.on(client.get(found.path).page)
            if not any(is_text(control) for control in controls(form)):
                continue
            hostile = {c["name"]: hostile_for(c, payloads) for c in controls(form) if is_text(c)}
            for _ in range(4):
                answer = client.post(found.action, data=filled_with(found, form, hostile))
                wrong = boxes_that_are_wrong(answer)
                complaints += [f"{found}: {words}" for words in looked_at(client, answer)]
                if answer.status_code < 400 or not wrong & hostile.keys():
                    break
                hostile = {name: payload for name, payload in hostile.items() if name not in wrong}
            if answer.status_code < 400:
                taken |= {(found.endpoint, name) for name in hostile}
            complaints += [f"{found}: {words}" for words in letters_looked_at(walker.app)]

    assert not complaints, f"{len(complaints)}:\n" + "\n".join(dict.fromkeys(complaints))
    assert len(taken) >= BOXES_TAKEN_AT_LEAST, f"only {len(taken)} boxes took what they were sent: {sorted(taken)}"


def hostile_for(control: Element, payloads: Iterator[str]) -> str:
    """A payload that the box has room for; where there is room, three, so that each meets many boxes."""
    longest = int(control.get("maxlength") or (0 if control.tag == "input" else 1000))
    if control.tag == "textarea" and longest > 300:
        return "\n".join(itertools.islice(payloads, 3))
    fits = fitting(longest or 60)
    return next(payload for payload in payloads if payload in fits)


def filled_with(found: Found, form: Form, hostile: dict[str, str]) -> dict[str, Any]:
    return {**filled_in_well(found, form), **hostile}


def boxes_that_are_wrong(answer: PageResponse) -> set[str]:
    """The names of the boxes that the page asks to put right."""
    if answer.mimetype != "text/html" or answer.status_code < 400:
        return set()
    links = [link["href"] for one in answer.page.all(class_="govuk-error-summary") for link in one.all("a")]
    ids = {link.removeprefix("#") for link in links}
    named = {e.get("name") for e in answer.page.root.walk() if e.get("id") in ids}
    return {name for name in ids | named if name}


def looked_at(client: PageClient, answer: PageResponse) -> Iterator[str]:
    if answer.status_code >= 500:
        yield f"answered {answer.status_code}"
        return
    if answer.status_code in (302, 303):
        answer = client.get(answer.location)
    if answer.mimetype == "text/html":
        yield from got_its_way(answer.page)


def letters_looked_at(app: flask.Flask) -> Iterator[str]:
    """Of the letters that were just written, what is more than words."""
    with app.app_context():
        newest = sa.select(OutboundMessage).where(OutboundMessage.channel == Channel.EMAIL)
        for letter in db.session.scalars(newest.order_by(OutboundMessage.id.desc()).limit(3)):
            parts = queries.email_parts(letter)
            assert parts is not None
            for words in got_its_way(read(parts.html), is_letter=True):
                yield f"the letter {letter.kind}: {words}"
            if EVALUATED in parts.text + letter.subject or LINE in letter.subject:
                yield f"the letter {letter.kind} says {letter.subject!r}"


# --- Stored -----------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(1800)
@sqlite_alone
def test_what_is_stored_is_only_words_on_every_page_and_in_every_file(
    walker: Walker, estate: Estate, undone: Any, rounds: Any
) -> None:
    pages = list(every_page(walker, estate))  # found, and everybody signed in, before anything is written over
    complaints: list[str] = []
    for shift in range(rounds(1, len(PAYLOADS))):
        with undone() as change:
            cells = put_everywhere(change.connection, shift)
            seen, files = set(), set()
            for member, path in pages:
                seen.add(path)
                try:
                    answer = walker.member(member).get(path)
                except Exception as fault:  # all of them are wanted in one list
                    complaints.append(f"{path} as {member}, {shift}: a fault of ours: {fault!r}"[:300])
                    continue
                complaints += [f"{path} as {member}, {shift}: {words}" for words in wrong_on(answer)]
                files.add(answer.mimetype)
            for answer in files_of_rows(walker.member("recruiter")):
                complaints += [f"{answer.mimetype}, {shift}: {words}" for words in wrong_on(answer)]
                files.add(answer.mimetype)
        assert cells >= CELLS_AT_LEAST
        assert len(seen) >= PAGES_AT_LEAST
        assert files >= {CSV_TYPE.partition(";")[0], XLSX_TYPE, "text/calendar"}

    assert not complaints, f"{len(complaints)}:\n" + "\n".join(dict.fromkeys(complaints))


def every_page(walker: Walker, estate: Estate) -> Iterator[tuple[str, str]]:
    for line in PAGES.strip().split("\n"):
        member, _, path = line.partition(" ")
        yield member, filled_in(path, estate)
    for member, start in (("manager", "/board"), ("recruiter", "/events/all"), ("administrator", "/admin")):
        for path in crawl(walker.member(member), start, most=1):
            yield member, path
    yield "stranger", f"/feed/{estate.secrets['feed']}.ics"
    for upload in ("upload_id", "loading_upload_id", "loaded_upload_id"):
        yield "recruiter", f"/events/{estate.things['event_id']}/import/{estate.things[upload]}/errors.csv"


def files_of_rows(client: PageClient) -> Iterator[PageResponse]:
    """The whole queue as a file, in each format, with every column there is."""
    for kind in ("csv", "xlsx"):
        page = client.get("/enquiries/export").page
        columns = [box["value"] for box in page.all("input", name="columns")]
        asked = client.submit(page, field="format", format=kind, columns=columns)
        yield client.submit(client.get(asked.location).page, button="Fetch the file")


def wrong_on(answer: PageResponse) -> Iterator[str]:
    if answer.status_code >= 400:
        yield f"answered {answer.status_code}"
    elif answer.mimetype == "text/html":
        yield from got_its_way(answer.page) if answer.status_code == 200 else ()
    elif answer.mimetype == "text/csv":
        rows = csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""))
        yield from (f"a cell computes: {cell!r}" for row in rows for cell in row if cell.startswith(RUNS))
    elif answer.mimetype == "text/calendar":
        lines = re.split(r"[\r\n]+", re.sub(r"\r\n[ \t]", "", answer.text))
        yield from (f"a line was put in: {line!r}" for line in lines if line.startswith(LINE))
    elif answer.mimetype.endswith("spreadsheetml.sheet"):
        with zipfile.ZipFile(io.BytesIO(answer.data)) as book:
            if re.search(rb"<f[ >]|<hyperlink", book.read("xl/worksheets/sheet1.xml")):
                yield "a cell of the workbook computes or links"


# --- As long as they may be -------------------------------------------------------------------------------------------


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_names_and_words_as_long_as_they_may_be_break_no_form(walker: Walker, undone: Any) -> None:
    """What is made of them (the line of a timeline, a task, a letter's subject) has room or is cut. On PostgreSQL: it
    alone holds a text to its length."""
    all_of_them = forms(walker)
    with walker.app.app_context(), writing(), db.engine.begin() as connection:
        assert fill_up(connection) >= CELLS_AT_LEAST // 2
    complaints = []
    for found in all_of_them:
        client = walker.member(found.member)
        with undone():
            try:
                form = found.on(client.get(found.path).page)
                answer = client.post(found.action, data=filled_in_well(found, form))
            except Exception as fault:  # all of them are wanted in one list
                complaints.append(f"{found}: {fault!r}"[:400])
                continue
            if answer.status_code >= 500:
                complaints.append(f"{found}: answered {answer.status_code}")

    assert not complaints, f"{len(complaints)}:\n" + "\n".join(complaints)


# --- The walks themselves ---------------------------------------------------------------------------------------------


def test_every_payload_that_gets_its_way_is_seen() -> None:
    """Each as the body of an element and between quotes, unescaped. A few can do nothing in either place: those are for
    calendars, for addresses and for whoever evaluates."""
    unseen = [
        payload
        for payload in PAYLOADS
        if not got_its_way(read(f"<p>{payload}</p>"))
        and not got_its_way(read(f'<p title="{payload}">x</p>'))
        and not got_its_way(read(f"<p title='{payload}'>x</p>"))
        and not got_its_way(read(f'<a href="{payload}">x</a>'))
    ]

    assert len(PAYLOADS) >= 60
    assert len(unseen) <= UNSEEN_IN_MARKUP, unseen
    assert got_its_way(read("<p>49zqx</p>"))
    assert not got_its_way(read("<p>&lt;zqx&gt;</p><script src='/static/app.js'></script>"))


UNSEEN_IN_MARKUP = 21


def test_nobodys_words_are_forgotten() -> None:
    """What the payloads are written over: every text of every table but our own codes, so that a new column is in."""
    columns = {(table.name, column.name) for table, column in words_columns()}

    assert {
        ("person", "given_name"), ("household", "address_sealed"), ("recruitment_event", "name"),
        ("recruitment_event", "place"), ("event_sign_up", "needs_sealed"), ("event_guest", "given_name"),
        ("kit_device", "name"), ("kit_aside", "content_sealed"), ("campaign", "name"),
        ("held_enquiry", "answers_sealed"), ("household_merge", "story_sealed"),
    } <= columns  # fmt: skip
    assert len(columns) >= 100

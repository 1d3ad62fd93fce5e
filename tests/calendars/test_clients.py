"""Real calendar programs at the CalDAV door, over HTTP: they discover it, write to it, and see what changed here."""

from __future__ import annotations

import contextlib
import email
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import caldav
import flask
import pytest
import sqlalchemy as sa
from icalendar import Calendar
from werkzeug.serving import make_server

from crm.calendars import feeds
from crm.calendars.models import CalendarEntry
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.timetable import call_off_taken_out
from crm.visits.models import Visit, VisitStatus
from tests.calendars.javascript import Programs, is_fetched
from tests.calendars.programs import Program, event
from tests.visits.conftest import at


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """What programs ask is the same on both databases; test_caldav.py asks it on both."""
    from tests.databases import database_of

    with database_of(request.param, tmp_path) as made:
        yield made


@contextlib.contextmanager
def served(app: flask.Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def address(app: flask.Flask) -> Iterator[str]:
    """The product at an address of its own."""
    app.config["TRUSTED_HOSTS"] = None
    with served(app) as url:
        yield url


def visits() -> list[Visit]:
    db.session.rollback()
    return list(db.session.scalars(sa.select(Visit).order_by(Visit.id)))


def test_python_caldav_finds_books_moves_and_cancels(address: str, program: Program, verbs: Any) -> None:
    case = verbs.household(owner_id=verbs.cast.officer.id)
    db.session.rollback()
    with caldav.DAVClient(address + "/caldav/", username=program.email, password=program.password) as client:
        (calendar,) = client.principal().calendars()
        assert calendar.get_supported_components() == ["VEVENT"]

        written = calendar.save_event(event("py@x", f"Visit {case.reference}", "20260714T140000").decode())
        assert [one.starts_at for one in visits()] == [at("2026-07-14 14:00")]
        began = calendar.objects_by_sync_token(load_objects=True)
        assert len(list(began)) == 1

        written.icalendar_instance = Calendar.from_ical(event("py@x", f"Visit {case.reference}", "20260715T100000"))
        written.save()
        assert [(one.starts_at, one.sequence) for one in visits()] == [(at("2026-07-15 10:00"), 1)]

        verbs.move(visits()[0], "2026-07-16 11:00")
        db.session.rollback()
        (changed,) = list(calendar.objects_by_sync_token(began.sync_token, load_objects=True))
        assert "20260716T100000Z" in changed.data
        (found,) = calendar.search(start=at("2026-07-16 00:00"), end=at("2026-07-17 00:00"), event=True, expand=True)
        assert found.icalendar_component["UID"] == "py@x"
        busy = calendar.freebusy_request(at("2026-07-16 00:00"), at("2026-07-17 00:00"))
        assert "20260716T100000Z/20260716T113000Z" in busy.data

        calendar.event_by_uid("py@x").delete()
        assert calendar.events() == []
    with transaction():
        assert call_off_taken_out(now_utc() + timedelta(minutes=3)) == 1
    assert [one.status for one in visits()] == [VisitStatus.CANCELLED]


def sync(folder: Path, *more: str) -> str:
    """Let vdirsyncer go through once; what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "vdirsyncer", "-c", str(folder / "config"), *more],
        input="y\ny\n", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_vdirsyncer_keeps_a_folder_and_the_calendar_the_same(
    address: str, program: Program, verbs: Any, tmp_path: Path
) -> None:
    mine, theirs = (verbs.household(n, owner_id=verbs.cast.officer.id) for n in (1, 2))
    verbs.book(theirs, "2026-07-15 10:00")
    references = mine.reference, theirs.reference
    db.session.rollback()
    folder = tmp_path / "there"
    (tmp_path / "config").write_text(
        textwrap.dedent(f"""
        [general]
        status_path = "{tmp_path / "status"}"
        [pair visits]
        a = "here"
        b = "there"
        collections = ["from b"]
        conflict_resolution = "b wins"
        [storage here]
        type = "filesystem"
        path = "{folder}"
        fileext = ".ics"
        [storage there]
        type = "caldav"
        url = "{address}/"
        username = "{program.email}"
        password = "{program.password}"
        """)
    )
    sync(tmp_path, "discover")
    sync(tmp_path, "sync")
    (collection,) = [one for one in folder.iterdir() if one.is_dir()]
    (shown,) = collection.glob("*.ics")
    assert references[1] in shown.read_text()

    written = event("vd@x", f"Visit {references[0]}", "20260714T140000", 90, "X-OWN:kept")
    (collection / "vd.ics").write_bytes(written)
    sync(tmp_path, "sync")
    assert sorted(one.starts_at for one in visits()) == [at("2026-07-14 14:00"), at("2026-07-15 10:00")]

    (collection / "vd.ics").write_bytes(written.replace(b"20260714T140000", b"20260716T140000"))
    verbs.move(next(one for one in visits() if one.case_id == theirs.id), "2026-07-17 10:00")
    db.session.rollback()
    sync(tmp_path, "sync")
    assert sorted(one.starts_at for one in visits()) == [at("2026-07-16 14:00"), at("2026-07-17 10:00")]
    assert "20260717T090000Z" in shown.read_text()
    assert b"X-OWN:kept" in program.get(next(iter(program_names(program)))).data
    sync(tmp_path, "sync")
    assert sorted(one.sequence for one in visits()) == [1, 1], "nothing was left to do"


def program_names(program: Program) -> list[str]:
    """The names of the events that a program wrote."""
    query = sa.select(CalendarEntry.name).where(CalendarEntry.uid == "vd@x", CalendarEntry.removed_at.is_(None))
    return list(db.session.scalars(query))


# --- Programs in JavaScript -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def javascript() -> Iterator[Programs]:
    if not is_fetched():
        pytest.skip("not tried: tsdav and ical.js, which `make setup-test` fetches and nobody has here")
    programs = Programs()
    yield programs
    programs.end()


def test_tsdav_finds_books_moves_and_cancels(
    address: str, program: Program, verbs: Any, javascript: Programs
) -> None:
    case = verbs.household(owner_id=verbs.cast.officer.id)
    reference = case.reference
    db.session.rollback()
    shown = {"username": program.email, "password": program.password}
    javascript.ask(
        {"sign_in": {"serverUrl": address, "credentials": shown, "authMethod": "Basic", "defaultAccountType": "caldav"}}
    )
    (calendar,) = javascript.call("fetchCalendars")
    assert calendar["url"] == address + program.path
    assert calendar["components"] == ["VEVENT"]
    assert "syncCollection" in calendar["reports"]

    def create(name: str, when: str) -> int:
        text = event(f"{name}@x", f"Visit {reference}", when).decode()
        given = {"calendar": calendar, "filename": f"{name}.ics", "iCalString": text}
        return int(javascript.call("createCalendarObject", **given)["status"])

    def changes(token: str) -> tuple[dict[str, int], str]:
        """What changed since: each name with its status; and how the calendar now stands."""
        props = {"d:getetag": {}}
        answers = javascript.call("syncCollection", url=calendar["url"], props=props, syncLevel=1, syncToken=token)
        told = {one["href"].rpartition("/")[2]: one["status"] for one in answers if one.get("href")}
        return told, answers[0]["raw"]["multistatus"]["syncToken"]

    # Found, and made.
    _, began = changes(calendar["syncToken"])
    assert create("ts", "20260714T140000") == 201
    assert create("ts", "20260714T140000") == 412, "tsdav says If-None-Match: *"
    (first,) = visits()
    assert first.starts_at == at("2026-07-14 14:00")
    told, stands = changes(began)
    assert told == {"ts.ics": 207}

    # Moved, and moved by one that had not read this; then by one that asks nothing of what stands there.
    (read,) = javascript.call("fetchCalendarObjects", calendar=calendar)
    for tag, hour, status, sequence in ((read["etag"], 10, 204, 1), (read["etag"], 11, 412, 1), (None, 12, 204, 2)):
        text = read["data"].replace("20260714T140000", f"20260715T{hour}0000")
        changed = {"url": read["url"], "data": text, "etag": tag}
        assert javascript.call("updateCalendarObject", calendarObject=changed)["status"] == status
        assert visits()[0].sequence == sequence
    assert visits()[0].starts_at == at("2026-07-15 12:00")

    # Moved as a deletion and a new event.
    (read,) = javascript.call("fetchCalendarObjects", calendar=calendar)
    assert javascript.call("deleteCalendarObject", calendarObject=read)["status"] == 204
    assert create("anew", "20260716T110000") == 201
    assert [(one.id, one.starts_at, one.status) for one in visits()] == [
        (first.id, at("2026-07-16 11:00"), VisitStatus.BOOKED)
    ]
    told, stands = changes(stands)
    assert told == {"ts.ics": 404, "anew.ics": 207}
    assert changes(stands)[0] == {}

    # Seen in a span of time, and as busy.
    span = {"start": "2026-07-16T00:00:00Z", "end": "2026-07-17T00:00:00Z"}
    (found,) = javascript.call("fetchCalendarObjects", calendar=calendar, timeRange=span, expand=True)
    assert found["url"].endswith("/anew.ics")
    busy = javascript.call("freeBusyQuery", url=calendar["url"], timeRange=span, depth="1")
    assert "FREEBUSY:20260716T100000Z/20260716T113000Z" in busy["raw"]

    # Called off.
    (read,) = javascript.call("fetchCalendarObjects", calendar=calendar)
    assert javascript.call("deleteCalendarObject", calendarObject=read)["status"] == 204
    with transaction():
        assert call_off_taken_out(now_utc() + timedelta(minutes=3)) == 1
    assert [one.status for one in visits()] == [VisitStatus.CANCELLED]


def test_icaljs_reads_in_feeds_and_invitations_what_icalendar_reads(
    client: Any, verbs: Any, javascript: Programs
) -> None:
    """Summer, winter, one that was moved, one that was called off."""
    officer = verbs.cast.officer
    with transaction():
        token = feeds.make_address(user_id=officer.id, actor=officer.actor, now=now_utc())
    verbs.book(verbs.household(1), "2026-07-14 14:00")
    verbs.move(verbs.book(verbs.household(2), "2026-07-15 10:00"), "2026-11-05 10:00")
    verbs.cancel(verbs.book(verbs.household(3), "2026-07-16 10:00"))

    texts = [client.get(f"/feed/{token}.ics").text]
    for letter in db.session.scalars(sa.select(OutboundMessage)):
        for part in email.message_from_bytes(letter.payload).walk():
            if part.get_content_type() == "text/calendar":
                texts.append(part.get_payload(decode=True).decode())  # type: ignore[union-attr]
    methods = {str(Calendar.from_ical(text).get("METHOD")) for text in texts}
    assert methods == {"None", "REQUEST", "CANCEL"}

    for text in texts:
        calendar = Calendar.from_ical(text)
        expected = [
            {
                "uid": str(one["UID"]),
                "sequence": int(one["SEQUENCE"]),
                "starts": int(one.start.timestamp()),
                "ends": int(one.end.timestamp()),
                "summary": str(one["SUMMARY"]),
                "description": str(one["DESCRIPTION"]),
                "attendees": [str(who) for who in one.attendees],
                "alarms": len(one.walk("VALARM")),
            }
            for one in calendar.events
        ]
        read = javascript.read(text)
        assert read["events"] == expected
        assert read["method"] == calendar.get("METHOD")
        assert expected or "METHOD" not in calendar, "an invitation is to something"
    assert len(Calendar.from_ical(texts[0]).events) == 2

"""What nobody sends by mistake: it is answered at once, in words of the standard, and changes nothing (G23)."""

from __future__ import annotations

import time
from typing import Any

import pytest
import sqlalchemy as sa

from crm.calendars import caldav_text, caldav_xml, recurrence
from crm.calendars.models import CalendarEntry
from crm.clock import now_utc
from crm.db import db
from tests.calendars.programs import NAMESPACES, Program, event

AT_MOST_SECONDS = 2.0


class Hurry:
    """No answer may cost more than two seconds of the processor."""

    def __enter__(self) -> None:
        self.begun = time.process_time()

    def __exit__(self, *_fault: object) -> None:
        took = time.process_time() - self.begun
        assert took < AT_MOST_SECONDS, f"{took:.1f} s"


def plain(*inside: str, before: str = "") -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", *([before] if before else []), *inside, "END:VCALENDAR", ""]
    return "\r\n".join(lines).encode()


ONE = ("BEGIN:VEVENT", "UID:x@x", "DTSTAMP:20260706T083000Z", "DTSTART:20260714T130000Z", "DTEND:20260714T140000Z")
REFUSED = {
    "nothing": b"",
    "no calendar": b"hello",
    "not utf-8": event("x@x", "caf", "20260714T140000").replace(b"caf", b"caf\xe9"),
    "a nul": event("x@x", "a\x00b", "20260714T140000"),
    "no uid": plain("BEGIN:VEVENT", "DTSTART:20260714T130000Z", "END:VEVENT"),
    "two uids": plain(*ONE, "END:VEVENT", "BEGIN:VEVENT", "UID:y@x", "DTSTART:20260714T130000Z", "END:VEVENT"),
    "two masters": plain(*ONE, "END:VEVENT", *ONE, "END:VEVENT"),
    "a to-do": plain("BEGIN:VTODO", "UID:x@x", "END:VTODO"),
    "no start": plain("BEGIN:VEVENT", "UID:x@x", "END:VEVENT"),
    "a start that is none": plain("BEGIN:VEVENT", "UID:x@x", "DTSTART:20261314T130000Z", "END:VEVENT"),
    "the year 9999": plain("BEGIN:VEVENT", "UID:x@x", "DTSTART:99991231T235959Z", "END:VEVENT"),
    "a date and a time": plain(
        "BEGIN:VEVENT", "UID:x@x", "DTSTART;VALUE=DATE:20260714", "DTEND:20260714T140000Z", "END:VEVENT"
    ),
    "an end before the start": plain(
        "BEGIN:VEVENT", "UID:x@x", "DTSTART:20260714T130000Z", "DTEND:20260714T120000Z", "END:VEVENT"
    ),
    "a zone that nobody knows": plain("BEGIN:VEVENT", "UID:x@x", "DTSTART;TZID=Moon:20260714T130000", "END:VEVENT"),
    "nesting": plain(*ONE, *["BEGIN:VALARM"] * 5_000, *["END:VALARM"] * 5_000, "END:VEVENT"),
    "parts that cross": plain(*ONE, "BEGIN:VALARM", "END:VEVENT", "END:VALARM"),
    "it breaks off": event("x@x", "a", "20260714T140000")[:-30],
    "a long line": plain(*ONE, "X-LONG:" + "x" * 200_000, "END:VEVENT"),
    "many lines": plain(*ONE, *["X-A:1"] * 5_000, "END:VEVENT"),
    "commas and quotes": plain(*ONE, 'X-A;B="' + '",' * 20_000 + ":1", "END:VEVENT"),
    "two calendars": event("x@x", "a", "20260714T140000") * 2,
}
KEPT = {
    "every second for ever": event("x@x", "a", "20260714T140000", 60, "RRULE:FREQ=SECONDLY"),
    "every second of every day": event(
        "x@x", "a", "20260714T140000", 60,
        "RRULE:FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=" + ",".join(map(str, range(60))),
    ),
    "a day that never comes": event("x@x", "a", "20260714T140000", 60, "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"),
    "a place that no month has": event("x@x", "a", "20260714T140000", 60, "RRULE:FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=5"),
    "since the year 1900": event("x@x", "a", "19000714T140000", 60, "RRULE:FREQ=DAILY"),
    "since 1970, a million times": event("x@x", "a", "19700714T140000", 60, "RRULE:FREQ=DAILY;COUNT=1000000"),
    "an alarm a billion times": event(
        "x@x", "a", "20260714T140000", 60, "RRULE:FREQ=WEEKLY", "BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER:-PT1M",
        "DURATION:PT1S", "REPEAT:1000000000", "END:VALARM",
    ),
    "a zone with a rule every second": plain(
        "BEGIN:VTIMEZONE", "TZID:Mine", "BEGIN:STANDARD", "DTSTART:19700101T000000", "RRULE:FREQ=SECONDLY",
        "TZOFFSETFROM:+0100", "TZOFFSETTO:+0000", "END:STANDARD", "BEGIN:DAYLIGHT", "DTSTART:19700329T010000",
        "TZOFFSETFROM:+0000", "TZOFFSETTO:+0100", "END:DAYLIGHT", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:x@x",
        "DTSTART;TZID=Mine:20260714T140000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY", "END:VEVENT",
    ),
    "a thousand extra dates": event(
        "x@x", "a", "20260714T140000", 60, "RDATE:" + ",".join(["20260714T140000Z"] * 1_000)
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_nobody_can_mean_is_refused(kind: str) -> None:
    with Hurry(), pytest.raises(caldav_text.NotOurKind):
        caldav_text.read(REFUSED[kind])


@pytest.mark.parametrize("kind", KEPT)
def test_what_may_be_meant_is_kept_and_costs_little(kind: str) -> None:
    with Hurry():
        written = caldav_text.read(KEPT[kind])
        spans = recurrence.busy_spans(KEPT[kind], begin=now_utc(), end=now_utc() + recurrence.HORIZON)

    assert written.repeats
    assert len(spans) < recurrence.MOST_SPANS


def test_a_refusal_is_said_in_the_standards_words_and_nothing_is_kept(program: Program) -> None:
    said = {
        kind: program.put("x.ics", REFUSED[kind])
        for kind in ("nothing", "two uids", "a to-do", "a long line", "a date and a time")
    }

    assert {answer.status_code for answer in said.values()} == {403}
    assert b"supported-calendar-component" in said["a to-do"].data
    assert b"max-resource-size" in said["a long line"].data
    assert b"valid-calendar-object-resource" in said["two uids"].data
    assert db.session.scalars(sa.select(CalendarEntry)).all() == []


def test_one_officers_zone_never_becomes_anothers(program: Program) -> None:
    """A program says what Europe/London is, wrongly; the next one believes the world."""
    wrong = plain(
        "BEGIN:VTIMEZONE", "TZID:Europe/London", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:-0500",
        "TZOFFSETTO:-0500", "END:STANDARD", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:x@x",
        "DTSTART;TZID=Europe/London:20260714T140000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2", "END:VEVENT",
    )  # fmt: skip
    right = event("y@x", "a", "20260714T140000", 60, "RRULE:FREQ=DAILY;COUNT=2")

    for text in (wrong, right):
        begin = caldav_text.read(text).starts_at
        spans = recurrence.busy_spans(text, begin=begin, end=begin + recurrence.HORIZON)
        assert [span.start.hour for span in spans] == [13, 13]


@pytest.mark.parametrize(
    ("name", "hour"),
    [
        ("GMT Standard Time", 13),
        ("/freeassociation.sourceforge.net/Europe/Berlin", 12),
        ("Europe/Berlin", 12),
        ('"Europe/London"', 13),
    ],
)
def test_zones_by_their_many_names_are_read(name: str, hour: int) -> None:
    text = plain("BEGIN:VEVENT", "UID:x@x", f"DTSTART;TZID={name}:20260714T140000", "END:VEVENT")

    assert caldav_text.read(text).starts_at.hour == hour


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    f"<D:propfind {NAMESPACES}><D:prop>&b;</D:prop></D:propfind>"
)
FETCHES = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    f"<D:propfind {NAMESPACES}><D:prop>&e;</D:prop></D:propfind>"
)


@pytest.mark.parametrize(
    "body",
    [LAUGHS, FETCHES, "<", "", "<a>" * 3_000 + "</a>" * 3_000, "<a>" + "<b/>" * 30_000 + "</a>", "x" * 2_000_000],
)
def test_xml_that_swells_or_fetches_or_breaks_is_not_read(body: str) -> None:
    with Hurry(), pytest.raises(caldav_xml.UnreadableXml):
        caldav_xml.read(body.encode())


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("REPORT", LAUGHS, 400),
        ("PROPFIND", LAUGHS, 400),
        ("PROPPATCH", "<", 400),
        ("REPORT", f"<D:expand-property {NAMESPACES}/>", 403),
        ("REPORT", f"<C:calendar-query {NAMESPACES}/>", 403),
        ("REPORT", f"<C:free-busy-query {NAMESPACES}><C:time-range start='x' end='y'/></C:free-busy-query>", 403),
        ("REPORT", f"<D:sync-collection {NAMESPACES}><D:sync-token>x</D:sync-token></D:sync-collection>", 403),
        ("REPORT", f"<C:calendar-multiget {NAMESPACES}><D:href>//[::</D:href></C:calendar-multiget>", 207),
    ],
)
def test_reports_that_make_no_sense_are_answered(program: Program, method: str, body: str, status: int) -> None:
    assert program.ask(method, program.path, body).status_code == status


def test_a_calendar_is_not_walked_all_the_way_down(program: Program) -> None:
    answer = program.ask("PROPFIND", program.path, "", Depth="infinity")

    assert (answer.status_code, b"propfind-finite-depth" in answer.data) == (403, True)


def test_the_same_times_are_unrolled_as_everywhere(freeze: Any) -> None:
    """A series over the end of summer time, one date left out and one moved by hand."""
    text = event("s@x", "a", "20261012T090000", 60, "RRULE:FREQ=WEEKLY;COUNT=4",
                 "EXDATE;TZID=Europe/London:20261019T090000").replace(
        b"END:VCALENDAR",
        b"BEGIN:VEVENT\r\nUID:s@x\r\nRECURRENCE-ID;TZID=Europe/London:20261026T090000\r\n"
        b"DTSTART;TZID=Europe/London:20261027T100000\r\nDURATION:PT30M\r\nEND:VEVENT\r\nEND:VCALENDAR",
    )  # fmt: skip
    begin = caldav_text.read(text).starts_at

    spans = recurrence.busy_spans(text, begin=begin, end=begin + recurrence.HORIZON)

    assert [f"{span.start:%d %H:%M}" for span in spans] == ["12 08:00", "27 10:00", "02 09:00"]

"""Text cannot change a calendar's lines (G19), and what goes out is what was meant."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from crm.calendars import ical
from crm.calendars.ical import CalendarNotAsMeant, EventFacts, Mailbox, property_names
from crm.delivery import Invitation
from crm.delivery.mime import check_invitation

STAMP = datetime(2026, 7, 6, 8, 30, tzinfo=UTC)
ORGANISER = Mailbox("visits@kestrel.example.org", "Kestrel Fostering")
NASTY = "\r\n\0\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\ufeff\u202e\x1b:;,\"\\^'=<>"
TEXT = st.one_of(
    st.text(max_size=80),
    st.text(alphabet=st.sampled_from(NASTY + "ab ü𝔘"), max_size=40),
    st.sampled_from(
        [
            "a\r\nATTENDEE:mailto:someone@example.org",
            "a\nBEGIN:VALARM",
            "a\rLOCATION:12 Rowan Close",
            "=?UTF-8?Q?=0A?=x",
            "x" * 1200,
            "ü" * 300,
            '";CN="other":mailto:b@example.org',
            "END:VEVENT\r\nBEGIN:VEVENT",
            "\\n\\;\\,",
            "^n^'^^",
        ]
    ),
)
LOCAL = st.text(alphabet="abcxyz0123456789.+_'-!#$%&*/=?^`{|}~", min_size=1, max_size=40).filter(
    lambda local: not local.startswith(".") and not local.endswith(".") and ".." not in local
)
CASES = 2000
"""By day; the same number for every push, because it is the promise."""

MESSAGE_LINES = sorted([*ical.FRAME_PROPERTIES, *ical.EVENT_PROPERTIES, *ical.PEOPLE_PROPERTIES])


def facts(**changes: object) -> EventFacts:
    given_facts: dict[str, object] = {
        "uid": "3f9c@kestrel.example.org",
        "sequence": 0,
        "starts_at": datetime(2026, 7, 14, 13, tzinfo=UTC),
        "ends_at": datetime(2026, 7, 14, 14, 30, tzinfo=UTC),
        "summary": "Kestrel visit",
        "location": "At your home",
        "description": ["A visit from Kestrel Fostering.", "If something comes up, ring 01632 960 140."],
        "url": "https://kestrel.example.org/",
        **changes,
    }
    return EventFacts(**given_facts)  # type: ignore[arg-type]


def message(
    name: str = "Maya Thompson", email: str = "maya@example.org", method: str = "REQUEST", **changes: object
) -> bytes:
    return ical.message(
        facts(**changes), method=method, stamp=STAMP, organiser=ORGANISER, attendee=Mailbox(email, name)
    )


@settings(max_examples=CASES, derandomize=True)
@given(summary=TEXT, location=TEXT, lines=st.lists(TEXT, max_size=4), name=TEXT, local=LOCAL, url=TEXT)
@example(summary="a\rb", location="a\x85b", lines=["a\u2028b"], name="a\u2029b", local="o'brien", url="x\r\ny")
def test_no_text_adds_takes_or_breaks_a_line(summary, location, lines, name, local, url):
    raw = message(name, f"{local}@example.org", summary=summary, location=location, description=lines, url=url)

    # Unfolded, then split wherever any reader might: at CRLF, at LF and at CR.
    assert sorted(property_names(raw)) == MESSAGE_LINES
    assert not any(ord(c) < 32 and c not in "\r\n" for c in raw.decode())
    event = Calendar.from_ical(raw).events[0]
    assert len(event.attendees) == 1
    assert str(event.attendees[0]) == f"mailto:{local}@example.org"
    check_invitation(
        Invitation(ics=raw, method="REQUEST"), organiser="visits@kestrel.example.org", attendee=f"{local}@example.org"
    )


@settings(max_examples=200, derandomize=True)
@given(texts=st.lists(TEXT, max_size=5))
def test_a_feed_holds_each_event_once_whatever_it_says(texts):
    events = [
        ical.event_text(facts(uid=f"{n}@k.example.org", summary=text), stamp=STAMP) for n, text in enumerate(texts)
    ]

    raw = ical.feed("Kestrel visits", events)

    assert sorted(property_names(raw)) == sorted([*ical.FEED_PROPERTIES, *(ical.EVENT_PROPERTIES * len(events))])
    assert len(Calendar.from_ical(raw).events) == len(texts)


def test_the_gate_holds_when_python_drops_its_assertions():
    """The same property, 2,000 cases, in a Python that drops every ``assert``: the check must not be one."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("without_assertions.py"))],
        env={**environ, "PYTHONOPTIMIZE": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert f"{CASES} cases, assertions off" in done.stdout


@pytest.mark.parametrize(
    "raw",
    [
        b"BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT",
        b"BEGIN:VEVENT\r\nSUMMARY:a\rX:b\r\nEND:VEVENT\r\n",
        b"BEGIN:VEVENT\r\nSUMMARY:a\x0bb\r\nEND:VEVENT\r\n",
    ],
)
def test_lines_that_are_not_the_ones_meant_go_nowhere(raw):
    with pytest.raises(CalendarNotAsMeant):
        ical.check_lines(raw, ("BEGIN", "SUMMARY", "END"))


def test_an_event_without_a_zone_or_that_ends_before_it_starts_is_not_made():
    naive = datetime(2026, 7, 14, 14)
    start = datetime(2026, 7, 14, 14, tzinfo=UTC)

    with pytest.raises(CalendarNotAsMeant):
        message(starts_at=naive)
    with pytest.raises(CalendarNotAsMeant):
        message(ends_at=start - timedelta(hours=1))


def test_the_same_event_is_the_same_bytes():
    assert message() == message()
    assert ical.event_text(facts(), stamp=STAMP) == ical.event_text(facts(), stamp=STAMP)


def test_the_frame_has_no_identity_of_its_own():
    """A UID on the VCALENDAR is taken by some programs for every event's."""
    calendar = Calendar.from_ical(ical.feed("Kestrel visits", []))

    assert "UID" not in calendar
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n" in ical.feed("Kestrel visits", [])


@pytest.mark.parametrize(
    ("london", "utc"),
    [
        ("2027-03-26T09:00:00+00:00", b"20270326T090000Z"),  # the Friday before the clocks go forward
        ("2027-03-29T09:00:00+01:00", b"20270329T080000Z"),  # the Monday after
        ("2026-10-25T01:30:00+01:00", b"20261025T003000Z"),  # the hour that comes twice, first time
        ("2026-10-25T01:30:00+00:00", b"20261025T013000Z"),  # and the second
    ],
)
def test_times_are_utc_on_both_sides_of_a_clock_change(london, utc):
    start = datetime.fromisoformat(london)

    event = Calendar.from_ical(message(starts_at=start, ends_at=start + timedelta(hours=2))).events[0]

    assert event["DTSTART"].to_ical() == utc
    assert event.end - event.start == timedelta(hours=2)


def test_a_cancellation_says_that_it_is_off():
    calendar = Calendar.from_ical(message(method="CANCEL", cancelled=True, sequence=2))

    assert str(calendar["METHOD"]) == "CANCEL"
    assert str(calendar.events[0]["STATUS"]) == "CANCELLED"
    assert int(calendar.events[0]["SEQUENCE"]) == 2

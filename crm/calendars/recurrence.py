"""When a series of events takes place, as far as it is safe to ask.

The library that unrolls a rule never gives up: one that fits no day at all is tried up to the year 9999. So only rules
of the shapes that people's calendars make are unrolled, each of which is sure to find its next day soon. Of any other,
the first date alone is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from math import gcd
from typing import Any

import recurring_ical_events
from icalendar import Calendar

from crm.calendars import caldav_text
from crm.calendars.caldav_text import Line
from crm.clock import LONDON
from crm.rules.intervals import Span, merge

OLDEST_YEAR = 1970
MOST_DATES = 1_000
"""Extra or left-out dates named one by one in a series; more and it is not unrolled."""
MOST_SPANS = 2_000
_LONGEST_MONTH_DAY = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
_PARTS = {
    "DAILY": {"BYDAY"},
    "WEEKLY": {"BYDAY"},
    "MONTHLY": {"BYDAY", "BYMONTHDAY", "BYSETPOS"},
    "YEARLY": {"BYDAY", "BYMONTHDAY", "BYMONTH"},
}
_PLAIN_DAYS = re.compile(r"(MO|TU|WE|TH|FR|SA|SU)(,(MO|TU|WE|TH|FR|SA|SU))*")
_DAYS = re.compile(r"[+-]?[1-5]?(MO|TU|WE|TH|FR|SA|SU)(,[+-]?[1-5]?(MO|TU|WE|TH|FR|SA|SU))*")


def busy_spans(body: bytes, *, begin: datetime, end: datetime) -> tuple[Span, ...]:
    """When the events of this text take time between two instants, put together where they touch."""
    found = [
        Span(start, finish)
        for start, finish, event in occurrences(body, begin=begin, end=end)
        if str(event.get("TRANSP", "")).upper() != "TRANSPARENT"
        and str(event.get("STATUS", "")).upper() != "CANCELLED"
        and str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper() != "FREE"
    ]
    return merge(found)


def occurrences(body: bytes, *, begin: datetime, end: datetime) -> list[tuple[datetime, datetime, Any]]:
    """Each time an event of this text takes place that touches the span, with the event as it then is: UTC, in order.

    Occurrences that end before they begin are left out: the library makes them in the hour that a spring night skips.
    """
    text, is_safe = cleaned(body)
    calendar = Calendar.from_ical(text)
    if is_safe:
        events = recurring_ical_events.of(calendar, skip_bad_series=True).between(begin, end)
    else:
        events = list(calendar.walk("VEVENT"))[:1]
    found = []
    for event in events[:MOST_SPANS]:
        try:
            start, finish = _instant(event.start), _instant(event.end)
        except (ValueError, TypeError, OverflowError):
            continue
        if finish >= start and start < end and (finish > begin or start >= begin):
            found.append((start, finish, event))
    return sorted(found, key=lambda one: one[:2])


def cleaned(body: bytes) -> tuple[str, bool]:
    """A program's text for the library: the events alone, without alarms and in zones that we know; and whether every
    rule in it may be unrolled."""
    zones = caldav_text.zones_of(body)
    kept: list[str] = []
    inside: list[str] = []
    rules: list[Line] = []
    beginnings: list[Line] = []
    dates = 0
    for line in caldav_text.content_lines(caldav_text.decoded(body)):
        if line.name == "BEGIN":
            inside.append(line.value.strip().upper())
        if inside == ["VCALENDAR"] or inside == ["VCALENDAR", "VEVENT"]:
            if line.name == "RRULE":
                rules.append(line)
            if line.name == "DTSTART":
                beginnings.append(line)
            if line.name in ("RDATE", "EXDATE"):
                dates += line.value.count(",") + 1
            kept.append(_in_known_zone(line, zones))
        if line.name == "END":
            inside.pop()
    is_safe = (
        dates <= MOST_DATES
        and len(rules) <= 1
        and all(_year(line) >= OLDEST_YEAR for line in beginnings)
        and all(is_soon_met(line.value) for line in rules)
    )
    return "".join(kept), is_safe


def _in_known_zone(line: Line, zones: dict[str, tzinfo]) -> str:
    raw = line.raw if line.raw.endswith("\n") else f"{line.raw}\r\n"
    name = line.parameters.get("TZID")
    if name is None:
        return raw
    zone = caldav_text.zone_named(name, zones)
    rest = "".join(f';{key}="{value}"' for key, value in line.parameters.items() if key not in ("TZID", "VALUE"))
    value = f";VALUE={line.parameters['VALUE']}" if "VALUE" in line.parameters else ""
    return f"{line.name};TZID={getattr(zone, 'key', 'UTC')}{value}{rest}:{line.value}\r\n"


def _year(line: Line) -> int:
    digits = line.value.strip()[:4]
    return int(digits) if digits.isdigit() else 0


def is_soon_met(rule: str) -> bool:
    """Whether a rule has one of the shapes that are sure to find a next day within some years."""
    parts: dict[str, str] = {}
    for part in rule.strip().upper().split(";"):
        name, _, value = part.partition("=")
        if name in parts or not value:
            return False
        parts[name] = value
    frequency, interval = parts.pop("FREQ", ""), parts.pop("INTERVAL", "1")
    for harmless in ("COUNT", "UNTIL", "WKST"):
        parts.pop(harmless, None)
    if frequency not in _PARTS or not parts.keys() <= _PARTS[frequency] or not re.fullmatch(r"[1-9]\d{0,2}", interval):
        return False
    days = parts.get("BYDAY")
    if days is not None:
        if not (_PLAIN_DAYS if frequency in ("DAILY", "WEEKLY") else _DAYS).fullmatch(days) or len(days) > 60:
            return False
        if frequency == "DAILY" and gcd(int(interval), 7) != 1:
            return False
    if not _may_be_a_date(parts):
        return False
    position = parts.get("BYSETPOS")
    if position is None:
        return True
    return (
        bool(re.fullmatch(r"-?[1-4]", position) and days and _PLAIN_DAYS.fullmatch(days)) and "BYMONTHDAY" not in parts
    )


def _may_be_a_date(parts: dict[str, str]) -> bool:
    months, days = _numbers(parts.get("BYMONTH"), 12), _numbers(parts.get("BYMONTHDAY"), 31)
    if months is None or days is None or any(month < 1 for month in months):
        return False
    if not days:
        return True
    # A day of the month on a given day of the week falls due within a few years, but not the fifth Monday on the first.
    if "BYDAY" in parts and not _PLAIN_DAYS.fullmatch(parts["BYDAY"]):
        return False
    return any(abs(day) <= _LONGEST_MONTH_DAY[month] for day in days for month in months or range(1, 13))


def _numbers(value: str | None, highest: int) -> Sequence[int] | None:
    """The numbers of a list, none of them nought; None where it is none."""
    if value is None:
        return ()
    if not re.fullmatch(r"[+-]?\d{1,2}(,[+-]?\d{1,2}){0,30}", value):
        return None
    found = [int(one) for one in value.split(",")]
    return found if all(one and abs(one) <= highest for one in found) else None


def _instant(when: date) -> datetime:
    if not isinstance(when, datetime):
        return datetime.combine(when, time(), tzinfo=LONDON).astimezone(UTC)
    return (when if when.tzinfo else when.replace(tzinfo=LONDON)).astimezone(UTC)


HORIZON = timedelta(days=190)
"""How far ahead the times of a series are worked out; it is moved on each night."""

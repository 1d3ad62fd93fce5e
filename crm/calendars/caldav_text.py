"""What an officer's own calendar program wrote, read with suspicion and kept as it is.

The text is split into its lines here and nothing else is made of it: no alarm is unrolled, and no zone that a program
describes is believed or kept, because libraries keep zones for the whole process and one officer's would then change
another's times. Every zone becomes one of those we know, or the text is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from crm.clock import LONDON

LARGEST_BYTES = 100 * 1024
MOST_LINES = 2_000
MOST_EVENTS = 100
"""A series with so many of its dates changed by hand is no series any more."""
DEEPEST = 3
LONGEST_UID = 255
LONGEST_TEXT = 1_000
FARTHEST_YEARS = (1900, 2200)

_NAME = re.compile(r"[A-Za-z0-9-]+")
_PIECES = re.compile(r'"[^"]*"|[^";:]+|[;:]')
_DURATION = re.compile(r"([+-]?)P(?:(\d{1,4})W|(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?)")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_ESCAPED = re.compile(r"\\(.)")


class NotOurKind(ValueError):
    """A program sent something that can't be kept. ``precondition`` is the name that RFC 4791 5.3.2.1 gives it."""

    def __init__(self, why: str, precondition: str = "valid-calendar-object-resource") -> None:
        super().__init__(why)
        self.precondition = precondition


class Line(NamedTuple):
    """One content line: its name in capitals, its parameters, its value, and the text it was read from."""

    name: str
    parameters: dict[str, str]
    value: str
    raw: str


@dataclass(frozen=True, kw_only=True)
class Written:
    """One event as a program wrote it, or a series of them under one UID. Times are UTC."""

    uid: str
    summary: str
    place: str
    starts_at: datetime
    ends_at: datetime
    """The same as the beginning where the event takes no time."""
    is_all_day: bool
    repeats: bool
    takes_time: bool
    """False for what is marked as free, or as called off."""
    is_called_off: bool


def read(body: bytes) -> Written:
    """Read what a program put. Raises NotOurKind for what is no single event, or is made to hurt."""
    events = [lines for kind, lines in _components(decoded(body)) if kind == "VEVENT"]
    zones = zones_of(body)
    if not events:
        raise NotOurKind("there is no event in it", "supported-calendar-component")
    if len(events) > MOST_EVENTS:
        raise NotOurKind("too many exceptions to one series")
    uids = {line.value.strip() for lines in events for line in lines if line.name == "UID"}
    if len(uids) != 1 or any(not _has(lines, "UID") for lines in events):
        raise NotOurKind("exactly one UID is needed")
    uid = uids.pop()
    if not uid or len(uid) > LONGEST_UID:
        raise NotOurKind("the UID can't be kept")
    masters = [lines for lines in events if not _has(lines, "RECURRENCE-ID")]
    if len(masters) > 1:
        raise NotOurKind("two events have the same UID")
    spans = [_span(lines, zones) for lines in events]
    chosen = masters[0] if masters else events[0]
    starts_at, ends_at, is_all_day = spans[events.index(chosen)]
    is_called_off = _value(chosen, "STATUS").upper() == "CANCELLED"
    is_free = (
        _value(chosen, "TRANSP").upper() == "TRANSPARENT"
        or _value(chosen, "X-MICROSOFT-CDO-BUSYSTATUS").upper() == "FREE"
    )
    return Written(
        uid=uid,
        summary=plain_value(_value(chosen, "SUMMARY"))[:LONGEST_TEXT],
        place=plain_value(_value(chosen, "LOCATION"))[:LONGEST_TEXT],
        starts_at=starts_at,
        ends_at=ends_at,
        is_all_day=is_all_day,
        repeats=len(events) > 1 or _has(chosen, "RRULE") or _has(chosen, "RDATE"),
        takes_time=not is_free and not is_called_off,
        is_called_off=is_called_off,
    )


def decoded(body: bytes) -> str:
    """The text of a body that is small and clean enough to be looked at. Raises NotOurKind."""
    if len(body) > LARGEST_BYTES:
        raise NotOurKind("it is too long", "max-resource-size")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise NotOurKind("it is not UTF-8", "valid-calendar-data") from fault
    if _CONTROLS.search(text):
        raise NotOurKind("it holds a control character", "valid-calendar-data")
    return text


def content_lines(text: str) -> list[Line]:
    """The content lines, unfolded. Raises NotOurKind for one that is none."""
    raws: list[str] = []
    for piece in re.split(r"(?<=\n)", text.removeprefix("\ufeff")):
        if not piece.strip("\r\n"):
            continue
        if piece[0] in " \t":
            if not raws:
                raise NotOurKind("it begins in the middle of a line", "valid-calendar-data")
            raws[-1] += piece
        else:
            raws.append(piece)
        if len(raws) > MOST_LINES:
            raise NotOurKind("it has too many lines", "max-resource-size")
    return [_line(raw) for raw in raws]


def of_events(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines of the events themselves, without what stands inside or beside them."""
    inside: list[str] = []
    for line in lines:
        if line.name == "BEGIN":
            inside.append(line.value.strip().upper())
        elif line.name == "END":
            inside.pop()
        elif inside[1:] == ["VEVENT"]:
            yield line


def _line(raw: str) -> Line:
    text = re.sub(r"\r?\n[ \t]", "", raw).rstrip("\r\n")
    parts = [""]
    at = 0
    while at < len(text):
        piece = _PIECES.match(text, at)
        if piece is None or piece[0] == ":":
            break
        at = piece.end()
        if piece[0] == ";":
            parts.append("")
        else:
            parts[-1] += piece[0]
    if not _NAME.fullmatch(parts[0]) or text[at : at + 1] != ":":
        raise NotOurKind("a line of it can't be read", "valid-calendar-data")
    parameters = {name.upper(): value.strip('"') for name, _, value in (part.partition("=") for part in parts[1:])}
    return Line(parts[0].upper(), parameters, text[at + 1 :], raw)


def _components(text: str) -> Iterator[tuple[str, list[Line]]]:
    """The events and zones with their own lines, without what stands inside them. Raises NotOurKind."""
    open_ones: list[str] = []
    inside: list[Line] = []
    calendars = 0
    for line in content_lines(text):
        if line.name == "BEGIN":
            kind = line.value.strip().upper()
            if not open_ones:
                calendars += 1
                if kind != "VCALENDAR" or calendars > 1:
                    raise NotOurKind("exactly one calendar is needed", "valid-calendar-data")
            elif len(open_ones) == 1:
                if kind not in ("VEVENT", "VTIMEZONE"):
                    raise NotOurKind("only events are kept here", "supported-calendar-component")
                inside = []
            open_ones.append(kind)
            if len(open_ones) > DEEPEST:
                raise NotOurKind("it goes too deep", "valid-calendar-data")
        elif line.name == "END":
            if not open_ones or open_ones[-1] != line.value.strip().upper():
                raise NotOurKind("its parts don't close", "valid-calendar-data")
            kind = open_ones.pop()
            if len(open_ones) == 1:
                yield kind, inside
        elif not open_ones:
            raise NotOurKind("something stands outside the calendar", "valid-calendar-data")
        elif len(open_ones) == 2 or (open_ones[1:2] == ["VTIMEZONE"] and line.name in ("TZOFFSETTO", "DTSTART")):
            inside.append(line)
    if open_ones or not calendars:
        raise NotOurKind("it breaks off", "valid-calendar-data")


def _has(lines: Sequence[Line], name: str) -> bool:
    return any(line.name == name for line in lines)


def _value(lines: Sequence[Line], name: str) -> str:
    return next((line.value for line in lines if line.name == name), "").strip()


def plain_value(value: str) -> str:
    """A text value as it is meant, on one line."""
    unescaped = _ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], value)
    return " ".join(unescaped.split())


# --- Times ------------------------------------------------------------------------------------------------------------


def _span(lines: Sequence[Line], zones: dict[str, tzinfo]) -> tuple[datetime, datetime, bool]:
    begins = [line for line in lines if line.name == "DTSTART"]
    ends = [line for line in lines if line.name == "DTEND"]
    lasts = [line for line in lines if line.name == "DURATION"]
    if len(begins) != 1 or len(ends) + len(lasts) > 1:
        raise NotOurKind("it needs one beginning and one end")
    start, is_all_day = moment(begins[0], zones)
    if ends:
        end, ends_on_a_day = moment(ends[0], zones)
        if ends_on_a_day != is_all_day:
            raise NotOurKind("it begins with a date and ends with a time, or the other way round")
    elif lasts:
        end = start + duration(lasts[0].value)
    else:
        end = moment(begins[0], zones, days_later=1)[0] if is_all_day else start
    if end < start:
        raise NotOurKind("it ends before it begins")
    return start, end, is_all_day


def moment(line: Line, zones: dict[str, tzinfo], *, days_later: int = 0) -> tuple[datetime, bool]:
    """The instant in UTC of a line, and whether it names a day only. A time without a zone is London's."""
    value = line.value.strip()
    try:
        if re.fullmatch(r"\d{8}", value):
            day = date(int(value[:4]), int(value[4:6]), int(value[6:])) + timedelta(days=days_later)
            found, is_day = datetime(day.year, day.month, day.day, tzinfo=LONDON), True
        elif re.fullmatch(r"\d{8}T\d{6}Z?", value):
            zone = UTC if value.endswith("Z") else zone_named(line.parameters.get("TZID"), zones)
            found, is_day = datetime.strptime(value[:15], "%Y%m%dT%H%M%S").replace(tzinfo=zone), False
        else:
            raise ValueError(value)
        if not FARTHEST_YEARS[0] <= found.year <= FARTHEST_YEARS[1]:
            raise ValueError(value)
        return found.astimezone(UTC), is_day
    except (ValueError, OverflowError) as fault:
        if isinstance(fault, NotOurKind):
            raise
        raise NotOurKind(f"{line.name} is no time") from fault


def duration(value: str) -> timedelta:
    """How long a DURATION is. Raises NotOurKind for none, and for a negative one."""
    found = _DURATION.fullmatch(value.strip().upper())
    if found is None or found[1] == "-" or not any(found.groups()[1:]):
        raise NotOurKind("DURATION is none")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    if length > timedelta(days=3660):
        raise NotOurKind("it lasts too long")
    return length


def zones_of(body: bytes) -> dict[str, tzinfo]:
    """The zones that a text describes, each as one that we know. Raises NotOurKind where none is like it."""
    found: dict[str, tzinfo] = {}
    for kind, lines in _components(decoded(body)):
        if kind != "VTIMEZONE":
            continue
        name = _value(lines, "TZID")
        offsets = {line.value.strip() for line in lines if line.name == "TZOFFSETTO"}
        zone = known_zone(name) or known_zone(_value(lines, "X-LIC-LOCATION")) or _zone_with(frozenset(offsets))
        if zone is not None:
            found[name] = zone
    return found


def zone_named(name: str | None, zones: dict[str, tzinfo]) -> tzinfo:
    """The zone of a TZID: as the text describes it, or as the world knows it. Raises NotOurKind."""
    if not name:
        return LONDON
    zone = zones.get(name) or known_zone(name)
    if zone is None:
        raise NotOurKind("its zone is not known", "valid-calendar-data")
    return zone


@lru_cache(maxsize=256)
def known_zone(name: str) -> tzinfo | None:
    """The zone behind one of its many names: Europe/London, GMT Standard Time, /example.org/Europe/London."""
    name = name.strip().strip('"')
    candidates = [name, WINDOWS_TO_OLSON.get(name, "")]
    parts = name.strip("/").split("/")
    candidates += ["/".join(parts[n:]) for n in range(1, len(parts))]
    for one in candidates:
        if one in _names_of_zones():
            return ZoneInfo(one)
    return None


@lru_cache(maxsize=1)
def _names_of_zones() -> frozenset[str]:
    """Asked once: the answer is read from files."""
    return frozenset(available_timezones())


@lru_cache(maxsize=64)
def _zone_with(offsets: frozenset[str]) -> tzinfo | None:
    """A zone of Europe with exactly these offsets, ours first; for names that a program made up."""
    if not offsets or len(offsets) > 2 or not all(re.fullmatch(r"[+-]\d{4}(\d\d)?", one) for one in offsets):
        return None
    wanted = {timedelta(hours=int(one[1:3]), minutes=int(one[3:5])) * (-1 if one[0] == "-" else 1) for one in offsets}
    for name in ("Europe/London", "UTC", "Europe/Paris", "Europe/Athens", "America/New_York"):
        zone = ZoneInfo(name)
        if {datetime(2026, month, 15, 12, tzinfo=zone).utcoffset() for month in (1, 7)} == wanted:
            return zone
    return None


# --- The same text with other times -----------------------------------------------------------------------------------


def with_times(body: bytes, *, starts_at: datetime, ends_at: datetime, sequence: int, now: datetime) -> bytes | None:
    """A program's own text of a single event, moved: its alarms, colours and notes stay. None where it is a series."""
    lines = content_lines(decoded(body))
    if sum(line.name == "BEGIN" and line.value.strip().upper() == "VEVENT" for line in lines) != 1:
        return None
    new = {
        "DTSTART": f"DTSTART:{_stamp(starts_at)}\r\n",
        "DTEND": f"DTEND:{_stamp(ends_at)}\r\n",
        "SEQUENCE": f"SEQUENCE:{sequence}\r\n",
        "DTSTAMP": f"DTSTAMP:{_stamp(now)}\r\n",
        "LAST-MODIFIED": f"LAST-MODIFIED:{_stamp(now)}\r\n",
        "STATUS": "STATUS:CONFIRMED\r\n",
    }
    out: list[str] = []
    inside: list[str] = []
    for line in lines:
        if line.name == "BEGIN":
            inside.append(line.value.strip().upper())
        elif line.name == "END":
            if inside == ["VCALENDAR", "VEVENT"]:
                out.extend(new.values())
            inside.pop()
        elif inside == ["VCALENDAR", "VEVENT"] and (line.name in new or line.name in ("DURATION", "RRULE", "RDATE")):
            continue
        out.append(line.raw if line.raw.endswith("\n") else f"{line.raw}\r\n")
    return "".join(out).encode()


def _stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


# --- For messages about events ----------------------------------------------------------------------------------------


def lines_of_events(text: str) -> list[list[Line]]:
    """The lines of each event in a calendar object. Raises NotOurKind."""
    return [lines for kind, lines in _components(text) if kind == "VEVENT"]


def span_of(lines: Sequence[Line], body: bytes) -> tuple[datetime, datetime, bool]:
    """When an event begins and ends, and whether it lasts whole days. Raises NotOurKind."""
    return _span(lines, zones_of(body))


def value_of(lines: Sequence[Line], name: str) -> str:
    """The value of the first line of a name, or nothing."""
    return _value(lines, name)

"""What calendar programs are told: properties of the calendar and of the events in it, and the answers to reports.

Text of ours names nobody. What an officer's program wrote goes back as it came, to that officer alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from icalendar import Calendar

from crm.calendars import caldav_reading, caldav_text, caldav_xml, ical, recurrence
from crm.calendars.caldav_writing import tag_of
from crm.calendars.caldav_xml import APPLE, CALDAV, CALENDAR_SERVER, DAV, Element, Name
from crm.calendars.models import CalendarEntry
from crm.clock import LONDON
from crm.rules.intervals import Span, merge

TYPE_OF_AN_EVENT = "text/calendar; charset=utf-8; component=VEVENT"
LONGEST_RANGE_DAYS = 800
"""For what has to be unrolled; a program that asks for more gets the part that is near its beginning."""
COLOUR = "#1D5B79FF"
COLLATIONS = ("i;ascii-casemap", "i;octet")
_PRIVILEGES = ("read", "write", "write-content", "bind", "unbind", "read-current-user-privilege-set")
_REPORTS = (
    (CALDAV, "calendar-query"),
    (CALDAV, "calendar-multiget"),
    (CALDAV, "free-busy-query"),
    (DAV, "sync-collection"),
)
_WHEN = re.compile(r"\d{8}T\d{6}Z")

Value = Callable[[], str]


class NotAsked(ValueError):
    """A report is not one that we answer, or can't be read. ``precondition`` is the standard's name for it."""

    def __init__(self, precondition: Name) -> None:
        super().__init__(precondition[1])
        self.precondition = precondition


@dataclass(frozen=True)
class Home:
    """Whose calendar it is, and at what address: everything a program is told of its owner."""

    user_id: int
    name: str
    email: str
    root: str
    """The address of the door, such as /caldav/."""
    service: str

    @property
    def path(self) -> str:
        return f"{self.root}{self.user_id}/"

    @property
    def calendar_path(self) -> str:
        return f"{self.path}visits/"

    def path_of(self, name: str) -> str:
        return self.calendar_path + quote(name, safe="@:")

    def name_in(self, href: str) -> str | None:
        """The name of an event of this calendar in an address, whole or relative; None for any other address."""
        try:
            path = unquote(urlsplit(href.strip()).path)
        except ValueError:
            return None
        head, _, name = path.rpartition("/")
        return name if name and f"{head}/" == self.calendar_path else None


# --- Properties -------------------------------------------------------------------------------------------------------


def properties_of_root(home: Home) -> dict[Name, Value]:
    return {
        **_common(home),
        (DAV, "resourcetype"): lambda: caldav_xml.tag((DAV, "collection")),
        (DAV, "displayname"): lambda: caldav_xml.text(home.service),
    }


def properties_of_home(home: Home) -> dict[Name, Value]:
    """The officer, and the place where their calendars are: one address serves as both."""
    own = caldav_xml.href(home.path)
    return {
        **_common(home),
        (DAV, "resourcetype"): lambda: caldav_xml.tag((DAV, "collection")) + caldav_xml.tag((DAV, "principal")),
        (DAV, "displayname"): lambda: caldav_xml.text(home.name),
        (DAV, "principal-URL"): lambda: own,
        (CALDAV, "calendar-home-set"): lambda: own,
        (CALDAV, "calendar-user-address-set"): lambda: caldav_xml.href(f"mailto:{home.email}"),
        (CALENDAR_SERVER, "email-address-set"): lambda: caldav_xml.tag(
            (CALENDAR_SERVER, "email-address"), caldav_xml.text(home.email)
        ),
    }


def properties_of_calendar(home: Home) -> dict[Name, Value]:
    change = caldav_reading.change_of(home.user_id)
    return {
        **_common(home),
        (DAV, "resourcetype"): lambda: caldav_xml.tag((DAV, "collection")) + caldav_xml.tag((CALDAV, "calendar")),
        (DAV, "displayname"): lambda: caldav_xml.text(f"{home.service} visits"),
        (DAV, "sync-token"): lambda: caldav_xml.text(sync_token(home, change)),
        (DAV, "getcontenttype"): lambda: "text/calendar; charset=utf-8",
        (CALENDAR_SERVER, "getctag"): lambda: caldav_xml.text(sync_token(home, change)),
        (CALDAV, "supported-calendar-component-set"): lambda: '<C:comp name="VEVENT"/>',
        (CALDAV, "supported-calendar-data"): lambda: '<C:calendar-data content-type="text/calendar" version="2.0"/>',
        (CALDAV, "supported-collation-set"): lambda: "".join(
            f"<C:supported-collation>{name}</C:supported-collation>" for name in COLLATIONS
        ),
        (CALDAV, "max-resource-size"): lambda: str(caldav_text.LARGEST_BYTES),
        (CALDAV, "schedule-calendar-transp"): lambda: caldav_xml.tag((CALDAV, "opaque")),
        (APPLE, "calendar-color"): lambda: COLOUR,
        (DAV, "supported-report-set"): lambda: "".join(
            f"<D:supported-report><D:report>{caldav_xml.tag(name)}</D:report></D:supported-report>" for name in _REPORTS
        ),
    }


def _common(home: Home) -> dict[Name, Value]:
    own = caldav_xml.href(home.path)
    privileges = "".join(f"<D:privilege>{caldav_xml.tag((DAV, name))}</D:privilege>" for name in _PRIVILEGES)
    return {
        (DAV, "current-user-principal"): lambda: own,
        (DAV, "owner"): lambda: own,
        (DAV, "principal-collection-set"): lambda: caldav_xml.href(home.root),
        (DAV, "current-user-privilege-set"): lambda: privileges,
    }


_OF_AN_EVENT: dict[Name, Callable[[CalendarEntry, Home], str]] = {
    (DAV, "getetag"): lambda entry, _home: f'"{tag_of(entry)}"',
    (DAV, "getcontenttype"): lambda _entry, _home: TYPE_OF_AN_EVENT,
    (DAV, "resourcetype"): lambda _entry, _home: "",
    (DAV, "getlastmodified"): lambda entry, _home: entry.changed_at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
    (DAV, "displayname"): lambda entry, _home: caldav_xml.text(entry.name),
    (DAV, "current-user-principal"): lambda _entry, home: caldav_xml.href(home.path),
    (DAV, "owner"): lambda _entry, home: caldav_xml.href(home.path),
    (DAV, "current-user-privilege-set"): lambda _entry, home: _common(home)[(DAV, "current-user-privilege-set")](),
}
_OF_ALL_EVENTS = ((DAV, "getetag"), (DAV, "getcontenttype"), (DAV, "resourcetype"), (DAV, "getlastmodified"))


@dataclass(frozen=True)
class Wanted:
    """The properties that a program asks for."""

    named: Sequence[Name] | None = None
    """None where it wants whatever there is."""
    besides: Sequence[Name] = ()
    """Further ones, where it wants whatever there is."""
    names_only: bool = False
    """It asks which properties there are, and not for what they hold."""

    def of(self, known: Iterable[Name]) -> list[Name]:
        return list(dict.fromkeys([*known, *self.besides] if self.named is None else self.named))


def wanted_properties(asked: Element | None, root: str = "propfind") -> Wanted:
    """What a program asks of each resource. Raises NotAsked."""
    if asked is None:
        return Wanted()
    if asked.name != (DAV, root) and root == "propfind":
        raise NotAsked((DAV, "valid-propfind"))
    prop, include = asked.first((DAV, "prop")), asked.first((DAV, "include"))
    if prop is not None:
        return Wanted([child.name for child in prop.children])
    return Wanted(
        besides=[child.name for child in include.children] if include is not None else (),
        names_only=asked.first((DAV, "propname")) is not None,
    )


def resource(path: str, known: dict[Name, Value], wanted: Wanted) -> str:
    """The answer about one resource: what it has of what is wanted, and what it has not."""
    names = wanted.of(known)
    found = "".join(caldav_xml.tag(name, "" if wanted.names_only else known[name]()) for name in names if name in known)
    return caldav_xml.response(path, caldav_xml.propstat(found, [name for name in names if name not in known]))


def event(
    home: Home, entry: CalendarEntry, wanted: Wanted, text_of: Callable[[CalendarEntry], str] | None = None
) -> str:
    """The answer about one event; its text only where a report asks for it."""
    found, missing = [], []
    for name in wanted.of(_OF_ALL_EVENTS):
        if name in _OF_AN_EVENT:
            found.append(caldav_xml.tag(name, "" if wanted.names_only else _OF_AN_EVENT[name](entry, home)))
        elif name == (CALDAV, "calendar-data") and text_of is not None:
            found.append(f"<C:calendar-data>{caldav_xml.text(text_of(entry))}</C:calendar-data>")
        else:
            missing.append(name)
    return caldav_xml.response(home.path_of(entry.name), caldav_xml.propstat("".join(found), missing))


def sync_token(home: Home, change: int) -> str:
    return f"data:,{home.user_id}-{change}"


def change_in(home: Home, token: str) -> int | None:
    """Where a program says that it stands; None where it begins. Raises TokenNotOurs."""
    if not token.strip():
        return None
    found = re.fullmatch(rf"data:,{home.user_id}-(\d{{1,12}})", token.strip())
    if found is None:
        raise caldav_reading.TokenNotOurs
    return int(found[1])


# --- Texts ------------------------------------------------------------------------------------------------------------


def text_of(entry: CalendarEntry) -> str:
    """An event as its owner's program fetches it: their own bytes, or else ours."""
    body = entry.body
    return body.decode("utf-8") if body is not None else ical.alone(entry.ics or "")


_INSIDE = re.compile(r"BEGIN:(VTIMEZONE|VEVENT)\r?\n.*?END:\1\r?\n?", re.S | re.I)


def whole_calendar(entries: Iterable[CalendarEntry], name: str) -> bytes:
    """Every event in one file: each zone that a program described once."""
    zones: dict[str, None] = {}
    events: list[str] = []
    for entry in entries:
        if entry.body_sealed is None:
            events.append(entry.ics or "")
            continue
        for found in _INSIDE.finditer(text_of(entry)):
            part = found[0] if found[0].endswith("\n") else f"{found[0]}\r\n"
            if found[1].upper() == "VTIMEZONE":
                zones[part] = None
            else:
                events.append(part)
    return ical.feed(name, [*zones, *events])


# --- Reports ----------------------------------------------------------------------------------------------------------


def report(home: Home, asked: Element, *, now: datetime) -> tuple[str, str]:
    """The answer to a report and its type. Raises NotAsked, or TokenNotOurs."""
    answers = {
        (CALDAV, "calendar-query"): _query,
        (CALDAV, "calendar-multiget"): _multiget,
        (DAV, "sync-collection"): _sync,
    }
    if asked.name == (CALDAV, "free-busy-query"):
        return _free_busy(home, asked, now=now), "text/calendar; charset=utf-8"
    if asked.name not in answers:
        raise NotAsked((DAV, "supported-report"))
    return answers[asked.name](home, asked), "application/xml; charset=utf-8"


def _sync(home: Home, asked: Element) -> str:
    since = change_in(home, _text_in(asked, (DAV, "sync-token")))
    changes = caldav_reading.changes_since(home.user_id, since, at_most=_most_in(asked))
    wanted = wanted_properties(asked, "sync-collection")
    text = _writer(asked)
    answers = [event(home, entry, wanted, text) for entry in changes.entries]
    answers += [caldav_xml.gone(home.path_of(name)) for name in changes.gone]
    if not changes.is_all:  # RFC 6578 3.6: the token is as far as this answer goes
        answers.append(caldav_xml.cut_short(home.calendar_path))
    return caldav_xml.multistatus(answers, sync_token=sync_token(home, changes.change))


def _most_in(asked: Element) -> int:
    """How many changes a program wants to be told of at the most. Raises NotAsked."""
    limit = asked.first((DAV, "limit"))
    if limit is None:
        return caldav_reading.MOST_CHANGES
    said = _text_in(limit, (DAV, "nresults")).strip()
    if not re.fullmatch(r"[1-9]\d{0,8}", said):
        raise NotAsked((DAV, "number-of-matches-within-limits"))
    return int(said)


def _multiget(home: Home, asked: Element) -> str:
    hrefs = [element.text.strip() for element in asked.all((DAV, "href"))]
    named = {href: home.name_in(href) for href in hrefs}
    known = caldav_reading.entries_named(home.user_id, [name for name in named.values() if name])
    wanted = wanted_properties(asked, "calendar-multiget")
    text = _writer(asked)
    answers = []
    for href, name in named.items():
        entry = known.get(name or "")
        answers.append(event(home, entry, wanted, text) if entry is not None else caldav_xml.gone(href))
    return caldav_xml.multistatus(answers)


def _query(home: Home, asked: Element) -> str:
    wanted = wanted_properties(asked, "calendar-query")
    text = _writer(asked)
    found = _filtered(home, asked.first((CALDAV, "filter")))
    return caldav_xml.multistatus(event(home, entry, wanted, text) for entry in found)


def _filtered(home: Home, asked: Element | None) -> list[CalendarEntry]:
    outer = asked.first((CALDAV, "comp-filter")) if asked is not None else None
    if outer is None or outer.attributes.get("name", "").upper() != "VCALENDAR":
        raise NotAsked((CALDAV, "valid-filter"))
    if {child.name for child in outer.children} - {(CALDAV, "comp-filter")}:
        raise NotAsked((CALDAV, "supported-filter"))
    events: list[Element] = []
    for one in outer.all((CALDAV, "comp-filter")):
        is_of_events = one.attributes.get("name", "").upper() == "VEVENT"
        if is_of_events == (one.first((CALDAV, "is-not-defined")) is not None):
            return []  # what stands here is events, and nothing else
        if is_of_events:
            events.append(one)
    ranges = [one.first((CALDAV, "time-range")) for one in events]
    begin, end = range_in(next((one for one in ranges if one is not None), None))
    tests = [test for one in events for test in one.children if test.name != (CALDAV, "time-range")]
    for test in tests:
        _see_that_it_is_known(test)
    entries = caldav_reading.entries_between(home.user_id, begin, end)
    if begin is not None or end is not None:
        entries = [entry for entry in entries if entry.ends_at is not None or _touches(entry, begin, end)]
    return [entry for entry in entries if all(_fits(entry, test) for test in tests)] if tests else entries


def _see_that_it_is_known(test: Element) -> None:
    """Raises NotAsked for a test of events that we can't make: to pass it over would find too much."""
    inside = {child.name[1] for child in test.children}
    known = {"comp-filter": {"is-not-defined"}, "prop-filter": {"is-not-defined", "text-match"}}.get(test.name[1])
    if test.name[0] != CALDAV or known is None or not inside <= known:
        raise NotAsked((CALDAV, "supported-filter"))
    match = test.first((CALDAV, "text-match"))
    if match is not None and match.attributes.get("collation", "default") not in (*COLLATIONS, "default"):
        raise NotAsked((CALDAV, "supported-collation"))


def _touches(entry: CalendarEntry, begin: datetime | None, end: datetime | None) -> bool:
    """Whether a series takes place in a span. An open one reaches as far as may be unrolled."""
    if entry.body is None:
        return True
    first, last = _bounded(begin or entry.starts_at, end)
    return bool(recurrence.occurrences(entry.body, begin=first, end=last))


def _fits(entry: CalendarEntry, test: Element) -> bool:
    """Whether an event, or one of a series, has a property or a part as the test says."""
    name = test.attributes.get("name", "").upper()
    lines = caldav_text.content_lines(text_of(entry))
    if test.name[1] == "comp-filter":
        has_it = any(line.name == "BEGIN" and line.value.strip().upper() == name for line in lines)
        return has_it == (test.first((CALDAV, "is-not-defined")) is None)
    values = [line.value for line in caldav_text.of_events(lines) if line.name == name]
    if test.first((CALDAV, "is-not-defined")) is not None:
        return not values
    match = test.first((CALDAV, "text-match"))
    if match is None:
        return bool(values)
    as_compared: Callable[[str], str] = str if match.attributes.get("collation") == "i;octet" else str.casefold
    needle = as_compared(match.text)
    is_in = any(needle in as_compared(caldav_text.plain_value(value)) for value in values)
    return is_in != (match.attributes.get("negate-condition", "no").lower() == "yes")


def _free_busy(home: Home, asked: Element, *, now: datetime) -> str:
    begin, end = range_in(asked.first((CALDAV, "time-range")))
    if begin is None or end is None:
        raise NotAsked((CALDAV, "valid-filter"))
    begin, end = _bounded(begin, end)
    spans: list[Span] = []
    for entry in caldav_reading.entries_between(home.user_id, begin, end):
        if entry.problem is not None:
            continue
        if entry.ends_at is None and entry.body is not None:
            spans += recurrence.busy_spans(entry.body, begin=begin, end=end)
        elif entry.takes_time and entry.ends_at is not None:
            spans.append(Span(entry.starts_at, entry.ends_at))
    return ical.free_busy(
        merge([Span(max(span.start, begin), min(span.end, end)) for span in spans]), begin=begin, end=end, stamp=now
    )


def range_in(element: Element | None) -> tuple[datetime | None, datetime | None]:
    """The span of a time-range, open where it names no end. Raises NotAsked."""
    if element is None:
        return None, None
    begin, end = (_when(element.attributes.get(name)) for name in ("start", "end"))
    if begin is not None and end is not None and end <= begin:
        raise NotAsked((CALDAV, "valid-filter"))
    return begin, end


def _bounded(begin: datetime, end: datetime | None) -> tuple[datetime, datetime]:
    last = begin + timedelta(days=LONGEST_RANGE_DAYS)
    return begin, last if end is None else min(end, last)


def _when(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        if not _WHEN.fullmatch(value):
            raise ValueError(value)
        found = datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as fault:
        raise NotAsked((CALDAV, "valid-filter")) from fault
    first, last = caldav_text.FARTHEST_YEARS
    return min(max(found, datetime(first, 1, 2, tzinfo=UTC)), datetime(last, 1, 1, tzinfo=UTC))


def _text_in(element: Element, name: Name) -> str:
    child = element.first(name)
    return child.text if child is not None else ""


def _writer(asked: Element) -> Callable[[CalendarEntry], str]:
    """How the text of an event is given: as it stands, or a series as the single times that it has in a span."""
    data = next((one for one in asked.walk() if one.name == (CALDAV, "calendar-data")), None)
    if data is not None and data.attributes.get("content-type", "text/calendar").lower() != "text/calendar":
        raise NotAsked((CALDAV, "supported-calendar-data"))
    expand = data.first((CALDAV, "expand")) if data is not None else None
    if expand is None:
        return text_of
    begin, end = range_in(expand)
    if begin is None or end is None:
        raise NotAsked((CALDAV, "valid-calendar-data"))
    first, last = _bounded(begin, end)
    return lambda entry: _expanded(entry, first, last)


def _expanded(entry: CalendarEntry, begin: datetime, end: datetime) -> str:
    if entry.ends_at is not None or entry.body is None:
        return text_of(entry)
    calendar = Calendar()
    calendar.add("PRODID", ical.PRODID)
    calendar.add("VERSION", "2.0")
    for start, finish, one in recurrence.occurrences(entry.body, begin=begin, end=end):
        calendar.add_component(_single(one, start, finish))
    raw: bytes = calendar.to_ical()
    return raw.decode("utf-8")


def _single(one: Any, start: datetime, finish: datetime) -> Any:
    is_day = not isinstance(one.start, datetime)
    for name in ("RRULE", "RDATE", "EXDATE", "DURATION", "DTEND", "DTSTART"):
        one.pop(name, None)
    if is_day:
        one.add("DTSTART", start.astimezone(LONDON).date())
        one.add("DTEND", finish.astimezone(LONDON).date())
        one.pop("RECURRENCE-ID", None)
        one.add("RECURRENCE-ID", start.astimezone(LONDON).date())
        return one
    one.add("DTSTART", start)
    one.add("DTEND", finish)
    if "RECURRENCE-ID" not in one:
        one.add("RECURRENCE-ID", start)
    return one

"""The XML of WebDAV: read without anything that could grow, and written as text.

A document that declares a type is refused before the declaration is read: entities that swell and files that are
fetched all come from there, and no calendar program sends one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

DAV = "DAV:"
CALDAV = "urn:ietf:params:xml:ns:caldav"
CALENDAR_SERVER = "http://calendarserver.org/ns/"
APPLE = "http://apple.com/ns/ical/"
_PREFIXES = {DAV: "D", CALDAV: "C", CALENDAR_SERVER: "CS", APPLE: "A"}
_OPENING = "".join(f' xmlns:{prefix}="{space}"' for space, prefix in _PREFIXES.items())
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

LARGEST_BYTES = 1024 * 1024
DEEPEST = 24
MOST_ELEMENTS = 20_000

Name = tuple[str, str]
"""Namespace and local name of an element or a property."""


class UnreadableXml(ValueError):
    """It is no XML, or more than any calendar program has to say."""


@dataclass
class Element:
    """One element of what a program sent."""

    name: Name
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, name: Name) -> list[Element]:
        return [child for child in self.children if child.name == name]

    def first(self, name: Name) -> Element | None:
        return next(iter(self.all(name)), None)

    def walk(self) -> Iterator[Element]:
        """This element and everything in it."""
        yield self
        for child in self.children:
            yield from child.walk()


def read(body: bytes) -> Element:
    """The root of a document. Raises UnreadableXml."""
    if len(body) > LARGEST_BYTES:
        raise UnreadableXml("too long")
    root = Element(("", ""))
    stack = [root]
    seen = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal seen
        seen += 1
        if len(stack) > DEEPEST or seen > MOST_ELEMENTS:
            raise UnreadableXml("too much of it")
        space, _, local = name.rpartition("}")
        element = Element((space, local), attributes)
        stack[-1].children.append(element)
        stack.append(element)

    def finish(_name: str) -> None:
        stack.pop()

    def say(text: str) -> None:
        stack[-1].text += text

    def refuse(*_declared: object) -> None:
        raise UnreadableXml("a document type is not read")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = begin
    parser.EndElementHandler = finish
    parser.CharacterDataHandler = say
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as fault:
        raise UnreadableXml("not XML") from fault
    return root.children[0]


# --- Writing ----------------------------------------------------------------------------------------------------------


def text(value: str) -> str:
    """A text inside an element. A carriage return is written so that its reader keeps it: bytes come back as sent."""
    return escape(_NOT_XML.sub(" ", value)).replace("\r", "&#13;")


def tag(name: Name, inside: str = "") -> str:
    """An element; ``inside`` is XML already. A name from a namespace of no concern to us brings its own."""
    prefix = _PREFIXES.get(name[0])
    if prefix is not None:
        opening, closing = f"{prefix}:{name[1]}", f"{prefix}:{name[1]}"
    elif name[0]:
        opening, closing = f"x:{name[1]} xmlns:x={_quoted(name[0])}", f"x:{name[1]}"
    else:
        opening, closing = f'{name[1]} xmlns=""', name[1]
    return f"<{opening}>{inside}</{closing}>" if inside else f"<{opening}/>"


def _quoted(value: str) -> str:
    return '"' + escape(value, {'"': "&quot;"}) + '"'


def href(path: str) -> str:
    """An address, quoted already as in a URL."""
    return f"<D:href>{text(path)}</D:href>"


def propstat(found: str, missing: Iterable[Name] = (), *, status: str = "404 Not Found") -> str:
    """What is known of a resource, and what of it was asked in vain."""
    parts = []
    names = "".join(tag(name) for name in missing)
    if found or not names:
        parts.append(f"<D:propstat><D:prop>{found}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>")
    if names:
        parts.append(f"<D:propstat><D:prop>{names}</D:prop><D:status>HTTP/1.1 {status}</D:status></D:propstat>")
    return "".join(parts)


def response(path: str, inside: str) -> str:
    return f"<D:response>{href(path)}{inside}</D:response>"


def gone(path: str) -> str:
    """A resource that is not there (any more)."""
    return f"<D:response>{href(path)}<D:status>HTTP/1.1 404 Not Found</D:status></D:response>"


def cut_short(path: str) -> str:
    """There is more to tell of this collection than was wanted."""
    why = tag((DAV, "number-of-matches-within-limits"))
    return (
        f"<D:response>{href(path)}<D:status>HTTP/1.1 507 Insufficient Storage</D:status>"
        f"<D:error>{why}</D:error></D:response>"
    )


def multistatus(responses: Iterable[str], *, sync_token: str | None = None) -> str:
    token = f"<D:sync-token>{text(sync_token)}</D:sync-token>" if sync_token is not None else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus{_OPENING}>{"".join(responses)}{token}</D:multistatus>'
    )


def error(precondition: Name, inside: str = "") -> str:
    """Why a request was refused, in the standard's own word for it."""
    return f'<?xml version="1.0" encoding="utf-8"?>\n<D:error{_OPENING}>{tag(precondition, inside)}</D:error>'

"""Reading a message that came in, believing nothing in it: what it says, where it was sent, what kind of mail it is.

A message may be anything: endless, nested without end, in no language, from anybody under any name. So it is weighed
before it is parsed, and what is too heavy is known by its head alone. Only its words are given on; files are named.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from html.parser import HTMLParser

from crm.delivery import vouching

LARGEST_BYTES = 10 * 1024 * 1024
"""More than this is read by its head: the words of a family's answer are a few kilobytes."""
HEAD_BYTES = 64 * 1024
MOST_PARTS = 200
MOST_BOUNDARIES = 40
MOST_DASHED_LINES = 2_000
LONGEST_LINE = 100_000
LONGEST_TEXT = 20_000
MOST_ADDRESSES = 100
LONGEST_HEADER = 8_000

_REPLY_MARKS = re.compile(
    r"^(?:On .{5,200} wrote:|-{2,}\s*Original Message\s*-{2,}|_{10,}|From: .+@.+|Sent from my .{0,40})\s*$", re.I
)
_MESSAGE_ID = re.compile(r"<[^<>\s]{3,200}>")
_AUTOMATIC_SUBJECT = re.compile(r"\s*(automatic reply|auto(matic)?[- ]?reply|out of (the )?office|autoreply)\b", re.I)
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")


@dataclass(frozen=True)
class Bounce:
    """What a mail server says of a letter that it could not deliver (RFC 3464)."""

    action: str
    """failed, delayed, delivered, relayed, expanded, or nothing."""
    status: str
    """As in 5.1.1, or nothing."""
    original_ids: tuple[str, ...]
    """The Message-ID of the letter, where it was quoted."""

    @property
    def is_final(self) -> bool:
        """Whether the letter did not arrive and will not."""
        return self.action == "failed" or (not self.action and self.status.startswith("5"))

    @property
    def address_is_dead(self) -> bool:
        """Whether it is the address that is wrong, for this letter and every other: not a full mailbox, a rule or a
        letter that is too large (RFC 3463)."""
        return self.is_final and re.match(r"5\.(1\.\d+|2\.1|4\.1|4\.4|0\.0)$", self.status) is not None


@dataclass(frozen=True)
class IncomingMail:
    """A message that came in, as far as it can be told."""

    digest: str
    """The same for every copy of one message."""
    sender: str
    """What stands in From: anybody can write anything there."""
    subject: str
    recipients: tuple[str, ...]
    """Every address that it may have been sent to, in lower case."""
    answers: tuple[str, ...]
    """The Message-IDs that it says it answers."""
    text: str
    files: tuple[str, ...]
    """The names of what came with it."""
    calendar: str | None = None
    """The calendar object that came with it, as it was written: the first that is meant to be acted on."""
    is_automatic: bool = False
    """A machine wrote it: an absence note, a list, a receipt."""
    is_too_heavy: bool = False
    """Only its head was read."""
    bounce: Bounce | None = None
    is_vouched_for: bool = False
    """Our own mail server says that it comes from the sender's domain, or from the sender signed in there."""


def read(raw: bytes) -> IncomingMail:
    """What a message is. Never raises for what it holds, and never takes long over it."""
    is_too_heavy = _is_too_heavy(raw)
    try:
        message = message_from_bytes(_head(raw) if is_too_heavy else raw)
        parts = [] if is_too_heavy else list(_leaves(message))
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError):
        message, parts, is_too_heavy = message_from_bytes(_head(raw)), [], True
    sender = _first_address(message, "From")
    return IncomingMail(
        digest=_digest(message, raw),
        sender=sender,
        subject=_words(message, "Subject")[:200],
        recipients=_recipients(message),
        answers=_answers(message),
        text=_text_of(parts)[:LONGEST_TEXT],
        files=tuple(_file_names(parts)),
        calendar=_calendar_of(parts),
        is_automatic=_is_automatic(message),
        is_too_heavy=is_too_heavy,
        bounce=_bounce(message, is_too_heavy=is_too_heavy),
        is_vouched_for=vouching.is_vouched_for(message, sender),
    )


def _is_too_heavy(raw: bytes) -> bool:
    lowered = raw[:LARGEST_BYTES].lower()
    return (
        len(raw) > LARGEST_BYTES
        or _where_head_ends(raw) > HEAD_BYTES
        or lowered.count(b"\ncontent-type:") > MOST_PARTS
        or lowered.count(b"\n--") > MOST_DASHED_LINES  # each may begin a part, and needn't say of what kind
        or lowered.count(b"boundary=") > MOST_BOUNDARIES
        or lowered.count(b"message/rfc822") > MOST_BOUNDARIES
        or any(len(line) > LONGEST_LINE for line in raw[:LARGEST_BYTES].split(b"\n"))
    )


def _where_head_ends(raw: bytes) -> int:
    ends = [at for at in (raw.find(b"\n\n"), raw.find(b"\n\r\n")) if at >= 0]
    return min(ends, default=len(raw))


def _head(raw: bytes) -> bytes:
    return raw[:HEAD_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")[0] + b"\n\n"


def digest_of(about: str) -> str:
    """What a message is known by, so that it is taken in once."""
    return hashlib.sha256(about.encode("utf-8", "replace")).hexdigest()


def _digest(message: Message, raw: bytes) -> str:
    found = _MESSAGE_ID.search(str(message.get("Message-ID", ""))[:LONGEST_HEADER])
    if found is None:
        return hashlib.sha256(raw).hexdigest()
    return digest_of("|".join((found[0], str(message.get("From", ""))[:300], str(message.get("Date", ""))[:100])))


# --- The head ---------------------------------------------------------------------------------------------------------


def _words(message: Message, name: str) -> str:
    value = str(message.get(name, ""))[:LONGEST_HEADER]
    with contextlib.suppress(HeaderParseError, LookupError, ValueError):
        value = str(make_header(decode_header(value)))
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())


def _addresses(message: Message, *names: str) -> Iterator[str]:
    for name in names:
        for value in message.get_all(name, [])[:10]:
            for _, address in getaddresses([str(value)[:LONGEST_HEADER]])[:MOST_ADDRESSES]:
                if "@" in address and len(address) <= 320:
                    yield address.strip().lower()


def _first_address(message: Message, name: str) -> str:
    return next(_addresses(message, name), "")[:254]


def _recipients(message: Message) -> tuple[str, ...]:
    found = _addresses(message, "Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc", "Resent-To")
    return tuple(dict.fromkeys(found))[:MOST_ADDRESSES]


def _answers(message: Message) -> tuple[str, ...]:
    named = f"{message.get('In-Reply-To', '')} {message.get('References', '')}"[:LONGEST_HEADER]
    return tuple(dict.fromkeys(_MESSAGE_ID.findall(named)))[:50]


def _is_automatic(message: Message) -> bool:
    submitted = str(message.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    return (
        submitted != "no"
        or str(message.get("Precedence", "")).strip().lower() in ("bulk", "junk", "list", "auto_reply")
        or any(message.get(name) is not None for name in ("X-Autoreply", "X-Autorespond", "List-Id", "Feedback-ID"))
        or str(message.get("Return-Path", "")).strip() == "<>"
        or _first_address(message, "From").partition("@")[0] in ("mailer-daemon", "postmaster")
        or _AUTOMATIC_SUBJECT.match(_words(message, "Subject")) is not None
    )


# --- The words --------------------------------------------------------------------------------------------------------


def _leaves(message: Message, depth: int = 0) -> Iterator[Message]:
    if message.is_multipart() and depth < 20:
        # What a report or a forwarded message quotes is not what its sender wrote.
        if message.get_content_maintype() == "message":
            return
        for part in message.get_payload()[:MOST_PARTS]:  # type: ignore[index]
            if isinstance(part, Message):
                yield from _leaves(part, depth + 1)
    elif not message.is_multipart():
        yield message


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or part.get_content_maintype() != "text"


def _file_names(parts: list[Message]) -> Iterator[str]:
    for part in parts:
        if _is_file(part):
            name = part.get_filename() or part.get_content_type()
            yield " ".join("".join(c if c.isprintable() else " " for c in str(name)).split())[:80]


def _calendar_of(parts: list[Message]) -> str | None:
    """Programs send it as text/calendar, most of them once more as a file."""
    for kind in ("text/calendar", "application/ics"):
        for part in parts:
            if part.get_content_type() == kind:
                return _decoded(part)
    return None


def _text_of(parts: list[Message]) -> str:
    """The words that were written, plain before HTML, without what they answer."""
    plain = [part for part in parts if not _is_file(part) and part.get_content_type() == "text/plain"]
    rich = [part for part in parts if not _is_file(part) and part.get_content_type() == "text/html"]
    if plain:
        text = "\n".join(_decoded(part) for part in plain)
    else:
        text = "\n".join(without_markup(_decoded(part)) for part in rich)
    return _own_words(text)


def _decoded(part: Message) -> str:
    content = part.get_payload(decode=True)
    raw = content if isinstance(content, bytes) else str(part.get_payload()).encode("utf-8", "replace")
    charset = part.get_content_charset() or "utf-8"
    try:
        text = raw.decode(charset, "replace")
    except LookupError:
        text = raw.decode("utf-8", "replace")
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in text.replace("\r\n", "\n").replace("\r", "\n"))
    return kept[: LONGEST_TEXT * 10]


def _own_words(text: str) -> str:
    """Without the letter that it answers, as mail programs quote it below."""
    kept: list[str] = []
    for line in text.split("\n"):
        if _REPLY_MARKS.match(line.strip()):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


class _Words(HTMLParser):
    _UNSEEN = frozenset({"script", "style", "head", "title", "template", "noscript", "object", "svg"})
    _LINES = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "blockquote", "table"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._UNSEEN:
            self._unseen += 1
        elif tag in self._LINES:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in self._LINES:
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words.append(re.sub(r"\s+", " ", data))


def without_markup(html: str) -> str:
    """The words of an HTML message."""
    reader = _Words()
    try:
        reader.feed(html[: LONGEST_TEXT * 10])
        reader.close()
    except (AssertionError, ValueError, RecursionError):
        return ""
    return re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(reader.words))


# --- Bounces ----------------------------------------------------------------------------------------------------------


def _bounce(message: Message, *, is_too_heavy: bool) -> Bounce | None:
    """What a delivery report says; None for other mail."""
    if message.get_content_type() != "multipart/report" or is_too_heavy:
        return None
    if str(message.get_param("report-type") or "").lower() != "delivery-status":
        return None
    action = status = ""
    ids: list[str] = []
    for part in message.walk():
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            for block in part.get_payload() if isinstance(part.get_payload(), list) else []:
                if not isinstance(block, Message):
                    continue
                found = str(block.get("Action", "")).strip().lower()
                # Of several recipients the worst counts; we only ever write to one.
                if found and (not action or found == "failed"):
                    action = found
                    code = _STATUS.search(str(block.get("Status", "")))
                    status = ".".join(code.groups()) if code else status
        elif kind in ("text/rfc822-headers", "message/rfc822"):
            quoted = part.get_payload(decode=True) if kind == "text/rfc822-headers" else None
            text = quoted.decode("utf-8", "replace") if isinstance(quoted, bytes) else _quoted_id(part)
            ids += re.findall(r"(?im)^Message-ID:\s*(<[^<>\s]{3,200}>)", text[:HEAD_BYTES])
    return Bounce(action=action[:20], status=status, original_ids=tuple(dict.fromkeys(ids))[:5])


def _quoted_id(part: Message) -> str:
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        return f"Message-ID: {str(inner[0].get('Message-ID', '')).strip()}"
    return ""

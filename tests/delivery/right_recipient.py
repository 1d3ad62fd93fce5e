"""The right thing goes to the right person: what must be true of every message that leaves (G36).

``assert_right_recipient(raw, recipient)`` looks at one finished email. ``watch_every_letter()`` has it look at each one
that is written into the outbox while the tests run, by whatever test.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterator
from email import message_from_bytes
from email.message import Message
from email.utils import getaddresses
from functools import cache
from typing import Any

import sqlalchemy as sa

from crm.calendars.ical import property_names
from crm.delivery import signed_addresses
from crm.delivery.letters import LETTERS
from crm.delivery.models import Channel, OutboundMessage
from crm.delivery.render import templates_dir
from crm.delivery.texts import can_be_texted, read_text

POSTCODE = re.compile(r"\b[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}\b")
STREET = re.compile(
    r"\b\d+[a-z]? [A-Z][a-z]+ (?:[A-Z][a-z]+ )?(?:Street|Road|Avenue|Lane|Close|Row|Drive|Way|Gardens|Court)\b"
)
REFERENCE = re.compile(r"\b[A-Z]{2,4}-[0-9A-Z]{6}\b")
"""Some references look like a postcode: KF-SE83QV."""
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
SUMMARY = re.compile(r"[\w .'’&,-]{0,60}\b[Vv]isit\b[\w .'’&,:-]{0,40}")
DELICATE = re.compile(
    r"\b(DBS|barred|convict\w*|caution\w*|offen[cs]e\w*|allegation\w*|medical|diagnos\w*|disqualif\w*|abuse\w*)\b", re.I
)
FETCHES = re.compile(r"<(img|script|link|iframe|form|object|svg|video)\b|(<[^<>]*|<style\b[^<]*)(url\(|@import)", re.I)
"""In an element or its style; in what people wrote the same are words."""
TALK_SUMMARY = re.compile(r"Talk with [\w .'’&,-]{1,80}|Talk [A-Z]{2,4}-[0-9A-Z]{6}")
"""A talk with a referee: the referee's copy, and the officer's."""
EVENT_SUMMARY = re.compile(r"Event with [\w .'’&,-]{1,80}")
"""An event that the public is invited to: its place is nobody's home, and may be said."""
HEADERS = {"from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type"}
MAY_HAVE = {"reply-to", "list-unsubscribe", "list-unsubscribe-post"}


class WrongRecipient(AssertionError):
    """A message that must not leave like this."""


def must(condition: object, why: str) -> None:
    """Not ``assert``: these checks are also run under ``python -O``."""
    if not condition:
        raise WrongRecipient(why)


@cache
def neutral_subjects() -> list[tuple[str, re.Pattern[str]]]:
    """The subject of each kind of letter as a pattern: its own words, with short merge fields between them."""
    found = []
    for kind in LETTERS:
        source = (templates_dir() / "email" / kind / "subject.txt").read_text().strip()
        parts = re.split(r"\{\{.*?\}\}", source)
        found.append((kind, re.compile(".{1,90}".join(re.escape(part) for part in parts))))
    return found


def kinds_of_subject(subject: str) -> list[str]:
    """The kinds of letter that a subject may belong to."""
    return [kind for kind, pattern in neutral_subjects() if pattern.fullmatch(subject)]


def assert_right_recipient(
    raw: bytes, recipients: str | Collection[str], *, others: Collection[str] = (), kind: str | None = None
) -> None:
    """Raise WrongRecipient unless this message may go to exactly this one recipient.

    ``recipients`` is the envelope. ``others`` are words of other people's (names, addresses, postcodes) that must
    appear nowhere in it. ``kind`` is given where a person writes the subject anew each time.
    """
    envelope = [recipients] if isinstance(recipients, str) else list(recipients)
    must(len(envelope) == 1, f"the envelope has {len(envelope)} recipients")
    parsed = message_from_bytes(raw)
    names = [name.lower() for name in parsed.keys()]  # noqa: SIM118  (keys may repeat)
    must(len(names) == len(set(names)) and set(names) - MAY_HAVE == HEADERS, f"the headers are {', '.join(names)}")
    must([a for _, a in getaddresses([str(parsed["To"])])] == envelope, "the To header is not the envelope's recipient")
    _check_answers(parsed)
    subject = _decoded(parsed["Subject"])
    kinds = [kind] if kind else kinds_of_subject(subject)
    must(kinds, f"the subject is not on the neutral list: {subject!r}")
    parts = [part for part in parsed.walk() if not part.is_multipart()]
    _check_parts(parts)
    texts = {part.get_content_type(): _text(part) for part in parts if part.get_content_maintype() == "text"}
    if not any(LETTERS[kind].contains_sensitive for kind in kinds):
        for kind, text in texts.items():
            found = DELICATE.search(text)
            must(found is None, f"an ordinary letter's {kind} says {found and found[0]!r}")
    if "text/calendar" in texts:
        _check_calendar(texts["text/calendar"], envelope[0], str(parsed["From"]))
    everything = "\n".join([subject, *texts.values()])
    for other in others:
        must(other.lower() not in everything.lower(), f"it holds somebody else's {other!r}")


def _check_answers(parsed: Message) -> None:
    """Answers come to a mailbox of ours and to one person's file, and unsubscribing is a secret link of ours."""
    if parsed["Reply-To"] is not None:
        addresses = [address for _, address in getaddresses([str(parsed["Reply-To"])])]
        must(len(addresses) == 1, f"answers go to {len(addresses)} addresses")
        signed = signed_addresses.read(addresses[0])
        must(signed is not None and signed.purpose == "reply", "answers go to an address that says nothing to us")
    link, click = parsed["List-Unsubscribe"], parsed["List-Unsubscribe-Post"]
    must((link is None) == (click is None), "only half of one-click unsubscribing is there")
    must(link is None or re.fullmatch(r"<https?://[^/]+/stop/[\w-]{32}>", link), "unsubscribing is not a link of ours")


def assert_right_text(raw: bytes, recipient: str) -> None:
    """Raise WrongRecipient unless this text message may go to this number: nothing in it says who or why."""
    to, words = read_text(raw)
    must(to == recipient and can_be_texted(to), "the number is not the recipient's")
    must(not DELICATE.search(words), "a text says too much")
    without = REFERENCE.sub("", re.sub(r"https?://\S+", "", words))
    must(not POSTCODE.search(without) and not STREET.search(without), "a text holds an address")
    must(not EMAIL.search(words), "a text holds an email address")


def _check_parts(parts: list[Message]) -> None:
    kinds = [part.get_content_type() for part in parts]
    must(kinds[:2] == ["text/plain", "text/html"], f"the parts are {kinds}")
    attached = [part for part in parts if part.get_content_disposition() == "attachment"]
    must(len(attached) <= 1, f"{len(attached)} files are attached")
    if "text/calendar" in kinds:
        must(kinds[2:] == ["text/calendar", "application/ics"], f"the parts are {kinds}")
        must(_content(parts[2]) == _content(parts[3]), "the two copies of the invitation differ")
    else:
        must(len(kinds) <= 3, f"the parts are {kinds}")
    html = _text(parts[1])
    must(
        not FETCHES.search(html),
        "the HTML fetches",
    )


def _check_calendar(text: str, recipient: str, sender: str) -> None:
    must(property_names(text.encode()).count("ATTENDEE") == 1, "the invitation has not exactly one attendee")
    unfolded = text.replace("\r\n ", "")
    lines = {line.split(":", 1)[0].split(";", 1)[0]: line for line in unfolded.split("\r\n") if ":" in line}
    attendee, organiser = (lines[name].lower().rpartition("mailto:")[2] for name in ("ATTENDEE", "ORGANIZER"))
    if lines["METHOD"] in ("METHOD:REPLY", "METHOD:COUNTER"):  # what we say about an event of the reader's own
        attendee, organiser = organiser, re.sub(r"\+[a-z0-9-]+@", "@", attendee)
    must(attendee == recipient.lower(), "the attendee is not the recipient")
    must(organiser in sender.lower(), "the organiser is not the sender")
    summary = lines["SUMMARY"].partition(":")[2].replace("\\,", ",")
    public = EVENT_SUMMARY.fullmatch(summary)
    neutral = public or SUMMARY.fullmatch(summary) or TALK_SUMMARY.fullmatch(summary)
    must(neutral, f"the SUMMARY is not neutral: {summary!r}")
    must(not re.search("my-place/|/visit/", text.replace("\r\n ", "")), "the secret link is in the calendar")
    for name in ("SUMMARY", "DESCRIPTION") if public else ("SUMMARY", "LOCATION", "DESCRIPTION"):
        value = REFERENCE.sub("", lines.get(name, "").partition(":")[2])
        must(not POSTCODE.search(value) and not STREET.search(value), f"the {name} holds an address")
        must(not EMAIL.search(value), f"the {name} holds an email address")
        must(not DELICATE.search(value), f"the {name} says too much")


def _decoded(value: Any) -> str:
    from email.header import decode_header, make_header

    return str(make_header(decode_header(str(value).replace("\r\n", "")))).strip()


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    must(isinstance(content, bytes), "a part can't be read")
    return content  # type: ignore[return-value]


def _text(part: Message) -> str:
    return _content(part).decode("utf-8")


@contextlib.contextmanager
def watch_every_letter(seen: Callable[[str, bytes], None] | None = None) -> Iterator[None]:
    """While this is open, every email written into the outbox is looked at; one that is wrong fails its test."""

    def look(_mapper: Any, _connection: Any, message: OutboundMessage) -> None:
        if message.channel == Channel.EMAIL and message.payload is not None:
            must(message.recipient, "a letter has no recipient")
            own = message.kind if LETTERS[message.kind].to_many else None
            assert_right_recipient(message.payload, message.recipient, kind=own)
            if seen is not None:
                seen(message.recipient, message.payload)
        if message.channel == Channel.TEXT and message.payload is not None:
            assert_right_text(message.payload, message.recipient or "")

    sa.event.listen(OutboundMessage, "before_insert", look)
    try:
        yield
    finally:
        sa.event.remove(OutboundMessage, "before_insert", look)

"""Text typed by anybody, sent through everything that leads to a header or a calendar line, and read back from the raw
bytes that a mail server got (G19).

Run by ``test_header_injection``, and as a program of its own so that ``python -O`` can run it too:
``python -O -m tests.delivery.injection_cases 2000``.
"""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from email import message_from_bytes
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.calendars import ical
from crm.delivery import Attachment, Channel, Invitation, markup, mime, render
from crm.delivery.letters import LETTERS
from crm.delivery.transports import SmtpTransport
from tests.delivery.examples import NOW, VISIT_AT, Service, context_of
from tests.delivery.right_recipient import must
from tests.delivery.sink import Sink, sink

PIECES = [
    "\r", "\n", "\r\n", "\0", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\u202e", "\u200b",
    "\ufeff",
    "=?UTF-8?Q?=0ABcc:_eve@example.org?=", "=?utf-8?b?CkJjYzogZXZlQGV4YW1wbGUub3Jn?=", "=?UTF-8?Q?=0D=0A?=", "=?", "?=",
    "=0A", '"', "<", ">", ",", ";", ":", "\\", "(", ")", "@", "[x](https://evil.example.org)", "Bcc: eve@example.org",
    "\r\nBcc: eve@example.org\r\n", "\r\n\r\n<html>", "\n.\r\n", "\r\n.\r\nMAIL FROM:<eve@example.org>", "END:VEVENT",
    "\r\nATTENDEE:mailto:eve@example.org", "\nEND:VEVENT\nBEGIN:VEVENT", "\rX-A:1", "\\n", "^n", "^'", "%0d%0aBcc:",
    "x" * 998, "é" * 500, "😀" * 90, " " * 80, "\t", "Zoë", "O’Connell", "陳", "{{ 7*7 }}", "{% raw %}",
    "\ue000\ue005", "\ud800",
]  # fmt: skip
TYPED = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=30)), max_size=6).map("".join)
HEADERS = sorted(mime.HEADERS)
KINDS = ("visit_invitation", "officer_visit_invitation", "check_request", "event_thank_you", "staff_invitation")
CALENDAR_LINES = sorted((*ical.FRAME_PROPERTIES, *ical.EVENT_PROPERTIES, *ical.PEOPLE_PROPERTIES))


def fields_of(kind: str, text: list[str]) -> dict[str, Any]:
    """The merge fields of a letter with typed text in every one that takes text."""
    service = Service(name=text[0] or "K", phone=text[1], email=text[2], hours=text[3], address=text[4] or "-")
    typed = {
        "first_name": text[0], "owner_name": text[1], "reference": text[2], "partner_name": text[3], "town": text[4],
        "event_name": text[0], "met_name": text[1], "about_names": text[2], "check_title": text[3],
        "invited_by": text[4],
        "visit_url": address_with(text[0]), "case_url": address_with(text[1]),
        "officers": [text[2], text[3]], "purpose": text[4],
    }  # fmt: skip
    context = context_of(kind, service=service)
    return {**context, **{name: value for name, value in typed.items() if name in context or name in _optional(kind)}}


def address_with(text: str) -> str:
    """A link of ours with typed text in it, encoded as every link is."""
    return f"https://kestrel.example.org/{quote(text, errors='replace')}"


def _optional(kind: str) -> set[str]:
    return set(LETTERS[kind].optional)


def build_letter(kind: str, text: list[str], to: str) -> bytes:
    """One email as the product makes it, with a calendar object or a file where its kind may have one."""
    context = fields_of(kind, text)
    words = render.write_words(LETTERS[kind], context, Channel.EMAIL)
    sender = "visits@kestrel.example.org" if "visit" in kind else "hello@kestrel.example.org"
    invitation = attachment = None
    if "visit" in kind:
        facts = ical.EventFacts(
            uid="visit-1@kestrel.example.org", sequence=0, starts_at=VISIT_AT, ends_at=VISIT_AT + timedelta(hours=2),
            summary=text[0], location=text[1], description=[text[2], text[3]], url=f"https://kestrel.example.org/{text[4]}",
        )  # fmt: skip
        ics = ical.message(
            facts,
            method="REQUEST",
            stamp=NOW,
            organiser=ical.Mailbox(sender, text[0]),
            attendee=ical.Mailbox(to, text[1]),
        )
        invitation = Invitation(ics, "REQUEST")
    else:
        attachment = Attachment(text[0] + ".pdf", text[1].encode("utf-8", "surrogatepass"))
    return mime.build(
        mime.Email(
            sender=sender,
            sender_name=str(context["service"].name),
            to=to,
            subject=words.subject,
            message_id=mime.message_id_for("|".join(text).encode("utf-8", "replace").decode(), "kestrel.example.org"),
            date=NOW,
            text=words.text,
            html=render.write_html(words, context["service"]),
            invitation=invitation,
            attachment=attachment,
        )  # fmt: skip
    )


def check_as_received(raw: bytes, envelope: tuple[str, ...], *, to: str, kind: str) -> None:
    """What the mail server got is what was meant, whichever way a reader splits lines."""
    must(envelope == (to,), f"the envelope has {envelope}")
    block = raw.partition(b"\r\n\r\n")[0]
    lines = re.split(rb"\r\n|\r|\n", block)
    names = [line.split(b":", 1)[0].decode("ascii") for line in lines if not line.startswith((b" ", b"\t"))]
    must(sorted(names) == HEADERS, f"the headers are {names}")
    must(all(len(line) <= 998 for line in lines), "a header line is longer than mail allows")
    must(not re.search(rb"[^\x20-\x7e\t\r\n]", block), "the headers hold a control character or are not ASCII")
    parsed = message_from_bytes(raw)
    must(mime.only_recipient(raw) == to, "the To header does not hold exactly the recipient")
    must("eve@example.org" not in str(parsed["To"]), "a stranger is in the To header")
    parts = [part for part in parsed.walk() if not part.is_multipart()]
    expected = ["text/plain", "text/html"]
    expected += ["text/calendar", "application/ics"] if "visit" in kind else ["application/pdf"]
    must([part.get_content_type() for part in parts] == expected, "the parts are not the template's")
    if "visit" in kind:
        for part in parts[2:]:
            content = part.get_payload(decode=True)
            must(isinstance(content, bytes), "the calendar part can't be read")
            must(sorted(ical.property_names(content)) == CALENDAR_LINES, "the calendar's lines are not the template's")


def check_words(kind: str, text: list[str]) -> None:
    """Nothing typed became a link, a heading or a block of its own."""
    text = [f"A{typed}" for typed in text]  # an empty field may leave its line out, which is no deviation
    words = render.write_words(LETTERS[kind], fields_of(kind, text), Channel.EMAIL)
    plain = render.write_words(LETTERS[kind], fields_of(kind, ["A", "B", "C", "D", "E"]), Channel.EMAIL)
    must(
        [block.kind for block in words.blocks] == [block.kind for block in plain.blocks],
        "typed text changed the blocks of the letter",
    )
    for block in words.blocks:
        for line in block.lines:
            for run in line:
                must(not (run.url or "").startswith("https://evil"), "typed text became a link")


def run_cases(cases: int) -> int:
    """Send that many letters through a real server; the number that were taken. Raises at the first deviation."""
    sent = 0
    with sink() as server:
        transport = SmtpTransport(server.settings)

        @settings(
            max_examples=cases, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
        )
        @given(kind=st.sampled_from(KINDS), text=st.lists(TYPED, min_size=5, max_size=5))
        def one_case(kind: str, text: list[str]) -> None:
            nonlocal sent
            to = "maya.okafor+foster@example.org"
            raw = build_letter(kind, text, to)
            transport.send(sender="hello@kestrel.example.org", recipient=to, raw=raw, message_id="<x@example.org>")
            (taken,) = _taken(server)
            must(taken.raw == raw, "the server got other bytes than were built")
            check_as_received(taken.raw, taken.recipients, to=to, kind=kind)
            check_words(kind, text)
            sent += 1

        try:
            one_case()
        finally:
            transport.close()
    return sent


def _taken(server: Sink) -> list[Any]:
    taken, server.taken = server.taken, []
    return taken


if __name__ == "__main__":
    must(markup.hide("\ue000") == "", "the gate of the markup is open")
    print(run_cases(int(sys.argv[1])))

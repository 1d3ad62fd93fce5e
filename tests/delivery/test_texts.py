"""Text messages: counted as the network counts them, stored with their number, sent by the same rules as letters."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from crm.db import transaction
from crm.delivery import (
    Channel,
    MessageStatus,
    NewMessage,
    OutboundMessage,
    Recipient,
    UnsendableAddress,
    enqueue,
    render,
    worker,
)
from crm.delivery.failures import SendFault, Verdict, judge
from crm.delivery.letters import LETTERS
from crm.delivery.texts import MOST_SEGMENTS, can_be_texted, length_of, plain_words, read_text
from crm.delivery.transports import FilesTransport, TextGatewayTransport
from crm.settings import TextGateway
from tests.delivery.examples import NOW, context_of

MAYA = "+447700900118"
WITH_TEXT = [kind for kind, letter in LETTERS.items() if Channel.TEXT in letter.channels]


@pytest.mark.parametrize(
    ("text", "alphabet", "units", "segments"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("[]" * 41, "GSM-7", 164, 2),
        ("é" * 160, "GSM-7", 160, 1),
        ("ł" * 70, "UCS-2", 70, 1),
        ("ł" * 71, "UCS-2", 71, 2),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2),
    ],
)
def test_a_text_is_as_long_as_the_network_counts_it(text: str, alphabet: str, units: int, segments: int) -> None:
    length = length_of(text)

    assert (length.alphabet, length.units, length.segments) == (alphabet, units, segments)


def test_a_letter_that_makes_a_text_dear_is_named() -> None:
    assert length_of("Zofia Wałęsa").odd == "łę" or set(length_of("Zofia Wałęsa").odd) == {"ł", "ę"}


def test_an_apostrophe_does_not_double_the_price() -> None:
    assert length_of(plain_words("We’ll ring – “soon”…")).alphabet == "GSM-7"


@pytest.mark.parametrize(
    ("number", "takes"),
    [
        ("+447700900118", True),
        ("+353851234567", True),
        ("+441632960140", False),
        ("+448081570100", False),
        ("07700900118", False),
        ("", False),
        (None, False),
        ("+447700900118\r\n", False),
    ],
)
def test_texts_go_to_mobiles(number: str | None, takes: bool) -> None:
    assert can_be_texted(number) is takes


@pytest.mark.parametrize("kind", WITH_TEXT)
def test_every_text_of_ours_goes_in_one_and_says_how_to_stop(session: Any, kind: str) -> None:
    words = render.write_words(
        LETTERS[kind], context_of(kind, first_name="Oluwaseun"), Channel.TEXT, stop_url="https://x.example.org/stop/a"
    )

    assert length_of(words.text).segments == 1, words.text
    assert words.text.endswith("Reply STOP to stop.")
    assert not LETTERS[kind].contains_sensitive


def test_where_no_texts_come_in_the_link_stands_in_their_place(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from crm.delivery import post_room

    monkeypatch.setattr(post_room, "_post_room", replace(post_room.post_room(), takes_texts=False))

    words = render.write_words(
        LETTERS["tried_to_ring"], context_of("tried_to_ring"), Channel.TEXT, stop_url="https://x.example.org/stop/a"
    )

    assert words.text.endswith("To stop: https://x.example.org/stop/a")


def new_text(key: str = "1", *, phone: str = MAYA, **changes: Any) -> NewMessage:
    return NewMessage(
        kind="tried_to_ring",
        channel=Channel.TEXT,
        to=Recipient(phone=phone),
        dedupe_key=key,
        context=context_of("tried_to_ring", **changes),
    )


def write(message: NewMessage) -> int:
    with transaction():
        return enqueue(message, now=NOW).id


def test_a_text_leaves_by_its_own_line_and_a_dead_one_holds_up_no_mail(session: Any, settings: Any) -> None:
    row_id = write(new_text())

    assert worker.deliver_once(clock=lambda: NOW).sent == 0
    assert worker.deliver_once(clock=lambda: NOW, channel=Channel.TEXT).sent == 1

    (written,) = (settings.data_dir / "outbox" / "texts").glob("*.json")
    number, words = read_text(written.read_bytes())
    assert number == MAYA
    assert words.startswith("Hello Maya, Kestrel tried to ring you.")
    assert session.get(OutboundMessage, row_id, populate_existing=True).status == MessageStatus.SENT


def test_a_text_stored_in_anothers_envelope_is_not_sent(session: Any) -> None:
    ids = [write(new_text("1")), write(new_text("2", phone="+447700900119"))]
    with transaction():
        first, second = (session.get(OutboundMessage, one, populate_existing=True) for one in ids)
        first.payload = second.payload

    tally = worker.deliver_once(clock=lambda: NOW, channel=Channel.TEXT)

    assert (tally.sent, tally.given_up) == (1, 1)
    assert session.get(OutboundMessage, ids[0], populate_existing=True).last_failure == "damaged"


def test_a_text_is_sealed_in_the_database(session: Any) -> None:
    import sqlalchemy as sa

    write(new_text())

    row = session.execute(sa.text("SELECT * FROM outbound_message")).one()
    kept = b"".join(bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row)
    assert MAYA[1:].encode() not in kept
    assert b"Maya" not in kept


@pytest.mark.parametrize("phone", ["+441632960140", "07700 900118", "+447700900118\n+447700900119"])
def test_what_takes_no_text_is_refused(session: Any, phone: str) -> None:
    with pytest.raises(UnsendableAddress):
        write(new_text(phone=phone))


def test_a_text_that_would_be_a_letter_is_refused(session: Any) -> None:
    with pytest.raises(UnsendableAddress, match="too long"):
        write(new_text(first_name="M" * 153 * MOST_SEGMENTS))


# --- The gateway ------------------------------------------------------------------------------------------------------


@dataclass
class Gateway:
    """A text gateway on this machine: keeps what it is given, and answers as told."""

    url: str = ""
    status: int = 200
    asked: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    kept = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.asked.append((dict(self.headers), json.loads(body)))
            self.send_response(kept.status)
            if kept.status == 302:
                self.send_header("Location", kept.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}/messages"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()


def hand_over(gateway: Gateway) -> None:
    line = TextGatewayTransport(TextGateway(url=gateway.url, token="k" * 20, sender="Kestrel", timeout=5))
    raw = json.dumps({"to": MAYA, "text": "Hello"}).encode()
    line.send(sender="", recipient=MAYA, raw=raw, message_id="<abc@kestrel.example.org>")


def test_the_gateway_is_given_the_number_the_words_and_one_reference_with_our_key(gateway: Gateway) -> None:
    hand_over(gateway)

    headers, body = gateway.asked[0]
    assert body == {"to": MAYA, "from": "Kestrel", "text": "Hello", "reference": "abc@kestrel.example.org"}
    assert headers["Authorization"] == "Bearer " + "k" * 20


def test_a_gateway_that_has_the_message_already_has_taken_it(gateway: Gateway) -> None:
    gateway.status = 409

    hand_over(gateway)


@pytest.mark.parametrize(
    ("status", "verdict", "code"),
    [
        (400, Verdict.GIVE_UP, "gateway_refused"),
        (422, Verdict.GIVE_UP, "number_not_accepted"),
        (401, Verdict.LINE_IS_DOWN, "gateway_answered"),
        (429, Verdict.LINE_IS_DOWN, "gateway_answered"),
        (503, Verdict.LINE_IS_DOWN, "gateway_answered"),
        (302, Verdict.LINE_IS_DOWN, "gateway_answered"),
    ],
)
def test_each_answer_of_the_gateway_has_a_meaning(gateway: Gateway, status: int, verdict: Verdict, code: str) -> None:
    gateway.status = status

    with pytest.raises(SendFault) as fault:
        hand_over(gateway)

    failure = judge(fault.value)
    assert (failure.verdict, failure.code) == (verdict, code)
    assert len(gateway.asked) == 1, "a redirect was followed"


def test_a_gateway_that_is_not_there_is_a_line_that_is_down() -> None:
    line = TextGatewayTransport(TextGateway(url="http://127.0.0.1:9/", token="k", timeout=2))

    with pytest.raises(SendFault) as fault:
        line.send(sender="", recipient=MAYA, raw=json.dumps({"to": MAYA, "text": "x"}).encode(), message_id="<a@b>")

    assert judge(fault.value).verdict is Verdict.LINE_IS_DOWN


def test_a_text_waits_out_its_dead_line(session: Any, tmp_path: Any) -> None:
    row_id = write(new_text())
    (tmp_path / "file").write_text("")
    broken = FilesTransport(tmp_path / "file" / "texts", suffix=".json")

    tally = worker.deliver_once(clock=lambda: NOW, channel=Channel.TEXT, transport=broken)
    again = worker.deliver_once(clock=lambda: NOW + timedelta(minutes=2), channel=Channel.TEXT)

    assert (tally.line_is_down, again.sent) == (True, 1)
    assert session.get(OutboundMessage, row_id, populate_existing=True).attempts == 2

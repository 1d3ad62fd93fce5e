"""Officers' own calendars: only their times are kept, and reading them reaches nothing inside."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from crm.calendars import busy_calendars, busy_worker, expanding, fetching
from crm.calendars.models import BusyCalendar, BusySpan
from crm.clock import LONDON, now_utc
from crm.db import db, transaction

HOST = "calendar.example.org"
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
{events}
END:VCALENDAR
"""


def calendar(*events: str) -> bytes:
    body = "\n".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT" for event in events)
    return CALENDAR.format(events=body).replace("\n", "\r\n").encode()


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=LONDON)


def busy(content: bytes, *, begin="2026-07-06 00:00", end="2026-11-03 00:00", kind="address", **more):
    found = expanding.busy_in(content, kind=kind, begin=at(begin), end=at(end), **more)
    return [f"{one.start.astimezone(LONDON):%a %d %b %H:%M}-{one.end.astimezone(LONDON):%H:%M}" for one in found.spans]


# --- What takes time --------------------------------------------------------------------------------------------------

DENTIST = "UID:1\nDTSTART:20260714T130000Z\nDTEND:20260714T140000Z\nSUMMARY:The dentist"


def test_what_is_said_to_be_free_or_off_takes_no_time_and_a_whole_day_takes_it():
    content = calendar(
        DENTIST,
        "UID:2\nDTSTART:20260715T130000Z\nDTEND:20260715T140000Z\nTRANSP:TRANSPARENT",
        "UID:3\nDTSTART:20260715T130000Z\nDTEND:20260715T140000Z\nSTATUS:CANCELLED",
        "UID:4\nDTSTART:20260715T130000Z\nDTEND:20260715T140000Z\nX-MICROSOFT-CDO-BUSYSTATUS:FREE",
        "UID:5\nDTSTART;VALUE=DATE:20260716\nDTEND;VALUE=DATE:20260717",
        "UID:6\nDTSTART:20260717T090000\nDTEND:20260717T093000\nX-APPLE-TRAVEL-DURATION;VALUE=DURATION:PT30M",
        "UID:ours\nDTSTART:20260718T130000Z\nDTEND:20260718T140000Z",
        "UID:8\nDTSTART:20260719T130000Z\nDTEND:20260719T130000Z",
    )

    assert busy(content, own_uids=["ours"]) == [
        "Tue 14 Jul 14:00-15:00",
        "Thu 16 Jul 00:00-00:00",
        "Fri 17 Jul 08:30-09:30",
    ]


def test_nine_each_monday_stays_nine_when_the_clocks_go_back():
    content = calendar(
        "UID:1\nDTSTART;TZID=Europe/London:20200106T090000\nDTEND;TZID=Europe/London:20200106T100000\n"
        "RRULE:FREQ=WEEKLY\nEXDATE;TZID=Europe/London:20261026T090000",
        "UID:1\nRECURRENCE-ID;TZID=Europe/London:20261019T090000\n"
        "DTSTART;TZID=Europe/London:20261019T150000\nDTEND;TZID=Europe/London:20261019T160000",
    )

    assert busy(content, begin="2026-10-12 00:00", end="2026-11-03 00:00") == [
        "Mon 12 Oct 09:00-10:00",
        "Mon 19 Oct 15:00-16:00",
        "Mon 02 Nov 09:00-10:00",
    ]


def test_a_calendar_that_publishes_only_busy_times_is_read():
    content = CALENDAR.format(
        events="BEGIN:VFREEBUSY\nUID:1\nFREEBUSY;FBTYPE=BUSY:20260714T130000Z/PT1H\n"
        "FREEBUSY;FBTYPE=FREE:20260715T130000Z/PT1H\nEND:VFREEBUSY"
    ).encode()

    assert busy(content) == ["Tue 14 Jul 14:00-15:00"]


def test_an_answer_of_caldav_is_read_and_one_with_entities_is_not():
    answer = (
        '<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response>'
        f"<d:propstat><d:prop><c:calendar-data>{calendar(DENTIST).decode()}</c:calendar-data></d:prop></d:propstat>"
        "</d:response></d:multistatus>"
    )
    assert busy(answer.encode(), kind="caldav") == ["Tue 14 Jul 14:00-15:00"]

    hostile = answer.replace(
        "<d:multistatus", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><d:multistatus', 1
    )
    with pytest.raises(expanding.NotReadable, match="something in it"):
        busy(hostile.encode(), kind="caldav")


@pytest.mark.parametrize(
    "content",
    [
        b"<html>Sign in</html>",
        b"",
        b"BEGIN:VCALENDAR\r\n" * 5000,
        calendar("UID:1\nDTSTART:20260714T130000Z\nDTEND:20260714T140000Z\nDESCRIPTION:" + "x" * 4_000_000)[:-20],
    ],
    ids=["a page", "nothing", "nested", "cut off"],
)
def test_what_is_no_calendar_is_said_to_be_none_soon(content):
    begun = time.monotonic()

    with pytest.raises(expanding.NotReadable):
        busy(content)

    assert time.monotonic() - begun < 10


def test_a_series_of_every_second_for_ever_is_passed_over_and_the_rest_is_read():
    content = calendar("UID:1\nDTSTART:20200101T000000Z\nDTEND:20200101T000001Z\nRRULE:FREQ=SECONDLY", DENTIST)

    found = expanding.busy_in(content, kind="address", begin=at("2026-07-06 00:00"), end=at("2026-11-03 00:00"))

    assert (len(found.spans), found.passed_over) == (1, 1)


# --- Where it may reach -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://calendar.example.org/a.ics",
        "file:///etc/passwd",
        "gopher://calendar.example.org/",
        "https://user:secret@calendar.example.org/",
        "https://calendar.example.org:22/",
        "https:///a.ics",
        "https://calendar.example.org/a b",
        "https://calendar.example.org/\r\nHost: inside",
        "https://calendar.example.org\\@inside/",
        "https://[::1/",
        "//calendar.example.org/",
    ],
)
def test_an_address_that_is_not_plain_https_is_refused_unread(address):
    with pytest.raises(fetching.NotFetched):
        fetching.read_address(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::]", "[::1]", "[::ffff:127.0.0.1]", "localhost",
     "10.1.2.3", "100.64.1.1", "169.254.169.254", "192.168.0.1", "0.0.0.0", "[fe80::1]", "[64:ff9b::7f00:1]",
     "[2002:7f00:1::]", "224.0.0.1"],
)  # fmt: skip
def test_nothing_inside_is_connected_to_however_it_is_written(host, monkeypatch):
    called = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: called.append(a))

    with pytest.raises(fetching.NotFetched):
        fetching.fetch(f"https://{host}/a.ics")

    assert called == []


def test_the_address_that_was_looked_at_is_the_one_connected_to(monkeypatch):
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    tried = []

    def connect(where, *_rest):
        tried.append(where)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", connect)
    outside = fetching.Outside(look_up=lambda _host, _port: next(answers))

    with pytest.raises(fetching.NotFetched):
        fetching.fetch(f"https://{HOST}/a.ics", outside=outside)

    assert tried == [("93.184.216.34", 443)]


def test_one_inside_address_among_several_is_enough_to_refuse(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: pytest.fail("connected"))
    outside = fetching.Outside(look_up=lambda _host, _port: ["93.184.216.34", "10.0.0.1"])

    with pytest.raises(fetching.NotFetched, match="not on the public internet"):
        fetching.fetch(f"https://{HOST}/a.ics", outside=outside)


class Server:
    """A calendar server on this machine, with a certificate for HOST, and what was asked of it."""

    def __init__(self, folder) -> None:
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.drips = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append((self.command, self.path, self.headers.get("Authorization")))
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                if self.path == "/slow":
                    with contextlib.suppress(OSError):
                        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                        while not server.drips.wait(0.1):
                            self.wfile.write(b"X-A: b\r\n")
                    return
                status, headers, body = server.pages.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            do_REPORT = do_GET

            def log_message(self, *_):
                pass

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = folder / "server.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        here.load_cert_chain(pem)
        self.http.socket = here.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        trusted = ssl.create_default_context(cafile=str(pem))
        self.outside = fetching.Outside(
            look_up=lambda host, _port: ["127.0.0.1"] if host == HOST else ["10.0.0.1"],
            is_public=lambda ip: ipaddress.ip_address(ip).is_loopback,
            ports=(self.port,),
            longest_s=1.5,
            context=trusted,
        )

    def url(self, path: str) -> str:
        return f"https://{HOST}:{self.port}{path}"

    def fetch(self, path: str, **more) -> bytes:
        return fetching.fetch(self.url(path), outside=self.outside, **more)

    def close(self) -> None:
        self.drips.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path)
    yield made
    made.close()


def test_a_redirect_is_followed_three_times_and_never_inside(server):
    for number in range(5):
        server.pages[f"/{number}"] = (302, {"Location": f"/{number + 1}"}, b"")
    server.pages["/5"] = (200, {}, b"there")
    server.pages["/inside"] = (302, {"Location": f"https://inside.example.org:{server.port}/"}, b"")
    server.pages["/http"] = (302, {"Location": f"http://{HOST}:{server.port}/5"}, b"")

    assert server.fetch("/2") == b"there"
    for path, says in (("/1", "too many times"), ("/inside", "not on the public internet"), ("/http", "https://")):
        with pytest.raises(fetching.NotFetched, match=says):
            server.fetch(path)


def test_too_much_and_too_slow_are_cut_off(server):
    server.pages["/large"] = (200, {}, b"x" * (fetching.MOST_BYTES + 1))
    with pytest.raises(fetching.NotFetched, match="too large"):
        server.fetch("/large")

    begun = time.monotonic()
    with pytest.raises(fetching.NotFetched, match="too long"):
        server.fetch("/slow")
    assert time.monotonic() - begun < 4


def test_a_certificate_of_nobody_we_know_is_refused(server):
    stranger = fetching.Outside(
        look_up=server.outside.look_up, is_public=server.outside.is_public, ports=server.outside.ports
    )

    with pytest.raises(fetching.NotFetched, match="certificate"):
        fetching.fetch(server.url("/0"), outside=stranger)


# --- Reading them, in turn --------------------------------------------------------------------------------------------


@pytest.fixture
def officer(app, session, cast, freeze):
    freeze("2026-07-06 09:30")
    return cast.officer


def give(server, officer, path="/mine.ics", **more) -> int:
    # The server of a test listens where it can: the port is part of what an officer may not choose.
    with transaction():
        given = busy_calendars.add_calendar(
            officer.id, address=f"webcal://{HOST}{path}", actor=officer.actor, now=now_utc(), **more
        )
        given.address = server.url(path)
        return given.id


def spans() -> list[tuple[str, str]]:
    rows = db.session.scalars(sa.select(BusySpan).order_by(BusySpan.starts_at))
    return [(row.source, f"{row.starts_at.astimezone(LONDON):%d %b %H:%M}") for row in rows]


def test_only_times_are_kept_and_the_next_reading_replaces_them(server, officer, freeze):
    server.pages["/mine.ics"] = (200, {}, calendar(DENTIST))
    number = give(server, officer)

    assert busy_worker.read_next(now_utc(), outside=server.outside)

    assert spans() == [(f"calendar:{number}", "14 Jul 14:00")]
    kept = db.session.get_one(BusyCalendar, number)
    assert (kept.host, kept.fault, kept.spans) == (HOST, None, 1)
    stored = db.session.execute(sa.text("SELECT * FROM busy_span, busy_calendar")).mappings().all()
    assert "dentist" not in str(stored)
    assert "/mine.ics" not in str(stored)
    assert not busy_worker.read_next(now_utc(), outside=server.outside)
    freeze("2026-07-06 09:46")
    server.pages["/mine.ics"] = (200, {}, calendar(DENTIST.replace("20260714", "20260715")))
    assert busy_worker.read_next(now_utc(), outside=server.outside)
    assert spans() == [(f"calendar:{number}", "15 Jul 14:00")]


def test_a_calendar_that_fails_keeps_its_last_times_says_why_and_is_tried_less_often(server, officer, freeze):
    server.pages["/mine.ics"] = (200, {}, calendar(DENTIST))
    number = give(server, officer)
    busy_worker.read_next(now_utc(), outside=server.outside)
    server.pages.clear()
    freeze("2026-07-06 09:46")

    busy_worker.read_next(now_utc(), outside=server.outside)

    kept = db.session.get_one(BusyCalendar, number)
    assert kept.fault == "There is no calendar at that address any more."
    assert (kept.read_at, kept.due_at) == (at("2026-07-06 09:30"), at("2026-07-06 10:16"))
    assert len(spans()) == 1
    reading = busy_calendars.readings_of([officer.id], now=at("2026-07-06 12:00"))[officer.id]
    assert (reading.read_at, reading.is_stale) == (at("2026-07-06 09:30"), True)


def test_caldav_is_asked_for_events_with_the_password_which_goes_to_no_other_host(server, officer):
    number = give(server, officer, path="/dav/", user_name="nadia", password="seven brown teapots")
    server.pages["/dav/"] = (302, {"Location": f"https://inside.example.org:{server.port}/"}, b"")

    busy_worker.read_next(now_utc(), outside=server.outside)

    assert [(method, path) for method, path, _ in server.asked] == [("REPORT", "/dav/")]
    assert server.asked[0][2].startswith("Basic ")
    assert db.session.get_one(BusyCalendar, number).fault == "That address is not on the public internet."


def test_a_calendar_that_is_taken_away_takes_its_times_with_it(server, officer, cast):
    server.pages["/mine.ics"] = (200, {}, calendar(DENTIST))
    number = give(server, officer)
    busy_worker.read_next(now_utc(), outside=server.outside)

    with transaction():
        assert not busy_calendars.remove_calendar(
            cast.other_officer.id, number, actor=cast.other_officer.actor, now=now_utc()
        )
        assert busy_calendars.remove_calendar(officer.id, number, actor=officer.actor, now=now_utc())

    assert spans() == []
    assert busy_calendars.calendars_of(officer.id) == []


def test_an_address_that_would_never_be_read_is_refused_when_it_is_given(officer):
    for address, more in (("http://calendar.example.org/", {}), (f"https://{HOST}/", {"user_name": "nadia"})):
        with pytest.raises(busy_calendars.CalendarNotAdded), transaction():
            busy_calendars.add_calendar(officer.id, address=address, actor=officer.actor, now=now_utc(), **more)

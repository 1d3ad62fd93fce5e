"""What no browser and no device of ours sends is refused in words and is no fault of ours (G37), and who sends too much
is slowed without slowing others (G24): the door, sheets and their files, and the public pages of events."""

from __future__ import annotations

import io
import json
import random
import zipfile
from typing import Any

import pytest
import sqlalchemy as sa
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.db import db, transaction
from crm.events import kit_views, public_views
from crm.events.kit_models import KitAside, KitDevice
from crm.events.models import EventSignUp
from crm.events.sheets import SheetNotRead, lines_of, look_into
from tests.events.conftest import at
from tests.events.test_kit import ELEVEN, KOFI, set_up
from tests.events.test_public_pages import count, open_event, sends

__all__ = ["open_event", "set_up"]

short = settings(suppress_health_check=list(HealthCheck), deadline=None)
sqlite_alone = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

# --- The door ---------------------------------------------------------------------------------------------------------

ENVELOPE = ("v", "event", "device", "id", "n", "at", "key", "nonce", "sealed", "signature")
SAID = ("kind", "guest", "given_name", "family_name", "reach", "partner", "who", "news", "privacy", "ring", "interest",
        "note", "postcode", "contact_times", "no_voicemail")  # fmt: skip
odd = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**30), st.floats(allow_nan=False), st.text(max_size=20),
    st.sampled_from(["\ud800", "\x00", "=1+1", "🦊" * 200, "walk_in", "check_in", "undo", "sign_in", "a@b", "9" * 400]),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.sampled_from(["email", "text", "x"]), st.text(max_size=5)),
)  # fmt: skip


@sqlite_alone
def test_no_entry_that_a_device_can_be_made_to_send_is_a_fault_of_ours(set_up, rounds):
    """Sealed and signed as they should be, and saying anything; and with anything outside the seal."""
    device = set_up()
    device.client.inspects = False

    @settings(short, max_examples=rounds(60, 3000))
    @given(
        st.dictionaries(st.sampled_from(SAID), odd, max_size=8),
        st.dictionaries(st.sampled_from(ENVELOPE), odd, max_size=2),
    )
    def send(said, outside):
        entry = {**device.entry(at(ELEVEN), **{"kind": "walk_in", **said}), **outside}
        body = json.dumps({"clock": 1, "waiting": 1, "entries": [entry]})
        answer = device.client.post(
            "/kit/entries", data=body, content_type="application/json",
            headers={"Authorization": f"Kit {device.given['token']}"},
        )  # fmt: skip
        assert answer.status_code == 200, (said, outside)
        assert answer.get_json()["taken"][0]["state"] in ("stored", "known", "aside")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kit_views, "CALLS_A_MINUTE", 1_000_000)
        send()


BODIES = (
    b"", b"null", b"[]", b"{}", b'"x"', b"{", b"\xff\xfe", b"\x00", b"[" * 100_000, b'{"entries":' + b"[" * 50_000,
    b'{"entries": [1, null, [], {}, "x", 1e400, -1]}', b'{"entries": [NaN, Infinity]}',
    b'{"entries": [], "clock": 1e999, "waiting": -5}', b'{"entries": [], "clock": 99999999999999999999999999}',
    b'{"proof": ["x"]}', b'{"proof": "\\ud800"}',
)  # fmt: skip


@pytest.mark.parametrize("path", ["/kit/entries", "/kit/names"])
@sqlite_alone
def test_no_body_that_a_program_sends_to_the_door_is_a_fault_of_ours(set_up, path):
    device = set_up()
    device.client.inspects = False
    for body in BODIES:
        for token in (device.given["token"], "x" * 43, "", "\u2603"):
            answer = device.client.post(
                path, data=body, content_type="application/json",
                headers={"Authorization": f"Kit {token}".encode("latin-1", "replace").decode("latin-1")},
            )  # fmt: skip
            assert answer.status_code < 500, (path, body[:40], answer.status_code)


@sqlite_alone
def test_no_file_that_somebody_loads_at_the_door_is_a_fault_of_ours(session, set_up, client, cast):
    device = set_up()
    entry = device.entry(at(ELEVEN), **KOFI)
    client.sign_in(cast.recruiter)
    page = client.get(f"/events/{device.given['event']}/kit/file").page
    files = [
        *BODIES,
        device.file({**entry, "n": 10**40}),
        device.file({"id": "\ud800"}, entry),
        device.file(*[entry] * 3),
    ]
    for content in files:
        answer = client.submit(page, button="Load it", file=(io.BytesIO(content), "x.door.json"), one_time_id=None)
        assert answer.status_code in (303, 422), (content[:40], answer.status_code)


def test_a_device_that_calls_without_end_is_slowed_and_slows_no_other(set_up, monkeypatch):
    monkeypatch.setattr(kit_views, "CALLS_A_MINUTE", 3)
    one = set_up()
    other = set_up(one.given["event"])

    answers = [one.send(clock=at(ELEVEN)) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) <= 60
    assert other.send(other.entry(at(ELEVEN), **KOFI), clock=at(ELEVEN)).status_code == 200


def test_an_entry_of_which_a_part_is_no_text_is_kept_aside_and_shown(session, set_up, client, cast):
    """Half a letter (a lone surrogate) is in no name, can be stored in no column, and breaks no page."""
    device = set_up()
    device.send(device.entry(at(ELEVEN), given_name="\ud800", reach="\udfff"), clock=at(ELEVEN))

    client.sign_in(cast.recruiter)
    aside_id = session.scalars(sa.select(KitAside.id)).one()
    assert client.get(f"/events/{device.given['event']}/kit/aside/{aside_id}").status_code == 200


# --- Sheets -----------------------------------------------------------------------------------------------------------


def workbook() -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet("Names")
    for number, row in enumerate((("Name", "Phone"), ("Kofi Mensah", "07700 900745"), ("Ama", "07700 900746"))):
        sheet.write_row(number, 0, row)
    book.close()
    return out.getvalue()


def with_part(content: bytes, name: str, change: Any) -> bytes:
    """The workbook with one of its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            raw = old.read(part)
            new.writestr(part, change(raw) if part == name else raw)
    return out.getvalue()


LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">%s]><sst>&z;</sst>' % b"".join(
    b'<!ENTITY %c "%s">' % (letter, b"&%c;" % (letter - 1) * 30) for letter in range(ord("b"), ord("z") + 1)
)


def read_all(content: bytes) -> None:
    try:
        head = look_into(content)
        for _ in lines_of(content, sheet_at=0, lines_from=head.lines_from):
            pass
    except SheetNotRead:
        pass


def test_a_workbook_that_was_damaged_anywhere_is_refused_in_words(rounds):
    good, dice = workbook(), random.Random(37)
    names = zipfile.ZipFile(io.BytesIO(good)).namelist()
    for _ in range(rounds(150, 5000)):
        raw = bytearray(good)
        for _ in range(dice.randint(1, 8)):
            raw[dice.randrange(4, len(raw))] = dice.randrange(256)
        read_all(bytes(raw))
        read_all(good[: dice.randrange(4, len(good))])
        name = dice.choice(names)
        cut = dice.randrange(200)
        read_all(with_part(good, name, lambda part, cut=cut: part[:cut]))
        read_all(
            with_part(
                good, name, lambda part, cut=cut: part.replace(b'"1"', b'"99999999999"').replace(b"A1", b"A" * cut)
            )
        )


@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_a_workbook_that_grows_as_it_is_read_is_refused(part):
    content = with_part(workbook(), part, lambda _: LAUGHS)

    with pytest.raises(SheetNotRead):
        look_into(content)


def test_a_workbook_behind_a_password_is_refused():
    raw = bytearray(workbook())
    for mark, at_byte in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = raw.find(mark)
        while start >= 0:
            raw[start + at_byte] |= 1
            start = raw.find(mark, start + 4)

    with pytest.raises(SheetNotRead):
        look_into(bytes(raw))


@pytest.mark.parametrize("name", ["a\x00b.csv", "../../etc/passwd", "\u202egnp.csv", "x" * 5000, "'><zqx>.csv"])
def test_a_sheet_may_be_called_anything(client, cast, session, make_event, name):
    with transaction():
        event_id = make_event().id
    session.remove()
    client.sign_in(cast.recruiter)
    page = client.get(f"/events/{event_id}/import").page

    sent = client.submit(page, field="sheet", sheet=(io.BytesIO(b"Name,Phone\nKofi,07700 900745\n"), name))

    assert sent.status_code == 303
    assert client.get(sent.location).status_code == 200
    assert client.get(f"/events/{event_id}/import").status_code == 200


# --- Numbers that no row has ------------------------------------------------------------------------------------------

FAR_TOO_LARGE = 10**30


@pytest.mark.parametrize("number", [2**31, 2**63, FAR_TOO_LARGE])
def test_a_number_that_no_row_can_have_is_a_page_that_is_not_there(app, client, cast, number):
    """Each address of events and enquiries that has a number in it, with one that no database holds."""
    client.sign_in(cast.manager)
    wrong = []
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or not rule.arguments or "int:" not in rule.rule:
            continue
        values = {name: number if f"<int:{name}>" in rule.rule else "x" for name in rule.arguments}
        with app.test_request_context():
            path = rule.build(values)[1]  # type: ignore[index]
        answer = client.get(path)
        # 405 where calendar programs may ask anything and are told what they may not.
        if answer.status_code not in ((403, 404, 405) if path.startswith("/caldav/") else (403, 404)):
            wrong.append(f"{path}: {answer.status_code}")

    assert wrong == []


# --- Public pages of events -------------------------------------------------------------------------------------------


def test_who_signs_up_without_end_is_slowed_and_slows_nobody_elsewhere(app, client, open_event, monkeypatch):
    path = open_event(capacity=100)
    with app.app_context():
        from crm.web import limits

        for _ in range(public_views.SIGN_UPS_A_WINDOW - 2):
            limits.count_try("event sign-up", "127.0.0.1", at_most=10_000, seconds=public_views.WINDOW_SECONDS)

    answers = [sends(client, path, email=f"guest{number}@example.org") for number in range(4)]

    assert [answer.status_code for answer in answers] == [303, 303, 429, 429]
    assert "ring us" in answers[-1].text
    elsewhere = app.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert sends(elsewhere, path, email="calm@example.org").status_code == 303
    assert count(app, EventSignUp) == 3


def test_a_place_that_is_given_up_and_wanted_without_end_is_slowed(app, client, open_event, monkeypatch):
    path = open_event(capacity=2)
    sends(client, path)
    with app.app_context():
        token = db.session.scalars(sa.select(EventSignUp)).one().link_token
        from crm.web import limits

        for _ in range(public_views.SIGN_UPS_A_WINDOW - 1):
            limits.count_try("event place", "127.0.0.1", at_most=10_000, seconds=public_views.WINDOW_SECONDS)
    page = client.get(f"/events/my-place/{token}").page

    first = client.submit(page, to=f"/events/my-place/{token}/give-up")
    again = client.submit(client.get(f"/events/my-place/{token}").page, to=f"/events/my-place/{token}/come-after-all")

    assert (first.status_code, again.status_code) == (303, 429)


def test_guesses_at_a_pin_are_each_counted_however_many_come_at_once(app, session, set_up, database):
    """The count is read when its row is held: on PostgreSQL two who read it before would count one."""
    device = set_up()
    with transaction():
        stale = session.scalars(sa.select(KitDevice)).one()
        assert stale.wrong_proofs == 0
    device.names(proof="cd" * 32)

    with transaction():
        from crm.events import kit

        assert not kit.check_proof(stale, "0" * 64)

    session.expire_all()
    assert session.scalars(sa.select(KitDevice.wrong_proofs)).one() == 2

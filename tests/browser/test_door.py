"""The door without signal (G12), in real Chromium: killed, cut off, and on a network that loses answers."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from bench.door import PIN, asides_of, found_on_disk, stored_entries
from crm.cases.open_case import NewPerson
from crm.clock import now_utc
from crm.db import transaction
from crm.events import kit
from crm.events.attendance import add_guest
from crm.events.kit_models import KitDevice
from crm.events.models import EventKind, EventSignUp, SignUpSource, SignUpStatus
from crm.events.planning import create_event
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]

WORDS = "Abernathy Bexley Calloway Dunmore Eskdale Fenwick Garrick Holloway Iveson Jessop"
CANARIES = [f"Xq{n}{word}" for n, word in enumerate(WORDS.split())]
A_DAY_AHEAD_MS = 26 * 3600 * 1000
KEEP_AS_TYPED = """async word => {
    const open = indexedDB.open('careless', 1)
    open.onupgradeneeded = () => open.result.createObjectStore('names', {autoIncrement: true})
    await new Promise(done => { open.onsuccess = done })
    const write = open.result.transaction('names', 'readwrite', {durability: 'strict'})
    write.objectStore('names').add({given: word})
    await new Promise(done => { write.oncomplete = done })
}"""
"""The control of the search: what is not sealed is found on the disk, in the very same profile."""


@pytest.fixture
def event_id(app: Any, session: Any, cast: Any) -> int:
    """An event that runs now, with 200 people on its list: the last is Zuleika Yarrow."""
    now = now_utc()
    with transaction():
        event = create_event(
            name="Coffee and questions",
            kind=EventKind.DROP_IN,
            place="St Aldwyn’s Hall",
            starts_at=now - timedelta(hours=1),
            ends_at=now + timedelta(hours=3),
            staff_ids=[cast.recruiter.id],
            actor=cast.recruiter.actor,
            now=now,
        )
        event_id = event.id
        for n in range(200):
            sign_up = EventSignUp(
                event_id=event_id,
                status=SignUpStatus.CONFIRMED,
                source=SignUpSource.WEB,
                adults=1,
                signed_up_at=now,
            )
            session.add(sign_up)
            session.flush()
            family = "Yarrow" if n == 199 else f"Thistlewood-{n}"
            person = NewPerson(given_name="Zuleika", family_name=family, phone=f"07700 900{n:03}")
            add_guest(sign_up, person, position=1, now=now)
    session.remove()
    return event_id


def test_ten_entries_survive_kills_and_a_network_that_loses_and_leave_no_trace_on_the_device(
    app, cast, live, network, tablet, event_id
):
    device = tablet()
    device.set_up(event_id, email=cast.recruiter.email, password=PASSWORD)
    network.is_cut = True
    began = datetime.now(UTC)
    device.page.reload()
    device.unlock()
    count = itertools.count(1)
    for name in CANARIES[:4]:
        device.walk_in(name, f"{name}ova", f"{name}@example.org")
        assert device.waiting == next(count)
    device.kill()
    device.open()
    assert device.waiting == 4
    device.unlock()
    device.page.get_by_label("Who is at the door?").fill("yarrow")
    device.page.get_by_role("button", name="Check in Zuleika Yarrow").click()
    device.page.get_by_role("button", name="Undo check-in for Zuleika Yarrow").wait_for()
    device.to_kiosk()
    for name in CANARIES[4:7]:
        device.sign_in_at_kiosk(name, f"{name}ova", f"{name}@example.org")
    device.kill()
    device.open()
    device.page.wait_for_url("**/kit/kiosk")  # a kiosk stays one
    assert device.waiting == 8
    for name in CANARIES[7:]:
        device.sign_in_at_kiosk(name, f"{name}ova", f"{name}@example.org")
    device.kill()
    ended = datetime.now(UTC)
    network.is_cut, network.loses = False, 0.3
    device.open()
    device.wait_until_sent()
    device.page.evaluate(KEEP_AS_TYPED, "XqCareless")
    device.kill()

    with app.app_context():
        stored = stored_entries(event_id)
        assert asides_of(event_id) == 0
    names = [name for name, _, _ in stored]
    assert names == [*CANARIES[:4], "Zuleika", *CANARIES[4:]]
    assert all(began <= written <= ended for _, written, _ in stored)
    assert found_on_disk(device.folder, [*CANARIES, "Zuleika", "Thistlewood"]) == []
    assert found_on_disk(device.folder, ["XqCareless"]), "the search finds nothing at all"


def test_two_tablets_one_of_them_a_day_fast_and_a_service_that_starts_again(
    app, cast, live, network, tablet, event_id, start_service
):
    first = tablet()
    first.set_up(event_id, email=cast.recruiter.email, password=PASSWORD, name="First")
    second = tablet(skew_ms=A_DAY_AHEAD_MS)
    second.set_up(event_id, email=cast.recruiter.email, password=PASSWORD, name="Second")
    network.is_cut = True
    for n, name in enumerate(CANARIES[:6]):
        (first, second)[n % 2].walk_in(name, "Mensah", f"{name}@example.org")
    live.kill()
    again = start_service()
    network.port = lambda: again.port
    network.is_cut, network.loses = False, 0.3
    for device in (second, first):
        device.wait_until_sent()

    with app.app_context():
        stored = stored_entries(event_id)
        assert asides_of(event_id) == 0
    assert [name for name, _, _ in stored] == CANARIES[:6]
    apart = [round(late / 3600) for _, _, late in stored]
    assert apart == [0, 26] * 3


def test_setting_up_rests_until_its_script_is_there_and_loses_nothing_that_was_typed(open_page, cast, event_id):
    page = open_page(width=360)
    held: list[Any] = []
    page.route("**/door/set_up*.js*", lambda route: held.append(route))
    page.goto(f"/sign-in?next=/events/{event_id}/kit/device")
    page.get_by_label("Work email").fill(cast.recruiter.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("What is this device called?").fill("Blue tablet")
    for label in ("A PIN for tonight", "The PIN again"):
        page.get_by_label(label).fill(PIN)
    set_up = page.get_by_role("button", name="Set it up")
    expect(set_up).to_be_disabled()
    page.get_by_label("The PIN again").press("Enter")  # which sends a form whose button does not rest
    assert page.get_by_label("The PIN again").input_value() == PIN
    for script in held:
        script.continue_()
    set_up.click()
    page.get_by_label("The PIN of this event").wait_for()


# --- What is on the screen --------------------------------------------------------------------------------------------

NARROW, WIDE = 320, 1280


@pytest.fixture
def at_the_door(open_page: Any, cast: Any, event_id: int) -> Any:
    """A page of the shared browser, set up for the event, at its lock."""
    page = open_page(width=360)
    page.goto(f"/sign-in?next=/events/{event_id}/kit/device")
    page.get_by_label("Work email").fill(cast.recruiter.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("What is this device called?").fill("Blue tablet")
    for label in ("A PIN for tonight", "The PIN again"):
        page.get_by_label(label).fill(PIN)
    page.get_by_role("button", name="Set it up").click()
    page.wait_for_url("**/kit/")
    page.get_by_label("The PIN of this event").wait_for()
    return page


def unlock(page: Any, pin: str = PIN) -> None:
    page.get_by_label("The PIN of this event").fill(pin)
    page.keyboard.press("Enter")


def test_every_state_of_the_door_can_be_read_by_everybody(at_the_door, look):
    page = at_the_door

    def see(name: str, *widths: int) -> None:
        look(page, name, widths=widths or (NARROW, WIDE))

    see("lock")
    unlock(page, "000000")
    page.get_by_text("That is not the PIN. 4 more tries").wait_for()
    see("lock-wrong")
    unlock(page)
    find = page.get_by_label("Who is at the door?")
    find.wait_for()
    assert page.locator("#rows li").count() == 200
    see("list-of-200", NARROW, 360, WIDE)
    find.fill("nobody-of-that-name")
    page.get_by_text("Nobody on the list is called that.").wait_for()
    see("list-none")
    page.context.set_offline(True)
    find.fill("yarrow")
    page.get_by_role("button", name="Check in Zuleika Yarrow").click()
    page.get_by_role("button", name="Undo check-in for Zuleika Yarrow").wait_for()
    assert page.evaluate("document.activeElement.id") == "q"
    page.get_by_text("No signal. Carry on.").wait_for()
    see("here-no-signal", NARROW, 360, WIDE)
    page.get_by_role("button", name="Walk-in").click()
    page.get_by_role("button", name="Save, next person").click()
    assert page.evaluate("document.activeElement.id") == "given"
    page.get_by_label("Mobile or email").fill("12")
    page.get_by_label("A couple").check()
    page.get_by_role("button", name="Save, next person").click()
    page.get_by_text("This number has 2 digits.").wait_for()
    assert page.get_by_label("Mobile or email").input_value() == "12"
    see("walk-in-to-put-right", NARROW, 360, WIDE)
    page.get_by_role("button", name="Not yet sent").click()
    page.get_by_text("1 entry is kept on this device, sealed").wait_for()
    # A browser of a test is refused lasting storage, as some phones' are.
    assert page.get_by_text("This browser may clear what is kept").is_visible()
    see("not-yet-sent", NARROW, 360, WIDE)
    page.context.set_offline(False)
    # Signal alone may have sent it by now, and then the button rests.
    page.get_by_role("button", name="Send now").evaluate("button => button.click()")
    page.get_by_text("Everything typed on this device has reached us.").wait_for()
    see("all-sent")
    page.get_by_role("button", name="Back to the list").click()
    page.get_by_role("button", name="Kiosk").click()
    page.get_by_role("heading", name="Hello. Come on in").wait_for()
    see("kiosk", NARROW, 360, 768, WIDE)
    page.get_by_role("button", name="I’m here").click()
    page.get_by_text("Write your first name").wait_for()
    see("kiosk-to-put-right")
    page.get_by_role("button", name="Staff").click()
    see("kiosk-staff")


def sign_in_by_keyboard(page: Any, name: str) -> None:
    page.get_by_label("First name").focus()
    for keys in (name, "Tab", "Oakes", "Tab", "07700 900123", "Tab", "Space"):
        page.keyboard.press(keys) if keys in ("Tab", "Space") else page.keyboard.type(keys)
    page.get_by_label("Mobile or email").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=f"Thank you, {name}").wait_for()
    assert page.evaluate("document.activeElement.id") == "hello"
    page.get_by_role("button", name="Next person").click()
    assert name not in page.content()


def test_the_kiosk_clears_itself_wrong_pins_remove_the_names_and_what_was_not_sent_is_carried_by_hand(
    at_the_door, app, session, cast, client, event_id, tmp_path
):
    page = at_the_door
    page.get_by_role("button", name="Let visitors sign themselves in").click()
    page.get_by_role("heading", name="Hello. Come on in").wait_for()
    assert "Zuleika" not in page.content()
    sign_in_by_keyboard(page, "Rowan")
    expect(page.locator("[data-waiting]").first).to_have_text("0", timeout=20_000)

    # Back shows an empty form, and a minute of nothing makes it one.
    page.get_by_label("First name").fill("Half-typed")
    page.go_back()
    page.get_by_label("First name").wait_for()
    assert page.url.endswith("/kit/kiosk")
    assert page.get_by_label("First name").input_value() == ""
    page.clock.install()
    page.reload()
    page.get_by_label("First name").fill("Walked away")
    page.clock.run_for(61_000)
    assert page.get_by_label("First name").input_value() == ""

    # Somebody types the address of the door: it leads back, until the PIN is given.
    page.goto("/kit/")
    page.wait_for_url("**/kit/kiosk")
    page.context.set_offline(True)
    sign_in_by_keyboard(page, "Juniper")
    page.get_by_role("button", name="Staff").click()
    unlock(page)
    page.wait_for_url("**/kit/")

    # Five wrong PINs: no names any more, whatever is started anew. What was not sent stays.
    for left in (4, 3, 2, 1):
        unlock(page, "999999")
        page.get_by_text(f"{left} more tr").wait_for()
    unlock(page, "999999")
    page.get_by_text("The list of names is not on this device any more").wait_for()
    page.reload()
    page.get_by_text("The list of names is not on this device any more").wait_for()
    assert page.locator("#unsent").inner_text().split() == ["Not", "yet", "sent", "1"]

    # Staff have withdrawn the device: it keeps its queue, and gives it as a file.
    with transaction():
        device = session.scalars(select(KitDevice)).one()
        kit.withdraw_device(device, actor=cast.recruiter.actor, now=now_utc())
    session.remove()
    page.context.set_offline(False)
    page.get_by_role("button", name="Not yet sent").click()
    page.evaluate("dispatchEvent(new Event('online'))")
    page.get_by_text("The door of this event is closed for this device.").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a file").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == "coffee-and-questions-blue-tablet.door.json"
    assert "Juniper" not in file.read_text()

    client.sign_in(cast.recruiter)
    form = client.get(f"/events/{event_id}/kit/file").page
    assert client.submit(form, button="Load it", file=(file.open("rb"), file.name)).status_code == 303
    assert "1 entry stored" in client.get(f"/events/{event_id}/kit").page.text

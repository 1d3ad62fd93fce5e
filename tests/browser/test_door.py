"""The door without signal (G12), in real Chromium: killed, cut off, and on a network that loses answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.door import LossyNetwork, Tablet, asides_of, found_on_disk, stored_entries
from crm.cases.open_case import NewPerson
from crm.clock import now_utc
from crm.db import transaction
from crm.events.attendance import add_guest
from crm.events.models import EventKind, EventSignUp, SignUpSource, SignUpStatus
from crm.events.planning import create_event
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]

WORDS = "Abernathy Bexley Calloway Dunmore Eskdale Fenwick Garrick Holloway Iveson Jessop"
CANARIES = [f"Xq{n}{word}" for n, word in enumerate(WORDS.split())]
A_DAY_AHEAD_MS = 26 * 3600 * 1000


@pytest.fixture
def network(live: Any) -> Iterator[LossyNetwork]:
    network = LossyNetwork(lambda: live.port)
    yield network
    network.close()


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


@pytest.fixture
def tablet(chromium: Any, network: LossyNetwork, tmp_path: Path) -> Iterator[Callable[..., Tablet]]:
    """``tablet()``: a browser with a profile of its own, killed at the end."""
    made: list[Tablet] = []
    # The driver that the other browser tests share: a second one can't be had in the same thread.
    playwright = chromium.browser_type

    class Driver:
        chromium = playwright

    def make(**options: Any) -> Tablet:
        one = Tablet(Driver, tmp_path / f"profile-{len(made)}", network.url, **options)
        made.append(one)
        one.open("/sign-in")
        return one

    yield make
    for one in made:
        one.kill()


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
    device.kill()

    with app.app_context():
        stored = stored_entries(event_id)
        assert asides_of(event_id) == 0
    names = [name for name, _, _ in stored]
    assert names == [*CANARIES[:4], "Zuleika", *CANARIES[4:]]
    assert all(began <= written <= ended for _, written, _ in stored)
    assert found_on_disk(device.folder, [*CANARIES, "Zuleika", "Thistlewood"]) == []


def test_the_search_of_the_disk_finds_what_is_not_sealed(app, network, tablet, event_id):
    """The control: the same search, where a page keeps what was typed as it is."""
    device = tablet()
    device.page.evaluate(
        """async () => {
            const open = indexedDB.open('careless', 1)
            open.onupgradeneeded = () => open.result.createObjectStore('names', {autoIncrement: true})
            await new Promise(done => { open.onsuccess = done })
            const write = open.result.transaction('names', 'readwrite', {durability: 'strict'})
            write.objectStore('names').add({given: 'XqCareless'})
            await new Promise(done => { write.oncomplete = done })
        }"""
    )
    device.kill()

    assert found_on_disk(device.folder, ["XqCareless"])


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

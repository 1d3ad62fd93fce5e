"""The door kit at the server: what a device sends is stored once, in order, with both times; or kept aside."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from crm.audit import AuditEntry
from crm.cases.consents import consents_in_force
from crm.cases.models import Case, Consent, Deadline, Enquiry, Person
from crm.cases.open_case import NewPerson
from crm.clock import now_utc
from crm.db import transaction
from crm.events import kit, kit_queries
from crm.events.attendance import add_guest
from crm.events.kit_models import KitAside, KitDevice, KitEntry, KitKey
from crm.events.models import EventConsent, EventGuest, EventSignUp, RecruitmentEvent, SignUpSource, SignUpStatus
from tests.events.conftest import at
from tests.events.door_device import Device, states

ELEVEN = "2026-05-16 11:00"
KOFI = {"given_name": "Kofi", "family_name": "Mensah", "reach": "07700 900745", "interest": "ready"}

SetUp = Callable[..., Device]


@pytest.fixture
def set_up(app: Any, session: Any, cast: Any, client: Any, make_event: Any, freeze: Any) -> SetUp:
    """``set_up()``: a device of a stall on Saturday 16 May 2026, at eleven, with the clock stopped there."""

    def make(event_id: int | None = None, *, proof: str = "ab" * 32, **event: Any) -> Device:
        freeze(ELEVEN)
        if event_id is None:
            with transaction():
                event_id = make_event(**event).id
            session.remove()
        client.sign_in(cast.recruiter)
        device = Device(client, proof=proof)
        answer = device.set_up(event_id, clock=now_utc())
        assert answer.status_code == 201, answer.page.text
        return device

    return make


def event_of(session: Any, device: Device) -> RecruitmentEvent:
    return session.get(RecruitmentEvent, device.given["event"])


def enquirers(session: Any) -> list[str]:
    """First names of those who came in by the door's enquiries."""
    with_touch = select(Case.household_id).join(Enquiry, Enquiry.case_id == Case.id).where(Enquiry.channel == "event")
    return list(session.scalars(select(Person.given_name).where(Person.household_id.in_(with_touch))))


def guest_of(session: Any, device: Device, **person: Any) -> int:
    with transaction():
        sign_up = EventSignUp(
            event_id=device.given["event"],
            status=SignUpStatus.CONFIRMED,
            source=SignUpSource.WEB,
            adults=1,
            signed_up_at=at("2026-05-10 09:00"),
        )
        session.add(sign_up)
        session.flush()
        guest_id = add_guest(sign_up, NewPerson(**person), position=1, now=at("2026-05-10 09:00")).id
    session.remove()
    return guest_id


# --- Setting up -------------------------------------------------------------------------------------------------------


def test_a_device_that_is_set_up_may_add_to_its_event_and_staff_are_signed_out_on_it(session, client, set_up):
    device = set_up()

    assert client.get("/my-day").status_code == 303
    assert client.get(f"/events/{device.given['event']}/kit").status_code == 303
    assert states(device.send(device.entry(at(ELEVEN), **KOFI), clock=at(ELEVEN))) == ["stored"]
    assert enquirers(session) == ["Kofi"]


def test_what_a_device_is_given_names_nobody_but_who_is_expected(session, set_up):
    device = set_up()
    guest_of(session, device, given_name="Farah", family_name="Siddiqui", phone="07700 900402", email="f@example.org")

    again = set_up(device.given["event"])

    assert [line["name"] for line in again.given["names"]] == ["Farah Siddiqui"]
    assert again.given["names"][0]["hint"] == "phone ends 402"
    rest = {name: value for name, value in again.given.items() if name != "names"}
    assert "900402" not in json.dumps(again.given)
    assert "Farah" not in json.dumps(rest)
    assert rest["ringBy"] == {"2026-05-16": "Monday 18 May"}
    assert [one["channel"] for one in rest["news"]] == ["email", "text", "phone"]


def test_the_token_is_kept_as_a_digest_and_the_private_key_sealed(session, set_up):
    device = set_up()

    row, key = session.scalars(select(KitDevice)).one(), session.scalars(select(KitKey)).one()
    assert device.given["token"] not in (row.token_hash, row.public_id)
    assert key.private_key is not None
    assert key.private_key not in (key.private_key_sealed or "")


def test_a_browser_that_brings_no_key_is_told_so(client, cast, session, make_event, freeze):
    freeze(ELEVEN)
    with transaction():
        event_id = make_event().id
    client.sign_in(cast.recruiter)

    answer = client.submit(client.get(f"/events/{event_id}/kit/device").page, button="Set it up", name="Old phone")

    assert answer.status_code == 422
    assert "can’t seal what is typed" in answer.page.text
    assert client.get("/my-day").status_code == 200


# --- Once, in order, both times ---------------------------------------------------------------------------------------


def test_an_entry_is_stored_once_however_often_it_comes(session, set_up):
    device = set_up()
    entry = device.entry(at(ELEVEN), **KOFI)

    answers = [device.send(entry, clock=at(ELEVEN)) for _ in range(3)]

    assert [states(answer) for answer in answers] == [["stored"], ["known"], ["known"]]
    counts = [session.scalar(select(func.count()).select_from(table)) for table in (KitEntry, Enquiry, EventSignUp)]
    assert counts == [1, 1, 1]


def test_two_devices_and_a_clock_that_is_wrong_keep_their_order_and_both_times(session, set_up, freeze):
    """A tablet whose clock is a day and five hours fast, and a phone: what happened first comes first."""
    tablet = set_up()
    phone = set_up(tablet.given["event"])
    fast = timedelta(days=1, hours=5)
    by_tablet = [
        tablet.entry(at(when) + fast, given_name=name)
        for when, name in (("2026-05-16 11:01", "Ama"), ("2026-05-16 11:05", "Cai"))
    ]
    by_phone = [phone.entry(at("2026-05-16 11:03"), given_name="Bea")]
    freeze("2026-05-16 17:30")

    assert states(phone.send(*by_phone, clock=at("2026-05-16 17:30"))) == ["stored"]
    assert states(tablet.send(*by_tablet, clock=at("2026-05-16 17:30") + fast)) == ["stored", "stored"]

    rows = session.scalars(select(KitEntry).order_by(KitEntry.occurred_at, KitEntry.id)).all()
    assert [row.occurred_at for row in rows] == [at(f"2026-05-16 11:0{minute}") for minute in (1, 3, 5)]
    assert [row.written_at - row.occurred_at for row in rows] == [fast, timedelta(), fast]
    assert {row.received_at for row in rows} == {at("2026-05-16 17:30")}
    came = session.scalars(select(EventGuest.given_name).order_by(EventGuest.attended_at)).all()
    assert came == ["Ama", "Bea", "Cai"]


@pytest.mark.parametrize(
    ("written", "counted"),
    [
        ("2026-05-16 15:59", "2026-05-16 15:59"),
        ("2026-05-16 09:40", "2026-05-16 10:00"),  # the door opens before the event begins
        ("2026-05-16 16:20", "2026-05-16 16:00"),
        ("2019-01-01 00:00", "2026-05-16 16:00"),  # the battery had been out
        ("2031-01-01 00:00", "2026-05-16 16:00"),
    ],
)
def test_the_clock_of_an_enquiry_counts_from_inside_the_event(session, set_up, freeze, written, counted):
    device = set_up()
    entry = device.entry(at(written), **KOFI)
    freeze("2026-05-17 09:00")

    device.send(entry, clock=at("2026-05-17 09:00"))

    assert session.scalars(select(Enquiry.received_at)).one() == at(counted)
    due = session.scalars(select(Deadline.due_on).where(Deadline.rule == "first_contact")).one()
    assert f"{due:%a %d %b}" == "Mon 18 May"
    assert session.scalars(select(KitEntry.written_at)).one() == at(written)


def test_what_was_ticked_is_kept_for_each_channel_with_the_words_that_were_shown(session, set_up, freeze):
    device = set_up()
    news = {one["channel"]: one["version"] for one in device.given["news"] if one["channel"] != "phone"}

    device.send(device.entry(at(ELEVEN), **KOFI, news=news, privacy=device.given["privacy"]), clock=at(ELEVEN))

    person = session.scalars(select(Person).where(Person.given_name == "Kofi")).one()
    assert sorted(consents_in_force([person.id])[person.id]) == ["email", "text"]
    assert {consent.wording_version for consent in session.scalars(select(Consent))} == set(news.values())


def test_somebody_who_leaves_no_way_to_reach_them_is_counted(session, set_up):
    device = set_up()

    assert states(device.send(device.entry(at(ELEVEN), given_name="Ama"), clock=at(ELEVEN))) == ["stored"]

    assert session.scalar(select(func.count()).select_from(Case)) == 0
    assert session.scalars(select(EventGuest.given_name)).one() == "Ama"


def test_a_couple_walks_in_together(session, set_up):
    device = set_up()

    device.send(device.entry(at(ELEVEN), **KOFI, who="couple", partner="Efua"), clock=at(ELEVEN))

    assert sorted(session.scalars(select(EventGuest.given_name))) == ["Efua", "Kofi"]
    assert session.scalar(select(func.count()).select_from(Case)) == 1


# --- Check-in and the kiosk -------------------------------------------------------------------------------------------


def test_a_check_in_and_its_undoing_count_in_the_order_in_which_they_happened(session, set_up, freeze):
    device = set_up()
    guest = guest_of(session, device, given_name="Farah", family_name="Siddiqui")
    came = device.entry(at("2026-05-16 11:01"), kind="check_in", guest=guest, name="Farah Siddiqui")
    undone = device.entry(at("2026-05-16 11:02"), kind="undo", guest=guest, name="Farah Siddiqui")
    freeze("2026-05-16 12:00")

    device.send(undone, clock=at("2026-05-16 12:00"))
    device.send(came, clock=at("2026-05-16 12:00"))

    assert session.get(EventGuest, guest).attended_at is None


def test_who_booked_and_signs_in_at_the_kiosk_is_checked_in_and_not_entered_twice(session, set_up):
    device = set_up()
    guest = guest_of(session, device, given_name="Farah", family_name="Siddiqui", phone="07700 900402")
    entry = device.entry(at(ELEVEN), kind="sign_in", given_name="farah", reach="07700900402", ring="yes")

    assert states(device.send(entry, clock=at(ELEVEN))) == ["stored"]

    row = session.scalars(select(EventGuest)).one()
    assert (row.id, row.attended_at, row.sign_up.wants_call) == (guest, at(ELEVEN), True)


def test_the_same_phone_and_another_name_at_the_kiosk_is_somebody_else(session, set_up):
    device = set_up()
    guest = guest_of(session, device, given_name="Farah", phone="07700 900402")

    device.send(
        device.entry(at(ELEVEN), kind="sign_in", given_name="Omar", reach="07700 900402", ring="no"), clock=at(ELEVEN)
    )

    assert session.get(EventGuest, guest).attended_at is None
    assert session.scalar(select(func.count()).select_from(EventGuest)) == 2


@pytest.mark.parametrize(("ring", "cases"), [("yes", 1), ("no", 0)])
def test_a_visitor_is_rung_when_they_say_so(session, set_up, ring, cases):
    device = set_up()

    device.send(device.entry(at(ELEVEN), kind="sign_in", ring=ring, **KOFI), clock=at(ELEVEN))

    assert session.scalar(select(func.count()).select_from(Case)) == cases
    assert session.scalars(select(EventGuest.phone)).one() == "07700 900745"


# --- What can't be taken ----------------------------------------------------------------------------------------------


def spoiled(entry: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**entry, **changes}


SPOILED: tuple[tuple[str, Callable[[Device, dict[str, Any]], Any]], ...] = (
    ("shape", lambda device, entry: {"id": entry["id"], "hello": "there"}),
    ("shape", lambda device, entry: spoiled(entry, n=-1)),
    ("shape", lambda device, entry: spoiled(entry, at="yesterday")),
    ("shape", lambda device, entry: "nonsense"),
    ("other_event", lambda device, entry: device.sign(spoiled(entry, event=entry["event"] + 1))),
    ("unknown_device", lambda device, entry: spoiled(entry, device="f" * 32)),
    ("forged", lambda device, entry: spoiled(entry, n=entry["n"] + 1)),
    ("forged", lambda device, entry: spoiled(entry, at=entry["at"] - 3_600_000)),
    ("forged", lambda device, entry: spoiled(entry, signature="AAAA")),
    ("sealed", lambda device, entry: device.sign(spoiled(entry, n=entry["n"] + 1))),
    ("sealed", lambda device, entry: device.sign(spoiled(entry, sealed=entry["sealed"][:-4] + "AAA="))),
)


def test_an_entry_that_is_wrong_is_kept_aside_once_and_never_sent_again(session, set_up):
    device = set_up()

    for reason, spoil in SPOILED:
        wrong = spoil(device, device.entry(at(ELEVEN), **KOFI))
        good = device.entry(at(ELEVEN), given_name="Ama")
        first = device.send(wrong, good, clock=at(ELEVEN))
        again = device.send(wrong, clock=at(ELEVEN))

        assert (states(first), states(again)) == (["aside", "stored"], ["aside"]), reason
        assert first.get_json()["taken"][0]["reason"]

    session.rollback()
    assert session.scalars(select(KitAside.reason).order_by(KitAside.id)).all() == [reason for reason, _ in SPOILED]
    assert enquirers(session) == []


def test_an_entry_that_comes_again_with_other_words_is_kept_aside_and_changes_nothing(session, set_up):
    device = set_up()
    entry = device.entry(at(ELEVEN), **KOFI)
    device.send(entry, clock=at(ELEVEN))

    answer = device.send(device.entry(at(ELEVEN), entry_id=entry["id"], given_name="Mallory"), clock=at(ELEVEN))

    assert states(answer) == ["aside"]
    assert session.scalars(select(KitAside.reason)).one() == "other_words"
    assert enquirers(session) == ["Kofi"]


def test_what_could_be_read_and_not_stored_waits_for_a_person_and_is_dropped_when_dealt_with(
    session, set_up, client, cast
):
    device = set_up()
    entry = device.entry(at(ELEVEN), given_name="Kofi", reach="12", note="Ring after six")

    assert states(device.send(entry, clock=at(ELEVEN))) == ["aside"]

    client.sign_in(cast.recruiter)
    event_id = device.given["event"]
    page = client.get(f"/events/{event_id}/kit").page
    link = page.root.first("table", class_="ds-table").inside("section")
    assert "Could not be stored" in page.text
    aside = session.scalars(select(KitAside)).one()
    assert "Ring after six" not in (aside.content_sealed or "")
    page = client.get(f"/events/{event_id}/kit/aside/{aside.id}").page
    assert "The phone number can’t be read." in page.text
    assert "Ring after six" in page.text
    assert client.submit(page, button="It is dealt with").status_code == 303
    session.rollback()
    assert session.scalars(select(KitAside.content_sealed)).one() is None
    assert link is not None
    assert states(device.send(entry, clock=at(ELEVEN))) == ["aside"]


def test_a_fault_of_ours_holds_up_nothing_and_loses_nothing(session, set_up, monkeypatch):
    device = set_up()

    def break_down(*_args: Any, **_kwargs: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr("crm.events.attendance.check_in", break_down)
        answer = device.send(
            device.entry(at(ELEVEN), kind="check_in", guest=1, name="Farah Siddiqui"),
            device.entry(at(ELEVEN), **KOFI),
            clock=at(ELEVEN),
        )

    assert states(answer) == ["aside", "stored"]
    story = kit_queries.story_of(session.scalars(select(KitAside)).one())
    assert ("Name", "Farah Siddiqui") in story.answers


def aside_page(client, cast, device, session):
    """The page of the one entry that was kept aside, as the recruiter sees it."""
    client.sign_in(cast.recruiter)
    aside_id = session.scalars(select(KitAside.id)).one()
    session.rollback()
    return client.get(f"/events/{device.given['event']}/kit/aside/{aside_id}").page


def test_what_was_kept_aside_by_a_fault_of_ours_is_stored_once_it_is_tried_again(
    session, set_up, client, cast, monkeypatch
):
    device = set_up()
    entry = device.entry(at("2026-05-16 10:40"), **KOFI)
    with monkeypatch.context() as broken:
        broken.setattr("crm.events.attendance.walk_in", lambda *_, **__: 1 / 0)
        assert states(device.send(entry, clock=at(ELEVEN))) == ["aside"]
        still = client.submit(aside_page(client, cast, device, session), button="Try it again", follow=True)
        assert "It still can’t be stored" in still.page.text
        assert "Mensah" in still.page.text, "nothing of it is lost by trying"

    page = aside_page(client, cast, device, session)
    answers = [client.submit(page, button="Try it again") for _ in range(2)]

    session.rollback()
    assert [answer.status_code for answer in answers] == [303, 303]
    assert enquirers(session) == ["Kofi"]
    stored = session.scalars(select(KitEntry)).one()
    assert (stored.occurred_at, stored.by_file) == (at("2026-05-16 10:40"), False)
    aside = session.scalars(select(KitAside)).one()
    assert (aside.settled_how, aside.settled_by_id, aside.content_sealed) == ("stored", cast.recruiter.id, None)
    trail = session.scalars(select(AuditEntry.event).where(AuditEntry.event.startswith("kit.aside"))).all()
    assert trail == ["kit.aside_tried", "kit.aside_settled"]
    assert states(device.send(entry, clock=at(ELEVEN))) == ["known"]


def test_an_entry_of_another_event_is_stored_at_that_one_when_it_is_tried(session, set_up, client, cast):
    device, elsewhere = set_up(), set_up(name="Another stall")
    entry = device.entry(at(ELEVEN), **KOFI)

    assert states(elsewhere.send(entry, clock=at(ELEVEN))) == ["aside"]
    assert enquirers(session) == []
    client.submit(aside_page(client, cast, elsewhere, session), button="Try it again")

    session.rollback()
    assert enquirers(session) == ["Kofi"]
    assert session.scalars(select(KitEntry.event_id)).one() == device.given["event"]


def test_what_can_never_be_stored_stays_and_says_why_however_often_it_is_tried(session, set_up, client, cast):
    device = set_up()
    device.send(spoiled(device.entry(at(ELEVEN), **KOFI), signature="AAAA"), clock=at(ELEVEN))

    for _ in range(2):
        answer = client.submit(aside_page(client, cast, device, session), button="Try it again", follow=True)
        assert "Not signed by its device" in answer.page.text

    session.rollback()
    assert session.scalars(select(KitAside.settled_at)).one() is None
    assert enquirers(session) == []


def test_a_check_in_kept_aside_is_settled_with_the_guest_it_was_about(session, set_up, client, cast):
    """The device's list was old: it named somebody who had been taken off it."""
    device = set_up()
    guest_id = guest_of(session, device, given_name="Farah", family_name="Siddiqui", phone="07700 900745")
    entry = device.entry(at("2026-05-16 10:40"), kind="check_in", guest=guest_id + 1000, name="Farah Siddiqui")
    assert states(device.send(entry, clock=at(ELEVEN))) == ["aside"]
    page = aside_page(client, cast, device, session)
    assert "not on the list" in page.text

    nobody = client.submit(page, button="This is who it is")
    assert nobody.status_code == 422
    assert nobody.page.errors == ["Choose who it is from the list"]
    assert "Farah Siddiqui, phone ends 745" in nobody.page.text
    done = client.submit(nobody.page, button="This is who it is", guest=str(guest_id), follow=True)

    assert "Farah Siddiqui is here, as that entry said." in done.page.text
    session.rollback()
    assert session.get(EventGuest, guest_id).attended_at == at("2026-05-16 10:40")
    assert session.scalars(select(KitAside.settled_how)).one() == "guest"
    detail = session.scalars(select(AuditEntry.detail_json).where(AuditEntry.event == "kit.aside_settled")).one()
    assert json.loads(detail) == {"how": "guest", "guest": guest_id}


def test_what_somebody_said_goes_with_the_guest_they_turn_out_to_be(session, set_up, client, cast):
    device = set_up()
    guest_id = guest_of(session, device, given_name="Kofi", phone="07700 900745")
    words = device.given["news"][0]
    device.send(
        device.entry(at(ELEVEN), kind="sign_in", given_name="Kofi", reach="12", ring="yes", note="After six",
                     interest="ready", news={words["channel"]: words["version"]}),
        clock=at(ELEVEN),
    )  # fmt: skip

    client.submit(aside_page(client, cast, device, session), button="This is who it is", guest=str(guest_id))

    session.rollback()
    guest = session.get(EventGuest, guest_id)
    row = guest.sign_up
    assert (row.wants_call, row.interest, row.question) == (True, "ready", "After six")
    kept = session.execute(select(EventConsent.channel, EventConsent.given, EventConsent.wording_version)).all()
    assert kept == [(words["channel"], True, words["version"])]


def test_a_check_in_taken_back_is_settled_as_one(session, set_up, client, cast):
    device = set_up()
    guest_id = guest_of(session, device, given_name="Farah")
    device.send(device.entry(at("2026-05-16 10:30"), kind="check_in", guest=guest_id), clock=at(ELEVEN))
    device.send(device.entry(at("2026-05-16 10:40"), kind="undo", guest=guest_id + 1000), clock=at(ELEVEN))

    client.submit(aside_page(client, cast, device, session), button="They are not here after all", guest=str(guest_id))

    session.rollback()
    assert session.get(EventGuest, guest_id).attended_at is None


def test_two_who_see_to_one_entry_do_it_once(session, set_up, client, app, cast):
    device = set_up()
    guest_id = guest_of(session, device, given_name="Farah")
    device.send(device.entry(at(ELEVEN), kind="check_in", guest=guest_id + 1000), clock=at(ELEVEN))
    page = aside_page(client, cast, device, session)
    manager = app.test_client()
    manager.sign_in(cast.manager)
    theirs = manager.get(page.address).page

    first = client.submit(page, button="It is dealt with")
    late = [
        manager.submit(theirs, button="This is who it is", guest=str(guest_id)),
        manager.submit(theirs, button="Try it again"),
        manager.submit(theirs, button="It is dealt with"),
    ]

    assert first.status_code == 303
    assert [answer.status_code for answer in late] == [409, 409, 409]
    session.rollback()
    assert session.get(EventGuest, guest_id).attended_at is None


# --- Whose token is good ----------------------------------------------------------------------------------------------


def test_a_token_ends_when_staff_withdraw_it_and_what_it_kept_can_be_carried_by_hand(session, set_up, client, cast):
    device = set_up()
    entry = device.entry(at(ELEVEN), **KOFI)
    client.sign_in(cast.recruiter)
    event_id = device.given["event"]
    assert client.submit(client.get(f"/events/{event_id}/kit").page, button="Withdraw Blue tablet").status_code == 303

    assert device.send(entry, clock=at(ELEVEN)).status_code == 401
    for _ in range(2):
        page = client.get(f"/events/{event_id}/kit/file").page
        file = (io.BytesIO(device.file(entry)), "blue.door.json")
        assert client.submit(page, button="Load it", file=file).status_code == 303

    entry_row = session.scalars(select(KitEntry)).one()
    assert (entry_row.by_file, entry_row.occurred_at) == (True, at(ELEVEN))
    assert enquirers(session) == ["Kofi"]


def test_a_token_dies_with_the_event_and_a_device_set_up_again_sends_what_the_old_one_kept(
    session, set_up, freeze, client, cast
):
    device = set_up()
    entry = device.entry(at(ELEVEN), **KOFI)
    with transaction():
        kit.close_door(event_of(session, device), actor=cast.recruiter.actor, now=now_utc())
    session.remove()
    assert device.send(entry, clock=at(ELEVEN)).status_code == 401
    client.sign_in(cast.recruiter)
    assert "so no device can be set up" in client.get(f"/events/{device.given['event']}/kit/device").page.text
    client.submit(client.get(f"/events/{device.given['event']}/kit").page, button="Open the door again")

    again = set_up(device.given["event"])

    assert states(again.send(entry, clock=at(ELEVEN))) == ["stored"]
    freeze("2026-05-17 16:01")
    assert again.send(again.entry(at(ELEVEN), **KOFI), clock=at(ELEVEN)).status_code == 401


def test_a_token_that_is_nobodys_is_refused(set_up):
    device = set_up()

    for token in ("", "x", "a" * 43, "\u00e9" * 43):
        assert device.send(device.entry(at(ELEVEN), **KOFI), clock=at(ELEVEN), token=token).status_code == 401


def test_the_token_alone_is_shown_no_names_and_ten_wrong_pins_end_it(session, set_up):
    device = set_up()
    guest_of(session, device, given_name="Farah")

    assert [line["name"] for line in device.names().get_json()["names"]] == ["Farah"]
    assert {device.names(proof="cd" * 32).status_code for _ in range(kit.PROOFS_AT_MOST)} == {403}
    assert device.names().status_code == 403
    assert states(device.send(device.entry(at(ELEVEN), **KOFI), clock=at(ELEVEN))) == ["stored"]


def test_what_no_device_sends_is_refused_or_kept_aside_and_breaks_nothing(set_up, client):
    device = set_up()

    for body, status in ((None, 400), ([], 400), ({"entries": "x"}, 400), ({"entries": [1, None], "clock": "x"}, 200)):
        answer = client.post("/kit/entries", json=body, headers={"Authorization": f"Kit {device.given['token']}"})
        assert answer.status_code == status, body


# --- Afterwards -------------------------------------------------------------------------------------------------------


def test_the_key_is_destroyed_four_weeks_after_the_event_and_then_no_file_can_be_opened(
    session, set_up, freeze, client, cast
):
    device = set_up()
    entry = device.entry(at(ELEVEN), **KOFI)
    for days, there in ((27, True), (29, False)):
        with transaction():
            kit.close_and_forget(now=at("2026-05-16 16:00") + timedelta(days=days))
        assert (session.scalars(select(KitKey)).one().private_key is not None) is there
    assert session.scalars(select(KitDevice.ended_how)).one() == "closed"
    session.remove()

    client.sign_in(cast.recruiter)
    file = (io.BytesIO(device.file(entry)), "blue.door.json")
    answer = client.submit(client.get(f"/events/{device.given['event']}/kit/file").page, button="Load it", file=file)

    assert answer.status_code == 422
    assert "has been destroyed" in answer.page.text


def test_the_door_page_costs_the_same_with_one_device_and_with_many(session, set_up, client, cast, queries):
    device = set_up()
    event_id = device.given["event"]

    def cost() -> int:
        client.sign_in(cast.recruiter)
        client.get(f"/events/{event_id}/kit")
        with queries() as sent:
            assert client.get(f"/events/{event_id}/kit").status_code == 200
        return len(sent)

    few = cost()
    for n in range(3):
        more = set_up(event_id)
        more.send(more.entry(at(ELEVEN), given_name=f"Ama{n}"), {"id": f"broken {n}"}, clock=at(ELEVEN), waiting=4)

    assert cost() == few


def test_the_trail_says_what_was_done_and_names_nobody(session, set_up, cast):
    device = set_up()
    device.send({"id": "broken"}, clock=at(ELEVEN))

    entries = session.scalars(select(AuditEntry).where(AuditEntry.event.startswith("kit."))).all()
    assert [entry.event for entry in entries] == ["kit.device_set_up", "kit.entry_aside"]
    assert "Blue tablet" not in str([entry.detail_json for entry in entries])

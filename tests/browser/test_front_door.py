"""The front door and the stall in a real browser: on a phone, on a desk, without scripts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm.access import sessions
from crm.cases.models import Case, Person
from crm.clock import now_utc
from crm.db import transaction
from crm.events.models import EventKind
from crm.events.planning import create_event
from tests.case_factory import couple, make_case

SAMPLE = Path(__file__).parent.parent / "samples" / "signup-sheet.csv"

pytestmark = pytest.mark.timeout(300)


def sign_in(page: Page, live, member) -> None:
    with transaction():
        token = sessions.begin(kind=sessions.SessionKind.STAFF, user_id=member.id, now=now_utc())
    page.context.add_cookies([{"name": "staff", "value": token, "url": live.url}])


def go_on(page: Page, words: str = "Continue") -> None:
    page.get_by_role("button", name=words).click()


def fill_in(page: Page, look, *, pictures: bool) -> None:
    """From the start page to the check page, as somebody with a phone does it."""

    def show(name: str) -> None:
        if pictures:
            look(page, name)

    page.goto("/")
    show("start")
    page.get_by_role("button", name="Start now").click()
    page.get_by_label("Postcode").fill("SE6 0KV")
    show("postcode")
    go_on(page)
    page.get_by_label("Yes", exact=True).check()
    show("spare-room")
    go_on(page)
    page.get_by_label("Yes, my partner").check()
    page.get_by_label("Their first name").fill("Daniel")
    page.get_by_label("Their own phone number").fill("07700 900388")
    show("second-adult")
    go_on(page)
    page.get_by_label("Only outside").check()
    go_on(page)
    page.get_by_label("None of these").check()
    show("changes")
    go_on(page)
    page.get_by_label("First name").fill("Maya")
    page.get_by_label("Last name").fill("Thompson")
    go_on(page)
    for part, value in (("Day", "3"), ("Month", "4"), ("Year", "1985")):
        page.get_by_label(part, exact=True).fill(value)
    show("age")
    go_on(page)
    page.get_by_label("No", exact=True).check()
    show("fostering-now")
    go_on(page)
    page.get_by_label("Yes", exact=True).check()
    go_on(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Yes. Fostering could work in your home")
    show("where-you-stand")
    go_on(page, "Carry on")
    if pictures:
        page.get_by_label("Phone number").fill("07700 9002")
        page.get_by_label("Email").fill("maya.example.org")
        go_on(page)
        expect(page.get_by_role("heading", name="Two things to put right")).to_be_visible()
        show("contact-errors")
    page.get_by_label("Phone number").fill("07700 900214")
    page.get_by_label("Email").fill("maya@example.org")
    page.get_by_label("Evening, 5pm to 7pm").check()
    go_on(page)
    page.get_by_label("You can ring, but leave no voicemail").check()
    show("safe-contact")
    go_on(page)
    page.get_by_label("Letters by post").check()
    show("not-then")
    go_on(page)
    page.get_by_label("A foster carer told me").check()
    show("heard")
    go_on(page)
    show("news")
    page.get_by_label("You may email me").check()
    go_on(page)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_somebody_on_a_phone_fills_in_the_form_and_hears_who_rings_and_when(
    open_page, look, live, session, cast, scripts
):
    page = open_page(width=360, scripts=scripts)

    fill_in(page, look, pictures=scripts)
    if scripts:
        look(page, "check")
    page.get_by_role("link", name="Change best time").click()
    page.get_by_label("Morning, 9am to 12 noon").check()
    go_on(page)
    expect(page.get_by_text("Morning, 9am to 12 noon")).to_be_visible()
    go_on(page, "Send my answers")

    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Maya")
    expect(page.get_by_text("will ring you by 7pm on")).to_be_visible()
    if scripts:
        look(page, "done")
    session.rollback()
    assert session.scalars(select(Case)).one().household.name == "Maya Thompson and Daniel"


def test_not_just_yet_is_no_dead_end(open_page, look, live, cast):
    page = open_page(width=360)
    page.goto("/enquire/spare-room")
    page.get_by_label("Not yet").check()
    go_on(page)
    page.goto("/enquire/where-you-stand")

    look(page, "not-just-yet")
    page.get_by_label("Ring me then").check()
    go_on(page, "Carry on, and tell us how to reach you")

    expect(page.get_by_role("heading", level=1)).to_have_text("How can we reach you?")


def test_three_people_are_logged_at_a_stall_in_half_a_minute_each(open_page, look, live, session, cast):
    now = now_utc()
    with transaction():
        event = create_event(
            name="The Glades stall",
            kind=EventKind.STALL,
            place="The Glades, BR1",
            starts_at=now.replace(hour=0, minute=0),
            ends_at=now.replace(hour=23, minute=59),
            cost_pence=8600,
            staff_ids=[cast.recruiter.id],
            actor=cast.recruiter.actor,
            now=now,
        ).id
    page = open_page(width=360)
    sign_in(page, live, cast.recruiter)
    page.goto(f"/events/{event}/log")
    look(page, "stall")
    for box in page.locator("button, .ph-seg label, .ph-tick label, input[type=text]").all():
        assert box.bounding_box()["height"] >= 44

    began = time.monotonic()
    for name, reach in (("Kofi", "07700 900745"), ("June", "june@example.org"), ("Kofi", "07700 900745")):
        expect(page.get_by_label("First name")).to_be_focused()
        page.get_by_label("First name").fill(name)
        page.get_by_label("Mobile or email").fill(reach)
        page.get_by_label("Ready").check()
        page.get_by_label("Evening").check()
        page.get_by_role("button", name="Save, next person").click()
        expect(page.get_by_text(f"{name} is saved")).to_be_visible()
    assert time.monotonic() - began < 90
    look(page, "stall-joined")
    page.get_by_role("button", name="Save, next person").click()
    expect(page.get_by_role("heading", name="Two things to put right")).to_be_visible()
    look(page, "stall-errors")

    page.goto(f"/events/{event}")
    look(page, "event")
    page.goto("/events/all")
    look(page, "events")
    page.goto("/events/new")
    look(page, "event-new")
    session.rollback()
    assert sorted(session.scalars(select(Person.given_name).where(Person.phone_key.is_not(None)))) == ["Kofi"]


def test_a_sheet_is_looked_at_and_loaded(open_page, look, live, session, cast):
    now = now_utc()
    with transaction():
        event = create_event(
            name="The Glades stall",
            kind=EventKind.STALL,
            place="The Glades, BR1",
            starts_at=now.replace(year=2026, month=5, day=16, hour=9),
            ends_at=now.replace(year=2026, month=5, day=16, hour=15),
            actor=cast.recruiter.actor,
            now=now,
        ).id
    page = open_page()
    sign_in(page, live, cast.recruiter)
    page.goto(f"/events/{event}/import")
    look(page, "import")
    page.get_by_label("Sign-up sheet").set_input_files(SAMPLE)
    go_on(page, "Look at it first")
    look(page, "sheet")
    page.get_by_role("button", name="Which column holds what").click()
    look(page, "columns")
    go_on(page, "Use these columns")
    go_on(page, "Load 55 lines")

    expect(page.get_by_text("54 new households and 1 joined to one we know")).to_be_visible()
    expect(page.locator("#progress")).to_have_count(0)  # it loads itself anew when it is done
    page.wait_for_load_state()
    look(page, "event-after-sheet")
    page.goto("/enquiries")
    look(page, "queue-full")


def test_a_recruiter_logs_rings_screens_and_lets_rest(open_page, look, live, session, cast):
    with transaction():
        make_case(cast, people=couple("Featherstone-Okonjo-Worthington", number=300))
    page = open_page()
    sign_in(page, live, cast.recruiter)
    page.goto("/enquiries?view=mine")
    look(page, "queue")
    page.goto("/enquiries?view=not_now")
    look(page, "queue-empty")
    page.get_by_role("button", name="Log an enquiry").click()
    look(page, "log")
    page.get_by_label("First name").first.fill("Tom")
    page.get_by_label("Phone").nth(1).fill("07700 900300")
    go_on(page, "Log this enquiry")
    look(page, "log-look-alike")
    page.get_by_label("No, a household we do not know").check()
    go_on(page, "Log this enquiry")
    reference = page.url.rsplit("/", 1)[1]

    page.goto(f"/cases/{reference}/contact")
    look(page, "contact")
    page.get_by_label("Spoke to them").check()
    page.get_by_label("What was said").fill("A warm talk.")
    go_on(page, "Keep this")
    look(page, "screening")
    page.get_by_label("Not yet").check()
    go_on(page, "Keep these answers")
    look(page, "screening-advice")
    page.locator("#advice").wait_for()
    page.get_by_role("group", name="What do you decide?").get_by_label("Not now").check()
    go_on(page, "Decide")
    look(page, "not-now")
    page.get_by_label("Why not now?").select_option("no_room")
    page.get_by_label("What we tell them").fill("The room is free in spring.")
    go_on(page, "Let them rest until then")
    expect(page.get_by_text("rests until")).to_be_visible()
    page.goto(f"/cases/{reference}/reopen")
    look(page, "reopen")
    page.goto(f"/cases/{reference}/close")
    look(page, "close")

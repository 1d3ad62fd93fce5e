"""Chapter 2: a home visit is booked, moved, made, written up and signed off; the household is invited to apply."""

from __future__ import annotations

import re
import urllib.request

from tests.journeys.people import Staff
from tests.journeys.post import calendar_part, line_of
from tests.journeys.story import Story

PRIYA = "priya.osei@example.org"
SAM = "sam.osei@example.org"


def officer_takes_the_case(story: Story) -> None:
    """The manager gives the household to an officer."""
    story.clock.to("2026-03-05 09:15")
    manager = story.at_work("manager")
    manager.finds("Priya Osei", story.household).press("Change owner")
    manager.page.get_by_role("combobox").first.select_option(label="Nadia Rahman")
    manager.press("Hand it over").sees("Nadia Rahman")


def visit_is_booked(story: Story) -> None:
    """The officer looks for a free time and books it; the household and the officer are both invited."""
    story.clock.to("2026-03-05 09:40")
    officer = story.at_work("officer")
    officer.finds("Priya Osei", story.household).press("Book a visit")
    officer.sees("Choose a time")
    choose_time(officer, "Wed 11 March", "10am")
    officer.writes("For the officers", "Ring the upper bell.")
    officer.press("Book and send invitations")
    officer.sees("Visit booked for Wednesday 11 March, 10am. Priya and Sam and the officers are sent an invitation.")

    letter = story.post.wait(PRIYA, "visit")[0]
    household = calendar_part(letter)
    own = calendar_part(story.post.wait("officer@example.org", "visit")[0])
    for invitation, invited in ((household, PRIYA), (own, "officer@example.org")):
        assert line_of(invitation, "METHOD") == "REQUEST"
        assert line_of(invitation, "SEQUENCE") == "0"
        assert invited in line_of(invitation, "ATTENDEE")
        assert b"DTSTART" in invitation
        assert "20260311T100000" in line_of(invitation, "DTSTART")
    assert b"Osei" not in own
    assert b"BR1 3QD" not in own
    assert b"Ring the upper bell" not in household
    story.kept["uid"] = line_of(household, "UID")
    story.kept["own_uid"] = line_of(own, "UID")
    story.stands_on_the_board("Visit booked")


def choose_time(officer: Staff, day: str, at: str) -> None:
    group = officer.page.get_by_role("group", name=day, exact=True)
    for _ in range(4):
        if group.count() and group.get_by_role("radio", name=at, exact=True).count():
            break
        officer.press("Later days")
    group.get_by_role("radio", name=at, exact=True).check(force=True)


def visit_is_moved(story: Story) -> None:
    """Priya has to work: another time, the same entry in everybody's calendar."""
    story.clock.to("2026-03-06 11:00")
    officer = story.at_work("officer")
    officer.goes_to("Visits").finds("Priya Osei", story.household).press("Move this visit")
    choose_time(officer, "Thu 12 March", "2pm")
    officer.writes("Why it moves, for the household", "Priya has to work that morning.")
    officer.press("Move and send the change").sees("Visit moved to Thursday 12 March, 2pm")
    # A change waits a minute, in case the officer thinks again.
    story.clock.to("2026-03-06 11:04")
    invitations_have_moved(story)


def invitations_have_moved(story: Story) -> None:
    for address, uid in ((PRIYA, story.kept["uid"]), ("officer@example.org", story.kept["own_uid"])):
        changed = calendar_part(story.post.wait(address, "visit", 2)[1])
        assert line_of(changed, "UID") == uid
        assert line_of(changed, "SEQUENCE") == "1"
        assert line_of(changed, "METHOD") == "REQUEST"
        assert address in line_of(changed, "ATTENDEE")
        assert "20260312T140000" in line_of(changed, "DTSTART")


def feed_is_made(story: Story) -> None:
    """The officer switches on the feed for a phone, and the phone fetches it."""
    story.clock.to("2026-03-06 11:20")
    officer = story.at_work("officer")
    officer.goes_to("Visits").press("In my calendar").press("Make my address").sees("shown only this once")
    address = officer.page.get_by_label("Address", exact=True).input_value()
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/calendar")
        feed = answer.read()
    assert story.kept["own_uid"].encode() in feed.replace(b"\r\n ", b"")
    assert b"20260312T140000" in feed
    assert story.reference.encode() in feed
    assert b"Osei" not in feed


def visit_is_made(story: Story) -> None:
    """Thursday afternoon: the officer was there, and writes it up a part a page."""
    story.clock.to("2026-03-12 16:20")
    officer = story.at_work("officer")
    officer.sees(story.household)
    officer.finds("Priya Osei", story.household).press("Record the visit")
    officer.writes("It began at", "2:05pm").writes("It ended at", "4pm")
    officer.press("Keep, and write it up").sees("Who was there")
    write_report(officer)
    # Sam has no email on the sheet; at the visit he gave his own.
    officer.finds(story.reference, story.household).press("Change details of Sam Osei")
    officer.writes("Email", SAM).press("Keep these details").sees("Details of Sam Osei are kept", SAM)
    sam_says_that_the_address_is_his(story)


def sam_says_that_the_address_is_his(story: Story) -> None:
    """Staff wrote the address down, so nothing sensitive goes to it before its owner has said that it is right."""
    words = story.post.wait(SAM, "Is this your email address?")[0].get_body(("plain",))
    assert words is not None
    link = re.search(r"/confirm-email/[\w-]+", words.get_content())
    assert link is not None
    person = story.at_home("Sam").visits(link[0])
    person.page.get_by_role("radio").first.check(force=True)
    person.press("Tell us").sees("We use this email address from now on")


def write_report(officer: Staff, first: int = 1) -> None:
    """All eight parts of the visit report, and off to a manager."""
    for part in range(first, 9):
        officer.sees(f"Part {part} of 8")
        for state in officer.page.locator("main fieldset.ds-check").all():
            state.get_by_role("radio").first.check(force=True)
        for box in officer.page.locator("main textarea:visible").all():
            if not box.get_attribute("name").endswith("_todo"):  # type: ignore[union-attr]
                box.fill("They told it warmly, and both of them had a say.")
        if part < 8:
            officer.press("Save, next", sends_first=True)
    officer.chooses("Invite them to apply", "What do you recommend?")
    officer.press("Send to a manager", sends_first=True).sees("Report sent. A manager reads it")


def visit_is_signed_off(story: Story) -> None:
    """The manager reads it and invites them to apply; the letter arrives."""
    story.clock.to("2026-03-13 10:00")
    manager = story.at_work("manager")
    manager.sees("Reports to sign off", story.household)
    manager.press("Read it").sees("Written by Nadia Rahman")
    manager.chooses("Invite them to apply", exact=False)
    manager.writes("Your note", "A warm home, and an honest talk about the teenagers.")
    manager.press("Sign off and tell them").sees("Signed off", "Invited to apply")
    letter = story.post.wait(PRIYA, "Your next step")[0]
    body = letter.get_body(("plain",))
    assert body is not None
    assert "Priya" in body.get_content()
    assert story.reference in body.get_content()
    story.post.wait(SAM, "Your next step")

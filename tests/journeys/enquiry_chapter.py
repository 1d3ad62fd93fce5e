"""Chapter 1: a stall, a sign-up sheet, a form on a phone; the call, the screening, the decision."""

from __future__ import annotations

import time
from pathlib import Path

from playwright.sync_api import Page

from tests.journeys.people import Person, Staff
from tests.journeys.story import Story

SHEET = Path(__file__).parents[1] / "samples" / "signup-sheet.csv"
BORN = {"Priya": "1985-02-10", "Sam": "1982-06-04"}
EVENT = "Information evening, Bromley"


def service_is_set_up(story: Story) -> None:
    """The administrator names who takes new enquiries, so that none waits for an owner."""
    story.clock.to("2026-03-02 09:00")
    lena = story.at_work("administrator")
    lena.goes_to("Settings").press("Areas")
    lena.picks("Who takes an enquiry that nobody else takes", "Marcus Bello").press("Keep it").sees("Marcus Bello")


def event_is_made(story: Story) -> None:
    """Monday: the recruiter puts tomorrow's evening on the list."""
    story.clock.to("2026-03-02 09:30")
    recruiter = story.at_work("recruiter")
    recruiter.goes_to("Events").press("Make an event")
    recruiter.writes("Name", EVENT).chooses("Information evening").dates("Date", "2026-03-03")
    recruiter.writes("Starts", "6:30pm").writes("Ends", "8:30pm").writes("Place", "Bromley Central Library, BR1")
    recruiter.press("Keep this event").sees(f"{EVENT} is a draft", "Tuesday 3 March 2026")


def somebody_is_logged_at_the_stall(story: Story) -> None:
    """Tuesday evening, on a phone, with a queue: a name, a number, two taps, in well under half a minute."""
    story.clock.to("2026-03-03 18:45")
    recruiter = story.at_work("recruiter", width=360)
    recruiter.page.set_viewport_size({"width": 360, "height": 740})
    recruiter.goes_to("Events").press(EVENT).press("Log somebody")
    acts, begun = recruiter.acts, time.monotonic()
    recruiter.writes("First name", "Marcia").writes("Last name", "Bright").writes("Mobile or email", "07700 900 456")
    recruiter.chooses("Ready").chooses("Evening")
    recruiter.sees("We’ll ring you by Wednesday 4 March about fostering")
    recruiter.page.get_by_label("News by text").check(force=True)
    acts, took = recruiter.acts + 2 - acts, time.monotonic() - begun
    recruiter.press("Save, next person").sees("Marcia is saved as", "Ring by Wednesday 4 March")
    # A thumb takes two or three seconds for each box or tap; what the machine takes comes on top.
    assert acts <= 8, f"{acts} boxes and taps to log somebody"
    story.kept["stall"] = {"boxes and taps": acts, "machine seconds": round(took, 1)}
    assert took < 30


def sheet_is_loaded(story: Story) -> None:
    """The paper sheet of that evening: tried dry, loaded, and loaded again without harm."""
    story.clock.to("2026-03-03 20:50")
    recruiter = story.at_work("recruiter")
    recruiter.page.set_viewport_size({"width": 1280, "height": 900})
    _upload(recruiter)
    recruiter.sees("Nothing is loaded yet. This is what would happen.")
    with recruiter.page.expect_download() as download:
        recruiter.page.get_by_role("link", name="Lines to look at (CSV)").or_(
            recruiter.page.get_by_role("button", name="Lines to look at (CSV)")
        ).first.click()
    errors = Path(str(download.value.path())).read_text("utf-8-sig")
    assert "Jo" in errors
    assert "Zoë" not in errors.splitlines()[0]
    recruiter.press("Load 5").sees("54 new households and 1 joined to one we know. 1 line refused.")
    _upload(recruiter)
    recruiter.sees_not("Load 5")
    recruiter.sees("0 new households")
    recruiter.goes_to("Enquiries").sees("Priya and Sam Osei")
    recruiter.finds("Priya Osei", "Priya and Sam Osei")
    story.kept["reference"] = recruiter.reference
    story.kept["born"] = BORN
    story.kept["household"] = recruiter.page.locator("h1").inner_text()
    # The dates of the first dated scenario: an information evening on Tuesday 3 March 2026.
    recruiter.sees("New enquiry", "Due Wed 4 Mar (1 working day)", "Due Tue 17 Mar (10 working days)")


def _upload(recruiter: Staff) -> None:
    recruiter.goes_to("Events").press("Past", exact=True).press(EVENT).press("Load a sign-up sheet")
    recruiter.page.get_by_label("Sign-up sheet").set_input_files(SHEET)
    recruiter.press("Look at it first")


def form_is_filled_in(story: Story, *, scripts: bool = True) -> None:
    """Somebody at home, on a phone, one question at a time, to a day on which they are rung."""
    story.clock.to("2026-03-03 21:00")
    name = "Gemma" if scripts else "Imran"
    person = story.at_home(name, scripts=scripts)
    person.visits("/").press("Start now")
    person.sees("Where do you live?").writes("Postcode", "BR1 3QD")
    for _ in range(40):
        if not answer_the_question(person.page, name):
            break
        person.press("Continue")
    else:
        raise AssertionError("the form never ends")
    person.sees("Yes. Fostering could work in your home").press("Carry on")
    for _ in range(12):
        if person.page.get_by_role("button", name="Send my answers").count():
            break
        answer_the_question(person.page, name)
        person.press("Continue")
    person.sees("Check your answers", name, "07700 900")
    person.press("Send my answers").sees(f"Thank you, {name}", "will ring you by 7pm on Wednesday 4 March")


def form_is_filled_in_without_scripts(story: Story) -> None:
    form_is_filled_in(story, scripts=False)


def answer_the_question(page: Page, name: str) -> bool:
    """Answer what this page asks. False where it asks nothing more: where they stand."""
    if "/where-you-stand" in page.url or "/check" in page.url:
        return False
    title = page.locator("h1").first.inner_text()
    if "postcode" in page.url:
        page.get_by_label("Postcode").fill("BR1 3QD")
    elif "second-adult" in page.url:
        page.get_by_role("radio").nth(page.get_by_role("radio").count() - 2).check(force=True)
        page.get_by_role("radio", name="No").first.check(force=True)
    elif page.url.split("?")[0].endswith("/name"):
        page.get_by_label("First name").fill(name)
        page.get_by_label("Last name").fill("Sutton")
    elif page.url.split("?")[0].endswith("/age"):
        for part, number in (("Day", "27"), ("Month", "3"), ("Year", "1985")):
            page.get_by_label(part, exact=True).fill(number)
    elif page.url.split("?")[0].endswith("/contact"):
        page.get_by_label("Phone number").fill("07700 900 771")
        page.get_by_label("Email").fill(f"{name.lower()}.sutton@example.org")
    elif page.get_by_role("radio").count():
        page.get_by_role("radio").first.check(force=True)
    else:
        # Nothing need be ruled out, and nothing agreed to.
        assert page.url.split("?")[0].endswith(("/not-then", "/news")), f"an unknown question: {title}"
    return True


def first_call(story: Story) -> None:
    """Wednesday: the recruiter rings inside the working day that was promised, screens, and decides."""
    story.clock.to("2026-03-04 18:10")
    recruiter = story.at_work("recruiter")
    recruiter.finds("Priya Osei", "Priya and Sam Osei").sees("Ring the household")
    recruiter.press("Log the call")
    recruiter.chooses("Priya Osei").chooses("Spoke to them")
    recruiter.writes("What was said, or what to do next", "Warm, asked about respite. Both are at home most evenings.")
    recruiter.press("Keep this").sees("The talk with Priya is on the timeline", "The response clock has stopped")
    recruiter.sees("Screening")
    for name, born in BORN.items():
        recruiter.dates(f"{name}’s date of birth", born)
    answers(recruiter)
    recruiter.writes("Notes from the call", "Two teenagers at home. A spare room since the eldest moved out.")
    recruiter.press("Keep these answers").sees("The answers are kept", "What it amounts to")
    recruiter.chooses("Eligible", "What do you decide?").press("Decide", exact=True).sees("Decided: eligible")


def answers(recruiter: Person) -> None:
    """Answer every question of the screening that is not answered yet with its first answer."""
    for group in recruiter.page.get_by_role("group").all():
        open_ones = group.get_by_role("radio", name="Not asked yet")
        if open_ones.count() and open_ones.first.is_checked():
            group.get_by_role("radio").first.check(force=True)

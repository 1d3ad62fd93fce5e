"""The ways out of an assessment that aren't approval, each by the person whose step it is, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import flask
import pytest
from playwright.sync_api import Page

from crm.cases.models import PersonRole
from crm.cases.open_case import NewPerson
from tests.assessments.journey import Journey
from tests.journeys.begun import everybody, household_begun
from tests.journeys.clock import Clock
from tests.journeys.fixtures import clock, live, looks_at, post  # noqa: F401
from tests.journeys.people import wait_for
from tests.journeys.post import PostBox
from tests.journeys.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PRIYA, SAM = "priya.nair@example.org", "sam.whitlock@example.org"
ALONE = NewPerson(given_name="Ines", family_name="Duarte", phone="07700 900 388", role=PersonRole.APPLICANT_1)


@pytest.fixture
def begin(
    app: flask.Flask,
    clock: Clock,  # noqa: F811
    post: PostBox,  # noqa: F811
    open_page: Callable[..., Page],
    looks_at: Callable[[Page, str], None],  # noqa: F811
) -> Callable[..., Story]:
    """``begin("2026-05-11", walk)``: a household that ``walk`` has taken some of the way, and the cast."""

    def make(on: str, walk: Callable[[Journey], object]) -> Story:
        with household_begun(app, on) as journey:
            walk(journey)
            kept = {"reference": journey.case.reference, "household": journey.case.household.name}
            now = journey.today
            staff = everybody(journey)
        clock.to(f"{now} 17:00")
        return Story(staff, clock, post, open_page, looks_at, kept)

    return make


def test_a_household_withdraws_and_every_clock_stops(begin: Callable[..., Story]) -> None:
    """The fourth dated scenario: received on Monday 11 May 2026, withdrawn in Stage 1 on Friday 17 July."""
    story = begin("2026-05-11", lambda journey: journey.in_assessment())
    story.clock.to("2026-07-17 12:00")
    officer = story.at_work("officer")
    officer.finds(story.reference, story.household).press("Withdraw, with a reason")
    officer.press("Withdraw the application").sees("to put right")
    officer.chooses("AW3", exact=False).dates("Day they told us", "2026-07-17").press("Withdraw the application")
    officer.sees("The application is withdrawn and every clock has stopped", "Tuesday 17 July 2029")
    officer.sees("Withdrawn", "No clock is running.")
    for address in (PRIYA, SAM):
        story.post.wait(address, "As you asked")
    story.post.each_once()


def test_stage_one_is_refused_and_the_letter_is_posted(begin: Callable[..., Story]) -> None:
    """The second dated scenario: the last item on Friday 18 December 2026, refused on Tuesday 5 January 2027.

    She has no email, so the notice is a letter to print; the day it was posted is evidence.
    """

    def walk(journey: Journey) -> None:
        journey.in_assessment(ALONE)
        journey.on("2026-12-18").obtain_all()

    story = begin("2026-10-05", walk)
    story.clock.to("2027-01-05 10:00")
    manager = story.at_work("manager")
    manager.finds(story.reference, story.household).press("Address", exact=True)
    manager.writes("Address", "3 Plover Yard\nBromley").writes("Postcode", "BR1 3KO").press("Keep this address")
    manager.sees("Where they live is kept", "3 Plover Yard")
    manager.press("Decide", exact=True).sees("Wednesday 6 January 2027")
    manager.chooses("Refuse at Stage 1").press("Keep this decision").sees("Write the reasons")
    manager.writes("Reasons, if the answer is no", "The references raised concerns that we can’t set aside.")
    manager.press("Keep this decision").sees("Refused at Stage 1. The notice with the reasons")
    manager.press("Letters", exact=True).sees("Post").press("Stage 1", nth=0)
    address = manager.page.get_by_role("button", name="Open the letter to print (PDF)").get_attribute("href")
    printed = manager.page.request.get(str(address))
    assert printed.headers["content-type"] == "application/pdf"
    text = pdf_text(printed.body())
    assert "Ines Duarte" in text
    assert "3 Plover Yard" in text
    assert "Independent Review" not in text
    manager.dates("The day it was posted", date(2027, 1, 5)).picks("How", "Signed-for post").press("Record it")
    manager.sees("Recorded as posted on Tuesday 5 January.", "Posted Tue 5 January, signed-for post")
    story.post.each_once()


def pdf_text(content: bytes) -> str:
    import io

    from pypdf import PdfReader

    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def test_a_qualifying_determination_is_made_and_after_28_days_confirmed(begin: Callable[..., Story]) -> None:
    story = begin("2026-03-02", lambda journey: journey.with_decision_maker("not_suitable"))
    ruth = story.at_work("decision_maker")
    ruth.goes_to("Panel").press(story.household)
    ruth.sees("Not suitable")
    ruth.writes("What I considered", "The report, the checks and the minutes.")
    ruth.writes("The key arguments", "For: their warmth. Against: nobody to help them in a bad week.")
    ruth.chooses("Yes", "Do you adopt the panel’s reasons?").writes("Why, or why not", "They weigh what matters.")
    ruth.chooses("Propose not to approve (qualifying determination)")
    ruth.writes("Reasons, as the household reads them", "We are not sure of the support around you.")
    ruth.press("Make this decision").sees("You propose not to approve. Tell the household by voice by")
    ruth.dates("Day they were told", "2026-03-30")
    ruth.chooses("By phone", "How").press("They have been told").sees("Next: the written notice")
    ruth.chooses("By email, where they have one of their own", "How it goes").press("Write the notice")
    ruth.sees("dated today", "28 days from that date")
    for address in (PRIYA, SAM):
        notice = story.post.wait(address, "A letter about our decision")[0]
        body = notice.get_body(("plain",))
        assert body is not None
        assert "Independent Review Mechanism" in body.get_content()
    story.clock.to("2026-05-29 10:00")
    ruth = story.at_work("decision_maker")
    ruth.finds(story.reference, story.household).press("Confirm that we do not approve")
    ruth.writes("What I considered", "No answer came in the 28 days.").writes("The key arguments", "As before.")
    ruth.chooses("Yes", "Do you adopt the panel’s reasons?").writes("Why, or why not", "Nothing has changed.")
    ruth.chooses("Confirm that we do not approve")
    ruth.writes("Reasons, as the household reads them", "We are not sure of the support around you.")
    ruth.press("Make this decision").sees("Confirmed. The final decision has been written")
    wait_for(lambda: len(story.post.to(PRIYA, "A letter about our decision")) == 2, "the final decision")
    story.post.each_once()

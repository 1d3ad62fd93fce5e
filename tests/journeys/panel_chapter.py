"""Chapter 4: panel, decision, notices, agreement; and what everybody can see of it afterwards."""

from __future__ import annotations

from tests.journeys.story import Story
from tests.journeys.visit_chapter import PRIYA, SAM

SEATS = (
    ("Ruth Adeyemi", "Chair", True, False, "Retired judge"),
    ("Hannah Sutcliffe", "Member", False, True, "Social work"),
    ("Bernard Wyeth", "Member", True, False, "Foster carer"),
    ("Parveen Dhillon", "Member", True, False, "Education"),
    ("Tom Whitfield", "Member", True, False, "Care-experienced"),
)
MEMBERS = tuple(
    f"{who}@example.org" for who in ("chair", "social.worker", "carer.member", "teacher", "panel.member")
)


def meeting_is_planned(story: Story) -> None:
    """The central list, a meeting with five at the table, and the household on its agenda."""
    story.clock.to("2026-09-01 10:00")
    gwen = story.at_work("panel_administrator")
    gwen.goes_to("Panel").press("Central list")
    for name, seat, independent, social_worker, background in SEATS:
        gwen.picks("Who", name).chooses(seat, "Sits as")
        if independent:
            gwen.chooses("Independent of the service")
        if social_worker:
            gwen.chooses("A social worker with three years’ relevant experience since qualifying")
        gwen.writes("Background", background).press("Keep this").sees("Kept on the central list")
    gwen.goes_to("Panel").press("Plan a meeting")
    gwen.dates("Day", "2026-09-16").writes("Start", "10am").writes("Place", "Kestrel House")
    for name, *_ in SEATS:
        gwen.chooses(name, exact=False)
    gwen.press("Plan this meeting").sees("The panel meets on Wednesday 16 September. Papers are due by Wednesday 9")
    gwen.goes_to("Panel").press("Put on an agenda", nth=0)
    gwen.chooses("16 September", exact=False).press("Put on the agenda")
    gwen.sees("On the agenda of Wednesday 16 September, and the household has been invited")
    story.post.wait(PRIYA, "An invitation: Wednesday 16 September")
    story.stands_on_the_board("With panel")


def papers_go_out(story: Story) -> None:
    story.clock.to("2026-09-09 09:00")
    gwen = story.at_work("panel_administrator")
    gwen.goes_to("Panel").press("Wednesday 16 September 2026")
    gwen.press("Put the papers together").sees("Ready to give to the members").sees_not("Open the papers")
    gwen.press("Give them to the members").sees("The members have the papers", "Not opened yet")
    for address in MEMBERS:
        story.post.wait(address, "Papers for the panel of Wednesday 16 September")
    member = story.at_work("chair")
    member.goes_to("Panel").press("Wednesday 16 September 2026").sees(story.household)
    member.sees("Your copy is open until Thursday 17 September")
    with member.page.expect_download() as papers:
        member.page.get_by_role("button", name="Open the papers (PDF)").click()
    assert papers.value.suggested_filename == f"{story.reference}-panel-papers-1.pdf"
    gwen = story.at_work("panel_administrator")
    gwen.goes_to("Panel").press("Wednesday 16 September 2026").sees("Opened Wed 9 September")


def panel_meets(story: Story) -> None:
    """Wednesday 16 September: who is there, and what they recommend."""
    story.clock.to("2026-09-16 10:40")
    gwen = story.at_work("panel_administrator")
    gwen.goes_to("Panel").press("Wednesday 16 September 2026")
    gwen.press("Keep who is here").sees(*(f"Say whether {name} is here" for name, *_ in SEATS))
    for name, *_ in SEATS:
        gwen.chooses("Here", name)
    gwen.picks("Who presides", SEATS[0][0]).press("Keep who is here").sees("The panel is quorate for this item")
    gwen.chooses("Yes", "Was everyone of one mind?")
    gwen.chooses("Suitable", "What does panel recommend?", exact=False)
    gwen.writes("Reasons", "Steady, open, and honest about what they do not know yet.")
    gwen.press("Record recommendation").sees("Recorded: ", "final minutes")
    story.clock.to("2026-09-25 09:30")
    gwen = story.at_work("panel_administrator")
    gwen.goes_to("Panel").press("Wednesday 16 September 2026").press("Final minutes")
    gwen.writes("Final minutes of this item", "The panel talked about the teenagers and the spare room.")
    gwen.press("Today").press("Send to the decision maker")
    gwen.sees("With the decision maker, who decides by Tuesday 6 October")


def decision_is_made(story: Story) -> None:
    """Thursday 1 October: approved, with terms; told by voice and in writing; the agreement is signed."""
    story.clock.to("2026-10-01 11:00")
    ruth = story.at_work("decision_maker")
    ruth.sees(story.household)
    ruth.goes_to("Panel").press(story.household)
    ruth.writes("What I considered", "The report, the household’s comments, the checks, the minutes.")
    ruth.writes("The key arguments", "For: their steadiness. Against: little time alone with small children.")
    ruth.chooses("Yes", "Do you adopt the panel’s reasons?").writes("Why, or why not", "They weigh what matters.")
    ruth.chooses("Approve", "Decision", exact=False)
    ruth.press("Make this decision")
    ruth.sees("Approved. Tell the household by voice by Monday 5 October and in writing by Thursday 8 October.")
    ruth.dates("Day they were told", "2026-10-01").chooses("By phone", "How")
    ruth.press("They have been told").sees("Next: the written notice")
    ruth.chooses("By email", "How it goes", exact=False).press("Write the notice")
    ruth.sees("dated today")
    for applicant in (PRIYA, SAM):
        story.post.wait(applicant, "A letter about our decision")
    story.clock.to("2026-10-05 15:00")
    officer = story.at_work("officer")
    officer.finds(story.reference, story.household).press("Assessment", exact=True).press("Notices")
    officer.dates("Day it was signed", "2026-10-05").press("It is signed").sees("the foster care agreement is signed")
    officer.sees("First review by Friday 1 October 2027")


def all_of_it_shows(story: Story) -> None:
    """The timeline, the board, My day, the audit trail and the outbox tell the same story."""
    story.clock.to("2026-10-06 09:00")
    officer = story.at_work("officer")
    officer.finds(story.reference, story.household).sees("Approved")
    timeline = whole_timeline(story)
    for words in ("Enquiry received", "Visit made", "Approved"):
        assert words in timeline, f"“{words}” is not on the timeline:\n{timeline}"
    lena = story.at_work("administrator")
    lena.goes_to("Settings").press("Audit trail").sees("Nadia Rahman", "Ruth Okafor", story.reference)
    lena.sees_not("Osei")
    lena.press("Check every line").sees("Whole")
    story.post.each_once()
    for address in (PRIYA, SAM):
        for letter in story.post.to(address):
            assert "Osei" not in str(letter["subject"]), "a name in a subject is read over a shoulder"
    officer.finds(story.reference, story.household).press("Letters", exact=True)
    officer.sees("Notice of approval", "Invitation to apply").sees_not("Waiting to go", "Could not be delivered")
    sent = officer.page.locator("tbody tr", has_text="Email").count()
    # The officer's mornings are about everybody's day, and stand on no case.
    to_all = [letter for address in (PRIYA, SAM, "officer@example.org", *MEMBERS) for letter in story.post.to(address)]
    arrived = len([letter for letter in to_all if not str(letter["subject"]).startswith("Your day, ")])
    assert sent == arrived, f"{sent} letters by email are on file, {arrived} arrived"


def whole_timeline(story: Story) -> str:
    """The timeline, page after page to its beginning."""
    officer = story.at_work("officer")
    officer.finds(story.reference, story.household)
    for _ in range(12):
        earlier = officer.page.locator("#earlier a")
        if not earlier.count():
            return officer.text()
        shown = officer.page.locator(".moj-timeline__item").count()
        earlier.click()
        officer.page.wait_for_function("n => document.querySelectorAll('.moj-timeline__item').length > n", arg=shown)
    raise AssertionError("the timeline never ends")

"""Chapter 3: the application, Stage 1, Stage 2, on the dates of the first dated scenario."""

from __future__ import annotations

from crm.assessments.models import REPORT_SECTIONS
from tests.journeys.people import Staff
from tests.journeys.story import Story
from tests.journeys.visit_chapter import PRIYA


def application_is_recorded(story: Story) -> None:
    """Received on Wednesday 18 March: panel's recommendation is due by Wednesday 18 November."""
    story.clock.to("2026-03-18 14:00")
    officer = story.at_work("officer")
    record_application(officer, story, received_on="2026-03-18")
    officer.sees("Wednesday 18 November 2026", "decides whether to assess")
    story.post.wait(PRIYA, "We have your application")


def record_application(officer: Staff, story: Story, *, received_on: str) -> None:
    officer.finds(story.reference, story.household).press("Record the application")
    officer.dates("Day we received it", received_on)
    for name, born in story.kept["born"].items():
        officer.dates(f"{name}’s date of birth", born).dates(f"Day {name} signed", received_on)
        officer.chooses(f"{name} agrees to the checks")
    officer.chooses("This is everybody in the household and family").writes("Council where they live", "Bromley")
    officer.press("Record the application").sees("Application recorded")


def assessment_is_decided(story: Story) -> None:
    story.clock.to("2026-03-20 09:30")
    manager = story.at_work("manager")
    decide_to_assess(manager, story)
    story.post.wait(PRIYA, "Your assessment: what happens and when")
    story.stands_on_the_board("In assessment")


def decide_to_assess(manager: Staff, story: Story) -> None:
    manager.finds(story.reference, story.household).press("Decide", exact=True)
    manager.press("Decide to assess").sees("Stage 1 has begun")


def checks_come_in(story: Story) -> None:
    """Every check, each opened from the list and recorded; the last of them on Friday 22 May."""
    story.clock.to("2026-05-21 10:00")
    officer = story.at_work("officer")
    officer.finds(story.reference, story.household).press("Assessment", exact=True)
    waiting = open_checks(officer)
    assert len(waiting) > 8, f"only {len(waiting)} checks for a couple"
    for address in waiting[:-1]:
        record_check(officer, address)
    story.clock.to("2026-05-22 10:00")
    officer = story.at_work("officer")
    officer.finds(story.reference, story.household).press("Assessment", exact=True)
    record_check(officer, waiting[-1])
    officer.sees("That was the last item. Stage 1 is to be decided by Monday 8 June 2026")


def open_checks(officer: Staff) -> list[str]:
    """Where each check stands that is needed by regulation and not in yet: the addresses of the list's links."""
    rows = officer.page.locator("table.ds-matrix tbody tr")
    found: list[str] = []
    for row in rows.all():
        if "This service also asks for" in row.inner_text():
            break
        for link in row.locator("td a.ds-plain").all():
            if link.locator(".ds-state--ok").count() == 0:
                found.append(str(link.get_attribute("href")))
    return found


def record_check(officer: Staff, address: str) -> None:
    officer.page.locator(f'table.ds-matrix a.ds-plain[href="{address}"]').click()
    officer.page.wait_for_url(f"**{address}")
    officer._arrived()
    if officer.page.get_by_label("Certificate number", exact=True).count():
        officer.writes("Certificate number", "001234567890").dates("Issued on", "2026-04-20")
        officer.picks("Level", "Enhanced")
        officer.chooses("The children’s barred list was checked")
    officer.page.get_by_role("group", name="What it came to").get_by_role("radio").first.check(force=True)
    officer.press("Today", nth=0).press("Record it", exact=True).sees("recorded.")


def stage_one_is_passed(story: Story) -> None:
    story.clock.to("2026-05-28 11:00")
    manager = story.at_work("manager")
    manager.finds(story.reference, story.household).press("Decide", exact=True)
    manager.chooses("They go on to Stage 2")
    manager.press("Keep this decision").sees("Stage 1 is passed, and the household has been told.")
    story.post.wait(PRIYA, "An update on your application")
    manager.press("Start Stage 2")
    manager.picks("Assessor", "Nadia Rahman")
    manager.press("Start Stage 2").sees("Nadia Rahman assesses this household")


def report_is_written(story: Story) -> None:
    """The assessor writes it, another manager countersigns it, and it is shared on Monday 17 August."""
    story.clock.to("2026-08-10 13:00")
    officer = story.at_work("officer")
    officer.finds(story.reference, story.household).press("Assessment", exact=True).press("Open the report")
    officer.chooses("Full report")
    for box in officer.page.locator("main form textarea:visible").all():
        if str(box.get_attribute("name")).startswith("section_"):
            box.fill("What we saw and what they told us, kept apart, over nine visits.")
    officer.writes("Children at once", "2").writes("Youngest", "4").writes("Oldest", "11")
    officer.press("Keep the report").sees("Kept. Next: say what on file each of these rests on")
    officer.press("Link something on file")
    for number, (heading, _hint) in enumerate(REPORT_SECTIONS.values()):
        if number:
            officer.press(heading, exact=True)
        officer.picks("Where it is on file", "Something else: say where from")
        officer.writes("Where else it comes from", "Our talks with them").writes("What it shows", "They said so.")
        officer.chooses("Fact").press("Link it").sees("Linked to")
    officer.press("Back to the report").press("Keep the report").sees("Kept, and whole")
    story.clock.to("2026-08-13 09:20")
    second = story.at_work("second_manager")
    second.finds(story.reference, story.household).press("Assessment", exact=True).press("Open the report")
    second.press("Countersign").sees("Countersigned. Next: the assessor shares it")
    story.clock.to("2026-08-17 10:00")
    officer = story.at_work("officer")
    officer.finds(story.reference, story.household).press("Share the report")
    officer.press("Share the report").sees("The report is shared", "Tuesday 1 September")
    story.post.wait(PRIYA, "A letter about your assessment")


def household_comments(story: Story) -> None:
    """They answer inside the 10 working days, and the report is ready for panel."""
    story.clock.to("2026-08-26 15:00")
    officer = story.at_work("officer")
    officer.finds(story.reference, story.household).press("Assessment", exact=True).press("Comments")
    officer.dates("Day they answered", "2026-08-26").writes("What they said", "Fair, and it sounds like us.")
    officer.press("Keep this").sees("Kept with the report")
    officer.press("Ready for panel").press("Ready for panel").sees("Ready for panel. Next: the panel administrator")

"""One household from a sign-up sheet to approval, in a real browser, by the people who do it, on the dates of the
first dated scenario. Every page on the way is looked at with axe, on a phone and on a desk."""

from __future__ import annotations

import pytest

from tests.journeys import assessment_chapter, enquiry_chapter, panel_chapter, visit_chapter
from tests.journeys.fixtures import clock, live, looks_at, post, story  # noqa: F401
from tests.journeys.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CHAPTERS = (
    enquiry_chapter.service_is_set_up,
    enquiry_chapter.event_is_made,
    enquiry_chapter.somebody_is_logged_at_the_stall,
    enquiry_chapter.sheet_is_loaded,
    enquiry_chapter.form_is_filled_in,
    enquiry_chapter.form_is_filled_in_without_scripts,
    enquiry_chapter.first_call,
    visit_chapter.officer_takes_the_case,
    visit_chapter.visit_is_booked,
    visit_chapter.visit_is_moved,
    visit_chapter.feed_is_made,
    visit_chapter.visit_is_made,
    visit_chapter.visit_is_signed_off,
    assessment_chapter.application_is_recorded,
    assessment_chapter.assessment_is_decided,
    assessment_chapter.checks_come_in,
    assessment_chapter.stage_one_is_passed,
    assessment_chapter.report_is_written,
    assessment_chapter.household_comments,
    panel_chapter.meeting_is_planned,
    panel_chapter.papers_go_out,
    panel_chapter.panel_meets,
    panel_chapter.decision_is_made,
    panel_chapter.all_of_it_shows,
)


def test_a_household_goes_from_a_stall_to_approval(story: Story) -> None:  # noqa: F811
    for chapter in CHAPTERS:
        chapter(story)

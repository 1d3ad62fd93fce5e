"""Pages of visits, staff, administration, events and enquiries as axe reads them, on a phone and on a desk: as they
open, with their mistakes shown, and as they are where no script of ours came. One browser walks through the estate."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import flask
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, ViewportSize

from crm.db import db, transaction
from crm.delivery import MessageStatus, OutboundMessage
from tests.databases import Database
from tests.eyes import AXE, HEIGHTS, look_at, where_colours_are_compared
from tests.factories import open_session
from tests.journeys.clock import LONDON, Clock
from tests.service import Service
from tests.walks import conftest as walks
from tests.walks.estate import NOW, Estate
from tests.walks.finding import filled_in

database = walks.database
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
PHONE, BOTH = (360,), (360, 1280)

OPENED = """
manager /my-day
manager /board/new
manager /search?q=Zqname
manager /enquiries/look-alikes
manager /enquiries/look-alikes?view=not_same
manager /cases/{contacted}
manager /cases/{contacted}/timeline
manager /cases/{new}/facts
manager /cases/{new}/people/{new.person_id}
manager /cases/{new}/people/{new.person_id}/names
manager /cases/{new}/owner
manager /cases/{twin}/compare
manager /cases/{twin}/compare/{other_twin}
manager /cases/{twin}/compare/{other_twin}/check
manager /cases/{twin}/people/{twin.person_id}/same-as?other={twin_again_id}
manager /merges/{asked_merge_id}
manager /merges/{made_merge_id}
manager /cases/{by_post}/letters
manager /cases/{by_post}/letters/{by_post.letter_id}
manager /cases/{by_post}/letters/preview
manager /cases/{new}/letters/preview?kind=tried_to_ring&by=text
manager /cases/{new}/looked
manager /cases/{visit_ahead}/visits
manager /visits
manager /visits?view=hours
manager /visits/{visit_ahead.visit_id}
manager /visits/{visit_written.visit_id}
manager /visits/{visit_written.visit_id}/sign-off
manager /visits/{visit_held.visit_id}/report?part=3
manager /visits/{visit_today.visit_id}/day
manager /visits/{visit_today.visit_id}/sheet
manager /visits/{visit_today.visit_id}/watch
manager /cases/{visit_today}/home-notes
stranger /visit-kit/
manager /visits/{visit_held.visit_id}/report?part=8
manager /visits/new
officer /account/calendar
officer /visits/from-calendar
officer /account/hours
officer /account/busy-calendars
manager /cases/{contacted}/visits
manager /cases/{contacted}/visits/new
manager /cases/{contacted}/visits/offer
stranger /visit/{secret.visit}
stranger /visit/{secret.visit}/confirm?at={time_on_offer}
stranger /visit/{secret.visit}/cancel
stranger /visit/{secret.booked_visit}
stranger /visit/{secret.booked_visit}/times
stranger /visit/{secret.booked_visit}/cancel
stranger /reference/{secret.reference}
stranger /reference/{secret.reference_begun}/children
stranger /reference/{secret.reference_begun}/check
stranger /reference/{secret.reference_begun}/later
stranger /reference/told
manager /reports/journey
manager /reports/journey?by=activity
manager /reports/responses
manager /reports/checks
manager /reports/checks/rows/out.all.all
recruiter /reports/journey/rows/got.asked
recruiter /reports/journey/keep
recruiter /reports/saved
manager /reports/need
recruiter /reports/need/rows/to_ask.{need_id}
manager /needs
manager /needs/{need_id}
manager /caseload
manager /caseload?on=manager&missed=promises
manager /caseload/missed
manager /reports/return?from=2025-04-01&to=2026-03-31
manager /reports/return/2025/freeze
manager /reports/return/2024/frozen
manager /reports/return/2024/thaw
manager /cases/{stage_one_done}/clocks/{stage_one_done.clock_id}/reason
manager /cases/{listed_today}/clocks/{listed_today.clock_id}/reason
manager /cases/{gathering}/checks/{gathering.place_id}
manager /cases/{gathering}/checks/{gathering.place_id}/referee
officer /cases/{writing}/assessment/report
officer /cases/{writing}/assessment/sessions
officer /cases/{written}/assessment/sessions
officer /cases/{written}/assessment/sessions/{written.session_id}
officer /cases/{written}/assessment/sessions/{written.planned_id}/plan
officer /cases/{written}/assessment/report
officer /cases/{written}/assessment/report/evidence/personality
manager /cases/{listed}/assessment/report
manager /cases/{listed}/assessment/midway
officer /cases/{listed}/assessment/second-opinion
officer /cases/{listed}/assessment/report/copy
panel_administrator /cases/{listed}/assessment/report
panel_administrator /cases/{to_decide}/panel/minutes
chair /panel/minutes/{to_decide.item_id}
manager /register
manager /register/{approved}
manager /cases/{gathering}/documents
manager /cases/{gathering}/documents/{gathering.document_key}
applicant /my/documents
applicant /my/documents/home
manager /cases/{gathering}/referees/{gathering.referee_id}
manager /cases/{gathering}/referees/{gathering.asked_id}
manager /cases/{gathering}/referees/{gathering.asked_id}/out
manager /visits/mileage
officer /visits/{visit_held.visit_id}/travel
recruiter /enquiries
recruiter /enquiries/held
recruiter /enquiries/held/{held_id}
stranger /enquire/later
stranger /enquire/return/{secret.come_back}
stranger /enquire/not-then
stranger /enquire/heard
stranger /enquire/fostering-now
recruiter /enquiries/export
recruiter /enquiries/exports
recruiter /enquiries/exports/{export_id}
manager /enquiries/exports/{large_export_id}
recruiter /enquiries/mailings
recruiter /enquiries/mailings/new?view=over
recruiter /enquiries/mailings/new?sort=news&by=email
recruiter /enquiries/mailings/{mailing_id}
recruiter /enquiries/mailings/{mailing_id}/people?of=to_write
manager /enquiries/mailings/{waiting_mailing_id}
recruiter /enquiries/mailings/{moving_mailing_id}
recruiter /enquiries/views?view=over
manager /enquiries
manager /enquiries/untouched
manager /enquiries/not-now?part=later
manager /team
manager /cases/{unanswered}
manager /cases/{unanswered}/close
recruiter /cases/{contacted}/screening
recruiter /events/all
recruiter /events/{event_id}
recruiter /events/{draft_event_id}
recruiter /events/{open_event_id}/guests
recruiter /events/{open_event_id}/guests?show=all
recruiter /events/{open_event_id}/poster
recruiter /events/{open_event_id}/sign-in-sheet
recruiter /events/{open_event_id}/cancel
recruiter /events/{event_id}/cost
recruiter /campaigns
recruiter /campaigns/{campaign_id}
recruiter /events/{event_id}/import/{upload_id}
recruiter /events/{event_id}/kit
recruiter /events/{event_id}/kit/device
recruiter /events/{event_id}/kit/file
recruiter /events/{event_id}/kit/aside/{aside_id}
recruiter /events/{closed_event_id}/kit
officer /courses
officer /courses?show=past
manager /courses/new
manager /courses/{course_ahead_id}/edit
manager /courses/{course_ahead_id}/cancel
manager /courses/{course_id}
recruiter /courses/{course_ahead_id}
officer /courses/{course_id}/sessions/{course_session_id}
officer /courses/{course_id}/notes/{listed}
officer /courses/{course_id}/certificates/{certificate_id}
officer /cases/{gathering}/assessment/preparation
manager /cases/{invited}/assessment/preparation
officer /cases/{listed}/assessment/preparation/{course_ahead_id}/off
stranger /events
stranger /events/{event_slug}
stranger /events/{event_slug}/thank-you
stranger /events/my-place/{secret.place}
stranger /events/my-place/{secret.place_given_up}
administrator /admin
administrator /admin/people
administrator /admin/people/{colleague}
administrator /admin/letters?show=given_up
administrator /admin/jobs
administrator /admin/checks
administrator /admin/rules
administrator /admin/audit
administrator /admin/settings/assessment
administrator /admin/settings/areas
administrator /admin/settings/travel
administrator /admin/settings/visit-types
administrator /admin/settings/visit-types/1
administrator /admin/settings/websites
administrator /admin/settings/eligibility
manager /admin/rules/reforms/no-panel
administrator /admin/settings/eligibility/age
administrator /admin/settings/eligibility/new
administrator /admin/settings/eligibility/driving/trial/{rule_version}
administrator /admin/settings/response
administrator /admin/settings/wording
"""
WITH_MISTAKES = """
manager /caseload/missed
manager /reports/return/2024/thaw
manager /cases/{stage_one_done}/clocks/{stage_one_done.clock_id}/reason
stranger /reference/{secret.reference}
stranger /reference/{secret.reference_begun}/hard
manager /cases/{gathering}/checks/{gathering.place_id}/referee
applicant /my/documents/other-{applicant_id}
manager /cases/{gathering}/referees/{gathering.referee_id}/interview
manager /cases/{gathering}/referees/{gathering.referee_id}/account
stranger /visit/{secret.visit}/other-times
officer /cases/{written}/assessment/sessions/{written.planned_id}
officer /cases/{written}/assessment/report/evidence/personality
manager /cases/{writing}/assessment/midway
manager /cases/{writing}/assessment/second-opinion
manager /courses/new
manager /courses/{course_ahead_id}/copy
officer /courses/{course_id}/notes/{listed}
officer /cases/{writing}/assessment/preparation
officer /cases/{listed}/assessment/preparation/{course_ahead_id}/off
manager /cases/{new}/facts
manager /cases/{new}/people/new
manager /cases/{new}/tasks/new
manager /cases/{new}/correct
manager /cases/{twin}/people/{twin.person_id}/move
manager /cases/{contacted}/visits/new
manager /visits/{visit_today.visit_id}/no-access
manager /visits/{visit_written.visit_id}/sign-off
officer /account/hours
officer /account/busy-calendars
officer /account/leave
recruiter /enquiries/new
recruiter /cases/{contacted}/not-now
recruiter /cases/{contacted}/close
recruiter /enquiries/mailings/new?sort=news&by=email
recruiter /events/new
recruiter /events/{open_event_id}/guests/new
recruiter /campaigns/new
recruiter /events/{event_id}/log
stranger /events/{event_slug}
administrator /admin/people/invite
administrator /admin/settings
administrator /admin/settings/visits
administrator /admin/settings/websites
administrator /admin/settings/holidays
"""
WITHOUT_SCRIPTS = """
manager /courses/new
officer /courses/{course_id}/sessions/{course_session_id}
manager /my-day
manager /board
manager /cases/{contacted}
manager /visits
manager /cases/{contacted}/visits/new
recruiter /enquiries
recruiter /enquiries/mailings/{moving_mailing_id}
recruiter /events/{open_event_id}/guests
recruiter /events/{event_id}/log
stranger /events/{event_slug}
administrator /admin/settings/look
"""
# Empties every box of the page's own form and sends it, as somebody does who presses the button too soon.
SEND_EMPTY = """() => {
    const boxes = "input:not([type=hidden]), textarea, select";
    const form = [...document.querySelectorAll("main form[method=post]")].find(one => one.querySelector(boxes));
    for (const box of form.querySelectorAll(boxes)) {
        if (["radio", "checkbox"].includes(box.type)) box.checked = false; else box.value = "";
    }
    form.noValidate = true;
    form.submit();
}"""


@pytest.fixture
def estate(database: Database) -> Estate:
    found = pickle.loads((walks.estate_folder() / "estate.pickle").read_bytes())
    assert isinstance(found, Estate)
    return found


@pytest.fixture
def live(app: flask.Flask, start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """The service on the estate, at the hour when that was made. Its letters have gone, so that it is well."""
    with app.app_context(), transaction():
        going = OutboundMessage.status.in_([MessageStatus.QUEUED, MessageStatus.HELD])
        db.session.execute(
            sa.update(OutboundMessage).where(going).values(status=MessageStatus.SENT, sent_at=OutboundMessage.queued_at)
        )
    clock = Clock(tmp_path)
    clock.to(NOW)
    return start_service(**clock.environ)


def lines(listing: str) -> Iterator[tuple[str, str]]:
    for line in listing.strip().split("\n"):
        member, _, path = line.partition(" ")
        yield member, path


def wrong_with(page: Page, widths: tuple[int, ...]) -> list[str]:
    """What is seen on a page, kept for the end: one run then says it of every page."""
    try:
        colours_at = where_colours_are_compared(widths, on="phone")
        look_at(page, "this page", widths=widths, pictures=None, colours_at=colours_at)
    except AssertionError as fault:
        return [str(fault)]
    return []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_state_is_fit_to_be_read(app: flask.Flask, estate: Estate, live: Service, chromium: Browser) -> None:
    now = datetime.fromisoformat(NOW).replace(tzinfo=LONDON)
    desks: dict[tuple[str, bool], Page] = {}
    problems: list[str] = []

    def at_desk(member: str, *, scripts: bool = True) -> Page:
        if (member, scripts) not in desks:
            desk: ViewportSize = {"width": 1280, "height": HEIGHTS[1280]}
            context = chromium.new_context(
                base_url=live.url, viewport=desk, locale="en-GB", timezone_id="Europe/London"
            )
            context.set_default_timeout(15_000)
            if not scripts:
                context.route("**/*.js*", lambda route: route.abort())
            if member != "stranger":
                one = estate.members[member]
                name, token = "staff" if one.is_staff else "applicant", open_session(app, one, now=now)
                context.add_cookies([{"name": name, "value": token, "url": live.url}])
            page = context.new_page()
            # Every page here is read by axe: it comes with the page, instead of being sent to each.
            page.add_init_script(AXE.axe_script)
            page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
            desks[member, scripts] = page
        return desks[member, scripts]

    def opened(member: str, path: str, *, scripts: bool = True) -> Page:
        page = at_desk(member, scripts=scripts)
        answer = page.goto(filled_in(path, estate))
        assert answer is not None
        if answer.status != 200:
            problems.append(f"{path} as {member}: {answer.status}")
        return page

    for member, path in lines(OPENED):
        problems += wrong_with(opened(member, path), BOTH)
    for member, path in lines(WITH_MISTAKES):
        page = opened(member, path)
        with page.expect_navigation():
            page.evaluate(SEND_EMPTY)
        if page.locator(".govuk-error-summary").count() != 1:
            problems.append(f"{path} as {member}: no mistakes are shown")
        problems += wrong_with(page, BOTH)
    for member, path in lines(WITHOUT_SCRIPTS):
        problems += wrong_with(opened(member, path, scripts=False), PHONE)
    for page in desks.values():
        page.context.close()

    assert not problems, f"{len(problems)}:\n" + "\n".join(problems)

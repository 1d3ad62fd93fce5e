"""A visit without signal, in real Chromium: cut off, killed, and on a network that loses answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from bench.door import found_on_disk
from crm.cases import assignment
from crm.cases.models import AssignmentRole
from crm.clock import now_utc
from crm.db import db, transaction
from crm.visits import report
from crm.visits.models import Visit, VisitOfficer, VisitStatus
from crm.visits.phone_models import VisitEntry
from crm.visits.photos import photos_of
from crm.visits.watching import watch_of
from tests.factories import PASSWORD
from tests.samples.pictures import SMALL_PNG
from tests.visits.conftest import Verbs, open_household

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]

CANARY = "Xq7Larkspur"
KEPT = """async () => {
  const isKept = async (scope) => (await navigator.serviceWorker.getRegistration(scope))?.active?.state === 'activated'
  const soon = () => new Promise((done) => setTimeout(done, 50))
  while (!((await isKept('/visit-kit/')) && (await isKept('/visits/')))) await soon()
}"""


@pytest.fixture
def visit_id(app, session, cast):
    """A visit that began five minutes ago, whatever the time is."""
    verbs = Verbs(cast)
    with transaction():
        case = open_household(cast)
        now = now_utc()
        visit = Visit(
            case_id=case.id,
            purpose="first_visit",
            place="home",
            starts_at=now - timedelta(minutes=5),
            ends_at=now + timedelta(minutes=85),
            booked_at=now - timedelta(days=2),
            booked_by_id=cast.recruiter.id,
        )
        session.add(visit)
        session.flush()
        session.add(
            VisitOfficer(
                visit_id=visit.id,
                officer_id=cast.officer.id,
                starts_at=visit.starts_at,
                ends_at=visit.ends_at,
                blocked_until_at=visit.ends_at,
            )
        )
        given = verbs.given(actor=cast.recruiter.actor)
        del given["rulebook"]
        assignment.assign(case, user_id=cast.officer.id, role=AssignmentRole.VISITING_OFFICER, **given)
        found = visit.id
    session.remove()
    return found


def sign_in(device, cast, visit_id, part):
    """To a page of the visit, whose script makes the phone ready."""
    page = device.page
    page.goto(f"{device.url}/sign-in?next=/visits/{visit_id}/{part.replace('?', '%3F')}")
    page.get_by_label("Work email").fill(cast.officer.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/visits/{visit_id}/{part}")
    page.wait_for_load_state("networkidle")


def test_a_visit_without_signal_survives_kills_and_lost_answers_and_leaves_no_trace_on_the_phone(
    app, cast, live, network, tablet, visit_id
):
    device = tablet()
    page = device.page
    sign_in(device, cast, visit_id, "day")
    page.evaluate(KEPT)

    network.is_cut = True
    page.get_by_role("button", name="Check in: I’m at the door").click()
    expect(page.get_by_text("Kept on this phone")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Your visit")).to_be_visible()
    expect(page.get_by_role("button", name="Check in: I’m at the door")).to_be_hidden()
    page.get_by_text("Home and bedrooms").click()
    page.get_by_label("The home").fill(f"{CANARY} and a garden")
    expect(page.get_by_text("2 not yet sent")).to_be_visible()
    page.get_by_text("Safety at home").click()
    page.get_by_label("Add a photo of smoke alarms").set_input_files(
        {"name": "hall.png", "mimeType": "image/png", "buffer": SMALL_PNG}
    )
    expect(page.get_by_role("img", name="Smoke alarms, photo just taken")).to_be_visible()
    expect(page.get_by_text("3 not yet sent")).to_be_visible()
    device.kill()
    device.open("/visit-kit/")
    page = device.page
    page.get_by_role("button", name="Check out: I’m safely out").click()
    expect(page.get_by_text("Checked out,")).to_be_visible()
    left_on_disk = found_on_disk(device.folder, [CANARY])

    network.loses, network.is_cut = 0.5, False
    for _second in range(60):
        page.evaluate("dispatchEvent(new Event('online'))")
        if page.get_by_text("All of it is sent").is_visible():
            break
        page.wait_for_timeout(500)

    expect(page.get_by_text("All of it is sent")).to_be_visible()
    network.loses = 0
    sign_in(device, cast, visit_id, "report?part=5")
    page.get_by_label("Why do they want to foster?").fill("To give a child a home")
    page.get_by_role("button", name="Save, next").click()
    expect(page.get_by_role("heading", name="Work, money and health")).to_be_visible()

    assert left_on_disk == []
    with app.app_context():
        visit = db.session.get_one(Visit, visit_id)
        watch = watch_of(visit)
        assert visit.status == VisitStatus.DONE
        assert watch.checked_in_at < watch.checked_in_heard_at
        assert report.sections_of(visit.report)["home"] == f"{CANARY} and a garden"
        assert len(photos_of(visit)["smoke_alarms"]) == 1
        assert db.session.scalar(sa.select(sa.func.count()).select_from(VisitEntry)) == 5

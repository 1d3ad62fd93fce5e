"""The screens of assessments and panel in a real browser: on a phone and on a desk, full, empty and with mistakes."""

from __future__ import annotations

from datetime import date

import pytest

from crm.assessments import checks
from crm.assessments.household import NewMember
from crm.cases.models import PersonRole
from crm.clock import now_utc
from tests.assessments.journey import PRIYA, Journey
from tests.browser.test_front_door import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def journey(session, cast) -> Journey:
    """Households of today: the service beside us reads the real clock."""
    return Journey(cast, lambda _: now_utc()).people()


def test_the_screens_of_an_assessment_are_fit_to_be_seen(journey, live, open_page, look):
    j, cast = journey, journey.cast
    kezia = NewMember(
        given_name="Kezia", family_name="Whitlock", role=PersonRole.HOUSEHOLD_ADULT, born_on=date(2000, 5, 5)
    )
    j.invited().applied(members=(kezia,)).assessing()
    j.do(checks.ask_for_check, j.case, j.check("dbs", "Sam"), requested_on=j.today, by=cast.officer)
    j.obtain(j.check("dbs", "Priya"), result="discussed", outcome="Weighed up with a manager.")
    j.stage_two().report()
    base = f"/cases/{j.case.reference}"
    waiting, seen = j.check("dbs", "Sam").id, j.check("dbs", "Priya").id
    new = Journey(cast, j.freeze).invited(PRIYA)
    page = open_page()

    sign_in(page, live, cast.manager)
    for name, path in (
        ("list", "/assessments"),
        ("overview", f"{base}/assessment"),
        ("check-waiting", f"{base}/checks/{waiting}"),
        ("check-in", f"{base}/checks/{seen}"),
        ("report", f"{base}/assessment/report"),
        ("stage-one", f"{base}/assessment/stage-one"),
        ("household", f"{base}/assessment/household"),
        ("withdraw", f"{base}/assessment/withdraw"),
        ("no-application", f"/cases/{new.case.reference}/assessment"),
        ("application", f"/cases/{new.case.reference}/application/new"),
    ):
        page.goto(path)
        look(page, name)
    page.get_by_role("button", name="Record the application").click()
    look(page, "application-mistakes")


def test_the_screens_of_panel_and_decision_are_fit_to_be_seen(journey, live, open_page, look):
    j, cast = journey, journey.cast
    j.in_assessment().obtain_all().passed().stage_two().report().shared().observed().ready()
    page = open_page()
    sign_in(page, live, cast.panel_administrator)
    for name, path in (
        ("panel", "/panel"),
        ("plan", "/panel/new"),
        ("central-list", "/panel/central-list"),
        ("choose-meeting", f"/cases/{j.case.reference}/panel"),
    ):
        page.goto(path)
        look(page, name)
    meeting = j.meeting(j.today)
    j.listed(meeting, late_reason="A place became free.")
    page.goto(f"/panel/{meeting.id}")
    look(page, "meeting")
    page.get_by_role("button", name="Keep who is here").click()
    look(page, "meeting-nobody-noted")
    j.everyone_here(j.item())
    page.goto(f"/panel/{meeting.id}")
    page.get_by_role("button", name="Record recommendation").click()
    look(page, "meeting-mistakes")
    j.recommended("not_suitable")
    j.minutes()
    sign_in(page, live, cast.decision_maker)
    page.goto(f"/cases/{j.case.reference}/decision")
    look(page, "decision")
    page.get_by_role("button", name="Make this decision").click()
    look(page, "decision-mistakes")
    j.decided("propose_no")
    page.goto(f"/cases/{j.case.reference}/notices")
    look(page, "notices")
    j.written("post")
    sign_in(page, live, cast.manager)
    page.goto(f"/cases/{j.case.reference}/answer")
    look(page, "answer")

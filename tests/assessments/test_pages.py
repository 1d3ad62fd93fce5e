"""The screens: the whole run through a browser's eyes, and what each page refuses."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from crm.access.queries import names_of
from crm.assessments import checks, meetings, queries, stage_two
from crm.assessments.models import REPORT_SECTIONS
from crm.assessments.terms import Terms
from crm.db import transaction
from crm.rules.deadlines import say_about
from tests.assessments.journey import to_panel, to_the_invitation


def day_fields(name, day):
    return {f"{name}-day": str(day.day), f"{name}-month": str(day.month), f"{name}-year": str(day.year)}


def send(client, path, *, to=None, button=None, field=None, follow=True, **values):
    """Open a page, fill in its form and send it."""
    page = client.get(path).page
    return client.submit(page, to=to, button=button, field=field, follow=follow, **values)


def test_a_household_walks_to_approval_through_the_pages(journey, client):
    j = journey.walk(to_the_invitation)
    base = f"/cases/{j.case.reference}"
    people = {person.given_name: person.id for person in j.case.household.people}
    cast = j.cast

    # The application, with a grown-up daughter at home.
    client.sign_in(cast.officer)
    assert "No application yet" in client.get(f"{base}/assessment").page.text
    answers = {**day_fields("received_on", date(2026, 3, 2)), "household_confirmed": "y", "home_council": "Bromley"}
    for name, born in (("Priya", date(1985, 2, 10)), ("Sam", date(1982, 6, 4))):
        answers |= day_fields(f"born_on_{people[name]}", born) | day_fields(f"signed_on_{people[name]}", j.today)
        answers[f"agrees_{people[name]}"] = "y"
    answers |= {"given_1": "Kezia", "family_1": "Whitlock", "role_1": "household_adult"}
    answers |= day_fields("member_born_1", date(2007, 5, 5))
    done = send(client, f"{base}/application/new", button="Record the application", **answers)
    assert "Monday 2 November 2026" in done.page.text

    # A manager decides to assess; the checks are there, by person.
    client.sign_in(cast.manager)
    assert "Priya, 41" in send(client, f"{base}/assessment/decide-to-assess", button="Decide to assess").page.text
    overview = client.get(f"{base}/assessment").page
    assert "Kezia, 18" in overview.text
    assert "Needed by regulation" in overview.text
    assert "This service also asks for" in overview.text

    # One check is asked for, is late, is chased, and comes in.
    client.sign_in(cast.officer)
    dbs = j.check("dbs", "Priya")
    send(client, f"{base}/checks/{dbs.id}", button="Note that we asked", **day_fields("requested_on", j.today))
    j.on("2026-04-02")
    client.sign_in(cast.officer)
    assert "working days over" in client.get(f"{base}/assessment").page.text
    assert "chased 2 April" in send(client, f"{base}/checks/{dbs.id}", button="Note that we chased today").page.text
    fields = {"dbs_number": "0012 3456 7890", "result": "clear", "dbs_barred_list_checked": "y"}
    unsaid = send(client, f"{base}/checks/{dbs.id}", field="dbs_number", **fields,
                  **day_fields("dbs_issued_on", date(2026, 3, 20)), **day_fields("received_on", j.today))  # fmt: skip
    assert unsaid.page.errors == ["Choose the level of the certificate."]
    fields["dbs_level"] = "enhanced"
    fields |= day_fields("dbs_issued_on", date(2026, 3, 20)) | day_fields("received_on", j.today)
    assert "Issued 20 March" in send(client, f"{base}/checks/{dbs.id}", button="Record it", **fields).page.text
    j.obtain_all()

    # Stage 1 passed, Stage 2 started, report written and signed by two people.
    client.sign_in(cast.manager)
    send(client, f"{base}/assessment/stage-one", button="Keep this decision", outcome="pass")
    send(client, f"{base}/assessment/stage-two", button="Start Stage 2", assessor_id=str(cast.officer.id))
    client.sign_in(cast.officer)
    written = {f"section_{name}": f"Words on {name}." for name in (
        "personality", "religion", "origins", "work_and_living", "caring", "skills", "suitability")}  # fmt: skip
    kept = send(
        client, f"{base}/assessment/report", button="Keep the report", kind="full", terms_children="2", **written
    )
    assert "Next: say what on file each of these rests on" in kept.page.text
    client.sign_in(cast.manager)
    assert "once something on file is linked to" in client.get(f"{base}/assessment/report").page.text
    client.sign_in(cast.officer)
    check = f"check:{j.check('local_authority_views').id}"
    for name in (name.removeprefix("section_") for name in written):
        send(client, f"{base}/assessment/report/evidence/{name}", button="Link it", source=check, said_as="third_party",
             words="Nothing that speaks against it.")  # fmt: skip
    kept = send(client, f"{base}/assessment/report", button="Keep the report")
    assert "whole" in kept.page.text
    client.sign_in(cast.manager)
    send(client, f"{base}/assessment/report", button="Countersign the report")
    client.sign_in(cast.officer)
    shared = send(client, f"{base}/assessment/share", button="Share the report")
    assert "to comment on it" in shared.page.text
    assert "has until" in client.get(f"{base}/assessment/ready").page.text
    send(
        client,
        f"{base}/assessment/observations",
        button="Keep this",
        text="All true.",
        **day_fields("received_on", j.today),
    )
    send(client, f"{base}/assessment/ready", button="Ready for panel")

    # A meeting, the agenda, papers, who is there, the recommendation, the minutes.
    client.sign_in(cast.panel_administrator)
    page = client.get("/panel/new").page
    members = [
        str(j.panel[key].id) for key in ("chair", "social_worker", "carer_member", "teacher", "care_experienced")
    ]
    made = client.submit(page, button="Plan this meeting", follow=True, starts_at="10am", place="Kestrel House",
                         member_ids=members, **day_fields("meets_on", date(2026, 4, 20)))  # fmt: skip
    meeting_path = made.request.path
    meeting_id = meeting_path.rpartition("/")[2]
    send(client, f"{base}/panel", button="Put on the agenda", meeting_id=meeting_id)
    item = j.item()
    assert "Papers" in client.get(f"{meeting_path}?item={item.id}").page.text
    j.papers_given()
    j.on("2026-04-20")
    client.sign_in(cast.panel_administrator)
    assert "Not open yet" in client.get(f"{meeting_path}?item={item.id}").page.text
    here = {f"presence_{member}": "present" for member in members}
    quorate = send(client, f"{meeting_path}?item={item.id}", button="Keep who is here", presiding_id=members[0], **here)
    assert "5 of the 5 needed" in quorate.page.text
    said = client.submit(quorate.page, button="Record recommendation", follow=True, recommendation="suitable",
                         reasons="Open and thoughtful.", of_one_mind="yes")  # fmt: skip
    assert "Suitable to foster" in said.page.text
    sent = send(client, f"{base}/panel/minutes", button="Send to the decision maker", minutes="As said.",
                **day_fields("received_on", j.today))  # fmt: skip
    assert "Wednesday 29 April" in sent.page.text

    # The decision, the notices, the agreement.
    client.sign_in(cast.decision_maker)
    assert j.case.household.name in client.get("/panel").page.text
    decided = send(client, f"{base}/decision", button="Make this decision", kind="approve", material="All of it.",
                   arguments="For and against.", adopts="yes", why="They are right.")  # fmt: skip
    assert "Approve" in decided.page.text
    told = client.submit(decided.page, button="They have been told", follow=True, method="phone",
                         **day_fields("told_on", j.today))  # fmt: skip
    sent = client.submit(told.page, button="Write the notice", follow=True, channel="email")
    assert "by email" in sent.page.text
    signed = client.submit(sent.page, button="It is signed", follow=True, **day_fields("signed_on", j.today))
    assert "First review by Tuesday 20 April 2027" in signed.page.text
    j.look_again()
    assert queries.the_application(j.case).agreement_signed_on == date(2026, 4, 20)
    assert "From Monday 20 April 2026" in client.get(f"{base}/assessment").page.text
    client.sign_in(cast.manager)
    for path in (
        "/assessments",
        "/assessments?place=in_assessment",
        "/panel",
        meeting_path,
        f"{base}/assessment/report",
    ):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/panel/central-list", "/panel/new", "/panel", "/assessments"])
def test_empty_pages_say_what_to_do(journey, client, path):
    client.sign_in(journey.cast.panel_administrator if path.startswith("/panel") else journey.cast.manager)

    assert client.get(path).status_code == 200


@pytest.fixture
def item_at_its_meeting(journey):
    """An item on the day of its meeting, with five members, of whom nobody has said whether they are here."""
    j = journey.on("2026-03-02").in_assessment().obtain_all().passed().stage_two().report().shared().observed().ready()
    j.listed(j.meeting("2026-04-01"))
    j.on("2026-04-01")
    return j, j.item()


def test_nobody_is_taken_to_be_at_panel_until_somebody_says_so(client, item_at_its_meeting):
    j, item = item_at_its_meeting
    client.sign_in(j.cast.panel_administrator)
    page = client.get(f"/panel/{item.meeting_id}?item={item.id}").page
    assert [box for box in page.all("input", type="radio") if "checked" in box.attributes] == []
    assert page.text.count("Not yet") == 5

    members = [member.user_id for member in item.meeting.members]
    said = {f"presence_{one}": "present" for one in members[:3]} | {"presiding_id": str(members[0])}
    refused = client.submit(page, button="Keep who is here", **said)

    assert refused.status_code == 422
    unsaid = names_of(members[3:]).values()
    assert sorted(refused.page.errors) == sorted(f"Say whether {name} is here" for name in unsaid)
    kept = [box for box in refused.page.all("input", type="radio") if "checked" in box.attributes]
    assert [box.get("name") for box in kept] == [f"presence_{one}" for one in members[:3]]
    j.look_again()
    assert queries.attendance_rows(j.item()) == {}


def test_the_quorum_counts_those_of_whom_it_was_said_that_they_are_here(client, item_at_its_meeting):
    j, item = item_at_its_meeting
    members = [member.user_id for member in item.meeting.members]
    client.sign_in(j.cast.panel_administrator)
    page = client.get(f"/panel/{item.meeting_id}?item={item.id}").page
    said = {f"presence_{one}": "present" for one in members} | {f"presence_{members[4]}": "apologies"}

    unpresided = client.submit(page, button="Keep who is here", **said)
    assert unpresided.page.errors == ["Choose who presides"]
    absent = client.submit(page, button="Keep who is here", **said, presiding_id=str(members[4]))
    assert absent.status_code == 422
    kept = client.submit(page, button="Keep who is here", **said, presiding_id=str(members[0]), follow=True)

    assert "5 members must be present; 4 are." in kept.page.text
    here = client.submit(kept.page, button="Keep who is here", **{f"presence_{members[4]}": "by_video"}, follow=True)
    assert "The panel is quorate for this item." in here.page.text


def test_a_day_the_law_counts_from_is_said_by_a_person(client, item_at_its_meeting):
    j, item = item_at_its_meeting
    base = f"/cases/{j.case.reference}"
    j.recommended()
    client.sign_in(j.cast.panel_administrator)
    page = client.get(f"{base}/panel/minutes").page
    assert [box.get("value") for box in page.all("input", name="received_on-day")] == [""]
    assert page.find("button", **{"data-fills": "received_on"}).get("data-day") == "2026-04-01"

    refused = client.submit(page, button="Send to the decision maker", minutes="As said.")

    assert refused.page.errors == ["Give the day the decision maker had them"]


def now_of(client, j):
    """What the page of the case offers to do now: its one accent button, and the other moves."""
    page = client.get(f"/cases/{j.case.reference}").page
    lead = page.all("a", class_="ds-button--now")
    return [one.text for one in lead], [one.text for one in page.find("div", class_="ds-moves").all("a")]


def test_whoever_may_not_decide_opens_and_no_ending_is_the_one_thing_to_do(journey, client):
    j = journey.on("2026-03-02").invited().applied()
    client.sign_in(j.cast.officer)
    assert now_of(client, j)[0] == ["Open"]
    client.sign_in(j.cast.manager)
    assert now_of(client, j)[0] == ["Decide"]

    j.assessing().obtain_all().passed()
    lead, others = now_of(client, j)

    assert lead == ["Start Stage 2"]
    assert "Withdraw, with a reason" in others


def test_a_managers_day_shows_what_only_a_manager_can_do(journey, client):
    j = journey.on("2026-03-02").invited().applied()
    client.sign_in(j.cast.manager)
    day = client.get("/my-day").page.find("section", id="to-decide")
    assert "Decide whether to assess" in day.text
    j.assessing().obtain_all()
    assert "Stage 1" in client.get("/my-day").page.find("section", id="to-decide").text
    assert not client.get("/my-day").page.all("section", id="to-countersign")

    j.passed().stage_two()
    j.do(stage_two.save_report, j.case, kind="full", sections=dict.fromkeys(REPORT_SECTIONS, "Words."),
         terms=Terms(), by=j.cast.officer)  # fmt: skip
    assert not client.get("/my-day").page.all("section", id="to-countersign")
    j.evidence()

    page = client.get("/my-day").page
    assert not page.all("section", id="to-decide")
    link = page.links[f"Read it: the assessment report on {j.case.household.name}"]
    assert link == f"/cases/{j.case.reference}/assessment/report"
    client.sign_in(j.cast.officer)
    assert not client.get("/my-day").page.all("section", id="to-countersign")


def test_one_check_after_another_is_recorded_without_going_back_to_the_list(journey, client):
    j = journey.on("2026-03-02").in_assessment()
    client.sign_in(j.cast.officer)
    first, second = (check.id for check in j.checks()[:2])
    base = f"/cases/{j.case.reference}/checks"

    page = client.get(f"{base}/{first}").page
    after = client.submit(page, button="Record it, next check", result="clear", **day_fields("received_on", j.today))

    assert after.headers["Location"] == f"{base}/{second}"


def test_a_notice_that_can_reach_nobody_says_where_the_address_is_given(journey, client):
    from tests.assessments.journey import PRIYA

    j = journey.on("2026-03-02").in_assessment().obtain_all().passed().stage_two().report().shared().observed().ready()
    j.listed(j.meeting("2026-04-01"))
    j.on("2026-04-01").recommended()
    j.minutes().decided()
    with transaction():
        j.case.household.address = None
        for person in j.case.household.people:
            person.email = None if person.given_name != PRIYA.given_name else person.email
    client.sign_in(j.cast.officer)

    page = client.get(f"/cases/{j.case.reference}/notices").page

    assert page.links["Give the postal address"] == f"/cases/{j.case.reference}/address"


def test_whoever_has_the_next_word_finds_the_household_on_their_day(journey, client):
    j = journey.in_assessment().obtain_all().passed().stage_two(journey.cast.other_officer)
    names, base = j.case.household.name, f"/cases/{j.case.reference}"

    client.sign_in(j.cast.other_officer)
    mine = client.get("/my-day").page.find("section", id="assessing")
    assert names in mine.text
    assert mine.first("a", role="button").get("href") == f"{base}/assessment/report"
    client.sign_in(j.cast.officer)
    assert client.get("/my-day").page.all("section", id="assessing") == []

    j.report(by=j.cast.other_officer)
    j.do(stage_two.share_report, j.case, by=j.cast.other_officer)
    j.do(stage_two.record_observations, j.case, by=j.cast.other_officer, received_on=j.today, text="Fine.")
    client.sign_in(j.cast.panel_administrator)
    assert client.get("/my-day").page.all("section", id="ready") == []
    j.do(stage_two.ready_for_panel, j.case, by=j.cast.other_officer)

    page = client.get("/my-day").page
    assert page.find("section", id="ready").first("a", role="button").get("href") == f"{base}/panel"
    assert "Nothing is waiting for you today" not in page.text
    client.sign_in(j.cast.other_officer)
    assert client.get("/my-day").page.all("section", id="assessing") == []


def test_what_leads_on_stands_before_what_ends_the_journey(journey, client):
    j = journey.in_assessment().obtain_all().passed()
    base = f"/cases/{j.case.reference}"
    client.sign_in(j.cast.manager)

    assert [one.text for one in client.get(base).page.all("a", class_="ds-button--now")] == ["Start Stage 2"]
    overview = client.get(f"{base}/assessment").page
    moves = overview.all("div", class_="ds-moves")[0].all("a")
    assert [move.text for move in moves][0] == "Start Stage 2"
    assert [move.text for move in moves][-1] == "Withdraw, with a reason"


def test_a_clock_about_the_dbs_is_said_as_it_is_spelled():
    assert say_about("Olivia", "DBS certificate") == "Olivia: DBS certificate"
    assert say_about("Olivia", "Check chased") == "Olivia: check chased"


def test_only_whoever_may_decide_is_told_to(journey, client):
    j = journey.invited().applied()
    j.on("2026-03-09")
    decide = f"/cases/{j.case.reference}/assessment/decide-to-assess"

    client.sign_in(j.cast.officer)
    rows = [row for row in client.get("/my-day").page.all("li", class_="ds-row") if j.case.reference in row.text]
    assert [link.text.split()[0] for row in rows for link in row.all("a", role="button")] == ["Open"]
    client.sign_in(j.cast.manager)
    buttons = [one for one in client.get("/my-day").page.all("a", role="button") if one.get("href") == decide]
    assert [button.text.split()[0] for button in buttons] == ["Decide"]


def test_all_that_is_missing_of_a_certificate_is_said_at_once(journey, client):
    j = journey.in_assessment()
    check = j.check("dbs", "Priya")
    client.sign_in(j.cast.officer)

    path = f"/cases/{j.case.reference}/checks/{check.id}"
    answer = send(client, path, button="Record it", result="clear", **day_fields("received_on", j.today))

    assert answer.page.errors == [checks.NUMBER_NEEDED, checks.ISSUE_NEEDED, checks.LEVEL_NEEDED]


def test_the_way_to_panel_is_shown_until_the_panel_has_made_its_recommendation(journey, client):
    """What comes after has clocks of its own: nobody is on course for a panel that has met."""
    j = journey.walk(to_panel)

    def heading():
        client.sign_in(j.cast.manager)
        return [one for one in ("On the agenda of", "On course for panel on")
                if one in client.get(f"/cases/{j.case.reference}/assessment").page.text]  # fmt: skip

    assert heading() == ["On course for panel on"]
    day = j.today + timedelta(days=21)
    j.listed(j.meeting(day))
    assert heading() == ["On the agenda of"]
    j.on(day).recommended()
    assert heading() == []
    j.minutes()
    assert heading() == []


def test_put_off_by_the_panel_a_household_is_on_course_for_another(journey, client):
    j = journey.walk(to_panel)
    day = j.today + timedelta(days=21)
    j.listed(j.meeting(day))
    j.on(day).do(
        meetings.defer_item, j.case, j.item(), reasons="More is needed.", by=j.cast.panel_administrator
    )
    client.sign_in(j.cast.manager)
    assert "On course for panel on" in client.get(f"/cases/{j.case.reference}/assessment").page.text

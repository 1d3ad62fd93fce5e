"""Every form says how to put right what it can't take, and keeps what was typed; pages cost the same at any size."""

from __future__ import annotations

import pytest

from crm.assessments import queries
from tests.assessments.journey import to_assessment, to_panel, to_the_decision_maker_against, to_the_invitation
from tests.assessments.test_pages import day_fields, send

NONSENSE = {"-day": "31", "-month": "2", "-year": "26"}


@pytest.fixture
def listed(journey):
    """On the agenda of Wednesday 1 April 2026, seen on that day."""
    j = journey.walk(to_panel)
    j.listed(j.meeting("2026-04-01"))
    j.on("2026-04-01")
    return j


def problems(response):
    assert response.status_code == 422, response.page.text[:300]
    found = response.page.errors
    assert found
    assert all(len(words) < 300 for words in found)
    return " ".join(found)


def test_an_empty_application_says_all_that_is_missing(journey, client):
    j = journey.walk(to_the_invitation)
    client.sign_in(j.cast.officer)
    path = f"/cases/{j.case.reference}/application/new"

    said = problems(send(client, path, button="Record the application", follow=False, home_council=""))

    for words in ("Give the day we received it", "Give Priya’s date of birth", "Give the day Sam signed",
                  "Name the council", "Go through who lives there"):  # fmt: skip
        assert words in said


def test_a_half_filled_row_of_somebody_else_is_pointed_at(journey, client):
    j = journey.walk(to_the_invitation)
    client.sign_in(j.cast.officer)
    answer = send(client, f"/cases/{j.case.reference}/application/new", button="Record the application", follow=False,
                  given_1="Kezia", **{f"received_on{part}": value for part, value in NONSENSE.items()})  # fmt: skip

    said = problems(answer)
    assert "Choose who they are" in said
    assert "Write the year of the day we received it with 4 numbers" in said
    assert 'value="Kezia"' in answer.text
    assert 'value="31"' in answer.text


@pytest.mark.parametrize(
    ("tail", "who", "button", "answers", "words"),
    [
        ("assessment/household", "officer", "Add them", {}, "Write their first name"),
        ("assessment/withdraw", "officer", "Withdraw the application", {}, "Choose why"),
        ("assessment/report", "officer", "Keep the report", {"terms_children": "many"}, "whole number"),
        ("assessment/report", "officer", "Keep the report", {"terms_youngest": "9", "terms_oldest": "4"}, "oldest"),
        ("assessment/stage-two", "manager", "Add this assessor", {}, "Choose who assesses"),
        ("assessment/transfer", "officer", "Keep this", {"approved_elsewhere": "y"}, "Name the other"),
    ],
)  # fmt: skip
def test_forms_of_an_assessment_refuse_nonsense(journey, client, tail, who, button, answers, words):
    j = journey.walk(to_assessment).stage_two()
    client.sign_in(getattr(j.cast, who))

    assert words in problems(send(client, f"/cases/{j.case.reference}/{tail}", button=button, follow=False, **answers))


def test_a_stage_one_refusal_without_reasons_is_sent_back(journey, client):
    j = journey.walk(to_assessment)
    client.sign_in(j.cast.manager)
    path = f"/cases/{j.case.reference}/assessment/stage-one"

    assert "Write the reasons" in problems(
        send(client, path, button="Keep this decision", follow=False, outcome="refuse")
    )


def test_a_check_keeps_what_was_typed(journey, client):
    j = journey.walk(to_assessment)
    check = j.check("dbs", "Sam")
    client.sign_in(j.cast.officer)

    answer = send(client, f"/cases/{j.case.reference}/checks/{check.id}", field="dbs_number", follow=False,
                  dbs_number="123", outcome="Talked it over.", result="discussed",
                  **day_fields("received_on", j.today))  # fmt: skip

    assert "12 digits" in problems(answer)
    assert "Talked it over." in answer.text


@pytest.mark.parametrize(
    ("button", "answers", "words"),
    [
        ("Record recommendation", {"recommendation": None}, "Choose what the panel recommends"),
        (
            "Record recommendation",
            {"recommendation": "suitable", "reasons": "Good.", "of_one_mind": "yes"},
            "Say first whether Bernard Wyeth",
        ),
        ("Declare it", {"what": ""}, "Say what the interest is"),
    ],
)
def test_the_meeting_page_refuses_nonsense(listed, client, button, answers, words):
    client.sign_in(listed.cast.panel_administrator)
    item = listed.item()
    answers = {name: value for name, value in answers.items() if value is not None}

    said = problems(send(client, f"/panel/{item.meeting_id}?item={item.id}", button=button, follow=False, **answers))

    assert words in said


@pytest.mark.parametrize(
    ("path", "button", "answers", "words"),
    [
        ("/panel/new", "Plan this meeting", {}, "Give the day of the meeting"),
        ("/panel/new", "Plan this meeting", {"starts_at": "late"}, "Write the time like"),
        ("/panel/new", "Plan this meeting", {"starts_at": "10am", "link": "ftp://x", "meets_on-day": "1",
                                             "meets_on-month": "9", "meets_on-year": "2026"}, "https://"),
        ("/panel/new", "Plan this meeting", {"starts_at": "10am", "place": "Here", "meets_on-day": "1",
                                             "meets_on-month": "1", "meets_on-year": "2020"}, "still to come"),
        ("/panel/central-list", "Keep this", {}, "Choose who"),
    ],
)  # fmt: skip
def test_meetings_refuse_nonsense(journey, client, path, button, answers, words):
    client.sign_in(journey.cast.panel_administrator)

    assert words in problems(send(client, path, button=button, follow=False, **answers))


def test_a_decision_without_its_reasoning_is_sent_back_and_kept(journey, client):
    j = journey.walk(to_the_decision_maker_against)
    client.sign_in(j.cast.decision_maker)
    path = f"/cases/{j.case.reference}/decision"

    assert "List what you considered" in problems(send(client, path, button="Make this decision", follow=False))
    answer = send(client, path, button="Make this decision", follow=False, kind="approve", material="All I read.",
                  arguments="Both ways.", adopts="no", why="Not so.")  # fmt: skip
    assert "senior colleague" in problems(answer)
    assert "All I read." in answer.text


def test_a_form_of_an_old_page_is_refused_with_how_things_stand(journey, client):
    j = journey.walk(to_assessment)
    client.sign_in(j.cast.officer)
    old = client.get(f"/cases/{j.case.reference}/assessment/withdraw").page
    j.obtain(j.check("identity", "Sam"))

    answer = client.submit(old, button="Withdraw the application", code="AW1", **day_fields("withdrawn_on", j.today))

    assert "changed while you were looking" in answer.page.text
    assert j.stage("application") == "in_assessment"


def test_the_same_form_sent_twice_does_its_work_once(journey, client):
    j = journey.walk(to_assessment)
    client.sign_in(j.cast.officer)
    check = j.check("dbs", "Sam")
    page = client.get(f"/cases/{j.case.reference}/checks/{check.id}").page
    for _ in range(2):
        answer = client.submit(page, button="Note that we asked", **day_fields("requested_on", j.today))
        assert answer.status_code == 303


def test_the_list_of_applications_costs_the_same_however_many_there_are(journey, client, queries):
    j = journey.walk(to_assessment)
    client.sign_in(j.cast.manager)
    client.get("/assessments")
    with queries() as few:
        client.get("/assessments")
    for _ in range(4):
        j.in_assessment()
    with queries() as more:
        client.get("/assessments")

    assert len(more) == len(few)


def test_the_assessment_page_costs_the_same_however_much_is_on_it(journey, client, queries):
    j = journey.walk(to_assessment)
    client.sign_in(j.cast.manager)
    path = f"/cases/{j.case.reference}/assessment"
    j.obtain(j.check("identity", "Sam"))
    j.stage_two().report()
    client.get(path)
    with queries() as few:
        client.get(path)
    j.obtain_all()
    with queries() as more:
        client.get(path)

    assert len(more) <= len(few)
    assert len(more) < 45


def test_a_meeting_costs_the_same_however_long_its_agenda(listed, client, queries):
    from tests.assessments.journey import Journey

    client.sign_in(listed.cast.panel_administrator)
    meeting = listed.item().meeting
    path = f"/panel/{meeting.id}"
    client.get(path)
    with queries() as few:
        client.get(path)
    for _ in range(2):
        other = Journey(listed.cast, listed.freeze)
        other.panel = listed.panel
        other.in_assessment().obtain_all().passed().stage_two().report().shared().observed().ready()
        other.listed(meeting, late_reason="Added on the day.")
    with queries() as more:
        client.get(path)

    # What is recorded of whose household was seen grows with the agenda; what is read does not.
    reads = [statement for statement in more if statement.lstrip().upper().startswith("SELECT")]
    assert len(reads) <= sum(1 for statement in few if statement.lstrip().upper().startswith("SELECT")) + 1


def test_pages_of_applications_go_on_without_missing_or_repeating(journey):
    j = journey.on("2026-03-02")
    for _ in range(5):
        j.in_assessment()
    seen, after = [], None
    while True:
        rows, after = queries.applications_page(j.cast.manager.actor, today=j.today, after=after, limit=2)
        seen += [row.reference for row in rows]
        if after is None:
            break

    assert len(seen) == len(set(seen)) == 5

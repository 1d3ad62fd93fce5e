"""The manager's view: limits in danger, what stands still, who has how much, and why a clock was missed."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from crm.assessments import checks, meetings, stage_two
from crm.assessments.caseload import open_applications
from crm.assessments.models import REPORT_SECTIONS
from crm.assessments.terms import Terms
from crm.audit.models import AuditEntry
from crm.cases import breaches
from crm.cases.change_stage import CaseHasMovedOn
from crm.cases.models import BreachReason, Case, Deadline, TimelineEntry
from crm.cases.open_case import NewPerson
from crm.clock import now_utc
from crm.db import db, transaction
from crm.rules.breaches import STATUTORY_CLOCKS, BreachCode
from crm.rules.permissions import NotPermitted
from crm.rules.waiting import OnWhom
from crm.staff import caseload as loads
from crm.staff.missed_file import PeriodNotPossible, file_of_missed
from tests.assessments.journey import Journey, to_assessment

WORDS = "The adviser was ill, and nobody stood in for her."


def deferred_past_the_limit(j: Journey) -> None:
    """S5: put off before the limit, heard 24 days after it."""
    j.on("2026-04-20").in_assessment().obtain_all().passed()
    j.on("2026-11-02").stage_two().report().shared().observed().ready()
    item = j.listed(j.meeting("2026-12-09"))
    j.on("2026-12-02").papers_given()
    j.on("2026-12-09").do(
        meetings.defer_item, j.case, item, reasons="The panel wants a second medical opinion.",
        by=j.cast.panel_administrator,
    )  # fmt: skip
    j.listed(j.meeting("2027-01-13"), late_reason="The first panel asked for a second medical opinion.")
    j.on("2027-01-06").papers_given()
    j.on("2027-01-13").recommended()


def clock_of(j: Journey, rule: str) -> Deadline:
    j.look_again()
    return db.session.scalars(
        sa.select(Deadline).where(Deadline.case_id == j.case.id, Deadline.rule == rule).order_by(Deadline.id.desc())
    ).first()


def why(j: Journey, clock: Deadline, code: str = "medical_late", words: str | None = None, **changes):
    return j.do(breaches.give_reason, j.case, clock, code=code, words=words, by=j.cast.manager, **changes)


def reason_page(j: Journey, clock: Deadline) -> str:
    return f"/cases/{j.case.reference}/clocks/{clock.id}/reason"


def still(j: Journey, **changes):
    j.look_again()
    return loads.stuck(open_applications(today=j.today, rulebook=j.rulebook).rows, today=j.today, **changes)


def ahead(j: Journey):
    j.look_again()
    return loads.breaches_ahead(
        open_applications(today=j.today, rulebook=j.rulebook), today=j.today, rulebook=j.rulebook
    )


# --- Why a clock was missed -------------------------------------------------------------------------------------------


def test_s5_a_panel_24_days_over_is_a_breach_and_its_reason_is_kept(journey, client):
    j = journey.walk(deferred_past_the_limit)
    clock = clock_of(j, "panel_recommendation")
    assert (clock.due_on, clock.stopped_on) == (date(2026, 12, 20), date(2027, 1, 13))
    client.sign_in(j.cast.manager)

    page = client.get("/caseload").page
    row = page.find("section", id="missed").first("li")
    assert j.case.reference in row.text
    assert "24 days over" in row.text
    form = client.get(reason_page(j, clock)).page
    assert "24 days over" in form.text
    assert "The first panel asked for a second medical opinion." in form.text  # as it was said when it was listed
    done = client.submit(form, button="Keep the reason", follow=True, code="medical_late", words=WORDS).page
    assert "None. Each missed clock has its reason." in done.find("section", id="missed").text

    j.look_again()
    kept = db.session.scalars(sa.select(BreachReason)).one()
    assert (kept.deadline_id, kept.code, kept.words) == (clock.id, "medical_late", WORDS)
    assert (kept.given_by_id, kept.replaced_at) == (j.cast.manager.id, None)
    assert WORDS not in kept.words_sealed
    line = db.session.scalars(sa.select(TimelineEntry).order_by(TimelineEntry.id.desc())).first()
    assert line.title == "Why a clock was missed: Panel's recommendation"
    assert WORDS in line.detail
    entry = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.event == "breach.reason_given")).one()
    assert entry.case_id == j.case.id
    assert WORDS not in str(entry.detail)
    overview = client.get(f"/cases/{j.case.reference}/assessment").page.find("section", id="missed").text
    assert f"24 days over. Medical late: {WORDS}" in overview


def test_a_missed_clock_says_that_no_reason_is_recorded_and_only_a_manager_is_led_to_it(journey, client):
    j = journey.walk(deferred_past_the_limit)
    for member, may in ((j.cast.manager, True), (j.cast.officer, False)):
        client.sign_in(member)
        section = client.get(f"/cases/{j.case.reference}/assessment").page.find("section", id="missed")
        assert "No reason recorded" in section.text
        assert ("Say why" in section.text) == may


def test_a_reason_is_corrected_and_the_older_one_is_kept(journey, client):
    j = journey.walk(deferred_past_the_limit)
    clock = clock_of(j, "panel_recommendation")
    why(j, clock, "dbs_late", "It was lost in the post.")
    client.sign_in(j.cast.manager)
    form = client.get(reason_page(j, clock)).page
    assert form.form(button="Correct the reason").fields["words"] == "It was lost in the post."
    client.submit(form, button="Correct the reason", code="panel_unavailable", words="", follow=True)

    page = client.get(reason_page(j, clock)).page.text
    assert page.index("No panel, or no quorum") < page.index("Corrected since")
    assert "It was lost in the post." in page
    j.look_again()
    rows = db.session.scalars(sa.select(BreachReason).order_by(BreachReason.id)).all()
    assert [(row.code, row.replaced_at is None) for row in rows] == [("dbs_late", False), ("panel_unavailable", True)]
    assert db.session.scalar(sa.select(sa.func.count()).where(AuditEntry.event == "breach.reason_corrected")) == 1


def test_a_reason_that_says_nothing_is_refused_and_what_was_typed_stays(journey, client):
    j = journey.walk(deferred_past_the_limit)
    clock = clock_of(j, "panel_recommendation")
    client.sign_in(j.cast.manager)

    none = client.submit(client.get(reason_page(j, clock)).page, button="Keep the reason", words=WORDS)
    assert none.status_code == 422
    assert none.page.errors == ["Choose the reason"]
    assert none.page.form(button="Keep the reason").fields["words"] == WORDS
    other = client.submit(client.get(reason_page(j, clock)).page, button="Keep the reason", code="other", words=" ")
    assert other.page.errors == ["Say in a sentence what the reason was."]
    assert other.page.form(button="Keep the reason").fields["code"] == "other"
    j.look_again()
    assert not db.session.scalars(sa.select(BreachReason)).all()


def test_two_managers_at_once_keep_one_reason_and_the_second_reads_it_first(journey, client):
    j = journey.walk(deferred_past_the_limit)
    clock = clock_of(j, "panel_recommendation")
    client.sign_in(j.cast.manager)
    stale = client.get(reason_page(j, clock)).page
    seen = j.case.version
    j.do(breaches.give_reason, j.case, clock, code="council_late", words=None, by=j.second_manager, seen=seen)

    refused = client.submit(stale, button="Keep the reason", code="dbs_late", words=WORDS)

    assert refused.status_code == 422
    assert "changed while you were looking" in refused.page.errors[0]
    assert "Council late" in refused.page.text
    assert refused.page.form(button="Correct the reason").fields["words"] == WORDS
    with pytest.raises(CaseHasMovedOn):
        why(j, clock, seen=seen)
    j.look_again()
    assert [row.code for row in db.session.scalars(sa.select(BreachReason))] == ["council_late"]


def test_the_database_holds_one_reason_in_force_and_words_for_another(journey):
    j = journey.walk(deferred_past_the_limit)
    clock = clock_of(j, "panel_recommendation")
    why(j, clock)
    for code, words in (("dbs_late", "Two"), ("other", None)):
        row = BreachReason(deadline_id=clock.id, code=code, given_at=now_utc(), given_by_id=j.cast.manager.id)
        row.words = words
        row.replaced_at = now_utc() if code == "other" else None
        with pytest.raises(sa.exc.IntegrityError), transaction():
            db.session.add(row)


def test_a_clock_that_was_kept_or_is_not_ours_has_no_reason(journey, client):
    j = journey.walk(deferred_past_the_limit)
    client.sign_in(j.cast.manager)
    for rule, words in (("stage_one_decision", "was not missed"), ("observations", "not ours to keep")):
        clock = clock_of(j, rule)
        assert words in client.get(reason_page(j, clock)).page.text
        with pytest.raises(breaches.ClockNotMissed, match=words):
            why(j, clock)
    missing = f"/cases/{j.case.reference}/clocks/999999/reason"
    assert client.get(missing).status_code == 404


def test_a_clock_of_another_household_is_not_found_through_this_one(journey, client):
    j = journey.walk(deferred_past_the_limit)
    clock, first = clock_of(j, "panel_recommendation"), j.case
    j.invited(NewPerson(given_name="Ada", family_name="Lark"))
    client.sign_in(j.cast.manager)
    assert client.get(reason_page(j, clock)).status_code == 404
    with pytest.raises(breaches.NoSuchClock):
        why(j, clock)
    j.case = db.session.get(Case, first.id)
    assert client.get(reason_page(j, clock)).status_code == 200


def test_nobody_but_a_manager_gives_a_reason_or_sees_the_caseload(journey, client):
    j = journey.walk(deferred_past_the_limit)
    clock = clock_of(j, "panel_recommendation")
    for member in j.cast.staff.values():
        if member.key == "manager":
            continue
        client.sign_in(member)
        for path in ("/caseload", "/caseload/missed", reason_page(j, clock)):
            assert client.get(path).status_code == 403, (member.key, path)
        with pytest.raises(NotPermitted):
            j.do(breaches.give_reason, j.case, clock, code="dbs_late", words=None, by=member)
        with pytest.raises(NotPermitted):
            j.do(file_of_missed, first_on=j.today, last_on=j.today, by=member, rulebook=False)


# --- Limits in danger -------------------------------------------------------------------------------------------------


def test_a_limit_shows_when_the_forecast_says_that_it_will_be_missed_and_when_its_week_comes(journey):
    j = journey.walk(to_assessment)
    assert ahead(j) == []
    j.meeting("2026-10-28")
    j.on("2026-08-20")  # Stage 2 has not begun: four months more would end after 2 November
    (row,) = ahead(j)
    assert row.reference == j.case.reference
    assert (row.what, row.due_on, row.state) == ("Panel's recommendation", date(2026, 11, 2), "due")
    assert "No meeting is planned in time." in row.note
    assert "Last meeting inside it: Wed 28 October, papers by Wed 21 October." in row.note
    assert row.waits_for.startswith("Our assessor: ")
    assert row.who == j.cast.officer.name
    assert row.clock_id is None  # not missed yet, so there is no reason to give

    j.on("2026-11-04")
    (over,) = ahead(j)
    assert (over.state, over.words) == ("over", "2 working days over")
    assert over.clock_id == clock_of(j, "panel_recommendation").id


def test_a_meeting_after_the_limit_is_named_and_one_inside_it_is_no_danger(journey):
    j = journey.walk(deferred_to_a_meeting_after)
    (row,) = [row for row in ahead(j) if row.what == "Panel's recommendation"]
    assert "Panel on Wed 13 January, 24 days after the limit." in row.note


def deferred_to_a_meeting_after(j: Journey) -> None:
    j.on("2026-04-20").in_assessment().obtain_all().passed()
    j.on("2026-11-02").stage_two().report().shared().observed().ready()
    j.listed(j.meeting("2027-01-13"), late_reason="The panel was full.")


def test_what_ends_this_week_shows_soonest_first_and_next_week_does_not(journey):
    j = journey.walk(to_assessment)
    j.obtain_all()  # on Monday 2 March 2026: the Stage 1 decision is due on Monday 16 March
    j.on("2026-03-13")  # a Friday looks at the next week
    assert [row.what for row in ahead(j)] == ["Stage 1 decision"]
    j.on("2026-03-12")
    assert ahead(j) == []
    j.on("2026-03-18")
    (row,) = ahead(j)
    assert (row.state, row.waits_for) == ("over", "A manager: The Stage 1 decision")


def test_a_notice_that_is_late_after_the_decision_is_there_as_well(journey):
    j = journey.on("2026-03-02").with_decision_maker()
    j.decided()
    j.on(j.today + timedelta(days=10))
    found = ahead(j)
    assert {row.what for row in found} == {"Tell the household the decision", "Written notice of the decision"}
    assert {row.reference for row in found} == {j.case.reference}


# --- What stands still ------------------------------------------------------------------------------------------------


def test_what_stands_still_says_for_whom_since_when_and_for_how_many_days(journey):
    j = journey.walk(to_assessment)
    j.obtain_all(but=("dbs", "health_report"))
    j.on("2026-03-10")
    dbs = j.check("dbs", "Sam")
    j.do(checks.ask_for_check, j.case, dbs, by=j.cast.officer, requested_on=date(2026, 3, 10))
    j.on("2026-03-30")
    (row,) = still(j).rows
    assert (row.on, row.what) == ("DBS", "Sam: enhanced DBS, children’s list")
    assert (row.since, row.days) == (date(2026, 3, 10), 28)
    assert row.ids == {"check_id": dbs.id}
    assert still(j).counts == ((OnWhom.DBS, 1),)
    assert still(j, on=OnWhom.MEDICAL).count == 0
    assert still(j, who_id=j.cast.manager.id).count == 0

    j.obtain(dbs)
    (row,) = still(j).rows
    assert (row.on, row.days) == ("Our assessor", 0)


def test_a_report_waits_for_its_manager_once_it_is_written_and_rests_on_something(journey):
    """As countersigning asks for it: nobody is told that it is their turn before it is."""
    j = journey.walk(to_assessment).obtain_all().passed().stage_two()

    def turn():
        found = open_applications(today=j.today, rulebook=j.rulebook)
        return next(one.waiting.on for one in found.rows if one.case_id == j.case.id)

    sections = dict.fromkeys(REPORT_SECTIONS, "As it is.")
    assert turn() == OnWhom.ASSESSOR
    j.do(stage_two.save_report, j.case, by=j.cast.officer, kind="full", sections=sections, terms=Terms())
    assert turn() == OnWhom.ASSESSOR
    j.evidence()
    assert turn() == OnWhom.MANAGER


def test_the_page_filters_by_links_and_leads_to_what_is_to_be_done(journey, client):
    j = journey.walk(to_assessment)
    j.obtain_all(but=("dbs",))
    dbs = j.check("dbs", "Sam")
    j.do(checks.ask_for_check, j.case, dbs, by=j.cast.officer, requested_on=j.today)
    client.sign_in(j.cast.manager)

    page = client.get("/caseload").page
    assert page.links["DBS 1"] == "/caseload?on=dbs#still"
    section = page.find("section", id="still")
    assert section.first("a", role="button").get("href") == f"/cases/{j.case.reference}/checks/{dbs.id}"
    theirs = client.get(page.links[j.cast.officer.name]).page
    assert f"Only {j.cast.officer.name}: show everybody" in theirs.text
    assert j.case.reference in theirs.find("section", id="still").text
    empty = client.get("/caseload?on=council").page
    assert "No open application waits here." in empty.text
    for odd in ("on=nobody", "who=x", "start=-1", "who=99999999999", "missed=all", "start=900"):
        assert client.get(f"/caseload?{odd}").status_code == 200


# --- Who has how much -------------------------------------------------------------------------------------------------


def test_each_officer_has_what_is_in_hand_counted_once(journey):
    j = journey.walk(to_assessment)
    first = j.case
    j.invited(NewPerson(given_name="Ada", family_name="Lark"))
    j.case = db.session.get(Case, first.id)
    j.stage_two(assessor=j.second_manager)
    j.look_again()
    found = open_applications(today=j.today, rulebook=j.rulebook)
    rows = {row.name: row for row in loads.officers(found, now=now_utc(), today=j.today)}
    officer, assessor = rows[j.cast.officer.name], rows[j.second_manager.name]
    assert (officer.enquiries, officer.stage_one, officer.stage_two) == (1, 0, 0)
    assert (assessor.enquiries, assessor.stage_one, assessor.stage_two) == (0, 0, 1)
    assert officer.over == 0
    assert officer.last_on is not None

    j.on("2026-03-20")  # the agreement to assess was given; the form of the other household is not due yet
    j.look_again()
    found = open_applications(today=date(2026, 12, 1), rulebook=j.rulebook)
    late = {row.name: row for row in loads.officers(found, now=now_utc(), today=date(2026, 12, 1))}
    assert late[j.cast.officer.name].over >= 2


def test_the_page_costs_the_same_for_one_household_and_for_many(journey, client, queries):
    j = journey.walk(to_assessment).stage_two(assessor=journey.second_manager)
    j.on("2026-12-10")
    client.sign_in(j.cast.manager)
    client.get("/caseload")
    with queries() as sent:
        client.get("/caseload")
    few = len(sent)
    j.on("2026-03-02")
    for number in range(6):
        j.in_assessment(NewPerson(given_name=f"Ada {number}", family_name="Lark"))
        j.stage_two(assessor=j.second_manager if number % 2 else j.cast.officer)
    j.on("2026-12-10")
    client.sign_in(j.cast.manager)
    client.get("/caseload")
    with queries() as sent:
        page = client.get("/caseload").page
    assert page.text.count("Lark") >= 6
    assert len(sent) <= few, [one[:80] for one in sent]
    assert few <= 30


# --- A file of them ---------------------------------------------------------------------------------------------------


def test_the_file_holds_codes_and_dates_and_no_word_about_anybody(journey, client):
    j = journey.walk(deferred_past_the_limit)
    clock = clock_of(j, "panel_recommendation")
    why(j, clock, "other", WORDS)
    client.sign_in(j.cast.manager)
    page = client.get("/caseload/missed").page
    form = page.form(button="Save as CSV")
    assert [form.fields[f"first_on-{part}"] for part in ("day", "month", "year")] == ["1", "4", "2026"]
    assert [form.fields[f"last_on-{part}"] for part in ("day", "month", "year")] == ["31", "3", "2027"]
    assert "Another reason" in page.text

    answer = client.submit(page, button="Save as CSV")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "missed-clocks-2026-04-01-2027-03-31.csv" in answer.headers["Content-Disposition"]
    header, *rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert header[0] == "Reference"
    mine = next(row for row in rows if row[1] == "panel_recommendation")
    assert mine == [
        j.case.reference, "panel_recommendation", "law or standard", "2026-04-20", "2026-12-20", "2027-01-13", "24",
        "other", "2027-01-13",
    ]  # fmt: skip
    for secret in (WORDS, "Priya", "Nair", "Whitlock", j.cast.manager.name):
        assert secret.encode() not in answer.data
    # Pressed again it is there again, and each time is in the trail.
    assert client.submit(page, button="Save as CSV").status_code == 200
    j.look_again()
    assert db.session.scalar(sa.select(sa.func.count()).where(AuditEntry.event == "breach.file_made")) == 2


def test_a_period_that_can_not_be_is_refused_and_stays_as_it_was_typed(journey, client):
    j = journey.walk(deferred_past_the_limit)
    client.sign_in(j.cast.manager)
    page = client.get("/caseload/missed").page
    turned = client.submit(page, button="Save as CSV", **{"last_on-year": "2025"})
    assert turned.status_code == 422
    assert turned.page.errors == ["The last day can’t be before the first."]
    assert turned.page.form(button="Save as CSV").fields["last_on-year"] == "2025"
    long = client.submit(page, button="Save as CSV", **{"first_on-year": "2011"})
    assert long.page.errors == ["Choose 5 years or fewer."]
    with pytest.raises(PeriodNotPossible):
        j.do(file_of_missed, first_on=j.today, last_on=date(2020, 1, 1), by=j.cast.manager, rulebook=False)


def test_the_year_before_is_a_link_away_and_what_is_outside_the_year_is_not_listed(journey, client):
    j = journey.walk(deferred_past_the_limit)
    client.sign_in(j.cast.manager)
    page = client.get("/caseload/missed").page
    assert j.case.reference in page.text
    assert j.case.reference not in client.get(page.links["2025 to 2026"]).page.text


def test_missed_clocks_are_found_whether_they_run_or_were_stopped_the_oldest_first(journey):
    j = journey.walk(to_assessment)
    j.obtain_all().on("2026-12-10")
    j.look_again()
    found = breaches.missed_clocks(STATUTORY_CLOCKS, today=j.today, limit=10)
    assert [(row.rule, row.stopped_on) for row in found] == [
        ("stage_one_decision", None), ("panel_recommendation", None)]  # fmt: skip
    why(j, clock_of(j, "stage_one_decision"), BreachCode.SERVICE_CAPACITY)
    j.look_again()
    left = breaches.missed_clocks(STATUTORY_CLOCKS, today=j.today, limit=10, without_reason=True)
    assert [row.rule for row in left] == ["panel_recommendation"]
    assert len(breaches.missed_clocks(STATUTORY_CLOCKS, today=j.today, limit=1)) == 1

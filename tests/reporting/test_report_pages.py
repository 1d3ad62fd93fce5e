"""Reports as people meet them: a page, the rows behind its numbers, files, kept reports and the letter of a morning."""

from __future__ import annotations

import csv
import io
import json
import threading
import zipfile
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from crm import policy
from crm.audit.models import AuditEntry
from crm.cases import journeys
from crm.cases.change_stage import change_stage
from crm.cases.models import Case, Household, Journey, JourneyCalendar
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.policy import changing
from crm.reporting import saved
from crm.reporting.models import KeptAnswer, Morning, SavedReport
from tests.case_factory import make_case, reach

NOW = "2026-07-14 14:00"
YEAR = "from=2026-04-01&to=2027-03-31&by=asked"


@pytest.fixture
def household(app, session, cast, freeze):
    """One household that was spoken to."""
    freeze("2026-07-01 10:00")
    with transaction():
        case = make_case(cast)
        reach(case, "contacted", cast, now=now_utc())
        reference, household_id = case.reference, case.household_id
    freeze(NOW)
    return reference, household_id


def take(client, format):
    """The report as a file, as the buttons of its page send for it."""
    form = client.get(f"/reports/journey?{YEAR}").page.form(button="CSV of this report")
    return client.post(form.action, data={**form.fields, "format": format})


def test_a_recruiter_and_a_manager_read_it_and_nobody_else(client, cast, household):
    for who, status in (("recruiter", 200), ("manager", 200), ("officer", 403), ("panel_member", 403)):
        client.sign_in(getattr(cast, who))
        assert client.get(f"/reports/journey?{YEAR}").status_code == status


def test_the_household_is_in_its_year_and_in_no_other(client, cast, household):
    client.sign_in(cast.manager)

    this_year = client.get(f"/reports/journey?{YEAR}").page
    last_year = client.get("/reports/journey?from=2025-04-01&to=2026-03-31&by=asked").page

    assert "0 approved of 1; 1 is still on the way" in this_year.text
    assert "0 approved of 0; 0 are still on the way" in last_year.text


def test_a_number_opens_the_household_for_whoever_may_and_only_counts_it_for_others(client, cast, household):
    reference, household_id = household
    with transaction():
        case = db.session.scalars(sa.select(Case).where(Case.reference == reference)).one()
        case.band, case.place = "application", "in_assessment"  # so that a recruiter has no part in it
    address = f"/reports/journey/rows/got.spoken?{YEAR}"

    client.sign_in(cast.manager)
    seen = client.get(address).page.text
    client.sign_in(cast.recruiter)
    with transaction():
        db.session.execute(sa.text("UPDATE case_assignment SET until_on = '2026-07-02'"))
        db.session.execute(sa.text("UPDATE case_file SET owner_id = :who"), {"who": cast.manager.id})
    hidden = client.get(address).page.text

    assert reference in seen
    assert "Osei" in seen
    assert reference not in hidden
    assert "Osei" not in hidden
    assert "A household you have no part in" in hidden


def test_what_was_counted_is_given_again_until_something_moves(client, cast, household, queries):
    client.sign_in(cast.manager)
    address = f"/reports/journey?{YEAR}"
    client.get(address)
    with queries() as sent:
        client.get(address)
    again = len([one for one in sent if "FROM journey" in one])
    reference, _ = household
    with transaction():
        case = db.session.scalars(sa.select(Case).where(Case.reference == reference)).one()
        reach(case, "closed", cast, now=now_utc())

    after = client.get(address).page

    assert again == 0
    assert "0 approved of 1; 0 are still on the way" in after.text


def test_an_answer_is_not_given_again_after_ten_minutes(client, cast, household, freeze, session):
    client.sign_in(cast.manager)
    client.get(f"/reports/journey?{YEAR}")
    before = session.scalar(sa.select(KeptAnswer.counted_at))
    session.rollback()

    freeze("2026-07-14 14:11")
    client.get(f"/reports/journey?{YEAR}")

    assert session.scalar(sa.select(KeptAnswer.counted_at)) > before


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("from=yesterday", 422, "We can’t read the first day"),
        ("from=2026-05-01&to=2026-04-01", 422, "The last day comes before the first"),
        ("from=1999-01-01", 422, "Choose days from 1 April 2011"),
        ("area=Atlantis", 404, "no area of that name"),
    ],
)
def test_a_question_that_can_t_be_answered_says_what_to_change(client, cast, household, query, status, words):
    client.sign_in(cast.manager)

    answer = client.get(f"/reports/journey?{query}")

    assert answer.status_code == status
    assert words in answer.page.text


def test_a_csv_holds_numbers_and_what_they_are_and_names_nobody(client, cast, household, session):
    client.sign_in(cast.manager)

    answer = take(client, "csv")

    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    spoken = next(row for row in rows if (row["Row"], row["Figure"]) == ("Spoken to", "Got here"))
    assert spoken["Value"] == "1"
    assert spoken["What it is"] == "Households that reached the place or one after it"
    assert list(rows[0]) == ["Table", "Row", "Figure", "Value", "In words", "What it is"]
    assert b"Osei" not in answer.data
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.event == "report.taken")).one()
    assert entry.detail["figures"] == len(rows)


def test_a_workbook_holds_nothing_but_its_cells(client, cast, household):
    client.sign_in(cast.manager)

    answer = take(client, "xlsx")

    parts = zipfile.ZipFile(io.BytesIO(answer.data))
    everything = b"".join(parts.read(name) for name in parts.namelist())
    for forbidden in (b"<f>", b"definedName>", b"externalLink", b"hidden=", b"comments", b"pivotCache", b"Osei"):
        assert forbidden not in everything


def test_another_system_reads_the_same_numbers(client, cast, household, app):
    client.sign_in(cast.manager)
    shown = json.loads(take(client, "json").data)

    spoken = next(line for line in shown["tables"][0]["lines"] if line["key"] == "spoken")

    assert spoken["figures"]["got"] == 1
    assert (shown["from"], shown["to"], shown["by"]) == ("2026-04-01", "2027-03-31", "asked")


def test_a_file_of_another_sort_is_refused(client, cast, household):
    client.sign_in(cast.manager)

    assert take(client, "exe").status_code == 422


# --- Kept ------------------------------------------------------------------------------------------------------------


def keep(member, *, morning=Morning.MONDAYS, name="My year"):
    with transaction():
        return saved.keep_report(
            name=name, report="journey", query="by=asked", morning=morning, actor=member.actor, now=now_utc(),
            today=date(2026, 7, 8),
        ).id  # fmt: skip


def letters(session):
    session.rollback()
    with transaction():
        saved.tell_mornings(now_utc())
    return session.scalars(sa.select(OutboundMessage).where(OutboundMessage.kind == "report_ready")).all()


def test_a_kept_report_opens_with_its_question(client, cast, household):
    client.sign_in(cast.recruiter)
    page = client.get("/reports/journey/keep?from=2026-04-01&to=2026-06-30&by=activity").page
    client.submit(page, button="Keep this report", name="A quarter", days="these", morning="never")

    kept = db.session.scalars(sa.select(SavedReport)).one()

    assert (kept.name, kept.query) == ("A quarter", "from=2026-04-01&to=2026-06-30&by=activity")
    assert client.get(f"/reports/saved/{kept.id}").location.endswith(kept.query)


def test_on_a_monday_morning_a_link_goes_once_and_says_nothing_else(session, cast, household, freeze):
    saved_id = keep(cast.recruiter, name="Osei of Bromley")

    freeze("2026-07-13 06:55")
    too_early = letters(session)
    freeze("2026-07-13 07:05")
    first, again = letters(session), letters(session)

    assert too_early == []
    assert [letter.user_id for letter in first] == [cast.recruiter.id]
    assert len(again) == 1
    body = (first[0].payload or b"").decode()
    assert f"/reports/saved/{saved_id}" in body
    assert "Osei" not in body


def test_a_monday_that_is_a_holiday_is_told_on_tuesday(session, cast, household, freeze):
    keep(cast.recruiter)

    freeze("2026-08-31 09:00")  # the summer bank holiday
    on_holiday = letters(session)
    freeze("2026-09-01 09:00")

    assert on_holiday == []
    assert len(letters(session)) == 1


def test_the_first_working_day_of_a_month(session, cast, household, freeze):
    keep(cast.recruiter, morning=Morning.MONTHS)

    freeze("2026-08-01 09:00")  # a Saturday
    on_saturday = letters(session)
    freeze("2026-08-03 09:00")

    assert on_saturday == []
    assert len(letters(session)) == 1


def test_whoever_may_not_read_the_report_any_more_hears_nothing(session, cast, household, freeze):
    keep(cast.recruiter)
    with transaction():
        db.session.execute(sa.text("DELETE FROM staff_role WHERE user_id = :who"), {"who": cast.recruiter.id})

    freeze("2026-07-13 09:00")

    assert letters(session) == []


def test_somebody_else_s_kept_report_is_not_there(client, cast, household):
    saved_id = keep(cast.recruiter)
    client.sign_in(cast.manager)

    assert client.get(f"/reports/saved/{saved_id}").status_code == 404


# --- What is kept beside the cases -----------------------------------------------------------------------------------


def test_a_holiday_that_is_proclaimed_later_changes_the_waits_of_everybody(session, cast, household, freeze):
    """Waits are counted when a case moves. A holiday that is put in afterwards, for a day that is over, is seen to."""
    _, household_id = household
    with transaction():
        journeys.count_by(policy.rulebook_on(date(2026, 7, 14)).calendar, today=date(2026, 7, 14))
        journeys.count_by(policy.rulebook_on(date(2026, 7, 14)).calendar, today=date(2026, 7, 14))
        session.execute(sa.update(Journey).values(spoken_on=date(2026, 7, 3), spoken_after=2))
    calendar = policy.rulebook_on(date(2026, 7, 14)).calendar
    is_right_before = journeys.is_counted_by(calendar, today=date(2026, 7, 14))
    with transaction():
        changing.add_one_off_holiday(
            day=date(2026, 12, 1), name="A day of mourning", actor=cast.administrator.actor, now=now_utc()
        )  # fmt: skip
    calendar = policy.rulebook_on(date(2026, 7, 14)).calendar
    session.rollback()

    with transaction():
        counted = journeys.count_by(calendar, today=date(2026, 7, 14))
        journeys.count_by(calendar, today=date(2026, 7, 14))

    assert is_right_before
    assert counted == 1
    assert journeys.is_counted_by(calendar, today=date(2026, 7, 14))
    assert journeys.drift(calendar=calendar) == []
    assert session.scalars(sa.select(JourneyCalendar.counted_to)).all() == [None]


def test_what_does_not_agree_is_reported_and_not_mended(session, cast, household):
    _, household_id = household
    calendar = policy.rulebook_on(date(2026, 7, 14)).calendar
    with transaction():
        session.execute(sa.update(Journey).values(visited_on=date(2026, 7, 2)))

    found = journeys.drift(calendar=calendar)

    assert len(found) == 1
    assert f"household {household_id}" in found[0]
    assert "visited_on" in found[0]
    assert session.scalar(sa.select(Journey.visited_on)) == date(2026, 7, 2)


def test_households_of_a_release_that_kept_no_progress_are_counted(session, cast, household):
    calendar = policy.rulebook_on(date(2026, 7, 14)).calendar
    with transaction():
        session.execute(sa.delete(Journey))

    with transaction():
        written = journeys.fill_missing(calendar=calendar)

    assert written == 1
    assert journeys.drift(calendar=calendar) == []


def test_a_household_that_moves_is_counted_where_it_lives_now(session, cast, household):
    from crm.cases.people import change_address

    reference, household_id = household
    with transaction():
        case = session.scalars(sa.select(Case).where(Case.reference == reference)).one()
        change_address(case, address="2 Long Lane", postcode="SE6 4KO", actor=cast.recruiter.actor, now=now_utc())

    assert session.scalar(sa.select(Journey.district).where(Journey.household_id == household_id)) == "SE6"
    assert session.get(Household, household_id) is not None


def test_the_first_day_of_the_year_is_the_first_of_april(client, cast, household, freeze):
    """A household that asked at half past midnight on 1 April, London, asked in the new year of the return."""
    asked = datetime(2026, 3, 31, 23, 30, tzinfo=ZoneInfo("UTC"))
    with transaction():
        make_case(cast, received_at=asked, now=now_utc())
    client.sign_in(cast.manager)

    assert "of 2;" in client.get(f"/reports/journey?{YEAR}").page.text
    assert "of 0;" in client.get("/reports/journey?from=2025-04-01&to=2026-03-31&by=asked").page.text


def test_the_command_lists_what_there_is():
    from crm.cli import main

    said = CliRunner().invoke(main, ["report", "list"])

    assert said.exit_code == 0
    assert "journey" in said.output


def test_two_cases_of_one_household_that_move_at_once_are_both_counted(app, session, cast, freeze):
    """Whoever comes second reads what the first wrote, instead of writing over it what was known before."""
    freeze(NOW)
    today = date(2026, 7, 14)
    rulebook = policy.rulebook_on(today)
    with transaction():
        first, other = make_case(cast), make_case(cast)
        session.execute(sa.delete(Journey).where(Journey.household_id == other.household_id))
        other.household_id = first.household_id
        first_id, other_id = first.id, other.id

    def speak(case_id, on):
        change_stage(
            db.session.get_one(Case, case_id), "record_contact", actor=cast.manager.actor, now=now_utc(), today=today,
            rulebook=rulebook, effective_on=on, send_letters=False,
        )  # fmt: skip

    def second():
        with app.app_context(), transaction():
            speak(other_id, today)

    racer = threading.Thread(target=second)
    with transaction():
        speak(first_id, date(2026, 7, 10))
        racer.start()
        racer.join(0.7)  # time to come as far as it can
    racer.join(20)

    assert journeys.drift(calendar=rulebook.calendar) == []
    assert session.scalar(sa.select(Journey.spoken_on)) == date(2026, 7, 10)

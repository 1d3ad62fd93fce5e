"""The sign-up sheet that came back from a stall: every line is understood, refused with a reason, or loaded once."""

from __future__ import annotations

import csv
import io
from datetime import date

import openpyxl
import pytest
from sqlalchemy import func, select

from crm import policy
from crm.cases.consents import consents_in_force
from crm.cases.models import Case, Deadline, Enquiry, Fact, Person
from crm.cases.open_case import NewPerson
from crm.db import transaction
from crm.delivery.models import OutboundMessage
from crm.events import columns, door, sheet_command, sheet_import, sheet_loading, sheet_queries
from crm.events.sheet_models import SheetLine
from crm.events.sheets import SheetNotRead, look_into
from crm.rules.refusal import Refusal
from tests.events.conftest import at

NOW = at("2026-05-17 20:00")
TODAY = date(2026, 5, 17)


def look(cast, content, event, filename="sheet.csv"):
    """The dry run of a sheet: its upload, with every line checked. Inside a transaction."""
    return sheet_import.keep_upload(
        event, content=content, filename=filename, actor=cast.recruiter.actor, now=NOW, today=TODAY
    )


def load(cast, content, event, *, letters=True):
    upload = look(cast, content, event)
    sheet_loading.load_now_or_later(upload, sends_letters=letters, actor=cast.recruiter.actor, now=NOW, today=TODAY)
    return upload


def mend_file(upload):
    return list(csv.reader(io.StringIO(b"".join(sheet_queries.mend_file(upload)).decode("utf-8-sig"))))


def lines(upload, show="all"):
    return sheet_queries.lines_page(upload, show=show, limit=500)[0]


def notes(upload):
    return {line.number: " ".join(line.notes) for line in lines(upload)}


def only(sample, *numbers):
    """The sheet with its title, its header and these of its lines, as they are numbered in the file."""
    lines = sample.decode("utf-8-sig").splitlines(keepends=True)
    return "".join([lines[0], lines[1], *(lines[number - 1] for number in numbers)]).encode()


def person(session, given):
    return session.scalars(select(Person).where(Person.given_name == given)).one()


UNLIKE_THE_REST = {
    4: "same_household",  # Sam and Priya, on Priya's number
    8: "refused",  # Jo, who left nothing to reach her by
    14: "look",  # Fatima, on Ahmed's number and email: a couple, or two strangers?
    17: "repeat",
    37: "look",  # three surnames seen before at the same postcode
    41: "look",
    44: "look",
}


def test_every_line_of_the_sample_is_accounted_for_with_its_verdict(session, cast, make_event, sample):
    with transaction():
        upload = look(cast, sample, make_event())

    assert {line.number: line.verdict for line in lines(upload)} == {
        number: UNLIKE_THE_REST.get(number, "new") for number in range(3, 60)
    }
    assert sheet_queries.foreseen(upload) == sheet_queries.Foreseen(opened=54, joined=1, left_out=0, undecided=4)
    assert session.scalar(select(func.count()).select_from(Case)) == 0


def test_loading_the_sample_makes_each_household_once_however_often_it_is_loaded(session, cast, make_event, sample):
    with transaction():
        event = make_event()
        first = load(cast, sample, event)
    with transaction():
        again = load(cast, sample, event)

    assert (first.loaded_count, first.joined_count, first.refused_count) == (54, 1, 1)
    assert (again.loaded_count, again.joined_count, again.refused_count) == (0, 0, 1)
    assert session.scalar(select(func.count()).select_from(Case)) == 54
    assert session.scalar(select(func.count()).select_from(Enquiry)) == 55
    assert len(mend_file(first)) == 2


def test_a_household_on_two_lines_is_one_case_with_both_adults(session, cast, make_event, sample):
    with transaction():
        load(cast, only(sample, 3, 4), make_event())

    priya = session.scalars(select(Person).where(Person.email_key == "priya.osei@example.org")).one()
    names = [one.full_name for one in priya.household.people]
    assert names == ["Priya Osei", "Sam Osei"]
    case = session.scalars(select(Case).where(Case.household_id == priya.household_id)).one()
    assert session.scalar(select(func.count()).select_from(Enquiry).where(Enquiry.case_id == case.id)) == 2


def test_consents_are_kept_for_each_person_on_each_channel_and_a_blank_is_no_answer(session, cast, make_event, sample):
    with transaction():
        load(cast, only(sample, 3, 4, 13), make_event())

    priya, sam, ahmed = (person(session, name) for name in ("Priya", "Sam", "Ahmed"))
    held = consents_in_force([priya.id, sam.id, ahmed.id])
    assert {channel: one.given for channel, one in held[priya.id].items()} == {
        "email": True,
        "text": True,
        "phone": True,
    }
    assert not held[sam.id]["email"].given
    assert held[sam.id]["text"].given
    assert set(held[ahmed.id]) == {"email", "phone"}


def test_the_clock_of_a_saturday_stall_ends_on_monday(session, cast, make_event, sample):
    with transaction():
        load(cast, only(sample, 3), make_event())

    due = session.scalars(select(Deadline.due_on).where(Deadline.rule == "first_contact").distinct()).all()
    assert due == [date(2026, 5, 18)]


def test_a_warning_on_the_sheet_becomes_a_rule_that_every_channel_obeys(session, cast, make_event, sample):
    with transaction():
        load(cast, only(sample, 15), make_event())

    carol = person(session, "Carol")
    assert carol.no_voicemail
    assert carol.contact_times is None
    assert carol.safe_contact == "DO NOT LEAVE VOICEMAIL; husband must not know yet"


def test_a_formula_is_kept_as_text_and_the_file_to_mend_disarms_it(session, cast, make_event, sample):
    with transaction():
        upload = look(cast, only(sample, 12), make_event())
        rows = mend_file(upload)
        sheet_loading.load_now_or_later(upload, sends_letters=False, actor=cast.recruiter.actor, now=NOW, today=TODAY)

    ann = session.scalars(select(Person).where(Person.email_key == "ann@example.org")).one()
    assert ann.given_name == '=HYPERLINK("http://x.test","Ann")'
    assert rows[0][:3] == ["Line", "Standing", "Why"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert any(cell.startswith("'=HYPERLINK") for row in rows for cell in row)


def test_a_line_with_no_way_to_reach_anybody_is_refused_with_its_number_and_reason(session, cast, make_event, sample):
    with transaction():
        refused = lines(look(cast, sample, make_event()), "refused")

    assert [(one.number, one.label) for one in refused] == [(8, "Jo")]
    assert refused[0].notes == ("There is no way to reach them: no phone number and no email address.",)


TO_LOOK_AT = [
    (5, "Two people on one line"),
    (9, "The postcode stops at SE18"),
    (10, "This number has 10 digits"),
    (10, "is not an email address that works"),
    (11, "Under 21"),
    (11, "is not a postcode"),
    (13, "outside our area"),
    (14, "a couple, or two strangers?"),
    (15, "Safe contact"),
    (16, "this is a transfer"),
    (17, "Word for word the same as line 16"),
    (33, "They said no to every way"),
]


def test_what_a_person_should_look_at_is_said(session, cast, make_event, sample):
    with transaction():
        said = notes(look(cast, sample, make_event()))

    assert [(line, words) for line, words in TO_LOOK_AT if words not in said[line]] == []


def test_what_the_sheet_knows_is_asked_once(session, cast, make_event, sample):
    with transaction():
        load(cast, only(sample, 6, 16), make_event())

    grace = person(session, "Grace")
    case = session.scalars(select(Case).where(Case.household_id == grace.household_id)).one()
    facts = {fact.key: fact.value for fact in session.scalars(select(Fact).where(Fact.case_id == case.id))}
    assert facts["current_approval"].startswith("Yes: currently with another agency")
    delroy = person(session, "Delroy")
    room = session.scalars(
        select(Fact)
        .join(Case, Case.id == Fact.case_id)
        .where(Case.household_id == delroy.household_id, Fact.key == "spare_room")
    ).one()
    assert (room.value, room.source) == ("Not yet: son leaving Sept", "The Glades stall")


def test_nobody_who_said_no_to_email_is_written_to(session, cast, make_event, sample):
    with transaction():
        load(cast, only(sample, 3, 20, 25), make_event())

    written_to = set(session.scalars(select(OutboundMessage.person_id)))
    assert written_to == {person(session, "Priya").id}
    assert person(session, "Noah").email
    assert person(session, "Orla").email


def test_a_workbook_reads_as_the_csv_does(session, cast, make_event, sample):
    book = openpyxl.Workbook()
    for row in csv.reader(io.StringIO(sample.decode("utf-8-sig"))):
        book.active.append(row)
    kept = io.BytesIO()
    book.save(kept)

    with transaction():
        event = make_event()
        from_csv, from_book = look(cast, sample, event), look(cast, kept.getvalue(), event)

    assert lines(from_book) == lines(from_csv)


def test_a_likeness_without_the_same_phone_or_email_is_left_to_a_person(session, cast, make_event, sample):
    lines = sample.decode("utf-8-sig").splitlines()
    mensahs = [at for at, line in enumerate(lines, start=1) if "Mensah" in line and "CR2 6HN" in line]
    with transaction():
        report = load(cast, only(sample, *mensahs), make_event())

    assert (report.loaded_count, report.joined_count) == (2, 0)
    assert "The same surname and postcode as line 3" in notes(report)[4]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   \n\n",
        b"PK\x03\x04 this is no workbook",
        b"\x00\x01\x02\x03" * 50,
        b"Name,Phone\n",
        "\ufeff".encode("utf-16") + b"\xff",
    ],
)
def test_what_is_no_sheet_is_refused_with_what_to_do(content):
    with pytest.raises(SheetNotRead) as refusal:
        look_into(content)

    assert refusal.value.status == 422
    assert len(refusal.value.message) > 20


def test_columns_without_a_way_to_reach_people_are_refused():
    with pytest.raises(Refusal, match="phone number or the email"):
        columns.check_columns({"name": 0}, width=3)


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_command_goes_the_same_way_and_reports(session, cast, make_event, sample, tmp_path, dry_run):
    with transaction():
        event_id = make_event().id
    file = tmp_path / "mend.csv"

    result = sheet_command.import_file(
        only(sample, 3, 4, 8), filename="sheet.csv", event_id=event_id, dry_run=dry_run, clock=lambda: NOW, errors=file
    )

    done = "Would load" if dry_run else "Loaded"
    assert result.said[-1].startswith(f"{done} 2 lines: 1 new household, 1 joined")
    assert "Line 5: refused, Jo. There is no way to reach them: no phone number and no email address." in result.said
    assert result.refused == 1
    assert b"Jo" in file.read_bytes()
    assert session.scalar(select(func.count()).select_from(Case)) == (0 if dry_run else 1)
    assert session.scalar(select(func.count()).select_from(SheetLine)) == (0 if dry_run else 3)


def test_what_was_logged_at_the_event_is_counted_beside_what_came_on_the_sheet(
    session, client, cast, make_event, sample, freeze
):
    freeze(NOW)
    with transaction():
        event = make_event()
        load(cast, sample, event)
        for number in range(2):
            door.log_enquirer(
                event,
                people=[NewPerson(given_name=f"Walker{number}", phone=f"01632 96080{number}")],
                actor=cast.recruiter.actor, now=NOW, today=TODAY, rulebook=policy.rulebook_on(TODAY),
                one_time_id=f"door:{number}" if number else None,
            )  # fmt: skip
        event_id = event.id
    on_sheet = session.scalar(
        select(func.count(func.distinct(Enquiry.case_id))).where(Enquiry.one_time_id.startswith("sheet:"))
    )
    assert on_sheet > 5
    session.rollback()

    client.sign_in(cast.recruiter)
    page = client.get(f"/events/{event_id}").page

    assert f"2 logged at the event {on_sheet} on a sign-up sheet" in page.find("ul", class_="ds-sum").text
    logged = client.get(page.links["2 logged at the event"].removesuffix("#follow-up")).page
    rows = [row.first("th").text for row in logged.find("section", id="follow-up").first("tbody").all("tr")]
    assert len(rows) == 2
    assert all(row.startswith("Walker") for row in rows)
    sheet = client.get(f"/events/{event_id}?show=sheet").page
    assert "Walker" not in sheet.find("section", id="follow-up").text


def test_whom_a_line_joins_is_named_and_a_stranger_with_the_same_number_is_a_question(
    session, cast, make_event, sample
):
    with transaction():
        event = make_event()
        for given, family, number in (("Priya", "Vale", "07700 900118"), ("Esme", "Vale", "07700 900231")):
            door.log_enquirer(
                event, people=[NewPerson(given_name=given, family_name=family, phone=number)],
                actor=cast.recruiter.actor, now=NOW, today=TODAY, rulebook=policy.rulebook_on(TODAY),
               
            )  # fmt: skip
        upload = look(cast, sample, event)

    by_number = {line.number: line for line in lines(upload)}
    assert by_number[3].verdict == "same_person"
    assert "The same phone or email as Priya Vale, KF-" in by_number[3].notes[-1]
    assert by_number[6].verdict == "look"
    assert "The same phone or email as Esme Vale, KF-" in by_number[6].notes[-1]
    assert "but another name" in by_number[6].notes[-1]
    assert by_number[6].match.startswith("Esme Vale, KF-")


def test_the_notes_of_every_line_of_a_household_can_be_read(client, session, cast, make_event, sample, freeze):
    freeze(NOW)
    with transaction():
        event = make_event()
        load(cast, only(sample, 3, 4), event)
    reference = session.scalars(select(Case.reference)).one()
    session.rollback()
    client.sign_in(cast.recruiter)

    told = client.get(f"/cases/{reference}").page.find("section", id="timeline").text

    assert "2 teens at home, works NHS" in told
    assert "partner of Priya - came back at 3pm" in told

"""Sheets as they really come back: nothing that matters is lost, and what can't be read is said."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from crm.events import columns as columns_
from crm.events.sheets import Head, SheetNotRead, lines_of, look_into
from crm.events.sign_ups import SignUp, read_line, why_passed_over

WORSE = Path(__file__).parent.parent / "samples" / "worse"
TODAY = date(2026, 5, 17)


def read(content: bytes | str) -> tuple[Head, list[SignUp], dict[int, str]]:
    """The head of a sheet, what its lines say, and why some are nobody."""
    content = (WORSE / content).read_bytes() if isinstance(content, str) else content
    head = look_into(content)
    columns = dict(head.guessed)
    lines = list(lines_of(content, sheet_at=0, lines_from=head.lines_from))
    passed = {line.number: why for line in lines if (why := why_passed_over(line, head.headings, columns))}
    said = [
        read_line(line, columns, event_id=1, wording_version="1", our_districts=frozenset(), today=TODAY)
        for line in lines
        if line.number not in passed
    ]
    return head, said, passed


def named(said: list[SignUp]) -> list[str]:
    return [" + ".join(f"{p.given_name} {p.family_name or ''}".strip() for p in one.people) for one in said]


def book(*sheets: tuple[str, list[list[object]]]) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, rows in sheets:
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    kept = io.BytesIO()
    made.save(kept)
    return kept.getvalue()


@pytest.mark.parametrize(
    ("name", "people"),
    [
        ("semicolons-latin.csv", ["Zoë Adéyemi", "Noé Lefèvre"]),
        ("utf16.txt", ["Nguyễn Thị Mai", "Łukasz Nowak"]),
        ("excel-said-sep.csv", ["Amina Yusuf"]),
        ("two-line-headings.csv", ["Bola Ade"]),
        ("no-headings.csv", ["Precious Moyo", "Owen Pugh", "Hana Kim"]),
        ("foreign-headings.csv", ["Ewa Zielińska", "Jan Kowal"]),
        ("totals-and-headings-again.csv", ["Ife Bello", "Tom Shaw"]),
        (
            "several-in-a-cell.csv",
            ["Priya Rao + Dev Rao", "Kwame Osei + Adjoa Osei", "Ann Lee", "Tariq Aziz + Mrs Aziz"],
        ),
    ],
)
def test_whoever_is_on_the_sheet_is_found_with_a_way_to_reach_them(name, people):
    _, said, _ = read(name)

    assert named(said) == people
    assert all(one.people[0].phone for one in said)
    assert all(one.people[0].email for one in said)


def test_numbers_that_a_spreadsheet_ate_are_put_back_or_said_to_be_gone():
    _, said, _ = read("eaten-numbers.csv")

    assert {one.label: one.people[0].phone if one.people else one.refused for one in said} == {
        "Lost Nought": "07700900041",
        "Still Whole": "07700900042",
        "All Gone": (
            "The spreadsheet has eaten the phone number and there is no email address. "
            "Make the phone column text in the first sheet, or type the number in again."
        ),
        "Gone But Email": None,
        "Country Code": "+447700900043",
        "Two Numbers": "07700 900044",
        "Not A Number": None,
    }
    by_name = {one.label: one for one in said}
    assert "Other phone number: 01632 960044" in (by_name["Two Numbers"].said or "")
    assert "ask at desk" in (by_name["Not A Number"].said or "")
    assert "has eaten the end" in by_name["Gone But Email"].doubts[0]


def test_headings_of_two_lines_are_read_as_one():
    head, said, _ = read("two-line-headings.csv")

    assert dict(head.guessed) == {
        "name": 0, "phone": 1, "email": 2, "postcode": 3, "ok_email": 4, "ok_phone": 5, "notes": 6,
    }  # fmt: skip
    assert said[0].consents == {"email": True, "phone": False}


def test_a_total_and_the_headings_again_are_nobody():
    _, _, passed = read("totals-and-headings-again.csv")

    assert passed == {5: "The headings once more.", 7: "A total, not a person.", 8: "A total, not a person."}


def test_dates_of_birth_are_read_day_first_and_kept_with_the_notes_where_they_cannot_be():
    _, said, _ = read("dates-as-text.csv")

    assert [one.people[0].born_on for one in said] == [
        date(1985, 7, 14), date(2007, 2, 3), date(1985, 7, 14), date(1990, 12, 25), None,
    ]  # fmt: skip
    assert said[0].address == "1 High Street, Bromley"
    assert "Under 21" in said[1].doubts[0]
    assert "Date of birth as written: yesterday" in (said[4].said or "")


def test_a_warning_among_the_notes_is_obeyed_and_a_formula_is_only_text():
    _, said, _ = read("warnings-in-notes.csv")

    leila = said[0].people[0]
    assert leila.no_voicemail
    assert "must not know" in (leila.safe_contact or "")
    assert said[2].people[0].given_name.startswith("=cmd")
    assert "a formula" in said[2].doubts[0]


def test_a_workbook_is_read_from_the_sheet_that_is_chosen_with_its_numbers_and_dates():
    content = book(
        ("Read me", [["This is the sheet of our stall"], ["Please fill in"]]),
        ("People", [
            ["Stall", None, None],
            ["Name", "Phone", "Date of birth"],
            ["Ravi Menon", 7700900071.0, date(1990, 5, 17)],
            ["Sum", "=COUNTA(A3:A3)", None],
        ]),
    )  # fmt: skip

    head = look_into(content, sheet_at=1)
    lines = list(lines_of(content, sheet_at=1, lines_from=head.lines_from))

    assert head.sheet_names == ("Read me", "People")
    assert head.title == "Stall"
    assert lines[0].cells == ("Ravi Menon", "7700900071", "1990-05-17")
    assert why_passed_over(lines[1], head.headings, dict(head.guessed)) == "A total, not a person."


def test_a_person_may_say_which_line_the_headings_are_on_or_that_there_are_none():
    content = b"A list\nof people\nWho,Number\nAnn Lee,07700 900118\n"

    assert look_into(content, headings_at=3).headings == ("Who", "Number")
    assert look_into(content, headings_at=0).lines_from == 1


def test_an_old_workbook_and_a_bomb_are_refused_with_what_to_do():
    with pytest.raises(SheetNotRead, match="Save it as .xlsx"):
        look_into(b"\xd0\xcf\x11\xe0" + b"\0" * 600)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"phone": 1}, "holds the name"),
        ({"name": 0}, "phone number or the email"),
        ({"name": 0, "phone": 1, "notes": 1}, "can’t be the same column"),
    ],
)
def test_columns_that_no_row_can_be_made_of_are_refused(chosen, words):
    with pytest.raises(columns_.ColumnsNotRight, match=words):
        columns_.check_columns(chosen, width=3)

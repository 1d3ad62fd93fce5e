"""Every form refuses nonsense with words that say how to put it right, and keeps what was typed."""

from datetime import date

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from crm.web.forms import BaseForm, DateField, EmailField, Needed, PhoneField, TextField, TimeField
from tests.web.conftest import DeskForm

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
PAPER = flask.Flask("paper")  # a form alone needs a request and nothing else


@pytest.fixture
def fill():
    """``fill(name="Maya")``: the desk's form with these answers, validated."""

    def make(form_class=DeskForm, **values):
        pairs = [(key, one) for key, value in values.items() for one in (value if isinstance(value, list) else [value])]
        with PAPER.test_request_context(method="POST"):
            form = form_class(MultiDict([(key.replace("__", "-"), value) for key, value in pairs]))
            form.validate()
            return form

    return make


def test_text_loses_its_white_space_and_control_characters_and_nothing_else(fill):
    form = fill(name="  Ma\x00ya\u2028 O’Brien\x07-Ślusarczyk  \n")

    assert form.name.data == "Maya O’Brien-Ślusarczyk"
    assert form.name.errors == []


def test_nobody_can_turn_a_line_of_ours_round_and_a_name_of_any_script_stays_as_it_is(fill):
    assert fill(name="Maya \u202enosretteP\u2066 x\u2069").name.data == "Maya nosretteP x"
    for name in ("\u202bنور\u202c الدين", "נועה\u200f כהן", "Zoë\u200d Ŵ"):
        assert fill(name=name).name.data == name.replace("\u202b", "").replace("\u202c", "")


def test_an_empty_needed_answer_is_asked_for_in_its_own_words(fill):
    assert fill(name="   ").name.errors == ["Write the name"]
    assert fill().name.errors == ["Write the name"]


def test_what_is_too_long_is_said_with_both_numbers_and_kept(fill):
    form = fill(name="x" * 41, note="y" * 201)

    assert form.name.errors == ["Make this 40 characters or fewer; it has 41 now"]
    assert form.note.errors == ["Make this 200 characters or fewer; it has 201 now"]
    assert form.name._value() == "x" * 41


@pytest.mark.parametrize(
    ("parts", "expected", "lands_on", "message"),
    [
        (("14", "7", "2026"), date(2026, 7, 14), "on-day", None),
        ((" 14 ", "07", "2026"), date(2026, 7, 14), "on-day", None),
        (("14", "July", "2026"), date(2026, 7, 14), "on-day", None),
        (("", "", ""), None, "on-day", None),
        (("", "7", "2026"), None, "on-day", "Add the day to the date of birth"),
        (("14", "", ""), None, "on-month", "Add the month and the year to the date of birth"),
        (("32", "7", "2026"), None, "on-day", "Check the day of the date of birth: it is a number from 1 to 31"),
        (("31", "6", "2026"), None, "on-day", "Check the date of birth: that month does not have 31 days"),
        (("29", "2", "2025"), None, "on-day", "Check the date of birth: that month does not have 29 days"),
        (("14", "13", "2026"), None, "on-month", "Check the month of the date of birth: it is a number from 1 to 12"),
        (("14", "7", "26"), None, "on-year", "Write the year of the date of birth with 4 numbers, like 2026"),
        (("14", "7", "3026"), None, "on-year", "Check the year of the date of birth: it is from 1900 to 2200"),
        (("x", "y", "z"), None, "on-day", "Check the day of the date of birth: it is a number from 1 to 31"),
        (("１４", "7", "2026"), None, "on-day", "Check the day of the date of birth: it is a number from 1 to 31"),
        (("9" * 5000, "7", "2026"), None, "on-day", "Check the day of the date of birth: it is a number from 1 to 31"),
    ],
)
def test_dates_in_three_boxes(fill, parts, expected, lands_on, message):
    day, month, year = parts
    form = fill(name="Maya", on__day=day, on__month=month, on__year=year)

    assert form.on.data == expected
    assert form.on.errors == ([message] if message else [])
    assert form.on.focus_id == lands_on
    assert form.on.typed["day"] == day.strip()[:20]


@on_sqlite
@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"on": "nonsense"},
        {"on__day": ["1", "2", "3"]},
        {"on__day": "1"},
        {"on__day": ["1", "2"], "on__month": ["3"], "on__year": ["2026", "2027"], "on__hour": "5"},
    ],
)
def test_any_number_of_date_parts_is_an_answer_or_a_message(client, token, sent):
    data = MultiDict([("csrf_token", token(client)), ("name", "Maya")])
    for key, value in sent.items():
        data.setlist(key.replace("__", "-"), value if isinstance(value, list) else [value])

    assert client.post("/desk", data=data).status_code in (303, 422)


def test_one_whole_date_is_taken_too(fill):
    assert fill(name="Maya", on="2026-07-14").on.data == date(2026, 7, 14)


def test_a_time_that_can_not_be_read_is_kept_and_explained(fill):
    form = fill(name="Maya", at="half past")

    assert form.at.errors == ["Write the time like 2pm, 2:30pm or 14:30"]
    assert form.at._value() == "half past"


@pytest.mark.parametrize("address", ["maya@example.org", "m.o'brien+x@a-b.example.org", "maya@exämple.org", ""])
def test_addresses_that_mail_could_reach(fill, address):
    assert fill(name="Maya", email=address).email.errors == []


@pytest.mark.parametrize(
    "address",
    ["maya.example.org", "maya@", "@example.org", "a@b@c.org", "maya @example.org", "maya@example", "a@b..org"],
)
def test_addresses_that_nothing_could_reach(fill, address):
    form = fill(name="Maya", email=address)

    assert len(form.email.errors) == 1
    assert form.email.data == address


@pytest.mark.parametrize("number", ["07700 900123", "01632 960001", "+44 7700 900 123", "(01632) 960-001", ""])
def test_numbers_that_can_be_rung(fill, number):
    assert fill(name="Maya", phone=number).phone.errors == []


def test_a_number_that_is_too_short_is_counted(fill):
    form = fill(name="Maya", phone="07700 9")

    assert form.phone.errors == ["This number has 6 digits. UK numbers have 11, like 07700 900 123"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("number", "four", "Write this as a whole number, like 4"),
        ("number", "13", "Write a number from 1 to 12"),
        ("number", "9" * 5000, "Write this as a whole number, like 4"),
        ("sum", "lots", "Write this as a number, like 2.5"),
        ("sum", "NaN", "Write a smaller number"),
        ("sum", "1e999", "Write a smaller number"),
        ("kind", "z", "Choose one of the answers"),
        ("room", "maybe", "Choose one of the answers"),
    ],
)
def test_nonsense_in_numbers_and_choices(fill, field, value, message):
    form = fill(name="Maya", **{field: value})

    assert form[field].errors == [message]


@on_sqlite
def test_the_summary_lists_all_of_it_in_the_order_of_the_form_and_lands_in_the_boxes(client, token):
    data = {"csrf_token": token(client), "name": "", "email": "maya", "on-day": "1", "on-month": "", "on-year": "2000"}

    answer = client.post("/desk", data=data)
    links = [(link["href"], link.text) for link in answer.page.root.all("a") if link["href"].startswith("#")]

    assert answer.status_code == 422
    assert links[1:] == [
        ("#name", "Write the name"),
        ("#email", "An email address has an @ in it, like maya@example.org"),
        ("#on-month", "Add the month to the date of birth"),
    ]
    assert "Three things to put right" in answer.text
    assert 'value="maya"' in answer.text


EXTRA = ("role", "is_admin", "owner_id", "status", "decision", "created_at", "id", "roles", "email", "user_id")


def test_fields_that_the_form_does_not_have_are_ignored(client, cast, contents):
    """G15, for the account's own forms: everything but the password stays."""
    client.sign_in(cast.officer)
    page = client.get("/account").page
    data = page.form(button="Change my password").filled(
        current_password="kettle lantern puddle", password="seven brown teapots"
    )
    before = contents()

    answer = client.post("/account/password", data={**data, **dict.fromkeys(EXTRA, "1"), "active": "", "name": "Else"})

    changed = {table for table, digest in contents().items() if before[table] != digest}
    assert answer.status_code == 303
    assert changed <= {"staff_user", "rate_window"}
    assert "Nadia Rahman, officer@example.org" in client.get("/account").page.text


class Smallest(BaseForm):
    name = TextField("Name", [Needed("Write it")])
    email = EmailField("Email")
    phone = PhoneField("Phone")
    on = DateField("On")
    at = TimeField("At")


TEXT = st.text(max_size=40)


TYPED = ("name", "email", "phone", "on", "on-day", "on-month", "on-year", "at", "seen", "one_time_id")


@given(values=st.fixed_dictionaries({}, optional=dict.fromkeys(TYPED, TEXT)))
def test_no_text_at_all_breaks_a_form(values):
    with PAPER.test_request_context(method="POST"):
        form = Smallest(MultiDict(values))
        form.validate()

        assert all(isinstance(message, str) for _, message in form.problems)
        assert "\x00" not in (form.name.data or "")

"""How dates, times, numbers and names are said and read."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from flask import render_template_string
from markupsafe import Markup

from crm.web import filters
from crm.web.forms import read_time, tidy
from crm.web.pages import escaped, safe_path

JULY_NIGHT = datetime(2026, 7, 14, 23, 30, tzinfo=UTC)  # half past midnight on the 15th in London


def test_days_are_said_as_people_say_them():
    on = date(2026, 7, 14)

    assert filters.day(on) == "Tuesday 14 July"
    assert filters.day_short(on) == "Tue 14 July"
    assert filters.day_year(on) == "Tuesday 14 July 2026"
    assert filters.date_only(on) == "14 July 2026"


def test_instants_are_said_on_a_london_clock():
    assert filters.day(JULY_NIGHT) == "Wednesday 15 July"
    assert filters.clock_time(JULY_NIGHT) == "12:30am"
    assert filters.moment(JULY_NIGHT) == "Wednesday 15 July, 12:30am"
    assert filters.clock_time(datetime(2026, 12, 1, 14, 0, tzinfo=UTC)) == "2pm"


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (datetime(2026, 7, 15, 8, 59, 30, tzinfo=UTC), "just now"),
        (datetime(2026, 7, 15, 8, 59, tzinfo=UTC), "1 minute ago"),
        (datetime(2026, 7, 15, 8, 15, tzinfo=UTC), "45 minutes ago"),
        (datetime(2026, 7, 15, 6, 0, tzinfo=UTC), "today, 7am"),
        (JULY_NIGHT, "today, 12:30am"),
        (datetime(2026, 7, 14, 22, 30, tzinfo=UTC), "yesterday, 11:30pm"),
        (datetime(2026, 7, 7, 14, 12, tzinfo=UTC), "Tuesday 7 July, 3:12pm"),
        (datetime(2025, 7, 7, 14, 12, tzinfo=UTC), "7 July 2025"),
    ],
)
def test_how_long_ago(at, said):
    assert filters.ago(at, datetime(2026, 7, 15, 9, 0, 20, tzinfo=UTC)) == said


def test_numbers_names_and_lengths():
    assert filters.money(Decimal("1234.5")) == "£1,234.50"
    assert filters.money(1234) == "£1,234"
    assert filters.phone("+447700900123") == "07700 900 123"
    assert filters.phone("020 7946 0999") == "020 7946 0999"
    assert filters.phone("ask at the desk") == "ask at the desk"
    assert filters.initials("Priya Nair-Whitlock") == "PW"
    assert filters.many(1, "visit") == "1 visit"
    assert filters.many(2, "enquiry", "enquiries") == "2 enquiries"
    assert filters.in_words(3) == "three"
    assert filters.names(["Maya", "Daniel", "Jordan"]) == "Maya, Daniel and Jordan"
    assert filters.length(90) == "1 hour 30"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2pm", time(14)),
        ("2:30pm", time(14, 30)),
        ("2.30 pm", time(14, 30)),
        ("14:30", time(14, 30)),
        ("9am", time(9)),
        ("12am", time(0)),
        ("12pm", time(12)),
        ("noon", time(12)),
        ("9.15 a.m.", time(9, 15)),
        ("13pm", None),
        ("25:00", None),
        ("2:75pm", None),
        ("soon", None),
        ("", None),
    ],
)
def test_times_as_people_write_them(text, expected):
    assert read_time(text) == expected


def test_tidy_leaves_what_is_not_text_alone():
    assert tidy(None) is None
    assert tidy(" a\r\nb ") == "a\nb"


@pytest.mark.parametrize("path", ["/my-day", "/cases/KF-7Q3M9X?tab=visits", "/"])
def test_a_path_of_ours_may_be_gone_on_to(path):
    assert safe_path(path, "/otherwise") == path


@pytest.mark.parametrize(
    "address",
    ["", None, "//evil.example.com", "https://evil.example.com", "/\\evil.example.com", "javascript:alert(1)",
     "/\tevil", "/a\r\nSet-Cookie: x", "evil", "/" + "x" * 3000],
)  # fmt: skip
def test_no_other_address_is(address):
    assert safe_path(address, "/otherwise") == "/otherwise"


class SaysIsStr(str):
    """Text of another make, as libraries hand it over."""


def test_nothing_typed_is_ever_drawn_as_markup(app):
    hostile = "<script>'\"&</script>"
    safe = "&lt;script&gt;&#39;&#34;&amp;&lt;/script&gt;"
    template = (
        "{% macro inside(x) %}<b>{{ x }}</b>{% endmacro %}{% set kept %}{{ x }}{% endset %}"
        "{{ x }}|{{ y }}|{{ inside(x) }}|{{ kept }}|{{ [x]|join }}|{{ x ~ y }}|{{ z }}|{{ 7 }}|{{ none }}"
    )

    with app.test_request_context():
        drawn = render_template_string(template, x=hostile, y=SaysIsStr(hostile), z=Markup("<i>ours</i>"))

    assert drawn == "|".join([safe, safe, f"<b>{safe}</b>", safe, safe, safe + safe, "<i>ours</i>", "7", "None"])
    assert escaped(hostile) == safe

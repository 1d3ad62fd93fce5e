"""Filling in a form as a person would, so that it is taken."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

from crm.access.envelopes import new_key_pair
from crm.events.columns import COLUMN_WORDS
from crm.events.kit_entries import FILE_MARK
from crm.visits.questions import ITEMS
from crm.web.robots import TRAP
from tests.factories import PASSWORD
from tests.page import Element, Form
from tests.samples.pictures import SMALL_PNG
from tests.walks.estate import SHEET, TODAY
from tests.walks.finding import Found

WORDS = "Some words"
KIT_FILE = json.dumps({"doorstep": FILE_MARK, "entries": []}).encode()
BOXES_OF_A_SESSION = ("on_{}-day", "on_{}-month", "on_{}-year", "starts_{}", "ends_{}", "topics_{}", "place_{}")


def no_session_in(*rows: str) -> dict[str, str]:
    """Rows of a course's plan that stay empty: two sessions at one time are refused."""
    return {box.format(row): "" for row in rows for box in BOXES_OF_A_SESSION}


# What a box wants to hear, by the last part of its name; by its whole name and its endpoint where that matters.
BY_NAME = {
    "email": "somebody.new@example.org",
    "phone": "07700 900987",
    "mobile": "07700 900988",
    "reach": "07700 900989",
    "postcode": "BR1 3KO",
    "districts": "ZE1",
    "cost": "2.50",
    "hours": "5.5",
    "link": "https://example.org/meet",
    "website": "https://example.org",
    "from": "10am",
    "until": "1pm",
    "starts": "10am",
    "starts_at": "10am",
    "ends": "1pm",
    "from_time": "10am",
    "closes_at": "6pm",
    "warn_at": "2pm",
    "until_time": "1pm",
    "day": TODAY[8:],
    "month": TODAY[5:7],
    "year": TODAY[:4],
}
EXACTLY: dict[str, dict[str, Any]] = {
    "access.sign_in": {"email": "officer@example.org", "password": PASSWORD},
    "access.reset_password": {"password": "seven brown teapots"},
    "access.accept_invitation": {"password": "seven brown teapots"},
    "access.change_password": {"current_password": PASSWORD, "password": "seven brown teapots"},
    "enquiries.not_now": {"back_on-year": "2027"},
    "enquiries.new_mailing": {"subject": "A new office", "words": "Hello {{ first_name }}, our office has moved."},
    "enquiries.mailing_words": {"words": "Hello {{ first_name }}, our office has moved again."},
    "costs.edit": {f"pounds-{line}": "12.50" for line in range(6)},
    "campaigns.new": {"code": "spring-leaflet"},
    "staff.correct_stage": {"place": "enquiry:contacted"},
    "assessments.new_course": {
        **no_session_in(*(f"new{n}" for n in range(2, 8))),
        "on_new1-year": "2027",
        "starts_new1": "10am",
        "ends_new1": "1pm",
    },  # fmt: skip
    "panel.put_minutes_right": {"minutes": "They talked about their garden."},
    "assessments.name_referee": {"known_since": "2012"},
    "assessments.book_interview": {"on-year": "2027"},
    "assessments.edit_course": no_session_in("new1", "new2"),
    "assessments.copy_course": {"on-year": "2027"},
    "diary.calendars": {"address": "https://calendar.example.org/mine.ics", "user_name": "", "password": ""},
    "administration.new_visit_type": {"minutes": "75"},
    "visits.record_past_visit": {"held_from": "7am", "held_until": "8am"},  # before her first visit of the day
    "visits.record_report": {f"{item}_photo": lambda: (io.BytesIO(SMALL_PNG), "photo.png") for item in ITEMS},
    "our_documents.document": {"files": lambda: (io.BytesIO(SMALL_PNG), "photo.png")},
    "assessments.hand_in_for_them": {"files": lambda: (io.BytesIO(SMALL_PNG), "photo.png")},
    "assessments.ask_for_document": {"kind": "driving"},
    "assessments.accept_document": {"ends_on-year": "2031"},
    "assessments.change_session": {f"on-{part}": "" for part in ("day", "month", "year")},
    "kit.load_file": {"file": lambda: (io.BytesIO(KIT_FILE), "blue.door.json")},
    "administration.wording": {"text": "Yes, write to me by email."},
    "administration.letter_wording": {"subject": "What you asked us for"},
    "administration.criterion": {f"in_force_until-{part}": "" for part in ("day", "month", "year")},
    "administration.new_criterion": {
        **{f"label_{number}": f"Answer {number}" for number in range(5)},
        **{f"in_force_until-{part}": "" for part in ("day", "month", "year")},
    },
    "imports.sheet_columns": {**dict.fromkeys(COLUMN_WORDS, ""), "name": "0", "phone": "1"},
    "imports.sheet_layout": {"headings_at": "1"},
}
# The button that is meant, where it is not the last.
PRESSED = {"visits.book": {"do": "book"}}
# What a script on the page puts there.
BY_SCRIPT = {"kit.set_up": {"signing_key": new_key_pair()[0], "proof": "ab" * 32, "clock": "1780000000000"}}
BORN_IN = "1980"
NOBODY = "0"
"""What a choice among colleagues says before one is chosen."""


def controls(form: Form) -> list[Element]:
    """What a person can change: no hidden field and no button."""
    return [
        control
        for control in form.element.walk()
        if control.get("name")
        and control.get("name") != TRAP
        and "disabled" not in control.attributes
        and control.tag in ("select", "textarea", "input")
        and control.get("type", "text") not in ("hidden", "submit")
    ]


def is_text(control: Element) -> bool:
    return control.tag == "textarea" or (
        control.tag == "input" and control.get("type", "text") not in ("radio", "checkbox", "file")
    )


def first_answer(control: Element) -> str | None:
    """An answer that the box itself offers."""
    if control.tag == "select":
        values = [option.get("value", option.text) for option in control.all("option")]
        return next((value for value in values if value and value != NOBODY), None)
    return control.get("value", "on")


def filled(form: Form, write: Callable[[Element], Any]) -> dict[str, Any]:
    """What is sent: hidden fields as they are, and for each box what ``write`` says (None: nothing is sent)."""
    mine = controls(form)
    boxes = {control["name"] for control in mine}
    button = form.buttons[-1].text if form.buttons else None
    data = {name: value for name, value in form.filled(button).items() if name not in boxes}
    for control in mine:
        value = write(control)
        if value is not None:
            data.setdefault(control["name"], value)
    return data


def filled_in_well(found: Found, form: Form) -> dict[str, Any]:
    """What somebody would send who fills the form in: what stands in it already, and an answer in each empty box."""
    exactly = EXACTLY.get(found.endpoint, {})

    def write(control: Element) -> Any:
        name = control["name"]
        if name in exactly:
            return exactly[name]() if callable(exactly[name]) else exactly[name]
        if control.get("type") == "file":
            return io.BytesIO(SHEET), "sheet.csv"
        already = form.fields.get(name)
        if already and already != NOBODY:
            return already
        return typed_into(control) if is_text(control) else first_answer(control)

    return {**filled(form, write), **BY_SCRIPT.get(found.endpoint, {}), **PRESSED.get(found.endpoint, {})}


def typed_into(control: Element) -> str:
    name = control["name"]
    if "born" in name and name.endswith("-year"):
        return BORN_IN
    if control.get("inputmode") == "numeric" and not name.endswith(("-day", "-month", "-year")):
        return "2"
    last = re.sub(r"_\d+$", "", name).rpartition("-")[2]
    return BY_NAME.get(last) or BY_NAME.get(last.rpartition("_")[2], WORDS)

"""Every form of the product, sent nonsense of each kind: it says what to put right, keeps what was typed, and breaks
nothing (part of G37)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crm.web.errors import SECRET_WORDS
from crm.web.forms import UNWANTED, tidy
from tests.conftest import PageResponse
from tests.page import Element, Form, Page
from tests.walks.filling import controls, filled, first_answer, is_text
from tests.walks.finding import Found, Walker, forms
from tests.walks.undoing import Rows

TOO_MUCH = 60_000
MOST_OF_A_REQUEST = 800_000
NO_SUCH = "no-such-answer"
CONTROLS = "Ada\x00\x07\x1b[31m\u2028\ufeff\x85\r\nQuill"
SLOWEST_S = 2.0
# Their parts are cut at twenty characters: no longer day, month or year is ever right.
DATE_PART = re.compile(r"-(day|month|year)$")

NOTHING_IS_AN_ANSWER = {
    "our_home.part": "a part may be kept half done, by its last button; only calling it done wants all of it",
    "reporting.report_file": "a report of which nobody says what sort of file is CSV",
    "our_visit.cancel": "nobody has to say why they call a visit off, or want none",
    "enquire.step": "a question of the public form may be passed over",
    "enquire.later": "a link may be shown instead of sent",
    "enquiries.screening": "a call may end before anything was asked",
    "staff.contact_rules": "nobody needs a rule about being reached",
    "staff.address": "an address may be taken back",
    "staff.set_limit": "as many enquiries as come is a limit too",
    "visits.record_report": "a part of a report may be kept unfinished; only sending it wants all of it",
    "visit_day.day": "whoever says nothing of it stays as long as was planned",
    "visit_day.notes": "there may be nothing to know of a home, or no longer",
    "assessments.transfer": "nothing of another service is known, or no longer",
    "assessments.chase_check": "a reminder needs no words",
    "reference.step": "there may be nothing else to say",
    "meet.place": "whoever comes alone needs no help and has no question",
    "publishing.cancel": "nobody has to say why an event is off",
    "guests.asked": "somebody may have asked nothing",
    "imports.load_sheet": "whether letters go is a box that may stay empty",
    "imports.sheet_layout": "where the headings stand is told from the sheet where nobody says",
    "costs.edit": "an event may have cost nothing",
    "assessments.cancel_course": "nobody has to say why a course is off",
    "assessments.mark_session": "nobody may be marked yet",
    "panel.members": "a meeting may wait for its members",
    "panel.attendance": "nobody may be noted as there yet",
}
"""Forms that may be sent with nothing in them, and why that is right."""


def nothing(control: Element) -> str | None:
    return "" if is_text(control) or control.tag == "select" else None


def none_of_its_boxes(control: Element) -> None:
    """As a program would send it, or a page of last year's release."""
    return


def far_too_much(count: int) -> Callable[[Element], str | None]:
    size = min(TOO_MUCH, MOST_OF_A_REQUEST // max(1, count))
    return lambda control: "x" * size if is_text(control) else first_answer(control)


def another_kind(control: Element) -> str | None:
    return "☃ not this kind" if is_text(control) else NO_SUCH


def control_characters(control: Element) -> str | None:
    return CONTROLS if is_text(control) else first_answer(control)


WAYS = {
    "nothing": nothing,
    "none of its boxes": none_of_its_boxes,
    "far too much": far_too_much,
    "another kind of thing": another_kind,
    "control characters": control_characters,
}


def wrong_with(
    answer: PageResponse, found: Found, form: Form, sent: dict[str, Any], way: str, took: float
) -> Iterator[str]:
    """What a person would complain of, a sentence each."""
    texts = {c["name"] for c in controls(form) if is_text(c)}
    if answer.status_code >= 500 or answer.status_code in (401, 403, 404, 405):
        yield f"answered {answer.status_code}"
        return
    if took > SLOWEST_S:
        yield f"took {took:.1f} s of this processor"
    if answer.status_code < 400:
        if way == "far too much" and texts:
            yield "took far too much"
        if way == "another kind of thing" and has_kinds(form):
            yield "took another kind of thing"
        if way in ("nothing", "none of its boxes") and controls(form) and found.endpoint not in NOTHING_IS_AN_ANSWER:
            yield "took nothing for an answer"
        return
    page = answer.page
    if answer.status_code == 422 and not page.errors and not page.all(class_="ds-refusal"):
        yield f"422 without a summary: {page.text[:150]}"
    if not page.title.startswith("Error: ") and page.errors:
        yield f"its title does not say that there is an error: {page.title}"
    shown = shown_on(page)
    for name in texts:
        typed = tidy(sent.get(name, ""))
        if typed and not any(word in name for word in SECRET_WORDS) and not is_kept(name, typed, shown):
            yield f"lost what was typed into {name}"


def has_kinds(form: Form) -> bool:
    """Whether one of its boxes takes only some answers."""
    return any(
        c.tag == "select" or c.get("type") == "radio" or DATE_PART.search(c["name"]) or c.get("inputmode") == "numeric"
        for c in controls(form)
    )


def shown_on(page: Page) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for control in page.root.walk():
        if control.tag == "textarea":
            text = "".join(c for c in control.children if isinstance(c, str)).removeprefix("\n")
            found.setdefault(control.get("name") or "", []).append(text)
        elif control.tag == "input":
            found.setdefault(control.get("name"), []).append(control.get("value"))
    return found


def is_kept(name: str, typed: str, shown: dict[str, list[str]]) -> bool:
    values = [tidy(value) for value in (*shown.get(name, ()), *shown.get("", ()))]
    if DATE_PART.search(name):
        return any(value and typed.startswith(value) for value in values)
    flat = re.sub(r"\s+", " ", typed)
    return any(re.sub(r"\s+", " ", value) == flat for value in values)


def control_characters_in(change: dict[str, list[tuple[Any, Any]]]) -> list[str]:
    return [
        f"{table}.{column}"
        for table, rows in change.items()
        for _, row in rows
        for column, value in (row or {}).items()
        if isinstance(value, str) and UNWANTED.search(value)
    ]


# What only a database can object to, a length or a character, is tried on both.
CASES = [("sqlite", way) for way in WAYS] + [("postgresql", way) for way in ("far too much", "control characters")]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("database", "way"), CASES, indirect=["database"])
def test_every_form_says_what_to_put_right_and_keeps_what_was_typed(
    walker: Walker, undone: Any, at_first: Rows, way: str
) -> None:
    complaints = []
    for found in forms(walker):
        client = walker.member(found.member)
        with undone() as change:
            form = found.on(client.get(found.path).page)
            if way not in ("nothing", "none of its boxes") and not controls(form):
                continue
            write = WAYS[way]
            data = filled(form, far_too_much(len(controls(form))) if way == "far too much" else write)  # type: ignore[operator]
            began = time.process_time()
            try:
                answer = client.post(found.action, data=data)
            except Exception as fault:  # all of them are wanted in one list
                complaints.append(f"{found}: a fault of ours: {fault!r}")
                continue
            took = time.process_time() - began
            complaints += [f"{found}: {words}" for words in wrong_with(answer, found, form, data, way, took)]
            if way == "control characters" and answer.status_code < 400:
                complaints += [f"{found}: kept in {where}" for where in control_characters_in(change.rows(at_first))]

    assert not complaints, f"{way}, {len(complaints)}:\n" + "\n".join(complaints)

"""The administrator edits what a letter says, sees it on made-up people, and puts it in force from a day."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import flask
import pypdf
import pytest

from crm.db import transaction
from crm.delivery import OutboundMessage, enqueue
from tests.delivery.examples import new_message
from tests.factories import Cast

PACK = "/admin/settings/letters/information_pack"
BODY = '# Hello {{ first_name }}\n\nThis is our own booklet, in our own words.\n\n{% include "email/_close.txt" %}'


@pytest.fixture
def admin(as_member: Callable[..., Any], cast: Cast, freeze: Any) -> Any:
    freeze("2026-07-14 10:40")
    return as_member(cast.administrator)


def keep(admin: Any, *, path: str = PACK, body: str = BODY, on: str = "2026-07-14", **more: str) -> Any:
    year, month, day = on.split("-")
    return admin.submit(
        admin.get(path).page,
        to=path,
        button="Keep these words",
        body=body,
        **{"in_force_from-day": day, "in_force_from-month": month, "in_force_from-year": year},
        **more,
    )


def letter_of(app: flask.Flask, on: date, key: str) -> bytes:
    with app.app_context(), transaction():
        return enqueue(new_message(key=key), now=datetime(on.year, on.month, on.day, 12, tzinfo=UTC)).payload or b""


def test_new_words_are_in_force_from_their_day_and_what_was_sent_stays(app: flask.Flask, admin: Any) -> None:
    answer = keep(admin, on="2026-07-20")
    assert answer.status_code == 303
    assert "from Monday 20 July 2026" in admin.get(answer.location).text

    before = letter_of(app, date(2026, 7, 19), "a")
    after = letter_of(app, date(2026, 7, 20), "b")

    assert b"our own words" not in before
    assert b"our own words" in after
    with app.app_context():
        from crm.db import db

        assert [b"our own words" in row.payload for row in db.session.query(OutboundMessage).order_by("id")] == [
            False,
            True,
        ]


def test_what_cannot_be_kept_says_why_and_keeps_what_was_typed(admin: Any) -> None:
    typed = BODY + "\n\n{{ about_address }}"

    answer = keep(admin, body=typed)

    assert answer.status_code == 422
    assert "about_address (the address of the applicants) is not part of this letter" in answer.text
    assert "{{ about_address }}" in answer.page.root.first("textarea", name="body").text


def test_a_preview_shows_the_words_and_keeps_nothing(app: flask.Flask, admin: Any) -> None:
    page = admin.get(PACK).page
    data = page.form(button="Keep these words").filled("Keep these words", body=BODY)
    shown = admin.post(f"{PACK}/preview", data=data)

    assert "This is our own booklet" in shown.text
    assert "Hello Maya" in shown.text
    assert b"our own words" not in letter_of(app, date(2026, 7, 14), "a")
    # and the form that comes back can still be kept
    assert admin.submit(shown.page, to=PACK, button="Keep these words").status_code == 303


def test_a_preview_as_somebody_types_is_the_part_alone(admin: Any) -> None:
    page = admin.get(PACK).page
    data = page.form(button="Keep these words").filled("Keep these words", body="{{ nobody }}")

    part = admin.post(f"{PACK}/preview", data=data, headers={"HX-Request": "true"})

    assert "<html" not in part.text
    assert "there is no field nobody" in part.text


def test_the_printed_page_is_shown_before_it_is_kept(admin: Any) -> None:
    page = admin.get(PACK).page
    data = page.form(button="Keep these words").filled("Keep these words", body=BODY)

    pdf = admin.post(f"{PACK}/print", data=data)

    assert pdf.mimetype == "application/pdf"
    text = "".join(sheet.extract_text() for sheet in pypdf.PdfReader(io.BytesIO(pdf.data)).pages)
    assert "our own booklet" in text


def test_versions_can_be_read_and_the_products_own_words_put_back(app: flask.Flask, admin: Any) -> None:
    keep(admin)
    page = admin.get(PACK).page
    version = next(to for to in page.links.values() if "/versions/" in to and not to.endswith("/0"))
    assert "our own booklet" in admin.get(version).text
    assert "Who can foster" in admin.get(f"{PACK}/versions/0").text

    answer = admin.submit(admin.get(f"{PACK}/restore").page, button="Put them back")

    assert answer.status_code == 303
    assert b"our own words" not in letter_of(app, date(2026, 7, 14), "a")
    assert "The product’s own words, put back" in admin.get(PACK).text


def test_a_day_gone_by_and_the_same_words_are_refused(admin: Any) -> None:
    assert "Choose today or a later day" in keep(admin, on="2026-07-13").text
    keep(admin)
    assert "words in force on that day already" in keep(admin).text


def test_two_who_edit_at_once_are_told(admin: Any) -> None:
    first, second = admin.get(PACK).page, admin.get(PACK).page
    admin.submit(first, to=PACK, button="Keep these words", body=BODY)

    answer = admin.submit(second, to=PACK, button="Keep these words", body=BODY + "\n\nMore.")

    assert answer.status_code == 409


def test_a_text_message_shows_its_length(admin: Any) -> None:
    assert "characters, 1 text" in admin.get("/admin/settings/letters/tried_to_ring").text


def test_every_change_is_in_the_trail(app: flask.Flask, admin: Any) -> None:
    from crm.audit import AuditEntry
    from crm.db import db

    keep(admin)

    with app.app_context():
        entry = db.session.query(AuditEntry).filter_by(event="policy.changed").one()
        assert entry.subject == "policy:letter.information_pack"

"""Who reads what of a household (G13, the second table): each has words of its own, looked for in every page, part of a
page, file, calendar and letter that a member may open."""

from __future__ import annotations

import io
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import flask
import pypdf
import pytest
import sqlalchemy as sa
import yaml

from crm.db import db
from crm.delivery import Channel, OutboundMessage
from tests.walks.estate import CLOSELY_HELD, KINDS, OF_STAGE_TWO, Estate, Home
from tests.walks.finding import Walker

READERS = (
    "stranger", "applicant", "officer", "other_officer", "recruiter", "manager", "panel_administrator", "panel_member",
    "decision_maker", "administrator",
)  # fmt: skip
OF_A_HOUSEHOLD = (
    "/cases/{reference}",
    "/cases/{reference}/timeline",
    "/cases/{reference}/facts",
    "/cases/{reference}/people/{person_id}",
    "/cases/{reference}/people/{person_id}/reach",
    "/cases/{reference}/address",
    "/cases/{reference}/screening",
    "/cases/{reference}/contact",
    "/cases/{reference}/letters",
    "/cases/{reference}/letters/preview",
    "/cases/{reference}/letters/{letter_id}",
    "/cases/{reference}/letters/{letter_id}/pdf",
    "/cases/{reference}/looked",
    "/cases/{reference}/visits",
    "/cases/{reference}/assessment",
    "/cases/{reference}/assessment/household",
    "/cases/{reference}/assessment/preparation",
    "/cases/{reference}/assessment/stage-one",
    "/cases/{reference}/assessment/report",
    "/cases/{reference}/assessment/report/evidence/personality",
    "/cases/{reference}/assessment/report/evidence/caring",
    "/cases/{reference}/assessment/report/copy",
    "/cases/{reference}/assessment/midway",
    "/cases/{reference}/assessment/second-opinion",
    "/cases/{reference}/assessment/sessions",
    "/cases/{reference}/assessment/sessions/{session_id}",
    "/cases/{reference}/checks/{dbs_id}",
    "/cases/{reference}/checks/{medical_id}",
    "/cases/{reference}/checks/{reference_id}",
    "/cases/{reference}/checks/{place_id}/referee",
    "/cases/{reference}/referees/{referee_id}",
    "/cases/{reference}/referees/{referee_id}/account",
    "/cases/{reference}/clocks/{clock_id}/reason",
    "/cases/{reference}/decision",
    "/cases/{reference}/notices",
    "/cases/{reference}/approval.json",
    "/cases/{reference}/answer/papers.pdf",
    "/cases/{reference}/panel",
    "/cases/{reference}/panel/minutes",
    "/cases/{reference}/panel/papers/progress",
    "/cases/{reference}/panel/papers/{pack_id}",
    "/panel/{meeting_id}",
    "/register/{reference}",
    "/register?q={word}",
    "/visits?case={reference}",
    "/visits/new",
    "/search?q={word}",
    "/search?q={reference}",
)
OF_NOBODY = (
    "/", "/enquire/check", "/my-day", "/board", "/board/new", "/board/in_assessment", "/board/with_panel", "/enquiries",
    "/enquiries/mailings", "/enquiries/mailings/{waiting_mailing_id}",
    "/enquiries/mailings/{waiting_mailing_id}/people",
    "/caseload", "/caseload/missed", "/reports/journey", "/reports/journey/rows/got.asked",
    "/reports/journey/rows/still.applied", "/reports/saved", "/reports/responses", "/reports/checks",
    "/reports/need", "/needs", "/needs/{need_id}",
    "/reports/return/rows/flow.end", "/reports/return/2025/freeze", "/reports/return/2024/frozen",
    "/reports/return/2024/thaw",
    "/assessments", "/visits", "/visits?who=me", "/panel", "/register", "/events/all", "/events/{event_id}",
    "/events/{event_id}/import/{upload_id}/errors.csv", "/courses", "/courses/{course_id}",
    "/courses/{other_course_id}", "/courses/{course_id}/sessions/{course_session_id}",
    "/courses/{course_id}/certificates/{certificate_id}", "/courses/{course_ahead_id}", "/admin", "/admin/letters",
    "/admin/letters?show=given_up", "/admin/audit", "/admin/people", "/admin/checks", "/admin/jobs",
    "/feed/{feed}.ics", "/healthz",
)  # fmt: skip
PARTS_TOO = ("/search", "/cases/")
"""Addresses that answer a script with a part of the page."""


def oracle() -> dict[str, dict[str, set[str]]]:
    """household -> reader -> kinds."""
    book = yaml.safe_load((Path(__file__).parent / "fields.yaml").read_text())

    def kinds(named: Any) -> set[str]:
        return set(book[named]) if isinstance(named, str) else set(named)

    return {home: {who: kinds(named) for who, named in by.items()} for home, by in book["households"].items()}


def text_of(answer: Any) -> str:
    """What a person can read of an answer, whatever it is."""
    if answer.mimetype == "application/pdf":
        return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(answer.data)).pages)
    return str(answer.text).replace("\r\n ", "")


def read_by(walker: Walker, member: str, homes: list[Home]) -> str:
    """All that a member gets to read, opening everything. What they typed themselves is taken out of it."""
    client, estate = walker.member(member), walker.estate
    common = {"feed": estate.secrets["feed"] if member == "officer" else "x" * 43, **estate.things}
    everything = [text_of(client.get(path.format(**common))) for path in OF_NOBODY]
    for home in homes:
        known = {"reference": home.reference, "word": home.word("name"), **home.values}
        for path in OF_A_HOUSEHOLD:
            try:
                address = path.format(**known)
            except KeyError:
                continue
            headers = [{}, {"HX-Request": "true"}] if address.startswith(PARTS_TOO) else [{}]
            texts = [text_of(client.get(address, headers=more)) for more in headers]
            if "{word}" in path and not any(home.reference in text for text in texts):
                continue  # nothing was found: the page repeats what was asked
            everything += texts
    return "\n".join(everything)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_everybody_reads_what_the_table_says_and_nothing_else(estate: Estate, walker: Walker) -> None:
    """On SQLite: which households open is asked on both by the matrix, and the rest is decided in Python."""
    book = oracle()
    homes = [estate.homes[key] for key in book]
    wrong = []
    for member in READERS:
        everything = read_by(walker, member, homes)
        for home in homes:
            seen = {kind for kind in KINDS if home.word(kind) in everything}
            meant = book[home.key].get(member, set())
            wrong += [f"{member} reads {kind} of {home.key}" for kind in sorted(seen - meant)]
            wrong += [f"{member} does not find {kind} of {home.key}" for kind in sorted(meant - seen)]

    assert wrong == []


def test_no_letter_says_what_is_held_closely_or_anything_of_another_household(app: flask.Flask, estate: Estate) -> None:
    by_case = {home.case_id: home for home in estate.homes.values()}
    told, read = [], 0
    with app.app_context():
        for letter in db.session.scalars(sa.select(OutboundMessage)):
            text, read = readable(letter), read + 1
            mine = by_case.get(letter.case_id or 0)
            for home in estate.homes.values():
                kinds = (*CLOSELY_HELD, *OF_STAGE_TWO) if home is mine else KINDS
                told += [f"{letter.kind} to {mine}: {home.word(kind)}" for kind in kinds if home.word(kind) in text]
        db.session.remove()

    assert told == []
    assert read > 100


def readable(letter: OutboundMessage) -> str:
    """Every word of a letter: its subject, its parts, its invitation, or its PDF."""
    assert letter.payload is not None
    if letter.channel == Channel.POST:
        return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(letter.payload)).pages)
    message = message_from_bytes(letter.payload, policy=policy.default)
    parts = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return "\n".join([str(message["Subject"]), *(str(part).replace("\r\n ", "") for part in parts)])

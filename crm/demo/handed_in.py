"""Documents of households whose application is open: some accepted, some to look at, one sent back, one still held."""

from __future__ import annotations

import io
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from PIL import Image, ImageDraw

from crm import policy
from crm.access.models import User
from crm.assessments import documents
from crm.assessments.document_models import DocumentVersion
from crm.assessments.documents import Taken
from crm.assessments.parts import applicants_of
from crm.cases.models import Case, Person
from crm.clock import london_date
from crm.db import db
from crm.portal.signing_in import actor_of
from crm.rules.permissions import Actor

HOUSEHOLDS = 24
PLACES = ("invited", "received", "in_assessment")
WORDS = {
    "identity": ("PASSPORT", "Specimen, no real person"),
    "address": ("YOUR GAS AND ELECTRICITY", "Statement of account"),
    "home": ("TENANCY AGREEMENT", "Page 1 of 9"),
}
FATES = ("accepted", "accepted", "with_us", "accepted", "sent_back", "none", "held")
"""What becomes of what is handed in, in turn."""
TOO_DARK = "The lower half is in the dark, so we can’t read the number. Please take it again near a window."


def photograph() -> dict[str, list[Taken]]:
    """A photo of each kind of document, made anew as any other that comes in. Slow: before any transaction."""
    return {kind: documents.take_each([_photo(*words)]) for kind, words in WORDS.items()}


def _photo(title: str, line: str) -> bytes:
    """A sheet on a kitchen table, with a box where the face or the figures would be."""
    photo = Image.new("RGB", (900, 640), (150, 116, 84))
    draw = ImageDraw.Draw(photo)
    draw.rectangle((60, 50, 840, 590), fill=(247, 244, 236), outline=(205, 199, 186), width=3)
    draw.rectangle((100, 210, 300, 470), fill=(214, 208, 196))
    draw.text((100, 90), title, fill=(40, 44, 52), font_size=44)
    draw.text((100, 150), line, fill=(96, 92, 84), font_size=26)
    for row in range(6):
        draw.rectangle((340, 220 + row * 44, 340 + 420 - row * 30, 234 + row * 44), fill=(190, 184, 172))
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=90)
    return out.getvalue()


def hand_in_documents(users: dict[str, User], photos: dict[str, list[Taken]], *, now: datetime) -> int:
    """Over the last weeks, by the applicants themselves; how many were handed in."""
    turn = 0
    open_cases = sa.select(Case).where(Case.place.in_(PLACES)).order_by(Case.id.desc()).limit(HOUSEHOLDS)
    for case in db.session.scalars(open_cases).all():
        for person in applicants_of(case):
            for kind in ("identity", "address"):
                turn += 1
                _one(case, person, kind, FATES[turn % len(FATES)], photos, users, now=now)
        turn += 1
        first = next(iter(applicants_of(case)), None)
        if first is not None:
            _one(case, first, "home", FATES[turn % len(FATES)], photos, users, now=now)
    return turn


def _one(
    case: Case, person: Person, kind: str, fate: str, photos: dict[str, list[Taken]], users: dict[str, User],
    *, now: datetime,
) -> None:  # fmt: skip
    if fate == "none":
        return
    sent_at = max(case.opened_at, now - timedelta(days=3 + person.id % 17))
    today = london_date(sent_at)
    line = documents.line_of(case, kind if kind == "home" else f"{kind}-{person.id}", today=today)
    version = documents.hand_in(
        case, line, photos[kind], actor=actor_of(person), now=sent_at, today=today,
        rulebook=policy.rulebook_on(today),
    )  # fmt: skip
    if fate == "held":
        return
    for page in version.pages:
        page.scan, page.scanned_at, page.scan_next_at = "clean", sent_at + timedelta(minutes=1), None
    if fate != "with_us":
        _look_at(case, version, fate, users["officer"].as_actor(), at=min(now, sent_at + timedelta(days=1)))


def _look_at(case: Case, version: DocumentVersion, fate: str, actor: Actor, *, at: datetime) -> None:
    today, document = london_date(at), version.document
    if fate == "sent_back":
        documents.send_back(
            case, document, TOO_DARK, seen=version.number, actor=actor, now=at, today=today,
            rulebook=policy.rulebook_on(today),
        )  # fmt: skip
        return
    runs_out = document.kind == "identity"
    documents.accept(
        case, document, seen=version.number, original_seen_on=today if version.id % 2 else None,
        ends_on=date(today.year + 1 + version.id % 8, 1 + version.id % 12, 15) if runs_out else None,
        actor=actor, now=at, today=today,
    )  # fmt: skip

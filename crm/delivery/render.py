"""From a letter's kind and merge fields to its words: the subject, the plain text, the HTML and the printed page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import crm
from crm.clock import london_date
from crm.delivery import markup, wording
from crm.delivery.letters import LetterKind
from crm.delivery.message import Recipient
from crm.delivery.models import Channel


class MergeFieldMissing(Exception):
    """A letter was asked for without something that it must say."""


@dataclass(frozen=True)
class Words:
    """A letter written out."""

    subject: str
    blocks: list[markup.Block]
    text: str


@cache
def templates_dir() -> Path:
    """Where the templates are: inside the installed package, or beside it in a clone."""
    inside = Path(crm.__file__).parent / "templates"
    return inside if inside.is_dir() else Path(crm.__file__).parent.parent / "templates"


@cache
def words_environment() -> Environment:
    """How letters are written: nothing may be missing, and nothing merged in counts as markup."""
    environment = Environment(
        loader=FileSystemLoader(templates_dir()),
        undefined=StrictUndefined,
        finalize=markup.hide,
        autoescape=False,  # noqa: S701  (plain text; the HTML is made by the other environment, which escapes)
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        day=wording.day,
        day_year=wording.day_year,
        date_year=wording.date_year,
        time=wording.clock_time,
        length=wording.length,
        and_list=wording.and_list,
        paragraphs=markup.paragraphs,
        bullets=markup.bullets,
    )
    return environment


@cache
def html_environment() -> Environment:
    """How the one HTML layout is filled in: everything is escaped."""
    return Environment(
        loader=FileSystemLoader(templates_dir()),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_words(letter: LetterKind, context: Mapping[str, Any], channel: Channel) -> Words:
    """The subject and the blocks of a letter. Raises MergeFieldMissing, naming what is not there."""
    missing = [field for field in letter.all_fields if context.get(field) is None]
    if missing:
        raise MergeFieldMissing(f"{letter.kind}: {', '.join(missing)}")
    fields = {**letter.optional, **context, "by_post": channel == Channel.POST}
    environment = words_environment()
    subject = environment.get_template(f"email/{letter.kind}/subject.txt").render(fields)
    body = environment.get_template(f"email/{letter.kind}/body.txt").render(fields)
    blocks = markup.parse(body)
    shown = markup.parse(subject)
    return Words(subject=markup.as_text(shown).strip(), blocks=blocks, text=markup.as_text(blocks))


def write_html(words: Words, service: Any) -> str:
    """The HTML of an email: one table, styles in each element, no image, nothing fetched."""
    return (
        html_environment()
        .get_template("email/layout.html")
        .render(subject=words.subject, blocks=words.blocks, service=service)
    )


def write_page(letter: LetterKind, words: Words, context: Mapping[str, Any], to: Recipient, now: datetime) -> bytes:
    """The letter as a tagged A4 PDF. The words go in as data, never as source."""
    service = context["service"]
    own = templates_dir() / "letters" / f"{letter.kind}.typ"
    source = own if own.exists() else templates_dir() / "letters" / "letter.typ"
    data = {
        "service": {
            "name": str(service.name),
            "address": _lines(service.address),
            "phone": str(service.phone),
            "email": str(service.email),
            "website": str(service.website),
        },
        "to": list(to.postal),
        "date": wording.date_year(london_date(now)),
        "reference": str(context.get("reference") or ""),
        "subject": words.subject,
        "blocks": markup.as_data(words.blocks),
    }
    pdf = typst.compile(
        source,
        root=templates_dir() / "letters",
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"letter": json.dumps(data)},
        timestamp=int(now.timestamp()),
        pdf_standards=["ua-1"],
    )
    if not isinstance(pdf, bytes):
        raise TypeError("typst gave no single document")
    return pdf


def _lines(address: Any) -> list[str]:
    """An address as lines, whether it was kept as lines, as text of several lines, or with commas."""
    if isinstance(address, str):
        parts = address.splitlines() if "\n" in address else address.split(",")
    else:
        parts = list(address)
    return [str(part).strip() for part in parts if str(part).strip()]

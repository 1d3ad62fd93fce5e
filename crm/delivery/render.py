"""From a letter's kind and merge fields to its words: the subject, the plain text, the HTML and the printed page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

import crm
from crm.clock import london_date
from crm.delivery import markup, texts, wording
from crm.delivery.letters import LetterKind
from crm.delivery.merge_fields import BY_POST
from crm.delivery.message import Recipient
from crm.delivery.models import Channel
from crm.delivery.post_room import post_room
from crm.typeset import write_pdf


class MergeFieldMissing(Exception):
    """A letter was asked for without something that it must say."""


@dataclass(frozen=True)
class Sources:
    """The words of a letter with their merge fields, as they are kept."""

    subject: str
    body: str
    text: str | None = None
    """For a text message; nothing for a kind that has none."""


WordsInForce = Callable[[str, date], Sources | None]
WORDS_IN_FORCE: dict[str, WordsInForce | None] = {"words_of_letter": None}
"""Named here, bound in the application: asked as ``f(kind, day)`` for the service's own words on that day."""


@dataclass(frozen=True)
class Words:
    """A letter written out."""

    subject: str
    blocks: list[markup.Block]
    text: str
    """The plain text of an email, or the whole of a text message."""


@cache
def templates_dir() -> Path:
    """Where the templates are: inside the installed package, or beside it in a clone."""
    inside = Path(crm.__file__).parent / "templates"
    return inside if inside.is_dir() else Path(crm.__file__).parent.parent / "templates"


@cache
def words_environment() -> ImmutableSandboxedEnvironment:
    """How letters are written: nothing may be missing, and nothing merged in counts as markup. The words may be an
    administrator's, so they are looked at when they are kept (``letter_words``) and run in a sandbox all the same."""
    environment = ImmutableSandboxedEnvironment(
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
def html_environment() -> ImmutableSandboxedEnvironment:
    """How the one HTML layout is filled in: everything is escaped."""
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(templates_dir()),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def default_sources(letter: LetterKind) -> Sources:
    """The words that the product comes with."""
    return _default_sources(letter.kind, Channel.TEXT in letter.channels)


@cache
def _default_sources(kind: str, has_text: bool) -> Sources:
    folder = templates_dir() / "email" / kind
    return Sources(
        subject=(folder / "subject.txt").read_text(encoding="utf-8"),
        body=(folder / "body.txt").read_text(encoding="utf-8"),
        text=(folder / "text.txt").read_text(encoding="utf-8").strip() if has_text else None,
    )


def sources_in_force(letter: LetterKind, on: date) -> Sources:
    """The words of a letter on a day: the service's own, or else the product's."""
    for bound in WORDS_IN_FORCE.values():
        own = bound(letter.kind, on) if bound is not None else None
        if own is not None:
            return own
    return default_sources(letter)


@lru_cache(maxsize=256)
def _compiled(source: str) -> Template:
    return words_environment().from_string(source)


def write_words(
    letter: LetterKind,
    context: Mapping[str, Any],
    channel: Channel,
    *,
    on: date | None = None,
    sources: Sources | None = None,
    stop_url: str | None = None,
) -> Words:
    """The subject and the blocks of a letter, in the words given, else in those in force on a day, else the product's.

    Only what its kind declares is merged in, whatever else the context holds. ``stop_url`` is where its reader can
    tell us to stop. Raises MergeFieldMissing, naming what is not there.
    """
    missing = [field for field in letter.all_fields if context.get(field) is None]
    if missing:
        raise MergeFieldMissing(f"{letter.kind}: {', '.join(missing)}")
    if sources is None:
        sources = default_sources(letter) if on is None else sources_in_force(letter, on)
    given = {**letter.optional, **context, BY_POST: channel == Channel.POST}
    fields = {name: value for name, value in given.items() if name in letter.known_fields or name == BY_POST}
    subject = markup.as_text(markup.parse(_compiled(sources.subject).render(fields))).strip()
    if channel == Channel.TEXT:
        blocks = markup.parse(_compiled(sources.text or "").render(fields))
        words = texts.plain_words(markup.as_text(blocks))
        return Words(subject=subject, blocks=blocks, text=f"{words} {stop_words(stop_url)}".strip())
    blocks = markup.parse(_compiled(sources.body).render(fields))
    if stop_url is not None:
        blocks = [*blocks, *_stop_blocks(letter, stop_url)]
    return Words(subject=subject, blocks=blocks, text=markup.as_text(blocks))


def stop_words(stop_url: str | None) -> str:
    """How somebody stops the texts: a word where texts come in, else the link."""
    if stop_url is None:
        return ""
    return "Reply STOP to stop." if post_room().takes_texts else f"To stop: {stop_url}"


def _stop_blocks(letter: LetterKind, stop_url: str) -> list[markup.Block]:
    """The last line of a letter by email that its reader may stop. Its words are the product's: no editing loses it."""
    is_news = letter.may_be_stopped_by_one_click
    label = "Stop news and events, or all contact" if is_news else "Ask us to stop contacting you"
    return markup.parse(f"~ [{label}]({markup.hide(stop_url)}). It works at once, and nobody has to sign in.")


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
    return write_pdf(source, "letter", data, at=now)


def _lines(address: Any) -> list[str]:
    """An address as lines, whether it was kept as lines, as text of several lines, or with commas."""
    if isinstance(address, str):
        parts = address.splitlines() if "\n" in address else address.split(",")
    else:
        parts = list(address)
    return [str(part).strip() for part in parts if str(part).strip()]

"""The service's own words for letters: dated, looked at before they are kept, and tried on a household before they go.

The product's words are the first edition. Nothing is ever altered: an edition is put in force from a day, and the
product's own words are put back the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from crm import policy
from crm.cases import contact_links, letters
from crm.cases.models import Case, Person
from crm.delivery import render
from crm.delivery.letter_words import check_words, context_of, used_in
from crm.delivery.letters import LETTERS, Audience, LetterKind
from crm.delivery.merge_fields import MERGE_FIELDS
from crm.delivery.models import Channel
from crm.delivery.render import Sources
from crm.policy import changing, reading
from crm.policy.models import PolicyKind
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal


class NoSuchLetter(Refusal):
    """There is no letter of that kind."""

    default_status = 404


@dataclass(frozen=True)
class WordsEdition:
    """Words that were, are or will be in force. ``sources`` is None for the product's own."""

    in_force_from: date
    version: int
    sources: Sources | None


def letter_kind(kind: str) -> LetterKind:
    """The letter of a kind whose words may be edited. Raises NoSuchLetter."""
    letter = LETTERS.get(kind)
    if letter is None or letter.fixed_words:
        raise NoSuchLetter("There is no such letter to edit. Go back and choose one.")
    return letter


def words_of_letter(kind: str, on: date) -> Sources | None:
    """Bound to the writing of letters: the service's own words on a day, or None where the product's are in force."""
    return _sources(reading.letter_words(kind, on))


def words_in_force(on: date) -> Mapping[str, WordsEdition]:
    """Of each kind whose words the service has changed, the edition in force on a day."""
    return MappingProxyType({name: _edition(one) for name, one in reading.letters_with_words(on).items()})


def editions_of(kind: str) -> list[WordsEdition]:
    """Every edition of a letter's words, the newest first. The product's own come before all of them."""
    return [_edition(one) for one in reading.editions_of(PolicyKind.LETTER, kind)]


def publish_words(
    kind: str,
    sources: Sources,
    *,
    in_force_from: date,
    actor: Actor,
    now: datetime,
    today: date,
    seen: int | None = None,
) -> None:
    """Put words in force for a letter, from a day. Raises WordsNotKept with what to put right and where."""
    require(actor, Permission.MANAGE_SETTINGS)
    letter = letter_kind(kind)
    if sources == (words_of_letter(kind, in_force_from) or render.default_sources(letter)):
        raise Refusal("These are the words in force on that day already.", status=422, field="body")
    check_words(letter, sources, service=policy.service())
    changing.publish_letter(
        kind=kind,
        words={"subject": sources.subject, "body": sources.body, "text": sources.text},
        in_force_from=in_force_from,
        actor=actor,
        now=now,
        today=today,
        seen=seen,
    )


def restore_default(
    kind: str, *, in_force_from: date, actor: Actor, now: datetime, today: date, seen: int | None = None
) -> None:
    """Put the product's own words back in force, from a day."""
    letter_kind(kind)
    if words_of_letter(kind, in_force_from) is None:
        raise Refusal("The product’s own words are in force on that day already.", status=422)
    changing.publish_letter(
        kind=kind, words=None, in_force_from=in_force_from, actor=actor, now=now, today=today, seen=seen
    )


@dataclass(frozen=True)
class WrittenFor:
    """A letter as it would be written to somebody of a household."""

    words: render.Words
    made_up: tuple[str, ...]
    """What is not known until it is sent, and stands there from the example: in words."""


def letters_to_households() -> list[LetterKind]:
    """The letters that can be tried on a household, in the order of the catalogue: not those that say nothing of it."""
    return [
        letter
        for letter in LETTERS.values()
        if letter.audience is Audience.HOUSEHOLD and not letter.fixed_words and not letter.names_nobody
    ]


def written_for(kind: str, case: Case, person: Person, channel: Channel, *, actor: Actor, today: date) -> WrittenFor:
    """A letter as it would be written to somebody of this household today, in the words in force: for a look before
    anything is sent, and nothing is. What is not known yet is filled in from the example. Raises NoSuchLetter."""
    require(actor, Permission.PREVIEW_LETTERS)
    letter = letter_kind(kind)
    if letter not in letters_to_households() or channel not in letter.channels:
        raise NoSuchLetter("That letter does not go to a household that way.")
    context: dict[str, Any] = {
        **context_of(letter, service=policy.service()),
        **letters.common_fields(case, person),
    }
    can_stop = letter.may_be_stopped and channel != Channel.POST
    sources = render.sources_in_force(letter, today)
    used = used_in(f"{sources.subject}{sources.text if channel == Channel.TEXT else sources.body}").fields
    made_up = [field for name, field in MERGE_FIELDS.items() if name in used and name not in letter.common_fields]
    return WrittenFor(
        render.write_words(
            letter,
            context,
            channel,
            sources=sources,
            stop_url=contact_links.nobodys_stop_link() if can_stop else None,
        ),
        tuple(field.means for field in made_up),
    )


def _edition(edition: reading.Edition) -> WordsEdition:
    return WordsEdition(edition.in_force_from, edition.version, _sources(edition))


def _sources(edition: reading.Edition | None) -> Sources | None:
    if edition is None or edition.value is None:
        return None
    return Sources(edition.value["subject"], edition.value["body"], edition.value["text"])
